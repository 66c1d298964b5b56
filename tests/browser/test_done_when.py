"""
A newcomer's first hour as the demo's compliance officer: import, look, reveal, prove, shorten and go live (to both of
which the demo's other officer agrees), see it go. The processes are real, and no clock is moved.
"""

import csv
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from tests.browser import site as sites
from tests.browser.site import (
    JOBS,
    OFFICER,
    OTHER_OFFICER,
    ROOT,
    Site,
    Visitor,
    past_midnight,
    texts,
    until,
)

pytestmark = pytest.mark.browser

CLIENT, SLUG = "Harbor Dental", "harbor-dental"
ZONE = ZoneInfo("America/Los_Angeles")
CAMPAIGN = "Newcomer's first file"
REASON = "The practice asked us to call this patient back."
# Every caller of the file has one, and nothing else on a page does.
NUMBER = re.compile(r"628\)?[\s-]?555[\s-]?01\d\d")
ROWS, OLD, KEPT_FOR = 36, 12, 5  # rows of the file; those of nine days ago; the new keep-for in days


def a_file(now: datetime) -> bytes:
    """An export of CallRail's: 36 calls of fictitious people, 12 of them nine days old; one line is absurd."""
    header = (ROOT / "tests/fixtures/callrail_csv_header.csv").read_text().strip().split(",")
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, header, restval="")
    writer.writeheader()
    for n in range(ROWS):
        at = (now - timedelta(days=9 if n < OLD else 0, minutes=10 + 7 * n)).astimezone(ZONE)
        writer.writerow(
            {
                "Call Status": "Answered Call",
                "Tracking Number": "+14155550110",
                "Name": f"Jane Canary {n}",
                "Phone Number": f"(628) 555-01{20 + n % 30}",
                "Email": "jane@canary.example",
                "Source": "Google Ads",
                "Duration (seconds)": str(60 + n),
                "Start Time": f"{at:%Y-%m-%d %H:%M:%S}",
                "Campaign": CAMPAIGN,
                "Note": "canary note,\nof two lines",
            }
        )
    writer.writerow({"Call Status": "Answered Call", "Tracking Number": "+14155550110",
                     "Phone Number": "(628) 555-0199", "Duration (seconds)": "-5",
                     "Start Time": f"{now.astimezone(ZONE):%Y-%m-%d %H:%M:%S}"})  # fmt: skip
    return out.getvalue().encode()


def figure(visitor: Visitor, label: str) -> int:
    """The number that stands under a label, in a tile or in what is shown before a deed."""
    page = visitor.page
    tile = page.locator(".stat, .extent > div").filter(has_text=re.compile(rf"^\s*{re.escape(label)}"))
    found = re.search(r"\d[\d,]*", tile.first.inner_text().replace(label, "", 1))
    assert found is not None, tile.first.inner_text()
    return int(found[0].replace(",", ""))


@pytest.mark.slow
def test_newcomers_first_hour(visitor: Visitor, site: Site, tmp_path: Path) -> None:
    visitor.sign_in(OFFICER)

    bring_a_file(visitor)
    see_masked_calls(visitor)
    reveal_one(visitor)
    find_it_in_the_trail(visitor)
    past_midnight(ZONE, within=timedelta(minutes=2))
    shorten_the_keep_for(visitor)
    due = see_what_would_go(visitor)
    go_live(visitor, due)
    see_it_go(visitor, due)
    verify_the_trail_offline(visitor, tmp_path)


def bring_a_file(visitor: Visitor) -> None:
    """From the client's page: upload, ten masked rows, what is dropped, progress, what was refused."""
    page = visitor.page
    page.get_by_role("link", name="Clients", exact=True).first.click()
    page.get_by_role("link", name=CLIENT, exact=True).first.click()
    page.get_by_role("link", name="Integrations", exact=True).click()
    page.get_by_role("link", name="Import calls").click()
    page.get_by_role("link", name="Import a file").first.click()
    page.get_by_label("File").set_input_files(
        {"name": "calls.csv", "mimeType": "text/csv", "buffer": a_file(datetime.now(UTC))}  # noqa: TID251  (what is tested reads the same clock)
    )
    page.get_by_role("button", name="Upload and look").click()

    expect(page.get_by_role("heading", name="The first rows, masked")).to_be_visible()
    expect(page.get_by_text("+1 ••• ••• 0120").first).to_be_visible()
    expect(page.locator("body")).not_to_contain_text(NUMBER)
    expect(page.locator("body")).not_to_contain_text("Jane Canary")
    start = page.get_by_role("button", name="Start the import")
    start.wait_for(timeout=JOBS)  # the worker counts the rows; the page then brings the button
    assert figure(visitor, "Rows in the file") == ROWS + 1
    assert figure(visitor, "Refused for what stands in them") == 1
    start.click()

    expect(page.get_by_text("Done", exact=True)).to_be_visible(timeout=JOBS)
    expect(page.get_by_role("heading", name="Refused lines")).to_be_visible()
    expect(page.get_by_label("Refused lines").get_by_text("Duration (seconds)").first).to_be_visible()


def see_masked_calls(visitor: Visitor) -> None:
    """The list holds the file's calls, every caller masked."""
    page = visitor.page
    visitor.open(f"/calls/?client={SLUG}")
    expect(page.get_by_role("heading", name=f"Calls of {CLIENT}")).to_be_visible()
    expect(page.get_by_role("region", name="Calls").get_by_text(CAMPAIGN).first).to_be_visible()
    callers = texts(page.locator('th[data-label="Caller"] small'))
    assert callers
    assert all(re.fullmatch(r"\+\d+ ••• ••• \d{3,4}", caller) for caller in callers), callers


def reveal_one(visitor: Visitor) -> None:
    """A reason too short is refused; with a sentence the number is there, counting down."""
    page = visitor.page
    page.get_by_role("row").filter(has_text=CAMPAIGN).first.get_by_role("link").first.click()
    expect(page.locator("body")).not_to_contain_text(NUMBER)
    page.get_by_role("link", name="Reveal number").click()
    page.get_by_label("What for").select_option(index=1)
    page.get_by_label("In a sentence").fill("because")
    page.get_by_role("button", name="Write down and show").click()
    expect(page.locator("body")).not_to_contain_text(NUMBER)

    page.get_by_label("In a sentence").fill(REASON)
    page.get_by_role("button", name="Write down and show").click()

    expect(page.locator(".reveal-value")).to_have_text(NUMBER)
    expect(page.get_by_role("timer")).to_contain_text(re.compile(r"hidden in \d+ s"))
    page.get_by_role("link", name="Back to the call").click()
    expect(page.get_by_label("What was done with this call")).to_contain_text("Olivia Reyes")


def find_it_in_the_trail(visitor: Visitor) -> None:
    """The newest row says who, what and for which client; the words behind it are opened on demand."""
    page = visitor.page
    page.get_by_role("link", name="Compliance", exact=True).first.click()
    page.get_by_role("link", name="Audit log", exact=True).first.click()
    row = page.get_by_role("row").filter(has_text=re.compile("reveal", re.IGNORECASE)).first
    expect(row).to_contain_text("Olivia Reyes")
    expect(row).to_contain_text(CLIENT)
    row.locator("summary").click()
    row.get_by_role("button", name="Open the reason").click()
    expect(page.get_by_text(REASON)).to_be_visible()
    expect(page.locator("main")).not_to_contain_text(NUMBER)


def shorten_the_keep_for(visitor: Visitor) -> None:
    """The effect is shown before anything is saved; a second person agrees; the client still only observes."""
    page = visitor.page
    visitor.open(f"/clients/{SLUG}/")
    page.get_by_role("link", name="Data and retention", exact=True).first.click()
    before = figure(visitor, "Calls past their date")
    page.get_by_role("link", name="Change Call records, calls in").click()
    page.get_by_label("Keep for (days)").fill(str(KEPT_FOR))
    page.get_by_label("Why this changes").fill("The contract of this month says five days.")
    page.get_by_role("button", name="Show the effect").click()

    table = page.get_by_role("region", name="What is due before and after")
    row = table.get_by_role("row").filter(has_text="Call records, calls in")
    now, then = (int(cell.replace(",", "")) for cell in texts(row.get_by_role("cell")))
    assert now == before
    assert then >= before + OLD
    page.get_by_label("My reason answers the rule").check()
    page.get_by_role("button", name="Propose").click()

    expect(page.get_by_text("in force once another officer agrees")).to_be_visible()
    assert figure(visitor, "Calls past their date") == before
    the_other_officer_agrees(visitor, CLIENT)
    assert figure(visitor, "Calls past their date") >= before + OLD
    expect(page.get_by_text("Dry run: retention deletes nothing")).to_be_visible()


def the_other_officer_agrees(visitor: Visitor, client: str) -> None:
    """Another officer sees the effect of the change and agrees."""
    with the_other_officer_reads(visitor, client) as page:
        page.get_by_role("button", name="Agree", exact=True).click()
        expect(page.get_by_text("Agreed. It is in force from now on.")).to_be_visible()
    visitor.page.reload()


@contextmanager
def the_other_officer_reads(visitor: Visitor, client: str) -> Iterator[Page]:
    """Another officer, signed in elsewhere, finds the change of a client and opens its reason."""
    browser = visitor.context.browser
    assert browser is not None
    with sites.visiting(browser, visitor.site) as other:
        other.sign_in(OTHER_OFFICER)
        page = other.page
        page.get_by_role("link", name="Compliance", exact=True).first.click()
        page.get_by_role("link", name="Retention", exact=True).first.click()
        page.get_by_role("link", name="Changes", exact=True).click()
        waiting = page.get_by_role("region", name="Changes that wait").get_by_role("row")
        waiting.filter(has_text=client).get_by_role("link").first.click()
        expect(page.get_by_text("Olivia Reyes")).to_be_visible()
        page.get_by_role("button", name="Read the reason").click()
        expect(page.get_by_role("button", name="Read the reason")).to_have_count(0)
        yield page


def see_what_would_go(visitor: Visitor) -> int:
    """The preview lists the very calls, masked, oldest first; returns how many."""
    page = visitor.page
    page.get_by_role("link", name="Preview").first.click()
    due = figure(visitor, "Rows to be deleted")
    assert due >= OLD
    expect(
        page.get_by_role("region", name="Rows to be deleted", exact=True).locator("tbody tr").first
    ).to_be_visible()
    expect(page.get_by_role("region", name="Rows to be deleted", exact=True)).not_to_contain_text(NUMBER)
    expect(page.get_by_text("This client is observed")).to_be_visible()
    return due


def go_live(visitor: Visitor, due: int) -> None:
    """One officer proposes it under the counts, another agrees."""
    page = visitor.page
    page.get_by_role("link", name="Data and retention", exact=True).first.click()
    page.get_by_role("link", name="Go live").click()
    assert figure(visitor, "Calls to be deleted first") == due
    propose_going_live(visitor, CLIENT)
    the_other_officer_lets_it_go_live(visitor, CLIENT)
    visitor.open(f"/clients/{SLUG}/policies/")
    expect(page.get_by_text("Enforced: due data is deleted")).to_be_visible()


def propose_going_live(visitor: Visitor, client: str) -> None:
    """The client's name and a reason, under the counts; nothing is deleted yet."""
    page = visitor.page
    page.get_by_label("Why does the client go live now?").fill("The dry run showed what we expected.")
    page.get_by_label("to confirm").fill(client)
    page.get_by_role("button", name="Propose going live").click()
    expect(page.get_by_text("is not live until another officer agrees")).to_be_visible()


def the_other_officer_lets_it_go_live(visitor: Visitor, client: str) -> None:
    """Another officer reads the reason, sees the counts and types the client's name."""
    with the_other_officer_reads(visitor, client) as page:
        page.get_by_role("link", name="See the counts and agree").click()
        page.get_by_label("to confirm").fill(client)
        page.get_by_role("button", name="Agree and go live").click()
        expect(page.get_by_text("Enforced: due data is deleted")).to_be_visible()


def see_it_go(visitor: Visitor, due: int) -> None:
    """A run started by hand erases exactly what was signed for, and nothing is due afterwards."""
    page = visitor.page
    page.get_by_role("link", name="Compliance", exact=True).first.click()
    page.get_by_role("link", name="Retention", exact=True).first.click()
    page.get_by_role("link", name="Start a run now").click()
    page.get_by_role("button", name="Erase what is due").click()
    page.wait_for_url("**/retention/runs/*/")
    expect(page.get_by_text("Finished", exact=True)).to_be_visible(timeout=JOBS)
    assert figure(visitor, "Rows erased") == due
    row = page.get_by_role("row").filter(has_text=CLIENT)
    expect(row).to_contain_text("Done")

    row.get_by_role("link", name=CLIENT).click()
    assert figure(visitor, "Calls past their date") == 0
    page.get_by_role("link", name="Preview").first.click()
    expect(page.get_by_text("Nothing is past its date")).to_be_visible()
    a_week_ago = datetime.now(ZONE) - timedelta(days=7)  # noqa: TID251  (what is tested reads the same clock)
    visitor.open(f"/calls/?client={SLUG}&until_on={a_week_ago:%Y-%m-%d}")
    expect(page.get_by_text("No call matches")).to_be_visible()


def wait_for_the_seal(visitor: Visitor) -> None:
    """Beat asks for a seal each minute; asking now only saves the wait. Unsealed events vouch for nothing."""
    ask = [sys.executable, "-m", "celery", "-A", "callprivacy", "call", "audit.seal_events"]
    subprocess.run(ask, env=visitor.site.environ, cwd=ROOT, capture_output=True, check=True)
    visitor.open("/trail/")
    row = visitor.page.get_by_role("row").filter(has_text="Number revealed").first
    until(visitor.page, row.filter(has_text="root "))


def verify_the_trail_offline(visitor: Visitor, folder: Path) -> None:
    """The bundle holds up under plain Python, and a changed event in it does not."""
    page = visitor.page
    wait_for_the_seal(visitor)
    page.locator("summary").filter(has_text="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Whole trail, to verify elsewhere").click()
    bundle = folder / "trail.jsonl"
    download.value.save_as(bundle)
    verify = [sys.executable, "-I", str(ROOT / "tools/verify_bundle.py")]

    held = subprocess.run([*verify, str(bundle)], capture_output=True, text=True, check=False)
    assert held.returncode == 0, held.stdout + held.stderr

    changed = folder / "changed.jsonl"
    text = bundle.read_text()
    assert '"number.revealed"' in text
    changed.write_text(text.replace('"number.revealed"', '"number.glimpsed"', 1))
    found = subprocess.run([*verify, str(changed)], capture_output=True, text=True, check=False)
    assert found.returncode == 1, found.stdout + found.stderr
    assert "FOUND" in found.stdout
