"""Looking for a caller by number, without opening anything: by the token each client has of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from callprivacy.audit import services as audit
from callprivacy.calls.models import caller_label
from callprivacy.calls.selectors import counts
from callprivacy.lib import phone
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.vault import selectors as vault

COUNTED_AT_MOST = 1000


class NotANumberError(ValueError):
    """What was looked for is no phone number in any of the clients' countries."""


@dataclass(frozen=True, slots=True)
class Hit:
    """
    The caller that a number is at one client: the stable name, the calls there, and the newest of them.

    :ivar calls: counted up to `COUNTED_AT_MOST`.
    """

    client: Client
    caller_id: UUID
    name: str
    calls: int
    newest: UUID

    @property
    def are_more(self) -> bool:
        """Whether counting ended there."""
        return self.calls >= COUNTED_AT_MOST


def search_number(*, clients: Sequence[Client], number: str, by: Actor, at: datetime) -> list[Hit]:
    """
    Find the caller that a number is at each of these clients; that somebody looked is written down, not for
    whom.

    A number without country code is read as each client's own country has it.

    :raises NotANumberError: it is none in any of them.
    """
    meant: dict[str, list[Client]] = {}
    for client in clients:
        read = phone.normalise(number, client.home_country)
        if read is not None:
            meant.setdefault(read, []).append(client)
    if not meant:
        raise NotANumberError("That is no phone number.")
    callers = {
        client_id: caller_id
        for read, of in meant.items()
        for client_id, caller_id in vault.find_callers([client.pk for client in of], read).items()
    }
    hits = hits_of(clients, callers)
    audit.record("number.searched", by=by, at=at, clients=len(clients), found=len(hits))
    return hits


def hits_of(clients: Sequence[Client], callers: Mapping[int, UUID]) -> list[Hit]:
    """
    The callers that have calls, one query; a caller of thousands is counted up to the limit at each client.

    :param callers: client -> the caller there, also of clients that are not among `clients`.
    """
    callers = {client.pk: callers[client.pk] for client in clients if client.pk in callers}
    calls = counts.calls_of_callers(callers, at_most=COUNTED_AT_MOST)
    return [
        Hit(client, callers[client.pk], f"Caller {caller_label(callers[client.pk])}", *calls[client.pk])
        for client in clients
        if client.pk in calls
    ]
