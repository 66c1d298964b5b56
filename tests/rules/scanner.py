"""
Looks for canaries in bytes, in every dress a value can wear: written in parts, in other encodings, packed, or as a
digest without a key, which anybody could try against all numbers there are.
"""

import base64
import binascii
import gzip
import hashlib
import html
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

_DEEPEST = 3
_HEX, _LOWER_HEX = b"0123456789abcdefABCDEF", b"0123456789abcdef"
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-"
_ZLIB_HEADS = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")


@dataclass(frozen=True)
class Canary:
    """A value that was put in, and what it is."""

    what: str
    value: str


def _writings(canary: Canary) -> set[str]:
    """How a value may be written: a number in parts and without its country, a text as it is."""
    value = canary.value
    found = {value}
    if value.startswith("+1"):
        n = value[2:]
        area, middle, last = n[:3], n[3:6], n[6:]
        found |= {
            value[1:], n, f"({area}) {middle}-{last}", f"({area}){middle}-{last}", f"{area}-{middle}-{last}",
            f"{area}.{middle}.{last}", f"{area} {middle} {last}", f"+1 {area} {middle} {last}",
            f"+1-{area}-{middle}-{last}", f"+1 ({area}) {middle}-{last}", f"1-{area}-{middle}-{last}",
            f"tel:+1-{area}-{middle}-{last}", f"{middle}-{last}", n[::-1],
        }  # fmt: skip
    return found


def _dresses(text: str) -> Iterator[bytes]:
    """The bytes of a writing, in lower case, in every encoding whose letters may be compared without case."""
    yield text.encode()
    yield text.encode("utf-16-le")
    yield text.encode("utf-16-be")
    yield text.encode("utf-32-le")
    yield quote(text, safe="").encode()
    yield quote_plus(text).encode()
    yield json.dumps(text)[1:-1].encode()
    yield "".join(f"\\u{ord(sign):04x}" for sign in text).encode()
    yield html.escape(text).encode()
    yield "".join(f"&#{ord(sign)};" for sign in text).encode()
    yield text.encode().hex().encode()
    yield text.encode("utf-16-le").hex().encode()
    yield " ".join(f"{byte:02x}" for byte in text.encode()).encode()


def _in_base64(text: str) -> Iterator[bytes]:
    """What base64 makes of a text wherever it begins; the ends, which the neighbours decide, are left out."""
    raw = text.encode()
    for shift in range(3):
        packed = base64.b64encode(b"\0" * shift + raw)
        inner = packed[(shift * 8 + 5) // 6 : len(packed) - 4]
        if len(inner) >= 8:
            yield inner
            yield inner.translate(bytes.maketrans(b"+/", b"-_"))


def _digests(text: str) -> Iterator[bytes]:
    for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "blake2b", "blake2s"):
        yield hashlib.new(name, text.encode()).digest()


class Scanner:
    """Finds canaries; made once for all of them."""

    def __init__(self, canaries: list[Canary]) -> None:
        self.canaries = canaries
        self.needles: dict[bytes, str] = {}
        any_case: dict[bytes, str] = {}
        self._packed: dict[bytes, str] = {}
        self._digests: dict[bytes, str] = {}
        self._hex_digests: dict[bytes, str] = {}
        for canary in canaries:
            for text in _writings(canary):
                any_case |= {dress.lower(): canary.what for dress in _dresses(text)}
                self._packed |= dict.fromkeys(_in_base64(text), canary.what)
                for digest in _digests(text):
                    self._digests[digest] = self._hex_digests[digest.hex().encode()] = canary.what
        for needles in (any_case, self._packed, self._digests, self._hex_digests):
            self.needles |= needles
        any_case = _without_longer(any_case)
        self._plain = {needle: what for needle, what in any_case.items() if 0 not in needle}
        self._wide = {needle: what for needle, what in any_case.items() if 0 in needle}
        self._packed = _without_longer(self._packed)
        # A digest that may stand in a text, which few may, is looked for in everything.
        in_texts = {digest for digest in self._digests if _stands_in_text(digest)}
        self._packed |= {digest: self._digests.pop(digest) for digest in in_texts}

    def find(self, blob: bytes) -> set[str]:
        """What of the canaries is in these bytes, or in anything packed into them."""
        found: set[str] = set()
        for layer in _layers(blob, _DEEPEST):
            lower = layer.lower()
            places = [(self._plain, lower), (self._packed, layer)]
            if b"\0" in layer:
                places.append((self._wide, lower))
            if not _is_text(layer):
                places.append((self._digests, layer))
            if runs := b" ".join(_runs(layer, _LOWER_HEX, 32)):
                places.append((self._hex_digests, runs))
            for needles, place in places:
                found |= {what for needle, what in needles.items() if needle in place}
        return found


def _without_longer(needles: dict[bytes, str]) -> dict[bytes, str]:
    """Without those that hold another one of the same canary: where they are, it is found."""
    return {
        needle: what
        for needle, what in needles.items()
        if not any(other in needle and other != needle for other, whose in needles.items() if whose == what)
    }


def _is_text(layer: bytes) -> bool:
    try:
        layer.decode()
    except UnicodeDecodeError:
        return False
    return True


def _stands_in_text(digest: bytes) -> bool:
    """Whether a text in UTF-8 may hold these bytes, begun or broken off within a sign."""
    return any(_is_text(digest[begin : len(digest) - end]) for begin in range(4) for end in range(4))


def _layers(blob: bytes, depth: int) -> Iterator[bytes]:
    yield blob
    if depth:
        for inner in _unpacked(blob):
            yield from _layers(inner, depth - 1)


def _runs(blob: bytes, signs: bytes, length: int) -> list[bytes]:
    """Where nothing but these signs stands, for so long or longer; several times as quick as an expression."""
    only = bytes(sign if sign in signs else 32 for sign in range(256))
    return [run for run in blob.translate(only).split() if len(run) >= length]


def _unpacked(blob: bytes) -> Iterator[bytes]:
    """What is packed into these bytes: hex, base64, gzip, zlib, quoted-printable."""
    parts = [binascii.unhexlify(run[: len(run) // 2 * 2]) for run in _runs(blob, _HEX, 24)]
    for run in _runs(blob, _BASE64, 16):
        text = run.replace(b"-", b"+").replace(b"_", b"/")
        parts.append(base64.b64decode(text[: len(text) // 4 * 4]))
    if b"=3D" in blob or b"=\n" in blob or b"=\r\n" in blob:
        yield binascii.a2b_qp(blob)
    for part in (blob, *parts):
        at = part.find(b"\x1f\x8b\x08")
        if at >= 0:
            yield from _decompressed(part[at:], gzipped=True)
        for head in _ZLIB_HEADS:
            if part.startswith(head):
                yield from _decompressed(part, gzipped=False)
    if parts:
        # One blob of all: a value that was cut in two is put together, and each is looked at once.
        yield b"\n".join(part for part in parts if len(part) >= 7)


def _decompressed(blob: bytes, *, gzipped: bool) -> Iterator[bytes]:
    try:
        yield zlib.decompressobj(31 if gzipped else 15).decompress(blob, 32 * 1024 * 1024)
    except zlib.error:
        return


def dressed(value: str) -> dict[str, bytes]:
    """One value in each dress that the scanner must know, for its own test."""
    raw = value.encode()
    n = value[2:]
    return {
        "E.164": raw,
        "national": f"({n[:3]}) {n[3:6]}-{n[6:]}".encode(),
        "digits": n.encode(),
        "dashes": f"{n[:3]}-{n[3:6]}-{n[6:]}".encode(),
        "UTF-16": value.encode("utf-16"),
        "base64": base64.b64encode(b"number=" + raw + b"&x"),
        "base64 of one": base64.urlsafe_b64encode(raw),
        "hex": raw.hex().upper().encode(),
        "bytea in a dump": b"1\t\\\\x" + (b"row " + raw).hex().encode() + b"\t7\n",
        "URL": quote(value, safe="").encode(),
        "JSON escapes": "".join(f"\\u{ord(sign):04x}" for sign in value).encode(),
        "HTML": f"&#43;{value[1:]}".encode(),
        "gzip": b"head" + gzip.compress(b"a,b\n" + raw + b"\n"),
        "gzip in base64": base64.b64encode(gzip.compress(raw)),
        "gzip in a dump": b"\\\\x" + gzip.compress(raw).hex().encode(),
        "zlib in base64": b"."
        + base64.urlsafe_b64encode(zlib.compress(b'{"a":"' + raw + b'"}')).rstrip(b"=")
        + b":1",
        "quoted-printable": b"a=3Db\r\n" + raw[:6] + b"=\r\n" + raw[6:],
        "digest without a key": hashlib.sha256(raw).hexdigest().encode(),
        "raw digest": hashlib.md5(n.encode()).digest(),  # noqa: S324  (what must be found)
        "reversed": n[::-1].encode(),
    }
