"""
Every task of ours: a fixed name, arguments by keyword alone and room for those of a newer release, acknowledged
when it is done, sent by somebody, without a person's data in its arguments, doing nothing more when run again.
"""

import ast
import functools
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Task
from django.db import connections

from callprivacy.celery import app
from callprivacy.lib import scope as lib_scope
from callprivacy.tenancy import jobs
from callprivacy.tenancy.scope import job_scope
from callprivacy.work.models import Item
from tests.rules import source
from tests.rules.source import CODE
from tests.rules.world import NOTHING, World, undone

app.loader.import_default_modules()
TASKS: dict[str, Task] = {
    name: task for name, task in app.tasks.items() if task.__module__.split(".")[0] in CODE
}
_NAME = re.compile(
    r"^(calls|retention|work|audit|accounts|dashboard|vault|consent|analytics|rights|governance)\.[a-z]+_[a-z_]+$"
)
_by_task = pytest.mark.parametrize("name", sorted(TASKS))
_LATER = {"eta", "countdown"}
_WAKES = {"wake", "waker"}
_SENDS = {"delay", "delay_on_commit", "apply_async", "apply_async_on_commit"}
# What an argument of a task may be called: an id or the number of a row, never a value of a person.
_ARGUMENT = re.compile(r"^[a-z_]*_ids?$")


def _parameters(task: Task) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(task.run).parameters)


def _ids_of(task: Task) -> list[inspect.Parameter]:
    """What a task is told: which rows it is about. One of the beat's is about all there are."""
    return [p for p in _parameters(task).values() if p.kind is inspect.Parameter.KEYWORD_ONLY]


def test_there_are_tasks() -> None:
    assert {"audit.seal_events", "calls.process_inbox", "retention.work_runs", "work.send_mail"} <= set(TASKS)


@_by_task
def test_a_task_has_a_fixed_name(name: str) -> None:
    assert _NAME.match(name), name
    files = [file for file in source.files() if f'name="{name}"' in file.read_text(encoding="utf-8")]
    assert len(files) == 1, "written out, so that moving the function does not rename the task"
    assert name.partition(".")[0] in files[0].parts, "named after its own app"


@_by_task
def test_a_task_takes_ids_by_keyword_and_what_a_newer_release_adds(name: str) -> None:
    parameters = _parameters(TASKS[name])
    kinds = {parameter.kind for parameter in parameters.values()}
    assert kinds <= {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD}
    assert inspect.Parameter.VAR_KEYWORD in kinds
    for parameter in parameters.values():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            assert _ARGUMENT.match(parameter.name), f"{name}: {parameter.name} is not a caller ID"
            assert parameter.annotation in {"int", "str", int, str}, parameter


@_by_task
def test_a_task_is_acknowledged_when_it_is_done_and_keeps_no_result(name: str) -> None:
    task = TASKS[name]
    assert task.acks_late
    assert task.ignore_result
    assert task.reject_on_worker_lost
    assert not getattr(task, "autoretry_for", ()), "what failed is a row with a due_at, not a message"


def _files_with(*words: str) -> Iterator[Path]:
    """Our files in which one of these words stands: what has none of them need not be parsed."""
    one_of = re.compile(rf"\b({'|'.join(words)})\b")
    return (file for file in source.files() if one_of.search(file.read_text(encoding="utf-8")))


@functools.cache
def _sent_somewhere() -> set[str]:
    """Names of task functions that our code sends."""
    sent: set[str] = set()
    for file in _files_with(*_SENDS, *_WAKES):
        for node in source.nodes(file):
            task = None
            if isinstance(node, ast.Attribute) and node.attr in _SENDS:
                task = node.value
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _WAKES:
                task = node.args[0]
            if isinstance(task, ast.Name | ast.Attribute):
                sent.add(task.id if isinstance(task, ast.Name) else task.attr)
    return sent


@_by_task
def test_a_task_is_in_the_beats_table_or_sent(name: str) -> None:
    assert name in jobs.PERIODS or TASKS[name].run.__name__ in _sent_somewhere()


def test_beat_sends_only_what_there_is_and_without_arguments() -> None:
    for name in jobs.PERIODS:
        assert not [p for p in _ids_of(TASKS[name]) if p.default is inspect.Parameter.empty], name


def test_no_task_is_sent_for_later() -> None:
    """`eta` and `countdown` live in the broker, which may forget; a `due_at` does not."""
    for file in _files_with(*_LATER):
        for node in source.nodes(file):
            if isinstance(node, ast.Call):
                found = {keyword.arg for keyword in node.keywords} & _LATER
                assert not found, f"{file}:{node.lineno}"


# --- Twice is once ---


def _arguments(name: str, world: World, *, known: bool) -> dict[str, Any]:
    things = world.dentist if known else NOTHING
    found: dict[str, Any] = {}
    for parameter in _ids_of(TASKS[name]):
        if parameter.name == "agency_id":
            found["agency_id"] = world.cast.acme.pk if known else 999_999_999
        elif parameter.name == "client_id":
            found["client_id"] = world.cast.dentist.pk if known else 999_999_999
        else:
            value = getattr(things, parameter.name)
            found[parameter.name] = value if isinstance(value, int) else str(value)
    return found


@pytest.fixture(autouse=True)
def _broker_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a task sends on goes nowhere: the rows count, and the sweep finds them."""
    monkeypatch.setattr(Task, "apply_async", lambda *_args, **_kwargs: None)


def _changed_by(deed: Callable[[], object], world: World) -> set[str]:
    """
    Tables of ours, in both databases, whose rows differ once the deed is done; it is undone again.

    PostgreSQL counts what a transaction writes. What was written to is compared as it was before and after, as each
    agency's job sees it: it may have been written as it was.
    """
    before = _written()
    with undone():
        deed()
        after = _written()
        touched = {about for about in after if after[about] != before.get(about, 0)}
        found = _state(world, touched)
    was = _state(world, touched)
    return {table for table in found if found[table] != was[table]}


def _written() -> dict[tuple[str, str], int]:
    """How many rows the transactions under way have written, by database and table."""
    found: dict[tuple[str, str], int] = {}
    for alias in ("default", "vault"):
        with connections[alias].cursor() as cursor:
            cursor.execute(
                "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables"
                " WHERE relname = ANY(%s)",
                [_tables(alias)],
            )
            found |= {(alias, table): count for table, count in cursor.fetchall()}
    return found


def _state(world: World, tables: set[tuple[str, str]]) -> dict[str, str]:
    """A digest of each of these tables, as each agency's job sees it."""
    found = _digests("vault", tables)
    for agency_id in (world.cast.acme.pk, world.cast.globex.pk):
        with job_scope(agency_id=agency_id):
            found |= {
                f"{table} of {agency_id}": digest for table, digest in _digests("default", tables).items()
            }
    return found


def _digests(alias: str, tables: set[tuple[str, str]]) -> dict[str, str]:
    statement = " UNION ALL ".join(
        f"SELECT '{table}', md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {table} t"
        for of, table in sorted(tables)
        if of == alias
    )
    if not statement:
        return {}
    with connections[alias].cursor() as cursor:
        cursor.execute(statement)
        return dict(cursor.fetchall())


@functools.cache
def _tables(alias: str) -> list[str]:
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            " AND relname ~ '^(tenancy|accounts|audit|work|calls|retention|vault|consent|analytics|rights|governance)_'"
        )
        return sorted(name for (name,) in cursor.fetchall())


@_by_task
def test_a_task_run_again_does_nothing_more(name: str, world: World) -> None:
    """The first run may do what is due; another one leaves every row as it was, and none leaves its scope."""
    arguments = _arguments(name, world, known=True)
    TASKS[name].run(**arguments, from_a_newer_release=1)
    assert lib_scope.current() is None
    assert _changed_by(lambda: TASKS[name].run(**arguments), world) == set()


@pytest.mark.parametrize("name", [name for name in sorted(TASKS) if _ids_of(TASKS[name])])
def test_a_task_about_something_that_is_gone_changes_nothing_and_leaves_no_scope(
    name: str, world: World
) -> None:
    arguments = _arguments(name, world, known=False)
    changed = _changed_by(lambda: TASKS[name].run(**arguments), world)
    assert lib_scope.current() is None
    assert changed == set()


def test_a_row_that_was_written_is_noticed(world: World) -> None:
    acme = world.cast.acme.pk

    def write(**columns: Any) -> set[str]:
        def deed() -> None:
            with job_scope(agency_id=acme):
                Item.objects.filter(pk=world.dentist.item_id).update(**columns)

        return _changed_by(deed, world)

    with job_scope(agency_id=acme):
        owner_id = Item.objects.get(pk=world.dentist.item_id).owner_id
    assert write(owner_id=world.cast.bob.user_id) == {f"work_item of {acme}"}
    assert write(owner_id=owner_id) == set(), "it was written as it was"

    def destroy() -> None:
        with connections["vault"].cursor() as cursor:
            cursor.execute("DELETE FROM vault_recordingkey")

    assert _changed_by(destroy, world) == {"vault_recordingkey"}
