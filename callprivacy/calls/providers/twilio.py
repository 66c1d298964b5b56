"""
Twilio's voice callbacks: status of a call and of its recording.

Sources: twilio.com/docs/usage/webhooks/webhooks-security (forms: address and sorted parameters; JSON: the
address, with the body's SHA-256 in its query) and twilio.com/docs/usage/webhooks/webhook-shared-keys (the
same string under HMAC-SHA256, its encoding taken to be base64 as well). Everything received is signed, so
parameters that Twilio adds change nothing. Callbacks come in any order; `SequenceNumber` says which knows
better. Legs of a call (`ParentCallSid`) are no calls. Twilio does not know voicemail on inbound calls:
`completed` is answered.
"""

import base64
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import Any, Final
from urllib.parse import parse_qs, parse_qsl, urlsplit, urlunsplit

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

SID: Final = "sid"
FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"
FIELDS_AT_MOST: Final = 300

_OUTCOMES: Final = {
    "completed": Outcome.ANSWERED,
    "busy": Outcome.BUSY,
    "no-answer": Outcome.MISSED,
    "failed": Outcome.FAILED,
    "canceled": Outcome.ABANDONED,
}
_STARTED: Final = frozenset({"queued", "initiated", "ringing"})
_ROUTED: Final = frozenset({"in-progress", "answered"})
_INBOUND: Final = frozenset({"inbound", "trunking-originating"})
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII).fullmatch
_NOT_TELEPHONES: Final = ("client:", "sip:", "sips:", "whatsapp:", "sim:", "app:")


class Twilio:
    name = "twilio"
    title = "Twilio"
    content_types = frozenset({FORM, JSON})
    latest_counts = False

    def said_at(self, headers: Mapping[str, str]) -> datetime | None:
        return None

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> bool:
        """Whether `X-Twilio-Signature` is this delivery's under one of the tokens, port or no port."""
        signed = _signed_suffix(delivery)
        algorithm = _algorithm(delivery.headers)
        if signed is None or algorithm is None:
            return False
        given = base.header(delivery.headers, "X-Twilio-Signature").strip().encode("utf-8", "replace")
        verified = False
        for url in _addresses(delivery.url):
            message = (url + signed).encode("utf-8", "surrogatepass")
            for secret in secrets:
                expected = _digest(secret, message, algorithm)
                verified |= hmac.compare_digest(expected, given) and secret != ""
        return verified

    def event_key(self, body: bytes) -> str | None:
        """Call and sequence number, or recording and its status; otherwise equal bodies are one event."""
        try:
            params = _load(body)
        except UnparsableError:
            return None
        call, recording = (base.reference(params.get(name)) for name in ("CallSid", "RecordingSid"))
        status = base.reference(params.get("RecordingStatus"))
        sequence = params.get("SequenceNumber", "")
        if status is not None and recording is not None and len(recording) + len(status) < 100:
            return f"recording:{recording}:{status}"
        if (
            call is not None
            and _has_parties(params)
            and sequence.isascii()
            and sequence.isdigit()
            and len(sequence) < 10
        ):
            return f"call:{call}:{int(sequence)}"
        return base.digest_key(body)

    def parse(self, body: bytes, headers: Mapping[str, str], *, at: datetime) -> Parsed:
        """
        The facts of a status or recording callback; legs, absent recordings and messages are ignored.

        :raises RefusedError: a value cannot be true.
        :raises UnparsableError: no call is in it.
        """
        params = _load(body)
        if params.get("MessageSid") or params.get("SmsSid"):
            return Ignored("text message")
        if params.get("ParentCallSid"):
            return Ignored("leg of a call")
        call = base.reference(params.get("CallSid"))
        if call is None:
            raise UnparsableError("A call of Twilio has a CallSid; this has none.")
        if params.get("RecordingStatus"):
            return _recording(params, call, at=at)
        return _call(params, call, at=at)


def listed(payload: Mapping[str, Any]) -> base.ListedPage:
    """
    A page of `Recordings.json`; source: twilio/twilio-oai, api_v2010, ListRecording. Deleted ones are not in it.

    :raises UnparsableError: it is no such page.
    """
    rows = payload.get("recordings")
    if not isinstance(rows, list):
        raise UnparsableError("Twilio's answer is no list of recordings.")
    found = (_listed(row) for row in rows if isinstance(row, dict))
    return base.ListedPage(
        tuple(one for one in found if one is not None),
        base.following(payload.get("next_page_uri"), "PageToken"),
    )


def _listed(row: Mapping[str, Any]) -> base.Listed | None:
    name, call = base.reference(row.get("sid")), base.reference(row.get("call_sid"))
    if name is None:
        return None
    return base.Listed(
        name,
        ((SID, call),) if call is not None else (),
        _moment(row.get("start_time") or row.get("date_created")),
    )


def _moment(raw: object) -> datetime | None:
    try:
        moment = parsedate_to_datetime(str(raw)[:64])
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def signature(url: str, params: Mapping[str, str], secret: str) -> str:
    """What Twilio writes into `X-Twilio-Signature` for a form that it sends to an address."""
    text = url + "".join(name + value for name, value in sorted(params.items()))
    return _digest(secret, text.encode(), "sha1").decode()


def _digest(secret: str, message: bytes, algorithm: str) -> bytes:
    return base64.b64encode(hmac.digest(secret.encode(), message, algorithm))


def _load(body: bytes) -> dict[str, str]:
    """The parameters of a form, or a JSON object's texts and numbers; the first of repeated names stands."""
    if body.lstrip()[:1] == b"{":
        try:
            payload = bounds.from_json(body)
        except bounds.TooDeepError as error:
            raise UnparsableError(f"The body cannot be read: {error}.") from None
        except ValueError:
            raise UnparsableError("The body is not JSON.") from None
        return {
            key: str(value)
            for key, value in payload.items()
            if isinstance(value, str | int | float) and not isinstance(value, bool)
        }
    pairs = _pairs(body)
    if not pairs:
        raise UnparsableError("The body is neither a form nor JSON.")
    # The signature covers names and values without what stands between: From=+1415 signs like From+=1415.
    if not all(_NAME(name) for name, _ in pairs):
        raise UnparsableError("A parameter has a name that Twilio gives none.")
    return dict(reversed(pairs))


def _pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            max_num_fields=FIELDS_AT_MOST,
            encoding="utf-8",
            errors="strict",
        )
    except ValueError:
        return []


def _signed_suffix(delivery: Delivery) -> str | None:
    """What is signed after the address; None when the body is not what the address says it is."""
    content_type = base.header(delivery.headers, "Content-Type").partition(";")[0].strip().lower()
    if content_type == JSON:
        claimed = parse_qs(urlsplit(delivery.url).query).get("bodySHA256", [""])[0]
        actual = sha256(delivery.body).hexdigest()
        return (
            "" if hmac.compare_digest(actual.encode(), claimed.lower().encode("utf-8", "replace")) else None
        )
    if content_type != FORM:
        return None
    pairs = _pairs(delivery.body)
    # A body that cannot be read must not pass as the empty one, whose signature is the address's alone.
    return (
        None if delivery.body and not pairs else "".join(name + value for name, value in sorted(set(pairs)))
    )


def _algorithm(headers: Mapping[str, str]) -> str | None:
    settings = base.header(headers, "X-Twilio-Webhooks-Signature-Settings")
    if not settings:
        return "sha1"
    named = dict(part.strip().partition("=")[::2] for part in settings.split(","))
    return "sha256" if named.get("algorithm") == "HMAC_SHA256" else None


def _addresses(url: str) -> Iterator[str]:
    """The address as called, without its port, and with the port of its scheme."""
    yield url
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return
    if port is not None:
        yield urlunsplit(parts._replace(netloc=parts.netloc.rpartition(":")[0]))
    elif parts.netloc:
        yield urlunsplit(parts._replace(netloc=f"{parts.netloc}:{443 if parts.scheme == 'https' else 80}"))


def _call(params: dict[str, str], call: str, *, at: datetime) -> CallFacts:
    direction = _direction(params)
    if not _has_parties(params):
        raise RefusedError("From", "the caller's and the called number")
    ours, theirs = ("To", "From") if direction is Direction.INBOUND else ("From", "To")
    stage = _stage(params)
    length = base.seconds(params.get("CallDuration"), "CallDuration") if stage is Stage.ENDED else None
    caller, withheld = _caller(params, theirs)
    country, region = base.place(params.get(f"{theirs}Country"), params.get(f"{theirs}State"), caller)
    # Of a row of the list: how long it rang is in no length, so the end less the length would be too late.
    column, over = ("StartTime", None) if params.get("StartTime") else ("Timestamp", length)
    return CallFacts(
        started_at=_started_at(params, column, over, at=at),
        direction=direction,
        seconds=length,
        outcome=_outcome(params, direction) if stage is Stage.ENDED else None,
        caller=caller,
        caller_withheld=withheld,
        tracking_number=None
        if _is_no_telephone(params.get(ours, ""))
        else base.number(params.get(ours), ours),
        country=country,
        region=region,
        references=((SID, call),),
        recording_reference=base.recording_link(params.get("RecordingUrl")),
        recording_seconds=base.seconds(params.get("RecordingDuration"), "RecordingDuration"),
        account=base.reference(params.get("AccountSid")) or "",
        stage=stage,
        revision=_sequence(params),
    )


def _has_parties(params: Mapping[str, str]) -> bool:
    """Whether both numbers are named, be they empty: a signature stands as well where a name was cut differently."""
    return ("From" in params or "Caller" in params) and ("To" in params or "Called" in params)


def _recording(params: dict[str, str], call: str, *, at: datetime) -> Parsed:
    status = params["RecordingStatus"]
    if status == "absent":
        return Ignored("absent recording")
    if status not in {"in-progress", "completed", "paused", "stopped"}:
        raise RefusedError("RecordingStatus", "in-progress, completed or absent")
    ended = status == "completed"
    length = base.seconds(params.get("RecordingDuration"), "RecordingDuration") if ended else None
    return CallFacts(
        started_at=_started_at(
            params,
            "RecordingStartTime",
            None if params.get("RecordingStartTime") else length,
            at=at,
        ),
        direction=None,
        references=((SID, call),),
        recording_reference=base.recording_link(params.get("RecordingUrl")),
        recording_seconds=length,
        account=base.reference(params.get("AccountSid")) or "",
        stage=Stage.ADDENDUM,
        revision=1 if ended else 0,
    )


def _direction(params: dict[str, str]) -> Direction:
    raw = params.get("Direction", "")
    if raw in _INBOUND:
        return Direction.INBOUND
    if raw.startswith("outbound") or raw == "trunking-terminating":
        return Direction.OUTBOUND
    raise RefusedError("Direction", "inbound, outbound-api, outbound-dial or trunking-*")


def _stage(params: dict[str, str]) -> Stage:
    status = params.get("CallStatus", "")
    if status in _OUTCOMES:
        return Stage.ENDED
    if status in _ROUTED:
        return Stage.ROUTED
    if status in _STARTED:
        return Stage.STARTED
    raise RefusedError("CallStatus", "a status of Twilio's")


def _outcome(params: dict[str, str], direction: Direction) -> Outcome:
    by_machine = params.get("AnsweredBy", "").startswith("machine")
    if direction is Direction.OUTBOUND and by_machine and params["CallStatus"] == "completed":
        return Outcome.VOICEMAIL
    return _OUTCOMES[params["CallStatus"]]


def _caller(params: dict[str, str], theirs: str) -> tuple[str | None, bool]:
    alias = "Caller" if theirs == "From" else "Called"
    column = theirs if params.get(theirs) or not params.get(alias) else alias
    raw = params.get(column, "")
    return (None, False) if _is_no_telephone(raw) else base.caller(raw, column)


def _is_no_telephone(raw: str) -> bool:
    return raw.lower().startswith(_NOT_TELEPHONES)


def _started_at(params: dict[str, str], column: str, length: int | None, *, at: datetime) -> datetime:
    """The moment of the event less the length that is over by then; without a moment, its arrival."""
    raw = params.get(column)
    if not raw:
        moment = at.astimezone(UTC)
    else:
        try:
            moment = parsedate_to_datetime(raw[:64])
            moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError, TypeError, IndexError):
            raise RefusedError(column, "a time as in RFC 2822") from None
    base.check_start(moment, column, at=at)
    started_at = moment - timedelta(seconds=length or 0)
    base.check_start(started_at, column, at=at)
    return started_at


def _sequence(params: dict[str, str]) -> int:
    raw = params.get("SequenceNumber", "")
    if not raw:
        return 0
    if not (raw.isascii() and raw.isdigit() and len(raw) < 10):
        raise RefusedError("SequenceNumber", "a whole number from 0")
    return int(raw)
