"""Each role is led to where its day begins, and never to a page that it may not open."""

from collections.abc import Iterator
from datetime import timedelta
from types import ModuleType

import pytest
from django.http import HttpRequest, HttpResponse  # noqa: TID251  (a page that may come one day)
from django.test import Client as Browser
from django.urls import clear_url_caches, get_resolver, include, path

from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership
from callprivacy.urls import urlpatterns
from dashboard.views.home import LANDINGS
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.scale import some


def _landed(membership: Membership) -> str:
    """Where "/" leads; the page there opens."""
    browser = signed_in(membership)
    answer = browser.get("/")
    assert answer.status_code == 302
    assert browser.get(answer["Location"]).status_code == 200
    return answer["Location"]


def _person(cast: Cast, role: Role) -> Membership:
    person = make.person(cast.acme, f"one-{role.value}", role)
    make.grant(person, cast.dentist)
    return person


@pytest.fixture
def only_what_is_here() -> Iterator[None]:
    """Without the rooms that are not named here, so that what is said of a page to come stays true."""
    later = [entry for entry in urlpatterns if getattr(entry, "app_name", "") in {"analytics", "consent"}]
    for entry in later:
        urlpatterns.remove(entry)
    _forget_addresses()
    yield
    urlpatterns.extend(later)
    _forget_addresses()


def _forget_addresses() -> None:
    clear_url_caches()
    for name in ("url_patterns", "urlconf_module"):
        get_resolver().__dict__.pop(name, None)


@pytest.fixture
def later_rooms(only_what_is_here: None) -> Iterator[None]:
    """The rooms with the agents' desk and the reports, each as one bare page."""

    def page(_: HttpRequest) -> HttpResponse:
        return HttpResponse("here")

    rooms = []
    for app, name in (("consent", "desk"), ("analytics", "home")):
        module = ModuleType(f"tests.dashboard.{app}")
        module.urlpatterns = [path(f"later/{app}/", page, name=name)]  # type: ignore[attr-defined]  # a module made here
        module.app_name = app  # type: ignore[attr-defined]  # a module made here
        rooms.append(path("", include(module)))
    urlpatterns.extend(rooms)
    _forget_addresses()
    yield
    for room in rooms:
        urlpatterns.remove(room)


def test_every_role_has_its_row() -> None:
    assert LANDINGS.keys() == set(Role)


@pytest.mark.usefixtures("only_what_is_here")
@pytest.mark.parametrize(
    ("role", "page"),
    some(
        [
            (Role.OFFICER, "/work/"),
            (Role.ADMIN, "/people/"),
            (Role.ACCOUNT_MANAGER, "/clients/dentist/"),
            (Role.ANALYST, "/overview/"),
            (Role.REVIEWER, "/calls/"),
            (Role.AGENT, "/calls/"),
            (Role.APPROVER, "/requests/decisions/"),
            (Role.CALL_CENTRE_HEAD, "/clients/dentist/"),
        ],
        one_in=8,
        each=lambda case: case[1],
    ),
)
def test_each_role_lands_where_its_day_begins(cast: Cast, role: Role, page: str) -> None:
    assert _landed(_person(cast, role)) == page


@pytest.mark.usefixtures("later_rooms")
def test_agents_and_analysts_land_on_their_own_page_once_there_is_one(cast: Cast) -> None:
    assert _landed(_person(cast, Role.AGENT)) == "/later/consent/"
    assert _landed(_person(cast, Role.ANALYST)) == "/later/analytics/"
    assert _landed(_person(cast, Role.REVIEWER)) == "/calls/"


@pytest.mark.parametrize(
    "role",
    some(
        Role,
        one_in=len(Role),
        each=lambda role: role in {Role.ACCOUNT_MANAGER, Role.APPROVER, Role.CALL_CENTRE_HEAD},
    ),
)
def test_who_was_granted_nothing_lands_on_a_page_that_opens(cast: Cast, role: Role) -> None:
    listed = {Role.ACCOUNT_MANAGER, Role.APPROVER, Role.CALL_CENTRE_HEAD}
    expected = dict.fromkeys(listed, "/clients/") | {Role.OFFICER: "/work/", Role.ADMIN: "/people/"}

    landed = _landed(make.person(cast.acme, f"none-{role.value}", role))

    assert landed == expected.get(role, "/overview/")


def test_call_centre_head_of_two_clients_chooses(cast: Cast) -> None:
    person = _person(cast, Role.CALL_CENTRE_HEAD)
    make.grant(person, cast.plumber)

    assert _landed(person) == "/clients/"


def test_client_list_of_a_person_with_one_client_leads_to_its_workspace(cast: Cast) -> None:
    answer = signed_in(_person(cast, Role.ACCOUNT_MANAGER)).get("/clients/")

    assert (answer.status_code, answer["Location"]) == (302, "/clients/dentist/")


def test_a_grant_that_has_ended_leads_nowhere(cast: Cast) -> None:
    person = make.person(cast.acme, "was-here", Role.REVIEWER)
    make.grant(person, cast.dentist, ends_at=make.now() - timedelta(minutes=1))

    assert _landed(person) == "/overview/"


@pytest.mark.thorough
def test_the_overview_keeps_an_address_of_its_own_for_everybody(cast: Cast) -> None:
    for person in (cast.alice, cast.bob, cast.carol):
        assert signed_in(person).get("/overview/").status_code == 200


def test_a_stranger_is_led_to_the_door_and_nothing_is_done_by_post(cast: Cast) -> None:
    assert Browser().get("/")["Location"].startswith("/accounts/login/")
    assert signed_in(cast.alice).post("/").status_code == 405
