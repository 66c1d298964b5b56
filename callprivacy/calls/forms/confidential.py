"""What is asked about confidential calls: why, who sees them, and through which day."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from django import forms

from callprivacy.accounts.models import User
from callprivacy.calls.enums import ConfidentialCause
from callprivacy.calls.forms.calls import ReasonForm
from callprivacy.calls.selectors.calls import first_instant
from callprivacy.lib.forms import DayField


class _LastDay(forms.Form):
    """Through which day people see the call, in the client's time zone."""

    last_on = DayField(
        label="They see it through",
        help_text="The last day. A person is named only with one.",
        error_messages={"required": "Pick the last day."},
    )

    def __init__(self, *args: Any, people: Iterable[User], today: date, zone: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._today, self._zone = today, zone
        self.fields["people"].choices = [(user.pk, str(user)) for user in people]  # type: ignore[attr-defined]  # a field of choices

    def clean_last_on(self) -> date:
        day: date = self.cleaned_data["last_on"]
        if day < self._today:
            raise forms.ValidationError("This day is past. Pick today or a later day.")
        return day

    @property
    def ends_at(self) -> datetime:
        return first_instant(self.cleaned_data["last_on"] + timedelta(days=1), self._zone)


class MarkForm(_LastDay, ReasonForm):
    """Why a call becomes confidential, and who sees it beside the officer."""

    people = forms.TypedMultipleChoiceField(
        label="Other people who see it",
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="You see it yourself. Only people who view the client's calls can be named.",
    )

    field_order = ("people", "last_on", "reason")


class RulesForm(forms.Form):
    causes = forms.MultipleChoiceField(
        label="Rules",
        required=False,
        choices=[choice for choice in ConfidentialCause.choices if choice[0] != ConfidentialCause.OFFICER],
        widget=forms.CheckboxSelectMultiple,
    )


class NameForm(_LastDay):
    """One more person who sees a confidential call; who is named already gets the new last day."""

    people = forms.TypedChoiceField(label="Person", coerce=int, error_messages={"required": "Pick a person."})

    field_order = ("people", "last_on")


class RemoveForm(forms.Form):
    user = forms.IntegerField(min_value=1, max_value=2**63 - 1)
