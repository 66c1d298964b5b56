"""
Sources and mediums of calls hold no free text: a common value is kept as it comes, any other once a person confirms it.

Until then its calls hold a placeholder that names the value's row. Confirming keeps the value as it came, or as another
one that is known; refusing keeps "Other" and forgets the text, so that the same one is not asked about again. A job
then fills the calls. Whoever writes calls looks in the client's turn whether a value was decided on meanwhile.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import F

from callprivacy.audit import services as audit
from callprivacy.calls.kinds import NEW_VALUES
from callprivacy.calls.models import PLACEHOLDER, Call, KnownValue
from callprivacy.calls.providers.base import CallFacts
from callprivacy.calls.services import turns
from callprivacy.lib.redact import has_number
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault.sealing import TokenKey
from callprivacy.work import services as work

FIELDS: Final = ("source", "medium")
OTHER: Final = "Other"
"""What calls keep whose value was refused, or came when too many waited."""
WAITING_AT_MOST: Final = 500
"""A client's values that wait; a column of names that was taken for the source fills no table."""
_AT_ONCE: Final = 5000
_KIND: Final = "known value"

type Said = tuple[str, str]
"""A field and the value that came for it."""

_WORD: Final = re.compile(r"[^\W_]+")
# Values made of these words alone need no confirmation, however they are joined: "google_ads", "Online: Search".
_COMMON: Final = frozenset(
    _WORD.findall(
        "ad ads adwords affiliate affiliates and angi app apple audio banner billboard bing blog brand"
        " business call calls campaign chatgpt click cost cpa cpc cpm cpv cta direct directories directory"
        " display duckduckgo e email event events extension extensions facebook fb flyer gbp gmb google"
        " homeadvisor ig instagram landing link linkedin listing listings local lsa magazine mail mailer"
        " maps media meta microsoft mobile mouth my network newsletter newspaper nextdoor none not of"
        " offline online organic other outdoor page pages paid partner partners per pinterest places"
        " podcast post postcard ppc print profile programmatic push qr radio reddit referral referrals"
        " remarketing retargeting search sem seo services set shopping sign signage site sms snapchat"
        " social spotify television text thumbtack tiktok tv twitter unattributed unknown vehicle video"
        " waze web website whatsapp word x yahoo yellow yelp youtube"
    )
)
_LIKE_A_PLACEHOLDER: Final = re.compile(rf"{PLACEHOLDER}\d+, not confirmed\Z")


class AlreadyDecidedError(RuntimeError):
    """Another person decided on the value meanwhile."""


class NotKnownError(ValueError):
    """A value is to be stored as another one, and that one is neither common nor confirmed."""


def is_common(value: str) -> bool:
    """Whether a value consists of words that name channels, so that it needs no confirmation."""
    return _COMMON.issuperset(_WORD.findall(value.casefold()))


def without_numbers(facts: CallFacts, region: str) -> CallFacts:
    """
    The same facts without texts that the recognizer of numbers refuses.

    :param region: ISO 3166-1 of the client's country, where numbers are written without its code.
    """
    changes: dict[str, object] = {
        field: ""
        for field in ("source", "campaign", "medium", "landing_page", "keyword")
        if has_number(getattr(facts, field), region)
    }
    tags = tuple(tag for tag in facts.tags if not has_number(tag, region))
    if len(tags) < len(facts.tags):
        changes["tags"] = tags
    return replace(facts, **changes) if changes else facts  # type: ignore[arg-type]  # each is of its field's type


def find_or_note(
    *, client: Client, said: Collection[Said], tokens: TokenKey, at: datetime
) -> dict[Said, KnownValue | None]:
    """
    The rows of values that are no common ones; those that are new are noted and wait for a person. In a job's scope.

    One query where all are known. None: so many wait already that nothing more is noted.
    """
    digests = {one: _digest(tokens, one) for one in said if not _LIKE_A_PLACEHOLDER.match(one[1])}
    found = _find(client, digests)
    new = sorted(digests.keys() - found.keys())
    if new:
        room = max(0, WAITING_AT_MOST - KnownValue.objects.for_client(client).waiting().count())
        KnownValue.objects.bulk_create(
            [
                KnownValue(
                    agency_id=client.agency_id,
                    client_id=client.pk,
                    field=field,
                    value=value,
                    first_seen_at=at,
                )
                for field, value in new[:room]
            ],
            ignore_conflicts=True,
        )
        found = _find(client, digests)
        _renew_item(client, by=Actor.job("calls.take_in"), at=at)
    return {one: found.get(one) for one in said}


def _digest(tokens: TokenKey, said: Said) -> str:
    return tokens.digest(_KIND, *said).hex()


def _find(client: Client, digests: Mapping[Said, str]) -> dict[Said, KnownValue]:
    values = {*digests.values(), *(value for _, value in digests)}
    rows = {
        (row.field, row.value): row
        for row in KnownValue.objects.for_client(client).filter(value__in=sorted(values))
    }
    found = {said: rows.get(said) or rows.get((said[0], digest)) for said, digest in digests.items()}
    return {said: row for said, row in found.items() if row is not None}


def decided(*, client: Client, value_ids: Collection[int]) -> dict[str, str]:
    """Placeholder -> what calls keep in its place, of those of these values that were decided on."""
    rows = KnownValue.objects.for_client(client).filter(pk__in=list(value_ids), decided_at__isnull=False)
    return {row.placeholder: row.stored_as for row in rows}


@transaction.atomic
def confirm(*, value: KnownValue, stored_as: str, by: Actor, at: datetime) -> None:
    """
    Keep a value as it came, or as another one that is known.

    :raises NotKnownError: that other one is neither common nor confirmed. :raises AlreadyDecidedError
    """
    if stored_as != value.value and not is_common(stored_as):
        known = KnownValue.objects.for_client(value.client).filter(decided_at__isnull=False)
        if not known.filter(field=value.field, value=stored_as, stored_as=stored_as).exists():
            raise NotKnownError(
                f"“{stored_as}” is not confirmed. Confirm it first, or store this value as it came."
            )
    _decide(value, "value.confirmed", by=by, at=at, stored_as=stored_as)


@transaction.atomic
def refuse(*, value: KnownValue, by: Actor, at: datetime) -> None:
    """
    Keep "Other" in place of a value, and forget its text.

    :raises AlreadyDecidedError
    """
    tokens = vault_selectors.client_keys(value.client_id).tokens
    digest = _digest(tokens, (value.field, value.value))
    _decide(value, "value.refused", by=by, at=at, stored_as=OTHER, value=digest)


def _decide(known: KnownValue, action: str, *, by: Actor, at: datetime, **changes: str) -> None:
    rows = KnownValue.objects.for_client(known.client).waiting().filter(pk=known.pk)
    if not rows.update(**changes, decided_by_id=by.user_id, decided_at=at):
        raise AlreadyDecidedError("Another person has decided on this value.")
    audit.record(action, subject=known.client, by=by, at=at, field=known.field, value=known.pk)
    _renew_item(known.client, by=by, at=at)


@transaction.atomic
def confirm_all(*, client: Client, up_to: int, by: Actor, at: datetime) -> int:
    """Keep every value that waits, up to the last one that the person saw, as it came; returns how many."""
    waiting = KnownValue.objects.for_client(client).waiting().filter(pk__lte=up_to)
    count = waiting.update(stored_as=F("value"), decided_by_id=by.user_id, decided_at=at)
    if count:
        audit.record("value.all_confirmed", subject=client, by=by, at=at, count=count)
        _renew_item(client, by=by, at=at)
    return count


def _renew_item(client: Client, *, by: Actor, at: datetime) -> None:
    work.renew_item(
        NEW_VALUES,
        agency_id=client.agency_id,
        client_id=client.pk,
        count=KnownValue.objects.for_client(client).waiting().count(),
        by=by,
        at=at,
    )


def clients_to_fill(agency_id: int) -> list[int]:
    """Clients of which calls may hold placeholders of values that were decided on. In a job's scope."""
    rows = KnownValue.objects.to_fill().filter(agency_id=agency_id)
    return sorted(set(rows.values_list("client_id", flat=True)))


def fill(*, agency_id: int, client_id: int, at: datetime) -> int:
    """
    Put into calls what was decided on their values, a few thousand at a time; returns in how many calls.

    Called outside any scope; safe to run twice.
    """
    with job_scope(agency_id=agency_id):
        rows = list(KnownValue.objects.for_client(client_id).to_fill().order_by("pk"))
    return sum(_fill(row, at) for row in rows)


def _fill(row: KnownValue, at: datetime) -> int:
    filled = 0
    while True:
        with job_scope(agency_id=row.agency_id):
            turns.lock_client(row.client_id)
            calls = Call.objects.for_client(row.client_id).filter(
                **{row.field: row.placeholder, f"{row.field}__startswith": PLACEHOLDER}
            )
            ids = list(calls.values_list("pk", flat=True)[:_AT_ONCE])
            filled += (
                Call.objects.for_client(row.client_id).filter(pk__in=ids).update(**{row.field: row.stored_as})
            )
            if len(ids) < _AT_ONCE:
                KnownValue.objects.for_client(row.client_id).filter(pk=row.pk).update(filled_at=at)
                return filled
