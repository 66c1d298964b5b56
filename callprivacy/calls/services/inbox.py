"""
What trackers send, from the door to the call: signed, sealed, committed, then read.

Nothing of a delivery is parsed before its signature holds, and nothing is acknowledged before it is
committed. What is in the inbox stays until it has been taken in, or was refused and its seven days are over;
what fails again and again is refused as well, so that somebody hears of it. A crash at any point repeats work
and loses none, because taking the same event in twice changes nothing.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from billiard.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.db.models import Count, F, Min, Q
from django.db.models.functions import Greatest

from callprivacy.audit import services as audit
from callprivacy.calls.enums import InboxState, PullKind
from callprivacy.calls.kinds import INBOX_REJECTED
from callprivacy.calls.models import Connection, ConnectionSecret, Inbox, PullRun
from callprivacy.calls.providers import PROVIDERS, mapped, pulled
from callprivacy.calls.providers.base import (
    SECONDS_AT_MOST,
    CallFacts,
    Delivery,
    Ignored,
    Parsed,
    Provider,
    RefusedError,
    Stage,
    UnparsableError,
    digest_key,
    header,
)
from callprivacy.calls.providers.transcripts import words_of
from callprivacy.calls.services import intake, transcripts
from callprivacy.lib import statements
from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Actor, Scope
from callprivacy.tenancy.enums import KeyPurpose
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope, scope_of_key
from callprivacy.vault import selectors as vault
from callprivacy.vault import services as vault_services
from callprivacy.vault.sealing import Key, Place, SealBrokenError
from callprivacy.work import services as work

log = logger(__name__)

PURPOSE: Final = "inbox"
REJECTED_FOR: Final = timedelta(days=7)
BATCH: Final = 250
# CallRail's webhook comes up to twenty minutes after a call has ended: until then it is no call that none brought.
WEBHOOKS_TAKE: Final = timedelta(minutes=30)
JOB: Final = Actor.job("calls.process_inbox")

_REFUSAL_NOTED_EVERY: Final = timedelta(minutes=1)
# Longer than the hard limit of a task, so that no two workers hold a row at once.
_LEASE: Final = timedelta(seconds=70)
_SUSPECT_AFTER: Final = 2
_FIRST_PAUSE: Final = timedelta(seconds=15)
_LONGEST_PAUSE: Final = timedelta(hours=1)
_EARLY_FOR: Final = timedelta(days=1)
_TRIED_AT_MOST: Final = 12
# However old a row is: one failure, or the two of a worker that died over its neighbours, is no verdict.
_TRIED_AT_LEAST: Final = 3
_TRIED_FOR: Final = timedelta(days=1)
_STAYED_OUT: Final = frozenset({intake.Taken.TOO_OLD, intake.Taken.ERASED})
_BROUGHT: Final = frozenset({intake.Taken.ADDED, intake.Taken.DOUBTFUL})
_NEVER_CAME: Final = "The call that it speaks of did not come within a day."
_SEALED_SHUT: Final = "It could not be opened with this client's keys."
_FAILED: Final = "It failed again and again."


# Written by hand because they run for every delivery, while the tracker waits.
_CONNECTION: Final = """
    SELECT c.id, s.secret FROM calls_connection c LEFT JOIN calls_connectionsecret s
        ON s.client_id = c.client_id AND s.connection_id = c.id AND (s.ends_at IS NULL OR s.ends_at > %s)
    WHERE c.client_id = %s AND c.key = %s AND c.provider = %s AND c.is_active
"""
_EVENT: Final = """
    INSERT INTO calls_inbox
        (id, agency_id, client_id, connection_id, event_digest, payload, state, reason, attempts, received_at, said_at,
         due_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, '', 0, %s, %s, %s) ON CONFLICT (id)
"""
_ONCE: Final = f"{_EVENT} DO NOTHING"
# Whoever holds the row keeps it for as long as it was theirs, and finds at the end that it came again.
_LATEST: Final = f"""
    {_EVENT} DO UPDATE SET payload = excluded.payload, received_at = excluded.received_at, said_at = excluded.said_at,
        due_at = CASE WHEN calls_inbox.attempts = 0 THEN excluded.due_at ELSE calls_inbox.due_at END
    WHERE calls_inbox.state = '{InboxState.WAITING.value}' AND calls_inbox.received_at < excluded.received_at
        AND COALESCE(calls_inbox.said_at, calls_inbox.received_at) < COALESCE(excluded.said_at, excluded.received_at)
"""
_PULLED: Final = """
    INSERT INTO calls_inbox
        (id, agency_id, client_id, connection_id, pull_run_id, event_digest, payload, state, reason, attempts,
         received_at, due_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, '', 0, %s, %s) ON CONFLICT (id) DO NOTHING
"""
_SECRET: Final = ConnectionSecret._meta.get_field("secret")


class UnknownConnectionError(LookupError):
    """No active connection of that provider has that key."""


class ForgedError(ValueError):
    """None of the connection's secrets signed the delivery."""


class ExtentChangedError(ValueError):
    """There are more or fewer rejected events now than the person was shown."""


# --- At the door --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class _Door:
    """A connection as a delivery meets it: whose it is, and the secrets that count now."""

    agency_id: int
    client_id: int
    connection_id: UUID
    secrets: tuple[str, ...]


def receive_event(*, provider: Provider, key: str, delivery: Delivery, at: datetime) -> int:
    """
    Check a delivery and keep it, sealed and committed; an event that waits already is not kept twice (see `_keep`).

    Enters the client's scope itself, so it is called outside any.

    :returns: the agency whose inbox it is in.
    :raises UnknownConnectionError: nobody's door, or another provider's.
    :raises ForgedError: the signature does not hold.
    """
    with scope_of_key(key, KeyPurpose.HOOK) as scope:
        door = _open_door(provider, key, scope, at)
        if door is not None and provider.verify(replace(delivery, at=at), door.secrets):
            _keep(door, provider, delivery, at)
            return door.agency_id
        if door is not None:
            note_refusal(
                connection_id=door.connection_id, agency_id=door.agency_id, provider=provider.name, at=at
            )
    raise UnknownConnectionError(provider.name) if door is None else ForgedError(provider.name)


def _open_door(provider: Provider, key: str, scope: Scope, at: datetime) -> _Door | None:
    with statements.cursor() as cursor:
        cursor.execute(_CONNECTION, [at, scope.client_id, key, provider.name])
        rows = cursor.fetchall()
    if not rows or scope.agency_id is None or scope.client_id is None:
        return None
    opened = [_SECRET.from_db_value(sealed) for _, sealed in rows]
    secrets = tuple(secret for secret in opened if secret is not None)
    return _Door(scope.agency_id, scope.client_id, rows[0][0], secrets)


def _keep(door: _Door, provider: Provider, delivery: Delivery, at: datetime) -> None:
    """
    Store the delivery under an id that follows from the event, so that the primary key stops repeats.

    An event that waits and comes again is as of now where its tracker numbers nothing (`Provider.latest_counts`): said,
    changed and said again it ends as it was said last. Where the tracker signs the time (`Provider.said_at`) it is as
    of then, so that a delivery which somebody has recorded and sends once more changes nothing, be it read or not;
    one that was signed ahead of our clock counts from when it came.
    CallRail signs none: nothing tells its change that was taken back from one that is sent once more, so whoever has a
    signed Call Modified can bring an older state back. No earlier stage undoes a later one (`base.merge`), whatever
    comes when. What was refused stays as it came first.
    """
    said_at = provider.said_at(delivery.headers) if provider.latest_counts else None
    keys = vault.client_keys(door.client_id)
    event_key = provider.event_key(delivery.body) or digest_key(delivery.body)
    digest = keys.tokens.digest("inbox", str(door.connection_id), event_key)
    row_id = UUID(bytes=digest[:16])
    key = vault_services.day_key(client_id=door.client_id, purpose=PURPOSE, at=at, keys=keys)
    plain = _packed(header(delivery.headers, "Content-Type"), delivery.body)
    sealed = key.seal(plain, _place(door.client_id, row_id))
    with statements.cursor() as cursor:
        cursor.execute(
            _LATEST if provider.latest_counts else _ONCE,
            [
                row_id,
                door.agency_id,
                door.client_id,
                door.connection_id,
                digest,
                sealed,
                InboxState.WAITING,
                at,
                # A clock that goes ahead of ours makes nothing newer than what is asked for meanwhile.
                said_at and min(said_at, at),
                at,
            ],
        )


def keep_pulled(*, connection: Connection, run: PullRun, bodies: Sequence[bytes], at: datetime) -> None:
    """
    Keep what a tracker's list said, sealed like what it tells by itself; inside the agency's scope.

    A row that waits already is not kept twice.

    :param bodies: as `pulled.packed` writes them.
    :param at: when it was asked for, so that what it told meanwhile knows better.
    """
    if not bodies:
        return
    client_id = connection.client_id
    keys = vault.client_keys(client_id)
    key = vault_services.day_key(client_id=client_id, purpose=PURPOSE, at=at, keys=keys)
    lines: list[list[Any]] = []
    for body in dict.fromkeys(bodies):
        digest = keys.tokens.digest("inbox", str(connection.pk), f"pull:{run.kind}:{digest_key(body)}")
        row_id = UUID(bytes=digest[:16])
        sealed = key.seal(_packed(pulled.CONTENT_TYPE, body), _place(client_id, row_id))
        lines.append(
            [
                row_id,
                connection.agency_id,
                client_id,
                connection.pk,
                run.pk,
                digest,
                sealed,
                InboxState.WAITING,
                at,
                at,
            ]
        )
    with statements.cursor() as cursor:
        cursor.executemany(_PULLED, lines)


def note_refusal(*, connection_id: UUID, agency_id: int, provider: str, at: datetime) -> None:
    """
    Record that no secret of a connection signed a delivery; inside its client's scope.

    The first for each connection in an hour, then their number; where nothing counts them, one a minute.
    """
    quiet = Q(last_refused_at__isnull=True) | Q(last_refused_at__lte=at - _REFUSAL_NOTED_EVERY)
    log.warning("hook.refused", provider=provider, connection=str(connection_id))
    is_due = Connection.objects.filter(quiet, pk=connection_id).update(last_refused_at=at) == 1
    audit.record_refusal(
        "hook.refused",
        by=None,
        at=at,
        is_due=is_due,
        provider=provider,
        agency=agency_id,
        connection=str(connection_id),
    )


def _place(client_id: int, row_id: UUID) -> Place:
    return Place(client_id, Inbox._meta.db_table, "payload", row_id)


def _packed(content_type: str, body: bytes) -> bytes:
    """The body may be any bytes; what is sealed opens as text."""
    return json.dumps([content_type, body.decode("utf-8", "surrogateescape")]).encode()


def _unpacked(plain: str) -> tuple[str, bytes]:
    content_type, body = json.loads(plain)
    return content_type, body.encode("utf-8", "surrogateescape")


# --- From the inbox to the call -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class _Claimed:
    """A row that is ours until its lease ends; `body` is None where it did not open."""

    id: UUID
    client: Client
    connection_id: UUID
    provider: str
    attempts: int
    received_at: datetime
    content_type: str
    body: bytes | None
    said_at: datetime | None = None
    pull_run_id: UUID | None = None
    way: intake.Way = intake.Way.HOOK
    fields: mapped.Fields | None = None


@dataclass(slots=True)
class _Settlement:
    """
    What became of the rows of one batch; those that came before their call are tried again.

    :ivar stayed_out: those of `done` that are kept nowhere: their calls are past their date, or erased. :ivar brought:
        those of `done` whose calls were not here. :ivar ahead: those whose calls were not here either, and whose
        webhooks may still come.
    """

    done: list[_Claimed] = field(default_factory=list)
    early: list[_Claimed] = field(default_factory=list)
    failed: list[_Claimed] = field(default_factory=list)
    rejected: list[tuple[_Claimed, str]] = field(default_factory=list)
    stayed_out: list[_Claimed] = field(default_factory=list)
    brought: list[_Claimed] = field(default_factory=list)
    ahead: list[_Claimed] = field(default_factory=list)

    def fail(self, row: _Claimed, reason: str, at: datetime) -> None:
        """Let it be tried again, until that has been enough; then the reason is what a person reads."""
        is_old = at - row.received_at >= _TRIED_FOR and row.attempts >= _TRIED_AT_LEAST
        if is_old or row.attempts >= _TRIED_AT_MOST:
            self.rejected.append((row, reason))
        else:
            self.failed.append(row)


def process_batch(*, agency_id: int, at: datetime, limit: int = BATCH) -> int:
    """
    Read up to `limit` due events of an agency into calls; call it again until it returns 0.

    Claims, takes in and settles in scopes of their own, so it is called outside any.

    :returns: how many rows were claimed.
    """
    claimed = _claim(agency_id=agency_id, at=at, limit=limit)
    if not claimed:
        return 0
    settlement = _Settlement()
    groups: dict[tuple[int, UUID, intake.Way], list[tuple[_Claimed, CallFacts]]] = defaultdict(list)
    for row in claimed:
        if row.attempts > _TRIED_AT_MOST:
            # Begun twelve times and never settled: it ends whoever reads it.
            settlement.rejected.append((row, _FAILED))
            continue
        facts = _read(row, settlement, at=at)
        if facts is not None:
            groups[row.client.pk, row.connection_id, row.way].append((row, facts))
    for group in groups.values():
        _take_in(group, settlement, at=at)
    _settle(settlement, agency_id=agency_id, at=at)
    return len(claimed)


def _claim(*, agency_id: int, at: datetime, limit: int) -> list[_Claimed]:
    """
    Lease due rows to this worker. Rows that were begun before and never settled come last and alone: if one
    of them ends the worker, it takes no other with it.
    """
    with job_scope(agency_id=agency_id):
        due = (
            Inbox.objects.due(at)
            .filter(agency_id=agency_id)
            .select_related("client__agency", "connection", "pull_run")
            .select_for_update(skip_locked=True, of=("self",))
            .order_by("due_at")
        )
        rows = list(due.filter(attempts__lt=_SUSPECT_AFTER)[:limit])
        if not rows:
            rows = list(due.filter(attempts__gte=_SUSPECT_AFTER)[:1])
        Inbox.objects.filter(pk__in=[row.pk for row in rows]).update(
            attempts=F("attempts") + 1, due_at=at + _LEASE
        )
        return _opened(rows)


def _opened(rows: Collection[Inbox]) -> list[_Claimed]:
    """Open each row; keys stay in this scope."""
    days: dict[int, set[date]] = defaultdict(set)
    for row in rows:
        days[row.client_id].add(_day(row))
    keys: dict[tuple[int, date], Key | None] = {}
    for client_id, of_client in days.items():
        with suppress(vault.NoClientKeyError, SealBrokenError):
            opened = vault.client_keys(client_id)
            for day in of_client:
                with suppress(SealBrokenError):
                    keys[client_id, day] = vault.day_key(opened, PURPOSE, day)
    claimed = []
    for row in rows:
        content_type, body = _open(row, keys.get((row.client_id, _day(row))))
        claimed.append(
            _Claimed(
                row.pk,
                row.client,
                row.connection_id,
                row.connection.provider,
                row.attempts + 1,
                row.received_at,
                content_type,
                body,
                row.said_at,
                row.pull_run_id,
                _way(row),
                mapped.Fields.of(row.connection.mapping.get("fields")),
            )
        )
    return claimed


def _way(row: Inbox) -> intake.Way:
    """A backfill is history that somebody asked for, as a file of calls is; whatever else comes is news."""
    is_history = row.pull_run is not None and row.pull_run.kind == PullKind.BACKFILL
    return intake.Way.IMPORT if is_history else intake.Way.HOOK


def _day(row: Inbox) -> date:
    return row.received_at.astimezone(UTC).date()


def _open(row: Inbox, key: Key | None) -> tuple[str, bytes | None]:
    try:
        if key is not None:
            return _unpacked(row.payload.reveal(key))
    except SealBrokenError:
        pass
    log.error("inbox.sealed_shut", row=str(row.pk), client=row.client_id)
    return "", None


def _read(row: _Claimed, settlement: _Settlement, *, at: datetime) -> CallFacts | None:
    if row.body is None:
        settlement.fail(row, _SEALED_SHUT, at)
        return None
    try:
        parsed = _parsed(row, row.body)
    except (RefusedError, UnparsableError) as error:
        settlement.rejected.append((row, str(error)[:200]))
    except SoftTimeLimitExceeded:
        raise  # the time of the task is over, which says nothing of the row
    except Exception as error:  # noqa: BLE001 one row never blocks the others; it is tried again
        _log_failure(row, error)
        settlement.fail(row, _FAILED, at)
    else:
        if not isinstance(parsed, Ignored):
            return parsed
        settlement.done.append(row)
    return None


def _parsed(row: _Claimed, body: bytes) -> Parsed:
    if row.content_type == pulled.CONTENT_TYPE:
        return pulled.parse(row.provider, body, at=row.received_at)
    said_at = row.said_at
    if row.provider in mapped.NAMES:
        parsed = mapped.parse(body, row.content_type, row.fields, at=row.received_at)
        # It numbers nothing; where no time is signed either, what came later is what it said later.
        said_at = said_at or row.received_at
    else:
        parsed = PROVIDERS[row.provider].parse(body, {"Content-Type": row.content_type}, at=row.received_at)
    if said_at is None or isinstance(parsed, Ignored):
        return parsed
    return replace(parsed, revision=int(said_at.timestamp() * 1000))


def _take_in(group: Sequence[tuple[_Claimed, CallFacts]], settlement: _Settlement, *, at: datetime) -> None:
    """Take a connection's events in together; where that fails one by one, so that a bad one stands alone."""
    first = group[0][0]
    try:
        verdicts = intake.take_in(
            client=first.client,
            provider=first.provider,
            connection_id=first.connection_id,
            facts=[facts for _, facts in group],
            way=first.way,
            at=at,
        )
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:  # noqa: BLE001 whatever it was, the rows stay and are tried again
        if len(group) > 1:
            for one in group:
                _take_in([one], settlement, at=at)
            return
        _log_failure(first, error)
        if isinstance(error, RefusedError):
            settlement.rejected.append((first, str(error)[:200]))
        else:
            settlement.fail(first, _FAILED, at)
    else:
        if _take_words(group, settlement, at=at):
            _note_verdicts(group, verdicts, settlement, at=at)


def _note_verdicts(
    group: Sequence[tuple[_Claimed, CallFacts]],
    verdicts: Sequence[intake.Taken],
    settlement: _Settlement,
    *,
    at: datetime,
) -> None:
    for (row, facts), verdict in zip(group, verdicts, strict=True):
        if verdict is not intake.Taken.EARLY:
            settlement.done.append(row)
            if verdict in _STAYED_OUT:
                settlement.stayed_out.append(row)
            elif verdict in _BROUGHT:
                (settlement.ahead if _is_ahead(row, facts) else settlement.brought).append(row)
        elif at - row.received_at < _EARLY_FOR:
            settlement.early.append(row)
        elif row.pull_run_id is not None:
            settlement.done.append(
                row
            )  # a list of an account may hold recordings of calls that are not this client's
        else:
            settlement.rejected.append((row, _NEVER_CAME))


def _is_ahead(row: _Claimed, facts: CallFacts) -> bool:
    """Whether news of a list had no time yet to come by its tracker's webhook, which is sent behind a call's end."""
    if row.pull_run_id is None or row.way is not intake.Way.HOOK or row.provider not in PROVIDERS:
        return False
    # One whose end is not told of goes on, a day at most.
    length = SECONDS_AT_MOST if facts.stage < Stage.ENDED else facts.seconds or 0
    return facts.started_at + timedelta(seconds=length) > row.received_at - WEBHOOKS_TAKE


def _take_words(
    group: Sequence[tuple[_Claimed, CallFacts]], settlement: _Settlement, *, at: datetime
) -> bool:
    """
    Take in what was said on these calls, where the client wants it; returns whether that was done.

    Where it fails, the events are tried again: their calls are known by then.
    """
    first = group[0][0]
    if not first.client.takes_transcripts:
        return True
    found = ((facts, words_of(row.provider, row.body or b"")) for row, facts in group)
    said = [(facts, words) for facts, words in found if words is not None]
    try:
        transcripts.take_in(client=first.client, provider=first.provider, said=said, at=at)
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:  # noqa: BLE001 whatever it was, the rows stay and are tried again
        for row, _ in group:
            _log_failure(row, error)
            settlement.fail(row, _FAILED, at)
        return False
    return True


def _log_failure(row: _Claimed, error: Exception) -> None:
    """The kind of the error alone: its text may hold what was in the event."""
    log.error("inbox.failed", row=str(row.id), attempts=row.attempts, error=type(error).__name__)


def _settle(settlement: _Settlement, *, agency_id: int, at: datetime) -> None:
    """Write down what became of a batch: one short transaction, one update a connection."""
    with job_scope(agency_id=agency_id):
        again = _came_again(settlement)
        _count(settlement)
        Inbox.objects.filter(pk__in=[row.id for row in settlement.done]).delete()
        Inbox.objects.filter(pk__in=again).update(attempts=0, due_at=at)
        reasons: dict[str, list[UUID]] = defaultdict(list)
        for row, reason in settlement.rejected:
            reasons[reason].append(row.id)
        for reason, ids in reasons.items():
            Inbox.objects.filter(pk__in=ids).update(state=InboxState.REJECTED, reason=reason)
        for attempts in {row.attempts for row in settlement.failed}:
            ids = [row.id for row in settlement.failed if row.attempts == attempts]
            Inbox.objects.filter(pk__in=ids).update(due_at=at + pause_after(attempts))
        for row in settlement.early:
            # It was read without harm: no attempt counts, and it never becomes a suspect that is taken alone.
            Inbox.objects.filter(pk=row.id).update(attempts=0, due_at=at + _early_pause(at - row.received_at))
        for client_id in sorted({row.client.pk for row, _ in settlement.rejected}):
            _renew_item(agency_id=agency_id, client_id=client_id, by=JOB, at=at)


def _came_again(settlement: _Settlement) -> list[UUID]:
    """
    Leave in the inbox what was sent again while it was read: the door has written on its row when. Returns the ids.

    Nobody at the door writes on these rows any more; who wants to waits, and finds them gone or waiting anew.
    """
    rows = Inbox.objects.filter(pk__in=[row.id for row in settlement.done])
    came = dict(rows.select_for_update().order_by("pk").values_list("pk", "received_at"))
    again = {row.id for row in settlement.done if came.get(row.id, row.received_at) != row.received_at}
    for part in (settlement.done, settlement.stayed_out, settlement.brought, settlement.ahead):
        part[:] = [row for row in part if row.id not in again]
    return sorted(again)


def pause_after(attempts: int) -> timedelta:
    """How long a row rests after it failed: 15 seconds, then twice as long each time, an hour at most."""
    doubled: int = 1 << min(attempts - 1, 10)
    return min(_FIRST_PAUSE * doubled, _LONGEST_PAUSE)


def _early_pause(age: timedelta) -> timedelta:
    """As long as it has waited already, from 15 seconds to an hour."""
    return min(max(age, _FIRST_PAUSE), _LONGEST_PAUSE)


def _count(settlement: _Settlement) -> None:
    """Add to each connection's figures, in the order of ids so that two workers never wait crosswise."""
    finished = [*settlement.done, *(row for row, _ in settlement.rejected)]
    _count_pulled(settlement, [row for row in finished if row.pull_run_id is not None])
    finished = [row for row in finished if row.pull_run_id is None]
    rejected = Counter(row.connection_id for row, _ in settlement.rejected if row.pull_run_id is None)
    stayed_out = Counter(row.connection_id for row in settlement.stayed_out if row.pull_run_id is None)
    events = Counter(row.connection_id for row in finished)
    for connection_id in sorted(events):
        newest = max(row.received_at for row in finished if row.connection_id == connection_id)
        Connection.objects.filter(pk=connection_id).update(
            events=F("events") + events[connection_id],
            rejected=F("rejected") + rejected[connection_id],
            stayed_out=F("stayed_out") + stayed_out[connection_id],
            last_event_at=Greatest(F("last_event_at"), newest),
        )


def _count_pulled(settlement: _Settlement, rows: Sequence[_Claimed]) -> None:
    """Add to the figures of each pull, in the order of ids; its webhooks' figures say nothing of them."""
    brought = Counter(row.pull_run_id for row in settlement.brought)
    stayed_out = Counter(row.pull_run_id for row in settlement.stayed_out)
    refused = Counter(row.pull_run_id for row, _ in settlement.rejected)
    ahead = Counter(row.pull_run_id for row in settlement.ahead)
    for run_id, count in sorted(
        Counter(row.pull_run_id for row in rows).items(), key=lambda item: str(item[0])
    ):
        others = brought[run_id] + stayed_out[run_id] + refused[run_id] + ahead[run_id]
        PullRun.objects.filter(pk__in=[run_id]).update(
            brought=F("brought") + brought[run_id],
            stayed_out=F("stayed_out") + stayed_out[run_id],
            refused=F("refused") + refused[run_id],
            known=F("known") + count - others,
        )


def _renew_item(*, agency_id: int, client_id: int, by: Actor, at: datetime) -> None:
    """Let what was rejected wait in the inbox until its purge, or close it when nothing is left."""
    found = (
        Inbox.objects.rejected()
        .filter(client_id=client_id)
        .aggregate(count=Count("id"), oldest=Min("received_at"))
    )
    if found["oldest"] is None:
        work.close_item(INBOX_REJECTED, agency_id=agency_id, key=str(client_id), at=at, by=by)
        return
    work.open_item(
        INBOX_REJECTED,
        agency_id=agency_id,
        client_id=client_id,
        key=str(client_id),
        at=at,
        due_at=found["oldest"] + REJECTED_FOR,
        count=found["count"],
    )


# --- What was rejected --------------------------------------------------------------------------------------


@transaction.atomic
def retry_rejected(*, client: Client, by: Actor, at: datetime) -> int:
    """Let a client's rejected events be read again, as when they came; returns how many."""
    rows = list(Inbox.objects.rejected().filter(client=client).select_for_update().order_by("id"))
    _uncount(rows)
    Inbox.objects.filter(pk__in=[row.pk for row in rows]).update(
        state=InboxState.WAITING, reason="", attempts=0, due_at=at
    )
    if rows:
        audit.record("inbox.retried", subject=client, by=by, at=at, count=len(rows))
    _renew_item(agency_id=client.agency_id, client_id=client.pk, by=by, at=at)
    return len(rows)


def _uncount(rows: Iterable[Inbox]) -> None:
    """They are counted when they are read again."""
    rows = list(rows)
    again = Counter(row.connection_id for row in rows if row.pull_run_id is None)
    for connection_id, count in sorted(again.items()):
        Connection.objects.filter(pk=connection_id).update(
            events=Greatest(F("events") - count, 0), rejected=Greatest(F("rejected") - count, 0)
        )
    pulls = Counter(row.pull_run_id for row in rows if row.pull_run_id is not None)
    for run_id, count in sorted(pulls.items()):
        PullRun.objects.filter(pk__in=[run_id]).update(refused=Greatest(F("refused") - count, 0))


@transaction.atomic
def discard_rejected(*, client: Client, seen: int, by: Actor, at: datetime) -> int:
    """
    Delete a client's rejected events for good; returns how many.

    :param seen: how many the person was told that there are.
    :raises ExtentChangedError: it is another number by now; nothing was deleted.
    """
    rows = Inbox.objects.rejected().filter(client=client)
    ids = list(rows.select_for_update().values_list("id", flat=True))
    if len(ids) != seen:
        raise ExtentChangedError(f"{len(ids)} events are rejected by now, not {seen}.")
    count, _ = rows.filter(pk__in=ids).delete()
    if count:
        audit.record("inbox.discarded", subject=client, by=by, at=at, count=count)
    _renew_item(agency_id=client.agency_id, client_id=client.pk, by=by, at=at)
    return count


def renew_rejected(*, client: Client, by: Actor, at: datetime) -> None:
    """Let what is left of a client's rejected events wait in the inbox, or close the item."""
    _renew_item(agency_id=client.agency_id, client_id=client.pk, by=by, at=at)


def days_left(*, client_id: int, days: Collection[date]) -> set[date]:
    """Those of these days from which a client's inbox still has events; in the agency's scope."""
    return {
        day
        for day in days
        if Inbox.objects.filter(
            client_id=client_id, received_at__gte=_start(day), received_at__lt=_start(day + timedelta(days=1))
        ).exists()
    }


def _start(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)


def purge(*, agency_id: int, at: datetime) -> int:
    """
    Delete what was rejected seven days ago, and secrets that have ended; returns how many events went.

    Enters the agency's scope itself.
    """
    with job_scope(agency_id=agency_id):
        old = Inbox.objects.rejected().filter(agency_id=agency_id, received_at__lte=at - REJECTED_FOR)
        counts = dict(old.values_list("client_id").annotate(Count("id")).order_by("client_id"))
        for client_id in counts:
            count, _ = old.filter(client_id=client_id).delete()
            if count:
                audit.record("inbox.purged", by=JOB, at=at, client_id=client_id, count=count)
            _renew_item(agency_id=agency_id, client_id=client_id, by=JOB, at=at)
        ConnectionSecret.objects.filter(agency_id=agency_id, ends_at__lte=at).delete()
        return sum(counts.values())


def pulls_waiting(agency_id: int) -> list[UUID]:
    """Runs of which something is still in an agency's inbox; in its scope."""
    rows = Inbox.objects.filter(agency_id=agency_id, pull_run__isnull=False)
    return list(rows.values_list("pull_run_id", flat=True).distinct())


def sample(*, connection: Connection) -> tuple[str, bytes] | None:
    """
    (kind of content, body) of the newest event of a connection that is still here, opened; in the client's scope.

    For a person who says what its fields mean: nothing of it may be shown but its shape (`mapped.masked`).
    """
    rows = Inbox.objects.for_client(connection.client_id).filter(connection=connection, pull_run=None)
    row = rows.order_by("-received_at").first()
    if row is None:
        return None
    try:
        key = vault.day_key(vault.client_keys(connection.client_id), PURPOSE, _day(row))
    except (vault.NoClientKeyError, SealBrokenError):
        return None
    content_type, body = _open(row, key)
    return None if body is None else (content_type, body)
