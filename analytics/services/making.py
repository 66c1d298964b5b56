"""
Cells made of calls: a span at a time, from the state of its calls, whatever has happened to them.

What must be made anew is a row (`Touched`); a job takes the rows, makes their spans, and removes what it took, all in
one transaction. A change that commits meanwhile leaves rows of its own.
"""

# ruff: noqa: S608  names put into SQL are columns, written in this module

import bisect
import json
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
from django.db import connection
from django.db.models import Q, QuerySet

from analytics import cells, groups, spans
from analytics.enums import LENGTHS, Grain, Sheet, Sum
from analytics.groups import Ints
from analytics.models import Cell, Span, Touched, Watch
from analytics.selectors import beside, facts, rules
from analytics.selectors.beside import Told
from analytics.selectors.rules import Rule
from analytics.services import days
from callprivacy.calls.models import Call, first_id_at
from callprivacy.lib import calendars
from callprivacy.lib import scope as lib_scope
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault
from callprivacy.vault.selectors import Stretch
from consent.enums import Purpose
from consent.selectors import decisions

HOURS_FOR: Final = timedelta(days=35)
"""How long cells tell hours."""

MOST: Final = 20_000
"""Calls above which a month is grouped by days, and a day by hours."""

BATCH: Final = 40
"""Spans made in one transaction."""

_TOUCHED_AT_ONCE: Final = 50_000
_QUARTER: Final = timedelta(minutes=15)
"""Clocks are set at quarters of hours only, so that a span begins at none between them."""
_LONGEST: Final = timedelta(days=32)
_PERIOD: Final = timedelta(seconds=30)
_OVERLAP: Final = timedelta(minutes=2)
_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Made:
    """What one pass did: spans made, calls read, and whether there is more."""

    spans: int = 0
    calls: int = 0
    has_more: bool = False


# --- What is to be made -----------------------------------------------------------------------------------------------


def touched_clients() -> list[int]:
    """Clients of the scope's agency with something to make anew."""
    return list(Touched.objects.order_by("client_id").values_list("client_id", flat=True).distinct())


def touch(*, client: Client, hours: Iterable[datetime | None]) -> None:
    """Have the spans of these hours made anew; None: all of the client."""
    Touched.objects.bulk_create(
        Touched(agency_id=client.agency_id, client=client, hour=hour) for hour in hours
    )


def work(*, agency_id: int, client_id: int, at: datetime, limit: int = BATCH) -> Made:
    """
    Make up to `limit` spans of a client that something touched. Called outside any scope; one transaction.

    Where another one works for this client nothing is done: it, or the next run, finds the same rows.
    """
    with job_scope(agency_id=agency_id):
        client = Client.objects.select_related("agency").filter(pk=client_id).first()
        if client is None or not _turn(client_id):
            return Made()
        taken = list(
            Touched.objects.for_client(client).order_by("pk").values_list("pk", "hour")[:_TOUCHED_AT_ONCE]
        )
        if any(hour is None for _, hour in taken):
            begin_anew(client=client)
            return Made(has_more=True)
        return _make(client, _by_hour(taken), at, limit=limit, is_cut=len(taken) == _TOUCHED_AT_ONCE)


def _turn(client_id: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_try_advisory_xact_lock(hashtextextended('callprivacy.analytics.cells', %s))",
            [client_id],
        )
        return bool(cursor.fetchone()[0])


def watch(*, agency_id: int, at: datetime) -> None:
    """
    Touch what changed in the vault's list of those who refused since it was looked at last, at clients with spans.

    Called outside any scope; one transaction, in which the vault is asked once, however many clients there are.
    """
    with job_scope(agency_id=agency_id):
        clients = Client.objects.filter(pk__in=Span.objects.order_by().values("client_id").distinct())
        watched = {row.client_id: row for row in Watch.objects.all()}
        wanted: dict[int, Stretch] = {}
        for client_id, zone in clients.order_by("pk").values_list("pk", "time_zone"):
            day, row = calendars.day_in(zone, at), watched.get(client_id)
            if row is None:
                # Who refused before the first look may have done so after the first cells were made.
                wanted[client_id] = Stretch(_EVER, day, day)
            elif row.day != day or at - row.looked_at >= _PERIOD:
                wanted[client_id] = Stretch(row.looked_at - _OVERLAP, row.day, day)
        if not wanted:
            return
        Watch.objects.bulk_create(
            [
                Watch(agency_id=agency_id, client_id=client_id, looked_at=at, day=stretch.upto)
                for client_id, stretch in wanted.items()
            ],
            update_conflicts=True,
            unique_fields=["client"],
            update_fields=["looked_at", "day"],
        )
        changed = vault.refusals_changed(wanted, Purpose.MEASURE)
        for client in Client.objects.filter(pk__in=list(changed)):
            rows = Call.objects.for_client(client).filter(caller_id__in=changed[client.pk])
            touch(client=client, hours={_hour_of(pk.int >> 80) for pk in rows.values_list("pk", flat=True)})


def _hour_of(at_millis: int) -> datetime:
    return datetime.fromtimestamp(at_millis // 3_600_000 * 3600, UTC)


def begin_anew(*, client: Client) -> None:
    """Forget every span that can be made again, and touch every hour that has calls."""
    _forget(Span.objects.for_client(client).filter(is_final=False))
    Touched.objects.for_client(client).remove()
    days.count_known(client=client)
    _touch_between(client, None, None)


def _touch_between(client: Client, start: datetime | None, end: datetime | None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO analytics_touched (agency_id, client_id, hour)
            SELECT DISTINCT agency_id, client_id, date_trunc('hour', to_timestamp(
                ('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint / 1000.0), 'UTC')
            FROM calls_call
            WHERE client_id = %s AND id >= coalesce(%s::uuid, '00000000-0000-0000-0000-000000000000')
                AND id < coalesce(%s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
            """,
            [client.pk, start and first_id_at(start), end and first_id_at(end)],
        )


def _make(
    client: Client,
    wanted: dict[datetime, list[int]],
    at: datetime,
    *,
    limit: int,
    is_cut: bool,
    by_days: frozenset[datetime] = frozenset(),
) -> Made:
    chosen: dict[datetime, tuple[datetime, Grain]] = {}
    done: dict[datetime, list[int]] = {}
    left = False
    cut = _Cut(client, at, by_days)
    for hour in sorted(wanted, reverse=True):
        # An hour of UTC lies in several spans where a zone's days, or those of the zone before, begin within it.
        places = [cut.span_of(hour + quarter * _QUARTER) for quarter in range(4)]
        if len(chosen) >= limit and any(start not in chosen for start, _, _ in places):
            left = True
            continue
        chosen.update({start: (end, grain) for start, end, grain in places})
        done[hour] = wanted[hour]
    open_calls = decisions.calls_open_to(client, Purpose.MEASURE, at=at)
    rule = rules.rule_of(client)
    read = [
        _build(client, start, end, grain, open_calls=open_calls, rule=rule, at=at)
        for start, (end, grain) in chosen.items()
    ]
    days.count_hours(client=client, hours=done, at=at)
    taken = [pk for pks in done.values() for pk in pks]
    Touched.objects.for_client(client).filter(pk__in=taken).remove()
    return Made(spans=len(chosen), calls=sum(read), has_more=left or is_cut or cut.has_recut)


type _Bounds = tuple[datetime, datetime, Grain]


class _Cut:
    """
    Into which spans a client's time is cut, by how many calls there are: the same state, the same spans.

    A month whose cut has changed is forgotten and touched. Where something is final the month keeps its cut. What
    became final by the clocks of another zone stays as it is, and what is made beside it ends where it begins.
    """

    def __init__(self, client: Client, at: datetime, by_days: frozenset[datetime]) -> None:
        self.client, self.at, self.by_days = client, at, by_days
        self.has_recut = False
        self._found: dict[tuple[datetime, Grain], _Bounds] = {}
        self._final: dict[datetime, list[_Bounds]] = {}
        self._fit: dict[_Bounds, bool] = {}
        self._few: dict[tuple[datetime, datetime], bool] = {}

    def span_of(self, instant: datetime) -> _Bounds:
        """Start, end and grain of the span that an instant lies in."""
        month, day = self._known(instant, Grain.MONTH), self._known(instant, Grain.DAY)
        final = self._finals(month)
        place = bisect.bisect_right(final, instant, key=lambda one: one[0])
        before, after = final[:place][-1:], final[place : place + 1]
        if before and instant < before[0][1]:
            return before[0]
        if self._fits(month, part=day):
            start, end, grain = month
        elif self._fits(day, part=day):
            start, end, grain = day
        else:
            start, end, grain = *spans.bounds(instant, self.client.time_zone, Grain.HOUR), Grain.HOUR
        return max([start, *(one[1] for one in before)]), min([end, *(one[0] for one in after)]), grain

    def _finals(self, month: _Bounds) -> list[_Bounds]:
        """What is final and reaches into a month, in order; each ends where it and all before it have ended."""
        start, end, _ = month
        if start not in self._final:
            rows = Span.objects.for_client(self.client).filter(
                is_final=True, starts_at__gt=start - _LONGEST, starts_at__lt=end, ends_at__gt=start
            )
            found: list[_Bounds] = []
            for starts, ends, grain in rows.order_by("starts_at").values_list(
                "starts_at", "ends_at", "grain"
            ):
                found.append((starts, max([ends, *(one[1] for one in found[-1:])]), Grain(grain)))
            self._final[start] = found
        return self._final[start]

    def _grain_of_final(self, start: datetime, end: datetime) -> Grain | None:
        """How finely a stretch is cut by something final that was made by the clocks of today; None where by none."""
        zone = self.client.time_zone
        for starts, ends, grain in self._finals(self._known(start, Grain.MONTH)):
            if start <= starts < end and spans.bounds(starts, zone, grain) == (starts, ends):
                return grain
        return None

    def _known(self, instant: datetime, grain: Grain) -> _Bounds:
        key = (instant.replace(minute=instant.minute // 15 * 15, second=0, microsecond=0), grain)
        if key not in self._found:
            self._found[key] = (*spans.bounds(instant, self.client.time_zone, grain), grain)
        return self._found[key]

    def _fits(self, span: _Bounds, *, part: _Bounds) -> bool:
        if span not in self._fit:
            self._fit[span] = self._decide(span, part)
        return self._fit[span]

    def _are_few(self, start: datetime, end: datetime) -> bool:
        """Whether calls between two instants are at most as many as one span holds; counted once a pass."""
        if (start, end) not in self._few:
            rows = Call.objects.for_client(self.client).started_from(start).started_before(end)
            self._few[start, end] = rows.order_by()[: MOST + 1].count() <= MOST
        return self._few[start, end]

    def _decide(self, span: _Bounds, part: _Bounds) -> bool:
        """
        Whether a span's calls are made cells of together.

        :param part: a day of it that is counted first: where its calls are too many, so are the span's.
        """
        start, end, grain = span
        here = Span.objects.for_client(self.client).filter(starts_at__gte=start, starts_at__lt=end)
        final = self._grain_of_final(start, end)
        if grain is Grain.MONTH and start in self.by_days:
            fits = False
        elif final is not None:
            fits = final <= grain
        elif grain is Grain.DAY and end + HOURS_FOR <= self.at:
            fits = True
        else:
            fits = self._are_few(*part[:2]) and self._are_few(start, end)
        others = here.filter(grain__gt=grain) if fits else here.filter(grain__lte=grain)
        if _forget(others.filter(is_final=False)):
            # What was cut otherwise is made from its calls again, in this pass or the next.
            _touch_between(self.client, start, end)
            self.has_recut = True
        return fits


# --- Calls as columns -------------------------------------------------------------------------------------------------


_SEPARATOR: Final = "\x1f"
_FREE: Final = ("source", "campaign", "medium")
_NO_CALLER: Final = bytes(16)
_BANDS: Final = ("", *(name for _, name in LENGTHS))
"""The bands of lengths, the first one where no seconds are known."""


def _read(calls: QuerySet[Call], rule: Rule) -> cells.Columns:
    """
    The calls of a span as columns: numbers as bytes, none of which is ever written out, and what a call says as one
    text, of which there are far fewer than calls.
    """
    rows = facts.with_decisions(calls)
    inner, values = rows.order_by().values_list(*facts.READ).query.sql_with_params()
    converts, needs = facts.converts(rule)
    words = facts.SAID | {"converted": f"CASE WHEN {converts} THEN 'yes' ELSE 'no' END"}
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT string_agg(uuid_send(c.id), ''),
                string_agg(coalesce(uuid_send(c.caller_id), '\\x{_NO_CALLER.hex()}'), ''),
                string_agg(int4send(coalesce(c.seconds, -1)), ''),
                string_agg(int8send(coalesce(c.value_cents, 0)), ''),
                array_agg(concat_ws(E'\\x1f', {", ".join(words.values())}))
            FROM ({inner}) AS c ({facts.names(facts.READ)})
            """,
            [needs, *values],
        )
        ids, caller_ids, lengths, cents, said = cursor.fetchone()
    if ids is None:
        return cells.NO_CALLS
    codes, names = {}, {}
    place, texts = _encoded(said)
    split = [_parts(text, len(words)) for text in texts]
    for number, name in enumerate(words):
        found, names[name] = _encoded([one[number] for one in split])
        codes[name] = found[place]
    seconds = np.frombuffer(lengths, ">i4").astype(np.int64)
    band, names["length"] = _encoded(_BANDS)
    codes["length"] = band[np.searchsorted([start for start, _ in LENGTHS], seconds, side="right")]
    return cells.Columns(
        millis=_millis(ids),
        callers=_callers(caller_ids),
        seconds=np.maximum(seconds, 0),
        cents=np.frombuffer(cents, ">i8").astype(np.int64),
        codes=codes,
        words=names,
        ids=ids,
        people=caller_ids,
    )


def _millis(ids: bytes) -> Ints:
    """Instants out of the first six bytes of ids, which are milliseconds."""
    parts = np.frombuffer(ids, ">u2").reshape(-1, 8)[:, :3].astype(np.int64)
    return np.asarray(parts[:, 0] * 2**32 + parts[:, 1] * 2**16 + parts[:, 2], np.int64)


def _callers(ids: bytes) -> Ints:
    """A number for each caller, out of ids of sixteen bytes."""
    numbers: dict[bytes, int] = {_NO_CALLER: groups.NOBODY}
    return np.array([numbers.setdefault(one, len(numbers) - 1) for one in _each(ids)], np.int64)


def _each(ids: bytes) -> list[bytes]:
    return [ids[place : place + 16] for place in range(0, len(ids), 16)]


def _parts(text: str, count: int) -> list[str]:
    """A call's words. Where the sign between them stands in a free text, too, none of the free texts is told."""
    parts = text.split(_SEPARATOR)
    return parts if len(parts) == count else [*("" for _ in _FREE), *parts[len(_FREE) - count :]]


def _encoded(values: Sequence[str]) -> tuple[Ints, list[str]]:
    """A number for each value, the same in any order of the rows, and the values by their numbers."""
    words = sorted(set(values))
    place = {word: number for number, word in enumerate(words)}
    return np.array([place[value] for value in values], np.int64), words


# --- A span's rows ----------------------------------------------------------------------------------------------------


def _build(
    client: Client,
    start: datetime,
    end: datetime,
    grain: Grain,
    *,
    open_calls: QuerySet[Call],
    rule: Rule,
    at: datetime,
) -> int:
    """Make one span's cells anew, unless it is final; returns how many calls were read."""
    hourly = grain is not Grain.MONTH and end + HOURS_FOR > at
    here = Span.objects.for_client(client).filter(starts_at=start).first()
    if here is not None and here.is_final:
        return 0
    every = Call.objects.for_client(client).started_from(start).started_before(end)
    rows = open_calls.filter(pk__gte=first_id_at(start), pk__lt=first_id_at(end))
    columns = _read(rows, rule)
    lines = cells.cells_of(
        columns, start, end, client.time_zone, grain, hourly=hourly, k=rule.k, p=rule.p
    ).lines
    if here is not None:
        _forget(Span.objects.for_client(client).filter(pk=here.pk))
    if not len(columns.millis) and not every.exists():
        return 0
    span = Span.objects.create(
        agency_id=client.agency_id,
        client=client,
        starts_at=start,
        ends_at=end,
        grain=grain,
        is_hourly=hourly,
        is_slotted=grain is Grain.MONTH,
        left_out=_left_out(every, rows, len(columns.millis), rule.k),
        built_at=at,
    )
    _write(span, lines)
    return len(columns.millis)


def _left_out(every: QuerySet[Call], measured: QuerySet[Call], count: int, k: int) -> int | None:
    """Calls that may not be measured, where they are of at least k callers."""
    if every.order_by().count() == count:
        return None
    rows = every.exclude(pk__in=measured.order_by().values("pk")).order_by()
    people = rows.filter(caller_id__isnull=False).values("caller_id").distinct().count()
    return rows.count() if people >= k else None


_LINE: Final = (
    ("sheet", "smallint"), ("starts", "bigint"), ("ends", "bigint"), ("grain", "smallint"),
    *((name, "text") for name in cells.FACTS), ("weekday", "smallint"), ("part", "smallint"), ("hour", "smallint"),
    ("calls", "bigint"), ("seconds", "bigint"), ("cents", "bigint"), ("callers", "bigint"),
)  # fmt: skip
_INSERT: Final = f"""
    INSERT INTO analytics_cell (agency_id, client_id, span_id, sheet, starts_at, ends_at, grain,
        {", ".join(cells.FACTS)}, weekday, part, hour, calls, seconds, value_cents, callers)
    SELECT %s, %s, %s, sheet, to_timestamp(starts / 1000.0), to_timestamp(ends / 1000.0), grain,
        {", ".join(cells.FACTS)}, weekday, part, hour, calls, seconds, cents, callers
    FROM json_to_recordset(%s) AS line ({", ".join(" ".join(one) for one in _LINE)})
"""


def _write(span: Span, lines: Sequence[cells.Line]) -> None:
    """A span's cells, in one text: of lists the driver writes each value by itself, which takes as long as all else."""
    if not lines:
        return
    rows = [
        {
            "sheet": int(line.sheet),
            "starts": line.starts,
            "ends": line.ends,
            "grain": int(line.grain),
            **line.told,
            "weekday": line.weekday,
            "part": line.part,
            "hour": line.hour,
            "calls": line.calls,
            "seconds": line.seconds,
            "cents": line.cents,
            "callers": line.callers,
        }
        for line in lines
    ]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [span.agency_id, span.client_id, span.pk, json.dumps(rows)])


def _forget(rows: QuerySet[Span]) -> int:
    """Remove spans, their cells first."""
    ids = list(rows.values_list("pk", "client_id"))
    if ids:
        Cell.objects.filter(client_id=ids[0][1], span_id__in=[pk for pk, _ in ids]).remove()
        Span.objects.filter(pk__in=[pk for pk, _ in ids]).remove()
    return len(ids)


# --- What they tell of each call --------------------------------------------------------------------------------------


def told(*, client: Client, start: datetime, end: datetime, at: datetime) -> Told:
    """
    In which cell of each list each call is that reports count: all calls of the spans that reach between two instants.

    By what cells are made of: calls as they are now, in a job's scope, after `work`. Of what is final the cells stay
    as they were; where its calls would not make the same ones again, it is `gone`.
    """
    found, gone = _Found(), []
    rule = rules.rule_of(client)
    open_calls = decisions.calls_open_to(client, Purpose.MEASURE, at=at)
    for span in Span.objects.for_client(client).filter(starts_at__lt=end, ends_at__gt=start):
        rows = open_calls.filter(pk__gte=first_id_at(span.starts_at), pk__lt=first_id_at(span.ends_at))
        columns = _read(rows, rule)
        hourly = span.is_hourly if span.is_final else span.ends_at + HOURS_FOR > at
        made = cells.cells_of(
            columns,
            span.starts_at,
            span.ends_at,
            client.time_zone,
            Grain(span.grain),
            hourly=hourly,
            k=rule.k,
            p=rule.p,
        )
        if span.is_final and _cells_of(made.lines) != _kept(span):
            gone.append((span.starts_at, span.ends_at))
        else:
            found.add(columns, made)
    return found.told(gone, start=start, end=end)


class _Found:
    """Calls of several spans in one order, and their cells by numbers of all spans."""

    def __init__(self) -> None:
        self._ids: list[uuid.UUID] = []
        self._millis: list[Ints] = []
        self._callers: list[Ints] = []
        self._numbers: dict[bytes, int] = {}
        self._lists: dict[Sheet, list[Ints]] = {sheet: [] for sheet in Sheet if sheet is not Sheet.DAYS}
        self._cells = 0

    def add(self, columns: cells.Columns, made: cells.Told) -> None:
        ids, people = _each(columns.ids), _each(columns.people)
        self._millis.append(columns.millis)
        self._ids += [uuid.UUID(bytes=one) for one in ids]
        self._callers.append(
            np.array(
                [
                    groups.NOBODY if one == _NO_CALLER else self._numbers.setdefault(one, len(self._numbers))
                    for one in people
                ],
                np.int64,
            )
        )
        for sheet, parts in self._lists.items():
            of = made.of.get(sheet)
            parts.append(np.full(len(ids), beside.OUT) if of is None else of + self._cells)
        self._cells += len(ids)

    def told(self, gone: list[tuple[datetime, datetime]], *, start: datetime, end: datetime) -> Told:
        none = np.zeros(0, np.int64)
        millis = np.concatenate([none, *self._millis])
        return Told(
            self._ids,
            np.concatenate([none, *self._callers]),
            [uuid.UUID(bytes=one) for one in self._numbers],
            [np.concatenate([none, *parts]) for parts in self._lists.values()],
            (millis >= spans.millis(start)) & (millis < spans.millis(end)),
            gone,
        )


def _cells_of(lines: Iterable[cells.Line]) -> Counter[tuple[object, ...]]:
    """What lists of calls tell. The callers of a day whose hours were put together are not known any more."""
    return Counter(
        (
            line.sheet, line.starts, line.ends, line.grain, *(line.told.get(name) for name in cells.FACTS),
            line.weekday, line.part, line.hour, line.calls,
        )
        for line in lines
        if line.sheet < Sum.SECONDS
    )  # fmt: skip


def _kept(span: Span) -> Counter[tuple[object, ...]]:
    """The same of a span's cells as they are kept."""
    rows = Cell.objects.for_client(span.client_id).filter(span_id=span.pk, sheet__lt=Sum.SECONDS)
    return Counter(
        (sheet, spans.millis(starts), spans.millis(ends), *rest)
        for sheet, starts, ends, *rest in rows.values_list(
            "sheet", "starts_at", "ends_at", "grain", *cells.FACTS, "weekday", "part", "hour", "calls",
        )
    )  # fmt: skip


# --- What becomes of spans with time ----------------------------------------------------------------------------------


def settle(*, client: Client, before: datetime, at: datetime) -> None:
    """
    Bring the spans that begin before an instant up to date, and make them final: their calls begin to leave.

    In the scope of the job that erases, before it chooses. Repeating it changes nothing.
    """
    lib_scope.require()
    rows = Touched.objects.for_client(client).filter(Q(hour__lt=before) | Q(hour=None))
    touched = set(rows.values_list("hour", flat=True).distinct())
    mine = Span.objects.for_client(client).filter(starts_at__lt=before, is_final=False)
    if touched:
        # As it is now: how its time is cut, and who is told of, follows from its zone and its agency.
        client = Client.objects.select_related("agency").get(pk=client.pk)
        if None in touched:
            begin_anew(client=client)
        _make_touched(client, before, at)
    running = list(mine.filter(grain=Grain.MONTH, ends_at__gt=at).values_list("starts_at", "ends_at"))
    if running:
        client = Client.objects.select_related("agency").get(pk=client.pk)
        for start, end in running:
            # Calls of this month begin to leave while others still come: its days become final one by one.
            _touch_between(client, start, end)
        months = {spans.bounds(start, client.time_zone, Grain.MONTH)[0] for start, _ in running}
        _make_touched(client, before, at, by_days=frozenset(months))
    mine.update(is_final=True)


def _make_touched(
    client: Client, before: datetime, at: datetime, *, by_days: frozenset[datetime] = frozenset()
) -> None:
    rows = Touched.objects.for_client(client).filter(hour__lt=before).order_by("pk")
    while wanted := _by_hour(rows.values_list("pk", "hour")[:_TOUCHED_AT_ONCE]):
        _make(client, wanted, at, limit=2 * len(wanted), is_cut=False, by_days=by_days)


def _by_hour(rows: Iterable[tuple[int, datetime | None]]) -> dict[datetime, list[int]]:
    found: dict[datetime, list[int]] = {}
    for pk, hour in rows:
        if hour is not None:
            found.setdefault(hour, []).append(pk)
    return found


def roll(*, agency_id: int, at: datetime, limit: int = 200) -> int:
    """Let spans that are older than 35 days tell days alone; returns how many did. Called outside any scope."""
    with job_scope(agency_id=agency_id):
        old = Span.objects.filter(is_hourly=True, ends_at__lte=at - HOURS_FOR).order_by("pk")[:limit]
        done = 0
        for span in old.select_related("client"):
            if span.is_final and span.grain != Grain.HOUR:
                _coarsen(span)
            elif span.is_final:
                Span.objects.filter(pk=span.pk).update(is_hourly=False)
            else:
                _touch_between(span.client, span.starts_at, span.ends_at)
                Span.objects.filter(pk=span.pk).update(is_hourly=False)
            done += 1
        return done


def _coarsen(span: Span) -> None:
    """Put the hours of each day together where their calls are gone: what they tell but the hour stays."""
    columns = ", ".join(cells.FACTS)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH gone AS (
                DELETE FROM analytics_cell
                WHERE client_id = %(client)s AND span_id = %(span)s AND sheet %% 100 IN (0, 1)
                RETURNING *
            ), placed AS (
                SELECT g.*, w.day_at, w.next_at
                FROM gone g, LATERAL (
                    SELECT date_trunc('day', g.starts_at AT TIME ZONE %(zone)s) AT TIME ZONE %(zone)s AS day_at,
                        (date_trunc('day', g.starts_at AT TIME ZONE %(zone)s) + interval '1 day')
                            AT TIME ZONE %(zone)s AS next_at
                ) w
            )
            INSERT INTO analytics_cell (agency_id, client_id, span_id, sheet, starts_at, ends_at, grain, {columns},
                calls, seconds, value_cents, callers)
            SELECT agency_id, client_id, span_id, sheet, s, e, n, {columns}, sum(calls), sum(seconds),
                sum(value_cents), max(callers)
            FROM (
                SELECT p.*, CASE WHEN grain = 3 THEN greatest(day_at, %(starts)s) ELSE starts_at END AS s,
                    CASE WHEN grain = 3 THEN least(next_at, %(ends)s) ELSE ends_at END AS e, least(grain, 2) AS n
                FROM placed p
            ) q
            GROUP BY agency_id, client_id, span_id, sheet, s, e, n, {columns}
            """,
            {
                "client": span.client_id,
                "span": span.pk,
                "zone": span.client.time_zone,
                # By the clocks of another zone than when it became final, a day may begin before it.
                "starts": span.starts_at,
                "ends": span.ends_at,
            },
        )
    Span.objects.filter(pk=span.pk).update(is_hourly=False)
