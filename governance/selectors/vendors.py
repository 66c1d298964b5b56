"""Queries of vendors."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db.models import Count, F, Prefetch, Q, QuerySet

from governance.enums import ReviewDecision, SubProcessorState
from governance.law import vendors as law
from governance.models import SubProcessor, Vendor, VendorCertificate, VendorIncident, VendorReview


@dataclass(frozen=True, slots=True)
class Line:
    row: Vendor
    review: VendorReview | None
    is_due: bool
    waiting: int

    @property
    def clauses(self) -> int:
        """How many of the eight letters of GDPR article 28(3) its contract has."""
        return len(self.row.clauses)

    @property
    def tone(self) -> str:
        if self.review is None or self.is_due:
            return "warn"
        return {ReviewDecision.APPROVED: "good", ReviewDecision.CONDITIONS: "info"}.get(
            ReviewDecision(self.review.decision), "bad"
        )


def register(*, ended: bool = False) -> QuerySet[Vendor]:
    """Current or ended vendors: never reviewed ones first, then by next review."""
    newest = VendorReview.objects.order_by("-reviewed_at").select_related("reviewed_by")
    announced = Q(sub_processors__state=SubProcessorState.NOTICED)
    return (
        Vendor.objects.filter(ended_on__isnull=not ended)
        .annotate(announced=Count("sub_processors", filter=announced))
        .prefetch_related(Prefetch("reviews", queryset=newest, to_attr="reviewed"))
        .order_by(F("next_review_on").asc(nulls_first=True), "name")
    )


def lines(rows: Sequence[Vendor], *, today: date) -> list[Line]:
    return [
        Line(
            row,
            row.reviewed[0] if row.reviewed else None,  # type: ignore[attr-defined]  # prefetched above
            row.ended_on is None and (row.next_review_on is None or row.next_review_on <= today),
            row.announced,  # type: ignore[attr-defined]  # annotated above
        )
        for row in rows
    ]


def find(vendor_id: UUID) -> Vendor | None:
    return Vendor.objects.select_related("agency").filter(pk=vendor_id).first()


def reviews(vendor: Vendor) -> QuerySet[VendorReview]:
    return VendorReview.objects.filter(vendor=vendor).select_related("reviewed_by").order_by("-reviewed_at")


def certificates(vendor: Vendor) -> QuerySet[VendorCertificate]:
    """Longest validity first, withdrawn ones last."""
    ended_last = F("ended_on").desc(nulls_first=True)
    return VendorCertificate.objects.filter(vendor=vendor).order_by(ended_last, "-valid_until", "name")


def find_certificate(vendor: Vendor, row_id: UUID) -> VendorCertificate | None:
    return VendorCertificate.objects.select_related("vendor").filter(vendor=vendor, pk=row_id).first()


def sub_processors(vendor: Vendor) -> QuerySet[SubProcessor]:
    return SubProcessor.objects.filter(vendor=vendor).order_by("-noticed_on", "name")


def find_sub_processor(vendor: Vendor, row_id: UUID) -> SubProcessor | None:
    return SubProcessor.objects.filter(vendor=vendor, pk=row_id).first()


def incidents(vendor: Vendor) -> QuerySet[VendorIncident]:
    return VendorIncident.objects.filter(vendor=vendor).order_by("-happened_on")


def sheet_of(vendor: Vendor) -> law.Sheet | None:
    """The template of an unverified vendor."""
    return None if vendor.verified_on else law.sheets().get(vendor.sheet)
