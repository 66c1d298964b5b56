"""
A list of numbers, checked before it is dialled: brought sealed, judged by the same service as the interface for
programs, given back with a verdict beside each row.

No row is lost or moved: what is no telephone number, and what cannot be read, stands in the result as refused, with
why. A run writes one file, which is there when its last batch is; a run that is killed leaves nothing, and the next
begins anew. The list goes when it has been checked, the result after seven days, both under the keys of their days.
"""

import csv
import io
import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import batched, islice
from typing import Any, BinaryIO, Final
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Q

from callprivacy.accounts import access
from callprivacy.accounts.models import Membership
from callprivacy.audit import services as audit
from callprivacy.calls.enums import JobState
from callprivacy.calls.providers.base import UnparsableError
from callprivacy.calls.providers.tabular import Table
from callprivacy.calls.services.imports import Stored
from callprivacy.calls.services.reveals import checked_reason
from callprivacy.lib import phone
from callprivacy.lib.cells import plain_cell
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.vault.sealing import SealBrokenError
from consent import decide
from consent.law import places
from consent.models import ListCheck
from consent.selectors.places import ADDRESS
from consent.services import contact
from consent.services.contact import Aim, Asked, Contact

ROWS_AT_MOST: Final = 100_000
UNPACKED_AT_MOST: Final = 128 << 20
UPLOAD_AT_MOST: Final = 32 << 20
LOOKED_AT: Final = 100
BATCH: Final = contact.AT_MOST
KEPT_FOR: Final = timedelta(days=7)
DRAFT_FOR: Final = timedelta(hours=24)
ADDED: Final = ("allowed", "reason", "not before")
"""The columns that the result has beside those of the list."""
JOB: Final = Actor.job("consent.check_list")
NO_NUMBER: Final = "no_number"
NO_ROW: Final = "no_row"
REFUSED: Final = {NO_NUMBER: "No phone number", NO_ROW: "Different columns than the first line"}
_HELD_FOR: Final = timedelta(minutes=2)
_SENT_FOR: Final = timedelta(minutes=10)
_GIVEN_UP_AFTER: Final = timedelta(days=1)
_BOM: Final = "\ufeff"
_DAMAGED: Final = "The stored list is damaged. Upload it again."
_TOO_MANY: Final = f"A list can have at most {ROWS_AT_MOST:,} rows. Split the list and check each part."
# A number is no formula, though it begins with a plus: it goes back as it came, for the dialler to read.
_DIALLED: Final = re.compile(r"\+?[0-9 ().\-/]*").fullmatch
_LIKELY: Final = re.compile(r"phone|mobile|cell|number|tel|fon|móvil", re.IGNORECASE).search

type Clock = Callable[[], datetime]


class NotReadyError(ValueError):
    """A check cannot do what is asked of it in the state it is in; the text says why."""


class GoneError(LookupError):
    """The result has expired, or is not there yet."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a list. :ivar numbers: in how many of its first rows it holds a telephone number."""

    place: int
    name: str
    numbers: int


@dataclass(frozen=True, slots=True)
class Head:
    """
    How a list begins, without anything that stands in it but the names of its columns.

    :ivar looked_at: how many rows were looked at. :ivar likely: the column that most likely holds the numbers.
    """

    columns: tuple[Column, ...]
    looked_at: int
    likely: int


@dataclass(frozen=True, slots=True)
class Due:
    """A check that waits for a worker."""

    agency_id: int
    check_id: uuid.UUID


# --- Reading -------------------------------------------------------------------------------------------------------


class _List:
    """A list as it stands in its file. A first line that holds a number is a row, and its columns have no names."""

    def __init__(self, source: BinaryIO, country: str) -> None:
        self._table = Table(source, unpacked_at_most=UNPACKED_AT_MOST)
        first = self._table.header
        self._first_is_row = self._table.is_headed and any(phone.normalise(cell, country) for cell in first)
        self.header = (
            tuple(f"Column {place}" for place in range(1, len(first) + 1)) if self._first_is_row else first
        )
        self.delimiter = self._table.delimiter or ","

    def rows(self) -> Iterator[list[str] | None]:
        """Its rows; None for one whose cells cannot be told apart. Blank lines are none."""
        if self._first_is_row:
            yield list(self._table.header)
        for _, cells in self._table.cells():
            if cells is None or any(cell.strip() for cell in cells):
                yield cells


def head_of(source: BinaryIO, *, country: str) -> Head:
    """
    Look at the beginning of a list: its columns, and where the numbers are.

    :raises UnparsableError: it is no list that can be read, or none of its columns holds a number.
    """
    opened = _List(source, country)
    found: Counter[int] = Counter()
    looked_at = 0
    for cells in islice(opened.rows(), LOOKED_AT):
        looked_at += 1
        found.update(place for place, cell in enumerate(cells or ()) if phone.normalise(cell, country))
    if not looked_at:
        raise UnparsableError("The list has no rows.")
    columns = tuple(Column(place, name, found[place]) for place, name in enumerate(opened.header))
    likely = max(columns, key=lambda one: (one.numbers, bool(_LIKELY(one.name)), -one.place))
    if not likely.numbers:
        raise UnparsableError(
            f"No column has a phone number in the first {looked_at:,} rows. Write numbers with their country "
            "code, or as the client's country does."
        )
    return Head(columns, looked_at, likely.place)


def count_rows(source: BinaryIO, *, country: str) -> int:
    """
    How many rows a list has.

    :raises UnparsableError: it cannot be read to its end, or has too many.
    """
    count = sum(1 for _ in islice(_List(source, country).rows(), ROWS_AT_MOST + 1))
    if count > ROWS_AT_MOST:
        raise UnparsableError(_TOO_MANY)
    return count


# --- What a person does --------------------------------------------------------------------------------------------


@transaction.atomic
def create_check(
    *, client: Client, name: str, aim: Aim, stored: Stored, rows: int, column: int, by: Actor, at: datetime
) -> ListCheck:
    """Note a sealed list; nobody looks at its numbers before somebody has said which column they are in."""
    check = ListCheck.objects.create(
        agency_id=client.agency_id,
        client=client,
        name=name,
        purpose=aim.value,
        column=column,
        state=JobState.DRAFT,
        file_key=stored.file_id,
        rows=rows,
        created_by_id=by.user_id,
        created_at=at,
    )
    audit.record("list.uploaded", subject=check, by=by, at=at, rows=rows, bytes=stored.size)
    return check


@transaction.atomic
def start_check(*, check: ListCheck, column: int, region_column: int | None, by: Actor, at: datetime) -> None:
    """
    Have a list checked.

    :raises NotReadyError: it was started already.
    """
    draft = ListCheck.objects.filter(pk=check.pk, state=JobState.DRAFT, file_key__isnull=False)
    if not draft.update(state=JobState.QUEUED, column=column, region_column=region_column, due_at=at):
        raise NotReadyError("This list check has already started.")
    audit.record("list.started", subject=check, by=by, at=at, rows=check.rows, purpose=check.purpose)


@transaction.atomic
def cancel_check(*, check: ListCheck, by: Actor, at: datetime) -> None:
    """
    Stop a check, before or while it runs; the list goes.

    :raises NotReadyError: it is over already.
    """
    if not _end(check, JobState.CANCELLED, by=by, at=at):
        raise NotReadyError("This list check has already ended.")


@transaction.atomic
def open_result(*, check: ListCheck, reason: str, by: Actor, at: datetime) -> io.BufferedReader:
    """
    Write down who takes the numbers with their verdicts and why, and open the file.

    :raises ReasonTooShortError: the reason has fewer than 15 characters.
    :raises GoneError: it has expired, or is not written yet.
    """
    reason = checked_reason(reason)
    if not is_there(check, at=at) or check.result_key is None:
        raise GoneError("The result is deleted. Check the list again.")
    audit.record("list.taken", subject=check, by=by, at=at, reason=reason, rows=check.rows)
    try:
        return files.open(check.client_id, check.result_key)
    except FileNotFoundError:
        raise GoneError("The result is deleted. Check the list again.") from None


def is_there(check: ListCheck, *, at: datetime) -> bool:
    """Whether the result can be taken."""
    return check.result_key is not None and check.expires_at is not None and check.expires_at > at


# --- The job -------------------------------------------------------------------------------------------------------


def due_checks(*, agency_id: int, at: datetime) -> list[Due]:
    """
    Take down, to be sent to workers, checks that wait or whose worker has not been heard of for a while.

    They are due again in ten minutes, should no worker have begun by then. In the agency's scope.
    """
    rows = ListCheck.objects.filter(
        agency_id=agency_id, state__in=[JobState.QUEUED, JobState.RUNNING], due_at__lte=at
    )
    ids = list(rows.select_for_update(skip_locked=True).order_by("due_at").values_list("pk", flat=True)[:100])
    ListCheck.objects.filter(pk__in=ids).update(state=JobState.QUEUED, due_at=at + _SENT_FOR)
    return [Due(agency_id, pk) for pk in ids]


def run_check(*, due: Due, clock: Clock) -> bool:
    """
    Check one list, a batch a scope. Called outside any scope; safe to run twice, and after a kill.

    Returns whether this call finished it.
    """
    with job_scope(agency_id=due.agency_id):
        check = _claim(due, clock())
    if check is None or check.file_key is None:
        return False
    at, file_id = clock(), uuid.uuid4()
    counts = _Counts()
    try:
        with files.open(check.client_id, check.file_key) as source:
            opened = _List(source, check.client.home_country)
            with files.Writer(check.client_id, file_id, at=at) as out:
                out.write((_BOM + _lines([(*opened.header, *ADDED)], opened.delimiter)).encode())
                for batch in batched(islice(opened.rows(), ROWS_AT_MOST), BATCH):
                    lines = _judge(check, opened, batch, counts, at=at, clock=clock)
                    if lines is None:
                        out.discard()
                        return False
                    out.write(_lines(lines, opened.delimiter).encode())
    except UnparsableError as error:
        _fail(check, str(error), at=clock())
        return False
    except (SealBrokenError, FileNotFoundError):
        _fail(check, _DAMAGED, at=clock())
        return False
    with job_scope(agency_id=due.agency_id):
        finished = _finish(check, file_id, counts, judged_at=at, at=clock())
    if not finished:
        files.delete(check.client_id, file_id)
    return finished


class _Counts:
    """What came out so far."""

    def __init__(self) -> None:
        self.answers: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.registers: list[dict[str, str]] = []

    @property
    def rows(self) -> int:
        return self.answers.total()


def _claim(due: Due, at: datetime) -> ListCheck | None:
    """Take a check for two minutes, unless another worker has it; end it where the grant is gone."""
    left = Q(state=JobState.RUNNING, due_at__lte=at)
    waiting = ListCheck.objects.filter(Q(state=JobState.QUEUED) | left, pk=due.check_id)
    if not waiting.update(state=JobState.RUNNING, due_at=at + _HELD_FOR, rows_done=0):
        return None
    check = ListCheck.objects.select_related("client__agency").get(pk=due.check_id)
    membership = None
    if check.created_by_id is not None:
        membership = Membership.objects.filter(user_id=check.created_by_id).select_related("user").first()
    if membership is None or not access.may(membership, Permission.MANAGE_CONSENT, check.client, at=at):
        _end(check, JobState.CANCELLED, by=JOB, at=at, why="The grant that allowed this check has ended.")
        return None
    if at - check.created_at > _GIVEN_UP_AFTER:
        _end(check, JobState.FAILED, by=JOB, at=at, why="It did not finish within one day. Upload it again.")
        return None
    return check


def _judge(
    check: ListCheck,
    opened: _List,
    batch: Sequence[list[str] | None],
    counts: _Counts,
    *,
    at: datetime,
    clock: Clock,
) -> list[tuple[str, ...]] | None:
    """The lines of the result for some rows; None where the check was taken from this worker."""
    width, zone = len(opened.header), ZoneInfo(check.client.time_zone)
    asked = [_asked(check, cells, width) for cells in batch]
    with job_scope(agency_id=check.agency_id):
        found = contact.check(
            client=check.client,
            asked=[one for one in asked if isinstance(one, Asked)],
            aim=Aim(check.purpose),
            at=at,
        )
        answers = iter(found.answers)
        lines = []
        for cells, one in zip(batch, asked, strict=True):
            row = (*(cells or ()), *[""] * (width - len(cells or ())))
            if isinstance(one, Asked):
                lines.append((*row, *_verdict(next(answers), counts, zone)))
            else:
                counts.answers["refused"] += 1
                counts.reasons[one] += 1
                lines.append((*row, "no", f"Not checked: {REFUSED[one].lower()}", ""))
        counts.registers = [
            {"name": one.name, "kind": one.kind.value, "as_of": one.as_of.isoformat()}
            for one in found.registers
        ]
        held = ListCheck.objects.filter(pk=check.pk, state=JobState.RUNNING).update(
            rows_done=counts.rows, due_at=clock() + _HELD_FOR
        )
    return lines if held else None


def _asked(check: ListCheck, cells: list[str] | None, width: int) -> Asked | str:
    """What a row asks about, or why it asks about nothing."""
    if cells is None or len(cells) != width:
        return NO_ROW
    number = phone.normalise(cells[check.column], check.client.home_country)
    if number is None:
        return NO_NUMBER
    return Asked(number, _place(check, cells))


def _place(check: ListCheck, cells: list[str]) -> decide.Place | None:
    """Where the list says that the person lives; None where it says nothing that is a state."""
    if check.region_column is None:
        return None
    country, regions = places.normalise(check.client.home_country, cells[check.region_column])
    return decide.Place(country, regions[0], ADDRESS) if regions else None


def _verdict(answer: Contact, counts: _Counts, zone: ZoneInfo) -> tuple[str, str, str]:
    counts.answers["allowed" if answer.allowed else "blocked"] += 1
    counts.reasons.update({one.code.value for one in answer.obstacles})
    if answer.allowed:
        return "yes", "", ""
    not_before = "" if answer.next_at is None else answer.next_at.astimezone(zone).isoformat("T", "minutes")
    return "no", " ".join(one.text for one in answer.obstacles), not_before


def _lines(rows: Iterable[tuple[str, ...]], delimiter: str) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator="\r\n").writerows(
        [cell if _DIALLED(cell) else plain_cell(cell) for cell in row] for row in rows
    )
    return out.getvalue()


def _finish(
    check: ListCheck, file_id: uuid.UUID, counts: _Counts, *, judged_at: datetime, at: datetime
) -> bool:
    facts: dict[str, Any] = {name: counts.answers[name] for name in ("allowed", "blocked", "refused")}
    running = ListCheck.objects.filter(pk=check.pk, state=JobState.RUNNING, result_key__isnull=True)
    if not running.update(
        state=JobState.DONE,
        result_key=file_id,
        rows=counts.rows,
        rows_done=counts.rows,
        reasons=dict(counts.reasons),
        looked_at=counts.registers,
        due_at=None,
        checked_at=judged_at,
        finished_at=at,
        expires_at=at + KEPT_FOR,
        **facts,
    ):
        return False
    audit.record("list.checked", subject=check, by=JOB, at=at, rows=counts.rows, **facts)
    _forget_list(check)
    return True


def _fail(check: ListCheck, why: str, *, at: datetime) -> None:
    with job_scope(agency_id=check.agency_id):
        _end(check, JobState.FAILED, by=JOB, at=at, why=why)


def _end(check: ListCheck, state: JobState, *, by: Actor, at: datetime, why: str = "") -> bool:
    """End a check without a result; returns whether it was not over before."""
    open_states = (JobState.DRAFT, JobState.QUEUED, JobState.RUNNING)
    ended = ListCheck.objects.filter(pk=check.pk, state__in=open_states).update(
        state=state, failure=why[:200], due_at=None, finished_at=at
    )
    if ended:
        audit.record(f"list.{state.value}", subject=check, by=by, at=at)
        _forget_list(check)
    return bool(ended)


def _forget_list(check: ListCheck) -> None:
    """Delete the list when the state that no longer needs it has been committed."""
    client_id, file_key = check.client_id, check.file_key
    if file_key is None:
        return
    ListCheck.objects.filter(pk=check.pk).update(file_key=None)
    transaction.on_commit(lambda: files.delete(client_id, file_key))


def clear_up(*, agency_id: int, at: datetime) -> int:
    """
    End lists that nobody started within a day, and delete results that have expired; returns how many.

    In the agency's scope.
    """
    drafts = ListCheck.objects.filter(
        agency_id=agency_id, state=JobState.DRAFT, created_at__lt=at - DRAFT_FOR
    )
    count = sum(_end(draft, JobState.CANCELLED, by=JOB, at=at) for draft in drafts[:100])
    rows = ListCheck.objects.filter(agency_id=agency_id, result_key__isnull=False, expires_at__lte=at)
    for check in rows[:100]:
        # First the file: a crash between the two leaves a row that the next sweep meets again.
        files.delete(check.client_id, check.result_key or uuid.UUID(int=0))
        ListCheck.objects.filter(pk=check.pk).update(result_key=None)
        audit.record("list.expired", subject=check, by=JOB, at=at)
        count += 1
    return count
