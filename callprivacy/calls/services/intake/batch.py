"""A batch of facts, and what both of its steps ask of the database."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime

from django.db import connection

from callprivacy.calls.providers.base import Stage
from callprivacy.calls.services import redaction, starts
from callprivacy.calls.services.intake.items import Item, Taken
from callprivacy.calls.services.intake.lines import EPOCH, Lines
from callprivacy.calls.services.kept import Way
from callprivacy.lib import phone
from callprivacy.tenancy.models import Client
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import Place


class Batch:
    """A batch on its way: what is said, what the vault has issued for it, and the verdicts so far."""

    def __init__(
        self,
        *,
        client: Client,
        provider: str,
        connection_id: uuid.UUID | None,
        way: Way,
        at: datetime,
        count: int,
    ) -> None:
        self.client, self.provider, self.connection_id = client, provider, connection_id
        self.way, self.at = way, at
        self.verdicts: list[Taken] = [Taken.TOO_OLD] * count
        self.lines = Lines(EPOCH, EPOCH, EPOCH, EPOCH)
        self.items: list[Item] = []
        self.keys = vault_selectors.client_keys(client.pk)
        self.issued = vault.Issued(self.keys)
        self.callers: dict[uuid.UUID, str] = {}
        self.caller_lines: dict[uuid.UUID, str] = {}
        self.unused: list[uuid.UUID] = []
        self.used: set[uuid.UUID] = set()
        self.placeholders: dict[str, int] = {}
        self.is_all_new = False
        self.loaded: list[Item] = []

    def give_back(self) -> None:
        """Destroy the keys that nothing was written under."""
        if self.unused:
            vault.destroy_recording_keys(client_id=self.client.pk, recording_ids=self.unused)
            self.unused = []

    def redacted(self) -> list[Item]:
        """Facts from which the tracker has taken the person."""
        return [item for item in self.items if item.facts.redacted]


def uuids(ids: Iterable[uuid.UUID]) -> str:
    """An array of ids as PostgreSQL reads it; a list of thousands takes the driver much longer."""
    return "{" + ",".join([identity.hex for identity in ids]) + "}"


def find_known(batch: Batch, items: Iterable[Item]) -> dict[int, uuid.UUID]:
    """Index of each item that one of its references names -> the call's id."""
    by_kind: dict[str, dict[bytes, int]] = defaultdict(dict)
    for item in items:
        for kind, digest in item.references:
            by_kind[kind][digest] = item.index
    found: dict[int, uuid.UUID] = {}
    with connection.cursor() as cursor:
        for kind, indexes in by_kind.items():
            cursor.execute(
                "SELECT digest, call_id FROM calls_callref"
                " WHERE client_id = %s AND provider = %s AND kind = %s AND digest = ANY(%s::bytea[])",
                [batch.client.pk, batch.provider, kind, vault_selectors.byte_array(indexes)],
            )
            for digest, identity in cursor.fetchall():
                found.setdefault(indexes[bytes(digest)], identity)
    return found


def find_pairs(batch: Batch, query: str, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """What a query of two columns says of the client and these ids; asked only where there are any."""
    if not ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(query, [batch.client.pk, uuids(ids)])
        return dict(cursor.fetchall())


def leave_out_people(batch: Batch, items: Iterable[Item]) -> set[bytes]:
    """
    Leave the person out of news of calls that have a tombstone, or of which this batch says that the person is
    out; returns the tombstones.
    """
    items = list(items)
    digests = [digest for item in items for digest in item.digests]
    gone = vault_selectors.entombed(batch.client.pk, digests) if digests else set()
    without = gone.union(*(item.digests for item in batch.redacted()))
    for item in items:
        if without and not without.isdisjoint(item.digests):
            item.leave_out_person()
    return gone


def find_erased_starts(batch: Batch, items: Iterable[Item]) -> list[Item]:
    """
    Those of these calls that began when one of that number did that was erased on request, or lost its person.

    Asked of calls that none of their references names: for others the references say it.
    """
    if not vault_selectors.has_entombed_starts(batch.client.pk):
        return []
    asked: dict[bytes, list[Item]] = defaultdict(list)
    for item in items:
        facts = item.facts
        start = starts.digest(
            batch.keys.tokens,
            started_at=facts.started_at,
            number=facts.caller,
            tracking_number=facts.tracking_number,
            seconds=facts.seconds,
        )
        if start is not None and facts.stage is not Stage.ADDENDUM:
            asked[start].append(item)
    return [item for start in vault_selectors.entombed(batch.client.pk, asked) for item in asked[start]]


def leave_out_erased(batch: Batch, items: Collection[Item]) -> None:
    """Leave these calls out, and remember them by the names that they come with: later news may say no number."""
    for item in items:
        batch.verdicts[item.index] = Taken.ERASED
    redaction.entomb(
        client=batch.client, digests=[digest for item in items for digest in item.digests], at=batch.at
    )


def caller_line(batch: Batch, caller_id: uuid.UUID, number: str) -> str:
    """A caller as COPY reads one, with the number sealed."""
    country, region = phone.place_of(number)
    place = Place(batch.client.pk, "calls_caller", "number", caller_id)
    sealed = batch.issued.content_key(number).seal(number.encode(), place)
    return f"{caller_id.hex}\t\\\\x{sealed.hex()}\t{country}\t{region}\n"
