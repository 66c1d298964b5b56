"""Files of calls: how they are read, what becomes of them, and what a killed worker leaves."""

import contextlib
import gzip
import os
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from django.core.management import CommandError, call_command
from django.test import override_settings

from callprivacy.audit.models import Event
from callprivacy.calls.enums import JobState
from callprivacy.calls.models import Call, CallImport, CallRef, Connection, Recording
from callprivacy.calls.services import erasure, imports
from callprivacy.calls.services.imports import Layout, NotReadyError
from callprivacy.calls.tasks import imports as tasks
from callprivacy.celery import app
from callprivacy.tenancy.enums import RetentionState
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import services as vault
from callprivacy.vault.models import RecordingKey
from tests import make
from tests.calls import files
from tests.calls.files import line, table
from tests.calls.saying import calls, fact, in_the_clear, number_of, recording_of, the_call, told
from tests.make import NOON
from tests.samples import local, moved, night_of_25_hours
from tests.scale import some

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def media(tmp_path: Path) -> Iterator[Path]:
    with override_settings(MEDIA_ROOT=tmp_path):
        yield tmp_path


@pytest.fixture
def plumber() -> Client:
    return make.client(make.agency("Acme"), "Plumber")


@pytest.fixture
def eager() -> Iterator[None]:
    """Tasks that are sent run at once."""
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False


def counts(row: CallImport) -> dict[str, int]:
    names = ("rows", "rows_done", "added", "known", "too_old", "erased", "doubtful", "refused")
    return {name: getattr(row, name) for name in names if getattr(row, name)}


def actions(client: Client) -> list[tuple[str, dict[str, Any]]]:
    with job_scope(agency_id=client.agency_id):
        found = Event.objects.filter(action__startswith="import.").order_by("id")
        return list(found.values_list("action", "details"))


# --- Reading -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_file_becomes_calls(plumber: Client, media: Path) -> None:
    row = files.imported(plumber, table([line(1)]))
    assert (row.state, counts(row)) == (JobState.DONE, {"rows": 1, "rows_done": 1, "added": 1})
    call = the_call(plumber)
    assert call.started_at == local(-23, 0, 1, 7)
    assert (call.source, call.campaign, call.seconds, call.outcome) == ("Google Ads", "Brand", 95, "answered")
    assert number_of(call) == "+12025550101"
    assert recording_of(call).endswith("/calls/700000001/recording?access_key=canarykey")
    assert row.file_key is None
    assert files.sealed_files(media) == []


@pytest.mark.parametrize(
    "dress",
    [
        pytest.param(table, marks=pytest.mark.thorough),
        pytest.param(lambda rows: b"\xef\xbb\xbf" + table(rows), marks=pytest.mark.thorough),
        pytest.param(lambda rows: table(rows, delimiter=";"), marks=pytest.mark.thorough),
        lambda rows: gzip.compress(table(rows)),
    ],
    ids=["plain", "with a BOM", "semicolons", "gzip"],
)
def test_files_in_every_dress_are_the_same_calls(plumber: Client, dress: Any) -> None:
    rows = [line(number) for number in range(3)]
    files.imported(plumber, table(rows))
    row = files.imported(plumber, dress(rows))
    assert counts(row) == {"rows": 3, "rows_done": 3, "known": 3}


def test_importing_again_adds_nothing(plumber: Client) -> None:
    content = table([line(number) for number in range(30)])
    files.imported(plumber, content)

    def everything() -> tuple[Any, ...]:
        with job_scope(agency_id=plumber.agency_id):
            ids = sorted(Call.objects.values_list("pk", flat=True))
            return ids, CallRef.objects.count(), Recording.objects.count(), RecordingKey.objects.count()

    before = everything()
    assert counts(files.imported(plumber, content)) == {"rows": 30, "rows_done": 30, "known": 30}
    assert everything() == before


@pytest.mark.thorough
def test_rows_without_any_id_are_known_again(plumber: Client) -> None:
    content = table([line(number, Recording_Url="") for number in range(9)])
    files.imported(plumber, content)
    assert counts(files.imported(plumber, content)) == {"rows": 9, "rows_done": 9, "known": 9}


def test_a_generic_file_by_its_mapping_and_zone(plumber: Client) -> None:
    day = (NOON - timedelta(days=280)).replace(day=11)
    content = table(
        [("5", f"{day:%d/%m/%Y} 3:04 PM", "+44 20 7946 0123", "2:05")], ("No", "When", "Who", "How long")
    )
    columns = {"reference": "No", "started_at": "When", "caller": "Who", "seconds": "How long"}
    files.imported(plumber, content, Layout("generic", columns, "Europe/Berlin", "day first"))
    call = the_call(plumber)
    assert call.started_at == datetime(day.year, day.month, 11, 15, 4, tzinfo=ZoneInfo("Europe/Berlin"))
    assert (number_of(call), call.seconds) == ("+442079460123", 125)


def test_bad_lines_are_refused_by_column_and_the_others_taken(plumber: Client) -> None:
    content = table(
        [
            line(1, **{"Duration_(seconds)": "-5"}),
            line(2),
            line(3, Start_Time=moved("2027-01-01 00:00:00")),
            line(4, Phone_Number="not a number 5550147"),
        ]
    )
    row = files.imported(plumber, content)
    assert counts(row) == {"rows": 4, "rows_done": 4, "added": 1, "refused": 3}
    found = files.refusals(row)
    assert [(where, column) for where, column, _ in found] == [
        (2, "Duration (seconds)"), (6, "Start Time"), (8, "Phone Number"),
    ]  # fmt: skip
    assert all(reason.startswith("Expected ") and "5550147" not in reason for _, _, reason in found)


def test_what_is_past_the_keep_for_is_counted_before_and_after(plumber: Client) -> None:
    with job_scope(agency_id=plumber.agency_id):
        Client.objects.filter(pk=plumber.pk).update(
            keep_calls_for_days=10, retention_state=RetentionState.LIVE
        )
    content = table([line(1), line(2, Start_Time=moved("2026-11-20 10:00:00")), line(3, Phone_Number="x")])
    row = files.draft(plumber, content)
    assert (row.rows, row.too_old, row.refused, row.due_at) == (3, 1, 1, None)
    with job_scope(agency_id=plumber.agency_id):
        imports.start_import(row=row, by=files.BY, at=NOON)
    assert counts(files.run(row)) == {"rows": 3, "rows_done": 3, "added": 1, "too_old": 1, "refused": 1}


def test_calls_of_the_hour_that_comes_twice_are_counted_before_and_after(plumber: Client) -> None:
    """01:30 in New York comes twice in that night: the second one is here already, by its tracker."""
    night = night_of_25_hours()
    with job_scope(agency_id=plumber.agency_id):
        Client.objects.filter(pk=plumber.pk).update(keep_calls_for_days=400)
    told(
        plumber,
        fact(started_at=datetime.fromisoformat(f"{night} 06:30:12+00:00"), caller="+12025550101", seconds=95),
    )
    nights = [f"{night} {at}" for at in ("01:30:12", "01:31:12", "00:30:12", "02:30:12")]
    row = files.draft(plumber, table([line(1 + place, Start_Time=at) for place, at in enumerate(nights)]))
    assert (row.rows, row.first_of_two) == (4, 2)
    with job_scope(agency_id=plumber.agency_id):
        imports.start_import(row=row, by=files.BY, at=NOON)
    row = files.run(row)
    assert (row.added, row.first_of_two) == (4, 2)
    assert files.imported(plumber, table([line(1, Start_Time=nights[0])])).first_of_two == 0, "it is known"


def test_a_damaged_file_fails_with_its_reason_and_is_deleted(plumber: Client, media: Path) -> None:
    content = gzip.compress(table([line(number, Note=os.urandom(400).hex()) for number in range(300)]))[:-500]
    row = files.draft(plumber, content)
    assert "damaged" in row.failure
    with job_scope(agency_id=plumber.agency_id), pytest.raises(NotReadyError):
        imports.start_import(row=row, by=files.BY, at=NOON)
    with job_scope(agency_id=plumber.agency_id):
        CallImport.objects.filter(pk=row.pk).update(state=JobState.QUEUED, due_at=NOON, started_at=NOON)
    row = files.run(row)
    assert (row.state, row.file_key) == (JobState.FAILED, None)
    assert "damaged" in row.failure


def test_the_trail_says_who_did_what_and_no_number(plumber: Client) -> None:
    files.imported(plumber, table([line(1)]))
    assert [action for action, _ in actions(plumber)] == [
        "import.uploaded",
        "import.started",
        "import.finished",
    ]
    assert actions(plumber)[-1][1] | {"rows": 1, "added": 1} == actions(plumber)[-1][1]


@pytest.mark.django_db(transaction=True)
def test_nothing_personal_stands_in_the_clear(plumber: Client, media: Path) -> None:
    canaries = ("canary", "Canary", "5550101", "555-0101", "app.example.com")
    row = files.started(plumber, table([line(1), line(2, Phone_Number="canary 5550101")]))
    everything = b"".join(path.read_bytes() for path in files.sealed_files(media))
    assert everything
    assert not [canary for canary in canaries if canary.encode() in everything]
    files.run(row, workers=2)
    assert in_the_clear(*canaries) == set()
    assert in_the_clear("Brand") == {("calls_call", "Brand")}


# --- States ------------------------------------------------------------------------------------------------------


def test_a_draft_that_was_described_otherwise_is_counted_again(plumber: Client) -> None:
    row = files.draft(plumber, table([line(1)]))
    with job_scope(agency_id=plumber.agency_id):
        described = Layout("callrail", {"started_at": "Start Time", "caller": "Phone Number"}, "UTC")
        imports.describe_import(row=row, layout=described, by=files.BY, at=NOON)
        with pytest.raises(NotReadyError):
            imports.start_import(row=row, by=files.BY, at=NOON)
    imports.check_import(agency_id=plumber.agency_id, import_id=row.pk, clock=lambda: NOON)
    with job_scope(agency_id=plumber.agency_id):
        imports.start_import(row=files.fresh(row), by=files.BY, at=NOON)
    files.run(row)
    assert the_call(plumber).started_at == datetime.fromisoformat(f"{files.FIRST} 00:01:07+00:00")
    assert the_call(plumber).campaign == ""


def test_a_connection_remembers_the_columns(plumber: Client) -> None:
    with job_scope(agency_id=plumber.agency_id):
        connection = Connection.objects.create(
            agency_id=plumber.agency_id, client=plumber, provider="callrail", name="Main", key=uuid.uuid4().hex,
            created_at=NOON,
        )  # fmt: skip
    kept = files.stored(plumber, table([line(1)]))
    layout = Layout("callrail", {"started_at": "Start Time", "caller": "Phone Number"}, "UTC")
    with job_scope(agency_id=plumber.agency_id):
        row = imports.create_import(
            client=plumber, connection=connection, layout=layout, stored=kept, by=files.BY, at=NOON
        )
        imports.describe_import(row=row, layout=layout, by=files.BY, at=NOON)
        connection.refresh_from_db()
    assert connection.mapping["columns"] == dict(layout.columns)
    assert connection.time_zone == "UTC"


def test_an_import_starts_and_ends_once(plumber: Client) -> None:
    row = files.imported(plumber, table([line(1)]))
    with job_scope(agency_id=plumber.agency_id):
        for deed in (imports.start_import, imports.cancel_import):
            with pytest.raises(NotReadyError):
                deed(row=row, by=files.BY, at=NOON)
    assert files.run(row).finished_at == row.finished_at
    assert len([action for action, _ in actions(plumber) if action == "import.finished"]) == 1


def test_a_draft_is_never_run(plumber: Client) -> None:
    row = files.run(files.draft(plumber, table([line(1)])))
    assert row.state == JobState.DRAFT
    assert calls(plumber) == []


@pytest.mark.django_db(transaction=True)
def test_cancelling_stops_it_between_batches(
    plumber: Client, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "BATCH", 5)
    row = files.started(plumber, table([line(number) for number in range(40)]))

    def cancel(_: int) -> None:
        # The other thread may have been first.
        with contextlib.suppress(imports.NotReadyError), job_scope(agency_id=plumber.agency_id):
            imports.cancel_import(row=files.fresh(row), by=files.BY, at=NOON)

    imports.run_import(
        agency_id=plumber.agency_id, import_id=row.pk, clock=lambda: NOON, on_batch=cancel, workers=2
    )
    row = files.fresh(row)
    assert (row.state, row.file_key) == (JobState.CANCELLED, None)
    assert len(calls(plumber)) == row.added == row.rows_done == 5
    assert files.sealed_files(media) == []


@pytest.mark.thorough
@pytest.mark.django_db(transaction=True)
def test_several_threads_read_one_file_in_order(plumber: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "BATCH", 7)
    rows = [line(number, **({"Start_Time": "no"} if number % 10 == 3 else {})) for number in range(100)]
    rows += rows[:20]
    row = files.run(files.started(plumber, table(rows)), workers=3)
    assert counts(row) == {"rows": 120, "rows_done": 120, "added": 90, "known": 18, "refused": 12}
    assert len(calls(plumber)) == 90
    assert len(files.refusals(row)) == 12


@pytest.mark.django_db(transaction=True)
def test_what_is_known_said_twice_or_erased_stands_in_no_other_rows_way(
    plumber: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "BATCH", 10)
    rows = [line(number) for number in range(80)]
    files.imported(plumber, table([rows[15], rows[44]]))
    erased = calls(plumber)[1]
    assert erased.caller_id is not None
    vault.erase_callers(
        client_id=plumber.pk,
        erasures=[vault.Erasure(erased.caller_id, up_to=NOON, tombstone_ends_on=date(2029, 1, 1))],
        at=NOON,
    )
    with job_scope(agency_id=plumber.agency_id):
        recordings = tuple(Recording.objects.filter(call_id=erased.pk).values_list("pk", flat=True))
        chosen = erasure.Chosen(
            ids=(erased.pk,), recordings=recordings, forgotten=frozenset([erased.caller_id])
        )
        erasure.remove_calls(client=plumber, chosen=chosen)
    again = [*rows[:33], rows[31], *rows[33:]]

    row = files.run(files.started(plumber, table(again)), workers=3)

    assert counts(row) == {"rows": 81, "rows_done": 81, "added": 78, "known": 2, "erased": 1}
    assert len(calls(plumber)) == 79
    with job_scope(agency_id=plumber.agency_id):
        assert Recording.objects.count() == CallRef.objects.count() == 79
    assert RecordingKey.objects.filter(client_id=plumber.pk, caller_id__isnull=False).count() == 79
    assert files.run(files.started(plumber, table(again)), workers=3).added == 0


@pytest.mark.thorough
@pytest.mark.django_db(transaction=True)
def test_an_error_in_a_thread_is_raised_and_leaves_whole_batches(
    plumber: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "BATCH", 5)
    row = files.started(plumber, table([line(number) for number in range(60)]))

    def fail(_: int) -> None:
        raise ValueError("the disk is full")

    with pytest.raises(ValueError, match="disk is full"):
        imports.run_import(
            agency_id=plumber.agency_id, import_id=row.pk, clock=lambda: NOON, on_batch=fail, workers=2
        )
    stopped = files.fresh(row)
    assert stopped.state == JobState.RUNNING
    assert len(calls(plumber)) == stopped.rows_done < 60
    row = files.run(row, clock=lambda: NOON + imports.LEASE)
    assert (row.state, len(calls(plumber)), row.added) == (JobState.DONE, 60, 60)


def test_it_stops_in_time_and_goes_on_later(plumber: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "BATCH", 5)
    row = files.started(plumber, table([line(number) for number in range(12)]))
    over = [
        imports.run_import(
            agency_id=plumber.agency_id, import_id=row.pk, clock=lambda: NOON, until=NOON, workers=0
        )
        for _ in range(4)
    ]
    assert over == [False, False, False, True]
    assert counts(files.fresh(row)) == {"rows": 12, "rows_done": 12, "added": 12}


def ending(error: type[BaseException]) -> Any:
    """A worker that ends while it reads."""

    def read(*_: Any, **__: Any) -> Any:
        raise error

    return read


def later(minutes: int) -> Any:
    return lambda: NOON + timedelta(minutes=minutes)


@pytest.mark.parametrize(
    "error", [MemoryError, pytest.param(SoftTimeLimitExceeded, marks=pytest.mark.thorough)]
)
def test_a_file_that_ends_each_worker_is_read_no_more(
    plumber: Client, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    row = files.started(plumber, table([line(1)]))
    monkeypatch.setattr(imports, "_read", ending(error))
    for number in range(imports.TRIES):
        with pytest.raises(error):
            files.run(row, clock=later(number))
    row = files.run(row, clock=later(60))
    assert (row.state, row.failure) == (JobState.FAILED, imports.ENDS_WORKERS)


def test_a_draft_that_ends_each_worker_says_so(plumber: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    row = files.draft(plumber, table([line(1)]))
    monkeypatch.setattr(imports, "_count", ending(MemoryError))
    with job_scope(agency_id=plumber.agency_id):
        imports.describe_import(row=row, layout=Layout.of(row), by=files.BY, at=NOON)

    def check(minutes: int) -> None:
        imports.check_import(agency_id=plumber.agency_id, import_id=row.pk, clock=later(minutes))

    for number in range(imports.TRIES):
        with pytest.raises(MemoryError):
            check(number)
    check(60)
    row = files.fresh(row)
    assert (row.failure, row.due_at, row.tries) == (imports.ENDS_WORKERS, None, 0)


def test_who_gets_further_or_fails_for_another_reason_was_not_ended_by_the_file(
    plumber: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "BATCH", 1)
    row = files.started(plumber, table([line(1), line(2)]))
    with monkeypatch.context() as patched:
        for number, error in enumerate([MemoryError, OSError, KeyboardInterrupt, OSError, MemoryError]):
            patched.setattr(imports, "_read", ending(error))
            with pytest.raises(error):
                files.run(row, clock=later(number))
    assert files.fresh(row).tries == 2
    imports.run_import(agency_id=plumber.agency_id, import_id=row.pk, clock=later(60), until=NOON, workers=0)
    row = files.fresh(row)
    assert (row.tries, row.rows_done) == (0, 1)


def test_a_worker_that_was_overtaken_writes_nothing(plumber: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "BATCH", 5)
    row = files.started(plumber, table([line(number) for number in range(12)]))
    slow = imports._claim(plumber.agency_id, row.pk, NOON)
    assert slow is not None
    assert files.run(row, clock=lambda: NOON + imports.LEASE).state == JobState.DONE
    batch = imports._Batch(slow, 0, 0, [(2, fact(references=(("id", "999"),)))])
    with pytest.raises(imports.OvertakenError):
        batch.prepare(NOON).store(lambda verdicts: batch.note(verdicts, at=NOON))
    assert len(calls(plumber)) == 12


def test_a_lease_keeps_others_away_until_it_ends(plumber: Client) -> None:
    row = files.started(plumber, table([line(1)]))
    assert imports._claim(plumber.agency_id, row.pk, NOON) is not None
    assert imports._claim(plumber.agency_id, row.pk, NOON + imports.LEASE / 2) is None
    assert imports.sweep(agency_id=plumber.agency_id, at=NOON + imports.LEASE / 2) == []
    assert imports.sweep(agency_id=plumber.agency_id, at=NOON + imports.LEASE) == [row.pk]


def test_the_sweep_clears_up(plumber: Client, media: Path) -> None:
    content = table([line(1)])
    left_draft, stuck = files.draft(plumber, content), files.started(plumber, content)
    done = files.started(plumber, content)
    with job_scope(agency_id=plumber.agency_id):
        CallImport.objects.filter(pk=done.pk).update(state=JobState.DONE, due_at=None)
    later = NOON + timedelta(hours=24, seconds=1)
    assert imports.sweep(agency_id=plumber.agency_id, at=later) == []
    assert (files.fresh(left_draft).state, files.fresh(stuck).state) == (JobState.CANCELLED, JobState.FAILED)


@pytest.mark.django_db(transaction=True)
def test_the_sweep_task_works_off_what_waits(plumber: Client, eager: None) -> None:
    long_ago = files.now() - timedelta(minutes=5)
    row = files.started(plumber, table([line(1)]), at=long_ago)
    waiting = files.started(plumber, table([line(2)]), at=long_ago)
    with job_scope(agency_id=plumber.agency_id):
        CallImport.objects.filter(pk=waiting.pk).update(state=JobState.DRAFT, rows=0)
    tasks.sweep_imports()
    assert files.fresh(row).state == JobState.DONE
    assert (files.fresh(waiting).rows, files.fresh(waiting).due_at) == (1, None)


def test_repeating_the_task_changes_nothing(plumber: Client) -> None:
    row = files.imported(plumber, table([line(1)]))
    tasks.run_import(agency_id=plumber.agency_id, import_id=str(row.pk))
    assert files.fresh(row).finished_at == row.finished_at


# --- A worker killed in the middle -----------------------------------------------------------------------------------


_WORKER = textwrap.dedent(
    """
    import sys, uuid, django
    django.setup()
    from django.conf import settings
    from django.utils import timezone
    from callprivacy.calls.services import erasure, imports
    settings.MEDIA_ROOT = sys.argv[3]
    imports.BATCH = 200
    imports.run_import(agency_id=int(sys.argv[1]), import_id=uuid.UUID(sys.argv[2]), clock=timezone.now)
    """
)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("batches", some([1, 4], one_in=2))
def test_a_worker_killed_in_the_middle_loses_and_doubles_nothing(
    plumber: Client, media: Path, batches: int
) -> None:
    now = files.now()
    rows = [line(number, **({"Start_Time": "no"} if number % 50 == 3 else {})) for number in range(3_000)]
    row = files.started(plumber, table(rows), at=now)
    arguments = [sys.executable, "-c", _WORKER, str(plumber.agency_id), str(row.pk), str(media)]
    _kill_after(arguments, rows=200 * batches)
    stopped = files.fresh(row)
    assert stopped.state == JobState.RUNNING
    assert 0 < stopped.rows_done < 3_000
    # What was counted is in, and nothing that was not.
    assert len(calls(plumber)) == stopped.added
    assert len(files.refusals(row)) == stopped.refused
    later = files.now() + imports.LEASE
    assert imports.sweep(agency_id=plumber.agency_id, at=later) == [row.pk]
    done = files.run(row, clock=lambda: later, workers=2)
    assert counts(done) == {"rows": 3_000, "rows_done": 3_000, "added": 2_940, "refused": 60}
    assert len(calls(plumber)) == 2_940
    assert files.sealed_files(media) == []


def _kill_after(arguments: list[str], *, rows: int) -> None:
    """Start a process, and kill it as soon as its import has come so far."""
    limit = time.monotonic() + 60
    worker = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    try:
        with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
            while time.monotonic() < limit and worker.poll() is None:
                found = owner.execute("SELECT max(rows_done) FROM calls_callimport").fetchone()
                if found and (found[0] or 0) >= rows:
                    return
                time.sleep(0.002)
        raise AssertionError(f"The worker did not come so far; it ended with {worker.poll()}.")
    finally:
        worker.kill()
        worker.wait()


_COMMAND = textwrap.dedent(
    """
    import django
    django.setup()
    from django.core.management import execute_from_command_line
    from callprivacy.calls.services import imports
    imports.BATCH = 250
    execute_from_command_line()
    """
)

# --- The command -----------------------------------------------------------------------------------------------------


def command(*arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    call_command("import_calls", *arguments)
    return capsys.readouterr().out


@pytest.mark.django_db(transaction=True)
def test_the_command_imports_and_reports(
    plumber: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "calls.csv"
    path.write_bytes(table([line(1), line(2), line(3, Phone_Number="canary 5550147")]))
    told = command(str(path), "--client", "plumber", capsys=capsys)
    assert "3 rows: 2 added, 0 known, 0 possible duplicates, 0 too old, 0 erased before, 1 refused" in told
    assert "line 6, Phone Number: Expected a telephone number." in told
    assert "Importing: 3" in told
    assert "5550147" not in told
    told = command(str(path), "--client", "plumber", "--agency", "acme", capsys=capsys)
    assert "3 rows: 0 added, 2 known" in told
    assert len(calls(plumber)) == 2


@pytest.mark.thorough
@pytest.mark.django_db(transaction=True)
def test_the_command_goes_on_where_it_was_killed(
    plumber: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "calls.csv"
    path.write_bytes(table([line(number) for number in range(3_000)]))
    arguments = [sys.executable, "-c", _COMMAND, "import_calls", str(path), "--client", "plumber"]
    _kill_after(arguments, rows=1)
    came = len(calls(plumber))
    assert 0 < came < 3_000
    told = command(str(path), "--client", "plumber", capsys=capsys)
    assert "Going on behind line" in told
    assert "3,000 rows: 3,000 added, 0 known" in told
    assert len(calls(plumber)) == 3_000


def test_the_command_says_what_is_wrong(plumber: Client, tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_bytes(table([("a", "b")], ("One", "Two")))
    for arguments, reason in [
        ((str(path), "--client", "nobody"), "no client"),
        ((str(path), "--client", "plumber", "--time-zone", "Mars/Base"), "no time zone"),
        ((str(path), "--client", "plumber", "--format", "generic"), "No column is known for started_at"),
        ((str(path), "--client", "plumber", "--format", "callrail", "--connection", "x"), "no connection"),
        ((str(path), "--client", "plumber", "--columns", "{"), "no JSON"),
        ((str(tmp_path / "none.csv"), "--client", "plumber"), "cannot be opened"),
    ]:
        with pytest.raises(CommandError, match=reason):
            call_command("import_calls", *arguments)


def test_the_command_takes_nothing_for_a_client_that_has_left(plumber: Client, tmp_path: Path) -> None:
    path = tmp_path / "calls.csv"
    path.write_bytes(table([line(1)]))
    with job_scope(agency_id=plumber.agency_id):
        Client.objects.filter(pk=plumber.pk).update(archived_at=NOON)
        events = Event.objects.count()
    with pytest.raises(CommandError, match="This client has left: nothing is taken in for it any more"):
        call_command("import_calls", str(path), "--client", "plumber")
    with job_scope(agency_id=plumber.agency_id):
        assert not CallImport.objects.exists()
        assert Event.objects.count() == events


@pytest.mark.django_db(transaction=True)
def test_the_command_fails_when_the_file_does(
    plumber: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "calls.csv"
    path.write_bytes(table([("a", "b")], ("One", "Two")))
    with pytest.raises(CommandError, match="Missing column"):
        command(str(path), "--client", "plumber", "--format", "callrail", capsys=capsys)
    with pytest.raises(CommandError, match="No column is known for started_at and caller"):
        command(str(path), "--client", "plumber", capsys=capsys)


@pytest.mark.django_db(transaction=True)
def test_the_command_recognizes_a_generic_file_and_names_what_it_does_not_read(
    plumber: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "calls.csv"
    path.write_bytes(
        table(
            [(moved("2026-11-20 10:00:00"), "(202) 555-0147", "(202) 555-0100", "x")],
            ("Date", "From", "To", "Mood"),
        )
    )
    said = command(str(path), "--client", "plumber", capsys=capsys)
    assert "Reading it as Other file." in said
    assert "Columns not read: Mood." in said
    assert "1 added" in said


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (("Start Time", "Phone Number", "Tracking Number", "Company ID"), "callrail"),
        (("transaction_id", "start_time_utc", "calling_phone_number", "duration"), "invoca"),
        (("Date", "From", "To"), "generic"),
    ],
)
def test_a_format_is_recognized_by_its_columns(header: tuple[str, ...], expected: str) -> None:
    assert imports.recognized(header) == expected
