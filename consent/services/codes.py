"""
Proof that somebody holds a phone: six digits that arrive there, good for ten minutes and five tries.

Only a keyed digest of a code is kept, the number nowhere: it travels in the page as a sealed value. Whoever asks
learns nothing, because every number is treated alike, known or not, within its limits or beyond them. A code counts on
the page that requested it: the page brings back the ids of its codes, sealed, and uses and uses up those alone. The
first proof of a number that never called makes its caller; a key without one is swept away.
"""

import base64
import binascii
import json
import secrets
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import connection
from django.db.models import F, QuerySet
from django.urls import reverse

from callprivacy.calls.models import Connection, TrackingNumber
from callprivacy.calls.services import people, placed
from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import client_scope, job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import Place, SealBrokenError
from consent.channels import codes as channel
from consent.channels import twilio
from consent.channels.codes import CodeSender, HasOptedOutError, NotSentError
from consent.enums import CodeWay, Language
from consent.models import PhoneCode
from consent.services import contact, texts, twilio_door
from consent.services.limits import Verdict, knock
from consent.services.twilio_door import Door

log = logger(__name__)

BY: Final = Actor.client("consent.codes")
GOOD_FOR: Final = timedelta(minutes=10)
TRIES: Final = 5
AN_HOUR_A_NUMBER: Final = 3
A_DAY_A_NUMBER: Final = 6
CALLS_A_DAY_A_NUMBER: Final = 2  # by days of UTC
AN_HOUR_A_CLIENT: Final = 60
KEPT_FOR: Final = timedelta(days=1)
# Longer than a code is good for, so that a page that is still open may ask for another one.
_CHALLENGE_FOR: Final = timedelta(hours=1)
_PURPOSE: Final = "web"
_HOUR: Final = timedelta(hours=1)


class WrongCodeError(ValueError):
    """The code is not the newest one of that page, is used, too old, or was guessed at too often."""


class StaleChallengeError(ValueError):
    """What the page brought is not ours, or too old."""


@dataclass(frozen=True, slots=True, repr=False)
class Proven:
    """A number that its holder proved, its caller, and which code did it."""

    number: str
    caller_id: uuid.UUID
    code_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class NotNow:
    """
    No code goes out before `next_at`: the limits count requests, the same for a number that is known and one that is
    not.
    """

    next_at: datetime


@dataclass(frozen=True, slots=True, repr=False)
class Sending:
    """
    What became of a requested code.

    :ivar code_ids: the codes that count on the page. :ivar not_now: the limit is reached. That a call stays out is not
        said. :ivar challenge: the codes, and what they prove, as the page brings them back.
    """

    code_ids: tuple[uuid.UUID, ...]
    not_now: NotNow | None = None
    challenge: str = ""


def can_send(client: Client, *, at: datetime) -> bool:
    """Whether codes reach phones of this client's callers at all. Inside a scope."""
    return _sender_of(client, at) is not None


def _sender_of(client: Client, at: datetime) -> CodeSender | None:
    """
    What brings codes for a client: its own number at Twilio, else this installation's; the page of mails where this
    is but a trial on one machine; None where nothing does.
    """
    if channel.is_trial() and client.agency.is_demo:
        return channel.PageOfMails()
    return _twilio_of(client, at) or channel.of_the_house()


def _twilio_of(client: Client, at: datetime) -> CodeSender | None:
    """The client's oldest open connection to Twilio that names its account, and its oldest number there."""
    number = (
        TrackingNumber.objects.for_client(client)
        .filter(provider=twilio.NAME)
        .order_by("created_at", "pk")
        .first()
    )
    if number is None:
        return None
    ways = Connection.objects.for_client(client).filter(provider=twilio.NAME, is_active=True)
    for way in ways.select_related("client__agency").order_by("created_at", "pk"):
        try:
            account = twilio_door.account_of(way, at=at)
        except twilio_door.NoAccountError:
            continue
        told_at = f"{settings.CALLPRIVACY_URL}{reverse('consent:voice_reading', args=[way.key])}"
        return channel.ByTwilio(account, number.number, told_at)
    return None


def send_code(
    *,
    client: Client,
    number: str,
    language: Language,
    at: datetime,
    way: CodeWay = CodeWay.TEXT,
    earlier: Sequence[uuid.UUID] = (),
) -> Sending:
    """
    Send a code to a number (E.164), where its limits allow one more; returns the challenge for the page, and when the
    next can be requested where they do not.

    Called outside any scope: the code is committed before it is sent. The answer and its time are the same for
    every number, known or not.

    :param earlier: the codes that the page requested before.
    """
    with client_scope(agency_id=client.agency_id, client_id=client.pk):
        sender = _sender_of(client, at)
        rings = sender is not None and is_rung(sender, way)
        code, sending = after(earlier, None if sender is None else _new_code(client, number, at, rings=rings))
        sending = replace(sending, challenge=_challenge(client, number, sending.code_ids, at))
    if sender is None or code is None:
        log.warning("code.not_sent", client=client.pk, why="no sender" if sender is None else "limit")
        return sending
    try:
        call = channel.bring(sender, code, number=number, name=client.name, language=language, way=way)
        if call:
            placed.leave_out(client=client, provider=twilio.NAME, kind=twilio.SID, reference=call, at=at)
    except HasOptedOutError:
        _note_opt_out(client, number, at)
    except NotSentError as error:
        log.warning("code.not_sent", client=client.pk, why=str(error))
    return sending


def after(
    earlier: Sequence[uuid.UUID], drawn: tuple[uuid.UUID, str | None] | NotNow | None
) -> tuple[str | None, Sending]:
    """The code to send, if any, and what the page then knows: no more codes than one number gets in an hour."""
    if drawn is None or isinstance(drawn, NotNow):
        return None, Sending(tuple(earlier), drawn)
    return drawn[1], Sending((*earlier, drawn[0])[-AN_HOUR_A_NUMBER:])


def is_rung(sender: CodeSender, way: CodeWay) -> bool:
    """Whether a call to a phone reads the code, which anybody can ask for; it has hours and a limit of its own."""
    return way == CodeWay.CALL and sender != channel.PageOfMails()


def take_ring(*, agency_id: int, number: str, at: datetime) -> bool:
    """
    Count a call to a number (E.164) over all of an agency; returns whether it may go out.

    Asked once there is nothing else in its way: what is counted is a call.
    """
    seen = knock(f"ring:{agency_id}", number, most=CALLS_A_DAY_A_NUMBER, per=KEPT_FOR, at=at)
    return seen is Verdict.OPEN


def note_reading(*, door: Door, at: datetime) -> None:
    """A call that read a code is over: it is none of the client's, also where Twilio's answer to us was lost."""
    call = door.said.get("CallSid", "")
    if twilio.is_call(call):
        placed.leave_out(client=door.client, provider=twilio.NAME, kind=twilio.SID, reference=call, at=at)


def _note_opt_out(client: Client, number: str, at: datetime) -> None:
    """
    That a number takes no texts is a withdrawal that we missed, unless its STOP is known.

    Anybody can ask for a code, and what the person agreed to since by another way stays.
    """
    with client_scope(agency_id=client.agency_id, client_id=client.pk):
        caller_id = people.add_callers(client=client, numbers=[number], at=at)[number]
        if not texts.is_stop_known(client=client, caller_id=caller_id):
            texts.note_opt_out(client=client, caller_id=caller_id, source=f"21610 {at.date()}", by=BY, at=at)


def _new_code(
    client: Client, number: str, at: datetime, *, rings: bool
) -> tuple[uuid.UUID, str | None] | NotNow:
    """
    Store a new code and return it with its id; `NotNow` where the number or the client has had enough.

    :param rings: whether a call brings it: None at an hour for none, or after enough of them. That the hour is known
        may say that the person is, so nobody is told, and the request counts like any other.
    """
    is_quiet = rings and contact.is_quiet(agency_id=client.agency_id, client=client, number=number, at=at)
    caller_id = vault.ensure_callers(client_id=client.pk, numbers=[number], at=at)[number]
    take_turn(client.pk)
    drawn = draw_code(
        of_all=PhoneCode.objects.for_client(client),
        of_number=PhoneCode.objects.for_client(client).filter(caller_id=caller_id),
        at=at,
    )
    if isinstance(drawn, NotNow):
        return drawn
    goes = not rings or (not is_quiet and take_ring(agency_id=client.agency_id, number=number, at=at))
    code_id, code = drawn
    PhoneCode.objects.create(
        pk=code_id,
        agency_id=client.agency_id,
        client=client,
        caller_id=caller_id,
        digest=digest_of(client.pk, code_id, code),
        created_at=at,
        expires_at=at + GOOD_FOR if goes else at,
    )
    return code_id, code if goes else None


def take_turn(holder_id: int) -> None:
    """Let who asks for codes of a holder come one after the other, each once the last has committed: limits count."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('consent.codes', %s))", [holder_id])


def draw_code(
    *, of_all: QuerySet[Any], of_number: QuerySet[Any], at: datetime
) -> tuple[uuid.UUID, str] | NotNow:
    """
    A new code with its id; `NotNow` where the number, or all of them together, had enough. In the holder's turn.

    :param of_all: the codes that are kept together. :param of_number: those of them that went to this number.
    """
    limits = (
        (of_number, _HOUR, AN_HOUR_A_NUMBER),
        (of_number, KEPT_FOR, A_DAY_A_NUMBER),
        (of_all, _HOUR, AN_HOUR_A_CLIENT),
    )
    free = [_free_at(rows.filter(created_at__gt=at - per), per, most) for rows, per, most in limits]
    if next_at := max((one for one in free if one is not None), default=None):
        return NotNow(next_at)
    return uuid.uuid4(), f"{secrets.randbelow(10**6):06}"


def _free_at(rows: QuerySet[Any], per: timedelta, most: int) -> datetime | None:
    """When the next of these may follow, of which there may be so many in a period; None: now."""
    made = rows.order_by("-created_at").values_list("created_at", flat=True)[most - 1 : most]
    return next((created_at + per for created_at in made), None)


def check_code(*, client: Client, challenge: str, code: str, at: datetime) -> Proven:
    """
    Prove the number of a challenge by the newest of its codes; a code proves once.

    Called outside any scope: a try counts whether or not it was right.

    :raises StaleChallengeError: the page is too old, or the challenge is none of ours.
    :raises WrongCodeError: the number is not proven.
    """
    with client_scope(agency_id=client.agency_id, client_id=client.pk):
        number, code_ids = _opened(client, challenge, at)
        code_id = _try(client, number, code, code_ids, at)
        if code_id is not None:
            added = people.add_callers(client=client, numbers=[number], at=at)
            return Proven(number, added[number], code_id)
    raise WrongCodeError


def check_number(
    *, client: Client, number: str, code: str, code_ids: Collection[uuid.UUID], at: datetime
) -> uuid.UUID:
    """
    Prove a number (E.164) by the newest of these codes and return that code's id; nobody becomes a caller by it.

    Called outside any scope: a try counts whether or not it was right.

    :raises WrongCodeError: the number is not proven.
    """
    with client_scope(agency_id=client.agency_id, client_id=client.pk):
        code_id = _try(client, number, code, code_ids, at)
    if code_id is None:
        raise WrongCodeError
    return code_id


def _try(
    client: Client, number: str, code: str, code_ids: Collection[uuid.UUID], at: datetime
) -> uuid.UUID | None:
    """The id of the code that this one is, of which a try is used up."""
    caller_id = vault_selectors.find_callers([client.pk], number).get(client.pk)
    if caller_id is None:
        return None
    rows = PhoneCode.objects.for_client(client).filter(caller_id=caller_id)
    return try_code(rows=rows, code_ids=code_ids, holder_id=client.pk, code=code, at=at)


def try_code(
    *, rows: QuerySet[Any], code_ids: Collection[uuid.UUID], holder_id: int, code: str, at: datetime
) -> uuid.UUID | None:
    """
    Use up a try of the newest code that a page requested; returns its id where it is this one. A code proves once.

    :param rows: every code that went to the number. :param code_ids: those that the page requested.
    :param holder_id: under whose token key its digest is.
    """
    rows = rows.filter(pk__in=code_ids)
    # One whose call did not go out was over when it was made.
    newest = rows.filter(expires_at__gt=F("created_at")).order_by("-created_at").first()
    if newest is None:
        return None
    alive = rows.filter(pk=newest.pk, used_at__isnull=True, expires_at__gt=at, tries__lt=TRIES)
    if not alive.update(tries=F("tries") + 1):
        return None
    if not secrets.compare_digest(bytes(newest.digest), digest_of(holder_id, newest.pk, code)):
        return None
    if not rows.filter(pk=newest.pk, used_at__isnull=True).update(used_at=at):
        return None
    found: uuid.UUID = newest.pk
    return found


def digest_of(holder_id: int, code_id: uuid.UUID, code: str) -> bytes:
    """The keyed digest of a code, by which it is known again."""
    return vault_selectors.client_keys(holder_id).tokens.digest("code", str(code_id), code)


def _place(client: Client) -> Place:
    return Place(client.pk, PhoneCode._meta.db_table, "challenge", client.pk)


def _challenge(client: Client, number: str, code_ids: Collection[uuid.UUID], at: datetime) -> str:
    until = int((at + _CHALLENGE_FOR).timestamp())
    plain = json.dumps([number, until, [code_id.hex for code_id in code_ids]]).encode()
    key = vault.purpose_key(client_id=client.pk, purpose=_PURPOSE, at=at)
    return base64.urlsafe_b64encode(key.seal(plain, _place(client))).decode()


def _opened(client: Client, challenge: str, at: datetime) -> tuple[str, list[uuid.UUID]]:
    key = vault.purpose_key(client_id=client.pk, purpose=_PURPOSE, at=at)
    try:
        opened = json.loads(key.unseal(base64.urlsafe_b64decode(challenge.encode()), _place(client)))
        number, until, code_ids = opened
    except (SealBrokenError, binascii.Error, ValueError):
        raise StaleChallengeError from None
    if at.timestamp() >= until:
        raise StaleChallengeError
    return str(number), [uuid.UUID(code_id) for code_id in code_ids]


def open_challenge(*, client: Client, challenge: str, at: datetime) -> tuple[str, list[uuid.UUID]]:
    """
    The number that a challenge is about, to send another code there, and its codes. Enters the client's scope itself.

    :raises StaleChallengeError: the page is too old, or the challenge is none of ours.
    """
    with client_scope(agency_id=client.agency_id, client_id=client.pk):
        return _opened(client, challenge, at)


def purge(*, agency_id: int, at: datetime) -> int:
    """Remove an agency's codes that no limit looks at any more; returns how many."""
    with job_scope(agency_id=agency_id):
        return PhoneCode.objects.filter(agency_id=agency_id, created_at__lte=at - KEPT_FOR).remove()
