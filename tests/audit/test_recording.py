"""A deed and its event are one: neither is kept without the other."""

import hashlib
from datetime import timedelta
from unittest import mock

import pytest
from django.db import DatabaseError
from pytest_django import DjangoAssertNumQueries

from callprivacy.audit import services
from callprivacy.audit.models import Event, HouseEvent, Reason, Seal
from callprivacy.lib.scope import Actor, NoScopeError
from callprivacy.tenancy.models import Agency, Client
from callprivacy.tenancy.scope import client_scope, job_scope, operator_scope, staff_scope
from callprivacy.vault import services as vault
from tests import cast, make
from tests.make import JOB, NOON

pytestmark = pytest.mark.django_db
WORDS = "The caller asked us to call back about the bridge."


@pytest.fixture
def acme() -> Agency:
    return make.agency("Acme")


def test_an_event_says_who_what_on_what_and_when(acme: Agency) -> None:
    dentist = make.client(acme, "Dentist")
    with job_scope(agency_id=acme.pk):
        event = services.record(
            "client.archived", by=JOB, at=NOON, subject=dentist, calls=3, live=True, note=None
        )
        event.refresh_from_db()

    assert (event.agency_id, event.client_id, event.action, event.at) == (
        acme.pk,
        dentist.pk,
        "client.archived",
        NOON,
    )
    assert (event.actor_kind, event.actor_user_id, event.actor_name) == ("job", None, "tests")
    assert (event.subject_kind, event.subject_id) == ("tenancy.client", str(dentist.pk))
    assert event.details == {"calls": 3, "live": True, "note": None}
    assert event.epoch == 1


def test_a_subjects_client_is_the_events(acme: Agency) -> None:
    dentist = make.client(acme, "Dentist")
    call = make.call(dentist, "+12025550143")
    with job_scope(agency_id=acme.pk):
        assert services.record("call.erased", by=JOB, at=NOON, subject=call).client_id == dentist.pk
        assert services.record("call.erased", by=JOB, at=NOON, subject=call, client_id=99).client_id == 99


def test_without_a_scope_nothing_is_recorded(acme: Agency) -> None:
    with pytest.raises(NoScopeError):
        services.record("call.erased", by=JOB, at=NOON)


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_nothing_is_recorded() -> None:
    with pytest.raises(services.NotInTransactionError, match=r"call\.erased"):
        services.record("call.erased", by=JOB, at=NOON, agency_id=1)


@pytest.mark.parametrize("action", ["erased", "Call.erased", "call.erased.twice", "call erased", "call.", ""])
def test_an_action_is_noun_verbed(acme: Agency, action: str) -> None:
    with job_scope(agency_id=acme.pk), pytest.raises(services.NotRecordableError, match="noun"):
        services.record(action, by=JOB, at=NOON)


@pytest.mark.parametrize(
    "value", ["+12025550143", "call +44 20 7946 0958 now", "+1 (202) 555-0143", "alice@acme.example"]
)
def test_a_personal_value_is_no_detail(acme: Agency, value: str) -> None:
    with job_scope(agency_id=acme.pk), pytest.raises(services.PersonalValueError):
        services.record("call.erased", by=JOB, at=NOON, note=value)
    with pytest.raises(services.PersonalValueError):
        services.record_house("session.refused", at=NOON, note=value)


@pytest.mark.parametrize("value", [1.5, 2**53, "x" * 501, "a\0b", "\ud800"])
def test_what_has_no_one_form_is_no_detail(acme: Agency, value: str) -> None:
    with job_scope(agency_id=acme.pk), pytest.raises(services.NotRecordableError):
        services.record("call.erased", by=JOB, at=NOON, value=value)


@pytest.mark.parametrize("value", ["2026-11-24", "1,204 calls", "+1 day", "a@b", "50 %", "keep 365"])
def test_plain_facts_are_details(acme: Agency, value: str) -> None:
    with job_scope(agency_id=acme.pk):
        assert services.record("call.erased", by=JOB, at=NOON, fact=value).details == {"fact": value}


def test_a_deed_that_cannot_be_recorded_does_not_happen(acme: Agency) -> None:
    dentist = make.client(acme, "Dentist")

    def archive() -> None:
        with job_scope(agency_id=acme.pk):
            Client.objects.filter(pk=dentist.pk).update(archived_at=NOON)
            services.record("client.archived", by=JOB, at=NOON, subject=dentist)

    with mock.patch.object(Event.objects, "create", side_effect=DatabaseError), pytest.raises(DatabaseError):
        archive()
    with job_scope(agency_id=acme.pk):
        assert Client.objects.get(pk=dentist.pk).archived_at is None
    archive()
    with job_scope(agency_id=acme.pk):
        assert Client.objects.get(pk=dentist.pk).archived_at == NOON


def test_a_reason_that_cannot_be_sealed_stops_the_deed_too(acme: Agency) -> None:
    dentist = make.client(acme, "Dentist")
    vault.destroy_client(client_id=dentist.pk)
    with pytest.raises(LookupError, match="no key"), job_scope(agency_id=acme.pk):
        services.record("call.revealed", by=JOB, at=NOON, subject=dentist, reason=WORDS)

    with job_scope(agency_id=acme.pk):
        assert not Event.objects.filter(action="call.revealed").exists()


def test_a_reason_is_sealed_beside_the_event(acme: Agency) -> None:
    dentist = make.client(acme, "Dentist")
    with job_scope(agency_id=acme.pk):
        event = services.record("call.revealed", by=JOB, at=NOON, subject=dentist, reason=WORDS)
        row = Reason.objects.get(event_id=event.pk)
        event.refresh_from_db()

    assert WORDS.encode() not in bytes(row.words.blob)
    assert WORDS not in str(event.as_leaf())
    assert event.reason_hash != hashlib.sha256(WORDS.encode()).hexdigest()
    assert len(event.reason_hash) == 64


def test_an_agencys_reason_is_sealed_under_its_own_key(acme: Agency) -> None:
    with job_scope(agency_id=acme.pk):
        event = services.record("agency.renamed", by=JOB, at=NOON, reason=WORDS)
        assert Reason.objects.get(event_id=event.pk).client_id == -acme.pk
        assert services.open_reason(event=event, by=JOB, at=NOON) == WORDS


def test_opening_a_reason_is_itself_an_event(acme: Agency) -> None:
    dentist = make.client(acme, "Dentist")
    with job_scope(agency_id=acme.pk):
        event = services.record("call.revealed", by=JOB, at=NOON, subject=dentist, reason=WORDS)
        assert services.open_reason(event=event, by=JOB, at=NOON) == WORDS
        opened = Event.objects.get(action="reason.opened")
        assert (opened.subject_kind, opened.subject_id) == ("audit.event", str(event.pk))
        assert opened.client_id == dentist.pk


def test_a_reason_is_not_opened_when_that_cannot_be_recorded(acme: Agency) -> None:
    with job_scope(agency_id=acme.pk):
        event = services.record("agency.renamed", by=JOB, at=NOON, reason=WORDS)
        with (
            mock.patch.object(Event.objects, "create", side_effect=DatabaseError),
            pytest.raises(DatabaseError),
        ):
            services.open_reason(event=event, by=JOB, at=NOON)


def test_a_reason_survives_the_rotation_of_its_clients_key(acme: Agency) -> None:
    dentist = make.client(acme, "Dentist")
    with job_scope(agency_id=acme.pk):
        event = services.record("call.revealed", by=JOB, at=NOON, subject=dentist, reason=WORDS)
    vault.start_generation(client_id=dentist.pk, at=NOON)
    while vault.rewrap_client(client_id=dentist.pk, limit=100):
        pass
    assert vault.retire_generations(client_id=dentist.pk) == 1

    with job_scope(agency_id=acme.pk):
        assert services.open_reason(event=event, by=JOB, at=NOON) == WORDS


def test_reasons_are_erased_and_their_hashes_stay(acme: Agency) -> None:
    dentist = make.client(acme, "Dentist")
    later = NOON + timedelta(days=1)
    with job_scope(agency_id=acme.pk):
        old = services.record("call.revealed", by=JOB, at=NOON, subject=dentist, reason=WORDS)
        new = services.record("call.revealed", by=JOB, at=later, subject=dentist, reason=WORDS)
        erased = services.erase_reasons(
            agency_id=acme.pk, client_id=dentist.pk, before=later, by=JOB, at=later
        )
        assert erased == 1
        assert services.open_reason(event=old, by=JOB, at=NOON) is None
        assert services.open_reason(event=new, by=JOB, at=NOON) == WORDS
        assert len(Event.objects.get(pk=old.pk).reason_hash) == 64
        assert Event.objects.get(action="reasons.erased").details == {"count": 1}
        assert services.erase_reasons(
            agency_id=acme.pk, client_id=dentist.pk, before=later, by=JOB, at=later
        ) == 0  # fmt: skip
        assert Event.objects.filter(action="reasons.erased").count() == 1


def test_a_client_that_is_gone_takes_its_reasons_along(acme: Agency) -> None:
    dentist = make.client(acme, "Dentist")
    with job_scope(agency_id=acme.pk):
        event = services.record("call.revealed", by=JOB, at=NOON, subject=dentist, reason=WORDS)
    vault.destroy_client(client_id=dentist.pk)

    with job_scope(agency_id=acme.pk), pytest.raises(LookupError, match="no key"):
        services.open_reason(event=event, by=JOB, at=NOON)


# --- Who may write and read, asked of PostgreSQL


def test_staff_and_jobs_read_their_own_agencys_trail_only() -> None:
    everybody = cast.assemble()
    with job_scope(agency_id=everybody.globex.pk):
        theirs = services.record("call.erased", by=JOB, at=NOON).pk
    with staff_scope(agency_id=everybody.acme.pk, user_id=everybody.alice.user_id):
        by = Actor.staff(user_id=everybody.alice.user_id)
        services.record("call.erased", by=by, at=NOON)
        seen = set(Event.objects.values_list("agency_id", flat=True))
        assert seen == {everybody.acme.pk}
        assert not Event.objects.filter(pk=theirs).exists()
        assert not Reason.objects.exists()
        assert not Seal.objects.exists()


def test_nobody_writes_into_another_agencys_trail() -> None:
    everybody = cast.assemble()
    for scope in (
        staff_scope(agency_id=everybody.acme.pk, user_id=everybody.alice.user_id),
        job_scope(agency_id=everybody.acme.pk),
        client_scope(agency_id=everybody.acme.pk, client_id=everybody.dentist.pk),
        staff_scope(agency_id=everybody.globex.pk, user_id=everybody.alice.user_id),
    ):
        with pytest.raises(DatabaseError, match="row-level security"), scope:
            services.record("call.erased", by=JOB, at=NOON, agency_id=everybody.globex.pk)


def test_a_clients_scope_writes_for_its_client_and_reads_nothing_else() -> None:
    everybody = cast.assemble()
    acme, dentist = everybody.acme.pk, everybody.dentist.pk
    by = Actor.client("hooks.callrail")
    with client_scope(agency_id=acme, client_id=dentist):
        services.record("event.refused", by=by, at=NOON, client_id=dentist, reason="Signature did not hold.")
    with (
        pytest.raises(DatabaseError, match="row-level security"),
        client_scope(agency_id=acme, client_id=dentist),
    ):
        services.record("event.refused", by=by, at=NOON, client_id=everybody.plumber.pk)
    with client_scope(agency_id=acme, client_id=dentist):
        assert not Reason.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_clients_scope_sees_only_what_it_has_just_written() -> None:
    everybody = cast.assemble()
    with client_scope(agency_id=everybody.acme.pk, client_id=everybody.dentist.pk):
        assert not Event.objects.exists()
        event = services.record("event.refused", by=JOB, at=NOON, client_id=everybody.dentist.pk)
        assert list(Event.objects.values_list("pk", flat=True)) == [event.pk]


@pytest.mark.django_db(transaction=True)
def test_an_operators_deed_stands_in_the_agencys_trail(acme: Agency) -> None:
    with operator_scope():
        event = services.record("agency.renamed", by=Actor.operator(user_id=1), at=NOON, agency_id=acme.pk)
    with operator_scope():
        assert not Event.objects.exists()
    with job_scope(agency_id=acme.pk):
        assert Event.objects.get(pk=event.pk).actor_kind == "operator"


@pytest.mark.django_db(transaction=True)
def test_the_houses_log_takes_what_has_no_agency_and_shows_it_to_the_operator_alone(acme: Agency) -> None:
    services.record_house("session.refused", at=NOON, tries=3)

    assert not HouseEvent.objects.exists()
    with job_scope(agency_id=acme.pk):
        assert not HouseEvent.objects.exists()
    with operator_scope():
        assert HouseEvent.objects.get().details == {"tries": 3}


def test_an_event_costs_one_query(acme: Agency, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with job_scope(agency_id=acme.pk), django_assert_num_queries(1):
        services.record("call.erased", by=JOB, at=NOON)


@pytest.mark.django_db(transaction=True)
def test_who_may_not_view_the_trail_reads_only_what_they_did_themselves() -> None:
    everybody = cast.assemble()
    with job_scope(agency_id=everybody.acme.pk):
        services.record("call.erased", by=JOB, at=NOON)
    with staff_scope(agency_id=everybody.acme.pk, user_id=everybody.bob.user_id):
        services.record("call.opened", by=Actor.staff(user_id=everybody.bob.user_id), at=NOON)
    with staff_scope(agency_id=everybody.acme.pk, user_id=everybody.bob.user_id):
        assert set(Event.objects.values_list("action", flat=True)) == {"call.opened"}
    with staff_scope(agency_id=everybody.acme.pk, user_id=everybody.alice.user_id):
        assert {"call.erased", "call.opened"} <= set(Event.objects.values_list("action", flat=True))
