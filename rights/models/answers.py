"""What goes out in a case: letters to the person, the question to the client, and word to recipients."""

import uuid
from datetime import datetime
from typing import Self

from django.db import models

from callprivacy.accounts.models import User
from callprivacy.tenancy.models import ClientOwned, ScopedQuerySet, WithId
from callprivacy.vault.fields import SealedField
from rights.enums import (
    ApprovalKind,
    ApprovalState,
    LetterState,
    LetterWay,
    NoticeAbout,
    NoticeState,
    NoticeWay,
)
from rights.models.cases import Case
from rights.models.owned import Held


class LetterQuerySet(ScopedQuerySet["Letter"]):
    def due(self, at: datetime) -> Self:
        return self.filter(due_at__lte=at)


class Letter(Held):
    """
    A letter to the person: from a template, as it was sent. Subject and body are sealed under the submission's key.

    `to` is where it went, sealed. `sent_at` of one that staff print or read is when they said that they had.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(
        Case, models.CASCADE, db_constraint=False, related_name="letters", db_index=False
    )
    template = models.CharField(max_length=40)
    language = models.CharField(max_length=2, default="en")
    way = models.CharField(max_length=6, choices=LetterWay)
    state = models.CharField(max_length=8, choices=LetterState, default=LetterState.DRAFT)
    to = SealedField(null=True)
    subject = SealedField(null=True)
    body = SealedField()
    made_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    made_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.CharField(max_length=120, blank=True)
    sent_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    sent_at = models.DateTimeField(null=True)

    objects = models.Manager.from_queryset(LetterQuerySet)()  # type: ignore[misc]  # a manager with more words

    class Meta:
        base_manager_name = "objects"
        indexes = (
            models.Index(fields=["case", "made_at"], name="rights_letter_of_case"),
            models.Index(
                fields=["agency", "due_at"],
                condition=models.Q(due_at__isnull=False),
                name="rights_letter_due",
            ),
        )


class ApprovalQuerySet(ScopedQuerySet["Approval"]):
    def answered(self) -> Self:
        """Questions that the client has answered, its last answer first; of two of one instant the no."""
        answers = self.filter(state__in=[ApprovalState.APPROVED, ApprovalState.REFUSED])
        # "refused" sorts behind "approved".
        return answers.order_by("-answered_at", "-asked_at", "-state")


class Approval(Held):
    """
    A question to the client behind a link that works once: whether an answer may be given, or that it takes over.

    The link's key stands in the directory of public keys (purpose APPROVAL) until it was answered; here is its SHA-256.
    `asked` is what the client was shown, `to` where the link was sent, `name` who answered and `words` with what: all
    sealed under the submission's key.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(
        Case, models.CASCADE, db_constraint=False, related_name="approvals", db_index=False
    )
    kind = models.CharField(max_length=10, choices=ApprovalKind)
    state = models.CharField(max_length=10, choices=ApprovalState, default=ApprovalState.WAITING)
    digest = models.BinaryField(max_length=32)
    to = SealedField(null=True)
    asked = SealedField(null=True)
    name = SealedField(null=True)
    words = SealedField(null=True)
    asked_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    asked_at = models.DateTimeField()
    mail_due_at = models.DateTimeField(null=True)
    mailed_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    answered_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")

    objects = models.Manager.from_queryset(ApprovalQuerySet)()  # type: ignore[misc]  # a manager with more words

    class Meta:
        base_manager_name = "objects"
        constraints = (
            models.UniqueConstraint(fields=["agency", "digest"], name="rights_approval_by_link"),
            models.UniqueConstraint(
                fields=["agency", "case"],
                condition=models.Q(state=ApprovalState.WAITING),
                name="rights_approval_one_at_a_time",
            ),
        )
        indexes = (
            models.Index(fields=["case", "asked_at"], name="rights_approval_of_case"),
            models.Index(
                fields=["agency", "mail_due_at"],
                condition=models.Q(mail_due_at__isnull=False),
                name="rights_approval_mail",
            ),
        )


class NoticeQuerySet(ScopedQuerySet["RecipientNotice"]):
    def due(self, at: datetime) -> Self:
        """Those that a job has to look at."""
        return self.filter(due_at__lte=at)


class RecipientNotice(ClientOwned, WithId):
    """
    That somebody to whom data were given is told of an erasure, correction, restriction or opt-out (GDPR article 19;
    Cal. Civ. Code 1798.105(c), 1798.135(f)), with the receipt.

    A webhook goes out as `delivery_id` (consent.WebhookDelivery), a vendor's step as `task_id` (consent.VendorTask),
    word of rows in a file that was given away by a mail of its own, `removal_id` (analytics.Removal), everything else
    as a ticket that staff send: its text holds no number.
    """

    case = models.ForeignKey(
        Case, models.CASCADE, db_constraint=False, related_name="notices", db_index=False
    )
    about = models.CharField(max_length=12, choices=NoticeAbout)
    way = models.CharField(max_length=8, choices=NoticeWay)
    recipient = models.CharField(max_length=120)
    target_id = models.UUIDField(null=True)
    delivery_id = models.UUIDField(null=True)
    task_id = models.UUIDField(null=True)
    removal_id = models.UUIDField(null=True)
    ticket = models.TextField(max_length=4000, blank=True)
    state = models.CharField(max_length=10, choices=NoticeState, default=NoticeState.WAITING)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    sent_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    confirmed_at = models.DateTimeField(null=True)
    receipt = models.CharField(max_length=300, blank=True)

    objects = models.Manager.from_queryset(NoticeQuerySet)()  # type: ignore[misc]  # a manager with more words

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["client", "case", "about", "way", "target_id"],
                nulls_distinct=False,
                name="rights_notice_once",
            ),
        )
        indexes = (
            models.Index(
                fields=["agency", "due_at"],
                condition=models.Q(due_at__isnull=False),
                name="rights_notice_due",
            ),
        )

    def __str__(self) -> str:
        return f"{self.about} to {self.recipient}"
