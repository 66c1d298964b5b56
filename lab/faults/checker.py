"""Compares, in the end, what the databases say with what happened."""

import json
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Any

from lab.faults.history import World
from lab.faults.site import ROOT


class Checker:
    """Compares what the databases say with what happened."""

    def __init__(self, world: World) -> None:
        self.world, self.history = world, world.history
        self.counts: dict[str, int] = {}

    def findings(self) -> list[str]:
        """Everything that does not hold; `counts` says how much of each was looked at."""
        found: list[str] = []
        self.counts = {}
        for client in self.world.clients:
            found += self._rows(client)
            found += self._keys(client)
            found += self._steps(client)
            found += self._certificates(client)
        return [*found, *self._taken(), *self._runs(), *self._trail()]

    def _note(self, what: str, count: int) -> None:
        self.counts[what] = self.counts.get(what, 0) + count

    def _rows(self, client: Any) -> list[str]:
        from callprivacy.calls.models import Call, Recording
        from callprivacy.tenancy.scope import job_scope

        due = self.history.due.get(client.pk, set())
        stay = self.history.held.get(client.pk, set()) | self.history.kept.get(client.pk, set())
        with job_scope(agency_id=client.agency_id):
            here = set(Call.objects.for_client(client).values_list("pk", flat=True))
            sounds = set(Recording.objects.for_client(client).values_list("pk", flat=True))
        theirs = {one for one, call in self.history.recordings.items() if call in due}
        kept = {one for one, call in self.history.recordings.items() if call in stay}
        self._note("due calls gone", len(due))
        self._note("kept and held calls there", len(stay))
        self._note("recordings of held calls there", len(kept))
        return [
            *(f"{client.name}: {len(due & here)} due calls are left" for _ in [0] if due & here),
            *(f"{client.name}: {len(stay - here)} kept or held calls are lost" for _ in [0] if stay - here),
            *(
                f"{client.name}: {len(theirs & sounds)} due recordings are left"
                for _ in [0]
                if theirs & sounds
            ),
            *(f"{client.name}: {len(kept - sounds)} held recordings are lost" for _ in [0] if kept - sounds),
        ]

    def _keys(self, client: Any) -> list[str]:
        from callprivacy.calls.models import Caller, Recording
        from callprivacy.tenancy.scope import job_scope
        from callprivacy.vault import selectors as vault
        from callprivacy.vault.models import RecordingKey
        from callprivacy.vault.sealing import SealBrokenError

        due, held = self.history.due.get(client.pk, set()), self.history.held.get(client.pk, set())
        gone = [one for one, call in self.history.recordings.items() if call in due]
        kept = [one for one, call in self.history.recordings.items() if call in held]
        found = []
        left = RecordingKey.objects.filter(client_id=client.pk, pk__in=gone).count()
        if left:
            found.append(f"{client.name}: {left} keys of due recordings are left")
        with job_scope(agency_id=client.agency_id):
            rows = list(Recording.objects.for_client(client).filter(pk__in=kept))
            numbers = list(Caller.objects.for_client(client))
            try:
                keys = vault.recording_keys(client.pk, [row.pk for row in rows])
                for row in rows:
                    row.reference.reveal(keys[row.pk])
                people = vault.content_keys({client.pk: {row.pk for row in numbers}})
                said = {row.number.reveal(people[row.pk]) for row in numbers}
            except (SealBrokenError, KeyError) as error:
                return [*found, f"{client.name}: what is kept does not open: {type(error).__name__}"]
        if said != {number for number, _ in self.world.people[client.pk]}:
            found.append(f"{client.name}: a person's number is lost")
        self._note("destroyed keys gone", len(gone))
        self._note("kept keys that open", len(rows) + len(numbers))
        return found

    def _steps(self, client: Any) -> list[str]:
        from callprivacy.tenancy.scope import job_scope
        from consent.enums import VendorStep
        from consent.models import VendorTask
        from retention.models import Leftover

        due = self.history.due.get(client.pk, set())
        wanted = sum(call in due for call in self.history.recordings.values())
        with job_scope(agency_id=client.agency_id):
            leftovers = Leftover.objects.for_client(client).count()
            steps = VendorTask.objects.for_client(client).filter(step=VendorStep.DELETE_RECORDING).count()
        is_told = self.world.clients.index(client) % 2 == 0
        self._note("copies at vendors listed", wanted)
        found = [] if leftovers == wanted else [f"{client.name}: {leftovers} copies listed of {wanted}"]
        if steps != (wanted if is_told else 0):
            found.append(
                f"{client.name}: {steps} steps at the vendor, for {wanted if is_told else 0} recordings"
            )
        return found

    def _certificates(self, client: Any) -> list[str]:
        from callprivacy.audit.models import Event
        from callprivacy.tenancy.scope import job_scope
        from callprivacy.vault import signing
        from consent.channels import packing
        from retention.models import Certificate
        from retention.services import erasing
        from tools import verify_certificate

        found: list[str] = []
        with job_scope(agency_id=client.agency_id):
            rows = list(Certificate.objects.for_client(client).order_by("number"))
            batches = list(
                Event.objects.filter(client_id=client.pk, action="calls.erased")
                .order_by("pk")
                .values_list("details", flat=True)
            )
        pins = [signing.public_key().hex()]
        told: list[tuple[int, str]] = []
        for row in rows:
            statement = json.loads(row.statement)
            data = packing.sealed_file(statement, signature=row.signature, public=pins[0])
            found += [
                f"{client.name}, certificate {row.number}: {said}"
                for said in verify_certificate.verify(data, pins=pins).findings
            ]
            told += [
                (one["erased"], one["digest"])
                for one in statement["categories"]
                if one["category"] in {"call", "call_out"}
            ]
        due = self.history.due.get(client.pk, set())
        erased = sum(count for count, _ in told)
        if erased != len(due):
            found.append(f"{client.name}: certificates count {erased} calls, {len(due)} left")
        outs = self.history.outs
        chains = _chains(due - outs, batches, erasing.digest_after) | _chains(
            due & outs, batches, erasing.digest_after
        )
        for count, digest in told:
            if count and (count, digest) not in chains:
                found.append(f"{client.name}: a digest over {count} calls is none of what left")
        self._note("certificates true", len(rows))
        return found

    def _taken(self) -> list[str]:
        """Every event is known by how many seconds its call lasted."""
        from callprivacy.calls.models import Call, Inbox
        from callprivacy.tenancy.scope import job_scope

        history, found = self.history, []
        with job_scope(agency_id=self.world.agency.pk):
            waiting = Inbox.objects.count()
            for client in self.world.clients:
                known = history.due.get(client.pk, set()) | history.held.get(client.pk, set())
                known |= history.kept.get(client.pk, set())
                rows = Call.objects.for_client(client).values_list("pk", "seconds")
                here = Counter(seconds for pk, seconds in rows if pk not in known)
                wanted = {one for one, of in history.taken.items() if of == client.pk}
                unsure = {one for one, of in history.unsure.items() if of == client.pk}
                found += _events(client.name, here, wanted, unsure)
        self._note("acknowledged events whose calls are there", len(history.taken))
        self._note(
            "events without an acknowledgement that are calls at most once",
            len(history.unsure.keys() - history.taken),
        )
        found += [f"{waiting} events wait or are rejected" for _ in [0] if waiting]
        found += ["no event was acknowledged: nothing was tried" for _ in [0] if not history.taken]
        return found + [
            f"true events were turned away with {status}" for status in sorted(set(history.refused))
        ]

    def _runs(self) -> list[str]:
        from callprivacy.tenancy.scope import job_scope
        from retention.enums import RunCause
        from retention.models import Run

        with job_scope(agency_id=self.world.agency.pk):
            days = list(Run.objects.filter(cause=RunCause.NIGHTLY).values_list("planned_on", flat=True))
        self._note("nights with one run each", self.history.nights)
        found = [f"{day}: {count} runs of one night" for day, count in Counter(days).items() if count > 1]
        if len(days) < self.history.nights:
            found.append(f"{len(days)} runs of {self.history.nights} nights")
        return found

    def _trail(self) -> list[str]:
        done = subprocess.run(
            [sys.executable, "manage.py", "verify_audit"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        self._note("the trail verifies", 1)
        return [] if done.returncode == 0 else [f"the trail: {(done.stdout + done.stderr).strip()[-300:]}"]


def _events(name: str, here: Counter[int | None], wanted: set[int], unsure: set[int]) -> list[str]:
    """
    What does not hold of one client's events, each known by its number.

    :param here: how many calls there are of each. :param wanted: those that were acknowledged. :param unsure: those
        that may be calls, for their answer was cut short.
    """
    lost = wanted - here.keys()
    twice = {one for one, count in here.items() if count > 1}
    strange = here.keys() - wanted - unsure
    kinds: tuple[tuple[AbstractSet[int | None], str], ...] = (
        (lost, "acknowledged events are no calls"),
        (twice, "events are calls twice"),
        (strange, "calls are of no event"),
    )
    return [
        f"{name}: {len(numbers)} {what}: {sorted(map(str, numbers))[:5]}"
        for numbers, what in kinds
        if numbers
    ]


def _chains(
    due: set[uuid.UUID], batches: list[dict[str, Any]], after: Callable[[bytes, Any], bytes]
) -> set[tuple[int, str]]:
    """
    Every (count, digest) that batches in their order make: each is what was due from its first id to its last.

    A part's batches follow one another; where one part ends and the next begins the trail does not say, so every
    stretch of them is a candidate.

    :param due: calls of one direction, for each is a part of its own.
    """
    left = sorted(due)
    gone: list[list[uuid.UUID]] = []
    taken: set[uuid.UUID] = set()
    for batch in batches:
        if not batch["rows"] or uuid.UUID(batch["first"]) not in due:
            continue
        first, last = uuid.UUID(batch["first"]), uuid.UUID(batch["last"])
        gone.append([one for one in left if first <= one <= last and one not in taken])
        taken |= set(gone[-1])
    found: set[tuple[int, str]] = set()
    for begin in range(len(gone)):
        digest, count = bytes(32), 0
        for ids in gone[begin:]:
            digest, count = after(digest, ids), count + len(ids)
            found.add((count, digest.hex()))
    return found
