"""
What is due of every kind of obligation that a job works off, found over the registry of models: each has an index of
agency and instant, by which its sweep finds it. Of higher rooms' rows the instants are read, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Final

from django.apps import apps
from django.db import models
from django.db.models import Q

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
# What leaves the house: mail, and messages to systems.
_OUTBOX: Final = frozenset(
    {
        "consent.webhookdelivery.due_at",
        "retention.alert.due_at",
        "retention.news.due_at",
        "rights.letter.due_at",
        "rights.recipientnotice.due_at",
        "consent.invitation.due_at",
        "analytics.reportmail.due_at",
    }
)
_MAIL: Final = "mail_due_at"
_COUNTED_AT_MOST: Final = 1000


@cache
def _columns() -> dict[str, tuple[type[models.Model], str, Q]]:
    """
    app.model.column -> (model, column, what its index leaves in), of what sweeps find by agency and instant.

    An index over a part of the rows, such as those that are not finished, says which rows a sweep looks at.
    """
    return {name: found for name, found in sorted(_found()) if name not in _NOT_A_JOBS}


def _found() -> Iterator[tuple[str, tuple[type[models.Model], str, Q]]]:
    for model in apps.get_models():
        for index in model._meta.indexes:
            if len(index.fields) == 2 and index.fields[0] == "agency" and index.fields[1].endswith("due_at"):
                column = index.fields[1]
                yield f"{model._meta.label_lower}.{column}", (model, column, index.condition or Q())


def is_outbox(name: str) -> bool:
    """Whether what this names (app.model.column) leaves the house."""
    return name in _OUTBOX or name.endswith(f".{_MAIL}")


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
