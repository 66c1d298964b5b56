"""
CallRail's webhooks: base64 HMAC-SHA1 over the raw body in `Signature`, keyed per company.

Sources: apidocs.callrail.com, "Validating payloads" and "Webhooks". The payload does not name its event, so
the event is known by what the payload holds. Pre-Call and Call Routing Complete come while the call lasts,
Post-Call up to twenty minutes after it, Call Modified (with `changes`) whenever somebody works on it.
Numeric `id` and `CAL...` id are kept as references of two kinds, because either way in may know only one.
"""

import base64
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from callprivacy.calls.enums import Direction, Outcome
from callprivacy.calls.providers import base
from callprivacy.calls.providers.base import (
    CallFacts,
    Delivery,
    Ignored,
    Parsed,
    RefusedError,
    Stage,
    UnparsableError,
)
from callprivacy.lib import bounds

ID: Final = "id"
RESOURCE_ID: Final = "resource_id"

_SETTLED_BY: Final = {
    "tags": "tags",
    "value": "value_cents",
    "lead_status": "qualified",
    "recording_duration": "recording_seconds",
}
_QUALIFIED: Final = {
    "good_lead": True,
    "previously_marked_good_lead": True,
    "not_a_lead": False,
    "not_a_good_lead": False,
}
_TEXT_KEYS: Final = frozenset({"message_type", "media_urls", "conversation_id", "content", "source_number"})
_FORM_KEYS: Final = frozenset({"form_data", "form_url", "first_form", "submitted_at"})
_OUTCOMES: Final = {
    "answered": Outcome.ANSWERED,
    "completed": Outcome.ANSWERED,
    "missed": Outcome.MISSED,
    "no_answer": Outcome.MISSED,
    "voicemail": Outcome.VOICEMAIL,
    "abandoned": Outcome.ABANDONED,
    "busy": Outcome.BUSY,
    "failed": Outcome.FAILED,
}


class CallRail:
    """The `Provider` for CallRail."""

    name = "callrail"
    title = "CallRail"
    content_types = frozenset({"application/json"})
    latest_counts = True

    def said_at(self, headers: Mapping[str, str]) -> datetime | None:
        """CallRail signs no time."""
        return None

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> bool:
        """Whether `Signature` is the body's under one of the keys."""
        given = base.header(delivery.headers, "Signature").strip().encode("utf-8", "replace")
        verified = False
        for secret in secrets:
            expected = signature(delivery.body, secret).encode()
            verified |= hmac.compare_digest(expected, given) and secret != ""
        return verified

    def event_key(self, body: bytes) -> str | None:
        """CallRail numbers no events; equal bodies are one event."""
        try:
            _load(body)
        except UnparsableError:
            return None
        return base.digest_key(body)

    def parse(self, body: bytes, headers: Mapping[str, str], *, at: datetime) -> Parsed:
        """
        The facts of one event; texts, forms and Convert Assist are ignored.

        :raises RefusedError: a value cannot be true.
        :raises UnparsableError: no call is in it.
        """
        payload = _load(body)
        if (reason := _ignored(payload)) is not None:
            return Ignored(reason)
        references = _references(payload)
        if not references:
            raise UnparsableError("A call of CallRail has an id or a resource_id; this has none.")
        return _facts(payload, references, at=at)


def listed(payload: Mapping[str, Any]) -> base.ListedPage:
    """
    The recorded calls on a page of `calls.json`, asked for with `relative_pagination` and the field `company_id`.

    Source: apidocs.callrail.com, "Listing all calls". How a page names the next one under relative pagination was not
    seen published; it is taken to be the `offset` in the address `next_page`, to be corrected here alone.

    :raises UnparsableError: it is no such page.
    """
    rows = payload.get("calls")
    if not isinstance(rows, list):
        raise UnparsableError("CallRail's answer is no list of calls.")
    found = (_listed(row) for row in rows if isinstance(row, dict))
    return base.ListedPage(
        tuple(one for one in found if one is not None), base.following(payload.get("next_page"), "offset")
    )


def _listed(row: Mapping[str, Any]) -> base.Listed | None:
    name = base.reference(row.get("id"))
    if name is None or not row.get("recording"):
        return None
    try:
        started_at = base.instant(row.get("start_time"), "start_time", zone=UTC)
    except RefusedError:
        started_at = None
    words = {"inbound": Direction.INBOUND, "outbound": Direction.OUTBOUND}
    return base.Listed(
        name,
        _references({ID: name}),
        started_at,
        words.get(str(row.get("direction"))),
        base.reference(row.get("company_id")) or "",
    )


def signature(body: bytes, secret: str) -> str:
    """What CallRail writes into `Signature` for a body, under a company's key."""
    return base64.b64encode(hmac.digest(secret.encode(), body, "sha1")).decode()


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


def _ignored(payload: dict[str, Any]) -> str | None:
    named = str(payload.get("event") or payload.get("event_type") or payload.get("type") or "").lower()
    resource = payload.get(RESOURCE_ID)
    if any(key.startswith("convert_assist") for key in payload) or "convert" in named:
        return "convert assist"
    if _FORM_KEYS & payload.keys() or "form" in named.split("_") or "form_submission" in named:
        return "form submission"
    if _TEXT_KEYS & payload.keys() or "text" in named or "sms" in named:
        return "text message"
    if isinstance(resource, str) and resource and not resource.startswith("CAL"):
        return "not a call"
    return None


def _references(payload: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for key in (RESOURCE_ID, "call_resource_id", ID, "call_id"):
        value = base.reference(payload.get(key))
        if value is None:
            continue
        kind = RESOURCE_ID if value.startswith("CAL") else ID
        if kind == RESOURCE_ID or value.isdigit():
            found.setdefault(kind, value)
    return tuple(sorted(found.items()))


def _facts(payload: dict[str, Any], references: tuple[tuple[str, str], ...], *, at: datetime) -> CallFacts:
    direction = _direction(payload)
    other_side = ("callernum",) if direction is Direction.INBOUND else ("destinationnum", "callernum")
    column, raw = _first(payload, "customer_phone_number", *other_side)
    region = _default_region(payload)
    caller, withheld = base.caller(raw, column, region)
    column, raw = _first(payload, "tracking_phone_number", "trackingnum")
    tracking_number = base.number(raw, column, region)
    country, place = base.place(
        _first(payload, "customer_country", "callercountry")[1],
        _first(payload, "customer_state", "callerstate")[1],
        caller,
    )
    length = base.seconds(payload.get("duration"), "duration")
    stage = _stage(payload, length)
    return CallFacts(
        started_at=_started_at(payload, at=at),
        direction=direction,
        seconds=length if stage >= Stage.ENDED else None,
        outcome=_outcome(payload) if stage >= Stage.ENDED else None,
        caller=caller,
        caller_withheld=withheld,
        tracking_number=tracking_number,
        source=_text(
            payload,
            "source_name",
            "source",
            "formatted_tracking_source",
            "callsource",
            "utm_source",
        ),
        campaign=_text(payload, "campaign", "utm_campaign"),
        medium=_text(payload, "medium", "utm_medium", "referrermedium", length=base.MEDIUM_LENGTH),
        landing_page=base.landing_path(_first(payload, "landing_page_url", "landingpage")[1]),
        keyword=_text(payload, "keywords", "utm_term"),
        region=place,
        country=country,
        first_call=base.answer(payload.get("first_call"), "first_call"),
        qualified=_QUALIFIED.get(str(payload.get("lead_status"))),
        value_cents=base.cents(payload.get("value"), "value"),
        tags=base.tags(payload.get("tags")),
        references=references,
        recording_reference=base.recording_link(payload.get("recording")),
        recording_seconds=base.seconds(payload.get("recording_duration"), "recording_duration"),
        account=base.reference(_first(payload, "company_resource_id", "company_id")[1]) or "",
        stage=stage,
        revision=int(at.timestamp() * 1000),
        modified_only=settled(payload) if stage is Stage.MODIFIED else frozenset(),
    )


def _first(payload: dict[str, Any], *names: str) -> tuple[str, Any]:
    """The first of the names that says something, with what it says; otherwise the first name and None."""
    return next(
        ((name, payload[name]) for name in names if payload.get(name) not in (None, "")),
        (names[0], None),
    )


def _text(payload: dict[str, Any], *names: str, length: int = base.TEXT_LENGTH) -> str:
    return next((text for name in names if (text := base.plain_text(payload.get(name), length))), "")


def _direction(payload: dict[str, Any]) -> Direction:
    raw = payload.get("direction")
    if raw in (None, ""):
        return Direction.INBOUND  # the first webhooks knew no other
    word = raw.strip().lower() if isinstance(raw, str) else ""
    if word not in Direction:
        raise RefusedError("direction", "inbound or outbound")
    return Direction(word)


def _default_region(payload: dict[str, Any]) -> str:
    country = _first(payload, "customer_country", "callercountry")[1]
    return country if isinstance(country, str) and country in {"US", "CA", "GB", "AU"} else "US"


def _stage(payload: dict[str, Any], length: int | None) -> Stage:
    if payload.get("changes"):
        return Stage.MODIFIED
    if length is not None:
        return Stage.ENDED
    routed = _first(payload, "answered", "business_phone_number", "destinationnum")[1]
    return Stage.ROUTED if routed is not None else Stage.STARTED


def settled(payload: dict[str, Any]) -> frozenset[str]:
    """
    What a Call Modified says for good: it is a snapshot, so every changeable field that it carries, even
    empty.
    """
    return frozenset(field for key, field in _SETTLED_BY.items() if key in payload)


def _outcome(payload: dict[str, Any]) -> Outcome | None:
    if payload.get("voicemail") in (True, "true"):
        return Outcome.VOICEMAIL
    for key in ("call_type", "formatted_call_type", "call_status"):
        word = str(payload.get(key) or "").strip().lower().replace(" ", "_").removesuffix("_call")
        if word in _OUTCOMES:
            return _OUTCOMES[word]
    answered = base.answer(payload.get("answered"), "answered")
    if answered is None:
        return None
    return Outcome.ANSWERED if answered else Outcome.MISSED


def _started_at(payload: dict[str, Any], *, at: datetime) -> datetime:
    column, raw = _first(payload, "start_time", "timestamp", "datetime", "created_at")
    if raw is None:
        raise RefusedError(column, "the start of the call")
    # `datetime` is UTC; the others are the company's time where they say no offset.
    started_at = base.instant(raw, column, zone=UTC if column == "datetime" else _zone(payload))
    base.check_start(started_at, column, at=at)
    return started_at


def _zone(payload: dict[str, Any]) -> tzinfo:
    name = payload.get("company_time_zone")
    if not isinstance(name, str) or not name:
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return UTC
