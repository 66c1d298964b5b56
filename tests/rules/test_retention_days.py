"""How long things are kept is written by one function, which a second signature stands before."""

import ast
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.rules import source

WRITER = "retention/services/policies.py"
COLUMNS = {"keep_calls_for_days", "keep_calls_out_for_days", "keep_releases_for_days"}
# Files that name a column of days, or the row of a policy, and write none, and why.
NAMES = {
    "callprivacy/tenancy/models.py": "it defines them",
    "consent/selectors/blueprints.py": "what is usual in a trade, which a page shows beside what holds",
    "retention/models/__init__.py": "it hands the model on",
    "retention/selectors/policies.py": "it reads what holds; a selector writes nothing",
    "lab/bench/bench_purge.py": "it fills a database of its own, which is measured and dropped",
    "lab/faults/history.py": "it fills a database of its own, in which clients differ from the start",
}
# Raw SQL that writes a table of days.
_SQL = re.compile(
    r'\b(?:UPDATE|INTO|DELETE FROM)\s+"?(?:retention_policy|tenancy_client|tenancy_agency)\b', re.IGNORECASE
)


def writes(nodes: Sequence[ast.AST]) -> list[str]:
    """Where a file could write days: a column by its name, the row of a policy, or raw SQL about one of the tables."""
    prose = {
        id(node.value)
        for node in nodes
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return [ast.unparse(node)[:80] for node in nodes if id(node) not in prose and _names(node)]


def _names(node: ast.AST) -> bool:
    """Whether days are set, or named as what could be set; reading a column as an attribute is not."""
    match node:
        case ast.keyword(arg=name) | ast.Name(id=name, ctx=ast.Store()) if name in COLUMNS:
            return True
        case ast.Attribute(attr=name, ctx=ast.Store()) if name in COLUMNS:
            return True
        case ast.Name(id="Policy") | ast.Attribute(attr="Policy") | ast.alias(name="Policy"):
            return True
        case ast.Constant(value=str(text)):
            return any(column in text for column in COLUMNS) or bool(_SQL.search(text))
    return False


def found_in(file: Path) -> list[str]:
    return writes(source.nodes(file))


def test_retention_days_are_written_by_one_module() -> None:
    beside = (file for folder in ("lab", "tools") for file in (source.ROOT / folder).rglob("*.py"))
    found = {str(file.relative_to(source.ROOT)): found_in(file) for file in (*source.files(), *beside)}
    elsewhere = {
        name: lines for name, lines in found.items() if lines and name != WRITER and name not in NAMES
    }
    assert elsewhere == {}, "propose it with retention.services.policies, which asks a second officer"
    assert all(found[name] for name in NAMES), "a file that names nothing needs no line above"


def test_in_that_module_one_function_writes_them() -> None:
    file = source.ROOT / WRITER
    tree = ast.parse(file.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert {one.name for one in functions if writes(tuple(ast.walk(one)))} == {"_write"}
    callers = {
        one.name
        for one in functions
        if any(
            isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_write"
            for node in ast.walk(one)
        )
    }
    assert callers == {"_put_in_force"}


@pytest.mark.parametrize(
    "planted",
    [
        "client.keep_calls_for_days = 30",
        "Client.objects.filter(pk=1).update(keep_calls_out_for_days=30)",
        "setattr(agency, 'keep_releases_for_days', 30)",
        "form = {'keep_calls_for_days': 30}",
        "class F(forms.ModelForm):\n    keep_calls_for_days = forms.IntegerField()",
        "Policy(category='call', keep_for_days=30).save()",
        "Policy.objects.filter(pk=1).update(keep_for_days=30)",
        "from retention.models import Policy as P\nP.objects.bulk_create(rows)",
        "models.Policy.objects.create(**fields)",
        "cursor.execute('UPDATE retention_policy SET keep_for_days = 30')",
        "cursor.execute('INSERT INTO retention_policy VALUES (1)')",
        "cursor.execute('UPDATE tenancy_client SET slug = 1')",
    ],
)
def test_a_planted_writer_is_found(planted: str) -> None:
    assert writes(tuple(ast.walk(ast.parse(planted))))
