"""Each staff page stands in the navigation once, under the right that its view asks for."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.urls import ResolverMatch, URLPattern, URLResolver, get_resolver

from callprivacy.accounts.enums import Role
from dashboard import navigation
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast

TEMPLATES = Path(__file__).parents[2] / "templates"
OUTSIDE = {
    # one leads on, the other is a part of every page
    "dashboard:home", "dashboard:find",
    # of a demo and of a developer's machine, from the demo's banner
    "consent:demo_phone", "consent:demo_sign", "consent:demo_heard", "dashboard:remove_demo",
    # of a person's own account, and opened from pages of it
    "accounts:agencies", "account_reauthenticate", "account_email", "accounts:",
}  # fmt: skip
# What programs, callers and signed-out people open.
FOR_OTHERS = (
    "operator/",
    "api/v1/",
    "twilio/",
    "hooks/",
    "demo/vendor/",
    "mail/",
    "sso/",
    "accounts/provider/",
)


def _staff_addresses() -> Iterator[tuple[str, str]]:
    def walk(patterns: list[URLPattern | URLResolver], before: str, space: str) -> Iterator[tuple[str, str]]:
        for pattern in patterns:
            route = before + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, route, pattern.namespace or space)
            elif getattr(pattern.callback, "login_required", True):
                name = pattern.name or ""
                yield (f"{space}:{name}" if space else name), route

    for name, route in walk(get_resolver().url_patterns, "", ""):
        if name not in OUTSIDE and not route.startswith(FOR_OTHERS):
            yield name, route


def test_each_staff_address_belongs_to_one_entry() -> None:
    lost = [
        name
        for name, route in _staff_addresses()
        if navigation.place_of(ResolverMatch(repr, (), {}, url_name=name, route=route)) is None
    ]

    assert lost == []


def test_each_declared_page_exists_and_is_declared_once() -> None:
    declared = [name for place in navigation.places() for name in place.page.names]

    assert [name for name, count in Counter(declared).items() if count > 1] == []
    assert set(declared) <= {name for name, _ in navigation._routes(get_resolver().url_patterns)}


def test_each_page_declares_the_right_that_its_view_asks_for() -> None:
    views = {
        f"{space}:{name}" if space else name: view
        for space, name, view in _views(get_resolver().url_patterns, "")
    }
    wrong = {}
    for place in navigation.places():
        for name in filter(None, (place.page.name, place.page.of_client)):
            asked = {
                mark
                for mark in (getattr(views[name], "needs", None), getattr(views[name], "or_else", None))
                if mark
            }
            if asked and not asked <= set(place.page.needs):
                wrong[name] = asked

    assert wrong == {}


def _views(patterns: list[URLPattern | URLResolver], space: str) -> Iterator[tuple[str, str, object]]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _views(pattern.url_patterns, pattern.namespace or space)
        else:
            yield space, pattern.name or "", pattern.callback


def test_only_the_frame_draws_tabs() -> None:
    drawn = [
        str(file.relative_to(TEMPLATES))
        for file in sorted(TEMPLATES.rglob("*.html"))
        if re.search(r'class="tabs"', file.read_text())
    ]

    assert drawn == ["base.html"]
    assert (TEMPLATES / "base.html").read_text().count('class="tabs"') == 1


@pytest.mark.django_db
@pytest.mark.parametrize("role", list(Role))
def test_every_link_of_the_navigation_opens(cast: Cast, role: Role) -> None:
    person = make.person(cast.acme, f"nav-{role.value}", role)
    make.grant(person, cast.dentist)
    browser = signed_in(person)
    waiting, seen = ["/overview/", "/clients/dentist/", "/accounts/sessions/"], set[str]()

    while waiting:
        url = waiting.pop()
        if url in seen:
            continue
        seen.add(url)
        answer = browser.get(url, follow=True)
        assert answer.status_code == 200, url
        page = answer.content.decode()
        assert page.count('class="tabs"') <= 1, url
        for block in re.findall(
            r'<nav class="(?:rail-body|tabs|sections|crumbs-frame)".*?</nav>', page, re.DOTALL
        ):
            waiting.extend(
                link.replace("&amp;", "&")
                for link in re.findall(r'<a [^>]*href="(/[^"]*)"', block)
                if link != "/"
            )
        crumbs = page.partition('<ol class="crumbs">')[2].partition("</ol>")[0]
        links = re.findall(r'href="([^"]+)"', crumbs)
        assert len(links) == len(set(links)), (url, links)
        clients = [
            link for link, words in re.findall(r'href="([^"]+)">([^<]+)<', crumbs) if words == "Dentist"
        ]
        assert set(clients) <= {"/clients/dentist/"}, (url, clients)
