"""Where the agency works, who may come in when, and who did."""

from datetime import time
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models

from callprivacy.accounts.models import User
from callprivacy.tenancy.models import AgencyOwned, ScopedQuerySet, WithId
from governance.enums import EntryFlag, EntrySource


class Site(AgencyOwned, WithId):
    """A place with doors. Outside `opens` to `closes`, and on other ISO weekdays than these, an entry is flagged."""

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
    """
    A key or badge: whose, for which site, from when to when. `label` is what is printed on it.

    `rooms`: those of the site that it opens; none named, all of them. Only the digest of what a reader reads is kept.
    """

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
    When a room of a site may be entered: by everybody, or, where a badge is named, by that badge alone.

    Without a room it is for every door that has no hours of its own, and is always of one badge: the site's own hours
    are those of everybody there. `closes` at midnight is the end of the day.
    """

    site = models.ForeignKey(Site, models.CASCADE, related_name="hours")
    badge = models.ForeignKey(Badge, models.CASCADE, null=True, related_name="hours")
    room = models.CharField(max_length=60, blank=True)
    weekdays = ArrayField(models.PositiveSmallIntegerField(), default=list)
    opens = models.TimeField()
    closes = models.TimeField()

    class Meta(AgencyOwned.Meta):
        verbose_name_plural = "hours of doors"
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
        return f"hours of {self.room or 'the doors'}"


class SiteKey(AgencyOwned, WithId):
    """
    A key with which a site's badge system sends what it read, and does nothing else; only its digest is kept.

    The key begins with a name in the directory of public keys, so that its agency is known before the rest is checked.
    """

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
    """
    The address of the page at a site's door, which needs no sign-in; only its digest is kept.

    A site has one that counts: making another ends the one before.
    """

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


class EntryQuerySet(ScopedQuerySet["Entry"]):
    def inside(self) -> Self:
        return self.filter(left_at__isnull=True)


class Entry(AgencyOwned, WithId):
    """
    Somebody came in: a person of the agency, a visitor with a host, or a badge that nobody knows.

    `reference` is the badge system's own name of the event; the same one twice is one entry. `left_reference` is that
    of the way out. `flags` say what is wrong. Who came by the page at the door without a badge has `host_said`, where
    that was nobody's name here, and the digest of the number with which they sign out, until they do.
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

    objects = models.Manager.from_queryset(EntryQuerySet)()  # type: ignore[misc]  # a manager with more words

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
