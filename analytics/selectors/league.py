"""
The order of clients by one of their figures: what is suppressed stands at the end, by name, so that no place tells it.

Costs order nothing: each client's are in its own currency.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from analytics.selectors.agency import ClientRow

_OF: Final[dict[str, Callable[[ClientRow], float | None]]] = {
    "calls": lambda row: row.calls.number,
    "change": lambda row: row.ratio,
    "answered": lambda row: row.answered.number,
    "qualified": lambda row: row.conversions.number,
    "rate": lambda row: row.rate.number,
}


def sort_of(name: str) -> str:
    """A sort as the address names it, "calls" or "-calls"; "" where it is none."""
    return name if name.removeprefix("-") in {*_OF, "client"} else ""


def in_order(rows: Sequence[ClientRow], sort: str) -> list[ClientRow]:
    """The rows in that order; as they are where none is named."""
    key, is_down = sort.removeprefix("-"), sort.startswith("-")
    by_name = sorted(rows, key=lambda row: row.client.name, reverse=is_down and key == "client")
    if key not in _OF:
        return by_name if key == "client" else list(rows)
    told = [(number, row) for row in by_name if (number := _OF[key](row)) is not None]
    told.sort(key=lambda one: -one[0] if is_down else one[0])
    return [*(row for _, row in told), *(row for row in by_name if _OF[key](row) is None)]
