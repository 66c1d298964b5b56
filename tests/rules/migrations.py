"""
What a migration may do to tables that an installation has, while the version before it serves.

It holds from the first release on: `python -m tests.rules.migrations` is run with that one, and writes
`migrations.toml`, which names each app's last migration before the rule began. Until then no installation has tables.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.contrib.postgres import operations as postgres
from django.db.migrations import Migration
from django.db.migrations import operations as plain
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation

from callprivacy.lib.beside import AddIndexBeside
from tests.rules.source import ROOT

BASELINE = Path(__file__).with_name("migrations.toml")
_REMOVES = (plain.RemoveField, plain.DeleteModel, plain.RenameField, plain.RenameModel, plain.AlterModelTable)
_BESIDE = (AddIndexBeside, postgres.RemoveIndexConcurrently)


def is_released() -> bool:
    """Whether the changes name a version that is out."""
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    return headings != ["Unreleased"]


def baseline() -> dict[str, str]:
    """App -> its last migration that the rule does not look at; before the first release, its last."""
    if not BASELINE.exists():
        return {app: rows[-1].name for app, rows in ours().items()}
    found: dict[str, str] = tomllib.loads(BASELINE.read_text(encoding="utf-8"))["before"]
    return found


def ours() -> dict[str, list[Migration]]:
    """App -> its migrations in order; of our own apps."""
    disk = MigrationLoader(None).disk_migrations
    found: dict[str, list[Migration]] = {}
    for (app, _), migration in sorted(disk.items()):
        file = Path(str(__import__(migration.__module__, fromlist=["x"]).__file__))
        if file.is_relative_to(ROOT) and ".venv" not in file.parts and "site-packages" not in file.parts:
            found.setdefault(app, []).append(migration)
    return found


def new_ones() -> list[Migration]:
    """Every migration behind the baseline."""
    before = baseline()
    return [one for app, rows in ours().items() for one in rows if one.name > before.get(app, "")]


def faults(migrations: list[Migration]) -> Iterator[str]:
    """What these migrations do that the version before could not stand, a sentence each."""
    made = {
        (migration.app_label, operation.name_lower)
        for migration in migrations
        for operation in migration.operations
        if isinstance(operation, plain.CreateModel)
    }
    for migration in migrations:
        if getattr(migration, "safe_because", ""):
            continue
        for operation in migration.operations:
            name = getattr(operation, "model_name_lower", None) or getattr(operation, "name_lower", "")
            if (migration.app_label, name) in made:
                continue
            if fault := _fault(operation):
                yield f"{migration.app_label}.{migration.name}: {fault}"
        beside = any(isinstance(operation, _BESIDE) for operation in migration.operations)
        if beside and (migration.atomic or len(migration.operations) > 1):
            yield f"{migration.app_label}.{migration.name}: an index beside the work wants atomic = False, alone"


def _fault(operation: Operation) -> str:
    if isinstance(operation, _REMOVES):
        return f"{type(operation).__name__} takes away what the version before asks for"
    if isinstance(operation, plain.AlterField):
        return "AlterField may rewrite the table: add, fill, and remove later"
    if isinstance(operation, plain.AddField) and _must_be_filled(operation.field):
        return f"{operation.name} must be filled, and the version before does not fill it: give it db_default"
    if type(operation) in {plain.AddIndex, postgres.AddIndexConcurrently}:
        return (
            "AddIndex stops every write while it builds, AddIndexConcurrently cannot be run again where it was cut off:"
            " AddIndexBeside"
        )
    if type(operation) is plain.AddConstraint:
        return (
            "AddConstraint looks at every row under its lock: AddConstraintNotValid, then ValidateConstraint"
        )
    return ""


def _must_be_filled(field: Any) -> bool:
    return not (field.many_to_many or field.null or field.has_db_default())


def main() -> None:
    """Write the baseline as the migrations stand."""
    import django

    django.setup()
    lines = [f'{app} = "{rows[-1].name}"' for app, rows in sorted(ours().items())]
    head = "# Each app's last migration before tests/rules/migrations.py looks; fixed by the first release.\n"
    head += "\n[before]\n"
    BASELINE.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
