"""
A plugin of pytest that reads a module of ours with a fault in it: `-p lab.assure.planting`, with the fault as JSON in
ASSURE_PLANT: {"file", "old", "new"}, or {"file", "source"} with a file that is read in its place. Nothing of ours on
the disk is changed, and no compiled file is kept. Tests run in the order in which they are asked for, the quickest
first, where the suite begins with what takes longest.
"""

import importlib.abc
import json
import os
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


class PlantError(RuntimeError):
    """The text that a fault replaces does not stand there exactly once."""


def planted(source: str, old: str, new: str, *, where: str) -> str:
    """
    The source with the fault in it.

    :raises PlantError: `old` is not there exactly once.
    """
    if source.count(old) != 1:
        raise PlantError(f"{where}: {old!r} stands there {source.count(old)} times, not once.")
    return source.replace(old, new)


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, edit: dict[str, str]) -> None:
        super().__init__(name, path)
        self._edit = edit

    def get_code(self, fullname: str) -> CodeType:
        if "source" in self._edit:
            source = Path(self._edit["source"]).read_text(encoding="utf-8")
        else:
            source = planted(
                Path(self.path).read_text(encoding="utf-8"),
                self._edit["old"],
                self._edit["new"],
                where=self.path,
            )
        return compile(source, self.path, "exec", dont_inherit=True)


class Finder(importlib.abc.MetaPathFinder):
    """Finds the one module with the fault; everything else is found as ever."""

    def __init__(self, edit: dict[str, str]) -> None:
        self.file, self.edit = (ROOT / edit["file"]).resolve(), edit

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of our module, read by a loader that plants the fault."""
        found = PathFinder.find_spec(fullname, path, target)
        if found is None or found.origin is None or Path(found.origin).resolve() != self.file:
            return None
        found.loader = _Loader(fullname, found.origin, self.edit)
        found.cached = None
        return found


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Let tests run in the order of the command's arguments."""
    yield
    places = {argument: place for place, argument in enumerate(config.args)}
    items.sort(
        key=lambda item: next(
            (place for argument, place in places.items() if item.nodeid.startswith(argument)), len(places)
        )
    )


if _asked := os.environ.get("ASSURE_PLANT"):
    sys.meta_path.insert(0, Finder(json.loads(_asked)))
