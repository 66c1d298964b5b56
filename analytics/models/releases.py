"""What leaves the agency: to whom, after whose two signatures, until when; and how much was asked of each budget."""

from datetime import date, datetime, timedelta
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models

from callprivacy.accounts.models import User
from callprivacy.calls.enums import JobState
from callprivacy.tenancy.models import AgencyOwned, ClientOwned, ScopedQuerySet, WithId

LEAST_K = 11
"""No agency's floor is below this."""


class ReleaseKind(models.TextChoices):
    """What a file is. Pseudonymised is a thing of its own: each row is still one person's."""

    ANONYMISED = "anonymised", "Anonymised calls"
    PSEUDONYMISED = "pseudonymised", "Pseudonymised calls"


class ReleaseState(models.TextChoices):
    DRAFT = "draft", "Being prepared"
    WAITING = "waiting", "Waits for a second person"
    APPROVED = "approved", "Being built"
    RELEASED = "released", "Released"
    REFUSED = "refused", "Refused"
    WITHDRAWN = "withdrawn", "Withdrawn"
    REVOKED = "revoked", "Revoked"
    EXPIRED = "expired", "Ended on its date"


OPEN_STATES = (ReleaseState.DRAFT, ReleaseState.WAITING, ReleaseState.APPROVED)


class ReleaseFloor(AgencyOwned, WithId):
    """The least that an agency asks of every anonymised release; without a row k is at least `LEAST_K`."""

    k = models.PositiveSmallIntegerField(default=LEAST_K)
    most_suppressed = models.PositiveSmallIntegerField("percent of rows left out at most", default=5)
    set_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    set_at = models.DateTimeField()

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["agency"], name="analytics_releasefloor_one"),
            models.CheckConstraint(condition=models.Q(k__gte=LEAST_K), name="analytics_releasefloor_k"),
            models.CheckConstraint(
                condition=models.Q(most_suppressed__lte=20), name="analytics_releasefloor_suppressed"
            ),
        )


class Recipient(ClientOwned, WithId):
    """
    Whom data of one client is given to: a company, by its business address; not a caller.

    `contract` says what binds them. `epsilon` is their budget of noisy figures for a calendar year. Tokens for them are
    made under a key of their own, which the vault holds.
    """

    name = models.CharField(max_length=120)
    email = models.EmailField(max_length=254)
    contract = models.CharField(max_length=300, blank=True)
    epsilon = models.DecimalField(max_digits=6, decimal_places=3)
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "id"], name="analytics_recipient_in_client"),
            models.UniqueConstraint(fields=["client", "name"], name="analytics_recipient_name"),
            models.CheckConstraint(
                condition=models.Q(epsilon__gte=0, epsilon__lte=10), name="analytics_recipient_epsilon"
            ),
        )

    def __str__(self) -> str:
        return self.name


class OwnGroups(ClientOwned, WithId):
    """
    By what a client's anonymised releases group, where that is not as shipped. A change is a row with the next number.

    Rows stay as they were written, so that the sheet of a release tells what its file was made by. `said` is what
    differs from what is shipped; empty, that a client went back to it.
    """

    number = models.PositiveIntegerField()
    said = models.JSONField()
    set_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    set_at = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "id"], name="analytics_owngroups_in_client"),
            models.UniqueConstraint(fields=["client", "number"], name="analytics_owngroups_next"),
        )

    def __str__(self) -> str:
        return f"groups {self.number}"


class ReleaseQuerySet(ScopedQuerySet["Release"]):
    def live(self) -> Self:
        """Releases that a recipient may still have by our leave."""
        return self.filter(state=ReleaseState.RELEASED)

    def due_to_build(self, at: datetime) -> Self:
        """Approved ones that no worker holds."""
        return self.filter(state=ReleaseState.APPROVED, due_at__lte=at)


class Release(ClientOwned, WithId):
    """
    One file of call-level rows for one recipient, from the draft to its end.

    `from_on` to before `until_on` are days of the client's zone. `file_key` names the sealed file, `members_key` the
    sealed list of which call lies in which class (by keyed digests of random ids), which the guard against differences
    reads; both go with the release's end. `groups` is what an anonymised one is grouped by, None as shipped. `report`
    is what was done and what is risked, figures alone; `score` is the newest look at it. `look_due_at`: since when
    somebody of the client has said no, or is known to be a minor, without this pseudonymised file having been looked
    at; triggers write it, and nobody takes the file meanwhile.
    """

    kind = models.CharField(max_length=14, choices=ReleaseKind)
    state = models.CharField(max_length=10, choices=ReleaseState, default=ReleaseState.DRAFT)
    recipient = models.ForeignKey(Recipient, models.PROTECT, db_constraint=False, related_name="releases")
    purpose = models.CharField(max_length=300)
    columns = ArrayField(models.CharField(max_length=20))
    groups = models.ForeignKey(
        OwnGroups, models.PROTECT, db_constraint=False, null=True, related_name="releases"
    )
    from_on = models.DateField()
    until_on = models.DateField()
    k = models.PositiveSmallIntegerField(null=True)
    l = models.PositiveSmallIntegerField(null=True)  # noqa: E741  (what the papers call it)
    t = models.DecimalField(max_digits=3, decimal_places=2, null=True)
    keep_for_days = models.PositiveSmallIntegerField()
    rows = models.PositiveIntegerField(default=0)
    report = models.JSONField(default=dict)
    score = models.JSONField(default=dict)
    scored_at = models.DateTimeField(null=True)
    digest = models.BinaryField(max_length=32, null=True)
    file_key = models.UUIDField(null=True)
    members_key = models.UUIDField(null=True)
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    proposed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    proposed_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    released_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    refusal = models.CharField(max_length=500, blank=True)
    failures = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(null=True)
    mail_due_at = models.DateTimeField(null=True)
    told_at = models.DateTimeField(null=True)
    look_due_at = models.DateTimeField(null=True)

    objects = models.Manager.from_queryset(ReleaseQuerySet)()  # type: ignore[misc]  # a manager with more words

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "id"], name="analytics_release_in_client"),
            models.CheckConstraint(
                condition=models.Q(until_on__gt=models.F("from_on")), name="analytics_release_some_day"
            ),
            models.CheckConstraint(
                condition=~models.Q(decided_by=models.F("proposed_by")),
                name="analytics_release_two_people",
            ),
            models.CheckConstraint(
                condition=models.Q(k__isnull=True) | models.Q(k__gte=LEAST_K),
                name="analytics_release_k",
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=["approved", "released"])
                | models.Q(proposed_by__isnull=False, decided_by__isnull=False),
                name="analytics_release_is_signed",
            ),
        )
        indexes = (
            models.Index(fields=["client", "-created_at"], name="analytics_release_newest"),
            models.Index(
                fields=["agency", "due_at"],
                condition=models.Q(due_at__isnull=False),
                name="analytics_release_due",
            ),
            models.Index(
                fields=["agency", "mail_due_at"],
                condition=models.Q(mail_due_at__isnull=False),
                name="analytics_release_mail",
            ),
            models.Index(
                fields=["agency", "look_due_at"],
                condition=models.Q(look_due_at__isnull=False),
                name="analytics_release_look",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} from {self.from_on} to {self.until_on}"

    @property
    def last_on(self) -> date:
        return self.until_on - timedelta(days=1)


class RemovalCause(models.TextChoices):
    """Why somebody's rows leave a file that was given away."""

    ERASURE = "erasure", "Asked to be erased"
    CORRECTION = "correction", "Had facts corrected"
    RESTRICTION = "restriction", "Had use restricted"
    REFUSAL = "refusal", "Said no"
    MINOR = "minor", "Is known to be a minor"


class Removal(ClientOwned, WithId):
    """
    That one caller's rows leave a live pseudonymised release: our own file at once, and the recipient is told.

    The recipient is told the token that stands for the caller in that file, which is derived anew from the caller's id
    and the recipient's key and kept nowhere. `rows` is how many left our file at `taken_at`; `told_at` is when the mail
    server took the message. Of a release that has ended meanwhile nothing is said: its end tells more.
    """

    release = models.ForeignKey(Release, models.CASCADE, db_constraint=False, related_name="removals")
    caller_id = models.UUIDField()
    cause = models.CharField(max_length=12, choices=RemovalCause)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    rows = models.PositiveIntegerField(default=0)
    taken_at = models.DateTimeField(null=True)
    mail_due_at = models.DateTimeField(null=True)
    told_at = models.DateTimeField(null=True)

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["client", "release", "caller_id", "cause"], name="analytics_removal_once"
            ),
        )
        indexes = (
            models.Index(
                fields=["agency", "due_at"],
                condition=models.Q(due_at__isnull=False),
                name="analytics_removal_due",
            ),
            models.Index(
                fields=["agency", "mail_due_at"],
                condition=models.Q(mail_due_at__isnull=False),
                name="analytics_removal_mail",
            ),
        )


class ReleaseTrial(ClientOwned, WithId):
    """What one setting of k, l and t would cost and risk for a draft: computed once, shown again and again."""

    release = models.ForeignKey(Release, models.CASCADE, db_constraint=False, related_name="trials")
    k = models.PositiveSmallIntegerField()
    l = models.PositiveSmallIntegerField(null=True)  # noqa: E741  (what the papers call it)
    t = models.DecimalField(max_digits=3, decimal_places=2, null=True)
    state = models.CharField(max_length=10, choices=JobState, default=JobState.QUEUED)
    step = models.CharField(max_length=40, blank=True)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    result = models.JSONField(default=dict)
    refusal = models.CharField(max_length=500, blank=True)
    asked_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["client", "release", "k", "l", "t"],
                nulls_distinct=False,
                name="analytics_trial_one_a_setting",
            ),
        )
        indexes = (
            models.Index(
                fields=["agency", "due_at"],
                condition=models.Q(due_at__isnull=False),
                name="analytics_trial_due",
            ),
        )


class Spend(ClientOwned, WithId):
    """
    One question that was paid for out of a recipient's budget of a year. Written once, never changed.

    Each row begins where the one before ended: `previous` and `before` are that row's number and sum, by a foreign key,
    so that two at once cannot both be the next, and none can be left out of the sum.
    """

    recipient = models.ForeignKey(Recipient, models.PROTECT, db_constraint=False, related_name="spends")
    year = models.PositiveSmallIntegerField()
    number = models.PositiveIntegerField()
    previous = models.PositiveIntegerField(null=True)
    before = models.DecimalField(max_digits=6, decimal_places=3)
    epsilon = models.DecimalField(max_digits=6, decimal_places=3)
    after = models.DecimalField(max_digits=6, decimal_places=3)
    budget = models.DecimalField(max_digits=6, decimal_places=3)
    question = models.JSONField()
    spent_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    spent_at = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "id"], name="analytics_spend_in_client"),
            models.UniqueConstraint(
                fields=["client", "recipient", "year", "number"], name="analytics_spend_next"
            ),
            models.UniqueConstraint(
                fields=["client", "recipient", "year", "number", "after"], name="analytics_spend_sum"
            ),
            models.CheckConstraint(
                condition=models.Q(epsilon__gt=0, after=models.F("before") + models.F("epsilon")),
                name="analytics_spend_adds_up",
            ),
            models.CheckConstraint(
                condition=models.Q(after__lte=models.F("budget")), name="analytics_spend_within"
            ),
            models.CheckConstraint(
                condition=models.Q(number=1, previous__isnull=True, before=0)
                | models.Q(number__gt=1, previous=models.F("number") - 1),
                name="analytics_spend_follows",
            ),
        )

    def __str__(self) -> str:
        return f"{self.epsilon} of {self.budget}"


class NoisyAnswer(ClientOwned, WithId):
    """What a question that was paid for was answered: figures with noise, each with its margin. Drawn once."""

    spend = models.ForeignKey(Spend, models.PROTECT, db_constraint=False, related_name="answers")
    figures = models.JSONField()
    answered_at = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (models.UniqueConstraint(fields=["client", "spend"], name="analytics_answer_once"),)
