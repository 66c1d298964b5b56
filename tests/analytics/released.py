"""Calls that can be released, and a release brought to where a test needs it."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from analytics.models.releases import Recipient, Release, ReleaseKind, ReleaseTrial
from analytics.services import building, recipients, releases
from analytics.services.building import Work
from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership
from callprivacy.calls.enums import Direction, Outcome
from callprivacy.calls.models import Caller
from callprivacy.calls.providers.base import CallFacts
from callprivacy.calls.services import intake
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from consent.enums import Basis, Channel, EventKind, Purpose, Scope, Strength
from consent.services import ledger
from consent.services.ledger import Said
from tests import make
from tests.cast import Cast

FIRST = next(
    first
    for first in (make.NOON.date() - timedelta(days=38 + back) for back in range(100))
    if first.day == (first + timedelta(days=31)).day == 1
)
"""The first day of the latest month of 31 days that ended a week before noon."""
COLUMNS = ("day", "place", "seconds", "source", "outcome")
LAST = FIRST + timedelta(days=30)
_SOURCES = ("Google Ads", "Google Organic", "Facebook Ads", "Direct")
_PLACES = ("NY", "NJ", "CT", "CA", "TX")


def number(who: int) -> str:
    """The number of the caller with this place in the list."""
    return f"+1212555{who:04}"


def fill(client: Client, *, callers: int = 60, days: int = 31, calls_each: int = 2) -> None:
    """Calls of so many callers, spread over the days from `FIRST`; the same for the same arguments."""
    chance = random.Random(callers)
    facts = [
        CallFacts(
            started_at=datetime.combine(FIRST, datetime.min.time(), tzinfo=make.NOON.tzinfo)
            + timedelta(
                days=chance.randrange(days), hours=13 + chance.randrange(9), minutes=chance.randrange(60)
            ),
            direction=Direction.INBOUND,
            seconds=chance.randrange(600),
            outcome=chance.choice([Outcome.ANSWERED, Outcome.ANSWERED, Outcome.MISSED, Outcome.VOICEMAIL]),
            caller=number(who),
            source=chance.choice(_SOURCES),
            country="US",
            region=chance.choice(_PLACES),
        )
        for who in range(callers)
        for _ in range(calls_each)
    ]
    intake.take_in(
        client=client,
        provider="generic",
        connection_id=None,
        facts=facts,
        way=intake.Way.IMPORT,
        at=make.NOON,
    )


def officer(cast: Cast, name: str = "olga") -> Membership:
    """A second officer who may release the dentist's and the plumber's data."""
    member = make.person(cast.acme, name, Role.OFFICER)
    for client in (cast.dentist, cast.plumber):
        make.grant(member, client)
    return member


def recipient(client: Client, by: Membership, name: str = "Northwind Analytics", **fields: Any) -> Recipient:
    """A recipient with a contract."""
    with job_scope(agency_id=client.agency_id):
        return recipients.add_recipient(
            client=client,
            name=name,
            email=fields.pop("email", "data@northwind.example"),
            contract=fields.pop("contract", "Agreement of 3 March 2026"),
            epsilon=fields.pop("epsilon", Decimal(1)),
            by=Actor.staff(user_id=by.user_id),
            at=make.NOON,
        )


def wish(**fields: Any) -> releases.Wish:
    """The month from `FIRST`, anonymised."""
    return releases.Wish(
        kind=fields.pop("kind", ReleaseKind.ANONYMISED),
        purpose=fields.pop("purpose", "Model which campaign brings calls"),
        columns=fields.pop("columns", COLUMNS),
        from_on=fields.pop("from_on", FIRST),
        until_on=fields.pop("until_on", FIRST + timedelta(days=31)),
        keep_for_days=fields.pop("keep_for_days", 30),
    )


def draft(to: Recipient, by: Membership, *, at: datetime = make.NOON, **fields: Any) -> Release:
    """A draft for a recipient."""
    with job_scope(agency_id=to.agency_id):
        client = Client.objects.select_related("agency").get(pk=to.client_id)
        return releases.draft_release(
            client=client, recipient=to, wish=wish(**fields), by=Actor.staff(user_id=by.user_id), at=at
        )


def tried(release: Release, *, at: datetime = make.NOON, k: int = 11, **setting: Any) -> ReleaseTrial:
    """What a setting was found to cost."""
    with job_scope(agency_id=release.agency_id):
        trial = releases.ask_trial(
            release=release, k=k, l=setting.pop("l", None), t=setting.pop("t", None), at=at
        )
    building.run_trial(due=Work(release.agency_id, trial.pk), clock=lambda: at)
    with job_scope(agency_id=release.agency_id):
        return ReleaseTrial.objects.get(pk=trial.pk)


def proposed(release: Release, by: Membership, *, at: datetime = make.NOON, **setting: Any) -> Release:
    """The release as it waits for a second officer."""
    trial = tried(release, at=at, **setting)
    with job_scope(agency_id=release.agency_id):
        releases.propose(release=release, trial=trial, by=Actor.staff(user_id=by.user_id), at=at)
    return fresh(release)


def signed(release: Release, by: Membership, *, at: datetime = make.NOON) -> Release:
    """The release as a second officer signed it and a worker took it up."""
    with job_scope(agency_id=release.agency_id):
        releases.approve(release=release, officer=by, at=at)
    building.build(due=Work(release.agency_id, release.pk), clock=lambda: at)
    return fresh(release)


def released(
    to: Recipient, by: Sequence[Membership], *, at: datetime = make.NOON, k: int = 11, **fields: Any
) -> Release:
    """From the draft to the file, proposed by the first person and signed by the second."""
    return signed(proposed(draft(to, by[0], at=at, **fields), by[0], at=at, k=k), by[1], at=at)


def fresh(release: Release) -> Release:
    """The release as it stands now."""
    with job_scope(agency_id=release.agency_id):
        return Release.objects.select_related("recipient", "client__agency", "groups").get(pk=release.pk)


def agree(client: Client) -> None:
    """Every caller of a client has agreed to sharing, twice, as the law of no place could ask more."""
    with job_scope(agency_id=client.agency_id):
        callers = list(Caller.objects.for_client(client).values_list("pk", flat=True))
        ledger.record_events(
            client=client,
            said=[
                Said(
                    caller_id=caller_id, purpose=Purpose.SHARE, kind=EventKind.RENEWED, basis=Basis.CONSENT,
                    scope=Scope.STANDING, channel=Channel.WEB, strength=Strength.A,
                    happened_at=make.NOON - timedelta(days=200), source=f"agreed {caller_id}",
                )
                for caller_id in callers
            ],
            by=make.JOB,
            at=make.NOON,
        )  # fmt: skip
