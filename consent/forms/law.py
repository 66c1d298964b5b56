"""What people type about the rules of the law."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from django import forms

from callprivacy.lib.forms import DayField, LineField
from consent import law
from consent.law import Topic
from consent.selectors import law as selectors


class RulesFilter(forms.Form):
    place = forms.ChoiceField(required=False)
    topic = forms.ChoiceField(required=False)
    state = forms.ChoiceField(
        required=False,
        choices=[
            ("", "All"),
            ("unverified", "Not verified"),
            ("unsigned", "Not signed off by counsel"),
            ("stale", "Not checked for 90 days"),
        ],
    )

    def __init__(self, *args: Any, places: Iterable[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["place"] = forms.ChoiceField(required=False, choices=[("", "All places"), *places])
        topics = [(topic.value, selectors.topic_name(topic)) for topic in Topic]
        self.fields["topic"] = forms.ChoiceField(required=False, choices=[("", "All topics"), *topics])


class PackForm(forms.Form):
    """A file of rules."""

    file = forms.FileField(
        label="Rules file",
        help_text="UTF-8 CSV with the version in the first line, as in “Export rules”. Up to 4 MB.",
        error_messages={"empty": "The file is empty."},
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
    )

    def clean_file(self) -> bytes:
        upload = self.cleaned_data["file"]
        if upload.size > law.pack.LARGEST:
            raise forms.ValidationError("The file is larger than 4 MB.")
        content: bytes = upload.read()
        return content


class ActivateForm(forms.Form):
    """Why rules are put in force, and what the person was told that they change."""

    seen = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    reason = forms.CharField(
        label="Reason for these rules",
        min_length=15,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="At least 15 characters: what changed in the law, and the source. The audit log keeps it.",
    )


class ReturnForm(forms.Form):
    """Why the shipped rules decide again."""

    reason = forms.CharField(
        label="Reason for the shipped rules",
        min_length=15,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="At least 15 characters. The audit log keeps it.",
    )


class SignOffForm(forms.Form):
    """Which counsel approved a rule, and when."""

    rule = forms.RegexField(r"^[a-z0-9.\-]{4,60}\Z", widget=forms.HiddenInput)
    seen = forms.RegexField(r"^[0-9a-f]{64}\Z", widget=forms.HiddenInput)
    counsel = LineField(max_length=120, help_text="Name and firm.")
    signed_on = DayField(label="Signed on")

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._today = today

    def clean_signed_on(self) -> date:
        day: date = self.cleaned_data["signed_on"]
        if day > self._today:
            raise forms.ValidationError("The date is in the future. Enter today or an earlier date.")
        return day
