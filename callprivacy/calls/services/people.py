"""
Callers of whom something is known before, or without, a call: who agreed on a form, who asked to be left alone.

A number becomes a caller of its client as it would by calling, so that a later call meets the same row.
"""

import uuid
from collections.abc import Collection
from datetime import datetime

from callprivacy.calls.models import Caller
from callprivacy.lib import phone
from callprivacy.tenancy.models import Client
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import Place


def add_callers(*, client: Client, numbers: Collection[str], at: datetime) -> dict[str, uuid.UUID]:
    """
    Return number (E.164) -> caller id at one client; callers that are new get their keys and their row.

    Inside a scope that may write callers of the client. The vault commits the keys by itself; where the scope
    is rolled back, the sweep of leftovers removes them.

    :raises CallerGoneError: one of them was erased in this moment; ask again.
    """
    found = vault.ensure_callers(client_id=client.pk, numbers=numbers, at=at)
    known = set(
        Caller.objects.for_client(client).filter(pk__in=list(found.values())).values_list("pk", flat=True)
    )
    fresh = {number: caller_id for number, caller_id in found.items() if caller_id not in known}
    if fresh:
        keys = vault_selectors.content_keys({client.pk: list(fresh.values())})
        if len(keys) < len(fresh):
            raise vault.CallerGoneError(f"{len(fresh) - len(keys)} callers are gone.")
        Caller.objects.bulk_create(
            [
                Caller(
                    pk=caller_id,
                    agency_id=client.agency_id,
                    client_id=client.pk,
                    number=keys[caller_id].seal(
                        number.encode(), Place(client.pk, "calls_caller", "number", caller_id)
                    ),
                    country=phone.place_of(number)[0],
                    region=phone.place_of(number)[1],
                    created_at=at,
                )
                for number, caller_id in fresh.items()
            ],
            ignore_conflicts=True,
        )
    return found


def erased_since(*, client: Client, numbers: Collection[str], said_at: datetime) -> set[str]:
    """
    Those of these numbers (E.164) whose person was erased with everything up to `said_at`, or later.

    What they are said to have done at that time makes no caller of them again, whichever way it comes in.
    """
    erased = vault_selectors.erased_up_to(client.pk, numbers) if numbers else {}
    return {number for number, until in erased.items() if said_at <= until}


def gone(*, client: Client, numbers: Collection[str]) -> set[str]:
    """Those of these numbers (E.164) whose person was erased and is not here again since."""
    erased = vault_selectors.erased_up_to(client.pk, numbers) if numbers else {}
    if not erased:
        return set()
    return (
        erased.keys() - vault_selectors.ids_of_numbers(vault_selectors.client_keys(client.pk), erased).keys()
    )
