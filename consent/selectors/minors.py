"""Which callers of a client are known to be minors: with them a notice alone never suffices."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from callprivacy.tenancy.enums import Sector
from callprivacy.tenancy.models import Client
from consent.models import MinorMark


def among(client: Client, caller_ids: Collection[uuid.UUID]) -> frozenset[uuid.UUID]:
    """Those of these callers who are known to be minors; one query."""
    rows = MinorMark.objects.for_client(client).filter(caller_id__in=list(caller_ids))
    return frozenset(rows.values_list("caller_id", flat=True))


def are_presumed(client: Client) -> bool:
    """Whether a client's trade has everybody who calls taken for a minor, whoever noted it or not."""
    return Sector(client.sector).presumes_minors


def mark_of(client: Client, caller_id: uuid.UUID) -> MinorMark | None:
    """That a caller is known to be a minor, who said so and when."""
    return (
        MinorMark.objects.for_client(client).filter(caller_id=caller_id).select_related("marked_by").first()
    )
