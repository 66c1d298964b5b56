"""
Pictures of courses: opened, looked at and written anew, so that nothing is kept of a file but what can be seen.

A file that only calls itself a picture is refused; where and with what a photo was taken leaves it. They lie in the
state folder, one file each under its row's id.
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
"""Bytes of a file that is brought."""
_PIXELS_AT_MOST: Final = 24_000_000
_SIDE_AT_MOST: Final = 1600
_KINDS: Final = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
TOO_LARGE: Final = "The file is larger than 4 MB. Make the picture smaller and try again."
_NONE: Final = "This is no PNG, JPEG or WebP picture."


class PictureError(ValueError):
    """A file that is no picture, or too large; the text says which."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it is kept. :ivar kind: its media type. :ivar width: pixels, as :ivar height:."""

    data: bytes
    kind: str
    width: int
    height: int


def read(raw: bytes) -> Picture:
    """
    What is kept of a file: the picture alone, at most 1,600 pixels a side.

    :raises PictureError: it is none of the three kinds, broken, or too large.
    """
    if len(raw) > LARGEST:
        raise PictureError(TOO_LARGE)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(raw), formats=tuple(_KINDS)) as found:
                if found.width * found.height > _PIXELS_AT_MOST:
                    raise PictureError(
                        "The picture has more than 24 million pixels. Make it smaller and try again."
                    )
                return _written(found)
    except PictureError:
        raise
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError, Warning):
        raise PictureError(_NONE) from None


def _written(found: Image.Image) -> Picture:
    kind = found.format or "PNG"
    turned = ImageOps.exif_transpose(found)
    clean = turned.convert("RGB" if kind == "JPEG" else "RGBA")
    clean.thumbnail((_SIDE_AT_MOST, _SIDE_AT_MOST))
    clean.info.clear()
    into = io.BytesIO()
    clean.save(into, format=kind, **({"quality": 86} if kind != "PNG" else {"optimize": True}))
    return Picture(into.getvalue(), _KINDS[kind], clean.width, clean.height)


def _path(agency_id: int, picture_id: uuid.UUID) -> str:
    return f"courses/{agency_id}/{picture_id.hex}"


def keep(*, agency_id: int, picture_id: uuid.UUID, data: bytes) -> None:
    """Write a picture's file; nothing is there under a fresh id."""
    default_storage.save(_path(agency_id, picture_id), ContentFile(data))


def drop(*, agency_id: int, picture_id: uuid.UUID) -> None:
    """Remove a picture's file, where there is one."""
    default_storage.delete(_path(agency_id, picture_id))


def load(*, agency_id: int, picture_id: uuid.UUID) -> bytes:
    """
    A picture's bytes.

    :raises OSError: the file is not there.
    """
    with default_storage.open(_path(agency_id, picture_id)) as file:
        return bytes(file.read())
