"""
Whole files sealed to people's public keys, in age's format (age-encryption.org/v1), which other tools read too.

Who seals needs no secret; who opens needs the private half of one of the recipients. A file is sealed in pieces, each
with its number, and the last one says that it is the last: one that was cut off, changed or put together does not
open to its end. Memory holds one piece.
"""

import hashlib
from collections.abc import Sequence
from typing import IO

import pyrage


class EnvelopeError(ValueError):
    """A file did not open, or a key is none."""


def new_identity() -> tuple[str, str]:
    """Make a pair of keys: the private half (AGE-SECRET-KEY-1...), which is shown to nobody, and the public one."""
    identity = pyrage.x25519.Identity.generate()
    return str(identity), str(identity.to_public())


def fingerprint(recipient: str) -> str:
    """A short name of a public key: 16 hex digits of its SHA-256."""
    return hashlib.sha256(recipient.encode()).hexdigest()[:16]


def _identity(text: str) -> pyrage.x25519.Identity:
    try:
        return pyrage.x25519.Identity.from_str(text.strip())
    except pyrage.IdentityError:
        raise EnvelopeError("That is no private key: it begins with AGE-SECRET-KEY-1.") from None


def _recipient(text: str) -> pyrage.x25519.Recipient:
    try:
        return pyrage.x25519.Recipient.from_str(text.strip())
    except pyrage.RecipientError:
        raise EnvelopeError(f"{text[:12]}... is no public key: it begins with age1.") from None


def check_recipients(recipients: Sequence[str]) -> None:
    """
    Find out before the work whether these are public keys.

    :raises EnvelopeError: one is not, or there is none.
    """
    if not recipients:
        raise EnvelopeError("There is no recipient.")
    for recipient in recipients:
        _recipient(recipient)


def seal(source: IO[bytes], target: IO[bytes], *, recipients: Sequence[str]) -> None:
    """
    Seal everything that `source` gives into `target`, for any one of the recipients to open.

    :raises EnvelopeError: a recipient is no public key, or the target took it no longer.
    """
    try:
        pyrage.encrypt_io(source, target, [_recipient(recipient) for recipient in recipients])
    except pyrage.EncryptError as error:
        raise EnvelopeError(f"It could not be sealed: {error}.") from None


def open_into(source: IO[bytes], target: IO[bytes], *, identity: str) -> None:
    """
    Open what was sealed; what has come out is to be believed only once this has returned.

    :raises EnvelopeError: it is for somebody else, was cut off or changed, or the target took it no longer.
    """
    try:
        pyrage.decrypt_io(source, target, [_identity(identity)])
    except (pyrage.DecryptError, OSError) as error:
        raise EnvelopeError(f"It does not open: {error}.") from None
