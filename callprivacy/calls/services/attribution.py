"""Whether a client's calls keep the landing page and the keyword that they came from; off by default."""

from datetime import datetime

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client


@transaction.atomic
def switch_attribution(*, client: Client, keeps: bool, by: Actor, at: datetime) -> bool:
    """
    Keep landing pages and keywords of calls that come from now on, or no more; returns whether that is new.

    What is stored leaves with its call.
    """
    rows = Client.objects.filter(pk=client.pk, keeps_attribution=not keeps)
    if not rows.update(keeps_attribution=keeps):
        return False
    audit.record("attribution.switched", subject=client, by=by, at=at, keeps=keeps)
    return True
