"""
Agencies, their clients, and the shape of every row that belongs to one.

A queryset over such rows refuses to run outside a scope; PostgreSQL's row security stands behind it and
decides which rows there are.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Self

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import sql

from callprivacy.lib import scope as lib_scope
from callprivacy.tenancy.enums import (
    Answerer,
    AtEnd,
    KeyPurpose,
    PartyRole,
    Permission,
    RetentionState,
    Sector,
)

if TYPE_CHECKING:
    from django.db.models.sql.compiler import SQLCompiler


class ScopedQuery(sql.Query):
    """A query that asks for the scope when it is compiled, which is when it is evaluated."""

    def get_compiler(self, *args: Any, **kwargs: Any) -> SQLCompiler:
        lib_scope.require()
        compiler: SQLCompiler = super().get_compiler(*args, **kwargs)
        return compiler


class ScopedQuerySet[M: models.Model](models.QuerySet[M]):
    """Rows of the current scope. Building one is free; evaluating or writing without a scope raises."""

    def __init__(
        self,
        model: type[M] | None = None,
        query: sql.Query | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(model, query or ScopedQuery(model), **kwargs)

    def for_client(self, client: Client | int) -> Self:
        return self.filter(client_id=client if isinstance(client, int) else client.pk)

    def remove(self) -> int:
        """Delete the rows in one statement, without collecting what hangs on them; returns how many."""
        return self._raw_delete(self.db) or 0

    def update(self, **kwargs: Any) -> int:
        lib_scope.require()
        return super().update(**kwargs)

    def _update(self, *args: Any, **kwargs: Any) -> int:
        lib_scope.require()
        return super()._update(*args, **kwargs)  # type: ignore[misc,no-any-return]  # Django's own, without types

    def _raw_delete(self, *args: Any, **kwargs: Any) -> int:
        lib_scope.require()
        return super()._raw_delete(*args, **kwargs)

    def _insert(self, *args: Any, **kwargs: Any) -> Any:
        lib_scope.require()
        return super()._insert(*args, **kwargs)  # type: ignore[misc]  # Django's own, without types


ScopedManager = models.Manager.from_queryset(ScopedQuerySet)


class WithId(models.Model):
    """A row with a random id. It stands behind the owner, whose `Meta` counts."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)

    class Meta:
        abstract = True


class AgencyOwned(models.Model):
    agency = models.ForeignKey("tenancy.Agency", models.PROTECT, related_name="+")

    objects = ScopedManager()

    class Meta:
        abstract = True
        base_manager_name = "objects"


class ClientOwned(models.Model):
    """
    A row of one client of one agency.

    The pair is one foreign key in the database (`AgencyClientKey` in the table's migration), and each table's
    own unique keys and indexes carry the client, so neither column has an index of its own.
    """

    agency = models.ForeignKey(
        "tenancy.Agency",
        models.PROTECT,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    client = models.ForeignKey(
        "tenancy.Client",
        models.PROTECT,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )

    objects = ScopedManager()

    class Meta:
        abstract = True
        base_manager_name = "objects"


class Agency(models.Model):
    """
    The tenant: an agency, its zone and its own limits.

    `reviewed_vendors`: provider -> last day of its vendor's review, and `vendors`: what people called are told of each
    vendor, {"provider", "name", "what_for", "places", "transfer", "safeguard", "is_verified", "engages"}. Both are
    written by the register of vendors, which rooms that need them may not look at.
    """

    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=60, unique=True)
    time_zone = models.CharField(max_length=64, default="America/New_York")
    keep_calls_for_days = models.PositiveIntegerField(default=365, validators=[MinValueValidator(1)])
    keep_calls_out_for_days = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)]
    )
    keep_releases_for_days = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)]
    )
    reveals_per_hour = models.PositiveIntegerField(default=20, validators=[MinValueValidator(1)])
    is_demo = models.BooleanField(default=False)
    needs_reviewed_vendors = models.BooleanField(
        "connections open for reviewed vendors alone", default=False, db_default=False
    )
    needs_second_for_live = models.BooleanField(
        "going live takes a second officer", default=True, db_default=True
    )
    reviewed_vendors = models.JSONField(
        default=dict, db_default=models.Value({}, models.JSONField()), blank=True, editable=False
    )
    vendors = models.JSONField(
        default=list, db_default=models.Value([], models.JSONField()), blank=True, editable=False
    )
    created_at = models.DateTimeField()

    objects = ScopedManager()

    class Meta:
        verbose_name_plural = "agencies"
        base_manager_name = "objects"
        constraints = (
            models.CheckConstraint(
                condition=models.Q(keep_calls_for_days__gte=1),
                name="tenancy_agency_keeps_a_day",
            ),
        )

    def __str__(self) -> str:
        return self.name


class Client(AgencyOwned):
    """One company the agency works for, and the object of every permission."""

    slug = models.SlugField(max_length=60)
    name = models.CharField("short name", max_length=120)
    legal_name = models.CharField(max_length=200)
    time_zone = models.CharField(max_length=64, default="America/New_York")
    sector = models.CharField(max_length=20, choices=Sector, default=Sector.OTHER)
    brand_colour = models.CharField(
        max_length=7,
        default="#2f5d62",
        validators=[RegexValidator(r"^#[0-9a-fA-F]{6}$", "Write it as #2f5d62.")],
    )
    policy_url = models.URLField("privacy policy", blank=True)
    home_country = models.CharField(max_length=2, default="US")
    keep_calls_for_days = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)]
    )
    keep_calls_out_for_days = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)]
    )
    keep_releases_for_days = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)]
    )
    retention_state = models.CharField(max_length=10, choices=RetentionState, default=RetentionState.OBSERVE)
    quarantine_hours = models.PositiveSmallIntegerField(
        "hours a withheld recording stays", default=72, db_default=72
    )
    stores_recordings = models.BooleanField("store recordings here", default=False, db_default=False)
    takes_transcripts = models.BooleanField("take transcripts in", default=False, db_default=False)
    keeps_attribution = models.BooleanField(
        "keep landing pages and keywords", default=False, db_default=False
    )
    went_live_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_call_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField()
    shut_at = models.DateTimeField(null=True, blank=True, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        base_manager_name = "objects"
        default_permissions = ()
        permissions = tuple((permission.value, permission.words) for permission in Permission)
        constraints = (
            models.UniqueConstraint(fields=["agency", "slug"], name="tenancy_client_slug_in_agency"),
            models.UniqueConstraint(fields=["agency", "id"], name="tenancy_client_of_agency"),
            models.CheckConstraint(
                condition=models.Q(keep_calls_for_days__isnull=True) | models.Q(keep_calls_for_days__gte=1),
                name="tenancy_client_keeps_a_day",
            ),
            models.CheckConstraint(
                condition=models.Q(quarantine_hours__gte=1, quarantine_hours__lte=2160),
                name="tenancy_client_quarantine",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def keep_for_days(self) -> int:
        """Days a call that came in is kept: the client's own, else the agency's."""
        return self.keep_calls_for_days or self.agency.keep_calls_for_days

    @property
    def keep_out_for_days(self) -> int:
        """Days a call that went out is kept: the client's own, else the agency's, else as calls that came in."""
        return self.keep_calls_out_for_days or self.agency.keep_calls_out_for_days or self.keep_for_days

    @property
    def keep_released_for_days(self) -> int | None:
        """Days a file given to a recipient is kept at most: the client's own, else the agency's; None: as is signed."""
        return self.keep_releases_for_days or self.agency.keep_releases_for_days


class Place(ClientOwned):
    """Where a client does business; the law of recording looks at it."""

    label = models.CharField(max_length=80, blank=True)
    country = models.CharField(max_length=2)
    region = models.CharField(max_length=8, blank=True)

    class Meta:
        base_manager_name = "objects"
        constraints = (
            models.UniqueConstraint(
                fields=["client", "country", "region"],
                name="tenancy_place_once_a_client",
            ),
        )

    def __str__(self) -> str:
        return f"{self.country}-{self.region}" if self.region else self.country


class Engagement(ClientOwned):
    """What agency and client have agreed: roles per purpose, contracts, who answers, what happens at the end."""

    measure_as = models.CharField(max_length=12, choices=PartyRole, default=PartyRole.PROCESSOR)
    record_as = models.CharField(max_length=12, choices=PartyRole, default=PartyRole.PROCESSOR)
    contact_as = models.CharField(max_length=12, choices=PartyRole, default=PartyRole.PROCESSOR)
    contract_on = models.DateField(null=True, blank=True)
    dpa_on = models.DateField("data processing agreement", null=True, blank=True)
    instructions = models.TextField(blank=True, max_length=4000)
    delete_at_vendor = models.BooleanField(
        "withheld recordings are deleted at the tracker too", default=False, db_default=False
    )
    answered_by = models.CharField(max_length=16, choices=Answerer, default=Answerer.AFTER_APPROVAL)
    breach_notice_hours = models.PositiveSmallIntegerField(default=24)
    at_end = models.CharField(max_length=10, choices=AtEnd, default=AtEnd.ERASE)

    class Meta:
        base_manager_name = "objects"
        constraints = (models.UniqueConstraint(fields=["client"], name="tenancy_engagement_one_a_client"),)


class PublicKey(models.Model):
    """The shared directory: which agency and client a key in a public url belongs to. No other fact."""

    key = models.CharField(max_length=64, primary_key=True)
    purpose = models.CharField(max_length=12, choices=KeyPurpose)
    agency_id = models.BigIntegerField()
    client_id = models.BigIntegerField(null=True)

    def __str__(self) -> str:
        return f"{self.purpose} of {self.agency_id}"
