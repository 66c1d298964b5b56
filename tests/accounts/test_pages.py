"""Every page about clients and people, tried by everybody."""

import pytest
from django.test import Client as Browser
from django.urls import reverse

from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Invitation
from callprivacy.accounts.services import invitations
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope
from tests import cast, make
from tests.accounts.browsers import signed_in
from tests.scale import some

pytestmark = pytest.mark.django_db

ALICE, BOB, CAROL, MALLORY = "alice", "bob", "carol", "mallory"
EVERYBODY = (ALICE, BOB, CAROL, MALLORY)


@pytest.fixture
def people(cast: cast.Cast) -> cast.Cast:
    return cast


def invitation_of(people: cast.Cast) -> Invitation:
    with job_scope(agency_id=people.acme.pk):
        return invitations.invite(
            agency_id=people.acme.pk,
            email="dora@acme.example",
            name="Dora",
            role=Role.ANALYST,
            client_ids=[people.dentist.pk],
            by=Actor.staff(user_id=people.carol.user_id),
            at=make.NOON,
        )[0]


MANAGERS = {ALICE: 200, BOB: 403, CAROL: 200}
READ = {
    # name -> (arguments, what alice, bob, carol and mallory get)
    "clients": ((), {ALICE: 200, BOB: 302, CAROL: 200, MALLORY: 200}),
    "new_client": ((), MANAGERS | {MALLORY: 200}),
    "client": (("plumber",), {ALICE: 200, BOB: 404, CAROL: 200, MALLORY: 404}),
    "edit_client": (("plumber",), {ALICE: 200, BOB: 403, CAROL: 200, MALLORY: 404}),
    "edit_engagement": (("plumber",), {ALICE: 200, BOB: 403, CAROL: 200, MALLORY: 404}),
    "client_people": (("plumber",), {ALICE: 200, BOB: 404, CAROL: 200, MALLORY: 404}),
    "people": ((), MANAGERS | {MALLORY: 200}),
    "invite": ((), MANAGERS | {MALLORY: 200}),
    "matrix": ((), MANAGERS | {MALLORY: 200}),
    "person": (("bob",), MANAGERS | {MALLORY: 404}),
    "sees": (("bob",), MANAGERS | {MALLORY: 404}),
    "cell": (("bob", "plumber"), MANAGERS | {MALLORY: 404}),
    "sessions": ((), dict.fromkeys(EVERYBODY, 200)),
    "agencies": ((), dict.fromkeys(EVERYBODY, 200)),
}
WRITE = {
    "send_invitation": (("invitation",), {ALICE: 302, BOB: 403, CAROL: 302, MALLORY: 404}),
    "withdraw_invitation": (("invitation",), {ALICE: 302, BOB: 403, CAROL: 302, MALLORY: 404}),
    "change_role": (("bob",), {ALICE: 422, BOB: 403, CAROL: 422, MALLORY: 404}),
    "suspend": (("bob",), {ALICE: 302, BOB: 403, CAROL: 302, MALLORY: 404}),
    "reactivate": (("bob",), {ALICE: 302, BOB: 403, CAROL: 302, MALLORY: 404}),
}


def url_of(name: str, arguments: tuple[str, ...], people: cast.Cast) -> str:
    filled = [
        people.bob.pk if word == "bob" else invitation_of(people).pk if word == "invitation" else word
        for word in arguments
    ]
    return reverse(f"accounts:{name}", args=filled)


@pytest.mark.parametrize("who", EVERYBODY)
@pytest.mark.parametrize("name", some(READ, one_in=2))
def test_a_page_opens_for_whom_it_is_meant(people: cast.Cast, name: str, who: str) -> None:
    arguments, expected = READ[name]
    answer = signed_in(getattr(people, who)).get(url_of(name, arguments, people))
    assert answer.status_code == expected[who]
    if answer.status_code == 404:
        assert b"lumber" not in answer.content


@pytest.mark.parametrize("who", EVERYBODY)
@pytest.mark.parametrize("name", WRITE)
def test_a_deed_is_done_for_whom_it_is_meant(people: cast.Cast, name: str, who: str) -> None:
    arguments, expected = WRITE[name]
    answer = signed_in(getattr(people, who)).post(url_of(name, arguments, people))
    assert answer.status_code == expected[who]


@pytest.mark.thorough
@pytest.mark.parametrize("name", [*READ, *WRITE])
def test_a_stranger_is_asked_to_sign_in(people: cast.Cast, name: str) -> None:
    arguments, _ = (READ | WRITE)[name]
    url = url_of(name, arguments, people)
    for answer in (Browser().get(url), Browser().post(url)):
        assert answer.status_code == 302
        assert answer["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("name", some(WRITE, one_in=len(WRITE)))
def test_a_deed_is_not_done_by_reading(people: cast.Cast, name: str) -> None:
    arguments, _ = WRITE[name]
    assert signed_in(people.alice).get(url_of(name, arguments, people)).status_code == 405


def test_an_unknown_client_and_a_strangers_look_the_same(people: cast.Cast) -> None:
    browser = signed_in(people.mallory)
    foreign, none = browser.get("/clients/plumber/"), browser.get("/clients/nothing/")
    assert foreign.status_code == none.status_code == 404
    assert foreign.content == none.content


def test_bob_is_led_to_the_dentist_and_sees_nothing_else(people: cast.Cast) -> None:
    page = signed_in(people.bob).get("/clients/", follow=True).content.decode()
    assert "Dentist" in page
    assert "Plumber" not in page
    assert signed_in(people.bob).get("/clients/dentist/").status_code == 200


def test_the_closed_pages_of_the_library_are_closed(people: cast.Cast) -> None:
    browser = signed_in(people.bob)
    assert browser.get("/accounts/email/").status_code == 404
    assert browser.get("/accounts/password/set/").status_code == 404


def test_a_refusal_is_in_the_trail(people: cast.Cast) -> None:
    from callprivacy.audit.models import Event

    signed_in(people.bob).get("/people/")
    with job_scope(agency_id=people.acme.pk):
        event = Event.objects.filter(action="access.refused").get()
    assert event.actor_user_id == people.bob.user_id
    assert event.details["page"] == "accounts:people"


def test_refusals_that_repeat_are_counted_for_each_network(people: cast.Cast) -> None:
    from callprivacy.audit.models import Event

    browser = signed_in(people.bob)
    for address in ("198.51.100.7", "198.51.100.8", "203.0.113.9"):
        assert browser.get("/people/", REMOTE_ADDR=address).status_code == 403
    with job_scope(agency_id=people.acme.pk):
        found = [event.details["network"] for event in Event.objects.filter(action="access.refused")]
    assert len(set(found)) == len(found) == 2
