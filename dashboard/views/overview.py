"""The first page: what needs a person today, and how the agency stands."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.timesince import timesince
from django.views.decorators.http import require_GET

from analytics.selectors import agency, counting
from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.enums import AgencyRight
from callprivacy.audit import selectors as trail
from callprivacy.calls.selectors.connections import title_of
from callprivacy.tenancy.enums import Permission
from consent.selectors import standards
from dashboard import selectors
from retention.selectors import watch

_SHOWN = 50


@require_GET
def show_overview(request: StaffRequest) -> HttpResponse:
    """Seven rows that need you, the figures, four weeks of calls, clients worst first, standards, connections."""
    clients = selectors.clients_of(request.membership, at=request.at)
    uncounted = counting.among([client.pk for client in clients])
    rows = selectors.client_rows(request.membership, clients, at=request.at)
    days = selectors.last_weeks(rows, request.agency.time_zone, at=request.at)
    doors = selectors.connections(request.membership, at=request.at)
    missed = selectors.missed_calls(request.membership, doors, at=request.at)
    managed = set(access.client_ids_with(request.membership, Permission.MANAGE_CONNECTIONS, at=request.at))
    context: dict[str, Any] = {
        "posture": selectors.duty_figures(selectors.duties()) if _manages(request) else None,
        "items": selectors.needs_you(request.membership, at=request.at),
        "rows": rows[:_SHOWN],
        "left_out": max(0, len(rows) - _SHOWN),
        "tiles": _tiles(rows),
        "sees_no_calls": not rows and bool(access.visible_clients(request.membership, at=request.at)[:1]),
        "counting": counting.said_of([client.name for client in clients if client.pk in uncounted]),
        "chart": {
            "series": ["Answered", "Not answered"],
            "rows": [
                [
                    f"{day.starts_at:%a} {day.starts_at.day} {day.starts_at:%b}",
                    day.answered,
                    day.calls - day.answered,
                ]
                for day in days
            ],
        },
        "clocks": selectors.clocks(request.membership, at=request.at),
        "copies": selectors.copies(request.membership, at=request.at),
        "connections": [
            {
                "row": row,
                "vendor": title_of(row.provider),
                "missed": missed[row.pk] if missed else None,
                "may_open": row.client_id in managed,
            }
            for row in doors
        ],
        "shows_missed": missed is not None,
        "lowered": standards.lowered(request.membership, at=request.at),
        "now": request.at,
        "is_first_day": not rows
        and access.has_right(request.membership, AgencyRight.MANAGE_CLIENTS)
        and not access.visible_clients(request.membership, at=request.at).exists(),
    }
    reported = access.clients_with(request.membership, Permission.VIEW_ANALYTICS, at=request.at)
    context["trend"] = agency.trend(list(reported), at=request.at)
    if access.has_right(request.membership, AgencyRight.MANAGE_CLIENTS):
        late, standing = watch.late_rows(), watch.open_count()
        late_words = f"{late:,} row{' is' if late == 1 else 's are'} late" if late else "Nothing is late"
        alerts = f"{standing or 'No'} alert{' stands' if standing <= 1 else 's stand'}"
        context["watch"] = {
            "tone": "bad" if late else "warn" if standing else "good",
            "words": late_words if late or not standing else alerts,
            "note": alerts if late or not standing else late_words.lower(),
        }
    if access.has_right(request.membership, AgencyRight.VIEW_TRAIL):
        state = trail.seal_state(request.agency.pk)
        context |= {"trail": state, "trail_late": state.is_alarming(request.at)}
        if state.seal is not None and state.seal.is_readable:
            is_fresh = request.at - state.seal.signed_at < timedelta(minutes=1)
            context["sealed_ago"] = "just now" if is_fresh else f"{timesince(state.seal.signed_at)} ago"
    return render(request, "dashboard/overview.html", context)


_PAST = {"late", "observed"}


def _tiles(rows: list[selectors.ClientRow]) -> dict[str, Any]:
    """The figures, each with the client that adds most to it."""
    figures: dict[str, Callable[[selectors.ClientRow], int]] = {
        "recorded": lambda row: row.count.kept,
        "calls": lambda row: row.count.calls,
        "withheld": lambda row: row.count.withheld,
        "late": lambda row: row.past if row.is_live else 0,
        "observed": lambda row: 0 if row.is_live else row.past,
    }
    tiles: dict[str, dict[str, Any]] = {}
    for name, figure in figures.items():
        top = max(rows, key=figure, default=None)
        most = top.client if top is not None and figure(top) else None
        # Of one client what is past its date is counted up to a limit.
        more = "+" if name in _PAST and any(row.has_more_past and figure(row) for row in rows) else ""
        value = sum(map(figure, rows))
        tiles[name] = {"value": value, "words": f"{value:,}{more}", "client": most}
    tiles["recorded"]["note"] = _by_basis(rows)
    return tiles


def _by_basis(rows: list[selectors.ClientRow]) -> str:
    """What the recordings that are kept rest on, in words, the most first."""
    found: Counter[str] = Counter()
    for row in rows:
        for each in row.recorded:
            found[each.words] += each.calls
    return (
        "; ".join(f"{words}: {calls:,}" for words, calls in found.most_common())
        or "no recording may be kept yet"
    )


def _manages(request: StaffRequest) -> bool:
    return access.has_right(request.membership, AgencyRight.MANAGE_CLIENTS)
