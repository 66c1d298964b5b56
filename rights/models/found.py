"""What was found of a person, and the package in which a person gets it."""

import uuid

from django.db import models

from callprivacy.tenancy.models import ClientOwned
from rights.enums import Copies, OtherParty, PackageState
from rights.models.cases import Case, Submission
from rights.models.owned import Held
from rights.models.proofs import Identity, Proof


class Finding(ClientOwned):
    """
    One line of what a search found: one client, one identity, one category of copies, how many and from when to when.

    `submission` may be the agency's own, of which each client's lines are seen by those granted that client alone.
    `erased` and `kept` say what an erasure did, `kept_why` why the rest stayed ("hold", "law", "evidence", ...);
    where an erasure noted it, `kept_by` says how many stayed for which reason.
    """

    id = models.BigAutoField(primary_key=True)
    submission = models.ForeignKey(
        Submission, models.CASCADE, db_constraint=False, related_name="findings", db_index=False
    )
    identity = models.ForeignKey(
        Identity, models.CASCADE, db_constraint=False, related_name="findings", db_index=False
    )
    caller_id = models.UUIDField(null=True)
    copies = models.CharField(max_length=12, choices=Copies)
    count = models.PositiveIntegerField()
    detail = models.JSONField(default=dict)
    oldest_at = models.DateTimeField(null=True)
    newest_at = models.DateTimeField(null=True)
    found_at = models.DateTimeField()
    erased = models.PositiveIntegerField(default=0)
    kept = models.PositiveIntegerField(default=0)
    kept_why = models.CharField(max_length=40, blank=True)
    kept_by = models.JSONField(default=dict, db_default={})

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["client", "submission", "identity", "copies"], name="rights_finding_once"
            ),
        )
        indexes = (models.Index(fields=["submission", "client"], name="rights_finding_of_request"),)

    @property
    def stays(self) -> dict[str, int]:
        """How many stay, by reason."""
        found: dict[str, int] = self.kept_by
        if sum(found.values()) == self.kept:
            return found
        return {self.kept_why: self.kept} if self.kept else {}


class Package(Held):
    """
    Everything about a person as one sealed file, behind a link that works once after a fresh proof, for seven days.

    `contents` counts what is in it by `Copies`, and names what was left out and why. `file_key` is the sealed file
    (callprivacy.vault.files of the holder). `digest` is the SHA-256 of the file in the clear. The link's key stands in
    the directory of public keys (purpose CASE); `link_digest` is its SHA-256. A download takes the link: `fetched_at`;
    whoever needs the file again within the seven days gets another link after another proof. `ends_when_taken`: the
    person was erased since, so that an hour after a download the file goes, too.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(
        Case, models.CASCADE, db_constraint=False, related_name="packages", db_index=False
    )
    state = models.CharField(max_length=10, choices=PackageState, default=PackageState.WAITING)
    other_party = models.CharField(max_length=10, choices=OtherParty, default=OtherParty.WITHHOLD)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    contents = models.JSONField(default=dict)
    file_key = models.UUIDField(null=True)
    size = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True)
    link_digest = models.BinaryField(max_length=32, null=True)
    link_expires_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    ready_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    ends_when_taken = models.BooleanField(default=False, db_default=False)
    gone_at = models.DateTimeField(null=True)

    class Meta:
        base_manager_name = "objects"
        constraints = (
            models.UniqueConstraint(
                fields=["agency", "link_digest"],
                condition=models.Q(link_digest__isnull=False),
                name="rights_package_by_link",
            ),
        )
        indexes = (
            models.Index(fields=["case", "created_at"], name="rights_package_of_case"),
            models.Index(
                fields=["agency", "expires_at"],
                condition=models.Q(gone_at__isnull=True, expires_at__isnull=False),
                name="rights_package_expires",
            ),
        )


class Download(Held):
    """That a package was fetched: when, on which fresh proof; `event_id` is the trail's event. Only added."""

    id = models.BigAutoField(primary_key=True)
    package = models.ForeignKey(
        Package, models.CASCADE, db_constraint=False, related_name="downloads", db_index=False
    )
    proof = models.ForeignKey(
        Proof, models.CASCADE, null=True, related_name="+", db_constraint=False, db_index=False
    )
    at = models.DateTimeField()
    event_id = models.BigIntegerField(null=True)

    class Meta:
        base_manager_name = "objects"
        indexes = (models.Index(fields=["package", "at"], name="rights_download_of_package"),)
