"""
Registers of numbers that an agency brings: do-not-call registers, and answers about numbers that were reassigned.

A file arrives sealed and is read by a job, in batches that each move its line on, so that a worker that is killed has
done whole batches. What stands in it becomes tokens in the vault; no number stays in the clear. A do-not-call register
counts when all of it is in, and takes the place of the one before. Where a number was permanently disconnected since
a consent was given, that consent ends with the number: whoever has it now agreed to nothing. So does what is told by
e-mail. A no is never touched.
"""

import io
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import batched
from typing import Final
from zoneinfo import ZoneInfo

from billiard.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.db.models import QuerySet

from callprivacy.audit import services as audit
from callprivacy.calls.enums import JobState
from callprivacy.calls.services.day_keys import KEPT_FOR
from callprivacy.calls.services.imports import Stored
from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Agency, Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import SealBrokenError
from callprivacy.work import services as work_queue
from callprivacy.work.models import Item
from consent import kinds
from consent.channels import number_files
from consent.channels.number_files import Answer, Answered, Refused, UnreadableError
from consent.enums import Channel, EventKind, ListKind, Purpose, State, Strength
from consent.models import ConsentState, NumberList, Subscription
from consent.selectors import contact as selectors
from consent.services import contact, ledger
from consent.services.ledger import Said

log = logger(__name__)

JOB: Final = Actor.job("consent.read_registers")
AT_MOST: Final = 256 * 1024 * 1024
ANSWERS_AT_MOST: Final = 32 * 1024 * 1024
REFUSALS_KEPT: Final = 50
BATCH: Final = 5000
ANSWERS_A_BATCH: Final = 500
LEASE: Final = timedelta(minutes=2)
TAKEN_OUT: Final = 20_000
_DAMAGED: Final = "The stored file is damaged. Import it again."
_GIVEN_UP_AFTER: Final = timedelta(hours=24)

type Clock = Callable[[], datetime]
type Line = tuple[int, str | Answered | Refused]


class OverError(ValueError):
    """A register that counts no more cannot be taken out."""


class _OvertakenError(RuntimeError):
    """Another worker went on with the file, or somebody took it out."""


def holder_of(agency_id: int) -> int:
    """Under whose keys an agency's registers are: their holder is the agency itself."""
    return -agency_id


def open_holder(*, agency_id: int, at: datetime) -> int:
    """Make the agency's keys where there are none yet; returns the holder."""
    holder = holder_of(agency_id)
    vault.create_client_keys(client_id=holder, agency_id=agency_id, at=at)
    return holder


# --- What a person does ---------------------------------------------------------------------------------------------


@transaction.atomic
def bring_register(
    *,
    agency: Agency,
    client: Client | None,
    name: str,
    as_of: date,
    area_codes: Sequence[str],
    stored: Stored,
    by: Actor,
    at: datetime,
) -> NumberList:
    """
    Note a do-not-call register that was sealed; the one of the same name counts until all of it is in.

    :param client: for whom it counts; None, for all of the agency's.
    :param area_codes: those that it is for; none, all.
    """
    row = NumberList(
        agency=agency,
        client=client,
        kind=ListKind.DO_NOT_CALL,
        name=name,
        as_of=as_of,
        area_codes=sorted(set(area_codes)),
    )
    return _bring(row, stored=stored, by=by, at=at)


@transaction.atomic
def bring_answers(*, agency: Agency, as_of: date, stored: Stored, by: Actor, at: datetime) -> NumberList:
    """Note answers about reassigned numbers that were sealed. They count beside those of before."""
    identity = uuid.uuid4()
    row = NumberList(
        pk=identity,
        agency=agency,
        kind=ListKind.REASSIGNED,
        name=f"Answers {as_of:%Y-%m-%d}, {identity.hex[:4]}",
        as_of=as_of,
    )
    return _bring(row, stored=stored, by=by, at=at)


def _bring(row: NumberList, *, stored: Stored, by: Actor, at: datetime) -> NumberList:
    row.file_key = stored.file_id
    row.created_by_id, row.created_at, row.due_at = by.user_id, at, at
    row.save(force_insert=True)
    audit.record(
        "register.brought",
        by=by,
        at=at,
        subject=row,
        kind=row.kind,
        as_of=row.as_of.isoformat(),
        area_codes=len(row.area_codes),
        bytes=stored.size,
    )
    return row


@transaction.atomic
def take_out(*, row: NumberList, by: Actor, at: datetime) -> None:
    """
    Let a register count no more, or stop reading it. What its answers have ended stays ended.

    :raises OverError: it does not count, nor is it being read.
    """
    waiting = NumberList.objects.filter(pk=row.pk, state__in=(JobState.QUEUED, JobState.RUNNING))
    stopped = waiting.update(state=JobState.CANCELLED, due_at=None, finished_at=at, ended_at=at)
    ended = NumberList.objects.filter(pk=row.pk, is_active=True).update(is_active=False, ended_at=at)
    if not stopped and not ended:
        raise OverError("This list is no longer in use.")
    audit.record("register.taken_out", by=by, at=at, subject=row, kind=row.kind, numbers=row.size)


# --- What the job does ----------------------------------------------------------------------------------------------


def has_due(*, agency_id: int, at: datetime) -> bool:
    """Whether a file of an agency waits to be read. Enters the agency's scope itself."""
    with job_scope(agency_id=agency_id):
        return _waiting(agency_id, at).exists()


def _waiting(agency_id: int, at: datetime) -> QuerySet[NumberList]:
    return NumberList.objects.filter(
        agency_id=agency_id, state__in=(JobState.QUEUED, JobState.RUNNING), due_at__lte=at
    )


def work(*, agency_id: int, until: datetime, clock: Clock) -> bool:
    """
    Read an agency's files that wait, until the clock says `until`; returns whether any is left.

    Called outside any scope; safe to run twice.
    """
    while (at := clock()) < until:
        row = _claim(agency_id, at)
        if row is None:
            return False
        try:
            _read(row, until=until, clock=clock)
        except _OvertakenError:
            continue
        except UnreadableError as error:
            _fail(row, str(error), clock())
        except (SealBrokenError, FileNotFoundError):
            _fail(row, _DAMAGED, clock())
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:  # noqa: BLE001  (its lease ends, and it is tried again; the others go on)
            log.error("register.failed", register=str(row.pk), error=type(error).__name__)  # noqa: TRY400  (a text may hold a value)
            if at - row.created_at > _GIVEN_UP_AFTER:
                _fail(row, "The file could not be read within one day. Import it again.", clock())
    return True


def _claim(agency_id: int, at: datetime) -> NumberList | None:
    with job_scope(agency_id=agency_id):
        row = (
            _waiting(agency_id, at)
            .select_for_update(skip_locked=True, of=("self",))
            .select_related("client")
            .order_by("due_at")
            .first()
        )
        if row is not None:
            NumberList.objects.filter(pk=row.pk).update(state=JobState.RUNNING, due_at=at + LEASE)
        return row


def _fail(row: NumberList, why: str, at: datetime) -> None:
    with job_scope(agency_id=row.agency_id):
        running = NumberList.objects.filter(pk=row.pk, state=JobState.RUNNING)
        if running.update(state=JobState.FAILED, failure=why, due_at=None, finished_at=at, ended_at=at):
            audit.record("register.failed", by=JOB, at=at, subject=row, kind=row.kind)


def _read(row: NumberList, *, until: datetime, clock: Clock) -> None:
    country = "US" if row.client is None else row.client.home_country
    is_register = row.kind == ListKind.DO_NOT_CALL
    with files.open(holder_of(row.agency_id), row.file_key or row.pk) as source:
        lines = _lines_of(source)
        found: Iterator[Line] = (
            number_files.read_register(lines, country=country, area_codes=row.area_codes, after_line=row.line)
            if is_register
            else number_files.read_answers(lines, country=country, after_line=row.line)
        )
        for batch in batched(found, BATCH if is_register else ANSWERS_A_BATCH):
            at = clock()
            if is_register:
                _list_numbers(row, batch)
            with job_scope(agency_id=row.agency_id):
                ended = 0 if is_register else _take_answers(row, batch, at)
                _note(row, batch, ended, at)
            if at >= until:
                with job_scope(agency_id=row.agency_id):
                    NumberList.objects.filter(pk=row.pk, state=JobState.RUNNING).update(due_at=at)
                return
    _finish(row, clock())


def _lines_of(source: io.BufferedReader) -> Iterator[str]:
    """Lines of text, none longer than is read of a list; a longer one comes in pieces that are refused."""
    text = io.TextIOWrapper(source, "utf-8-sig", errors="replace")
    return iter(partial(text.readline, number_files.LONGEST_LINE + 2), "")


def _list_numbers(row: NumberList, batch: Iterable[Line]) -> None:
    numbers = {said: None for _, said in batch if isinstance(said, str)}
    vault.list_numbers(holder_id=holder_of(row.agency_id), list_id=row.pk, numbers=dict(numbers))


def _note(row: NumberList, batch: Sequence[Line], ended: int, at: datetime) -> None:
    """Move the file on in the transaction that did its batch, or undo the batch."""
    before, row.line = row.line, batch[-1][0]
    answers: Counter[str] = Counter(row.answers)
    for line, said in batch:
        if isinstance(said, Refused):
            row.refused += 1
            if len(row.refusals) < REFUSALS_KEPT:
                row.refusals.append({"line": line, "why": said.why})
        elif isinstance(said, Answered):
            answers[said.answer.value] += 1
    row.answers = dict(answers)
    row.size += sum(1 for _, said in batch if isinstance(said, str) or _is_yes(said))
    row.invalidated += ended
    moved = NumberList.objects.filter(pk=row.pk, state=JobState.RUNNING, line=before).update(
        line=row.line,
        size=row.size,
        refused=row.refused,
        refusals=row.refusals,
        answers=row.answers,
        invalidated=row.invalidated,
        due_at=at + LEASE,
    )
    if not moved:
        raise _OvertakenError


def _is_yes(said: str | Answered | Refused) -> bool:
    return isinstance(said, Answered) and said.answer is Answer.YES


def _finish(row: NumberList, at: datetime) -> None:
    taken = row.size or sum(row.answers.values())
    if not taken:
        _fail(
            row,
            "The file contains no numbers."
            if row.kind == ListKind.DO_NOT_CALL
            else "The file contains no answers.",
            at,
        )
        return
    with job_scope(agency_id=row.agency_id):
        same = NumberList.objects.filter(
            agency_id=row.agency_id, kind=row.kind, name=row.name, client=row.client, is_active=True
        )
        running = NumberList.objects.filter(pk=row.pk, state=JobState.RUNNING, line=row.line)
        replaced = same.exclude(pk=row.pk).update(is_active=False, ended_at=at)
        if not running.update(state=JobState.DONE, is_active=True, due_at=None, finished_at=at):
            raise _OvertakenError
        audit.record(
            "register.read",
            by=JOB,
            at=at,
            subject=row,
            kind=row.kind,
            numbers=row.size,
            refused=row.refused,
            ended=row.invalidated,
            replaced=replaced,
        )


# --- Answers: what they end -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Gone:
    """When a number was disconnected: on this day, or on it at the earliest. `is_known`: the file names the day."""

    on: date
    is_known: bool


@dataclass(slots=True)
class _Found:
    """What one batch says was disconnected: of several days of one number the latest ends the most."""

    by_number: dict[str, _Gone] = field(default_factory=dict)

    def take(self, number: str, gone: _Gone) -> None:
        before = self.by_number.get(number)
        if before is None or before.on < gone.on:
            self.by_number[number] = gone


def _take_answers(row: NumberList, batch: Iterable[Line], at: datetime) -> int:
    """
    List what was disconnected, and end the consents that are older, at every client that knows the number. One that has
    left takes nothing in any more.
    """
    found = _Found()
    for _, said in batch:
        if isinstance(said, Answered) and said.answer is Answer.YES:
            day = said.ended_on or said.asked_on or row.as_of
            found.take(said.number, _Gone(min(day, row.as_of), said.ended_on is not None))
    if not found.by_number:
        return 0
    vault.list_numbers(
        holder_id=holder_of(row.agency_id),
        list_id=row.pk,
        numbers={number: gone.on for number, gone in found.by_number.items()},
    )
    clients = list(Client.objects.filter(agency_id=row.agency_id, archived_at=None).order_by("pk"))
    keys = vault_selectors.many_client_keys([client.pk for client in clients])
    return sum(
        _end_at(client, keys[client.pk], row, found.by_number, at) for client in clients if client.pk in keys
    )


def _end_at(
    client: Client,
    keys: vault_selectors.ClientKeys,
    row: NumberList,
    gone: Mapping[str, _Gone],
    at: datetime,
) -> int:
    """End one client's standing consents of these numbers, and the news of them; returns how many consents."""
    known = vault_selectors.known_numbers(keys, list(gone), on=at.date())
    callers = {one.caller_id: gone[number] for number, one in known.items() if one.caller_id is not None}
    if not callers:
        return 0
    _tell_no_more(client, callers)
    states = ConsentState.objects.for_client(client).filter(caller_id__in=list(callers), state=State.GIVEN)
    zone = ZoneInfo(client.time_zone)
    said = [
        _ending(state, callers[state.caller_id], row, zone)
        for state in states.order_by("pk")
        if state.since.astimezone(zone).date() <= callers[state.caller_id].on
    ]
    return len(ledger.record_events(client=client, said=said, by=JOB, at=at))


def _tell_no_more(client: Client, callers: Mapping[uuid.UUID, _Gone]) -> None:
    """What the number's next holder chooses is not told to an address that was given for it before."""
    zone = ZoneInfo(client.time_zone)
    rows = Subscription.objects.for_client(client).filter(caller_id__in=list(callers))
    theirs = [
        row.pk
        for row in rows.only("pk", "caller_id", "created_at")
        if row.created_at.astimezone(zone).date() <= callers[row.caller_id].on
    ]
    Subscription.objects.for_client(client).filter(pk__in=theirs).remove()


def _ending(state: ConsentState, gone: _Gone, row: NumberList, zone: ZoneInfo) -> Said:
    """The event that ends a consent: on the day of the disconnection, never before the consent itself."""
    return Said(
        purpose=Purpose(state.purpose),
        kind=EventKind.INVALIDATED,
        channel=Channel.IMPORT,
        strength=Strength(state.strength),
        happened_at=max(datetime.combine(gone.on, time.min, tzinfo=zone), state.since),
        source=f"reassigned {state.event_id}",
        caller_id=state.caller_id,
        evidence={
            "what": "The number was permanently disconnected since this consent was given.",
            "disconnected": f"{'on' if gone.is_known else 'on or after'} {gone.on.isoformat()}",
            "answered_as_of": row.as_of.isoformat(),
            "list": str(row.pk),
            "given_event": str(state.event_id),
            "given_at": state.since.isoformat(),
        },
    )


# --- What leaves ----------------------------------------------------------------------------------------------------


def purge(*, agency_id: int, at: datetime) -> None:
    """
    Remove files that were read, and the tokens of what counts no more.

    Called outside any scope; safe to run twice. A long list leaves by several runs.
    """
    holder = holder_of(agency_id)
    over = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)
    with job_scope(agency_id=agency_id):
        rows = NumberList.objects.filter(agency_id=agency_id)
        read = list(rows.filter(state__in=over, file_key__isnull=False).values_list("pk", "file_key"))
        ended = list(rows.filter(ended_at__isnull=False, emptied_at=None).values_list("pk", flat=True))
    for _, file_key in read:
        files.delete(holder, file_key or uuid.UUID(int=0))
    emptied = [
        list_id for list_id in ended if vault.unlist_numbers(list_id=list_id, limit=TAKEN_OUT) < TAKEN_OUT
    ]
    with job_scope(agency_id=agency_id):
        NumberList.objects.filter(pk__in=[pk for pk, _ in read]).update(file_key=None)
        NumberList.objects.filter(pk__in=emptied, emptied_at=None).update(emptied_at=at)
    _tell_of_age(agency_id, at)
    _destroy_day_keys(agency_id, holder, at)


def _tell_of_age(agency_id: int, at: datetime) -> None:
    """Let the officers know which registers have become too old; what was replaced or taken out waits no more."""
    with job_scope(agency_id=agency_id):
        rows = NumberList.objects.filter(agency_id=agency_id, kind=ListKind.DO_NOT_CALL, is_active=True)
        old = {f"register-{row.pk}" for row in rows if not contact.is_fresh(selectors.register_of(row), at)}
        waiting = Item.objects.open().filter(agency_id=agency_id, kind=kinds.REGISTER_TOO_OLD)
        waits = set(waiting.values_list("key", flat=True))
        for key in sorted(old - waits):
            work_queue.open_item(kinds.REGISTER_TOO_OLD, agency_id=agency_id, key=key, at=at)
        for key in sorted(waits - old):
            work_queue.close_item(kinds.REGISTER_TOO_OLD, agency_id=agency_id, key=key, at=at, by=JOB)


def _destroy_day_keys(agency_id: int, holder: int, at: datetime) -> None:
    """
    Once a day's files are gone their key goes, so that no old copy of the folder opens. In a folder that is not known
    to be ours they are not seen to be gone.
    """
    days = vault_selectors.key_days(holder, files.PURPOSE, before=at.astimezone(UTC).date() - KEPT_FOR)
    unused = [day for day in days if day not in files.days(holder)] if days else []
    if not unused or not files.is_ours(files.Folder.SEALED):
        return
    with job_scope(agency_id=agency_id):
        audit.record("keys.swept", by=JOB, at=at, count=len(unused))
    for day in unused:
        vault.destroy_purpose_key(client_id=holder, purpose=vault_selectors.of_day(files.PURPOSE, day))
