"""Confidential calls, for officers: which there are, marking one, naming people for it, and lifting the mark."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import capfirst
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.views.form_pages import FORM, INFO, Confirmation, Done, action, form_page
from callprivacy.accounts.views.tables import Column, Empty, Link, Table, list_page
from callprivacy.calls.forms.calls import NumberForm, ReasonForm
from callprivacy.calls.forms.confidential import MarkForm, NameForm, RemoveForm, RulesForm
from callprivacy.calls.models import Call, ConfidentialCall
from callprivacy.calls.selectors import confidential as selectors
from callprivacy.calls.selectors import masks
from callprivacy.calls.services import confidential
from callprivacy.calls.services import confidential_rules as rules
from callprivacy.calls.views.calls import find_or_404
from callprivacy.lib import calendars
from callprivacy.lib.rows import when
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client


@dataclass(frozen=True, slots=True)
class _Line:
    row: ConfidentialCall
    people: Sequence[selectors.Named]

    def names(self) -> str:
        return ", ".join(f"{named.user}{' (ended)' * named.is_over}" for named in self.people)


def _lines(request: StaffRequest, rows: list[ConfidentialCall]) -> list[_Line]:
    people = selectors.people_of(rows, at=request.at)
    return [_Line(row, people.get(row.call_id, [])) for row in rows]


def _url(row: ConfidentialCall, name: str = "calls:confidential") -> str:
    return reverse(name, args=[row.client.slug, row.call_id])


@never_cache
@list_page(
    Table(
        label="Confidential calls",
        columns=(
            Column("Confidential since", "row.marked_at", link=lambda line: _url(line.row)),
            Column("Why", "row.get_cause_display", note="row.marked_by"),
            Column("People named", "names", nothing="none"),
        ),
        empty=Empty(
            "No confidential calls",
            "An officer makes a call confidential on its page, or a rule does.",
            "calls",
        ),
        lines=_lines,
        size=25,
    ),
    right=Permission.VIEW_CALLS,
    lede="Why each is confidential and who sees it. Nothing of their content is here.",
    actions=lambda _, client: [Link("Rules", reverse("calls:confidential_rules", args=[client.slug]))],
)
def list_calls(request: StaffRequest, client: Client) -> QuerySet[ConfidentialCall]:
    """A client's confidential calls: why, since when and for whom, and nothing of their content."""
    access.require(request, AgencyRight.SIGN_OFF, client)
    return selectors.open_rows(client).select_related("client")


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(Permission.VIEW_CALLS)
def switch_rules(request: StaffRequest, client: Client) -> HttpResponse:
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


def _people(request: StaffRequest, client: Client) -> dict[str, Any]:
    return {
        "people": selectors.nameable(client, but=request.membership.user_id, at=request.at),
        "today": calendars.day_in(client.time_zone, request.at),
        "zone": client.time_zone,
    }


def _load_call(request: StaffRequest, client: Client, call_id: UUID) -> Call:
    access.require(request, AgencyRight.SIGN_OFF, client)
    call = find_or_404(client, call_id)
    call.client = client
    return call


def _call_url(subject: Call | ConfidentialCall) -> str:
    call_id = subject.pk if isinstance(subject, Call) else subject.call_id
    return reverse("calls:call", args=[subject.client.slug, call_id])


def _of_call(call: Call) -> str:
    mask = masks.masks_of([call])[call.pk]
    return format_html("{}, {}", capfirst(mask.text), when(call.started_at, call.client.time_zone))


@form_page(
    MarkForm,
    right=Permission.VIEW_CALLS,
    load=_load_call,
    title="Make this call confidential",
    lede=_of_call,
    button="Make confidential",
    crumbs=lambda call: [("Calls", ""), (masks.masks_of([call])[call.pk].name or "Call", _call_url(call))],
    fill=lambda request, call: _people(request, call.client),
    errors={confidential.NotNameableError: FORM, confidential.AlreadyConfidentialError: FORM},
    secret=("reason",),
    template="calls/confidential_new.html",
)
def _mark(request: StaffRequest, call: Call, form: MarkForm) -> str:
    confidential.mark_call(
        call=call,
        reason=form.cleaned_data["reason"],
        people=form.cleaned_data["people"],
        ends_at=form.ends_at,
        by=request.actor,
        at=request.at,
    )
    return "The call is confidential. The people whom you named see it."


def _row_of(request: StaffRequest, client: Client, call_id: UUID) -> ConfidentialCall | None:
    access.require(request, AgencyRight.SIGN_OFF, client)
    row = selectors.open_rows(client).filter(call_id=call_id).first()
    if row is not None:
        row.client = client
    return row


def _load_or_mark(request: StaffRequest, client: Client, call_id: UUID) -> ConfidentialCall | HttpResponse:
    return _row_of(request, client, call_id) or _mark(request, slug=client.slug, call_id=call_id)


def _load_row(request: StaffRequest, client: Client, call_id: UUID) -> ConfidentialCall | HttpResponse:
    row = _row_of(request, client, call_id)
    if row is None:
        find_or_404(client, call_id)
        messages.info(request, "This call is not confidential.")
        return redirect("calls:call", client.slug, call_id)
    return row


def _above(row: ConfidentialCall) -> list[tuple[str, str]]:
    return [("Confidential calls", reverse("calls:confidential_calls", args=[row.client.slug]))]


def _named(request: StaffRequest, row: ConfidentialCall) -> dict[str, Any]:
    people = selectors.people_of([row], at=request.at).get(row.call_id, [])
    return {"client": row.client, "row": row, "people": people, "sees": selectors.sees(row)}


@never_cache
@form_page(
    NameForm,
    right=Permission.VIEW_CALLS,
    load=_load_or_mark,
    title="Confidential call",
    lede=lambda row: format_html(
        "{}, confidential since {}", row.client.name, when(row.marked_at, row.client.time_zone)
    ),
    button="Name person",
    crumbs=_above,
    fill=lambda request, row: _people(request, row.client),
    more=_named,
    errors={confidential.NotNameableError: "people", confidential.NotConfidentialError: "people"},
    secret=("reason",),
    template="calls/confidential.html",
)
def show(request: StaffRequest, row: ConfidentialCall, form: NameForm) -> Done:
    """Who sees a confidential call, and one more person; or the form that makes a call confidential."""
    confidential.name_person(
        confidential=row,
        user_id=form.cleaned_data["people"],
        ends_at=form.ends_at,
        by=request.actor,
        at=request.at,
    )
    return Done("The person is named.", _url(row))


@action(RemoveForm, right=Permission.VIEW_CALLS, load=_load_row, back=_url, invalid="Pick a person.")
def remove_person(request: StaffRequest, row: ConfidentialCall, form: RemoveForm) -> str:
    confidential.remove_person(
        confidential=row, user_id=form.cleaned_data["user"], by=request.actor, at=request.at
    )
    return "The person does not see the call any more."


def _lifting(request: StaffRequest, row: ConfidentialCall) -> Confirmation:
    named = selectors.people_of([row], at=request.at)[row.call_id]
    return Confirmation(
        "Everyone who views calls of this client sees it again",
        "The names on this call are removed. The audit log keeps who was named, and your reason.",
        [
            {"label": "Why it is confidential", "value": row.get_cause_display()},
            {"label": "People named for it", "value": len(named)},
            {
                "label": "People who see it then",
                "value": selectors.nameable(row.client, but=0, at=request.at).count(),
            },
        ],
    )


@never_cache
@form_page(
    ReasonForm,
    right=Permission.VIEW_CALLS,
    load=_load_row,
    title="Lift confidentiality",
    button="Lift confidentiality",
    crumbs=lambda row: [*_above(row), ("Confidential call", _url(row))],
    confirm=_lifting,
    secret=("reason",),
)
def lift(request: StaffRequest, row: ConfidentialCall, form: ReasonForm) -> Done:
    """Show who will see the call again, ask for a reason, and lift the mark."""
    try:
        confidential.lift(
            confidential=row, reason=form.cleaned_data["reason"], by=request.actor, at=request.at
        )
    except confidential.NotConfidentialError:
        return Done("This call is not confidential.", _call_url(row), INFO)
    return Done("The call is open to everyone who views the client's calls.", _call_url(row))
