"""
Nights under outages that are not kills: lines to PostgreSQL and Valkey that are slow, silent, cut in the middle of a
message or refused; and a disk that is full. The history, its checker and its planted faults are those of lab.faults.

Lines are disturbed by a proxy of our own between the product and its servers, which needs no right that a user has not;
the full disk is a small file system in memory, which needs root.
"""

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lab.assure import at_rest, kills
from lab.assure.rows import STATE, Figure
from tools import arguments

# --- A line that can be disturbed -------------------------------------------------------------------------------------


class Line(threading.Thread):
    """
    Between a port of this machine and a server's socket: what comes in goes out, unless it is told otherwise.

    :ivar cut: how many connections were reset.
    :ivar held: how many pieces had to wait.
    """

    def __init__(self, server: Path) -> None:
        super().__init__(daemon=True)
        self.server, self.port = server, 0
        self.cut, self.held = 0, 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._flows: asyncio.Event | None = None
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._delay, self._refuses, self._until_cut = 0.0, False, -1

    def run(self) -> None:
        """Serve until the process ends."""
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._begin())
        self._loop.run_forever()

    def begin(self) -> int:
        """Start; the port that it listens on."""
        self.start()
        self._ready.wait(10)
        return self.port

    async def _begin(self) -> None:
        self._flows = asyncio.Event()
        self._flows.set()
        server = await asyncio.start_server(self._joined, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            self._reset(writer)
            return
        try:
            far_reader, far_writer = await asyncio.open_unix_connection(str(self.server))
        except OSError:
            self._reset(writer)
            return
        pair = (writer, far_writer)
        self._pairs.add(pair)
        await asyncio.gather(self._pump(reader, far_writer, pair), self._pump(far_reader, writer, pair))
        self._pairs.discard(pair)

    async def _pump(
        self,
        source: asyncio.StreamReader,
        into: asyncio.StreamWriter,
        pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
    ) -> None:
        assert self._flows is not None  # noqa: S101  (for the type checker)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while piece := await source.read(1 << 16):
                if self._delay or not self._flows.is_set():
                    self.held += 1
                    await asyncio.sleep(self._delay)
                    await self._flows.wait()
                if 0 <= self._until_cut < len(piece):
                    into.write(piece[: self._until_cut])
                    await into.drain()
                    self._until_cut = -1
                    self._end(pair)
                    return
                if self._until_cut >= 0:
                    self._until_cut -= len(piece)
                into.write(piece)
                await into.drain()
        with contextlib.suppress(OSError, RuntimeError):
            into.close()

    def _end(self, pair: tuple[asyncio.StreamWriter, asyncio.StreamWriter]) -> None:
        self.cut += 1
        for writer in pair:
            self._reset(writer)

    @staticmethod
    def _reset(writer: asyncio.StreamWriter) -> None:
        """End it by a reset, not by a farewell, as a line does that is gone."""
        end: socket.socket | None = writer.get_extra_info("socket")
        if end is not None and end.family == socket.AF_INET:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    def _do(self, deed: Callable[[], object]) -> None:
        done = threading.Event()

        def act() -> None:
            deed()
            done.set()

        self._loop.call_soon_threadsafe(act)
        done.wait(10)

    def cut_all(self) -> None:
        """Reset every connection there is."""

        def cut() -> None:
            for pair in list(self._pairs):
                self._end(pair)

        self._do(cut)

    def silence(self, seconds: float, *, then_cut: bool = False) -> None:
        """Let nothing pass for a while; then all of it goes on, or everything is reset."""
        assert self._flows is not None  # noqa: S101  (for the type checker)
        self._do(self._flows.clear)
        time.sleep(seconds)
        if then_cut:
            self.cut_all()
        self._do(self._flows.set)

    def slow(self, seconds: float, *, each: float) -> None:
        """Let each piece wait, for a while."""
        self._delay = each
        time.sleep(seconds)
        self._delay = 0.0

    def refuse(self, seconds: float) -> None:
        """Reset everything, and everybody who comes, for a while."""
        self._refuses = True
        self.cut_all()
        time.sleep(seconds)
        self._refuses = False

    def cut_within(self, size: int, *, seconds: float) -> None:
        """Reset the connection that carries the byte after so many, in the middle of what it says."""
        before, until = self.cut, time.monotonic() + seconds
        self._until_cut = size
        while self.cut == before and time.monotonic() < until:
            time.sleep(0.02)
        self._until_cut = -1


def between(server: Path, address: str) -> tuple[Line, str]:
    """A line to a server's socket, and its address by that line."""
    line = Line(server)
    port, parts = line.begin(), urlsplit(address)
    who = parts.netloc.rpartition("@")[0]
    if parts.scheme == "unix":
        base = parse_qs(parts.query).get("db", ["0"])[0]
        return line, f"redis://{who}@127.0.0.1:{port}/{base}"
    return line, f"{parts.scheme}://{who}@127.0.0.1:{port}{parts.path}"


# The share of a trial's time in which outages may begin. To compare everything, and once more for each planted fault,
# takes as long again, and longer where others use the machine as well.
NIGHTS = 0.4


# --- Nights -----------------------------------------------------------------------------------------------------------


def _nights(
    site: Any, clock: Any, kinds: list[str], *, count: int, seconds: float, a_night: int
) -> tuple[dict[str, Any], Any]:
    """As many outages as there is time for, while nights run and trackers send; then the checker and its plants."""
    from lab.faults import nights
    from lab.faults.history import World

    chance = random.Random(int(time.time()))
    plan = [kinds[number % len(kinds)] for number in range(count)]
    chance.shuffle(plan)
    world = World(clock)
    came = nights.through(world, site, chance, plan, seconds=seconds, a_night=a_night, back=False)
    done = sum(site.kills.values())
    compared = ", ".join(f"{count:,} {what}" for what, count in came.counts.items())
    said = (
        f"{done} outages in {came.nights} nights ("
        + ", ".join(f"{times} times {kind}" for kind, times in sorted(site.kills.items()))
        + f"); {nights.unanswered(world)}; processes of the product ended by themselves"
        f" {site.ended_by_themselves} times; compared: {compared}"
    )
    found = {"said": said, "failures": came.findings, "trials": done, "caught": came.caught}
    return found, world


# --- Lines ------------------------------------------------------------------------------------------------------------

DISTURBED: dict[str, Callable[[Line, random.Random], None]] = {
    "slow": lambda line, chance: line.slow(4, each=chance.uniform(0.02, 0.2)),
    "silent for 8 s": lambda line, _: line.silence(8),
    "silent for 4 s, then cut": lambda line, _: line.silence(4, then_cut=True),
    "cut": lambda line, _: line.cut_all(),
    "cut within a message": lambda line, chance: line.cut_within(chance.randrange(1, 6000), seconds=5),
    "refused for 3 s": lambda line, _: line.refuse(3),
}


def _lines(postgres: Any, valkey: Any, addresses: dict[str, str]) -> dict[str, Line]:
    """Put a line before each server; the owner, who migrates, goes straight to it."""
    from tools import services

    found: dict[str, Line] = {}
    server = postgres.place.sockets / f".s.PGSQL.{services.PORT}"
    found["PostgreSQL"], addresses["DATABASE_URL"] = between(server, addresses["DATABASE_URL"])
    vault = urlsplit(addresses["VAULT_DATABASE_URL"])
    who = vault.netloc.rpartition("@")[0]
    addresses["VAULT_DATABASE_URL"] = (
        f"{vault.scheme}://{who}@127.0.0.1:{found['PostgreSQL'].port}{vault.path}"
    )
    found["Valkey"], addresses["REDIS_URL"] = between(valkey.socket, addresses["REDIS_URL"])
    return found


def drops(seconds: float) -> Figure:
    """Nights while the lines to both servers are disturbed."""
    return kills.own_process("drops", str(seconds * NIGHTS), seconds=seconds, module="lab.assure.outages")


def _drops(seconds: float) -> dict[str, Any]:
    from lab.faults import site as sites

    lines: dict[str, Line] = {}

    class Disturbed(sites.Site):
        """Its lines are disturbed where others are killed."""

        def kill(self, victim: str, chance: random.Random) -> None:
            """Disturb one line in one way."""
            server, _, how = victim.partition(" ")
            DISTURBED[how](lines[server], chance)
            self.kills[victim] += 1

    kinds = [f"{server} {how}" for how in DISTURBED for server in ("PostgreSQL", "Valkey")]
    with sites.standing(
        between=lambda postgres, valkey, addresses: lines.update(_lines(postgres, valkey, addresses)),
        kind=Disturbed,
    ) as (site, clock):
        found, _ = _nights(site, clock, kinds, count=60, seconds=seconds, a_night=12)
    for server, line in lines.items():
        found["said"] += f"; to {server} {line.cut:,} connections cut, {line.held:,} pieces held back"
        if not line.cut or not line.held:
            found["failures"] = [*found["failures"], f"the line to {server} was not disturbed"]
    return found


# --- A full disk ------------------------------------------------------------------------------------------------------

_ROOM = 640 << 20


@contextlib.contextmanager
def _small_disk() -> Iterator[Path]:
    """A file system of its own in memory; it goes with all that is on it."""
    folder = Path(tempfile.mkdtemp(prefix="callprivacy-full-"))
    folder.chmod(0o711)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_ROOM},mode=711", "tmpfs", str(folder)]
    subprocess.run(mount, check=True, capture_output=True)
    try:
        yield folder
    finally:
        logs = STATE / "full"
        logs.mkdir(parents=True, exist_ok=True)
        # What was said outlives the disk: else nobody could say why a night hung.
        for log in folder.glob("*.log"):
            shutil.copy(log, logs)
        subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def _fill(disk: Path, *, but: int = 0) -> Path:
    """Write until nothing more goes in, but for so many bytes."""
    ballast = disk / "ballast"
    with ballast.open("ab") as file, contextlib.suppress(OSError):
        room = shutil.disk_usage(disk).free - but
        os.posix_fallocate(file.fileno(), 0, file.tell() + max(room, 0))
    return ballast


def full(seconds: float) -> Figure:
    """Nights while the disk of everything is full, and a backup onto a full one."""
    if os.geteuid():
        return Figure("", skipped="a small file system needs root; run it as root or in a container")
    return kills.own_process("full", str(seconds * NIGHTS), seconds=seconds, module="lab.assure.outages")


def _full(seconds: float) -> dict[str, Any]:
    from lab.faults import site as sites
    from tools import services

    brought_back: Counter[str] = Counter()
    with _small_disk() as disk:

        class Full(sites.Site):
            """Its disk is filled where others are killed."""

            def kill(self, victim: str, chance: random.Random) -> None:
                """Fill the disk for some seconds; then there is room again, and what ended is started again."""
                ballast = _fill(disk, but=chance.choice((0, 0, 1 << 20, 18 << 20)))
                time.sleep(chance.uniform(4, 10))
                ballast.unlink()
                for name, server in (("PostgreSQL", self.postgres), ("Valkey", self.valkey)):
                    if server.process is None or server.process.poll() is not None:
                        brought_back[name] += 1
                        server.start()
                assert self.postgres.process is not None  # noqa: S101  (for the type checker)
                services.wait_until(
                    self.postgres.is_up,
                    process=self.postgres.process,
                    what="PostgreSQL",
                    log=self.postgres.log,
                )
                self.kills[victim] += 1

        with sites.standing(kind=Full, state=disk) as (site, clock):
            found, world = _nights(site, clock, ["a full disk"], count=24, seconds=seconds, a_night=6)
            said, wrong = _backed_up(disk)
            wrong += _uploaded(disk, world.clients[0].pk, clock)
    ended = ", ".join(
        f"{name} ended {count} times and was started again" for name, count in brought_back.items()
    )
    found["said"] += "; " + (ended or "no server ended") + "; " + said
    found["failures"] = [*found["failures"], *wrong]
    return found


def _backed_up(disk: Path) -> tuple[str, list[str]]:
    """A backup onto a full disk says so and leaves nothing that looks whole; with room it is made."""
    folder, wrong = disk / "dumps", []
    ballast = _fill(disk, but=64 << 10)
    try:
        at_rest.backup(disk)
        wrong.append("a backup onto a full disk says that it was made")
    except SystemExit:
        pass
    if whole := [file.name for file in folder.rglob("*.json")]:
        wrong.append(f"a backup onto a full disk left a manifest: {whole[:2]}")
    ballast.unlink()
    at_rest.backup(disk)
    made = [file for file in folder.rglob("*") if file.is_file()]
    if len(made) < 2:
        wrong.append("with room again no backup was made")
    return (
        f"a backup onto a full disk refused, with room again {len(made)} files; a file that is handed in as well",
        wrong,
    )


def _uploaded(disk: Path, client_id: int, clock: Any) -> list[str]:
    """A file that is handed in onto a full disk is refused and leaves nothing; with room again it is kept."""
    import io
    import uuid

    from callprivacy.vault import files

    content, wrong = os.urandom(3 << 20), list[str]()
    ballast = _fill(disk, but=1 << 20)
    file_id = uuid.uuid4()
    try:
        files.write(client_id, file_id, io.BytesIO(content), at=clock.now())
        wrong.append("a file onto a full disk is said to be kept")
    except OSError:
        pass
    if files.exists(client_id, file_id):
        wrong.append("a file onto a full disk is there in part")
    ballast.unlink()
    files.write(client_id, file_id, io.BytesIO(content), at=clock.now())
    with files.open(client_id, file_id) as file:
        if file.read() != content:
            wrong.append("a file is not what was handed in")
    return wrong


TRIALS: dict[str, Callable[[float], dict[str, Any]]] = {"drops": _drops, "full": _full}


def main() -> int:
    """One trial in this process."""
    asked = arguments.parse(__doc__, "name", "report", "seconds")
    name, report, seconds = asked.name, asked.report, asked.seconds
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    found = TRIALS[name](max(float(seconds), 60))
    Path(report).write_text(json.dumps(found), encoding="utf-8")
    from lab.faults import site as sites

    shutil.rmtree(sites.STATE, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
