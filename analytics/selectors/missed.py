"""What a client's missed calls may have cost: two estimates, each with the formula that it is made by."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from analytics.channels.paper import SUPPRESSED
from analytics.selectors import showing
from analytics.selectors.reports import Report
from callprivacy.lib.charts.shapes import Value
from callprivacy.lib.money import Money

_NONE = "–"


class Paid(Protocol):
    """A campaign with its calls, missed calls and cost."""

    calls: Value
    missed: Value
    cents: int | None


@dataclass(frozen=True, slots=True)
class MissedCalls:
    """
    All missed calls of a period.

    :ivar spent: the part of the costs that went into missed calls. :ivar lost: what they would have brought.
    """

    calls: str
    share: str
    spent: str
    spent_note: str
    lost: str
    lost_note: str


def spent_on_missed(row: Paid) -> float | None:
    """Cents that a campaign's missed calls cost: their number times its cost per call."""
    if not row.cents or not row.calls.number or row.missed.number is None:
        return None
    return row.missed.number * row.cents / row.calls.number


def missed_calls(report: Report, rows: Sequence[Paid], money: Money) -> MissedCalls:
    """The totals of a report by campaign, and the sum of its campaigns' estimates."""
    shown = showing.SHOWN
    calls, answered, value = (
        showing.value_of(shown[name], report.total) for name in ("missed", "answered", "value")
    )
    paid = [row for row in rows if row.cents]
    spent = [cents for row in paid if (cents := spent_on_missed(row)) is not None]
    without = sum(row.calls.hidden or row.missed.hidden for row in paid)
    note = "Missed calls × cost per call, campaign by campaign"
    if not paid:
        note = "No costs imported"
    elif without:
        note += f"; {without} of {len(paid)} campaigns suppressed and left out"
    lost, lost_note = _lost(calls, answered, value, money)
    return MissedCalls(
        calls.words,
        f"{showing.value_of(shown['missed_share'], report.total).words} of all calls",
        f"about {money.cents(sum(spent))}" if spent else SUPPRESSED if without else _NONE,
        note,
        lost,
        lost_note,
    )


def _lost(calls: Value, answered: Value, value: Value, money: Money) -> tuple[str, str]:
    if calls.hidden or answered.hidden or value.hidden:
        return SUPPRESSED, "Missed calls × value per answered call"
    if not (calls.number and answered.number and value.number):
        return _NONE, "No answered call has a value" if calls.number else "No missed calls"
    each = value.number / answered.number
    return (
        f"about {money.amount(calls.number * each)}",
        f"Missed calls × {money.amount(each)}, the value per answered call",
    )
