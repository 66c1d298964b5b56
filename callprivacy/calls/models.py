"""
Calls as they are kept: no number in the clear, no name, no text; each row inside its client.

A call's id is its time (UUIDv7's layout), so one index on (client_id, id) serves order, ranges and pages.
"""

import re
import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from callprivacy.accounts.models import ObjectAccess, ObjectGrant
from callprivacy.calls.enums import (
    ConfidentialCause,
    Direction,
    InboxState,
    JobState,
    Outcome,
    PullKind,
    RecordingState,
    RevealReason,
    TranscriptState,
)
from callprivacy.tenancy.models import ClientOwned, ScopedQuerySet, WithId
from callprivacy.vault.fields import SealedField, StrictEncryptedField

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOW_BITS = (1 << 80) - 1


def call_id(started_at: datetime, chance: int | None = None) -> uuid.UUID:
    """
    Return an id for a call: 48 bits of its start in milliseconds, then random bits, as UUIDv7 lays them out.

    :param started_at: aware instant, 1970 or later.
    :param chance: 80 bits in place of random ones, for tests.
    """
    millis = (started_at - _EPOCH) // timedelta(milliseconds=1)
    low = (secrets.randbits(80) if chance is None else chance) & _LOW_BITS
    value = (millis << 80) | low
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return uuid.UUID(int=value)


FIRST_ID = uuid.UUID(int=0)
"""Smaller than the id of every call."""


def first_id_at(instant: datetime) -> uuid.UUID:
    """Return the smallest id of a call that starts at `instant` or later; an exclusive upper limit, too."""
    return uuid.UUID(int=((instant - _EPOCH) // timedelta(milliseconds=1)) << 80)


def start_of(identity: uuid.UUID) -> datetime:
    """Return when the call with this id started, to the millisecond, in UTC."""
    return _EPOCH + timedelta(milliseconds=identity.int >> 80)


class TrackingNumber(ClientOwned, WithId):
    """A number that ads show, and what stands behind it. It is the client's, not a caller's."""

    number = models.CharField(max_length=16)
    label = models.CharField(max_length=120, blank=True)
    provider = models.CharField(max_length=20, blank=True)
    source = models.CharField(max_length=120, blank=True)
    campaign = models.CharField(max_length=120, blank=True)
    target_site = models.CharField(max_length=200, blank=True)
    region = models.CharField(max_length=8, blank=True)
    records = models.BooleanField("the vendor records", null=True)
    announcement = models.TextField(max_length=1000, blank=True)
    announced_from = models.DateField(null=True, blank=True)
    announced_on_recording = models.BooleanField("the recording holds the announcement", null=True)
    tested_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "number"], name="calls_trackingnumber_once_a_client"),
            models.UniqueConstraint(fields=["client", "id"], name="calls_trackingnumber_in_client"),
        )

    def __str__(self) -> str:
        return self.label or self.number


class Announcement(ClientOwned, WithId):
    """
    What callers of a tracking number heard before they were connected, from one instant to another.

    Evidence: a trigger lets a row be ended or struck out once, and whether the recording held the words be said once;
    nothing else of it changes. What is struck out was
    written down wrongly and counts nowhere.
    """

    tracking_number = models.ForeignKey(
        TrackingNumber, models.PROTECT, db_constraint=False, related_name="announcements"
    )
    words = models.TextField(max_length=1000)
    on_recording = models.BooleanField(null=True)
    from_at = models.DateTimeField()
    until_at = models.DateTimeField(null=True)
    written_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    written_at = models.DateTimeField()
    struck_at = models.DateTimeField(null=True)

    class Meta(ClientOwned.Meta):
        constraints = (
            models.CheckConstraint(
                condition=models.Q(until_at=None) | models.Q(until_at__gte=models.F("from_at")),
                name="calls_announcement_ends_after_it_begins",
            ),
            models.UniqueConstraint(
                fields=["client", "tracking_number"],
                condition=models.Q(until_at=None, struck_at=None),
                name="calls_announcement_one_goes_on",
            ),
        )

    def __str__(self) -> str:
        return f"announcement from {self.from_at:%Y-%m-%d}"


class Connection(ClientOwned, WithId):
    """A tracker's way in: its public key in the url, its secrets, and how it has been doing."""

    provider = models.CharField(max_length=20)
    name = models.CharField(max_length=120)
    key = models.CharField(max_length=64)
    mapping = models.JSONField(default=dict, blank=True)
    time_zone = models.CharField(max_length=64, blank=True)
    is_active = models.BooleanField(default=True)
    last_event_at = models.DateTimeField(null=True, blank=True)
    last_refused_at = models.DateTimeField(null=True, blank=True)
    events = models.BigIntegerField(default=0)
    rejected = models.BigIntegerField(default=0)
    stayed_out = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "key"], name="calls_connection_key"),
            models.UniqueConstraint(fields=["client", "id"], name="calls_connection_in_client"),
        )

    def __str__(self) -> str:
        return self.name


class ConnectionSecretQuerySet(ScopedQuerySet["ConnectionSecret"]):
    def counting(self, at: datetime) -> Self:
        """Secrets that count at `at`, the newest first; the door of trackers asks the same in its own statement."""
        return self.filter(Q(ends_at__isnull=True) | Q(ends_at__gt=at)).order_by("-created_at", "-pk")


class ConnectionSecret(ClientOwned, WithId):
    """One signing secret of a connection; during a rotation two are active."""

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="secrets")
    secret = StrictEncryptedField()
    created_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)

    objects = models.Manager.from_queryset(ConnectionSecretQuerySet)()  # type: ignore[misc]  # a manager with more words


class Pull(ClientOwned, WithId):
    """
    That a tracker is also asked for its calls: what opens its interface, and how asking goes.

    `leased_until`: a worker asks now. `rests_until`: nobody asks before, because the tracker failed or its limit is
    near. `covered_until`: calls that started before have been asked for. `marker`: what it told of last. `hour` and
    `day` are those in which `asked_in_hour` and `asked_in_day` questions were asked. `only_known`: calls to numbers
    that the client does not have are passed over, for an account that several clients share.
    """

    connection = models.ForeignKey(Connection, models.PROTECT, db_constraint=False, related_name="+")
    is_on = models.BooleanField(default=True)
    account = models.CharField(max_length=64, blank=True)
    company = models.CharField(max_length=64, blank=True)
    login = models.CharField(max_length=128, blank=True)
    secret = StrictEncryptedField(null=True)
    secret_set_at = models.DateTimeField(null=True)
    only_known = models.BooleanField(default=False)
    marker = models.CharField(max_length=100, blank=True)
    covered_until = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)
    rests_until = models.DateTimeField(null=True)
    failures = models.PositiveSmallIntegerField(default=0)
    last_error = models.CharField(max_length=200, blank=True)
    hour = models.DateTimeField(null=True)
    asked_in_hour = models.PositiveIntegerField(default=0)
    day = models.DateField(null=True)
    asked_in_day = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "id"], name="calls_pull_in_client"),
            models.UniqueConstraint(fields=["client", "connection"], name="calls_pull_one_a_connection"),
        )


class PullRun(ClientOwned, WithId):
    """
    One time that a tracker was asked for the calls of a while, page by page; where it is: `position`, `following`.

    `period` is what two beats cannot both claim. Of those listed, `brought` are the calls that no webhook had brought.
    News that had ended just before the question is none of them: its webhook may still come.
    """

    pull = models.ForeignKey(Pull, models.PROTECT, db_constraint=False, related_name="runs")
    kind = models.CharField(max_length=10, choices=PullKind)
    period = models.CharField(max_length=40)
    state = models.CharField(max_length=10, choices=JobState, default=JobState.QUEUED)
    from_at = models.DateTimeField()
    until_at = models.DateTimeField()
    position = models.DateTimeField()
    following = models.CharField(max_length=210, blank=True)
    pages = models.PositiveIntegerField(default=0)
    listed = models.PositiveIntegerField(default=0)
    passed_over = models.PositiveIntegerField(default=0)
    brought = models.PositiveIntegerField(default=0)
    known = models.PositiveIntegerField(default=0)
    stayed_out = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    failure = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "id"], name="calls_pullrun_in_client"),
            models.UniqueConstraint(
                fields=["client", "pull", "kind", "period"], name="calls_pullrun_once_a_period"
            ),
            models.CheckConstraint(
                condition=models.Q(until_at__gt=models.F("from_at")),
                name="calls_pullrun_ends_after_it_begins",
            ),
        )
        indexes = (
            models.Index(
                fields=["agency", "created_at"],
                condition=models.Q(state__in=[JobState.QUEUED, JobState.RUNNING]),
                name="calls_pullrun_open",
            ),
            models.Index(fields=["client", "pull", "-created_at"], name="calls_pullrun_newest"),
        )

    def __str__(self) -> str:
        return f"{self.kind} pull of {self.from_at:%Y-%m-%d %H:%M}"


class InboxQuerySet(ScopedQuerySet["Inbox"]):
    def due(self, at: datetime) -> Self:
        """Waiting rows whose time has come."""
        return self.filter(state=InboxState.WAITING, due_at__lte=at)

    def rejected(self) -> Self:
        """Rows that were signed but could not be understood."""
        return self.filter(state=InboxState.REJECTED)


class Inbox(ClientOwned, WithId):
    """What a tracker sent, sealed under the client's key, until it is processed."""

    connection = models.ForeignKey(Connection, models.PROTECT, related_name="+")
    event_digest = models.BinaryField(max_length=32, null=True)
    payload = SealedField()
    state = models.CharField(max_length=10, choices=InboxState, default=InboxState.WAITING)
    reason = models.CharField(max_length=200, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    pull_run = models.ForeignKey(
        "calls.PullRun", models.PROTECT, null=True, db_constraint=False, db_index=False, related_name="+"
    )
    received_at = models.DateTimeField()
    said_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField()

    objects = models.Manager.from_queryset(InboxQuerySet)()  # type: ignore[misc]  # a manager with more words

    class Meta(ClientOwned.Meta):
        indexes = (
            models.Index(fields=["agency", "state", "due_at"], name="calls_inbox_due"),
            models.Index(fields=["client", "state"], name="calls_inbox_of_client"),
        )


class Caller(ClientOwned):
    """
    A person at one client: the number, sealed once, and a name by which staff recognise a repeated caller.

    `has_evidence` says that the ledger of consent knows the caller, who then stays when the last call has expired.
    `restricted_at`: since when the person's calls are kept and used for nothing (GDPR article 18): neither shown, nor
    exported, nor counted, until a person lifts it. `restricted_from`: the first call id for which that is so; calls
    before are of whoever had the number before.
    """

    id = models.UUIDField(primary_key=True)
    number = SealedField()
    country = models.CharField(max_length=2, blank=True)
    region = models.CharField(max_length=8, blank=True)
    has_evidence = models.BooleanField(default=False, db_default=False)
    restricted_at = models.DateTimeField(null=True)
    restricted_from = models.UUIDField(default=FIRST_ID, db_default=FIRST_ID)
    created_at = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (models.UniqueConstraint(fields=["client", "id"], name="calls_caller_in_client"),)
        indexes = (
            models.Index(
                fields=["client", "id"],
                condition=models.Q(restricted_at__isnull=False),
                name="calls_caller_restricted",
            ),
        )

    def __str__(self) -> str:
        return f"Caller {self.label}"

    @property
    def label(self) -> str:
        """The stable name, "K7-42Q": five signs drawn from the random caller id."""
        return caller_label(self.pk)


_SIGNS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


def caller_label(caller_id: uuid.UUID) -> str:
    """Return the stable name of a caller within its client, such as "K7-42Q"."""
    value = caller_id.int
    letters = _SIGNS[8:]
    first, value = letters[value % len(letters)], value // len(letters)
    signs = ""
    for _ in range(4):
        signs, value = signs + _SIGNS[value % len(_SIGNS)], value // len(_SIGNS)
    return f"{first}{signs[0]}-{signs[1:]}"


LABELS = len(_SIGNS[8:]) * len(_SIGNS) ** 4
"""How many stable names there are."""


def label_number(label: str) -> int | None:
    """The remainder by `LABELS` of the ids with this stable name; None for what is no name."""
    match = re.fullmatch(r"([A-Z])([2-9A-Z])-([2-9A-Z]{3})", label.strip().upper().removeprefix("CALLER "))
    signs = "".join(match.groups()) if match else ""
    if not signs or any(sign not in _SIGNS for sign in signs):
        return None
    number = 0
    for sign in reversed(signs[1:]):
        number = number * len(_SIGNS) + _SIGNS.index(sign)
    return number * len(_SIGNS[8:]) + _SIGNS[8:].index(signs[0])


class KnownValueQuerySet(ScopedQuerySet["KnownValue"]):
    def waiting(self) -> Self:
        return self.filter(decided_at__isnull=True)

    def to_fill(self) -> Self:
        """Values that were decided on, while calls may still hold their placeholder."""
        return self.filter(decided_at__isnull=False, filled_at__isnull=True)


PLACEHOLDER = "New value "
"""What the placeholder of each value begins with."""


class KnownValue(ClientOwned):
    """
    A source or medium of a client that is no common one, and what calls keep in its place (see `services.values`).

    `value` is what came, or a keyed digest of it once it is refused. `stored_as` is empty until a person decides.
    `decided_by` is empty for what calls held before there was a list. `filled_at`: calls hold no placeholder any more.
    """

    id = models.BigAutoField(primary_key=True)
    field = models.CharField(max_length=10)
    value = models.CharField(max_length=120)
    stored_as = models.CharField(max_length=120, blank=True)
    first_seen_at = models.DateTimeField()
    decided_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    filled_at = models.DateTimeField(null=True)

    objects = models.Manager.from_queryset(KnownValueQuerySet)()  # type: ignore[misc]  # a manager with more words

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["client", "field", "value"], name="calls_knownvalue_once_a_client"
            ),
        )
        indexes = (
            models.Index(
                fields=["agency", "client"],
                condition=models.Q(decided_at__isnull=False, filled_at__isnull=True),
                name="calls_knownvalue_to_fill",
            ),
        )

    @property
    def kept_as(self) -> str:
        """What a call keeps: the text that a person decided on, or a placeholder that names this row."""
        return self.stored_as or self.placeholder

    @property
    def placeholder(self) -> str:
        return f"{PLACEHOLDER}{self.pk}, not confirmed"


class CallQuerySet(ScopedQuerySet["Call"]):
    def in_use(self) -> Self:
        """Calls that may be shown and counted: not those of people who had their data restricted."""
        restricted = Caller.objects.filter(restricted_at__isnull=False)
        begins = Caller.objects.filter(pk=models.OuterRef("caller_id")).values("restricted_from")[:1]
        return self.filter(
            models.Q(caller=None)
            | ~models.Q(caller_id__in=restricted.values("pk"))
            | models.Q(pk__lt=models.Subquery(begins))
        )

    def started_from(self, instant: datetime) -> Self:
        return self.filter(pk__gte=first_id_at(instant))

    def started_before(self, instant: datetime) -> Self:
        return self.filter(pk__lt=first_id_at(instant))


class Call(ClientOwned):
    """
    One call of one client, by the allowed fields alone.

    `came_late`: an import of history brought it. `on_hold`: it may not be erased, whatever is due. `redact_due_at`:
    since when its tracker has taken the person out, while ours waits for the hold to end. `confidential`: staff see it
    only where a `CallGrant` names them; a trigger keeps it, here and on what belongs to the call.
    """

    id = models.UUIDField(primary_key=True)
    caller = models.ForeignKey(Caller, models.PROTECT, null=True, db_constraint=False, related_name="calls")
    caller_withheld = models.BooleanField(default=False)
    connection = models.ForeignKey(
        Connection,
        models.PROTECT,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    tracking_number = models.ForeignKey(
        TrackingNumber,
        models.PROTECT,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    direction = models.CharField(max_length=10, choices=Direction)
    outcome = models.CharField(max_length=10, choices=Outcome)
    seconds = models.PositiveIntegerField(null=True)
    source = models.CharField(max_length=120, blank=True)
    campaign = models.CharField(max_length=120, blank=True)
    medium = models.CharField(max_length=60, blank=True)
    landing_page = models.CharField(max_length=120, blank=True, db_default="")
    keyword = models.CharField(max_length=120, blank=True, db_default="")
    country = models.CharField(max_length=2, blank=True)
    region = models.CharField(max_length=8, blank=True)
    first_call = models.BooleanField(null=True)
    qualified = models.BooleanField(null=True)
    value_cents = models.BigIntegerField(null=True)
    tags = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    sequence = models.BigIntegerField(default=-1)
    received_at = models.DateTimeField()
    came_late = models.BooleanField(default=False, db_default=False)
    on_hold = models.BooleanField(default=False, db_default=False)
    redact_due_at = models.DateTimeField(null=True)
    confidential = models.BooleanField(default=False, db_default=False)

    objects = models.Manager.from_queryset(CallQuerySet)()  # type: ignore[misc]  # a manager with more words

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "id"], name="calls_call_in_client"),
            models.CheckConstraint(
                condition=models.Q(seconds__isnull=True) | models.Q(seconds__lte=86400),
                name="calls_call_within_a_day",
            ),
            models.CheckConstraint(
                condition=~models.Q(caller_withheld=True, caller__isnull=False),
                name="calls_call_withheld_is_nobody",
            ),
        )
        indexes = (
            models.Index(fields=["client", "source", "id"], name="calls_call_by_source"),
            models.Index(fields=["client", "campaign", "id"], name="calls_call_by_campaign"),
            models.Index(
                fields=["agency", "redact_due_at"],
                condition=models.Q(redact_due_at__isnull=False),
                name="calls_call_redact_due",
            ),
            models.Index(
                fields=["client", "id"], condition=models.Q(on_hold=True), name="calls_call_on_hold"
            ),
            models.Index(
                fields=["client", "medium"],
                condition=models.Q(medium__startswith=PLACEHOLDER),
                name="calls_call_medium_waits",
            ),
        )

    def __str__(self) -> str:
        return f"call at {self.started_at:%Y-%m-%d %H:%M}"

    @property
    def started_at(self) -> datetime:
        """When the call started, UTC, to the millisecond: it is in the id."""
        return start_of(self.pk)


class ConfidentialCall(ClientOwned):
    """That a call is confidential, why, and since when; what is lifted counts no more."""

    id = models.BigAutoField(primary_key=True)
    call = models.ForeignKey(Call, models.CASCADE, db_constraint=False, db_index=False, related_name="+")
    cause = models.CharField(max_length=12, choices=ConfidentialCause)
    marked_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    marked_at = models.DateTimeField()
    lifted_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    lifted_at = models.DateTimeField(null=True)

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["client", "call"],
                condition=models.Q(lifted_at=None),
                name="calls_confidentialcall_once",
            ),
        )
        indexes = (models.Index(fields=["client", "call"], name="calls_confidentialcall_of_call"),)


class ConfidentialRule(ClientOwned):
    """That a rule of a client's is on, by which calls become confidential."""

    id = models.BigAutoField(primary_key=True)
    cause = models.CharField(max_length=12, choices=ConfidentialCause)
    switched_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    switched_at = models.DateTimeField()

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "cause"], name="calls_confidentialrule_once"),
            models.CheckConstraint(
                condition=~models.Q(cause=ConfidentialCause.OFFICER),
                name="calls_confidentialrule_is_no_person",
            ),
        )


class CallGrant(ClientOwned, ObjectGrant):
    """That a person is named for a confidential call: django-guardian's permission on the call, until it ends."""

    content_object = models.ForeignKey(
        Call, models.CASCADE, db_constraint=False, db_index=False, db_column="call_id", related_name="grants"
    )
    ends_at = models.DateTimeField()

    # Guardian's shortcuts do not read it: a grant on a call gives nothing without the one on its client.
    enabled = False

    class Meta(ClientOwned.Meta):
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=["client", "content_object", "user", "permission"], name="calls_callgrant_once"
            ),
        )
        indexes = (models.Index(fields=["agency", "user"], name="calls_callgrant_of_user"),)

    def __str__(self) -> str:
        return f"{self.permission_id} on call {self.content_object_id}"


class CallAccess(ObjectAccess):
    """Who may view which call: who may view the calls of its client."""

    id = models.CharField(max_length=60, primary_key=True)
    content_object = models.ForeignKey(Call, models.DO_NOTHING, db_column="call_id")


class CallRef(ClientOwned):
    """What a call is called elsewhere, as a keyed digest; a replay meets it."""

    id = models.BigAutoField(primary_key=True)
    provider = models.CharField(max_length=20)
    kind = models.CharField(max_length=20)
    digest = models.BinaryField(max_length=32)
    call = models.ForeignKey(Call, models.CASCADE, db_constraint=False, related_name="references")
    confidential = models.BooleanField(default=False, db_default=False)

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["client", "provider", "kind", "digest"],
                name="calls_callref_once_a_client",
            ),
        )

    def __str__(self) -> str:
        return f"{self.provider} {self.kind}"


class Recording(ClientOwned, WithId):
    """
    That a recording exists at the vendor, and where: sealed under the recording's own key.

    `consent` decides whether it may be heard: `decided_at` is empty while nobody has, or when it must be decided
    anew; what follows `withheld_from` stays withheld. `due_at` is when quarantine lets `retention` erase it.
    `file_key` names the sealed copy kept here. `came_late` marks what an import of history brought. What quarantine
    erased has no reference and no file; `vendor_told_at` is when deleting it at the vendor became somebody's errand.
    """

    call = models.OneToOneField(Call, models.CASCADE, db_constraint=False, related_name="recording")
    state = models.CharField(max_length=10, choices=RecordingState, default=RecordingState.WITHHELD)
    reference = SealedField(null=True)
    provider = models.CharField(max_length=20)
    seconds = models.PositiveIntegerField(null=True)
    came_late = models.BooleanField(default=False, db_default=False)
    decided_at = models.DateTimeField(null=True)
    withheld_from = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    fetch_due_at = models.DateTimeField(null=True)
    fetch_attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    file_key = models.UUIDField(null=True)
    file_size = models.BigIntegerField(null=True)
    media_type = models.CharField(max_length=40, blank=True, default="", db_default="")
    stored_at = models.DateTimeField(null=True)
    gone_at = models.DateTimeField(null=True)
    vendor_told_at = models.DateTimeField(null=True)
    confidential = models.BooleanField(default=False, db_default=False)

    class Meta(ClientOwned.Meta):
        constraints = (
            models.CheckConstraint(
                condition=models.Q(state=RecordingState.GONE, gone_at__isnull=False)
                | (~models.Q(state=RecordingState.GONE) & models.Q(gone_at=None, reference__isnull=False)),
                name="calls_recording_gone_is_dated",
            ),
        )
        indexes = (
            models.Index(
                fields=["agency", "id"],
                condition=models.Q(decided_at__isnull=True),
                name="calls_recording_undecided",
            ),
            models.Index(
                fields=["agency", "due_at"],
                condition=models.Q(due_at__isnull=False),
                name="calls_recording_due",
            ),
            models.Index(
                fields=["agency", "fetch_due_at"],
                condition=models.Q(fetch_due_at__isnull=False),
                name="calls_recording_fetch_due",
            ),
            models.Index(
                fields=["client", "call"],
                condition=~models.Q(state=RecordingState.GONE)
                | models.Q(due_at__isnull=True, reference__isnull=False),
                name="calls_recording_kept",
            ),
        )


class Transcript(ClientOwned, WithId):
    """A call's words, redacted on the way in and sealed under a key of their own; read only where that is allowed."""

    call = models.OneToOneField(Call, models.CASCADE, db_constraint=False, related_name="transcript")
    state = models.CharField(max_length=10, choices=TranscriptState, default=TranscriptState.WITHHELD)
    text = SealedField(null=True)
    provider = models.CharField(max_length=20)
    vendor_redacted = models.BooleanField(null=True)
    redactions = models.PositiveIntegerField(default=0)
    received_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    gone_at = models.DateTimeField(null=True)
    confidential = models.BooleanField(default=False, db_default=False)

    class Meta(ClientOwned.Meta):
        constraints = (
            models.CheckConstraint(
                condition=models.Q(state=TranscriptState.GONE, gone_at__isnull=False)
                | (~models.Q(state=TranscriptState.GONE) & models.Q(gone_at=None)),
                name="calls_transcript_gone_is_dated",
            ),
        )
        indexes = (
            models.Index(
                fields=["agency", "id"],
                condition=models.Q(decided_at__isnull=True),
                name="calls_transcript_undecided",
            ),
            models.Index(
                fields=["agency", "due_at"],
                condition=models.Q(due_at__isnull=False),
                name="calls_transcript_due",
            ),
            models.Index(
                fields=["client", "call"],
                condition=~models.Q(state=TranscriptState.GONE)
                | models.Q(due_at__isnull=True, text__isnull=False),
                name="calls_transcript_kept",
            ),
        )


class CallPress(ClientOwned):
    """
    A key that a tracker says was pressed on a call: which menu, which key; `consent` reads what it means.

    `from_file`: so far only a file that somebody brought says so, which nobody signed.
    """

    id = models.BigAutoField(primary_key=True)
    call = models.ForeignKey(Call, models.CASCADE, db_constraint=False, related_name="presses")
    name = models.CharField(max_length=40)
    value = models.CharField(max_length=4)
    at = models.DateTimeField()
    from_file = models.BooleanField(default=False)
    handled_at = models.DateTimeField(null=True)
    confidential = models.BooleanField(default=False, db_default=False)

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["client", "call", "name", "value"], name="calls_press_once_a_call"
            ),
        )
        indexes = (
            models.Index(
                fields=["agency", "id"],
                condition=models.Q(handled_at__isnull=True),
                name="calls_press_unhandled",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} {self.value}"


class CallImport(ClientOwned, WithId):
    """
    A file of calls on its way in: what it is, how far it is, and what was refused.

    `tries`: how many workers began to read on since one got any further. `first_of_two`: how many rows that may be
    taken, and then how many that were added, have a local time that came twice and is read as the first.
    """

    connection = models.ForeignKey(Connection, models.PROTECT, null=True, related_name="+")
    format = models.CharField(max_length=20)
    state = models.CharField(max_length=10, choices=JobState, default=JobState.DRAFT)
    mapping = models.JSONField(default=dict, blank=True)
    time_zone = models.CharField(max_length=64)
    file_key = models.UUIDField(null=True)
    file_digest = models.BinaryField(max_length=32, null=True)
    line = models.PositiveIntegerField(default=0)
    rows = models.PositiveIntegerField(default=0)
    rows_done = models.PositiveIntegerField(default=0)
    added = models.PositiveIntegerField(default=0)
    known = models.PositiveIntegerField(default=0)
    too_old = models.PositiveIntegerField(default=0)
    erased = models.PositiveIntegerField(default=0)
    doubtful = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    first_of_two = models.PositiveIntegerField(default=0, db_default=0)
    failure = models.CharField(max_length=200, blank=True)
    tries = models.PositiveSmallIntegerField(default=0, db_default=0)
    created_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta(ClientOwned.Meta):
        constraints = (models.UniqueConstraint(fields=["client", "id"], name="calls_callimport_in_client"),)


class ImportRefusal(ClientOwned):
    """A line that was not taken, its column and why; never what stood in it."""

    id = models.BigAutoField(primary_key=True)
    call_import = models.ForeignKey(CallImport, models.CASCADE, related_name="refusals")
    line = models.PositiveIntegerField()
    column = models.CharField(max_length=80)
    reason = models.CharField(max_length=200)

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["call_import", "line"], name="calls_refusal_once_a_line"),
        )

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


class CallExport(ClientOwned, WithId):
    """A masked CSV that a job writes: by whom, why, over which clients' filter, and the sealed file."""

    state = models.CharField(max_length=10, choices=JobState, default=JobState.QUEUED)
    filters = models.JSONField(default=dict)
    file_key = models.UUIDField(null=True)
    rows = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey("accounts.User", models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)

    class Meta(ClientOwned.Meta):
        constraints = (models.UniqueConstraint(fields=["client", "id"], name="calls_callexport_in_client"),)


class Reveal(ClientOwned, WithId):
    """
    A number that was shown to a person: the count behind the hourly limit and the weekly sample.

    It was a call's, or that of a caller for something else that names no call.
    """

    call = models.ForeignKey(Call, models.CASCADE, null=True, db_constraint=False, related_name="+")
    caller_id = models.UUIDField(null=True)
    user = models.ForeignKey("accounts.User", models.PROTECT, related_name="+")
    reason_kind = models.CharField(max_length=12, choices=RevealReason)
    reason_digest = models.BinaryField(max_length=32)
    is_repeat = models.BooleanField(default=False)
    event_id = models.BigIntegerField()
    at = models.DateTimeField()
    sampled_on = models.DateField(null=True)

    class Meta(ClientOwned.Meta):
        constraints = (
            models.CheckConstraint(
                condition=models.Q(call__isnull=False) | models.Q(caller_id__isnull=False),
                name="calls_reveal_is_of_somebody",
            ),
        )
        indexes = (
            models.Index(fields=["agency", "user", "at"], name="calls_reveal_of_user"),
            models.Index(
                fields=["agency", "sampled_on"],
                condition=models.Q(sampled_on__isnull=False),
                name="calls_reveal_sampled",
            ),
            models.Index(fields=["agency", "event_id"], name="calls_reveal_newest"),
            models.Index(fields=["agency", "user", "reason_digest", "at"], name="calls_reveal_same_reason"),
        )
