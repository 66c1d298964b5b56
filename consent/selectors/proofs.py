"""
That an event of the trail is under a seal: the seal, its signature, and the path from the event to the signed root.

A path is found from the covering seal alone and the roots ("peaks") that the seal before it left behind, so it costs
the length of one seal and never that of the whole trail.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from callprivacy.audit import merkle, selectors
from callprivacy.audit.models import Event, Seal


@dataclass(frozen=True, slots=True)
class Proof:
    """
    An event of the trail, and what vouches for it. `seal` is None while nothing does.

    :ivar index: its place in the log, from 0. :ivar path: RFC 9162, 2.1.3.1.
    """

    event: Event
    seal: Seal | None = None
    index: int = 0
    path: list[bytes] = field(default_factory=list)


def proofs_of(agency_id: int, event_ids: Collection[int]) -> dict[int, Proof]:
    """
    Event id -> its proof; events that the scope may not read are left out.

    Three queries, and two for each seal among them.
    """
    events = selectors.read_rows(
        Event.objects.filter(agency_id=agency_id, pk__in=list(event_ids)).order_by("pk")
    )
    covering = selectors.seals_of(agency_id, events)
    found = {event.pk: Proof(event) for event in events if event.pk not in covering}
    by_seal: dict[int, list[Event]] = {}
    for event in events:
        if event.pk in covering:
            by_seal.setdefault(covering[event.pk].pk, []).append(event)
    for seal_id, covered in by_seal.items():
        seal = selectors.read_row(Seal.objects.all(), seal_id)
        before = _before(seal)
        tail = merkle.Tail(before, [leaf for _, leaf in seal.listed()])
        places = {event_id: place for place, (event_id, _) in enumerate(seal.listed())}
        for event in covered:
            if event.pk in places:
                index = before.size + places[event.pk]
                found[event.pk] = Proof(event, seal, index, tail.path(index))
            else:
                # The seal's own list does not name it: the trail was tampered with, and nothing vouches for it.
                found[event.pk] = Proof(event)
    return found


def _before(seal: Seal) -> merkle.Frontier:
    if seal.number == 1:
        return merkle.Frontier()
    rows = Seal.objects.filter(agency_id=seal.agency_id, number=seal.number - 1)
    peaks = bytes(rows.values_list("peaks", flat=True).first() or b"")
    return merkle.Frontier.load(seal.size - seal.count, peaks)
