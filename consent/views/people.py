"""Consent coverage, callers by consent status, one caller's page, and evidence packs."""

import hashlib
from functools import partial
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.formats import date_format
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs, takes_files
from callprivacy.accounts.enums import AgencyRight, Deed
from callprivacy.accounts.views.form_pages import INFO, WARNING, Done, form_page
from callprivacy.accounts.views.tables import Column, Empty, Moment, Table, list_page
from callprivacy.calls.forms.calls import NumberForm, ReasonForm
from callprivacy.calls.models import Caller
from callprivacy.calls.selectors import masks
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from consent.enums import EventKind, Purpose
from consent.forms.people import CallersForm, CoverageForm, MinorForm, SaidForm
from consent.models import MinorMark
from consent.selectors import asking, standards
from consent.selectors import minors as known_minors
from consent.selectors import people as selectors
from consent.selectors.people import GROUPS, Person
from consent.services import desk, evidence, finding, minors
from consent.tasks.decisions import nudge_decisions
from consent.tasks.menu_calls import nudge_stops
from consent.tasks.withdrawals import nudge_withdrawals

CLIENTS_A_PAGE: Final = 25


# --- Coverage ---------------------------------------------------------------------------------------------


@require_safe
@never_cache
def show_home(request: StaffRequest) -> HttpResponse:
    """Consent coverage of every client whose consent the person manages, and open items."""
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
    """Each row with its bar: the start and width of each part, in thousandths."""
    lines = []
    for row in rows:
        begins, bar = 0.0, []
        for part in row.parts:
            width = 1000 * part.count / row.total if row.total else 0
            if part.count:
                bar.append({"name": part.name, "x": round(begins, 1), "width": round(width, 1)})
            begins += width
        words = ", ".join(f"{part.title.lower()} {part.percent} %" for part in row.parts if part.count)
        lines.append({"row": row, "bar": bar, "words": words or "no callers yet"})
    return lines


@require_POST
@never_cache
@sensitive_post_parameters("number")
def find_person(request: StaffRequest) -> HttpResponse:
    """Find a caller by number at each client the person manages; officers find erased callers too."""
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


_CALLERS: Final = Table(
    label="Callers",
    columns=(
        Column(
            "Caller",
            "name",
            link=lambda row: reverse("consent:caller", args=[row.client.slug, row.caller_id]),
        ),
        Column("Status", "title"),
        Column(
            "Since",
            lambda row: row.since and Moment(row.since, row.client.time_zone),
            nothing="no record",
        ),
        Column("Evidence grade", "strength"),
    ),
    lines=lambda _, rows: selectors.caller_lines(rows),
    empty=Empty("No matching callers", "Choose another purpose or status above.", "consent"),
)


def _chosen(request: StaffRequest, _: Client) -> dict[str, Any]:
    purpose, group = CallersForm(request.GET).wanted()
    return {"form": CallersForm({"purpose": purpose, "group": group})}


@never_cache
@list_page(
    _CALLERS,
    right=Permission.VIEW_CALLS,
    lede="Callers by consent status; each has a pseudonym instead of a number.",
    more=_chosen,
    template="consent/callers.html",
)
def list_callers(request: StaffRequest, client: Client) -> QuerySet[Any]:
    purpose, group = CallersForm(request.GET).wanted()
    return selectors.callers(client, purpose=purpose, group=group)


# --- One person -----------------------------------------------------------------------------------------------------


def _find(request: StaffRequest, client: Client, caller_id: UUID) -> Person:
    """One person; only officers see erased ones, because they are asked about such numbers."""
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


def _load(request: StaffRequest, client: Client, caller_id: UUID) -> Caller:
    caller = _find(request, client, caller_id).caller
    if caller is None:
        raise Http404
    return caller


def _above(one: Caller | Person) -> list[tuple[str, str]]:
    slug, caller_id = one.client.slug, one.pk if isinstance(one, Caller) else one.caller_id
    return [
        ("Callers", reverse("consent:callers", args=[slug])),
        (selectors.name_of(caller_id), reverse("consent:caller", args=[slug, caller_id])),
    ]


_page: Final = partial(form_page, right=Permission.MANAGE_CONSENT, load=_load, crumbs=_above)


def _lede(caller: Caller) -> str:
    return f"{selectors.name_of(caller.pk)}, {caller.client.name}"


@never_cache
@_page(
    SaidForm,
    title="Record consent or opt-out",
    lede=_lede,
    button="Save entry",
    fill=lambda request, caller: {"client": caller.client, "at": request.at},
    more=lambda request, caller: {
        "client": caller.client,
        "not_asked_until": asking.not_asked_until(caller.client, caller.pk, at=request.at),
    },
    secret=("note",),
    template="consent/caller_said.html",
)
def record_said(request: StaffRequest, caller: Caller, form: SaidForm) -> Done:
    about: dict[str, Any] = {"client": caller.client, "caller_id": caller.pk, "at": request.at}
    entry = form.said()
    try:
        events = desk.record_said(by=request.actor, **about, **entry)
    except desk.CallerGoneError:
        raise Http404 from None
    _wake(caller.client)
    against = desk.what_stands_against(purposes=entry["purposes"], **about)
    if not events:
        return Done("This entry was saved already.", level=INFO)
    if entry["kind"] == EventKind.WITHDRAWN:
        return Done("Opt-out saved and in force. The steps for each vendor are on the withdrawal’s page.")
    return Done(f"Consent saved. {against}", level=WARNING) if against else Done("Consent saved.")


def _wake(client: Client) -> None:
    """What is due after an entry is done at once; where the queue is away, by the next periodic job."""
    nudge_stops(client.agency_id)
    nudge_withdrawals(client.agency_id)
    nudge_decisions(client.agency_id)


@never_cache
@_page(
    title="Preference link",
    lede=(
        "The link opens a page where this person can consent or opt out for each purpose. Anyone with the link can do"
        f" so; send it only to this person. It works for {desk.LINK_DAYS} days. The audit log records that you created"
        " it."
    ),
    button="Create link",
)
def hand_link(request: StaffRequest, caller: Caller, _: Any) -> HttpResponse:
    link = desk.hand_link(client=caller.client, caller_id=caller.pk, by=request.actor, at=request.at)
    context = {"client": caller.client, "caller": caller, "link": link, "days": desk.LINK_DAYS}
    context["name"] = selectors.name_of(caller.pk)
    return render(request, "consent/caller_link.html", context)


type _Marked = tuple[Caller, MinorMark | None]


def _load_mark(request: StaffRequest, client: Client, caller_id: UUID) -> _Marked:
    return _load(request, client, caller_id), known_minors.mark_of(client, caller_id)


def _minor_form(data: Any = None, *, is_marked: bool) -> forms.Form:
    return ReasonForm(data) if is_marked else MinorForm(data)


def _about_mark(subject: _Marked) -> str:
    caller, mark = subject
    if mark is None:
        return (
            "For a minor, a notice alone is never enough. All recordings of this caller, including earlier ones, are"
            " decided again and quarantined without express consent. A guardian must agree if the person is too young"
            " to consent or the age is unknown; record that as a consent. The audit log records your name and the"
            " time."
        )
    on = date_format(mark.marked_at.astimezone(ZoneInfo(caller.client.time_zone)), "j M Y")
    return (
        f"Marked by {mark.marked_by or 'a job'} on {on}. All recordings of this caller, including earlier ones, are"
        " decided again by the client’s standard. Erased recordings cannot be restored. The audit log records your"
        " name, the time and your reason."
    )


@never_cache
@_page(
    _minor_form,
    load=_load_mark,
    crumbs=lambda subject: _above(subject[0]),
    title=lambda subject: f"{selectors.name_of(subject[0].pk)} is {'not ' if subject[1] else ''}a minor",
    lede=_about_mark,
    button=lambda subject: "Remove minor mark" if subject[1] else "Mark as minor",
    fill=lambda _, subject: {"is_marked": subject[1] is not None},
    secret=("reason",),
)
def note_minor(request: StaffRequest, subject: _Marked, form: forms.Form) -> str:
    """Mark a caller as a minor, or remove the mark with a reason; recordings are decided again."""
    caller, mark = subject
    facts: dict[str, Any] = {"client": caller.client, "caller": caller, "by": request.actor, "at": request.at}
    (minors.unmark if mark else minors.mark)(**form.cleaned_data, **facts)
    nudge_decisions(caller.agency_id)
    done = "Minor mark removed" if mark else "Marked as a minor"
    return f"{done}. Recordings are decided again within minutes."


def _pack_facts(request: StaffRequest, person: Person) -> dict[str, Any]:
    known = selectors.dossier(person.client, person.caller_id)
    if not known.events:
        raise Http404
    return {
        "known": known,
        "steps": sum(len(row.steps) for row in known.withdrawals),
        "reads_trail": access.has_right(request.membership, AgencyRight.VIEW_TRAIL),
    }


@never_cache
@_page(
    ReasonForm,
    right=lambda view: needs(Permission.MANAGE_CONSENT)(takes_files(view)),
    load=_find,
    confirms=Deed.EXPORT,
    title="Evidence pack",
    lede=lambda person: (
        f"The consent evidence of {person.name} at {person.client.name} in one verifiable file."
    ),
    button="Log and download",
    more=_pack_facts,
    secret=("reason",),
    template="consent/evidence.html",
)
def take_evidence(request: StaffRequest, person: Person, form: ReasonForm) -> HttpResponse:
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
