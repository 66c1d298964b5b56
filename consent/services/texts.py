"""
What people text: understood at the door, effective in the same transaction, and put before a person where it is
doubtful.

STOP and its kin withdraw everything but measuring at the client whose number was texted. START restores texting and
nothing else. A yes counts only as the answer to an invitation whose words we sent two weeks ago at most, and for what
nobody said no to since; a plain no refuses what it asked. What smells of a withdrawal and is none that is certain waits
for a person, and counts as one when nobody has decided in time.
"""

import re
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from billiard.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.db.models import Count, Exists, Max, Min, OuterRef, Q, QuerySet

from callprivacy.audit import services as audit
from callprivacy.calls.models import Caller, TrackingNumber
from callprivacy.calls.services import people
from callprivacy.lib import figures
from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import Key, Place, SealBrokenError
from callprivacy.work import services as work
from callprivacy.work.models import Item
from consent import kinds, projection
from consent.channels import texts as words
from consent.channels import twilio
from consent.enums import (
    NO_STATES,
    YES_KINDS,
    Basis,
    Channel,
    EventKind,
    InvitationState,
    Language,
    Purpose,
    ReplyState,
    Scope,
    State,
    Strength,
)
from consent.models import ConsentEvent, Invitation, Reply
from consent.replies import Verdict, classify
from consent.replies.table import EVERYTHING
from consent.selectors import law
from consent.selectors.replies import invitations_of_sender
from consent.services import ledger, menu_calls
from consent.services.ledger import Said
from consent.services.menus import ANSWERS_ITSELF
from consent.services.twilio_door import Door

log = logger(__name__)

ANSWER_WITHIN: Final = timedelta(days=14)
"""For how long a yes is the answer to an invitation."""

KEPT_FOR: Final = timedelta(days=30)
DECIDE_WITHIN: Final = timedelta(days=1)
UNDECIDED_FOR: Final = timedelta(days=10)
"""
A reply that nobody has decided by then counts as a withdrawal: ten days lie within the ten business days of 47 CFR
64.1200(a)(10), and words that are not clear are presumed to revoke.
"""

JOB: Final = Actor.job("consent.sweep_texts")
_BATCH: Final = 50
LONGEST: Final = 5_000
_LISTENING: Final = frozenset({Purpose.RECORD, Purpose.REVIEW, Purpose.ANALYSE})
_OPEN: Final = (InvitationState.SENT, InvitationState.REMINDED)
PLAIN_NO: Final = re.compile(r"\s*no(?:pe)?[,.!\s]*(?:(?:thanks?(?: you)?|gracias)[.!\s]*)?", re.IGNORECASE)
"""A plain no to a question refuses what was asked, and withdraws nothing else."""

# The matcher's reasons end in the person's own words.
_QUOTED: Final = re.compile(r":? ['\"].*", re.DOTALL)


class NoMessageError(ValueError):
    """It names no text message."""


class DecidedError(ValueError):
    """Somebody has decided it already, or its time is over."""


class NobodyNamedError(ValueError):
    """It would withdraw or refuse, and nobody has said for whom."""


# --- At the door ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class _Meaning:
    """
    What a text means, by the matcher and by Twilio's own keyword handling together.

    :ivar restores: texting again, and nothing else.
    """

    label: str
    why: str
    purposes: frozenset[Purpose]
    language: Language
    restores: bool = False
    needs_person: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class _Message:
    """A text as it came."""

    door: Door
    sid: str
    body: str
    caller_id: uuid.UUID
    number: TrackingNumber | None
    opt_out_type: str
    at: datetime

    def evidence(self, meaning: _Meaning, why: str) -> dict[str, Any]:
        return {
            "text": self.body,
            "message": self.sid,
            "received_at": self.at.isoformat(),
            "number_texted": str(self.number.pk) if self.number else "",
            "understood_as": meaning.label,
            "why": why,
            "twilio_says": self.opt_out_type,
        }


def take_in(*, door: Door, at: datetime) -> Reply | None:
    """
    Take in one text; what it withdraws is withdrawn when this transaction commits.

    :returns: None where it was taken in before, or came from nobody who can be called.
    :raises NoMessageError: it names no message.
    :raises CallerGoneError: the caller was erased in this moment; take it in again.
    """
    sid = door.said.get("MessageSid") or door.said.get("SmsSid") or ""
    if not twilio.is_message(sid):
        raise NoMessageError("A text of Twilio has a MessageSid.")
    number = twilio.number_of(door.said.get("From", ""))
    if number is None:
        return None
    message = _Message(
        door=door,
        sid=sid,
        body=door.said.get("Body", "")[:LONGEST],
        caller_id=people.add_callers(client=door.client, numbers=[number], at=at)[number],
        number=door.tracking_number(),
        opt_out_type=door.said.get("OptOutType", "").upper()[:10],
        at=at,
    )
    verdict = classify(message.body, channel="sms")
    meaning = _by_law(_meaning(verdict, message.opt_out_type), message)
    invitation = open_invitation(door.client, message.caller_id, at=at)
    reply = _new_reply(message, meaning, invitation)
    Reply.objects.bulk_create([reply], ignore_conflicts=True)
    if not Reply.objects.for_client(door.client).filter(pk=reply.pk).exists():
        return None
    _act(reply, message, meaning, invitation, verdict.why)
    _settle(reply, message, meaning)
    return reply


def _meaning(verdict: Verdict, opt_out_type: str) -> _Meaning:
    """
    Twilio's word and the matcher's, together: whichever says stop is right.

    `OptOutType` comes where Advanced Opt-Out is on, with the keywords that somebody set there.
    """
    language = Language.SPANISH if verdict.language == Language.SPANISH else Language.ENGLISH
    why = unquoted(verdict.why)
    if opt_out_type == "STOP" and verdict.label != "withdraw":
        return _Meaning("withdraw", "Twilio treats it as an opt-out keyword.", EVERYTHING, language)
    if opt_out_type == "START" and verdict.label not in {"withdraw", "review", "consent"}:
        contact = frozenset({Purpose.CONTACT})
        return _Meaning("consent", "Twilio treats it as an opt-in keyword.", contact, language, restores=True)
    return _Meaning(
        label=verdict.label,
        why=why,
        purposes=verdict.purposes,
        language=language,
        restores=verdict.label == "consent" and verdict.purposes == {Purpose.CONTACT},
        needs_person=verdict.needs_person,
    )


def _by_law(meaning: _Meaning, message: _Message) -> _Meaning:
    """A word that the rules of the law name opts out where it is the whole of a text, whatever else it may mean."""
    if meaning.label == "withdraw":
        return meaning
    words = law.opt_out_words(message.door.client.agency_id, message.at.date())
    said = " ".join(message.body.casefold().split()).strip(" .,;:!?\"'")
    if said not in words:
        return meaning
    return _Meaning("withdraw", "The law lists it as an opt-out keyword.", EVERYTHING, meaning.language)


def unquoted(why: str) -> str:
    """The matcher's reason without the person's own words, which are evidence and lie sealed."""
    return _QUOTED.sub(".", why)[:300]


def open_invitation(client: Client, caller_id: uuid.UUID, *, at: datetime) -> Invitation | None:
    """The newest invitation by text that a caller may still answer; inside a scope."""
    rows = Invitation.objects.for_client(client).filter(
        caller_id=caller_id, channel=Channel.SMS, state__in=_OPEN, sent_at__gt=at - ANSWER_WITHIN
    )
    return rows.select_related("version", "version__notice").order_by("-sent_at", "-pk").first()


def _new_reply(message: _Message, meaning: _Meaning, invitation: Invitation | None) -> Reply:
    client = message.door.client
    return Reply(
        agency_id=client.agency_id,
        client=client,
        caller_id=message.caller_id,
        invitation=invitation,
        tracking_number_id=message.number.pk if message.number else None,
        channel=Channel.SMS,
        message_digest=message.door.digest("message", message.sid),
        label=meaning.label,
        why=meaning.why,
        state=ReplyState.SETTLED,
        received_at=message.at,
        purge_at=message.at + KEPT_FOR,
    )


def _act(reply: Reply, message: _Message, meaning: _Meaning, invitation: Invitation | None, why: str) -> None:
    """What follows at once; whatever is not certain is left waiting."""
    client, by, at = message.door.client, message.door.by, message.at
    evidence = message.evidence(meaning, why)
    source = f"sms {message.sid}"
    if meaning.label == "withdraw":
        withdraw(
            client=client,
            caller_id=message.caller_id,
            purposes=meaning.purposes or EVERYTHING,
            channel=Channel.SMS,
            strength=Strength.A,
            source=source,
            evidence=evidence,
            said_at=at,
            by=by,
            at=at,
        )
        if meaning.needs_person:
            _wait(reply, "It withdraws consent and has another request.")
    elif invitation is not None and PLAIN_NO.fullmatch(message.body):
        reply.why = "A clear no to our request."
        _refuse(reply, message.caller_id, evidence | _asked_with(client, invitation), by=by, at=at)
    elif meaning.label == "consent" and meaning.restores:
        reply.why = _restore(message, evidence, source)
    elif meaning.label == "consent" and invitation is not None:
        _answer(reply, message, meaning, invitation, evidence)
    elif meaning.label == "consent":
        _wait(reply, "A yes, but no consent request was sent in the last two weeks.")
    elif meaning.label == "review" or meaning.needs_person:
        _wait(reply, reply.why)


def _wait(reply: Reply, why: str) -> None:
    reply.state, reply.why = ReplyState.WAITING, why[:300]


def _settle(reply: Reply, message: _Message, meaning: _Meaning) -> None:
    """Keep the text of what waits, and the words of the one answer that is ours to give."""
    changed = ["state", "why", "confirm_words", "confirm_due_at", "text"]
    if reply.state == ReplyState.WAITING:
        reply.text = sealed(reply, message.body, at=message.at)
        # Words that wait are evidence: who has no call yet is not swept away with the key that opens them.
        Caller.objects.for_client(reply.client_id).filter(pk=message.caller_id).update(has_evidence=True)
    if message.number is not None and not _twilio_answers(message):
        reply.confirm_words = words.confirming(
            message.door.client,
            meaning.label,
            meaning.purposes if meaning.label == "withdraw" else frozenset(),
            language=meaning.language,
            restores=meaning.restores,
        )
        reply.confirm_due_at = message.at if reply.confirm_words else None
    reply.save(update_fields=changed)


def _twilio_answers(message: _Message) -> bool:
    """
    Whether Twilio has answered already. With its redaction of numbers on it does not filter its own words, and a person
    has said so on the page of menus.
    """
    if message.opt_out_type:
        return True
    filters = message.door.connection.mapping.get(ANSWERS_ITSELF, True)
    return bool(filters) and twilio.answers_itself(message.body)


def sealed(reply: Reply, text: str, *, at: datetime) -> bytes:
    """
    The words of a reply as they are kept: under its caller's evidence key, or the client's where nobody is known.

    :raises CallerGoneError: the caller was erased in this moment.
    """
    return _key(reply, at).seal(text.encode(), _place(reply))


def _key(reply: Reply, at: datetime) -> Key:
    if reply.caller_id is None:
        return vault.purpose_key(client_id=reply.client_id, purpose=ledger.EVIDENCE, at=at)
    keys = vault_selectors.evidence_keys(reply.client_id, [reply.caller_id])
    if reply.caller_id not in keys:
        raise ledger.CallerGoneError
    return keys[reply.caller_id]


def _place(reply: Reply) -> Place:
    return Place(reply.client_id, Reply._meta.db_table, "text", reply.pk)


# --- No -------------------------------------------------------------------------------------------------------------


def withdraw(
    *,
    client: Client,
    caller_id: uuid.UUID,
    purposes: Collection[Purpose],
    channel: Channel,
    strength: Strength,
    source: str,
    evidence: Mapping[str, Any],
    said_at: datetime,
    by: Actor,
    at: datetime,
) -> list[ConsentEvent]:
    """
    Write a standing withdrawal, stop what is being recorded of the person, and withdraw our open questions.

    Inside a scope that may write the client's consent, in whose transaction everything is. The caller of this wakes
    `consent.tasks.menu_calls` on commit.
    """
    events = ledger.record_events(
        client=client,
        said=[
            Said(
                purpose=purpose,
                kind=EventKind.WITHDRAWN,
                channel=channel,
                strength=strength,
                happened_at=said_at,
                source=source,
                caller_id=caller_id,
                evidence=evidence,
            )
            for purpose in sorted(purposes)
        ],
        by=by,
        at=at,
    )
    if Purpose.RECORD in purposes:
        stopped = next((event.pk for event in events if event.purpose == Purpose.RECORD), None)
        menu_calls.stop_running(client=client, caller_id=caller_id, by=by, at=at, event_id=stopped)
    if Purpose.CONTACT in purposes:
        unanswered = (InvitationState.QUEUED, *_OPEN)
        Invitation.objects.for_client(client).filter(caller_id=caller_id, state__in=unanswered).update(
            state=InvitationState.ANSWERED, answered_at=at, due_at=None, address=None
        )
    return events


def note_opt_out(
    *, client: Client, caller_id: uuid.UUID, source: str, by: Actor, at: datetime
) -> list[ConsentEvent]:
    """
    Twilio would not send to a number because it had opted out there (21610): a withdrawal that we missed.

    Inside a scope that may write the client's consent.
    """
    return withdraw(
        client=client,
        caller_id=caller_id,
        purposes=EVERYTHING,
        channel=Channel.SMS,
        strength=Strength.C,
        source=source,
        evidence={"twilio_says": f"error {twilio.OPTED_OUT}", "noted_at": at.isoformat()},
        said_at=at,
        by=by,
        at=at,
    )


def is_stop_known(*, client: Client, caller_id: uuid.UUID) -> bool:
    """Whether all that a STOP takes back was taken back by text already, with no yes by text since; inside a scope."""
    said = ConsentEvent.objects.for_client(client).filter(
        caller_id=caller_id, channel=Channel.SMS, scope=Scope.STANDING
    )
    yes_at = said.filter(kind__in=YES_KINDS).aggregate(newest=Max("happened_at"))["newest"]
    noes = said.filter(kind=EventKind.WITHDRAWN)
    if yes_at is not None:
        noes = noes.filter(happened_at__gt=yes_at)
    return set(noes.values_list("purpose", flat=True)) >= EVERYTHING


# --- Texting again --------------------------------------------------------------------------------------------------


def _restore(message: _Message, evidence: Mapping[str, Any], source: str) -> str:
    """
    Undo what a withdrawal took from texting, and nothing else; returns what became of it.

    A consent that stood before it stands again, on the words that were agreed to then. Where there was none, being
    texted is no longer refused, but the event does not rest on consent: no advertising may follow from it.
    """
    client = message.door.client
    found = list(
        ConsentEvent.objects.for_client(client)
        .filter(caller_id=message.caller_id, purpose=Purpose.CONTACT, scope=Scope.STANDING)
        .defer("evidence")
    )
    if not _said_no_to(client, message.caller_id, Purpose.CONTACT, message.at):
        return "It restores texting, which was already allowed."
    state, deciding = projection.standing(found)
    earlier = [one for one in found if deciding is not None and one.happened_at < deciding.happened_at]
    before, given = projection.standing(earlier)
    stood = (
        before == State.GIVEN and given is not None and given.basis == Basis.CONSENT and state in NO_STATES
    )
    ledger.record_events(
        client=client,
        said=[
            Said(
                purpose=Purpose.CONTACT,
                kind=EventKind.RENEWED,
                basis=Basis.CONSENT if stood else Basis.LEGITIMATE_INTERESTS,
                channel=Channel.SMS,
                strength=Strength.A,
                happened_at=message.at,
                source=source,
                caller_id=message.caller_id,
                version_id=given.version_id if stood and given is not None else None,
                evidence={
                    **evidence,
                    "withdrawn_at": deciding.happened_at.isoformat() if deciding is not None else "",
                },
            )
        ],
        by=message.door.by,
        at=message.at,
    )
    if stood:
        return "It restores texting and the earlier consent."
    return "It restores texting without consent to advertising, because there was none before."


# --- Yes ------------------------------------------------------------------------------------------------------------


def _answer(
    reply: Reply, message: _Message, meaning: _Meaning, invitation: Invitation, evidence: Mapping[str, Any]
) -> None:
    """
    A yes to an invitation: given for what it asked, but sharing after an opt-out only when it is said again.

    What was said no to since the question went out is not given: "Ok, thank you" is perhaps the answer to that.
    """
    client, at = message.door.client, message.at
    asked = _asked_for(invitation)
    given = (asked & meaning.purposes) if meaning.purposes else asked
    twice = {Purpose.SHARE} & given if invitation.confirms_id is None else set()
    if twice and _said_no_to(client, message.caller_id, Purpose.SHARE, at):
        given -= twice
        _ask_again(client, invitation, message.caller_id, at)
        reply.why = "A yes. Sharing was refused before, so it needs a second yes."
    refused = given & _refused_since(client, message.caller_id, invitation, at)
    if refused:
        given -= refused
        _wait(
            reply,
            "A yes after a no or a possible no to the same request. If it is a new yes, ask again.",
        )
    if given:
        ledger.record_events(
            client=client,
            said=[
                Said(
                    purpose=purpose,
                    kind=EventKind.GIVEN if invitation.confirms_id is None else EventKind.RENEWED,
                    channel=Channel.SMS,
                    strength=Strength.A,
                    happened_at=at,
                    source=f"sms {message.sid}",
                    caller_id=message.caller_id,
                    version_id=invitation.version_id,
                    evidence={**evidence, **_asked_with(client, invitation)},
                )
                for purpose in sorted(given)
            ],
            by=message.door.by,
            at=at,
        )
    Invitation.objects.for_client(client).filter(pk=invitation.pk).update(
        state=InvitationState.ANSWERED, answered_at=at, due_at=None, address=None
    )


def _asked_for(invitation: Invitation) -> set[Purpose]:
    """What an invitation by text asks for; the second question asks for sharing alone."""
    asked = {Purpose(purpose) for purpose in invitation.version.notice.purposes}
    return asked if invitation.confirms_id is None else asked & {Purpose.SHARE}


def _refused_since(
    client: Client, caller_id: uuid.UUID, invitation: Invitation, at: datetime
) -> set[Purpose]:
    """To what a caller said no, by whatever way, after an invitation went out; all of it while a doubtful no waits."""
    asked, sent_at = _asked_for(invitation), invitation.sent_at
    if sent_at is None:
        return asked
    waiting = Reply.objects.for_client(client).filter(
        caller_id=caller_id, state=ReplyState.WAITING, label="review", received_at__gte=sent_at
    )
    if waiting.exists():
        return asked
    noes = ledger.noes_of(client, caller_id, at=at)
    return {purpose for purpose in asked if purpose in noes and noes[purpose] >= sent_at}


def _asked_with(client: Client, invitation: Invitation) -> dict[str, str]:
    return {
        "invitation": str(invitation.pk),
        "words_sent": words.inviting(client, invitation),
        "sent_at": invitation.sent_at.isoformat() if invitation.sent_at else "",
        "version_digest": bytes(invitation.version.digest or b"").hex(),
        "second_yes_to": str(invitation.confirms_id or ""),
    }


def _said_no_to(client: Client, caller_id: uuid.UUID, purpose: Purpose, at: datetime) -> bool:
    """In the ledger, or by a number whose person was erased since."""
    return purpose in ledger.noes_of(client, caller_id, at=at)


def _ask_again(client: Client, invitation: Invitation, caller_id: uuid.UUID, at: datetime) -> None:
    """The second question of opting in again after an opt-out of sale: 11 CCR 7028(a)."""
    Invitation.objects.create(
        agency_id=client.agency_id,
        client=client,
        caller_id=caller_id,
        channel=Channel.SMS,
        version=invitation.version,
        confirms=invitation,
        created_at=at,
        due_at=at,
        purge_at=at + KEPT_FOR,
    )


# --- What a person decides ------------------------------------------------------------------------------------------


def read_reply(*, reply: Reply, by: Actor, at: datetime) -> str | None:
    """The words of a reply that waits or was decided, with the reading in the trail; None where they are gone."""
    text = _opened(reply)
    if text is not None:
        audit.record("reply.read", subject=reply, by=by, at=at)
    return text


def _opened(reply: Reply) -> str | None:
    """The words of a reply; None where they, or the key that opens them, are gone or damaged."""
    if reply.text is None:
        return None
    try:
        key = _made_key(reply)
        return None if key is None else str(reply.text.reveal(key))
    except SealBrokenError:
        return None


def _made_key(reply: Reply) -> Key | None:
    """What the words were sealed under. None is made here: a fresh one would open nothing."""
    if reply.caller_id is not None:
        return vault_selectors.evidence_keys(reply.client_id, [reply.caller_id]).get(reply.caller_id)
    key_id = vault_selectors.purpose_id(reply.client_id, ledger.EVIDENCE)
    return vault_selectors.uncalled_key(vault_selectors.client_keys(reply.client_id), key_id)


@transaction.atomic
def decide_reply(
    *, reply: Reply, withdrawn: Collection[Purpose], refused: bool, by: Actor, at: datetime
) -> None:
    """
    Settle what a doubtful reply meant: these purposes withdrawn, an invitation refused, or nothing of the kind.

    What is withdrawn counts from when the person said it.

    :raises DecidedError: it does not wait any more.
    :raises NobodyNamedError: it withdraws or refuses, and is of nobody who is here; `name_writer` says whose it is.
    """
    writers = _here(reply, [reply.caller_id] if reply.caller_id is not None else [])
    if (withdrawn or refused) and not writers:
        raise NobodyNamedError("Name the sender first. A withdrawal applies to a caller's number.")
    _decide(reply, writers, withdrawn=withdrawn, refused=refused, by=by, at=at)


def _here(reply: Reply, caller_ids: Collection[uuid.UUID]) -> list[uuid.UUID]:
    """Those of them who are here; of who was erased nothing is held any more that could be withdrawn from."""
    rows = Caller.objects.for_client(reply.client_id).filter(pk__in=list(caller_ids))
    return sorted(rows.values_list("pk", flat=True))


def _decide(
    reply: Reply,
    writers: Collection[uuid.UUID],
    *,
    withdrawn: Collection[Purpose],
    refused: bool,
    by: Actor,
    at: datetime,
) -> None:
    waiting = Reply.objects.for_client(reply.client_id).filter(pk=reply.pk, state=ReplyState.WAITING)
    if not waiting.update(state=ReplyState.DECIDED, decided_by_id=by.user_id, decided_at=at):
        raise DecidedError("This reply has already been decided.")
    evidence = {
        "text": _opened(reply) or "",
        "received_at": reply.received_at.isoformat(),
        "why_it_waited": reply.why,
        "decided_by": "a person" if by.user_id is not None else "no one in time",
    }
    for caller_id in writers:
        if withdrawn:
            withdraw(
                client=reply.client,
                caller_id=caller_id,
                purposes=withdrawn,
                channel=Channel(reply.channel),
                strength=_strength(reply),
                source=f"reply {reply.pk}",
                evidence=evidence,
                said_at=reply.received_at,
                by=by,
                at=at,
            )
        if refused:
            _refuse(reply, caller_id, evidence, by=by, at=at)
    audit.record(
        "reply.decided",
        subject=reply,
        by=by,
        at=at,
        withdrawn=", ".join(sorted(withdrawn)),
        refused=refused,
        people=len(writers),
    )


@transaction.atomic
def name_writer(*, reply: Reply, caller_id: uuid.UUID, by: Actor, at: datetime) -> None:
    """
    Say who wrote a mail that waits. From now on its words are sealed under that person's evidence key.

    :raises DecidedError: it does not wait any more.
    :raises CallerGoneError: the person was erased in this moment.
    """
    rows = Reply.objects.for_client(reply.client_id).filter(channel=Channel.EMAIL, state=ReplyState.WAITING)
    row = rows.select_for_update().filter(pk=reply.pk).first()
    if row is None:
        raise DecidedError("This message has already been decided.")
    with vault.holding_callers(client_id=reply.client_id, caller_ids=[caller_id]):
        # Words that wait are evidence: who has no call yet is not swept away with the key that opens them.
        known = Caller.objects.for_client(reply.client_id).filter(pk=caller_id).update(has_evidence=True)
        if not known:
            raise ledger.CallerGoneError("This caller has been deleted.")
        text = _opened(row)
        row.caller_id = caller_id
        row.text = None if text is None else sealed(row, text, at=at)
        row.save(update_fields=["caller_id", "text"])
        audit.record("reply.writer_named", subject=row, by=by, at=at)


def _strength(reply: Reply) -> Strength:
    """A text comes from its number; of a mail that a person had to read the sender is taken for unproven."""
    return Strength.A if reply.channel == Channel.SMS else Strength.C


def _refuse(
    reply: Reply, caller_id: uuid.UUID, evidence: Mapping[str, Any], *, by: Actor, at: datetime
) -> None:
    invitation = reply.invitation
    asked = _LISTENING if invitation is None else _asked_for(invitation)
    ledger.record_events(
        client=reply.client,
        said=[
            Said(
                purpose=purpose,
                kind=EventKind.REFUSED,
                channel=Channel(reply.channel),
                strength=_strength(reply),
                happened_at=reply.received_at,
                source=f"reply {reply.pk}",
                caller_id=caller_id,
                version_id=invitation.version_id if invitation is not None else None,
                evidence=evidence,
            )
            for purpose in sorted(asked)
        ],
        by=by,
        at=at,
    )
    if Purpose.RECORD in asked:
        menu_calls.stop_running(client=reply.client, caller_id=caller_id, by=by, at=at)
    if invitation is not None:
        Invitation.objects.for_client(reply.client_id).filter(pk=invitation.pk).update(
            state=InvitationState.ANSWERED, answered_at=at, due_at=None, address=None
        )


# --- What a job does ------------------------------------------------------------------------------------------------


def renew_items(*, agency_id: int, at: datetime) -> None:
    """Keep one item a client in the inbox while replies wait there. Enters the agency's scope itself."""
    with job_scope(agency_id=agency_id):
        waiting = {
            row["client_id"]: row
            for row in Reply.objects.filter(
                agency_id=agency_id, state=ReplyState.WAITING, client__archived_at=None
            )
            .values("client_id")
            .annotate(count=Count("pk"), oldest=Min("received_at"))
            .order_by("client_id")
        }
        for client_id, row in waiting.items():
            work.open_item(
                kinds.REPLIES,
                agency_id=agency_id,
                client_id=client_id,
                key=_item(client_id),
                at=at,
                count=row["count"],
                due_at=row["oldest"] + DECIDE_WITHIN,
            )
        settled = Item.objects.open().filter(agency_id=agency_id, kind=kinds.REPLIES)
        for key in settled.exclude(client_id__in=list(waiting)).values_list("key", flat=True):
            work.close_item(kinds.REPLIES, agency_id=agency_id, key=key, at=at, by=JOB)


def _item(client_id: int) -> str:
    return f"replies of {client_id}"


def settle_undecided(*, agency_id: int, at: datetime) -> int:
    """
    Let what nobody decided in ten days count as a withdrawal; returns how many. Enters the agency's scope itself, anew
    for each.

    Of a mail without a name it counts for everybody who gave the address that it came from. What may be a withdrawal of
    nobody we know waits on: a job cannot say who wrote it. One that fails is logged and tried again by the next run; it
    keeps nobody else's.
    """
    with job_scope(agency_id=agency_id):
        rows = Reply.objects.filter(agency_id=agency_id, received_at__lte=at - UNDECIDED_FOR)
        late = _waiting(rows)
    return _settle_each(agency_id, late, at, at_most=_BATCH)


def settle_leaving(*, client: Client, at: datetime) -> int:
    """
    Let what waits at a client that leaves count at once as it would after ten days: nobody can decide it there any
    more, and what is handed over is to say no where somebody may have. Returns how many. Outside any scope.
    """
    with job_scope(agency_id=client.agency_id):
        waiting = _waiting(Reply.objects.for_client(client))
    return _settle_each(client.agency_id, waiting, at, at_most=len(waiting))


def count_undecided(*, client: Client) -> int:
    """How much waits at a client that a job can settle; inside a scope."""
    return _settleable(Reply.objects.for_client(client)).count()


def _waiting(rows: QuerySet[Reply]) -> list[uuid.UUID]:
    """Those of them that wait and that a job can settle, the oldest first; all, so that one that fails is passed by."""
    here = _settleable(rows).filter(client__archived_at=None)
    return list(here.order_by("received_at", "pk").values_list("pk", flat=True))


def _settleable(rows: QuerySet[Reply]) -> QuerySet[Reply]:
    whose = rows.filter(~Q(label="review") | Q(caller_id__isnull=False) | Exists(invitations_of_sender()))
    return whose.filter(state=ReplyState.WAITING)


def _settle_each(agency_id: int, reply_ids: Collection[uuid.UUID], at: datetime, *, at_most: int) -> int:
    count = 0
    for reply_id in reply_ids:
        if count == at_most:
            break
        try:
            with job_scope(agency_id=agency_id):
                count += _settle_one(reply_id, at)
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:  # noqa: BLE001  (the next run finds it again; the others' go on)
            figures.note_fault()
            log.error("replies.failed", reply=str(reply_id), error=type(error).__name__)  # noqa: TRY400  (a text may hold a value)
    return count


def _settle_one(reply_id: uuid.UUID, at: datetime) -> bool:
    rows = Reply.objects.filter(pk=reply_id, state=ReplyState.WAITING)
    reply = rows.select_related("client", "invitation__version__notice").first()
    if reply is None:
        return False  # Somebody decided it in the meantime.
    # A yes to nothing is no no; what withdrew at once and asked for more has done so.
    withdrawn = EVERYTHING if reply.label == "review" else frozenset[Purpose]()
    try:
        _decide(reply, _writers(reply), withdrawn=withdrawn, refused=False, by=JOB, at=at)
    except DecidedError:
        return False
    return True


def forget_client(*, client: Client) -> int:
    """Remove what was written to a client that has left, before its keys go. Returns how much; inside a job's scope."""
    return Reply.objects.for_client(client).remove()


def _writers(reply: Reply) -> list[uuid.UUID]:
    """Who wrote a reply as far as it is known: the person, or whoever gave the address that it came from."""
    if reply.caller_id is not None:
        return _here(reply, [reply.caller_id])
    rows = Invitation.objects.for_client(reply.client_id).filter(
        channel=Channel.EMAIL, address_digest=reply.sender_digest
    )
    return _here(reply, set(rows.values_list("caller_id", flat=True))) if reply.sender_digest else []


def purge(*, agency_id: int, at: datetime) -> int:
    """
    Remove replies a month after they came, and invitations by text that nobody answered; returns how many replies.

    A caller of whom nothing but such a reply was known may be swept away then.
    """
    with job_scope(agency_id=agency_id):
        # Nobody decides any more at a client that has left.
        old = Reply.objects.filter(
            ~Q(state=ReplyState.WAITING) | Q(client__archived_at__isnull=False),
            agency_id=agency_id,
            purge_at__lte=at,
        )
        callers = set(old.filter(caller_id__isnull=False).values_list("caller_id", flat=True))
        removed = old.remove()
        if callers:
            known = ConsentEvent.objects.filter(agency_id=agency_id, caller_id=OuterRef("pk"))
            waiting = Reply.objects.filter(agency_id=agency_id, caller_id=OuterRef("pk"), text__isnull=False)
            Caller.objects.filter(
                Q(pk__in=callers), ~Exists(known), ~Exists(waiting), agency_id=agency_id
            ).update(has_evidence=False)
        Invitation.objects.filter(
            agency_id=agency_id,
            channel=Channel.SMS,
            purge_at__lte=at,
            state__in=(InvitationState.QUEUED, *_OPEN),
        ).update(state=InvitationState.PURGED, due_at=None)
        return removed
