"""
Reports on the cells of 50,000,000 calls of 500 clients against those of 5,000,000, cells generated directly.

    python -m lab.bench.bench_reports [--calls 50000000] [--clients 500] [--times 30]

Goals: the median of each report under 150 ms in the server, and at most 1.5 times the one at a tenth of the calls.
"""

import argparse
import statistics
import sys
import time
from dataclasses import dataclass
from datetime import date
from typing import Any

from lab.bench import ground

CLIENTS, MONTHS = 500, 12
LIMIT, RATIO = 150.0, 1.5
FIRST = date(2025, 12, 1)
LAST = date(2026, 12, 1)

# A month of a client as its groups: as many as `analytics.cells` makes of so many calls, each of a source, a campaign
# and a medium, some of which tell an outcome, a week, a state. Then the lists of one fact alone, and of time.
_FILL = """
INSERT INTO analytics_span (agency_id, client_id, starts_at, ends_at, grain, is_hourly, is_final, left_out, built_at)
SELECT %(agency)s, c.id, m.at, m.at + interval '1 month', 0, FALSE, FALSE, NULL, now()
FROM tenancy_client c, LATERAL (
    SELECT (%(first)s::date + make_interval(months => n))::timestamp AT TIME ZONE 'America/New_York' AS at
    FROM generate_series(0, %(months)s - 1) n
) m
"""
_GROUPS = """
INSERT INTO analytics_cell (agency_id, client_id, span_id, sheet, starts_at, ends_at, grain, source, campaign, medium,
    direction, outcome, region, length, repeated, converted, kept, calls, seconds, value_cents, callers)
SELECT s.agency_id, s.client_id, s.id, 0, w.at, least(w.at + interval '7 days', s.ends_at), w.grain,
    (ARRAY['Google Ads','Google Organic','Bing','Yelp','Facebook','Direct mail','Radio','Referral'])[1 + g.n %% 8],
    'Campaign ' || chr(65 + g.n %% 12), (ARRAY['cpc','organic','social','print'])[1 + g.n %% 4],
    CASE WHEN g.n %% 3 > 0 THEN CASE WHEN g.n %% 11 = 0 THEN 'outbound' ELSE 'inbound' END END,
    CASE WHEN g.n %% 10 > 0 THEN (ARRAY['answered','answered','missed','voicemail'])[1 + g.n / 7 %% 4] END,
    CASE WHEN g.n %% 5 > 1 THEN 'US-' || (ARRAY['CA','NY','TX','FL','GA','IL','OH','WA'])[1 + g.n / 3 %% 8] END,
    CASE WHEN g.n %% 4 = 0 THEN '1_to_3m' END, CASE WHEN g.n %% 2 = 0 THEN 'first' END,
    CASE WHEN g.n %% 10 > 0 THEN CASE WHEN g.n %% 9 = 0 THEN 'yes' ELSE 'no' END END,
    CASE WHEN g.n %% 2 = 0 THEN 'notice' END,
    %(each)s, NULL, NULL, greatest(%(each)s - 1, 5)
FROM analytics_span s, generate_series(1, %(groups)s) AS g(n), LATERAL (
    SELECT CASE WHEN g.n %% 5 = 0 THEN s.starts_at
            ELSE s.starts_at + make_interval(days => 7 * (g.n / 5 %% 4)) END AS at,
        CASE WHEN g.n %% 5 = 0 THEN 0 ELSE 1 END AS grain
) w
"""
_TIME = """
INSERT INTO analytics_cell (agency_id, client_id, span_id, sheet, starts_at, ends_at, grain, calls, seconds,
    value_cents, callers)
SELECT s.agency_id, s.client_id, s.id, sheet, s.starts_at + make_interval(days => n),
    s.starts_at + make_interval(days => n + 1), 2, %(calls)s / 30, NULL, NULL, greatest(%(calls)s / 40, 5)
FROM analytics_span s, generate_series(0, 27) n, unnest(ARRAY[1, 2]) AS sheet
"""
_ALONE = """
INSERT INTO analytics_cell (agency_id, client_id, span_id, sheet, starts_at, ends_at, grain, {name}, calls, seconds,
    value_cents, callers)
SELECT s.agency_id, s.client_id, s.id, {sheet}, s.starts_at, s.ends_at, 0, word, %(calls)s / {count}, NULL, NULL,
    greatest(%(calls)s / {count} / 2, 5)
FROM analytics_span s, unnest(%(words)s::text[]) AS word
"""
_ADDED = """
INSERT INTO analytics_cell (agency_id, client_id, span_id, sheet, starts_at, ends_at, grain, source, campaign, medium,
    direction, outcome, region, length, repeated, calls, seconds, value_cents, callers)
SELECT agency_id, client_id, span_id, sheet + more, starts_at, ends_at, grain, source, campaign, medium,
    direction, outcome, region, length, repeated, calls, CASE more WHEN 100 THEN calls * 90 END,
    CASE more WHEN 200 THEN calls * 100 END, callers
FROM analytics_cell, unnest(ARRAY[100, 200]) AS more WHERE sheet NOT IN (2, 18, 19)
"""


@dataclass(frozen=True)
class Place:
    """One filled database, and who looks at it."""

    pair: Any
    agency_id: int
    user_id: int
    client_ids: list[int]
    cells: int


def prepare(databases: Any, calls: int, clients: int) -> Place:
    """Make clients and one who may see them all, and fill the cells by SQL."""
    from django.db import connections
    from django.utils import timezone

    from analytics.enums import Sheet
    from callprivacy.accounts.enums import Role
    from tests import ground as tests_ground
    from tests import make

    begin = time.perf_counter()
    pair = databases.clone()
    tests_ground.point_to(pair)
    at = timezone.now()
    agency = make.agency("Bench", at=at)
    made = [make.client(agency, f"Client {index:03}", at=at) for index in range(clients)]
    analyst = make.person(agency, "ann", Role.ANALYST, at=at)
    for client in made:
        make.grant(analyst, client)
    connections.close_all()
    a_month = calls // clients // MONTHS
    groups = max(1, min(600, a_month // 8))
    words = {
        "source": [
            "Google Ads",
            "Google Organic",
            "Bing",
            "Yelp",
            "Facebook",
            "Direct mail",
            "Radio",
            "Referral",
        ],
        "campaign": [f"Campaign {chr(65 + number)}" for number in range(12)],
        "medium": ["cpc", "organic", "social", "print"],
        "direction": ["inbound", "outbound"],
        "outcome": ["answered", "missed", "voicemail"],
        "region": [f"US-{one}" for one in ("CA", "NY", "TX", "FL", "GA", "IL", "OH", "WA")],
        "length": ["none", "under_30s", "30s_to_1m", "1_to_3m", "3_to_10m", "over_10m"],
        "repeated": ["first", "repeated"],
        "converted": ["yes", "no"],
        "kept": ["notice", "none", "withheld"],
    }
    with ground.as_admin(pair) as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute("SET synchronous_commit = off")
        admin.execute("DROP INDEX analytics_cell_of_sheet")
        admin.execute("DROP INDEX analytics_cell_of_list")
        filled = {
            "agency": agency.pk, "first": FIRST, "months": MONTHS, "groups": groups, "calls": a_month,
            "each": max(a_month // groups, 5),
        }  # fmt: skip
        for statement in (_FILL, _GROUPS, _TIME):
            admin.execute(statement.encode(), filled)
        for name, said in words.items():
            statement = _ALONE.format(name=name, sheet=int(Sheet[name.upper()]), count=len(said))
            admin.execute(statement.encode(), {"calls": a_month, "words": said})
        admin.execute(_ADDED)
        admin.execute("CREATE INDEX analytics_cell_of_sheet ON analytics_cell (client_id, sheet, starts_at)")
        admin.execute("CREATE INDEX analytics_cell_of_list ON analytics_cell (client_id, span_id, sheet)")
        # A span's lists are written at once, one span after the other, and lie together.
        admin.execute("CLUSTER analytics_cell USING analytics_cell_of_list")
        admin.execute("VACUUM ANALYZE")
        (cells,) = admin.execute("SELECT count(*) FROM analytics_cell").fetchone() or (0,)
    took = time.perf_counter() - begin
    print(f"  {cells:,} cells of {calls:,} calls in {took:.0f} s", flush=True)
    return Place(pair, agency.pk, analyst.user_id, [client.pk for client in made], int(cells))


def scenarios(place: Place) -> dict[str, Any]:
    """Name -> what is asked."""
    from analytics.enums import Dimension, Measure, Step
    from analytics.selectors.reports import Asked

    one = (place.client_ids[7],)
    month: dict[str, Any] = {"first": date(2026, 11, 1), "last": date(2026, 12, 1)}
    year: dict[str, Any] = {"first": FIRST, "last": LAST}
    numbers = (Measure.CALLS, Measure.ANSWERED, Measure.CONVERSIONS, Measure.VALUE)
    return {
        "one client, a year by day": Asked(one, (Measure.CALLS, Measure.CALLERS), step=Step.DAY, **year),
        "one client, a year by campaign": Asked(one, numbers, dimensions=(Dimension.CAMPAIGN,), **year),
        "one client, a year by week and source": Asked(
            one, numbers, dimensions=(Dimension.SOURCE,), step=Step.WEEK, **year
        ),
        "one client, a year by three": Asked(
            one, numbers, dimensions=(Dimension.SOURCE, Dimension.OUTCOME, Dimension.REGION), **year
        ),
        "one client, filtered, with the year before": Asked(
            one,
            numbers,
            dimensions=(Dimension.CAMPAIGN, Dimension.REPEATED),
            filters={Dimension.REGION: ("US-CA", "US-NY")},
            compare=True,
            **year,
        ),
        "29 clients, a month by two": Asked(
            tuple(place.client_ids[::17][:29]),
            numbers,
            dimensions=(Dimension.CLIENT, Dimension.CAMPAIGN),
            **month,
        ),
        "500 clients, a month by client": Asked(
            tuple(place.client_ids), (Measure.CALLS, Measure.SECONDS), dimensions=(Dimension.CLIENT,), **month
        ),
        "500 clients, a month by source": Asked(
            tuple(place.client_ids), (Measure.CALLS,), dimensions=(Dimension.SOURCE,), **month
        ),
        "500 clients, a year by source": Asked(
            tuple(place.client_ids), (Measure.CALLS,), dimensions=(Dimension.SOURCE,), **year
        ),
    }


def measure(places: tuple[Place, Place], times: int) -> dict[str, tuple[list[float], list[float]]]:
    """Each report on both databases, in turns, so that a busy moment of the machine falls on both."""
    from analytics.selectors import reports
    from callprivacy.tenancy.scope import staff_scope
    from tests import ground as tests_ground

    found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in scenarios(places[0])}
    for _ in range(3):
        for which, place in enumerate(places):
            tests_ground.point_to(place.pair)
            for name, asked in scenarios(place).items():

                def ask(place: Place = place, asked: Any = asked) -> None:
                    with staff_scope(agency_id=place.agency_id, user_id=place.user_id):
                        answer = reports.report(asked)
                    if not answer.total.calls:
                        raise SystemExit("nothing was found")

                found[name][which].extend(ground.milliseconds(ask, times=max(times // 3, 3), warm=1))
    return found


def main() -> int:
    """Fill both databases, measure, and print each figure with its baseline; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=50_000_000)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--times", type=int, default=30)
    asked = parser.parse_args()
    with ground.databases() as databases:
        small = prepare(databases, asked.calls // 10, asked.clients)
        large = prepare(databases, asked.calls, asked.clients)
        figures = measure((small, large), asked.times)
        for place in (small, large):
            databases.drop(place.pair)
    print(f"{'report':44} {asked.calls:>12,} {asked.calls // 10:>11,} {'ratio':>6}")
    missed = False
    for name, (before, after) in figures.items():
        few, many = statistics.median(before), statistics.median(after)
        bad = many >= LIMIT or many / few > RATIO
        missed |= bad
        print(f"{name:44} {many:9.1f} ms {few:8.1f} ms {many / few:6.2f}{'  over' if bad else ''}")
    print("missed" if missed else "met")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
