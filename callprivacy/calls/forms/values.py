"""What a person decides on a source or medium that is new."""

from typing import Any

from django import forms

from callprivacy.calls.models import KnownValue
from callprivacy.calls.providers.base import MEDIUM_LENGTH, TEXT_LENGTH, plain_text
from callprivacy.lib.forms import LineField


class ValueForm(forms.Form):
    stored_as = LineField(error_messages={"required": "Write the value to store."})

    def __init__(self, data: Any, *, value: KnownValue) -> None:
        super().__init__(data)
        self.length = MEDIUM_LENGTH if value.field == "medium" else TEXT_LENGTH

    def clean_stored_as(self) -> str:
        text = str(self.cleaned_data["stored_as"])
        if plain_text(text, self.length) != text:
            raise forms.ValidationError(
                f"Write at most {self.length} characters, without a number, an address or a link."
            )
        return text
