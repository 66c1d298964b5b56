"""Duties: each is good in a new agency, and each is made red by what it is about; nothing sets one by hand."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from django.conf import settings as project
from django.core import mail
from django.urls import reverse
from pytest_django import Settings

from callprivacy.accounts.enums import MembershipState, Role
from callprivacy.accounts.models import (
    AccessReview,
    Membership,
    PasswordDay,
    ProviderLink,
    SignInProvider,
    User,
)
from callprivacy.accounts.services import passwords
from callprivacy.calls.models import Connection
from callprivacy.calls.services import connections
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import PartyRole
from callprivacy.tenancy.models import Agency, Client, Engagement
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.work import tasks as work_tasks
from callprivacy.work.models import Notification
from consent.enums import VendorStep
from consent.models import VendorTask
from consent.selectors.law import rules_of
from dashboard import law, selectors
from dashboard.duties import DUTIES, Found, Look, by_id
from dashboard.enums import DutyState
from dashboard.models import ClientStanding, ClientStandingDay, RecordSnapshot, Standing, StandingDay
from dashboard.services import posture
from governance.courses import courses
from governance.enums import BreachKind, BreachRisk, EntrySource, ReviewDecision
from governance.law.vendors import CLAUSES, sheets
from governance.models import BreachNotice, Site, Vendor
from governance.services import breaches, premises, training, vendors
from retention.enums import Category, ChangeState, Then
from retention.models import Hold, Leftover, PolicyChange
from retention.selectors import watch
from rights.models import Case, Submission
from tests import make
from tests.cast import Cast
from tests.make import NOON
from tests.rules.world import browser_of

pytestmark = pytest.mark.django_db

TODAY = NOON.date()
DAY = timedelta(days=1)
HOUSE = watch.House(
    backups={"default": 60, "vault": 60},
    backups_expected=True,
    drill_age=60,
    drill_passed=True,
    drill_expected=True,
)


@dataclass(frozen=True)
class Ground:
    """What an arrangement works on."""

    cast: Cast
    by: Actor

    @property
    def ours(self) -> dict[str, object]:
        return {"agency_id": self.cast.acme.pk, "client_id": self.cast.dentist.pk}


def _look(cast: Cast, *, at: datetime = NOON) -> Look:
    agency = Agency.objects.get(pk=cast.acme.pk)
    reading = watch.Reading(at=at.isoformat(), run_age=60, run_expected=True)
    return Look(agency, at, reading, HOUSE)


def _breach(ground: Ground, at: datetime, *, assessed: bool) -> None:
    cast = ground.cast
    breach = breaches.report_breach(
        agency=cast.acme, title="T", text="W", is_drill=False, reported_by=cast.alice.user_id, at=at
    )
    if assessed:
        said = breaches.Assessment(
            aware_at=at, kind=BreachKind.INTEGRITY, risk=BreachRisk.RISK, categories=("calls",), places=("DE",),
            client_ids=(), began_at=None, ended_at=None, people=None, records=None, effects="", remedy="",
        )  # fmt: skip
        breaches.assess_breach(breach=breach, assessment=said, by=ground.by, at=at)


def _further(ground: Ground) -> None:
    """Told, with more to follow by a day that has passed."""
    _breach(ground, NOON - 4 * DAY, assessed=True)
    notice = BreachNotice.objects.get()
    at = NOON - 3 * DAY
    breaches.send_notice(notice=notice, text="T", more_on=TODAY - DAY, by=ground.by, at=at)


def _connection(ground: Ground, *, provider: str = "callrail", at: datetime = NOON) -> Connection:
    return connections.create_connection(
        client=ground.cast.dentist, provider=provider, name="Way", secret="s" * 32, by=ground.by, at=at
    )


def _vendor(ground: Ground, *, at: datetime = NOON, contract_on: date | None = TODAY) -> Vendor:
    facts = replace(vendors.Facts.from_sheet(sheets()["callrail"]), contract_on=contract_on)
    vendor = vendors.add_vendor(
        agency=ground.cast.acme, facts=facts, sheet="callrail", verified_on=None, by=ground.by, at=at
    )
    Vendor.objects.filter(pk=vendor.pk).update(next_review_on=TODAY + 90 * DAY)
    return vendor


def _case(ground: Ground, **changed: object) -> None:
    submission = Submission.objects.create(**ground.ours, channel="email", received_at=NOON, recorded_at=NOON)
    Case.objects.create(
        **ground.ours, submission=submission, reference="R-1", asks="see", kind="access", channel="email",
        state="open", answerer="agency", role="processor", received_at=NOON, **changed,
    )  # fmt: skip


def _site(ground: Ground) -> Site:
    return premises.add_site(
        agency=ground.cast.acme, name="Office", address="", time_zone="UTC", weekdays=[1], opens=time(8),
        closes=time(9), by=ground.by, at=NOON - 90 * DAY,
    )  # fmt: skip


def _badge_of_a_leaver(ground: Ground) -> None:
    premises.give_badge(
        site=_site(ground), user_id=ground.cast.bob.user_id, label="B", code="B", any_hour=True, until_on=None,
        by=ground.by, at=NOON,
    )  # fmt: skip
    Membership.objects.filter(pk=ground.cast.bob.pk).update(state=MembershipState.SUSPENDED)


def _entry(ground: Ground) -> None:
    passing = premises.Passing("1", "nobody", is_in=True, at=NOON - 8 * DAY)
    premises.take_in(
        site=_site(ground), passings=[passing], source=EntrySource.FILE, by=ground.by, at=NOON - 8 * DAY
    )


def _assigned(ground: Ground) -> None:
    training.assign(
        agency=ground.cast.acme, course=courses()["phishing"], user_ids=[ground.cast.bob.user_id],
        due_on=TODAY - DAY, by=ground.by, at=NOON - 9 * DAY,
    )  # fmt: skip


def _certificate(ground: Ground) -> None:
    vendors.add_certificate(
        vendor=_vendor(ground), name="ISO", valid_until=TODAY - DAY, source="", by=ground.by, at=NOON
    )


def _engaged(ground: Ground) -> None:
    vendors.add_sub_processor(
        vendor=_vendor(ground), name="C", what_for="W", places="", noticed_on=TODAY - 9 * DAY,
        object_until=TODAY - DAY, by=ground.by, at=NOON,
    )  # fmt: skip


def _step(ground: Ground) -> None:
    VendorTask.objects.create(
        **ground.ours, step=next(iter(VendorStep)), law="L", created_at=NOON, target_at=NOON, outer_at=NOON,
        due_at=NOON,
    )  # fmt: skip


def _leftover(ground: Ground) -> None:
    row = Leftover(**ground.ours, digest=b"1" * 32, found_at=NOON - 31 * DAY, seen_at=NOON)
    row.reference = b"\x01" + bytes(40)
    row.save(force_insert=True)


def _hold(ground: Ground) -> None:
    Hold.objects.create(
        **ground.ours, name="H", review_on=TODAY - DAY, placed_by_id=ground.cast.alice.user_id, placed_at=NOON
    )


def _change(ground: Ground) -> None:
    PolicyChange.objects.create(
        **ground.ours, category=Category.CALL, state=ChangeState.WAITING, was_days=9, was_then=Then.ERASE, days=8,
        then=Then.ERASE, shortens=True, due_before=0, due_after=0, event_id=1,
        proposed_by_id=ground.cast.alice.user_id, proposed_at=NOON - 4 * DAY,
    )  # fmt: skip


def _old_records(ground: Ground) -> None:
    RecordSnapshot.objects.create(
        agency=ground.cast.acme, number=1, record={}, digest=bytes(32), taken_by_id=ground.cast.alice.user_id,
        taken_at=NOON - 366 * DAY,
    )  # fmt: skip


def _role_without_factor(ground: Ground) -> None:
    passwords.change_policy(
        agency=ground.cast.acme, values={"second_factor_roles": ["reviewer"]}, by=ground.by, at=NOON
    )


def _required_provider(ground: Ground) -> None:
    """People sign in through it alone; it said of nobody that a second factor was shown."""
    SignInProvider.objects.create(
        agency=ground.cast.acme, key="k", name="P", issuer="https://id.example", application="a", secret="s",
        domains=["acme.example"], is_sound=True, is_on=True, is_required=True,
        beside=[ground.cast.carol.user_id], proposed_by_id=ground.cast.alice.user_id, proposed_at=NOON,
        agreed_by_id=ground.cast.carol.user_id, agreed_at=NOON,
    )  # fmt: skip


ROWS: dict[str, tuple[Callable[[Ground], object], DutyState]] = {
    "breach_notices": (lambda g: _breach(g, NOON - 4 * DAY, assessed=True), DutyState.FAILING),
    "breach_further": (_further, DutyState.OVERDUE),
    "breach_reports": (lambda g: _breach(g, NOON - 2 * DAY, assessed=False), DutyState.OVERDUE),
    "requests": (lambda g: _case(g, answer_due_at=NOON), DutyState.FAILING),
    "acknowledgements": (lambda g: _case(g, acknowledge_due_at=NOON), DutyState.FAILING),
    "withdrawals": (_step, DutyState.FAILING),
    "badges": (_badge_of_a_leaver, DutyState.FAILING),
    "passwords": (
        lambda g: User.objects.filter(pk=g.cast.bob.user_id).update(password_due_at=NOON),
        DutyState.OVERDUE,
    ),
    "second_factors": (_role_without_factor, DutyState.OVERDUE),
    "provider_factors": (_required_provider, DutyState.DUE),
    "access_review": (
        lambda g: AccessReview.objects.create(
            agency=g.cast.acme, period="2026-4", started_at=NOON - 20 * DAY, answer_by=NOON
        ),
        DutyState.OVERDUE,
    ),
    "training": (_assigned, DutyState.OVERDUE),
    "vendor_reviews": (
        lambda g: Vendor.objects.filter(pk=_vendor(g).pk).update(next_review_on=TODAY - DAY),
        DutyState.OVERDUE,
    ),
    "vendor_contracts": (lambda g: _vendor(g, contract_on=None), DutyState.OVERDUE),
    "vendor_register": (lambda g: _connection(g, at=NOON - 31 * DAY), DutyState.OVERDUE),
    "client_contracts": (
        lambda g: Client.objects.filter(pk=g.cast.dentist.pk).update(created_at=NOON - 31 * DAY),
        DutyState.OVERDUE,
    ),
    "vendor_certificates": (_certificate, DutyState.OVERDUE),
    "sub_processors": (_engaged, DutyState.OVERDUE),
    "leftovers": (_leftover, DutyState.OVERDUE),
    "holds": (_hold, DutyState.OVERDUE),
    "policies": (_change, DutyState.OVERDUE),
    "observed": (
        lambda g: Client.objects.filter(pk=g.cast.dentist.pk).update(created_at=NOON - 31 * DAY),
        DutyState.DUE,
    ),
    "premises": (_entry, DutyState.OVERDUE),
    "records": (_old_records, DutyState.OVERDUE),
    "client_facts": (
        lambda g: Client.objects.filter(pk=g.cast.dentist.pk).update(created_at=NOON - 31 * DAY),
        DutyState.DUE,
    ),
}
READINGS: dict[str, tuple[dict[str, object], DutyState]] = {
    "late_rows": ({"past_due": {"call": 3}}, DutyState.FAILING),
    "nightly_run": ({"run_age": 31 * 3600}, DutyState.FAILING),
    "trail": ({"unsealed_age": 301}, DutyState.FAILING),
    "inbox": ({"inbox_oldest": 901}, DutyState.FAILING),
    "secrets": ({"over": {"master": 1}}, DutyState.OVERDUE),
}
HOUSES: dict[str, tuple[dict[str, object], DutyState]] = {
    "backups": ({"backups": {"default": 60}}, DutyState.FAILING),
    "drills": ({"drill_passed": False}, DutyState.FAILING),
}


def _see(duty: str, cast: Cast, **changed: object) -> Found:
    with job_scope(agency_id=cast.acme.pk):
        return by_id()[duty].look(replace(_look(cast), **changed))  # type: ignore[arg-type]  # facts of a table


def _arranged(cast: Cast) -> Ground:
    return Ground(cast, Actor.staff(user_id=cast.alice.user_id))


def test_every_duty_has_its_red() -> None:
    assert set(ROWS) | set(READINGS) | set(HOUSES) | {"training_rules", "transport", "law"} == {
        duty.id for duty in DUTIES
    }
    assert len(DUTIES) >= 20


@pytest.mark.parametrize("duty", ROWS)
def test_rows_make_a_duty_red_and_another_agency_sees_none_of_it(duty: str, cast: Cast) -> None:
    arrange, state = ROWS[duty]
    assert _see(duty, cast).state == DutyState.GOOD
    with job_scope(agency_id=cast.acme.pk):
        arrange(_arranged(cast))

    assert _see(duty, cast) == Found(state, _see(duty, cast).count)
    assert _see(duty, cast).count
    with job_scope(agency_id=cast.globex.pk):
        globex = Agency.objects.get(pk=cast.globex.pk)
        assert by_id()[duty].look(replace(_look_of(globex))).state == DutyState.GOOD


def test_a_report_that_nobody_looks_at_for_72_hours_fails(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        _breach(_arranged(cast), NOON - 3 * DAY, assessed=False)

    assert _see("breach_reports", cast) == Found(DutyState.FAILING, 1)


def _look_of(agency: Agency) -> Look:
    return Look(agency, NOON, watch.Reading(at=NOON.isoformat()), HOUSE)


@pytest.mark.parametrize("duty", READINGS)
def test_figures_make_a_duty_red(duty: str, cast: Cast) -> None:
    changed, state = READINGS[duty]
    reading = _look_of(cast.acme).reading

    assert _see(duty, cast).state == DutyState.GOOD
    assert _see(duty, cast, reading=replace(reading, run_expected=True, **changed)).state == state  # type: ignore[arg-type]  # facts of a table


@pytest.mark.parametrize("duty", HOUSES)
def test_the_installation_makes_a_duty_red(duty: str, cast: Cast) -> None:
    changed, state = HOUSES[duty]

    assert _see(duty, cast).state == DutyState.GOOD
    assert _see(duty, cast, house=replace(HOUSE, **changed)).state == state  # type: ignore[arg-type]  # facts of a table


def test_who_had_no_second_factor_this_morning_makes_a_duty_due(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        PasswordDay.objects.create(agency=cast.acme, on=TODAY, without_factor=2)

    assert _see("second_factors", cast) == Found(DutyState.DUE, 2)


def test_a_provider_that_spoke_of_a_second_factor_is_counted_for_who_gets_in_through_it_alone(
    cast: Cast,
) -> None:
    with job_scope(agency_id=cast.acme.pk):
        _required_provider(_arranged(cast))
    assert _see("provider_factors", cast) == Found(DutyState.DUE, 2), "carol is let in beside it"
    with job_scope(agency_id=cast.acme.pk):
        for one, person in enumerate((cast.bob, cast.carol)):
            ProviderLink.objects.create(
                agency=cast.acme, user_id=person.user_id, digest=bytes([one]) * 32, linked_at=NOON, last_at=NOON,
                with_factor=True,
            )  # fmt: skip
    assert _see("provider_factors", cast) == Found(DutyState.DUE, 1), "alice did not come through it yet"
    with job_scope(agency_id=cast.acme.pk):
        SignInProvider.objects.update(is_required=False)
    assert _see("provider_factors", cast).state == DutyState.GOOD


def test_a_valkey_in_the_clear_makes_a_duty_red(cast: Cast, settings: Settings) -> None:
    assert _see("transport", cast).state == DutyState.GOOD
    settings.REDIS_URL = "redis://:secret@valkey.example.com:6379/0"
    assert _see("transport", cast) == Found(DutyState.FAILING, 1)


@pytest.mark.parametrize(
    ("house", "backups", "drills"),
    [
        ({}, Found(DutyState.DUE, 2), Found(DutyState.DUE, 1)),
        ({"backups": {"default": 60}}, Found(DutyState.DUE, 1), Found(DutyState.DUE, 1)),
        (
            {"backups": {"default": 60, "vault": 60}, "drill_age": 60, "drill_passed": True},
            Found(DutyState.GOOD),
            Found(DutyState.GOOD),
        ),
    ],
)
def test_what_never_was_is_not_good_where_nobody_expects_it_either(
    cast: Cast, house: dict[str, Any], backups: Found, drills: Found
) -> None:
    never = watch.House(
        backups={}, backups_expected=False, drill_age=None, drill_passed=None, drill_expected=False
    )
    assert _see("backups", cast, house=replace(never, **house)) == backups
    assert _see("drills", cast, house=replace(never, **house)) == drills


def test_a_breach_that_was_opened_again_is_due_until_what_is_new_is_told(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        ground = _arranged(cast)
        _breach(ground, NOON - 40 * DAY, assessed=True)
        first = BreachNotice.objects.get()
        breaches.send_notice(notice=first, text="T", by=ground.by, at=NOON - 39 * DAY)
        breaches.close_breach(breach=first.breach, lessons="L", by=ground.by, at=NOON - 38 * DAY)
    assert _see("breach_further", cast).state == DutyState.GOOD
    with job_scope(agency_id=cast.acme.pk):
        breaches.reopen_breach(breach=first.breach, reason="The file turned up", by=ground.by, at=NOON)
    assert _see("breach_further", cast) == Found(DutyState.DUE, 1)
    assert _see("breach_notices", cast).state == DutyState.GOOD, "what was told in time stays told in time"
    with job_scope(agency_id=cast.acme.pk):
        further = BreachNotice.objects.get(phase=2)
        breaches.send_notice(notice=further, text="T", by=ground.by, at=NOON)
    assert _see("breach_further", cast).state == DutyState.GOOD


def test_a_vendor_that_its_newest_review_refuses_is_overdue_while_it_is_used(cast: Cast) -> None:
    decisions = (ReviewDecision.REFUSED, ReviewDecision.APPROVED, ReviewDecision.REFUSED)
    states = (DutyState.OVERDUE, DutyState.GOOD, DutyState.OVERDUE)
    with job_scope(agency_id=cast.acme.pk):
        vendor = _vendor(_arranged(cast))
    for hours, (decision, state) in enumerate(zip(decisions, states, strict=True)):
        with job_scope(agency_id=cast.acme.pk):
            vendors.review_vendor(
                vendor=vendor, answers={}, notes={}, decision=decision, words="W", next_on=TODAY + 700 * DAY,
                reviewed_by=cast.alice.user_id, at=NOON - timedelta(hours=9 - hours),
            )  # fmt: skip
        assert _see("vendor_reviews", cast).state == state
    with job_scope(agency_id=cast.acme.pk):
        vendors.end_vendor(vendor=vendor, on=TODAY, reason="Refused", by=make.JOB, at=NOON)
    assert _see("vendor_reviews", cast).state == DutyState.GOOD


@pytest.mark.parametrize(
    ("contract_on", "clauses", "state"),
    [
        (TODAY, tuple(CLAUSES), DutyState.GOOD),
        (TODAY, tuple(CLAUSES)[:7], DutyState.DUE),
        (TODAY, (), DutyState.DUE),
        (TODAY + DAY, tuple(CLAUSES), DutyState.OVERDUE),
    ],
)
def test_an_agreement_is_signed_and_has_the_eight_clauses(
    contract_on: date, clauses: tuple[str, ...], state: DutyState, cast: Cast
) -> None:
    with job_scope(agency_id=cast.acme.pk):
        vendor = _vendor(_arranged(cast), contract_on=contract_on)
        Vendor.objects.filter(pk=vendor.pk).update(clauses=list(clauses))

    assert _see("vendor_contracts", cast).state == state


def test_a_tracker_in_use_is_in_the_register_by_a_vendor_that_is_used(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        ground = _arranged(cast)
        _connection(ground, provider="folder")
        assert by_id()["vendor_register"].look(_look(cast)).state == DutyState.GOOD, (
            "anybody's files come by a folder"
        )
        row = _connection(ground)
        assert by_id()["vendor_register"].look(_look(cast)) == Found(DutyState.DUE, 1)
        vendor = _vendor(ground)
        assert by_id()["vendor_register"].look(_look(cast)).state == DutyState.GOOD
        Vendor.objects.filter(pk=vendor.pk).update(ended_on=TODAY)
        per_client = by_id()["vendor_register"].by_client
        assert per_client is not None
        assert per_client(_look(cast)) == {cast.dentist.pk: Found(DutyState.DUE, 1)}
        connections.deactivate_connection(connection=row, by=ground.by, at=NOON)
        assert by_id()["vendor_register"].look(_look(cast)).state == DutyState.GOOD


def test_a_client_of_which_the_agency_is_no_processor_needs_no_such_agreement(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(created_at=NOON - 31 * DAY)
        engaged = Engagement.objects.for_client(cast.dentist)
        duty = by_id()["client_contracts"]
        for dpa_on, state in (
            (None, DutyState.OVERDUE),
            (TODAY, DutyState.GOOD),
            (TODAY + DAY, DutyState.OVERDUE),
        ):
            assert engaged.update(dpa_on=dpa_on) == 1
            assert duty.look(_look(cast)).state == state
        own = PartyRole.CONTROLLER
        engaged.update(measure_as=own, record_as=own)
        assert duty.look(_look(cast)).state == DutyState.OVERDUE, "for one purpose it still is"
        engaged.update(contact_as=own)
        assert duty.look(_look(cast)).state == DutyState.GOOD


def test_a_role_without_a_course_is_due(cast: Cast) -> None:
    assert _see("training_rules", cast) == Found(DutyState.DUE, 3)
    with job_scope(agency_id=cast.acme.pk):
        within = {Role.OFFICER: 9, Role.REVIEWER: 9, Role.ADMIN: 9}
        training.set_rules(
            agency=cast.acme, course=courses()["phishing"], within=within, by=make.JOB, at=NOON
        )
    assert _see("training_rules", cast).state == DutyState.GOOD


def test_who_is_switched_off_needs_no_rule_and_gives_the_badge_back(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        ground = _arranged(cast)
        premises.give_badge(
            site=_site(ground), user_id=cast.bob.user_id, label="B", code="B", any_hour=True, until_on=None,
            by=ground.by, at=NOON,
        )  # fmt: skip
    assert _see("badges", cast).state == DutyState.GOOD

    User.objects.filter(pk=cast.bob.user_id).update(is_active=False)

    assert _see("badges", cast) == Found(DutyState.FAILING, 1)
    assert _see("training_rules", cast) == Found(DutyState.DUE, 2)


def test_rules_that_nobody_looked_over_for_half_a_year_are_due(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        rules = law.checked(rules_of(cast.acme.pk), {("US", "")})
    first = min(row.oldest for row in rules if row.about is not law.About.WATCHED)
    looked_over = datetime.combine(first, time(12), tzinfo=UTC)
    assert _see("law", cast, at=looked_over).state == DutyState.GOOD
    assert _see("law", cast, at=looked_over + law.STALE_AFTER).state == DutyState.DUE


def test_each_client_stands_for_itself(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        _hold(_arranged(cast))
        _step(_arranged(cast))
    for hours in (0, 1):
        posture.look(agency_id=cast.acme.pk, at=NOON + timedelta(hours=hours))

    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        lines = selectors.client_duties(cast.dentist)
        assert [(line.duty.id, line.row.state) for line in lines] == [
            ("withdrawals", "failing"), ("holds", "overdue"),
        ]  # fmt: skip
        assert {line.row.since for line in lines} == {NOON}
        assert selectors.client_duties(cast.plumber) == []
        assert [(one.client.pk, one.failing, one.overdue) for one in selectors.client_postures()] == [
            (cast.dentist.pk, 1, 1)
        ]
        assert selectors.client_duty_chart(cast.dentist, 60, at=NOON)["rows"] == [[f"{NOON:%-d %b}", 0, 1, 1]]
    with job_scope(agency_id=cast.acme.pk):
        Hold.objects.update(lifted_at=NOON, lifted_by_id=cast.alice.user_id)
        VendorTask.objects.all().remove()
    posture.look(agency_id=cast.acme.pk, at=NOON + timedelta(hours=2))
    with job_scope(agency_id=cast.acme.pk):
        assert not ClientStanding.objects.exists()
        assert not ClientStandingDay.objects.exists()


def test_the_weekly_mail_says_what_is_not_good_in_counts_alone(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        _hold(_arranged(cast))
    posture.look(agency_id=cast.acme.pk, at=NOON)
    work_tasks.send_due_mail.run()

    (told,) = [one for one in mail.outbox if one.to == [cast.alice.user.email]]
    assert isinstance(told, mail.EmailMultiAlternatives)
    texts = [str(told.body), str(told.alternatives[0][0])]
    for text in texts:
        assert "Holds are looked at again: overdue" in text
        assert "Clients at which something is not good: 1" in text
        assert "Dentist" not in text
        assert set(re.findall(r"https?://[^\s\"<]+", text)) == {f"{project.CALLPRIVACY_URL}/notifications/"}


def test_a_look_is_kept_with_since_when_and_told_once_a_week(cast: Cast) -> None:
    for hours in (0, 1, 26):
        if hours == 26:
            with job_scope(agency_id=cast.acme.pk):
                _hold(_arranged(cast))
        posture.look(agency_id=cast.acme.pk, at=NOON + timedelta(hours=hours))

    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        lines = {line.duty.id: line.row for line in selectors.duties()}
        assert set(lines) == {duty.id for duty in DUTIES}
        assert (lines["holds"].state, lines["holds"].since) == (DutyState.OVERDUE, NOON + timedelta(hours=26))
        assert lines["training_rules"].since == NOON
        assert StandingDay.objects.count() == 2
        chart = selectors.duty_chart(60)
        assert len(chart["rows"]) == 2  # type: ignore[arg-type]  # a list, in a dict of objects
    with job_scope(agency_id=cast.acme.pk):
        told = Notification.objects.filter(kind=posture.WEEKLY)
        # On some days 26 hours later is another week.
        weeks = {(NOON + timedelta(hours=hours)).isocalendar()[:2] for hours in (0, 1, 26)}
        assert [row.user_id for row in told] == [cast.alice.user_id] * len(weeks)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.bob.user_id):
        assert not Standing.objects.exists()


def test_a_duty_that_is_not_good_leads_where_who_looks_may_go_and_says_who_answers_for_it_otherwise(
    cast: Cast,
) -> None:
    erin = make.person(cast.acme, "erin", Role.OFFICER)  # signs, and is granted no client
    posture.look(agency_id=cast.acme.pk, at=NOON)
    with job_scope(agency_id=cast.acme.pk):
        Standing.objects.update(state=DutyState.DUE)
    told = {
        cast.carol: "A compliance officer handles this",
        erin: "Not granted to you for any client",
        cast.alice: ".",
    }
    for person, words in told.items():
        browser = browser_of(person.user)
        lines = browser.get("/posture/").context["lines"]
        assert len(lines) == len(DUTIES)
        refused = [line["duty"].id for line in lines if not line["url"]]
        for line in lines:
            status = browser.get(reverse(line["duty"].url_name)).status_code
            assert (status == 200) == bool(line["url"]) or line["duty"].id == "leftovers", line["duty"].id
        page = browser.get("/posture/").content.decode()
        assert page.count(f">{words}</span>") == len(refused)
        assert bool(refused) == (person != cast.alice)


def test_nobody_sets_a_duty_by_hand(cast: Cast) -> None:
    posture.look(agency_id=cast.acme.pk, at=NOON)

    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        assert Standing.objects.update(state=DutyState.GOOD) == 0
        assert ClientStanding.objects.update(state=DutyState.GOOD) == 0
