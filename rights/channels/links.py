"""
The personal page of a request: an address that names the request and is signed by this installation.

It holds no number and ends with the request's own rows. Whoever has it sees dates and states; what was found is given
only after another proof of the phone.
"""

import base64
import binascii
import struct
import uuid
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.core import signing
from django.urls import reverse

_SALT: Final = "callprivacy.rights.request"
_SHAPE: Final = struct.Struct(">QQ16s")
_LONGEST: Final = 200


class UnknownLinkError(LookupError):
    """No link of ours, or one whose request is gone."""


@dataclass(frozen=True, slots=True)
class Named:
    """What a link names: whose scope, and the request. `client_id` is 0 where the agency itself was asked."""

    agency_id: int
    client_id: int
    submission_id: uuid.UUID


def link_of(named: Named) -> str:
    """The signed part of the address."""
    packed = _SHAPE.pack(named.agency_id, named.client_id, named.submission_id.bytes)
    return signing.Signer(salt=_SALT, sep=".").sign(base64.urlsafe_b64encode(packed).decode().rstrip("="))


def address_of(named: Named) -> str:
    return f"{settings.CALLPRIVACY_URL}{reverse('rights:request', args=[link_of(named)])}"


def read(link: str) -> Named:
    """
    What a link names.

    :raises UnknownLinkError: we have not signed it.
    """
    if len(link) > _LONGEST or not link.isascii():
        raise UnknownLinkError
    try:
        packed = signing.Signer(salt=_SALT, sep=".").unsign(link)
        agency_id, client_id, submission = _SHAPE.unpack(
            base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
        )
    except (signing.BadSignature, binascii.Error, struct.error, ValueError):
        raise UnknownLinkError from None
    return Named(agency_id, client_id, uuid.UUID(bytes=submission))
