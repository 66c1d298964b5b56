"""
The installation's signature: Ed25519 (RFC 8032) under CALLPRIVACY_SIGNING_KEY.

After a rotation CALLPRIVACY_EARLIER_PUBLIC_KEYS names the keys whose signatures are still believed; a key
that stands in neither setting is nobody's, whatever the database says. Of one that was stolen it says until when:
whoever has it can sign under any date, so that an end unmasks what bears a later one, and nothing else.
"""

import hashlib
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings


def _private_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(settings.CALLPRIVACY_SIGNING_KEY)


def sign(message: bytes) -> bytes:
    return _private_key().sign(message)


def public_key() -> bytes:
    """Return the public key that `sign` belongs to, 32 bytes."""
    return _private_key().public_key().public_bytes_raw()


def public_keys() -> dict[str, bytes]:
    """Return every public key that this installation believes, by key id, the present one first; `is_over` dates it."""
    earlier = [bytes.fromhex(key.partition("@")[0]) for key in settings.CALLPRIVACY_EARLIER_PUBLIC_KEYS]
    return {key_id(key): key for key in (public_key(), *earlier)}


def ends() -> dict[str, datetime]:
    """Return from when on keys are not believed any more, by key id, of those that have an end."""
    found = (key.partition("@") for key in settings.CALLPRIVACY_EARLIER_PUBLIC_KEYS)
    return {key_id(bytes.fromhex(key)): datetime.fromisoformat(end) for key, _, end in found if end}


def is_over(name: str, at: datetime) -> bool:
    """Tell whether a key is not believed any more for what bears this date."""
    end = ends().get(name)
    return end is not None and at >= end


def key_id(public: bytes) -> str:
    """Return a public key's name: 16 hex digits of its SHA-256."""
    return hashlib.sha256(public).hexdigest()[:16]


def verify(message: bytes, signature: bytes, public: bytes) -> bool:
    """Tell whether the signature over the message is that key's."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
