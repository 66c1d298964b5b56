"""A tracker as its clients' vendors are: events over HTTP, signed, and what came of each written down."""

import base64
import hmac
import http.client
import json
import random
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

from lab.faults.history import SECRET, VENDORS, World
from lab.faults.site import Site

_EVERY = 0.3
# Seconds for an answer, as vendors have them.
_PATIENCE = 15.0
# Seconds that the first call lasted: more than any other call of the trial's.
FIRST = 1_000
# CallRail sends no webhook again, Twilio only over a broken connection (docs/adr/0141).
_SEND_AGAIN, _TRIES = frozenset({"twilio"}), 4


@dataclass(frozen=True)
class Event:
    """One call as a vendor tells of it; its number is also how many seconds it lasted."""

    number: int
    client_id: int
    vendor: str
    path: str
    body: bytes
    headers: dict[str, str]


class Tracker(threading.Thread):
    """Sends signed events to the web process until told to end: new calls, and old ones once more."""

    def __init__(self, world: World, site: Site, seed: int) -> None:
        super().__init__(daemon=True)
        self.world, self.site, self.chance = world, site, random.Random(seed)
        self.ending = threading.Event()
        self.sent: list[Event] = []
        self.next = FIRST

    def run(self) -> None:
        """Send, and write down what was acknowledged."""
        while not self.ending.wait(_EVERY):
            if self.sent and self.chance.random() < 0.2:
                self._send(self.chance.choice(self.sent))
                continue
            event = self._made()
            for turn in range(_TRIES):
                self.world.history.again += turn > 0
                if self._send(event) or event.vendor not in _SEND_AGAIN or self.ending.wait(1):
                    break

    def _send(self, event: Event) -> bool:
        """Send it once and note what came of it; whether anything was answered."""
        history = self.world.history
        line = http.client.HTTPConnection("127.0.0.1", self.site.port, timeout=_PATIENCE)
        try:
            line.connect()
        except OSError:
            history.away += 1
            return False
        self.site.asking.set()
        try:
            line.request("POST", event.path, event.body, event.headers)
            status = line.getresponse().status
        except (OSError, http.client.HTTPException):
            history.cut += 1
            history.unsure[event.number] = event.client_id
            return False
        finally:
            self.site.asking.clear()
            line.close()
        self._note(event, status)
        return True

    def _note(self, event: Event, status: int) -> None:
        history = self.world.history
        if status == http.HTTPStatus.OK:
            if event.number in history.taken:
                history.repeated += 1
            else:
                self.sent.append(event)
            history.taken[event.number] = event.client_id
        elif status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
            history.failed += 1
            history.unsure[event.number] = event.client_id
        else:
            history.refused.append(status)

    def _made(self) -> Event:
        """A new call, which began long enough ago to lie behind a clock that goes back by an hour."""
        number, self.next = self.next, self.next + 1
        client = self.chance.choice(self.world.clients)
        vendor = self.chance.choice(VENDORS)
        caller, _ = self.chance.choice(self.world.people[client.pk])
        path = f"/hooks/{vendor}/{self.world.doors[client.pk][vendor]}/"
        at = self.world.clock.now() - timedelta(minutes=self.chance.randrange(61, 180))
        make = _callrail if vendor == "callrail" else self._twilio
        body, headers = make(number, caller, at, path)
        return Event(number, client.pk, vendor, path, body, headers)

    def _twilio(self, number: int, caller: str, at: datetime, path: str) -> tuple[bytes, dict[str, str]]:
        from callprivacy.calls.providers import twilio

        params = {
            "CallSid": f"CA{number:032x}", "CallStatus": "completed", "CallDuration": str(number),
            "Direction": "inbound", "From": caller, "To": "+14045550100",
            "Timestamp": format_datetime(at), "SequenceNumber": "3",
        }  # fmt: skip
        signed = twilio.signature(f"http://127.0.0.1:{self.site.port}{path}", params, SECRET)
        return urlencode(params).encode(), {"Content-Type": twilio.FORM, "X-Twilio-Signature": signed}


def _callrail(number: int, caller: str, at: datetime, _: str) -> tuple[bytes, dict[str, str]]:
    event: dict[str, Any] = {
        "id": number, "start_time": at.isoformat(), "direction": "inbound", "duration": str(number), "answered": True,
        "customer_phone_number": caller, "tracking_phone_number": "+14045550100", "source_name": "Google Ads",
    }  # fmt: skip
    body = json.dumps(event).encode()
    signed = base64.b64encode(hmac.digest(SECRET.encode(), body, "sha1")).decode()
    return body, {"Content-Type": "application/json", "Signature": signed}
