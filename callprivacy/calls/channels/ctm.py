"""
CallTrackingMetrics' list of calls: `GET /api/v1/accounts/{account}/calls.json`, signed in by access key and secret key.

Source: calltracking/ctm-ruby and users of the interface in public repositories: `start_date`, `end_date`, `page`,
`per_page` (100), an answer with `calls`, `page` and `total_pages`. The order of its rows and the zone of its days are
not settled by any source: a day more is asked for on either side, and all of its pages are read.
"""

import re
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote

from callprivacy.calls.channels import asking
from callprivacy.calls.channels.asking import Access, AskError, Page, Window
from callprivacy.calls.providers import tabular

BASE: str = "https://api.calltrackingmetrics.com"
AT_ONCE: Final = 100
PAGES_AT_MOST: Final = 5000
_ID = re.compile(r"[0-9]{1,20}", re.ASCII).fullmatch


def list_calls(access: Access, window: Window, following: str) -> Page:
    """
    A page of the calls of a window.

    :raises AskError: it did not answer with a list.
    """
    if _ID(access.account) is None or not access.login:
        raise AskError(
            "The account's id is a number, and it needs an access key beside the secret one.", final=True
        )
    page = int(following) if following.isascii() and following.isdigit() and len(following) < 6 else 1
    said = {
        "start_date": (window.from_at - timedelta(days=1)).date().isoformat(),
        "end_date": (window.until_at + timedelta(days=1)).date().isoformat(),
        "per_page": str(AT_ONCE),
        "page": str(page),
    }
    payload = asking.get(
        f"{BASE}/api/v1/accounts/{quote(access.account)}/calls.json",
        said,
        asking.basic(access.login, access.secret),
    )
    rows = asking.rows_of(payload, "calls")
    total = payload.get("total_pages")
    pages = total if isinstance(total, int) else page + (len(rows) >= AT_ONCE)
    more = str(page + 1) if rows and page < min(pages, PAGES_AT_MOST) else ""
    return Page(tuple(row for row in rows if _is_inside(row, window)), more)


def _is_inside(row: Any, window: Window) -> bool:
    """What does not say when it started is taken, and refused where everybody sees it."""
    raw = row.get("unix_time")
    start = tabular.epoch(str(raw)) if isinstance(raw, int | str) and not isinstance(raw, bool) else None
    return start is None or window.from_at <= start < window.until_at
