"""What is decided of a case: done, done in part or refused, on which ground, and in which words."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Any, Final, cast
from uuid import UUID

from django import forms

from callprivacy.lib.forms import DayField, LineField
from consent.enums import Language, Purpose
from consent.law import places
from rights.enums import Decided, OtherParty
from rights.law.grounds import Ground
from rights.services.deciding import MAY_GO_ON

SHORTEST: Final = 15
_OF_CALLS: Final = ("call", "field", "value", "not_theirs")
_CORRECTS: Final = ("place", "language", "name", *_OF_CALLS, "shown_by")
_TRUTHS: Final = frozenset({"first_call", "qualified"})
_TRUE: Final = {"yes": True, "no": False}


_ID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


class DecideForm(forms.Form):
    """
    A decision.

    :param grounds: that may be named for this case. :param asks_voice: whether recordings of another party are in it.
    :param calls: of a correction: the person's calls, as ids and words; None where it is none.
    :param by_law: whether a law alone keeps calls. :param asks_going_on: whether it is an objection.
    """

    decided = forms.ChoiceField(label="Decision", choices=Decided.choices, widget=forms.RadioSelect)
    ground = forms.ChoiceField(
        label="Ground",
        required=False,
        help_text="For a refusal, whole or in part. The letter cites it.",
    )
    words = forms.CharField(
        label="Your words to the person",
        required=False,
        max_length=2000,
        widget=forms.Textarea({"rows": 4, "autocomplete": "off"}),
        help_text="Why, in plain words; they stand in the letter. Needed where anything is refused.",
    )
    going_on = forms.MultipleChoiceField(
        label="What goes on all the same",
        required=False,
        choices=[(one.value, one.label) for one in Purpose if one in MAY_GO_ON],
        widget=forms.CheckboxSelectMultiple,
        help_text="Only where it is followed in part; everything else stops. Contact and sharing have stopped. The"
        " letter names what goes on.",
    )
    other_party = forms.ChoiceField(
        label="The other voice in recordings", choices=OtherParty.choices, initial=OtherParty.WITHHOLD
    )
    place = forms.ChoiceField(label="Where the person is, corrected", required=False)
    language = forms.ChoiceField(
        label="The person's language, corrected",
        required=False,
        choices=[("", "As it is"), *Language.choices],
        help_text="Letters are in it from then on.",
    )
    name = LineField(
        label="The person's name, corrected",
        required=False,
        max_length=200,
        widget=forms.TextInput({"autocomplete": "off"}),
        help_text="It is kept in this request alone, sealed.",
    )
    call = forms.ChoiceField(label="A call of which a fact is wrong", required=False)
    field = forms.ChoiceField(
        label="What is wrong of it",
        required=False,
        choices=[
            ("", "Nothing"),
            ("place", "Where the caller was"),
            ("source", "Source"),
            ("campaign", "Campaign"),
            ("medium", "Medium"),
            ("first_call", "Whether it was the first"),
            ("qualified", "Whether it was qualified"),
        ],
    )
    value = LineField(
        label="What is right",
        required=False,
        max_length=100,
        help_text="For a place its code, such as US-TX or DE; for whether it was so, yes or no.",
    )
    not_theirs = forms.MultipleChoiceField(
        label="Calls that are not this person's",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="They stay counted, as nobody's. Their recordings and words leave, for nobody can tell whose they"
        " are; it cannot be undone. Calls that a hold keeps are not offered.",
    )
    shown_by = forms.CharField(
        label="What shows that this is right",
        required=False,
        max_length=1000,
        widget=forms.Textarea({"rows": 3, "autocomplete": "off"}),
        help_text="Needed for a correction. It is stored encrypted; the person does not read it.",
    )
    beyond_floor = forms.BooleanField(
        label="Erase also what only a law wants kept",
        required=False,
        help_text="Only where you are sure that the law does not bind this client. A hold keeps all the same.",
    )

    def __init__(
        self,
        *args: Any,
        grounds: Sequence[Ground],
        asks_voice: bool,
        calls: Sequence[tuple[str, str]] | None,
        by_law: bool,
        asks_going_on: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields["ground"]).choices = [
            ("", "None: it is done in full"),
            *((one.id, one.title) for one in grounds),
        ]
        cast(forms.ChoiceField, self.fields["place"]).choices = [("", "As it is"), *place_choices()]
        offered = list(calls or ())
        cast(forms.ChoiceField, self.fields["call"]).choices = [("", "None"), *offered]
        cast(forms.MultipleChoiceField, self.fields["not_theirs"]).choices = offered
        unwanted: set[str] = set() if asks_going_on else {"going_on"}
        unwanted |= {"other_party"} if not asks_voice else set()
        unwanted |= set() if by_law else {"beyond_floor"}
        unwanted |= set(_CORRECTS) if calls is None else set() if offered else {*_OF_CALLS}
        for name in unwanted:
            del self.fields[name]

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or self.cleaned_data
        refuses = said.get("decided") in {Decided.REFUSE, Decided.PART}
        if refuses and not said.get("ground"):
            self.add_error("ground", "Pick the ground on which it is refused, whole or in part.")
        if refuses and len(str(said.get("words", "")).strip()) < SHORTEST:
            self.add_error("words", "Say why in at least a sentence; the person reads it.")
        if said.get("decided") == Decided.FULFIL and said.get("ground"):
            self.add_error("ground", "What is done in full needs no ground against it.")
        if "going_on" in self.fields and (said.get("decided") == Decided.PART) != bool(said.get("going_on")):
            self.add_error(
                "going_on", "Tick what goes on where it is followed in part, and nothing where it is not."
            )
        self._clean_call(said)
        if self.corrections() and len(str(said.get("shown_by", "")).strip()) < SHORTEST:
            self.add_error(
                "shown_by", "Say in at least a sentence what shows that it is right as you have it."
            )
        return said

    def _clean_call(self, said: dict[str, Any]) -> None:
        """A fact of a call is named whole, and reads as one."""
        given = [bool(said.get(name)) for name in ("call", "field", "value")]
        if not any(given):
            return
        for name, text in (
            ("call", "Pick the call."),
            ("field", "Pick what is wrong of it."),
            ("value", "Say what is right."),
        ):
            if not said.get(name) and name not in self.errors:
                self.add_error(name, text)
        if not all(given):
            return
        if said["call"] in said.get("not_theirs", ()):
            self.add_error("not_theirs", "This call is corrected above; it is the person's, or it is not.")
        value = str(said["value"]).strip()
        if said["field"] == "place" and not places.is_place(*_place(value)):
            self.add_error("value", "Write the place as its code, such as US-TX or DE.")
        if said["field"] in _TRUTHS and value.lower() not in _TRUE:
            self.add_error("value", "Write yes or no.")

    def corrections(self) -> list[dict[str, Any]]:
        """What is corrected, as the decision takes it (`restricting.check`)."""
        said = self.cleaned_data
        found: list[dict[str, Any]] = []
        if said.get("place"):
            country, region = _place(str(said["place"]))
            found.append({"what": "place", "country": country, "region": region})
        if said.get("language"):
            found.append({"what": "language", "language": said["language"]})
        if said.get("name"):
            found.append({"what": "name", "name": said["name"]})
        if said.get("call") and said.get("field") and said.get("value"):
            found += _of_call(str(said["call"]), str(said["field"]), str(said["value"]).strip())
        return found + [{"what": "unlink", "call": key} for key in said.get("not_theirs", ())]


def _place(code: str) -> tuple[str, str]:
    country, _, region = code.strip().upper().partition("-")
    return country, region


def _of_call(call: str, field: str, value: str) -> list[dict[str, Any]]:
    if field == "place":
        country, region = _place(value)
        pairs: list[tuple[str, Any]] = [("country", country), ("region", region)]
    else:
        pairs = [(field, _TRUE.get(value.lower(), False) if field in _TRUTHS else value)]
    return [{"what": "call", "call": call, "field": name, "value": one} for name, one in pairs]


_PROVEN_OR_NOT: Final = (("yes", "Yes: it is the person's"), ("no", "No: it is not shown"))


class JudgeForm(forms.Form):
    holds = forms.ChoiceField(
        label="Is it proven?",
        choices=_PROVEN_OR_NOT,
        widget=forms.RadioSelect,
    )
    seen = forms.CharField(
        label="What you saw",
        min_length=SHORTEST,
        max_length=1000,
        widget=forms.Textarea({"rows": 3, "autocomplete": "off"}),
        help_text="In a sentence, without numbers. It is stored encrypted.",
    )
    arrived_on = DayField(
        label="Date received",
        required=False,
        help_text="The day the proof arrived. Required to verify the identity. In the United Kingdom the clock starts"
        " on this day.",
    )
    call = forms.ChoiceField(
        label="Which call it is",
        required=False,
        widget=forms.RadioSelect,
        help_text="Calls whose number was withheld around the time that was said, the nearest first.",
    )

    def __init__(
        self,
        *args: Any,
        today: date,
        handed_in_on: date | None,
        calls: Sequence[tuple[str, str]] | None = None,
        **kwargs: Any,
    ) -> None:
        """
        Make it.

        :param today: where the clock is. :param handed_in_on: when the person handed in the last of it here.
        :param calls: of a withheld call those that it may be; None: it is a number or an address.
        """
        super().__init__(*args, **kwargs)
        self.today, self.handed_in_on = today, handed_in_on
        self.fields["arrived_on"].initial = handed_in_on
        if calls is None:
            del self.fields["call"]
        else:
            cast(forms.ChoiceField, self.fields["call"]).choices = [*calls, ("", "None of them")]

    def offer_no_alone(self) -> None:
        """Leave on the page what somebody may say to whom a client is not granted that the request reaches."""
        cast(forms.ChoiceField, self.fields["holds"]).choices = _PROVEN_OR_NOT[1:]
        self.fields.pop("call", None)
        del self.fields["arrived_on"]

    def clean(self) -> dict[str, Any]:
        """A withheld call that is proven is one of those that are there; what proves it came in on some day."""
        said: dict[str, Any] = super().clean() or self.cleaned_data
        on = said.get("arrived_on") or self.handed_in_on
        if on is not None and on > self.today:
            self.add_error("arrived_on", "Enter a day that is not after today.")
        elif said.get("holds") == "yes" and on is None and "arrived_on" not in self.errors:
            self.add_error("arrived_on", "Enter the day the proof arrived.")
        if said.get("holds") == "yes" and "call" in self.fields and not said.get("call"):
            self.add_error("call", "Pick the call, or say that it is not shown.")
        return said


class OlderForm(forms.Form):
    """
    Since when calls of a proven number are shown as well, and what shows whose they are.

    :param shown_from: the day since which they are shown already.
    """

    since = DayField(label="Show calls since")
    seen = forms.CharField(
        label="What shows that they are the person's",
        min_length=SHORTEST,
        max_length=1000,
        widget=forms.Textarea({"rows": 3, "autocomplete": "off"}),
        help_text="In a sentence, without numbers. It is stored encrypted.",
    )

    def __init__(self, *args: Any, shown_from: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.shown_from = shown_from

    def clean_since(self) -> date:
        since: date = self.cleaned_data["since"]
        if since >= self.shown_from:
            raise forms.ValidationError("Calls since that day are shown already. Name an earlier one.")
        return since


class CallerForm(forms.Form):
    caller = LineField(
        label="Address of the caller's page",
        max_length=300,
        widget=forms.TextInput({"autocomplete": "off"}),
        help_text="Find the person among the client's callers, open the page, and copy its address here.",
    )
    seen = forms.CharField(
        label="What shows that they are the same person",
        min_length=SHORTEST,
        max_length=1000,
        widget=forms.Textarea({"rows": 3, "autocomplete": "off"}),
        help_text="In a sentence, without numbers. It is stored encrypted.",
    )

    def clean_caller(self) -> UUID:
        """The caller's id in the address."""
        found = _ID.findall(str(self.cleaned_data["caller"]).lower())
        if not found:
            raise forms.ValidationError("That is not the address of a caller's page.")
        return UUID(found[-1])


def place_choices() -> list[tuple[str, str]]:
    """The states of the US, the members of the Union, and the United Kingdom, by name."""
    states = [(f"US-{code}", f"{places.name('US', code)}, US") for code in sorted(places.REGIONS["US"])]
    countries = [(code, places.name(code)) for code in ("GB", *sorted(places.MEMBERS))]
    return [("US", "United States, state not known"), *states, *countries]
