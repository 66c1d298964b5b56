"""What reads text from outside takes time in proportion to its size, and refuses what it cannot read as it promises."""

import gc
import gzip
import importlib
import io
import pkgutil
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC
from functools import partial
from re import _constants, _parser  # type: ignore[attr-defined]  # what Python itself compiles patterns with
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import TooManyFieldsSent
from django.http.multipartparser import (  # noqa: TID251  (it is tried as a parser)
    MultiPartParser,
    MultiPartParserError,
)

from analytics.anonymise import levels
from analytics.channels import cost_file
from callprivacy.accounts.services import reviews
from callprivacy.calls.providers import FORMATS, PROVIDERS, base, tabular
from callprivacy.lib import bounds, phone, redact
from callprivacy.lib.money import DOLLARS
from consent.channels import mail_in, number_files, twilio
from consent.decide import lines
from consent.law import pack
from consent.replies.matcher import classify
from consent.services import invitations
from governance.services import premises
from rights.letters import filling
from tests.make import NOON
from tests.rules.source import ROOT, files

AT_MOST: Final = 2.5
"""How many times as long a text of twice the size may take: twice, or four times where it is the square."""
QUICK: Final = 0.05
"""Seconds of the processor below which nothing grows that anybody would notice."""


def _grows(read: Callable[[Any], object], build: Callable[[int], Any], size: int) -> bool:
    """Whether time grows faster than the size: in each of five measurements, so that no pause of the machine counts."""

    def seconds(text: Any) -> float:
        gc.disable()  # what the test keeps is no matter of the parser's
        try:
            began = time.process_time()
            read(text)
            return time.process_time() - began
        finally:
            gc.enable()

    small, large = build(size // 2), build(size)
    best_small = best_large = float("inf")
    for _ in range(5):
        best_large = min(best_large, seconds(large))
        if best_large < QUICK:
            return False
        best_small = min(best_small, seconds(small))
        if best_large <= AT_MOST * best_small:
            return False
    return True


@dataclass(frozen=True, slots=True)
class Parser:
    """
    What reads bytes from outside.

    :ivar refuses: errors by which it says that it cannot read them.
    :ivar sample: what it reads; walls stand in it in place of "~".
    :ivar size: of the longest text that comes to it.
    """

    read: Callable[[bytes], object]
    refuses: tuple[type[Exception], ...]
    sample: bytes
    size: int = 200_000


def _text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda raw: read(raw.decode("utf-8", "replace"))


def _lines_of(read: Callable[..., Any], **options: Any) -> Callable[[bytes], object]:
    return lambda raw: list(read(io.StringIO(raw.decode("utf-8", "replace"), newline=""), **options))


def _table(raw: bytes) -> list[str]:
    rows = tabular.Table(raw).rows(FORMATS["callrail"], zone=UTC, at=NOON)
    return [str(found) for _, found in rows if isinstance(found, base.RefusedError)]


def _mail(raw: bytes) -> object:
    return mail_in.read(raw, trusted={"mx.example.com"})


def _webhook(name: str, content_type: str, raw: bytes) -> object:
    PROVIDERS[name].event_key(raw)
    return PROVIDERS[name].parse(raw, {"Content-Type": content_type}, at=NOON)


def _parts(raw: bytes) -> object:
    meta = {"CONTENT_TYPE": "multipart/form-data; boundary=b", "CONTENT_LENGTH": len(raw)}
    return MultiPartParser(meta, io.BytesIO(raw), []).parse()


_FORM: Final = "application/x-www-form-urlencoded"
_OF_TRACKERS: Final = (base.UnparsableError, base.RefusedError)
_HEADINGS: Final = b"Start Time,Customer Phone Number,Source\n2026-11-20 10:00,415-555-0147,~\n"

PARSERS: Final = {
    "CSV of calls": Parser(_table, _OF_TRACKERS, _HEADINGS),
    "headings of calls": Parser(_table, _OF_TRACKERS, b"Start Time,Customer Phone Number,~\n"),
    "JSON of calls": Parser(_table, _OF_TRACKERS, b'[{"Start Time": "~"}, {"a": 1}]'),
    "archive of calls": Parser(lambda raw: _table(gzip.compress(raw, 1)), _OF_TRACKERS, _HEADINGS),
    **{
        name: Parser(partial(_webhook, name, "application/json"), _OF_TRACKERS, b'{"id": "C1", "a": "~"}')
        for name in PROVIDERS
    },
    "form of a tracker": Parser(partial(_webhook, "twilio", _FORM), _OF_TRACKERS, b"CallSid=CA1&From=~"),
    "form of a call": Parser(twilio.read, (ValueError,), b"CallSid=CA1&From=~"),
    "list to invite": Parser(
        _lines_of(lambda text: invitations.read_list(text, country="US").refused), (), b"a@b.example,~\n"
    ),
    "register": Parser(
        _lines_of(number_files.read_answers, country="US"),
        (number_files.UnreadableError,),
        b"415-555-0147,~\n",
    ),
    "costs": Parser(
        partial(cost_file.read, today=NOON.date(), money=DOLLARS),
        (cost_file.CostFileError,),
        b"date,campaign,cost\n2026-11-20,~,1\n",
    ),
    "seats": Parser(_text(reviews.read_seats), (reviews.SeatsError,), b"email,name\na@b.example,~\n"),
    "badges": Parser(
        _text(partial(premises.read_file, zone=ZoneInfo("UTC"), at=NOON)),
        (premises.FileError,),
        b"reference,badge,direction,at\n1,2,in,~\n",
    ),
    "law pack": Parser(
        pack.parse_pack, (pack.PackError,), b"# version: 1\n" + ",".join(pack.COLUMNS).encode() + b"\n~\n"
    ),
    "question": Parser(_text(lines.read_question), (lines.LineError,), b'{"at": "~"}'),
    "TOML of letters": Parser(_text(filling.read), (filling.LetterFileError,), b'[a]\nb = "~"\n'),
    "names of TOML": Parser(_text(filling.read), (filling.LetterFileError,), b"~a = 1\n"),
    "TOML of groups": Parser(_text(levels.parse), (ValueError,), b'[[levels]]\nb = "~"\n'),
    "multi-part": Parser(
        _parts,
        (MultiPartParserError, TooManyFieldsSent),
        b'--b\r\nContent-Disposition: form-data; name="~"\r\n\r\na\r\n--b--',
    ),
    **{
        name: Parser(_mail, (mail_in.UnreadableError,), sample)
        for name, sample in {
            "mail": b"From: a@b.example\n\n~yes",
            "sender of mail": b"From: ~ <a@b.example>\n\nyes",
            "type of mail": b'From: a@b.example\nContent-Type: text/plain; a="~\n\nyes',
            "character set of mail": b"From: a@b.example\nContent-Type: text/plain; charset=punycode\n\n~-bcd",
            "HTML of mail": b"From: a@b.example\nContent-Type: text/html\n\n~",
            "parts of mail": b"From: a@b.example\nContent-Type: multipart/mixed; boundary=b\n\n~",
            "part of mail": b"From: a@b.example\nContent-Type: multipart/mixed; boundary=b\n\n"
            b"--b\rContent-Type: text/plain; a=~\r\rx",
        }.items()
    },
    "phone number": Parser(_text(phone.normalise), (), b"~"),
    "short field": Parser(_text(redact.is_personal), (), b"~", size=50_000),
    "transcript": Parser(_text(redact.redact), (), b"~", size=20_000),
    "reply": Parser(_text(classify), (), b"~", size=20_000),
}
WALLS: Final = (
    b" ", b"\n", b",", b";", b'"', b'""', b'","', b"[", b"{", b'{"a":', b"1", b"1 ", b"1-", b"+1", b"(", b"/", b"?",
    b"//", b"a", b"A.", b"a@", b"&a=", b"\\", b"\\u0031", b"\n1,2,3", b'"\n', b"\r\n--b\r\n", b"=", b"#",
    b"a.", b"a={", b'";', b"<div></p>", b"--b\nContent-Type: multipart/mixed; boundary=b\n\n",
    b"\xf0\x9f\x92\xa9", b"\xd9\xa1", b"415-555-0147 ", b"one two ", b"%31",
)  # fmt: skip


@pytest.mark.thorough
@pytest.mark.parametrize("name", PARSERS)
def test_reading_takes_time_in_proportion_to_the_size(name: str) -> None:
    parser = PARSERS[name]
    head, _, tail = parser.sample.partition(b"~")

    def read(raw: bytes) -> None:
        with suppress(*parser.refuses):
            parser.read(raw)

    def build(wall: bytes, size: int) -> bytes:
        return head + wall * (size // len(wall)) + tail

    assert [wall for wall in WALLS if _grows(read, partial(build, wall), parser.size)] == []


@pytest.mark.parametrize("name", PARSERS)
def test_what_cannot_be_read_is_refused(name: str) -> None:
    parser, chance = PARSERS[name], random.Random(26)
    for _ in range(150):
        raw = bytearray(parser.sample.replace(b"~", b"".join(chance.choices(WALLS, k=chance.randint(0, 30)))))
        for _ in range(chance.randint(0, 8)):
            place = chance.randrange(len(raw) + 1)
            raw[place : place + chance.randint(0, 3)] = chance.choice([b"", chance.randbytes(2), *WALLS])
        with suppress(*parser.refuses):
            parser.read(bytes(raw))


def _said(name: str, wall: bytes) -> str:
    """What a parser says of its sample with a wall in it."""
    parser = PARSERS[name]
    try:
        return str(parser.read(parser.sample.replace(b'"~"', wall).replace(b"~", wall)))
    except parser.refuses as error:
        return f"{error} {getattr(error, 'faults', '')}"


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, parser in PARSERS.items()
        # A tracker of any name needs its fields described first; the anonymizer reads its user's own files.
        if b'"~"' in parser.sample and name not in {"multi-part", "signed", "shared", "TOML of groups"}
    ],
)
def test_what_is_nested_too_deeply_is_refused_by_the_limit(name: str) -> None:
    depth = bounds.DEPTH_AT_MOST
    assert f"more than {depth} lists or objects" in _said(name, b"[" * depth + b"[1]" + b"]" * depth)
    assert f"more than {depth} lists or objects" not in _said(name, b'"' + b"[" * depth + b'"')


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("CSV of calls", "131,072 characters"),
        ("headings of calls", "131,072 characters"),
        ("list to invite", "131,072 characters"),
        ("register", f"longer than {number_files.LONGEST_LINE} characters"),
        ("costs", "131,072 characters"),
        ("seats", "131,072 characters"),
        ("badges", "131,072 characters"),
        ("law pack", "131,072 characters"),
    ],
)
def test_a_cell_that_is_too_long_is_refused_by_the_limit(name: str, limit: str) -> None:
    assert limit in _said(name, b"a" * (bounds.CELL_AT_MOST + 1))
    assert limit not in _said(name, b"a" * 100)


@pytest.mark.parametrize(
    ("name", "wall", "limit"),
    [
        ("mail", b"a" * mail_in.LARGEST, "over 2 MB"),
        ("sender of mail", b"a" * 2_100, "over 2 KB"),
        ("sender of mail", b"x>\n" + b"A: b\n" * 1_000 + b"B: <c", "over 1,000 headers"),
        ("sender of mail", b"x>\nA: " + b"b" * 33_000 + b"\nB: <c", "one over 32 KB"),
        ("parts of mail", b"--b\n\n" * 2_001, "over 2,000 parts"),
        (
            "parts of mail",
            b"--b\nContent-Type: multipart/mixed; boundary=b\n\n" * 61,
            "over 60 messages or lists",
        ),
        ("names of TOML", b"a." * 33, "more than 32 lists or objects"),
    ],
)
def test_what_is_over_a_bound_is_refused_by_it(name: str, wall: bytes, limit: str) -> None:
    assert limit in _said(name, wall)


@pytest.mark.parametrize(
    "text", ['["[[[[", {"a": "\\"[{"}]', "# [[[\na = '[[['\nb = \"\"\"[[\"[\"\"\"\nc = '''[[['''"]
)
def test_a_bracket_in_a_text_is_no_list(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "DEPTH_AT_MOST", 2)
    bounds.require_depth(text)


_OWN: Final = frozenset(
    [
        "analytics/anonymise/levels.py",
        "analytics/anonymise/own.py",
        "analytics/anonymise/spec.py",
        "analytics/charts/maps.py",
        "callprivacy/audit/leaves.py",
        "callprivacy/audit/services/exporting.py",
        "callprivacy/audit/services/sink.py",
        "callprivacy/calls/management/commands/import_calls.py",
        "callprivacy/calls/services/inbox.py",
        "callprivacy/lib/bounds.py",
        "consent/channels/evidence_pdf.py",
        "consent/replies/grammar.py",
        "consent/replies/lexicon.py",
        "consent/selectors/blueprints.py",
        "consent/selectors/contact.py",
        "consent/selectors/wording.py",
        "consent/services/codes.py",
        "consent/services/ledger.py",
        "consent/services/menu_calls.py",
        "consent/services/vendor_tasks.py",
        "consent/services/webhooks.py",
        "dashboard/law/__init__.py",
        "governance/courses/__init__.py",
        "governance/law/breaches.py",
        "governance/law/vendors.py",
        "governance/letters.py",
        "retention/law/rules.py",
        "retention/selectors/certificates.py",
        "retention/services/backups.py",
        "retention/services/certificates.py",
        "retention/services/drills.py",
        "retention/services/offboarding/removing.py",
        "retention/services/offboarding/writing.py",
        "rights/law/book.py",
        "rights/law/grounds.py",
        "rights/selectors/board.py",
        "rights/selectors/casebook.py",
        "rights/selectors/described.py",
        "rights/selectors/held.py",
        "rights/selectors/words.py",
    ]
)
"""Files that read what the program wrote or ships, or what its operator types."""


_UNBOUNDED: Final = re.compile(
    r"\b(?:json|tomllib)\.loads?\(|\b(?:fromstring|iterparse|parseString|XMLParser)\("
    r"|^import (?:tarfile|yaml|pickle)\b",
    re.MULTILINE,
)


def test_text_from_outside_is_read_within_bounds() -> None:
    found = {
        str(file.relative_to(ROOT)) for file in files() if _UNBOUNDED.search(file.read_text(encoding="utf-8"))
    }
    assert found == _OWN


@pytest.mark.thorough
def test_a_reader_that_tries_each_place_is_found() -> None:
    assert _grows(lambda text: re.search(r"a*b", text), lambda size: "a" * size, 20_000)
    assert not _grows(
        lambda text: [text.count(f"a{number}") for number in range(1_000)], lambda size: "a" * size, 200_000
    )


_ROOMS: Final = ("callprivacy", "consent", "retention", "rights", "analytics", "governance", "dashboard")
_LOOKS: Final = frozenset({"match", "fullmatch"})
_WHOLE: Final = frozenset({"consent.channels.recordings.HOSTS", "consent.channels.recordings._INTERFACES"})
"""Patterns of a table, which are asked for the whole text."""


def _patterns() -> Iterator[tuple[str, re.Pattern[Any], str]]:
    """Each compiled pattern of ours, with its name and how it is asked."""
    texts = {file: file.read_text(encoding="utf-8") for file in files()}
    for room in _ROOMS:
        for found in pkgutil.walk_packages(importlib.import_module(room).__path__, f"{room}."):
            if ".migrations" in found.name or found.name.endswith("__main__"):
                continue
            module = importlib.import_module(found.name)
            source = texts.get(ROOT / f"{found.name.replace('.', '/')}.py", "")
            for name, value in vars(module).items():
                for pattern, how in _within(value, 0):
                    asked = {how} if how else set(re.findall(rf"\b{name}\.([a-z]+)\(", source))
                    is_whole = (asked and asked <= _LOOKS) or f"{found.name}.{name}" in _WHOLE
                    yield f"{found.name}.{name}", pattern, "fullmatch" if is_whole else "finditer"
    for file, text in texts.items():
        for how, raw in re.findall(r"\bre\.(\w+)\(\s*r?(\"[^\"\n]*\"|'[^'\n]*')", text):
            if how != "compile" and "\\{" not in raw:
                with suppress(re.error):
                    yield (
                        f"{file.name}: {raw}",
                        re.compile(raw[1:-1]),
                        how if how == "fullmatch" else "finditer",
                    )


def _within(value: object, depth: int) -> Iterator[tuple[re.Pattern[Any], str]]:
    owner = getattr(value, "__self__", None)
    if isinstance(value, re.Pattern):
        yield value, ""
    elif isinstance(owner, re.Pattern):
        yield owner, str(getattr(value, "__name__", ""))
    elif depth < 3 and isinstance(value, dict | list | tuple | set | frozenset):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _within(inner, depth + 1)


def _signs(parsed: Any) -> Iterator[str]:
    """A sign of each kind that a pattern looks for, and each passage that it repeats."""
    for kind, what in parsed:
        if kind is _constants.LITERAL:
            yield chr(what)
        elif kind is _constants.IN:
            yield from (chr(one[0] if type(one) is tuple else one) for it, one in what if it in _CHARS)
            yield from (
                sign for it, one in what if it is _constants.CATEGORY for sign in _OF_KIND.get(str(one), "a-")
            )
        elif kind in (_constants.MAX_REPEAT, _constants.MIN_REPEAT):
            inner = list(_signs(what[2]))
            yield from (*inner, "".join(inner[:6]))
        elif kind is _constants.SUBPATTERN:
            yield from _signs(what[-1])
        elif kind is _constants.BRANCH:
            for inner in what[1]:
                yield from _signs(inner)


_CHARS: Final = (_constants.LITERAL, _constants.RANGE)
_OF_KIND: Final = {"CATEGORY_DIGIT": "1", "CATEGORY_SPACE": " ", "CATEGORY_WORD": "a"}


def _walls(pattern: re.Pattern[Any]) -> list[str]:
    raw = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    signs = list(_signs(_parser.parse(raw, pattern.flags)))
    words = re.findall(r"(?<![\\[\w-])[a-z0-9]{2,}", raw)[:2]
    starts = ["", "".join(signs[:6]), *words]
    return list(
        dict.fromkeys(
            f"{start}\0{wall}" for wall in ["a", "1", " ", "-", ".", *signs[:24]] if wall for start in starts
        )
    )


def slow(pattern: re.Pattern[Any], how: str) -> str | None:
    """Signs of its own on which a pattern takes time out of proportion to their number."""

    def ask(text: Any) -> None:
        found = getattr(pattern, how)(text)
        if how == "finditer":
            for _ in found:
                pass

    def build(wall: str, size: int) -> Any:
        start, _, again = wall.rpartition("\0")
        text = start + again * (size // len(again)) + "\x01"
        return text if isinstance(pattern.pattern, str) else text.encode("latin-1", "replace")

    # Each step is a little longer, so that what doubles with each sign is found early.
    return next(
        (
            wall
            for wall in _walls(pattern)
            if any(_grows(ask, partial(build, wall), size) for size in (20, 24, 28, 32, 48, 200, 8_000))
        ),
        None,
    )


@pytest.mark.thorough
def test_no_pattern_of_ours_takes_longer_than_the_text() -> None:
    found = {f"{name} {how}": wall for name, pattern, how in _patterns() if (wall := slow(pattern, how))}
    assert found == {}


@pytest.mark.thorough
def test_a_pattern_that_tries_each_place_is_found() -> None:
    assert slow(re.compile(r"\s*x"), "finditer")
    assert slow(re.compile(r"(?:a+)+b"), "fullmatch")
    assert not slow(re.compile(r"(?<!\s)\s*x"), "finditer")
