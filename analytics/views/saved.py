"""Saved reports: the list, keeping one, opening it, sharing it, being sent it."""

from functools import partial
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from analytics.enums import Every
from analytics.forms import explorer as asking
from analytics.forms.explorer import SaveForm
from analytics.models import SavedReport
from analytics.selectors import saved as selectors
from analytics.selectors.asked import Asked
from analytics.services import saved
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.accounts.views.form_pages import WARNING, Confirmation, Done, action, form_page
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client

_SHOWN: Final = 200


@require_safe
@needs(Permission.VIEW_ANALYTICS)
def list_saved(request: StaffRequest, client: Client) -> HttpResponse:
    rows = list(selectors.reports_of(request.membership, [client.pk])[:_SHOWN])
    context = {
        "client": client,
        "rows": [
            {
                "report": row,
                "is_mine": row.owner_id == request.user.pk,
                "url": request.build_absolute_uri(
                    reverse("analytics:open_saved", args=[client.slug, row.pk])
                ),
            }
            for row in rows
        ],
        "choices": Every.choices,
    }
    return render(request, "analytics/saved.html", context)


def _saved(client: Client) -> str:
    return reverse("analytics:saved", args=[client.slug])


def _explorer(client: Client) -> str:
    return reverse("analytics:explore", args=[client.slug])


def _question(request: StaffRequest, client: Client) -> tuple[Client, Any, Asked] | HttpResponse:
    form, asked = asking.read(request.GET, client, request.at)
    if asked is not None:
        return client, form, asked
    messages.error(request, "This question has an error. Fix it first, then save it.")
    return redirect(f"{_explorer(client)}?{request.GET.urlencode()}")


@form_page(
    SaveForm,
    right=Permission.VIEW_ANALYTICS,
    load=_question,
    title="Save this report",
    lede="The question is saved, not the answer: a person who opens it later sees the figures of that day.",
    button="Save",
    crumbs=lambda question: [("Reports", f"{_explorer(question[0])}?{question[2].query()}")],
    more=lambda _, question: {"facts": asking.in_words(question[1], question[2])},
    errors={saved.NameTakenError: "name", saved.TooLongError: "name"},
    template="analytics/save.html",
)
def save(request: StaffRequest, question: tuple[Client, Any, Asked], form: SaveForm) -> Done:
    client, _, asked = question
    report = saved.save_report(
        client=client, **form.cleaned_data, query=asked.query(), by=request.actor, at=request.at
    )
    return Done(f"Saved as “{report.name}”.", _saved(client))


def _report(request: StaffRequest, client: Client, report_id: UUID, *, own: bool = False) -> SavedReport:
    report = selectors.find_report(request.membership, client, report_id)
    if report is None or (own and report.owner_id != request.user.pk):
        raise Http404
    return report


def _own(request: StaffRequest, client: Client, report_id: UUID) -> SavedReport:
    return _report(request, client, report_id, own=True)


@require_safe
@needs(Permission.VIEW_ANALYTICS)
def open_saved(request: StaffRequest, client: Client, report_id: UUID) -> HttpResponse:
    report = _report(request, client, report_id)
    query = QueryDict(report.query, mutable=True)
    query["saved"] = str(report.pk)
    return redirect(f"{_explorer(client)}?{query.urlencode()}")


_action = partial(
    action, right=Permission.VIEW_ANALYTICS, load=_own, back=lambda report: _saved(report.client)
)


@_action()
def share_saved(request: StaffRequest, report: SavedReport, _: Any) -> str:
    is_shared = request.POST.get("shared") == "yes"
    saved.share_report(report=report, is_shared=is_shared, by=request.actor, at=request.at)
    return f"“{report.name}” is {'shared' if is_shared else 'private'} now."


@_action(load=_report, errors={saved.FixedDatesError: WARNING})
def mail_saved(request: StaffRequest, report: SavedReport, _: Any) -> str:
    value = request.POST.get("every", "")
    every = Every(value) if value in Every.values else None
    saved.mail_report(report=report, every=every, by=request.actor, at=request.at)
    if every is None:
        return f"“{report.name}” is no longer sent to you."
    how_often = f"{every.label[:1].lower()}{every.label[1:]}"
    return f"“{report.name}” is sent to you {how_often} at 7:00 of {report.client.time_zone}."


@form_page(
    right=Permission.VIEW_ANALYTICS,
    load=_own,
    title=lambda report: f"Remove “{report.name}”",
    button="Remove report",
    crumbs=lambda report: [("Saved reports", _saved(report.client))],
    confirm=lambda _, report: Confirmation(
        "The link of the report stops working",
        "This cannot be undone. The calls and costs it counts stay as they are.",
        extent=[
            {"label": "People it is sent to", "value": selectors.mails_of(report)},
            {"label": "Shared", "value": "yes" if report.is_shared else "no"},
        ],
    ),
)
def remove_saved(request: StaffRequest, report: SavedReport, _: Any) -> str:
    saved.remove_report(report=report, by=request.actor, at=request.at)
    return f"“{report.name}” is removed."
