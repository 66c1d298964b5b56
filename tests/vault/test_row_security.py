"""Injected SQL in the vault, as the program's own role, reaches what the running function names (docs/adr/0124)."""

from __future__ import annotations

import hmac
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, connections, transaction

from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import scope, selectors, services
from callprivacy.vault.models import Caller, CallTombstone, ClientKey, ListedNumber
from callprivacy.vault.scope import everybody, holders, house, token
from callprivacy.vault.services import Erasure
from consent.enums import ListKind
from consent.models import NumberList
from tests import starts
from tests.cast import Cast
from tests.make import NOON

pytestmark = pytest.mark.django_db
commits = pytest.mark.django_db(transaction=True)

ACME, GLOBEX = 1, 2
OURS, THEIRS, FOREIGN = 7, 8, 9
"""Two clients of Acme and one of Globex."""
ONE, TWO = "+12125550101", "+12125550102"
ENDS = date(NOON.year + 5, 1, 1)
ALL = "vault   "
"""What would be said of everybody."""
PAD = "\\x" + "36" * 64
TABLES = sorted(model._meta.db_table for model in apps.get_app_config("vault").get_models())
OF_CLIENTS = sorted(set(TABLES) - {"vault_pulse", "vault_foldermark"})


@pytest.fixture
def clients(db: None) -> None:
    """A row of each client, and of both agencies, in every table."""
    for holder, agency in ((OURS, ACME), (THEIRS, ACME), (FOREIGN, GLOBEX), (-ACME, ACME), (-GLOBEX, GLOBEX)):
        services.create_client_keys(client_id=holder, agency_id=agency, at=NOON)
        found = services.ensure_callers(client_id=holder, numbers=[ONE, TWO], at=NOON)
        services.create_recording_keys(
            client_id=holder, recordings=[(uuid.uuid4(), None)], callers={}, at=NOON
        )
        services.suppress(client_id=holder, numbers=[ONE], purposes=["call"], at=NOON)
        services.erase_callers(client_id=holder, erasures=[Erasure(found[TWO], NOON, ENDS)], at=NOON)
        services.entomb_calls(client_id=holder, digests=[bytes(32)], ends_on=ENDS, at=NOON)
        services.advance_watermark(client_id=holder, category="call", before=NOON)
        services.list_numbers(holder_id=holder, list_id=uuid.uuid4(), numbers={ONE: None})


@pytest.fixture
def injected(clients: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a statement of the test's reach what one inside the product would."""
    monkeypatch.setattr(scope, "named", scope._named.get)


def asked(statement: str, *values: Any) -> Any:
    """One value, as injected SQL would ask for it; nothing where PostgreSQL refuses."""
    try:
        with transaction.atomic(using="vault"), connections["vault"].cursor() as cursor:
            cursor.execute(statement, values or None)
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None
    except DatabaseError:
        return None


@contextmanager
def refused(match: str) -> Iterator[None]:
    """PostgreSQL refuses what is asked here, and the transaction goes on."""
    with pytest.raises(DatabaseError, match=match), transaction.atomic(using="vault"):
        yield


def seen(table: str = "vault_clientkey") -> set[int]:
    return set(asked(f"SELECT array_agg(DISTINCT client_id) FROM {table}") or ())


def entered() -> str:
    return str(asked("SELECT current_setting('callprivacy.scope', true)"))


def signed_by(key: bytes, words: str) -> str:
    return f"{words} {hmac.digest(key, words.encode(), 'sha256').hex()}"


# --- What a statement reaches ---


@pytest.mark.parametrize("table", [*TABLES, "tenancy_scopekey"])
def test_a_table_shows_nothing_without_a_scope(injected: None, table: str) -> None:
    with everybody():
        assert table == "tenancy_scopekey" or asked(f"SELECT count(*) FROM {table}") is not None
    assert not asked(f"SELECT count(*) FROM {table}")


@pytest.mark.parametrize("table", OF_CLIENTS)
def test_a_table_shows_the_named_clients_alone(injected: None, table: str) -> None:
    with everybody():
        assert seen(table) == {OURS, THEIRS, FOREIGN, -ACME, -GLOBEX}
    with holders([OURS]):
        assert seen(table) == {OURS}
    with holders([OURS, -GLOBEX]):
        assert seen(table) == {OURS, -GLOBEX}
    with house():
        assert seen(table) == set()
    assert seen(table) == set()


def test_an_agencys_scope_shows_its_keys_and_nothing_else(injected: None) -> None:
    with scope.keys_of_agency(ACME):
        assert seen() == {OURS, THEIRS, -ACME}
        assert seen("vault_caller") == set()
        assert (
            asked("UPDATE vault_clientkey SET generation = 9 WHERE agency_id = %s RETURNING 1", ACME) is None
        )


def test_a_client_of_another_agency_is_refused_in_an_agencys_scope(injected: None) -> None:
    with job_scope(agency_id=ACME):
        assert selectors.client_keys(OURS).client_id == OURS
        with refused("does not hold this client"):
            selectors.client_keys(FOREIGN)
        assert selectors.client_keys(THEIRS).client_id == THEIRS


@pytest.mark.parametrize("table", OF_CLIENTS)
def test_rows_of_others_are_neither_written_nor_removed(injected: None, table: str) -> None:
    with holders([OURS]):
        assert asked(f"DELETE FROM {table} WHERE client_id = %s RETURNING client_id", THEIRS) is None
        with refused("row-level security"), connections["vault"].cursor() as cursor:
            cursor.execute(f"UPDATE {table} SET client_id = %s", [THEIRS])
    with everybody():
        assert THEIRS in seen(table)


def test_a_key_is_not_made_for_another_agency(injected: None) -> None:
    made = {"client_id": 10, "agency_id": GLOBEX, "at": NOON}
    with job_scope(agency_id=ACME), refused("row-level security"):
        services.create_client_keys(**made)
    with job_scope(agency_id=GLOBEX):
        services.create_client_keys(**made)
    with everybody():
        assert 10 in seen()


# --- Attacks: each is made where the first client is named, and must leave it alone ---


def by_an_unsealed_setting() -> None:
    asked("SELECT set_config('callprivacy.scope', %s, true)", f"{ALL} {'0' * 64}")


def by_an_altered_seal() -> None:
    said = entered()
    assert said.startswith(f"vault   {{{OURS}}} ")
    asked("SELECT set_config('callprivacy.scope', %s, true)", f"{ALL}{said[-65:]}")


def by_the_other_databases_seal() -> None:
    with job_scope(agency_id=ACME), connections["default"].cursor() as cursor:
        cursor.execute("SELECT current_setting('callprivacy.scope')")
        (said,) = cursor.fetchone()
    asked("SELECT set_config('callprivacy.scope', %s, true)", said)


def by_an_altered_token() -> None:
    mine = token("vault", None, None, f"{{{OURS}}}")
    other = mine.replace(f" {{{OURS}}} ", f" {{{FOREIGN}}} ")
    assert other != mine
    asked("SELECT enter_vault(%s)", other)


def by_a_token_of_the_other_database() -> None:
    for kind in ("operator", "job"):
        asked("SELECT enter_vault(%s)", token(kind, None, None, None))


def by_an_expired_token() -> None:
    now = asked("SELECT extract(epoch FROM now())::bigint")
    asked("SELECT enter_vault(%s)", signed_by(settings.CALLPRIVACY_SCOPE_KEYS[0], f"{now - 1} {ALL}"))


def by_a_key_of_ones_own() -> None:
    asked("SELECT enter_vault(%s)", signed_by(bytes(32), f"{int(time.time()) + 60} {ALL}"))
    for pads in (PAD, "\\x" + "00" * 64):
        seal = asked("SELECT scope_seal(%s, %s, %s)", ALL, pads, pads)
        asked("SELECT set_config('callprivacy.scope', %s, true)", f"{ALL} {seal}")


def by_the_databases_keys() -> None:
    for number in (0, 1):
        asked("INSERT INTO tenancy_scopekey VALUES (%s, %s, %s)", number + 7, PAD, PAD)
        asked("UPDATE tenancy_scopekey SET inner_pad = %s WHERE number = %s", PAD, number)
        asked("UPDATE tenancy_scopekey SET outer_pad = %s WHERE number = %s", PAD, number)
        seal = asked(
            f"SELECT scope_seal('{ALL}', k.inner_pad, k.outer_pad) FROM tenancy_scopekey k WHERE number = %s",
            number,
        )
        asked("SELECT set_config('callprivacy.scope', %s, true)", f"{ALL} {seal}")


def by_a_table_of_the_same_name() -> None:
    asked("CREATE TEMPORARY TABLE tenancy_scopekey AS SELECT 0 AS number, %s::bytea AS inner_pad", PAD)
    asked("ALTER TABLE pg_temp.tenancy_scopekey ADD outer_pad bytea")
    asked("UPDATE pg_temp.tenancy_scopekey SET outer_pad = inner_pad")
    asked("SET LOCAL search_path = pg_temp, public")
    seal = asked(f"SELECT public.scope_seal('{ALL}', %s, %s)", PAD, PAD)
    asked("SELECT set_config('callprivacy.scope', %s, true)", f"{ALL} {seal}")
    asked("SELECT public.scope_entered()")


ATTACKS: tuple[Callable[[], None], ...] = (
    by_an_unsealed_setting,
    by_an_altered_seal,
    by_the_other_databases_seal,
    by_an_altered_token,
    by_a_token_of_the_other_database,
    by_an_expired_token,
    by_a_key_of_ones_own,
    by_the_databases_keys,
    by_a_table_of_the_same_name,
)


def reached(attack: Callable[[], None]) -> set[int]:
    """The clients whose keys and callers an attack shows, where the first one is named. Nothing of it stays."""
    with holders([OURS]), transaction.atomic(using="vault"):
        assert seen() == {OURS}
        attack()
        found = seen() | seen("vault_caller")
        transaction.set_rollback(True, using="vault")
    return found


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_injected_sql_sees_no_other_client(injected: None, attack: Callable[[], None]) -> None:
    assert reached(attack) <= {OURS}


@commits
def test_a_seal_is_worth_nothing_in_another_transaction(injected: None) -> None:
    with everybody(), transaction.atomic(using="vault"):
        assert FOREIGN in seen()
        seal = entered()
        with psycopg.connect(os.environ["VAULT_DATABASE_URL"], autocommit=True) as other:
            other.execute("SELECT set_config('callprivacy.scope', %s, false)", [seal])
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="No scope of the vault"):
                other.execute("SELECT count(*) FROM vault_clientkey")
    with transaction.atomic(using="vault"):
        asked("SELECT set_config('callprivacy.scope', %s, false)", seal)
        assert seen() == set()
    asked("SELECT set_config('callprivacy.scope', '', false)")


@commits
def test_other_sessions_do_not_read_what_enters_a_scope(
    injected: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []

    def watched(*words: object) -> str:
        sent.append(token(*words))
        return sent[-1]

    monkeypatch.setattr(scope, "token", watched)
    with holders([OURS]), transaction.atomic(using="vault"):
        assert seen() == {OURS}
        with psycopg.connect(os.environ["VAULT_DATABASE_URL"]) as other:
            number = connections["vault"].connection.info.backend_pid
            ((query,),) = other.execute("SELECT query FROM pg_stat_activity WHERE pid = %s", [number])
            assert sent[-1][-64:] not in query
        assert asked("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%enter_vault%'") == 0


def test_the_vault_keeps_to_the_keys_of_the_program(injected: None, settings: Any) -> None:
    settings.CALLPRIVACY_SCOPE_KEYS = [bytes(32)]
    with refused("run the release step"):
        selectors.client_keys(OURS)


# --- The attacks find what is planted ---

_TRUSTS = (
    "CREATE OR REPLACE FUNCTION scope_entered() RETURNS text[] LANGUAGE sql STABLE AS"
    " $$ SELECT string_to_array(left(current_setting('callprivacy.scope', true), -65), ' ', '') $$"
)
FAULTS: dict[str, tuple[str, Callable[[], None]]] = {
    "the setting is trusted": (_TRUSTS, by_an_unsealed_setting),
    "the keys are read": ("ALTER TABLE tenancy_scopekey DISABLE ROW LEVEL SECURITY", by_the_databases_keys),
    "old tokens are taken": (
        "DO $$ BEGIN EXECUTE replace(pg_get_functiondef('enter_vault'::regproc), '<= now()', '= now()'); END $$",
        by_an_expired_token,
    ),
    "a table has no row security": ("ALTER TABLE vault_caller DISABLE ROW LEVEL SECURITY", lambda: None),
}


@pytest.mark.parametrize("name", FAULTS)
@commits
def test_a_vault_that_can_be_opened_is_found(injected: None, name: str) -> None:
    statement, attack = FAULTS[name]
    with psycopg.connect(os.environ["VAULT_DATABASE_OWNER_URL"], autocommit=True) as owner:
        owner.execute(statement.encode())
    assert reached(attack) >= {OURS, THEIRS, FOREIGN}


# --- Transactions ---


def count_of(model: Any) -> int:
    return int(model.objects.count())


@commits
def test_each_statement_alone_enters_its_scope(injected: None) -> None:
    for holder in (OURS, FOREIGN, OURS):
        with holders([holder]):
            assert set(Caller.objects.values_list("client_id", flat=True)) == {holder}
    with pytest.raises(DatabaseError, match="No scope of the vault"):
        count_of(Caller)


@commits
def test_a_scope_is_entered_anew_after_a_rollback(injected: None) -> None:
    with holders([OURS]), transaction.atomic(using="vault"):
        with transaction.atomic(using="vault"):
            assert count_of(ClientKey) == 1
            transaction.set_rollback(True, using="vault")
        assert count_of(ClientKey) == 1
        with refused("division by zero"), connections["vault"].cursor() as cursor:
            cursor.execute("SELECT 1 / 0")
        with transaction.atomic(using="vault"):
            assert count_of(ClientKey) == 1
        with holders([FOREIGN]):
            assert set(Caller.objects.values_list("client_id", flat=True)) == {FOREIGN}
        assert set(Caller.objects.values_list("client_id", flat=True)) == {OURS}
    with holders([OURS]), transaction.atomic(using="vault"):
        assert count_of(ClientKey) == 1


@commits
def test_nobody_is_named_after_everybody_was(injected: None) -> None:
    with transaction.atomic(using="vault"):
        with everybody():
            assert seen() >= {OURS, FOREIGN}
        assert seen() == set()
        with refused("No scope of the vault"):
            count_of(ClientKey)


def test_a_copy_out_has_the_named_clients_rows(injected: None) -> None:
    with holders([OURS]), connections["vault"].cursor() as cursor:
        cursor.execute("SELECT 1")
        with cursor.copy("COPY vault_clientkey (client_id) TO STDOUT") as copy:
            assert b"".join(copy).split() == [str(OURS).encode()]


def test_a_copy_in_is_refused(injected: None) -> None:
    with holders([OURS]), transaction.atomic(using="vault"):
        assert seen() == {OURS}
        with (
            connections["vault"].cursor() as cursor,
            pytest.raises(psycopg.errors.FeatureNotSupported),
            cursor.copy("COPY vault_watermark (client_id, category, before) FROM STDIN") as copy,
        ):
            copy.write_row((FOREIGN, "call", NOON))
        transaction.set_rollback(True, using="vault")


def test_many_rows_are_added_at_once(injected: None) -> None:
    rows = [
        CallTombstone(client_id=OURS, digest=bytes(30) + bytes([1, n]), ends_on=ENDS, created_at=NOON)
        for n in range(3)
    ]
    with holders([OURS]):
        assert len(CallTombstone.objects.bulk_create(rows)) == 3
        with connections["vault"].cursor() as cursor:
            cursor.executemany(
                "UPDATE vault_watermark SET before = %s WHERE client_id = %s",
                [(NOON + timedelta(days=1), OURS), (NOON + timedelta(days=1), FOREIGN)],
            )
        assert selectors.watermark(OURS, "call") == NOON + timedelta(days=1)
    assert selectors.watermark(FOREIGN, "call") == NOON


# --- An installation that has rows ---


@pytest.fixture
def at_version_before(transactional_db: None) -> Iterator[psycopg.Connection[Any]]:
    """A connection of the vault's owner to tables as the version before left them."""
    with psycopg.connect(os.environ["VAULT_DATABASE_OWNER_URL"], autocommit=True) as owner:
        rows = owner.execute(
            "SELECT 'TABLE IF EXISTS ' || oid::regclass FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            " UNION SELECT 'FUNCTION IF EXISTS ' || oid::regprocedure FROM pg_proc"
            " WHERE pronamespace = 'public'::regnamespace"
        ).fetchall()
        for (name,) in rows:
            owner.execute(f"DROP {name} CASCADE")
        migrate("vault", "0008")
        yield owner


def migrate(*names: str) -> None:
    environ = os.environ | {"CALLPRIVACY_ROLE": "owner"}
    done = starts.manage("migrate", *names, "--database", "vault", environ=environ)
    assert done.returncode == 0, done.stderr


@commits
def test_an_installation_with_rows_is_brought_under_row_security(
    cast: Cast, at_version_before: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scope, "named", scope._named.get)
    with job_scope(agency_id=cast.acme.pk):
        register = NumberList.objects.create(
            agency=cast.acme, kind=ListKind.DO_NOT_CALL, name="Registry", as_of=NOON.date(), created_at=NOON
        )
    lost = uuid.uuid4()
    for place, list_id in enumerate([register.pk, register.pk, lost]):
        at_version_before.execute(
            "INSERT INTO vault_listednumber (list_id, token) VALUES (%s, %s)", [list_id, bytes([place])]
        )
    at_version_before.execute(
        "INSERT INTO vault_watermark (client_id, category, before) VALUES (%s, 'call', %s), (%s, 'call', %s)",
        [cast.dentist.pk, NOON, cast.florist.pk, NOON],
    )

    migrate("vault")

    with everybody():
        rows = list(ListedNumber.objects.order_by("token").values_list("list_id", "client_id"))
    assert rows == [(register.pk, -cast.acme.pk)] * 2 + [(lost, 0)]
    assert selectors.watermark(cast.dentist.pk, "call") == NOON
    assert seen("vault_watermark") == set()
    with holders([cast.florist.pk]):
        assert seen("vault_watermark") == {cast.florist.pk}
