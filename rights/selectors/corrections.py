"""
What may be corrected of a person, and in which words the person, a recipient and staff are told that it was.

A name is never among these words: it stands, sealed, in the request alone.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from callprivacy.calls.models import Call
from callprivacy.tenancy.models import Client
from consent.enums import Language
from consent.law import places
from rights import letters
from rights.enums import StepKind
from rights.letters import words
from rights.models import Case, Step
from rights.selectors import reach
from rights.selectors.reach import Target

CALLS: Final = 60
"""The newest calls of a person that are offered."""


def calls_of(targets: Sequence[Target]) -> list[tuple[str, str]]:
    """
    The person's newest calls, as id and words: day, time, length, from where. As far as this proof shows them; one that
    a hold keeps stays as it is.
    """
    found: list[tuple[datetime, str, str]] = []
    for target in targets:
        rows = reach.calls_of(target).filter(on_hold=False).order_by("-pk")
        if target.from_at is not None:
            rows = rows.started_from(target.from_at)
        found += [_said(target.client, call) for call in rows[:CALLS]]
    found.sort(reverse=True)
    return [(key, text) for _, key, text in found[:CALLS]]


def _said(client: Client, call: Call) -> tuple[datetime, str, str]:
    at = call.started_at.astimezone(ZoneInfo(client.time_zone))
    parts = [f"{at:%-d %b %Y, %H:%M}", call.get_direction_display().lower(), f"{call.seconds} s"]
    parts += filter(None, (call.source, places.name(call.country, call.region) if call.country else ""))
    return call.started_at, str(call.pk), f"{client.name}: {', '.join(map(str, parts))}"


def made(case: Case) -> list[Mapping[str, Any]]:
    """The corrections that were decided in a case; of a name that it was, and no more."""
    step = Step.objects.filter(case=case, kind=StepKind.CORRECT).first()
    return list(step.wanted.get("corrections", ())) if step is not None else []


def lines(case: Case, language: Language, *, client: Client | None = None) -> list[str]:
    """
    What was corrected in a case, in sentences.

    :param client: leave out calls of other clients than this one.
    """
    corrections = made(case)
    days = _days(corrections, client)
    said = words.CORRECTED[language]
    found = []
    for one in corrections:
        what = str(one["what"])
        if what in {"call", "unlink"}:
            on = days.get(str(one["call"]))
            if on is None:
                continue
            found.append(
                said[what].format(
                    day=letters.day(on.date(), language),
                    fact=words.FACTS[language].get(str(one.get("field")), str(one.get("field"))),
                    value=_value(one.get("value"), language),
                )
            )
        elif what == "place":
            place = places.name(str(one["country"]), str(one.get("region", "")))
            found.append(said[what].format(value=place))
        elif what == "language":
            found.append(said[what].format(value=words.LANGUAGES[language][str(one["language"])]))
        else:
            found.append(said[what])
    return found


def _value(value: object, language: Language) -> str:
    if isinstance(value, bool):
        return words.YES_NO[language][value]
    return str(value)


def _days(corrections: Iterable[Mapping[str, Any]], client: Client | None) -> dict[str, datetime]:
    """Call id -> when it began, in its client's zone."""
    ids = [uuid.UUID(str(one["call"])) for one in corrections if one["what"] in {"call", "unlink"}]
    if not ids:
        return {}
    rows = Call.objects.filter(pk__in=ids).select_related("client")
    if client is not None:
        rows = rows.filter(client=client)
    return {str(row.pk): row.started_at.astimezone(ZoneInfo(row.client.time_zone)) for row in rows}
