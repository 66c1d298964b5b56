"""
What a protected report does not tell, and whether a number of it is all there is (docs/adr/0152).

A call whose value, time or filter is hidden may belong to any row that its cell does not exclude. A row's number is
true where no such call is left; else it is not shown, because it would be too small.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Final

from analytics.enums import Dimension, Grain, Sheet, Step
from callprivacy.lib import calendars

type Keys = tuple[str | None, ...]
type At = date | datetime | None

AT: Final = "at"
_MOMENT: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Hidden:
    """
    Calls of a cell of which a report does not know the row; or of a span that tells nothing, whose `calls` are unknown.

    :ivar keys: what is told of them, None where it is not. :ivar low: and :ivar high: the first and the last step in
    which they may lie, None for any. :ivar is_placed: whether they count in a row of their step, under hidden values.
    :ivar filtered: as `keys`, of the dimensions that are filtered by.
    """

    sheet: Sheet
    span_id: int
    client_id: int
    starts: datetime
    ends: datetime
    grain: Grain
    keys: Keys
    calls: int | None
    low: At = None
    high: At = None
    is_placed: bool = False
    filtered: Keys = ()


def step_of(instant: datetime, step: Step, zone: str) -> At:
    """The step of a zone that an instant lies in, as a row names it."""
    if step in {Step.ALL, Step.HOUR}:
        return None if step is Step.ALL else instant
    day = calendars.day_in(zone, instant)
    if step is Step.WEEK:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if step is Step.MONTH else day


def steps_of(starts: datetime, ends: datetime, step: Step, zone: str) -> tuple[At, At]:
    """The first and the last step that a stretch of time reaches into."""
    return step_of(starts, step, zone), step_of(ends - _MOMENT, step, zone)


@dataclass(frozen=True, slots=True)
class Rest:
    """
    All that a report does not tell.

    :ivar told: row -> instants at which cells of it begin, with their values of the filters: of a list of one fact
    alone those of each span, of the list of time the first and the last one. :ivar is_apart: whether each row is of one
    client. :ivar names: of the dimensions. :ivar complete: span, dimension (or `AT`) and value of which the groups hide
    no call, since they add up to what the list of that fact alone tells.
    """

    step: Step = Step.ALL
    hidden: tuple[Hidden, ...] = ()
    told: Mapping[tuple[At, Keys], Collection[tuple[datetime, Keys]]] = field(default_factory=dict)
    is_apart: bool = True
    names: tuple[str, ...] = ()
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    complete: frozenset[tuple[int, str, str]] = frozenset()

    def may_add_to(self, at: At, keys: Keys) -> bool:
        """Whether calls may be a row's besides those that are told of it; if not, what is told is all there is."""
        return any(
            _reaches(one, at)
            and all(part is None or part == key for part, key in zip(one.keys, keys, strict=True))
            and not self._is_elsewhere(one, at, keys)
            for one in self.hidden
        )

    def may_add_to_step(self, at: At) -> bool:
        """The same of all rows of a step together."""
        return any(not one.is_placed and _reaches(one, at) for one in self.hidden)

    def _is_elsewhere(self, one: Hidden, at: At, keys: Keys) -> bool:
        """
        Whether a row's own calls cannot be among the hidden ones, since its value is told in the same list.

        A list of one fact tells a value of all its calls in a span or of none, and that of weekdays one of a weekday's
        hours; the list of time does so week by week within a month, day by day within a week.
        """
        if one.calls is None or not self.is_apart:
            return False
        if one.sheet is Sheet.GROUPS:
            return self._is_complete(one, at, keys)
        begins = self.told.get((at, keys), ())
        if one.sheet is Sheet.SLOTS and Dimension.WEEKDAY not in self.names:
            return False
        if one.sheet >= Sheet.SOURCE:
            named = dict(zip(self.names, keys, strict=True))
            wanted = [(named[name],) if name in named else values for name, values in self.filters.items()]
            return all((one.starts, values) in begins for values in product(*wanted))
        if one.sheet is Sheet.TIME and self.step is not Step.ALL and one.grain < self.step.grain:
            return any(one.starts <= instant < one.ends for instant, _ in begins)
        return False

    def _is_complete(self, one: Hidden, at: At, keys: Keys) -> bool:
        """Whether the row has none of the hidden calls, since all calls of one of its values are told in their span."""
        hidden: dict[str, tuple[str, ...]] = {
            name: (key,)
            for name, part, key in zip(self.names, one.keys, keys, strict=True)
            if part is None and key is not None
        }
        hidden |= {
            name: values
            for part, (name, values) in zip(one.filtered, self.filters.items(), strict=True)
            if part is None
        }
        if at is not None and one.low != one.high:
            hidden[AT] = (name_of(at),)
        return any(
            all((one.span_id, name, value) in self.complete for value in values)
            for name, values in hidden.items()
        )


def name_of(at: date | datetime) -> str:
    """A step as `Rest.complete` names it."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M}" if isinstance(at, datetime) else at.isoformat()


def _reaches(one: Hidden, at: At) -> bool:
    return at is None or one.low is None or one.low <= at <= one.high  # type: ignore[operator]  # of one step, of one type
