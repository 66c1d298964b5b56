"""A name is one line: with a line break it forges a line of a mail, a log or a file."""

from __future__ import annotations

import ast

import pytest
from django import forms
from pydantic import TypeAdapter, ValidationError

import governance.api  # noqa: F401  its models are found among the subclasses
from callprivacy.lib.forms import LineField
from consent.api import Number, Strict
from tests.rules import source

BREAKS = ("\n", "\r\n", "\r", "\x0b", "\x85", "\u2028")


def test_text_fields_of_forms_are_of_one_line_or_a_text_area() -> None:
    wrong = [
        f"{file.name}:{node.lineno}"
        for file in source.files()
        for node in source.nodes(file)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "forms.CharField"
        and "Textarea" not in ast.unparse(node)
    ]
    assert wrong == []


def test_patterns_of_fields_end_where_the_text_does() -> None:
    """`$` takes a line break behind it."""
    wrong = [
        f"{file.name}:{node.lineno}"
        for file in source.files()
        for node in source.nodes(file)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "forms.RegexField"
        and ast.unparse(node.args[0]).rstrip("'\"").endswith("$")
    ]
    assert wrong == []


@pytest.mark.parametrize("sign", BREAKS)
def test_a_line_takes_no_break(sign: str) -> None:
    field = LineField(max_length=80)
    assert field.clean(f" Ann Quill{sign}") == "Ann Quill"
    with pytest.raises(forms.ValidationError, match="on one line"):
        field.clean(f"Ann{sign}Bcc: x@y.example")


def _texts() -> list[tuple[str, str, type[Strict]]]:
    """Every text that the interfaces for programs take: its model's name, its own, its model."""
    return [
        (model.__name__, name, model)
        for model in _parts(Strict)
        for name, field in model.model_fields.items()
        if field.annotation in {str, str | None, Number, Number | None}
    ]


def _parts(base: type[Strict]) -> list[type[Strict]]:
    return [inner for part in base.__subclasses__() for inner in (part, *_parts(part))]


@pytest.mark.parametrize(("part", "name", "model"), _texts())
def test_the_interface_takes_no_break(part: str, name: str, model: type[Strict]) -> None:
    adapter = TypeAdapter(model)
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python({name: "ab\nBcc: x@y.example"})
    assert any(error["loc"][0] == name for error in caught.value.errors()), part
