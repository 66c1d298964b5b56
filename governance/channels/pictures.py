"""
Pictures of courses, re-encoded so that only pixels are stored, without metadata.

The files are in the state folder, named by the ids of their rows.
"""

import io
import uuid
import warnings
from dataclasses import dataclass
from typing import Final

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image, ImageOps

LARGEST: Final = 4 << 20
"""Bytes of an uploaded file."""
_PIXELS_AT_MOST: Final = 24_000_000
_SIDE_AT_MOST: Final = 1600
_KINDS: Final = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
TOO_LARGE: Final = "The file is larger than 4 MB. Make the picture smaller and try again."
_NONE: Final = "The file is not a PNG, JPEG or WebP picture."


class PictureError(ValueError):
    """The file is not a picture, or too large."""


@dataclass(frozen=True, slots=True)
class Picture:
    """:ivar kind: its media type. :ivar width: in pixels, like :ivar height:."""

    data: bytes
    kind: str
    width: int
    height: int


def read(raw: bytes) -> Picture:
    """
    Re-encode a picture, scaled down to 1,600 pixels a side.

    :raises PictureError: it is not one of the three types, broken, or too large.
    """
    if len(raw) > LARGEST:
        raise PictureError(TOO_LARGE)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(raw), formats=tuple(_KINDS)) as image:
                if image.width * image.height > _PIXELS_AT_MOST:
                    raise PictureError(
                        "The picture has more than 24 million pixels. Make it smaller and try again."
                    )
                return _written(image)
    except PictureError:
        raise
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError, Warning):
        raise PictureError(_NONE) from None


def _written(image: Image.Image) -> Picture:
    kind = image.format or "PNG"
    turned = ImageOps.exif_transpose(image)
    clean = turned.convert("RGB" if kind == "JPEG" else "RGBA")
    clean.thumbnail((_SIDE_AT_MOST, _SIDE_AT_MOST))
    clean.info.clear()
    into = io.BytesIO()
    clean.save(into, format=kind, **({"quality": 86} if kind != "PNG" else {"optimize": True}))
    return Picture(into.getvalue(), _KINDS[kind], clean.width, clean.height)


def _path(agency_id: int, picture_id: uuid.UUID) -> str:
    return f"courses/{agency_id}/{picture_id.hex}"


def keep(*, agency_id: int, picture_id: uuid.UUID, data: bytes) -> None:
    default_storage.save(_path(agency_id, picture_id), ContentFile(data))


def drop(*, agency_id: int, picture_id: uuid.UUID) -> None:
    default_storage.delete(_path(agency_id, picture_id))


def load(*, agency_id: int, picture_id: uuid.UUID) -> bytes:
    """:raises OSError: the file is missing."""
    with default_storage.open(_path(agency_id, picture_id)) as file:
        return bytes(file.read())
