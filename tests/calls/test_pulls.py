"""Calls that no webhook brought are found in the tracker's list, whatever dies meanwhile, and nothing else is."""

import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
import time_machine

from callprivacy.calls.channels import asking, callrail, ctm, invoca, twilio
from callprivacy.calls.enums import JobState, PullKind
from callprivacy.calls.models import Call, Connection, Inbox, Pull, PullRun
from callprivacy.calls.providers import pulled
from callprivacy.calls.providers.base import CallFacts
from callprivacy.calls.selectors import pulls as selectors
from callprivacy.calls.services import connections, pulls
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import services as vault
from callprivacy.work.models import Item
from tests import make, published, samples
from tests.accounts.browsers import signed_in
from tests.aside import Beside
from tests.calls.test_hooks import TOKEN, connect
from tests.calls.test_inbox import bring, calls, event, work_off
from tests.cast import Cast, assemble
from tests.make import NOON

pytestmark = pytest.mark.django_db

FIXTURES = Path(__file__).parent.parent / "fixtures"
KEY = "key-of-the-interface"
AC, CALL, RECORDING = "AC" + "0" * 32, "CA" + "1" * 32, "RE" + "1" * 32
CANARY = "+12125550188"


@pytest.fixture
def cast() -> Cast:
    return assemble()


@dataclass
class Vendor:
    """
    The tracker's side: what it answers, one after the other, and what it was asked.

    Both are held to what the trackers publish (`tests/published.py`), but for an answer that `lies`.
    """

    answers: list[tuple[int, Any, dict[str, str], bool]] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    watch: published.Watch = field(default_factory=published.Watch)

    def says(self, payload: Any, status: int = 200, *, lies: bool = False, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.append((status, payload, named, lies))


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Vendor]:
    found = Vendor()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            said = {name: values[0] for name, values in parse_qs(parts.query).items()}
            found.asked.append((parts.path, said, dict(self.headers)))
            status, payload, headers, lies = found.answers.pop(0) if found.answers else (500, {}, {}, False)
            found.watch.exchange("GET", self.path, {}, status, payload, lies=lies)
            body = json.dumps(payload).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    monkeypatch.setattr(asking, "RETRIES", asking.RETRIES.new(backoff_factor=0, backoff_jitter=0))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        for module in (callrail, twilio, ctm, invoca):
            monkeypatch.setattr(module, "BASE", f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield found
        server.shutdown()
    assert not found.watch.wrong, found.watch.wrong


def opened(to: Connection, account: str = "ACC1", **more: Any) -> Pull:
    said: dict[str, Any] = {"company": "", "login": "", "secret": KEY, "only_known": False} | more
    with job_scope(agency_id=to.agency_id):
        pull = pulls.set_access(connection=to, account=account, by=make.JOB, at=NOON, **said)
        PullRun.objects.all().delete()
    return pull


def moved(to: Connection, account: str) -> None:
    """Another account is asked from now on, in the runs that are open."""
    with job_scope(agency_id=to.agency_id):
        pulls.set_access(
            connection=to, account=account, company="", login="", secret=KEY, only_known=False, by=make.JOB, at=NOON
        )  # fmt: skip
        PullRun.objects.filter(kind=PullKind.TEST).delete()


def start(pull: Pull, kind: PullKind = PullKind.HOURLY, *, hours: int = 24, at: datetime = NOON) -> PullRun:
    with job_scope(agency_id=pull.agency_id):
        run = pulls._start(
            pull, kind, f"{at.isoformat()}", at - timedelta(hours=hours), at, by=make.JOB, at=at
        )
    assert run is not None
    return run


def work(cast: Cast, *, at: datetime = NOON, pages: int = 20) -> int:
    count = 0
    while count < pages and pulls.pull_page(agency_id=cast.acme.pk, clock=lambda: at, chance=0.0):
        count += 1
    return count


def run_of(run: PullRun) -> PullRun:
    with job_scope(agency_id=run.agency_id):
        return PullRun.objects.get(pk=run.pk)


def row(identity: str = "CAL1", minutes: int = 40, **more: Any) -> dict[str, Any]:
    """A call as apidocs.callrail.com has it under "Listing all calls"."""
    return {
        "id": identity, "answered": True, "business_phone_number": "+14045550100", "customer_city": "Atlanta",
        "customer_country": "US", "customer_name": "Canary Name", "customer_phone_number": CANARY,
        "customer_state": "GA", "direction": "inbound", "duration": 60, "recording": None, "recording_duration": None,
        "recording_player": None, "start_time": (NOON - timedelta(minutes=minutes)).isoformat(),
        "tracking_phone_number": "+14045550199", "voicemail": False, "agent_email": "a@example.com",
        "company_id": "COM1", "source_name": "Ads", "tags": [{"name": "Booked"}], "lead_status": "good_lead",
    } | more  # fmt: skip


def listing(*rows: dict[str, Any], after: str = "") -> dict[str, Any]:
    address = f"https://api.callrail.com/v3/a/ACC1/calls.json?offset={after}" if after else None
    return {"per_page": 250, "has_next_page": bool(after), "next_page": address, "calls": list(rows)}


# --- CallRail, and what all share ---


def test_what_no_webhook_brought_comes_page_by_page_and_is_counted(cast: Cast, vendor: Vendor) -> None:
    to = connect(cast.dentist)
    bring(to, event(resource_id="CAL2", start_time=row(minutes=45)["start_time"]))
    work_off(cast)
    run = start(opened(to, company="COM1"))
    vendor.says(listing(row("CAL1"), after="abc"))
    vendor.says(listing(row("CAL2", 45), row("CAL3", 50), row("CAL4", company_id="COM2")))
    assert work(cast) == 2
    work_off(cast)

    found = run_of(run)
    assert (found.state, found.pages, found.listed) == (JobState.DONE, 2, 3)
    assert (found.brought, found.known, found.refused) == (2, 1, 0)
    assert len(calls(cast.dentist)) == 3
    (path, first, headers), (_, second, _) = vendor.asked
    assert path == "/v3/a/ACC1/calls.json"
    assert headers["Authorization"] == f'Token token="{KEY}"'
    assert (first["relative_pagination"], first["per_page"], first["company_id"]) == ("true", "250", "COM1")
    assert "customer_name" not in first["fields"]
    assert second["offset"] == "abc"
    with job_scope(agency_id=cast.acme.pk):
        state = selectors.state_of(to, at=NOON)
        assert Inbox.objects.count() == 0
        assert not Call.objects.exclude(tags=["Booked"]).filter(qualified=True).exists()
    assert state is not None
    assert state.brought == 2
    with time_machine.travel(NOON, tick=True):
        page = signed_in(cast.alice).get(f"/clients/dentist/connections/{to.pk}/").content.decode()
    assert "2 calls that no webhook brought" in page
    assert KEY not in page


def test_the_same_page_again_changes_nothing(cast: Cast, vendor: Vendor) -> None:
    """As after a worker that died between the answer and the commit."""
    to = connect(cast.dentist)
    run = start(opened(to))
    vendor.says(listing(row()))
    claimed = pulls.claim(agency_id=cast.acme.pk, at=NOON)
    assert claimed is not None
    assert pulls.claim(agency_id=cast.acme.pk, at=NOON) is None  # leased: nobody asks beside it
    assert work(cast, at=NOON + timedelta(minutes=4)) == 1  # the lease is over, another goes on
    vendor.says(listing(row()))
    late = callrail.list_calls(claimed.access, claimed.window, "")
    pulls._keep(claimed, late, at=NOON)  # and what the first brings late is not counted twice
    work_off(cast, at=NOON + timedelta(minutes=5))
    assert len(calls(cast.dentist)) == 1
    assert (run_of(run).pages, run_of(run).brought) == (1, 1)


def test_two_beats_make_one_run_and_a_gap_is_caught_up(cast: Cast) -> None:
    pull = opened(connect(cast.dentist))
    with job_scope(agency_id=cast.acme.pk):
        Pull.objects.update(covered_until=NOON - timedelta(days=5))
    assert pulls.plan(agency_id=cast.acme.pk, at=NOON) == 2
    assert pulls.plan(agency_id=cast.acme.pk, at=NOON + timedelta(minutes=5)) == 0
    with job_scope(agency_id=cast.acme.pk):
        hourly = PullRun.objects.filter(pull=pull, kind=PullKind.HOURLY).earliest("created_at")
        PullRun.objects.filter(pk=hourly.pk).update(state=JobState.DONE)
    assert hourly.from_at == NOON - timedelta(days=5, hours=2)
    assert pulls.plan(agency_id=cast.acme.pk, at=NOON + timedelta(hours=1)) == 1


@pytest.mark.thorough
def test_what_waits_for_a_tracker_that_is_away_is_one_question_that_grows(cast: Cast, vendor: Vendor) -> None:
    pull, at = opened(connect(cast.dentist)), NOON

    def hourly() -> list[PullRun]:
        with job_scope(agency_id=cast.acme.pk):
            return list(PullRun.objects.filter(pull=pull, kind=PullKind.HOURLY).order_by("created_at"))

    assert pulls.plan(agency_id=cast.acme.pk, at=at) == 2  # and the night's
    (first,) = (waiting,) = hourly()
    for hours in range(1, 4):
        assert (
            work(cast, at=at + timedelta(hours=hours, minutes=-1)) == 1
        )  # it fails, and nothing is kept of it
        later = at + timedelta(hours=hours)
        assert pulls.plan(agency_id=cast.acme.pk, at=later) == 0
        (waiting,) = hourly()
        assert (waiting.from_at, waiting.until_at) == (first.from_at, first.until_at + timedelta(hours=hours))
        assert pulls.plan(agency_id=cast.acme.pk, at=later + timedelta(minutes=7)) == 0
        assert hourly()[0].until_at == waiting.until_at  # once an hour
    asked = len(vendor.asked)
    vendor.says(listing(row(), after="abc"))
    later = at + timedelta(hours=3, minutes=10)
    assert work(cast, at=later, pages=1) == 1
    assert len(vendor.asked) == asked + 1
    # What is being read page by page keeps its end: where a page follows it does within its window.
    assert pulls.plan(agency_id=cast.acme.pk, at=at + timedelta(hours=4)) == 1
    begun, added = hourly()
    assert (begun.pk, begun.until_at) == (first.pk, waiting.until_at)
    assert added.from_at <= begun.from_at  # nothing has been asked for yet: whichever ends says up to when
    assert pulls.plan(agency_id=cast.acme.pk, at=at + timedelta(hours=5)) == 0
    assert [one.until_at for one in hourly()] == [begun.until_at, added.until_at + timedelta(hours=1)]


def away_for_days(cast: Cast, vendor: Vendor, days: int) -> tuple[datetime, PullRun, PullRun]:
    """Since when, the run behind it of which a page has come, and the next hour's."""
    since = NOON - timedelta(days=days)
    pull = opened(connect(cast.dentist))
    with job_scope(agency_id=cast.acme.pk):
        Pull.objects.filter(pk=pull.pk).update(covered_until=since)
    pulls.plan(agency_id=cast.acme.pk, at=NOON)
    vendor.says(listing(row(minutes=60 * 24 * (days - 1)), after="abc"))
    assert work(cast, pages=1) == 1
    pulls.plan(agency_id=cast.acme.pk, at=NOON + timedelta(hours=1))
    with job_scope(agency_id=cast.acme.pk):
        begun, added = PullRun.objects.filter(kind=PullKind.HOURLY).order_by("created_at")
    return since, begun, added


def ended(cast: Cast, vendor: Vendor, *, at: datetime) -> datetime | None:
    """Read all that waits to its end; returns up to when it was asked then."""
    for _ in range(20):
        vendor.says(listing())
    work(cast, at=at)
    with job_scope(agency_id=cast.acme.pk):
        assert not PullRun.objects.filter(state__in=pulls._OPEN).exists()
        return Pull.objects.get().covered_until


@pytest.mark.thorough
def test_behind_an_outage_that_is_still_being_read_the_next_hour_does_not_begin_anew(
    cast: Cast, vendor: Vendor
) -> None:
    since, begun, added = away_for_days(cast, vendor, 20)
    assert begun.from_at == since - pulls.OVERLAP
    assert added.from_at == begun.until_at - pulls.OVERLAP
    assert ended(cast, vendor, at=NOON + timedelta(hours=1)) == added.until_at


@pytest.mark.thorough
@pytest.mark.parametrize("is_refused", [True, False])
def test_what_a_run_that_ended_early_did_not_reach_is_asked_for_by_a_later_one(
    cast: Cast, vendor: Vendor, is_refused: bool
) -> None:
    since, begun, _ = away_for_days(cast, vendor, 20)
    later = NOON + timedelta(hours=1)
    if is_refused:
        vendor.says({}, 401)
        assert work(cast, at=later, pages=1) == 1
        later += timedelta(minutes=5)
    else:
        with job_scope(agency_id=cast.acme.pk):
            assert pulls.cancel(run=begun, by=make.JOB, at=later)
    assert ended(cast, vendor, at=later) == since
    pulls.plan(agency_id=cast.acme.pk, at=NOON + timedelta(hours=2))
    with job_scope(agency_id=cast.acme.pk):
        anew = PullRun.objects.get(kind=PullKind.HOURLY, state=JobState.QUEUED)
    assert anew.from_at == since - pulls.OVERLAP
    assert ended(cast, vendor, at=NOON + timedelta(hours=2)) == anew.until_at


@pytest.mark.thorough
def test_what_is_older_than_is_caught_up_is_not_asked_for_again_and_again(cast: Cast, vendor: Vendor) -> None:
    _, begun, added = away_for_days(cast, vendor, 45)
    assert begun.from_at == NOON - pulls.CATCHES_UP
    assert added.from_at == begun.until_at - pulls.OVERLAP
    assert ended(cast, vendor, at=NOON + timedelta(hours=1)) == added.until_at


def test_a_question_that_is_being_asked_does_not_grow_under_it(cast: Cast) -> None:
    at = NOON
    opened(connect(cast.dentist))
    pulls.plan(agency_id=cast.acme.pk, at=at)
    asking_at = at + timedelta(minutes=59)
    claimed = pulls.claim(agency_id=cast.acme.pk, at=asking_at)
    assert claimed is not None
    assert pulls.plan(agency_id=cast.acme.pk, at=at + timedelta(hours=1)) == 0
    with job_scope(agency_id=cast.acme.pk):
        assert PullRun.objects.get(kind=PullKind.HOURLY).until_at == claimed.window.until_at
    later = asking_at + pulls._LEASE
    assert pulls.plan(agency_id=cast.acme.pk, at=later) == 0
    with job_scope(agency_id=cast.acme.pk):
        assert PullRun.objects.get(kind=PullKind.HOURLY).until_at > claimed.window.until_at
    pulls._keep(claimed, asking.Page(()), at=later)  # what it answers late covers what it was asked for
    with job_scope(agency_id=cast.acme.pk):
        run = PullRun.objects.get(kind=PullKind.HOURLY)
    assert (run.state, run.position) == (JobState.RUNNING, claimed.window.until_at)


def test_calls_whose_webhook_may_still_come_are_not_asked_for_yet(cast: Cast) -> None:
    """CallRail's comes up to twenty minutes after the call."""
    pull = opened(connect(cast.dentist))
    assert pulls.plan(agency_id=cast.acme.pk, at=NOON) == 2
    with job_scope(agency_id=cast.acme.pk):
        runs = {run.kind: run for run in PullRun.objects.filter(pull=pull)}
    assert {run.until_at for run in runs.values()} == {NOON - timedelta(minutes=30)}
    assert runs["hourly"].from_at == NOON - timedelta(hours=2)
    assert runs["nightly"].from_at == NOON - timedelta(days=3)


def test_a_call_that_has_just_ended_is_taken_in_and_is_none_that_no_webhook_brought(
    cast: Cast, vendor: Vendor
) -> None:
    """The webhook is sent behind its end, however long ago it began."""
    to = connect(cast.dentist)
    run = start(opened(to))
    vendor.says(
        listing(
            row("CAL1", 46, duration=45 * 60),  # a minute ago
            row("CAL2", 76, duration=45 * 60),  # more than half an hour ago
            row("CAL3", 90, duration=None),  # it goes on
        )
    )
    work(cast)
    work_off(cast, at=NOON + timedelta(hours=2))  # it is the question's time that counts
    assert len(calls(cast.dentist)) == 3
    found = run_of(run)
    assert (found.listed, found.brought, found.known) == (3, 1, 0)
    with job_scope(agency_id=cast.acme.pk):
        assert selectors.missed([to], at=NOON) == {to.pk: 1}


@pytest.mark.thorough
def test_a_backfill_says_how_many_were_new_whenever_they_ended(cast: Cast, vendor: Vendor) -> None:
    run = start(opened(connect(cast.dentist)), PullKind.BACKFILL)
    vendor.says(listing(row("CAL1", 46, duration=45 * 60)))
    work(cast)
    work_off(cast)
    assert (run_of(run).brought, run_of(run).known) == (1, 0)


@pytest.mark.thorough
def test_of_a_tracker_without_webhooks_what_has_just_ended_came_from_its_list(
    cast: Cast, vendor: Vendor
) -> None:
    run = start(opened(connect(cast.dentist, "invoca", ""), "33", login="acme"))
    vendor.says([transaction(start_time_utc=str(int((NOON - timedelta(minutes=2)).timestamp() * 1000)))])
    work(cast)
    work_off(cast)
    assert run_of(run).brought == 1


def test_a_tracker_without_webhooks_is_asked_up_to_now(cast: Cast) -> None:
    opened(connect(cast.dentist, "invoca", ""), "33", login="acme")
    pulls.plan(agency_id=cast.acme.pk, at=NOON)
    with job_scope(agency_id=cast.acme.pk):
        assert set(PullRun.objects.values_list("until_at", flat=True)) == {NOON}


def test_what_has_been_asked_for_goes_forward_and_over_no_gap(cast: Cast, vendor: Vendor) -> None:
    pull = opened(connect(cast.dentist))

    def covered_after(kind: PullKind, *, hours: int, at: datetime) -> datetime | None:
        start(pull, kind, hours=hours, at=at)
        pages = 1 + hours // (24 * 7)
        for _ in range(pages):
            vendor.says(listing())
        assert work(cast, at=at) == pages
        with job_scope(agency_id=cast.acme.pk):
            return Pull.objects.get().covered_until

    assert covered_after(PullKind.NIGHTLY, hours=72, at=NOON) == NOON
    assert (
        covered_after(PullKind.HOURLY, hours=3, at=NOON - timedelta(hours=1)) == NOON
    )  # an older run ends later
    later = NOON + timedelta(days=9)
    assert (
        covered_after(PullKind.NIGHTLY, hours=72, at=later) == NOON
    )  # six days before it nobody has asked for
    assert covered_after(PullKind.HOURLY, hours=24 * 9 + 2, at=later) == later


def test_of_a_tracker_without_webhooks_nothing_is_missed(cast: Cast, vendor: Vendor) -> None:
    to = connect(cast.dentist, "invoca", "")
    run = start(opened(to, "33", login="acme"))
    with job_scope(agency_id=cast.acme.pk):
        PullRun.objects.filter(pk=run.pk).update(brought=2)
        assert selectors.missed([to], at=NOON) == {}
        state = selectors.state_of(to, at=NOON)
    assert state is not None
    assert (state.brought, state.has_webhooks) == (2, False)
    base = f"/clients/dentist/connections/{to.pk}/"
    with time_machine.travel(NOON, tick=True):
        browser = signed_in(cast.alice)
        page, form = (browser.get(path).content.decode() for path in (base, f"{base}list/"))
    assert "Calls from its list" in page
    assert "<dt>Came in the last 30 days</dt><dd>2</dd>" in page
    for wrong in ("no webhook", "every number", "never came", "webhooks go on"):
        assert wrong not in page
        assert wrong not in form


def test_a_backfill_goes_week_by_week_with_its_progress_and_is_history(cast: Cast, vendor: Vendor) -> None:
    to = connect(cast.dentist)
    pull = opened(to)
    by, zone = make.JOB, ZoneInfo("America/New_York")
    first = (NOON - timedelta(days=19)).date()
    with job_scope(agency_id=cast.acme.pk):
        run = pulls.backfill(pull=pull, from_on=first, until_on=NOON.date(), zone=zone, by=by, at=NOON)
        assert run is not None
        assert (
            pulls.backfill(pull=pull, from_on=first, until_on=NOON.date(), zone=zone, by=by, at=NOON) is None
        )
        with pytest.raises(pulls.WindowError):
            pulls.backfill(pull=pull, from_on=NOON.date() + timedelta(days=2), until_on=NOON.date(), zone=zone, by=by, at=NOON)  # fmt: skip  # noqa: E501
    link = "https://app.callrail.com/calls/CAL9/recording?access_key=x"
    vendor.says(listing(row("CAL9", 60 * 24 * 17, recording=link, recording_duration=9)))
    assert work(cast, pages=1) == 1
    with job_scope(agency_id=cast.acme.pk):
        state = selectors.state_of(to, at=NOON)
    assert state is not None
    assert state.backfill is not None
    assert 30 < state.backfill.percent < 40
    assert state.is_moving
    for _ in range(2):
        vendor.says(listing())
    assert work(cast) == 2
    work_off(cast)
    (call,) = calls(cast.dentist)
    assert call.came_late
    assert run_of(run).state == JobState.DONE


def test_what_was_erased_or_is_past_its_date_stays_out(cast: Cast, vendor: Vendor) -> None:
    run = start(opened(connect(cast.dentist)))
    vault.advance_watermark(client_id=cast.dentist.pk, category="call", before=NOON - timedelta(minutes=45))
    vendor.says(listing(row("CAL1", 40), row("CAL2", 50)))
    work(cast)
    work_off(cast)
    assert len(calls(cast.dentist)) == 1
    assert (run_of(run).brought, run_of(run).stayed_out) == (1, 1)


def test_of_a_shared_account_only_calls_to_known_numbers_are_taken(cast: Cast, vendor: Vendor) -> None:
    make.tracking_number(cast.dentist, "+14045550199")
    run = start(opened(connect(cast.dentist), only_known=True))
    vendor.says(
        listing(row("CAL1"), row("CAL2", tracking_phone_number="+14045550123"), row("CAL3", duration="?")),
        lies=True,
    )
    work(cast)
    work_off(cast)
    assert len(calls(cast.dentist)) == 1
    assert run_of(run).passed_over == 2
    assert len(calls(cast.plumber)) == 0


def test_a_tracker_that_fails_rests_longer_each_time_and_somebody_hears_of_it(
    cast: Cast, vendor: Vendor
) -> None:
    pull, at = opened(connect(cast.dentist)), NOON
    run = start(pull)
    for failures in range(1, 4):
        assert work(cast, at=at) == 1
        with job_scope(agency_id=cast.acme.pk):
            row_ = Pull.objects.get(pk=pull.pk)
        assert (row_.failures, row_.rests_until) == (failures, at + pulls.rest_after(failures, 0.0))
        assert row_.rests_until is not None
        assert work(cast, at=row_.rests_until - timedelta(seconds=1)) == 0
        at = row_.rests_until
    assert len(vendor.asked) == 9  # each time twice more at once
    with job_scope(agency_id=cast.acme.pk):
        assert Item.objects.open().filter(kind="pull_failing").exists()
    vendor.says(listing())
    assert work(cast, at=at) == 1
    assert run_of(run).state == JobState.DONE
    with job_scope(agency_id=cast.acme.pk):
        assert not Item.objects.open().filter(kind="pull_failing").exists()
    assert pulls.rest_after(30, 1.0) == timedelta(hours=7.5)


def is_waiting(cast: Cast) -> int | None:
    with job_scope(agency_id=cast.acme.pk):
        item = Item.objects.open().filter(kind="pull_failing").first()
    return None if item is None else item.count


def failing(to: Connection) -> Pull:
    pull = opened(to)
    with job_scope(agency_id=to.agency_id):
        Pull.objects.filter(pk=pull.pk).update(failures=connections.TOLD_AFTER)
        connections.renew_failing(agency_id=to.agency_id, client_id=to.client_id, by=make.JOB, at=NOON)
    return pull


def test_a_key_that_is_entered_again_ends_what_waits_for_it(cast: Cast) -> None:
    first, second = connect(cast.dentist), connect(cast.dentist)
    failing(first)
    failing(second)
    assert is_waiting(cast) == 2
    opened(first)
    assert is_waiting(cast) == 1
    opened(second)
    assert is_waiting(cast) is None


def test_of_a_closed_connection_nothing_waits(cast: Cast) -> None:
    to = connect(cast.dentist)
    failing(to)
    browser, base = signed_in(cast.alice), f"/clients/dentist/connections/{to.pk}/"
    assert browser.post(f"{base}close/").status_code == 302
    assert is_waiting(cast) is None
    failing(connect(cast.dentist))
    assert is_waiting(cast) == 1
    assert browser.post(f"{base}open/").status_code == 302
    assert is_waiting(cast) == 2


def test_a_refused_key_ends_the_run_in_words_and_a_pause_is_no_failure(cast: Cast, vendor: Vendor) -> None:
    pull = opened(connect(cast.dentist))
    run = start(pull)
    vendor.says({}, 429, Retry_After="30")
    vendor.says({"error": CANARY}, 401)
    assert work(cast) == 1
    assert work(cast, at=NOON + timedelta(seconds=29)) == 0
    assert work(cast, at=NOON + timedelta(seconds=30)) == 1
    found = run_of(run)
    assert found.state == JobState.FAILED
    assert "refused the key" in found.failure
    assert CANARY not in found.failure
    with job_scope(agency_id=cast.acme.pk):
        assert Pull.objects.get(pk=pull.pk).failures == 1


def test_a_redirect_and_what_is_no_list_are_not_understood(cast: Cast, vendor: Vendor) -> None:
    access = asking.Access("ACC1", "", "", KEY)
    window = asking.Window(NOON - timedelta(hours=1), NOON)
    for payload, status, headers in (
        ({}, 302, {"Location": "http://169.254.169.254/"}),
        ({"calls": 7}, 200, {}),
        ([], 200, {}),
    ):
        vendor.says(payload, status, lies=True, **headers)
        with pytest.raises(asking.AskError):
            callrail.list_calls(access, window, "")
    assert len(vendor.asked) == 3
    for account in ("../x", "ACC1/../../", "a b"):
        with pytest.raises(asking.AskError) as caught:
            callrail.list_calls(asking.Access(account, "", "", KEY), window, "")
        assert caught.value.final
    assert KEY not in repr(access)


@pytest.mark.thorough
def test_the_limit_of_an_account_is_kept_by_all_its_connections_together(
    cast: Cast, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(pulls.LIMITS, "callrail", (2, 100))
    for pull in [opened(connect(client)) for client in (cast.dentist, cast.plumber)]:
        start(pull, hours=3)
        start(pull, PullKind.NIGHTLY, hours=4)
    for _ in range(4):
        vendor.says(listing())
    assert work(cast) == 2
    assert work(cast, at=NOON + timedelta(minutes=59)) == 0
    assert work(cast, at=NOON + timedelta(hours=1)) == 2


def test_a_tracker_that_asks_for_a_pause_is_left_alone_by_all_that_ask_that_account(
    cast: Cast, vendor: Vendor
) -> None:
    asked, same, other = [
        opened(connect(client), account)
        for client, account in ((cast.dentist, "ACC1"), (cast.plumber, "ACC1"), (cast.plumber, "ACC2"))
    ]
    start(asked)
    vendor.says({}, 429, Retry_After="30")
    assert work(cast) == 1
    with job_scope(agency_id=cast.acme.pk):
        rests = dict(Pull.objects.values_list("pk", "rests_until"))
    assert rests == {
        asked.pk: NOON + timedelta(seconds=30),
        same.pk: NOON + timedelta(seconds=30),
        other.pk: None,
    }


def test_a_test_keeps_nothing(cast: Cast, vendor: Vendor) -> None:
    to = connect(cast.dentist)
    browser = signed_in(cast.alice)
    base = f"/clients/dentist/connections/{to.pk}/"
    said = {"account": "ACC1", "company": "", "secret": KEY}
    assert browser.post(f"{base}list/", said).status_code == 302
    vendor.says(listing(row(), after="more"))
    now = datetime.now(UTC)  # noqa: TID251  the page asks the clock itself
    assert work(cast, at=now + timedelta(seconds=1)) == 1
    page = browser.get(base).content.decode()
    assert "Opens" in page
    assert KEY not in page
    assert "key-of" not in browser.get(f"{base}list/").content.decode()
    with job_scope(agency_id=cast.acme.pk):
        assert Inbox.objects.count() == 0
    assert browser.post(f"{base}list/test/").status_code == 302
    assert browser.get(f"{base}list/now/").status_code == 200
    assert browser.post(f"{base}list/stop/").status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        pull = Pull.objects.get()
        assert not pull.is_on
        assert Pull.objects.filter(secret__isnull=True).exists()
        assert not PullRun.objects.filter(state__in=pulls._OPEN).exists()


def test_forms_say_what_to_write(cast: Cast) -> None:
    to = connect(cast.dentist)
    browser = signed_in(cast.alice)
    base = f"/clients/dentist/connections/{to.pk}/"
    page = browser.post(f"{base}list/", {"account": "../x", "secret": ""}).content.decode()
    assert "Paste it as the tracker shows it" in page
    assert "without it the list does not open" in page
    opened(to)
    page = browser.post(
        f"{base}list/back/", {"from_on": "2999-01-01", "until_on": str(NOON.date())}
    ).content.decode()
    assert "That day has not come yet." in page
    said = {"from_on": samples.moved("2026-11-01"), "until_on": samples.moved("2026-11-20")}
    assert browser.post(f"{base}list/back/", said).status_code == 302


def test_a_connection_of_twilios_asks_no_other_account_without_a_word(cast: Cast) -> None:
    ours, other = f"AC{'1' * 32}", f"AC{'2' * 32}"
    to = connect(cast.dentist, provider="twilio")
    pull = opened(to, ours, secret="")
    with job_scope(agency_id=cast.acme.pk):
        pulls.forget_access(pull=pull, by=make.JOB, at=NOON)
    with pytest.raises(pulls.NoListError, match="Enter the key again"):
        opened(to, other, secret="")
    with job_scope(agency_id=cast.acme.pk):
        Connection.objects.filter(pk=to.pk).update(mapping={"account": ours})
    with pytest.raises(pulls.NoListError, match="another account"):
        opened(to, other, secret=KEY)
    opened(to, ours, secret="")
    with job_scope(agency_id=cast.acme.pk):
        assert Pull.objects.get().account == ours


@pytest.mark.django_db(transaction=True)
def test_a_key_that_is_forgotten_while_somebody_saves_the_access_stays_forgotten(cast: Cast) -> None:
    to = connect(cast.dentist)
    pull = opened(to)
    said: dict[str, Any] = {"account": "ACC1", "company": "", "login": "", "secret": "", "only_known": False}
    with job_scope(agency_id=cast.acme.pk):
        pulls.forget_access(pull=pull, by=make.JOB, at=NOON)
        beside = Beside(cast.acme.pk, lambda: pulls.set_access(connection=to, by=make.JOB, at=NOON, **said))
        beside.let_it_come()
    with pytest.raises(pulls.NoListError, match="Enter the key"):
        beside.end()
    with job_scope(agency_id=cast.acme.pk):
        assert Pull.objects.get().secret is None


def test_a_key_asks_for_no_calls_but_those_that_it_was_entered_for(cast: Cast) -> None:
    to = connect(cast.dentist)
    opened(to, company="COM1", only_known=True)
    browser, address = signed_in(cast.alice), f"/clients/dentist/connections/{to.pk}/list/"
    same = {"account": "ACC1", "company": "COM1", "only_known": "on", "secret": ""}
    for other in ({"account": "ACC2"}, {"company": "COM2"}, {"company": ""}, {"only_known": ""}):
        page = browser.post(address, same | other)
        assert page.status_code == 200
        assert pulls.KEY_AGAIN in page.content.decode()
    with job_scope(agency_id=cast.acme.pk):
        kept = Pull.objects.get()
        assert (kept.account, kept.company, kept.only_known) == ("ACC1", "COM1", True)
    assert browser.post(address, same).status_code == 302
    assert browser.post(address, same | {"company": "COM2", "secret": KEY}).status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        assert Pull.objects.get().company == "COM2"


def test_another_account_begins_a_run_anew_and_no_page_of_the_one_before_counts(
    cast: Cast, vendor: Vendor
) -> None:
    to = connect(cast.dentist)
    run = start(opened(to), PullKind.BACKFILL, hours=24 * 20)
    vendor.says(listing(row("CAL1", 60 * 24 * 19), after="old"))
    assert work(cast, pages=1) == 1
    moved(to, "ACC2")
    assert run_of(run).following == ""
    asked = pulls.claim(agency_id=cast.acme.pk, at=NOON)
    assert asked is not None
    moved(to, "ACC3")

    # ACC2 answers only now: neither its page nor its refusal is about ACC3.
    pulls._keep(asked, asking.Page((row("CAL2"),), following="older", marker="old"), at=NOON)
    pulls._rest(asked, asking.AskError("The key is refused.", final=True), chance=0.0, at=NOON)
    found = run_of(run)
    assert (found.state, found.listed, found.following) == (JobState.RUNNING, 1, "")
    with job_scope(agency_id=cast.acme.pk):
        assert (Pull.objects.get().marker, Pull.objects.get().failures, Inbox.objects.count()) == ("", 0, 1)

    vendor.asked.clear()
    for _ in range(3):
        vendor.says(listing())
    assert work(cast) == 3
    assert run_of(run).state == JobState.DONE
    assert {path for path, _, _ in vendor.asked} == {"/v3/a/ACC3/calls.json"}
    days = [said["start_date"][:10] for _, said, _ in vendor.asked]
    assert days == [str((NOON - timedelta(days=ago)).date()) for ago in (21, 14, 7)]
    assert not any("offset" in said for _, said, _ in vendor.asked)


def test_of_a_client_that_is_put_away_nothing_is_asked_any_more(cast: Cast, vendor: Vendor) -> None:
    start(opened(connect(cast.dentist)), PullKind.BACKFILL)
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(archived_at=NOON)
    assert work(cast) == 0
    assert not vendor.asked


@pytest.mark.thorough
def test_a_tracker_that_is_played_as_none_is_is_found_out(cast: Cast, vendor: Vendor) -> None:
    start(opened(connect(cast.dentist)))
    vendor.says(listing(row(duration="60", shoe_size=43)))
    work(cast)
    wrong, vendor.watch.wrong = vendor.watch.wrong, []
    assert wrong == ["call: duration is no integer or null", "call: shoe_size is no field"]


@pytest.mark.thorough
def test_a_question_that_no_tracker_understands_is_found_out(vendor: Vendor) -> None:
    vendor.says(listing())
    asking.get(f"{callrail.BASE}/v3/a/ACC1/calls.json", {"per_page": "250", "since": "2026-11-24"}, {})
    wrong, vendor.watch.wrong = vendor.watch.wrong, []
    assert wrong == ["query: since is no parameter"]


# --- Twilio, CallTrackingMetrics, Invoca ---


def transaction(**more: Any) -> dict[str, Any]:
    start_ms = str(int((NOON - timedelta(hours=1)).timestamp() * 1000))
    return {
        "transaction_id": "FE7F-1", "corrects_transaction_id": "", "corrected_at": "", "complete_call_id": "0C1A-1",
        "transaction_type": "Call", "start_time_utc": start_ms, "calling_phone_number": "202-555-0188",
        "duration": 125, "connect_duration": 98, "keypresses": [], "hangup_cause": "Caller: Hang-up",
    } | more  # fmt: skip


def test_twilios_calls_and_then_its_recordings(cast: Cast, vendor: Vendor) -> None:
    to = connect(cast.dentist, "twilio", TOKEN)
    run = start(opened(to, AC, secret=""))
    said = {
        "sid": CALL, "account_sid": AC, "parent_call_sid": None, "from": CANARY, "to": "+14045550199",
        "direction": "inbound", "status": "completed", "duration": "60", "answered_by": None,
        "start_time": samples.moved("Tue, 24 Nov 2026 11:30:00 +0000"),
        "end_time": samples.moved("Tue, 24 Nov 2026 11:31:00 +0000"),
    }  # fmt: skip
    leg = said | {"sid": "CA" + "2" * 32, "parent_call_sid": CALL, "direction": "outbound-dial"}
    more = "/2010-04-01/Accounts/AC/Calls.json?Page=1&PageToken=PACA1"
    vendor.says({"calls": [said], "next_page_uri": more})
    vendor.says({"calls": [leg], "next_page_uri": None})
    recording = {
        "sid": RECORDING, "call_sid": CALL, "account_sid": AC, "status": "completed", "duration": "55",
        "start_time": samples.moved("Tue, 24 Nov 2026 11:30:02 +0000"),
        "uri": f"/2010-04-01/Accounts/{AC}/Recordings/{RECORDING}.json",
    }  # fmt: skip
    vendor.says({"recordings": [recording], "next_page_uri": None})
    assert work(cast) == 3
    work_off(cast)
    work_off(cast, at=NOON + timedelta(minutes=1))  # a recording that was read before its call waits for it
    (call,) = calls(cast.dentist)
    assert (call.seconds, call.started_at) == (60, NOON - timedelta(minutes=30))
    with job_scope(agency_id=cast.acme.pk):
        assert Call.objects.get().recording.seconds == 55
    assert run_of(run).state == JobState.DONE
    assert [path.rsplit("/", 1)[1] for path, _, _ in vendor.asked] == [
        "Calls.json",
        "Calls.json",
        "Recordings.json",
    ]
    assert vendor.asked[0][1]["StartTime>"] == f"{NOON - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
    assert vendor.asked[1][1]["PageToken"] == "PACA1"


@pytest.mark.parametrize("start", ["Tue, 24 Nov 2026 11:00:00 +0000", None])
def test_a_call_of_twilios_that_nobody_answered_began_when_its_row_says(start: str | None) -> None:
    said = {
        "sid": CALL, "account_sid": AC, "parent_call_sid": None, "from": CANARY, "to": "+14045550199",
        "direction": "inbound", "status": "no-answer", "duration": "0", "start_time": start,
        "end_time": "Tue, 24 Nov 2026 11:00:45 +0000",
    }  # fmt: skip
    facts = pulled.parse("twilio", pulled.packed(said), at=NOON)
    assert isinstance(facts, CallFacts)
    assert facts.started_at == datetime(2026, 11, 24, 11, 0, 0 if start else 45, tzinfo=UTC)


def test_calltrackingmetrics_goes_by_pages(cast: Cast, vendor: Vendor) -> None:
    to = connect(cast.dentist, "ctm", TOKEN)
    run = start(opened(to, "25", login="access-key"))
    shape = json.loads((FIXTURES / "ctm_call_2013_shape.json").read_text())
    del shape["_source"]
    shape["unix_time"] = int((NOON - timedelta(hours=1)).timestamp())
    older = shape | {"id": 7, "unix_time": shape["unix_time"] - 90_000}
    vendor.says({"calls": [shape], "page": 1, "total_pages": 2})
    vendor.says({"calls": [older], "page": 2, "total_pages": 2})
    assert work(cast) == 2
    work_off(cast)
    assert len(calls(cast.dentist)) == 1
    assert (run_of(run).listed, run_of(run).brought) == (1, 1)
    assert vendor.asked[1][1]["page"] == "2"
    assert vendor.asked[0][2]["authorization"].startswith("Basic ")


def test_a_recording_of_invocas_is_the_question_where_it_can_be_downloaded(vendor: Vendor) -> None:
    """A signed address ends before its sound is fetched; that of the page opens for a person alone."""
    heard = transaction() | {"recording": "https://acme.invoca.net/call/recording/D244-1B"}
    vendor.says([heard, transaction() | {"recording": None}])
    window = asking.Window(NOON - timedelta(days=1), NOON)
    there, none = invoca.list_calls(asking.Access("33", "", "acme", KEY), window, "").rows
    assert there["recording"] == (
        f"{invoca.BASE}/api/2020-10-01/networks/transactions/33.json?call_record_id={heard['complete_call_id']}"
        "&include_columns=transaction_id,recording_download_url,recording"
    )
    assert none["recording"] is None


def test_invoca_goes_on_after_the_last_transaction_and_corrections_replace(
    cast: Cast, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invoca, "AT_ONCE", 1)
    to = connect(cast.dentist, "invoca", "")
    pull = opened(to, "33", login="acme")
    start(pull)
    first = transaction()
    fixed = first | {
        "transaction_id": "0D0D-2", "corrects_transaction_id": "FE7F-1", "duration": 140,
        "corrected_at": samples.moved("2026-11-24 11:30:00 -00:00"),
    }  # fmt: skip
    for page in ([first], [fixed], []):
        vendor.says(page)
    assert work(cast) == 3
    work_off(cast)
    (call,) = calls(cast.dentist)
    assert call.seconds == 140
    path, said, headers = vendor.asked[0]
    assert path.endswith("/networks/transactions/33.json")
    assert "from" in said
    assert headers["Authorization"] == KEY
    assert "calling_phone_number" in said["include_columns"]
    assert "notes" not in said["include_columns"]
    start(pull, at=NOON + timedelta(hours=1))
    vendor.says([])
    assert work(cast, at=NOON + timedelta(hours=1)) == 1
    assert vendor.asked[-1][1]["start_after_transaction_id"] == "0D0D-2"
    assert "from" not in vendor.asked[-1][1]
