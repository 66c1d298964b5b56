"""
The ledger: what people were told, agreed to, refused and withdrew, and what was decided from it.

Events are only added (a trigger refuses UPDATE); a person's state is a projection that can be rebuilt from them.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from callprivacy.calls.models import Call
from callprivacy.tenancy.models import ClientOwned, WithId
from callprivacy.vault.fields import SealedField
from consent.enums import Basis, Channel, EventKind, Purpose, Scope, Standard, State, Strength
from consent.models.notices import NoticeVersion


class ConsentEvent(ClientOwned, WithId):
    """
    One thing that happened between a person and a client about one purpose.

    `caller_id` names a caller of the vault, whose evidence key outlives an erasure; a call without a caller
    (number withheld) has its events by its call alone. `call_digest` is one of the call's references
    (`calls.CallRef.digest`), which is known before the call is here and stays when its start is corrected.
    `source_digest` is the same when the same fact is said again. The evidence is JSON, sealed under
    the caller's evidence key, or the client's where there is no caller. `guardian_until` is the day on which a minor
    comes of age for whom a guardian agreed; it stands in the evidence too.
    """

    caller_id = models.UUIDField(null=True)
    call_digest = models.BinaryField(max_length=32, null=True)
    purpose = models.CharField(max_length=10, choices=Purpose)
    kind = models.CharField(max_length=12, choices=EventKind)
    basis = models.CharField(max_length=24, choices=Basis)
    scope = models.CharField(max_length=10, choices=Scope)
    channel = models.CharField(max_length=12, choices=Channel)
    strength = models.CharField(max_length=1, choices=Strength)
    guardian_until = models.DateField(null=True)
    version = models.ForeignKey(
        NoticeVersion, models.PROTECT, null=True, db_constraint=False, related_name="events"
    )
    document_id = models.UUIDField(null=True)
    evidence = SealedField(null=True)
    evidence_digest = models.BinaryField(max_length=32, null=True)
    source_digest = models.BinaryField(max_length=32)
    happened_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    recorded_by = models.CharField(max_length=60)
    user = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    audit_event_id = models.BigIntegerField(null=True)

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "source_digest"], name="consent_event_said_once"),
            models.CheckConstraint(
                condition=models.Q(caller_id__isnull=False) | models.Q(call_digest__isnull=False),
                name="consent_event_is_about_somebody",
            ),
            models.CheckConstraint(
                condition=~models.Q(scope=Scope.THIS_CALL) | models.Q(call_digest__isnull=False),
                name="consent_event_names_its_call",
            ),
        )
        indexes = (
            models.Index(fields=["client", "caller_id", "happened_at"], name="consent_event_of_caller"),
            models.Index(
                fields=["client", "call_digest"],
                condition=models.Q(call_digest__isnull=False),
                name="consent_event_of_call",
            ),
            models.Index(fields=["client", "recorded_at"], name="consent_event_newest"),
            models.Index(fields=["client", "happened_at"], name="consent_event_oldest"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.purpose}"


class ConsentState(ClientOwned):
    """Where a caller stands with a purpose, out of the standing events; `manage.py rebuild_consent` makes it again."""

    id = models.BigAutoField(primary_key=True)
    caller_id = models.UUIDField()
    purpose = models.CharField(max_length=10, choices=Purpose)
    state = models.CharField(max_length=12, choices=State)
    strength = models.CharField(max_length=1, choices=Strength, blank=True)
    event_id = models.UUIDField(null=True)
    version_id = models.UUIDField(null=True)
    since = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["client", "caller_id", "purpose"], name="consent_state_one_a_purpose"
            ),
        )
        indexes = (
            models.Index(fields=["client", "purpose", "state"], name="consent_state_coverage"),
            models.Index(
                fields=["client", "purpose", "since"],
                condition=models.Q(state=State.GIVEN),
                name="consent_state_ageing",
            ),
        )


class Decision(ClientOwned):
    """
    What was decided of one call and one purpose, from which places, rules and event, in words.

    Recording is decided once for each recorded call and again when evidence, rules or places change; what is
    judged at the moment of use (review, analyse, share) leaves its row at the use.
    """

    id = models.BigAutoField(primary_key=True)
    call = models.ForeignKey(Call, models.CASCADE, db_constraint=False, related_name="decisions")
    purpose = models.CharField(max_length=10, choices=Purpose)
    allowed = models.BooleanField()
    lawful = models.BooleanField()
    standard_met = models.BooleanField()
    standard = models.CharField(max_length=14, choices=Standard)
    basis = models.CharField(max_length=24, blank=True)
    event_id = models.UUIDField(null=True)
    rules = ArrayField(models.CharField(max_length=60), default=list)
    reasons = ArrayField(models.CharField(max_length=300), default=list)
    places = models.JSONField(default=list)
    withheld_from = models.DateTimeField(null=True)
    pack = models.CharField(max_length=64)
    decided_at = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["client", "call", "purpose"], name="consent_decision_one_a_purpose"
            ),
        )
        indexes = (
            models.Index(fields=["client", "purpose", "allowed", "basis"], name="consent_decision_counts"),
            models.Index(
                fields=["client", "event_id"],
                condition=models.Q(event_id__isnull=False),
                name="consent_decision_rests_on",
            ),
        )

    def __str__(self) -> str:
        return f"{self.purpose}: {'allowed' if self.allowed else 'not allowed'}"
