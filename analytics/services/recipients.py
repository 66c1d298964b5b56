"""Whom data may be released to, and the least that the agency asks of a release."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db import IntegrityError, transaction

from analytics.models.releases import LEAST_K, Recipient, ReleaseFloor
from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Agency, Client

MOST_SUPPRESSED: Final = 20
"""Percent of rows; more is another table."""


class RecipientExistsError(ValueError):
    """The client has a recipient of this name."""


class FloorTooLowError(ValueError):
    """No agency's floor is below the house's."""


@transaction.atomic
def add_recipient(
    *, client: Client, name: str, email: str, contract: str, epsilon: Decimal, by: Actor, at: datetime
) -> Recipient:
    """
    Write down whom data may be released to.

    :raises RecipientExistsError: there is one of that name.
    """
    if by.user_id is None:
        raise TypeError("A recipient is added by a person.")
    row = Recipient(
        agency_id=client.agency_id,
        client=client,
        name=name,
        email=email,
        contract=contract,
        epsilon=epsilon,
        created_by_id=by.user_id,
        created_at=at,
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise RecipientExistsError("There is a recipient of this name. Pick that one.") from None
    audit.record("recipient.added", subject=row, by=by, at=at, epsilon=str(epsilon), contract=bool(contract))
    return row


@transaction.atomic
def change_recipient(
    *, recipient: Recipient, email: str, contract: str, epsilon: Decimal, by: Actor, at: datetime
) -> None:
    """Correct a recipient's address and contract, and set the budget; what was spent stays spent."""
    fresh = Recipient.objects.select_for_update(no_key=True).get(pk=recipient.pk)
    was = fresh.epsilon
    fresh.email, fresh.contract, fresh.epsilon = email, contract, epsilon
    fresh.save(update_fields=["email", "contract", "epsilon"])
    audit.record(
        "recipient.changed",
        subject=fresh,
        by=by,
        at=at,
        was_epsilon=str(was),
        epsilon=str(epsilon),
        contract=bool(contract),
    )


@transaction.atomic
def set_floor(*, agency: Agency, k: int, most_suppressed: int, by: Actor, at: datetime) -> None:
    """
    Set the least an agency asks of every release that is proposed or built from now on.

    :raises FloorTooLowError: k is below `LEAST_K`, or more rows may be left out than `MOST_SUPPRESSED` percent.
    """
    if by.user_id is None:
        raise TypeError("A floor is set by a person.")
    if k < LEAST_K or not 0 <= most_suppressed <= MOST_SUPPRESSED:
        raise FloorTooLowError(
            f"k is at least {LEAST_K}, and at most {MOST_SUPPRESSED} % of rows are left out."
        )
    Agency.objects.select_for_update(no_key=True).get(pk=agency.pk)
    values = {"k": k, "most_suppressed": most_suppressed, "set_by_id": by.user_id, "set_at": at}
    if not ReleaseFloor.objects.filter(agency_id=agency.pk).update(**values):
        ReleaseFloor.objects.create(agency_id=agency.pk, **values)
    audit.record("floor.set", subject=agency, by=by, at=at, k=k, most_suppressed=most_suppressed)
