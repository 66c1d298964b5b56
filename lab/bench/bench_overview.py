"""
The first page at 5,000,000 calls of 500 clients, 29 of them granted, against the same page at 50,000 calls.

    python -m lab.bench.bench_overview [--calls 5000000] [--times 40]

Goals: the median with 29 clients under 250 ms in the server, middleware and template included, and at most 1.5 times
the median at 50,000 calls. What counting the calls of four weeks anew would take is printed beside them.
"""

import argparse
import statistics
import sys
import time
from typing import Any

from lab.bench import bench_list, ground
from lab.bench.bench_list import Place

BASELINE = 50_000
LIMIT, RATIO = 250.0, 1.5


def count_days(place: Place) -> float:
    """Count the days of the last five weeks of every client, as the job does; returns the seconds it took."""
    from django.utils import timezone

    from analytics.services import days
    from callprivacy.tenancy.models import Client
    from callprivacy.tenancy.scope import job_scope
    from tests import ground as tests_ground

    tests_ground.point_to(place.pair)
    at = timezone.now()
    began = time.perf_counter()
    with job_scope(agency_id=place.many.agency_id):
        for client in Client.objects.select_related("agency"):
            days.count_all(client=client, at=at)
    return time.perf_counter() - began


def counted_anew(person: Any) -> float:
    """Milliseconds of two statements that count the calls of four weeks of a person's clients."""
    from datetime import timedelta

    from django.utils import timezone

    from callprivacy.accounts import access
    from callprivacy.calls.selectors import counts
    from callprivacy.tenancy.enums import Permission
    from callprivacy.tenancy.scope import staff_scope
    from consent.selectors import decisions

    at = timezone.now()
    with staff_scope(agency_id=person.agency_id, user_id=person.user_id):
        ids = access.client_ids_with(person, Permission.VIEW_CALLS, at=at)

        def count() -> None:
            counts.calls_since(list(ids), at - timedelta(weeks=4))
            decisions.recorded_since(list(ids), at - timedelta(weeks=4))

        return statistics.median(ground.milliseconds(count, times=5, warm=1))


def main() -> int:
    """Fill both databases, measure, and print each figure with its baseline; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=5_000_000)
    parser.add_argument("--times", type=int, default=40)
    asked = parser.parse_args()
    from tests import ground as tests_ground

    took: dict[str, dict[str, float]] = {}
    with ground.databases() as databases:
        places = {
            "small": bench_list.prepare(databases, BASELINE),
            "large": bench_list.prepare(databases, asked.calls),
        }
        for size, place in places.items():
            print(f"  days of five weeks counted in {count_days(place):.1f} s, {size}", flush=True)
        for size, place in places.items():
            tests_ground.point_to(place.pair)
            for name, person in (("29 granted clients", place.many), ("500 granted clients", place.all)):
                look = bench_list.looks(person, {}, "/overview/")
                times = ground.milliseconds(look, times=asked.times, warm=4)
                took.setdefault(name, {})[size] = statistics.median(times)
                took.setdefault(f"{name}, counted anew", {})[size] = counted_anew(person)
        for place in places.values():
            databases.drop(place.pair)
    print(f"{'overview':36} {asked.calls:>12,} {BASELINE:>10,} {'ratio':>6}")
    for name, found in took.items():
        print(
            f"{name:36} {found['large']:9.1f} ms {found['small']:7.1f} ms {found['large'] / found['small']:6.2f}"
        )
    goal = took["29 granted clients"]
    missed = goal["large"] >= LIMIT or goal["large"] > RATIO * goal["small"]
    print("missed" if missed else "met")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
