"""Word of withdrawals to the agency's systems: signed as the specification says, tried for three days, never inward."""

import base64
import contextlib
import hashlib
import hmac
import json
import socket
import threading
import time
import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Self

import pytest
from django.conf import settings
from urllib3.exceptions import NewConnectionError

from callprivacy.audit.models import Event
from callprivacy.lib import pauses
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.work.models import Item
from consent import kinds
from consent.enums import Purpose, WaitingState
from consent.models import WebhookDelivery, WebhookEndpoint
from consent.services import checks, webhooks, withdrawals
from consent.services.checks import Asked
from tests.cast import Cast
from tests.consent.test_withdrawals import ONE, withdraw
from tests.make import NOON

pytestmark = pytest.mark.as_committed

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def endpoint(cast: Cast) -> WebhookEndpoint:
    with job_scope(agency_id=cast.acme.pk):
        return WebhookEndpoint.objects.create(
            agency_id=cast.acme.pk,
            client=cast.dentist,
            name="CRM",
            url="https://crm.example/hooks",
            secret=SECRET,
            created_at=NOON,
        )


def delivery(cast: Cast) -> WebhookDelivery:
    with job_scope(agency_id=cast.acme.pk):
        return WebhookDelivery.objects.for_client(cast.dentist).select_related("endpoint").get()


def queued(cast: Cast) -> webhooks.ClientLetter:
    endpoint(cast)
    withdraw(cast)
    withdrawals.carry_out(agency_id=cast.acme.pk, at=NOON)
    letter = webhooks.claim(agency_id=cast.acme.pk, at=NOON)
    assert letter is not None
    return letter


def test_the_signature_is_the_specifications_own_vector() -> None:
    """The example of the specification: its secret, id, time, body and signature."""
    at = datetime.fromtimestamp(1614265330).astimezone()
    signed = webhooks.sign(
        SECRET, message_id="msg_p5jXN8AQM9LWM0D4loKWxJek", at=at, body=b'{"test": 2432232314}'
    )
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_withdrawal_is_told_once_and_signed(cast: Cast) -> None:
    letter = queued(cast)
    body = json.loads(letter.body)
    assert body["type"] == "consent.withdrawn"
    assert "number" not in body["data"]
    assert ONE not in letter.body.decode()
    with job_scope(agency_id=cast.acme.pk):
        asked = checks.check(
            client=cast.dentist, asked=[Asked(ONE), Asked("+14155550102")], purposes=[Purpose.RECORD], at=NOON
        )
    assert body["data"]["number_digest"] == asked.numbers[0] != asked.numbers[1]
    signed = f"{letter.headers['webhook-id']}.{letter.headers['webhook-timestamp']}.".encode() + letter.body
    raw = base64.b64decode(SECRET.removeprefix("whsec_"))
    own = base64.b64encode(hmac.new(raw, signed, hashlib.sha256).digest()).decode()
    assert letter.headers["webhook-signature"] == f"v1,{own}"
    assert webhooks.claim(agency_id=cast.acme.pk, at=NOON) is None
    assert ONE.encode() not in bytes(delivery(cast).payload.blob)


def waiting(cast: Cast) -> list[int | None]:
    """How many dead letters the queue speaks of."""
    with job_scope(agency_id=cast.acme.pk):
        return list(Item.objects.open().filter(kind=kinds.WEBHOOKS_DEAD).values_list("count", flat=True))


def test_what_was_taken_leaves(cast: Cast) -> None:
    letter = queued(cast)
    webhooks.settle(
        agency_id=cast.acme.pk, letter=letter, status=204, words="answered 204", chance=0.0, at=NOON
    )
    row = delivery(cast)
    assert (row.state, row.payload, row.due_at) == (WaitingState.DONE, None, None)


def test_it_is_tried_for_three_days_with_growing_pauses_and_then_kept(cast: Cast) -> None:
    letter: webhooks.ClientLetter | None = queued(cast)
    at, waits, row = NOON, [], delivery(cast)
    while letter is not None:
        webhooks.settle(
            agency_id=cast.acme.pk, letter=letter, status=500, words="answered 500", chance=0.0, at=at
        )
        row = delivery(cast)
        if row.due_at is None:
            break
        waits.append(row.due_at - at)
        at = row.due_at
        letter = webhooks.claim(agency_id=cast.acme.pk, at=at)
    assert waits == sorted(waits)
    assert timedelta(days=1) < at - NOON < timedelta(days=3)
    assert delivery(cast).state == WaitingState.FAILED
    assert waiting(cast) == [1]
    by = Actor.staff(user_id=cast.alice.user_id)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        assert webhooks.send_again(delivery=row, by=by, at=at)
    assert waiting(cast) == []
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        assert not webhooks.send_again(delivery=row, by=by, at=at)
    assert webhooks.claim(agency_id=cast.acme.pk, at=at) is not None


def test_receivers_that_failed_together_are_not_told_again_together(cast: Cast) -> None:
    letter, dues = queued(cast), []
    for chance in (0.0, 0.5, 1.0):
        webhooks.settle(
            agency_id=cast.acme.pk, letter=letter, status=503, words="answered 503", chance=chance, at=NOON
        )
        due = delivery(cast).due_at
        assert due is not None
        dues.append((due - NOON) / timedelta(seconds=5))
    assert dues == [1.0, 1.125, 1.25]


def test_even_the_longest_pauses_end_within_three_days() -> None:
    longest = sum((pauses.spread(pause, 1.0) for pause in webhooks._PAUSES), timedelta())
    assert longest < webhooks.TRIED_FOR


def test_an_endpoint_that_is_gone_is_not_tried_again(cast: Cast) -> None:
    letter = queued(cast)
    webhooks.settle(
        agency_id=cast.acme.pk, letter=letter, status=410, words="answered 410", chance=0.0, at=NOON
    )
    assert delivery(cast).state == WaitingState.FAILED


def test_old_messages_leave_with_their_keys(cast: Cast) -> None:
    letter = queued(cast)
    webhooks.settle(
        agency_id=cast.acme.pk, letter=letter, status=0, words="ConnectError", chance=0.0, at=NOON
    )
    assert webhooks.purge(agency_id=cast.acme.pk, at=NOON + timedelta(days=6)) == 0
    assert webhooks.purge(agency_id=cast.acme.pk, at=NOON + timedelta(days=8)) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://crm.example/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://10.0.0.8/",
        "https://[::1]/",
        "https://169.254.169.254/latest/",
        "https://user:word@example.com/",
        "ftp://example.com/",
    ],
)
def test_nothing_is_sent_inward(url: str) -> None:
    with pytest.raises(webhooks.AddressError):
        webhooks.check_address(url)


def test_the_secret_is_random_and_long(monkeypatch: Any) -> None:
    one, two = webhooks.new_secret(), webhooks.new_secret()
    assert one != two
    assert len(base64.b64decode(one.removeprefix("whsec_"))) == 32


# --- Numbers, where an officer switched them on ---


def switched_on(cast: Cast) -> webhooks.ClientLetter:
    row = endpoint(cast)
    by = Actor.staff(user_id=cast.alice.user_id)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        assert webhooks.switch_number(endpoint=row, on=True, by=by, at=NOON)
        assert not webhooks.switch_number(endpoint=row, on=True, by=by, at=NOON)
        event = Event.objects.get(action="endpoint.number_switched")
    assert event.details["with_number"] is True
    withdraw(cast)
    withdrawals.carry_out(agency_id=cast.acme.pk, at=NOON)
    letter = webhooks.claim(agency_id=cast.acme.pk, at=NOON)
    assert letter is not None
    return letter


def test_a_number_is_added_as_the_message_leaves_and_lies_in_no_queue(cast: Cast) -> None:
    letter = switched_on(cast)
    assert json.loads(letter.body)["data"]["number"] == ONE
    row = delivery(cast)
    key = vault.day_key(client_id=cast.dentist.pk, purpose=webhooks.PURPOSE, at=NOON)
    with job_scope(agency_id=cast.acme.pk):
        assert ONE not in row.payload.reveal(key)


def test_a_dead_letter_names_nobody_after_an_erasure(cast: Cast) -> None:
    letter = switched_on(cast)
    caller_id = uuid.UUID(json.loads(letter.body)["data"]["caller"])
    webhooks.settle(
        agency_id=cast.acme.pk, letter=letter, status=410, words="answered 410", chance=0.0, at=NOON
    )
    vault.erase_callers(client_id=cast.dentist.pk, erasures=[vault.Erasure(caller_id)], at=NOON)
    by, dead = Actor.staff(user_id=cast.alice.user_id), delivery(cast)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        assert webhooks.send_again(delivery=dead, by=by, at=NOON)
    again = webhooks.claim(agency_id=cast.acme.pk, at=NOON)
    assert again is not None
    assert json.loads(again.body)["data"]["number"] is None


# --- The address is looked up once ---


def test_we_connect_to_the_very_address_that_was_looked_at(cast: Cast, monkeypatch: Any) -> None:
    """A name server that answers otherwise the second time reaches nothing."""
    answers = iter(["93.184.215.14", "10.0.0.8"])
    asked: list[str] = []

    def lookup(host: str, *_args: Any, **_more: Any) -> list[Any]:
        asked.append(host)
        return [(2, 1, 6, "", (next(answers), 443))]

    reached: list[tuple[str, str]] = []

    def connect(pool: Any, *_args: Any, **more: Any) -> Any:
        reached.append((pool.host, more["headers"]["Host"]))
        raise NewConnectionError(pool, "refused")

    monkeypatch.setattr("socket.getaddrinfo", lookup)
    monkeypatch.setattr("urllib3.HTTPSConnectionPool.urlopen", connect)
    assert webhooks.send(queued(cast)) == (0, "NewConnectionError")
    assert asked == ["crm.example"]
    assert reached == [("93.184.215.14", "crm.example")]


def test_only_a_demo_tells_itself() -> None:
    own = f"{settings.CALLPRIVACY_URL}/demo/hooks"
    assert webhooks.check_address(own, is_demo=True) == "127.0.0.1"
    with pytest.raises(webhooks.AddressError):
        webhooks.check_address(own)
    with pytest.raises(webhooks.AddressError):
        webhooks.check_address("https://crm.example:port/", is_demo=True)


# --- A dead letter that is sent again ---


def dead(cast: Cast, at: datetime) -> WebhookDelivery:
    """A message that nobody took for three days, sent again by a person."""
    letter = queued(cast)
    webhooks.settle(
        agency_id=cast.acme.pk, letter=letter, status=500, words="answered 500", chance=0.0,
        at=NOON + timedelta(days=3),
    )  # fmt: skip
    row = delivery(cast)
    by = Actor.staff(user_id=cast.alice.user_id)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        assert webhooks.send_again(delivery=row, by=by, at=at)
    return delivery(cast)


def fails(cast: Cast, at: datetime) -> bool:
    """Whether it is tried at a moment, and not taken."""
    letter = webhooks.claim(agency_id=cast.acme.pk, at=at)
    if letter is not None:
        webhooks.settle(
            agency_id=cast.acme.pk, letter=letter, status=500, words="answered 500", chance=0.0, at=at
        )
    return letter is not None


def test_what_is_sent_again_is_tried_for_three_days_once_more(cast: Cast) -> None:
    again = NOON + timedelta(days=6)
    row = dead(cast, again)
    assert row.retried_at == again
    tries = 0
    at = again
    while fails(cast, at):
        tries += 1
        due = delivery(cast).due_at
        if due is None:
            break
        at = due
    assert tries >= len(webhooks._PAUSES)
    assert timedelta(days=1) < at - again < webhooks.TRIED_FOR
    assert delivery(cast).state == WaitingState.FAILED


def test_what_is_sent_again_stays_a_week_from_then_and_so_does_the_key_of_its_day(cast: Cast) -> None:
    again = NOON + timedelta(days=6)
    dead(cast, again)
    with job_scope(agency_id=cast.acme.pk):
        to = WebhookEndpoint.objects.for_client(cast.dentist).select_related("client__agency").get()
        webhooks.ping(endpoint=to, by=Actor.job("test"), at=NOON)
    assert webhooks.purge(agency_id=cast.acme.pk, at=NOON + timedelta(days=8)) == 1
    assert webhooks.claim(agency_id=cast.acme.pk, at=NOON + timedelta(days=8)) is not None
    assert webhooks.purge(agency_id=cast.acme.pk, at=again + timedelta(days=6)) == 0
    assert webhooks.purge(agency_id=cast.acme.pk, at=again + timedelta(days=8)) == 1
    assert vault_selectors.key_days(cast.dentist.pk, webhooks.PURPOSE, before=datetime.max.date()) == []


def test_a_message_sent_again_keeps_the_key_of_its_own_day_and_of_no_other(cast: Cast) -> None:
    dead(cast, NOON + timedelta(days=6))
    with job_scope(agency_id=cast.acme.pk):
        to = WebhookEndpoint.objects.for_client(cast.dentist).select_related("client__agency").get()
        for later in (1, 3):
            webhooks.ping(endpoint=to, by=Actor.job("test"), at=NOON + timedelta(days=later))
    assert webhooks.purge(agency_id=cast.acme.pk, at=NOON + timedelta(days=11)) == 2
    days = vault_selectors.key_days(cast.dentist.pk, webhooks.PURPOSE, before=datetime.max.date())
    assert days == [NOON.date()]


# --- A receiver that drips ---


class Dripping:
    """A receiver that takes the message and answers a byte at a time, for as long as it is listened to."""

    def __init__(self, first: bytes) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._first = first
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            line, _ = self._server.accept()
            with line:
                line.recv(65536)
                line.sendall(self._first)
                while True:
                    line.sendall(b"x")
                    time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        self._server.close()


@pytest.mark.thorough
@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: "])
def test_a_receiver_that_drips_its_answer_is_left_after_a_while(
    cast: Cast, settings: Any, monkeypatch: pytest.MonkeyPatch, first: bytes
) -> None:
    monkeypatch.setattr(webhooks, "_WHOLE", 0.6)
    letter = queued(cast)
    with Dripping(first) as receiver:
        settings.CALLPRIVACY_URL = receiver.url
        begun = time.monotonic()
        status, words = webhooks.send(replace(letter, url=f"{receiver.url}/demo/hooks", is_demo=True))
        assert time.monotonic() - begun < 5
    assert status == 0
    assert words == "It answers too slowly."


def test_what_was_never_settled_in_three_days_is_a_dead_letter(cast: Cast) -> None:
    """Whatever ends the worker each time: a person sees it, and the messages behind it go out."""
    queued(cast)
    at = NOON + webhooks.TRIED_FOR
    with job_scope(agency_id=cast.acme.pk):
        to = WebhookEndpoint.objects.for_client(cast.dentist).select_related("client__agency").get()
        webhooks.ping(endpoint=to, by=Actor.job("test"), at=at)
    letter = webhooks.claim(agency_id=cast.acme.pk, at=at)
    assert letter is not None
    assert json.loads(letter.body)["type"] == webhooks.PING
    with job_scope(agency_id=cast.acme.pk):
        row = WebhookDelivery.objects.for_client(cast.dentist).get(event_type=webhooks.WITHDRAWN)
    assert (row.state, row.due_at) == (WaitingState.FAILED, None)
    assert "did not finish" in row.last_status
    assert waiting(cast) == [1]
