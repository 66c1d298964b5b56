"""
How much a test tries: little in `make test`, much in `make assure`, which asks by ASSURE=1 and reads what it was told.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.mark.structures import ParameterSet


def times[T](few: T, many: T) -> T:
    """How often: `few` in the suite, `many` where promises are tried (lab/assure)."""
    return many if os.environ.get("ASSURE") == "1" else few


def some[T](
    cases: Iterable[T], *, one_in: int, each: Callable[[T], object] | None = None
) -> list[ParameterSet]:
    """
    The cases of a test: every so many-th in the suite, the others where everything is tried.

    :param each: of what the suite tries one in any case, such as the answer that is waited for.
    """
    found, kinds = [], set[object]()
    for number, case in enumerate(cases):
        kind = number if each is None else each(case)
        is_new, is_next = each is not None and kind not in kinds, number % one_in == 0
        kinds.add(kind)
        values = case if isinstance(case, tuple) else (case,)
        found.append(pytest.param(*values, marks=[] if is_new or is_next else [pytest.mark.thorough]))
    return found


def tell(count: int, what: str, *, trials: bool = True) -> None:
    """
    Write down for the table what was tried how often.

    :param trials: whether each of them was an independent try of the promise.
    """
    if path := os.environ.get("ASSURE_TOLD"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"count": count, "what": what, "trials": trials}) + "\n")
