"""What vendors still have, as people see it and ask for its deletion."""

from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.accounts.views.form_pages import FORM, INFO, Done, action, form_page
from callprivacy.calls.models import Connection
from callprivacy.calls.selectors.connections import title_of
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from retention.forms.vendors import AccessForm, LeftoversForm
from retention.selectors import runs as run_selectors
from retention.selectors import vendors as selectors
from retention.services import truth, vendors

_PAGE: Final = 50


@require_GET
@needs(Permission.MANAGE_RETENTION)
def list_leftovers(request: StaffRequest, client: Client) -> HttpResponse:
    """What vendors still have of what is erased here, by connection, with its age and what is asked for."""
    checks = selectors.checks_of(client)
    form = LeftoversForm(request.GET, ways=[checked.connection for checked in checks])
    state, way = form.wanted()
    page = Paginator(selectors.leftovers(client, state=state, connection_id=way), _PAGE).get_page(
        request.GET.get("page")
    )
    address = request.GET.copy()
    address.pop("page", None)
    context = {
        "client": client,
        "form": form,
        "checks": checks,
        "ways": list({checked.connection.provider: checked for checked in checks}.values()),
        "page": page,
        "rows": selectors.lines(list(page.object_list), request.at),
        "instructed": selectors.is_instructed(client),
        "deletions": selectors.open_deletions(client)[:_PAGE],
        "errands": run_selectors.errands_of(client).count(),
        "address": address.urlencode(),
    }
    return render(request, "retention/leftovers.html", context)


@require_POST
@needs(Permission.MANAGE_RETENTION)
def ask_leftovers(request: StaffRequest, client: Client) -> HttpResponse:
    """Ask vendors to delete the ticked ones; the steps are consent's, and so is the permission to open them."""
    access.require(request, Permission.MANAGE_CONSENT, client)
    try:
        count = vendors.ask_for_leftovers(
            client=client, leftover_ids=_ticked(request), by=request.actor, at=request.at
        )
    except vendors.NotInstructedError:
        messages.warning(
            request,
            f"{client.name} has not instructed you to have recordings deleted at vendors. Record the instruction in"
            " the engagement first; until then nothing is sent.",
        )
    else:
        _say(request, count, "Asked for: {} deletion{}. Letters wait for you below.")
    return redirect("retention:leftovers", client.slug)


@require_POST
@needs(Permission.MANAGE_RETENTION, also_left=True)
def note_leftovers(request: StaffRequest, client: Client) -> HttpResponse:
    """Take the person's word that the ticked ones are not there any more."""
    count = vendors.note_gone(client=client, leftover_ids=_ticked(request), by=request.actor, at=request.at)
    _say(request, count, "Noted: {} cop{} gone at the vendor.", ("y is", "ies are"))
    return redirect("retention:leftovers", client.slug)


def _say(request: StaffRequest, count: int, words: str, ends: tuple[str, str] = ("", "s")) -> None:
    if count:
        messages.success(request, words.format(count, ends[0] if count == 1 else ends[1]))
    else:
        messages.warning(request, "Nothing was ticked that is still open.")


def _ticked(request: StaffRequest) -> list[UUID]:
    found = []
    for value in request.POST.getlist("leftover")[:1000]:
        try:
            found.append(UUID(value))
        except ValueError:
            continue
    return found


def _load_way(request: StaffRequest, client: Client, connection_id: UUID) -> Connection:
    way = (
        Connection.objects.for_client(client)
        .select_related("client")
        .filter(pk=connection_id, provider="callrail")
        .first()
    )
    if way is None:
        raise Http404
    return way


def _leftovers(way: Connection) -> str:
    return reverse("retention:leftovers", args=[way.client.slug])


@form_page(
    AccessForm,
    right=Permission.MANAGE_RETENTION,
    load=_load_way,
    title=lambda way: f"What opens {title_of(way.provider)}’s list",
    lede=lambda way: (
        "With it the vendor is asked each night which recordings it still has. It is used for nothing else:"
        f" {title_of(way.provider)}’s interface deletes none, so deletions go by letter."
    ),
    button="Seal the key",
    crumbs=lambda way: [("Copies at vendors", _leftovers(way))],
    errors={truth.NoSuchListError: FORM},
    secret=("key",),
)
def open_list(request: StaffRequest, way: Connection, form: AccessForm) -> str:
    """Say what opens CallRail's list of a connection."""
    said = form.cleaned_data
    truth.set_access(
        connection=way,
        account=said["account"].strip(),
        company=said["company"].strip(),
        key=said["key"].strip(),
        by=request.actor,
        at=request.at,
    )
    return "Sealed. The list is asked within minutes, and then each night."


@action(right=Permission.MANAGE_RETENTION, load=_load_way, back=_leftovers)
def close_list(request: StaffRequest, way: Connection, _: Any) -> Done:
    """Forget what opens a connection's list."""
    if truth.forget_access(connection=way, by=request.actor, at=request.at):
        return Done("The key is forgotten; the list is asked no more.")
    return Done("No key was kept.", level=INFO)
