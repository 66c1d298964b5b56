"""
One question to a tracker's interface.

Time-outs, a body of bounded size, two more tries with growing pauses and chance in them where the connection or the
tracker failed; a redirect is an answer that we do not understand. All of it together has half a minute, however slowly
each byte comes. Nothing here opens a scope: who asks claims first, commits, asks, and records. No number, no key and no
account is in an error's text.
"""

import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlencode

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from callprivacy.lib import bounds

LARGEST: Final = 32 * 1024 * 1024
LONGEST: Final = timedelta(seconds=30)
"""What one question may take, with all its tries."""
LONGEST_WAIT: Final = timedelta(hours=1)
TIMEOUT: Final = urllib3.Timeout(connect=4, read=20)
RETRIES: Final = urllib3.Retry(
    total=2,
    redirect=False,
    backoff_factor=0.5,
    backoff_jitter=0.5,
    status_forcelist=(500, 502, 503, 504),
    allowed_methods=frozenset({"GET"}),
    respect_retry_after_header=False,
    raise_on_status=False,
)
LATE: Final = "It did not answer in time."
_BUSY: Final = 429
_WRONG_KEY: Final = frozenset({401, 403})


class _Time:
    """The time that a question has: each wait is cut to what is left of it, and at its end the line is cut off."""

    def __init__(self, whole: timedelta) -> None:
        self._ends_at = time.monotonic() + whole.total_seconds()
        self._line: socket.socket | None = None
        self._watch = threading.Timer(whole.total_seconds(), self._cut)
        self._watch.daemon = True

    def __enter__(self) -> Self:
        self._before = _time.set(self)
        self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.cancel()
        _time.reset(self._before)

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._ends_at

    def cut(self, wait: float | None) -> float:
        """
        A wait, or what is left of the time; of one without an end that.

        :raises TimeoutError: nothing is.
        """
        if (left := self._ends_at - time.monotonic()) <= 0:
            raise TimeoutError
        return left if wait is None else min(wait, left)

    def follow(self, line: socket.socket) -> None:
        """What is waited on from now. Held here: a connection that ends with its answer has let go of it by then."""
        self._line = line

    def _cut(self) -> None:
        if self._line is not None:
            with suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)


_time: ContextVar[_Time | None] = ContextVar("time_of_a_question", default=None)


class _Timed(HTTPConnection):
    """A connection that keeps to the time of the question that it is for."""

    def connect(self) -> None:
        if (whole := _time.get()) is not None:
            self.timeout = whole.cut(self.timeout)
        super().connect()

    def getresponse(self) -> Any:
        if (whole := _time.get()) is not None:
            self.timeout = whole.cut(self.timeout)
            whole.follow(self.sock)
        return super().getresponse()


class _Secure(_Timed, HTTPSConnection):
    pass


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Timed


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Secure


_pool = urllib3.PoolManager(num_pools=8, maxsize=2)
_pool.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}


class AskError(Exception):
    """
    No list came. The text says why in plain words, for the connection's page.

    :ivar final: asking again brings the same, until a person changes something.
    :ivar wait: how long the tracker wants to be left alone; None where it does not say.
    """

    def __init__(self, why: str, *, final: bool = False, wait: timedelta | None = None) -> None:
        super().__init__(why)
        self.why, self.final, self.wait = why, final, wait


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """
    What opens a tracker's interface.

    :ivar account: CallRail's and CTM's account, Twilio's `AC...`, Invoca's network. :ivar company: of CallRail's
        account, "" for all. :ivar login: CTM's access key; the first word of Invoca's host. :ivar secret: the key.
    :ivar attribution: whether landing pages and keywords are asked for.
    """

    account: str
    company: str
    login: str
    secret: str
    attribution: bool = False

    def __repr__(self) -> str:
        """Without the key."""
        return f"<Access {self.account}>"


@dataclass(frozen=True, slots=True)
class Window:
    """From when to when calls started, UTC; the end is exclusive. `marker`: what a tracker told of last."""

    from_at: datetime
    until_at: datetime
    marker: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Page:
    """
    A page of a list: each call as the tracker writes it, in JSON.

    :ivar following: asks for the next page; "" at the end. :ivar marker: the last that a tracker told of, where it can
        be asked for what came after it.
    """

    rows: tuple[Mapping[str, Any], ...]
    following: str = ""
    marker: str = ""


def get(url: str, said: Mapping[str, str], headers: Mapping[str, str]) -> Any:
    """
    What an address answers, read as JSON.

    :raises AskError: it did not answer, refused, or answered with something else.
    """
    address = f"{url}?{urlencode(said)}" if said else url
    asked = {"Accept": "application/json", "User-Agent": "CallPrivacy", **headers}
    with _Time(LONGEST) as whole:
        try:
            answer = _pool.request(
                "GET",
                address,
                headers=asked,
                timeout=TIMEOUT,
                retries=RETRIES,
                redirect=False,
                preload_content=False,
            )
            try:
                body = answer.read(LARGEST + 1)
            finally:
                answer.release_conn()
        except HTTPError:
            raise AskError(LATE if whole.is_over else "It could not be reached.") from None
        if whole.is_over:  # a body without a length ends where it was cut
            raise AskError(LATE)
    _check(answer.status, answer.headers.get("Retry-After", ""))
    if len(body) > LARGEST:
        raise AskError("It answered with too much.", final=True)
    try:
        return bounds.from_json(body)
    except ValueError:
        raise AskError("It answered with something that is no list.") from None


def pause_of(status: int, retry_after: str) -> timedelta | None:
    """How long who answers with this wants to be left alone, a minute where it says no time; None where it does not."""
    if status != _BUSY:
        return None
    # CallRail says no time at all, whatever it answers (apidocs.callrail.com, "Rate limiting").
    seconds = int(retry_after) if retry_after.isascii() and retry_after.isdigit() else 60
    return min(timedelta(seconds=seconds), LONGEST_WAIT)


def _check(status: int, retry_after: str) -> None:
    if 200 <= status < 300:
        return
    if (wait := pause_of(status, retry_after)) is not None:
        raise AskError("It asked for a pause.", wait=wait)
    if status in _WRONG_KEY:
        raise AskError(f"It refused the key (answer {status}). Enter one that may read calls.", final=True)
    if status == 404:
        raise AskError("It knows no such account (answer 404). Check the account's id.", final=True)
    raise AskError(f"It answered {status}.", final=400 <= status < 500 and status != 408)


def rows_of(payload: object, name: str) -> tuple[Mapping[str, Any], ...]:
    """
    The objects of a list in an answer.

    :raises AskError: there is no such list.
    """
    found = payload.get(name) if isinstance(payload, dict) else None
    if not isinstance(found, list):
        raise AskError("It answered with something that is no list.")
    return tuple(row for row in found if isinstance(row, dict))


def basic(name: str, word: str) -> dict[str, str]:
    return urllib3.make_headers(basic_auth=f"{name}:{word}")
