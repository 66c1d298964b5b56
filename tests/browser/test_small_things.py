"""What a person runs into besides the main road: the locked door, the keyboard, the phone, the strict policy."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import site as sites
from tests.browser.site import ADMIN, REVIEWER, Site, Visitor, texts

pytestmark = pytest.mark.browser


def test_the_door_says_the_same_of_every_name_and_closes(visitor: Visitor) -> None:
    page = visitor.page
    said = []
    for _ in range(5):
        visitor.open("/accounts/login/")
        page.get_by_label("Email").fill("nobody@northlight.example")
        page.get_by_label("Password").fill("Wrong-Password-7")
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.wait_for_load_state("domcontentloaded")
        said.append(page.locator("main").inner_text())

    assert all("email address or password is incorrect" in answer for answer in said[:4])
    expect(page.get_by_role("heading", name="Try again later")).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("sign in again in 15 minutes")
    page.get_by_role("link", name="Back to sign in").click()
    expect(page.get_by_label("Password")).to_be_visible()


def reach(page: Page, name: str, *, at_most: int = 40) -> None:
    """Press Tab until what is focused has this name, and see that the focus can be seen."""
    for _ in range(at_most):
        page.keyboard.press("Tab")
        focused = page.locator(":is(a, button):focus")
        if focused.count() and name in (focused.inner_text() or focused.get_attribute("aria-label") or ""):
            shown = focused.evaluate("e => getComputedStyle(e).outlineStyle + getComputedStyle(e).boxShadow")
            assert shown != "nonenone", f"the focus on {name} cannot be seen"
            return
    raise AssertionError(f"{name} was not reached with {at_most} presses of Tab")


def test_a_number_is_revealed_without_a_mouse(visitor: Visitor) -> None:
    visitor.sign_in(REVIEWER)
    page = visitor.page
    visitor.open("/calls/?client=harbor-dental")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text(re.compile("Skip"))
    page.keyboard.press("Enter")
    reach(page, "Caller ")
    page.keyboard.press("Enter")
    page.wait_for_url("**/clients/harbor-dental/calls/*/")
    reach(page, "Reveal number")
    page.keyboard.press("Enter")
    page.wait_for_url("**/reveal/")
    page.get_by_label("What for").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.type("The caller asked on the phone to be called back.")
    reach(page, "Write down and show", at_most=3)
    page.keyboard.press("Enter")

    expect(page.locator(".reveal-value")).to_have_text(re.compile(r"\d{3}\D?\d{4}$"))
    number = page.locator(".reveal-value").inner_text()
    page.get_by_role("link", name="Back to the call").click()
    expect(page.get_by_role("heading", name="The call", exact=True)).to_be_visible()
    assert number not in page.content()


def test_the_palette_finds_a_page_without_a_mouse(visitor: Visitor) -> None:
    visitor.sign_in(REVIEWER)
    page = visitor.page
    visitor.open("/calls/?client=harbor-dental")
    page.keyboard.press("Control+k")
    page.keyboard.type("harb")
    expect(page.locator("#palette-results a").first).to_contain_text("Harbor Dental")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    page.wait_for_url("**/clients/harbor-dental/")


def test_the_menu_of_a_phone_leads_to_every_entry(browser: Browser, site: Site) -> None:
    with sites.visiting(
        browser, site, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    ) as visitor:
        visitor.sign_in()
        page = visitor.page
        drawer = page.get_by_role("dialog", name="Menu")
        expect(drawer).to_be_hidden()
        page.get_by_role("button", name="Menu", exact=True).tap()
        entries = texts(drawer.get_by_role("link"))
        assert {"Inbox", "Clients", "Calls", "Requests", "Consent", "Reports", "Compliance", "Settings"} <= {
            entry.strip() for entry in entries
        }
        drawer.get_by_role("link", name="Requests").tap()

        expect(page.get_by_role("heading", name="Requests", level=1)).to_be_visible()
        expect(drawer).to_be_hidden()
        page.wait_for_load_state()  # how wide it is goes by the stylesheet
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        # A client's last tab is in view where it is the current one.
        visitor.open("/clients/harbor-dental/connections/")
        expect(page.get_by_role("link", name="Integrations")).to_be_in_viewport(ratio=0.9)


def test_what_is_done_with_ticked_rows_is_in_view_wherever_they_are(browser: Browser, site: Site) -> None:
    with sites.visiting(browser, site, viewport={"width": 390, "height": 844}) as visitor:
        visitor.sign_in()
        page = visitor.page
        visitor.open("/work/")
        put_off = page.get_by_role("button", name="Snooze")
        expect(put_off).to_be_hidden()
        page.locator("input[name=item]").first.check()
        expect(put_off).to_be_in_viewport(ratio=1)
        # On a phone rows are cards, and nothing in them is wider than the screen.
        visitor.open("/consent/withdrawals/")
        expect(page.locator("tbody tr").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        # On a small laptop none of a board's columns has to be scrolled to; a pixel is a width that was rounded.
        page.set_viewport_size({"width": 1280, "height": 800})
        board = page.get_by_role("region", name="Withdrawals", exact=True)
        assert board.evaluate("e => e.scrollWidth - e.clientWidth") <= 1


def test_what_was_typed_stays_when_the_reason_of_a_hold_is_read(visitor: Visitor) -> None:
    visitor.sign_in()
    page = visitor.page
    visitor.open("/clients/lakeshore-roofing/holds/new/")
    page.locator("main").get_by_label("Name", exact=True).fill("Roof of May")
    page.get_by_label("Why it has to be kept").fill("Counsel asked for the calls about the roof of May.")
    # All of the client, since which callers the demo has goes by the day; it ends with this test.
    page.get_by_label("Everything of the client, or of some dates").check()
    page.get_by_role("button", name="Place the hold").click()
    page.get_by_role("link", name="Lift it").click()
    page.get_by_label("Why it may end").fill("The case was settled in court.")
    page.wait_for_load_state()  # what reads the reason in its place comes after what is drawn

    page.get_by_role("button", name="Read the reason").click()

    expect(page.get_by_text("Counsel asked for the calls about the roof of May.")).to_be_visible()
    expect(page.get_by_role("heading", name="What falls due at once")).to_be_visible()
    expect(page.get_by_label("Why it may end")).to_have_value("The case was settled in court.")
    page.get_by_role("button", name="Lift the hold").click()
    expect(page.get_by_text("The hold is lifted.")).to_be_visible()


def test_nothing_inline_runs(visitor: Visitor) -> None:
    """The policy in force refuses what a page could be made to carry; the refusal is what is expected here."""
    visitor.sign_in(ADMIN)
    page = visitor.page
    policy = page.request.get(f"{visitor.site.url}/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    with page.expect_console_message(lambda message: "Content Security Policy" in message.text):
        page.evaluate(
            """() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1';
                       document.body.append(s); }"""
        )

    assert page.evaluate("window.ran") is None
    assert any("Content Security Policy" in complaint for complaint in visitor.complaints)
    visitor.complaints.clear()


def test_a_tab_that_is_not_ones_own_is_not_offered(visitor: Visitor) -> None:
    visitor.sign_in(REVIEWER)
    visitor.open("/clients/harbor-dental/")
    links = visitor.page.locator("main a[href^='/']").all()
    assert links
    for link in links:
        address = link.get_attribute("href") or ""
        answer = visitor.page.request.get(f"{visitor.site.url}{address}")
        assert answer.ok, f"{address} is offered and answers {answer.status}"


def test_calls_of_granted_clients_only(visitor: Visitor) -> None:
    """The reviewer has two of the twelve clients: only their calls are listed, the others have no address."""
    visitor.sign_in(REVIEWER)
    page = visitor.page
    visitor.open("/calls/")
    offered = set(texts(page.locator("select[name=client] option"))) - {"All clients"}
    listed = set(texts(page.locator('td[data-label="Client"]')))
    assert len(offered) == 2
    assert listed
    assert listed <= offered
    for slug, status in (("harbor-dental", 200), ("sunset-plumbing", 404), ("no-such-client", 404)):
        assert page.request.get(f"{visitor.site.url}/clients/{slug}/").status == status, slug


def test_who_sent_a_form_that_was_refused_stands_at_what_is_to_be_mended(
    browser: Browser, site: Site
) -> None:
    with sites.visiting(browser, site, viewport={"width": 390, "height": 844}) as visitor:
        visitor.sign_in()
        page = visitor.page
        for path in ("/requests/new/", "/programme/vendors/new/", "/people/invite/"):
            visitor.open(path)
            assert not page.title().startswith("Error: ")
            # What the browser would catch by itself is not what is tried here.
            page.evaluate("for (const form of document.forms) form.noValidate = true")
            form = page.locator("main form[method=post]").last
            form.locator("button[type=submit]").first.click()

            expect(page).to_have_title(re.compile("^Error: "))
            expect(page.locator("main").get_by_role("alert").first).to_contain_text("Nothing was saved.")
            first = page.locator("main [aria-invalid=true]").first
            expect(first).to_be_focused()
            expect(first).to_be_in_viewport()


def test_who_goes_back_to_what_a_search_found_finds_it(visitor: Visitor) -> None:
    visitor.sign_in()
    page = visitor.page
    visitor.open("/calls/")
    page.keyboard.press("Control+k")
    page.locator("#number-search").fill("(213) 555-0123")
    page.locator("#number-search").press("Enter")
    expect(page.get_by_role("heading", name="Find a number")).to_be_visible()
    page.wait_for_load_state()
    said = page.locator("main").inner_text()
    assert "That you looked is in the trail" in said
    page.get_by_role("link", name="Inbox", exact=True).first.click()
    expect(page.get_by_role("heading", name="Inbox", level=1)).to_be_visible()
    page.go_back()

    expect(page.get_by_role("heading", name="Find a number")).to_be_visible()
    assert page.locator("main").inner_text() == said
    visitor.open("/work/items/")
    assert all("405" in said for said in visitor.complaints)
    visitor.complaints.clear()
    page.get_by_role("link", name="Go to that page").click()
    expect(page.get_by_role("heading", name="Inbox", level=1)).to_be_visible()


def test_a_passkey_is_added_opens_alone_and_is_removed(visitor: Visitor) -> None:
    """At a name, since browsers take no key for an address of digits; the key is Chromium's own, of no hardware."""
    page, home = visitor.page, visitor.site.url.replace("127.0.0.1", "localhost")
    keys = visitor.context.new_cdp_session(page)
    keys.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    key = keys.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]

    page.goto(f"{home}/accounts/login/")
    page.get_by_label("Email").fill("marcus@northlight.example")
    page.get_by_label("Password").fill(visitor.site.password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("heading", level=1).wait_for()
    page.goto(f"{home}/accounts/2fa/webauthn/add/")
    page.get_by_label("Password").fill(visitor.site.password)
    page.get_by_role("button", name="Confirm", exact=True).click()
    page.wait_for_load_state()
    page.get_by_label("What you call it").fill("Laptop")
    page.get_by_label("Opens alone").check()
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("heading", name="Recovery codes").wait_for()
    page.goto(f"{home}/accounts/2fa/webauthn/")
    expect(page.get_by_role("row").filter(has_text="Laptop")).to_contain_text("Passkey: opens alone")

    def opens() -> None:
        visitor.context.clear_cookies()
        page.goto(f"{home}/accounts/login/")
        page.wait_for_load_state()
        page.get_by_role("button", name="Sign in with a passkey").click()

    keys.send("WebAuthn.setUserVerified", {"authenticatorId": key, "isUserVerified": False})
    opens()
    expect(page.get_by_role("alert").filter(has_text="cancelled, or took too long")).to_be_visible()
    keys.send("WebAuthn.setUserVerified", {"authenticatorId": key, "isUserVerified": True})
    opens()
    page.wait_for_url(lambda url: "/accounts/" not in url)
    page.goto(f"{home}/accounts/2fa/webauthn/reauthenticate/?next=/accounts/2fa/webauthn/")
    page.wait_for_load_state()
    page.get_by_role("button", name="Use a passkey or security key").click()
    page.wait_for_url(f"{home}/accounts/2fa/webauthn/")
    page.get_by_role("row").filter(has_text="Laptop").get_by_role("link", name="Remove").click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_role("main")).not_to_contain_text("Laptop")
