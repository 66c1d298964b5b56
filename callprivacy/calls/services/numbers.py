"""Tracking numbers, as people describe them: where they are shown, and what a caller hears there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.calls.models import TrackingNumber
from callprivacy.lib.scope import Actor

DESCRIBED: Final = (
    "label",
    "source",
    "campaign",
    "target_site",
    "records",
    "announcement",
    "announced_from",
    "tested_at",
)


@transaction.atomic
def describe_number(
    *,
    number: TrackingNumber,
    facts: Mapping[str, str | bool | date | datetime | None],
    by: Actor,
    at: datetime,
) -> bool:
    """
    Write down what is known of a number; the trail says which of it changed.

    :param facts: some of `DESCRIBED`.
    :returns: whether anything changed.
    """
    row = TrackingNumber.objects.select_for_update().get(pk=number.pk)
    changed = [name for name in DESCRIBED if name in facts and getattr(row, name) != facts[name]]
    if not changed:
        return False
    for name in changed:
        setattr(row, name, facts[name])
    row.save(update_fields=changed)
    audit.record("number.described", subject=row, by=by, at=at, changed=", ".join(changed))
    return True
