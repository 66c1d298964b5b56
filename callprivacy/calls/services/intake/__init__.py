"""
The one way into the calls: whatever is said of a client's calls, by a tracker or a file, becomes rows here.

A replay changes nothing, two writers at once make one row, what was erased or has expired stays away, and
nothing that is written names a person in the clear. Where a tracker has taken the person out of a call, so do we
(see `redaction`), and what older news still says of them is left out. Two steps, so that a long import may prepare
one batch while the database stores the one before: `prepare` makes the keys, which the vault commits, and seals;
`Prepared.store` holds the callers, takes the client's turn (an advisory lock: writers of one client come one
after the other), looks again what is known, and writes.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from callprivacy.calls.providers.base import CallFacts
from callprivacy.calls.services.intake import held_back, preparing
from callprivacy.calls.services.intake.items import FACTS, TRACK, Taken, facts_digest
from callprivacy.calls.services.intake.lines import Lines, lines_of
from callprivacy.calls.services.intake.storing import Alongside, Prepared
from callprivacy.calls.services.kept import Way
from callprivacy.tenancy.models import Client
from callprivacy.vault.services import CallerGoneError

ATTEMPTS: Final = 3


def take_in(
    *,
    client: Client,
    provider: str,
    connection_id: uuid.UUID | None,
    facts: Sequence[CallFacts],
    way: Way,
    at: datetime,
    alongside: Alongside | None = None,
) -> list[Taken]:
    """
    Take in what is said of a client's calls; one verdict for each fact, in order. Called outside any scope.

    :param alongside: called with the verdicts inside the transaction that writes the calls; what it raises undoes it.
    :raises CallerGoneError: callers were erased again and again while we wrote; try later.
    """
    for attempt in range(ATTEMPTS):
        prepared = prepare(
            client=client, provider=provider, connection_id=connection_id, facts=facts, way=way, at=at
        )
        try:
            return prepared.store(alongside)
        except CallerGoneError:
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError  # pragma: no cover


def prepare(
    *,
    client: Client,
    provider: str,
    connection_id: uuid.UUID | None,
    facts: Sequence[CallFacts],
    way: Way,
    at: datetime,
    look_first: bool = True,
) -> Prepared:
    """
    Make and commit the keys that these facts need, and seal. Called outside any scope.

    :param look_first: look which calls are known before making keys for their recordings. Without, keys that turn
        out to be for nothing are destroyed again.
    """
    prepared = Prepared(
        client=client, provider=provider, connection_id=connection_id, way=way, at=at, count=len(facts)
    )
    preparing.sort_out(prepared, facts)
    held_back.hold_back(prepared)
    preparing.seal_batch(prepared, look_first=look_first)
    prepared.is_all_new = not look_first
    return prepared
