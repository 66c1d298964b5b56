"""
Which tests share a process, and in which order: those that take longest begin first, so that all workers end together.

A file's tests run in one process, and so do all of the browser's, which share one running site, and most of the rules',
which share a world and read the source of everything once. pytest-xdist's own groups are not used: it writes them into
the names of tests, where pytest 9.2 does not read them any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    import pytest

BROWSER: Final = "tests/browser/"
RULES: Final = "tests/rules/"
LAST: Final = "tests/browser/test_axe.py"
"""The walk looks at what the browser's other tests have made, too."""

LONG: Final = (
    BROWSER,
    "tests/rules/test_canary.py",
    "tests/rules/test_attack.py",
    RULES,
    "tests/retention/test_",
    "tests/dashboard/test_demo.py",
    "tests/look/test_browser.py",
    "tests/vault/test_token_rotation.py",
    "tests/audit/test_tampering.py",
)
"""How names begin of what takes longest, longest first; all else comes in any order, and takes seconds a file."""


def unit_of(nodeid: str) -> str:
    """What is run in one process without a break."""
    path = nodeid.partition("::")[0]
    if path in LONG:
        return path
    return next((folder for folder in (BROWSER, RULES) if path.startswith(folder)), path)


def place_of(nodeid: str) -> tuple[int, bool]:
    """Where a test comes, among the others."""
    unit = unit_of(nodeid)
    place = next((n for n, start in enumerate(LONG) if unit.startswith(start)), len(LONG))
    return place, nodeid.startswith(LAST)


class Scheduling(LoadScopeScheduling):
    """Hands out whole units, in the order in which they were collected."""

    def __init__(self, config: pytest.Config, log: object = None) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)
