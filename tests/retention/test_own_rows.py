"""What the agency keeps of its own leaves by the matrix, in a run, with a certificate, and a hold keeps it."""

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client as Browser

from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership
from callprivacy.audit import services as audit
from callprivacy.audit.models import Event, Reason
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Sector
from callprivacy.tenancy.models import Client, Place
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.vault import signing
from callprivacy.work.models import Item
from governance.enums import EntrySource
from governance.models import Attempt, Completion, Entry, Site
from governance.services import premises
from retention import targets
from retention.enums import Category, ChangeState, PartState, RunCause
from retention.models import Hold, HouseCertificate, HousePart, Policy
from retention.selectors import calendar, changes, house, watch
from retention.selectors import holds as hold_selectors
from retention.services import certificates, erasing, policies, restoring, runs
from retention.services.policies import ShownEffect
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.retention import night, pdfa
from tests.scale import some
from tools import verify_certificate

pytestmark = pytest.mark.django_db


def _entry(site: Site, days: float) -> UUID:
    at = make.NOON - timedelta(days=days)
    return Entry.objects.create(
        agency_id=site.agency_id,
        site=site,
        visitor="Ms Guest",
        entered_at=at,
        left_at=at,
        source=EntrySource.KIOSK,
    ).pk


def _try(cast: Cast, days: float) -> UUID:
    at = make.NOON - timedelta(days=days)
    return Attempt.objects.create(
        agency=cast.acme,
        user_id=cast.bob.user_id,
        course="phishing",
        version="1",
        seed=1,
        asked=10,
        started_at=at,
    ).pk


def _proof(cast: Cast, days: int) -> UUID:
    on = make.NOON.date() - timedelta(days=days)
    return Completion.objects.create(
        agency=cast.acme, user_id=cast.bob.user_id, course="phishing", passed_on=on - timedelta(days=365),
        valid_until=on, noted_at=make.NOON,
    ).pk  # fmt: skip


def _hold(cast: Cast, **said: Any) -> Hold:
    return Hold.objects.create(
        agency=cast.acme, client=cast.dentist, name="The inquiry", review_on=date(2027, 2, 1),
        placed_by_id=cast.alice.user_id, placed_at=make.NOON - timedelta(days=2), **said,
    )  # fmt: skip


@pytest.fixture
def site(cast: Cast) -> Site:
    with job_scope(agency_id=cast.acme.pk):
        return premises.add_site(
            agency=cast.acme, name="Office", address="", time_zone="America/New_York", weekdays=[1, 2, 3, 4, 5],
            opens=time(8), closes=time(18), by=make.JOB, at=make.NOON,
        )  # fmt: skip


@pytest.fixture
def erin(cast: Cast) -> Membership:
    """A second officer."""
    return make.person(cast.acme, "erin", Role.OFFICER)


def _set(cast: Cast, category: Category, days: int) -> None:
    Policy.objects.create(
        agency=cast.acme,
        category=category,
        keep_for_days=days,
        version=3,
        set_at=make.NOON - timedelta(days=9),
    )


def test_a_run_takes_what_the_preview_counted_and_certifies_it(cast: Cast, site: Site) -> None:
    with job_scope(agency_id=cast.acme.pk):
        gone = sorted([_entry(site, 90.8), _entry(site, 200)])
        kept = [_entry(site, 89), _try(cast, 1095), _proof(cast, 1096)]
        old = sorted([_try(cast, 1097.5), _proof(cast, 1097)])
        before = house.extents(cast.acme, make.NOON)
    assert (before[Category.PREMISES].rows, before[Category.TRAINING].rows) == (2, 2)

    run = night.spend(cast.acme)

    with job_scope(agency_id=cast.acme.pk):
        run.refresh_from_db()
        assert run.state == "done"
        left = {row.pk for rows in (Entry, Attempt, Completion) for row in rows.objects.all()}
        assert left == set(kept)
        certificate = HouseCertificate.objects.get()
        said = json.loads(certificate.statement)
        rows = {row["category"]: row for row in said["categories"]}
        assert (rows["premises"]["due"], rows["premises"]["erased"], rows["premises"]["days"]) == (2, 2, 90)
        assert (rows["training"]["due"], rows["training"]["erased"], rows["training"]["days"]) == (2, 2, 1096)
        assert rows["premises"]["digest"] == erasing.digest_after(bytes(32), gone).hex()
        assert rows["training"]["digest"] == erasing.digest_after(bytes(32), old).hex()
        actions = Event.objects.filter(action__in=["entries.erasing", "entries.erased", "training.erased"])
        assert actions.count() == 3
        for as_pdf in (False, True):
            taken = certificates.take(
                certificate=certificate, agency=cast.acme, as_pdf=as_pdf, by=make.JOB, at=make.NOON
            )
            report = verify_certificate.verify(taken.data, pins=[signing.public_key().hex()])
            assert report.findings == []
            assert verify_certificate.told(report)[0].startswith("certificate 1 of Acme")
            assert not as_pdf or pdfa.faults(taken.data) == []
            spoiled = taken.data.replace(b'"erased":2', b'"erased":3', 1)
            if not as_pdf:
                assert verify_certificate.verify(spoiled).findings
    assert said["client"] is None
    night.spend(cast.acme, make.NOON + timedelta(hours=1))
    with job_scope(agency_id=cast.acme.pk):
        assert HouseCertificate.objects.count() == 1, "nothing was due, so nothing is certified"


def test_a_certificate_of_the_wrong_version_for_its_client_is_found_out() -> None:
    for version, client in ((1, None), (2, {"legal_name": "Dentist LLC"})):
        verifier = verify_certificate.Verifier()
        verifier._statement(
            dict.fromkeys(verify_certificate.MEMBERS, "")
            | {"certificate": verify_certificate.NAME, "v": version, "client": client, "categories": []}
        )
        assert verifier.report.findings == ["the statement: its version does not go with its client"]


@pytest.mark.parametrize(("days", "left"), some([(30, 0), (90, 1), (120, 2)], one_in=3))
def test_the_matrix_decides_how_long(cast: Cast, site: Site, days: int, left: int) -> None:
    with job_scope(agency_id=cast.acme.pk):
        _entry(site, 60)
        _entry(site, 100)
        _set(cast, Category.PREMISES, days)
    night.spend(cast.acme)
    with job_scope(agency_id=cast.acme.pk):
        assert Entry.objects.count() == left
        part = HousePart.objects.get(category=Category.PREMISES)
        assert (part.keep_for_days, part.policy_version, part.rows_erased) == (days, 3, 2 - left)


def test_the_line_is_drawn_by_the_agencys_own_days(cast: Cast, site: Site) -> None:
    """Midnight in New York, on both sides of the night in which the clocks go back."""
    noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    line = datetime(2026, 11, 2, 5, tzinfo=UTC)
    with job_scope(agency_id=cast.acme.pk):
        _set(cast, Category.PREMISES, 22)
        for at in (line - timedelta(milliseconds=1), line):
            Entry.objects.create(
                agency=cast.acme, site=site, visitor="A", entered_at=at, left_at=at, source=EntrySource.KIOSK
            )
        assert house.lines(cast.acme, noon)[Category.PREMISES].cutoff == line
    night.spend(cast.acme, noon)
    with job_scope(agency_id=cast.acme.pk):
        assert [row.entered_at for row in Entry.objects.all()] == [line]


def test_a_hold_that_says_so_keeps_it_and_another_hold_does_not(cast: Cast, site: Site) -> None:
    with job_scope(agency_id=cast.acme.pk):
        _entry(site, 100)
        _try(cast, 1200)
        hold = _hold(cast, keeps_house=True)
        assert hold_selectors.falls_due(hold, make.NOON).own == 2
    night.spend(cast.acme)
    with job_scope(agency_id=cast.acme.pk):
        assert (Entry.objects.count(), Attempt.objects.count()) == (1, 1)
        said = json.loads(HouseCertificate.objects.get().statement)
        assert [(row["category"], row["held"], row["erased"]) for row in said["categories"]] == [
            ("training", 1, 0), ("premises", 1, 0),
        ]  # fmt: skip
        assert [one["name"] for one in said["holds"]] == ["The inquiry"]
        Hold.objects.filter(pk=hold.pk).update(lifted_at=make.NOON)
        _hold(cast)
    night.spend(cast.acme, make.NOON + timedelta(hours=1))
    with job_scope(agency_id=cast.acme.pk):
        assert not Entry.objects.exists()
        assert not Attempt.objects.exists()


def test_an_officer_sees_what_is_held_at_a_client_that_is_not_granted(
    cast: Cast, site: Site, erin: Membership
) -> None:
    with job_scope(agency_id=cast.acme.pk):
        _entry(site, 100)
        _hold(cast, keeps_house=True)
    with staff_scope(agency_id=cast.acme.pk, user_id=erin.user_id):
        assert not Hold.objects.exists()
        found = house.extents(cast.acme, make.NOON)[Category.PREMISES]
    assert (found.rows, found.held) == (0, 1)


def test_the_page_names_the_hold_that_keeps_what_is_held(cast: Cast, site: Site, erin: Membership) -> None:
    with job_scope(agency_id=cast.acme.pk):
        _entry(site, 100)
        hold = _hold(cast, keeps_house=True)
        Hold.objects.create(
            agency=cast.acme, client=cast.plumber, name="Calls alone", review_on=date(2027, 2, 1),
            placed_by_id=cast.alice.user_id, placed_at=make.NOON - timedelta(days=2),
        )  # fmt: skip

    page = signed_in(cast.alice).get("/retention/preview/premises/").content.decode()

    link = f'<a class="link" href="/clients/dentist/holds/{hold.pk}/">The inquiry</a>'
    assert f"kept by {link}</small>" in page
    assert "Calls alone" not in page
    hidden = signed_in(erin).get("/retention/preview/premises/").content.decode()
    assert "kept by a hold at a client that is not granted to you" in hidden
    assert "The inquiry" not in hidden


def test_reasons_behind_deeds_that_name_no_client_leave_too(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        for days in (2300, 2100):
            audit.record(
                "run.started", agency_id=cast.acme.pk, by=make.JOB, at=make.NOON - timedelta(days=days),
                reason="Because of an inquiry.",
            )  # fmt: skip
        events = Event.objects.count()
        assert house.extents(cast.acme, make.NOON)[Category.TRAIL].rows == 1
    night.spend(cast.acme)
    with job_scope(agency_id=cast.acme.pk):
        assert Reason.objects.filter(client_id=-cast.acme.pk).count() == 1
        assert Event.objects.count() > events, "the events stay, with their seals"
        part = HousePart.objects.get(category=Category.TRAIL)
        assert (part.rows_due, part.rows_erased) == (1, 1)


def _crash(*_: Any) -> Any:
    raise RuntimeError


@pytest.mark.thorough
@pytest.mark.parametrize("step", ["destroy", "remove"])
def test_a_fault_keeps_nothing_past_the_next_run_and_is_told(
    cast: Cast, site: Site, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = targets.HOUSE[Category.PREMISES]
    monkeypatch.setitem(targets.HOUSE, Category.PREMISES, dataclasses.replace(real, **{step: _crash}))  # type: ignore[arg-type]  # a step by its name
    with job_scope(agency_id=cast.acme.pk):
        _entry(site, 100)
        _try(cast, 1200)
    run = night.start(cast.acme)
    for minute in range(4):
        night.work(run, make.NOON + timedelta(minutes=5 * minute))
    with job_scope(agency_id=cast.acme.pk):
        assert HousePart.objects.get(category=Category.PREMISES).state == PartState.FAILED
        assert Entry.objects.exists()
        assert not Attempt.objects.exists(), "one category's fault keeps no other's rows"
        assert Item.objects.open().filter(kind="own_rows_failed").exists()
        said = json.loads(HouseCertificate.objects.get().statement)
        states = {row["category"]: (row["state"], row["failures"]) for row in said["categories"]}
        assert states == {"training": ("done", 0), "premises": ("failed", 3)}
    monkeypatch.setitem(targets.HOUSE, Category.PREMISES, real)
    night.spend(cast.acme, make.NOON + timedelta(hours=1))
    with job_scope(agency_id=cast.acme.pk):
        assert not Entry.objects.exists()
        assert not Item.objects.open().filter(kind="own_rows_failed").exists()


@pytest.mark.thorough
def test_a_run_that_is_paused_takes_nothing_and_goes_on_when_it_is_resumed(cast: Cast, site: Site) -> None:
    with job_scope(agency_id=cast.acme.pk):
        _entry(site, 100)
        run = runs.start_run(agency=cast.acme, cause=RunCause.BY_HAND, by=make.JOB, at=make.NOON)
        runs.pause_run(run=run, by=make.JOB, at=make.NOON)
    night.work(run)
    with job_scope(agency_id=cast.acme.pk):
        assert Entry.objects.exists()
        runs.resume_run(run=run, by=make.JOB, at=make.NOON)
    night.work(run)
    with job_scope(agency_id=cast.acme.pk):
        assert not Entry.objects.exists()


def test_a_run_is_not_over_before_the_agencys_own_is(
    cast: Cast, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retention.services.house.work_off", lambda **_: None)
    with job_scope(agency_id=cast.acme.pk):
        _entry(site, 100)
    run = night.spend(cast.acme)
    with job_scope(agency_id=cast.acme.pk):
        run.refresh_from_db()
        assert run.state == "running"
        assert not HouseCertificate.objects.exists()


def test_batches_are_bounded_and_a_sleeper_removes_nothing(
    cast: Cast, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = targets.HOUSE[Category.PREMISES]
    taken: list[int] = []

    def slow(line: targets.HouseLine, ids: Any) -> None:
        taken.append(len(ids))
        if len(taken) == 2:
            # The lease runs out while the batch is under way, and another worker takes the part.
            with job_scope(agency_id=cast.acme.pk):
                HousePart.objects.filter(category=Category.PREMISES).update(leased_until=make.NOON)

    monkeypatch.setitem(targets.HOUSE, Category.PREMISES, dataclasses.replace(real, batch=2, destroy=slow))
    with job_scope(agency_id=cast.acme.pk):
        ids = [_entry(site, 100 + number) for number in range(5)]
    run = night.start(cast.acme)
    night.work(run)
    with job_scope(agency_id=cast.acme.pk):
        assert HousePart.objects.get(category=Category.PREMISES).rows_erased == 5 - Entry.objects.count()
    night.work(run, make.NOON + timedelta(minutes=5))
    with job_scope(agency_id=cast.acme.pk):
        part = HousePart.objects.get(category=Category.PREMISES)
        assert (part.rows_erased, part.state, Entry.objects.count()) == (len(ids), PartState.DONE, 0)
    assert max(taken) == 2


def test_the_calendar_names_the_day_on_which_it_leaves(cast: Cast, site: Site) -> None:
    with job_scope(agency_id=cast.acme.pk):
        _entry(site, 80)
        _try(cast, 1090)
        _proof(cast, 1094)
        found = calendar.calendar([cast.dentist], make.NOON, own=cast.acme)
        due = {
            (day.on, category): number
            for day in found.days
            for category, number in day.counts.items()
            if category in {Category.PREMISES, Category.TRAINING}
        }
        for (on, category), number in due.items():
            eve = datetime.combine(on, time(12), tzinfo=make.NOON.tzinfo)
            was = house.extents(cast.acme, eve - timedelta(days=1))[category].rows
            assert house.extents(cast.acme, eve)[category].rows - was == number
        assert sum(due.values()) == 3
        assert not calendar.calendar([cast.dentist], make.NOON).total


def test_rows_that_stay_past_their_date_are_alarming(cast: Cast, site: Site) -> None:
    with job_scope(agency_id=cast.acme.pk):
        _entry(site, 91.9)
        type(cast.acme).objects.filter(pk=cast.acme.pk).update(created_at=make.NOON - timedelta(days=900))
        cast.acme.refresh_from_db()
        assert watch.read(cast.acme, make.NOON).past_due["premises"] == 1


# --- Policies ---


def _shown(wish: changes.Wish, who: Membership) -> tuple[changes.Proposal, ShownEffect]:
    found = changes.proposal(wish, proposer_id=who.user_id, at=make.NOON)
    effect = found.effect
    rules = frozenset(found.plan.rule_ids)
    return found, ShownEffect(effect.due_before, effect.due_after, effect.leaving, rules)


def test_shortening_shows_what_leaves_and_takes_a_second_officer(
    cast: Cast, site: Site, erin: Membership
) -> None:
    with job_scope(agency_id=cast.acme.pk):
        _entry(site, 60)
        _entry(site, 100)
    wish = changes.Wish(cast.acme, None, Category.PREMISES, 30)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        found, shown = _shown(wish, cast.alice)
        assert found.state is ChangeState.WAITING
        assert (shown.due_before, shown.due_after, shown.leaving) == (1, 2, 1)
        change = policies.propose(
            wish=wish,
            shown=shown,
            reason="Ninety days are more than we need.",
            proposer=cast.alice,
            at=make.NOON,
        )
    with staff_scope(agency_id=cast.acme.pk, user_id=erin.user_id):
        policies.read_reason(change=change, by=Actor.staff(user_id=erin.user_id), at=make.NOON)
        policies.approve(change=change, shown=shown, officer=erin, at=make.NOON)
    with job_scope(agency_id=cast.acme.pk):
        assert (
            house.lines(cast.acme, make.NOON)[Category.PREMISES].cutoff.date()
            == (make.NOON - timedelta(days=30)).date()
        )


def test_with_one_officer_a_shorter_policy_waits_a_day(cast: Cast) -> None:
    wish = changes.Wish(cast.acme, None, Category.TRAINING, 400)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        found, _ = _shown(wish, cast.alice)
    assert found.state is ChangeState.DELAYED


def test_the_law_is_asked_at_the_places_of_all_clients(cast: Cast) -> None:
    """The agency's own requests may be of Californians, whatever its clients say for theirs."""
    with job_scope(agency_id=cast.acme.pk):
        for client, region in ((cast.dentist, "CA"), (cast.plumber, "NY")):
            Place.objects.filter(client=client).remove()
            Place.objects.create(agency=cast.acme, client=client, country="US", region=region)
        Policy.objects.create(
            agency=cast.acme,
            client=cast.dentist,
            category=Category.REQUEST,
            keep_for_days=800,
            set_at=make.NOON,
        )
        refused = changes.plan(changes.Wish(cast.acme, None, Category.REQUEST, 400))
        assert {one.finding.rule.id for one in refused.refusals} == {"ccpa-requests"}
        of_new_york = changes.plan(changes.Wish(cast.acme, cast.plumber, Category.REQUEST, 400))
        assert of_new_york.refusals == []
        of_california = changes.plan(changes.Wish(cast.acme, cast.dentist, Category.REQUEST, 400))
        assert [one.finding.rule.citation for one in of_california.refusals] == ["11 CCR 7101(a)"]


def test_training_to_protect_patients_wants_a_reason_below_six_years(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(sector=Sector.DENTAL)
        found = changes.plan(changes.Wish(cast.acme, None, Category.TRAINING, 1500))
    assert found.rule_ids == ["hipaa-training"]


def test_no_client_says_how_long_the_agencys_own_is_kept(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk), pytest.raises(ValueError, match="the agency says"):
        changes.plan(changes.Wish(cast.acme, cast.dentist, Category.TRAINING, 400))
    browser = signed_in(cast.alice)
    assert browser.get("/clients/dentist/policies/change/training/").status_code == 404
    assert browser.get("/retention/policies/training/").status_code == 200


# --- Pages ---


@pytest.fixture
def browser(cast: Cast) -> Browser:
    return signed_in(cast.alice)


def _ago(days: float) -> float:
    """Days before NOON of what is so many days old for a page, which asks the clock."""
    return days - (make.now() - make.NOON) / timedelta(days=1)


@pytest.mark.thorough
def test_pages_count_it_show_its_first_rows_and_name_nobody(cast: Cast, site: Site, browser: Browser) -> None:
    with job_scope(agency_id=cast.acme.pk):
        _entry(site, _ago(100))
        _entry(site, _ago(60))
    own = {row.category: row for row in browser.get("/retention/preview/").context["own"]}
    assert (own[Category.PREMISES].extent.rows, own[Category.PREMISES].soon) == (1, 1)
    sample = browser.get("/retention/preview/premises/").content.decode()
    assert "a visitor at Office" in sample
    assert "Ms Guest" not in sample
    matrix = browser.get("/retention/policies/").content.decode()
    assert "/retention/policies/premises/" in matrix
    assert browser.get("/retention/preview/nothing/").status_code == 404
    assert Category.PREMISES in browser.get("/retention/calendar/").context["found"].drawn


def test_the_run_shows_it_and_the_certificate_is_taken(
    cast: Cast, site: Site, browser: Browser, spend: Callable[[], Any]
) -> None:
    with job_scope(agency_id=cast.acme.pk):
        _entry(site, 100)
    run = spend()
    page = browser.get(f"/retention/runs/{run.pk}/")
    assert [(part.category, part.rows_erased) for part in page.context["own"]] == [("premises", 1)]
    assert page.context["progress"].erased == 1
    certificate = page.context["own_certificate"]
    assert "Number 1" in browser.get("/retention/certificates/").content.decode()
    assert "Premises access" in browser.get(f"/retention/certificates/{certificate.pk}/").content.decode()
    for form in ("json", "pdf"):
        taken = browser.post(f"/retention/certificates/{certificate.pk}/{form}/")
        assert verify_certificate.verify(taken.content, pins=[signing.public_key().hex()]).findings == []
    for who in (cast.bob, cast.carol):
        other = signed_in(who)
        assert other.get("/retention/certificates/").status_code == 403
        assert other.get(f"/retention/certificates/{certificate.pk}/").status_code == 403


@pytest.fixture
def spend(cast: Cast) -> Callable[[], Any]:
    return lambda: night.spend(cast.acme)


@pytest.mark.thorough
def test_what_an_old_dump_brings_back_goes_again_whatever_its_policies_say(cast: Cast, site: Site) -> None:
    with job_scope(agency_id=cast.acme.pk):
        for number in range(3):
            _entry(site, 100 + number)
        _try(cast, 1200)
    night.spend(cast.acme)
    with job_scope(agency_id=cast.acme.pk):
        _set(cast, Category.PREMISES, 400)
        for number in range(3):
            _entry(site, 100 + number)
        _entry(site, 80)
        _try(cast, 1200)
        assert house.extents(cast.acme, make.NOON)[Category.PREMISES].rows == 0
    found = restoring.take_out(at=make.NOON)
    assert found.own == 4
    assert restoring.take_out(at=make.NOON).own == 0
    with job_scope(agency_id=cast.acme.pk):
        assert Entry.objects.count() == 1
        assert not Attempt.objects.exists()
