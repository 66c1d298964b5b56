"""A hold wins over everything that erases, says so, and ends only by an officer's word."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership
from callprivacy.audit.models import Event
from callprivacy.calls.enums import Direction, RecordingState
from callprivacy.calls.models import Call, Caller, Recording
from callprivacy.calls.services import redaction
from callprivacy.tenancy.enums import RetentionState
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.vault import selectors as vault
from callprivacy.work.models import Item, Notification
from consent.enums import Channel, EventKind, Purpose, Strength
from consent.models import Rejudgement
from consent.services import ledger
from retention.enums import Category, RunCause
from retention.models import Hold, HoldCall, HoldCaller, Policy, RunPart
from retention.models.runs import LEASE_AHEAD
from retention.selectors import holds as selectors
from retention.services import erasing, holds, runs, sweeping
from retention.tasks import holds as tasks
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.consent.test_expiry import text_of
from tests.numbers import says

OLD = make.NOON - timedelta(days=400)
NEW = make.NOON - timedelta(days=3)
ANNA, BEN, CLEO = "+12125550101", "+12125550102", "+12125550103"
REASON = "A dispute about the bill; counsel asked for it."
WHOLE = holds.Wanted()


def live(client: Client) -> Client:
    with job_scope(agency_id=client.agency_id):
        Client.objects.filter(pk=client.pk).update(
            retention_state=RetentionState.LIVE, went_live_at=make.NOON - timedelta(days=30)
        )
        return Client.objects.select_related("agency").get(pk=client.pk)


def place(cast: Cast, extent: holds.Wanted = WHOLE, *, client: Client | None = None, **said: Any) -> Hold:
    client = client or cast.dentist
    facts: dict[str, Any] = {
        "name": "The bill of May", "matter": "24-117", "reason": REASON, "review_on": date(2027, 2, 22),
        "ends_on": None, "people": [], "placed_by": cast.alice.user_id, "at": make.NOON,
    }  # fmt: skip
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        return holds.place_hold(client=client, extent=extent, **(facts | said))


def settle(client: Client, at: datetime = make.NOON) -> int:
    return holds.settle_client(agency_id=client.agency_id, client_id=client.pk, at=at)


def run(cast: Cast, at: datetime = make.NOON) -> None:
    with job_scope(agency_id=cast.acme.pk):
        started = runs.start_run(agency=cast.acme, cause=RunCause.BY_HAND, by=make.JOB, at=at)
    runs.work_run(
        agency_id=cast.acme.pk, run_id=started.pk, until=at + timedelta(minutes=1), clock=lambda: at
    )


def left(client: Client) -> set[uuid.UUID]:
    with job_scope(agency_id=client.agency_id):
        return set(Call.objects.for_client(client).values_list("pk", flat=True))


def marked(client: Client) -> set[uuid.UUID]:
    with job_scope(agency_id=client.agency_id):
        return set(Call.objects.for_client(client).filter(on_hold=True).values_list("pk", flat=True))


@contextmanager
def looking(cast: Cast) -> Iterator[None]:
    with job_scope(agency_id=cast.acme.pk):
        yield


# --- What a hold covers ---


def test_a_hold_that_names_nothing_keeps_all_calls_of_its_time(cast: Cast) -> None:
    before = make.call(cast.dentist, ANNA, at=OLD - timedelta(seconds=1))
    first = make.call(cast.dentist, ANNA, at=OLD)
    withheld = make.call(cast.dentist, None, at=OLD + timedelta(hours=1))
    after = make.call(cast.dentist, BEN, at=NEW)
    elsewhere = make.call(cast.plumber, ANNA, at=OLD)
    place(cast, holds.Wanted(from_at=OLD, until_at=NEW))

    settle(cast.dentist)
    settle(cast.plumber)

    assert marked(cast.dentist) == {first.pk, withheld.pk}
    assert marked(cast.plumber) == set()
    assert {before.pk, after.pk} <= left(cast.dentist)
    assert elsewhere.pk in left(cast.plumber)


def test_a_hold_of_numbers_keeps_their_calls_of_its_time_and_no_others(cast: Cast) -> None:
    mine = make.call(cast.dentist, ANNA, at=OLD)
    make.call(cast.dentist, ANNA, at=NEW)
    make.call(cast.dentist, BEN, at=OLD)
    make.call(cast.dentist, None, at=OLD)
    place(cast, holds.Wanted(numbers=("(212) 555-0101",), until_at=NEW))

    settle(cast.dentist)

    assert marked(cast.dentist) == {mine.pk}


def test_a_hold_of_calls_keeps_them_whenever_they_were_and_nothing_else(cast: Cast) -> None:
    picked = make.call(cast.dentist, None, at=OLD)
    make.call(cast.dentist, ANNA, at=OLD)
    place(cast, holds.Wanted(call_ids=frozenset({picked.pk}), from_at=NEW))

    settle(cast.dentist)

    assert marked(cast.dentist) == {picked.pk}


def test_marks_follow_what_comes_in_and_what_is_lifted_and_are_written_once(cast: Cast) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    hold = place(cast, holds.Wanted(numbers=(ANNA,)))
    assert settle(cast.dentist) == 1
    assert settle(cast.dentist) == 0
    later = make.call(cast.dentist, ANNA, at=NEW)
    assert settle(cast.dentist) == 1
    assert later.pk in marked(cast.dentist)
    with looking(cast):
        decided_anew = Rejudgement.objects.filter(client=cast.dentist, cause=holds.CAUSE).count()
    assert decided_anew == 2

    _lift(cast, hold)

    assert settle(cast.dentist) == 2
    assert marked(cast.dentist) == set()


def test_a_client_that_never_had_a_hold_keeps_the_marks_it_has(cast: Cast) -> None:
    call = make.call(cast.dentist, ANNA, at=OLD, on_hold=True)

    assert settle(cast.dentist) == 0
    assert marked(cast.dentist) == {call.pk}


def test_marks_are_written_in_batches_that_end(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holds, "BATCH", 2)
    calls = [make.call(cast.dentist, number, at=OLD) for number in (ANNA, BEN, CLEO, None, ANNA)]
    hold = place(cast)

    assert settle(cast.dentist) == 5
    assert marked(cast.dentist) == {call.pk for call in calls}
    _lift(cast, hold)
    assert settle(cast.dentist) == 5
    assert marked(cast.dentist) == set()


# --- Placing ---


def test_placing_seals_the_reason_and_keeps_no_number(cast: Cast) -> None:
    call = make.call(cast.dentist, ANNA, at=OLD)

    hold = place(cast, holds.Wanted(numbers=(ANNA, "212-555-0101")))

    with looking(cast):
        assert HoldCaller.objects.get(hold=hold).caller_id == call.caller_id
        event = Event.objects.get(action="hold.placed")
        assert event.pk == Hold.objects.get().event_id
    assert event.reason_hash
    assert (event.actor_user_id, event.details["numbers"]) == (cast.alice.user_id, 1)
    assert not says(str(event.details), "212-555-0101")


@pytest.mark.parametrize(("typed", "line"), [((ANNA, "12"), 2), ((BEN,), 1)])
def test_a_number_of_nobody_is_refused_by_its_line_and_the_look_is_written_down(
    cast: Cast, typed: tuple[str, ...], line: int
) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    with (
        staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id),
        pytest.raises(holds.NobodyError) as refused,
    ):
        holds.place_hold(
            client=cast.dentist, name="No", matter="", reason=REASON, extent=holds.Wanted(numbers=typed),
            review_on=date(2027, 1, 1), ends_on=None, people=[], placed_by=cast.alice.user_id, at=make.NOON,
        )  # fmt: skip

    assert refused.value.line == line
    assert not any(says(str(refused.value), number) for number in typed[:1])
    with looking(cast):
        assert not Hold.objects.exists()
        assert Event.objects.get(action="number.searched").details["typed"] == len(typed)


def test_a_call_of_another_client_is_not_held(cast: Cast) -> None:
    other = make.call(cast.plumber, ANNA, at=OLD)

    with pytest.raises(holds.NoSuchCallError):
        place(cast, holds.Wanted(call_ids=frozenset({other.pk})))

    with looking(cast):
        assert not Hold.objects.exists()


def test_people_with_access_are_told_when_it_is_placed_reviewed_and_lifted(cast: Cast) -> None:
    hold = place(cast, people=[cast.alice.user_id, cast.bob.user_id])

    holds.remind(agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=make.NOON + timedelta(days=95))
    _lift(cast, hold, at=make.NOON + timedelta(days=96))

    with looking(cast):
        told = Notification.objects.filter(user_id=cast.bob.user_id).order_by("at")
        assert list(told.values_list("kind", flat=True)) == [
            holds.PLACED,
            holds.COMES_TO_REVIEW,
            holds.LIFTED,
        ]
        assert all(row.mail_due_at is not None for row in told)


def test_nobody_without_access_is_told(cast: Cast) -> None:
    with pytest.raises(holds.NotAMemberError):
        place(cast, people=[cast.carol.user_id])


def test_a_hold_settles_when_no_batch_from_before_runs(cast: Cast) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    live(cast.dentist)
    with looking(cast):
        started = runs.start_run(agency=cast.acme, cause=RunCause.BY_HAND, by=make.JOB, at=make.NOON)
        part = RunPart.objects.create(
            agency_id=cast.acme.pk, client=cast.dentist, run=started, cutoff=NEW, keep_for_days=365, rows_due=1,
            leased_until=make.NOON + timedelta(seconds=50),
        )  # fmt: skip
    hold = place(cast)

    settle(cast.dentist, make.NOON + timedelta(seconds=20))
    assert _found(cast, hold).settled_at is None
    with looking(cast):  # a batch that began after it sees it, however long it runs
        RunPart.objects.filter(pk=part.pk).update(leased_until=make.NOON + timedelta(seconds=150))
    at = make.NOON + timedelta(seconds=40)
    settle(cast.dentist, at)

    assert _found(cast, hold).settled_at == at
    with looking(cast):
        assert Event.objects.get(action="hold.settled").details["calls"] == 1


def test_a_batch_from_before_the_clock_went_back_is_waited_for(cast: Cast) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    hold = place(cast)
    part = _leased(cast, make.NOON + timedelta(hours=1))

    settle(cast.dentist, make.NOON)
    assert _found(cast, hold).settled_at is None
    with looking(cast):
        RunPart.objects.filter(pk=part.pk).update(leased_until=None)
    settle(cast.dentist, make.NOON)
    assert _found(cast, hold).settled_at == make.NOON


def _leased(cast: Cast, until: datetime) -> RunPart:
    with looking(cast):
        started = runs.start_run(agency=cast.acme, cause=RunCause.BY_HAND, by=make.JOB, at=make.NOON)
        return RunPart.objects.create(
            agency_id=cast.acme.pk, client=cast.dentist, run=started, cutoff=NEW, keep_for_days=365, rows_due=1,
            leased_until=until,
        )  # fmt: skip


def test_a_batch_that_took_its_turn_while_the_hold_waited_is_waited_for(cast: Cast) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    began = make.NOON + timedelta(seconds=1)  # after the request, before the turn that the hold waited for
    _leased(cast, began + runs.LEASE)
    hold = place(cast)
    settle(cast.dentist, make.NOON + timedelta(seconds=60))
    assert _found(cast, hold).settled_at is None
    at = began + runs.LEASE
    settle(cast.dentist, at)
    assert _found(cast, hold).settled_at == at


def test_a_widened_hold_waits_for_the_batches_of_before(cast: Cast) -> None:
    first, second = make.call(cast.dentist, ANNA, at=OLD), make.call(cast.dentist, BEN, at=OLD)
    hold = place(cast, holds.Wanted(call_ids=frozenset({first.pk})))
    settle(cast.dentist)
    later = make.NOON + timedelta(days=20)
    _leased(cast, later + timedelta(seconds=90))
    with looking(cast):
        found = Hold.objects.get(pk=hold.pk)
        holds.add_calls(hold=found, call_ids=[second.pk], by=make.JOB, at=later)
    settle(cast.dentist, later + timedelta(seconds=30))
    assert _found(cast, hold).settled_at is None
    settle(cast.dentist, later + timedelta(seconds=90))
    assert _found(cast, hold).settled_at == later + timedelta(seconds=90)


def test_no_lease_is_longer_than_settling_believes() -> None:
    assert runs.LEASE <= selectors.LEASED_AT_MOST < LEASE_AHEAD


def test_a_hold_settles_when_what_quarantine_took_out_of_use_is_cleared(cast: Cast) -> None:
    recording = make.recording(make.call(cast.dentist, ANNA, at=OLD), "https://vendor.example/1")
    with looking(cast):
        Recording.objects.filter(pk=recording.pk).update(
            state=RecordingState.GONE, gone_at=make.NOON, due_at=make.NOON
        )
    hold = place(cast)

    settle(cast.dentist)
    assert _found(cast, hold).settled_at is None
    with looking(cast):
        Recording.objects.filter(pk=recording.pk).update(due_at=None)
    settle(cast.dentist)

    assert _found(cast, hold).settled_at == make.NOON


def _found(cast: Cast, hold: Hold) -> Hold:
    with looking(cast):
        return Hold.objects.get(pk=hold.pk)


# --- Widening, looking again ---


def test_a_call_is_added_to_a_hold_that_names_some(cast: Cast) -> None:
    first, second = make.call(cast.dentist, ANNA, at=OLD), make.call(cast.dentist, BEN, at=OLD)
    hold = place(cast, holds.Wanted(call_ids=frozenset({first.pk})))
    settle(cast.dentist)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        by = make.JOB
        found = selectors.find(cast.dentist, hold.pk)
        assert found is not None
        assert holds.add_calls(hold=found, call_ids=[first.pk, second.pk], by=by, at=make.NOON) == 1
        assert holds.add_calls(hold=found, call_ids=[second.pk], by=by, at=make.NOON) == 0

    assert _found(cast, hold).settled_at is None
    settle(cast.dentist)
    assert marked(cast.dentist) == {first.pk, second.pk}


def test_a_hold_of_everything_is_not_narrowed_by_a_call(cast: Cast) -> None:
    call = make.call(cast.dentist, ANNA, at=OLD)
    make.call(cast.dentist, BEN, at=OLD)
    hold = place(cast)
    with looking(cast), pytest.raises(holds.NotToWidenError):
        holds.add_calls(hold=hold, call_ids=[call.pk], by=make.JOB, at=make.NOON)

    assert settle(cast.dentist) == 2


def test_a_hold_comes_back_for_review_once_a_day_named_and_never_ends_by_itself(cast: Cast) -> None:
    hold = place(cast, review_on=date(2026, 12, 1), ends_on=date(2026, 12, 3))
    early = datetime.fromisoformat("2026-12-01T04:59:00+00:00")  # still November in New York
    ids = {"agency_id": cast.acme.pk, "client_id": cast.dentist.pk}

    assert holds.remind(**ids, at=early) == 0
    assert holds.remind(**ids, at=early + timedelta(minutes=1)) == 1
    assert holds.remind(**ids, at=early + timedelta(days=1)) == 0
    assert holds.remind(**ids, at=early + timedelta(days=4)) == 1
    with looking(cast):
        assert set(Item.objects.open().values_list("kind", flat=True)) >= {holds.REVIEW, holds.ENDS}
        holds.review_hold(
            hold=hold, review_on=date(2027, 3, 1), ends_on=None, people=[cast.alice.user_id], reason=REASON,
            by=make.JOB, at=early + timedelta(days=5),
        )  # fmt: skip
        assert not Item.objects.open().filter(kind__in=[holds.REVIEW, holds.ENDS]).exists()
    found = _found(cast, hold)
    assert (found.review_on, found.ends_on, found.lifted_at) == (date(2027, 3, 1), None, None)


# --- Lifting ---

NONE = {"numbers": "0", "evidence": "0", "requests": "0", "reasons": "0", "own": "0"}


def _lift(cast: Cast, hold: Hold, *, at: datetime = make.NOON) -> None:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        found = selectors.find(hold.client, hold.pk)
        assert found is not None
        shown = selectors.falls_due(found, at)
        holds.lift_hold(hold=found, shown=shown, reason=REASON, lifted_by=cast.alice.user_id, at=at)


def test_lifting_shows_what_it_alone_keeps_and_what_of_it_is_past_its_date(cast: Cast) -> None:
    client = live(cast.dentist)
    make.recording(make.call(client, ANNA, at=OLD), "https://vendor.example/1")
    make.call(client, BEN, at=OLD)
    make.call(client, CLEO, at=OLD, direction=Direction.OUTBOUND)
    make.call(client, ANNA, at=NEW)
    hold = place(cast, client=client)
    place(cast, holds.Wanted(numbers=(BEN,)), client=client, name="Another")
    settle(client)

    with looking(cast):
        falls = selectors.falls_due(hold, make.NOON)
        assert selectors.freed_calls(hold).count() == 3
    assert falls == selectors.FallsDue(calls=2)


def test_lifting_shows_the_numbers_and_the_evidence_that_it_alone_keeps(cast: Cast) -> None:
    client = live(cast.dentist)
    for number in (ANNA, BEN, CLEO):
        make.call(client, number, at=OLD)
    kept = dict.fromkeys((Category.RECORDING, Category.TRANSCRIPT, Category.IDENTITY, Category.CONSENT), 10)
    with job_scope(agency_id=client.agency_id):
        Client.objects.filter(pk=client.pk).update(keep_calls_for_days=4000, keep_calls_out_for_days=4000)
        for category, days in kept.items():
            Policy.objects.create(
                agency_id=client.agency_id, client=client, category=category, keep_for_days=days, set_at=OLD
            )
        said = [
            ledger.Said(
                purpose=Purpose.CONTACT, kind=EventKind.GIVEN, channel=Channel.OFFICER, strength=Strength.A,
                happened_at=OLD, source=f"letter of {number}",
                caller_id=vault.find_callers([client.pk], number)[client.pk],
            )
            for number in (ANNA, BEN)
        ]  # fmt: skip
        ledger.record_events(client=client, said=said, by=make.JOB, at=OLD)
    hold = place(cast, holds.Wanted(numbers=(ANNA, BEN)), client=client)
    place(cast, holds.Wanted(numbers=(BEN,)), client=client, name="Another")
    settle(client)
    with looking(cast):
        found = selectors.find(Client.objects.get(pk=client.pk), hold.pk)
        assert found is not None
        falls = selectors.falls_due(found, make.NOON)
    assert (falls.calls, falls.numbers, falls.evidence) == (0, 1, 1)


def test_at_an_observed_client_nothing_falls_due(cast: Cast) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    hold = place(cast)
    with looking(cast):
        assert selectors.falls_due(hold, make.NOON) == selectors.FallsDue()


def test_a_lifted_hold_forgets_whom_it_named_and_what_it_kept_leaves_with_the_next_run(cast: Cast) -> None:
    client = live(cast.dentist)
    make.call(client, ANNA, at=OLD)
    hold = place(cast, holds.Wanted(numbers=(ANNA,)), client=client)
    settle(client)
    run(cast)
    assert len(left(client)) == 1

    _lift(cast, hold)
    run(cast, make.NOON + timedelta(hours=1))

    assert left(client) == set()
    with looking(cast):
        assert not HoldCaller.objects.exists()
        assert not HoldCall.objects.exists()
        event = Event.objects.get(action="hold.lifted")
    assert (event.details["due"], bool(event.reason_hash)) == (1, True)


def test_lifting_is_refused_where_other_counts_were_shown(cast: Cast) -> None:
    client = live(cast.dentist)
    make.call(client, ANNA, at=OLD)
    hold = place(cast, client=client)
    with looking(cast), pytest.raises(holds.CountsChangedError):
        holds.lift_hold(
            hold=hold, shown=selectors.FallsDue(), reason=REASON, lifted_by=cast.alice.user_id, at=make.NOON
        )
    assert _found(cast, hold).lifted_at is None


def test_a_hold_is_lifted_once(cast: Cast) -> None:
    hold = place(cast)
    _lift(cast, hold)
    with looking(cast), pytest.raises(holds.NotOpenError):
        holds.lift_hold(
            hold=hold, shown=selectors.FallsDue(), reason=REASON, lifted_by=cast.alice.user_id, at=make.NOON
        )


# --- Each way out ---


def test_a_run_leaves_what_is_held_though_nobody_had_marked_it(cast: Cast) -> None:
    client = live(cast.dentist)
    held = make.call(client, ANNA, at=OLD)
    make.call(client, BEN, at=OLD)
    place(cast, holds.Wanted(numbers=(ANNA,)), client=client)

    run(cast)

    assert left(client) == {held.pk}


def test_a_named_caller_outlives_the_calls_that_the_hold_does_not_cover(cast: Cast) -> None:
    client = live(cast.dentist)
    make.call(client, ANNA, at=OLD)
    place(cast, holds.Wanted(numbers=(ANNA,), from_at=NEW), client=client)

    run(cast)

    assert left(client) == set()
    assert client.pk in vault.find_callers([client.pk], ANNA)
    with looking(cast):
        assert Caller.objects.for_client(client).count() == 1


def test_quarantine_leaves_what_is_held_though_nobody_had_marked_it(cast: Cast) -> None:
    client = live(cast.dentist)
    recording = make.recording(make.call(client, ANNA, at=NEW), "https://vendor.example/1")
    with looking(cast):
        Recording.objects.filter(pk=recording.pk).update(
            due_at=make.NOON, decided_at=make.NOON - timedelta(days=2)
        )
    place(cast, client=client)

    assert erasing.erase_quarantined(client=client, limit=9, by=make.JOB, at=make.NOON) is None

    with looking(cast):
        assert Recording.objects.get(pk=recording.pk).state == RecordingState.WITHHELD


def test_the_sweep_leaves_a_named_caller_without_calls(cast: Cast) -> None:
    for number in (ANNA, BEN):
        call = make.call(cast.dentist, number, at=OLD)
        with looking(cast):
            Call.objects.filter(pk=call.pk).remove()
    place(cast, holds.Wanted(numbers=(ANNA,)))

    sweeping.sweep_client(agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=make.NOON)

    assert cast.dentist.pk in vault.find_callers([cast.dentist.pk], ANNA)
    assert vault.find_callers([cast.dentist.pk], BEN) == {}


def test_a_trackers_redaction_waits_for_the_hold(cast: Cast) -> None:
    call = make.call(cast.dentist, ANNA, at=NEW)
    hold = place(cast)
    settle(cast.dentist)
    redaction.begin(client=cast.dentist, call_ids=[call.pk], at=make.NOON)
    with looking(cast):
        assert redaction.finish(client=cast.dentist, call_ids=[call.pk], at=make.NOON) == 0
        assert Call.objects.get(pk=call.pk).caller_id == call.caller_id
        assert selectors.falls_due(hold, make.NOON).redactions == 1

    _lift(cast, hold)
    settle(cast.dentist)
    redaction.work_off(agency_id=cast.acme.pk, at=make.NOON)

    with looking(cast):
        assert Call.objects.get(pk=call.pk).caller_id is None


def test_who_is_asked_to_erase_a_person_is_told_which_holds_keep_it(cast: Cast) -> None:
    anna, ben = make.call(cast.dentist, ANNA, at=OLD), make.call(cast.dentist, BEN, at=OLD)
    by_number = place(cast, holds.Wanted(numbers=(ANNA,), from_at=NEW), name="By number")
    by_date = place(cast, holds.Wanted(until_at=OLD + timedelta(hours=1)), name="By date")
    lifted = place(cast, name="Lifted")
    _lift(cast, lifted)
    settle(cast.dentist)

    with looking(cast):
        assert anna.caller_id is not None
        assert ben.caller_id is not None
        assert {hold.pk for hold in selectors.keeps(cast.dentist, anna.caller_id)} == {
            by_number.pk,
            by_date.pk,
        }
        assert [hold.pk for hold in selectors.keeps(cast.dentist, ben.caller_id)] == [by_date.pk]
        assert selectors.keeps(cast.dentist, uuid.uuid4()) == []
        assert selectors.held_caller_ids(cast.dentist) == {anna.caller_id, ben.caller_id}
        kept = selectors.covering([anna.pk, ben.pk])
    assert {pk: [hold.name for hold in of] for pk, of in kept.items()} == {
        anna.pk: ["By date"],
        ben.pk: ["By date"],
    }


# --- Tasks ---


def test_the_beats_task_marks_and_reminds_and_does_nothing_twice(cast: Cast) -> None:
    call = make.call(cast.dentist, ANNA, at=make.now() - timedelta(days=1))
    place(cast, review_on=date(2026, 1, 1), at=make.now())

    for _ in range(2):
        tasks.settle_client(agency_id=cast.acme.pk, client_id=cast.dentist.pk)

    assert marked(cast.dentist) == {call.pk}
    with looking(cast):
        assert Item.objects.open().filter(kind=holds.REVIEW).count() == 1
        assert Event.objects.filter(action="hold.settled").count() == 1


# --- Pages ---


def _form(**said: Any) -> dict[str, Any]:
    review = make.now().date() + timedelta(days=90)
    return {
        "name": "The bill of May", "matter": "24-117", "reason": REASON, "scope": "everything", "numbers": "",
        "from_on": "", "until_on": "", "review_on": review.isoformat(), "ends_on": "",
    } | said  # fmt: skip


def test_an_officer_places_a_hold_by_number_and_lifts_it_with_what_was_shown(cast: Cast) -> None:
    client = live(cast.dentist)
    call = make.call(client, ANNA, at=make.now() - timedelta(days=400))
    browser = signed_in(cast.alice)

    placed = browser.post("/clients/dentist/holds/new/", _form(scope="numbers", numbers="212 555 0101"))

    assert placed.status_code == 302, placed.content.decode()[-3000:]
    assert not says(placed["Location"], "212 555 0101")
    page = browser.get(placed["Location"]).content.decode()
    assert "1 number" in page
    assert "Being placed" in page
    assert "2125550101" not in page
    tasks.settle_client(agency_id=cast.acme.pk, client_id=client.pk)
    assert "Being placed" not in browser.get(placed["Location"]).content.decode()
    shown = browser.get(f"/clients/dentist/calls/{call.pk}/").content.decode()
    assert "On hold" in shown
    assert "The bill of May" in shown
    url = placed["Location"] + "lift/"
    assert "What falls due at once" in browser.get(url).content.decode()
    stale = browser.post(
        url, {"reason": REASON, "calls": "0", "recordings": "0", "transcripts": "0", "redactions": "0"} | NONE
    )
    assert "has changed since you saw it" in stale.content.decode()
    lifted = browser.post(
        url, {"reason": REASON, "calls": "1", "recordings": "0", "transcripts": "0", "redactions": "0"} | NONE
    )
    assert lifted.status_code == 302
    assert "Lifted" in browser.get(placed["Location"]).content.decode()


def test_who_lifts_sees_who_placed_it_for_what_and_may_read_why(cast: Cast, second: Membership) -> None:
    hold = place(cast)
    placed_at = hold.placed_at.astimezone(ZoneInfo(cast.acme.time_zone))
    url = f"/clients/dentist/holds/{hold.pk}/"
    browser = signed_in(second)

    for address in (url, f"{url}lift/"):
        page = text_of(browser.get(address).content)
        assert f"Placed {cast.alice.user}, {placed_at:%-d %b %Y, %H:%M}" in page, address
        assert hold.matter in page
        assert "Planned end none" in page
        assert "Read the reason" in page
        assert REASON not in page
    lifts = browser.get(f"{url}lift/").content.decode()
    assert f'action="{url}reason/" hx-post="{url}reason/" hx-target="#asked-reason"' in lifts

    answer = browser.post(f"{url}reason/")

    assert REASON in text_of(answer.content.partition(b'id="asked-reason"')[2])
    assert "no-store" in answer["Cache-Control"]
    with looking(cast):
        assert Event.objects.get(action="reason.opened").actor_user_id == second.user_id
    assert browser.get(f"{url}reason/").status_code == 405
    assert signed_in(cast.bob).post(f"{url}reason/").status_code == 403
    assert signed_in(cast.mallory).post(f"{url}reason/").status_code == 404
    assert signed_in(cast.alice).post(f"/clients/plumber/holds/{hold.pk}/reason/").status_code == 404
    _lift(cast, hold)
    assert REASON in text_of(browser.post(f"{url}reason/").content)


def test_a_wrong_number_is_refused_beside_the_field_and_not_shown_again(cast: Cast) -> None:
    page = signed_in(cast.alice).post(
        "/clients/dentist/holds/new/", _form(scope="numbers", numbers="+12125550199")
    )

    text = page.content.decode()
    assert "Nothing is kept of this number" in text
    assert "5550199" not in text


def test_dates_are_days_of_the_clients_zone(cast: Cast) -> None:
    placed = signed_in(cast.alice).post(
        "/clients/dentist/holds/new/", _form(from_on="2026-05-01", until_on="2026-05-31")
    )
    assert placed.status_code == 302
    with looking(cast):
        hold = Hold.objects.get()
    assert hold.from_at == datetime.fromisoformat("2026-05-01T04:00:00+00:00")
    assert hold.until_at == datetime.fromisoformat("2026-06-01T04:00:00+00:00")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"reason": "short"}, "at least 15 characters"),
        ({"review_on": "2020-01-01"}, "Name a day to come"),
        ({"ends_on": "2020-01-01"}, "Name a day to come, or none"),
        ({"from_on": "2026-05-02", "until_on": "2026-05-01"}, "lies before the first"),
        ({"scope": "numbers"}, "Write at least one number"),
        ({"scope": "calls"}, "Pick one from the list"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field(cast: Cast, said: dict[str, str], words: str) -> None:
    page = signed_in(cast.alice).post("/clients/dentist/holds/new/", _form(**said))

    assert words in page.content.decode()
    with looking(cast):
        assert not Hold.objects.exists()


def test_a_hold_is_placed_from_a_call_and_another_call_is_added(cast: Cast) -> None:
    first = make.call(cast.dentist, ANNA, at=make.now() - timedelta(days=2))
    second = make.call(cast.dentist, BEN, at=make.now() - timedelta(days=1))
    browser = signed_in(cast.alice)
    assert "Place a hold on this call" in browser.get(f"/clients/dentist/calls/{first.pk}/").content.decode()
    assert "1 call picked" in browser.get(f"/clients/dentist/holds/new/?call={first.pk}").content.decode()

    placed = browser.post("/clients/dentist/holds/new/", _form(scope="calls", call=[str(first.pk)]))
    assert placed.status_code == 302
    with looking(cast):
        hold = Hold.objects.get()
    browser.post(f"/clients/dentist/calls/{second.pk}/hold/", {"hold": str(hold.pk)})

    with looking(cast):
        assert set(HoldCall.objects.values_list("call_id", flat=True)) == {first.pk, second.pk}


def test_who_manages_no_retention_sees_that_a_call_is_held_and_no_name(cast: Cast) -> None:
    call = make.call(cast.dentist, ANNA, at=make.now() - timedelta(days=2))
    place(cast)
    settle(cast.dentist)
    browser = signed_in(cast.bob)

    page = browser.get(f"/clients/dentist/calls/{call.pk}/").content.decode()

    assert "A hold keeps it, whatever is due" in page
    assert "The bill of May" not in page
    assert browser.get("/clients/dentist/holds/").status_code == 403
    assert browser.get("/retention/holds/").status_code == 403


def test_only_an_officer_lifts(cast: Cast) -> None:
    dana = make.person(cast.acme, "dana", Role.ACCOUNT_MANAGER)
    make.grant(dana, cast.dentist, Role.OFFICER)
    hold = place(cast)
    browser = signed_in(dana)
    url = f"/clients/dentist/holds/{hold.pk}/"

    assert browser.get(url).status_code == 200
    assert "Lift it" not in browser.get(url).content.decode()
    assert browser.get(url + "lift/").status_code == 403
    shown = {"reason": REASON, "calls": "0", "recordings": "0", "transcripts": "0", "redactions": "0"} | NONE
    assert browser.post(url + "lift/", shown).status_code == 403
    assert _found(cast, hold).lifted_at is None


def test_lists_tell_the_state_and_what_is_kept(cast: Cast) -> None:
    make.call(cast.dentist, ANNA, at=NEW)
    browser = signed_in(cast.alice)
    assert "No hold yet" in browser.get("/clients/dentist/holds/").content.decode()
    assert "No hold is open" in browser.get("/retention/holds/").content.decode()
    first = place(cast)
    _lift(cast, place(cast, name="Of last year"))

    both = browser.get("/clients/dentist/holds/").content.decode()
    open_ones = browser.get("/clients/dentist/holds/?show=open").content.decode()
    everywhere = browser.get("/retention/holds/").content.decode()

    assert "Of last year" in both
    assert "Of last year" not in open_ones
    assert "Of last year" not in everywhere
    assert first.name in everywhere
    assert "/retention/holds/" in browser.get("/retention/").content.decode()


def test_a_review_is_written_down_with_its_reason(cast: Cast) -> None:
    hold = place(cast)
    day = make.now().date() + timedelta(days=30)
    browser = signed_in(cast.alice)
    url = f"/clients/dentist/holds/{hold.pk}/review/"
    assert "Is it still needed" in browser.get(url).content.decode()

    answer = browser.post(
        url, {"reason": REASON, "review_on": day.isoformat(), "ends_on": "", "people": [cast.bob.user_id]}
    )

    assert answer.status_code == 302
    with looking(cast):
        assert selectors.people_of(hold).get().user_id == cast.bob.user_id
        assert Event.objects.get(action="hold.reviewed").reason_hash
    assert _found(cast, hold).review_on == day
