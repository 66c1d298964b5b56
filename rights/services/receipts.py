"""Word to recipients that goes by letter: that it was sent, and what the recipient confirmed."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from callprivacy.lib.scope import Actor
from rights.enums import EventKind, NoticeState
from rights.models import RecipientNotice
from rights.services import timeline


class NotWaitingError(LookupError):
    """It was sent or confirmed already, maybe by somebody else a moment ago."""


@transaction.atomic
def mark_sent(*, notice: RecipientNotice, by: Actor, at: datetime) -> None:
    """
    Note that a letter to a recipient went out.

    :raises NotWaitingError: it is not waiting to be sent.
    """
    won = RecipientNotice.objects.filter(pk=notice.pk, state=NoticeState.WAITING).update(
        state=NoticeState.SENT, sent_at=at, sent_by_id=by.user_id
    )
    if not won:
        raise NotWaitingError("It is not waiting to be sent any more.")
    timeline.add_event(
        "recipient.told", case=notice.case, kind=EventKind.PASSED_ON, by=by, at=at, about=notice.about
    )


@transaction.atomic
def confirm(*, notice: RecipientNotice, receipt: str, by: Actor, at: datetime) -> None:
    """
    Note what a recipient confirmed; one that confirms without having been written to was told otherwise.

    :raises NotWaitingError: it is confirmed already.
    """
    rows = RecipientNotice.objects.filter(pk=notice.pk).exclude(state=NoticeState.CONFIRMED)
    won = rows.update(
        state=NoticeState.CONFIRMED, confirmed_at=at, receipt=" ".join(receipt.split())[:300], due_at=None
    )
    if not won:
        raise NotWaitingError("It is confirmed already.")
    timeline.add_event(
        "recipient.confirmed", case=notice.case, kind=EventKind.PASSED_ON, by=by, at=at, about=notice.about
    )
