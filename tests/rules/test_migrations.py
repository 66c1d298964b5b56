"""New migrations leave the version before them able to serve, and nobody waiting for long."""

from typing import Any

import pytest
from django.conf import settings
from django.contrib.postgres import operations as postgres
from django.db import models
from django.db.migrations import Migration
from django.db.migrations import operations as plain

from callprivacy.lib.beside import AddIndexBeside
from tests.rules.migrations import BASELINE, baseline, faults, is_released, new_ones, ours


def test_new_migrations_are_safe_beside_the_version_before() -> None:
    assert list(faults(new_ones())) == []


def test_a_release_has_a_baseline() -> None:
    assert BASELINE.exists() or not is_released(), (
        "run: python -m tests.rules.migrations, and commit what it writes"
    )


def test_the_baseline_names_migrations_that_there_are() -> None:
    names = {app: {one.name for one in rows} for app, rows in ours().items()}
    assert set(baseline()) <= set(names)
    assert all(name in names[app] for app, name in baseline().items())


def test_nobody_waits_for_a_lock_for_longer_than_two_seconds() -> None:
    for alias in ("default", "vault"):
        assert "-c lock_timeout=2s" in settings.DATABASES[alias]["OPTIONS"]["options"]


def planted(*operations: Any, atomic: bool = True, **more: str) -> list[str]:
    kind = type("Migration", (Migration,), {"operations": list(operations), "atomic": atomic, **more})
    return list(faults([kind("0999_planted", "calls")]))


_INDEX = models.Index(fields=["medium"], name="planted")
_CHECK = models.CheckConstraint(condition=models.Q(pk__gt=0), name="planted")


@pytest.mark.parametrize(
    "operation",
    [
        plain.AddField("call", "more", models.TextField(default="")),
        plain.RemoveField("call", "medium"),
        plain.RenameField("call", "medium", "means"),
        plain.DeleteModel("Call"),
        plain.RenameModel("Call", "Ring"),
        plain.AlterField("call", "medium", models.IntegerField()),
        plain.AddIndex("call", _INDEX),
        plain.AddConstraint("call", _CHECK),
        postgres.AddIndexConcurrently("call", _INDEX),
        AddIndexBeside("call", _INDEX),
    ],
    ids=lambda operation: type(operation).__name__,
)
def test_what_is_not_safe_is_found(operation: Any) -> None:
    assert planted(operation)
    said = planted(operation, safe_because="the table is empty", atomic=False)
    assert said == []


@pytest.mark.parametrize(
    ("operation", "atomic"),
    [
        (plain.AddField("call", "more", models.TextField(null=True)), True),
        (plain.AddField("call", "more", models.TextField(db_default="")), True),
        (AddIndexBeside("call", _INDEX), False),
        (postgres.AddConstraintNotValid("call", _CHECK), True),
        (plain.RunSQL("SELECT 1"), True),
    ],
)
def test_what_is_safe_passes(operation: Any, atomic: bool) -> None:
    assert planted(operation, atomic=atomic) == []


def test_a_new_table_may_be_made_as_it_likes() -> None:
    make = plain.CreateModel("Thing", [("id", models.BigAutoField(primary_key=True))])
    assert planted(make, plain.AddIndex("thing", _INDEX), plain.AddConstraint("thing", _CHECK)) == []
