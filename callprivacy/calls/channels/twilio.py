"""
Twilio's lists of calls and of recordings of one account: `Calls.json`, then `Recordings.json`.

Source: twilio/twilio-oai, api_v2010 (ListCall: `StartTime>`, `StartTime<`; ListRecording: `DateCreated>`,
`DateCreated<`; `next_page_uri`). Of the address of a next page only its token is taken.
"""

import re
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from callprivacy.calls.channels import asking
from callprivacy.calls.channels.asking import Access, AskError, Page, Window
from callprivacy.calls.providers import base

BASE: str = "https://api.twilio.com"
AT_ONCE: Final = 500
_ACCOUNT = re.compile(r"AC[0-9a-zA-Z]{32}", re.ASCII).fullmatch
# (list, its filter): what is asked for, one after the other.
_LISTS: Final = {"calls": ("Calls", "StartTime"), "recordings": ("Recordings", "DateCreated")}


def list_calls(access: Access, window: Window, following: str) -> Page:
    """
    A page of the calls of a window, and after the last one of the recordings that were made in it.

    :raises AskError: it did not answer with a list.
    """
    if _ACCOUNT(access.account) is None:
        raise AskError("The account's id is AC and 32 letters and digits.", final=True)
    name, _, token = (following or "calls:").partition(":")
    if name not in _LISTS:
        raise AskError("The list has no such page.", final=True)
    path, filtered = _LISTS[name]
    said = {
        "PageSize": str(AT_ONCE),
        f"{filtered}>": _written(window.from_at),
        f"{filtered}<": _written(window.until_at),
    }
    if token:
        said |= {"Page": "1", "PageToken": token}
    payload = asking.get(
        f"{BASE}/2010-04-01/Accounts/{quote(access.account)}/{path}.json",
        said,
        asking.basic(access.account, access.secret),
    )
    rows = asking.rows_of(payload, name)
    more = base.following(payload.get("next_page_uri"), "PageToken")
    if more:
        return Page(rows, f"{name}:{more}")
    return Page(rows, "recordings:" if name == "calls" else "")


def _written(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
