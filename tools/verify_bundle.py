#!/usr/bin/env python3
"""
Verify an exported trail, or a binder of proof, offline: one file, Python 3.10 or later, standard library only.

    python3 verify_bundle.py trail.jsonl --key PUBLIC_KEY --checkpoint checkpoints.jsonl
    python3 verify_bundle.py binder-harbor-dental-3.pdf --key PUBLIC_KEY
    python3 verify_bundle.py binder-harbor-dental-3.json --key PUBLIC_KEY --trail trail.jsonl

It recomputes every event's leaf hash from its content, every root (RFC 9162), the chain of seals and every
Ed25519 signature (RFC 8032), and names what was changed, is missing, was added or stands elsewhere. Events that left by
policy are not missed where a signed statement says so; their leaf hashes still have to give the roots. Without
`--key` it trusts the keys that the bundle itself brings, and says so. A key that was stolen is pinned with its end,
`--key PUBLIC_KEY@2026-11-24T12:00:00Z`: what it signed under that date or a later one is named, as a note where it is
seals from which one by another key goes on, else as a finding. Without `--checkpoint` it cannot know that a tail was
cut off before the export.

Of a binder it checks every byte: the signature over the PDF, the statement inside and its signature, the digest of each
part, and the seal of the trail that it brings. With `--trail` it looks for that seal in an exported trail.

Exit status: 0 nothing found, 1 something found, 2 the files cannot be read or the arguments are wrong.
"""

import argparse
import gzip
import hashlib
import json
import re
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

VERSION = 1
SEAL_CONTEXT = b"callprivacy seal 1\n"
EPOCH_CONTEXT = b"callprivacy epoch 1\n"
LEAVING_CONTEXT = b"callprivacy leaving 1\n"
LEAVING_MEMBERS = {
    "v", "agency", "first", "last", "events", "size", "root", "before", "policy", "at", "key",
}  # fmt: skip
EVENT_MEMBERS = {
    "v", "agency", "id", "epoch", "xid", "at", "actor", "action", "client", "subject", "details", "reason",
}  # fmt: skip
SEAL_MEMBERS = {
    "v", "agency", "number", "first", "last", "count", "size", "root", "previous", "until", "signed_at",
    "key",
}  # fmt: skip


# --- Ed25519, verification only (RFC 8032, 5.1.7). Nothing here is secret, so nothing is constant in time.

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
D2 = 2 * D % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
Point = tuple[int, int, int, int]
NEUTRAL: Point = (0, 1, 1, 0)


def _add(one: Point, two: Point) -> Point:
    a = (one[1] - one[0]) * (two[1] - two[0]) % P
    b = (one[1] + one[0]) * (two[1] + two[0]) % P
    c = one[3] * two[3] * D2 % P
    d = 2 * one[2] * two[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _decompress(encoded: bytes) -> Point | None:
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def _compress(point: Point) -> bytes:
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


@lru_cache(maxsize=16)
def _windows(point: Point) -> list[list[Point]]:
    """Multiples 0..15 of 16**i times the point, for i below 64: a product is then 64 additions."""
    table = []
    for _ in range(64):
        row = [NEUTRAL]
        for _ in range(15):
            row.append(_add(row[-1], point))
        table.append(row)
        point = _add(row[-1], point)
    return table


def _times(scalar: int, table: list[list[Point]]) -> Point:
    result = NEUTRAL
    for row in table:
        if scalar & 15:
            result = _add(result, row[scalar & 15])
        scalar >>= 4
    return result


@lru_cache(maxsize=1)
def _base_windows() -> list[list[Point]]:
    point = _decompress((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
    if point is None:  # pragma: no cover  (a constant)
        raise ArithmeticError("No base point.")
    return _windows(point)


class PublicKey:
    """An Ed25519 public key that verifies signatures."""

    def __init__(self, encoded: bytes) -> None:
        point = _decompress(encoded) if len(encoded) == 32 else None
        if point is None:
            raise ValueError("Not an Ed25519 public key.")
        self.encoded = encoded
        self._minus = _windows((P - point[0], point[1], 1, P - point[3]))

    @property
    def key_id(self) -> str:
        return hashlib.sha256(self.encoded).hexdigest()[:16]

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.encoded).hexdigest()

    def verify(self, message: bytes, signature: bytes) -> bool:
        if len(signature) != 64:
            return False
        scalar = int.from_bytes(signature[32:], "little")
        if scalar >= ORDER:
            return False
        digest = hashlib.sha512(signature[:32] + self.encoded + message).digest()
        challenge = int.from_bytes(digest, "little") % ORDER
        point = _add(_times(scalar, _base_windows()), _times(challenge, self._minus))
        return _compress(point) == signature[:32]


# --- Canonical JSON and the tree of RFC 9162


def canonical(value: dict[str, Any]) -> bytes:
    return json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode()


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def grow(size: int, peaks: list[bytes], leaves: Iterable[bytes]) -> tuple[int, list[bytes]]:
    """Append leaf hashes to a tree known by its full subtrees' roots."""
    peaks = list(peaks)
    for leaf in leaves:
        carried, rest = leaf, size
        while rest & 1:
            carried = hashlib.sha256(b"\x01" + peaks.pop() + carried).digest()
            rest >>= 1
        peaks.append(carried)
        size += 1
    return size, peaks


def root_of(peaks: list[bytes]) -> bytes:
    if not peaks:
        return hashlib.sha256(b"").digest()
    folded = peaks[-1]
    for peak in reversed(peaks[:-1]):
        folded = hashlib.sha256(b"\x01" + peak + folded).digest()
    return folded


# --- Reading


class UnreadableError(Exception):
    """The file is not a bundle at all."""


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is named twice")
    return members


def _no_float(text: str) -> float:
    raise ValueError(f"{text} is no whole number")


def parse(text: str | bytes) -> Any:
    return json.loads(text, object_pairs_hook=_no_twins, parse_float=_no_float, parse_constant=_no_float)


def read_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """Give (line number, object) of JSON lines, or of one JSON array; an unreadable line is its own error."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            first = file.read(1)
            file.seek(0)
            if first == b"[":
                try:
                    yield from enumerate(parse(file.read()), start=1)
                except (ValueError, RecursionError) as error:
                    raise UnreadableError(f"{path}: {error}") from None
                return
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                try:
                    yield number, parse(line)
                except (ValueError, RecursionError) as error:
                    yield number, error
    except (OSError, EOFError) as error:
        raise UnreadableError(f"{path}: {error}") from None


# --- Verifying

Mark = tuple[int, int, int]


def mark_of(event: dict[str, Any]) -> Mark:
    return event["epoch"], int(event["xid"]), event["id"]


def day_of(instant: str) -> date:
    return date.fromisoformat(instant[:10])


def moment(instant: str) -> datetime:
    """
    An instant with its zone.

    :raises ValueError: it is none.
    """
    found = datetime.fromisoformat(instant[:-1] + "+00:00" if instant.endswith("Z") else instant)
    if found.tzinfo is None:
        raise ValueError(f"{instant} has no zone")
    return found


def read_pins(pins: Iterable[str]) -> dict[str, datetime | None]:
    """
    Pins, of which one may have its end behind an @: what names a key -> its end.

    :raises UnreadableError: an end is no instant, or a key stands there with its end and again.
    """
    found: dict[str, datetime | None] = {}
    for pin in pins:
        name, at, end = pin.partition("@")
        name = name.lower()
        try:
            until = moment(end) if at else None
        except ValueError:
            raise UnreadableError(f"--key: {end} is no instant with its zone") from None
        if name in found and (until is not None or found[name] is not None):
            raise UnreadableError(f"--key: {name} stands there twice, with an end")
        found[name] = until
    return found


def end_of(key: PublicKey, pins: dict[str, datetime | None]) -> datetime | None:
    ends = [pins.get(name) for name in (key.encoded.hex(), key.fingerprint, key.key_id)]
    return min((end for end in ends if end is not None), default=None)


def until_of(seal: dict[str, Any]) -> Mark:
    until = seal["until"]
    return until["epoch"], int(until["xid"]), until["id"]


@dataclass
class Report:
    """What was found, and what was counted on the way."""

    findings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    events: int = 0
    sealed: int = 0
    seals: int = 0
    left: int = 0
    agency: int | None = None
    keys_used: set[str] = field(default_factory=set)

    def found(self, text: str) -> None:
        self.findings.append(text)


@dataclass
class Late:
    """A seal that a key signed when it had come to its end, and how it was named."""

    number: int
    key: str
    signed_at: str
    text: str
    digest: bytes


@dataclass
class Stretch:
    """
    Such seals in a row, which wait for a seal of another key behind them.

    One that goes on from them was made over them with a key that the thief of theirs does not have.
    """

    waiting: list[Late] = field(default_factory=list)
    number: int = 0
    digest: bytes = b""

    def take(self, seal: dict[str, Any], digest: bytes, late: str | None, *, whole: bool) -> list[Late]:
        """
        Take the next seal; returns those that it takes over.

        :param late: how it was named where it is such a seal itself, empty where its key signed it in time.
        :param whole: whether all else about it holds; if not, it neither waits nor takes over.
        """
        if (seal["number"], seal["previous"]) != (self.number + 1, self.digest.hex()):
            self.waiting = []
        self.number, self.digest = seal["number"], digest
        over: list[Late] = []
        if late and whole:
            self.waiting.append(Late(seal["number"], seal["key"], seal["signed_at"], late, digest))
        elif late == "" and whole and seal["key"] not in {one.key for one in self.waiting}:
            over, self.waiting = self.waiting, []
        return over

    def forget(self, after: int) -> list[Late]:
        """Go on behind a number, since what is behind it was lost; returns what waited there."""
        lost = [one for one in self.waiting if one.number > after]
        self.waiting = [one for one in self.waiting if one.number <= after]
        if self.waiting:
            self.number, self.digest = self.waiting[-1].number, self.waiting[-1].digest
        return lost


class Verifier:
    """Takes a bundle's lines in order and writes down all that does not hold."""

    def __init__(self, pins: Iterable[str] = ()) -> None:
        self.pinned_until = read_pins(pins)
        self.pins = set(self.pinned_until)
        self.report = Report()
        self.keys: dict[str, PublicKey] = {}
        self.ends: dict[str, datetime] = {}
        self.digests: dict[int, bytes] = {}
        self.size = 0
        self.peaks: list[bytes] = []
        self.previous: bytes | None = bytes(32)
        self.number = 0
        self.position = 0
        self.until: Mark = (0, 0, 0)
        self.batch: list[tuple[Mark, bytes]] = []
        self.began = self.ended = False
        self.leavings: list[dict[str, Any]] = []
        self.sizes: dict[int, int] = {0: 0}
        self.missed: set[int] = set()
        self.stretch = Stretch()
        self.remembered = Stretch()
        for pin in self.pins:
            if len(pin) == 64:
                self._trust(pin)

    def _trust(self, public: str) -> PublicKey | None:
        try:
            key = PublicKey(bytes.fromhex(public))
        except ValueError:
            return None
        self.keys[key.key_id] = key
        end = end_of(key, self.pinned_until)
        if end is not None:
            self.ends[key.key_id] = end
        return key

    def _in_time(self, name: str, key: PublicKey, instant: str) -> str:
        """Name what bears a date at which its key was not to be believed any more; returns how."""
        end = self.ends.get(key.key_id)
        if end is None or moment(instant) < end:
            return ""
        text = f"{name}: signed under {instant}, when its key {key.key_id} had come to its end"
        self.report.found(text)
        return text

    def take(self, line: int, entry: Any) -> None:
        """Take the next line."""
        if not isinstance(entry, dict):
            self.report.found(f"line {line}: cannot be read ({entry})")
        elif self.ended:
            self.report.found(f"line {line}: stands behind the end of the bundle")
        elif not self.began:
            self._begin(line, entry)
        else:
            for member, handle in (
                ("event", self._event), ("seal", self._seal), ("leaving", self._leaving), ("end", self._end),
            ):  # fmt: skip
                if member in entry:
                    try:
                        handle(entry)
                    except (
                        KeyError,
                        TypeError,
                        ValueError,
                        AttributeError,
                        OverflowError,
                        RecursionError,
                    ) as error:
                        self.report.found(f"line {line}: not a well-formed {member} ({error!r})")
                    return
            self.report.found(f"line {line}: neither event nor seal nor leaving")

    def _begin(self, line: int, entry: dict[str, Any]) -> None:
        if entry.get("bundle") != "callprivacy trail" or entry.get("v") != VERSION:
            raise UnreadableError(f"line {line}: not a callprivacy trail of version {VERSION}")
        self.began = True
        self.report.agency = entry.get("agency")
        for named in entry.get("keys", ()):
            key = self._trust(str(named.get("public"))) if self._pinned(named) else None
            if key is not None and named.get("id") != key.key_id:
                self.report.found(f"line {line}: key {named.get('id')} is not named by its own hash")
            if key is not None and "until" in named:
                try:
                    end = moment(str(named["until"]))
                except ValueError:
                    self.report.found(f"line {line}: the end of key {key.key_id} is no instant")
                else:
                    self.ends[key.key_id] = min(end, self.ends.get(key.key_id, end))

    def _pinned(self, named: dict[str, Any]) -> bool:
        if not self.pins:
            return True
        try:
            digest = hashlib.sha256(bytes.fromhex(str(named.get("public")))).hexdigest()
        except ValueError:
            return False
        return bool(self.pins & {str(named.get("public")), digest, digest[:16]})

    def _leaving(self, entry: dict[str, Any]) -> None:
        """A statement that events left; it stands before the seals that it is about."""
        said = entry["leaving"]
        name = self._signed_leaving(said, entry["signature"])
        if name is None:
            return
        if said["agency"] != self.report.agency:
            self.report.found(f"{name}: belongs to agency {said['agency']}")
        elif said["first"] != (self.leavings[-1]["last"] + 1 if self.leavings else 1):
            self.report.found(f"{name}: does not follow what left before")
        elif self.number or self.position:
            self.report.found(f"{name}: stands behind events or seals")
        else:
            self.leavings.append(said)

    def _signed_leaving(self, said: dict[str, Any], signature: str) -> str | None:
        """The statement's name where a trusted key has signed it."""
        if set(said) != LEAVING_MEMBERS or said["v"] != VERSION or not 1 <= said["first"] <= said["last"]:
            raise ValueError("its members are not those of a leaving")
        day_of(said["at"])
        name = f"the leaving of seals {said['first']} to {said['last']}"
        key = self.keys.get(said["key"])
        if key is None or not key.verify(LEAVING_CONTEXT + canonical(said), bytes.fromhex(signature)):
            self.report.found(f"{name}: its signature is not of a trusted key")
            return None
        self.report.keys_used.add(key.key_id)
        self._in_time(name, key, said["at"])
        return name

    def _left_with(self, number: int) -> dict[str, Any] | None:
        return next((one for one in self.leavings if one["first"] <= number <= one["last"]), None)

    def _event(self, entry: dict[str, Any]) -> None:
        event = entry["event"]
        mark = mark_of(event)
        self.position += 1
        self.report.events += 1
        if entry["n"] != self.position:
            self.report.found(
                f"event {event['id']}: numbered {entry['n']}, but it is the {self.position}. in line"
            )
            if isinstance(entry["n"], int):
                self.position = entry["n"]
        if set(event) != EVENT_MEMBERS or event["v"] != VERSION:
            self.report.found(f"event {event['id']}: changed, its members are not those of an event")
        if event["agency"] != self.report.agency:
            self.report.found(f"event {event['id']}: belongs to agency {event['agency']}")
        self.batch.append((mark, leaf_hash(canonical(event))))

    def _seal(self, entry: dict[str, Any]) -> None:
        seal = entry["seal"]
        if set(seal) != SEAL_MEMBERS or seal["v"] != VERSION:
            raise ValueError("its members are not those of a seal")
        number = seal["number"]
        name = f"seal {number}"
        message = SEAL_CONTEXT + canonical(seal)
        before = len(self.report.findings)
        self._order(number, name, seal)
        late = self._signature(name, seal, message, entry["signature"])
        if number in self.digests:
            self.report.found(f"{name}: appears twice")
        listed = [(identity, bytes.fromhex(digest)) for identity, digest in entry["leaves"]]
        if any(len(digest) != 32 for _, digest in listed):
            raise ValueError("a leaf's hash has 32 bytes")
        self._batch(name, seal, listed, until_of(seal))
        size, peaks = grow(self.size, self.peaks, [digest for _, digest in listed])
        follows = number == self.number + 1
        if follows and (root_of(peaks).hex() != seal["root"] or size != seal["size"]):
            self._wrong_root(name, seal)
        stated = bytes.fromhex(entry["peaks"])
        self.size = seal["size"]
        self.peaks = [stated[at : at + 32] for at in range(0, len(stated), 32)]
        fits = self.size >= 0 and len(self.peaks) == self.size.bit_count()
        if root_of(self.peaks).hex() != seal["root"] or not fits:
            self.report.found(f"{name}: its peaks are not those of its root")
            self.size, self.peaks = size, peaks
        self.previous = hashlib.sha256(message).digest()
        self.digests[number] = self.previous
        self.number, self.until = number, until_of(seal)
        self.sizes[number] = seal["size"]
        left = self._left_with(number)
        if left is not None:
            self.position = seal["size"]
            if left["last"] == number:
                self._compare_leaving(left, seal)
        self.report.sealed += len(self.batch)
        self.report.seals += 1
        self.batch = []
        whole = len(self.report.findings) == before + bool(late)
        self._take_over(self.stretch.take(seal, self.previous, late, whole=whole), seal)

    def _take_over(self, over: list[Late], by: dict[str, Any]) -> None:
        """What a key signed when it had come to its end is a note, where a seal of another key goes on from it."""
        if not over:
            return
        self._unsay(over)
        keys = " and ".join(sorted({one.key for one in over}))
        self.report.notes.append(
            f"seals {over[0].number} to {over[-1].number}: signed from {over[0].signed_at} to {over[-1].signed_at},"
            f" when key {keys} had come to its end; seal {by['number']} of key {by['key']} goes on from them"
        )

    def _unsay(self, over: list[Late]) -> None:
        texts = {one.text for one in over}
        self.report.findings = [text for text in self.report.findings if text not in texts]

    def _compare_leaving(self, left: dict[str, Any], seal: dict[str, Any]) -> None:
        """Hold a statement against the seal up to which it says that events left."""
        size = self.sizes.get(left["first"] - 1)
        if (
            (left["root"], left["size"]) != (seal["root"], seal["size"])
            or size is None
            or (seal["size"] - size != left["events"])
        ):
            name = f"the leaving of seals {left['first']} to {left['last']}"
            self.report.found(f"{name}: is about other seals than these; their events are missing")

    def _order(self, number: int, name: str, seal: dict[str, Any]) -> None:
        expected = self.number + 1
        if number > expected:
            gap = f"seal {expected}" if number == expected + 1 else f"seals {expected} to {number - 1}"
            self.report.found(f"{gap}: missing")
        elif number < expected:
            self.report.found(f"{name}: stands behind seal {self.number}")
        if seal["agency"] != self.report.agency:
            self.report.found(f"{name}: belongs to agency {seal['agency']}")
        if number == expected and seal["previous"] != (self.previous or b"").hex():
            self.report.found(f"{name}: does not continue the seal before it")
        if until_of(seal) <= self.until:
            self.report.found(f"{name}: ends before it begins")

    def _signature(self, name: str, seal: dict[str, Any], message: bytes, signature: str) -> str | None:
        """None where no trusted key has signed it; empty where one has, in time; else how it was named."""
        key = self.keys.get(seal["key"])
        if key is None:
            why = "was not pinned" if self.pins else "is not in the bundle"
            self.report.found(f"{name}: signed by key {seal['key']}, which {why}")
        elif not key.verify(message, bytes.fromhex(signature)):
            self.report.found(f"{name}: its signature is not that of key {key.key_id}")
        else:
            self.report.keys_used.add(key.key_id)
            return self._in_time(name, key, seal["signed_at"])
        return None

    def _wrong_root(self, name: str, seal: dict[str, Any]) -> None:
        _, peaks = grow(self.size, self.peaks, [digest for _, digest in self.batch])
        if self._left_with(seal["number"]) is not None:
            self.report.found(f"{name}: its list of leaves does not give its root")
        elif root_of(peaks).hex() == seal["root"]:
            self.report.found(f"{name}: its list of leaves was changed; its events are right")
        else:
            span = f"events {seal['first']} to {seal['last']}"
            self.report.found(
                f"{name}: {span} do not give its root; one was changed, is missing or was added"
            )

    def _batch(self, name: str, seal: dict[str, Any], listed: list[tuple[int, bytes]], until: Mark) -> None:
        """Name each event that is not what the seal lists."""
        self._counts(name, seal, listed)
        if (left := self._left_with(seal["number"])) is not None:
            self.report.left += len(listed)
            for mark, _ in self.batch:
                self.report.found(
                    f"event {mark[2]}: here, though it left by policy on {left['at'][:10]} ({name})"
                )
        else:
            self._compare_events(name, seal["number"], listed, until)

    def _compare_events(self, name: str, number: int, listed: list[tuple[int, bytes]], until: Mark) -> None:
        before = len(self.report.findings)
        expected = dict(listed)
        seen: dict[int, bytes] = {}
        for mark, digest in self.batch:
            identity = mark[2]
            if identity in seen:
                self.report.found(f"event {identity}: appears twice ({name})")
            elif identity not in expected:
                self.report.found(f"event {identity}: added ({name})")
            elif digest != expected[identity]:
                self.report.found(f"event {identity}: changed ({name})")
            elif not self.until <= mark < until:
                self.report.found(f"event {identity}: does not belong into {name}")
            seen[identity] = digest
        self._missing(name, number, listed, seen)
        right = [identity for identity, _ in listed if identity in seen]
        here = [mark[2] for mark, _ in self.batch if mark[2] in expected]
        moved = (pair for pair in zip(right, here, strict=False) if pair[0] != pair[1])
        for wanted, found in islice(moved, 1):
            self.report.found(f"event {found}: stands where event {wanted} belongs ({name})")
        if [(mark[2], digest) for mark, digest in self.batch] != listed and before == len(
            self.report.findings
        ):
            self.report.found(f"{name}: lists other events than are here")

    def _missing(
        self, name: str, number: int, listed: list[tuple[int, bytes]], seen: dict[int, bytes]
    ) -> None:
        for identity, times in Counter(identity for identity, _ in listed).items():
            if identity not in seen:
                self.report.found(f"event {identity}: missing ({name})")
            elif times > 1:
                self.report.found(f"{name}: lists event {identity} in place of another, which is missing")
            else:
                continue
            self.missed.add(number)

    def _counts(self, name: str, seal: dict[str, Any], listed: list[tuple[int, bytes]]) -> None:
        if seal["count"] != len(listed) or not listed:
            self.report.found(f"{name}: says {seal['count']} events and lists {len(listed)}")
        elif (seal["first"], seal["last"]) != (listed[0][0], listed[-1][0]):
            self.report.found(f"{name}: does not begin and end with the events it names")

    def _end(self, entry: dict[str, Any]) -> None:
        end = entry["end"]
        self.ended = True
        for mark, _ in self.batch:
            if mark < self.until:
                self.report.found(
                    f"event {mark[2]}: added behind the seals, dated back before seal {self.number}"
                )
        said = (end["events"], end["seals"])
        if said != (self.report.events, self.report.seals):
            self.report.found(
                f"end: says {said[0]} events and {said[1]} seals, here are {self.report.events}"
                f" and {self.report.seals}"
            )

    def finish(self) -> Report:
        """Say what can only be said once the file is over."""
        if not self.began:
            raise UnreadableError("the file is empty")
        if not self.ended:
            self.report.found("end: missing, the file was cut off")
        for left in self.leavings:
            if left["last"] > self.number:
                self.report.found(
                    f"the leaving of seals {left['first']} to {left['last']}: not all of them are here"
                )
        if self.leavings:
            last = self.leavings[-1]
            self.report.notes.append(
                f"{self.report.left:,} events under seals 1 to {last['last']} left by policy, the last on"
                f" {last['at'][:10]}; their roots are kept"
            )
        if self.batch:
            self.report.notes.append(f"{len(self.batch)} events are not sealed yet; nothing vouches for them")
        return self.report

    def compare(self, lines: Iterable[tuple[int, Any]]) -> None:
        """Hold the chain against checkpoints that were kept elsewhere."""
        known: dict[int, bytes] = {}
        said: list[dict[str, Any]] = []
        days: list[date] = []
        for line, entry in lines:
            try:
                if "leaving" in entry:
                    if entry["leaving"]["agency"] == self.report.agency and self._signed_leaving(
                        entry["leaving"], entry["signature"]
                    ):
                        said.append(entry["leaving"])
                elif "epoch" in entry:
                    if self._restored(line, entry, known):
                        said = [one for one in said if one["last"] <= entry["epoch"]["after"]]
                elif entry["seal"]["agency"] == self.report.agency:
                    days.append(self._remembered(line, entry, known))
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                self.report.found(f"checkpoint line {line}: cannot be read ({error!r})")
        if self.number and not days:
            self.report.found(f"the checkpoints: hold no seal of agency {self.report.agency}")
        self._compare_said(said)
        self._find_unsaid(said, max(days, default=date.min))
        self._compare_known(known)

    def _remembered(self, line: int, entry: dict[str, Any], known: dict[int, bytes]) -> date:
        """Note a seal that a checkpoint remembers; returns the day on which it was signed."""
        message = SEAL_CONTEXT + canonical(entry["seal"])
        late = self._signature(f"checkpoint line {line}", entry["seal"], message, entry["signature"])
        digest = hashlib.sha256(message).digest()
        if late is not None:
            self._unsay(self.remembered.take(entry["seal"], digest, late, whole=True))
        known[entry["seal"]["number"]] = digest
        return day_of(entry["seal"]["signed_at"])

    def _compare_known(self, known: dict[int, bytes]) -> None:
        for number, digest in sorted(known.items()):
            if number > self.number:
                last = max(known)
                self.report.found(
                    f"seals {number} to {last}: the tail was cut, a checkpoint remembers seal {last}"
                )
                break
            if number in self.digests and self.digests[number] != digest:
                self.report.found(
                    f"seal {number}: not the one that a checkpoint remembers, history was rewritten"
                )

    def _compare_said(self, said: list[dict[str, Any]]) -> None:
        """What a checkpoint says to have left and the bundle does not: it was cut off, or taken out."""
        done = max((one["last"] for one in self.leavings), default=0)
        for one in said:
            if one["last"] <= done or self.sizes.get(one["last"]) != one["size"]:
                continue
            name = f"the leaving of seals {one['first']} to {one['last']}"
            if any(one["first"] <= number <= one["last"] for number in self.missed):
                self.report.found(f"{name}: the bundle does not hold it, a checkpoint remembers it")
            else:
                self.report.notes.append(f"{name}: said on {one['at'][:10]}, and its events are here")

    def _find_unsaid(self, said: list[dict[str, Any]], newest: date) -> None:
        """
        What the bundle says to have left and no checkpoint does: a statement stands there before its events are gone.

        A copy of the checkpoints that was taken before cannot know it; one that goes on for two days and more does.
        """
        known = [canonical(one) for one in said]
        for one in self.leavings:
            if canonical(one) in known:
                continue
            name = f"the leaving of seals {one['first']} to {one['last']}"
            if newest - day_of(one["at"]) >= timedelta(days=2):
                self.report.found(f"{name}: unknown to the checkpoints")
            else:
                self.report.notes.append(
                    f"{name}: said on {one['at'][:10]}, and unknown to these checkpoints; hold it against a later copy"
                )

    def _restored(self, line: int, entry: dict[str, Any], known: dict[int, bytes]) -> bool:
        """Forget the seals that a restore of this agency lost; whether a trusted key declares one."""
        said = entry["epoch"]
        if said["agency"] != self.report.agency:
            return False
        key = self.keys.get(said["key"])
        if key is None or not key.verify(EPOCH_CONTEXT + canonical(said), bytes.fromhex(entry["signature"])):
            self.report.found(
                f"checkpoint line {line}: the declaration of a restore is not signed by a trusted key"
            )
            return False
        end = self.ends.get(key.key_id)
        if end is not None and moment(said["started_at"]) >= end:
            self._in_time(f"checkpoint line {line}: the declaration of a restore", key, said["started_at"])
            return False
        lost = [number for number in known if number > said["after"]]
        for number in lost:
            del known[number]
        self._unsay(self.remembered.forget(said["after"]))
        if lost:
            self.report.notes.append(
                f"seals {min(lost)} to {max(lost)} were lost in the restore declared on {said['started_at']}"
            )
        return True


def verify(
    path: Path, *, pins: Iterable[str] = (), checkpoint: Path | None = None
) -> tuple[Report, Verifier]:
    """
    Verify a bundle.

    :raises UnreadableError: a file is not what it should be.
    """
    verifier = Verifier(pins)
    for line, entry in read_lines(path):
        verifier.take(line, entry)
        if verifier.position and verifier.position % 50_000 == 0 and sys.stderr.isatty():
            print(f"\r{verifier.position:,} events", end="", file=sys.stderr)
    report = verifier.finish()
    if checkpoint is not None:
        verifier.compare(read_lines(checkpoint))
    return report, verifier


# --- Binders of proof (docs/binder.md)

BINDER_CONTEXT = b"callprivacy binder 1\n"
BINDER_PDF_CONTEXT = b"callprivacy binder pdf 1\n"
BINDER_MEMBERS = {
    "binder", "v", "id", "number", "agency", "client", "made_at", "since", "contents", "parts", "not_in_it", "key",
}  # fmt: skip
PART_MEMBERS = {"facts", "columns", "rows", "gaps", "notes", "more"}
BINDER_AT_MOST = 1 << 28
PDF_MARK = re.compile(rb"^%callprivacy-signature ([0-9a-f]{64}) ([0-9a-f]{128})$", re.MULTILINE)
PDF_FILE = re.compile(rb"/Type\s*/EmbeddedFile.*?stream\r?\n(.*?)\r?\nendstream", re.DOTALL)


@dataclass
class BinderReport:
    """What was found, and what the binder says."""

    findings: list[str] = field(default_factory=list)
    statement: dict[str, Any] = field(default_factory=dict)
    seal: dict[str, Any] = field(default_factory=dict)
    key: PublicKey | None = None

    def found(self, text: str) -> None:
        self.findings.append(text)


class BinderVerifier:
    """Takes a binder apart and writes down all that does not hold."""

    def __init__(self, pins: Iterable[str] = ()) -> None:
        self.pinned_until = read_pins(pins)
        self.pins = set(self.pinned_until)
        self.report = BinderReport()

    def verify(self, data: bytes) -> BinderReport:
        """Verify the bytes of a binder, JSON or PDF."""
        if len(data) > BINDER_AT_MOST:
            raise UnreadableError("it is larger than any binder")
        if data.startswith(b"%PDF-"):
            self._pdf(data)
        else:
            self._json(data)
        return self.report

    def _pdf(self, data: bytes) -> None:
        marks = list(PDF_MARK.finditer(data))
        files = [_inflated(match.group(1)) for match in PDF_FILE.finditer(data)]
        if len(files) != 1 or not files[0]:
            self.report.found("the PDF: does not carry one statement")
        else:
            self._json(files[0])
        if len(marks) != 1:
            self.report.found("the PDF: has no signature of its own")
            return
        start, end = marks[0].span(2)
        blank = data[:start] + b"0" * 128 + data[end:]
        key = self._trusted(marks[0].group(1).decode())
        if key is not None:
            self._signed(key, BINDER_PDF_CONTEXT + blank, marks[0].group(2).decode(), "the PDF")

    def _json(self, data: bytes) -> None:
        try:
            file = parse(data)
        except (ValueError, RecursionError) as error:
            self.report.found(f"the file: cannot be read ({error})")
            return
        if not isinstance(file, dict) or set(file) != {"statement", "signature", "public"}:
            self.report.found("the file: has other members than a binder")
            return
        if canonical(file) + b"\n" != data:
            self.report.found("the file: is not in its one form")
        statement = file["statement"]
        if not isinstance(statement, dict):
            self.report.found("the statement: is no object")
            return
        self.report.statement = statement
        key = self._trusted(str(file["public"]))
        if key is not None:
            self.report.key = key
            self._signed(key, BINDER_CONTEXT + canonical(statement), str(file["signature"]), "the statement")
            if statement.get("key") != key.key_id:
                self.report.found("the statement: names another key than the one that signed it")
        try:
            if key is not None:
                self._in_time("the statement", key, statement["made_at"])
            self._statement(statement)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            self.report.found(f"the statement: is not well-formed ({error!r})")

    def _trusted(self, public: str) -> PublicKey | None:
        try:
            raw = bytes.fromhex(public)
            key = PublicKey(raw)
        except ValueError:
            self.report.found("the public key: is none")
            return None
        if raw.hex() != public or (self.pins and not self.pins & {public, key.fingerprint, key.key_id}):
            self.report.found(f"the signature: is of key {key.key_id}, which was not pinned")
            return None
        return key

    def _signed(self, key: PublicKey, message: bytes, signature: str, what: str) -> None:
        try:
            raw = bytes.fromhex(signature)
        except ValueError:
            raw = b""
        if raw.hex() != signature or not key.verify(message, raw):
            self.report.found(f"{what}: was changed, the signature is not that of key {key.key_id}")

    def _in_time(self, what: str, key: PublicKey, instant: str) -> None:
        end = end_of(key, self.pinned_until)
        if end is not None and moment(instant) >= end:
            self.report.found(
                f"{what}: signed under {instant}, when its key {key.key_id} had come to its end"
            )

    def _statement(self, said: dict[str, Any]) -> None:
        for name in sorted(BINDER_MEMBERS ^ said.keys()):
            self.report.found(
                f"the statement: {name} {'is missing' if name in BINDER_MEMBERS else 'was added'}"
            )
        if said["binder"] != "callprivacy binder" or said["v"] != VERSION:
            self.report.found("the statement: is of another kind or version")
        listed = [part["id"] for part in said["contents"]]
        if len(set(listed)) != len(listed) or set(listed) != set(said["parts"]):
            self.report.found("the contents: do not name each part once")
        for part in said["contents"]:
            held = said["parts"].get(part["id"])
            if not isinstance(held, dict) or set(held) != PART_MEMBERS:
                self.report.found(f"part {part['id']}: its members are not those of a part")
            elif hashlib.sha256(canonical(held)).hexdigest() != part["sha256"]:
                self.report.found(f"part {part['id']}: is not what the contents say")
        self._seal(said["parts"].get("trail", {}).get("more", {}), said["agency"]["id"])

    def _seal(self, more: dict[str, Any], agency: Any) -> None:
        """The seal of the trail that the binder brings; signed by the binder's own key, or by one that was pinned."""
        if not more:
            return
        seal, signature = more["seal"], more["signature"]
        if set(seal) != SEAL_MEMBERS or seal["agency"] != agency:
            self.report.found("the seal: is none of this agency")
            return
        self.report.seal = seal
        key = self.report.key
        known = {key.key_id: key} if key else {}
        for pin in self.pins:
            if len(pin) == 64:
                try:
                    pinned = PublicKey(bytes.fromhex(pin))
                except ValueError:
                    continue
                known[pinned.key_id] = pinned
        signer = known.get(seal["key"])
        if signer is None:
            self.report.found(f"the seal: is of key {seal['key']}; pass that public key with --key as well")
        else:
            self._signed(signer, SEAL_CONTEXT + canonical(seal), str(signature), "the seal")
            self._in_time("the seal", signer, seal["signed_at"])

    def compare(self, lines: Iterable[tuple[int, Any]]) -> None:
        """Look for the binder's seal in an exported trail."""
        if not self.report.seal:
            self.report.found("the seal: the binder brings none to look for")
            return
        for _, entry in lines:
            if isinstance(entry, dict) and entry.get("seal") == self.report.seal:
                return
        self.report.found(
            f"seal {self.report.seal['number']}: does not stand in that trail as the binder says"
        )


def _inflated(stream: bytes) -> bytes:
    """An embedded file, compressed or not; nothing where it is neither."""
    if stream.startswith(b"{"):
        return stream
    try:
        return zlib.decompressobj().decompress(stream, BINDER_AT_MOST)
    except zlib.error:
        return b""


def is_binder(path: Path) -> bool:
    """Whether a file looks like a binder: a PDF, or one object with a statement, not a bundle's first line."""
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:
        return False
    start = head.lstrip()[:200]
    return head.startswith(b"%PDF-") or (
        start.startswith(b"{") and b'"public"' in start and b'"bundle"' not in start
    )


def verify_binder(
    data: bytes, *, pins: Iterable[str] = (), trail: Iterable[tuple[int, Any]] | None = None
) -> BinderReport:
    """
    Verify the bytes of a binder.

    :param trail: lines of an exported trail in which its seal has to stand.
    :raises UnreadableError: it is none.
    """
    verifier = BinderVerifier(pins)
    report = verifier.verify(data)
    if trail is not None:
        verifier.compare(trail)
    return report


def _main_of_binder(options: argparse.Namespace) -> int:
    try:
        lines = read_lines(options.trail) if options.trail else None
        report = verify_binder(options.bundle.read_bytes(), pins=options.key, trail=lines)
    except (UnreadableError, OSError) as error:
        print(f"Cannot verify: {error}", file=sys.stderr)
        return 2
    if report.key is not None:
        print(f"key {report.key.encoded.hex()} (SHA-256 {report.key.fingerprint})")
    if not options.key:
        print("key not pinned: compare it with the one you were given on paper, or pass --key")
    for finding in report.findings:
        print(f"FOUND {finding}")
    if not report.findings:
        said = report.statement
        print(
            f"binder {said['number']} of {said['client']['legal_name']} by {said['agency']['name']}, {said['made_at']}"
        )
        for part in said["contents"]:
            gaps = said["parts"][part["id"]]["gaps"]
            print(f"{part['title']}: {part['sha256'][:16]}" + (f", {len(gaps)} open" if gaps else ""))
    print(f"{len(report.findings)} findings")
    return 1 if report.findings else 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Verify an exported trail, or a binder of proof, offline.")
    parser.add_argument(
        "bundle",
        type=Path,
        help="the exported bundle, JSON lines or one JSON array, may be .gz; or a binder, PDF or JSON",
    )
    parser.add_argument(
        "--key",
        action="append",
        default=[],
        help="trust only this public key (64 hex digits, or its SHA-256); of a stolen one with @ and its end behind it",
    )
    parser.add_argument("--checkpoint", type=Path, help="seals kept elsewhere; finds a tail that was cut")
    parser.add_argument(
        "--trail", type=Path, help="an exported trail in which the seal of a binder has to stand"
    )
    options = parser.parse_args(arguments)
    if is_binder(options.bundle):
        return _main_of_binder(options)
    try:
        report, verifier = verify(options.bundle, pins=options.key, checkpoint=options.checkpoint)
    except UnreadableError as error:
        print(f"Cannot verify: {error}", file=sys.stderr)
        return 2
    for key_id in sorted(report.keys_used):
        key = verifier.keys[key_id]
        print(f"key {key.encoded.hex()} (SHA-256 {key.fingerprint})")
    if not options.key:
        print("key not pinned: compare it with the one you were given on paper, or pass --key")
    if options.checkpoint is None:
        print("no checkpoint: a tail cut off before the export would not be seen, pass --checkpoint")
    for note in report.notes:
        print(f"note: {note}")
    for finding in report.findings:
        print(f"FOUND {finding}")
    print(
        f"agency {report.agency}: {report.events:,} events, {report.sealed:,} under {report.seals:,} seals,"
        f" {len(report.findings)} findings"
    )
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
