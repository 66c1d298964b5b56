"""Breaches: report, assess, notify and close."""

from datetime import timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse, reverse_lazy
from django.utils.html import format_html
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs, needs_right
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.models import Membership
from callprivacy.accounts.views.form_pages import FORM, WARNING, Done, action, form_page
from callprivacy.accounts.views.pages import page_of
from callprivacy.accounts.views.tables import Column, Empty, Link, Pill, Table, list_page
from callprivacy.audit import selectors as audit
from callprivacy.calls.models import Caller
from callprivacy.calls.selectors import masks
from callprivacy.lib.rows import when
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from governance import letters
from governance.enums import PHASED, BreachState, DataCategory, NoticeState
from governance.forms.breaches import (
    AssessForm,
    BreachFilter,
    CloseForm,
    ContainForm,
    ImpactForm,
    NoteForm,
    NoticeForm,
    PhasedNoticeForm,
    ReasonForm,
    ReportForm,
)
from governance.models import Breach, BreachNotice
from governance.selectors import breaches as selectors
from governance.selectors import impact
from governance.services import breaches, words

_PAGE: Final = 25
_CALLERS: Final = 50
_CALLS: Final = Permission.VIEW_CALLS
_MANAGE: Final = AgencyRight.MANAGE_CLIENTS


def breach_or_404(breach_id: UUID) -> Breach:
    breach = selectors.find(breach_id)
    if breach is None:
        raise Http404
    return breach


def _texts(breach: Breach) -> dict[str, str]:
    """The decrypted texts of a breach."""
    key = words.find_key(breach)
    return {
        name: words.open_words(breach, name, key=key)
        for name in ("words", "account", "effects", "remedy", "lessons")
    }


def _load(request: StaffRequest, breach_id: UUID) -> Breach:
    return breach_or_404(breach_id)


def _load_notice(request: StaffRequest, breach_id: UUID, told_id: UUID) -> BreachNotice:
    notice = selectors.find_notice(breach_or_404(breach_id), told_id)
    if notice is None:
        raise Http404
    return notice


def _above(subject: Breach | BreachNotice) -> list[tuple[str, str]]:
    breach = subject.breach if isinstance(subject, BreachNotice) else subject
    return [("Breaches", reverse("governance:breaches")), (str(breach), _address(breach))]


def _address(breach: Breach) -> str:
    return reverse("governance:breach", args=[breach.pk])


_page = partial(form_page, right=_MANAGE, load=_load, crumbs=_above)
_notice_page = partial(form_page, right=_MANAGE, load=_load_notice, crumbs=_above)
_NOT_OPEN: Final = {breaches.NotOpenError: WARNING}


def _clients(request: StaffRequest) -> list[Client]:
    return list(access.visible_clients(request.membership, at=request.at))


_STATES: Final = {
    BreachState.REPORTED: ("Reported", "bad"),
    BreachState.OPEN: ("Open", "warn"),
    BreachState.CLOSED: ("Closed", "good"),
}


def _pending(breach: Any) -> str:
    if breach.state != BreachState.OPEN or not breach.to_tell:
        return ""
    if not breach.next_due:
        return str(breach.to_tell)
    return format_html("{}, first by {}", breach.to_tell, when(breach.next_due, breach.agency.time_zone))


def _sent(breach: Any) -> str:
    updates = f"{breach.further} update{'s' * (breach.further != 1)}" if breach.further else ""
    sent = f"{breach.told} sent" if breach.told else ""
    return "; ".join(filter(None, (updates, sent)))


_REPORT: Final = reverse_lazy("governance:report_breach")
_BREACHES: Final = Table(
    label="Breaches",
    columns=(
        Column(
            "Breach",
            lambda breach: f"{breach.number}: {breach.title}",
            link=_address,
            note=lambda breach: f"reported by {breach.reported_by}",
            sort="number",
        ),
        Column(
            "Status",
            lambda breach: Pill(*_STATES.get(breach.state, ("Dismissed", ""))),
            note=lambda breach: "Drill" if breach.is_drill else "",
        ),
        Column("Aware since", "aware_at", sort="aware_at", nothing="not recorded"),
        Column("Risk", "get_risk_display", nothing="not assessed"),
        Column("People", "people", sort="people", nothing="unknown", is_number=True),
        Column("Pending notifications", _pending, note=_sent, nothing="none"),
    ),
    filters=BreachFilter,
    empty=Empty(
        "No breaches yet",
        "Report a drill to test your process.",
        link=Link("Report a breach or a drill", _REPORT),
    ),
    size=_PAGE,
    file="breaches",
)


@list_page(
    _BREACHES,
    right=_MANAGE,
    lede="All breaches, including those without notifications (GDPR article 33(5)).",
    actions=lambda _: [
        Link("What was affected", reverse("governance:impact")),
        Link("Report a breach", reverse("governance:report_breach"), tone="primary"),
    ],
)
def list_breaches(request: StaffRequest) -> QuerySet[Breach]:
    return selectors.register()


@form_page(
    ReportForm,
    right=None,
    title="Report a breach",
    lede="Admins and officers are notified immediately.",
    button="Report breach",
    crumbs=lambda _: [("Governance", reverse("governance:home"))],
    secret=("words",),
)
def report_breach(request: StaffRequest, _: None, form: ReportForm) -> Done:
    data = form.cleaned_data
    breach = breaches.report_breach(
        agency=request.agency,
        title=data["title"],
        text=data["words"],
        is_drill=data["is_drill"],
        reported_by=request.membership.user_id,
        at=request.at,
    )
    text = f"Report {breach.number} saved. Admins and officers are notified."
    return Done(text, _address(breach) if access.has_right(request.membership, _MANAGE) else "")


@never_cache
@require_GET
@needs_right(_MANAGE)
def show_breach(request: StaffRequest, breach_id: UUID) -> HttpResponse:
    breach = breach_or_404(breach_id)
    key = words.find_key(breach)
    notices = selectors.notices(breach, at=request.at)
    noted = page_of(request, selectors.notes(breach), size=_PAGE, key="notes")
    context = {
        "breach": breach,
        "facts": _texts(breach),
        "notices": notices,
        "due_count": sum(line.row.state == NoticeState.DUE for line in notices),
        "sent_count": sum(line.row.state == NoticeState.SENT for line in notices),
        "notes": [
            {"at": row.at, "by": row.by, "text": words.open_words(row, "words", key=key)}
            for row in noted.object_list
        ],
        "noted": noted,
        "categories": [DataCategory(one).label for one in breach.categories],
        "concerned": Client.objects.filter(pk__in=breach.clients).order_by("name"),
        "note_form": NoteForm(),
        "contain_form": ContainForm(zone=request.agency.time_zone, initial={"contained_at": request.at}),
        "now": request.at,
    }
    return render(request, "governance/breach.html", context)


def _known(request: StaffRequest, breach: Breach) -> dict[str, Any]:
    texts = _texts(breach)
    names = ("kind", "began_at", "ended_at", "categories", "people", "records", "risk")
    known = {name: getattr(breach, name) for name in names} | {
        "aware_at": breach.aware_at or breach.reported_at,
        "client_ids": [str(one) for one in breach.clients],
        "places": ", ".join(breach.places),
        "account": texts["account"] or texts["words"],
        "effects": texts["effects"],
        "remedy": texts["remedy"],
    }
    return {"zone": request.agency.time_zone, "clients": _clients(request), "initial": known}


@_page(
    AssessForm,
    title="Assess the breach",
    button="Save",
    fill=_known,
    more=lambda _, breach: {"facts": _texts(breach)},
    errors={breaches.TooEarlyError: FORM, breaches.NotOpenError: FORM},
    secret=("account", "effects", "remedy"),
    template="governance/breach_assess.html",
)
def assess_breach(request: StaffRequest, breach: Breach, form: AssessForm) -> str:
    breaches.assess_breach(breach=breach, assessment=form.assessment(), by=request.actor, at=request.at)
    return "Saved. See the required notifications below."


@_page(
    ReasonForm,
    title="Dismiss the breach",
    lede="Your reason is saved with each pending notification, which is marked as not required.",
    button="Dismiss",
    errors=_NOT_OPEN | {breaches.ToldError: WARNING},
    secret=("reason",),
)
def dismiss_breach(request: StaffRequest, breach: Breach, form: ReasonForm) -> str:
    breaches.dismiss_breach(breach=breach, **form.cleaned_data, by=request.actor, at=request.at)
    return "Dismissed. Your reason is in the audit log."


@_page(
    ReasonForm,
    title="Convert to a real breach",
    lede="You cannot undo this. All notifications become due again, with deadlines from the time of awareness.",
    button="Convert to a real breach",
    errors=_NOT_OPEN,
    secret=("reason",),
    is_final=True,
)
def make_real(request: StaffRequest, breach: Breach, form: ReasonForm) -> str:
    breaches.make_real(breach=breach, **form.cleaned_data, by=request.actor, at=request.at)
    return "Converted to a real breach. Its deadlines run from the time of awareness."


@action(
    NoteForm,
    right=_MANAGE,
    load=_load,
    back=_address,
    invalid="Enter a note of up to 4,000 characters.",
    secret=("text",),
)
def add_note(request: StaffRequest, breach: Breach, form: NoteForm) -> None:
    breaches.note(breach=breach, **form.cleaned_data, by=request.actor, at=request.at)


@action(
    ContainForm,
    right=_MANAGE,
    load=_load,
    back=_address,
    fill=lambda request, _: {"zone": request.agency.time_zone},
    invalid="Enter the date and time.",
    errors=_NOT_OPEN | {breaches.TooEarlyError: WARNING},
)
def contain(request: StaffRequest, breach: Breach, form: ContainForm) -> str:
    breaches.contain(breach=breach, **form.cleaned_data, by=request.actor, at=request.at)
    return "Saved."


@never_cache
@sensitive_post_parameters("text")
@require_http_methods(["GET", "POST"])
@needs_right(_MANAGE)
def show_notice(request: StaffRequest, breach_id: UUID, told_id: UUID) -> HttpResponse:
    notice = _load_notice(request, breach_id, told_id)
    breach = notice.breach
    line = next(one for one in selectors.notices(breach, at=request.at) if one.row.pk == notice.pk)
    is_open = notice.state == NoticeState.DUE and breach.state == BreachState.OPEN
    contact = f"{request.membership.user.name}, {request.agency.name}, {request.membership.user.email}"
    form: NoticeForm | None = None
    key = words.find_key(breach)
    earlier = selectors.told_before(notice) if notice.is_further else None
    if is_open:
        kept = words.open_words(earlier, "facts", key=key) if earlier is not None else ""
        draft = selectors.draft(
            selectors.NoticeLine(notice, line.rule, line.client, line.is_late),
            _texts(breach),
            contact=contact,
            before=letters.Known.from_json(kept) if kept else None,
            at=request.at,
        )
        kind = PhasedNoticeForm if notice.to in PHASED else NoticeForm
        form = kind(
            request.POST or None,
            zone=request.agency.time_zone,
            initial={"text": draft, "follows": letters.UNKNOWN in draft},
        )
        if request.method == "POST" and form.is_valid():
            try:
                breaches.send_notice(
                    notice=notice,
                    text=form.cleaned_data["text"],
                    more_on=form.promised(),
                    told_at=form.cleaned_data["told_at"],
                    by=request.actor,
                    at=request.at,
                )
            except breaches.NotToldThenError as error:
                form.add_error("told_at", str(error))
            except breaches.TooEarlyError as error:
                form.add_error("more_on", str(error))
            except breaches.NotOpenError as error:
                messages.warning(request, str(error))
                return redirect("governance:breach", breach.pk)
            else:
                messages.success(request, "Saved as sent.")
                return redirect("governance:breach", breach.pk)
    context = {
        "earlier": earlier,
        "breach": breach,
        "line": line,
        "form": form,
        "sent": words.open_words(notice, "words", key=key),
        "why": words.open_words(notice, "why", key=key),
    }
    return render(request, "governance/breach_notice.html", context)


def _why(request: StaffRequest, notice: BreachNotice) -> dict[str, Any]:
    return {"initial": {"reason": words.open_words(notice, "why", key=words.find_key(notice.breach))}}


@_notice_page(
    ReasonForm,
    title=lambda notice: "No update needed" if notice.is_further else "Notification not required",
    lede="An authority may ask for this reason.",
    button="Save",
    fill=_why,
    errors=_NOT_OPEN,
    secret=("reason",),
)
def leave_notice(request: StaffRequest, notice: BreachNotice, form: ReasonForm) -> str:
    breaches.leave_notice(notice=notice, why=form.cleaned_data["reason"], by=request.actor, at=request.at)
    return "Saved."


@_notice_page(
    ReasonForm,
    title="Reopen the notification",
    lede="It becomes due again. Its text moves to the notes and its pending update is deleted.",
    button="Reopen",
    errors=_NOT_OPEN,
    secret=("reason",),
)
def take_back_notice(request: StaffRequest, notice: BreachNotice, form: ReasonForm) -> str:
    if breaches.take_back_notice(notice=notice, **form.cleaned_data, by=request.actor, at=request.at):
        return "The notification is due again."
    return "The notification is no longer required and was removed. Its text is in the notes."


@_page(
    CloseForm,
    title="Close the breach",
    button="Close the breach",
    fill=lambda _, breach: {"initial": {"lessons": _texts(breach)["lessons"]}},
    errors=_NOT_OPEN | {breaches.NoticesOpenError: WARNING},
    secret=("lessons",),
)
def close_breach(request: StaffRequest, breach: Breach, form: CloseForm) -> str:
    breaches.close_breach(breach=breach, **form.cleaned_data, by=request.actor, at=request.at)
    return "Closed. It stays in the register."


@_page(
    ReasonForm,
    title="Reopen the breach",
    lede="Deadlines still run from the original time of awareness.",
    button="Reopen",
    errors=_NOT_OPEN,
    secret=("reason",),
)
def reopen_breach(request: StaffRequest, breach: Breach, form: ReasonForm) -> Done:
    breaches.reopen_breach(breach=breach, **form.cleaned_data, by=request.actor, at=request.at)
    return Done("Reopened. Update the assessment.", reverse("governance:assess_breach", args=[breach.pk]))


@never_cache
@require_GET
@needs_right(_MANAGE)
def show_impact(request: StaffRequest) -> HttpResponse:
    form = ImpactForm(
        request.GET or None,
        zone=request.agency.time_zone,
        choices=_touchers(request),
        initial={"since": request.at - timedelta(days=30), "until": request.at},
    )
    result = _impact(form) if form.is_bound and form.is_valid() else None
    names = Client.objects.in_bulk(result.client_ids) if result else {}
    open_to = {one.pk for one in access.clients_with(request.membership, _CALLS, at=request.at)}
    deleted = audit.left(request.agency.pk)
    begins = deleted.before if deleted is not None else None
    context = {
        "form": form,
        "impact": result,
        "begins": begins if result and begins and form.cleaned_data["since"] < begins else None,
        "rows": [(line, names.get(line.client_id or 0)) for line in (result.lines if result else [])],
        "asked": _asked(form) if result else "",
        "clients": [
            {"client": client, "is_open": client.pk in open_to}
            for client in sorted(names.values(), key=lambda client: client.name)
        ],
    }
    return render(request, "governance/impact.html", context)


@never_cache
@require_GET
@needs(_CALLS)
def show_touched(request: StaffRequest, client: Client) -> HttpResponse:
    """Affected callers, masked, for users who may view the client's calls."""
    access.require(request, _MANAGE, client)
    form = ImpactForm(request.GET, zone=request.agency.time_zone, choices=_touchers(request))
    if not form.is_valid():
        return redirect("governance:impact")
    try:
        after = UUID(request.GET.get("after", ""))
    except ValueError:
        after = impact.FIRST
    touched = _touched(client, form, after=after)
    rows, more = touched[:_CALLERS], touched[_CALLERS:]
    callers = Caller.objects.for_client(client).in_bulk([row.caller_id for row in rows])
    opened = masks.numbers_masked(callers.values())
    context = {
        "client": client,
        "asked": _asked(form),
        "rows": [
            {"row": row, "name": str(callers[row.caller_id]), "mask": opened[row.caller_id]}
            for row in rows
            if row.caller_id in callers
        ],
        "after": rows[-1].caller_id if more else None,
    }
    return render(request, "governance/touched.html", context)


def _touched(client: Client, form: ImpactForm, *, after: UUID) -> list[impact.Touched]:
    data: dict[str, Any] = form.cleaned_data
    kind, _, name = data["who"].partition(":")
    page = {"since": data["since"], "until": data["until"], "after": after, "size": _CALLERS + 1}
    if kind == "way":
        return impact.callers_of_connection(client, connection_id=UUID(name), **page)
    if kind == "person":
        return impact.callers_of_deeds(client, user_id=int(name), **page)
    if kind == "key":
        return impact.callers_of_deeds(client, api_key=UUID(name), **page)
    return impact.callers_of_deeds(client, **page)


def _asked(form: ImpactForm) -> str:
    """The query string, without callers or numbers."""
    return urlencode({name: form.data.get(name, "") for name in ("who", "since", "until")})


def _touchers(request: StaffRequest) -> list[tuple[str, Any]]:
    people = (
        Membership.objects.filter(agency_id=request.agency.pk).select_related("user").order_by("user__name")
    )
    others = [(row.kind, f"{row.kind}:{row.id}", f"{row.client}: {row.name}") for row in impact.touchers()]
    return [
        ("People", [(f"person:{row.user_id}", f"{row.user} ({row.get_role_display()})") for row in people]),
        ("API keys", [(value, words) for kind, value, words in others if kind == "key"]),
        ("Connections", [(value, words) for kind, value, words in others if kind == "way"]),
    ]


def _impact(form: ImpactForm) -> impact.Impact:
    data: dict[str, Any] = form.cleaned_data
    kind, _, name = data["who"].partition(":")
    time = {"since": data["since"], "until": data["until"]}
    if kind == "way":
        return impact.of_connection(connection_id=UUID(name), **time)
    if kind == "person":
        return impact.of_deeds(user_id=int(name), **time)
    if kind == "key":
        return impact.of_deeds(api_key=UUID(name), **time)
    return impact.of_deeds(**time)
