"""
Withdrawals on their way, and the steps that vendors still owe: for the board, worst first.

What is kept back is read here, too: nothing is destroyed at a vendor while its client is observed or a hold keeps the
call. Stopping a recording that runs is never kept back.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import (
    Aggregate,
    Case,
    Count,
    Exists,
    F,
    IntegerField,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Coalesce

from callprivacy.calls.enums import RecordingState
from callprivacy.calls.models import CallRef, Recording, caller_label
from callprivacy.calls.providers import by_hand
from callprivacy.calls.providers.base import ByHand
from callprivacy.lib.status import Progress, Reader, Thing, words_for
from callprivacy.tenancy.enums import RetentionState
from callprivacy.tenancy.models import Client
from consent import kinds
from consent.enums import Purpose, VendorStep, WaitingState
from consent.models import (
    AdDestination,
    MenuSession,
    VendorTask,
    VendorTaskQuerySet,
    WebhookDelivery,
    WebhookEndpoint,
    Withdrawal,
)
from consent.selectors import decisions, pages
from consent.selectors.vendors import vendor_of

PAGE: Final = 50

LOUD_AFTER: Final = 5
"""How often a vendor's interface may fail before a person hears of it; it is tried on."""

NEAR: Final = timedelta(days=2)
AT_TWILIO: Final = (VendorStep.STOP_RECORDING, VendorStep.DELETE_RECORDING)


# --- What steps wait for ------------------------------------------------------------------------------------------


def is_held() -> Q:
    """A condition on steps: a hold keeps the call whose recording is meant."""
    recording = Recording.objects.filter(
        pk=OuterRef("recording_id"), client_id=OuterRef("client_id"), call__on_hold=True
    )
    # A step of a call through our menu names its session: the recording may have no row here yet.
    session = MenuSession.objects.filter(pk=OuterRef(OuterRef("recording_id"))).values("call_digest")
    call = CallRef.objects.filter(client_id=OuterRef("client_id"), digest__in=session, call__on_hold=True)
    return Q(Exists(recording)) | Q(Exists(call))


def is_ours_still() -> Q:
    """A condition on steps that follow our own erasing (they name no caller): ours is not erased yet."""
    ours = Recording.objects.filter(pk=OuterRef("recording_id"), client_id=OuterRef("client_id"))
    return Q(Exists(ours.exclude(state=RecordingState.GONE)), caller_id__isnull=True, withdrawal__isnull=True)


def kept_back() -> Q:
    """
    A condition on steps: they delete at a vendor, and the client is observed, a hold keeps the call, or our own copy
    has to leave first.
    """
    live = Q(client__retention_state=RetentionState.LIVE, client__went_live_at__isnull=False)
    waits = ~live | is_held() | is_ours_still()
    return Q(step=VendorStep.DELETE_RECORDING, state=WaitingState.WAITING) & waits


def failing() -> Q:
    """A condition on steps: Twilio was asked again and again, or refused, and a person has to look."""
    again = Q(state=WaitingState.WAITING, attempts__gte=LOUD_AFTER) & ~Q(last_error="")
    return Q(by_ticket=False, step__in=AT_TWILIO) & (Q(state=WaitingState.FAILED) | again)


def at_the_laws_date(*, at: datetime) -> Q:
    """A condition on open steps: our own target has passed, and the law's date has too or comes within two days."""
    return _is_pressing(at) & ~kept_back()


def _is_pressing(at: datetime) -> Q:
    """The same of steps whether they are kept back or not."""
    return Q(target_at__lte=at, outer_at__lte=at + NEAR, withdrawal__isnull=False) & ~Q(law="")


@dataclass(frozen=True, slots=True)
class Pressing:
    """
    What cannot wait on the board.

    :ivar late: withdrawals of which a step is past the law's date. :ivar near: of which one comes to it in two days.
    :ivar failing: steps that Twilio does not do.
    """

    late: int
    near: int
    failing: int

    @property
    def by_law(self) -> int:
        """Withdrawals at the law's date or past it."""
        return self.late + self.near


def pressing(client_ids: list[int], *, at: datetime) -> Pressing:
    """What of these clients is at the law's date or fails; two queries."""
    rows = VendorTask.objects.open().filter(client_id__in=client_ids)
    found: dict[uuid.UUID | None, datetime] = {}
    for withdrawal_id, outer_at in rows.filter(at_the_laws_date(at=at)).values_list(
        "withdrawal_id", "outer_at"
    ):
        found[withdrawal_id] = min(outer_at, found.get(withdrawal_id, outer_at))
    late = sum(outer_at <= at for outer_at in found.values())
    return Pressing(
        late=late,
        near=len(found) - late,
        failing=rows.filter(failing()).exclude(kept_back()).count(),
    )


# --- What waits for a person --------------------------------------------------------------------------------------

WAITING_FOR_PEOPLE: Final = (
    kinds.WITHDRAWAL_CHOICE,
    kinds.VENDOR_TASKS,
    kinds.VENDOR_FAILS,
    kinds.WITHDRAWALS_BY_LAW,
)
"""The kinds of items of the queue that `waiting_for_people` counts."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many wait under one item of the queue, and the first date among them."""

    count: int
    first_at: datetime | None


def waiting_for_people(client_ids: Collection[int], *, at: datetime) -> dict[tuple[int, str], Waiting]:
    """
    What waits for a person, by client and kind of item, where anything does; one statement for all of them.

    Steps are counted, and for the law's dates withdrawals. What is kept back waits for nobody.
    """
    mine = Q(state__in=(WaitingState.WAITING, WaitingState.FAILED), kept=False)
    by_law = _is_pressing(at) & Q(kept=False)
    of_kind = {
        kinds.WITHDRAWAL_CHOICE: mine & Q(step=VendorStep.CHOOSE),
        kinds.VENDOR_TASKS: mine & Q(due_at=None, fails=False) & ~Q(step=VendorStep.CHOOSE),
        kinds.VENDOR_FAILS: mine & Q(fails=True),
    }
    told: dict[str, Aggregate] = {
        f"{kind}_count": Count("pk", filter=which) for kind, which in of_kind.items()
    }
    told |= {f"{kind}_first": Min("target_at", filter=which) for kind, which in of_kind.items()}
    law = kinds.WITHDRAWALS_BY_LAW
    told[f"{law}_count"] = Count("withdrawal_id", distinct=True, filter=by_law)
    told[f"{law}_first"] = Min("outer_at", filter=by_law)
    rows: Iterable[Any] = (
        VendorTask.objects.open()
        .filter(client_id__in=client_ids)
        .annotate(kept=_said(kept_back()), fails=_said(failing()))
        .values("client_id")
        .annotate(**told)
    )
    return {
        (row["client_id"], kind): Waiting(row[f"{kind}_count"], row[f"{kind}_first"])
        for row in rows
        for kind in WAITING_FOR_PEOPLE
        if row[f"{kind}_count"]
    }


def _said(condition: Q) -> Case:
    """Whether a condition holds, as a column; what is unknown does not hold."""
    return Case(When(condition, then=Value(True)), default=Value(False))


# --- The board ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """
    One withdrawal on the board.

    :ivar choices: how many of its steps wait for an officer's choice.
    :ivar tone: how it stands: "bad" past its date, "warn" past our own target, "" otherwise.
    """

    row: Withdrawal
    caller: str
    purposes: tuple[str, ...]
    progress: Progress
    choices: int
    tone: str

    @property
    def words(self) -> str:
        """How far it is at vendors."""
        return words_for(self.progress, Reader.OFFICER, thing=Thing.WITHDRAWAL)


@dataclass(frozen=True, slots=True)
class Board:
    """A page of the board, and where the next one begins."""

    lines: list[Line]
    older: str
    total_open: int


def board(
    client_ids: list[int],
    *,
    state: str,
    at: datetime,
    before: str = "",
    withdrawal_id: uuid.UUID | None = None,
) -> Board:
    """
    Withdrawals of these clients, the newest first; three queries.

    :param state: "open", "late", "law" (at the law's date), "failed", "done" or "" for all.
    :param before: the cursor of a page, as `Board.older` gave it; one that cannot be read begins anew.
    """
    rows: QuerySet[Withdrawal] = Withdrawal.objects.filter(client_id__in=client_ids)
    total_open = rows.filter(closed_at=None).count()
    if withdrawal_id is not None:
        rows = rows.filter(pk=withdrawal_id)
    if state == "open":
        rows = rows.filter(closed_at=None)
    elif state == "late":
        rows = rows.filter(closed_at=None, target_at__lt=at)
    elif state in {"law", "failed"}:
        wanted = at_the_laws_date(at=at) if state == "law" else failing() & ~kept_back()
        rows = rows.filter(Exists(VendorTask.objects.open().filter(wanted, withdrawal=OuterRef("pk"))))
    elif state == "done":
        rows = rows.filter(closed_at__isnull=False)
    found, older = pages.newest(rows.select_related("client"), "stopped_at", before=before, size=PAGE)
    tasks: dict[uuid.UUID | None, list[VendorTask]] = defaultdict(list)
    for task in VendorTask.objects.filter(withdrawal__in=found).only("withdrawal_id", *_COUNTED):
        tasks[task.withdrawal_id].append(task)
    lines = [_line(row, tasks[row.pk], at) for row in found]
    return Board(lines, older, total_open)


_COUNTED: Final = ("step", "state", "sent_at", "done_at")


def progress_of(row: Withdrawal, tasks: Iterable[VendorTask]) -> Progress:
    """How far a withdrawal is at vendors. A choice is the officer's, and sends and confirms nothing there."""
    steps = [task for task in tasks if task.step != VendorStep.CHOOSE]
    done = [task for task in steps if task.state == WaitingState.DONE]
    sent = [task for task in steps if task.sent_at and task.state in {WaitingState.SENT, WaitingState.DONE}]
    return Progress(
        planned=len(steps),
        planned_at=row.planned_at,
        sent=len(sent),
        sent_at=max((task.sent_at for task in sent if task.sent_at), default=None),
        acknowledged=len(done),
        acknowledged_at=max((task.done_at for task in done if task.done_at), default=None),
        failed=sum(task.state == WaitingState.FAILED for task in steps),
        cancelled=sum(task.state == WaitingState.CANCELLED for task in steps),
        is_known=row.planned_at is not None,
    )


def _line(row: Withdrawal, tasks: Sequence[VendorTask], at: datetime) -> Line:
    tone = ""
    if row.closed_at is None:
        if row.outer_at is not None and row.outer_at <= at:
            tone = "bad"
        elif row.target_at is not None and row.target_at <= at:
            tone = "warn"
    return Line(
        row=row,
        caller=caller_label(row.caller_id),
        purposes=tuple(Purpose(purpose).label for purpose in row.purposes),
        progress=progress_of(row, tasks),
        choices=sum(task.step == VendorStep.CHOOSE and task.state == WaitingState.WAITING for task in tasks),
        tone=tone,
    )


@dataclass(frozen=True, slots=True)
class Step:
    """
    One step at one vendor, as the page shows it.

    :ivar state: its state in a word, :ivar tone: and how it looks.
    :ivar waits_for: what keeps it back, "" where nothing does. :ivar fails: whether a person has to look why.
    """

    task: VendorTask
    vendor: str
    words: str
    state: str
    tone: str
    is_late: bool
    waits_for: str = ""
    fails: bool = False

    @property
    def by_hand(self) -> ByHand | None:
        """How a person has a recording deleted at this vendor; None where a program does it, or it is another step."""
        task = self.task
        if task.step != VendorStep.DELETE_RECORDING or task.connection is None:
            return None
        return by_hand(task.connection.provider)


_TONES: Final = {
    WaitingState.WAITING: "warn",
    WaitingState.SENT: "info",
    WaitingState.DONE: "good",
    WaitingState.FAILED: "bad",
    WaitingState.CANCELLED: "neutral",
}


def steps_of(withdrawal: Withdrawal, *, at: datetime) -> list[Step]:
    rows = _tasks(withdrawal.client).filter(withdrawal=withdrawal)
    return [_step(task, at) for task in _worst_first(rows)]


def loose_steps(client: Client, *, at: datetime) -> list[Step]:
    """Open steps of a client that no withdrawal asked for: a number without its announcement, a quarantine."""
    rows = _tasks(client).open().filter(withdrawal=None)
    return [_step(task, at) for task in _worst_first(rows)[:PAGE]]


def _tasks(client: Client) -> VendorTaskQuerySet:
    rows = VendorTask.objects.for_client(client).annotate(
        held=is_held(), ours=is_ours_still(), failing=failing()
    )
    return rows.select_related("connection", "destination", "tracking_number", "client__agency", "sent_by")


def _worst_first(rows: QuerySet[VendorTask]) -> QuerySet[VendorTask]:
    order = Case(
        When(state=WaitingState.FAILED, then=Value(0)),
        When(state=WaitingState.WAITING, then=Value(1)),
        When(state=WaitingState.SENT, then=Value(2)),
        default=Value(3),
        output_field=IntegerField(),
    )
    return rows.annotate(order=order).order_by("order", Coalesce(F("done_at"), F("target_at")), "pk")


def _step(task: Any, at: datetime) -> Step:
    waits_for = ""
    if task.step == VendorStep.DELETE_RECORDING and task.state == WaitingState.WAITING:
        if not decisions.is_live(task.client):
            then = "you send the letter" if task.by_ticket else "it is sent automatically"
            waits_for = f"Waiting until this client is live. Then {then}."
        elif task.held:
            waits_for = "Waiting until the legal hold on the call ends."
        elif task.ours:
            waits_for = "Waiting until our own copy is deleted, within minutes."
    return Step(
        task=task,
        vendor=vendor_of(task),
        words=VendorStep(task.step).label,
        state="Paused" if waits_for else task.get_state_display(),
        tone="info" if waits_for else _TONES[WaitingState(task.state)],
        is_late=task.is_open and task.target_at <= at and not waits_for,
        waits_for=waits_for,
        fails=task.failing and not waits_for,
    )


def step_of(client: Client, task_id: uuid.UUID, *, at: datetime) -> Step | None:
    task = _tasks(client).select_related("withdrawal").filter(pk=task_id).first()
    return None if task is None else _step(task, at)


def ad_destinations(client: Client) -> QuerySet[AdDestination]:
    """Where a client's numbers are sent for advertising."""
    return AdDestination.objects.for_client(client).order_by("-is_active", "name")


def endpoints(client: Client) -> QuerySet[WebhookEndpoint]:
    """The addresses that are told of a client's withdrawals, with how many messages are dead or wait."""
    return (
        WebhookEndpoint.objects.for_client(client)
        .annotate(
            dead=Count("deliveries", filter=Q(deliveries__state=WaitingState.FAILED)),
            waiting=Count("deliveries", filter=Q(deliveries__state=WaitingState.WAITING)),
        )
        .select_related("client")
        .order_by("-is_active", "created_at")
    )


def deliveries(endpoint: WebhookEndpoint) -> QuerySet[WebhookDelivery]:
    """The newest messages to one endpoint, without what stands in them."""
    rows = WebhookDelivery.objects.for_client(endpoint.client_id).filter(endpoint=endpoint)
    return rows.defer("payload").order_by("-created_at")[:PAGE]
