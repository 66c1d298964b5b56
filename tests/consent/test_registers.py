"""Do-not-call lists: brought sealed, kept as tokens, shown with their age, replaced, and asked before a call."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from callprivacy.accounts.enums import Role
from callprivacy.audit.models import Event
from callprivacy.calls.enums import JobState
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.vault.models import ListedNumber
from callprivacy.work.models import Item
from consent import kinds
from consent.channels import number_files
from consent.channels.number_files import Refused, UnreadableError
from consent.enums import EventKind, Purpose
from consent.models import NumberList
from consent.selectors.contact import Asked
from consent.services import contact, registers
from consent.services.contact import Aim, Code
from retention.services import files_sweep
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.consent.deciding import say
from tests.consent.systems import system_of
from tests.consent.test_expiry import text_of
from tests.consent.test_ledger import caller_of
from tests.make import NOON

pytestmark = pytest.mark.as_committed

LISTED, FREE = "+14155550101", "+14155550102"
FTC = b"415,5550101\r\n415,5550103\r\n212,5550104\r\n"
TODAY = NOON.date()
# Early evening in London and noon in California: nobody's hours stand against a call.
EVENING = NOON + timedelta(hours=8)


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with time_machine.travel(EVENING, tick=False):
        yield


@pytest.fixture(autouse=True)
def _no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("celery.Task.apply_async", lambda *_args, **_kwargs: None)


@pytest.fixture
def alice(cast: Cast) -> Browser:
    return signed_in(cast.alice)


def form(content: bytes = FTC, **fields: Any) -> dict[str, Any]:
    return {
        "name": "National registry", "as_of": TODAY.isoformat(), "area_codes": "", "client": "",
        "file": SimpleUploadedFile("dnc.txt", content), **fields,
    }  # fmt: skip


def read(cast: Cast, at: Any = EVENING) -> bool:
    return registers.work(agency_id=cast.acme.pk, until=at + timedelta(minutes=1), clock=lambda: at)


def bring(cast: Cast, alice: Browser, content: bytes = FTC, **fields: Any) -> NumberList:
    """Bring a file as a person does, and have it read."""
    answer = alice.post("/consent/registers/new/", form(content, **fields))
    assert answer.status_code == 302, answer.context["form"].errors
    read(cast)
    return row_of(cast, uuid.UUID(answer.headers["Location"].split("/")[-2]))


def row_of(cast: Cast, list_id: uuid.UUID) -> NumberList:
    with job_scope(agency_id=cast.acme.pk):
        return NumberList.objects.select_related("client").get(pk=list_id)


def age(cast: Cast, row: NumberList, days: int) -> None:
    with job_scope(agency_id=cast.acme.pk):
        NumberList.objects.filter(pk=row.pk).update(as_of=TODAY - timedelta(days=days))


def check(cast: Cast, number: str = LISTED, aim: Aim = Aim.MARKETING, client: Any = None) -> contact.Contact:
    with job_scope(agency_id=cast.acme.pk):
        found = contact.check(client=client or cast.dentist, asked=[Asked(number)], aim=aim, at=EVENING)
    return found.answers[0]


def codes(found: contact.Contact) -> set[Code]:
    return {one.code for one in found.obstacles}


def agree(cast: Cast, number: str) -> None:
    caller_id = caller_of(cast, number)
    say(
        cast.dentist, EventKind.GIVEN, caller_id, purpose=Purpose.CONTACT, happened_at=NOON - timedelta(days=9),
        channel="web",
    )  # fmt: skip


# --- Reading a file ---


@pytest.mark.parametrize(
    "lines",
    [["415,5550101"], ["4155550101"], ["phone", "(415) 555-0101"], ["+14155550101"], ["415,555-0101", ""],
     ["Ana,415-555-0101,2026-11-01"]],
)  # fmt: skip
def test_a_number_is_read_however_it_is_written(lines: list[str]) -> None:
    found = [said for _, said in number_files.read_register(lines, country="US")]
    assert found == ["+14155550101"]


def test_lines_that_are_no_numbers_are_refused_by_their_line_alone() -> None:
    found = list(number_files.read_register(["4155550101", "12", "nobody", "4155550102"], country="US"))
    assert found == [
        (1, "+14155550101"), (2, Refused("no phone number")), (3, Refused("no phone number")),
        (4, "+14155550102"),
    ]  # fmt: skip
    assert [
        line for line, _ in number_files.read_register(["415,5550101"] * 5, country="US", after_line=3)
    ] == [4, 5]


@pytest.mark.parametrize(
    ("line", "said"),
    [("415,5550101,2026-11-02,D", "full list"), ("PK\x03\x04", "ZIP"), ("<?xml version='1.0'?>", "XML"),
     ("1" * 3000, "longer than")],
)  # fmt: skip
def test_what_is_no_list_says_what_to_do(line: str, said: str) -> None:
    with pytest.raises(UnreadableError, match=said):
        list(number_files.read_register([line], country="US"))


# --- Bringing one ---


def test_a_register_counts_once_it_is_read_and_no_number_of_it_is_kept(cast: Cast, alice: Browser) -> None:
    row = bring(cast, alice)
    assert (row.state, row.is_active, row.size, row.refused) == (JobState.DONE, True, 3, 0)
    assert ListedNumber.objects.filter(list_id=row.pk).count() == 3
    assert all(len(bytes(token)) == 32 for token in ListedNumber.objects.values_list("token", flat=True))
    registers.purge(agency_id=cast.acme.pk, at=EVENING)
    assert row_of(cast, row.pk).file_key is None
    assert row.file_key is not None
    with pytest.raises(FileNotFoundError):
        files.open(-cast.acme.pk, row.file_key)
    with job_scope(agency_id=cast.acme.pk):
        actions = set(Event.objects.values_list("action", flat=True))
    assert {"register.brought", "register.read"} <= actions


def test_the_page_says_which_lines_were_not_taken_and_never_what_stood_there(
    cast: Cast, alice: Browser
) -> None:
    row = bring(cast, alice, b"415,5550101\nrubbish 99\n212,5550104\n", area_codes="415")
    assert (row.size, row.refused) == (1, 2)
    page = text_of(alice.get(f"/consent/registers/{row.pk}/").content)
    assert "Line 2: no phone number" in page
    assert "Line 3: its area code is not in the list" in page
    assert "rubbish" not in page
    assert "5550104" not in page


def test_a_file_without_numbers_fails_and_the_one_before_goes_on_counting(cast: Cast, alice: Browser) -> None:
    good = bring(cast, alice)
    bad = bring(cast, alice, b"nothing here\nnor 1 here\n")
    assert (bad.state, bad.is_active, bad.failure) == (
        JobState.FAILED,
        False,
        "The file contains no numbers.",
    )
    assert row_of(cast, good.pk).is_active
    page = alice.get(f"/consent/registers/{bad.pk}/")
    assert "The file contains no numbers." in text_of(page.content)


def test_the_next_of_the_same_name_takes_its_place_and_the_old_tokens_leave(
    cast: Cast, alice: Browser
) -> None:
    old = bring(cast, alice)
    new = bring(cast, alice, b"415,5550199\n")
    assert not row_of(cast, old.pk).is_active
    assert row_of(cast, new.pk).is_active
    registers.purge(agency_id=cast.acme.pk, at=EVENING)
    assert not ListedNumber.objects.filter(list_id=old.pk).exists()
    assert ListedNumber.objects.filter(list_id=new.pk).count() == 1
    assert row_of(cast, old.pk).emptied_at == EVENING


def test_a_worker_that_was_killed_is_gone_on_behind(
    cast: Cast, alice: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registers, "BATCH", 2)
    alice.post("/consent/registers/new/", form())
    ticks = iter([EVENING, EVENING + timedelta(minutes=2), EVENING + timedelta(minutes=2)])
    until = EVENING + timedelta(minutes=1)
    assert registers.work(agency_id=cast.acme.pk, until=until, clock=lambda: next(ticks))
    with job_scope(agency_id=cast.acme.pk):
        half = NumberList.objects.get()
    assert (half.state, half.line, half.size, half.is_active) == (JobState.RUNNING, 2, 2, False)
    read(cast, EVENING + timedelta(minutes=5))
    whole = row_of(cast, half.pk)
    assert (whole.state, whole.line, whole.size) == (JobState.DONE, 3, 3)
    assert ListedNumber.objects.filter(list_id=half.pk).count() == 3


def test_one_that_is_taken_out_counts_no_more(cast: Cast, alice: Browser) -> None:
    row = bring(cast, alice)
    assert alice.post(f"/consent/registers/{row.pk}/out/").status_code == 302
    assert not row_of(cast, row.pk).is_active
    alice.post(f"/consent/registers/{row.pk}/out/")
    registers.purge(agency_id=cast.acme.pk, at=EVENING)
    assert not ListedNumber.objects.exists()


@pytest.mark.parametrize(
    ("fields", "said"),
    [({"as_of": (TODAY + timedelta(days=2)).isoformat()}, "is in the future"),
     pytest.param({"area_codes": "41, 212"}, "three-digit", marks=pytest.mark.thorough),
     pytest.param({"file": ""}, "Add the file", marks=pytest.mark.thorough)],
)  # fmt: skip
def test_a_form_that_will_not_do_says_why_and_leaves_no_file(
    cast: Cast, alice: Browser, *, fields: dict[str, Any], said: str, settings: Any, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    answer = alice.post("/consent/registers/new/", form(**fields))
    assert answer.status_code == 200
    assert said in text_of(answer.content)
    assert files.ids(-cast.acme.pk, older_than=make.now() + timedelta(days=4000)) == []
    with job_scope(agency_id=cast.acme.pk):
        assert not NumberList.objects.exists()


def test_what_an_upload_left_lying_is_removed_a_day_later(cast: Cast) -> None:
    make.own_folders()
    holder = registers.open_holder(agency_id=cast.acme.pk, at=EVENING)
    left = uuid.uuid4()
    with files.Writer(holder, left, at=EVENING) as out:
        out.write(b"415,5550101")
    files_sweep.sweep_own(agency_id=cast.acme.pk, at=EVENING + timedelta(hours=1))
    files.open(holder, left).close()
    files_sweep.sweep_own(agency_id=cast.acme.pk, at=make.now() + timedelta(days=400))
    with pytest.raises(FileNotFoundError):
        files.open(holder, left)


# --- Who may ---


def test_registers_are_the_officers(cast: Cast) -> None:
    manager = make.person(cast.acme, "mara", Role.ACCOUNT_MANAGER)
    make.grant(manager, cast.dentist)
    for browser in (signed_in(manager), signed_in(cast.carol), signed_in(cast.bob)):
        assert browser.get("/consent/registers/").status_code == 403
        assert browser.post("/consent/registers/new/", form()).status_code == 403


def test_another_agencys_register_is_none(cast: Cast, alice: Browser) -> None:
    row = bring(cast, alice)
    assert signed_in(cast.mallory).get(f"/consent/registers/{row.pk}/").status_code == 404


@pytest.mark.thorough
def test_an_empty_page_says_what_to_bring(alice: Browser) -> None:
    page = text_of(alice.get("/consent/registers/").content)
    assert "No do-not-call lists yet" in page
    assert "No answers imported yet" in page


# --- Before a call ---


def test_who_is_listed_is_not_called_without_consent_and_is_with_it(cast: Cast, alice: Browser) -> None:
    bring(cast, alice)
    assert Code.REGISTER in codes(check(cast, LISTED))
    assert Code.REGISTER not in codes(check(cast, FREE))
    agree(cast, LISTED)
    found = check(cast, LISTED)
    assert found.allowed, found.obstacles
    assert any("the consent of" in note for note in found.notes)
    assert not codes(check(cast, LISTED, Aim.SERVICE))


@pytest.mark.parametrize(("days", "is_stale"), [(31, False), (32, True)])
def test_a_register_that_is_too_old_keeps_calls_that_advertise_from_being_made(
    cast: Cast, alice: Browser, days: int, is_stale: bool
) -> None:
    row = bring(cast, alice)
    age(cast, row, days)
    agree(cast, FREE)
    found = check(cast, FREE)
    assert (codes(found) == {Code.STALE_REGISTER}) is is_stale
    assert found.allowed is not is_stale
    assert check(cast, FREE, Aim.SERVICE).allowed
    page = text_of(alice.get("/consent/registers/").content)
    assert f"{days} days old" in page
    assert ("Outdated" in page) is is_stale
    assert (
        "This list is outdated" in text_of(alice.get(f"/consent/registers/{row.pk}/").content)
    ) is is_stale


def test_a_newer_one_opens_them_again(cast: Cast, alice: Browser) -> None:
    age(cast, bring(cast, alice), 40)
    agree(cast, FREE)
    assert not check(cast, FREE).allowed
    bring(cast, alice)
    assert check(cast, FREE).allowed


def test_the_officers_are_told_once_that_it_is_too_old_and_no_more_when_a_newer_one_is_there(
    cast: Cast, alice: Browser
) -> None:
    def waiting() -> int:
        registers.purge(agency_id=cast.acme.pk, at=EVENING)
        with job_scope(agency_id=cast.acme.pk):
            return Item.objects.open().filter(kind=kinds.REGISTER_TOO_OLD).count()

    row = bring(cast, alice)
    assert waiting() == 0
    age(cast, row, 32)
    assert (waiting(), waiting()) == (1, 1)
    assert "older than 31 days" in text_of(alice.get("/work/").content)
    bring(cast, alice)
    assert waiting() == 0


def test_an_old_register_of_other_area_codes_stands_against_nothing(cast: Cast, alice: Browser) -> None:
    age(cast, bring(cast, alice, b"212,5550104\n", area_codes="212"), 40)
    agree(cast, FREE)
    found = check(cast, FREE)
    assert found.allowed
    assert "No imported do-not-call list covers this number's area code." in found.notes


def test_a_clients_own_register_counts_for_that_client_alone(cast: Cast, alice: Browser) -> None:
    row = bring(cast, alice, client="dentist")
    assert row.client == cast.dentist
    assert Code.REGISTER in codes(check(cast, LISTED))
    assert Code.REGISTER not in codes(check(cast, LISTED, client=cast.plumber))


def test_the_interface_for_programs_names_the_register_and_refuses(cast: Cast, alice: Browser) -> None:
    row = bring(cast, alice)
    agree(cast, LISTED)
    crm = system_of(cast.dentist, cast.alice)
    answer = crm.ask("contact/check", {"number": LISTED, "purpose": "marketing"})
    assert answer["registers"] == [
        {"name": "National registry", "kind": "do_not_call", "as_of": TODAY.isoformat(), "days_old": 0,
         "is_current": True}
    ]  # fmt: skip
    assert answer["answers"][0]["allowed"]
    age(cast, row, 40)
    answer = crm.ask("contact/check", {"number": LISTED, "purpose": "marketing"})
    assert not answer["registers"][0]["is_current"]
    assert [one["code"] for one in answer["answers"][0]["reasons"]] == ["stale_register"]


@pytest.mark.thorough
def test_a_thousand_numbers_take_as_many_queries_as_one(cast: Cast, alice: Browser) -> None:
    bring(cast, alice)
    counts = []
    for many in (1, 1000):
        asked = [Asked(f"+1415555{place:04}") for place in range(many)]
        with (
            job_scope(agency_id=cast.acme.pk),
            CaptureQueriesContext(connections["default"]) as one,
            CaptureQueriesContext(connections["vault"]) as other,
        ):
            contact.check(client=cast.dentist, asked=asked, aim=Aim.MARKETING, at=EVENING)
        counts.append(len(one) + len(other))
    assert counts[0] <= counts[1] <= 7


def test_on_a_public_holiday_nobody_is_called_where_the_law_leaves_it_out(cast: Cast) -> None:
    alabama, toll_free, new_york = Asked("+12055550101"), Asked("+18005550101"), Asked("+12125550101")
    christmas = datetime(2026, 12, 25, 19, tzinfo=UTC)
    with job_scope(agency_id=cast.acme.pk):
        found = contact.check(
            client=cast.dentist, asked=[alabama, toll_free, new_york], aim=Aim.SERVICE, at=christmas
        ).answers
    assert [one.allowed for one in found] == [False, False, True]
    assert found[0].obstacles[0].text.startswith("Public holiday in Alabama: ")
    assert found[0].next_at == datetime(2026, 12, 26, 14, tzinfo=UTC)


def test_the_state_of_a_register_is_that_of_its_agency(cast: Cast, alice: Browser) -> None:
    bring(cast, alice)
    with job_scope(agency_id=cast.globex.pk):
        assert not NumberList.objects.exists()
        found = contact.check(client=cast.florist, asked=[Asked(LISTED)], aim=Aim.MARKETING, at=EVENING)
    assert found.registers == ()
    assert Code.REGISTER not in codes(found.answers[0])
