"""
What a system of the agency's writes to the ledger: what people told it, as sure as it can show.

A system says a thing under a key of its own choosing: said again it is the same thing, with other words under the
same key it is refused. A no is taken as it is. A yes is as unproven as a web form, unless the key may vouch for proof
and the proof is of a kind that shows it; and an unproven yes never lifts an earlier no.
"""

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

from django.db import connection

from callprivacy.calls.models import CallRef, Connection
from callprivacy.calls.providers import base, callrail, ctm, invoca, mapped, twilio
from callprivacy.calls.services import people
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault
from callprivacy.vault import services as vault_services
from consent.enums import (
    NO_KINDS,
    NO_STATES,
    YES_KINDS,
    Basis,
    Channel,
    EventKind,
    NoticeState,
    Purpose,
    Scope,
    Strength,
)
from consent.models import ApiWrite, ConsentEvent, ConsentState, NoticeVersion
from consent.services import ledger, menu_calls
from consent.services.ledger import CallerGoneError, Said

KEPT_FOR: Final = timedelta(days=30)
"""How long it is remembered what a system was answered; the ledger itself knows for ever that it was said."""
EARLY_AT_MOST: Final = timedelta(minutes=5)
"""How far the clock of a system may be ahead of ours."""
DETAIL_AT_MOST: Final = 300
DETAILS_AT_MOST: Final = 12

__all__ = ["CallerGoneError", "Proof", "RefusedError", "Statement", "Written", "record"]


class ProofKind(StrEnum):
    KEY_PRESS = "key_press"
    SIGNATURE = "signature"
    CODE = "code"
    TEXT_REPLY = "text_reply"
    EMAIL_REPLY = "email_reply"
    WEB_FORM = "web_form"
    SPOKEN = "spoken"
    ATTESTATION = "attestation"


@dataclass(frozen=True, slots=True)
class _Shown:
    strength: Strength
    details: tuple[str, ...]


SHOWN_BY: Final[Mapping[ProofKind, _Shown]] = {
    ProofKind.KEY_PRESS: _Shown(Strength.A, ("key", "call_reference")),
    ProofKind.SIGNATURE: _Shown(Strength.A, ("document_sha256", "signed_on")),
    ProofKind.CODE: _Shown(Strength.A, ("verification_id",)),
    ProofKind.TEXT_REPLY: _Shown(Strength.A, ("message_id", "words")),
    ProofKind.EMAIL_REPLY: _Shown(Strength.B, ("message_id", "dkim_domain")),
    ProofKind.WEB_FORM: _Shown(Strength.D, ()),
    ProofKind.SPOKEN: _Shown(Strength.C, ()),
    ProofKind.ATTESTATION: _Shown(Strength.C, ()),
}
"""How sure each kind is at best, and the details without which it shows nothing."""
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


class RefusedError(ValueError):
    """
    A statement that is not taken.

    :ivar code: for programs. :ivar field: which part of it.
    """

    def __init__(self, code: str, detail: str, field: str) -> None:
        self.code, self.detail, self.field = code, detail, field
        super().__init__(detail)


class AnotherBodyError(RefusedError):
    """The same idempotency key came before with another body."""


_OTHER_BODY: Final = (
    "idempotency_conflict",
    "This idempotency key was already used with a different body. Use a new key for each request.",
    "Idempotency-Key",
)


_SAID_SINCE: Final = (
    "idempotency_conflict",
    "This idempotency key was already used, and the person has consented since. For a new opt-out, use a new key.",
    "Idempotency-Key",
)


class StandingNoError(RefusedError):
    """A yes that does not lift the no that stands."""


@dataclass(frozen=True, slots=True, repr=False)
class Proof:
    """What a system has to show for what it says."""

    kind: ProofKind
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, repr=False)
class Statement:
    """
    One thing that a person told a system, about one or more purposes.

    :ivar is_now: the system left it out when it happened: when it was sent.
    :ivar call: provider and what it calls the call; needed for scope `this_call`.
    :ivar version_id: the published words that were shown.
    """

    number: str
    kind: EventKind
    purposes: tuple[Purpose, ...]
    scope: Scope
    happened_at: datetime
    basis: Basis = Basis.CONSENT
    call: tuple[str, str] | None = None
    version_id: uuid.UUID | None = None
    proof: Proof | None = None
    is_now: bool = False

    def canonical(self) -> str:
        """The same text for the same statement."""
        return json.dumps(
            [
                self.number, self.kind, sorted(self.purposes), self.scope, self.happened_at.isoformat(), self.basis,
                self.call, str(self.version_id),
                None if self.proof is None else [self.proof.kind, dict(sorted(self.proof.details.items()))],
            ]
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Written:
    """
    What became of a statement.

    :ivar answer: what the system is told, the same when it says the same again.
    :ivar is_repeat: nothing new was written.
    :ivar ends_recording: a recording that runs has to be stopped.
    """

    answer: dict[str, Any]
    is_repeat: bool
    ends_recording: bool = False


def record(
    *,
    client: Client,
    statement: Statement,
    asked: str,
    idempotency_key: str,
    may_vouch: bool,
    by: Actor,
    at: datetime,
) -> Written:
    """
    Write what a person told a system into the ledger, once for each idempotency key. Inside the client's scope.

    :param asked: what the system sent, in a form that is the same for the same body.
    :raises RefusedError: it is not taken, and why.
    :raises CallerGoneError: the number is being erased in this moment; it may be sent again.
    """
    keys = vault.client_keys(client.pk)
    digest = keys.tokens.digest("api", idempotency_key)
    body_digest = keys.tokens.digest("api body", asked)
    row_id = _claim(client, digest, body_digest, at)
    if row_id is None:
        written = _said_before(client, digest, body_digest)
        _refuse_to_swallow(client, statement, at)
        return written
    _check(client, statement, at)
    strength = _strength(statement, may_vouch=may_vouch)
    if people.erased_since(client=client, numbers=[statement.number], said_at=statement.happened_at):
        return _of_the_erased(client, statement, strength, row_id, at)
    caller_id = people.add_callers(client=client, numbers=[statement.number], at=at)[statement.number]
    names = _names_of(client, statement, keys)
    said = _said(statement, caller_id, names, strength, source=f"api {digest.hex()}", at=at)
    events = _written_before(client, said, names, is_now=statement.is_now)
    if events:
        _refuse_to_swallow(client, statement, at)
    else:
        if statement.kind in YES_KINDS:
            _refuse_to_lift(client, statement, caller_id, strength, at)
        events = ledger.record_events(client=client, said=said, by=by, at=at)
        for purpose in sorted(ledger.purposes_held_back(said, events)):
            raise _standing_no(purpose)
    ends_recording = _stop_running(client, events, by, at)
    answer = _answer(statement, strength, events, at)
    ApiWrite.objects.filter(pk=row_id).update(answer=answer)
    return Written(answer, is_repeat=False, ends_recording=ends_recording)


def _answer(
    statement: Statement, strength: Strength, events: Sequence[ConsentEvent], at: datetime
) -> dict[str, Any]:
    return {
        "events": [
            {"id": str(event.pk), "purpose": event.purpose} for event in sorted(events, key=_by_purpose)
        ],
        "kind": statement.kind.value,
        "scope": statement.scope.value,
        "strength": strength.value,
        "recorded_at": at.isoformat(),
    }


def _of_the_erased(
    client: Client, statement: Statement, strength: Strength, row_id: int, at: datetime
) -> Written:
    """
    What a person said before being erased makes nobody again: of a no the number alone is remembered, in the vault's
    list; the ledger gets no event.

    :raises RefusedError: it is no standing no.
    """
    if statement.kind not in NO_KINDS or statement.scope != Scope.STANDING:
        raise RefusedError(
            "erased",
            "This person was erased after that time. Earlier statements are not accepted.",
            "happened_at",
        )
    purposes = [purpose.value for purpose in statement.purposes]
    ledger.hold_client(client)
    vault_services.suppress(
        client_id=client.pk, numbers=[statement.number], purposes=purposes, at=statement.happened_at
    )
    answer = _answer(statement, strength, [], at)
    ApiWrite.objects.filter(pk=row_id).update(answer=answer)
    return Written(answer, is_repeat=False)


def purge(*, agency_id: int, at: datetime, limit: int = 5_000) -> int:
    """Forget what systems were answered more than thirty days ago; returns how many. Enters the scope itself."""
    with job_scope(agency_id=agency_id):
        old = ApiWrite.objects.filter(agency_id=agency_id, created_at__lt=at - KEPT_FOR).order_by(
            "created_at"
        )
        return ApiWrite.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:limit])).remove()


# --- Once for each key ---------------------------------------------------------------------------------------------


def _claim(client: Client, digest: bytes, body_digest: bytes, at: datetime) -> int | None:
    """Take an idempotency key; None where it is taken. Of two at once the second waits for the first to commit."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO consent_apiwrite (agency_id, client_id, digest, body_digest, answer, created_at)"
            " VALUES (%s, %s, %s, %s, '{}', %s) ON CONFLICT (client_id, digest) DO NOTHING RETURNING id",
            [client.agency_id, client.pk, digest, body_digest, at],
        )
        row = cursor.fetchone()
    return None if row is None else int(row[0])


def _said_before(client: Client, digest: bytes, body_digest: bytes) -> Written:
    row = ApiWrite.objects.for_client(client).get(digest=digest)
    if bytes(row.body_digest) != body_digest:
        raise AnotherBodyError(*_OTHER_BODY)
    return Written(row.answer, is_repeat=True)


def _refuse_to_swallow(client: Client, statement: Statement, at: datetime) -> None:
    """
    A no without its own instant that comes again under its key may be another no, if the person has agreed since.

    :raises AnotherBodyError: it may be.
    """
    if not statement.is_now or statement.kind not in NO_KINDS or statement.scope != Scope.STANDING:
        return
    if not set(statement.purposes) <= _noes_of(client, statement.number, at).keys():
        raise AnotherBodyError(*_SAID_SINCE)


def _noes_of(client: Client, number: str, at: datetime) -> Mapping[str, datetime]:
    """To what a number says no; who was erased meanwhile is not made anew to be asked."""
    caller_id = vault.find_callers([client.pk], number).get(client.pk)
    if caller_id is None:
        return vault.suppressed(client.pk, [number], on=at.date()).get(number, {})
    return ledger.noes_of(client, caller_id, at=at)


def _written_before(
    client: Client, said: Sequence[Said], names: Sequence[bytes], *, is_now: bool
) -> list[ConsentEvent]:
    """
    What was written under the same key for the same number; the ledger remembers longer than we remember our answers.

    :param names: every digest that the call may have, by any of which it was written then.
    :raises AnotherBodyError: it was something else.
    """
    if not said:
        return []
    any_of_key = [replace(said[0], purpose=purpose, kind=kind) for purpose in Purpose for kind in EventKind]
    rows = ConsentEvent.objects.for_client(client).filter(
        source_digest__in=ledger.source_digests(client, any_of_key)
    )
    found = list(rows.defer("evidence"))
    facts = {_facts(one, is_now=is_now) for one in said}
    if found and facts != {_facts_written(event, names, is_now=is_now) for event in found}:
        raise AnotherBodyError(*_OTHER_BODY)
    return found


def _facts(fact: Said, *, is_now: bool) -> tuple[Any, ...]:
    return (
        fact.purpose, fact.kind, fact.scope, fact.basis, fact.version_id, fact.call_digest,
        None if is_now else fact.happened_at,
        sha256(ledger.plain_evidence(fact)).digest(),
    )  # fmt: skip


def _facts_written(event: ConsentEvent, names: Sequence[bytes], *, is_now: bool) -> tuple[Any, ...]:
    call_digest = None if event.call_digest is None else bytes(event.call_digest)
    return (
        event.purpose, event.kind, event.scope, event.basis, event.version_id,
        names[0] if call_digest in names else call_digest,
        None if is_now else event.happened_at,
        bytes(event.evidence_digest or b""),
    )  # fmt: skip


def _by_purpose(event: ConsentEvent) -> str:
    return event.purpose


# --- What is taken -------------------------------------------------------------------------------------------------


def _check(client: Client, statement: Statement, at: datetime) -> None:
    if statement.happened_at > at + EARLY_AT_MOST:
        raise RefusedError("in_the_future", "The time is in the future.", "happened_at")
    if statement.happened_at < base.EARLIEST:
        raise RefusedError("too_early", f"The time is earlier than {base.EARLIEST:%Y}.", "happened_at")
    if statement.scope == Scope.THIS_CALL and statement.call is None:
        raise RefusedError("call_missing", "Specify the call: {provider, reference}.", "call")
    if statement.version_id is not None:
        _check_version(client, statement, statement.version_id)


def _check_version(client: Client, statement: Statement, version_id: uuid.UUID) -> None:
    version = (
        NoticeVersion.objects.for_client(client)
        .filter(pk=version_id)
        .exclude(state=NoticeState.DRAFT)
        .select_related("notice")
        .first()
    )
    if version is None:
        raise RefusedError(
            "no_such_notice", "This client has no published notice version with this id.", "notice_version"
        )
    missing = sorted(set(statement.purposes) - set(version.notice.purposes))
    if missing:
        raise RefusedError(
            "not_in_notice", f"This notice version does not cover {', '.join(missing)}.", "notice_version"
        )


def _strength(statement: Statement, *, may_vouch: bool) -> Strength:
    """
    How sure it is: nobody is surer by a program than an unproven form, but who may vouch and shows what shows it.

    :raises RefusedError: the proof lacks a detail without which it shows nothing.
    """
    proof = statement.proof
    if proof is None:
        return Strength.C
    shown = SHOWN_BY[proof.kind]
    for name in shown.details:
        if not proof.details.get(name, "").strip():
            raise RefusedError(
                "proof_incomplete", f"Proof of kind {proof.kind} requires {name}.", f"evidence.details.{name}"
            )
    if (
        proof.kind is ProofKind.SIGNATURE
        and _SHA256.fullmatch(proof.details["document_sha256"].lower()) is None
    ):
        raise RefusedError(
            "proof_incomplete",
            "A SHA-256 digest has 64 hexadecimal digits.",
            "evidence.details.document_sha256",
        )
    return shown.strength if may_vouch else max(shown.strength, Strength.C)


def _refuse_to_lift(
    client: Client, statement: Statement, caller_id: uuid.UUID, strength: Strength, at: datetime
) -> None:
    """
    An unproven yes does not lift a no that came before it, for good or for a call; none by a program lifts one to
    sharing.

    :raises StandingNoError: a no stands against it.
    """
    states = ConsentState.objects.for_client(client).filter(
        caller_id=caller_id, state__in=NO_STATES, since__gte=statement.happened_at
    )
    # A later no needs no help. Of an erased person's only the list knows, and everything said now would come after it.
    later = set(states.values_list("purpose", flat=True))
    for purpose in sorted(ledger.noes_of(client, caller_id, at=at)):
        if purpose not in statement.purposes or purpose in later:
            continue
        if purpose == Purpose.SHARE or strength in {Strength.C, Strength.D}:
            raise _standing_no(purpose)


def _standing_no(purpose: str) -> StandingNoError:
    if purpose == Purpose.SHARE:
        return StandingNoError(
            "standing_no",
            "The person opted out of sharing. Only the person can opt in again, in two steps, on your page or by text.",
            "purposes",
        )
    return StandingNoError(
        "standing_no",
        f"The person opted out of {purpose}. Consent without proof does not lift the opt-out. Have the person opt in on"
        " your page or by text, or send proof with an API key that can attest it.",
        "purposes",
    )


def _said(
    statement: Statement,
    caller_id: uuid.UUID,
    names: Sequence[bytes],
    strength: Strength,
    *,
    source: str,
    at: datetime,
) -> list[Said]:
    """What goes into the ledger. Where its clock is ahead of ours it counts from now, and outlasts no later no."""
    proof = statement.proof
    evidence: dict[str, Any] = {
        "said": statement.kind.value,
        "proof": None if proof is None else proof.kind.value,
    }
    if proof is not None:
        evidence["details"] = dict(proof.details)
    return [
        Said(
            purpose=purpose,
            kind=_kind(statement, purpose),
            channel=Channel.API,
            strength=strength,
            happened_at=min(statement.happened_at, at),
            source=source,
            caller_id=caller_id,
            call_digest=names[0] if names else None,
            scope=statement.scope,
            basis=Basis.NOTICE if statement.kind == EventKind.NOTICED else statement.basis,
            version_id=statement.version_id,
            evidence=evidence,
        )
        for purpose in statement.purposes
    ]


def _kind(statement: Statement, purpose: Purpose) -> EventKind:
    """To sharing `renewed` says that the person was asked twice by us, which no program can say."""
    if purpose == Purpose.SHARE and statement.kind == EventKind.RENEWED:
        return EventKind.GIVEN
    return statement.kind


def _names_of(client: Client, statement: Statement, keys: vault.ClientKeys) -> list[bytes]:
    """
    The digests that the call of a statement may have, first the one by which the ledger is to name it.

    A tracker without a module of its own is told of here by one of two names, of which a system that says `generic`
    knows nothing: meant is the call that has the name, and before it is here the tracker that the client has.
    """
    if statement.call is None:
        return []
    provider, reference = statement.call
    kind = kind_of_reference(provider, reference)
    first = keys.tokens.digest(provider, kind, reference)
    if provider != "generic":
        return [first]
    others = {keys.tokens.digest(one, kind, reference): one for one in sorted(mapped.NAMES)}
    here = CallRef.objects.for_client(client).filter(digest__in=[first, *others])
    named = {bytes(digest) for digest in here.values_list("digest", flat=True)}
    open_ones = Connection.objects.for_client(client).filter(provider__in=mapped.NAMES, is_active=True)
    trackers = set() if named else set(open_ones.values_list("provider", flat=True))
    return sorted(
        [first, *others],
        key=lambda digest: (digest not in named, others.get(digest) not in trackers),
    )


def kind_of_reference(provider: str, reference: str) -> str:
    """The kind of name that a provider's reference is, as its module keeps it."""
    if provider == "callrail":
        return callrail.RESOURCE_ID if reference.startswith("CAL") else callrail.ID
    if provider == "ctm":
        return ctm.ID if reference.isdigit() else ctm.SID
    return {"twilio": twilio.SID, "invoca": invoca.CALL}.get(provider, "id")


def _stop_running(client: Client, events: Sequence[ConsentEvent], by: Actor, at: datetime) -> bool:
    """A recording that runs in this moment of who takes recording back is stopped."""
    found = False
    for event in events:
        if event.purpose == Purpose.RECORD and event.kind in NO_KINDS and event.caller_id is not None:
            menu_calls.stop_running(client=client, caller_id=event.caller_id, by=by, at=at, event_id=event.pk)
            found = True
    return found
