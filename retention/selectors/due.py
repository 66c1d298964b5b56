"""
What is due of every kind of obligation that a job works off, found over the registry of models: each has an index of
agency and instant, by which its sweep finds it. Higher rooms' rows are counted by their tables, and not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Final

from django.apps import apps
from django.db import connection

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
        "rights.letter.due_at",
        "rights.recipientnotice.due_at",
        "consent.invitation.due_at",
        "analytics.reportmail.due_at",
    }
)
_MAIL: Final = "mail_due_at"


@cache
def _columns() -> dict[str, tuple[str, str]]:
    """app.model.column -> (table, column) of everything that a sweep finds by its agency and its instant."""
    return {name: found for name, found in sorted(_found()) if name not in _NOT_A_JOBS}


def _found() -> Iterator[tuple[str, tuple[str, str]]]:
    for model in apps.get_models():
        for index in model._meta.indexes:
            if len(index.fields) == 2 and index.fields[0] == "agency" and index.fields[1].endswith("due_at"):
                yield f"{model._meta.label_lower}.{index.fields[1]}", (model._meta.db_table, index.fields[1])


def is_outbox(name: str) -> bool:
    """Whether what this names (app.model.column) leaves the house."""
    return name in _OUTBOX or name.endswith(f".{_MAIL}")


def oldest(agency_id: int, at: datetime) -> dict[str, tuple[int, int]]:
    """
    app.model -> (seconds since the oldest was due, how many are due, counted up to a thousand); only what is due.

    One statement, over indexes. In the scope of the agency's job.
    """
    columns = _columns()
    parts = [
        f"SELECT %s::text, min(at), count(*) FROM (SELECT {column} AS at FROM {table}"  # noqa: S608  (models' names)
        f" WHERE agency_id = %s AND {column} <= %s ORDER BY {column} LIMIT 1000) AS found"
        for table, column in columns.values()
    ]
    values: list[str | int | datetime] = []
    for name in columns:
        values += [name, agency_id, at]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), values)
        rows = cursor.fetchall()
    return {name: (int((at - since).total_seconds()), count) for name, since, count in rows if count}
