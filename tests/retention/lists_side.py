"""The list endpoints of Twilio and CallRail, played on this machine by what the vendors publish of them."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests import published

ACCOUNT = "AC" + "a" * 32
TOKEN = "0123456789abcdef0123456789abcdef"
CALLRAIL_ACCOUNT = "ACC123"
CALLRAIL_KEY = "0123456789abcdef0123456789"


@dataclass
class Lists:
    """
    What the vendors have, in the order in which they list it, and how they were asked.

    :ivar page: how many they list at once. :ivar fails: answered instead, as many times as there are statuses.
    :ivar watch: holds questions and answers to what the vendors publish.
    """

    url: str
    recordings: list[dict[str, Any]] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    page: int = 2
    fails: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    words: dict[str, str] = field(default_factory=dict)
    watch: published.Watch = field(default_factory=published.Watch)

    def add_recording(self, sid: str, call: str, started_at: datetime) -> None:
        """A recording as Twilio lists it."""
        moment = format_datetime(started_at.astimezone(UTC))
        self.recordings.append(
            {
                "account_sid": ACCOUNT, "sid": sid, "call_sid": call, "date_created": moment, "start_time": moment,
                "duration": "31", "channels": 2, "source": "DialVerb", "status": "completed",
                "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Recordings/{sid}.json",
            }
        )  # fmt: skip

    def add_call(self, call: str, started_at: datetime, *, company: str = "", recorded: bool = True) -> None:
        """A call as CallRail lists it, with the fields that a question without `fields` gets, and the company."""
        self.calls.append(
            {
                "answered": True, "business_phone_number": None, "customer_city": "Denver", "customer_country": "US",
                "customer_name": "A NAME", "customer_phone_number": "+12125550101", "customer_state": "CO",
                "direction": "inbound", "duration": 60, "id": call, "company_id": company,
                "recording": f"https://api.callrail.com/v3/a/{CALLRAIL_ACCOUNT}/calls/{call}/recording.json"
                if recorded
                else None,
                "recording_duration": 55, "recording_player": None, "start_time": started_at.isoformat(),
                "tracking_phone_number": "+14045550199", "voicemail": False, "agent_email": None,
            }
        )  # fmt: skip


def _twilio(lists: Lists, asked: dict[str, list[str]]) -> dict[str, Any]:
    first = int(asked.get("PageToken", ["PA0"])[0].removeprefix("PA"))
    last = first + lists.page
    path = f"/2010-04-01/Accounts/{ACCOUNT}/Recordings.json"
    more = f"{path}?PageSize={lists.page}&Page=1&PageToken=PA{last}" if last < len(lists.recordings) else None
    return {"recordings": lists.recordings[first:last], "next_page_uri": more, "page_size": lists.page}


def _callrail(lists: Lists, asked: dict[str, list[str]]) -> dict[str, Any]:
    first = int(asked.get("offset", ["0"])[0])
    last = first + lists.page
    more = last < len(lists.calls)
    path = f"{lists.url}/v3/a/{CALLRAIL_ACCOUNT}/calls.json"
    return {
        "calls": lists.calls[first:last],
        "per_page": lists.page,
        "has_next_page": more,
        "next_page": f"{path}?offset={last}&per_page={lists.page}&relative_pagination=true" if more else None,
    }


@contextmanager
def interface() -> Iterator[Lists]:
    """Both interfaces, on a port of this machine."""
    lists = Lists(url="")
    basic = "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            asked = parse_qs(parts.query)
            lists.asked.append(self.path)
            given = self.headers.get("Authorization", "")
            if lists.fails:
                self._answer(lists.fails.pop(0), {})
            elif parts.path == f"/2010-04-01/Accounts/{ACCOUNT}/Recordings.json" and given == basic:
                self._answer(200, _twilio(lists, asked))
            elif (
                parts.path == f"/v3/a/{CALLRAIL_ACCOUNT}/calls.json"
                and given == f'Token token="{CALLRAIL_KEY}"'
                and asked.get("relative_pagination") == ["true"]
                and int(asked["per_page"][0]) <= 250
            ):
                self._answer(200, _callrail(lists, asked))
            elif (
                parts.path.startswith(f"/v3/a/{CALLRAIL_ACCOUNT}/calls/")
                and given == f'Token token="{CALLRAIL_KEY}"'
                and asked.get("fields") == ["transcription"]
            ):
                call = parts.path.rpartition("/")[2].removesuffix(".json")
                self._answer(200, {"id": call, "transcription": lists.words.get(call)})
            else:
                self._answer(401, {"code": 20003})

        def _answer(self, status: int, payload: dict[str, Any]) -> None:
            lists.watch.exchange("GET", self.path, {}, status, payload)
            body = json.dumps(payload).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    lists.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield lists
    finally:
        server.shutdown()
        server.server_close()
    assert not lists.watch.wrong, lists.watch.wrong
