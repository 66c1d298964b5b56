"""
What is withheld has an end: it is shown to somebody, and after a set time it leaves.

Only at clients that are live, never what came with imported history, never what is on hold. `retention` erases what
is due; this module says when, and keeps what waits for a person true. Nothing here erases anything.
"""

import uuid
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Count, Exists, Min, OuterRef, Q

from callprivacy.audit import services as audit
from callprivacy.calls.enums import RecordingState, TranscriptState
from callprivacy.calls.models import Call, Recording, Transcript
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.work import services as work
from consent import kinds
from consent.selectors import decisions as selectors
from consent.services import rejudging

HOURS_AT_MOST: Final = 90 * 24
JOB: Final = Actor.job("consent.decide_recordings")


class HoursOutOfRangeError(ValueError):
    """Quarantine lasts from an hour to 90 days."""


class NotSignedError(ValueError):
    """At a live client the hours are an officer's to sign, as going live was: what more of them move stays moved."""

    def __init__(self, client: Client) -> None:
        super().__init__(f"{client.name} is live. Only a compliance officer can change the hours.")


def of_history() -> Q:
    """A condition on transcripts: an import brought the call, or its recording, whenever the words came."""
    late = Recording.objects.filter(
        call_id=OuterRef("call_id"), client_id=OuterRef("client_id"), came_late=True
    )
    return Q(call__came_late=True) | Q(Exists(late))


def due_at(
    client: Client,
    *,
    is_withheld: bool,
    came_late: bool,
    on_hold: bool,
    since: datetime,
    before: datetime | None = None,
) -> datetime | None:
    """
    When a recording, or what was said in it, leaves; None where it stays.

    :param before: the date that it has already, if any. It never comes nearer: fewer hours count for what is withheld
        from then on.

    :param since: since when the decision stands. What was withheld before the client went live leaves as long after
        that as anything else.
    """
    if (
        not is_withheld
        or came_late
        or on_hold
        or client.went_live_at is None
        or not selectors.is_live(client)
    ):
        return None
    found = max(since, client.went_live_at) + timedelta(hours=client.quarantine_hours)
    return found if before is None else max(found, before)


def renew_items(*, client: Client, withheld: Collection[uuid.UUID], at: datetime) -> None:
    """
    Let what is due at a client wait for somebody until then, and tell of numbers with many withheld calls.

    :param withheld: calls that were withheld just now. In the job's scope that decided them.
    """
    leaving = Recording.objects.filter(
        agency_id=client.agency_id, client_id=client.pk, due_at__isnull=False, state=RecordingState.WITHHELD
    )
    found = leaving.aggregate(count=Count("pk"), first=Min("due_at"))
    work.renew_item(
        kinds.WITHHELD_RECORDINGS,
        agency_id=client.agency_id,
        client_id=client.pk,
        count=found["count"],
        by=JOB,
        at=at,
        due_at=found["first"],
    )
    if withheld and selectors.is_live(client):
        _tell_of_numbers(client, withheld, at)


def _tell_of_numbers(client: Client, withheld: Collection[uuid.UUID], at: datetime) -> None:
    """Many withheld calls on one number in a day are no accident: its announcement or its menu does not work."""
    calls = Call.objects.for_client(client).filter(pk__in=list(withheld))
    numbers = calls.filter(tracking_number__isnull=False).values("tracking_number_id")
    for number_id, count in sorted(selectors.withheld_by_number(client, at=at, number_ids=numbers).items()):
        work.open_item(
            kinds.WITHHELD_ON_NUMBER,
            agency_id=client.agency_id,
            client_id=client.pk,
            key=str(number_id),
            at=at,
            count=count,
        )


def erasable(client: Client, *, at: datetime, limit: int) -> list[uuid.UUID]:
    """
    Calls whose recording or transcript is due at a live client, oldest date first, held until the transaction ends.

    What is being decided anew is left out, so that evidence that has just come in is looked at first; so is
    what somebody else works on. What an erasure began and did not end is found by `unfinished`.
    """
    if not selectors.is_live(client):
        return []
    rows = (
        Recording.objects.filter(agency_id=client.agency_id, client_id=client.pk, due_at__lte=at)
        .filter(state=RecordingState.WITHHELD, decided_at__isnull=False)
        .filter(came_late=False, call__on_hold=False)
        .exclude(selectors.being_decided(client))
        .select_for_update(skip_locked=True, of=("self",))
        .order_by("due_at", "pk")
    )
    found = list(rows.values_list("call_id", flat=True)[:limit])
    words = (
        Transcript.objects.filter(agency_id=client.agency_id, client_id=client.pk, due_at__lte=at)
        .filter(state=TranscriptState.WITHHELD, decided_at__isnull=False, call__on_hold=False)
        .exclude(of_history())
        .exclude(selectors.being_decided(client))
        .select_for_update(skip_locked=True, of=("self",))
        .order_by("due_at", "pk")
    )
    found += words.values_list("call_id", flat=True)[: limit - len(found)]
    return list(dict.fromkeys(found))


@transaction.atomic
def change_handling(
    *,
    client: Client,
    quarantine_hours: int,
    stores_recordings: bool,
    takes_transcripts: bool,
    is_signed: bool = False,
    by: Actor,
    at: datetime,
) -> None:
    """
    Change how long what is withheld stays at a client, and whether recordings and transcripts are kept here.

    More hours move the dates of what is withheld when the job has decided it anew; fewer count for what is withheld
    from then on. Only a client that is observed, and then goes live again, gives nearer dates to what has one.

    :param is_signed: whether a compliance officer does it.
    :raises NotSignedError: other hours at a live client, and no officer signs.
    :raises HoursOutOfRangeError: fewer than one hour, or more than 90 days.
    """
    if not 1 <= quarantine_hours <= HOURS_AT_MOST:
        raise HoursOutOfRangeError(f"Enter 1 to {HOURS_AT_MOST} hours.")
    values = {
        "quarantine_hours": quarantine_hours,
        "stores_recordings": stores_recordings,
        "takes_transcripts": takes_transcripts,
    }
    # Held, so that no signature of going live comes between the look and the change.
    rows = Client.objects.select_for_update(no_key=True, of=("self",)).select_related("agency")
    client = rows.get(pk=client.pk)
    if selectors.is_live(client) and quarantine_hours != client.quarantine_hours and not is_signed:
        raise NotSignedError(client)
    before = {name: getattr(client, name) for name in values}
    changed = [name for name, value in values.items() if before[name] != value]
    if not changed:
        return
    for name in changed:
        setattr(client, name, values[name])
    client.save(update_fields=changed)
    told: dict[str, Any] = {name: values[name] for name in changed}
    told |= {f"was_{name}": before[name] for name in changed}
    audit.record("handling.changed", subject=client, by=by, at=at, **told)
    rejudging.of_client(client=client, cause="handling", at=at)
