"""
Whether releases, held against each other, tell more than each of them alone. Pure: digests in, findings out.

A release puts its calls into classes, and who holds several may cut the classes of one by those of another, and
subtract one from another: what can be told apart are the calls that lie in the same class, or in none, of every one of
them. Each such part must hold as many callers as the floor asks for; then every intersection and every difference of
classes is made of such parts and holds as many. This is the composition attack of Ganta, Kasiviswanathan and Smith
(KDD 2008) on calls that were released more than once, and the differencing attack on calls that were not.
"""

import struct
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

DIGEST: Final = 16
_ROW: Final = struct.Struct(f">{DIGEST}s{DIGEST}sI")


@dataclass(frozen=True, slots=True)
class Members:
    """
    Who is where in a release: digest of a call -> its class, and the digest of its caller.

    The digests are keyed; the class is a number that stands for nothing.
    """

    classes: Mapping[bytes, int]
    callers: Mapping[bytes, bytes]

    @classmethod
    def of(cls, rows: Iterable[tuple[bytes, bytes, int]]) -> "Members":
        """Take rows of (digest of the call, digest of the caller, class)."""
        classes: dict[bytes, int] = {}
        callers: dict[bytes, bytes] = {}
        for call, caller, number in rows:
            classes[call], callers[call] = number, caller
        return cls(classes, callers)

    @classmethod
    def read(cls, packed: bytes) -> "Members":
        """
        Take what `pack` wrote.

        :raises ValueError: it is not whole.
        """
        if len(packed) % _ROW.size:
            raise ValueError("A list of members ends early.")
        return cls.of(_ROW.iter_unpack(packed))

    def pack(self) -> Iterator[bytes]:
        """The rows as bytes, in the order of their digests, which is nobody's order."""
        for call in sorted(self.classes):
            yield _ROW.pack(call, self.callers[call], self.classes[call])


@dataclass(frozen=True, slots=True)
class Isolated:
    """
    Earlier releases with which the new one tells apart too few callers.

    :ivar with_: their names, one where one is enough. :ivar callers: how many are in the smallest part.
    :ivar parts: how many parts are too small.
    """

    with_: tuple[Hashable, ...]
    callers: int
    parts: int


def smallest_with(new: Members, others: Iterable[Members]) -> int:
    """How many callers are in the smallest part that a release and others together tell apart of its classes."""
    named = dict(enumerate(others))
    parts = _parts([new, *(named[name] for name in _touching(new, named))])
    cut = {key[1:] for key in parts if key[0] is not None}
    return min((len(callers) for key, callers in parts.items() if key[1:] in cut), default=0)


def isolated[N: Hashable](new: Members, earlier: Mapping[N, Members], *, least: int) -> Isolated | None:
    """
    Whether a release, with earlier ones, tells apart fewer callers than `least`; None where it does not.

    Each earlier one is tried alone, then all of those together that share calls with the new one or with each other.
    """
    touching = _touching(new, earlier)
    for name in touching:
        found = _too_small(new, [earlier[name]], least)
        if found is not None:
            return Isolated((name,), *found)
    if not touching:
        return None
    found = _too_small(new, [earlier[name] for name in touching], least)
    return None if found is None else Isolated(tuple(touching), *found)


def _touching[N: Hashable](new: Members, earlier: Mapping[N, Members]) -> list[N]:
    """Releases that share a call with the new one, or with one that does."""
    found: list[N] = []
    reached = [new]
    left = dict(earlier)
    while reached:
        one = reached.pop()
        near = [name for name, other in left.items() if _meet(one, other)]
        found += near
        reached += [left.pop(name) for name in near]
    return found


def _meet(one: Members, other: Members) -> bool:
    less, more = sorted((one.classes, other.classes), key=len)
    return any(call in more for call in less)


def _too_small(new: Members, others: list[Members], least: int) -> tuple[int, int] | None:
    """The smallest part that is too small because of the new release, and how many there are."""
    parts = _parts([new, *others])
    # What the others tell apart without the new one is not its doing: it cut nothing off there.
    cut = {key[1:] for key in parts if key[0] is not None}
    small = [len(callers) for key, callers in parts.items() if key[1:] in cut and len(callers) < least]
    return (min(small), len(small)) if small else None


def _parts(releases: list[Members]) -> dict[tuple[int | None, ...], set[bytes]]:
    """What can be told apart: where the calls lie in every release -> their callers."""
    found: dict[tuple[int | None, ...], set[bytes]] = defaultdict(set)
    callers: dict[bytes, bytes] = {}
    for one in releases:
        callers |= one.callers
    for call, caller in callers.items():
        found[tuple(one.classes.get(call) for one in releases)].add(caller)
    return found
