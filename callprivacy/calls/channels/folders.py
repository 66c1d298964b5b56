"""
The folder or bucket that the operator named, as the files in it are reached, and what its faults mean in plain words.

A bucket fails with errors of its own, which are none of the operating system's, and some that are both. Each becomes
one of ours, so that a folder that cannot be read is a fact on its connection's page and not the end of a job.
Whoever drops files may drop a link or a pipe as well: neither is a file of theirs, and neither is opened.
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, Final, cast

from django.core.files.storage import FileSystemStorage, Storage, storages

_GONE: Final = "It is not there. Look whether it is still named so, and whether the disk is mounted."


class FolderError(Exception):
    """The folder or bucket did not do what it was asked; the text says why, for its connection's page."""


class ChangedError(Exception):
    """Another file lies there by that name than the one that was found, or none."""


@dataclass(frozen=True, slots=True)
class Found:
    """
    A file that lies there. :ivar path: in the storage. :ivar tag: differs where another was laid in its place, or
    something was written into it; what is known of a file without reading it.
    """

    path: str
    name: str
    size: int
    changed_at: datetime
    tag: str


@dataclass(frozen=True, slots=True)
class Lying:
    """
    Something that lies in a folder, or below.

    :ivar name: its path from there. :ivar remove: erases it, as long as who goes through the folder has not gone on.
    """

    name: str
    remove: Callable[[], object]


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
    path = f"{folder}/{name}"
    with _faults():
        try:
            with open_file(path) as source:
                return _found(path, name, source)
        except _errors_of_buckets():
            raise
        except OSError:
            return None


def _found(path: str, name: str, source: BinaryIO) -> Found:
    if isinstance(_storage(), FileSystemStorage):
        is_ = os.fstat(source.fileno())
        # The last one tells also of what was made to look as old as before.
        tag = f"{is_.st_ino} {is_.st_size} {is_.st_mtime_ns} {is_.st_ctime_ns}"
        return Found(path, name, is_.st_size, datetime.fromtimestamp(is_.st_mtime, UTC), tag)
    said = cast(Any, source).obj
    changed = said.last_modified.astimezone(UTC)
    return Found(
        path, name, said.content_length, changed, f"{said.e_tag} {said.content_length} {changed.isoformat()}"
    )


def open_file(path: str) -> BinaryIO:
    """
    A dropped file; a link is not followed, and a pipe not waited for. A bucket's is brought once something is read.

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


@contextmanager
def bringing(file: Found) -> Iterator[BinaryIO]:
    """
    A file that was found, here to be read: one that lies in a bucket is brought whole first.

    :raises ChangedError: another lies there now, or none. :raises FolderError: it could not be read to its end.
    """
    with _faults():
        try:
            source = open_file(file.path)
        except FileNotFoundError:
            raise ChangedError from None
        with source:
            if _found(file.path, file.name, source).tag != file.tag:
                raise ChangedError
            if not isinstance(_storage(), FileSystemStorage):
                cast(Any, source).open()
            yield source


def delete(file: Found) -> bool:
    """
    Erase a file that was read; returns whether it was that one that lay there.

    :raises FolderError: it is still there.
    """
    with _faults():
        try:
            with open_file(file.path) as source:
                if _found(file.path, file.name, source).tag != file.tag:
                    return False
        except FileNotFoundError:
            return False
        _storage().delete(file.path)
    return True


def lying_in(folder: str) -> Iterator[Lying]:
    """
    What lies in a folder and in those below it, whatever it is. A link is one of these and is not followed, for
    whoever drops files may lay one to another's.

    :raises FolderError: it cannot be said; in the end, of what lies in a folder below that cannot be read.
    """
    storage = _storage()
    with _faults():
        if isinstance(storage, FileSystemStorage):
            yield from _lying_here(Path(storage.location), folder)
        else:
            bucket = cast(Any, storage)
            prefix = "/".join(filter(None, [bucket.location.strip("/"), folder])) + "/"
            for found in bucket.bucket.objects.filter(Prefix=prefix):
                yield Lying(found.key.removeprefix(prefix), found.delete)


def _lying_here(root: Path, folder: str) -> Iterator[Lying]:
    if not root.is_dir():
        raise FolderError(_GONE)
    # Where all of them lie is the operator's to link; below it whoever drops files may have laid one to anybody's.
    top = root.resolve() / folder
    if top.resolve() != top:
        raise FolderError(
            "A link leads away from it. Whoever runs the server empties what it leads to by hand."
        )
    try:
        top.stat()
    except (FileNotFoundError, NotADirectoryError):
        return  # Nobody has dropped anything yet.
    faults: list[OSError] = []
    for place, below, names, handle in os.fwalk(top, topdown=False, onerror=faults.append):
        inside = Path(place).relative_to(top)
        links = {name for name in below if _is_link(name, handle)}
        for name in [*names, *links]:
            yield Lying(str(inside / name), partial(os.unlink, name, dir_fd=handle))
        # What folders are called may be somebody's name or number: empty by now, for it goes from below.
        for name in below:
            if name not in links:
                yield Lying(str(inside / name), partial(os.rmdir, name, dir_fd=handle))
    # What has gone meanwhile has nothing in it.
    real = [fault for fault in faults if not isinstance(fault, FileNotFoundError)]
    if real:
        raise real[0]


def _is_link(name: str, handle: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def erase(one: Lying) -> None:
    """
    Erase what lies there, while it is being gone through.

    :raises FolderError: it is still there.
    """
    with _faults():
        one.remove()


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
