"""
A new client in ten minutes, by hand: blueprint, agreement, tracker, past calls, numbers, what was found, fixes,
words, go live. Every click, every field and every file counts, and there are at most thirty.
"""

import base64
import csv
import hmac
import io
import json
import re
import urllib.request
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.site import JOBS, OFFICER, ROOT, Visitor, until
from tests.browser.test_done_when import the_other_officer_lets_it_go_live

pytestmark = pytest.mark.browser

ZONE = ZoneInfo("America/Chicago")
SECRET = "a-signing-key-of-a-tracker-072e77"
ADS, PRINT = "+14155550110", "+14155550130"
ANNOUNCED, SILENT, GERMAN = 371, 29, 12
MOST = 33


class Hand:
    """A person's hand: it clicks, types and chooses files, and counts."""

    def __init__(self, visitor: Visitor) -> None:
        self.page = visitor.page
        self.actions = 0

    def click(self, what: Locator) -> None:
        """One click."""
        self.actions += 1
        what.click()

    def type(self, label: str, text: str) -> None:
        """One field."""
        self.actions += 1
        self.page.get_by_label(label).fill(text)

    def tick(self, label: str) -> None:
        """One box."""
        self.actions += 1
        self.page.get_by_label(label).check()

    def button(self, name: str) -> None:
        """One click on a button."""
        self.click(self.page.get_by_role("button", name=name, exact=True))

    def link(self, name: str) -> None:
        """One click on a link."""
        self.click(self.page.get_by_role("link", name=name, exact=True).first)


def an_export(now: datetime) -> bytes:
    """A month of CallRail's: 371 calls to an announced number, 29 from California to a silent one, 12 from Germany."""
    header = (ROOT / "tests/fixtures/callrail_csv_header.csv").read_text().strip().split(",")
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, header, restval="")
    writer.writeheader()
    numbers = (
        [(f"(628) 555-01{n % 100:02}", ADS) for n in range(ANNOUNCED)]
        + [(f"(415) 555-01{n:02}", PRINT) for n in range(SILENT)]
        + [(f"+49 30 23125 {n:03}", ADS) for n in range(GERMAN)]
    )
    for n, (caller, dialled) in enumerate(numbers):
        at = (now - timedelta(days=1 + n % 28, minutes=n)).astimezone(ZONE)
        writer.writerow(
            {
                "Call Status": "Answered Call",
                "Tracking Number": dialled,
                "Number Name": "Ads" if dialled == ADS else "Print",
                "Phone Number": caller,
                "Source": "Google Ads",
                "Duration (seconds)": str(40 + n % 200),
                "Start Time": f"{at:%Y-%m-%d %H:%M:%S}",
                "Recording Url": f"https://app.callrail.example/calls/{n}/recording",
            }
        )
    return out.getvalue().encode()


def the_tracker_calls(visitor: Visitor, address: str) -> None:
    """The vendor's side of the test: a signed event of a call that was not recorded."""
    now = datetime.now(UTC)  # noqa: TID251  (what is tested reads the same clock)
    event = {
        "resource_id": "CAL1", "answered": True, "direction": "inbound", "duration": 21, "tracking_phone_number": ADS,
        "customer_phone_number": "+16285550199", "start_time": now.isoformat(), "source": "Google Ads",
    }  # fmt: skip
    body = json.dumps(event).encode()
    signature = base64.b64encode(hmac.digest(SECRET.encode(), body, "sha1")).decode()
    request = urllib.request.Request(  # noqa: S310  (this machine)
        address, body, {"Content-Type": "application/json", "Signature": signature}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        assert answer.status == 200


@pytest.mark.slow
def test_a_new_client_in_ten_minutes(visitor: Visitor) -> None:
    visitor.sign_in(OFFICER)
    page, hand = visitor.page, Hand(visitor)
    visitor.open("/clients/")

    add_the_client(hand)
    apply_a_blueprint(hand)
    agree(hand)
    connect_the_tracker(hand, visitor)
    bring_past_calls(hand)
    confirm_the_numbers(hand)
    see_what_was_found(hand)
    make_tasks(hand)
    hand_the_words_over(hand)
    expect(
        page.get_by_text("Nothing is deleted by its retention period or by quarantine").first
    ).to_be_visible()
    go_live(hand, visitor)
    assert hand.actions <= MOST, hand.actions


def add_the_client(hand: Hand) -> None:
    """Its name, its legal name and where it is."""
    hand.link("New client")
    hand.type("Short name", "Golden Gate Plumbing")
    hand.type("Legal name", "Golden Gate Plumbing, Inc.")
    hand.type("Places", "US-CA")
    hand.button("Add the client")
    hand.link("Setup")


def apply_a_blueprint(hand: Hand) -> None:
    """What it changes is shown first; what says everything it must goes in force because it was ticked."""
    hand.link("Preview Home services")
    expect(hand.page.get_by_role("row").filter(has_text="Consent standard")).to_contain_text(
        "Announcement on the call, or express consent"
    )
    hand.tick("Publish notices with all required text")
    hand.tick("Declare the legal basis for call measurement, with the included balancing test")
    hand.type("Reason for less than express consent", "Callers of a trade expect an announcement.")
    hand.button("Apply blueprint")
    expect(hand.page.get_by_text("12 in force, 0 drafted")).to_be_visible()


def agree(hand: Hand) -> None:
    """The contract and the data processing agreement have dates."""
    expect(hand.page.get_by_role("heading", name="Engagement", exact=True)).to_be_visible()
    hand.type("Contract signed on", "2026-01-12")
    hand.type("Data processing agreement signed on", "2026-01-12")
    hand.button("Save dates")


def connect_the_tracker(hand: Hand, visitor: Visitor) -> None:
    """The key is pasted; the first signed event of the tracker is the test."""
    page = hand.page
    expect(page.get_by_role("heading", name="Call tracker", exact=True)).to_be_visible()
    hand.type("Signing key or auth token", SECRET)
    hand.button("Connect tracker")
    expect(page.get_by_text("Not tested yet")).to_be_visible()
    hand.button("Copy")
    the_tracker_calls(visitor, page.locator("code[id^=way-]").inner_text())
    page.reload()
    until(page, page.get_by_text("Tested: last event received"))
    hand.link("Continue: Past calls")


def bring_past_calls(hand: Hand) -> None:
    """An export of the last 30 days, with progress."""
    page = hand.page
    hand.actions += 1
    page.get_by_label("File").set_input_files(
        {"name": "calls.csv", "mimeType": "text/csv", "buffer": an_export(datetime.now(UTC))}  # noqa: TID251  (what is tested reads the same clock)
    )
    hand.button("Upload and preview")
    expect(page.get_by_role("heading", name="The first rows, masked")).to_be_visible()
    start = page.get_by_role("button", name="Start the import")
    start.wait_for(timeout=JOBS)
    hand.click(start)
    expect(page.get_by_text("Done", exact=True)).to_be_visible(timeout=JOBS)
    hand.link("Go on with the setup")


def confirm_the_numbers(hand: Hand) -> None:
    """The calls show that both are recorded; which is announced, and since when, only a person knows."""
    page = hand.page
    # What the import brought is decided first: who confirms while its rows are held has them decided anew later.
    until(page, page.get_by_text("can be kept"))
    expect(page.get_by_role("heading", name="Numbers", exact=True)).to_be_visible()
    ads = page.get_by_role("row").filter(has_text=ADS)
    expect(ads).to_contain_text(f"{ANNOUNCED + GERMAN} of {ANNOUNCED + GERMAN + 1} calls recorded")
    named = (ads.get_by_role("rowheader").inner_text()).splitlines()[0]
    hand.tick(f"Announced on {named}")
    since = datetime.now(ZONE) - timedelta(days=60)  # noqa: TID251  (what is tested reads the same clock)
    hand.type(f"Heard on {named} since", f"{since:%Y-%m-%d}")
    hand.tick("The recordings include this announcement")
    hand.button("Confirm numbers")


def see_what_was_found(hand: Hand) -> None:
    """Everything is decided within moments, and said as one sentence."""
    page = hand.page
    expect(page.get_by_role("heading", name="Findings", exact=True)).to_be_visible()
    sentence = (
        f"Of {ANNOUNCED + SILENT + GERMAN} recorded calls: {ANNOUNCED} announced, {SILENT} from California (US) "
        f"without, {GERMAN} from Germany without."
    )
    expect(page.get_by_text(sentence)).to_be_visible(timeout=JOBS)
    # While anything is still being decided the page stays at this step, whatever was done there.
    expect(page.get_by_text("Decisions on recordings are in progress.")).to_have_count(0, timeout=JOBS)


def make_tasks(hand: Hand) -> None:
    """Both proposals are ticked; they become tasks at the tracker, and leave the list."""
    page = hand.page
    expect(page.get_by_text(re.compile("announce recording before the call connects"))).to_be_visible()
    expect(page.get_by_text(re.compile("move the number to our phone menu"))).to_be_visible()
    hand.button("Create tasks for selected fixes")
    expect(page.get_by_text("2 tasks created for the tracker. Find them in the inbox.")).to_be_visible()


def hand_the_words_over(hand: Hand) -> None:
    """The snippet is copied in place; words and script are one click away."""
    page = hand.page
    # Where what was found is looked at once more just now, the setup leads there again until that is done.
    until(page, page.get_by_role("heading", name="Text and snippet", exact=True))
    expect(page.get_by_role("link", name="Copy script")).to_be_visible()
    expect(page.locator("#snippet")).to_contain_text("integrity=")
    hand.button("Copy snippet")
    hand.button("Mark as delivered")


def go_live(hand: Hand, visitor: Visitor) -> None:
    """The counts are shown, an officer proposes it, and another agrees."""
    page = hand.page
    until(page, page.get_by_role("heading", name="Go live", exact=True))
    hand.link("Review counts and sign")
    expect(page.get_by_text(re.compile(r"quarantined", re.IGNORECASE)).first).to_be_visible()
    hand.type("Why does the client go live now?", "The setup is done, and the counts are as expected.")
    hand.type("to confirm", "Golden Gate Plumbing")
    hand.button("Propose going live")
    the_other_officer_lets_it_go_live(visitor, "Golden Gate Plumbing")
    visitor.open("/clients/golden-gate-plumbing/policies/")
    expect(page.get_by_text("Enforced: due data is deleted", exact=True)).to_be_visible()
