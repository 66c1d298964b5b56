"""
Files of certificates from elsewhere: sealed under the agency's keys as they arrive, and gone with their row.
"""

import hashlib
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Final

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import SealBrokenError
from consent.services import posted
from governance.models import Completion

AT_MOST: Final = 8 << 20
"""Bytes of a file that is brought."""
_HEAD: Final = 1024


class NoFileError(LookupError):
    """No file was brought, or it is not there any more as it was brought."""


class NoCertificateError(ValueError):
    """A file is neither a PDF nor a picture, whatever it is called."""


@dataclass(frozen=True, slots=True)
class File:
    """A sealed file that has arrived: its id, its type by content, its SHA-256."""

    file_id: uuid.UUID
    media_type: str
    digest: bytes


def holder_of(agency_id: int) -> int:
    """Under whose keys the files are: their holder is the agency itself."""
    return -agency_id


def open_holder(*, agency_id: int, at: datetime) -> int:
    """Make the agency's keys where there are none yet; returns the holder."""
    holder = holder_of(agency_id)
    vault.create_client_keys(client_id=holder, agency_id=agency_id, at=at)
    return holder


def look_at(stream: BinaryIO, *, file_id: uuid.UUID, digest: bytes) -> File:
    """
    What a file that was brought is.

    :raises NoCertificateError: nothing that is taken here.
    """
    try:
        return File(file_id, posted.type_of(stream.read(_HEAD)), digest)
    except posted.NoPictureError:
        raise NoCertificateError("This is no PDF, PNG, JPEG or WebP. Save it as one of them.") from None


@transaction.atomic
def take(*, row: Completion, by: Actor, at: datetime) -> bytes:
    """
    Write down that a certificate's file is taken, and return it as it was brought.

    :raises NoFileError: there is none, or not that one.
    """
    if row.file_key is None:
        raise NoFileError
    try:
        with files.open(holder_of(row.agency_id), row.file_key) as stream:
            content = stream.read()
    except (FileNotFoundError, SealBrokenError):
        raise NoFileError from None
    if hashlib.sha256(content).digest() != bytes(row.file_digest or b""):
        raise NoFileError
    audit.record("training.file_taken", subject=row, by=by, at=at, person=row.user_id)
    return content


def drop(agency_id: int, ids: Collection[uuid.UUID]) -> None:
    """
    Delete the files of these proofs, before their rows go. Outside any scope; twice is once.

    What is cut short between the two leaves rows without a file, which the next run meets again.
    """
    with job_scope(agency_id=agency_id):
        rows = Completion.objects.filter(pk__in=ids).exclude(file_key=None)
        keys = [key for key in rows.values_list("file_key", flat=True) if key is not None]
    for key in keys:
        files.delete(holder_of(agency_id), key)
