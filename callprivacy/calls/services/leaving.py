"""What of a client's ways in outlives its keys: secrets under the master key, and files that nobody sealed."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from callprivacy.calls.channels import folders
from callprivacy.calls.channels.folders import FolderError
from callprivacy.calls.models import Connection, ConnectionSecret, KnownValue
from callprivacy.calls.services import drops
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope


@dataclass(frozen=True, slots=True)
class Folder:
    """
    A connection's own folder, below the operator's.

    :ivar left: how many files still lie in it and below; None where it cannot be read.
    """

    name: str
    left: int | None


def forget_secrets(*, client: Client) -> int:
    """Forget what opens a client's accounts at trackers, of every connection; returns how many. In a job's scope."""
    return ConnectionSecret.objects.for_client(client).delete()[0]


def forget_values(*, client: Client) -> int:
    """Forget a client's sources and mediums, confirmed or not; returns how many. In a job's scope."""
    return KnownValue.objects.for_client(client).delete()[0]


def empty_folders(*, client: Client, until: datetime, clock: Callable[[], datetime]) -> list[Folder]:
    """
    Erase what lies in a client's folders and below, read or not, and say what is left of each: what stayed behind a
    fault, and what the clock came to `until` before. Begun again, it goes on. Called outside any scope.
    """
    with job_scope(agency_id=client.agency_id):
        rows = (
            Connection.objects.for_client(client).filter(provider=drops.FOLDER).order_by("created_at", "pk")
        )
        names = [drops.folder_of(way) for way in rows.select_related("client__agency")]
    return [Folder(name, _emptied(name, until, clock) if drops.is_set_up() else None) for name in names]


def _emptied(name: str, until: datetime, clock: Callable[[], datetime]) -> int | None:
    """How much is left in a folder, files and folders below, of what could not be erased; None where nobody can say."""
    with suppress(FolderError):
        for one in folders.lying_in(name):
            if clock() >= until:
                break
            with suppress(FolderError):
                folders.erase(one)
        return sum(1 for _ in folders.lying_in(name))
    return None
