"""Forms and filters of clients, people and grants."""

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from typing import Any, cast
from uuid import uuid4
from zoneinfo import ZoneInfo

from allauth.account import forms as allauth_forms
from django import forms
from django.conf import settings
from django.contrib.auth import password_validation
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db.models import Q, QuerySet
from django.utils import timezone
from django_filters import ChoiceFilter, FilterSet

from callprivacy.accounts import access, passwords, providers, selectors
from callprivacy.accounts.enums import (
    BUNDLES,
    ApiScope,
    Deed,
    MembershipState,
    PasswordProfile,
    ReviewAnswer,
    Role,
)
from callprivacy.accounts.models import Membership, SignInPolicy, SignInProvider, User
from callprivacy.accounts.services import reviews, sign_in
from callprivacy.lib import networks, outside, phone, zones
from callprivacy.lib.filters import LineFilter
from callprivacy.lib.forms import DayField, EmailLineField, LineField, OneLineTexts, URLLineField
from callprivacy.tenancy.enums import Answerer, AtEnd, PartyRole, Sector
from callprivacy.tenancy.models import Agency, Client, Engagement

NOTHING = "nothing"
EVERYONE = "everyone"
_PLACE = re.compile(r"^([A-Z]{2})(?:-([A-Z0-9]{1,5}))?$")


def zone_choices() -> list[tuple[str, str]]:
    """Every zone that has a place's name, as (name, readable name)."""
    names = sorted(name for name in zones.known() if "/" in name and not name.startswith("Etc/"))
    return [(name, name.replace("_", " ")) for name in [*names, "UTC"]]


class PlacesField(LineField):
    """States and countries, "US-CA, US-NY, DE", as a list of (country, region)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=600, **kwargs)

    def to_python(self, value: Any) -> Any:
        words = [word for word in re.split(r"[,;\s]+", super().to_python(value).upper()) if word]
        places = []
        for word in words:
            match = _PLACE.match(word)
            if match is None:
                raise forms.ValidationError(
                    f"{word} is no place. Write US-CA for California, DE for Germany."
                )
            places.append((phone.COUNTRIES_WRITTEN.get(match[1], match[1]), match[2] or ""))
        return list(dict.fromkeys(places))

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, list):
            return ", ".join("-".join(part for part in place if part) for place in value)
        return value

    def validate(self, value: Any) -> None:
        if self.required and not value:
            raise forms.ValidationError("Name at least one place.", code="required")

    def run_validators(self, value: Any) -> None:
        """There is nothing more to check in a list of places."""


class AgencyForm(forms.Form):
    name = LineField(label="Agency", max_length=120, help_text="On its pages and in its invitations.")
    time_zone = forms.ChoiceField(
        choices=zone_choices,
        help_text="For days and times that concern no single client. Each client has its own.",
    )
    reveals_per_hour = forms.IntegerField(
        label="Reveals per person and hour",
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text=(
            "Counted for each person over the last 60 minutes. At the limit the person is stopped, and the compliance "
            "officers are notified. The smaller it is, the less a stolen sign-in can take."
        ),
    )

    needs_second_for_live = forms.BooleanField(
        label="Going live takes two officers",
        required=False,
        help_text=(
            "One officer proposes going live, and another agrees. Deletion starts after that. Turn this off "
            "if you have only one officer."
        ),
    )

    def __init__(self, *args: Any, may_limit: bool, may_switch: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, may, why in (
            ("reveals_per_hour", may_limit, "Only a compliance officer can change this."),
            (
                "needs_second_for_live",
                may_switch,
                "Only the sole compliance officer can turn this off. A suspended officer counts as another one.",
            ),
        ):
            if not may:
                self.fields[name].disabled = True
                self.fields[name].help_text = why

    @classmethod
    def values_of(cls, agency: Agency) -> dict[str, Any]:
        return {field: getattr(agency, field) for field in cls.base_fields}


class ClientForm(forms.Form):
    name = LineField(label="Short name", max_length=120, help_text="As your people call it: Acme Dental.")
    legal_name = LineField(max_length=200, help_text="As in the contract.")
    sector = forms.ChoiceField(choices=Sector.choices)
    time_zone = forms.ChoiceField(choices=zone_choices, help_text="For its days and dates.")
    home_country = LineField(
        max_length=2,
        initial="US",
        help_text="Two letters, such as US or DE; numbers without a prefix are read as there.",
    )
    places = PlacesField(
        help_text="Where it does business: US-CA, US-NY, DE. The laws there limit how long calls may be kept, and what"
        " an erasure has to leave."
    )
    brand_colour = LineField(
        max_length=7,
        initial="#2f5d62",
        widget=forms.TextInput(attrs={"type": "color"}),
        validators=[RegexValidator(r"^#[0-9a-fA-F]{6}$", "Write it as #2f5d62.")],
        help_text="Of its public pages: choices, consent and requests.",
    )
    policy_url = URLLineField(
        label="Privacy policy", required=False, max_length=200, assume_scheme="https", help_text="https://..."
    )

    def clean_home_country(self) -> str:
        country = str(self.cleaned_data["home_country"]).upper()
        if not re.fullmatch(r"[A-Z]{2}", country):
            raise forms.ValidationError("Write two letters, such as US or DE.")
        return phone.COUNTRIES_WRITTEN.get(country, country)

    def clean_sector(self) -> Sector:
        return Sector(self.cleaned_data["sector"])

    @staticmethod
    def values_of(client: Client, places: Sequence[tuple[str, str]]) -> dict[str, Any]:
        fields = ("name", "legal_name", "sector", "time_zone", "home_country", "brand_colour", "policy_url")
        return {field: getattr(client, field) for field in fields} | {"places": list(places)}


class NewClientForm(ClientForm):
    people = forms.MultipleChoiceField(
        label="Who works for it",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Each gets what their role proposes. Compliance officers see every client anyway.",
    )

    def __init__(self, *args: Any, people: Sequence[Membership], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._people = {str(person.pk): person for person in people}
        choices = [
            (pk, f"{person.user} · {person.get_role_display()}") for pk, person in self._people.items()
        ]
        if choices:
            self.fields["people"].choices = choices  # type: ignore[attr-defined]  # a field with choices
        else:
            del self.fields["people"]

    def clean_people(self) -> list[Membership]:
        return [self._people[pk] for pk in self.cleaned_data["people"]]


class EngagementForm(forms.Form):
    """What agency and client have agreed."""

    measure_as = forms.ChoiceField(label="Measuring ads", choices=PartyRole.choices)
    record_as = forms.ChoiceField(label="Recording calls", choices=PartyRole.choices)
    contact_as = forms.ChoiceField(
        label="Contacting callers",
        choices=PartyRole.choices,
        help_text="As what your agency acts for each purpose.",
    )
    contract_on = DayField(
        label="Contract signed on",
        required=False,
    )
    dpa_on = DayField(
        label="Data processing agreement signed on",
        required=False,
    )
    answered_by = forms.ChoiceField(label="Who answers requests", choices=Answerer.choices)
    breach_notice_hours = forms.IntegerField(
        label="Hours to notify the client of a breach",
        validators=[MinValueValidator(1), MaxValueValidator(720)],
    )
    at_end = forms.ChoiceField(label="When the engagement ends", choices=AtEnd.choices)
    instructions = forms.CharField(
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text="The client's written instructions.",
    )
    delete_at_vendor = forms.BooleanField(
        label="The client instructs us to have recordings that are erased here deleted at the tracker too",
        required=False,
        help_text="Without it they are erased here, and the tracker's copy is the client's to deal with. Once "
        "the client is live, a compliance officer switches it on.",
    )

    def clean(self) -> dict[str, Any]:
        kinds = {
            "measure_as": PartyRole,
            "record_as": PartyRole,
            "contact_as": PartyRole,
            "answered_by": Answerer,
            "at_end": AtEnd,
        }
        return self.cleaned_data | {
            name: kind(self.cleaned_data[name]) for name, kind in kinds.items() if name in self.cleaned_data
        }

    @classmethod
    def values_of(cls, engagement: Engagement) -> dict[str, Any]:
        return {field: getattr(engagement, field) for field in cls.base_fields}


class PeopleFilter(FilterSet):
    q = LineFilter(label="Name or email", method="search", max_length=100)
    role = ChoiceFilter(choices=Role.choices, empty_label="All roles")
    state = ChoiceFilter(choices=MembershipState.choices, empty_label="All states")

    def search(self, rows: QuerySet[Membership], _: str, value: str) -> QuerySet[Membership]:
        return rows.filter(Q(user__name__icontains=value) | Q(user__email__icontains=value))


class MatrixFilter(PeopleFilter):
    """Narrows the people of the matrix; the view narrows the clients."""

    c = LineFilter(label="Client", method="leave", max_length=100)
    sector = ChoiceFilter(choices=Sector.choices, empty_label="All sectors", method="leave")

    def leave(self, rows: QuerySet[Membership], _: str, value: str) -> QuerySet[Membership]:
        return rows


class ClientFilter(FilterSet):
    q = LineFilter("name", "icontains", label="Name", max_length=100)
    sector = ChoiceFilter(choices=Sector.choices, empty_label="All sectors")


class InviteForm(forms.Form):
    name = LineField(max_length=120)
    email = EmailLineField(label="Email", max_length=254)
    role = forms.ChoiceField(
        choices=Role.choices,
        initial=Role.REVIEWER,
        help_text="You can give your own role and roles below it. A second officer confirms each new officer.",
    )
    everything = forms.BooleanField(label="All clients there are now", required=False)
    clients = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="On each of them the person gets what the role proposes. The matrix changes it later.",
    )

    def __init__(
        self, *args: Any, clients: Sequence[Client], giver: Membership | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        _only_what_is_given(self.fields["role"], giver)
        if clients:
            self.fields["clients"].choices = [(str(client.pk), client.name) for client in clients]  # type: ignore[attr-defined]  # a field with choices
        else:
            del self.fields["clients"], self.fields["everything"]
        self._all = [client.pk for client in clients]

    def clean_role(self) -> Role:
        return Role(self.cleaned_data["role"])

    def client_ids(self) -> list[int]:
        if self.cleaned_data.get("everything"):
            return self._all
        return [int(pk) for pk in self.cleaned_data.get("clients", [])]


def _only_what_is_given(field: forms.Field, giver: Membership | None, *present: str) -> None:
    """Offer the roles that a person may give, and what is there already."""
    if giver is not None:
        field.choices = [  # type: ignore[attr-defined]  # a field with choices
            (value, words)
            for value, words in field.choices  # type: ignore[attr-defined]
            if value in {NOTHING, *present} or access.may_give(giver, Role(value))
        ]


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=Role.choices)

    def __init__(self, *args: Any, giver: Membership | None = None, present: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _only_what_is_given(self.fields["role"], giver, present)

    def clean_role(self) -> Role:
        return Role(self.cleaned_data["role"])


class CellForm(forms.Form):
    """One person's bundle on one client, and until when."""

    bundle = forms.ChoiceField(
        label="May do", choices=[(NOTHING, "Nothing"), *Role.choices], widget=forms.RadioSelect
    )
    until = DayField(
        label="Until and including",
        required=False,
        help_text="Then it ends by itself. Leave it empty for no end.",
    )

    def __init__(
        self, *args: Any, zone: str, at: datetime, giver: Membership | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._zone, self._at = ZoneInfo(zone), at
        _only_what_is_given(self.fields["bundle"], giver, self.initial.get("bundle", NOTHING))

    def clean_bundle(self) -> Role | None:
        bundle = self.cleaned_data["bundle"]
        return None if bundle == NOTHING else Role(bundle)

    def clean_until(self) -> date | None:
        until: date | None = self.cleaned_data["until"]
        if until is not None and until < self._at.astimezone(self._zone).date():
            raise forms.ValidationError("This day is over. Choose today or a later one.")
        return until

    def ends_at(self) -> datetime | None:
        """The instant at which the last day is over, in the agency's zone."""
        until = self.cleaned_data["until"]
        if until is None or self.cleaned_data.get("bundle") is None:
            return None
        return datetime.combine(until + timedelta(days=1), time.min, tzinfo=self._zone)

    @staticmethod
    def last_day(ends_at: datetime, zone: str) -> date:
        """The last whole day before a grant's end, as the form shows it."""
        return (ends_at.astimezone(ZoneInfo(zone)) - timedelta(seconds=1)).date()


def explain_rule(field: forms.Field, rule: passwords.Rule, *, has_factor: bool) -> None:
    """Say beside a field for a new password what is asked, and let the meter there know it."""
    field.help_text = rule.help_text(has_factor=has_factor)
    field.widget.attrs |= {
        "autocomplete": "new-password",
        "minlength": rule.length(has_factor=has_factor),
        "data-rule": passwords.pack(rule, has_factor=has_factor),
    }
    field.widget.attrs.pop("placeholder", None)


class _NewPassword(OneLineTexts):
    """The rule of the password's owner, beside the field."""

    user: User

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(self.user, User):
            has_factor = selectors.has_second_factor(self.user.pk)
            explain_rule(self.fields["password1"], selectors.rule_of(self.user), has_factor=has_factor)
        self.fields["password1"].label = "New password"
        self.fields["password2"].label = "The same again"
        self.fields["password2"].widget.attrs["autocomplete"] = "new-password"


@contextmanager
def slowed(person: User, what: str, *, wrong: str) -> Iterator[None]:
    """
    Let guesses of something that a person knows or has wait like those on the sign-in page, counted in the database.

    :param what: is guessed. :param wrong: what there were too many of.
    :raises django.core.exceptions.ValidationError: it is too soon for another one.
    """
    digest, at = selectors.digest_of_name(person.email, what), timezone.now()
    try:
        sign_in.start_attempt(digest=digest, at=at)
    except sign_in.MustWaitError as error:
        raise forms.ValidationError(f"Too many {wrong}. {error}.") from None
    try:
        yield
    except forms.ValidationError:
        sign_in.record_failure(digest=digest, at=at)
        raise
    sign_in.forget_failures(digest=digest)


class ChangePasswordForm(_NewPassword, allauth_forms.ChangePasswordForm):
    """A new password, from a person who knows the present one; guesses of it wait like guesses on the sign-in page."""

    def clean_oldpassword(self) -> str:
        with slowed(self.user, "present password", wrong="wrong passwords"):
            password: str = super().clean_oldpassword()
        return password


class SignInForm(OneLineTexts, allauth_forms.LoginForm):
    """A name and a password, on the sign-in page."""


class PasswordAgainForm(OneLineTexts, allauth_forms.ReauthenticateForm):
    """The password, from a person who is signed in."""


class ResetPasswordForm(_NewPassword, allauth_forms.ResetPasswordKeyForm):
    """A new password, from a person who reads the account's email."""


class AcceptForm(forms.Form):
    """How an invited person chooses a name and a password."""

    name = LineField(
        label="Your name", max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    password1 = LineField(
        label="Password",
        strip=False,
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    password2 = LineField(
        label="The same password again",
        strip=False,
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, email: str, rule: passwords.Rule, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._email, self._rule = email, rule
        explain_rule(self.fields["password1"], rule, has_factor=False)

    def clean(self) -> dict[str, Any]:
        first, second = self.cleaned_data.get("password1"), self.cleaned_data.get("password2")
        if first and second and first != second:
            self.add_error("password2", "The two are not the same.")
        elif first:
            user = User(email=self._email, name=self.cleaned_data.get("name", ""))
            user.password_rule = self._rule  # type: ignore[attr-defined]  # read by the validators
            try:
                password_validation.validate_password(first, user)
            except forms.ValidationError as error:
                self.add_error("password1", error)
        return self.cleaned_data


class NewAgencyForm(forms.Form):
    """A new agency and its first compliance officer, by the platform's operator."""

    name = LineField(label="Agency", max_length=120)
    time_zone = forms.ChoiceField(choices=zone_choices, initial="America/New_York")
    officer_name = LineField(label="Compliance officer's name", max_length=120)
    officer = EmailLineField(label="Compliance officer's email", max_length=254)


class OfficerForm(forms.Form):
    """One more compliance officer of an agency, by the platform's operator."""

    name = LineField(max_length=120)
    email = EmailLineField(label="Email", max_length=254)


def bundle_rows() -> list[tuple[Role, str]]:
    """Each bundle with what it allows, in words."""
    return [
        (role, ", ".join(permission.words.lower() for permission in sorted(BUNDLES[role]))) for role in Role
    ]


_LIVES = ((30, "30 days"), (90, "90 days"), (180, "180 days"), (365, "A year"))
_OVERLAPS = ((0, "No time: it is compromised"), (1, "1 day"), (7, "7 days"), (30, "30 days"))
_SCOPE_HELP = {
    ApiScope.CONSENT_CHECK: "may this call be recorded, this person be contacted",
    ApiScope.CONSENT_WRITE: "opt-ins and opt-outs, as unverified as a web form",
    ApiScope.CONSENT_PROVE: "key presses, signatures and codes that this system has checked itself",
    ApiScope.CONTACT_CHECK: "do-not-call, quiet hours, written consent, reassigned numbers",
}


class LifeForm(forms.Form):
    """For how long a key opens. `key_id` is the form's own: loading the answer again makes no other key."""

    key_id = forms.UUIDField(widget=forms.HiddenInput, required=False, initial=uuid4)
    life = forms.TypedChoiceField(
        label="It ends by itself after",
        coerce=lambda days: timedelta(days=int(days)),
        choices=_LIVES,
        initial=90,
    )


class NetworksField(forms.CharField):
    """Networks, one a line; its value is a normalized list."""

    widget = forms.Textarea

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, max_length=4000, **kwargs)
        self.widget.attrs |= {"rows": 3, "spellcheck": "false", "placeholder": "203.0.113.0/24"}

    def to_python(self, value: Any) -> Any:
        try:
            return networks.parse(super().to_python(value) or "")
        except networks.NoNetworkError as error:
            raise forms.ValidationError(str(error)) from None

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value


class ApiKeyForm(LifeForm):
    """A key for a system of the agency's, which cannot do more than its maker."""

    name = LineField(
        label="Which system it is for",
        max_length=120,
        help_text="As your people call it: CRM, dialler, website.",
    )
    scopes = forms.MultipleChoiceField(
        label="What it may do",
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Tick what this system needs, and no more."},
    )
    networks = NetworksField(
        label="Only from these networks",
        help_text="One a line, as our proxy sees the system's address. Empty: from everywhere. It goes along when the "
        "key is exchanged.",
    )
    field_order = ("name", "scopes", "life", "networks")

    def __init__(self, *args: Any, offered: Collection[ApiScope], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["scopes"]
        field.choices = [  # type: ignore[attr-defined]  # it is a choice field
            (scope.value, f"{scope.label}: {_SCOPE_HELP[scope]}") for scope in offered
        ]
        if len(offered) < len(ApiScope):
            field.help_text = (
                "A key cannot do more than you can here. Only a compliance officer lets one attest proof."
            )

    def clean_scopes(self) -> list[ApiScope]:
        return [ApiScope(scope) for scope in self.cleaned_data["scopes"]]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        scopes = cleaned.get("scopes", [])
        if ApiScope.CONSENT_PROVE in scopes and ApiScope.CONSENT_WRITE not in scopes:
            self.add_error("scopes", "A system that attests proof also records it: tick that as well.")
        return cleaned


class SuspendForm(forms.Form):
    """What continues while a person is suspended; unless ticked nothing does, and a key made meanwhile ends as well."""

    keeps_keys = forms.BooleanField(
        label="Keep these keys",
        required=False,
        help_text="Otherwise their systems stop until you make new keys. One that attests proof ends in any case.",
    )


class RotateKeyForm(LifeForm):
    """Another key in place of one, and how long the one before goes on."""

    overlap = forms.TypedChoiceField(
        label="The present key works for",
        coerce=lambda days: timedelta(days=int(days)),
        choices=_OVERLAPS,
        initial=7,
        help_text="Long enough to put the new one into the system.",
    )


# --- Signing in, as the agency wants it ------------------------------------------------------------------------------


class SignInPolicyForm(forms.Form):
    """What is asked of passwords, second factors and sessions, and how often grants are looked over."""

    profile = forms.ChoiceField(label="Profile", choices=PasswordProfile.choices, widget=forms.RadioSelect)
    min_length = forms.IntegerField(
        label="Characters at least",
        validators=[MinValueValidator(passwords.FLOOR), MaxValueValidator(64)],
        help_text="Of the rotating profile; 12 is what PCI DSS asks for.",
    )
    max_age_days = forms.IntegerField(
        label="Changed after this many days",
        validators=[MinValueValidator(60), MaxValueValidator(90)],
        help_text="Of the rotating profile: 60 to 90.",
    )
    grace_hours = forms.IntegerField(
        label="Hours until the sessions and keys of an overdue person end",
        validators=[MinValueValidator(0), MaxValueValidator(720)],
        help_text="From the day a password is due, its owner can only open the page for a new one. API keys that this "
        "person made end after these hours, the next morning.",
    )
    keeper = LineField(
        label="Your password manager",
        required=False,
        max_length=300,
        help_text='Shown where people choose a password: "We pay for Bitwarden; ask Ana for your seat."',
    )
    second_factor_roles = forms.MultipleChoiceField(
        label="Roles that need a second factor",
        required=False,
        choices=[(EVERYONE, "Everyone, whatever their role"), *Role.choices],
        widget=forms.CheckboxSelectMultiple,
        help_text="A person with one of these roles who has no second factor can open only their own account until "
        "they add one. A person who signs in through your own provider adds it there. To require it, check "
        '"The provider must confirm a second factor" on the provider\'s page.',
    )
    confirm = forms.MultipleChoiceField(
        label="Actions that require a recent sign-in",
        required=False,
        choices=Deed.choices,
        widget=forms.CheckboxSelectMultiple,
    )
    confirm_minutes = forms.IntegerField(
        label="Minutes until a sign-in is no longer recent",
        validators=[MinValueValidator(5), MaxValueValidator(720)],
        help_text="A password or code entered since also counts.",
    )
    idle_minutes = forms.IntegerField(label="Minutes without use until a session ends", required=False)
    longest_hours = forms.IntegerField(label="Hours until a session ends in any case", required=False)
    review_months = forms.IntegerField(
        label="Months between access reviews",
        validators=[MinValueValidator(1), MaxValueValidator(12)],
        help_text="3 is each quarter.",
    )
    review_days = forms.IntegerField(
        label="Days to answer a review",
        validators=[MinValueValidator(3), MaxValueValidator(60)],
        help_text="Grants without a confirmation by then end.",
    )
    unused_days = forms.IntegerField(
        label="Days after which an unused grant is suggested to end",
        validators=[MinValueValidator(7), MaxValueValidator(365)],
    )
    networks = NetworksField(
        label="Only from these networks",
        help_text="One a line. From elsewhere, people see a page that says so and can only sign out. "
        "Empty: from everywhere. Trackers, callers and systems with API keys are not affected.",
    )
    second_after_hours = forms.IntegerField(
        label="Hours until the second signature of a person with a new role counts",
        validators=[MinValueValidator(24), MaxValueValidator(720)],
        help_text="24 to 720. Until then, a new officer cannot sign what another officer proposes. A new value "
        "applies to roles given from now on. Only an officer can change it.",
    )
    sure = forms.BooleanField(label="They may be asked at once", required=False)

    def __init__(self, *args: Any, address: str | None = None, signs_off: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.address = address
        most_idle = settings.CALLPRIVACY_SESSION_IDLE_MINUTES
        most_hours = settings.SESSION_COOKIE_AGE // 3600
        self._limit("idle_minutes", 5, most_idle, f"Empty: {most_idle}, which is the most here.")
        self._limit("longest_hours", 1, most_hours, f"Empty: {most_hours}, which is the most here.")
        self.fields["sure"].widget = forms.HiddenInput()
        if not signs_off:
            del self.fields["second_after_hours"]

    def _limit(self, name: str, least: int, most: int, words: str) -> None:
        field = self.fields[name]
        field.validators += [MinValueValidator(min(least, most)), MaxValueValidator(most)]
        field.help_text = words

    def groups(self) -> list[tuple[str, list[forms.BoundField]]]:
        """The fields as the page puts them together, each group with its heading."""
        return [
            (heading, [self[name] for name in names.split() if name in self.fields])
            for heading, names in (
                ("Passwords", "profile min_length max_age_days grace_hours keeper sure"),
                (
                    "Second factors and confirming",
                    "second_factor_roles confirm confirm_minutes second_after_hours",
                ),
                ("Sessions", "idle_minutes longest_hours networks"),
                ("Access review", "review_months review_days unused_days"),
            )
        ]

    def clean_second_factor_roles(self) -> list[str]:
        chosen: list[str] = self.cleaned_data["second_factor_roles"]
        return list(Role.values) if EVERYONE in chosen else chosen

    def clean_networks(self) -> list[str]:
        """People cannot lock themselves out."""
        allowed: list[str] = self.cleaned_data["networks"]
        if allowed and not networks.holds(allowed, self.address):
            where = f"You are at {self.address} now" if self.address else "Your own address is unknown"
            raise forms.ValidationError(
                f"{where}, so this would lock you out. Add that address or its network."
            )
        return allowed

    def ask_to_be_sure(self, people: int) -> None:
        """Say how many people a stricter rule asks for a new password at once, and take a confirmation."""
        self.fields["sure"].widget = forms.CheckboxInput()
        self.add_error(
            "sure",
            f"{people} {'person has' if people == 1 else 'people have'} a password that is older already: the next "
            "page that they open asks for a new one.",
        )

    def values(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if name != "sure"}

    @classmethod
    def values_of(cls, policy: SignInPolicy) -> dict[str, Any]:
        values = {name: getattr(policy, name) for name in cls.base_fields if name != "sure"}
        if set(Role.values) <= set(policy.second_factor_roles):
            values["second_factor_roles"] = [EVERYONE]
        return values


# --- Looking over grants --------------------------------------------------------------------------------------------


class ReviewFilter(FilterSet):
    q = LineFilter("user__name", "icontains", label="Person", max_length=100)
    c = LineFilter("client__name", "icontains", label="Client", max_length=100)
    answer = ChoiceFilter(choices=ReviewAnswer.choices, empty_label="All answers")


class SeatsForm(forms.Form):
    """A vendor's own list of people, as the vendor exports it."""

    vendor = LineField(
        max_length=60,
        help_text="As your people call it: CallRail. The list takes the place of the one before of this vendor.",
        widget=forms.TextInput(attrs={"list": "vendors", "autocomplete": "off"}),
    )
    file = forms.FileField(
        label="The list, as a CSV file",
        help_text="A first line with names of columns; one of them is email, and where known name, account and role.",
    )

    def clean_file(self) -> list[reviews.Read]:
        """The people of the file; the error names the line and the column."""
        given = self.cleaned_data["file"]
        if given.size > 2 * 1024 * 1024:
            raise forms.ValidationError(
                "The file is larger than 2 MB. Import the list of one vendor at a time."
            )
        try:
            return reviews.read_seats(given.read().decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise forms.ValidationError("The file is not text in UTF-8. Export it as CSV (UTF-8).") from None
        except reviews.SeatsError as error:
            raise forms.ValidationError(str(error)) from None


# --- The agency's own provider ---------------------------------------------------------------------------------------

_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])", re.ASCII)
_MOST_DOMAINS = 20
_MOST_CLASSES, _LONGEST_CLASS = 5, 200


class ProviderForm(forms.Form):
    """The provider through which the agency's people sign in."""

    name = LineField(
        label="What your people call it", max_length=60, help_text='On the button: "Go to Okta".'
    )
    issuer = LineField(
        label="Issuer",
        max_length=300,
        help_text="The address that the provider calls itself, such as https://acme.okta.com. "
        "Your provider's own page for the application names it.",
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocomplete": "off", "inputmode": "url"}),
    )
    application = LineField(
        label="Client id",
        max_length=300,
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocomplete": "off"}),
    )
    secret = LineField(
        label="Client secret",
        max_length=500,
        required=False,
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Stored encrypted and never shown again.",
    )
    domains = forms.CharField(
        label="Email domains",
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false", "placeholder": "acme.example"}),
        help_text="What stands behind the @, one a line. People with other addresses cannot sign in through it.",
    )
    wants_factor = forms.BooleanField(
        label="The provider must confirm a second factor",
        required=False,
        help_text="A sign-in without it is refused and confirms no action. "
        "Try it yourself before others do: some providers do not report it.",
    )
    classes = forms.CharField(
        label="Its names for a second factor",
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text="Two factors among its methods (amr) always count. Names of its own (acr), one a line, are asked for "
        "and count as well; empty for most.",
    )

    def __init__(self, *args: Any, has_secret: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["secret"].required = not has_secret
        if has_secret:
            self.fields["secret"].help_text = "Empty: keep the present one. It is never shown again."

    @classmethod
    def values_of(cls, provider: SignInProvider | None) -> dict[str, Any]:
        if provider is None:
            return {}
        return {
            "name": provider.name,
            "issuer": provider.issuer,
            "application": provider.application,
            "domains": "\n".join(provider.domains),
            "wants_factor": provider.wants_factor,
            "classes": "\n".join(provider.classes),
        }

    def clean_issuer(self) -> str:
        """The issuer alone, of an address on the internet."""
        try:
            return providers.issuer_of(self.cleaned_data["issuer"])
        except outside.NotPlainError as error:
            raise forms.ValidationError(str(error)) from None

    def clean_domains(self) -> list[str]:
        words = self.cleaned_data["domains"].replace(",", "\n").split()
        domains = list(dict.fromkeys(word.lower().lstrip("@") for word in words))
        for domain in domains:
            if _DOMAIN.fullmatch(domain) is None:
                raise forms.ValidationError(f"“{domain[:60]}” is no domain. Write acme.example.")
        if len(domains) > _MOST_DOMAINS:
            raise forms.ValidationError(f"Write at most {_MOST_DOMAINS} domains.")
        return domains

    def clean_classes(self) -> list[str]:
        """Names of kinds of sign-in, in the order in which they are asked for."""
        classes = list(dict.fromkeys(self.cleaned_data["classes"].split()))
        if len(classes) > _MOST_CLASSES or any(len(one) > _LONGEST_CLASS for one in classes):
            raise forms.ValidationError(
                f"Write at most {_MOST_CLASSES} names, none longer than {_LONGEST_CLASS}."
            )
        return classes


class BesideForm(forms.Form):
    """People who sign in by password and second factor when the provider does not answer."""

    beside = forms.MultipleChoiceField(
        label="People with a password exception",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="When the provider does not answer, they sign in by password and second factor. The audit log "
        "records each time. Only people who manage people and have a second factor are listed here.",
    )

    def __init__(self, *args: Any, people: Collection[Membership], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.MultipleChoiceField, self.fields["beside"]).choices = [
            (str(person.user_id), str(person.user)) for person in people
        ]
