"""What opens a vendor's list, and which leftovers are shown."""

import uuid
from collections.abc import Sequence
from typing import Any, cast

from django import forms

from callprivacy.calls.models import Connection
from callprivacy.lib.forms import LineField
from retention.enums import LeftoverState


class AccessForm(forms.Form):
    """The account and key of CallRail's interface."""

    account = LineField(
        label="Account id",
        max_length=64,
        help_text="It stands in the address of CallRail's pages, after /a/.",
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    company = LineField(
        label="Company id",
        max_length=64,
        required=False,
        help_text="Where the account has several companies: the one of this client. Without it, an account that several"
        " clients share shows less.",
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    key = LineField(
        label="Key of the interface",
        max_length=128,
        help_text="Made in CallRail under Settings, API keys. It is encrypted at once and never shown again.",
        widget=forms.PasswordInput({"autocomplete": "off"}),
    )


class LeftoversForm(forms.Form):
    """The filters of the page, as they stand in the address."""

    state = forms.ChoiceField(
        label="State", required=False, choices=[("", "All that are there"), *LeftoverState.choices]
    )
    connection = forms.ChoiceField(label="Connection", required=False)

    def __init__(self, *args: Any, ways: Sequence[Connection], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = cast(forms.ChoiceField, self.fields["connection"])
        field.choices = [("", "All"), *((str(way.pk), way.name) for way in ways)]

    def wanted(self) -> tuple[str, uuid.UUID | None]:
        """The state and the connection; what is none is all."""
        self.is_valid()
        way = self.cleaned_data.get("connection") or ""
        return str(self.cleaned_data.get("state") or ""), uuid.UUID(way) if way else None

    @property
    def active(self) -> int:
        """How many filters are in use."""
        return sum(bool(self.cleaned_data.get(name)) for name in self.fields)
