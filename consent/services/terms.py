"""
Signed terms: the document as it was signed, its clause, and whom it covers.

One person's signature is that person's own yes (strength A). A list under one document only attests that people signed
(C), and so lifts no earlier no (`ledger.record_events`); nor does a signature lift a no of its own day, of which nobody
knows whether it came before. A clause among general terms is agreement to a contract;
whether that is consent is for the law of the place to say, and in the EU and the UK it is not.
"""

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import F

from callprivacy.audit import services as audit
from callprivacy.calls.services import people
from callprivacy.lib import phone
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from consent.enums import Basis, Channel, EventKind, Purpose, Strength
from consent.models import TermsDocument
from consent.services import ledger
from consent.services.ledger import Said
from consent.services.posted import Picture

DOCUMENT_AT_MOST: Final = 10 * 1024 * 1024
PEOPLE_AT_MOST: Final = 2000
ASKED: Final = (Purpose.RECORD, Purpose.REVIEW, Purpose.ANALYSE, Purpose.CONTACT, Purpose.SHARE)


class NotOnePersonError(ValueError):
    """A document signed by one person covers one number."""


class ErasedSinceError(ValueError):
    """Everybody whom a document covers was erased after it was signed; nothing is written down of them again."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that is no telephone number; never what stood in it."""

    line: int


@dataclass(frozen=True, slots=True)
class Read:
    """What a list of numbers holds. :ivar numbers: E.164, each once, in their order."""

    numbers: tuple[str, ...]
    refused: tuple[Refusal, ...]


def read_numbers(lines: Iterable[str], *, country: str) -> Read:
    """
    The numbers of a list, one a line; of a line with commas the first cell that is one.

    :param country: of numbers without a country's code. Empty lines, and a first line of words, are passed over.
    """
    found: dict[str, None] = {}
    refused = []
    for number, line in enumerate(lines, start=1):
        cells = [cell.strip().strip('"') for cell in line.replace(";", ",").replace("\t", ",").split(",")]
        if not any(cells):
            continue
        read = next((one for cell in cells if (one := phone.normalise(cell, country)) is not None), None)
        if read is not None:
            found[read] = None
        elif not (number == 1 and not any(character.isdigit() for character in line)):
            refused.append(Refusal(number))
    return Read(tuple(found), tuple(refused))


@transaction.atomic
def add_document(
    *,
    client: Client,
    name: str,
    clause: str,
    stands_apart: bool,
    is_list: bool,
    signed_on: date,
    purposes: Collection[Purpose],
    numbers: Collection[str],
    file: Picture,
    size: int,
    by: Actor,
    at: datetime,
) -> TermsDocument:
    """
    Keep a signed document and write down whom it covers, each purpose an event of the ledger.

    :param numbers: E.164; one where one person signed.
    :raises NotOnePersonError: one person signed, and there are more numbers or none.
    :raises ErasedSinceError: everybody on it was erased since; those of several who were are left out.
    :raises CallerGoneError: somebody on it was erased in this moment; try again.
    """
    if not is_list and len(numbers) != 1:
        raise NotOnePersonError("A document signed by one person covers one number.")
    numbers = _without_erased(client, numbers, signed_on, at)
    row = TermsDocument.objects.create(
        agency_id=client.agency_id,
        client=client,
        name=name,
        clause=clause.strip(),
        stands_apart=stands_apart,
        is_list=is_list,
        file_key=file.file_id,
        file_digest=file.digest,
        media_type=file.media_type,
        size=size,
        signed_on=signed_on,
        people=len(numbers),
        created_by_id=by.user_id,
        created_at=at,
    )
    audit.record("terms.added", by=by, at=at, subject=row, people=len(numbers), is_list=is_list)
    _cover(row, numbers, purposes, by=by, at=at)
    return row


@transaction.atomic
def cover_more(
    *,
    document: TermsDocument,
    numbers: Collection[str],
    purposes: Collection[Purpose],
    by: Actor,
    at: datetime,
) -> int:
    """
    Write down more people whom a list covers; returns how many events are new.

    :raises NotOnePersonError: one person signed it.
    :raises ErasedSinceError: everybody of them was erased since; those of several who were are left out.
    """
    if not document.is_list:
        raise NotOnePersonError("A document signed by one person covers one number.")
    numbers = _without_erased(document.client, numbers, document.signed_on, at)
    new = _cover(document, numbers, purposes, by=by, at=at)
    TermsDocument.objects.for_client(document.client_id).filter(pk=document.pk).update(
        people=F("people") + new // max(len(purposes), 1)
    )
    audit.record("terms.extended", by=by, at=at, subject=document, people=len(numbers))
    return new


def _without_erased(
    client: Client, numbers: Collection[str], signed_on: date, at: datetime
) -> Collection[str]:
    """
    These numbers without those whose people were erased after they signed: a list that is read again makes nobody anew.

    :raises ErasedSinceError: nobody is left.
    """
    erased = people.erased_since(client=client, numbers=numbers, said_at=_counts_from(client, signed_on, at))
    left = [number for number in numbers if number not in erased]
    if numbers and not left:
        raise ErasedSinceError("All people it covers were erased after that day, so nothing is saved.")
    return left


def _cover(
    document: TermsDocument,
    numbers: Collection[str],
    purposes: Collection[Purpose],
    *,
    by: Actor,
    at: datetime,
) -> int:
    client = document.client
    callers: dict[str, uuid.UUID] = people.add_callers(client=client, numbers=numbers, at=at)
    evidence = {
        "document": str(document.pk),
        "document_digest": bytes(document.file_digest).hex(),
        "clause": document.clause,
        "stands_apart": document.stands_apart,
        "signed_on": document.signed_on.isoformat(),
        "is_list": document.is_list,
    }
    said = [
        Said(
            purpose=purpose,
            kind=EventKind.GIVEN,
            channel=Channel.TERMS,
            basis=Basis.CONSENT if document.stands_apart else Basis.CONTRACT,
            strength=Strength.C if document.is_list else Strength.A,
            happened_at=_counts_from(client, document.signed_on, at),
            source=f"terms {document.pk}",
            caller_id=caller_id,
            document_id=document.pk,
            evidence=evidence,
            said_from=datetime.combine(document.signed_on, time.min, tzinfo=ZoneInfo(client.time_zone)),
        )
        for caller_id in callers.values()
        for purpose in purposes
    ]
    return len(ledger.record_events(client=client, said=said, by=by, at=at))


def _counts_from(client: Client, signed_on: date, at: datetime) -> datetime:
    """
    A signature of which only the day is known counts from the end of that day; one of today from now.

    Earlier would let it speak for calls that may have come before it.
    """
    here = ZoneInfo(client.time_zone)
    end = datetime.combine(signed_on, time.max, tzinfo=here)
    return min(end, at)
