"""Saved reports: the list, keeping one, opening it, sharing it, being sent it."""

from typing import Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from analytics.enums import Every
from analytics.forms import explorer as asking
from analytics.forms.explorer import SaveForm
from analytics.models import SavedReport
from analytics.selectors import saved as selectors
from analytics.services import saved
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client

_SHOWN: Final = 200


@require_safe
@needs(Permission.VIEW_ANALYTICS)
def list_saved(request: StaffRequest, client: Client) -> HttpResponse:
    """One's own reports at a client, and the shared ones."""
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


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.VIEW_ANALYTICS)
def save(request: StaffRequest, client: Client) -> HttpResponse:
    """Keep the question that stands in the address, under a name."""
    form, asked = asking.read(request.GET, client, request.at)
    if asked is None:
        messages.error(request, "This question has a fault, so it cannot be kept. Mend it first.")
        return redirect(f"{reverse('analytics:explore', args=[client.slug])}?{request.GET.urlencode()}")
    naming = SaveForm(request.POST or None)
    if request.method == "POST" and naming.is_valid():
        try:
            report = saved.save_report(
                client=client,
                name=naming.cleaned_data["name"],
                query=asked.query(),
                is_shared=naming.cleaned_data["is_shared"],
                by=request.actor,
                at=request.at,
            )
        except (saved.NameTakenError, saved.TooLongError) as error:
            naming.add_error("name", str(error))
        else:
            messages.success(request, f"Saved as “{report.name}”.")
            return redirect("analytics:saved", client.slug)
    context = {
        "client": client,
        "form": naming,
        "said": asking.in_words(form, asked),
        "query": asked.query(),
    }
    return render(request, "analytics/save.html", context)


def _report(request: StaffRequest, client: Client, report_id: UUID, *, own: bool = False) -> SavedReport:
    report = selectors.find_report(request.membership, client, report_id)
    if report is None or (own and report.owner_id != request.user.pk):
        raise Http404
    return report


@require_safe
@needs(Permission.VIEW_ANALYTICS)
def open_saved(request: StaffRequest, client: Client, report_id: UUID) -> HttpResponse:
    """A saved report, asked anew: the link that is passed on."""
    report = _report(request, client, report_id)
    query = QueryDict(report.query, mutable=True)
    query["saved"] = str(report.pk)
    return redirect(f"{reverse('analytics:explore', args=[client.slug])}?{query.urlencode()}")


@require_POST
@needs(Permission.VIEW_ANALYTICS)
def share_saved(request: StaffRequest, client: Client, report_id: UUID) -> HttpResponse:
    """Let the others find one's report, or no longer."""
    is_shared = request.POST.get("shared") == "yes"
    report = _report(request, client, report_id, own=True)
    saved.share_report(report=report, is_shared=is_shared, by=request.actor, at=request.at)
    messages.success(request, f"“{report.name}” is {'shared' if is_shared else 'yours alone'} now.")
    return redirect("analytics:saved", client.slug)


@require_POST
@needs(Permission.VIEW_ANALYTICS)
def mail_saved(request: StaffRequest, client: Client, report_id: UUID) -> HttpResponse:
    report = _report(request, client, report_id)
    said = request.POST.get("every", "")
    every = Every(said) if said in Every.values else None
    try:
        saved.mail_report(report=report, every=every, by=request.actor, at=request.at)
    except saved.FixedDatesError as error:
        messages.warning(request, str(error))
        return redirect("analytics:saved", client.slug)
    if every is None:
        messages.success(request, f"“{report.name}” is not sent to you any more.")
    else:
        messages.success(
            request,
            f"“{report.name}” is sent to you {every.label[:1].lower()}{every.label[1:]} at 7:00 of {client.time_zone}.",
        )
    return redirect("analytics:saved", client.slug)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.VIEW_ANALYTICS)
def remove_saved(request: StaffRequest, client: Client, report_id: UUID) -> HttpResponse:
    """Forget one's report, once it was shown who loses it."""
    report = _report(request, client, report_id, own=True)
    if request.method == "POST":
        saved.remove_report(report=report, by=request.actor, at=request.at)
        messages.success(request, f"“{report.name}” is removed.")
        return redirect("analytics:saved", client.slug)
    context = {"client": client, "report": report, "mails": selectors.mails_of(report)}
    return render(request, "analytics/saved_remove.html", context)
