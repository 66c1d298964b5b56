"""The demo: the same every time, fictitious numbers only, and gone with one deed."""

import io
import re
import wave
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client as Browser
from pytest_django import Settings

from analytics.models import DayCount
from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership, User
from callprivacy.calls.models import Call, Recording
from callprivacy.calls.services import intake
from callprivacy.lib.redact import redact
from callprivacy.tenancy.models import Agency, Client
from callprivacy.tenancy.scope import job_scope
from dashboard import demo, services, tasks
from dashboard.demo import heard, said
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.dashboard import demos

FICTION = re.compile(r"\+1\d{3}55501\d\d|\+442079460\d{3}|\+493023125\d{3}|\+3319900\d{4}")


@cache
def _facts() -> list[object]:
    return [fact for client in demo.CLIENTS for fact in demo.calls_of(client, until=date(2026, 11, 25))]


def test_the_same_day_gives_the_same_past() -> None:
    assert _facts() == _facts.__wrapped__()


def test_every_number_is_reserved_for_fiction() -> None:
    numbers = {fact.caller for fact in _facts() if fact.caller}  # type: ignore[attr-defined]  # typed loosely here
    numbers |= {number for client in demo.CLIENTS for number in demo.tracking_numbers(client)}
    numbers |= {number for client in demo.CLIENTS if (number := demo.text_number(client))}
    numbers |= {said.FORWARD_TO, said.PERSON_LINE}

    assert [number for number in numbers if not FICTION.fullmatch(number)] == []


@pytest.mark.parametrize("talk", heard.TALKS)
def test_a_recording_is_as_long_as_its_transcript_says(talk: tuple[str, ...]) -> None:
    sound = heard.wav_of(talk)

    with wave.open(io.BytesIO(sound)) as file:
        assert file.getnframes() == heard.seconds_of(talk) * file.getframerate()
    minute, second = re.findall(r"^(\d):(\d\d) ", heard.transcript_of(talk), re.MULTILINE)[-1]
    assert 0 < int(minute) * 60 + int(second) < heard.seconds_of(talk)
    assert len(sound) < 200_000
    assert sound == heard.wav_of(talk)


def test_a_card_a_number_a_birthday_and_an_address_are_redacted() -> None:
    redacted = [redact(heard.transcript_of(talk)).text for talk in heard.TALKS]

    marks = {mark for text in redacted for mark in re.findall(r"\[[a-z-]+\]", text)}
    assert marks == {"[card]", "[number]", "[e-mail]"}
    assert sum("[" in text for text in redacted) == 5
    assert any("340 dollars" in text for text in redacted)


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
        return Membership.objects.select_related("user").filter(role=role).earliest("pk")


@pytest.mark.django_db
def test_an_agency_of_somebody_by_that_name_is_left_alone() -> None:
    agency = make.agency(demo.AGENCY)

    with pytest.raises(services.DemoExistsError, match="no demo"):
        demos.made()

    assert services.find_demo() is None
    assert services.what_there_is() == "agency"
    with job_scope(agency_id=agency.pk):
        assert Agency.objects.filter(pk=agency.pk).exists()


def _said(client: demo.DemoClient) -> list[said.Fact]:
    return list(said.said_of(client, list(demo.calls_of(client, until=date(2026, 11, 25)))))


@pytest.mark.thorough
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
@pytest.mark.thorough
def test_a_demo_is_made_anew_where_it_was_cut_off_once_and_is_removed_as_a_whole_without_a_worker(
    state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    take_in, taken = intake.take_in, []

    def crash_after_three(**facts: Any) -> list[intake.Taken]:
        taken.append(facts["client"].slug)
        if len(taken) > 3:
            raise ConnectionError
        return take_in(**facts)

    assert _looked(capsys) == "nothing\n"
    monkeypatch.setattr(intake, "take_in", crash_after_three)
    with pytest.raises(ConnectionError):
        call_command("demo")
    first = services.find_demo()
    assert first is not None
    assert _looked(capsys) == "unfinished\n"
    monkeypatch.setattr(intake, "take_in", take_in)

    call_command("demo")

    made = capsys.readouterr()
    assert len(made.err.splitlines()) == 12
    assert all(f"{short}{demo.MAIL}" in made.out for _, short, _ in demo.PEOPLE)
    assert _looked(capsys) == "demo\n"
    found = services.find_demo()
    assert found not in {first, None}
    with job_scope(agency_id=first):
        assert (Client.objects.count(), Call.objects.count()) == (0, 0)
    with job_scope(agency_id=found):
        agency = Agency.objects.get()
        kept = set(Recording.objects.exclude(state="withheld").values_list("client__slug", flat=True))
        assert kept <= set(heard.STORED)
    calls, clients, people = _rows_of(agency)
    with job_scope(agency_id=agency.pk):
        assert 0 < sum(DayCount.objects.values_list("calls", flat=True)) <= calls, (
            "the first page has figures"
        )
    assert (calls > 300, clients, people) == (True, 12, 9)
    assert User.objects.filter(email__endswith=demo.MAIL).count() == 9

    with pytest.raises(CommandError, match="already"):
        call_command("demo")
    assert capsys.readouterr() == ("", "")
    assert services.find_demo() == found

    call_command("demo", "--remove")

    assert "manage.py create_agency NAME --officer EMAIL" in capsys.readouterr().out
    assert _vault_rows() == 0
    assert _rows_of(agency) == (0, 0, 0)
    assert not User.objects.filter(email__endswith=demo.MAIL).exists()
    assert _looked(capsys) == "nothing\n"
    assert _kept(state) == []
    with pytest.raises(CommandError, match="There is no demo"):
        call_command("demo", "--remove")


def _looked(capsys: pytest.CaptureFixture[str]) -> str:
    """What the command says that there is, after all else that was said."""
    capsys.readouterr()
    call_command("demo", "--look")
    return capsys.readouterr().out


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
    make.agency("Northlight", is_demo=True)
    browser = Browser(REMOTE_ADDR=address, HTTP_HOST="127.0.0.1:8000")

    page = browser.get("/accounts/login/").content.decode()

    assert ('href="/mail/"' in page) is is_linked
    assert (browser.get("/mail/").status_code == 200) is is_linked
