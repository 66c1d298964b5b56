"""Vendors as people register, review and end them."""

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
# Reviews come with all their answers, and incidents in their words.
_BESIDE: Final = 10
_MANAGE: Final = AgencyRight.MANAGE_CLIENTS


def _vendor_or_404(vendor_id: UUID) -> Vendor:
    found = selectors.find(vendor_id)
    if found is None:
        raise Http404
    return found


def _load(request: StaffRequest, vendor_id: UUID) -> Vendor:
    return _vendor_or_404(vendor_id)


def _load_certificate(request: StaffRequest, vendor_id: UUID, vouched_id: UUID) -> VendorCertificate:
    found = selectors.find_certificate(_vendor_or_404(vendor_id), vouched_id)
    if found is None:
        raise Http404
    return found


def _load_sub_processor(request: StaffRequest, vendor_id: UUID, engaged_id: UUID) -> SubProcessor:
    found = selectors.find_sub_processor(_vendor_or_404(vendor_id), engaged_id)
    if found is None:
        raise Http404
    return found


def _address(subject: Vendor | VendorCertificate | SubProcessor) -> str:
    vendor_id = subject.pk if isinstance(subject, Vendor) else subject.vendor_id
    return reverse("governance:vendor", args=[vendor_id])


def _above(subject: Vendor | VendorCertificate) -> list[tuple[str, str]]:
    vendor = subject if isinstance(subject, Vendor) else subject.vendor
    return [("Vendors", reverse("governance:vendors")), (vendor.name, _address(vendor))]


_page = partial(form_page, right=_MANAGE, load=_load, crumbs=_above)


def _next_review(line: selectors.Line) -> object:
    if line.row.ended_on:
        return f"not used since {date_format(line.row.ended_on, 'j M Y')}"
    return Pill("Due", "warn") if line.is_due else line.row.next_review_on


def _announced(line: selectors.Line) -> str:
    return f"announces {line.waiting} sub-processor{'s' * (line.waiting != 1)}" if line.waiting else ""


_NEW: Final = Link("Add a vendor", reverse_lazy("governance:new_vendor"), tone="primary")
_VENDORS: Final = Table(
    label="Vendors",
    columns=(
        Column("Vendor", "row.name", link=lambda line: _address(line.row), note="row.what_for", sort="name"),
        Column("Acts as", "row.get_role_display"),
        Column(
            "Agreement",
            lambda line: line.row.contract_on or Pill("None written down", "warn"),
            note=lambda line: f"{line.clauses} of 8 clauses" if line.row.contract_on else "",
        ),
        Column(
            "Newest review",
            lambda line: line.review and Pill(line.review.get_decision_display(), line.tone),
            note=lambda line: f"{line.review.score} of 100" if line.review else "",
            nothing="never",
        ),
        Column("Next review", _next_review, note=_announced, sort="next_review_on"),
    ),
    empty=Empty(
        "No vendor yet",
        "Start with the trackers: there are sheets for the usual ones, each to be verified by you.",
        "connections",
        _NEW,
    ),
    lines=lambda request, rows: selectors.lines(rows, today=today(request)),
    size=_PAGE,
    file="vendors",
)
_NONE_ENDED: Final = Empty(
    "No vendor has ended", "When one is not used any more, its row and reviews stay here."
)


@list_page(
    _VENDORS,
    right=_MANAGE,
    lede="Who else holds the data of the people called, what they promised, and when they were last reviewed.",
    actions=lambda _: [Link("Certificates", reverse("governance:vendor_certificates")), _NEW],
    tabs=[("", "In use", _VENDORS.empty), ("ended", "Not used any more", _NONE_ENDED)],
    template="governance/vendors.html",
)
def list_vendors(request: StaffRequest) -> QuerySet[Vendor]:
    """The register of vendors, what is due first."""
    return selectors.register(ended=request.GET.get("show") == "ended")


@action(right=_MANAGE, back=lambda _: reverse("governance:vendors"))
def require_reviews(request: StaffRequest, _: None, form: Any) -> str:
    """Have connections opened for reviewed vendors alone, or for any."""
    on = request.POST.get("on") == "yes"
    if not vendors.require_reviews(agency=request.agency, on=on, by=request.actor, at=request.at):
        return ""
    if on:
        return "Connections open for reviewed vendors alone from now on. Those that are open stay open."
    return "Connections open for any vendor again."


def _sheet(request: StaffRequest) -> law.Sheet | None:
    return law.sheets().get(request.GET.get("sheet", ""))


def _from_sheet(request: StaffRequest, sheet: law.Sheet | None) -> dict[str, Any]:
    return {"initial": VendorForm.initial_of(vendors.Facts.from_sheet(sheet)) if sheet else {}}


@form_page(
    VendorForm,
    right=_MANAGE,
    load=_sheet,
    title="Add a vendor",
    lede="A starting sheet fills in where to look. Nothing of it is verified until you have checked it.",
    button="Add it",
    crumbs=lambda _: [("Vendors", reverse("governance:vendors"))],
    fill=_from_sheet,
    more=lambda _, sheet: {"sheet_form": SheetForm(initial={"sheet": sheet.id if sheet else ""})},
    errors={vendors.NameTakenError: "name"},
    template="governance/vendor_new.html",
)
def new_vendor(request: StaffRequest, sheet: law.Sheet | None, form: VendorForm) -> Done:
    """Take a vendor into the register, from a sheet or from nothing."""
    vendor = vendors.add_vendor(
        agency=request.agency,
        facts=form.facts(),
        sheet=sheet.id if sheet else "",
        verified_on=today(request) if form.cleaned_data["is_verified"] else None,
        by=request.actor,
        at=request.at,
    )
    return Done(f"{vendor.name} stands in the register. Review it next.", _address(vendor))


@require_GET
@needs_right(_MANAGE)
def show_vendor(request: StaffRequest, vendor_id: UUID) -> HttpResponse:
    """One vendor: facts, contract, reviews, certificates, whom it engages, incidents."""
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
    return "Written down."


@_page(
    ReviewForm,
    title=lambda vendor: f"Review of {vendor.name}",
    lede="A yes counts whole, partly half. Say where you saw it; a review is kept as it is and never changed.",
    button="Keep the review",
    fill=lambda request, vendor: {"today": today(request), "initial": _last_answers(vendor)},
    errors={vendors.NotCurrentError: WARNING},
    template="governance/vendor_review.html",
)
def review_vendor(request: StaffRequest, vendor: Vendor, form: ReviewForm) -> str:
    said = form.cleaned_data
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
    return f"Reviewed: {review.score} of 100."


def _last_answers(vendor: Vendor) -> dict[str, Any]:
    """What the newest review answered: a start, to be looked at again."""
    last = selectors.reviews(vendor).first()
    if last is None:
        return {}
    found = {f"answer_{row['id']}": row["answer"] for row in last.answers}
    return found | {f"note_{row['id']}": row["note"] for row in last.answers}


@_page(CertificateForm, title="A certificate or report", button="Note it")
def add_certificate(request: StaffRequest, vendor: Vendor, form: CertificateForm) -> str:
    vendors.add_certificate(vendor=vendor, **form.cleaned_data, by=request.actor, at=request.at)
    return "Noted."


@_page(
    EndCertificateForm,
    load=_load_certificate,
    title=lambda row: f"{row.name} does not count any more",
    button="Write it down",
    errors={vendors.NotCurrentError: INFO},
)
def end_certificate(request: StaffRequest, row: VendorCertificate, form: EndCertificateForm) -> str:
    """Write down that a certificate does not count any more."""
    vendors.end_certificate(certificate=row, **form.cleaned_data, by=request.actor, at=request.at)
    return "Written down. The certificate does not count any more."


@_page(SubProcessorForm, title="A sub-processor", button="Note it", errors={vendors.NameTakenError: "name"})
def add_sub_processor(request: StaffRequest, vendor: Vendor, form: SubProcessorForm) -> str:
    """Note whom a vendor engages."""
    vendors.add_sub_processor(vendor=vendor, **form.cleaned_data, by=request.actor, at=request.at)
    return "Noted. Accept it, or object in time."


@action(
    SettleForm,
    right=_MANAGE,
    load=_load_sub_processor,
    back=_address,
    errors={vendors.NotCurrentError: INFO},
)
def settle_sub_processor(request: StaffRequest, row: SubProcessor, form: SettleForm) -> str:
    """Accept, object, or note the end."""
    state = SubProcessorState(form.cleaned_data["state"])
    vendors.settle_sub_processor(row=row, state=state, by=request.actor, at=request.at)
    return "Written down."


@_page(IncidentForm, title="An incident at the vendor", button="Note it")
def note_incident(request: StaffRequest, vendor: Vendor, form: IncidentForm) -> str:
    vendors.note_incident(vendor=vendor, **form.cleaned_data, by=request.actor, at=request.at)
    return "Noted. If data of ours may be concerned, report a breach as well."


@_page(
    EndForm,
    title="Not used any more",
    lede="It asks for no review any more. Its row and reviews stay, and it can be taken back into use.",
    button="Write it down",
    fill=lambda request, _: {"initial": {"on": today(request)}},
    errors={vendors.FutureDayError: "on", vendors.InUseError: FORM, vendors.NotCurrentError: INFO},
)
def end_vendor(request: StaffRequest, vendor: Vendor, form: EndForm) -> str:
    """Write down that a vendor is not used any more."""
    vendors.end_vendor(vendor=vendor, **form.cleaned_data, by=request.actor, at=request.at)
    return "Written down. Its row and reviews stay."


@_page(
    UseAgainForm,
    title="In use again",
    lede="No review of before counts: a new one is due at once.",
    button="Take it back",
    errors={vendors.NameTakenError: FORM, vendors.InUseError: INFO},
)
def use_again(request: StaffRequest, vendor: Vendor, form: UseAgainForm) -> str:
    """Take a vendor that ended back into use."""
    vendors.use_again(vendor=vendor, **form.cleaned_data, by=request.actor, at=request.at)
    return f"{vendor.name} is in use again. Review it next."
