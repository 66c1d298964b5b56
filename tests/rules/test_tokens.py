"""One person's tokens over many clients: one function derives them, one job calls it, and that job writes it down."""

import ast
from pathlib import Path
from typing import Final

import pytest

from tests.rules.source import ROOT, files, nodes

DERIVES: Final = {
    "derive_callers": {"callprivacy/vault/selectors.py", "rights/services/deriving.py"},
    "DERIVER": {"callprivacy/vault/selectors.py", "rights/services/deriving.py"},
    "many_client_keys": {
        "callprivacy/vault/selectors.py",
        # One client and the agency's own key, which lists of numbers stand under.
        "consent/services/contact.py",
        # Numbers that a list says were given to others: of whoever has them, for no person's sake.
        "consent/services/registers.py",
    },
}
"""Names -> the files that may hold them."""
LOOKS: Final = {
    # What one of the staff looks for, at the clients that the person may see; each look is in the trail.
    "find_callers": {"callprivacy/calls/services/searches.py", "consent/services/finding.py"},
    "tombstones": {"consent/selectors/people.py"},
}
"""Functions that take clients -> the files that may give them others than one, written out."""


def names_it(file: Path, name: str) -> bool:
    """Whether a file names something: as a word of its own, of a module, in an import, or as text for `getattr`."""
    return any(
        (isinstance(node, ast.Name) and node.id == name)
        or (isinstance(node, ast.Attribute) and node.attr == name)
        or (isinstance(node, ast.FunctionDef) and node.name == name)
        or (isinstance(node, ast.alias) and name in {node.name, node.asname})
        or (isinstance(node, ast.Constant) and node.value == name)
        for node in nodes(file)
    )


def looks_at_many(file: Path, name: str) -> bool:
    """Whether a file calls a function with more clients than one that it writes out, or hands it on uncalled."""
    calls = [
        node
        for node in nodes(file)
        if isinstance(node, ast.Call) and _name_of(node.func) == name and node.args
    ]
    of_one = {
        id(node.func)
        for node in calls
        if isinstance(node.args[0], ast.List)
        and len(node.args[0].elts) == 1
        and not isinstance(node.args[0].elts[0], ast.Starred)
    }
    return any(
        isinstance(node, ast.Name | ast.Attribute) and _name_of(node) == name and id(node) not in of_one
        for node in nodes(file)
    )


def _name_of(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("name", DERIVES)
def test_nobody_else_names_what_derives_over_clients(name: str) -> None:
    assert {_of(file) for file in files() if names_it(file, name)} == DERIVES[name]


@pytest.mark.parametrize("name", LOOKS)
def test_nobody_else_looks_for_one_number_at_more_clients_than_one(name: str) -> None:
    assert {_of(file) for file in files() if looks_at_many(file, name)} == LOOKS[name]


@pytest.mark.parametrize(
    "planted",
    [
        "from callprivacy.vault.selectors import derive_callers",
        "from callprivacy.vault.selectors import derive_callers as find",
        "vault.derive_callers(ids, number, by=by)",
        "getattr(vault, 'derive_callers')(ids, number, by=by)",
    ],
)
def test_a_planted_derivation_is_found(tmp_path: Path, planted: str) -> None:
    file = tmp_path / "planted.py"
    file.write_text(planted, encoding="utf-8")
    assert names_it(file, "derive_callers")


@pytest.mark.parametrize(
    ("planted", "found"),
    [
        ("vault.find_callers(ids, number)", True),
        ("vault.find_callers([one, other], number)", True),
        ("vault.find_callers([*ids], number)", True),
        ("look = vault.find_callers", True),
        ("vault.find_callers([client.pk], number)", False),
    ],
)
def test_a_planted_look_at_many_is_found(tmp_path: Path, planted: str, found: bool) -> None:
    file = tmp_path / "planted.py"
    file.write_text(planted, encoding="utf-8")
    assert looks_at_many(file, "find_callers") is found
