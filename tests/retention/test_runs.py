"""Calls leave on time, in an order that a crash cannot spoil, and only where an officer signed."""

import contextlib
import dataclasses
import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, connections

from callprivacy.audit import services as audit
from callprivacy.audit.models import Event, Reason
from callprivacy.calls.models import Call, Caller, Recording, Reveal
from callprivacy.lib import scope as lib_scope
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import jobs
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.enums import RetentionState
from callprivacy.tenancy.models import Client, Engagement
from callprivacy.tenancy.scope import job_scope, token
from callprivacy.vault import selectors as vault
from callprivacy.vault import services as vault_services
from callprivacy.vault.models import RecordingKey
from callprivacy.vault.sealing import SealBrokenError
from callprivacy.work.models import Item
from consent.enums import VendorStep
from consent.models import VendorTask
from consent.services import vendor_tasks
from retention import targets
from retention.enums import Category, PartState, RunCause, RunState
from retention.models import Certificate, GoLive, Leftover, Run, RunPart
from retention.selectors import preview, progress
from retention.selectors import runs as selectors
from retention.services import erasing, going_live, policies, runs, sweeping, vendors
from retention.tasks import runs as tasks
from tests import make
from tests.cast import Cast
from tests.scale import some, times

OLD = make.NOON - timedelta(days=400)
NEW = make.NOON - timedelta(days=3)
ANNA, BEN = "+12125550101", "+12125550102"


def _same(at: datetime) -> datetime:
    return at


def _live(client: Client) -> Client:
    with job_scope(agency_id=client.agency_id):
        Client.objects.filter(pk=client.pk).update(retention_state=RetentionState.LIVE)
        return Client.objects.select_related("agency").get(pk=client.pk)


def _run(cast: Cast) -> Run:
    with job_scope(agency_id=cast.acme.pk):
        run = runs.start_run(agency=cast.acme, cause=RunCause.BY_HAND, by=make.JOB, at=make.NOON)
    runs.work_run(
        agency_id=cast.acme.pk, run_id=run.pk, until=make.NOON + timedelta(minutes=1), clock=lambda: make.NOON
    )
    with job_scope(agency_id=cast.acme.pk):
        return Run.objects.get(pk=run.pk)


def _go_on(cast: Cast, at: datetime) -> None:
    """Go on with the runs that a crash left, at a time at which its leases have run out."""
    with job_scope(agency_id=cast.acme.pk):
        run_ids = selectors.running_ids()
    for run_id in run_ids:
        runs.work_run(
            agency_id=cast.acme.pk, run_id=run_id, until=at + timedelta(minutes=1), clock=partial(_same, at)
        )


def test_a_live_client_loses_what_is_past_its_date_and_keeps_the_rest(cast: Cast) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    kept = make.call(cast.dentist, BEN, at=NEW)
    _live(cast.dentist)

    run = _run(cast)

    assert run.state == RunState.DONE
    with job_scope(agency_id=cast.acme.pk):
        assert [call.pk for call in Call.objects.all()] == [kept.pk]
        assert Caller.objects.count() == 1
        part = RunPart.objects.get(run=run, client=cast.dentist, category=Category.CALL)
        assert (part.state, part.rows_due, part.rows_erased, part.callers_erased) == (
            PartState.DONE,
            1,
            1,
            1,
        )
        events = Event.objects.filter(action__startswith="calls.").order_by("pk")
        actions = list(events.values_list("action", flat=True))
    assert actions == ["calls.erasing", "calls.erased"]


def test_a_part_ends_with_its_last_rows_and_not_after_them(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    _live(cast.dentist)
    ended: list[str] = []
    apart = runs._end_part

    def end_part(book: runs._Book, at: datetime) -> None:
        ended.append(book.part.category)
        apart(book, at)

    monkeypatch.setattr(runs, "_end_part", end_part)
    run = _run(cast)

    assert Category.CALL not in ended
    assert Category.CALL_OUT in ended
    with job_scope(agency_id=cast.acme.pk):
        part = RunPart.objects.get(run=run, client=cast.dentist, category=Category.CALL)
    assert (part.state, part.rows_erased, part.leased_until, part.cursor) == (PartState.DONE, 1, None, None)
    assert part.finished_at == make.NOON


def test_a_part_works_in_the_scope_of_its_client_alone(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    _live(cast.dentist)
    scopes: list[lib_scope.Scope] = []
    target = targets.TARGETS[Category.CALL]

    def choose(*args: Any, **kwargs: Any) -> targets.Chosen:
        scopes.append(lib_scope.require())
        return target.choose(*args, **kwargs)

    monkeypatch.setitem(targets.TARGETS, Category.CALL, dataclasses.replace(target, choose=choose))
    _run(cast)

    mine = lib_scope.Scope(lib_scope.ScopeKind.JOB, cast.acme.pk, client_id=cast.dentist.pk)
    assert scopes == [mine]


def test_one_process_works_at_runs_until_the_beat_sends_the_next() -> None:
    assert timedelta(seconds=jobs.PERIODS["retention.work_runs"]) > tasks._RUNS_FOR


def test_a_callers_key_dies_with_the_last_call(cast: Cast) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    make.call(cast.dentist, BEN, at=OLD)
    make.call(cast.dentist, BEN, at=NEW)
    _live(cast.dentist)

    _run(cast)

    assert vault.find_callers([cast.dentist.pk], ANNA) == {}
    assert cast.dentist.pk in vault.find_callers([cast.dentist.pk], BEN)


def test_an_observed_client_is_counted_and_keeps_everything(cast: Cast) -> None:
    make.call(cast.dentist, ANNA, at=OLD)

    run = _run(cast)

    with job_scope(agency_id=cast.acme.pk):
        assert Call.objects.count() == 1
        part = RunPart.objects.get(run=run, client=cast.dentist, category=Category.CALL)
        assert (part.state, part.rows_due, part.rows_erased) == (PartState.OBSERVED, 1, 0)
        assert Item.objects.get(kind="go_live").count == 1


@pytest.mark.thorough
def test_the_preview_is_the_runs_own_selection(cast: Cast) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    make.call(cast.dentist, None, at=OLD)
    make.call(cast.dentist, BEN, at=NEW)
    client = _live(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        cutoff = tenancy.cutoff_of(client, make.NOON)
        due = targets.count_due(client, cutoff)
        line = preview.lines([client], make.NOON)[client.pk].of(Category.CALL)
        shown = set(targets.TARGETS[Category.CALL].due(line, after=None, limit=100))
        before = set(Call.objects.values_list("pk", flat=True))

    _run(cast)

    with job_scope(agency_id=cast.acme.pk):
        after = set(Call.objects.values_list("pk", flat=True))
    assert before - after == shown
    assert due == targets.Due(calls=2, recordings=0, callers=1)


def _instruct(client: Client) -> None:
    with job_scope(agency_id=client.agency_id):
        Engagement.objects.for_client(client).update(delete_at_vendor=True)


def _steps(client: Client) -> list[VendorTask]:
    with job_scope(agency_id=client.agency_id):
        return list(VendorTask.objects.for_client(client).filter(step=VendorStep.DELETE_RECORDING))


def test_a_recording_leaves_a_step_at_the_vendor_where_the_client_has_instructed_us(cast: Cast) -> None:
    recording = make.recording(make.call(cast.dentist, ANNA, at=OLD), "https://vendor.example/calls/77/r")
    _instruct(cast.dentist)
    _live(cast.dentist)

    _run(cast)

    by = Actor.staff(user_id=cast.alice.user_id)
    (step,) = _steps(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        assert Recording.objects.count() == 0
        assert (step.recording_id, step.by_ticket, step.caller_id) == (recording.pk, True, None)
        step = VendorTask.objects.select_related("client").get(pk=step.pk)
        assert vendor_tasks.show_reference(task=step, by=by, at=make.NOON) == {"call": "77"}
        vendor_tasks.confirm_done(task=step, receipt="case 12", was_checked=True, by=by, at=make.NOON)
    assert vault.recording_keys(cast.dentist.pk, [recording.pk]) == {}


@pytest.mark.parametrize("step", some(["remove", "choose", "destroy"], one_in=3))
def test_a_crash_before_any_step_is_mended_by_the_next_run(
    cast: Cast, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = make.call(cast.dentist, ANNA, at=OLD)
    make.recording(call, "https://vendor.example/r/1")
    _instruct(cast.dentist)
    _live(cast.dentist)

    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    real = targets.TARGETS[Category.CALL]
    with monkeypatch.context() as patch:
        broken: Any = {step: crash}
        patch.setitem(targets.TARGETS, Category.CALL, dataclasses.replace(real, **broken))
        with pytest.raises(KeyboardInterrupt):
            _run(cast)

    _go_on(cast, make.NOON + timedelta(minutes=3))

    with job_scope(agency_id=cast.acme.pk):
        assert (Call.objects.count(), Caller.objects.count()) == (0, 0)
        part = RunPart.objects.get(client=cast.dentist, category=Category.CALL)
        assert (part.rows_erased, part.recordings_erased, part.vendor_steps) == (1, 1, 1)
        assert bytes(part.digest) == erasing.digest_after(bytes(32), [call.pk])
    assert vault.find_callers([cast.dentist.pk], ANNA) == {}
    assert len(_steps(cast.dentist)) == 1


def test_running_again_changes_nothing(cast: Cast) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    make.call(cast.dentist, BEN, at=NEW)
    _live(cast.dentist)
    _run(cast)

    again = _run(cast)

    with job_scope(agency_id=cast.acme.pk):
        assert Call.objects.count() == 1
        assert RunPart.objects.get(run=again, client=cast.dentist, category=Category.CALL).rows_erased == 0


def test_who_loses_a_part_to_another_worker_takes_the_next(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    _live(cast.dentist)
    free, lost = RunPart.objects.free, iter([True])
    monkeypatch.setattr(
        RunPart.objects, "free", lambda at: RunPart.objects.none() if next(lost, False) else free(at)
    )

    _run(cast)

    with job_scope(agency_id=cast.acme.pk):
        assert not Call.objects.exists()


def test_one_run_at_a_time(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        runs.start_run(agency=cast.acme, cause=RunCause.BY_HAND, by=make.JOB, at=make.NOON)
        with pytest.raises(runs.AlreadyRunningError):
            runs.start_run(agency=cast.acme, cause=RunCause.BY_HAND, by=make.JOB, at=make.NOON)


def test_a_paused_run_erases_nothing_until_it_is_resumed(cast: Cast) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    _live(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        run = runs.start_run(agency=cast.acme, cause=RunCause.BY_HAND, by=make.JOB, at=make.NOON)
        runs.pause_run(run=run, by=make.JOB, at=make.NOON)
    until = make.NOON + timedelta(minutes=1)
    runs.work_run(agency_id=cast.acme.pk, run_id=run.pk, until=until, clock=lambda: make.NOON)
    with job_scope(agency_id=cast.acme.pk):
        assert Call.objects.count() == 1
        runs.resume_run(run=run, by=make.JOB, at=make.NOON)
    runs.work_run(agency_id=cast.acme.pk, run_id=run.pk, until=until, clock=lambda: make.NOON)
    with job_scope(agency_id=cast.acme.pk):
        assert Call.objects.count() == 0


def test_who_stops_the_erasing_of_a_client_stops_the_part_that_is_being_worked_at(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (ANNA, BEN):
        make.call(cast.dentist, number, at=OLD)
    client = _live(cast.dentist)
    real = targets.TARGETS[Category.CALL]
    monkeypatch.setitem(targets.TARGETS, Category.CALL, dataclasses.replace(real, batch=1))
    erase_batch = erasing.erase_batch

    def then_observe(**facts: Any) -> Any:
        removed = erase_batch(**facts)
        with job_scope(agency_id=cast.acme.pk):
            if Call.objects.count() == 1:
                going_live.observe(client=client, reason="We look again at it.", by=make.JOB, at=make.NOON)
        return removed

    monkeypatch.setattr(erasing, "erase_batch", then_observe)
    run = _run(cast)

    with job_scope(agency_id=cast.acme.pk):
        assert Call.objects.count() == 1
        part = RunPart.objects.get(run=run, client=cast.dentist, category=Category.CALL)
        said = json.loads(Certificate.objects.get(run=run, client=cast.dentist).statement)
        shown = {tally.title: tally.erased for tally in progress.by_category(run)}
    assert (part.state, part.rows_erased, part.leased_until) == (PartState.DONE, 1, None)
    assert [(row["category"], row["due"], row["erased"]) for row in said["categories"]] == [("call", 2, 1)]
    assert shown[Category.CALL.label] == 1


@pytest.mark.parametrize(
    ("at", "starts"),
    [
        (datetime(2026, 3, 8, 6, 59, tzinfo=UTC), False),  # 01:59 EST; 02:00 does not exist that night
        (datetime(2026, 3, 8, 7, 0, tzinfo=UTC), True),  # 03:00 EDT
        (datetime(2026, 11, 1, 5, 30, tzinfo=UTC), False),  # 01:30 EDT
        (datetime(2026, 11, 1, 6, 30, tzinfo=UTC), False),  # 01:30 EST, the second time
        (datetime(2026, 11, 1, 7, 0, tzinfo=UTC), True),  # 02:00 EST
        (datetime(2028, 2, 29, 7, 0, tzinfo=UTC), True),  # 02:00 EST on a leap day
    ],
)
def test_the_night_begins_at_two_in_the_agencys_zone(cast: Cast, at: datetime, starts: bool) -> None:
    with job_scope(agency_id=cast.acme.pk):
        run = runs.start_nightly(agency=cast.acme, at=at)
        assert (run is not None) == starts
        assert runs.start_nightly(agency=cast.acme, at=at) is None


@pytest.mark.thorough
@pytest.mark.parametrize(
    "change", some([datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 3, 8, tzinfo=UTC)], one_in=2)
)
@pytest.mark.parametrize("back_at", some((timedelta(hours=hours) for hours in (7, 5, 20)), one_in=3))
def test_a_clock_that_goes_back_an_hour_runs_each_night_once_and_loses_nothing(
    cast: Cast, change: datetime, back_at: timedelta
) -> None:
    """A tick each hour of three days around a clock change; each day at `back_at` the clock goes back an hour."""
    begin = change - timedelta(days=1)
    calls = [make.call(cast.dentist, ANNA, at=begin - timedelta(days=26 + days)) for days in range(6)]
    _live(cast.dentist)
    ticks: list[datetime] = []
    step = times(timedelta(hours=1), timedelta(minutes=10))
    for number in range(timedelta(days=3) // step):
        ticks.append(begin + number * step)
        if (ticks[-1] - begin) % timedelta(days=1) == back_at:
            ticks += [ticks[-1] - timedelta(minutes=minutes) for minutes in (60, 30, 0)]
    marks = []
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(keep_calls_for_days=30)
        client = Client.objects.select_related("agency").get(pk=cast.dentist.pk)
    for at in ticks:
        with job_scope(agency_id=cast.acme.pk):
            run = runs.start_nightly(agency=cast.acme, at=at)
        if run is not None:
            runs.work_run(
                agency_id=cast.acme.pk,
                run_id=run.pk,
                until=at + timedelta(minutes=1),
                clock=partial(_same, at),
            )
        marks.append(vault.watermark(client.pk, "call") or datetime.min.replace(tzinfo=UTC))
    with job_scope(agency_id=cast.acme.pk):
        started = list(Run.objects.order_by("created_at").values_list("created_at", flat=True))
        left = set(Call.objects.for_client(client).values_list("pk", flat=True))
        assert {run.state for run in Run.objects.all()} == {RunState.DONE}
    zone = ZoneInfo(cast.acme.time_zone)
    nights = [at.astimezone(zone).date() for at in started]
    assert nights == sorted({at.astimezone(zone).date() for at in ticks if at.astimezone(zone).hour >= 2})
    assert marks == sorted(marks)
    line = tenancy.cutoff_of(client, started[-1])
    assert left == {call.pk for call in calls if call.started_at >= line}
    assert 0 < len(left) < len(calls)


def test_a_part_that_a_dead_worker_holds_waits_no_hour_when_the_clock_goes_back(cast: Cast) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    _live(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        run = runs.start_run(agency=cast.acme, cause=RunCause.BY_HAND, by=make.JOB, at=make.NOON)
    runs._plan(cast.acme.pk, run.pk, make.NOON + timedelta(minutes=1), lambda: make.NOON)
    dead = runs._lease(cast.acme.pk, run.pk, make.NOON)
    assert dead is not None
    assert dead.leased_until == make.NOON + runs.LEASE

    for at, is_free in (
        (make.NOON, False),
        (make.NOON - timedelta(minutes=7), False),
        (make.NOON - timedelta(hours=1), True),
    ):
        with job_scope(agency_id=cast.acme.pk):
            assert RunPart.objects.free(at).filter(pk=dead.pk).exists() is is_free
    taken = runs._lease(cast.acme.pk, run.pk, make.NOON - timedelta(hours=1))
    assert taken is not None
    assert taken.pk == dead.pk

    book = runs._Book(
        dead, targets.TARGETS[Category(dead.category)], make.NOON - timedelta(hours=1), may_end=True
    )
    with job_scope(agency_id=cast.acme.pk), pytest.raises(runs._TakenError):
        book.begin()


def test_a_cut_off_is_the_start_of_the_clients_day_across_a_clock_change(cast: Cast) -> None:
    client = Client(agency=cast.acme, time_zone="America/New_York", keep_calls_for_days=30)

    cutoff = tenancy.cutoff_of(client, datetime(2026, 11, 20, 3, 0, tzinfo=UTC))  # the 19th in New York

    assert cutoff == datetime(2026, 10, 20, 4, 0, tzinfo=UTC)  # midnight EDT


def _shown(cast: Cast, due: targets.Due) -> going_live.Shown:
    client = Client.objects.select_related("agency").get(pk=cast.dentist.pk)
    return going_live.Shown(
        due=due,
        allowed=0,
        withheld=0,
        leaving=0,
        besides=going_live.besides_shown(client=client, user_id=cast.alice.user_id, at=make.NOON),
        terms=selectors.terms_of(client),
    )


@pytest.mark.usefixtures("one_signature")
def test_going_live_is_refused_when_the_counts_have_changed(cast: Cast) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    with job_scope(agency_id=cast.acme.pk):
        stale = _shown(cast, targets.Due(calls=0, recordings=0, callers=0))
        with pytest.raises(policies.CountsChangedError):
            going_live.go_live(client=cast.dentist, shown=stale, signed_by=cast.alice.user_id, at=make.NOON)
        shown = _shown(cast, targets.Due(calls=1, recordings=0, callers=1))
        signed = going_live.go_live(
            client=cast.dentist, shown=shown, signed_by=cast.alice.user_id, at=make.NOON
        )
        assert (signed.calls_due, signed.signed_by_id) == (1, cast.alice.user_id)
        assert Client.objects.get(pk=cast.dentist.pk).retention_state == RetentionState.LIVE


@pytest.mark.usefixtures("one_signature")
@pytest.mark.django_db(transaction=True)
def test_who_signs_waits_for_nobody_who_adds_to_the_client(cast: Cast) -> None:
    with contextlib.closing(connections.create_connection("default")) as other, other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT agency FROM enter_scope(%s)", [token("job", cast.acme.pk, None, None)])
        cursor.execute("SELECT FROM tenancy_client WHERE id = %s FOR KEY SHARE", [cast.dentist.pk])
        assert cursor.rowcount == 1
        with job_scope(agency_id=cast.acme.pk):
            with connection.cursor() as ours:
                ours.execute("SET LOCAL lock_timeout = '50ms'")
            shown = _shown(cast, targets.Due(calls=0, recordings=0, callers=0))
            going_live.go_live(client=cast.dentist, shown=shown, signed_by=cast.alice.user_id, at=make.NOON)
            assert GoLive.objects.count() == 1


@pytest.mark.usefixtures("one_signature")
def test_who_signs_after_another_officer_hears_that_the_client_is_live_already(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        shown = _shown(cast, targets.Due(calls=0, recordings=0, callers=0))
        for at in (make.NOON, make.NOON + timedelta(seconds=1)):
            with contextlib.suppress(going_live.AlreadyLiveError):
                going_live.go_live(client=cast.dentist, shown=shown, signed_by=cast.alice.user_id, at=at)
        assert GoLive.objects.count() == 1
        assert Client.objects.get(pk=cast.dentist.pk).went_live_at == make.NOON


def test_the_watermark_stands_where_the_run_cut(cast: Cast) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    client = _live(cast.dentist)

    _run(cast)

    assert vault.watermark(client.pk, "call") == tenancy.cutoff_of(client, make.NOON)


def test_the_sweep_forgets_callers_without_calls_and_keys_without_rows(cast: Cast) -> None:
    call = make.call(cast.dentist, ANNA, at=OLD)
    vault_services.ensure_callers(client_id=cast.dentist.pk, numbers=[BEN], at=OLD)
    with job_scope(agency_id=cast.acme.pk):
        Call.objects.filter(pk=call.pk).remove()

    swept = sweeping.sweep_client(agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=make.NOON)

    assert swept == 2
    assert vault.find_callers([cast.dentist.pk], ANNA) == vault.find_callers([cast.dentist.pk], BEN) == {}


def test_another_agencys_calls_are_untouched(cast: Cast) -> None:
    make.call(cast.florist, ANNA, at=OLD)
    make.call(cast.dentist, ANNA, at=OLD)
    _live(cast.dentist)
    _live(cast.florist)

    _run(cast)

    with job_scope(agency_id=cast.globex.pk):
        assert Call.objects.count() == 1


def test_the_sweep_destroys_recordings_keys_without_a_row_and_leaves_keys_for_a_purpose(cast: Cast) -> None:
    kept = make.recording(make.call(cast.dentist, ANNA, at=NEW), "https://vendor.example/r/1")
    orphan = make.recording(make.call(cast.dentist, ANNA, at=NEW), "https://vendor.example/r/2")
    vault_services.purpose_key(client_id=cast.dentist.pk, purpose="inbox", at=OLD)
    with job_scope(agency_id=cast.acme.pk):
        Recording.objects.filter(pk=orphan.pk).remove()

    later = make.NOON + timedelta(days=2)
    swept = sweeping.sweep_client(agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=later)

    assert swept == 1
    assert set(vault.recording_keys(cast.dentist.pk, [kept.pk, orphan.pk])) == {kept.pk}
    assert vault_services.purpose_key(client_id=cast.dentist.pk, purpose="inbox", at=OLD) is not None


def test_the_sweep_removes_tombstones_whose_end_date_has_begun_everywhere(cast: Cast) -> None:
    of, today = cast.dentist.pk, make.NOON.date()
    vault_services.entomb_calls(client_id=of, digests=[b"a" * 32], ends_on=today - timedelta(days=1), at=OLD)
    vault_services.entomb_calls(client_id=of, digests=[b"b" * 32], ends_on=today, at=OLD)

    sweeping.sweep_client(agency_id=cast.acme.pk, client_id=of, at=make.NOON)

    assert vault.entombed(of, [b"a" * 32, b"b" * 32]) == {b"b" * 32}


def test_a_forgotten_pause_ends_with_the_next_night(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        paused = runs.start_run(agency=cast.acme, cause=RunCause.BY_HAND, by=make.JOB, at=make.NOON)
        runs.pause_run(run=paused, by=make.JOB, at=make.NOON)
        tonight = runs.start_nightly(agency=cast.acme, at=make.NOON)

        assert tonight is not None
        assert Run.objects.get(pk=paused.pk).state == RunState.CANCELLED


@pytest.mark.thorough
def test_a_recording_whose_key_is_gone_or_damaged_is_still_listed_at_its_vendor(cast: Cast) -> None:
    gone = make.recording(make.call(cast.dentist, ANNA, at=OLD), "https://vendor.example/r/1")
    damaged = make.recording(make.call(cast.dentist, BEN, at=OLD), "https://vendor.example/r/2")
    sound = make.recording(make.call(cast.dentist, BEN, at=OLD), "https://vendor.example/r/3")
    vault_services.destroy_recording_keys(client_id=cast.dentist.pk, recording_ids=[gone.pk])
    RecordingKey.objects.filter(pk=damaged.pk).update(wrapped=b"\x01" + bytes(60))
    _live(cast.dentist)

    run = _run(cast)

    assert run.state == RunState.DONE
    with job_scope(agency_id=cast.acme.pk):
        assert Call.objects.count() == 0
        key = vault_services.purpose_key(client_id=cast.dentist.pk, purpose=vendors.ERRAND, at=make.NOON)
        shown = {row.pk: row.reference.reveal(key) or None for row in Leftover.objects.all()}
    assert shown == {gone.pk: None, damaged.pk: None, sound.pk: "https://vendor.example/r/3"}


@pytest.mark.thorough
def test_a_call_given_a_recording_in_the_middle_stays_for_the_next_batch(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = make.call(cast.dentist, ANNA, at=OLD)
    client = _live(cast.dentist)
    real = targets.TARGETS[Category.CALL]
    late_ones: list[Recording] = []

    def late(line: targets.Line, chosen: targets.Chosen, deed: targets.Deed) -> targets.Chosen:
        chosen = real.destroy(line, chosen, deed)
        if not late_ones:
            late_ones.append(make.bare_recording(call))
        return chosen

    monkeypatch.setitem(targets.TARGETS, Category.CALL, dataclasses.replace(real, destroy=late))

    _run(cast)

    with job_scope(agency_id=cast.acme.pk):
        assert Call.objects.count() == 0
        assert Leftover.objects.get().pk == late_ones[0].pk
        part = RunPart.objects.get(client=client, category=Category.CALL)
        assert (part.rows_erased, part.state) == (1, PartState.DONE)


def test_one_clients_fault_ends_its_part_tells_somebody_and_keeps_no_other(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    make.call(cast.plumber, BEN, at=OLD)
    _live(cast.dentist)
    _live(cast.plumber)
    real = targets.TARGETS[Category.CALL]

    def broken(line: targets.Line, **names: Any) -> targets.Chosen:
        if line.client.pk == cast.dentist.pk:
            raise SealBrokenError("Seal broken.")
        return real.choose(line, **names)

    monkeypatch.setitem(targets.TARGETS, Category.CALL, dataclasses.replace(real, choose=broken))
    with job_scope(agency_id=cast.acme.pk):
        run = runs.start_run(agency=cast.acme, cause=RunCause.BY_HAND, by=make.JOB, at=make.NOON)
    for minutes in (0, 3, 6, 9):
        at = make.NOON + timedelta(minutes=minutes)
        runs.work_run(
            agency_id=cast.acme.pk, run_id=run.pk, until=at + timedelta(minutes=1), clock=partial(_same, at)
        )

    with job_scope(agency_id=cast.acme.pk):
        assert (
            RunPart.objects.get(run=run, client=cast.dentist, category=Category.CALL).state
            == PartState.FAILED
        )
        assert (
            RunPart.objects.get(run=run, client=cast.plumber, category=Category.CALL).state == PartState.DONE
        )
        assert Run.objects.get(pk=run.pk).state == RunState.DONE
        assert Item.objects.open().filter(kind="retention_failed", client=cast.dentist).exists()


def test_words_behind_a_reveal_leave_with_the_call_also_when_its_id_has_moved(cast: Cast) -> None:
    call = make.call(cast.dentist, ANNA, at=OLD)
    client = _live(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        event = audit.record(
            "number.revealed",
            subject=client,
            by=make.JOB,
            at=make.NOON,
            reason="Mrs Example asked for a call back.",
        )
        Reveal.objects.create(
            agency_id=cast.acme.pk,
            client=client,
            call=call,
            user_id=cast.alice.user_id,
            reason_kind="call_back",
            reason_digest=bytes(32),
            event_id=event.pk,
            at=make.NOON,
        )
        assert Reason.objects.filter(event_id=event.pk).exists()

    _run(cast)

    with job_scope(agency_id=cast.acme.pk):
        assert not Reason.objects.filter(event_id=event.pk).exists()


def test_very_many_keys_without_rows_are_told_and_not_destroyed(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "_FEW", 1)
    numbers = [f"+121255501{last:02d}" for last in range(10, 20)]
    vault_services.ensure_callers(client_id=cast.dentist.pk, numbers=numbers, at=OLD)

    assert sweeping.sweep_client(agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=make.NOON) == 0

    assert all(vault.find_callers([cast.dentist.pk], number) for number in numbers)
    with job_scope(agency_id=cast.acme.pk):
        assert Item.objects.open().get(kind="keys_without_rows").count == 10


def test_a_run_that_does_not_end_is_somebodys_work(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        runs.start_run(agency=cast.acme, cause=RunCause.BY_HAND, by=make.JOB, at=make.NOON)
        assert runs.start_nightly(agency=cast.acme, at=make.NOON) is None
        assert Item.objects.open().filter(kind="retention_stuck").exists()
