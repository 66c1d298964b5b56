"""
Texts of calls that were stored before the recognizer of numbers knew what it knows now: each passes it again.

A source or medium with a number becomes "Other", a campaign, page, keyword or tag is removed, and a known value is
forgotten. A call on hold stays as it is and is counted. Safe to run twice, and to go on after a crash.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from callprivacy.audit import services as audit
from callprivacy.calls.models import FIRST_ID, Call, KnownValue
from callprivacy.calls.providers.base import plain_text
from callprivacy.calls.services import turns, values
from callprivacy.lib.redact import has_number
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope

JOB: Final = Actor.job("calls.recheck")
_AT_ONCE: Final = 2000
_REPLACED: Final = ("source", "medium")
_REMOVED: Final = ("campaign", "landing_page", "keyword")


@dataclass(frozen=True, slots=True)
class Rechecked:
    """How many calls were read, changed, and left because they are on hold; how many known values were forgotten."""

    calls: int
    changed: int
    on_hold: int
    values: int


def recheck(*, client: Client, at: datetime, step: Callable[[int], object]) -> Rechecked:
    """
    Pass the texts of a client's calls through the recognizer, a few thousand calls at a time. Called outside any scope.

    :param step: called with the number of calls in each batch.
    """
    passes: dict[str, bool] = {}

    def is_clean(text: str) -> bool:
        if text not in passes:
            passes[text] = plain_text(text) == text and not has_number(text, client.home_country)
        return passes[text]

    calls = changed = on_hold = 0
    after, is_more = FIRST_ID, True
    while is_more:
        with job_scope(agency_id=client.agency_id):
            turns.lock_client(client.pk)
            rows = list(
                Call.objects.for_client(client)
                .filter(pk__gt=after)
                .order_by("pk")
                .values("pk", "on_hold", "tags", *_REPLACED, *_REMOVED)[:_AT_ONCE]
            )
            wrong: dict[uuid.UUID, dict[str, Any]] = {}
            for row in rows:
                kept = _kept(row, is_clean)
                on_hold += bool(kept and row["on_hold"])
                if kept and not row["on_hold"]:
                    wrong[row["pk"]] = kept
            for pk, kept in wrong.items():
                Call.objects.for_client(client).filter(pk=pk, on_hold=False).update(**kept)
            if wrong:
                audit.record("calls.rechecked", subject=client, by=JOB, at=at, count=len(wrong))
        calls, changed = calls + len(rows), changed + len(wrong)
        is_more = len(rows) == _AT_ONCE
        after = rows[-1]["pk"] if rows else after
        passes.clear()
        step(len(rows))
    return Rechecked(calls, changed, on_hold, _forget_values(client, is_clean, at))


def _kept(row: Mapping[str, Any], is_clean: Callable[[str], bool]) -> dict[str, Any]:
    """What of a call's texts is to be stored instead; nothing where all may stay."""
    kept: dict[str, Any] = {name: values.OTHER for name in _REPLACED if not is_clean(row[name])}
    kept |= {name: "" for name in _REMOVED if not is_clean(row[name])}
    left = [tag for tag in row["tags"] if is_clean(tag)]
    return kept | {"tags": left} if len(left) < len(row["tags"]) else kept


def _forget_values(client: Client, is_clean: Callable[[str], bool], at: datetime) -> int:
    """Forget known values that hold a number; of a refused one there is only a digest."""
    with job_scope(agency_id=client.agency_id):
        rows = KnownValue.objects.for_client(client).exclude(stored_as=values.OTHER)
        wrong = [pk for pk, value in rows.values_list("pk", "value") if not is_clean(value)]
        return KnownValue.objects.for_client(client).filter(pk__in=wrong).delete()[0] if wrong else 0
