"""What the forms of every room say alike."""

from __future__ import annotations

from django import forms

NOT_LISTED = "Pick one from the list."
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
