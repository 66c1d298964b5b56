"""
Authenticated encryption bound to its place: a sealed value opens only under its key and only in the
(client, table, column, row) it was sealed for. A wrong key, a swapped cell or a flipped bit raises.

Layout of a sealed value: version (1 byte, 0x01), nonce (12), AES-256-GCM ciphertext and tag (16).
Source: NIST SP 800-38D. A key seals far fewer than 2**32 values, so random nonces are safe.
"""

import hashlib
import hmac
import os
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = b"\x01"
KEY_BYTES = 32
_REMEMBERED = 20_000
_NONCE_BYTES = 12
_SHORTEST = 1 + _NONCE_BYTES + 16


class SealBrokenError(ValueError):
    """A sealed value did not open: wrong key, wrong place, or damaged. Nothing of it is shown."""


class Place(NamedTuple):
    """Where a sealed value stands: it opens nowhere else."""

    client_id: int
    table: str
    column: str
    row: UUID | int | str

    def as_bytes(self) -> bytes:
        """The associated data, unambiguous because no part holds a line feed."""
        return f"{self.client_id}\n{self.table}\n{self.column}\n{self.row!s}".encode()


class Key:
    """A 256-bit content key in use. It prints as nothing and is dropped with its scope."""

    __slots__ = ("_aead",)

    def __init__(self, raw: bytes) -> None:
        if len(raw) != KEY_BYTES:
            raise SealBrokenError("A key has 32 bytes.")
        self._aead = AESGCM(raw)

    def __repr__(self) -> str:
        return "<Key>"

    def __reduce__(self) -> str:
        raise TypeError("A key is not serialised.")

    def seal(self, plain: bytes, place: Place) -> bytes:
        """Return `plain` sealed for `place`, 29 bytes longer."""
        nonce = os.urandom(_NONCE_BYTES)
        return VERSION + nonce + self._aead.encrypt(nonce, plain, place.as_bytes())

    def unseal(self, sealed: bytes, place: Place) -> bytes:
        """
        Return what was sealed for `place`.

        :raises SealBrokenError: anything at all is wrong.
        """
        if len(sealed) < _SHORTEST or sealed[:1] != VERSION:
            raise SealBrokenError(f"Not a sealed value: {place.table}.{place.column}.")
        try:
            return self._aead.decrypt(
                sealed[1 : 1 + _NONCE_BYTES],
                sealed[1 + _NONCE_BYTES :],
                place.as_bytes(),
            )
        except InvalidTag:
            raise SealBrokenError(f"Seal broken: {place.table}.{place.column}.") from None


class TokenKey:
    """
    A client's key for equality: equal numbers of one client meet, those of two clients never do.

    It is a chain. The first key makes a token of a number; each later one makes a token of the token before it, so
    that tokens whose number nobody has any more move along when a key is added. What a token went through is its
    form: 1 for the first key alone. `oldest` is the oldest form in which a row may still stand.

    It remembers the tokens it has made, since a batch asks for those of its numbers several times.
    """

    __slots__ = ("_chain", "_made", "oldest")

    def __init__(self, *chain: bytes, oldest: int = 1) -> None:
        self._chain = tuple(hmac.new(raw, digestmod=hashlib.sha256) for raw in chain)
        self._made: dict[str, list[bytes]] = {}
        self.oldest = oldest

    def __repr__(self) -> str:
        return "<TokenKey>"

    def __reduce__(self) -> str:
        raise TypeError("A key is not serialised.")

    @property
    def newest(self) -> int:
        """The form that new tokens have: how many keys there are."""
        return len(self._chain)

    @property
    def is_changing(self) -> bool:
        """Whether rows may stand in more than one form."""
        return self.oldest < len(self._chain)

    def token(self, e164: str) -> bytes:
        """HMAC-SHA256 of a number in E.164, 32 bytes, in the newest form."""
        return self.forms(e164)[0]

    def forms(self, e164: str) -> list[bytes]:
        """Every token under which a number may be found, the newest form first."""
        made = self._made.get(e164)
        if made is None:
            token = self._through(e164.encode(), self._chain[: self.oldest])
            found = [token]
            for keyed in self._chain[self.oldest :]:
                token = self._through(token, (keyed,))
                found.append(token)
            if len(self._made) >= _REMEMBERED:
                self._made.clear()
            made = self._made[e164] = found[::-1]
        return made

    def advance(self, token: bytes, form: int) -> bytes:
        """The newest form of a token that stands in an earlier one."""
        return self._through(token, self._chain[form:])

    def digest(self, *parts: str) -> bytes:
        """
        HMAC-SHA256 of a reference's parts, 32 bytes, never equal to a number's token.

        By the first key of the chain, whatever came after it: digests stand in other databases and were told to other
        systems, and do not change.
        """
        return self._through(b"ref\0" + "\0".join(parts).encode(), self._chain[:1])

    @staticmethod
    def _through(value: bytes, chain: Sequence[hmac.HMAC]) -> bytes:
        for key in chain:
            keyed = key.copy()
            keyed.update(value)
            value = keyed.digest()
        return value


def new_key() -> bytes:
    """Return 32 random bytes."""
    return os.urandom(KEY_BYTES)
