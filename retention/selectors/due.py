"""
What is due of every kind of obligation that a job works off, found over the registry of models: each has an index of
agency and instant, by which its sweep finds it. Of higher rooms' rows the instants are read, and nothing else.

A try moves a row on, so that to its job it is due again later. Mail that is refused again and again has waited since it
was first due all the same: what leaves the house is reckoned from there.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from typing import Final

from django.apps import apps
from django.db import models
from django.db.models import Case, F, Q, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from consent.enums import Channel, InvitationState
from consent.selectors import invitations

# What is due to a person, or stays due by right: a hold waits, an observed client erases nothing, a lease looks alike.
_NOT_A_JOBS: Final = frozenset(
    {
        "governance.breachnotice.due_at",
        "rights.case.answer_due_at",
        "calls.call.redact_due_at",
        "calls.recording.due_at",
        "calls.transcript.due_at",
        "consent.subscription.due_at",
    }
)
# What leaves the house -> since when it was first due, where tries of its mail move it on. Messages to systems are
# reckoned from their next try, as a system that is away for three days is its owner's matter; so are texts.
_OUTBOX: Final[dict[str, Combinable]] = {
    "work.notification.mail_due_at": Coalesce("mail_due_since", "mail_due_at"),
    "consent.invitation.due_at": Case(
        When(~Q(channel=Channel.EMAIL), then=F("due_at")),
        When(state=InvitationState.SENT, then=F("sent_at") + invitations.REMIND_AFTER),
        default=F("created_at"),
    ),
    "rights.letter.due_at": Coalesce("sent_at", "made_at"),
    "rights.approval.mail_due_at": F("asked_at"),
    "analytics.release.mail_due_at": F("ended_at"),
    "analytics.removal.mail_due_at": F("taken_at"),
    "analytics.reportmail.due_at": F("due_at"),
    "consent.webhookdelivery.due_at": F("due_at"),
    "retention.alert.due_at": F("due_at"),
    "retention.news.due_at": F("due_at"),
    "rights.recipientnotice.due_at": F("due_at"),
}
# No claim of a mail lasts longer, so that further ahead nothing has been tried.
_LONGEST_CLAIM: Final = timedelta(minutes=30)
_COUNTED_AT_MOST: Final = 1000


@cache
def _columns() -> dict[str, tuple[type[models.Model], str, Q]]:
    """
    app.model.column -> (model, column, what its index and its sweep leave in), of what is found by agency and instant.

    An index over a part of the rows, such as those that are not finished, says which rows a sweep looks at.
    """
    return {name: found for name, found in sorted(_found()) if name not in _NOT_A_JOBS}


def _found() -> Iterator[tuple[str, tuple[type[models.Model], str, Q]]]:
    # What waits for a person by right is not late.
    taken_up = {"consent.invitation.due_at": invitations.taken_up()}
    for model in apps.get_models():
        for index in model._meta.indexes:
            if len(index.fields) == 2 and index.fields[0] == "agency" and index.fields[1].endswith("due_at"):
                column = index.fields[1]
                name = f"{model._meta.label_lower}.{column}"
                yield name, (model, column, Q(index.condition or Q(), taken_up.get(name, Q())))


def oldest(agency_id: int, at: datetime) -> dict[str, tuple[int, int]]:
    """
    app.model.column -> (seconds since the oldest was due, how many are due: a thousand at most); only what is due.

    One small statement for each, over its index. In the scope of the agency's job.
    """
    found: dict[str, tuple[int, int]] = {}
    for name, (model, column, condition) in _columns().items():
        rows = model._default_manager.filter(condition, agency_id=agency_id, **{f"{column}__lte": at})
        instants = list(rows.order_by(column).values_list(column, flat=True)[:_COUNTED_AT_MOST])
        if instants:
            found[name] = (int((at - instants[0]).total_seconds()), len(instants))
    return found


def outbox(agency_id: int, at: datetime) -> tuple[int | None, int]:
    """
    Of what leaves the house: the seconds since the oldest was first due, and how many wait, a thousand of each kind at
    most. None where nothing does. In the scope of the agency's job.
    """
    oldest_at, count = None, 0
    for name, first_due in _OUTBOX.items():
        model, column, condition = _columns()[name]
        rows = model._default_manager.filter(
            condition, agency_id=agency_id, **{f"{column}__lte": at + _LONGEST_CLAIM}
        ).annotate(first_due=first_due)
        waiting = rows.filter(first_due__lte=at).order_by("first_due")
        instants = list(waiting.values_list("first_due", flat=True)[:_COUNTED_AT_MOST])
        count += len(instants)
        if instants:
            oldest_at = min(oldest_at or instants[0], instants[0])
    return None if oldest_at is None else int((at - oldest_at).total_seconds()), count
