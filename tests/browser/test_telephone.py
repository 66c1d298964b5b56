"""
The menu on its page, and the demo's telephone in a real browser: a call that is recorded after key 1 alone, a text that
stops it, a call back of the desk, and a message that waits for a person. What the page sends goes through the public,
signed doors.
"""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from tests.browser.axe import AXE, findings
from tests.browser.site import JOBS, Visitor

pytestmark = pytest.mark.browser

CLIENT = "bayline-law"


@pytest.fixture
def officer(visitor: Visitor) -> Visitor:
    visitor.sign_in()
    return visitor


@pytest.mark.thorough
def test_a_menu_is_set_up_on_a_number(officer: Visitor) -> None:
    page = officer.page
    officer.open(f"/clients/{CLIENT}/consent/menus/new/")
    page.locator("select[name=number]").select_option(index=1)
    page.get_by_label("Notice in English").select_option("Phone menu")
    page.get_by_label("Notice in Spanish").select_option("Phone menu")
    page.get_by_label("Forward calls to").fill("(510) 555-0180")
    page.get_by_role("button", name="Create menu").click()
    page.get_by_role("button", name="Turn on menu").click()
    expect(page.get_by_text("Menu turned on.")).to_be_visible()


@pytest.mark.thorough
def test_the_menu_is_tried_out_with_the_keyboard(officer: Visitor) -> None:
    page = officer.page
    officer.open(f"/clients/{CLIENT}/consent/menus/")
    page.get_by_role("link", name="Test menu").first.click()
    heard = page.locator("#heard")
    expect(heard).to_contain_text("we record and monitor this call")
    page.wait_for_load_state()  # who listens for keys comes after what is drawn
    page.keyboard.press("3")
    expect(heard).to_contain_text("grabamos y supervisamos")
    page.keyboard.press("1")
    expect(heard).to_contain_text("The recording starts.")
    expect(page.locator("#last-heard")).to_contain_text("se está grabando")
    expect(page.get_by_role("button", name="1", exact=True)).to_be_disabled()
    page.get_by_role("button", name="Withdraw by text").click()
    expect(heard).to_contain_text("The recording stops immediately")
    page.get_by_label("No caller ID").check()
    again = page.get_by_role("link", name="Call again")
    expect(again).to_have_attribute("href", re.compile("withheld=on"))
    again.click()
    expect(heard.get_by_role("listitem")).to_have_count(1)
    expect(page.get_by_label("No caller ID")).to_be_checked()
    page.get_by_role("button", name="9", exact=True).click()
    expect(heard).to_contain_text("Key 9")
    if AXE.exists():
        assert findings(page) == []


@pytest.mark.thorough
def test_a_call_is_recorded_after_key_1_and_a_text_stops_it(officer: Visitor) -> None:
    page = officer.page
    officer.open("/demo/phone/")
    log, texts, vendor = (page.locator(f"[data-part={name}]") for name in ("log", "texts", "vendor"))
    state = page.locator("[data-part=state]")
    page.get_by_label("Number to call and to text").select_option(index=0)
    page.get_by_label("You are", exact=True).select_option(index=1)
    page.get_by_role("button", name="Call", exact=True).click()
    expect(log).to_contain_text("we record and monitor this call")
    expect(state).to_have_text("In the menu, not recorded")
    page.keyboard.press("1")
    expect(log).to_contain_text("This call is being recorded.")
    expect(state).to_have_text("Recording")
    page.get_by_label("Text", exact=True).fill("please stop recording me")
    page.get_by_role("button", name="Send").click()
    expect(vendor).to_contain_text("The running recording was stopped.")
    # The client is observed: nothing leaves by itself yet.
    expect(vendor).not_to_contain_text("A recording was deleted.")
    expect(texts).to_contain_text("we will not use recordings")
    expect(state).to_have_text("Connected, not recorded")
    if AXE.exists():
        assert findings(page) == []
    page.get_by_role("button", name="Hang up").click()
    expect(state).to_have_text("On hook")
    page.get_by_role("button", name="Call", exact=True).click()
    expect(log).to_contain_text("This call is not recorded.")
    page.get_by_role("button", name="Hang up").click()


@pytest.mark.thorough
def test_a_call_back_of_the_desk_rings_and_is_connected_after_a_key(officer: Visitor) -> None:
    page = officer.page
    phone = officer.context.new_page()
    phone.goto(f"{officer.site.url}/demo/phone/")
    expect(phone.locator("[data-part=state]")).to_have_text("On hook")
    officer.open("/desk/?client=sunset-plumbing")
    page.get_by_label("Caller’s phone number").fill("+1 213 555 0191")
    page.get_by_role("button", name="Open caller").click()
    page.get_by_label("Your own phone").fill("+1 213 555 0171")
    page.get_by_role("button", name="Call me and connect").click()
    if not 8 <= datetime.now(ZoneInfo("America/Los_Angeles")).hour < 21:  # noqa: TID251  (the desk asks the clock)
        expect(page.get_by_role("main")).to_contain_text("Outside permitted hours")
        return
    expect(phone.locator("[data-part=state]")).to_have_text("Rings", timeout=JOBS)
    phone.get_by_role("button", name="Pick up").click()
    expect(phone.locator("[data-part=log]")).to_contain_text("Press any key to connect.")
    phone.get_by_role("button", name="5", exact=True).click()
    expect(phone.locator("[data-part=log]")).to_contain_text("You are connected with the caller")
    expect(page.locator("#call-back")).to_contain_text(
        "The call connected you with the caller.", timeout=JOBS
    )
    phone.close()


@pytest.mark.thorough
def test_a_message_in_doubt_waits_and_is_decided(officer: Visitor) -> None:
    page = officer.page
    officer.open("/demo/phone/")
    page.get_by_label("Number to call and to text").select_option(index=0)
    page.get_by_label("You are", exact=True).select_option(index=2)
    text, send = page.get_by_label("Text", exact=True), page.get_by_role("button", name="Send")
    text.fill("we have got to STOP this bill")
    with page.expect_response(lambda answer: answer.url.endswith("/sms/")) as taken:
        send.click()
    assert taken.value.status == 200
    text.fill("STOP")
    send.click()
    expect(page.locator("[data-part=texts]")).to_contain_text(
        "Twilio: You have successfully been unsubscribed."
    )
    officer.open(f"/clients/{CLIENT}/consent/messages/")
    page.get_by_role("link", name="Read and decide").first.click()
    expect(page.get_by_text("we have got to STOP this bill")).to_be_visible()
    if AXE.exists():
        assert findings(page) == []
    page.get_by_label("Neither").check()
    page.get_by_role("button", name="Decide").click()
    expect(page.get_by_text("The message withdraws nothing")).to_be_visible()
