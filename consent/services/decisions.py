"""
Deciding: which recordings may be kept, and whether one may be used at this moment.

Every recorded call is decided once, and again when evidence, places, rules or standards change; what it was decided
from stands beside the decision. A job finds what is undecided by its state, in bounded batches, each one transaction:
a worker that is killed has decided nothing or all of its batch. Deciding again changes nothing that has not changed.
"""

import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from billiard.exceptions import SoftTimeLimitExceeded
from django.db import connection, transaction
from django.db.models import Q
from psycopg.errors import DeadlockDetected, LockNotAvailable, SerializationFailure

from callprivacy.audit import services as audit
from callprivacy.calls.enums import RecordingState, TranscriptState
from callprivacy.calls.models import Call, CallRef, Recording, Transcript
from callprivacy.lib import figures
from callprivacy.lib.logs import logger
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from consent.decide import Answer, decide, words
from consent.enums import Purpose
from consent.law import Rules
from consent.models import Decision, Rejudgement
from consent.selectors import cases, law
from consent.selectors.cases import Case
from consent.services import quarantine, store, transcripts

log = logger(__name__)

BATCH: Final = 500
CAUSES: Final = 200
JOB: Final = quarantine.JOB
KEPT_FOR: Final = timedelta(days=7)
"""How long it is remembered that something was decided anew."""

_PAUSE: Final = timedelta(minutes=5)
_PAUSE_FOR_OTHERS: Final = timedelta(seconds=5)
"""Where somebody else had the rows for longer than one waits: they are done in a moment."""
_IN_THE_WAY: Final = (LockNotAvailable, DeadlockDetected, SerializationFailure)
_REASON: Final = 300
_RULE: Final = 60
_FACTS: Final = (
    "allowed", "lawful", "standard_met", "standard", "basis", "event_id", "rules", "reasons", "places",
    "withheld_from", "pack",
)  # fmt: skip

type Clock = Callable[[], datetime]


# --- Recordings, by the job ---------------------------------------------------------------------------------------


def work(*, agency_id: int, until: datetime, clock: Clock) -> bool:
    """
    Decide what is undecided at an agency, then what is to be decided anew, until `until`; returns whether any is left.

    Called outside any scope. One client's fault is logged and keeps no other's calls.
    """
    decide_undecided(agency_id=agency_id, until=until, clock=clock)
    return decide_anew(agency_id=agency_id, until=until, clock=clock) or clock() >= until


def has_due(*, agency_id: int, at: datetime) -> bool:
    """Whether anything of an agency waits to be decided. Enters the agency's scope itself."""
    with job_scope(agency_id=agency_id):
        return (
            Recording.objects.filter(agency_id=agency_id, decided_at=None)
            .exclude(state=RecordingState.GONE)
            .exists()
            or Transcript.objects.filter(agency_id=agency_id, decided_at=None)
            .exclude(state=TranscriptState.GONE)
            .exists()
            or Rejudgement.objects.filter(agency_id=agency_id, finished_at=None, due_at__lte=at).exists()
        )


def decide_undecided(*, agency_id: int, until: datetime, clock: Clock) -> int:
    """Decide recordings and transcripts that nobody has decided yet, batch by batch; returns how many calls."""
    count = 0
    for client_id in _clients_with_undecided(agency_id):
        decided = BATCH
        while decided == BATCH and clock() < until:
            try:
                decided = _decide_batch(agency_id, client_id, clock())
            except Exception as error:  # noqa: BLE001  (its calls stay undecided; the other clients' go on)
                decided = 0
                _log_failure(client_id, error)
            count += decided
    return count


def _decide_batch(agency_id: int, client_id: int, at: datetime) -> int:
    with job_scope(agency_id=agency_id):
        client = _client(client_id)
        if client is None:
            return 0
        call_ids = _claim(client)
        if call_ids:
            _settle(client, call_ids, at)
        return len(call_ids)


def _log_failure(client_id: int, error: Exception) -> None:
    """The kind of the error alone: its text may hold a value. That somebody else was in the way is no fault."""
    if isinstance(error, SoftTimeLimitExceeded):
        raise error
    if _is_in_the_way(error):
        log.info("decisions.put_off", client=client_id, error=type(error.__cause__).__name__)
        return
    figures.note_fault()
    log.error("decisions.failed", client=client_id, error=type(error).__name__)


def _is_in_the_way(error: Exception) -> bool:
    """Whether it failed only because another transaction had the rows."""
    return isinstance(error.__cause__, _IN_THE_WAY)


def _clients_with_undecided(agency_id: int) -> list[int]:
    with job_scope(agency_id=agency_id), connection.cursor() as cursor:
        cursor.execute(
            "SELECT client_id FROM calls_recording WHERE agency_id = %s AND decided_at IS NULL AND state <> 'gone'"
            " UNION SELECT client_id FROM calls_transcript"
            " WHERE agency_id = %s AND decided_at IS NULL AND state <> 'gone' ORDER BY 1",
            [agency_id, agency_id],
        )
        return [row[0] for row in cursor.fetchall()]


def _client(client_id: int) -> Client | None:
    return Client.objects.select_related("agency").filter(pk=client_id).first()


def _claim(client: Client) -> list[uuid.UUID]:
    """
    Hold undecided recordings and transcripts of a client, with their calls, until the transaction ends.

    Whoever holds one already works on it: nobody waits for it here, so nobody waits crosswise.
    """
    found: list[uuid.UUID] = []
    with connection.cursor() as cursor:
        for table in ("calls_recording", "calls_transcript"):
            cursor.execute(
                f"SELECT r.call_id FROM {table} r JOIN calls_call c ON c.id = r.call_id"  # noqa: S608  (a constant)
                " WHERE r.agency_id = %s AND r.client_id = %s AND r.decided_at IS NULL AND r.state <> 'gone'"
                " LIMIT %s FOR NO KEY UPDATE OF r SKIP LOCKED FOR KEY SHARE OF c SKIP LOCKED",
                [client.agency_id, client.pk, BATCH - len(found)],
            )
            found += [row[0] for row in cursor.fetchall()]
    return list(dict.fromkeys(found))


def decide_anew(*, agency_id: int, until: datetime, clock: Clock) -> bool:
    """Work off what has changed since, a step of one client at a time; returns whether anything is left."""
    while clock() < until:
        at = clock()
        causes = _due_causes(agency_id, at)
        if not causes:
            return False
        client_id = causes[0].client_id
        ids = [cause.pk for cause in causes if cause.client_id == client_id]
        try:
            with job_scope(agency_id=agency_id):
                client = _client(client_id)
                held = list(
                    Rejudgement.objects.filter(pk__in=ids, finished_at=None)
                    .select_for_update(skip_locked=True)
                    .order_by("due_at", "pk")
                )
                if not held:
                    return True
                if client is not None:
                    _work_off(client, held, at)
        except Exception as error:  # noqa: BLE001  (tried again later; the other clients' go on)
            _log_failure(client_id, error)
            due_at = at + (_PAUSE_FOR_OTHERS if _is_in_the_way(error) else _PAUSE)
            with job_scope(agency_id=agency_id):
                Rejudgement.objects.filter(pk__in=ids, finished_at=None).update(due_at=due_at)
    return True


def _due_causes(agency_id: int, at: datetime) -> list[Rejudgement]:
    with job_scope(agency_id=agency_id):
        due = Rejudgement.objects.filter(agency_id=agency_id, finished_at=None, due_at__lte=at)
        return list(due.order_by("due_at", "pk")[:CAUSES])


def _work_off(client: Client, causes: list[Rejudgement], at: datetime) -> None:
    """
    One step of one client: the calls of many callers together where they fit a batch, else one cause's next page.
    """
    named = [cause for cause in causes if cause.cursor is None and not _is_of_all(cause)]
    if named:
        call_ids = _calls_of(client, named, after=None, limit=BATCH + 1)
        if len(call_ids) <= BATCH:
            decide_calls(client, call_ids, at)
            _finish(named, at)
            return
    cause = named[0] if named else causes[0]
    call_ids = _calls_of(client, [cause], after=cause.cursor, limit=BATCH)
    if cause.cause == store.AGAIN:
        store.forget_attempts(client=client, call_ids=call_ids)
    decide_calls(client, call_ids, at)
    if len(call_ids) < BATCH:
        _finish([cause], at)
    else:
        Rejudgement.objects.filter(pk=cause.pk).update(cursor=call_ids[-1])


def _is_of_all(cause: Rejudgement) -> bool:
    return cause.caller_id is None and cause.call_digest is None


def _finish(causes: Sequence[Rejudgement], at: datetime) -> None:
    Rejudgement.objects.filter(pk__in=[cause.pk for cause in causes]).update(finished_at=at)


def _calls_of(
    client: Client, causes: Sequence[Rejudgement], *, after: uuid.UUID | None, limit: int
) -> list[uuid.UUID]:
    """Calls with a recording or a transcript that these causes are about, in the order of their ids."""
    calls = Call.objects.for_client(client).filter(
        Q(recording__isnull=False) | Q(transcript__isnull=False), pk__gt=after or uuid.UUID(int=0)
    )
    if not any(_is_of_all(cause) for cause in causes):
        callers = [cause.caller_id for cause in causes if cause.caller_id is not None]
        digests = [bytes(cause.call_digest) for cause in causes if cause.call_digest is not None]
        references = CallRef.objects.for_client(client).filter(digest__in=digests)
        wanted = Q(caller_id__in=callers)
        calls = calls.filter(wanted | Q(pk__in=references.values("call_id")) if digests else wanted)
    return list(calls.order_by("pk").values_list("pk", flat=True)[:limit])


def decide_calls(client: Client, call_ids: Collection[uuid.UUID], at: datetime) -> None:
    """Hold calls and what hangs on them, each in the order of ids, waiting for whoever has them; then decide."""
    if not call_ids:
        return
    array = "{" + ",".join(call_id.hex for call_id in call_ids) + "}"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT FROM calls_call WHERE client_id = %s AND id = ANY(%s::uuid[]) ORDER BY id FOR KEY SHARE",
            [client.pk, array],
        )
        for table in ("calls_recording", "calls_transcript"):
            cursor.execute(
                f"SELECT FROM {table} WHERE client_id = %s AND call_id = ANY(%s::uuid[])"
                " ORDER BY call_id FOR NO KEY UPDATE",
                [client.pk, array],
            )
    _settle(client, call_ids, at)


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What was decided of one call, since when it has been so, and up to when on the call people agreed."""

    call: Call
    answer: Answer
    since: datetime
    until: datetime | None


def _settle(client: Client, call_ids: Collection[uuid.UUID], at: datetime) -> None:
    """Decide calls whose recordings and transcripts are held, and write down what has changed."""
    calls = cases.calls_for(client, call_ids)
    rules = law.rules_of(client.agency_id)
    verdicts = _decide(client, calls, rules, at)
    changed = _write_recordings(client, verdicts, at)
    read = _write_transcripts(client, verdicts, at)
    changed |= read
    if read:
        transcripts.renew_item(client=client, at=at)
    if changed:
        allowed = sum(verdict.answer.allowed for verdict in verdicts.values())
        audit.record(
            "recordings.decided",
            subject=client,
            by=JOB,
            at=at,
            calls=len(verdicts),
            allowed=allowed,
            changed=len(changed),
            pack=rules.digest[:12],
        )
        withheld = {call_id for call_id in changed if not verdicts[call_id].answer.allowed}
        quarantine.renew_items(client=client, withheld=withheld, at=at)


def _decide(client: Client, calls: Sequence[Call], rules: Rules, at: datetime) -> dict[uuid.UUID, _Verdict]:
    """Decide recording, keep each decision, and say since when it stands."""
    asked = cases.cases(client, calls, Purpose.RECORD, at=at)
    known = {
        row.call_id: row
        for row in Decision.objects.for_client(client).filter(
            call_id__in=[call.pk for call in calls], purpose=Purpose.RECORD
        )
    }
    found: dict[uuid.UUID, _Verdict] = {}
    rows: list[Decision] = []
    for case in asked:
        answer = decide(case.question, rules)
        row = decision_row(client, case, answer, rules, at)
        before = known.get(case.call.pk)
        if before is not None and _same_outcome(before, row):
            row.decided_at = before.decided_at
        if before is None or any(getattr(before, fact) != getattr(row, fact) for fact in _FACTS):
            rows.append(row)
        found[case.call.pk] = _Verdict(case.call, answer, row.decided_at, agreed_until(case, answer))
    _keep(rows)
    return found


def agreed_until(case: Case, recorded: Answer) -> datetime | None:
    """The end of what was agreed to on a call on which somebody withdrew; None where all of it was, or nothing."""
    call, cut = case.question.call, recorded.withheld_from
    if recorded.allowed or call is None or cut is None or recorded.event is None:
        return None
    begins = call.recording_started_at or call.started_at
    return cut if cut > begins and recorded.event.at == cut else None


def _same_outcome(one: Decision, other: Decision) -> bool:
    return (one.allowed, one.withheld_from) == (other.allowed, other.withheld_from)


def decision_row(client: Client, case: Case, answer: Answer, rules: Rules, at: datetime) -> Decision:
    """A decision as it is kept: the answer with what it was made from, in words that fit."""
    event_id = answer.event.id if answer.event is not None else None
    return Decision(
        agency_id=client.agency_id,
        client_id=client.pk,
        call_id=case.call.pk,
        purpose=case.question.purpose.value,
        allowed=answer.allowed,
        lawful=answer.lawful,
        standard_met=answer.standard_met,
        standard=case.question.standard.value,
        basis="" if answer.basis is None else answer.basis.value,
        event_id=event_id if isinstance(event_id, uuid.UUID) else None,
        rules=[rule[:_RULE] for rule in answer.rules],
        reasons=[_shortened(reason) for reason in _reasons(case, answer)],
        places=[located.as_json() for located in case.places],
        withheld_from=answer.withheld_from,
        pack=rules.digest,
        decided_at=at,
    )


def _reasons(case: Case, answer: Answer) -> Iterator[str]:
    """The answer's sentences; what was announced, or was not on a call out, is named behind the one it belongs to."""
    call = case.question.call
    said = words.ANNOUNCED if call is not None and call.announcement else words.NO_EVIDENCE
    for reason in answer.reasons:
        yield reason
        if reason == said and case.heard:
            yield case.heard


def _shortened(reason: str) -> str:
    return reason if len(reason) <= _REASON else f"{reason[: _REASON - 1]}\N{HORIZONTAL ELLIPSIS}"


def _keep(rows: Sequence[Decision]) -> None:
    Decision.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["client", "call", "purpose"],
        update_fields=[*_FACTS, "decided_at"],
        batch_size=BATCH,
    )


def _write_recordings(client: Client, verdicts: dict[uuid.UUID, _Verdict], at: datetime) -> set[uuid.UUID]:
    """Bring held recordings in line with what was decided; returns the calls of those that changed."""
    rows = Recording.objects.for_client(client).filter(call_id__in=list(verdicts))
    changes: list[tuple[Any, ...]] = []
    changed: set[uuid.UUID] = set()
    for row in rows.exclude(state=RecordingState.GONE):
        verdict = verdicts[row.call_id]
        answer = verdict.answer
        due_at = quarantine.due_at(
            client,
            is_withheld=not answer.allowed,
            came_late=row.came_late,
            on_hold=verdict.call.on_hold,
            since=verdict.since,
            before=row.due_at,
        )
        fetch_due_at = store.fetch_due_at(client, row, is_allowed=answer.allowed, at=at)
        state = RecordingState.ALLOWED if answer.allowed else RecordingState.WITHHELD
        after = (state.value, verdict.until, due_at, fetch_due_at)
        before = (row.state, row.withheld_from, row.due_at, row.fetch_due_at)
        if row.decided_at is None or after != before:
            changes.append((row.pk, *after))
            changed.add(row.call_id)
    if changes:
        _update(
            "UPDATE calls_recording r SET state = v.state, withheld_from = v.withheld_from, due_at = v.due_at,"
            " fetch_due_at = v.fetch_due_at, decided_at = %s FROM unnest(%s::uuid[], %s::text[],"
            " %s::timestamptz[], %s::timestamptz[], %s::timestamptz[])"
            " AS v (id, state, withheld_from, due_at, fetch_due_at)"
            " WHERE r.client_id = %s AND r.id = v.id AND r.state <> 'gone'",
            [at, *_columns(changes), client.pk],
        )
    return changed


def _write_transcripts(client: Client, verdicts: dict[uuid.UUID, _Verdict], at: datetime) -> set[uuid.UUID]:
    """The same for transcripts. A text cannot be parted at an instant, so what is withheld in part is withheld."""
    rows = Transcript.objects.for_client(client).filter(call_id__in=list(verdicts)).defer("text")
    changes: list[tuple[Any, ...]] = []
    changed: set[uuid.UUID] = set()
    for row in rows.exclude(state=TranscriptState.GONE).annotate(of_history=quarantine.of_history()):
        verdict = verdicts[row.call_id]
        allowed = verdict.answer.allowed
        due_at = quarantine.due_at(
            client,
            is_withheld=not allowed,
            came_late=row.of_history,
            on_hold=verdict.call.on_hold,
            since=max(verdict.since, row.received_at),
            before=row.due_at,
        )
        state = TranscriptState.ALLOWED if allowed else TranscriptState.WITHHELD
        if row.decided_at is None or (state.value, due_at) != (row.state, row.due_at):
            changes.append((row.pk, state.value, due_at))
            changed.add(row.call_id)
    if changes:
        _update(
            "UPDATE calls_transcript t SET state = v.state, due_at = v.due_at, decided_at = %s"
            " FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[]) AS v (id, state, due_at)"
            " WHERE t.client_id = %s AND t.id = v.id AND t.state <> 'gone'",
            [at, *_columns(changes), client.pk],
        )
    return changed


def _columns(rows: Sequence[tuple[Any, ...]]) -> Iterator[list[Any]]:
    return (list(column) for column in zip(*rows, strict=True))


def _update(statement: str, values: list[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def purge(*, agency_id: int, at: datetime) -> int:
    """Forget what was decided anew a week ago; returns how many causes. Enters the agency's scope itself."""
    with job_scope(agency_id=agency_id):
        old = Rejudgement.objects.filter(agency_id=agency_id, finished_at__lte=at - KEPT_FOR)
        return old.remove()


# --- One call, when somebody asks ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Use:
    """
    Whether a call's recording or words may be used now, and for how much of it.

    :ivar until: of a recording on which somebody withdrew during the call, the moment up to which it may be used.
    :ivar reasons: why, or why not, in the order in which one would say it.
    """

    allowed: bool
    until: datetime | None
    reasons: tuple[str, ...]
    decision: Decision


def judge(*, client: Client, call: Call, purpose: Purpose, at: datetime) -> Use:
    """
    Whether a call may be used for a purpose at this moment. Reads, writes nothing.

    What may not have been recorded may not be used either; both are asked anew, so that a withdrawal of a second ago
    counts.
    """
    rules = law.rules_of(client.agency_id)
    asked = cases.asked(client, [call], [Purpose.RECORD, purpose], at=at)
    recorded = decide(asked[Purpose.RECORD][0].question, rules)
    case = asked[purpose][0]
    answer = decide(case.question, rules)
    row = decision_row(client, case, answer, rules, at)
    until = agreed_until(case, recorded)
    if answer.allowed and not recorded.allowed and until is None:
        row.allowed, row.basis = False, ""
        row.reasons = [_shortened(reason) for reason in recorded.reasons]
    return Use(row.allowed, until if row.allowed else None, tuple(row.reasons), row)


@transaction.atomic
def may_use(*, client: Client, call: Call, purpose: Purpose, at: datetime) -> Use:
    """Judge a use at the moment of it, and leave the decision beside the call, whichever way it went."""
    if purpose in {Purpose.RECORD, Purpose.CONTACT}:
        raise ValueError(f"{purpose.label} is not the use of a recorded call.")
    use = judge(client=client, call=call, purpose=purpose, at=at)
    _keep([use.decision])
    return use
