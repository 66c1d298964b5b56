"""The permission matrix: cells, ends, own grants, the preview, and its size."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Permission as PermissionRow
from django.db import connection
from django.test.utils import CaptureQueriesContext

from callprivacy.accounts import access, selectors
from callprivacy.accounts.enums import BUNDLES, Role
from callprivacy.accounts.models import ClientGrant, Membership, User
from callprivacy.accounts.services import grants
from callprivacy.accounts.services.people import OwnRightsError
from callprivacy.audit.models import Event
from callprivacy.calls.models import Call
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope, staff_scope
from tests import cast, make
from tests.accounts.browsers import now, signed_in
from tests.make import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def people(cast: cast.Cast) -> cast.Cast:
    return cast


def cell_url(person: Membership, client: Client) -> str:
    return f"/people/{person.pk}/clients/{client.slug}/"


def names_of(person: Membership, client: Client) -> set[Permission]:
    with job_scope(agency_id=client.agency_id):
        return set(access.permissions_on(person, client.pk, at=now()))


def test_a_cell_is_changed_through_a_bundle_with_a_last_day(people: cast.Cast) -> None:
    browser = signed_in(people.alice)
    day = (now() + timedelta(days=10)).date()
    back = "/people/matrix/?q=bob"
    answer = browser.post(
        cell_url(people.bob, people.plumber), {"bundle": "analyst", "until": day.isoformat(), "back": back}
    )
    assert answer["Location"] == back
    assert names_of(people.bob, people.plumber) == set(BUNDLES[Role.ANALYST])
    with job_scope(agency_id=people.acme.pk):
        cell = selectors.cells(user_ids=[people.bob.user_id], client_ids=[people.plumber.pk])[
            people.bob.user_id, people.plumber.pk
        ]
        event = Event.objects.order_by("id").last()
    assert event is not None
    assert cell.granted_by == "Alice"
    zone = ZoneInfo("America/New_York")
    assert cell.ends_at is not None
    assert cell.ends_at > datetime.combine(day, datetime.max.time(), tzinfo=UTC)
    assert cell.ends_at.astimezone(zone).date() == day + timedelta(days=1)
    assert event.action == "grant.changed"
    assert event.client_id == people.plumber.pk
    assert event.details["bundle"] == "analyst"
    page = browser.get("/people/matrix/").content.decode()
    assert f"until {day:%-d %b %Y}" in page
    browser.post(cell_url(people.bob, people.plumber), {"bundle": "nothing"})
    assert names_of(people.bob, people.plumber) == set()


def test_a_day_that_is_over_and_an_unknown_bundle_are_refused_beside_the_field(people: cast.Cast) -> None:
    browser = signed_in(people.alice)
    url = cell_url(people.bob, people.plumber)
    assert (
        "This day is over" in browser.post(url, {"bundle": "agent", "until": "2020-01-01"}).content.decode()
    )
    assert "Pick one from the list" in browser.post(url, {"bundle": "king"}).content.decode()
    assert names_of(people.bob, people.plumber) == set()


def test_the_way_back_stays_in_the_house(people: cast.Cast) -> None:
    browser = signed_in(people.alice)
    for back in ("https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"):
        answer = browser.post(cell_url(people.bob, people.plumber), {"bundle": "agent", "back": back})
        assert answer["Location"] == f"/people/{people.bob.pk}/"


def test_the_dialog_is_the_form_alone(people: cast.Cast) -> None:
    answer = signed_in(people.alice).get(
        cell_url(people.bob, people.dentist),
        headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/people/matrix/?clients=2"},
    )
    page = answer.content.decode()
    assert "<html" not in page
    assert "/people/matrix/?clients=2" in page
    assert "Reviewer, granted by the system" in page


def test_nobody_grants_themselves_anything_while_somebody_else_can(people: cast.Cast) -> None:
    answer = signed_in(people.carol).post(cell_url(people.carol, people.dentist), {"bundle": "reviewer"})
    assert answer.status_code == 200
    assert "You cannot change your own grants" in answer.content.decode()
    assert names_of(people.carol, people.dentist) == set()
    carol = Actor.staff(user_id=people.carol.user_id)
    with job_scope(agency_id=people.acme.pk):
        with pytest.raises(OwnRightsError):
            grants.set_bundle(
                membership=people.carol,
                client=people.dentist,
                bundle=Role.REVIEWER,
                by=carol,
                at=NOON,
                ends_at=None,
            )
        Membership.objects.filter(pk=people.alice.pk).update(state="suspended")
        grants.set_bundle(
            membership=people.carol,
            client=people.dentist,
            bundle=Role.REVIEWER,
            by=carol,
            at=NOON,
            ends_at=None,
        )
    assert names_of(people.carol, people.dentist) == BUNDLES[Role.REVIEWER]


def test_who_approves_for_a_client_is_on_its_side_by_bundle_and_by_role(people: cast.Cast) -> None:
    """Else one of the agency's people would look after requests by the client's bundle, and decide them."""
    carol, role = signed_in(people.carol), f"/people/{people.bob.pk}/role/"
    page = carol.post(cell_url(people.bob, people.dentist), {"bundle": "approver"}).content.decode()
    assert "is on its side" in page
    assert names_of(people.bob, people.dentist) == BUNDLES[Role.REVIEWER]
    assert carol.post(role, {"role": "approver"}).status_code == 302
    assert carol.post(cell_url(people.bob, people.dentist), {"bundle": "approver"}).status_code == 302
    refused = carol.post(role, {"role": "reviewer"})
    assert refused.status_code == 422
    assert "Approves for Dentist" in refused.content.decode()
    assert carol.post(role, {"role": "call_centre_head"}).status_code == 302
    assert signed_in(people.bob).get("/requests/new/").status_code == 403


def test_a_grant_that_ended_is_honoured_neither_by_python_nor_by_postgresql(people: cast.Cast) -> None:
    make.call(people.dentist, "+12125550101")
    at = now()

    def seen() -> tuple[bool, int, int]:
        with staff_scope(agency_id=people.acme.pk, user_id=people.bob.user_id), connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM calls_call")
            calls = cursor.fetchone()[0]
            cursor.execute("SELECT count(*) FROM scope_clients('view_client')")
            return (
                access.may(people.bob, Permission.VIEW_CALLS, people.dentist, at=at),
                calls,
                cursor.fetchone()[0],
            )

    make.grant(people.bob, people.dentist, ends_at=at + timedelta(hours=1))
    assert seen() == (True, 1, 1)
    make.grant(people.bob, people.dentist, ends_at=at - timedelta(hours=1))
    assert seen() == (False, 0, 0)
    browser = signed_in(people.bob)
    assert browser.get("/clients/dentist/").status_code == 404
    page = signed_in(people.alice).get("/people/matrix/").content.decode()
    assert "ended " in page


def test_the_preview_says_clients_permissions_and_how_many_calls(people: cast.Cast) -> None:
    for number in ("+12125550101", "+12125550102", None):
        make.call(people.dentist, number)
    make.call(people.plumber, "+12125550103")
    for manager in (people.alice, people.carol):
        page = signed_in(manager).get(f"/people/{people.bob.pk}/sees/").content.decode()
        assert "Dentist" in page
        assert "reveal numbers" in page
        assert "Plumber" not in page.split("<main")[1]
        assert ">3<" in page.replace("\n", "").replace(" ", "")
    with staff_scope(agency_id=people.acme.pk, user_id=people.carol.user_id):
        assert selectors.count_calls_seen_by(people.bob) == 3
        assert Call.objects.count() == 0
        assert selectors.count_calls_seen_by(people.mallory) == 0
    with staff_scope(agency_id=people.acme.pk, user_id=people.bob.user_id):
        assert selectors.count_calls_seen_by(people.alice) == 0
    with job_scope(agency_id=people.acme.pk):
        Membership.objects.filter(pk=people.bob.pk).update(state="suspended")
        assert selectors.count_calls_seen_by(people.bob) == 0


def crowd(people: cast.Cast) -> None:
    """A hundred people and five hundred clients, half of the cells granted."""
    acme = people.acme
    users = User.objects.bulk_create(
        User(email=f"p{n:03}@acme.example", name=f"Person {n:03}", password="!") for n in range(97)
    )
    with job_scope(agency_id=acme.pk):
        Membership.objects.bulk_create(
            Membership(agency=acme, user=user, role=Role.REVIEWER, created_at=NOON) for user in users
        )
        clients = Client.objects.bulk_create(
            Client(agency=acme, slug=f"c{n:03}", name=f"Client {n:03}", legal_name="C", created_at=NOON)
            for n in range(498)
        )
        rows = list(
            PermissionRow.objects.filter(
                codename__in=list(BUNDLES[Role.ANALYST]), content_type__model="client"
            )
        )
        ClientGrant.objects.bulk_create(
            [
                ClientGrant(
                    agency=acme,
                    user=user,
                    content_object=client,
                    permission=row,
                    bundle=Role.ANALYST,
                    granted_by=people.alice.user,
                    granted_at=NOON,
                )
                for n, user in enumerate(users)
                for client in clients[n % 10 :: 10]
                for row in rows
            ],
            batch_size=5000,
        )


def test_a_hundred_people_by_five_hundred_clients(people: cast.Cast) -> None:
    browser = signed_in(people.alice)

    def look(url: str) -> tuple[int, int]:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            answer = browser.get(url)
        assert answer.status_code == 200
        return len(asked), len(answer.content)

    look("/people/matrix/")
    few_asked, _ = look("/people/matrix/")
    crowd(people)
    for url in (
        "/people/matrix/",
        "/people/matrix/?people=4&clients=50",
        "/people/matrix/?q=person&c=client 1",
    ):
        asked, size = look(url)
        assert asked <= few_asked
        assert size < 260_000
    page = browser.get("/people/matrix/?people=2&clients=3&q=person").content.decode()
    assert "1–25 of" not in page
    assert "26–50 of 97 people" in page
    assert "21–30 of 500 clients" in page
    assert page.count('class="matrix-cell') == 25 * 10
    for url in ("/people/", "/clients/", f"/people/{people.bob.pk}/", "/people/invite/", "/clients/new/"):
        look(url)
        asked, size = look(url)
        assert asked <= 22, url
        assert size < 400_000, url


def test_bundles_given_before_the_desk_had_a_permission_are_brought_up(people: cast.Cast) -> None:
    """An agent's bundle loses what it had too much; who manages consent works at the desk, too."""
    from importlib import import_module

    migration = import_module("callprivacy.accounts.migrations.0006_agents_work_at_the_desk")
    make.grant(people.bob, people.plumber, Role.AGENT)
    make.grant(people.carol, people.plumber, Role.ACCOUNT_MANAGER, without=Permission.ANSWER_CALLS)
    with job_scope(agency_id=people.acme.pk), connection.cursor() as cursor:
        desk, consent = (
            PermissionRow.objects.get(codename=name) for name in ("answer_calls", "manage_consent")
        )
        ClientGrant.objects.filter(user_id=people.bob.user_id, permission=desk).update(permission=consent)
        cursor.execute(migration._HAVE)
    assert names_of(people.bob, people.plumber) == set(BUNDLES[Role.AGENT])
    assert names_of(people.carol, people.plumber) == set(BUNDLES[Role.ACCOUNT_MANAGER])
