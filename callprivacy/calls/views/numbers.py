"""One tracking number: where it is shown, and what a caller hears there."""

from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.html import format_html

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.views.form_pages import INFO, Confirmation, form_page
from callprivacy.accounts.views.tables import Column, Empty, Link, Pill, Table
from callprivacy.calls.forms.connections import NewNumberForm, NumberForm, StrikeForm
from callprivacy.calls.models import Announcement, TrackingNumber
from callprivacy.calls.selectors import connections as selectors
from callprivacy.calls.services import numbers
from callprivacy.calls.views.connections import above_new
from callprivacy.lib.rows import when
from callprivacy.tenancy.enums import Permission, RetentionState
from callprivacy.tenancy.models import Client

_MANAGE: Final = Permission.MANAGE_CONNECTIONS
_ON_RECORDING: Final = {
    True: "The recording holds it",
    None: "Not known whether the recording holds it",
    False: "The recording does not hold it",
}


@form_page(
    NewNumberForm,
    right=_MANAGE,
    title="New tracking number",
    lede="Numbers appear by themselves with their first call. Add one here if its announcement should be known before.",
    button="Add number",
    crumbs=above_new,
    fill=lambda _, client: {"country": client.home_country, "zone": ZoneInfo(client.time_zone)},
    errors={numbers.NumberKnownError: "number", numbers.HeardSinceError: "announced_from"},
)
def add_number(request: StaffRequest, client: Client, form: NewNumberForm) -> str:
    facts = dict(form.cleaned_data)
    number, provider = facts.pop("number"), facts.pop("provider")
    numbers.add_number(
        client=client, number=number, provider=provider, facts=facts, by=request.actor, at=request.at
    )
    return "The number is saved."


def _load(request: StaffRequest, client: Client, number_id: UUID) -> TrackingNumber:
    number = get_object_or_404(TrackingNumber.objects.filter(client=client), pk=number_id)
    number.client = client
    return number


def _page_of(number: TrackingNumber) -> tuple[str, str]:
    url = reverse("calls:describe_number", args=[number.client.slug, number.pk])
    return number.label or "Tracking number", url


def _strike(row: Announcement) -> list[Link]:
    if row.struck_at:
        return []
    number = row.tracking_number
    return [
        Link("Strike out", reverse("calls:strike_announcement", args=[number.client.slug, number.pk, row.pk]))
    ]


def _state(row: Announcement) -> Pill | str:
    if row.struck_at:
        return Pill("Struck out", "neutral")
    return "" if row.until_at else Pill("Heard now", "good")


_HEARD: Final = Table(
    label="What callers heard",
    columns=(
        Column(
            "Text",
            lambda row: format_html("<s>{}</s>", row.words) if row.struck_at else row.words,
            note=lambda row: _ON_RECORDING[row.on_recording],
        ),
        Column("From", "from_at"),
        Column("Until", "until_at"),
        Column("State", _state),
        Column("Saved", "written_at", note=lambda row: f"by {row.written_by}" if row.written_by else ""),
    ),
    links=_strike,
    empty=Empty("No announcement is saved", "Their calls count as not announced."),
)


def _heard(request: StaffRequest, number: TrackingNumber) -> dict[str, Any]:
    rows = selectors.heard_on(number)
    for row in rows:
        row.tracking_number = number
    return {"table": _HEARD.draw(request, rows, zone=number.client.time_zone)}


@form_page(
    NumberForm,
    right=_MANAGE,
    load=_load,
    title=lambda number: number.label or "Tracking number",
    lede="What is known of this number shows whether its calls were recorded, and whether callers were notified.",
    button="Save",
    crumbs=lambda number: above_new(number.client),
    fill=lambda _, number: {"number": number, "zone": ZoneInfo(number.client.time_zone)},
    more=_heard,
    errors={numbers.HeardSinceError: "announced_from"},
    template="calls/number.html",
)
def describe_number(request: StaffRequest, number: TrackingNumber, form: NumberForm) -> str:
    numbers.describe_number(number=number, facts=form.cleaned_data, by=request.actor, at=request.at)
    return "Saved."


def _load_announcement(
    request: StaffRequest, client: Client, number_id: UUID, announcement_id: UUID
) -> Announcement:
    rows = Announcement.objects.for_client(client).select_related("tracking_number")
    row = get_object_or_404(rows, pk=announcement_id, tracking_number_id=number_id)
    row.tracking_number.client = client
    return row


def _striking(request: StaffRequest, row: Announcement) -> Confirmation:
    client = row.tracking_number.client
    # A person who manages connections may see no calls; a count of none would say that nothing rests on it.
    recordings = "not counted: this client’s calls are not granted to you"
    if access.may(request.membership, Permission.VIEW_CALLS, client, at=request.at):
        count = selectors.recordings_under(row)
        recordings = f"At most {count:,} recording{'' if count == 1 else 's'}"
    leave = ", and leave when their time in quarantine is over" * (
        client.retention_state == RetentionState.LIVE
    )
    return Confirmation(
        "Strike out an announcement that was saved wrongly",
        f"Recordings that rest on it alone are quarantined from then on{leave}. If callers heard it until today, end it"
        " instead: empty the text on the number’s page.",
        [
            {"label": "Text", "value": row.words},
            {"label": "From", "value": when(row.from_at, client.time_zone)},
            {
                "label": "Until",
                "value": when(row.until_at, client.time_zone) if row.until_at else "it goes on",
            },
            {"label": "Of calls that came in while callers heard it", "value": recordings},
        ],
        ["The announcement, struck out, on the number’s page."],
    )


@form_page(
    StrikeForm,
    right=_MANAGE,
    load=_load_announcement,
    title="Strike out an announcement",
    lede="For what was saved wrongly: callers never heard it, or not then.",
    button="Strike it out",
    crumbs=lambda row: [*above_new(row.tracking_number.client), _page_of(row.tracking_number)],
    errors={numbers.StruckError: INFO},
    confirm=_striking,
)
def strike_announcement(request: StaffRequest, row: Announcement, form: StrikeForm) -> str:
    """Strike out what callers of a number never heard, or not then."""
    numbers.strike_announcement(
        announcement=row, reason=form.cleaned_data["reason"], by=request.actor, at=request.at
    )
    return "Struck out. Calls that rest on it are evaluated again within minutes."
