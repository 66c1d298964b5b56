"""The desk as an agent has it on the phone's screen, and what an officer then finds and takes away."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import site as sites
from tests.browser.site import Site, Visitor
from tests.numbers import says
from tools import verify_evidence

pytestmark = pytest.mark.browser

AGENT, CLIENT = "priya", "sunset-plumbing"
NUMBER, MASK = "+1 213 555 0187", "+1 ••• ••• 0187"


def meet(page: Page) -> None:
    page.get_by_label("Caller’s phone number").fill(NUMBER)
    page.get_by_role("button", name="Open caller").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(r"^Caller \w\w-\w\w\w$"))


@pytest.mark.thorough
def test_an_agent_speaks_asks_and_stops_on_a_phones_screen(browser: Browser, site: Site) -> None:
    size = {"width": 390, "height": 844}
    with sites.visiting(browser, site, viewport=size, has_touch=True, is_mobile=True) as agent:
        agent.sign_in(AGENT)
        page = agent.page
        assert page.url == f"{site.url}/desk/"
        meet(page)
        assert not says(page.url, NUMBER)
        expect(page.get_by_role("main")).to_contain_text(MASK)
        yes = page.get_by_role("button", name="Caller agrees from now on")
        expect(yes).to_be_disabled()
        page.get_by_role("link", name="Spanish").click()
        expect(page.locator("blockquote")).to_have_attribute("lang", "es")
        page.get_by_role("button", name="I read the notice").tap()
        expect(page.get_by_role("main")).to_contain_text("Saved")
        yes.tap()
        expect(page.get_by_role("complementary")).to_contain_text("Given: Record")
        page.get_by_role("button", name="Stop recording").tap()
        expect(page.get_by_role("main")).to_contain_text(re.compile(r"Stopped at \d\d:\d\d:\d\d"))
        page.get_by_role("button", name="Stop contact").tap()
        expect(page.get_by_role("main")).to_contain_text("Do not call or text this number")
        page.wait_for_load_state()  # how wide it is goes by the stylesheet
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390, "nothing has to be scrolled sideways"
        assert not says(page.content(), NUMBER)


@pytest.mark.thorough
def test_the_keys_written_on_the_buttons_press_them(visitor: Visitor) -> None:
    visitor.sign_in(AGENT)
    page = visitor.page
    page.get_by_label("Caller’s phone number").fill("+1 213 555 0188")
    page.keyboard.press("Alt+Shift+N")
    expect(page.get_by_label("Caller’s phone number")).to_be_visible()
    page.keyboard.press("Enter")
    page.wait_for_url("**/desk/?client=*&caller=*")
    page.keyboard.press("s")
    page.keyboard.press("Alt+Shift+N")
    expect(page.get_by_role("main")).to_contain_text("Saved: you read the notice.")
    expect(page.get_by_role("main")).not_to_contain_text("Stopped")
    page.wait_for_load_state()  # who listens for keys comes after what is drawn
    page.keyboard.press("Alt+Shift+S")
    expect(page.get_by_role("main")).to_contain_text("Stopped at")


@pytest.mark.thorough
def test_an_officer_finds_the_person_and_takes_the_evidence(visitor: Visitor, tmp_path: Path) -> None:
    visitor.sign_in(AGENT)
    meet(visitor.page)
    visitor.page.get_by_role("button", name="Stop contact").click()
    visitor.context.clear_cookies()
    visitor.sign_in()
    page = visitor.page
    page.get_by_role("link", name="Consent", exact=True).first.click()
    expect(page.get_by_role("heading", name="Consent", exact=True)).to_be_visible()
    page.get_by_role("main").get_by_label("Phone number").fill(NUMBER)
    page.get_by_role("main").get_by_role("button", name="Find").click()
    page.get_by_role("main").get_by_role("link", name="Caller ").first.click()
    expect(page.get_by_role("list", name="Consent history, latest first")).to_contain_text(
        "Withdrawn: Contact"
    )
    page.get_by_role("link", name="Evidence pack").click()
    page.get_by_label("In a sentence").fill("The caller asks what we have written down.")
    with page.expect_download() as taken:
        page.get_by_role("button", name="Log and download").click()
    pack = tmp_path / taken.value.suggested_filename
    taken.value.save_as(pack)
    report = verify_evidence.verify(pack.read_bytes())
    assert report.findings == []
    assert report.events >= 1
