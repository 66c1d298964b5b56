"""Keys that trackers report: read once, by what the connection says they mean; what is not mapped means nothing."""

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from callprivacy.calls.models import Call, CallPress, CallRef, Connection
from callprivacy.calls.selectors.connections import PressRule
from callprivacy.calls.services import connections as ways
from callprivacy.calls.services import intake, people
from callprivacy.calls.services.intake import Taken, Way
from callprivacy.tenancy import jobs
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from consent.enums import Channel, EventKind, Purpose, Scope, State, Strength
from consent.models import ConsentEvent, ConsentState, Decision, Withdrawal
from consent.services import decisions, ledger, presses
from consent.services.ledger import Said
from consent.tasks import presses as tasks
from tests import make
from tests.calls.saying import CALLER, YESTERDAY, fact
from tests.cast import Cast
from tests.make import NOON

pytestmark = pytest.mark.as_committed

NEVER = PressRule("", "9", ("record", "review"), "withdrawn", "standing")
AGREES = PressRule("Recording", "1", ("record",), "given", "this_call")
GOES_ON = PressRule("Recording", "1", ("contact",), "given", "standing")
NOT_NOW = PressRule("Recording", "2", ("record",), "refused", "this_call")


def connect(client: Client, *rules: PressRule) -> Connection:
    with job_scope(agency_id=client.agency_id):
        connection = Connection.objects.create(
            agency_id=client.agency_id,
            client=client,
            provider="ctm",
            name="CTM",
            key=uuid.uuid4().hex,
            created_at=NOON,
        )
        ways.map_presses(connection=connection, rules=rules, by=make.JOB, at=NOON)
        connection.refresh_from_db()
        return connection


def bring(to: Connection | None, client: Client, *pressed: tuple[str, str], **said: Any) -> None:
    taken = intake.take_in(
        client=client, provider="ctm", connection_id=to.pk if to else None, facts=[fact(presses=pressed, **said)],
        way=Way.HOOK, at=NOON,
    )  # fmt: skip
    assert taken in ([Taken.ADDED], [Taken.KNOWN], [Taken.CHANGED])


def work(cast: Cast) -> int:
    return presses.read(agency_id=cast.acme.pk, at=NOON)[0]


def events(client: Client) -> list[ConsentEvent]:
    with job_scope(agency_id=client.agency_id):
        return list(ConsentEvent.objects.for_client(client).order_by("purpose", "scope"))


def waiting(client: Client) -> int:
    with job_scope(agency_id=client.agency_id):
        return CallPress.objects.for_client(client).filter(handled_at=None).count()


def test_a_key_of_never_again_withdraws_what_is_mapped_and_holds_for_the_number(cast: Cast) -> None:
    bring(connect(cast.dentist, NEVER), cast.dentist, ("menu 1", "9"))
    assert work(cast) == 1
    one, two = events(cast.dentist)
    assert (one.purpose, two.purpose) == (Purpose.RECORD, Purpose.REVIEW)
    assert {one.kind, two.kind} == {EventKind.WITHDRAWN}
    assert (one.channel, one.scope, one.strength) == (Channel.TRACKER, Scope.STANDING, Strength.C)
    assert one.happened_at == YESTERDAY
    with job_scope(agency_id=cast.acme.pk):
        state = ConsentState.objects.for_client(cast.dentist).get(purpose=Purpose.RECORD)
        assert state.state == State.WITHDRAWN
        assert Withdrawal.objects.for_client(cast.dentist).count() == 1
        assert ledger.evidence_of(client=cast.dentist, events=[one], at=NOON)[one.pk]["key"] == "9"
    found = vault_selectors.suppressed(cast.dentist.pk, [CALLER], on=NOON.date())
    assert set(found[CALLER]) == {"record", "review"}
    assert waiting(cast.dentist) == 0


def test_all_rules_that_a_press_meets_count(cast: Cast) -> None:
    bring(connect(cast.dentist, AGREES, GOES_ON, NEVER), cast.dentist, ("recording", "1"))
    work(cast)
    assert {(row.purpose, row.kind, row.scope, row.strength) for row in events(cast.dentist)} == {
        ("record", "given", "this_call", "A"),
        ("contact", "given", "standing", "C"),
    }


def test_the_same_purpose_for_the_call_and_for_good_are_two_facts(cast: Cast) -> None:
    both = (PressRule("", "9", ("record",), "withdrawn", scope) for scope in ("this_call", "standing"))
    bring(connect(cast.dentist, *both), cast.dentist, ("menu", "9"))
    work(cast)
    assert [row.scope for row in events(cast.dentist)] == ["standing", "this_call"]


def test_what_is_not_mapped_is_done_with_and_means_nothing(cast: Cast) -> None:
    bring(connect(cast.dentist, NEVER), cast.dentist, ("menu 1", "3"))
    bring(
        None,
        cast.dentist,
        ("menu 1", "9"),
        references=(("id", "2"),),
        started_at=YESTERDAY + timedelta(hours=1),
    )
    assert work(cast) == 2
    assert events(cast.dentist) == []
    assert waiting(cast.dentist) == 0


def test_read_again_and_told_again_it_is_one_event(cast: Cast) -> None:
    connection = connect(cast.dentist, NOT_NOW)
    bring(connection, cast.dentist, ("Recording", "2"))
    assert work(cast) == 1
    bring(connection, cast.dentist, ("Recording", "2"))
    assert work(cast) == 0
    with job_scope(agency_id=cast.acme.pk):
        CallPress.objects.for_client(cast.dentist).update(handled_at=None)
    assert work(cast) == 1, "as after a crash between the two"
    assert len(events(cast.dentist)) == 1


def test_the_event_names_the_call_so_that_its_recording_is_decided_by_it(cast: Cast) -> None:
    bring(connect(cast.dentist, AGREES), cast.dentist, ("Recording", "1"))
    work(cast)
    with job_scope(agency_id=cast.acme.pk):
        digests = {
            bytes(row) for row in CallRef.objects.for_client(cast.dentist).values_list("digest", flat=True)
        }
    assert bytes(events(cast.dentist)[0].call_digest or b"") in digests
    assert decisions.has_due(agency_id=cast.acme.pk, at=NOON)


def test_who_withholds_the_number_is_heard_for_the_call_alone(cast: Cast) -> None:
    bring(connect(cast.dentist, NEVER), cast.dentist, ("menu", "9"), caller_withheld=True)
    work(cast)
    assert {(row.caller_id, row.scope, row.strength) for row in events(cast.dentist)} == {
        (None, "this_call", "A")
    }


def test_who_is_being_erased_does_not_hold_up_the_others(cast: Cast) -> None:
    connection = connect(cast.dentist, NEVER)
    bring(connection, cast.dentist, ("menu", "9"))
    bring(connection, cast.dentist, ("menu", "9"), references=(("id", "2"),), caller="+12025550199")
    with job_scope(agency_id=cast.acme.pk):
        gone, staying = Call.objects.for_client(cast.dentist).order_by("received_at", "pk")
        if vault_selectors.find_callers([cast.dentist.pk], CALLER)[cast.dentist.pk] != gone.caller_id:
            gone, staying = staying, gone
    assert gone.caller_id is not None
    vault.erase_callers(client_id=cast.dentist.pk, erasures=[vault.Erasure(gone.caller_id)], at=NOON)
    assert work(cast) == 1
    assert {row.caller_id for row in events(cast.dentist)} == {staying.caller_id}
    assert waiting(cast.dentist) == 1


def test_each_client_has_its_own_meaning_of_a_key(cast: Cast) -> None:
    bring(connect(cast.dentist, NEVER), cast.dentist, ("menu", "9"))
    bring(connect(cast.plumber, NOT_NOW), cast.plumber, ("menu", "9"))
    bring(connect(cast.florist, NEVER), cast.florist, ("menu", "9"))
    assert work(cast) == 2
    assert len(events(cast.dentist)) == 2
    assert events(cast.plumber) == []
    assert waiting(cast.florist) == 1, "another agency's job reads it"


def test_batches_go_on_where_the_last_one_ended(cast: Cast) -> None:
    bring(connect(cast.dentist, NEVER), cast.dentist, ("a", "9"), ("b", "9"), ("c", "3"))
    done, after = presses.read(agency_id=cast.acme.pk, at=NOON, limit=2)
    assert (done, bool(after)) == (2, True)
    assert presses.read(agency_id=cast.acme.pk, at=NOON, limit=2, after=after)[0] == 1
    assert not presses.has_due(agency_id=cast.acme.pk)


def test_the_beat_reads_them(cast: Cast) -> None:
    assert "consent.read_presses" in jobs.PERIODS
    bring(connect(cast.dentist, NEVER), cast.dentist, ("menu", "9"))
    tasks.read_presses.run()
    assert len(events(cast.dentist)) == 2


# --- What a yes may cover, and what nobody vouches for --------------------------------------------------------------


def test_a_yes_counts_from_the_end_of_its_call_and_a_no_covers_it(cast: Cast) -> None:
    bring(connect(cast.dentist, AGREES, NOT_NOW), cast.dentist, ("Recording", "1"), ("Recording", "2"))
    work(cast)
    assert {(row.kind, row.happened_at) for row in events(cast.dentist)} == {
        ("given", YESTERDAY + timedelta(seconds=95)),
        ("refused", YESTERDAY),
    }


@pytest.mark.parametrize("gates", [True, False])
def test_a_recording_that_may_have_begun_before_the_key_is_not_covered(cast: Cast, gates: bool) -> None:
    way = connect(cast.dentist, replace(AGREES, gates=gates))
    bring(way, cast.dentist, ("Recording", "1"), recording_reference="https://recordings.example/1")
    work(cast)
    decisions.decide_undecided(agency_id=cast.acme.pk, until=NOON + timedelta(seconds=1), clock=lambda: NOON)
    with job_scope(agency_id=cast.acme.pk):
        assert Decision.objects.get(client=cast.dentist, purpose=Purpose.RECORD).allowed is gates


def test_of_a_call_that_runs_a_yes_counts_from_now(cast: Cast) -> None:
    bring(connect(cast.dentist, AGREES), cast.dentist, ("Recording", "1"), seconds=None)
    presses.read(agency_id=cast.acme.pk, at=YESTERDAY + timedelta(minutes=2))
    assert events(cast.dentist)[0].happened_at == YESTERDAY + timedelta(minutes=2)


def test_what_only_a_file_says_is_not_proven_until_the_tracker_says_it(cast: Cast) -> None:
    way = connect(cast.dentist, AGREES)
    common: dict[str, Any] = {"client": cast.dentist, "provider": "ctm", "connection_id": way.pk, "at": NOON}
    pressed = fact(presses=(("Recording", "1"),))
    intake.take_in(facts=[fact()], way=Way.HOOK, **common)
    intake.take_in(facts=[pressed], way=Way.IMPORT, **common)
    work(cast)
    (row,) = events(cast.dentist)
    assert (row.kind, row.scope, row.strength) == ("given", "this_call", Strength.C)
    intake.take_in(facts=[pressed], way=Way.IMPORT, **common)
    assert work(cast) == 0
    intake.take_in(facts=[pressed], way=Way.HOOK, **common)
    assert work(cast) == 1
    assert {row.strength for row in events(cast.dentist)} == {Strength.A, Strength.C}
    intake.take_in(facts=[pressed], way=Way.IMPORT, **common)
    assert work(cast) == 0, "what the tracker has said a file does not weaken"


def test_a_file_lifts_nobodys_no(cast: Cast) -> None:
    way = connect(cast.dentist, PressRule("opt_in_SMS", "1", ("contact",), "given", "standing"))
    with job_scope(agency_id=cast.acme.pk):
        caller_id = people.add_callers(client=cast.dentist, numbers=[CALLER], at=NOON)[CALLER]
        no = Said(
            Purpose.CONTACT, EventKind.WITHDRAWN, Channel.SMS, Strength.A, YESTERDAY - timedelta(days=2), "sms 1",
            caller_id,
        )  # fmt: skip
        ledger.record_events(client=cast.dentist, said=[no], by=make.JOB, at=NOON)
    common: dict[str, Any] = {"client": cast.dentist, "provider": "ctm", "connection_id": way.pk, "at": NOON}
    intake.take_in(facts=[fact(presses=(("opt_in_SMS", "1"),))], way=Way.IMPORT, **common)
    work(cast)
    with job_scope(agency_id=cast.acme.pk):
        assert ConsentState.objects.get(caller_id=caller_id).state == State.WITHDRAWN
    assert "contact" in vault_selectors.suppressed(cast.dentist.pk, [CALLER], on=NOON.date())[CALLER]
