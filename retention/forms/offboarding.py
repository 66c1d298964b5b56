"""What is said when a client leaves."""

from collections.abc import Mapping
from typing import Any

from django import forms

from callprivacy.calls.services.reveals import ReasonTooShortError, checked_reason
from callprivacy.lib import outside
from callprivacy.lib.forms import URLLineField


def shown_in(said: Mapping[str, Any]) -> dict[str, int]:
    """The counts that stood on the page, as it sent them back; what is none is -1 and fits nothing."""
    found: dict[str, int] = {}
    for name, raw in said.items():
        if name.startswith("shown-"):
            text = str(raw)
            found[name.removeprefix("shown-")] = int(text) if text.isdecimal() and len(text) < 15 else -1
    return found


class AskForm(forms.Form):
    """Where the client is from now on, whether numbers go along, and why."""

    moved_to = URLLineField(
        label="Where the client can be reached from now on",
        required=False,
        max_length=300,
        assume_scheme="https",
        help_text="Old consent and requests pages and links show this address. An https address of the client’s own.",
    )
    with_numbers = forms.BooleanField(
        label="Numbers and evidence go along in the clear",
        required=False,
        help_text="The ledger and the list of those who said no then name numbers. A second officer has to agree; a "
        "day alone does not do.",
    )
    reason = forms.CharField(
        label="Why",
        min_length=15,
        max_length=500,
        widget=forms.Textarea({"rows": 3}),
        help_text="At least 15 characters. The audit log keeps it encrypted.",
    )

    def clean_moved_to(self) -> str:
        address = str(self.cleaned_data["moved_to"])
        if address:
            try:
                outside.checked(address)
            except outside.NotPlainError as error:
                raise forms.ValidationError(str(error)) from None
        return address

    def clean_reason(self) -> str:
        try:
            return checked_reason(self.cleaned_data["reason"])
        except ReasonTooShortError as error:
            raise forms.ValidationError(str(error)) from None

    def clean(self) -> dict[str, Any]:
        return super().clean() or self.cleaned_data
