"""
Fetching a recording from where its tracker keeps it.

An address that somebody sent us decides where we connect, so it is trusted for nothing: https only, hosts of the
tracker alone, at every redirect again; the name is resolved once, every address must be public, and we connect to
that very address. Size, time and kind are limited while it flows in; nothing of the address is in an error or a log.

Which hosts serve recordings is not documented by every tracker; they are in `HOSTS`, to be corrected here alone. What a
tracker's own interface needs is in `_INTERFACES`; where that answers with an address, the sound is fetched from there,
and whatever opened the interface stays behind.
"""

import re
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from callprivacy.calls.channels import asking
from callprivacy.calls.channels.asking import Access
from callprivacy.lib import bounds, outside

AT_MOST: Final = 256 * 1024 * 1024
SECONDS: Final = 240.0
REDIRECTS: Final = 4
_PIECE: Final = 64 * 1024
_LONGEST_ADDRESS: Final = 64 * 1024
_TIMEOUT: Final = urllib3.Timeout(connect=10.0, read=30.0)

HOSTS: Final[dict[str, re.Pattern[str]]] = {
    "callrail": re.compile(r"(?:[a-z0-9-]+\.)?callrail\.com"),
    "twilio": re.compile(r"api(?:\.[a-z0-9-]+)*\.twilio\.com|media\.twiliocdn\.com"),
    "ctm": re.compile(r"(?:[a-z0-9-]+\.)?(?:calltrackingmetrics|ctm)\.com"),
    "invoca": re.compile(r"(?:[a-z0-9-]+\.)*invoca\.(?:net|com)"),
}
"""Tracker -> the hosts that its recordings may come from."""
SENT_ON_TO: Final = re.compile(
    r"(?:(?!s3[.-])[a-z0-9-]+\.)*s3(?:-[a-z0-9-]+)?(?:\.[a-z0-9-]+)*\.amazonaws\.com"
)
"""Where trackers keep the files, so that their own hosts may send us there: S3, by a bucket's name or a region's."""

_OF_AUDIO: Final = re.compile(r"audio/[a-z0-9.+-]{1,40}|(?:application|binary)/octet-stream|application/ogg")


@dataclass(frozen=True, slots=True)
class _Interface:
    """
    A tracker's own interface.

    :ivar hosts: where it is. :ivar paths: what of it keeps recordings. :ivar header: makes `Authorization` of what
        opens it and of the first group of the path. :ivar names: fields of its answer that say where the sound is, the
        best first; empty where it answers with the sound.
    """

    hosts: re.Pattern[str]
    paths: re.Pattern[str]
    header: Callable[[Access, str], str]
    names: tuple[str, ...] = ()


def _basic(name: str, secret: str) -> str:
    return asking.basic(name, secret)["authorization"]


# CallRail: apidocs.callrail.com, "Retrieving a Single Call Recording": JSON with `url`, which is published in the clear
# (http) and lies at S3 for a day for accounts under HIPAA. Twilio: twilio.com/docs/voice/api/recording, "Fetch a
# Recording's media file": Basic for all of them. CTM publishes no page about it: its `audio` wants the key of the
# interface and sends on to S3, as public clients of it have it. Invoca: Invoca/docs, transactions_api/network_user.mdx:
# `recording_download_url` is signed, and there only where the network has it; of `recording` nothing is said.
_INTERFACES: Final[dict[str, _Interface]] = {
    "callrail": _Interface(
        re.compile(r"api\.callrail\.com"),
        re.compile(r"/v3/a/([A-Za-z0-9]{1,64})/calls/[A-Za-z0-9]{1,64}/recording\.json"),
        lambda access, _: f'Token token="{access.secret}"',
        ("url",),
    ),
    "twilio": _Interface(
        re.compile(r"api(?:\.[a-z0-9-]+)*\.twilio\.com"),
        re.compile(r"/2010-04-01/Accounts/(AC[0-9a-fA-F]{32})/Recordings/.*"),
        lambda access, account: _basic(account, access.secret),
    ),
    "ctm": _Interface(
        re.compile(r"(?:(?:api|app)\.)?(?:calltrackingmetrics|ctm)\.com"),
        re.compile(r"(?:/api/v1)?/accounts/([^/]+)/(?:calls|recordings)/.*"),
        lambda access, _: _basic(access.login, access.secret),
    ),
    "invoca": _Interface(
        re.compile(r"[a-z0-9-]+\.invoca\.net"),
        re.compile(r"/api/[0-9-]{10}/networks/transactions/([0-9]{1,20})\.json"),
        lambda access, _: access.secret,
        ("recording_download_url", "recording"),
    ),
}


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
    :ivar access: what opens the tracker's own interface; sent there, and nowhere else.
    """

    provider: str
    url: str
    also: Collection[str] = ()
    access: Access | None = None


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

    :raises FetchError: it did not come, or is none. What was written until then is to be discarded.
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
            names = _names_asked(source, url)
            if names and _kind(response) == "application/json":
                url = _address_in(source, response, names, ends_at)
                continue
            return _take(response, write, at_most=at_most, ends_at=ends_at)
        except HTTPError:
            raise FetchError("The connection broke.", final=False) from None
        finally:
            response.release_conn()
            response.close()
            address.close()
    raise FetchError("It was redirected too many times.", final=True)


def _open(source: Source, url: str, *, sent_on: bool) -> tuple[Any, Any]:
    parts = _checked(source, url, sent_on=sent_on)
    address = _resolve(parts, anywhere=f"{parts.hostname}:{outside.port_of(parts)}" in source.also)
    pool = outside.pool_to(address, parts, timeout=_TIMEOUT)
    target = outside.target_of(parts)
    headers = {
        "Host": parts.netloc,
        "Accept": "audio/*, application/json;q=0.5, */*;q=0.1",
        "User-Agent": "CallPrivacy",
    }
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
    refused = FetchError("Its address is not one of the tracker's.", final=True)
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
        raise FetchError("The tracker's host name does not resolve.", final=False) from None
    except outside.NotPublicError:
        raise FetchError(
            "The tracker's host name does not resolve to a public address.", final=True
        ) from None


def _interface_at(source: Source, parts: SplitResult) -> tuple[_Interface, str] | None:
    """The tracker's own interface, where an address is of it, with the account in its path."""
    interface = _INTERFACES.get(source.provider)
    found = interface.paths.fullmatch(parts.path) if interface is not None else None
    if interface is None or found is None:
        return None
    if interface.hosts.fullmatch((parts.hostname or "").lower()) is None and parts.netloc not in source.also:
        return None
    return interface, found[1]


def _signed_in(source: Source, parts: SplitResult) -> dict[str, str]:
    """The tracker's own interface takes what opens it; nobody else is sent anything."""
    found = _interface_at(source, parts)
    if found is None or source.access is None or not source.access.secret:
        return {}
    interface, account = found
    return {"Authorization": interface.header(source.access, account)}


def _names_asked(source: Source, url: str) -> tuple[str, ...]:
    found = _interface_at(source, urlsplit(url))
    return () if found is None else found[0].names


def _address_in(source: Source, response: Any, names: tuple[str, ...], ends_at: float) -> str:
    """
    Where a tracker says that the sound is; in TLS where it says it without, but on hosts that are allowed as they are.

    :raises FetchError: it does not say.
    """
    body = b""
    for piece in _pieces(response, ends_at):
        body += piece
        if len(body) > _LONGEST_ADDRESS:
            break
    try:
        found = bounds.from_json(body)
    except ValueError:
        found = None
    rows = [row for row in (found if isinstance(found, list) else [found]) if isinstance(row, dict)]
    said = [row[name] for name in names for row in rows if isinstance(row.get(name), str) and row[name]]
    if not said:
        raise FetchError("The tracker does not state its address.", final=True)
    url = str(said[0])
    is_plain = url.startswith("http://") and not any(
        url.startswith(f"http://{host}/") for host in source.also
    )
    return f"https{url.removeprefix('http')}" if is_plain else url


def _check_status(status: int) -> None:
    if status == 200:
        return
    if status in {401, 403}:
        raise FetchError("The tracker requires a sign-in.", final=True)
    if status in {404, 410}:
        raise FetchError("The tracker no longer has it.", final=True)
    raise FetchError(
        f"The tracker answered {status}.", final=400 <= status < 500 and status not in {408, 429}
    )


def _kind(response: Any) -> str:
    return str(response.headers.get("Content-Type", "")).partition(";")[0].strip().lower()


def _take(response: Any, write: Callable[[bytes], object], *, at_most: int, ends_at: float) -> Fetched:
    if _OF_AUDIO.fullmatch(_kind(response)) is None:
        raise FetchError("The file is not audio.", final=True)
    said = response.headers.get("Content-Length", "")
    if said.isdecimal() and int(said) > at_most:
        raise FetchError("The file is larger than the limit.", final=True)
    size, head = 0, b""
    for piece in _pieces(response, ends_at):
        size += len(piece)
        if size > at_most:
            raise FetchError("The file is larger than the limit.", final=True)
        if len(head) < 16:
            head += piece[: 16 - len(head)]
        write(piece)
    if said.isdecimal() and size != int(said):
        raise FetchError("It ended early.", final=False)
    media_type = kind_of(head)
    if media_type is None:
        raise FetchError("The file is not audio.", final=True)
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
