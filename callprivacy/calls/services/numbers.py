"""Tracking numbers, as people describe them: where they are shown, and what a caller hears there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.calls.models import TrackingNumber
from callprivacy.lib import phone
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client

DESCRIBED: Final = (
    "label",
    "source",
    "campaign",
    "target_site",
    "region",
    "records",
    "announcement",
    "announced_from",
    "tested_at",
)


type Facts = Mapping[str, str | bool | date | datetime | None]


class NumberKnownError(ValueError):
    """The client has that number already."""


@transaction.atomic
def add_number(
    *, client: Client, number: str, provider: str, facts: Facts, by: Actor, at: datetime
) -> TrackingNumber:
    """
    Write down a number before its first call has come.

    :param number: in E.164.
    :param provider: the tracker it is rented from; "" where nobody said.
    :param facts: some of `DESCRIBED`; an empty region becomes the one of the number's own plan.
    :raises NumberKnownError: the client has it already.
    """
    row = TrackingNumber(
        **_complete(number, {"region": ""} | dict(facts)),
        agency_id=client.agency_id,
        client=client,
        number=number,
        provider=provider,
        created_at=at,
    )
    # A call that brings the number at the same moment makes the row first, and then this one is not there.
    TrackingNumber.objects.bulk_create([row], ignore_conflicts=True)
    if not TrackingNumber.objects.filter(pk=row.pk).exists():
        raise NumberKnownError("This client has that number already.")
    audit.record("number.added", subject=row, by=by, at=at, provider=provider)
    return row


def _complete(number: str, facts: Facts) -> dict[str, str | bool | date | datetime | None]:
    """What may be said of a number; where its region is left empty, the one of its own plan."""
    said = {name: facts[name] for name in DESCRIBED if name in facts}
    if said.get("region") == "":
        said["region"] = phone.place_of(number)[1]
    return said


@transaction.atomic
def describe_number(
    *,
    number: TrackingNumber,
    facts: Facts,
    by: Actor,
    at: datetime,
) -> bool:
    """
    Write down what is known of a number; the trail says which of it changed.

    :param facts: some of `DESCRIBED`, as for `add_number`.
    :returns: whether anything changed.
    """
    row = TrackingNumber.objects.select_for_update().get(pk=number.pk)
    said = _complete(row.number, facts)
    changed = [name for name in said if getattr(row, name) != said[name]]
    if not changed:
        return False
    for name in changed:
        setattr(row, name, said[name])
    row.save(update_fields=changed)
    audit.record("number.described", subject=row, by=by, at=at, changed=", ".join(changed))
    return True
