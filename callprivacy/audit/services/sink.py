"""
Seals kept outside the database: a file per agency in the state folder, one line a seal, only ever appended. What
leaves by policy is said there as well, before it does.

Whoever can rewrite the database cannot rewrite these lines, and they are signed. A seal that cannot be
written here is not made; the deeds go on and the trail page says how long they have gone unsealed.
"""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from callprivacy.audit import leaves
from callprivacy.audit.leaves import LeavingMessage, SealMessage
from callprivacy.vault import signing

_DAMAGED: Final = (ValueError, KeyError, TypeError, RecursionError)
"""What a line raises that somebody damaged."""


class SinkError(RuntimeError):
    """The file of checkpoints cannot be written, or is not the one that belongs to this trail."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A seal as it was signed."""

    message: SealMessage
    signature: bytes

    def is_signed(self) -> bool:
        """Whether a key that this installation believes has signed it, before that key's end."""
        return is_signed(
            self.message.to_bytes(), self.signature, self.message.key_id, at=self.message.signed_at
        )

    def is_late(self) -> bool:
        """Whether such a key has signed it under a date at which it had come to its end."""
        message = self.message
        return signing.is_over(message.key_id, message.signed_at) and _is_ours(
            message.to_bytes(), self.signature, message.key_id
        )


class Stretch:
    """
    Seals in a row that a key signed when it had come to its end, which wait for a seal of another key behind them.

    Between a theft and the change of key the product seals with the stolen key as well. A seal of a key that the thief
    does not have, which goes on from these, was made over them before he could write others in their place; without
    one they may be his. Nor does one by the same key that bears an earlier date say anything: he dates back.

    :ivar waiting: those that no seal of another key goes on from yet.
    """

    def __init__(self) -> None:
        self.waiting: list[Checkpoint] = []
        self._number = 0
        self._digest = b""

    def take(self, seal: Checkpoint, *, whole: bool = True) -> list[Checkpoint]:
        """
        Take the next seal; returns those that it takes over. What it does not go on from waits no longer.

        :param whole: whether all else about it holds; if not, it neither waits nor takes over.
        """
        message = seal.message
        if (message.number, message.previous) != (self._number + 1, self._digest):
            self.waiting = []
        self._number, self._digest = message.number, message.digest()
        if not whole:
            return []
        if seal.is_late():
            self.waiting.append(seal)
        elif self.waiting and seal.is_signed() and not self._is_of(message.key_id):
            over, self.waiting = self.waiting, []
            return over
        return []

    def forget(self, after: int) -> list[Checkpoint]:
        """Go on behind a number, since what is behind it was lost; returns what waited there."""
        lost = [one for one in self.waiting if one.message.number > after]
        self.waiting = [one for one in self.waiting if one.message.number <= after]
        if self.waiting:
            last = self.waiting[-1].message
            self._number, self._digest = last.number, last.digest()
        return lost

    def _is_of(self, key_id: str) -> bool:
        return any(one.message.key_id == key_id for one in self.waiting)


@dataclass(frozen=True, slots=True)
class Statement:
    """That events leave, as it was signed."""

    message: LeavingMessage
    signature: bytes

    def is_signed(self) -> bool:
        """Whether a key that this installation believes has signed it, before that key's end."""
        return is_signed(self.message.to_bytes(), self.signature, self.message.key_id, at=self.message.at)


@dataclass(slots=True)
class Known:
    """
    What the file says the chain should be, by number, and what a declared restore has cost.

    :ivar leavings: what was said to leave, in the file's order, whether or not it came to that.
    :ivar late: the newest seals, of a key that had come to its end, from which no seal of another key goes on yet;
        their lines count as damaged as well.
    """

    seals: dict[int, Checkpoint]
    lost: dict[int, Checkpoint]
    damaged: list[int]
    leavings: list[Statement]
    late: dict[int, Checkpoint] = field(default_factory=dict)


def is_signed(message: bytes, signature: bytes, key_id: str, *, at: datetime) -> bool:
    """Whether the named key is one of ours, and has signed the message under a date before that key's end."""
    return not signing.is_over(key_id, at) and _is_ours(message, signature, key_id)


def _is_ours(message: bytes, signature: bytes, key_id: str) -> bool:
    public = signing.public_keys().get(key_id)
    return public is not None and signing.verify(message, signature, public)


def path_of(agency_id: int) -> Path:
    """Where an agency's checkpoints are kept."""
    return Path(settings.CALLPRIVACY_STATE) / "checkpoints" / f"{agency_id}.jsonl"


def _check_kind(path: Path) -> None:
    """
    Refuse what is no file: reading a pipe that nobody writes into would never end.

    :raises SinkError: something else stands there.
    """
    if path.exists() and not path.is_file():
        raise SinkError(f"{path} is no file. Put the file of checkpoints back, or free or repair the folder.")


def append_seal(checkpoint: Checkpoint) -> None:
    """
    Write a seal down, to the disk.

    :raises SinkError: it cannot be written.
    """
    members = {"seal": checkpoint.message.as_dict(), "signature": checkpoint.signature.hex()}
    _append(checkpoint.message.agency_id, members)


def append_epoch(*, agency_id: int, epoch: int, after: int, started_at: str) -> None:
    """
    Declare, signed, that a restore has cost every seal after number `after`.

    :raises SinkError: it cannot be written.
    """
    said = {
        "v": leaves.VERSION,
        "agency": agency_id,
        "epoch": epoch,
        "after": after,
        "started_at": started_at,
        "key": signing.key_id(signing.public_key()),
    }
    signature = signing.sign(leaves.EPOCH_CONTEXT + leaves.canonical(said))
    _append(agency_id, {"epoch": said, "signature": signature.hex()})


def append_leaving(statement: Statement) -> None:
    """
    Write down, to the disk, that events leave.

    :raises SinkError: it cannot be written.
    """
    _append(statement.message.agency_id, _members(statement))


def _members(statement: Statement) -> dict[str, Any]:
    return {"leaving": statement.message.as_dict(), "signature": statement.signature.hex()}


def _append(agency_id: int, members: dict[str, Any]) -> None:
    path = path_of(agency_id)
    line = json.dumps(members, separators=(",", ":")).encode() + b"\n"
    _check_kind(path)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.lseek(descriptor, _whole_lines(descriptor), os.SEEK_SET)
            os.truncate(descriptor, os.lseek(descriptor, 0, os.SEEK_CUR))
            written = os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise SinkError(
            f"The seal cannot be written to {path}: {error.strerror}. Free or repair the folder."
        ) from error
    if written != len(line):
        raise SinkError(f"The seal was only half written to {path}. Free the disk.")


def write_all(agency_id: int, checkpoints: Iterable[Checkpoint], statements: Iterable[Statement] = ()) -> int:
    """
    Write a whole file at once, in place of none: seals, and what has left; returns how many seals.

    :raises SinkError: it cannot be written.
    """
    path = path_of(agency_id)
    draft = path.with_suffix(".new")
    count = 0
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for checkpoint in checkpoints:
                count += 1
                members = {"seal": checkpoint.message.as_dict(), "signature": checkpoint.signature.hex()}
                file.write(json.dumps(members, separators=(",", ":")).encode() + b"\n")
            for statement in statements:
                file.write(json.dumps(_members(statement), separators=(",", ":")).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {error.strerror}.") from error
    return count


def _whole_lines(descriptor: int) -> int:
    """The length up to the last line feed: a line that a crash tore off is written over."""
    size = os.lseek(descriptor, 0, os.SEEK_END)
    at = size
    while at > 0:
        begin = max(at - 4096, 0)
        found = os.pread(descriptor, at - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        at = begin
    return 0


def last(agency_id: int) -> Checkpoint | None:
    """
    The file's last seal, behind which stands no more than what leaves; None where there is no file, or another line.

    :raises SinkError: the file is there and cannot be read.
    """
    _check_kind(path_of(agency_id))
    try:
        with path_of(agency_id).open("rb") as file:
            for line in _backwards(file.fileno()):
                members = json.loads(line)
                if "leaving" not in members:
                    return _seal(members)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SinkError(f"{path_of(agency_id)} cannot be read: {error.strerror}.") from error
    except _DAMAGED:
        return None
    return None


def _backwards(descriptor: int) -> Iterator[bytes]:
    """The whole lines of a file, the last one first."""
    at, rest = _whole_lines(descriptor), b""
    while at > 0:
        begin = max(at - 4096, 0)
        rest = os.pread(descriptor, at - begin, begin) + rest
        at = begin
        first, *lines = rest.split(b"\n")
        yield from (line for line in reversed(lines) if line)
        rest = first + b"\n" if lines else first
    if rest.strip():
        yield rest.strip()


def read(agency_id: int) -> Known:
    """
    Read everything that the file knows.

    :raises SinkError: the file is there and cannot be read.
    """
    known, stretch = Known({}, {}, [], []), Stretch()
    late: dict[Checkpoint, int] = {}
    for number, members in _lines(agency_id):
        try:
            if "epoch" in members:
                after = _forget_lost(agency_id, members, known)
                for one in stretch.forget(after):
                    known.lost[one.message.number] = one
                    del late[one]
                continue
            if "leaving" in members:
                known.leavings.append(_leaving(agency_id, members))
                continue
            checkpoint = _seal(members)
            is_late = checkpoint.is_late()
            if checkpoint.message.agency_id != agency_id or not (is_late or checkpoint.is_signed()):
                raise ValueError("Not a seal of this agency, signed by a key of ours.")
            for one in stretch.take(checkpoint):
                known.seals[one.message.number] = one
                del late[one]
            if is_late:
                late[checkpoint] = number
            else:
                known.seals[checkpoint.message.number] = checkpoint
        except _DAMAGED:
            known.damaged.append(number)
    known.damaged = sorted([*known.damaged, *late.values()])
    known.late = {one.message.number: one for one in stretch.waiting}
    return known


def leavings(agency_id: int) -> list[Statement]:
    """
    What was said to leave, in the file's order, without what is damaged or of seals that a restore has cost.

    :raises SinkError: the file is there and cannot be read.
    """
    found: list[Statement] = []
    for _, members in _lines(agency_id, only=(b'{"leaving"', b'{"epoch"')):
        try:
            if "epoch" in members:
                known = Known({}, {}, [], found)
                _forget_lost(agency_id, members, known)
                found = known.leavings
            elif "leaving" in members:
                found.append(_leaving(agency_id, members))
        except _DAMAGED:
            continue
    return found


def _leaving(agency_id: int, members: dict[str, Any]) -> Statement:
    statement = Statement(LeavingMessage.from_dict(members["leaving"]), bytes.fromhex(members["signature"]))
    if statement.message.agency_id != agency_id or not statement.is_signed():
        raise ValueError("Not a leaving of this agency, signed by a key of ours.")
    return statement


def _lines(agency_id: int, *, only: tuple[bytes, ...] = ()) -> Iterator[tuple[int, Any]]:
    _check_kind(path_of(agency_id))
    try:
        with path_of(agency_id).open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    return
                if only and not line.startswith(only):
                    continue
                try:
                    yield number, json.loads(line)
                except (ValueError, RecursionError):
                    yield number, {}
    except FileNotFoundError:
        return
    except OSError as error:
        raise SinkError(f"{path_of(agency_id)} cannot be read: {error.strerror}.") from error


def _seal(members: dict[str, Any]) -> Checkpoint:
    return Checkpoint(SealMessage.from_dict(members["seal"]), bytes.fromhex(members["signature"]))


def _forget_lost(agency_id: int, members: dict[str, Any], known: Known) -> int:
    said = members["epoch"]
    message = leaves.EPOCH_CONTEXT + leaves.canonical(said)
    at = datetime.fromisoformat(said["started_at"])
    if said["agency"] != agency_id or not is_signed(
        message, bytes.fromhex(members["signature"]), said["key"], at=at
    ):
        raise ValueError("Not a declaration for this agency, signed by a key of ours.")
    for number in [number for number in known.seals if number > said["after"]]:
        known.lost[number] = known.seals.pop(number)
    known.leavings = [one for one in known.leavings if one.message.last <= said["after"]]
    return int(said["after"])
