"""
Whether cells keep up with 2,000 calls a second over 500 clients: how long a core works at a minute of calls.

    python -m lab.bench.bench_aggregates [--rate 2000] [--clients 500] [--sample 20]

A sample of the clients has an hour's calls up to its half, and up to its end, which is the most that is read again.
A minute's calls come in through the triggers; then each client's cells are made anew, as often as the job does. Goal:
the work of all clients, at half an hour, takes less than the minute of one processor.
"""

import argparse
import os
import statistics
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lab.bench import ground

PERIOD = 45
"""Seconds between two runs of the job, as in `callprivacy.celery`."""

# Per call: its instant, a caller of many, and what reports tell apart; one more of these a second and rate.
_CALLS = """
INSERT INTO calls_call (id, agency_id, client_id, caller_id, caller_withheld, direction, outcome, seconds, source,
    campaign, medium, country, region, first_call, tags, sequence, received_at)
SELECT (lpad(to_hex((extract(epoch FROM s.at) * 1000)::bigint), 12, '0') || '7' || substr(s.noise, 1, 3) || '8'
        || substr(s.noise, 5, 15))::uuid, %(agency)s, s.client, s.caller, FALSE,
    CASE WHEN s.n %% 11 = 0 THEN 'outbound' ELSE 'inbound' END,
    (ARRAY['answered','answered','answered','missed','voicemail','abandoned'])[1 + s.chance %% 6],
    (s.chance * 7919) %% 900, (ARRAY['Google Ads','Google Organic','Bing','Yelp','Facebook','Direct mail','Radio',
    'Referral'])[1 + s.chance %% 8], 'Campaign ' || chr(65 + s.chance / 8 %% 12), 'cpc', 'US',
    (ARRAY['GA','GA','GA','GA','TX','FL','CA','IL','OH','WA'])[1 + s.chance / 3 %% 10], s.n %% 4 = 0,
    ARRAY[]::varchar[], -1, s.at
FROM (
    SELECT g.n, c.id AS client, md5(g.n::text || '/' || c.id) AS noise, (random() * 10000)::int AS chance,
        c.callers[1 + (random() * (cardinality(c.callers) - 1))::int] AS caller,
        %(start)s::timestamptz + make_interval(secs => g.n / %(rate)s::float8) AS at
    FROM filling c, generate_series(%(first)s::int, %(last)s::int) AS g(n)
) s
"""


_FILLING = """
CREATE TABLE filling AS
SELECT c.id, ARRAY(SELECT gen_random_uuid() FROM generate_series(1, 4000 + 0 * c.id::int)) AS callers
FROM tenancy_client c
"""
_CALLERS = """
INSERT INTO calls_caller (id, agency_id, client_id, number, country, region, has_evidence, created_at)
SELECT k, c.agency_id, c.id, '\\x01'::bytea, '', '', FALSE, now()
FROM filling f JOIN tenancy_client c ON c.id = f.id, unnest(f.callers) k
"""
_BEGIN = (
    "SET session_replication_role = replica",
    "DROP TABLE IF EXISTS filling",
    "DELETE FROM calls_call",
    "DELETE FROM analytics_touched",
    "DELETE FROM analytics_cell",
    "DELETE FROM analytics_span",
    _FILLING,
    _CALLERS,
)


def prepare(databases: Any, sample: int) -> tuple[Any, Any, list[Any]]:
    """An agency with a sample of clients, each with 4,000 callers whose numbers nobody opens."""
    from django.utils import timezone

    from tests import ground as tests_ground
    from tests import make

    pair = databases.clone()
    tests_ground.point_to(pair)
    at = timezone.now()
    agency = make.agency("Bench", at=at)
    clients = [make.client(agency, f"Client {index:03}", at=at) for index in range(sample)]
    return pair, agency, clients


def main() -> int:
    """Fill, let a minute come in, make the cells, and print the minute's work; 1 where it takes longer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=2000, help="calls a second over all clients")
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--sample", type=int, default=20, help="clients that are really made")
    asked = parser.parse_args()
    with ground.databases() as databases:
        pair, agency, clients = prepare(databases, asked.sample)
        figures = [_minute(pair, agency, clients, asked.rate / asked.clients, minute) for minute in (30, 59)]
        databases.drop(pair)
    a_minute = 60 / PERIOD * asked.clients
    print(f"{asked.rate:,.0f} calls/s over {asked.clients} clients; {asked.sample} of them made")
    missed = False
    for name, (calls, wall, used, write) in zip(("half past", "at the end"), figures, strict=True):
        ratio = used * a_minute / 60
        missed |= ratio >= 1 and name == "half past"
        print(
            f"an hour {name:10} {calls:7,} calls a client: {used * 1000:6.1f} ms of processor a client, its server's"
            f" among them ({wall * 1000:.1f} ms by the clock); of all {used * a_minute:.1f} s a minute,"
            f" ratio {ratio:.2f}{'  over' if ratio >= 1 else ''}"
        )
        print(f"  calls come in with triggers at {write[0]:,.0f}/s, without at {write[1]:,.0f}/s")
    print("missed" if missed else "met")
    return int(missed)


def _of_server() -> float:
    """Seconds of processor that the server has spent on our connection, to a hundredth."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    user, system = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _minute(
    pair: Any, agency: Any, clients: list[Any], rate: float, minute: int
) -> tuple[int, float, float, tuple[float, float]]:
    """Calls a client, seconds to make it and those of processor, and calls a second come in, with triggers and not."""
    from analytics.services import making
    from callprivacy.tenancy.scope import job_scope

    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    upto, more = int(minute * 60 * rate), int(60 * rate)
    with ground.as_admin(pair) as admin:
        for statement in _BEGIN:
            admin.execute(statement.encode())

        def come(first: int, last: int) -> float:
            begin = time.perf_counter()
            values = {"agency": agency.pk, "start": start, "rate": rate, "first": first, "last": last}
            admin.execute(_CALLS.encode(), values)
            return len(clients) * (last - first + 1) / (time.perf_counter() - begin)

        # A day's calls decide how it is cut: those of the hours before.
        start -= timedelta(hours=6)
        come(0, int(5 * 3600 * rate))
        start += timedelta(hours=6)
        come(0, upto)
        admin.execute("VACUUM ANALYZE calls_call")
        bare = come(upto + 1, upto + more)
        admin.execute("SET session_replication_role = origin")
        watched = come(upto + more + 1, upto + 2 * more)
    took, used_up, calls = [], [], 0
    for _ in range(2):
        for client in clients:
            with job_scope(agency_id=agency.pk):
                making.touch(client=client, hours=[start])
            begin, used = time.perf_counter(), time.process_time() + _of_server()
            made = making.work(agency_id=agency.pk, client_id=client.pk, at=datetime.now(UTC))
            took.append(time.perf_counter() - begin)
            used_up.append(time.process_time() + _of_server() - used)
            calls = made.calls
    return calls, statistics.median(took), statistics.mean(used_up), (watched, bare)


if __name__ == "__main__":
    sys.exit(main())
