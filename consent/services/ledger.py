"""
The one way into the ledger. What happened is added, never changed; where the person stands follows from it.

An event said twice is one event. A standing yes that nobody proved lifts no earlier no, nor does a yes to sharing that
was not asked twice: while a no stands, it is kept as a notice that was given, and where the no is only heard of later,
the projection and the engine hold the same. The evidence is sealed under the caller's evidence key, which an erasure
leaves. A no also goes to the vault's list of numbers, so that it holds for a number that comes back after an erasure.
"""

import json
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import partial
from hashlib import sha256
from typing import Any, Final

from django.db import OperationalError, transaction

from callprivacy.audit import services as audit
from callprivacy.calls.models import Caller
from callprivacy.calls.services.intake import TRACK
from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import client_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import Key, Place
from callprivacy.vault.services import CallerGoneError
from consent import projection
from consent.enums import (
    NO_KINDS,
    NO_STATES,
    YES_KINDS,
    Basis,
    Channel,
    EventKind,
    Purpose,
    Scope,
    State,
    Strength,
    grade_of,
    is_weak,
)
from consent.models import ConsentEvent, ConsentState, Rejudgement, Withdrawal

log = logger(__name__)

__all__ = [
    "CallerGoneError",
    "ClientGoneError",
    "Said",
    "evidence_of",
    "noes_of",
    "plain_evidence",
    "project",
    "purposes_held_back",
    "record_events",
    "source_digests",
]

EVIDENCE: Final = "evidence"
"""The client's purpose key for evidence of calls whose caller withheld the number."""

_EVER: Final = datetime.min.replace(tzinfo=UTC)
_STANDS: Final = "An earlier opt-out applies. This does not lift it."
_PERHAPS_LATER: Final = "An opt-out of the same day applies, because it is unknown which was first."
_LIFTED_AFTER: Final = 3
"""How often it is tried to take a number off the list of noes."""


class ClientGoneError(CallerGoneError):
    """The client has left, and its callers with it: nothing is taken in that could not be handed over any more."""


@dataclass(frozen=True, slots=True, repr=False)
class Said:
    """
    One fact for the ledger.

    :ivar source: what is the same when the same fact is told again, such as a message's id and the purpose.
    :ivar call_digest: one of the call's references (`calls.CallRef.digest`); needed for scope `this_call`.
    :ivar evidence: what shows it (the words, the key press, the headers); plain JSON, sealed here.
    :ivar guardian_until: of a yes that a guardian said the day on which the person comes of age.
    :ivar said_from: of a yes whose hour nobody knows the earliest moment at which it may have been said.
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
    said_from: datetime | None = None
    guardian_until: date | None = None

    def __repr__(self) -> str:
        """Nothing personal."""
        return f"<Said {self.kind} {self.purpose} by {self.channel}>"


def record_events(*, client: Client, said: Sequence[Said], by: Actor, at: datetime) -> list[ConsentEvent]:
    """
    Add what happened to the ledger; returns the events that are new, with the projection brought up to date.

    Inside a scope that may write the client's consent. Everything is in the scope's transaction, and the no in the
    vault's list is committed before it: a rollback leaves one no too many there, never one too few. A yes that is too
    weak to lift the no that stands comes back as `noticed` (`purposes_held_back`).

    :raises CallerGoneError: a caller was erased in this moment; find the caller again.
    :raises ClientGoneError: the client has left.
    """
    wanted = dict(zip(source_digests(client, said), said, strict=True))
    known = ConsentEvent.objects.for_client(client).filter(source_digest__in=list(wanted))
    for digest in known.values_list("source_digest", flat=True):
        wanted.pop(bytes(digest), None)
    if not wanted:
        return []
    caller_ids = sorted({fact.caller_id for fact in wanted.values() if fact.caller_id is not None})
    with transaction.atomic(), vault.holding_callers(client_id=client.pk, caller_ids=caller_ids):
        hold_client(client)
        _mark_known(client, caller_ids)
        wanted |= {digest: _as_told(wanted[digest], _STANDS) for digest in _held_back(client, wanted, at)}
        wanted |= {
            digest: _as_told(wanted[digest], _PERHAPS_LATER) for digest in _perhaps_older(client, wanted, at)
        }
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


def hold_client(client: Client) -> None:
    """
    Keep a client from leaving before the transaction is over: what is written in it is handed over with the rest.

    :raises ClientGoneError: it has left.
    """
    if not tenancy.is_here(client.pk):
        raise ClientGoneError(f"Client {client.pk} is offboarded.")


# --- What a yes may not lift ---


def noes_of(client: Client, caller_id: uuid.UUID, *, at: datetime) -> dict[str, datetime]:
    """Purpose -> since when a caller says no to it: in the ledger, or by a number whose person was erased since."""
    found = dict(vault_selectors.suppressed_callers(client.pk, [caller_id], on=at.date()).get(caller_id, {}))
    states = ConsentState.objects.for_client(client).filter(caller_id=caller_id, state__in=NO_STATES)
    return found | dict(states.values_list("purpose", "since"))


def purposes_held_back(said: Iterable[Said], events: Iterable[ConsentEvent]) -> frozenset[Purpose]:
    """The purposes to which a yes was said and kept as no more than a notice, because an earlier no stands."""
    yes = {(fact.caller_id, fact.purpose) for fact in said if fact.kind in YES_KINDS}
    return frozenset(
        Purpose(event.purpose)
        for event in events
        if event.kind == EventKind.NOTICED and (event.caller_id, event.purpose) in yes
    )


@dataclass(frozen=True, slots=True)
class _Told:
    """A fact among what is known already, for the projection to weigh."""

    id: uuid.UUID
    purpose: str
    kind: str
    scope: str
    strength: str
    happened_at: datetime


def _held_back(client: Client, wanted: Mapping[bytes, Said], at: datetime) -> set[bytes]:
    """Which of these facts are a yes against which a no stands that it is too weak to lift. The callers are held."""
    weak = {
        digest
        for digest, fact in wanted.items()
        if fact.caller_id is not None
        and fact.scope == Scope.STANDING
        and fact.kind in YES_KINDS
        and is_weak(fact.purpose, fact.kind, fact.strength)
    }
    about = {(fact.caller_id, fact.purpose.value) for digest, fact in wanted.items() if digest in weak}
    callers = {caller_id for caller_id, _ in about if caller_id is not None}
    if not callers:
        return set()
    told: dict[tuple[uuid.UUID | None, str], list[Any]] = defaultdict(list)
    rows = ConsentEvent.objects.for_client(client).filter(
        caller_id__in=callers, purpose__in={purpose for _, purpose in about}, scope=Scope.STANDING
    )
    for event in rows.defer("evidence"):
        told[event.caller_id, event.purpose].append(event)
    for caller_id, noes in vault_selectors.suppressed_callers(client.pk, callers, on=at.date()).items():
        for purpose, since in noes.items():
            ours = any(event.kind in NO_KINDS for event in told[caller_id, purpose])
            # Of an erased person's no there is no event: beside it no unproven yes counts, however old it says it is.
            for moment in (since,) if ours else (_EVER, since):
                told[caller_id, purpose].append(
                    _Told(uuid.uuid4(), purpose, EventKind.WITHDRAWN, Scope.STANDING, Strength.C, moment)
                )
    digests: dict[uuid.UUID, bytes] = {}
    for digest, fact in wanted.items():
        if fact.scope == Scope.STANDING and (fact.caller_id, fact.purpose.value) in about:
            identity = uuid.uuid4()
            digests[identity] = digest
            told[fact.caller_id, fact.purpose.value].append(
                _Told(identity, fact.purpose, fact.kind, fact.scope, fact.strength, fact.happened_at)
            )
    return {digests[one] for pair in about for one in projection.idle(told[pair]) if one in digests}


def _perhaps_older(client: Client, wanted: Mapping[bytes, Said], at: datetime) -> set[bytes]:
    """
    Which of these facts are a yes against which a no stands that was perhaps said after it. The callers are held.

    A weak one is among those held back already; a proven one is of one person.
    """
    found = set()
    for digest, fact in wanted.items():
        if (
            fact.said_from is None
            or fact.caller_id is None
            or fact.kind not in YES_KINDS
            or is_weak(fact.purpose, fact.kind, fact.strength)
        ):
            continue
        listed = vault_selectors.suppressed_callers(client.pk, [fact.caller_id], on=at.date())
        since = listed.get(fact.caller_id, {}).get(fact.purpose, _EVER)
        rows = ConsentEvent.objects.for_client(client).filter(
            caller_id=fact.caller_id, purpose=fact.purpose, happened_at__lte=fact.happened_at
        )
        state, deciding = projection.standing(rows.defer("evidence"))
        if state in NO_STATES and deciding is not None:
            since = max(since, deciding.happened_at)
        if fact.said_from <= since <= fact.happened_at:
            found.add(digest)
    return found


def _as_told(fact: Said, why: str) -> Said:
    """A yes that lifts nothing is kept for what it shows: that the person was told."""
    return replace(
        fact,
        kind=EventKind.NOTICED,
        basis=Basis.NOTICE,
        evidence={
            **fact.evidence,
            "said": "yes",
            "did_not_count": why,
        },
    )


# --- What follows from it ---


def _open_withdrawals(client: Client, events: Iterable[ConsentEvent], at: datetime) -> None:
    """
    A standing no is carried to whoever else holds the number; a job plans how.

    Only what counts now: a no that arrives after a later yes asks nothing of anybody.
    """
    said: dict[tuple[uuid.UUID, str, datetime], list[ConsentEvent]] = defaultdict(list)
    for event in events:
        if event.caller_id is not None and event.kind in NO_KINDS and event.scope == Scope.STANDING:
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
    plain = plain_evidence(fact)
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
        guardian_until=fact.guardian_until,
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


def plain_evidence(fact: Said) -> bytes:
    """The evidence of a fact as it is sealed; its SHA-256 is `ConsentEvent.evidence_digest`."""
    return json.dumps(fact.evidence, sort_keys=True, ensure_ascii=False, default=str).encode()


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
                strength=grade_of(deciding.channel, deciding.strength),
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

    What the projection says counts, so that an old yes that arrives late lifts nothing. The list remembers when the no
    was said, so that it can be weighed against a yes in whatever order we learn of them.
    """
    pairs: dict[uuid.UUID, set[str]] = defaultdict(set)
    for event in events:
        if event.caller_id is not None and event.scope == Scope.STANDING:
            pairs[event.caller_id].add(event.purpose)
    states = ConsentState.objects.for_client(client).filter(caller_id__in=list(pairs))
    no: list[vault.No] = []
    yes: dict[uuid.UUID, set[str]] = defaultdict(set)
    for state in states:
        if state.purpose in pairs[state.caller_id]:
            if state.state in NO_STATES:
                no.append(vault.No(state.caller_id, state.purpose, state.since))
            elif state.state == State.GIVEN:
                yes[state.caller_id].add(state.purpose)
    if no:
        vault.suppress_each(client_id=client.pk, said=no)
    # Most have said nothing before, and leave no work behind.
    listed = vault_selectors.suppressed_callers(client.pk, list(yes), on=at.date()) if yes else {}
    for caller_id, noes in listed.items():
        purposes = yes[caller_id] & noes.keys()
        if purposes:
            transaction.on_commit(partial(_lift, client, caller_id, frozenset(purposes), at))


def _lift(client: Client, caller_id: uuid.UUID, purposes: frozenset[str], at: datetime) -> None:
    """
    Take a number off the list for those purposes to which its caller says yes still, by a yes newer than the no.

    Holds the caller as whoever adds an event does: a no that comes in this moment is seen, or comes after it.
    """
    for left in reversed(range(_LIFTED_AFTER)):
        try:
            with client_scope(agency_id=client.agency_id, client_id=client.pk):
                if not Caller.objects.for_client(client).select_for_update().filter(pk=caller_id).exists():
                    return
                noes = vault_selectors.suppressed_callers(client.pk, [caller_id], on=at.date())
                said = noes.get(caller_id, {})
                given = ConsentState.objects.for_client(client).filter(
                    caller_id=caller_id, purpose__in=purposes, state=State.GIVEN
                )
                yeses = dict(given.values_list("purpose", "since"))
                if Purpose.MEASURE in yeses:
                    # "Do not track my calls" is a no to being counted, and one word more.
                    yeses[TRACK] = yeses[Purpose.MEASURE]
                lifted = [
                    purpose for purpose, since in yeses.items() if purpose in said and said[purpose] < since
                ]
                vault.lift_suppressions(client_id=client.pk, caller_id=caller_id, purposes=lifted)
        except OperationalError:
            # Somebody holds the caller for long. A no too many stays, and the next yes lifts it.
            if not left:
                log.warning("ledger.not_lifted", client=client.pk)
            continue
        return


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
