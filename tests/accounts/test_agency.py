"""The agency's own settings: who changes what, what the trail says of it, and what the limit then does."""

from datetime import timedelta

import pytest
from django.test import Client as Browser

from callprivacy.accounts.enums import Role
from callprivacy.audit import services as audit
from callprivacy.audit.models import Event
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Agency
from callprivacy.tenancy.scope import job_scope
from tests import cast, make
from tests.accounts.browsers import now, signed_in

pytestmark = pytest.mark.django_db
SETTINGS = {
    "name": "Acme Media", "time_zone": "America/Chicago", "reveals_per_hour": "7", "needs_second_for_live": "on",
}  # fmt: skip


@pytest.fixture
def people(cast: cast.Cast) -> cast.Cast:
    return cast


def agency_of(people: cast.Cast) -> tuple[str, str, int]:
    with job_scope(agency_id=people.acme.pk):
        agency = Agency.objects.get(pk=people.acme.pk)
    return agency.name, agency.time_zone, agency.reveals_per_hour


def changes_of(people: cast.Cast) -> list[dict[str, object]]:
    with job_scope(agency_id=people.acme.pk):
        return list(
            Event.objects.filter(action="agency.changed").order_by("id").values_list("details", flat=True)
        )


def test_an_officer_changes_everything_and_the_trail_says_what(people: cast.Cast) -> None:
    browser = signed_in(people.alice)
    assert browser.post("/agency/", SETTINGS)["Location"] == "/agency/"
    assert agency_of(people) == ("Acme Media", "America/Chicago", 7)
    assert changes_of(people) == [{"fields": "name, time_zone, reveals_per_hour", "before": 20, "after": 7}]
    browser.post("/agency/", SETTINGS)
    assert len(changes_of(people)) == 1
    assert "Acme Media" in browser.get("/agency/").content.decode()


def test_an_admin_changes_all_but_the_limit(people: cast.Cast) -> None:
    browser = signed_in(people.carol)
    assert "Only a compliance officer can change this." in browser.get("/agency/").content.decode()
    browser.post("/agency/", SETTINGS)
    assert agency_of(people) == ("Acme Media", "America/Chicago", 20)
    assert changes_of(people) == [{"fields": "name, time_zone"}]


def test_nobody_else_reads_or_changes_it(people: cast.Cast) -> None:
    for browser, answer in ((signed_in(people.bob), 403), (Browser(), 302)):
        assert browser.get("/agency/").status_code == answer
        assert browser.post("/agency/", SETTINGS).status_code == answer
    signed_in(people.mallory).post("/agency/", SETTINGS)
    assert agency_of(people) == ("Acme", "America/New_York", 20)
    assert changes_of(people) == []


@pytest.mark.parametrize(
    ("who", "colleague", "is_on"),
    [
        ("alice", False, False),
        ("alice", True, True),
        ("carol", True, True),
        ("carol", False, True),
    ],
)
def test_an_officer_does_not_turn_off_another_officers_signature(
    people: cast.Cast, who: str, colleague: bool, is_on: bool
) -> None:
    if colleague:
        make.person(people.acme, "erin", Role.OFFICER)
    without = {name: value for name, value in SETTINGS.items() if name != "needs_second_for_live"}
    signed_in(getattr(people, who)).post("/agency/", without)
    with job_scope(agency_id=people.acme.pk):
        assert Agency.objects.get().needs_second_for_live is is_on
    (recorded,) = changes_of(people)
    assert recorded.get("second_for_live", True) is is_on


@pytest.mark.parametrize(
    ("field", "value"),
    [("reveals_per_hour", "0"), ("reveals_per_hour", "1001"), ("time_zone", "Mars/Base"), ("name", "")],
)
def test_bad_input_changes_nothing(people: cast.Cast, field: str, value: str) -> None:
    answer = signed_in(people.alice).post("/agency/", SETTINGS | {field: value})
    assert answer.status_code == 200
    assert agency_of(people) == ("Acme", "America/New_York", 20)


def test_it_shows_how_the_limit_is_used(people: cast.Cast) -> None:
    hour = now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    alice, bob = (Actor.staff(user_id=person.user_id) for person in (people.alice, people.bob))
    deeds = [
        *[("number.revealed", bob, hour + timedelta(minutes=n)) for n in range(3)],
        *[("number.revealed", alice, hour + timedelta(minutes=n)) for n in range(2)],
        ("number.revealed", bob, hour - timedelta(hours=1)),
        ("number.revealed", bob, hour - timedelta(days=8)),
        ("reveal.blocked", bob, hour),
    ]
    with job_scope(agency_id=people.acme.pk):
        for action, by, at in deeds:
            audit.record(action, by=by, at=at, subject=people.dentist)
    page = signed_in(people.alice).get("/agency/").content.decode()
    assert "<dt>Shown</dt><dd>6</dd>" in page
    assert "3 of 20 allowed" in page
    assert "<dt>Stopped by the limit</dt><dd>1 time</dd>" in page


def test_the_frame_leads_only_where_a_person_may_go(people: cast.Cast) -> None:
    links = ("/trail/", "/reveals/", "/people/", "/people/matrix/", "/agency/")
    for person, wanted in ((people.alice, set(links)), (people.carol, set(links) - {"/reveals/"})):
        browser = signed_in(person)
        drawn = "".join(browser.get(link).content.decode() for link in ("/trail/", "/people/", "/posture/"))
        found = {link for link in links if f'href="{link}"' in drawn}
        assert found == wanted
        assert all(browser.get(link).status_code == 200 for link in found)
    page = signed_in(people.alice).get("/reveals/").content.decode()
    assert 'href="/reveals/" aria-current="page"' in page
