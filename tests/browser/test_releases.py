"""A month of calls goes to somebody outside: proposed by one person with the sliders, signed by another, taken."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import Browser, expect

from tests import make
from tests.browser import site as sites
from tests.browser.site import OFFICER, Site

pytestmark = pytest.mark.browser

CLIENT = "/reports/releases/lone-star-hvac/"


def test_one_person_proposes_a_release_and_another_signs_it(browser: Browser, site: Site) -> None:
    today = make.now().date()
    with sites.visiting(browser, site) as marcus:
        marcus.sign_in("marcus")
        page = marcus.page
        marcus.open(f"{CLIENT}new/")
        page.get_by_label("For", exact=True).select_option(label="Tidewater Media Lab")
        page.get_by_label("What for").fill("Find out which hours bring calls")
        for name in ("Day: made coarser", "Source: made coarser"):
            page.get_by_label(name).check()
        page.get_by_label("First day").fill((today - timedelta(days=9)).isoformat())
        page.get_by_label("Last day").fill((today - timedelta(days=2)).isoformat())
        page.get_by_role("button", name="Next: see cost and risk").click()
        page.get_by_label("k: callers in every class").fill("15")
        expect(page.get_by_text("k = 15")).to_be_visible()
        page.get_by_role("button", name="Propose with this").click(timeout=30_000)
        expect(page.get_by_text("You proposed this")).to_be_visible()
        address = page.url
    with sites.visiting(browser, site) as olivia:
        olivia.sign_in(OFFICER)
        page = olivia.page
        page.goto(address)
        page.get_by_role("button", name="Sign the release").click()
        with page.expect_download(timeout=30_000) as taken:
            page.get_by_role("button", name="Take the file").click(timeout=30_000)
        lines = taken.value.path().read_text(encoding="utf-8").splitlines()
    assert lines[0] == '"Day","Source"'
    assert min(lines[1:].count(line) for line in set(lines[1:])) >= 15
