"""Word of withdrawals to the agency's systems: signed as the specification says, tried for three days, never inward."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.work.models import Item
from consent import kinds
from consent.enums import WaitingState
from consent.models import WebhookDelivery, WebhookEndpoint
from consent.services import webhooks, withdrawals
from tests.cast import Cast
from tests.consent.test_withdrawals import ONE, withdraw
from tests.make import NOON

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "vault"])

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


def queued(cast: Cast) -> webhooks.Letter:
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
    assert body["data"]["number"] == ONE
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
    webhooks.settle(agency_id=cast.acme.pk, letter=letter, status=204, words="answered 204", at=NOON)
    row = delivery(cast)
    assert (row.state, row.payload, row.due_at) == (WaitingState.DONE, None, None)


def test_it_is_tried_for_three_days_with_growing_pauses_and_then_kept(cast: Cast) -> None:
    letter: webhooks.Letter | None = queued(cast)
    at, waits, row = NOON, [], delivery(cast)
    while letter is not None:
        webhooks.settle(agency_id=cast.acme.pk, letter=letter, status=500, words="answered 500", at=at)
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


def test_an_endpoint_that_is_gone_is_not_tried_again(cast: Cast) -> None:
    letter = queued(cast)
    webhooks.settle(agency_id=cast.acme.pk, letter=letter, status=410, words="answered 410", at=NOON)
    assert delivery(cast).state == WaitingState.FAILED


def test_old_messages_leave_with_their_keys(cast: Cast) -> None:
    letter = queued(cast)
    webhooks.settle(agency_id=cast.acme.pk, letter=letter, status=0, words="ConnectError", at=NOON)
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
