"""Who was told of what people asked: recipients, in which way, and whether they have confirmed it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from uuid import UUID

from django.db.models import QuerySet

from rights.enums import NoticeState
from rights.models import RecipientNotice

PAGE: Final = 50
OPEN: Final = (NoticeState.WAITING, NoticeState.SENT, NoticeState.FAILED)
STATES: Final[tuple[tuple[str, str], ...]] = (
    ("open", "Without a receipt"),
    (NoticeState.WAITING, "To be sent"),
    (NoticeState.SENT, "Sent"),
    (NoticeState.FAILED, "Not delivered"),
    (NoticeState.CONFIRMED, "Confirmed"),
    ("all", "All"),
)


def notices(client_ids: Collection[int], *, state: str, reference: str = "") -> QuerySet[RecipientNotice]:
    """Word to recipients about these clients' requests, the newest first."""
    rows = RecipientNotice.objects.filter(client_id__in=list(client_ids))
    if reference:
        rows = rows.filter(case__reference=reference)
    if state == "open":
        rows = rows.filter(state__in=OPEN)
    elif state in NoticeState.values:
        rows = rows.filter(state=state)
    rows = rows.select_related("case__client", "sent_by").defer("case__answer", "case__laws")
    return rows.order_by("-created_at", "-pk")


def find(case_id: UUID, notice_id: UUID) -> RecipientNotice | None:
    """One of them."""
    return RecipientNotice.objects.filter(pk=notice_id, case_id=case_id).select_related("sent_by").first()
