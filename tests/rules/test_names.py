"""No public name of a service, a selector or a channel is there for tests alone."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from tests.rules import source

_ROOMS = {"services", "selectors", "channels"}
_MADE = re.compile(r"^(?:def|class) ([A-Za-z]\w*)", re.MULTILINE)
_WORD = re.compile(r"\w+")


def _unused(files: dict[Path, str], others: list[str]) -> list[str]:
    """Functions and classes whose name stands nowhere but where they are made."""
    words = Counter(_WORD.findall("\n".join([*files.values(), *others])))
    return [
        f"{file}: {name}"
        for file, text in files.items()
        if _ROOMS & {*file.parts, file.stem}
        for name in _MADE.findall(text)
        if words[name] == 1
    ]


def test_every_public_name_is_used_by_our_own_code() -> None:
    files = {file.relative_to(source.ROOT): file.read_text(encoding="utf-8") for file in source.files()}
    others = [
        file.read_text(encoding="utf-8")
        for folder in ("templates", "bench", "tools")
        for file in (source.ROOT / folder).rglob("*.*")
        if file.suffix in {".py", ".html", ".txt"}
    ]

    assert _unused(files, others) == []


def test_a_name_that_nobody_uses_is_found() -> None:
    text = "def made() -> None: ...\ndef used() -> None: ...\ndef _own() -> None: ...\nused()\n"

    assert _unused({Path("room/services/one.py"): text, Path("room/views.py"): text}, []) == []
    assert _unused({Path("room/services/one.py"): text}, []) == ["room/services/one.py: made"]
