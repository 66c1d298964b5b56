"""Anonymized rows for a person of the agency: a release like any other, whose recipient is that person."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from analytics.models.releases import Recipient, ReleaseTrial
from analytics.selectors import releases as selectors
from analytics.services import recipients, releases
from callprivacy.accounts.models import Membership
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client


@transaction.atomic
def draft_export(
    *, client: Client, to: Membership, wish: releases.Wish, by: Actor, at: datetime
) -> ReleaseTrial:
    """
    Begin a release to a person of the agency and try the agency's lowest k for it. Nothing leaves.

    :raises NotReleasableError: it may not be.
    """
    recipient = _recipient(client, to, by, at)
    release = releases.draft_release(client=client, recipient=recipient, wish=wish, by=by, at=at)
    return releases.ask_trial(
        release=release, k=selectors.floor_of(client.agency_id).k, l=None, t=None, at=at
    )


def _recipient(client: Client, to: Membership, by: Actor, at: datetime) -> Recipient:
    """The person as a recipient; without a contract, so nothing pseudonymized is released to them."""
    name = f"{to.user.name}, in-house ({to.user.email})"[-120:]
    rows = Recipient.objects.for_client(client).filter(name=name)
    if (found := rows.first()) is not None:
        return found
    try:
        return recipients.add_recipient(
            client=client, name=name, email=to.user.email, contract="", epsilon=Decimal(0), by=by, at=at
        )
    except recipients.RecipientExistsError:
        return rows.get()
