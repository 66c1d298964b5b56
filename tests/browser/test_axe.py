"""
axe-core finds nothing on any page that a compliance officer can reach by links, light and dark.

In the suite it looks at the pages before the door and at those that are used most, in both themes. The walk over all
others is left to `make assure`, which looks at about a quarter of them, always the same ones, and asks for the others
alone: they answer, have a title and one heading of the first rank, and lead on; whether the browser complains of them
is not seen. Most that are looked at have their colours measured in one of the themes: the stylesheet takes them from
the same few names everywhere. What looks the same all the way up is measured twice in a walk. `make attack` looks at
every page in both.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import pytest
from django.urls import Resolver404, resolve

from tests import scale
from tests.browser.axe import AXE, THEMES, Looks, Theme, findings, stays_with
from tests.browser.site import Visitor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import APIResponse, Page, Response

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not AXE.exists(), reason="axe-core is not there: npm ci"),
]

OPEN = ["/accounts/login/", "/accounts/password/reset/", "/accounts/signup/", "/mail/", "/nowhere/"]
# Looked at in both themes in the suite, as those before the door are.
MAIN = {"/overview/", "/work/", "/calls/", "/clients/*/", "/clients/*/calls/*/"}
# Not followed: what ends the visit, what is a file, and callers' and requests' pages, which have tests of their own.
NOT_FOLLOWED = re.compile(
    r"/logout/|/file/|/refused/|/picture/|/(?:csv|xlsx|pdf)/$|(?:rules|record)\.csv|openapi\.json|gpc\.json|^/r/|^/static/"
    r"|^/operator/|/training/passed/"
)
_ANY = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}"), "*"),
    (re.compile(r"(?<=/)\d+(?=/)"), "*"),
    (re.compile(r"(?<=/clients/)(?!new/)[^/]+(?=/)"), "*"),
)


def shape(path: str) -> str:
    """A page's address with marks in place of what it is about."""
    for pattern, mark in _ANY:
        path = pattern.sub(mark, path)
    return path


def _view(path: str) -> str:
    """What pages that come from the same lines of code have in common."""
    try:
        return resolve(path).route
    except Resolver404:
        return path


def themes_of(path: str) -> tuple[Theme, ...]:
    """In which themes a page's colours are measured: by its view, so that a page has the same one every time."""
    one = THEMES[zlib.crc32(_view(path).encode()) % len(THEMES)]
    return scale.times((one,), THEMES) if path not in OPEN and shape(path) not in MAIN else THEMES


def is_looked_at(path: str) -> bool:
    """Whether axe looks at a page: at those that are used most, and in a walk that is no attack at a quarter of all."""
    return scale.times(
        shape(path) in MAIN or zlib.crc32(f"looked at: {_view(path)}".encode()) % 4 == 0, many=True
    )


_ON_THE_PAGE = (
    "() => ({links: [...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href')),"
    " title: document.title, ranks: document.querySelectorAll('h1').length})"
)


@dataclass
class Shown:
    """What a page says of itself."""

    links: list[str] = field(default_factory=list)
    title: str = ""
    ranks: int = 0


class _Reader(HTMLParser):
    """The same without a browser."""

    def __init__(self) -> None:
        super().__init__()
        self.shown, self._is_title = Shown(), False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a" and (to := dict(attrs).get("href")):
            self.shown.links.append(to)
        self.shown.ranks += tag == "h1"
        self._is_title = tag == "title" and not self.shown.title

    def handle_data(self, data: str) -> None:
        if self._is_title:
            self.shown.title, self._is_title = " ".join(data.split()), False


def read(text: str) -> Shown:
    """What a page says of itself, from its text."""
    reader = _Reader()
    reader.feed(text)
    return reader.shown


@dataclass
class Walk:
    """
    What a walk came by.

    :ivar seen: a page's shape -> its address. `looked`: the shapes of those that axe looked at.
    """

    seen: dict[str, str] = field(default_factory=dict)
    looked: set[str] = field(default_factory=set)
    found: list[str] = field(default_factory=list)


def _asked(page: Page, url: str, *, looks: bool) -> tuple[Response | APIResponse, bool]:
    """A page, opened or only asked for; one whose turn it is is opened, whatever leads there."""
    answer = None if looks else page.request.get(url)
    if answer is not None and not is_looked_at(urlsplit(answer.url).path):
        return answer, False
    opened = page.goto(url)
    assert opened is not None
    return opened, True


def _faults(path: str, shown: Shown) -> Iterator[str]:
    """What needs no browser to be found."""
    if not shown.title.endswith(" - CallPrivacy") or shown.title.startswith(" "):
        yield f"{path}: the title is {shown.title!r}"
    if shown.ranks != 1:
        yield f"{path}: {shown.ranks} headings of the first rank"


def walk(visitor: Visitor, start: list[str], *, follow: bool) -> Walk:
    """
    Open one page of each view.

    The frame around pages is looked at once, on the first one.
    """
    page, waiting, views, walked = visitor.page, list(start), set[str](), Walk()
    linked_on: dict[str, str] = {}
    stays_with(page)
    measured: Looks | None = scale.times(Looks(), None)
    while waiting:
        path = waiting.pop(0)
        if _view(path) in views:
            continue
        looks = not follow or not views or is_looked_at(path)
        answer, looks = _asked(page, visitor.site.url + path, looks=looks)
        if answer.status == 404 and path in linked_on and not _is_linked(visitor, linked_on[path], path):
            # What it is about was done since, by a job or by another test.
            visitor.complaints[:] = [said for said in visitor.complaints if f"{path}: " not in said]
            continue
        if follow and not answer.ok:
            walked.found.append(f"{path}: linked, and answers {answer.status}")
        there = urlsplit(answer.url).path
        walked.seen |= {shape(path): path, shape(there): there}
        arrived = _view(there)
        if follow and arrived in views:
            views.add(_view(path))
            continue
        if looks:
            shown = Shown(**page.evaluate(_ON_THE_PAGE))
            framed = follow and bool(views)
            said_here = findings(page, framed=framed, themes=themes_of(there), measured=measured)
            walked.found += [f"{path}: {said}" for said in said_here]
            walked.looked.add(shape(there))
        else:
            shown = read(answer.text())
        views |= {_view(path), arrived}
        walked.found += _faults(path, shown)
        for link in shown.links if follow else []:
            to = urlsplit(urljoin(answer.url, link))
            if f"{to.scheme}://{to.netloc}" == visitor.site.url and not NOT_FOLLOWED.search(to.path):
                waiting.append(to.path)
                linked_on.setdefault(to.path, path)
    return walked


def _is_linked(visitor: Visitor, there: str, path: str) -> bool:
    """Whether a page leads to a path as it is now."""
    shown = read(visitor.page.request.get(visitor.site.url + there).text())
    return any(urlsplit(urljoin(visitor.site.url + there, link)).path == path for link in shown.links)


@pytest.mark.thorough
def test_every_page_of_the_officer_is_clean(visitor: Visitor) -> None:
    visitor.come_in()
    walked = walk(visitor, ["/"], follow=True)

    assert walked.found == []
    assert walked.looked >= MAIN
    assert len(walked.looked) > len(walked.seen) / scale.times(6, 1.2)
    # The walk has been everywhere that matters, and would notice a navigation that is lost.
    assert {
        "/", "/overview/", "/work/", "/clients/", "/clients/*/", "/clients/*/connections/", "/clients/*/imports/new/",
        "/clients/*/policies/preview/", "/clients/*/policies/go-live/", "/calls/", "/clients/*/calls/*/",
        "/clients/*/calls/*/reveal/", "/retention/", "/retention/policies/", "/retention/calendar/", "/trail/",
        "/people/", "/people/matrix/", "/people/*/sees/", "/notifications/", "/accounts/password/change/",
        "/accounts/sessions/",
    } <= walked.seen.keys()  # fmt: skip


def test_the_pages_that_are_used_most_are_clean(visitor: Visitor) -> None:
    visitor.sign_in()
    main = ["/overview/", "/work/", "/calls/"]
    shown = [visitor.page.request.get(visitor.site.url + path).text() for path in ("/clients/", "/calls/")]
    linked = {
        shape(path): path for path in (urlsplit(link).path for text in shown for link in read(text).links)
    }
    walked = walk(visitor, main + [linked[one] for one in sorted(MAIN - set(main))], follow=False)

    assert walked.found == []
    assert walked.looked == MAIN


def test_the_pages_before_the_door_are_clean(visitor: Visitor) -> None:
    assert walk(visitor, OPEN, follow=False).found == []
    visitor.complaints[:] = [said for said in visitor.complaints if " 404 " not in said]


def test_a_page_that_is_only_read_says_what_it_would_say_in_the_browser(visitor: Visitor) -> None:
    visitor.sign_in()
    for path in ("/overview/", "/work/", "/calls/", "/accounts/sessions/", "/nowhere/"):
        answer = visitor.page.goto(visitor.site.url + path)
        assert answer is not None
        seen = Shown(**visitor.page.evaluate(_ON_THE_PAGE))
        # The same answer, for a job may have changed what another one says.
        assert read(answer.text()) == seen
    visitor.complaints[:] = [said for said in visitor.complaints if " 404 " not in said]


_FAINT = """theme => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(`@media (prefers-color-scheme: ${theme}) { h1 { color: #777; background: #888 } }`);
    document.adoptedStyleSheets = [sheet];
    document.body.appendChild(document.createElement('button'));
}"""


@pytest.mark.parametrize("theme", THEMES)
def test_faint_colours_are_found_in_their_theme_and_all_else_in_the_first(
    visitor: Visitor, theme: Theme
) -> None:
    visitor.open("/accounts/login/")
    visitor.page.evaluate(_FAINT, theme)

    def found(*themes: Theme, measured: Looks | None = None, framed: bool = False) -> set[str]:
        all_said = findings(visitor.page, themes=themes, measured=measured, framed=framed)
        return {": ".join(said.split(": ")[:2]) for said in all_said}

    assert found(theme) == {f"{theme}: button-name", f"{theme}: color-contrast"}
    (other,) = set(THEMES) - {theme}
    assert found(other) == {f"{other}: button-name"}
    assert found(other, theme) == {f"{other}: button-name", f"{theme}: color-contrast"}

    walked: Looks = {}
    assert found(other, measured=walked) == {f"{other}: button-name"}
    for _ in range(2):
        assert found(theme, measured=walked) == {f"{theme}: button-name", f"{theme}: color-contrast"}
    assert found(theme, measured=walked) == {f"{theme}: button-name"}, "measured twice in a walk"

    stays_with(visitor.page)
    visitor.open("/accounts/login/")
    visitor.page.evaluate(_FAINT, theme)
    assert found(theme, framed=True) == {f"{theme}: button-name", f"{theme}: color-contrast"}, (
        "as a walk looks"
    )
