"""What staff type about a case."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

from django import forms
from django.core.validators import EmailValidator

from callprivacy.accounts.models import User
from callprivacy.lib import calendars, phone
from callprivacy.lib.forms import DayField, EmailLineField, LineField, PhoneInput
from callprivacy.tenancy.models import Client
from consent.enums import Language
from rights.enums import ApprovalKind, Ask, Channel, IdentityKind, LetterWay, OnBehalf
from rights.forms.deciding import place_choices
from rights.letters import Letter

OWN: Final = "-"
_LONG: Final = 4000
_ENTERED: Final = (Channel.EMAIL, Channel.POST, Channel.PHONE, Channel.IN_PERSON)


def _text(label: str, *, rows: int = 4, **options: Any) -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=options.pop("max_length", _LONG),
        widget=forms.Textarea({"rows": rows, "autocomplete": "off"}),
        **options,
    )


class NewForm(forms.Form):
    """A request that came by e-mail, post, phone or in person. The number goes by POST and is sealed at once."""

    client = forms.ChoiceField(label="Sent to")
    channel = forms.ChoiceField(
        label="How it came in", choices=[(channel.value, channel.label) for channel in _ENTERED]
    )
    received_on = DayField(
        label="Day on which it came in",
        help_text="The clock runs from this day, whatever day you enter it on.",
    )
    received_time = forms.TimeField(
        label="Time",
        required=False,
        widget=forms.TimeInput({"type": "time"}, format="%H:%M"),
        help_text="If you know it, by the client's clocks.",
    )
    asks = forms.MultipleChoiceField(
        label="What is asked for",
        choices=[(ask.value, ask.label) for ask in Ask if ask is not Ask.APPEAL],
        widget=forms.CheckboxSelectMultiple,
        help_text="Each becomes a case of its own. What the person refuses counts at once, without proof.",
        error_messages={
            "required": "Tick what the person asks for; if it is not clear, tick what comes closest."
        },
    )
    number = LineField(
        label="Phone number of the person",
        required=False,
        max_length=40,
        widget=PhoneInput({"autocomplete": "off"}),
        help_text="The number whose calls are meant. It is encrypted at once; nothing is shown before it is verified.",
    )
    email = EmailLineField(
        label="E-mail address of the person",
        required=False,
        widget=forms.EmailInput({"autocomplete": "off"}),
        help_text="Where the answer goes, and, without a number, by which the person is known.",
    )
    name = LineField(
        label="Name", required=False, max_length=120, widget=forms.TextInput({"autocomplete": "off"})
    )
    post = _text("Postal address", rows=3, required=False, max_length=400)
    words = _text(
        "What the person said or wrote",
        required=False,
        help_text="In the person's own words. It is stored encrypted.",
    )
    on_behalf = forms.ChoiceField(label="Requester", choices=OnBehalf.choices, initial=OnBehalf.SELF)
    is_minor = forms.BooleanField(label="It is about a minor", required=False)
    place = forms.ChoiceField(
        label="Where the person lives",
        required=False,
        help_text="Which laws apply depends on it. If you do not know, leave it: then the number's country counts.",
    )
    language = forms.ChoiceField(label="Language of the letters", choices=Language.choices)

    def __init__(
        self, *args: Any, clients: Sequence[Client], with_own: bool, zone: str, at: datetime, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.clients, self.zone, self.at = {one.slug: one for one in clients}, zone, at
        own = [(OWN, "The agency itself: no client was named")] if with_own else []
        self._choose("client", [*((one.slug, one.name) for one in clients), *own])
        self._choose("place", [("", "Not known"), *place_choices()])
        self.fields["received_on"].initial = calendars.day_in(zone, at)

    def _choose(self, name: str, choices: list[tuple[str, str]]) -> None:
        cast(forms.ChoiceField, self.fields[name]).choices = choices

    @property
    def of_client(self) -> Client | None:
        """The client that it was sent to; None: the agency itself."""
        return self.clients.get(self.cleaned_data["client"])

    @property
    def place_said(self) -> tuple[str, str]:
        """(country, region) as picked."""
        country, _, region = str(self.cleaned_data["place"]).partition("-")
        return country, region

    def clean_number(self) -> str:
        typed = str(self.cleaned_data["number"]).strip()
        if not typed:
            return ""
        client = self.clients.get(str(self.data.get("client", "")))
        read = phone.normalise(typed, client.home_country if client else "US")
        if read is None:
            raise forms.ValidationError(
                "That is no phone number. Write it with its country code, such as +1 404 555 0100."
            )
        return read

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or self.cleaned_data
        if not said.get("number") and not said.get("email") and not self.errors.keys() & {"number", "email"}:
            self.add_error(
                "number", "Write the number that is meant, or an e-mail address by which the person is known."
            )
        on = said.get("received_on")
        if on is not None and self.received_at() > self.at:
            self.add_error("received_on", "It cannot have come in after now.")
        return said

    def received_at(self) -> datetime:
        """The instant of receipt, by the client's clocks: noon where no time is known, or now if that is sooner."""
        zone = self._zone()
        on: date = self.cleaned_data["received_on"]
        told: time | None = self.cleaned_data.get("received_time")
        at = datetime.combine(on, told or time(12), tzinfo=zone).astimezone(UTC)
        if told is None and on == self.at.astimezone(zone).date():
            return min(at, self.at)
        return at

    def said_at(self) -> datetime | None:
        """
        The last instant at which it can have come in, where its day alone is known: the end of that day by the client's
        clocks, or now if that is sooner. None where the time is known.
        """
        if self.cleaned_data.get("received_time") is not None:
            return None
        next_day = self.cleaned_data["received_on"] + timedelta(days=1)
        begins = datetime.combine(next_day, time(), tzinfo=self._zone()).astimezone(UTC)
        return min(begins - timedelta(microseconds=1), self.at)

    def _zone(self) -> ZoneInfo:
        client = self.clients.get(str(self.cleaned_data.get("client", "")))
        return ZoneInfo(client.time_zone if client else self.zone)

    def claims(self) -> list[tuple[IdentityKind, str]]:
        found = []
        if self.cleaned_data["number"]:
            found.append((IdentityKind.PHONE, str(self.cleaned_data["number"])))
        if self.cleaned_data["email"]:
            found.append((IdentityKind.EMAIL, str(self.cleaned_data["email"]).lower()))
        return found


class AssignForm(forms.Form):
    owner = forms.ChoiceField(label="Owner", required=False)

    def __init__(self, *args: Any, people: Sequence[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = cast(forms.ChoiceField, self.fields["owner"])
        field.choices = [("", "Nobody"), *((str(person.pk), str(person)) for person in people)]

    @property
    def owner_id(self) -> int | None:
        """The person's id, None for nobody."""
        picked = self.cleaned_data["owner"]
        return int(picked) if picked else None


class NoteForm(forms.Form):
    words = _text(
        "Note", rows=3, help_text="For your colleagues; the person never sees it. It is stored encrypted."
    )


class TaskForm(forms.Form):
    words = _text("What is to be done", rows=2, max_length=500)
    due_on = DayField(label="By", required=False)


class LetterForm(forms.Form):
    letter = forms.ChoiceField(label="Letter")
    words = _text("Your words in it", required=False)

    def __init__(self, *args: Any, letters: Sequence[Letter], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.letters = {letter.name: letter for letter in letters}
        cast(forms.ChoiceField, self.fields["letter"]).choices = [(one.name, one.title) for one in letters]
        self.fields["words"].help_text = "Some letters need them: a reason, a question, what is wanted."


class SendForm(forms.Form):
    letter = LineField(widget=forms.HiddenInput, max_length=40)
    subject = LineField(label="Subject", max_length=200)
    body = forms.CharField(
        label="Text",
        max_length=10_000,
        widget=forms.Textarea({"rows": 18, "autocomplete": "off", "class": "letter"}),
    )
    way = forms.ChoiceField(label="How it goes", choices=LetterWay.choices)


class ExtendForm(forms.Form):
    ground = forms.ChoiceField(
        label="Ground",
        choices=[
            ("complexity", "The request is complex"),
            ("number", "There are many requests of this person"),
            ("necessary", "It is reasonably necessary"),
        ],
    )
    words = _text("The reason, as the person is told it", rows=3, min_length=15, max_length=1000)


class PauseForm(forms.Form):
    """
    What the person is asked, or what the person said and when that came in.

    :param stands: whether the clock stands, and is to go on. :param today: where the clock is.
    """

    words = _text("What the person is asked", rows=3, max_length=1000)
    said_on = DayField(
        label="When that came in",
        help_text="The deadline resumes on that day, even if the answer was read later.",
    )

    def __init__(self, *args: Any, stands: bool, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        if stands:
            self.fields["words"].label = "What the person said"
            self.fields["words"].required = False
        else:
            del self.fields["said_on"]

    def clean_said_on(self) -> date:
        on: date = self.cleaned_data["said_on"]
        if on > self.today:
            raise forms.ValidationError("It cannot have come in after today.")
        return on


class AskForm(forms.Form):
    """
    Whom at the client to ask, and with what words.

    :param known: addresses, in lower case, that are known to be of the client's people.
    """

    to = EmailLineField(
        label="Mail address of the client's person",
        widget=forms.EmailInput({"autocomplete": "off"}),
        help_text="The link goes there alone and works for one answer. It needs no account and shows no number.",
        validators=[EmailValidator()],
    )
    is_vouched = forms.BooleanField(
        label="I have made sure that this is an address of the client's, and that its person may answer for the client",
        required=False,
        help_text="Required for an address that is not known here yet. The audit log records that you confirmed it.",
    )
    words = _text("What you propose", rows=4, required=False, max_length=1000)

    def __init__(self, *args: Any, known: Collection[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.known = frozenset(known)

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or self.cleaned_data
        to = str(said.get("to", "")).lower()
        if to and to not in self.known and not said.get("is_vouched"):
            self.add_error(
                "is_vouched",
                "Nobody at the client is known by this address. Ask the client by a way that you know, then tick this.",
            )
        return said


@dataclass(frozen=True, slots=True)
class _Answers:
    """How both answers to a question are worded, and what is asked for in words."""

    yes: str
    no: str
    words: str
    why_not: str


_ANSWERS: Final = {
    ApprovalKind.APPROVE: _Answers(
        yes="Yes, do it",
        no="No, or do it otherwise",
        words="What you want done, or why you do not agree.",
        why_not="Say what you want done instead, or why not.",
    ),
    ApprovalKind.TAKE_OVER: _Answers(
        yes="We have it, and answer the person",
        no="It is not ours to answer",
        words="Needed where it is not yours to answer: why.",
        why_not="Say why it is not yours to answer.",
    ),
}


class AnswerForm(forms.Form):
    """
    What the client's person says, by the link or signed in.

    :param kind: what the client is asked, which its answers are worded by.
    """

    name = LineField(label="Your name", max_length=120)
    agrees = forms.ChoiceField(label="Your answer", widget=forms.RadioSelect)
    words = _text("Your words", required=False, max_length=2000)

    def __init__(self, *args: Any, kind: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        said = _ANSWERS[ApprovalKind(kind)]
        cast(forms.ChoiceField, self.fields["agrees"]).choices = [("yes", said.yes), ("no", said.no)]
        self.fields["words"].help_text = said.words
        self.why_not = said.why_not

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or self.cleaned_data
        if said.get("agrees") == "no" and not str(said.get("words", "")).strip():
            self.add_error("words", self.why_not)
        return said


class AppealForm(forms.Form):
    received_on = DayField(label="Day on which it came in")
    words = _text("What the person said or wrote", rows=4)


class ReceiptForm(forms.Form):
    receipt = LineField(
        label="Receipt", max_length=300, help_text="The day, who confirmed it, a ticket's number."
    )


class YearForm(forms.Form):
    year = forms.ChoiceField(label="Year")
    client = forms.ChoiceField(label="Client", required=False)
    law = forms.ChoiceField(
        label="Whose requests",
        required=False,
        choices=[("", "Everybody's"), ("ccpa", "Under California's law alone")],
    )

    def __init__(self, *args: Any, years: Sequence[int], clients: Sequence[Client], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields["year"]).choices = [(str(year), str(year)) for year in years]
        cast(forms.ChoiceField, self.fields["client"]).choices = [
            ("", "Every client"),
            *((one.slug, one.name) for one in clients),
        ]
