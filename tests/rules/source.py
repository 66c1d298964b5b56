"""The source of every file of ours, read once."""

import ast
import functools
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CODE = ("callprivacy", "consent", "analytics", "retention", "rights", "governance", "dashboard")


@functools.cache
def files() -> tuple[Path, ...]:
    """Every file of ours, without migrations."""
    found = (file for package in CODE for file in (ROOT / package).rglob("*.py"))
    return tuple(sorted(file for file in found if "migrations" not in file.parts))


@functools.cache
def nodes(file: Path) -> tuple[ast.AST, ...]:
    """Every node of a file's tree."""
    return tuple(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
