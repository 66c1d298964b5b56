"""A list checked before it is dialled: what goes in, what comes back, who may take it, and when it is gone."""

import csv
import gzip
import io
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser
from django.test import override_settings
from django.urls import reverse

from callprivacy.accounts.enums import ApiScope, Role
from callprivacy.accounts.models import ClientGrant, Membership
from callprivacy.audit.models import Event, Reason
from callprivacy.calls.enums import JobState
from callprivacy.calls.models import Caller
from callprivacy.calls.providers.base import UnparsableError
from callprivacy.calls.services import people
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.vault import files as vault_files
from callprivacy.vault import services as vault
from consent.enums import Channel, EventKind, ListKind, Purpose, Strength
from consent.models import ListCheck, NumberList
from consent.services import ledger, list_checks
from consent.services.contact import Aim
from consent.services.ledger import Said
from consent.services.list_checks import Due, GoneError
from consent.tasks import list_checks as tasks
from retention.services import files_sweep
from tests import make
from tests.accounts.browsers import signed_in
from tests.calls import files
from tests.cast import Cast, assemble
from tests.consent.systems import system_of
from tests.make import NOON
from tests.samples import local, new_york
from tests.scale import some

pytestmark = pytest.mark.django_db
# Files leave when what no longer needs them is committed.
committing = pytest.mark.as_committed

NO, YES, NEW = "+14155550101", "+14155550102", "+14155550103"
DAY = NOON.replace(hour=20)
LIST = "Name,Phone,State\r\nAnna,(415) 555-0101,CA\r\nBen,415-555-0102,CA\r\nCy,+14155550103,CA\r\n"
WHY = {"reason": "The spring campaign is dialled this afternoon."}


@pytest.fixture(autouse=True)
def media(tmp_path: Path) -> Iterator[Path]:
    with override_settings(MEDIA_ROOT=tmp_path):
        yield tmp_path


@pytest.fixture
def cast(db: None) -> Cast:
    return assemble()


def say(cast: Cast, number: str, kind: EventKind, at: datetime = NOON) -> None:
    with job_scope(agency_id=cast.acme.pk):
        caller_id = people.add_callers(client=cast.dentist, numbers=[number], at=at)[number]
        said = Said(
            purpose=Purpose.CONTACT, kind=kind, caller_id=caller_id, channel=Channel.WEB, strength=Strength.A,
            happened_at=at - timedelta(days=1), source=f"{kind} {number}",
        )  # fmt: skip
        ledger.record_events(client=cast.dentist, said=[said], by=make.JOB, at=at)


def bring(
    cast: Cast, text: str | bytes = LIST, *, aim: Aim = Aim.MARKETING, region: int | None = 2, column: int = 1
) -> ListCheck:
    """A list that waits for a worker."""
    content = text.encode() if isinstance(text, str) else text
    stored = files.stored(cast.dentist, content)
    by = Actor.staff(user_id=cast.alice.user_id)
    with job_scope(agency_id=cast.acme.pk):
        with vault_files.open(cast.dentist.pk, stored.file_id) as source:
            rows = list_checks.count_rows(source, country="US")
        check = list_checks.create_check(
            client=cast.dentist,
            name="Spring",
            aim=aim,
            stored=stored,
            rows=rows,
            column=column,
            by=by,
            at=NOON,
        )
        list_checks.start_check(check=check, column=column, region_column=region, by=by, at=NOON)
    return again(check)


def again(check: ListCheck) -> ListCheck:
    with job_scope(agency_id=check.agency_id):
        return ListCheck.objects.get(pk=check.pk)


def run(check: ListCheck, at: datetime = DAY) -> bool:
    return list_checks.run_check(due=Due(check.agency_id, check.pk), clock=lambda: at)


def result(check: ListCheck, *, at: datetime = DAY) -> str:
    with (
        staff_scope(agency_id=check.agency_id, user_id=check.created_by_id or 0),
        list_checks.open_result(
            check=again_here(check),
            reason=WHY["reason"],
            by=Actor.staff(user_id=check.created_by_id or 0),
            at=at,
        ) as file,
    ):
        return file.read().decode()


def again_here(check: ListCheck) -> ListCheck:
    return ListCheck.objects.get(pk=check.pk)


def rows_of(check: ListCheck, delimiter: str = ",") -> list[dict[str, str]]:
    text = result(check).removeprefix("\ufeff")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))


def events(cast: Cast, action: str) -> list[Event]:
    with job_scope(agency_id=cast.acme.pk):
        return list(Event.objects.filter(action=action))


# --- What comes back -----------------------------------------------------------------------------------------------


def test_the_same_rows_come_back_in_their_order_each_with_its_verdict(cast: Cast) -> None:
    say(cast, NO, EventKind.WITHDRAWN)
    say(cast, YES, EventKind.GIVEN)
    check = bring(cast)

    assert run(check)

    found = rows_of(check)
    assert [(row["Name"], row["Phone"], row["allowed"]) for row in found] == [
        ("Anna", "(415) 555-0101", "no"),
        ("Ben", "415-555-0102", "yes"),
        ("Cy", "+14155550103", "no"),
    ]
    assert "Opted out of contact" in found[0]["reason"]
    assert found[1]["reason"] == found[1]["not before"] == ""
    assert "consent" in found[2]["reason"].lower()
    done = again(check)
    assert (done.state, done.allowed, done.blocked, done.refused) == (JobState.DONE, 1, 2, 0)
    assert done.reasons == {"do_not_call": 1, "no_consent": 1}
    assert done.checked_at == DAY


def test_do_not_call_request_is_dated_in_the_clients_zone(cast: Cast) -> None:
    night = NOON.replace(hour=2)
    say(cast, NO, EventKind.WITHDRAWN, at=night)
    check = bring(cast)

    assert run(check)

    assert (
        f"Opted out of contact on {new_york(night - timedelta(days=1), '%-d %b %Y')}."
        in rows_of(check)[0]["reason"]
    )


def test_the_verdicts_are_those_of_the_interface_for_programs(cast: Cast) -> None:
    """One service decides for both; what it says of the same number at the same moment is the same."""
    now = make.now()
    say(cast, NO, EventKind.WITHDRAWN, now)
    say(cast, YES, EventKind.GIVEN, now)
    check = bring(cast)
    with job_scope(agency_id=cast.acme.pk):
        ListCheck.objects.update(created_at=now, due_at=now)
    run(check, now)
    crm = system_of(cast.dentist, cast.alice, scopes=[ApiScope.CONTACT_CHECK])
    place = {"country": "US", "region": "CA", "evidence": "address"}

    asked = crm.ask("contact/check", {"numbers": [{"number": one, "place": place} for one in (NO, YES, NEW)]})

    found = list(csv.DictReader(io.StringIO(result(check, at=now).removeprefix("\ufeff"), newline="")))
    assert [row["allowed"] == "yes" for row in found] == [one["allowed"] for one in asked["answers"]]
    assert [row["reason"] for row in found] == [
        " ".join(reason["text"] for reason in one["reasons"]) for one in asked["answers"]
    ]


def test_at_night_the_row_says_not_before_when(cast: Cast) -> None:
    say(cast, YES, EventKind.GIVEN, NOON - timedelta(days=2))
    check = bring(cast, f"Phone,State\n{YES},CA\n", column=0, region=1)
    run(check, NOON)
    (row,) = rows_of(check)
    assert row["allowed"] == "no"
    # Eight in the morning in California, in the client's own zone.
    assert row["not before"] == local(0, 11).isoformat(timespec="minutes")


def test_the_state_of_the_list_is_the_place_and_its_hours_count(cast: Cast) -> None:
    say(cast, YES, EventKind.GIVEN)
    at = NOON.replace(hour=14, minute=30)  # half past six in California, half past nine in New York
    here = bring(cast, f"Phone,State\n{YES},CA\n", column=0, region=1)
    there = bring(cast, f"Phone,State\n{YES},NY\n", column=0, region=1)
    run(here, at)
    run(there, at)
    assert [rows_of(one)[0]["allowed"] for one in (here, there)] == ["no", "yes"]


def test_service_needs_no_consent_and_a_refusal_stands(cast: Cast) -> None:
    say(cast, NO, EventKind.WITHDRAWN)
    check = bring(cast, aim=Aim.SERVICE)
    run(check)
    assert [row["allowed"] for row in rows_of(check)] == ["no", "yes", "yes"]


def test_a_register_is_looked_at_and_named_with_its_date(cast: Cast) -> None:
    ours = {"agency_id": cast.acme.pk}
    with job_scope(agency_id=cast.acme.pk):
        register = NumberList.objects.create(
            **ours, kind=ListKind.DO_NOT_CALL, name="Federal", as_of=NOON.date(), is_active=True,
            state=JobState.DONE, created_at=NOON,
        )  # fmt: skip
    vault.create_client_keys(client_id=-cast.acme.pk, agency_id=cast.acme.pk, at=NOON)
    vault.list_numbers(holder_id=-cast.acme.pk, list_id=register.pk, numbers={NEW: None})
    check = bring(cast)
    run(check)
    assert "Federal" in rows_of(check)[2]["reason"]
    assert again(check).looked_at == [{"name": "Federal", "kind": "do_not_call", "as_of": str(NOON.date())}]
    assert again(check).reasons["register"] == 1


def test_what_is_no_number_or_no_row_comes_back_refused_in_its_place(cast: Cast) -> None:
    say(cast, YES, EventKind.GIVEN)
    check = bring(cast, f"Name,Phone\nAnna,none\n\nBen,{YES}\nCy\nDee,{YES},x\n", region=None)
    run(check)
    lines = list(csv.reader(io.StringIO(result(check).removeprefix("\ufeff"), newline="")))
    assert [line[0] for line in lines] == ["Name", "Anna", "Ben", "Cy", "Dee"]
    assert lines[1][2:] == ["no", "Not checked: no phone number", ""]
    assert lines[3] == ["Cy", "", "no", "Not checked: different columns than the first line", ""]
    done = again(check)
    assert (done.rows, done.allowed, done.refused) == (4, 1, 3)
    assert done.reasons == {"no_number": 1, "no_row": 2}


@pytest.mark.parametrize("packed", [False, True])
def test_semicolons_a_mark_and_gzip_are_read_and_semicolons_come_back(cast: Cast, packed: bool) -> None:
    content = "\ufeffName;Phone\r\nAnna; (415) 555-0101 \r\n".encode()
    check = bring(cast, gzip.compress(content) if packed else content, region=None)
    run(check)
    (row,) = rows_of(check, ";")
    assert row["Name"] == "Anna"


def test_a_list_without_names_keeps_its_first_row(cast: Cast) -> None:
    check = bring(cast, f"{NO}\n{YES}\n", column=0, region=None)
    run(check)
    assert [row["Column 1"] for row in rows_of(check)] == [NO, YES]


def test_no_cell_is_taken_for_a_formula_and_a_number_stays_one(cast: Cast) -> None:
    check = bring(cast, f'Name,Phone\n"=HYPERLINK(""x"")",{YES}\n', region=None)
    run(check)
    (row,) = rows_of(check)
    assert row["Name"].startswith("'=")
    assert row["Phone"] == YES


def test_nobody_becomes_a_caller_by_being_on_a_list(cast: Cast) -> None:
    check = bring(cast)
    run(check)
    with job_scope(agency_id=cast.acme.pk):
        assert Caller.objects.count() == 0


# --- Reading its head ----------------------------------------------------------------------------------------------


def test_the_column_with_the_numbers_is_found() -> None:
    text = "Id,Called,Fax,Phone\n1,2026-01-02,4155550108,4155550101\n2,2026-01-03,4155550109,4155550102\n"
    head = list_checks.head_of(io.BytesIO(text.encode()), country="US")
    assert (head.likely, head.looked_at) == (3, 2)
    assert [(one.name, one.numbers) for one in head.columns][2:] == [("Fax", 2), ("Phone", 2)]


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "empty"), ("Phone\n", "no row"), ("Name\nAnna\n", "phone number"), ("PK\x03\x04", "zip")],
)
def test_what_is_no_list_is_refused_with_why(text: str, why: str) -> None:
    with pytest.raises(UnparsableError, match=why):
        list_checks.head_of(io.BytesIO(text.encode()), country="US")


def test_a_list_has_so_many_rows_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_checks, "ROWS_AT_MOST", 3)
    text = "Phone\n" + f"{NO}\n" * 3
    assert list_checks.count_rows(io.BytesIO(text.encode()), country="US") == 3
    with pytest.raises(UnparsableError, match="at most"):
        list_checks.count_rows(io.BytesIO((text + f"{NO}\n").encode()), country="US")


# --- The job -------------------------------------------------------------------------------------------------------


def test_batches_follow_each_other_and_the_bar_moves(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_checks, "BATCH", 2)
    seen: list[int] = []
    real = list_checks._judge

    def judge(check: ListCheck, *args: Any, **more: Any) -> Any:
        found = real(check, *args, **more)
        seen.append(again(check).rows_done)
        return found

    monkeypatch.setattr(list_checks, "_judge", judge)
    check = bring(cast)
    assert run(check)
    assert seen == [2, 3]


@committing
def test_a_killed_worker_is_followed_by_another_and_leaves_nothing(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, media: Path
) -> None:
    monkeypatch.setattr(list_checks, "BATCH", 2)
    check = bring(cast)
    real, calls = list_checks._judge, 0

    def die(*args: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return real(*args, **more)

    monkeypatch.setattr(list_checks, "_judge", die)
    with pytest.raises(KeyboardInterrupt):
        run(check)
    assert again(check).state == JobState.RUNNING
    assert not run(check), "whoever comes while it is held finds nothing to do"
    later = DAY + timedelta(minutes=3)
    with job_scope(agency_id=cast.acme.pk):
        (due,) = list_checks.due_checks(agency_id=cast.acme.pk, at=later)

    assert list_checks.run_check(due=due, clock=lambda: later)

    assert [row["Name"] for row in rows_of(check)] == ["Anna", "Ben", "Cy"]
    assert again(check).rows == 3
    assert len([path for path in media.rglob("*") if path.is_file()]) == 1, "the result, and no list"


def test_a_second_run_changes_nothing(cast: Cast) -> None:
    check = bring(cast)
    run(check)
    before = again(check)
    assert not run(check, DAY + timedelta(hours=1))
    assert again(check).result_key == before.result_key
    assert len(events(cast, "list.checked")) == 1


@committing
def test_a_check_that_is_stopped_meanwhile_leaves_no_file(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, media: Path
) -> None:
    check = bring(cast)
    real = list_checks._judge

    def stopped(*args: Any, **more: Any) -> Any:
        with job_scope(agency_id=cast.acme.pk):
            list_checks.cancel_check(check=check, by=make.JOB, at=DAY)
        return real(*args, **more)

    monkeypatch.setattr(list_checks, "_judge", stopped)
    assert not run(check)
    assert again(check).state == JobState.CANCELLED
    assert not [path for path in media.rglob("*") if path.is_file()]


def test_it_ends_with_the_grant_that_allowed_it(cast: Cast) -> None:
    check = bring(cast)
    with job_scope(agency_id=cast.acme.pk):
        ClientGrant.objects.filter(user_id=cast.alice.user_id).update(ends_at=NOON)
    assert not run(check)
    assert again(check).state == JobState.CANCELLED
    assert again(check).file_key is None


def test_a_damaged_list_fails_with_a_word(cast: Cast, media: Path) -> None:
    check = bring(cast)
    (path,) = (one for one in media.rglob("*") if one.is_file())
    path.write_bytes(path.read_bytes()[:-3])
    assert not run(check)
    assert again(check).state == JobState.FAILED
    assert "damaged" in again(check).failure


@committing
def test_what_nobody_started_and_what_is_a_week_old_leaves(cast: Cast, media: Path) -> None:
    check = bring(cast)
    run(check)
    stored = files.stored(cast.dentist, LIST.encode())
    with job_scope(agency_id=cast.acme.pk):
        draft = list_checks.create_check(
            client=cast.dentist,
            name="Left",
            aim=Aim.SERVICE,
            stored=stored,
            rows=3,
            column=1,
            by=make.JOB,
            at=NOON,
        )
        assert list_checks.clear_up(agency_id=cast.acme.pk, at=NOON + timedelta(hours=24)) == 0
        assert list_checks.clear_up(agency_id=cast.acme.pk, at=DAY + timedelta(days=7)) == 2
    assert (again(draft).state, again(draft).file_key) == (JobState.CANCELLED, None)
    assert again(check).result_key is None
    with job_scope(agency_id=cast.acme.pk), pytest.raises(GoneError):
        list_checks.open_result(check=again_here(check), reason=WHY["reason"], by=make.JOB, at=DAY)
    assert not [path for path in media.rglob("*") if path.is_file()]
    assert len(events(cast, "list.expired")) == 1


def test_the_sweep_of_uploads_leaves_a_result_that_a_row_names(cast: Cast, media: Path) -> None:
    """Files that nobody names are swept away after a day; a result is named by its row."""
    check = bring(cast)
    run(check)
    files_sweep.sweep_client(
        agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=make.now() + timedelta(days=3)
    )
    assert rows_of(check)


def test_the_tasks_take_ids_and_find_what_is_due(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(tasks.check_list, "apply_async", lambda *, kwargs, **_: sent.append(kwargs))
    check = bring(cast)
    with django_capture_on_commit_callbacks(execute=True):
        tasks.sweep_lists.run()
    assert sent == [{"agency_id": cast.acme.pk, "check_id": str(check.pk)}]
    with job_scope(agency_id=cast.acme.pk):
        ListCheck.objects.update(created_at=make.now())
    tasks.check_list.run(**sent[0])
    assert again(check).state == JobState.DONE


# --- Pages ---------------------------------------------------------------------------------------------------------


def url(name: str, *ids: Any) -> str:
    return reverse(f"consent:{name}", args=["dentist", *ids])


def post_list(browser: Browser, content: str = LIST, **said: Any) -> Any:
    data = {"name": "Spring", "purpose": "marketing"} | said
    return browser.post(
        url("new_list"), data | {"file": SimpleUploadedFile("4155550101.csv", content.encode())}
    )


@pytest.mark.parametrize(
    ("who", "status"),
    some(
        [("alice", 200), ("bob", 403), ("carol", 403), ("mallory", 404)],
        one_in=4,
        each=lambda case: case[1],
    ),
)
def test_a_list_is_brought_by_who_may(cast: Cast, who: str, status: int) -> None:
    check = bring(cast)
    run(check)
    browser = signed_in(getattr(cast, who))
    assert browser.get(url("client_lists")).status_code == status
    assert browser.get(url("list_check", check.pk)).status_code == status
    assert post_list(browser).status_code == (302 if status == 200 else status)


def test_from_the_file_to_the_rows(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    """What a person does, page by page; no number stands in an address, a page, the log or the trail."""
    caplog.set_level(logging.DEBUG)
    browser = signed_in(cast.alice)
    answer = post_list(browser)
    assert answer.status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        check = ListCheck.objects.get()
    pages = [browser.get(answer.headers["Location"]).content.decode()]
    assert "Phone" in pages[0]
    assert browser.post(url("start_list", check.pk), {"column": "9"}).status_code == 200
    answer = browser.post(url("start_list", check.pk), {"column": "1", "region_column": "2"})
    assert answer.status_code == 302
    pages.append(browser.get(answer.headers["Location"]).content.decode())
    assert "Queued" in pages[-1]
    assert b"hx-get" in browser.get(url("list_progress", check.pk)).content
    run(check, make.now())
    assert browser.get(url("list_progress", check.pk)).headers["HX-Refresh"] == "true"
    pages += [browser.get(url(name, *ids)).content.decode() for name, ids in (
        ("list_check", (check.pk,)), ("client_lists", ()), ("take_list", (check.pk,)),
    )]  # fmt: skip
    assert browser.post(url("take_list", check.pk), {"reason": "too short"}).status_code == 200

    taken = browser.post(url("take_list", check.pk), WHY)

    assert taken.headers["Content-Type"].startswith("text/csv")
    assert taken.headers["Cache-Control"].count("no-store")
    assert "(415) 555-0101" in b"".join(taken).decode()
    (event,) = events(cast, "list.taken")
    with job_scope(agency_id=cast.acme.pk):
        assert Reason.objects.filter(event_id=event.pk).exists()
    for text in (*pages, caplog.text, taken.headers["Content-Disposition"]):
        assert "5550101" not in text.replace("-", "").replace(" ", "")
    for method, name in (("post", "start_list"), ("post", "cancel_list")):
        assert getattr(browser, method)(url(name, check.pk)).status_code == 302


def test_a_list_that_cannot_be_read_is_refused_beside_the_field(cast: Cast, media: Path) -> None:
    answer = post_list(signed_in(cast.alice), "Name\nAnna\n")
    assert b"No column has a phone number" in answer.content
    assert not [path for path in media.rglob("*") if path.is_file()]


def test_the_rows_are_taken_by_who_brought_them_or_may_see_numbers(cast: Cast) -> None:
    check = bring(cast)
    with job_scope(agency_id=cast.acme.pk):
        ListCheck.objects.update(created_at=make.now())
    assert run(check, make.now())
    manager = make.person(cast.acme, "ed", Role.ACCOUNT_MANAGER)
    make.grant(manager, cast.dentist)
    browser = signed_in(manager)
    assert browser.get(url("take_list", check.pk)).status_code == 403
    assert b"permission to reveal numbers" in browser.get(url("list_check", check.pk)).content
    assert signed_in(cast.alice).get(url("take_list", check.pk)).status_code == 200
    with job_scope(agency_id=cast.acme.pk):
        ListCheck.objects.update(created_by_id=manager.user_id)
    assert browser.get(url("take_list", check.pk)).status_code == 200
    with job_scope(agency_id=cast.acme.pk):
        Membership.objects.filter(pk=manager.pk).update(withheld_from=make.now() - timedelta(minutes=1))
    assert browser.post(url("take_list", check.pk), WHY).status_code == 403


def test_a_result_that_is_gone_says_so(cast: Cast) -> None:
    check = bring(cast)
    run(check)
    with job_scope(agency_id=cast.acme.pk):
        ListCheck.objects.update(expires_at=NOON)
    answer = signed_in(cast.alice).post(url("take_list", check.pk), WHY)
    assert answer.status_code == 410
    assert b"This file is deleted" in answer.content


def test_the_page_of_consent_leads_there(cast: Cast) -> None:
    browser = signed_in(cast.alice)
    assert reverse("consent:list_checks") in browser.get(reverse("consent:home")).content.decode()
    page = browser.get(reverse("consent:list_checks"))
    assert url("client_lists") in page.content.decode()
    assert browser.get(reverse("consent:list_checks") + "?client=dentist").headers["Location"] == url(
        "client_lists"
    )
    assert browser.get(reverse("consent:list_checks") + "?client=florist").status_code == 404
    assert signed_in(cast.carol).get(reverse("consent:list_checks")).status_code == 404
