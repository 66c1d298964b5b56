"""What is known about agencies without entering one, and what follows from a client's own settings."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Q

from callprivacy.lib import statements
from callprivacy.tenancy.enums import KeyPurpose
from callprivacy.tenancy.models import Agency, Client, PublicKey
from callprivacy.tenancy.scope import job_scope


class ClientLeftError(ValueError):
    """The client has left the agency, or its ways in are shut for good: nothing is asked for it any more."""

    def __init__(self) -> None:
        super().__init__("This client has left: nothing is taken in for it any more.")


def require_here(client_id: int) -> None:
    """
    Refuse a client that has left, or whose ways in are shut for good. What is opened at the very moment of its end is
    closed by the end's last step.

    :raises ClientLeftError: it is one.
    """
    if Client.objects.filter(Q(archived_at__isnull=False) | Q(shut_at__isnull=False), pk=client_id).exists():
        raise ClientLeftError


def agency_ids() -> list[int]:
    """Ids of every agency, for jobs that enter one after the other; it needs no scope."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT agency_id FROM all_agency_ids() AS agency_id ORDER BY 1")
        return [row[0] for row in cursor.fetchall()]


def agency_id_of(slug: str) -> int | None:
    """The agency of a short name, or None; it is asked outside any scope."""
    for agency_id in agency_ids():
        with job_scope(agency_id=agency_id):
            if Agency.objects.filter(pk=agency_id, slug=slug).exists():
                return agency_id
    return None


def clients_chosen(agency_slug: str | None, client_slug: str | None) -> list[tuple[Client, str]]:
    """
    The clients that a command names, each as "agency/client", in the order of agencies and short names; those that have
    left among them. It is asked outside any scope.

    :param agency_slug: None, of every agency. :param client_slug: None, every client of it.
    """
    chosen = []
    for agency_id in agency_ids():
        with job_scope(agency_id=agency_id):
            rows = Client.objects.filter(agency_id=agency_id).select_related("agency").order_by("slug")
            chosen += [
                (client, f"{client.agency.slug}/{client.slug}")
                for client in rows
                if agency_slug in {None, client.agency.slug} and client_slug in {None, client.slug}
            ]
    return chosen


def find_public_key(key: str, purpose: KeyPurpose) -> PublicKey | None:
    """Return whose public key this is, or None; written by hand because every door begins with it."""
    with statements.cursor() as cursor:
        cursor.execute(
            "SELECT agency_id, client_id FROM tenancy_publickey WHERE key = %s AND purpose = %s",
            [key, purpose.value],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    return PublicKey(key=key, purpose=purpose, agency_id=row[0], client_id=row[1])


def is_here(client_id: int) -> bool:
    """
    Whether a client of the scope's agency has not left; also while its ways in are shut, when `require_here` refuses
    what would begin anew. One that is here stays until the transaction is over: who lets
    it go waits, and sees what was written meanwhile.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT client_is_here(%s)", [client_id])
        found: bool = cursor.fetchone()[0]
    return found


def cutoff_of(client: Client, at: datetime, *, out: bool = False) -> datetime:
    """
    Return the instant before which a client's calls are past their keep-for.

    :param out: calls that went out; else those that came in, or of which nobody knows.
    """
    return cutoff_for_days(client, client.keep_out_for_days if out else client.keep_for_days, at)


def cutoff_for_days(client: Client, days: int, at: datetime) -> datetime:
    """
    Return the instant before which calls would be past a keep-for of so many days.

    It is the start of the client's day, as many days before today's as calls are kept; a day that a clock
    change makes 23 or 25 hours long still counts as one.
    """
    return cutoff_in_zone(client.time_zone, days, at)


def cutoff_in_zone(name: str, days: int, at: datetime) -> datetime:
    """The same by the days of a zone, for what is no client's."""
    zone = ZoneInfo(name)
    day = at.astimezone(zone).date() - timedelta(days=days)
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)
