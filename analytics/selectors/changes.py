"""Campaigns against the period before: a change is said where the exact test passes (docs/adr/0152), and only there."""

from collections.abc import Sequence
from typing import Final, Protocol

from analytics.charts import headline
from callprivacy.lib.charts.shapes import Value

NO_CHANGE: Final = "no clear change"
SUPPRESSED: Final = "suppressed"


class Compared(Protocol):
    """A campaign now and in the previous period."""

    name: str
    conversions: Value
    before: Value
    cents: int | None
    cents_before: int | None
    change: str
    change_words: str


def mark(rows: Sequence[Compared], *, length: float) -> str:
    """
    Write into each row how it changed, and return the sentence of the greatest change; "" where none passes.

    A campaign with costs is compared by its qualified calls for the same money, one without by the same days. Each
    test is stricter by the number of tests.

    :param length: how long this period is in lengths of the one before.
    """
    tested = [(row, room) for row in rows if (room := _exposure(row, length)) is not None]
    found = []
    for row in rows:
        row.change_words = SUPPRESSED if row.conversions.hidden or row.before.hidden else NO_CHANGE
    for row, room in tested:
        finding = headline.changed(
            [int(row.conversions.number or 0)],
            [int(row.before.number or 0)],
            length=room,
            level=headline.LEVEL / len(tested),
        )
        if finding is None:
            continue
        row.change = "better" if finding.ratio > 1 else "worse"
        row.change_words = _words(row, finding.ratio)
        found.append((max(finding.ratio, 1 / finding.ratio if finding.ratio else float("inf")), row))
    best = max(found, key=lambda one: one[0], default=None)
    return f"“{best[1].name}”: {best[1].change_words}" if best else ""


def _exposure(row: Compared, length: float) -> float | None:
    """How much more money, or time, there was than before; None where the two cannot be compared."""
    if row.conversions.number is None or row.before.number is None:
        return None
    if row.cents and row.cents_before:
        return row.cents / row.cents_before
    return None if row.cents or row.cents_before else length


def _words(row: Compared, ratio: float) -> str:
    is_paid = bool(row.cents)
    if ratio == float("inf"):
        return "there are qualified calls; the previous period had none."
    if not ratio:
        return "there are no qualified calls; the previous period had some."
    if ratio < 1 and is_paid:
        return f"a qualified call costs {headline.times(1 / ratio)} as much as in the previous period."
    if ratio < 1:
        return f"{ratio * 100:.0f} % of the qualified calls of the previous period."
    same = " for the same money" if is_paid else ""
    return f"{headline.times(ratio)} as many qualified calls{same} as in the previous period."
