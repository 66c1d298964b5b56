"""What people send from the requests page, read and refused in their own language."""

import unicodedata
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from callprivacy.calls.http import SealedUpload
from callprivacy.lib.forms import DayField, EmailLineField, LineField
from consent.enums import CodeWay, Language
from consent.forms.public import LONGEST_TOKEN, CodeForm, NumberField
from consent.law import places
from rights.channels import words
from rights.enums import Ask, OnBehalf
from rights.services import portal


def place_choices(language: Language) -> list[tuple[str, str]]:
    """Where somebody may live: states first, then countries, "" for who would rather not say."""
    states = [
        (f"US-{region}", f"{_state(region, language)}, {words.USA[language]}")
        for region in places.REGIONS["US"]
    ]
    named = dict(words.COUNTRIES[language])
    other = named.pop(places.UNLISTED)
    return [
        ("", words.TEXTS[language]["where_no"]),
        *sorted(states, key=_by_name),
        *sorted(named.items(), key=_by_name),
        (places.UNLISTED, other),
    ]


def _state(region: str, language: Language) -> str:
    name = places.name("US", region).removeprefix("the ").removesuffix(" (US)")
    return words.STATES_IN_SPANISH.get(region, name) if language == Language.SPANISH else name


def _by_name(choice: tuple[str, str]) -> str:
    """As people look for it: accents do not part letters."""
    return unicodedata.normalize("NFKD", choice[1]).casefold()


class MaybeNumber(NumberField):
    """A phone number, as E.164; "" where none is given."""

    def clean(self, value: Any) -> str:
        """
        Read the number.

        :raises ValidationError: what stands there is none.
        """
        return super().clean(value) if str(value or "").strip() else ""


class RequestForm(forms.Form):
    """One thing that is asked for, by whom, for which numbers."""

    on_behalf = forms.ChoiceField(choices=OnBehalf)
    is_minor = forms.BooleanField(required=False)
    number = MaybeNumber(required=False)
    number_2 = MaybeNumber(required=False)
    number_3 = MaybeNumber(required=False)
    withheld_day = DayField(required=False)
    withheld_time = forms.TimeField(required=False)
    withheld_business = LineField(required=False, max_length=200)
    place = forms.ChoiceField(required=False)
    name = LineField(required=False, max_length=200)
    mail = EmailLineField(required=False, max_length=254)
    words = LineField(required=False, max_length=4000)

    def __init__(
        self, *args: Any, ask: Ask, language: Language, country: str, at: datetime, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.ask, self.at = ask, at
        self.texts = words.TEXTS[language]
        for name in ("number", "number_2", "number_3"):
            field = self.fields[name]
            if isinstance(field, NumberField):
                field.region = country
            self._say(name, words.CONSENT[language]["bad_number"])
        self._say("mail", words.CONSENT[language]["bad_address"])
        for name in ("on_behalf", "withheld_day", "withheld_time", "withheld_business", "words", "name"):
            self._say(name, self.texts["needed"])
        self.fields["place"] = forms.ChoiceField(required=False, choices=place_choices(language))

    def _say(self, field: str, text: str) -> None:
        messages = self.fields[field].error_messages
        for code in [*messages, "required", "invalid", "max_length", "invalid_choice"]:
            messages[code] = text

    def clean_place(self) -> tuple[str, str]:
        """As country and region."""
        country, _, region = str(self.cleaned_data["place"] or "").partition("-")
        return country, region

    def clean_withheld_day(self) -> Any:
        day = self.cleaned_data["withheld_day"]
        if day is not None and portal.is_in_future(day, at=self.at):
            raise ValidationError(self.texts["bad_day"])
        return day

    def clean(self) -> dict[str, Any]:
        """A number, or a call that is described whole; each number once; words where they are what is asked for."""
        said: dict[str, Any] = super().clean() or {}
        numbers = [said[name] for name in ("number", "number_2", "number_3") if said.get(name)]
        described = [said.get(name) for name in ("withheld_day", "withheld_time", "withheld_business")]
        if any(described):
            for name in ("withheld_day", "withheld_time", "withheld_business"):
                if not said.get(name) and name not in self.errors:
                    self.add_error(name, self.texts["needed"])
            # Nobody could take the data otherwise: a code opens them, and to a withheld call none can go.
            if (
                self.ask in words.PACKED
                and not numbers
                and not said.get("mail")
                and "mail" not in self.errors
            ):
                self.add_error("mail", self.texts["mail_needed"])
        elif not numbers and "number" not in self.errors:
            self.add_error("number", self.texts["who_needed"])
        if len(set(numbers)) != len(numbers):
            self.add_error("number_2", self.texts["same_number"])
        if self.ask in words.NEEDS_WORDS and not said.get("words", "").strip() and "words" not in self.errors:
            self.add_error("words", self.texts["needed"])
        return said

    def sent(self, language: Language) -> portal.Sent:
        """What was sent, once it is valid."""
        said = self.cleaned_data
        withheld = None
        if said["withheld_day"]:
            withheld = portal.Withheld(
                said["withheld_day"], said["withheld_time"], said["withheld_business"].strip()
            )
        return portal.Sent(
            note=str(self.data.get("form", "")),
            ask=self.ask,
            numbers=[said[name] for name in ("number", "number_2", "number_3") if said[name]],
            withheld=withheld,
            on_behalf=OnBehalf(said["on_behalf"]),
            is_minor=said["is_minor"],
            name=said["name"].strip(),
            mail=said["mail"].strip().lower(),
            words=said["words"].strip(),
            place=said["place"],
            language=language,
        )


class WayForm(forms.Form):
    """To which number of the request a code goes, and how."""

    identity = forms.UUIDField()
    way = forms.ChoiceField(choices=CodeWay)
    challenge = LineField(max_length=LONGEST_TOKEN, required=False)


class ProveForm(CodeForm):
    """A code that arrived, and to which number it was sent."""

    challenge = LineField(max_length=LONGEST_TOKEN, required=False)
    identity = forms.UUIDField()
    way = forms.ChoiceField(choices=CodeWay)


class FactsForm(forms.Form):
    day = DayField()
    business = LineField(max_length=200)

    def __init__(self, *args: Any, language: Language, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.texts, self.at = words.TEXTS[language], at
        for name, text in (("day", "bad_day"), ("business", "needed")):
            messages = self.fields[name].error_messages
            for code in [*messages, "required", "invalid", "max_length"]:
                messages[code] = self.texts[text]

    def clean_day(self) -> Any:
        day = self.cleaned_data["day"]
        if portal.is_in_future(day, at=self.at):
            raise ValidationError(self.texts["bad_day"])
        return day


class DeclareForm(forms.Form):
    """A declaration, signed by a name."""

    declares = forms.BooleanField()
    name = LineField(max_length=200, min_length=3)

    def __init__(self, *args: Any, language: Language, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        text = words.TEXTS[language]["declare_needed"]
        for field in self.fields.values():
            field.error_messages |= {"required": text, "max_length": text}
        self.fields["name"].validators = []

    def clean_name(self) -> str:
        """A name of three letters at least."""
        name = " ".join(str(self.cleaned_data["name"]).split())
        if len(name) < 3:
            raise ValidationError(self.fields["name"].error_messages["required"])
        return name


class EvidenceForm(forms.Form):
    """A file that was sealed while it arrived."""

    file = forms.FileField()

    def clean_file(self) -> SealedUpload:
        """Nothing but what our own handler made."""
        found = self.cleaned_data["file"]
        if not isinstance(found, SealedUpload) or not found.size:
            raise ValidationError("No file arrived.")
        return found


class WordsForm(forms.Form):
    """Something said about one case: an appeal, an answer to a question."""

    case = forms.UUIDField()
    words = LineField(required=False, max_length=4000)
