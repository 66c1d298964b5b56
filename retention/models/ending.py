"""The end of an engagement: what is handed over, what is destroyed, and the signed statement of it."""

from django.db import models

from callprivacy.accounts.models import User
from callprivacy.tenancy.models import ClientOwned, WithId
from retention.enums import EndState


class Offboarding(ClientOwned, WithId):
    """
    One client that leaves, from the question to the statement.

    `extent` is what there was at `counted_at`: as it was asked for, and anew as somebody lets everything go. `file_key`
    names the sealed file that is handed over; its link opens it once, and only the link's digest is kept. `step` is
    what is being erased and `cursor` how far, so that a killed worker goes on there; `erased` counts by category,
    `among` the recordings and callers among these, and `closed` what was open until then. `came_since` is how much had
    come that was not in the file when the ways in were shut, for which it is written anew. `stays_shut`: it is not
    taken back any more, since that was done or the hour for what came in was over. `waits_since`: since when its step
    waits, for what came in to be read or for a folder to be emptied; neither is waited for endlessly. `given_up` counts
    steps at vendors.
    `moved_to` is where people who follow an old link are shown to.
    """

    state = models.CharField(max_length=10, choices=EndState, default=EndState.ASKED)
    moved_to = models.URLField(max_length=300, blank=True)
    with_numbers = models.BooleanField(default=False)
    extent = models.JSONField(default=dict)
    counted_at = models.DateTimeField(null=True)
    asked_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    agreed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    agreed_at = models.DateTimeField(null=True)
    file_key = models.UUIDField(null=True)
    file_digest = models.CharField(max_length=64, blank=True)
    file_rows = models.JSONField(default=dict)
    link_digest = models.BinaryField(max_length=32, null=True)
    link_until = models.DateTimeField(null=True)
    taken_at = models.DateTimeField(null=True)
    taken_by_link = models.BooleanField(default=False)
    came_since = models.PositiveIntegerField(default=0, db_default=0)
    stays_shut = models.BooleanField(default=False, db_default=False)
    step = models.CharField(max_length=12, blank=True)
    waits_since = models.DateTimeField(null=True)
    given_up = models.PositiveIntegerField(default=0, db_default=0)
    cursor = models.UUIDField(null=True)
    erased = models.JSONField(default=dict)
    among = models.JSONField(default=dict, db_default={})
    closed = models.JSONField(default=dict, db_default={})
    leased_until = models.DateTimeField(null=True)
    failures = models.PositiveSmallIntegerField(default=0)
    last_error = models.CharField(max_length=200, blank=True)
    statement = models.TextField(blank=True)
    signature = models.CharField(max_length=128, blank=True)
    key_id = models.CharField(max_length=64, blank=True)
    finished_at = models.DateTimeField(null=True)

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["client"],
                condition=~models.Q(state=EndState.STOPPED),
                name="retention_offboarding_once",
            ),
            models.CheckConstraint(
                condition=models.Q(agreed_by=None) | ~models.Q(agreed_by=models.F("asked_by")),
                name="retention_offboarding_second_person",
            ),
        )
        indexes = (
            models.Index(
                fields=["agency", "asked_at"],
                condition=models.Q(state__in=[EndState.ASKED, EndState.WRITING, EndState.ERASING]),
                name="retention_offboarding_due",
            ),
        )
