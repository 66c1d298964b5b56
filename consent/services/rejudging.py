"""That what was decided is to be decided anew; a job works it off."""

from __future__ import annotations

from datetime import datetime

from callprivacy.tenancy.models import Client
from consent.models import Rejudgement


def of_client(*, client: Client, cause: str, at: datetime) -> None:
    """Have every recording of a client decided anew. In the transaction of what changed, which is in the trail."""
    Rejudgement.objects.bulk_create(
        [Rejudgement(agency_id=client.agency_id, client_id=client.pk, cause=cause, due_at=at, created_at=at)]
    )
