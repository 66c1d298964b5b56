"""
What comes by mail, from a provider's webhook or as a file: an answer, a withdrawal, a bounce, or something to read.

A message settles something by itself only where the receiving server vouches for its sender and the sender is the
person we wrote to. Everything else waits for a person; what a robot answered does nothing.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import KeyPurpose
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import client_scope
from callprivacy.tenancy.selectors import find_public_key
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import Place
from consent.channels import mail_in, mail_words
from consent.channels.mail_in import Kind, Mail, UnreadableError
from consent.enums import Channel, InvitationState, Purpose, ReplyState, Strength
from consent.models import Invitation, Reply
from consent.replies import Verdict, classify
from consent.replies.table import EVERYTHING
from consent.services import invitations, ledger, texts

__all__ = ["NobodysError", "Outcome", "UnreadableError", "take_in", "take_in_by_address"]

KEPT_FOR: Final = timedelta(days=30)
ANSWER_WITHIN: Final = timedelta(days=30)
_ENDING_AT_MOST: Final = 15
"""Words of a greeting, a name and a firm below an answer."""

# A plain no to a question refuses what was asked, and withdraws nothing else.
_NO: Final = re.compile(r"\s*no(pe)?[,.!\s]*(thanks?( you)?|gracias)?[.!\s]*", re.IGNORECASE)
_PERHAPS: Final = re.compile(r"\W*(yes|yeah|yep|sure|ok|okay|s[íi]|claro|vale|no)\b", re.IGNORECASE)
_OPEN: Final = (InvitationState.SENT, InvitationState.REMINDED)


class NobodysError(LookupError):
    """A message that went to no address of ours."""


class Outcome(StrEnum):
    """What became of a message."""

    WITHDRAWN = "withdrawn"
    AGREED = "agreed"
    REFUSED = "refused"
    NOTHING = "nothing"
    BOUNCED = "bounced"
    ROBOT = "robot"
    WAITING = "waiting"
    KNOWN = "known"


@dataclass(frozen=True, slots=True, repr=False)
class _Matter:
    """A message inside the scope of the client it is about."""

    client: Client
    mail: Mail
    invitation: Invitation | None
    by: Actor
    at: datetime

    @property
    def is_own(self) -> bool:
        """Whether the sender is the very address that we wrote to."""
        row = self.invitation
        return row is not None and bytes(row.address_digest or b"") == _digest(
            self.client, "address", self.mail.sender
        )


def take_in_by_address(raw: bytes, *, trusted: Collection[str], at: datetime) -> tuple[Outcome, int]:
    """
    Take in a message that a provider delivered; whose it is stands in its address. Returns what, and the agency.

    Enters the client's scope itself.

    :raises UnreadableError: it is no message.
    :raises NobodysError: it went to nobody.
    """
    mail = mail_in.read(raw, trusted=trusted)
    for address in mail.recipients:
        named = mail_words.read_recipient(address)
        owner = find_public_key(named[0], KeyPurpose.ASK) if named else None
        if named is None or owner is None or owner.client_id is None:
            continue
        with client_scope(agency_id=owner.agency_id, client_id=owner.client_id):
            client = Client.objects.select_related("agency").get(pk=owner.client_id)
            by = Actor.client("consent.email")
            return _settle(client, mail, secret=named[1], by=by, at=at), owner.agency_id
    raise NobodysError("It went to no address of ours.")


def take_in(raw: bytes, *, client: Client, trusted: Collection[str], by: Actor, at: datetime) -> Outcome:
    """
    Take in a message that a person brought as a file. Inside a scope that may write the client's consent.

    :raises UnreadableError: it is no message.
    """
    mail = mail_in.read(raw, trusted=trusted)
    secret = next(
        (named[1] for address in mail.recipients if (named := mail_words.read_recipient(address))), ""
    )
    return _settle(client, mail, secret=secret, by=by, at=at)


@transaction.atomic
def _settle(client: Client, mail: Mail, *, secret: str, by: Actor, at: datetime) -> Outcome:
    digest = _digest(client, "mail", mail.message_id or sha256(mail.text.encode()).hexdigest())
    if Reply.objects.for_client(client).filter(message_digest=digest).exists():
        return Outcome.KNOWN
    matter = _Matter(client, mail, _invitation(client, mail, secret), by, at)
    if mail.kind is not Kind.PERSON:
        return _of_a_machine(matter)
    verdict = _verdict(mail.text)
    reply = Reply(
        agency_id=client.agency_id,
        client=client,
        caller_id=matter.invitation.caller_id if matter.invitation is not None else None,
        invitation=matter.invitation,
        channel=Channel.EMAIL,
        message_digest=digest,
        label=verdict.label,
        why=verdict.why[:300],
        proof=mail.proof[:200],
        state=ReplyState.SETTLED,
        received_at=at,
        purge_at=at + KEPT_FOR,
    )
    reply.save(force_insert=True)
    outcome = _meant(matter, reply, verdict)
    if outcome is Outcome.WAITING:
        reply.state = ReplyState.WAITING
        reply.text = _key(reply, at).seal(
            mail.text.encode() or b"(no words)", Place(client.pk, Reply._meta.db_table, "text", reply.pk)
        )
    reply.save(update_fields=["state", "text", "why"])
    audit.record("mail.taken_in", by=by, at=at, subject=reply, outcome=outcome.value, proven=mail.is_proven)
    return outcome


def _verdict(text: str) -> Verdict:
    """
    What a letter means: as a whole, or, where the whole says nothing, by its first paragraph before a short ending.

    "I agree." above a name and a firm is an answer; above a page of other matters it is not sure to be one.
    """
    whole = classify(text, channel="email")
    first, rest = _parted(text)
    if whole.label != "none" or not rest or len(rest.split()) > _ENDING_AT_MOST:
        return whole
    return classify(first, channel="email")


def _parted(text: str) -> tuple[str, str]:
    first, _, rest = text.partition("\n\n")
    return first.strip(), rest.strip()


def _of_a_machine(matter: _Matter) -> Outcome:
    if matter.mail.kind is Kind.ROBOT:
        return Outcome.ROBOT
    row = matter.invitation
    if row is not None and row.state in {InvitationState.QUEUED, *_OPEN}:
        invitations.note_bounce(row=row, at=matter.at)
        audit.record("invitation.bounced", by=matter.by, at=matter.at, subject=row)
        return Outcome.BOUNCED
    return Outcome.ROBOT


def _meant(matter: _Matter, reply: Reply, verdict: Verdict) -> Outcome:
    """What follows at once; whatever is not proven and clear waits for a person."""
    row = matter.invitation
    first, rest = _parted(matter.mail.text)
    is_no = _NO.fullmatch(first) is not None and len(rest.split()) <= _ENDING_AT_MOST
    is_no = is_no and row is not None and row.state in _OPEN
    if verdict.label in {"none", "help"} and not verdict.needs_person and not is_no:
        # What begins with a yes may be one, in words that nobody foresaw.
        begins = row is not None and row.state in _OPEN and _PERHAPS.match(first) is not None
        return Outcome.WAITING if begins else Outcome.NOTHING
    if verdict.label == "review" or verdict.needs_person or row is None:
        return Outcome.WAITING
    if not matter.mail.is_proven or not matter.is_own:
        whose = (
            matter.mail.proof if not matter.mail.is_proven else "It is not from the address that we wrote to."
        )
        reply.why = f"{verdict.why} {whose}"[:300]
        return Outcome.WAITING
    evidence = {
        "by": "e-mail",
        "text": matter.mail.text[:2000],
        "why": verdict.why,
        "proof": matter.mail.proof,
        "message": sha256(matter.mail.message_id.encode()).hexdigest(),
    }
    source = f"mail {matter.mail.message_id or reply.pk}"
    if verdict.label == "withdraw":
        return _withdraw(matter, row, verdict, source, evidence)
    if row.sent_at is None or row.sent_at + ANSWER_WITHIN < matter.at or row.state not in _OPEN:
        reply.why = f"{verdict.why} It answers no question that is open."[:300]
        return Outcome.WAITING
    purposes = [] if is_no else [Purpose(purpose) for purpose in row.version.notice.purposes]
    invitations.write_answer(row=row, agreed=purposes, source=source, evidence=evidence, at=matter.at)
    return Outcome.REFUSED if is_no else Outcome.AGREED


def _withdraw(
    matter: _Matter, row: Invitation, verdict: Verdict, source: str, evidence: dict[str, Any]
) -> Outcome:
    """A plain no to a question is a refusal of what was asked; anything more is a withdrawal of what was said."""
    purposes: frozenset[Purpose] = verdict.purposes or EVERYTHING
    texts.withdraw(
        client=matter.client,
        caller_id=row.caller_id,
        purposes=purposes,
        channel=Channel.EMAIL,
        strength=Strength.B,
        source=source,
        evidence=evidence,
        said_at=matter.at,
        by=matter.by,
        at=matter.at,
    )
    Invitation.objects.for_client(matter.client).filter(pk=row.pk).update(
        state=InvitationState.ANSWERED, answered_at=matter.at, due_at=None, address=None
    )
    return Outcome.WITHDRAWN


def _digest(client: Client, kind: str, value: str) -> bytes:
    return vault_selectors.client_keys(client.pk).tokens.digest(kind, value)


def _invitation(client: Client, mail: Mail, secret: str) -> Invitation | None:
    """Which letter of ours it answers: by the address it went to, by the letter's id, else by who it is from."""
    rows = (
        Invitation.objects.for_client(client)
        .filter(channel=Channel.EMAIL)
        .exclude(state=InvitationState.PURGED)
        .select_related("version__notice", "client")
        .select_for_update(of=("self",))
        .order_by("-created_at", "-pk")
    )
    if secret:
        found = rows.filter(link_digest=sha256(secret.encode()).digest()).first()
        if found is not None:
            return found
    digests = [_digest(client, "message", one) for one in mail.about[:20]]
    found = rows.filter(message_digest__in=digests).first() if digests else None
    if found is not None or not mail.sender or mail.kind is not Kind.PERSON:
        return found
    return rows.filter(address_digest=_digest(client, "address", mail.sender)).first()


def _key(reply: Reply, at: datetime) -> Any:
    if reply.caller_id is None:
        return vault.purpose_key(client_id=reply.client_id, purpose=ledger.EVIDENCE, at=at)
    keys: dict[uuid.UUID, Any] = vault_selectors.evidence_keys(reply.client_id, [reply.caller_id])
    return keys[reply.caller_id]
