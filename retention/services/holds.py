"""
Holds: placed, settled, widened and lifted; while one is open, nothing that it covers leaves.

That a call is held stands on its row, so that every way out sees it. A hold and a batch that erases wait for each
other at the client's turn: the batch either sees the hold, and marks what it covers before it chooses what leaves, or
had begun before.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import transaction

from callprivacy.calls.models import Call
from callprivacy.calls.services import turns
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from retention.selectors import holds as selectors

JOB: Final = Actor.job("retention.settle_holds")


@transaction.atomic
def mark_held(*, client: Client, at: datetime) -> int:
    """
    Bring the marks on a client's calls in line with its open holds; returns how many changed.

    In the turn of the client, which it takes, and in the scope of a job. Whoever erases calls this in the transaction
    that chooses what leaves.
    """
    turns.lock_client(client.pk)
    calls = Call.objects.for_client(client)
    holds = list(selectors.open_holds(client))
    if not holds:
        return calls.filter(on_hold=True).update(on_hold=False)
    kept = selectors.kept_by(holds)
    changed = calls.filter(on_hold=True).exclude(kept).update(on_hold=False)
    return changed + calls.filter(kept, on_hold=False).update(on_hold=True)
