"""By what a person says who they are, and what showed that it is so."""

import uuid

from django.db import models

from callprivacy.accounts.models import User
from callprivacy.vault.fields import SealedField
from rights.enums import IdentityKind, IdentityState, ProofKind
from rights.models.cases import Submission
from rights.models.owned import Held


class Identity(Held):
    """
    One number, address or withheld call that a person claims in a submission. Each needs its own proof; only proven
    ones are answered.

    `value` is sealed under the submission's key: a number in E.164, an address in lower case, or for a withheld call
    JSON {"at", "minutes", "business"}. `caller_id` is the caller in the vault of the submission's client: found by the
    number when it is proven; of an agency's own submission the findings hold them. `call_id`: of a withheld call the
    one that somebody has found to be it. `from_at`: calls before it are not shown on this proof (older than twelve
    months, or before the number is known to have changed hands) until a person has looked: `looked_by`.
    `others_until`: since when the number is known to be this person's; calls before it are another holder's, and no
    erasure takes them until a person has looked.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    submission = models.ForeignKey(
        Submission, models.CASCADE, db_constraint=False, related_name="identities", db_index=False
    )
    kind = models.CharField(max_length=10, choices=IdentityKind)
    value = SealedField()
    state = models.CharField(max_length=10, choices=IdentityState, default=IdentityState.CLAIMED)
    caller_id = models.UUIDField(null=True)
    call_id = models.UUIDField(null=True)
    from_at = models.DateTimeField(null=True)
    others_until = models.DateTimeField(null=True)
    claimed_at = models.DateTimeField()
    proven_at = models.DateTimeField(null=True)
    looked_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    looked_at = models.DateTimeField(null=True)

    class Meta:
        base_manager_name = "objects"
        constraints = (
            models.CheckConstraint(
                condition=~models.Q(state=IdentityState.PROVEN) | models.Q(proven_at__isnull=False),
                name="rights_identity_proven_some_day",
            ),
        )
        indexes = (
            models.Index(fields=["submission"], name="rights_identity_of_request"),
            models.Index(
                fields=["client", "caller_id"],
                condition=models.Q(caller_id__isnull=False),
                name="rights_identity_of_caller",
            ),
        )


class Proof(Held):
    """
    One thing that shows an identity, or a right to ask for somebody else. Only added.

    With an identity it shows that one; without, it is about the submission (declaration, permission, guardian).
    `evidence` is JSON sealed under the submission's key: the two facts as they were said and whether they fit, the
    words of the declaration and the name signed, what staff saw. `file_key` is a sealed file that was handed in
    (callprivacy.vault.files of the holder), of the type `file_type`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    submission = models.ForeignKey(
        Submission, models.CASCADE, db_constraint=False, related_name="proofs", db_index=False
    )
    identity = models.ForeignKey(
        Identity, models.CASCADE, null=True, db_constraint=False, related_name="proofs", db_index=False
    )
    kind = models.CharField(max_length=12, choices=ProofKind)
    holds = models.BooleanField()
    evidence = SealedField(null=True)
    file_key = models.UUIDField(null=True)
    file_type = models.CharField(max_length=40, blank=True)
    at = models.DateTimeField()
    user = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    by = models.CharField(max_length=60)

    class Meta:
        base_manager_name = "objects"
        indexes = (models.Index(fields=["submission", "at"], name="rights_proof_of_request"),)

    def __str__(self) -> str:
        return f"{self.kind} {'holds' if self.holds else 'does not hold'}"
