"""
The vendor's part in the demo: what it would sign, and an interface that only remembers what it was asked.

Nothing here is reached but in an agency that was made as a demo, on a machine without a public address. What is
remembered lies in the cache for a day; all numbers are reserved for fiction.
"""

import re
import secrets
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.cache import cache
from django.db import connection as database
from django.db import transaction

from callprivacy.calls.models import Connection, ConnectionSecret
from callprivacy.calls.providers import callrail
from callprivacy.calls.providers import twilio as provider
from callprivacy.tenancy.models import Agency
from callprivacy.tenancy.scope import job_scope, operator_scope
from consent.channels import twilio
from consent.selectors import phone as selectors

_DOOR: Final = re.compile(r"/(?:hooks/(?P<hook>twilio|callrail)|twilio)/(?P<key>[^/?]+)/").match
_DAY: Final = int(timedelta(days=1).total_seconds())
_REMEMBERED: Final = 60
_OUT: Final = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "END", "QUIT", "CANCEL", "REVOKE", "OPTOUT"})
_IN: Final = frozenset({"START", "YES", "UNSTOP"})
_HELP: Final = frozenset({"HELP", "INFO"})


class NotPlayedError(LookupError):
    """It is no demo's, or no connection of it."""


def sign(*, agency: Agency, path: str, body: str, at: datetime) -> dict[str, str]:
    """
    What the vendor would write into its signature for a body that it sends to one of the demo's doors.

    :raises NotPlayedError: the agency is no demo, or the address is no door of its connections.
    """
    found = _DOOR(path)
    connection = (
        Connection.objects.filter(
            agency=agency, provider=found["hook"] or twilio.NAME, key=found["key"], is_active=True
        ).first()
        if found is not None
        else None
    )
    if not agency.is_demo or connection is None:
        raise NotPlayedError("no door of a demo")
    secret = _secret(connection, at)
    if connection.provider != twilio.NAME:
        return {"header": "Signature", "signature": callrail.signature(body.encode(), secret)}
    said = twilio.read(body.encode())
    _meet(agency, connection, secret, said)
    url = f"{settings.CALLPRIVACY_URL}{path}"
    return {"header": "X-Twilio-Signature", "signature": provider.signature(url, said, secret)}


def _secret(connection: Connection, at: datetime) -> str:
    rows = ConnectionSecret.objects.for_client(connection.client_id).filter(connection=connection)
    row = rows.counting(at).first()
    if row is None:
        raise NotPlayedError("no secret counts")
    return str(row.secret)


# --- Its memory -----------------------------------------------------------------------------------------------------


def _memory(agency_id: int) -> dict[str, Any]:
    found: dict[str, Any] = cache.get(f"demo-phone:{agency_id}") or {}
    return {"events": [], "blocked": [], "recordings": {}} | found


@contextmanager
def _changed(agency_id: int) -> Iterator[dict[str, Any]]:
    """What is remembered, to be changed: who else would change it waits, in whatever process."""
    with transaction.atomic():
        with database.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended('consent.demo_phone', %s))", [agency_id]
            )
        memory = _memory(agency_id)
        yield memory
        _keep(agency_id, memory)


def _keep(agency_id: int, memory: dict[str, Any]) -> None:
    memory["events"] = memory["events"][-_REMEMBERED:]
    cache.set(f"demo-phone:{agency_id}", memory, _DAY)


def _note(memory: dict[str, Any], what: str, **facts: str) -> None:
    memory["count"] = memory.get("count", 0) + 1
    memory["events"].append({"number": memory["count"], "what": what, **facts})


def _meet(agency: Agency, connection: Connection, secret: str, said: Mapping[str, str]) -> None:
    """Remember the account and its token for the interface, and what the vendor itself would do with a text."""
    _remember(selectors.account_of(connection), agency.pk, secret)
    with _changed(agency.pk) as memory:
        _hear(memory, said)


def _hear(memory: dict[str, Any], said: Mapping[str, str]) -> None:
    caller, body = said.get("From", ""), said.get("Body", "").strip().upper()
    if said.get("RecordingSid") and said.get("RecordingStatus") == "in-progress":
        memory["recordings"][said.get("CallSid", "")] = said["RecordingSid"]
    if body in _OUT:
        memory["blocked"] = sorted({*memory["blocked"], caller})
        _note(
            memory,
            "own",
            to=caller,
            words="You have successfully been unsubscribed. Reply START to resubscribe.",
        )
    elif body in _IN and caller in memory["blocked"]:
        memory["blocked"] = [number for number in memory["blocked"] if number != caller]
        _note(
            memory,
            "own",
            to=caller,
            words="You have successfully been re-subscribed. Reply STOP to unsubscribe.",
        )
    elif body in _HELP:
        _note(memory, "own", to=caller, words="Reply STOP to unsubscribe. Msg&Data Rates May Apply.")


def _remember(account: str, agency_id: int, secret: str) -> dict[str, Any]:
    known = {"agency": agency_id, "digest": sha256(secret.encode()).hexdigest()}
    cache.set(f"demo-account:{account}", known, _DAY)
    return known


def heard(*, agency: Agency) -> list[dict[str, Any]]:
    """What the vendor was asked and did by itself, the oldest first."""
    found: list[dict[str, Any]] = _memory(agency.pk)["events"]
    return found


# --- Its interface --------------------------------------------------------------------------------------------------


def play(
    *, account: str, token: str, method: str, path: str, said: Mapping[str, str], at: datetime
) -> tuple[int, dict[str, Any]]:
    """
    Answer as Twilio's interface would, and remember what was asked. Called outside any scope.

    :param path: what follows the account: "Messages.json".
    :raises NotPlayedError: no demo's account, or another token than its connection's.
    """
    known = cache.get(f"demo-account:{account}") or _look_up(account, at)
    digest = sha256(token.encode()).hexdigest()
    if known is None or not secrets.compare_digest(known["digest"], digest):
        raise NotPlayedError(account[:10])
    with _changed(known["agency"]) as memory:
        return _answer(memory, account, method, path, said)


def _look_up(account: str, at: datetime) -> dict[str, Any] | None:
    """Whose an account is that nobody has signed for lately: it is named after its connection."""
    try:
        connection_id = uuid.UUID(account.removeprefix("AC"))
    except ValueError:
        return None
    with operator_scope():
        demos = list(Agency.objects.filter(is_demo=True).values_list("pk", flat=True))
    for agency_id in demos:
        with job_scope(agency_id=agency_id):
            connection = Connection.objects.filter(
                pk=connection_id, agency_id=agency_id, provider=twilio.NAME, is_active=True
            ).first()
            if connection is not None:
                return _remember(account, agency_id, _secret(connection, at))
    return None


def _answer(
    memory: dict[str, Any], account: str, method: str, path: str, said: Mapping[str, str]
) -> tuple[int, dict[str, Any]]:
    parts = path.removesuffix(".json").split("/")
    if method == "POST" and parts == ["Messages"]:
        return _text(memory, said)
    if method == "POST" and parts == ["Calls"]:
        return _ring(memory, account, said)
    if method == "POST" and len(parts) == 4 and (parts[0], parts[2]) == ("Calls", "Recordings"):
        recording = memory["recordings"].get(parts[1])
        if recording is None:
            return 404, {"code": 20404}
        _note(memory, "stopped", call=parts[1])
        return 200, {"sid": recording, "status": "stopped"}
    if method == "DELETE" and len(parts) == 2 and parts[0] == "Recordings":
        calls = [call for call, sid in memory["recordings"].items() if sid == parts[1]]
        for call in calls:
            del memory["recordings"][call]
            _note(memory, "deleted", call=call)
        return (204, {}) if calls else (404, {"code": 20404})
    return 404, {"code": 20404}


def _ring(memory: dict[str, Any], account: str, said: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    """A telephone rings; whoever picks up on the page of the telephone hears what stands at the address."""
    asked = urlsplit(said.get("Url", ""))
    found = _DOOR(asked.path)
    if found is None or not said.get("To"):
        return 400, {"code": 21205}
    call = f"CA{secrets.token_hex(16)}"
    place = {"account": account, "key": found["key"], "path": asked.path}
    _note(memory, "ring", call=call, to=said["To"], shown=said.get("From", ""), **place)
    return 201, {"sid": call, "status": "queued"}


def _text(memory: dict[str, Any], said: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    to = said.get("To", "")
    if to in memory["blocked"]:
        _note(memory, "blocked", to=to, words=said.get("Body", ""))
        return 400, {"code": twilio.OPTED_OUT}
    _note(memory, "text", to=to, words=said.get("Body", ""))
    return 201, {"sid": f"SM{secrets.token_hex(16)}", "status": "queued"}
