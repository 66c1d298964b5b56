"""
Migrating two empty databases quickly: for the suite's template, `make run`'s first start and benchmarks.

Django renders every model that is related to a changed one anew before each operation, and every model of ours is
related to Client: nine tenths of a migration from nothing are that. Most operations look at the changed model alone,
so it alone is rendered for them; before those that look further everything is, as Django does it. The schema is the
same to the byte. An installation that has rows is migrated by Django's own way, always.
"""

import contextlib
import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from django.db.migrations import operations as plain
from django.db.migrations.migration import Migration
from django.db.migrations.state import AppConfigStub, ProjectState, StateApps
from django.db.migrations.utils import field_is_referenced

from tools import arguments

# What asks for nothing but its own model and the tables its keys point to.
_OWN = (
    plain.CreateModel, plain.AddField, plain.RemoveField, plain.AlterField, plain.AddIndex, plain.RemoveIndex,
    plain.AddConstraint, plain.RemoveConstraint, plain.AlterModelOptions, plain.AlterModelManagers,
)  # fmt: skip


class MigratingError(RuntimeError):
    """The vault could not be migrated; what was said is on standard error."""


def both(*, verbosity: int = 0, quick: bool | None = None) -> None:
    """
    Migrate both databases at once, as their owner; no connection of this process may be open.

    :param quick: None decides by whether the main database is empty.
    :raises MigratingError: the vault could not be migrated.
    """
    from django.core.management import call_command
    from django.db import connections

    if quick is None:
        quick = "django_migrations" not in connections["default"].introspection.table_names()
    connections.close_all()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            one("vault", verbosity=verbosity)
            code = 0
        except BaseException as error:  # noqa: BLE001 the child ends here, whatever it was
            print(f"The vault was not migrated: {type(error).__name__}: {error}", file=sys.stderr)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    try:
        with quickly() if quick else contextlib.nullcontext():
            call_command("migrate", database="default", verbosity=verbosity, skip_checks=True)
    finally:
        _, status = os.waitpid(child, 0)
    if status:
        raise MigratingError("the vault was not migrated; what was said is above.")


def one(alias: str, *, verbosity: int) -> None:
    """Migrate one database by Django's own way; in the vault only its own tables, for no others are there."""
    from django.core.management import call_command

    named = ["vault"] if alias == "vault" else []
    call_command("migrate", *named, database=alias, verbosity=verbosity, skip_checks=True)


@contextlib.contextmanager
def quickly() -> Iterator[None]:
    """While this lasts, an operation renders its own model alone where that is enough."""
    apply, find = Migration.apply, ProjectState._find_reload_model  # type: ignore[attr-defined]  # Django's own, without types
    Migration.apply = _apply  # type: ignore[method-assign]  # Django's own, without types
    try:
        yield
    finally:
        Migration.apply = apply  # type: ignore[method-assign]  # Django's own, without types
        ProjectState._find_reload_model = find  # type: ignore[attr-defined]  # Django's own, without types


def _apply(
    self: Migration, project_state: ProjectState, schema_editor: Any, collect_sql: bool = False
) -> Any:
    for operation in self.operations:
        if _asks_nothing(operation):
            operation.state_forwards(self.app_label, project_state)
            before = project_state
        elif _looks_at_its_own(operation, self.app_label, project_state):
            before = _remembered(project_state, self.app_label, operation)
            with _only_itself():
                operation.state_forwards(self.app_label, project_state)
        else:
            if project_state.is_delayed:
                project_state.clear_delayed_apps_cache()
                project_state.is_delayed = False
            project_state.apps  # noqa: B018 renders all of it
            before = project_state.clone()
            operation.state_forwards(self.app_label, project_state)
        operation.database_forwards(self.app_label, schema_editor, before, project_state)
    return project_state


def _asks_nothing(operation: Any) -> bool:
    """Whether it is written SQL that changes no state."""
    return isinstance(operation, plain.RunSQL) and not operation.state_operations


def _looks_at_its_own(operation: Any, app_label: str, state: ProjectState) -> bool:
    if type(operation) not in _OWN:
        return False
    if isinstance(operation, (plain.AddField, plain.AlterField)) and operation.field.many_to_many:
        return False
    if isinstance(operation, (plain.AlterField, plain.RemoveField)):
        key = (app_label, operation.model_name_lower)
        there = state.models[key].fields[operation.name]
        return not there.many_to_many and not field_is_referenced(state, key, (operation.name, there))
    return True


def _remembered(state: ProjectState, app_label: str, operation: Any) -> ProjectState:
    """The state before an operation that changes one model: that one copied, the others shared."""
    name = getattr(operation, "model_name_lower", "") or operation.name_lower
    models = dict(state.models)
    if (app_label, name) in models:
        models[app_label, name] = models[app_label, name].clone()
    found = ProjectState(models=models, real_apps=state.real_apps)
    apps = StateApps([], {})
    apps.all_models = defaultdict(
        dict, {label: dict(there) for label, there in state.apps.all_models.items()}
    )
    for label in state.apps.app_configs:
        config: Any = AppConfigStub(label)
        config.apps = apps
        config.import_models()
        apps.app_configs[label] = config
    apps.real_models = state.apps.real_models
    found.apps = apps
    return found


@contextlib.contextmanager
def _only_itself() -> Iterator[None]:
    whole = ProjectState._find_reload_model  # type: ignore[attr-defined]  # Django's own, without types

    def find(
        self: ProjectState, app_label: str, model_name: str, delay: bool = False
    ) -> set[tuple[str, str]]:
        self.is_delayed = True
        return {(app_label, model_name)}

    ProjectState._find_reload_model = find  # type: ignore[attr-defined]  # Django's own, without types
    try:
        yield
    finally:
        ProjectState._find_reload_model = whole  # type: ignore[attr-defined]  # Django's own, without types


def main() -> int:
    """`python -m tools.migrating`: migrate the databases that the environment names."""
    import django

    asked = arguments.parse(__doc__, flags=["-v"])
    django.setup()
    both(verbosity=int(asked.v))
    return 0


if __name__ == "__main__":
    sys.exit(main())
