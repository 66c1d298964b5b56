"""
How duties stand, as the job found them; the records of processing and what a person says in them; binders of proof.

Nobody sets a duty by hand: row security lets only jobs write how one stands.
"""

from datetime import datetime

from django.db import models

from callprivacy.accounts.models import User
from callprivacy.calls.enums import JobState
from callprivacy.tenancy.models import AgencyOwned, ClientOwned, WithId
from dashboard.enums import DutyState


class Standing(AgencyOwned):
    """One duty of an agency at the last look. `count`: how many things make it so. `since`: when it came to that."""

    id = models.BigAutoField(primary_key=True)
    duty = models.CharField(max_length=40)
    state = models.CharField(max_length=10, choices=DutyState)
    count = models.PositiveIntegerField(default=0)
    since = models.DateTimeField()

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["agency", "duty"], name="dashboard_standing_once_a_duty"),
        )


class StandingDay(AgencyOwned):
    """How many duties were in each state at the last look of a day of the agency's."""

    id = models.BigAutoField(primary_key=True)
    on = models.DateField()
    good = models.PositiveSmallIntegerField()
    due = models.PositiveSmallIntegerField()
    overdue = models.PositiveSmallIntegerField()
    failing = models.PositiveSmallIntegerField()

    class Meta(AgencyOwned.Meta):
        constraints = (models.UniqueConstraint(fields=["agency", "on"], name="dashboard_standingday_once"),)


class ClientStanding(ClientOwned):
    """One duty at one client at the last look, where it is not good; a duty without a row is good there."""

    id = models.BigAutoField(primary_key=True)
    duty = models.CharField(max_length=40)
    state = models.CharField(max_length=10, choices=DutyState)
    count = models.PositiveIntegerField(default=0)
    since = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "duty"], name="dashboard_clientstanding_once"),
        )


class ClientStandingDay(ClientOwned):
    """How many duties were not good at a client at the last look of a day of the agency's; no row: none."""

    id = models.BigAutoField(primary_key=True)
    on = models.DateField()
    due = models.PositiveSmallIntegerField()
    overdue = models.PositiveSmallIntegerField()
    failing = models.PositiveSmallIntegerField()

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "on"], name="dashboard_clientstandingday_once"),
        )


class RecordWords(AgencyOwned):
    """
    What people say in the records of processing (GDPR article 30), apart from what follows from the configuration.

    `purposes`: the words of a purpose by its name. `representatives`: whom a client named in the Union (article 27), by
    the client's id. Contacts are the companies' own.
    """

    id = models.BigAutoField(primary_key=True)
    contact = models.CharField("name and contact of the agency", max_length=300, blank=True)
    representative = models.CharField("representative in the Union", max_length=300, blank=True)
    officer = models.CharField("data protection officer", max_length=300, blank=True)
    joint = models.CharField("joint controllers", max_length=500, blank=True)
    recipients = models.TextField("who else receives data", max_length=2000, blank=True)
    measures = models.TextField("measures outside this product", max_length=4000, blank=True)
    purposes = models.JSONField(default=dict)
    representatives = models.JSONField(default=dict, db_default={})
    changed_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    changed_at = models.DateTimeField()

    class Meta(AgencyOwned.Meta):
        constraints = (models.UniqueConstraint(fields=["agency"], name="dashboard_recordwords_once"),)


class RecordFacts(AgencyOwned):
    """What the configuration says today for the records of processing, as the agency's job read it."""

    id = models.BigAutoField(primary_key=True)
    facts = models.JSONField()
    read_at = models.DateTimeField()

    class Meta(AgencyOwned.Meta):
        constraints = (models.UniqueConstraint(fields=["agency"], name="dashboard_recordfacts_once"),)


class RecordSnapshot(AgencyOwned, WithId):
    """
    The records of processing as they stood on a day, facts and words. No row is ever changed.

    `digest` is SHA-256 over both, in the one form that JSON has (keys sorted, no blanks).
    """

    number = models.PositiveIntegerField()
    record = models.JSONField()
    digest = models.BinaryField(max_length=32)
    taken_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    taken_at = models.DateTimeField()

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["agency", "number"], name="dashboard_recordsnapshot_number"),
        )


class Binder(ClientOwned, WithId):
    """
    One binder of proof of a client: a signed statement, as PDF/A (`file_key`) and as JSON (`result_key`), both sealed.

    `part` names what is being gathered; `done` of `parts` are. `digest` is SHA-256 of the PDF. `gaps`: parts in which
    something does not hold. After `expires_at`, or once it is withdrawn, the files are gone and the row tells of it.
    """

    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=JobState, default=JobState.QUEUED)
    part = models.CharField(max_length=40, blank=True)
    done = models.PositiveSmallIntegerField(default=0)
    parts = models.PositiveSmallIntegerField()
    gaps = models.PositiveSmallIntegerField(default=0)
    file_key = models.UUIDField(null=True)
    result_key = models.UUIDField(null=True)
    size = models.PositiveIntegerField(default=0)
    digest = models.BinaryField(max_length=32, null=True)
    key_id = models.CharField(max_length=16, blank=True)
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "number"], name="dashboard_binder_number"),
            models.UniqueConstraint(fields=["client", "id"], name="dashboard_binder_in_client"),
            models.CheckConstraint(
                condition=~models.Q(state=JobState.DONE) | models.Q(expires_at__isnull=False),
                name="dashboard_binder_ends",
            ),
        )

    def __str__(self) -> str:
        return f"binder {self.number}"

    def is_there(self, at: datetime) -> bool:
        """Whether it can be taken at an instant."""
        return (
            self.state == JobState.DONE
            and self.withdrawn_at is None
            and self.file_key is not None
            and self.expires_at is not None
            and self.expires_at > at
        )


class BinderLink(ClientOwned, WithId):
    """A link by which one binder can be taken without a sign-in until it ends; only the link's digest is kept."""

    binder = models.ForeignKey(Binder, models.CASCADE, db_constraint=False, related_name="links")
    digest = models.BinaryField(max_length=32)
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    taken = models.PositiveIntegerField(default=0)
    taken_at = models.DateTimeField(null=True)

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "digest"], name="dashboard_binderlink_digest"),
        )
        indexes = (models.Index(fields=["binder"], name="dashboard_binderlink_of"),)
