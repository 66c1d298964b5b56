"""What people type of training."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, cast

from django import forms

from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership
from governance.courses import Asked, courses
from governance.forms.vendors import day_field

_COURSES = [(name, course.title) for name, course in courses().items()]


class AnswersForm(forms.Form):
    """
    The questions of one try: a field `q_NUMBER` each, whose value is the place of the answer on the page. The course
    names the right answer first, and its own order is not told.
    """

    def __init__(self, *args: Any, drawn: Sequence[Asked], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.drawn = drawn
        for one in drawn:
            self.fields[f"q_{one.number}"] = forms.TypedChoiceField(
                label=one.question.words,
                choices=[(str(shown), words) for shown, (_, words) in enumerate(one.choices)],
                coerce=int,
                widget=forms.RadioSelect,
                error_messages={"required": "Pick an answer."},
            )

    def answers(self) -> dict[int, int]:
        """Number of the question -> place of the answer in the course."""
        return {one.number: one.choices[self.cleaned_data[f"q_{one.number}"]][0] for one in self.drawn}


class RulesForm(forms.Form):
    """Which roles take a course; a field for each, empty where it need not."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for role in Role:
            self.fields[role.value] = forms.IntegerField(
                label=role.label,
                min_value=1,
                max_value=365,
                required=False,
                help_text="days from joining",
            )

    def within(self) -> dict[Role, int]:
        """Role -> days."""
        return {role: days for role in Role if (days := self.cleaned_data.get(role.value))}


class _People(forms.Form):
    def __init__(self, *args: Any, people: Sequence[Membership], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.MultipleChoiceField, self.fields["people"]).choices = [
            (str(row.user_id), f"{row.user} ({row.get_role_display()})") for row in people
        ]


class AssignForm(_People):
    """Have people take a course, whatever their role says."""

    course = forms.ChoiceField(label="Course", choices=_COURSES)
    due_on = day_field("To be passed by")
    people = forms.MultipleChoiceField(label="People", widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        self.fields["due_on"].initial = today + timedelta(days=14)

    def clean_due_on(self) -> date:
        day: date = self.cleaned_data["due_on"]
        if not self.today <= day <= self.today + timedelta(days=366):
            raise forms.ValidationError("Name a day within a year.")
        return day


class OutsideForm(_People):
    """A certificate from elsewhere."""

    course = forms.ChoiceField(label="It stands for", choices=_COURSES)
    people = forms.ChoiceField(label="Of whom")
    issuer = forms.CharField(label="Issued by", max_length=120)
    passed_on = day_field("Passed on")
    valid_until = day_field("Valid until")

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        passed, until = said.get("passed_on"), said.get("valid_until")
        if passed and until and until <= passed:
            self.add_error("valid_until", "That is before it was passed.")
        if passed and until and until > passed + timedelta(days=3 * 366):
            self.add_error("valid_until", "Three years at most.")
        return said
