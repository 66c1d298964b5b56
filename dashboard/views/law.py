"""What changed in the law: what took effect, what comes, and which clients it touches."""

from datetime import date
from typing import Any, Final

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs_right
from callprivacy.accounts.enums import AgencyRight
from callprivacy.lib import calendars
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client, Place
from consent.selectors import law as consent_law
from dashboard import law
from dashboard.forms.records import ChangesForm
from rights.selectors import facts as reach

_SHOWN: Final = 60
_NAMED: Final = 6


@require_safe
@needs_right(AgencyRight.MANAGE_CLIENTS)
def show_changes(request: StaffRequest) -> HttpResponse:
    """Changes with a day, the next first, then those that hold; and when each kind of rule was looked over."""
    today = calendars.day_in(request.agency.time_zone, request.at)
    form = ChangesForm(request.GET, abouts=[one.value for one in law.About])
    wanted = form.cleaned_data if form.is_valid() else {}
    clients = list(access.visible_clients(request.membership, at=request.at).filter(archived_at=None))
    where = _places(clients)
    held = {place for places in where.values() for place in places}
    rules = consent_law.rules_of(request.agency.pk)
    found = [
        one
        for one in law.changes(rules)
        if (wanted.get("ours") == "all" or one.touches(held))
        and (not wanted.get("about") or one.about == wanted["about"])
    ]
    past = [one for one in found if one.on is not None and one.on <= today]
    context = {
        "section": "law",
        "form": form,
        "active": sum(bool(value) for value in wanted.values()),
        "coming": [_line(one, clients, where, today) for one in reversed(found) if one.on and one.on > today],
        "watched": [_line(one, clients, where, today) for one in found if one.on is None],
        "past": [_line(one, clients, where, today) for one in past[:_SHOWN]],
        "more": max(len(past) - _SHOWN, 0),
        "checked": law.checked(rules),
        "california": _california(clients, today),
        "granted": access.client_ids_with(request.membership, Permission.VIEW_CLIENT, at=request.at),
        "version": rules.version,
        "today": today,
    }
    return render(request, "dashboard/law.html", context)


def _places(clients: list[Client]) -> dict[int, set[law.Place]]:
    """Client id -> where it does business; one query."""
    found: dict[int, set[law.Place]] = {client.pk: set() for client in clients}
    rows = Place.objects.filter(client_id__in=list(found)).values_list("client_id", "country", "region")
    for client_id, country, region in rows:
        found[client_id].add((country, region))
    for client in clients:
        # A country alone says least, so it counts only where no place of it is named.
        if not any(country == client.home_country for country, _ in found[client.pk]):
            found[client.pk].add((client.home_country, ""))
    return found


def _line(
    one: law.Change, clients: list[Client], where: dict[int, set[law.Place]], today: date
) -> dict[str, Any]:
    touched = [client for client in clients if one.touches(where[client.pk])]
    return {
        "change": one,
        "clients": touched[:_NAMED],
        "others": max(len(touched) - _NAMED, 0),
        "is_late": one.look_again_on is not None and one.look_again_on <= today,
    }


def _california(clients: list[Client], today: date) -> list[dict[str, Any]]:
    """How the CCPA stands for each client, those first of which a fact is missing."""
    standings = reach.california_of(clients, on=today)
    order = {"unknown": 0, "applies": 1, "does_not": 2}
    rows = [{"client": client, "standing": standings[client.pk]} for client in clients]
    return sorted(rows, key=lambda row: (order[row["standing"].verdict.value], row["client"].name))
