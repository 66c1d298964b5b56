"""
What waits for people, told to the agency's own system as well: by the address, the secret and the tries of alerts.

A message says what kind of thing waits and where to sign in, as a mail does; no client, no caller, no number. What is
for one person alone goes to that person alone.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max
from django.urls import reverse

from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope
from callprivacy.work import kinds as work_kinds
from callprivacy.work.models import HANDED, Notification
from consent.services import webhooks
from retention import kinds
from retention.models import AlertEndpoint, News
from retention.services import watch

WAITS: Final = "work.waits"
_KEPT_FOR: Final = timedelta(days=7)
# Transactions that were begun earlier may commit later: so long before the newest one is looked at again.
_AGAIN: Final = timedelta(hours=1)
_AT_ONCE: Final = 500


@transaction.atomic
def switch(*, endpoint: AlertEndpoint, on: bool, by: Actor, at: datetime) -> bool:
    """Have the agency's system told what waits for people from now on, or no more; returns whether that is new."""
    rows = AlertEndpoint.objects.filter(pk=endpoint.pk, news_from__isnull=on)
    if not rows.update(news_from=at if on else None):
        return False
    audit.record("alert_endpoint.news_switched", by=by, at=at, subject=endpoint, on=on)
    return True


def _told_otherwise() -> set[str]:
    """Kinds that the system is told as alerts, or that are for one person alone."""
    alarms = {kinds.mail_kind(kind, is_over=is_over) for kind in kinds.ALARMS for is_over in (False, True)}
    return alarms | {kind.name for kind in work_kinds.every() if kind.is_own}


def collect(*, agency_id: int, at: datetime) -> int:
    """
    Queue what people were told of since the last look, once each; let go of what is a week old. Outside any scope.

    :returns: how many messages were queued.
    """
    with job_scope(agency_id=agency_id):
        News.objects.filter(agency_id=agency_id, at__lt=at - _KEPT_FOR).remove()
        endpoint = AlertEndpoint.objects.filter(agency_id=agency_id, is_active=True).first()
        if endpoint is None or endpoint.news_from is None:
            News.objects.filter(agency_id=agency_id, due_at__isnull=False).update(due_at=None)
            return 0
        newest = News.objects.filter(agency_id=agency_id).aggregate(at=Max("at"))["at"]
        # Not further back than rows are kept, or what has gone would be told again.
        since = max(endpoint.news_from, at - _KEPT_FOR, newest - _AGAIN if newest else endpoint.news_from)
        known = set(News.objects.filter(agency_id=agency_id, at__gte=since).values_list("kind", "key", "at"))
        told = (
            Notification.objects.filter(agency_id=agency_id, at__gte=since, at__lte=at)
            .exclude(kind__in=_told_otherwise())
            .exclude(key__startswith=HANDED)
            .order_by("at", "kind", "key")
            .values_list("kind", "key", "at")
            .distinct()
        )
        fresh = [row for row in told if row not in known][:_AT_ONCE]
        News.objects.bulk_create(
            (
                News(agency_id=agency_id, kind=kind, key=key, at=happened, due_at=at)
                for kind, key, happened in fresh
            ),
            ignore_conflicts=True,
        )
        return len(fresh)


def claim(*, agency_id: int, at: datetime) -> webhooks.Letter | None:
    """Claim the next message that is due; it comes back unless it is settled. Outside any scope."""
    with job_scope(agency_id=agency_id):
        row = (
            News.objects.filter(agency_id=agency_id, due_at__lte=at)
            .select_related("agency")
            .select_for_update(skip_locked=True, of=("self",))
            .order_by("due_at", "pk")
            .first()
        )
        endpoint = AlertEndpoint.objects.filter(agency_id=agency_id, is_active=True).first()
        if row is None or endpoint is None:
            return None
        News.objects.filter(pk=row.pk).update(attempts=F("attempts") + 1, due_at=at + watch.LEASE)
        return watch.letter_to(
            endpoint,
            row_id=row.pk,
            message_id=f"msg_{row.pk.hex}",
            message=_message(row),
            attempts=row.attempts + 1,
            tried_since=row.at,
            is_demo=row.agency.is_demo,
            at=at,
        )


def _message(row: News) -> Mapping[str, Any]:
    kind = work_kinds.get(row.kind)
    return {
        "type": WAITS,
        "timestamp": row.at.isoformat(),
        "data": {
            "news": str(row.pk),
            "agency": row.agency.slug,
            "kind": kind.name,
            "title": kind.title,
            "to_do": kind.step,
            "page": f"{settings.CALLPRIVACY_URL}{reverse('work:queue')}",
        },
    }


def settle(
    *, agency_id: int, letter: webhooks.Letter, status: int, words: str, chance: float, at: datetime
) -> None:
    """
    Write down what came of a message: taken, to be tried again, or given up after three days.

    :param chance: 0 to 1; spreads the pauses.
    """
    with job_scope(agency_id=agency_id):
        row = News.objects.filter(pk=letter.delivery_id, due_at__isnull=False)
        row.update(**watch.outcome(letter, status=status, words=words, chance=chance, at=at))


def newest() -> News | None:
    """The newest message of the scope's agency, with what came of it."""
    return News.objects.order_by("-at", "-pk").first()
