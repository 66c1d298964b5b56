"""What callers are told: words in versions that never change once published, and where they hang."""

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models

from callprivacy.calls.models import TrackingNumber
from callprivacy.tenancy.models import ClientOwned, ScopedQuerySet, WithId
from consent.enums import Channel, Language, NoticeState, PostedWhere, Purpose


class Notice(ClientOwned, WithId):
    """One set of words: for these purposes, by this channel, in this language."""

    name = models.CharField(max_length=80)
    purposes = ArrayField(models.CharField(max_length=10, choices=Purpose))
    channel = models.CharField(max_length=12, choices=Channel)
    language = models.CharField(max_length=2, choices=Language, default=Language.ENGLISH)
    created_at = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["client", "name", "channel", "language"], name="consent_notice_once_a_client"
            ),
            models.UniqueConstraint(fields=["client", "id"], name="consent_notice_in_client"),
        )

    def __str__(self) -> str:
        return self.name


class NoticeVersionQuerySet(ScopedQuerySet["NoticeVersion"]):
    def published(self) -> Self:
        """Versions in force: of each notice at most one."""
        return self.filter(state=NoticeState.PUBLISHED)


class NoticeVersion(ClientOwned, WithId):
    """The words as of one version. A trigger refuses to change those of a published one."""

    notice = models.ForeignKey(Notice, models.PROTECT, db_constraint=False, related_name="versions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=NoticeState, default=NoticeState.DRAFT)
    controller = models.CharField(max_length=200, blank=True)
    words = models.TextField(max_length=5000)
    withdraw = models.TextField("how to withdraw", max_length=500, blank=True)
    policy_url = models.URLField("privacy policy", blank=True)
    digest = models.BinaryField(max_length=32, null=True)
    created_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    published_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    published_at = models.DateTimeField(null=True)
    retired_at = models.DateTimeField(null=True)

    objects = models.Manager.from_queryset(NoticeVersionQuerySet)()  # type: ignore[misc]  # a manager with more words

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["client", "notice", "number"], name="consent_noticeversion_number"
            ),
            models.UniqueConstraint(fields=["client", "id"], name="consent_noticeversion_in_client"),
            models.UniqueConstraint(
                fields=["client", "notice"],
                condition=models.Q(state=NoticeState.PUBLISHED),
                name="consent_noticeversion_one_in_force",
            ),
            models.UniqueConstraint(
                fields=["client", "notice"],
                condition=models.Q(state=NoticeState.DRAFT),
                name="consent_noticeversion_one_draft",
            ),
            models.CheckConstraint(
                condition=models.Q(state=NoticeState.DRAFT)
                | models.Q(published_at__isnull=False, digest__isnull=False),
                name="consent_noticeversion_published_is_dated",
            ),
        )

    def __str__(self) -> str:
        return f"version {self.number}"


class PostedNotice(ClientOwned, WithId):
    """That words hung somewhere from one day to another, with a picture; for one tracking number or for all."""

    tracking_number = models.ForeignKey(
        TrackingNumber, models.PROTECT, null=True, db_constraint=False, related_name="+"
    )
    where = models.CharField(max_length=10, choices=PostedWhere)
    place = models.CharField(max_length=200)
    words = models.TextField(max_length=5000)
    version = models.ForeignKey(
        NoticeVersion, models.PROTECT, null=True, blank=True, db_constraint=False, related_name="+"
    )
    from_on = models.DateField()
    to_on = models.DateField(null=True, blank=True)
    picture_key = models.UUIDField(null=True)
    picture_digest = models.BinaryField(max_length=32, null=True)
    picture_type = models.CharField(max_length=40, blank=True)
    created_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (
            models.CheckConstraint(
                condition=models.Q(to_on__isnull=True) | models.Q(to_on__gt=models.F("from_on")),
                name="consent_postednotice_ends_later",
            ),
        )
        indexes = (models.Index(fields=["client", "from_on"], name="consent_posted_of_client"),)

    def __str__(self) -> str:
        return self.place
