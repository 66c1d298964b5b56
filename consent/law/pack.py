"""
A pack is a text: a line that names its version, then CSV, one rule a row.

What is read is checked whole before anything decides from it; every fault is named with its row. The shipped
pack lies beside this module in `rules/`, parted by subject so that people can read it.
"""

import csv
import hashlib
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final

from callprivacy.lib import bounds
from consent.law import places
from consent.law.book import Rules
from consent.law.rule import Confidence, Rule
from consent.law.topics import CAME_LATER, Topic

COLUMNS: Final = tuple(field.name for field in fields(Rule))
BEFORE_QUOTATIONS: Final = COLUMNS[: COLUMNS.index("address")]
"""The columns of packs from before rows held the sentence that they rest on; such packs are read, and written whole."""
LONGEST_QUOTATION: Final = 240
STALE_AFTER: Final = timedelta(days=90)
LARGEST: Final = 4 * 1024 * 1024
SHIPPED: Final = Path(__file__).parent / "rules"

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_VERSION = re.compile(r"# version: ([\w.\-]{1,40})")
_ID = re.compile(r"[a-z0-9][a-z0-9.\-]{2,58}[a-z0-9]")
_MUST_SAY: Final = ("id", "country", "topic", "value", "source", "confidence", "checked_on")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a pack: the rule (or place) it is about, which kind of wrong, and a sentence."""

    about: str
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.about}: {self.kind}: {self.text}"


class PackError(ValueError):
    """A pack that cannot decide; `faults` names everything that is wrong with it."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        first = "; ".join(str(fault) for fault in self.faults[:3])
        more = f" (and {len(self.faults) - 3} more)" if len(self.faults) > 3 else ""
        super().__init__(f"The rules cannot be used: {first}{more}")


@dataclass(frozen=True, slots=True)
class Difference:
    """What a second pack adds, takes away and says otherwise, by the rules' ids."""

    added: tuple[Rule, ...]
    removed: tuple[Rule, ...]
    changed: tuple[tuple[Rule, Rule], ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    @property
    def deciding(self) -> tuple[Rule, ...]:
        """Every rule, old or new, whose difference can change a decision: not those merely checked or signed."""
        told_apart = (pair for pair in self.changed if _substance(pair[0]) != _substance(pair[1]))
        return (*self.added, *self.removed, *(rule for pair in told_apart for rule in pair))

    @property
    def places(self) -> frozenset[tuple[str, str]]:
        """The places (country, region) whose decisions can change; a country's rule reaches its regions."""
        return frozenset((rule.country, rule.region) for rule in self.deciding)

    @property
    def topics(self) -> frozenset[Topic]:
        """The topics that can come out otherwise."""
        return frozenset(rule.topic for rule in self.deciding)


@cache
def load_pack() -> Rules:
    """
    The shipped rules, read once a process.

    :raises PackError: the shipped files are wrong, which a test forbids.
    """
    return parse_pack(shipped_text())


def shipped_text() -> str:
    version = (SHIPPED / "VERSION").read_text(encoding="utf-8").strip()
    body: list[str] = []
    for path in sorted(SHIPPED.glob("*.csv")):
        header, *rows = path.read_text(encoding="utf-8").splitlines()
        if header != ",".join(COLUMNS):
            raise PackError([Fault(path.name, "columns", f"expected {','.join(COLUMNS)}")])
        body.extend(rows)
    return "\n".join([f"# version: {version}", ",".join(COLUMNS), *body, ""])


def parse_pack(raw: bytes | str) -> Rules:
    """
    Read and check a pack.

    :param raw: the text, or its bytes in UTF-8.
    :raises PackError: with every fault that was found: rows that cannot be read, unknown places and topics,
        missing citations, overlaps and gaps.
    """
    version, rules, found = read(raw)
    found += faults(rules)
    if found:
        raise PackError(found)
    return Rules(rules, version=version, digest=digest_of(rules))


def read(raw: bytes | str) -> tuple[str, list[Rule], list[Fault]]:
    """The version, the rows that could be read, and what was wrong with the others."""
    try:
        text = raw.decode("utf-8-sig") if isinstance(raw, bytes) else raw.removeprefix("\ufeff")
    except UnicodeDecodeError:
        return "", [], [Fault("pack", "encoding", "the file is not UTF-8")]
    if len(text) > LARGEST:
        return "", [], [Fault("pack", "size", f"the file is larger than {LARGEST // 1024 // 1024} MiB")]
    first, _, body = text.replace("\r\n", "\n").partition("\n")
    named = _VERSION.fullmatch(first.strip())
    if named is None:
        return "", [], [Fault("line 1", "version", 'expected "# version: " and the name of the version')]
    rows = csv.reader(io.StringIO(body), strict=True)
    rules: list[Rule] = []
    found: list[Fault] = []
    try:
        header = next(rows, [])
        if tuple(header) not in {COLUMNS, BEFORE_QUOTATIONS}:
            return named[1], [], [Fault("line 2", "columns", f"expected {','.join(COLUMNS)}")]
        for cells in rows:
            if any(cells):
                rule = _row(cells, header, rows.line_num + 1, found)
                rules.extend([rule] if rule is not None else [])
    except csv.Error as error:
        found.append(Fault(f"line {rows.line_num + 1}", "row", f"is not CSV: {bounds.csv_fault(error)}"))
    return named[1], rules, found


def dump_pack(rules: Rules) -> str:
    """
    The pack as text, rows by id; `parse_pack` reads the same rules from it.

    A cell that a spreadsheet would take for a formula has an apostrophe before it.
    """
    out = io.StringIO()
    out.write(f"# version: {rules.version}\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_harmless(cell) for cell in _cells(rule, whole=True)] for rule in rules.rules)
    return out.getvalue()


def digest_of(rules: Iterable[Rule]) -> str:
    """SHA-256, in hexadecimal, over the rows by id; neither the version nor the order of lines is in it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(BEFORE_QUOTATIONS)
    writer.writerows(_cells(rule, whole=False) for rule in sorted(rules, key=lambda rule: rule.id))
    return hashlib.sha256(out.getvalue().encode()).hexdigest()


def difference(old: Rules, new: Rules) -> Difference:
    """What changes from one pack to the other."""
    before = {rule.id: rule for rule in old}
    after = {rule.id: rule for rule in new}
    return Difference(
        added=tuple(rule for rule in new if rule.id not in before),
        removed=tuple(rule for rule in old if rule.id not in after),
        changed=tuple(
            (before[rule.id], rule) for rule in new if rule.id in before and before[rule.id] != rule
        ),
    )


def faults(rules: Iterable[Rule]) -> list[Fault]:
    """What makes a pack unfit to decide: ids used twice, overlaps, gaps, missing citations, a weak fallback."""
    rules = list(rules)
    return [
        *_twice(rules),
        *_uncited(rules),
        *_periods(rules),
        *_places_without(rules),
        *_weak_fallback(rules),
    ]


def stale(rules: Iterable[Rule], on: date) -> list[Fault]:
    """The rows that nobody has looked at for 90 days."""
    return [
        Fault(
            rule.id, "unchecked", f"last checked on {rule.checked_on}, {(on - rule.checked_on).days} days ago"
        )
        for rule in rules
        if on - rule.checked_on >= STALE_AFTER
    ]


def unread(rules: Iterable[Rule]) -> list[Fault]:
    """The rows that are called verified without what that takes, and those that do not say why they are not."""
    found: list[Fault] = []
    for rule in rules:
        if rule.confidence is not Confidence.VERIFIED:
            if not rule.not_verified:
                found.append(
                    Fault(rule.id, "not verified", "state why it is not verified and what decides until then")
                )
        elif rule.is_unread:
            found.append(
                Fault(rule.id, "unread", "a verified row needs an address, its reading date, and a quotation")
            )
        elif len(rule.quotation) > LONGEST_QUOTATION:
            found.append(Fault(rule.id, "quotation", f"is longer than {LONGEST_QUOTATION} characters"))
        elif not rule.address.startswith("https://") or rule.not_verified:
            found.append(
                Fault(rule.id, "unread", "its address is not https, or it states why it is not verified")
            )
    return found


def _row(cells: list[str], header: list[str], line: int, found: list[Fault]) -> Rule | None:
    if len(cells) != len(header):
        found.append(Fault(f"line {line}", "row", f"has {len(cells)} cells, expected {len(header)}"))
        return None
    row = dict.fromkeys(COLUMNS, "") | dict(zip(header, (_plain(cell) for cell in cells), strict=True))
    about = f"{row['id'] or 'no id'} (line {line})"
    wrong = [Fault(about, *fault) for fault in _wrong(row)]
    found.extend(wrong)
    if wrong:
        return None
    return Rule(
        id=row["id"],
        country=row["country"],
        region=row["region"],
        topic=Topic(row["topic"]),
        value=row["value"],
        citation=row["citation"],
        source=row["source"],
        effective_from=_day(row["effective_from"]),
        effective_to=_day(row["effective_to"]),
        confidence=Confidence(row["confidence"]),
        checked_on=date.fromisoformat(row["checked_on"]),
        signed_off_by=row["signed_off_by"],
        address=row["address"],
        read_on=_day(row["read_on"]),
        quotation=row["quotation"],
        not_verified=row["not_verified"],
    )


def _wrong(row: dict[str, str]) -> Iterator[tuple[str, str]]:
    for name in _MUST_SAY:
        if not row[name]:
            yield "missing", f"{name} is empty"
    if row["id"] and _ID.fullmatch(row["id"]) is None:
        yield "id", "expected 4 to 60 small letters, digits, dots and hyphens"
    if row["country"] and not places.is_place(row["country"], row["region"]):
        yield "unknown place", f"{row['country']} {row['region']}".strip()
    if row["confidence"] and row["confidence"] not in set(Confidence):
        yield "confidence", f'"{row["confidence"]}" is none of {", ".join(Confidence)}'
    yield from _wrong_value(row)
    yield from _wrong_dates(row)


def _wrong_value(row: dict[str, str]) -> Iterator[tuple[str, str]]:
    if not row["topic"]:
        return
    if row["topic"] not in set(Topic):
        yield "unknown topic", row["topic"]
    elif row["value"]:
        try:
            Topic(row["topic"]).read(row["value"])
        except ValueError as error:
            yield "value", str(error)


def _wrong_dates(row: dict[str, str]) -> Iterator[tuple[str, str]]:
    read: dict[str, date] = {}
    for name in ("effective_from", "effective_to", "checked_on", "read_on"):
        if row[name]:
            try:
                read[name] = date.fromisoformat(row[name])
            except ValueError:
                yield "date", f'{name} "{row[name]}" is not a date like 2026-11-25'
    if "effective_from" in read and "effective_to" in read and read["effective_from"] >= read["effective_to"]:
        yield "date", "effective_to is not after effective_from"


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _twice(rules: list[Rule]) -> Iterator[Fault]:
    seen: set[str] = set()
    for rule in rules:
        if rule.id in seen:
            yield Fault(rule.id, "id", "is used twice")
        seen.add(rule.id)


def _uncited(rules: list[Rule]) -> Iterator[Fault]:
    return (
        Fault(rule.id, "missing citation", "every rule requires one") for rule in rules if not rule.citation
    )


def _by_key(rules: Iterable[Rule]) -> dict[tuple[str, str, Topic], list[Rule]]:
    found: dict[tuple[str, str, Topic], list[Rule]] = defaultdict(list)
    for rule in sorted(rules, key=lambda rule: (rule.effective_from or date.min, rule.id)):
        found[rule.country, rule.region, rule.topic].append(rule)
    return found


def _periods(rules: list[Rule]) -> Iterator[Fault]:
    """Of one place and topic, each row must begin on the day on which the one before it ends."""
    for (country, region, topic), rows in _by_key(rules).items():
        place = " ".join(filter(None, (country, region)))
        for earlier, later in pairwise(rows):
            begins, ends = later.effective_from or date.min, earlier.effective_to or date.max
            if begins < ends:
                yield Fault(later.id, "overlap", f"{place}, {topic}: {earlier.id} still applies on {begins}")
            elif begins > ends:
                yield Fault(later.id, "gap", f"{place}, {topic}: no rule applies from {ends} to {begins}")


def _places_without(rules: list[Rule]) -> Iterator[Fault]:
    """Whoever asks whether a call may be recorded in a listed place must be answered, for every day there is."""
    by_key = _by_key(rules)
    for country, region in places.LISTED:
        place = " ".join(filter(None, (country, region)))
        rows = by_key.get((country, region, Topic.RECORDING_CONSENT), [])
        if not rows:
            yield Fault(place, "gap", f"no row on {Topic.RECORDING_CONSENT}")
            continue
        if rows[0].effective_from is not None:
            yield Fault(rows[0].id, "gap", f"{place}: no rule applies before {rows[0].effective_from}")
        if rows[-1].effective_to is not None:
            yield Fault(rows[-1].id, "gap", f"{place}: no rule applies from {rows[-1].effective_to}")


def _weak_fallback(rules: list[Rule]) -> Iterator[Fault]:
    """What stands in for a missing rule must exist for each topic and be as strict as any rule there is."""
    by_key = _by_key(rules)
    said = {rule.topic for rule in rules}
    for topic in Topic:
        if topic in CAME_LATER and topic not in said:
            continue
        rows = by_key.get((places.UNLISTED, "", topic), [])
        if len(rows) != 1 or rows[0].effective_from is not None or rows[0].effective_to is not None:
            yield Fault(topic, "gap", f"{places.UNLISTED} (places without a row) needs one row without dates")
            continue
        strictest = max((rule for rule in rules if rule.topic is topic), key=lambda rule: rule.strictness)
        if rows[0].strictness < strictest.strictness:
            yield Fault(
                rows[0].id, "weak", f"a place without a row takes the strictest rule, which is {strictest.id}"
            )
    for rule in by_key.get((places.UNKNOWN, "", Topic.RECORDING_CONSENT), []):
        if rule.strictness < Topic.RECORDING_CONSENT.strictness("all_party"):
            yield Fault(rule.id, "weak", "an unknown place must require all-party consent or stricter")


def _cells(rule: Rule, *, whole: bool) -> list[str]:
    """A row's cells; a digest leaves out empty cells that came with quotations, so that old packs keep theirs."""
    cells = ["" if (value := getattr(rule, name)) is None else str(value) for name in COLUMNS]
    return cells if whole or any(cells[len(BEFORE_QUOTATIONS) :]) else cells[: len(BEFORE_QUOTATIONS)]


def _substance(rule: Rule) -> tuple[object, ...]:
    return rule.country, rule.region, rule.topic, rule.value, rule.effective_from, rule.effective_to


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _plain(cell: str) -> str:
    """A cell without the apostrophe that keeps it from being a formula."""
    text = cell.strip()
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text
