"""The bell, and every address of the queue and the bell tried by everybody."""

import uuid
from datetime import timedelta

import pytest
from django.test import Client as Browser

from callprivacy.tenancy.scope import job_scope
from callprivacy.work import services as work
from callprivacy.work.models import Notification
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.scale import some
from tests.work import waiting

PEOPLE = ("alice", "bob", "carol", "mallory")


def _browser(cast: Cast, who: str) -> Browser:
    return Browser() if who == "anonymous" else signed_in(getattr(cast, who))


def _unread(cast: Cast, who: str) -> int:
    person = getattr(cast, who)
    return len(waiting.told(person.agency, user_id=person.user_id, read_at__isnull=True))


def _new(browser: Browser) -> int:
    """How many rows of the list are marked as new."""
    table = browser.get("/notifications/").content.decode().split("</caption>")[1].split("</table>")[0]
    return table.count("New")


# --- Doors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["/work/", "/notifications/"])
def test_who_may_open_the_lists(cast: Cast, address: str) -> None:
    waiting.of_client(cast.dentist)
    waiting.of_agency(cast.acme)

    for who in PEOPLE:
        page = _browser(cast, who).get(address)
        assert page.status_code == 200
        assert len(waiting.ids_of(page)) == (2 if who == "alice" else 0)
    assert Browser().get(address).headers["Location"] == f"/accounts/login/?next={address}"


@pytest.mark.parametrize(
    ("who", "status"), [("alice", 302), ("bob", 404), ("carol", 404), ("mallory", 404), ("anonymous", 302)]
)
@pytest.mark.parametrize("of", some(["client", "agency"], one_in=2))
def test_who_may_open_the_next_step(cast: Cast, who: str, status: int, of: str) -> None:
    item = waiting.of_client(cast.dentist) if of == "client" else waiting.of_agency(cast.acme)

    answer = _browser(cast, who).get(f"/work/items/{item.pk}/")

    assert answer.status_code == status
    if who == "anonymous":
        assert answer.headers["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("who", ["bob", "carol", "mallory", "anonymous"])
@pytest.mark.parametrize("deed", some(["assign", "snooze", "done"], one_in=3))
def test_who_does_not_see_an_item_changes_nothing_about_it(cast: Cast, who: str, deed: str) -> None:
    items = [waiting.of_client(cast.dentist), waiting.of_agency(cast.acme)]
    owner = getattr(cast, who).user_id if who != "anonymous" else cast.bob.user_id

    answer = _browser(cast, who).post(
        "/work/items/", {"deed": deed, "item": [item.pk for item in items], "owner": owner, "days": "1"}
    )

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/accounts/login/" if who == "anonymous" else "/work/")
    for item in map(waiting.again, items):
        assert (item.state, item.owner_id, item.snoozed_until) == ("open", None, None)


@pytest.mark.parametrize(
    ("who", "status"), [("alice", 302), ("bob", 404), ("carol", 404), ("mallory", 404), ("anonymous", 302)]
)
def test_a_notification_opens_for_its_person_alone(cast: Cast, who: str, status: int) -> None:
    waiting.of_client(cast.dentist)
    [row] = waiting.told(cast.acme)

    answer = _browser(cast, who).post(f"/notifications/{row.pk}/")

    assert answer.status_code == status
    assert _unread(cast, "alice") == (0 if who == "alice" else 1)
    if who == "anonymous":
        assert answer.headers["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("who", [*PEOPLE, "anonymous"])
def test_marking_all_as_read_is_about_one_s_own(cast: Cast, who: str) -> None:
    waiting.of_client(cast.dentist)
    waiting.of_agency(cast.acme)
    waiting.of_agency(cast.globex)

    answer = _browser(cast, who).post("/notifications/read/")

    assert answer.status_code == 302
    assert _unread(cast, "alice") == (0 if who == "alice" else 2)
    assert _unread(cast, "mallory") == (0 if who == "mallory" else 1)


def test_deeds_are_no_links(cast: Cast) -> None:
    waiting.of_client(cast.dentist)
    [row] = waiting.told(cast.acme)
    browser = signed_in(cast.alice)

    for address in ("/work/items/", "/notifications/read/", f"/notifications/{row.pk}/"):
        assert browser.get(address).status_code == 405
    assert _unread(cast, "alice") == 1


def test_what_is_not_there_is_not_found(cast: Cast) -> None:
    browser = signed_in(cast.alice)

    assert browser.get(f"/work/items/{uuid.uuid4()}/").status_code == 404
    assert browser.post(f"/notifications/{uuid.uuid4()}/").status_code == 404


# --- The bell -----------------------------------------------------------------------------------------------


def test_one_is_marked_as_read_and_leads_to_its_step(cast: Cast) -> None:
    waiting.of_client(cast.dentist)
    waiting.of_agency(cast.acme)
    [row] = waiting.told(cast.acme, kind=waiting.EVENTS)
    browser = signed_in(cast.alice)
    assert _new(browser) == 2

    answer = browser.post(f"/notifications/{row.pk}/")

    assert answer.headers["Location"].startswith("/clients/dentist/")
    assert [left.kind for left in waiting.told(cast.acme, read_at__isnull=True)] == [waiting.LIMIT]
    assert _new(browser) == 1


def test_all_are_marked_as_read_once(cast: Cast) -> None:
    waiting.of_client(cast.dentist)
    waiting.of_agency(cast.acme)
    browser = signed_in(cast.alice)

    browser.post("/notifications/read/")
    first = [row.read_at for row in waiting.told(cast.acme)]
    browser.post("/notifications/read/")

    assert None not in first
    assert [row.read_at for row in waiting.told(cast.acme)] == first
    assert _new(browser) == 0


@pytest.mark.thorough
def test_newest_first_and_in_pages(cast: Cast) -> None:
    for number in range(52):
        waiting.of_client(cast.dentist, f"k{number:02}", at=make.NOON + timedelta(minutes=number))
    browser = signed_in(cast.alice)

    first = waiting.ids_of(browser.get("/notifications/"))
    second = waiting.ids_of(browser.get(f"/notifications/?after={first[-1]}"))

    key_of = {row.pk: row.key for row in waiting.told(cast.acme)}
    keys = [key_of[pk] for pk in (*first, *second)]
    assert (len(first), len(second)) == (50, 2)
    assert keys == sorted(keys, reverse=True)


def test_what_was_handed_over_says_so(cast: Cast) -> None:
    dave = waiting.manager(cast, "dave", cast.dentist)
    waiting.do(cast.alice, "assign", waiting.of_client(cast.dentist), owner=dave.user_id)

    assert (
        f"Assigned to you: {waiting.EVENTS_TITLE}" in signed_in(dave).get("/notifications/").content.decode()
    )
    assert "Assigned to you" not in signed_in(cast.alice).get("/notifications/").content.decode()


def test_a_client_that_was_taken_away_is_not_named(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        work.notify(
            waiting.EVENTS,
            agency_id=cast.acme.pk,
            client_id=cast.plumber.pk,
            user_ids=[cast.bob.user_id],
            at=make.NOON,
        )
        row = Notification.objects.get(user_id=cast.bob.user_id)
    browser = signed_in(cast.bob)

    page = browser.get("/notifications/").content.decode()

    assert "Plumber" not in page
    assert "a client you cannot see any more" in page
    assert browser.post(f"/notifications/{row.pk}/").headers["Location"] == "/notifications/"


def test_the_page_says_when_it_rings_and_when_mail_follows(cast: Cast) -> None:
    browser = signed_in(cast.alice)
    page = browser.get("/notifications/").content.decode()

    assert "New inbox items, work assigned to you, and files that are ready." in page
    assert "within about a minute" in page
    assert "never name a client or a caller" in page
    assert "asks you to sign in" in browser.get("/notifications/mail/").content.decode()
