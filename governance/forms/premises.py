"""What people type of premises."""

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
    """
    Names of rooms, one a line, each once.

    :raises ValidationError: too many, or a name is too long.
    """
    found = list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
    if len(found) > 40 or any(len(name) > 60 for name in found):
        raise forms.ValidationError("Name up to 40 rooms, each in up to 60 characters.")
    return found


class RoomsForm(forms.Form):
    rooms = forms.CharField(
        label="Rooms",
        max_length=2000,
        required=False,
        widget=forms.Textarea({"rows": 5}),
        help_text=(
            "One a line, as the badge system calls them. An entry to a room that is not named here is flagged; "
            "hours of a room that is taken out go."
        ),
    )

    def clean_rooms(self) -> list[str]:
        return rooms_of(self.cleaned_data["rooms"])


class KeyForm(forms.Form):
    name = LineField(label="Which system", max_length=120, help_text="It counts for a year.")


class SiteFactsForm(forms.Form):
    """What is said of a place with doors."""

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
            raise forms.ValidationError("There is no such zone. Write it as America/New_York.")
        return name

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        if said.get("opens") and said.get("closes") and said["closes"] <= said["opens"]:
            self.add_error("closes", "It closes before it opens.")
        return said


class SiteForm(SiteFactsForm):
    """A place with doors."""

    rooms = forms.CharField(
        label="Rooms with a reader of their own",
        max_length=2000,
        required=False,
        widget=forms.Textarea({"rows": 3}),
        help_text="One a line, as the badge system calls them; none where only the door has one.",
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
    user_id = forms.ChoiceField(label="For whom")
    label = LineField(label="Printed on it", max_length=60)
    code = LineField(
        label="What a reader reads",
        max_length=80,
        widget=forms.TextInput({"autocomplete": "off"}),
        help_text="Only a digest of it is kept.",
    )
    any_hour = forms.BooleanField(
        label="May come at any hour", required=False, help_text="Hours of its own for a room go before that."
    )
    rooms = forms.MultipleChoiceField(
        label="Opens these rooms",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None ticked: all of them.",
    )
    until_on = DayField(label="Until", required=False)

    def __init__(self, *args: Any, rooms: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.MultipleChoiceField, self.fields["rooms"]).choices = [(name, name) for name in rooms]
        if not rooms:
            del self.fields["rooms"]


class HoursForm(forms.Form):
    """When a room may be entered, by everybody or by one badge."""

    room = forms.ChoiceField(label="Room", required=False)
    badge = forms.ChoiceField(label="Badge", required=False)
    weekdays = forms.TypedMultipleChoiceField(
        label="On", choices=_DAYS, coerce=int, widget=forms.CheckboxSelectMultiple, initial=[1, 2, 3, 4, 5]
    )
    opens = _hour("From")
    closes = _hour("Until", help_text="00:00 is the end of the day.")

    def __init__(self, *args: Any, rooms: Sequence[str], badges: Sequence[Badge], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields["room"]).choices = [
            ("", "Every door without hours of its own"),
            *((name, name) for name in rooms),
        ]
        cast(forms.ChoiceField, self.fields["badge"]).choices = [
            ("", "Everybody"),
            *((str(row.pk), f"{row.label} ({row.user})") for row in badges),
        ]

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        if not said.get("room") and not said.get("badge") and not self.errors:
            self.add_error(
                "badge", "The hours of everybody at every door are those of the site. Pick a room or a badge."
            )
        opens, closes = said.get("opens"), said.get("closes")
        if opens and closes is not None and closes != time(0) and closes <= opens:
            self.add_error("closes", "It ends before it begins.")
        return said


_OFF = {"autocomplete": "off"}


class VisitorForm(forms.Form):
    name = LineField(label="Your name", max_length=120, widget=forms.TextInput(_OFF))
    company = LineField(label="Company", max_length=120, required=False, widget=forms.TextInput(_OFF))
    host = LineField(
        label="Whom do you visit?",
        max_length=120,
        widget=forms.TextInput(_OFF),
        help_text="The name, or the initials. They are told that you are here, where we know them.",
    )
    purpose = LineField(label="What for", max_length=200, required=False, widget=forms.TextInput(_OFF))


def _badge() -> forms.CharField:
    return LineField(
        label="Your badge",
        max_length=80,
        required=False,
        widget=forms.PasswordInput(_OFF | {"autofocus": True}),
        help_text="Hold it to the reader, or type what a reader reads.",
    )


class _OneOf(forms.Form):
    """A form of which one field is filled, and not the others."""

    either: tuple[str, str] = ("", "")
    needs_one = ""

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        if not self.errors and sum(bool(said.get(name)) for name in self.either) != 1:
            self.add_error(self.either[0], self.needs_one)
        return said


class ComeForm(_OneOf):
    """Who works here and comes in: with a badge, or with the own name."""

    either = ("code", "name")
    needs_one = "Give your badge or your name, one of the two."
    code = _badge()
    name = LineField(
        label="Without your badge: your name",
        max_length=120,
        required=False,
        widget=forms.TextInput(_OFF),
        help_text="You get a number to sign out with. Somebody looks at it later.",
    )


class LeaveForm(_OneOf):
    """Who leaves: with a badge, or by the number of the way in."""

    either = ("number", "code")
    needs_one = "Give your number or your badge, one of the two."
    code = _badge()
    number = LineField(
        label="Without a badge: your number",
        max_length=12,
        required=False,
        widget=forms.TextInput(_OFF | {"inputmode": "numeric"}),
        help_text="The six digits that you were shown when you came.",
    )

    def clean_number(self) -> str:
        digits = "".join(self.cleaned_data["number"].split())
        if digits and not (digits.isascii() and digits.isdigit() and len(digits) == 6):
            raise forms.ValidationError("The number has six digits.")
        return digits


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
