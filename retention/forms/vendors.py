"""What opens a vendor's list, and which leftovers are shown."""

from django import forms
from django_filters import ChoiceFilter, FilterSet, ModelChoiceFilter

from callprivacy.calls.models import Connection
from callprivacy.lib.forms import LineField
from retention.enums import LeftoverState


class AccessForm(forms.Form):
    """The account and key of CallRail's interface."""

    account = LineField(
        label="Account id",
        max_length=64,
        help_text="In the address of CallRail's pages, after /a/.",
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


class LeftoverFilter(FilterSet):
    state = ChoiceFilter(label="State", choices=LeftoverState.choices, empty_label="All that are there")
    connection = ModelChoiceFilter(
        label="Connection",
        queryset=lambda request: Connection.objects.filter(client_id=request.used_client_id).order_by("name"),
        empty_label="All",
    )
