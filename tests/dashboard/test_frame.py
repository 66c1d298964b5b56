"""The frame around every page: it draws the clients of whoever looks, whatever the page is about."""

from __future__ import annotations

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
    assert links == [
        ("/clients/", ' aria-current="true"', "All clients"),
        ("/clients/dentist/", "", "Dentist"),
        ("/clients/plumber/", "", "Plumber"),
    ]
