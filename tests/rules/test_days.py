"""The day of an instant in a zone is told by one function."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.rules import source

_CALENDARS = source.ROOT / "callprivacy" / "lib" / "calendars.py"


def _told_by_hand(file: Path) -> Iterator[str]:
    """Where a file reads `at.astimezone(ZoneInfo(name)).date()`."""
    for node in source.nodes(file):
        match node:
            case ast.Call(
                func=ast.Attribute(
                    attr="date",
                    value=ast.Call(
                        func=ast.Attribute(attr="astimezone"),
                        args=[ast.Call(func=ast.Name(id="ZoneInfo"))],
                    ),
                )
            ):
                yield f"{file.relative_to(source.ROOT)}:{node.lineno}: ask calendars.day_in"


def test_the_day_in_a_zone_is_asked_of_one_function() -> None:
    files = [file for file in source.files() if file != _CALENDARS]
    assert [line for file in files for line in _told_by_hand(file)] == []


def test_a_day_that_is_told_by_hand_would_be_found() -> None:
    assert len(list(_told_by_hand(_CALENDARS))) == 1
