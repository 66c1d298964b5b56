"""
What a provider module may say about a call, and nothing else.

`CallFacts` has a field for everything that is kept and none for anything that is not: names, e-mail
addresses, query strings, click ids, IP addresses, agents, notes and transcripts end here because there is no
place to put them. A value that cannot be true is refused with the name of its column, never guessed and
never repeated in the message.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta, tzinfo
from enum import IntEnum
from hashlib import sha256
from typing import Final, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from callprivacy.calls.enums import Direction, Outcome
from callprivacy.lib import phone
from callprivacy.lib.redact import has_number

EARLIEST: Final = datetime(2005, 1, 1, tzinfo=UTC)
AHEAD_AT_MOST: Final = timedelta(minutes=10)
SECONDS_AT_MOST: Final = 24 * 60 * 60
CENTS_AT_MOST: Final = 100_000_000_000

TEXT_LENGTH: Final = 120
MEDIUM_LENGTH: Final = 60
TAG_LENGTH: Final = 60
TAGS_AT_MOST: Final = 20
RECORDING_REFERENCE_LENGTH: Final = 2000
PRESSES_AT_MOST: Final = 20
PRESS_NAME_LENGTH: Final = 40

MODIFIABLE: Final = frozenset({"qualified", "recording_seconds", "tags", "value_cents"})


class RefusedError(ValueError):
    """A value that is none or cannot be true. Says where and what was expected, never what was there."""

    def __init__(self, column: str, expected: str) -> None:
        self.column = column[:80]
        self.expected = expected
        super().__init__(f"{self.column}: expected {expected}")

    def __reduce__(self) -> "tuple[type[RefusedError], tuple[str, str]]":
        return RefusedError, (self.column, self.expected)


class UnparsableError(ValueError):
    """What came in is not what the provider sends at all. The message holds nothing of it."""


class Stage(IntEnum):
    """
    How far a call had come when a provider spoke of it; a later stage knows better, whenever it arrives.

    ADDENDUM is news about a call (its recording) that does not say enough to make one.
    """

    ADDENDUM = 0
    STARTED = 1
    ROUTED = 2
    ENDED = 3
    MODIFIED = 4


@dataclass(frozen=True, slots=True, repr=False)
class CallFacts:
    """
    Everything that is kept of a call. "" , None, () and False (`caller_withheld`) mean: not said.

    :ivar started_at: UTC. Where a provider only says when a call ended, end less length.
    :ivar direction: None only at stage ADDENDUM.
    :ivar caller: E.164 of the person outside the client company, whichever way the call went. None when
        withheld, not said, or not a telephone (a browser, a SIP address).
    :ivar tracking_number: E.164 of the agency's number.
    :ivar source: `source`, `campaign`, `medium` are plain words of at most 120, 120 and 60 characters (see
        `plain_text`).
    :ivar landing_page: path of the page on which the call began, without host and query (see `landing_path`).
    :ivar keyword: what was searched for, plain words. Both are dropped unless the client keeps them.
    :ivar region: ISO 3166-2 without its country, "NS|PE" where an area code serves both; `country` ISO
        3166-1.
    :ivar references: (kind, value), what the provider calls the call; kinds are the provider module's.
    :ivar recording_reference: address of the recording. It opens the recording: seal it, never show or log
        it.
    :ivar account: the provider's account or company, to be matched against the connection and not stored.
    :ivar stage: `stage`, `revision` order what is said about one call (see `merge`); `revision` orders
        within a stage.
    :ivar modified_only: the fields that this event settles even when it leaves them blank.
    :ivar presses: (name, key) of what the caller pressed in the tracker's menu: a name of at most 40 characters,
        and up to four digits, `*` or `#`, or "" where the tracker names the key alone (see `presses`).
    :ivar redacted: the tracker has removed the person from its copy; whoever keeps one removes them, too.
    :ivar ranked: a row of a file that knows by `revision` which rows of the same call came before it, and replaces
        what they said instead of filling blanks.
    :ivar first_of_two: a row of a file whose local time came twice that night; the first is taken for it.
    """

    started_at: datetime
    direction: Direction | None
    seconds: int | None = None
    outcome: Outcome | None = None
    caller: str | None = None
    caller_withheld: bool = False
    tracking_number: str | None = None
    source: str = ""
    campaign: str = ""
    medium: str = ""
    landing_page: str = ""
    keyword: str = ""
    region: str = ""
    country: str = ""
    first_call: bool | None = None
    qualified: bool | None = None
    value_cents: int | None = None
    tags: tuple[str, ...] = ()
    references: tuple[tuple[str, str], ...] = ()
    recording_reference: str | None = None
    recording_seconds: int | None = None
    account: str = ""
    stage: Stage = Stage.ENDED
    revision: int = 0
    modified_only: frozenset[str] = frozenset()
    presses: tuple[tuple[str, str], ...] = ()
    redacted: bool = False
    ranked: bool = False
    first_of_two: bool = False

    def __post_init__(self) -> None:
        # Written for speed: this runs once for every imported row.
        started_at = self.started_at
        if started_at.tzinfo is not UTC or started_at < EARLIEST:
            raise RefusedError("started_at", "a time in UTC, 2005 or later")
        if self.direction is None and self.stage is not Stage.ADDENDUM:
            raise RefusedError("direction", "inbound or outbound")
        seconds = self.seconds
        if seconds is not None and not 0 <= seconds <= SECONDS_AT_MOST:
            raise RefusedError("seconds", "0 to 86400 seconds")
        seconds = self.recording_seconds
        if seconds is not None and not 0 <= seconds <= SECONDS_AT_MOST:
            raise RefusedError("recording_seconds", "0 to 86400 seconds")
        cents = self.value_cents
        if cents is not None and not 0 <= cents <= CENTS_AT_MOST:
            raise RefusedError("value_cents", "an amount from 0 to 1,000,000,000.00")
        number = self.caller
        if number is not None and (self.caller_withheld or not phone.is_e164(number)):
            raise RefusedError("caller", "a telephone number, and none when it is withheld")
        number = self.tracking_number
        if number is not None and not phone.is_e164(number):
            raise RefusedError("tracking_number", "a telephone number")
        if self.presses:
            _check_presses(self.presses)
        if self.redacted and (self.caller is not None or self.recording_reference is not None):
            raise RefusedError(
                "redacted", "no caller and no recording where the tracker has removed the person"
            )

    @property
    def order(self) -> int:
        """`stage` and `revision` in one whole number of 64 bits, for a row to remember."""
        return self.stage << 48 | self.revision

    def __repr__(self) -> str:
        """Nothing personal: this lands in logs and tracebacks."""
        return f"<CallFacts {self.stage.name} {self.direction or '?'} of {len(self.references)} references>"


@dataclass(frozen=True, slots=True)
class Ignored:
    """A genuine event that is no call of ours. The reason is one of a fixed set of words."""

    reason: str


type Parsed = CallFacts | Ignored


@dataclass(frozen=True, slots=True, repr=False)
class Delivery:
    """
    What arrived at the door, untouched, for its signature to be checked.

    :ivar url: the full address as the provider called it, with its query string.
    :ivar headers: names in any case.
    :ivar at: when it arrived, for providers that sign the time; None where nobody said.
    """

    body: bytes
    headers: Mapping[str, str]
    url: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """
    What a tracker lets us do at its side; what it does not, a person asks its support for.

    :ivar gates_before: recording begins only after consent, because our menu starts it.
    :ivar stops_mid_call: a recording that our menu started can be stopped by its interface.
    :ivar deletes_after: a recording can be deleted by its interface once it is made.
    :ivar redacts: it takes the person out of its record of a call when a letter asks for it.
    """

    gates_before: bool = False
    stops_mid_call: bool = False
    deletes_after: bool = False
    redacts: bool = False


@dataclass(frozen=True, slots=True)
class ByHand:
    """
    How a person has a recording deleted where no program may.

    :ivar words: what is so and what to do, for who sends the letter. :ivar letter: what the vendor is told beside the
    call. :ivar source: where the vendor says so; empty where it says nothing.
    """

    words: str
    letter: str
    source: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Listed:
    """
    A recording that a tracker says it still has.

    :ivar name: by what it knows the recording, or the call where it numbers calls alone. :ivar references: (kind,
    value) of the call, as in `CallFacts`. :ivar started_at: UTC; None where it does not say. :ivar company: the
    company of the tracker's account that it belongs to; "" where it has none.
    """

    name: str
    references: tuple[tuple[str, str], ...]
    started_at: datetime | None
    direction: Direction | None = None
    company: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class ListedPage:
    """
    A page of a tracker's list of recordings.

    :ivar following: what asks for the next page, "" at the end; an opaque word of at most 200 signs.
    """

    recordings: tuple[Listed, ...]
    following: str


_FOLLOWING = re.compile(r"[A-Za-z0-9_.=%:-]{1,200}", re.ASCII).fullmatch


def following(address: object, name: str) -> str:
    """
    The value of one parameter of the address of a next page; "" where there is none.

    Only the value is taken: where to ask is ours to say, never what an answer says.
    """
    if not isinstance(address, str):
        return ""
    try:
        found = parse_qs(urlsplit(address[:2000]).query).get(name, [""])[0]
    except ValueError:
        return ""
    return found if _FOLLOWING(found) is not None else ""


class Provider(Protocol):
    """
    One vendor's way of telling us about calls. Pure: no clock, no database, no network.

    :ivar latest_counts: it numbers nothing, so that whatever comes later knows better, be it the very bytes of before.
    """

    name: str
    title: str
    content_types: frozenset[str]
    latest_counts: bool

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> bool:
        """Whether one of the connection's active secrets signed it; all are tried, in constant time."""

    def said_at(self, headers: Mapping[str, str]) -> datetime | None:
        """
        When the tracker says under its signature that it said so. None where it signs no time, or one of no zone.
        """

    def event_key(self, body: bytes) -> str | None:
        """
        What is the same when the provider repeats an event and different otherwise; at most 120 characters,
        nothing personal. None when the body is not readable; never raises.
        """

    def parse(self, body: bytes, headers: Mapping[str, str], *, at: datetime) -> Parsed:
        """
        The facts of one verified event.

        :param at: when it arrived, so that reading it again later gives the same.
        :raises RefusedError: a value in it cannot be true.
        :raises UnparsableError: it is not an event of this provider.
        """


def merge(known: CallFacts, news: CallFacts) -> CallFacts:
    """
    One call out of two things said about it, in whichever order they came.

    The later of the two (stage, then revision) is believed wherever it says something or settles a field;
    the other fills its blanks. The earliest start stands. Repeating either changes nothing, and the order
    does not matter as long as no event is silent about what two before it disagreed on.
    """
    if known.redacted or news.redacted:
        known, news = anonymous(known), anonymous(news)
    later, earlier = (news, known) if news.order >= known.order else (known, news)
    settled = later.modified_only
    filled: dict[str, object] = {
        name: getattr(earlier, name)
        for name in _SAID
        if name not in settled
        and _is_blank(name, getattr(later, name))
        and not _is_blank(name, getattr(earlier, name))
    }
    if later.caller_withheld:
        filled.pop("caller", None)
    if later.caller is not None:
        filled.pop("caller_withheld", None)
    filled["started_at"] = min(known.started_at, news.started_at)
    filled["references"] = tuple(sorted({*known.references, *news.references}))
    filled["presses"] = tuple(dict.fromkeys((*earlier.presses, *later.presses)))[:PRESSES_AT_MOST]
    filled["modified_only"] = later.modified_only | earlier.modified_only
    return replace(later, **filled)  # type: ignore[arg-type]  # every name above is a field of the same type


def anonymous(facts: CallFacts) -> CallFacts:
    """The same call without the person: no number, no recording, no tags, no page and keyword."""
    return replace(
        facts,
        landing_page="",
        keyword="",
        caller=None,
        caller_withheld=True,
        recording_reference=None,
        recording_seconds=None,
        tags=(),
        modified_only=facts.modified_only - {"recording_seconds", "tags"},
    )


def _is_blank(name: str, value: object) -> bool:
    return value in (None, "", ()) or (value is False and name in {"caller_withheld", "redacted"})


_NOT_MERGED: Final = {
    "started_at", "references", "stage", "revision", "modified_only", "presses", "ranked", "first_of_two",
}  # fmt: skip
_SAID: Final = tuple(field.name for field in fields(CallFacts) if field.name not in _NOT_MERGED)


_EMAIL = re.compile(r"\S@|@\S")
_ADDRESS = re.compile(r"://|\bwww\.|[?&;]\s*[\w.\-\[\]]+=|^[\w.\-]+=\S|\b\w+clid\b", re.IGNORECASE)
_IP = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b|(?:[0-9a-f]{1,4}:){3,}", re.IGNORECASE)
_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-", re.IGNORECASE)
_RUN = re.compile(r"[A-Za-z0-9]{16,}")
_SPACE = re.compile(r"\s+")


def plain_text(raw: object, length: int = TEXT_LENGTH) -> str:
    """
    A word or two of marketing, or "".

    Control and formatting characters are removed, white space is one space, the rest is cut at `length`.
    What looks like an e-mail address, a telephone number, a web or
    IP address, a query string, or a click id (a UUID, or sixteen letters and digits in one run with both in
    it) is dropped altogether.
    """
    if not isinstance(raw, str) or not raw:
        return ""
    text = raw[: 4 * length]
    if not text.isascii() or not text.isprintable():
        text = unicodedata.normalize("NFKC", _SPACE.sub(" ", text))
        text = "".join(char for char in text if unicodedata.category(char)[0] != "C")
        # What stood on both sides of one that is gone may go together by now.
        text = unicodedata.normalize("NFKC", text)
    text = _SPACE.sub(" ", text).strip()
    if (
        _EMAIL.search(text)
        or _ADDRESS.search(text)
        or _IP.search(text)
        or has_number(text)
        or _UUID.search(text)
        or any(not run.isalpha() and not run.isdigit() for run in _RUN.findall(text))
    ):
        return ""
    return text[:length].rstrip()


_NO_PATH: Final = re.compile(r"[%@#?;=&]|\d{6}|[^/_-]{25}")
"""What a page's path has no use for: what an address holds besides, and runs as long as a number or a secret."""


def landing_path(raw: object) -> str:
    """
    The path of a page's address: no host, no query, no fragment. "" where it is none, or holds more.

    A path passes `plain_text` once it is decoded. Numbers, addresses, ids and secrets in it drop all of it; a name does
    not.
    """
    if not isinstance(raw, str) or not (address := raw.strip()[:2000]):
        return ""
    if "://" not in address and not address.startswith("/"):
        address = f"//{address}"
    try:
        path = unquote(urlsplit(address).path)
    except ValueError:
        return ""
    text = plain_text(path.rstrip("/") or "/")
    return text if text.startswith("/") and not _NO_PATH.search(text) else ""


def tags(raw: object) -> tuple[str, ...]:
    """At most twenty plain tags, each once, from a list of texts or named objects, or a comma list."""
    items: list[object]
    if isinstance(raw, str):
        items = list(raw.split(","))
    elif isinstance(raw, list):
        items = [item.get("name") if isinstance(item, dict) else item for item in raw]
    else:
        return ()
    cleaned = (plain_text(item, TAG_LENGTH) for item in items[: 4 * TAGS_AT_MOST])
    return tuple(dict.fromkeys(tag for tag in cleaned if tag))[:TAGS_AT_MOST]


_WHOLE = re.compile(r"[0-9]{1,9}(?:\.0{1,3})?", re.ASCII).fullmatch
_CLOCK = re.compile(r"(?:([0-9]{1,2}):)?([0-9]{1,3}):([0-5][0-9])", re.ASCII).fullmatch


def seconds(raw: object, column: str) -> int | None:
    """
    A length in seconds: a whole number or its text, or `[H:]MM:SS`.

    :raises RefusedError: it is negative, over 24 hours, or no length.
    """
    if raw is None or raw == "":
        return None
    expected = "whole seconds from 0 to 86400"
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise RefusedError(column, expected)
    text = str(raw).strip()
    if not text:
        return None
    if _WHOLE(text) is not None:
        value = int(text.partition(".")[0])
    elif (clock := _CLOCK(text)) is not None:
        value = int(clock[1] or 0) * 3600 + int(clock[2]) * 60 + int(clock[3])
    else:
        raise RefusedError(column, expected)
    if value > SECONDS_AT_MOST:
        raise RefusedError(column, expected)
    return value


_AMOUNT = re.compile(
    r"(?:[$€£]|USD|EUR|GBP)?\s?([0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,12})(?:\.([0-9]{1,2})0*)?",
    re.ASCII,
).fullmatch
_NO_AMOUNT = frozenset({"", "-", "--", "n/a"})


def cents(raw: object, column: str) -> int | None:
    """
    An amount of money in hundredths, from `1234.5`, `"$1,234.50"`; "" and "--" are none.

    :raises RefusedError: it is negative, absurd, or no amount.
    """
    if raw is None or isinstance(raw, bool):
        return None
    expected = "an amount such as 1234.50"
    if not isinstance(raw, int | float | str):
        raise RefusedError(column, expected)
    text = str(raw).strip()
    if text.lower() in _NO_AMOUNT:
        return None
    found = _AMOUNT(text)
    if found is None:
        raise RefusedError(column, expected)
    value = int(found[1].replace(",", "")) * 100 + int((found[2] or "0").ljust(2, "0"))
    if value > CENTS_AT_MOST:
        raise RefusedError(column, expected)
    return value


_YES = frozenset({"yes", "y", "true", "t", "1"})
_NO = frozenset({"no", "n", "false", "f", "0"})


def answer(raw: object, column: str) -> bool | None:
    """
    Yes, no, or nothing said.

    :raises RefusedError: it is said in other words.
    """
    if raw is None or isinstance(raw, bool):
        return raw
    word = str(raw).strip().lower() if isinstance(raw, int | str) else "?"
    if word in _YES:
        return True
    if word in _NO:
        return False
    if word in {"", "-", "--", "n/a"}:
        return None
    raise RefusedError(column, "yes or no")


def number(raw: object, column: str, default_region: str = "US") -> str | None:
    """
    A telephone number in E.164; None when nothing is said.

    :raises RefusedError: something is said and is no number.
    """
    if raw is None:
        return None
    if isinstance(raw, int) and not isinstance(raw, bool) and 0 <= raw < 10**15:
        raw = str(raw)
    if not isinstance(raw, str):
        raise RefusedError(column, "a telephone number")
    found = phone.normalise(raw, default_region)
    if found is None and not phone.is_withheld(raw):
        raise RefusedError(column, "a telephone number")
    return found


def caller(raw: object, column: str, default_region: str = "US") -> tuple[str | None, bool]:
    """
    The caller's number, and whether it was withheld.

    :raises RefusedError: what is there is neither a number nor a word for having none.
    """
    found = number(raw, column, default_region)
    return found, found is None


def instant(raw: object, column: str, *, zone: tzinfo) -> datetime:
    """
    A moment in ISO form, as UTC.

    :param zone: of a moment that says no offset; where it came twice the first is meant.
    :raises RefusedError: it is none.
    """
    text = raw.strip() if isinstance(raw, str) else ""
    if 16 <= len(text) <= 40:
        try:
            moment = datetime.fromisoformat(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise RefusedError(column, "a time such as 2026-01-31T13:05:09-05:00")


def check_start(started_at: datetime, column: str, *, at: datetime) -> None:
    """
    :raises RefusedError: the start lies before 2005 or more than ten minutes after `at`.
    """
    if not EARLIEST <= started_at <= at + AHEAD_AT_MOST:
        raise RefusedError(column, "a start since 2005 and not in the future")


# Of a code as it is kept: in upper case, "NS|PE" where an area code serves both, of eight signs at most.
REGION = re.compile(r"(?=.{1,8}$)[A-Z0-9]{1,3}(?:\|[A-Z0-9]{1,3}){0,3}", re.ASCII).fullmatch
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII).fullmatch


def place(country: object, region: object, caller_number: str | None) -> tuple[str, str]:
    """
    (country, region): the provider's codes where they are codes, otherwise where the number belongs.

    A region without a country is believed where the number's own country has such a region, and where it names its
    country, as US-CA does.
    """
    said_country = country.strip().upper() if isinstance(country, str) else ""
    said_country = phone.COUNTRIES_WRITTEN.get(said_country, said_country)
    said_region = region.strip().upper() if isinstance(region, str) else ""
    before, dash, part = said_region.partition("-")
    if dash and (before == said_country or (not said_country and part in phone.regions_of(before))):
        said_country, said_region = before, part
    if _COUNTRY(said_country) is not None and REGION(said_region) is not None:
        return said_country, said_region
    plan_country, plan_region = phone.place_of(caller_number) if caller_number else ("", "")
    if _COUNTRY(said_country) is None:
        is_theirs = not said_country and said_region in phone.regions_of(plan_country)
        return plan_country, said_region if is_theirs else plan_region
    return said_country, plan_region if plan_country == said_country else ""


_LINK = re.compile(r"https://[!-~]+").fullmatch


def recording_link(raw: object) -> str | None:
    """The address of a recording, https only; whatever else is there is no reference."""
    if not isinstance(raw, str):
        return None
    text = raw.strip()
    return text if len(text) <= RECORDING_REFERENCE_LENGTH and _LINK(text) is not None else None


_REFERENCE = re.compile(r"[A-Za-z0-9._:\-]{1,80}", re.ASCII).fullmatch


def reference(raw: object) -> str | None:
    """What the provider calls something: up to eighty letters, digits and `.-_:`; anything else is none."""
    if isinstance(raw, int) and not isinstance(raw, bool) and 0 <= raw < 10**20:
        return str(raw)
    return raw if isinstance(raw, str) and _REFERENCE(raw) is not None else None


_KEYS = re.compile(r"[0-9*#]{1,4}", re.ASCII).fullmatch
_NAME_THEN_KEYS = re.compile(r"(.*\S)\s*[:=>\-\u2013]\s*([0-9*#]{1,4})", re.ASCII).fullmatch
_KEYS_THEN_NAME = re.compile(r"([0-9*#]{1,4})\s*[:=>.)\-\u2013]\s*(\S.*)", re.ASCII).fullmatch
_BETWEEN_PRESSES = re.compile(r"[,;|\n]")
_PRESS_NAMES: Final = ("name", "menu")
_PRESS_KEYS: Final = ("value", "key", "digits", "input")


def presses(raw: object, name_of: Callable[[int], str]) -> tuple[tuple[str, str], ...]:
    """
    What was pressed, as (name, key), out of a list or a text with commas between; at most twenty, each once.

    An item is a key ("9"), a key with its menu ("Main menu: 9", "9 - Do not record"), an object with `name` and
    `value`, or the name that somebody gave a key ("Do not record"), whose key is then "". More than four digits are
    no key but something that a caller typed in, and are dropped.

    :param name_of: the name of a press that has none, by its place in the list, from 1.
    """
    items: list[object]
    if isinstance(raw, str):
        items = list(_BETWEEN_PRESSES.split(raw[:2000]))
    elif isinstance(raw, list | tuple):
        items = list(raw)
    else:
        items = [raw]
    found = (_press(item, name_of(place)) for place, item in enumerate(items[: 4 * PRESSES_AT_MOST], 1))
    return tuple(dict.fromkeys(press for press in found if press is not None))[:PRESSES_AT_MOST]


def _press(raw: object, own_name: str) -> tuple[str, str] | None:
    if isinstance(raw, dict):
        name = next((raw[key] for key in _PRESS_NAMES if isinstance(raw.get(key), str)), "")
        keys = next((str(raw[key]).strip() for key in _PRESS_KEYS if isinstance(raw.get(key), str | int)), "")
        if _KEYS(keys) is None:
            return None
        return plain_text(name, PRESS_NAME_LENGTH) or own_name, keys
    text = str(raw).strip() if isinstance(raw, str | int) and not isinstance(raw, bool) else ""
    if len(text) > TEXT_LENGTH:
        return None
    if _KEYS(text) is not None:
        return own_name, text
    # As a whole, before it is taken apart: half of a telephone number looks like a name, and the rest like a key.
    text = plain_text(text)
    if (found := _NAME_THEN_KEYS(text)) is not None:
        name, keys = found[1], found[2]
    elif (found := _KEYS_THEN_NAME(text)) is not None:
        keys, name = found[1], found[2]
    else:
        name, keys = text, ""
    name = plain_text(name, PRESS_NAME_LENGTH)
    if not name.strip("0123456789*#.:- "):
        return (own_name, keys) if keys else None
    return name, keys


def _check_presses(given: tuple[tuple[str, str], ...]) -> None:
    """
    :raises RefusedError: they are too many, or one has no name, or is no key.
    """
    if len(given) > PRESSES_AT_MOST:
        raise RefusedError("presses", f"at most {PRESSES_AT_MOST} keys")
    for name, keys in given:
        if not name.strip() or len(name) > PRESS_NAME_LENGTH or not name.isprintable():
            raise RefusedError("presses", f"a name of at most {PRESS_NAME_LENGTH} characters")
        if keys and _KEYS(keys) is None:
            raise RefusedError("presses", "up to four digits, * or #")


def header(headers: Mapping[str, str], name: str) -> str:
    """A header's value, whatever the case of its name; "" when there is none."""
    wanted = name.lower()
    return next((value for key, value in headers.items() if key.lower() == wanted), "")


def digest_key(body: bytes) -> str:
    """The event key of last resort: equal bodies are one event."""
    return "sha256:" + sha256(body).hexdigest()
