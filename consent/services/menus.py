"""Setting up the telephone menu of a tracking number. A menu answers only with words that are published."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction

from callprivacy.audit import services as audit
from callprivacy.calls.models import Connection, TrackingNumber
from callprivacy.calls.services import connections as ways
from callprivacy.calls.services import pulls
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from consent.models import PhoneMenu
from consent.selectors import menus as selectors
from consent.services.twilio_door import ACCOUNT

CHANGEABLE: Final = (
    "connection",
    "language",
    "notice",
    "other_notice",
    "forward_to",
    "person_line",
    "wait_seconds",
)
ANSWERS_ITSELF: Final = "twilio_answers"
"""In a connection's mapping: whether Twilio answers STOP and its own other words; so it does unless it is false."""


class MenuTakenError(ValueError):
    """The number has a menu already."""


class NotReadyError(ValueError):
    """Something keeps the menu from answering calls."""

    def __init__(self, missing: list[str]) -> None:
        self.missing = missing
        super().__init__(" ".join(missing))


def add_menu(
    *, client: Client, number: TrackingNumber, facts: Mapping[str, Any], by: Actor, at: datetime
) -> PhoneMenu:
    """
    Set up a menu for a number; it answers nothing until it is activated.

    :param facts: `CHANGEABLE`, all of them.
    :raises MenuTakenError: the number has one.
    """
    try:
        with transaction.atomic():
            menu = PhoneMenu.objects.create(
                agency_id=client.agency_id, client=client, tracking_number=number, created_at=at, **facts
            )
            audit.record("menu.added", subject=menu, by=by, at=at)
    except IntegrityError:
        raise MenuTakenError("This number already has a phone menu.") from None
    return menu


@transaction.atomic
def change_menu(*, menu: PhoneMenu, facts: Mapping[str, Any], by: Actor, at: datetime) -> bool:
    """
    Change how a menu is set up; returns whether anything changed.

    :raises NotReadyError: it answers calls, and could not any more; nothing was changed.
    """
    row = PhoneMenu.objects.select_for_update().get(pk=menu.pk)
    changed = [name for name in CHANGEABLE if name in facts and getattr(row, name) != facts[name]]
    if not changed:
        return False
    for name in changed:
        setattr(row, name, facts[name])
    if row.is_active:
        _check(row)
    row.save(update_fields=changed)
    audit.record("menu.changed", subject=row, by=by, at=at, changed=", ".join(changed))
    return True


@transaction.atomic
def activate_menu(*, menu: PhoneMenu, by: Actor, at: datetime) -> bool:
    """
    Let a menu answer calls; returns whether it did not.

    :raises NotReadyError: something is missing, such as a published notice.
    """
    _check(menu)
    begun = PhoneMenu.objects.filter(pk=menu.pk, is_active=False).update(is_active=True)
    if begun:
        audit.record("menu.activated", subject=menu, by=by, at=at)
    return begun > 0


@transaction.atomic
def deactivate_menu(*, menu: PhoneMenu, by: Actor, at: datetime) -> bool:
    """Let calls go straight on, unrecorded and without a question; returns whether the menu answered them."""
    ended = PhoneMenu.objects.filter(pk=menu.pk, is_active=True).update(is_active=False)
    if ended:
        audit.record("menu.deactivated", subject=menu, by=by, at=at)
    return ended > 0


def _check(menu: PhoneMenu) -> None:
    missing = selectors.missing_for(menu, selectors.words_of(menu))
    if missing:
        raise NotReadyError(missing)


class OtherAccountError(ValueError):
    """A connection is another account's from now on, and nobody entered that one's token."""


@transaction.atomic
def describe_account(
    *, connection: Connection, account: str, twilio_answers: bool, by: Actor, at: datetime, secret: str = ""
) -> bool:
    """
    Say which of Twilio's accounts a connection belongs to, and whether Twilio answers STOP there by itself.

    A connection whose account is known moves to another one with that one's token alone; those before end at once.
    The account before is asked for no calls any more, and the key of its interface is forgotten.

    :param account: "" leaves it to the first genuine event to say. :param secret: the other account's auth token.
    :returns: whether anything changed.
    :raises OtherAccountError: it would move without a token.
    """
    row = Connection.objects.select_for_update().get(pk=connection.pk)
    moves = row.mapping.get(ACCOUNT, account) != account
    if moves:
        if not secret:
            raise OtherAccountError(
                "This Account SID belongs to another account. Enter that account's auth token."
            )
        ways.rotate_secret(connection=row, secret=secret, overlap=timedelta(), by=by, at=at)
        audit.record("connection.account_changed", subject=row, by=by, at=at)
    if moves or account:
        pulls.leave_others(connection=row, account=account, by=by, at=at)
    mapping = row.mapping | {ACCOUNT: account, ANSWERS_ITSELF: twilio_answers}
    if not account:
        del mapping[ACCOUNT]
    if mapping == row.mapping:
        return False
    row.mapping = mapping
    row.save(update_fields=["mapping"])
    audit.record("connection.account_described", subject=row, by=by, at=at, twilio_answers=twilio_answers)
    return True
