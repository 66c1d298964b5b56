"""A call that we placed ourselves is no call of the client's, whoever tells of it."""

import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from django.test import Client as Browser
from django.test import override_settings

from callprivacy.accounts.enums import Role
from callprivacy.calls.models import Call, Caller, Connection, Inbox, TrackingNumber
from callprivacy.calls.providers import PROVIDERS, pulled
from callprivacy.calls.providers.base import CallFacts
from callprivacy.calls.services import intake, placed
from callprivacy.calls.services.intake import Taken
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import services as vault
from consent.channels.codes import ByTwilio, NotSentError
from consent.channels.twilio import Account
from consent.enums import CodeWay, Language, WaitingState
from consent.services import codes
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.consent import twilio_side
from tests.consent.test_desk import OWN, ask, caller, go, name_account, only, work
from tests.consent.twilio_side import ACCOUNT, CALL, TRACKING, Phone
from tests.make import NOON
from tests.samples import moved

pytestmark = pytest.mark.as_committed

PLACED, OF_THEIRS = "CA" + "1" * 32, "CA" + "7" * 32
LATER = NOON + timedelta(hours=7)


@pytest.fixture(autouse=True)
def _afternoon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Everybody may be called; and no queue takes what is sent on."""
    monkeypatch.setattr("celery.Task.apply_async", lambda *_args, **_kwargs: None)
    with time_machine.travel(NOON + timedelta(hours=6), tick=False):
        yield


@pytest.fixture
def dora(cast: Cast) -> Browser:
    agent = make.person(cast.acme, "dora", Role.AGENT)
    make.grant(agent, cast.dentist)
    return signed_in(agent)


@pytest.fixture
def phone(cast: Cast) -> Phone:
    connection = twilio_side.connect(cast.dentist)
    twilio_side.menu(cast.dentist, connection)
    found = Phone(connection)
    name_account(found)
    return found


@pytest.fixture
def vendor() -> Iterator[twilio_side.Interface]:
    with twilio_side.interface() as found, override_settings(CALLPRIVACY_TWILIO_URL=found.url):
        yield found


def told(cast: Cast, connection: Connection, sid: str = PLACED, *, to: str = OWN) -> list[Taken]:
    """What becomes of the call as its list has it, and as its status callback says it."""
    listed = {
        "sid": sid, "account_sid": ACCOUNT, "parent_call_sid": None, "from": TRACKING, "to": to,
        "direction": "outbound-api", "status": "completed", "duration": "60",
        "start_time": moved("Tue, 24 Nov 2026 18:00:10 +0000"),
        "end_time": moved("Tue, 24 Nov 2026 18:01:10 +0000"),
    }  # fmt: skip
    says = {
        "CallSid": sid, "AccountSid": ACCOUNT, "From": TRACKING, "To": to, "Direction": "outbound-api",
        "CallStatus": "completed", "CallDuration": "60",
        "Timestamp": moved("Tue, 24 Nov 2026 18:01:10 +0000"),
    }  # fmt: skip
    facts = [
        pulled.parse("twilio", pulled.packed(listed), at=LATER),
        PROVIDERS["twilio"].parse(urlencode(says).encode(), {}, at=LATER),
    ]
    return [
        intake.take_in(
            client=cast.dentist, provider="twilio", connection_id=connection.pk, facts=[one],
            way=intake.Way.HOOK, at=LATER,
        )[0]
        for one in facts
        if isinstance(one, CallFacts)
    ]  # fmt: skip


def counts(cast: Cast) -> tuple[int, int]:
    with job_scope(agency_id=cast.acme.pk):
        return Call.objects.for_client(cast.dentist).count(), Caller.objects.for_client(cast.dentist).count()


def test_an_agent_who_was_rung_becomes_no_caller(
    cast: Cast, dora: Browser, phone: Phone, vendor: twilio_side.Interface
) -> None:
    ask(dora, caller(cast))
    work(cast)
    before = counts(cast)
    assert told(cast, phone.connection) == [Taken.ERASED, Taken.ERASED]
    assert counts(cast) == before
    assert told(cast, phone.connection, OF_THEIRS) == [Taken.ADDED, Taken.KNOWN]
    assert counts(cast) == (before[0] + 1, before[1] + 1)


def test_a_call_whose_answer_was_lost_is_known_once_twilio_asks_what_to_say_or_tells_its_end(
    cast: Cast, dora: Browser, phone: Phone, vendor: twilio_side.Interface
) -> None:
    ask(dora, caller(cast))
    with Breaking() as url, override_settings(CALLPRIVACY_TWILIO_URL=url):
        work(cast)
    assert only(cast).state == WaitingState.SENT
    address = f"/twilio/{phone.connection.key}/desk/{only(cast).pk}/"
    before = counts(cast)
    go(phone, address, CallSid=PLACED, Direction="outbound-api")
    assert told(cast, phone.connection) == [Taken.ERASED, Taken.ERASED]
    go(phone, address, CallSid=OF_THEIRS, Direction="outbound-api", CallStatus="no-answer")
    assert told(cast, phone.connection, OF_THEIRS) == [Taken.ERASED, Taken.ERASED]
    assert counts(cast) == before


def test_twilio_tells_the_end_of_a_call_back_where_its_words_are(
    cast: Cast, dora: Browser, phone: Phone, vendor: twilio_side.Interface
) -> None:
    ask(dora, caller(cast))
    work(cast)
    (order,) = [one for one in vendor.asked if one.path.endswith("/Calls.json")]
    assert order.said["StatusCallback"] == order.said["Url"]


def test_a_call_that_read_a_code_aloud_is_no_call_of_the_clients(
    cast: Cast, phone: Phone, vendor: twilio_side.Interface
) -> None:
    with job_scope(agency_id=cast.acme.pk):
        TrackingNumber.objects.for_client(cast.dentist).update(provider="twilio")
    with override_settings(CALLPRIVACY_MAIL_IS_FILES=False):
        codes.send_code(
            client=cast.dentist, number="+14155550144", language=Language.ENGLISH, at=LATER, way=CodeWay.CALL
        )
    assert [one.path.rpartition("/")[2] for one in vendor.asked] == ["Calls.json"]
    before = counts(cast)
    assert told(cast, phone.connection, to="+14155550144") == [Taken.ERASED, Taken.ERASED]
    assert counts(cast) == before


def test_a_call_that_read_a_code_is_known_at_its_end_where_twilios_answer_was_lost(
    cast: Cast, phone: Phone, vendor: twilio_side.Interface
) -> None:
    with job_scope(agency_id=cast.acme.pk):
        TrackingNumber.objects.for_client(cast.dentist).update(provider="twilio")
    reading: dict[str, Any] = {
        "client": cast.dentist,
        "number": "+14155550144",
        "language": Language.ENGLISH,
        "at": LATER,
    }
    with override_settings(CALLPRIVACY_MAIL_IS_FILES=False):
        codes.send_code(**reading, way=CodeWay.CALL)
        with Breaking() as url, override_settings(CALLPRIVACY_TWILIO_URL=url):
            codes.send_code(**reading, way=CodeWay.CALL)
    (order,) = vendor.asked
    before = counts(cast)
    waits = inboxes(cast)
    ended = {"CallSid": OF_THEIRS, "Direction": "outbound-api", "CallStatus": "no-answer"}
    go(phone, order.said["StatusCallback"], **ended)
    assert told(cast, phone.connection, OF_THEIRS, to="+14155550144") == [Taken.ERASED, Taken.ERASED]
    assert (counts(cast), inboxes(cast)) == (before, waits)


def inboxes(cast: Cast) -> int:
    with job_scope(agency_id=cast.acme.pk):
        return Inbox.objects.for_client(cast.dentist).count()


def test_a_code_whose_answer_was_lost_is_not_said_to_be_sent() -> None:
    with Breaking() as url, pytest.raises(NotSentError):
        ByTwilio(Account(ACCOUNT, "t" * 32, url), TRACKING).read_aloud(
            number=OWN, sentences=["One."], language=Language.ENGLISH
        )


def test_what_is_remembered_of_our_calls_leaves(cast: Cast) -> None:
    for _ in range(2):
        placed.leave_out(client=cast.dentist, provider="twilio", kind="sid", reference=CALL, at=NOON)
    on = NOON.date() + placed.KEPT_FOR
    assert vault.expire_tombstones(client_id=cast.dentist.pk, on=on - timedelta(days=1)) == 0
    assert vault.expire_tombstones(client_id=cast.dentist.pk, on=on) == 1


class Breaking:
    """A vendor that takes a question and hangs up."""

    def __enter__(self) -> str:
        self._server = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()
        return f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._server.accept()
            except OSError:
                return
            with line:
                line.recv(65536)

    def __exit__(self, *_: object) -> None:
        self._server.close()
