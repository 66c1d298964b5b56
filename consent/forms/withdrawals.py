"""What people type about withdrawals at vendors, destinations of advertising, and endpoints."""

from collections.abc import Mapping
from typing import Any

from django import forms

from callprivacy.lib.forms import LineField, URLLineField
from consent.enums import OnWithdrawal

_CHOICES = [
    (
        OnWithdrawal.MENU.value,
        "Move the number to our phone menu: it asks before recording and remembers opt-outs.",
    ),
    (
        OnWithdrawal.OFF.value,
        "Turn off the tracker's recording for this client: CallPrivacy drafts a letter to the tracker.",
    ),
    (
        OnWithdrawal.DELETE.value,
        "Delete after each call: the tracker still records, and each recording gets a deletion step for the vendor.",
    ),
]


class ChoiceForm(forms.Form):
    """How a tracker that cannot ask leaves a caller unrecorded."""

    choice = forms.ChoiceField(label="Action", widget=forms.RadioSelect, choices=_CHOICES)
    for_all = forms.BooleanField(
        label="Use this action for all later withdrawals at this tracker", required=False
    )


class LetterForm(forms.Form):
    words = forms.CharField(
        label="Letter", max_length=4000, widget=forms.Textarea(attrs={"rows": 14}), strip=True
    )


class ReplyForm(forms.Form):
    """What the vendor answered."""

    words = forms.CharField(
        label="Reply",
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Case number, date and contact name. Do not include a phone number.",
    )


class DoneForm(forms.Form):
    """That it is done at the vendor, and how that is known."""

    receipt = LineField(
        max_length=300,
        help_text="Case number, the vendor's date, or what you saw on its page.",
    )
    was_checked = forms.BooleanField(label="I checked the vendor's own page and the step is done there")


class DestinationForm(forms.Form):
    """Where numbers are sent for advertising."""

    name = LineField(max_length=120)
    contact = LineField(max_length=200, required=False, help_text="Email address or contact page.")
    instructions = forms.CharField(
        max_length=1000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="How to remove a person from this destination.",
    )


class EndpointForm(forms.Form):
    """
    An address that is told of withdrawals.

    :param may_number: whether the person may have callers' numbers sent there.
    """

    name = LineField(max_length=120, help_text='Your name for the system, such as "Our CRM".')
    url = URLLineField(
        label="Address", max_length=500, assume_scheme="https", help_text="A public https address."
    )
    with_number = forms.BooleanField(
        label="Include callers' numbers",
        required=False,
        help_text="If off, messages contain the caller's ID and a digest of the number. Your system can get the digest "
        "of a known number from the API.",
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, may_number: bool) -> None:
        super().__init__(data)
        if not may_number:
            self.fields["with_number"].disabled = True
            self.fields["with_number"].help_text = "Only a compliance officer can turn this on."
