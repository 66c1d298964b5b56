"""The one way in: what becomes of what is said of calls."""

import itertools
import threading
import uuid
from datetime import UTC, date, timedelta
from typing import Any

import pytest
from django.db import connections

from callprivacy.calls.enums import Direction, Outcome, RecordingState
from callprivacy.calls.models import Call, Caller, CallRef, Recording, TrackingNumber
from callprivacy.calls.providers.base import CallFacts, Stage
from callprivacy.calls.services import erasure, intake, turns
from callprivacy.calls.services.intake import Taken, Way
from callprivacy.tenancy.enums import RetentionState
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.models import Caller as VaultCaller
from callprivacy.vault.models import RecordingKey
from tests import make
from tests.calls.saying import (
    CALLER,
    OTHER_CALLER,
    TRACKING,
    YESTERDAY,
    calls,
    fact,
    in_the_clear,
    kept,
    number_of,
    recording_of,
    references,
    the_call,
    told,
)
from tests.make import NOON
from tests.samples import local
from tests.scale import some, times

pytestmark = pytest.mark.django_db

LINK = "https://app.example.com/calls/1/recording/redirect?access_key=c4n4ry5ecret"
OTHER_LINK = "https://app.example.com/calls/1/recording/redirect?access_key=an0ther"


@pytest.fixture
def plumber() -> Client:
    return make.client(make.agency("Acme"), "Plumber")


def rows(client: Client) -> tuple[int, int, int, int]:
    """How many calls, callers, references and recordings there are."""
    with job_scope(agency_id=client.agency_id):
        models: tuple[Any, ...] = (Call, Caller, CallRef, Recording)
        return tuple(model.objects.count() for model in models)


# --- One call ------------------------------------------------------------------------------------------------------


def test_a_call_becomes_its_allowed_fields(plumber: Client) -> None:
    said = fact(
        campaign="Brand \\ new", medium="cpc", country="US", region="GA", first_call=True, qualified=False,
        value_cents=12_345, tags=("quote", 'with "quotes"', "back\\slash"), recording_reference=LINK,
        recording_seconds=90,
    )  # fmt: skip
    assert told(plumber, said) == [Taken.ADDED]
    assert kept(the_call(plumber)) == {
        "direction": "inbound", "outcome": "answered", "seconds": 95, "source": "Google Ads",
        "campaign": "Brand \\ new", "medium": "cpc", "country": "US", "region": "GA", "first_call": True,
        "qualified": False, "value_cents": 12_345, "tags": ["quote", 'with "quotes"', "back\\slash"],
        "caller_withheld": False, "sequence": the_call(plumber).sequence, "started_at": YESTERDAY,
        "number": CALLER, "tracking": TRACKING, "recording": (LINK, 90),
    }  # fmt: skip


def test_the_caller_is_sealed_once_and_placed_by_the_plan(plumber: Client) -> None:
    told(plumber, fact(), fact(references=(("id", "2"),), started_at=YESTERDAY + timedelta(hours=1)))
    first, second = calls(plumber)
    assert first.caller == second.caller
    assert first.caller is not None
    assert (first.caller.country, first.caller.region) == ("US", "DC")
    assert rows(plumber) == (2, 1, 2, 0)


def test_a_withheld_caller_is_nobody(plumber: Client) -> None:
    told(plumber, fact(caller_withheld=True), fact(caller_withheld=True, references=(("id", "2"),)))
    assert [(call.caller_id, call.caller_withheld) for call in calls(plumber)] == [(None, True)] * 2
    assert rows(plumber) == (2, 0, 2, 0)


def test_a_recording_is_withheld_under_a_key_of_its_own(plumber: Client) -> None:
    told(plumber, fact(recording_reference=LINK))
    call = the_call(plumber)
    assert call.recording.state == RecordingState.WITHHELD
    assert call.recording.provider == "callrail"
    assert str(call.recording.reference) == "•••"
    assert recording_of(call) == LINK
    vault.destroy_recording_keys(client_id=plumber.pk, recording_ids=[call.recording.pk])
    assert vault_selectors.recording_keys(plumber.pk, [call.recording.pk]) == {}
    assert number_of(call) == CALLER


def test_a_withheld_callers_recording_is_under_the_clients_key(plumber: Client) -> None:
    told(plumber, fact(caller_withheld=True, recording_reference=LINK))
    assert recording_of(the_call(plumber)) == LINK
    assert RecordingKey.objects.get(pk=the_call(plumber).recording.pk).caller_id is None


def test_an_unknown_tracking_number_is_noted_once(plumber: Client) -> None:
    existing = make.tracking_number(plumber, "+14045550111", label="Flyer")
    told(
        plumber,
        fact(),
        fact(references=(("id", "2"),), started_at=YESTERDAY + timedelta(hours=1)),
        fact(references=(("id", "3"),), tracking_number="+14045550111"),
    )
    with job_scope(agency_id=plumber.agency_id):
        numbers = dict(TrackingNumber.objects.values_list("number", "provider"))
        assert numbers == {TRACKING: "callrail", "+14045550111": ""}
        assert Call.objects.filter(tracking_number=existing).count() == 1


def test_the_latest_call_is_noted_on_the_client(plumber: Client) -> None:
    told(plumber, fact())
    told(plumber, fact(references=(("id", "2"),), started_at=YESTERDAY - timedelta(days=3)))
    with job_scope(agency_id=plumber.agency_id):
        plumber.refresh_from_db()
    assert plumber.last_call_at == YESTERDAY


def test_a_call_under_way_says_so_and_one_that_ended_in_silence_says_nothing(plumber: Client) -> None:
    told(plumber, fact(stage=Stage.STARTED, outcome=None, seconds=None))
    told(plumber, fact(references=(("id", "2"),), started_at=YESTERDAY + timedelta(hours=1), outcome=None))
    assert [call.outcome for call in calls(plumber)] == [Outcome.UNDERWAY, ""]


def test_another_client_of_the_agency_does_not_meet_it(plumber: Client) -> None:
    dentist = make.client(plumber.agency, "Dentist")
    assert told(plumber, fact()) == told(dentist, fact()) == [Taken.ADDED]
    assert the_call(plumber).caller_id != the_call(dentist).caller_id


# --- Again, and in any order -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", some(Way, one_in=2))
def test_a_replay_changes_nothing(plumber: Client, way: Way) -> None:
    said = fact(recording_reference=LINK, tags=("quote",))
    told(plumber, said, way=way)
    before, count = kept(the_call(plumber)), rows(plumber)
    assert told(plumber, said, said, way=way) == [Taken.KNOWN, Taken.KNOWN]
    assert (kept(the_call(plumber)), rows(plumber)) == (before, count)
    assert RecordingKey.objects.filter(client_id=plumber.pk, caller_id__isnull=False).count() == 1


def test_one_batch_may_say_the_same_twice(plumber: Client) -> None:
    said = fact(recording_reference=LINK)
    assert told(plumber, said, said) == [Taken.ADDED, Taken.KNOWN]
    assert rows(plumber) == (1, 1, 1, 1)
    assert RecordingKey.objects.filter(client_id=plumber.pk, caller_id__isnull=False).count() == 1


# All at once and one after the other: in the suite each order in one of the two ways.
_ORDERS = list(itertools.permutations(range(4)))
IN_ANY_ORDER = pytest.mark.parametrize(
    ("order", "together"),
    times(
        some(((order, bool(number % 2)) for number, order in enumerate(_ORDERS)), one_in=7),
        list(itertools.product(_ORDERS, (True, False))),
    ),
)


def twilio_events() -> list[CallFacts]:
    """Initiated, in progress, completed with its own idea of the start, and the recording."""
    sid = (("sid", "CA1"),)
    return [
        fact(stage=Stage.STARTED, revision=0, seconds=None, outcome=None, source="", references=sid),
        fact(
            stage=Stage.ROUTED, revision=1, seconds=None, outcome=None, source="", references=sid,
            started_at=YESTERDAY + timedelta(seconds=4),
        ),
        fact(
            stage=Stage.ENDED, revision=2, source="", references=sid,
            started_at=YESTERDAY + timedelta(seconds=7),
        ),
        fact(
            stage=Stage.ADDENDUM, revision=1, direction=None, seconds=None, outcome=None, caller=None, source="",
            tracking_number=None, references=sid, recording_reference=LINK, recording_seconds=88,
            started_at=YESTERDAY + timedelta(seconds=9),
        ),
    ]  # fmt: skip


@IN_ANY_ORDER
def test_twilios_events_end_in_one_right_row_in_any_order(
    plumber: Client, order: tuple[int, ...], together: bool
) -> None:
    events = [twilio_events()[index] for index in order]
    batches = [events] if together else [[event] for event in events]
    early = []
    for batch in batches:
        verdicts = told(plumber, *batch, provider="twilio")
        early += [said for said, verdict in zip(batch, verdicts, strict=True) if verdict is Taken.EARLY]
    for event in early:
        told(plumber, event, provider="twilio")
    call = the_call(plumber)
    found = kept(call)
    assert (found["outcome"], found["seconds"], found["recording"]) == ("answered", 95, (LINK, 88))
    assert (found["number"], found["tracking"], call.started_at) == (CALLER, TRACKING, YESTERDAY)
    assert rows(plumber) == (1, 1, 1, 1)


def test_news_of_a_call_that_there_is_none_of_is_early(plumber: Client) -> None:
    assert told(plumber, twilio_events()[3], provider="twilio") == [Taken.EARLY]
    assert rows(plumber) == (0, 0, 0, 0)
    assert not RecordingKey.objects.filter(client_id=plumber.pk, caller_id__isnull=False).exists()


def callrail_events() -> list[CallFacts]:
    """Pre-Call, Post-Call with the recording, and two Call Modified, of which the second takes the tag away."""
    both = (("id", "1"), ("resource_id", "CAL1"))
    return [
        fact(
            stage=Stage.STARTED, revision=1_000, seconds=None, outcome=None, source="Unattributed",
            references=(("id", "1"),),
        ),
        fact(
            stage=Stage.ENDED, revision=2_000, campaign="Brand", tags=("new",), references=both,
            recording_reference=LINK,
        ),
        fact(
            stage=Stage.MODIFIED, revision=3_000, tags=("quote",), value_cents=5_000, references=both,
            modified_only=frozenset({"tags", "value_cents"}),
        ),
        fact(
            stage=Stage.MODIFIED, revision=4_000, tags=(), value_cents=9_900, qualified=True, references=both,
            modified_only=frozenset({"tags", "value_cents", "qualified"}),
        ),
    ]  # fmt: skip


@IN_ANY_ORDER
def test_callrails_events_end_in_one_right_row_in_any_order(
    plumber: Client, order: tuple[int, ...], together: bool
) -> None:
    events = [callrail_events()[index] for index in order]
    if together:
        told(plumber, *events)
    else:
        for event in events:
            told(plumber, event)
    found = kept(the_call(plumber))
    assert (found["source"], found["campaign"], found["outcome"], found["seconds"]) == (
        "Google Ads", "Brand", "answered", 95,
    )  # fmt: skip
    assert (found["tags"], found["value_cents"], found["qualified"]) == ([], 9_900, True)
    assert found["recording"] == (LINK, None)


def test_pre_call_then_post_call_is_one_changed_call(plumber: Client) -> None:
    pre, post, *_ = callrail_events()
    assert told(plumber, pre) == [Taken.ADDED]
    assert told(plumber, post) == [Taken.CHANGED]
    assert references(plumber) == {("callrail", "id"), ("callrail", "resource_id")}


def test_call_modified_changes_only_its_fields(plumber: Client) -> None:
    told(plumber, fact(revision=2_000, campaign="Brand"))
    before = kept(the_call(plumber))
    modified = fact(
        stage=Stage.MODIFIED, revision=3_000, modified_only=frozenset({"tags"}), tags=("quote",),
        source="Elsewhere", campaign="Elsewhere", seconds=1, outcome=Outcome.MISSED, caller=OTHER_CALLER,
        started_at=YESTERDAY - timedelta(minutes=1), direction=Direction.OUTBOUND,
    )  # fmt: skip
    told(plumber, modified)
    after = kept(the_call(plumber))
    assert {name for name in after if after[name] != before[name]} == {"tags", "sequence"}


def test_call_modified_wins_over_files(plumber: Client) -> None:
    told(plumber, fact(tags=("from the file",), value_cents=100), way=Way.IMPORT)
    _, _, first, last = callrail_events()
    assert told(plumber, first) == [Taken.CHANGED]
    assert told(plumber, last) == [Taken.CHANGED]
    assert told(plumber, fact(tags=("from the file",), value_cents=100), way=Way.IMPORT) == [Taken.KNOWN]
    call = the_call(plumber)
    assert (call.tags, call.value_cents, call.qualified) == ([], 9_900, True)


def test_a_file_only_fills_blanks(plumber: Client) -> None:
    told(plumber, fact(source="", seconds=None, outcome=None, stage=Stage.STARTED, caller=None))
    file = fact(campaign="Brand", recording_reference=LINK, recording_seconds=80)
    assert told(plumber, file, way=Way.IMPORT) == [Taken.FILLED]
    again = fact(campaign="Other", source="Other", seconds=3, outcome=Outcome.MISSED, caller=OTHER_CALLER,
                 recording_reference=OTHER_LINK, recording_seconds=3)  # fmt: skip
    assert told(plumber, again, way=Way.IMPORT) == [Taken.KNOWN]
    found = kept(the_call(plumber))
    assert (found["campaign"], found["source"], found["seconds"]) == ("Brand", "Google Ads", 95)
    assert (found["outcome"], found["number"], found["recording"]) == ("answered", CALLER, (LINK, 80))


def test_a_tracker_overrules_a_file(plumber: Client) -> None:
    told(plumber, fact(source="From the file", seconds=3), way=Way.IMPORT)
    assert told(plumber, fact(source="Google Ads")) == [Taken.CHANGED]
    assert (the_call(plumber).source, the_call(plumber).seconds) == ("Google Ads", 95)


def test_a_recording_that_moved_is_sealed_anew_under_its_key(plumber: Client) -> None:
    told(plumber, fact(recording_reference=LINK, revision=1))
    before = the_call(plumber).recording.pk
    assert told(plumber, fact(recording_reference=OTHER_LINK, revision=2)) == [Taken.CHANGED]
    assert the_call(plumber).recording.pk == before
    assert recording_of(the_call(plumber)) == OTHER_LINK


def test_a_recording_whose_key_is_gone_already_is_left_alone(plumber: Client) -> None:
    told(plumber, fact(recording_reference=LINK, recording_seconds=90))
    again = intake.prepare(
        client=plumber, provider="callrail", connection_id=None,
        facts=[fact(recording_reference=OTHER_LINK, recording_seconds=90)], way=Way.HOOK, at=NOON,
    )  # fmt: skip
    recording_id = the_call(plumber).recording.pk
    vault.destroy_recording_keys(client_id=plumber.pk, recording_ids=[recording_id])
    assert again.store() == [Taken.KNOWN]
    assert rows(plumber) == (1, 1, 1, 1)


def test_a_start_that_turns_out_earlier_moves_the_call_and_what_hangs_on_it(plumber: Client) -> None:
    told(plumber, fact(revision=1, recording_reference=LINK))
    before = the_call(plumber)
    told(plumber, fact(revision=2, started_at=YESTERDAY - timedelta(seconds=20)))
    after = the_call(plumber)
    assert after.started_at == YESTERDAY - timedelta(seconds=20)
    assert after.pk.int & ((1 << 76) - 1) == before.pk.int & ((1 << 76) - 1)
    assert recording_of(after) == LINK
    assert told(plumber, fact(revision=2)) == [Taken.KNOWN]


def test_no_news_takes_a_held_call_out_of_its_hold(plumber: Client) -> None:
    told(plumber, fact(revision=1))
    before = the_call(plumber)
    with job_scope(agency_id=plumber.agency_id):
        Call.objects.filter(pk=before.pk).update(on_hold=True)
    earlier = YESTERDAY - timedelta(seconds=20)
    told(plumber, fact(revision=2, started_at=earlier, caller=OTHER_CALLER, seconds=99))
    told(plumber, fact(revision=3, started_at=earlier, caller=None, caller_withheld=True, seconds=99))
    after = the_call(plumber)
    assert (after.pk, after.caller_id, after.caller_withheld) == (before.pk, before.caller_id, False)
    assert after.seconds == 99, "the rest is brought up to date"


# --- The same call by another way --------------------------------------------------------------------------------


def from_file(**said: Any) -> CallFacts:
    """The call as a file without ids has it."""
    return fact(**({"references": ()} | said))


def test_a_file_without_ids_meets_the_trackers_call(plumber: Client) -> None:
    told(plumber, fact())
    said = from_file(started_at=YESTERDAY + timedelta(seconds=2), campaign="Brand")
    assert told(plumber, said, way=Way.IMPORT) == [Taken.FILLED]
    assert the_call(plumber).campaign == "Brand"
    assert told(plumber, said, way=Way.IMPORT) == [Taken.KNOWN]
    assert references(plumber) == {("callrail", "id"), ("callrail", "facts")}


def test_a_tracker_meets_the_call_of_a_file(plumber: Client) -> None:
    told(plumber, from_file(), way=Way.IMPORT)
    assert told(plumber, fact(started_at=YESTERDAY + timedelta(seconds=2), source="Facebook")) == [
        Taken.CHANGED
    ]
    assert the_call(plumber).source == "Facebook"


@pytest.mark.parametrize(
    "said",
    [
        {"started_at": YESTERDAY + timedelta(seconds=2, milliseconds=1)},
        {"caller": OTHER_CALLER},
        {"tracking_number": "+18005550199"},
    ],
    ids=["later", "somebody else", "another number"],
)
def test_another_call_is_added(plumber: Client, said: dict[str, Any]) -> None:
    told(plumber, fact())
    assert told(plumber, from_file(**said), way=Way.IMPORT) == [Taken.ADDED]
    assert len(calls(plumber)) == 2


@pytest.mark.parametrize(
    "said",
    [{"seconds": 94}, {"seconds": None}, {"tracking_number": None}],
    ids=["another length", "no length", "no tracking number"],
)
def test_what_may_be_the_same_is_counted_and_not_merged(plumber: Client, said: dict[str, Any]) -> None:
    told(plumber, fact())
    file = from_file(**said)
    assert told(plumber, file, way=Way.IMPORT) == [Taken.DOUBTFUL]
    assert len(calls(plumber)) == 2
    assert told(plumber, file, way=Way.IMPORT) == [Taken.KNOWN]


def test_two_that_may_be_meant_are_doubtful(plumber: Client) -> None:
    told(plumber, fact(), fact(references=(("id", "2"),), started_at=YESTERDAY + timedelta(seconds=1)))
    assert told(plumber, from_file(), way=Way.IMPORT) == [Taken.DOUBTFUL]
    assert len(calls(plumber)) == 3


def test_two_of_a_file_do_not_claim_one_call(plumber: Client) -> None:
    told(plumber, fact())
    pair = [from_file(), from_file(started_at=YESTERDAY + timedelta(seconds=1))]
    assert sorted(told(plumber, *pair, way=Way.IMPORT)) == [Taken.DOUBTFUL, Taken.KNOWN]


def test_a_withheld_call_is_met_by_another_way_where_it_can_be_no_other(plumber: Client) -> None:
    told(plumber, fact(caller_withheld=True))
    listed = {"caller_withheld": True, "references": (("resource_id", "CAL1"),)}
    assert told(plumber, fact(**listed, campaign="Brand")) == [Taken.FILLED]
    assert the_call(plumber).campaign == "Brand"
    assert told(plumber, fact(**listed | {"references": (("resource_id", "CAL2"),)}, seconds=94)) == [
        Taken.ADDED
    ]


def test_which_of_two_withheld_calls_is_meant_nobody_knows(plumber: Client) -> None:
    told(plumber, *(fact(caller_withheld=True, references=(("id", name),)) for name in ("1", "2")))
    assert told(plumber, from_file(caller_withheld=True), way=Way.IMPORT) == [Taken.DOUBTFUL]
    assert len(calls(plumber)) == 3


@pytest.mark.parametrize("nobody", [False, True])
def test_a_file_that_says_more_of_its_calls_fills_them(plumber: Client, nobody: bool) -> None:
    for less in ({"seconds": None, "tracking_number": None}, {"tracking_number": None}, {}):
        told(plumber, *twice(caller_withheld=nobody, **less), way=Way.IMPORT)
        assert len(calls(plumber)) == 2
    assert told(plumber, *twice(caller_withheld=nobody, seconds=None), way=Way.IMPORT) == [Taken.KNOWN] * 2
    first, second = calls(plumber)
    assert (first.seconds, first.tracking_number) == (95, second.tracking_number)
    assert first.tracking_number is not None


def twice(**said: Any) -> list[CallFacts]:
    """Two calls a minute apart, as a file without ids has them."""
    return [from_file(started_at=YESTERDAY + timedelta(minutes=minutes), **said) for minutes in (0, 1)]


@pytest.mark.parametrize("said", [{"seconds": 96}, {"started_at": YESTERDAY + timedelta(seconds=1)}])
def test_a_file_without_ids_that_says_otherwise_is_counted_as_doubtful(
    plumber: Client, said: dict[str, Any]
) -> None:
    told(plumber, from_file(), way=Way.IMPORT)
    assert told(plumber, from_file(**said), way=Way.IMPORT) == [Taken.DOUBTFUL]
    assert told(plumber, from_file(**said), way=Way.IMPORT) == [Taken.KNOWN]
    assert len(calls(plumber)) == 2


def test_a_call_that_this_way_knows_by_another_id_is_another(plumber: Client) -> None:
    told(plumber, fact(), from_file(caller=OTHER_CALLER))
    assert told(plumber, fact(references=(("id", "2"),))) == [Taken.ADDED]


# --- What stays away -----------------------------------------------------------------------------------------------


def test_what_is_past_its_keep_for_is_too_old(plumber: Client) -> None:
    with job_scope(agency_id=plumber.agency_id):
        Client.objects.filter(pk=plumber.pk).update(
            keep_calls_for_days=10, time_zone="America/New_York", retention_state=RetentionState.LIVE
        )
    midnight = local(-10, 0).astimezone(UTC)
    verdicts = told(
        plumber,
        fact(started_at=midnight - timedelta(milliseconds=1)),
        fact(started_at=midnight, references=(("id", "2"),)),
    )
    assert verdicts == [Taken.TOO_OLD, Taken.ADDED]
    assert the_call(plumber).started_at == midnight
    assert VaultCaller.objects.filter(client_id=plumber.pk).count() == 1


def test_in_dry_run_nothing_is_too_old(plumber: Client) -> None:
    with job_scope(agency_id=plumber.agency_id):
        Client.objects.filter(pk=plumber.pk).update(keep_calls_for_days=10)
    assert told(plumber, fact(started_at=NOON - timedelta(days=400))) == [Taken.ADDED]


def test_what_is_older_than_the_watermark_is_too_old(plumber: Client) -> None:
    vault.advance_watermark(client_id=plumber.pk, category=erasure.WATERMARK, before=YESTERDAY)
    verdicts = told(
        plumber, fact(started_at=YESTERDAY - timedelta(seconds=1)), fact(references=(("id", "2"),))
    )
    assert verdicts == [Taken.TOO_OLD, Taken.ADDED]


def test_what_a_run_erased_after_the_batch_was_prepared_is_not_brought_back(plumber: Client) -> None:
    later = fact(references=(("id", "2"),), started_at=YESTERDAY + timedelta(hours=1), caller=OTHER_CALLER)
    prepared = intake.prepare(
        client=plumber, provider="callrail", connection_id=None,
        facts=[fact(recording_reference=LINK), later], way=Way.IMPORT, at=NOON,
    )  # fmt: skip
    vault.advance_watermark(
        client_id=plumber.pk, category=erasure.WATERMARK, before=YESTERDAY + timedelta(minutes=1)
    )
    assert prepared.store() == [Taken.TOO_OLD, Taken.ADDED]
    assert rows(plumber) == (1, 1, 1, 0)
    assert number_of(the_call(plumber)) == OTHER_CALLER
    assert RecordingKey.objects.filter(client_id=plumber.pk).count() == 0


@pytest.mark.django_db(transaction=True)
def test_who_moves_the_line_waits_for_a_batch_under_way(plumber: Client) -> None:
    prepared = intake.prepare(
        client=plumber, provider="callrail", connection_id=None, facts=[fact()], way=Way.HOOK, at=NOON
    )
    order: list[str] = []

    def move() -> None:
        try:
            with job_scope(agency_id=plumber.agency_id):
                turns.lock_client(plumber.pk)
                order.append("moved")
        finally:
            connections.close_all()

    mover = threading.Thread(target=move)

    def meanwhile(_: object) -> None:
        mover.start()
        mover.join(0.5)
        order.append("written")

    prepared.store(meanwhile)
    mover.join(10)
    assert order == ["written", "moved"]


def test_an_erased_persons_calls_stay_away_and_later_ones_make_a_fresh_caller(plumber: Client) -> None:
    told(plumber, fact(recording_reference=LINK))
    old = the_call(plumber)
    assert old.caller_id is not None
    vault.erase_callers(
        client_id=plumber.pk,
        erasures=[vault.Erasure(old.caller_id, up_to=YESTERDAY, tombstone_ends_on=date(2029, 1, 1))],
        at=NOON,
    )
    with job_scope(agency_id=plumber.agency_id):
        recordings = tuple(Recording.objects.values_list("pk", flat=True))
        chosen = erasure.Chosen(ids=(old.pk,), recordings=recordings, forgotten=frozenset([old.caller_id]))
        erasure.remove_calls(client=plumber, chosen=chosen)
    for way in Way:
        assert told(plumber, fact(recording_reference=LINK), way=way) == [Taken.ERASED]
        assert told(plumber, from_file(), way=way) == [Taken.ERASED]
    assert not VaultCaller.objects.filter(client_id=plumber.pk).exists()
    later = fact(started_at=YESTERDAY + timedelta(seconds=1), references=(("id", "2"),))
    assert told(plumber, later) == [Taken.ADDED]
    assert the_call(plumber).caller_id != old.caller_id


def test_who_is_erased_between_the_question_and_the_keys_stays_away(
    plumber: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(plumber, fact())
    old = the_call(plumber)
    real = vault.issue_keys

    def erased_just_before(**asked: Any) -> vault.Issued:
        monkeypatch.setattr(vault, "issue_keys", real)
        assert old.caller_id is not None
        gone = vault.Erasure(old.caller_id, up_to=YESTERDAY, tombstone_ends_on=date(2029, 1, 1))
        vault.erase_callers(client_id=plumber.pk, erasures=[gone], at=NOON)
        return real(**asked)

    monkeypatch.setattr(vault, "issue_keys", erased_just_before)
    again = fact(started_at=YESTERDAY - timedelta(hours=1), references=(("id", "2"),))
    assert told(plumber, again) == [Taken.ERASED]
    assert len(calls(plumber)) == 1


def test_a_call_erased_singly_stays_away(plumber: Client) -> None:
    told(plumber, fact())
    call = the_call(plumber)
    with job_scope(agency_id=plumber.agency_id):
        digests = [bytes(row.digest) for row in CallRef.objects.all()]
        erasure.remove_calls(client=plumber, chosen=erasure.Chosen(ids=(call.pk,)))
    vault.entomb_calls(client_id=plumber.pk, digests=digests, ends_on=date(2029, 1, 1), at=NOON)
    for way in Way:
        assert told(plumber, fact(), way=way) == [Taken.ERASED]
    assert calls(plumber) == []


def test_a_call_without_an_id_that_was_erased_singly_stays_away(plumber: Client) -> None:
    tokens = vault_selectors.client_keys(plumber.pk).tokens
    digest = intake.facts_digest(tokens, "callrail", from_file())
    vault.entomb_calls(client_id=plumber.pk, digests=[digest], ends_on=date(2029, 1, 1), at=NOON)
    assert told(plumber, from_file(), way=Way.IMPORT) == [Taken.ERASED]


# --- Two at once, and failures -------------------------------------------------------------------------------------


def test_a_caller_erased_meanwhile_is_noticed(plumber: Client) -> None:
    prepared = intake.prepare(
        client=plumber, provider="callrail", connection_id=None, facts=[fact(recording_reference=LINK)],
        way=Way.HOOK, at=NOON,
    )  # fmt: skip
    (caller_id,) = prepared.callers
    vault.erase_callers(client_id=plumber.pk, erasures=[vault.Erasure(caller_id)], at=NOON)
    with pytest.raises(intake.CallerGoneError):
        prepared.store()
    assert rows(plumber) == (0, 0, 0, 0)
    assert not RecordingKey.objects.filter(client_id=plumber.pk, caller_id__isnull=False).exists()
    assert told(plumber, fact(recording_reference=LINK)) == [Taken.ADDED]


def test_what_is_done_alongside_commits_with_the_calls_or_not_at_all(plumber: Client) -> None:
    seen: list[list[Taken]] = []

    def refuse(verdicts: Any) -> None:
        seen.append(list(verdicts))
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        told(plumber, fact(recording_reference=LINK), alongside=refuse)
    assert seen == [[Taken.ADDED]]
    assert rows(plumber) == (0, 0, 0, 0)
    assert not RecordingKey.objects.filter(client_id=plumber.pk, caller_id__isnull=False).exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "second",
    [fact(), pytest.param(from_file(), marks=pytest.mark.thorough)],
    ids=["the same facts", "another way"],
)
def test_two_at_once_make_one_row(second: CallFacts) -> None:
    plumber = make.client(make.agency("Acme"), "Plumber")
    together = threading.Barrier(2)
    verdicts: list[Taken] = []

    def work(facts: list[CallFacts], way: Way) -> None:
        try:
            prepared = intake.prepare(
                client=plumber, provider="callrail", connection_id=None, facts=facts, way=way, at=NOON
            )
            together.wait(10)
            verdicts.extend(prepared.store())
        finally:
            connections.close_all()

    many = [
        fact(references=(("id", str(n)),), started_at=YESTERDAY - timedelta(minutes=n)) for n in range(2, 40)
    ]
    threads = [
        threading.Thread(target=work, args=([fact(), *many], Way.HOOK)),
        threading.Thread(target=work, args=([second, *many], Way.IMPORT)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(verdicts) == [Taken.ADDED] * 39 + [Taken.KNOWN] * 39
    assert len(calls(plumber)) == 39
    assert rows(plumber)[1] == VaultCaller.objects.filter(client_id=plumber.pk).count() == 1


@pytest.mark.thorough
@pytest.mark.django_db(transaction=True)
def test_an_erasure_waits_for_the_writer(plumber: Client) -> None:
    prepared = intake.prepare(
        client=plumber, provider="callrail", connection_id=None, facts=[fact()], way=Way.HOOK, at=NOON
    )
    (caller_id,) = prepared.callers
    order: list[str] = []
    started = threading.Event()

    def erase() -> None:
        try:
            started.set()
            vault.erase_callers(client_id=plumber.pk, erasures=[vault.Erasure(caller_id)], at=NOON)
            order.append("erased")
        finally:
            connections.close_all()

    thread = threading.Thread(target=erase)

    def meanwhile(_: Any) -> None:
        thread.start()
        started.wait(5)
        thread.join(0.5)
        order.append("written")

    prepared.store(meanwhile)
    thread.join(10)
    assert order == ["written", "erased"]


# --- How much it asks, and what it leaves in the clear ------------------------------------------------------------


def test_it_asks_the_database_as_often_for_one_as_for_many(
    plumber: Client, django_assert_max_num_queries: Any
) -> None:
    told(plumber, fact(references=(("id", "0"),), started_at=YESTERDAY - timedelta(days=1)))
    many = [
        fact(
            references=(("id", str(n)),),
            started_at=YESTERDAY - timedelta(minutes=n),
            caller=f"+120255501{n:02}",
            recording_reference=LINK,
        )
        for n in range(1, 60)
    ]
    with django_assert_max_num_queries(34, using="default"), django_assert_max_num_queries(25, using="vault"):
        assert set(told(plumber, *many)) == {Taken.ADDED}


@pytest.mark.thorough
@pytest.mark.django_db(transaction=True)
def test_nothing_personal_stands_in_the_clear(plumber: Client) -> None:
    told(plumber, fact(recording_reference=LINK, campaign="A plain campaign"))
    assert in_the_clear("2025550147", "202-555-0147", "c4n4ry5ecret", "app.example.com") == set()
    assert in_the_clear("A plain campaign", TRACKING) == {
        ("calls_call", "A plain campaign"),
        ("calls_trackingnumber", TRACKING),
    }


def test_a_connection_is_remembered(plumber: Client) -> None:
    from callprivacy.calls.models import Connection

    with job_scope(agency_id=plumber.agency_id):
        connection = Connection.objects.create(
            agency_id=plumber.agency_id, client=plumber, provider="callrail", name="Main", key=uuid.uuid4().hex,
            created_at=NOON,
        )  # fmt: skip
    intake.take_in(
        client=plumber,
        provider="callrail",
        connection_id=connection.pk,
        facts=[fact()],
        way=Way.HOOK,
        at=NOON,
    )
    assert the_call(plumber).connection_id == connection.pk
