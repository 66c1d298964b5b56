"""
Groups of one's own: what people change of the shipped hierarchies of calls without writing a file.

Five hierarchies stand in a release: days, instants, places, lengths, sources. Of each a person picks the levels between
a value and everything; of sources they say which channel each lies in and which channels are paid, of lengths where
bands begin, of instants which hours are a part of the day. Whatever they say, groups lie in one another as a tree, and
every class is tested by the engine: groups decide what a release costs, never whether its demands hold.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any, Final, Self

from analytics.anonymise import levels
from analytics.anonymise.errors import AnonymiseError
from analytics.anonymise.hierarchy import ANYTHING
from analytics.anonymise.levels import UNKNOWN, Levels

OTHER: Final = "other"
HOURS: Final = 24
LEVELS: Final[Mapping[str, tuple[str, ...]]] = {
    "day": ("week", "month", "quarter"),
    "instant": ("hour", "part of day", "day type"),
    "place": ("region", "country"),
    "seconds": ("narrow bands", "bands", "wide bands"),
    "source": ("channel", "paid or not"),
}
"""Of each hierarchy the levels that are picked from, narrowest first."""
BANDS: Final = LEVELS["seconds"]
MOST_CHANNELS: Final = 40
MOST_SOURCES: Final = 500
MOST_BANDS: Final = 60
MOST_PARTS: Final = 12
_LONGEST: Final = 86_400
_WEEK: Final = {"weekday": ("Mon", "Tue", "Wed", "Thu", "Fri"), "weekend": ("Sat", "Sun")}
_LABEL: Final = re.compile(r"[^\W_](?:[\w &/'+.()-]{0,38}[\w)+])?")
_RESERVED: Final = {OTHER, UNKNOWN, ANYTHING, "paid", "not paid"}


class OwnError(AnonymiseError):
    """Groups that are no tree, or say nothing; the text says what to change, `part` where."""

    def __init__(self, words: str, part: str) -> None:
        super().__init__(words)
        self.part = part


@dataclass(frozen=True, slots=True)
class Own:
    """
    What a client's releases group by.

    :ivar picked: of each hierarchy the levels that are used. :ivar channels: each channel's sources.
    :ivar paid: channels that are paid for. :ivar bands: of each level of lengths where its bands begin, in seconds.
    :ivar parts: parts of the day, each from an hour to before another, over midnight where the first is the later one.
    """

    picked: Mapping[str, tuple[str, ...]]
    channels: Mapping[str, tuple[str, ...]]
    paid: tuple[str, ...]
    bands: Mapping[str, tuple[int, ...]]
    parts: Mapping[str, tuple[int, int]]
    _made: dict[str, Levels] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Self:
        """
        From what `written` gave; what is not in it is as shipped.

        :raises OwnError: it is not usable as it is.
        """
        shipped = as_shipped()
        found = cls(
            picked={**shipped.picked, **{name: tuple(one) for name, one in row.get("picked", {}).items()}},
            channels={name: tuple(one) for name, one in row.get("channels", shipped.channels).items()},
            paid=tuple(row.get("paid", shipped.paid)),
            bands={**shipped.bands, **{name: tuple(one) for name, one in row.get("bands", {}).items()}},
            parts={name: (one[0], one[1]) for name, one in row.get("parts", shipped.parts).items()},
        )
        found.check()
        return found

    def written(self) -> dict[str, Any]:
        """As JSON holds it: what differs from what is shipped, nothing where nothing does."""
        shipped = as_shipped()
        mine, theirs = self._plain(), shipped._plain()
        return {name: mine[name] for name in mine if mine[name] != theirs[name]}

    def _plain(self) -> dict[str, Any]:
        return {
            "picked": {name: list(one) for name, one in self.picked.items()},
            "channels": {name: list(one) for name, one in self.channels.items()},
            "paid": sorted(self.paid),
            "bands": {name: list(one) for name, one in self.bands.items()},
            "parts": {name: list(one) for name, one in self.parts.items()},
        }

    def levels(self, name: str) -> Levels:
        """The levels of a hierarchy by its name; one that nothing can be said of is as shipped."""
        if name not in LEVELS:
            return levels.load(name)
        if name not in self._made:
            whole = {"source": self._sources, "seconds": self._seconds, "instant": self._instants}
            made = whole[name]() if name in whole else levels.load(name)
            unpicked = set(LEVELS[name]) - set(self.picked[name])
            self._made[name] = made.only([one for one in made.names if one not in unpicked])
        return self._made[name]

    def _sources(self) -> Levels:
        unpaid = [channel for channel in self.channels if channel not in self.paid]
        groups = {"paid": list(self.paid), "not paid": unpaid}
        return levels.build(
            [
                {
                    "name": "channel",
                    "groups": {name: list(one) for name, one in self.channels.items()},
                    "other": OTHER,
                },
                {"name": "paid or not", "groups": groups, "other": OTHER},
            ]
        )

    def _seconds(self) -> Levels:
        return levels.build([{"name": name, "bands": list(self.bands[name])} for name in BANDS])

    def _instants(self) -> Levels:
        parts = {
            f"{week} {part}": [f"{day} {hour:02}" for day in days for hour in hours_of(*hours)]
            for week, days in _WEEK.items()
            for part, hours in self.parts.items()
        }
        types = {week: [f"{week} {part}" for part in self.parts] for week in _WEEK}
        return levels.build(
            [
                {"name": "hour", "take": "weekday_hour"},
                {"name": "part of day", "groups": parts},
                {"name": "day type", "groups": types},
            ]
        )

    # --- What is usable ---

    def check(self) -> None:
        """
        Whether groups lie in one another, and each says something.

        :raises OwnError: they do not; it says what to change.
        """
        for name, known in LEVELS.items():
            picked = self.picked.get(name, ())
            if not picked or set(picked) - set(known):
                raise OwnError("Pick at least one of the steps.", name)
        self._check_channels()
        for name in BANDS:
            self._check_bands(name)
        for narrow, wide in pairwise(BANDS):
            if beyond := set(self.bands[wide]) - set(self.bands[narrow]):
                raise OwnError(
                    f"{min(beyond)} is not among the {narrow}: a wide band holds whole narrow ones.", wide
                )
        self._check_parts()

    def _check_channels(self) -> None:
        if not 0 < len(self.channels) <= MOST_CHANNELS:
            raise OwnError(f"Name 1 to {MOST_CHANNELS} channels.", "channels")
        if sum(map(len, self.channels.values())) > MOST_SOURCES:
            raise OwnError(f"Name at most {MOST_SOURCES} sources.", "channels")
        lies_in: dict[str, str] = {}
        for channel, sources in self.channels.items():
            _check_label(channel, "channels")
            if not sources:
                raise OwnError(f"The channel “{channel}” has no source.", "channels")
            for source in sources:
                other = lies_in.setdefault(source.casefold(), channel)
                if other != channel:
                    raise OwnError(f"“{source}” lies in “{other}” and in “{channel}”.", "channels")
        named = [channel.casefold() for channel in self.channels]
        if len(set(named)) != len(named):
            raise OwnError("Two channels have the same name.", "channels")
        every = {source for sources in self.channels.values() for source in sources}
        if both := every & set(self.channels):
            raise OwnError(
                f"“{min(both)}” is a source and a channel: in the file one could not be told from the other.",
                "channels",
            )
        if unknown := set(self.paid) - set(self.channels):
            raise OwnError(f"There is no channel “{min(unknown)}”.", "paid")

    def _check_bands(self, name: str) -> None:
        cuts = self.bands[name]
        if not cuts or cuts[0] != 0 or len(cuts) > MOST_BANDS or cuts[-1] > _LONGEST:
            raise OwnError(
                f"Begin with 0, and name at most {MOST_BANDS} beginnings, none after {_LONGEST:,} seconds.",
                name,
            )
        if any(low >= high for low, high in pairwise(cuts)):
            raise OwnError("Each band begins after the one before it.", name)

    def _check_parts(self) -> None:
        if not 0 < len(self.parts) <= MOST_PARTS:
            raise OwnError(f"Name 1 to {MOST_PARTS} parts.", "parts")
        part_of: dict[int, str] = {}
        for part, (begins, ends) in self.parts.items():
            _check_label(part, "parts")
            if not 0 <= begins < HOURS or not 0 < ends <= HOURS:
                raise OwnError("Hours go from 0 to 24.", "parts")
            for hour in hours_of(begins, ends):
                if part_of.setdefault(hour, part) != part:
                    raise OwnError(f"{hour}:00 lies in “{part_of[hour]}” and in “{part}”.", "parts")
        if missing := set(range(HOURS)) - part_of.keys():
            raise OwnError(f"{min(missing)}:00 lies in no part of the day.", "parts")
        named = [part.casefold() for part in self.parts]
        if len(set(named)) != len(named):
            raise OwnError("Two parts have the same name.", "parts")


def hours_of(begins: int, ends: int) -> Sequence[int]:
    """The hours from one to before another, over midnight where the first is not the earlier one."""
    return [hour % HOURS for hour in range(begins, ends if ends > begins else ends + HOURS)]


def _check_label(label: str, part: str) -> None:
    if label.casefold() in _RESERVED:
        raise OwnError(f"“{label}” is a word of the product's. Take another.", part)
    if not _LABEL.fullmatch(label):
        raise OwnError(
            f"“{label[:40]}” is no name for a group: up to 40 letters and digits, with spaces between.", part
        )


@cache
def as_shipped() -> Own:
    """What is used where nobody changed anything."""
    channels, paid = (level["groups"] for level in _shipped("source"))
    return Own(
        picked=dict(LEVELS),
        channels={name: tuple(sources) for name, sources in channels.items()},
        paid=tuple(paid["paid"]),
        bands={level["name"]: tuple(level["bands"]) for level in _shipped("seconds")},
        parts={"night": (22, 6), "morning": (6, 12), "afternoon": (12, 18), "evening": (18, 22)},
    )


def _shipped(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads(levels.text_of(name))["levels"]
    return found
