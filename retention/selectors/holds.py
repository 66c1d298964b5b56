"""
What open holds keep, as the scope sees it.

A hold keeps the calls of its time: those of its numbers where it names any, all of them where it names neither
numbers nor calls. Beside them it keeps the calls that it names, and what is known of the numbers that it names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from callprivacy.calls.models import Call, CallQuerySet, first_id_at
from callprivacy.tenancy.models import Client
from retention.models import Hold, HoldCall, HoldCaller


def open_holds(client: Client) -> QuerySet[Hold]:
    """A client's holds that nobody has lifted, oldest first."""
    return Hold.objects.for_client(client).open().order_by("placed_at", "pk")


def kept_by(holds: Iterable[Hold]) -> Q:
    """A condition on calls of one client: at least one of these holds keeps it. None of them: no call."""
    found = Q(pk__in=[])
    for hold in holds:
        found |= _kept_by(hold)
    return found


def _kept_by(hold: Hold) -> Q:
    callers = HoldCaller.objects.filter(client_id=hold.client_id, hold=hold)
    calls = HoldCall.objects.filter(client_id=hold.client_id, hold=hold)
    in_time = ~Q(pk__in=[])
    if hold.from_at is not None:
        in_time &= Q(pk__gte=first_id_at(hold.from_at))
    if hold.until_at is not None:
        in_time &= Q(pk__lt=first_id_at(hold.until_at))
    named = Q(pk__in=calls.values("call_id"))
    if callers.exists():
        return named | (in_time & Q(caller_id__in=callers.values("caller_id")))
    return named if calls.exists() else in_time


def kept_calls(hold: Hold) -> CallQuerySet:
    """The calls that a hold keeps, or would keep again were it open."""
    return Call.objects.for_client(hold.client_id).filter(_kept_by(hold))


def held_calls(client: Client) -> CallQuerySet:
    """The calls of a client that are marked as held."""
    return Call.objects.for_client(client).filter(on_hold=True)


def named_caller_ids(client: Client) -> set[UUID]:
    """The callers whose numbers open holds of a client name."""
    rows = HoldCaller.objects.for_client(client).filter(hold__lifted_at__isnull=True)
    return set(rows.values_list("caller_id", flat=True))


def held_caller_ids(client: Client) -> set[UUID]:
    """The callers of a client of whom nothing may leave: named by open holds, or with a call that is held."""
    calls = held_calls(client).filter(caller__isnull=False)
    return named_caller_ids(client) | set(calls.values_list("caller_id", flat=True).distinct())


def keeps(client: Client, caller_id: UUID) -> list[Hold]:
    """
    The open holds of a client that keep something of one caller: its number, or one of its calls; oldest first.

    For who is asked to erase this person, and has to say why not.
    """
    named = HoldCaller.objects.for_client(client).filter(hold=OuterRef("pk"), caller_id=caller_id)
    calls = Call.objects.for_client(client).filter(caller_id=caller_id)
    found = open_holds(client).annotate(is_named=Exists(named))
    return [hold for hold in found if hold.is_named or calls.filter(_kept_by(hold)).exists()]


def covering(call_ids: Collection[UUID]) -> dict[UUID, list[Hold]]:
    """
    Which open holds keep which of these calls, oldest first; a call that none keeps is left out.

    Looks at what the holds say, not at the mark on the call. For a page of calls: one query a hold.
    """
    calls = Call.objects.filter(pk__in=list(call_ids))
    client_ids = set(calls.order_by().values_list("client_id", flat=True).distinct())
    found: dict[UUID, list[Hold]] = {}
    rows = Hold.objects.filter(client_id__in=client_ids).open().order_by("placed_at", "pk")
    for hold in rows:
        kept = calls.for_client(hold.client_id).filter(_kept_by(hold))
        for call_id in kept.values_list("pk", flat=True):
            found.setdefault(call_id, []).append(hold)
    return found
