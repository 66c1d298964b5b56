"""
When calls began that were erased on request, or whose tracker took the person out: what keeps one away that comes again
under a name that nobody told us before it left, from a file without ids or a list that names calls otherwise.

A start is a keyed digest of the number and a second; of a call without a number, of the tracking number, a second and
the length, by which two reports of nobody's call meet. Each call leaves those of the seconds within `CLOSE` of it, so
that whoever brings a call asks for one. Nobody calls twice from one number within two seconds, so no other call is
kept away.
"""

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from callprivacy.calls.models import Call
from callprivacy.tenancy.models import Client
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault.fields import Sealed
from callprivacy.vault.sealing import SealBrokenError, TokenKey

CLOSE: Final = timedelta(seconds=2)
"""How far two reports of one call lie apart at most."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)


def digest(
    tokens: TokenKey,
    *,
    started_at: datetime,
    number: str | None,
    tracking_number: str | None,
    seconds: int | None,
) -> bytes | None:
    """The start of a call; None for one of nobody that does not say where it went or how long it was."""
    said = _said(number, tracking_number, seconds)
    return _digest(tokens, _second(started_at), said) if said else None


def starts_of(*, client: Client, call_ids: Iterable[uuid.UUID]) -> list[bytes]:
    """
    The starts of these calls, in a scope, before they lose their person.

    A number that does not open leaves none. Where its key is destroyed, the person's own tombstone stands for it.
    """
    calls = list(
        Call.objects.for_client(client)
        .filter(pk__in=list(call_ids))
        .select_related("caller", "tracking_number")
    )
    numbers = _numbers(
        client, {call.caller.pk: call.caller.number for call in calls if call.caller is not None}
    )
    tokens = vault_selectors.client_keys(client.pk).tokens
    near = range(-(CLOSE // _SECOND), CLOSE // _SECOND + 1)
    found = set()
    for call in calls:
        number = numbers.get(call.caller_id) if call.caller_id is not None else None
        if call.caller_id is not None and number is None:
            continue
        line = call.tracking_number
        said = _said(number, None if line is None else line.number, call.seconds)
        if said:
            found |= {_digest(tokens, _second(call.started_at) + by, said) for by in near}
    return sorted(found)


def _said(number: str | None, tracking_number: str | None, seconds: int | None) -> tuple[str, ...]:
    """What a start is of besides the second; nothing where nobody's call does not say enough."""
    if number is not None:
        return (number,)
    return () if tracking_number is None or seconds is None else (tracking_number, str(seconds))


def _numbers(client: Client, sealed: dict[uuid.UUID, Sealed]) -> dict[uuid.UUID, str]:
    """Callers' numbers, those that open, all at once; one by one where a damaged one is among them."""
    try:
        keys = vault_selectors.content_keys({client.pk: sealed.keys()})
        return {caller_id: str(sealed[caller_id].reveal(key)) for caller_id, key in keys.items()}
    except SealBrokenError:
        opened = {
            caller_id: vault_selectors.content_of(client.pk, caller_id, one)
            for caller_id, one in sealed.items()
        }
        return {caller_id: number for caller_id, number in opened.items() if number is not None}


def _digest(tokens: TokenKey, second: int, said: tuple[str, ...]) -> bytes:
    # No tracker has this name: a start is never equal to a reference.
    return tokens.digest("", "start", str(second), *said)


def _second(at: datetime) -> int:
    return (at - _EPOCH) // _SECOND
