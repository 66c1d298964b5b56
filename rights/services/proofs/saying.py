"""What a person says and hands in: two facts of a call, a declaration, what shows a right to ask for somebody else."""

import re
import uuid
from collections.abc import Collection, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.db import transaction

from callprivacy.calls.models import Call, TrackingNumber
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.vault import selectors as vault
from consent.enums import Language
from rights.channels.links import Named
from rights.enums import IdentityKind, ProofKind
from rights.models import Identity, Proof, Submission
from rights.selectors import guardians, words
from rights.services.proofs.coding import NotOfThisRequestError
from rights.services.proofs.settling import add, scope_of, settle, submission_of

PERMISSION_AT_MOST: Final = 5 * 1024 * 1024
_SHORTEST_NAME: Final = 3
_SIGNS: Final = re.compile(r"[^0-9a-z]+")


class FutureDayError(ValueError):
    """A call on a day that has not come."""


def say_facts(*, named: Named, day: date, business: str, at: datetime) -> None:
    """
    Keep two facts of a call as the person said them, and whether they fit. Enters the scope itself.

    What was said on the agency's own page is checked later, by the job that may look at all clients (`facts`).

    :raises UnknownLinkError: the request is gone. :raises FutureDayError: the day has not come anywhere.
    """
    if day > (at + timedelta(hours=14)).date():
        raise FutureDayError
    with scope_of(named):
        submission = submission_of(named)
        fits = None if submission.client is None else _fits(submission, submission.client, day, business)
        said: dict[str, object] = {"day": day.isoformat(), "business": business, "fits": fits}
        add(submission, ProofKind.FACTS, holds=bool(fits), at=at, said=said)
        settle(submission, at=at)


def _fits(submission: Submission, client: Client, day: date, business: str) -> bool:
    """Whether a number of the request had a call with that business of the client on that day of the client's."""
    key = words.key_of(submission)
    rows = Identity.objects.filter(submission=submission, kind=IdentityKind.PHONE)
    callers = [
        found
        for row in rows
        if (found := vault.find_callers([client.pk], words.text(row.value, key)).get(client.pk))
    ]
    return fits_call(client, callers, day, business)


def fits_call(client: Client, callers: Sequence[uuid.UUID], day: date, business: str) -> bool:
    start = datetime.combine(day, time.min, tzinfo=ZoneInfo(client.time_zone))
    calls = (
        Call.objects.for_client(client)
        .filter(caller_id__in=callers)
        .started_from(start)
        .started_before(start + timedelta(days=1))
    )
    numbers = TrackingNumber.objects.for_client(client).filter(
        pk__in=calls.exclude(tracking_number=None).values("tracking_number_id")
    )
    if not calls.exists():
        return False
    names = [client.name, client.legal_name]
    lines = []
    for number in numbers:
        names += [number.label, number.target_site]
        lines.append(number.number)
    return is_named(business, names, lines)


def is_named(said: str, names: Collection[str], numbers: Collection[str]) -> bool:
    """Whether a person names a business by one of its names, or a part of one of four letters, or by a number."""
    words_said = _SIGNS.sub(" ", said.casefold()).split()
    digits = "".join(sign for sign in said if sign.isdigit())
    if len(digits) >= 7 and any(number.endswith(digits[-10:]) for number in numbers):
        return True
    told = " ".join(words_said)
    for name in filter(None, names):
        known = _SIGNS.sub(" ", name.casefold()).split()
        if told and told == " ".join(known):
            return True
        if {word for word in words_said if len(word) > 3} & {word for word in known if len(word) > 3}:
            return True
    return False


def declare(*, named: Named, name: str, declaration: str, language: Language, at: datetime) -> None:
    """
    Keep a declaration with the name that was signed. Enters the scope itself.

    :param declaration: the words as they stood there.
    :raises UnknownLinkError: the request is gone. :raises ValueError: no name.
    """
    signed = " ".join(name.split())
    if len(signed) < _SHORTEST_NAME:
        raise ValueError("Nobody signed it.")
    with scope_of(named):
        submission = submission_of(named)
        said: dict[str, object] = {"words": declaration, "name": signed, "language": language.value}
        add(submission, ProofKind.DECLARATION, holds=True, at=at, said=said)
        settle(submission, at=at)


def hand_in(*, named: Named, file_key: uuid.UUID, file_type: str, digest: bytes, at: datetime) -> None:
    """
    Keep a sealed file that shows a right to ask for somebody else; a person looks at it. Enters the scope itself.

    :param file_key: of `callprivacy.vault.files`, of the request's holder.
    :raises UnknownLinkError: the request is gone.
    :raises NotOfThisRequestError: it is made for oneself, or has such a file already.
    """
    with scope_of(named):
        submission = submission_of(named)
        kind = guardians.evidence_of(submission)
        if kind is None or Proof.objects.filter(submission=submission, kind=kind).exists():
            raise NotOfThisRequestError
        said: dict[str, object] = {"sha256": digest.hex()}
        add(submission, kind, holds=False, at=at, said=said, file_key=file_key, file_type=file_type)
        settle(submission, at=at)


@transaction.atomic
def note_checked(*, submission: Submission, holds: bool, by: Actor, at: datetime) -> None:
    """Add what the check of facts has shown, and say of each identity what follows. In a scope that may write them."""
    add(submission, ProofKind.FACTS, holds=holds, at=at, said={"fits": holds, "checked": "by a job"}, by=by)
    settle(submission, at=at)
