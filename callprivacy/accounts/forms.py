"""What people type about clients, people and grants, checked beside the field."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib.auth import password_validation
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator

from callprivacy.accounts.enums import BUNDLES, ApiScope, MembershipState, Role
from callprivacy.accounts.models import Membership, User
from callprivacy.tenancy.enums import Answerer, AtEnd, PartyRole, Sector
from callprivacy.tenancy.models import Agency, Client, Engagement

NOTHING = "nothing"
_PLACE = re.compile(r"^([A-Z]{2})(?:-([A-Z0-9]{1,5}))?$")


def zone_choices() -> list[tuple[str, str]]:
    """Every zone that has a place's name, as (name, readable name)."""
    names = sorted(
        name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith("Etc/")
    )
    return [(name, name.replace("_", " ")) for name in [*names, "UTC"]]


class PlacesField(forms.CharField):
    """States and countries, "US-CA, US-NY, DE", as a list of (country, region)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=600, **kwargs)

    def to_python(self, value: Any) -> Any:
        words = [word for word in re.split(r"[,;\s]+", str(value or "").upper()) if word]
        found = []
        for word in words:
            match = _PLACE.match(word)
            if match is None:
                raise forms.ValidationError(
                    f"{word} is no place. Write US-CA for California, DE for Germany."
                )
            found.append((match[1], match[2] or ""))
        return list(dict.fromkeys(found))

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
    """What holds for the whole agency."""

    name = forms.CharField(label="Agency", max_length=120, help_text="On its pages and in its invitations.")
    time_zone = forms.ChoiceField(
        choices=zone_choices,
        help_text="Days and times that concern no single client are told in this zone; each client has its own.",
    )
    reveals_per_hour = forms.IntegerField(
        label="Numbers a person may show in an hour",
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text=(
            "Counted for each person over the last 60 minutes. Who reaches it is stopped, and the compliance "
            "officers are told. The smaller it is, the less a stolen sign-in can take."
        ),
    )

    def __init__(self, *args: Any, may_limit: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not may_limit:
            limit = self.fields["reveals_per_hour"]
            limit.disabled = True
            limit.help_text = "Only a compliance officer changes it."

    @classmethod
    def values_of(cls, agency: Agency) -> dict[str, Any]:
        """What the form shows of an agency as it is."""
        return {field: getattr(agency, field) for field in cls.base_fields}


class ClientForm(forms.Form):
    """A client's profile."""

    name = forms.CharField(
        label="Short name", max_length=120, help_text="As your people call it: Acme Dental."
    )
    legal_name = forms.CharField(max_length=200, help_text="As it stands in the contract.")
    sector = forms.ChoiceField(choices=Sector.choices)
    time_zone = forms.ChoiceField(choices=zone_choices, help_text="Its days and dates are told in this zone.")
    home_country = forms.CharField(
        max_length=2,
        initial="US",
        help_text="Two letters, such as US or DE; numbers without a prefix are read as there.",
    )
    places = PlacesField(
        help_text="Where it does business: US-CA, US-NY, DE. For your records; nothing is decided from it yet."
    )
    brand_colour = forms.CharField(
        max_length=7,
        initial="#2f5d62",
        widget=forms.TextInput(attrs={"type": "color"}),
        validators=[RegexValidator(r"^#[0-9a-fA-F]{6}$", "Write it as #2f5d62.")],
        help_text="Kept with the profile; no page is drawn in it yet.",
    )
    policy_url = forms.URLField(
        label="Privacy policy", required=False, max_length=200, assume_scheme="https", help_text="https://..."
    )

    def clean_home_country(self) -> str:
        country = str(self.cleaned_data["home_country"]).upper()
        if not re.fullmatch(r"[A-Z]{2}", country):
            raise forms.ValidationError("Write two letters, such as US or DE.")
        return country

    def clean_sector(self) -> Sector:
        return Sector(self.cleaned_data["sector"])

    @staticmethod
    def values_of(client: Client, places: Sequence[tuple[str, str]]) -> dict[str, Any]:
        """What the form shows of a client as it is."""
        fields = ("name", "legal_name", "sector", "time_zone", "home_country", "brand_colour", "policy_url")
        return {field: getattr(client, field) for field in fields} | {"places": list(places)}


class NewClientForm(ClientForm):
    """A new client, and who works for it."""

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
            self.fields["people"].choices = choices  # type: ignore[attr-defined]
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
    contract_on = forms.DateField(
        label="Contract signed on",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    dpa_on = forms.DateField(
        label="Data processing agreement signed on",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    answered_by = forms.ChoiceField(label="Who answers requests", choices=Answerer.choices)
    breach_notice_hours = forms.IntegerField(
        label="Hours to tell the client of a breach",
        validators=[MinValueValidator(1), MaxValueValidator(720)],
    )
    at_end = forms.ChoiceField(label="When the engagement ends", choices=AtEnd.choices)
    instructions = forms.CharField(
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text="The client's written words.",
    )
    delete_at_vendor = forms.BooleanField(
        label="The client instructs us to have withheld recordings deleted at the tracker too",
        required=False,
        help_text="Without it they are erased here, and the tracker's copy is the client's to deal with.",
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
        """What the form shows of an engagement as it is."""
        return {field: getattr(engagement, field) for field in cls.base_fields}


class PeopleFilter(forms.Form):
    """Narrows the list of people."""

    q = forms.CharField(label="Name or e-mail", required=False, max_length=100)
    role = forms.ChoiceField(choices=[("", "All roles"), *Role.choices], required=False)
    state = forms.ChoiceField(choices=[("", "All states"), *MembershipState.choices], required=False)


class MatrixFilter(PeopleFilter):
    """Narrows both axes of the matrix."""

    c = forms.CharField(label="Client", required=False, max_length=100)
    sector = forms.ChoiceField(choices=[("", "All sectors"), *Sector.choices], required=False)


class ClientFilter(forms.Form):
    """Narrows the list of clients."""

    q = forms.CharField(label="Name", required=False, max_length=100)
    sector = forms.ChoiceField(choices=[("", "All sectors"), *Sector.choices], required=False)


class InviteForm(forms.Form):
    """Who is invited, as what, and for which clients."""

    name = forms.CharField(max_length=120)
    email = forms.EmailField(label="E-mail", max_length=254)
    role = forms.ChoiceField(choices=Role.choices, initial=Role.REVIEWER)
    everything = forms.BooleanField(label="All clients there are now", required=False)
    clients = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="On each of them the person gets what the role proposes. The matrix changes it later.",
    )

    def __init__(self, *args: Any, clients: Sequence[Client], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if clients:
            self.fields["clients"].choices = [(str(client.pk), client.name) for client in clients]  # type: ignore[attr-defined]
        else:
            del self.fields["clients"], self.fields["everything"]
        self._all = [client.pk for client in clients]

    def clean_role(self) -> Role:
        return Role(self.cleaned_data["role"])

    def client_ids(self) -> list[int]:
        """Ids of the clients that were chosen."""
        if self.cleaned_data.get("everything"):
            return self._all
        return [int(pk) for pk in self.cleaned_data.get("clients", [])]


class RoleForm(forms.Form):
    """What a person is in the agency."""

    role = forms.ChoiceField(choices=Role.choices)

    def clean_role(self) -> Role:
        return Role(self.cleaned_data["role"])


class CellForm(forms.Form):
    """One person's bundle on one client, and until when."""

    bundle = forms.ChoiceField(
        label="May do", choices=[(NOTHING, "Nothing"), *Role.choices], widget=forms.RadioSelect
    )
    until = forms.DateField(
        label="Until and including",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="Then it ends by itself. Leave it empty for no end.",
    )

    def __init__(self, *args: Any, zone: str, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._zone, self._at = ZoneInfo(zone), at

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


class AcceptForm(forms.Form):
    """How somebody who was invited chooses a name and a password."""

    name = forms.CharField(
        label="Your name", max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    password1 = forms.CharField(
        label="Password",
        strip=False,
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    password2 = forms.CharField(
        label="The same password again",
        strip=False,
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._email = email
        self.fields["password1"].help_text = " ".join(
            validator.get_help_text()
            for validator in password_validation.get_default_password_validators()
            if type(validator).__name__ == "ComplexityValidator"
        )

    def clean(self) -> dict[str, Any]:
        first, second = self.cleaned_data.get("password1"), self.cleaned_data.get("password2")
        if first and second and first != second:
            self.add_error("password2", "The two are not the same.")
        elif first:
            user = User(email=self._email, name=self.cleaned_data.get("name", ""))
            try:
                password_validation.validate_password(first, user)
            except forms.ValidationError as error:
                self.add_error("password1", error)
        return self.cleaned_data


class NewAgencyForm(forms.Form):
    """A new agency and its first compliance officer, by the platform's operator."""

    name = forms.CharField(label="Agency", max_length=120)
    time_zone = forms.ChoiceField(choices=zone_choices, initial="America/New_York")
    officer_name = forms.CharField(label="Compliance officer's name", max_length=120)
    officer = forms.EmailField(label="Compliance officer's e-mail", max_length=254)


class OfficerForm(forms.Form):
    """One more compliance officer of an agency, by the platform's operator."""

    name = forms.CharField(max_length=120)
    email = forms.EmailField(label="E-mail", max_length=254)


def bundle_rows() -> list[tuple[Role, str]]:
    """Each bundle with what it allows, in words."""
    return [
        (role, ", ".join(permission.words.lower() for permission in sorted(BUNDLES[role]))) for role in Role
    ]


_LIVES = ((30, "30 days"), (90, "90 days"), (180, "180 days"), (365, "A year"))
_OVERLAPS = ((0, "No time: it is known to somebody"), (1, "1 day"), (7, "7 days"), (30, "30 days"))
_SCOPE_HELP = {
    ApiScope.CONSENT_CHECK: "may this call be recorded, this person be contacted",
    ApiScope.CONSENT_WRITE: "agreements and withdrawals, as unproven as a web form",
    ApiScope.CONSENT_PROVE: "key presses, signatures and codes that this system has checked itself",
    ApiScope.CONTACT_CHECK: "do-not-call, quiet hours, written consent, reassigned numbers",
}


class LifeForm(forms.Form):
    """For how long a key opens."""

    life = forms.TypedChoiceField(
        label="It ends by itself after",
        coerce=lambda days: timedelta(days=int(days)),
        choices=_LIVES,
        initial=90,
    )


class ApiKeyForm(LifeForm):
    """A key for a system of the agency's. To vouch for proof is an officer's to give."""

    name = forms.CharField(
        label="Which system it is for",
        max_length=120,
        help_text="As your people call it: CRM, dialler, website.",
    )
    scopes = forms.MultipleChoiceField(
        label="What it may do",
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Tick what this system needs, and no more."},
    )
    field_order = ("name", "scopes", "life")

    def __init__(self, *args: Any, may_vouch: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["scopes"]
        field.choices = [  # type: ignore[attr-defined]  # it is a choice field
            (scope.value, f"{scope.label}: {_SCOPE_HELP[scope]}")
            for scope in ApiScope
            if may_vouch or scope != ApiScope.CONSENT_PROVE
        ]
        if not may_vouch:
            field.help_text = "Only a compliance officer lets a system vouch for proof."

    def clean_scopes(self) -> list[ApiScope]:
        return [ApiScope(scope) for scope in self.cleaned_data["scopes"]]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        scopes = cleaned.get("scopes", [])
        if ApiScope.CONSENT_PROVE in scopes and ApiScope.CONSENT_WRITE not in scopes:
            self.add_error("scopes", "Who vouches for proof has to write it down: tick that as well.")
        return cleaned


class RotateKeyForm(LifeForm):
    """Another key in place of one, and how long the one before goes on."""

    overlap = forms.TypedChoiceField(
        label="The present key goes on for",
        coerce=lambda days: timedelta(days=int(days)),
        choices=_OVERLAPS,
        initial=7,
        help_text="Long enough to put the new one into the system.",
    )
