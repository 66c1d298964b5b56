"""The list of clients: those that need the person most first, and for what, as far as the person may know."""

import re
from datetime import timedelta

import pytest
from django.test import Client as Browser
from pytest_django import DjangoAssertNumQueries

from callprivacy.accounts import access
from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership
from callprivacy.calls.models import Connection
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.work import services as work
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast

ANNA = "+12125550101"


def _rows(membership: Membership) -> list[tuple[str, str]]:
    """(client, needs you for) of each row of the page, in order."""
    return _shown(signed_in(membership))


def _shown(browser: Browser) -> list[tuple[str, str]]:
    page = browser.get("/clients/").content.decode().split("<main")[1]
    found = re.findall(r'row-link"[^>]*>(.*?)</a>.*?Open tasks">(.*?)</td>', page, re.DOTALL)
    return [
        (name, re.sub(r"<.*?>", "", why).replace("\xa0", " ").replace("&#x27;", "'")) for name, why in found
    ]


def _item(client: Client, key: str, *, due_in: timedelta) -> None:
    now = make.now()
    with job_scope(agency_id=client.agency_id):
        work.open_item(
            "inbox_rejected",
            agency_id=client.agency_id,
            client_id=client.pk,
            key=f"{client.slug}-{key}",
            at=now - timedelta(days=3),
            due_at=now + due_in,
        )


def _connection(client: Client, *, last: timedelta | None) -> None:
    now = make.now()
    with job_scope(agency_id=client.agency_id):
        Connection.objects.create(
            agency_id=client.agency_id,
            client=client,
            provider="callrail",
            name="Tracker",
            key=f"key-{client.pk}",
            created_at=now,
            last_event_at=None if last is None else now - last,
        )


def test_a_client_that_needs_nobody_says_so(cast: Cast) -> None:
    assert _rows(cast.alice) == [("Dentist", "nothing"), ("Plumber", "nothing")]


def test_what_is_past_due_comes_before_what_waits_and_is_named(cast: Cast) -> None:
    for key in ("a", "b", "c"):
        _item(cast.dentist, key, due_in=timedelta(hours=4))
    _item(cast.plumber, "a", due_in=-timedelta(days=1))
    assert _rows(cast.alice) == [
        ("Plumber", "Tracker events that could not be read (past due)"),
        ("Dentist", "Tracker events that could not be read, and 2 more"),
    ]


def test_a_silent_tracker_and_calls_past_their_date(cast: Cast) -> None:
    _connection(cast.dentist, last=timedelta(hours=1))
    _connection(cast.plumber, last=timedelta(days=3, hours=1))
    make.call(cast.dentist, ANNA, at=make.now() - timedelta(days=400))
    assert _rows(cast.alice) == [
        ("Plumber", "Tracker silent for 3 days"),
        ("Dentist", "1 call past its date"),
    ]
    with job_scope(agency_id=cast.acme.pk):
        Connection.objects.filter(client=cast.plumber).update(last_event_at=None)
    assert _rows(cast.alice)[0] == ("Plumber", "Tracker has sent nothing yet")


def test_many_calls_past_their_date_are_not_all_counted(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.selectors._PAST_AT_MOST", 2)
    for day in (400, 401, 402):
        make.call(cast.plumber, ANNA, at=make.now() - timedelta(days=day))
    assert _rows(cast.alice)[0] == ("Plumber", "2 calls or more past their date")


def test_nobody_is_told_what_is_not_granted(cast: Cast) -> None:
    _item(cast.dentist, "a", due_in=-timedelta(days=1))
    _item(cast.plumber, "a", due_in=-timedelta(days=1))
    _connection(cast.plumber, last=None)
    make.call(cast.dentist, ANNA, at=make.now() - timedelta(days=400))
    make.call(cast.plumber, ANNA, at=make.now() - timedelta(days=400))
    barber = make.client(cast.acme, "Barber")
    make.grant(cast.bob, barber)
    # Carol manages clients and is granted none; Bob may read the dentist's calls, not repair its trackers.
    assert _rows(cast.carol) == [("Barber", "nothing"), ("Dentist", "nothing"), ("Plumber", "nothing")]
    assert _rows(cast.bob) == [("Dentist", "1 call past its date"), ("Barber", "nothing")]
    assert _rows(cast.mallory) == [("Florist", "nothing")]


def test_an_analyst_learns_of_a_silent_tracker_but_counts_no_calls(cast: Cast) -> None:
    dora = make.person(cast.acme, "dora", Role.ANALYST)
    make.grant(dora, cast.dentist)
    make.grant(dora, cast.plumber)
    _connection(cast.dentist, last=None)
    make.call(cast.dentist, ANNA, at=make.now() - timedelta(days=400))
    assert _rows(dora) == [("Dentist", "Tracker has sent nothing yet"), ("Plumber", "nothing")]


@pytest.mark.thorough
def test_the_number_of_queries_does_not_grow_with_clients(
    cast: Cast, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.bulk_create(
            Client(
                agency=cast.acme,
                slug=f"more-{number}",
                name=f"More {number:03}",
                legal_name="More Inc.",
                created_at=make.NOON,
            )
            for number in range(500)
        )
        clients = Client.objects.filter(slug__startswith="more-").values_list("pk", flat=True)
        access.write_bundle(
            agency_id=cast.acme.pk,
            user_id=cast.alice.user_id,
            client_ids=list(clients),
            bundle=Role.OFFICER,
            granted_by_id=None,
            at=make.NOON,
            ends_at=None,
        )
    _item(cast.plumber, "a", due_in=-timedelta(days=1))
    browser = signed_in(cast.alice)
    browser.get("/clients/")
    with django_assert_max_num_queries(26):
        rows = _shown(browser)
    assert rows[0][0] == "Plumber"
