"""
What a breach touched: `python -m lab.bench.bench_impact [--calls 5000000] [--events 10000000] [--clients 50]`.

In one run, over so many calls and events of the trail of one agency, in a year: what one person read in 30 days and in
the year, what one key of the API read in the year, what one connection brought in, and what anybody read in 30 days;
asked as the page asks it, by an officer whom no client is granted. Each is held against brute force: every event and
every call read once by a loop of Python that knows no index and no function of the database.

Goals: each under 5 s, at a first asking after the server's start as well; and equal to brute force.
"""

import argparse
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from lab.bench import ground

GOAL = 5.0
PEOPLE = 60
KEYS = 4
CALLERS = 4_000
BASE = datetime(2026, 11, 24, tzinfo=UTC)
KEY = UUID(int=1)
WAY = UUID(int=2)

# The n-th call: its start, within a year before the base, and with it its id. Every 20th withholds its caller.
_FUNCTIONS = """
CREATE FUNCTION bench_at(n bigint, base timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT base - (hashint8(n) & 2147483647)::float8 / 2147483647 * interval '365 days' $$;
CREATE FUNCTION bench_call(n bigint, base timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM bench_at(n, base)) * 1000)::bigint), 12, '0') || '7'
            || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 5, 15))::uuid $$;
"""
_CALLS = """
INSERT INTO calls_call (id, agency_id, client_id, caller_id, caller_withheld, connection_id, direction, outcome,
    seconds, source, campaign, medium, country, region, tags, sequence, received_at)
SELECT bench_call(n, %(base)s), %(agency)s, (%(clients)s::bigint[])[1 + seat],
    CASE WHEN n %% 20 > 0 THEN md5(seat || 'x' || hashint8(n + 7) %% %(callers)s)::uuid END,
    n %% 20 = 0, CASE WHEN seat = 0 THEN %(way)s::uuid END,
    'inbound', 'answered', n %% 900, 'Google Ads', '', 'cpc', 'US', 'GA', ARRAY[]::varchar[], -1, %(base)s
FROM (
    SELECT n, n %% cardinality(%(clients)s::bigint[]) AS seat
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS g(n)
) s
"""
# Three events in ten let somebody see something; of these one in 50 is a key's, and one in 40 a file.
_EVENTS = """
INSERT INTO audit_event (agency_id, client_id, actor_kind, actor_user_id, actor_name, action, subject_kind, subject_id,
    at, details, reason_hash, xid, epoch)
SELECT %(agency)s, (%(clients)s::bigint[])[1 + call %% cardinality(%(clients)s::bigint[])],
    CASE WHEN is_key THEN 'client' ELSE 'staff' END, CASE WHEN NOT is_key THEN %(person)s + m %% %(people)s END,
    CASE WHEN is_key THEN 'api:00000000-0000-0000-0000-00000000000' || (1 + m %% %(keys)s)
         ELSE 'user:' || %(person)s + m %% %(people)s END,
    CASE WHEN m %% 10 > 2 THEN (ARRAY['call.decided','person.signed_in','item.closed'])[1 + m %% 3]
         WHEN is_file THEN 'export.downloaded'
         ELSE (ARRAY['number.revealed','recording.played','transcript.read'])[1 + m / 60 %% 3] END,
    CASE WHEN is_file THEN '' ELSE 'calls.call' END,
    CASE WHEN is_file THEN '' ELSE bench_call(call, %(base)s)::text END, bench_at(m + 13, %(base)s),
    CASE WHEN is_file THEN jsonb_build_object('rows', m %% 500) ELSE '{}' END, '', pg_current_xact_id(), 1
FROM (
    SELECT m, 1 + (hashint8(m) & 2147483647)::bigint %% %(calls)s AS call,
        m %% 10 < 3 AND hashint8(m + 1) %% 50 = 0 AS is_key, m %% 10 < 3 AND hashint8(m + 2) %% 40 = 0 AS is_file
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS g(m)
) s
"""


def prepare(databases: Any, *, calls: int, events: int, clients: int) -> tuple[Any, Any, Any]:
    """A filled database; returns its pair, the agency and an officer without a grant."""
    from django.db import connections

    from callprivacy.accounts.enums import Role
    from callprivacy.calls.models import Connection
    from callprivacy.tenancy.scope import job_scope
    from tests import ground as tests_ground
    from tests import make

    begin = time.perf_counter()
    pair = databases.clone()
    tests_ground.point_to(pair)
    agency = make.agency("Bench", at=BASE)
    officer = make.person(agency, "officer", Role.OFFICER, at=BASE)
    ids = [make.client(agency, f"Client {index:03}", at=BASE).pk for index in range(clients)]
    with job_scope(agency_id=agency.pk):
        Connection.objects.create(
            pk=WAY,
            agency_id=agency.pk,
            client_id=ids[0],
            provider="callrail",
            name="Way",
            key="w",
            created_at=BASE,
        )
    connections.close_all()
    said = {
        "base": BASE, "agency": agency.pk, "clients": ids, "callers": CALLERS, "way": str(WAY), "calls": calls,
        "person": 1_000, "people": PEOPLE, "keys": KEYS,
    }  # fmt: skip
    with ground.as_admin(pair) as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute("SET synchronous_commit = off")
        admin.execute("SET max_parallel_maintenance_workers = 1")
        admin.execute(_FUNCTIONS)
        later = admin.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ('calls_call', 'audit_event')"
            " AND indexdef NOT LIKE 'CREATE UNIQUE%'"
        ).fetchall()
        for name, _ in later:
            admin.execute(f'DROP INDEX "{name}"'.encode())
        for statement, count in ((_CALLS, calls), (_EVENTS, events)):
            for first in range(1, count + 1, 1_000_000):
                admin.execute(
                    statement.encode(), said | {"first": first, "last": min(first + 999_999, count)}
                )
        for _, definition in later:
            admin.execute(definition.encode())
        admin.execute("ANALYZE")
        admin.execute("CHECKPOINT")
    print(f"filled {calls:,} calls and {events:,} events in {time.perf_counter() - begin:.0f} s", flush=True)
    return pair, agency, officer


type Answer = tuple[dict[tuple[Any, str], tuple[int, int, int, int]], int]


def asked() -> dict[str, tuple[dict[str, Any], Callable[..., Any]]]:
    """Each question: what the loop looks for, and the selector that answers."""
    from governance.selectors import impact

    month, year = BASE - timedelta(days=30), BASE - timedelta(days=366)
    return {
        "a person, 30 days": ({"since": month, "until": BASE, "user_id": 1_001}, impact.of_deeds),
        "a person, a year": ({"since": year, "until": BASE, "user_id": 1_001}, impact.of_deeds),
        "a key, a year": ({"since": year, "until": BASE, "api_key": KEY}, impact.of_deeds),
        "anybody, 30 days": ({"since": month, "until": BASE}, impact.of_deeds),
        "a connection, a year": (
            {"since": year, "until": BASE, "connection_id": WAY},
            impact.of_connection,
        ),
    }


def as_answer(found: Any) -> Answer:
    """What a selector found, as the loop counts it."""
    lines = {
        (line.client_id, f"{line.action} {line.category}"): (line.deeds, line.people, line.gone, line.rows)
        for line in found.lines
    }
    return lines, found.people


def brute(pair: Any, questions: dict[str, tuple[dict[str, Any], Any]]) -> dict[str, Answer]:
    """Read every event and every call once, and count."""
    from governance.enums import DataCategory
    from governance.selectors.impact import READS

    hits: dict[str, dict[tuple[Any, str], list[Any]]] = {name: {} for name in questions}
    wanted: set[UUID] = set()
    callers: dict[UUID, UUID | None] = {}
    brought: list[tuple[int, UUID | None]] = []
    with ground.as_admin(pair) as admin, admin.transaction():
        with admin.cursor("events", binary=True) as rows:
            rows.itersize = 50_000
            rows.execute(
                "SELECT client_id, actor_user_id, actor_name, action, subject_id, at, (details ->> 'rows')::int"
                " FROM audit_event"
            )
            for client, user, actor, action, subject, at, taken in rows:
                if action not in READS:
                    continue
                for name, (said, _) in questions.items():
                    if (
                        "connection_id" in said
                        or not said["since"] <= at < said["until"]
                        or said.get("user_id", user) != user
                        or ("api_key" in said and actor != f"api:{said['api_key']}")
                    ):
                        continue
                    call = UUID(subject) if subject else None
                    hits[name].setdefault((client, f"{action} {READS[action]}"), []).append(
                        (call, taken or 0)
                    )
                    if call:
                        wanted.add(call)
        with admin.cursor("calls", binary=True) as rows:
            rows.itersize = 50_000
            rows.execute("SELECT id, client_id, caller_id, connection_id FROM calls_call")
            for call, client, caller, way in rows:
                if call in wanted:
                    callers[call] = caller
                if way == WAY:
                    brought.append((client, caller))
    found: dict[str, Answer] = {}
    for name, lines in hits.items():
        counted = {
            key: (
                len(rows), len({callers[one] for one, _ in rows if one and callers[one]}),
                len({one for one, _ in rows if one and not callers[one]}), sum(taken for _, taken in rows),
            )
            for key, rows in lines.items()
        }  # fmt: skip
        people = {callers[one] for rows in lines.values() for one, _ in rows if one and callers[one]}
        found[name] = (counted, len(people))
    callers_of_way = len({caller for _, caller in brought if caller})
    client = brought[0][0]
    found["a connection, a year"] = (
        {
            (client, f"calls received {DataCategory.CALLS}"): (len(brought), callers_of_way, 0, 0),
            (client, f"calls received {DataCategory.NUMBERS}"): (callers_of_way, callers_of_way, 0, 0),
        },
        callers_of_way,
    )
    return found


def main() -> int:
    """Fill, ask, count by hand, compare; 1 where a goal is missed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--calls", type=int, default=5_000_000)
    options.add_argument("--events", type=int, default=10_000_000)
    options.add_argument("--clients", type=int, default=50)
    chosen = options.parse_args()
    missed = False
    with ground.databases() as databases:
        from django.db import connections

        from callprivacy.tenancy.scope import staff_scope

        pair, agency, officer = prepare(
            databases, calls=chosen.calls, events=chosen.events, clients=chosen.clients
        )
        try:
            questions = asked()
            answers: dict[str, Answer] = {}
            for name, (said, ask) in questions.items():
                took: list[float] = []
                found: Any = None
                for _ in range(3):
                    begin = time.perf_counter()
                    with staff_scope(agency_id=agency.pk, user_id=officer.user_id):
                        found = ask(**said)
                    took.append(time.perf_counter() - begin)
                answers[name] = as_answer(found)
                deeds = sum(line.deeds for line in found.lines)
                print(
                    f"{name}: first {took[0]:.2f} s, then {took[1]:.2f} and {took[2]:.2f} s; {deeds:,} deeds,"
                    f" {found.people:,} people"
                )
                missed |= max(took) >= GOAL
            connections.close_all()
            begin = time.perf_counter()
            by_hand = brute(pair, questions)
            print(f"brute force, all five in one pass: {time.perf_counter() - begin:.0f} s")
            for name, answer in answers.items():
                if answer != by_hand[name]:
                    print(f"{name}: differs from brute force")
                    missed = True
        finally:
            connections.close_all()
            databases.drop(pair)
    print(f"goals: each under {GOAL:.0f} s and equal to brute force: {'missed' if missed else 'met'}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
