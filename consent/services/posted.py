"""
The register of notices that hang somewhere: on a site, in an ad, on a door, from one day to another.

A posted notice is the weakest of the three, but it counts where the law asks that callers are informed; so what
hung where on which day is written down with a picture, and a change decides recordings anew.
"""

import hashlib
import uuid
from dataclasses import dataclass
from datetime import date, datetime
from typing import BinaryIO, Final

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.calls.models import TrackingNumber
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.vault import files
from consent.enums import PostedWhere
from consent.models import NoticeVersion, PostedNotice
from consent.services import rejudging

PICTURE_AT_MOST: Final = 8 * 1024 * 1024
TYPES: Final = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/webp": "WebP",
    "application/pdf": "PDF",
}
_HEAD: Final = 1024


class NoPictureError(ValueError):
    """A file is neither a picture of the kinds taken here nor a PDF, whatever it is called."""


class EndsTooEarlyError(ValueError):
    """A notice ends on a later day than the one on which it was put up."""


class EndedError(ValueError):
    """The notice has been taken down already."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A sealed file that has arrived: its id, its type by content, its digest."""

    file_id: uuid.UUID
    media_type: str
    digest: bytes


def type_of(head: bytes) -> str:
    """
    What a file is by its first bytes.

    :raises NoPictureError: none of the kinds that are taken.
    """
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    # A PDF may have a few bytes before its head (ISO 32000 allows readers to look 1,024 bytes far).
    if b"%PDF-1." in head[:_HEAD] or b"%PDF-2." in head[:_HEAD]:
        return "application/pdf"
    raise NoPictureError("This file is not a PNG, JPEG, WebP, or PDF. Upload one of these.")


def look_at(stream: BinaryIO, *, file_id: uuid.UUID, digest: bytes) -> Picture:
    """
    What an uploaded file is.

    :raises NoPictureError: nothing that is taken here.
    """
    return Picture(file_id, type_of(stream.read(_HEAD)), digest)


@transaction.atomic
def post_notice(
    *,
    client: Client,
    tracking_number: TrackingNumber | None,
    where: PostedWhere,
    place: str,
    words: str,
    version: NoticeVersion | None,
    from_on: date,
    to_on: date | None,
    picture: Picture | None,
    by: Actor,
    at: datetime,
) -> PostedNotice:
    """
    Write down that words hang somewhere.

    :param tracking_number: the number they stand beside; None for every number of the client.
    :param to_on: the day on which they were taken down, itself not counted.
    :raises EndsTooEarlyError: `to_on` is not after `from_on`.
    """
    if to_on is not None and to_on <= from_on:
        raise EndsTooEarlyError("The end date must be after the start date.")
    row = PostedNotice.objects.create(
        agency_id=client.agency_id,
        client=client,
        tracking_number=tracking_number,
        where=where,
        place=place,
        words=words.strip(),
        version=version,
        from_on=from_on,
        to_on=to_on,
        picture_key=picture.file_id if picture else None,
        picture_digest=picture.digest if picture else None,
        picture_type=picture.media_type if picture else "",
        created_by_id=by.user_id,
        created_at=at,
    )
    audit.record(
        "notice.posted",
        subject=row,
        by=by,
        at=at,
        where=str(where),
        on=from_on.isoformat(),
        picture=picture.digest.hex() if picture else None,
    )
    rejudging.of_client(client=client, cause="posted", at=at)
    return row


@transaction.atomic
def end_posted(*, posted: PostedNotice, client: Client, on: date, by: Actor, at: datetime) -> None:
    """
    Write down that words were taken down: from that day on they do not hang any more.

    :raises EndedError: that is written down already.
    :raises EndsTooEarlyError: it is not after the day on which they were put up.
    """
    if on <= posted.from_on:
        raise EndsTooEarlyError("The end date must be after the start date.")
    if not PostedNotice.objects.filter(pk=posted.pk, to_on=None).update(to_on=on):
        raise EndedError("This notice is already marked as taken down.")
    audit.record("notice.taken_down", subject=posted, by=by, at=at, on=on.isoformat())
    rejudging.of_client(client=client, cause="posted", at=at)


class PictureChangedError(ValueError):
    """The stored picture differs from the uploaded one."""


def picture_of(posted: PostedNotice) -> bytes:
    """
    The picture as it was brought.

    :raises FileNotFoundError: there is none.
    :raises PictureChangedError: it is another one than was brought.
    """
    if posted.picture_key is None:
        raise FileNotFoundError
    with files.open(posted.client_id, posted.picture_key) as file:
        content = file.read()
    if hashlib.sha256(content).digest() != bytes(posted.picture_digest or b""):
        raise PictureChangedError("The stored picture differs from the uploaded one.")
    return content
