"""What is killed: the servers and the product's processes, and how each is brought back."""

import contextlib
import logging
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.assure.target import free_port
from lab.bench import servers
from lab.faults.clock import Clock
from tools import run as start
from tools import services, supervise

ROOT = Path(__file__).resolve().parent.parent.parent
STATE = ROOT / ".state" / "faults"
# In the order in which a report names them.
VICTIMS = ("worker", "Valkey", "PostgreSQL", "web", "beat")
# As the Procfile has them, but by the trial's clock.
_COMMANDS = {
    "web": ("-m", "gunicorn", "lab.faults.wsgi:application"),
    "worker": ("-m", "lab.faults.product", "worker"),
    "beat": ("-m", "lab.faults.product", "beat"),
}
# How long a kill of the web waits for an event that is under way, and how soon after it has begun it comes.
_EVENT_WITHIN, _AMID = 2.0, 0.03


def children(pid: int) -> list[int]:
    """Every process below one."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            words = stat.read_text().rpartition(")")[2].split()
            if int(words[1]) == pid:
                child = int(stat.parent.name)
                found += [child, *children(child)]
    return found


def kill_all(process: subprocess.Popen[bytes], known: Sequence[int] = ()) -> None:
    """
    The process and everything below it, at once.

    :param known: what was below it a moment ago, which goes first, for looking takes longer than an answer.
    """
    for pid in [*known, process.pid, *children(process.pid)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


class Process:
    """
    One process of the product, kept running as the supervisor of `make run` keeps it.

    :ivar ended: how often it ended by itself.
    """

    def __init__(self, name: str, state: Path) -> None:
        self.name, self.log = name, state / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.ended = 0
        self.began_at = 0.0
        self._due: float | None = None
        self._was_killed = False

    def start(self) -> None:
        """Start it; it is not waited for."""
        self._due, self._was_killed, self.began_at = None, False, time.time()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *_COMMANDS[self.name]],
                cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    @property
    def is_running(self) -> bool:
        """Whether it is there; it may be loading still."""
        return self.process is not None and self.process.poll() is None

    def keep(self) -> None:
        """Start it again where it ended, after the supervisor's first wait; one that was never started stays so."""
        if self.process is None or self.is_running:
            return
        if self._due is None:
            self._due = time.monotonic() + supervise.wait_before(1)
            self.ended += not self._was_killed
        elif time.monotonic() >= self._due:
            self.start()

    def kill(self, wait: Callable[[], None] = lambda: None) -> None:
        """End it and all below it at once, as soon as `wait` is over."""
        if self.process is not None:
            below = children(self.process.pid)
            wait()
            self._was_killed = self.is_running
            kill_all(self.process, below)

    def kill_one(self, chance: random.Random, wait: Callable[[], None] = lambda: None) -> None:
        """End one of the children that do the work, as soon as `wait` is over; their parent makes another."""
        if self.process is not None and (below := children(self.process.pid)):
            wait()
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(below), signal.SIGKILL)

    def end(self) -> None:
        """End it for good, gently at first."""
        if self.process is not None:
            if self.is_running:
                os.killpg(self.process.pid, signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(15)
            kill_all(self.process)
            self.process = None


@dataclass
class Site:
    """
    The five that are killed, and how often each of them was.

    :ivar asking: set while a tracker waits for an answer. :ivar went_back: how often the clock went back by an hour.
    """

    postgres: services.Postgres
    valkey: services.Valkey
    state: Path
    port: int
    processes: dict[str, Process] = field(default_factory=dict)
    asking: threading.Event = field(default_factory=threading.Event)
    kills: Counter[str] = field(default_factory=Counter)
    in_work: Counter[str] = field(default_factory=Counter)
    down: dict[str, float] = field(default_factory=dict)
    went_back: int = 0

    @property
    def worker(self) -> Process:
        """The worker."""
        return self.processes["worker"]

    @property
    def ended_by_themselves(self) -> int:
        """How often a process of the product ended though nobody killed it."""
        return sum(process.ended for process in self.processes.values())

    def start(self, *names: str) -> None:
        """Start these of the product's processes, all of them if none is named."""
        chosen = names or tuple(_COMMANDS)
        if "web" in chosen:
            servers.collect_static()
        for name in chosen:
            self.processes[name].start()

    def keep(self) -> None:
        """Start again what has ended of what was started, as the supervisor does."""
        for process in self.processes.values():
            process.keep()

    def is_ready(self, victim: str) -> bool:
        """Whether it does its work by now: a kill of what is only loading tries nothing."""
        process = self.processes.get(victim)
        if process is None or not process.is_running:
            return process is None
        with contextlib.suppress(OSError):
            if victim == "web":
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            return victim != "beat" or self.sent.stat().st_mtime > process.began_at
        return False

    @property
    def sent(self) -> Path:
        """The file that beat touches with each message."""
        return self.state / "beat.sent"

    def kill(self, victim: str, chance: random.Random) -> None:
        """End one of the five at once, and bring it back; the product's processes are started again by `keep`."""
        began = time.monotonic()
        if victim == "Valkey":
            assert self.valkey.process is not None  # noqa: S101  (for the type checker)
            kill_all(self.valkey.process)
            self.valkey.start()
        elif victim == "PostgreSQL":
            self._kill_postgres(chance)
        else:
            self._kill_process(victim, chance)
        self.kills[victim] += 1
        self.down[victim] = self.down.get(victim, 0.0) + time.monotonic() - began

    def _kill_process(self, victim: str, chance: random.Random) -> None:
        """All of it, or a child that does the work, which the parent replaces; the web amid an event."""
        process = self.processes[victim]

        def wait() -> None:
            if victim == "web" and self.asking.wait(_EVENT_WITHIN):
                time.sleep(chance.uniform(0, _AMID))

        if victim != "beat" and chance.random() < 0.5:
            process.kill_one(chance, wait)
        else:
            process.kill(wait)

    def _kill_postgres(self, chance: random.Random) -> None:
        """The whole server, or one that serves somebody, after which it ends all others itself."""
        assert self.postgres.process is not None  # noqa: S101  (for the type checker)
        if chance.random() < 0.5:
            kill_all(self.postgres.process)
            for _ in range(50):
                with contextlib.suppress(services.ServiceError):
                    self.postgres.start()
                    return
                time.sleep(0.1)
            raise SystemExit("PostgreSQL does not come back.")
        serving = [
            pid for pid in children(self.postgres.process.pid)
            if b"callprivacy" in _command(pid)
        ]  # fmt: skip
        with contextlib.suppress(ProcessLookupError):
            os.kill(chance.choice(serving or children(self.postgres.process.pid)), signal.SIGKILL)
        time.sleep(0.05)
        services.wait_until(
            self.postgres.is_up, process=self.postgres.process, what="PostgreSQL", log=self.postgres.log
        )

    def end(self) -> None:
        """End all of them."""
        for process in self.processes.values():
            process.end()
        self.valkey.stop()
        self.postgres.stop()


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@contextlib.contextmanager
def standing(
    between: Callable[[services.Postgres, services.Valkey, dict[str, str]], None] | None = None,
    kind: type[Site] = Site,
    state: Path = STATE,
) -> Iterator[tuple[Site, Clock]]:
    """
    The servers, migrated; Django set up as the app's role, by our clock. Of the product nothing is started yet.

    :param between: puts something between the product and its servers, by changing their addresses.
    """
    services.Place.of(state).forget_if_elsewhere()
    shutil.rmtree(state, ignore_errors=True)
    place = services.Place.of(state)
    postgres, addresses = start._own_postgres(place)
    valkey, port = services.Valkey(place), free_port()
    site = kind(postgres, valkey, state, port, {name: Process(name, state) for name in _COMMANDS})
    try:
        valkey.start()
        addresses["REDIS_URL"] = valkey.url()
        if between is not None:
            between(postgres, valkey, addresses)
        os.environ |= start._settings(state, port=port, addresses=addresses)
        os.environ |= {
            "CALLPRIVACY_STATE": str(state), "CALLPRIVACY_LOG_LEVEL": "ERROR", "CALLPRIVACY_LOG_FORMAT": "text",
            "DJANGO_SETTINGS_MODULE": "callprivacy.settings", "PORT": str(port), "WEB_CONCURRENCY": "2",
            "FAULTS_CLOCK": str(state / "clock"), "FAULTS_SENT": str(site.sent),
        }  # fmt: skip
        subprocess.run(
            [sys.executable, "-m", "tools.migrating"],
            cwd=ROOT,
            env=os.environ | {"CALLPRIVACY_ROLE": "owner"},
            check=True,
        )
        clock = Clock(state / "clock", fresh=True)
        import django
        from django.utils import timezone

        django.setup()
        # An outage is what happens here: what the doors say of it fills pages.
        logging.disable(logging.CRITICAL)
        timezone.now = clock.now
        yield site, clock
    finally:
        with contextlib.suppress(Exception):
            from django.db import connections

            connections.close_all()
        site.end()
