"""
What a page prints in place of a number. Numbers are opened here, masked and dropped, one go for a whole page.

A number that does not open is printed as erased: its key is gone, or its row is damaged. Neither fails the
page.
"""

import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from callprivacy.calls.models import Call, Caller
from callprivacy.lib import phone
from callprivacy.vault import selectors as vault
from callprivacy.vault.sealing import Key, SealBrokenError

ERASED = "erased"
WITHHELD = "number withheld"
NOBODY = "no number"
_UNREADABLE = (SealBrokenError, vault.NoClientKeyError, KeyError)


@dataclass(frozen=True, slots=True)
class Mask:
    """
    The caller's stable name ("Caller K7-42Q", or "" for nobody), and the number's mask or why there is none.
    """

    name: str
    text: str


def masks_of(calls: Iterable[Call]) -> dict[uuid.UUID, Mask]:
    """
    Return call id -> mask. The calls' callers are already loaded; two queries on the vault, whatever the
    page.
    """
    calls = list(calls)
    callers = {call.caller_id: call.caller for call in calls if call.caller is not None}
    opened = numbers_masked(callers.values())
    found = {}
    for call in calls:
        if call.caller_id is not None and call.caller is not None:
            found[call.pk] = Mask(f"Caller {call.caller.label}", opened[call.caller_id])
        elif call.caller_id is not None:
            found[call.pk] = Mask("", ERASED)
        else:
            found[call.pk] = Mask("", WITHHELD if call.caller_withheld else NOBODY)
    return found


def numbers_masked(callers: Iterable[Caller]) -> dict[uuid.UUID, str]:
    callers = list(callers)
    wanted: dict[int, list[uuid.UUID]] = {}
    for caller in callers:
        wanted.setdefault(caller.client_id, []).append(caller.pk)
    keys = _keys(wanted)
    return {caller.pk: _masked(caller, keys.get(caller.pk)) for caller in callers}


def _masked(caller: Caller, key: Key | None) -> str:
    if key is None:
        return ERASED
    try:
        return phone.mask(caller.number.reveal(key))
    except SealBrokenError:
        return ERASED


def _keys(wanted: Mapping[int, Collection[uuid.UUID]]) -> dict[uuid.UUID, Key]:
    """
    Open every key that opens: all at once, and where that fails client by client, then caller by caller.
    """
    try:
        return vault.content_keys(wanted)
    except _UNREADABLE:
        pass
    if len(wanted) > 1:
        parts: list[dict[int, Collection[uuid.UUID]]] = [
            {client_id: ids} for client_id, ids in wanted.items()
        ]
    else:
        parts = [{client_id: [one]} for client_id, ids in wanted.items() if len(ids) > 1 for one in ids]
    return {caller_id: key for part in parts for caller_id, key in _keys(part).items()}
