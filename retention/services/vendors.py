"""
What vendors still hold of what we erase: listed as long as it is there, and asked for where the client has instructed
us to.

Each such copy is a leftover: one that outlives ours, for everybody to see who manages retention. A step at a vendor is
consent's (`VendorTask`): by its interface, or by a letter that is chased, and done once somebody has looked. It goes
out when our own copy is gone. Without an instruction nothing is sent.
"""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import Q

from callprivacy.audit import services as audit
from callprivacy.calls.models import Connection, Recording
from callprivacy.calls.services.erasure import VendorCopy
from callprivacy.lib import statements
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import Key, Place, SealBrokenError, TokenKey
from consent.selectors import decisions
from consent.selectors.vendors import call_in, recording_in
from consent.services import vendor_tasks
from consent.services.vendor_tasks import Copy, NotInstructedError
from retention.enums import LeftoverState
from retention.models import Errand, Leftover
from retention.services import errands

__all__ = ["NotInstructedError"]

ERRAND: Final = "errand"
"""The client's purpose key for what a vendor needs to find a thing by."""
MOVED_AT_ONCE: Final = 500
JOB: Final = Actor.job("retention.check_vendors")


@transaction.atomic
def open_steps(
    *,
    client: Client,
    copies: Sequence[VendorCopy],
    by: Actor,
    at: datetime,
    instructed: bool | None = None,
) -> int:
    """
    See to it that the vendors' copies of these recordings follow ours; returns how many steps at vendors are new.

    In the transaction that chooses them, while their rows are here. Opening them twice opens nothing more.

    :param instructed: whether the client has instructed us to have them deleted, where that was asked already.
    """
    if not copies:
        return 0
    found = _with_connections(client, copies)
    digests = _list(client, found, at)
    if not (decisions.deletes_at_vendor(client) if instructed is None else instructed):
        return 0
    ids = [copy.recording_id for copy in found]
    listed = addresses(client, ids, at)
    wanted = [replace(one, where=one.where or listed.get(one.recording_id, "")) for one in found]
    count = vendor_tasks.ask_for_deletion(client=client, copies=wanted, by=by, at=at)
    rows = Leftover.objects.for_client(client).filter(Q(pk__in=ids) | Q(digest__in=digests))
    rows.filter(state=LeftoverState.OPEN).update(state=LeftoverState.ASKED)
    return count


def _with_connections(client: Client, copies: Sequence[VendorCopy]) -> list[Copy]:
    """The copies with the way in that brought them; without one, the only one that the client has at that vendor."""
    ways = {way.pk: way for way in Connection.objects.for_client(client)}
    rows = Recording.objects.for_client(client).filter(pk__in=[copy.recording_id for copy in copies])
    brought = dict(rows.values_list("pk", "call__connection_id"))
    return [
        Copy(
            copy.recording_id,
            copy.provider,
            ways.get(brought.get(copy.recording_id) or uuid.UUID(int=0))
            or _only(ways.values(), copy.provider),
            copy.reference or "",
            copy.call_started_at,
        )
        for copy in copies
    ]


def _only(ways: Collection[Connection], provider: str) -> Connection | None:
    found = [way for way in ways if way.provider == provider]
    return found[0] if len(found) == 1 else None


def digest_of(tokens: TokenKey, provider: str, name: str) -> bytes:
    """By what a leftover is known again: the vendor's name of it, keyed by the client."""
    return tokens.digest("leftover", provider, name)


def name_in(provider: str, where: str) -> str:
    """By what a vendor knows the recording, or its call, at an address; the whole of it where neither stands there."""
    if "://" not in where:
        return where
    return (recording_in(where) if provider == "twilio" else "") or call_in(where) or where


def _list(client: Client, copies: Sequence[Copy], at: datetime) -> list[bytes]:
    """Write down what outlives ours, once a recording; returns by which digests."""
    keys = vault_selectors.client_keys(client.pk)
    key = vault.purpose_key(client_id=client.pk, purpose=ERRAND, at=at, keys=keys)
    ids, digests = [copy.recording_id for copy in copies], [_digest(keys.tokens, copy) for copy in copies]
    with statements.cursor() as cursor:
        # Written by hand because hundreds of them come with each batch of calls.
        cursor.execute(
            _INSERT,
            [
                client.agency_id,
                client.pk,
                LeftoverState.OPEN.value,
                at,
                at,
                ids,
                [None if copy.connection is None else copy.connection.pk for copy in copies],
                [copy.provider for copy in copies],
                digests,
                [_sealed_where(client, copy, key) for copy in copies],
                [copy.started_at for copy in copies],
            ],
        )
    return digests


_INSERT: Final = """
    INSERT INTO retention_leftover (agency_id, client_id, state, found_at, seen_at, id, connection_id, provider, digest,
        reference, call_started_at)
    SELECT %s, %s, %s, %s, %s, *
    FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::bytea[], %s::bytea[], %s::timestamptz[])
    ON CONFLICT DO NOTHING
"""


def leftover(client: Client, copy: Copy, key: Key, tokens: TokenKey, at: datetime) -> Leftover:
    """The row of one copy that outlives ours, not saved."""
    return Leftover(
        pk=copy.recording_id,
        agency_id=client.agency_id,
        client=client,
        connection=copy.connection,
        provider=copy.provider,
        digest=_digest(tokens, copy),
        reference=_sealed_where(client, copy, key),
        call_started_at=copy.started_at,
        found_at=at,
        seen_at=at,
    )


def _digest(tokens: TokenKey, copy: Copy) -> bytes:
    return digest_of(tokens, copy.provider, name_in(copy.provider, copy.where) or str(copy.recording_id))


def _sealed_where(client: Client, copy: Copy, key: Key) -> bytes:
    place = Place(client.pk, Leftover._meta.db_table, "reference", copy.recording_id)
    return key.seal(copy.where.encode(), place)


def addresses(client: Client, leftover_ids: Collection[uuid.UUID], at: datetime) -> dict[uuid.UUID, str]:
    rows = list(Leftover.objects.for_client(client).filter(pk__in=list(leftover_ids)))
    if not rows:
        return {}
    key = vault.purpose_key(client_id=client.pk, purpose=ERRAND, at=at)
    found = {}
    for row in rows:
        try:
            found[row.pk] = row.reference.reveal(key)
        except SealBrokenError:
            found[row.pk] = ""
    return found


@transaction.atomic
def ask_for_leftovers(*, client: Client, leftover_ids: Collection[uuid.UUID], by: Actor, at: datetime) -> int:
    """
    Ask vendors to delete these leftovers; returns how many were open.

    :raises NotInstructedError: the client has not instructed us to: nothing is asked of any vendor.
    """
    rows = list(
        Leftover.objects.for_client(client)
        .filter(pk__in=list(leftover_ids), state=LeftoverState.OPEN)
        .select_related("connection")
        .select_for_update(of=("self",))
        .order_by("pk")
    )
    where = addresses(client, [row.pk for row in rows], at)
    copies = [Copy(row.pk, row.provider, row.connection, where[row.pk], row.call_started_at) for row in rows]
    vendor_tasks.ask_for_deletion(client=client, copies=copies, by=by, at=at)
    return (
        Leftover.objects.for_client(client)
        .filter(pk__in=[row.pk for row in rows])
        .update(state=LeftoverState.ASKED)
    )


@transaction.atomic
def note_gone(*, client: Client, leftover_ids: Collection[uuid.UUID], by: Actor, at: datetime) -> int:
    """Take a person's word that these are not there any more; returns how many were not known to be gone."""
    rows = (
        Leftover.objects.for_client(client)
        .filter(pk__in=list(leftover_ids))
        .exclude(state=LeftoverState.GONE)
    )
    count = rows.update(state=LeftoverState.GONE, gone_at=at)
    if count:
        audit.record("leftovers.noted_gone", subject=client, by=by, at=at, count=count)
    return count


def move_errands(*, agency_id: int, client_id: int, at: datetime) -> int:
    """
    Turn errands that were opened before steps at vendors took their place into such steps, or into leftovers.

    Called outside any scope; a bounded number at once. Returns how many it moved; call it again until it is 0.
    """
    with job_scope(agency_id=agency_id):
        client = Client.objects.select_related("agency").filter(pk=client_id).first()
        if client is None:
            return 0
        rows = list(
            Errand.objects.for_client(client)
            .select_for_update(skip_locked=True)
            .order_by("opened_at")[:MOVED_AT_ONCE]
        )
        if not rows:
            return 0
        key = vault.purpose_key(client_id=client.pk, purpose=ERRAND, at=at)
        copies = []
        for row in rows:
            try:
                where = row.reference.reveal(key) if row.reference is not None else ""
            except SealBrokenError:
                where = ""
            copies.append(VendorCopy(row.recording_id, row.provider, row.call_started_at, where or None))
        open_steps(client=client, copies=copies, by=JOB, at=at)
        Errand.objects.for_client(client).filter(pk__in=[row.pk for row in rows]).remove()
        audit.record("errands.moved", subject=client, by=JOB, at=at, count=len(rows))
        errands.renew_item(client=client, by=JOB, at=at)
    return len(rows)
