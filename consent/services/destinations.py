"""Where a client's numbers are sent for advertising, so that an opt-out can be carried there."""

from datetime import datetime

from django.db import IntegrityError, transaction

from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from consent.models import AdDestination


class NameTakenError(ValueError):
    """The client has a destination of that name."""


@transaction.atomic
def add(
    *, client: Client, name: str, contact: str, instructions: str, by: Actor, at: datetime
) -> AdDestination:
    """
    Write down one more destination.

    :raises NameTakenError: there is one of that name.
    """
    try:
        with transaction.atomic():
            row = AdDestination.objects.create(
                agency_id=client.agency_id,
                client=client,
                name=name,
                contact=contact,
                instructions=instructions,
                created_at=at,
            )
    except IntegrityError:
        raise NameTakenError(name) from None
    audit.record("destination.added", by=by, at=at, subject=row)
    return row


@transaction.atomic
def close(*, destination: AdDestination, by: Actor, at: datetime) -> bool:
    """Nothing is sent there any more; returns whether anything was until now."""
    rows = AdDestination.objects.for_client(destination.client_id).filter(pk=destination.pk, is_active=True)
    if not rows.update(is_active=False):
        return False
    audit.record("destination.closed", by=by, at=at, subject=destination)
    return True
