"""What a person types about retention."""

from __future__ import annotations

from django import forms

_LONGEST = 3650


class DaysForm(forms.Form):
    """How long calls are kept, and why that changes."""

    days = forms.IntegerField(
        label="Keep calls for (days)",
        min_value=1,
        max_value=_LONGEST,
        required=False,
        help_text="Leave it empty to keep them as long as the agency does.",
    )
    reason = forms.CharField(
        label="Why this changes",
        min_length=15,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="At least 15 characters. It is kept, sealed, beside the entry in the trail.",
    )


class AgencyDaysForm(DaysForm):
    """The agency's own keep-for, which clients without one inherit."""

    days = forms.IntegerField(label="Keep calls for (days)", min_value=1, max_value=_LONGEST)


class SeenForm(forms.Form):
    """How many calls a person was told would be due."""

    due_then = forms.IntegerField(min_value=0, widget=forms.HiddenInput)


class ReasonForm(forms.Form):
    """Why erasing stops."""

    reason = forms.CharField(
        label="Why erasing stops",
        min_length=15,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="At least 15 characters.",
    )


class ShownForm(forms.Form):
    """The counts that a person saw before signing."""

    calls = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    recordings = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    callers = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    allowed = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    withheld = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    leaving = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
