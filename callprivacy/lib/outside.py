"""
Connecting to an address that somebody else chose: a person who typed it, or a vendor who sent it.

One place decides. An address is https, written plainly, and at a port where https is served; its name is resolved once,
every address of it has to be on the internet, and we connect to that very address, so that a second answer of the name
server changes nothing. The certificate is still asked for the name. Nothing here follows a redirect: whoever does goes
through `checked` and `resolve` again for each step.
"""

import contextlib
import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, urlencode, urlsplit

import urllib3
import urllib3.connection
from django.conf import settings
from urllib3.util.ssl_match_hostname import CertificateError

LONGEST: Final = 2000
HTTPS: Final = 443
FIRST_FREE_PORT: Final = 1024
_EACH_WAIT: Final = 5
_LOOKED_UP_FOR: Final = 5
# At a time, in one process: a name server that says nothing keeps each of them for half a minute.
_LOOK_UPS: Final = threading.BoundedSemaphore(32)

_PLAIN = re.compile(r"[!-~]+", re.ASCII).fullmatch
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])", re.ASCII).fullmatch
# Names that machines give themselves and each other: RFC 6761, RFC 6762, and the one reserved for private use.
_OWN_NAMES: Final = (
    ".localhost",
    ".local",
    ".localdomain",
    ".internal",
    ".intranet",
    ".lan",
    ".home.arpa",
    ".onion",
)
_PRIVATE: Final = (
    "This address lies inside a private network. The operator may name it in CALLPRIVACY_PRIVATE_HOSTS."
)
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_INSIDE_ANYWAY: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "64:ff9b:1::/48",  # a network's own NAT64 (RFC 8215)
        "2002::/16",  # 6to4
        "2001::/32",  # Teredo
        "::/96",  # IPv4-compatible
        "fec0::/10",  # site-local
        "192.88.99.0/24",  # 6to4's relays
    )
)


class NoAddressError(OSError):
    """The name has no address at the moment."""


class NotPublicError(ValueError):
    """The name leads into somebody's own network."""


class NotPlainError(ValueError):
    """It is no address that we connect to, whatever it leads to. The text says what to write instead."""


def checked(url: str) -> SplitResult:
    """
    The parts of an address that we may connect to, as far as its writing says.

    :raises NotPlainError: it is not https, has a user name, a port below 1024 that is not 443, or its host is neither a
        name with a dot nor an address in its one usual form. Decimal, octal, hexadecimal and short forms are refused.
    """
    if len(url) > LONGEST or _PLAIN(url) is None or "\\" in url:
        raise NotPlainError(
            "Write the address in plain letters, without spaces. Names in other scripts begin xn--."
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise NotPlainError("This is no address.") from None
    if parts.scheme != "https":
        raise NotPlainError(
            "Give an https address: what goes over plain http can be read and changed on its way."
        )
    if parts.username is not None or parts.password is not None:
        raise NotPlainError("Give an https address without a user name.")
    if port is not None and port != HTTPS and port < FIRST_FREE_PORT:
        raise NotPlainError(
            "This port is not one where https is served: leave it out, or use 443 or one from 1024."
        )
    _check_host(parts)
    return parts


def _check_host(parts: SplitResult) -> None:
    host = (parts.hostname or "").lower()
    if is_named(host):
        return
    if "[" in parts.netloc:
        if "%" in host or not is_public(host):
            raise NotPlainError(_PRIVATE)
        return
    try:
        address = ipaddress.IPv4Address(host)
    except ValueError:
        if _NAME(host) is None or host.endswith(_OWN_NAMES):
            raise NotPlainError("The host is no name on the internet, such as crm.example.com.") from None
        return
    if not is_public(str(address)):
        raise NotPlainError(_PRIVATE)


def is_named(host: str) -> bool:
    """Whether the operator names this host of a private network as one that may be spoken to."""
    return host.lower() in settings.CALLPRIVACY_PRIVATE_HOSTS


def _is_link_local(address: str) -> bool:
    """Where machines of a cloud are told secrets of their own."""
    found = ipaddress.ip_address(address.partition("%")[0])
    return (getattr(found, "ipv4_mapped", None) or found).is_link_local


def resolve(host: str, port: int, *, anywhere: bool = False, seconds: float = _LOOKED_UP_FOR) -> str:
    """
    The address to connect to.

    :param anywhere: it may lie in our own network, as a host that the operator names may.
    :param seconds: the name server has to answer within so many.
    :raises NoAddressError: there is none.
    :raises NotPublicError: one of them is no address on the internet.
    """
    try:
        found = _looked_up(host, port, seconds)
    except (OSError, UnicodeError):
        raise NoAddressError(host) from None
    addresses = [str(entry[4][0]) for entry in found]
    inside = anywhere or (is_named(host) and not any(_is_link_local(one) for one in addresses))
    if not addresses or not (inside or all(is_public(one) for one in addresses)):
        raise NotPublicError(host)
    return addresses[0]


def _looked_up(host: str, port: int, seconds: float) -> list[Any]:
    """
    What the system's resolver says, which takes no time-out: it is left alone with a question that takes too long.

    :raises TimeoutError: it, or those before it, took too long.
    """
    ends_at = time.monotonic() + seconds
    if not _LOOK_UPS.acquire(timeout=max(seconds, 0)):
        raise TimeoutError
    answer: Future[list[Any]] = Future()

    def look_up() -> None:
        try:
            answer.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except BaseException as error:  # noqa: BLE001  it is raised where the answer is waited for
            answer.set_exception(error)
        finally:
            _LOOK_UPS.release()

    # No pool of threads: at its end a process waits for those of a pool.
    try:
        threading.Thread(target=look_up, name="look-up", daemon=True).start()
    except RuntimeError:  # The machine gives no more threads.
        _LOOK_UPS.release()
        raise TimeoutError from None
    return answer.result(timeout=max(ends_at - time.monotonic(), 0))


def is_public(address: str) -> bool:
    """
    Whether an address is one on the internet: none of a private, loopback, link-local, shared, documentation, multicast
    or reserved range, also where it is wrapped into an IPv6 one. Of what translates between the two worlds only the
    well-known prefix of NAT64 is let through, and only with a public address in it.
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return False
        if found in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)))
    if any(found.version == network.version and found in network for network in _INSIDE_ANYWAY):
        return False
    return found.is_global and not found.is_multicast and not found.is_reserved


def port_of(parts: SplitResult) -> int:
    return parts.port or (HTTPS if parts.scheme == "https" else 80)


def pool_to(address: str, parts: SplitResult, *, timeout: urllib3.Timeout) -> Any:
    """A pool of one connection to an address that stands for the host of `parts`; the caller closes it."""
    options: dict[str, Any] = {"maxsize": 1, "retries": False, "timeout": timeout}
    host = parts.hostname or ""
    if parts.scheme != "https":
        return urllib3.HTTPConnectionPool(address, port_of(parts), **options)
    return urllib3.HTTPSConnectionPool(
        address,
        port_of(parts),
        server_hostname=host,
        assert_hostname=host,
        ssl_context=ssl.create_default_context(),
        **options,
    )


class _Watch:
    """
    Cuts lines when their time is over, whatever is under way on them.

    It holds each by a handle of its own: a handshake takes a line away from who began it, and a connection that ends
    with its answer lets go of one before that has come.
    """

    def __init__(self, seconds: float) -> None:
        self._ends_at = time.monotonic() + seconds
        self._lines: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._timer.start()

    def over(self, connection: Any) -> None:
        """Mind a connection of urllib3's that is not open yet."""
        make: Callable[[], socket.socket] = connection._new_conn

        def noted() -> socket.socket:
            line = make()
            with self._lock:
                self._lines.append(line.dup())
            if self.is_over():
                self._cut()
            return line

        connection._new_conn = noted

    def is_over(self) -> bool:
        return time.monotonic() > self._ends_at

    def end(self) -> None:
        self._timer.cancel()
        with self._lock:
            while self._lines:
                self._lines.pop().close()

    def _cut(self) -> None:
        """End the waits: whoever reads from another thread is told that nothing more comes."""
        with self._lock:
            for line in self._lines:
                with contextlib.suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def cut_after(pool: Any, seconds: float) -> Iterator[None]:
    """
    End what is asked over a pool of `pool_to` after so many seconds, however slowly each byte comes.

    :raises NoAnswerError: they were over, whatever had come by then.
    """
    watch = _Watch(seconds)
    make = pool.ConnectionCls

    def minded(*args: Any, **options: Any) -> Any:
        connection = make(*args, **options)
        watch.over(connection)
        return connection

    pool.ConnectionCls = minded
    try:
        yield
    except (urllib3.exceptions.HTTPError, OSError) as error:
        if watch.is_over():
            raise NoAnswerError("It answers too slowly.") from error
        raise
    finally:
        watch.end()
    if watch.is_over():  # a cut answer may look like one that was short
        raise NoAnswerError("It answers too slowly.")


def target_of(parts: SplitResult) -> str:
    """What stands in the first line of the request."""
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


# --- One small answer ------------------------------------------------------------------------------------------------


class NoAnswerError(OSError):
    """It did not answer, not in time, not over a certificate that fits, or with more than was asked for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole."""

    status: int
    media_type: str
    body: bytes


def fetch(
    url: str,
    *,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    seconds: float = 8,
    at_most: int = 256 * 1024,
) -> Answer:
    """
    Ask an address on the internet for something small: by POST with a form, else by GET. It is led nowhere else.

    :param seconds: for the whole of it, from the look-up of its name on, however slowly each byte comes.
    :raises NotPlainError: it is no address that we connect to.
    :raises NoAddressError: its name has no address.
    :raises NotPublicError: it leads into somebody's own network.
    :raises NoAnswerError: nothing came that can be used.
    """
    parts = checked(url)
    ends_at = time.monotonic() + seconds
    address = resolve(parts.hostname or "", port_of(parts), seconds=min(seconds, _LOOKED_UP_FOR))
    left = max(ends_at - time.monotonic(), 0.01)
    connection = urllib3.connection.HTTPSConnection(
        address,
        port_of(parts),
        timeout=min(left, _EACH_WAIT),
        server_hostname=parts.hostname or "",
        assert_hostname=parts.hostname or "",
        ssl_context=ssl.create_default_context(),
    )
    sent = {
        "Host": parts.netloc,
        "Accept": "application/json",
        "User-Agent": "CallPrivacy",
        **(headers or {}),
    }
    if form is not None:
        sent["Content-Type"] = "application/x-www-form-urlencoded"
    watch = _Watch(left)
    watch.over(connection)
    try:
        connection.request(
            "GET" if form is None else "POST",
            target_of(parts),
            body=None if form is None else urlencode(form),
            headers=sent,
            preload_content=False,
            decode_content=False,
        )
        response = connection.getresponse()
        body = _whole(response, at_most)
        if watch.is_over():  # a cut answer may look like one that was short
            raise NoAnswerError("It answers too slowly.")
    except NoAnswerError:
        raise
    except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError) as error:
        raise _said(error, is_over=watch.is_over()) from None
    finally:
        watch.end()
        connection.close()
    media_type = str(response.headers.get("Content-Type", "")).partition(";")[0].strip().lower()
    return Answer(int(response.status), media_type, body)


def _whole(response: urllib3.BaseHTTPResponse, at_most: int) -> bytes:
    body = b""
    while piece := response.read(min(16 * 1024, at_most + 1 - len(body))):
        body += piece
        if len(body) > at_most:
            raise NoAnswerError("It answers with more than is looked at.")
    return body


def _said(error: Exception, *, is_over: bool) -> NoAnswerError:
    if is_over:  # a handshake that is cut looks like one that failed
        return NoAnswerError("It answers too slowly.")
    of_certificates = (ssl.SSLError, urllib3.exceptions.SSLError, CertificateError)
    if any(isinstance(one, of_certificates) for one in (error, error.__cause__)):
        return NoAnswerError("Its certificate is not one that browsers trust for this name.")
    return NoAnswerError("It does not answer.")
