"""
Trackers without a module of their own: Phonexa, Ringba, WhatConverts and whoever else sends a webhook.

Two ways to know that it is theirs, as the tracker can. Signed: base64 HMAC-SHA256 over id, time and raw body, as the
Standard Webhooks specification has it (`webhook-id`, `webhook-timestamp`, `webhook-signature`, "v1,"), five minutes at
most between the time that is signed and its arrival. Shared: the secret itself in a header, `X-Webhook-Secret` or
`Authorization: Bearer`, which whoever reads along could send again; so a tracker that can sign should.

What its fields mean, a person says once (`Mapping`): each field of ours by the path of one of theirs. What has no field
is never read, as everywhere. Without a mapping an event is kept sealed and refused, so that a person may look at the
shape of one, with every letter and digit masked, and say what it means.
"""

import base64 as codec
import binascii
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, timedelta, tzinfo
from datetime import datetime as moment
from typing import Any, Final
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from callprivacy.calls.enums import Direction
from callprivacy.calls.providers import base
from callprivacy.calls.providers.base import Delivery, Ignored, Parsed, RefusedError, UnparsableError
from callprivacy.calls.providers.generic import generic
from callprivacy.calls.providers.tabular import FIELDS, REQUIRED, Table
from callprivacy.lib import bounds

SIGNED: Final = "signed"
SHARED: Final = "shared"
NAMES: Final = frozenset({SIGNED, SHARED})
FRESH_FOR: Final = timedelta(minutes=5)
DEPTH_AT_MOST: Final = 6
FIELDS_AT_MOST: Final = 400
MAPPABLE: Final = tuple(field for field in FIELDS if field != "account")
UNMAPPED: Final = "Nobody has said yet what its fields mean."

_PREFIX: Final = "whsec_"
_MASKED = re.compile(r"[^\W_]")
# Five digits of any script, whatever stands between them but letters; and what makes a mail address.
_SOMEBODYS = re.compile(r"(?:\d[\W_]*){5}|[@\uff20\ufe6b]|%40").search
_TIME = re.compile(r"[0-9]{10}", re.ASCII).fullmatch


@dataclass(frozen=True, slots=True)
class Fields:
    """
    What a tracker's fields mean.

    :ivar paths: field of ours -> path of theirs, as `flat` writes it. :ivar region: the country of numbers without +.
    :ivar direction: of calls that do not say it. :ivar zone: of times without an offset. :ivar slashes: how 01/02/2026
        is read.
    """

    paths: Mapping[str, str]
    region: str = "US"
    direction: str = Direction.INBOUND.value
    zone: str = "UTC"
    slashes: str = ""

    @classmethod
    def of(cls, stored: Any) -> "Fields | None":
        """Read what a connection keeps; None where nothing usable is there."""
        if not isinstance(stored, dict) or not isinstance(stored.get("paths"), dict):
            return None
        return cls(
            {
                str(name): str(path)
                for name, path in stored["paths"].items()
                if name in MAPPABLE and _is_path(str(path))
            },
            str(stored.get("region") or "US"),
            str(stored.get("direction") or Direction.INBOUND.value),
            str(stored.get("zone") or "UTC"),
            str(stored.get("slashes") or ""),
        )

    def stored(self) -> dict[str, Any]:
        """The form in which a connection keeps it."""
        return {
            "paths": dict(self.paths), "region": self.region, "direction": self.direction, "zone": self.zone,
            "slashes": self.slashes,
        }  # fmt: skip


class _Mapped:
    """What the two have in common."""

    content_types = frozenset({"application/json", "application/x-www-form-urlencoded"})
    latest_counts = True

    def event_key(self, body: bytes) -> str | None:
        """Nobody says how it numbers its events; equal bodies are one."""
        return base.digest_key(body)

    def parse(self, body: bytes, headers: Mapping[str, str], *, at: moment) -> Parsed:
        """
        :raises UnparsableError: always: what its fields mean is its connection's, see `parse`.
        """
        raise UnparsableError(UNMAPPED)


class Signed(_Mapped):
    """The `Provider` for trackers that sign as Standard Webhooks has it."""

    name = SIGNED
    title = "Another tracker, signed"

    def said_at(self, headers: Mapping[str, str]) -> moment | None:
        """The time that is signed, seconds since 1970."""
        time = base.header(headers, "webhook-timestamp").strip()
        return None if _TIME(time) is None else moment.fromtimestamp(int(time), UTC)

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> bool:
        """Whether one of the signatures is this delivery's under one of the secrets, and it was signed just now."""
        name = base.header(delivery.headers, "webhook-id")
        time = base.header(delivery.headers, "webhook-timestamp").strip()
        given = base.header(delivery.headers, "webhook-signature").encode("utf-8", "replace").split()
        message = f"{name}.{time}.".encode("utf-8", "surrogatepass") + delivery.body
        verified = False
        for secret in secrets:
            key = _key(secret)
            expected = b"v1," + codec.b64encode(hmac.digest(key or b"-", message, "sha256"))
            for one in given[:8]:
                verified |= hmac.compare_digest(expected, one) and key != b""
        return verified and name != "" and _is_fresh(time, delivery.at)


class Shared(_Mapped):
    """The `Provider` for trackers that send a secret along."""

    name = SHARED
    title = "Another tracker, with a secret in a header"

    def said_at(self, headers: Mapping[str, str]) -> moment | None:
        """Nothing of it is signed."""
        return None

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> bool:
        given = base.header(delivery.headers, "X-Webhook-Secret").strip()
        if not given:
            given = base.header(delivery.headers, "Authorization").strip().removeprefix("Bearer ").strip()
        verified = False
        for secret in secrets:
            verified |= (
                hmac.compare_digest(secret.encode(), given.encode("utf-8", "replace")) and secret != ""
            )
        return verified


def _key(secret: str) -> bytes:
    """The bytes that sign: what the specification's form encodes, otherwise the text itself."""
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return codec.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (ValueError, binascii.Error):
        return b""


def _is_fresh(time: str, at: moment | None) -> bool:
    if _TIME(time) is None:
        return False
    return at is None or abs(at - moment.fromtimestamp(int(time), UTC)) <= FRESH_FOR


def flat(body: bytes, content_type: str) -> dict[str, str]:
    """
    Path -> text of everything that an event says: "call.from", "tags.0", or the names of a form.

    :raises UnparsableError: it is neither a form nor a JSON object, or it says too much.
    """
    if content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
        try:
            pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_AT_MOST)
        except ValueError:
            raise UnparsableError("The body is no form.") from None
        return {name: value for name, value in reversed(pairs) if _is_path(name)}
    try:
        payload = bounds.from_json(body)
    except bounds.TooDeepError as error:
        raise UnparsableError(f"The body cannot be read: {error}.") from None
    except ValueError:
        raise UnparsableError("The body is not JSON.") from None
    if not isinstance(payload, dict):
        raise UnparsableError("The body is not a JSON object.")
    found: dict[str, str] = {}
    _flatten(payload, "", found, DEPTH_AT_MOST)
    return found


def _is_path(name: str) -> bool:
    """A name of a field; one that may be somebody's number or mail address is neither shown nor chosen."""
    return 0 < len(name) <= 200 and name.isprintable() and _SOMEBODYS(name) is None


def _flatten(value: Any, path: str, found: dict[str, str], depth: int) -> None:
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for name, inner in items if depth else ():
            _flatten(inner, f"{path}.{name}" if path else str(name), found, depth - 1)
        return
    if len(found) >= FIELDS_AT_MOST:
        raise UnparsableError("The event has more fields than can be read.")
    if _is_path(path):
        found[path] = (
            "" if value is None else ("true" if value else "false") if isinstance(value, bool) else str(value)
        )


def parse(body: bytes, content_type: str, fields: Fields | None, *, at: moment) -> Parsed:
    """
    The facts of an event, by what its connection says that its fields mean.

    :raises RefusedError: a value in it cannot be true.
    :raises UnparsableError: it is no event, or nobody has said what its fields mean.
    """
    if fields is None or any(not fields.paths.get(name) for name in REQUIRED):
        raise UnparsableError(UNMAPPED)
    said = flat(body, content_type)
    row = {path: said.get(path, "") for path in fields.paths.values()}
    layout = generic(
        fields.paths,
        slashes="month first" if fields.slashes == "month first" else "day first" if fields.slashes else None,
        default_region=fields.region,
        direction=Direction(fields.direction),
    )
    rows = list(
        Table(json.dumps([row]).encode()).rows(
            replace(layout, has_epochs=True), zone=_zone(fields.zone), at=at
        )
    )
    if not rows:
        return Ignored("no call")
    facts = rows[0][1]
    if isinstance(facts, RefusedError):
        raise RefusedError(facts.column, facts.expected)
    return facts


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return UTC


def masked(text: str) -> str:
    """The shape of what stands in a field: letters and digits become dots, so that nothing of anybody is shown."""
    short = text if len(text) <= 40 else f"{text[:39]}…"
    return _MASKED.sub("•", short)
