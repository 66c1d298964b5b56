"""What was decided of calls, counted and found again; and the calls that may be measured."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from callprivacy.calls.enums import RecordingState
from callprivacy.calls.models import Call, CallRef, Recording
from callprivacy.tenancy.enums import RetentionState
from callprivacy.tenancy.models import Client
from callprivacy.vault import selectors as vault
from consent.enums import Basis, EventKind, Purpose, Scope, State
from consent.models import ConsentEvent, ConsentState, Decision, Rejudgement
from consent.selectors import cases, standards


def decision_of(call: Call, purpose: Purpose) -> Decision | None:
    """What was decided of a call for one purpose, if anything was."""
    return Decision.objects.for_client(call.client_id).filter(call_id=call.pk, purpose=purpose).first()


def calls_open_to(client: Client, purpose: Purpose, *, at: datetime) -> QuerySet[Call]:
    """
    The calls of a client that may be measured: on its declared basis, without those of people who opted out.

    :raises ValueError: any other purpose is judged at the moment of use (`services.decisions.may_use`).
    """
    if purpose is not Purpose.MEASURE:
        raise ValueError(f"{purpose.label} is decided call by call, when it is done.")
    calls = Call.objects.for_client(client)
    said = ConsentState.objects.for_client(client).filter(
        purpose=Purpose.MEASURE, caller_id=OuterRef("caller_id")
    )
    if cases.declared_by(client) == Basis.CONSENT:
        calls = calls.filter(Exists(said.filter(state=State.GIVEN)))
    else:
        calls = calls.exclude(Exists(said.filter(state__in=[State.REFUSED, State.WITHDRAWN])))
    refused = ConsentEvent.objects.for_client(client).filter(
        purpose=Purpose.MEASURE,
        scope=Scope.THIS_CALL,
        kind__in=[EventKind.REFUSED, EventKind.WITHDRAWN],
    )
    if refused.exists():
        references = CallRef.objects.for_client(client).filter(digest__in=refused.values("call_digest"))
        calls = calls.exclude(pk__in=references.values("call_id"))
    on = standards.today_at(client, at)
    gone = vault.callers_who_refused(client.pk, Purpose.MEASURE, on=on)
    given = set(
        ConsentState.objects.for_client(client)
        .filter(purpose=Purpose.MEASURE, state=State.GIVEN, caller_id__in=gone)
        .values_list("caller_id", flat=True)
    )
    gone = [caller_id for caller_id in gone if caller_id not in given]
    # A call without a caller has nobody who could have opted out.
    return calls.filter(Q(caller_id=None) | ~Q(caller_id__in=gone)) if gone else calls


@dataclass(frozen=True, slots=True)
class ByBasis:
    """How many recorded calls of a client rest on one basis."""

    basis: str
    calls: int

    @property
    def words(self) -> str:
        """The basis as a person reads it."""
        return {
            Basis.CONSENT: "Express consent",
            Basis.NOTICE: "Announced on the call",
        }.get(Basis(self.basis), "What the law asks, without consent")


@dataclass(frozen=True, slots=True)
class Counts:
    """
    Recorded calls of a client by what was decided, and what quarantine would do.

    :ivar withheld: among them those that `came_late` with imported history, which quarantine never erases.
    :ivar would_leave: withheld ones that become due once the client is live. :ivar due: those that have a date already.
    :ivar held: withheld ones that a hold keeps.
    """

    by_basis: tuple[ByBasis, ...]
    withheld: int
    undecided: int
    came_late: int
    held: int
    would_leave: int
    due: int
    gone: int

    @property
    def allowed(self) -> int:
        """How many may be kept."""
        return sum(row.calls for row in self.by_basis)

    @property
    def recorded(self) -> int:
        """How many there are, those that were erased left out."""
        return self.allowed + self.withheld + self.undecided


def record_counts(client: Client) -> Counts:
    """Count a client's recorded calls by what was decided of them; two queries."""
    allowed = Decision.objects.for_client(client).filter(
        purpose=Purpose.RECORD, allowed=True, call__recording__state=RecordingState.ALLOWED
    )
    by_basis = allowed.order_by("basis").values_list("basis").annotate(calls=Count("pk"))
    rows = Recording.objects.filter(call__client_id=client.pk, client_id=client.pk)
    withheld = Q(state=RecordingState.WITHHELD, decided_at__isnull=False)
    found = rows.aggregate(
        withheld=Count("pk", filter=withheld),
        undecided=Count("pk", filter=Q(decided_at=None) & ~Q(state=RecordingState.GONE)),
        came_late=Count("pk", filter=withheld & Q(came_late=True)),
        held=Count("pk", filter=withheld & Q(came_late=False, call__on_hold=True)),
        would_leave=Count("pk", filter=withheld & Q(came_late=False, call__on_hold=False)),
        due=Count("pk", filter=Q(due_at__isnull=False) & ~Q(state=RecordingState.GONE)),
        gone=Count("pk", filter=Q(state=RecordingState.GONE)),
    )
    return Counts(by_basis=tuple(ByBasis(basis, calls) for basis, calls in by_basis), **found)


def being_decided(client: Client) -> Exists:
    """A condition on recordings: evidence of their caller, or of all, has come in that nobody has looked at yet."""
    waiting = Rejudgement.objects.for_client(client).filter(finished_at=None)
    return Exists(
        waiting.filter(
            Q(caller_id=OuterRef("call__caller_id"))
            | Q(caller_id=None, call_digest=None)
            | Q(
                call_digest__in=CallRef.objects.for_client(client)
                .filter(call_id=OuterRef(OuterRef("call_id")))
                .values("digest")
            )
        )
    )


def is_live(client: Client) -> bool:
    """Whether an officer has signed that what is withheld leaves."""
    return client.retention_state == RetentionState.LIVE and client.went_live_at is not None
