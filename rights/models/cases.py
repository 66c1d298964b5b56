"""
Requests: what one person sent in at once, and a case for each thing that was asked for.

What names a person or speaks in the person's words is sealed under the submission's own key (`request/<its id>` of its
holder), which is destroyed when the days of retention's policy for requests are over: they count from the instant at
which the last of its cases was closed.
"""

import uuid
from datetime import datetime
from typing import Self

from django.db import models
from django.db.models.functions import Cast

from callprivacy.accounts.models import User
from callprivacy.tenancy.enums import Answerer, PartyRole
from callprivacy.tenancy.models import Client, ClientOwned, ScopedQuerySet
from callprivacy.vault.fields import SealedField
from rights.enums import Ask, CaseState, Channel, Decided, EventKind, Kind, OnBehalf, StepKind, StepState
from rights.models.owned import Held


class SubmissionQuerySet(ScopedQuerySet["Submission"]):
    def to_search(self, at: datetime) -> Self:
        return self.filter(search_due_at__lte=at)


class Submission(Held):
    """
    What one person sent in at once: who asks, for whom, how the answer shall come. Its cases say what is asked for.

    `parent` is the agency's own submission that this client's was made from, once the client could be named.
    `contact` is JSON: {"name", "mail", "phone", "post"}, each a text or missing. `words` is what the person wrote.
    `said_at`: where staff typed the day of receipt alone, the last instant at which it can have come in, by which what
    it refuses is weighed against a yes; null where the instant is known. The clocks count from `received_at`.
    `place_by` says how the place is known: "said", "address", "area_code" or "".
    The search is the fan-out: it is due at `search_due_at`, has looked at `search_done` of `search_total` clients, and
    ended at `searched_at`; what it found are rows of `Finding`. `ended_at`: when the last of its cases was closed.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    parent = models.ForeignKey(
        "self", models.SET_NULL, null=True, related_name="children", db_constraint=False, db_index=False
    )
    channel = models.CharField(max_length=10, choices=Channel)
    on_behalf = models.CharField(max_length=10, choices=OnBehalf, default=OnBehalf.SELF)
    is_minor = models.BooleanField(default=False)
    language = models.CharField(max_length=2, default="en")
    country = models.CharField(max_length=2, blank=True)
    region = models.CharField(max_length=8, blank=True)
    place_by = models.CharField(max_length=12, blank=True)
    contact = SealedField(null=True)
    words = SealedField(null=True)
    received_at = models.DateTimeField()
    said_at = models.DateTimeField(null=True)
    recorded_at = models.DateTimeField()
    recorded_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    search_due_at = models.DateTimeField(null=True)
    search_total = models.PositiveIntegerField(default=0)
    search_done = models.PositiveIntegerField(default=0)
    search_failures = models.PositiveSmallIntegerField(default=0)
    searched_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects = models.Manager.from_queryset(SubmissionQuerySet)()  # type: ignore[misc]  # a manager with more words

    class Meta:
        base_manager_name = "objects"
        indexes = (
            models.Index(
                fields=["agency", "search_due_at"],
                condition=models.Q(search_due_at__isnull=False),
                name="rights_submission_search",
            ),
            models.Index(
                fields=["agency", "client", "ended_at"],
                condition=models.Q(ended_at__isnull=False),
                name="rights_submission_end",
            ),
            models.Index(fields=["parent"], name="rights_submission_parent"),
        )


class CaseQuerySet(ScopedQuerySet["Case"]):
    def open(self) -> Self:
        """Cases in which something is still owed."""
        return self.filter(closed_at__isnull=True)

    def ours(self) -> Self:
        """Open cases that we answer: not those that a client has taken over, with its receipt."""
        return self.open().exclude(state=CaseState.HANDED_OVER, client_has_it_at__isnull=False)


class Case(Held):
    """
    One thing that a person asked of one client, or of the agency.

    Its clock: `acknowledge_by`, `extend_before` and `answer_by` are last days in the client's zone; `*_due_at` is the
    first instant that is too late. All of them follow the law that is soonest, `law`; `laws` is a list of
    {"law", "name", "sure", "why", "acknowledge_by", "answer_by", "extend_before", "terms", "counted"}, soonest first:
    why the law applies, and how its days were counted, in sentences. `law_ids`: the ids of `laws` as JSON, which
    PostgreSQL writes: few different texts, by which the board finds the cases of a law.

    `paused_at`: since when the person is asked what is meant. The days are then those of the laws whose clock runs on,
    and `answer_by` is empty where it stands by all of them.

    `extending_at`: somebody has said why it takes longer; `extended_at`: the person was told so in time, which alone
    moves the days. `identified_at`: when what proves who asks had come in.

    The six fields of 11 CCR 7101(b): `received_at`, `asks`, `channel`, `answered_at`, `decided`, `ground`. They are
    kept as retention's policy for requests says, and used for nothing else.

    `said_at`: of an appeal that staff typed by its day, and of what it opens anew, the last instant at which it can
    have come in, as of a submission.

    `answerer` and `role` are the engagement's words on the day the case was opened. `took_effect_at`: since when what
    was refused is stopped here. `ask_again_from`: before that day nobody asks the person to opt in again.
    `answer` is what the person is told, sealed. `appeal_of`: the case whose answer this appeal is against; both are of
    one submission.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    submission = models.ForeignKey(
        Submission, models.CASCADE, db_constraint=False, related_name="cases", db_index=False
    )
    reference = models.CharField(max_length=12)
    asks = models.CharField(max_length=16, choices=Ask)
    kind = models.CharField(max_length=12, choices=Kind)
    channel = models.CharField(max_length=10, choices=Channel)
    state = models.CharField(max_length=12, choices=CaseState)
    answerer = models.CharField(max_length=16, choices=Answerer)
    role = models.CharField(max_length=12, choices=PartyRole)
    owner = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    appeal_of = models.ForeignKey(
        "self", models.CASCADE, null=True, related_name="appeals", db_constraint=False
    )
    received_at = models.DateTimeField()
    said_at = models.DateTimeField(null=True)
    law = models.CharField(max_length=20, blank=True)
    laws = models.JSONField(default=list)
    law_ids = models.GeneratedField(
        expression=Cast(
            models.Func(models.F("laws"), models.Value("$[*].law"), function="jsonb_path_query_array"),
            models.TextField(),
        ),
        output_field=models.TextField(),
        db_persist=True,
    )
    acknowledge_by = models.DateField(null=True)
    acknowledge_due_at = models.DateTimeField(null=True)
    acknowledged_at = models.DateTimeField(null=True)
    extend_before = models.DateField(null=True)
    extending_at = models.DateTimeField(null=True)
    extended_at = models.DateTimeField(null=True)
    extended_for = models.CharField(max_length=20, blank=True)
    answer_by = models.DateField(null=True)
    answer_due_at = models.DateTimeField(null=True)
    paused_at = models.DateTimeField(null=True)
    identified_at = models.DateTimeField(null=True)
    took_effect_at = models.DateTimeField(null=True)
    ask_again_from = models.DateField(null=True)
    handed_over_at = models.DateTimeField(null=True)
    client_has_it_at = models.DateTimeField(null=True)
    decided = models.CharField(max_length=10, choices=Decided, blank=True)
    ground = models.CharField(max_length=40, blank=True)
    answer = SealedField(null=True)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    answered_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    objects = models.Manager.from_queryset(CaseQuerySet)()  # type: ignore[misc]  # a manager with more words

    class Meta:
        base_manager_name = "objects"
        constraints = (
            models.UniqueConstraint(fields=["agency", "reference"], name="rights_case_reference"),
            models.CheckConstraint(
                condition=models.Q(decided="") | models.Q(decided_at__isnull=False),
                name="rights_case_decided_some_day",
            ),
        )
        indexes = (
            models.Index(fields=["submission"], name="rights_case_of_submission"),
            models.Index(
                fields=["client", "answer_due_at", "id"],
                condition=models.Q(closed_at__isnull=True),
                name="rights_case_board",
            ),
            models.Index(fields=["client", "-received_at", "-id"], name="rights_case_newest"),
            models.Index(fields=["agency", "law_ids", "client"], name="rights_case_laws"),
            # Who looks after many clients walks these two until a page is full, instead of sorting all there is.
            models.Index(fields=["agency", "-received_at", "-id"], name="rights_case_newest_of_all"),
            models.Index(
                fields=["agency", "answer_due_at", "id"],
                condition=models.Q(closed_at__isnull=True),
                name="rights_case_clock",
            ),
        )

    def __str__(self) -> str:
        return self.reference

    @property
    def client_answers(self) -> bool:
        """Whether the client has taken it over, with its receipt, so that it is not ours to answer."""
        return self.state == CaseState.HANDED_OVER and self.client_has_it_at is not None

    @property
    def client_agrees_first(self) -> bool:
        """Whether the engagement has the client agree to the answer; what works at once waits for nobody."""
        waits = self.client_id is not None and not Ask(self.asks).works_at_once
        return waits and self.answerer == Answerer.AFTER_APPROVAL

    @property
    def stands(self) -> bool:
        """Whether its clock stands by every law that sets a day."""
        return self.paused_at is not None and self.answer_by is None


class Pause(Held):
    """While the person is asked what exactly is meant; the clock stands by laws that let it. Open without `until`."""

    id = models.BigAutoField(primary_key=True)
    case = models.ForeignKey(Case, models.CASCADE, db_constraint=False, related_name="pauses", db_index=False)
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)

    class Meta:
        base_manager_name = "objects"
        constraints = (
            models.UniqueConstraint(
                fields=["agency", "case"],
                condition=models.Q(until__isnull=True),
                name="rights_pause_one_at_a_time",
            ),
            models.CheckConstraint(
                condition=models.Q(until__isnull=True) | models.Q(until__gte=models.F("since")),
                name="rights_pause_ends_after_it_begins",
            ),
        )
        indexes = (models.Index(fields=["case", "since"], name="rights_pause_of_case"),)


class CaseEvent(Held):
    """
    One line of a case's timeline, in the order of `at` and `id`. Only added.

    `shown`: the person's own page shows it too. `words` are sealed under the submission's key. `details` are small
    facts without personal values. `event_id` is the trail's event of the deed.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, models.CASCADE, db_constraint=False, related_name="events", db_index=False)
    kind = models.CharField(max_length=20, choices=EventKind)
    at = models.DateTimeField()
    user = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    by = models.CharField(max_length=60)
    shown = models.BooleanField(default=False)
    words = SealedField(null=True)
    details = models.JSONField(default=dict)
    event_id = models.BigIntegerField(null=True)

    class Meta:
        base_manager_name = "objects"
        indexes = (models.Index(fields=["case", "at", "id"], name="rights_event_of_case"),)

    def __str__(self) -> str:
        return self.kind


class CaseNote(Held):
    """What staff wrote to each other about a case, sealed under the submission's key."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, models.CASCADE, db_constraint=False, related_name="notes", db_index=False)
    words = SealedField()
    by = models.ForeignKey(User, models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        base_manager_name = "objects"
        indexes = (models.Index(fields=["case", "at"], name="rights_note_of_case"),)


class CaseTask(Held):
    """Something that a person has to do for a case; its words are sealed under the submission's key."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, models.CASCADE, db_constraint=False, related_name="tasks", db_index=False)
    words = SealedField()
    owner = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    due_on = models.DateField(null=True)
    added_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    added_at = models.DateTimeField()
    done_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    done_at = models.DateTimeField(null=True)

    class Meta:
        base_manager_name = "objects"
        indexes = (models.Index(fields=["case", "due_on"], name="rights_task_of_case"),)


class StepQuerySet(ScopedQuerySet["Step"]):
    def due(self, at: datetime) -> Self:
        return self.filter(due_at__lte=at)


class Step(Held):
    """
    What a job does for a case, once: found by its `due_at`, claimed by moving that on, repeated until it is done.

    `wanted` is what the step was told when it was decided, in small facts without personal values; `outcome` what came
    of it: for an erasure {"calls": {"erased", "kept", "why"}, ...} by `Copies`. One that is kept has no `due_at`: what
    it is about is under a hold, or a law wants it kept, and it is due once nothing does.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, models.CASCADE, db_constraint=False, related_name="steps", db_index=False)
    kind = models.CharField(max_length=10, choices=StepKind)
    state = models.CharField(max_length=10, choices=StepState, default=StepState.WAITING)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    wanted = models.JSONField(default=dict)
    outcome = models.JSONField(default=dict)
    due_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.CharField(max_length=120, blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    objects = models.Manager.from_queryset(StepQuerySet)()  # type: ignore[misc]  # a manager with more words

    class Meta:
        base_manager_name = "objects"
        constraints = (
            models.UniqueConstraint(fields=["agency", "case", "kind"], name="rights_step_once_a_case"),
        )
        indexes = (
            models.Index(
                fields=["agency", "due_at"],
                condition=models.Q(due_at__isnull=False),
                name="rights_step_due",
            ),
            models.Index(
                fields=["agency", "created_at"],
                condition=models.Q(state="kept"),
                name="rights_step_kept",
            ),
        )


class ClientFacts(ClientOwned):
    """
    What a client said of itself, by which laws reach it or not; what is empty was not said, and relaxes nothing.

    `revenue`: of the year before, in US dollars. `sale_share`: per cent of it from selling personal data. `sensitive`:
    whether any sensitive data are handled. `people` and `traded`: by US state ("VA"), of how many people data are
    handled, or bought, sold and shared, in a year.
    """

    client = models.OneToOneField(
        Client, models.PROTECT, primary_key=True, related_name="+", db_constraint=False
    )
    revenue = models.BigIntegerField(null=True)
    sale_share = models.PositiveSmallIntegerField(null=True)
    sensitive = models.BooleanField(null=True)
    people = models.JSONField(default=dict)
    traded = models.JSONField(default=dict)
    nonprofit = models.BooleanField(null=True)
    ask = models.CharField("whom people may ask at the client", max_length=200, blank=True)
    set_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    set_at = models.DateTimeField()
