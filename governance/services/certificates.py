"""Files of external certificates, encrypted with the agency's keys and deleted with their rows."""

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
"""Bytes of an uploaded file."""
_HEAD: Final = 1024


class NoFileError(LookupError):
    """There is no file, or it was altered."""


class NoCertificateError(ValueError):
    """The content is neither a PDF nor a picture."""


@dataclass(frozen=True, slots=True)
class File:
    """An encrypted upload. :ivar media_type: by content. :ivar digest: SHA-256."""

    file_id: uuid.UUID
    media_type: str
    digest: bytes


def holder_of(agency_id: int) -> int:
    """The key holder of an agency's own files."""
    return -agency_id


def open_holder(*, agency_id: int, at: datetime) -> int:
    """Create the agency's keys if needed and return their holder."""
    holder = holder_of(agency_id)
    vault.create_client_keys(client_id=holder, agency_id=agency_id, at=at)
    return holder


def look_at(stream: BinaryIO, *, file_id: uuid.UUID, digest: bytes) -> File:
    """:raises NoCertificateError: the type is not accepted."""
    try:
        return File(file_id, posted.type_of(stream.read(_HEAD)), digest)
    except posted.NoPictureError:
        raise NoCertificateError(
            "The file is not a PDF, PNG, JPEG or WebP. Convert it and try again."
        ) from None


@transaction.atomic
def take(*, row: Completion, by: Actor, at: datetime) -> bytes:
    """
    Return a certificate's file and log the download.

    :raises NoFileError: there is no file, or it was altered.
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
    Delete the files of completions before their rows. Called outside any scope, and idempotent.

    An interruption leaves rows without files, which the next run deletes.
    """
    with job_scope(agency_id=agency_id):
        rows = Completion.objects.filter(pk__in=ids).exclude(file_key=None)
        keys = [key for key in rows.values_list("file_key", flat=True) if key is not None]
    for key in keys:
        files.delete(holder_of(agency_id), key)
