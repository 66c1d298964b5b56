"""The requests page on a phone: asked, proven by a code, and waited for, without an account and without a script."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import site as sites
from tests.browser.axe import AXE, findings
from tests.browser.site import Site

pytestmark = pytest.mark.browser

_CODE = re.compile(r"code is (\d{6})")


def _newest_code(site: Site) -> str:
    """What the last text said, read where the demo keeps its mails."""
    newest_first = sorted(
        (site.logs / "mail").iterdir(), key=lambda file: file.stat().st_mtime_ns, reverse=True
    )
    codes = (_CODE.search(file.read_text(encoding="utf-8")) for file in newest_first)
    return next(found[1] for found in codes if found is not None)


def _fits(page: Page) -> None:
    """Nothing is wider than the phone, and axe-core finds nothing, light or dark."""
    page.wait_for_load_state()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    if AXE.exists():
        assert findings(page) == []


@pytest.mark.thorough
def test_somebody_asks_on_a_phone_and_proves_who_asks(browser: Browser, site: Site) -> None:
    with sites.visiting(browser, site) as officer:
        officer.sign_in()
        officer.open("/clients/sunset-plumbing/requests-page/")
        address = officer.page.locator("#address").inner_text()
        officer.page.get_by_role("link", name="Privacy notice").first.click()
        expect(officer.page.get_by_role("heading", name="Privacy notice", exact=True)).to_be_visible()

    with sites.visiting(browser, site, viewport={"width": 390, "height": 844}) as person:
        page = person.page
        page.goto(address)
        _fits(page)
        page.get_by_role("link", name="Delete my data").click()
        number = page.get_by_label("The phone number it is about")
        number.wait_for()  # by then it is the next page that is measured
        _fits(page)
        number.fill("(312) 555-0147")
        page.get_by_role("button", name="Send", exact=True).click()
        expect(page.get_by_role("heading", name="Waits for your proof")).to_be_visible()
        _fits(page)
        page.get_by_role("button", name="Text me a code").click()
        code = page.get_by_label("Code, 6 digits")
        code.wait_for()  # by then it was sent
        code.fill(_newest_code(site))
        page.get_by_role("button", name="Go on").click()

        expect(page.get_by_role("heading", name="Being looked at")).to_be_visible()
        expect(page.get_by_role("main")).to_contain_text("You proved who you are")
        _fits(page)
        assert "5550147" not in page.content()
        assert "<script" not in page.content()
        assert person.context.cookies() == []
