"""What a password must hold."""

from __future__ import annotations

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ImproperlyConfigured, ValidationError
from hypothesis import given
from hypothesis import strategies as st

from callprivacy.accounts.models import User
from callprivacy.accounts.passwords import ComplexityValidator


@pytest.mark.parametrize(
    ("password", "message"),
    [
        ("correct-horse-7-battery", "Add a capital letter."),
        ("CORRECT-HORSE-7-BATTERY", "Add a small letter."),
        ("Correct-Horse-Battery", "Add a digit."),
        ("CorrectHorse7Battery", "Add a symbol such as ! or -."),
        ("Short-7-now", "Add 1 more character."),
        (
            "",
            "Add 12 more characters, a small letter, a capital letter, a digit and a symbol such as ! or -.",
        ),
    ],
)
def test_the_message_names_everything_that_is_missing(password: str, message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        ComplexityValidator().validate(password)
    assert refused.value.messages == [message]


def test_a_good_password_passes_and_eight_is_the_floor() -> None:
    ComplexityValidator(min_length=8).validate("Horse-7a")
    with pytest.raises(ImproperlyConfigured):
        ComplexityValidator(min_length=7)


@given(st.text(max_size=40))
def test_whatever_passes_holds_all_four_kinds(password: str) -> None:
    try:
        ComplexityValidator().validate(password)
    except ValidationError:
        return
    assert len(password) >= 12
    assert any(c.islower() for c in password)
    assert any(c.isupper() for c in password)
    assert any(c.isdigit() for c in password)
    assert any(not c.isalnum() and not c.isspace() for c in password)


def test_common_passwords_and_ones_own_name_are_refused_by_the_settings() -> None:
    with pytest.raises(ValidationError, match="too common"):
        validate_password("password1")
    with pytest.raises(ValidationError, match="too similar"):
        validate_password("Gwendolyn-Fairweather-7", User(email="x@y.example", name="Gwendolyn Fairweather"))
