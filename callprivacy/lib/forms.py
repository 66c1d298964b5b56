"""What the forms of every room say alike."""

from datetime import date, datetime
from typing import Any

from django import forms

NOT_LISTED = "Pick one from the list."
# A call's id cannot say an earlier one, and the last days of all have no next one in any zone.
FIRST_DAY, LAST_DAY = date(1971, 1, 1), date(2999, 12, 31)
NO_DAY = f"Write a day of the years {FIRST_DAY.year} to {LAST_DAY.year}."
_OF_A_LIST = (
    forms.ChoiceField,
    forms.MultipleChoiceField,
    forms.ModelChoiceField,
    forms.ModelMultipleChoiceField,
)


def repeat_nothing() -> None:
    """
    Let no field of choices repeat what came instead of one: Django's message does, and a filter's value may be a number
    that somebody wrote into the address.
    """
    for field in _OF_A_LIST:
        field.default_error_messages = {**field.default_error_messages, "invalid_choice": NOT_LISTED}


class DayField(forms.DateField):
    """A day, by the browser's own picker. Every zone has it, the day before and the day after."""

    widget = forms.DateInput({"type": "date"}, format="%Y-%m-%d")
    default_error_messages = {"no_day": NO_DAY}

    def to_python(self, value: Any) -> date | None:
        day = super().to_python(value)
        if day is not None and not FIRST_DAY <= day <= LAST_DAY:
            raise forms.ValidationError(self.error_messages["no_day"], code="no_day")
        return day


class MomentField(forms.DateTimeField):
    """A day and a time, by the browser's own picker. Every zone has it."""

    widget = forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    default_error_messages = {"no_day": NO_DAY}

    def to_python(self, value: Any) -> datetime | None:
        moment = super().to_python(value)
        if moment is not None and not FIRST_DAY <= moment.date() <= LAST_DAY:
            raise forms.ValidationError(self.error_messages["no_day"], code="no_day")
        return moment


class PhoneInput(forms.TelInput):
    """An input that does not print a submitted number again."""

    def format_value(self, value: Any) -> None:
        return None


class LineField(forms.CharField):
    """Text of one line: a name with a line break in it forges a line of a mail, a log or a file."""

    default_error_messages = {"line_break": "Write it on one line."}

    def to_python(self, value: Any) -> str:
        text = str(super().to_python(value) or "")
        if text.splitlines() not in ([], [text]):
            raise forms.ValidationError(self.error_messages["line_break"], code="line_break")
        return text


class EmailLineField(LineField, forms.EmailField):
    """An e-mail address; Django's own field takes some line breaks in it."""


class URLLineField(LineField, forms.URLField):
    """An address on the web; Django's own field takes some line breaks in it."""


class OneLineTexts:
    """A library's form, whose texts are on one line as those of a `LineField` are."""

    fields: dict[str, forms.Field]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        line = LineField(required=False, strip=False)
        for field in self.fields.values():
            if isinstance(field, forms.CharField) and not isinstance(field, forms.JSONField):
                field.validators.append(line.clean)
