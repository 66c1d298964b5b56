"""
Fetching a recording from where its tracker keeps it.

An address that somebody sent us decides where we connect, so it is trusted for nothing: https only, hosts of the
tracker alone, at every redirect again; the name is resolved once, every address must be public, and we connect to
that very address. Size, time and kind are limited while it flows in; nothing of the address is in an error or a log.

Which hosts serve recordings is not documented by every tracker; they are in `HOSTS`, to be corrected here alone.
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from callprivacy.lib import outside

AT_MOST: Final = 256 * 1024 * 1024
SECONDS: Final = 240.0
REDIRECTS: Final = 4
_PIECE: Final = 64 * 1024
_TIMEOUT: Final = urllib3.Timeout(connect=10.0, read=30.0)

HOSTS: Final[dict[str, re.Pattern[str]]] = {
    "callrail": re.compile(r"(?:[a-z0-9-]+\.)?callrail\.com"),
    "twilio": re.compile(r"api(?:\.[a-z0-9-]+)*\.twilio\.com|media\.twiliocdn\.com"),
    "ctm": re.compile(r"(?:[a-z0-9-]+\.)?calltrackingmetrics\.com"),
    "invoca": re.compile(r"(?:[a-z0-9-]+\.)*invoca\.(?:net|com)"),
}
"""Tracker -> the hosts that its recordings may come from."""
SENT_ON_TO: Final = re.compile(r"(?:[a-z0-9.-]+\.)?s3(?:[.-][a-z0-9-]+)*\.amazonaws\.com")
"""Where trackers keep the files, so that their own hosts may send us there: S3, by a bucket's name or a region's."""

_OF_AUDIO: Final = re.compile(r"audio/[a-z0-9.+-]{1,40}|(?:application|binary)/octet-stream|application/ogg")
_TWILIO_ACCOUNT: Final = re.compile(r"/2010-04-01/Accounts/(AC[0-9a-f]{32})/Recordings/")


class FetchError(RuntimeError):
    """A recording did not come; says why without its address. What is `final` is not tried again."""

    def __init__(self, why: str, *, final: bool) -> None:
        super().__init__(why)
        self.why, self.final = why, final


@dataclass(frozen=True, slots=True, repr=False)
class Source:
    """
    Where a recording is, and what opens it there.

    :ivar also: hosts (`name:port`) that are allowed beside the tracker's, on this machine too and without TLS.
    :ivar secret: the tracker's secret, sent to Twilio alone, and only to its own interface.
    """

    provider: str
    url: str
    also: Collection[str] = ()
    secret: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """How much came, and of which kind."""

    size: int
    media_type: str


def fetch(
    source: Source,
    write: Callable[[bytes], object],
    *,
    at_most: int = AT_MOST,
    seconds: float = SECONDS,
) -> Fetched:
    """
    Fetch a recording piece by piece into `write`.

    :raises FetchError: it did not come, or is none. What was written until then is to be thrown away.
    """
    ends_at = time.monotonic() + seconds
    url = source.url
    for hop in range(REDIRECTS + 1):
        response, address = _open(source, url, sent_on=hop > 0)
        try:
            if response.status in {301, 302, 303, 307, 308}:
                url = urljoin(url, response.headers.get("Location", ""))
                continue
            _check_status(response.status)
            return _take(response, write, at_most=at_most, ends_at=ends_at)
        except HTTPError:
            raise FetchError("The connection broke.", final=False) from None
        finally:
            response.release_conn()
            response.close()
            address.close()
    raise FetchError("It was sent on from address to address.", final=True)


def _open(source: Source, url: str, *, sent_on: bool) -> tuple[Any, Any]:
    parts = _checked(source, url, sent_on=sent_on)
    address = _resolve(parts, anywhere=f"{parts.hostname}:{outside.port_of(parts)}" in source.also)
    pool = outside.pool_to(address, parts, timeout=_TIMEOUT)
    target = outside.target_of(parts)
    headers = {"Host": parts.netloc, "Accept": "audio/*", "User-Agent": "CallPrivacy"}
    headers |= _signed_in(source, parts)
    try:
        return pool.urlopen(
            "GET", target, headers=headers, redirect=False, preload_content=False, decode_content=False
        ), pool
    except HTTPError:
        pool.close()
        raise FetchError("The tracker did not answer.", final=False) from None


def _checked(source: Source, url: str, *, sent_on: bool) -> SplitResult:
    """
    :raises FetchError: it is no address that recordings of this tracker may come from.
    """
    refused = FetchError("Its address is none of the tracker's.", final=True)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise refused from None
    host = (parts.hostname or "").lower()
    if parts.username is not None or parts.password is not None or not host or not url.isascii():
        raise refused
    if f"{host}:{port or (443 if parts.scheme == 'https' else 80)}" in source.also:
        if parts.scheme in {"http", "https"}:
            return parts
        raise refused
    hosts = HOSTS.get(source.provider)
    if hosts is None or parts.scheme != "https" or port not in {None, 443}:
        raise refused
    if hosts.fullmatch(host) is None and not (sent_on and SENT_ON_TO.fullmatch(host)):
        raise refused
    return parts


def _resolve(parts: SplitResult, *, anywhere: bool) -> str:
    """
    :raises FetchError: the name has no address, or one that lies inside somebody's network.
    """
    try:
        return outside.resolve(parts.hostname or "", outside.port_of(parts), anywhere=anywhere)
    except outside.NoAddressError:
        raise FetchError("The tracker's host has no address at the moment.", final=False) from None
    except outside.NotPublicError:
        raise FetchError(
            "The tracker's host has an address that is none on the internet.", final=True
        ) from None


def _signed_in(source: Source, parts: SplitResult) -> dict[str, str]:
    """Twilio's own interface takes the account and its token; nobody else is sent anything."""
    account = _TWILIO_ACCOUNT.match(parts.path)
    host = (parts.hostname or "").lower()
    if source.provider != "twilio" or not source.secret or account is None:
        return {}
    if not host.endswith(".twilio.com") and parts.netloc not in source.also:
        return {}
    pair = base64.b64encode(f"{account[1]}:{source.secret}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def _check_status(status: int) -> None:
    if status == 200:
        return
    if status in {401, 403}:
        raise FetchError("The tracker asks for a sign-in.", final=True)
    if status in {404, 410}:
        raise FetchError("The tracker has it no more.", final=True)
    raise FetchError(
        f"The tracker answered {status}.", final=400 <= status < 500 and status not in {408, 429}
    )


def _take(response: Any, write: Callable[[bytes], object], *, at_most: int, ends_at: float) -> Fetched:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if _OF_AUDIO.fullmatch(kind) is None:
        raise FetchError("What came is no sound.", final=True)
    said = response.headers.get("Content-Length", "")
    if said.isdecimal() and int(said) > at_most:
        raise FetchError("It is larger than what is stored here.", final=True)
    size, head = 0, b""
    for piece in _pieces(response, ends_at):
        size += len(piece)
        if size > at_most:
            raise FetchError("It is larger than what is stored here.", final=True)
        if len(head) < 16:
            head += piece[: 16 - len(head)]
        write(piece)
    if said.isdecimal() and size != int(said):
        raise FetchError("It ended early.", final=False)
    media_type = kind_of(head)
    if media_type is None:
        raise FetchError("What came is no sound.", final=True)
    return Fetched(size, media_type)


def _pieces(response: Any, ends_at: float) -> Iterator[bytes]:
    while piece := response.read(_PIECE):
        yield piece
        if time.monotonic() > ends_at:
            raise FetchError("It took too long.", final=False)


def kind_of(head: bytes) -> str | None:
    """What kind of sound begins with these bytes (16 of them); None where it is none that browsers play."""
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "audio/wav"
    if head[:3] == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 in {0xE2, 0xE4, 0xE6}):
        return "audio/mpeg"
    if head[:4] == b"OggS":
        return "audio/ogg"
    if head[4:8] == b"ftyp":
        return "audio/mp4"
    if head[:4] == b"fLaC":
        return "audio/flac"
    return None
