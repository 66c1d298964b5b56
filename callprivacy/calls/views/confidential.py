"""Confidential calls, for officers: which there are, marking one, naming people for it, and lifting the mark."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.accounts.enums import AgencyRight
from callprivacy.calls.forms.calls import NumberForm, ReasonForm
from callprivacy.calls.forms.confidential import MarkForm, NameForm, RulesForm
from callprivacy.calls.models import ConfidentialCall
from callprivacy.calls.selectors import confidential as selectors
from callprivacy.calls.selectors import masks
from callprivacy.calls.services import confidential
from callprivacy.calls.services import confidential_rules as rules
from callprivacy.calls.views.calls import find_or_404
from callprivacy.lib import calendars
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client

_PAGE = 25


@require_safe
@never_cache
@needs(Permission.VIEW_CALLS)
def list_calls(request: StaffRequest, client: Client) -> HttpResponse:
    """A client's confidential calls: why, since when and for whom, and nothing of their content."""
    access.require(request, AgencyRight.SIGN_OFF, client)
    page = Paginator(selectors.open_rows(client), _PAGE).get_page(request.GET.get("page"))
    rows = list(page.object_list)
    people = selectors.people_of(rows, at=request.at)
    context = {
        "client": client,
        "page": page,
        "rows": [{"row": row, "people": people.get(row.call_id, [])} for row in rows],
    }
    return render(request, "calls/confidential_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(Permission.VIEW_CALLS)
def switch_rules(request: StaffRequest, client: Client) -> HttpResponse:
    """The rules by which a client's calls become confidential."""
    access.require(request, AgencyRight.SIGN_OFF, client)
    # Without any rule a form holds its token alone, and is sent all the same.
    asked = request.POST if request.method == "POST" else None
    form = RulesForm(asked, initial={"causes": selectors.rules_of(client)})
    if form.is_valid():
        rules.switch_rules(client=client, causes=form.cleaned_data["causes"], by=request.actor, at=request.at)
        messages.success(request, "Saved. Calls that are here already are marked within a minute.")
        return redirect("calls:confidential_rules", client.slug)
    return _rules_page(request, client, form, NumberForm())


@require_POST
@never_cache
@needs(Permission.VIEW_CALLS)
@sensitive_post_parameters("number")
def change_numbers(request: StaffRequest, client: Client) -> HttpResponse:
    """Keep that a number is an employee's own, or forget it."""
    access.require(request, AgencyRight.SIGN_OFF, client)
    form = NumberForm(request.POST)
    if form.is_valid():
        facts: dict[str, Any] = {"client": client, "number": form.cleaned_data["number"]}
        facts |= {"by": request.actor, "at": request.at}
        try:
            if "remove" not in request.POST:
                rules.add_employee_number(**facts)
                messages.success(request, "The number is on the list.")
            elif rules.remove_employee_number(**facts):
                messages.success(
                    request,
                    "The number is off the list. Calls that it marked stay confidential.",
                )
            else:
                messages.info(request, "The number was not on the list.")
            return redirect("calls:confidential_rules", client.slug)
        except rules.NotANumberError as error:
            form.add_error("number", str(error))
    return _rules_page(request, client, RulesForm(initial={"causes": selectors.rules_of(client)}), form)


def _rules_page(
    request: StaffRequest, client: Client, form: RulesForm, number_form: NumberForm
) -> HttpResponse:
    context = {"client": client, "form": form, "number_form": number_form}
    return render(request, "calls/confidential_rules.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(Permission.VIEW_CALLS)
@sensitive_post_parameters("reason")
def show(request: StaffRequest, client: Client, call_id: UUID) -> HttpResponse:
    """Who sees a confidential call; or the form that makes a call confidential."""
    access.require(request, AgencyRight.SIGN_OFF, client)
    row = selectors.open_rows(client).filter(call_id=call_id).first()
    if row is None:
        return _mark(request, client, call_id)
    form = NameForm(request.POST or None, **_asked(request, client))
    if request.method == "POST" and form.is_valid():
        try:
            confidential.name_person(
                confidential=row,
                user_id=form.cleaned_data["people"],
                ends_at=form.ends_at,
                by=request.actor,
                at=request.at,
            )
        except (confidential.NotNameableError, confidential.NotConfidentialError) as error:
            form.add_error("people", str(error))
        else:
            messages.success(request, "The person is named.")
            return redirect("calls:confidential", client.slug, call_id)
    context = {
        "client": client,
        "row": row,
        "form": form,
        "people": selectors.people_of([row], at=request.at).get(call_id, []),
        "sees": selectors.sees(row),
    }
    return render(request, "calls/confidential.html", context)


def _asked(request: StaffRequest, client: Client) -> dict[str, Any]:
    return {
        "people": selectors.nameable(client, but=request.membership.user_id, at=request.at),
        "today": calendars.day_in(client.time_zone, request.at),
        "zone": client.time_zone,
    }


def _mark(request: StaffRequest, client: Client, call_id: UUID) -> HttpResponse:
    call = find_or_404(client, call_id)
    form = MarkForm(request.POST or None, **_asked(request, client))
    if request.method == "POST" and form.is_valid():
        try:
            confidential.mark_call(
                call=call,
                reason=form.cleaned_data["reason"],
                people=form.cleaned_data["people"],
                ends_at=form.ends_at,
                by=request.actor,
                at=request.at,
            )
        except (confidential.NotNameableError, confidential.AlreadyConfidentialError) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "The call is confidential. The people whom you named see it.")
            return redirect("calls:call", client.slug, call_id)
    context = {"client": client, "call": call, "form": form, "mask": masks.masks_of([call])[call.pk]}
    return render(request, "calls/confidential_new.html", context)


def _row_of(client: Client, call_id: UUID) -> ConfidentialCall | None:
    """
    The open mark of a call; None where the call has none and the officer sees it.

    :raises Http404: neither.
    """
    row = selectors.open_rows(client).filter(call_id=call_id).first()
    if row is None:
        find_or_404(client, call_id)
    return row


@require_POST
@needs(Permission.VIEW_CALLS)
def remove_person(request: StaffRequest, client: Client, call_id: UUID) -> HttpResponse:
    """Let a person see a confidential call no more."""
    access.require(request, AgencyRight.SIGN_OFF, client)
    row, user_id = _row_of(client, call_id), request.POST.get("user", "")
    if row is not None and user_id.isdecimal() and len(user_id) < 19:
        confidential.remove_person(confidential=row, user_id=int(user_id), by=request.actor, at=request.at)
        messages.success(request, "The person does not see the call any more.")
    return redirect("calls:confidential", client.slug, call_id)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(Permission.VIEW_CALLS)
@sensitive_post_parameters("reason")
def lift(request: StaffRequest, client: Client, call_id: UUID) -> HttpResponse:
    """Say who will see the call again, ask why, and lift the mark."""
    access.require(request, AgencyRight.SIGN_OFF, client)
    row = _row_of(client, call_id)
    if row is None:
        messages.info(request, "This call is not confidential.")
        return redirect("calls:call", client.slug, call_id)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            confidential.lift(
                confidential=row, reason=form.cleaned_data["reason"], by=request.actor, at=request.at
            )
        except confidential.NotConfidentialError:
            messages.info(request, "This call is not confidential.")
        else:
            messages.success(request, "The call is open to everyone who views the client's calls.")
        return redirect("calls:call", client.slug, call_id)
    extent = [
        {"label": "Why it is confidential", "value": row.get_cause_display()},
        {"label": "People named for it", "value": len(selectors.people_of([row], at=request.at)[call_id])},
        {
            "label": "People who see it then",
            "value": selectors.nameable(client, but=0, at=request.at).count(),
        },
    ]
    return render(
        request,
        "calls/confidential_lift.html",
        {"client": client, "row": row, "form": form, "extent": extent},
    )
