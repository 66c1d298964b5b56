"""
A call as a tracker's list has it, read into the same facts as what it tells by itself.

A list is the call as it stands when it is asked, so CallRail's row counts as its Call Modified does, Invoca's as the
correction that it is, and Twilio's as the last word of its status callback. Fields that are not kept end here as they
do everywhere.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from callprivacy.calls.providers import base, callrail, ctm, invoca, twilio
from callprivacy.calls.providers.base import Ignored, Parsed, Stage, UnparsableError
from callprivacy.calls.providers.tabular import Table
from callprivacy.lib import bounds

CONTENT_TYPE: Final = "application/vnd.callprivacy.pulled+json"
"""By what a row of the inbox is known as one that we asked for; no door takes it from outside."""


def packed(row: Mapping[str, Any]) -> bytes:
    """The row as it is kept until it is read; equal rows are equal bytes."""
    return json.dumps(row, sort_keys=True, separators=(",", ":")).encode()


def parse(provider: str, body: bytes, *, at: datetime) -> Parsed:
    """
    The facts of one row.

    :param at: when it was asked for.
    :raises RefusedError: a value in it cannot be true.
    :raises UnparsableError: it is no row of this tracker's list.
    """
    read = _READERS.get(provider)
    if read is None:
        raise UnparsableError("This tracker lists no calls.")
    return read(body, at)


def _callrail(body: bytes, at: datetime) -> Parsed:
    facts = callrail.CallRail().parse(body, {}, at=at)
    if isinstance(facts, Ignored) or facts.seconds is None:
        return facts
    payload = bounds.from_json(body)
    return replace(facts, stage=Stage.MODIFIED, modified_only=callrail.settled(payload))


def _ctm(body: bytes, at: datetime) -> Parsed:
    return ctm.CallTrackingMetrics().parse(body, {}, at=at)


def _invoca(body: bytes, at: datetime) -> Parsed:
    rows = list(Table(b"[" + body + b"]").rows(invoca.TRANSACTIONS, zone=UTC, at=at))
    if not rows:
        return Ignored("no call")
    facts = rows[0][1]
    if isinstance(facts, base.RefusedError):
        raise base.RefusedError(facts.column, facts.expected)
    return facts


def _twilio(body: bytes, at: datetime) -> Parsed:
    payload = bounds.from_json(body)
    if not isinstance(payload, dict):
        raise UnparsableError("The body is not a JSON object.")
    return twilio.Twilio().parse(packed(_as_callback(payload)), {}, at=at)


def _as_callback(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `Calls.json` or `Recordings.json` under the names that its callbacks have."""
    sid = row.get("sid")
    if isinstance(sid, str) and sid.startswith("RE"):
        link = str(row.get("uri") or "").removesuffix(".json")
        return {
            "CallSid": row.get("call_sid"),
            "AccountSid": row.get("account_sid"),
            "RecordingSid": sid,
            "RecordingStatus": "in-progress" if row.get("status") == "processing" else row.get("status"),
            "RecordingDuration": str(row.get("duration") or "").replace("-1", ""),
            "RecordingStartTime": row.get("start_time") or row.get("date_created") or "",
            "RecordingUrl": f"https://api.twilio.com{link}" if link.startswith("/2010-04-01/") else "",
        }
    return {
        "CallSid": sid,
        "AccountSid": row.get("account_sid"),
        "ParentCallSid": row.get("parent_call_sid"),
        "From": row.get("from"),
        "To": row.get("to"),
        "Direction": row.get("direction"),
        "CallStatus": row.get("status"),
        "CallDuration": row.get("duration"),
        "AnsweredBy": row.get("answered_by"),
        # A callback has no such name: it says when it was sent, which is the end of a call that is over.
        "StartTime": row.get("start_time") or "",
        "Timestamp": row.get("end_time") or row.get("date_created") or "",
        "SequenceNumber": _LAST_WORD,
    }


_LAST_WORD: Final = 999
_READERS: Final[dict[str, Callable[[bytes, datetime], Parsed]]] = {
    "callrail": _callrail,
    "twilio": _twilio,
    "ctm": _ctm,
    "invoca": _invoca,
}
