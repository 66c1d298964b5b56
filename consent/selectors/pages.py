"""
Pages of a list by key: the newest rows first, and of one instant the greater key first.

A page begins behind the last row of the one before it, whatever has come since; nothing is counted.
"""

import uuid
from datetime import datetime

from django.db.models import Model, Q, QuerySet


def newest[M: Model](rows: QuerySet[M], instant: str, *, before: str, size: int) -> tuple[list[M], str]:
    """
    A page of rows, and the cursor of the next one, "" where there is none; one query.

    :param instant: the name of the field that they are ordered by.
    :param before: the cursor of a page; one that cannot be read begins anew.
    """
    cursor = _read(before)
    if cursor is not None:
        at, key = cursor
        rows = rows.filter(Q(**{f"{instant}__lt": at}) | Q(**{instant: at, "pk__lt": key}))
    found = list(rows.order_by(f"-{instant}", "-pk")[: size + 1])
    last = found[size - 1] if len(found) > size else None
    return found[:size], "" if last is None else f"{getattr(last, instant).isoformat()}_{last.pk}"


def _read(cursor: str) -> tuple[datetime, uuid.UUID] | None:
    moment, _, identity = cursor.partition("_")
    try:
        read = datetime.fromisoformat(moment), uuid.UUID(identity)
    except ValueError:
        return None
    return read if read[0].tzinfo is not None else None
