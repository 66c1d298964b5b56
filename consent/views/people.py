"""How far consent reaches, the people behind it, one person's page, and the evidence in one file."""

import hashlib
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, confirms, needs, takes_files
from callprivacy.accounts.enums import AgencyRight, Deed
from callprivacy.calls.forms.calls import NumberForm
from callprivacy.calls.selectors import masks
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from consent.enums import EventKind, Purpose
from consent.forms.people import CallersForm, CoverageForm, EvidenceForm, MinorForm, NoMinorForm, SaidForm
from consent.selectors import asking, standards
from consent.selectors import minors as known_minors
from consent.selectors import people as selectors
from consent.selectors.people import GROUPS, Person
from consent.services import desk, evidence, finding, minors
from consent.tasks.decisions import nudge_decisions
from consent.tasks.menu_calls import nudge_stops
from consent.tasks.withdrawals import nudge_withdrawals

CLIENTS_A_PAGE: Final = 25


# --- How far it reaches ---------------------------------------------------------------------------------------------


@require_safe
@never_cache
def show_home(request: StaffRequest) -> HttpResponse:
    """How far consent reaches at every client that the person looks after, and what waits."""
    clients = list(access.clients_with(request.membership, Permission.MANAGE_CONSENT, at=request.at))
    picked = request.GET.get("client", "")
    if picked and not any(client.slug == picked for client in clients):
        raise Http404
    form = CoverageForm(request.GET, clients=clients)
    shown = [client for client in clients if picked in {"", client.slug}]
    page, older = _client_page(shown, request.GET.get("before", ""))
    purposes = form.purposes if form.is_valid() else [Purpose.RECORD]
    context = {
        "form": form,
        "active": form.active,
        "client": shown[0] if picked else None,
        "has_clients": bool(clients),
        "may_manage_clients": access.has_right(request.membership, AgencyRight.MANAGE_CLIENTS),
        "is_officer": access.has_right(request.membership, AgencyRight.SIGN_OFF),
        "several_purposes": len(purposes) > 1,
        "rows": _bars(selectors.coverage(page, purposes=purposes)),
        "groups": [{"name": name, "title": title} for name, (title, _) in GROUPS.items()],
        "older": older,
        "waiting": selectors.waiting(shown, at=request.at),
        "number_form": NumberForm(),
    }
    return render(request, "consent/home.html", context)


def _client_page(clients: list[Client], before: str) -> tuple[list[Client], str | None]:
    """A page of clients by name; the cursor is the slug of the last one."""
    start = next((place + 1 for place, client in enumerate(clients) if client.slug == before), 0)
    page = clients[start : start + CLIENTS_A_PAGE]
    return page, page[-1].slug if len(clients) > start + CLIENTS_A_PAGE else None


def _bars(rows: list[selectors.Coverage]) -> list[dict[str, Any]]:
    """Each row with its bar: where each part begins and how wide it is, in thousandths."""
    found = []
    for row in rows:
        begins, bar = 0.0, []
        for part in row.parts:
            width = 1000 * part.count / row.total if row.total else 0
            if part.count:
                bar.append({"name": part.name, "x": round(begins, 1), "width": round(width, 1)})
            begins += width
        words = ", ".join(f"{part.title.lower()} {part.percent} %" for part in row.parts if part.count)
        found.append({"row": row, "bar": bar, "words": words or "no callers yet"})
    return found


@require_POST
@never_cache
@sensitive_post_parameters("number")
def find_person(request: StaffRequest) -> HttpResponse:
    """Find a person by number at each client that is looked after; officers find erased ones too."""
    form = NumberForm(request.POST)
    clients = list(access.clients_with(request.membership, Permission.MANAGE_CONSENT, at=request.at))
    found = None
    is_officer = access.has_right(request.membership, AgencyRight.SIGN_OFF)
    if form.is_valid():
        try:
            found = finding.find_people(
                clients=clients,
                number=form.cleaned_data["number"],
                with_erased=is_officer,
                by=request.actor,
                at=request.at,
            )
        except finding.NotANumberError:
            form.add_error("number", "Enter a valid phone number with its country code, such as +1.")
    context = {
        "found": found,
        "errors": list(form.errors.get("number", [])),
        "form": NumberForm(),
        "searched": len(clients),
        "with_erased": is_officer,
    }
    return render(request, "consent/caller_found.html", context)


@require_safe
@never_cache
@needs(Permission.VIEW_CALLS)
def list_callers(request: StaffRequest, client: Client) -> HttpResponse:
    """A client's callers who stand so with a purpose."""
    form = CallersForm(request.GET)
    purpose, group = form.wanted()
    form = CallersForm({"purpose": purpose, "group": group})
    page = selectors.callers_page(client, purpose=purpose, group=group, before=request.GET.get("before", ""))
    context = {
        "client": client,
        "form": form,
        "purpose": purpose,
        "group": group,
        "group_title": GROUPS[group][0],
        "page": page,
        "active": 0,
    }
    return render(request, "consent/callers.html", context)


# --- One person -----------------------------------------------------------------------------------------------------


def _find(request: StaffRequest, client: Client, caller_id: UUID) -> Person:
    """One person; who was erased is there for officers alone, who are asked about such numbers."""
    person = selectors.find_person(client, caller_id)
    if person is None:
        raise Http404
    if person.erased is not None and not access.has_right(request.membership, AgencyRight.SIGN_OFF):
        raise Http404
    return person


@require_safe
@never_cache
@needs(Permission.VIEW_CALLS)
def show_person(request: StaffRequest, client: Client, caller_id: UUID) -> HttpResponse:
    """What a person was told and said, where that stands now, and what became of it."""
    person = _find(request, client, caller_id)
    may = access.permissions_on(request.membership, client.pk, at=request.at)
    manages = Permission.MANAGE_CONSENT in may and person.caller is not None
    calls, more_calls = selectors.calls_of(client, caller_id)
    timeline = selectors.timeline(client, caller_id, before=request.GET.get("before", ""))
    context = {
        "client": client,
        "person": person,
        "mask": masks.numbers_masked([person.caller])[caller_id] if person.caller else "erased",
        "standings": selectors.standings(client, caller_id, on=standards.today_at(client, request.at)),
        "timeline": timeline,
        "calls": calls,
        "more_calls": more_calls,
        "minor": known_minors.mark_of(client, caller_id),
        "not_asked_until": asking.not_asked_until(client, caller_id, at=request.at),
        "withdrawals": selectors.withdrawals_of(client, caller_id),
        "invitation": selectors.invitation_of(client, caller_id),
        "manages": manages,
        "may_take_evidence": Permission.MANAGE_CONSENT in may and bool(timeline.lines),
        "reveal_url": (
            reverse("calls:reveal", args=[client.slug, calls[0].call.pk])
            if calls and person.caller and Permission.REVEAL_NUMBERS in may
            else ""
        ),
    }
    return render(request, "consent/caller.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(Permission.MANAGE_CONSENT)
@sensitive_post_parameters("note")
def record_said(request: StaffRequest, client: Client, caller_id: UUID) -> HttpResponse:
    """Write down what a person told somebody of the staff."""
    person = _find(request, client, caller_id)
    if person.caller is None:
        raise Http404
    form = SaidForm(request.POST or None, client=client, at=request.at)
    if request.method == "POST" and form.is_valid():
        said = form.said()
        try:
            events = desk.record_said(
                client=client, caller_id=caller_id, by=request.actor, at=request.at, **said
            )
        except desk.CallerGoneError:
            raise Http404 from None
        _wake(client)
        against = desk.what_stands_against(
            client=client, caller_id=caller_id, purposes=said["purposes"], at=request.at
        )
        _tell_said(request, said["kind"], len(events), against)
        return redirect("consent:caller", client.slug, caller_id)
    until = asking.not_asked_until(client, caller_id, at=request.at)
    context = {"client": client, "person": person, "form": form, "not_asked_until": until}
    return render(request, "consent/caller_said.html", context)


def _tell_said(request: StaffRequest, kind: EventKind, count: int, against: str) -> None:
    if not count:
        messages.info(request, "This entry was saved already.")
    elif kind == EventKind.WITHDRAWN:
        messages.success(
            request, "Opt-out saved and in force. The steps for each vendor are on the withdrawal’s page."
        )
    elif against:
        messages.warning(request, f"Consent saved. {against}")
    else:
        messages.success(request, "Consent saved.")


def _wake(client: Client) -> None:
    """What is due after something was said is done at once; where the queue is away, by the next sweep."""
    nudge_stops(client.agency_id)
    nudge_withdrawals(client.agency_id)
    nudge_decisions(client.agency_id)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(Permission.MANAGE_CONSENT)
def hand_link(request: StaffRequest, client: Client, caller_id: UUID) -> HttpResponse:
    """Make the address of a person's own choices, shown once."""
    person = _find(request, client, caller_id)
    if person.caller is None:
        raise Http404
    link = None
    if request.method == "POST":
        link = desk.hand_link(client=client, caller_id=caller_id, by=request.actor, at=request.at)
    context = {"client": client, "person": person, "link": link, "days": desk.LINK_DAYS}
    return render(request, "consent/caller_link.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(Permission.MANAGE_CONSENT)
@sensitive_post_parameters("reason")
def note_minor(request: StaffRequest, client: Client, caller_id: UUID) -> HttpResponse:
    """Note that a person is a minor, or take it back with a reason; recordings are decided anew."""
    person = _find(request, client, caller_id)
    if person.caller is None:
        raise Http404
    known = known_minors.mark_of(client, caller_id)
    sent = request.POST if request.method == "POST" else None
    form: MinorForm | NoMinorForm = MinorForm(sent) if known is None else NoMinorForm(sent)
    if request.method == "POST" and form.is_valid():
        facts: dict[str, Any] = {
            "client": client, "caller": person.caller, "by": request.actor, "at": request.at
        }  # fmt: skip
        if known is None:
            minors.mark(majority_on=form.cleaned_data["majority_on"], **facts)
            messages.success(request, "Marked as a minor. Recordings are decided again within minutes.")
        else:
            minors.unmark(reason=form.cleaned_data["reason"], **facts)
            messages.success(request, "Minor mark removed. Recordings are decided again within minutes.")
        nudge_decisions(client.agency_id)
        return redirect("consent:caller", client.slug, caller_id)
    context = {"client": client, "person": person, "known": known, "form": form}
    return render(request, "consent/caller_minor.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(Permission.MANAGE_CONSENT)
@takes_files
@confirms(Deed.EXPORT)
@sensitive_post_parameters("reason")
def take_evidence(request: StaffRequest, client: Client, caller_id: UUID) -> HttpResponse:
    """Ask why, write it down, and give the pack of evidence."""
    person = _find(request, client, caller_id)
    form = EvidenceForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            pack = evidence.export(
                person=person,
                agency=request.agency,
                reason=form.cleaned_data["reason"],
                by=request.actor,
                at=request.at,
            )
        except evidence.NothingKnownError:
            raise Http404 from None
        response = HttpResponse(pack.data, content_type="application/zip")
        response["Content-Disposition"] = f'attachment; filename="{pack.name}"'
        response["Digest"] = f"sha-256={hashlib.sha256(pack.data).hexdigest()}"
        return response
    known = selectors.dossier(client, caller_id)
    if not known.events:
        raise Http404
    context = {
        "client": client,
        "person": person,
        "form": form,
        "known": known,
        "steps": sum(len(row.steps) for row in known.withdrawals),
        "reads_trail": access.has_right(request.membership, AgencyRight.VIEW_TRAIL),
    }
    return render(request, "consent/evidence.html", context)
