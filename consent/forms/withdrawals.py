"""What people type about withdrawals at vendors, destinations of advertising, and endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from callprivacy.lib.forms import LineField, URLLineField
from consent.enums import OnWithdrawal

_CHOICES = [
    (
        OnWithdrawal.MENU.value,
        "Move the number to our phone menu: it asks before anything is recorded, and remembers who said never.",
    ),
    (
        OnWithdrawal.OFF.value,
        "Turn the tracker's recording off for this client: a letter to the tracker is drafted.",
    ),
    (
        OnWithdrawal.DELETE.value,
        "Delete after each call: the tracker still records this caller, and each recording is asked to be deleted.",
    ),
]


class ChoiceForm(forms.Form):
    """How a tracker that cannot ask leaves a caller unrecorded."""

    choice = forms.ChoiceField(label="What to do", widget=forms.RadioSelect, choices=_CHOICES)
    for_all = forms.BooleanField(
        label="Do the same for every later withdrawal at this tracker, without asking again", required=False
    )


class LetterForm(forms.Form):
    """The letter as it went out."""

    words = forms.CharField(
        label="The letter", max_length=4000, widget=forms.Textarea(attrs={"rows": 14}), strip=True
    )


class ReplyForm(forms.Form):
    """What the vendor answered."""

    words = forms.CharField(
        label="The answer",
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Without a telephone number: case number, date, name of whoever answered.",
    )


class DoneForm(forms.Form):
    """That it is done at the vendor, and how that is known."""

    receipt = LineField(
        max_length=300,
        help_text="What shows it: a case number, the vendor's date, what you saw on its page.",
    )
    was_checked = forms.BooleanField(label="I looked at the vendor's own page, and it is done there")


class DestinationForm(forms.Form):
    """Where numbers are sent for advertising."""

    name = LineField(max_length=120)
    contact = LineField(max_length=200, required=False, help_text="The address or page to write to.")
    instructions = forms.CharField(
        max_length=1000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="How somebody is removed there.",
    )


class EndpointForm(forms.Form):
    """
    An address that is told of withdrawals.

    :param may_number: whether the person may have callers' numbers sent there.
    """

    name = LineField(max_length=120, help_text='Your name for the system, such as "Our CRM".')
    url = URLLineField(
        label="Address", max_length=500, assume_scheme="https", help_text="It has to be https and public."
    )
    with_number = forms.BooleanField(
        label="Tell it callers' numbers",
        required=False,
        help_text="Without it your system is told the caller's id and a digest of the number, which our interface "
        "gives it for a number it asks about.",
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, may_number: bool) -> None:
        super().__init__(data)
        if not may_number:
            self.fields["with_number"].disabled = True
            self.fields["with_number"].help_text = "A compliance officer may switch it on."
