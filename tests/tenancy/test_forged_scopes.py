"""Injected SQL, as the program's own role, sees at most what the request's person sees (docs/adr/0137)."""

import hmac
import os
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import DatabaseError, connection, connections, transaction

from callprivacy.lib import scope as lib_scope
from callprivacy.tenancy import scope as scopes
from callprivacy.tenancy.enums import KeyPurpose
from callprivacy.tenancy.models import PublicKey
from callprivacy.tenancy.scope import client_scope, job_scope, keep_keys, scope_of_key, staff_scope, token
from tests import cast, make

pytestmark = pytest.mark.django_db
PAD = "\\x" + "36" * 64


@pytest.fixture
def world(cast: cast.Cast) -> cast.Cast:
    """The cast, with a call at each client."""
    for number, client in enumerate((cast.dentist, cast.plumber, cast.florist)):
        make.call(client, f"+1212555015{number}")
    return cast


def asked(statement: str, *values: Any) -> Any:
    """One value, as injected SQL would ask for it; nothing where PostgreSQL refuses."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None
    except DatabaseError:
        return None


def seen() -> set[int]:
    return set(asked("SELECT array_agg(DISTINCT client_id) FROM calls_call") or ())


def entered() -> str:
    return str(asked("SELECT current_setting('callprivacy.scope', true)"))


def signed_by(key: bytes, words: str) -> str:
    return f"{words} {hmac.digest(key, words.encode(), 'sha256').hex()}"


# --- Attacks: each is made in Mallory's scope, and must leave her no call but Globex's ---


def by_settings_of_before(world: cast.Cast) -> None:
    for name, value in {"kind": "job", "agency": world.acme.pk, "user": "", "client": ""}.items():
        asked(f"SELECT set_config('callprivacy.{name}', %s, false)", str(value))


def by_an_unsealed_setting(world: cast.Cast) -> None:
    asked("SELECT set_config('callprivacy.scope', %s, true)", f"job {world.acme.pk}   {'0' * 64}")


def by_an_altered_seal(world: cast.Cast) -> None:
    said = entered()
    assert said.startswith(f"staff {world.globex.pk} {world.mallory.user_id} ")
    altered = f"staff {world.acme.pk} {world.alice.user_id} {said[-65:]}"
    asked("SELECT set_config('callprivacy.scope', %s, true)", altered)


def by_an_altered_token(world: cast.Cast) -> None:
    mine = token("job", world.globex.pk, None, None)
    other = mine.replace(f" job {world.globex.pk} ", f" job {world.acme.pk} ")
    assert other != mine
    asked("SELECT agency FROM enter_scope(%s)", other)


def by_an_expired_token(world: cast.Cast) -> None:
    now = asked("SELECT extract(epoch FROM now())::bigint")
    words = f"{now - 1} job {world.acme.pk}  "
    asked("SELECT agency FROM enter_scope(%s)", signed_by(settings.CALLPRIVACY_SCOPE_KEYS[0], words))


def by_a_key_of_ones_own(world: cast.Cast) -> None:
    words = f"{int(time.time()) + 60} job {world.acme.pk}  "
    asked("SELECT agency FROM enter_scope(%s)", signed_by(bytes(32), words))
    for pads in (PAD, "\\x" + "00" * 64):
        seal = asked("SELECT scope_seal(%s, %s, %s)", f"job {world.acme.pk}  ", pads, pads)
        asked("SELECT set_config('callprivacy.scope', %s, true)", f"job {world.acme.pk}   {seal}")


def by_the_databases_keys(world: cast.Cast) -> None:
    said = f"job {world.acme.pk}  "
    for number in (0, 1):
        asked("INSERT INTO tenancy_scopekey VALUES (%s, %s, %s)", number + 7, PAD, PAD)
        asked(
            "UPDATE tenancy_scopekey SET inner_pad = %s, outer_pad = %s WHERE number = %s", PAD, PAD, number
        )
        seal = asked(
            "SELECT scope_seal(%s, k.inner_pad, k.outer_pad) FROM tenancy_scopekey k WHERE number = %s",
            said,
            number,
        )
        asked("SELECT set_config('callprivacy.scope', %s, true)", f"{said} {seal}")
        words = f"{int(time.time()) + 60} {said}"
        mac = asked(
            "SELECT scope_mac(convert_to(%s, 'UTF8'), k.inner_pad, k.outer_pad)"
            " FROM tenancy_scopekey k WHERE number = %s",
            words,
            number,
        )
        asked("SELECT agency FROM enter_scope(%s)", f"{words} {mac}")


def by_a_table_of_the_same_name(world: cast.Cast) -> None:
    said = f"job {world.acme.pk}  "
    asked("CREATE TEMPORARY TABLE tenancy_scopekey AS SELECT 0 AS number, %s::bytea AS inner_pad", PAD)
    asked("ALTER TABLE pg_temp.tenancy_scopekey ADD outer_pad bytea")
    asked("UPDATE pg_temp.tenancy_scopekey SET outer_pad = inner_pad")
    asked("SET LOCAL search_path = pg_temp, public")
    seal = asked("SELECT public.scope_seal(%s, %s, %s)", said, PAD, PAD)
    asked("SELECT set_config('callprivacy.scope', %s, true)", f"{said} {seal}")
    # The first call in a session compiles a function, with what its path then finds.
    for name in ("parts", "kind", "agency"):
        asked(f"SELECT public.scope_{name}()")
    asked("SELECT array_agg(c) FROM public.scope_clients('view_calls') c")


def by_types_of_the_same_name(world: cast.Cast) -> None:
    """A function compiled once a session may not keep a type of the caller's, whose check its owner would run."""
    asked(
        "CREATE FUNCTION pg_temp.grab(said pg_catalog.text) RETURNS boolean LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM set_config('mine.role', current_user, true); RETURN true; END $$"
    )
    asked("CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (pg_temp.grab(VALUE))")
    asked("SET LOCAL search_path = pg_temp, pg_catalog, public")
    by_an_unsealed_setting(world)
    asked("SELECT public.scope_parts()")
    asked("SELECT public.scope_kind()")


def by_a_public_key(world: cast.Cast) -> None:
    asked("INSERT INTO tenancy_publickey VALUES ('mine', 'api', %s, %s)", world.acme.pk, world.dentist.pk)
    words = f"{int(time.time()) + 60} key api mine"
    asked("SELECT agency FROM enter_scope(%s)", f"{words} {'0' * 64}")


ATTACKS: tuple[Callable[[cast.Cast], None], ...] = (
    by_settings_of_before,
    by_an_unsealed_setting,
    by_an_altered_seal,
    by_an_altered_token,
    by_an_expired_token,
    by_a_key_of_ones_own,
    by_the_databases_keys,
    by_a_table_of_the_same_name,
    by_a_public_key,
)


def reached(world: cast.Cast, attack: Callable[[cast.Cast], None]) -> set[int]:
    """The clients of the calls that an attack in Mallory's scope shows. Nothing of it stays."""
    with staff_scope(agency_id=world.globex.pk, user_id=world.mallory.user_id):
        attack(world)
        found = seen()
        transaction.set_rollback(True)
    return found


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_injected_sql_sees_no_call_of_another_agency(
    world: cast.Cast, attack: Callable[[cast.Cast], None]
) -> None:
    assert reached(world, attack) <= {world.florist.pk}


@pytest.mark.django_db(transaction=True)
def test_the_owner_runs_nothing_of_the_callers(world: cast.Cast) -> None:
    connection.close()
    with staff_scope(agency_id=world.globex.pk, user_id=world.mallory.user_id):
        by_types_of_the_same_name(world)
        assert asked("SELECT 'checked'::pg_temp.text IS NOT NULL")
        assert asked("SELECT current_setting('mine.role')") == asked("SELECT current_user::name")
        asked("SELECT set_config('mine.role', '', true)")
        asked("SELECT public.scope_kind(), public.scope_agency(), public.scope_clients('view_calls')")
        assert asked("SELECT current_setting('mine.role')") == ""
        assert seen() <= {world.florist.pk}


@pytest.mark.django_db(transaction=True)
def test_a_seal_is_worth_nothing_in_another_transaction(world: cast.Cast) -> None:
    with job_scope(agency_id=world.acme.pk):
        seal = entered()
        assert seen() == {world.dentist.pk, world.plumber.pk}
        with closing(connections.create_connection("default")) as other, other.cursor() as cursor:
            cursor.execute("SELECT set_config('callprivacy.scope', %s, false)", [seal])
            cursor.execute("SELECT count(*) FROM calls_call")
            assert cursor.fetchone() == (0,)
    asked("SELECT set_config('callprivacy.scope', %s, false)", seal)
    assert seen() == set()
    with staff_scope(agency_id=world.globex.pk, user_id=world.mallory.user_id):
        assert seen() == {world.florist.pk}


@pytest.mark.parametrize("keeps_plans", [True, False])
@pytest.mark.django_db(transaction=True)
def test_other_sessions_do_not_read_what_enters_a_scope(
    world: cast.Cast, settings: Any, keeps_plans: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CALLPRIVACY_KEEPS_PLANS = keeps_plans
    sent: list[str] = []

    def watched(*words: object) -> str:
        sent.append(token(*words))
        return sent[-1]

    monkeypatch.setattr(scopes, "token", watched)
    PublicKey.objects.create(
        key="k" * 20, purpose=KeyPurpose.HOOK, agency_id=world.acme.pk, client_id=world.dentist.pk
    )
    for entering in (job_scope(agency_id=world.acme.pk), scope_of_key("k" * 20, KeyPurpose.HOOK)):
        with (
            entering,
            closing(connections.create_connection("default")) as other,
            other.cursor() as cursor,
        ):
            number = connection.connection.info.backend_pid
            cursor.execute("SELECT query FROM pg_stat_activity WHERE pid = %s", [number])
            (query,) = cursor.fetchone()
            assert "enter_scope" in query
            assert sent[-1][-64:] not in query
            # Nor does a plan that is kept wait for the next token: another statement could stand in its place.
            with connection.cursor() as mine:
                mine.execute(
                    "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%enter_scope%'"
                )
                assert mine.fetchone() == (0,)


def test_a_signed_key_is_read_to_its_end(world: cast.Cast) -> None:
    for key in ("two words", "", " ", "job 1  "):
        PublicKey.objects.create(
            key=key, purpose=KeyPurpose.API, agency_id=world.globex.pk, client_id=world.florist.pk
        )
        with scope_of_key(key, KeyPurpose.API):
            assert lib_scope.require().client_id == world.florist.pk
            assert seen() == {world.florist.pk}


def test_the_database_keeps_to_the_keys_of_the_program(world: cast.Cast, settings: Any) -> None:
    """A change of keys: both are believed, then the new one alone; nothing is believed that was taken out."""
    old, new = settings.CALLPRIVACY_SCOPE_KEYS[0], bytes(range(32))

    def believes(kept: list[bytes], key: bytes) -> bool:
        with psycopg.connect(os.environ["DATABASE_OWNER_URL"]) as owner:
            settings.CALLPRIVACY_SCOPE_KEYS = kept
            keep_keys(owner.cursor())
            settings.CALLPRIVACY_SCOPE_KEYS = [key]
            try:
                owner.execute("SELECT agency FROM enter_scope(%s)", [token("job", 1, None, None)])
            except psycopg.errors.InsufficientPrivilege:
                return False
            finally:
                owner.rollback()
            return True

    for kept, found in (([old], (True, False)), ([new, old], (True, True)), ([new], (False, True))):
        assert (believes(kept, old), believes(kept, new)) == found


def test_a_token_of_another_installation_is_refused_and_not_taken_for_an_empty_one(
    world: cast.Cast, settings: Any
) -> None:
    settings.CALLPRIVACY_SCOPE_KEYS = [bytes(32)]
    with (
        pytest.raises(DatabaseError, match="run the release step"),
        client_scope(agency_id=world.acme.pk, client_id=world.dentist.pk),
    ):
        pytest.fail("entered")


# --- The attacks find what is planted ---

_TRUSTS = (
    "CREATE OR REPLACE FUNCTION scope_parts() RETURNS text[] LANGUAGE sql STABLE AS"
    " $$ SELECT string_to_array(left(current_setting('callprivacy.scope', true), -65), ' ', '') $$"
)
_AS_BEFORE = (
    "CREATE OR REPLACE FUNCTION scope_parts() RETURNS text[] LANGUAGE sql STABLE AS $$ SELECT string_to_array("
    "concat_ws(' ', current_setting('callprivacy.kind', true), current_setting('callprivacy.agency', true), '', '')"
    ", ' ', '') $$"
)
FAULTS: dict[str, tuple[str, Callable[[cast.Cast], None]]] = {
    "the setting is trusted": (_TRUSTS, by_an_unsealed_setting),
    "the settings of before are trusted": (_AS_BEFORE, by_settings_of_before),
    "the keys are read": ("ALTER TABLE tenancy_scopekey DISABLE ROW LEVEL SECURITY", by_the_databases_keys),
    "old tokens are taken": (
        "DO $$ BEGIN EXECUTE replace(pg_get_functiondef('enter_scope'::regproc), '<= now()', '= now()'); END $$",
        by_an_expired_token,
    ),
}


@pytest.fixture
def planted(request: pytest.FixtureRequest, world: cast.Cast) -> Any:
    """A scope's function with a fault in it, in databases of this test's own."""
    statement, attack = FAULTS[request.param]
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
        owner.execute(statement.encode())
    return attack


@pytest.mark.parametrize("planted", FAULTS, indirect=True)
@pytest.mark.django_db(transaction=True)
def test_a_scope_that_can_be_forged_is_found(world: cast.Cast, planted: Any) -> None:
    assert reached(world, planted) >= {world.dentist.pk, world.plumber.pk}
