"""
"Delete my data": a caller gets a copy and has everything erased, by a page of the client's own, a code, two facts and a
signature; the client agrees by a link; the officer decides with what stays shown; a letter says what was done. The same
person who calls again is somebody new.

The caller is the demo's telephone; codes, letters and the client's link come by mail.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest
from playwright.sync_api import Page, expect

from tests import make
from tests.browser.site import JOBS, NEXT_LOOK, OFFICER, PATIENCE, Visitor, past_midnight, texts, until
from tests.scale import times

pytestmark = pytest.mark.browser

CLIENT, SLUG = "Harbor Dental", "harbor-dental"
ZONE = ZoneInfo("America/Los_Angeles")
CALLER, NUMBER = "Ms Shaw in London", "+442079460123"
DIGITS = re.compile(r"20\D{0,2}7946\D{0,2}0123")
BYTES = re.compile(rb"\\+x((?:[0-9a-f]{2})+)")
"""How a dump writes bytes: read as they are, since by their hex digits chance may write any number."""
PAGES = times(40, 80)
LINK = re.compile(r'href="(/[^"#]*)"')
SKIPPED = re.compile(
    r"/(?:static|demo|mail|accounts|api)/|/hooks/|.*\.(?:csv|json|pdf|zip|js|css|svg|ico)(?:\?|$)"
)
"""What is no page of the officer's: files, the demo's telephone and mailbox, and signing in and out."""
LABEL = re.compile(r"Caller [0-9A-Z]{2}-[0-9A-Z]{3}")


@pytest.mark.slow
def test_delete_my_data(visitor: Visitor) -> None:
    visitor.sign_in(OFFICER)
    past_midnight(ZONE, within=timedelta(seconds=30))
    called_on = f"{make.now().astimezone(ZONE):%Y-%m-%d}"
    call(visitor)
    before = caller_of_the_newest_call(visitor)
    address = open_the_page(visitor)
    with a_person(visitor) as person:
        copy = ask(visitor, person, address, "Get a copy to take along", called_on=called_on)
        client_agrees(visitor, copy)
        decide(visitor, copy, "Fulfilled", "A copy of everything")
        answer(visitor, copy, "Your data are ready")
        fetch_the_package(visitor, person)

        gone = ask(visitor, person, address, "Delete my data")
        client_agrees(visitor, gone)
        shown = decide(visitor, gone, "Fulfilled", "At Harbor Dental")
        assert "What stays" in shown
        answer(visitor, gone, "Our answer about deleting your data")

    visitor.open(f"/calls/?client={SLUG}")
    expect(visitor.page.get_by_role("row").filter(has_text="+44")).to_have_count(0)
    is_gone_from_every_page(visitor)
    is_gone_from_every_dump(visitor)
    the_record_is_all_that_remains(visitor, copy, gone)
    call(visitor)
    after = caller_of_the_newest_call(visitor)
    assert after != before, "the same person is somebody new"
    visitor.open(f"/requests/?state=closed&client={SLUG}")
    assert not DIGITS.search(visitor.page.content())


# --- The caller -----------------------------------------------------------------------------------------------------


def call(visitor: Visitor) -> None:
    """The telephone rings at the client's tracker, and the call is taken in."""
    phone = visitor.context.new_page()
    phone.goto(f"{visitor.site.url}/demo/phone/")
    lines = phone.get_by_label("Number to call and to text")
    line = next(name for name in texts(lines.locator("option")) if name.startswith(f"{CLIENT}: Ads"))
    lines.select_option(line)
    phone.get_by_label("You are", exact=True).select_option(CALLER)
    phone.get_by_role("button", name="Call", exact=True).click()
    phone.wait_for_timeout(1200)
    with phone.expect_response(lambda answer: "/hooks/callrail/" in answer.url) as taken:
        phone.get_by_role("button", name="Hang up").click()
    assert taken.value.status == 200
    phone.close()


def caller_of_the_newest_call(visitor: Visitor) -> str:
    """The stable name of who called last."""
    for _ in range(JOBS // NEXT_LOOK):
        visitor.open(f"/calls/?client={SLUG}")
        rows = visitor.page.get_by_role("row").filter(has_text="+44")
        if rows.count():
            found = LABEL.search(rows.first.inner_text())
            if found is not None:
                return found[0]
        visitor.page.wait_for_timeout(NEXT_LOOK)
    raise AssertionError(visitor.site.said())


@contextmanager
def a_person(visitor: Visitor) -> Iterator[Page]:
    """Somebody outside, with a browser of their own."""
    browser = visitor.context.browser
    assert browser is not None
    context = browser.new_context(viewport={"width": 390, "height": 844})
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


def ask(visitor: Visitor, person: Page, address: str, what: str, *, called_on: str = "") -> str:
    """Ask on the client's page and prove who asks; returns the request's reference."""
    person.goto(address)
    person.get_by_role("link", name=what).click()
    person.get_by_label("The phone number it is about").fill(NUMBER)
    person.get_by_label(re.compile("^E-mail address")).fill("erin@people.example")
    person.get_by_role("button", name="Send", exact=True).click()
    type_the_code(visitor, person)
    person.get_by_role("button", name="Go on").click()
    if called_on:
        person.get_by_label("Day of the call").fill(called_on)
        person.get_by_label("Business").fill(CLIENT)
        person.get_by_role("button", name="Send this").click()
        person.get_by_label("I declare this").check()
        person.get_by_label("Your full name").fill("Erin Shaw")
        person.get_by_role("button", name="Sign", exact=True).click()
    person.wait_for_load_state("domcontentloaded")
    assert NUMBER not in person.content()
    found = re.search(r"R-[0-9A-Z]{4}-[0-9A-Z]{4}", person.content())
    assert found is not None
    return found[0]


def type_the_code(visitor: Visitor, person: Page) -> None:
    """A code comes to the phone, and is typed."""
    before = unread(visitor).count("Text message to")
    person.get_by_role("button", name="Text me a code").first.click()
    for _ in range(JOBS // 1000):
        if unread(visitor).count("Text message to") > before:
            break
        person.wait_for_timeout(1000)
    found = re.search(r"Text message to.*?\b(\d{6})\b", mails(visitor), flags=re.DOTALL)
    assert found is not None
    person.get_by_label("Code, 6 digits").fill(found[1])


def unread(visitor: Visitor) -> str:
    """The page of mails as it is sent: whoever asks again and again has it drawn in vain."""
    return visitor.page.request.get(f"{visitor.site.url}/mail/").text()


def mails(visitor: Visitor) -> str:
    """What lies in the mail of this machine, the newest first."""
    page = visitor.context.new_page()
    page.goto(f"{visitor.site.url}/mail/")
    text = page.locator("main").inner_text()
    page.close()
    return text


def mail_about(visitor: Visitor, subject: str) -> str:
    """The mail with this subject, once it is there."""
    for _ in range(JOBS // 1000):
        if subject in unread(visitor):
            text = mails(visitor)
            return text[text.index(subject) :]
        visitor.page.wait_for_timeout(1000)
    raise AssertionError(f"No mail about {subject!r}.\n{visitor.site.said()}")


def fetch_the_package(visitor: Visitor, person: Page) -> None:
    """Another code, and the copy comes as a file."""
    person.reload()
    type_the_code(visitor, person)
    person.get_by_role("button", name="Go on").click()
    with person.expect_download() as taken:
        person.locator("input[name=token] ~ div button, form:has(input[name=token]) button").first.click()
    assert taken.value.suggested_filename.endswith(".zip")


# --- The officer, and the client ------------------------------------------------------------------------------------


def open_the_page(visitor: Visitor) -> str:
    """The client's own page gets its address."""
    visitor.open(f"/clients/{SLUG}/requests-page/")
    page = visitor.page
    if page.get_by_role("button", name="Save and open the page").count():
        page.get_by_role("button", name="Save and open the page").click()
    found = page.locator("#address").inner_text()
    assert "/r/" in found
    return found


def open_case(visitor: Visitor, reference: str) -> None:
    """From the board to the case, once what there is of the person was looked for."""
    page = visitor.page
    visitor.open(f"/requests/?client={SLUG}&state=all")
    page.get_by_role("row").filter(has_text=reference).get_by_role("link").first.click()
    page.wait_for_url(re.compile(r"/requests/[0-9a-f-]{36}/"))
    until(page, page.get_by_text("Searched "))


def client_agrees(visitor: Visitor, reference: str) -> None:
    """The client is asked by mail, and agrees behind the link, without an account."""
    open_case(visitor, reference)
    page = visitor.page
    page.get_by_text("More", exact=True).click()
    page.get_by_role("link", name="Ask the client").click()
    page.get_by_label("Mail address of the client's person").fill("paul@harbor.example")
    page.get_by_label(re.compile("^I have made sure")).check()
    page.get_by_label("What you propose").fill("We would do it.")
    page.get_by_role("button", name="Ask", exact=True).click()
    letter = mail_about(visitor, f"Your word is needed on request {reference}")
    found = re.search(r"http://\S+/approve/\S+?/(?=[\s.]|$)", letter)
    assert found is not None
    with a_person(visitor) as approver:
        approver.goto(found[0])
        assert not DIGITS.search(approver.content())
        approver.get_by_label("Your name").fill("Paul Harbor")
        approver.get_by_label("Yes, do it").check()
        approver.get_by_role("button", name="Answer").click()
        expect(approver.get_by_text("You agreed")).to_be_visible()


def decide(visitor: Visitor, reference: str, decision: str, shows: str) -> str:
    """Decide with what happens shown before; returns what was shown once it is carried out."""
    open_case(visitor, reference)
    page = visitor.page
    page.get_by_role("link", name="Decide").click()
    page.wait_for_load_state("domcontentloaded")
    shown = page.locator("main").inner_text()
    page.get_by_label(decision, exact=True).check()
    page.get_by_role("button", name="Decide").click()
    expect(page.get_by_text("Decided. It is carried out")).to_be_visible()
    done = page.locator("#done").get_by_text("Done", exact=True)
    page.wait_for_load_state()
    for _ in range(60):
        waiting = page.locator("#done").get_by_text(re.compile("^(Waiting|Running|Being made|Tried again)$"))
        if done.count() and not waiting.count():
            return shown
        page.wait_for_timeout(NEXT_LOOK)
        page.reload()
    raise AssertionError(f"{shows}: {page.locator('#done').inner_text()}\n{visitor.site.said()}")


def is_gone_from_every_page(visitor: Visitor) -> None:
    """No page that an officer reaches by links shows the number; what a button does, and a file, is no page."""
    page = visitor.page
    seen: set[str] = set()
    waiting = ["/", f"/clients/{SLUG}/", f"/calls/?client={SLUG}", f"/requests/?client={SLUG}&state=all"]
    while waiting and len(seen) < PAGES:
        path = waiting.pop(0)
        if path in seen:
            continue
        seen.add(path)
        found = page.request.get(visitor.site.url + path)
        if not found.headers.get("content-type", "").startswith("text/html"):
            continue
        shown = found.text()
        assert not DIGITS.search(shown), path
        links = [link for link in LINK.findall(shown) if not SKIPPED.match(link)]
        # What is about this client first: of the demo's other eleven the same pages are drawn.
        waiting += sorted(dict.fromkeys(links), key=lambda link: SLUG not in link)
    assert len(seen) >= PAGES // 2
    assert any(path.startswith(f"/clients/{SLUG}/") for path in seen)


def is_gone_from_every_dump(visitor: Visitor) -> None:
    """No row of any table of either database, and no file and no log of the installation, holds the number."""
    tables = 0
    for name in ("DATABASE_OWNER_URL", "VAULT_DATABASE_OWNER_URL"):
        with psycopg.connect(visitor.site.environ[name]) as link:
            rows = link.execute(
                "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables"
                " WHERE schemaname = 'public'"
            ).fetchall()
            for (table,) in rows:
                with link.cursor().copy(f"COPY {table} TO STDOUT") as out:
                    dump = b"".join(bytes(piece) for piece in out)
                dump = BYTES.sub(lambda found: bytes.fromhex(found[1].decode()), dump)
                assert not DIGITS.search(dump.decode(errors="replace")), table
                tables += 1
    assert tables > 100
    # The mails stand for the phone and the mailbox of the person: they are outside.
    files = [file for file in visitor.site.logs.rglob("*") if file.is_file() and "mail" not in file.parts]
    assert any(file.suffix == ".log" for file in files)
    for file in files:
        content = b""
        with suppress(FileNotFoundError):  # a job may have removed it in between
            content = file.read_bytes()
        assert not DIGITS.search(content.decode(errors="replace")), file


def the_record_is_all_that_remains(visitor: Visitor, *references: str) -> None:
    """Both requests stand on the board as answered in time, with what was done and who was told."""
    page = visitor.page
    visitor.open(f"/requests/?client={SLUG}&state=closed")
    for reference in references:
        expect(page.get_by_role("row").filter(has_text=reference)).to_contain_text("in time")
    page.get_by_role("row").filter(has_text=references[-1]).get_by_role("link").first.click()
    expect(page.locator("#found")).to_contain_text("Call records")
    expect(page.locator("#told")).to_contain_text("CallRail")
    visitor.open("/requests/figures/?year=" + f"{make.now():%Y}")
    expect(page.get_by_role("row").filter(has_text="Requests to delete")).to_be_visible()


def answer(visitor: Visitor, reference: str, subject: str) -> None:
    """The letter says what was done; then nothing is owed any more."""
    open_case(visitor, reference)
    page = visitor.page
    page.get_by_role("link", name="Write the answer").click()
    expect(page.get_by_label("Subject")).to_have_value(re.compile(subject))
    assert not DIGITS.search(page.get_by_label("Text", exact=True).input_value())
    page.get_by_role("button", name="Send it").click()
    mail_about(visitor, f"{subject}: request {reference}")
    open_case(visitor, reference)
    page.get_by_role("button", name="Close request").click()
    expect(page.get_by_text("Closed. The answer was sent.")).to_be_visible()
