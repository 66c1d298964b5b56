"""Before somebody is called or texted: registers of numbers with their dates, and lists that were checked."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from callprivacy.calls.enums import JobState
from callprivacy.tenancy.models import AgencyOwned, Client, ClientOwned, WithId
from consent.enums import ListKind, Purpose


class NumberList(AgencyOwned, WithId):
    """
    A register an agency uploaded (do-not-call, reassigned numbers), as of which day; its tokens are in the vault.

    The sealed file is read from `line` on, and goes when it has been. Until all of it is in, the list before counts;
    what was replaced or taken out has `ended_at`, and its tokens go until `emptied_at`. With a client it counts for
    that client alone. A do-not-call register holds the numbers of its area codes, all where none is named. Of
    reassigned numbers a job ends the consents that are older, client by client: `invalidated` counts them, `answers`
    the lines by what they say. `refusals` names the first lines that were not taken, without what stood there.
    """

    client = models.ForeignKey(Client, models.PROTECT, null=True, related_name="+", db_constraint=False)
    kind = models.CharField(max_length=12, choices=ListKind)
    name = models.CharField(max_length=120)
    as_of = models.DateField()
    area_codes = ArrayField(models.CharField(max_length=3), default=list)
    state = models.CharField(max_length=10, choices=JobState, default=JobState.QUEUED)
    file_key = models.UUIDField(null=True)
    line = models.PositiveBigIntegerField(default=0)
    size = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    refusals = models.JSONField(default=list)
    answers = models.JSONField(default=dict)
    invalidated = models.PositiveIntegerField(default=0)
    failure = models.CharField(max_length=200, blank=True)
    is_active = models.BooleanField(default=False)
    created_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    emptied_at = models.DateTimeField(null=True)

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["agency", "client", "kind", "name"],
                condition=models.Q(is_active=True),
                nulls_distinct=False,
                name="consent_numberlist_one_active",
            ),
        )
        indexes = (
            models.Index(
                fields=["agency", "due_at"],
                condition=models.Q(due_at__isnull=False),
                name="consent_numberlist_due",
            ),
        )

    def __str__(self) -> str:
        return self.name


class ListCheck(ClientOwned, WithId):
    """
    A list of numbers that is checked before it is dialled: the file sealed, how far, and what came out.

    `column` holds the numbers and `region_column` the states, counted from 0. All rows are judged at one instant,
    `checked_at`, against the registers of `looked_at`. The list goes when it is checked, the result at `expires_at`.
    """

    name = models.CharField(max_length=120)
    purpose = models.CharField(max_length=20)
    column = models.PositiveSmallIntegerField(default=0)
    region_column = models.PositiveSmallIntegerField(null=True)
    state = models.CharField(max_length=10, choices=JobState, default=JobState.QUEUED)
    file_key = models.UUIDField(null=True)
    result_key = models.UUIDField(null=True)
    rows = models.PositiveIntegerField(default=0)
    rows_done = models.PositiveIntegerField(default=0)
    allowed = models.PositiveIntegerField(default=0)
    blocked = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    reasons = models.JSONField(default=dict)
    looked_at = models.JSONField(default=list)
    failure = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)

    class Meta(ClientOwned.Meta):
        indexes = (
            models.Index(fields=["client", "-created_at"], name="consent_listcheck_newest"),
            models.Index(
                fields=["agency", "due_at"],
                condition=models.Q(due_at__isnull=False),
                name="consent_listcheck_due",
            ),
        )

    def __str__(self) -> str:
        return self.name


class NumbersOut(ClientOwned, WithId):
    """
    Numbers with a standing consent as a sealed file, for a vendor that knows which have been reassigned.

    Asked for with a reason, which the trail keeps; the file goes at `expires_at`.
    """

    state = models.CharField(max_length=10, choices=JobState, default=JobState.QUEUED)
    file_key = models.UUIDField(null=True)
    rows = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey("accounts.User", models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)

    class Meta(ClientOwned.Meta):
        indexes = (
            models.Index(fields=["client", "-created_at"], name="consent_numbersout_newest"),
            models.Index(
                fields=["agency", "due_at"],
                condition=models.Q(due_at__isnull=False),
                name="consent_numbersout_due",
            ),
        )

    def __str__(self) -> str:
        return f"numbers of {self.created_at:%Y-%m-%d}"


_SANE_MONTHS = models.Q(months=None) | models.Q(months__gte=1, months__lte=120)


class AgencyAge(AgencyOwned):
    """After how many months consents to a purpose expire at an agency's clients; None, never."""

    id = models.BigAutoField(primary_key=True)
    purpose = models.CharField(max_length=10, choices=Purpose)
    months = models.PositiveSmallIntegerField(null=True)
    chosen_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    chosen_at = models.DateTimeField()

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["agency", "purpose"], name="consent_agencyage_one_a_purpose"),
            models.CheckConstraint(condition=_SANE_MONTHS, name="consent_agencyage_is_sane"),
        )

    def __str__(self) -> str:
        return f"{self.purpose}: {self.months or 'no'} months"


class ConsentAge(ClientOwned):
    """
    After how many months consents to a purpose expire at one client; None, never. Without a row the agency's counts.

    A client that goes back to the agency's keeps its row with `is_own` false, so that what was in force while it had
    its own ends on no day before it went back.
    """

    id = models.BigAutoField(primary_key=True)
    purpose = models.CharField(max_length=10, choices=Purpose)
    is_own = models.BooleanField(default=True)
    months = models.PositiveSmallIntegerField(null=True)
    chosen_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    chosen_at = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "purpose"], name="consent_age_one_a_purpose"),
            models.CheckConstraint(condition=_SANE_MONTHS, name="consent_age_is_sane"),
        )

    def __str__(self) -> str:
        return f"{self.purpose}: {self.months or 'no'} months"


class ApiWrite(ClientOwned):
    """
    That a system wrote to the ledger under a key of its own choosing, and what it was answered.

    The same key with the same body is answered the same; with another body it is refused. Both are kept as digests
    under the client's token key, since the body holds a number.
    """

    id = models.BigAutoField(primary_key=True)
    digest = models.BinaryField(max_length=32)
    body_digest = models.BinaryField(max_length=32)
    answer = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (models.UniqueConstraint(fields=["client", "digest"], name="consent_apiwrite_once"),)
        indexes = (models.Index(fields=["agency", "created_at"], name="consent_apiwrite_oldest"),)
