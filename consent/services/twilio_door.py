"""
Twilio's public doors for calls and texts: whose key it is, whether Twilio signed it, and what our side may ask.

Nothing is read before the signature holds. A door is entered in the scope of the connection's client, and what
happens behind it is one transaction.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.conf import settings

from callprivacy.audit import services as audit
from callprivacy.calls.models import Connection, ConnectionSecret, TrackingNumber
from callprivacy.calls.providers.base import Delivery
from callprivacy.calls.providers.twilio import Twilio
from callprivacy.calls.services import inbox, pulls
from callprivacy.calls.services.inbox import ForgedError, UnknownConnectionError
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import KeyPurpose
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import client_scope
from callprivacy.tenancy.selectors import find_public_key
from callprivacy.vault import selectors as vault
from consent.channels import twilio

__all__ = ["Door", "ForgedError", "NoAccountError", "UnknownConnectionError", "account_of", "entered"]

DEMO: Final = "/demo/vendor"
"""Where the demo plays Twilio's interface, so that an invented agency never asks the real one."""

ACCOUNT: Final = "account"
_provider = Twilio()


class NoAccountError(LookupError):
    """Nothing that Twilio signed has named its account yet, nor has a person."""


@dataclass(frozen=True, slots=True, repr=False)
class Door:
    """
    A genuine question of Twilio's, inside the scope of the client whose connection it came by.

    :ivar said: its parameters.
    """

    client: Client
    connection: Connection
    said: Mapping[str, str]
    by: Actor

    def digest(self, kind: str, value: str) -> bytes:
        """The keyed digest of a reference of Twilio's; of kind `twilio.SID` the one that the call will have."""
        return vault.client_keys(self.client.pk).tokens.digest(twilio.NAME, kind, value)

    def tracking_number(self) -> TrackingNumber | None:
        """The client's number that was called or texted."""
        number = twilio.number_of(self.said.get("To", ""))
        if number is None:
            return None
        return TrackingNumber.objects.for_client(self.client).filter(number=number).first()


@contextmanager
def entered(*, key: str, delivery: Delivery, by: str, at: datetime) -> Iterator[Door]:
    """
    Enter the scope of the client whose Twilio connection has this key. Called outside any scope.

    :param by: the name under which the trail knows what comes in here.
    :raises UnknownConnectionError: nobody's key, or that of no open connection to Twilio.
    :raises ForgedError: none of the connection's secrets signed it, or another account did.
    """
    owner = find_public_key(key, KeyPurpose.HOOK)
    if owner is None or owner.client_id is None:
        raise UnknownConnectionError(twilio.NAME)
    with client_scope(agency_id=owner.agency_id, client_id=owner.client_id):
        connection = Connection.objects.filter(
            client_id=owner.client_id, key=key, provider=twilio.NAME, is_active=True
        ).first()
        if connection is None:
            raise UnknownConnectionError(twilio.NAME)
        secrets = [row.secret for row in _secrets(connection, at)]
        if _provider.verify(delivery, secrets):
            said = twilio.read(delivery.body)
            if _is_of_its_account(connection, said, by=Actor.client(by), at=at):
                client = Client.objects.select_related("agency").get(pk=owner.client_id)
                yield Door(client, connection, said, Actor.client(by))
                return
        inbox.note_refusal(
            connection_id=connection.pk, agency_id=connection.agency_id, provider=twilio.NAME, at=at
        )
    raise ForgedError(twilio.NAME)


def _secrets(connection: Connection, at: datetime) -> list[ConnectionSecret]:
    """Those that count now, the newest first."""
    rows = ConnectionSecret.objects.for_client(connection.client_id).filter(connection=connection)
    return list(rows.counting(at))


def _is_of_its_account(connection: Connection, said: Mapping[str, str], *, by: Actor, at: datetime) -> bool:
    """The account that signed is the connection's; the first that does becomes it, for its token signed it."""
    account = said.get("AccountSid", "")
    known = connection.mapping.get(ACCOUNT)
    if known or not twilio.is_account(account):
        return not known or not account or account == known
    held = Connection.objects.select_for_update().get(pk=connection.pk)
    if not held.mapping.get(ACCOUNT):
        held.mapping = held.mapping | {ACCOUNT: account}
        held.save(update_fields=["mapping"])
        audit.record("connection.account_learned", subject=held, by=by, at=at)
        pulls.leave_others(connection=held, account=account, by=by, at=at)
    connection.mapping = held.mapping
    return bool(held.mapping[ACCOUNT] == account)


def account_of(connection: Connection, *, at: datetime) -> twilio.Account:
    """
    What opens Twilio's interface for a connection. In a job's scope; the call itself is made outside any.

    :raises NoAccountError: its account is not known, or no secret counts.
    """
    sid, secrets = connection.mapping.get(ACCOUNT), _secrets(connection, at)
    if not sid or not secrets:
        raise NoAccountError(f"Connection {connection.pk} names no account.")
    return twilio.Account(sid=sid, token=secrets[0].secret, base=_base(connection))


def _base(connection: Connection) -> str:
    if connection.client.agency.is_demo:
        return f"{settings.CALLPRIVACY_URL}{DEMO}"
    address: str = settings.CALLPRIVACY_TWILIO_URL
    return address
