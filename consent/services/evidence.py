"""
The pack of evidence: everything about one person's consent, with what vouches for it, in one file that anybody can
check who has the public key and knows nothing of this machine.

That it is taken, by whom and why is written down first. The person's number is not in it.
"""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from callprivacy.audit import leaves
from callprivacy.audit import services as audit
from callprivacy.calls.models import Caller
from callprivacy.calls.services.reveals import ReasonTooShortError, checked_reason
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import models as tenancy
from callprivacy.tenancy.models import Agency
from callprivacy.vault import signing
from consent.channels import dpv, evidence_pdf, packing
from consent.enums import Channel, EventKind, Purpose, State
from consent.models import ConsentEvent, ConsentState, Decision, NoticeVersion, TermsDocument
from consent.selectors import notices, people, proofs
from consent.selectors.people import Carried, Dossier, Person
from consent.selectors.proofs import Proof
from consent.services import ledger

__all__ = ["NothingKnownError", "Pack", "ReasonTooShortError", "export"]

EVIDENCE, PDF, README = "evidence.json", "evidence.pdf", "README.txt"
# What the person did by a key, a form, a text or a signature; the others are said about the person.
_BY_THE_PERSON: Final = frozenset(
    {Channel.WEB, Channel.EMAIL, Channel.TERMS, Channel.MENU, Channel.SMS, Channel.PORTAL, Channel.TRACKER}
)
_NOT_SEALED: Final = "No signed checkpoint covers it yet. Download the pack again in two minutes."
_NOT_READABLE: Final = "Downloaded without permission to read the audit log. An officer's pack has the proof."
_NO_NUMBER: Final = (
    "The person's number. Team members with permission can reveal it on the page of a call, which is logged."
)
_BY_SIGNATURE_ALONE: Final = (
    "Separate proof of decisions and vendor steps: only this pack's signature proves them. The signed audit log proves"
    " events, texts, and evidence."
)


class NothingKnownError(LookupError):
    """The ledger knows nothing of this person."""


@dataclass(frozen=True, slots=True, repr=False)
class Pack:
    """A pack that is ready: its file, and how much of it a seal vouches for."""

    name: str
    data: bytes
    events: int
    proven: int


@transaction.atomic
def export(*, person: Person, agency: Agency, reason: str, by: Actor, at: datetime) -> Pack:
    """
    Write down why, and return the pack of a person's evidence.

    In the scope of a person who may see the client's calls.

    :raises ReasonTooShortError: the reason has fewer than 15 characters.
    :raises NothingKnownError: there is no event of that person.
    """
    reason = checked_reason(reason)
    known = people.dossier(person.client, person.caller_id)
    if not known.events:
        raise NothingKnownError("The ledger knows nothing of this person.")
    pack_id = uuid.uuid4()
    audit.record(
        "evidence.exported",
        by=by,
        at=at,
        subject=person.caller or Caller(pk=person.caller_id, client_id=person.client.pk),
        reason=reason,
        pack=str(pack_id),
        events=len(known.events),
    )
    found = proofs.proofs_of(person.client.agency_id, list(known.recorded_with))
    evidence = _Writer(person, agency, known, found, pack_id, by=by, at=at).evidence()
    text = json.dumps(evidence, ensure_ascii=False, indent=1).encode()
    data = packing.pack(
        {
            README: _readme(person, pack_id).encode(),
            EVIDENCE: text,
            PDF: evidence_pdf.document(evidence, zone=person.client.time_zone),
        },
        pack_id=str(pack_id),
        made_at=leaves.instant(at),
        key_id=signing.key_id(signing.public_key()),
        sign=signing.sign,
    )
    label = person.name.removeprefix("Caller ")
    proven = sum(
        1
        for event in known.events
        if event.audit_event_id in found and found[event.audit_event_id].seal is not None
    )
    return Pack(f"evidence-{label}-{at:%Y-%m-%d}.zip", data, len(known.events), proven)


class _Writer:
    """Turns what is known into the members of `evidence.json`; docs/evidence.md says what each is."""

    def __init__(
        self,
        person: Person,
        agency: Agency,
        known: Dossier,
        found: Mapping[int, Proof],
        pack_id: uuid.UUID,
        *,
        by: Actor,
        at: datetime,
    ) -> None:
        self.person, self.agency, self.known, self.proofs = person, agency, known, found
        self.client = person.client
        self.pack_id, self.by, self.at = pack_id, by, at
        self.opened = ledger.evidence_of(client=self.client, events=known.events, at=at)

    def evidence(self) -> dict[str, Any]:
        return {
            "@context": dict(dpv.CONTEXT),
            "@graph": self._records(),
            "pack": packing.NAME,
            "v": packing.VERSION,
            "id": str(self.pack_id),
            "made_at": leaves.instant(self.at),
            "made_by": self.by.name,
            "about": self._about(),
            "states": [_state(row) for row in self.known.states],
            "events": [self._event(event) for event in self.known.events],
            "notices": [_version(version) for version in self.known.versions],
            "documents": [_document(document) for document in self.known.documents],
            "decisions": [_decision(decision) for decision in self.known.decisions],
            "withdrawals": [_withdrawal(row) for row in self.known.withdrawals],
            "trail": self._trail(),
            "keys": [
                {"id": key_id, "public": public.hex()} for key_id, public in signing.public_keys().items()
            ],
            "not_in_it": self._not_in_it(),
        }

    def _about(self) -> dict[str, Any]:
        erased = self.person.erased
        return {
            "agency": {"id": self.agency.pk, "name": self.agency.name},
            "client": {
                "id": self.client.pk,
                "name": self.client.name,
                "legal_name": self.client.legal_name,
                "time_zone": self.client.time_zone,
            },
            "person": {
                "id": str(self.person.caller_id),
                "name": self.person.name,
                "erased_on": erased.on.isoformat() if erased and erased.on else None,
                "is_erased": erased is not None,
                "evidence_kept_until": erased.kept_until.isoformat()
                if erased and erased.kept_until
                else None,
            },
        }

    def _event(self, event: ConsentEvent) -> dict[str, Any]:
        plain = _plain(self.opened[event.pk]) if event.pk in self.opened else None
        return {
            "id": str(event.pk),
            "client": event.client_id,
            "caller": str(event.caller_id),
            "purpose": event.purpose,
            "kind": event.kind,
            "basis": event.basis,
            "scope": event.scope,
            "channel": event.channel,
            "strength": event.strength,
            "version": str(event.version_id) if event.version_id else None,
            "document": str(event.document_id) if event.document_id else None,
            "happened_at": event.happened_at.astimezone(UTC).isoformat(),
            "recorded_at": event.recorded_at.astimezone(UTC).isoformat(),
            "recorded_by": event.recorded_by,
            "evidence_digest": bytes(event.evidence_digest or b"").hex(),
            "call_digest": bytes(event.call_digest or b"").hex(),
            "fingerprint": ledger.fingerprint(event).hex(),
            "evidence": plain,
            "trail": event.audit_event_id,
        }

    def _trail(self) -> list[dict[str, Any]]:
        return [
            self._trail_entry(event_id, recorded)
            for event_id, recorded in sorted(self.known.recorded_with.items())
        ]

    def _trail_entry(self, event_id: int, recorded: Iterable[ConsentEvent]) -> dict[str, Any]:
        fingerprints = sorted(ledger.fingerprint(event).hex() for event in recorded)
        proof = self.proofs.get(event_id)
        found: dict[str, Any] = {"id": event_id, "event": None, "fingerprints": fingerprints, "proof": None}
        if proof is None:
            return {**found, "why_not": _NOT_READABLE}
        found["event"] = proof.event.as_leaf()
        if proof.seal is None:
            return {**found, "why_not": _NOT_SEALED}
        found["proof"] = {
            "seal": proof.seal.message().as_dict(),
            "signature": bytes(proof.seal.signature).hex(),
            "index": proof.index,
            "path": [step.hex() for step in proof.path],
        }
        return found

    def _not_in_it(self) -> list[str]:
        found = [_NO_NUMBER, "Recordings and transcripts.", _BY_SIGNATURE_ALONE]
        found += [f"Mandatory in {dpv.SCHEMA} and unknown here: {name}." for name in dpv.NOT_KNOWN]
        unopened = sum(1 for event in self.known.events if event.pk not in self.opened)
        if unopened:
            found.append(f"The evidence of {unopened} events: its key is destroyed.")
        if self.known.more_events:
            found.append(f"Events before the latest {people.EVENTS_AT_MOST:,}.")
        if self.known.more_decisions:
            found.append(f"Decisions before the latest {people.DECISIONS_AT_MOST:,}.")
        return found

    # --- In the terms of ISO/IEC TS 27560 ---

    def _records(self) -> list[dict[str, Any]]:
        states = {row.purpose: State(row.state) for row in self.known.states}
        return [
            self._record(purpose, states.get(purpose, State.NONE))
            for purpose in Purpose
            if any(event.purpose == purpose for event in self.known.events)
        ]

    def _record(self, purpose: Purpose, state: State) -> dict[str, Any]:
        events = [event for event in self.known.events if event.purpose == purpose]
        named = {event.version_id for event in events}
        return dpv.consent_record(
            dpv.Record(
                id=str(uuid.uuid5(self.pack_id, purpose)),
                principal=str(self.person.caller_id),
                purpose=purpose,
                state=state,
                controller=dpv.Party(
                    f"client-{self.client.pk}", self.client.legal_name, self.client.policy_url
                ),
                processor=dpv.Party(f"agency-{self.agency.pk}", self.agency.name),
                happened=[_happened(event) for event in events],
                told=[_told(version) for version in self.known.versions if version.pk in named],
                jurisdictions=self._jurisdictions(),
                kept_for_days=self.client.keep_for_days,
                installation=settings.CALLPRIVACY_URL,
            )
        )

    def _jurisdictions(self) -> list[str]:
        places = {str(place) for place in tenancy.Place.objects.for_client(self.client)}
        decided = {
            f"{place['country']}-{place['region']}" if place.get("region") else str(place["country"])
            for decision in self.known.decisions
            for place in decision.places
            if place.get("country")
        }
        return sorted(places | decided) or [self.client.home_country]


def _plain(opened: Any) -> str:
    """The evidence as it was sealed, of which the ledger holds the digest."""
    return json.dumps(opened, sort_keys=True, ensure_ascii=False)


def _happened(event: ConsentEvent) -> dpv.Happened:
    by_person = event.channel in _BY_THE_PERSON
    return dpv.Happened(
        id=str(event.pk),
        kind=EventKind(event.kind),
        at=event.happened_at.astimezone(UTC).isoformat(),
        basis=event.basis,
        notice_id=str(event.version_id) if event.version_id else "",
        by="the person" if by_person else event.recorded_by,
        expressed=by_person,
    )


def _told(version: NoticeVersion) -> dpv.Told:
    return dpv.Told(str(version.pk), version.notice.language, version.withdraw, version.policy_url)


def _version(version: NoticeVersion) -> dict[str, Any]:
    return {
        "id": str(version.pk),
        "name": version.notice.name,
        "number": version.number,
        "published_at": version.published_at.astimezone(UTC).isoformat() if version.published_at else None,
        "retired_at": version.retired_at.astimezone(UTC).isoformat() if version.retired_at else None,
        "facts": notices.facts_of(version),
        "digest": bytes(version.digest or b"").hex(),
    }


def _document(document: TermsDocument) -> dict[str, Any]:
    return {
        "id": str(document.pk),
        "name": document.name,
        "clause": document.clause,
        "stands_apart": document.stands_apart,
        "is_list": document.is_list,
        "signed_on": document.signed_on.isoformat(),
        "file_sha256": bytes(document.file_digest).hex(),
        "media_type": document.media_type,
        "bytes": document.size,
    }


def _state(row: ConsentState) -> dict[str, Any]:
    return {
        "purpose": row.purpose,
        "state": row.state,
        "since": row.since.astimezone(UTC).isoformat(),
        "event": str(row.event_id) if row.event_id else None,
        "strength": row.strength,
    }


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "call": str(decision.call_id),
        "purpose": decision.purpose,
        "allowed": decision.allowed,
        "lawful": decision.lawful,
        "standard_met": decision.standard_met,
        "standard": decision.standard,
        "basis": decision.basis,
        "event": str(decision.event_id) if decision.event_id else None,
        "rules": list(decision.rules),
        "reasons": list(decision.reasons),
        "places": decision.places,
        "withheld_from": (
            decision.withheld_from.astimezone(UTC).isoformat() if decision.withheld_from else None
        ),
        "rules_of": decision.pack,
        "decided_at": decision.decided_at.astimezone(UTC).isoformat(),
    }


def _withdrawal(carried: Carried) -> dict[str, Any]:
    row = carried.row
    return {
        "id": str(row.pk),
        "purposes": list(row.purposes),
        "events": [str(event_id) for event_id in row.event_ids],
        "channel": row.channel,
        "happened_at": row.happened_at.astimezone(UTC).isoformat(),
        "stopped_at": row.stopped_at.astimezone(UTC).isoformat(),
        "outer_limit": row.outer_at.astimezone(UTC).isoformat() if row.outer_at else None,
        "law": row.law,
        "closed_at": row.closed_at.astimezone(UTC).isoformat() if row.closed_at else None,
        "steps": [
            {
                "step": step.task.step,
                "vendor": step.vendor,
                "state": step.task.state,
                "law": step.task.law,
                "asked_at": step.task.sent_at.astimezone(UTC).isoformat() if step.task.sent_at else None,
                "done_at": step.task.done_at.astimezone(UTC).isoformat() if step.task.done_at else None,
                "receipt": step.task.receipt,
            }
            for step in carried.steps
        ],
    }


def _readme(person: Person, pack_id: uuid.UUID) -> str:
    lines: Sequence[str] = (
        f"Evidence of consent: {person.name} at {person.client.legal_name}",
        f"Pack {pack_id}",
        "",
        "evidence.pdf   for reading",
        "evidence.json  machine-readable, with every proof; JSON-LD in the terms of ISO/IEC TS 27560:2023",
        "manifest.json  the digest of each file, and manifest.sig its Ed25519 signature",
        "",
        "To check it on any machine with Python 3.10 or later and no network:",
        "",
        "    python verify_evidence.py PACK.zip --key PUBLIC_KEY",
        "",
        "The program and the description of each format ship with CallPrivacy (tools/, docs/evidence.md). Get the",
        "agency's public key from a source other than this file: a forged pack can contain a forged key.",
        "",
    )
    return "\n".join(lines)
