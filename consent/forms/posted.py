"""What people type about notices that hang somewhere."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any
from uuid import UUID

from django import forms

from callprivacy.calls.models import TrackingNumber
from callprivacy.lib.forms import DayField, LineField
from consent.enums import PostedWhere
from consent.models import NoticeVersion

_EVERY = "Every number"


def _numbers(rows: Iterable[TrackingNumber]) -> list[tuple[str, str]]:
    return [(str(row.pk), f"{row.label} ({row.number})" if row.label else row.number) for row in rows]


class PostedFilter(forms.Form):
    """Which posted notices are listed."""

    number = forms.ChoiceField(required=False)
    where = forms.ChoiceField(required=False, choices=[("", "Anywhere"), *PostedWhere.choices])
    state = forms.ChoiceField(
        required=False, choices=[("", "Now and before"), ("now", "Hanging today"), ("ended", "Taken down")]
    )
    on = DayField(label="Hanging on", required=False)

    def __init__(self, *args: Any, numbers: Iterable[TrackingNumber], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["number"] = forms.ChoiceField(
            required=False, choices=[("", "Any number"), *_numbers(numbers)]
        )

    def clean_number(self) -> UUID | None:
        chosen = self.cleaned_data["number"]
        return UUID(chosen) if chosen else None


class PostedForm(forms.Form):
    """A notice that hangs somewhere."""

    tracking_number = forms.ChoiceField(required=False)
    where = forms.ChoiceField(label="What it is", choices=PostedWhere.choices)
    place = LineField(
        max_length=200, help_text="Where exactly: the address of the page, the name of the ad, the door."
    )
    version = forms.ChoiceField(
        label="Notice",
        required=False,
        help_text="The posted notice whose words these are, if it is one of them.",
    )
    words = forms.CharField(
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Word for word as it stands there.",
    )
    from_on = DayField(label="Since")
    to_on = DayField(label="Taken down on", required=False, help_text="Leave it empty while it hangs.")
    picture = forms.FileField(
        required=False,
        help_text="A screenshot, a photograph or a PDF of it, up to 8 MB. It is sealed as it arrives.",
        error_messages={"empty": "The file is empty."},
        widget=forms.FileInput(attrs={"accept": "image/png,image/jpeg,image/webp,application/pdf"}),
    )

    def __init__(
        self,
        *args: Any,
        numbers: Iterable[TrackingNumber],
        versions: Iterable[NoticeVersion],
        today: date,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._today = today
        self.fields["tracking_number"] = forms.ChoiceField(
            label="Beside which number", required=False, choices=[("", _EVERY), *_numbers(numbers)]
        )
        self.fields["version"] = forms.ChoiceField(
            label=self.fields["version"].label,
            required=False,
            help_text=self.fields["version"].help_text,
            choices=[
                ("", "Words of their own"),
                *((str(row.pk), f"{row.notice.name}, version {row.number}") for row in versions),
            ],
        )
        self.order_fields(
            ["tracking_number", "where", "place", "version", "words", "from_on", "to_on", "picture"]
        )

    def clean_where(self) -> PostedWhere:
        return PostedWhere(self.cleaned_data["where"])

    def clean_from_on(self) -> date:
        day: date = self.cleaned_data["from_on"]
        if day > self._today:
            raise forms.ValidationError("That is in the future. Write it down on the day it hangs.")
        return day

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        first, last = cleaned.get("from_on"), cleaned.get("to_on")
        if first and last and last <= first:
            self.add_error("to_on", "It ends on a later day than the one on which it begins.")
        return cleaned


class EndForm(forms.Form):
    """From which day a notice does not hang any more."""

    to_on = DayField(label="Taken down on")

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._today = today

    def clean_to_on(self) -> date:
        day: date = self.cleaned_data["to_on"]
        if day > self._today:
            raise forms.ValidationError("That is in the future. Write it down on the day it is taken down.")
        return day
