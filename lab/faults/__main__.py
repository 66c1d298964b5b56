"""Runs it and prints the tables; see `lab.faults`."""

import argparse
import json
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import lab.faults
from lab.faults import site as sites
from lab.faults.history import CLIENTS, World
from lab.faults.nights import Outcome, through, unanswered
from lab.faults.site import VICTIMS, Site


def told(site: Site, found: Outcome, facts: str) -> str:
    """The tables, as they go onto the screen."""
    lines = [
        facts, "",
        "| ended by SIGKILL | times | before the night's run was over | seconds to bring a server back, mean |",
        "|---|---|---|---|",
    ]  # fmt: skip
    for victim in VICTIMS:
        times = site.kills[victim]
        mean = "" if victim in site.processes else f"{site.down.get(victim, 0.0) / max(times, 1):.1f}"
        lines.append(f"| {victim} | {times} | {site.in_work[victim]} | {mean} |")
    total = sum(site.kills.values())
    lines += ["", "| what was compared in the end | how many | against it |", "|---|---|---|"]
    lines += [
        f"| {what} | {count:,} | {0 if not found.findings else 'see below'} |"
        for what, count in found.counts.items()
    ]
    if found.findings:
        lines += ["", "Does not hold:", "", *(f"- {said}" for said in found.findings)]
    elif total:
        bound = 1 - 0.05 ** (1 / total)
        said = (
            f"Nothing was found after {total} kills. What 0 of {total} proves: were one kill in {1 / bound:.0f}"
            " to lose or keep a row, a series like this one would show it 95 times in 100. It proves nothing about"
            " rarer faults, about a disk that loses what it acknowledged, or about a machine that loses its power."
        )
        lines += ["", said]
    lines += [
        "",
        "| planted fault | found |",
        "|---|---|",
        *(f"| {name} | {'yes' if was else 'NO'} |" for name, was in found.caught),
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Run it and print the tables."""
    parser = argparse.ArgumentParser(
        description=lab.faults.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=210)
    parser.add_argument("--minutes", type=float, default=20, help="no night begins after so many")
    parser.add_argument("--a-night", type=int, default=10, help="kills in each night")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--json", type=Path, help="write what came of it into this file, too")
    asked = parser.parse_args([*arguments, *os.environ.get("ARGS", "").split()])
    # So that what was started is ended, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    chance = random.Random(asked.seed)
    # In rounds, so that a short trial has each of them, too.
    rounds = [chance.sample(VICTIMS, len(VICTIMS)) for _ in range(-(-asked.kills // len(VICTIMS)))]
    plan = [victim for one in rounds for victim in one][: asked.kills]
    began = time.monotonic()
    with sites.standing() as (site, clock):
        world = World(clock)
        found = through(
            world, site, chance, plan, seconds=asked.minutes * 60, a_night=asked.a_night, back=True
        )
        facts = (
            f"Seed {asked.seed} on {datetime.now(UTC).date()}, {os.cpu_count()} cores:"
            f" {found.nights} nights at {CLIENTS} clients in {time.monotonic() - began:.0f} s, in {site.went_back} of"
            " them the clock went back by an hour,"
            f" {sum(len(ids) for ids in world.history.due.values()):,} calls due,"
            f" {len(world.history.taken):,} events acknowledged and {world.history.repeated:,} repeated,"
            f" {unanswered(world)}; processes of the product ended by themselves {site.ended_by_themselves} times."
        )
    print(told(site, found, facts))
    if asked.json:
        report = {
            "kills": {victim: site.kills[victim] for victim in VICTIMS}, "findings": found.findings,
            "compared": found.counts, "planted": found.caught, "facts": facts,
        }  # fmt: skip
        asked.json.write_text(json.dumps(report), encoding="utf-8")
    return int(bool(found.findings) or not all(was for _, was in found.caught))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
