"""A call through the telephone menu, by the doors that Twilio uses: what is heard, recorded and written down."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client as Browser
from django.test import override_settings

from callprivacy.audit.models import HouseEvent
from callprivacy.calls.models import Call, Caller, CallRef, Connection, Inbox
from callprivacy.calls.services import connections, inbox
from callprivacy.calls.services.intake import TRACK
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import RetentionState
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import client_scope, job_scope, staff_scope
from callprivacy.vault import selectors as vault
from callprivacy.vault import services as vault_services
from callprivacy.work.models import Item
from consent import kinds as work_kinds
from consent.channels import twilio
from consent.enums import EventKind, NoticeState, Purpose, Scope, State, Strength, VendorStep, WaitingState
from consent.models import ConsentEvent, ConsentState, MenuSession, NoticeVersion, PhoneMenu, VendorTask
from consent.selectors import withdrawals as board
from consent.services import ledger, menu_calls, menus, vendor_tasks
from consent.tasks import menu_calls as tasks
from tests import make
from tests.cast import Cast
from tests.consent import twilio_side
from tests.consent.deciding import live
from tests.consent.twilio_side import ACCOUNT, CALL, CALLER, LINE, PERSON, RECORDING, TOKEN, Phone
from tests.make import NOON
from tests.scale import some

pytestmark = pytest.mark.django_db

ALL = {Purpose.RECORD, Purpose.REVIEW, Purpose.ANALYSE}


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture(autouse=True)
def _no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("celery.Task.apply_async", lambda *_args, **_kwargs: None)


@pytest.fixture
def connection(cast: Cast) -> Connection:
    return twilio_side.connect(cast.dentist)


@pytest.fixture
def phone(cast: Cast, connection: Connection) -> Phone:
    live(cast.dentist, since=NOON - timedelta(days=1))
    twilio_side.menu(cast.dentist, connection, spanish=True)
    return Phone(connection)


@pytest.fixture
def vendor() -> Iterator[twilio_side.Interface]:
    with twilio_side.interface() as found, override_settings(CALLPRIVACY_TWILIO_URL=found.url):
        yield found


def events(of: Client, **wanted: Any) -> list[ConsentEvent]:
    with job_scope(agency_id=of.agency_id):
        return list(ConsentEvent.objects.for_client(of).filter(**wanted).order_by("kind", "purpose"))


def kinds(of: Client) -> dict[tuple[str, str], set[str]]:
    """(kind, scope) -> purposes."""
    found: dict[tuple[str, str], set[str]] = {}
    for event in events(of):
        found.setdefault((event.kind, event.scope), set()).add(event.purpose)
    return found


def session(of: Client) -> MenuSession:
    with job_scope(agency_id=of.agency_id):
        return MenuSession.objects.for_client(of).select_related("client").get()


def evidence(of: Client, event: ConsentEvent) -> dict[str, Any]:
    with job_scope(agency_id=of.agency_id):
        stored = ConsentEvent.objects.get(pk=event.pk)
        found: dict[str, Any] = ledger.evidence_of(client=of, events=[stored], at=NOON)[event.pk]
        return found


# --- Each branch ---


def test_a_call_hears_the_notice_and_the_keys_and_is_not_recorded_yet(cast: Cast, phone: Phone) -> None:
    heard = phone.ring()
    gather = heard.find("Gather")
    assert gather is not None
    assert gather.attrib["numDigits"] == "1"
    assert gather.attrib["actionOnEmptyResult"] == "true"
    assert twilio_side.WORDS["en"] in phone.words
    assert "Para español" in phone.words
    assert not phone.records
    assert phone.dialled is None
    assert events(cast.dentist) == []


def test_1_records_and_connects_and_the_consent_is_there_with_the_words(cast: Cast, phone: Phone) -> None:
    phone.ring()
    heard = phone.press("1")
    assert phone.records
    assert phone.dialled == LINE
    assert [element.tag for element in heard] == ["Start", "Say", "Dial"]
    dial = heard.find("Dial")
    assert dial is not None
    assert "record" not in dial.attrib
    assert kinds(cast.dentist) == {
        (EventKind.NOTICED, Scope.THIS_CALL): ALL,
        (EventKind.GIVEN, Scope.THIS_CALL): ALL,
    }
    given = events(cast.dentist, kind=EventKind.GIVEN)[0]
    assert (given.strength, given.happened_at, given.recorded_by) == (Strength.A, NOON, "twilio.voice")
    assert given.version_id == session(cast.dentist).version_id
    shown = evidence(cast.dentist, given)
    assert shown["key"] == "1"
    assert shown["carrier_says"] == "TN-Validation-Passed-A"
    assert twilio_side.WORDS["en"] in shown["spoken"][0]
    assert "Press 1" in shown["spoken"][1]
    assert shown["version_digest"] == (b"d" * 32).hex()
    held = session(cast.dentist)
    assert (held.is_recording, held.recording_from, held.pressed) == (True, NOON, "1")
    assert CALL.encode() not in bytes(held.vendor_call.blob)


def test_the_events_name_the_call_that_later_comes_into_the_list(cast: Cast, phone: Phone) -> None:
    phone.ring()
    phone.press("1")
    phone.hang_up()
    assert inbox.process_batch(agency_id=cast.acme.pk, at=NOON) == 1
    with job_scope(agency_id=cast.acme.pk):
        reference = CallRef.objects.for_client(cast.dentist).get()
        given = ConsentEvent.objects.filter(kind=EventKind.GIVEN).first()
        assert given is not None
        assert bytes(given.call_digest or b"") == bytes(reference.digest)
        call = Call.objects.for_client(cast.dentist).get()
        assert call.caller_id == given.caller_id
    held = session(cast.dentist)
    assert (held.ended_at, held.is_recording) == (NOON, False)


@pytest.mark.parametrize(("key", "words"), [("2", "not recorded"), ("", "not recorded")])
def test_2_and_silence_are_a_refusal_for_this_call(cast: Cast, phone: Phone, key: str, words: str) -> None:
    phone.ring()
    phone.press(key)
    assert words in phone.words
    assert (phone.records, phone.dialled) == (False, LINE)
    assert kinds(cast.dentist) == {
        (EventKind.NOTICED, Scope.THIS_CALL): ALL,
        (EventKind.REFUSED, Scope.THIS_CALL): ALL,
    }
    with job_scope(agency_id=cast.acme.pk):
        assert not ConsentState.objects.for_client(cast.dentist).exists()


def test_0_leads_to_a_person_and_on_when_nobody_is_there(cast: Cast, phone: Phone) -> None:
    phone.ring()
    phone.press("0")
    assert (phone.records, phone.dialled) == (False, PERSON)
    phone.line_ends("no-answer")
    assert (phone.records, phone.dialled) == (False, LINE)
    heard = phone.line_ends("busy")
    assert heard.find("Hangup") is not None
    assert "No one is available to take" in phone.words


def test_9_is_for_good_and_the_number_is_not_asked_again(cast: Cast, phone: Phone) -> None:
    phone.ring()
    phone.press("9")
    assert (phone.records, phone.dialled) == (False, LINE)
    assert kinds(cast.dentist)[EventKind.WITHDRAWN, Scope.STANDING] == ALL
    with job_scope(agency_id=cast.acme.pk):
        states = ConsentState.objects.for_client(cast.dentist)
        assert {(row.purpose, row.state) for row in states} == {(one, State.WITHDRAWN) for one in ALL}
    assert set(vault.suppressed(cast.dentist.pk, [CALLER], on=NOON.date())[CALLER]) == ALL
    again = Phone(phone.connection, call="CA" + "d" * 32)
    again.ring()
    assert (again.heard.find("Gather"), again.records, again.dialled) == (None, False, LINE)
    other = Phone(phone.connection, call="CA" + "9" * 32, caller="+14155550102")
    other.ring()
    assert other.heard.find("Gather") is not None


@pytest.mark.parametrize(
    ("verification", "strength"),
    some(
        [("TN-Validation-Passed-A", "A"), ("TN-Validation-Passed-B", "C"), ("", "C")],
        one_in=3,
        each=lambda case: case[1],
    ),
)
def test_a_wish_for_good_is_as_strong_as_the_number(
    cast: Cast, phone: Phone, verification: str, strength: str
) -> None:
    phone.verification = verification
    phone.ring()
    phone.press("9")
    assert {event.strength for event in events(cast.dentist, kind=EventKind.WITHDRAWN)} == {strength}
    assert {event.strength for event in events(cast.dentist, kind=EventKind.REFUSED)} == {"A"}


def test_3_speaks_spanish_and_the_consent_names_the_spanish_words(cast: Cast, phone: Phone) -> None:
    phone.ring()
    english = session(cast.dentist).version_id
    phone.press("3")
    assert twilio_side.WORDS["es"] in phone.words
    say = phone.heard.find("Gather/Say")
    assert say is not None
    assert say.attrib["language"] == "es-US"
    phone.press("1")
    assert "se está grabando" in phone.words
    (given,) = {event.version_id for event in events(cast.dentist, kind=EventKind.GIVEN)}
    assert given != english
    told = events(cast.dentist, kind=EventKind.NOTICED, purpose=Purpose.RECORD)
    assert {event.version_id for event in told} == {english, given}


def test_a_key_that_means_nothing_repeats_the_notice_a_few_times(cast: Cast, phone: Phone) -> None:
    phone.ring()
    for _ in range(3):
        phone.press("7")
        assert phone.heard.find("Gather") is not None
    phone.press("7")
    assert (phone.records, phone.dialled) == (False, LINE)
    assert kinds(cast.dentist)[EventKind.REFUSED, Scope.THIS_CALL] == ALL


def test_who_hangs_up_during_the_notice_has_agreed_to_nothing(cast: Cast, phone: Phone) -> None:
    phone.ring()
    phone.hang_up()
    assert kinds(cast.dentist) == {(EventKind.REFUSED, Scope.THIS_CALL): ALL}
    assert evidence(cast.dentist, events(cast.dentist)[0])["without_a_key"] == "hung up"
    assert session(cast.dentist).ended_at == NOON


@pytest.mark.parametrize(
    "caller", some(["anonymous", "+266696687", "", "Restricted", "sip:alice@example.com"], one_in=5)
)
def test_without_a_caller_id_the_events_go_by_the_call_alone(cast: Cast, phone: Phone, caller: str) -> None:
    phone.caller = caller
    phone.ring()
    phone.press("1")
    assert phone.records
    assert {event.caller_id for event in events(cast.dentist)} == {None}
    assert evidence(cast.dentist, events(cast.dentist, kind=EventKind.GIVEN)[0])["number_withheld"] is True
    with job_scope(agency_id=cast.acme.pk):
        assert not Caller.objects.for_client(cast.dentist).exists()


def test_9_without_a_caller_id_promises_no_more_than_this_call(cast: Cast, phone: Phone) -> None:
    phone.caller = "anonymous"
    phone.ring()
    phone.press("9")
    assert "cannot apply your choice" in phone.words
    assert not events(cast.dentist, scope=Scope.STANDING)


def test_a_number_that_is_not_to_be_tracked_is_not_asked_and_not_recorded(cast: Cast, phone: Phone) -> None:
    with job_scope(agency_id=cast.acme.pk):
        vault_services.suppress(client_id=cast.dentist.pk, numbers=[CALLER], purposes={TRACK}, at=NOON)
    phone.ring()
    assert (phone.heard.find("Gather"), phone.records, phone.dialled) == (None, False, LINE)
    assert session(cast.dentist).caller_id is None
    assert not events(cast.dentist)


def test_only_what_the_notice_asked_for_is_given(cast: Cast, connection: Connection) -> None:
    version = twilio_side.notice(cast.dentist, purposes=("record", "contact"))
    twilio_side.menu(cast.dentist, connection, version=version)
    phone = Phone(connection)
    phone.ring()
    phone.press("1")
    assert kinds(cast.dentist)[EventKind.GIVEN, Scope.THIS_CALL] == {Purpose.RECORD}


# --- Asked twice, and in the wrong order ---


def test_asked_twice_it_is_answered_twice_and_written_down_once(cast: Cast, phone: Phone) -> None:
    phone.ring()
    first = phone.words
    phone.ring()
    assert phone.words == first
    question = phone.heard
    phone.press("1")
    before = len(events(cast.dentist))
    phone.heard = question
    phone.press("1")
    assert (phone.records, phone.dialled) == (True, LINE)
    assert len(events(cast.dentist)) == before


def test_another_key_for_a_question_that_is_over_changes_nothing(cast: Cast, phone: Phone) -> None:
    phone.ring()
    question = phone.heard
    phone.press("2")
    phone.heard = question
    phone.press("1")
    assert (phone.records, phone.dialled) == (False, LINE)
    assert (EventKind.GIVEN, Scope.THIS_CALL) not in kinds(cast.dentist)


def test_a_recording_that_runs_is_not_started_again(cast: Cast, phone: Phone) -> None:
    phone.ring()
    question = phone.heard
    phone.press("1")
    assert phone.recording().status_code == 200
    phone.heard = question
    phone.press("1")
    assert (phone.records, phone.dialled) == (False, LINE)


def test_a_step_for_a_call_that_never_came_connects_the_caller(cast: Cast, phone: Phone) -> None:
    phone.go(f"/twilio/{phone.connection.key}/voice/step/?asked=1", Digits="1")
    assert (phone.records, phone.dialled) == (False, LINE)
    assert events(cast.dentist) == []


def test_a_call_in_progress_and_a_leg_are_no_end(cast: Cast, phone: Phone) -> None:
    phone.ring()
    path = f"/twilio/{phone.connection.key}/voice/status/"
    for more in ({"CallStatus": "in-progress"}, {"CallStatus": "completed", "ParentCallSid": CALL}):
        assert twilio_side.post(path, phone.said(**more)).status_code == 200
    assert session(cast.dentist).ended_at is None


# --- Where there is nothing to ask ---


def test_a_menu_that_is_off_connects_unrecorded(cast: Cast, phone: Phone) -> None:
    with job_scope(agency_id=cast.acme.pk):
        PhoneMenu.objects.update(is_active=False)
    phone.ring()
    assert (phone.heard.find("Gather"), phone.records, phone.dialled) == (None, False, LINE)
    phone.line_ends()
    assert phone.heard.find("Hangup") is not None


def test_a_notice_that_was_retired_is_not_spoken(cast: Cast, phone: Phone) -> None:
    with job_scope(agency_id=cast.acme.pk):
        NoticeVersion.objects.filter(notice__language="en").update(state=NoticeState.RETIRED, retired_at=NOON)
    phone.ring()
    assert (phone.heard.find("Gather"), phone.records, phone.dialled) == (None, False, LINE)


def test_a_notice_retired_during_the_call_ends_the_asking(cast: Cast, phone: Phone) -> None:
    phone.ring()
    with job_scope(agency_id=cast.acme.pk):
        NoticeVersion.objects.update(state=NoticeState.RETIRED, retired_at=NOON)
    phone.press("7")
    assert (phone.heard.find("Gather"), phone.records, phone.dialled) == (None, False, LINE)


def test_a_number_without_a_menu_is_left_to_its_own_fallback(cast: Cast, phone: Phone) -> None:
    answer = twilio_side.post(f"/twilio/{phone.connection.key}/voice/", phone.said(To="+14155550177"))
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "broken", ["consent.services.ledger.record_events", "consent.channels.twiml.document"]
)
def test_whatever_fails_the_caller_is_connected_unrecorded(
    cast: Cast, phone: Phone, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    phone.ring()

    def fail(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError(CALLER)

    monkeypatch.setattr(broken, fail)
    phone.press("1")
    assert (phone.records, phone.dialled) == (False, LINE)
    assert events(cast.dentist) == []
    assert not session(cast.dentist).is_recording


def test_where_even_that_fails_twilio_hears_an_error_and_takes_its_fallback(
    cast: Cast, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_kwargs: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(menu_calls, "answer", fail)
    monkeypatch.setattr(menu_calls, "forward_line", fail)
    answer = twilio_side.post(f"/twilio/{phone.connection.key}/voice/", phone.said())
    assert answer.status_code == 500


# --- The doors ---

DOORS = ["voice/", "voice/step/?asked=1", "voice/status/", "voice/recording/", "voice/reading/"]


@pytest.mark.parametrize("door", DOORS)
def test_a_forged_signature_is_refused_and_an_unknown_key_is_none(phone: Phone, door: str) -> None:
    said = phone.said()
    path = f"/twilio/{phone.connection.key}/{door}"
    assert twilio_side.post(path, said, signature="bm8=").status_code == 403
    assert twilio_side.post(path, said, token="another-token-0123456789").status_code == 403
    assert twilio_side.post(f"/twilio/no-such-key/{door}", said).status_code == 404
    assert HouseEvent.objects.filter(action="hook.refused").count() == 1


@pytest.mark.parametrize("door", DOORS)
def test_another_trackers_key_and_a_closed_one_are_none(cast: Cast, phone: Phone, door: str) -> None:
    with job_scope(agency_id=cast.acme.pk):
        other = connections.create_connection(
            client=cast.dentist, provider="callrail", name="Other", secret=TOKEN, by=make.JOB, at=NOON
        )
        Connection.objects.filter(pk=phone.connection.pk).update(is_active=False)
    for key in (other.key, phone.connection.key):
        assert twilio_side.post(f"/twilio/{key}/{door}", phone.said()).status_code == 404


def test_the_body_has_limits(phone: Phone) -> None:
    path = f"/twilio/{phone.connection.key}/voice/"
    browser = Browser()
    assert browser.post(path, b"{}", content_type="application/json").status_code == 415
    too_much = browser.post(path, b"a" * (1024 * 1024 + 1), content_type=twilio_side.FORM)
    assert too_much.status_code == 413
    assert browser.get(path).status_code == 405


def test_a_call_without_an_id_is_not_asked(cast: Cast, phone: Phone) -> None:
    phone.ring(CallSid="../Messages")
    assert phone.dialled == LINE
    with job_scope(agency_id=cast.acme.pk):
        assert not MenuSession.objects.exists()


def test_the_first_genuine_event_names_the_account_and_another_one_is_refused(
    cast: Cast, phone: Phone
) -> None:
    phone.ring()
    with job_scope(agency_id=cast.acme.pk):
        assert Connection.objects.get(pk=phone.connection.pk).mapping == {"account": ACCOUNT}
    path = f"/twilio/{phone.connection.key}/voice/"
    assert twilio_side.post(path, phone.said(AccountSid="AC" + "b" * 32)).status_code == 403


def test_another_clients_door_leads_to_its_own_menu_alone(cast: Cast, phone: Phone) -> None:
    elsewhere = twilio_side.connect(cast.plumber)
    answer = twilio_side.post(f"/twilio/{elsewhere.key}/voice/", phone.said())
    assert answer.status_code == 404


# --- Stopping a recording that runs ---


def withdraw(cast: Cast, *, by_agent: bool = False) -> int:
    caller_id = session(cast.dentist).caller_id
    assert caller_id is not None
    scope = (
        staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id)
        if by_agent
        else client_scope(agency_id=cast.acme.pk, client_id=cast.dentist.pk)
    )
    with scope:
        return menu_calls.stop_running(
            client=cast.dentist, caller_id=caller_id, by=Actor.client("tests"), at=NOON
        )


def orders(cast: Cast) -> dict[str, VendorTask]:
    with job_scope(agency_id=cast.acme.pk):
        return {task.step: task for task in VendorTask.objects.for_client(cast.dentist)}


@pytest.mark.parametrize("by_agent", [pytest.param(True, marks=pytest.mark.thorough), False])
def test_a_withdrawal_during_the_call_stops_and_deletes_at_twilio(
    cast: Cast, phone: Phone, vendor: twilio_side.Interface, by_agent: bool
) -> None:
    phone.ring()
    phone.press("1")
    assert withdraw(cast, by_agent=by_agent) == 1
    held = session(cast.dentist)
    assert (held.is_recording, held.stopped_at) == (False, NOON)
    tasks.stop_recordings(agency_id=cast.acme.pk)
    stop, delete = vendor.asked
    base = f"/2010-04-01/Accounts/{ACCOUNT}"
    assert (stop.method, stop.path) == ("POST", f"{base}/Calls/{CALL}/Recordings/Twilio.CURRENT.json")
    assert stop.said == {"Status": "stopped"}
    assert (delete.method, delete.path) == ("DELETE", f"{base}/Recordings/{RECORDING}.json")
    assert stop.authorization.startswith("Basic ")
    found = orders(cast)
    assert {task.state for task in found.values()} == {WaitingState.DONE}
    assert found[VendorStep.STOP_RECORDING].receipt == f"{RECORDING} stopped"
    assert found[VendorStep.DELETE_RECORDING].receipt == f"{RECORDING} deleted"
    tasks.stop_recordings(agency_id=cast.acme.pk)
    assert len(vendor.asked) == 2


def observe(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(
            retention_state=RetentionState.OBSERVE, went_live_at=None
        )


@pytest.mark.thorough
def test_while_observed_a_recording_is_stopped_and_deleted_only_after_going_live(
    cast: Cast, phone: Phone, vendor: twilio_side.Interface
) -> None:
    observe(cast)
    phone.ring()
    phone.press("1")
    withdraw(cast)
    tasks.stop_recordings(agency_id=cast.acme.pk)
    assert [one.method for one in vendor.asked] == ["POST"]
    found = orders(cast)
    assert found[VendorStep.STOP_RECORDING].state == WaitingState.DONE
    delete = found[VendorStep.DELETE_RECORDING]
    assert (delete.state, delete.attempts) == (WaitingState.WAITING, 0)
    with job_scope(agency_id=cast.acme.pk):
        step = board.step_of(cast.dentist, delete.pk, at=NOON + timedelta(days=9))
        assert step is not None
        assert step.waits_for == "Waiting until this client is live. Then it is sent automatically."
        assert not step.is_late
        assert not menu_calls.has_due(agency_id=cast.acme.pk, at=NOON)
    live(cast.dentist, since=NOON)
    tasks.stop_recordings(agency_id=cast.acme.pk)
    assert [one.method for one in vendor.asked] == ["POST", "DELETE"]
    assert orders(cast)[VendorStep.DELETE_RECORDING].state == WaitingState.DONE


def test_a_hold_on_the_call_keeps_what_a_menu_recorded(
    cast: Cast, phone: Phone, vendor: twilio_side.Interface
) -> None:
    phone.ring()
    phone.press("1")
    withdraw(cast)
    call = make.call(cast.dentist, CALLER, at=NOON, on_hold=True)
    with job_scope(agency_id=cast.acme.pk):
        CallRef.objects.create(
            agency_id=cast.acme.pk, client=cast.dentist, provider="twilio", kind="sid",
            digest=bytes(session(cast.dentist).call_digest), call=call,
        )  # fmt: skip
    tasks.stop_recordings(agency_id=cast.acme.pk)
    assert [one.method for one in vendor.asked] == ["POST"]
    with job_scope(agency_id=cast.acme.pk):
        step = board.step_of(cast.dentist, orders(cast)[VendorStep.DELETE_RECORDING].pk, at=NOON)
        assert step is not None
        assert step.waits_for == "Waiting until the legal hold on the call ends."
        Call.objects.filter(pk=call.pk).update(on_hold=False)
    tasks.stop_recordings(agency_id=cast.acme.pk)
    assert [one.method for one in vendor.asked] == ["POST", "DELETE"]


@pytest.mark.thorough
def test_what_twilio_goes_on_not_doing_is_somebodys_work_until_it_is_done(
    cast: Cast, phone: Phone, vendor: twilio_side.Interface
) -> None:
    def waiting() -> list[int | None]:
        with job_scope(agency_id=cast.acme.pk):
            items = Item.objects.open().filter(client=cast.dentist, kind=work_kinds.VENDOR_FAILS)
            return list(items.values_list("count", flat=True))

    phone.ring()
    phone.press("1")
    phone.recording()
    withdraw(cast)
    at = NOON
    for asked in range(1, board.LOUD_AFTER + 1):
        assert waiting() == []
        vendor.answers = [(503, {}), (503, {})]
        with time_machine.travel(at, tick=False):
            tasks.stop_recordings(agency_id=cast.acme.pk)
        assert {task.attempts for task in orders(cast).values()} == {asked}
        at += timedelta(hours=1)
    assert waiting() == [2]
    stop = orders(cast)[VendorStep.STOP_RECORDING]
    by = Actor.staff(user_id=cast.alice.user_id)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        vendor_tasks.try_again(task=stop, by=by, at=at)
        with pytest.raises(vendor_tasks.NotOpenError):
            vendor_tasks.try_again(task=stop, by=by, at=at)
    with time_machine.travel(at, tick=False):
        tasks.stop_recordings(agency_id=cast.acme.pk)
    assert {task.state for task in orders(cast).values()} == {WaitingState.DONE}
    assert waiting() == []


def test_nothing_is_asked_of_a_call_that_is_not_recorded(cast: Cast, phone: Phone) -> None:
    phone.ring()
    phone.press("2")
    assert withdraw(cast) == 0
    assert orders(cast) == {}


def test_a_recording_that_is_over_cannot_be_stopped_any_more(cast: Cast, phone: Phone) -> None:
    phone.ring()
    phone.press("1")
    phone.recording("completed", RecordingDuration="9")
    assert withdraw(cast) == 0


def test_what_twilio_cannot_do_now_is_tried_again_and_what_it_refuses_is_shown(
    cast: Cast, phone: Phone, vendor: twilio_side.Interface
) -> None:
    phone.ring()
    phone.press("1")
    withdraw(cast)
    vendor.answers = [(503, {}), (204, {})]
    tasks.stop_recordings(agency_id=cast.acme.pk)
    found = orders(cast)
    stop = found[VendorStep.STOP_RECORDING]
    assert (stop.state, stop.last_error) == (
        WaitingState.WAITING,
        "Twilio did not complete the request: answered 503.",
    )
    assert stop.due_at is not None
    assert stop.due_at > NOON
    assert found[VendorStep.DELETE_RECORDING].last_error == "Twilio has not named the recording yet."
    with time_machine.travel(NOON + timedelta(minutes=5), tick=False):
        vendor.answers = [(401, {"code": 20003})]
        tasks.stop_recordings(agency_id=cast.acme.pk)
    stop = orders(cast)[VendorStep.STOP_RECORDING]
    assert (stop.state, stop.due_at) == (WaitingState.FAILED, None)
    assert "401" in stop.last_error
    with job_scope(agency_id=cast.acme.pk):
        assert Item.objects.open().filter(kind=work_kinds.VENDOR_FAILS).count() == 1


def test_a_call_that_ended_first_is_as_good_as_stopped_and_the_callback_names_the_recording(
    cast: Cast, phone: Phone, vendor: twilio_side.Interface
) -> None:
    phone.ring()
    phone.press("1")
    withdraw(cast)
    vendor.answers = [(404, {"code": 20404})]
    tasks.stop_recordings(agency_id=cast.acme.pk)
    assert orders(cast)[VendorStep.STOP_RECORDING].state == WaitingState.DONE
    assert phone.recording("completed", RecordingDuration="9").status_code == 200
    tasks.stop_recordings(agency_id=cast.acme.pk)
    assert vendor.asked[-1].path.endswith(f"/Recordings/{RECORDING}.json")
    assert orders(cast)[VendorStep.DELETE_RECORDING].state == WaitingState.DONE


def test_a_recording_that_twilio_does_not_have_any_more_is_deleted(
    cast: Cast, phone: Phone, vendor: twilio_side.Interface
) -> None:
    phone.ring()
    phone.press("1")
    phone.recording()
    withdraw(cast)
    vendor.answers = [(200, {"sid": RECORDING, "status": "stopped"}), (404, {"code": 20404})]
    tasks.stop_recordings(agency_id=cast.acme.pk)
    assert orders(cast)[VendorStep.DELETE_RECORDING].receipt == f"{RECORDING} not found"


def sweep() -> None:
    tasks.stop_recordings()
    tasks.purge_menu_calls()


def test_the_sweep_sends_the_task_only_where_something_is_due_and_lets_old_sessions_leave(
    cast: Cast, phone: Phone, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    sent: list[int] = []
    monkeypatch.setattr(
        tasks.stop_recordings, "apply_async", lambda *, kwargs, **_: sent.append(kwargs["agency_id"])
    )
    phone.ring()
    phone.press("1")
    sweep()
    assert sent == []
    withdraw(cast)
    with django_capture_on_commit_callbacks(execute=True):
        sweep()
    assert sent == [cast.acme.pk]
    with time_machine.travel(NOON + timedelta(days=31), tick=False):
        sweep()
        with job_scope(agency_id=cast.acme.pk):
            assert MenuSession.objects.count() == 1, "its recording is not deleted yet"
            VendorTask.objects.update(state=WaitingState.DONE)
        sweep()
    with job_scope(agency_id=cast.acme.pk):
        assert MenuSession.objects.count() == 0
        assert ConsentEvent.objects.filter(kind=EventKind.GIVEN).exists()


def test_9_on_one_call_stops_the_recording_of_another(cast: Cast, phone: Phone) -> None:
    phone.ring()
    phone.press("1")
    other = Phone(phone.connection, call="CA" + "d" * 32)
    other.ring()
    other.press("9")
    stop = orders(cast)[VendorStep.STOP_RECORDING]
    withdrawn = events(cast.dentist, kind=EventKind.WITHDRAWN, purpose=Purpose.RECORD)
    assert stop.event_id == withdrawn[0].pk


def test_no_number_and_no_token_is_said_by_an_error() -> None:
    account = twilio.Account(ACCOUNT, TOKEN)
    assert TOKEN not in repr(account)
    with pytest.raises(twilio.RefusedError):
        twilio.delete_recording(account, recording="../Messages")
    unreachable = twilio.Account(ACCOUNT, TOKEN, "http://127.0.0.1:9")
    with pytest.raises(twilio.RetryableError) as error:
        twilio.send_text(unreachable, to=CALLER, sender=LINE, words="Hello")
    assert CALLER not in str(error.value)


def test_what_is_set_up_by_hand_may_not_go_in_circles(cast: Cast, connection: Connection) -> None:
    held = twilio_side.menu(cast.dentist, connection, active=False, forward_to=twilio_side.TRACKING)
    with job_scope(agency_id=cast.acme.pk), pytest.raises(menus.NotReadyError, match="calls loop"):
        menus.activate_menu(menu=held, by=make.JOB, at=NOON)


def test_the_inbox_keeps_what_the_status_door_brings(cast: Cast, phone: Phone) -> None:
    phone.ring()
    phone.hang_up()
    phone.hang_up()
    with job_scope(agency_id=cast.acme.pk):
        assert Inbox.objects.count() == 1
