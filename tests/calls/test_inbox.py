"""From the inbox to the call: once in effect, whatever the order, and nothing is lost on the way."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from django.db import connections as databases

from callprivacy.audit.models import Event
from callprivacy.calls.enums import InboxState, Outcome
from callprivacy.calls.models import Call, Connection, Inbox, Recording
from callprivacy.calls.providers import PROVIDERS
from callprivacy.calls.providers.base import Delivery, Parsed
from callprivacy.calls.providers.callrail import CallRail
from callprivacy.calls.services import connections, inbox, intake
from callprivacy.calls.tasks import inbox as tasks
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import services as vault
from callprivacy.work.models import Item
from tests import make
from tests.accounts.browsers import signed_in
from tests.calls.test_hooks import CALLRAIL_KEY, TOKEN, base64_hmac, connect, now, rows
from tests.cast import Cast, assemble
from tests.make import NOON
from tests.samples import moved

pytestmark = pytest.mark.django_db

CALLER = "+14045550123"


@pytest.fixture
def cast() -> Cast:
    return assemble()


def event(identity: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "id": identity,
        "start_time": (NOON - timedelta(hours=1)).isoformat(),
        "direction": "inbound",
        "duration": "60",
        "answered": True,
        "customer_phone_number": CALLER,
        "tracking_phone_number": "+14045550199",
    } | fields


def bring(to: Connection, payload: dict[str, Any] | bytes, *, at: datetime = NOON) -> None:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    inbox.receive_event(
        provider=PROVIDERS[to.provider],
        key=to.key,
        delivery=Delivery(
            body=body,
            headers={"Signature": base64_hmac(CALLRAIL_KEY, body), "Content-Type": "application/json"},
            url="",
        ),
        at=at,
    )


def bring_twilio(to: Connection, at: datetime = NOON, /, **params: str) -> None:
    from urllib.parse import urlencode

    url = "https://calls.example.com/hooks/"
    text = url + "".join(name + params[name] for name in sorted(params))
    headers = {
        "X-Twilio-Signature": base64_hmac(TOKEN, text.encode()),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    delivery = Delivery(body=urlencode(params).encode(), headers=headers, url=url)
    inbox.receive_event(provider=PROVIDERS["twilio"], key=to.key, delivery=delivery, at=at)


def work_off(cast: Cast, *, at: datetime = NOON) -> int:
    total = 0
    while count := inbox.process_batch(agency_id=cast.acme.pk, at=at):
        total += count
    return total


def calls(of: Client) -> list[Call]:
    with job_scope(agency_id=of.agency_id):
        return list(Call.objects.filter(client=of).order_by("id"))


def figures(of: Connection) -> tuple[int, int, datetime | None]:
    with job_scope(agency_id=of.agency_id):
        row = Connection.objects.get(pk=of.pk)
    return row.events, row.rejected, row.last_event_at


def item(cast: Cast) -> Item | None:
    with job_scope(agency_id=cast.acme.pk):
        return Item.objects.open().filter(kind="inbox_rejected").first()


def actions(cast: Cast) -> list[str]:
    with job_scope(agency_id=cast.acme.pk):
        return list(Event.objects.filter(action__startswith="inbox.").values_list("action", flat=True))


# --- Taken in -------------------------------------------------------------------------------------------


def test_an_event_becomes_a_call_and_leaves_the_inbox(cast: Cast) -> None:
    to = connect(cast.dentist)
    bring(to, event())

    assert work_off(cast) == 1

    (call,) = calls(cast.dentist)
    assert (call.seconds, call.outcome, call.connection_id) == (60, Outcome.ANSWERED, to.pk)
    assert rows(cast.dentist) == []
    assert figures(to) == (1, 0, NOON)
    assert work_off(cast) == 0


def test_an_event_of_what_has_left_is_counted_and_kept_nowhere(cast: Cast) -> None:
    to = connect(cast.dentist)
    vault.advance_watermark(client_id=cast.dentist.pk, category="call", before=NOON + timedelta(days=1))
    bring(to, event())
    work_off(cast)

    assert calls(cast.dentist) == []
    assert rows(cast.dentist) == []
    with job_scope(agency_id=cast.acme.pk):
        assert Connection.objects.get(pk=to.pk).stayed_out == 1
    page = signed_in(cast.alice).get(f"/clients/dentist/connections/{to.pk}/").content.decode()
    assert "kept nowhere" in page


def test_events_of_one_call_in_any_order_and_repeated_end_in_one_row(cast: Cast) -> None:
    to = connect(cast.dentist)
    pre = event()
    del pre["duration"], pre["answered"]
    later = event(changes=["tags"], tags=["Booked"], lead_status="good_lead")
    bring(to, later)
    bring(to, event())
    bring(to, event(), at=NOON + timedelta(seconds=1))
    bring(to, pre)
    assert len(rows(cast.dentist)) == 3
    work_off(cast, at=NOON + timedelta(seconds=1))
    bring(to, event(), at=NOON + timedelta(minutes=1))
    work_off(cast, at=NOON + timedelta(minutes=1))

    (call,) = calls(cast.dentist)
    assert (call.seconds, call.tags, call.qualified) == (60, ["Booked"], True)
    assert rows(cast.dentist) == []
    assert figures(to)[:2] == (4, 0)


def _tagged(*tags: str) -> dict[str, Any]:
    return event(changes=["tags"], tags=list(tags))


def _said(cast: Cast) -> list[str]:
    (call,) = calls(cast.dentist)
    return call.tags


def test_a_change_that_is_taken_back_while_nobody_reads_ends_as_it_was_said_last(cast: Cast) -> None:
    """The very bytes of the first event come a third time: what a tracker says last counts."""
    to = connect(cast.dentist)
    for minute, tags in enumerate((["Booked"], ["Lost"], ["Booked"])):
        bring(to, _tagged(*tags), at=NOON + timedelta(minutes=minute))
    assert len(rows(cast.dentist)) == 2
    work_off(cast, at=NOON + timedelta(minutes=3))

    assert _said(cast) == ["Booked"]
    assert figures(to) == (2, 0, NOON + timedelta(minutes=2))


def test_a_change_that_is_taken_back_days_later_is_sealed_for_its_new_day(cast: Cast) -> None:
    to = connect(cast.dentist)
    for day, tags in enumerate((["Booked"], ["Lost"], ["Booked"])):
        bring(to, _tagged(*tags), at=NOON + timedelta(days=day))
    work_off(cast, at=NOON + timedelta(days=3))
    assert _said(cast) == ["Booked"]


@pytest.mark.parametrize("read", [1, pytest.param(2, marks=pytest.mark.thorough)])
def test_a_change_that_is_taken_back_once_the_first_has_been_read_counts(cast: Cast, read: int) -> None:
    to = connect(cast.dentist)
    for minute, tags in enumerate((["Booked"], ["Lost"], ["Booked"])):
        at = NOON + timedelta(minutes=minute)
        bring(to, _tagged(*tags), at=at)
        if minute < read:
            work_off(cast, at=at)
    work_off(cast, at=NOON + timedelta(minutes=3))
    assert _said(cast) == ["Booked"]


def _signed(to: Connection, body: bytes, minute: int, *, at: int | None = None) -> None:
    """CallTrackingMetrics signs it in one minute, and it comes in another one."""
    time = str(int((NOON + timedelta(minutes=minute)).timestamp()))
    headers = {"X-CTM-Time": time, "X-CTM-Signature": base64_hmac(CALLRAIL_KEY, time.encode() + body)}
    delivery = Delivery(body=body, headers=headers | {"Content-Type": "application/json"}, url="")
    moment = NOON + timedelta(minutes=minute if at is None else at)
    inbox.receive_event(provider=PROVIDERS["ctm"], key=to.key, delivery=delivery, at=moment)


def _of_ctm(tag: str) -> bytes:
    started = int(NOON.timestamp()) - 600
    said = {"id": 7, "unix_time": started, "caller_number_complete": "+12125550188", "duration": 40}
    return json.dumps(said | {"tag_list": [tag]}).encode()


@pytest.mark.parametrize("is_read", [False, True])
def test_what_was_recorded_and_is_sent_again_brings_no_older_state_back(cast: Cast, is_read: bool) -> None:
    to = connect(cast.dentist, "ctm")
    for signed, tag, come in ((0, "Booked", 0), (1, "Lost", 1), (0, "Booked", 2)):
        _signed(to, _of_ctm(tag), signed, at=come)
        if is_read:
            work_off(cast, at=NOON + timedelta(minutes=come))
    work_off(cast, at=NOON + timedelta(minutes=3))
    assert _said(cast) == ["Lost"]


def test_what_a_tracker_itself_signs_again_counts_and_no_copy_of_before_takes_its_place(cast: Cast) -> None:
    to = connect(cast.dentist, "ctm")
    for signed, tag, come in ((0, "Booked", 0), (1, "Lost", 1), (2, "Booked", 2), (0, "Booked", 3)):
        _signed(to, _of_ctm(tag), signed, at=come)
    work_off(cast, at=NOON + timedelta(minutes=4))
    assert _said(cast) == ["Booked"]


def test_an_older_state_that_comes_late_changes_nothing(cast: Cast) -> None:
    to = connect(cast.dentist, "ctm")
    _signed(to, _of_ctm("Lost"), 1)
    work_off(cast, at=NOON + timedelta(minutes=1))
    _signed(to, _of_ctm("Booked"), 0, at=9)
    work_off(cast, at=NOON + timedelta(minutes=9))
    assert _said(cast) == ["Lost"]


def test_what_comes_again_while_it_is_read_is_read_again(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker has the first one in its hands while the change and its undoing come in."""
    to = connect(cast.dentist)
    bring(to, _tagged("Booked"))
    late = NOON + timedelta(minutes=1)

    class Meanwhile(CallRail):
        told = False

        def parse(self, body: bytes, headers: Any, *, at: datetime) -> Parsed:
            if not Meanwhile.told:
                Meanwhile.told = True
                bring(to, _tagged("Lost"), at=late)
                bring(to, _tagged("Booked"), at=late + timedelta(seconds=1))
            return super().parse(body, headers, at=at)

    monkeypatch.setitem(PROVIDERS, "callrail", Meanwhile())
    work_off(cast)
    work_off(cast, at=late + timedelta(minutes=1))

    assert _said(cast) == ["Booked"]
    assert rows(cast.dentist) == []
    assert figures(to)[:2] == (2, 0), "an event that is read twice is counted once"


def test_what_comes_again_takes_no_worker_its_row(cast: Cast) -> None:
    to = connect(cast.dentist)
    bring(to, _tagged("Booked"))
    assert len(inbox._claim(agency_id=cast.acme.pk, at=NOON, limit=10)) == 1
    bring(to, _tagged("Booked"), at=NOON + timedelta(seconds=1))

    (row,) = rows(cast.dentist)
    assert (row.received_at, row.attempts) == (NOON + timedelta(seconds=1), 1)
    assert inbox._claim(agency_id=cast.acme.pk, at=NOON + timedelta(seconds=2), limit=10) == []


def test_what_was_refused_stays_refused_when_it_comes_again(cast: Cast) -> None:
    to = connect(cast.dentist)
    for minute in range(2):
        bring(to, event(direction="sideways"), at=NOON + timedelta(minutes=minute))
        work_off(cast, at=NOON + timedelta(minutes=minute))
    (row,) = rows(cast.dentist)
    assert (row.state, row.received_at) == (InboxState.REJECTED, NOON)


def test_what_a_tracker_numbers_counts_from_when_it_came_first(cast: Cast) -> None:
    """A callback without a time of its own says how long the call was: its start follows from when it came."""
    to = connect(cast.dentist, "twilio", TOKEN)
    for minute in range(2):
        bring_twilio(
            to, NOON + timedelta(minutes=minute), CallSid="CA1", AccountSid="AC1", Direction="inbound",
            From=CALLER, To="+14045550199", CallStatus="completed", CallDuration="60", SequenceNumber="3",
        )  # fmt: skip
    work_off(cast, at=NOON + timedelta(minutes=2))
    (call,) = calls(cast.dentist)
    assert call.started_at == NOON - timedelta(minutes=1)


def test_twilios_callbacks_out_of_order_end_in_one_row(cast: Cast) -> None:
    to = connect(cast.dentist, "twilio", TOKEN)
    said = {
        "CallSid": "CA1",
        "AccountSid": "AC1",
        "Direction": "inbound",
        "From": CALLER,
        "To": "+14045550199",
    }
    ended = {
        "CallStatus": "completed",
        "CallDuration": "60",
        "SequenceNumber": "3",
        "Timestamp": moved("Tue, 24 Nov 2026 11:31:00 +0000"),
    }
    bring_twilio(to, **said, **ended)
    bring_twilio(
        to,
        **said,
        CallStatus="ringing",
        SequenceNumber="1",
        Timestamp=moved("Tue, 24 Nov 2026 11:29:58 +0000"),
    )
    bring_twilio(to, CallSid="CA2", ParentCallSid="CA1", CallStatus="completed")
    work_off(cast)

    (call,) = calls(cast.dentist)
    assert (call.seconds, call.outcome) == (60, Outcome.ANSWERED)
    assert call.started_at == NOON - timedelta(minutes=30, seconds=2)
    assert figures(to)[:2] == (3, 0)


def test_a_recording_that_comes_before_its_call_waits_for_it(cast: Cast) -> None:
    to = connect(cast.dentist, "twilio", TOKEN)
    bring_twilio(
        to,
        CallSid="CA1",
        AccountSid="AC1",
        RecordingSid="RE1",
        RecordingStatus="completed",
        RecordingDuration="30",
        RecordingUrl="https://api.twilio.com/Recordings/RE1",
        RecordingStartTime=moved("Tue, 24 Nov 2026 11:30:10 +0000"),
    )
    work_off(cast)
    (row,) = rows(cast.dentist)
    assert (row.state, row.attempts, row.due_at) == (InboxState.WAITING, 0, NOON + timedelta(seconds=15))

    bring_twilio(
        to,
        CallSid="CA1",
        AccountSid="AC1",
        Direction="inbound",
        From=CALLER,
        To="+14045550199",
        CallStatus="completed",
        CallDuration="60",
        SequenceNumber="3",
        Timestamp=moved("Tue, 24 Nov 2026 11:31:00 +0000"),
    )
    work_off(cast, at=NOON + timedelta(minutes=1))

    assert rows(cast.dentist) == []
    with job_scope(agency_id=cast.acme.pk):
        assert Recording.objects.get().seconds == 30


def test_a_recording_whose_call_never_comes_is_rejected_after_a_day(cast: Cast) -> None:
    to = connect(cast.dentist, "twilio", TOKEN)
    bring_twilio(
        to,
        CallSid="CA1",
        RecordingSid="RE1",
        RecordingStatus="completed",
        RecordingUrl="https://api.twilio.com/Recordings/RE1",
        RecordingDuration="30",
    )
    work_off(cast)
    work_off(cast, at=NOON + timedelta(days=1))

    (row,) = rows(cast.dentist)
    assert (row.state, row.reason) == (
        InboxState.REJECTED,
        "The call that it speaks of did not come within a day.",
    )


def test_clients_of_one_agency_are_worked_off_together_and_apart(cast: Cast) -> None:
    for client in (cast.dentist, cast.plumber, cast.florist):
        bring(connect(client), event())

    assert work_off(cast) == 2

    assert (len(calls(cast.dentist)), len(calls(cast.plumber)), len(calls(cast.florist))) == (1, 1, 0)
    assert len(rows(cast.florist)) == 1


# --- Rejected -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"\xff not JSON", "The body is not JSON."),
        pytest.param(
            {"start_time": moved("2026-11-24T06:00:00-05:00")},
            "A call of CallRail has an id or a resource_id",
            marks=pytest.mark.thorough,
        ),
        pytest.param(event(duration="-3"), "duration: expected whole seconds", marks=pytest.mark.thorough),
        (event(customer_phone_number="nobody"), "customer_phone_number: expected a telephone number"),
        pytest.param(
            event(start_time=(NOON + timedelta(days=1)).isoformat()),
            "start_time: expected a start since",
            marks=pytest.mark.thorough,
        ),
    ],
)
def test_signed_and_senseless_is_kept_with_the_reason(
    cast: Cast, payload: dict[str, Any] | bytes, reason: str
) -> None:
    to = connect(cast.dentist)
    bring(to, payload)
    bring(to, event(2))
    work_off(cast)

    (row,) = rows(cast.dentist)
    assert row.state == InboxState.REJECTED
    assert row.reason.startswith(reason)
    assert "nobody" not in row.reason
    assert len(calls(cast.dentist)) == 1
    assert figures(to) == (2, 1, NOON)
    found = item(cast)
    assert found is not None
    assert (found.client_id, found.count, found.due_at) == (cast.dentist.pk, 1, NOON + timedelta(days=7))
    assert found.about.url_name == "calls:rejected_events"


class _Mended(CallRail):
    """The provider after a fix: it reads what it could not."""

    def parse(self, body: bytes, headers: Any, *, at: datetime) -> Parsed:
        return super().parse(body.replace(b'"-3"', b'"3"'), headers, at=at)


def test_retry_after_a_fix_takes_it_in_and_the_item_goes(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    to = connect(cast.dentist)
    bring(to, event(duration="-3"))
    work_off(cast)
    later = NOON + timedelta(hours=1)

    with job_scope(agency_id=cast.acme.pk):
        assert inbox.retry_rejected(client=cast.plumber, by=make.JOB, at=later) == 0
        assert inbox.retry_rejected(client=cast.dentist, by=make.JOB, at=later) == 1
    assert item(cast) is None
    assert figures(to)[:2] == (0, 0)
    work_off(cast, at=later)
    assert figures(to)[:2] == (1, 1)
    assert item(cast) is not None

    monkeypatch.setitem(PROVIDERS, "callrail", _Mended())
    with job_scope(agency_id=cast.acme.pk):
        inbox.retry_rejected(client=cast.dentist, by=make.JOB, at=later)
    work_off(cast, at=later)

    (call,) = calls(cast.dentist)
    assert call.seconds == 3
    assert rows(cast.dentist) == []
    assert item(cast) is None
    assert figures(to)[:2] == (1, 0)
    assert actions(cast) == ["inbox.retried", "inbox.retried"]


def test_discarding_takes_what_was_seen_and_nothing_else(cast: Cast) -> None:
    to, other = connect(cast.dentist), connect(cast.plumber)
    bring(to, b"[]")
    bring(other, b"[]")
    work_off(cast)
    bring(to, event(3))

    with job_scope(agency_id=cast.acme.pk):
        with pytest.raises(inbox.ExtentChangedError):
            inbox.discard_rejected(client=cast.dentist, seen=2, by=make.JOB, at=NOON)
        assert inbox.discard_rejected(client=cast.dentist, seen=1, by=make.JOB, at=NOON) == 1

    assert [row.state for row in rows(cast.dentist)] == [InboxState.WAITING]
    assert len(rows(cast.plumber)) == 1
    assert actions(cast) == ["inbox.discarded"]


def test_after_seven_days_it_goes_and_ended_secrets_too(cast: Cast) -> None:
    to = connect(cast.dentist)
    bring(to, b"[]")
    bring(to, b"{}", at=NOON + timedelta(days=1))
    work_off(cast, at=NOON + timedelta(days=1))
    with job_scope(agency_id=cast.acme.pk):
        connections.rotate_secret(
            connection=to, secret=TOKEN, overlap=timedelta(days=7), by=make.JOB, at=NOON
        )
    week = NOON + timedelta(days=7)

    assert inbox.purge(agency_id=cast.acme.pk, at=week - timedelta(seconds=1)) == 0
    with job_scope(agency_id=cast.acme.pk):
        assert to.secrets.count() == 2
    assert inbox.purge(agency_id=cast.acme.pk, at=week) == 1

    assert len(rows(cast.dentist)) == 1
    with job_scope(agency_id=cast.acme.pk):
        assert to.secrets.count() == 1
    found = item(cast)
    assert found is not None
    assert (found.count, found.due_at) == (1, week + timedelta(days=1))
    assert actions(cast) == ["inbox.purged"]
    assert inbox.purge(agency_id=cast.acme.pk, at=week + timedelta(days=1)) == 1
    assert item(cast) is None


# --- Failed ---------------------------------------------------------------------------------------------


class _Falls(CallRail):
    """A provider with a mistake in it."""

    def parse(self, body: bytes, headers: Any, *, at: datetime) -> Parsed:
        if b"poison" in body:
            raise ZeroDivisionError(body.decode())
        return super().parse(body, headers, at=at)


@pytest.fixture
def falls(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(PROVIDERS, "callrail", _Falls())
    yield
    monkeypatch.undo()


def test_a_failure_is_tried_again_with_longer_pauses_and_blocks_nobody(
    cast: Cast, falls: None, caplog: pytest.LogCaptureFixture
) -> None:
    to, at, pauses = connect(cast.dentist), NOON, []
    bring(to, event(note="poison"))
    for attempt in range(1, 12):
        bring(to, event(100 + attempt), at=at)
        work_off(cast, at=at)
        (row,) = rows(cast.dentist)
        assert (row.state, row.attempts) == (InboxState.WAITING, attempt)
        pauses.append((row.due_at - at).total_seconds())
        at = row.due_at

    assert pauses == [15, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    assert len(calls(cast.dentist)) == 11
    assert CALLER not in caplog.text
    assert figures(to)[:2] == (11, 0)


@pytest.mark.thorough
def test_what_fails_twelve_times_is_refused_told_and_purged(cast: Cast, falls: None) -> None:
    to, at = connect(cast.dentist), NOON
    bring(to, event(note="poison"))
    for _ in range(11):
        work_off(cast, at=at)
        at = rows(cast.dentist)[0].due_at
    assert item(cast) is None
    work_off(cast, at=at)

    (row,) = rows(cast.dentist)
    assert (row.state, row.reason) == (InboxState.REJECTED, "It failed again and again.")
    assert figures(to)[:2] == (1, 1)
    found = item(cast)
    assert found is not None
    assert (found.count, found.due_at) == (1, NOON + timedelta(days=7))
    assert inbox.purge(agency_id=cast.acme.pk, at=NOON + timedelta(days=7)) == 1


def test_what_does_not_open_is_refused_in_the_end(cast: Cast) -> None:
    to, at = connect(cast.dentist), NOON
    bring(to, event())
    with job_scope(agency_id=cast.acme.pk):
        Inbox.objects.update(payload=b"\x01" + bytes(60))
    for _ in range(12):
        work_off(cast, at=at)
        at = rows(cast.dentist)[0].due_at

    (row,) = rows(cast.dentist)
    assert (row.state, row.reason) == (
        InboxState.REJECTED,
        "It could not be opened with this client's keys.",
    )
    assert item(cast) is not None


def test_a_days_failures_are_enough_and_one_is_not_however_late(cast: Cast, falls: None) -> None:
    bring(connect(cast.dentist), event(note="poison"))
    at = NOON + timedelta(days=1)
    states = []
    for _ in range(3):
        work_off(cast, at=at)
        (row,) = rows(cast.dentist)
        states.append(row.state)
        at = row.due_at
    assert states == [InboxState.WAITING, InboxState.WAITING, InboxState.REJECTED]


def test_what_ends_its_worker_twelve_times_is_not_read_again(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(connect(cast.dentist), event())
    for attempt in range(12):
        assert inbox._claim(agency_id=cast.acme.pk, at=NOON + attempt * timedelta(seconds=70), limit=10)
    monkeypatch.setattr(inbox, "_read", None)
    work_off(cast, at=NOON + timedelta(hours=1))
    (row,) = rows(cast.dentist)
    assert (row.state, row.reason) == (InboxState.REJECTED, "It failed again and again.")


class _TooLong(CallRail):
    """A provider that is at work when the task's time is over."""

    def parse(self, body: bytes, headers: Any, *, at: datetime) -> Parsed:
        raise SoftTimeLimitExceeded


def test_the_end_of_a_tasks_time_is_no_failure_of_a_row(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    bring(connect(cast.dentist), event())
    monkeypatch.setitem(PROVIDERS, "callrail", _TooLong())
    with pytest.raises(SoftTimeLimitExceeded):
        work_off(cast)
    monkeypatch.undo()

    def take_in(**_: Any) -> None:
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(intake, "take_in", take_in)
    with pytest.raises(SoftTimeLimitExceeded):
        work_off(cast, at=NOON + timedelta(seconds=70))
    assert rows(cast.dentist)[0].state == InboxState.WAITING


def test_recordings_that_wait_for_their_calls_are_no_suspects(cast: Cast) -> None:
    to = connect(cast.dentist, "twilio", TOKEN)
    for n in range(3):
        bring_twilio(
            to,
            CallSid=f"CA{n}",
            AccountSid="AC1",
            RecordingSid=f"RE{n}",
            RecordingStatus="completed",
            RecordingDuration="30",
            RecordingUrl=f"https://api.twilio.com/Recordings/RE{n}",
            RecordingStartTime=moved("Tue, 24 Nov 2026 11:30:10 +0000"),
        )
    at, sizes, pauses = NOON, [], []
    for _ in range(5):
        sizes.append(inbox.process_batch(agency_id=cast.acme.pk, at=at))
        due = rows(cast.dentist)[0].due_at
        pauses.append((due - at).total_seconds())
        at = due

    assert sizes == [3, 3, 3, 3, 3]
    assert pauses == [15, 15, 30, 60, 120]


def test_what_is_mended_goes_through_after_its_pause(
    cast: Cast, falls: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(connect(cast.dentist), event(note="poison"))
    work_off(cast)
    monkeypatch.setitem(PROVIDERS, "callrail", CallRail())

    assert work_off(cast, at=NOON + timedelta(seconds=14)) == 0
    assert work_off(cast, at=NOON + timedelta(seconds=15)) == 1
    assert len(calls(cast.dentist)) == 1


def test_rows_that_a_worker_died_over_come_back_alone(cast: Cast) -> None:
    to = connect(cast.dentist)
    for identity in range(5):
        bring(to, event(identity))
    at = NOON
    for _ in range(2):
        assert len(inbox._claim(agency_id=cast.acme.pk, at=at, limit=10)) == 5
        assert inbox.process_batch(agency_id=cast.acme.pk, at=at) == 0
        at += timedelta(seconds=70)
    bring(to, event(10), at=at)
    bring(to, event(11), at=at)

    sizes = []
    while size := inbox.process_batch(agency_id=cast.acme.pk, at=at):
        sizes.append(size)

    assert sizes == [2, 1, 1, 1, 1, 1]
    assert len(calls(cast.dentist)) == 7


def test_a_client_without_keys_holds_up_no_other(cast: Cast) -> None:
    bring(connect(cast.dentist), event())
    bring(connect(cast.plumber), event())
    vault.destroy_client(client_id=cast.dentist.pk)

    work_off(cast)

    assert len(calls(cast.plumber)) == 1
    (row,) = rows(cast.dentist)
    assert (row.state, row.attempts) == (InboxState.WAITING, 1)


def test_an_event_sealed_before_a_rotation_opens_after_it(cast: Cast) -> None:
    to = connect(cast.dentist)
    bring(to, event())
    vault.start_generation(client_id=cast.dentist.pk, at=NOON)
    while vault.rewrap_client(client_id=cast.dentist.pk, limit=100):
        pass
    assert vault.retire_generations(client_id=cast.dentist.pk) == 1

    assert work_off(cast) == 1
    assert len(calls(cast.dentist)) == 1


def test_a_swapped_payload_does_not_open(cast: Cast) -> None:
    to = connect(cast.dentist)
    bring(to, event(1))
    bring(to, event(2))
    one, two = rows(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        Inbox.objects.filter(pk=one.pk).update(payload=two.payload)
    work_off(cast)

    assert len(calls(cast.dentist)) == 1
    assert [row.attempts for row in rows(cast.dentist)] == [1]


# --- Tasks ----------------------------------------------------------------------------------------------


def test_the_task_works_off_everything_and_does_nothing_more_when_run_twice(cast: Cast) -> None:
    to = connect(cast.dentist)
    at = now()
    for identity in range(inbox.BATCH + 5):
        bring(to, event(identity), at=at)

    tasks.process_inbox(agency_id=cast.acme.pk, unknown="argument of a newer version")
    tasks.process_inbox(agency_id=cast.acme.pk)

    assert rows(cast.dentist) == []
    assert figures(to)[0] == inbox.BATCH + 5


def test_the_sweep_wakes_the_agencies_with_something_due(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    bring(connect(cast.dentist), event(), at=now())
    bring(connect(cast.florist), event(), at=now() + timedelta(hours=1))
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(tasks.process_inbox, "apply_async", lambda *, kwargs, **_: sent.append(kwargs))

    with django_capture_on_commit_callbacks(execute=True):
        tasks.sweep_inbox()

    assert sent == [{"agency_id": cast.acme.pk}]


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_take_each_event_once() -> None:
    cast = assemble()
    to = connect(cast.dentist)
    for identity in range(40):
        bring(to, event(identity))

    def worker(_: int) -> int:
        try:
            total = 0
            while count := inbox.process_batch(agency_id=cast.acme.pk, at=NOON, limit=5):
                total += count
            return total
        finally:
            databases.close_all()

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(worker, range(3))) == 40

    assert len(calls(cast.dentist)) == 40
    assert rows(cast.dentist) == []
    assert figures(to) == (40, 0, NOON)


@pytest.mark.thorough
@pytest.mark.django_db(transaction=True)
def test_the_same_event_at_the_same_moment_is_kept_once() -> None:
    cast = assemble()
    to = connect(cast.dentist)

    def deliver(_: int) -> None:
        try:
            bring(to, event())
        finally:
            databases.close_all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(deliver, range(12)))

    assert len(rows(cast.dentist)) == 1


@pytest.mark.django_db(transaction=True)
def test_what_comes_again_while_its_row_is_being_removed_is_kept() -> None:
    cast = assemble()
    to = connect(cast.dentist)
    bring(to, event())
    late = NOON + timedelta(minutes=1)

    def deliver() -> None:
        try:
            bring(to, event(), at=late)
        finally:
            databases.close_all()

    with ThreadPoolExecutor(1) as pool:
        with job_scope(agency_id=cast.acme.pk):
            Inbox.objects.all().delete()
            beside = pool.submit(deliver)
            with databases["default"].cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                (pid,) = cursor.fetchone()
                for _ in range(400):
                    cursor.execute(
                        "SELECT count(*) FROM pg_locks WHERE NOT granted AND %s = ANY(pg_blocking_pids(pid))",
                        [pid],
                    )
                    if cursor.fetchone()[0] or beside.done():
                        break
                    time.sleep(0.02)
        beside.result(20)

    assert [row.received_at for row in rows(cast.dentist)] == [late]
