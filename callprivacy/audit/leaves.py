"""
The exact bytes that are hashed and signed: an event as a leaf, a seal as a message.

Both are canonical JSON (RFC 8785 narrowed to text, integers, booleans, null and objects; no floats), so that
a verifier in another language, years later, meets the same bytes. docs/trail.md is the specification.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

VERSION = 1
SEAL_CONTEXT = b"callprivacy seal 1\n"
EPOCH_CONTEXT = b"callprivacy epoch 1\n"
LEAVING_CONTEXT = b"callprivacy leaving 1\n"
NO_PREVIOUS = bytes(32)
LARGEST_INTEGER = 2**53 - 1
DEEPEST = 64


class NotCanonicalError(ValueError):
    """A value has no one canonical form: a float, a huge integer, half a surrogate pair; or it is nested too deep."""


def canonical(value: Mapping[str, Any]) -> bytes:
    """
    Encode an object: keys sorted, no spaces, UTF-8, only the escapes that JSON demands.

    :raises NotCanonicalError: it holds something without one form.
    """
    _check(value, 1, is_document=False)
    return _encode(value)


def canonical_document(value: Mapping[str, Any]) -> bytes:
    """
    Encode what is signed beside the trail in the same one form; it may have lists, and keys in any script.

    :raises NotCanonicalError: it holds something without one form.
    """
    _check(value, 1, is_document=True)
    return _encode(value)


def _encode(value: Mapping[str, Any]) -> bytes:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise NotCanonicalError("Half a surrogate pair.") from error


def _check(value: Any, depth: int, *, is_document: bool) -> None:
    if value is None or isinstance(value, str | bool):
        return
    if isinstance(value, int):
        if abs(value) > LARGEST_INTEGER:
            raise NotCanonicalError(f"{value} is not exact in every JSON reader.")
        return
    if depth > DEEPEST and isinstance(value, Mapping | list | tuple):
        raise NotCanonicalError(f"Nested deeper than {DEEPEST} objects.")
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str) or not (is_document or key.isascii()):
                raise NotCanonicalError(f"The key {key!r} is not plain ASCII.")
            _check(inner, depth + 1, is_document=is_document)
        return
    if is_document and isinstance(value, list | tuple):
        for inner in value:
            _check(inner, depth + 1, is_document=True)
        return
    raise NotCanonicalError(f"{type(value).__name__} has no canonical form.")


def instant(at: datetime) -> str:
    """
    Write an instant in UTC with six decimals, `2026-11-24T12:00:00.000000Z`.

    :raises NotCanonicalError: it has no zone, or in UTC no year.
    """
    if at.tzinfo is None:
        raise NotCanonicalError("An instant without a zone.")
    try:
        return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    except OverflowError as error:
        raise NotCanonicalError("An instant without a year in UTC.") from error


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A point in the order of events: (epoch, xid, id)."""

    epoch: int
    xid: int
    event_id: int


START = Mark(0, 0, 0)


@dataclass(frozen=True, slots=True)
class SealMessage:
    """
    What a seal says and the signature covers.

    It covers the events from the previous seal's `until` up to its own, exclusive; `size` counts the log's
    events so far, `root` is the RFC 9162 root over all of them, `previous` the hash of the seal before.
    """

    agency_id: int
    number: int
    first_event: int
    last_event: int
    count: int
    size: int
    root: bytes
    previous: bytes
    until: Mark
    signed_at: datetime
    key_id: str

    def as_dict(self) -> dict[str, Any]:
        """The members as they are written down."""
        return {
            "v": VERSION,
            "agency": self.agency_id,
            "number": self.number,
            "first": self.first_event,
            "last": self.last_event,
            "count": self.count,
            "size": self.size,
            "root": self.root.hex(),
            "previous": self.previous.hex(),
            "until": {"epoch": self.until.epoch, "xid": str(self.until.xid), "id": self.until.event_id},
            "signed_at": instant(self.signed_at),
            "key": self.key_id,
        }

    @classmethod
    def from_dict(cls, members: Mapping[str, Any]) -> "SealMessage":
        """
        Read a seal back from what was written down.

        :raises ValueError: a member is missing or is not what it should be.
        """
        try:
            until = members["until"]
            message = cls(
                agency_id=int(members["agency"]),
                number=int(members["number"]),
                first_event=int(members["first"]),
                last_event=int(members["last"]),
                count=int(members["count"]),
                size=int(members["size"]),
                root=bytes.fromhex(members["root"]),
                previous=bytes.fromhex(members["previous"]),
                until=Mark(int(until["epoch"]), int(until["xid"]), int(until["id"])),
                signed_at=datetime.fromisoformat(members["signed_at"]),
                key_id=str(members["key"]),
            )
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"Not a seal: {error!r}") from error
        if message.as_dict() != dict(members):
            raise ValueError("Not a seal: a member has another form.")
        return message

    def to_bytes(self) -> bytes:
        """The signed bytes: a context line, then canonical JSON."""
        return SEAL_CONTEXT + canonical(self.as_dict())

    def digest(self) -> bytes:
        """SHA-256 of the signed bytes; the next seal's `previous`."""
        return hashlib.sha256(self.to_bytes()).digest()


@dataclass(frozen=True, slots=True)
class LeavingMessage:
    """
    What is said, and signed, of events that leave by policy: those that the seals from `first` to `last` added.

    `size` and `root` are those of the seal `last`. Every one of the events is of before `before`, the end of a month;
    `keep_for_days` and `version` are of the policy that lets them go.
    """

    agency_id: int
    first: int
    last: int
    events: int
    size: int
    root: bytes
    before: datetime
    keep_for_days: int
    version: int
    at: datetime
    key_id: str

    def as_dict(self) -> dict[str, Any]:
        """The members as they are written down."""
        return {
            "v": VERSION,
            "agency": self.agency_id,
            "first": self.first,
            "last": self.last,
            "events": self.events,
            "size": self.size,
            "root": self.root.hex(),
            "before": instant(self.before),
            "policy": {"days": self.keep_for_days, "version": self.version},
            "at": instant(self.at),
            "key": self.key_id,
        }

    @classmethod
    def from_dict(cls, members: Mapping[str, Any]) -> "LeavingMessage":
        """
        Read a statement back from what was written down.

        :raises ValueError: a member is missing or is not what it should be.
        """
        try:
            message = cls(
                agency_id=int(members["agency"]),
                first=int(members["first"]),
                last=int(members["last"]),
                events=int(members["events"]),
                size=int(members["size"]),
                root=bytes.fromhex(members["root"]),
                before=datetime.fromisoformat(members["before"]),
                keep_for_days=int(members["policy"]["days"]),
                version=int(members["policy"]["version"]),
                at=datetime.fromisoformat(members["at"]),
                key_id=str(members["key"]),
            )
        except (KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
            raise ValueError(f"Not a leaving: {error!r}") from error
        if message.as_dict() != dict(members) or not 1 <= message.first <= message.last:
            raise ValueError("Not a leaving: a member has another form.")
        return message

    @classmethod
    def from_json(cls, text: str) -> "LeavingMessage":
        """
        The same from its canonical JSON.

        :raises ValueError: it is no such JSON.
        """
        try:
            members = json.loads(text)
        except RecursionError as error:
            raise ValueError("Not a leaving: nested too deep.") from error
        message = cls.from_dict(members)
        if canonical(message.as_dict()) != text.encode():
            raise ValueError("Not a leaving: it is written in another form.")
        return message

    def to_bytes(self) -> bytes:
        """The signed bytes: a context line, then canonical JSON."""
        return LEAVING_CONTEXT + canonical(self.as_dict())
