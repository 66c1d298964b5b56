"""On what a client rests measuring its calls: declared with a balancing test, kept when something else is declared."""

from datetime import datetime

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from consent.enums import Basis
from consent.models import Declaration


class BalancingTestMissingError(ValueError):
    """Legitimate interests are weighed against those of the callers, or they are none (GDPR article 6(1)(f))."""


@transaction.atomic
def declare(*, client: Client, basis: Basis, balancing_test: str, by: Actor, at: datetime) -> Declaration:
    """
    Declare the lawful basis on which a client's calls are measured; it takes the place of the one before.

    :param balancing_test: needed for legitimate interests alone.
    :raises BalancingTestMissingError: it is not there.
    """
    test = balancing_test.strip()
    if basis == Basis.LEGITIMATE_INTERESTS and not test:
        raise BalancingTestMissingError("Legitimate interests require a balancing test. Enter it first.")
    Declaration.objects.for_client(client).filter(ended_at=None).update(ended_at=at)
    row = Declaration.objects.create(
        agency_id=client.agency_id,
        client=client,
        basis=basis,
        balancing_test=test,
        declared_by_id=by.user_id,
        declared_at=at,
    )
    audit.record("basis.declared", subject=row, by=by, at=at, basis=str(basis), weighed=bool(test))
    return row
