"""
What was done, and what vouches for it. Rows are only ever added: a trigger refuses everything else, to the
owner as well. Nothing here has a foreign key, so that no deed on another table can touch the trail.
"""

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.functions import Now

from callprivacy.audit.leaves import LeavingMessage, Mark, SealMessage, instant
from callprivacy.audit.merkle import Frontier
from callprivacy.lib.scope import ScopeKind
from callprivacy.tenancy.models import ScopedManager
from callprivacy.vault.fields import SealedField

ACTION = r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$"


class TransactionIdField(models.Field):  # type: ignore[type-arg]  # generic for the type checker alone
    """PostgreSQL's xid8: the 64-bit id of the transaction that wrote a row, an int in Python."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "xid8"

    def get_prep_value(self, value: Any) -> Any:
        prepared = super().get_prep_value(value)
        return str(prepared) if isinstance(prepared, int) else prepared

    def from_db_value(self, value: Any, *_: Any) -> int | None:
        return None if value is None else int(value)

    def to_python(self, value: Any) -> int | None:
        return None if value is None else int(value)


class CurrentTransaction(models.Func):
    function = "pg_current_xact_id"
    arity = 0
    output_field = TransactionIdField()


class CurrentEpoch(models.Func):
    """The number of the newest epoch."""

    function = "audit_current_epoch"
    arity = 0
    output_field = models.IntegerField()


class Epoch(models.Model):
    """
    One life of the database cluster. Transaction ids start over when a dump is restored elsewhere, so events
    are ordered by epoch first, and a restore begins a new one.
    """

    number = models.PositiveIntegerField(primary_key=True)
    started_at = models.DateTimeField(db_default=Now())
    why = models.CharField(max_length=200)

    def __str__(self) -> str:
        return f"epoch {self.number}"


class Pulse(models.Model):
    """
    One row by which `default` and `vault` know whether one of them is older than the other (docs/adr/0151).

    `count` rises here first and is then noted in the vault; `confirmed` is what the vault is known to have noted.
    `epoch` is that of the last beat: a later one has begun where a restore was declared to the trail. `xid` is a
    transaction of `xid_epoch` as new as the newest seal: where PostgreSQL has not come to it, ids start over. An
    earlier version's beats write `epoch` and not these two. `is_carried` keeps that ids start over until it is made
    good (docs/adr/0151). `restored_at` is when one of the two was last put back from an old copy and made good.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    count = models.BigIntegerField(default=0)
    confirmed = models.BigIntegerField(default=0)
    epoch = models.IntegerField(default=1)
    xid = TransactionIdField(null=True)
    xid_epoch = models.IntegerField(null=True)
    is_carried = models.BooleanField(default=False, db_default=False)
    restored_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.CheckConstraint(condition=models.Q(id=1), name="audit_pulse_one_row"),)

    def __str__(self) -> str:
        return f"pulse {self.count}"


class Event(models.Model):
    """One deed: who, what, on what, when. No personal values; a reason is a hash, its text sealed beside."""

    id = models.BigAutoField(primary_key=True)
    agency_id = models.BigIntegerField()
    client_id = models.BigIntegerField(null=True)
    actor_kind = models.CharField(max_length=10, choices=[(kind.value, kind.value) for kind in ScopeKind])
    actor_user_id = models.BigIntegerField(null=True)
    actor_name = models.CharField(max_length=100)
    action = models.CharField(max_length=80)
    subject_kind = models.CharField(max_length=80, blank=True)
    subject_id = models.CharField(max_length=80, blank=True)
    at = models.DateTimeField()
    details = models.JSONField(default=dict)
    reason_hash = models.CharField(max_length=64, blank=True)
    xid = TransactionIdField(db_default=CurrentTransaction())
    epoch = models.IntegerField(db_default=CurrentEpoch())

    is_readable = True
    """False where cells hold what no program of ours writes, and other values stand for them."""

    objects = ScopedManager()

    class Meta:
        base_manager_name = "objects"
        indexes = (
            models.Index(fields=["agency_id", "epoch", "xid", "id"], name="audit_event_order"),
            models.Index(fields=["agency_id", "at", "id"], name="audit_event_newest"),
            models.Index(fields=["agency_id", "client_id", "at", "id"], name="audit_event_of_client"),
            models.Index(fields=["agency_id", "actor_user_id", "at", "id"], name="audit_event_of_person"),
            models.Index(fields=["agency_id", "action", "at", "id"], name="audit_event_of_action"),
            models.Index(
                fields=["agency_id", "subject_kind", "subject_id", "at"], name="audit_event_of_subject"
            ),
        )
        constraints = (
            models.CheckConstraint(condition=models.Q(action__regex=ACTION), name="audit_event_noun_verbed"),
            models.CheckConstraint(
                condition=models.Q(reason_hash="") | models.Q(reason_hash__regex=r"^[0-9a-f]{64}$"),
                name="audit_event_reason_is_a_hash",
            ),
        )

    def __str__(self) -> str:
        return f"{self.action} #{self.pk}"

    @property
    def mark(self) -> Mark:
        """Where the event stands in the order of the trail."""
        return Mark(self.epoch, self.xid, self.pk)

    def as_leaf(self) -> dict[str, Any]:
        """The members that are hashed; docs/trail.md is their specification."""
        return {
            "v": 1,
            "agency": self.agency_id,
            "id": self.pk,
            "epoch": self.epoch,
            "xid": str(self.xid),
            # What cannot be read is never what was sealed, whatever stands for it.
            "at": instant(self.at) if self.is_readable else None,
            "actor": {"kind": self.actor_kind, "user": self.actor_user_id, "name": self.actor_name},
            "action": self.action,
            "client": self.client_id,
            "subject": {"kind": self.subject_kind, "id": self.subject_id},
            "details": self.details,
            "reason": self.reason_hash or None,
        }


class Reason(models.Model):
    """
    The words behind an event, sealed under the client's key (or the agency's) and erasable.

    The sealed text begins with 64 random hex digits, so the hash in the event cannot be tried against guesses
    once the words are gone.
    """

    event_id = models.BigIntegerField(primary_key=True)
    agency_id = models.BigIntegerField()
    client_id = models.BigIntegerField(help_text="Whose key seals it: a client, or minus the agency's id.")
    words = SealedField()

    objects = ScopedManager()

    class Meta:
        base_manager_name = "objects"

    def __str__(self) -> str:
        return f"reason of event {self.event_id}"


class Seal(models.Model):
    """A signed root over an agency's events so far, chained to the seal before it."""

    id = models.BigAutoField(primary_key=True)
    agency_id = models.BigIntegerField()
    number = models.BigIntegerField()
    first_event = models.BigIntegerField()
    last_event = models.BigIntegerField()
    count = models.IntegerField()
    size = models.BigIntegerField()
    root = models.BinaryField(max_length=32)
    previous = models.BinaryField(max_length=32)
    epoch = models.IntegerField()
    until_xid = TransactionIdField()
    until_id = models.BigIntegerField()
    signed_at = models.DateTimeField()
    sealed_at = models.DateTimeField(db_default=Now(), help_text="By the database's clock, whatever is said.")
    key_id = models.CharField(max_length=16)
    signature = models.BinaryField(max_length=64)
    peaks = models.BinaryField(help_text="Roots of the full subtrees, 32 bytes each, largest first.")
    leaves = models.BinaryField(
        help_text="40 bytes an event, in order: its id (big-endian) and its leaf hash."
    )

    is_readable = True
    """As an event's."""

    objects = ScopedManager()

    class Meta:
        base_manager_name = "objects"
        constraints = (
            models.UniqueConstraint(fields=["agency_id", "number"], name="audit_seal_number_in_agency"),
            models.UniqueConstraint(
                fields=["agency_id", "epoch", "until_xid", "until_id"], name="audit_seal_until_in_agency"
            ),
            models.CheckConstraint(condition=models.Q(count__gte=1), name="audit_seal_covers_something"),
        )

    def __str__(self) -> str:
        return f"seal {self.number} of agency {self.agency_id}"

    @property
    def until(self) -> Mark:
        """The first mark that the seal does not cover."""
        return Mark(self.epoch, self.until_xid, self.until_id)

    def message(self) -> SealMessage:
        return SealMessage(
            agency_id=self.agency_id,
            number=self.number,
            first_event=self.first_event,
            last_event=self.last_event,
            count=self.count,
            size=self.size,
            root=bytes(self.root),
            previous=bytes(self.previous),
            until=self.until,
            signed_at=self.signed_at,
            key_id=self.key_id,
        )

    def frontier(self) -> Frontier:
        """
        The tree as this seal left it.

        :raises ValueError: its peaks are not those of its size and root: somebody changed it.
        """
        found = Frontier.load(self.size, bytes(self.peaks))
        if found.root() != bytes(self.root):
            raise ValueError("Its peaks are not those of its root.")
        return found

    def listed(self) -> list[tuple[int, bytes]]:
        """The event ids and leaf hashes it covers, in order."""
        return unpack_leaves(bytes(self.leaves))


class Leaving(models.Model):
    """
    Events that left by policy: those of the seals from one to another, whose rows and roots stay.

    Written by one function of the database alone, `audit_leave`, in the transaction that removes the events. From
    `begin` to `until`, exclusive, in the order of the trail. `statement` is what was signed, byte for byte.
    """

    id = models.BigAutoField(primary_key=True)
    agency_id = models.BigIntegerField()
    first_seal = models.BigIntegerField()
    last_seal = models.BigIntegerField()
    events = models.BigIntegerField()
    begin_epoch = models.IntegerField()
    begin_xid = TransactionIdField()
    begin_id = models.BigIntegerField()
    until_epoch = models.IntegerField()
    until_xid = TransactionIdField()
    until_id = models.BigIntegerField()
    statement = models.TextField()
    signature = models.BinaryField(max_length=64)
    left_at = models.DateTimeField(db_default=Now())
    xid = TransactionIdField(db_default=CurrentTransaction())

    objects = ScopedManager()

    class Meta:
        base_manager_name = "objects"
        constraints = (
            models.UniqueConstraint(fields=["agency_id", "first_seal"], name="audit_leaving_first_in_agency"),
            models.UniqueConstraint(fields=["agency_id", "last_seal"], name="audit_leaving_last_in_agency"),
            models.CheckConstraint(
                condition=models.Q(first_seal__gte=1, last_seal__gte=models.F("first_seal"), events__gte=1),
                name="audit_leaving_of_something",
            ),
        )

    def __str__(self) -> str:
        return f"seals {self.first_seal} to {self.last_seal} of agency {self.agency_id}"

    def message(self) -> LeavingMessage:
        """
        Read what was signed.

        :raises ValueError: it is no such statement.
        """
        return LeavingMessage.from_json(self.statement)


class HouseEvent(models.Model):
    """What has no agency: a failed sign-in, a start of the platform."""

    id = models.BigAutoField(primary_key=True)
    action = models.CharField(max_length=80)
    at = models.DateTimeField()
    details = models.JSONField(default=dict)
    xid = TransactionIdField(db_default=CurrentTransaction())

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=models.Q(action__regex=ACTION), name="audit_houseevent_noun_verbed"
            ),
        )

    def __str__(self) -> str:
        return f"{self.action} #{self.pk}"


_ENTRY = 40


def pack_leaves(leaves: list[tuple[int, bytes]]) -> bytes:
    """Event ids and leaf hashes as a seal stores them."""
    return b"".join(event_id.to_bytes(8, "big") + digest for event_id, digest in leaves)


def unpack_leaves(packed: bytes) -> list[tuple[int, bytes]]:
    """
    The opposite of `pack_leaves`; a torn end is left out, so that a damaged seal can still be compared.
    """
    whole = range(0, len(packed) - len(packed) % _ENTRY, _ENTRY)
    return [(int.from_bytes(packed[at : at + 8], "big"), packed[at + 8 : at + _ENTRY]) for at in whole]
