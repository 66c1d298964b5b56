"""
"Please stop recording me": a caller texts STOP and is stopped here within the second; the tracker that cannot leave one
caller unrecorded is dealt with by hand, its next recording is withheld and asked to be deleted, and the whole of it
leaves as a pack that anybody can check without a network.

The caller is the demo's telephone, which goes through the same public, signed doors as a real one.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import NEXT_LOOK, OFFICER, ROOT, Visitor, texts, until
from tests.browser.test_journey_one import Hand
from tools import verify_evidence

pytestmark = pytest.mark.browser

CLIENT, SLUG = "Prairie Auto", "prairie-auto"
CALLER, NUMBER = "Ms Novak in Chicago", "+13125550163"
CLOCK = re.compile(r"Stopped here at \d\d:\d\d:\d\d C[DS]T")
MOST = 30
"""Actions of the officer's from the queue to the pack, with two letters, their answers and their receipts."""


@pytest.mark.slow
def test_please_stop_recording_me(visitor: Visitor, tmp_path: Path) -> None:
    visitor.sign_in(OFFICER)
    phone = a_telephone(visitor)
    text(phone, "STOP")

    hand = Hand(visitor)
    visitor.open("/overview/")
    see_it_stopped(hand)
    choose(hand)
    for step in ("Turn off live monitoring", "Stop texting"):
        carry(hand, step)
    until(hand.page, hand.page.get_by_text("Confirmed at vendors:").first)

    call(phone)
    find_the_caller(hand)
    the_next_call_is_withheld(hand)
    deletion_is_asked_for(hand)
    take_the_pack(hand, tmp_path)
    assert hand.actions <= MOST, hand.actions
    phone.close()


# --- The caller -----------------------------------------------------------------------------------------------------


def a_telephone(visitor: Visitor) -> Page:
    """The demo's telephone in a window of its own, in front of a number of the tracker's."""
    phone = visitor.context.new_page()
    phone.goto(f"{visitor.site.url}/demo/phone/")
    lines = phone.get_by_label("Number to call and to text")
    (line,) = [name for name in texts(lines.locator("option")) if name == f"{CLIENT}: Ads (CallRail)"]
    lines.select_option(line)
    phone.get_by_label("You are", exact=True).select_option(CALLER)
    # What its first look brings is of before, and it says nothing of it.
    phone.locator("#phone[data-listening=yes]").wait_for()
    return phone


def text(phone: Page, words: str) -> None:
    """The text leaves, signed, and Twilio answers its own word itself."""
    phone.get_by_label("Text", exact=True).fill(words)
    with phone.expect_response(lambda answer: answer.url.endswith("/sms/")) as taken:
        phone.get_by_role("button", name="Send").click()
    assert taken.value.status == 200
    expect(phone.locator("[data-part=texts]")).to_contain_text("You have successfully been unsubscribed.")


def call(phone: Page) -> None:
    """The tracker records by itself, and tells of the call when it is over."""
    phone.get_by_role("button", name="Call", exact=True).click()
    expect(phone.locator("[data-part=log]")).to_contain_text("The vendor records this number by itself.")
    phone.wait_for_timeout(1100)
    with phone.expect_response(lambda answer: "/hooks/callrail/" in answer.url) as taken:
        phone.get_by_role("button", name="Hang up").click()
    assert taken.value.status == 200


# --- The officer ----------------------------------------------------------------------------------------------------


def see_it_stopped(hand: Hand) -> None:
    """The queue names the choice; the board says since when nothing counts any more, and which purposes."""
    page = hand.page
    hand.click(page.get_by_role("link", name="Inbox", exact=True).first)
    row = page.get_by_role("row").filter(has_text=CLIENT).filter(has_text="Callers opted out of recording")
    until(page, row)
    hand.click(row.get_by_role("link").last)  # another step at the same client may come first in the case
    newest = page.get_by_role("table").get_by_role("row").nth(1)
    expect(newest).to_contain_text("Text message")
    expect(newest).to_contain_text("Waiting for your choice")
    for purpose in ("Record", "Play, read, listen live", "Analyze the content", "Contact", "Share or sell"):
        expect(newest).to_contain_text(purpose)
    hand.click(newest.get_by_role("link", name="Caller "))
    expect(page.get_by_text(CLOCK)).to_be_visible()


def choose(hand: Hand) -> None:
    """The tracker cannot ask before it records: three ways out, one of them is picked."""
    page = hand.page
    hand.click(page.get_by_role("link", name="Choose how to stop recording this caller"))
    expect(
        page.get_by_text("The withdrawal has taken effect in CallPrivacy. CallRail keeps recording")
    ).to_be_visible()
    ways = page.get_by_role("radio")
    expect(ways).to_have_count(3)
    hand.click(page.get_by_label("Delete after each call"))
    hand.button("Save choice")
    expect(
        page.get_by_text(
            "Choice saved. Each later recording of this caller gets a deletion step for the vendor."
        )
    ).to_be_visible()


def carry(hand: Hand, step: str) -> None:
    """A letter is drafted; it is sent, answered, looked after, and leaves its receipt."""
    page = hand.page
    hand.click(page.get_by_role("link", name=step))
    letter = page.get_by_role("textbox", name="Letter")
    expect(letter).to_have_value(re.compile(r"^To CallRail\b"))
    assert NUMBER not in page.content()
    hand.type("In a sentence", f"The tracker is asked about this caller: {step}.")
    hand.button("Log and reveal number")
    expect(page.get_by_text(NUMBER)).to_be_visible()
    hand.button("Mark as sent")
    expect(page.get_by_text("You get a reminder after 7 days")).to_be_visible()
    hand.type("Reply", "Case 48213, closed by Dana on the vendor's side.")
    hand.button("Save answer")
    hand.type("Receipt", f"Case 48213: {step}, seen on the account's page.")
    hand.tick("I checked the vendor's own page")
    hand.button("Mark as done")
    expect(page.get_by_role("row").filter(has_text=step)).to_contain_text("Case 48213")


def find_the_caller(hand: Hand) -> None:
    """From the withdrawal to everything that this caller said."""
    page = hand.page
    hand.link("Consent history")
    timeline = page.get_by_role("list", name="Consent history, latest first")
    expect(timeline).to_contain_text("Withdrawn: Record")
    expect(timeline).to_contain_text("Text message")


def the_next_call_is_withheld(hand: Hand) -> None:
    """The call after the text is there, and its recording is withheld."""
    page = hand.page
    calls = page.get_by_role("listitem").filter(has_text="recording withheld")
    until(page, calls)


def deletion_is_asked_for(hand: Hand) -> None:
    """The recording that came all the same is asked to be deleted, by a letter."""
    page = hand.page
    step = page.get_by_role("listitem").filter(has_text=re.compile(r"CallRail: Delete a recording, waiting"))
    until(page, step)


def take_the_pack(hand: Hand, folder: Path) -> None:
    """One file with a proof of every event; the verifier needs nothing but the file, and the trail's key."""
    page = hand.page
    hand.link("Evidence pack")
    hand.type("In a sentence", "The caller asks what we have written down of the text.")
    pack = downloaded(hand, folder)
    report = verify_evidence.verify(pack.read_bytes())
    for _ in range(100):
        if report.proven == report.events:
            break
        # A seal covers what was written within a minute or two; the pack is then taken again.
        page.wait_for_timeout(NEXT_LOOK)
        report = verify_evidence.verify(downloaded(hand, folder).read_bytes())
        hand.actions -= 1
    assert report.findings == []
    assert report.events == report.proven == 5
    # As on another machine: two files of plain Python, the pack, and nothing else.
    for name in ("verify_evidence.py", "verify_bundle.py"):
        shutil.copy(ROOT / "tools" / name, folder)
    alone = subprocess.run(
        [sys.executable, "-E", "-s", "verify_evidence.py", pack.name],
        cwd=folder,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert alone.returncode == 0, alone.stdout + alone.stderr
    assert NUMBER.encode() not in pack.read_bytes()


def downloaded(hand: Hand, folder: Path) -> Path:
    """Why it is taken is written down first; then the file comes."""
    with hand.page.expect_download() as taken:
        hand.button("Log and download")
    pack = folder / taken.value.suggested_filename
    taken.value.save_as(pack)
    return pack
