"""The list of decisions names each one, by its title, once."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent.parent / "docs" / "adr"
_LINE = re.compile(r"^- (\d+)\. \[(.+)\]\((\d{4}-[a-z0-9-]+\.md)\)(?:: .+)?$", re.MULTILINE)
_TITLE = re.compile(r"# 0*(\d+)[.:] (.+)")


def _is(file: Path) -> tuple[str, str, str]:
    found = _TITLE.match(file.read_text(encoding="utf-8"))
    assert found, f"{file.name} begins with its number and title"
    return found[1], found[2], file.name


def test_the_list_of_decisions_is_whole() -> None:
    listed = _LINE.findall((FOLDER / "README.md").read_text(encoding="utf-8"))

    assert listed == [_is(file) for file in sorted(FOLDER.glob("[0-9]*.md"))]


def test_a_decision_that_takes_another_ones_place_is_named_there() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    for file in sorted(FOLDER.glob("[0-9]*.md")):
        status = file.read_text(encoding="utf-8").split("\n## ")[0].partition("\n")[2]
        taken = re.findall(
            r"(?:[Rr]eplaces in ADR|takes the place of|replaces the first point of|narrows) 0*(\d+)", status
        )
        for number in taken:
            (line,) = re.findall(rf"^- {number}\. .*$", text, re.MULTILINE)
            assert re.search(rf"by (?:\d+ and )*{int(file.name[:4])}\b", line), (file.name, line)
