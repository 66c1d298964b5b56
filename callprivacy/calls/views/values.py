"""A client's new sources and mediums: confirm them, store them as another value, or refuse them."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.accounts.views.form_pages import action
from callprivacy.calls.forms.values import ValueForm
from callprivacy.calls.models import KnownValue
from callprivacy.calls.selectors import values as selectors
from callprivacy.calls.services import values
from callprivacy.calls.tasks.values import fill_values
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client


@require_safe
@needs(Permission.MANAGE_CONNECTIONS)
def list_values(request: StaffRequest, client: Client) -> HttpResponse:
    return render(request, "calls/new_values.html", _context(client))


def _context(client: Client, **more: Any) -> dict[str, Any]:
    return {
        "client": client,
        "waiting": selectors.waiting_of(client),
        "confirmed": selectors.confirmed_of(client),
        "most": values.WAITING_AT_MOST,
        **more,
    }


@action(
    right=Permission.MANAGE_CONNECTIONS, back=lambda client: reverse("calls:new_values", args=[client.slug])
)
def confirm_values(request: StaffRequest, client: Client, form: Any) -> str:
    seen = request.POST.get("seen", "")
    up_to = int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 19 else 0
    count = values.confirm_all(client=client, up_to=up_to, by=request.actor, at=request.at)
    _fill(client)
    return f"{count} value{'' if count == 1 else 's'} confirmed."


@require_POST
@needs(Permission.MANAGE_CONNECTIONS)
def decide_value(request: StaffRequest, client: Client, value_id: int) -> HttpResponse:
    value = get_object_or_404(KnownValue.objects.for_client(client).select_related("client"), pk=value_id)
    form = ValueForm(request.POST, value=value)
    try:
        if "refuse" in request.POST:
            values.refuse(value=value, by=request.actor, at=request.at)
        elif form.is_valid():
            stored_as = form.cleaned_data["stored_as"]
            values.confirm(value=value, stored_as=stored_as, by=request.actor, at=request.at)
    except values.AlreadyDecidedError as error:
        messages.warning(request, str(error))
        return redirect("calls:new_values", client.slug)
    except values.NotKnownError as error:
        form.add_error("stored_as", str(error))
    if "refuse" not in request.POST and not form.is_valid():
        return render(request, "calls/new_values.html", _context(client, form=form, wrong=value.pk))
    _fill(client)
    messages.success(request, "Saved. The calls that wait show it within a minute.")
    return redirect("calls:new_values", client.slug)


def _fill(client: Client) -> None:
    fill_values.delay_on_commit(agency_id=client.agency_id, client_id=client.pk)
