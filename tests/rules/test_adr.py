"""The list of decisions names each one, by its title, once; at most 25 are current."""

import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent.parent / "docs" / "adr"
_LINE = re.compile(r"^- (\d+)\. \[(.+)\]\((\d{4}-[a-z0-9-]+\.md)\)$", re.MULTILINE)
_TITLE = re.compile(r"# (\d+)\. (.+)")
_LINK = re.compile(r"\badr/(\d{4})(?:-[a-z0-9-]+\.md)?")
_MOST = 25


def _is(file: Path) -> tuple[str, str, str]:
    title = _TITLE.match(file.read_text(encoding="utf-8"))
    assert title, f"{file.name} begins with its number and title"
    return title[1], title[2], file.name


def test_the_list_of_decisions_is_whole() -> None:
    listed = _LINE.findall((FOLDER / "README.md").read_text(encoding="utf-8"))

    assert listed == [_is(file) for file in sorted(FOLDER.glob("[0-9]*.md"))]
    assert len(listed) <= _MOST


def test_a_page_links_to_current_decisions_only() -> None:
    current = {file.name[:4] for file in FOLDER.glob("[0-9]*.md")}
    for page in FOLDER.parent.glob("*.md"):
        assert set(_LINK.findall(page.read_text(encoding="utf-8"))) <= current, page.name
