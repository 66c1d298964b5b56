from __future__ import annotations

from collections.abc import Iterator

from django import forms
from django.urls import get_resolver

from callprivacy.lib.forms import NOT_LISTED

_NOT_OURS = ("django", "allauth", "axes", "guardian", "tests")


def _below(kind: type[forms.BaseForm]) -> Iterator[type[forms.BaseForm]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)


def test_no_list_of_choices_repeats_what_came_instead_of_one() -> None:
    assert get_resolver().url_patterns, "what loads every room's forms"
    ours = [form for form in _below(forms.BaseForm) if not form.__module__.startswith(_NOT_OURS)]
    fields = [
        field
        for form in ours
        for field in getattr(form, "base_fields", {}).values()
        if isinstance(field, (forms.ChoiceField, forms.ModelChoiceField))
    ]
    assert len(fields) > 100
    assert {field.error_messages["invalid_choice"] for field in fields} == {NOT_LISTED}
