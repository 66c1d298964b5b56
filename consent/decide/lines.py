"""
Questions and answers as lines of JSON, for people who try rules.

    {"purpose": "record", "at": "2026-11-25T15:00:00Z",
     "call": {"started_at": "2026-11-25T15:00:00Z", "announcement": true, "announced_on_recording": false},
     "places": [{"country": "US", "region": "CA", "evidence": "address"}],
     "events": [{"purpose": "record", "kind": "given", "basis": "consent", "channel": "web",
                 "scope": "standing", "at": "2026-11-01T09:00:00Z"}],
     "posted_notice": false, "standard": "announce"}

A question needs `purpose` and `at`. What else is missing is read as strictly as it can be: the standard `express`, no
call, no announcement, no posted notice, no events, an unknown place; a place whose evidence is not named is as weak
as an area code, and the caller's is unknown beside it. A call needs `started_at`; an event `purpose`, `kind` and `at`, and where something speaks for the
caller's agreement also `basis`, `channel` and `scope`. A refusal or withdrawal without a scope is a standing one.
Events name no call here: one in the scope of `this_call` belongs to the call of its line when it happened between a
quarter of an hour before the call and an hour after its beginning. A recording is judged from the call's beginning up
to `at`, and for no more than that hour: what is said later came after the call.
Keys and values that are not known, keys said twice and times without an offset are errors.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from django.db.models import TextChoices

from callprivacy.lib import bounds
from consent.decide.question import Answer, CallSpan, Event, Place, Question
from consent.enums import Basis, Channel, EventKind, Purpose, Scope, Standard

_QUESTION: Final = frozenset({"purpose", "at", "call", "places", "events", "posted_notice", "standard"})
_CALL: Final = frozenset({"started_at", "announcement", "announced_on_recording"})
_PLACE: Final = frozenset({"country", "region", "evidence"})
_EVENT: Final = frozenset({"purpose", "kind", "basis", "channel", "scope", "at"})
_EVIDENCE: Final = frozenset({EventKind.GIVEN, EventKind.RENEWED, EventKind.NOTICED})
_EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)


class LineError(ValueError):
    """A line that is no question; the message names the key and what was expected."""


def read_question(line: str) -> Question:
    """
    The question of one line.

    :raises LineError: it is none.
    """
    try:
        found = bounds.from_json(line, object_pairs_hook=_once, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise LineError(f"is not JSON: {error.msg} at column {error.colno}") from None
    except bounds.TooDeepError as error:
        raise LineError(f"cannot be read: {error}") from None
    row = _object(found, "", _QUESTION)
    return Question(
        purpose=_word(row, "purpose", Purpose),
        at=_time(row, "at"),
        call=_call(row.get("call")),
        places=tuple(_places(_list(row, "places"))),
        events=tuple(_events(_list(row, "events"))),
        posted_notice=_flag(row, "posted_notice"),
        standard=_word(row, "standard", Standard, Standard.EXPRESS),
    )


def write_answer(answer: Answer) -> str:
    """The answer as one line."""
    event = answer.event
    return json.dumps(
        {
            "allowed": answer.allowed,
            "lawful": answer.lawful,
            "standard_met": answer.standard_met,
            "basis": answer.basis,
            "event": None
            if event is None
            else {
                "purpose": event.purpose,
                "kind": event.kind,
                "basis": event.basis,
                "channel": event.channel,
                "scope": event.scope,
                "at": event.at.isoformat().replace("+00:00", "Z"),
            },
            "rules": answer.rules,
            "reasons": answer.reasons,
        }
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) != len(pairs):
        names = [name for name, _ in pairs]
        raise LineError(f'says "{next(name for name in names if names.count(name) > 1)}" twice')
    return row


def _no_constant(name: str) -> None:
    raise LineError(f"is not JSON: {name} is no value")


def _object(found: Any, where: str, known: frozenset[str]) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise LineError(f"{where}expected an object, found {_shown(found)}")
    for key in found:
        if key not in known:
            raise LineError(f'{where}unknown key "{key}"; known are {", ".join(sorted(known))}')
    return found


def _list(row: dict[str, Any], key: str) -> list[Any]:
    found = row.get(key)
    if found is None:
        return []
    if not isinstance(found, list):
        raise LineError(f"{key}: expected a list, found {_shown(found)}")
    return found


def _call(found: Any) -> CallSpan | None:
    if found is None:
        return None
    row = _object(found, "call: ", _CALL)
    return CallSpan(
        started_at=_time(row, "started_at", "call."),
        announcement=_flag(row, "announcement", "call."),
        announced_on_recording=_flag(row, "announced_on_recording", "call."),
    )


def _places(found: list[Any]) -> Iterable[Place]:
    for index, item in enumerate(found):
        where = f"places[{index}]"
        row = _object(item, f"{where}: ", _PLACE)
        yield Place(*(_text(row, key, f"{where}.") for key in ("country", "region", "evidence")))


def _events(found: list[Any]) -> Iterable[Event]:
    for index, item in enumerate(found):
        where = f"events[{index}]."
        row = _object(item, f"{where[:-1]}: ", _EVENT)
        kind = _word(row, "kind", EventKind, where=where)
        needed = kind in _EVIDENCE
        yield Event(
            purpose=_word(row, "purpose", Purpose, where=where),
            kind=kind,
            basis=_word(row, "basis", Basis, None if needed else Basis.CONSENT, where=where),
            channel=_word(row, "channel", Channel, None if needed else Channel.API, where=where),
            scope=_word(row, "scope", Scope, None if needed else Scope.STANDING, where=where),
            at=_time(row, "at", where),
        )


def _word[W: TextChoices](
    row: dict[str, Any], key: str, words: type[W], missing: W | None = None, where: str = ""
) -> W:
    found = row.get(key)
    if found is None and missing is not None:
        return missing
    if found is None:
        raise LineError(f"{where}{key} is missing; expected one of {', '.join(words.values)}")
    if not isinstance(found, str) or found not in words.values:
        raise LineError(f"{where}{key}: {_shown(found)} is none of {', '.join(words.values)}")
    return words(found)


def _flag(row: dict[str, Any], key: str, where: str = "") -> bool:
    found = row.get(key)
    if found is None:
        return False
    if not isinstance(found, bool):
        raise LineError(f"{where}{key}: expected true or false, found {_shown(found)}")
    return found


def _text(row: dict[str, Any], key: str, where: str) -> str:
    found = row.get(key)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise LineError(f"{where}{key}: expected a text, found {_shown(found)}")
    return found


def _time(row: dict[str, Any], key: str, where: str = "") -> datetime:
    found = row.get(key)
    if found is None:
        raise LineError(f"{where}{key} is missing; expected a time like 2026-11-25T15:00:00Z")
    try:
        read = datetime.fromisoformat(found)
    except (TypeError, ValueError):
        raise LineError(f"{where}{key}: {_shown(found)} is no time like 2026-11-25T15:00:00Z") from None
    if read.tzinfo is None:
        raise LineError(f"{where}{key}: {_shown(found)} has no offset; end it with Z or +01:00")
    if not _EARLIEST <= read < _LATEST:
        raise LineError(f"{where}{key}: {_shown(found)} is not between 1990 and 2200")
    return read.astimezone(UTC)


def _shown(found: Any) -> str:
    text = json.dumps(found)
    return text if len(text) <= 60 else f"{text[:57]}..."
