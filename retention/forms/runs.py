"""What a person types about retention."""

from django import forms

from callprivacy.lib.forms import LineField


class ReasonForm(forms.Form):
    """Why erasing stops."""

    reason = forms.CharField(
        label="Why erasing stops",
        min_length=15,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="At least 15 characters.",
    )


class LiveReasonForm(forms.Form):
    """Why a client goes live, for the officer who agrees."""

    reason = forms.CharField(
        label="Why does the client go live now?",
        min_length=15,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="At least 15 characters. The officer who agrees reads it. The audit log keeps it encrypted.",
    )


class ShownForm(forms.Form):
    """The counts that a person saw before signing, and by what things leave."""

    calls = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    recordings = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    callers = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    allowed = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    withheld = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    leaving = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    keep_for_days = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    keep_out_for_days = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    others = LineField(max_length=1000, widget=forms.HiddenInput)
    besides = LineField(max_length=1000, required=False, widget=forms.HiddenInput)
    quarantine_hours = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    at_vendor = forms.IntegerField(min_value=0, max_value=1, widget=forms.HiddenInput)
