"""axe-core finds nothing on any page that a compliance officer can reach by links, light and dark."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

import pytest
from django.urls import Resolver404, resolve

from tests.browser.axe import AXE, findings
from tests.browser.site import Visitor

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
        if follow and not answer.ok:
            found.append(f"{path}: linked, and answers {answer.status}")
        there = urlsplit(page.url).path
        seen |= {shape(path): path, shape(there): there}
        arrived = _view(there)
        if follow and arrived in views:
            views.add(_view(path))
            continue
        shown = page.evaluate(_ON_THE_PAGE)
        found += [f"{path}: {said}" for said in findings(page, framed=follow and bool(views))]
        views |= {_view(path), arrived}
        if not shown["title"].endswith(" - CallPrivacy") or shown["title"].startswith(" "):
            found.append(f"{path}: the title is {shown['title']!r}")
        if shown["ranks"] != 1:
            found.append(f"{path}: {shown['ranks']} headings of the first rank")
        for link in shown["links"] if follow else []:
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
