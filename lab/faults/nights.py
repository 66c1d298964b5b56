"""Nights: a day falls due, its run does its work, and meanwhile something is ended and the clock may go back."""

import random
import time
from dataclasses import dataclass
from datetime import timedelta

from lab.faults.checker import Checker
from lab.faults.history import World, patient
from lab.faults.plants import planted
from lab.faults.site import Site
from lab.faults.trackers import Tracker

_LONGEST = 400.0
BACK = timedelta(hours=1)


def night(
    world: World, site: Site, chance: random.Random, *, kills: int, plan: list[str], goes_back: bool = False
) -> float:
    """
    Let a day pass and the night's run do its work, under so many kills; returns seconds.

    :param goes_back: whether the clock goes back by an hour between two of them.
    """
    world.a_day(chance)
    world.history.nights += 1
    before = len(_runs(world))
    _next_morning(world)
    began, back_at = time.monotonic(), chance.randrange(1, kills + 1) if goes_back and kills else -1
    while True:
        site.keep()
        states = _runs(world)
        is_over = len(states) > before and states[-1] not in {"running", "paused"}
        if is_over and (kills <= 0 or not plan):
            return time.monotonic() - began
        if time.monotonic() - began > _LONGEST:
            raise SystemExit(f"A night did not end: {states[-3:]}; see {site.state}/worker.log")
        time.sleep(chance.uniform(0.02, 1.2))
        if kills > 0 and (victim := _taken_from(plan, site)):
            if kills == back_at:
                world.clock.jump(-BACK)
                site.went_back += 1
            if not is_over:
                site.in_work[victim] += 1
            site.kill(victim, chance)
            kills -= 1
        if is_over:
            kills = 0


def _taken_from(plan: list[str], site: Site) -> str | None:
    """The next victim that does its work by now; the others wait for their turn."""
    for place in reversed(range(len(plan))):
        if site.is_ready(plan[place]):
            return plan.pop(place)
    return None


def _runs(world: World) -> list[str]:
    from callprivacy.tenancy.scope import job_scope
    from retention.models import Run

    with patient("Looking at the run") as patiently:

        def look() -> list[str]:
            with job_scope(agency_id=world.agency.pk):
                return list(Run.objects.order_by("created_at").values_list("state", flat=True))

        found: list[str] = patiently(look)
        return found


def settle(world: World, site: Site) -> None:
    """Wait until nothing waits any more, and what happened is sealed."""
    from callprivacy.calls.models import Inbox
    from callprivacy.tenancy.scope import job_scope

    until = time.monotonic() + 60
    while time.monotonic() < until:
        site.keep()
        with job_scope(agency_id=world.agency.pk):
            if not Inbox.objects.exists():
                break
        time.sleep(0.3)
    time.sleep(6)


@dataclass(frozen=True)
class Outcome:
    """What came of it, once it is compared and the faults were planted."""

    nights: int
    findings: list[str]
    counts: dict[str, int]
    caught: list[tuple[str, bool]]


def through(
    world: World,
    site: Site,
    chance: random.Random,
    plan: list[str],
    *,
    seconds: float,
    a_night: int,
    back: bool,
) -> Outcome:
    """
    Nights for so long under what the plan names; one more without; then the comparison and the planted faults.

    :param back: whether the clock goes back by an hour in every other night.
    """
    _next_morning(world)
    site.start()
    _await(world, site)
    until, nights = time.monotonic() + seconds, 0
    tracker = Tracker(world, site, chance.randrange(1 << 30))
    tracker.start()
    while plan and time.monotonic() < until:
        goes_back = back and nights % 2 == 0
        took = night(world, site, chance, kills=a_night, plan=plan, goes_back=goes_back)
        nights += 1
        print(f"night {nights}: {took:.0f} s, {sum(site.kills.values())} so far", flush=True)
    tracker.ending.set()
    tracker.join(60)
    night(world, site, chance, kills=0, plan=[])
    settle(world, site)
    site.processes["beat"].end()
    checker = Checker(world)
    findings = checker.findings()
    print(f"compared: {findings or 'nothing found'}", flush=True)
    counts = dict(checker.counts)
    return Outcome(nights + 1, findings, counts, planted(world, site, checker, findings))


def _next_morning(world: World) -> None:
    """Some hours after the night's run begins everywhere in America."""
    now = world.clock.now()
    world.clock.jump((now + timedelta(days=1)).replace(hour=8, minute=0) - now)


def _await(world: World, site: Site) -> None:
    """
    Wait until the product's processes do their work, and the run of the day on which they began is over.

    A run that is still under way when the next day's would begin is a person's concern, and that day has none.
    """
    until = time.monotonic() + 180
    while not all(site.is_ready(name) for name in site.processes) or _runs(world)[-1:] != ["done"]:
        if time.monotonic() > until:
            raise SystemExit(f"The product does not start; see the logs in {site.state}.")
        site.keep()
        time.sleep(0.2)


def unanswered(world: World) -> str:
    """What trackers had no acknowledgement of, in words."""
    history = world.history
    return (
        f"{history.unanswered:,} tries not acknowledged ({history.cut:,} answers cut short, {history.failed:,} of 5xx,"
        f" {history.away:,} while nobody listened), {history.again:,} sent again"
    )
