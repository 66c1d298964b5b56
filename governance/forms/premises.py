"""What people type of premises."""

from __future__ import annotations

import zoneinfo
from collections.abc import Sequence
from typing import Any, cast

from django import forms

from callprivacy.accounts.models import Membership
from governance.forms.vendors import day_field

_DAYS = [
    (1, "Monday"),
    (2, "Tuesday"),
    (3, "Wednesday"),
    (4, "Thursday"),
    (5, "Friday"),
    (6, "Saturday"),
    (7, "Sunday"),
]
FILE_AT_MOST = 4 << 20


def _hour(label: str) -> forms.TimeField:
    return forms.TimeField(label=label, widget=forms.TimeInput({"type": "time"}, format="%H:%M"))


class SiteForm(forms.Form):
    """A place with doors."""

    name = forms.CharField(label="Name", max_length=120)
    address = forms.CharField(label="Address", max_length=200, required=False)
    time_zone = forms.CharField(label="Time zone", max_length=64, help_text="Such as America/New_York.")
    weekdays = forms.TypedMultipleChoiceField(
        label="Open on",
        choices=_DAYS,
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
        initial=[1, 2, 3, 4, 5],
    )
    opens = _hour("Opens at")
    closes = _hour("Closes at")

    def clean_time_zone(self) -> str:
        name: str = self.cleaned_data["time_zone"]
        if name not in zoneinfo.available_timezones():
            raise forms.ValidationError("There is no such zone. Write it as America/New_York.")
        return name

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        if said.get("opens") and said.get("closes") and said["closes"] <= said["opens"]:
            self.add_error("closes", "It closes before it opens.")
        return said


class _People(forms.Form):
    field = ""

    def __init__(self, *args: Any, people: Sequence[Membership], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields[self.field]).choices = [
            (str(row.user_id), f"{row.user} ({row.get_role_display()})") for row in people
        ]


class BadgeForm(_People):
    """A badge for somebody of the agency."""

    field = "user_id"
    user_id = forms.ChoiceField(label="For whom")
    label = forms.CharField(label="Printed on it", max_length=60)
    code = forms.CharField(
        label="What a reader reads",
        max_length=80,
        widget=forms.TextInput({"autocomplete": "off"}),
        help_text="Only a digest of it is kept.",
    )
    any_hour = forms.BooleanField(label="May come at any hour", required=False)
    until_on = day_field("Until", required=False)


class VisitorForm(_People):
    """A visitor at the door."""

    field = "host_id"
    visitor = forms.CharField(label="Your name", max_length=120)
    company = forms.CharField(label="Company", max_length=120, required=False)
    host_id = forms.ChoiceField(label="Whom do you visit?")
    purpose = forms.CharField(label="What for", max_length=200, required=False)


class FileForm(forms.Form):
    """A badge system's file."""

    file = forms.FileField(
        label="File",
        help_text="CSV with the columns reference, badge, direction (in or out) and at (2026-11-24T08:30).",
    )

    def clean_file(self) -> str:
        file = self.cleaned_data["file"]
        if file.size > FILE_AT_MOST:
            raise forms.ValidationError("The file is larger than 4 MB. Send it in parts.")
        try:
            text: str = file.read().decode("utf-8")
        except UnicodeDecodeError:
            raise forms.ValidationError("The file is not UTF-8 text.") from None
        return text


class LookForm(forms.Form):
    """What a flagged entry was about."""

    reason = forms.CharField(
        label="What was it", min_length=15, max_length=500, widget=forms.Textarea({"rows": 2})
    )
