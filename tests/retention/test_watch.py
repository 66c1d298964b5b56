"""What must not stay unseen: figures, alerts that begin once and end, messages that are tried, metrics with a token."""

import base64
import contextlib
import dataclasses
import hashlib
import hmac
import json
import os
import re
import shutil
import socket
import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from celery.app.trace import build_tracer
from django.core.cache import caches
from django.core.mail import EmailMultiAlternatives
from django.db import connection, connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client as Browser
from pytest_django import Settings

from analytics.services import making
from callprivacy.audit.models import Event
from callprivacy.audit.services import lineage
from callprivacy.lib import databases, figures
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import RetentionState
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.work import kinds as work_kinds
from callprivacy.work import tasks as work_tasks
from callprivacy.work.models import Notification
from consent.models import Rejudgement
from consent.services import webhooks
from retention import kinds
from retention.enums import (
    Category,
    ChangeState,
    PartState,
    RotationState,
    RunCause,
    RunState,
    SecretKind,
    Then,
)
from retention.models import Alert, AlertEndpoint, Backup, Drill, Hold, PolicyChange, Rotation, Run, RunPart
from retention.selectors import due, storage
from retention.selectors import watch as selectors
from retention.selectors.watch import House, Reading
from retention.services import watch
from retention.services.watch import Found
from retention.tasks import watch as tasks
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.make import NOON
from tests.scale import some
from tools import services

ANNA, BEN = "+12125550101", "+12125550102"
TOKEN = "a-token-of-the-collector-of-metrics"
RUNBOOK = (Path(__file__).parents[2] / "docs" / "runbook.md").read_text(encoding="utf-8")
CALM = House(backups={}, backups_expected=False, drill_age=None, drill_passed=None, drill_expected=False)


def officer(cast: Cast) -> Actor:
    return Actor.staff(user_id=cast.alice.user_id)


def live(client: Client) -> None:
    with job_scope(agency_id=client.agency_id):
        Client.objects.filter(pk=client.pk).update(retention_state=RetentionState.LIVE)


def read(cast: Cast, at: datetime = NOON) -> Reading:
    with job_scope(agency_id=cast.acme.pk):
        return selectors.read(cast.acme, at)


def look(cast: Cast, at: datetime = NOON) -> tuple[int, int]:
    return watch.look(agency_id=cast.acme.pk, at=at)


def alerts(cast: Cast, *, is_open: bool = True) -> dict[tuple[str, str], Alert]:
    with job_scope(agency_id=cast.acme.pk):
        return {(row.kind, row.key): row for row in selectors.alerts(is_open=is_open)}


def told(cast: Cast, kind: str) -> list[int]:
    with job_scope(agency_id=cast.acme.pk):
        return sorted(Notification.objects.filter(kind=kind).values_list("user_id", flat=True))


def done_run(cast: Cast, at: datetime) -> Run:
    with job_scope(agency_id=cast.acme.pk):
        return Run.objects.create(
            agency=cast.acme, cause=RunCause.NIGHTLY, state=RunState.DONE, planned_on=at.date(),
            created_at=at, planned_at=at, finished_at=at,
        )  # fmt: skip


# --- figures ---


@pytest.mark.parametrize(
    ("days", "late"),
    [
        pytest.param(364, 0, marks=pytest.mark.thorough),
        (365, 0),
        (366, 1),
        pytest.param(400, 1, marks=pytest.mark.thorough),
    ],
)
def test_rows_are_late_a_day_after_they_fell_due(cast: Cast, days: int, late: int) -> None:
    live(cast.dentist)
    make.call(cast.dentist, ANNA, at=NOON - timedelta(days=days, hours=12))
    assert read(cast).past_due[Category.CALL] == late


def test_rows_of_an_observed_client_are_not_late(cast: Cast) -> None:
    make.call(cast.dentist, ANNA, at=NOON - timedelta(days=400))
    assert read(cast).late == 0


@pytest.mark.thorough
def test_what_a_persons_deed_has_made_due_is_late_a_day_after_it(cast: Cast) -> None:
    make.call(cast.dentist, ANNA, at=NOON - timedelta(days=400))
    make.call(cast.dentist, BEN, at=NOON - timedelta(days=200))
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(
            retention_state=RetentionState.LIVE, went_live_at=NOON
        )
    assert read(cast, NOON + timedelta(hours=20)).late == 0
    assert read(cast, NOON + timedelta(hours=25)).late == 1

    later = NOON + timedelta(days=2)
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(keep_calls_for_days=100)
        PolicyChange.objects.create(
            agency=cast.acme, client=cast.dentist, category=Category.CALL, state=ChangeState.IN_FORCE, was_days=365,
            was_then=Then.ERASE, days=100, then=Then.ERASE, shortens=True, due_before=1, due_after=2,
            proposed_by_id=cast.alice.user_id, proposed_at=later, decided_at=later,
        )  # fmt: skip
    assert read(cast, later + timedelta(hours=20)).past_due[Category.CALL] == 0
    assert read(cast, later + timedelta(hours=25)).past_due[Category.CALL] == 2

    lifted = NOON + timedelta(days=9)
    with job_scope(agency_id=cast.acme.pk):
        Hold.objects.create(
            agency=cast.acme, client=cast.dentist, name="Over", review_on=NOON.date(), placed_at=NOON,
            placed_by_id=cast.alice.user_id, lifted_at=lifted,
        )  # fmt: skip
    assert read(cast, lifted + timedelta(hours=20)).late == 0
    assert read(cast, lifted + timedelta(hours=25)).late == 2


def test_a_reading_counts_what_there_is(cast: Cast) -> None:
    run = done_run(cast, NOON - timedelta(hours=3))
    with job_scope(agency_id=cast.acme.pk):
        for client, state in ((cast.dentist, PartState.FAILED), (cast.plumber, PartState.DONE)):
            RunPart.objects.create(
                agency=cast.acme,
                client=client,
                run=run,
                state=state,
                cutoff=NOON,
                keep_for_days=1,
                rows_due=0,
            )
        for kind, how in (
            (SecretKind.CLIENT, RotationState.RUNNING),
            (SecretKind.TOKEN, RotationState.FAILED),
        ):
            Rotation.objects.create(
                agency=cast.acme, client=cast.dentist, kind=kind, state=how, started_at=NOON
            )
    found = read(cast)
    assert (found.run_age, found.run_failures) == (3 * 3600, 1)
    assert (found.rotations_running, found.rotations_failed) == (1, 1)
    assert (found.inbox_oldest, found.inbox_waiting, found.holds_open) == (None, 0, 0)
    with job_scope(agency_id=cast.globex.pk):
        assert selectors.read(cast.globex, NOON).run_failures == 0


def test_a_reading_is_kept_and_lost_without_harm(cast: Cast) -> None:
    assert selectors.kept(cast.acme.pk) is None
    look(cast)
    kept = selectors.kept(cast.acme.pk)
    assert kept is not None
    assert kept.made_at == NOON
    assert kept.alerts_open == len(alerts(cast))


def test_the_newest_backup_and_drill_count(cast: Cast) -> None:
    for hours, database in ((50, "default"), (2, "default"), (9, "vault")):
        Backup.objects.create(
            database=database,
            made_at=NOON - timedelta(hours=hours),
            name="x",
            size=1,
            digest="0",
            recipient="r",
        )
    for hours, passed in ((90, True), (3, False)):
        at = NOON - timedelta(hours=hours)
        Drill.objects.create(started_at=at, finished_at=at, passed=passed)
    found = selectors.house(NOON)
    assert found.backups == {"default": 2 * 3600, "vault": 9 * 3600}
    assert (found.drill_age, found.drill_passed) == (90 * 3600, False)


# --- what is alarming ---

AT = NOON.isoformat()
RINGS: list[tuple[Reading, House, list[Found]]] = [
    (Reading(AT), CALM, []),
    (Reading(AT, past_due={"call": 12, "recording": 0}), CALM, [Found("past_due", "call", 12)]),
    (Reading(AT, over={"api": 2}), CALM, [Found("secret_over", "api", 2)]),
    (Reading(AT, run_failures=1), CALM, [Found("run_failed", "", 1)]),
    (Reading(AT, endings_stopped=1), CALM, [Found("offboarding_stopped", "", 1)]),
    (Reading(AT, vendor_late=3), CALM, [Found("vendor_late", "", 3)]),
    (Reading(AT, outliving=4), CALM, [Found("vendor_outlives", "", 4)]),
    (Reading(AT, rotations_failed=1), CALM, [Found("rotation_failed", "", 1)]),
    (Reading(AT, run_expected=True), CALM, [Found("run_missing")]),
    (Reading(AT, run_expected=True, run_age=30 * 3600), CALM, []),
    (Reading(AT, run_expected=True, run_age=30 * 3600 + 1), CALM, [Found("run_missing")]),
    (Reading(AT, inbox_oldest=900), CALM, []),
    (Reading(AT, inbox_oldest=901), CALM, [Found("inbox_old")]),
    (Reading(AT, unsealed_age=300), CALM, []),
    (Reading(AT, unsealed_age=301), CALM, [Found("trail_unsealed")]),
    (
        Reading(AT),
        dataclasses.replace(CALM, backups_expected=True, backups={"vault": 60}),
        [Found("backup_late", "default")],
    ),
    (Reading(AT), dataclasses.replace(CALM, drill_expected=True), [Found("drill_late")]),
    (Reading(AT), dataclasses.replace(CALM, drill_expected=True, drill_age=8 * 86400), []),
    (Reading(AT), dataclasses.replace(CALM, drill_passed=False), [Found("drill_failed")]),
]


@pytest.mark.parametrize(("reading", "house", "found"), RINGS)
def test_each_figure_rings_at_its_limit(reading: Reading, house: House, found: list[Found]) -> None:
    assert watch.judge(reading, house) == found


def test_every_alarm_can_ring_and_says_what_to_do() -> None:
    assert {one.kind for _, _, found in RINGS for one in found} == kinds.ALARMS.keys()
    for alarm in kinds.ALARMS.values():
        assert len(alarm.to_do) > 40
        assert f"### {alarm.section}\n" in RUNBOOK, alarm.kind
        for is_over in (False, True):
            assert work_kinds.get(kinds.mail_kind(alarm.kind, is_over=is_over)).title


# --- alerts ---


def test_an_alert_begins_once_and_ends_with_its_cause(cast: Cast) -> None:
    live(cast.dentist)
    done_run(cast, NOON)
    make.call(cast.dentist, ANNA, at=NOON - timedelta(days=400))
    key = ("past_due", "call")
    assert look(cast)[0] == 1
    assert look(cast) == (0, 0)
    assert alerts(cast)[key].count == 1
    managers = sorted([cast.alice.user_id, cast.carol.user_id])
    assert told(cast, "alert_past_due") == managers
    make.call(cast.dentist, BEN, at=NOON - timedelta(days=401))
    assert look(cast) == (0, 0)
    assert alerts(cast)[key].count == 2
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.update(keep_calls_for_days=500)
    assert look(cast, NOON + timedelta(minutes=2)) == (0, 1)
    assert key not in alerts(cast)
    assert alerts(cast, is_open=False)[key].ended_at == NOON + timedelta(minutes=2)
    assert told(cast, "alert_past_due") == told(cast, "alert_past_due_over") == managers
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.update(keep_calls_for_days=None)
    assert look(cast, NOON + timedelta(minutes=4)) == (1, 0)


def test_its_mail_says_what_to_do(cast: Cast, mailoutbox: list[EmailMultiAlternatives]) -> None:
    ring(cast)
    work_tasks.send_due_mail.run()
    to = {one.to[0]: one for one in mailoutbox}
    assert {cast.alice.user.email, cast.carol.user.email} <= to.keys()
    said = to[cast.carol.user.email]
    assert kinds.ALARMS["past_due"].to_do in said.body
    assert "Open the newest run" in str(said.alternatives[0][0])
    assert ANNA not in said.body
    quiet(cast, NOON + timedelta(minutes=5))
    mailoutbox.clear()
    work_tasks.send_due_mail.run()
    assert mailoutbox
    assert not [one for one in mailoutbox if kinds.ALARMS["past_due"].to_do in one.body]


def test_another_agencys_alert_is_nobodys_business(cast: Cast) -> None:
    live(cast.florist)
    make.call(cast.florist, ANNA, at=NOON - timedelta(days=400))
    watch.look(agency_id=cast.globex.pk, at=NOON)
    look(cast)
    assert ("past_due", "call") not in alerts(cast)
    page = signed_in(cast.alice).get("/retention/watch/").content.decode()
    assert "a day after they were due" not in page
    assert "a day after they were due" in signed_in(cast.mallory).get("/retention/watch/").content.decode()


# --- messages ---

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def endpoint(cast: Cast) -> AlertEndpoint:
    with job_scope(agency_id=cast.acme.pk):
        return AlertEndpoint.objects.create(
            agency=cast.acme, url="https://pager.example/alerts", secret=SECRET, created_at=NOON
        )


def ring(cast: Cast) -> None:
    live(cast.dentist)
    done_run(cast, NOON)
    make.call(cast.dentist, ANNA, at=NOON - timedelta(days=400))
    look(cast)


def quiet(cast: Cast, at: datetime) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.update(keep_calls_for_days=500)
    look(cast, at)


def claim(cast: Cast, at: datetime = NOON) -> webhooks.Letter:
    letter = watch.claim(agency_id=cast.acme.pk, at=at)
    assert letter is not None
    return letter


def settle(
    cast: Cast, letter: webhooks.Letter, status: int, at: datetime = NOON, *, chance: float = 0.0
) -> None:
    watch.settle(
        agency_id=cast.acme.pk, letter=letter, status=status, words=f"answered {status}", chance=chance, at=at
    )


def body_of(letter: webhooks.Letter) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(letter.body)
    return found


def test_the_agencys_system_is_told_what_to_do_and_that_it_is_over(
    cast: Cast, endpoint: AlertEndpoint
) -> None:
    ring(cast)
    letter = claim(cast)
    body = body_of(letter)
    assert body["type"] == "retention.alert.began"
    assert body["data"]["to_do"] == kinds.ALARMS["past_due"].to_do
    assert body["data"]["runbook"] == "docs/runbook.md#rowspastdue"
    assert (body["data"]["kind"], body["data"]["key"], body["data"]["count"]) == ("past_due", "call", 1)
    signed = f"{letter.headers['webhook-id']}.{letter.headers['webhook-timestamp']}.".encode() + letter.body
    raw = base64.b64decode(SECRET.removeprefix("whsec_"))
    own = base64.b64encode(hmac.new(raw, signed, hashlib.sha256).digest()).decode()
    assert letter.headers["webhook-signature"] == f"v1,{own}"
    assert ANNA not in letter.body.decode()
    assert watch.claim(agency_id=cast.acme.pk, at=NOON) is None, "leased"
    settle(cast, letter, 204)
    assert watch.claim(agency_id=cast.acme.pk, at=NOON + timedelta(days=1)) is None
    later = NOON + timedelta(minutes=2)
    quiet(cast, later)
    over = claim(cast, later)
    assert body_of(over)["type"] == "retention.alert.over"
    assert over.headers["webhook-id"] != letter.headers["webhook-id"]


@pytest.mark.thorough
def test_what_ends_on_the_way_is_told_as_over(cast: Cast, endpoint: AlertEndpoint) -> None:
    ring(cast)
    letter = claim(cast)
    later = NOON + timedelta(minutes=1)
    quiet(cast, later)
    settle(cast, letter, 204, later)
    assert body_of(claim(cast, later))["type"] == "retention.alert.over"


def test_systems_that_were_away_together_are_not_tried_again_in_step(
    cast: Cast, endpoint: AlertEndpoint
) -> None:
    ring(cast)
    settle(cast, claim(cast), 500, chance=1.0)

    due_at = alerts(cast)["past_due", "call"].due_at

    assert due_at == NOON + watch.PAUSES[0] * 1.25


def test_it_is_tried_for_three_days_with_growing_pauses_and_then_shown(
    cast: Cast, endpoint: AlertEndpoint
) -> None:
    ring(cast)
    at, waits = NOON, []
    while True:
        settle(cast, claim(cast, at), 500, at)
        row = alerts(cast)["past_due", "call"]
        if row.due_at is None:
            break
        waits.append(row.due_at - at)
        at = row.due_at
    assert waits == sorted(waits)
    assert timedelta(days=2) < at - NOON < timedelta(days=3)
    assert watch.is_dead(row)
    page = signed_in(cast.alice).get("/retention/watch/").content.decode()
    assert "Never reached" in page


def test_without_an_address_nothing_waits(cast: Cast) -> None:
    ring(cast)
    assert alerts(cast)["past_due", "call"].due_at is None
    assert watch.claim(agency_id=cast.acme.pk, at=NOON) is None


def test_an_address_that_is_named_later_hears_what_stands(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "check_address", lambda *_, **__: "203.0.113.9")
    ring(cast)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        watch.set_endpoint(agency=cast.acme, url="https://pager.example/", by=officer(cast), at=NOON)
    stands = len(alerts(cast))
    look(cast)
    told_of = []
    while (letter := watch.claim(agency_id=cast.acme.pk, at=NOON)) is not None:
        told_of.append(json.loads(letter.body)["type"])
        watch.settle(agency_id=cast.acme.pk, letter=letter, status=200, words="OK", chance=0.0, at=NOON)
    assert told_of == [watch.BEGAN] * stands
    look(cast)
    assert watch.claim(agency_id=cast.acme.pk, at=NOON) is None


def test_a_closed_address_hears_nothing(cast: Cast, endpoint: AlertEndpoint) -> None:
    ring(cast)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        assert watch.close_endpoint(endpoint=endpoint, by=officer(cast), at=NOON)
        assert not watch.close_endpoint(endpoint=endpoint, by=officer(cast), at=NOON)
    assert watch.claim(agency_id=cast.acme.pk, at=NOON) is None
    assert alerts(cast)["past_due", "call"].due_at is None


@pytest.mark.parametrize("url", ["http://pager.example/", "https://127.0.0.1/", "https://10.0.0.4/x"])
def test_an_address_inside_our_network_is_refused(cast: Cast, url: str) -> None:
    page = signed_in(cast.alice).post("/retention/watch/address/", {"url": url})
    assert page.status_code == 200
    assert "field-error" in page.content.decode()
    with job_scope(agency_id=cast.acme.pk):
        assert not AlertEndpoint.objects.exists()


def test_a_secret_is_shown_once_and_changed(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "check_address", lambda *_, **__: "203.0.113.9")
    browser = signed_in(cast.carol)
    page = browser.post("/retention/watch/address/", {"url": "https://pager.example/a"}).content.decode()
    with job_scope(agency_id=cast.acme.pk):
        first = AlertEndpoint.objects.get().secret
    assert first in page
    assert first not in browser.get("/retention/watch/").content.decode()
    assert first not in browser.get("/retention/watch/address/").content.decode()
    page = browser.post("/retention/watch/address/secret/").content.decode()
    with job_scope(agency_id=cast.acme.pk):
        second = AlertEndpoint.objects.get().secret
        actions = set(Event.objects.values_list("action", flat=True))
    assert second in page
    assert first not in page
    assert {"alert_endpoint.set", "alert_endpoint.secret_rotated"} <= actions


def test_a_test_is_sent_and_its_answer_shown(
    cast: Cast, endpoint: AlertEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks.send_alerts, "delay_on_commit", lambda **_: None, raising=False)
    sent: list[webhooks.Letter] = []

    def send(letter: webhooks.Letter) -> tuple[int, str]:
        sent.append(letter)
        return 200, "answered 200"

    monkeypatch.setattr(webhooks, "send", send)
    browser = signed_in(cast.alice)
    assert browser.post("/retention/watch/address/test/").status_code == 302
    tasks.send_alerts.run()
    tasks.send_alerts.run()
    assert [body_of(letter)["type"] for letter in sent] == ["retention.alert.test"]
    page = browser.get("/retention/watch/").content.decode()
    assert "Test of the address" in page
    assert "answered 200" in page
    assert browser.post("/retention/watch/address/close/").status_code == 302
    for deed in ("test", "secret", "close"):
        assert browser.post(f"/retention/watch/address/{deed}/")["Location"] == "/retention/watch/"
        assert "Set one first" in browser.get("/retention/watch/").content.decode()


# --- pages ---


def test_the_page_and_the_overview_say_what_is_late(cast: Cast) -> None:
    browser = signed_in(cast.alice)
    assert "No reading yet" in browser.get("/retention/watch/").content.decode()
    assert "Nothing is late" in browser.get("/overview/").content.decode()
    ring(cast)
    page = browser.get("/retention/watch/").content.decode()
    assert kinds.ALARMS["past_due"].to_do.split(".")[0] in page
    assert "Call records, calls in" in page
    assert "1 row is late" in browser.get("/overview/").content.decode()
    assert signed_in(cast.bob).get("/retention/watch/").status_code == 403
    assert "Nothing is late" not in signed_in(cast.bob).get("/overview/").content.decode()
    quiet(cast, NOON + timedelta(minutes=5))
    page = browser.get("/retention/watch/").content.decode()
    assert "No open alert" in page


def test_the_overview_is_not_green_while_an_alert_stands_though_nothing_is_late(
    cast: Cast, settings: Settings
) -> None:
    settings.CALLPRIVACY_DRILL = "weekly"
    look(cast)
    overview = signed_in(cast.alice).get("/overview/").content.decode()
    assert re.search(r'text-warn">1 alert stands</p>\s*<p class="stat-note">nothing is late<', overview)


# --- tables ---


def test_a_large_table_shows_its_dead_rows_and_a_small_one_does_not(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "_ROWS_AT_LEAST", 10**12)
    assert storage.tables() == []
    monkeypatch.setattr(storage, "_ROWS_AT_LEAST", 1)
    found = storage.tables()
    assert {one.database for one in found} <= {"default", "vault"}
    assert all(0 <= one.dead <= 1 and one.broken == 0 for one in found)


@pytest.mark.thorough
def test_a_bloated_table_and_a_broken_index_are_marked(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    good = storage.Table("default", "calls_call", 0.02, NOON, NOON, 0.9, 0)
    bloated = dataclasses.replace(good, name="calls_callref", dead=0.3, vacuumed_at=None)
    broken = dataclasses.replace(good, database="vault", name="vault_caller", broken=1)
    monkeypatch.setattr(storage, "tables", lambda *_: [good, bloated, broken])
    look(cast)
    page = signed_in(cast.alice).get("/retention/watch/").content.decode()
    assert page.count("Bloated: VACUUM") == page.count("REINDEX") == 1
    said = watch.metrics(at=NOON).decode()
    assert 'callprivacy_table_dead_share{table="default.calls_callref"} 0.3' in said
    assert "callprivacy_indexes_broken 0.0" in said, "the page's tables are not all there are"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("database", some(["default", "vault"], one_in=2))
def test_a_broken_index_of_a_small_table_is_counted(database: str) -> None:
    prefix = "VAULT_" if database == "vault" else ""
    with psycopg.connect(os.environ[f"{prefix}DATABASE_OWNER_URL"], autocommit=True) as owner:
        owner.execute("CREATE TABLE small AS SELECT 1 AS number FROM generate_series(1, 2)")
        assert "callprivacy_indexes_broken 0.0" in watch.metrics(at=NOON).decode().splitlines()
        with pytest.raises(psycopg.errors.UniqueViolation):
            owner.execute("CREATE UNIQUE INDEX CONCURRENTLY small_number ON small (number)")
        assert "callprivacy_indexes_broken 1.0" in watch.metrics(at=NOON).decode().splitlines()
        owner.execute("DROP TABLE small")


# --- metrics ---


def scrape(token: str | None) -> Any:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return Browser().get("/metrics", headers=headers)


@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN + "x", TOKEN[:-1]])
def test_without_the_token_there_is_nothing(cast: Cast, settings: Settings, token: str | None) -> None:
    settings.CALLPRIVACY_METRICS_TOKEN = TOKEN
    assert scrape(token).status_code == 404
    settings.CALLPRIVACY_METRICS_TOKEN = ""
    assert scrape(token).status_code == 404
    assert scrape(TOKEN).status_code == 404


def test_metrics_add_agencies_up_and_name_nobody(cast: Cast, settings: Settings) -> None:
    settings.CALLPRIVACY_METRICS_TOKEN = TOKEN
    now = make.now()
    for client in (cast.dentist, cast.florist):
        live(client)
        make.call(client, ANNA, at=now - timedelta(days=400))
    answer = scrape(TOKEN)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    text = answer.content.decode()
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(lines['callprivacy_rows_past_due{category="call"}']) == 2
    assert float(lines["callprivacy_agencies_read"]) == 2
    for name in (
        "inbox_oldest_seconds", "run_failures", "vendor_backlog", "holds_open", "audit_unsealed_seconds",
        "alerts_open", "reading_age_seconds",
    ):  # fmt: skip
        assert f"callprivacy_{name}" in lines
    for word in ("acme", "Acme", "entist", "lorist", ANNA, ANNA[2:]):
        assert word not in text


def test_metrics_say_what_waits_who_is_there_and_how_long_things_take(
    cast: Cast, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CALLPRIVACY_METRICS_TOKEN = TOKEN
    monkeypatch.setattr(figures, "_pending", figures._Pending())
    at = make.now() - timedelta(hours=1)
    with job_scope(agency_id=cast.acme.pk):
        row = Notification.objects.create(
            agency=cast.acme,
            user_id=cast.alice.user_id,
            kind="posture_weekly",
            key="k",
            at=at,
            mail_due_at=at,
        )
        assert due.oldest(cast.acme.pk, make.now())["work.notification.mail_due_at"][1] == 1
        assert read(cast, make.now()).outbox_waiting == 1
    figures.say_alive("worker")
    figures.count_task(name="calls.sweep_inbox", is_done=False, seconds=0.02)
    figures.count_request(room="calls", status=200, seconds=0.02)
    figures.add_up(at_once=True)
    text = scrape(TOKEN).content.decode()
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(lines["callprivacy_outbox_oldest_seconds"]) >= 3600
    assert float(lines['callprivacy_due_oldest_seconds{what="work.notification.mail_due_at"}']) >= 3600
    assert float(lines['callprivacy_processes{kind="worker"}']) == 1
    assert float(lines['callprivacy_processes{kind="beat"}']) == 0
    assert float(lines["callprivacy_broker_up"]) == 1
    requests = 'callprivacy_request_seconds_bucket{le="%s",room="calls",status="2xx"}'
    assert [lines[requests % bound] for bound in ("0.01", "0.025", "+Inf")] == ["0.0", "1.0", "1.0"]
    assert float(lines['callprivacy_task_seconds_count{outcome="failed",task="calls.sweep_inbox"}']) == 1
    assert str(row.pk) not in text


def test_whatever_is_mailed_is_in_the_outbox() -> None:
    mailed = {name for name in due._columns() if name.endswith(".mail_due_at")}
    assert mailed <= due._OUTBOX.keys() <= due._columns().keys()


def _tasks_counted() -> dict[tuple[str, str], float]:
    """(task, outcome) -> how many, as /metrics says it."""
    figures.add_up(at_once=True)
    said = re.findall(
        r'callprivacy_task_seconds_count\{outcome="(\w+)",task="([\w.]+)"\} (\S+)',
        scrape(TOKEN).content.decode(),
    )
    return {(task, outcome): float(count) for outcome, task, count in said}


def _run_as_a_worker_does(task: Any) -> str:
    """Run a task with all that a worker does around it; returns the state it ends in."""
    traced = build_tracer(task.name, task, app=task.app)(uuid.uuid4().hex, (), {}, {"is_eager": False})
    return "SUCCESS" if traced.info is None else str(traced.info.state)


@pytest.mark.thorough
def test_a_job_that_fails_at_one_agency_is_counted_as_failed_and_ends_as_before(
    cast: Cast, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CALLPRIVACY_METRICS_TOKEN = TOKEN
    monkeypatch.setattr(figures, "_pending", figures._Pending())
    really, name = watch.look, tasks.watch_agencies.name

    def look_at(*, agency_id: int, at: datetime) -> tuple[int, int]:
        if agency_id == cast.globex.pk:
            raise LookupError("a fault of one")
        return really(agency_id=agency_id, at=at)

    with monkeypatch.context() as broken:
        broken.setattr(watch, "look", look_at)
        assert _run_as_a_worker_does(tasks.watch_agencies) == "SUCCESS", "it is not done again"
    assert selectors.kept(cast.acme.pk) is not None
    assert selectors.kept(cast.globex.pk) is None
    assert _tasks_counted() == {(name, "failed"): 1}
    assert _run_as_a_worker_does(tasks.watch_agencies) == "SUCCESS"
    assert _tasks_counted() == {(name, "failed"): 1, (name, "done"): 1}


@pytest.fixture
def _without_valkey(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the figures nor what is kept is reached."""
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    settings.CACHES = {name: one | {"LOCATION": settings.REDIS_URL} for name, one in settings.CACHES.items()}
    monkeypatch.setattr(figures, "_lines", {})


@pytest.mark.usefixtures("_without_valkey")
def test_who_collects_metrics_is_told_that_valkey_is_away_and_what_waits_meanwhile(
    cast: Cast, settings: Settings
) -> None:
    settings.CALLPRIVACY_METRICS_TOKEN = TOKEN
    live(cast.dentist)
    make.call(cast.dentist, ANNA, at=make.now() - timedelta(days=400))
    with pytest.raises(redis.RedisError):
        caches["hints"].get("anything")
    answer = scrape(TOKEN)
    assert answer.status_code == 200
    lines = answer.content.decode().splitlines()
    assert "callprivacy_broker_up 0.0" in lines
    assert "callprivacy_agencies_read 2.0" in lines
    assert 'callprivacy_rows_past_due{category="call"} 1.0' in lines


@pytest.fixture
def own_valkey(settings: Settings, tmp_path: Path) -> Iterator[redis.Redis]:
    """A Valkey that no other test writes to, and which the product uses meanwhile."""
    place = services.Place.of(tmp_path)
    server = services.Valkey(place, durable=False)
    server.start()
    try:
        settings.REDIS_URL = server.url()
        settings.CACHES = {name: one | {"LOCATION": server.url()} for name, one in settings.CACHES.items()}
        with redis.Redis.from_url(server.url()) as line:
            yield line
    finally:
        server.stop()
        place.forget_if_elsewhere()
        shutil.rmtree(place.sockets, ignore_errors=True)


@pytest.mark.thorough
def test_a_valkey_that_takes_no_writes_is_said_to_be_down_and_what_it_keeps_is_read(
    cast: Cast, settings: Settings, own_valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CALLPRIVACY_METRICS_TOKEN = TOKEN
    monkeypatch.setattr(figures, "_pending", figures._Pending())
    look(cast)
    figures.say_alive("worker")
    assert _said(scrape(TOKEN))["callprivacy_broker_up"] == "1.0"
    # One that said nothing for a day is forgotten, which is a write as well.
    own_valkey.hset(figures._key("processes"), "beat|gone|1", "1.0")
    own_valkey.config_set("maxmemory", "1")
    with pytest.raises(redis.ResponseError):
        own_valkey.set("anything", "1")
    said = _said(scrape(TOKEN))
    assert said["callprivacy_broker_up"] == "0.0"
    assert said["callprivacy_agencies_read"] == "2.0"
    assert said['callprivacy_processes{kind="worker"}'] == "1.0"
    own_valkey.config_set("maxmemory", "0")
    assert _said(scrape(TOKEN))["callprivacy_broker_up"] == "1.0"


@contextlib.contextmanager
def elsewhere(*names: str, **settings_of_it: Any) -> Iterator[None]:
    """Have databases looked for where they are not, by requests that ask anew whether both are of one age."""
    before = {name: connections[name] for name in names}
    asked = lineage.remembered
    lineage.remembered = lineage._Remembered(lineage.Lineage.SAME)
    for name in names:
        away: Any = connections.create_connection(name)
        away.settings_dict = away.settings_dict | settings_of_it
        connections[name] = away
    try:
        yield
    finally:
        lineage.remembered = asked
        for name, one in before.items():
            connections[name] = one


def _said(answer: Any) -> dict[str, str]:
    assert answer.status_code == 200
    lines = [line for line in answer.content.decode().splitlines() if not line.startswith("#")]
    return dict(line.rsplit(" ", 1) for line in lines)


@pytest.mark.parametrize("name", some(["default", "vault"], one_in=2))
def test_who_collects_metrics_is_told_which_database_is_away(
    cast: Cast, settings: Settings, name: str
) -> None:
    settings.CALLPRIVACY_METRICS_TOKEN = TOKEN
    for agency in (cast.acme, cast.globex):
        watch.look(agency_id=agency.pk, at=make.now())
    with elsewhere(name, HOST="/nowhere"):
        answer = scrape(TOKEN)
    said = _said(answer)
    up = {other: said[f'callprivacy_database_up{{database="{other}"}}'] for other in ("default", "vault")}
    assert up == {"default": "1.0", "vault": "1.0"} | {name: "0.0"}
    assert said["callprivacy_broker_up"] == "1.0"
    assert "nowhere" not in answer.content.decode()
    of_agencies = {one for one in said if one.startswith(("callprivacy_run", "callprivacy_agencies"))}
    if name == "vault":
        assert said["callprivacy_agencies_read"] == "2.0", "what is kept needs no vault"
    else:
        assert of_agencies == set(), "of what nobody read, no figure says that it is well"
    assert set(_said(scrape(TOKEN)).items()) >= {
        (f'callprivacy_database_up{{database="{other}"}}', "1.0") for other in ("default", "vault")
    }


def test_what_is_not_kept_is_not_read_without_the_vault(cast: Cast, settings: Settings) -> None:
    settings.CALLPRIVACY_METRICS_TOKEN = TOKEN
    with elsewhere("vault", HOST="/nowhere"):
        assert _said(scrape(TOKEN))["callprivacy_agencies_read"] == "0.0"


@pytest.mark.thorough
def test_databases_that_hang_keep_nobody_waiting(cast: Cast, settings: Settings) -> None:
    settings.CALLPRIVACY_METRICS_TOKEN = TOKEN
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with elsewhere("default", "vault", HOST="127.0.0.1", PORT=silent.getsockname()[1]):
            began = time.monotonic()
            said = _said(scrape(TOKEN))
        took = time.monotonic() - began
    assert said['callprivacy_database_up{database="default"}'] == "0.0"
    assert said['callprivacy_database_up{database="vault"}'] == "0.0"
    assert took < 6, "Prometheus gives up after ten seconds"


def test_a_database_that_takes_a_connection_and_answers_nothing_is_away(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert databases.answering() == {"default": True, "vault": True}
    monkeypatch.setattr(databases, "_ASK", b"SELECT pg_sleep(9)")
    monkeypatch.setattr(databases, "_WAITS_FOR", 0.2)
    began = time.monotonic()
    assert databases.answering() == {"default": False, "vault": False}
    assert time.monotonic() - began < 3
    monkeypatch.setattr(databases, "_ASK", b"SELECT no_such_thing")
    assert databases.answering() == {"default": False, "vault": False}


def test_a_scrape_leaves_no_connection(cast: Cast, settings: Settings) -> None:
    settings.CALLPRIVACY_METRICS_TOKEN = TOKEN

    def count() -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND backend_type = 'client backend'"
            )
            found: int = cursor.fetchone()[0]
            return found

    scrape(TOKEN)
    before = count()
    for _ in range(5):
        scrape(TOKEN)
    until = time.monotonic() + 5
    while count() > before and time.monotonic() < until:
        time.sleep(0.05)
    assert count() <= before


def test_metrics_are_shut_while_one_database_is_an_old_copy(
    cast: Cast, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CALLPRIVACY_METRICS_TOKEN = TOKEN
    older = lineage._Remembered(lineage.Lineage.VAULT_OLDER, float("inf"))
    monkeypatch.setattr(lineage, "remembered", older)
    answer = scrape(TOKEN)
    assert answer.status_code == 503
    assert "after_restore" in answer.content.decode()
    assert scrape(None).status_code == 503


@pytest.mark.usefixtures("_without_valkey")
def test_the_page_and_the_look_go_without_what_valkey_keeps(cast: Cast) -> None:
    ring(cast)
    assert ("past_due", "call") in alerts(cast)
    answer = signed_in(cast.alice).get("/retention/watch/")
    assert answer.status_code == 200
    assert "a day after they were due" in answer.content.decode()
    assert "No reading" in answer.content.decode()


def test_a_scrape_does_not_wait_for_agencies_that_take_long(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "READ_FOR", 0.0)
    assert "callprivacy_agencies_read 0.0" in watch.metrics(at=NOON).decode().splitlines()
    look(cast)
    assert "callprivacy_agencies_read 1.0" in watch.metrics(at=NOON).decode().splitlines()


def test_what_is_finished_is_due_no_more(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        row = Rejudgement.objects.create(client=cast.dentist, agency=cast.acme, created_at=NOON, due_at=NOON)
        later = NOON + timedelta(hours=1)
        assert due.oldest(cast.acme.pk, later)["consent.rejudgement.due_at"] == (3600, 1)
        Rejudgement.objects.filter(pk=row.pk).update(finished_at=NOON)
        assert "consent.rejudgement.due_at" not in due.oldest(cast.acme.pk, later)


def test_calls_that_are_not_counted_within_an_hour_wait_for_their_job(cast: Cast) -> None:
    """A page says that, and whom to tell, for an hour at most."""
    with job_scope(agency_id=cast.acme.pk):
        making.touch(client=cast.dentist, hours=[NOON, None])
        soon, late = (make.now() + timedelta(minutes=minutes) for minutes in (40, 60))
        assert "analytics.touched.due_at" not in due.oldest(cast.acme.pk, soon)
        age, count = due.oldest(cast.acme.pk, late)["analytics.touched.due_at"]
    assert (age // 60, count) == (selectors.DUE_LATE_AFTER.total_seconds() // 60, 2)


def test_a_backup_that_a_drill_found_good_has_an_age(cast: Cast) -> None:
    for name, days in (("old", 9), ("new", 1)):
        Backup.objects.create(
            database="vault",
            made_at=NOON - timedelta(days=days),
            name=f"vault-{name}.age",
            size=1,
            digest="0" * 64,
        )
    Drill.objects.create(
        started_at=NOON, finished_at=NOON, passed=True, report={"backups": {"vault": "vault-old.age"}}
    )
    assert selectors.house(NOON).verified == {"vault": 9 * 24 * 3600}


def _ages(readings: list[Reading], house: House) -> dict[str, float]:
    """What is said of runs, backups and drills."""
    text = selectors.metrics(readings, house, storage.Order([], 0), None, NOON).decode()
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    wanted = ("callprivacy_run_age", "callprivacy_backup", "callprivacy_drill_age")
    return {
        name.removeprefix("callprivacy_"): float(value)
        for name, value in lines.items()
        if name.startswith(wanted)
    }


def test_what_never_was_is_as_old_as_what_should_have_it() -> None:
    never = dataclasses.replace(CALM, backups_expected=True, drill_expected=True, age=900)
    assert _ages([Reading(AT, age=700), Reading(AT, age=800, run_age=5)], never) == {
        "run_age_seconds": 700,
        'backup_age_seconds{database="default"}': 900,
        'backup_age_seconds{database="vault"}': 900,
        'backup_verified_age_seconds{database="default"}': 900,
        'backup_verified_age_seconds{database="vault"}': 900,
        "drill_age_seconds": 900,
    }
    one = dataclasses.replace(never, backups={"default": 5}, verified={"default": 6}, drill_age=7)
    assert _ages([Reading(AT, age=800, run_age=5)], one) == {
        "run_age_seconds": 5,
        'backup_age_seconds{database="default"}': 5,
        'backup_age_seconds{database="vault"}': 900,
        'backup_verified_age_seconds{database="default"}': 6,
        'backup_verified_age_seconds{database="vault"}': 900,
        "drill_age_seconds": 7,
    }


def test_a_secret_that_changes_itself_in_time_needs_nobody() -> None:
    """Who is woken by its age past the limit would find it changed by the next run."""
    readings = [
        Reading(AT, secrets={"over": 2}, over={}),
        Reading(AT, secrets={"over": 3}, over={"api": 2}),
        Reading(AT, secrets={"over": 1}, over={"api": 1}),
    ]

    def wanted(found: list[Reading]) -> list[str]:
        text = selectors.metrics(found, CALM, storage.Order([], 0), None, NOON).decode()
        return [line for line in text.splitlines() if line.startswith("callprivacy_secrets_need")]

    assert wanted(readings[:1]) == []
    assert wanted(readings) == ['callprivacy_secrets_need_a_person{kind="api"} 3.0']


def test_what_nobody_expects_has_no_age() -> None:
    assert _ages([], dataclasses.replace(CALM, age=900)) == {}


def test_a_new_agency_and_a_new_installation_have_an_age(cast: Cast) -> None:
    assert read(cast, cast.acme.created_at + timedelta(hours=31)).since_run == 31 * 3600
    done_run(cast, cast.acme.created_at + timedelta(hours=30))
    assert read(cast, cast.acme.created_at + timedelta(hours=31)).since_run == 3600
    began = MigrationRecorder.Migration.objects.order_by("applied")[0].applied
    assert selectors.house(began + timedelta(days=9)).age == 9 * 86_400


def test_a_reading_of_another_version_is_read(cast: Cast) -> None:
    selectors.keep(cast.acme.pk, Reading(at=NOON.isoformat(), holds_open=3))
    name = selectors._name(cast.acme.pk)
    kept = caches["hints"]
    kept.set(name, kept.get(name) | {"of_another_version": 1}, 60)
    found = selectors.kept(cast.acme.pk)
    assert found is not None
    assert found.holds_open == 3


def test_a_signed_in_person_with_the_token_reads_them_too(cast: Cast, settings: Settings) -> None:
    settings.CALLPRIVACY_METRICS_TOKEN = TOKEN
    answer = signed_in(cast.alice).get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
