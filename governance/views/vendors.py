"""The vendor register."""

from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse, reverse_lazy
from django.utils.formats import date_format
from django.views.decorators.http import require_GET

from callprivacy.accounts.access import StaffRequest, needs_right
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.views.form_pages import FORM, INFO, WARNING, Done, action, form_page
from callprivacy.accounts.views.pages import page_of
from callprivacy.accounts.views.tables import Column, Empty, Link, Pill, Table, list_page
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
from governance.models import SubProcessor, Vendor, VendorCertificate
from governance.selectors import vendors as selectors
from governance.services import vendors
from governance.views.deeds import today

_PAGE: Final = 50
# Reviews show all answers, and incidents their full texts.
_BESIDE: Final = 10
_MANAGE: Final = AgencyRight.MANAGE_CLIENTS


def _vendor_or_404(vendor_id: UUID) -> Vendor:
    vendor = selectors.find(vendor_id)
    if vendor is None:
        raise Http404
    return vendor


def _load(request: StaffRequest, vendor_id: UUID) -> Vendor:
    return _vendor_or_404(vendor_id)


def _load_certificate(request: StaffRequest, vendor_id: UUID, vouched_id: UUID) -> VendorCertificate:
    certificate = selectors.find_certificate(_vendor_or_404(vendor_id), vouched_id)
    if certificate is None:
        raise Http404
    return certificate


def _load_sub_processor(request: StaffRequest, vendor_id: UUID, engaged_id: UUID) -> SubProcessor:
    sub_processor = selectors.find_sub_processor(_vendor_or_404(vendor_id), engaged_id)
    if sub_processor is None:
        raise Http404
    return sub_processor


def _address(subject: Vendor | VendorCertificate | SubProcessor) -> str:
    vendor_id = subject.pk if isinstance(subject, Vendor) else subject.vendor_id
    return reverse("governance:vendor", args=[vendor_id])


def _above(subject: Vendor | VendorCertificate) -> list[tuple[str, str]]:
    vendor = subject if isinstance(subject, Vendor) else subject.vendor
    return [("Vendors", reverse("governance:vendors")), (vendor.name, _address(vendor))]


_page = partial(form_page, right=_MANAGE, load=_load, crumbs=_above)


def _next_review(line: selectors.Line) -> object:
    if line.row.ended_on:
        return f"ended {date_format(line.row.ended_on, 'j M Y')}"
    return Pill("Due", "warn") if line.is_due else line.row.next_review_on


def _announced(line: selectors.Line) -> str:
    return f"{line.waiting} new sub-processor{'s' * (line.waiting != 1)}" if line.waiting else ""


_NEW: Final = Link("Add a vendor", reverse_lazy("governance:new_vendor"), tone="primary")
_VENDORS: Final = Table(
    label="Vendors",
    columns=(
        Column("Vendor", "row.name", link=lambda line: _address(line.row), note="row.what_for", sort="name"),
        Column("Role", "row.get_role_display"),
        Column(
            "Agreement",
            lambda line: line.row.contract_on or Pill("None", "warn"),
            note=lambda line: f"{line.clauses} of 8 clauses" if line.row.contract_on else "",
        ),
        Column(
            "Latest review",
            lambda line: line.review and Pill(line.review.get_decision_display(), line.tone),
            note=lambda line: f"{line.review.score} of 100" if line.review else "",
            nothing="never",
        ),
        Column("Next review", _next_review, note=_announced, sort="next_review_on"),
    ),
    empty=Empty(
        "No vendors yet",
        "Start with your call-tracking providers. Templates exist for common ones.",
        "connections",
        _NEW,
    ),
    lines=lambda request, rows: selectors.lines(rows, today=today(request)),
    size=_PAGE,
    file="vendors",
)
_NONE_ENDED: Final = Empty(
    "No former vendors", "Vendors you no longer use are listed here with their reviews."
)


@list_page(
    _VENDORS,
    right=_MANAGE,
    lede="Companies that process your data, with their agreements and reviews.",
    actions=lambda _: [Link("Certificates", reverse("governance:vendor_certificates")), _NEW],
    tabs=[("", "In use", _VENDORS.empty), ("ended", "Ended", _NONE_ENDED)],
    template="governance/vendors.html",
)
def list_vendors(request: StaffRequest) -> QuerySet[Vendor]:
    return selectors.register(ended=request.GET.get("show") == "ended")


@action(right=_MANAGE, back=lambda _: reverse("governance:vendors"))
def require_reviews(request: StaffRequest, _: None, form: Any) -> str:
    on = request.POST.get("on") == "yes"
    if not vendors.require_reviews(agency=request.agency, on=on, by=request.actor, at=request.at):
        return ""
    if on:
        return "New connections require a reviewed vendor. Existing connections stay active."
    return "New connections no longer require a vendor review."


def _sheet(request: StaffRequest) -> law.Sheet | None:
    return law.sheets().get(request.GET.get("sheet", ""))


def _from_sheet(request: StaffRequest, sheet: law.Sheet | None) -> dict[str, Any]:
    return {"initial": VendorForm.initial_of(vendors.Facts.from_sheet(sheet)) if sheet else {}}


@form_page(
    VendorForm,
    right=_MANAGE,
    load=_sheet,
    title="Add a vendor",
    lede="Verify the details that a template fills in.",
    button="Add vendor",
    crumbs=lambda _: [("Vendors", reverse("governance:vendors"))],
    fill=_from_sheet,
    more=lambda _, sheet: {"sheet_form": SheetForm(initial={"sheet": sheet.id if sheet else ""})},
    errors={vendors.NameTakenError: "name"},
    template="governance/vendor_new.html",
)
def new_vendor(request: StaffRequest, sheet: law.Sheet | None, form: VendorForm) -> Done:
    vendor = vendors.add_vendor(
        agency=request.agency,
        facts=form.facts(),
        sheet=sheet.id if sheet else "",
        verified_on=today(request) if form.cleaned_data["is_verified"] else None,
        by=request.actor,
        at=request.at,
    )
    return Done(f"{vendor.name} added. Review it next.", _address(vendor))


@require_GET
@needs_right(_MANAGE)
def show_vendor(request: StaffRequest, vendor_id: UUID) -> HttpResponse:
    vendor = _vendor_or_404(vendor_id)
    day = today(request)
    context = {
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


@_page(
    VendorForm,
    title=lambda vendor: vendor.name,
    button="Save",
    fill=lambda _, vendor: {"initial": VendorForm.initial_of(vendor)},
    errors={vendors.NameTakenError: "name", vendors.NotCurrentError: WARNING},
)
def change_vendor(request: StaffRequest, vendor: Vendor, form: VendorForm) -> str:
    vendors.change_vendor(
        vendor=vendor,
        facts=form.facts(),
        verified_on=today(request) if form.cleaned_data["is_verified"] else None,
        by=request.actor,
        at=request.at,
    )
    return "Saved."


@_page(
    ReviewForm,
    title=lambda vendor: f"Review of {vendor.name}",
    lede="You cannot change a review after saving it.",
    button="Save review",
    fill=lambda request, vendor: {"today": today(request), "initial": _last_answers(vendor)},
    errors={vendors.NotCurrentError: WARNING},
    template="governance/vendor_review.html",
)
def review_vendor(request: StaffRequest, vendor: Vendor, form: ReviewForm) -> str:
    data = form.cleaned_data
    review = vendors.review_vendor(
        vendor=vendor,
        answers=form.answers(),
        notes=form.notes(),
        decision=ReviewDecision(data["decision"]),
        words=data["words"],
        next_on=data["next_on"],
        reviewed_by=request.membership.user_id,
        at=request.at,
    )
    return f"Review saved with a score of {review.score} of 100."


def _last_answers(vendor: Vendor) -> dict[str, Any]:
    last = selectors.reviews(vendor).first()
    if last is None:
        return {}
    answers = {f"answer_{row['id']}": row["answer"] for row in last.answers}
    return answers | {f"note_{row['id']}": row["note"] for row in last.answers}


@_page(CertificateForm, title="Add a certificate or report", button="Add")
def add_certificate(request: StaffRequest, vendor: Vendor, form: CertificateForm) -> str:
    vendors.add_certificate(vendor=vendor, **form.cleaned_data, by=request.actor, at=request.at)
    return "Saved."


@_page(
    EndCertificateForm,
    load=_load_certificate,
    title=lambda row: f"Withdraw {row.name}",
    button="Withdraw",
    errors={vendors.NotCurrentError: INFO},
)
def end_certificate(request: StaffRequest, row: VendorCertificate, form: EndCertificateForm) -> str:
    vendors.end_certificate(certificate=row, **form.cleaned_data, by=request.actor, at=request.at)
    return "Certificate withdrawn."


@_page(SubProcessorForm, title="Add a sub-processor", button="Add", errors={vendors.NameTakenError: "name"})
def add_sub_processor(request: StaffRequest, vendor: Vendor, form: SubProcessorForm) -> str:
    vendors.add_sub_processor(vendor=vendor, **form.cleaned_data, by=request.actor, at=request.at)
    return "Saved. Accept it or object."


@action(
    SettleForm,
    right=_MANAGE,
    load=_load_sub_processor,
    back=_address,
    errors={vendors.NotCurrentError: INFO},
)
def settle_sub_processor(request: StaffRequest, row: SubProcessor, form: SettleForm) -> str:
    state = SubProcessorState(form.cleaned_data["state"])
    vendors.settle_sub_processor(row=row, state=state, by=request.actor, at=request.at)
    return "Saved."


@_page(IncidentForm, title="Add an incident", button="Add")
def note_incident(request: StaffRequest, vendor: Vendor, form: IncidentForm) -> str:
    vendors.note_incident(vendor=vendor, **form.cleaned_data, by=request.actor, at=request.at)
    return "Saved. If your data may be affected, also report a breach."


@_page(
    EndForm,
    title="End use of the vendor",
    lede="The vendor no longer requires reviews. You can reactivate it later.",
    button="End use",
    fill=lambda request, _: {"initial": {"on": today(request)}},
    errors={vendors.FutureDayError: "on", vendors.InUseError: FORM, vendors.NotCurrentError: INFO},
)
def end_vendor(request: StaffRequest, vendor: Vendor, form: EndForm) -> str:
    vendors.end_vendor(vendor=vendor, **form.cleaned_data, by=request.actor, at=request.at)
    return "Saved. The vendor is no longer in use."


@_page(
    UseAgainForm,
    title="Reactivate the vendor",
    lede="A new review is due immediately.",
    button="Reactivate",
    errors={vendors.NameTakenError: FORM, vendors.InUseError: INFO},
)
def use_again(request: StaffRequest, vendor: Vendor, form: UseAgainForm) -> str:
    vendors.use_again(vendor=vendor, **form.cleaned_data, by=request.actor, at=request.at)
    return f"{vendor.name} is active again. Review it next."
