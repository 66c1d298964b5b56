"""Clients: a new one, its profile and engagement, who sees it, and the order of the list."""

import pytest

from callprivacy.accounts import selectors
from callprivacy.accounts.models import ClientGrant, User
from callprivacy.audit.models import Event
from callprivacy.tenancy.models import Client, Engagement, Place
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault
from tests import cast
from tests.accounts.browsers import signed_in

pytestmark = pytest.mark.django_db
NEW = {
    "name": "Bakery",
    "legal_name": "Bakery Inc.",
    "sector": "retail",
    "time_zone": "America/Chicago",
    "home_country": "us",
    "places": "us-il, DE us-il",
    "brand_colour": "#123abc",
    "policy_url": "https://bakery.example/privacy",
}
AGREED = {
    "measure_as": "controller",
    "record_as": "processor",
    "contact_as": "joint",
    "contract_on": "2026-01-02",
    "dpa_on": "",
    "answered_by": "client",
    "breach_notice_hours": "48",
    "at_end": "return",
    "instructions": "Only weekdays.",
}


@pytest.fixture
def people(cast: cast.Cast) -> cast.Cast:
    return cast


def test_a_new_client_has_keys_places_an_engagement_and_who_works_for_it(people: cast.Cast) -> None:
    answer = signed_in(people.carol).post("/clients/new/", NEW | {"people": [people.bob.pk]})
    assert answer["Location"] == "/clients/bakery/"
    with job_scope(agency_id=people.acme.pk):
        bakery = Client.objects.get(slug="bakery")
        places = {str(place) for place in Place.objects.for_client(bakery)}
        held = set(ClientGrant.objects.filter(content_object=bakery).values_list("user__name", "bundle"))
        assert Engagement.objects.for_client(bakery).exists()
    assert (bakery.sector, bakery.home_country, bakery.time_zone) == ("retail", "US", "America/Chicago")
    assert places == {"US-IL", "DE"}
    assert held == {("Alice", "officer"), ("Bob", "reviewer")}
    assert vault.client_keys(bakery.pk).generation == 1
    assert signed_in(people.bob).get("/clients/bakery/people/").status_code == 200


def test_a_country_is_kept_by_its_code_whatever_people_write_for_it(people: cast.Cast) -> None:
    """Laws on breaches and requests know no UK, so none of Britain held for a client of that country."""
    written = {"home_country": "uk", "places": "UK, EL, UK-SCT, us-il"}
    assert signed_in(people.carol).post("/clients/new/", NEW | written)["Location"] == "/clients/bakery/"
    with job_scope(agency_id=people.acme.pk):
        bakery = Client.objects.get(slug="bakery")
        places = {str(place) for place in Place.objects.for_client(bakery)}
    assert bakery.home_country == "GB"
    assert places == {"GB", "GR", "GB-SCT", "US-IL"}


def test_who_is_switched_off_works_for_no_new_client(people: cast.Cast) -> None:
    User.objects.filter(pk__in=[people.alice.user_id, people.bob.user_id]).update(is_active=False)
    carol = signed_in(people.carol)
    assert "Pick one from the list" in (
        carol.post("/clients/new/", NEW | {"people": [people.bob.pk]}).content.decode()
    )

    assert carol.post("/clients/new/", NEW)["Location"] == "/clients/bakery/"

    with job_scope(agency_id=people.acme.pk):
        assert not ClientGrant.objects.filter(content_object__slug="bakery").exists()


def test_who_makes_a_client_does_not_grant_it_to_themselves(people: cast.Cast) -> None:
    answer = signed_in(people.carol).post("/clients/new/", NEW | {"people": [people.carol.pk]})
    assert "Pick one from the list" in answer.content.decode()


def test_a_name_that_is_taken_is_refused_and_a_reserved_one_is_bent(people: cast.Cast) -> None:
    browser = signed_in(people.alice)
    answer = browser.post("/clients/new/", NEW | {"name": "dentist"})
    assert "Another client has this short name" in answer.content.decode()
    assert browser.post("/clients/new/", NEW | {"name": "New"})["Location"] == "/clients/new-client/"
    assert browser.get("/clients/new-client/").status_code == 200


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("places", "California", "CALIFORNIA is no place"),
        pytest.param("places", "", "required", marks=pytest.mark.thorough),
        ("home_country", "U1", "Write two letters"),
        ("brand_colour", "red", "Write it as #2f5d62"),
        pytest.param("time_zone", "Mars/Base", "Pick one from the list", marks=pytest.mark.thorough),
        ("policy_url", "javascript:alert(1)", "Enter a valid URL"),
    ],
)
def test_bad_input_is_told_beside_its_field(people: cast.Cast, field: str, value: str, words: str) -> None:
    page = signed_in(people.alice).post("/clients/new/", NEW | {field: value}).content.decode()
    assert words in page


def test_a_profile_is_changed_and_the_trail_names_the_fields_only(people: cast.Cast) -> None:
    browser = signed_in(people.alice)
    assert "US-CA" in browser.get("/clients/dentist/edit/").content.decode()
    changed = NEW | {"name": "Dentists", "places": "US-CA, US-NV"}
    assert browser.post("/clients/dentist/edit/", changed)["Location"] == "/clients/dentist/"
    assert "US-CA, US-NV" in browser.get("/clients/dentist/").content.decode()
    with job_scope(agency_id=people.acme.pk):
        event = Event.objects.order_by("id").last()
    assert event is not None
    assert event.action == "client.changed"
    assert "places" in event.details["fields"]
    assert "Bakery" not in str(event.details)
    browser.post("/clients/dentist/edit/", changed)
    with job_scope(agency_id=people.acme.pk):
        assert Event.objects.filter(action="client.changed").count() == 1


def test_an_engagement_is_changed(people: cast.Cast) -> None:
    browser = signed_in(people.carol)
    assert browser.post("/clients/dentist/engagement/", AGREED).status_code == 302
    page = browser.get("/clients/dentist/").content.decode()
    for words in ("Joint controller", "2 Jan 2026", "48 hours", "Return, then erase", "Only weekdays."):
        assert words in page
    answer = browser.post("/clients/dentist/engagement/", AGREED | {"breach_notice_hours": "0"})
    assert answer.status_code == 200


def test_the_list_asks_a_higher_room_who_is_worst_off(
    people: cast.Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "_ranks", [])
    browser = signed_in(people.alice)

    def order() -> bool:
        page = browser.get("/clients/").content.decode().split("<main")[1]
        return page.index("Dentist") < page.index("Plumber")

    assert order()
    selectors.rank_clients_by(lambda *_: {people.plumber.pk: (5, "12 calls withheld")})
    assert not order()
    assert "12 calls withheld" in browser.get("/clients/").content.decode()


def test_the_people_of_a_client_and_until_when(people: cast.Cast) -> None:
    page = signed_in(people.bob).get("/clients/dentist/people/").content.decode().split("<main")[1]
    assert "Alice" in page
    assert "Bob" in page
    assert "Carol" not in page
