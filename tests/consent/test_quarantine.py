"""Quarantine: what is withheld has a date, and what leaves by it, in an order that no crash spoils."""

import dataclasses
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings
from django.urls import reverse

from callprivacy.accounts.enums import Role
from callprivacy.accounts.forms import EngagementForm
from callprivacy.audit.models import Event
from callprivacy.calls.enums import RecordingState, TranscriptState
from callprivacy.calls.models import Call, CallPress, Recording, Transcript
from callprivacy.calls.services import erasure, intake
from callprivacy.tenancy.enums import RetentionState
from callprivacy.tenancy.models import Client, Engagement
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.vault import files
from callprivacy.vault import selectors as vault
from callprivacy.vault.models import RecordingKey
from callprivacy.work.models import Item
from consent import kinds
from consent.enums import EventKind
from consent.models import Rejudgement, VendorTask
from consent.selectors import decisions as selectors
from consent.services import quarantine, rejudging
from retention import targets
from retention.enums import LeftoverState
from retention.models import GoLive, Leftover
from retention.selectors import runs as kept
from retention.services import going_live, policies, runs, sweeping
from tests import make
from tests.accounts.browsers import signed_in
from tests.calls.saying import fact, told
from tests.cast import Cast
from tests.consent.deciding import (
    NEW_YORK,
    START,
    digest,
    live,
    recorded,
    recording,
    say,
    transcript,
    worded,
    work,
)
from tests.make import NOON
from tests.retention.expiry import expire_calls
from tests.scale import some

pytestmark = pytest.mark.as_committed

DAY3 = NOON + timedelta(hours=72)


@pytest.fixture(autouse=True)
def media(tmp_path: Path) -> Any:
    with override_settings(MEDIA_ROOT=tmp_path):
        yield tmp_path


def hold(call: Call) -> None:
    with job_scope(agency_id=call.agency_id):
        Call.objects.filter(pk=call.pk).update(on_hold=True)


def store(call: Call) -> uuid.UUID:
    """A stored file of a call's recording."""
    row, file_id = recording(call), uuid.uuid4()
    key = vault.recording_keys(row.client_id, [row.pk])[row.pk]
    with files.RecordingWriter(row.client_id, file_id, key) as out:
        out.write(b"spoken")
    with job_scope(agency_id=call.agency_id):
        Recording.objects.filter(pk=row.pk).update(
            file_key=file_id, file_size=6, media_type="audio/wav", stored_at=NOON
        )
    return file_id


def items(client: Client, kind: str) -> list[tuple[int | None, Any]]:
    with job_scope(agency_id=client.agency_id):
        rows = Item.objects.open().filter(kind=kind, client=client)
        return list(rows.values_list("count", "due_at"))


def empty(client: Client, at: Any = DAY3) -> int:
    """One run of retention's job over quarantine."""
    return runs.work_quarantine(agency_id=client.agency_id, until=at + timedelta(minutes=1), clock=lambda: at)


def gone(call: Call) -> bool:
    row = recording(call)
    has_key = RecordingKey.objects.filter(id=row.pk).exists()
    is_gone = row.state == RecordingState.GONE and row.reference is None and row.due_at is None
    assert is_gone != has_key
    return is_gone


# --- A date ---


def test_an_observed_clients_recordings_have_no_date_and_the_page_can_say_how_many_would(cast: Cast) -> None:
    call, late, held = recorded(cast.dentist), recorded(cast.dentist, came_late=True), recorded(cast.dentist)
    hold(held)
    work(cast.dentist)
    assert recording(call).due_at is None
    assert items(cast.dentist, kinds.WITHHELD_RECORDINGS) == []
    with job_scope(agency_id=cast.acme.pk):
        counts = selectors.record_counts(cast.dentist)
    assert (counts.withheld, counts.came_late, counts.held, counts.would_leave, counts.due) == (3, 1, 1, 1, 0)
    assert recording(late).due_at is None


def test_at_a_live_client_it_leaves_72_hours_after_the_decision(cast: Cast) -> None:
    live(cast.dentist)
    call = recorded(cast.dentist)
    words = worded(call, "hello")
    work(cast.dentist)
    assert recording(call).due_at == DAY3
    assert transcript(call).due_at == DAY3
    assert transcript(call).pk == words.pk
    assert items(cast.dentist, kinds.WITHHELD_RECORDINGS) == [(1, DAY3)]


def test_imported_history_and_held_calls_have_no_date(cast: Cast) -> None:
    live(cast.dentist)
    late, held = recorded(cast.dentist, came_late=True), recorded(cast.dentist)
    hold(held)
    work(cast.dentist)
    assert (recording(late).due_at, recording(held).due_at) == (None, None)


def test_words_that_come_late_for_an_imported_call_stay(cast: Cast) -> None:
    """Whenever they come, and also where only the recording, or only the call, was imported."""
    told(cast.dentist, fact(references=(("id", "IMPORTED"),)), way=intake.Way.IMPORT)
    with job_scope(agency_id=cast.acme.pk):
        silent = Call.objects.get()
    assert silent.came_late
    heard, own = recorded(cast.dentist, came_late=True), recorded(cast.dentist)
    live(cast.dentist)
    for call in (silent, heard, own):
        worded(call, "hello")
    work(cast.dentist)
    assert [transcript(call).due_at for call in (silent, heard, own)] == [None, None, DAY3]
    with job_scope(agency_id=cast.acme.pk):
        Transcript.objects.update(due_at=NOON)
    empty(cast.dentist)
    found = [transcript(call).state for call in (silent, heard, own)]
    assert found == [TranscriptState.WITHHELD, TranscriptState.WITHHELD, TranscriptState.GONE]


def test_evidence_that_comes_before_the_date_takes_it_away(cast: Cast) -> None:
    live(cast.dentist)
    call = recorded(cast.dentist)
    work(cast.dentist)
    say(cast.dentist, EventKind.GIVEN, call.caller_id)
    work(cast.dentist, at=NOON + timedelta(hours=1))
    row = recording(call)
    assert (row.state, row.due_at) == (RecordingState.ALLOWED, None)
    assert items(cast.dentist, kinds.WITHHELD_RECORDINGS) == []


def test_deciding_again_does_not_move_the_date(cast: Cast) -> None:
    live(cast.dentist)
    call = recorded(cast.dentist)
    work(cast.dentist)
    say(cast.dentist, EventKind.NOTICED, call.caller_id)
    work(cast.dentist, at=NOON + timedelta(hours=40))
    assert recording(call).due_at == DAY3


def test_a_consent_that_turns_out_to_be_none_starts_the_clock_then(cast: Cast) -> None:
    live(cast.dentist)
    call = recorded(cast.dentist)
    say(cast.dentist, EventKind.GIVEN, call.caller_id)
    work(cast.dentist)
    say(cast.dentist, EventKind.INVALIDATED, call.caller_id, happened_at=START - timedelta(hours=1))
    work(cast.dentist, at=NOON + timedelta(days=30))
    assert recording(call).due_at == NOON + timedelta(days=33)


def _shown(cast: Cast, *, withheld: int, leaving: int) -> going_live.Shown:
    client = Client.objects.select_related("agency").get(pk=cast.dentist.pk)
    return going_live.Shown(
        due=targets.Due(0, 0, 0),
        allowed=0,
        withheld=withheld,
        leaving=leaving,
        besides=going_live.besides_shown(client=client, user_id=cast.alice.user_id, at=NOON),
        terms=kept.terms_of(client),
    )


@pytest.mark.usefixtures("one_signature")
def test_going_live_dates_what_is_withheld_already_and_observing_takes_it_away(cast: Cast) -> None:
    call, late = recorded(cast.dentist), recorded(cast.dentist, came_late=True)
    work(cast.dentist)
    signed_at = NOON + timedelta(days=5)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        shown = _shown(cast, withheld=2, leaving=1)
        going_live.go_live(client=cast.dentist, shown=shown, signed_by=cast.alice.user_id, at=signed_at)
        signed = GoLive.objects.get()
    assert (signed.recordings_withheld, signed.recordings_leaving, signed.quarantine_hours) == (2, 1, 72)
    work(cast.dentist, at=signed_at)
    assert recording(call).due_at == signed_at + timedelta(hours=72)
    assert recording(late).due_at is None
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        going_live.observe(client=cast.dentist, reason="We look again at it.", by=make.JOB, at=signed_at)
    work(cast.dentist, at=signed_at + timedelta(hours=1))
    assert recording(call).due_at is None
    assert items(cast.dentist, kinds.WITHHELD_RECORDINGS) == []


@pytest.mark.usefixtures("one_signature")
def test_a_signature_needs_the_counts_that_are_true(cast: Cast) -> None:
    for place in range(12):
        recorded(cast.dentist, f"+1415555{2000 + place}")
    work(cast.dentist)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        stale = _shown(cast, withheld=1, leaving=1)
    with (
        staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id),
        pytest.raises(policies.CountsChangedError),
    ):
        going_live.go_live(client=cast.dentist, shown=stale, signed_by=cast.alice.user_id, at=NOON)
    # A call that came in while the officer read does not make the page stale.
    shown = dataclasses.replace(stale, withheld=11, leaving=11)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        going_live.go_live(client=cast.dentist, shown=shown, signed_by=cast.alice.user_id, at=NOON)


def test_a_changed_time_moves_the_dates(cast: Cast) -> None:
    live(cast.dentist)
    call = recorded(cast.dentist)
    work(cast.dentist)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        client = Client.objects.get(pk=cast.dentist.pk)
        quarantine.change_handling(
            client=client, quarantine_hours=200, stores_recordings=False, takes_transcripts=False,
            is_signed=True, by=make.JOB, at=NOON,
        )  # fmt: skip
        event = Event.objects.get(action="handling.changed")
    assert event.details == {"quarantine_hours": 200, "was_quarantine_hours": 72}
    work(cast.dentist, at=NOON + timedelta(minutes=1))
    assert recording(call).due_at == NOON + timedelta(hours=200)


def test_at_a_live_client_fewer_hours_are_an_officers_and_count_from_then_on(cast: Cast) -> None:
    live(cast.dentist)
    before = recorded(cast.dentist)
    work(cast.dentist)
    rejudging.notice_changes(agency_id=cast.acme.pk, at=NOON)
    make.grant(cast.bob, cast.dentist, Role.OFFICER)
    address = reverse("consent:handling", args=["dentist"])
    assert (
        "is live. Only a compliance officer"
        in signed_in(cast.bob).post(address, {"quarantine_hours": "1"}).text
    )
    assert signed_in(cast.bob).post(address, {"quarantine_hours": "72"}).status_code == 302
    assert signed_in(cast.alice).post(address, {"quarantine_hours": "1"}).status_code == 302

    after = recorded(cast.dentist, "+14155552000")
    work(cast.dentist, at=NOON + timedelta(minutes=1))
    assert recording(before).due_at == NOON + timedelta(hours=72)
    assert recording(after).due_at == NOON + timedelta(hours=1, minutes=1)
    rejudging.notice_changes(agency_id=cast.acme.pk, at=NOON)
    assert len(items(cast.dentist, kinds.LEAVES_SOONER)) == 1


def test_at_a_live_client_more_hours_are_an_officers_too_and_officers_are_told(cast: Cast) -> None:
    live(cast.dentist)
    rejudging.notice_changes(agency_id=cast.acme.pk, at=NOON)
    make.grant(cast.bob, cast.dentist, Role.OFFICER)
    address = reverse("consent:handling", args=["dentist"])
    assert (
        "is live. Only a compliance officer"
        in signed_in(cast.bob).post(address, {"quarantine_hours": "2160"}).text
    )
    assert signed_in(cast.alice).post(address, {"quarantine_hours": "216"}).status_code == 302
    rejudging.notice_changes(agency_id=cast.acme.pk, at=NOON)
    assert len(items(cast.dentist, kinds.LEAVES_LATER)) == 1
    assert items(cast.dentist, kinds.LEAVES_SOONER) == []


@pytest.mark.usefixtures("one_signature")
def test_observing_and_going_live_again_brings_dates_nearer(cast: Cast) -> None:
    live(cast.dentist)
    call = recorded(cast.dentist)
    work(cast.dentist)
    for minute, hours in enumerate((2160, 72), start=1):
        with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
            quarantine.change_handling(
                client=cast.dentist, quarantine_hours=hours, stores_recordings=False, takes_transcripts=False,
                is_signed=True, by=make.JOB, at=NOON,
            )  # fmt: skip
        work(cast.dentist, at=NOON + timedelta(minutes=minute))
    assert recording(call).due_at == NOON + timedelta(hours=2160)

    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        going_live.observe(client=cast.dentist, reason="We look again at it.", by=make.JOB, at=NOON)
    work(cast.dentist, at=NOON + timedelta(minutes=3))
    again = NOON + timedelta(hours=1)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        shown = _shown(cast, withheld=1, leaving=1)
        going_live.go_live(client=cast.dentist, shown=shown, signed_by=cast.alice.user_id, at=again)
    work(cast.dentist, at=again)
    assert recording(call).due_at == again + timedelta(hours=72)


def test_at_a_live_client_an_officer_has_recordings_deleted_at_the_tracker_too(cast: Cast) -> None:
    live(cast.dentist)
    rejudging.notice_changes(agency_id=cast.acme.pk, at=NOON)
    with job_scope(agency_id=cast.acme.pk):
        kept = EngagementForm.values_of(Engagement.objects.get(client=cast.dentist))
    said = {name: value for name, value in kept.items() if value} | {"delete_at_vendor": "on"}
    address = reverse("accounts:edit_engagement", args=["dentist"])
    assert "Ask a compliance officer" in signed_in(cast.carol).post(address, said).text
    assert signed_in(cast.alice).post(address, said).status_code == 302
    rejudging.notice_changes(agency_id=cast.acme.pk, at=NOON)
    assert len(items(cast.dentist, kinds.LEAVES_SOONER)) == 1
    with job_scope(agency_id=cast.acme.pk):
        told_ = Event.objects.get(action="engagement.changed").details
    assert (told_["was_delete_at_vendor"], told_["delete_at_vendor"]) == (False, True)


@pytest.mark.parametrize("hours", [0, 2161])
def test_a_time_that_is_none_is_refused(cast: Cast, hours: int) -> None:
    with job_scope(agency_id=cast.acme.pk), pytest.raises(quarantine.HoursOutOfRangeError):
        quarantine.change_handling(
            client=cast.dentist, quarantine_hours=hours, stores_recordings=False, takes_transcripts=False,
            by=make.JOB, at=NOON,
        )  # fmt: skip


def test_saving_what_was_there_changes_nothing(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        quarantine.change_handling(
            client=cast.dentist, quarantine_hours=72, stores_recordings=False, takes_transcripts=False,
            by=make.JOB, at=NOON,
        )  # fmt: skip
        assert not Event.objects.filter(action="handling.changed").exists()
        assert not Rejudgement.objects.exists()


# --- Many on one number ---


@pytest.mark.parametrize(("count", "opens"), [(4, False), (5, True)])
def test_many_withheld_calls_on_one_number_open_an_incident(cast: Cast, count: int, opens: bool) -> None:
    live(cast.dentist)
    number = make.tracking_number(cast.dentist, "+14155550199")
    for place in range(count):
        recorded(cast.dentist, at=NOON - timedelta(hours=place + 1), tracking_number=number)
    recorded(cast.dentist, at=NOON - timedelta(hours=30), tracking_number=number)
    recorded(cast.dentist, at=NOON - timedelta(hours=1), tracking_number=number, came_late=True)
    recorded(cast.dentist, at=NOON - timedelta(hours=1))
    work(cast.dentist)
    assert items(cast.dentist, kinds.WITHHELD_ON_NUMBER) == ([(5, None)] if opens else [])
    with job_scope(agency_id=cast.acme.pk):
        found = selectors.numbers_with_many(cast.dentist, at=NOON)
    assert [(row.number.pk, row.calls) for row in found] == ([(number.pk, 5)] if opens else [])


def test_history_and_observed_clients_open_no_incident(cast: Cast) -> None:
    number = make.tracking_number(cast.dentist, "+14155550199")
    for place in range(9):
        recorded(cast.dentist, at=NOON - timedelta(hours=place + 1), tracking_number=number)
    work(cast.dentist)
    assert items(cast.dentist, kinds.WITHHELD_ON_NUMBER) == []


# --- Leaving ---


def test_when_its_date_comes_the_recording_leaves_and_the_call_stays(cast: Cast, media: Path) -> None:
    client = live(cast.dentist)
    call, other = recorded(client), recorded(client, NEW_YORK)
    worded(call, "hello")
    say(client, EventKind.GIVEN, other.caller_id)
    file_id = store(call)
    work(client)
    assert empty(client, DAY3 - timedelta(seconds=1)) == 0
    assert not gone(call)
    assert empty(client) == 2
    assert gone(call)
    row = recording(call)
    assert (row.gone_at, row.file_key, row.vendor_told_at) == (DAY3, None, None)
    words = transcript(call)
    assert (words.state, words.text, words.gone_at) == (TranscriptState.GONE, None, DAY3)
    assert not RecordingKey.objects.filter(id=words.pk).exists()
    assert file_id not in files.recording_ids(client.pk)
    assert not [path for path in media.rglob("*") if path.is_file()]
    assert not gone(other)
    with job_scope(agency_id=cast.acme.pk):
        assert Call.objects.filter(pk=call.pk).exists()
        assert not VendorTask.objects.exists()
        assert Leftover.objects.get().pk == row.pk
        trail = list(Event.objects.filter(action__startswith="recordings.eras").order_by("pk"))
    assert [event.action for event in trail] == ["recordings.erasing", "recordings.erased"]
    assert trail[1].details == {"recordings": 1, "transcripts": 1}
    assert empty(client, DAY3 + timedelta(hours=1)) == 0
    assert items(client, kinds.WITHHELD_RECORDINGS) == []


def test_at_the_vendor_only_under_the_clients_instruction(cast: Cast) -> None:
    client = live(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        Engagement.objects.for_client(client).update(delete_at_vendor=True)
    call = recorded(client)
    work(client)
    empty(client)
    assert gone(call)
    assert recording(call).vendor_told_at == DAY3
    with job_scope(agency_id=cast.acme.pk):
        step = VendorTask.objects.get()
        assert step.recording_id == recording(call).pk
        assert step.reference is not None
        assert Leftover.objects.get().state == LeftoverState.ASKED
    # When the call's own date comes nobody is sent there twice.
    copies = _expire(client)
    assert copies == []


def test_what_the_vendor_still_holds_is_looked_at_again_when_the_call_expires(cast: Cast) -> None:
    client = live(cast.dentist)
    call = recorded(client)
    work(client)
    empty(client)
    (copy,) = _expire(client)
    assert (copy.recording_id, copy.reference) == (recording(call).pk, None)


def _expire(client: Client) -> list[targets.VendorCopy]:
    with job_scope(agency_id=client.agency_id):
        return erasure.vendor_copies(client, [call.pk for call in Call.objects.for_client(client)])


def test_what_is_observed_again_held_late_or_allowed_at_the_last_moment_stays(cast: Cast) -> None:
    client = live(cast.dentist)
    held, late, waiting = recorded(client), recorded(client), recorded(client, NEW_YORK)
    work(client)
    hold(held)
    with job_scope(agency_id=cast.acme.pk):
        Recording.objects.filter(call_id=late.pk).update(came_late=True)
    # Evidence that nobody has looked at yet.
    say(client, EventKind.GIVEN, waiting.caller_id)
    assert empty(client) == 0
    assert not any(gone(call) for call in (held, late, waiting))
    work(client, at=DAY3)
    assert recording(waiting).state == RecordingState.ALLOWED
    with job_scope(agency_id=cast.acme.pk):
        Call.objects.filter(pk=held.pk).update(on_hold=False)
        Client.objects.filter(pk=client.pk).update(retention_state=RetentionState.OBSERVE)
    assert empty(client) == 0
    assert not gone(held)


def test_a_recording_of_a_number_nobody_knows_waits_for_its_own_evidence(cast: Cast) -> None:
    client = live(cast.dentist)
    call, other = recorded(client, None, sid="CA1"), recorded(client, None, sid="CA2")
    work(client)
    with job_scope(agency_id=cast.acme.pk):
        Rejudgement.objects.create(
            agency_id=cast.acme.pk, client=client, call_digest=digest(client, "CA1"), cause="event",
            due_at=NOON, created_at=NOON,
        )  # fmt: skip
    empty(client)
    assert not gone(call)
    assert gone(other)


@pytest.mark.parametrize("step", some(["erase", "clear"], one_in=2))
def test_a_run_that_dies_between_two_steps_is_taken_up(
    cast: Cast, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = live(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        Engagement.objects.for_client(client).update(delete_at_vendor=True)
    call = recorded(client)
    words = worded(call, "hello")
    file_id = store(call)
    work(client)

    def die(**_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        changed: dict[str, Any] = {step: die}
        patch.setattr(targets, "SAID", dataclasses.replace(targets.SAID, **changed))
        with pytest.raises(KeyboardInterrupt):
            empty(client)
    row = recording(call)
    assert (row.state, row.due_at) == (RecordingState.GONE, DAY3)
    # Nothing brings it back meanwhile.
    say(client, EventKind.GIVEN, call.caller_id)
    work(client, at=DAY3)
    assert recording(call).state == RecordingState.GONE
    assert empty(client, DAY3 + timedelta(minutes=2)) == 2
    assert gone(call)
    assert file_id not in files.recording_ids(client.pk)
    assert not RecordingKey.objects.filter(id=words.pk).exists()
    with job_scope(agency_id=cast.acme.pk):
        assert VendorTask.objects.count() == 1


def test_one_clients_fault_keeps_no_others_and_somebody_is_told(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = live(cast.dentist), live(cast.plumber)
    calls = recorded(bad), recorded(good)
    work(bad)
    real = targets.SAID.erase

    def fail(*, client: Client, said: targets.Said) -> None:
        if client.pk == bad.pk:
            raise OSError
        real(client=client, said=said)

    with monkeypatch.context() as patch:
        patch.setattr(targets, "SAID", dataclasses.replace(targets.SAID, erase=fail))
        assert empty(bad) == 1
    assert gone(calls[1])
    assert len(items(bad, "retention_failed")) == 1
    empty(bad, DAY3 + timedelta(minutes=2))
    assert gone(calls[0])
    assert items(bad, "retention_failed") == []


def test_a_tracker_that_tells_again_does_not_bring_it_back(cast: Cast) -> None:
    client = live(cast.dentist)
    link = "https://app.callrail.com/recordings/1"
    told(client, fact(recording_reference=link))
    with job_scope(agency_id=cast.acme.pk):
        call = Call.objects.get()
    work(client)
    empty(client)
    assert gone(call)
    told(client, fact(recording_reference=link, recording_seconds=90, revision=9), at=DAY3)
    work(client, at=DAY3)
    assert gone(call)
    assert recording(call).state == RecordingState.GONE


# --- With the call, and afterwards ---


def test_when_the_call_leaves_its_words_presses_keys_and_file_leave(cast: Cast, media: Path) -> None:
    call = recorded(cast.dentist)
    words = worded(call, "hello")
    store(call)
    with job_scope(agency_id=cast.acme.pk):
        CallPress.objects.create(
            agency_id=cast.acme.pk, client=cast.dentist, call=call, name="menu 1", value="1", at=NOON
        )
    expire_calls(cast.dentist, cutoff=NOON, at=NOON)
    with job_scope(agency_id=cast.acme.pk):
        assert not Call.objects.exists()
        assert not Recording.objects.exists()
        assert not Transcript.objects.exists()
        assert not CallPress.objects.exists()
    assert not RecordingKey.objects.filter(id=words.pk).exists()
    assert not [path for path in media.rglob("*") if path.is_file()]


def test_a_held_call_is_not_due_and_not_counted(cast: Cast) -> None:
    kept, due = recorded(cast.dentist), recorded(cast.dentist)
    hold(kept)
    with job_scope(agency_id=cast.acme.pk):
        assert targets.count_due(cast.dentist, NOON) == targets.Due(calls=1, recordings=1, callers=0)
    expire_calls(cast.dentist, cutoff=NOON, at=NOON)
    with job_scope(agency_id=cast.acme.pk):
        assert [call.pk for call in Call.objects.all()] == [kept.pk]
    assert due.pk != kept.pk


def test_the_keys_of_transcripts_are_no_leftovers(cast: Cast) -> None:
    call = recorded(cast.dentist)
    words = worded(call, "hello")
    sweeping.sweep_client(agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=NOON + timedelta(days=3))
    assert RecordingKey.objects.filter(id=words.pk).exists()
