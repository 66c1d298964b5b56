"""
The rules of a pack, found by place, topic and date.

Nothing is relaxed by not knowing: a place that nobody knows has rules of its own, a real place without a rule
takes the strictest there is, and where only the country is known the strictest of its regions decides, or what
holds for an unknown place.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from consent.law import places
from consent.law.rule import Rule
from consent.law.topics import Topic

KEPT_ANSWERS: Final = 20_000


class NoRuleError(LookupError):
    """A pack holds no rule for a topic, not even for places that are not listed."""


class Rules:
    """
    A whole pack, made once and asked often. Answers are kept, so it belongs to a process, not to a request.

    :ivar version: what its makers call it. :ivar digest: SHA-256 over its rows (the same rows, the same digest).
    """

    def __init__(self, rules: Iterable[Rule], *, version: str, digest: str) -> None:
        self.rules: Final = tuple(sorted(rules, key=lambda rule: rule.id))
        self.version: Final = version
        self.digest: Final = digest
        self._rows: dict[tuple[str, str, Topic], list[Rule]] = defaultdict(list)
        self._regions: dict[tuple[str, Topic], set[str]] = defaultdict(set)
        for rule in self.rules:
            self._rows[rule.country, rule.region, rule.topic].append(rule)
            if rule.region:
                self._regions[rule.country, rule.topic].add(rule.region)
        self._by_id = {rule.id: rule for rule in self.rules}
        days = {rule.effective_from for rule in self.rules} | {rule.effective_to for rule in self.rules}
        self._changes: Final = sorted(
            datetime.combine(day, time.min, tzinfo=UTC) for day in days if day is not None
        )
        self._answers: dict[tuple[str, str, Topic, int], Rule] = {}

    def __repr__(self) -> str:
        return f"<Rules {self.version}: {len(self.rules)} rules, {self.digest[:12]}>"

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules)

    def __len__(self) -> int:
        return len(self.rules)

    def get(self, rule_id: str) -> Rule | None:
        return self._by_id.get(rule_id)

    def era(self, at: datetime) -> int:
        """Which stretch without any change of rules an instant lies in (days are days in UTC)."""
        return bisect_right(self._changes, at)

    def day_of(self, era: int) -> date:
        if era:
            return self._changes[era - 1].date()
        return self._changes[0].date() - timedelta(days=1) if self._changes else date(2000, 1, 1)

    def for_place(self, country: str, region: str, topic: Topic, on: date) -> Rule:
        """
        The rule that decides a topic at a place on a date: of all that hold there (the union's, the country's,
        the region's) the strictest.

        :param region: "" where it is not known; "NS|PE" for one of several, of which the strictest decides.
        :raises NoRuleError: the pack is silent on the topic, even for places that are not listed.
        """
        key = (country, region, topic, self.era(datetime.combine(on, time.min, tzinfo=UTC)))
        found = self._answers.get(key)
        if found is None:
            if len(self._answers) >= KEPT_ANSWERS:
                self._answers.clear()
            found = self._answers[key] = self._decide(country, region, topic, on)
        return found

    def find(self, country: str, region: str, topic: Topic, on: date) -> Rule | None:
        """As `for_place`, but None where no rule of the place itself says anything of the topic."""
        code, regions = places.normalise(country, region)
        return max(self._of_place(code, regions, topic, on), key=_rank, default=None)

    def strictest(self, topic: Topic, on: date) -> Rule:
        """
        The strictest rule on a topic of any place at all, where one answer has to do for everybody.

        :raises NoRuleError: the pack is silent on the topic.
        """
        found = [rule for rule in self.in_force(on) if rule.topic is topic]
        if not found:
            raise NoRuleError(f"No rule on {topic}.")
        return max(found, key=_rank)

    def in_force(self, on: date) -> list[Rule]:
        """Every rule that holds on that day."""
        return [rule for rule in self.rules if rule.holds_on(on)]

    def _decide(self, country: str, region: str, topic: Topic, on: date) -> Rule:
        code, regions = places.normalise(country, region)
        found = self._of_place(code, regions, topic, on)
        unknown_region = not regions and bool(self._regions.get((code, topic)))
        if not found:
            found = self._at(places.UNLISTED, "", topic, on)
        elif unknown_region:
            # Not to know the region is not to know the place.
            found = [*found, *self._at(places.UNKNOWN, "", topic, on)]
        if not found:
            raise NoRuleError(f"No rule on {topic}, not even for places that are not listed.")
        return max(found, key=_rank)

    def _of_place(self, code: str, regions: tuple[str, ...], topic: Topic, on: date) -> list[Rule]:
        found = self._at(code, "", topic, on)
        if code in places.MEMBERS:
            found = found + self._at(places.EUROPEAN_UNION, "", topic, on)
        for region in regions or sorted(self._regions.get((code, topic), ())):
            found = found + self._at(code, region, topic, on)
        return found

    def _at(self, country: str, region: str, topic: Topic, on: date) -> list[Rule]:
        return [rule for rule in self._rows.get((country, region, topic), ()) if rule.holds_on(on)]


def _rank(rule: Rule) -> tuple[float, bool, bool, bool, str]:
    """The strictest; of equals "nobody knows", then the nearest (a region before its country), then by name."""
    return (
        rule.strictness,
        rule.country == places.UNKNOWN,
        bool(rule.region),
        rule.country != places.EUROPEAN_UNION,
        rule.id,
    )
