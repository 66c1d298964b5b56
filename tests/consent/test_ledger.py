"""The ledger: added to, never changed; the projection follows from it, in whatever order the events came."""

import itertools
import uuid
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from callprivacy.audit.models import Event
from callprivacy.calls.models import Caller
from callprivacy.calls.services import erasure, people
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import client_scope, job_scope, staff_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from consent.enums import Channel, EventKind, Purpose, Scope, State, Strength
from consent.models import ConsentEvent, ConsentState, Rejudgement
from consent.services import ledger
from consent.services.ledger import Said
from tests import make
from tests.cast import Cast
from tests.make import NOON

pytestmark = pytest.mark.as_committed

ONE = "+14155550101"
BY = Actor.client("tests")


def caller_of(cast: Cast, number: str = ONE) -> uuid.UUID:
    with job_scope(agency_id=cast.acme.pk):
        return people.add_callers(client=cast.dentist, numbers=[number], at=NOON)[number]


def said(caller_id: uuid.UUID | None, kind: EventKind, hours: int = 0, **fields: Any) -> Said:
    facts: dict[str, Any] = {
        "purpose": Purpose.RECORD,
        "channel": Channel.WEB,
        "strength": Strength.A,
        "happened_at": NOON + timedelta(hours=hours),
        "source": f"form {hours}",
        "caller_id": caller_id,
        "evidence": {"words": "You may record my calls."},
    }
    return Said(kind=kind, **{**facts, **fields})


def record(cast: Cast, *facts: Said) -> list[ConsentEvent]:
    with client_scope(agency_id=cast.acme.pk, client_id=cast.dentist.pk):
        return ledger.record_events(client=cast.dentist, said=facts, by=BY, at=NOON)


def state_of(cast: Cast, caller_id: uuid.UUID, purpose: Purpose = Purpose.RECORD) -> str | None:
    with job_scope(agency_id=cast.acme.pk):
        rows = ConsentState.objects.for_client(cast.dentist).filter(caller_id=caller_id, purpose=purpose)
        return rows.values_list("state", flat=True).first()


def test_what_was_said_is_there_with_its_evidence_sealed_and_its_trail(cast: Cast) -> None:
    caller_id = caller_of(cast)
    (event,) = record(cast, said(caller_id, EventKind.GIVEN))
    with job_scope(agency_id=cast.acme.pk):
        stored = ConsentEvent.objects.get(pk=event.pk)
        assert b"record my calls" not in bytes(stored.evidence.blob)
        opened = ledger.evidence_of(client=cast.dentist, events=[stored], at=NOON)
        assert opened == {event.pk: {"words": "You may record my calls."}}
        assert stored.audit_event_id is not None
        trail = Event.objects.get(pk=stored.audit_event_id)
        assert trail.action == "consent.recorded"
        assert Rejudgement.objects.for_client(cast.dentist).filter(caller_id=caller_id).count() == 1
        assert Caller.objects.get(pk=caller_id).has_evidence
    assert state_of(cast, caller_id) == State.GIVEN


def test_the_same_said_again_is_one_event(cast: Cast) -> None:
    caller_id = caller_of(cast)
    assert len(record(cast, said(caller_id, EventKind.GIVEN))) == 1
    assert record(cast, said(caller_id, EventKind.GIVEN)) == []


def test_nobody_changes_an_event_and_no_person_removes_one(cast: Cast) -> None:
    caller_id = caller_of(cast)
    (event,) = record(cast, said(caller_id, EventKind.GIVEN))
    with pytest.raises(IntegrityError, match="append-only"), job_scope(agency_id=cast.acme.pk):
        ConsentEvent.objects.filter(pk=event.pk).update(kind=EventKind.WITHDRAWN)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        assert ConsentEvent.objects.filter(pk=event.pk).remove() == 0
    with (
        pytest.raises(IntegrityError, match="append-only"),
        job_scope(agency_id=cast.acme.pk),
        connection.cursor() as cursor,
    ):
        cursor.execute("UPDATE consent_consentevent SET strength = 'A'")


@pytest.mark.thorough
def test_the_projection_is_the_same_in_every_order(cast: Cast) -> None:
    kinds = [EventKind.GIVEN, EventKind.WITHDRAWN, EventKind.NOTICED, EventKind.GIVEN]
    outcomes = set()
    for number, order in enumerate(itertools.permutations(range(4))):
        caller_id = caller_of(cast, f"+1415555{2000 + number:04d}")
        for hours in order:
            record(cast, said(caller_id, kinds[hours], hours))
        outcomes.add(state_of(cast, caller_id))
    assert outcomes == {State.GIVEN}


def test_at_one_moment_a_no_beats_a_yes(cast: Cast) -> None:
    caller_id = caller_of(cast)
    record(cast, said(caller_id, EventKind.WITHDRAWN), said(caller_id, EventKind.GIVEN))
    assert state_of(cast, caller_id) == State.WITHDRAWN


def test_a_yes_that_has_expired_lets_an_earlier_no_hold_again(cast: Cast) -> None:
    caller_id = caller_of(cast)
    record(cast, said(caller_id, EventKind.GIVEN, 1), said(caller_id, EventKind.EXPIRED, 2))
    assert state_of(cast, caller_id) == State.EXPIRED
    record(cast, said(caller_id, EventKind.WITHDRAWN, 0))
    assert state_of(cast, caller_id) == State.WITHDRAWN


def test_an_event_of_one_call_changes_no_standing(cast: Cast) -> None:
    caller_id = caller_of(cast)
    record(
        cast,
        said(caller_id, EventKind.GIVEN),
        said(caller_id, EventKind.REFUSED, 1, scope=Scope.THIS_CALL, call_digest=b"c" * 32),
    )
    assert state_of(cast, caller_id) == State.GIVEN


def test_an_event_of_one_call_names_it(cast: Cast) -> None:
    caller_id = caller_of(cast)
    with pytest.raises(IntegrityError):
        record(cast, said(caller_id, EventKind.REFUSED, scope=Scope.THIS_CALL))


def test_a_withheld_caller_has_evidence_by_the_call(cast: Cast) -> None:
    fact = said(None, EventKind.GIVEN, scope=Scope.THIS_CALL, call_digest=b"c" * 32)
    (event,) = record(cast, fact)
    with job_scope(agency_id=cast.acme.pk):
        stored = ConsentEvent.objects.get(pk=event.pk)
        assert ledger.evidence_of(client=cast.dentist, events=[stored], at=NOON)[event.pk]


def test_a_no_holds_for_the_number_until_a_yes(cast: Cast) -> None:
    caller_id = caller_of(cast)
    record(cast, said(caller_id, EventKind.WITHDRAWN, 1))
    on = date(2026, 12, 1)
    assert set(vault_selectors.suppressed(cast.dentist.pk, [ONE], on=on)[ONE]) == {Purpose.RECORD}
    record(cast, said(caller_id, EventKind.GIVEN, 0))
    assert ONE in vault_selectors.suppressed(cast.dentist.pk, [ONE], on=on)
    record(cast, said(caller_id, EventKind.GIVEN, 2))
    assert vault_selectors.suppressed(cast.dentist.pk, [ONE], on=on) == {}
    assert vault_selectors.suppressed(cast.plumber.pk, [ONE], on=on) == {}


def test_noes_of_several_callers_join_the_list_at_once_each_with_its_time(cast: Cast) -> None:
    """One after the other they would be taken in an order of their own, and two who write could wait for each other."""
    one, two = caller_of(cast), caller_of(cast, "+12125550177")
    facts = [
        said(caller_id, EventKind.WITHDRAWN, hours, purpose=Purpose.CONTACT)
        for caller_id, hours in ((one, 1), (two, 2))
    ]
    with CaptureQueriesContext(connections["vault"]) as seen:
        record(cast, *facts)
    writes = [query for query in seen if query["sql"].startswith("INSERT INTO vault_suppression")]
    assert len(writes) == 1
    listed = vault_selectors.suppressed_callers(cast.dentist.pk, [one, two], on=NOON.date())
    assert {caller_id: noes["contact"] for caller_id, noes in listed.items()} == {
        fact.caller_id: fact.happened_at for fact in facts
    }


def test_expiry_of_the_calls_leaves_who_is_known_to_the_ledger(cast: Cast) -> None:
    call, other = make.call(cast.dentist, ONE), make.call(cast.dentist, "+14155550102")
    assert call.caller_id is not None
    record(cast, said(call.caller_id, EventKind.WITHDRAWN))
    callers = frozenset(one for one in (call.caller_id, other.caller_id) if one is not None)
    chosen = erasure.Chosen(ids=(call.pk, other.pk), callers=callers)
    assert erasure.forget_callers(client=cast.dentist, chosen=chosen, at=NOON).forgotten == {other.caller_id}
    with job_scope(agency_id=cast.acme.pk):
        assert erasure.remove_idle(cast.dentist.pk, [call.caller_id]) == set()


def test_evidence_outlives_the_erasure_of_the_person(cast: Cast) -> None:
    caller_id = caller_of(cast)
    (event,) = record(cast, said(caller_id, EventKind.WITHDRAWN))
    gone = vault.Erasure(caller_id, NOON, date(2031, 1, 1), keep_evidence=True)
    assert vault.erase_callers(client_id=cast.dentist.pk, erasures=[gone], at=NOON) == 1
    assert vault.erase_callers(client_id=cast.dentist.pk, erasures=[gone], at=NOON) == 0
    assert vault_selectors.content_keys({cast.dentist.pk: [caller_id]}) == {}
    (stone,) = vault_selectors.tombstones([cast.dentist.pk], ONE)[cast.dentist.pk]
    assert stone.erased_caller_id == caller_id
    assert ONE in vault_selectors.suppressed(cast.dentist.pk, [ONE], on=date(2026, 12, 1))
    with job_scope(agency_id=cast.acme.pk):
        stored = ConsentEvent.objects.get(pk=event.pk)
        assert ledger.evidence_of(client=cast.dentist, events=[stored], at=NOON)[event.pk]
    assert caller_of(cast) != caller_id
    assert vault.destroy_evidence(client_id=cast.dentist.pk, caller_ids=[caller_id]) == 1
    with job_scope(agency_id=cast.acme.pk):
        assert ledger.evidence_of(client=cast.dentist, events=[stored], at=NOON) == {}


def test_an_erased_caller_takes_no_event(cast: Cast) -> None:
    caller_id = caller_of(cast)
    vault.erase_callers(client_id=cast.dentist.pk, erasures=[vault.Erasure(caller_id)], at=NOON)
    with pytest.raises(ledger.CallerGoneError):
        record(cast, said(caller_id, EventKind.GIVEN))


def test_another_agency_and_another_client_see_nothing(cast: Cast) -> None:
    record(cast, said(caller_of(cast), EventKind.GIVEN))
    with staff_scope(agency_id=cast.globex.pk, user_id=cast.mallory.user_id):
        assert not ConsentEvent.objects.exists()
    with client_scope(agency_id=cast.acme.pk, client_id=cast.plumber.pk):
        assert not ConsentEvent.objects.exists()
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.carol.user_id):
        assert not ConsentEvent.objects.exists()
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.bob.user_id), transaction.atomic():
        assert ConsentEvent.objects.exists()
