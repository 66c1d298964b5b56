"""What a demo shows: one stands in databases of its own, with few calls and all else, and each test looks at it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from callprivacy.audit.models import Event
from callprivacy.calls.enums import InboxState
from callprivacy.calls.kinds import INBOX_REJECTED
from callprivacy.calls.models import Connection, ConnectionSecret, Inbox, TrackingNumber
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
from dashboard import demo
from dashboard.demo import asked as asked_for
from dashboard.demo import said
from retention import targets
from retention.models import GoLive
from tests import ground, make
from tests.dashboard import demos

if TYPE_CHECKING:
    from pytest_django.plugin import DjangoDbBlocker

pytestmark = pytest.mark.django_db


def _quiet(client: demo.DemoClient) -> demo.DemoClient:
    return replace(client, calls_a_day=1.5)


@pytest.fixture(scope="module")
def made(
    databases: ground.Databases,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Agency]:
    """The demo of ninety days, committed, in the databases that this file's tests use."""
    folder, quiet = tmp_path_factory.mktemp("demo"), tuple(_quiet(client) for client in demo.CLIENTS)
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
