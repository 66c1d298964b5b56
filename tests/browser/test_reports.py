"""An analyst without a right to any call asks the explorer, by keyboard alone, and takes the answer along."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.site import Visitor
from tests.browser.test_small_things import reach

pytestmark = pytest.mark.browser

ANALYST = "nina"


def test_a_report_is_asked_read_and_taken_along_without_a_mouse(visitor: Visitor) -> None:
    visitor.sign_in(ANALYST)
    page = visitor.page
    # Who may see reports and no calls begins here. Cells follow the demo's calls within a minute.
    page.wait_for_url("**/reports/")
    link = page.get_by_role("link", name="Harbor Dental", exact=True)
    for _ in range(20):
        if page.get_by_role("row", name="Harbor Dental").locator("td").nth(1).inner_text() != "0":
            break
        page.wait_for_timeout(3000)
        page.reload()
    link.focus()
    page.keyboard.press("Enter")
    page.locator("#id_measure").focus()
    page.locator("#id_by").select_option("source")
    reach(page, "Show", at_most=20)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"by=source"))
    chart = page.get_by_role("group", name="Calls")
    chart.focus()
    page.keyboard.press("ArrowRight")
    said = chart.locator("[data-plot-said]").inner_text()
    assert re.search(r": (\d|not told)", said)
    page.keyboard.press("ArrowRight")
    assert chart.locator("[data-plot-said]").inner_text() != said
    expect(page.get_by_role("region", name=re.compile("Calls"))).not_to_have_count(0)
    page.get_by_text("Export", exact=True).focus()
    page.keyboard.press("Enter")
    reach(page, "Table (CSV)", at_most=4)
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert Path(download.value.path()).read_bytes().startswith(b"\xef\xbb\xbf")
    assert page.get_by_role("link", name="Calls", exact=True).count() == 0
