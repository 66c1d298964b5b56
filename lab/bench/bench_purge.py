"""
Erasing calls that are past their date: `python -m lab.bench.bench_purge [--calls 5000000] [--share 5] [--clients 500]`.

In one run, at so many calls spread over clients with different policies, of which one in `share` is past its date: a
run of ours (holds looked at, intent, errands, keys, files, rows, digest, certificates), against one raw DELETE for each
table of the same rows of calls, references, recordings and callers in a copy of the same database. Ours is by one
worker at a worker's priority, for a site's beat has one at a time as a rule. The raw one destroys no key, asks nobody,
and writes nothing down. Reports are up to date before, as they are a minute after a call came in. Meanwhile another
process reads the list of calls, as it did before; and before anything leaves, the preview of it all is timed as its
page draws it.

Goals: at most 3 times the raw DELETE; constant memory; the reader slowed by less than 1.5 times; the preview under 3 s.
"""

import argparse
import multiprocessing
import os
import resource
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

from lab.bench import ground

CALLERS = 200
WORKERS = 1
RATIO, READER, PREVIEW = 3.0, 1.5, 3.0
MEMORY_MAY_GROW = 64
_TIMES_WARM = 3

# Half of a client's callers have called before its line alone, so that they are forgotten with their calls.
_FILL = """
INSERT INTO calls_call (id, agency_id, client_id, caller_id, caller_withheld, direction, outcome, seconds, source,
    campaign, medium, country, region, tags, sequence, received_at)
SELECT (lpad(to_hex((extract(epoch FROM s.at) * 1000)::bigint), 12, '0') || '7' || substr(s.noise, 1, 3) || '8'
        || substr(s.noise, 5, 15))::uuid,
    %(agency)s, s.client, s.caller, s.caller IS NULL,
    CASE WHEN s.n %% 11 = 0 THEN 'outbound' ELSE 'inbound' END,
    (ARRAY['answered','answered','missed','voicemail'])[1 + s.n %% 4], s.n %% 900,
    (ARRAY['Google Ads','Bing','Yelp','Radio'])[1 + s.n %% 4], '', 'cpc', 'US', 'GA', ARRAY[]::varchar[], -1, s.at
FROM (
    SELECT g.n, md5(g.n::text) AS noise, c.id AS client,
        CASE WHEN g.n %% 20 = 0 THEN NULL
             WHEN g.n %% %(share)s = 0 THEN c.callers[1 + (g.n / %(share)s) %% (cardinality(c.callers))]
             ELSE c.callers[1 + g.n %% (cardinality(c.callers) / 2)] END AS caller,
        c.line - CASE WHEN g.n %% %(share)s = 0 THEN 1 ELSE -1 END * random() * least(c.days, 60) * interval '1 day'
            - CASE WHEN g.n %% %(share)s = 0 THEN interval '1 second' ELSE interval '0' END AS at
    FROM generate_series(%(first)s::int, %(last)s::int) AS g(n)
    JOIN filling c ON c.rank = (g.n / %(share)s) %% %(clients)s
) s
"""
_REFERENCES = """
INSERT INTO calls_callref (agency_id, client_id, provider, kind, digest, call_id)
SELECT agency_id, client_id, 'callrail', 'id', decode(md5(id::text) || md5(id::text || 'x'), 'hex'), id FROM calls_call
"""
_DUE = """
SELECT c.id FROM calls_call c JOIN filling f ON f.id = c.client_id WHERE c.id < f.before
"""
_RAW = (
    (
        "calls_recording",
        "DELETE FROM calls_recording r USING due WHERE r.client_id = due.client_id AND r.call_id = due.id",
    ),
    (
        "calls_callref",
        "DELETE FROM calls_callref r USING due WHERE r.call_id = due.id",
    ),
    ("calls_call", "DELETE FROM calls_call c USING due WHERE c.client_id = due.client_id AND c.id = due.id"),
    (
        "calls_caller",
        "DELETE FROM calls_caller k USING forgotten f WHERE k.client_id = f.client_id AND k.id = f.id",
    ),
)


def memory_now() -> int:
    """Resident megabytes of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() >> 20


class Place:
    """A filled database: its pair, the agency, who looks, and the instant of the run."""

    def __init__(self, pair: Any, agency: Any, person: Any, at: Any) -> None:
        self.pair, self.agency, self.person, self.at = pair, agency, person, at


def prepare(databases: Any, *, calls: int, clients: int, share: int, recorded: int) -> Place:
    """Clients with policies of their own, sealed callers, and calls before and after each one's line."""
    from django.db import connections
    from django.utils import timezone

    from callprivacy.accounts.enums import Role
    from callprivacy.calls.models import Caller
    from callprivacy.tenancy import selectors as tenancy
    from callprivacy.tenancy.enums import RetentionState
    from callprivacy.tenancy.models import Client
    from callprivacy.tenancy.scope import job_scope
    from callprivacy.vault import services as vault
    from callprivacy.vault.sealing import Place as Seat
    from tests import ground as tests_ground
    from tests import make

    begin = time.perf_counter()
    pair = databases.clone()
    tests_ground.point_to(pair)
    at = timezone.now()
    agency = make.agency("Bench", at=at)
    person = make.person(agency, "reader", Role.OFFICER, at=at)
    lines: list[tuple[int, int, Any]] = []
    for index in range(clients):
        days = 30 + index % 300
        client = make.client(agency, f"Client {index:03}", at=at)
        make.grant(person, client)
        numbers = [f"+1{200 + index % 700}{5_550_000 + caller}" for caller in range(CALLERS)]
        ids = vault.ensure_callers(client_id=client.pk, numbers=numbers, at=at)
        with (
            vault.hold_callers(client_id=client.pk, caller_ids=list(ids.values())) as keys,
            job_scope(agency_id=agency.pk),
        ):
            Client.objects.filter(pk=client.pk).update(
                retention_state=RetentionState.LIVE, went_live_at=at, keep_calls_for_days=days
            )
            Caller.objects.bulk_create(
                Caller(
                    pk=ids[number], agency_id=agency.pk, client_id=client.pk, country="US", region="GA", created_at=at,
                    number=keys[ids[number]].seal(
                        number.encode(), Seat(client.pk, "calls_caller", "number", ids[number])
                    ),
                )
                for number in numbers
            )  # fmt: skip
        lines.append((client.pk, days, tenancy.cutoff_for_days(client, days, at)))
    connections.close_all()
    _fill(pair, agency.pk, lines, calls=calls, share=share)
    if recorded:
        _record(pair, agency.pk, recorded, at)
    _make_reports(agency.pk, [client_id for client_id, _, _ in lines], at)
    with ground.as_admin(pair) as admin:
        admin.execute("VACUUM ANALYZE")
        admin.execute("CHECKPOINT")
    print(f"filled {calls:,} calls at {clients} clients in {time.perf_counter() - begin:.0f} s", flush=True)
    return Place(pair, agency, person, at)


def _fill(pair: Any, agency_id: int, lines: list[tuple[int, int, Any]], *, calls: int, share: int) -> None:
    with ground.as_admin(pair) as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute("SET synchronous_commit = off")
        admin.execute(
            "CREATE TABLE filling (rank int, id bigint, days int, line timestamptz, before uuid, callers uuid[])"
        )
        with admin.cursor().copy("COPY filling (rank, id, days, line) FROM STDIN") as copy:
            for rank, (client_id, days, line) in enumerate(lines):
                copy.write_row((rank, client_id, days, line))
        admin.execute(
            "UPDATE filling f SET"
            " callers = ARRAY(SELECT k.id FROM calls_caller k WHERE k.client_id = f.id ORDER BY k.id),"
            " before = (lpad(to_hex((extract(epoch FROM line) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid"
        )
        admin.execute("CREATE INDEX ON filling (rank)")
        admin.execute("ANALYZE filling")
        later = admin.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ('calls_call', 'calls_callref')"
            " AND indexdef NOT LIKE 'CREATE UNIQUE%'"
        ).fetchall()
        for name, _ in later:
            admin.execute(f'DROP INDEX "{name}"'.encode())
        for first in range(1, calls + 1, 500_000):
            admin.execute(
                _FILL.encode(),
                {
                    "agency": agency_id, "first": first, "last": min(first + 499_999, calls), "share": share,
                    "clients": len(lines),
                },
            )  # fmt: skip
        admin.execute(_REFERENCES.encode())
        for _, definition in later:
            admin.execute(definition.encode())
        admin.execute("ANALYZE")


def _record(pair: Any, agency_id: int, recorded: int, at: Any) -> None:
    """Give one in `recorded` of the due calls a recording, its reference sealed under a key of its own."""
    import uuid

    from callprivacy.vault import selectors as vault
    from callprivacy.vault.sealing import Key, new_key
    from callprivacy.vault.sealing import Place as Seat

    with ground.as_admin(pair) as admin, ground.as_admin(pair, "vault") as keys:
        rows = admin.execute(
            "SELECT c.client_id, c.id, c.caller_id FROM calls_call c JOIN filling f ON f.id = c.client_id"
            " WHERE c.id < f.before AND c.caller_id IS NOT NULL AND abs(hashtext(c.id::text)) %% %s = 0"
            " ORDER BY c.client_id",
            [recorded],
        ).fetchall()
        admin.execute("SET session_replication_role = replica")
        by_client: dict[int, list[tuple[Any, Any]]] = {}
        for client_id, call_id, caller_id in rows:
            by_client.setdefault(client_id, []).append((call_id, caller_id))
        with (
            admin.cursor().copy(
                "COPY calls_recording (id, agency_id, client_id, call_id, state, reference, provider) FROM STDIN"
            ) as sounds,
            keys.cursor().copy(
                "COPY vault_recordingkey (id, client_id, caller_id, generation, wrapped, created_at) FROM STDIN"
            ) as wrapped,
        ):
            for client_id, calls in by_client.items():
                content = vault.content_keys({client_id: {caller_id for _, caller_id in calls}})
                for call_id, caller_id in calls:
                    identity, raw = uuid.uuid4(), new_key()
                    seat = Seat(client_id, "calls_recording", "reference", identity)
                    sealed = Key(raw).seal(
                        f"https://app.callrail.com/calls/{call_id}/recording".encode(), seat
                    )
                    sounds.write_row(
                        (identity, agency_id, client_id, call_id, "withheld", sealed, "callrail")
                    )
                    place = vault.recording_place(client_id, identity)
                    wrapped.write_row(
                        (identity, client_id, caller_id, 1, content[caller_id].seal(raw, place), at)
                    )


def _make_reports(agency_id: int, client_ids: list[int], at: Any) -> None:
    """Bring what reports are made of up to date, as the beat has done by the time calls are past their date."""
    from django.db import connections

    from analytics.services import making
    from callprivacy.tenancy.models import Client
    from callprivacy.tenancy.scope import job_scope

    for client_id in client_ids:
        with job_scope(agency_id=agency_id):
            making.begin_anew(client=Client.objects.get(pk=client_id))
        while making.work(agency_id=agency_id, client_id=client_id, at=at).has_more:
            pass
    connections.close_all()


# --- What is measured -------------------------------------------------------------------------------------------------


def raw_delete(databases: Any, place: Place) -> tuple[float, dict[str, int]]:
    """Delete the same rows in a copy of the database, a statement a table; returns seconds and rows of each."""
    name = place.pair.names["default"]
    copied = f"{name}_raw"
    (owner,) = databases.admin.execute(
        "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s", [name]
    ).fetchone()
    databases.admin.execute(f'CREATE DATABASE "{copied}" TEMPLATE "{name}" OWNER "{owner}"')
    import psycopg

    from tests import ground as tests_ground

    url = psycopg.conninfo.make_conninfo(tests_ground.servers.admin_url, dbname=copied)
    counts: dict[str, int] = {}
    try:
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(
                "CREATE TABLE due AS SELECT c.client_id, c.id, c.caller_id FROM calls_call c JOIN filling f"
                " ON f.id = c.client_id WHERE c.id < f.before"
            )
            admin.execute(
                "CREATE TABLE forgotten AS SELECT DISTINCT d.client_id, d.caller_id AS id FROM due d WHERE NOT EXISTS"
                " (SELECT FROM calls_call c JOIN filling f ON f.id = c.client_id"
                "  WHERE c.client_id = d.client_id AND c.caller_id = d.caller_id AND c.id >= f.before)"
                " AND d.caller_id IS NOT NULL"
            )
            admin.execute("CREATE INDEX ON due (client_id, id)")
            admin.execute("VACUUM ANALYZE")
            admin.execute("CHECKPOINT")
            seconds = 0.0
            for table, statement in _RAW:
                start = time.perf_counter()
                with admin.transaction():
                    counts[table] = admin.execute(statement.encode()).rowcount
                seconds += time.perf_counter() - start
    finally:
        databases.admin.execute(f'DROP DATABASE IF EXISTS "{copied}" WITH (FORCE)')
    return seconds, counts


def preview_all(place: Place) -> tuple[float, int]:
    """Count it all as the page does, in a person's scope; returns seconds and rows."""
    from callprivacy.accounts import access
    from callprivacy.tenancy.enums import Permission
    from callprivacy.tenancy.scope import staff_scope
    from retention.selectors import preview

    took, rows = [], 0
    for _ in range(3):
        start = time.perf_counter()
        with staff_scope(agency_id=place.agency.pk, user_id=place.person.user_id):
            clients = list(
                access.clients_with(place.person, Permission.MANAGE_RETENTION, at=place.at).select_related(
                    "agency"
                )
            )
            seen = {client.pk: {Permission.VIEW_CALLS} for client in clients}
            found = preview.of_clients(clients, seen, place.at)
            rows = sum(one.total for one in found)
        took.append(time.perf_counter() - start)
    return statistics.median(took), rows


def purge(place: Place, workers: int) -> tuple[float, list[int], dict[str, int]]:
    """
    One run from its start to its certificates; returns seconds, the memory meanwhile, and what it says it did.

    Workers take what no other has leased; the last one to end writes the certificates that are missing. From here on
    this process lets others go first, as `callprivacy.celery` has a worker's do.
    """
    os.nice(5)
    from django.db import connections
    from django.db.models import Sum
    from django.utils import timezone

    from callprivacy.lib.scope import Actor
    from callprivacy.tenancy.scope import job_scope
    from retention.enums import RunCause
    from retention.models import Certificate, RunPart
    from retention.services import runs

    memory: list[int] = []

    def clock() -> Any:
        memory.append(memory_now())
        return timezone.now()

    start = time.perf_counter()
    with job_scope(agency_id=place.agency.pk):
        run = runs.start_run(agency=place.agency, cause=RunCause.BY_HAND, by=Actor.job("bench"), at=place.at)
    until = place.at + timedelta(hours=5)

    def work() -> bool:
        try:
            return runs.work_run(agency_id=place.agency.pk, run_id=run.pk, until=until, clock=clock)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(work) for _ in range(workers)]:
            done.result()
    work()
    seconds = time.perf_counter() - start
    with job_scope(agency_id=place.agency.pk):
        found = RunPart.objects.filter(run=run).aggregate(
            due=Sum("rows_due"), erased=Sum("rows_erased"), recordings=Sum("recordings_erased"),
            callers=Sum("callers_erased"), steps=Sum("vendor_steps"),
        )  # fmt: skip
        found["certificates"] = Certificate.objects.filter(run=run).count()
        run.refresh_from_db()
        if run.state != "done":
            raise SystemExit(f"the run is {run.state}")
    return seconds, memory, found


def _read(pair: Any, agency_id: int, user_id: int, pipe: Pipe) -> None:
    """In a process of its own: read the list's page again and again until told to end; send how long each one took."""
    from tests import ground as tests_ground

    tests_ground.join()
    tests_ground.point_to(pair)
    from callprivacy.accounts import access
    from callprivacy.accounts.models import Membership
    from callprivacy.calls.selectors import calls as selectors
    from callprivacy.calls.selectors.calls import CallFilters
    from callprivacy.tenancy.enums import Permission
    from callprivacy.tenancy.scope import staff_scope

    took: list[float] = []
    pipe.send("ready")
    while True:
        if pipe.poll():
            word = pipe.recv()
            pipe.send(took)
            took = []
            if word == "end":
                return
        start = time.perf_counter()
        with staff_scope(agency_id=agency_id, user_id=user_id):
            membership = Membership.objects.get(user_id=user_id)
            clients = list(
                access.clients_with(membership, Permission.VIEW_CALLS, at=_now()).select_related("agency")[
                    :29
                ]
            )
            selectors.call_page(clients, CallFilters(), zone="America/New_York", size=50)
        took.append((time.perf_counter() - start) * 1000)
        time.sleep(0.05)


def _now() -> Any:
    from django.utils import timezone

    return timezone.now()


def main() -> int:
    """Fill, preview, delete raw in a copy, purge beside a reader, and print each figure with its goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=5_000_000)
    parser.add_argument("--share", type=int, default=5, help="one in so many is past its date")
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument(
        "--recorded", type=int, default=10, help="about one in so many due calls is recorded; 0: none"
    )
    parser.add_argument("--workers", type=int, default=WORKERS, help="how many work the run at a time")
    asked = parser.parse_args()
    with ground.databases() as databases:
        place = prepare(
            databases, calls=asked.calls, clients=asked.clients, share=asked.share, recorded=asked.recorded
        )
        drawn, rows = preview_all(place)
        _close()
        raw, counts = raw_delete(databases, place)
        spawn = multiprocessing.get_context("spawn")
        ours, theirs = spawn.Pipe()
        reader = spawn.Process(
            target=_read,
            args=(place.pair, place.agency.pk, place.person.user_id, theirs),
            daemon=True,
        )
        reader.start()
        ours.recv()
        time.sleep(8)
        ours.send("before")
        before = ours.recv()[_TIMES_WARM:]
        seconds, memory, found = purge(place, asked.workers)
        ours.send("end")
        meanwhile = ours.recv()
        reader.join(10)
        load = os.getloadavg()[0]
        _close()
        databases.drop(place.pair)
    slowed = statistics.median(meanwhile) / statistics.median(before)
    early, late = max(memory[: len(memory) // 10] or memory), max(memory)
    print("Rows:     " + ", ".join(f"{table} {count:,}" for table, count in counts.items()))
    print(f"Run:      {seconds:.1f} s by {asked.workers}, {found['erased']:,} of {found['due']:,} rows,"
          f" {found['recordings']:,} recordings,"
          f" {found['callers']:,} callers, {found['steps']:,} steps at vendors, {found['certificates']:,} certificates"
          f" (load {load:.1f} on {os.cpu_count()} cores)")  # fmt: skip
    print(f"DELETE:   {raw:.1f} s, one statement a table, no key, no trail")
    print(f"Ratio:    {seconds / raw:.2f} (at most {RATIO:.0f})")
    print(f"Memory:   {early} MB in the first tenth, {late} MB at most")
    print(f"Reader:   {statistics.median(before):.1f} ms before, {statistics.median(meanwhile):.1f} ms meanwhile:"
          f" {slowed:.2f} (less than {READER})")  # fmt: skip
    print(f"Preview:  {drawn:.2f} s for {rows:,} rows (under {PREVIEW:.0f} s)")
    holds = (
        seconds / raw <= RATIO
        and late - early <= MEMORY_MAY_GROW
        and slowed < READER
        and drawn < PREVIEW
        and rows == found["erased"] == counts["calls_call"]
    )
    print("Holds." if holds else "Does not hold.")
    return int(not holds)


def _close() -> None:
    from django.db import connections

    connections.close_all()


if __name__ == "__main__":
    sys.exit(main())
