"""What clients ask of themselves beyond the law, and on what they rest measuring their calls."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.db.models import QuerySet

from callprivacy.accounts import access
from callprivacy.accounts.models import Membership
from callprivacy.lib import calendars
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from consent.enums import Standard, UnknownAge
from consent.models import ClientStandard, Declaration

SOON: Final = timedelta(days=30)


def today_at(client: Client, at: datetime) -> date:
    """The client's own day at an instant."""
    return calendars.day_in(client.time_zone, at)


def chosen(client: Client) -> ClientStandard | None:
    """What was chosen last and not ended, expired or not."""
    rows = ClientStandard.objects.for_client(client).filter(ended_at=None)
    return rows.select_related("chosen_by").first()


@dataclass(frozen=True, slots=True)
class Asks:
    """
    What a client asks of itself, as the engine is asked with it.

    :ivar claimed_reason: why consent counts although nobody proved the number; "" where it does not.
    """

    standard: Standard = Standard.EXPRESS
    claimed_reason: str = ""
    unknown_age: UnknownAge | None = None
    age_reason: str = ""


def asks(
    *, standard: str, expires_on: date | None, today: date, claimed: bool, unknown_age: str, reason: str
) -> Asks:
    """The facts of a choice; less than the law's strictest falls back on the day it expires, the age does not."""
    is_minor = unknown_age == UnknownAge.MINOR
    age = (UnknownAge.MINOR, reason) if is_minor else (None, "")
    if expires_on is not None and expires_on <= today:
        return Asks(Standard.EXPRESS, "", *age)
    return Asks(Standard(standard), reason if claimed else "", *age)


def standard_of(client: Client, *, at: datetime) -> Standard:
    """
    What a client asks of itself at an instant; express consent where nothing was chosen or the choice expired.

    The day of expiry is the client's own; the choice does not count on it any more. One query.
    """
    row = ClientStandard.objects.for_client(client).filter(ended_at=None).first()
    if row is None or (row.expires_on is not None and row.expires_on <= today_at(client, at)):
        return Standard.EXPRESS
    return Standard(row.standard)


def history_of(client: Client) -> QuerySet[ClientStandard]:
    """Every choice of a client's, newest first."""
    rows = ClientStandard.objects.for_client(client).select_related("chosen_by")
    return rows.order_by("-chosen_at", "-pk")


@dataclass(frozen=True, slots=True)
class Lowered:
    """A client that asks less of itself than express consent, and until when."""

    client: Client
    standard: Standard
    expires_on: date
    is_soon: bool


def lowered(membership: Membership, *, at: datetime) -> list[Lowered]:
    """
    Clients that a person sees and that ask less than express consent of a proven number, the next to expire first.

    For the overview; one query beside the person's grants.
    """
    clients = access.clients_with(membership, Permission.VIEW_CLIENT, at=at)
    rows = (
        ClientStandard.objects.filter(client__in=clients, ended_at=None, expires_on__isnull=False)
        .exclude(standard=Standard.EXPRESS, counts_claimed=False)
        .select_related("client")
        .order_by("expires_on", "client__name")
    )
    return [
        Lowered(
            row.client,
            Standard(row.standard),
            row.expires_on,
            row.expires_on - today_at(row.client, at) <= SOON,
        )
        for row in rows
        if row.expires_on is not None and row.expires_on > today_at(row.client, at)
    ]


def expiring(agency_id: int, *, by: date) -> QuerySet[ClientStandard]:
    """Choices that expire on a day or before it, for the job; with their clients."""
    rows = ClientStandard.objects.filter(agency_id=agency_id, ended_at=None, expires_on__lte=by)
    return rows.select_related("client").order_by("expires_on", "pk")


# --- The basis of measuring ---


def declaration_of(client: Client) -> Declaration | None:
    """On what a client rests measuring its calls, as it was declared last."""
    rows = Declaration.objects.for_client(client).filter(ended_at=None)
    return rows.select_related("declared_by").first()


def declarations_of(client: Client) -> QuerySet[Declaration]:
    """Everything a client has declared, newest first."""
    rows = Declaration.objects.for_client(client).select_related("declared_by")
    return rows.order_by("-declared_at", "-pk")
