"""
Goals: setting and removing them, and the alert of a period in which one was missed.

Alerts rest on what protected reports show, whoever they go to, and a mail says no figure: an alert tells nobody more
than the reports that every person with "View analytics" can read.
"""

from datetime import date, datetime
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Q

from analytics import kinds
from analytics.enums import GoalMeasure, GoalPeriod, GoalSide
from analytics.models import Goal
from analytics.selectors import counting
from analytics.selectors import goals as selectors
from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.work import services as work

MOST: Final = 20
"""Goals of one client."""


class GoalError(ValueError):
    """A goal that cannot be set; the text says what to do."""


@transaction.atomic
def set_goal(
    *,
    client: Client,
    measure: GoalMeasure,
    missed: GoalSide,
    hundredths: int,
    period: GoalPeriod,
    by: Actor,
    at: datetime,
) -> Goal:
    """
    Set a goal; its first alert is of the period that is running.

    :raises GoalError: the client has one of this kind, or 20.
    """
    if Goal.objects.for_client(client).count() >= MOST:
        raise GoalError(f"A client has at most {MOST} goals. Remove one first.")
    goal = Goal(
        agency_id=client.agency_id,
        client=client,
        measure=measure,
        missed=missed,
        hundredths=hundredths,
        period=period,
        created_by_id=by.user_id,
        created_at=at,
    )
    try:
        with transaction.atomic():
            goal.save(force_insert=True)
    except IntegrityError:
        raise GoalError("This client already has this goal. Remove it first.") from None
    audit.record(
        "goal.set", subject=goal, by=by, at=at,
        measure=measure.value, missed=missed.value, hundredths=hundredths, period=period.value,
    )  # fmt: skip
    return goal


@transaction.atomic
def remove_goal(*, goal: Goal, by: Actor, at: datetime) -> bool:
    """Remove a goal, and its alert where one is open; returns whether it was still there."""
    if not Goal.objects.for_client(goal.client_id).filter(pk=goal.pk).delete()[0]:
        return False
    work.close_item(kinds.GOAL_MISSED, agency_id=goal.agency_id, key=str(goal.pk), at=at, by=by)
    audit.record("goal.removed", subject=goal, by=by, at=at, measure=goal.measure, period=goal.period)
    return True


def alert_missed(*, agency_id: int, by: Actor, at: datetime) -> int:
    """
    Open an item for each goal that is missed in a period for which none was opened; returns how many.

    Clients of whom many calls wait to be counted are left for the next run. In the scope of a job.
    """
    clients = list(
        Client.objects.filter(agency_id=agency_id, pk__in=Goal.objects.values("client_id")).order_by("pk")
    )
    uncounted = counting.among([client.pk for client in clients])
    opened = 0
    for client in clients:
        if client.pk not in uncounted:
            for goal, first in selectors.missed_in(selectors.rows_of(client, at=at)):
                opened += _alert(goal, first, by, at)
    return opened


@transaction.atomic
def _alert(goal: Goal, first: date, by: Actor, at: datetime) -> bool:
    news = Goal.objects.filter(Q(alerted_on=None) | Q(alerted_on__lt=first), pk=goal.pk)
    if not news.update(alerted_on=first):
        return False
    key = str(goal.pk)
    # An item of an earlier period would keep people from being notified of this one.
    work.close_item(kinds.GOAL_MISSED, agency_id=goal.agency_id, key=key, at=at, by=by)
    return work.open_item(
        kinds.GOAL_MISSED, agency_id=goal.agency_id, client_id=goal.client_id, key=key, at=at
    )
