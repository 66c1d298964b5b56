"""
A month of calls goes to the client they are of: proposed by one person with the sliders, signed by another, taken, and
what its risk report says of k, l and t is what pyCANON finds in the file.
"""

import csv
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from lab.bench import referees
from tests import make
from tests.browser import site as sites
from tests.browser.site import JOBS, OFFICER, Site

pytestmark = pytest.mark.browser

CLIENT = "/reports/releases/lone-star-hvac/"


@pytest.mark.thorough
def test_one_person_proposes_a_release_and_another_signs_it(
    browser: Browser, site: Site, tmp_path: Path
) -> None:
    today = make.now().date()
    with sites.visiting(browser, site) as marcus:
        # An account manager who may release this client's data finds the way there, without signing rights.
        marcus.sign_in("marcus")
        page = marcus.page
        marcus.open("/reports/")
        page.get_by_role("link", name="Releases", exact=True).click()
        page.locator("main").get_by_role("link", name="Lone Star HVAC", exact=True).last.click()
        page.get_by_role("link", name="New recipient").first.click()
        page.get_by_label("Company").fill("Lone Star Air & Heat LLC")
        page.get_by_label("Business address").fill("office@lone-star-hvac.example")
        page.get_by_role("button", name="Add recipient").click()
        marcus.open(f"{CLIENT}new/")
        page.get_by_label("For", exact=True).select_option(label="Lone Star Air & Heat LLC")
        page.get_by_label("What for").fill("Find out which hours bring calls")
        for name in ("Day", "Source", "Outcome"):
            page.get_by_label(name, exact=True).check()
        page.get_by_label("First day").fill((today - timedelta(days=31)).isoformat())
        page.get_by_label("Last day").fill((today - timedelta(days=2)).isoformat())
        page.get_by_role("button", name="Next: see cost and risk").click()
        page.get_by_label("k: callers in every class").wait_for()
        page.wait_for_load_state()  # what is set is sent by a script
        page.get_by_label("k: callers in every class").fill("15")
        expect(page.get_by_text("k = 15")).to_be_visible(timeout=JOBS)
        page.get_by_role("button", name="Propose with this").click(timeout=JOBS)
        expect(page.get_by_text("You proposed this")).to_be_visible()
        address = page.url
    with sites.visiting(browser, site) as olivia:
        olivia.sign_in(OFFICER)
        page = olivia.page
        page.goto(address)
        page.get_by_role("button", name="Sign the release").click()
        take = page.get_by_role("button", name="Take the file")
        take.wait_for(timeout=JOBS)  # a job makes the file; the page then brings the button
        with page.expect_download() as taken:
            take.click()
        file = taken.value.path().read_text(encoding="utf-8")
        said = dict(
            row.split("\t")[:2]
            for row in page.locator("main").evaluate(
                "e => [...e.querySelectorAll('dl.facts > div')].map(d => d.children[0].innerText + '\\t'"
                " + d.children[1].firstChild.textContent.trim())"
            )
        )
        highest = page.get_by_role("row", name="Prosecutor").first.get_by_role("cell").nth(1).inner_text()
    confirmed_by_pycanon(file, said, highest, tmp_path / "out.csv")


def confirmed_by_pycanon(file: str, said: dict[str, str], highest: str, path: Path) -> None:
    """What the report says is in the file, by another's reckoning; k counts callers, who may have several rows."""
    head, *rows = csv.reader(file.splitlines())
    assert head == ["Day", "Source", "Outcome"]
    assert len(rows) == int(said["Rows"].split(" of ")[0].replace(",", ""))
    with path.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out, delimiter=";").writerows([head, *rows])
    found = referees.ask(
        {"of": "pycanon", "file": str(path), "delimiter": ";", "quasi": head[:2], "sensitive": ["Outcome"]},
        interpreter=referees.install(),
    )
    k = int(said["k"])
    assert found["k"] >= k >= 15
    assert highest == f"{1 / k:.2%}"
    assert found["Outcome"]["l"] == int(said["l of Outcome"])
    assert f"{found['Outcome']['t']:.3f}" == said["t of Outcome"]
