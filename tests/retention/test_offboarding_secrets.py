"""Of a client that has left nothing opens its accounts any more, and no file of its calls lies in a folder."""

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from callprivacy.accounts.models import Membership
from callprivacy.calls.channels import folders
from callprivacy.calls.channels.folders import FolderError
from callprivacy.calls.models import ConnectionSecret, KnownValue
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import services as vault
from callprivacy.work.models import Item
from consent import kinds
from consent.enums import WaitingState
from consent.models import VendorTask, WebhookEndpoint
from consent.services import menu_calls, vendor_tasks, webhooks
from retention.enums import EndState
from retention.models import Offboarding
from tests import make
from tests.accounts.browsers import signed_in
from tests.calls.test_drops import GOOD, drop, dropped_into, opened
from tests.cast import Cast
from tests.make import NOON
from tests.retention.test_offboarding import ask, deed, filled, now, taken, work
from tests.retention.test_vendors import AT_CALLRAIL, AT_TWILIO, begin, end, live, recorded

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(hours=2)


@pytest.fixture
def root(settings: Any, tmp_path: Path) -> Path:
    return dropped_into(settings, tmp_path)


def leaves(cast: Cast, second: Membership, at: datetime = LATER) -> Offboarding:
    """The row once a worker has done what it can by then."""
    ask(cast)
    deed(cast, "agree", second)
    work(cast, NOON)
    taken(deed(cast, "new_link"))
    deed(cast, "begin_erasing")
    work(cast, at)
    return now(cast)


def stated(row: Offboarding) -> dict[str, Any]:
    assert row.state == EndState.DONE
    found: dict[str, Any] = json.loads(row.statement)
    return found


def test_no_secret_and_no_address_of_a_system_stays(cast: Cast, second: Membership) -> None:
    filled(cast)
    with job_scope(agency_id=cast.acme.pk):
        facts = {"name": "CRM", "url": "https://crm.example/hooks", "secret": webhooks.new_secret()}
        ours = {"agency_id": cast.acme.pk, "created_at": NOON}
        mine = WebhookEndpoint.objects.create(client=cast.dentist, **ours, **facts)
        other = WebhookEndpoint.objects.create(client=cast.plumber, **ours, **facts)
        assert ConnectionSecret.objects.for_client(cast.dentist).exists()
        known = {"agency_id": cast.acme.pk, "field": "source", "value": "Radio WXYZ", "first_seen_at": NOON}
        for client in (cast.dentist, cast.plumber):
            KnownValue.objects.create(client=client, **known)
    left = stated(leaves(cast, second))["left"]
    assert (left["secrets"], left["endpoints"], left["vendor_steps"]) == (0, 0, 0)
    with job_scope(agency_id=cast.acme.pk):
        assert not ConnectionSecret.objects.for_client(cast.dentist).exists()
        assert KnownValue.objects.get().client_id == cast.plumber.pk
        row = WebhookEndpoint.objects.get(pk=mine.pk)
        assert (row.is_active, row.secret) == (False, "")
        assert WebhookEndpoint.objects.get(pk=other.pk).secret == facts["secret"]


def test_files_that_were_dropped_go_and_the_statement_names_their_folder(
    cast: Cast, second: Membership, root: Path
) -> None:
    filled(cast)
    way = opened(cast)
    lies = [drop(root, way, name, GOOD) for name in ("calls.csv", ".part")]
    inside = drop(root, way, "calls.csv", GOOD).parent / "+14045550100" / "2026-11"
    inside.mkdir(parents=True)
    (inside / "calls.csv").write_text(GOOD)
    stranger = root / "acme" / "plumber" / "calls.csv"
    stranger.parent.mkdir(parents=True)
    stranger.write_text(GOOD)
    found = stated(leaves(cast, second))
    assert not [path for path in lies if path.exists()]
    # What folders below are called may be somebody's number.
    assert not inside.parent.exists()
    assert stranger.exists()
    folder = f"acme/dentist/{way.pk.hex[:8]}"
    assert found["folders"] == [{"name": folder, "left": 0}]
    assert found["left"]["dropped_files"] == 0


@pytest.mark.thorough
def test_a_folder_that_is_not_reached_for_a_day_is_named_as_one_of_which_nobody_knows(
    cast: Cast, second: Membership, root: Path
) -> None:
    filled(cast)
    way = opened(cast)
    shutil.rmtree(root)
    row = leaves(cast, second)
    assert (row.state, row.step, row.due_at) == (EndState.ERASING, "keys", LATER + timedelta(minutes=1))
    page = signed_in(cast.alice).get("/clients/dentist/leave/").content.decode()
    assert "It waits" in page
    assert "the folder cannot be read" in page
    work(cast, LATER + timedelta(hours=23))
    assert now(cast).state == EndState.ERASING
    work(cast, LATER + timedelta(hours=25))
    found = stated(now(cast))
    assert found["folders"] == [{"name": f"acme/dentist/{way.pk.hex[:8]}", "left": None}]
    assert found["left"]["dropped_files"] is None
    assert now(cast).last_error == ""


@pytest.mark.thorough
def test_a_folder_that_fails_for_a_second_is_empty_a_minute_later(
    cast: Cast, second: Membership, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(cast)
    way = opened(cast)
    stuck, other = (drop(root, way, name, GOOD) for name in ("a.csv", "b.csv"))
    really = folders.erase

    def erase(one: folders.Lying) -> None:
        if one.name == "a.csv":
            raise FolderError("It is busy.")
        really(one)

    monkeypatch.setattr(folders, "erase", erase)
    assert leaves(cast, second).state == EndState.ERASING
    assert (stuck.exists(), other.exists()) == (True, False), "one file keeps no other"
    monkeypatch.setattr(folders, "erase", really)
    work(cast, LATER + timedelta(minutes=1))
    assert stated(now(cast))["left"]["dropped_files"] == 0
    assert not stuck.exists()


def task(cast: Cast) -> VendorTask:
    with job_scope(agency_id=cast.acme.pk):
        return VendorTask.objects.for_client(cast.dentist).get()


def tried(cast: Cast, outcome: menu_calls.Outcome, at: datetime) -> None:
    order = menu_calls.claim_order(agency_id=cast.acme.pk, at=at)
    assert order is not None
    assert order.account is not None
    menu_calls.settle(agency_id=cast.acme.pk, order=order, outcome=outcome, chance=0.0, at=at)


def test_what_opens_twilio_stays_until_twilio_has_deleted(cast: Cast, second: Membership) -> None:
    filled(cast)
    client = live(cast.dentist, instructed=True)
    recorded(client, "twilio", AT_TWILIO)
    row = leaves(cast, second)
    assert (row.state, row.step) == (EndState.ERASING, "keys")
    tried(cast, menu_calls.Outcome(receipt="deleted"), LATER)
    assert task(cast).state == WaitingState.DONE
    work(cast, LATER + timedelta(minutes=2))
    assert stated(now(cast))["left"]["vendor_steps"] == 0


@pytest.mark.thorough
def test_a_step_that_a_vendor_does_not_do_is_given_up_counted_and_in_nobodys_way(
    cast: Cast, second: Membership
) -> None:
    filled(cast)
    client = live(cast.dentist, instructed=True)
    recorded(client, "twilio", AT_TWILIO)
    assert leaves(cast, second).state == EndState.ERASING
    at = LATER
    for _ in range(3):
        tried(cast, menu_calls.Outcome(error="Twilio could not be reached."), at)
        at += timedelta(hours=1)
    work(cast, at)
    assert stated(now(cast))["left"]["vendor_steps"] == 1
    row = task(cast)
    assert (row.state, row.due_at, row.reference) == (WaitingState.CANCELLED, None, None)
    assert menu_calls.claim_order(agency_id=cast.acme.pk, at=at + timedelta(days=9)) is None


@pytest.mark.thorough
def test_nobody_waits_longer_than_a_day_for_a_vendor(cast: Cast, second: Membership) -> None:
    filled(cast)
    client = live(cast.dentist, instructed=True)
    recorded(client, "twilio", AT_TWILIO)
    assert leaves(cast, second).state == EndState.ERASING
    work(cast, LATER + timedelta(hours=23))
    assert now(cast).state == EndState.ERASING
    work(cast, LATER + timedelta(hours=25))
    assert stated(now(cast))["left"]["vendor_steps"] == 1


@pytest.mark.thorough
def test_a_step_that_was_given_up_is_stated_where_the_worker_was_killed_before_the_statement(
    cast: Cast, second: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(cast)
    client = live(cast.dentist, instructed=True)
    recorded(client, "twilio", AT_TWILIO)
    leaves(cast, second)

    def killed(**_: Any) -> None:
        raise OSError("The worker is gone.")

    with monkeypatch.context() as patch:
        patch.setattr(vault, "destroy_client", killed)
        work(cast, LATER + timedelta(hours=25))
    assert (now(cast).state, task(cast).state) == (EndState.ERASING, WaitingState.CANCELLED)
    work(cast, LATER + timedelta(hours=26))
    assert stated(now(cast))["left"]["vendor_steps"] == 1


@pytest.mark.thorough
def test_a_letter_that_was_given_up_waits_for_nobody_any_more(cast: Cast, second: Membership) -> None:
    filled(cast)
    client = live(cast.dentist, instructed=True)
    recording = recorded(client, "callrail", AT_CALLRAIL)
    begin(client, recording)
    end(client, recording)
    with job_scope(agency_id=cast.acme.pk):
        vendor_tasks.mark_sent(task=task(cast), words="Please.", by=make.JOB, at=NOON - timedelta(days=8))
    assert vendor_tasks.chase(agency_id=cast.acme.pk, at=NOON) == 1
    left = stated(leaves(cast, second))["left"]
    assert (left["vendor_steps"], left["waiting"]) == (1, 0)
    with job_scope(agency_id=cast.acme.pk):
        assert not Item.objects.open().filter(kind=kinds.VENDOR_SILENT).exists()
