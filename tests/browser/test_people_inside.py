"""
The people inside, as they meet it: somebody comes, learns, is granted, looked over and leaves; a visitor at the door
and the host; a drill of a breach, from the report to the notice; a binder that verifies elsewhere.
"""

import re
import secrets
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from governance.courses import courses
from tests.browser import site as sites
from tests.browser.site import ADMIN, JOBS, ROOT, Site, Visitor, texts

pytestmark = pytest.mark.browser

CLIENT, SLUG = "Harbor Dental", "harbor-dental"
NEWCOMER = "Nora Newcomer"
COURSE = "phishing"
ANNEX = "The annex"


def end_the_open_review(site: Site) -> None:
    """The demo's review reaches its date."""
    site.do(
        "from django.utils import timezone\n"
        "from callprivacy.accounts import selectors\n"
        "from callprivacy.accounts.models import ReviewLine\n"
        "from callprivacy.accounts.services import reviews\n"
        "from callprivacy.tenancy.scope import in_each_agency, job_scope\n"
        "def close(agency_id):\n"
        "    with job_scope(agency_id=agency_id):\n"
        "        review = selectors.open_review()\n"
        "        if review:\n"
        "            ReviewLine.objects.filter(review=review).update(answer='kept')\n"
        "            reviews.close_review(review=review, by=reviews.BY, at=timezone.now())\n"
        "in_each_agency(close)\n",
    )


@pytest.mark.slow
@pytest.mark.thorough
def test_somebody_comes_learns_is_granted_looked_over_and_leaves(
    browser: Browser, site: Site, visitor: Visitor
) -> None:
    email, password = f"nora.{secrets.token_hex(3)}@northlight.example", f"Tide-{secrets.token_urlsafe(9)}-4b"
    visitor.sign_in(ADMIN)
    link = invite(visitor, email)
    with sites.visiting(browser, site) as nora:
        come_in(nora, link, password)
        learn(nora)
        number = grant(visitor, email)
        change_the_password_on_the_day(nora, email, password, f"{password}-and-more")
        nora.open(f"/clients/{SLUG}/")
        expect(nora.page.get_by_role("heading", name=CLIENT).first).to_be_visible()
        look_over(visitor)
        see_off(visitor, number)
        nora.open(f"/clients/{SLUG}/")
        expect(nora.page).to_have_url(re.compile(r"/accounts/login/"))
    visitor.context.clear_cookies()
    visitor.sign_in()
    deeds = {
        "Ada Lindqvist": ("Invitation sent", "Grant changed", "left"),
        NEWCOMER: ("Invitation accepted", "passed"),
    }
    for who, all_words in deeds.items():
        told = deeds_of(visitor, who)
        for words in all_words:
            assert re.search(words, told, re.IGNORECASE), f"{words}: {told}"


def deeds_of(visitor: Visitor, who: str) -> str:
    """What the trail says of one person alone: jobs write there all the time."""
    page = visitor.page
    visitor.open("/trail/")
    choices = page.locator("select[name=who]")
    value = choices.locator("option", has_text=who).first.get_attribute("value")
    visitor.open(f"/trail/?who={value}")
    rows = page.get_by_role("region", name="Events").get_by_role("row")
    return "\n".join(texts(rows))


def invite(visitor: Visitor, email: str) -> str:
    page = visitor.page
    visitor.open("/people/invite/")
    page.get_by_label("Name").fill(NEWCOMER)
    page.get_by_label("Email").fill(email)
    page.get_by_role("button", name="Send the invitation").click()
    expect(page.get_by_role("main")).to_contain_text(email)
    for _ in range(JOBS // 400):
        text = page.request.get(f"{visitor.site.url}/mail/").text()
        if email in text:
            found = re.search(r"/invitation/[\w-]+/", text[text.index(email) :])
            assert found is not None, text
            return found[0]
        page.wait_for_timeout(400)
    raise AssertionError(f"No invitation.\n{visitor.site.said()}")


def come_in(nora: Visitor, link: str, password: str) -> None:
    nora.open(link)
    page = nora.page
    page.get_by_label("Your name").fill(NEWCOMER)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_label("The same password again").fill(password)
    page.get_by_role("button", name="Accept and sign in").click()
    expect(page.get_by_role("navigation").first).to_be_visible()


def learn(nora: Visitor) -> None:
    """All screens, one after the other, and right answers; then the certificate is there."""
    course, page = courses()[COURSE], nora.page
    nora.open(f"/programme/training/{COURSE}/1/")
    for _ in course.screens[1:]:
        page.get_by_role("link", name="Next").click()
    page.get_by_role("button", name="Start the questions").click()
    expect(page.get_by_role("heading", name="Questions", exact=True)).to_be_visible()
    page.wait_for_load_state()
    radios = page.locator('input[type=radio][name^="q_"]')
    names = set(radios.evaluate_all("inputs => inputs.map(input => input.name)"))
    assert len(names) == course.asked == 12
    for name in sorted(names):
        right = course.questions[int(name.removeprefix("q_"))].answers[0]
        page.locator("label").filter(has=page.locator(f'input[name="{name}"]')).filter(
            has_text=re.compile(rf"^\s*{re.escape(right)}\s*$")
        ).click()
    page.get_by_role("button", name="Submit answers").click()
    expect(page.get_by_role("main")).to_contain_text(re.compile("passed", re.IGNORECASE))
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("certificate", re.IGNORECASE)).first.click()
    assert download.value.suggested_filename == f"certificate-{COURSE}.pdf"


def grant(visitor: Visitor, email: str) -> int:
    """A grant by an admin; the number of the membership is told."""
    page = visitor.page
    visitor.open(f"/people/?q={email}")
    page.get_by_role("link", name=NEWCOMER).first.click()
    found = re.search(r"/people/(\d+)/", page.url)
    assert found is not None
    visitor.open(f"/people/{found[1]}/clients/{SLUG}/")
    page.get_by_label("Reviewer", exact=True).check()
    page.get_by_role("button", name="Save").click()
    visitor.open(f"/people/{found[1]}/")
    expect(page.get_by_role("region", name="Clients granted")).to_contain_text(CLIENT)
    return int(found[1])


def change_the_password_on_the_day(nora: Visitor, email: str, old: str, new: str) -> None:
    """Ninety-one days later every page leads to the one for a new password, until there is one."""
    nora.site.do(
        "from datetime import timedelta\n"
        "from django.utils import timezone\n"
        "from callprivacy.accounts.models import User\n"
        "from callprivacy.accounts.services import passwords\n"
        f"rows = User.objects.filter(email={email!r})\n"
        "rows.update(password_changed_at=timezone.now() - timedelta(days=91))\n"
        "passwords.renew_due(user_ids=[rows.get().pk])\n",
    )
    page = nora.page
    for path in (f"/clients/{SLUG}/", "/programme/training/", "/accounts/sessions/"):
        nora.open(path)
        expect(page).to_have_url(re.compile(r"/accounts/password/change/(\?next=.*)?$"))
    expect(page.get_by_role("main")).to_contain_text("Your password is due")
    page.locator("input[name=oldpassword]").fill(old)
    page.locator("input[name=password1]").fill(new)
    page.locator("input[name=password2]").fill(new)
    page.get_by_role("main").get_by_role("button", name=re.compile("password", re.IGNORECASE)).last.click()
    expect(page).to_have_url(re.compile("/accounts/login/"))
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(new)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("heading", level=1).wait_for()


def look_over(visitor: Visitor) -> None:
    end_the_open_review(visitor.site)
    page = visitor.page
    visitor.open("/people/reviews/")
    page.get_by_role("button", name="Start review").click()
    row = page.get_by_role("row").filter(has_text=NEWCOMER)
    page.wait_for_load_state()
    if not row.count():
        page.get_by_role("link", name="Open current review").click()
    expect(row).to_contain_text(CLIENT)
    row.get_by_role("checkbox").check()
    page.get_by_role("button", name="Confirm them").click()
    row = page.get_by_role("row").filter(has_text=NEWCOMER)
    expect(row).to_contain_text("Ada")


def see_off(visitor: Visitor, number: int) -> None:
    page = visitor.page
    visitor.open(f"/people/{number}/leaves/")
    expect(page.get_by_role("main")).to_contain_text("Badges and door keys")
    page.get_by_role("button", name="End access").click()
    expect(page.get_by_role("main")).to_contain_text(f"{NEWCOMER} has left")


# --- The door -------------------------------------------------------------------------------------------------------


@pytest.mark.thorough
def test_a_visitor_signs_in_at_the_door_and_the_host_is_told(
    browser: Browser, site: Site, visitor: Visitor
) -> None:
    visitor.sign_in(ADMIN)
    page = visitor.page
    visitor.open("/programme/premises/new/")
    page.get_by_label("Name").fill(ANNEX)
    for day in ("Saturday", "Sunday"):
        page.get_by_label(day).check()
    page.get_by_label("Opens at").fill("00:00")
    page.get_by_label("Closes at").fill("23:59")
    page.get_by_role("button", name="Add site").click()
    page.get_by_role("link", name="Sign-in page").first.click()
    page.get_by_role("button", name="Create the address").click()
    address = page.locator("#kiosk-link").inner_text()

    page.reload()
    expect(page.get_by_role("main")).to_contain_text("The address was already created and shown")

    size = {"width": 390, "height": 844}
    with sites.visiting(browser, site, viewport=size, has_touch=True, is_mobile=True) as door:
        number = visit(door.page, address)
        visitor.open("/notifications/")
        told = page.get_by_role("row").filter(has_text="A visitor has arrived for you").first
        told.get_by_role("button", name="Open").or_(told.get_by_role("link", name="Open")).first.click()
        row = page.get_by_role("row").filter(has_text="Gale Guest").filter(has_text=ANNEX)
        expect(row).to_contain_text("still here")
        leave(door.page, number)
    page.reload()
    expect(row).not_to_contain_text("still here")


def visit(page: Page, address: str) -> str:
    page.goto(address)
    assert not page.get_by_role("link", name=re.compile("Overview|Sign in$")).count()
    page.get_by_role("link", name="I am a visitor").tap()
    page.get_by_label("Your name").fill("Gale Guest")
    page.get_by_label("Who are you visiting?").fill(ADMIN)
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390, "nothing has to be scrolled sideways"
    page.get_by_role("button", name="Sign in").tap()
    expect(page.locator("section[role=status]")).to_contain_text("Your number is")
    found = re.search(r"(\d{3}) (\d{3})", page.locator("section[role=status]").inner_text())
    assert found is not None
    assert "Gale" not in page.content()
    page.go_back()
    assert "Gale" not in page.get_by_label("Your name").input_value(), "going back shows nobody"
    return found[1] + found[2]


def leave(page: Page, number: str) -> None:
    page.get_by_role("link", name="Cancel").tap()
    page.get_by_role("link", name="Sign out").tap()
    page.get_by_label(re.compile("number", re.IGNORECASE)).fill(number)
    page.get_by_role("button", name="Sign out").tap()
    expect(page.get_by_role("heading", name="Goodbye")).to_be_visible()


# --- A drill --------------------------------------------------------------------------------------------------------


@pytest.mark.thorough
def test_a_drill_has_its_notices_within_minutes(visitor: Visitor) -> None:
    begin = datetime.now(UTC)  # noqa: TID251  (what is tested reads the same clock)
    visitor.sign_in()
    page = visitor.page
    visitor.open("/programme/breaches/report/")
    page.get_by_label("Title").fill("Tablet left in a train")
    page.get_by_label("What happened").fill("Signed in as an analyst, found missing this morning.")
    page.get_by_label("This is a drill").check()
    page.get_by_role("button", name="Report breach").click()
    page.get_by_role("link", name="Assess the breach").click()
    page.get_by_label("Unauthorized disclosure or access").check()
    page.get_by_label("Phone numbers").check()
    page.get_by_label("A risk to people").check()
    page.get_by_role("textbox", name="Where affected people live").fill("DE, US-TX")
    page.get_by_label("Affected people, estimated").fill("900")
    page.get_by_role("button", name="Save").click()

    told = page.get_by_role("region", name="Notifications")
    for whom in ("Supervisory authority (GDPR)", "Residents of Texas", "Attorney general of Texas"):
        expect(told).to_contain_text(whom)
    told.get_by_role("row").filter(has_text="Attorney general of Texas").get_by_role("link").click()
    draft = page.get_by_label("Text", exact=True).input_value()
    assert draft.startswith("DRILL - no breach has happened")
    assert "To: Attorney general of Texas" in draft
    assert "about 900" in draft
    page.get_by_role("button", name="Save as sent").click()
    row = told.get_by_role("row").filter(has_text="Attorney general of Texas")
    expect(row).to_contain_text("Sent")
    assert (datetime.now(UTC) - begin).total_seconds() < 300  # noqa: TID251  (what is tested reads the same clock)


# --- A binder -------------------------------------------------------------------------------------------------------


@pytest.mark.thorough
@pytest.mark.slow
def test_a_clients_binder_verifies_on_another_machine(visitor: Visitor, tmp_path: Path) -> None:
    """Built and taken on the pages; then nothing but the file, the program and the key, told on another way."""
    visitor.sign_in()
    page = visitor.page
    visitor.open("/binders/")
    key = page.locator("#public-key-1").inner_text()
    visitor.open("/clients/lone-star-hvac/proof/")
    page.get_by_role("button", name="Build evidence pack").click()
    page.get_by_role("button", name="Take the PDF").wait_for(timeout=JOBS)
    for form in ("PDF", "JSON"):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Take the {form}").click()
        download.value.save_as(tmp_path / f"binder.{form.lower()}")
    shutil.copy(ROOT / "tools/verify_bundle.py", tmp_path)

    for name in ("binder.pdf", "binder.json"):
        command = [sys.executable, "-I", "-S", "verify_bundle.py", name, "--key", key]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env={})
        assert done.returncode == 0, done.stdout + done.stderr
        assert "0 findings" in done.stdout
    raw = bytearray((tmp_path / "binder.pdf").read_bytes())
    raw[len(raw) // 2] ^= 1
    (tmp_path / "binder.pdf").write_bytes(raw)
    command = [sys.executable, "-I", "-S", "verify_bundle.py", "binder.pdf", "--key", key]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, env={}).returncode == 1
