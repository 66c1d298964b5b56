"""
Another key for one client with 300,000 callers, while a reader goes on looking numbers up.

    python -m lab.bench.bench_rotate [--callers 300000]

The baseline is one plain UPDATE of the same rows that writes the same columns again. A second process looks a caller up
all the time, before and meanwhile. The token key is changed afterwards, beside the same baseline. Every commit
reaches the disk (fsync is on), as the app's role. Goal: the client's key within 60 s.
"""

import argparse
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import batched
from typing import Final

from lab.bench import ground

LIMIT: Final = 60.0
OTHERS: Final = 100_000
NUMBERS: Final = [f"+1404{2_000_000 + index}" for index in range(1_000_000)]
_OLD: Final = "2020-01-01T00:00:00+00:00"


def fill(client_id: int, numbers: list[str]) -> None:
    """Give a client callers with their keys."""
    from callprivacy.vault import services as vault
    from tests.make import NOON

    for part in batched(numbers, 10_000):
        vault.issue_keys(client_id=client_id, numbers=part, recordings=[], at=NOON)


class Reader:
    """A process that looks one caller after the other up until it is told to end."""

    def __init__(self, client_id: int, numbers: list[str]) -> None:
        from django.db import connections

        connections.close_all()
        self._told, tell = os.pipe()
        heard, self._hear = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._told)
            os.close(self._hear)
            _read(client_id, numbers, heard, tell)
            os._exit(0)
        os.close(tell)
        os.close(heard)

    def end(self) -> tuple[list[float], int]:
        """How long each look took, in milliseconds, and how many found nobody."""
        os.write(self._hear, b".")
        text = b""
        while part := os.read(self._told, 1 << 16):
            text += part
        os.waitpid(self._pid, 0)
        found = json.loads(text)
        return found["took"], found["missed"]


def _read(client_id: int, numbers: list[str], heard: int, tell: int) -> None:
    from callprivacy.vault import selectors as vault

    os.set_blocking(heard, False)
    chance, took, missed = random.Random(os.getpid()), [], 0
    while True:
        try:
            if os.read(heard, 1):
                break
        except BlockingIOError:
            pass
        number = chance.choice(numbers)
        begin = time.perf_counter()
        missed += client_id not in vault.find_callers([client_id], number)
        took.append((time.perf_counter() - begin) * 1000)
        time.sleep(0.002)
    text = json.dumps({"took": took, "missed": missed}).encode()
    while text:
        text = text[os.write(tell, text) :]


def watched(client_id: int, numbers: list[str], deed: Callable[[], object]) -> tuple[float, list[float], int]:
    """Seconds that a deed takes, the reader's milliseconds meanwhile, and how often it found nobody."""
    reader = Reader(client_id, numbers)
    begin = time.perf_counter()
    deed()
    seconds = time.perf_counter() - begin
    return seconds, *reader.end()


def plain_update(client_id: int) -> float:
    """Seconds of one UPDATE that writes the same columns of the same rows again."""
    from django.db import connections, transaction

    begin = time.perf_counter()
    with transaction.atomic(using="vault"), connections["vault"].cursor() as cursor:
        cursor.execute(
            "UPDATE vault_caller SET content_key = content_key || ''::bytea, generation = generation,"
            " evidence_key = evidence_key || ''::bytea WHERE client_id = %s",
            [client_id],
        )
    return time.perf_counter() - begin


def rotate(agency_id: int, client_id: int, kind: str) -> None:
    """Change a key as a worker does, with the rows that tell how far it is."""
    from django.utils import timezone

    from callprivacy.tenancy.models import Client
    from callprivacy.tenancy.scope import job_scope
    from callprivacy.vault.models import ClientKey
    from retention.enums import RotationState, SecretKind
    from retention.models import Rotation
    from retention.services import secrets
    from tests import make

    ClientKey.objects.filter(client_id=client_id).update(created_at=_OLD, token_made_at=_OLD)
    at = timezone.now()
    with job_scope(agency_id=agency_id):
        client = Client.objects.select_related("agency").get(pk=client_id)
        row = secrets.start_rotation(
            agency=client.agency, kind=SecretKind(kind), client=client, by=make.JOB, at=at
        )
    secrets.work_rotation(
        agency_id=agency_id, rotation_id=row.pk, until=at + timedelta(hours=1), clock=timezone.now
    )
    with job_scope(agency_id=agency_id):
        row = Rotation.objects.get(pk=row.pk)
    if row.state != RotationState.DONE:
        raise SystemExit(f"The rotation is {row.state}.")


def _line(name: str, took: list[float], missed: int) -> str:
    return (
        f"  {len(took):,} looks {name}: median {statistics.median(took):.1f} ms,"
        f" p99 {ground.quantile(took, 0.99):.1f} ms, {missed} found nobody"
    )


def main() -> int:
    """Measure, print the figures with their baseline; 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callers", type=int, default=300_000)
    asked = parser.parse_args()
    with ground.databases() as databases:
        from tests import ground as tests_ground
        from tests.cast import assemble

        pair = databases.clone()
        tests_ground.point_to(pair)
        cast = assemble()
        client_id, numbers = cast.dentist.pk, NUMBERS[: asked.callers]
        fill(client_id, numbers)
        fill(cast.plumber.pk, NUMBERS[:OTHERS])
        with ground.as_admin(pair, "vault") as admin:
            admin.execute("VACUUM ANALYZE vault_caller")
        _, quiet, _ = watched(client_id, numbers, lambda: time.sleep(5))
        results = {}
        for kind in ("client", "token"):
            with ground.as_admin(pair, "vault") as admin:
                admin.execute("VACUUM vault_caller")
            base = plain_update(client_id)
            with ground.as_admin(pair, "vault") as admin:
                admin.execute("VACUUM vault_caller")
            deed = lambda kind=kind: rotate(cast.acme.pk, client_id, kind)  # noqa: E731  (bound where the loop stands)
            results[kind] = (base, *watched(client_id, numbers, deed))
        databases.drop(pair)
    print(_line("before", quiet, 0))
    for kind, (base, seconds, took, missed) in results.items():
        print(f"another {kind} key for {asked.callers:,} callers: {seconds:.1f} s")
        print(f"  one plain UPDATE of the same rows: {base:.1f} s; ratio {seconds / base:.1f}")
        print(_line("meanwhile", took, missed))
    is_met = results["client"][1] < LIMIT and not any(one[3] for one in results.values())
    print("met" if is_met else f"missed: {LIMIT:.0f} s, and every look finds its caller")
    return int(not is_met)


if __name__ == "__main__":
    sys.exit(main())
