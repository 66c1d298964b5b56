"""What callers send from the public pages, read and refused in their own language."""

from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError

from callprivacy.lib import phone
from callprivacy.lib.forms import EmailLineField, LineField
from consent.channels import words
from consent.enums import Language, Purpose
from consent.services.web import Deed

LONGEST_NUMBER: Final = 40
LONGEST_TOKEN: Final = 4000


class NumberField(LineField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=LONGEST_NUMBER, **kwargs)
        self.region = "US"

    def clean(self, value: Any) -> str:
        """
        Read the number, under the country of the company where it has no code of its own.

        :raises ValidationError: it is none.
        """
        number = phone.normalise(super().clean(value), self.region)
        if number is None:
            raise ValidationError(self.error_messages["required"], code="invalid")
        return number


class _Public(forms.Form):
    """A form in a caller's language."""

    def __init__(self, *args: Any, language: Language, country: str = "US", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.texts = words.TEXTS[language]
        number = self.fields.get("number")
        if isinstance(number, NumberField):
            number.region = country
            self._say("number", "bad_number")

    def _say(self, field: str, text: str) -> None:
        """Let a field refuse in these words, whatever is wrong with it."""
        messages = self.fields[field].error_messages
        for code in [*messages, "required", "invalid", "max_length"]:
            messages[code] = self.texts[text]


class AnswerForm(_Public):
    """A yes or a no to some purposes."""

    number = NumberField()
    deed = forms.ChoiceField(choices=[(deed.value, deed.value) for deed in Deed])
    purposes = forms.MultipleChoiceField(choices=Purpose, required=False)
    form = LineField(max_length=LONGEST_TOKEN)
    everything = forms.BooleanField(required=False)

    def clean(self) -> dict[str, Any]:
        """A no to everything names every purpose; nothing ticked is nothing said."""
        said: dict[str, Any] = super().clean() or {}
        if said.get("everything") and said.get("deed") == Deed.WITHDRAW:
            said["purposes"] = list(Purpose.values)
        if "purposes" in said and not said["purposes"]:
            self.add_error("purposes", self.texts["none_ticked"])
        return said


class NumberForm(_Public):
    """A number that somebody wants to prove."""

    number = NumberField()


class CodeForm(_Public):
    """A code that arrived on a phone, and what the page knows of where it was sent."""

    challenge = LineField(max_length=LONGEST_TOKEN)
    code = LineField(max_length=20)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._say("code", "code_wrong")

    def clean_code(self) -> str:
        """The digits, however they are grouped."""
        code = "".join(self.cleaned_data["code"].split()).replace("-", "")
        if len(code) != 6 or not code.isascii() or not code.isdigit():
            raise ValidationError(self.texts["code_wrong"])
        return code


class SwitchForm(_Public):
    deed = forms.ChoiceField(choices=[(deed.value, deed.value) for deed in Deed])
    purpose = forms.ChoiceField(choices=[*Purpose.choices, ("everything", "everything")])
    form = LineField(max_length=LONGEST_TOKEN)
    asked = LineField(max_length=LONGEST_TOKEN, required=False)


class UpdatesForm(_Public):
    """Where to send news, and which."""

    address = EmailLineField(max_length=254, required=False)
    on_change = forms.BooleanField(required=False)
    on_notice = forms.BooleanField(required=False)

    def __init__(self, *args: Any, has_address: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.has_address = has_address
        self._say("address", "bad_address")

    def clean(self) -> dict[str, Any]:
        """News needs an address."""
        said: dict[str, Any] = super().clean() or {}
        wants = said.get("on_change") or said.get("on_notice")
        if wants and not self.has_address and not said.get("address") and "address" not in self.errors:
            self.add_error("address", self.texts["bad_address"])
        return said
