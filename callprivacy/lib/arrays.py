"""Conditions over many values at once, as one parameter: thousands of them take the driver longer than the query."""

from collections.abc import Iterable
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import BigIntegerField, BooleanField, F, Field, Func, TextField, Value


class _Among(Func):
    """`column = ANY (array)`, which PostgreSQL makes of `column IN (...)` as well."""

    template = "(%(expressions)s))"
    arg_joiner = " = ANY ("


def among(
    column: str, values: Iterable[int] | Iterable[str], kind: type[Field[Any, Any]] = BigIntegerField
) -> Func:
    """A condition for `filter`: the column is one of these."""
    given = Value(list(values), output_field=ArrayField(kind()))
    return _Among(F(column), given, output_field=BooleanField())


def among_texts(column: str, values: Iterable[str]) -> Func:
    return among(column, values, TextField)
