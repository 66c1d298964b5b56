"""
From a proven phone to the package: a person with 2,000 calls over 300 clients of one agency, among calls of others. The
search derives the number's token at every client, writes each derivation down and counts what is held; the package then
holds all of it, with the particulars of each client, in one sealed file.

The baseline is one statement that reads the same calls, with the callers known beforehand.
"""

import argparse
import sys
import time
from datetime import UTC, datetime, timedelta

from lab.bench import ground

LIMIT = 10.0
PERSON = "+12125550101"


def fill(clients: int, calls: int, others: int) -> int:
    """An agency whose clients all know the person, among other callers; returns the agency's id."""
    from callprivacy.calls.enums import Direction, Outcome
    from callprivacy.calls.providers.base import CallFacts
    from callprivacy.calls.services import intake
    from callprivacy.tenancy.enums import Answerer
    from callprivacy.tenancy.models import Engagement
    from callprivacy.tenancy.scope import job_scope
    from tests import make

    now = datetime.now(UTC)
    agency = make.agency("Benchmark", at=now)
    for number in range(clients):
        client = make.client(agency, f"Client {number}", at=now, places=[("US", "CA")])
        with job_scope(agency_id=agency.pk):
            Engagement.objects.for_client(client).update(answered_by=Answerer.AGENCY)
        mine = calls // clients + (number < calls % clients)
        who = [PERSON] * mine + [f"+1213{2_000_000 + number * others + other}" for other in range(others)]
        facts = [
            CallFacts(
                started_at=(now - timedelta(days=200) + timedelta(minutes=17 * at)).replace(microsecond=0),
                direction=Direction.INBOUND, caller=caller, outcome=Outcome.ANSWERED, seconds=60, source="ads",
                tracking_number="+12135550000", references=(("id", f"CAL{at}"),),
            )
            for at, caller in enumerate(who)
        ]  # fmt: skip
        intake.take_in(
            client=client, provider="callrail", connection_id=None, facts=facts, way=intake.Way.HOOK, at=now
        )
    return agency.pk


def ask(agency_id: int) -> tuple[float, float, float, dict[str, int]]:
    """Seconds of the search, of the package, of the baseline, and what is in the package."""
    from django.utils import timezone

    from callprivacy.calls.models import Call
    from callprivacy.lib.scope import Actor
    from callprivacy.tenancy.models import Agency
    from callprivacy.tenancy.scope import client_scope, job_scope
    from rights.enums import Ask, Channel, IdentityKind, IdentityState, StepKind
    from rights.models import Case, Finding, Identity, Package
    from rights.services import cases, searching, steps, working
    from rights.services.cases import Claim, Contact

    now = timezone.now()
    by = Actor.client("bench")
    with job_scope(agency_id=agency_id):
        agency = Agency.objects.get(pk=agency_id)
    with client_scope(agency_id=agency_id, client_id=0):
        submission = cases.open_cases(
            agency=agency, client=None, asks=[Ask.COPY], channel=Channel.PORTAL,
            claims=[Claim(IdentityKind.PHONE, PERSON)], contact=Contact(), received_at=now, by=by, at=now,
        )  # fmt: skip
        Identity.objects.filter(submission=submission).update(state=IdentityState.PROVEN, proven_at=now)
        cases.note_proven(submission=submission, by=by, at=now)
    begin = time.perf_counter()
    searching.search(agency_id=agency_id, submission_id=submission.pk, clock=timezone.now)
    searched = time.perf_counter() - begin
    with job_scope(agency_id=agency_id):
        case = Case.objects.get(submission=submission)
        steps.plan(case=case, kind=StepKind.PACK, at=timezone.now())
    begin = time.perf_counter()
    working.work_next(agency_id=agency_id, clock=timezone.now)
    packed = time.perf_counter() - begin
    with job_scope(agency_id=agency_id):
        contents = Package.objects.get(case=case).contents
        found = Finding.objects.values_list("caller_id", flat=True).distinct()
        callers = [caller_id for caller_id in found if caller_id is not None]
        begin = time.perf_counter()
        count = len(Call.objects.filter(caller_id__in=callers))
        plain = time.perf_counter() - begin
    if contents.get("calls") != count:
        raise SystemExit(f"The package holds {contents.get('calls')} of {count} calls.")
    return searched, packed, plain, contents


def main() -> int:
    """Measure, print the figures with their baseline; 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=300)
    parser.add_argument("--calls", type=int, default=2_000)
    parser.add_argument("--others", type=int, default=40, help="calls of other people at each client")
    asked = parser.parse_args()
    with ground.databases() as databases:
        from tests import ground as tests_ground

        pair = databases.clone()
        tests_ground.point_to(pair)
        agency_id = fill(asked.clients, asked.calls, asked.others)
        with ground.as_admin(pair) as admin:
            admin.execute("VACUUM ANALYZE")
        searched, packed, plain, contents = ask(agency_id)
        databases.drop(pair)
    total = searched + packed
    print(f"{contents['calls']:,} calls of one person over {contents['companies']} clients: {total:.1f} s")
    print(f"  search, a token derived at {asked.clients} clients, each written down: {searched:.1f} s")
    print(f"  package, sealed: {packed:.1f} s")
    print(f"  one statement that reads the same calls: {plain:.2f} s; ratio {total / plain:.0f}")
    is_met = total < LIMIT
    print("met" if is_met else f"missed: {LIMIT:.0f} s")
    return int(not is_met)


if __name__ == "__main__":
    sys.exit(main())
