"""What a client has declared and asks of itself, where its calls are answered, and which rules decide."""

from django.db import models

from callprivacy.calls.models import Caller
from callprivacy.tenancy.models import AgencyOwned, ClientOwned, WithId
from consent.enums import Basis, Standard, UnknownAge


class Declaration(ClientOwned, WithId):
    """On what a client rests measuring its calls, with its balancing test; the newest counts."""

    basis = models.CharField(max_length=24, choices=Basis)
    balancing_test = models.TextField(max_length=4000, blank=True)
    declared_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    declared_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["client"],
                condition=models.Q(ended_at__isnull=True),
                name="consent_declaration_one_counts",
            ),
        )

    def __str__(self) -> str:
        return self.get_basis_display()


class ClientStandard(ClientOwned, WithId):
    """
    What a client asks of itself beyond the law, until when; without one it is express consent.

    With it stands whether claimed consent counts, how an unknown age is read, and why: decisions show the reason.
    """

    standard = models.CharField(max_length=14, choices=Standard)
    chosen_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    chosen_at = models.DateTimeField()
    expires_on = models.DateField(null=True)
    ended_at = models.DateTimeField(null=True)
    counts_claimed = models.BooleanField(default=False, db_default=False)
    unknown_age = models.CharField(
        max_length=5, choices=UnknownAge, default=UnknownAge.ADULT, db_default=UnknownAge.ADULT
    )
    reason = models.CharField(max_length=200, default="", db_default="", blank=True)

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["client"],
                condition=models.Q(ended_at__isnull=True),
                name="consent_standard_one_counts",
            ),
            models.CheckConstraint(
                condition=models.Q(counts_claimed=False)
                | (models.Q(expires_on__isnull=False) & ~models.Q(reason="")),
                name="consent_standard_claimed_has_a_reason",
            ),
            models.CheckConstraint(
                condition=models.Q(standard=Standard.EXPRESS) | models.Q(expires_on__isnull=False),
                name="consent_standard_lower_expires",
            ),
        )

    def __str__(self) -> str:
        return self.get_standard_display()


class AnsweringSite(ClientOwned, WithId):
    """Where a client's calls are answered; its law counts beside the caller's. A tracking number's site names it."""

    name = models.CharField(max_length=200)
    country = models.CharField(max_length=2)
    region = models.CharField(max_length=8, blank=True)
    is_default = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "name"], name="consent_site_name"),
            models.UniqueConstraint(fields=["client", "id"], name="consent_site_in_client"),
            models.UniqueConstraint(
                fields=["client"], condition=models.Q(is_default=True), name="consent_site_one_default"
            ),
        )

    def __str__(self) -> str:
        return self.name


class Acknowledgement(ClientOwned, WithId):
    """That a person who answers calls knows of being recorded, since when, and which words they signed."""

    site = models.ForeignKey(
        AnsweringSite, models.CASCADE, db_constraint=False, related_name="acknowledgements"
    )
    person = models.CharField(max_length=120)
    words = models.TextField(max_length=2000)
    acknowledged_on = models.DateField()
    left_on = models.DateField(null=True, blank=True)
    recorded_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "site", "person"], name="consent_acknowledgement_once"),
        )

    def __str__(self) -> str:
        return self.person


class RulePack(AgencyOwned, WithId):
    """
    Rules of the law that an agency imported in place of the shipped ones; the newest active one decides.

    What it changes was counted against the rules with the digest `counted_against`, and is true while those decide.
    """

    name = models.CharField(max_length=120)
    text = models.TextField()
    digest = models.CharField(max_length=64)
    is_active = models.BooleanField(default=False)
    clients_changed = models.PositiveIntegerField(default=0)
    decisions_changed = models.PositiveIntegerField(default=0)
    imported_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    imported_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    counted_at = models.DateTimeField(null=True)
    counted_against = models.CharField(max_length=64, default="", db_default="")
    activated_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    activated_at = models.DateTimeField(null=True)

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["agency"], condition=models.Q(is_active=True), name="consent_rulepack_one_active"
            ),
        )
        indexes = (
            models.Index(
                fields=["agency", "due_at"],
                condition=models.Q(due_at__isnull=False),
                name="consent_rulepack_due",
            ),
        )

    def __str__(self) -> str:
        return self.name


class PackEffect(ClientOwned):
    """What a pack of rules would change at one client, as far as a job has counted; it goes on from the cursor."""

    id = models.BigAutoField(primary_key=True)
    # PostgreSQL cascades: only a job may write these rows, and an officer sees those of granted clients only.
    pack = models.ForeignKey(RulePack, models.DO_NOTHING, related_name="effects")
    counted = models.PositiveIntegerField(default=0)
    newly_allowed = models.PositiveIntegerField(default=0)
    newly_withheld = models.PositiveIntegerField(default=0)
    cursor = models.UUIDField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta(ClientOwned.Meta):
        constraints = (models.UniqueConstraint(fields=["client", "pack"], name="consent_packeffect_once"),)


class RuleSignOff(AgencyOwned, WithId):
    """That counsel approved one rule as it stood: who, when. A rule that changes has lost it."""

    rule_id = models.CharField(max_length=60)
    rule_digest = models.CharField(max_length=64)
    counsel = models.CharField(max_length=120)
    signed_on = models.DateField()
    recorded_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    recorded_at = models.DateTimeField()

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["agency", "rule_id", "rule_digest"], name="consent_rulesignoff_once"
            ),
        )


class CallerPlace(ClientOwned):
    """Where a caller lives by an address that the client knows: the best evidence of place. It goes with the caller."""

    caller = models.OneToOneField(
        Caller, models.CASCADE, primary_key=True, db_constraint=False, related_name="+"
    )
    country = models.CharField(max_length=2)
    region = models.CharField(max_length=8, blank=True)
    recorded_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    recorded_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.country}-{self.region}" if self.region else self.country


class MinorMark(ClientOwned):
    """
    That somebody of the staff knows a caller to be a minor, who says so and since when. It goes with the caller.

    From `majority_on` on, where it is known, the person is none any more.
    """

    caller = models.OneToOneField(
        Caller, models.CASCADE, primary_key=True, db_constraint=False, related_name="+"
    )
    majority_on = models.DateField(null=True)
    marked_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    marked_at = models.DateTimeField()


class DecidedFrom(ClientOwned):
    """
    A digest of what all decisions of a client rest on beside the ledger: its numbers with their announcements and
    sites, its places, trade and state. Where it differs from what is there now, everything is decided anew.

    And by what withheld recordings leave; where they leave sooner now, or at the tracker too, officers are told. Both
    are empty where it was not looked at yet.
    """

    id = models.BigAutoField(primary_key=True)
    digest = models.CharField(max_length=32)
    quarantine_hours = models.PositiveSmallIntegerField(null=True)
    at_vendor = models.BooleanField(null=True)
    seen_at = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (models.UniqueConstraint(fields=["client"], name="consent_decidedfrom_one_a_client"),)


class Rejudgement(ClientOwned, WithId):
    """
    That recordings are to be decided anew: those of one caller, that of one call (by a reference's digest), or all of
    the client's. A job works it off from the cursor.
    """

    caller_id = models.UUIDField(null=True)
    call_digest = models.BinaryField(max_length=32, null=True)
    cause = models.CharField(max_length=60)
    cursor = models.UUIDField(null=True)
    due_at = models.DateTimeField()
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta(ClientOwned.Meta):
        indexes = (
            models.Index(
                fields=["agency", "due_at"],
                condition=models.Q(finished_at__isnull=True),
                name="consent_rejudgement_due",
            ),
        )
