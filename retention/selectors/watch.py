"""
What is watched: one reading of an agency's figures, and the alerts that stand. No name, no number of anybody.

A reading is made by the agency's job and kept in Valkey, for the page and for who collects metrics. Valkey may lose it,
and then it is made again; it may be away, and then nothing is kept.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any, Final, cast

import redis
from django.conf import settings
from django.core.cache import caches
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Count, Min, Q, QuerySet, Sum
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import HistogramMetricFamily, Metric

from callprivacy.audit import selectors as trail
from callprivacy.calls.enums import InboxState
from callprivacy.calls.models import Inbox
from callprivacy.lib import figures
from callprivacy.tenancy.enums import RetentionState
from callprivacy.tenancy.models import Agency, Client
from consent.models import VendorTask
from retention.enums import (
    Category,
    ChangeState,
    EndState,
    LeftoverState,
    PartState,
    RotationState,
    RunState,
)
from retention.law import categories
from retention.models import (
    Alert,
    AlertEndpoint,
    Backup,
    Drill,
    Errand,
    Hold,
    Leftover,
    Offboarding,
    PolicyChange,
    Run,
    RunPart,
)
from retention.selectors import due, preview, secrets
from retention.selectors import house as own_rows
from retention.selectors.secrets import Standing
from retention.selectors.storage import Order

LATE_AFTER: Final = timedelta(days=1)
RUN_LATE_AFTER: Final = timedelta(hours=30)
INBOX_LATE_AFTER: Final = timedelta(minutes=15)
DUE_LATE_AFTER: Final = timedelta(minutes=15)
BACKUP_LATE_AFTER: Final = timedelta(hours=30)
DRILL_LATE_AFTER: Final = timedelta(days=8)
# A weekly drill tries a backup that is up to a night old.
VERIFIED_LATE_AFTER: Final = DRILL_LATE_AFTER + BACKUP_LATE_AFTER
COPY_STAYS_AFTER: Final = timedelta(days=16)
"""Fourteen days and the rest of the last one, and a day for whoever removes it."""
STOPPED_AFTER: Final = 3
PROCESS_LATE_AFTER: Final = 90.0
_KEPT_FOR: Final = 24 * 3600


@dataclass(frozen=True, slots=True)
class Reading:
    """
    An agency's figures at an instant. Ages are seconds; None where there is nothing to have an age.

    :ivar past_due: category -> rows of live clients that were past their date a day ago and are still here.
    :ivar run_age: since the newest run that was done. :ivar run_expected: the agency is older than a night, so that
        one should be.
    :ivar vendor_open: steps at vendors, and deletions, that are not done. :ivar vendor_late: steps past their outer
        date. :ivar endings_stopped: clients that leave whose end a fault stopped again and again.
    :ivar outliving: recordings that a vendor still has although ours are erased.
    :ivar due: what a job works off -> seconds since the oldest was due. :ivar outbox_oldest: since the oldest of what
        leaves the house was first due. :ivar outbox_waiting: how many of these wait.
    :ivar seal_age: since the newest seal of the trail. :ivar age: of the agency itself.
    :ivar secrets: standing -> how many. :ivar over: kind of secret -> how many are past their limit and need a person.
    """

    at: str
    past_due: Mapping[str, int] = field(default_factory=dict)
    inbox_oldest: int | None = None
    inbox_waiting: int = 0
    run_age: int | None = None
    run_expected: bool = False
    run_failures: int = 0
    endings_stopped: int = 0
    vendor_open: int = 0
    vendor_late: int = 0
    outliving: int = 0
    holds_open: int = 0
    rotations_running: int = 0
    rotations_failed: int = 0
    secrets: Mapping[str, int] = field(default_factory=dict)
    over: Mapping[str, int] = field(default_factory=dict)
    unsealed_age: int | None = None
    alerts_open: int = 0
    due: Mapping[str, int] = field(default_factory=dict)
    outbox_oldest: int | None = None
    outbox_waiting: int = 0
    seal_age: int | None = None
    age: int | None = None

    @property
    def since_run(self) -> int | None:
        """Since the newest run that was done; since the agency began where none ever was."""
        return self.age if self.run_age is None else self.run_age

    @property
    def made_at(self) -> datetime:
        return datetime.fromisoformat(self.at)

    @property
    def late(self) -> int:
        """How many rows are late, of every category."""
        return sum(self.past_due.values())


@dataclass(frozen=True, slots=True)
class House:
    """
    What concerns the whole installation. Ages are seconds.

    :ivar backups: database -> age of its newest backup. :ivar backups_expected: backups are made by us.
    :ivar drill_age: of the newest drill that passed. :ivar drill_passed: what the newest one that is over showed.
    :ivar verified: database -> age of the newest backup that a drill put back and found good.
    :ivar staying: dumps of the vault that are a day past the date up to which they may live.
    :ivar age: of the installation itself.
    """

    backups: Mapping[str, int]
    backups_expected: bool
    drill_age: int | None
    drill_passed: bool | None
    drill_expected: bool
    verified: Mapping[str, int] = field(default_factory=dict)
    staying: int = 0
    age: int = 0

    @property
    def since_backup(self) -> dict[str, int]:
        """As `backups`; since the installation began where one should be and never was."""
        return self._never(is_expected=self.backups_expected) | dict(self.backups)

    @property
    def since_verified(self) -> dict[str, int]:
        return self._never(is_expected=self.backups_expected and self.drill_expected) | dict(self.verified)

    @property
    def since_drill(self) -> int | None:
        return self.age if self.drill_age is None and self.drill_expected else self.drill_age

    def _never(self, *, is_expected: bool) -> dict[str, int]:
        return dict.fromkeys(settings.DATABASES, self.age) if is_expected else {}


def read(agency: Agency, at: datetime) -> Reading:
    """An agency's figures, in its job's scope; the number of queries does not grow with its clients."""
    clients = list(Client.objects.filter(agency=agency).select_related("agency"))
    live = [client for client in clients if client.retention_state == RetentionState.LIVE]
    waiting = Inbox.objects.filter(agency=agency, state=InboxState.WAITING).aggregate(
        oldest=Min("received_at"), count=Count("pk")
    )
    run = Run.objects.filter(agency=agency, state=RunState.DONE).order_by("-finished_at").first()
    steps = (
        VendorTask.objects.open()
        .filter(agency=agency)
        .aggregate(count=Count("pk"), late=Count("pk", filter=Q(outer_at__lte=at)))
    )
    ages = secrets.every(agency, clients, at)
    standings = Counter(one.standing(at) for one in ages)
    moving = Counter(
        row.state for (_, _), row in secrets.newest_rotations().items() if row.state != RotationState.DONE
    )
    seals = trail.seal_state(agency.pk)
    waits = due.oldest(agency.pk, at)
    outbox_oldest, outbox_waiting = due.outbox(agency.pk, at)
    return Reading(
        at=at.isoformat(),
        past_due=_past_due(agency, live, at),
        inbox_oldest=_age(waiting["oldest"], at),
        inbox_waiting=waiting["count"],
        run_age=_age(run.finished_at if run else None, at),
        run_expected=at - agency.created_at > RUN_LATE_AFTER,
        run_failures=_failed_parts(agency),
        endings_stopped=_stopped_endings(agency),
        vendor_open=steps["count"] + Errand.objects.filter(agency=agency).count(),
        vendor_late=steps["late"],
        outliving=Leftover.objects.filter(agency=agency).exclude(state=LeftoverState.GONE).count(),
        holds_open=Hold.objects.open().filter(agency=agency).count(),
        rotations_running=moving[RotationState.RUNNING],
        rotations_failed=moving[RotationState.FAILED],
        secrets={standing.value: standings[standing] for standing in Standing},
        over=dict(Counter(one.kind.value for one in ages if one.needs_a_person(at))),
        unsealed_age=_age(seals.oldest_unsealed_at, at),
        seal_age=_age(seals.seal.signed_at if seals.seal and seals.seal.is_readable else None, at),
        due={name: age for name, (age, _) in waits.items()},
        outbox_oldest=outbox_oldest,
        outbox_waiting=outbox_waiting,
        alerts_open=Alert.objects.open().filter(agency=agency).count(),
        age=_age(agency.created_at, at),
    )


def _past_due(agency: Agency, live: list[Client], at: datetime) -> dict[str, int]:
    """
    Rows that were past their date a day ago. What a person's deed has made due since is not late yet: the client went
    live, a policy was shortened, a hold was lifted.
    """
    before = at - LATE_AFTER
    settled = [client for client in live if client.went_live_at is None or client.went_live_at <= before]
    fresh = _made_due_since(before)
    found: Counter[str] = Counter({category.value: 0 for category in Category})
    for client_id, by_category in preview.extents(preview.lines(settled, before)).items():
        for category, extent in by_category.items():
            if not {(client_id, category), (None, category)} & fresh:
                found[category.value] += extent.rows
    if agency.created_at <= before:
        for category, extent in own_rows.extents(agency, before).items():
            if (None, category) not in fresh:
                found[category.value] += extent.rows
    return dict(found)


def _made_due_since(before: datetime) -> set[tuple[int | None, Category]]:
    """(client id, category) of which something fell due by a person's deed since; None: at any client."""
    changes = PolicyChange.objects.filter(state=ChangeState.IN_FORCE, shortens=True, decided_at__gt=before)
    found = {
        (client_id, moved)
        for client_id, category in changes.values_list("client_id", "category")
        for moved in categories.moved_by(Category(category))
    }
    lifted = set(Hold.objects.filter(lifted_at__gt=before).values_list("client_id", flat=True))
    # What any of them kept may have been the agency's own as well.
    own = {(None, category) for category in categories.OF_HOUSE} if lifted else set()
    return found | own | {(client_id, category) for client_id in lifted for category in Category}


def _failed_parts(agency: Agency) -> int:
    """How many parts of the newest run a fault stopped."""
    newest = Run.objects.filter(agency=agency).order_by("-created_at").values("pk")[:1]
    return RunPart.objects.filter(run_id__in=newest, state=PartState.FAILED).count()


def _stopped_endings(agency: Agency) -> int:
    """How many clients leave whose end stopped three times in a row; a hold is no fault."""
    going = Offboarding.objects.filter(agency=agency, failures__gte=STOPPED_AFTER)
    return going.exclude(state__in=[EndState.STOPPED, EndState.DONE]).count()


def _age(since: datetime | None, at: datetime) -> int | None:
    return None if since is None else max(int((at - since).total_seconds()), 0)


def house(at: datetime) -> House:
    """What concerns the whole installation. Needs no scope."""
    newest: dict[str, datetime] = {}
    for row in Backup.objects.order_by("database", "-made_at").distinct("database"):
        newest[row.database] = row.made_at
    over = Drill.objects.filter(finished_at__isnull=False).order_by("-started_at")
    last, passed = over.first(), over.filter(passed=True).first()
    names = list(passed.report.get("backups", {}).values()) if passed else []
    verified = Backup.objects.filter(name__in=names).values_list("database", "made_at")
    began = MigrationRecorder.Migration.objects.aggregate(at=Min("applied"))["at"]
    return House(
        backups={database: cast("int", _age(made_at, at)) for database, made_at in newest.items()},
        backups_expected=bool(settings.CALLPRIVACY_BACKUP_DIR),
        drill_age=_age(passed.finished_at if passed else None, at),
        drill_passed=last.passed if last else None,
        drill_expected=settings.CALLPRIVACY_DRILL == "weekly",
        verified={database: cast("int", _age(made_at, at)) for database, made_at in verified},
        staying=Backup.objects.filter(
            database="vault", removed_at=None, made_at__lt=at - COPY_STAYS_AFTER
        ).count(),
        age=_age(began, at) or 0,
    )


# --- Kept ----------------------------------------------------------------------------------------------------------


def keep(agency_id: int, reading: Reading) -> None:
    """Keep a reading for the page and for metrics; not where Valkey is away."""
    with contextlib.suppress(redis.RedisError):
        caches["hints"].set(_name(agency_id), asdict(reading), _KEPT_FOR)


def with_alerts(reading: Reading, count: int) -> Reading:
    """The same reading with how many alerts stand now."""
    return replace(reading, alerts_open=count)


def kept(agency_id: int) -> Reading | None:
    """The newest reading that is kept of an agency; None where there is none, it is a day old, or Valkey is away."""
    found = None
    with contextlib.suppress(redis.RedisError):
        found = caches["hints"].get(_name(agency_id))
    if found is None:
        return None
    # Another version of this program may have kept it, with figures that this one does not know.
    return Reading(**{one.name: found[one.name] for one in fields(Reading) if one.name in found})


def _name(agency_id: int) -> str:
    return f"retention.watch.{agency_id}"


class _Gauges:
    """What is said, a line each."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

    def one(self, name: str, help_text: str, value: float | None) -> None:
        """Say a figure, where there is one."""
        if value is not None:
            Gauge(f"callprivacy_{name}", help_text, registry=self.registry).set(value)

    def by(self, name: str, help_text: str, label: str, values: Mapping[str, float]) -> None:
        """Say a figure for each value of a label."""
        many = Gauge(f"callprivacy_{name}", help_text, [label], registry=self.registry)
        for key, value in sorted(values.items()):
            many.labels(key).set(value)


def metrics(
    readings: list[Reading], found: House | None, order: Order, running: figures.Read | None, at: datetime
) -> bytes:
    """
    The figures of every agency, added up, in the text format of Prometheus; of ages the greatest.

    No label names an agency, a client or a person.

    :param found: None where the database does not answer, and then nothing is said of agencies either.
    :param running: what processes counted; None where Valkey does not answer.
    """
    said = _Gauges()
    said.by("database_up", "Whether a database takes a connection and answers", "database", order.up)
    if found is not None:
        _say_agencies(said, readings, at)
        _say_backups(said, found)
    _say_order(said, order, at)
    _say_processes(said, running)
    return generate_latest(said.registry)


def _say_agencies(said: _Gauges, readings: list[Reading], at: datetime) -> None:
    def total(each: str) -> int:
        return sum(getattr(reading, each) for reading in readings)

    def greatest(each: str) -> float | None:
        return max((age for one in readings if (age := getattr(one, each)) is not None), default=None)

    said.by(
        "rows_past_due", "Rows still here a day after they fell due", "category", _added(readings, "past_due")
    )
    said.one("inbox_oldest_seconds", "Age of the oldest event that waits", greatest("inbox_oldest") or 0)
    said.one("inbox_waiting", "Events that wait", total("inbox_waiting"))
    said.one(
        "run_age_seconds",
        "Since the last run of the agency whose last run is oldest; since it began where there was none",
        greatest("since_run"),
    )
    said.one("run_failures", "Parts of newest runs that a fault stopped", total("run_failures"))
    said.one("endings_stopped", "Clients that leave whose end a fault stops", total("endings_stopped"))
    said.one("vendor_backlog", "Steps at vendors that are not done", total("vendor_open"))
    said.one("vendor_late", "Steps at vendors past their outer date", total("vendor_late"))
    said.one("vendor_outliving", "Recordings vendors have that are erased here", total("outliving"))
    said.one("holds_open", "Open legal holds", total("holds_open"))
    moving = {"running": total("rotations_running"), "failed": total("rotations_failed")}
    said.by("rotations", "Keys whose newest rotation is under way or stopped", "state", moving)
    said.by("secrets", "Secrets by what their limit says", "standing", _added(readings, "secrets"))
    said.by(
        "secrets_need_a_person",
        "Secrets past their limit that do not change by themselves, or did not within two days",
        "kind",
        _added(readings, "over"),
    )
    said.one(
        "audit_unsealed_seconds", "Age of the oldest event without a seal", greatest("unsealed_age") or 0
    )
    said.one(
        "audit_seal_age_seconds", "Since the seal of the agency whose newest is oldest", greatest("seal_age")
    )
    oldest_due = {name: max(one.due.get(name, 0) for one in readings) for one in readings for name in one.due}
    said.by("due_oldest_seconds", "Since the oldest row was due that a job works off", "what", oldest_due)
    said.one("outbox_oldest_seconds", "Since the oldest message was due", greatest("outbox_oldest") or 0)
    said.one("outbox_waiting", "Messages and mail that are due", total("outbox_waiting"))
    said.one("alerts_open", "Alerts that stand", total("alerts_open"))
    said.one("agencies_read", "Agencies in these figures", len(readings))
    # A reading of a clock that was ahead is no new one.
    oldest = max((int(abs(at - one.made_at).total_seconds()) for one in readings), default=None)
    said.one(
        "reading_age_seconds", "Age of the oldest reading; grows where the beat or worker is down", oldest
    )


def _say_backups(said: _Gauges, found: House) -> None:
    never = "of the installation where one should be and none ever was"
    said.by("backup_age_seconds", f"Age of the newest backup; {never}", "database", found.since_backup)
    said.by(
        "backup_verified_age_seconds",
        f"Age of the newest backup a drill found good; {never}",
        "database",
        found.since_verified,
    )
    said.one(
        "drill_age_seconds", f"Since the newest restore drill that passed; age {never}", found.since_drill
    )
    said.one("drill_passed", "What the newest restore drill showed", found.drill_passed)
    said.one("vault_copies_staying", "Dumps of the vault that should be gone", found.staying)


def _say_order(said: _Gauges, order: Order, at: datetime) -> None:
    dead = {f"{one.database}.{one.name}": one.dead for one in order.tables}
    said.by("table_dead_share", "Share of a large table's rows that are dead", "table", dead)
    ages = {f"{one.database}.{one.name}": _age(one.vacuumed_at, at) for one in order.tables}
    vacuumed = {name: age for name, age in ages.items() if age is not None}
    said.by("table_vacuumed_seconds", "Since a large table was vacuumed last", "table", vacuumed)
    said.one("indexes_broken", "Indexes that PostgreSQL does not use", order.broken)


def _say_processes(said: _Gauges, running: figures.Read | None) -> None:
    said.one(
        "broker_up",
        "Whether Valkey answers and takes writes",
        running is not None and running.takes_writes,
    )
    if running is None:
        return
    there = {kind: [one.age for one in running.processes if one.kind == kind] for kind in ("beat", "worker")}
    alive = {kind: sum(age < PROCESS_LATE_AFTER for age in ages) for kind, ages in there.items()}
    said.by("processes", "Processes that said within 90 seconds that they are there", "kind", alive)
    newest = {kind: min(ages) for kind, ages in there.items() if ages}
    said.by("heartbeat_age_seconds", "Since the newest sign of life", "kind", newest)
    said.one("task_age_seconds", "Since a job ended", running.task_age)
    said.registry.register(_Histograms(running))


class _Histograms:
    """What processes counted of requests and jobs, as Prometheus' library collects it."""

    def __init__(self, running: figures.Read) -> None:
        self.running = running

    def collect(self) -> Iterator[Metric]:
        """Two histograms, of requests and of jobs."""
        parts = (
            ("request_seconds", "How long requests took", ("room", "status"), self.running.requests),
            ("task_seconds", "How long jobs took", ("task", "outcome"), self.running.tasks),
        )
        for name, help_text, labels, series in parts:
            family = HistogramMetricFamily(f"callprivacy_{name}", help_text, labels=labels)
            for values, found in series.items():
                sums = list(accumulate(found.buckets))
                bounds = [*map(str, figures.BOUNDS), "+Inf"]
                family.add_metric(values, list(zip(bounds, sums, strict=True)), found.seconds)
            yield family


def _added(readings: list[Reading], each: str) -> dict[str, float]:
    names = {name for reading in readings for name in getattr(reading, each)}
    return {name: sum(getattr(reading, each).get(name, 0) for reading in readings) for name in names}


# --- Alerts ---------------------------------------------------------------------------------------------------------


def alerts(*, is_open: bool) -> QuerySet[Alert]:
    """Alerts that the scope sees, newest first: those that stand, or those that are over."""
    rows = Alert.objects.filter(ended_at__isnull=is_open).select_related("client")
    return rows.order_by("-began_at", "-pk") if is_open else rows.order_by("-ended_at", "-pk")


def endpoint() -> AlertEndpoint | None:
    """Where the scope's agency has alerts sent, as far as the scope may know it."""
    return AlertEndpoint.objects.filter(is_active=True).first()


def late_rows() -> int:
    """How many rows of the scope's agency are late, as the newest watch found; one query."""
    found = Alert.objects.open().filter(kind="past_due").aggregate(count=Sum("count"))
    return found["count"] or 0


def open_count() -> int:
    """How many alerts stand, of those that the scope sees."""
    return Alert.objects.open().count()


def categories_late(reading: Reading) -> list[tuple[Any, int]]:
    """Each category with how many of its rows are late, the most first."""
    found = [(Category(name), count) for name, count in reading.past_due.items()]
    return sorted(found, key=lambda one: (-one[1], one[0].label))
