"""
The menu on its page, and the demo's telephone in a real browser: a call that is recorded after key 1 alone, a text that
stops it, and a message that waits for a person. What the page sends goes through the public, signed doors.
"""

from __future__ import annotations

import subprocess
import sys

import pytest
from playwright.sync_api import expect

from tests.browser.site import ROOT, Site, Visitor
from tests.browser.test_axe import AXE, findings

pytestmark = pytest.mark.browser

CLIENT = "bayline-law"
# The words of the menu are published by hand, with the service that the page of notices uses tested elsewhere.
_WORDS = """
import django
django.setup()
from django.utils import timezone
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.tenancy.selectors import agency_ids
from consent.enums import Channel, NoticeState
from consent.models import Notice, NoticeVersion
now = timezone.now()
for agency_id in agency_ids():
    with job_scope(agency_id=agency_id):
        client = Client.objects.filter(slug="bayline-law").first()
        if client is None or Notice.objects.for_client(client).filter(name="On the phone").exists():
            continue
        ours = {"agency_id": agency_id, "client_id": client.pk, "created_at": now}
        for language, words in (("en", "Bayline Law would like to record and monitor this call."),
                                ("es", "Bayline Law quisiera grabar y supervisar esta llamada.")):
            notice = Notice.objects.create(
                **ours, name="On the phone", purposes=["record", "review"], channel=Channel.MENU, language=language
            )
            NoticeVersion.objects.create(
                **ours, notice=notice, number=1, controller=client.legal_name, words=words, digest=b"d" * 32,
                state=NoticeState.PUBLISHED, published_at=now,
            )
"""


@pytest.fixture
def officer(visitor: Visitor, site: Site) -> Visitor:
    done = subprocess.run(
        [sys.executable, "-c", _WORDS],
        cwd=ROOT,
        env=dict(site.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    visitor.sign_in()
    return visitor


def _set_up_menu(officer: Visitor) -> None:
    page = officer.page
    officer.open(f"/clients/{CLIENT}/consent/menus/")
    if page.locator("a.row-link").count():
        return
    officer.open(f"/clients/{CLIENT}/consent/menus/new/")
    page.locator("select[name=number]").select_option(index=1)
    page.get_by_label("Notice in English").select_option("On the phone")
    page.get_by_label("Notice in Spanish").select_option("On the phone")
    page.get_by_label("Line that calls go on to").fill("(510) 555-0180")
    page.get_by_role("button", name="Set up the menu").click()
    page.get_by_role("button", name="Let it answer calls").click()
    expect(page.get_by_text("The menu answers calls from now on.")).to_be_visible()


def test_the_menu_is_tried_out_with_the_keyboard(officer: Visitor) -> None:
    _set_up_menu(officer)
    page = officer.page
    officer.open(f"/clients/{CLIENT}/consent/menus/")
    page.get_by_role("link", name="Try it out").click()
    heard = page.locator("#heard")
    expect(heard).to_contain_text("would like to record and monitor")
    page.keyboard.press("3")
    expect(heard).to_contain_text("quisiera grabar")
    page.keyboard.press("1")
    expect(heard).to_contain_text("The recording starts.")
    expect(page.locator("#last-heard")).to_contain_text("se está grabando")
    expect(page.get_by_role("button", name="1", exact=True)).to_be_disabled()
    page.get_by_role("button", name="Take it back by a text").click()
    expect(heard).to_contain_text("The recording is stopped at once")
    page.get_by_label("Calls without a number").check()
    page.get_by_role("link", name="Call again").click()
    page.get_by_role("button", name="9", exact=True).click()
    if AXE.exists():
        assert findings(page) == []


def test_a_call_is_recorded_after_key_1_and_a_text_stops_it(officer: Visitor) -> None:
    _set_up_menu(officer)
    page = officer.page
    officer.open("/demo/phone/")
    log, texts, vendor = (page.locator(f"[data-part={name}]") for name in ("log", "texts", "vendor"))
    state = page.locator("[data-part=state]")
    page.get_by_label("Number to call and to text").select_option(index=0)
    page.get_by_label("You are", exact=True).select_option(index=1)
    page.get_by_role("button", name="Call", exact=True).click()
    expect(log).to_contain_text("would like to record and monitor")
    expect(state).to_have_text("In the menu, not recorded")
    page.keyboard.press("1")
    expect(log).to_contain_text("This call is being recorded.")
    expect(state).to_have_text("Recording")
    page.get_by_label("Text", exact=True).fill("please stop recording me")
    page.get_by_role("button", name="Send").click()
    expect(vendor).to_contain_text("The running recording was stopped.")
    # The client is observed: nothing is destroyed anywhere yet.
    expect(vendor).not_to_contain_text("A recording was deleted.")
    expect(texts).to_contain_text("we will not record")
    expect(state).to_have_text("Connected, not recorded")
    if AXE.exists():
        assert findings(page) == []
    page.get_by_role("button", name="Hang up").click()
    expect(state).to_have_text("On hook")
    page.get_by_role("button", name="Call", exact=True).click()
    expect(log).to_contain_text("This call is not recorded.")
    page.get_by_role("button", name="Hang up").click()


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
    expect(page.get_by_text("it withdraws nothing")).to_be_visible()
