"""How asking by e-mail goes: batches, how many of each have answered, and which letters wait for a person."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from callprivacy.tenancy.models import Client
from consent.enums import Channel, InvitationState, NoticeState, ReplyState
from consent.models import Invitation, InvitationBatch, NoticeVersion, Reply
from consent.selectors import pages

PAGE: Final = 50
REMIND_AFTER: Final = timedelta(days=7)
_OF: Final = {
    "queued": InvitationState.QUEUED,
    "sent": InvitationState.SENT,
    "reminded": InvitationState.REMINDED,
    "answered": InvitationState.ANSWERED,
    "bounced": InvitationState.BOUNCED,
}
# Unanswered for so long that only the link is left, which takes a no.
_WITHOUT_ADDRESS: Final = Q(state__in=(InvitationState.SENT, InvitationState.REMINDED), address__isnull=True)


@dataclass(frozen=True, slots=True)
class Progress:
    """How many of a batch are where; `purged` of them have left unanswered, `unsent` never went out."""

    queued: int
    sent: int
    reminded: int
    answered: int
    bounced: int
    unsent: int
    purged: int

    @property
    def out(self) -> int:
        """How many letters have gone out."""
        return self.sent + self.reminded + self.answered + self.bounced + self.purged


def batches(client: Client) -> QuerySet[InvitationBatch]:
    """A client's batches, the newest first."""
    rows = InvitationBatch.objects.for_client(client).select_related("version__notice", "created_by")
    return rows.order_by("-created_at", "-pk")


def page(client: Client, *, before: str = "") -> tuple[list[InvitationBatch], str]:
    """A page of batches, and the cursor of the next; a cursor that cannot be read begins anew."""
    return pages.newest(batches(client), "created_at", before=before, size=PAGE)


def progress_of(batch: InvitationBatch) -> Progress:
    """Counts of one batch, one query."""
    counts = (
        Invitation.objects.for_client(batch.client_id)
        .filter(batch=batch)
        .aggregate(
            **{name: Count("pk", filter=Q(state=state) & ~_WITHOUT_ADDRESS) for name, state in _OF.items()},
            unsent=Count("pk", filter=Q(state=InvitationState.PURGED, sent_at=None)),
        )
    )
    return Progress(**counts, purged=max(batch.size - sum(counts.values()), 0))


def taken_up() -> Q:
    """
    Which invitations a sweep takes up: not those of a list that was paused, nor those of which something that came from
    their address, or about them, still waits for a person: it may be a no.
    """
    waiting = Reply.objects.filter(
        Q(invitation_id=OuterRef("pk")) | Q(sender_digest=OuterRef("address_digest")),
        client_id=OuterRef("client_id"),
        state=ReplyState.WAITING,
    )
    return Q(Q(batch=None) | Q(batch__paused_at=None), ~Exists(waiting))


def versions_to_send(client: Client) -> list[NoticeVersion]:
    """The published notices whose words go by e-mail."""
    rows = NoticeVersion.objects.for_client(client).filter(
        state=NoticeState.PUBLISHED, notice__channel=Channel.EMAIL
    )
    return list(rows.select_related("notice").order_by("notice__name", "notice__language"))
