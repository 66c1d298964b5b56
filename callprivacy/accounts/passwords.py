"""
What a password must hold: a small and a capital letter, a digit and a symbol, and at least twelve characters.

An installation may lower the length, never below eight.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured, ValidationError

FLOOR = 8


class ComplexityValidator:
    """Names everything that is missing at once, so that nobody has to guess twice."""

    def __init__(self, min_length: int = 12) -> None:
        if min_length < FLOOR:
            raise ImproperlyConfigured(f"Passwords have at least {FLOOR} characters; write {FLOOR} or more.")
        self.min_length = min_length

    def validate(self, password: str, user: Any = None) -> None:
        """
        Check a password.

        :raises ValidationError: with one sentence that lists what to add.
        """
        lacking = self._lacking(password)
        if lacking:
            raise ValidationError(f"Add {_listed(lacking)}.", code="password_too_simple")

    def get_help_text(self) -> str:
        """The rule, before anybody breaks it."""
        return f"At least {self.min_length} characters: small and capital letters, a digit and a symbol."

    def _lacking(self, password: str) -> list[str]:
        checks = (
            (any(letter.islower() for letter in password), "a small letter"),
            (any(letter.isupper() for letter in password), "a capital letter"),
            (any(letter.isdigit() for letter in password), "a digit"),
            (
                any(not letter.isalnum() and not letter.isspace() for letter in password),
                "a symbol such as ! or -",
            ),
        )
        lacking = [words for holds, words in checks if not holds]
        short = self.min_length - len(password)
        if short > 0:
            lacking.insert(0, f"{short} more character{'' if short == 1 else 's'}")
        return lacking


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
