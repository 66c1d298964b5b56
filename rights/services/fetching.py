"""
Recordings and words of calls that only the call tracker has, fetched for a package: a person is owed what others keep
for the company.

A recording comes from where the tracker has said that it is, by the same guarded way as those that are stored here
(`consent.channels.recordings`): Twilio's with the account's token, others with the key of their interface or as far as
their address opens by itself. It is in memory, goes into the package and is stored nowhere else.

For words CallRail is asked, by its interface and with the key that an officer gave (`retention.services.truth`), and
Twilio with the account's token; a call is found by its name, or its recording's, in the address of its recording.
Other trackers that offer words by an interface are not asked for them, and the package says so. The words are in
memory, redacted as all words are, and go into the package; nothing of them is stored here. What does not answer is left
out and said.
"""

import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

from callprivacy.calls.models import Recording
from callprivacy.lib import redact
from callprivacy.lib.logs import logger
from callprivacy.lib.redact import Redacted
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault
from consent.channels import callrail, twilio
from consent.channels import recordings as wire
from consent.selectors import vendors
from consent.services import store, twilio_door
from retention.services import truth

log = logger(__name__)

AT_MOST: Final = 200
"""Questions for one client in one package: CallRail answers 1,000 an hour."""
LARGEST: Final = 64 * 1024 * 1024
SECONDS: Final = 60.0


def sound_at_vendor(*, client: Client, recording: Recording, at: datetime) -> bytes | None:
    """
    A recording that is not stored here, as its tracker gives it out; None where it does not.

    Called outside any scope; it never raises for a vendor.
    """
    with job_scope(agency_id=client.agency_id):
        rows = Recording.objects.for_client(client).filter(pk=recording.pk)
        row = rows.select_related("call__connection").first()
        source = store.source_of(row, at) if row is not None else None
    if source is None:
        return None
    taken = bytearray()
    try:
        wire.fetch(source, taken.extend, at_most=LARGEST, seconds=SECONDS)
    except wire.FetchError as error:
        log.warning("sound.not_fetched", client=client.pk, why=error.why)
        return None
    return bytes(taken)


@dataclass(frozen=True, slots=True)
class AtVendor:
    """
    What trackers say was said.

    :ivar words: by call, redacted. :ivar silent: calls whose tracker was asked and has no words.
    :ivar unasked: call -> the tracker that was not asked, because nothing here opens its interface.
    """

    words: dict[uuid.UUID, Redacted] = field(default_factory=dict)
    silent: set[uuid.UUID] = field(default_factory=set)
    unasked: dict[uuid.UUID, str] = field(default_factory=dict)


type _Ask = Callable[[], str | None]


def words_at_vendor(*, client: Client, call_ids: Collection[uuid.UUID], at: datetime) -> AtVendor:
    """
    What the trackers say was said on these calls. Called outside any scope; it never raises for a vendor.

    A call whose recording is not noted here, that is over `AT_MOST`, or whose tracker does not answer, is not in it.
    """
    found = AtVendor()
    with job_scope(agency_id=client.agency_id):
        asking = _asking(client, call_ids, found, at)
    for call_id, ways in list(asking.items())[:AT_MOST]:
        for ask in ways:
            try:
                words = ask()
            except (callrail.CallRailError, twilio.TwilioError) as error:
                log.warning("words.not_fetched", client=client.pk, why=str(error))
                continue
            if words:
                found.words[call_id] = redact.redact(words)
                found.silent.discard(call_id)
                break
            found.silent.add(call_id)
    return found


def _asking(
    client: Client, call_ids: Collection[uuid.UUID], found: AtVendor, at: datetime
) -> dict[uuid.UUID, list[_Ask]]:
    """How each call's tracker is asked; calls of those that are not are noted in `found`. In the scope of a job."""
    rows = list(
        Recording.objects.for_client(client)
        .filter(call_id__in=list(call_ids), reference__isnull=False)
        .select_related("call__connection__client__agency")
    )
    keys = vault.recording_keys(client.pk, [row.pk for row in rows]) if rows else {}
    doors = truth.callrail_access(client, at=at)
    accounts: dict[uuid.UUID, twilio.Account | None] = {}
    asking: dict[uuid.UUID, list[_Ask]] = {}
    for row in rows:
        if row.pk not in keys or row.reference is None:
            continue
        address = row.reference.reveal(keys[row.pk])
        ways: list[_Ask] = []
        if row.provider == callrail.NAME and (name := vendors.call_in(address)):
            ways = [partial(_of_callrail, door, name) for door in doors]
        elif row.provider == twilio.NAME and (name := vendors.recording_in(address)):
            account = _account(row, accounts, at)
            ways = [partial(twilio.read_words, account, recording=name)] if account is not None else []
        if ways:
            asking[row.call_id] = ways
        else:
            found.unasked[row.call_id] = row.provider
    return asking


def _of_callrail(door: callrail.Access, name: str) -> str | None:
    words = callrail.read_words(door, name)
    return words.text if words is not None else None


def _account(
    row: Recording, known: dict[uuid.UUID, twilio.Account | None], at: datetime
) -> twilio.Account | None:
    way = row.call.connection
    if way is None or way.provider != twilio.NAME:
        return None
    if way.pk not in known:
        try:
            known[way.pk] = twilio_door.account_of(way, at=at)
        except twilio_door.NoAccountError:
            known[way.pk] = None
    return known[way.pk]
