"""The first page composes what a person may see, in a bounded number of queries."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from analytics.services import making
from callprivacy.accounts.enums import Role
from callprivacy.calls.enums import JobState, PullKind, RecordingState
from callprivacy.calls.models import Call, Pull, PullRun, Recording
from callprivacy.calls.services import connections as doors
from callprivacy.calls.services import pulls
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope, staff_scope
from consent.enums import Purpose, Standard
from consent.models import Decision
from consent.services import standards
from dashboard.views import overview
from retention.models import Backup, Drill
from rights.enums import Ask
from rights.models import Case
from rights.services import cases
from tests import make
from tests.accounts.browsers import signed_in
from tests.analytics.calls import work
from tests.cast import Cast
from tests.rights.asking import Office, asked, case_of

ANNA = "+12125550101"


def test_an_officer_sees_each_granted_clients_figures(cast: Cast) -> None:
    now = make.now()
    make.call(cast.dentist, ANNA, at=now - timedelta(days=2))
    make.call(cast.plumber, ANNA, at=now - timedelta(days=2))

    page = signed_in(cast.alice).get("/overview/").content.decode()

    assert "Dentist" in page
    assert "Plumber" in page
    assert ANNA[-10:] not in page


def test_a_reviewer_sees_the_granted_client_only(cast: Cast) -> None:
    page = signed_in(cast.bob).get("/overview/").content.decode()

    assert "Dentist" in page
    assert "Plumber" not in page


def test_a_stranger_sees_none_of_it(cast: Cast) -> None:
    page = signed_in(cast.mallory).get("/overview/").content.decode()

    assert "Dentist" not in page
    assert "Florist" in page


def test_a_connection_leads_to_its_page_who_may_open_that_and_others_to_the_client(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        doors.create_connection(
            client=cast.dentist,
            provider="callrail",
            name="A door",
            secret="s" * 32,
            by=make.JOB,
            at=make.now(),
        )
    for person, led_to in ((cast.alice, "/clients/dentist/connections/"), (cast.bob, "/clients/dentist/")):
        browser = signed_in(person)
        table = browser.get("/overview/").content.decode().split("<h2>Connections</h2>")[1]
        assert re.findall(r'href="([^"]+)"', table.split("</table>")[0]) == [led_to]
        assert browser.get(led_to).status_code == 200


def test_who_was_granted_nothing_is_told_what_to_do(cast: Cast) -> None:
    page = signed_in(cast.carol).get("/overview/").content.decode()

    assert "No calls for you to see" in page
    assert "Open the clients" in page


@pytest.mark.django_db
def test_a_new_agency_is_led_to_its_first_client() -> None:
    fresh = make.agency("Brightwater")
    browser = signed_in(make.person(fresh, "jo", Role.OFFICER))

    page = browser.get("/overview/").content.decode()

    assert "Start with your first client" in page
    assert 'href="/clients/new/"' in page
    assert "Calls in four weeks" not in page
    make.client(fresh, "Bakery")
    assert "Start with your first client" not in browser.get("/overview/").content.decode()


def test_the_number_of_queries_does_not_grow_with_clients(
    cast: Cast, django_assert_num_queries: Callable[..., AbstractContextManager[CaptureQueriesContext]]
) -> None:
    browser = signed_in(cast.alice)
    browser.get("/overview/")
    with CaptureQueriesContext(connections["default"]) as few:
        browser.get("/overview/")
    for number in range(8):
        make.client(cast.acme, f"More {number}")

    with django_assert_num_queries(len(few)):
        browser.get("/overview/")


def test_while_many_calls_wait_to_be_counted_the_first_page_says_so_once(cast: Cast) -> None:
    browser = signed_in(cast.bob)
    assert "wait to be counted" not in browser.get("/overview/").content.decode()
    with job_scope(agency_id=cast.acme.pk):
        making.touch(client=cast.dentist, hours=[None])
    page = browser.get("/overview/").content.decode()
    assert page.count("wait to be counted") == 1
    assert "This concerns Dentist." in page


def test_the_figures_are_sums_of_days_and_no_call_of_four_weeks_is_looked_at(cast: Cast) -> None:
    now = make.now()
    zone = ZoneInfo(cast.acme.time_zone)
    make.call(cast.dentist, ANNA, at=now, outcome="answered")
    for days in (2, 27, 28):
        # By the clocks: with 28 times 24 hours the last one came a day later while they had just been put back.
        day = now.astimezone(zone).date() - timedelta(days=days)
        make.call(cast.dentist, ANNA, at=datetime.combine(day, time(12), tzinfo=zone), outcome="answered")
    work(cast.dentist, now)
    browser = signed_in(cast.alice)

    with CaptureQueriesContext(connections["default"]) as asked_for:
        answer = browser.get("/overview/")

    chart = answer.context["chart"]["rows"]
    assert (answer.context["tiles"]["calls"]["value"], len(chart)) == (3, 28)
    assert [row[1] for row in chart if row[1]] == [1, 1, 1]
    counting = [
        one["sql"]
        for one in asked_for
        if re.search(r"count\(.*calls_call", one["sql"], re.IGNORECASE | re.DOTALL)
    ]
    assert len(counting) == 1, "calls past their date, up to a hundred of each client"
    assert "LIMIT 100)" in counting[0]


def test_calls_out_are_past_their_date_by_their_own_days(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(keep_calls_out_for_days=1_827)
    make.call(cast.dentist, ANNA, at=make.now() - timedelta(days=400), direction="outbound")
    browser = signed_in(cast.alice)

    assert browser.get("/overview/").context["tiles"]["observed"]["value"] == 0
    assert "past its date" not in browser.get("/clients/").content.decode()

    make.call(cast.dentist, ANNA, at=make.now() - timedelta(days=400))
    assert browser.get("/overview/").context["tiles"]["observed"]["value"] == 1
    assert "1 call past its date" in browser.get("/clients/").content.decode()


def test_recordings_are_counted_by_what_they_rest_on(cast: Cast) -> None:
    at = make.now() - timedelta(days=2)
    for allowed, basis, state in (
        (True, "consent", RecordingState.ALLOWED),
        (True, "notice", RecordingState.ALLOWED),
        (True, "consent", RecordingState.GONE),
        (False, "", RecordingState.WITHHELD),
    ):
        call = make.call(cast.dentist, ANNA, at=at)
        decide(call, allowed=allowed, basis=basis, state=state)

    work(cast.dentist, make.now())

    tile = signed_in(cast.alice).get("/overview/").context["tiles"]["recorded"]

    assert (tile["value"], tile["client"]) == (2, cast.dentist)
    assert tile["note"] == "Express consent: 1; Announced on the call: 1"


def decide(call: Call, *, allowed: bool, basis: str, state: RecordingState) -> None:
    """A call's recording as it stands once it was decided."""
    ours = {"agency_id": call.agency_id, "client_id": call.client_id, "call": call}
    with job_scope(agency_id=call.agency_id):
        Recording.objects.filter(pk=make.bare_recording(call).pk).update(
            state=state,
            decided_at=call.started_at,
            **({"gone_at": call.started_at, "reference": None} if state == RecordingState.GONE else {}),
        )
        Decision.objects.create(
            **ours,
            purpose=Purpose.RECORD,
            allowed=allowed,
            lawful=allowed,
            standard_met=allowed,
            standard=Standard.EXPRESS,
            basis=basis,
            pack="tests",
            decided_at=call.started_at,
        )


def test_standards_below_express_consent_are_counted_with_their_end(cast: Cast) -> None:
    browser = signed_in(cast.alice)
    assert "Standards below express consent" not in browser.get("/overview/").content.decode()
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        standards.choose(
            client=cast.dentist,
            standard=Standard.ANNOUNCE,
            reason="The trade announces every call.",
            by=Actor.staff(user_id=cast.alice.user_id),
            at=make.now(),
        )

    page = browser.get("/overview/").content.decode()

    assert "1 client asks less of itself" in page
    assert "Announcement on the call, or express consent" in page


def test_every_client_is_counted_also_those_that_are_not_listed(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview, "_SHOWN", 1)
    for client in (cast.dentist, cast.plumber):
        make.call(client, ANNA, at=make.now() - timedelta(days=2))
        work(client, make.now())

    response = signed_in(cast.alice).get("/overview/")

    assert response.context["tiles"]["calls"]["value"] == 2
    assert "1 more client, all counted above" in response.content.decode()


# --- Clocks, copies, and what webhooks did not bring ---


def test_clocks_that_run_are_counted_with_the_one_that_ends_first(cast: Cast) -> None:
    browser, now = signed_in(cast.alice), make.now()
    assert "no request waits for its day" in browser.get("/overview/").content.decode()
    for client, days in ((cast.dentist, 44), (cast.plumber, 1), (cast.plumber, 2)):
        asked(client, Ask.SEE, at=now - timedelta(days=days))

    response = browser.get("/overview/")

    tile = response.context["clocks"]
    assert (tile.words, tile.note) == ("3", "requests with a day: none late, 1 within three days")
    assert tile.next_label.startswith("Dentist, ")
    assert 'href="/requests/"' in response.content.decode()

    asked(cast.plumber, Ask.SEE, at=now - timedelta(days=60))
    tile = browser.get("/overview/").context["clocks"]
    assert (tile.words, tile.note, tile.tone) == (
        "4",
        "requests with a day: 1 late, 1 within three days",
        "bad",
    )


def test_a_clock_that_was_stopped_or_has_no_day_does_not_run(cast: Cast) -> None:
    browser, now = signed_in(cast.alice), make.now()
    for _ in range(3):
        asked(cast.dentist, Ask.SEE, at=now - timedelta(days=2))
    british = case_of(asked(cast.dentist, Ask.SEE, at=now - timedelta(days=2), place=("GB", "")), Ask.SEE)
    assert browser.get("/overview/").context["clocks"].words == "4"
    Office(cast).does(cases.stop_clock, case=british, words="Which calls do you mean?", at=now)
    with job_scope(agency_id=cast.acme.pk):
        dateless, answered, _ = (
            Case.objects.exclude(pk=british.pk).order_by("pk").values_list("pk", flat=True)
        )
        Case.objects.filter(pk=dateless).update(answer_by=None, answer_due_at=None)
        Case.objects.filter(pk=answered).update(answered_at=now)

    assert browser.get("/overview/").context["clocks"].words == "1"


def test_clocks_and_copies_are_shown_to_whom_they_concern(cast: Cast) -> None:
    asked(cast.plumber, Ask.SEE, at=make.now())
    asked(cast.florist, Ask.SEE, at=make.now())

    bob = signed_in(cast.bob).get("/overview/")
    assert (bob.context["clocks"], bob.context["copies"]) == (None, None)
    assert all(said not in bob.content.decode() for said in ("Clocks running", ">Backup<"))
    carol = signed_in(cast.carol).get("/overview/")
    assert carol.context["clocks"] is None
    assert ">Backup<" in carol.content.decode()
    assert signed_in(cast.alice).get("/overview/").context["clocks"].words == "1"


def test_the_backup_tile_says_what_a_drill_found(cast: Cast) -> None:
    browser, now = signed_in(cast.alice), make.now()

    def tile() -> tuple[str, str]:
        found = browser.get("/overview/").context["copies"]
        return found.words, found.tone

    assert tile() == ("None here", "warn")
    for database, days in (("default", 1), ("vault", 2)):
        Backup.objects.create(
            database=database, made_at=now - timedelta(days=days), name=f"{database}.age", size=1
        )
    assert tile() == ("Not verified", "warn")
    only = {"backups": {"default": "default.age"}}
    Drill.objects.create(started_at=now, finished_at=now, passed=True, report=only)
    assert tile() == ("Not verified", "warn")
    both = {"backups": {"default": "default.age", "vault": "vault.age"}}
    later = now + timedelta(minutes=1)
    Drill.objects.create(started_at=later, finished_at=later, passed=True, report=both)
    assert tile() == ("Verified", "good")
    assert "put back what is 2\xa0days old" in browser.get("/overview/").context["copies"].note
    last = now + timedelta(minutes=2)
    Drill.objects.create(started_at=last, finished_at=last, passed=False, report={})
    assert tile() == ("Drill failed", "bad")


def test_calls_missed_are_those_that_no_webhook_brought(cast: Cast) -> None:
    now = make.now()
    with job_scope(agency_id=cast.acme.pk):
        asks, quiet, other, listed = (
            doors.create_connection(
                client=client, provider=provider, name=name, secret="s" * 32, by=make.JOB, at=now
            )
            for client, provider, name in (
                (cast.dentist, "callrail", "Asked"),
                (cast.dentist, "callrail", "Not asked"),
                (cast.plumber, "generic", "Any"),
                (cast.plumber, "invoca", "Listed"),
            )
        )
        pull = pulls.set_access(
            connection=asks, account="ACC1", company="", login="", secret="s" * 32, only_known=False,
            by=make.JOB, at=now,
        )  # fmt: skip
        for kind, days, brought in (
            (PullKind.HOURLY, 1, 2),
            (PullKind.NIGHTLY, 9, 5),
            (PullKind.NIGHTLY, 40, 100),
            (PullKind.BACKFILL, 3, 1_000),
        ):
            at = now - timedelta(days=days)
            PullRun.objects.create(
                agency=cast.acme, client=cast.dentist, pull=pull, kind=kind, period=f"{kind} {days}",
                state=JobState.DONE, from_at=at - timedelta(hours=2), until_at=at, position=at,
                brought=brought, created_at=at, finished_at=at,
            )  # fmt: skip

    response = signed_in(cast.alice).get("/overview/")

    found = {entry["row"].pk: entry["missed"] for entry in response.context["connections"]}
    assert (found[asks.pk].calls, found[quiet.pk].calls, found[other.pk].calls) == (7, None, None)
    assert (found[quiet.pk].why, found[other.pk].why) == ("its list is not asked", "it has no list to ask")
    assert (found[listed.pk].calls, found[listed.pk].why) == (None, "it has no webhooks")
    assert "Calls missed" in response.content.decode()
    assert "Calls missed" not in signed_in(cast.bob).get("/overview/").content.decode()

    with job_scope(agency_id=cast.acme.pk):
        Pull.objects.filter(pk=pull.pk).update(is_on=False)
    entries = signed_in(cast.alice).get("/overview/").context["connections"]
    assert {entry["missed"].calls for entry in entries} == {None}


@pytest.mark.thorough
def test_the_number_of_queries_does_not_grow_with_requests_and_connections(
    cast: Cast, django_assert_num_queries: Callable[..., AbstractContextManager[CaptureQueriesContext]]
) -> None:
    def add(number: int) -> None:
        asked(cast.dentist, Ask.SEE, at=make.now() - timedelta(days=number))
        with job_scope(agency_id=cast.acme.pk):
            door = doors.create_connection(
                client=cast.dentist, provider="callrail", name=f"Door {number}", secret="s" * 32, by=make.JOB,
                at=make.now(),
            )  # fmt: skip
            pulls.set_access(
                connection=door, account=f"ACC{number}", company="", login="", secret="s" * 32, only_known=False,
                by=make.JOB, at=make.now(),
            )  # fmt: skip

    browser = signed_in(cast.alice)
    add(1)
    browser.get("/overview/")
    with CaptureQueriesContext(connections["default"]) as few:
        browser.get("/overview/")
    for number in range(2, 7):
        add(number)

    with django_assert_num_queries(len(few)):
        browser.get("/overview/")
