"""
What of the demo's calls went to somebody outside: a file that is out, one that waits for its second signature, and
noisy figures that were asked for. Made by the same services and jobs as in life.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from analytics.models.releases import Recipient, Release, ReleaseKind
from analytics.noise import Bounds
from analytics.selectors.noisy import Question
from analytics.services import building, noisy, recipients, releases
from analytics.services.building import Work
from analytics.services.noisy import Unanswered
from callprivacy.accounts.models import Membership
from callprivacy.lib import calendars
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope

_COLUMNS: Final = ("day", "hour", "seconds", "source", "outcome")
_SIGNED_BEFORE: Final = timedelta(days=12)


def fill(client: Client, *, proposer: Membership, officer: Membership, at: datetime) -> None:
    """
    Release a month of a client's calls, let the next one wait, and ask for figures by channel. Outside any scope.

    :param proposer: who may release the client's data, and :param officer: who signs.
    """
    by = Actor.staff(user_id=proposer.user_id)
    then = at - _SIGNED_BEFORE
    with job_scope(agency_id=client.agency_id):
        to = recipients.add_recipient(
            client=client,
            name="Tidewater Media Lab",
            email="data@tidewater-media.example",
            contract="Data processing agreement of 4 May 2026",
            epsilon=Decimal(1),
            by=by,
            at=then - timedelta(days=30),
        )
    today = calendars.day_in(client.time_zone, at)
    for until_on, when, purpose in (
        (today - timedelta(days=30), then, "Model which campaigns bring calls that are answered"),
        (today, at - timedelta(hours=20), "The same model, brought up to the last month"),
    ):
        wish = releases.Wish(
            kind=ReleaseKind.ANONYMISED,
            purpose=purpose,
            columns=_COLUMNS,
            from_on=until_on - timedelta(days=30),
            until_on=until_on,
            keep_for_days=90,
        )
        release = _proposed(client, to, wish, by, when)
        if release is not None and when == then:
            with job_scope(agency_id=client.agency_id):
                releases.approve(release=release, officer=officer, at=when + timedelta(hours=2))
            work = Work(client.agency_id, release.pk)
            building.build(due=work, clock=lambda: then + timedelta(hours=2))
    _asked(to, by, at - timedelta(hours=26))


def _proposed(client: Client, to: Recipient, wish: releases.Wish, by: Actor, at: datetime) -> Release | None:
    """A release as it waits; None where there are too few calls for one."""
    with job_scope(agency_id=client.agency_id):
        release = releases.draft_release(client=client, recipient=to, wish=wish, by=by, at=at)
        trial = releases.ask_trial(release=release, k=11, l=2, t=None, at=at)
    building.run_trial(due=Work(client.agency_id, trial.pk), clock=lambda: at)
    try:
        with job_scope(agency_id=client.agency_id):
            releases.propose(release=release, trial=trial, by=by, at=at)
    except releases.NotReleasableError:
        with job_scope(agency_id=client.agency_id):
            releases.withdraw(release=release, by=by, at=at)
        return None
    return release


def _asked(to: Recipient, by: Actor, at: datetime) -> None:
    until_on = at.date()
    with job_scope(agency_id=to.agency_id):
        row = noisy.spend(
            recipient=to,
            question=Question(
                measure="calls",
                by="weekday",
                from_on=until_on - timedelta(days=60),
                until_on=until_on,
                bounds=Bounds(calls=3),
            ),
            epsilon=Decimal("0.25"),
            by=by,
            at=at,
        )
    noisy.answer(due=Unanswered(to.agency_id, row.pk), clock=lambda: at)
