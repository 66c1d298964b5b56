"""Forms of posted notices."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django_filters import ChoiceFilter, FilterSet, ModelChoiceFilter

from callprivacy.calls.models import TrackingNumber
from callprivacy.lib.filters import DayFilter
from callprivacy.lib.forms import DayField, LineField
from callprivacy.tenancy.models import Client
from consent.enums import PostedWhere
from consent.models import NoticeVersion, PostedNotice
from consent.selectors import standards

_EVERY = "All numbers"


def _numbers(rows: Iterable[TrackingNumber]) -> list[tuple[str, str]]:
    return [(str(row.pk), f"{row.label} ({row.number})" if row.label else row.number) for row in rows]


class PostedFilter(FilterSet):
    number = ModelChoiceFilter(
        label="Number",
        queryset=lambda request: TrackingNumber.objects.filter(client_id=request.used_client_id),
        empty_label="Any number",
        method="beside",
    )
    where = ChoiceFilter(label="Where", choices=PostedWhere.choices, empty_label="Anywhere")
    state = ChoiceFilter(
        label="State",
        choices=[("now", "Posted today"), ("ended", "Taken down")],
        empty_label="Any state",
        method="in_state",
    )
    on = DayFilter(label="Posted on", method="posted_on")

    def beside(self, rows: QuerySet[PostedNotice], _: str, number: TrackingNumber) -> QuerySet[PostedNotice]:
        return rows.filter(Q(tracking_number=number) | Q(tracking_number=None))

    def posted_on(self, rows: QuerySet[PostedNotice], _: str, day: date) -> QuerySet[PostedNotice]:
        return rows.filter(from_on__lte=day).filter(Q(to_on=None) | Q(to_on__gt=day))

    def in_state(self, rows: QuerySet[PostedNotice], name: str, state: str) -> QuerySet[PostedNotice]:
        client = Client.objects.get(pk=self.request.used_client_id)
        today = standards.today_at(client, self.request.at)
        return self.posted_on(rows, name, today) if state == "now" else rows.filter(to_on__lte=today)


class PostedForm(forms.Form):
    tracking_number = forms.ChoiceField(required=False)
    where = forms.ChoiceField(label="Type", choices=PostedWhere.choices)
    place = LineField(max_length=200, help_text="The exact place: page address, ad name or entrance.")
    version = forms.ChoiceField(
        label="Notice",
        required=False,
        help_text="The posted notice that uses this text, if any.",
    )
    words = forms.CharField(
        label="Text",
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Exact text as posted.",
    )
    from_on = DayField(label="Since")
    to_on = DayField(label="Taken down on", required=False, help_text="Leave empty while it is posted.")
    picture = forms.FileField(
        required=False,
        help_text="A screenshot, photo or PDF, up to 8 MB. It is encrypted on upload.",
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
            label="Number", required=False, choices=[("", _EVERY), *_numbers(numbers)]
        )
        self.fields["version"] = forms.ChoiceField(
            label=self.fields["version"].label,
            required=False,
            help_text=self.fields["version"].help_text,
            choices=[
                ("", "Other text"),
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
            raise forms.ValidationError("The date is in the future. Add the notice on the day it is posted.")
        return day

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        first, last = cleaned.get("from_on"), cleaned.get("to_on")
        if first and last and last <= first:
            self.add_error("to_on", "Enter a date after the start date.")
        return cleaned


class EndForm(forms.Form):
    to_on = DayField(label="Taken down on")

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._today = today

    def clean_to_on(self) -> date:
        day: date = self.cleaned_data["to_on"]
        if day > self._today:
            raise forms.ValidationError("The date is in the future. Enter it on that day.")
        return day
