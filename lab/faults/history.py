"""What was made, acknowledged and held, written down apart from the databases; and the agency that it happens to."""

import contextlib
import random
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from lab.faults.clock import Clock

CLIENTS, PEOPLE, DAYS_KEPT = 4, 40, 90
A_DAY, RECORDED = 120, 3
VENDORS = ("callrail", "twilio")
SECRET = "a-secret-of-the-tracker"  # noqa: S105  (of a tracker that is played here)
# Of the calls that are made in the database; events last longer, each a second longer than the one before.
_SECONDS = 60


@dataclass
class History:
    """
    What happened, as its doers saw it: kept apart from what the databases say.

    An event is known by a number, which is also how many seconds its call lasted.

    :ivar taken: events that were acknowledged, and their clients. :ivar unsure: events that may be calls, since the
        answer was cut short or was a fault of the server's. :ivar refused: true events that were turned away.
    :ivar cut: answers that were cut short. :ivar away: tries while nobody listened. :ivar failed: answers of 5xx.
    :ivar again: events that were sent again because no answer came. :ivar repeated: acknowledged ones sent once more.
    """

    due: dict[int, set[uuid.UUID]] = field(default_factory=dict)
    held: dict[int, set[uuid.UUID]] = field(default_factory=dict)
    kept: dict[int, set[uuid.UUID]] = field(default_factory=dict)
    recordings: dict[uuid.UUID, uuid.UUID] = field(default_factory=dict)
    outs: set[uuid.UUID] = field(default_factory=set)
    taken: dict[int, int] = field(default_factory=dict)
    unsure: dict[int, int] = field(default_factory=dict)
    refused: list[int] = field(default_factory=list)
    cut: int = 0
    away: int = 0
    failed: int = 0
    again: int = 0
    repeated: int = 0
    nights: int = 0

    @property
    def unanswered(self) -> int:
        """How many tries brought no acknowledgement."""
        return self.cut + self.away + self.failed


@contextlib.contextmanager
def patient(what: str, seconds: float = 60) -> Iterator[Callable[[Callable[[], Any]], Any]]:
    """Repeat what an outage cut short; nothing that is done in here counts before it has answered."""
    from django.db import Error, connections

    def act(deed: Callable[[], Any]) -> Any:
        until = time.monotonic() + seconds
        while True:
            try:
                return deed()
            except Error:
                if time.monotonic() > until:
                    raise SystemExit(f"{what}: the database does not answer.") from None
                connections.close_all()
                time.sleep(0.1)

    yield act


class World:
    """An agency with four live clients, each with people who call, one of whom a hold keeps."""

    def __init__(self, clock: Clock) -> None:
        from callprivacy.accounts.enums import Role
        from callprivacy.calls.services import connections as ways
        from callprivacy.tenancy.enums import RetentionState
        from callprivacy.tenancy.models import Client, Engagement
        from callprivacy.tenancy.scope import job_scope, staff_scope
        from callprivacy.vault import services as vault
        from retention.services import holds
        from tests import make

        self.clock, self.history = clock, History()
        at = clock.now()
        self.agency = make.agency("Faults", at=at)
        self.officer = make.person(self.agency, "olivia", Role.OFFICER, at=at)
        self.clients: list[Any] = []
        self.doors: dict[int, dict[str, str]] = {}
        self.people: dict[int, list[tuple[str, uuid.UUID]]] = {}
        for index in range(CLIENTS):
            client = make.client(self.agency, f"Client {index}", at=at)
            make.grant(self.officer, client)
            with job_scope(agency_id=self.agency.pk):
                Client.objects.filter(pk=client.pk).update(
                    retention_state=RetentionState.LIVE,
                    went_live_at=at,
                    keep_calls_for_days=DAYS_KEPT + index,
                )
                Engagement.objects.for_client(client).update(delete_at_vendor=index % 2 == 0)
                client = Client.objects.select_related("agency").get(pk=client.pk)
                keys = [
                    ways.create_connection(
                        client=client, provider=vendor, name=vendor, secret=SECRET, by=make.JOB, at=at
                    ).key
                    for vendor in VENDORS
                ]
            numbers = [f"+1404{200 + index}{one:04}" for one in range(PEOPLE)]
            for number in numbers:
                # A call of today keeps each of them known; what expires takes recordings and keys, not the people.
                self._note_kept(make.call(client, number, at=at - timedelta(hours=2)))
            ids = vault.ensure_callers(client_id=client.pk, numbers=numbers, at=at)
            self.people[client.pk] = [(number, ids[number]) for number in numbers]
            with staff_scope(agency_id=self.agency.pk, user_id=self.officer.user_id):
                holds.place_hold(
                    client=client, name="Held through the faults", matter="F-1", reason="What is held must stay held.",
                    extent=holds.Wanted(numbers=(numbers[0],)), review_on=at.date() + timedelta(days=900),
                    ends_on=None, people=[], placed_by=self.officer.user_id, at=at,
                )  # fmt: skip
            self.clients.append(client)
            self.doors[client.pk] = dict(zip(VENDORS, keys, strict=True))

    def _note_kept(self, call: Any) -> None:
        self.history.kept.setdefault(call.client_id, set()).add(call.pk)

    def a_day(self, chance: random.Random) -> None:
        """Calls that the next night finds due, of people with and without other calls, some of them recorded."""
        from callprivacy.calls.enums import Direction, Outcome
        from callprivacy.calls.models import Call, call_id
        from callprivacy.tenancy import selectors as tenancy
        from callprivacy.tenancy.scope import job_scope

        for client in self.clients:
            days = client.keep_calls_for_days
            line = tenancy.cutoff_for_days(client, days, self.clock.now())
            rows = []
            for _ in range(A_DAY):
                _, caller_id = chance.choice(self.people[client.pk])
                at = line + timedelta(seconds=chance.uniform(60, 22 * 3600))
                rows.append(
                    Call(
                        pk=call_id(at), agency_id=client.agency_id, client=client, caller_id=caller_id,
                        caller_withheld=False,
                        direction=Direction.OUTBOUND if chance.random() < 0.2 else Direction.INBOUND,
                        outcome=Outcome.ANSWERED, seconds=_SECONDS, source="Google Ads", received_at=at,
                    )
                )  # fmt: skip
            with patient("Making calls") as patiently:

                def write(rows: list[Any] = rows, client: Any = client) -> None:
                    with job_scope(agency_id=client.agency_id):
                        Call.objects.bulk_create(rows, ignore_conflicts=True)

                patiently(write)
            self._record(client, [row for row in rows if chance.randrange(RECORDED) == 0])
            held = self.people[client.pk][0][1]
            for row in rows:
                into = self.history.held if row.caller_id == held else self.history.due
                into.setdefault(client.pk, set()).add(row.pk)
                if row.direction == Direction.OUTBOUND:
                    self.history.outs.add(row.pk)

    def _record(self, client: Any, rows: list[Any]) -> None:
        from callprivacy.calls.models import Recording
        from callprivacy.tenancy.scope import job_scope
        from callprivacy.vault import services as vault
        from callprivacy.vault.sealing import Place

        made = {uuid.uuid4(): row for row in rows}
        with (
            vault.hold_callers(
                client_id=client.pk, caller_ids=list({row.caller_id for row in rows})
            ) as callers,
            job_scope(agency_id=client.agency_id),
        ):
            keys = vault.create_recording_keys(
                client_id=client.pk, recordings=[(one, row.caller_id) for one, row in made.items()],
                callers=callers, at=self.clock.now(),
            )  # fmt: skip
            Recording.objects.bulk_create(
                Recording(
                    pk=one, agency_id=client.agency_id, client_id=client.pk, call=row, provider="callrail",
                    reference=keys[one].seal(
                        f"https://app.callrail.com/calls/{row.pk}/recording".encode(),
                        Place(client.pk, "calls_recording", "reference", one),
                    ),
                )
                for one, row in made.items()
            )  # fmt: skip
        self.history.recordings |= {one: row.pk for one, row in made.items()}
