"""What comes after the file of a client that leaves was written is handed over, too, before anything is destroyed."""

import json
import threading
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client as Browser
from django.urls import reverse

from callprivacy.accounts.models import ClientGrant, Membership
from callprivacy.audit.models import Event
from callprivacy.calls.models import Call, Caller, Connection, Inbox
from callprivacy.calls.selectors.connections import PressRule
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import client_scope, job_scope
from callprivacy.tenancy.selectors import ClientLeftError
from callprivacy.vault import services as vault
from consent.enums import Channel, EventKind, InvitationState, Purpose, ReplyState
from consent.models import ConsentEvent, Invitation, InvitationBatch, NoticeVersion, Reply
from consent.replies.table import EVERYTHING
from consent.services import invitations, ledger, presses, texts
from retention.enums import EndState
from retention.services import offboarding, restoring
from retention.services.offboarding import removing, writing
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.consent.asking_by_mail import asked
from tests.consent.test_ledger import BY, said
from tests.consent.test_presses import bring, connect
from tests.make import NOON
from tests.retention.test_offboarding import (
    CALLER,
    ask,
    deed,
    filled,
    now,
    taken,
    unpacked,
    work,
    written,
)

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(hours=2)


def the_caller(cast: Cast) -> uuid.UUID:
    with job_scope(agency_id=cast.acme.pk):
        return Caller.objects.for_client(cast.dentist).values_list("pk", flat=True).get()


def says_no(cast: Cast, name: str = "late", *, purpose: Purpose = Purpose.CONTACT) -> uuid.UUID:
    """The id of the event."""
    fact = said(the_caller(cast), EventKind.WITHDRAWN, 1, source=name, purpose=purpose)
    with client_scope(agency_id=cast.acme.pk, client_id=cast.dentist.pk):
        return ledger.record_events(client=cast.dentist, said=[fact], by=BY, at=LATER)[0].pk


def may_say_no(cast: Cast) -> None:
    """By words that wait for a person."""
    row = Reply(
        agency=cast.acme, client=cast.dentist, caller_id=the_caller(cast), channel=Channel.SMS, label="review",
        message_digest=b"1" * 32, state=ReplyState.WAITING, received_at=NOON, purge_at=NOON + timedelta(days=30),
    )  # fmt: skip
    with job_scope(agency_id=cast.acme.pk):
        row.text = texts.sealed(row, "we have got to STOP this bill", at=NOON)
        row.save(force_insert=True)


def calls_left(cast: Cast) -> int:
    with job_scope(agency_id=cast.acme.pk):
        return Call.objects.for_client(cast.dentist).count()


def is_shut(cast: Cast) -> bool:
    with job_scope(agency_id=cast.acme.pk):
        return Client.objects.get(pk=cast.dentist.pk).archived_at is not None


def finishes(cast: Cast) -> dict[str, str]:
    """
    Take the file that was written anew, let everything go, and return what was handed over. The ways in are shut by
    then: whatever was shown, nothing is compared.
    """
    papers = unpacked(taken(deed(cast, "new_link", at=LATER), LATER))
    deed(cast, "begin_erasing", at=LATER, shown={})
    work(cast, LATER + timedelta(minutes=5))
    assert now(cast).state == EndState.DONE
    return papers


@pytest.mark.thorough
def test_a_no_between_writing_and_erasing_is_handed_over_before_anything_goes(
    cast: Cast,
    second: Membership,
) -> None:
    text = written(cast, second)
    event = says_no(cast)
    taken(text)
    deed(cast, "begin_erasing", at=LATER)
    work(cast, LATER)
    row = now(cast)
    assert (row.state, row.came_since, row.taken_at) == (EndState.WRITTEN, 2, None)
    assert calls_left(cast) == 1
    assert is_shut(cast)
    with pytest.raises(offboarding.NotNowError):
        deed(cast, "begin_erasing", at=LATER)
    with pytest.raises(offboarding.NotNowError, match="shut"):
        deed(cast, "stop", at=LATER)
    with pytest.raises(ledger.ClientGoneError):
        says_no(cast, "later still")
    assert str(event) in finishes(cast)["ledger.csv"]


@pytest.mark.thorough
def test_a_no_between_taking_and_erasing_is_handed_over_too(cast: Cast, second: Membership) -> None:
    taken(written(cast, second))
    event = says_no(cast)
    deed(cast, "begin_erasing", at=LATER)
    work(cast, LATER)
    assert calls_left(cast) == 1
    papers = finishes(cast)
    assert str(event) in papers["ledger.csv"]
    assert json.loads(now(cast).statement)["handed_over"]["rows"]["facts"] == 1


def test_what_may_be_a_no_and_waits_counts_before_the_client_is_gone_and_its_words_leave(
    cast: Cast, second: Membership
) -> None:
    taken(written(cast, second))
    may_say_no(cast)
    deed(cast, "begin_erasing", at=LATER)
    work(cast, LATER)
    ledger_of = finishes(cast)["ledger.csv"].splitlines()
    assert {purpose for purpose in EVERYTHING if any(purpose in line for line in ledger_of)} == EVERYTHING
    with job_scope(agency_id=cast.acme.pk):
        assert not Reply.objects.for_client(cast.dentist).exists()


@pytest.mark.thorough
def test_a_no_behind_the_cursor_while_the_file_is_written_is_handed_over_too(
    cast: Cast,
    second: Membership,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    filled(cast)
    says_no(cast, "one", purpose=Purpose.RECORD)
    says_no(cast, "two", purpose=Purpose.ANALYSE)
    monkeypatch.setattr("retention.services.offboarding.writing.BATCH", 1)
    ask(cast)
    deed(cast, "agree", second)
    found: list[uuid.UUID] = []
    asked = 0

    def clock() -> datetime:
        nonlocal asked
        asked += 1
        if asked == 7 and not found:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("consent.services.ledger.uuid.uuid4", lambda: uuid.UUID(int=7))
                found.append(says_no(cast))
        return NOON

    offboarding.work_off(agency_id=cast.acme.pk, until=NOON + timedelta(minutes=1), clock=clock)
    assert now(cast).state == EndState.WRITTEN
    papers = unpacked(taken(deed(cast, "new_link")))
    assert found
    assert str(found[0]) not in papers["ledger.csv"]
    assert papers["ledger.csv"].count("withdrawn") == 2
    deed(cast, "begin_erasing", at=LATER)
    work(cast, LATER)
    assert calls_left(cast) == 1
    assert str(found[0]) in finishes(cast)["ledger.csv"]


@pytest.mark.thorough
def test_a_number_on_the_list_of_noes_alone_is_missed_too(cast: Cast, second: Membership) -> None:
    taken(written(cast, second))
    vault.suppress_callers(
        client_id=cast.dentist.pk,
        caller_ids=[the_caller(cast)],
        purposes=["track"],
        at=NOON - timedelta(days=9),
    )
    deed(cast, "begin_erasing", at=LATER)
    work(cast, LATER)
    assert now(cast).came_since == 1
    assert "track" in finishes(cast)["suppressions.csv"]


@pytest.mark.thorough
def test_what_left_since_the_file_was_written_is_no_reason_to_write_it_anew(
    cast: Cast,
    second: Membership,
) -> None:
    taken(written(cast, second))
    vault.lift_suppressions(client_id=cast.dentist.pk, caller_id=the_caller(cast), purposes=["contact"])
    deed(cast, "begin_erasing", at=LATER)
    work(cast, LATER)
    assert now(cast).state == EndState.DONE


def test_the_page_says_that_something_came_and_takes_the_file_again(
    cast: Cast,
    second: Membership,
) -> None:
    taken(written(cast, second))
    says_no(cast)
    deed(cast, "begin_erasing", at=LATER)
    work(cast, LATER)
    url = "/clients/dentist/leave/"
    browser = signed_in(cast.alice)
    page = browser.get(url).content.decode()
    assert "2 entries of the ledger and the list of noes came after the file was written" in page
    assert "Stop it" not in page
    assert (
        "/retention/leaving/dentist/stop/"
        not in signed_in(cast.carol).get("/retention/leaving/").content.decode()
    )
    assert browser.post("/clients/dentist/connections/new/").status_code == 403
    row = {"row": str(now(cast).pk)}
    page = browser.post(f"{url}link/", row).content.decode()
    link = page[page.index("/handover/") :].split('"')[0].split("<")[0]
    assert unpacked(Browser().post(link).getvalue())
    assert browser.post(f"{url}erase/", row | {"phrase": "dentist"}).status_code == 302
    assert now(cast).state == EndState.ERASING
    assert now(cast).came_since == 0


def pressed(cast: Cast) -> None:
    """A caller presses the key that says never again, and the tracker has told it; nobody has read it yet."""
    way = connect(cast.dentist, PressRule("", "9", ("contact",), "withdrawn", "standing"))
    bring(way, cast.dentist, ("menu 1", "9"), started_at=NOON - timedelta(days=1))


def read(cast: Cast, at: datetime) -> int:
    return presses.read(agency_id=cast.acme.pk, at=at)[0]


def opened(cast: Cast) -> int:
    with job_scope(agency_id=cast.acme.pk):
        return Connection.objects.for_client(cast.dentist).filter(is_active=True).count()


@pytest.mark.thorough
def test_a_key_that_was_pressed_is_read_and_handed_over_before_the_client_is_gone(
    cast: Cast, second: Membership
) -> None:
    taken(written(cast, second))
    pressed(cast)
    deed(cast, "begin_erasing", at=LATER)
    work(cast, LATER)
    assert (now(cast).state, now(cast).step, opened(cast)) == (EndState.ERASING, "close", 0)
    assert not is_shut(cast)
    assert "is being read" in signed_in(cast.alice).get("/clients/dentist/leave/").content.decode()
    connect(cast.dentist)
    make.grant(cast.bob, cast.dentist)
    assert read(cast, LATER) == 1
    work(cast, LATER + timedelta(minutes=1))
    assert is_shut(cast)
    assert opened(cast) == 0, "what was opened meanwhile is shut as well"
    with job_scope(agency_id=cast.acme.pk):
        granted = set(
            ClientGrant.objects.filter(content_object=cast.dentist).values_list("user_id", flat=True)
        )
    assert cast.bob.user_id not in granted, "and what was given meanwhile has ended"
    assert (now(cast).state, now(cast).came_since) == (EndState.WRITTEN, 2)
    assert "withdrawn" in finishes(cast)["ledger.csv"]


@pytest.mark.thorough
def test_what_a_tracker_was_told_is_here_is_read_before_the_client_is_gone(
    cast: Cast, second: Membership
) -> None:
    taken(written(cast, second))
    with job_scope(agency_id=cast.acme.pk):
        way = Connection.objects.for_client(cast.dentist).get()
        Inbox.objects.create(
            agency_id=cast.acme.pk, client=cast.dentist, connection=way, payload=b"\x01sealed", received_at=LATER,
            due_at=LATER,
        )  # fmt: skip
    deed(cast, "begin_erasing", at=LATER)
    work(cast, LATER)
    assert not is_shut(cast)
    with job_scope(agency_id=cast.acme.pk):
        Inbox.objects.all().remove()
    work(cast, LATER + timedelta(minutes=1))
    assert is_shut(cast)


@pytest.mark.thorough
def test_the_hour_is_one_in_which_somebody_could_read(cast: Cast, second: Membership) -> None:
    """Workers were away for a day: the first to come back may be the one who erases."""
    taken(written(cast, second))
    pressed(cast)
    deed(cast, "begin_erasing", at=LATER)
    work(cast, LATER)
    work(cast, LATER + timedelta(days=1))
    assert not is_shut(cast)
    assert read(cast, LATER + timedelta(days=1)) == 1
    work(cast, LATER + timedelta(days=1, minutes=1))
    assert is_shut(cast)
    assert "withdrawn" in finishes(cast)["ledger.csv"]


@pytest.mark.thorough
def test_what_was_just_being_taken_in_as_the_ways_were_shut_is_read_as_well(
    cast: Cast, second: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken(written(cast, second))
    deed(cast, "begin_erasing", at=LATER)
    read_back = f"{removing.__name__}.read_back"

    def beside(*args: Any) -> Any:
        monkeypatch.setattr(read_back, writing.read_back)
        pressed(cast)
        return writing.read_back(*args)

    monkeypatch.setattr(read_back, beside)
    work(cast, LATER)
    assert not is_shut(cast)
    assert read(cast, LATER) == 1
    work(cast, LATER + timedelta(minutes=1))
    assert is_shut(cast)
    assert "withdrawn" in finishes(cast)["ledger.csv"]


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["_unread", "read_back"])
def test_what_may_be_a_no_and_comes_while_the_client_is_shut_counts_a_minute_later(
    cast: Cast, second: Membership, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    taken(written(cast, second))
    deed(cast, "begin_erasing", at=LATER)
    real = getattr(removing, name)

    def beside(*args: Any) -> Any:
        monkeypatch.setattr(removing, name, real)
        may_say_no(cast)
        return real(*args)

    monkeypatch.setattr(removing, name, beside)
    work(cast, LATER)
    assert not is_shut(cast)
    work(cast, LATER + timedelta(minutes=1))
    assert is_shut(cast)
    assert "withdrawn" in finishes(cast)["ledger.csv"]


@pytest.mark.thorough
def test_what_may_be_a_no_and_cannot_be_settled_is_tried_again_before_the_client_is_gone(
    cast: Cast, second: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken(written(cast, second))
    may_say_no(cast)
    deed(cast, "begin_erasing", at=LATER)
    with monkeypatch.context() as patch:
        patch.setattr(texts, "_decide", None)
        work(cast, LATER)
    assert not is_shut(cast)
    work(cast, LATER + timedelta(minutes=1))
    assert is_shut(cast)
    assert "withdrawn" in finishes(cast)["ledger.csv"]


@pytest.mark.thorough
def test_nobody_waits_longer_than_an_hour_for_what_is_not_read(cast: Cast, second: Membership) -> None:
    taken(written(cast, second))
    pressed(cast)
    deed(cast, "begin_erasing", at=LATER)
    for minutes in range(60):
        work(cast, LATER + timedelta(minutes=minutes))
        assert not is_shut(cast)
    work(cast, LATER + timedelta(hours=1))
    assert is_shut(cast)
    with job_scope(agency_id=cast.acme.pk):
        assert Event.objects.filter(action="offboarding.left_unread", details__rows=1).count() == 1
    assert now(cast).state == EndState.DONE


def test_keys_at_a_client_that_is_gone_are_not_looked_at_each_minute(cast: Cast) -> None:
    pressed(cast)
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(archived_at=LATER)
    assert not presses.has_due(agency_id=cast.acme.pk)
    assert presses.read(agency_id=cast.acme.pk, at=LATER) == (0, 0)


def test_a_client_that_leaves_while_its_keys_are_read_is_tried_once(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    pressed(cast)
    tried: list[int] = []

    def gone(*, client: Client, **_: Any) -> None:
        tried.append(client.pk)
        raise ledger.ClientGoneError

    monkeypatch.setattr(ledger, "record_events", gone)
    assert read(cast, LATER) == 0
    assert tried == [cast.dentist.pk]


def test_what_is_said_again_after_a_restore_is_not_said_to_a_client_that_has_left(cast: Cast) -> None:
    for client in (cast.dentist, cast.plumber):
        call = make.call(client, CALLER)
        assert call.caller_id is not None
        fact = said(call.caller_id, EventKind.GIVEN, 1, source="a yes", purpose=Purpose.CONTACT)
        with client_scope(agency_id=cast.acme.pk, client_id=client.pk):
            ledger.record_events(client=client, said=[fact], by=BY, at=NOON)
        vault.suppress(client_id=client.pk, numbers=[CALLER], purposes=["contact"], at=LATER)
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(archived_at=LATER)
    assert restoring.take_out(at=LATER).noes == 1
    with job_scope(agency_id=cast.acme.pk):
        rows = ConsentEvent.objects.filter(kind=EventKind.WITHDRAWN)
        assert list(rows.values_list("client_id", flat=True)) == [cast.plumber.pk]


@pytest.mark.thorough
@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_the_no_comes_before_the_doors_are_shut_or_not_at_all(cast: Cast) -> None:
    filled(cast)
    ask(cast)
    work(cast, NOON + timedelta(days=1))
    taken(deed(cast, "new_link"))
    deed(cast, "begin_erasing", at=LATER)
    is_said, may_commit = threading.Event(), threading.Event()
    caller_id = the_caller(cast)

    def say() -> None:
        fact = said(caller_id, EventKind.WITHDRAWN, 1, source="at once", purpose=Purpose.CONTACT)
        with client_scope(agency_id=cast.acme.pk, client_id=cast.dentist.pk):
            ledger.record_events(client=cast.dentist, said=[fact], by=BY, at=LATER)
            is_said.set()
            may_commit.wait(20)

    speaker = _begun(say)
    assert is_said.wait(20)
    worker = _begun(lambda: work(cast, LATER))
    worker.join(1)
    assert calls_left(cast) == 1
    may_commit.set()
    speaker.join(20)
    worker.join(20)
    assert (now(cast).state, now(cast).came_since) == (EndState.WRITTEN, 2)
    with pytest.raises(ledger.ClientGoneError):
        says_no(cast, "too late")
    assert CALLER[1:] not in finishes(cast)["ledger.csv"]


def _begun(work: Callable[[], None]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


# --- Who is asked for consent meanwhile ---


def asks_by_mail(cast: Cast, line: str, at: datetime) -> InvitationBatch:
    with job_scope(agency_id=cast.acme.pk):
        return invitations.create_batch(
            client=cast.dentist,
            name="A list",
            version=NoticeVersion.objects.select_related("notice").get(),
            read=invitations.read_list([line], country="US"),
            by=BY,
            at=at,
        )


def test_nobody_is_asked_any_more_once_the_ways_in_are_shut(cast: Cast, second: Membership) -> None:
    reminded = asked(cast)
    taken(written(cast, second))
    batch = asks_by_mail(cast, "ben.quill@example.com,+14155550102", NOON)
    week = NOON + timedelta(days=8)
    (claimed,) = invitations.claim_letters(agency_id=cast.acme.pk, at=NOON, limit=9)
    pressed(cast)
    deed(cast, "begin_erasing", at=week)
    work(cast, week)
    assert (now(cast).step, is_shut(cast)) == ("close", False), "it waits for what came in to be read"

    assert not invitations.may_still_go(agency_id=cast.acme.pk, letter=claimed, at=week)
    assert invitations.claim_letters(agency_id=cast.acme.pk, at=week, limit=9) == []
    with job_scope(agency_id=cast.acme.pk):
        ended = Invitation.objects.get(batch=batch)
        assert (ended.state, ended.due_at, ended.address) == (InvitationState.PURGED, None, None)
        reminded.refresh_from_db()
        assert (reminded.state, reminded.due_at) == (InvitationState.SENT, None)
        assert Event.objects.get(action="offboarding.closed").details["letters"] == 2
    with pytest.raises(ClientLeftError):
        asks_by_mail(cast, "cora.quill@example.com,+14155550103", week)
    page = signed_in(cast.alice).get(reverse("consent:batch", args=("dentist", batch.pk))).text
    assert "The client is offboarded" in page
    assert "Not sent" in page
    assert "Pause sending" not in page
