"""The demo: the same every time, fictitious numbers only, and gone with one deed."""

from __future__ import annotations

import re
from datetime import date

import pytest
from django.db import connections

from callprivacy.accounts.models import Membership, User
from callprivacy.calls.models import Call, Recording
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from dashboard import demo, services
from tests import make

FICTION = re.compile(r"\+1\d{3}55501\d\d|\+442079460\d{3}|\+493023125\d{3}|\+3319900\d{4}")


def _facts() -> list[object]:
    return [fact for client in demo.CLIENTS for fact in demo.calls_of(client, until=date(2026, 11, 25))]


def test_the_same_day_gives_the_same_past() -> None:
    assert _facts() == _facts()


def test_every_number_is_reserved_for_fiction() -> None:
    numbers = {fact.caller for fact in _facts() if fact.caller}  # type: ignore[attr-defined]
    numbers |= {number for client in demo.CLIENTS for number in demo.tracking_numbers(client)}

    assert [number for number in numbers if not FICTION.fullmatch(number)] == []


def test_about_twenty_thousand_calls_with_a_week_in_them() -> None:
    facts = _facts()
    weekdays = [0] * 7
    for fact in facts:
        weekdays[fact.started_at.weekday()] += 1  # type: ignore[attr-defined]

    assert 19_000 <= len(facts) <= 21_000
    assert weekdays[0] > 3 * weekdays[6]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "DAYS", 3)


@pytest.mark.django_db
@pytest.mark.usefixtures("small")
def test_the_demo_is_made_once_and_removed_as_a_whole() -> None:
    told: list[str] = []
    agency = services.make_demo(password=make.PASSWORD, at=make.NOON, progress=told.append)
    with job_scope(agency_id=agency.pk):
        assert Client.objects.count() == len(told) == 12
        assert Membership.objects.count() == 8
        assert Call.objects.count() > 300
        assert Recording.objects.exclude(state="withheld").count() == 0
    with pytest.raises(services.DemoExistsError):
        services.make_demo(password=make.PASSWORD, at=make.NOON, progress=told.append)

    services.remove_demo(agency_id=agency.pk, by=make.JOB, at=make.NOON)

    with connections["vault"].cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM vault_caller) + (SELECT count(*) FROM vault_clientkey WHERE client_id > 0)"
        )
        assert cursor.fetchone()[0] == 0
    with job_scope(agency_id=agency.pk):
        assert (Call.objects.count(), Client.objects.count(), Membership.objects.count()) == (0, 0, 0)
    assert not User.objects.filter(email__endswith="@northlight.example").exists()


@pytest.mark.django_db
def test_an_agency_that_is_no_demo_is_not_removed(cast: object) -> None:
    agency = cast.acme  # type: ignore[attr-defined]
    with pytest.raises(services.NotADemoError):
        services.remove_demo(agency_id=agency.pk, by=make.JOB, at=make.NOON)
    with job_scope(agency_id=agency.pk):
        assert Client.objects.count() == 2
