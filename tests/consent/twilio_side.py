"""Twilio's side: webhooks that it signs and sends us, and an interface that answers on this machine and remembers."""

import base64
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode
from xml.etree import ElementTree as ET

from django.conf import settings
from django.test import Client as Browser

from callprivacy.calls.models import Connection, TrackingNumber
from callprivacy.calls.services import connections
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from consent.enums import Channel, Language, NoticeState
from consent.models import Notice, NoticeVersion, PhoneMenu
from tests import make, published

FORM = "application/x-www-form-urlencoded"
TOKEN = "0123456789abcdef0123456789abcdef"
ACCOUNT = "AC" + "a" * 32
CALLER = "+14155550101"
TRACKING = "+14155550199"
LINE, PERSON = "+14155550180", "+14155550181"
CALL, RECORDING = "CA" + "c" * 32, "RE" + "e" * 32
WORDS = {
    "en": "Acme Dental would like to record and monitor this call.",
    "es": "Acme Dental quisiera grabar y supervisar esta llamada.",
}


def connect(to: Client, *, token: str = TOKEN, name: str = "Twilio") -> Connection:
    """A connection to Twilio."""
    with job_scope(agency_id=to.agency_id):
        return connections.create_connection(
            client=to, provider="twilio", name=name, secret=token, by=make.JOB, at=make.NOON
        )


def notice(
    of: Client,
    *,
    channel: Channel = Channel.MENU,
    language: Language = Language.ENGLISH,
    purposes: tuple[str, ...] = ("record", "review", "analyse"),
    words: str | None = None,
    published: bool = True,
    name: str = "Recording",
) -> NoticeVersion:
    """A notice with one version."""
    with job_scope(agency_id=of.agency_id):
        ours = {"agency_id": of.agency_id, "client": of, "created_at": make.NOON}
        row = Notice.objects.create(
            name=name, purposes=list(purposes), channel=channel, language=language, **ours
        )
        version = NoticeVersion(
            notice=row,
            number=1,
            controller="Acme Dental LLC",
            words=words or WORDS[language],
            **ours,
        )
        if published:
            version.state, version.published_at, version.digest = NoticeState.PUBLISHED, make.NOON, b"d" * 32
        version.save(force_insert=True)
        return version


def menu(
    of: Client, connection: Connection, *, spanish: bool = False, active: bool = True, **fields: Any
) -> PhoneMenu:
    """An active menu on the tracking number, with its published notice."""
    number: TrackingNumber = fields.pop("number", None) or make.tracking_number(of, TRACKING)
    version = fields.pop("version", None) or notice(of)
    other = notice(of, language=Language.SPANISH) if spanish else None
    with job_scope(agency_id=of.agency_id):
        return PhoneMenu.objects.create(
            agency_id=of.agency_id,
            client=of,
            tracking_number=number,
            connection=connection,
            is_active=active,
            notice=version.notice,
            other_notice=other.notice if other else None,
            forward_to=fields.pop("forward_to", LINE),
            person_line=fields.pop("person_line", PERSON),
            created_at=make.NOON,
            **fields,
        )


# --- What it sends us ---


def sign(url: str, said: dict[str, str], token: str = TOKEN) -> str:
    """`X-Twilio-Signature` of a form."""
    text = url + "".join(name + value for name, value in sorted(said.items()))
    return base64.b64encode(hmac.digest(token.encode(), text.encode(), "sha1")).decode()


def post(path: str, said: dict[str, str], *, token: str = TOKEN, signature: str | None = None) -> Any:
    """Send a form to one of our doors, signed."""
    given = sign(settings.CALLPRIVACY_URL + path, said, token) if signature is None else signature
    browser = Browser(enforce_csrf_checks=True, raise_request_exception=False)
    return browser.post(path, urlencode(said), content_type=FORM, headers={"X-Twilio-Signature": given})


@dataclass
class Phone:
    """A caller on one call: what is heard, and what is pressed."""

    connection: Connection
    caller: str = CALLER
    to: str = TRACKING
    call: str = CALL
    verification: str = "TN-Validation-Passed-A"
    token: str = TOKEN
    heard: ET.Element = field(default_factory=lambda: ET.Element("Response"))

    def said(self, **more: str) -> dict[str, str]:
        return {
            "CallSid": self.call, "AccountSid": ACCOUNT, "From": self.caller, "To": self.to,
            "CallStatus": "in-progress", "Direction": "inbound", "StirVerstat": self.verification,
        } | more  # fmt: skip

    def ring(self, **more: str) -> ET.Element:
        return self.go(f"/twilio/{self.connection.key}/voice/", CallStatus="ringing", **more)

    def press(self, digit: str = "", **more: str) -> ET.Element:
        gather = self.heard.find("Gather")
        assert gather is not None, ET.tostring(self.heard)
        return self.go(gather.attrib["action"].removeprefix(settings.CALLPRIVACY_URL), Digits=digit, **more)

    def line_ends(self, status: str = "completed") -> ET.Element:
        dial = self.heard.find("Dial")
        assert dial is not None
        action = dial.attrib["action"].removeprefix(settings.CALLPRIVACY_URL)
        return self.go(action, DialCallStatus=status)

    def go(self, path: str, **more: str) -> ET.Element:
        answer = post(path, self.said(**more), token=self.token)
        assert answer.status_code == 200, answer.content
        self.heard = ET.fromstring(answer.content)  # noqa: S314  (our own answer)
        return self.heard

    def hang_up(self, at: datetime = make.NOON) -> None:
        said = self.said(
            CallStatus="completed", CallDuration="60", SequenceNumber="3",
            Timestamp=at.strftime("%a, %d %b %Y %H:%M:%S +0000"),
        )  # fmt: skip
        assert post(f"/twilio/{self.connection.key}/voice/status/", said, token=self.token).status_code == 200

    def recording(self, status: str = "in-progress", **more: str) -> Any:
        said = {
            "CallSid": self.call, "AccountSid": ACCOUNT, "RecordingSid": RECORDING, "RecordingStatus": status,
            "RecordingUrl": f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Recordings/{RECORDING}",
        } | more  # fmt: skip
        return post(f"/twilio/{self.connection.key}/voice/recording/", said, token=self.token)

    @property
    def words(self) -> str:
        """Everything that is said."""
        return " ".join(say.text or "" for say in self.heard.iter("Say"))

    @property
    def dialled(self) -> str | None:
        number = self.heard.find("Dial/Number")
        return None if number is None else number.text

    @property
    def records(self) -> bool:
        return self.heard.find("Start/Recording") is not None


# --- What we ask of it ---


@dataclass
class Asked:
    """One request to its interface."""

    method: str
    path: str
    said: dict[str, str]
    authorization: str


@dataclass
class Interface:
    """
    An interface that answers 200 with ids, or what it was told to answer next.

    :ivar watch: holds questions and answers to what Twilio publishes.
    """

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answers: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    watch: published.Watch = field(default_factory=published.Watch)

    def texts(self) -> list[dict[str, str]]:
        return [one.said for one in self.asked if one.path.endswith("/Messages.json")]


def _usual(method: str, path: str) -> dict[str, Any]:
    """What Twilio answers where something was made or stopped, and where it has none of what was asked for."""
    if method == "GET":
        name = path.partition("?")[0].rpartition("/")[2].removesuffix(".json").lower()
        return {name: []} | ({"meta": {}} if path.startswith("/v2/") else {})
    if "/Recordings/" in path:
        return {"sid": RECORDING, "status": "stopped"}
    return {"sid": ("CA" if path.endswith("/Calls.json") else "SM") + "1" * 32, "status": "queued"}


@contextmanager
def interface() -> Iterator[Interface]:
    """Twilio's interface on this machine."""
    found = Interface()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            found.asked.append(
                Asked(self.command, self.path, dict(parse_qsl(body)), self.headers.get("Authorization", ""))
            )
            default = (204, {}) if self.command == "DELETE" else (200, _usual(self.command, self.path))
            status, payload = found.answers.pop(0) if found.answers else default
            found.watch.exchange(self.command, self.path, found.asked[-1].said, status, payload)
            self.send_response(status)
            text = b"" if status == 204 else json.dumps(payload).encode()
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815  (the server's names)

        def log_message(self, *_args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert not found.watch.wrong, found.watch.wrong
