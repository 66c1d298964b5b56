"""
An analyst without a right to any call asks the explorer, by keyboard alone, and takes the answer along; and brings what
campaigns cost, so that the page says which one to stop.
"""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from analytics.selectors.asked import period_of
from tests import make
from tests.browser.site import JOBS, NEXT_LOOK, ZONE, Visitor, told, until
from tests.browser.test_small_things import reach

pytestmark = pytest.mark.browser

ANALYST = "nina"
CLIENT = "Coral Homes"
"""No other test's: states are not told where one caller fewer would show who was erased."""
DEAR, FAIR = "Emergency repair", ("Spring check", "Financing")
CALLER = re.compile(r"••|\(?\b\d{3}\)?[ -]\d{3}-\d{4}\b|\+1[\d ]{9,}")
"""A caller's number, masked or not."""
A_CALL = re.compile(r"/calls/[0-9a-f]{8}-[0-9a-f]{4}-")
"""The way to a call's own page."""


@pytest.mark.thorough
def test_a_report_is_asked_read_and_taken_along_without_a_mouse(visitor: Visitor) -> None:
    visitor.sign_in(ANALYST)
    page = visitor.page
    # Who may see reports and no calls begins here. Cells follow the demo's calls within a minute.
    page.wait_for_url("**/reports/")
    link = page.get_by_role("link", name=CLIENT, exact=True)
    calls, before = page.get_by_role("row", name=CLIENT).locator("td").nth(1), "0"
    for _ in range(JOBS // NEXT_LOOK):
        page.wait_for_load_state()
        is_counted = page.get_by_text("Many calls wait to be counted").filter(has_text=CLIENT).count() == 0
        if is_counted and before != "0" and calls.inner_text() == before:
            break  # the whole of them: they come in batches
        before = calls.inner_text() if is_counted else "0"
        page.wait_for_timeout(NEXT_LOOK)
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
    assert re.search(r": (\d|Suppressed)", said)
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
    page.get_by_role("link", name="US states").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"kind=states"))
    chart.focus()
    page.keyboard.press("ArrowRight")
    # The state with the most calls first, in a colour of the theme, and each state once.
    first = chart.locator("[data-plot-said]").inner_text()
    assert re.fullmatch(r"[A-Z][\w ]+: [\d,]+", first)
    fills = chart.locator("use.is-said").evaluate_all("all => all.map(one => getComputedStyle(one).fill)")
    assert len(fills) == 1
    assert fills[0] not in {"none", "rgb(0, 0, 0)"}
    page.keyboard.press("End")
    assert chart.locator("[data-plot-said]").inner_text() != first
    assert chart.locator("use[data-say]:visible").count() == 52


@pytest.mark.thorough
def test_an_analyst_who_may_see_no_call_finds_which_campaign_to_stop(visitor: Visitor) -> None:
    visitor.sign_in(ANALYST)
    page = visitor.page
    seen: list[str] = []
    page.get_by_role("row", name="Lakeshore Roofing").get_by_role("link", name="Campaigns").click()
    page.get_by_role("link", name="Import costs").first.click()
    today = make.now().astimezone(ZONE).date()
    days = [today - timedelta(days=back) for back in range(27, 0, -1)]
    lines = [
        f"{day},{campaign},{cost}"
        for day in days
        for campaign, cost in ((DEAR, "990.00"), (FAIR[0], "9.50"), (FAIR[1], "9.50"))
    ]
    text = "\n".join(["date,campaign,cost", *lines]).encode()
    page.get_by_label("CSV file").set_input_files(
        {"name": "costs.csv", "mimeType": "text/csv", "buffer": text}
    )
    page.get_by_role("button", name="Read the file").click()
    page.wait_for_load_state("domcontentloaded")
    seen.append(page.locator("main").inner_text())
    page.get_by_role("button", name="Import costs").click()
    page.get_by_text("What each campaign brings in and costs").wait_for()
    period, _ = told(today)
    visitor.open(f"/reports/clients/lakeshore-roofing/campaigns/?period={period}")
    first, last = period_of(period, today)
    table = page.get_by_role("region", name="Campaign by campaign")
    dear = table.get_by_role("row", name=DEAR)
    # Cells follow the demo's calls within a minute.
    until(page, dear.get_by_text("Costs more"))
    seen.append(page.locator("main").inner_text())
    expect(page.get_by_text(f"A qualified call from “{DEAR}” costs")).to_be_visible()
    expect(page.get_by_text("If one campaign is to be stopped, look at this one first.")).to_be_visible()
    expect(dear.get_by_text("Costs more")).to_be_visible()
    assert f"{990 * sum(first <= day <= last for day in days):,.2f}" in dear.inner_text()
    # A cost of a qualified call stands beside it, and of no fair one a "more".
    assert re.search(r"\d\.\d\d", dear.get_by_role("cell").nth(1).inner_text())
    for name in FAIR:
        expect(table.get_by_role("row", name=name).get_by_text("Costs more")).to_have_count(0)
    page.get_by_role("link", name=DEAR, exact=True).click()
    expect(page.get_by_role("group", name="Qualified calls")).to_be_visible()
    seen.append(page.locator("main").inner_text())
    # And no call on the way, nor behind any door beside it.
    assert [text for text in seen if CALLER.search(text)] == []
    assert page.get_by_role("link", name="Calls", exact=True).count() == 0
    for path in ("/calls/", "/calls/?client=lakeshore-roofing"):
        answer = page.request.get(visitor.site.url + path)
        assert answer.status in {403, 404} or not A_CALL.search(answer.text())
    for path in ("/clients/lakeshore-roofing/calls/export/", "/reports/releases/lakeshore-roofing/"):
        assert page.request.get(visitor.site.url + path).status in {403, 404}
