"""
No public name of a service, a selector, a channel or a provider, no constant, no method of a queryset and no component
is there for tests alone.
"""

import re
from collections import Counter
from pathlib import Path

from tests.rules import source

_ROOMS = {"services", "selectors", "channels", "providers"}
_MADE = re.compile(r"^(?:def|class) ([A-Za-z]\w*)", re.MULTILINE)
_CONSTANT = re.compile(r"^([A-Z][A-Z_0-9]+)\b", re.MULTILINE)
_METHOD = re.compile(r"^    def ([a-z]\w*)", re.MULTILINE)
_QUERYSET = re.compile(r"^class \w+QuerySet\b.*\n(?:(?:    .*)?\n)*", re.MULTILINE)
_WORD = re.compile(r"\w+")
_COMPONENT = re.compile(r"components/(\w+)\.html")

_SETTINGS = Path("callprivacy/settings.py")
"""What stands there is read by Django and others."""
_OF_PYTHON = {"handle_starttag", "handle_endtag", "handle_data", "header_fetch_parse"}
"""What a parser of Python's asks of ours."""


def _made(file: Path, text: str) -> list[str]:
    """Names that a file makes and that somebody of ours has to use."""
    made = [] if file == _SETTINGS else _CONSTANT.findall(text)
    if _ROOMS & {*file.parts, file.stem}:
        made += _MADE.findall(text) + _METHOD.findall(text)
    else:
        made += [name for body in _QUERYSET.findall(text) for name in _METHOD.findall(body)]
    return [name for name in made if name not in _OF_PYTHON]


def _unused(files: dict[Path, str], others: list[str]) -> list[str]:
    """Names that stand nowhere but where they are made."""
    words = Counter(_WORD.findall("\n".join([*files.values(), *others])))
    return [
        f"{file}: {name}" for file, text in files.items() for name in _made(file, text) if words[name] == 1
    ]


def test_every_public_name_is_used_by_our_own_code() -> None:
    files = {file.relative_to(source.ROOT): file.read_text(encoding="utf-8") for file in source.files()}
    others = [
        file.read_text(encoding="utf-8")
        for folder in ("templates", "lab", "tools")
        for file in (source.ROOT / folder).rglob("*.*")
        if file.suffix in {".py", ".html", ".txt"}
    ]

    assert _unused(files, others) == []


def test_a_name_that_nobody_uses_is_found() -> None:
    text = "def made() -> None: ...\ndef used() -> None: ...\ndef _own() -> None: ...\nused()\n"

    assert _unused({Path("room/services/one.py"): text, Path("room/views.py"): text}, []) == []
    assert _unused({Path("room/services/one.py"): text}, []) == ["room/services/one.py: made"]


def test_a_constant_and_a_method_that_nobody_uses_are_found() -> None:
    models = (
        "MADE = 1\nclass CallQuerySet(Rows):\n    def held(self): ...\n\n    def open(self): ...\n"
        "class Call(Model):\n    def save(self): ...\n"
    )
    room = (
        "class Answer:\n    def by_code(self): ...\n    def _own(self): ...\n    def handle_data(self): ...\n"
    )

    assert _unused({Path("room/models.py"): models}, ["open(Rows, Model)"]) == [
        "room/models.py: MADE",
        "room/models.py: held",
    ]
    assert _unused({Path("room/services/one.py"): room}, ["Answer"]) == ["room/services/one.py: by_code"]
    assert _unused({_SETTINGS: "MADE = 1\n"}, []) == []


def test_every_component_is_drawn_by_a_page_of_ours() -> None:
    folder = source.ROOT / "templates"
    texts = {file: file.read_text(encoding="utf-8") for file in [*folder.rglob("*.html"), *source.files()]}
    components = list((folder / "components").glob("*.html"))

    assert components
    for component in components:
        drawn = {
            name for file, text in texts.items() if file != component for name in _COMPONENT.findall(text)
        }
        assert component.stem in drawn, f"nothing draws {component.name}"
