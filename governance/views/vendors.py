"""Vendors as people register, review and end them."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from callprivacy.accounts.access import StaffRequest, needs_right
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.views.pages import page_of
from governance.enums import DataCategory, ReviewDecision, SubProcessorState
from governance.forms.vendors import (
    CertificateForm,
    EndCertificateForm,
    EndForm,
    IncidentForm,
    ReviewForm,
    SettleForm,
    SheetForm,
    SubProcessorForm,
    UseAgainForm,
    VendorForm,
)
from governance.law import vendors as law
from governance.models import Vendor
from governance.selectors import vendors as selectors
from governance.services import vendors
from governance.views.deeds import show_form, today

_PAGE: Final = 50
# Reviews come with all their answers, and incidents in their words.
_BESIDE: Final = 10
_MANAGE: Final = AgencyRight.MANAGE_CLIENTS


def _vendor_or_404(vendor_id: UUID) -> Vendor:
    found = selectors.find(vendor_id)
    if found is None:
        raise Http404
    return found


@require_GET
@needs_right(_MANAGE)
def list_vendors(request: StaffRequest) -> HttpResponse:
    """The register of vendors, what is due first."""
    ended = request.GET.get("show") == "ended"
    page = page_of(request, selectors.register(ended=ended), size=_PAGE)
    context = {
        "section": "vendors",
        "page": page,
        "rows": selectors.lines(list(page.object_list), today=today(request)),
        "ended": ended,
        "views": [
            {"url": "?", "label": "In use", "active": not ended},
            {"url": "?show=ended", "label": "Not used any more", "active": ended},
        ],
    }
    return render(request, "governance/vendors.html", context)


@require_POST
@needs_right(_MANAGE)
def require_reviews(request: StaffRequest) -> HttpResponse:
    """Have connections opened for reviewed vendors alone, or for any."""
    on = request.POST.get("on") == "yes"
    if vendors.require_reviews(agency=request.agency, on=on, by=request.actor, at=request.at):
        messages.success(
            request,
            "Connections open for reviewed vendors alone from now on. Those that are open stay open."
            if on
            else "Connections open for any vendor again.",
        )
    return redirect("governance:vendors")


@require_http_methods(["GET", "POST"])
@needs_right(_MANAGE)
def new_vendor(request: StaffRequest) -> HttpResponse:
    """Take a vendor into the register, from a sheet or from nothing."""
    sheet = law.sheets().get(request.GET.get("sheet", ""))
    initial = VendorForm.initial_of(vendors.Facts.from_sheet(sheet)) if sheet else {}
    form = VendorForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        vendor = _add(request, form, sheet)
        if vendor is not None:
            messages.success(request, f"{vendor.name} stands in the register. Review it next.")
            return redirect("governance:vendor", vendor.pk)
    context = {
        "section": "vendors",
        "form": form,
        "sheet": sheet,
        "sheet_form": SheetForm(initial={"sheet": sheet.id if sheet else ""}),
    }
    return render(request, "governance/vendor_new.html", context)


def _add(request: StaffRequest, form: VendorForm, sheet: law.Sheet | None) -> Vendor | None:
    try:
        vendor = vendors.add_vendor(
            agency=request.agency,
            facts=form.facts(),
            sheet=sheet.id if sheet else "",
            verified_on=today(request) if form.cleaned_data["is_verified"] else None,
            by=request.actor,
            at=request.at,
        )
    except vendors.NameTakenError as error:
        form.add_error("name", str(error))
        return None
    return vendor


@require_GET
@needs_right(_MANAGE)
def show_vendor(request: StaffRequest, vendor_id: UUID) -> HttpResponse:
    """One vendor: facts, contract, reviews, certificates, whom it engages, incidents."""
    vendor = _vendor_or_404(vendor_id)
    day = today(request)
    context = {
        "section": "vendors",
        "vendor": vendor,
        "today": day,
        "is_due": vendor.ended_on is None and (vendor.next_review_on is None or vendor.next_review_on <= day),
        "is_refused": Vendor.objects.current().filter(pk=vendor.pk).refused().exists(),
        "clauses": [(letter, words, letter in vendor.clauses) for letter, words in law.CLAUSES.items()],
        "category_labels": [DataCategory(one).label for one in vendor.categories],
        "reviews": page_of(request, selectors.reviews(vendor), size=_BESIDE, key="reviews"),
        "certificates": selectors.certificates(vendor),
        "sub_processors": page_of(request, selectors.sub_processors(vendor), size=_PAGE, key="engages"),
        "incidents": page_of(request, selectors.incidents(vendor), size=_BESIDE, key="incidents"),
        "sheet": selectors.sheet_of(vendor),
    }
    return render(request, "governance/vendor.html", context)


@require_http_methods(["GET", "POST"])
@needs_right(_MANAGE)
def change_vendor(request: StaffRequest, vendor_id: UUID) -> HttpResponse:
    """Change what the register says of a vendor."""
    vendor = _vendor_or_404(vendor_id)
    form = VendorForm(request.POST or None, initial=VendorForm.initial_of(vendor))
    if request.method == "POST" and form.is_valid():
        try:
            vendors.change_vendor(
                vendor=vendor,
                facts=form.facts(),
                verified_on=today(request) if form.cleaned_data["is_verified"] else None,
                by=request.actor,
                at=request.at,
            )
        except vendors.NameTakenError as error:
            form.add_error("name", str(error))
        except vendors.NotCurrentError as error:
            messages.warning(request, str(error))
            return redirect("governance:vendor", vendor.pk)
        else:
            messages.success(request, "Written down.")
            return redirect("governance:vendor", vendor.pk)
    return render(
        request, "governance/vendor_change.html", {"section": "vendors", "vendor": vendor, "form": form}
    )


@require_http_methods(["GET", "POST"])
@needs_right(_MANAGE)
def review_vendor(request: StaffRequest, vendor_id: UUID) -> HttpResponse:
    """Review a vendor by the questions."""
    vendor = _vendor_or_404(vendor_id)
    form = ReviewForm(request.POST or None, today=today(request), initial=_last_answers(vendor))
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            review = vendors.review_vendor(
                vendor=vendor,
                answers=form.answers(),
                notes=form.notes(),
                decision=ReviewDecision(said["decision"]),
                words=said["words"],
                next_on=said["next_on"],
                reviewed_by=request.membership.user_id,
                at=request.at,
            )
        except vendors.NotCurrentError as error:
            messages.warning(request, str(error))
        else:
            messages.success(request, f"Reviewed: {review.score} of 100.")
        return redirect("governance:vendor", vendor.pk)
    return render(
        request, "governance/vendor_review.html", {"section": "vendors", "vendor": vendor, "form": form}
    )


def _last_answers(vendor: Vendor) -> dict[str, Any]:
    """What the newest review answered: a start, to be looked at again."""
    last = selectors.reviews(vendor).first()
    if last is None:
        return {}
    found = {f"answer_{row['id']}": row["answer"] for row in last.answers}
    return found | {f"note_{row['id']}": row["note"] for row in last.answers}


@require_http_methods(["GET", "POST"])
@needs_right(_MANAGE)
def add_certificate(request: StaffRequest, vendor_id: UUID) -> HttpResponse:
    """Note a certificate."""
    vendor = _vendor_or_404(vendor_id)
    form = CertificateForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        vendors.add_certificate(vendor=vendor, **form.cleaned_data, by=request.actor, at=request.at)
        messages.success(request, "Noted.")
        return redirect("governance:vendor", vendor.pk)
    return _small_form(request, vendor, form, "A certificate or report", "Note it")


@require_http_methods(["GET", "POST"])
@needs_right(_MANAGE)
def end_certificate(request: StaffRequest, vendor_id: UUID, vouched_id: UUID) -> HttpResponse:
    """Write down that a certificate does not count any more."""
    vendor = _vendor_or_404(vendor_id)
    row = selectors.find_certificate(vendor, vouched_id)
    if row is None:
        raise Http404
    form = EndCertificateForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            vendors.end_certificate(certificate=row, **form.cleaned_data, by=request.actor, at=request.at)
        except vendors.NotCurrentError as error:
            messages.info(request, str(error))
        else:
            messages.success(request, "Written down. The certificate does not count any more.")
        return redirect("governance:vendor", vendor.pk)
    return _small_form(request, vendor, form, f"{row.name} does not count any more", "Write it down")


@require_http_methods(["GET", "POST"])
@needs_right(_MANAGE)
def add_sub_processor(request: StaffRequest, vendor_id: UUID) -> HttpResponse:
    """Note whom a vendor engages."""
    vendor = _vendor_or_404(vendor_id)
    form = SubProcessorForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            vendors.add_sub_processor(vendor=vendor, **form.cleaned_data, by=request.actor, at=request.at)
        except vendors.NameTakenError as error:
            form.add_error("name", str(error))
        else:
            messages.success(request, "Noted. Accept it, or object in time.")
            return redirect("governance:vendor", vendor.pk)
    return _small_form(request, vendor, form, "A sub-processor", "Note it")


@require_POST
@needs_right(_MANAGE)
def settle_sub_processor(request: StaffRequest, vendor_id: UUID, engaged_id: UUID) -> HttpResponse:
    """Accept, object, or note the end."""
    vendor = _vendor_or_404(vendor_id)
    row = selectors.find_sub_processor(vendor, engaged_id)
    if row is None:
        raise Http404
    form = SettleForm(request.POST)
    if form.is_valid():
        try:
            vendors.settle_sub_processor(
                row=row, state=SubProcessorState(form.cleaned_data["state"]), by=request.actor, at=request.at
            )
        except vendors.NotCurrentError as error:
            messages.info(request, str(error))
        else:
            messages.success(request, "Written down.")
    else:
        messages.warning(request, "Pick one of the buttons.")
    return redirect("governance:vendor", vendor.pk)


@require_http_methods(["GET", "POST"])
@needs_right(_MANAGE)
def note_incident(request: StaffRequest, vendor_id: UUID) -> HttpResponse:
    """Note what went wrong at a vendor."""
    vendor = _vendor_or_404(vendor_id)
    form = IncidentForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        vendors.note_incident(vendor=vendor, **form.cleaned_data, by=request.actor, at=request.at)
        messages.success(request, "Noted. If data of ours may be concerned, report a breach as well.")
        return redirect("governance:vendor", vendor.pk)
    return _small_form(request, vendor, form, "An incident at the vendor", "Note it")


@require_http_methods(["GET", "POST"])
@needs_right(_MANAGE)
def end_vendor(request: StaffRequest, vendor_id: UUID) -> HttpResponse:
    """Write down that a vendor is not used any more."""
    vendor = _vendor_or_404(vendor_id)
    form = EndForm(request.POST or None, initial={"on": today(request)})
    if request.method == "POST" and form.is_valid():
        try:
            vendors.end_vendor(vendor=vendor, **form.cleaned_data, by=request.actor, at=request.at)
        except vendors.FutureDayError as error:
            form.add_error("on", str(error))
        except vendors.InUseError as error:
            form.add_error(None, str(error))
        except vendors.NotCurrentError as error:
            messages.info(request, str(error))
            return redirect("governance:vendor", vendor.pk)
        else:
            messages.success(request, "Written down. Its row and reviews stay.")
            return redirect("governance:vendor", vendor.pk)
    lede = "It asks for no review any more. Its row and reviews stay, and it can be taken back into use."
    return _small_form(request, vendor, form, "Not used any more", "Write it down", lede=lede)


@require_http_methods(["GET", "POST"])
@needs_right(_MANAGE)
def use_again(request: StaffRequest, vendor_id: UUID) -> HttpResponse:
    """Take a vendor that ended back into use."""
    vendor = _vendor_or_404(vendor_id)
    form = UseAgainForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            vendors.use_again(vendor=vendor, **form.cleaned_data, by=request.actor, at=request.at)
        except vendors.NameTakenError as error:
            form.add_error(None, str(error))
        except vendors.InUseError as error:
            messages.info(request, str(error))
            return redirect("governance:vendor", vendor.pk)
        else:
            messages.success(request, f"{vendor.name} is in use again. Review it next.")
            return redirect("governance:vendor", vendor.pk)
    lede = "No review of before counts: a new one is due at once."
    return _small_form(request, vendor, form, "In use again", "Take it back", lede=lede)


def _small_form(
    request: StaffRequest, vendor: Vendor, form: Any, title: str, button: str, *, lede: str = ""
) -> HttpResponse:
    crumbs = [
        ("Vendors", reverse("governance:vendors")),
        (vendor.name, reverse("governance:vendor", args=[vendor.pk])),
    ]
    return show_form(request, form, section="vendors", title=title, lede=lede, button=button, crumbs=crumbs)
