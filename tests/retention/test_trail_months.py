"""
Whole sealed months of the trail leave by the matrix: on their day, by the longest policy, and only what nothing keeps.
The preview, the calendar, the run and the certificate count the same rows.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.test import override_settings

from callprivacy.accounts.enums import Role
from callprivacy.audit import leaves, merkle
from callprivacy.audit import services as audit
from callprivacy.audit.models import Event, Leaving, Seal
from callprivacy.tenancy.enums import RetentionState
from callprivacy.tenancy.models import Agency, Client
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.work.models import Item
from consent.enums import EventKind
from consent.models import ConsentEvent
from consent.selectors import proofs
from retention.enums import Category, PartState, SecretKind
from retention.models import Hold, HouseCertificate, HousePart, Policy
from retention.selectors import calendar, changes, holds, house, policies, secrets, trail
from retention.selectors.changes import Wish
from retention.services import house as own
from retention.services import restoring
from tests import make
from tests.accounts.browsers import signed_in
from tests.audit.trails import both_find, seal, superuser, verify, write
from tests.consent import deciding
from tests.retention import night
from tools.verify_evidence import included

pytestmark = pytest.mark.django_db(transaction=True)

ZONE = ZoneInfo("America/New_York")
NOON = make.NOON
_THIRD = (NOON - timedelta(days=800)).replace(day=15)
MONTHS = [(_THIRD - timedelta(days=days)).replace(day=15) for days in (61, 31, 0)]
"""The middles of three months in a row, more than two years ago."""


def ago(day: datetime) -> int:
    """How many days before noon."""
    return (NOON.date() - day.date()).days


KEPT = ago(MONTHS[2])
"""So many days ago is in the third of the months: all before that month is due."""
STARTS = [month.replace(day=1) for month in (*MONTHS[1:], MONTHS[2] + timedelta(days=30))]
"""The days after each of the months' ends."""


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path) -> object:
    with override_settings(CALLPRIVACY_STATE=tmp_path / "state"):
        yield


def age(days: int = 700) -> None:
    with superuser() as line:
        line.execute("UPDATE audit_seal SET sealed_at = sealed_at - make_interval(days => %s)", [days])


@pytest.fixture
def acme() -> Agency:
    """Three months of two years ago, each under a seal of its own, of an agency that has said nothing of the trail."""
    agency = make.agency("Acme", at=MONTHS[0])
    for month in MONTHS:
        write(agency.pk, 3, at=month)
        seal(agency.pk, at=month)
    age()
    return agency


def keep(agency: Agency, days: int = KEPT, *, client: Client | None = None, version: int = 3) -> None:
    with job_scope(agency_id=agency.pk):
        Policy.objects.create(
            agency=agency,
            client=client,
            category=Category.TRAIL,
            keep_for_days=days,
            version=version,
            set_at=NOON,
        )


def keeping(agency: Agency, days: int) -> Agency:
    """The agency, whose policy keeps for so long from now on."""
    with job_scope(agency_id=agency.pk):
        assert Policy.objects.filter(client=None, category=Category.TRAIL).update(keep_for_days=days) == 1
    return agency


def due(agency: Agency, at: datetime = NOON) -> house.Row:
    with job_scope(agency_id=agency.pk):
        return next(row for row in house.rows(agency, at, days=90) if row.category is Category.TRAIL)


def left(agency: Agency) -> int:
    with job_scope(agency_id=agency.pk):
        return sum(Leaving.objects.values_list("events", flat=True))


def hold(client: Client, **said: object) -> Hold:
    person = make.person(client.agency, f"holder{client.pk}", Role.OFFICER)
    with job_scope(agency_id=client.agency_id):
        return Hold.objects.create(
            agency=client.agency, client=client, name="The inquiry", review_on=NOON.date() + timedelta(days=69),
            placed_by_id=person.user_id, placed_at=NOON - timedelta(days=2), **said,
        )  # fmt: skip


def test_months_leave_in_a_run_as_the_preview_counted_and_are_certified(acme: Agency, tmp_path: Path) -> None:
    keep(acme)
    assert due(acme).extent.rows == 7

    run = night.spend(acme)

    assert left(acme) == 7
    with job_scope(agency_id=acme.pk):
        part = HousePart.objects.get(run=run, category=Category.TRAIL)
        assert (part.state, part.rows_due, part.rows_erased, part.rows_held) == (PartState.DONE, 7, 7, 0)
        said = json.loads(HouseCertificate.objects.get(run=run).statement)
        (row,) = said["categories"]
        assert (row["category"], row["due"], row["erased"], row["policy_version"]) == ("trail", 7, 7, 3)
        assert row["digest"] == bytes(part.digest).hex() != "0" * 64
        (leaving,) = Leaving.objects.all()
        message = leaving.message()
        assert (message.keep_for_days, message.version) == (KEPT, 3)
        assert message.before == datetime(MONTHS[2].year, MONTHS[2].month, 1, tzinfo=ZONE)
        assert not Event.objects.filter(at__lt=message.before).exists()
    assert due(acme).extent.rows == 0
    assert both_find(acme.pk, tmp_path) == []

    night.spend(acme, NOON + timedelta(hours=1))
    assert left(acme) == 7
    seal(acme.pk, at=NOON)
    assert both_find(acme.pk, tmp_path) == []


def test_where_the_agency_says_nothing_no_month_leaves(acme: Agency) -> None:
    """However old: what holds without a word is about reasons alone."""
    later = NOON + timedelta(days=3000)
    assert due(acme, later).extent.rows == 0
    keep(acme, 365, client=make.client(acme, "Dentist", at=MONTHS[0]))
    assert due(acme, later).extent.rows == 0
    night.spend(acme, later)
    assert left(acme) == 0


def test_a_month_leaves_whole_on_the_day_that_its_end_is_past(acme: Agency) -> None:
    keep(acme)
    first, second, third = map(ago, STARTS)
    leave = {
        first + 55: 0, first + 1: 0, first: 4, second + 1: 4, second: 7, third + 1: 7, third: 10, 400: 10
    }  # fmt: skip
    assert {days: due(keeping(acme, days)).extent.rows for days in leave} == leave


@pytest.mark.thorough
def test_months_are_those_of_the_agencys_zone(acme: Agency) -> None:
    keep(acme)
    ends = [
        # The 29th of February 2024 is of February; the day after, February is over.
        (datetime(2026, 11, 24, 12, tzinfo=UTC), 999, datetime(2024, 2, 1, 5, tzinfo=UTC)),
        (datetime(2026, 11, 24, 12, tzinfo=UTC), 998, datetime(2024, 3, 1, 5, tzinfo=UTC)),
        # The clock goes back on the 3rd of November 2024, and forward on the 9th of March 2025, in New York.
        (datetime(2026, 11, 24, 12, tzinfo=UTC), 754, datetime(2024, 10, 1, 4, tzinfo=UTC)),
        (datetime(2026, 11, 24, 12, tzinfo=UTC), 753, datetime(2024, 11, 1, 4, tzinfo=UTC)),
        (datetime(2026, 11, 24, 12, tzinfo=UTC), 720, datetime(2024, 12, 1, 5, tzinfo=UTC)),
        (datetime(2026, 11, 24, 12, tzinfo=UTC), 602, datetime(2025, 4, 1, 4, tzinfo=UTC)),
        # Late in the evening of New York it is the next day in UTC.
        (datetime(2026, 11, 25, 3, tzinfo=UTC), 998, datetime(2024, 3, 1, 5, tzinfo=UTC)),
        (datetime(2026, 11, 25, 3, tzinfo=UTC), 999, datetime(2024, 2, 1, 5, tzinfo=UTC)),
    ]
    for at, days, before in ends:
        keeping(acme, days)
        with job_scope(agency_id=acme.pk):
            found = trail.months(acme, policies.house_effective(acme)[Category.TRAIL], at)
        assert found is not None
        assert found.before == before, (at, days)


def test_the_last_night_of_a_month_goes_with_its_own_month(tmp_path: Path) -> None:
    """On the 31st of October the clocks stand as in summer; a seal over midnight goes with the later month."""
    agency = make.agency("Acme", at=datetime(2024, 10, 2, tzinfo=UTC))
    seal(agency.pk, at=datetime(2024, 10, 2, tzinfo=UTC))
    last = datetime(2024, 11, 1, 3, 59, 59, tzinfo=UTC)
    write(agency.pk, 1, at=last)
    seal(agency.pk, at=last)
    write(agency.pk, 1, at=last)
    seal(agency.pk, at=last + timedelta(seconds=1))
    age()
    keep(agency, ago(datetime(2024, 11, 1, tzinfo=UTC)))

    night.spend(agency)
    assert left(agency) == 2
    assert both_find(agency.pk, tmp_path) == []


def test_the_longest_of_agency_and_clients_decides(acme: Agency) -> None:
    keep(acme)
    dentist = make.client(acme, "Dentist", at=MONTHS[0])
    keep(acme, ago(MONTHS[1]), client=dentist)
    assert due(acme).extent.rows == 4
    with job_scope(agency_id=acme.pk):
        Policy.objects.filter(client=dentist).update(keep_for_days=2000)
    assert due(acme).extent.rows == 0
    with job_scope(agency_id=acme.pk):
        Policy.objects.filter(client=dentist).update(keep_for_days=365)
    assert due(acme).extent.rows == 7


def test_a_hold_of_any_client_keeps_every_month_and_lifting_it_frees_them(acme: Agency) -> None:
    keep(acme)
    one = hold(make.client(acme, "Dentist", at=MONTHS[2]))
    row = due(acme)
    assert (row.extent.rows, row.extent.held, row.kept_by) == (0, 7, "an open hold")
    run = night.spend(acme)
    assert left(acme) == 0
    with job_scope(agency_id=acme.pk):
        part = HousePart.objects.get(run=run, category=Category.TRAIL)
        assert (part.rows_erased, part.rows_held) == (0, 7)
        said = json.loads(HouseCertificate.objects.get(run=run).statement)
        assert len(said["holds"]) == 1
        assert holds.falls_due(one, NOON).own == 7
        Hold.objects.filter(pk=one.pk).update(lifted_at=NOON)
    night.spend(acme, NOON + timedelta(hours=1))
    assert left(acme) == 7


@pytest.mark.thorough
def test_what_is_still_asked_of_an_event_keeps_it_and_all_behind(acme: Agency) -> None:
    keep(acme, 400)
    assert due(acme).extent.rows == 10
    at = MONTHS[2] + timedelta(days=1)
    dentist = make.client(acme, "Dentist", at=at)
    night.live(dentist)
    with job_scope(agency_id=acme.pk):
        audit.record(
            secrets.FIRST_SEEN, by=make.JOB, at=at, agency_id=acme.pk, kind=SecretKind.MASTER.value,
            name=secrets.house_names()[SecretKind.MASTER], since=at.isoformat(),
        )  # fmt: skip
    seal(acme.pk, at=at)
    age()
    row = due(acme)
    assert (row.extent.rows, row.kept_by) == (10, "since when a secret is in use")
    night.spend(acme)
    assert left(acme) == 10
    assert due(acme).kept_by == "since when a secret is in use"


@pytest.mark.thorough
def test_an_event_of_an_observed_client_stays(acme: Agency) -> None:
    keep(acme, 400)
    at = MONTHS[2] + timedelta(days=1)
    dentist = make.client(acme, "Dentist", at=at)
    assert dentist.retention_state == RetentionState.OBSERVE
    write(acme.pk, 1, at=at, client_id=dentist.pk)
    seal(acme.pk, at=at)
    age()
    assert (due(acme).extent.rows, due(acme).kept_by) == (10, "an event of a client that is observed only")
    night.live(dentist)
    assert due(acme).extent.rows > 10


def test_consents_that_are_kept_keep_what_vouches_for_them(acme: Agency, tmp_path: Path) -> None:
    keep(acme, 400)
    at = MONTHS[2] + timedelta(days=1)
    dentist = make.client(acme, "Dentist", at=at)
    night.live(dentist)
    caller = make.call(dentist, "+12025550143", at=at).caller_id
    seal(acme.pk, at=at)
    deciding.say(dentist, EventKind.GIVEN, caller, happened_at=at, recorded_at=at)
    seal(acme.pk, at=at)
    write(acme.pk, 2, at=at)
    seal(acme.pk, at=at)
    age()
    before = due(acme)
    assert before.kept_by == "the recording of consents that are still kept"
    night.spend(acme)
    assert left(acme) == before.extent.rows == 11
    with job_scope(agency_id=acme.pk):
        said = ConsentEvent.objects.for_client(dentist).get()
        proof = proofs.proofs_of(acme.pk, [said.audit_event_id or 0])[said.audit_event_id or 0]
        assert proof.seal is not None
        leaf = merkle.leaf_hash(leaves.canonical(proof.event.as_leaf()))
        assert included(leaf, proof.index, proof.seal.size, proof.path, bytes(proof.seal.root))
        ConsentEvent.objects.filter(pk=said.pk).delete()
    after = due(acme)
    assert after.extent.rows >= 3
    assert after.kept_by == ""
    assert both_find(acme.pk, tmp_path) == []


def test_words_behind_an_event_leave_first(acme: Agency) -> None:
    """In the same run: reasons by their own line, then the month they were of."""
    with job_scope(agency_id=acme.pk):
        audit.record("run.started", by=make.JOB, at=MONTHS[2], reason="Because of an inquiry.")
    seal(acme.pk, at=MONTHS[2])
    age()
    keep(acme, KEPT - 30)
    row = due(acme)
    assert (row.extent.rows, row.kept_by) == (11, "a reason that is still here")
    night.spend(acme)
    assert left(acme) == 11
    assert verify(acme.pk).holds


def test_what_was_tampered_with_stays_and_somebody_is_told(acme: Agency) -> None:
    keep(acme)
    with superuser() as line:
        line.execute(
            "UPDATE audit_event SET action = 'call.forged' WHERE id = (SELECT min(id) FROM audit_event)"
        )
    run = night.start(acme)
    for minute in range(4):
        night.work(run, NOON + timedelta(minutes=5 * minute))
    assert left(acme) == 0
    with job_scope(agency_id=acme.pk):
        assert HousePart.objects.get(run=run, category=Category.TRAIL).state == PartState.FAILED
        assert Item.objects.open().filter(kind="own_rows_failed").exists()


def test_nothing_leaves_from_under_who_verifies_or_exports(acme: Agency) -> None:
    keep(acme)
    with superuser() as line:
        with line.transaction():
            line.execute(
                "SELECT pg_advisory_xact_lock_shared(hashtextextended('audit.leave', %s))", [acme.pk]
            )
            night.spend(acme)
            assert left(acme) == 0
        assert verify(acme.pk).notes == [], "nothing was said of it either"
        night.spend(acme, NOON + timedelta(hours=1))
        assert left(acme) == 7
        with line.transaction(), job_scope(agency_id=acme.pk):
            audit.verify_agency(acme.pk)
            row = line.execute(
                "SELECT pg_try_advisory_xact_lock(hashtextextended('audit.leave', %s))", [acme.pk]
            ).fetchone()
            assert row == (False,)


@pytest.mark.thorough
def test_a_policy_that_is_shortened_meanwhile_moves_no_run_on(acme: Agency) -> None:
    keep(acme, ago(MONTHS[1]))
    run = night.start(acme)
    with job_scope(agency_id=acme.pk):
        own.plan(run=run, at=NOON)
        assert HousePart.objects.get(run=run, category=Category.TRAIL).rows_due == 4
        Policy.objects.update(keep_for_days=400)
    night.work(run)
    assert left(acme) == 4
    night.spend(acme, NOON + timedelta(hours=1))
    assert left(acme) == 10


@pytest.mark.thorough
def test_a_long_month_leaves_in_parts(acme: Agency, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail, "EVENTS_A_BATCH", 5)
    keep(acme, 400)
    night.spend(acme)
    with job_scope(agency_id=acme.pk):
        rows = list(Leaving.objects.order_by("first_seal").values_list("first_seal", "last_seal", "events"))
    assert rows == [(1, 1, 4), (2, 2, 3), (3, 3, 3)]
    assert both_find(acme.pk, tmp_path) == []


def test_nothing_leaves_that_is_not_a_year_old_by_the_databases_clock(acme: Agency) -> None:
    keep(acme)
    with superuser() as line:
        line.execute("UPDATE audit_seal SET sealed_at = now() - interval '8759 hours' WHERE number = 2")
    assert due(acme).extent.rows == 4


@pytest.mark.thorough
def test_the_calendar_counts_what_falls_due_on_its_day(acme: Agency) -> None:
    keep(acme)
    days = KEPT - ago(STARTS[2])
    with job_scope(agency_id=acme.pk):
        numbers = house.by_day(acme, NOON, days=90)[Category.TRAIL]
        assert numbers == {days - 1: 3}
        (row,) = [one for one in calendar.later([], NOON, own=acme) if one.category is Category.TRAIL]
        assert (row.today, row.more) == (7, 3)
    assert due(acme).soon == 3
    assert due(acme, NOON + timedelta(days=days - 1)).extent.rows == 7
    assert due(acme, NOON + timedelta(days=days)).extent.rows == 10


@pytest.mark.thorough
def test_an_officer_counts_as_the_run_does_whoever_is_granted(acme: Agency) -> None:
    keep(acme)
    make.client(acme, "Dentist", at=MONTHS[2])
    erin = make.person(acme, "erin", Role.OFFICER)
    anna = make.person(acme, "anna", Role.ANALYST)
    with staff_scope(agency_id=acme.pk, user_id=erin.user_id):
        assert house.extents(acme, NOON)[Category.TRAIL].rows == 7
    with staff_scope(agency_id=acme.pk, user_id=anna.user_id):
        assert house.extents(acme, NOON)[Category.TRAIL].rows == 0


@pytest.mark.thorough
def test_the_first_word_lets_months_leave_and_so_is_a_shorter_policy(acme: Agency) -> None:
    with job_scope(agency_id=acme.pk):
        same = changes.plan(Wish(acme, None, Category.TRAIL, 2192))
        assert same.shortens
        assert not same.is_nothing
        assert same.counted == [Category.TRAIL]
        much = changes.plan(Wish(acme, None, Category.TRAIL, 3000))
        assert much.shortens
        found = changes.effect(changes.plan(Wish(acme, None, Category.TRAIL, KEPT)), NOON)
        assert (found.due_before, found.due_after, found.leaving) == (0, 7, 7)
    keep(acme)
    with job_scope(agency_id=acme.pk):
        assert not changes.plan(Wish(acme, None, Category.TRAIL, 900)).shortens
        assert not changes.plan(Wish(acme, None, Category.TRAIL, None)).shortens
        assert changes.plan(Wish(acme, None, Category.TRAIL, 700)).shortens


@pytest.mark.thorough
def test_a_clients_word_is_shown_with_the_months_that_it_frees(acme: Agency) -> None:
    keep(acme)
    dentist = make.client(acme, "Dentist", at=MONTHS[2])
    keep(acme, 2000, client=dentist)
    with job_scope(agency_id=acme.pk):
        client = Client.objects.select_related("agency").get(pk=dentist.pk)
        found = changes.effect(changes.plan(Wish(acme, client, Category.TRAIL, 365)), NOON)
        assert (found.due_before, found.due_after) == (0, 7)


@pytest.mark.thorough
def test_after_a_restore_the_same_months_leave_again(acme: Agency, tmp_path: Path) -> None:
    keep(acme)
    with superuser() as line:
        line.execute("CREATE TABLE kept AS TABLE audit_event")
    night.spend(acme)
    with superuser() as line:
        line.execute("DELETE FROM audit_leaving")
        line.execute(
            "INSERT INTO audit_event OVERRIDING SYSTEM VALUE SELECT * FROM kept k"
            " WHERE NOT EXISTS (SELECT FROM audit_event e WHERE e.id = k.id)"
        )
        # The dump knows of no policy that lets them leave; the checkpoints know that they have.
        line.execute("DELETE FROM retention_policy")
    assert left(acme) == 0

    found = restoring.take_out(at=NOON + timedelta(hours=2))

    assert found.own == 7
    assert left(acme) == 7
    assert both_find(acme.pk, tmp_path) == []
    assert restoring.take_out(at=NOON + timedelta(hours=2)).is_empty


def test_a_hold_that_is_open_by_then_keeps_what_came_back(acme: Agency, tmp_path: Path) -> None:
    keep(acme)
    with superuser() as line:
        line.execute("CREATE TABLE kept AS TABLE audit_event")
    night.spend(acme)
    with superuser() as line:
        line.execute("DELETE FROM audit_leaving")
        line.execute(
            "INSERT INTO audit_event OVERRIDING SYSTEM VALUE SELECT * FROM kept k"
            " WHERE NOT EXISTS (SELECT FROM audit_event e WHERE e.id = k.id)"
        )
    hold(make.client(acme, "Dentist", at=NOON))
    restoring.take_out(at=NOON + timedelta(hours=2))
    assert left(acme) == 0
    assert both_find(acme.pk, tmp_path) == []


@pytest.mark.thorough
def test_seals_stay_for_good(acme: Agency) -> None:
    keep(acme, 400)
    night.spend(acme)
    with job_scope(agency_id=acme.pk):
        assert Seal.objects.count() == 3
        assert {bytes(one.leaves) != b"" for one in Seal.objects.all()} == {True}


@pytest.mark.thorough
def test_pages_say_from_when_on_events_are_here(acme: Agency) -> None:
    keep(acme)
    erin = make.person(acme, "erin", Role.OFFICER)
    dentist = make.client(acme, "Dentist", at=MONTHS[2])
    make.grant(erin, dentist)
    browser = signed_in(erin)
    assert "call.revealed" in browser.get("/retention/preview/trail/").content.decode()
    assert "Left by policy" not in browser.get("/trail/").content.decode()

    night.spend(acme)

    page = " ".join(browser.get("/trail/").content.decode().split())
    assert "7 events under seals 1 to 2" in page
    assert "Every event from 1 September 2024 on is here." in page
    verified = browser.post("/trail/verify/").content.decode()
    assert "none is missing but what left by policy" in verified
    asked = {"who": f"person:{erin.user_id}", "until": "2024-10-01T00:00"}
    early = browser.get("/programme/breaches/impact/", asked | {"since": "2024-08-01T00:00"})
    assert "left the trail by policy" in early.content.decode()
    late = browser.get("/programme/breaches/impact/", asked | {"since": "2024-09-01T00:00"})
    assert "left the trail by policy" not in late.content.decode()
