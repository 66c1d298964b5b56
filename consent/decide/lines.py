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
as an area code, and the caller's is unknown beside it. Where nothing is said of the caller's age, of health or of a
consent's grade, it is an adult, no health and a proven number; "unknown" is read as strictly as it can be, of the age
as the client says. A call needs `started_at`; an event `purpose`, `kind` and `at`, and where something speaks for the
caller's agreement also `basis`, `channel` and `scope`. A refusal or withdrawal without a scope is a standing one.
Events name no call here: one in the scope of `this_call` belongs to the call of its line when it happened between a
quarter of an hour before the call and an hour after its beginning. A recording is judged from the call's beginning up
to `at`, and for no more than that hour: what is said later came after the call.
Keys and values that are not known, keys said twice and times without an offset are errors.
"""

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any, Final

from django.db.models import TextChoices

from callprivacy.lib import bounds
from consent.decide.question import Answer, CallSpan, Event, Place, Question
from consent.enums import Basis, Channel, EventKind, Purpose, Scope, Standard, Strength, UnknownAge

_QUESTION: Final = frozenset(
    {
        "purpose", "at", "call", "places", "events", "posted_notice", "standard", "minor", "age", "date_of_birth",
        "unknown_age", "unknown_age_reason", "health", "claimed_reason",
    }
)  # fmt: skip
_CALL: Final = frozenset({"started_at", "announcement", "announced_on_recording"})
_PLACE: Final = frozenset({"country", "region", "evidence"})
_EVENT: Final = frozenset({"purpose", "kind", "basis", "channel", "scope", "at", "grade", "guardian_until"})
_UNKNOWN: Final = "unknown"
_OLDEST: Final = 130
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
    purpose, at, call = _word(row, "purpose", Purpose), _time(row, "at"), _call(row.get("call"))
    begins = call.started_at if call is not None and purpose == Purpose.RECORD else at
    age, unknown_age = _age(row, begins)
    return Question(
        purpose=purpose,
        at=at,
        call=call,
        places=tuple(_places(_list(row, "places"))),
        events=tuple(_events(_list(row, "events"))),
        posted_notice=_flag(row, "posted_notice"),
        standard=_word(row, "standard", Standard, Standard.EXPRESS),
        minor=_flag(row, "minor"),
        age=age,
        unknown_age=unknown_age,
        age_reason=_text(row, "unknown_age_reason", ""),
        claimed_reason=_text(row, "claimed_reason", ""),
        health=row.get("health") == _UNKNOWN or _flag(row, "health"),
    )


def write_answer(answer: Answer) -> str:
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
        raise LineError(f'repeats "{next(name for name in names if names.count(name) > 1)}"')
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
            strength=_grade(row, where),
            guardian_until=_day(row, "guardian_until", where),
        )


def _age(row: dict[str, Any], on: datetime) -> tuple[int | None, UnknownAge | None]:
    """The age on that day, or how the client reads one that nobody knows, where that is said."""
    if row.get("age") is not None and row.get("date_of_birth") is not None:
        raise LineError("age and date_of_birth are both given")
    reading = _word(row, "unknown_age", UnknownAge, UnknownAge.ADULT)
    age, born = row.get("age"), row.get("date_of_birth")
    if _UNKNOWN in (age, born):
        return None, reading
    if born is not None:
        day = _day(row, "date_of_birth")
        if day is None or day > on.date():
            raise LineError(f"date_of_birth: {_shown(born)} is after the question")
        return on.year - day.year - ((on.month, on.day) < (day.month, day.day)), None
    if age is None:
        return None, reading if row.get("unknown_age") is not None else None
    if isinstance(age, bool) or not isinstance(age, int) or not 0 <= age <= _OLDEST:
        raise LineError(f'age: expected years from 0 to {_OLDEST} or "{_UNKNOWN}", found {_shown(age)}')
    return age, None


def _grade(row: dict[str, Any], where: str) -> Strength | None:
    """What is not known of a consent's grade is the lowest; where nobody speaks of one, the number counts as proven."""
    if row.get("grade") is None:
        return None
    return Strength.D if row["grade"] == _UNKNOWN else _word(row, "grade", Strength, where=where)


def _day(row: dict[str, Any], key: str, where: str = "") -> date | None:
    found = row.get(key)
    if found is None:
        return None
    try:
        return date.fromisoformat(found)
    except (TypeError, ValueError):
        raise LineError(f"{where}{key}: {_shown(found)} is not a date like 2026-11-25") from None


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
        raise LineError(f"{where}{key}: {_shown(found)} is not a time like 2026-11-25T15:00:00Z") from None
    if read.tzinfo is None:
        raise LineError(f"{where}{key}: {_shown(found)} has no offset; end it with Z or +01:00")
    if not _EARLIEST <= read < _LATEST:
        raise LineError(f"{where}{key}: {_shown(found)} is not between 1990 and 2200")
    return read.astimezone(UTC)


def _shown(found: Any) -> str:
    text = json.dumps(found)
    return text if len(text) <= 60 else f"{text[:57]}..."
