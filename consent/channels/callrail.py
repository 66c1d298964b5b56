"""
CallRail's side of the wire: the list of calls that it still has, page by page, and the words of one call.

Source: apidocs.callrail.com, "Listing all calls" and "Retrieving a single call" (API v3): `GET
/v3/a/{account}/calls.json` and `.../calls/{id}.json?fields=transcription` with `Authorization: Token token="..."`, at
most 250 calls a page; 1,000 questions an hour. Nothing here opens a scope: who
calls claims first, commits, calls, and records. No number, no key and no account is in an error's text.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import quote, urlencode

import urllib3
from urllib3.exceptions import HTTPError

from callprivacy.calls.channels import asking
from callprivacy.calls.providers.base import ListedPage, UnparsableError
from callprivacy.calls.providers.callrail import listed
from callprivacy.calls.providers.transcripts import Words, words_of
from callprivacy.lib import bounds

NAME: Final = "callrail"
AT_ONCE: Final = 250
BASE: str = "https://api.callrail.com"
_TIMEOUT: Final = urllib3.Timeout(connect=4, read=15)
_LARGEST: Final = 8 * 1024 * 1024
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9]{1,64}", re.ASCII).fullmatch
_KEY: Final = re.compile(r"[A-Za-z0-9_-]{8,128}", re.ASCII).fullmatch


class CallRailError(Exception):
    """
    CallRail did not answer with a list; the text says why in a word. What is `final` is not asked again at once.

    :ivar wait: how long it wants to be left alone; None where it does not say.
    """

    def __init__(self, why: str, *, final: bool = False, wait: timedelta | None = None) -> None:
        super().__init__(why)
        self.final, self.wait = final, wait


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """An account, and the key that opens its interface."""

    account: str
    key: str

    def __repr__(self) -> str:
        """Without the key."""
        return f"<Access {self.account}>"


def is_account(account: str) -> bool:
    return _ACCOUNT(account) is not None


def is_key(key: str) -> bool:
    return _KEY(key) is not None


_pool = urllib3.PoolManager(num_pools=2, maxsize=1)


def list_calls(access: Access, *, following: str = "") -> ListedPage:
    """
    A page of the account's recorded calls.

    :param following: what the page before said; "" for the first.
    :raises CallRailError: it did not answer with a list.
    """
    if not is_account(access.account) or not is_key(access.key):
        raise CallRailError("no account or key", final=True)
    said = {"relative_pagination": "true", "per_page": str(AT_ONCE), "fields": "company_id"}
    if following:
        said["offset"] = following
    body = _ask(access, "calls.json", said)
    try:
        found = bounds.from_json(body)
        return listed(found if isinstance(found, dict) else {})
    except (ValueError, UnparsableError) as error:
        raise CallRailError("answered with no list") from error


def read_words(access: Access, call: str) -> Words | None:
    """
    What was said on one call, as CallRail has transcribed it; None where it has not.

    :param call: by what CallRail knows it.
    :raises CallRailError: it did not answer.
    """
    if not is_account(access.account) or not is_key(access.key) or not is_account(call):
        raise CallRailError("no account, key or call", final=True)
    return words_of(NAME, _ask(access, f"calls/{quote(call)}.json", {"fields": "transcription"}))


def _ask(access: Access, path: str, said: dict[str, str]) -> bytes:
    """:raises CallRailError: it did not answer with a body of a sensible size."""
    url = f"{BASE}/v3/a/{quote(access.account)}/{path}?{urlencode(said)}"
    headers = {
        "Authorization": f'Token token="{access.key}"',
        "Accept": "application/json",
        "User-Agent": "CallPrivacy",
    }
    try:
        answer = _pool.request(
            "GET",
            url,
            headers=headers,
            timeout=_TIMEOUT,
            retries=asking.RETRIES,
            redirect=False,
            preload_content=False,
        )
        try:
            body = answer.read(_LARGEST + 1)
        finally:
            answer.release_conn()
    except HTTPError as error:
        raise CallRailError("not reached") from error
    if answer.status != 200:
        raise CallRailError(
            f"answered {answer.status}",
            final=400 <= answer.status < 500 and answer.status not in {408, 429},
            wait=asking.pause_of(answer.status, answer.headers.get("Retry-After", "")),
        )
    if len(body) > _LARGEST:
        raise CallRailError("answered with too much")
    return bytes(body)
