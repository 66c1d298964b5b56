"""Vendors, their certificates, reviews, sub-processors and incidents."""

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models

from callprivacy.accounts.models import User
from callprivacy.tenancy.models import AgencyOwned, ScopedQuerySet, WithId
from governance.enums import ReviewDecision, SubProcessorState, TransferTool, VendorRole


class VendorQuerySet(ScopedQuerySet["Vendor"]):
    def current(self) -> Self:
        return self.filter(ended_on__isnull=True)

    def refused(self) -> Self:
        """Vendors rejected by their latest review, unless they were reactivated since."""
        newest = VendorReview.objects.filter(vendor=models.OuterRef("pk")).order_by("-reviewed_at", "-pk")
        decided = models.Subquery(newest.values("decision")[:1])
        counting = self.filter(next_review_on__isnull=False)
        return counting.alias(decided=decided).filter(decided=ReviewDecision.REFUSED)


class Vendor(AgencyOwned, WithId):
    """
    A company that may receive data.

    `sheet` is the id of its template. `clauses` are the letters of GDPR article 28(3) in its contract.
    `next_review_on` is of the latest review, and empty after a reactivation.
    """

    name = models.CharField(max_length=120)
    sheet = models.CharField(max_length=40, blank=True)
    provider = models.CharField(max_length=40, blank=True)
    role = models.CharField(max_length=16, choices=VendorRole, default=VendorRole.PROCESSOR)
    what_for = models.CharField(max_length=300)
    categories = ArrayField(models.CharField(max_length=16), default=list, blank=True)
    places = models.CharField(max_length=200, blank=True)
    transfer = models.CharField(max_length=12, choices=TransferTool, default=TransferTool.UNKNOWN)
    contract_on = models.DateField(null=True, blank=True)
    clauses = ArrayField(models.CharField(max_length=1), default=list, blank=True)
    source = models.URLField(max_length=300, blank=True)
    verified_on = models.DateField(null=True, blank=True)
    next_review_on = models.DateField(null=True, blank=True)
    created_at = models.DateTimeField()
    ended_on = models.DateField(null=True, blank=True)

    objects = models.Manager.from_queryset(VendorQuerySet)()  # type: ignore[misc]  # a manager with queryset methods

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["agency", "name"],
                condition=models.Q(ended_on__isnull=True),
                name="governance_vendor_name_in_use",
            ),
        )

    def __str__(self) -> str:
        return self.name


class VendorCertificateQuerySet(ScopedQuerySet["VendorCertificate"]):
    def counting(self) -> Self:
        return self.filter(ended_on__isnull=True, vendor__ended_on__isnull=True)


class VendorCertificate(AgencyOwned, WithId):
    """A certificate or report of a vendor, withdrawn on `ended_on`."""

    vendor = models.ForeignKey(Vendor, models.CASCADE, related_name="certificates")
    name = models.CharField(max_length=120)
    valid_until = models.DateField()
    source = models.URLField(max_length=300, blank=True)
    ended_on = models.DateField(null=True, blank=True)

    objects = models.Manager.from_queryset(VendorCertificateQuerySet)()  # type: ignore[misc]  # a manager with queryset methods

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["agency", "vendor", "name", "valid_until"],
                condition=models.Q(ended_on__isnull=True),
                name="governance_vendorcertificate_counts_once",
            ),
        )

    def __str__(self) -> str:
        return self.name


class VendorReview(AgencyOwned, WithId):
    """
    A review with the questions and weights of its time. It is never changed.

    `score`: 0 to 100, weighted over the applicable questions.
    """

    vendor = models.ForeignKey(Vendor, models.CASCADE, related_name="reviews")
    answers = models.JSONField(default=list)
    score = models.PositiveSmallIntegerField()
    decision = models.CharField(max_length=12, choices=ReviewDecision)
    words = models.CharField(max_length=1000)
    reviewed_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    reviewed_at = models.DateTimeField()
    next_on = models.DateField()

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.CheckConstraint(condition=models.Q(score__lte=100), name="governance_vendorreview_score"),
        )
        indexes = (models.Index(fields=["vendor", "-reviewed_at"], name="governance_review_newest"),)

    def __str__(self) -> str:
        return f"{self.get_decision_display()} on {self.reviewed_at:%Y-%m-%d}"


class SubProcessor(AgencyOwned, WithId):
    vendor = models.ForeignKey(Vendor, models.CASCADE, related_name="sub_processors")
    name = models.CharField(max_length=120)
    what_for = models.CharField(max_length=300)
    places = models.CharField(max_length=200, blank=True)
    noticed_on = models.DateField()
    object_until = models.DateField(null=True, blank=True)
    state = models.CharField(max_length=10, choices=SubProcessorState, default=SubProcessorState.NOTICED)

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["agency", "vendor", "name"],
                condition=~models.Q(state=SubProcessorState.ENDED),
                name="governance_subprocessor_engaged_once",
            ),
        )

    def __str__(self) -> str:
        return self.name


class VendorIncident(AgencyOwned, WithId):
    vendor = models.ForeignKey(Vendor, models.CASCADE, related_name="incidents")
    happened_on = models.DateField()
    learned_on = models.DateField()
    words = models.CharField(max_length=1000)

    class Meta(AgencyOwned.Meta):
        indexes = (models.Index(fields=["vendor", "-happened_on"], name="governance_incident_newest"),)

    def __str__(self) -> str:
        return f"incident of {self.happened_on:%Y-%m-%d}"
