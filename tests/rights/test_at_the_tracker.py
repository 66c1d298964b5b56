"""What a tracker has of an erased person is asked for when our own copy goes, also where the call's record stays."""

from datetime import datetime, timedelta

import pytest

from callprivacy.audit.models import Event
from callprivacy.calls.enums import Direction, RecordingState
from callprivacy.calls.models import Call, CallRef, Recording
from callprivacy.tenancy.enums import Answerer, Sector
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from consent.enums import VendorStep, WaitingState
from consent.models import VendorTask
from consent.services import menu_calls
from retention.enums import LeftoverState
from retention.models import Leftover
from rights.enums import Ask, Copies, Decided, StepKind
from rights.models import Step, Submission
from rights.selectors import letters, reach
from rights.services import deciding, erasing
from rights.services.steps import LEASE
from tests import make
from tests.cast import Cast
from tests.consent.test_quarantine import store
from tests.retention.test_vendors import AT_CALLRAIL, AT_TWILIO, RE, connect, live
from tests.rights import asking
from tests.rights.asking import ANNA, Office
from tests.rights.test_erasing import LATER, keep_calls_out, line, ready
from tests.rights.test_rests import LIFTED, OLD, erased, lifted, placed, swept

pytestmark = pytest.mark.django_db


@pytest.fixture
def office(cast: Cast) -> Office:
    make.grant(cast.alice, cast.dentist)
    asking.answered_by(cast.dentist, Answerer.AGENCY)
    live(cast.dentist, instructed=True)
    return Office(cast)


def recorded(client: Client, *, provider: str = "twilio", at: datetime = make.NOON) -> Recording:
    """A recording of a call out of which a law keeps the record, as its tracker names it."""
    keep_calls_out(client, 2000)
    call = make.call(client, ANNA, at=at, direction=Direction.OUTBOUND, connection=connect(client, provider))
    address = AT_TWILIO if provider == "twilio" else AT_CALLRAIL
    recording = make.recording(call, address)
    with job_scope(agency_id=client.agency_id):
        CallRef.objects.create(
            agency_id=client.agency_id, client_id=client.pk, call=call, provider=provider, kind="id", digest=b"1" * 32
        )  # fmt: skip
        Recording.objects.filter(pk=recording.pk).update(provider=provider)
        return Recording.objects.select_related("call").get(pk=recording.pk)


def steps(client: Client) -> list[VendorTask]:
    with job_scope(agency_id=client.agency_id):
        return list(VendorTask.objects.for_client(client).filter(step=VendorStep.DELETE_RECORDING))


def test_what_was_said_on_a_call_whose_record_a_law_keeps_is_asked_for_at_the_tracker(
    cast: Cast, office: Office
) -> None:
    recording = recorded(cast.dentist)

    submission = erased(cast, office)

    with job_scope(agency_id=cast.acme.pk):
        assert Call.objects.filter(pk=recording.call_id).exists()
        assert Recording.objects.get(pk=recording.pk).state == RecordingState.GONE
    (task,) = steps(cast.dentist)
    assert (task.recording_id, task.by_ticket) == (recording.pk, False)
    with job_scope(agency_id=cast.acme.pk):
        erasing_ = Event.objects.get(action="person.erasing")
        step = Step.objects.get(kind=StepKind.ERASE)
        assert Leftover.objects.get().state == LeftoverState.ASKED
        assert Recording.objects.get().vendor_told_at == LATER
    assert (erasing_.details["calls"], erasing_.details["words"], erasing_.details["errands"]) == (0, 1, 1)
    (outcome,) = step.outcome.values()
    assert outcome["vendor"] == {"erased": 1, "kept": 0, "why": ""}
    assert (line(submission, Copies.RECORDINGS).erased, line(submission, Copies.VENDOR).erased) == (1, 1)
    # Our own is gone: Twilio is asked, of this recording.
    order = menu_calls.claim_order(agency_id=cast.acme.pk, at=LATER)
    assert order is not None
    assert order.recording == RE


def told(submission: Submission) -> tuple[str, str]:
    """What the letter says was done, and what stays."""
    with job_scope(agency_id=submission.agency_id):
        facts = letters.facts_of(asking.case_of(submission, Ask.DELETE))
    return facts["done"], facts["stays"]


def test_letter_counts_a_recording_as_deleted_once_the_tracker_has_confirmed_it(
    cast: Cast, office: Office
) -> None:
    recorded(cast.dentist)
    submission = erased(cast, office)
    done, stays = told(submission)
    assert "tracker" not in done
    assert "Recordings at the call tracker (Twilio): 1. Their deletion is planned" in stays

    (task,) = steps(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        VendorTask.objects.filter(pk=task.pk).update(state=WaitingState.SENT, sent_at=LATER)
    assert "Their deletion was requested: 1 of 1 requests sent." in told(submission)[1]

    with job_scope(agency_id=cast.acme.pk):
        VendorTask.objects.filter(pk=task.pk).update(state=WaitingState.DONE, done_at=LATER)
    done, stays = told(submission)
    assert "Recordings whose deletion the call tracker has confirmed: 1" in done
    assert "tracker" not in stays


def test_who_decides_is_shown_that_what_was_said_leaves_there_too(cast: Cast, office: Office) -> None:
    recorded(cast.dentist)
    submission = ready(cast.dentist, cast)
    with job_scope(agency_id=cast.acme.pk):
        (shown,) = reach.preview(reach.targets_of(asking.case_of(submission, Ask.DELETE)), at=make.NOON)
    assert (shown.calls, shown.by_law, shown.recordings, shown.at_vendor) == (0, 1, 1, 1)


def test_without_an_instruction_it_is_listed_and_the_letter_says_that_it_is_there(
    cast: Cast, office: Office
) -> None:
    live(cast.dentist, instructed=False)
    recording = recorded(cast.dentist, provider="callrail")
    submission = erased(cast, office)
    assert steps(cast.dentist) == []
    with job_scope(agency_id=cast.acme.pk):
        found = Leftover.objects.get()
        assert Recording.objects.get().vendor_told_at is None
    assert (found.pk, found.state) == (recording.pk, LeftoverState.OPEN)
    at_tracker = line(submission, Copies.VENDOR)
    assert (at_tracker.erased, at_tracker.stays) == (0, {erasing.TRACKER: 1})
    done, stays = told(submission)
    assert "tracker" not in done
    assert (
        "Recordings at the call tracker (CallRail): 1. We have no record that each of them was deleted there"
        in stays
    )

    # When the record's own day comes, it is neither listed nor counted a second time.
    swept(cast, at=make.NOON + timedelta(days=1830))
    with job_scope(agency_id=cast.acme.pk):
        assert not Call.objects.exists()
        assert Leftover.objects.get().pk == recording.pk
    assert line(submission, Copies.VENDOR).kept == 1


@pytest.mark.parametrize("times", [1, 2])
def test_nobody_is_sent_there_twice(cast: Cast, office: Office, times: int) -> None:
    recorded(cast.dentist)
    submission = erased(cast, office)
    for number in range(times):
        case = asking.case_of(submission, Ask.DELETE)
        with job_scope(agency_id=cast.acme.pk):
            (target,) = reach.targets_of(case)
        at = LATER + timedelta(hours=number + 1)
        erasing.erase_person(target=target, by=erasing.JOB, clock=lambda at=at: at)  # type: ignore[misc]
    swept(cast, at=make.NOON + timedelta(days=1830))
    with job_scope(agency_id=cast.acme.pk):
        assert not Call.objects.exists()
    assert len(steps(cast.dentist)) == 1
    assert line(submission, Copies.VENDOR).erased == 1


def decided(cast: Cast, office: Office, submission: Submission) -> None:
    case = asking.case_of(submission, Ask.DELETE)
    office.does(deciding.decide, case=case, decided=Decided.FULFIL, ground="", words="")
    asking.work(cast.acme, at=LATER)


def test_a_worker_that_dies_before_our_own_is_gone_asks_once(
    cast: Cast, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(cast.dentist)
    destroy, died = erasing._destroy, list[datetime]()

    def dies(*args: object, at: datetime, **facts: object) -> bool:
        if not died:
            died.append(at)
            raise KeyboardInterrupt
        return destroy(*args, at=at, **facts)  # type: ignore[arg-type]

    monkeypatch.setattr(erasing, "_destroy", dies)
    submission = ready(cast.dentist, cast)
    with pytest.raises(KeyboardInterrupt):
        decided(cast, office, submission)
    assert len(steps(cast.dentist)) == 1

    asking.work(cast.acme, at=LATER + LEASE)

    assert len(steps(cast.dentist)) == 1
    with job_scope(agency_id=cast.acme.pk):
        row = Recording.objects.get()
    assert (row.state, row.reference, row.vendor_told_at) == (RecordingState.GONE, None, LATER + LEASE)
    assert (line(submission, Copies.RECORDINGS).erased, line(submission, Copies.VENDOR).erased) == (1, 1)


def test_a_hold_keeps_what_the_tracker_has_and_it_is_asked_for_once_the_hold_ends(
    cast: Cast, office: Office
) -> None:
    recording = recorded(cast.dentist, at=OLD)
    hold = placed(cast, call_ids=frozenset({recording.call_id}))
    submission = erased(cast, office)
    with job_scope(agency_id=cast.acme.pk):
        assert not Leftover.objects.exists()
        assert Recording.objects.get().state != RecordingState.GONE
    assert steps(cast.dentist) == []
    assert line(submission, Copies.RECORDINGS).stays == {"hold": 1}
    assert line(submission, Copies.VENDOR).erased == 0

    lifted(cast, hold)
    swept(cast)

    with job_scope(agency_id=cast.acme.pk):
        assert Call.objects.filter(pk=recording.call_id).exists(), "the law keeps the record"
        assert Recording.objects.get().state == RecordingState.GONE
    (task,) = steps(cast.dentist)
    assert (task.recording_id, task.state) == (recording.pk, WaitingState.WAITING)
    assert line(submission, Copies.VENDOR).erased == 1
    swept(cast, at=LIFTED + timedelta(hours=1))
    swept(cast, at=make.NOON + timedelta(days=1830))
    assert (len(steps(cast.dentist)), line(submission, Copies.VENDOR).erased) == (1, 1)


def test_a_hold_that_alone_kept_a_call_keeps_what_the_tracker_has_as_long(cast: Cast, office: Office) -> None:
    recording = recorded(cast.dentist, at=OLD)
    keep_calls_out(cast.dentist, 365)
    hold = placed(cast, call_ids=frozenset({recording.call_id}))
    submission = erased(cast, office)
    assert steps(cast.dentist) == []
    lifted(cast, hold)
    swept(cast)
    with job_scope(agency_id=cast.acme.pk):
        assert not Call.objects.exists()
    assert len(steps(cast.dentist)) == 1
    assert line(submission, Copies.VENDOR).erased == 1


def test_where_a_law_wants_recordings_kept_too_the_trackers_goes_with_ours(
    cast: Cast, office: Office
) -> None:
    """What was said is kept from an erasure by a hold alone (docs/adr/0149); Medicare's six years want a reason."""
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(sector=Sector.HEALTH)
    recording = recorded(cast.dentist)
    submission = erased(cast, office)
    with job_scope(agency_id=cast.acme.pk):
        assert Recording.objects.get().state == RecordingState.GONE
    assert [task.recording_id for task in steps(cast.dentist)] == [recording.pk]
    assert line(submission, Copies.RECORDINGS).stays == {}


def test_what_one_hold_leaves_at_the_tracker_is_beside_what_was_left_there_before(
    cast: Cast, office: Office
) -> None:
    live(cast.dentist, instructed=False)
    recording = recorded(cast.dentist, at=OLD)
    make.recording(make.call(cast.dentist, ANNA), "https://vendor.example/r/2")
    hold = placed(cast, call_ids=frozenset({recording.call_id}))
    submission = erased(cast, office)
    assert line(submission, Copies.VENDOR).stays == {erasing.TRACKER: 1}
    lifted(cast, hold)
    swept(cast)
    assert line(submission, Copies.VENDOR).stays == {erasing.TRACKER: 2}


def test_the_stored_file_of_a_call_that_stays_is_gone_at_once(cast: Cast, office: Office) -> None:
    recording = recorded(cast.dentist)
    store(recording.call)
    assert len(files.recording_ids(cast.dentist.pk)) == 1
    erased(cast, office)
    assert list(files.recording_ids(cast.dentist.pk)) == []
