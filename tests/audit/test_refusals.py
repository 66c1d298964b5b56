"""Refusals that repeat: one event at once, and one with the number of the others when their hour is over."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings as installed
from django.core.cache import caches
from pytest_django import Settings

from callprivacy.accounts.models import Membership
from callprivacy.audit import services as audit
from callprivacy.audit.models import Event
from callprivacy.lib.caches import client
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope
from tests import make
from tests.cast import Cast
from tests.make import NOON

HOUR = timedelta(hours=1)


def refuse(person: Membership, *, at: datetime = NOON, **details: Any) -> None:
    by, facts = Actor.staff(user_id=person.user_id), {"page": "accounts:people"} | details
    with job_scope(agency_id=person.agency_id):
        audit.record_refusal("access.refused", by=by, at=at, agency_id=person.agency_id, **facts)


def events(cast: Cast) -> list[Event]:
    with job_scope(agency_id=cast.acme.pk):
        return list(Event.objects.filter(action="access.refused").order_by("id"))


def test_fifty_refusals_in_a_minute_are_one_event_and_later_49_more(cast: Cast) -> None:
    for second in range(50):
        refuse(cast.bob, at=NOON + timedelta(seconds=second))
    audit.fold_refusals(at=NOON + HOUR - timedelta(seconds=1))
    (first,) = events(cast)

    for _ in range(2):
        audit.fold_refusals(at=NOON + HOUR)

    assert first.details == {"page": "accounts:people"}
    folded = events(cast)[-1]
    assert len(events(cast)) == 2
    assert (folded.actor_user_id, folded.actor_name) == (cast.bob.user_id, first.actor_name)
    since, until = (datetime.fromisoformat(folded.details[name]) for name in ("since", "until"))
    assert (folded.details["page"], folded.details["more"]) == ("accounts:people", 49)
    assert (since, until) == (NOON, NOON + timedelta(seconds=49))


def test_another_person_page_or_address_is_an_event_of_its_own(cast: Cast) -> None:
    for _ in range(2):
        refuse(cast.bob)
        refuse(cast.carol)
        refuse(cast.bob, page="accounts:invite")
        refuse(cast.bob, network="0123456789abcdef")
    assert len(events(cast)) == 4


def test_one_refusal_an_hour_is_one_event_each(cast: Cast) -> None:
    for hour in range(3):
        refuse(cast.bob, at=NOON + hour * HOUR)
        audit.fold_refusals(at=NOON + (hour + 1) * HOUR)
    assert [event.details for event in events(cast)] == [{"page": "accounts:people"}] * 3


def test_a_refusal_after_the_hour_records_the_number_where_no_job_has(cast: Cast) -> None:
    for at in (NOON, NOON + timedelta(minutes=1), NOON + HOUR):
        refuse(cast.bob, at=at)
    assert [event.details.get("more") for event in events(cast)] == [None, 2]


def test_without_valkey_each_is_an_event_unless_its_caller_limits_them(
    cast: Cast, settings: Settings
) -> None:
    settings.CACHES = {
        name: cache | {"LOCATION": "redis://127.0.0.1:1/0"} for name, cache in installed.CACHES.items()
    }
    for is_due in (True, True, False):
        refuse(cast.bob, is_due=is_due)
    audit.fold_refusals(at=NOON + HOUR)
    assert len(events(cast)) == 2


@pytest.mark.parametrize(
    "kept",
    [
        {"event": "{agency}:{other}", "number": 9, "until": NOON.isoformat()},
        {"event": "{agency}:0", "number": 9, "until": NOON.isoformat()},
        {"event": "nothing", "number": 9, "until": NOON.isoformat()},
        {"event": "{agency}:{other}", "number": "many", "until": "never"},
        {"number": 9, "until": NOON.isoformat()},
    ],
)
def test_what_valkey_invents_is_no_event(cast: Cast, kept: dict[str, Any]) -> None:
    with job_scope(agency_id=cast.acme.pk):
        other = audit.record("call.erased", by=make.JOB, at=NOON)
        before = Event.objects.count()
    hints = caches["hints"]
    facts: Any = {
        name: str(value).format(agency=cast.acme.pk, other=other.pk) for name, value in kept.items()
    }
    client().hset(hints.make_key("refused:invented"), mapping=facts)
    client().zadd(hints.make_key("refused"), {"invented": NOON.timestamp()})

    audit.fold_refusals(at=NOON)

    with job_scope(agency_id=cast.acme.pk):
        assert Event.objects.count() == before
