"""A name is one line: with a line break it forges a line of a mail, a log or a file."""

import ast
import itertools
from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from allauth.core import context as allauth_context
from django import forms
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.test import RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.module_loading import import_string
from pydantic import TypeAdapter, ValidationError

import governance.api  # noqa: F401  its models are found among the subclasses
from callprivacy.accounts import adapter
from callprivacy.accounts import forms as account_forms
from callprivacy.lib.forms import LineField, OneLineTexts
from consent.api import Strict
from tests.cast import Cast
from tests.rules import source

BREAKS = ("\n", "\r\n", "\r", "\x0b", "\x85", "\u2028")


def test_text_fields_of_forms_are_of_one_line_or_a_text_area() -> None:
    wrong = [
        f"{file.name}:{node.lineno}"
        for file in source.files()
        for node in source.nodes(file)
        if isinstance(node, ast.Call)
        and (
            ast.unparse(node.func) in {"forms.EmailField", "forms.URLField"}
            or (ast.unparse(node.func) == "forms.CharField" and "Textarea" not in ast.unparse(node))
        )
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


# --- Each field of each form, with a break sent to it ---

IN_THE_MIDDLE = (
    "Ann{}Bcc: x@y.example", "12{}34", "a{}b", "+1415555{}0101", "(415) 555{}0101", "US-CA{}US-NY", "#2f5d{}62",
    "x@y{}z.example", '"x{}y"@z.example', "https://x{}y.example/", "https://x.example/a{}b", "2026-01-01{}10:00",
    "123e4567-e89b-12d3-{}a456-426614174000", "0" * 63 + "{}0",
)  # fmt: skip


def _forms() -> list[type[forms.BaseForm]]:
    """Every form class of ours, once every page's module is there."""
    _ = [one.callback for one in _patterns(get_resolver().url_patterns)]
    found = {one for one in _kinds_of(forms.BaseForm) if one.__module__.split(".")[0] in source.CODE}
    return sorted(found, key=lambda one: f"{one.__module__}.{one.__qualname__}")


def _patterns(patterns: Iterable[Any]) -> Iterator[URLPattern]:
    for one in patterns:
        if isinstance(one, URLResolver):
            yield from _patterns(one.url_patterns)
        else:
            yield one


def _kinds_of(base: type[Any]) -> Iterator[Any]:
    for part in base.__subclasses__():
        yield part
        yield from _kinds_of(part)


def _taken(field: forms.Field) -> list[str]:
    """What a field of one line takes with a break in it, sent in a form of its own."""
    form_of = type("Form", (forms.Form,), {"field": field})
    taken = []
    signs = (*BREAKS, "\x00") if isinstance(field, forms.CharField) else ("\n",)
    for sign, text in itertools.product(signs, IN_THE_MIDDLE):
        form = form_of({"field": text.format(sign)})
        form.full_clean()
        value = form.cleaned_data.get("field")
        is_text = isinstance(field, forms.CharField) or text.format(sign) in (
            value if isinstance(value, list) else [value]
        )
        if "field" not in form.errors and is_text:
            taken.append(text.format(sign))
    return taken


def _is_one_line(field: forms.Field) -> bool:
    """Neither a text area nor the signed answer of a key, which the browser writes as JSON."""
    return not isinstance(field.widget, forms.Textarea) and not isinstance(field, forms.JSONField)


def test_each_field_of_each_form_takes_no_break() -> None:
    found = _forms()
    assert len(found) > 150
    taken = {
        f"{form.__module__}.{form.__qualname__}.{name}": texts
        for form in found
        if not issubclass(form, OneLineTexts)
        for name, field in getattr(form, "base_fields", {}).items()
        if _is_one_line(field) and (texts := _taken(field))
    }
    assert taken == {}


@pytest.mark.parametrize(
    "field",
    [forms.CharField(), forms.EmailField(), forms.URLField(assume_scheme="https")],
    ids=lambda field: type(field).__name__,
)
def test_a_field_that_takes_a_break_is_found(field: forms.Field) -> None:
    assert _taken(field)


def test_the_library_takes_its_forms_of_texts_from_ours(rf: RequestFactory) -> None:
    """A page of the sign-in library that is open has a form of ours, which refuses line breaks."""
    ours = {import_string(path) for path in (settings.ACCOUNT_FORMS | settings.MFA_FORMS).values()}
    views: dict[Any, Any] = {
        one.name: getattr(one.callback, "view_class", None) for one in _patterns(get_resolver().url_patterns)
    }
    del views["account_confirm_login_code"]  # nobody asks for a code to sign in with: the page leads away
    built = [view() for view in views.values() if hasattr(view, "get_form_class")]
    for view in built:
        view.setup(rf.post("/"))
    found = ours | {view.get_form_class() for view in built}
    assert found > ours
    assert {
        form.__qualname__
        for form in found
        if not issubclass(form, OneLineTexts)
        and any(
            isinstance(field, forms.CharField) and _is_one_line(field) for field in form.base_fields.values()
        )
    } == {"AddEmailForm", "SetPasswordForm", "SignupForm"}, "other pages than those that are closed"


@pytest.mark.django_db
def test_each_text_of_the_librarys_forms_takes_no_break(cast: Cast, rf: RequestFactory) -> None:
    request = rf.get("/")
    request.session = SessionStore()
    request.user = cast.alice.user
    key = SimpleNamespace(wrap=lambda: SimpleNamespace(name="Laptop"))
    with allauth_context.request_context(request):
        built = [
            account_forms.SignInForm(request=request),
            account_forms.PasswordAgainForm(user=cast.alice.user),
            account_forms.ChangePasswordForm(user=cast.alice.user),
            account_forms.ResetPasswordForm(user=cast.alice.user, temp_key="key"),
            adapter.AskForLinkForm(),
            adapter.ActivateCodesForm(user=cast.alice.user),
            adapter.AddKeyForm(user=cast.alice.user),
            adapter.RenameKeyForm(instance=key),
            adapter.SecondFactorForm(user=cast.alice.user),
            adapter.SecondFactorAgainForm(user=cast.alice.user),
        ]
    assert {type(form) for form in built} == {form for form in _forms() if issubclass(form, OneLineTexts)}
    taken = {
        f"{type(form).__qualname__}.{name}": texts
        for form in built
        for name, field in form.fields.items()
        if _is_one_line(field) and (texts := _taken(field))
    }
    assert taken == {}


# --- The interfaces for programs ---


def _texts() -> list[tuple[str, str, type[Strict]]]:
    """Every part of what the interfaces for programs take: its model's name, its own, its model."""
    return [(model.__name__, name, model) for model in _parts(Strict) for name in model.model_fields]


def _parts(base: type[Strict]) -> list[type[Strict]]:
    return [inner for part in base.__subclasses__() for inner in (part, *_parts(part))]


@pytest.mark.parametrize(("part", "name", "model"), _texts())
def test_the_interface_takes_no_break(part: str, name: str, model: type[Strict]) -> None:
    """Alone, in a list, as a key and as a value."""
    taker = TypeAdapter(model)
    for sign, text in itertools.product((*BREAKS, "\x00"), IN_THE_MIDDLE):
        sent = text.format(sign)
        for value in (sent, [sent], {"reference": sent}, {sent: "reference"}):
            with pytest.raises(ValidationError) as caught:
                taker.validate_python({name: value})
            assert any(error["loc"][0] == name for error in caught.value.errors()), (part, value)
