"""Confidential calls: who sees them, who does not by any path, and who marks them, names people and lifts the mark."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction
from django.urls import reverse
from guardian.shortcuts import get_objects_for_user, get_perms

from analytics.selectors import releasable
from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership
from callprivacy.audit.models import Event
from callprivacy.calls.enums import ConfidentialCause, JobState
from callprivacy.calls.models import (
    Call,
    CallExport,
    CallGrant,
    CallPress,
    CallRef,
    ConfidentialCall,
    Recording,
    Transcript,
    call_id,
)
from callprivacy.calls.selectors import calls as selectors
from callprivacy.calls.selectors.calls import CallFilters
from callprivacy.calls.services import confidential, exports
from callprivacy.calls.services.exports import Due
from callprivacy.calls.services.intake import updating
from callprivacy.calls.services.intake.batch import Batch
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope, staff_scope
from consent.models import Decision
from consent.services import decisions
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast, assemble
from tests.consent import deciding
from tests.make import JOB, NOON

pytestmark = pytest.mark.django_db

NUMBER = "+14045554686"
WHY = "A patient spoke about her treatment."
UNTIL = NOON + timedelta(days=30)


@pytest.fixture
def cast(settings: Any, tmp_path: Any) -> Cast:
    settings.MEDIA_ROOT = tmp_path
    return assemble()


@pytest.fixture
def call(cast: Cast) -> Call:
    """A call with everything that belongs to one, which alice made confidential."""
    made = make.call(cast.dentist, NUMBER, source="Bing")
    _fill(made)
    mark(cast, made)
    return made


def _fill(call: Call) -> None:
    make.recording(call, "https://vendor.example/1")
    deciding.worded(call, "My tooth hurts.")
    ours: dict[str, Any] = {"agency_id": call.agency_id, "client_id": call.client_id, "call": call}
    with job_scope(agency_id=call.agency_id):
        CallRef.objects.create(provider="callrail", kind="id", digest=bytes(32), **ours)
        CallPress.objects.create(name="menu", value="1", at=NOON, **ours)
        decisions.decide_calls(call.client, [call.pk], NOON)


def mark(cast: Cast, call: Call, *people: Membership) -> None:
    with as_person(cast.alice):
        confidential.mark_call(
            call=Call.objects.get(pk=call.pk), reason=WHY, people=[one.user_id for one in people], ends_at=UNTIL,
            by=_by(cast.alice), at=NOON,
        )  # fmt: skip


def as_person(person: Membership) -> AbstractContextManager[Any]:
    return staff_scope(agency_id=person.agency_id, user_id=person.user_id)


def _by(person: Membership) -> Actor:
    return Actor.staff(user_id=person.user_id)


def _row(call: Call) -> ConfidentialCall:
    with job_scope(agency_id=call.agency_id):
        return ConfidentialCall.objects.get(call_id=call.pk, lifted_at=None)


def officer(cast: Cast) -> Membership:
    """Another officer, who is granted the dentist with everything."""
    olive = make.person(cast.acme, "olive", Role.OFFICER)
    make.grant(olive, cast.dentist)
    return olive


def _seen(call: Call, person: Membership) -> dict[str, int]:
    """How many rows of each table that belong to the call PostgreSQL gives a person's scope."""
    tables = {
        "calls_call": "id",
        "calls_recording": "call_id",
        "calls_transcript": "call_id",
        "calls_callpress": "call_id",
        "calls_callref": "call_id",
        "consent_decision": "call_id",
    }
    with as_person(person), connection.cursor() as cursor:
        found = {}
        for table, column in tables.items():
            cursor.execute(f"SELECT count(*) FROM {table} WHERE {column} = %s", [call.pk])
            found[table] = cursor.fetchone()[0]
    return found


# --- Others do not see it, by any path ---


@pytest.mark.parametrize("who", ["reviewer", "officer"])
def test_sql_of_another_person_reaches_nothing_of_it(cast: Cast, call: Call, who: str) -> None:
    other = cast.bob if who == "reviewer" else officer(cast)

    assert set(_seen(call, other).values()) == {0}
    assert set(_seen(call, cast.alice).values()) == {1}
    with as_person(other), connection.cursor() as cursor:
        cursor.execute(
            "SELECT call_id FROM calls_callgrant UNION ALL SELECT g.call_id FROM scope_calls() AS g(call_id)"
        )
        assert len(cursor.fetchall()) == (0 if who == "reviewer" else 1), "an officer sees whom it names"


def test_a_reviewer_cannot_write_grants_or_lift_marks(cast: Cast, call: Call) -> None:
    row = _row(call)
    with as_person(cast.bob):
        assert not ConfidentialCall.objects.exists()
        assert not ConfidentialCall.objects.filter(pk=row.pk).update(lifted_at=NOON)
        assert not CallGrant.objects.update(ends_at=UNTIL)
        assert not Call.objects.update(confidential=False)
        with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
            _grant(call, cast.bob)


def test_an_officer_does_not_name_themself(cast: Cast, call: Call) -> None:
    olive = officer(cast)
    with as_person(olive):
        with pytest.raises(confidential.NotNameableError):
            confidential.name_person(
                confidential=_open_row(call), user_id=olive.user_id, ends_at=UNTIL, by=_by(olive), at=NOON
            )
        with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
            _grant(call, olive)


def _grant(call: Call, person: Membership) -> None:
    row = CallGrant.objects.model(
        agency_id=call.agency_id, client_id=call.client_id, content_object_id=call.pk, user_id=person.user_id,
        permission_id=_permission(), granted_at=NOON, ends_at=UNTIL,
    )  # fmt: skip
    CallGrant.objects.bulk_create([row])


def _permission() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM auth_permission WHERE codename = 'view_call'")
        return int(cursor.fetchone()[0])


def _open_row(call: Call) -> ConfidentialCall:
    return ConfidentialCall.objects.get(call_id=call.pk, lifted_at=None)


def test_pages_of_the_call_are_not_found(cast: Cast, call: Call) -> None:
    bob, olive = signed_in(cast.bob), signed_in(officer(cast))
    for name in ("calls:call", "calls:reveal", "consent:recording", "consent:audio", "consent:transcript"):
        address = reverse(name, args=["dentist", call.pk])
        for browser in (bob, olive):
            assert browser.get(address).status_code == 404, name
            assert browser.post(address, {"reason": WHY, "reason_kind": "complaint"}).status_code in {
                404,
                405,
            }, name
    assert signed_in(cast.alice).get(reverse("calls:call", args=["dentist", call.pk])).status_code == 200


def test_lists_leave_it_out_and_say_how_many_there_are(cast: Cast, call: Call) -> None:
    other = make.call(cast.dentist, "+14045554687", at=NOON - timedelta(days=2))
    address = reverse("calls:list")

    page = signed_in(cast.bob).get(address)
    assert [row.call.pk for row in page.context["rows"]] == [other.pk]
    assert "1 call here is confidential" in page.content.decode()
    assert "Bing" not in page.content.decode(), "no filter offers its source"
    page = signed_in(cast.alice).get(address)
    assert [row.call.pk for row in page.context["rows"]] == [call.pk, other.pk]
    recordings = signed_in(cast.bob).get(reverse("consent:recordings", args=["dentist"])).content.decode()
    assert str(call.pk) not in recordings


@pytest.mark.parametrize("filters", [{"source": "Bing"}, {"length": "medium"}, {"recording": "withheld"}])
def test_filters_do_not_find_it(cast: Cast, call: Call, filters: dict[str, str]) -> None:
    page = signed_in(cast.bob).get(reverse("calls:list"), {"client": "dentist", **filters})
    assert page.context["rows"] == []


def test_the_count_is_of_the_clients_that_a_person_views(cast: Cast, call: Call) -> None:
    clients = [cast.dentist, cast.plumber, cast.florist]
    for person, count in ((cast.bob, 1), (cast.alice, 1), (cast.carol, 0), (cast.mallory, 0)):
        with as_person(person):
            assert selectors.call_page(clients, CallFilters(), zone="UTC").confidential == count


def test_a_search_does_not_find_it(cast: Cast, call: Call) -> None:
    found = signed_in(cast.bob).post(reverse("calls:search"), {"number": NUMBER}, follow=True)
    assert found.context["hits"] == []
    found = signed_in(cast.alice).post(reverse("calls:search"), {"number": NUMBER}, follow=True)
    assert [hit.client.pk for hit in found.context["hits"]] == [cast.dentist.pk]


def test_other_calls_of_the_caller_do_not_count_it(cast: Cast, call: Call) -> None:
    later = make.call(cast.dentist, NUMBER, at=NOON - timedelta(hours=1))
    page = signed_in(cast.bob).get(reverse("calls:call", args=["dentist", later.pk]))
    assert page.context["others"].count == 0


def _export(person: Membership, cast: Cast) -> CallExport:
    with as_person(person):
        return exports.request_export(
            client=cast.dentist, filters=CallFilters(), reason=WHY, by=_by(person), at=NOON
        )


@pytest.mark.parametrize(("who", "rows"), [("olive", 1), ("alice", 2)])
def test_an_export_has_it_only_for_who_is_named(cast: Cast, call: Call, who: str, rows: int) -> None:
    make.call(cast.dentist, "+14045554687", at=NOON - timedelta(days=2))
    export = _export(cast.alice if who == "alice" else officer(cast), cast)
    assert exports.write_export(due=Due(export.agency_id, export.pk), clock=lambda: NOON)
    with job_scope(agency_id=cast.acme.pk):
        assert CallExport.objects.get(pk=export.pk).rows == rows


def test_files_of_before_the_mark_end(cast: Cast) -> None:
    made = make.call(cast.dentist, NUMBER)
    written, running = _export(cast.alice, cast), _export(cast.alice, cast)
    exports.write_export(due=Due(written.agency_id, written.pk), clock=lambda: NOON)
    with job_scope(agency_id=cast.acme.pk):
        CallExport.objects.filter(pk=running.pk).update(state=JobState.RUNNING)

    mark(cast, made)

    with job_scope(agency_id=cast.acme.pk):
        written, running = (CallExport.objects.get(pk=one.pk) for one in (written, running))
    assert written.expires_at == written.finished_at
    assert running.state == JobState.QUEUED


def test_no_release_has_it(cast: Cast, call: Call) -> None:
    make.call(cast.dentist, "+14045554687", at=NOON - timedelta(days=2))
    with job_scope(agency_id=cast.acme.pk):
        found = releasable.calls_for_release(
            cast.dentist, from_on=(NOON - timedelta(days=9)).date(), until_on=NOON.date(), at=NOON
        )
        assert call.pk not in set(found.values_list("pk", flat=True))


def test_who_counts_what_another_sees_counts_it_not(cast: Cast, call: Call) -> None:
    with as_person(cast.carol), connection.cursor() as cursor:
        for person, count in ((cast.bob, 0), (cast.alice, 1)):
            cursor.execute("SELECT count_calls_visible_to(%s, 10)", [person.user_id])
            assert cursor.fetchone()[0] == count


# --- Who is named sees it, until the end ---


def test_who_is_named_sees_it_until_the_end(cast: Cast) -> None:
    made = make.call(cast.dentist, NUMBER)
    _fill(made)
    mark(cast, made, cast.bob)
    assert set(_seen(made, cast.bob).values()) == {1}

    with job_scope(agency_id=cast.acme.pk):
        CallGrant.objects.filter(user_id=cast.bob.user_id).update(ends_at=NOON)

    assert set(_seen(made, cast.bob).values()) == {0}


def test_a_name_does_not_replace_the_grant_on_the_client(cast: Cast, call: Call) -> None:
    with job_scope(agency_id=cast.acme.pk):
        for person in (cast.carol, cast.mallory):
            _grant(call, person)

    for person in (cast.carol, cast.mallory):
        assert set(_seen(call, person).values()) == {0}


@pytest.mark.parametrize(
    "change", [lambda cast: {"user_id": cast.carol.user_id}, lambda cast: {"ends_at": NOON}]
)
def test_only_a_viewer_is_named_and_until_a_time_to_come(
    cast: Cast, call: Call, change: Callable[[Cast], dict[str, Any]]
) -> None:
    wanted: dict[str, Any] = {"user_id": cast.bob.user_id, "ends_at": UNTIL} | change(cast)
    with as_person(cast.alice), pytest.raises(confidential.NotNameableError):
        confidential.name_person(confidential=_open_row(call), by=_by(cast.alice), at=NOON, **wanted)


def test_people_are_named_and_removed_on_record(cast: Cast, call: Call) -> None:
    with as_person(cast.alice):
        row = _open_row(call)
        confidential.name_person(
            confidential=row, user_id=cast.bob.user_id, ends_at=UNTIL, by=_by(cast.alice), at=NOON
        )
    assert set(_seen(call, cast.bob).values()) == {1}
    with as_person(cast.alice):
        confidential.remove_person(confidential=row, user_id=cast.bob.user_id, by=_by(cast.alice), at=NOON)
    assert set(_seen(call, cast.bob).values()) == {0}
    assert _actions(call) == ["call.made_confidential", "call.person_named", "call.person_removed"]


def _actions(call: Call) -> list[str]:
    with job_scope(agency_id=call.agency_id):
        rows = Event.objects.filter(subject_id=str(call.pk)).order_by("pk")
        return [action for action in rows.values_list("action", flat=True) if action.startswith("call.")]


# --- The mark ---


def test_lifting_opens_it_and_forgets_the_names(cast: Cast, call: Call) -> None:
    olive = officer(cast)
    with as_person(olive):
        row = _open_row(call)
        confidential.lift(confidential=row, reason=WHY, by=_by(olive), at=NOON)
        with pytest.raises(confidential.NotConfidentialError):
            confidential.lift(confidential=row, reason=WHY, by=_by(olive), at=NOON)

    assert set(_seen(call, cast.bob).values()) == {1}
    with job_scope(agency_id=cast.acme.pk):
        assert not CallGrant.objects.exists()
    assert _actions(call) == ["call.made_confidential", "call.confidentiality_lifted"]


def test_a_call_is_marked_once(cast: Cast, call: Call) -> None:
    with pytest.raises(confidential.AlreadyConfidentialError):
        mark(cast, call)


def test_a_rule_names_nobody_and_does_not_mark_again_what_was_lifted(cast: Cast) -> None:
    made = make.call(cast.dentist, NUMBER)

    def apply() -> int:
        with job_scope(agency_id=cast.acme.pk):
            return confidential.mark_by_rule(
                client=cast.dentist, call_ids=[made.pk], cause=ConfidentialCause.HEALTH, by=JOB, at=NOON
            )

    assert apply() == 1
    assert _seen(made, cast.alice)["calls_call"] == 0
    with as_person(cast.alice):
        confidential.lift(confidential=_open_row(made), reason=WHY, by=_by(cast.alice), at=NOON)
    assert apply() == 0
    assert _seen(made, cast.bob)["calls_call"] == 1


def test_what_comes_later_to_the_call_is_confidential_too(cast: Cast) -> None:
    made = make.call(cast.dentist, NUMBER)
    mark(cast, made)
    _fill(made)
    assert set(_seen(made, cast.bob).values()) == {0}
    assert set(_seen(made, cast.alice).values()) == {1}


def test_a_call_that_gets_another_id_stays_confidential(cast: Cast, call: Call) -> None:
    earlier = call_id(NOON - timedelta(days=3))
    batch = Batch.__new__(Batch)
    object.__setattr__(batch, "client", cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        updating._move_call(batch, call.pk, earlier)
        moved = Call.objects.get(pk=earlier)
        assert moved.confidential
    assert set(_seen(moved, cast.bob).values()) == {0}
    assert set(_seen(moved, cast.alice).values()) == {1}


def test_marks_and_names_leave_with_the_call(cast: Cast, call: Call) -> None:
    with job_scope(agency_id=cast.acme.pk):
        for rows in (Recording, Transcript, CallRef, CallPress, Decision):
            rows.objects.filter(call_id=call.pk).remove()
        Call.objects.filter(pk=call.pk).remove()
        connection.check_constraints()
        assert not ConfidentialCall.objects.exists()
        assert not CallGrant.objects.exists()


# --- The officer's pages ---


def _pages(call: Call) -> dict[str, str]:
    names = ("confidential", "remove_named_person", "lift_confidential")
    return {name: reverse(f"calls:{name}", args=["dentist", call.pk]) for name in names}


def _days(count: int) -> str:
    return f"{make.now().date() + timedelta(days=count):%Y-%m-%d}"


def test_an_officer_makes_a_call_confidential_on_its_page(cast: Cast) -> None:
    made = make.call(cast.dentist, NUMBER)
    alice, page = signed_in(cast.alice), _pages(made)["confidential"]
    assert page in alice.get(reverse("calls:call", args=["dentist", made.pk])).content.decode()

    answer = alice.post(page, {"people": [cast.bob.user_id], "last_on": _days(3), "reason": WHY}, follow=True)

    text = answer.content.decode()
    assert "Only the people named for this call see it." in text
    assert "Bob, until" in text
    assert signed_in(cast.bob).get(reverse("calls:call", args=["dentist", made.pk])).status_code == 200


@pytest.mark.parametrize("wrong", [{"last_on": _days(-1)}, {"last_on": ""}, {"reason": "short"}])
def test_a_wrong_form_marks_nothing(cast: Cast, wrong: dict[str, str]) -> None:
    made = make.call(cast.dentist, NUMBER)
    answer = signed_in(cast.alice).post(
        _pages(made)["confidential"], {"last_on": _days(3), "reason": WHY} | wrong
    )
    assert answer.status_code == 200
    assert answer.context["form"].errors
    with job_scope(agency_id=cast.acme.pk):
        assert not ConfidentialCall.objects.exists()


def test_only_officers_open_the_pages_of_confidential_calls(cast: Cast, call: Call) -> None:
    for address in (*_pages(call).values(), reverse("calls:confidential_calls", args=["dentist"])):
        assert signed_in(cast.bob).post(address).status_code in {403, 405}
        assert signed_in(cast.bob).get(address).status_code in {403, 405}
    assert "/confidential/" not in signed_in(cast.bob).get(reverse("calls:list")).content.decode()


def test_an_officer_who_is_not_named_manages_it_and_sees_nothing_of_it(cast: Cast, call: Call) -> None:
    olive = signed_in(officer(cast))
    pages = _pages(call)
    listed = olive.get(reverse("calls:confidential_calls", args=["dentist"])).content.decode()
    assert "An officer decided" in listed
    assert "Alice" in listed
    text = olive.get(pages["confidential"]).content.decode()
    assert "You are not named" in text
    assert reverse("calls:call", args=["dentist", call.pk]) + '"' not in text

    olive.post(pages["confidential"], {"people": cast.bob.user_id, "last_on": _days(3)})
    assert _seen(call, cast.bob)["calls_call"] == 1
    olive.post(pages["remove_named_person"], {"user": cast.bob.user_id})
    assert _seen(call, cast.bob)["calls_call"] == 0


def test_lifting_says_who_sees_it_then_and_asks_why(cast: Cast, call: Call) -> None:
    alice, page = signed_in(cast.alice), _pages(call)["lift_confidential"]
    assert [row["value"] for row in alice.get(page).context["extent"]] == ["An officer decided", 1, 2]
    assert alice.post(page, {"reason": "short"}).context["form"].errors

    text = alice.post(page, {"reason": WHY}, follow=True).content.decode()

    assert "Call confidentiality lifted" in text
    assert "Call made confidential" in text
    assert _seen(call, cast.bob)["calls_call"] == 1
    assert alice.get(page).status_code == 302


# --- What would be found ---

FAULTS = {
    "a policy that does not look at the mark": "ALTER POLICY calls_call_read ON calls_call USING"
    " (agency_id = (SELECT scope_agency()) AND client_id = ANY (ARRAY(SELECT scope_clients('view_calls'))))",
    "grants that count after their end": "CREATE OR REPLACE FUNCTION scope_calls() RETURNS SETOF uuid LANGUAGE sql"
    " STABLE SECURITY DEFINER RETURN (SELECT g.call_id FROM calls_callgrant g WHERE g.user_id = scope_user())",
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.django_db(transaction=True)
def test_a_fault_in_what_postgresql_asks_is_found(cast: Cast, fault: str) -> None:
    made = make.call(cast.dentist, NUMBER)
    mark(cast, made, cast.bob)
    with job_scope(agency_id=cast.acme.pk):
        CallGrant.objects.filter(user_id=cast.bob.user_id).update(ends_at=NOON)
    assert _seen(made, cast.bob)["calls_call"] == 0

    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
        owner.execute(FAULTS[fault].encode())

    assert _seen(made, cast.bob)["calls_call"] == 1


def test_django_and_guardian_give_a_confidential_call_to_those_it_names(cast: Cast, call: Call) -> None:
    olive = officer(cast)

    with job_scope(agency_id=cast.acme.pk):
        row = Call.objects.get(pk=call.pk)
        for person, is_named in ((cast.alice, True), (olive, False)):
            assert person.user.has_perm("calls.view_call", row) == is_named
            assert ("view_call" in get_perms(person.user, row)) == is_named
            found = get_objects_for_user(person.user, "calls.view_call", Call.objects.filter(pk=call.pk))
            assert found.exists() == is_named
