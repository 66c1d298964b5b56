"""Records of processing follow what is set up, keep apart what people say, and stand as they stood on a day."""

import io
import zipfile
from datetime import datetime, time, timedelta

import pytest
from django.db import DatabaseError, transaction
from django.test import Client as Browser

from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import PartyRole
from callprivacy.tenancy.models import Agency, Client, Engagement
from callprivacy.tenancy.scope import job_scope, staff_scope
from dashboard import duties
from dashboard.channels import record as parts
from dashboard.enums import DutyState
from dashboard.models import RecordFacts, RecordSnapshot
from dashboard.selectors import records as selectors
from dashboard.services import records
from governance.law.vendors import sheets
from governance.services import premises, sites, vendors
from retention.selectors import watch
from tests import make
from tests.cast import Cast
from tests.dashboard.test_duties import HOUSE
from tests.make import NOON
from tests.rules.world import browser_of

pytestmark = pytest.mark.django_db

WORDS = {
    "contact": "Acme, 1 Main Street", "representative": "", "officer": "privacy@acme.example", "joint": "",
    "recipients": "Example Hosting: keeps the servers", "measures": "Doors are locked",
    "purposes": {"measure": "To learn"}, "representatives": {},
}  # fmt: skip


def _read(cast: Cast) -> dict[str, object]:
    records.read(agency_id=cast.acme.pk, at=NOON)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        present = selectors.present()
        assert present is not None
        return present.record


def _told(record: dict[str, object], of: str, label: str) -> str:
    return next(row[3] for row in parts.rows_of(record) if (row[1], row[2]) == (of, label))


def test_they_follow_roles_vendors_policies_and_measures(cast: Cast) -> None:
    make.tracking_number(cast.dentist, "+14045550001", provider="callrail", records=True)
    with job_scope(agency_id=cast.acme.pk):
        Engagement.objects.for_client(cast.dentist).update(
            measure_as=PartyRole.CONTROLLER, dpa_on=NOON.date()
        )
        facts = vendors.Facts.from_sheet(sheets()["callrail"])
        vendors.add_vendor(agency=cast.acme, facts=facts, sheet="", verified_on=None, by=make.JOB, at=NOON)
        Client.objects.filter(pk=cast.dentist.pk).update(keep_calls_for_days=90)
    record = _read(cast)

    assert _told(record, "Measuring advertising by calls", "For") == "Dentist LLC"
    assert _told(record, "Dentist LLC", "Processing") == "Recording calls\nCalling and texting"
    assert _told(record, "Dentist LLC", "Agreement of") == str(NOON.date())
    assert "Recordings" in _told(record, "Dentist LLC", "Data")
    assert "CallRail (processor): United States" in _told(record, "Dentist LLC", "Vendors and transfers")
    assert "Call records, calls in: 90 days" in _told(record, "Dentist LLC", "Kept for")
    assert _told(record, "Plumber LLC", "Vendors and transfers") == ""
    measures = _told(record, "Security", "Measures (article 32(1))")
    assert "AES-256-GCM" in measures
    assert "second factor" not in measures, "no role is asked for one"
    assert parts.of_client(record, cast.dentist)["as_processor"][0]["client"] == "Dentist LLC"


def test_words_count_at_once_and_a_snapshot_is_what_was_shown(cast: Cast) -> None:
    _read(cast)
    by = Actor.staff(user_id=cast.alice.user_id)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        shown = selectors.present()
        assert shown is not None
        records.set_words(agency=cast.acme, said=WORDS, by=by, at=NOON)
        with pytest.raises(records.ChangedMeanwhileError):
            records.take_snapshot(agency=cast.acme, seen=shown.digest, by=by, at=NOON)
        now = selectors.present()
        assert now is not None
        row = records.take_snapshot(agency=cast.acme, seen=now.digest, by=by, at=NOON)
        with pytest.raises(records.NothingNewError):
            records.take_snapshot(agency=cast.acme, seen=now.digest, by=by, at=NOON)
        found = parts.differences(shown.record, now.record)
        assert ("Security", "Measures (article 32(1))", ("Doors are locked",)) in [
            (one.what, one.label, one.came) for one in found
        ]
        assert row.number == 1


def test_after_a_month_somebody_confirms_that_the_same_still_stands_and_the_duty_is_good(cast: Cast) -> None:
    _read(cast)
    by = Actor.staff(user_id=cast.alice.user_id)

    def duty(at: datetime) -> DutyState:
        with job_scope(agency_id=cast.acme.pk):
            agency = Agency.objects.get(pk=cast.acme.pk)
            reading = watch.Reading(at=at.isoformat())
            return duties.by_id()["records"].look(duties.Look(agency, at, reading, HOUSE)).state

    year = NOON + timedelta(days=370)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        present = selectors.present()
        assert present is not None
        records.take_snapshot(agency=cast.acme, seen=present.digest, by=by, at=NOON)
        with pytest.raises(records.NothingNewError):
            records.take_snapshot(
                agency=cast.acme, seen=present.digest, by=by, at=NOON + timedelta(days=29, hours=23)
            )
    assert duty(year) == DutyState.OVERDUE

    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        row = records.take_snapshot(agency=cast.acme, seen=present.digest, by=by, at=year)
        assert (row.number, bytes(row.digest)) == (2, present.digest)
    assert duty(year) == DutyState.GOOD


def test_the_page_offers_to_confirm_what_has_stood_for_a_month(cast: Cast) -> None:
    _read(cast)
    alice = browser_of(cast.alice.user)
    now = make.now()
    for days, says in ((1, False), (40, True)):
        with job_scope(agency_id=cast.acme.pk):
            present = selectors.present()
            assert present is not None
            number = 1 + RecordSnapshot.objects.count()
            RecordSnapshot.objects.create(
                agency=cast.acme, number=number, record=present.record, digest=present.digest,
                taken_by_id=cast.alice.user_id, taken_at=now - timedelta(days=days),
            )  # fmt: skip
        page = alice.get("/programme/records/").content.decode()
        assert ("Confirm they are current" in page) is says
        assert "Keep a snapshot" not in page


def test_nobody_changes_a_snapshot_and_only_the_job_says_what_is_set_up(cast: Cast) -> None:
    _read(cast)
    by = Actor.staff(user_id=cast.alice.user_id)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        present = selectors.present()
        assert present is not None
        records.take_snapshot(agency=cast.acme, seen=present.digest, by=by, at=NOON)
        assert RecordSnapshot.objects.update(record={}) == 0
        assert RecordFacts.objects.update(facts={}) == 0
    with job_scope(agency_id=cast.acme.pk), pytest.raises(DatabaseError), transaction.atomic():
        RecordSnapshot.objects.update(record={})
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.bob.user_id):
        assert not RecordFacts.objects.exists()
    with staff_scope(agency_id=cast.globex.pk, user_id=cast.mallory.user_id):
        assert not RecordSnapshot.objects.exists()


def test_the_pages_keep_and_hand_out(cast: Cast) -> None:
    _read(cast)
    alice = browser_of(cast.alice.user)
    page = alice.get("/programme/records/").content.decode()
    seen = page.partition('name="seen" value="')[2][:64]

    assert alice.post("/programme/records/words/", {"contact": "x" * 301}).status_code == 422
    assert (
        alice.post("/programme/records/keep/", {"seen": seen}).headers["Location"] == "/programme/records/1/"
    )
    named = {"officer": "Somebody", f"representative_{cast.dentist.pk}": "Rep GmbH, Berlin"}
    assert alice.post("/programme/records/words/", named).status_code == 302
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        now = selectors.present()
        assert now is not None
        assert _told(now.record, "Dentist LLC", "Representative in the Union") == "Rep GmbH, Berlin"
        assert _told(now.record, "Plumber LLC", "Representative in the Union") == ""
    assert "Rep GmbH, Berlin" in alice.get("/programme/records/words/").content.decode()
    assert "Somebody" in alice.get("/programme/records/1/").content.decode(), "what is otherwise today"
    book = alice.post("/programme/records/1/xlsx/")
    with zipfile.ZipFile(io.BytesIO(book.content)) as package:
        assert b"Dentist LLC" in package.read("xl/worksheets/sheet1.xml")
    assert alice.post("/programme/records/0/pdf/").content.startswith(b"%PDF-")
    assert alice.post("/programme/records/1/exe/").status_code == 404
    assert alice.post("/programme/records/2/pdf/").status_code == 404
    carol = browser_of(cast.carol.user)
    assert carol.get("/programme/records/").status_code == 403
    assert carol.post("/programme/records/keep/", {"seen": seen}).status_code == 403
    assert _browser_sees_none_of_it(browser_of(cast.mallory.user))


def _browser_sees_none_of_it(browser: Browser) -> bool:
    return browser.get("/programme/records/1/").status_code == 404


def test_an_hour_later_it_is_read_anew(cast: Cast) -> None:
    _read(cast)
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.plumber.pk).update(archived_at=NOON)
    records.read(agency_id=cast.acme.pk, at=NOON + timedelta(hours=1))
    with job_scope(agency_id=cast.acme.pk):
        present = selectors.present()
        assert Agency.objects.count() == 1
    assert present is not None
    assert present.read_at == NOON + timedelta(hours=1)
    assert [one["client"] for one in present.record["processor"]] == ["Dentist LLC"]


def test_what_closed_sites_left_is_still_named(cast: Cast) -> None:
    title = parts.PURPOSES["staff"][0]
    assert "badges" not in _told(_read(cast), title, "Data")
    with job_scope(agency_id=cast.acme.pk):
        site = premises.add_site(
            agency=cast.acme, name="Office", address="", time_zone="America/New_York", weekdays=[1],
            opens=time(8), closes=time(18), by=make.JOB, at=NOON,
        )  # fmt: skip
        premises.give_badge(
            site=site, user_id=cast.bob.user_id, label="7", code="0007", any_hour=False, until_on=None,
            by=make.JOB, at=NOON,
        )  # fmt: skip
        sites.close_site(site=site, by=make.JOB, at=NOON)

    record = _read(cast)

    assert "Entries and badges" in _told(record, title, "Data")
    assert "Badges and who had them: without end" in _told(record, title, "Kept for")
