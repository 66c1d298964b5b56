from collections.abc import Iterator

import pytest
from django import forms
from django.urls import get_resolver

from callprivacy.lib.forms import NO_DAY, NOT_LISTED, DayField, MomentField

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


class _Days(forms.Form):
    day = DayField(required=False)
    moment = MomentField(required=False)


@pytest.mark.parametrize("typed", ["0001-01-01", "0999-12-31", "1970-12-31", "3000-01-01", "9999-12-31"])
def test_a_day_that_no_calendar_of_ours_has_is_refused_beside_the_field(typed: str) -> None:
    form = _Days({"day": typed, "moment": f"{typed}T12:00"})
    assert form.errors == {"day": [NO_DAY], "moment": [NO_DAY]}


@pytest.mark.parametrize("typed", ["1971-01-01", "2026-11-24", "2999-12-31"])
def test_other_days_are_read(typed: str) -> None:
    form = _Days({"day": typed, "moment": f"{typed}T23:59"})
    assert form.is_valid()
    assert form.cleaned_data["day"].isoformat() == typed
    assert form.cleaned_data["moment"].strftime("%Y-%m-%dT%H:%M") == f"{typed}T23:59"
    assert f'type="date" name="day" value="{typed}"' in str(form["day"])


def test_no_day_is_still_no_day() -> None:
    form = _Days({"day": "", "moment": ""})
    assert form.is_valid()
    assert form.cleaned_data == {"day": None, "moment": None}
