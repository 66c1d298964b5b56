"""Each category leaves by its own date, exactly as the preview shows, and nothing of it comes back."""

import io
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client as Browser

from analytics.models import DailyTotal
from analytics.models.releases import Recipient, Release, ReleaseKind, ReleaseState
from callprivacy.accounts.enums import Role
from callprivacy.audit import services as audit
from callprivacy.audit.models import Reason
from callprivacy.calls.enums import Direction, InboxState, JobState, RecordingState, TranscriptState
from callprivacy.calls.models import (
    Call,
    Caller,
    CallExport,
    CallRef,
    Connection,
    Inbox,
    Recording,
    Transcript,
)
from callprivacy.calls.services.intake import Taken, Way
from callprivacy.tenancy.enums import Permission, RetentionState
from callprivacy.tenancy.models import Client, Engagement
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.vault import files
from callprivacy.vault import selectors as vault
from callprivacy.vault import services as vault_services
from callprivacy.vault.models import Caller as VaultCaller
from callprivacy.vault.models import RecordingKey
from callprivacy.vault.sealing import Place
from consent.enums import EventKind, Purpose, State
from consent.models import ConsentEvent, ConsentState, Decision, Withdrawal
from consent.services import ledger
from retention import targets
from retention.enums import Category, PartState, RunCause, Then
from retention.models import Certificate, Hold, HoldCaller, Policy, Run, RunPart
from retention.selectors import preview, samples
from retention.selectors.certificates import statement_of
from retention.services import erasing, runs
from tests import make
from tests.accounts.browsers import signed_in
from tests.calls.saying import fact, told
from tests.cast import Cast
from tests.consent import deciding
from tests.make import NOON
from tests.scale import some

ANNA, BEN, CLEO = "+12125550101", "+12125550102", "+12125550103"
LINK = "https://app.callrail.com/recordings/1"
FIVE_YEARS = 1827


def ago(days: float) -> datetime:
    return NOON - timedelta(days=days)


def live(client: Client) -> Client:
    with job_scope(agency_id=client.agency_id):
        Client.objects.filter(pk=client.pk).update(
            retention_state=RetentionState.LIVE, went_live_at=ago(1_000)
        )
        return Client.objects.select_related("agency").get(pk=client.pk)


def keep(client: Client, category: Category, days: int, *, then: Then = Then.ERASE) -> None:
    with job_scope(agency_id=client.agency_id):
        if category in {Category.CALL, Category.CALL_OUT}:
            column = "keep_calls_for_days" if category is Category.CALL else "keep_calls_out_for_days"
            Client.objects.filter(pk=client.pk).update(**{column: days})
        Policy.objects.create(
            agency_id=client.agency_id, client=client, category=category, keep_for_days=days, then=then, version=3,
            set_at=NOON,
        )  # fmt: skip


def night(client: Client, at: datetime = NOON) -> Run:
    """A run from its start to its certificates."""
    with job_scope(agency_id=client.agency_id):
        run = runs.start_run(agency=client.agency, cause=RunCause.BY_HAND, by=make.JOB, at=at)
    runs.work_run(
        agency_id=client.agency_id, run_id=run.pk, until=at + timedelta(minutes=1), clock=lambda: at
    )
    return run


def due(client: Client, category: Category) -> set[uuid.UUID]:
    """The ids that the preview names."""
    with job_scope(agency_id=client.agency_id):
        fresh = Client.objects.select_related("agency").get(pk=client.pk)
        lines = preview.lines([fresh], NOON)
        ids = set(targets.TARGETS[category].due(lines[fresh.pk].of(category), after=None, limit=10_000))
        counted = preview.extents(lines)[fresh.pk].get(category, targets.Extent())
    assert counted.rows == len(ids)
    return ids


def part(run: Run, client: Client, category: Category) -> RunPart:
    with job_scope(agency_id=client.agency_id):
        return RunPart.objects.get(run=run, client=client, category=category)


def exists(client: Client, rows: Any, pk: object) -> bool:
    with job_scope(agency_id=client.agency_id):
        return bool(rows.objects.filter(pk=pk).exists())


# --- Calls in both directions -----------------------------------------------------------------------------------------


def test_calls_in_and_out_leave_by_their_own_days(cast: Cast) -> None:
    keep(cast.dentist, Category.CALL, 30)
    keep(cast.dentist, Category.CALL_OUT, 100)
    came = make.call(cast.dentist, ANNA, at=ago(40))
    went = make.call(cast.dentist, BEN, at=ago(40), direction=Direction.OUTBOUND)
    old = make.call(cast.dentist, CLEO, at=ago(140), direction=Direction.OUTBOUND)
    client = live(cast.dentist)
    assert (due(client, Category.CALL), due(client, Category.CALL_OUT)) == ({came.pk}, {old.pk})

    run = night(client)

    with job_scope(agency_id=client.agency_id):
        assert [call.pk for call in Call.objects.all()] == [went.pk]
    assert [part(run, client, one).rows_erased for one in (Category.CALL, Category.CALL_OUT)] == [1, 1]
    assert part(run, client, Category.CALL).policy_version == 3


def test_nothing_comes_back_in_either_direction(cast: Cast) -> None:
    keep(cast.dentist, Category.CALL, 100)
    keep(cast.dentist, Category.CALL_OUT, 30)
    at = ago(40)
    client = live(cast.dentist)
    came = fact(started_at=at, references=(("id", "in"),))
    went = fact(started_at=at, references=(("id", "out"),), direction=Direction.OUTBOUND)
    night(client)

    for way in Way:
        assert told(client, went, way=way) == [Taken.TOO_OLD]
    assert told(client, came) == [Taken.ADDED]
    keep(cast.plumber, Category.CALL, 30)
    keep(cast.plumber, Category.CALL_OUT, 100)
    night(live(cast.plumber))
    assert told(cast.plumber, came) == [Taken.TOO_OLD]
    assert told(cast.plumber, went) == [Taken.ADDED]


def test_a_line_that_was_drawn_holds_when_the_policy_is_lengthened(cast: Cast) -> None:
    keep(cast.dentist, Category.CALL, 30)
    client = live(cast.dentist)
    night(client)
    with job_scope(agency_id=client.agency_id):
        Client.objects.filter(pk=client.pk).update(keep_calls_for_days=365)
    assert told(client, fact(started_at=ago(40))) == [Taken.TOO_OLD]
    assert told(client, fact(started_at=ago(20))) == [Taken.ADDED]


def test_batches_go_on_from_where_the_one_before_ended(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = sorted(make.call(cast.dentist, None, at=ago(400 + number)).pk for number in range(5))
    client = live(cast.dentist)
    small = targets.Target(**{name: getattr(targets.TARGETS[Category.CALL], name) for name in targets.Target.__slots__}
                           | {"batch": 2})  # fmt: skip
    monkeypatch.setitem(targets.TARGETS, Category.CALL, small)
    run = night(client)
    found = part(run, client, Category.CALL)
    digest = bytes(32)
    for start in range(0, 5, 2):
        digest = erasing.digest_after(digest, calls[start : start + 2])
    assert (found.rows_erased, found.state, found.cursor) == (5, PartState.DONE, None)
    assert bytes(found.digest) == digest


def test_a_hold_that_comes_between_two_batches_keeps_the_rest(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = sorted(make.call(cast.dentist, None, at=ago(400 + number)).pk for number in range(4))
    client = live(cast.dentist)
    real = targets.TARGETS[Category.CALL]

    def remove(line: targets.Line, chosen: targets.Chosen, deed: targets.Deed) -> targets.Removed:
        if not Hold.objects.exists():
            Hold.objects.create(
                agency_id=client.agency_id, client=client, name="Everything", review_on=NOON.date(),
                placed_by_id=cast.alice.user_id, placed_at=NOON,
            )  # fmt: skip
        return real.remove(line, chosen, deed)

    values = {name: getattr(real, name) for name in targets.Target.__slots__}
    monkeypatch.setitem(
        targets.TARGETS, Category.CALL, targets.Target(**values | {"batch": 2, "remove": remove})
    )
    run = night(client)
    found = part(run, client, Category.CALL)
    assert (found.rows_erased, found.rows_held, found.state) == (2, 2, PartState.DONE)
    with job_scope(agency_id=client.agency_id):
        assert sorted(Call.objects.values_list("pk", flat=True)) == calls[2:]


# --- What was said ----------------------------------------------------------------------------------------------------


def test_recordings_and_transcripts_leave_while_their_calls_stay(cast: Cast) -> None:
    keep(cast.dentist, Category.RECORDING, 30)
    keep(cast.dentist, Category.TRANSCRIPT, 60)
    old, fresh = make.call(cast.dentist, ANNA, at=ago(40)), make.call(cast.dentist, ANNA, at=ago(20))
    sound, kept = make.recording(old, LINK), make.recording(fresh, f"{LINK}2")
    words = deciding.worded(make.call(cast.dentist, BEN, at=ago(70)), "Good morning.")
    younger = deciding.worded(old, "Good day.")
    client = live(cast.dentist)
    assert due(client, Category.RECORDING) == {sound.pk}
    assert due(client, Category.TRANSCRIPT) == {words.pk}

    run = night(client)

    with job_scope(agency_id=client.agency_id):
        gone = Recording.objects.get(pk=sound.pk)
        assert (gone.state, gone.reference, gone.gone_at, gone.due_at) == (
            RecordingState.GONE,
            None,
            NOON,
            None,
        )
        assert Recording.objects.get(pk=kept.pk).state == RecordingState.WITHHELD
        assert Transcript.objects.get(pk=words.pk).state == TranscriptState.GONE
        assert Transcript.objects.get(pk=younger.pk).text is not None
        assert Call.objects.count() == 3
    assert set(vault.recording_keys(client.pk, [sound.pk, kept.pk, words.pk, younger.pk])) == {
        kept.pk,
        younger.pk,
    }
    found = part(run, client, Category.RECORDING)
    assert bytes(found.digest) == erasing.digest_after(bytes(32), [sound.pk])
    assert night(client) is not None
    assert due(client, Category.RECORDING) == due(client, Category.TRANSCRIPT) == set()


def test_a_recording_that_left_before_its_call_is_not_counted_again(cast: Cast) -> None:
    keep(cast.dentist, Category.CALL, 30)
    calls = [make.call(cast.dentist, ANNA, at=ago(40 + day)) for day in range(3)]
    left, _ = (make.recording(call, f"{LINK}{call.pk}") for call in calls[:2])
    with job_scope(agency_id=cast.acme.pk):
        Recording.objects.filter(pk=left.pk).update(
            state=RecordingState.GONE, gone_at=ago(20), reference=None, fetch_due_at=None
        )
    client = live(cast.dentist)
    page = signed_in(cast.alice).get("/clients/dentist/policies/preview/").content.decode()
    assert "1 of them recorded" in page

    found = part(night(client), client, Category.CALL)

    assert (found.rows_erased, found.recordings_due, found.recordings_erased) == (3, 1, 1)


def test_a_stored_recording_leaves_with_its_file_and_is_counted_in_bytes(cast: Cast) -> None:
    keep(cast.dentist, Category.RECORDING, 30)
    call = make.call(cast.dentist, ANNA, at=ago(40))
    sound = make.recording(call, LINK)
    file_key = uuid.uuid4()
    key = vault.recording_keys(cast.dentist.pk, [sound.pk])[sound.pk]
    with files.RecordingWriter(cast.dentist.pk, file_key, key) as out:
        out.write(b"x" * 5_000)
    with job_scope(agency_id=cast.acme.pk):
        Recording.objects.filter(pk=sound.pk).update(file_key=file_key, file_size=5_000, stored_at=ago(39))
    client = live(cast.dentist)
    run = night(client)
    found = part(run, client, Category.RECORDING)
    assert (found.bytes_due, found.bytes_erased) == (5_000, 5_000)
    with pytest.raises(FileNotFoundError):
        files.open_recording(client.pk, file_key, key)


@pytest.mark.parametrize("step", some(["remove", "choose", "destroy"], one_in=3))
@pytest.mark.parametrize(
    "category",
    some([Category.RECORDING, Category.TRANSCRIPT, Category.IDENTITY, Category.CONSENT], one_in=4),
)
def test_a_crash_between_two_steps_counts_every_row_once(
    cast: Cast, category: Category, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, ids = _one_of(cast, category)
    real = targets.TARGETS[category]
    done: list[str] = []

    def crash(*args: Any, **names: Any) -> Any:
        if not done:
            done.append(step)
            if step != "choose":
                getattr(real, step)(*args, **names)
            raise KeyboardInterrupt
        return getattr(real, step)(*args, **names)

    values = {name: getattr(real, name) for name in targets.Target.__slots__}
    monkeypatch.setitem(targets.TARGETS, category, targets.Target(**values | {step: crash}))
    with pytest.raises(KeyboardInterrupt):
        night(client)
    later = NOON + timedelta(minutes=3)
    with job_scope(agency_id=client.agency_id):
        run = Run.objects.get()
    runs.work_run(
        agency_id=client.agency_id, run_id=run.pk, until=later + timedelta(minutes=1), clock=lambda: later
    )
    found = part(run, client, category)
    assert (found.rows_erased, found.state) == (len(ids), PartState.DONE)
    assert bytes(found.digest) == erasing.digest_after(bytes(32), ids)


def _one_of(cast: Cast, category: Category) -> tuple[Client, set[uuid.UUID]]:
    """A client with a thing or two of a category that are past their date."""
    if category in {Category.RECORDING, Category.TRANSCRIPT}:
        keep(cast.dentist, category, 30)
        call = make.call(cast.dentist, ANNA, at=ago(40))
        make.recording(call, LINK)
        deciding.worded(call, "Good day.")
    elif category is Category.IDENTITY:
        keep(cast.dentist, Category.IDENTITY, 30)
        keep(cast.dentist, Category.RECORDING, 30)
        keep(cast.dentist, Category.TRANSCRIPT, 30)
        make.call(cast.dentist, ANNA, at=ago(40))
    else:
        call = make.call(cast.dentist, ANNA, at=ago(5))
        deciding.say(cast.dentist, EventKind.GIVEN, call.caller_id, happened_at=ago(FIVE_YEARS + 10))
        with job_scope(agency_id=cast.acme.pk):
            CallRef.objects.filter(call=call).remove()
            Call.objects.filter(pk=call.pk).remove()
    client = live(cast.dentist)
    return client, due(client, category)


def test_an_expired_recording_does_not_come_back_by_replay_or_import(cast: Cast) -> None:
    keep(cast.dentist, Category.RECORDING, 30)
    client = live(cast.dentist)
    at = ago(40)
    recorded = fact(started_at=at, recording_reference=LINK)
    told(client, recorded)
    night(client)

    for way in Way:
        told(client, recorded, way=way)
        told(
            client, fact(started_at=at, references=(("id", "late"),), recording_reference=f"{LINK}3"), way=way
        )
    with job_scope(agency_id=client.agency_id):
        assert [row.state for row in Recording.objects.all()] == [RecordingState.GONE]
        assert Call.objects.count() == 2
    fresh = fact(started_at=ago(20), references=(("id", "fresh"),), recording_reference=f"{LINK}4")
    told(client, fresh)
    with job_scope(agency_id=client.agency_id):
        assert Recording.objects.filter(state=RecordingState.WITHHELD).count() == 1


def test_a_recording_is_asked_for_at_the_vendor_only_by_the_clients_instruction(cast: Cast) -> None:
    keep(cast.dentist, Category.RECORDING, 30)
    told_, kept_ = cast.dentist, cast.plumber
    keep(kept_, Category.RECORDING, 30)
    for client in (told_, kept_):
        make.recording(make.call(client, ANNA, at=ago(40)), LINK)
    with job_scope(agency_id=cast.acme.pk):
        Engagement.objects.update_or_create(
            client=told_, defaults={"agency_id": cast.acme.pk, "delete_at_vendor": True}
        )
    first, second = live(told_), live(kept_)
    night(first)
    with job_scope(agency_id=cast.acme.pk):
        assert Recording.objects.get(client=first).vendor_told_at is not None
        assert Recording.objects.get(client=second).vendor_told_at is None


# --- People -----------------------------------------------------------------------------------------------------------


def _short_identities(client: Client, days: int = 30) -> None:
    for category in (Category.IDENTITY, Category.RECORDING, Category.TRANSCRIPT):
        keep(client, category, days)


def test_a_person_leaves_after_the_last_contact_and_the_calls_are_nobodys(cast: Cast) -> None:
    _short_identities(cast.dentist)
    old = make.call(cast.dentist, ANNA, at=ago(40))
    sound = make.recording(old, LINK)
    make.call(cast.dentist, BEN, at=ago(40))
    make.call(cast.dentist, BEN, at=ago(10))
    client = live(cast.dentist)
    assert due(client, Category.IDENTITY) == {old.caller_id}

    run = night(client)

    with job_scope(agency_id=client.agency_id):
        call = Call.objects.get(pk=old.pk)
        assert (call.caller_id, call.caller_withheld) == (None, True)
        assert Caller.objects.count() == 1
        assert Recording.objects.get(pk=sound.pk).state == RecordingState.GONE
    assert vault.find_callers([client.pk], ANNA) == {}
    assert client.pk in vault.find_callers([client.pk], BEN)
    found = part(run, client, Category.IDENTITY)
    assert (found.rows_erased, found.callers_erased, found.cursor) == (1, 1, None)


def test_a_forgotten_person_does_not_come_back_by_replay_or_import(cast: Cast) -> None:
    _short_identities(cast.dentist)
    client = live(cast.dentist)
    old = fact(started_at=ago(40), caller=ANNA)
    assert told(client, old) == [Taken.ADDED]
    night(client)

    for way in Way:
        told(client, old, way=way)
        told(client, fact(started_at=ago(41), caller=ANNA, references=(("id", "older"),)), way=way)
    with job_scope(agency_id=client.agency_id):
        assert not Caller.objects.exists()
        assert set(Call.objects.values_list("caller_id", flat=True)) == {None}
    assert vault.find_callers([client.pk], ANNA) == {}

    # Who calls again is somebody new, and old news says nothing of them.
    assert told(client, fact(started_at=ago(2), caller=ANNA, references=(("id", "new"),))) == [Taken.ADDED]
    for way in Way:
        told(client, old, way=way)
    with job_scope(agency_id=client.agency_id):
        assert Call.objects.filter(caller__isnull=False).count() == 1


def test_evidence_of_a_forgotten_person_stays_and_is_found_by_the_number(cast: Cast) -> None:
    _short_identities(cast.dentist)
    call = make.call(cast.dentist, ANNA, at=ago(40))
    caller_id = call.caller_id
    assert caller_id is not None
    deciding.say(cast.dentist, EventKind.WITHDRAWN, caller_id, happened_at=ago(39), purpose=Purpose.CONTACT)
    client = live(cast.dentist)
    night(client)

    assert vault.content_keys({client.pk: [caller_id]}) == {}
    assert [row.erased_caller_id for row in vault.tombstones([client.pk], ANNA)[client.pk]] == [caller_id]
    with job_scope(agency_id=client.agency_id):
        events = list(ConsentEvent.objects.all())
        assert set(ledger.evidence_of(client=client, events=events, at=NOON)) == {
            event.pk for event in events
        }
    assert Purpose.CONTACT in vault.suppressed(client.pk, [ANNA], on=NOON.date())[ANNA]


def test_a_person_whom_a_hold_names_stays(cast: Cast) -> None:
    _short_identities(cast.dentist)
    call = make.call(cast.dentist, ANNA, at=ago(40))
    make.call(cast.dentist, BEN, at=ago(40))
    with job_scope(agency_id=cast.acme.pk):
        hold = Hold.objects.create(
            agency_id=cast.acme.pk, client=cast.dentist, name="Anna", review_on=NOON.date(),
            placed_by_id=cast.alice.user_id, placed_at=ago(1), from_at=ago(1),
        )  # fmt: skip
        HoldCaller.objects.create(
            agency_id=cast.acme.pk,
            client=cast.dentist,
            hold=hold,
            caller_id=call.caller_id or uuid.UUID(int=0),
        )
    client = live(cast.dentist)
    run = night(client)
    found = part(run, client, Category.IDENTITY)
    assert (found.rows_erased, found.rows_held) == (1, 1)
    assert client.pk in vault.find_callers([client.pk], ANNA)


# --- Evidence ---------------------------------------------------------------------------------------------------------


def _known(cast: Cast, *kinds: tuple[EventKind, float], purpose: Purpose = Purpose.RECORD) -> uuid.UUID:
    """A caller without a call, of whom the ledger knows these, each so many days ago."""
    call = make.call(cast.dentist, ANNA, at=ago(3_000))
    assert call.caller_id is not None
    for kind, days in kinds:
        deciding.say(cast.dentist, kind, call.caller_id, happened_at=ago(days), purpose=purpose)
    with job_scope(agency_id=cast.acme.pk):
        Call.objects.filter(pk=call.pk).remove()
        Withdrawal.objects.update(closed_at=NOON, due_at=None)
    return call.caller_id


def _kinds(cast: Cast) -> list[str]:
    with job_scope(agency_id=cast.acme.pk):
        return sorted(ConsentEvent.objects.values_list("kind", flat=True))


def test_evidence_of_consent_leaves_five_years_after_the_last_contact(cast: Cast) -> None:
    caller_id = _known(cast, (EventKind.GIVEN, FIVE_YEARS + 30), (EventKind.NOTICED, FIVE_YEARS + 10))
    with job_scope(agency_id=cast.acme.pk):
        Caller.objects.filter(pk=caller_id).update(created_at=ago(10))
    old_key = bytes(VaultCaller.objects.get(pk=caller_id).evidence_key or b"")
    client = live(cast.dentist)
    assert len(due(client, Category.CONSENT)) == 2

    night(client)

    assert _kinds(cast) == []
    with job_scope(agency_id=cast.acme.pk):
        assert not ConsentState.objects.exists()
        assert not Caller.objects.get(pk=caller_id).has_evidence
    # What was sealed opens in no copy any more.
    assert bytes(VaultCaller.objects.get(pk=caller_id).evidence_key or b"") != old_key


def test_the_last_evidence_of_who_is_forgotten_takes_the_key_with_it(cast: Cast) -> None:
    caller_id = _known(cast, (EventKind.GIVEN, FIVE_YEARS + 30))
    night(live(cast.dentist))
    assert _kinds(cast) == []
    assert not exists(cast.dentist, Caller, caller_id)
    assert not VaultCaller.objects.filter(pk=caller_id).exists()


def test_a_later_call_or_word_keeps_all_of_it(cast: Cast) -> None:
    caller_id = _known(cast, (EventKind.GIVEN, FIVE_YEARS + 30), (EventKind.RENEWED, 100))
    client = live(cast.dentist)
    assert due(client, Category.CONSENT) == set()
    night(client)
    assert len(_kinds(cast)) == 2
    with job_scope(agency_id=cast.acme.pk):
        assert ConsentState.objects.get(caller_id=caller_id).state == State.GIVEN


def test_a_no_stays_while_a_yes_is_written_down_and_never_lifts_by_leaving(cast: Cast) -> None:
    caller_id = _known(
        cast, (EventKind.GIVEN, FIVE_YEARS + 60), (EventKind.WITHDRAWN, FIVE_YEARS + 30), (EventKind.NOTICED, 50),
        purpose=Purpose.CONTACT,
    )  # fmt: skip
    client = live(cast.dentist)
    assert due(client, Category.WITHDRAWAL) == set()
    night(client)
    assert _kinds(cast) == ["given", "noticed", "withdrawn"]

    with job_scope(agency_id=cast.acme.pk):
        ConsentEvent.objects.filter(kind=EventKind.NOTICED).remove()
    night(client)
    assert _kinds(cast) == ["withdrawn"]
    with job_scope(agency_id=cast.acme.pk):
        assert ConsentState.objects.get(caller_id=caller_id).state == State.WITHDRAWN
    night(client)
    assert _kinds(cast) == []
    assert Purpose.CONTACT in vault.suppressed(client.pk, [ANNA], on=NOON.date())[ANNA]


def test_a_no_stays_while_a_vendor_has_still_to_be_told(cast: Cast) -> None:
    _known(cast, (EventKind.WITHDRAWN, FIVE_YEARS + 30))
    with job_scope(agency_id=cast.acme.pk):
        Withdrawal.objects.update(closed_at=None)
    client = live(cast.dentist)
    assert due(client, Category.WITHDRAWAL) == set()
    with job_scope(agency_id=cast.acme.pk):
        Withdrawal.objects.update(closed_at=NOON)
    assert len(due(client, Category.WITHDRAWAL)) == 1
    night(client)
    with job_scope(agency_id=cast.acme.pk):
        assert not Withdrawal.objects.exists()


def test_evidence_that_a_decision_rests_on_stays(cast: Cast) -> None:
    caller_id = _known(cast, (EventKind.GIVEN, FIVE_YEARS + 30))
    call = make.call(cast.dentist, None, at=ago(2))
    with job_scope(agency_id=cast.acme.pk):
        event = ConsentEvent.objects.get(caller_id=caller_id)
        Decision.objects.create(
            agency_id=cast.acme.pk, client=cast.dentist, call=call, purpose=Purpose.RECORD, allowed=True, lawful=True,
            standard_met=True, standard="express", event_id=event.pk, pack="x", decided_at=NOON,
        )  # fmt: skip
    assert due(live(cast.dentist), Category.CONSENT) == set()


# --- What lies beside -------------------------------------------------------------------------------------------------


def test_exports_leave_with_their_files(cast: Cast) -> None:
    client = live(cast.dentist)
    file_key = uuid.uuid4()
    files.write(client.pk, file_key, io.BytesIO(b"masked"), at=ago(8))
    with job_scope(agency_id=cast.acme.pk):
        ours: dict[str, Any] = {
            "agency_id": cast.acme.pk, "client": client, "created_by_id": cast.alice.user_id,
        }  # fmt: skip
        old = CallExport.objects.create(
            **ours, state=JobState.DONE, file_key=file_key, created_at=ago(8), due_at=ago(8)
        )
        CallExport.objects.create(**ours, state=JobState.DONE, created_at=ago(3), due_at=ago(3))
        CallExport.objects.create(**ours, state=JobState.RUNNING, created_at=ago(9), due_at=NOON)
    assert due(client, Category.EXPORT) == {old.pk}
    night(client)
    with job_scope(agency_id=cast.acme.pk):
        assert CallExport.objects.count() == 2
    with pytest.raises(FileNotFoundError):
        files.open(client.pk, file_key)


def test_what_lies_too_long_in_the_inbox_leaves(cast: Cast) -> None:
    client = live(cast.dentist)
    key = vault_services.purpose_key(client_id=client.pk, purpose="inbox", at=NOON)
    with job_scope(agency_id=cast.acme.pk):
        connection = Connection.objects.create(
            agency_id=cast.acme.pk,
            client=client,
            provider="callrail",
            name="Way",
            key="k",
            created_at=ago(50),
        )
        unread = uuid.uuid4()
        for row_id, state, attempts, days in (
            (uuid.uuid4(), InboxState.REJECTED, 1, 9), (uuid.uuid4(), InboxState.WAITING, 2, 9),
            (unread, InboxState.WAITING, 0, 9), (uuid.uuid4(), InboxState.REJECTED, 1, 2),
        ):  # fmt: skip
            row = Inbox(
                pk=row_id, agency_id=cast.acme.pk, client=client, connection=connection, state=state,
                attempts=attempts, received_at=ago(days), due_at=NOON,
            )  # fmt: skip
            row.payload = key.seal(b"{}", Place(client.pk, "calls_inbox", "payload", row.pk))
            row.save(force_insert=True)
    assert len(due(client, Category.INBOX)) == 2
    run = night(client)
    with job_scope(agency_id=cast.acme.pk):
        # What nobody has tried to read yet is still to be read.
        assert Inbox.objects.filter(pk=unread).exists()
        assert Inbox.objects.count() == 2
    assert part(run, client, Category.INBOX).rows_erased == 2


def test_words_behind_the_trail_leave_and_their_events_stay(cast: Cast) -> None:
    client = live(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        old = audit.record(
            "test.done", subject=client, by=make.JOB, at=ago(2_300), reason="Somebody asked for it."
        )
        new = audit.record(
            "test.done", subject=client, by=make.JOB, at=ago(20), reason="Somebody asked for it."
        )
    assert due(client, Category.TRAIL) == {uuid.UUID(int=old.pk)}
    night(client)
    with job_scope(agency_id=cast.acme.pk):
        assert set(Reason.objects.values_list("event_id", flat=True)) == {new.pk}


def test_words_behind_the_trail_stay_while_anything_is_held(cast: Cast) -> None:
    client = live(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        audit.record("test.done", subject=client, by=make.JOB, at=ago(2_300), reason="Somebody asked for it.")
        Hold.objects.create(
            agency_id=cast.acme.pk, client=client, name="Case", review_on=NOON.date(),
            placed_by_id=cast.alice.user_id, placed_at=ago(1),
        )  # fmt: skip
    run = night(client)
    found = part(run, client, Category.TRAIL)
    assert (found.rows_erased, found.rows_held) == (0, 1)


# --- Totals -----------------------------------------------------------------------------------------------------------


def test_totals_stay_of_days_with_enough_callers_and_of_no_others(cast: Cast) -> None:
    keep(cast.dentist, Category.CALL, 30, then=Then.REDUCE)
    busy, quiet = ago(40), ago(45)
    for number in range(12):
        make.call(cast.dentist, f"+1212555{number:04d}", at=busy + timedelta(minutes=number), seconds=60)
    for number in range(9):
        make.call(cast.dentist, f"+1212555{number:04d}", at=quiet + timedelta(minutes=number))
    client = live(cast.dentist)
    night(client)
    night(client)
    with job_scope(agency_id=cast.acme.pk):
        (total,) = DailyTotal.objects.all()
        assert (total.day, total.calls, total.answered, total.seconds) == (busy.date(), 12, 12, 720)
        assert not Call.objects.exists()


def test_no_totals_stay_where_the_policy_erases(cast: Cast) -> None:
    keep(cast.dentist, Category.CALL, 30)
    for number in range(12):
        make.call(cast.dentist, f"+1212555{number:04d}", at=ago(40) + timedelta(minutes=number))
    night(live(cast.dentist))
    with job_scope(agency_id=cast.acme.pk):
        assert not DailyTotal.objects.exists()


# --- The preview ------------------------------------------------------------------------------------------------------


def _released(cast: Cast) -> None:
    """A file that was given to a recipient longer ago than any policy keeps one."""
    ours: dict[str, Any] = {"agency_id": cast.acme.pk, "client": cast.dentist}
    with job_scope(agency_id=cast.acme.pk):
        to = Recipient.objects.create(
            **ours, name="Northwind", email="data@northwind.example", epsilon=1, created_by=cast.alice.user,
            created_at=ago(500),
        )  # fmt: skip
        Release.objects.create(
            **ours, kind=ReleaseKind.ANONYMISED, state=ReleaseState.RELEASED, recipient=to, purpose="A model",
            columns=["day"], from_on=ago(480).date(), until_on=ago(450).date(), k=11, keep_for_days=365,
            rows=40, file_key=uuid.uuid4(), members_key=uuid.uuid4(), created_by=cast.alice.user, created_at=ago(401),
            proposed_by=cast.alice.user, proposed_at=ago(401), decided_by=cast.bob.user, decided_at=ago(400),
            released_at=ago(400), ends_at=NOON + timedelta(days=1),
        )  # fmt: skip


@pytest.fixture
def everything(cast: Cast) -> Client:
    """A client with something past its date in every category, and something that is not."""
    _known(cast, (EventKind.GIVEN, FIVE_YEARS + 30))
    deciding.say(
        cast.dentist, EventKind.REFUSED, make.call(cast.dentist, BEN, at=ago(10)).caller_id,
        happened_at=ago(FIVE_YEARS + 3), purpose=Purpose.SHARE,
    )  # fmt: skip
    _short_identities(cast.dentist, 60)
    keep(cast.dentist, Category.CALL_OUT, 100)
    with job_scope(agency_id=cast.acme.pk):
        Withdrawal.objects.update(closed_at=NOON)
        audit.record(
            "test.done", subject=cast.dentist, by=make.JOB, at=ago(2_300), reason="Somebody asked for it."
        )
        CallExport.objects.create(
            agency_id=cast.acme.pk, client=cast.dentist, created_by_id=cast.alice.user_id, state=JobState.DONE,
            created_at=ago(90), due_at=ago(90),
        )  # fmt: skip
    _released(cast)
    make.call(cast.dentist, CLEO, at=ago(400))
    make.call(cast.dentist, CLEO, at=ago(110), direction=Direction.OUTBOUND)
    said = make.call(cast.dentist, "+12125550109", at=ago(70))
    make.recording(said, LINK)
    deciding.worded(said, "Good day.")
    make.recording(make.call(cast.dentist, "+12125550110", at=ago(390)), f"{LINK}9")
    return live(cast.dentist)


def test_the_preview_is_the_runs_own_selection_to_the_row(cast: Cast, everything: Client) -> None:
    shown = {category: due(everything, category) for category in targets.TARGETS}
    assert {category for category, ids in shown.items() if not ids} == {Category.INBOX, Category.REQUEST}
    run = night(everything)
    for category, ids in shown.items():
        if not ids and category not in {Category.CALL, Category.CALL_OUT}:
            continue
        found = part(run, everything, category)
        assert (found.rows_due, found.rows_erased, found.state) == (len(ids), len(ids), PartState.DONE), (
            category
        )
        assert bytes(found.digest) == erasing.digest_after(bytes(32), ids), category
    assert not any(due(everything, category) for category in targets.TARGETS)


def test_a_person_sees_what_a_job_counts(cast: Cast, everything: Client) -> None:
    with job_scope(agency_id=cast.acme.pk):
        jobs = preview.of_client(everything, [one.value for one in Permission], NOON)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        mine = preview.of_client(everything, [one.value for one in Permission], NOON)
        rows = {row.category: samples.sample(mine.lines.of(row.category), row.category) for row in mine.rows}
    assert [(row.category, row.extent) for row in mine.rows] == [
        (row.category, row.extent) for row in jobs.rows
    ]
    assert {one: len(sample.rows) for one, sample in rows.items()} == {
        row.category: row.extent.rows for row in mine.rows
    }


def _browser(cast: Cast) -> Iterator[Browser]:
    browser = signed_in(cast.alice)
    yield browser


def test_the_pages_show_it_masked(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "PAGE", 2)
    now = make.now()
    for number in range(3):
        make.call(cast.dentist, f"+1212555{number:04d}", at=now - timedelta(days=400 + number))
    browser = next(_browser(cast))
    page = browser.get("/clients/dentist/policies/preview/").content.decode()
    assert "Rows to be deleted" in page
    assert "Caller " in page
    assert "2125550000" not in page.replace(" ", "").replace("-", "")
    assert "Next page" in page
    after = page.split("after=")[1].split('"')[0].split("&")[0]
    page = browser.get(f"/clients/dentist/policies/preview/?category=call&after={after}").content.decode()
    assert page.count('<th scope="row" data-label="Moment">') == 1
    everywhere = browser.get("/retention/preview/").content.decode()
    assert "Not everything is counted" not in everywhere, "she holds every permission"
    assert "Dentist" in everywhere


def test_a_run_is_started_below_the_counts_of_what_it_erases(cast: Cast) -> None:
    make.call(cast.dentist, "+12125550101", at=make.now() - timedelta(days=400))
    browser = next(_browser(cast))
    start = 'action="/retention/runs/"'
    assert start not in browser.get("/retention/").content.decode(), "one click erases nothing"
    leaves, stays = "Rows to be deleted", "In dry run, past their date, and staying"
    for state in (RetentionState.OBSERVE, RetentionState.LIVE):
        with job_scope(agency_id=cast.acme.pk):
            Client.objects.filter(pk=cast.dentist.pk).update(retention_state=state)
        page = browser.get("/retention/preview/")
        assert start in page.content.decode()
        told = {row["label"]: row["value"] for row in page.context["extent"]}
        is_live = state == RetentionState.LIVE
        assert (told[leaves] != "0", told[stays] != "0") == (is_live, not is_live)


def test_who_sees_no_client_is_not_told_that_nothing_leaves(cast: Cast) -> None:
    make.call(cast.dentist, "+12125550101", at=make.now() - timedelta(days=400))
    live(cast.dentist)
    fay = make.person(cast.acme, "fay", Role.OFFICER)
    browser = signed_in(fay)
    page = browser.get("/retention/preview/")
    assert page.context["unseen"] == 2
    told = {row["label"]: row["value"] for row in page.context["extent"]}
    assert told["Rows to be deleted"] == "not known"
    words = page.content.decode()
    assert "Nothing is past its date" not in words
    assert '<p class="stat-value">0' not in words
    assert "2 clients of the agency are not granted to you" in words

    make.grant(fay, cast.dentist)
    page = browser.get("/retention/preview/")
    assert page.context["unseen"] == 1
    assert page.context["extent"][0]["value"].startswith("at least ")
    make.grant(fay, cast.plumber, without=Permission.HANDLE_REQUESTS)
    assert browser.get("/retention/preview/").context["unseen"] == 1, "it is seen in part"
    make.grant(fay, cast.plumber)
    page = browser.get("/retention/preview/")
    assert page.context["unseen"] == 0
    assert page.context["extent"][0]["value"].isdigit()


@pytest.mark.parametrize(
    "query",
    [
        "?category=nothing",
        "?after=none",
        pytest.param("?category=trail&after=", marks=pytest.mark.thorough),
        pytest.param("?category=call", marks=pytest.mark.thorough),
    ],
)
def test_the_page_takes_any_question(cast: Cast, query: str) -> None:
    assert next(_browser(cast)).get(f"/clients/dentist/policies/preview/{query}").status_code == 200


@pytest.mark.thorough
def test_certificates_name_every_category_that_left(cast: Cast, everything: Client) -> None:
    night(everything)
    with job_scope(agency_id=cast.acme.pk):
        said = statement_of(Certificate.objects.get())
    assert {row["category"] for row in said["categories"] if row["erased"]} == {
        one.value for one in targets.TARGETS if one not in {Category.INBOX, Category.REQUEST}
    }
    assert RecordingKey.objects.filter(client_id=everything.pk, caller_id__isnull=False).count() == 0
