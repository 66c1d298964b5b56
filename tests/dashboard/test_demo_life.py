"""What a demo shows: one stands in databases of its own, with few calls and all else, and each test looks at it."""

from __future__ import annotations

import html
import io
import re
import wave
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pytest_django import Settings

from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership
from callprivacy.audit.models import Event
from callprivacy.calls.enums import InboxState, RecordingState, TranscriptState
from callprivacy.calls.kinds import INBOX_REJECTED
from callprivacy.calls.models import (
    Connection,
    ConnectionSecret,
    Inbox,
    Recording,
    TrackingNumber,
    Transcript,
)
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
    UseReason,
    VendorStep,
    WaitingState,
)
from consent.models import (
    ConsentEvent,
    Decision,
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
from consent.services import decisions, ledger
from dashboard import demo
from dashboard.demo import asked as asked_for
from dashboard.demo import heard, said
from retention import targets
from retention.models import GoLive
from retention.services import runs
from tests import ground, make
from tests.accounts.browsers import signed_in
from tests.dashboard import demos

if TYPE_CHECKING:
    from pytest_django.plugin import DjangoDbBlocker

pytestmark = pytest.mark.django_db


def _quiet(client: demo.DemoClient) -> demo.DemoClient:
    return replace(client, calls_a_day=5 if client.slug in heard.STORED else 1.5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def made(
    databases: ground.Databases, django_db_setup: None, django_db_blocker: DjangoDbBlocker, folder: Path
) -> Iterator[Agency]:
    """The demo of ninety days, committed, in the databases that this file's tests use."""
    quiet = tuple(_quiet(client) for client in demo.CLIENTS)
    with demos.standing(databases, django_db_blocker, folder, CLIENTS=quiet) as agency:
        yield agency


@pytest.fixture
def agency(made: Agency, db: None) -> Agency:
    """The demo, in a test that rolls back."""
    return made


@pytest.mark.thorough
def test_the_demo_has_life_in_it(agency: Agency) -> None:
    with job_scope(agency_id=agency.pk):
        doors = list(Connection.objects.select_related("client"))
        last = {door.client.slug: door.last_event_at for door in doors}
        yesterday = make.NOON - timedelta(hours=24)
        silent = {slug for slug, at in last.items() if at is None or at < yesterday}
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
        assert GoLive.objects.get(client=live).calls_due == due[1].calls
        assert GoLive.objects.get(client__slug=demo.QUARANTINED).calls_due == 0
        assert len(numbers) == 38
        assert all(number.label and number.source for number in numbers)
        assert 0 < sum(bool(number.announcement) for number in numbers) < 38
        assert (agreed.count(), agreed.filter(dpa_on=None).count()) == (12, 2)
        assert Event.objects.filter(action__startswith="reveal").count() == 0


@pytest.mark.thorough
def test_the_demo_has_stored_recordings_with_transcripts(agency: Agency) -> None:
    with job_scope(agency_id=agency.pk):
        stored = Recording.objects.exclude(file_key=None)
        words = Transcript.objects.filter(call__in=stored.values("call"), state=TranscriptState.ALLOWED)

        assert set(stored.values_list("client__slug", flat=True)) == set(heard.STORED)
        assert stored.count() == words.count() >= 24
        assert 0 < words.filter(redactions__gt=0).count() < words.count()


@pytest.mark.thorough
@pytest.mark.parametrize("slug", heard.STORED)
def test_a_stored_recording_plays_and_its_transcript_is_redacted(
    slug: str, agency: Agency, folder: Path, settings: Settings
) -> None:
    settings.MEDIA_ROOT = folder / "media"
    with job_scope(agency_id=agency.pk):
        stored = Recording.objects.filter(client__slug=slug).exclude(file_key=None)
        recording = stored.filter(call__transcript__redactions__gt=0).latest("call_id")
        officer = Membership.objects.select_related("user").filter(role=Role.OFFICER).earliest("pk")
    browser, page = signed_in(officer), f"/clients/{slug}/calls/{recording.call_id}"
    why = {"kind": UseReason.values[0], "reason": "Check how the agent answered this call."}

    played = browser.post(f"{page}/recording/", why).content.decode()
    read = html.unescape(browser.post(f"{page}/transcript/", why).content.decode())

    [address] = re.findall(r'<audio[^>]* src="([^"]+)"', played)
    sound = browser.get(html.unescape(address))
    assert sound["Content-Type"] == "audio/wav"
    with wave.open(io.BytesIO(b"".join(sound.streaming_content))) as file:  # type: ignore[attr-defined]  # it is streamed
        assert file.getnframes() == file.getframerate() * (recording.seconds or 0)
    stamps = [int(minute) * 60 + int(second) for minute, second in re.findall(r"(\d):(\d\d) [AC]\w+: ", read)]
    assert stamps == sorted(stamps)
    assert 0 < len(stamps) <= stamps[-1] < (recording.seconds or 0)
    assert re.search(r"\[(?:card|number|e-mail)\]", read)
    assert not re.search(r"\d{3}-\d{4}|4242|@", read.split("<h2>Transcript</h2>")[1].split("</p>")[0])


@pytest.mark.thorough
def test_quarantined_recordings_wait_and_the_oldest_are_deleted(agency: Agency) -> None:
    at = make.NOON + timedelta(minutes=1)

    decisions.work(agency_id=agency.pk, until=at + timedelta(hours=1), clock=lambda: at)
    runs.work_quarantine(agency_id=agency.pk, until=at + timedelta(hours=1), clock=lambda: at)

    with job_scope(agency_id=agency.pk):
        rows = Recording.objects.filter(client__slug=demo.QUARANTINED, came_late=False)
        waiting = rows.filter(state=RecordingState.WITHHELD)
        gone = rows.filter(state=RecordingState.GONE)
        officer = Membership.objects.select_related("user").filter(role=Role.OFFICER).earliest("pk")
        assert waiting.filter(due_at__gt=at).count() == waiting.count() > 2
        assert Transcript.objects.filter(call__in=gone.values("call"), state=TranscriptState.GONE).exists()
        assert (
            Decision.objects.filter(call__in=gone.values("call"), allowed=False).count() == gone.count() > 1
        )
        assert Event.objects.filter(action="recordings.erased").exists()
        shown = [waiting[0].call_id, gone[0].call_id]
        assert not Recording.objects.exclude(fetch_due_at=None).exists()
    browser, calls = signed_in(officer), f"/clients/{demo.QUARANTINED}/calls"
    pages = [browser.get(f"{calls}/{call_id}/").content.decode() for call_id in shown]
    assert "Will be deleted" in pages[0]
    assert "Erased from CallPrivacy" in pages[1]


@pytest.mark.thorough
def test_the_demo_has_consent_in_it(agency: Agency) -> None:
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
        # Whoever asks in a request not to be sold, shared or contacted, or objects, is stopped as well.
        asked = {one.slug for one in asked_for.REQUESTS for ask in one.asks if ask.stops_at_once}
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
