"""Forms for premises."""

from collections.abc import Sequence
from datetime import time
from typing import Any, cast

from django import forms

from callprivacy.accounts.models import Membership
from callprivacy.lib import zones
from callprivacy.lib.forms import DayField, LineField
from governance.models import Badge

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


def _hour(label: str, *, help_text: str = "") -> forms.TimeField:
    return forms.TimeField(
        label=label, help_text=help_text, widget=forms.TimeInput({"type": "time"}, format="%H:%M")
    )


def rooms_of(text: str) -> list[str]:
    """:raises ValidationError: too many rooms, or a name is too long."""
    names = list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
    if len(names) > 40 or any(len(name) > 60 for name in names):
        raise forms.ValidationError("Enter up to 40 rooms with up to 60 characters each.")
    return names


class RoomsForm(forms.Form):
    rooms = forms.CharField(
        label="Rooms",
        max_length=2000,
        required=False,
        widget=forms.Textarea({"rows": 5}),
        help_text=(
            "One per line, as named in the badge system. Entries to other rooms are flagged. Removing a room deletes "
            "its access hours."
        ),
    )

    def clean_rooms(self) -> list[str]:
        return rooms_of(self.cleaned_data["rooms"])


class KeyForm(forms.Form):
    name = LineField(label="Badge system", max_length=120, help_text="The key is valid for one year.")


class SiteFactsForm(forms.Form):
    name = LineField(label="Name", max_length=120)
    address = LineField(label="Address", max_length=200, required=False)
    time_zone = LineField(label="Time zone", max_length=64, help_text="Such as America/New_York.")
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
        if name not in zones.known():
            raise forms.ValidationError("Unknown time zone. Use a name such as America/New_York.")
        return name

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("opens") and data.get("closes") and data["closes"] <= data["opens"]:
            self.add_error("closes", "The closing time must be after the opening time.")
        return data


class SiteForm(SiteFactsForm):
    rooms = forms.CharField(
        label="Rooms with a badge reader",
        max_length=2000,
        required=False,
        widget=forms.Textarea({"rows": 3}),
        help_text="One per line, as named in the badge system.",
    )

    def clean_rooms(self) -> list[str]:
        return rooms_of(self.cleaned_data["rooms"])


class _People(forms.Form):
    field = ""

    def __init__(self, *args: Any, people: Sequence[Membership], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields[self.field]).choices = [
            (str(row.user_id), f"{row.user} ({row.get_role_display()})") for row in people
        ]


class BadgeForm(_People):
    field = "user_id"
    user_id = forms.ChoiceField(label="Holder")
    label = LineField(label="Printed label", max_length=60)
    code = LineField(
        label="Badge code",
        max_length=80,
        widget=forms.TextInput({"autocomplete": "off"}),
        help_text="Only its digest is stored.",
    )
    any_hour = forms.BooleanField(
        label="Access at any hour",
        required=False,
        help_text="Access hours of this badge for a room still apply.",
    )
    rooms = forms.MultipleChoiceField(
        label="Rooms",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Select none for access to all rooms.",
    )
    until_on = DayField(label="Valid until", required=False)

    def __init__(self, *args: Any, rooms: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.MultipleChoiceField, self.fields["rooms"]).choices = [(name, name) for name in rooms]
        if not rooms:
            del self.fields["rooms"]


class HoursForm(forms.Form):
    room = forms.ChoiceField(label="Room", required=False)
    badge = forms.ChoiceField(label="Badge", required=False)
    weekdays = forms.TypedMultipleChoiceField(
        label="Days", choices=_DAYS, coerce=int, widget=forms.CheckboxSelectMultiple, initial=[1, 2, 3, 4, 5]
    )
    opens = _hour("From")
    closes = _hour("Until", help_text="00:00 is the end of the day.")

    def __init__(self, *args: Any, rooms: Sequence[str], badges: Sequence[Badge], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields["room"]).choices = [
            ("", "The entrance and rooms without their own hours"),
            *((name, name) for name in rooms),
        ]
        cast(forms.ChoiceField, self.fields["badge"]).choices = [
            ("", "All badges"),
            *((str(row.pk), f"{row.label} ({row.user})") for row in badges),
        ]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if not data.get("room") and not data.get("badge") and not self.errors:
            self.add_error("badge", "Select a room or a badge. The site's hours apply to everything else.")
        opens, closes = data.get("opens"), data.get("closes")
        if opens and closes is not None and closes != time(0) and closes <= opens:
            self.add_error("closes", "The end must be after the start.")
        return data


_OFF = {"autocomplete": "off"}


class VisitorForm(forms.Form):
    name = LineField(label="Your name", max_length=120, widget=forms.TextInput(_OFF))
    company = LineField(label="Company", max_length=120, required=False, widget=forms.TextInput(_OFF))
    host = LineField(
        label="Who are you visiting?",
        max_length=120,
        widget=forms.TextInput(_OFF),
        help_text="Their name or initials.",
    )
    purpose = LineField(label="Purpose", max_length=200, required=False, widget=forms.TextInput(_OFF))


def _badge() -> forms.CharField:
    return LineField(
        label="Your badge",
        max_length=80,
        required=False,
        widget=forms.PasswordInput(_OFF | {"autofocus": True}),
        help_text="Scan your badge or type its code.",
    )


class _OneOf(forms.Form):
    """Exactly one of two fields is filled."""

    either: tuple[str, str] = ("", "")
    needs_one = ""

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if not self.errors and sum(bool(data.get(name)) for name in self.either) != 1:
            self.add_error(self.either[0], self.needs_one)
        return data


class ComeForm(_OneOf):
    either = ("code", "name")
    needs_one = "Enter your badge or your name, not both."
    code = _badge()
    name = LineField(
        label="Without your badge: your name",
        max_length=120,
        required=False,
        widget=forms.TextInput(_OFF),
        help_text="You get a number to sign out. The entry is flagged for review.",
    )


class LeaveForm(_OneOf):
    either = ("number", "code")
    needs_one = "Enter your number or your badge, not both."
    code = _badge()
    number = LineField(
        label="Without a badge: your number",
        max_length=12,
        required=False,
        widget=forms.TextInput(_OFF | {"inputmode": "numeric"}),
        help_text="The six digits shown when you signed in.",
    )

    def clean_number(self) -> str:
        digits = "".join(self.cleaned_data["number"].split())
        if digits and not (digits.isascii() and digits.isdigit() and len(digits) == 6):
            raise forms.ValidationError("The number has six digits.")
        return digits


class FileForm(forms.Form):
    file = forms.FileField(
        label="File",
        help_text="CSV with the columns reference, badge, direction (in or out) and at (2026-11-24T08:30).",
    )

    def clean_file(self) -> str:
        file = self.cleaned_data["file"]
        if file.size > FILE_AT_MOST:
            raise forms.ValidationError("The file is larger than 4 MB. Split it into smaller files.")
        try:
            text: str = file.read().decode("utf-8")
        except UnicodeDecodeError:
            raise forms.ValidationError("The file is not UTF-8 text.") from None
        return text


class LookForm(forms.Form):
    reason = forms.CharField(
        label="Explanation", min_length=15, max_length=500, widget=forms.Textarea({"rows": 2})
    )
