"""
The work behind a release: trying settings, building what was signed, and looking at it again each quarter.

Nothing is computed inside a scope: rows are read in one, generalised outside, and what came of it is written in
another.
A file is built into a sealed one, and the release is live once it stands in its row; a killed worker leaves a file
that the next sweep removes. Whatever was released to anybody meanwhile is compared once more in the transaction that
releases.
"""

import csv
import hashlib
import io
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from django.db.models import Q, QuerySet

from analytics import anonymise, kinds
from analytics.anonymise import AnonymiseError, Table, risks
from analytics.anonymise.arrays import group_columns
from analytics.anonymise.risks import Risks
from analytics.groups import Flags, Ints
from analytics.models.releases import Release, ReleaseKind, ReleaseState, ReleaseTrial
from analytics.selectors import beside, differencing, holding, releasable, rules
from analytics.selectors import releases as selectors
from analytics.selectors.beside import Told
from analytics.selectors.differencing import Members
from analytics.selectors.releasable import CALLER, COLUMNS, Rows, TooManyRowsError
from analytics.services import making
from analytics.services.releases import tell
from callprivacy.audit import services as audit
from callprivacy.calls.enums import JobState
from callprivacy.calls.models import Call
from callprivacy.calls.services import erasure
from callprivacy.lib.cells import plain_cell
from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import TokenKey
from callprivacy.work import services as work

log = logger(__name__)

JOB: Final = Actor.job("analytics.build_releases")
SCORER: Final = Actor.job("analytics.score_releases")
_LEASE: Final = timedelta(minutes=10)
_DAY: Final = timedelta(days=1)
_BEHIND: Final = timedelta(minutes=1)
"""When to look again, where somebody else makes the reports just now."""
_FAILURES: Final = 3
_FULL_UP_TO: Final = 100_000
"""Rows up to which the search does all it can; both the trial and the build search alike, so that they agree."""
_ROUNDS: Final = 20
"""How often callers are held back so that reports tell of nobody in what a release leaves out."""

type Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Built:
    """
    What a release would hold.

    :ivar lines: of the file, the head first. :ivar report: figures alone. :ivar members: for the guard.
    """

    lines: list[list[str]]
    report: dict[str, Any]
    members: Members


@dataclass(frozen=True, slots=True)
class Work:
    """A trial or a build that waits for a worker."""

    agency_id: int
    work_id: uuid.UUID


# --- What it would hold ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Ground:
    """
    What was read for a release.

    :ivar rows: that may leave. :ivar population: callers that they are drawn from. :ivar told: what reports tell of the
    same days. :ivar earlier: releases of the client that are out.
    """

    rows: Rows
    population: int
    most_suppressed: float
    least: int
    told: Told
    k_of_reports: int
    earlier: list[Release]


def _prepare(release: Release, at: datetime) -> "tuple[_Ground, _Keys]":
    """Read what is needed for a release, once reports tell of its calls. Outside any scope."""
    if release.kind == ReleaseKind.ANONYMISED:
        while making.work(agency_id=release.agency_id, client_id=release.client_id, at=at).has_more:
            pass
    with job_scope(agency_id=release.agency_id):
        return _read(release, at), keys_for(release, at=at)


def _read(release: Release, at: datetime) -> _Ground:
    client = release.client
    calls = releasable.calls_for_release(client, from_on=release.from_on, until_on=release.until_on, at=at)
    if release.kind == ReleaseKind.PSEUDONYMISED:
        ids = [pk for batch in releasable.shared_ids(client, calls, at=at) for pk in batch]
        calls = Call.objects.for_client(client).filter(pk__in=ids)
    rows = releasable.read(client, calls, release.columns)
    population = Call.objects.for_client(client).filter(caller__isnull=False)
    floor = selectors.floor_of(client.agency_id)
    start, end = releasable.days(client, release.from_on, release.until_on)
    is_anonymised = release.kind == ReleaseKind.ANONYMISED
    return _Ground(
        rows,
        population.values("caller_id").distinct().count(),
        floor.most_suppressed / 100,
        floor.k,
        making.told(client=client, start=start, end=end, at=at) if is_anonymised else beside.NOTHING,
        rules.rule_of(client).k,
        [one for one in selectors.live(client) if one.pk != release.pk],
    )


class ReportsBehindError(RuntimeError):
    """Calls of a release are in no report yet: somebody else makes them just now. Another run finds them there."""


def _make(
    release: Release,
    ground: _Ground,
    *,
    k: int,
    l: int | None,  # noqa: E741  (what the papers call it)
    t: float | None,
    keys: "_Keys",
    progress: Callable[[str, int, int], None],
) -> Built:
    """
    Compute what a release holds. Outside any scope.

    :raises AnonymiseError: no generalisation meets the demands.
    """
    if ground.rows.people < ground.least:
        raise AnonymiseError(
            f"Calls of fewer callers may leave than the floor of {ground.least}. Choose more days."
        )
    if release.kind == ReleaseKind.PSEUDONYMISED:
        return _pseudonymised(release, ground, keys)
    return _anonymised(release, ground, k=k, l=l, t=t, keys=keys, progress=progress)


@dataclass(frozen=True, slots=True)
class _Keys:
    """What makes digests for the guard, and, for a pseudonymised file, the recipient's tokens."""

    guard: TokenKey
    tokens: TokenKey | None

    def members(self, rows: Rows, places: Iterable[int], classes: Iterable[int]) -> Members:
        return Members.of(
            (self.call(rows.ids[place]), self.caller(rows.callers[place]), number)
            for place, number in zip(places, classes, strict=True)
        )

    def call(self, call_id: uuid.UUID) -> bytes:
        return self.guard.digest("call", call_id.hex)[: differencing.DIGEST]

    def caller(self, caller_id: uuid.UUID) -> bytes:
        return holding.caller_digest(self.guard, caller_id)


def keys_for(release: Release, *, at: datetime) -> _Keys:
    """Open the keys that a release needs, made when first needed. Outside any scope or in one."""
    tokens = None
    if release.kind == ReleaseKind.PSEUDONYMISED:
        purpose = holding.key_purpose(release)
        tokens = vault.purpose_token_key(client_id=release.client_id, purpose=purpose, at=at)
    guard = vault.purpose_token_key(client_id=release.client_id, purpose=holding.GUARD, at=at)
    return _Keys(guard, tokens)


def _anonymised(
    release: Release,
    ground: _Ground,
    *,
    k: int,
    l: int | None,  # noqa: E741  (what the papers call it)
    t: float | None,
    keys: _Keys,
    progress: Callable[[str, int, int], None],
) -> Built:
    if ground.told.gone:
        start, end = ground.told.gone[0]
        raise AnonymiseError(
            f"Reports of {_day(release, start)} to {_day(release, end - _DAY)} stay as they are and count calls that"
            " have left or changed since, so that rows of the others would tell of those. Choose days of which no call"
            " has left."
        )
    kept = ground.rows
    sensitive = any(COLUMNS[name].role == "sensitive" for name in release.columns)
    spec = releasable.spec_of(
        release,
        k=k,
        l=l if sensitive else None,
        t=t if sensitive else None,
        most_suppressed=ground.most_suppressed,
        population=max(ground.population, kept.people),
    )
    effort = "full" if len(kept) <= _FULL_UP_TO else "quick"
    guard = _Guard(ground, keys)
    for _ in range(_ROUNDS):
        # What the figures of the sheet are of may be subtracted from reports as well as the file.
        kept = kept.without(guard.held_back(dict.fromkeys(kept.ids, 0)))
        table = Table.of({**kept.columns, CALLER: [one.hex for one in kept.callers]})
        found = anonymise.anonymise(table, spec, effort=effort, progress=progress)  # type: ignore[arg-type]  # one of two words
        rows = dict(zip([kept.ids[place] for place in found.rows], _alike(found), strict=True))
        # What is the same as an earlier release tells nothing more beside it, once it is.
        more = guard.held_back(rows) or guard.held_back_beside(rows)
        if not more:
            return _built(release, found, kept, ground, keys)
        kept = kept.without(more)
    raise AnonymiseError(
        "Held against the reports of these days it would tell of fewer callers that they are not in it than a report"
        " may tell of. Choose more days or fewer columns."
    )


def _alike(found: anonymise.Release) -> list[int]:
    """For each row a number, equal for equal rows."""
    columns = found.table.columns.values()
    rows = group_columns([column.codes for column in columns], [len(column.values) for column in columns])
    found_rows: list[int] = rows.of().tolist()
    return found_rows


class _Guard:
    """
    Holds rows against the reports of the same days, alone and with the earlier releases that reports hold, too.

    :raises ReportsBehindError: reports do not tell of the calls yet.
    """

    def __init__(self, ground: _Ground, keys: _Keys) -> None:
        self._told, self._k = ground.told, ground.k_of_reports
        self._place_of = {one: place for place, one in enumerate(self._told.ids)}
        if any(one not in self._place_of for one in ground.rows.ids):
            raise ReportsBehindError("Reports of these days are being made. Try again in a minute.")
        self._digests = [keys.caller(one) for one in self._told.people]
        # Files of other days of the same month, put together, are whole months: so the days of each are one cell more.
        self._lists = [*self._told.lists, np.where(ground.told.is_within, 0, beside.OUT)]
        # As if it were known of each call which of the earlier releases it is in.
        known = _in_earlier(ground, keys)
        every = [np.logical_or.reduce(known)] if len(known) > 1 else []
        self._without = [
            [np.where(those, beside.OUT, cells) for cells in self._told.lists] for those in [*known, *every]
        ]

    def held_back(self, rows: Mapping[uuid.UUID, int]) -> set[uuid.UUID]:
        """
        Callers whose rows must stay out as well, so that of every part none or enough are left out; nobody's choice.

        :param rows: of calls that would be released a number, equal for equal rows.
        """
        return self._held_back(rows, [self._lists])

    def held_back_beside(self, rows: Mapping[uuid.UUID, int]) -> set[uuid.UUID]:
        """The same for who has the earlier releases as well."""
        return self._held_back(rows, self._without)

    def _held_back(self, rows: Mapping[uuid.UUID, int], views: Sequence[Sequence[Ints]]) -> set[uuid.UUID]:
        callers = self._told.callers
        left = np.full(len(callers), beside.OUT)
        left[[self._place_of[one] for one in rows]] = list(rows.values())
        out: set[int] = set()
        for lists in views:
            while parts := beside.small_parts(lists, callers, left, k=self._k):
                for part in parts:
                    inside = set(callers[part.inside].tolist())
                    missing = self._k - part.left_out - len(inside & out)
                    out |= set(sorted(inside - out, key=self._digests.__getitem__)[: max(missing, 0)])
                left[np.isin(callers, list(out))] = beside.OUT
        return {self._told.people[one] for one in out}


def _in_earlier(ground: _Ground, keys: _Keys) -> list[Flags]:
    """Of each earlier release with some of the calls that reports tell of: for each call whether it is in it."""
    if not ground.earlier:
        return []
    digests = [keys.call(one) for one in ground.told.ids]
    found = []
    for one in ground.earlier:
        try:
            classes = holding.members_of(one).classes
        except FileNotFoundError:
            # Nothing is released beside it (`_isolated`).
            continue
        found.append(np.array([digest in classes for digest in digests], np.bool_))
    return [those for those in found if those.any()]


def _day(release: Release, instant: datetime) -> str:
    local = instant.astimezone(ZoneInfo(release.client.time_zone))
    return f"{local.day} {local:%b %Y}"


def _built(release: Release, found: anonymise.Release, kept: Rows, ground: _Ground, keys: _Keys) -> Built:
    places = found.rows.tolist()
    report = {
        "rows": len(places),
        "callers": len({kept.callers[place] for place in places}),
        "population": ground.population,
        "suppressed": found.measures.suppressed,
        "loss": found.measures.loss,
        "gcp": found.measures.gcp,
        "classes": found.measures.classes,
        "average": found.measures.average_class,
        "people": found.people,
        "groups": None if release.groups is None else release.groups.number,
        "by_column": {COLUMNS[name].label: loss for name, loss in found.measures.by_column.items()},
        "diversity": {COLUMNS[name].label: spread.distinct for name, spread in found.spread.items()},
        "closeness": {COLUMNS[name].label: spread.t_of_release for name, spread in found.spread.items()},
        "risks": _risks(found.risks),
        "risks_before": _risks(found.risks_before),
    }
    return Built(
        [[COLUMNS[name].label for name in release.columns], *_shuffled(found.table, release.columns)],
        report,
        keys.members(kept, places, found.classes.tolist()),
    )


def _shuffled(table: Table, names: Sequence[str]) -> Iterator[list[str]]:
    """Lines of a file, in an order that says nothing of when the calls came."""
    columns = table.shuffled().columns
    return map(list, zip(*(columns[name].texts() for name in names), strict=True))


def _risks(risks: Risks) -> dict[str, float | None]:
    return {
        "prosecutor": risks.highest,
        "prosecutor_mean": risks.mean,
        "journalist": risks.journalist,
        "marketer": risks.marketer,
        "alone": risks.sample_uniques,
    }


def _pseudonymised(release: Release, ground: _Ground, keys: _Keys) -> Built:
    rows = ground.rows
    if keys.tokens is None:
        raise TypeError("A pseudonymised file needs the recipient's key.")
    tokens = {one: holding.token(keys.tokens, one) for one in set(rows.callers)}
    table = Table.of({CALLER: [tokens[one] for one in rows.callers], **rows.columns})
    report = {
        "rows": len(rows),
        "callers": rows.people,
        "population": ground.population,
    }
    head = ["Caller (token)", *(COLUMNS[name].label for name in release.columns)]
    lines = _shuffled(table, [CALLER, *release.columns])
    # Each row can be told from every other.
    return Built([head, *lines], report, keys.members(rows, range(len(rows)), range(len(rows))))


def _isolated(release: Release, members: Members, ground: _Ground) -> str:
    """Why a release may not be beside earlier ones; empty where it may."""
    least = ground.least
    against = [one for one in ground.earlier if _are_compared(release, one)]
    lists: dict[uuid.UUID, Members] = {}
    for one in against:
        try:
            lists[one.pk] = holding.members_of(one)
        except FileNotFoundError:
            return (
                f"The list of who is in an earlier release is gone: {selectors.name_of(one)}. Nothing can be compared"
                " with it, so revoke it first."
            )[:500]
    found = differencing.isolated(members, lists, least=least)
    if found is None:
        return ""
    named = [selectors.name_of(one) for one in against if one.pk in found.with_]
    return (
        f"With an earlier release it would tell apart fewer callers than the floor of {least}: {'; '.join(named)}."
        " Choose days that do not overlap, or end that release first."
    )[:500]


def _are_compared(release: Release, other: Release) -> bool:
    """Two pseudonymised files are personal data each; what they tell together is the contracts' matter."""
    return release.pk != other.pk and ReleaseKind.ANONYMISED in {release.kind, other.kind}


# --- Trying ---------------------------------------------------------------------------------------------------------


def due_trials(*, agency_id: int, at: datetime) -> list[Work]:
    """Trials that no worker holds. In the agency's scope."""
    rows = ReleaseTrial.objects.filter(agency_id=agency_id, due_at__lte=at).order_by("due_at")
    return [Work(agency_id, pk) for pk in rows.values_list("pk", flat=True)[:20]]


def run_trial(*, due: Work, clock: Clock) -> bool:
    """Try one setting; returns whether this call did. Outside any scope; safe to run twice, and after a kill."""
    at = clock()
    with job_scope(agency_id=due.agency_id):
        rows = ReleaseTrial.objects.filter(pk=due.work_id, due_at__lte=at)
        if not rows.update(due_at=at + _LEASE, state=JobState.RUNNING):
            return False
        trial = ReleaseTrial.objects.select_related(
            "release__client__agency", "release__recipient", "release__groups"
        ).get(pk=due.work_id)
        release = trial.release
        if release.state != ReleaseState.DRAFT:
            ReleaseTrial.objects.filter(pk=trial.pk).remove()
            return False
    result: dict[str, Any] = {}
    try:
        built, ground = _tried(trial, release, at, clock)
        result, refusal = selectors.rounded(built.report), _isolated(release, built.members, ground)
    except ReportsBehindError:
        log.info("release.reports_behind", release=str(release.pk))
        with job_scope(agency_id=due.agency_id):
            ReleaseTrial.objects.filter(pk=trial.pk).update(state=JobState.QUEUED, due_at=clock() + _BEHIND)
        return False
    except (AnonymiseError, TooManyRowsError) as error:
        refusal = str(error)[:500]
    with job_scope(agency_id=due.agency_id):
        return bool(
            ReleaseTrial.objects.filter(pk=trial.pk).update(
                state=JobState.DONE, result=result, refusal=refusal, due_at=None, finished_at=clock()
            )
        )


def _tried(trial: ReleaseTrial, release: Release, at: datetime, clock: Clock) -> tuple[Built, _Ground]:
    ground, keys = _prepare(release, at)
    built = _make(
        release,
        ground,
        k=trial.k,
        l=trial.l,
        t=None if trial.t is None else float(trial.t),
        keys=keys,
        progress=_Telling(trial, clock),
    )
    return built, ground


class _Telling:
    """
    Writes how far a trial is into its row, in hundredths, once a second at most: whoever counts the steps of a search
    counts callers. Who tells still holds the trial.
    """

    def __init__(self, trial: ReleaseTrial, clock: Clock) -> None:
        self._trial, self._clock = trial, clock
        self._last = clock()

    def __call__(self, what: str, done: int, total: int) -> None:
        now = self._clock()
        if now - self._last < timedelta(seconds=1):
            return
        self._last = now
        with job_scope(agency_id=self._trial.agency_id):
            ReleaseTrial.objects.filter(pk=self._trial.pk).update(
                step=what[:40], done=100 * done // total if total else 0, total=100, due_at=now + _LEASE
            )


# --- Building -------------------------------------------------------------------------------------------------------


def due_builds(*, agency_id: int, at: datetime) -> list[Work]:
    """Signed releases that no worker holds. In the agency's scope."""
    rows = Release.objects.filter(agency_id=agency_id).due_to_build(at).order_by("due_at")
    return [Work(agency_id, pk) for pk in rows.values_list("pk", flat=True)[:20]]


def build(*, due: Work, clock: Clock) -> bool:
    """
    Build one signed release; returns whether this call released it. Outside any scope; safe to run twice.

    What cannot be built as it was signed is refused, and both people are told why.
    """
    at = clock()
    with job_scope(agency_id=due.agency_id):
        rows = Release.objects.filter(pk=due.work_id).due_to_build(at)
        if not rows.update(due_at=at + _LEASE):
            return False
        release = selectors.rows_of_agency().get(pk=due.work_id)
        if release.failures >= _FAILURES:
            _refuse(release, "It could not be built; the log of the worker names the fault.", clock())
            return False
        if why := selectors.why_no_row_leaves(release.client):
            _refuse(release, f"{why}: no row of a call leaves.", clock())
            return False
        Release.objects.filter(pk=release.pk).update(failures=release.failures + 1)
    try:
        ground, keys = _prepare(release, at)
        built = _make(
            release,
            ground,
            k=release.k or ground.least,
            l=release.l,
            t=None if release.t is None else float(release.t),
            keys=keys,
            progress=_Holding(release, clock),
        )
        if refusal := _isolated(release, built.members, ground):
            raise AnonymiseError(refusal)
    except ReportsBehindError:
        log.info("release.reports_behind", release=str(release.pk))
        with job_scope(agency_id=due.agency_id):
            # Nothing has failed, and nothing is refused for it.
            Release.objects.filter(pk=release.pk).update(failures=release.failures, due_at=clock() + _BEHIND)
        return False
    except (AnonymiseError, TooManyRowsError) as error:
        with job_scope(agency_id=due.agency_id):
            _refuse(release, str(error), clock())
        return False
    return _deliver(release, built, {one.pk for one in ground.earlier}, clock)


class _Holding:
    """Holds a release that is built for as long as its search goes on, so that nobody else begins it anew."""

    def __init__(self, release: Release, clock: Clock) -> None:
        self._release, self._clock = release, clock
        self._last = clock()

    def __call__(self, what: str, done: int, total: int) -> None:
        now = self._clock()
        if now - self._last < _LEASE / 10:
            return
        self._last = now
        with job_scope(agency_id=self._release.agency_id):
            due = Release.objects.filter(pk=self._release.pk, state=ReleaseState.APPROVED, due_at__gt=now)
            due.update(due_at=now + _LEASE)


def _deliver(release: Release, built: Built, against: set[uuid.UUID], clock: Clock) -> bool:
    file_key, members_key = uuid.uuid4(), uuid.uuid4()
    digest = hashlib.sha256()
    with files.Writer(release.client_id, file_key, at=clock()) as out:
        for piece in csv_lines(built.lines):
            digest.update(piece)
            out.write(piece)
    with files.Writer(release.client_id, members_key, at=clock()) as out:
        for row in built.members.pack():
            out.write(row)
    with job_scope(agency_id=release.agency_id):
        at = clock()
        # One release of a client at a time, each compared with all that were before it.
        client = (
            Client.objects.select_for_update(no_key=True, of=("self",))
            .select_related("agency")
            .get(pk=release.client_id)
        )
        is_alone = {one.pk for one in selectors.live(release.client)} <= against
        ours = Release.objects.filter(pk=release.pk, state=ReleaseState.APPROVED)
        done = is_alone and ours.update(
            state=ReleaseState.RELEASED,
            file_key=file_key,
            members_key=members_key,
            digest=digest.digest(),
            rows=built.report["rows"],
            report=built.report,
            released_at=at,
            ends_at=at + timedelta(days=min(release.keep_for_days, selectors.kept_for_at_most(client))),
            due_at=None,
        )
        if done:
            audit.record(
                "release.released",
                subject=release,
                by=JOB,
                at=at,
                rows=built.report["rows"],
                callers=built.report["callers"],
                sha256=digest.hexdigest(),
            )
            people = {release.proposed_by_id, release.decided_by_id} - {None}
            tell(release, kinds.RELEASE_DECIDED, sorted(people), at)  # type: ignore[arg-type]  # None is taken out
        else:
            ours.update(due_at=at, failures=release.failures)
    if not done:
        files.delete(release.client_id, file_key)
        files.delete(release.client_id, members_key)
    return bool(done)


def csv_lines(lines: Iterable[Sequence[str]]) -> Iterator[bytes]:
    """A file's lines as they are written, the head among them."""
    for cells in lines:
        out = io.StringIO(newline="")
        csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(map(plain_cell, cells))
        yield out.getvalue().encode()


def _refuse(release: Release, why: str, at: datetime) -> None:
    rows = Release.objects.filter(pk=release.pk, state=ReleaseState.APPROVED)
    if not rows.update(state=ReleaseState.REFUSED, refusal=why[:500], due_at=None):
        return
    audit.record("release.refused", subject=release, by=JOB, at=at)
    people = {release.proposed_by_id, release.decided_by_id} - {None}
    tell(release, kinds.RELEASE_REFUSED, sorted(people), at)  # type: ignore[arg-type]  # None is taken out


# --- Looking at it again --------------------------------------------------------------------------------------------


def due_scores(*, agency_id: int, at: datetime) -> list[Work]:
    """
    Live releases whose turn it is: anonymised ones each quarter, pseudonymised ones each week. In the agency's scope.

    The turn is read from when a release was looked at last, so a run that failed is simply due again.
    """
    live = Release.objects.filter(agency_id=agency_id).live()
    rows = live.order_by("released_at").values_list("pk", "kind", "released_at", "scored_at")
    return [
        Work(agency_id, pk)
        for pk, kind, released_at, scored_at in rows
        if _period(kind, scored_at or released_at or at) != _period(kind, at)
    ][:20]


def _period(kind: str, at: datetime) -> str:
    if kind == ReleaseKind.PSEUDONYMISED:
        return f"{at:%G-W%V}"
    return f"{at.year}-Q{(at.month + 2) // 3}"


def _risks_now(members: Members, population: int, k: int) -> dict[str, float | None]:
    """The risks of a file that is out, by the callers who are known today."""
    people: dict[int, set[bytes]] = {}
    for call, number in members.classes.items():
        people.setdefault(number, set()).add(members.callers[call])
    sizes = np.array([len(one) for one in people.values()], np.int64)
    found = risks.assess(sizes, threshold=1 / k, population=max(population, int(sizes.sum())))
    return {"prosecutor": found.highest, "journalist": found.journalist}


def _with_callers(release: Release) -> QuerySet[Call]:
    """The calls of a release's days that are here with their callers."""
    begins, ends = releasable.days(release.client, release.from_on, release.until_on)
    rows = Call.objects.for_client(release.client).started_from(begins).started_before(ends)
    return rows.filter(caller__isnull=False)


def _left(release: Release, keys: _Keys, at: datetime) -> set[bytes]:
    """Digests of callers who are known to have left since a release was signed."""
    since = (release.decided_at or release.created_at) - _DAY
    return {keys.caller(one) for one in releasable.known_to_have_left(release.client, since=since, at=at)}


def _have_expired(release: Release) -> bool:
    """Whether calls of a release's days, or who called, have begun to leave by the client's policy."""
    begins, _ = releasable.days(release.client, release.from_on, release.until_on)
    lines = vault_selectors.watermarks(release.client_id)
    return any(
        lines.get(name, begins) > begins
        for name in (erasure.WATERMARK, erasure.WATERMARK_OUT, erasure.IDENTITY)
    )


def score(*, due: Work, clock: Clock) -> bool:
    """
    Look at a live release against how things are now, and let it wait for a person where something is worse.

    Worse is: with what was released since it tells apart fewer callers than the floor; or callers in it were erased or
    said no since. That calls have expired is neither.

    Outside any scope; returns whether there is something for a person.
    """
    at = clock()
    with job_scope(agency_id=due.agency_id):
        rows = selectors.rows_of_agency().filter(Q(state=ReleaseState.RELEASED), pk=due.work_id)
        release = rows.first()
        if release is None:
            return False
        keys, floor = keys_for(release, at=at), selectors.floor_of(due.agency_id)
        calls = releasable.calls_for_release(
            release.client, from_on=release.from_on, until_on=release.until_on, at=at
        )
        still = {keys.call(pk) for pk in calls.values_list("pk", flat=True)}
        here = {keys.call(pk) for pk in _with_callers(release).values_list("pk", flat=True)}
        left = _left(release, keys, at)
        may_expire = _have_expired(release)
        population = Call.objects.for_client(release.client).filter(caller__isnull=False)
        people_now = population.values("caller_id").distinct().count()
        others = [one for one in selectors.live(release.client) if _are_compared(release, one)]
    members = holding.members_of(release)
    missing = {call: caller for call, caller in members.callers.items() if call not in still}
    # A call that is not here was erased or has expired: of whom, it is told by what is known of its caller alone.
    gone = {caller for call, caller in missing.items() if call in here or caller in left or not may_expire}
    expired = set(missing.values()) - gone
    together = differencing.smallest_with(members, [holding.members_of(one) for one in others])
    found = {
        **_risks_now(members, people_now, floor.k),
        "smallest": together,
        "floor": floor.k,
        "gone_callers": len(gone),
        "expired_callers": len(expired),
        "callers": len(set(members.callers.values())),
        "population": people_now,
        "others": len(others),
    }
    is_anonymised = release.kind == ReleaseKind.ANONYMISED
    is_worse = bool(gone) or (is_anonymised and together < floor.k)
    with job_scope(agency_id=due.agency_id):
        live = Release.objects.filter(pk=release.pk, state=ReleaseState.RELEASED)
        if not live.update(score=found, scored_at=at):
            return False
        audit.record(
            "release.scored",
            subject=release,
            by=SCORER,
            at=at,
            smallest=together,
            gone_callers=len(gone),
        )
        if is_worse:
            work.open_item(
                kinds.RELEASE_RISEN,
                agency_id=release.agency_id,
                client_id=release.client_id,
                key=str(release.pk),
                at=at,
                count=len(gone) or None,
            )
    return is_worse
