"""
A compliance officer's night: sets the matrix, sees the next ninety days, places a hold, watches the night's run, takes
the certificate and has it verified, and tries in vain to bring an erased number back. The processes are real; only the
hours are shortened.
"""

import csv
import io
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from tests.browser.site import JOBS, NEXT_LOOK, OFFICER, ROOT, Site, Visitor, texts, until
from tests.browser.test_done_when import (
    figure,
    propose_going_live,
    the_other_officer_agrees,
    the_other_officer_lets_it_go_live,
)
from tests.numbers import says

pytestmark = pytest.mark.browser

CLIENT, SLUG = "Lone Star HVAC", "lone-star-hvac"
ZONE = ZoneInfo("America/Chicago")
HELD, OLD, FRESH = (
    3,
    9,
    6,
)  # rows of the file: of the number in dispute, others of forty days ago, and of today
KEPT_FOR, AGE = 30, 40
IN_DISPUTE, ERASED = "(737) 555-0150", "(737) 555-0160"
NUMBER = re.compile(r"737\)?[\s-]?555[\s-]?01\d\d")
CAMPAIGN = "Spring tune-up"


def a_file(now: datetime) -> bytes:
    """An export of CallRail's: forty days ago one number three times and nine others, and six calls of today."""
    header = (ROOT / "tests/fixtures/callrail_csv_header.csv").read_text().strip().split(",")
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, header, restval="")
    writer.writeheader()
    old = [IN_DISPUTE] * HELD + [f"(737) 555-01{60 + n}" for n in range(OLD)]
    fresh = [f"(737) 555-01{80 + n}" for n in range(FRESH)]
    for n, number in enumerate([*old, *fresh]):
        days = AGE if n < len(old) else 0
        at = (now - timedelta(days=days, minutes=10 + 7 * n)).astimezone(ZONE)
        writer.writerow(
            {
                "Call Status": "Answered Call",
                "Tracking Number": "+15125550110",
                "Phone Number": number,
                "Source": "Google Ads",
                "Duration (seconds)": str(60 + n),
                "Start Time": f"{at:%Y-%m-%d %H:%M:%S}",
                "Campaign": CAMPAIGN,
            }
        )
    return out.getvalue().encode()


@pytest.mark.slow
@pytest.mark.thorough
def test_an_officers_night(visitor: Visitor, site: Site, tmp_path: Path) -> None:
    visitor.sign_in(OFFICER)
    content = a_file(datetime.now(UTC))  # noqa: TID251  (what is tested reads the same clock)
    bring(visitor, content)
    assert refused_as_too_old(visitor) == 0

    set_the_matrix(visitor)
    see_ninety_days(visitor)
    place_a_hold(visitor)
    go_live(visitor)
    watch_the_night(visitor)
    take_and_verify(visitor, tmp_path)

    bring(visitor, content)
    assert refused_as_too_old(visitor) == HELD + OLD
    what_was_erased_stays_away(visitor)


def bring(visitor: Visitor, content: bytes) -> None:
    """Bring the file of calls in, to its end."""
    page = visitor.page
    visitor.open(f"/clients/{SLUG}/imports/")
    page.get_by_role("link", name="Import a file").first.click()
    page.get_by_label("File").set_input_files(
        {"name": "calls.csv", "mimeType": "text/csv", "buffer": content}
    )
    page.get_by_role("button", name="Upload and look").click()
    page.get_by_role("button", name="Start the import").click(timeout=JOBS)
    expect(page.get_by_text("Done", exact=True)).to_be_visible(timeout=JOBS)


def refused_as_too_old(visitor: Visitor) -> int:
    """How many rows the import that is shown did not take, because their time is over."""
    visitor.page.wait_for_load_state()
    rows = visitor.page.locator("dl > div, tr, .stat").filter(has_text=re.compile("Too old"))
    if not rows.count():
        return 0
    found = re.search(r"\d[\d,]*", rows.first.inner_text())
    return int(found[0].replace(",", "")) if found is not None else 0


def set_the_matrix(visitor: Visitor) -> None:
    """From its cell in the matrix: the effect before it is saved, then another officer's word."""
    page = visitor.page
    page.get_by_role("link", name="Compliance", exact=True).first.click()
    page.get_by_role("link", name="Retention", exact=True).first.click()
    page.get_by_role("link", name="Rules", exact=True).click()
    page.get_by_role("link", name=re.compile(f"Call records, calls in of {CLIENT}")).first.click()
    page.get_by_label("Keep for (days)").fill(str(KEPT_FOR))
    page.get_by_label("Why this changes").fill("The contract of this month says thirty days.")
    page.get_by_role("button", name="Show the effect").click()

    table = page.get_by_role("region", name="What is due before and after")
    row = table.get_by_role("row").filter(has_text="Call records, calls in")
    assert [int(cell) for cell in texts(row.get_by_role("cell"))] == [0, HELD + OLD]
    page.get_by_label("My reason answers the rule").check()
    page.get_by_role("button", name="Propose").click()
    expect(page.get_by_text("in force once another officer agrees")).to_be_visible()

    the_other_officer_agrees(visitor, CLIENT)
    visitor.open("/retention/policies/")
    cell = page.get_by_role("link", name=re.compile(f"Call records, calls in of {CLIENT}")).first
    expect(cell).to_contain_text(re.compile(rf"{KEPT_FOR} d\s*own"))


def see_ninety_days(visitor: Visitor) -> None:
    """The calls of today stand on the day on which their thirty days are over."""
    page = visitor.page
    page.get_by_role("link", name="Schedule", exact=True).click()
    page.locator("main").get_by_label(re.compile("^Client")).select_option(label=CLIENT)
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("heading", name="What falls due in the next 90 days")).to_be_visible()
    page.get_by_text("The same as a table").click()
    table = page.get_by_role("region", name="Falls due per day, as a table")
    today = datetime.now(ZONE)  # noqa: TID251  (what is tested reads the same clock)
    fall_due = 0
    for days in (KEPT_FOR, KEPT_FOR + 1):  # a test may begin before midnight
        day = today + timedelta(days=days)
        row = table.get_by_role("row").filter(has_text=re.compile(rf"\b{day.day} {day:%b %Y}"))
        fall_due += int(row.get_by_role("cell").last.inner_text().replace(",", ""))
    assert fall_due >= FRESH


def place_a_hold(visitor: Visitor) -> None:
    """One number is in dispute: what is held is no longer among what would go, and the preview says by which hold."""
    page = visitor.page
    visitor.open(f"/clients/{SLUG}/holds/new/")
    page.locator("main").get_by_label("Name", exact=True).fill("Invoice in dispute")
    page.get_by_label("Why it has to be kept").fill(
        "A customer disputes an invoice, and counsel asked for the calls."
    )
    page.get_by_label("Everything of some numbers").check()
    page.get_by_label("Numbers, one a line").fill(IN_DISPUTE)
    page.get_by_role("button", name="Place the hold").click()
    expect(page.get_by_role("heading", name="Invoice in dispute")).to_be_visible()
    assert not says(page.url, IN_DISPUTE)
    expect(page.locator("main")).not_to_contain_text(NUMBER)

    for _ in range(JOBS // NEXT_LOOK):  # a job marks what it covers, at once and each minute
        visitor.open(f"/clients/{SLUG}/policies/preview/")
        if figure(visitor, "Kept by holds") == HELD:
            break
        page.wait_for_timeout(NEXT_LOOK)
    assert figure(visitor, "Rows to be deleted") == OLD
    assert figure(visitor, "Kept by holds") == HELD
    expect(page.locator("main")).to_contain_text("Invoice in dispute")


def go_live(visitor: Visitor) -> None:
    """One officer proposes it under the counts, another agrees."""
    page = visitor.page
    visitor.open(f"/clients/{SLUG}/policies/")
    page.get_by_role("link", name="Go live").click()
    assert figure(visitor, "Calls to be deleted first") == OLD
    propose_going_live(visitor, CLIENT)
    the_other_officer_lets_it_go_live(visitor, CLIENT)
    visitor.open(f"/clients/{SLUG}/policies/")
    expect(page.get_by_text("Enforced: due data is deleted")).to_be_visible()


def watch_the_night(visitor: Visitor) -> None:
    """The run of the night, and its page until it has ended."""
    page = visitor.page
    night_comes(visitor)
    page.get_by_role("link", name="Compliance", exact=True).first.click()
    page.get_by_role("link", name="Retention", exact=True).first.click()
    run = page.get_by_role("region", name="Runs").get_by_role("row").filter(has_text="Each night").first
    run.get_by_role("link").click()
    page.wait_for_url("**/retention/runs/*/")
    expect(page.get_by_text("Finished", exact=True)).to_be_visible(timeout=JOBS)
    row = page.get_by_role("region", name="Clients of this run").get_by_role("row").filter(has_text=CLIENT)
    due, erased, held, forgotten = (
        row.locator(f'td[data-label="{label}"]').inner_text()
        for label in ("Due", "Erased", "Held", "Callers forgotten")
    )
    assert (due, erased, held, forgotten) == (str(OLD), str(OLD), str(HELD), str(OLD))


def night_comes(visitor: Visitor) -> None:
    """It is night in the agency's zone: a zone in which it is past two stands in for it, and nobody began it yet."""
    visitor.site.do(
        "from datetime import timedelta\n"
        "from django.utils import timezone\n"
        "from callprivacy.tenancy.models import Agency\n"
        "from callprivacy.tenancy.scope import in_each_agency, job_scope\n"
        "from callprivacy.work.models import Period\n"
        "from retention.services import runs\n"
        "from retention.tasks.runs import work_runs\n"
        "now = timezone.now()\n"
        "zone = 'UTC' if now.hour >= 2 else 'Asia/Tokyo'\n"
        "def night(agency_id):\n"
        "    with job_scope(agency_id=agency_id):\n"
        "        Period.objects.filter(agency_id=agency_id, job='retention.run').remove()\n"
        "        agency = Agency.objects.get(pk=agency_id)\n"
        "        agency.time_zone = zone\n"
        "        assert runs.start_nightly(agency=agency, at=now) is not None\n"
        "in_each_agency(night)\n"
        "work_runs.delay()\n"
    )


def take_and_verify(visitor: Visitor, folder: Path) -> None:
    """It names counts, hold and the day from which no copy opens; both forms hold up anywhere, a forged one fails."""
    page = visitor.page
    link = page.get_by_role("region", name="Clients of this run").get_by_role(
        "link", name="Number 1", exact=True
    )
    until(page, link)
    link.first.click()
    row = (
        page.get_by_role("region", name="What was destroyed, by category")
        .get_by_role("row")
        .filter(has_text="Call records, calls in")
    )
    row.wait_for()
    assert texts(row.get_by_role("cell"))[:3] == [str(OLD), str(OLD), str(HELD)]
    expect(page.locator("main").get_by_text("Invoice in dispute").first).to_be_visible()
    last_copy = datetime.now(ZONE).date() + timedelta(days=15)  # noqa: TID251  (what is tested reads the same clock)
    said = page.locator("dl.facts > div").filter(has_text="Copies in backups").inner_text()
    told = datetime.strptime(said.split("opened from")[1].strip(), "%d %B %Y").date()
    assert abs((told - last_copy).days) <= 1
    key = re.search(r"--key ([0-9a-f]{64})", page.locator("main").inner_text())
    assert key is not None

    held, fails = [], []
    for form in ("PDF", "JSON"):
        with page.expect_download() as download:
            page.get_by_role("button", name=form, exact=True).click()
        file = folder / f"certificate.{form.lower()}"
        download.value.save_as(file)
        content = bytearray(file.read_bytes())
        content[content.index(b'"erased"') + 9 if form == "JSON" else len(content) // 2] ^= 1
        forged = folder / f"forged.{form.lower()}"
        forged.write_bytes(content)
        held.append(file)
        fails.append(forged)
    assert [verified(file, key[1]) for file in [*held, *fails]] == [0, 0, 1, 1]
    assert verified_here(visitor, [*held, *fails]) == [0, 0, 1, 1]


def verified(file: Path, key: str) -> int:
    """What the standalone program says, in plain Python without any of ours."""
    program = [sys.executable, "-S", "-E", str(ROOT / "tools/verify_certificate.py")]
    return subprocess.run([*program, str(file), "--key", key], capture_output=True, check=False).returncode


def verified_here(visitor: Visitor, files: list[Path]) -> list[int]:
    """What the installation's command says of each file, in one process, for it takes longer to start than to look."""
    said = visitor.site.do(
        "import sys\n"
        "from django.core.management import execute_from_command_line\n"
        "for file in sys.argv[1:]:\n"
        "    try:\n"
        "        execute_from_command_line(['manage.py', 'verify_certificate', file])\n"
        "        ended = 0\n"
        "    except SystemExit as end:\n"
        "        ended = end.code\n"
        "    print('ended', ended)\n",
        *map(str, files),
    )
    return [int(found) for found in re.findall(r"^ended (\d+)$", said, re.MULTILINE)]


def what_was_erased_stays_away(visitor: Visitor) -> None:
    """No call of it in the list, nobody by its number; what the hold keeps is there."""
    page = visitor.page
    a_month_ago = datetime.now(ZONE) - timedelta(days=KEPT_FOR + 1)  # noqa: TID251  (what is tested reads the same clock)
    visitor.open(f"/calls/?client={SLUG}&until_on={a_month_ago:%Y-%m-%d}")
    expect(page.get_by_role("region", name="Calls").locator("tbody tr")).to_have_count(HELD)
    for number, calls in ((ERASED, None), (IN_DISPUTE, str(HELD))):
        page.keyboard.press("Control+k")
        page.locator("#number-search").fill(number)
        page.locator("#number-search").press("Enter")
        if calls is None:
            expect(page.get_by_text("Nobody by that number")).to_be_visible()
        else:
            hit = (
                page.get_by_role("region", name="Where it called").get_by_role("row").filter(has_text=CLIENT)
            )
            expect(hit.locator('td[data-label="Calls"]')).to_have_text(calls)
