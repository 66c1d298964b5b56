"""
Word to the agency's own systems: signed as the Standard Webhooks specification has it, tried for three days.

A message that nobody took is kept as a dead letter, shown, and sent again by a person. The payload is sealed under
the client's key of the day, which goes with the message. It names the caller by id and by a digest of the number; where
an officer switched the number on it is added when the message leaves, so that none lies in a queue after an erasure.
Source: standard-webhooks/standard-webhooks, spec (version 1: `webhook-id`, `webhook-timestamp`, `webhook-signature`).
"""

import base64
import hashlib
import hmac
import json
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import urllib3
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce, TruncDate
from urllib3.exceptions import HTTPError

from callprivacy.audit import services as audit
from callprivacy.calls.models import Caller
from callprivacy.lib import outside, pauses
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import Place, SealBrokenError
from callprivacy.work import services as work
from consent import kinds
from consent.enums import WaitingState
from consent.models import WebhookDelivery, WebhookEndpoint, Withdrawal
from consent.selectors.vendors import number_digest

_JOB: Final = Actor.job("consent.deliver_webhooks")
WITHDRAWN: Final = "consent.withdrawn"
PING: Final = "webhook.ping"
PURPOSE: Final = "webhook"
TRIED_FOR: Final = timedelta(days=3)
KEPT_FOR: Final = timedelta(days=7)
_PAUSES: Final = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 30, 120, 300, 900, 1800, 3600, 7200, 14400, 21600, 28800, 28800, 43200, 43200)
)
_LEASE: Final = timedelta(minutes=2)
_TIMEOUT: Final = urllib3.Timeout(connect=4, read=10)
_WHOLE: Final = 12.0
"""Seconds for the whole of an answer, however slowly each byte comes."""

_NEVER_SETTLED: Final = "The delivery was started and did not finish."
_SHUT: Final = "The message is damaged and cannot be decrypted."
_PREFIX: Final = "whsec_"
_GONE: Final = 410


class AddressError(ValueError):
    """An address that nothing is sent to: not https, or inside our own network. The text says which."""


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Letter:
    """One message on its way, a client's or the agency's."""

    delivery_id: uuid.UUID
    url: str
    body: bytes
    headers: dict[str, str]
    attempts: int
    tried_since: datetime
    is_demo: bool = False


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class ClientLetter(Letter):
    """One message of a client's on its way."""

    client_id: int


# --- Endpoints ----------------------------------------------------------------------------------------------------


@transaction.atomic
def add_endpoint(
    *, client: Client, name: str, url: str, by: Actor, at: datetime, with_number: bool = False
) -> tuple[WebhookEndpoint, str]:
    """
    Have an address told of withdrawals; returns it and its secret, which is shown this once.

    :param with_number: it is told callers' numbers; an officer decides that.
    :raises AddressError: nothing may be sent there.
    """
    check_address(url, is_demo=client.agency.is_demo)
    secret = new_secret()
    row = WebhookEndpoint.objects.create(
        agency_id=client.agency_id,
        client=client,
        name=name,
        url=url,
        secret=secret,
        with_number=with_number,
        created_at=at,
    )
    audit.record("endpoint.added", by=by, at=at, subject=row, with_number=with_number)
    return row, secret


@transaction.atomic
def switch_number(*, endpoint: WebhookEndpoint, on: bool, by: Actor, at: datetime) -> bool:
    """Have an endpoint told callers' numbers, or no more, from the next message on; returns whether that is new."""
    rows = WebhookEndpoint.objects.for_client(endpoint.client_id).filter(pk=endpoint.pk, with_number=not on)
    if not rows.update(with_number=on):
        return False
    audit.record("endpoint.number_switched", by=by, at=at, subject=endpoint, with_number=on)
    return True


@transaction.atomic
def close_endpoint(*, endpoint: WebhookEndpoint, by: Actor, at: datetime) -> bool:
    """Tell an address nothing more; returns whether it was told anything until now."""
    rows = WebhookEndpoint.objects.for_client(endpoint.client_id).filter(pk=endpoint.pk, is_active=True)
    if not rows.update(is_active=False):
        return False
    waiting = WebhookDelivery.objects.for_client(endpoint.client_id).filter(
        endpoint=endpoint, state=WaitingState.WAITING
    )
    waiting.update(state=WaitingState.CANCELLED, due_at=None)
    audit.record("endpoint.closed", by=by, at=at, subject=endpoint)
    renew_item(agency_id=endpoint.agency_id, client_id=endpoint.client_id, at=at)
    return True


@transaction.atomic
def forget_client(*, client: Client, by: Actor, at: datetime) -> None:
    """Tell no system of a client anything more, and forget what signed it. In a job's scope."""
    rows = WebhookEndpoint.objects.for_client(client)
    for endpoint in rows.filter(is_active=True):
        close_endpoint(endpoint=endpoint, by=by, at=at)
    rows.update(secret="")


@transaction.atomic
def rotate_secret(*, endpoint: WebhookEndpoint, by: Actor, at: datetime) -> str:
    """Give an endpoint another secret; returns it, shown this once. The old one signs nothing more."""
    secret = new_secret()
    endpoint.secret = secret  # type: ignore[assignment]  # the field is typed as itself
    endpoint.save(update_fields=["secret"])
    audit.record("endpoint.secret_rotated", by=by, at=at, subject=endpoint)
    return secret


def new_secret() -> str:
    """A signing secret of 32 random bytes, written as the specification has it."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def check_address(url: str, *, is_demo: bool = False) -> str:
    """
    Return the one address behind a url to connect to; refuse what is not https, or leads into our own network.

    :param is_demo: the agency is a demo, which may tell itself on this machine.
    :raises AddressError: it is one of those.
    """
    is_own = is_demo and url.startswith(f"{settings.CALLPRIVACY_URL}/demo/")
    try:
        parts = urlsplit(url) if is_own else outside.checked(url)
        return outside.resolve(parts.hostname or "", outside.port_of(parts), anywhere=is_own)
    except outside.NotPlainError as error:
        raise AddressError(str(error)) from None
    except outside.NoAddressError:
        raise AddressError("This host name does not exist.") from None
    except outside.NotPublicError:
        raise AddressError("This address is in a private network.") from None


# --- Messages -----------------------------------------------------------------------------------------------------


def announce(*, client: Client, withdrawal: Withdrawal, at: datetime) -> int:
    """Queue word of a withdrawal for every endpoint of the client; returns how many. Inside a job's scope."""
    endpoints = list(
        WebhookEndpoint.objects.for_client(client).filter(is_active=True).select_related("client")
    )
    if not endpoints:
        return 0
    data = {
        "withdrawal": str(withdrawal.pk),
        "client": client.slug,
        "caller": str(withdrawal.caller_id),
        "number_digest": _digest(client, withdrawal.caller_id),
        "purposes": list(withdrawal.purposes),
        "channel": withdrawal.channel,
        "happened_at": withdrawal.happened_at.isoformat(),
        "stopped_at": withdrawal.stopped_at.isoformat(),
    }
    rows = [_delivery(one, WITHDRAWN, withdrawal.pk, data, at) for one in endpoints]
    WebhookDelivery.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def has_endpoints(client: Client) -> bool:
    """Whether a client has a system that is told of anything."""
    return WebhookEndpoint.objects.for_client(client).filter(is_active=True).exists()


def announce_request(
    *, client: Client, kind: str, request_id: uuid.UUID, callers: Mapping[uuid.UUID, str], at: datetime
) -> list[WebhookDelivery]:
    """
    Queue word of an answered request for every endpoint of the client, once each; returns the messages.

    Inside a job's scope. It tells who by the caller's id and a digest of the number, which outlive an erasure here.

    :param kind: "request.erasure", "request.correction" or "request.restriction". :param callers: caller id -> E.164.
    """
    endpoints = list(
        WebhookEndpoint.objects.for_client(client).filter(is_active=True).select_related("client")
    )
    if not endpoints:
        return []
    keys = vault_selectors.client_keys(client.pk)
    people = [
        {"caller": str(caller_id), "number_digest": number_digest(keys, number)}
        for caller_id, number in sorted(callers.items())
    ]
    data = {"request": str(request_id), "client": client.slug, "people": people}
    WebhookDelivery.objects.bulk_create(
        [_delivery(one, kind, request_id, data, at) for one in endpoints], ignore_conflicts=True
    )
    rows = WebhookDelivery.objects.for_client(client).filter(event_type=kind, event_id=request_id)
    return list(rows.select_related("endpoint").order_by("endpoint__name"))


@transaction.atomic
def ping(*, endpoint: WebhookEndpoint, by: Actor, at: datetime) -> WebhookDelivery:
    """Queue a message that says nothing, to see whether the endpoint takes it."""
    row = _delivery(endpoint, PING, uuid.uuid4(), {"client": endpoint.client.slug}, at)
    row.save(force_insert=True)
    audit.record("endpoint.pinged", by=by, at=at, subject=endpoint)
    return row


def _number(client_id: int, caller_id: uuid.UUID) -> str | None:
    caller = Caller.objects.for_client(client_id).filter(pk=caller_id).first()
    if caller is None:
        return None
    try:
        key = vault_selectors.content_keys({client_id: [caller_id]}).get(caller_id)
        return None if key is None else caller.number.reveal(key)
    except SealBrokenError:
        return None


def _digest(client: Client, caller_id: uuid.UUID) -> str | None:
    number = _number(client.pk, caller_id)
    return number_digest(vault_selectors.client_keys(client.pk), number) if number is not None else None


def _leaving(row: WebhookDelivery, payload: str) -> bytes:
    """The body as it leaves: with the number where the endpoint is told it, and it is still here."""
    body = json.loads(payload)
    data = body["data"]
    data.pop("number", None)  # of a message that was queued when every endpoint was told it
    if row.event_type == WITHDRAWN and row.endpoint.with_number:
        data["number"] = _number(row.client_id, uuid.UUID(data["caller"]))
    return json.dumps(body, separators=(",", ":")).encode()


def _delivery(
    endpoint: WebhookEndpoint, kind: str, about: uuid.UUID, data: dict[str, Any], at: datetime
) -> WebhookDelivery:
    client = endpoint.client
    body = {"type": kind, "timestamp": at.isoformat(), "data": data}
    row = WebhookDelivery(
        agency_id=client.agency_id,
        client=client,
        endpoint=endpoint,
        event_type=kind,
        event_id=about,
        created_at=at,
        due_at=at,
    )
    key = vault.day_key(client_id=client.pk, purpose=PURPOSE, at=at)
    place = Place(client.pk, WebhookDelivery._meta.db_table, "payload", row.pk)
    row.payload = key.seal(json.dumps(body, separators=(",", ":")).encode(), place)
    return row


def sign(secret: str, *, message_id: str, at: datetime, body: bytes) -> str:
    """The signature of one message: base64 HMAC-SHA256 over id, time and body, "v1," before it."""
    raw = base64.b64decode(secret.removeprefix(_PREFIX))
    signed = f"{message_id}.{int(at.timestamp())}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(raw, signed, hashlib.sha256).digest()).decode()


def claim(*, agency_id: int, at: datetime) -> ClientLetter | None:
    """Claim the next message that is due; it comes back unless it is settled, and is a dead letter after three days."""
    with job_scope(agency_id=agency_id):
        due = (
            WebhookDelivery.objects.filter(agency_id=agency_id, state=WaitingState.WAITING, due_at__lte=at)
            .select_related("endpoint", "client__agency")
            .select_for_update(skip_locked=True, of=("self",))
            .order_by("due_at", "pk")
        )
        payload = None
        while (row := due.first()) is not None:
            if row.attempts and at >= _tried_since(row) + TRIED_FOR:
                _dead(row, row.last_status or _NEVER_SETTLED, at)
                continue
            try:
                payload = _payload(row)
            except SealBrokenError:
                _dead(row, _SHUT, at)
                continue
            if payload is not None and row.endpoint.is_active:
                break
            WebhookDelivery.objects.filter(pk=row.pk).update(state=WaitingState.CANCELLED, due_at=None)
        if row is None or payload is None:
            return None
        WebhookDelivery.objects.filter(pk=row.pk).update(attempts=F("attempts") + 1, due_at=at + _LEASE)
        body = _leaving(row, payload)
        message_id = f"msg_{row.pk.hex}"
        return ClientLetter(
            delivery_id=row.pk,
            client_id=row.client_id,
            url=row.endpoint.url,
            body=body,
            headers={
                "Content-Type": "application/json",
                "User-Agent": "CallPrivacy",
                "webhook-id": message_id,
                "webhook-timestamp": str(int(at.timestamp())),
                "webhook-signature": sign(row.endpoint.secret, message_id=message_id, at=at, body=body),
            },
            attempts=row.attempts + 1,
            tried_since=_tried_since(row),
            is_demo=row.client.agency.is_demo,
        )


def _dead(row: WebhookDelivery, words: str, at: datetime) -> None:
    WebhookDelivery.objects.filter(pk=row.pk).update(
        state=WaitingState.FAILED, due_at=None, last_status=words
    )
    renew_item(agency_id=row.agency_id, client_id=row.client_id, at=at)


def _payload(row: WebhookDelivery) -> str | None:
    """
    What is told, in the clear; None where it, or the key of its day, is gone.

    :raises SealBrokenError: it is damaged.
    """
    keys = vault_selectors.client_keys(row.client_id)
    key = vault_selectors.day_key(keys, PURPOSE, row.created_at.astimezone(UTC).date())
    return None if key is None or row.payload is None else row.payload.reveal(key)


def _tried_since(row: WebhookDelivery) -> datetime:
    return row.retried_at or row.created_at


def send(letter: Letter) -> tuple[int, str]:
    """Bring one message to its address. Outside any scope. Returns the status, and words where there is none."""
    parts = urlsplit(letter.url)
    try:
        status = _post(letter, parts, check_address(letter.url, is_demo=letter.is_demo))
    except (AddressError, outside.NoAnswerError) as error:
        return 0, str(error)
    except (HTTPError, OSError) as error:
        return 0, type(error).__name__
    return status, f"answered {status}"


def _post(letter: Letter, parts: SplitResult, address: str) -> int:
    pool = outside.pool_to(address, parts, timeout=_TIMEOUT)
    try:
        with outside.cut_after(pool, _WHOLE):
            response = pool.urlopen(
                "POST",
                outside.target_of(parts),
                body=letter.body,
                headers={"Host": parts.netloc, **letter.headers},
                redirect=False,
                preload_content=False,
            )
        response.close()
        return int(response.status)
    finally:
        pool.close()


def next_try(
    letter: Letter, pauses_of: Sequence[timedelta], *, status: int, chance: float, at: datetime
) -> datetime | None:
    """
    When a message that was not taken is tried again; None where it is given up, for its system is gone or silent.

    :param pauses_of: the pauses after its first, second and later tries. :param chance: 0 to 1; spreads them, so that
        many receivers are not told in step.
    """
    again = at + pauses.spread(pauses_of[min(letter.attempts, len(pauses_of)) - 1], chance)
    return None if status == _GONE or again >= letter.tried_since + TRIED_FOR else again


def settle(
    *, agency_id: int, letter: ClientLetter, status: int, words: str, chance: float, at: datetime
) -> None:
    """
    Write down what came of it: taken, to be tried again, or a dead letter for a person to look at.

    :param chance: as `next_try` has it.
    """
    with job_scope(agency_id=agency_id):
        row = WebhookDelivery.objects.for_client(letter.client_id).filter(
            pk=letter.delivery_id, state=WaitingState.WAITING
        )
        if 200 <= status < 300:
            row.update(state=WaitingState.DONE, delivered_at=at, due_at=None, payload=None, last_status=words)
            return
        again = next_try(letter, _PAUSES, status=status, chance=chance, at=at)
        if again is None:
            row.update(state=WaitingState.FAILED, due_at=None, last_status=words[:120])
            renew_item(agency_id=agency_id, client_id=letter.client_id, at=at)
        else:
            row.update(due_at=again, last_status=words[:120])


@transaction.atomic
def send_again(*, delivery: WebhookDelivery, by: Actor, at: datetime) -> bool:
    """Try a dead letter for another three days; returns whether it was one that can be sent."""
    rows = WebhookDelivery.objects.for_client(delivery.client_id).filter(
        pk=delivery.pk, state=WaitingState.FAILED, payload__isnull=False, endpoint__is_active=True
    )
    if not rows.exists():
        return False
    WebhookDelivery.objects.filter(pk=delivery.pk).update(
        state=WaitingState.WAITING, due_at=at, attempts=0, retried_at=at
    )
    audit.record("delivery.sent_again", by=by, at=at, subject=delivery)
    renew_item(agency_id=delivery.agency_id, client_id=delivery.client_id, at=at)
    return True


def renew_item(*, agency_id: int, client_id: int, at: datetime) -> None:
    """Bring the queue's item of a client up to date: dead letters of endpoints that are still told."""
    dead = WebhookDelivery.objects.filter(
        agency_id=agency_id, client_id=client_id, state=WaitingState.FAILED, endpoint__is_active=True
    ).count()
    work.renew_item(kinds.WEBHOOKS_DEAD, agency_id=agency_id, client_id=client_id, count=dead, by=_JOB, at=at)


def purge(*, agency_id: int, at: datetime) -> int:
    """Remove messages that are a week old, or sent again so long ago, and the keys of their days; returns how many."""
    since = at - KEPT_FOR
    with job_scope(agency_id=agency_id):
        rows = WebhookDelivery.objects.filter(agency_id=agency_id)
        old = rows.alias(since=Coalesce("retried_at", "created_at")).filter(since__lt=since)
        clients = set(old.values_list("client_id", flat=True))
        count = old.remove()
        for client_id in clients:
            renew_item(agency_id=agency_id, client_id=client_id, at=at)
        left = rows.filter(client_id__in=clients, created_at__lt=since).annotate(
            day=TruncDate("created_at", tzinfo=UTC)
        )
        needed = set(left.values_list("client_id", "day"))
    for client_id in clients:
        for day in vault_selectors.key_days(client_id, PURPOSE, before=since.astimezone(UTC).date()):
            if (client_id, day) not in needed:
                vault.destroy_purpose_key(client_id=client_id, purpose=vault_selectors.of_day(PURPOSE, day))
    return count
