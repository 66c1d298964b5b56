"""
Invoca's transactions: `GET https://{network}.invoca.net/api/2020-10-01/networks/transactions/{id}.json`.

Source: Invoca/docs, transactions_api (network_user.mdx, 2026-05-27): `limit` up to 4,000, `start_after_transaction_id`,
`from` and `to`, `include_columns`. It is made to be polled: one keeps the last transaction and asks for what came after
it until nothing does; a correction is a later transaction that names the one it corrects. Columns that we do not
keep are not asked for, so they never leave Invoca.

`recording` is the address of a page. What can be fetched is `recording_download_url`, which is signed and ends:
it is asked for by the call when its sound is fetched, so that a row names that question instead.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote, urlencode

from callprivacy.calls.channels import asking
from callprivacy.calls.channels.asking import Access, AskError, Page, Window
from callprivacy.calls.providers import base
from callprivacy.calls.providers.invoca import TRANSACTIONS

BASE: str = "https://{network}.invoca.net"
VERSION: Final = "2020-10-01"
AT_ONCE: Final = 1000
COLUMNS: Final = tuple(
    dict.fromkeys(names[0] for names in (*TRANSACTIONS.also.values(), *TRANSACTIONS.columns.values()))
)
_ID = re.compile(r"[0-9]{1,20}", re.ASCII).fullmatch
_NETWORK = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII).fullmatch


def list_calls(access: Access, window: Window, following: str) -> Page:
    """
    A page of transactions: after the one that was told of last, or from a window's first day on.

    :raises AskError: it did not answer with a list.
    """
    if _ID(access.account) is None or _NETWORK(access.login) is None:
        raise AskError(
            "The network's id is a number, and its name the first word of its address.", final=True
        )
    said = {"limit": str(AT_ONCE), "include_columns": ",".join(COLUMNS)}
    after = following or window.marker
    if after:
        said["start_after_transaction_id"] = after
    if not window.marker:
        said["from"] = (window.from_at - timedelta(days=1)).date().isoformat()
        said["to"] = (window.until_at + timedelta(days=1)).date().isoformat()
    address = f"{BASE.format(network=access.login)}/api/{VERSION}/networks/transactions/{quote(access.account)}.json"
    payload = asking.get(address, said, {"Authorization": access.secret})
    rows = tuple(_asking_for_sound(address, row) for row in asking.rows_of({"rows": payload}, "rows"))
    last = (base.reference(rows[-1].get("transaction_id")) or "") if rows else ""
    return Page(rows, last if len(rows) >= AT_ONCE and last != after else "", last or after)


def _asking_for_sound(address: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row whose recording is the question where its sound may be downloaded, as it then is."""
    call = base.reference(row.get("complete_call_id"))
    if call is None or not row.get("recording"):
        return row
    said = {"call_record_id": call, "include_columns": "transaction_id,recording_download_url,recording"}
    return {**row, "recording": f"{address}?{urlencode(said, safe=',')}"}
