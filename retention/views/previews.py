"""What a run would take now, before it does: at every client, and at one of them to the row."""

from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.views.decorators.http import require_GET

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs, needs_right
from callprivacy.accounts.enums import AgencyRight
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from retention.enums import Category
from retention.selectors import house, own_dates, preview, samples
from retention.selectors.calendar import DAYS
from retention.targets import HOUSE, TARGETS

_PAGE = 50
_SEEN = frozenset(preview.NEEDS.values())


@require_GET
def preview_all(request: StaffRequest) -> HttpResponse:
    """What a run would take at each client, by category; one statement a category."""
    clients = list(
        access.clients_with(request.membership, Permission.MANAGE_RETENTION, at=request.at)
        .select_related("agency")
        .order_by("name")
    )
    if not clients and not access.has_right(request.membership, AgencyRight.RUN_JOBS):
        raise PermissionDenied("Retention is not granted to you for any client.")
    permissions: dict[int, set[str]] = {client.pk: set() for client in clients}
    for permission in _SEEN:
        for client_id in access.client_ids_with(request.membership, permission, at=request.at):
            permissions.setdefault(client_id, set()).add(permission)
    found = preview.of_clients(clients, permissions, request.at)
    shown = sorted(
        (one for one in found if one.total or one.held), key=lambda one: (-one.total, one.client.name)
    )
    totals = [
        (
            category,
            sum(one.row(category).extent.rows for one in found if one.is_live),
            sum(one.row(category).extent.held for one in found if one.is_live),
        )
        for category in TARGETS
    ]
    signs = access.has_right(request.membership, AgencyRight.SIGN_OFF)
    own = house.rows(request.agency, request.at, days=DAYS) if signs else []
    unseen = _unseen(request, found)
    page = Paginator(shown, _PAGE).get_page(request.GET.get("page"))
    context = {
        "shown": page.object_list,
        "own_dates": own_dates.rows(request.agency, request.at),
        "own": own,
        "page": page,
        "totals": [total for total in totals if total[1] or total[2]],
        "tiles": _tiles(found, own, is_all=not unseen),
        "may_run": access.has_right(request.membership, AgencyRight.RUN_JOBS),
        "extent": _extent(found, own, is_all=not unseen),
        "unseen": unseen,
        "unseen_words": _unseen_words(unseen),
    }
    return render(request, "retention/preview_all.html", context)


def _unseen(request: StaffRequest, found: list[preview.ClientPreview]) -> int:
    """
    At how many clients a run would take what the person may not see; nobody is granted one that has left.

    Who neither manages the agency nor starts runs does not know of clients that are not granted.
    """
    seen = [one.client.pk for one in found if all(row.is_seen for row in one.rows)]
    here = Client.objects.filter(agency_id=request.agency.pk, archived_at=None)
    return here.exclude(pk__in=seen).count()


def _unseen_words(count: int) -> str:
    clients = "1 client of the agency is" if count == 1 else f"{count:,} clients of the agency are"
    return (
        f"{clients} not granted to you, or not with all that leaves there, and not counted in full."
        " A run takes their rows all the same. An admin may grant them to you, or somebody looks who is granted all."
    )


def _counted(count: int, said: str, *, is_all: bool) -> str:
    """A count in words; of what is seen in part it is the least that there is, and of nothing it says nothing."""
    if is_all:
        return said
    return f"at least {said}" if count else "not known"


def _tiles(found: list[preview.ClientPreview], own: list[house.Row], *, is_all: bool) -> list[dict[str, str]]:
    """What the next run deletes, what stays because a client is in dry run, and what holds keep."""
    live = [one for one in found if one.is_live]
    rows = sum(one.total for one in live) + sum(row.extent.rows for row in own)
    dry = sum(one.total for one in found if not one.is_live)
    held = sum(one.held for one in found) + sum(row.extent.held for row in own)
    size = sum(one.size for one in live)
    return [
        {"label": "Rows to be deleted", "value": _counted(rows, f"{rows:,}", is_all=is_all)},
        {"label": "Stored files to be deleted", "value": _counted(size, filesizeformat(size), is_all=is_all)},
        {
            "label": "In dry run",
            "value": _counted(dry, f"{dry:,}", is_all=is_all),
            "note": "past their date, and staying",
        },
        {
            "label": "Kept by holds",
            "value": _counted(held, f"{held:,}", is_all=is_all),
            "note": "past their date, and staying",
        },
    ]


def _extent(
    found: list[preview.ClientPreview], own: list[house.Row], *, is_all: bool
) -> list[dict[str, str]]:
    """What a run would erase now, as far as the person may see it: of observed clients it erases nothing."""
    live = sum(one.total for one in found if one.is_live)
    leaves = _counted(live, f"{live:,}", is_all=is_all)
    extent = [{"label": "Rows to be deleted", "value": leaves}]
    if own:
        extent.append(
            {
                "label": "The agency's own rows to be deleted",
                "value": f"{sum(row.extent.rows for row in own):,}",
            }
        )
    observed = sum(one.total for one in found if not one.is_live)
    stays = _counted(observed, f"{observed:,}", is_all=is_all)
    return [*extent, {"label": "In dry run, past their date, and staying", "value": stays}]


@require_GET
@needs(Permission.MANAGE_RETENTION)
def show_preview(request: StaffRequest, client: Client) -> HttpResponse:
    """What a run would take of one client now, and of one category the very rows, masked, in their order."""
    permissions = access.permissions_on(request.membership, client.pk, at=request.at)
    found = preview.of_client(client, permissions, request.at)
    category = _category(request.GET.get("category"), found)
    row = found.row(category)
    sample = None
    if row.is_seen:
        line = found.lines.of(category)
        sample = samples.sample(line, category, after=_uuid(request.GET.get("after")))
    context = {
        "client": client,
        "preview": found,
        "row": row,
        "sample": sample,
        "is_first": "after" not in request.GET,
    }
    return render(request, "retention/preview.html", context)


@require_GET
@needs_right(AgencyRight.SIGN_OFF)
def preview_own(request: StaffRequest, category: str) -> HttpResponse:
    """What a run would take of the agency's own rows now, and of one category the first of them."""
    if category not in HOUSE:
        raise Http404
    chosen = Category(category)
    context = {
        "own": house.rows(request.agency, request.at, days=DAYS),
        "category": chosen,
        "sample": house.sample(request.agency, chosen, request.at),
        "most": house.SAMPLE,
    }
    return render(request, "retention/preview_own.html", context)


def _category(name: str | None, found: preview.ClientPreview) -> Category:
    """The category that was asked for, else the first of which something would leave."""
    if name in [category.value for category in TARGETS]:
        return Category(name)
    return next((row.category for row in found.rows if row.extent.rows), Category.CALL)


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
