"""How asking a tracker for its calls goes, as its connection's page shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Sum

from callprivacy.calls.channels import LISTS
from callprivacy.calls.enums import JobState, PullKind
from callprivacy.calls.models import Connection, Pull, PullRun
from callprivacy.calls.selectors.connections import calls_us

OPEN: Final = (JobState.QUEUED, JobState.RUNNING)
LOOKED_BACK: Final = timedelta(days=30)
_NEWS: Final = (PullKind.HOURLY, PullKind.NIGHTLY)


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run, and how far it is in hundredths of its time."""

    run: PullRun
    percent: int
    is_open: bool


@dataclass(frozen=True, slots=True)
class PullState:
    """
    Asking one connection's tracker.

    :ivar brought: calls of the last 30 days that no webhook brought. :ivar has_webhooks: whether the tracker tells us
        of calls by itself; of one that does not, all come from its list and none is missed. :ivar tested: the newest
        test. :ivar runs: the newest others.
    """

    pull: Pull
    brought: int
    has_webhooks: bool
    tested: PullRun | None
    runs: Sequence[RunLine]
    backfill: RunLine | None

    @property
    def title(self) -> str:
        """The difference, in words."""
        return f"{self.brought:,} calls that no webhook brought"

    @property
    def is_moving(self) -> bool:
        """Whether something is being asked for that a person waits for."""
        is_tested = self.tested is None or self.tested.state not in OPEN
        return not is_tested or (self.backfill is not None and self.backfill.is_open)


def lists_calls(provider: str) -> bool:
    """Whether a tracker's interface can be asked for its calls."""
    return provider in LISTS


def pull_of(connection: Connection) -> Pull | None:
    """What is known of asking a connection's tracker; its secret is not read."""
    rows = Pull.objects.for_client(connection.client_id).filter(connection=connection)
    return rows.defer("secret").first()


def state_of(connection: Connection, *, at: datetime, limit: int = 8) -> PullState | None:
    """How asking goes; None where nobody has set it up. Five queries."""
    pull = pull_of(connection)
    if pull is None:
        return None
    rows = PullRun.objects.for_client(connection.client_id).filter(pull=pull)
    news = rows.filter(kind__in=_NEWS, created_at__gte=at - LOOKED_BACK)
    others = list(rows.exclude(kind=PullKind.TEST).order_by("-created_at")[:limit])
    back = next((row for row in others if row.kind == PullKind.BACKFILL), None)
    return PullState(
        pull,
        news.aggregate(sum=Sum("brought"))["sum"] or 0,
        calls_us(connection.provider),
        rows.filter(kind=PullKind.TEST).order_by("-created_at").first(),
        [_line(row) for row in others],
        None if back is None else _line(back),
    )


def missed(connections: Sequence[Connection], *, at: datetime) -> dict[UUID, int]:
    """
    Connection id -> calls of the last 30 days that no webhook brought, for those whose tracker is asked for its list,
    has webhooks, and may be looked at by the scope; two queries.
    """
    wanted = [connection.pk for connection in connections if calls_us(connection.provider)]
    pulls = Pull.objects.filter(connection_id__in=wanted, is_on=True)
    asked = dict(pulls.values_list("pk", "connection_id"))
    runs = PullRun.objects.filter(
        client_id__in={connection.client_id for connection in connections},
        pull_id__in=list(asked),
        kind__in=_NEWS,
        created_at__gte=at - LOOKED_BACK,
    )
    found = dict.fromkeys(asked.values(), 0)
    for pull_id, brought in runs.order_by().values_list("pull_id").annotate(sum=Sum("brought")):
        found[asked[pull_id]] = brought
    return found


def _line(run: PullRun) -> RunLine:
    done = (run.position - run.from_at) / (run.until_at - run.from_at)
    return RunLine(run, round(100 * min(max(done, 0), 1)), run.state in OPEN)
