"""The calendar of what falls due."""

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.enums import AgencyRight
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Agency, Client
from retention.forms.policies import CalendarForm
from retention.selectors import calendar as selectors
from retention.selectors import own_dates


@require_GET
def show_calendar(request: StaffRequest) -> HttpResponse:
    """What falls due in the next 90 days, per day and category, as a picture and as a table."""
    clients = _countable(request)
    form = CalendarForm(request.GET, clients=clients)
    chosen = _chosen(form, clients)
    own = _own(request, clients, chosen)
    found = selectors.calendar(chosen, request.at, own=own)
    context = {
        "section": "calendar",
        "form": form,
        "active": int(len(chosen) != len(clients)),
        "own": own,
        "chosen": chosen[0] if len(chosen) == 1 else None,
        "found": found,
        "chart": {
            "series": [f"{category.label}: {found.sum_of(category):,}" for category in found.drawn],
            "looks": [f"due-{category.value}" for category in found.drawn],
            "more": ["All"],
            "rows": [
                [
                    f"{day.on:%a %-d %b}",
                    *(day.counts.get(category, 0) for category in found.drawn),
                    day.total,
                ]
                for day in found.days
            ],
        },
        "summary": f"{found.total:,} in all, {found.most:,} on the fullest day",
        "days": selectors.DAYS,
        "query": request.GET.urlencode(),
        "observed": sum(client.retention_state != "live" for client in chosen),
        "clients": chosen,
    }
    return render(request, "retention/calendar.html", context)


@require_GET
def show_later(request: StaffRequest) -> HttpResponse:
    """The sums of what no day can be named for, as a part that the calendar fetches."""
    clients = _countable(request)
    chosen = _chosen(CalendarForm(request.GET, clients=clients), clients)
    context = {
        "overdue": selectors.overdue(chosen, request.at),
        "rows": selectors.later(chosen, request.at, own=_own(request, clients, chosen)),
        "days": selectors.DAYS,
        "own_dates": own_dates.rows(request.agency, request.at) if len(chosen) != 1 else [],
    }
    return render(request, "retention/calendar_later.html", context)


def _countable(request: StaffRequest) -> list[Client]:
    """
    The clients whose retention the person manages and whose calls they may count.

    :raises PermissionDenied: there is none.
    """
    seen = set(access.client_ids_with(request.membership, Permission.VIEW_CALLS, at=request.at))
    clients = access.clients_with(request.membership, Permission.MANAGE_RETENTION, at=request.at)
    found = [client for client in clients.select_related("agency") if client.pk in seen]
    if not found:
        raise PermissionDenied("Retention is not granted to you for any client.")
    return found


def _own(request: StaffRequest, clients: list[Client], chosen: list[Client]) -> Agency | None:
    """The agency, where what it keeps of its own is counted as well."""
    signs = access.has_right(request.membership, AgencyRight.SIGN_OFF)
    return request.agency if signs and len(chosen) == len(clients) else None


def _chosen(form: CalendarForm, clients: list[Client]) -> list[Client]:
    slug = form.cleaned_data["client"] if form.is_valid() else ""
    return [client for client in clients if client.slug == slug] if slug else clients
