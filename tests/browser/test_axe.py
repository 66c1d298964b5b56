"""axe-core finds nothing on any page that a compliance officer can reach by links, light and dark."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Literal
from urllib.parse import urljoin, urlsplit

import pytest
from django.urls import Resolver404, resolve

from tests.browser.site import ROOT, Visitor

if TYPE_CHECKING:
    from playwright.sync_api import Page

AXE = ROOT / "node_modules/axe-core/axe.min.js"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not AXE.exists(), reason="axe-core is not there: npm ci"),
]

OPEN = ["/accounts/login/", "/accounts/password/reset/", "/accounts/signup/", "/mail/", "/nowhere/"]
# Not followed: what ends the visit, what is a file, and callers' and requests' pages, which have tests of their own.
_NOT = re.compile(
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


# Of a long table the first rows stand for all: they come from the same lines of a template.
_FEWER_ROWS = (
    "for (const body of document.querySelectorAll('tbody'))"
    " while (body.rows.length > 8) body.rows[8].remove()"
)

# What is written alike is measured twice, not a hundred times: the first two of those that have the same tags, classes
# and colours all the way up, for a contrast takes as long to find out as all other rules together.
_LOOKS = """(() => {
    const ways = new Map(), said = new Map();
    const way = e => {
        if (!e) return '';
        if (!ways.has(e)) {
            const s = getComputedStyle(e);
            ways.set(e, [way(e.parentElement || e.getRootNode().host), e.localName, e.getAttribute('class'),
                e.getAttribute('type'), s.backgroundColor, s.backgroundImage, s.opacity, s.filter, s.mixBlendMode,
                s.position, s.visibility, s.overflow, s.clipPath,
                e.matches(':disabled, [aria-disabled=true], [hidden]'), e.control?.disabled].join(' '));
        }
        return ways.get(e);
    };
    const look = e => {
        const s = getComputedStyle(e), text = e.value || e.placeholder
            || [...e.childNodes].map(n => n.nodeType === 3 ? n.data.trim() : '').join('');
        if (!text) return e.removeAttribute('data-look');
        const key = [way(e), s.color, s.fontSize, s.fontWeight, s.fontFamily, s.textShadow, s.webkitTextStroke,
            text.length === 1, /[\\p{L}\\p{N}]/u.test(text), e.checkVisibility({visibilityProperty: true})].join(' ');
        said.set(key, (said.get(key) || 0) + 1);
        e.toggleAttribute('data-look', said.get(key) <= 2);
    };
    const through = root => root.querySelectorAll('*').forEach(e => {
        look(e);
        if (e.shadowRoot) through(e.shadowRoot);
    });
    through(document);
    axe.configure({rules: [{id: 'color-contrast', selector: '[data-look]'}]});
})()"""


def findings(page: Page, *, framed: bool = False) -> list[str]:
    """
    What axe-core finds, injected through the browser's protocol beside the policy, in both themes.

    The page is not as it was afterwards: long tables have lost rows.

    :param framed: leave out the menu and the bar at the top, which are the same on every page of a person.
    """
    session = page.context.new_cdp_session(page)
    session.send("Runtime.evaluate", {"expression": _FEWER_ROWS})
    session.send("Runtime.evaluate", {"expression": AXE.read_text()})
    found: list[str] = []
    part = json.dumps({"exclude": [[".rail"], [".topbar"]]}) if framed else "document"
    # Only colours differ in the dark: what stands on the page is looked at once.
    themes: tuple[tuple[Literal["light", "dark"], str], ...] = (
        ("light", ""),
        ("dark", "runOnly: ['color-contrast', 'link-in-text-block'], "),
    )
    for theme, only in themes:
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        session.send("Runtime.evaluate", {"expression": _LOOKS})
        answer = session.send(
            "Runtime.evaluate",
            {
                "expression": f"axe.run({part}, {{{only}resultTypes: ['violations'], preload: false, iframes: false}})"
                ".then(r => JSON.stringify(r.violations.map("
                "v => v.id + ': ' + v.nodes[0].html.slice(0, 160) + v.nodes[0].any.map(a => a.message))))",
                "awaitPromise": True,
                "returnByValue": True,
            },
        )
        found += [f"{theme}: {said}" for said in json.loads(answer["result"]["value"])]
    session.detach()
    return found


_ON_THE_PAGE = (
    "() => ({links: [...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href')),"
    " title: document.title, ranks: document.querySelectorAll('h1').length})"
)


def walk(visitor: Visitor, start: list[str], *, follow: bool) -> tuple[dict[str, str], list[str]]:
    """
    Open one page of each view; returns the pages and what was found on them.

    The frame around pages is looked at once, on the first one.
    """
    page, waiting, views, found = visitor.page, list(start), set[str](), list[str]()
    seen: dict[str, str] = {}
    while waiting:
        path = waiting.pop(0)
        if _view(path) in views:
            continue
        answer = page.goto(visitor.site.url + path)
        assert answer is not None
        there = page.evaluate(_ON_THE_PAGE)
        if follow and not answer.ok:
            found.append(f"{path}: linked, and answers {answer.status}")
        found += [f"{path}: {said}" for said in findings(page, framed=follow and bool(seen))]
        views.add(_view(path))
        seen[shape(path)] = path
        if not there["title"].endswith(" - CallPrivacy") or there["title"].startswith(" "):
            found.append(f"{path}: the title is {there['title']!r}")
        if there["ranks"] != 1:
            found.append(f"{path}: {there['ranks']} headings of the first rank")
        for link in there["links"] if follow else []:
            to = urlsplit(urljoin(page.url, link))
            if f"{to.scheme}://{to.netloc}" == visitor.site.url and not _NOT.search(to.path):
                waiting.append(to.path)
    return seen, found


def test_every_page_of_the_officer_is_clean(visitor: Visitor) -> None:
    visitor.come_in()
    seen, found = walk(visitor, ["/"], follow=True)

    assert found == []
    # The walk has been everywhere that matters, and would notice a navigation that is lost.
    assert {
        "/", "/overview/", "/work/", "/clients/", "/clients/*/", "/clients/*/connections/", "/clients/*/imports/new/",
        "/clients/*/policies/preview/", "/clients/*/policies/go-live/", "/calls/", "/clients/*/calls/*/",
        "/clients/*/calls/*/reveal/", "/retention/", "/retention/policies/", "/retention/calendar/", "/trail/",
        "/people/", "/people/matrix/", "/people/*/sees/", "/notifications/", "/accounts/password/change/",
        "/accounts/sessions/",
    } <= seen.keys()  # fmt: skip


def test_the_pages_before_the_door_are_clean(visitor: Visitor) -> None:
    _, found = walk(visitor, OPEN, follow=False)

    assert found == []
    visitor.complaints[:] = [said for said in visitor.complaints if " 404 " not in said]
