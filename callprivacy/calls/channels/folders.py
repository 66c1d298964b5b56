"""
The folder or bucket that the operator named, as the files in it are reached, and what its faults mean in plain words.

A bucket fails with errors of its own, which are none of the operating system's, and some that are both. Each becomes
one of ours, so that a folder that cannot be read is a fact on its connection's page and not the end of a job.
Whoever drops files may drop a link or a pipe as well: neither is a file of theirs, and neither is opened.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import BinaryIO, Final, cast

from django.core.files.storage import FileSystemStorage, Storage, storages

_GONE: Final = "It is not there. Look whether it is still named so, and whether the disk is mounted."


class FolderError(Exception):
    """The folder or bucket did not do what it was asked; the text says why, for its connection's page."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file that lies there. :ivar path: in the storage."""

    path: str
    name: str
    size: int
    changed_at: datetime


def _storage() -> Storage:
    return storages["drop"]


def names_in(folder: str) -> list[str]:
    """
    The names of what lies in a folder, in order; none where nobody has dropped anything yet.

    :raises FolderError: it cannot be said.
    """
    storage = _storage()
    with _faults():
        try:
            return sorted(storage.listdir(folder)[1])
        except (FileNotFoundError, NotADirectoryError):
            if isinstance(storage, FileSystemStorage) and not Path(storage.location).is_dir():
                raise FolderError(_GONE) from None
            return []


def found(folder: str, name: str) -> Found | None:
    """
    A file by its name; None where it is none, is gone, or may not be opened.

    :raises FolderError: it cannot be said.
    """
    storage, path = _storage(), f"{folder}/{name}"
    with _faults():
        try:
            open_file(path).close()
            changed, size = storage.get_modified_time(path), storage.size(path)
        except _errors_of_buckets():
            raise
        except OSError:
            return None
    return Found(path, name, size, changed if changed.tzinfo else changed.replace(tzinfo=UTC))


def open_file(path: str) -> BinaryIO:
    """
    A dropped file; a link is not followed, and a pipe not waited for.

    :raises OSError: it is no file, or may not be read.
    """
    storage = _storage()
    if not isinstance(storage, FileSystemStorage):
        return cast(BinaryIO, storage.open(path, "rb"))
    handle = os.open(storage.path(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError("It is no file.")
    return os.fdopen(handle, "rb")


def delete(path: str) -> None:
    """
    Erase a file.

    :raises FolderError: it is still there.
    """
    with _faults():
        _storage().delete(path)


@contextmanager
def reading() -> Iterator[None]:
    """
    What is done meanwhile reads a file that lies there.

    :raises FolderError: it could not be read to its end.
    """
    with _faults():
        yield


@contextmanager
def _faults() -> Iterator[None]:
    # A bucket's time-outs are errors of the operating system as well: its own are asked first.
    try:
        yield
    except _errors_of_buckets() as error:
        raise FolderError(_buckets().said(error)) from None
    except OSError as error:
        said = os.strerror(error.errno) if error.errno else "no reason given"
        raise FolderError(f"It could not be read ({said}).") from None


def _errors_of_buckets() -> tuple[type[Exception], ...]:
    return () if isinstance(_storage(), FileSystemStorage) else _buckets().ERRORS


def _buckets() -> ModuleType:
    from callprivacy.calls.channels import buckets  # noqa: PLC0415  its programs take a while to load

    return buckets
