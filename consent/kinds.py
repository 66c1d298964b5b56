"""What of consent may wait for a person; `ready()` makes the kinds known. Each concern registers its own."""

from __future__ import annotations


def register_all() -> None:
    """Make every kind known."""
