"""
One person, put through every way in there is, and then looked for in everything that comes out or lies about: every
page of everybody, the exported file, mails, log lines, error pages, the broker, dumps of both databases, the media
folder. Found nowhere but in the one answer that shows a number; and the same look finds a canary that is planted. On
the same pages what somebody named in markup is words.
"""

from __future__ import annotations

import base64
import gzip
import hmac
import io
import json
import logging
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import chain, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import pytest
import redis
from anymail.signals import inbound, tracking
from anymail.webhooks.postmark import PostmarkTrackingWebhookView
from django.conf import settings
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client as Browser
from django.test import RequestFactory, override_settings
from django.utils import timezone
from django.utils.html import escape

from callprivacy.accounts.models import User
from callprivacy.calls.enums import InboxState
from callprivacy.calls.models import Call, CallExport, CallImport, Connection, Inbox
from callprivacy.calls.services import connections as ways
from callprivacy.calls.services import searches
from callprivacy.calls.tasks import exports as export_tasks
from callprivacy.calls.tasks import imports as import_tasks
from callprivacy.calls.tasks import inbox as inbox_tasks
from callprivacy.celery import app
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.work import tasks as work_tasks
from consent import adapter
from consent.law import load_pack
from consent.models import (
    InvitationBatch,
    ListCheck,
    NumberList,
    NumbersOut,
    TermsDocument,
    VendorTask,
    WebhookDelivery,
    Withdrawal,
)
from consent.services import withdrawals
from consent.tasks import registers as register_tasks
from consent.tasks import web as consent_tasks
from consent.views.mail_hooks import PostmarkView
from dashboard.models import Binder
from dashboard.services import binders, records
from governance.law import breaches
from retention.law import rules as retention_rules
from rights.law import book
from tests import ground, make
from tests.rules import world as worlds
from tests.rules.scanner import Canary, Scanner, dressed
from tests.rules.test_urls import (
    ADDRESSES,
    METHODS,
    PUBLIC,
    Address,
    ask,
    at_every_fourth,
    in_turn,
    refuses_nobody,
)
from tests.rules.world import SECRET, World
from tests.scale import times
from tools import services

if TYPE_CHECKING:
    from pytest_django.plugin import DjangoDbBlocker

NUMBER, NAME, EMAIL = "+12025550147", "Zebulon Quixote", "zebulon.quixote@caller.example"
NOTE, SAID = "violet hedgehog in the note", "lilac walrus was said aloud"
RECORDING, CLICK = "recording-of-zebulon-7Q", "gclid-OchreTapir42"
REASON = "Mr Quixote asked for a call about his ochre tapir."
WHY = "A report that mentions the amber newt of Quixote."
CANARIES = [
    Canary("number", NUMBER), Canary("name", NAME), Canary("e-mail", EMAIL), Canary("note", NOTE),
    Canary("transcript", SAID), Canary("recording", RECORDING), Canary("click id", CLICK),
    Canary("reveal reason", REASON), Canary("export reason", WHY),
]  # fmt: skip
SCANNER = Scanner(CANARIES)
PEOPLE = ("anonymous", "alice", "bob", "carol", "mallory", "dave", "operator")
FORM = "application/x-www-form-urlencoded"
MAIL_SECRET = "postmark:0123456789abcdefghij"


# What the canary makes on its ways in, by the name that addresses have for it. Not among them: a message that waits for
# a person, whose page is there to show what was written.
MADE: dict[str, Any] = {
    "import_id": CallImport, "export_id": CallExport, "batch_id": InvitationBatch, "document_id": TermsDocument,
    "check_id": ListCheck, "withdrawal_id": Withdrawal, "task_id": VendorTask,
}  # fmt: skip


# Where the thing itself is what somebody asks to see.
SHOWS = {
    "clients/<slug:slug>/terms/<uuid:document_id>/file/": "the document as it was signed",
    "clients/<slug:slug>/consent/numbers/<uuid:numbers_id>/file/": "the numbers that an officer asked for",
}

MARKUP = '"><script>alert({})</script><img src=x onerror=alert({})>{{{{7*7}}}}'
BY_A_TRACKER, BY_AN_ADMIN, BY_A_COLLEAGUE = (MARKUP.format(number, number) for number in (1, 2, 3))
_IS_RUN = re.compile(rb"<script>alert|<img src=x")


@dataclass
class Found:
    """What came out, by the store it lay in."""

    world: World
    stores: dict[str, bytes] = field(default_factory=dict)
    plant: dict[str, Callable[[], bytes]] = field(default_factory=dict)
    revealed: bytes = b""
    calls: int = 0
    run: list[str] = field(default_factory=list)
    """Addresses of pages on which markup that came in is markup."""

    def look_for_markup(self, path: str, body: bytes) -> None:
        """A file to keep is no page: what is in its cells, the tests of formulas look at."""
        if _IS_RUN.search(body) and not path.endswith((".csv", "/trail/table/")):
            self.run.append(path)

    rules: set[tuple[str, str]] = field(default_factory=set)
    """Routes of pages whose text names a rule of the law by its id, which only programs know, and the id."""

    def look_for_rules(self, path: str, body: bytes) -> None:
        """What stands in an address or a field is for programs; so is a file."""
        if body.lstrip()[:1] == b"<":
            text = _TAGS.sub(b" ", body).decode(errors="replace")
            self.rules.update((path, word) for word in _RULE.findall(text) if word in _RULE_IDS)


_TAGS: Final = re.compile(rb"<(script|style).*?</\1>|<[^>]*>", re.DOTALL)
_RULE: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+")
_RULE_IDS: Final = frozenset(
    {rule.id for rule in load_pack()} | {rule.id for rule in retention_rules.all_rules()}
    | {term.id for term in book.load().terms} | set(breaches.rules())
)  # fmt: skip


# --- The ways in ---


def _callrail(number: str = NUMBER, **more: object) -> bytes:
    now = timezone.now() - timedelta(minutes=30)  # noqa: TID251  (a tracker's clock)
    return json.dumps(
        {
            "id": 7001, "resource_id": "CAL-canary-1", "call_type": "voice_mail", "answered": True,
            "direction": "inbound",
            "start_time": now.isoformat(), "duration": "95", "customer_phone_number": number, "customer_name": NAME,
            "customer_city": "Rochester", "customer_state": "PA", "customer_country": "US", "note": NOTE,
            "transcription": SAID, "conversational_transcript": SAID,
            "recording": f"https://app.callrail.com/{RECORDING}",
            "recording_duration": 80, "tracking_phone_number": "+14045550199", "formatted_customer_name": NAME,
            "formatted_customer_phone_number": "202-555-0147", "gclid": CLICK, "source_name": "Google Ads",
            "landing_page_url": f"https://dentist.example/?gclid={CLICK}&email={EMAIL}", "email": EMAIL,
            "campaign": "Brand", "tags": [], "keywords": SAID, "ip_address": "192.0.2.7",
            "referring_url": f"https://search.example/?q={NAME}", "lead_status": "good_lead", "value": "12.50",
        }
        | more
    ).encode()  # fmt: skip


def _send_callrail(world: World, body: bytes, *, key: str, signed: bool = True) -> Any:
    signature = base64.b64encode(hmac.digest(SECRET.encode(), body, "sha1")).decode()
    return world.browsers["anonymous"].post(
        f"/hooks/callrail/{key}/", body, content_type="application/json",
        headers={"Signature": signature if signed else "bm8="},
    )  # fmt: skip


def _send_twilio(world: World, key: str, *, door: str = "hooks/twilio/{}/", **more: str) -> Any:
    said = {
        "CallSid": "CA" + "7" * 32, "AccountSid": "AC" + "0" * 32, "From": NUMBER, "To": "+14045550199",
        "CallStatus": "completed", "CallDuration": "49", "Direction": "inbound", "CallerName": NAME,
        "SequenceNumber": "3", "FromState": "DC", "FromCountry": "US", "TranscriptionText": SAID,
        "Timestamp": (timezone.now() - timedelta(minutes=9)).strftime("%a, %d %b %Y %H:%M:%S +0000"),  # noqa: TID251  (what is tested reads the same clock)
    } | more  # fmt: skip
    path = "/" + door.format(key)
    text = settings.CALLPRIVACY_URL + path + "".join(name + value for name, value in sorted(said.items()))
    signature = base64.b64encode(hmac.digest(SECRET.encode(), text.encode(), "sha1")).decode()
    return world.browsers["anonymous"].post(
        path, urlencode(said), content_type=FORM, headers={"X-Twilio-Signature": signature}
    )


def _send_ctm(world: World, key: str, **more: object) -> Any:
    now = timezone.now()  # noqa: TID251  (what is tested reads the same clock)
    said = {
        "id": 7002, "unix_time": int((now - timedelta(hours=3)).timestamp()), "duration": 61, "name": NAME,
        "agent": {"name": NAME}, "email": EMAIL, "caller_number_complete": NUMBER, "caller_number": NUMBER,
        "caller_number_split": ["1", "202", "555", "0147"], "caller_number_format": "(202) 555-0147",
        "tracking_number": "+14045550199", "dial_status": "completed", "source": "Google Ads", "notes": NOTE,
        "transcription_text": SAID, "audio": f"https://app.calltrackingmetrics.com/{RECORDING}", "cnam": NAME,
        "location": f"https://dentist.example/?gclid={CLICK}", "tag_list": [EMAIL],
        "inputs": {"menu_inputs": [NUMBER, "202-555-0147", EMAIL, "9"]},
    } | more  # fmt: skip
    body = json.dumps(said).encode()
    at = str(int(now.timestamp()))
    signature = base64.b64encode(hmac.digest(SECRET.encode(), at.encode() + body, "sha1")).decode()
    return world.browsers["anonymous"].post(
        f"/hooks/ctm/{key}/", body, content_type="application/json",
        headers={"X-CTM-Time": at, "X-CTM-Signature": signature},
    )  # fmt: skip


def _transactions() -> bytes:
    start = (timezone.now() - timedelta(hours=30)).timestamp()  # noqa: TID251  (what is tested reads the same clock)
    row = {
        "transaction_id": "T-canary", "complete_call_id": "C-canary", "transaction_type": "Call",
        "start_time_utc": int(start) * 1000, "calling_phone_number": "202-555-0147", "duration": 44,
        "display_name_data_append": NAME, "primary_email_address_data_append": EMAIL, "notes": NOTE, "gclid": CLICK,
        "keypresses": ["202-555-0147", EMAIL, "9"], "recording": f"https://invoca.example/{RECORDING}",
        "call_source_description": "Google Ads",
    }  # fmt: skip
    return json.dumps([row, row | {"transaction_id": "T-2", "duration": NAME}]).encode()


def _file(first_hour: int) -> bytes:
    header = "Call Status,Tracking Number,Name,Phone Number,Email,Source,Duration (seconds),Start Time,Landing Page,"
    day = (timezone.now() - timedelta(days=2)).strftime("%Y-%m-%d")  # noqa: TID251  (what is tested reads the same clock)
    page = f"https://dentist.example/?gclid={CLICK}"
    rows = [
        f"Answered Call,+14045550199,{NAME},(202) 555-0147,{EMAIL},Google Ads,95,{day} {first_hour:02}:00:07,{page},",
        f"Answered Call,+14045550199,{NAME},202-555-0147,{EMAIL},Google Ads,{NAME},{day} {first_hour:02}:09:07,{page},",
        f"Answered Call,+14045550199,{NAME},{NUMBER} or {EMAIL},,Google Ads,9,{day} {first_hour:02}:19:07,{page},",
        f"Answered Call,{SAID},{NAME},202.555.0147,{EMAIL},Google Ads,95,{NOTE},{page},",
    ]
    tail = f'Brand,"{NOTE}",https://app.callrail.com/{RECORDING}'
    return (header + "Campaign,Note,Recording Url\n" + "".join(f"{row}{tail}\n" for row in rows)).encode()


def _by_trackers(world: World, twilio: Connection, ctm: Connection) -> None:
    key = world.dentist.key
    assert _send_ctm(world, ctm.key).status_code == 200
    assert _send_ctm(world, ctm.key, id=7003, duration=NAME).status_code == 200
    assert _send_ctm(world, ctm.key, redacted=True, id=7004).status_code == 200
    assert _send_callrail(world, _callrail(), key=key).status_code == 200
    assert _send_callrail(world, _callrail(answered=False, note=NOTE * 2), key=key).status_code == 200
    assert _send_callrail(world, b'{"customer_phone_number": "' + NUMBER.encode(), key=key).status_code == 200
    assert (
        _send_callrail(world, _callrail(duration=NAME, resource_id="CAL-x", id=7), key=key).status_code == 200
    )
    assert _send_callrail(world, _callrail(), key=key, signed=False).status_code == 403
    assert _send_twilio(world, twilio.key).status_code == 200
    recording = {
        "RecordingSid": "RE" + "7" * 32, "RecordingStatus": "completed", "RecordingDuration": "40",
        "RecordingUrl": f"https://api.twilio.com/{RECORDING}",
    }  # fmt: skip
    assert _send_twilio(world, twilio.key, **recording).status_code == 200
    _by_texts_and_calls(world, twilio)


def _by_texts_and_calls(world: World, twilio: Connection) -> None:
    """A text that waits for a person, one that withdraws, and a call to a number that has no menu."""
    for number, words in enumerate((f"we have got to STOP {NOTE}, {NUMBER}", f"please stop texting {EMAIL}")):
        said = {"MessageSid": f"SM{number:032d}", "Body": f"{words}. {SAID}. {NAME}"}
        assert _send_twilio(world, twilio.key, door="twilio/{}/sms/", **said).status_code == 200
        assert _send_twilio(world, twilio.key, door="twilio/{}/sms/", **said).status_code == 200
    assert (
        _send_twilio(world, twilio.key, door="twilio/{}/sms/", MessageSid=NUMBER, Body=SAID).status_code
        == 400
    )
    assert _send_twilio(world, twilio.key, door="twilio/{}/voice/", To=NUMBER).status_code == 404
    assert _send_twilio(world, twilio.key, door="twilio/{}/voice/status/").status_code == 200


def _by_files(world: World, folder: Path) -> None:
    alice = world.browsers["alice"]
    for content, kind, is_started in (
        (_file(9), "callrail", True),
        (_transactions(), "invoca", True),
        (gzip.compress(_file(11)), "callrail", False),
    ):
        upload = SimpleUploadedFile(f"{NAME} {NUMBER}.csv", content)
        said = {"format": kind, "connection": "", "time_zone": "America/New_York", "file": upload}
        answer = alice.post("/clients/dentist/imports/new/", said)
        assert answer.status_code == 302, answer.content
        if is_started:
            with job_scope(agency_id=world.cast.acme.pk):
                row = CallImport.objects.get(state="draft")
            assert alice.post(f"/clients/dentist/imports/{row.pk}/start/").status_code == 302
            import_tasks.run_import.run(agency_id=world.cast.acme.pk, import_id=str(row.pk))
    path = folder / "calls.csv"
    path.write_bytes(_file(14))
    path.chmod(0o600)


def _by_forms(found: Found) -> None:
    alice = found.world.browsers["alice"]
    for typed in (NUMBER, "(202) 555-0147", f"{NAME} 202-555", "20255501470000"):
        found.stores.setdefault("search", b"")
        found.stores["search"] += alice.post("/calls/search/", {"number": typed}, follow=True).content
    with job_scope(agency_id=found.world.cast.acme.pk):
        call = Call.objects.filter(
            client=found.world.cast.dentist, source="Google Ads", caller__isnull=False
        )[0]
    address = f"/clients/dentist/calls/{call.pk}/reveal/"
    found.revealed = alice.post(address, {"reason_kind": "call_back", "reason": REASON}).content
    answer = alice.post("/clients/dentist/calls/export/", {"reason": WHY})
    assert answer.status_code == 302
    with job_scope(agency_id=found.world.cast.acme.pk):
        export = CallExport.objects.order_by("-created_at")[0]
    export_tasks.write_export.run(agency_id=export.agency_id, export_id=str(export.pk))
    file = alice.post(f"/clients/dentist/calls/export/{export.pk}/file/")
    found.stores["export"] = file.getvalue()
    assert b"Google Ads" in found.stores["export"]
    # A person who puts a number where it does not belong.
    alice.get(f"/calls/?source={NUMBER}&q=202-555-0147")
    alice.get("/clients/dentist/calls/202-555-0147/")


def _by_callers(found: Found) -> None:
    """What a caller does alone: agrees, takes back, proves the phone, looks at the choices, asks for news."""
    caller, key = Browser(), found.world.dentist.consent_key
    page, choices = f"/c/{key}/consent/", f"/c/{key}/choices/"

    def note(answer: Any) -> str:
        found.stores["callers' pages"] += answer.content
        form: bytes = re.findall(rb'name="form" value="([^"]+)"', answer.content)[0]
        return form.decode()

    found.stores["callers' pages"] = b""
    for said in ({"deed": "give", "purposes": ["record"]}, {"deed": "withdraw", "everything": "on"}):
        answer = caller.post(page, {"number": NUMBER, "form": note(caller.get(page)), **said})
        assert answer.status_code == 303, answer.content
        receipt = answer.headers["Location"]
        found.stores["callers' pages"] += receipt.encode() + caller.get(receipt).content
    asked = caller.post(choices, {"number": NUMBER, "form": note(caller.get(choices))})
    challenge = re.findall(rb'name="challenge" value="([^"]+)"', asked.content)[0].decode()
    code = re.findall(r"code is ([0-9]{6})", str(mail.outbox[-1].body))[0]
    proven = caller.post(choices, {"challenge": challenge, "code": code, "form": note(asked)})
    assert proven.status_code == 303, proven.content
    mine = proven.headers["Location"]
    said = {"deed": "updates", "address": "someone@people.example", "on_change": "on"}
    assert caller.post(mine, {"form": note(caller.get(mine)), **said}).status_code == 303
    consent_tasks.send_updates.run()
    found.stores["callers' pages"] += mine.encode() + caller.get(mine).content


def _by_requests(found: Found) -> None:
    """What a person does on a requests page: says no, asks to see, proves the phone, tells of a call, signs."""
    person, key = Browser(), found.world.dentist.request_key

    def send(where: str, **said: str) -> Any:
        form = re.search(r'name="form" value="([^"]*)"', person.get(where).content.decode())
        assert form is not None
        return person.post(where, {"form": form[1], **said})

    about = {"on_behalf": "self", "number": NUMBER, "name": NAME, "mail": EMAIL, "words": NOTE}
    assert send(f"/r/{key}/do_not_sell/", **about).status_code == 303
    where = send(f"/r/{key}/see/", **about).headers["Location"].partition("?")[0]
    identity = re.search(r'name="identity" value="([^"]*)"', person.get(where).content.decode())
    assert identity is not None
    assert send(where, deed="code", identity=identity[1], way="text").status_code == 200
    code = re.search(r"code is (\d{6})", str(mail.outbox[-1].body))
    assert code is not None
    assert send(where, deed="prove", identity=identity[1], way="text", code=code[1]).status_code == 303
    assert send(where, deed="facts", day="2026-01-01", business=NOTE).status_code == 303
    assert send(where, deed="declare", declares="on", name=NAME).status_code == 303
    found.stores["personal page"] = person.get(where).content


def _by_systems(found: Found) -> None:
    """What the agency's systems say and ask, with and without faults, and with a person's facts where none belong."""

    def say(path: str, body: object) -> int:
        answer = Browser(raise_request_exception=False).post(
            f"/api/v1/{path}", body if isinstance(body, str) else json.dumps(body), content_type="application/json",
            headers={"Authorization": f"Bearer {found.world.dentist.api_key}"},
        )  # fmt: skip
        found.stores["systems"] = found.stores.get("systems", b"") + answer.content
        return answer.status_code

    said = {"number": NUMBER, "kind": "given", "purposes": ["record"], "idempotency_key": "canary-4711"}
    proof = {"type": "web_form", "details": {"page": "example.com/book", "words": f"{NAME} said {NOTE}"}}
    assert say("consent/events", said | {"evidence": proof}) == 201
    assert say("consent/events", said | {"purposes": ["share"]}) == 409
    assert (
        say("consent/check", {"numbers": [NUMBER, f"{NAME} 555", "202-555-0147"], "purposes": ["record"]})
        == 200
    )
    assert say("contact/check", {"numbers": [{"number": NUMBER}, EMAIL]}) == 200
    assert say("contact/check", {"number": NUMBER, "purpose": NAME, EMAIL: NOTE}) == 422
    assert say("consent/check", f'{{"number": "{NUMBER}", "note": "{NOTE}') == 400


def _bring(found: Found, door: str, body: bytes, **said: object) -> int:
    upload = SimpleUploadedFile(f"{NAME} {NUMBER}.csv", body)
    answer = found.world.browsers["alice"].post(f"/clients/dentist/{door}/", said | {"file": upload})
    if answer.status_code == 302:  # a form with a fault shows again what was typed, to who typed it
        after = found.world.browsers["alice"].get(answer.headers["Location"])
        found.stores["lists"] = found.stores.get("lists", b"") + after.content
    return int(answer.status_code)


def _by_lists(found: Found) -> None:
    """A list of whom to ask, one that is to be checked, and a signed one."""
    with job_scope(agency_id=found.world.cast.acme.pk):
        words = InvitationBatch.objects.get(pk=found.world.dentist.batch_id).version_id
    rows = f"{EMAIL},{NAME},(202) 555-0147,{NOTE}\n{NAME},{EMAIL},{NAME}\n{NUMBER},{NAME}\n".encode()
    assert _bring(found, "invitations/new", rows, name="October", version=str(words)) == 302
    assert (
        _bring(found, "lists/new", b"mail,name,phone,note\n" + rows, name="Spring", purpose="marketing")
        == 302
    )
    said = {
        "name": "Forms",
        "signed_on": "2026-10-01",
        "is_list": "yes",
        "clause": "I agree.",
        "purposes": ["review"],
    }
    pdf = b"%PDF-1.7\n" + rows
    assert _bring(found, "terms/new", pdf, **said, numbers=f"{NUMBER}\n{NAME}\n{EMAIL}") == 200
    assert _bring(found, "terms/new", pdf, **said, numbers=f"{NUMBER}\n(202) 555-0148") == 302


def _by_registers(found: Found) -> None:
    """A register of who may not be called, with a line that is none, what came back of old numbers, and numbers out."""
    alice = found.world.browsers["alice"]
    for door, name in (("registers/new", "file"), ("registers/answers", "file")):
        body = (
            f"number,disconnected,name\n2025550147,yes,{NAME}\n{NUMBER},no,{EMAIL}\n{NAME},{NOTE},\n".encode()
        )
        said = {"name": "National registry", "as_of": "2026-11-20", "area_codes": "", "client": ""}
        upload = SimpleUploadedFile(f"{NAME} {NUMBER}.csv", body)
        answer = alice.post(f"/consent/{door}/", said | {name: upload}, follow=True)
        found.stores["lists"] += answer.content
    answer = alice.post("/clients/dentist/consent/numbers/", {"reason": WHY}, follow=True)
    found.stores["lists"] += answer.content
    register_tasks.read_registers.run(agency_id=found.world.cast.acme.pk)
    found.stores["lists"] += alice.get("/consent/registers/").content
    with job_scope(agency_id=found.world.cast.acme.pk):
        assert NumberList.objects.filter(name="National registry", size__gte=1).exists()
        assert NumbersOut.objects.filter(state="done", rows__gte=1).exists()


def _by_mail(found: Found) -> None:
    """A message through each provider's door, with the person in every place that a message has."""
    inbound.connect(adapter.take_mail, dispatch_uid="canary.take_mail")
    tracking.connect(adapter.take_news, dispatch_uid="canary.take_news")
    for path, body in (
        (
            "postmark",
            {
                "FromFull": {"Email": EMAIL, "Name": NAME}, "ToFull": [{"Email": "reply@clinic.example", "Name": ""}],
                "OriginalRecipient": "reply@clinic.example", "Subject": f"stop {NUMBER}", "TextBody": f"{NOTE} {SAID}",
                "MessageID": "p-1", "Attachments": [],
                "Headers": [{"Name": "Message-ID", "Value": "<m1@mail.example>"}],
            },
        ),
        ("postmark/news", {
            "RecordType": "Bounce", "Type": "HardBounce", "ID": 42, "MessageID": "x", "Email": EMAIL,
            "Description": f"{NAME} {NUMBER}", "BouncedAt": "2026-11-24T12:30:00Z", "Metadata": {"letter": "a.b"},
        }),
    ):  # fmt: skip
        views = {"postmark": PostmarkView, "postmark/news": PostmarkTrackingWebhookView}
        request = RequestFactory().post(
            f"/mail/{path}/", json.dumps(body), content_type="application/json",
            headers={"Authorization": "Basic " + base64.b64encode(MAIL_SECRET.encode()).decode()},
        )  # fmt: skip
        assert views[path].as_view()(request).status_code == 200
    inbound.disconnect(dispatch_uid="canary.take_mail")
    tracking.disconnect(dispatch_uid="canary.take_news")


def _by_hand(found: Found) -> None:
    """A message that came elsewhere, what a person says on the phone, and what withdrawals ask of others."""
    world = found.world
    letter = (
        f"From: {NAME} <{EMAIL}>\nTo: office@dentist.example\nSubject: stop, {NUMBER}\nMessage-ID: <1@x.example>\n"
        f"Date: Tue, 24 Nov 2026 10:00:00 +0000\n\n{NOTE}. {SAID}. Call me at 202-555-0147.\n"
    ).encode()
    assert _bring(found, "invitations/mail", letter) == 302
    with job_scope(agency_id=world.cast.acme.pk):
        caller_id = Call.objects.filter(client=world.cast.dentist, source="Google Ads", caller__isnull=False)[
            0
        ].caller_id
    said = {"purposes": ["contact"], "kind": "withdrawn", "text": f"{NAME} {NUMBER}"}
    assert world.browsers["alice"].post(f"/clients/dentist/callers/{caller_id}/said/", said).status_code < 500
    withdrawals.carry_out(agency_id=world.cast.acme.pk, at=timezone.now())  # noqa: TID251  (the job's clock)
    with job_scope(agency_id=world.cast.acme.pk):
        assert VendorTask.objects.filter(client=world.cast.dentist, reference__isnull=False).count() > 1
        assert WebhookDelivery.objects.filter(
            client=world.cast.dentist, event_type="consent.withdrawn"
        ).exists()


# --- What comes out ---


def _error_pages(world: World, monkeypatch: pytest.MonkeyPatch) -> bytes:
    def break_down(**said: object) -> None:
        raise RuntimeError(f"cannot look for {said['number']}")

    with monkeypatch.context() as patched:
        patched.setattr(searches, "search_number", break_down)
        answer = world.browsers["alice"].post("/calls/search/", {"number": NUMBER})
    assert answer.status_code == 500
    return bytes(answer.content)


def _broker() -> bytes:
    found = b""
    with redis.Redis.from_url(settings.REDIS_URL) as line:
        for key in line.scan_iter(count=1000):
            kind = line.type(key)
            found += key + b"\n"
            if kind == b"list":
                found += b"\n".join(line.lrange(key, 0, -1))
            elif kind == b"hash":
                found += repr(line.hgetall(key)).encode()
            elif kind == b"string":
                found += line.get(key) or b""
            found += b"\n"
    return found


def _dump(url: str) -> bytes:
    programs = services.Postgres(ground.place(), settings={})
    done = subprocess.run(
        [programs._program("pg_dump"), "--no-owner", "--dbname", url],
        env=programs._environ, capture_output=True, check=True,
    )  # fmt: skip
    return done.stdout


def _files(folder: Path) -> bytes:
    return b"\n".join(
        str(path.relative_to(folder)).encode() + b"\n" + path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    )


def _mails() -> bytes:
    return b"\n".join(message.message().as_bytes() for message in getattr(mail, "outbox", []))


def _shown(address: Address) -> Iterator[tuple[str, str]]:
    """
    Who is shown something at an address, and by which method: alice, who is shown most, and of all others one in turn
    at every fourth. What comes back from a form that says nothing is looked at where there is nothing else, and of
    the others at every fourth; in `make assure` everywhere.

    That nobody else is, `test_urls` proves of each of them: they are led away, or told the same as where nothing is.
    """
    known = _known(address)
    if address.is_of_operators:
        yield from (("operator", method) for method in known if method == "get")
        return
    others: tuple[str, ...] = ("bob", "carol", *(() if "slug" in address.parts else ("mallory",)))
    if address.route in PUBLIC or address.is_own_account:
        others = tuple(one for one in PEOPLE if one != "alice")
    by_form = "get" not in known or at_every_fourth(address, about="forms")
    yield from (("alice", method) for method in known if method == "get" or by_form)
    few = [in_turn(others, address, about="who else")] if at_every_fourth(address, about="others") else []
    yield from ((one, method) for one in times(few, list(others)) for method in known if method == "get")


def _known(address: Address) -> list[str]:
    """The methods to ask with: what a view refuses to nobody, it refuses before it looks at anything."""
    return [method for method in METHODS if not refuses_nobody(address.view, method)]


def _name_in_markup(world: World) -> None:
    """Let a tracker, an admin and a colleague give names that a browser would take for parts of a page."""
    with job_scope(agency_id=world.cast.acme.pk):
        named = {"source": BY_A_TRACKER, "campaign": BY_A_TRACKER, "tags": [BY_A_TRACKER]}
        assert Call.objects.filter(pk=world.dentist.call_id).update(**named) == 1
        named = {"name": BY_AN_ADMIN, "legal_name": BY_AN_ADMIN}
        assert Client.objects.filter(pk=world.cast.dentist.pk).update(**named) == 1
    assert User.objects.filter(pk=world.cast.bob.user_id).update(name=BY_A_COLLEAGUE) == 1


def _pages(found: Found, made: dict[str, list[Any]]) -> bytes:
    """
    Every page of everybody; those of what the canary made, too, for who may see it.

    :param made: the keys of what it made, by the name that addresses have for it.
    """
    world = found.world
    # The same lines stand on page after page: each is looked at once.
    lines: dict[bytes, None] = {}

    def note(person: str, method: str, path: str, *, shows: bool = False) -> None:
        body = ask(world.browsers[person], method, path).body
        found.look_for_markup(path, body)
        found.look_for_rules(path, body)
        if not shows:
            lines.update(dict.fromkeys(body.splitlines()))

    for address in ADDRESSES:
        for path, (person, method) in product(address.paths(world.dentist), _shown(address)):
            note(person, method, path, shows=address.route in SHOWS)
        is_shown = address.route not in SHOWS and "get" in _known(address)
        shown = made.keys() & set(address.parts) if is_shown else ()
        keys = [{name: key} for name in shown for key in made[name]]
        paths = list(chain.from_iterable(address.paths(replace(world.dentist, **key)) for key in keys))
        for number, path in enumerate(paths):
            # Bob sees less of it than alice: one of each kind, in `make assure` all.
            for person in ("alice", *times(("bob",) * (number == 0), ("bob",))):
                note(person, "get", path)
    for search in (
        "/calls/?client=dentist",
        "/calls/?source=Google+Ads",
        "/trail/?client=dentist",
        "/reveals/",
    ):
        for person in PEOPLE:
            note(person, "get", search)
    return b"\n".join(lines)


class _Lines(logging.Handler):
    """Every line that is logged, as it would be written."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.getLogger().handlers[0].formatter if logging.getLogger().handlers else None)
        self.text = io.StringIO()

    def emit(self, record: logging.LogRecord) -> None:
        self.text.write(self.format(record) + "\n")


def _binder(world: World) -> bytes:
    """A binder of the client, as programs read it, and the records of processing that it quotes."""
    client, alice = world.cast.dentist, world.cast.alice
    at = make.now()
    records.read(agency_id=client.agency_id, at=at)
    with staff_scope(agency_id=client.agency_id, user_id=alice.user_id):
        row = binders.request_binder(client=client, by=Actor.staff(user_id=alice.user_id), at=at)
    assert binders.build(due=binders.Due(row.agency_id, row.pk), clock=lambda: at)
    with job_scope(agency_id=client.agency_id):
        row = Binder.objects.select_related("client").get(pk=row.pk)
        with binders.take(binder=row, as_pdf=False, by=make.JOB, at=at).stream as stream:
            return stream.read()


def _ours_formatter() -> logging.Formatter:
    """The formatter of the settings, whatever pytest has hung into the root."""
    import logging.config

    known = settings.LOGGING["formatters"]["listed"]
    made: logging.Formatter = logging.config.DictConfigurator({"version": 1}).configure_formatter(dict(known))
    return made


@pytest.fixture(scope="module")
def found(
    databases: ground.Databases,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Found]:
    """The whole story, once, committed into databases of its own."""
    shared, pair = databases.current, databases.clone()
    assert shared is not None
    databases.current = pair
    media, elsewhere = tmp_path_factory.mktemp("media"), tmp_path_factory.mktemp("files")
    lines = _Lines()
    lines.setFormatter(_ours_formatter())
    root = logging.getLogger()
    monkeypatch = pytest.MonkeyPatch()
    inbox_tasks._broker.quiet_until = 0.0
    with django_db_blocker.unblock(), override_settings(MEDIA_ROOT=media):
        ground.point_to(pair)
        root.addHandler(lines)
        try:
            yield _tell(pair, media, elsewhere, lines, monkeypatch)
        finally:
            root.removeHandler(lines)
            monkeypatch.undo()
            ground.point_to(shared)
    databases.current = shared
    databases.drop(pair)


def _tell(
    pair: ground.Pair, media: Path, elsewhere: Path, lines: _Lines, monkeypatch: pytest.MonkeyPatch
) -> Found:
    found = Found(worlds.build())
    world, acme = found.world, found.world.cast.acme
    by = Actor.staff(user_id=world.cast.alice.user_id)
    with job_scope(agency_id=acme.pk):
        twilio = ways.create_connection(
            client=world.cast.dentist, provider="twilio", name="Twilio", secret=SECRET, by=by, at=make.NOON
        )
    with job_scope(agency_id=acme.pk):
        kept = Inbox.objects.filter(state=InboxState.REJECTED).count()
        ctm = ways.create_connection(
            client=world.cast.dentist, provider="ctm", name="CTM", secret=SECRET, by=by, at=make.NOON
        )
    _by_trackers(world, twilio, ctm)
    found.stores["dump of default before the worker"] = _dump(pair.owner_urls["default"])
    with job_scope(agency_id=acme.pk):
        assert Inbox.objects.filter(state=InboxState.WAITING).count() >= 6
    inbox_tasks.process_inbox.run(agency_id=acme.pk)
    inbox_tasks.sweep_inbox.run()
    with job_scope(agency_id=acme.pk):
        assert Inbox.objects.filter(state=InboxState.REJECTED).count() >= kept + 2, (
            "what cannot be read stays sealed"
        )
    _by_files(world, elsewhere)
    command = io.StringIO()
    call_command(
        "import_calls", str(elsewhere / "calls.csv"), client="dentist", stdout=command, stderr=command
    )
    found.stores["command"] = command.getvalue().encode()
    _by_forms(found)
    _by_lists(found)
    _by_registers(found)
    with override_settings(
        CALLPRIVACY_MAIL_REPLY="reply@clinic.example",
        CALLPRIVACY_TAKES_MAIL=True,
        ANYMAIL={"WEBHOOK_SECRET": MAIL_SECRET},
    ):
        _by_mail(found)
    _by_systems(found)
    _by_callers(found)
    _by_requests(found)
    _by_hand(found)
    found.stores["error pages"] = _error_pages(world, monkeypatch)
    work_tasks.send_due_mail.run()
    app.send_task("calls.process_inbox", kwargs={"agency_id": acme.pk})
    with job_scope(agency_id=acme.pk):
        calls = list(
            Call.objects.filter(client=world.cast.dentist)
            .exclude(source__contains="MARK")
            .values_list("pk", flat=True)
        )
        made: dict[str, list[Any]] = {"call_id": calls} | {
            name: list(model.objects.filter(client=world.cast.dentist).values_list("pk", flat=True))
            for name, model in MADE.items()
        }
    found.calls = len(calls)
    found.stores["binder"] = _binder(world)
    _name_in_markup(world)
    found.stores["pages"] = _pages(found, made)
    found.stores["mails"] = _mails()
    found.stores["broker"] = _broker()
    found.stores["media"] = _files(media)
    found.stores["dump of default"] = _dump(pair.owner_urls["default"])
    found.stores["dump of vault"] = _dump(pair.owner_urls["vault"])
    found.stores["logs"] = lines.text.getvalue().encode()
    return found


STORES = (
    "pages", "callers' pages", "personal page", "lists", "systems", "search", "export", "command", "error pages",
    "mails", "broker", "media", "logs", "binder",
    "dump of default before the worker", "dump of default", "dump of vault",
)  # fmt: skip


def test_the_canary_is_nowhere_and_would_be_found(
    found: Found, tmp_path: Path, databases: ground.Databases, settings: Any
) -> None:
    """One test of several parts, so that the story is told in one process only."""
    _every_store_was_looked_into(found)
    looked = {store: SCANNER.find(content) for store, content in found.stores.items()}
    assert {store: seen for store, seen in looked.items() if seen} == {}
    assert SCANNER.find(found.revealed) == {"number"}, "the one answer that shows it, and nothing else"
    _what_was_named_is_words(found)
    _a_planted_canary_is_found_in_each_store(found, tmp_path, databases, settings)


def _every_store_was_looked_into(found: Found) -> None:
    assert set(STORES) == set(found.stores)
    for store in STORES:
        assert len(found.stores[store]) > 20, f"{store} is empty, which proves nothing"
    assert found.calls == 7, "one call by each tracker, one that came redacted, one by each way of a file"
    assert b"calls_caller" in found.stores["dump of default"]
    assert b"process_inbox" in found.stores["broker"]
    assert b"request_finished" in found.stores["logs"]


@pytest.mark.parametrize("dress", sorted(dressed(NUMBER)))
def test_the_scanner_knows_every_dress(dress: str) -> None:
    assert SCANNER.find(b"before " + dressed(NUMBER)[dress] + b" after") == {"number"}


@pytest.mark.parametrize("canary", CANARIES, ids=lambda canary: canary.what)
def test_the_scanner_knows_every_canary(canary: Canary) -> None:
    packed = gzip.compress(json.dumps({"said": canary.value}).encode()).hex().encode()
    assert canary.what in SCANNER.find(canary.value.encode())
    assert canary.what in SCANNER.find(b"1\t\\\\x" + packed + b"\t2\n")


def test_no_page_names_a_rule_by_its_id(found: Found) -> None:
    assert found.rules == set()
    found.look_for_rules("/planted/", b"<p>Decided by us-tx-recording-consent.</p>")
    found.look_for_rules("/an-address/", b"<a href='/law/us-tx-recording-consent/'>Texas</a>")
    assert found.rules == {("/planted/", "us-tx-recording-consent")}, "it would be found"


def test_the_scanner_finds_whatever_it_looks_for_in_text_and_in_bytes() -> None:
    """It leaves out what cannot stand where it looks, and what a shorter one finds; nothing is lost by that."""
    missed = {
        needle
        for needle, what in SCANNER.needles.items()
        for before, after in ((b"text \xc3\xa9 ", b" text"), (b"\xff\0", b"\0\xff"), (b"text\n", b""))
        if what not in SCANNER.find(before + needle + after)
    }
    assert missed == set()
    assert len(SCANNER.needles) > 600


def _what_was_named_is_words(found: Found) -> None:
    assert found.run == []
    for markup in (BY_A_TRACKER, BY_AN_ADMIN, BY_A_COLLEAGUE):
        assert escape(markup).encode() in found.stores["pages"]
        found.look_for_markup(f"/{markup}/", markup.encode())
    assert len(found.run) == 3, "it would be found"


def _a_planted_canary_is_found_in_each_store(
    found: Found, tmp_path: Path, databases: ground.Databases, settings: Any
) -> None:
    """The same functions that looked, after somebody was careless."""
    from django.core.mail import EmailMessage
    from django.db import connection

    pair = databases.current
    assert pair is not None
    with job_scope(agency_id=found.world.cast.acme.pk), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE calls_call SET medium = %s WHERE id = %s", [EMAIL, found.world.dentist.call_id]
        )
    assert SCANNER.find(_dump(pair.owner_urls["default"])) == {"e-mail"}
    page = found.world.browsers["alice"].get(f"/clients/dentist/calls/{found.world.dentist.call_id}/")
    assert SCANNER.find(page.content) == {"e-mail"}
    (tmp_path / "careless").write_bytes(gzip.compress(NUMBER.encode()))
    assert SCANNER.find(_files(tmp_path)) == {"number"}
    with redis.Redis.from_url(settings.REDIS_URL) as line:
        line.lpush(
            "celery",
            json.dumps({"body": base64.b64encode(f'[[], {{"number": "{NUMBER}"}}]'.encode()).decode()}),
        )
        assert SCANNER.find(_broker()) == {"number"}
        line.lpop("celery")
    message = (
        EmailMessage("Call", f"Call {NAME} back, =C3=A4", to=["alice@acme.example"]).message().as_bytes()
    )
    assert SCANNER.find(message) == {"name"}
    for formatter, seen in ((logging.Formatter(), {"name", "number"}), (_ours_formatter(), set())):
        lines = _Lines()
        lines.setFormatter(formatter)
        lines.emit(
            logging.LogRecord("x", logging.INFO, __file__, 1, "asked by %s for %s", (NAME, NUMBER), None)
        )
        assert SCANNER.find(lines.text.getvalue().encode()) == seen
