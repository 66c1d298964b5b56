"""What a hold or a law kept of an erasure is erased by itself once that ends: once, and nothing that came since."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
import time_machine

from callprivacy.audit.models import Event
from callprivacy.calls.enums import Direction, RecordingState
from callprivacy.calls.models import Call, Caller, Recording
from callprivacy.tenancy.enums import Answerer
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.vault import selectors as vault
from consent.enums import Channel, EventKind, InvitationState, Purpose, Strength
from consent.models import ConsentEvent, Invitation, Reply
from consent.services import ledger
from retention.models import Hold
from retention.selectors import holds as hold_selectors
from retention.services import holds
from rights import letters as letter_texts
from rights.enums import Ask, Copies, Decided, StepKind, StepState
from rights.enums import EventKind as Happened
from rights.models import Case, CaseEvent, Package, Step, Submission
from rights.selectors import letters
from rights.services import deciding, erasing, rests, steps
from rights.tasks.steps import sweep_requests, work_steps
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.consent.asking_by_mail import version
from tests.retention import night
from tests.rights import asking
from tests.rights.asking import ANNA, Office
from tests.rights.test_erasing import LATER, keep_calls_out, line, ready

pytestmark = pytest.mark.django_db

OLD = make.NOON - timedelta(days=9)
LIFTED = make.NOON + timedelta(days=2)


@pytest.fixture
def office(cast: Cast) -> Office:
    make.grant(cast.alice, cast.dentist)
    asking.answered_by(cast.dentist, Answerer.AGENCY)
    return Office(cast)


def placed(cast: Cast, *, name: str = "The bill", client: Client | None = None, **extent: Any) -> Hold:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        return holds.place_hold(
            client=client or cast.dentist, extent=holds.Wanted(**extent), name=name, matter="", reason="Counsel asked.",
            review_on=date(2027, 2, 1), ends_on=None, people=[], placed_by=cast.alice.user_id, at=make.NOON,
        )  # fmt: skip


def lifted(cast: Cast, hold: Hold, *, at: datetime = LIFTED) -> hold_selectors.FallsDue:
    """The hold is lifted and the marks follow; what the officer was shown."""
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        found = Hold.objects.select_related("client__agency").get(pk=hold.pk)
        shown = hold_selectors.falls_due(found, at)
        holds.lift_hold(
            hold=found, shown=shown, reason="The bill is paid.", lifted_by=cast.alice.user_id, at=at
        )
    with job_scope(agency_id=cast.acme.pk):
        holds.mark_held(client=found.client, at=at)
    return shown


def erased(cast: Cast, office: Office, *, others_until: datetime | None = None, **facts: Any) -> Submission:
    """Anna is erased, as far as nothing keeps her."""
    submission = ready(cast.dentist, cast)
    with job_scope(agency_id=cast.acme.pk):
        submission.identities.update(others_until=others_until)
    case = asking.case_of(submission, Ask.DELETE)
    office.does(deciding.decide, case=case, decided=Decided.FULFIL, ground="", words="", **facts)
    asking.work(cast.acme, at=LATER)
    return submission


def swept(cast: Cast, *, at: datetime = LIFTED) -> None:
    """The beat's two jobs, once."""
    rests.release(agency_id=cast.acme.pk, clock=lambda: at)
    asking.work(cast.acme, at=at)


def rest(cast: Cast) -> Step:
    with job_scope(agency_id=cast.acme.pk):
        return Step.objects.get(kind=StepKind.REST)


def told(cast: Cast) -> list[dict[str, Any]]:
    """What the trail and the timeline say of erasures taken up again."""
    with job_scope(agency_id=cast.acme.pk):
        lines = CaseEvent.objects.filter(kind=Happened.REST_ERASED).order_by("pk")
        events = Event.objects.filter(action="case.rest_erased")
        assert lines.count() == events.count()
        return [row.details for row in lines]


def ids(cast: Cast) -> set[Any]:
    with job_scope(agency_id=cast.acme.pk):
        return set(Call.objects.values_list("pk", flat=True))


def test_what_a_hold_kept_is_erased_once_it_is_lifted_and_the_officer_saw_how_much(
    cast: Cast, office: Office
) -> None:
    kept = make.call(cast.dentist, ANNA, at=OLD)
    make.recording(kept, "https://vendor.example/r/1")
    make.call(cast.dentist, ANNA)
    hold = placed(cast, call_ids=frozenset({kept.pk}))
    submission = erased(cast, office)
    case = asking.case_of(submission, Ask.DELETE)
    office.does(deciding.close, case=case, at=LATER)
    swept(cast)
    assert (rest(cast).state, rest(cast).due_at, ids(cast)) == (StepState.KEPT, None, {kept.pk})

    shown = lifted(cast, hold)
    assert (shown.asked, shown.people) == (1, 1)
    swept(cast)

    assert ids(cast) == set()
    assert vault.find_callers([cast.dentist.pk], ANNA) == {}
    with job_scope(agency_id=cast.acme.pk):
        assert not Recording.objects.exists()
        assert not Caller.objects.exists()
        lifting = Event.objects.get(action="hold.lifted")
    assert (lifting.details["asked"], lifting.details["people"]) == (1, 1)
    assert (rest(cast).state, rest(cast).wanted) == (StepState.DONE, {"left": []})
    assert told(cast) == [{"calls": 1, "numbers": 1, "waiting": 0}]
    calls, number = line(submission, Copies.CALLS), line(submission, Copies.IDENTITY)
    assert (calls.erased, calls.kept, calls.kept_why, calls.kept_by) == (2, 0, "", {})
    assert (number.kept, line(submission, Copies.RECORDINGS).kept) == (0, 0)
    swept(cast, at=LIFTED + timedelta(days=1))
    assert len(told(cast)) == 1


def test_the_beat_does_it_by_itself(cast: Cast, office: Office) -> None:
    kept = make.call(cast.dentist, ANNA, at=OLD)
    hold = placed(cast, numbers=(ANNA,))
    erased(cast, office)
    lifted(cast, hold)
    with time_machine.travel(LIFTED, tick=True):
        sweep_requests()
        work_steps()
    assert kept.pk not in ids(cast)
    assert rest(cast).state == StepState.DONE


def test_a_number_that_alone_was_held_leaves_with_the_hold(cast: Cast, office: Office) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    hold = placed(cast, numbers=(ANNA,), from_at=make.NOON)
    erased(cast, office)
    assert (ids(cast), cast.dentist.pk in vault.find_callers([cast.dentist.pk], ANNA)) == (set(), True)

    shown = lifted(cast, hold)
    assert (shown.asked, shown.people) == (0, 1)
    swept(cast)

    assert vault.find_callers([cast.dentist.pk], ANNA) == {}
    assert told(cast) == [{"calls": 0, "numbers": 1, "waiting": 0}]


def test_of_two_holds_each_frees_its_own_calls(cast: Cast, office: Office) -> None:
    first, second = make.call(cast.dentist, ANNA, at=OLD), make.call(cast.dentist, ANNA)
    one = placed(cast, call_ids=frozenset({first.pk}))
    two = placed(cast, name="The other", call_ids=frozenset({second.pk}))
    submission = erased(cast, office)

    shown = lifted(cast, one)
    assert (shown.asked, shown.people) == (1, 0)
    swept(cast)
    assert (ids(cast), rest(cast).state) == ({second.pk}, StepState.KEPT)
    shown = lifted(cast, two, at=LIFTED + timedelta(hours=1))
    assert (shown.asked, shown.people) == (1, 1)
    swept(cast, at=LIFTED + timedelta(hours=1))

    assert ids(cast) == set()
    assert line(submission, Copies.CALLS).erased == 2
    assert [row["waiting"] for row in told(cast)] == [1, 0]


def test_what_leaves_at_one_client_says_nothing_of_another_where_it_is_kept(
    cast: Cast, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.grant(cast.alice, cast.plumber)
    asking.answered_by(cast.plumber, Answerer.AGENCY)
    here, there = make.call(cast.dentist, ANNA, at=OLD), make.call(cast.plumber, ANNA, at=OLD)
    hold = placed(cast, call_ids=frozenset({here.pk}))
    other = placed(cast, client=cast.plumber, call_ids=frozenset({there.pk}))
    case = asking.case_of(ready(None, cast), Ask.DELETE)
    office.does(deciding.decide, case=case, decided=Decided.FULFIL, ground="", words="")
    asking.work(cast.acme, at=LATER)

    def said() -> list[int | None]:
        with job_scope(agency_id=cast.acme.pk):
            rows = Event.objects.filter(action="person.erased").order_by("pk")
            return list(rows.values_list("client_id", flat=True))

    assert sorted(said()) == sorted([cast.dentist.pk, cast.plumber.pk])  # type: ignore[type-var]  # both are clients'
    taken, erase = list[int](), erasing.erase_person

    def noted(**facts: Any) -> erasing.Done:
        taken.append(facts["target"].client.pk)
        return erase(**facts)

    monkeypatch.setattr(erasing, "erase_person", noted)
    lifted(cast, hold)
    swept(cast)
    assert (ids(cast), taken, said()[2:]) == ({there.pk}, [cast.dentist.pk], [cast.dentist.pk])
    assert (rest(cast).state, len(rest(cast).wanted["left"])) == (StepState.KEPT, 1)

    lifted(cast, other)
    swept(cast)
    assert (ids(cast), said()[3:], rest(cast).state) == (set(), [cast.plumber.pk], StepState.DONE)


def test_what_a_law_kept_is_erased_on_its_day(cast: Cast, office: Office) -> None:
    keep_calls_out(cast.dentist, 2000)
    out = make.call(cast.dentist, ANNA, direction=Direction.OUTBOUND)
    submission = erased(cast, office)
    assert line(submission, Copies.IDENTITY).kept_why == "law"
    swept(cast, at=make.NOON + timedelta(days=1820))
    assert (ids(cast), told(cast)) == ({out.pk}, [])

    swept(cast, at=make.NOON + timedelta(days=1830))

    assert ids(cast) == set()
    assert vault.find_callers([cast.dentist.pk], ANNA) == {}
    assert told(cast) == [{"calls": 1, "numbers": 1, "waiting": 0}]


@pytest.mark.parametrize("beyond_floor", [False, True])
def test_whoever_decided_beyond_a_law_has_a_held_call_erased_beyond_it(
    cast: Cast, office: Office, *, beyond_floor: bool
) -> None:
    keep_calls_out(cast.dentist, 2000)
    out = make.call(cast.dentist, ANNA, direction=Direction.OUTBOUND)
    hold = placed(cast, call_ids=frozenset({out.pk}))
    erased(cast, office, beyond_floor=beyond_floor)
    shown = lifted(cast, hold)
    assert (shown.asked, shown.people) == ((1, 1) if beyond_floor else (0, 0))
    swept(cast)
    assert ids(cast) == (set() if beyond_floor else {out.pk})


def test_of_a_call_that_a_law_keeps_what_was_said_leaves_with_the_hold(cast: Cast, office: Office) -> None:
    keep_calls_out(cast.dentist, 2000)
    out = make.call(cast.dentist, ANNA, direction=Direction.OUTBOUND)
    make.recording(out, "https://vendor.example/r/1")
    hold = placed(cast, call_ids=frozenset({out.pk}))
    submission = erased(cast, office)
    assert line(submission, Copies.RECORDINGS).kept == 1

    shown = lifted(cast, hold)
    assert (shown.asked, shown.people) == (1, 0)
    swept(cast)

    with job_scope(agency_id=cast.acme.pk):
        recording = Recording.objects.get()
    assert (recording.state, recording.reference) == (RecordingState.GONE, None)
    said = line(submission, Copies.RECORDINGS)
    assert (said.erased, said.kept, said.kept_why) == (1, 0, "")
    assert (ids(cast), rest(cast).state) == ({out.pk}, StepState.KEPT)
    assert told(cast) == [{"calls": 0, "numbers": 0, "waiting": 1}]
    assert rests.release(agency_id=cast.acme.pk, clock=lambda: LIFTED + timedelta(hours=1)) == 0


def test_what_was_said_on_a_call_that_quarantine_has_begun_with_is_left_to_it(
    cast: Cast, office: Office
) -> None:
    keep_calls_out(cast.dentist, 2000)
    out = make.call(cast.dentist, ANNA, direction=Direction.OUTBOUND)
    erased(cast, office)
    recording = make.recording(out, "https://vendor.example/r/1")
    with job_scope(agency_id=cast.acme.pk):
        Recording.objects.filter(pk=recording.pk).update(
            state=RecordingState.GONE, gone_at=LATER, due_at=LATER
        )
    assert rests.release(agency_id=cast.acme.pk, clock=lambda: LIFTED) == 0


def test_a_hold_that_is_placed_anew_meanwhile_wins(cast: Cast, office: Office) -> None:
    kept = make.call(cast.dentist, ANNA, at=OLD)
    hold = placed(cast, call_ids=frozenset({kept.pk}))
    erased(cast, office)
    lifted(cast, hold)
    assert rests.release(agency_id=cast.acme.pk, clock=lambda: LIFTED) == 1
    again = placed(cast, name="Once more", call_ids=frozenset({kept.pk}))

    asking.work(cast.acme, at=LIFTED)

    assert (ids(cast), rest(cast).state, rest(cast).due_at) == ({kept.pk}, StepState.KEPT, None)
    assert told(cast) == []
    swept(cast)
    assert told(cast) == []
    lifted(cast, again, at=LIFTED + timedelta(hours=1))
    swept(cast, at=LIFTED + timedelta(hours=1))
    assert ids(cast) == set()


def test_a_call_since_stays_with_its_number_and_the_old_one_leaves(cast: Cast, office: Office) -> None:
    kept = make.call(cast.dentist, ANNA, at=OLD)
    hold = placed(cast, call_ids=frozenset({kept.pk}))
    submission = erased(cast, office)
    fresh = make.call(cast.dentist, ANNA, at=LATER + timedelta(minutes=5))
    assert fresh.caller_id == kept.caller_id

    shown = lifted(cast, hold)
    assert (shown.asked, shown.people) == (1, 0)
    swept(cast)

    assert ids(cast) == {fresh.pk}
    assert vault.find_callers([cast.dentist.pk], ANNA)[cast.dentist.pk] == fresh.caller_id
    number = line(submission, Copies.IDENTITY)
    assert (number.kept, number.kept_why) == (1, erasing.AGAIN)
    assert (rest(cast).state, told(cast)) == (StepState.DONE, [{"calls": 1, "numbers": 0, "waiting": 0}])
    swept(cast, at=LIFTED + timedelta(days=1))
    assert ids(cast) == {fresh.pk}


def test_a_call_since_of_which_the_tracker_tells_late_is_a_new_callers(cast: Cast, office: Office) -> None:
    kept = make.call(cast.dentist, ANNA, at=OLD)
    hold = placed(cast, call_ids=frozenset({kept.pk}))
    erased(cast, office)
    lifted(cast, hold)
    swept(cast)

    late = make.call(cast.dentist, ANNA, at=LATER + timedelta(minutes=5))

    assert late.caller_id not in {None, kept.caller_id}
    assert ids(cast) == {late.pk}


def test_a_call_in_the_moment_of_erasing_keeps_its_number(
    cast: Cast, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = make.call(cast.dentist, ANNA, at=OLD)
    hold = placed(cast, call_ids=frozenset({kept.pk}))
    erased(cast, office)
    lifted(cast, hold)
    destroy, fresh = erasing._destroy, list[Call]()

    def meanwhile(*args: Any, **facts: Any) -> bool:
        if not fresh:
            fresh.append(make.call(cast.dentist, ANNA, at=LIFTED))
        return destroy(*args, **facts)

    monkeypatch.setattr(erasing, "_destroy", meanwhile)
    swept(cast)

    assert (ids(cast), fresh[0].caller_id) == ({fresh[0].pk}, kept.caller_id)
    assert vault.find_callers([cast.dentist.pk], ANNA)[cast.dentist.pk] == kept.caller_id
    assert told(cast) == [{"calls": 1, "numbers": 0, "waiting": 0}]


def test_who_has_agreed_since_keeps_the_number(cast: Cast, office: Office) -> None:
    kept = make.call(cast.dentist, ANNA, at=OLD)
    hold = placed(cast, call_ids=frozenset({kept.pk}))
    erased(cast, office)
    at = LATER + timedelta(minutes=5)
    with job_scope(agency_id=cast.acme.pk):
        said = ledger.Said(
            purpose=Purpose.CONTACT, kind=EventKind.GIVEN, channel=Channel.OFFICER, strength=Strength.A,
            happened_at=at, source="a letter", caller_id=kept.caller_id,
        )  # fmt: skip
        ledger.record_events(client=cast.dentist, said=[said], by=make.JOB, at=at)
    assert lifted(cast, hold).people == 0

    swept(cast)

    assert ids(cast) == set()
    assert vault.find_callers([cast.dentist.pk], ANNA)[cast.dentist.pk] == kept.caller_id
    with job_scope(agency_id=cast.acme.pk):
        assert Caller.objects.filter(pk=kept.caller_id).exists()
        assert ConsentEvent.objects.filter(caller_id=kept.caller_id, happened_at=at).exists()


@pytest.mark.parametrize("others_until", [None, OLD - timedelta(days=1)])
def test_whoever_was_only_rung_or_asked_since_is_not_back(
    cast: Cast, office: Office, others_until: datetime | None
) -> None:
    kept = make.call(cast.dentist, ANNA, at=OLD)
    hold = placed(cast, call_ids=frozenset({kept.pk}))
    erased(cast, office, others_until=others_until)
    since = LATER + timedelta(minutes=5)
    out = make.call(cast.dentist, ANNA, at=since, direction=Direction.OUTBOUND)
    words = version(cast)
    assert kept.caller_id is not None
    with job_scope(agency_id=cast.acme.pk):
        Invitation.objects.create(
            agency_id=cast.acme.pk, client=cast.dentist, caller_id=kept.caller_id, channel=Channel.EMAIL,
            version=words, created_at=since, purge_at=since + timedelta(days=30),
        )  # fmt: skip
    swept(cast)
    assert ids(cast) == {kept.pk, out.pk}

    shown = lifted(cast, hold)
    assert (shown.asked, shown.people) == (2, 1)
    swept(cast)

    assert (ids(cast), rest(cast).state) == (set(), StepState.DONE)
    assert vault.find_callers([cast.dentist.pk], ANNA) == {}
    with job_scope(agency_id=cast.acme.pk):
        assert Invitation.objects.get().state == InvitationState.PURGED


@pytest.mark.parametrize("beyond_floor", [False, True])
def test_a_call_that_we_made_since_waits_for_its_own_law(
    cast: Cast, office: Office, *, beyond_floor: bool
) -> None:
    keep_calls_out(cast.dentist, 2000)
    kept = make.call(cast.dentist, ANNA, at=OLD)
    hold = placed(cast, call_ids=frozenset({kept.pk}))
    erased(cast, office, beyond_floor=beyond_floor)
    out = make.call(cast.dentist, ANNA, at=LATER + timedelta(minutes=5), direction=Direction.OUTBOUND)

    shown = lifted(cast, hold)
    assert (shown.asked, shown.people) == (1, 0)
    swept(cast)
    assert (ids(cast), rest(cast).state) == ({out.pk}, StepState.KEPT)
    assert rests.release(agency_id=cast.acme.pk, clock=lambda: LIFTED + timedelta(days=1)) == 0

    swept(cast, at=LIFTED + timedelta(days=1830))
    assert (ids(cast), rest(cast).state) == (set(), StepState.DONE)
    assert vault.find_callers([cast.dentist.pk], ANNA) == {}


@pytest.mark.parametrize(
    ("label", "state", "is_back"),
    [("withdraw", "settled", False), ("none", "settled", True), ("review", "waiting", None)],
)
def test_who_has_said_no_since_is_not_back_and_what_nobody_has_read_is_read_first(
    cast: Cast, office: Office, *, label: str, state: str, is_back: bool | None
) -> None:
    kept = make.call(cast.dentist, ANNA, at=OLD)
    hold = placed(cast, call_ids=frozenset({kept.pk}))
    erased(cast, office)
    at = LATER + timedelta(minutes=5)
    with job_scope(agency_id=cast.acme.pk):
        reply = Reply.objects.create(
            agency_id=cast.acme.pk, client=cast.dentist, caller_id=kept.caller_id, channel=Channel.SMS,
            message_digest=bytes(32), label=label, why="", state=state, received_at=at, purge_at=LIFTED,
        )  # fmt: skip
    lifted(cast, hold)
    swept(cast)
    if is_back is None:
        assert (ids(cast), rest(cast).state) == ({kept.pk}, StepState.KEPT)
        with job_scope(agency_id=cast.acme.pk):
            said = ledger.Said(
                purpose=Purpose.CONTACT, kind=EventKind.WITHDRAWN, channel=Channel.SMS, strength=Strength.A,
                happened_at=at, source="a text", caller_id=kept.caller_id,
            )  # fmt: skip
            ledger.record_events(client=cast.dentist, said=[said], by=make.JOB, at=at)
            Reply.objects.filter(pk=reply.pk).update(state="decided")
        swept(cast)
    assert (ids(cast), rest(cast).state) == (set(), StepState.DONE)
    assert (cast.dentist.pk in vault.find_callers([cast.dentist.pk], ANNA)) is bool(is_back)


def test_calls_of_whoever_had_the_number_before_stay_and_are_told_for_what_they_are(
    cast: Cast, office: Office
) -> None:
    others = make.call(cast.dentist, ANNA, at=OLD)
    kept = make.call(cast.dentist, ANNA)
    hold = placed(cast, call_ids=frozenset({kept.pk}))
    submission = erased(cast, office, others_until=make.NOON - timedelta(days=1))
    assert line(submission, Copies.CALLS).stays == {"hold": 1, "others": 1}
    with job_scope(agency_id=cast.acme.pk):
        stays = letters.facts_of(asking.case_of(submission, Ask.DELETE))["stays"]
    assert "Records of calls: 1. It is needed for a legal claim" in stays
    assert "Records of calls: 1. It is from before the number was yours" in stays

    lifted(cast, hold)
    swept(cast)

    assert (ids(cast), rest(cast).state) == ({others.pk}, StepState.DONE)
    assert line(submission, Copies.CALLS).stays == {"others": 1}


def test_a_letter_calls_nobody_new_whose_number_stays(cast: Cast, office: Office) -> None:
    kept = make.call(cast.dentist, ANNA, at=OLD)
    make.call(cast.dentist, ANNA)
    hold = placed(cast, call_ids=frozenset({kept.pk}))
    submission = erased(cast, office)

    def letter() -> str:
        with job_scope(agency_id=cast.acme.pk):
            case = asking.case_of(submission, Ask.DELETE)
            return letter_texts.fill("erased", letters.language_of(case), letters.facts_of(case)).body

    assert "is erased when that ends" in letter()
    assert "new caller" not in letter()
    assert "(longer, while a claim or a law keeps something of the above), because" in letter()
    lifted(cast, hold)
    swept(cast)
    assert "If you call again, you are a new caller to us." in letter()
    assert "longer" not in letter()


def test_a_request_stays_until_what_its_erasure_left_is_erased(cast: Cast, office: Office) -> None:
    kept = make.call(cast.dentist, ANNA, at=OLD)
    hold = placed(cast, call_ids=frozenset({kept.pk}))
    submission = erased(cast, office)
    with job_scope(agency_id=cast.acme.pk):
        Case.objects.filter(submission=submission).update(closed_at=LATER)
        Submission.objects.filter(pk=submission.pk).update(ended_at=make.NOON - timedelta(days=800))
    lifted(cast, hold)
    night.live(cast.dentist)
    night.spend(cast.acme, LIFTED)
    with job_scope(agency_id=cast.acme.pk):
        assert Submission.objects.filter(pk=submission.pk).exists()
    swept(cast)
    assert len(told(cast)) == 1
    night.spend(cast.acme, LIFTED + timedelta(hours=1))
    with job_scope(agency_id=cast.acme.pk):
        assert not Submission.objects.filter(pk=submission.pk).exists()


def test_an_erasure_of_a_release_that_noted_nothing_is_taken_up_as_well(cast: Cast, office: Office) -> None:
    kept = make.call(cast.dentist, ANNA, at=OLD)
    hold = placed(cast, call_ids=frozenset({kept.pk}))
    erased(cast, office)
    with job_scope(agency_id=cast.acme.pk):
        Step.objects.filter(kind=StepKind.REST).remove()
    fresh = make.call(cast.dentist, ANNA, at=LATER + timedelta(minutes=5))
    lifted(cast, hold)
    swept(cast)
    assert ids(cast) == {fresh.pk}
    assert len(told(cast)) == 1


def test_a_search_that_is_made_again_forgets_nothing_of_what_was_left(cast: Cast, office: Office) -> None:
    kept = make.call(cast.dentist, ANNA, at=OLD)
    hold = placed(cast, call_ids=frozenset({kept.pk}))
    submission = erased(cast, office)
    asking.search(submission, at=LATER)
    lifted(cast, hold)
    swept(cast)
    assert ids(cast) == set()


def test_a_worker_that_dies_in_between_costs_a_repetition_and_is_counted_once(
    cast: Cast, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = make.call(cast.dentist, ANNA, at=OLD)
    hold = placed(cast, call_ids=frozenset({kept.pk}))
    submission = erased(cast, office)
    lifted(cast, hold)
    note = erasing.note

    def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(erasing, "note", dies)
    with pytest.raises(KeyboardInterrupt):
        swept(cast)
    assert (ids(cast), rest(cast).state) == (set(), StepState.RUNNING)
    assert rests.release(agency_id=cast.acme.pk, clock=lambda: LIFTED) == 0
    monkeypatch.setattr(erasing, "note", note)

    asking.work(cast.acme, at=LIFTED + steps.LEASE)

    calls = line(submission, Copies.CALLS)
    assert (calls.erased, calls.kept) == (1, 0)
    assert (rest(cast).state, len(told(cast))) == (StepState.DONE, 1)


@pytest.mark.parametrize("is_retried", [False, True])
def test_a_copy_that_is_undecided_is_decided_and_made_first(
    cast: Cast, office: Office, *, is_retried: bool
) -> None:
    kept = make.call(cast.dentist, ANNA, at=OLD)
    hold = placed(cast, call_ids=frozenset({kept.pk}))
    erased(cast, office)
    lifted(cast, hold)
    if is_retried:
        rests.release(agency_id=cast.acme.pk, clock=lambda: LIFTED)
        with job_scope(agency_id=cast.acme.pk):
            Step.objects.filter(kind=StepKind.REST).update(attempts=1)
    submission = ready(cast.dentist, cast, Ask.COPY)
    swept(cast)
    assert (ids(cast), rest(cast).state, told(cast)) == ({kept.pk}, StepState.KEPT, [])
    assert rests.release(agency_id=cast.acme.pk, clock=lambda: LIFTED) == 0

    case, later = asking.case_of(submission, Ask.COPY), LIFTED + timedelta(hours=1)
    office.does(deciding.decide, case=case, decided=Decided.FULFIL, ground="", words="")
    swept(cast, at=later)
    asking.work(cast.acme, at=later + timedelta(minutes=2))
    with job_scope(agency_id=cast.acme.pk):
        assert Package.objects.get(case=case).contents["calls"] == 1
    assert (ids(cast), rest(cast).state) == (set(), StepState.DONE)


def test_a_worker_whose_lease_ran_out_says_nothing_twice(cast: Cast, office: Office) -> None:
    kept = make.call(cast.dentist, ANNA, at=OLD)
    hold = placed(cast, call_ids=frozenset({kept.pk}))
    erased(cast, office)
    lifted(cast, hold)
    rests.release(agency_id=cast.acme.pk, clock=lambda: LIFTED)
    slow = steps.claim(agency_id=cast.acme.pk, at=LIFTED)
    assert slow is not None
    asking.work(cast.acme, at=LIFTED + steps.LEASE)

    rests.carry_out(step=slow, clock=lambda: LIFTED + steps.LEASE)

    assert (ids(cast), len(told(cast)), rest(cast).state) == (set(), 1, StepState.DONE)


def test_the_page_of_lifting_and_the_case_say_what_waits(cast: Cast, office: Office) -> None:
    kept = make.call(cast.dentist, ANNA, at=OLD)
    hold = placed(cast, call_ids=frozenset({kept.pk}))
    submission = erased(cast, office)
    browser = signed_in(cast.alice)
    page = browser.get(f"/clients/dentist/holds/{hold.pk}/lift/")
    assert (page.context["falls"].asked, page.context["falls"].people) == (1, 1)
    case = asking.case_of(submission, Ask.DELETE)
    assert "It is erased automatically once neither applies." in browser.get(f"/requests/{case.pk}/").text
