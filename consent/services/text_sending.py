"""
The texts that we send: invitations, and one answer to a message within five minutes.

Claimed and committed first, then sent outside any scope, then recorded. An answer is sent once or never; an invitation
of which it is not known whether it went counts as sent, for nobody is to be asked twice by accident.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.urls import reverse

from callprivacy.audit import services as audit
from callprivacy.calls.models import Call, Caller, Connection, TrackingNumber
from callprivacy.lib import pauses
from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault
from consent.channels import texts as words
from consent.channels import twilio
from consent.enums import NO_STATES, Channel, InvitationState, NoticeState, Purpose
from consent.models import ConsentState, Invitation, NoticeVersion, PhoneMenu, Reply
from consent.selectors import asking, law
from consent.selectors.ages import months_after
from consent.selectors.contact import number_of
from consent.services import contact, texts, twilio_door
from consent.services.twilio_door import Door

log = logger(__name__)

JOB: Final = Actor.job("consent.send_texts")
_LEASE: Final = timedelta(minutes=10)
_ANSWER_AGAIN_AFTER: Final = timedelta(seconds=20)
_FIRST_PAUSE: Final = timedelta(minutes=2)
_LONGEST_PAUSE: Final = timedelta(hours=6)
_TRIED_AT_MOST: Final = 8
_BATCH: Final = 3
_IS_ADVERTISING: Final = (
    "A request for consent to contact or sharing counts as advertising, and cannot be sent to this number."
)
_UNANSWERED: Final = (InvitationState.QUEUED, InvitationState.SENT, InvitationState.REMINDED)


class NotInvitedError(ValueError):
    """The person may not be asked now; the text says why."""


# --- Inviting -------------------------------------------------------------------------------------------------------


@transaction.atomic
def invite(
    *, client: Client, caller_id: uuid.UUID, version: NoticeVersion, by: Actor, at: datetime
) -> Invitation:
    """
    Ask a caller by text, with the words of a published version; a job sends it when the hour allows.

    :raises NotInvitedError: the words are not in force or for another channel, the person refused to be written
        to or to be asked again, has been asked and may still answer, or something stands against texting the number:
        to ask for a consent to advertising is advertising; or the client has left, or leaves.
    """
    _check(client, caller_id, version, at)
    aim = _aim_of(version)
    next_at, against = _when(client, caller_id, aim, at)
    if next_at is None:
        why = " ".join(against) or "See the reasons under Consent."
        lead = _IS_ADVERTISING if aim is contact.Aim.MARKETING else "This number cannot be texted."
        raise NotInvitedError(f"{lead} {why}")
    invitation = Invitation.objects.create(
        agency_id=client.agency_id,
        client=client,
        caller_id=caller_id,
        channel=Channel.SMS,
        version=version,
        created_at=at,
        due_at=next_at,
        purge_at=at + texts.KEPT_FOR,
    )
    audit.record("invitation.asked", subject=invitation, by=by, at=at, channel=Channel.SMS)
    return invitation


def _check(client: Client, caller_id: uuid.UUID, version: NoticeVersion, at: datetime) -> None:
    try:
        tenancy.require_here(client.pk)
    except tenancy.ClientLeftError:
        raise NotInvitedError("This client is offboarded, so no requests are sent.") from None
    if version.state != NoticeState.PUBLISHED or version.notice.channel != Channel.SMS:
        raise NotInvitedError("Publish this text as a notice for text messages first.")
    if not Caller.objects.for_client(client).filter(pk=caller_id).exists():
        raise NotInvitedError("This caller has been deleted.")
    no = _said_no(client, caller_id, at)
    if Purpose.CONTACT in no:
        raise NotInvitedError("This caller opted out of contact.")
    if asking.is_not_asked(client, caller_id, at=at):
        raise NotInvitedError(
            "This caller opted out within the last 12 months and cannot be asked to opt in again."
        )
    shared = no.get(Purpose.SHARE)
    if Purpose.SHARE in version.notice.purposes and shared is not None:
        months = law.sale_wait_months(client.agency_id, at.date())
        if at < months_after(shared, months):
            raise NotInvitedError(f"This caller opted out of sharing less than {months} months ago.")
    waiting = Invitation.objects.for_client(client).filter(
        Q(state=InvitationState.QUEUED) | Q(sent_at__gt=at - texts.ANSWER_WITHIN),
        caller_id=caller_id,
        channel=Channel.SMS,
        state__in=_UNANSWERED,
    )
    if waiting.exists():
        raise NotInvitedError("This caller was asked less than two weeks ago and can still reply.")


def _said_no(client: Client, caller_id: uuid.UUID, at: datetime) -> dict[str, datetime]:
    """Purpose -> since when, by the ledger and by the number."""
    found = dict(vault.suppressed_callers(client.pk, [caller_id], on=at.date()).get(caller_id, {}))
    states = ConsentState.objects.for_client(client).filter(caller_id=caller_id, state__in=NO_STATES)
    return found | dict(states.values_list("purpose", "since"))


def when(client: Client, caller_id: uuid.UUID, at: datetime) -> datetime | None:
    """
    When a caller may next be texted with nothing of advertising: now, at the next hour that the law of the place
    allows, or not at all.

    Inside a scope; the number is opened for the question alone.
    """
    return _when(client, caller_id, contact.Aim.SERVICE, at)[0]


def _when(
    client: Client, caller_id: uuid.UUID, aim: contact.Aim, at: datetime
) -> tuple[datetime | None, list[str]]:
    """The same for an aim, and what stands against it."""
    number = number_of(client, caller_id)
    if not number:
        return None, []
    (answer,) = contact.check(client=client, asked=[contact.Asked(number)], aim=aim, at=at).answers
    return at if answer.allowed else answer.next_at, [obstacle.text for obstacle in answer.obstacles]


def _aim_of(version: NoticeVersion) -> contact.Aim:
    return contact.Aim.MARKETING if asking.is_advertising(version) else contact.Aim.SERVICE


# --- Sending: claim, commit, send, record -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class Outgoing:
    """A text that is ours to send, and nobody else's, for a while."""

    kind: Literal["answer", "invitation"]
    row_id: uuid.UUID
    client_id: int
    account: twilio.Account
    sender: str
    to: str
    words: str
    told_at: str
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of it: the message's id, or what hindered it."""

    message: str = ""
    error: Literal["", "opted out", "later", "unclear", "refused"] = ""
    detail: str = ""


def claim_answers(*, agency_id: int, at: datetime) -> list[Outgoing]:
    """Claim the answers that are due; one whose minutes by the law are over is never sent."""
    with job_scope(agency_id=agency_id):
        rows = list(
            Reply.objects.filter(agency_id=agency_id, confirm_due_at__lte=at)
            .select_related("client__agency")
            .select_for_update(skip_locked=True, of=("self",))
            .order_by("confirm_due_at", "pk")[:_BATCH]
        )
        # Claimed by giving the date up: a crash before it is sent costs the answer, which nobody has to get.
        Reply.objects.filter(pk__in=[row.pk for row in rows]).update(confirm_due_at=None)
        within = law.confirm_within(agency_id, at.date())
        in_time = [row for row in rows if at < row.received_at + within]
        return [outgoing for row in in_time for outgoing in _answer(row, at)]


def _answer(row: Reply, at: datetime) -> Iterator[Outgoing]:
    if row.caller_id is None or row.tracking_number_id is None:
        return
    numbers = TrackingNumber.objects.for_client(row.client_id).filter(pk=row.tracking_number_id)
    way = _way(row.client, numbers.first(), at)
    to = number_of(row.client, row.caller_id)
    if way is not None and to:
        connection, sender = way
        yield Outgoing(
            kind="answer",
            row_id=row.pk,
            client_id=row.client_id,
            account=twilio_door.account_of(connection, at=at),
            sender=sender,
            to=to,
            words=row.confirm_words,
            told_at="",
        )


def claim_invitations(*, agency_id: int, at: datetime) -> list[Outgoing]:
    """Claim the invitations that are due; whoever refused in the meantime is not asked, and at night nobody is."""
    with job_scope(agency_id=agency_id):
        rows = list(
            Invitation.objects.filter(
                agency_id=agency_id,
                channel=Channel.SMS,
                state=InvitationState.QUEUED,
                due_at__lte=at,
                client__shut_at=None,
            )
            .select_related("client__agency", "version__notice")
            .select_for_update(skip_locked=True, of=("self",))
            .order_by("due_at", "pk")[:_BATCH]
        )
        found = []
        for row in rows:
            found += _invitation(row, at)
        return found


def _may_not_be_asked(row: Invitation, at: datetime) -> bool:
    """Whether the person has said no to what is asked, or opted out, since it was queued."""
    if asking.is_not_asked(row.client, row.caller_id, at=at):
        return True
    since = _said_no(row.client, row.caller_id, at)
    return any(
        since[purpose] >= row.created_at for purpose in row.version.notice.purposes if purpose in since
    )


def _invitation(row: Invitation, at: datetime) -> list[Outgoing]:
    held = Invitation.objects.filter(pk=row.pk)
    # The second question answers a yes that the person has sent by itself.
    aim = _aim_of(row.version) if row.confirms_id is None else contact.Aim.SERVICE
    next_at, _ = _when(row.client, row.caller_id, aim, at)
    opted_out = row.confirms_id is None and _may_not_be_asked(row, at)
    if next_at is None or opted_out:
        held.update(state=InvitationState.PURGED, due_at=None)
        return []
    # The second question answers a text of this minute, so that the hour does not matter.
    if next_at > at and row.confirms_id is None:
        held.update(due_at=next_at)
        return []
    to = number_of(row.client, row.caller_id)
    held.update(attempts=F("attempts") + 1, due_at=at + _LEASE)
    way = _way(row.client, _number_for(row), at)
    if way is None:
        log.warning("invitation.no_sender", client=row.client_id)
        _later(row.client_id, row.pk, row.attempts + 1, 0.0, at)
        return []
    connection, sender = way
    return [
        Outgoing(
            kind="invitation",
            row_id=row.pk,
            client_id=row.client_id,
            account=twilio_door.account_of(connection, at=at),
            sender=sender,
            to=to,
            words=words.inviting(row.client, row),
            told_at=f"{settings.CALLPRIVACY_URL}{reverse('consent:sms_status', args=[connection.key])}",
            attempts=row.attempts + 1,
        )
    ]


def _number_for(row: Invitation) -> TrackingNumber | None:
    """The number that the person knows: the one texted or called last."""
    reply = (
        Reply.objects.for_client(row.client_id)
        .filter(caller_id=row.caller_id, tracking_number_id__isnull=False)
        .order_by("-received_at")
        .first()
    )
    call = Call.objects.for_client(row.client_id).filter(caller_id=row.caller_id).order_by("-pk").first()
    known = [
        reply.tracking_number_id if reply is not None else None,
        call.tracking_number_id if call is not None else None,
    ]
    numbers = TrackingNumber.objects.for_client(row.client_id).filter(pk__in=[one for one in known if one])
    return numbers.filter(provider__in=(twilio.NAME, "")).order_by("number").first()


def _way(client: Client, number: TrackingNumber | None, at: datetime) -> tuple[Connection, str] | None:
    """
    The connection that sends, and from which number; None where nothing can send.

    A number of Twilio's with a menu knows its connection. Otherwise the client's oldest open connection sends.
    """
    if number is None:
        rows = TrackingNumber.objects.for_client(client).filter(provider=twilio.NAME)
        number = rows.order_by("created_at", "pk").first()
    if number is None:
        return None
    ours = Connection.objects.for_client(client).filter(provider=twilio.NAME, is_active=True)
    menu = _menu_connection(number)
    for connection in ours.select_related("client__agency").order_by("created_at", "pk"):
        if menu is not None and connection.pk != menu:
            continue
        try:
            twilio_door.account_of(connection, at=at)
        except twilio_door.NoAccountError:
            continue
        return connection, number.number
    return None


def _menu_connection(number: TrackingNumber) -> uuid.UUID | None:
    return (
        PhoneMenu.objects.for_client(number.client_id)
        .filter(tracking_number=number)
        .values_list("connection_id", flat=True)
        .first()
    )


def send(outgoing: Outgoing) -> Sent:
    """Send one text. Outside any scope."""
    try:
        receipt = twilio.send_text(
            outgoing.account,
            to=outgoing.to,
            sender=outgoing.sender,
            words=outgoing.words,
            told_at=outgoing.told_at,
        )
    except twilio.OptedOutError:
        return Sent(error="opted out")
    except twilio.RetryableError as error:
        return Sent(error="later", detail=str(error))
    except twilio.UnclearError as error:
        return Sent(error="unclear", detail=str(error))
    except twilio.TwilioError as error:
        return Sent(error="refused", detail=str(error))
    return Sent(message=receipt.sid)


def settle(*, agency_id: int, outgoing: Outgoing, sent: Sent, chance: float, at: datetime) -> None:
    """Write down what came of a text."""
    if sent.error:
        log.warning("text.not_sent", kind=outgoing.kind, error=sent.error, detail=sent.detail)
    with job_scope(agency_id=agency_id):
        if outgoing.kind == "answer":
            _settle_answer(agency_id, outgoing, sent, at)
        else:
            _settle_invitation(outgoing, sent, chance, at)


def _settle_answer(agency_id: int, outgoing: Outgoing, sent: Sent, at: datetime) -> None:
    """That the number has opted out is what our answer was about: it is no news."""
    reply = Reply.objects.for_client(outgoing.client_id).filter(pk=outgoing.row_id)
    if sent.message:
        reply.update(confirmed_at=at)
    elif sent.error == "later":
        again = at + _ANSWER_AGAIN_AFTER
        within = law.confirm_within(agency_id, at.date())
        reply.filter(received_at__gt=again - within).update(confirm_due_at=again)


def _settle_invitation(outgoing: Outgoing, sent: Sent, chance: float, at: datetime) -> None:
    invitations = Invitation.objects.for_client(outgoing.client_id).filter(
        pk=outgoing.row_id, state=InvitationState.QUEUED
    )
    if sent.message or sent.error == "unclear":
        digest = _digest(outgoing.client_id, sent.message) if sent.message else None
        invitations.update(state=InvitationState.SENT, sent_at=at, due_at=None, message_digest=digest)
    elif sent.error == "later":
        _later(outgoing.client_id, outgoing.row_id, outgoing.attempts, chance, at)
    else:
        row = invitations.select_related("client").first()
        invitations.update(state=InvitationState.BOUNCED, bounced_at=at, due_at=None)
        if row is not None and sent.error == "opted out":
            texts.note_opt_out(
                client=row.client, caller_id=row.caller_id, source=f"21610 {row.pk}", by=JOB, at=at
            )


def _later(client_id: int, invitation_id: uuid.UUID, attempts: int, chance: float, at: datetime) -> None:
    rows = Invitation.objects.for_client(client_id).filter(pk=invitation_id, state=InvitationState.QUEUED)
    if attempts >= _TRIED_AT_MOST:
        rows.update(state=InvitationState.BOUNCED, bounced_at=at, due_at=None)
    else:
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(attempts, 12))
        rows.update(due_at=at + pauses.spread(pause, chance))


def _digest(client_id: int, message: str) -> bytes:
    return vault.client_keys(client_id).tokens.digest(twilio.NAME, "message", message)


def note_status(*, door: Door, at: datetime) -> None:
    """What Twilio says later became of an invitation; 21610 is a withdrawal that we missed."""
    if door.said.get("MessageStatus") not in {"failed", "undelivered"}:
        return
    message = door.said.get("MessageSid", "")
    row = (
        Invitation.objects.for_client(door.client)
        .filter(channel=Channel.SMS, message_digest=door.digest("message", message), state__in=_UNANSWERED)
        .first()
    )
    if row is None:
        return
    Invitation.objects.filter(pk=row.pk).update(state=InvitationState.BOUNCED, bounced_at=at, due_at=None)
    if door.said.get("ErrorCode") == str(twilio.OPTED_OUT):
        texts.note_opt_out(
            client=door.client, caller_id=row.caller_id, source=f"21610 {row.pk}", by=door.by, at=at
        )


def has_due(*, agency_id: int, at: datetime) -> bool:
    """Whether a text waits to be sent."""
    with job_scope(agency_id=agency_id):
        return (
            Reply.objects.filter(agency_id=agency_id, confirm_due_at__lte=at).exists()
            or Invitation.objects.filter(
                agency_id=agency_id,
                channel=Channel.SMS,
                state=InvitationState.QUEUED,
                due_at__lte=at,
                client__shut_at=None,
            ).exists()
        )
