"""
CallRail's list of calls, API v3: `GET /v3/a/{account}/calls.json`, at most 250 a page, the newest first.

Source: apidocs.callrail.com, "Listing all calls" and "Pagination". Days are those of the account's own zone, so a day
more is asked for on either side, and a page that lies before the window ends it. Under relative pagination a page has
`has_next_page` and the address `next_page`, of which only `offset` is taken. Only fields that are kept are asked for.
"""

import re
from datetime import UTC, timedelta
from typing import Any, Final
from urllib.parse import quote

from callprivacy.calls.channels import asking
from callprivacy.calls.channels.asking import Access, AskError, Page, Window
from callprivacy.calls.providers import base

BASE: str = "https://api.callrail.com"
AT_ONCE: Final = 250
FIELDS: Final = (
    "company_id", "company_time_zone", "source_name", "source", "campaign", "medium", "utm_source", "utm_medium",
    "utm_campaign", "tags", "value", "lead_status", "first_call", "call_type",
)  # fmt: skip
ATTRIBUTION: Final = ("landing_page_url", "keywords", "utm_term")
"""Asked for where the client keeps them."""
_ID = re.compile(r"[A-Za-z0-9]{1,64}", re.ASCII).fullmatch


def list_calls(access: Access, window: Window, following: str) -> Page:
    """
    A page of the calls of a window.

    :raises AskError: it did not answer with a list.
    """
    if _ID(access.account) is None:
        raise AskError("The account's id has letters and digits alone.", final=True)
    said = {
        "relative_pagination": "true",
        "per_page": str(AT_ONCE),
        "sort": "start_time",
        "order": "desc",
        "start_date": (window.from_at - timedelta(days=1)).date().isoformat(),
        "end_date": (window.until_at + timedelta(days=1)).date().isoformat(),
        "fields": ",".join((*FIELDS, *ATTRIBUTION) if access.attribution else FIELDS),
    }
    if access.company:
        said["company_id"] = access.company
    if following:
        said["offset"] = following
    payload = asking.get(
        f"{BASE}/v3/a/{quote(access.account)}/calls.json",
        said,
        {"Authorization": f'Token token="{access.secret}"'},
    )
    rows = asking.rows_of(payload, "calls")
    more = (
        base.following(payload.get("next_page"), "offset")
        if payload.get("has_next_page") is not False
        else ""
    )
    inside = tuple(row for row in rows if _is_inside(row, window) and _is_theirs(row, access.company))
    if rows and all(_is_before(row, window) for row in rows):
        more = ""
    return Page(inside, more)


def _start(row: Any) -> Any:
    try:
        return base.instant(row.get("start_time"), "start_time", zone=UTC)
    except base.RefusedError:
        return None


def _is_before(row: Any, window: Window) -> bool:
    start = _start(row)
    return start is not None and start < window.from_at


def _is_inside(row: Any, window: Window) -> bool:
    """What does not say when it started is taken, and refused where everybody sees it."""
    start = _start(row)
    return start is None or window.from_at <= start < window.until_at


def _is_theirs(row: Any, company: str) -> bool:
    return not company or row.get("company_id") in (None, "", company)
