"""Databases migrated in a hurry are what the models say: every column, its type, every index and constraint."""

from typing import Any

import pytest
from django.apps import apps
from django.db import connections, models, router
from django.db.migrations.migration import Migration

from tools import migrating

pytestmark = pytest.mark.django_db

_COLUMNS = """
    SELECT c.relname, a.attname, a.atttypid, a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
"""
_NAMES = """
    SELECT relname FROM pg_class WHERE relkind = 'i' AND relnamespace = 'public'::regnamespace
    UNION ALL SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace
"""


def _kept_in(alias: str) -> list[type[models.Model]]:
    kept = [model for model in apps.get_models() if model._meta.managed]
    return [model for model in kept if not model._meta.proxy and router.allow_migrate_model(alias, model)]


@pytest.mark.parametrize("alias", ["default", "vault"])
def test_the_database_is_what_the_models_say(alias: str) -> None:
    connection: Any = connections[alias]
    tables = _kept_in(alias)
    with connection.cursor() as cursor:
        cursor.execute(_COLUMNS)
        there = {(table, column): (kind, is_set) for table, column, kind, is_set in cursor.fetchall()}
        cursor.execute(_NAMES)
        names = {name for (name,) in cursor.fetchall()}
        fields = [
            (model._meta.db_table, field) for model in tables for field in model._meta.local_concrete_fields
        ]
        kinds = sorted({str(field.db_type(connection)) for _, field in fields})
        cursor.execute("SELECT k, k::regtype::oid FROM unnest(%s::text[]) AS k", [kinds])
        number = dict(cursor.fetchall())
    wanted = {
        # Django asks for no NOT NULL where PostgreSQL itself writes the value.
        (table, field.column): (
            number[str(field.db_type(connection))],
            not field.null and not isinstance(field, models.GeneratedField),
        )
        for table, field in fields
    }
    assert {key: there.get(key) for key in wanted} == wanted
    said = {one.name for model in tables for one in (*model._meta.indexes, *model._meta.constraints)}
    assert said - names == set()


def test_django_migrates_as_before_once_the_hurry_is_over() -> None:
    apply = Migration.apply
    with migrating.quickly():
        assert Migration.apply is not apply
    assert Migration.apply is apply
