"""An index beside the work: built whole, also where an earlier try was cut off, and kept where it is there."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import ProgrammingError, connection, models
from django.db.migrations.state import ModelState, ProjectState

from callprivacy.lib.beside import AddIndexBeside
from tests import ground
from tests.audit.trails import superuser

INDEX = models.Index(fields=["number"], name="beside_row_number")


@pytest.fixture
def owner(transactional_db: None) -> Iterator[Any]:
    """The owner's connection, with a table."""
    address = psycopg.conninfo.conninfo_to_dict(os.environ[ground._OWNER_VARIABLES["default"]])
    found: Any = connection.copy()
    found.settings_dict |= {"USER": address["user"], "PASSWORD": address["password"]}
    with found.cursor() as cursor:
        cursor.execute("CREATE TABLE beside_row (id bigint PRIMARY KEY, number bigint)")
        cursor.execute("INSERT INTO beside_row SELECT n, n FROM generate_series(1, 9) AS n")
    yield found
    with found.cursor() as cursor:
        cursor.execute("DROP TABLE beside_row")
    found.close()


def build(owner: Any, operation: AddIndexConcurrently) -> None:
    before = ProjectState()
    fields: list[tuple[str, models.Field[Any, Any]]] = [
        ("id", models.BigIntegerField(primary_key=True)),
        ("number", models.BigIntegerField()),
    ]
    before.add_model(ModelState("beside", "Row", fields))
    after = before.clone()
    operation.state_forwards("beside", after)
    with owner.schema_editor(atomic=False) as editor:
        operation.database_forwards("beside", editor, before, after)


def standing(owner: Any) -> tuple[int, bool]:
    with owner.cursor() as cursor:
        cursor.execute("SELECT 'beside_row_number'::regclass::oid, indisvalid FROM pg_index"
                       " WHERE indexrelid = 'beside_row_number'::regclass")  # fmt: skip
        found: tuple[int, bool] = cursor.fetchone()
    return found


def test_what_a_cut_left_is_built_anew_and_what_is_whole_is_kept(owner: Any) -> None:
    build(owner, AddIndexBeside("row", INDEX))
    first = standing(owner)
    assert first[1]
    build(owner, AddIndexBeside("row", INDEX))
    assert standing(owner) == first
    with superuser() as line:
        line.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s", [first[0]])
    with pytest.raises(ProgrammingError, match="already exists"):
        build(owner, AddIndexConcurrently("row", INDEX))
    build(owner, AddIndexBeside("row", INDEX))
    again = standing(owner)
    assert again[1]
    assert again[0] != first[0]


def test_it_waits_longer_than_others_and_leaves_their_limit(owner: Any) -> None:
    with owner.cursor() as cursor:
        cursor.execute("SET lock_timeout = '50ms'")
    line = owner.copy()
    with contextlib.closing(line), line.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO beside_row VALUES (10, 10)")
        # Who is in its way ends in a while.
        cursor.execute("SET idle_in_transaction_session_timeout = '500ms'")
        build(owner, AddIndexBeside("row", INDEX))
    assert standing(owner)[1]
    with owner.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("50ms",)
