"""
Files that nobody reads without the vault: sealed in pieces under a key of their own, in the state folder.

Whoever copies the folder has noise. A piece that was cut off, swapped, repeated, changed or taken from
another file does not open, and the last piece says that it is the last, so that a file that ends early raises
as well. Deleting the file destroys its key, which stands at its head, wrapped by the client's key for files of
the UTC day; that key is destroyed when the day's files are gone, and then no old copy of the folder opens either.

Layout: magic and version (4 bytes), day (10, as 2026-11-24), wrapped key (61), then pieces of `CHUNK` bytes and
the tag each, the last one shorter. A piece's nonce is its number (11 bytes) and whether it is the last (1), as in
STREAM (Hoang, Reyhanitabar, Rogaway, Vizar 2015); the key seals nothing else.

Recordings lie in the storage named "recordings" (a folder, or a bucket) and are sealed likewise, but under a key that
the recording's own key wraps: once that is destroyed no copy opens, wherever it is. They are read from any place on,
piece by piece. Layout: magic and version (4 bytes), wrapped key (61), pieces as above.

In each of the two places lies an id, in the clear, that the vault knows: by it a disk that is not mounted, another
machine's folder or another bucket is told from ours, where a file that is missing is no file that was lost.
"""

import contextlib
import io
import os
import secrets
import tempfile
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.db import transaction

from callprivacy.vault import selectors, services
from callprivacy.vault.sealing import Key, Place, SealBrokenError, new_key

CHUNK: Final = 64 * 1024

PURPOSE: Final = "file"

_MAGIC: Final = b"CPF\x02"
_DAY: Final = 10
_WRAPPED: Final = 29 + 32
_TAG: Final = 16
_PIECE: Final = CHUNK + _TAG

_FOLDER: Final = "recordings"
_RECORDING_MAGIC: Final = b"CPR\x01"
_RECORDING_HEAD: Final = len(_RECORDING_MAGIC) + _WRAPPED
# Sealed bytes that wait in memory before they go to a file of the system's own.
_SPOOLED: Final = 4 * 1024 * 1024
_MARK: Final = "installation"
_MARK_BYTES: Final = 100


class Folder(StrEnum):
    """The two places where files lie."""

    SEALED = "sealed"
    RECORDINGS = "recordings"


def _path(client_id: int, file_id: uuid.UUID) -> Path:
    return _sealed() / str(client_id) / file_id.hex


def _sealed() -> Path:
    return Path(settings.MEDIA_ROOT) / "sealed"


def _place(client_id: int, file_id: uuid.UUID) -> Place:
    return Place(client_id, "vault_file", "key", file_id)


def _day_of(file: BinaryIO) -> date | None:
    """Read a file's head up to the wrapped key: the day whose key opens it; None where it is no file of ours."""
    head = file.read(len(_MAGIC) + _DAY)
    if not head.startswith(_MAGIC):
        return None
    try:
        return date.fromisoformat(head[len(_MAGIC) :].decode())
    except ValueError:
        return None


def _sync(folder: Path) -> None:
    """Have a new name in a folder survive a power cut, as the file's content does."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])


class Writer(io.RawIOBase):
    """
    A sealed file being written; it is there once `close` has returned, and not at all after `discard`.

    Usable as a context manager: an exception discards it.
    """

    def __init__(self, client_id: int, file_id: uuid.UUID, *, at: datetime) -> None:
        super().__init__()
        self._target = _path(client_id, file_id)
        self._target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        raw = new_key()
        wrapped = services.day_key(client_id=client_id, purpose=PURPOSE, at=at).seal(
            raw, _place(client_id, file_id)
        )
        self._part = self._target.with_name(f"{file_id.hex}.{secrets.token_hex(4)}.part")
        handle = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(handle, "wb")
        self._file.write(_MAGIC + at.astimezone(UTC).date().isoformat().encode() + wrapped)
        self._aead = AESGCM(raw)
        self._pending = bytearray()
        self._number = 0
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes | bytearray | memoryview, /) -> int:  # type: ignore[override]  # narrower than Buffer
        """Seal more of the file."""
        self._pending += data
        self.size += len(data)
        # The last piece is only known at the end, so one piece always waits.
        while len(self._pending) > CHUNK:
            self._seal(bytes(self._pending[:CHUNK]), is_last=False)
            del self._pending[:CHUNK]
        return len(data)

    def _seal(self, piece: bytes, *, is_last: bool) -> None:
        self._file.write(self._aead.encrypt(_nonce(self._number, is_last=is_last), piece, None))
        self._number += 1

    def close(self) -> None:
        """Seal the last piece and put the file in its place, on disk."""
        if self._file.closed:
            return
        self._seal(bytes(self._pending), is_last=True)
        self._pending.clear()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._part.replace(self._target)
        _sync(self._target.parent)
        super().close()

    def discard(self) -> None:
        """Leave nothing behind."""
        self._file.close()
        self._part.unlink(missing_ok=True)
        super().close()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def __del__(self) -> None:
        """Forgotten unfinished: nothing of it stays."""
        with contextlib.suppress(Exception):
            if not self._file.closed:
                self.discard()


class Reader(io.RawIOBase):
    """A sealed file being read from its start; every piece is checked before a byte of it is given out."""

    def __init__(self, client_id: int, file_id: uuid.UUID) -> None:
        super().__init__()
        self._file = _path(client_id, file_id).open("rb")
        try:
            day = _day_of(self._file)
            if day is None:
                raise SealBrokenError("Not a sealed file.")
            key = selectors.day_key(selectors.client_keys(client_id), PURPOSE, day)
            if key is None:
                raise SealBrokenError("The key of that day's files is destroyed.")
            self._aead = AESGCM(key.unseal(self._file.read(_WRAPPED), _place(client_id, file_id)))
        except BaseException:
            self._file.close()
            raise
        self._number = 0
        self._next = self._file.read(CHUNK + _TAG)
        self._open_piece = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # narrower than Buffer
        """
        :raises SealBrokenError: the file was cut off, changed, or is another's.
        """
        if not self._open_piece and not self._ended:
            self._advance()
        count = min(len(buffer), len(self._open_piece))
        buffer[:count] = self._open_piece[:count]
        self._open_piece = self._open_piece[count:]
        return count

    def _advance(self) -> None:
        piece, self._next = self._next, self._file.read(CHUNK + _TAG)
        self._ended = not self._next
        try:
            opened = self._aead.decrypt(_nonce(self._number, is_last=self._ended), piece, None)
        except (InvalidTag, ValueError):
            raise SealBrokenError("A sealed file was cut off or changed.") from None
        self._open_piece = memoryview(opened)
        self._number += 1

    def close(self) -> None:
        # Where there was no file, the interpreter closes what was begun all the same.
        if "_file" in self.__dict__:
            self._file.close()
        super().close()


def write(client_id: int, file_id: uuid.UUID, stream: BinaryIO, *, at: datetime) -> int:
    """Seal a stream into the client's file with this id; returns its size."""
    with Writer(client_id, file_id, at=at) as out:
        while data := stream.read(16 * CHUNK):
            out.write(data)
    return out.size


def open(client_id: int, file_id: uuid.UUID) -> io.BufferedReader:  # noqa: A001  (files.open)
    """
    Open a client's sealed file for reading.

    :raises FileNotFoundError: there is none.
    :raises SealBrokenError: here or while reading: it was cut off, changed, or is another's.
    """
    return io.BufferedReader(Reader(client_id, file_id), 4 * CHUNK)


def delete(client_id: int, file_id: uuid.UUID) -> None:
    """Delete a client's file, with its key; nothing happens where there is none."""
    _path(client_id, file_id).unlink(missing_ok=True)


def exists(client_id: int, file_id: uuid.UUID) -> bool:
    return _path(client_id, file_id).is_file()


def delete_all(client_id: int) -> None:
    """Delete every file of a client, recordings too."""
    for path in _files(client_id):
        path.unlink(missing_ok=True)
    for file_id in recording_ids(client_id):
        delete_recording(client_id, file_id)


def _is_older(written_at: datetime, *, than: datetime) -> bool:
    """Whether a file is older than an instant, by the clock of where it lies."""
    return written_at < than


def ids(client_id: int, *, older_than: datetime) -> list[uuid.UUID]:
    """Ids of a client's files written before an instant, for the sweep; unfinished ones are removed."""
    found = []
    for path in _files(client_id):
        with contextlib.suppress(FileNotFoundError):
            if not _is_older(datetime.fromtimestamp(path.stat().st_mtime, UTC), than=older_than):
                continue
            if path.suffix == ".part":
                path.unlink(missing_ok=True)
            else:
                found.append(uuid.UUID(hex=path.name))
    return found


def days(client_id: int) -> set[date]:
    """The days whose keys a client's files need, unfinished ones as well."""
    found = set()
    for path in _files(client_id):
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            found.add(_day_of(file))
    return {day for day in found if day is not None}


def _files(client_id: int) -> Iterator[Path]:
    folder = _sealed() / str(client_id)
    return folder.iterdir() if folder.is_dir() else iter(())


def size(client_id: int, file_id: uuid.UUID) -> int:
    """
    Bytes of a client's sealed file as it lies on the disk, a little more than what is in it.

    :raises FileNotFoundError: there is none.
    """
    return _path(client_id, file_id).stat().st_size


# --- Recordings ---------------------------------------------------------------------------------------------------


def _storage() -> Storage:
    return storages["recordings"]


def _name(client_id: int, file_id: uuid.UUID) -> str:
    return f"{_FOLDER}/{client_id}/{file_id.hex}"


def _recording_place(client_id: int, file_id: uuid.UUID) -> Place:
    return Place(client_id, "vault_recordingfile", "key", file_id)


class RecordingWriter:
    """
    A recording's file being sealed; it is in the storage once `close` has returned, and not at all before.

    Usable as a context manager: an exception discards it. What waits meanwhile, waits sealed.
    """

    def __init__(self, client_id: int, file_id: uuid.UUID, key: Key) -> None:
        raw = new_key()
        self._client_id, self._file_id = client_id, file_id
        self._sealed = tempfile.SpooledTemporaryFile(max_size=_SPOOLED)  # noqa: SIM115  (closed by close or discard)
        self._sealed.write(_RECORDING_MAGIC + key.seal(raw, _recording_place(client_id, file_id)))
        self._aead = AESGCM(raw)
        self._pending = bytearray()
        self._number = 0
        self.size = 0

    def write(self, data: bytes) -> None:
        """Seal more of it."""
        self._pending += data
        self.size += len(data)
        # The last piece is only known at the end, so one piece always waits.
        while len(self._pending) > CHUNK:
            self._seal(bytes(self._pending[:CHUNK]), is_last=False)
            del self._pending[:CHUNK]

    def _seal(self, piece: bytes, *, is_last: bool) -> None:
        self._sealed.write(self._aead.encrypt(_nonce(self._number, is_last=is_last), piece, None))
        self._number += 1

    def close(self) -> None:
        """
        Seal the last piece and store the file.

        :raises FileExistsError: there is a file of that id; a fresh one is needed for each attempt.
        """
        self._seal(bytes(self._pending), is_last=True)
        self._pending.clear()
        self._sealed.seek(0)
        name = _name(self._client_id, self._file_id)
        stored = _storage().save(name, File(self._sealed))
        self._sealed.close()
        if stored != name:
            _storage().delete(stored)
            raise FileExistsError(name)
        if isinstance(storage := _storage(), FileSystemStorage):
            # On this machine: the file survives a power cut before a row names it.
            _sync_file(Path(storage.path(name)))

    def discard(self) -> None:
        """Leave nothing behind."""
        self._pending.clear()
        self._sealed.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()


def _sync_file(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    _sync(path.parent)


class RecordingReader(io.RawIOBase):
    """
    A recording's file, read from any place on; every piece is checked before a byte of it is given out.

    The last piece is checked at once, so that a file that was cut off never opens.
    """

    def __init__(self, client_id: int, file_id: uuid.UUID, key: Key) -> None:
        super().__init__()
        self._file = _storage().open(_name(client_id, file_id))
        try:
            body = self._file.size - _RECORDING_HEAD
            self._pieces = -(-body // _PIECE)
            self.size = body - self._pieces * _TAG
            if (
                self._pieces < 1
                or self.size < 0
                or self._file.read(len(_RECORDING_MAGIC)) != _RECORDING_MAGIC
            ):
                raise SealBrokenError("Not a sealed recording.")
            self._aead = AESGCM(key.unseal(self._file.read(_WRAPPED), _recording_place(client_id, file_id)))
            self._position = 0
            self._open_number, self._open_piece = -1, b""
            self._open(self._pieces - 1)
        except BaseException:
            self._file.close()
            raise

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a place in the recording, counted as `io` does."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # narrower than Buffer
        """
        :raises SealBrokenError: the file was cut off, changed, or is another's.
        """
        if self._position >= self.size:
            return 0
        number, start = divmod(self._position, CHUNK)
        if number != self._open_number:
            self._open(number)
        piece = self._open_piece[start : start + len(buffer)]
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def _open(self, number: int) -> None:
        self._file.seek(_RECORDING_HEAD + number * _PIECE)
        nonce = _nonce(number, is_last=number == self._pieces - 1)
        try:
            self._open_piece = self._aead.decrypt(nonce, self._file.read(_PIECE), None)
        except (InvalidTag, ValueError):
            raise SealBrokenError("A sealed recording was cut off or changed.") from None
        self._open_number = number

    def close(self) -> None:
        # Where there was no file, the interpreter closes what was begun all the same.
        if "_file" in self.__dict__:
            self._file.close()
        super().close()


def open_recording(client_id: int, file_id: uuid.UUID, key: Key) -> RecordingReader:
    """
    Open a recording's sealed file with the recording's own key.

    :raises FileNotFoundError: there is none.
    :raises SealBrokenError: here or while reading: it was cut off, changed, or is another's.
    """
    return RecordingReader(client_id, file_id, key)


def delete_recording(client_id: int, file_id: uuid.UUID) -> None:
    """Delete a recording's file; nothing happens where there is none."""
    _storage().delete(_name(client_id, file_id))


def recording_exists(client_id: int, file_id: uuid.UUID) -> bool:
    return bool(_storage().exists(_name(client_id, file_id)))


def recording_ids(client_id: int) -> list[uuid.UUID]:
    """Ids of a client's recordings' files, by their names alone: a store is asked a page of them at once."""
    try:
        _, names = _storage().listdir(f"{_FOLDER}/{client_id}")
    except FileNotFoundError:
        return []
    found = []
    for name in names:
        with contextlib.suppress(ValueError):
            found.append(uuid.UUID(hex=name))
    return found


def is_recording_older(client_id: int, file_id: uuid.UUID, *, than: datetime) -> bool:
    """Whether a recording's file was stored before an instant; one that is gone was not. The store is asked for it."""
    try:
        stored_at: datetime = _storage().get_modified_time(_name(client_id, file_id))
    except FileNotFoundError:
        return False
    return _is_older(stored_at, than=than)


# --- Whose folder it is -------------------------------------------------------------------------------------------


def where(folder: Folder) -> str:
    """What a place is called for who operates the installation: a path, or that it is the bucket."""
    if folder is Folder.SEALED:
        return str(_sealed())
    storage = _storage()
    return storage.path(_FOLDER) if isinstance(storage, FileSystemStorage) else "the bucket of recordings"


def is_ours(folder: Folder) -> bool:
    """Whether the id in a place is the one that the vault knows. Where it is not, nothing that is missing is lost."""
    known = selectors.folder_mark(folder)
    return known is not None and read_mark(folder) == known


def read_mark(folder: Folder) -> uuid.UUID | None:
    """
    The id that lies in a place; None where none does, or what lies there is none.

    :raises OSError: it is there and cannot be read.
    """
    try:
        if folder is Folder.SEALED:
            with (_sealed() / _MARK).open("rb") as file:
                said = file.read(_MARK_BYTES)
        else:
            with _storage().open(f"{_FOLDER}/{_MARK}") as stored:
                said = stored.read(_MARK_BYTES)
        return uuid.UUID(hex=said.decode("ascii").strip())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def write_mark(folder: Folder, mark: uuid.UUID) -> None:
    """Let an id lie in a place, instead of one that lies there already."""
    content = f"{mark.hex}\n".encode()
    if folder is Folder.SEALED:
        target = _sealed() / _MARK
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = target.with_name(f"{_MARK}.{secrets.token_hex(4)}.part")
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
        _sync(target.parent)
        return
    name, storage = f"{_FOLDER}/{_MARK}", _storage()
    storage.delete(name)
    stored = storage.save(name, ContentFile(content))
    if stored != name:
        storage.delete(stored)
        raise FileExistsError(name)
    if isinstance(storage, FileSystemStorage):
        _sync_file(Path(storage.path(name)))


def make_ours(folder: Folder, *, at: datetime) -> bool:
    """
    Let a place that the vault knows no id of be ours; whether it is. An id that lies there already is taken up.

    The vault's row is committed behind the file: what is cut off between the two is taken up by the next one. Of two
    that see two folders one is first, and the other's is not ours.
    """
    with transaction.atomic(using="vault"):
        there = read_mark(folder)
        mark = there or uuid.uuid4()
        if services.note_first_mark(folder, mark, at=at) and there is None:
            write_mark(folder, mark)
    return is_ours(folder)


def declare_ours(folder: Folder, *, at: datetime) -> None:
    """Let a place be ours under an id of its own from now on, whatever was before: another one is ours no more."""
    mark = uuid.uuid4()
    with transaction.atomic(using="vault"):
        services.note_mark(folder, mark, at=at)
        write_mark(folder, mark)


def holds_files(folder: Folder) -> bool:
    """Whether any file of anybody's lies in a place, finished or not."""
    if folder is Folder.SEALED:
        found = _sealed().iterdir() if _sealed().is_dir() else iter(())
        return any(next(path.iterdir(), None) is not None for path in found if path.is_dir())
    try:
        holders, _ = _storage().listdir(_FOLDER)
    except FileNotFoundError:
        return False
    return any(any(_storage().listdir(f"{_FOLDER}/{holder}")) for holder in holders)


def found(folder: Folder, holder: int) -> list[uuid.UUID]:
    """Ids of somebody's files in a place, by their names alone; nothing is removed."""
    if folder is Folder.RECORDINGS:
        return recording_ids(holder)
    names = []
    for path in _files(holder):
        with contextlib.suppress(ValueError):
            names.append(uuid.UUID(hex=path.name))
    return names
