"""
The one way into the ledger. What happened is added, never changed; where the person stands follows from it.

An event said twice is one event. The evidence is sealed under the caller's evidence key, which an erasure leaves.
A no also goes to the vault's list of numbers, so that it holds for a number that comes back after an erasure.
"""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.calls.models import Caller
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import Key, Place
from callprivacy.vault.services import CallerGoneError
from consent import projection
from consent.enums import Basis, Channel, EventKind, Purpose, Scope, State, Strength
from consent.models import ConsentEvent, ConsentState, Rejudgement, Withdrawal

__all__ = ["CallerGoneError", "Said", "evidence_of", "project", "record_events", "source_digests"]

EVIDENCE: Final = "evidence"
"""The client's purpose key for evidence of calls whose caller withheld the number."""

_NO: Final = frozenset({EventKind.REFUSED, EventKind.WITHDRAWN})
_YES: Final = frozenset({EventKind.GIVEN, EventKind.RENEWED})


@dataclass(frozen=True, slots=True, repr=False)
class Said:
    """
    One fact for the ledger.

    :ivar source: what is the same when the same fact is told again, such as a message's id and the purpose.
    :ivar call_digest: one of the call's references (`calls.CallRef.digest`); needed for scope `this_call`.
    :ivar evidence: what shows it (the words, the key press, the headers); plain JSON, sealed here.
    """

    purpose: Purpose
    kind: EventKind
    channel: Channel
    strength: Strength
    happened_at: datetime
    source: str
    caller_id: uuid.UUID | None = None
    call_digest: bytes | None = None
    scope: Scope = Scope.STANDING
    basis: Basis = Basis.CONSENT
    version_id: uuid.UUID | None = None
    document_id: uuid.UUID | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Nothing personal."""
        return f"<Said {self.kind} {self.purpose} by {self.channel}>"


def record_events(*, client: Client, said: Sequence[Said], by: Actor, at: datetime) -> list[ConsentEvent]:
    """
    Add what happened to the ledger; returns the events that are new, with the projection brought up to date.

    Inside a scope that may write the client's consent. Everything is in the scope's transaction, and the no in the
    vault's list is committed before it: a rollback leaves one no too many there, never one too few.

    :raises CallerGoneError: a caller was erased in this moment; find the caller again.
    """
    wanted = dict(zip(source_digests(client, said), said, strict=True))
    known = ConsentEvent.objects.for_client(client).filter(source_digest__in=list(wanted))
    for digest in known.values_list("source_digest", flat=True):
        wanted.pop(bytes(digest), None)
    if not wanted:
        return []
    caller_ids = sorted({fact.caller_id for fact in wanted.values() if fact.caller_id is not None})
    with transaction.atomic(), vault.holding_callers(client_id=client.pk, caller_ids=caller_ids):
        _mark_known(client, caller_ids)
        keys = _evidence_keys(client, caller_ids, wanted.values(), at)
        events = [
            _event(client, digest, fact, keys[fact.caller_id], by=by, at=at)
            for digest, fact in sorted(wanted.items())
        ]
        recorded = audit.record(
            "consent.recorded",
            by=by,
            at=at,
            subject=client,
            events=len(events),
            digest=_root(events),
        )
        for event in events:
            event.audit_event_id = recorded.pk
        ConsentEvent.objects.bulk_create(events)
        project(client=client, caller_ids=caller_ids, purposes={event.purpose for event in events})
        _decide_anew(client, events, at)
        _open_withdrawals(client, events, at)
        _carry_to_the_vault(client, events, at)
    return events


def _open_withdrawals(client: Client, events: Iterable[ConsentEvent], at: datetime) -> None:
    """
    A standing no is carried to whoever else holds the number; a job plans how.

    Only what counts now: a no that arrives after a later yes asks nothing of anybody.
    """
    said: dict[tuple[uuid.UUID, str, datetime], list[ConsentEvent]] = defaultdict(list)
    for event in events:
        if event.caller_id is not None and event.kind in _NO and event.scope == Scope.STANDING:
            said[event.caller_id, event.channel, event.happened_at].append(event)
    counting = set(
        ConsentState.objects.for_client(client)
        .filter(caller_id__in={caller_id for caller_id, _, _ in said})
        .values_list("event_id", flat=True)
    )
    rows = []
    for (caller_id, channel, happened_at), parts in said.items():
        now = sorted((part for part in parts if part.pk in counting), key=lambda part: part.purpose)
        if now:
            rows.append(
                Withdrawal(
                    agency_id=client.agency_id,
                    client_id=client.pk,
                    caller_id=caller_id,
                    purposes=[part.purpose for part in now],
                    event_ids=[part.pk for part in now],
                    channel=channel,
                    happened_at=happened_at,
                    stopped_at=at,
                    due_at=at,
                )
            )
    Withdrawal.objects.bulk_create(rows)


def _decide_anew(client: Client, events: Iterable[ConsentEvent], at: datetime) -> None:
    """Have the recordings of the events' callers decided anew; those of calls without a caller by the calls' names."""
    callers = {event.caller_id for event in events if event.caller_id is not None}
    digests = {
        bytes(event.call_digest)
        for event in events
        if event.caller_id is None and event.call_digest is not None
    }
    about: list[tuple[uuid.UUID | None, bytes | None]] = [(caller_id, None) for caller_id in sorted(callers)]
    about += [(None, digest) for digest in sorted(digests)]
    Rejudgement.objects.bulk_create(
        Rejudgement(
            agency_id=client.agency_id,
            client_id=client.pk,
            caller_id=caller_id,
            call_digest=digest,
            cause="event",
            due_at=at,
            created_at=at,
        )
        for caller_id, digest in about
    )


def source_digests(client: Client, said: Iterable[Said]) -> list[bytes]:
    """What is the same when the same facts are told again, in their order (`ConsentEvent.source_digest`)."""
    tokens = vault_selectors.client_keys(client.pk).tokens
    return [
        tokens.digest(
            "consent",
            *(str(client.pk), fact.channel, fact.source, fact.purpose, fact.kind, str(fact.caller_id or "")),
        )
        for fact in said
    ]


def _mark_known(client: Client, caller_ids: Collection[uuid.UUID]) -> None:
    """Hold the callers' rows until the commit, and note that the ledger knows them: they stay when their calls go."""
    rows = Caller.objects.for_client(client).filter(pk__in=list(caller_ids))
    held = set(rows.select_for_update().order_by("pk").values_list("pk", flat=True))
    if len(held) < len(caller_ids):
        raise CallerGoneError(f"{len(caller_ids) - len(held)} callers have no row.")
    rows.filter(has_evidence=False).update(has_evidence=True)


def _evidence_keys(
    client: Client, caller_ids: Collection[uuid.UUID], facts: Iterable[Said], at: datetime
) -> dict[uuid.UUID | None, Key]:
    keys: dict[uuid.UUID | None, Key] = dict(vault_selectors.evidence_keys(client.pk, caller_ids).items())
    if any(fact.caller_id is None for fact in facts):
        keys[None] = vault.purpose_key(client_id=client.pk, purpose=EVIDENCE, at=at)
    return keys


def _event(client: Client, digest: bytes, fact: Said, key: Key, *, by: Actor, at: datetime) -> ConsentEvent:
    identity = uuid.uuid4()
    plain = json.dumps(fact.evidence, sort_keys=True, ensure_ascii=False, default=str).encode()
    return ConsentEvent(
        pk=identity,
        agency_id=client.agency_id,
        client_id=client.pk,
        caller_id=fact.caller_id,
        call_digest=fact.call_digest,
        purpose=fact.purpose,
        kind=fact.kind,
        basis=fact.basis,
        scope=fact.scope,
        channel=fact.channel,
        strength=fact.strength,
        version_id=fact.version_id,
        document_id=fact.document_id,
        evidence=key.seal(plain, Place(client.pk, "consent_consentevent", "evidence", identity)),
        evidence_digest=sha256(plain).digest(),
        source_digest=digest,
        happened_at=fact.happened_at,
        recorded_at=at,
        recorded_by=by.name,
        user_id=by.user_id,
    )


def _root(events: Iterable[ConsentEvent]) -> str:
    """SHA-256 over the events as they are stored, which the trail seals: none can be changed unseen."""
    return sha256(b"".join(sorted(fingerprint(event) for event in events))).hexdigest()


def fingerprint(event: ConsentEvent) -> bytes:
    """SHA-256 over one event's facts and its evidence's digest; docs/evidence.md is the specification."""
    facts = [
        event.pk, event.client_id, event.caller_id, event.purpose, event.kind, event.basis, event.scope,
        event.channel, event.strength, event.version_id, event.document_id,
        event.happened_at.astimezone(UTC).isoformat(), event.recorded_at.astimezone(UTC).isoformat(),
        event.recorded_by,
        bytes(event.evidence_digest or b"").hex(), bytes(event.call_digest or b"").hex(),
    ]  # fmt: skip
    return sha256(json.dumps([str(fact) for fact in facts]).encode()).digest()


def project(
    *, client: Client, caller_ids: Collection[uuid.UUID], purposes: Collection[str] | None = None
) -> None:
    """Bring the projection of these callers up to date with the ledger. Inside a scope."""
    rows = ConsentEvent.objects.for_client(client).filter(
        caller_id__in=list(caller_ids), scope=Scope.STANDING
    )
    if purposes is not None:
        rows = rows.filter(purpose__in=list(purposes))
    by_pair: dict[tuple[uuid.UUID, str], list[ConsentEvent]] = defaultdict(list)
    for event in rows.defer("evidence"):
        if event.caller_id is not None:
            by_pair[event.caller_id, event.purpose].append(event)
    states = []
    for (caller_id, purpose), events in by_pair.items():
        state, deciding = projection.standing(events)
        if deciding is None:
            continue
        states.append(
            ConsentState(
                agency_id=client.agency_id,
                client_id=client.pk,
                caller_id=caller_id,
                purpose=purpose,
                state=state,
                strength=deciding.strength,
                event_id=deciding.pk,
                version_id=deciding.version_id,
                since=deciding.happened_at,
            )
        )
    ConsentState.objects.bulk_create(
        states,
        update_conflicts=True,
        unique_fields=["client", "caller_id", "purpose"],
        update_fields=["state", "strength", "event_id", "version_id", "since"],
    )


def _carry_to_the_vault(client: Client, events: Iterable[ConsentEvent], at: datetime) -> None:
    """
    A standing no joins the list of numbers that said no, at once; a yes leaves it when everything has committed.

    What the projection says counts, so that an old yes that arrives late lifts nothing.
    """
    pairs: dict[uuid.UUID, set[str]] = defaultdict(set)
    for event in events:
        if event.caller_id is not None and event.scope == Scope.STANDING:
            pairs[event.caller_id].add(event.purpose)
    states = ConsentState.objects.for_client(client).filter(caller_id__in=list(pairs))
    no: dict[uuid.UUID, set[str]] = defaultdict(set)
    yes: dict[uuid.UUID, set[str]] = defaultdict(set)
    for state in states:
        if state.purpose in pairs[state.caller_id]:
            if state.state in {State.REFUSED, State.WITHDRAWN}:
                no[state.caller_id].add(state.purpose)
            elif state.state == State.GIVEN:
                yes[state.caller_id].add(state.purpose)
    for caller_id, purposes in no.items():
        vault.suppress_callers(client_id=client.pk, caller_ids=[caller_id], purposes=purposes, at=at)
    for caller_id, purposes in yes.items():
        _lift_on_commit(client.pk, caller_id, frozenset(purposes))


def _lift_on_commit(client_id: int, caller_id: uuid.UUID, purposes: frozenset[str]) -> None:
    transaction.on_commit(
        lambda: vault.lift_suppressions(client_id=client_id, caller_id=caller_id, purposes=purposes) and None
    )


def evidence_of(*, client: Client, events: Collection[ConsentEvent], at: datetime) -> dict[uuid.UUID, Any]:
    """Open the evidence of events: event id -> what was sealed. Events whose key is gone are left out."""
    callers = {event.caller_id for event in events if event.caller_id is not None}
    keys: dict[uuid.UUID | None, Key] = dict(vault_selectors.evidence_keys(client.pk, callers).items())
    if any(event.caller_id is None for event in events):
        keys[None] = vault.purpose_key(client_id=client.pk, purpose=EVIDENCE, at=at)
    return {
        event.pk: json.loads(event.evidence.reveal(keys[event.caller_id]))
        for event in events
        if event.caller_id in keys and event.evidence is not None
    }
