"""What a person types of a hold: what it is about, what it covers, who is told, and why."""

import uuid
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

from django import forms

from callprivacy.accounts.models import User
from callprivacy.lib.forms import DayField, LineField
from callprivacy.tenancy.models import Client
from retention.models import Hold
from retention.selectors.holds import holds_of
from retention.services.holds import NUMBERS_AT_MOST, REVIEW_AFTER, SHORTEST_REASON

EVERYTHING: Final = "everything"
NUMBERS: Final = "numbers"
CALLS: Final = "calls"
_SCOPES: Final = [
    (EVERYTHING, "Everything of the client, or of some dates"),
    (NUMBERS, "Everything of some numbers"),
]
_LATEST: Final = timedelta(days=3653)


def _reason(label: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        min_length=SHORTEST_REASON,
        max_length=1000,
        widget=forms.Textarea({"rows": 3, "autocomplete": "off"}),
        help_text="At least 15 characters. The audit log keeps it encrypted.",
    )


class _BlankTextarea(forms.Textarea):
    """A page that comes back with errors does not hold what was typed."""

    def format_value(self, value: Any) -> None:
        return None


class _PeopleForm(forms.Form):
    """Days and people, which placing and looking again have in common."""

    review_on = DayField(
        label="Look at it again on",
        help_text="On this day the hold appears in the inbox.",
        error_messages={"required": "Name a day: nothing may be held without being looked at again."},
    )
    ends_on = DayField(
        label="Planned end",
        required=False,
        help_text="Optional. The hold then appears in the inbox. Only an officer lifts it.",
    )
    people = forms.MultipleChoiceField(
        label="People to tell",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="They are notified in the app and by email: now, on the review day, and when it is lifted.",
    )

    def __init__(
        self, *args: Any, client: Client, people: Sequence[User], at: datetime, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.zone = ZoneInfo(client.time_zone)
        self.today = at.astimezone(self.zone).date()
        self.fields["review_on"].initial = self.today + REVIEW_AFTER
        field = cast(forms.MultipleChoiceField, self.fields["people"])
        field.choices = [(str(user.pk), f"{user} ({user.email})") for user in people]

    def clean_review_on(self) -> date:
        day: date = self.cleaned_data["review_on"]
        if day <= self.today:
            raise forms.ValidationError("Name a day to come.")
        if day > self.today + _LATEST:
            raise forms.ValidationError("Name a day within ten years.")
        return day

    def clean_ends_on(self) -> date | None:
        day: date | None = self.cleaned_data["ends_on"]
        if day is not None and day <= self.today:
            raise forms.ValidationError("Name a day to come, or none.")
        return day

    def clean_people(self) -> list[int]:
        return [int(pk) for pk in self.cleaned_data["people"]]


class HoldForm(_PeopleForm):
    name = LineField(
        label="Name",
        max_length=120,
        help_text="What staff call it, on calls and certificates. Write no names of people and no numbers.",
    )
    matter = LineField(
        label="Matter", max_length=120, required=False, help_text="The reference of the case, if it has one."
    )
    reason = _reason("Why it has to be kept")
    scope = forms.ChoiceField(
        label="What is kept",
        choices=_SCOPES,
        widget=forms.RadioSelect,
    )
    numbers = forms.CharField(
        label="Numbers, one a line",
        required=False,
        widget=_BlankTextarea({"rows": 3, "autocomplete": "off", "inputmode": "tel"}),
        help_text="They are looked up and not kept as typed. What is known of them is kept, calls or none.",
    )
    from_on = DayField(
        label="From", required=False, help_text="The first day that is kept; empty: since ever."
    )
    until_on = DayField(
        label="To",
        required=False,
        help_text="The last day that is kept; empty: what comes in later is kept too.",
    )
    keeps_house = forms.BooleanField(
        label="Keep what the agency has of its staff as well",
        required=False,
        help_text="Training, entries of premises, the agency's own requests, and reasons in the trail that name no"
        " client: for matters about who knew, did or opened what. Events of the trail stay while any hold is open.",
    )
    call = forms.MultipleChoiceField(required=False, widget=forms.MultipleHiddenInput)
    field_order = ("name", "matter", "reason", "scope", "numbers", "from_on", "until_on", "keeps_house")

    def __init__(self, *args: Any, calls: Sequence[uuid.UUID] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.calls = list(calls)
        scope = cast(forms.ChoiceField, self.fields["scope"])
        scope.choices = [*_SCOPES, (CALLS, "Single calls")] if self.calls else _SCOPES
        scope.initial = CALLS if self.calls else EVERYTHING
        picked = cast(forms.MultipleChoiceField, self.fields["call"])
        picked.choices = [(str(pk), str(pk)) for pk in self.calls]
        picked.initial = [str(pk) for pk in self.calls]

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        first, last = found.get("from_on"), found.get("until_on")
        if first and last and last < first:
            self.add_error("until_on", "The last day lies before the first.")
        if found.get("scope") == NUMBERS and not self.typed():
            self.add_error("numbers", "Write at least one number.")
        if len(self.typed()) > NUMBERS_AT_MOST:
            self.add_error("numbers", f"At most {NUMBERS_AT_MOST} numbers; place a second hold for the rest.")
        return found

    def typed(self) -> list[str]:
        """The numbers as they were typed, where the hold is about numbers."""
        if self.cleaned_data.get("scope") != NUMBERS:
            return []
        lines = self.cleaned_data.get("numbers", "").replace(";", "\n").replace(",", "\n").splitlines()
        return [line.strip() for line in lines if line.strip()]

    def starts_at(self) -> datetime | None:
        """The first instant that is kept, by the days of the client's zone."""
        return self._midnight(self.cleaned_data.get("from_on"))

    def stops_at(self) -> datetime | None:
        """The first instant that is kept no more."""
        day: date | None = self.cleaned_data.get("until_on")
        return self._midnight(None if day is None else day + timedelta(days=1))

    def _midnight(self, day: date | None) -> datetime | None:
        if day is None or self.cleaned_data["scope"] == CALLS:
            return None
        return datetime.combine(day, time.min, tzinfo=self.zone)


class ReviewForm(_PeopleForm):
    """That a hold goes on."""

    reason = _reason("Why it is still needed")
    field_order = ("reason",)


class LiftForm(forms.Form):
    """Why a hold ends, and the counts that the person was shown."""

    reason = _reason("Why it may end")
    calls = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    recordings = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    transcripts = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    redactions = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    numbers = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    evidence = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    requests = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    reasons = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    own = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    # A page that was open during an upgrade has neither: it showed none.
    asked = forms.IntegerField(min_value=0, required=False, widget=forms.HiddenInput)
    people = forms.IntegerField(min_value=0, required=False, widget=forms.HiddenInput)


class AddCallForm(forms.Form):
    hold = forms.ModelChoiceField(Hold.objects.none())

    def __init__(self, *args: Any, client: Client, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast("forms.ModelChoiceField[Hold]", self.fields["hold"]).queryset = holds_of(client)
