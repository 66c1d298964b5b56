"""The lines that the demo's telephone can call and text."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from callprivacy.calls.models import Connection, TrackingNumber
from callprivacy.tenancy.models import Agency, Client
from consent.channels import twilio
from consent.models import PhoneMenu

PLAYED = (twilio.NAME, "callrail")


@dataclass(frozen=True, slots=True)
class Line:
    """
    A tracking number and how its vendor speaks to us.

    :ivar text_key: the key of the connection that takes texts, "" where the client has none.
    :ivar text_to: the number that is texted.
    """

    number: TrackingNumber
    client: Client
    vendor: str
    key: str
    account: str
    has_menu: bool
    text_key: str = ""
    text_to: str = ""
    text_account: str = ""


def lines(agency: Agency) -> Sequence[Line]:
    """Every number of the clients that the person sees, those with a menu first; three queries."""
    rows = TrackingNumber.objects.filter(agency=agency, client__archived_at=None).select_related("client")
    connections: dict[int, list[Connection]] = defaultdict(list)
    for connection in Connection.objects.filter(agency=agency, is_active=True, provider__in=PLAYED).order_by(
        "created_at", "pk"
    ):
        connections[connection.client_id].append(connection)
    menus = dict(PhoneMenu.objects.filter(agency=agency).values_list("tracking_number_id", "connection_id"))
    numbers = list(rows.order_by("client__name", "label", "number"))
    texted = {
        number.client_id: number.number for number in reversed(numbers) if number.provider == twilio.NAME
    }
    found = [
        line
        for number in numbers
        if (line := _line(number, connections[number.client_id], menus.get(number.pk), texted)) is not None
    ]
    return sorted(found, key=lambda line: not line.has_menu)


def _line(
    number: TrackingNumber, ways: Sequence[Connection], menu: object, texted: dict[int, str]
) -> Line | None:
    own = [way for way in ways if (way.pk == menu if menu else way.provider == number.provider)]
    if not own:
        return None
    way = own[0]
    texts = way if way.provider == twilio.NAME else next((w for w in ways if w.provider == twilio.NAME), None)
    text_to = number.number if way.provider == twilio.NAME else texted.get(number.client_id, "")
    return Line(
        number=number,
        client=number.client,
        vendor=way.provider,
        key=way.key,
        account=account_of(way),
        has_menu=menu is not None,
        text_key=texts.key if texts is not None and text_to else "",
        text_to=text_to,
        text_account=account_of(texts) if texts is not None else "",
    )


def account_of(connection: Connection) -> str:
    """The invented account that a connection of the demo belongs to."""
    return f"AC{connection.pk.hex}"
