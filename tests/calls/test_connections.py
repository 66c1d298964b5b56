"""The tab "Numbers and connections": who may, what it does, what the trail says, and what is never shown."""

from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client as Browser

from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership
from callprivacy.audit.models import Event
from callprivacy.calls.enums import Direction
from callprivacy.calls.models import Announcement, Connection, ConnectionSecret, Inbox, TrackingNumber
from callprivacy.calls.services import connections
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import KeyPurpose
from callprivacy.tenancy.models import PublicKey
from callprivacy.tenancy.scope import job_scope, staff_scope
from tests import make
from tests.accounts.browsers import come_in
from tests.calls.test_hooks import CALLRAIL_KEY, TOKEN, address, connect, now, post, post_signed, rows
from tests.calls.test_inbox import bring, calls, event, work_off
from tests.cast import Cast, assemble
from tests.make import NOON
from tests.samples import local, moved, new_york
from tests.scale import some

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return assemble()


def browse(person: Membership | None) -> Browser:
    browser = Browser()
    if person is not None:
        come_in(browser, person.user)
    return browser


def page(answer: Any) -> str:
    assert answer.status_code == 200, answer.status_code
    return str(answer.content.decode())


def deeds(cast: Cast) -> list[tuple[str, dict[str, Any]]]:
    with job_scope(agency_id=cast.acme.pk):
        found = Event.objects.filter(action__regex=r"^(connection|number|announcement|inbox)\.").order_by(
            "id"
        )
        return list(found.values_list("action", "details"))


def the_connection(cast: Cast) -> Connection:
    with job_scope(agency_id=cast.acme.pk):
        return Connection.objects.get()


# --- Who may --------------------------------------------------------------------------------------------

READ = ("", "new/", "rejected/", "rejected/discard/", "{c}/", "{c}/presses/", "{c}/rotate/", "{c}/close/")
WRITE = (
    "new/",
    "rejected/retry/",
    "rejected/discard/",
    "{c}/presses/",
    "{c}/rotate/",
    "{c}/close/",
    "{c}/open/",
)


@pytest.fixture
def urls(cast: Cast) -> list[tuple[str, str]]:
    connection = connect(cast.dentist)
    number = make.tracking_number(cast.dentist, "+14045550199")
    base = "/clients/dentist/connections/"
    numbers = f"/clients/dentist/numbers/{number.pk}/"
    return [
        *(("get", base + path.format(c=connection.pk)) for path in READ),
        *(("post", base + path.format(c=connection.pk)) for path in WRITE),
        ("get", numbers),
        ("post", numbers),
        ("get", "/clients/dentist/numbers/new/"),
        ("post", "/clients/dentist/numbers/new/"),
    ]


def statuses(person: Membership | None, urls: list[tuple[str, str]]) -> set[int]:
    browser = browse(person)
    return {getattr(browser, method)(url).status_code for method, url in urls}


def test_whoever_manages_the_connections_may(cast: Cast, urls: list[tuple[str, str]]) -> None:
    assert statuses(cast.alice, urls) == {200, 302}


def test_a_reviewer_knows_the_client_and_may_not(cast: Cast, urls: list[tuple[str, str]]) -> None:
    assert statuses(cast.bob, urls) == {403}


def test_an_admin_without_the_grant_may_not(cast: Cast, urls: list[tuple[str, str]]) -> None:
    assert statuses(cast.carol, urls) == {403}


def test_a_stranger_learns_nothing(cast: Cast, urls: list[tuple[str, str]]) -> None:
    assert statuses(cast.mallory, urls) == {404}


def test_who_is_not_signed_in_is_asked_to(cast: Cast, urls: list[tuple[str, str]]) -> None:
    browser = browse(None)
    for method, url in urls:
        answer = getattr(browser, method)(url)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/accounts/login/")


def test_a_connection_of_another_client_is_not_found_here(cast: Cast) -> None:
    other, mine = connect(cast.plumber), connect(cast.dentist)
    number = make.tracking_number(cast.plumber, "+14045550199")
    make.grant(cast.carol, cast.dentist, Role.ADMIN)
    browser = browse(cast.carol)

    for person in (browser, browse(cast.alice)):
        for path in ("", "presses/", "rotate/", "close/"):
            assert person.get(f"/clients/dentist/connections/{other.pk}/{path}").status_code == 404
        assert person.post(f"/clients/dentist/connections/{other.pk}/close/").status_code == 404
        assert person.get(f"/clients/dentist/numbers/{number.pk}/").status_code == 404
    assert browser.get(f"/clients/dentist/connections/{mine.pk}/").status_code == 200
    assert post(other).status_code == 200


def test_postgresql_keeps_secrets_and_inbox_from_who_may_not(cast: Cast) -> None:
    bring(connect(cast.dentist), event())
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.bob.user_id):
        assert list(ConnectionSecret.objects.all()) == []
        assert list(Inbox.objects.all()) == []
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        assert ConnectionSecret.objects.count() == 1
        assert Inbox.objects.count() == 1


# --- Connections ----------------------------------------------------------------------------------------


def test_a_new_connection_shows_its_address_and_lets_in(cast: Cast) -> None:
    browser = browse(cast.alice)
    assert "No tracker is connected" in page(browser.get("/clients/dentist/connections/"))

    answer = browser.post(
        "/clients/dentist/connections/new/",
        {"provider": "callrail", "name": "CallRail, main", "secret": f" {CALLRAIL_KEY} "},
    )

    connection = the_connection(cast)
    assert answer["Location"] == f"/clients/dentist/connections/{connection.pk}/"
    shown = page(browser.get(answer["Location"]))
    assert f"http://127.0.0.1:8000{address(connection)}" in shown
    assert CALLRAIL_KEY not in shown
    assert "Post-Call" in shown
    assert post(connection).status_code == 200
    assert PublicKey.objects.get(key=connection.key).purpose == KeyPurpose.HOOK
    assert deeds(cast) == [("connection.created", {"provider": "callrail"})]
    assert "CallRail, main" in page(browser.get("/clients/dentist/connections/"))


def test_twilios_instructions_warn_of_the_answer(cast: Cast) -> None:
    shown = page(
        browse(cast.alice).get(f"/clients/dentist/connections/{connect(cast.dentist, 'twilio').pk}/")
    )
    assert "Call status changes" in shown
    assert "would end the call" in shown


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("secret", "short", "16 to 200"),
        ("secret", "with spaces in the middle", "no spaces"),
        ("secret", "", "required"),
        ("provider", "generic", "one from the list"),
        ("name", "", "required"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field_and_the_secret_not_repeated(
    cast: Cast, field: str, value: str, words: str
) -> None:
    good = {"provider": "callrail", "name": "Main", "secret": CALLRAIL_KEY}

    shown = page(browse(cast.alice).post("/clients/dentist/connections/new/", good | {field: value}))

    assert words in shown
    assert CALLRAIL_KEY not in shown
    assert deeds(cast) == []


def test_keys_are_never_the_same_and_long(cast: Cast) -> None:
    keys = {connect(cast.dentist).key for _ in range(5)}
    assert len(keys) == 5
    assert min(map(len, keys)) == 32


def test_a_rotation_shows_until_when_the_earlier_one_counts(cast: Cast) -> None:
    connection, browser = connect(cast.dentist), browse(cast.alice)
    url = f"/clients/dentist/connections/{connection.pk}/"
    before = now()

    answer = browser.post(f"{url}rotate/", {"secret": TOKEN, "overlap_hours": "24"})

    assert answer["Location"] == url
    with job_scope(agency_id=cast.acme.pk):
        earlier, newest = ConnectionSecret.objects.order_by("created_at")
    assert newest.ends_at is None
    assert earlier.ends_at is not None
    assert before <= earlier.ends_at - timedelta(hours=24) <= now()
    shown = page(browser.get(url))
    assert "it is changed" in shown
    assert TOKEN not in shown
    (_, (action, details)) = deeds(cast)
    assert (action, details) == (
        "connection.secret_rotated",
        {"earlier_end_at": earlier.ends_at.isoformat()},
    )
    assert post(connection).status_code == 200
    assert post_signed(connection, {"id": 9}, TOKEN).status_code == 200


def test_a_second_rotation_prolongs_no_earlier_secret(cast: Cast) -> None:
    connection = connect(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        first_end = connections.rotate_secret(
            connection=connection,
            secret="second",
            overlap=timedelta(hours=1),
            by=make.JOB,
            at=NOON + timedelta(minutes=10),
        )
        second_end = connections.rotate_secret(
            connection=connection,
            secret="third",
            overlap=timedelta(days=7),
            by=make.JOB,
            at=NOON + timedelta(minutes=30),
        )
        ends = list(connection.secrets.order_by("created_at").values_list("ends_at", flat=True))
    assert ends == [first_end, second_end, None]


def test_closing_says_first_what_it_means_and_opening_undoes_it(cast: Cast) -> None:
    connection, browser = connect(cast.dentist), browse(cast.alice)
    bring(connection, event())
    url = f"/clients/dentist/connections/{connection.pk}/"

    assert "Waiting, still to be read" in page(browser.get(f"{url}close/"))
    assert post(connection).status_code == 200
    browser.post(f"{url}close/")
    assert post(connection).status_code == 404
    assert "This connection is closed" in page(browser.get(url))
    browser.post(f"{url}open/")
    browser.post(f"{url}open/")
    assert post(connection).status_code == 200
    assert [action for action, _ in deeds(cast)] == [
        "connection.created",
        "connection.deactivated",
        "connection.reactivated",
    ]
    work_off(cast)
    assert len(calls(cast.dentist)) == 1


def test_a_test_says_whether_what_arrived_last_was_believed(cast: Cast) -> None:
    connection, browser = connect(cast.dentist), browse(cast.alice)
    url = f"/clients/dentist/connections/{connection.pk}/"

    def tested() -> str:
        return page(browser.get(f"{url}?tested=1"))

    assert "Nothing yet" not in page(browser.get(url))  # nobody asked
    assert "Nothing yet" in tested()
    assert post(connection, signature="wrong").status_code == 403
    assert "What arrived last was not proven." in tested()
    assert post(connection).status_code == 200
    assert "not proven" not in tested()
    assert "Arrives</span>" in tested()
    browser.post(f"{url}close/")
    assert "What arrives is answered" in tested()


def test_the_list_says_how_each_is_doing_in_few_queries(
    cast: Cast, django_assert_max_num_queries: Any
) -> None:
    opened = [connect(cast.dentist) for _ in range(4)]
    for number, connection in enumerate(opened):
        bring(connection, event(number))
        bring(connection, b"[]")
    work_off(cast)
    bring(opened[0], event(100))
    browser = browse(cast.alice)
    browser.get("/clients/dentist/connections/")

    with django_assert_max_num_queries(22):
        shown = page(browser.get("/clients/dentist/connections/"))

    assert shown.count("50.0\u00a0%") == 4
    assert new_york() in shown
    assert "Some events could not be read" in shown


# --- Events that could not be read ----------------------------------------------------------------------


def test_rejected_events_are_listed_retried_and_discarded(cast: Cast) -> None:
    connection, browser = connect(cast.dentist), browse(cast.alice)
    url = "/clients/dentist/connections/rejected/"
    assert "Every event was read" in page(browser.get(url))
    bring(connection, event(1, duration="-3"))
    bring(connection, event(2, duration="-4"))
    bring(connection, b"[]")
    work_off(cast)

    shown = page(browser.get(url))
    assert "duration: expected whole seconds from 0 to 86400" in shown
    assert "The body is not a JSON object." in shown
    assert "Read all 3 again" in shown
    browser.post(f"{url}retry/")
    assert {row.state for row in rows(cast.dentist)} == {"waiting"}
    work_off(cast, at=now())

    assert "Delete 3 events" in page(browser.get(f"{url}discard/"))
    browser.post(f"{url}discard/", {"seen": "2"})
    assert len(rows(cast.dentist)) == 3
    browser.post(f"{url}discard/", {"seen": "3"})
    assert rows(cast.dentist) == []
    assert [deed for deed in deeds(cast) if deed[0].startswith("inbox.")] == [
        ("inbox.retried", {"count": 3}),
        ("inbox.discarded", {"count": 3}),
    ]
    assert "Nothing to delete" in page(browser.get(f"{url}discard/", follow=True))


@pytest.mark.parametrize("seen", some(["", "x", "-1", "9" * 40], one_in=3))
def test_discarding_without_having_seen_deletes_nothing(cast: Cast, seen: str) -> None:
    bring(connect(cast.dentist), b"[]")
    work_off(cast)

    browse(cast.alice).post("/clients/dentist/connections/rejected/discard/", {"seen": seen})

    assert len(rows(cast.dentist)) == 1


def test_of_another_client_nothing_is_retried_or_listed(cast: Cast) -> None:
    bring(connect(cast.plumber), b"[]")
    work_off(cast)
    browser = browse(cast.alice)

    assert "Every event was read" in page(browser.get("/clients/dentist/connections/rejected/"))
    browser.post("/clients/dentist/connections/rejected/retry/")

    assert [row.state for row in rows(cast.plumber)] == ["rejected"]


# --- Numbers --------------------------------------------------------------------------------------------


def described(cast: Cast) -> TrackingNumber:
    with job_scope(agency_id=cast.acme.pk):
        return TrackingNumber.objects.get()


FACTS = {
    "label": "Billboard",
    "source": "Outdoor",
    "campaign": "Spring",
    "target_site": "Main Street, CA",
    "records": "yes",
    "announcement": "This call is recorded.",
    "announced_from": moved("2026-03-01"),
    "announced_on_recording": "yes",
    "tested_at": moved("2026-11-23T09:30"),
}


def test_a_number_is_described_in_the_clients_zone_and_the_trail_names_the_fields(cast: Cast) -> None:
    number, browser = make.tracking_number(cast.dentist, "+14045550199"), browse(cast.alice)
    url = f"/clients/dentist/numbers/{number.pk}/"
    assert "Last test call (America/New_York)" in page(browser.get(url))

    assert browser.post(url, FACTS)["Location"] == "/clients/dentist/connections/"

    row = described(cast)
    assert (row.label, row.records) == ("Billboard", True)
    assert row.announced_from == date.fromisoformat(FACTS["announced_from"])
    assert row.announced_on_recording
    assert row.tested_at == local(-1, 9, 30)
    ((action, details),) = deeds(cast)
    assert action == "number.described"
    assert details == {
        "changed": "label, source, campaign, target_site, region, records, announcement, announced_from, "
        "announced_on_recording, tested_at"
    }
    shown = page(browser.get(url))
    assert moved('value="2026-11-23T09:30"') in shown
    assert moved('value="2026-03-01"') in shown
    browser.post(url, FACTS)
    assert len(deeds(cast)) == 1
    browser.post(url, FACTS | {"records": "no"})
    assert deeds(cast)[1][1] == {"changed": "records"}
    listed = page(browser.get("/clients/dentist/connections/"))
    assert "Billboard" in listed
    assert moved("1 Mar 2026") in listed


def test_an_answer_about_the_words_of_before_says_nothing_of_other_ones(cast: Cast) -> None:
    number, browser = make.tracking_number(cast.dentist, "+14045550199"), browse(cast.alice)
    url = f"/clients/dentist/numbers/{number.pk}/"
    browser.post(url, FACTS)
    other = FACTS | {"announcement": "We record this call.", "announced_from": moved("2026-11-20")}
    browser.post(url, other)
    assert described(cast).announced_on_recording is None
    browser.post(url, other)
    assert described(cast).announced_on_recording is True


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"announcement": ""}, "Enter what callers hear"),
        ({"announced_from": ""}, "Say since when"),
        pytest.param({"announced_from": "soon"}, "valid date", marks=pytest.mark.thorough),
        ({"tested_at": "2099-01-01T00:00"}, "in the future"),
        pytest.param({"records": "perhaps"}, "one from the list", marks=pytest.mark.thorough),
        pytest.param({"label": "x" * 121}, "120", marks=pytest.mark.thorough),
    ],
)
def test_what_cannot_be_is_not_saved(cast: Cast, changes: dict[str, str], words: str) -> None:
    number = make.tracking_number(cast.dentist, "+14045550199")

    shown = page(browse(cast.alice).post(f"/clients/dentist/numbers/{number.pk}/", FACTS | changes))

    assert words in shown
    assert described(cast).label == ""
    assert deeds(cast) == []


def heard(cast: Cast) -> list[Announcement]:
    with job_scope(agency_id=cast.acme.pk):
        return list(Announcement.objects.order_by("from_at"))


def test_the_page_of_a_number_shows_what_callers_heard_and_rewrites_nothing(cast: Cast) -> None:
    browser, number = browse(cast.alice), make.tracking_number(cast.dentist, "+14045550199")
    there = f"/clients/dentist/numbers/{number.pk}/"
    assert "Their calls count as not announced" in page(browser.get(there))
    browser.post(there, FACTS)
    browser.post(there, FACTS | {"announcement": "Calls are recorded."})
    shown = page(browser.get(there))
    for words in ("This call is recorded.", "Calls are recorded.", "Heard now", "by Alice", "Strike out"):
        assert words in shown
    later = {"announcement": "Calls are recorded.", "announced_from": "2999-01-01"}
    assert "That day has not come yet." in page(browser.post(there, FACTS | later))
    first, second = heard(cast)
    assert (first.until_at, second.until_at) == (second.from_at, None)


def test_a_later_day_for_the_same_words_is_refused_beside_its_field(cast: Cast) -> None:
    browser, number = browse(cast.alice), make.tracking_number(cast.dentist, "+14045550199")
    there = f"/clients/dentist/numbers/{number.pk}/"
    browser.post(there, FACTS)
    shown = page(browser.post(there, FACTS | {"announced_from": moved("2026-03-02")}))
    assert moved("It is written down as heard since March 1, 2026") in shown
    assert described(cast).announced_from == date.fromisoformat(FACTS["announced_from"])


def test_an_entry_is_struck_out_on_a_page_of_its_own(cast: Cast) -> None:
    browser, number = browse(cast.alice), make.tracking_number(cast.dentist, "+14045550199")
    there = f"/clients/dentist/numbers/{number.pk}/"
    browser.post(there, FACTS)
    (row,) = heard(cast)
    strike = f"{there}heard/{row.pk}/strike/"
    assert "This call is recorded." in page(browser.get(strike))
    assert "at least 15 characters" in page(browser.post(strike, {"reason": "wrong"}))
    assert browser.post(strike, {"reason": "Callers never heard it there."})["Location"] == there
    browser.post(strike, {"reason": "Callers never heard it there."})
    (row,) = heard(cast)
    assert row.struck_at is not None
    assert "Struck out" in page(browser.get(there))
    assert described(cast).announcement == ""
    assert [name for name, _ in deeds(cast)] == ["number.described", "announcement.struck"]
    other = make.tracking_number(cast.dentist, "+14045550198")
    assert browser.get(f"/clients/dentist/numbers/{other.pk}/heard/{row.pk}/strike/").status_code == 404


def test_who_strikes_an_entry_out_is_told_how_many_recordings_it_may_take(cast: Cast) -> None:
    browser, number = browse(cast.alice), make.tracking_number(cast.dentist, "+14045550199")
    there = f"/clients/dentist/numbers/{number.pk}/"
    browser.post(there, FACTS)
    (row,) = heard(cast)
    other = make.tracking_number(cast.dentist, "+14045550198")
    calls = [
        make.call(cast.dentist, f"+1404555{place:04}", at=at, tracking_number=line, **more)
        for place, (at, line, more) in enumerate([
            (row.from_at, number, {}),
            (row.from_at + timedelta(days=1), number, {}),
            (make.now() + timedelta(days=1), number, {}),
            (row.from_at - timedelta(days=1), number, {}),
            (row.from_at + timedelta(days=1), other, {}),
            (row.from_at + timedelta(days=1), number, {"direction": Direction.OUTBOUND}),
        ])
    ]  # fmt: skip
    for call in calls:
        make.recording(call, "https://vendor.example/1")
    make.call(cast.dentist, "+14045550150", at=row.from_at, tracking_number=number)
    strike = f"{there}heard/{row.pk}/strike/"
    assert "At most 3 recordings" in page(browser.get(strike))
    make.grant(cast.carol, cast.dentist, Role.ADMIN)
    shown = page(browse(cast.carol).get(strike))
    assert "this client’s calls are not granted to you" in shown
    assert "At most" not in shown
    browser.post(there, FACTS | {"announcement": "Calls are recorded."})  # from now on
    assert "At most 2 recordings" in page(browser.get(strike))


NEW = "/clients/dentist/numbers/new/"


def test_a_number_is_added_by_hand_before_its_first_call(cast: Cast) -> None:
    make.grant(cast.carol, cast.dentist, Role.ADMIN)
    browser = browse(cast.carol)
    assert f'href="{NEW}"' in page(browser.get("/clients/dentist/connections/"))
    assert "a number of US" in page(browser.get(NEW))

    answer = browser.post(NEW, FACTS | {"number": "(404) 555-0199", "provider": "twilio"})

    assert answer["Location"] == "/clients/dentist/connections/"
    row = described(cast)
    assert (row.number, row.provider, row.region) == ("+14045550199", "twilio", "GA")
    assert (row.label, row.source, row.campaign, row.target_site) == (
        "Billboard", "Outdoor", "Spring", "Main Street, CA",
    )  # fmt: skip
    assert (row.records, row.announcement) == (True, "This call is recorded.")
    assert row.announced_from == date.fromisoformat(FACTS["announced_from"])
    assert deeds(cast) == [("number.added", {"provider": "twilio"})]
    assert "Billboard" in page(browser.get("/clients/dentist/connections/"))


def test_a_call_meets_the_number_that_was_added_by_hand(cast: Cast) -> None:
    browse(cast.alice).post(NEW, {"number": "+14045550199", "label": "Billboard"})
    bring(connect(cast.dentist), event())
    work_off(cast)

    (call,) = calls(cast.dentist)

    assert call.tracking_number_id == described(cast).pk


def test_a_number_is_read_as_of_the_clients_country(cast: Cast) -> None:
    watchmaker = make.client(cast.acme, "Uhrmacher", home_country="DE")
    make.grant(cast.alice, watchmaker)

    browse(cast.alice).post(
        f"/clients/{watchmaker.slug}/numbers/new/", {"number": "030 123456", "region": "be"}
    )

    row = described(cast)
    assert (row.number, row.region) == ("+4930123456", "BE")


def test_a_number_that_is_there_is_not_added_twice_and_the_page_says_so(cast: Cast) -> None:
    number = make.tracking_number(cast.dentist, "+14045550199", label="First")
    browser = browse(cast.alice)

    shown = page(browser.post(NEW, {"number": "404-555-0199", "label": "Second"}))

    assert "This client has that number already." in shown
    assert described(cast).label == number.label
    assert deeds(cast) == []
    assert browser.post("/clients/plumber/numbers/new/", {"number": "404-555-0199"}).status_code == 302


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"number": ""}, "required", marks=pytest.mark.thorough),
        ({"number": "555-0199"}, "no telephone number"),
        pytest.param({"number": "1-800-FLOWERS"}, "no telephone number", marks=pytest.mark.thorough),
        ({"region": "Calif."}, "short form alone"),
        pytest.param({"provider": "pigeon"}, "one from the list", marks=pytest.mark.thorough),
        pytest.param({"announced_from": ""}, "Say since when", marks=pytest.mark.thorough),
    ],
)
def test_what_cannot_be_is_not_added(cast: Cast, changes: dict[str, str], words: str) -> None:
    shown = page(browse(cast.alice).post(NEW, FACTS | {"number": "+14045550199"} | changes))

    assert words in shown
    with job_scope(agency_id=cast.acme.pk):
        assert not TrackingNumber.objects.exists()
    assert deeds(cast) == []


def test_numbers_are_paged_without_a_number_in_the_address(cast: Cast) -> None:
    for index in range(60):
        make.tracking_number(cast.dentist, f"+1404555{index:04}")
    make.tracking_number(cast.plumber, "+14045559999")
    browser = browse(cast.alice)

    first = page(browser.get("/clients/dentist/connections/"))
    with job_scope(agency_id=cast.acme.pk):
        fiftieth = TrackingNumber.objects.get(number="+14045550049")
    assert f"?after={fiftieth.pk}" in first
    second = page(browser.get(f"/clients/dentist/connections/?after={fiftieth.pk}"))

    assert first.count('data-label="Number"') == 50
    assert second.count('data-label="Number"') == 10
    assert "+14045559999" not in first + second
    for nothing in (uuid4(), "x"):
        assert browser.get(f"/clients/dentist/connections/?after={nothing}").status_code == 200


def test_who_did_it_is_in_the_trail(cast: Cast) -> None:
    browse(cast.alice).post(
        "/clients/dentist/connections/new/", {"provider": "twilio", "name": "Main", "secret": TOKEN}
    )
    with job_scope(agency_id=cast.acme.pk):
        event_row = Event.objects.get(action="connection.created")
    alice = Actor.staff(user_id=cast.alice.user_id)
    assert (event_row.actor_user_id, event_row.actor_name) == (alice.user_id, alice.name)
    assert event_row.client_id == cast.dentist.pk
