"""
CallTrackingMetrics' webhooks: base64 HMAC-SHA1 over the time and the raw body in `X-CTM-Signature`, keyed by the
account's secret; the time, as it was sent, in `X-CTM-Time`.

Sources: calltracking/ctm-csharp, CTMWebHookExample (the signature); calltracking/ctm-ruby, call.rb, and
MeltanoLabs/tap-calltrackingmetrics, schemas/call.json (the fields). CTM publishes no signed example.

Not settled by any source, and therefore read generously:

- How `X-CTM-Time` is written. It is read as Unix seconds or milliseconds, ISO 8601 or an e-mail's date. A delivery
  that is more than a day away from it is refused as a repeat; a day, because a time without an offset may be that of
  any zone. So is one whose time cannot be read.
- The words of `dial_status` and `call_status`: unknown ones say nothing.
- What stands in `inputs.menu_inputs` beyond that it is a list of texts: see `base.presses`.

The payload does not name its trigger; how far the call had come is read from its status and its length. Each one is the
whole call as it stands, so what arrives later knows better. Agents, names, the postal address, e-mail, location,
visitor, paid clicks and transcripts have no place in `CallFacts` and end here.

`redacted` says that CTM has removed the person from its own copy. Then nothing of the person is read, whatever else
the payload still holds, and `CallFacts.redacted` has ours removed.
"""

import base64
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from callprivacy.calls.enums import Direction, Outcome
from callprivacy.calls.providers import base, tabular
from callprivacy.calls.providers.base import (
    CallFacts,
    Delivery,
    Ignored,
    Parsed,
    RefusedError,
    Stage,
    UnparsableError,
)
from callprivacy.calls.providers.tabular import Format
from callprivacy.lib import bounds

ID: Final = "id"
SID: Final = "sid"

FRESH_FOR: Final = timedelta(days=1)

_OUTCOMES: Final = {
    "answered": Outcome.ANSWERED,
    "completed": Outcome.ANSWERED,
    "no-answer": Outcome.MISSED,
    "unanswered": Outcome.MISSED,
    "missed": Outcome.MISSED,
    "busy": Outcome.BUSY,
    "failed": Outcome.FAILED,
    "canceled": Outcome.ABANDONED,
    "cancelled": Outcome.ABANDONED,
    "hangup": Outcome.ABANDONED,
    "abandoned": Outcome.ABANDONED,
}
_STARTED: Final = frozenset({"queued", "initiated", "ringing", "starting"})
_ROUTED: Final = frozenset({"in-progress", "connected", "dialing"})
_NOT_CALLS: Final = (
    ("msg", "text message"),
    ("sms", "text message"),
    ("text", "text message"),
    ("form", "form submission"),
    ("chat", "chat"),
    ("email", "e-mail"),
    ("video", "video call"),
    ("fax", "fax"),
)


class CallTrackingMetrics:
    """The `Provider` for CallTrackingMetrics."""

    name = "ctm"
    title = "CallTrackingMetrics"
    content_types = frozenset({"application/json"})
    latest_counts = True

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> bool:
        """Whether `X-CTM-Signature` is that of time and body under one of the secrets, and the time not long past."""
        time = base.header(delivery.headers, "X-CTM-Time")
        given = base.header(delivery.headers, "X-CTM-Signature").strip().encode("utf-8", "replace")
        message = time.encode("utf-8", "surrogatepass") + delivery.body
        verified = False
        for secret in secrets:
            expected = base64.b64encode(hmac.digest(secret.encode(), message, "sha1"))
            verified |= hmac.compare_digest(expected, given) and secret != ""
        return verified and time.strip() != "" and _is_fresh(time, delivery.at)

    def said_at(self, headers: Mapping[str, str]) -> datetime | None:
        """`X-CTM-Time`, where it can be read and says its zone."""
        moment = _moment(base.header(headers, "X-CTM-Time").strip())
        return moment if moment is not None and moment.tzinfo is not None else None

    def event_key(self, body: bytes) -> str | None:
        """CTM numbers no events; equal bodies are one event, whenever they were signed."""
        try:
            _load(body)
        except UnparsableError:
            return None
        return base.digest_key(body)

    def parse(self, body: bytes, headers: Mapping[str, str], *, at: datetime) -> Parsed:
        """
        The facts of one activity; texts, forms and chats are ignored.

        :raises RefusedError: a value cannot be true.
        :raises UnparsableError: no call is in it.
        """
        payload = _load(body)
        direction = _direction(payload)
        if isinstance(direction, Ignored):
            return direction
        references = _references(payload)
        if not references:
            raise UnparsableError("A call of CallTrackingMetrics has an id or a sid; this has none.")
        return _facts(payload, direction, references, at=at)


def _is_fresh(time: str, at: datetime | None) -> bool:
    sent = _sent_at(time.strip())
    return at is None or (sent is not None and abs(at - sent) <= FRESH_FOR)


def _sent_at(time: str) -> datetime | None:
    """The moment that `X-CTM-Time` says, as UTC where it says no zone; None where it cannot be read."""
    moment = _moment(time)
    try:
        return moment and (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        return None


def _moment(time: str) -> datetime | None:
    """The same in any of the usual ways, with a zone or without one."""
    if (moment := tabular.epoch(time)) is not None:
        return moment
    try:
        return datetime.fromisoformat(time[:64])
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(time[:64])
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _load(body: bytes) -> dict[str, Any]:
    try:
        payload = bounds.from_json(body, parse_constant=_no_constant)
    except bounds.TooDeepError as error:
        raise UnparsableError(f"The body cannot be read: {error}.") from None
    except ValueError:
        raise UnparsableError("The body is not JSON.") from None
    if not isinstance(payload, dict):
        raise UnparsableError("The body is not a JSON object.")
    return payload


def _no_constant(_: str) -> None:
    raise ValueError


def _direction(payload: dict[str, Any]) -> Direction | Ignored:
    raw = payload.get("direction")
    if raw in (None, ""):
        return Direction.INBOUND  # the first calls knew no other
    word = raw.strip().lower() if isinstance(raw, str) else ""
    if word in Direction:
        return Direction(word)
    for part, reason in _NOT_CALLS:
        if part in word:
            return Ignored(reason)
    raise RefusedError("direction", "inbound or outbound")


def _references(payload: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    found = ((kind, base.reference(payload.get(kind))) for kind in (ID, SID))
    return tuple((kind, value) for kind, value in found if value is not None)


def _facts(
    payload: dict[str, Any], direction: Direction, references: tuple[tuple[str, str], ...], *, at: datetime
) -> CallFacts:
    length = base.seconds(payload.get("duration"), "duration")
    stage = _stage(payload, length)
    redacted = base.answer(payload.get("redacted"), "redacted") is True
    caller, withheld = (None, True) if redacted else _caller(payload)
    country, region = base.place(payload.get("country"), payload.get("state"), caller)
    paid = payload.get("paid")
    paid = paid if isinstance(paid, dict) else {}
    facts = CallFacts(
        started_at=_started_at(payload, at=at),
        direction=direction,
        seconds=length if stage is Stage.ENDED else None,
        outcome=_outcome(payload) if stage is Stage.ENDED else None,
        caller=caller,
        caller_withheld=withheld,
        tracking_number=base.number(*_first(payload, "tracking_number", "tracking_number_bare")),
        source=base.plain_text(payload.get("source")),
        campaign=base.plain_text(payload.get("campaign")) or base.plain_text(paid.get("campaign")),
        medium=base.plain_text(payload.get("medium"), base.MEDIUM_LENGTH)
        or base.plain_text(paid.get("medium"), base.MEDIUM_LENGTH),
        landing_page=base.landing_path(payload.get("location")),
        keyword=base.plain_text(payload.get("search")),
        region=region,
        country=country,
        first_call=base.answer(payload.get("is_new_caller"), "is_new_caller"),
        tags=base.tags(payload.get("tag_list")),
        references=references,
        recording_reference=None if redacted else base.recording_link(payload.get("audio")),
        account=base.reference(payload.get("account_id")) or "",
        stage=stage,
        revision=int(at.timestamp() * 1000),
        modified_only=frozenset({"tags"}) if "tag_list" in payload else frozenset(),
        presses=_presses(payload),
        redacted=redacted,
    )
    return base.anonymous(facts) if redacted else facts


def _first(payload: dict[str, Any], *names: str) -> tuple[Any, str]:
    """What the first of the names that says something says, with its name; otherwise None and the first name."""
    return next(
        ((payload[name], name) for name in names if payload.get(name) not in (None, "")),
        (None, names[0]),
    )


def _caller(payload: dict[str, Any]) -> tuple[str | None, bool]:
    """`caller_number_complete` is E.164 in newer payloads; what else there is may be written as people do."""
    return base.caller(*_first(payload, "caller_number_complete", "caller_number", "caller_number_bare"))


def _words(payload: dict[str, Any]) -> list[str]:
    found = (payload.get(name) for name in ("call_status", "dial_status", "status"))
    return [
        raw.strip().lower().replace(" ", "-").replace("_", "-")
        for raw in found
        if isinstance(raw, str) and raw
    ]


def _stage(payload: dict[str, Any], length: int | None) -> Stage:
    words = _words(payload)
    if not length:
        if any(word in _ROUTED for word in words):
            return Stage.ROUTED
        if any(word in _STARTED for word in words) or (length is None and not words):
            return Stage.STARTED
    return Stage.ENDED


def _outcome(payload: dict[str, Any]) -> Outcome | None:
    words = _words(payload)
    if any("voicemail" in word for word in words):
        return Outcome.VOICEMAIL
    for word in words:
        if word in _OUTCOMES:
            return _OUTCOMES[word]
    talked = base.seconds(payload.get("talk_time"), "talk_time")
    return Outcome.ANSWERED if talked else None


def _started_at(payload: dict[str, Any], *, at: datetime) -> datetime:
    """`unix_time` where it is there; `called_at` must say its offset, for nobody tells us the account's zone."""
    raw = payload.get("unix_time")
    if raw not in (None, ""):
        moment = tabular.epoch(str(raw)) if isinstance(raw, int | str) and not isinstance(raw, bool) else None
        if moment is None:
            raise RefusedError("unix_time", "seconds since 1970")
        base.check_start(moment, "unix_time", at=at)
        return moment
    raw = payload.get("called_at")
    moment = tabular.moment(raw.strip()[:64], None) if isinstance(raw, str) else None
    if moment is None or moment.tzinfo is None:
        raise RefusedError("called_at", "a time with its offset, such as 2026-01-31 01:05 PM -05:00")
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        raise RefusedError("called_at", "a start since 2005 and not in the future") from None
    base.check_start(moment, "called_at", at=at)
    return moment


def _presses(payload: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Keys in the order pressed: "menu 1" is the first menu that the caller met on that call."""
    inputs = payload.get("inputs")
    raw = inputs.get("menu_inputs") if isinstance(inputs, dict) else payload.get("menu_inputs")
    return () if raw in (None, "") else base.presses(raw, lambda place: f"menu {place}")


def _file_references(reference: str, recording: str) -> tuple[tuple[str, str], ...]:
    value = base.reference(reference.strip())
    return () if value is None else ((ID if value.isdigit() else SID, value),)


def _finish(facts: CallFacts, cells: Mapping[str, str]) -> CallFacts:
    """
    :raises RefusedError: whether it is redacted is said in other words than yes and no.
    """
    if base.answer(cells.get("redacted", ""), "redacted") is not True:
        return facts
    return replace(base.anonymous(facts), redacted=True)


def _is_call(cells: Mapping[str, str]) -> bool:
    word = cells.get("direction", "").lower()
    return not any(part in word for part, _ in _NOT_CALLS)


EXPORT: Final = Format(
    name="ctm",
    title="CallTrackingMetrics export",
    columns={
        "started_at": ("unix_time", "called_at", "Called At", "Date", "Call Date", "Date/Time", "Time"),
        "caller": (
            "caller_number_complete",
            "caller_number",
            "Caller Number",
            "Contact Number",
            "Phone Number",
            "Caller ID",
        ),
        "tracking_number": ("tracking_number", "Tracking Number"),
        "seconds": ("duration", "Duration", "Call Duration"),
        "direction": ("direction", "Direction"),
        "outcome": ("call_status", "Call Status", "dial_status", "Dial Status", "Status"),
        "source": ("source", "Source", "Tracking Source"),
        "campaign": ("campaign", "Campaign"),
        "medium": ("medium", "Medium"),
        "landing_page": ("location", "Location", "Landing Page"),
        "keyword": ("search", "Search", "Keyword"),
        "country": ("country", "Country"),
        "region": ("state", "State"),
        "first_call": ("is_new_caller", "New Caller"),
        "tags": ("tag_list", "Tags", "Tag List"),
        "reference": ("id", "Call ID", "sid", "Activity ID"),
        "recording_reference": ("audio", "Audio", "Recording", "Recording URL"),
        "account": ("account_id", "Account ID"),
        "presses": ("menu_inputs", "Menu Inputs", "inputs.menu_inputs", "Menu Key Presses", "Key Presses"),
    },
    references=_file_references,
    slashes="month first",
    has_epochs=True,
    also={"redacted": ("redacted", "Redacted"), "direction": ("direction", "Direction")},
    is_call=_is_call,
    finish=_finish,
)
"""
CTM's call log. No source settles its columns: these are the API's names and what the screens call them, the file's own
names are shown before anything is read, and a person chooses where they do not fit.
"""
