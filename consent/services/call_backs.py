"""
Calling a caller back without seeing the number: a vendor rings the agent, and after a key of the agent's the caller.

Asked for in the request, where it is checked whether the person may be called at all; carried out by a job, for only a
job may open the vendor's secret; and checked again at the moment of connecting. An agent is rung once or never.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.urls import reverse

from callprivacy.audit import services as audit
from callprivacy.calls.models import Call, Caller, Connection, TrackingNumber
from callprivacy.calls.services import placed
from callprivacy.calls.services.searches import NotANumberError
from callprivacy.lib import calendars, phone
from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Actor, ScopeKind
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.models import Place as Business
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import Key, Place, SealBrokenError
from consent.channels import desk_twiml, twilio
from consent.enums import Purpose, WaitingState
from consent.models import CallBack, PhoneMenu
from consent.selectors import people
from consent.selectors.contact import number_of
from consent.services import contact, menu_calls, twilio_door
from consent.services.contact import Aim, Asked
from consent.services.twilio_door import Door

log = logger(__name__)

JOB: Final = Actor.job("consent.ring_agents")
KEPT_FOR: Final = timedelta(days=1)
_STALE: Final = timedelta(minutes=2)
"""Nobody waits for a call back longer than that: what was not asked by then is not asked any more."""

_LEASE: Final = timedelta(seconds=40)
_AGAIN: Final = timedelta(seconds=10)
_TRIED_AT_MOST: Final = 3
AN_HOUR_AT_MOST: Final = 20
"""Calls back that one person may ask for within an hour, at all clients together."""
_PRESSED_WITHIN: Final = timedelta(minutes=5)


class NoLineError(LookupError):
    """No connection of the client's can connect two telephones."""


class NotToCallError(ValueError):
    """The person, or the agent's own phone, may not be called now; the text says why."""


class NoNumberError(LookupError):
    """The person's number is not here any more."""


# --- Asking ---


@transaction.atomic
def ask(*, client: Client, caller_id: uuid.UUID, agent_number: str, by: Actor, at: datetime) -> CallBack:
    """
    Have a vendor connect the agent with a caller. Checked first; a job rings within seconds.

    :raises NotANumberError: the agent's own number is none.
    :raises NotToCallError: the person may not be called now, that phone may not be rung, or it was asked too often.
    :raises NoLineError: nothing can connect them.
    :raises NoNumberError: there is no number to call any more.
    """
    if by.user_id is None or by.kind is not ScopeKind.STAFF:
        raise TypeError("A person is connected.")
    own = phone.normalise(agent_number, client.home_country)
    if own is None:
        raise NotANumberError("This is not a valid phone number.")
    number = _number_of(client, caller_id)
    if own == number:
        raise NotToCallError("This is the caller's number. Enter the number of your own phone.")
    _check_agent(client, own, by.user_id, at)
    _check_reach(client, caller_id, number)
    _check(client, number, at)
    line = line_of(client, caller_id)
    row = CallBack(
        agency_id=client.agency_id,
        client=client,
        caller_id=caller_id,
        user_id=by.user_id,
        connection=line[0],
        tracking_number=line[1],
        created_at=at,
        due_at=at,
    )
    row.agent_number = _key(client, at).seal(own.encode(), _place(row))
    row.save(force_insert=True)
    audit.record(
        "call_back.asked", by=by, at=at, subject=Caller(pk=caller_id, client_id=client.pk), call=str(row.pk)
    )
    return row


def _check_agent(client: Client, own: str, user_id: int, at: datetime) -> None:
    """An agent's phone stands in one of the client's countries, is nobody's who said no, and rings so often an hour."""
    asked = CallBack.objects.filter(
        agency_id=client.agency_id, user_id=user_id, created_at__gt=at - timedelta(hours=1)
    )
    if asked.count() >= AN_HOUR_AT_MOST:
        raise NotToCallError(
            f"You have reached the limit of {AN_HOUR_AT_MOST} callbacks per hour. Try again later."
        )
    if phone.place_of(own)[0] not in _countries(client):
        raise NotToCallError("Your phone number is not in a country where this client does business.")
    today = calendars.day_in(client.time_zone, at)
    if Purpose.CONTACT in vault_selectors.suppressed(client.pk, [own], on=today).get(own, {}):
        raise NotToCallError(
            "This number is on the client's do-not-call list. Enter the number of your own phone."
        )


def _check_reach(client: Client, caller_id: uuid.UUID, number: str) -> None:
    """Into other countries only who has called the client: whoever is written down at the desk may be anybody."""
    has_called = Call.objects.for_client(client).filter(caller_id=caller_id)
    if phone.place_of(number)[0] not in _countries(client) and not has_called.exists():
        raise NotToCallError(
            "This number is outside the countries where this client does business, and has not called this client."
        )


def _countries(client: Client) -> set[str]:
    places = Business.objects.for_client(client).values_list("country", flat=True)
    return {client.home_country, *places}


def _check(client: Client, number: str, at: datetime) -> None:
    """As a call that the person asked for: no marketing, but never against the person's own no, nor at night."""
    (answer,) = contact.check(client=client, asked=[Asked(number)], aim=Aim.SERVICE, at=at).answers
    if not answer.allowed:
        words = [obstacle.text for obstacle in answer.obstacles]
        if answer.next_at is not None and answer.next_at > at:
            words.append(f"You can call back from {_when(client, answer.next_at)}.")
        raise NotToCallError(" ".join(words))


def _when(client: Client, at: datetime) -> str:
    local = at.astimezone(ZoneInfo(client.time_zone))
    return f"{local:%A} {local.day} {local:%B, %H:%M %Z}"


def line_of(client: Client, caller_id: uuid.UUID) -> tuple[Connection, TrackingNumber]:
    """
    The connection that connects, and the client's number that is shown: the one that this caller called last, where it
    is one of Twilio's, else the client's oldest.

    :raises NoLineError: there is none, or nothing that Twilio signed has named its account yet.
    """
    rows = Connection.objects.for_client(client).filter(provider=twilio.NAME, is_active=True)
    ways = {row.pk: row for row in rows.order_by("created_at", "pk") if row.mapping.get(twilio_door.ACCOUNT)}
    if not ways:
        raise NoLineError("This client has no active Twilio connection that can connect two phones.")
    by_menu = dict(
        PhoneMenu.objects.for_client(client)
        .filter(connection_id__in=list(ways))
        .values_list("tracking_number_id", "connection_id")
    )
    numbers = {
        row.pk: row
        for row in TrackingNumber.objects.for_client(client).order_by("created_at", "pk")
        if row.pk in by_menu or row.provider == twilio.NAME
    }
    if not numbers:
        raise NoLineError("This client has no Twilio number to show to the caller.")
    calls = Call.objects.for_client(client).filter(caller_id=caller_id, tracking_number_id__in=list(numbers))
    last = calls.order_by("-pk").values_list("tracking_number_id", flat=True).first()
    number = numbers[last] if last is not None else next(iter(numbers.values()))
    return ways[by_menu.get(number.pk, next(iter(ways)))], number


def _number_of(client: Client, caller_id: uuid.UUID) -> str:
    if not (number := number_of(client, caller_id)):
        raise NoNumberError("This caller's number is deleted or cannot be decrypted.")
    return number


def _key(client: Client, at: datetime) -> Key:
    return vault.purpose_key(client_id=client.pk, purpose=menu_calls.ERRAND, at=at)


def _place(row: CallBack) -> Place:
    return Place(row.client_id, CallBack._meta.db_table, "agent_number", row.pk)


# --- The job: claim, commit, ring, record ---


@dataclass(frozen=True, slots=True, repr=False)
class Order:
    """A call back that is ours to start, and nobody else's, for a while."""

    row_id: uuid.UUID
    client_id: int
    account: twilio.Account | None
    to: str
    sender: str
    script_at: str
    attempts: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of ringing. `again`: it may be tried again. `call`: the vendor's id of it, "" where it is not known."""

    rings: bool = False
    call: str = ""
    error: str = ""
    again: bool = False


def claim(*, agency_id: int, at: datetime) -> Order | None:
    """Claim the next call back that is due."""
    with job_scope(agency_id=agency_id):
        row = (
            CallBack.objects.filter(agency_id=agency_id, state=WaitingState.WAITING, due_at__lte=at)
            .select_related("connection__client__agency", "client", "tracking_number")
            .select_for_update(skip_locked=True, of=("self",))
            .order_by("due_at", "pk")
            .first()
        )
        if row is None:
            return None
        CallBack.objects.filter(pk=row.pk).update(attempts=F("attempts") + 1, due_at=at + _LEASE)
        try:
            account = twilio_door.account_of(row.connection, at=at)
        except twilio_door.NoAccountError:
            account = None
        return Order(
            row_id=row.pk,
            client_id=row.client_id,
            account=account,
            to=_agent_number(row, at),
            sender=row.tracking_number.number,
            script_at=_address("consent:desk_call", row),
            attempts=row.attempts + 1,
            created_at=row.created_at,
        )


def _agent_number(row: CallBack, at: datetime) -> str:
    """Where the agent is rung; "" where that is gone, or does not open any more."""
    key = _key(row.client, at)
    try:
        return row.agent_number.reveal(key) if row.agent_number else ""
    except SealBrokenError:
        return ""


def _address(name: str, row: CallBack) -> str:
    return f"{settings.CALLPRIVACY_URL}{reverse(name, args=[row.connection.key, row.pk])}"


def ring(order: Order, *, at: datetime) -> Outcome:
    """Ask the vendor. Outside any scope."""
    if order.account is None or not order.to:
        what = "connection to Twilio" if order.account is None else "phone number"
        return Outcome(error=f"The {what} is no longer complete.")
    if at - order.created_at > _STALE:
        return Outcome(error="Twilio could not be reached in time. Try again.")
    try:
        receipt = twilio.start_call(
            order.account, to=order.to, sender=order.sender, script_at=order.script_at
        )
    except twilio.RetryableError:
        return Outcome(error="Twilio could not be reached.", again=order.attempts < _TRIED_AT_MOST)
    except twilio.UnclearError:
        # It may ring: asking again could ring twice. Whose call it is Twilio says at our doors, at its end at last.
        return Outcome(rings=True)
    except twilio.RefusedError as error:
        return Outcome(error=f"Twilio rejected the request: {error}.")
    return Outcome(rings=True, call=receipt.sid)


def settle(*, agency_id: int, order: Order, outcome: Outcome, at: datetime) -> None:
    """Write down what came of it; first of all whose call it is, so that no list brings it as one of the client's."""
    with job_scope(agency_id=agency_id):
        if outcome.call:
            _leave_out(Client.objects.get(pk=order.client_id), outcome.call, at)
        row = CallBack.objects.for_client(order.client_id).filter(pk=order.row_id, state=WaitingState.WAITING)
        if outcome.rings:
            row.update(state=WaitingState.SENT, rang_at=at, due_at=None, agent_number=None, last_error="")
        elif outcome.again:
            row.update(due_at=at + _AGAIN, last_error=outcome.error)
        else:
            row.update(state=WaitingState.FAILED, due_at=None, agent_number=None, last_error=outcome.error)
            log.warning("call_back.failed", row=str(order.row_id))


def _leave_out(client: Client, call: str, at: datetime) -> None:
    if twilio.is_call(call):
        placed.leave_out(client=client, provider=twilio.NAME, kind=twilio.SID, reference=call, at=at)


def has_due(*, agency_id: int, at: datetime) -> bool:
    """Whether anybody waits to be rung."""
    with job_scope(agency_id=agency_id):
        return CallBack.objects.filter(
            agency_id=agency_id, state=WaitingState.WAITING, due_at__lte=at
        ).exists()


def purge(*, agency_id: int, at: datetime) -> int:
    """Remove calls back of a day ago; the trail keeps that they were. Returns how many."""
    with job_scope(agency_id=agency_id):
        return CallBack.objects.filter(agency_id=agency_id, created_at__lte=at - KEPT_FOR).remove()


# --- What Twilio asks while the agent is on the line ---


def greet(*, door: Door, row_id: uuid.UUID, at: datetime) -> bytes:
    """The agent has answered: ask for a key. Once the call is over it is told here as well, and nobody hears that."""
    _leave_out(door.client, door.said.get("CallSid", ""), at)
    row = _row(door, row_id, at)
    if row is None:
        return desk_twiml.refusal("This callback has ended. No call was made.")
    name = people.name_of(row.caller_id)
    connect_at = (
        f"{settings.CALLPRIVACY_URL}{reverse('consent:desk_connect', args=[door.connection.key, row.pk])}"
    )
    return desk_twiml.greeting(name=name, client=door.client.name, connect_at=connect_at)


def connect(*, door: Door, row_id: uuid.UUID, at: datetime) -> bytes:
    """
    The agent has pressed a key: ring the caller, unless the person has said no in the meantime. Once.

    That two telephones are connected is written down before the vendor is told the number.
    """
    row = _row(door, row_id, at)
    if row is None or not door.said.get("Digits"):
        return desk_twiml.refusal("This callback has ended. No call was made.")
    try:
        number = _number_of(door.client, row.caller_id)
        _check(door.client, number, at)
    except NoNumberError:
        return _ended(row, "The number has been deleted. No call was made.")
    except NotToCallError:
        return _ended(row, "This caller cannot be called now. No call was made.")
    claimed = CallBack.objects.for_client(door.client).filter(pk=row.pk, connected_at=None)
    if not claimed.update(state=WaitingState.DONE, connected_at=at, due_at=None, agent_number=None):
        return desk_twiml.refusal("This callback has ended. No call was made.")
    audit.record(
        "call_back.connected",
        by=door.by,
        at=at,
        subject=Caller(pk=row.caller_id, client_id=row.client_id),
        call=str(row.pk),
        asked_by=row.user_id,
    )
    return desk_twiml.connection(number=number, shown=row.tracking_number.number)


def _row(door: Door, row_id: uuid.UUID, at: datetime) -> CallBack | None:
    rows = CallBack.objects.for_client(door.client).filter(
        pk=row_id,
        connection=door.connection,
        connected_at=None,
        created_at__gt=at - _PRESSED_WITHIN,
        state__in=(WaitingState.WAITING, WaitingState.SENT),
    )
    return rows.select_related("tracking_number").defer("agent_number").first()


def _ended(row: CallBack, why: str) -> bytes:
    CallBack.objects.for_client(row.client_id).filter(pk=row.pk).update(
        state=WaitingState.FAILED, due_at=None, agent_number=None, last_error=why
    )
    return desk_twiml.refusal(why)
