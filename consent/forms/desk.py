"""What an agent on the phone sends by a tap."""

from collections.abc import Sequence
from typing import Any, Final, cast

from django import forms

from callprivacy.calls.forms.calls import NumberForm
from callprivacy.lib.forms import LineField
from callprivacy.tenancy.models import Client
from consent.enums import Language

SPOKE: Final = "spoke"
AGREE_CALL: Final = "agree_call"
AGREE: Final = "agree"
STOP: Final = "stop"
TAKE_OFF: Final = "take_off"
MINOR: Final = "minor"
DEEDS: Final = (SPOKE, AGREE_CALL, AGREE, STOP, TAKE_OFF, MINOR)


class DeskNumberForm(NumberForm):
    """Who is on the phone, by number; it travels in the body of a request and is not kept."""

    client = forms.ChoiceField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, clients: Sequence[Client], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields["client"]).choices = [(one.slug, one.name) for one in clients]


class _InLanguage(forms.Form):
    """Sent from a page that shows its script in a language."""

    language = forms.ChoiceField(choices=Language.choices, required=False)

    @property
    def language_said(self) -> Language:
        return Language(self.cleaned_data.get("language") or Language.ENGLISH)


class TapForm(_InLanguage):
    """One tap: which, about whom, and a mark by which the same tap is known again."""

    deed = forms.ChoiceField(choices=[(deed, deed) for deed in DEEDS])
    tap = forms.UUIDField()
    caller = forms.UUIDField(required=False)
    call = forms.UUIDField(required=False)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not cleaned.get("caller") and not cleaned.get("call"):
            raise forms.ValidationError("Choose the caller first.")
        return cleaned


class CallBackForm(_InLanguage):
    """The telephone beside the agent; it is sealed until it rings, and kept nowhere."""

    caller = forms.UUIDField(widget=forms.HiddenInput)
    own_number = LineField(
        label="Your own phone",
        max_length=64,
        widget=forms.TelInput({"autocomplete": "tel"}),
        help_text="Your phone rings first. The caller sees the client's number; you see no number.",
        error_messages={"required": "Enter your phone number."},
    )
