"""A goal as a person sets it."""

from decimal import Decimal
from typing import Any

from django import forms

from analytics.enums import GoalMeasure, GoalPeriod, GoalSide


class GoalForm(forms.Form):
    measure = forms.ChoiceField(label="Measure", choices=GoalMeasure.choices)
    missed = forms.ChoiceField(label="Missed when it is", choices=GoalSide.choices)
    value = forms.DecimalField(
        label="Value",
        min_value=0,
        max_value=10_000_000,
        decimal_places=2,
        help_text="Enter a share in percent, such as 80, or a cost in the client's currency.",
    )
    period = forms.ChoiceField(label="In", choices=GoalPeriod.choices)

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        value, measure = found.get("value"), found.get("measure")
        if value is None or measure is None:
            return found
        if GoalMeasure(measure).is_share and value > 100:
            self.add_error("value", "A share cannot exceed 100 percent. Enter 100 or less.")
        if GoalMeasure(measure).is_count and value != int(value):
            self.add_error("value", "Enter a whole number of calls.")
        return found

    @property
    def hundredths(self) -> int:
        """The value; only after `is_valid()`."""
        return int(self.cleaned_data["value"] * Decimal(100))
