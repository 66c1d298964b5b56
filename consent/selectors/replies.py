"""Messages of people that wait for a person, and the words that can be sent to one."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db.models import Exists, OuterRef, QuerySet

from callprivacy.calls.models import Caller, TrackingNumber, caller_label
from callprivacy.tenancy.models import Client
from consent.enums import Channel, NoticeState, ReplyState
from consent.models import Invitation, NoticeVersion, Reply

_CANDIDATES: Final = 50


@dataclass(frozen=True, slots=True)
class ReplyRow:
    """A message in the list, with its caller's name and the number it was sent to."""

    reply: Reply
    caller: str
    number: TrackingNumber | None


def invitations_of_sender() -> QuerySet[Invitation]:
    """For `Exists` over replies: the invitations that went to the address a mail came from."""
    return Invitation.objects.filter(
        client_id=OuterRef("client_id"), channel=Channel.EMAIL, address_digest=OuterRef("sender_digest")
    )


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who gave the address that a mail came from, with the newest letter that went there."""

    caller_id: uuid.UUID
    name: str
    invitation: Invitation


def candidates_of(reply: Reply) -> list[Candidate]:
    """Who may have written a mail: everybody who gave its address, the newest letter first; one or two queries."""
    if not reply.sender_digest:
        return []
    here = Caller.objects.filter(client_id=OuterRef("client_id"), pk=OuterRef("caller_id"))
    rows = (
        Invitation.objects.for_client(reply.client_id)
        .filter(Exists(here), channel=Channel.EMAIL, address_digest=reply.sender_digest)
        .select_related("version__notice")
        .order_by("-created_at", "-pk")
    )
    newest: dict[uuid.UUID, Invitation] = {}
    for row in rows[:_CANDIDATES]:
        newest.setdefault(row.caller_id, row)
    return [
        Candidate(caller_id, f"Caller {caller_label(caller_id)}", row) for caller_id, row in newest.items()
    ]


def replies_of(client: Client) -> QuerySet[Reply]:
    """A client's messages with the invitations that they may answer."""
    return Reply.objects.for_client(client).select_related(
        "client", "invitation", "invitation__version", "invitation__version__notice", "decided_by"
    )


def waiting(client: Client) -> QuerySet[Reply]:
    """A client's messages to review, the oldest first, without their text."""
    rows = replies_of(client).filter(state=ReplyState.WAITING)
    return rows.defer("text").order_by("received_at", "pk")


def reply_lines(replies: Sequence[Reply]) -> list[ReplyRow]:
    ids = {row.tracking_number_id for row in replies if row.tracking_number_id}
    numbers = {number.pk: number for number in TrackingNumber.objects.filter(pk__in=ids)}
    return [
        ReplyRow(
            row,
            f"Caller {caller_label(row.caller_id)}" if row.caller_id else "Unknown sender",
            numbers.get(row.tracking_number_id) if row.tracking_number_id else None,
        )
        for row in replies
    ]


def caller_of(reply: Reply) -> Caller | None:
    """Who wrote a message; None where nobody is known or the person was erased."""
    if reply.caller_id is None:
        return None
    return Caller.objects.for_client(reply.client_id).filter(pk=reply.caller_id).first()


def versions_for_texts(client: Client) -> list[NoticeVersion]:
    """The words in force that may be sent as a text, by name."""
    rows = NoticeVersion.objects.for_client(client).filter(
        state=NoticeState.PUBLISHED, notice__channel=Channel.SMS
    )
    return list(rows.select_related("notice").order_by("notice__name", "notice__language", "pk"))
