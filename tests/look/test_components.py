"""The components keep their contract, and nothing in them needs an exception from the policy."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django import forms

from tests.look import pages

ROOT = Path(__file__).parents[2]
COMPONENTS = ROOT / "templates/components"

pytestmark = pytest.mark.urls("tests.look.urls")


class Refused(HTMLParser):
    """Collects what the policy would refuse: inline style, inline script, handlers, foreign addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.found += [
            f"<{tag} {name}>" for name in values if name == "style" or name.startswith(("on", "hx-on"))
        ]
        if tag == "style" or (
            tag == "script" and "src" not in values and values.get("type") != "application/json"
        ):
            self.found.append(f"<{tag}>")
        self.found += [
            f"<{tag} {name}={value}>"
            for name, value in attrs
            if name in {"src", "href", "action"} and re.match(r"[a-z]+:|//", value or "")
        ]


@pytest.mark.parametrize("page", pages.PAGES.values(), ids=pages.PAGES)
def test_page_needs_no_exception_from_the_policy(page: Callable[[], str]) -> None:
    parser = Refused()

    parser.feed(page())

    assert parser.found == []


@pytest.mark.parametrize("page", pages.PAGES.values(), ids=pages.PAGES)
def test_page_uses_an_id_once(page: Callable[[], str]) -> None:
    parser = Refused()

    parser.feed(page())

    assert sorted(parser.ids) == sorted(set(parser.ids))


def test_each_component_is_described() -> None:
    described = set(re.findall(r"^\| `(\w+)` \|", (COMPONENTS / "README.md").read_text(), re.MULTILINE))
    inner = {"flash"}

    missing = {path.stem for path in COMPONENTS.glob("*.html")} - described - inner

    assert missing == set()


@pytest.mark.parametrize(
    ("sprite", "written"),
    [
        ("icons", r'{% icon "([a-z-]+)"|\bicon="([a-z-]+)"'),
        ("pictures", r'\bpicture="([a-z-]+)"'),
    ],
)
def test_each_picture_named_in_a_template_exists(sprite: str, written: str) -> None:
    drawn = set(re.findall(r'<symbol id="([a-z-]+)"', (ROOT / f"static/dist/{sprite}.svg").read_text()))
    named = {
        name
        for path in (ROOT / "templates").rglob("*.html")
        for groups in re.findall(written, path.read_text())
        for name in ([groups] if isinstance(groups, str) else groups)
        if name
    }

    assert named <= drawn


def test_a_card_that_opens_shows_that_it_does() -> None:
    found = [
        (path.name, head)
        for path in (ROOT / "templates").rglob("*.html")
        for head in re.findall(r'<summary class="panel-head.*?</summary>', path.read_text(), re.DOTALL)
    ]
    assert found
    assert [name for name, head in found if '{% icon "chevron-down" %}' not in head] == []
    written = (ROOT / "static/dist/app.css").read_text()
    assert re.search(r"summary\.panel-head\{[^}]*cursor:pointer", written)


def test_form_error_stands_beside_its_field_and_is_tied_to_it() -> None:
    html = pages.parts()

    field = html[html.index('id="id_text"') - 200 : html.index('id="id_email"')]

    assert 'aria-invalid="true"' in field
    assert re.search(r'aria-describedby="[^"]*id_text_error', field)
    assert 'id="id_text_error"' in field
    assert "Write at least 15 characters" in field


# Forms that are laid out by hand and say by themselves what was refused.
SAYS_IT_ITSELF = {
    "calls/connection_presses.html": "of many rows at once",
    "consent/caller_found.html": "one field, and nothing typed comes back",
}


def test_a_refused_form_says_so_above_its_fields() -> None:
    class Named(forms.Form):
        name = forms.CharField()

        def clean(self) -> None:
            if self.data.get("wrong"):
                raise forms.ValidationError("No two of them.")

    untouched, refused, whole = (
        Named().as_div(),
        Named({}).as_div(),
        Named({"name": "A", "wrong": "1"}).as_div(),
    )

    assert "data-refused" not in untouched
    assert refused.count("data-refused") == whole.count("data-refused") == 1
    assert refused.index("Nothing was saved. Correct the marked fields.") < refused.index("<input")
    assert "No two of them." in whole
    assert "Nothing was saved" not in whole


def test_a_form_that_is_laid_out_by_hand_says_so_too() -> None:
    by_hand = {
        path.relative_to(ROOT / "templates").as_posix(): path.read_text()
        for path in (ROOT / "templates").rglob("*.html")
        if "components/field.html" in path.read_text()
    }

    silent = {name for name, text in by_hand.items() if "components/refused.html" not in text}

    assert silent == SAYS_IT_ITSELF.keys()


def test_shell_marks_the_page_one_is_on() -> None:
    html = pages.calls()

    current = re.findall(
        r'<a class="nav-item"[^>]*aria-current="page">.*?<span>([^<]+)</span>', html, re.DOTALL
    )

    assert current == ["Calls", "Calls"]  # the rail and the drawer


def test_searched_number_travels_in_the_body() -> None:
    html = pages.calls()

    forms = re.findall(r'<form[^>]*action="/search/"[^>]*>', html)

    assert len(forms) == 1
    assert 'method="post"' in forms[0]
