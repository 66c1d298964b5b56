"""
That an event of the trail is under a seal: the seal, its signature, and the path from the event to the signed root.

A path is found from the covering seal alone and the roots ("peaks") that the seal before it left behind, so it costs
the length of one seal and never that of the whole trail.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
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
        tree = _Tree(_peaks_before(seal), seal.size - seal.count, [leaf for _, leaf in seal.listed()])
        places = {event_id: place for place, (event_id, _) in enumerate(seal.listed())}
        for event in covered:
            if event.pk in places:
                index = tree.size_before + places[event.pk]
                found[event.pk] = Proof(event, seal, index, tree.path(index))
            else:
                # The seal's own list does not name it: the trail was tampered with, and nothing vouches for it.
                found[event.pk] = Proof(event)
    return found


def _peaks_before(seal: Seal) -> list[bytes]:
    """The full subtrees' roots of the log as the seal before left it, largest first."""
    if seal.number == 1:
        return []
    before = Seal.objects.filter(agency_id=seal.agency_id, number=seal.number - 1)
    peaks = bytes(before.values_list("peaks", flat=True).first() or b"")
    return merkle.Frontier.load(seal.size - seal.count, peaks).peaks


class _Tree:
    """A log of which only the last leaves are known, and of the rest the roots of its full subtrees."""

    def __init__(self, peaks: Sequence[bytes], size_before: int, leaves: Sequence[bytes]) -> None:
        self.size_before, self._leaves = size_before, leaves
        self.size = size_before + len(leaves)
        self._roots: dict[tuple[int, int], bytes] = {}
        low = 0
        widths = [1 << bit for bit in reversed(range(size_before.bit_length())) if size_before >> bit & 1]
        for width, peak in zip(widths, peaks, strict=True):
            self._roots[low, low + width] = peak
            low += width

    def path(self, index: int) -> list[bytes]:
        """The proof that entry `index`, one of the known leaves, is in the log."""
        path: list[bytes] = []
        low, high = 0, self.size
        while high - low > 1:
            middle = low + _split(high - low)
            if index < middle:
                path.append(self._root(middle, high))
                high = middle
            else:
                path.append(self._root(low, middle))
                low = middle
        return path[::-1]

    def _root(self, low: int, high: int) -> bytes:
        known = self._roots.get((low, high))
        if known is None:
            if high - low == 1:
                return self._leaves[low - self.size_before]
            middle = low + _split(high - low)
            known = merkle.node_hash(self._root(low, middle), self._root(middle, high))
            self._roots[low, high] = known
        return known


def _split(size: int) -> int:
    """The largest power of two smaller than `size` (at least 2)."""
    return 1 << ((size - 1).bit_length() - 1)
