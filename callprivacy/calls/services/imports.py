"""
Files of calls on their way in: kept sealed until they are read, read in batches, resumed where they stopped.

Each batch is one transaction with the line it ends on, so that a worker that is killed has done whole batches
and whoever comes next goes on behind them. Two workers on one file do no harm: the line is compared when it
is moved on, and the slower one stops. A file at which workers end one after the other, without getting any further, is
read no more.
"""

import contextlib
import gc
import hashlib
import queue
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import batched
from pathlib import Path
from typing import Any, BinaryIO, Final, Self
from zoneinfo import ZoneInfo

from billiard.exceptions import SoftTimeLimitExceeded
from django.db import Error, connections, transaction
from django.db.models import F

from callprivacy.audit import services as audit
from callprivacy.calls.enums import JobState
from callprivacy.calls.models import CallImport, Connection, ImportRefusal
from callprivacy.calls.providers import FORMATS as PRESETS
from callprivacy.calls.providers import generic
from callprivacy.calls.providers.base import CallFacts, RefusedError, UnparsableError
from callprivacy.calls.providers.tabular import REQUIRED, Format, Row, Slashes, Table, columns_found
from callprivacy.calls.services import intake
from callprivacy.calls.services.intake import Taken, Way
from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.vault.sealing import SealBrokenError

log = logger(__name__)

JOB: Final = Actor.job("calls.run_import")
FORMATS: Final = {name: preset.title for name, preset in PRESETS.items()} | {"generic": "Other file"}

# Kinds of file whose columns somebody has written down; the others' are guessed and shown to a person.
_SETTLED: Final = frozenset({"callrail", "invoca"})

BATCH: Final = 6_000
WORKERS: Final = 3
LEASE: Final = timedelta(seconds=60)
DRAFT_FOR: Final = timedelta(hours=24)
RUN_FOR_AT_MOST: Final = timedelta(hours=24)

TRIES: Final = 3
"""So many workers in a row may end at one place of a file, by their memory or by their time."""

_DAMAGED: Final = "The stored file is damaged. Upload it again."
ENDS_WORKERS: Final = (
    f"{TRIES} workers in a row ran out of memory or time here. Give them more memory, or bring the file in smaller"
    " parts: what is in stays in."
)

type Clock = Callable[[], datetime]
type Opener = Callable[[], BinaryIO]


class NotReadyError(ValueError):
    """An import cannot do what is asked of it in the state it is in; the text says why."""


class OvertakenError(RuntimeError):
    """Another worker went on with the file, or somebody cancelled it. What this one had begun is undone."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that was sealed: its id, size in bytes, and SHA-256."""

    file_id: uuid.UUID
    size: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Layout:
    """
    How a person says that a file is to be read.

    :ivar columns: field -> name of the column; empty: the names that the format knows by itself.
    :ivar slashes: "month first" or "day first" for 01/02/2026; "" refuses such dates.
    :ivar is_headed: whether the first line names the columns; None: `Table` finds out.
    """

    format: str
    columns: Mapping[str, str]
    time_zone: str
    slashes: str = ""
    is_headed: bool | None = None

    @property
    def mapping(self) -> dict[str, Any]:
        """What an import stores of it, and a connection remembers."""
        found = {"columns": dict(self.columns), "slashes": self.slashes}
        return found if self.is_headed is None else found | {"is_headed": self.is_headed}

    def for_reading(self) -> Format:
        """
        The format that reads the file.

        :raises RefusedError: a field is none of ours, a required one is missing, or one column serves two.
        """
        slashes: Slashes = None
        if self.slashes:
            slashes = "month first" if self.slashes == "month first" else "day first"
        preset = PRESETS.get(self.format)
        if preset is None:
            return generic.generic(self.columns, slashes=slashes)
        if not self.columns:
            return preset
        checked = generic.generic(self.columns, slashes=slashes or preset.slashes)
        return replace(preset, columns=checked.columns, slashes=checked.slashes)

    @property
    def zone(self) -> ZoneInfo:
        """The zone of times without an offset."""
        return ZoneInfo(self.time_zone)

    @classmethod
    def of(cls, row: CallImport) -> "Layout":
        return cls(
            row.format,
            row.mapping.get("columns", {}),
            row.time_zone,
            row.mapping.get("slashes", ""),
            row.mapping.get("is_headed"),
        )


def recognized(header: Sequence[str]) -> str:
    """The format that finds most of its columns, the required ones and one more at least; else "generic"."""
    matches: dict[str, int] = {}
    for name, preset in PRESETS.items():
        with contextlib.suppress(UnparsableError):
            columns = columns_found(tuple(header), preset)
            if set(REQUIRED) < columns.keys():
                matches[name] = len(columns)
    return max(matches, key=matches.__getitem__, default="generic")


def columns_proposed(header: Sequence[str], file_format: str) -> dict[str, str]:
    """
    field -> column, as the names of a file suggest, for a person to confirm.

    Empty for a format whose names are settled: it finds its own.

    :raises UnparsableError: two columns have the name of one that is needed.
    """
    if file_format in _SETTLED:
        return {}
    preset = PRESETS.get(file_format)
    found = columns_found(tuple(header), preset) if preset is not None else {}
    for name, column in generic.guess_mapping(header).items():
        if name not in found and column not in found.values():
            found[name] = column
    return found


# --- What a person does -------------------------------------------------------------------------------------


@transaction.atomic
def create_import(
    *,
    client: Client,
    connection: Connection | None,
    layout: Layout,
    stored: Stored,
    by: Actor,
    at: datetime,
) -> CallImport:
    """Note a sealed file as a draft: nothing is read into calls before somebody starts it."""
    row = CallImport.objects.create(
        agency_id=client.agency_id,
        client=client,
        connection=connection,
        format=layout.format,
        mapping=layout.mapping,
        time_zone=layout.time_zone,
        file_key=stored.file_id,
        file_digest=stored.digest,
        created_by_id=by.user_id,
        created_at=at,
        due_at=at,
    )
    audit.record("import.uploaded", subject=row, by=by, at=at, format=layout.format, bytes=stored.size)
    return row


@transaction.atomic
def describe_import(*, row: CallImport, layout: Layout, by: Actor, at: datetime) -> None:
    """
    Say which column is what and which zone the times are in; a connection remembers it for its next file.

    :raises NotReadyError: the import has been started.
    :raises RefusedError: the columns do not make a layout.
    """
    layout.for_reading()
    mapping = layout.mapping
    changed = CallImport.objects.filter(pk=row.pk, state=JobState.DRAFT).update(
        format=layout.format,
        mapping=mapping,
        time_zone=layout.time_zone,
        due_at=at,
        rows=0,
        line=0,
        too_old=0,
        refused=0,
        first_of_two=0,
        failure="",
        tries=0,
    )
    if not changed:
        raise NotReadyError("This file has been started already.")
    if row.connection_id is not None:
        connection = Connection.objects.select_for_update().get(pk=row.connection_id)
        connection.mapping |= {"format": layout.format, **mapping}
        connection.time_zone = layout.time_zone
        connection.save(update_fields=["mapping", "time_zone"])
    audit.record("import.described", subject=row, by=by, at=at, format=layout.format)


@transaction.atomic
def start_import(*, row: CallImport, by: Actor, at: datetime) -> None:
    """
    Queue a draft whose rows have been counted.

    :raises NotReadyError: it is no draft, or has not been looked through.
    """
    changed = CallImport.objects.filter(
        pk=row.pk, state=JobState.DRAFT, due_at__isnull=True, failure="", file_key__isnull=False
    ).update(
        state=JobState.QUEUED,
        due_at=at,
        started_at=at,
        line=0,
        too_old=0,
        refused=0,
        first_of_two=0,
        tries=0,
    )
    if not changed:
        raise NotReadyError("This file cannot be started now. Look at it again.")
    audit.record("import.started", subject=row, by=by, at=at, rows=row.rows, too_old=row.too_old)


@transaction.atomic
def cancel_import(*, row: CallImport, by: Actor, at: datetime) -> None:
    """
    Stop an import, before or while it runs. Calls that came in by then stay; the file goes.

    :raises NotReadyError: it is over already.
    """
    open_states = (JobState.DRAFT, JobState.QUEUED, JobState.RUNNING)
    changed = CallImport.objects.filter(pk=row.pk, state__in=open_states).update(
        state=JobState.CANCELLED, due_at=None, finished_at=at
    )
    if not changed:
        raise NotReadyError("This import is over already.")
    audit.record("import.cancelled", subject=row, by=by, at=at)
    if row.file_key is not None:
        _forget_file(row)


def _forget_file(row: CallImport) -> None:
    """Delete the file when the state that no longer needs it has been committed."""
    client_id, import_id, file_key = row.client_id, row.pk, row.file_key
    if file_key is None:
        return
    CallImport.objects.filter(pk=import_id).update(file_key=None)
    transaction.on_commit(lambda: files.delete(client_id, file_key))


# --- Looking a file through ---------------------------------------------------------------------------------


def check_import(*, agency_id: int, import_id: uuid.UUID, clock: Clock) -> None:
    """
    Look a draft through in the background. Called outside any scope.

    Nothing happens where it is no draft that waits for it.
    """
    at = clock()
    with job_scope(agency_id=agency_id):
        claimed = CallImport.objects.filter(pk=import_id, state=JobState.DRAFT, due_at__lte=at).update(
            due_at=at + LEASE, tries=F("tries") + 1
        )
        if not claimed:
            return
        row = CallImport.objects.select_related("client__agency").get(pk=import_id)
        lines = intake.lines_of(row.client, at=at)
    if row.tries > TRIES:
        counts, failure = Counter[str](), ENDS_WORKERS
    else:
        with _no_try_by_another_fault(row):
            counts, failure = _count(row, lines, at, lambda: _keep_lease(agency_id, import_id, clock))
    with job_scope(agency_id=agency_id):
        _note_counts(row, counts, failure)


def check_small_import(*, row: CallImport, client: Client, at: datetime) -> None:
    """Look a small draft through at once, in the current scope."""
    counts, failure = _count(row, intake.lines_of(client, at=at), at, lambda: None)
    _note_counts(row, counts, failure)


def _count(
    row: CallImport, lines: intake.Lines, at: datetime, keep_lease: Callable[[], None]
) -> tuple[Counter[str], str]:
    """Read a file once without taking anything in: rows, those too old, those refused, or why it cannot be."""
    counts: Counter[str] = Counter()
    layout = Layout.of(row)
    try:
        with files.open(row.client_id, row.file_key or row.pk) as source:
            for _, facts in Table(source, is_headed=layout.is_headed).rows(
                layout.for_reading(), zone=layout.zone, at=at
            ):
                counts["rows"] += 1
                if isinstance(facts, RefusedError):
                    counts["refused"] += 1
                elif lines.refuse(facts):
                    counts["too_old"] += 1
                else:
                    counts["first_of_two"] += facts.first_of_two
                if counts["rows"] % 50_000 == 0:
                    keep_lease()
    except (UnparsableError, RefusedError) as error:
        return counts, str(error)
    except (SealBrokenError, FileNotFoundError):
        return counts, _DAMAGED
    return counts, ""


def _note_counts(row: CallImport, counts: Counter[str], failure: str) -> None:
    """Store them, unless somebody described the file otherwise meanwhile."""
    CallImport.objects.filter(
        pk=row.pk,
        state=JobState.DRAFT,
        format=row.format,
        mapping=row.mapping,
        time_zone=row.time_zone,
    ).update(
        rows=counts["rows"],
        too_old=counts["too_old"],
        refused=counts["refused"],
        first_of_two=counts["first_of_two"],
        failure=failure[:200],
        due_at=None,
        tries=0,
    )


def _keep_lease(agency_id: int, import_id: uuid.UUID, clock: Clock) -> None:
    with job_scope(agency_id=agency_id):
        CallImport.objects.filter(pk=import_id, due_at__isnull=False).update(due_at=clock() + LEASE)


# --- Taking a file in ---------------------------------------------------------------------------------------


def run_import(
    *,
    agency_id: int,
    import_id: uuid.UUID,
    clock: Clock,
    until: datetime | None = None,
    source: Opener | None = None,
    on_batch: Callable[[int], object] | None = None,
    workers: int = WORKERS,
) -> bool:
    """
    Go on with a started import until its end, or until the clock says `until`. Called outside any scope.

    :param source: opens the file; without it, the sealed one.
    :param on_batch: called with the number of rows of each batch that has been committed.
    :param workers: batches prepared and stored at a time; 0 does all in the calling thread.
    :returns: whether it is over; otherwise call it again.
    """
    row = _claim(agency_id, import_id, clock())
    if row is None:
        return True
    if row.tries > TRIES:
        _fail(row, ENDS_WORKERS, at=clock())
        return True
    try:
        with (
            _no_try_by_another_fault(row),
            source() if source else files.open(row.client_id, row.file_key or import_id) as opened,
        ):
            finished = _read(row, opened, clock=clock, until=until, on_batch=on_batch, workers=workers)
    except OvertakenError:
        return True
    except (UnparsableError, RefusedError) as error:
        _fail(row, str(error), at=clock())
        return True
    except (SealBrokenError, FileNotFoundError):
        _fail(row, _DAMAGED, at=clock())
        return True
    if finished:
        _finish(row, at=clock())
    else:
        with job_scope(agency_id=agency_id):
            CallImport.objects.filter(pk=row.pk, state=JobState.RUNNING).update(due_at=clock(), tries=0)
    return finished


@contextlib.contextmanager
def _no_try_by_another_fault(row: CallImport) -> Iterator[None]:
    """A database that is away, or who stops the command, says nothing of the file: only a worker's own end does."""
    try:
        yield
    except (MemoryError, SoftTimeLimitExceeded):
        raise
    except BaseException:
        with contextlib.suppress(Error), job_scope(agency_id=row.agency_id):
            CallImport.objects.filter(pk=row.pk, tries__gt=0).update(tries=F("tries") - 1)
        raise


def _claim(agency_id: int, import_id: uuid.UUID, at: datetime) -> CallImport | None:
    with job_scope(agency_id=agency_id):
        claimed = CallImport.objects.filter(
            pk=import_id, state__in=(JobState.QUEUED, JobState.RUNNING), due_at__lte=at
        ).update(state=JobState.RUNNING, due_at=at + LEASE, tries=F("tries") + 1)
        if not claimed:
            return None
        return CallImport.objects.select_related("client__agency").get(pk=import_id)


def _read(
    row: CallImport,
    source: BinaryIO,
    *,
    clock: Clock,
    until: datetime | None,
    on_batch: Callable[[int], object] | None,
    workers: int,
) -> bool:
    layout = Layout.of(row)
    table = Table(source, is_headed=layout.is_headed)
    found = table.rows(
        layout.for_reading(), zone=layout.zone, at=row.started_at or row.created_at, after_line=row.line
    )
    with _fewer_collections(), _Pipeline(row, clock, on_batch, workers) as pipeline:
        for batch in batched(found, BATCH):
            pipeline.put(batch)
            if until is not None and clock() >= until:
                return False
    return True


@contextlib.contextmanager
def _fewer_collections() -> Iterator[None]:
    """A batch makes a hundred thousand objects and no cycle; looking for cycles among them took a sixth."""
    usual = gc.get_threshold()
    gc.set_threshold(5_000_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


class _Batch:
    """Rows that are committed together."""

    def __init__(self, row: CallImport, number: int, after_line: int, found: Sequence[Row]) -> None:
        self.row, self.number, self.after_line = row, number, after_line
        self.last_line = found[-1][0]
        self.count = len(found)
        self.facts = [facts for _, facts in found if isinstance(facts, CallFacts)]
        self.refusals = [(line, error) for line, error in found if isinstance(error, RefusedError)]

    def prepare(self, at: datetime, *, look_first: bool = True) -> intake.Prepared:
        """Make keys and seal."""
        row = self.row
        return intake.prepare(
            client=row.client,
            provider=row.format,
            connection_id=row.connection_id,
            facts=self.facts,
            way=Way.IMPORT,
            at=at,
            look_first=look_first,
        )

    def note(self, verdicts: Sequence[Taken], *, at: datetime) -> None:
        """
        Move the import on, in the transaction that writes the calls.

        :raises OvertakenError: somebody else did, or it was cancelled.
        """
        counts = Counter(verdicts)
        added = {Taken.ADDED, Taken.DOUBTFUL}
        first_of_two = sum(
            facts.first_of_two and verdict in added
            for facts, verdict in zip(self.facts, verdicts, strict=True)
        )
        moved = CallImport.objects.filter(
            pk=self.row.pk, state=JobState.RUNNING, line=self.after_line
        ).update(
            line=self.last_line,
            due_at=at + LEASE,
            tries=0,
            rows_done=F("rows_done") + self.count,
            added=F("added") + counts[Taken.ADDED],
            known=F("known") + counts[Taken.KNOWN] + counts[Taken.FILLED] + counts[Taken.CHANGED],
            too_old=F("too_old") + counts[Taken.TOO_OLD],
            erased=F("erased") + counts[Taken.ERASED],
            doubtful=F("doubtful") + counts[Taken.DOUBTFUL],
            refused=F("refused") + len(self.refusals),
            first_of_two=F("first_of_two") + first_of_two,
        )
        if not moved:
            raise OvertakenError
        ImportRefusal.objects.bulk_create(
            ImportRefusal(
                agency_id=self.row.agency_id,
                client_id=self.row.client_id,
                call_import_id=self.row.pk,
                line=line,
                column=error.column,
                reason=f"Expected {error.expected}."[:200],
            )
            for line, error in self.refusals
        )


class _StoppedError(Exception):
    """A batch before this one failed, and ends the import."""


class _Pipeline:
    """
    Batches on their way: while the database stores one, the next is prepared and the one after it is read.

    They are stored in order, each by one thread with connections of its own. The first error ends all.
    """

    def __init__(
        self, row: CallImport, clock: Clock, on_batch: Callable[[int], object] | None, workers: int
    ) -> None:
        self._row, self._clock, self._on_batch = row, clock, on_batch
        self._batches: queue.Queue[_Batch | None] = queue.Queue(maxsize=1)
        self._turn = threading.Condition()
        self._next = 0
        self._put = 0
        self._line = row.line
        # A file holds calls that are known or calls that are not, seldom now these and now those.
        self._look_first = True
        self._error: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._work, name=f"import-{number}") for number in range(workers)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is not None:
            self._stop(error)
        for _thread in self._threads:
            self._offer(None, always=True)
        for thread in self._threads:
            thread.join()
        if error is None and self._error is not None:
            raise self._error

    def put(self, found: Sequence[Row]) -> None:
        """Send rows on their way; waits while enough of them are."""
        batch = _Batch(self._row, self._put, self._line, found)
        self._put, self._line = self._put + 1, batch.last_line
        if self._threads:
            self._offer(batch)
        else:
            self._store(batch)

    def _offer(self, batch: _Batch | None, *, always: bool = False) -> None:
        while True:
            if self._error is not None and not always:
                raise self._error
            try:
                self._batches.put(batch, timeout=0.5)
            except queue.Full:
                if always and not any(thread.is_alive() for thread in self._threads):
                    return
            else:
                return

    def _work(self) -> None:
        try:
            while (batch := self._batches.get()) is not None:
                if self._error is None:
                    self._store(batch)
        except BaseException as error:  # noqa: BLE001  it is raised again where the file is read
            self._stop(error)
            while self._batches.get() is not None:
                pass
        finally:
            connections.close_all()

    def _stop(self, error: BaseException) -> None:
        with self._turn:
            self._error = self._error or error
            self._turn.notify_all()

    def _store(self, batch: _Batch) -> None:
        def note(verdicts: Sequence[Taken]) -> None:
            batch.note(verdicts, at=self._clock())

        prepared = batch.prepare(self._clock(), look_first=self._look_first)
        for attempt in range(intake.ATTEMPTS):
            try:
                verdicts = prepared.store(note, turn=lambda: self._wait_for(batch.number), is_repeated=True)
            except intake.CallerGoneError:
                if attempt == intake.ATTEMPTS - 1:
                    raise
                prepared = batch.prepare(self._clock())
            except _StoppedError:
                return
            else:
                self._look_first = Taken.KNOWN in verdicts or Taken.FILLED in verdicts
                break
        with self._turn:
            self._next += 1
            self._turn.notify_all()
        if self._on_batch is not None:
            self._on_batch(batch.count)

    def _wait_for(self, number: int) -> None:
        """
        Wait until every batch before this one is stored.

        :raises _StoppedError: one of them failed.
        """
        with self._turn:
            self._turn.wait_for(lambda: self._next == number or self._error is not None)
            if self._error is not None:
                raise _StoppedError


def _finish(row: CallImport, *, at: datetime) -> None:
    with job_scope(agency_id=row.agency_id):
        done = CallImport.objects.filter(pk=row.pk, state=JobState.RUNNING).update(
            state=JobState.DONE, rows=F("rows_done"), due_at=None, finished_at=at
        )
        if not done:
            return
        row.refresh_from_db()
        audit.record(
            "import.finished",
            subject=row,
            by=JOB,
            at=at,
            rows=row.rows,
            added=row.added,
            known=row.known,
            too_old=row.too_old,
            erased=row.erased,
            doubtful=row.doubtful,
            refused=row.refused,
        )
        _forget_file(row)


def _fail(row: CallImport, reason: str, *, at: datetime) -> None:
    with job_scope(agency_id=row.agency_id):
        failed = CallImport.objects.filter(pk=row.pk, state__in=(JobState.QUEUED, JobState.RUNNING)).update(
            state=JobState.FAILED, failure=reason[:200], due_at=None, finished_at=at
        )
        if failed:
            audit.record("import.failed", subject=row, by=JOB, at=at)
            _forget_file(row)


# --- What nobody waits for ----------------------------------------------------------------------------------


def sweep(*, agency_id: int, at: datetime) -> list[uuid.UUID]:
    """
    Find what was left lying, whoever left it: ids of imports to check or to go on with.

    Drafts that nobody started within a day and imports that did not finish within one are closed; files that
    nobody needs any more are deleted. Called outside any scope.
    """
    with job_scope(agency_id=agency_id):
        for draft in CallImport.objects.filter(state=JobState.DRAFT, created_at__lt=at - DRAFT_FOR):
            cancel_import(row=draft, by=JOB, at=at)
        late = CallImport.objects.filter(
            state__in=(JobState.QUEUED, JobState.RUNNING),
            started_at__lt=at - RUN_FOR_AT_MOST,
            due_at__lte=at,
        )
        overdue = list(late)
        over = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)
        for done in CallImport.objects.filter(state__in=over, file_key__isnull=False):
            _forget_file(done)
    for row in overdue:
        _fail(row, "It did not finish within a day. Import the file again: what is in stays in.", at=at)
    with job_scope(agency_id=agency_id):
        due = CallImport.objects.filter(
            state__in=(JobState.DRAFT, JobState.QUEUED, JobState.RUNNING),
            due_at__lte=at,
            file_key__isnull=False,
        )
        return list(due.order_by("due_at").values_list("pk", flat=True))


# --- Without a page -----------------------------------------------------------------------------------------


def digest_of(path: Path) -> bytes:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def begin_from_disk(
    *,
    client: Client,
    connection: Connection | None,
    layout: Layout,
    digest: bytes,
    by: Actor,
    at: datetime,
) -> CallImport:
    """
    Start an import of a file that stays where it is, or find the one of the same file that was cut off.

    Called outside any scope.

    :raises ClientLeftError: the client has left; nothing was written.
    """
    with job_scope(agency_id=client.agency_id):
        tenancy.require_here(client.pk)
        cut_off = CallImport.objects.filter(
            client=client,
            connection=connection,
            state=JobState.RUNNING,
            file_key__isnull=True,
            file_digest=digest,
            format=layout.format,
            time_zone=layout.time_zone,
            mapping=layout.mapping,
        ).first()
        if cut_off is not None:
            CallImport.objects.filter(pk=cut_off.pk).update(due_at=at)
            return cut_off
        row = CallImport.objects.create(
            agency_id=client.agency_id,
            client=client,
            connection=connection,
            format=layout.format,
            mapping=layout.mapping,
            time_zone=layout.time_zone,
            file_digest=digest,
            state=JobState.QUEUED,
            created_by_id=by.user_id,
            created_at=at,
            started_at=at,
            due_at=at,
        )
        audit.record("import.started", subject=row, by=by, at=at, format=layout.format)
        return row
