"""Training: who must know what, the questions of a try, and what is withheld from who is overdue."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.urls import reverse

from callprivacy.accounts import access
from callprivacy.accounts.enums import MembershipState, Role
from callprivacy.accounts.models import Membership, User
from callprivacy.audit.models import Event
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.work.models import Notification
from governance import courses, kinds
from governance.models import Assignment, Attempt, Completion, TrainingDay, TrainingRule
from governance.selectors import training as selectors
from governance.services import training
from tests import make
from tests.cast import Cast
from tests.make import NOON
from tests.rules.world import browser_of

TODAY = NOON.date()
COURSE = courses.courses()["phishing"]
needs_db = pytest.mark.django_db


@pytest.mark.parametrize("course", courses.courses().values(), ids=lambda course: course.id)
def test_a_course_has_ten_screens_and_twice_the_questions_of_a_try(course: courses.Course) -> None:
    assert len(course.screens) >= 10
    assert len(course.questions) >= 2 * courses.ASKED
    assert any("A case" in screen.title for screen in course.screens)
    assert course.sources


def test_a_seed_draws_the_same_questions_and_another_one_others() -> None:
    first, again, other = (courses.draw(COURSE, seed) for seed in (1, 1, 2))

    assert first == again
    assert [one.number for one in first] != [one.number for one in other]
    assert len({one.number for one in first}) == courses.ASKED
    # The right answer does not always stand in the same place.
    assert len({one.order.index(0) for one in first}) > 1


@pytest.mark.parametrize(("right", "passes"), [(9, False), (10, True), (12, True), (0, False)])
def test_eight_of_ten_pass(right: int, passes: bool) -> None:
    assert courses.is_passed(right, 12) is passes
    assert not courses.is_passed(0, 0)


def _try(cast: Cast, who: Membership, *, wrong: int = 0, hours: int = 0, **changed: Any) -> Completion | None:
    at = NOON + timedelta(hours=hours)
    with staff_scope(agency_id=who.agency_id, user_id=who.user_id):
        attempt = training.start_attempt(agency=cast.acme, course=COURSE, user_id=who.user_id, at=at)
        numbers = [one.number for one in courses.draw(COURSE, attempt.seed)]
        answers = {number: int(place < wrong) for place, number in enumerate(numbers)}
        return training.finish_attempt(
            attempt=attempt, course=COURSE, answers=answers, user_id=who.user_id, at=at, **changed
        )


def _watch(cast: Cast, days: float = 0) -> None:
    training.watch_training(agency_id=cast.acme.pk, at=NOON + timedelta(days=days))


def _rule(cast: Cast, role: Role = Role.REVIEWER, days: int = 10) -> None:
    with job_scope(agency_id=cast.acme.pk):
        training.set_rules(agency=cast.acme, course=COURSE, within={role: days}, by=make.JOB, at=NOON)
    _watch(cast)


@needs_db
def test_a_try_that_fails_is_kept_and_asks_again_after_a_while(cast: Cast) -> None:
    assert _try(cast, cast.bob, wrong=3) is None
    with (
        staff_scope(agency_id=cast.acme.pk, user_id=cast.bob.user_id),
        pytest.raises(training.TooSoonError),
    ):
        training.start_attempt(agency=cast.acme, course=COURSE, user_id=cast.bob.user_id, at=NOON)

    passed = _try(cast, cast.bob, wrong=2, hours=1)

    assert passed is not None
    assert (passed.right, passed.asked, passed.valid_until) == (10, 12, TODAY.replace(year=TODAY.year + 1))


@needs_db
def test_a_try_is_counted_once_and_only_by_its_person(cast: Cast) -> None:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.bob.user_id):
        attempt = training.start_attempt(agency=cast.acme, course=COURSE, user_id=cast.bob.user_id, at=NOON)
        again = training.start_attempt(agency=cast.acme, course=COURSE, user_id=cast.bob.user_id, at=NOON)
        with pytest.raises(training.NotYoursError):
            training.finish_attempt(
                attempt=attempt, course=COURSE, answers={}, user_id=cast.alice.user_id, at=NOON
            )
        training.finish_attempt(attempt=attempt, course=COURSE, answers={}, user_id=cast.bob.user_id, at=NOON)
        with pytest.raises(training.NotYoursError):
            training.finish_attempt(
                attempt=attempt, course=COURSE, answers={}, user_id=cast.bob.user_id, at=NOON
            )
    assert again.pk == attempt.pk
    with staff_scope(agency_id=cast.globex.pk, user_id=cast.mallory.user_id):
        assert not Attempt.objects.exists()


@needs_db
def test_a_role_is_told_what_to_pass_and_by_when(cast: Cast) -> None:
    _rule(cast)
    _watch(cast, 1)

    with job_scope(agency_id=cast.acme.pk):
        (row,) = Assignment.objects.all()
        told = Notification.objects.filter(kind=kinds.TRAINING_ASSIGNED)
        assert [one.user_id for one in told] == [cast.bob.user_id]
    assert (row.user_id, row.due_on) == (cast.bob.user_id, TODAY + timedelta(days=10))


@needs_db
def test_passing_ends_the_assignment_and_it_comes_again_before_it_runs_out(cast: Cast) -> None:
    _rule(cast)
    passed = _try(cast, cast.bob)
    assert passed is not None
    _watch(cast, 300)
    with job_scope(agency_id=cast.acme.pk):
        assert not Assignment.objects.exists()
    _watch(cast, 340)
    with job_scope(agency_id=cast.acme.pk):
        assert Assignment.objects.get().due_on == passed.valid_until


@needs_db
def test_what_ran_out_before_anybody_asked_for_it_is_due_in_the_days_of_the_rule(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        passed_on = TODAY - timedelta(days=800)
        training.note_outside(
            agency=cast.acme, course=COURSE, user_id=cast.bob.user_id, issuer="A school", passed_on=passed_on,
            valid_until=TODAY - timedelta(days=400), by=make.JOB, at=NOON,
        )  # fmt: skip
    _rule(cast)
    _watch(cast, 1)

    with job_scope(agency_id=cast.acme.pk):
        assert Assignment.objects.get().due_on == TODAY + timedelta(days=10)


@needs_db
def test_a_rule_taken_back_takes_its_assignments_along_but_not_those_of_a_person(cast: Cast) -> None:
    _rule(cast)
    with job_scope(agency_id=cast.acme.pk):
        training.assign(
            agency=cast.acme,
            course=COURSE,
            user_ids=[cast.carol.user_id, cast.bob.user_id, cast.mallory.user_id],
            due_on=TODAY,
            by=make.JOB,
            at=NOON,
        )
        Assignment.objects.filter(user_id=cast.carol.user_id).update(assigned_by_id=cast.alice.user_id)
        training.set_rules(agency=cast.acme, course=COURSE, within={}, by=make.JOB, at=NOON)
    _watch(cast)
    with job_scope(agency_id=cast.acme.pk):
        assert [row.user_id for row in Assignment.objects.all()] == [cast.carol.user_id]


@needs_db
def test_who_is_overdue_does_not_take_back_what_asks_them_for_it_while_somebody_else_could(
    cast: Cast,
) -> None:
    _rule(cast, Role.OFFICER)
    rules = reverse("governance:training_rules", args=[COURSE.id])
    with job_scope(agency_id=cast.acme.pk):
        Assignment.objects.update(due_on=date(2020, 1, 1))
    refused = browser_of(cast.alice.user).post(rules, {"agent": "30"})
    assert "ask another admin or compliance officer" in refused.content.decode()
    assert browser_of(cast.alice.user).post(rules, {"officer": "90", "agent": "30"}).status_code == 302
    with job_scope(agency_id=cast.acme.pk), pytest.raises(training.OwnTrainingError):
        training.check_not_own(
            agency=cast.acme, course=COURSE.id, by=Actor.staff(user_id=cast.alice.user_id), at=make.now()
        )

    assert browser_of(cast.carol.user).post(rules, {"agent": "30"}).status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        told = Event.objects.filter(action="training.ruled").order_by("pk").last()
        assert told is not None
        assert (told.details["named"], told.details["dropped"]) == ("agent", "officer")


@needs_db
def test_nothing_is_assigned_to_who_is_switched_off(cast: Cast) -> None:
    User.objects.filter(pk=cast.bob.user_id).update(is_active=False)
    with job_scope(agency_id=cast.acme.pk):
        asked = training.assign(
            agency=cast.acme, course=COURSE, user_ids=[cast.bob.user_id], due_on=TODAY, by=make.JOB, at=NOON
        )
        assert asked == 0
        assert not Assignment.objects.exists()


@pytest.mark.thorough
@needs_db
def test_reminders_come_once_each(cast: Cast) -> None:
    _rule(cast)
    for days in (2, 3, 3.2, 9, 9.3, 11, 12, 13):
        _watch(cast, days)

    with job_scope(agency_id=cast.acme.pk):
        rows = Notification.objects.exclude(kind=kinds.TRAINING_ASSIGNED).order_by("at", "pk")
        assert [(row.kind, row.at) for row in rows] == [
            (kinds.TRAINING_SOON, NOON + timedelta(days=3)),
            (kinds.TRAINING_SOON, NOON + timedelta(days=9)),
            (kinds.TRAINING_OVERDUE, NOON + timedelta(days=11)),
        ]


@needs_db
def test_who_is_overdue_by_two_weeks_sees_no_numbers_until_it_is_passed(cast: Cast) -> None:
    _rule(cast)

    def bob() -> Membership:
        with job_scope(agency_id=cast.acme.pk):
            return Membership.objects.select_related("user").get(pk=cast.bob.pk)

    def may(permission: Permission, days: int) -> bool:
        with job_scope(agency_id=cast.acme.pk):
            return access.may(bob(), permission, cast.dentist, at=NOON + timedelta(days=days))

    assert may(Permission.REVEAL_NUMBERS, 24)
    assert not may(Permission.REVEAL_NUMBERS, 25)
    assert not may(Permission.PLAY_RECORDINGS, 25)
    assert may(Permission.VIEW_CALLS, 25)
    assert _try(cast, cast.bob, hours=25 * 24) is not None
    training.settle_person(
        agency_id=cast.acme.pk, user_id=cast.bob.user_id, at=NOON + timedelta(days=25, minutes=1)
    )
    assert may(Permission.REVEAL_NUMBERS, 26)
    with job_scope(agency_id=cast.acme.pk):
        assert list(
            Event.objects.filter(action__startswith="person.").order_by("pk").values_list("action", flat=True)
        ) == ["person.withheld", "person.restored"]


@needs_db
def test_a_certificate_from_elsewhere_counts_until_its_day(cast: Cast) -> None:
    _rule(cast)
    with job_scope(agency_id=cast.acme.pk):
        training.note_outside(
            agency=cast.acme,
            course=COURSE,
            user_id=cast.bob.user_id,
            issuer="Privacy School",
            passed_on=TODAY,
            valid_until=TODAY + timedelta(days=90),
            by=make.JOB,
            at=NOON,
        )
    _watch(cast, 1)
    with job_scope(agency_id=cast.acme.pk):
        assert not Assignment.objects.exists()


def _noted(cast: Cast, by: Actor, *, days: int, passed_on: date, valid_until: date) -> Completion:
    with staff_scope(agency_id=cast.acme.pk, user_id=by.user_id or 0):
        return training.note_outside(
            agency=cast.acme, course=COURSE, user_id=cast.bob.user_id, issuer="A school", passed_on=passed_on,
            valid_until=valid_until, by=by, at=NOON + timedelta(days=days),
        )  # fmt: skip


def _withheld(cast: Cast, at: datetime) -> bool:
    with job_scope(agency_id=cast.acme.pk):
        return Membership.objects.filter(pk=cast.bob.pk, withheld_from__lte=at).exists()


@needs_db
def test_a_certificate_that_has_ended_gives_nothing_back_and_one_of_tomorrow_is_none(cast: Cast) -> None:
    alice = Actor.staff(user_id=cast.alice.user_id)
    _rule(cast)
    _watch(cast, 40)
    _noted(cast, alice, days=40, passed_on=date(2020, 1, 1), valid_until=date(2021, 1, 1))
    _watch(cast, 40)

    with job_scope(agency_id=cast.acme.pk):
        assert Assignment.objects.get().due_on == TODAY + timedelta(days=10)
    assert _withheld(cast, NOON + timedelta(days=41))
    with pytest.raises(training.NotPassedYetError):
        _noted(
            cast,
            alice,
            days=40,
            passed_on=TODAY + timedelta(days=41),
            valid_until=TODAY + timedelta(days=372),
        )


@needs_db
@pytest.mark.parametrize("by_hand", [False, True])
def test_a_proof_that_does_not_count_asks_again_by_the_day_of_then(cast: Cast, by_hand: bool) -> None:
    alice = Actor.staff(user_id=cast.alice.user_id)
    due_on = TODAY + timedelta(days=10)
    if by_hand:
        with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
            training.assign(
                agency=cast.acme, course=COURSE, user_ids=[cast.bob.user_id], due_on=due_on, by=alice, at=NOON
            )
    else:
        _rule(cast)
    proof = _noted(cast, alice, days=40, passed_on=TODAY, valid_until=TODAY + timedelta(days=400))
    _watch(cast, 40)
    assert not _withheld(cast, NOON + timedelta(days=41))

    with staff_scope(agency_id=cast.acme.pk, user_id=cast.carol.user_id):
        carol = Actor.staff(user_id=cast.carol.user_id)
        training.end_proof(proof=proof, reason="It is of another Bob", by=carol, at=NOON + timedelta(days=41))
        with pytest.raises(training.NoProofError):
            training.end_proof(proof=proof, reason="Once more", by=carol, at=NOON + timedelta(days=41))
    _watch(cast, 41)

    with job_scope(agency_id=cast.acme.pk):
        row = Assignment.objects.get()
        assert (row.due_on, row.assigned_by_id) == (due_on, cast.alice.user_id if by_hand else None)
        assert Event.objects.get(action="training.proof_ended").details["person"] == cast.bob.user_id
        assert not Completion.objects.valid_on(TODAY).exists()
    assert _withheld(cast, NOON + timedelta(days=41))


def _ended(cast: Cast, proof: Completion, *, days: int) -> None:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.carol.user_id):
        by = Actor.staff(user_id=cast.carol.user_id)
        training.end_proof(proof=proof, reason="It is of another Bob", by=by, at=NOON + timedelta(days=days))


def _asked(cast: Cast) -> list[tuple[date, int | None]]:
    with job_scope(agency_id=cast.acme.pk):
        mine = Assignment.objects.filter(user_id=cast.bob.user_id)
        return list(mine.values_list("due_on", "assigned_by"))


def _by_hand(cast: Cast, *, days: int = 10) -> tuple[date, int]:
    alice, due_on = Actor.staff(user_id=cast.alice.user_id), TODAY + timedelta(days=days)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        people = [cast.bob.user_id]
        training.assign(agency=cast.acme, course=COURSE, user_ids=people, due_on=due_on, by=alice, at=NOON)
    return due_on, cast.alice.user_id


@needs_db
@pytest.mark.parametrize("by_hand", [False, True])
def test_two_proofs_that_do_not_count_ask_again_by_the_day_of_then(cast: Cast, by_hand: bool) -> None:
    alice = Actor.staff(user_id=cast.alice.user_id)
    asked: tuple[date, int | None] = (TODAY + timedelta(days=10), None)
    if by_hand:
        asked = _by_hand(cast)
    else:
        _rule(cast)
    _watch(cast, 40)
    until = TODAY + timedelta(days=400)
    proofs = [_noted(cast, alice, days=40, passed_on=TODAY, valid_until=until) for _ in range(2)]

    _ended(cast, proofs[0], days=41)
    _watch(cast, 41)
    assert _asked(cast) == []
    _ended(cast, proofs[1], days=41)
    _watch(cast, 41)

    assert _asked(cast) == [asked]
    assert _withheld(cast, NOON + timedelta(days=41))
    if by_hand:
        with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
            row = Assignment.objects.get()
            at = NOON + timedelta(days=42)
            training.take_back(agency=cast.acme, row=row, reason="Not needed", by=alice, at=at)
        _watch(cast, 42)
        assert _asked(cast) == []


@needs_db
def test_a_proof_that_had_run_out_gives_nothing_back(cast: Cast) -> None:
    _by_hand(cast)
    alice = Actor.staff(user_id=cast.alice.user_id)
    proof = _noted(cast, alice, days=1, passed_on=TODAY, valid_until=TODAY + timedelta(days=30))

    _ended(cast, proof, days=400)
    _watch(cast, 400)

    assert _asked(cast) == []


@needs_db
def test_who_is_away_is_asked_again_once_they_are_back(cast: Cast) -> None:
    asked = _by_hand(cast)
    alice = Actor.staff(user_id=cast.alice.user_id)
    proof = _noted(cast, alice, days=1, passed_on=TODAY, valid_until=TODAY + timedelta(days=300))
    with job_scope(agency_id=cast.acme.pk):
        Membership.objects.filter(pk=cast.bob.pk).update(state=MembershipState.SUSPENDED)
        told = Notification.objects.filter(user_id=cast.bob.user_id).count()

    _ended(cast, proof, days=40)
    _watch(cast, 40)

    assert _asked(cast) == []
    with job_scope(agency_id=cast.acme.pk):
        assert Notification.objects.filter(user_id=cast.bob.user_id).count() == told
        Membership.objects.filter(pk=cast.bob.pk).update(state=MembershipState.ACTIVE)
    _watch(cast, 41)
    _watch(cast, 41)
    assert _asked(cast) == [asked]


@needs_db
def test_another_person_says_on_its_page_that_a_proof_does_not_count(cast: Cast) -> None:
    proof = _try(cast, cast.alice)
    assert proof is not None
    page = reverse("governance:training_person", args=[cast.alice.pk])
    end = reverse("governance:end_proof", args=[proof.pk])
    taken = reverse("governance:training_certificate", args=[proof.pk])
    said = {"reason": "Another person took it for her"}
    alice, carol = browser_of(cast.alice.user), browser_of(cast.carol.user)
    assert end in carol.get(page).content.decode()
    assert "Ask another manager to revoke" in alice.post(end, said).content.decode()
    assert browser_of(cast.bob.user).post(end, said).status_code == 403
    assert browser_of(cast.mallory.user).post(end, said).status_code == 404
    assert alice.get(taken).status_code == 200
    assert "btn-danger" in carol.get(end).content.decode(), "it is not taken back"

    assert carol.post(end, said).status_code == 302

    assert "Revoked" in carol.get(page).content.decode()
    assert alice.get(taken).status_code == 404
    assert "revoked" in alice.get(reverse("governance:training")).content.decode()


@needs_db
def test_what_somebody_assigned_has_another_day_or_is_taken_back(cast: Cast) -> None:
    now = make.now()
    late = now.date() - timedelta(days=30)
    by = Actor.staff(user_id=cast.alice.user_id)
    with job_scope(agency_id=cast.acme.pk):
        people = [cast.alice.user_id, cast.bob.user_id]
        training.assign(agency=cast.acme, course=COURSE, user_ids=people, due_on=late, by=by, at=now)
        own, row = Assignment.objects.order_by("user__name")
    training.watch_training(agency_id=cast.acme.pk, at=now)
    assert _withheld(cast, now)
    alice, day = browser_of(cast.alice.user), now.date() + timedelta(days=90)
    move, back = (
        reverse(f"governance:{name}", args=[row.pk]) for name in ("move_training", "take_training_back")
    )
    said = {"due_on": day.isoformat(), "reason": "On leave for three months"}
    page = alice.get(reverse("governance:training_person", args=[cast.bob.pk])).content.decode()
    assert move in page
    assert back in page
    assert (
        "Enter a date within one year"
        in alice.post(move, said | {"due_on": late.isoformat()}).content.decode()
    )
    for name in ("move_training", "take_training_back"):
        mine = reverse(f"governance:{name}", args=[own.pk])
        assert "ask another admin" in alice.post(mine, said).content.decode()
        assert browser_of(cast.bob.user).post(mine, said).status_code == 403
        assert browser_of(cast.mallory.user).post(mine, said).status_code == 404

    assert f'value="{late.isoformat()}"' in alice.get(move).content.decode()
    before = {"was": (late - timedelta(days=1)).isoformat()}
    assert "has changed or no longer exists" in alice.post(move, said | before, follow=True).content.decode()
    assert alice.post(move, said | {"was": late.isoformat()}).status_code == 302
    training.settle_person(agency_id=cast.acme.pk, user_id=cast.bob.user_id, at=now)

    assert not _withheld(cast, now)
    with job_scope(agency_id=cast.acme.pk):
        assert Assignment.objects.get(pk=row.pk).due_on == day
        with pytest.raises(training.NotAskedError):
            training.move_assignment(row=row, due_on=late, reason="Too late", by=by, at=now)
    assert alice.post(back, said).status_code == 302
    assert alice.post(back, said).status_code == 404
    with job_scope(agency_id=cast.acme.pk):
        assert not Assignment.objects.filter(user_id=cast.bob.user_id).exists()
        told = Event.objects.filter(action__in=["training.moved", "training.taken_back"]).order_by("pk")
        assert [(one.action, one.details["due"]) for one in told] == [
            ("training.moved", day.isoformat()),
            ("training.taken_back", day.isoformat()),
        ]


@needs_db
def test_what_a_rule_asks_for_is_not_taken_back_and_can_have_another_day(cast: Cast) -> None:
    _rule(cast)
    by = Actor.staff(user_id=cast.alice.user_id)
    with job_scope(agency_id=cast.acme.pk):
        row = Assignment.objects.get()
        with pytest.raises(training.OfARuleError):
            training.take_back(agency=cast.acme, row=row, reason="Not needed", by=by, at=NOON)
        day = TODAY + timedelta(days=90)
        training.move_assignment(row=row, due_on=day, reason="Leave", by=by, at=NOON)
    _watch(cast, 1)
    with job_scope(agency_id=cast.acme.pk):
        assert Assignment.objects.get().due_on == day


@needs_db
def test_the_proof_of_who_has_left_is_found(cast: Cast) -> None:
    proof = _try(cast, cast.bob)
    assert proof is not None
    alice, matrix = browser_of(cast.alice.user), reverse("governance:training_matrix")
    person = reverse("governance:training_person", args=[cast.bob.pk])
    assert "No former members" in alice.get(matrix, {"who": "left"}).content.decode()
    with job_scope(agency_id=cast.acme.pk):
        Membership.objects.filter(pk=cast.bob.pk).update(state=MembershipState.LEFT)
        Completion.objects.update(passed_on=date(2024, 1, 1), valid_until=date(2025, 1, 1))

    assert person not in alice.get(matrix).content.decode()
    assert person in alice.get(matrix, {"who": "left"}).content.decode()
    taken = reverse("governance:training_certificate", args=[proof.pk])
    assert taken in alice.get(person).content.decode()
    assert alice.get(taken).status_code == 200


@needs_db
def test_a_person_sees_only_what_is_its_own(cast: Cast) -> None:
    _rule(cast)
    _try(cast, cast.bob)

    with staff_scope(agency_id=cast.acme.pk, user_id=cast.bob.user_id):
        assert [one.course.id for one in selectors.mine(cast.bob.user_id, today=TODAY) if one.is_valid] == [
            "phishing"
        ]
    dave = make.person(cast.acme, "dave", Role.ANALYST)
    with staff_scope(agency_id=cast.acme.pk, user_id=dave.user_id):
        assert not Completion.objects.exists()


@needs_db
def test_the_matrix_costs_two_queries_more_however_many_people(
    cast: Cast, django_assert_num_queries: Any
) -> None:
    _rule(cast)
    _try(cast, cast.alice)
    with job_scope(agency_id=cast.acme.pk):
        members = list(selectors.members())
        with django_assert_num_queries(2, connection=connection):
            rows = selectors.matrix(members, list(courses.courses()), today=TODAY)
    states = {row.member.user_id: row.cells[list(courses.courses()).index("phishing")].state for row in rows}
    assert states == {cast.alice.user_id: "valid", cast.bob.user_id: "due", cast.carol.user_id: ""}


# --- Progress ---------------------------------------------------------------------------------------------------------


@needs_db
def test_how_a_campaign_stands_by_course_by_role_and_over_days(cast: Cast) -> None:
    offered = {COURSE.id: COURSE.title}
    with job_scope(agency_id=cast.acme.pk):
        training.assign(
            agency=cast.acme, course=COURSE, user_ids=[cast.bob.user_id, cast.carol.user_id],
            due_on=TODAY + timedelta(days=5), by=Actor.staff(user_id=cast.alice.user_id), at=NOON,
        )  # fmt: skip
    assert _try(cast, cast.alice) is not None  # nobody asked
    training.watch_training(agency_id=cast.acme.pk, at=NOON + timedelta(minutes=1))
    training.watch_training(agency_id=cast.acme.pk, at=NOON + timedelta(minutes=2))
    assert _try(cast, cast.bob, hours=24) is not None
    training.watch_training(agency_id=cast.acme.pk, at=NOON + timedelta(days=7))

    with job_scope(agency_id=cast.acme.pk):
        today = TODAY + timedelta(days=7)
        people = list(selectors.members())
        (course,) = selectors.by_course(people, offered, today=today)
        roles = {one.name: (one.done, one.of) for one in selectors.by_role(people, offered, today=today)}
        (left,) = selectors.still_open(people, offered, today=today)
        days = [
            (day.on, day.done, day.due, day.overdue, day.reminders)
            for day in selectors.training_days([COURSE.id], since=TODAY)
        ]
        assert selectors.reminded(since=today)[COURSE.id] == 1
    assert (course.done, course.due, course.overdue, course.of, course.percent) == (2, 0, 1, 3, 66)
    assert roles == {Role.OFFICER: (1, 1), Role.REVIEWER: (1, 1), Role.ADMIN: (0, 1)}
    assert (left.assignment.user_id, left.is_overdue, left.assignment.reminders) == (
        cast.carol.user_id,
        True,
        2,
    )
    assert days == [(TODAY, 1, 2, 0, 2), (TODAY + timedelta(days=7), 2, 0, 1, 1)]


@needs_db
def test_how_it_stood_is_kept_for_400_days_and_is_of_one_agency(cast: Cast) -> None:
    training.watch_training(agency_id=cast.acme.pk, at=NOON)
    training.watch_training(agency_id=cast.acme.pk, at=NOON + timedelta(days=401))

    with job_scope(agency_id=cast.acme.pk):
        assert set(TrainingDay.objects.values_list("on", flat=True)) == {TODAY + timedelta(days=401)}
    with job_scope(agency_id=cast.globex.pk):
        assert not TrainingDay.objects.exists()
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.bob.user_id):
        assert not TrainingDay.objects.exists()


@needs_db
def test_the_page_of_a_campaign_names_who_is_left(cast: Cast) -> None:
    alice, page = browser_of(cast.alice.user), reverse("governance:training_campaign")
    assert "No training assigned" in alice.get(page).content.decode()
    with job_scope(agency_id=cast.acme.pk):
        training.assign(
            agency=cast.acme, course=COURSE, user_ids=[cast.bob.user_id], due_on=make.now().date() - timedelta(days=2),
            by=Actor.staff(user_id=cast.alice.user_id), at=make.now(),
        )  # fmt: skip
    training.watch_training(agency_id=cast.acme.pk, at=make.now())

    shown = alice.get(page, {"course": COURSE.id}).content.decode()
    assert "0 of 1 (0 %)" in shown
    assert 'class="plot-fill-1"' in shown
    assert "1 time<" in shown
    other = alice.get(page, {"role": Role.ADMIN.value}).content.decode()
    assert "No training matches" in other
    assert page in alice.get(reverse("governance:training_matrix")).content.decode()
    assert browser_of(cast.bob.user).get(page).status_code == 403


@needs_db
def test_what_a_rule_asks_for_as_well_is_not_taken_back(cast: Cast) -> None:
    _by_hand(cast, days=5)
    _rule(cast)
    _watch(cast, 40)
    assert _withheld(cast, NOON + timedelta(days=41))
    by, at = Actor.staff(user_id=cast.alice.user_id), NOON + timedelta(days=41)
    with job_scope(agency_id=cast.acme.pk):
        row = Assignment.objects.get()
        with pytest.raises(training.OfARuleError):
            training.take_back(agency=cast.acme, row=row, reason="Not needed", by=by, at=at)
        Assignment.objects.all().delete()
    _noted(cast, by, days=41, passed_on=TODAY, valid_until=TODAY + timedelta(days=300))
    _by_hand(cast, days=60)
    with job_scope(agency_id=cast.acme.pk):
        row = Assignment.objects.get()
        training.take_back(agency=cast.acme, row=row, reason="Not needed", by=by, at=at)
    _watch(cast, 41)
    assert _asked(cast) == []


@needs_db
def test_nobody_gives_themselves_another_day_before_it_comes_where_another_could(cast: Cast) -> None:
    _rule(cast, role=Role(cast.alice.role))
    by = Actor.staff(user_id=cast.alice.user_id)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        row = Assignment.objects.get(user_id=cast.alice.user_id)
        said: dict[str, Any] = {"row": row, "reason": "Because I say so", "by": by, "at": NOON}
        with pytest.raises(training.OwnTrainingError):
            training.move_assignment(due_on=row.due_on + timedelta(days=365), **said)
        row.assigned_by_id = cast.alice.user_id
        row.save(update_fields=["assigned_by"])
        TrainingRule.objects.all().delete()
        with pytest.raises(training.OwnTrainingError):
            training.take_back(agency=cast.acme, **said)
    with job_scope(agency_id=cast.acme.pk):
        Membership.objects.filter(pk=cast.carol.pk).update(state=MembershipState.SUSPENDED)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        training.take_back(agency=cast.acme, **said)
        assert not Assignment.objects.filter(user_id=cast.alice.user_id).exists()
