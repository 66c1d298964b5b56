"""
What opens the rest: clients' keys, callers' tokens and keys, recordings' keys, and the memory of what was erased.

These tables live in a database of their own, backed up apart. They have no row security; only this
package's services touch them, always with the client named.
"""

from django.db import models

from callprivacy.vault.fields import StrictEncryptedField


class ClientKey(models.Model):
    """
    One generation of a client's key, and the chain of token keys that all its generations share.

    The chain is written as 64 hex digits for each token key, oldest first; `token_generation` is how many there are,
    `token_oldest` the oldest form in which a token of this client may still stand, and `token_made_at` when the
    newest was made.
    """

    client_id = models.BigIntegerField()
    agency_id = models.BigIntegerField()
    generation = models.PositiveIntegerField()
    key = StrictEncryptedField()
    token_key = StrictEncryptedField()
    token_generation = models.PositiveSmallIntegerField(default=1, db_default=1)
    token_oldest = models.PositiveSmallIntegerField(default=1, db_default=1)
    token_made_at = models.DateTimeField()
    master = models.CharField(max_length=16, db_index=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["client_id", "generation"], name="vault_clientkey_generation"),
            models.CheckConstraint(
                condition=models.Q(token_oldest__gte=1, token_oldest__lte=models.F("token_generation")),
                name="vault_clientkey_oldest_form",
            ),
        )

    def __str__(self) -> str:
        return f"key {self.generation} of client {self.client_id}"


class Caller(models.Model):
    """
    A number at one client: its token, and the two keys under which everything of that person is sealed.

    Of an erased person whose evidence must stay, the evidence key alone is left: no token, no content key.
    """

    id = models.UUIDField(primary_key=True)
    client_id = models.BigIntegerField()
    token = models.BinaryField(max_length=32, null=True)
    token_generation = models.PositiveSmallIntegerField(default=1, db_default=1)
    generation = models.PositiveIntegerField()
    content_key = models.BinaryField(null=True)
    evidence_key = models.BinaryField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["client_id", "token"], name="vault_caller_token_of_client"),
        )

    def __str__(self) -> str:
        return f"caller {self.pk}"


class RecordingKey(models.Model):
    """
    A key of its own for one thing that is sealed: a recording, a transcript, a stored file, a day of what came in, or a
    named purpose of a client (whose id is of UUID version 5).

    Wrapped by the caller's content key, or by the client's key where there is no caller. Destroying it erases that one
    thing.
    """

    id = models.UUIDField(primary_key=True)
    client_id = models.BigIntegerField(db_index=True)
    caller_id = models.UUIDField(null=True)
    generation = models.PositiveIntegerField()
    wrapped = models.BinaryField()
    created_at = models.DateTimeField()

    class Meta:
        indexes = (
            models.Index(
                fields=["client_id", "generation"],
                condition=models.Q(caller_id=None),
                name="vault_reckey_uncalled",
            ),
        )

    def __str__(self) -> str:
        return f"key of {self.pk}"


class Tombstone(models.Model):
    """An erased person at one client: found by token, so that no old copy brings them back."""

    client_id = models.BigIntegerField()
    token = models.BinaryField(max_length=32)
    token_generation = models.PositiveSmallIntegerField(default=1, db_default=1)
    erased_caller_id = models.UUIDField()
    erased_up_to = models.DateTimeField()
    ends_on = models.DateField()
    created_at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=["client_id", "token"], name="vault_tombstone_token"),)

    def __str__(self) -> str:
        return f"tombstone of {self.erased_caller_id}"


class CallTombstone(models.Model):
    """
    A call erased on request: the digest of what it was called elsewhere, or of its number and a second near its start.
    """

    client_id = models.BigIntegerField()
    digest = models.BinaryField(max_length=32)
    is_start = models.BooleanField(default=False, db_default=False)
    ends_on = models.DateField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["client_id", "digest"], name="vault_calltombstone_digest"),
        )
        indexes = (
            models.Index(
                fields=["client_id"], condition=models.Q(is_start=True), name="vault_calltombstone_start"
            ),
        )

    def __str__(self) -> str:
        return f"tombstone of a call of client {self.client_id}"


class Watermark(models.Model):
    """Before this instant a client's rows of a category have expired; nothing older is let in. Only moves forward."""

    client_id = models.BigIntegerField()
    category = models.CharField(max_length=20)
    before = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["client_id", "category"], name="vault_watermark_one_a_category"),
        )

    def __str__(self) -> str:
        return f"{self.category} of client {self.client_id} before {self.before:%Y-%m-%d}"


class Pulse(models.Model):
    """The highest count that `default` is known to have reached; where it says less, it was restored."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    count = models.BigIntegerField(default=0)

    class Meta:
        constraints = (models.CheckConstraint(condition=models.Q(id=1), name="vault_pulse_one_row"),)

    def __str__(self) -> str:
        return f"pulse {self.count}"


class FolderMark(models.Model):
    """The id that lies in a folder of files, by which it is known again; without it nothing is swept there."""

    folder = models.CharField(primary_key=True, max_length=10)
    mark = models.UUIDField()
    made_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"mark of {self.folder}"


class Suppression(models.Model):
    """
    A number that said no to a client, for one purpose; it outlives the erasure of the person.

    Found by token, so that texts and calls are refused although nobody knows whose number it was. Where the number has
    a caller, its token stands in the same form here as there.
    """

    client_id = models.BigIntegerField()
    token = models.BinaryField(max_length=32)
    token_generation = models.PositiveSmallIntegerField(default=1, db_default=1)
    purpose = models.CharField(max_length=10)
    since = models.DateTimeField()
    ends_on = models.DateField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["client_id", "token", "purpose"], name="vault_suppression_one_a_purpose"
            ),
        )
        indexes = (
            models.Index(fields=["client_id", "purpose", "since"], name="vault_suppression_newest"),
            models.Index(
                fields=["client_id", "purpose", "ends_on"],
                condition=models.Q(ends_on__isnull=False),
                name="vault_suppression_ends",
            ),
        )

    def __str__(self) -> str:
        return f"{self.purpose} refused to client {self.client_id}"


class ListedNumber(models.Model):
    """A number on a register that an agency uploaded, by the agency's own token."""

    id = models.BigAutoField(primary_key=True)
    list_id = models.UUIDField()
    token = models.BinaryField(max_length=32)
    token_generation = models.PositiveSmallIntegerField(default=1, db_default=1)
    on = models.DateField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["list_id", "token"], name="vault_listednumber_once_a_list"),
        )

    def __str__(self) -> str:
        return f"number on {self.list_id}"
