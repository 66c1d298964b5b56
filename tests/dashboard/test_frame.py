"""The frame around every page: it draws the clients of whoever looks, whatever the page is about."""

import re

import pytest

from tests.accounts.browsers import signed_in
from tests.cast import Cast

pytestmark = pytest.mark.django_db

# Pages that list clients of their own: all of them, one figure of each, or those that something touched.
WITH_CLIENTS = ("/posture/", "/desk/", "/consent/registers/", "/retention/calendar/", "/overview/")


@pytest.mark.parametrize("path", WITH_CLIENTS)
def test_a_page_about_clients_leaves_the_switcher_alone(cast: Cast, path: str) -> None:
    answer = signed_in(cast.alice).get(path)
    assert answer.status_code == 200

    page = answer.content.decode()

    switcher = page.partition('id="switcher-list"')[2].partition("</ul>")[0]
    links = re.findall(
        r'href="([^"]*)"( aria-current="true")?>\s*(?:<span class="truncate">)?([^<]+)<', switcher
    )
    assert [(current, name) for _, current, name in links] == [
        (' aria-current="true"', "All clients"),
        ("", "Dentist"),
        ("", "Plumber"),
    ]


def _links(page: str, label: str) -> dict[str, str]:
    block = re.search(rf'<nav[^>]*aria-label="{label}".*?</nav>', page, re.DOTALL)
    found = re.findall(
        r'href="([^"]*)".*?>\s*([^<>]+?)\s*</(?:span|a)>', block[0] if block else "", re.DOTALL
    )
    return {words: url for url, words in found}


def test_chosen_client_scopes_every_entry_until_it_is_cleared(cast: Cast) -> None:
    browser = signed_in(cast.alice)
    browser.get("/calls/?client=dentist")

    narrowed = browser.get("/calls/")
    elsewhere = _links(browser.get("/people/").content.decode(), "Main")
    cleared = browser.get("/calls/?client=")

    assert (narrowed.status_code, narrowed["Location"]) == (302, "/calls/?client=dentist")
    assert elsewhere["Inbox"] == "/work/"
    assert elsewhere["Clients"] == "/clients/dentist/"
    assert elsewhere["Calls"] == "/calls/?client=dentist"
    assert cleared.status_code == 200
    assert _links(browser.get("/people/").content.decode(), "Main")["Calls"] == "/calls/"


def test_switcher_stays_on_the_page_that_exists_for_a_client(cast: Cast) -> None:
    browser = signed_in(cast.alice)

    pages = {path: browser.get(path).content.decode() for path in ("/clients/dentist/notices/", "/people/")}

    assert 'href="/clients/plumber/notices/?client=plumber"' in pages["/clients/dentist/notices/"]
    assert 'href="/clients/plumber/?client=plumber"' in pages["/people/"]


def test_a_link_of_another_site_chooses_no_client(cast: Cast) -> None:
    browser = signed_in(cast.alice)
    browser.get("/calls/?client=dentist")

    for asked in ("plumber", ""):
        answer = browser.get(f"/calls/?client={asked}", headers={"Sec-Fetch-Site": "cross-site"})

        assert answer.status_code == 200
        assert browser.session["client"] == "dentist"


def test_client_of_another_agency_is_never_chosen(cast: Cast) -> None:
    browser = signed_in(cast.alice)

    browser.get("/work/?client=florist")

    assert "client" not in browser.session
