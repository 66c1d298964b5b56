"""
How much a test tries: little in `make test`, much in `make assure`, which asks by ASSURE=1 and reads what it was told.
"""

from __future__ import annotations

import json
import os
from pathlib import Path


def times[T](few: T, many: T) -> T:
    """How often: `few` in the suite, `many` where promises are tried (tools/assure)."""
    return many if os.environ.get("ASSURE") == "1" else few


def tell(count: int, what: str, *, trials: bool = True) -> None:
    """
    Write down for the table what was tried how often.

    :param trials: whether each of them was an independent try of the promise.
    """
    if path := os.environ.get("ASSURE_TOLD"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"count": count, "what": what, "trials": trials}) + "\n")
