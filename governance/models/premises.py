"""Sites, badges, access hours and the entrance log."""

from datetime import time
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models

from callprivacy.accounts.models import User
from callprivacy.tenancy.models import AgencyOwned, ScopedQuerySet, WithId
from governance.enums import EntryFlag, EntrySource


class Site(AgencyOwned, WithId):
    """A site. Entries outside `opens` to `closes` and the ISO `weekdays` are flagged."""

    name = models.CharField(max_length=120)
    address = models.CharField(max_length=200, blank=True)
    time_zone = models.CharField(max_length=64)
    weekdays = ArrayField(models.PositiveSmallIntegerField(), default=list)
    opens = models.TimeField()
    closes = models.TimeField()
    rooms = ArrayField(models.CharField(max_length=60), default=list, db_default=[], blank=True)
    created_at = models.DateTimeField()
    closed_on = models.DateField(null=True, blank=True)

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["agency", "name"], name="governance_site_name"),
            models.CheckConstraint(
                condition=models.Q(closes__gt=models.F("opens")), name="governance_site_closes_after_it_opens"
            ),
        )

    def __str__(self) -> str:
        return self.name


class Badge(AgencyOwned, WithId):
    """A badge. `label` is printed on it. Empty `rooms` open all rooms. Only the digest of its code is stored."""

    site = models.ForeignKey(Site, models.PROTECT, related_name="badges")
    user = models.ForeignKey(User, models.PROTECT, related_name="+")
    label = models.CharField(max_length=60)
    digest = models.BinaryField(max_length=32)
    any_hour = models.BooleanField(default=False)
    rooms = ArrayField(models.CharField(max_length=60), default=list, db_default=[], blank=True)
    given_on = models.DateField()
    until_on = models.DateField(null=True, blank=True)
    returned_on = models.DateField(null=True, blank=True)

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["agency", "digest"],
                condition=models.Q(returned_on__isnull=True),
                name="governance_badge_out_once",
            ),
        )
        indexes = (models.Index(fields=["agency", "user"], name="governance_badge_of"),)

    def __str__(self) -> str:
        return self.label


class DoorHours(AgencyOwned, WithId):
    """
    Access hours of a room, for all badges or for one.

    Without a room they apply to the entrance and other rooms, and only to one badge. `closes` at midnight is the end
    of the day.
    """

    site = models.ForeignKey(Site, models.CASCADE, related_name="hours")
    badge = models.ForeignKey(Badge, models.CASCADE, null=True, related_name="hours")
    room = models.CharField(max_length=60, blank=True)
    weekdays = ArrayField(models.PositiveSmallIntegerField(), default=list)
    opens = models.TimeField()
    closes = models.TimeField()

    class Meta(AgencyOwned.Meta):
        verbose_name = verbose_name_plural = "access hours"
        constraints = (
            models.UniqueConstraint(
                fields=["agency", "site", "room", "badge"],
                nulls_distinct=False,
                name="governance_doorhours_once",
            ),
            models.CheckConstraint(
                condition=models.Q(closes__gt=models.F("opens")) | models.Q(closes=time(0)),
                name="governance_doorhours_closes_after_it_opens",
            ),
            models.CheckConstraint(
                condition=~models.Q(room="") | models.Q(badge__isnull=False),
                name="governance_doorhours_of_something",
            ),
        )

    def __str__(self) -> str:
        return f"access hours of {self.room or 'the entrance'}"


class SiteKey(AgencyOwned, WithId):
    """A key with which a site's badge system sends events. It begins with a public key that identifies the agency."""

    site = models.ForeignKey(Site, models.PROTECT, related_name="keys")
    name = models.CharField(max_length=120)
    key = models.CharField(max_length=64)
    digest = models.BinaryField(max_length=32)
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    last_used_on = models.DateField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta(AgencyOwned.Meta):
        constraints = (models.UniqueConstraint(fields=["agency", "key"], name="governance_sitekey_name"),)

    def __str__(self) -> str:
        return self.name


class KioskLink(AgencyOwned, WithId):
    """The address of a site's public sign-in page. Only its digest is stored, and a site has one current link."""

    site = models.ForeignKey(Site, models.PROTECT, related_name="kiosks")
    digest = models.BinaryField(max_length=32)
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    last_used_on = models.DateField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["agency", "digest"], name="governance_kiosklink_digest"),
            models.UniqueConstraint(
                fields=["agency", "site"],
                condition=models.Q(ended_at__isnull=True),
                name="governance_kiosklink_one_a_site",
            ),
        )

    def __str__(self) -> str:
        return f"sign-in page of {self.site_id}"


class EntryQuerySet(ScopedQuerySet["Entry"]):
    def inside(self) -> Self:
        return self.filter(left_at__isnull=True)


class Entry(AgencyOwned, WithId):
    """
    An entry of a member, a visitor with a host, or an unknown badge.

    `reference` and `left_reference` are the badge system's ids of the entry and the exit. `host_said` is the typed name
    of an unknown host. `number_digest` is of the sign-out number, until the exit.
    """

    site = models.ForeignKey(Site, models.PROTECT, related_name="entries")
    badge = models.ForeignKey(Badge, models.SET_NULL, null=True, related_name="+")
    user = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    visitor = models.CharField(max_length=120, blank=True)
    company = models.CharField(max_length=120, blank=True)
    host = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    host_said = models.CharField(max_length=120, blank=True, db_default="")
    purpose = models.CharField(max_length=200, blank=True)
    number_digest = models.BinaryField(max_length=32, null=True)
    entered_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True)
    source = models.CharField(max_length=8, choices=EntrySource)
    reference = models.CharField(max_length=80, blank=True)
    left_reference = models.CharField(max_length=80, blank=True, db_default="")
    room = models.CharField(max_length=60, blank=True, db_default="")
    flags = ArrayField(models.CharField(max_length=16, choices=EntryFlag), default=list)
    looked_at = models.DateTimeField(null=True)
    looked_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")

    objects = models.Manager.from_queryset(EntryQuerySet)()  # type: ignore[misc]  # a manager with queryset methods

    class Meta(AgencyOwned.Meta):
        verbose_name_plural = "entries"
        constraints = (
            models.UniqueConstraint(
                fields=["agency", "site", "source", "reference"],
                condition=~models.Q(reference=""),
                name="governance_entry_once",
            ),
            models.UniqueConstraint(
                fields=["agency", "site", "source", "left_reference"],
                condition=~models.Q(left_reference=""),
                name="governance_entry_left_once",
            ),
            models.UniqueConstraint(
                fields=["agency", "site", "number_digest"],
                condition=models.Q(number_digest__isnull=False),
                name="governance_entry_number_once",
            ),
            models.CheckConstraint(
                condition=models.Q(left_at__isnull=True) | models.Q(left_at__gte=models.F("entered_at")),
                name="governance_entry_leaves_after_it_comes",
            ),
        )
        indexes = (
            models.Index(fields=["agency", "-entered_at", "id"], name="governance_entry_newest"),
            models.Index(
                fields=["agency", "site"],
                condition=models.Q(left_at__isnull=True),
                name="governance_entry_inside",
            ),
            models.Index(
                fields=["agency", "-entered_at"],
                condition=~models.Q(flags=[]) & models.Q(looked_at__isnull=True),
                name="governance_entry_flagged",
            ),
        )

    def __str__(self) -> str:
        return f"entry at {self.entered_at:%Y-%m-%d %H:%M}"
