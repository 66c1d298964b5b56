"""The demo: the same every time, fictitious numbers only, and gone with one deed."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client as Browser
from pytest_django import Settings

from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership, User
from callprivacy.audit.models import Event
from callprivacy.calls.enums import InboxState
from callprivacy.calls.kinds import INBOX_REJECTED
from callprivacy.calls.models import Call, Connection, ConnectionSecret, Inbox, Recording, TrackingNumber
from callprivacy.calls.services import intake
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.enums import RetentionState
from callprivacy.tenancy.models import Agency, Client, Engagement
from callprivacy.tenancy.scope import job_scope
from callprivacy.work.models import Item
from consent.enums import (
    Channel,
    EventKind,
    NoticeState,
    Purpose,
    ReplyState,
    Standard,
    VendorStep,
    WaitingState,
)
from consent.models import (
    ConsentEvent,
    NoticeVersion,
    PhoneMenu,
    PostedNotice,
    Reply,
    TermsDocument,
    VendorTask,
    Withdrawal,
)
from consent.selectors import phone, standards
from consent.selectors.people import coverage
from consent.services import ledger
from dashboard import demo, services, tasks
from dashboard.demo import asked as asked_for
from dashboard.demo import said
from retention import targets
from retention.models import GoLive
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast

FICTION = re.compile(r"\+1\d{3}55501\d\d|\+442079460\d{3}|\+493023125\d{3}|\+3319900\d{4}")


def _facts() -> list[object]:
    return [fact for client in demo.CLIENTS for fact in demo.calls_of(client, until=date(2026, 11, 25))]


def test_the_same_day_gives_the_same_past() -> None:
    assert _facts() == _facts()


def test_every_number_is_reserved_for_fiction() -> None:
    numbers = {fact.caller for fact in _facts() if fact.caller}  # type: ignore[attr-defined]  # typed loosely here
    numbers |= {number for client in demo.CLIENTS for number in demo.tracking_numbers(client)}
    numbers |= {number for client in demo.CLIENTS if (number := demo.text_number(client))}
    numbers |= {said.FORWARD_TO, said.PERSON_LINE}

    assert [number for number in numbers if not FICTION.fullmatch(number)] == []


def test_about_twenty_thousand_calls_with_a_week_in_them() -> None:
    facts = _facts()
    weekdays = [0] * 7
    for fact in facts:
        weekdays[fact.started_at.weekday()] += 1  # type: ignore[attr-defined]  # typed loosely here

    assert 19_000 <= len(facts) <= 21_000
    assert weekdays[0] > 3 * weekdays[6]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "DAYS", 3)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, settings: Settings) -> Path:
    """A state folder after a first start with the demo."""
    settings.CALLPRIVACY_STATE = tmp_path
    (tmp_path / "demo.txt").write_text("logins", encoding="ascii")
    (tmp_path / "started-with").write_text("demo\n", encoding="ascii")
    return tmp_path


def _make(at: datetime = make.NOON) -> Agency:
    return services.make_demo(password=make.PASSWORD, at=at, progress=lambda _name: None)


def _kept(state: Path) -> list[str]:
    return sorted(
        file.name for file in state.iterdir() if file.suffix == ".txt" or file.name == "started-with"
    )


def _vault_rows() -> int:
    with connections["vault"].cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM vault_caller) + (SELECT count(*) FROM vault_clientkey WHERE client_id > 0)"
        )
        return int(cursor.fetchone()[0])


def _rows_of(agency: Agency) -> tuple[int, int, int]:
    with job_scope(agency_id=agency.pk):
        return (Call.objects.count(), Client.objects.count(), Membership.objects.count())


def _person(agency: Agency, role: Role) -> Membership:
    with job_scope(agency_id=agency.pk):
        return Membership.objects.select_related("user").get(role=role)


@pytest.mark.django_db
@pytest.mark.usefixtures("small")
def test_the_demo_is_made_once_and_removed_as_a_whole(state: Path) -> None:
    told: list[str] = []
    agency = services.make_demo(password=make.PASSWORD, at=make.NOON, progress=told.append)
    with job_scope(agency_id=agency.pk):
        assert Client.objects.count() == len(told) == 12
        assert Membership.objects.count() == 8
        assert Call.objects.count() > 300
        assert Recording.objects.exclude(state="withheld").count() == 0
    assert services.what_there_is() == "demo"
    with pytest.raises(services.DemoExistsError, match="already"):
        _make()
    assert len(told) == 12

    services.remove_demo(agency_id=agency.pk, by=make.JOB, at=make.NOON)

    assert _vault_rows() == 0
    assert _rows_of(agency) == (0, 0, 0)
    assert not User.objects.filter(email__endswith="@northlight.example").exists()
    assert services.what_there_is() == "nothing"
    assert _kept(state) == []


@pytest.mark.django_db
@pytest.mark.usefixtures("small")
def test_an_interrupted_demo_is_removed_and_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    take_in, taken = intake.take_in, []

    def crash_after_three(**facts: Any) -> list[intake.Taken]:
        taken.append(facts["client"].slug)
        if len(taken) > 3:
            raise ConnectionError
        return take_in(**facts)

    monkeypatch.setattr(intake, "take_in", crash_after_three)
    with pytest.raises(ConnectionError):
        _make()
    first = services.find_demo()
    assert first is not None
    assert services.what_there_is() == "unfinished"
    monkeypatch.setattr(intake, "take_in", take_in)

    agency = _make()

    assert agency.pk != first
    assert services.find_demo() == agency.pk
    assert services.what_there_is() == "demo"
    with job_scope(agency_id=first):
        assert (Client.objects.count(), Call.objects.count()) == (0, 0)
    calls, clients, people = _rows_of(agency)
    assert (calls > 300, clients, people) == (True, 12, 8)
    assert User.objects.filter(email__endswith=demo.MAIL).count() == 8


@pytest.mark.django_db
def test_an_agency_of_somebody_by_that_name_is_left_alone() -> None:
    agency = make.agency(demo.AGENCY)

    with pytest.raises(services.DemoExistsError, match="no demo"):
        _make()

    assert services.find_demo() is None
    assert services.what_there_is() == "agency"
    with job_scope(agency_id=agency.pk):
        assert Agency.objects.filter(pk=agency.pk).exists()


@pytest.mark.django_db
def test_the_demo_has_life_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "CLIENTS", tuple(_quiet(client) for client in demo.CLIENTS))
    agency = _make()

    with job_scope(agency_id=agency.pk):
        doors = list(Connection.objects.select_related("client"))
        heard = {door.client.slug: door.last_event_at for door in doors}
        yesterday = make.NOON - timedelta(hours=24)
        silent = {slug for slug, at in heard.items() if at is None or at < yesterday}
        rejected = {door.client.slug: door.rejected for door in doors if door.rejected}
        items = dict(Item.objects.filter(kind=INBOX_REJECTED).values_list("client__slug", "count"))
        observed, live = (
            Client.objects.select_related("agency").get(slug=slug)
            for slug in (demo.OBSERVED_POLICY, demo.LIVE_POLICY)
        )
        due = [targets.count_due(client, tenancy.cutoff_of(client, make.NOON)) for client in (observed, live)]
        numbers = list(TrackingNumber.objects.all())
        agreed = Engagement.objects.exclude(contract_on=None)

        assert len(doors) == 13
        assert ConnectionSecret.objects.count() == 13
        assert silent == set(demo.SILENT)
        assert rejected == items == {"magnolia-dental": 2, "bayline-law": 1}
        assert set(Inbox.objects.values_list("state", flat=True)) == {InboxState.REJECTED}
        assert (observed.keep_for_days, observed.retention_state) == (60, RetentionState.OBSERVE)
        assert (live.keep_for_days, live.retention_state) == (60, RetentionState.LIVE)
        assert all(one.calls > 0 for one in due)
        assert GoLive.objects.get().calls_due == due[1].calls
        assert len(numbers) == 38
        assert all(number.label and number.source for number in numbers)
        assert 0 < sum(bool(number.announcement) for number in numbers) < 38
        assert (agreed.count(), agreed.filter(dpa_on=None).count()) == (12, 2)
        assert Event.objects.filter(action__startswith="reveal").count() == 0


def _said(client: demo.DemoClient) -> list[said.Fact]:
    return list(said.said_of(client, list(demo.calls_of(client, until=date(2026, 11, 25)))))


def test_the_same_callers_say_the_same_and_most_say_nothing() -> None:
    spoken = {client.slug: _said(client) for client in demo.CLIENTS}

    assert spoken == {client.slug: _said(client) for client in demo.CLIENTS}
    for client in demo.CLIENTS:
        callers = {call.caller for call in demo.calls_of(client, until=date(2026, 11, 25)) if call.caller}
        standing = {fact.number for fact in spoken[client.slug] if not fact.call}
        assert {fact.number for fact in spoken[client.slug]} <= callers
        assert len(standing) < len(callers) / 5
        assert bool(standing) is (client.slug in said.NOTICES)
        assert {fact.channel for fact in spoken[client.slug]} <= set(said.NOTICES.get(client.slug, ()))


@pytest.mark.django_db
def test_the_demo_has_consent_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "CLIENTS", tuple(_quiet(client) for client in demo.CLIENTS))
    agency = _make()

    with job_scope(agency_id=agency.pk):
        clients = {row.slug: row for row in Client.objects.select_related("agency")}
        events = ConsentEvent.objects.all()
        published = NoticeVersion.objects.filter(state=NoticeState.PUBLISHED)
        reach = coverage(list(clients.values()), purposes=[Purpose.RECORD])
        stopped = Withdrawal.objects.order_by("stopped_at")
        played = [line for line in phone.lines(agency) if line.vendor == "callrail" and line.text_key]
        standard = standards.standard_of(clients["lone-star-hvac"], at=make.NOON)
        opened = ledger.evidence_of(client=clients["bayline-law"], events=list(events), at=make.NOON)

        assert {Channel.WEB, Channel.EMAIL, Channel.TERMS, Channel.MENU, Channel.SMS, Channel.AGENT} <= set(
            events.values_list("channel", flat=True)
        )
        assert {EventKind.GIVEN, EventKind.REFUSED, EventKind.NOTICED, EventKind.WITHDRAWN} == set(
            events.values_list("kind", flat=True)
        )
        assert set(published.values_list("notice__language", flat=True)) == {"en", "es"}
        assert set(published.values_list("client__slug", flat=True)) == set(said.NOTICES)
        assert sum(row.count("given") for row in reach) < sum(row.total for row in reach) / 5
        assert all(row.count("nothing") > row.total / 2 for row in reach)
        # Whoever asks in a request not to be sold, shared or contacted is stopped as well.
        asked = {one.slug for one in asked_for.REQUESTS for ask in one.asks if ask.works_at_once}
        assert asked == set(stopped.filter(client__slug__in=asked).values_list("client__slug", flat=True))
        stopped = stopped.exclude(client__slug__in=asked)
        assert stopped.count() == len(said.NOES)
        assert list(stopped.values_list("client__slug", flat=True)) == [no.slug for no in said.NOES]
        assert all(row.planned_at is not None for row in stopped)
        assert 0 < stopped.exclude(closed_at=None).count() < len(said.NOES)
        assert VendorTask.objects.filter(step=VendorStep.CHOOSE, state=WaitingState.WAITING).exists()
        assert {line.client.slug for line in played} == set(demo.TEXTED)
        assert {line.text_to for line in played} == {demo.text_number(about) for about in demo.CLIENTS} - {""}
        assert PhoneMenu.objects.get().is_active
        assert standard is Standard.ANNOUNCE
        assert PostedNotice.objects.count() == 4
        assert TermsDocument.objects.get().people > 1
        assert Reply.objects.get(state=ReplyState.WAITING).client == clients["sunset-plumbing"]
        assert any(words.get("key") == "1" for words in opened.values())


def _quiet(client: demo.DemoClient) -> demo.DemoClient:
    return replace(client, calls_a_day=1.5)


def test_the_newest_call_is_of_fiction_too() -> None:
    for client in demo.CLIENTS:
        if client.provider != "generic":
            fact = demo.newest_call(client, at=make.NOON)
            assert FICTION.fullmatch(fact.caller or "")
            assert fact.started_at < make.NOON


@pytest.mark.django_db
def test_an_agency_that_is_no_demo_is_not_removed(cast: object) -> None:
    agency = cast.acme  # type: ignore[attr-defined]  # typed loosely here
    with pytest.raises(services.NotADemoError):
        services.remove_demo(agency_id=agency.pk, by=make.JOB, at=make.NOON)
    with job_scope(agency_id=agency.pk):
        assert Client.objects.count() == 2


# --- The command ---


@pytest.mark.django_db
@pytest.mark.usefixtures("small")
def test_the_command_makes_looks_and_removes_without_a_worker(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("demo", "--look")
    call_command("demo")
    made = capsys.readouterr().out
    call_command("demo", "--look")
    looked = capsys.readouterr().out
    call_command("demo", "--remove")
    removed = capsys.readouterr().out

    assert made.startswith("nothing\n")
    assert all(f"{short}{demo.MAIL}" in made for _, short, _ in demo.PEOPLE)
    assert looked == "demo\n"
    assert "manage.py create_agency NAME --officer EMAIL" in removed
    assert services.find_demo() is None
    assert _kept(state) == []
    with pytest.raises(CommandError, match="There is no demo"):
        call_command("demo", "--remove")


# --- The page ---


@pytest.mark.django_db
def test_elsewhere_there_is_nothing_to_remove(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.remove_demo, "delay_on_commit", _refuse)
    for person in (cast.alice, cast.bob, cast.carol, cast.mallory):
        assert signed_in(person).post("/demo/remove/", {"confirmed": "1"}).status_code == 404
    stranger = Browser().post("/demo/remove/", {"confirmed": "1"})
    assert stranger.status_code == 302
    assert stranger["Location"].startswith("/accounts/login/")


def _refuse(**ids: Any) -> None:
    raise AssertionError(ids)


@pytest.mark.django_db
def test_the_page_after_it_is_there_only_where_a_demo_may_be(settings: Settings) -> None:
    assert Browser().get("/demo/removed/").status_code == 200
    settings.CALLPRIVACY_URL = "https://calls.example"
    assert Browser().get("/demo/removed/").status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "is_files", "is_linked"),
    [("127.0.0.1", True, True), ("127.0.0.1", False, False), ("203.0.113.9", True, False)],
)
def test_the_sign_in_page_links_to_mail_only_where_that_answers(
    address: str, is_files: bool, is_linked: bool, settings: Settings
) -> None:
    settings.CALLPRIVACY_MAIL_IS_FILES = is_files
    settings.CALLPRIVACY_URL = "http://127.0.0.1:8000"
    settings.CALLPRIVACY_PROXY_COUNT = 0
    browser = Browser(REMOTE_ADDR=address)

    page = browser.get("/accounts/login/").content.decode()

    assert ('href="/mail/"' in page) is is_linked
    assert (browser.get("/mail/").status_code == 200) is is_linked
