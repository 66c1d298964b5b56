"""No grant, no row: what each scope reaches, in Python and again in PostgreSQL."""

# ruff: noqa: PT012, SIM117  (a refused statement needs a savepoint around it)

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import Count, Exists, OuterRef, QuerySet

from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import ClientGrant, Invitation, Membership
from callprivacy.calls.models import Call, Caller, TrackingNumber, call_id
from callprivacy.lib import scope as lib_scope
from callprivacy.lib.scope import NoScopeError, Scope, ScopeKind
from callprivacy.tenancy import selectors
from callprivacy.tenancy.models import Agency, Client, Engagement, Place
from callprivacy.tenancy.scope import (
    ScopeConflictError,
    client_scope,
    job_scope,
    operator_scope,
    staff_scope,
)
from tests import cast, make
from tests.accounts.browsers import now
from tests.make import NOON
from tests.scale import some

pytestmark = pytest.mark.django_db
TABLES = (
    "tenancy_agency",
    "tenancy_client",
    "tenancy_place",
    "tenancy_engagement",
    "accounts_membership",
    "accounts_clientgrant",
    "accounts_invitation",
    "calls_call",
    "calls_caller",
    "calls_trackingnumber",
)


@pytest.fixture
def world() -> cast.Cast:
    """The cast, with one call and one tracking number at each client."""
    world = cast.assemble()
    for n, client in enumerate((world.dentist, world.plumber, world.florist)):
        make.call(client, f"+1212555010{n}")
        make.tracking_number(client, f"+1212555011{n}")
    return world


def count(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        found: int = cursor.fetchone()[0]
    return found


def kind_now() -> str:
    """What PostgreSQL takes the scope for; "" where nothing is left of one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT scope_kind(), coalesce(current_setting('callprivacy.scope', true), '')")
        kind, entered = cursor.fetchone()
    assert (kind is None) == (entered == "")
    return kind or ""


def as_bob(world: cast.Cast) -> AbstractContextManager[Any]:
    return staff_scope(agency_id=world.acme.pk, user_id=world.bob.user_id)


# --- what PostgreSQL shows ---


@pytest.mark.parametrize("table", some(TABLES, one_in=7))
def test_raw_sql_without_a_scope_sees_nothing(world: cast.Cast, table: str) -> None:
    assert count(table) == 0


def test_raw_sql_without_a_scope_changes_and_adds_nothing(world: cast.Cast) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE calls_call SET seconds = 0")
        assert cursor.rowcount == 0
        cursor.execute("DELETE FROM calls_call")
        assert cursor.rowcount == 0
        with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
            cursor.execute(
                "INSERT INTO tenancy_place (agency_id, client_id, label, country, region)"
                " VALUES (%s, %s, '', 'US', '')",
                [world.acme.pk, world.dentist.pk],
            )


def test_a_person_sees_the_rows_of_granted_clients_only(world: cast.Cast) -> None:
    with as_bob(world):
        assert count("calls_call") == count("calls_caller") == 1
        assert set(Call.objects.values_list("client_id", flat=True)) == {world.dentist.pk}
        assert list(Client.objects.all()) == [world.dentist]
        assert list(Agency.objects.all()) == [world.acme]
    with staff_scope(agency_id=world.acme.pk, user_id=world.carol.user_id):
        assert count("calls_call") == 0
        assert Client.objects.count() == 2
    with staff_scope(agency_id=world.acme.pk, user_id=world.alice.user_id):
        assert count("calls_call") == 2


def test_a_job_for_one_client_reaches_its_rows_and_no_other_clients(world: cast.Cast) -> None:
    with job_scope(agency_id=world.acme.pk, client_id=world.dentist.pk):
        assert set(Call.objects.values_list("client_id", flat=True)) == {world.dentist.pk}
        assert not Call.objects.for_client(world.plumber).exists()
        assert list(Agency.objects.all()) == [world.acme]
        with connection.cursor() as cursor:
            cursor.execute("UPDATE calls_call SET seconds = 1 WHERE client_id = %s", [world.plumber.pk])
            assert cursor.rowcount == 0
            cursor.execute("DELETE FROM calls_trackingnumber WHERE client_id = %s", [world.plumber.pk])
            assert cursor.rowcount == 0
    with job_scope(agency_id=world.acme.pk):
        assert count("calls_call") == count("calls_trackingnumber") == 2


def test_a_job_for_another_agencys_client_reaches_nothing(world: cast.Cast) -> None:
    with job_scope(agency_id=world.acme.pk, client_id=world.florist.pk):
        assert [count(table) for table in ("calls_call", "calls_caller", "calls_trackingnumber")] == [0, 0, 0]


def test_a_step_for_one_client_is_part_of_a_job_for_all_and_never_the_other_way_round(
    world: cast.Cast,
) -> None:
    every, one = (
        Scope(ScopeKind.JOB, world.acme.pk),
        {"agency_id": world.acme.pk, "client_id": world.dentist.pk},
    )
    with job_scope(agency_id=world.acme.pk):
        with job_scope(**one):
            assert lib_scope.current() == every
            assert count("calls_call") == 2
    with job_scope(**one):
        with job_scope(**one):
            assert count("calls_call") == 1
        with pytest.raises(ScopeConflictError), job_scope(agency_id=world.acme.pk):
            pass
        with pytest.raises(ScopeConflictError), client_scope(**one):
            pass
        with (
            pytest.raises(ScopeConflictError),
            job_scope(agency_id=world.acme.pk, client_id=world.plumber.pk),
        ):
            pass
    with job_scope(agency_id=world.globex.pk), pytest.raises(ScopeConflictError), job_scope(**one):
        pass


def test_another_agency_under_ones_own_name_is_nothing(world: cast.Cast) -> None:
    with staff_scope(agency_id=world.globex.pk, user_id=world.alice.user_id):
        assert [count(table) for table in TABLES] == [0] * len(TABLES)


def test_the_permission_that_a_policy_names_is_the_one_that_counts(world: cast.Cast) -> None:
    make.grant(world.bob, world.plumber, Role.ANALYST)
    with as_bob(world):
        assert set(Client.objects.values_list("slug", flat=True)) == {"dentist", "plumber"}
        assert set(Call.objects.values_list("client_id", flat=True)) == {world.dentist.pk}


def test_a_clients_scope_is_that_client(world: cast.Cast) -> None:
    with client_scope(agency_id=world.acme.pk, client_id=world.plumber.pk):
        assert set(Call.objects.values_list("client_id", flat=True)) == {world.plumber.pk}
        assert list(Client.objects.all()) == [world.plumber]
        assert count("accounts_membership") == count("accounts_clientgrant") == 0
    with client_scope(agency_id=world.acme.pk, client_id=world.florist.pk):
        assert count("calls_call") == count("tenancy_client") == 0


def test_a_jobs_scope_is_its_agency_and_the_operators_no_client_at_all(world: cast.Cast) -> None:
    with job_scope(agency_id=world.acme.pk):
        assert set(Call.objects.values_list("client_id", flat=True)) == {world.dentist.pk, world.plumber.pk}
    with operator_scope():
        assert count("tenancy_agency") == 2
        assert [count(table) for table in TABLES[1:4] + TABLES[5:]] == [0] * 8


def test_every_agencys_id_is_known_without_entering_one(world: cast.Cast) -> None:
    assert selectors.agency_ids() == [world.acme.pk, world.globex.pk]


@pytest.mark.parametrize("fate", ["ended", "suspended", "inactive"])
def test_what_ended_is_honoured_no_more(world: cast.Cast, fate: str) -> None:
    if fate == "ended":
        make.grant(world.bob, world.dentist, ends_at=now() - timedelta(hours=1))
    elif fate == "suspended":
        with job_scope(agency_id=world.acme.pk):
            Membership.objects.filter(pk=world.bob.pk).update(state="suspended")
    else:
        world.bob.user.is_active = False
        world.bob.user.save(update_fields=["is_active"])
    with as_bob(world):
        assert count("calls_call") == count("tenancy_client") == 0
        assert count("tenancy_agency") == (1 if fate == "ended" else 0)


def test_a_grant_with_an_end_to_come_counts(world: cast.Cast) -> None:
    make.grant(world.bob, world.dentist, ends_at=now() + timedelta(hours=1))
    with as_bob(world):
        assert count("calls_call") == 1


# --- what PostgreSQL lets be written ---


def test_nobody_writes_into_another_agency(world: cast.Cast) -> None:
    for scope in (job_scope(agency_id=world.acme.pk), as_bob(world)):
        with scope, pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
            Place.objects.create(agency=world.globex, client=world.florist, country="US", region="OH")
    with job_scope(agency_id=world.acme.pk):
        with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
            Place.objects.filter(client=world.dentist).update(agency_id=world.globex.pk)
        assert Place.objects.filter(client_id=world.florist.pk).update(region="OH") == 0


def test_who_may_only_read_does_not_write(world: cast.Cast) -> None:
    with as_bob(world):
        assert Client.objects.filter(pk=world.dentist.pk).update(name="X") == 0
        assert Call.objects.update(seconds=0) == 0
        assert Call.objects.all().delete()[0] == 0
        with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
            Invitation.objects.create(
                agency=world.acme,
                email="e@e.example",
                name="E",
                role="admin",
                digest=b"x",
                created_at=NOON,
                expires_at=NOON,
            )


def test_a_row_with_the_client_of_another_agency_is_refused_by_its_key(world: cast.Cast) -> None:
    with job_scope(agency_id=world.acme.pk), pytest.raises(DatabaseError), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO tenancy_place (agency_id, client_id, label, country, region)"
                " VALUES (%s, %s, '', 'US', 'OH')",
                [world.acme.pk, world.florist.pk],
            )
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_a_foreign_key_stays_inside_the_client(world: cast.Cast) -> None:
    with job_scope(agency_id=world.acme.pk):
        theirs = Caller.objects.get(client=world.plumber)
        with pytest.raises(IntegrityError), transaction.atomic():
            Call.objects.filter(client=world.dentist).update(caller=theirs)
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_unique_keys_tell_strangers_nothing(world: cast.Cast) -> None:
    make.client(world.globex, "Dentist")
    make.tracking_number(world.florist, "+12125550110")
    make.tracking_number(world.plumber, "+12125550110")
    with pytest.raises(IntegrityError):
        make.tracking_number(world.dentist, "+12125550110")


@pytest.mark.parametrize("table", some(TABLES, one_in=10))
def test_every_table_has_row_security_for_each_deed_and_is_not_ours(world: cast.Cast, table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relrowsecurity, pg_get_userbyid(relowner) = current_user FROM pg_class"
            " WHERE oid = %s::regclass",
            [table],
        )
        assert cursor.fetchone() == (True, False)
        cursor.execute("SELECT count(DISTINCT polcmd) FROM pg_policy WHERE polrelid = %s::regclass", [table])
        assert cursor.fetchone() == (4,)
        cursor.execute("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == (False,)


# --- entering and leaving ---


def test_identical_scopes_nest_and_differing_ones_raise(world: cast.Cast) -> None:
    other: tuple[Callable[[], AbstractContextManager[Any]], ...] = (
        lambda: job_scope(agency_id=world.acme.pk),
        lambda: staff_scope(agency_id=world.acme.pk, user_id=world.alice.user_id),
        lambda: staff_scope(agency_id=world.globex.pk, user_id=world.bob.user_id),
        lambda: client_scope(agency_id=world.acme.pk, client_id=world.dentist.pk),
        operator_scope,
    )
    with as_bob(world) as outer:
        with as_bob(world) as inner:
            assert inner == outer
        for enter in other:
            with pytest.raises(ScopeConflictError), enter():
                pytest.fail("entered")
        assert lib_scope.current() == outer
        assert count("calls_call") == 1


def test_leaving_forgets_even_after_an_error(world: cast.Cast) -> None:
    class BoomError(Exception):
        pass

    for how in ("left", "raised", "broken"):
        try:
            with as_bob(world):
                assert kind_now() == "staff"
                if how == "broken":
                    with connection.cursor() as cursor:
                        cursor.execute("SELECT 1 / 0")
                if how == "raised":
                    raise BoomError
        except (BoomError, DatabaseError):
            pass
        assert lib_scope.current() is None
        assert kind_now() == ""
        assert count("calls_call") == 0


def test_a_rollback_inside_keeps_the_scope_and_undoes_the_deed(world: cast.Cast) -> None:
    with job_scope(agency_id=world.acme.pk):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            Place.objects.create(agency=world.acme, client=world.dentist, country="DE")
            raise ZeroDivisionError
        assert not Place.objects.filter(country="DE").exists()
        assert kind_now() == "job"
        assert count("calls_call") == 2


def test_an_error_undoes_what_the_scope_did(world: cast.Cast) -> None:
    with pytest.raises(ZeroDivisionError), job_scope(agency_id=world.acme.pk):
        Place.objects.create(agency=world.acme, client=world.dentist, country="DE")
        raise ZeroDivisionError
    with job_scope(agency_id=world.acme.pk):
        assert not Place.objects.filter(country="DE").exists()


@pytest.mark.django_db(transaction=True)
def test_a_scope_is_a_transaction_of_its_own_and_leaves_nothing_on_the_connection(world: cast.Cast) -> None:
    with as_bob(world):
        assert connection.in_atomic_block
    assert kind_now() == ""
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"), as_bob(world):
        pytest.fail("entered")
    assert lib_scope.current() is None


def test_asking_for_the_scope_or_its_agency_without_one_raises(world: cast.Cast) -> None:
    with pytest.raises(NoScopeError):
        lib_scope.require()
    with operator_scope(), pytest.raises(NoScopeError):
        lib_scope.require_agency()
    with as_bob(world):
        assert lib_scope.require_agency() == world.acme.pk
        assert lib_scope.require().kind == ScopeKind.STAFF


# --- what Python refuses ---


def a_call(world: cast.Cast) -> Call:
    return Call(pk=call_id(NOON), agency_id=world.acme.pk, client=world.dentist, received_at=NOON)


EVALUATIONS: dict[str, Callable[[QuerySet[Call], cast.Cast], object]] = {
    "list": lambda rows, world: list(rows),
    "iterator": lambda rows, world: next(rows.iterator(), None),
    "len": lambda rows, world: len(rows),
    "bool": lambda rows, world: bool(rows),
    "index": lambda rows, world: rows.order_by("id")[0],
    "slice": lambda rows, world: list(rows.order_by("id")[:2]),
    "count": lambda rows, world: rows.count(),
    "exists": lambda rows, world: rows.exists(),
    "first": lambda rows, world: rows.first(),
    "get": lambda rows, world: rows.get(),
    "in_bulk": lambda rows, world: rows.in_bulk(),
    "contains": lambda rows, world: rows.contains(a_call(world)),
    "aggregate": lambda rows, world: rows.aggregate(number=Count("pk")),
    "values": lambda rows, world: list(rows.values("pk")),
    "dates": lambda rows, world: list(rows.datetimes("received_at", "day")),
    "union": lambda rows, world: list(rows.union(rows.filter(seconds=1))),
    "select_for_update": lambda rows, world: list(rows.select_for_update()),
    "explain": lambda rows, world: rows.explain(),
    "update": lambda rows, world: rows.update(seconds=1),
    "delete": lambda rows, world: rows.delete(),
    "raw_delete": lambda rows, world: rows._raw_delete("default"),
    "create": lambda rows, world: rows.create(pk=call_id(NOON), agency_id=1, client_id=1, received_at=NOON),
    "save": lambda rows, world: a_call(world).save(force_insert=True),
    "save_again": lambda rows, world: a_call(world).save(update_fields=["seconds"]),
    "delete_one": lambda rows, world: a_call(world).delete(),
    "refresh": lambda rows, world: a_call(world).refresh_from_db(),
    "bulk_create": lambda rows, world: rows.bulk_create([a_call(world)]),
    "bulk_update": lambda rows, world: rows.bulk_update([a_call(world)], ["seconds"]),
    "get_or_create": lambda rows, world: rows.get_or_create(pk=call_id(NOON)),
    "subquery": lambda rows, world: list(
        world.bob.user.__class__.objects.filter(pk__in=rows.values("seconds"))
    ),
    "exists_subquery": lambda rows, world: list(
        world.bob.user.__class__.objects.filter(Exists(rows.filter(seconds=OuterRef("pk"))))
    ),
    "related": lambda rows, world: list(world.dentist.grants.all()),
    "foreign_key": lambda rows, world: Engagement(client_id=world.dentist.pk).client.name,
}


@pytest.mark.parametrize("name", some(EVALUATIONS, one_in=6, each=lambda name: name == "create"))
def test_a_queryset_is_free_to_build_and_refuses_to_run_without_a_scope(world: cast.Cast, name: str) -> None:
    rows = Call.objects.filter(seconds__gt=0).for_client(world.dentist)
    with pytest.raises(NoScopeError):
        EVALUATIONS[name](rows, world)


def test_the_same_queryset_runs_once_a_scope_is_entered(world: cast.Cast) -> None:
    rows = TrackingNumber.objects.for_client(world.dentist)
    with job_scope(agency_id=world.acme.pk):
        assert rows.count() == 1
        assert ClientGrant.objects.exists()


@pytest.fixture
def other_thread() -> list[object]:
    import threading

    found: list[object] = []

    def look() -> None:
        found.append(lib_scope.current())

    thread = threading.Thread(target=look)
    with_scope = lib_scope.Scope(ScopeKind.JOB, 1)
    lib_scope.remember(with_scope)
    thread.start()
    thread.join()
    lib_scope.remember(None)
    return found


def test_a_thread_does_not_inherit_a_scope(other_thread: list[object]) -> None:
    assert other_thread == [None]
