"""A plan that a connection keeps holds nothing of a scope, and a key's scope is its client's alone."""

import time
from typing import Any

import pytest
from django.db import connection, connections

from callprivacy.lib import statements
from callprivacy.lib.scope import NoScopeError
from callprivacy.tenancy.enums import KeyPurpose
from callprivacy.tenancy.models import Client, PublicKey
from callprivacy.tenancy.scope import ScopeConflictError, client_scope, job_scope, scope_of_key
from tests import cast
from tests.scale import some

pytestmark = pytest.mark.django_db
_CLIENTS = "SELECT id FROM tenancy_client WHERE id > %s ORDER BY id"


def clients() -> list[int]:
    with statements.cursor() as cursor:
        cursor.execute(_CLIENTS, [0])
        return [row[0] for row in cursor.fetchall()]


def plans_kept() -> list[tuple[int, int]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT generic_plans, custom_plans FROM pg_prepared_statements"
            " WHERE statement LIKE 'SELECT id FROM tenancy_client WHERE id > %%'"
        )
        return list(cursor.fetchall())


def test_a_kept_plan_shows_each_scope_its_own_rows_and_nobody_none() -> None:
    world = cast.assemble()
    for _ in range(2):
        for client in (world.dentist, world.plumber, world.florist):
            with client_scope(agency_id=client.agency_id, client_id=client.pk):
                for _ in range(4):
                    assert clients() == [client.pk]
        with job_scope(agency_id=world.acme.pk):
            assert clients() == sorted([world.dentist.pk, world.plumber.pk])
        assert clients() == []
    # One plan for all of them, and made for no value of anybody's.
    ((generic, custom),) = plans_kept()
    assert generic > custom


def test_a_connection_for_a_pooler_keeps_no_plan(settings: Any) -> None:
    settings.CALLPRIVACY_KEEPS_PLANS = False
    world = cast.assemble()
    with client_scope(agency_id=world.acme.pk, client_id=world.dentist.pk):
        assert clients() == [world.dentist.pk]
    assert plans_kept() == []


def test_other_statements_are_not_counted_with_their_values() -> None:
    world = cast.assemble()
    with client_scope(agency_id=world.acme.pk, client_id=world.dentist.pk):
        clients()
        assert list(Client.objects.all()) == [world.dentist]
    assert not connection.connection._prepared._counts


def test_a_key_opens_the_scope_of_its_client() -> None:
    world = cast.assemble()
    PublicKey.objects.create(
        key="a" * 20, purpose=KeyPurpose.HOOK, agency_id=world.globex.pk, client_id=world.florist.pk
    )
    with scope_of_key("a" * 20, KeyPurpose.HOOK) as scope:
        assert (scope.agency_id, scope.client_id) == (world.globex.pk, world.florist.pk)
        assert list(Client.objects.all()) == [world.florist]
    with pytest.raises(NoScopeError):
        list(Client.objects.all())


@pytest.mark.parametrize(
    "key", some(["a" * 20, "b" * 20, "", "' OR true --"], one_in=4, each=lambda key: key == "b" * 20)
)
def test_a_key_that_is_none_or_of_another_kind_opens_nothing(key: str) -> None:
    world = cast.assemble()
    PublicKey.objects.create(
        key="a" * 20, purpose=KeyPurpose.HOOK, agency_id=world.globex.pk, client_id=world.florist.pk
    )
    with scope_of_key(key, KeyPurpose.API) as scope:
        assert (scope.agency_id, scope.client_id) == (0, 0)
        assert clients() == []
        assert list(Client.objects.all()) == []


def test_a_key_is_not_taken_inside_a_scope() -> None:
    world = cast.assemble()
    with (
        client_scope(agency_id=world.acme.pk, client_id=world.dentist.pk),
        pytest.raises(ScopeConflictError),
        scope_of_key("a" * 20, KeyPurpose.API),
    ):
        pass


@pytest.mark.parametrize("alias", ["default", "vault"])
@pytest.mark.django_db(databases=["default", "vault"])
def test_a_connection_that_its_server_ended_is_found_unusable(alias: str) -> None:
    resting = connections[alias].copy()
    resting.connect()
    try:
        assert resting.is_usable()
        number = resting.connection.info.backend_pid
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [number])
        deadline = time.monotonic() + 10
        while resting.is_usable() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not resting.is_usable()
    finally:
        resting.close()


def test_a_resting_connection_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    resting = connections["default"].copy()
    resting.connect()
    try:
        asked: list[str] = []
        cursor = resting.connection.cursor

        def count() -> Any:
            asked.append("once")
            return cursor()

        monkeypatch.setattr(resting.connection, "cursor", count)
        assert resting.is_usable()
        assert asked == []
        resting.errors_occurred = True
        assert resting.is_usable()
        assert asked == ["once"]
    finally:
        monkeypatch.undo()
        resting.close()
