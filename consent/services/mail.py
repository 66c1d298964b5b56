"""
What comes by mail, from a provider's webhook or as a file: an answer, a withdrawal, a bounce, or something to read.

A message settles something by itself only where the receiving server vouches for its sender and the sender is the
person we wrote to. Everything else waits for a person; what a robot answered does nothing. A withdrawal from an
address that several people gave counts for each of them, and a yes from there for nobody before a person says whose.
"""

import re
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from callprivacy.audit import services as audit
from callprivacy.calls.models import Caller
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import KeyPurpose
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import client_scope
from callprivacy.tenancy.selectors import find_public_key
from callprivacy.vault import selectors as vault_selectors
from consent.channels import mail_in, mail_words
from consent.channels.mail_in import Kind, Mail, UnreadableError
from consent.enums import Channel, InvitationState, Purpose, ReplyState, Strength
from consent.models import Invitation, Reply
from consent.replies import Verdict, classify
from consent.replies.table import EVERYTHING
from consent.services import invitations, texts

__all__ = ["News", "NobodysError", "Outcome", "UnreadableError", "note_news", "take_in", "take_in_by_address"]

KEPT_FOR: Final = timedelta(days=30)
ANSWER_WITHIN: Final = timedelta(days=30)
_ENDING_AT_MOST: Final = 15
"""Words of a greeting, a name and a firm below an answer."""

_PERHAPS: Final = re.compile(r"\W*(yes|yeah|yep|sure|ok|okay|s[íi]|claro|vale|no)\b", re.IGNORECASE)
# What takes a consent back where it answers our own letter, which is about nothing else.
_BACK: Final = re.compile(
    r"\b(take|taking|want|have) (it|this|that|(my|the) (consent|permission|agreement|yes)) back\b"
    r"|\btake back (my|the)\b"
    r"|\bchanged my mind\b|\b(withdraw|revoke|cancel|retract)(ing|s)?\b|\bno longer (want|agree|wish)\b"
    r"|\b(retiro|retirarlo|retirar mi|revoco|anulo|cancelo)\b|\b(cambi[eé]|he cambiado) de (opini[oó]n|idea)\b",
    re.IGNORECASE,
)
_BACK_AT_MOST: Final = 15
_SHARED_AT_MOST: Final = 50
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
    """
    A message inside the scope of the client it is about.

    :ivar asked: the letters that it may be about, one a person; several where people share an address.
    :ivar answers: whether it answers that very letter, and is not only from the address that one went to.
    """

    client: Client
    mail: Mail
    asked: tuple[Invitation, ...]
    answers: bool
    by: Actor
    at: datetime

    @property
    def invitation(self) -> Invitation | None:
        """The one letter that it is about; None where there is none, or nobody can tell which."""
        return self.asked[0] if len(self.asked) == 1 else None

    @property
    def is_own(self) -> bool:
        """Whether the sender is the very address that we wrote to."""
        digest = _digest(self.client, "address", self.mail.sender)
        return bool(self.asked) and all(bytes(row.address_digest or b"") == digest for row in self.asked)

    @property
    def takes_back(self) -> bool:
        """Whether it says a plain no to our question, or takes back a yes to it."""
        row, (first, rest) = self.invitation, _parted(self.mail.text)
        if row is None or len(rest.split()) > _ENDING_AT_MOST:
            return False
        if texts.PLAIN_NO.fullmatch(first):
            return row.state in _OPEN or (self.answers and row.state == InvitationState.ANSWERED)
        short = len(first.split()) <= _BACK_AT_MOST
        return self.answers and short and _BACK.search(first) is not None


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
    raise NobodysError("It was not sent to one of our addresses.")


class News(StrEnum):
    """What a provider that sends our mail tells of a letter."""

    BOUNCED = "bounced"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"


def note_news(letter: str, *, news: News, at: datetime) -> int | None:
    """
    Heed what a provider tells of a letter; returns the agency, or None where it is no letter of ours.

    A letter that came back ends the letters; a complaint or an unsubscription also withdraws contact. Enters the
    client's scope itself.
    """
    named = mail_words.read_mark(letter)
    owner = find_public_key(named[0], KeyPurpose.ASK) if named else None
    if named is None or owner is None or owner.client_id is None:
        return None
    by = Actor.client("consent.email")
    with client_scope(agency_id=owner.agency_id, client_id=owner.client_id):
        client = Client.objects.select_related("agency").get(pk=owner.client_id)
        rows, _ = _asked_by_link(client, named[1])
        for row in rows:
            if news is not News.BOUNCED:
                _no_more_contact(row, news, by=by, at=at)
            elif row.state in {InvitationState.QUEUED, *_OPEN}:
                invitations.note_bounce(row=row, at=at)
                audit.record("invitation.bounced", by=by, at=at, subject=row)
    return owner.agency_id


def _no_more_contact(row: Invitation, news: News, *, by: Actor, at: datetime) -> None:
    texts.withdraw(
        client=row.client,
        caller_id=row.caller_id,
        purposes=frozenset({Purpose.CONTACT}),
        channel=Channel.EMAIL,
        strength=Strength.B,
        source=invitations.source_of_no(row, news.value),
        evidence={"by": "the email provider", "tells": news.value, "invitation": str(row.pk)},
        said_at=at,
        by=by,
        at=at,
    )
    Invitation.objects.for_client(row.client_id).filter(pk=row.pk).update(
        state=InvitationState.ANSWERED, answered_at=at, due_at=None, address=None
    )


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
    digest = _digest(client, "mail", mail.message_id)
    if Reply.objects.for_client(client).filter(message_digest=digest).exists():
        return Outcome.KNOWN
    asked, answers = _asked(client, mail, secret)
    matter = _Matter(client, mail, asked, answers, by, at)
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
        sender_digest=_digest(client, "address", mail.sender) if mail.sender else None,
        label=verdict.label,
        why=texts.unquoted(verdict.why),
        proof=mail.proof[:200],
        state=ReplyState.SETTLED,
        received_at=at,
        purge_at=at + KEPT_FOR,
    )
    reply.save(force_insert=True)
    outcome = _meant(matter, reply, verdict)
    if outcome is Outcome.WAITING:
        reply.state = ReplyState.WAITING
        reply.text = texts.sealed(reply, mail.text or "(no words)", at=at)
    reply.save(update_fields=["state", "text", "why", "label"])
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
    """
    What follows at once; whatever is not proven and clear waits for a person.

    What waits and may be a withdrawal is labelled `review`: it counts as one when nobody has decided in time.
    """
    row, takes_back = matter.invitation, matter.takes_back
    if verdict.label in {"none", "help"} and not verdict.needs_person and not takes_back:
        return _speaks_of_nothing(matter, reply)
    withdraws = verdict.label == "withdraw"
    if verdict.label == "review" or (verdict.needs_person and not withdraws):
        return Outcome.WAITING
    unproven = _unproven(matter)
    if unproven or (row is None and not withdraws):
        if withdraws or (takes_back and row is not None and row.state not in _OPEN):
            reply.label = "review"
        reply.why = f"{reply.why} {unproven or 'Several callers have this address.'}"[:300]
        return Outcome.WAITING
    evidence = {
        "by": "e-mail",
        "text": matter.mail.text[:2000],
        "why": verdict.why,
        "proof": matter.mail.proof,
        "message": sha256(matter.mail.message_id.encode()).hexdigest(),
    }
    source = f"mail {matter.mail.message_id}"
    if withdraws:
        for each in matter.asked:
            _withdraw(matter, each, verdict, source, evidence)
        if verdict.needs_person:
            reply.why = "It withdraws consent and has another request."
            return Outcome.WAITING
        return Outcome.WITHDRAWN
    assert row is not None  # noqa: S101  (for the types: without one it waits)
    return _answer(matter, reply, row, source, evidence)


def _answer(matter: _Matter, reply: Reply, row: Invitation, source: str, evidence: dict[str, Any]) -> Outcome:
    """
    A yes to the question while it is open, or a no, also to a yes that was given to it.

    A yes has to answer that very letter: a signature holds for the same words that were meant for somebody else.
    """
    takes_back = matter.takes_back
    is_asked = row.state in _OPEN and row.sent_at is not None and matter.at <= row.sent_at + ANSWER_WITHIN
    is_open = is_asked and not invitations.takes_no_yes(row)
    if not takes_back and not (is_open and matter.answers):
        unasked = (
            "It does not reply to an open request."
            if not is_open
            else "It is not a direct reply to our email."
        )
        reply.why = f"{reply.why} {unasked}"[:300]
        return Outcome.WAITING
    purposes = [] if takes_back else [Purpose(purpose) for purpose in row.version.notice.purposes]
    invitations.write_answer(row=row, agreed=purposes, source=source, evidence=evidence, at=matter.at)
    return Outcome.REFUSED if takes_back else Outcome.AGREED


def _speaks_of_nothing(matter: _Matter, reply: Reply) -> Outcome:
    """What begins with a yes may be one, and what answers an answered letter may take it back, in unforeseen words."""
    if any(row.state in _OPEN for row in matter.asked):
        first, _ = _parted(matter.mail.text)
        return Outcome.WAITING if _PERHAPS.match(first) else Outcome.NOTHING
    row = matter.invitation
    if matter.answers and row is not None and row.state == InvitationState.ANSWERED:
        reply.why = "It replies to an email that was already answered, and may withdraw that answer."
        return Outcome.WAITING
    return Outcome.NOTHING


def _unproven(matter: _Matter) -> str:
    """Why a message settles nothing by itself; "" where it may."""
    if not matter.asked:
        return "No caller has this address."
    if not matter.mail.is_proven:
        return matter.mail.proof
    return "" if matter.is_own else "It was sent from a different address than the one we emailed."


def _withdraw(
    matter: _Matter, row: Invitation, verdict: Verdict, source: str, evidence: dict[str, Any]
) -> None:
    """A withdrawal of whatever was said; a plain no to a question is an answer, and refuses what was asked."""
    texts.withdraw(
        client=matter.client,
        caller_id=row.caller_id,
        purposes=verdict.purposes or EVERYTHING,
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


def _digest(client: Client, kind: str, value: str) -> bytes:
    return vault_selectors.client_keys(client.pk).tokens.digest(kind, value)


def _asked(client: Client, mail: Mail, secret: str) -> tuple[tuple[Invitation, ...], bool]:
    """
    Which letters of ours it is about, and whether it answers that very one.

    By the address it went to, by the letter's id, else by who it is from: then of each person the newest.
    """
    by_link, rows = _asked_by_link(client, secret)
    if by_link:
        return by_link, True
    digests = [_digest(client, "message", one) for one in mail.about[:20]]
    found = rows.filter(message_digest__in=digests).first() if digests else None
    if found is not None:
        return (found,), True
    if not mail.sender or mail.kind is not Kind.PERSON:
        return (), False
    newest: dict[uuid.UUID, Invitation] = {}
    for row in rows.filter(address_digest=_digest(client, "address", mail.sender))[:_SHARED_AT_MOST]:
        newest.setdefault(row.caller_id, row)
    return tuple(newest.values()), False


def _asked_by_link(client: Client, secret: str) -> tuple[tuple[Invitation, ...], QuerySet[Invitation]]:
    """The letter whose link has this secret, if any, and all letters to people who are here, the newest first."""
    people = Caller.objects.filter(client_id=OuterRef("client_id"), pk=OuterRef("caller_id"))
    rows = (
        Invitation.objects.for_client(client)
        .filter(Exists(people), channel=Channel.EMAIL)
        .exclude(state=InvitationState.PURGED)
        .select_related("version__notice", "client")
        .select_for_update(of=("self",))
        .order_by("-created_at", "-pk")
    )
    found = rows.filter(link_digest=sha256(secret.encode()).digest()).first() if secret else None
    return ((found,) if found is not None else ()), rows
