"""A withdrawal counts here at once, and is carried to every vendor that holds the number, by what each can do."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from callprivacy.accounts.enums import BUNDLES
from callprivacy.calls.enums import RecordingState
from callprivacy.calls.models import Call, Connection, Recording
from callprivacy.calls.services import people
from callprivacy.lib.scope import Actor, NoScopeError
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import client_scope, job_scope, staff_scope
from callprivacy.vault import services as vault
from callprivacy.work import services as work
from callprivacy.work.models import Item, Notification
from consent import kinds
from consent.enums import Channel, EventKind, OnWithdrawal, Purpose, Strength, VendorStep, WaitingState
from consent.law import Days, load_pack
from consent.models import AdDestination, VendorTask, Withdrawal
from consent.selectors import withdrawals as selectors
from consent.services import deadlines, ledger, menu_calls, vendor_tasks, withdrawals
from consent.services.ledger import Said
from tests import make
from tests.cast import Cast
from tests.consent.deciding import live
from tests.make import NOON

pytestmark = pytest.mark.as_committed

ONE = "+14155550101"
EVERY = (Purpose.CONTACT, Purpose.RECORD, Purpose.REVIEW, Purpose.ANALYSE, Purpose.SHARE)


def connect(
    cast: Cast, provider: str = "callrail", client: Client | None = None, **mapping: Any
) -> Connection:
    with job_scope(agency_id=cast.acme.pk):
        return Connection.objects.create(
            agency_id=cast.acme.pk,
            client=client or cast.dentist,
            provider=provider,
            name=provider.title(),
            key=uuid.uuid4().hex,
            mapping=mapping,
            created_at=NOON,
        )


def withdraw(
    cast: Cast, *purposes: Purpose, at: datetime = NOON, kind: EventKind = EventKind.WITHDRAWN,
    client: Client | None = None,
) -> uuid.UUID:  # fmt: skip
    client = client or cast.dentist
    with client_scope(agency_id=cast.acme.pk, client_id=client.pk):
        caller_id = people.add_callers(client=client, numbers=[ONE], at=at)[ONE]
        said = [
            Said(
                purpose=purpose,
                kind=kind,
                channel=Channel.SMS,
                strength=Strength.A,
                happened_at=at,
                source=f"text {at}",
                caller_id=caller_id,
                evidence={"text": "STOP"},
            )
            for purpose in purposes or EVERY
        ]
        ledger.record_events(client=client, said=said, by=Actor.client("tests"), at=at)
    return caller_id


def tasks(cast: Cast) -> list[VendorTask]:
    with job_scope(agency_id=cast.acme.pk):
        rows = VendorTask.objects.for_client(cast.dentist).select_related(
            "connection", "destination", "client"
        )
        return list(rows.order_by("step", "created_at"))


def carry_out(cast: Cast, at: datetime = NOON) -> None:
    while withdrawals.carry_out(agency_id=cast.acme.pk, at=at):
        pass


def the_withdrawal(cast: Cast) -> Withdrawal:
    with job_scope(agency_id=cast.acme.pk):
        return Withdrawal.objects.for_client(cast.dentist).get()


def test_a_stop_is_one_withdrawal_with_its_purposes(cast: Cast) -> None:
    withdraw(cast)
    row = the_withdrawal(cast)
    assert sorted(row.purposes) == sorted(EVERY)
    assert row.stopped_at == NOON
    assert len(row.event_ids) == len(EVERY)


def test_each_vendor_gets_what_it_can_do(cast: Cast) -> None:
    make.tracking_number(cast.dentist, "+14155550900", provider="callrail")
    connect(cast)
    with job_scope(agency_id=cast.acme.pk):
        AdDestination.objects.create(
            agency_id=cast.acme.pk, client=cast.dentist, name="Audience list", created_at=NOON
        )
    withdraw(cast)
    carry_out(cast)
    assert {task.step for task in tasks(cast)} == {
        VendorStep.CHOOSE,
        VendorStep.TURN_OFF_MONITORING,
        VendorStep.STOP_TEXTS,
        VendorStep.REMOVE_FROM_ADS,
    }
    assert all("+1415" not in task.ticket for task in tasks(cast))
    with job_scope(agency_id=cast.acme.pk):
        waiting = set(Item.objects.open().values_list("kind", "count"))
    assert waiting == {(kinds.WITHDRAWAL_CHOICE, 1), (kinds.VENDOR_TASKS, 3)}


def test_planning_twice_asks_once(cast: Cast) -> None:
    make.tracking_number(cast.dentist, "+14155550900", provider="callrail")
    connect(cast)
    withdraw(cast)
    carry_out(cast)
    before = len(tasks(cast))
    with job_scope(agency_id=cast.acme.pk):
        Withdrawal.objects.update(due_at=NOON, planned_at=None)
    carry_out(cast)
    assert len(tasks(cast)) == before


def test_where_nobody_else_holds_the_number_it_closes(cast: Cast) -> None:
    withdraw(cast)
    carry_out(cast)
    assert the_withdrawal(cast).closed_at == NOON


def test_a_no_that_a_later_yes_overruled_asks_nothing(cast: Cast) -> None:
    withdraw(cast, Purpose.CONTACT, at=NOON, kind=EventKind.GIVEN)
    withdraw(cast, Purpose.CONTACT, at=NOON - timedelta(days=1))
    with job_scope(agency_id=cast.acme.pk):
        assert not Withdrawal.objects.exists()


def test_choosing_to_turn_recording_off_drafts_a_letter(cast: Cast) -> None:
    make.tracking_number(cast.dentist, "+14155550900", provider="callrail")
    connect(cast)
    withdraw(cast, Purpose.RECORD)
    carry_out(cast)
    (task,) = tasks(cast)
    by = Actor.staff(user_id=cast.alice.user_id)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        (follow,) = withdrawals.choose(task=task, choice=OnWithdrawal.OFF, for_all=True, by=by, at=NOON)
        assert follow.step == VendorStep.TURN_OFF_RECORDING
        assert "turn call recording off" in follow.ticket
        with pytest.raises(withdrawals.NotToChooseError):
            withdrawals.choose(task=task, choice=OnWithdrawal.OFF, for_all=True, by=by, at=NOON)
    withdraw(cast, Purpose.RECORD, at=NOON + timedelta(days=1), kind=EventKind.GIVEN)
    withdraw(cast, Purpose.RECORD, at=NOON + timedelta(days=2))
    carry_out(cast, NOON + timedelta(days=2))
    assert [task.step for task in tasks(cast)].count(VendorStep.CHOOSE) == 1


def test_what_is_recorded_after_the_withdrawal_is_asked_to_be_deleted(cast: Cast) -> None:
    make.tracking_number(cast.dentist, "+14155550900", provider="callrail")
    rail = connect(cast)
    caller_id = withdraw(cast, Purpose.RECORD)
    carry_out(cast)
    (task,) = tasks(cast)
    by = Actor.staff(user_id=cast.alice.user_id)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        assert withdrawals.choose(task=task, choice=OnWithdrawal.DELETE, for_all=False, by=by, at=NOON) == []
    earlier = make.call(cast.dentist, ONE, at=NOON - timedelta(hours=1), connection=rail)
    later = make.call(cast.dentist, ONE, at=NOON + timedelta(hours=1), connection=rail)
    assert later.caller_id == caller_id
    for call in (earlier, later):
        make.recording(call, "https://app.callrail.com/calls/CAL1/recording?access_key=abc")
    at = NOON + timedelta(hours=2)
    assert withdrawals.ask_deletions(agency_id=cast.acme.pk, at=at) == 0
    with job_scope(agency_id=cast.acme.pk):
        Recording.objects.update(decided_at=at)
    assert withdrawals.ask_deletions(agency_id=cast.acme.pk, at=at) == 1
    assert withdrawals.ask_deletions(agency_id=cast.acme.pk, at=at) == 0
    (asked,) = [task for task in tasks(cast) if task.step == VendorStep.DELETE_RECORDING]
    assert asked.by_ticket
    assert "access_key" not in asked.ticket
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        shown = vendor_tasks.show_reference(task=asked, by=by, at=at)
    assert shown == {"call": "CAL1"}


def test_twilio_is_asked_by_its_interface(cast: Cast) -> None:
    make.tracking_number(cast.dentist, "+14155550900", provider="twilio")
    line = connect(cast, "twilio", account="AC1", on_withdrawal="delete")
    withdraw(cast, Purpose.RECORD)
    carry_out(cast)
    call = make.call(cast.dentist, ONE, at=NOON + timedelta(hours=1), connection=line)
    recording = make.recording(
        call, "https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE0123abc.json"
    )
    with job_scope(agency_id=cast.acme.pk):
        Recording.objects.filter(pk=recording.pk).update(decided_at=NOON, state=RecordingState.WITHHELD)
    withdrawals.ask_deletions(agency_id=cast.acme.pk, at=NOON)
    (asked,) = tasks(cast)
    assert (asked.step, asked.by_ticket, asked.due_at) == (VendorStep.DELETE_RECORDING, False, NOON)
    key = vault.purpose_key(client_id=cast.dentist.pk, purpose="errand", at=NOON)
    with job_scope(agency_id=cast.acme.pk):
        assert json.loads(asked.reference.reveal(key))["recording"] == "RE0123abc"


def recorded_since(cast: Cast, line: Connection, address: str, *, on_hold: bool = False) -> Recording:
    """A withheld recording of a call an hour after the withdrawal."""
    call = make.call(cast.dentist, ONE, at=NOON + timedelta(hours=1), connection=line, on_hold=on_hold)
    recording = make.recording(call, address)
    with job_scope(agency_id=cast.acme.pk):
        Recording.objects.filter(pk=recording.pk).update(decided_at=NOON, state=RecordingState.WITHHELD)
        return Recording.objects.get(pk=recording.pk)


AT_TWILIO = "https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE0123abc.json"
AT_CALLRAIL = "https://app.callrail.com/calls/CAL1/recording?access_key=abc"


def to_delete(cast: Cast, provider: str, address: str, *, on_hold: bool = False) -> VendorTask:
    make.tracking_number(cast.dentist, "+14155550900", provider=provider)
    line = connect(cast, provider, account="AC1", on_withdrawal="delete")
    withdraw(cast, Purpose.RECORD)
    carry_out(cast)
    recorded_since(cast, line, address, on_hold=on_hold)
    assert withdrawals.ask_deletions(agency_id=cast.acme.pk, at=NOON) == 1
    return next(task for task in tasks(cast) if task.step == VendorStep.DELETE_RECORDING)


def claim(cast: Cast) -> menu_calls.Order | None:
    return menu_calls.claim_order(agency_id=cast.acme.pk, at=NOON + timedelta(minutes=1))


def items(cast: Cast) -> dict[str, int | None]:
    with job_scope(agency_id=cast.acme.pk):
        return dict(Item.objects.open().filter(client=cast.dentist).values_list("kind", "count"))


def test_nothing_is_deleted_at_twilio_before_the_client_is_live(cast: Cast) -> None:
    task = to_delete(cast, "twilio", AT_TWILIO)
    assert claim(cast) is None
    live(cast.dentist)
    order = claim(cast)
    assert order is not None
    assert (order.task_id, order.recording) == (task.pk, "RE0123abc")


def test_nothing_is_deleted_at_twilio_while_a_hold_keeps_the_call(cast: Cast) -> None:
    live(cast.dentist)
    task = to_delete(cast, "twilio", AT_TWILIO, on_hold=True)
    assert claim(cast) is None
    with job_scope(agency_id=cast.acme.pk):
        step = selectors.step_of(cast.dentist, task.pk, at=NOON)
        assert step is not None
        assert (step.state, step.waits_for) == ("Paused", "Waiting until the legal hold on the call ends.")
        Call.objects.update(on_hold=False)
    assert claim(cast) is not None


def test_whoever_deletes_at_vendors_sees_the_calls_whose_holds_forbid_it() -> None:
    for bundle in BUNDLES.values():
        assert Permission.VIEW_CALLS in bundle or Permission.MANAGE_CONSENT not in bundle


def test_no_letter_that_deletes_goes_out_before_the_client_is_live(cast: Cast) -> None:
    task = to_delete(cast, "callrail", AT_CALLRAIL)
    by = Actor.staff(user_id=cast.alice.user_id)
    assert items(cast) == {}
    with (
        staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id),
        pytest.raises(vendor_tasks.KeptBackError),
    ):
        vendor_tasks.mark_sent(task=task, words=task.ticket, by=by, at=NOON)
    live(cast.dentist)
    withdrawals.watch(agency_id=cast.acme.pk, at=NOON)
    assert items(cast) == {kinds.VENDOR_TASKS: 1}
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        vendor_tasks.mark_sent(task=task, words=task.ticket, by=by, at=NOON)
    assert items(cast) == {}


def test_what_may_stay_by_now_is_not_asked_to_be_deleted_any_more(cast: Cast) -> None:
    to_delete(cast, "twilio", AT_TWILIO)
    with job_scope(agency_id=cast.acme.pk):
        Recording.objects.update(state=RecordingState.ALLOWED)
    live(cast.dentist)
    withdrawals.watch(agency_id=cast.acme.pk, at=NOON)
    (task,) = tasks(cast)
    assert (task.state, task.receipt, task.reference) == (
        WaitingState.CANCELLED,
        withdrawals.MAY_STAY,
        None,
    )
    carry_out(cast)
    assert the_withdrawal(cast).closed_at == NOON


def test_the_laws_date_is_told_of_before_it_passes_and_after(cast: Cast) -> None:
    connect(cast)
    withdraw(cast, Purpose.CONTACT)
    carry_out(cast)
    (task,) = tasks(cast)
    assert task.law

    def pressing(at: datetime) -> tuple[int, int]:
        withdrawals.watch(agency_id=cast.acme.pk, at=at)
        with job_scope(agency_id=cast.acme.pk):
            found = selectors.pressing([cast.dentist.pk], at=at)
        assert items(cast).get(kinds.WITHDRAWALS_BY_LAW, 0) == found.by_law
        return found.late, found.near

    assert pressing(NOON + timedelta(days=2)) == (0, 0)
    assert pressing(task.outer_at - selectors.NEAR) == (0, 1)
    assert pressing(task.outer_at) == (1, 0)
    with job_scope(agency_id=cast.acme.pk):
        waiting = Item.objects.open().get(kind=kinds.WITHDRAWALS_BY_LAW)
        assert waiting.due_at == task.outer_at
        assert Notification.objects.filter(kind=kinds.WITHDRAWALS_BY_LAW, user=cast.alice.user).count() == 1
    by, at = Actor.staff(user_id=cast.alice.user_id), task.outer_at
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        vendor_tasks.confirm_done(task=task, receipt="case 12", was_checked=True, by=by, at=at)
    assert pressing(at) == (0, 0)


def test_the_minutes_look_asks_the_same_of_few_and_of_many(cast: Cast) -> None:
    """Each minute a job looks whether time alone changed what waits; where nothing did, it writes nothing."""
    asked = []
    for client in (cast.dentist, cast.plumber):
        connect(cast, client=client)
        withdraw(cast, client=client)
        carry_out(cast)
        with CaptureQueriesContext(connection) as queries:
            withdrawals.watch(agency_id=cast.acme.pk, at=NOON)
        asked.append([query["sql"].split(" ", 1)[0] for query in queries])
    with job_scope(agency_id=cast.acme.pk):
        of = set(Item.objects.open().filter(kind=kinds.VENDOR_TASKS).values_list("client_id", flat=True))
    assert of == {cast.dentist.pk, cast.plumber.pk}
    assert asked[0] == asked[1]
    assert not {"UPDATE", "INSERT"} & set(asked[0])


def test_an_item_for_which_nothing_waits_is_closed_whatever_it_counted(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        work.open_item(
            kinds.VENDOR_TASKS,
            agency_id=cast.acme.pk,
            client_id=cast.plumber.pk,
            key=str(cast.plumber.pk),
            at=NOON,
        )
    assert withdrawals.watch(agency_id=cast.acme.pk, at=NOON) == 1
    with job_scope(agency_id=cast.acme.pk):
        assert not Item.objects.open().filter(kind=kinds.VENDOR_TASKS).exists()


def test_a_letter_is_sent_answered_checked_and_done(cast: Cast) -> None:
    connect(cast)
    withdraw(cast, Purpose.CONTACT)
    carry_out(cast)
    (task,) = tasks(cast)
    by = Actor.staff(user_id=cast.alice.user_id)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        assert vendor_tasks.show_reference(task=task, by=by, at=NOON) == {}
        vendor_tasks.mark_sent(task=task, words="Please stop.", by=by, at=NOON)
    assert vendor_tasks.chase(agency_id=cast.acme.pk, at=NOON + timedelta(days=6)) == 0
    assert vendor_tasks.chase(agency_id=cast.acme.pk, at=NOON + timedelta(days=7)) == 1
    assert vendor_tasks.chase(agency_id=cast.acme.pk, at=NOON + timedelta(days=8)) == 0
    assert vendor_tasks.chase(agency_id=cast.acme.pk, at=NOON + timedelta(days=14)) == 1
    assert vendor_tasks.chase(agency_id=cast.acme.pk, at=NOON + timedelta(days=30)) == 0
    end = NOON + timedelta(days=15)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        vendor_tasks.note_reply(task=task, words="Done.", by=by, at=end)
        with pytest.raises(vendor_tasks.NotCheckedError):
            vendor_tasks.confirm_done(task=task, receipt="case 12", was_checked=False, by=by, at=end)
        vendor_tasks.confirm_done(task=task, receipt="case 12", was_checked=True, by=by, at=end)
        with pytest.raises(vendor_tasks.NotOpenError):
            vendor_tasks.mark_sent(task=task, words="Again.", by=by, at=end)
    (done,) = tasks(cast)
    assert (done.state, done.receipt, done.reference) == (WaitingState.DONE, "case 12", None)
    carry_out(cast, end)
    assert the_withdrawal(cast).closed_at == end
    with job_scope(agency_id=cast.acme.pk):
        assert not Item.objects.open().filter(kind=kinds.VENDOR_SILENT).exists()


def test_strangers_see_no_task(cast: Cast) -> None:
    connect(cast)
    withdraw(cast, Purpose.CONTACT)
    carry_out(cast)
    with staff_scope(agency_id=cast.globex.pk, user_id=cast.mallory.user_id):
        assert not VendorTask.objects.exists()
        assert not Withdrawal.objects.exists()


# --- Deadlines ---


BEFORE_THANKSGIVING = datetime(2026, 11, 24, 12, tzinfo=UTC)
"""A Tuesday."""


def test_working_days_leave_out_weekends_and_holidays() -> None:
    # The 26th is a holiday, the weekend follows.
    end = deadlines.after(
        Days(10, business=True), at=BEFORE_THANKSGIVING, zone="America/New_York", country="US"
    )
    assert end == datetime(2026, 12, 10, 5, 0, tzinfo=UTC)


def test_a_day_ends_by_the_clients_clock_also_on_the_night_of_the_change() -> None:
    before = datetime(2026, 10, 31, 16, 0, tzinfo=UTC)
    end = deadlines.after(Days(1, business=False), at=before, zone="America/New_York")
    assert end == datetime(2026, 11, 2, 5, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("purpose", "place", "law", "end"),
    [
        (Purpose.CONTACT, ("US", "TX"), "47 CFR 64.1200", datetime(2026, 12, 10, 5, 0, tzinfo=UTC)),
        (Purpose.SHARE, ("US", "CA"), "11 CCR 7026", datetime(2026, 12, 17, 5, 0, tzinfo=UTC)),
        (Purpose.RECORD, ("DE", ""), "art. 7(3)", BEFORE_THANKSGIVING + timedelta(hours=24)),
    ],
)
def test_the_outer_limit_is_the_places_law(
    purpose: Purpose, place: tuple[str, str], law: str, end: datetime
) -> None:
    found = deadlines.limit(
        load_pack(), purpose=purpose, places=[place], zone="America/New_York", at=BEFORE_THANKSGIVING
    )
    assert law in found.law
    assert found.at == end


@pytest.mark.parametrize("places", [[], [("US", "TX")]])
def test_where_no_law_names_a_time_our_own_target_is_the_limit(places: list[tuple[str, str]]) -> None:
    found = deadlines.limit(
        load_pack(), purpose=Purpose.RECORD, places=places, zone="America/New_York", at=NOON
    )
    assert found == deadlines.Limit(NOON + deadlines.TARGET, "", "")


def test_a_number_that_does_not_open_keeps_nobodys_wish_waiting(cast: Cast) -> None:
    connect(cast)
    connect(cast, client=cast.plumber)
    broken = withdraw(cast)
    withdraw(cast, client=cast.plumber)
    with job_scope(agency_id=cast.acme.pk), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE calls_caller SET number = set_byte(number, 20, get_byte(number, 20) # 1) WHERE id = %s",
            [broken],
        )

    withdrawals.carry_out(agency_id=cast.acme.pk, at=NOON)

    with job_scope(agency_id=cast.acme.pk):
        assert Withdrawal.objects.filter(planned_at=NOON).count() == 2
        named = {
            task.caller_id == broken: task.reference is not None
            for task in VendorTask.objects.filter(step__in=withdrawals.NAMES_CALLER)
        }
    assert named == {True: False, False: True}


def test_a_step_is_open_until_it_is_done_or_given_up(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        for state in WaitingState:
            VendorTask.objects.create(
                agency_id=cast.acme.pk, client=cast.dentist, step=VendorStep.DELETE_RECORDING, state=state,
                recording_id=uuid.uuid4(), law="house", created_at=NOON, target_at=NOON, outer_at=NOON,
            )  # fmt: skip
        is_open = {WaitingState(task.state): task.is_open for task in VendorTask.objects.all()}
        found = {WaitingState(task.state) for task in VendorTask.objects.for_client(cast.dentist).open()}

    assert found == {WaitingState.WAITING, WaitingState.SENT, WaitingState.FAILED}
    assert is_open == {state: state in found for state in WaitingState}
    with pytest.raises(NoScopeError):
        VendorTask.objects.open().exists()
