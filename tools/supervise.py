"""
Keeps processes running: what dies is started again, later each time it dies soon; what we started ends
with us.

Standard library only.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from tools import services

_STEADY_FOR = 30.0  # seconds after which a process counts as well again
_LONGEST_WAIT = 30.0
_PEACE = 8.0
_GRACE = 25.0  # seconds to end by itself; a job may take that long to put its work back


def read_procfile(file: Path) -> dict[str, str]:
    """Return the commands by name, without `release`, which is run once and not kept running."""
    found = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        name, mark, command = line.partition(":")
        if mark and not line.startswith("#") and name.strip() != "release":
            found[name.strip()] = command.strip()
    return found


def wait_before(failures: int) -> float:
    """Seconds before the next start after so many deaths in a row: 0.5, 1, 2, ... at most 30."""
    return min(0.5 * float(2 ** min(max(failures - 1, 0), 10)), _LONGEST_WAIT)


@dataclass
class Kept:
    """One process of the Procfile, and how it has fared."""

    name: str
    command: str
    environ: Mapping[str, str]
    cwd: Path
    process: subprocess.Popen[bytes] | None = None
    failures: int = 0
    started: float = 0.0
    due: float = 0.0
    rest: bytes = b""

    def start(self) -> None:
        """Start it in a session of its own, so that Ctrl-C reaches only us and we decide."""
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {self.command}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.cwd,
            env=dict(self.environ),
            start_new_session=True,
            preexec_fn=services.dies_with_us(signal.SIGTERM),  # noqa: PLW1509 no threads here
        )

    def note_death(self, now: float) -> float:
        """Count a death and say in how many seconds the next start is due."""
        self.failures = 1 if now - self.started > _STEADY_FOR else self.failures + 1
        wait = wait_before(self.failures)
        self.due = now + wait
        return wait

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and to what it started."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)


@dataclass
class Supervisor:
    """Runs everything until it is told to stop; `beside` are checks of services that are kept up too."""

    kept: list[Kept]
    beside: list[Callable[[], None]] = field(default_factory=list)
    on_tick: Callable[[], None] | None = None
    _stop: int = 0

    def run(self) -> None:
        """Start all, keep them up, and end all on SIGINT or SIGTERM; a second one does not wait."""
        before = {number: signal.signal(number, self._asked) for number in (signal.SIGINT, signal.SIGTERM)}
        reader = selectors.DefaultSelector()
        try:
            # The first one is what people wait for; the others let it load in peace.
            for one in self.kept[1:]:
                one.due = time.monotonic() + _PEACE
            while not self._stop:
                self._show(reader, 0.2)
                self._look(reader)
        finally:
            self._end(reader)
            reader.close()
            for number, handler in before.items():
                signal.signal(number, handler)

    def hurry(self) -> None:
        """Start at once what still waits for the first one to be ready."""
        for one in self.kept:
            if one.process is None and not one.failures:
                one.due = 0.0

    def stop(self) -> None:
        """End at the next occasion."""
        self._stop += 1

    def _asked(self, _number: int, _frame: FrameType | None) -> None:
        self._stop += 1

    def _start(self, one: Kept, reader: selectors.BaseSelector) -> None:
        one.start()
        if one.process is not None and one.process.stdout is not None:
            os.set_blocking(one.process.stdout.fileno(), False)
            reader.register(one.process.stdout, selectors.EVENT_READ, one)

    def _look(self, reader: selectors.BaseSelector) -> None:
        now = time.monotonic()
        for one in self.kept:
            if one.process is not None and one.process.poll() is not None:
                code = one.process.returncode
                self._drain(one, reader)
                one.process = None
                say(f"{one.name} ended ({code}); it is started again in {one.note_death(now):g} s")
            elif one.process is None and now >= one.due:
                self._start(one, reader)
        for check in self.beside:
            check()
        if self.on_tick is not None:
            self.on_tick()

    def _show(self, reader: selectors.BaseSelector, seconds: float) -> None:
        for key, _ in reader.select(seconds):
            one: Kept = key.data
            chunk = os.read(key.fd, 65536)
            if chunk:
                self._print(one, chunk)
            else:
                reader.unregister(key.fileobj)

    @staticmethod
    def _print(one: Kept, chunk: bytes) -> None:
        *lines, one.rest = (one.rest + chunk).split(b"\n")
        for line in lines:
            print(f"{one.name:<7}| {line.decode('utf-8', 'replace')}", flush=True)

    def _drain(self, one: Kept, reader: selectors.BaseSelector) -> None:
        """Show what a process that ended still had to say, and close its pipe."""
        if one.process is None or one.process.stdout is None:
            return
        with contextlib.suppress(BlockingIOError, OSError):
            while chunk := os.read(one.process.stdout.fileno(), 65536):
                self._print(one, chunk)
        if one.rest:
            self._print(one, b"\n")
        with contextlib.suppress(KeyError, ValueError):
            reader.unregister(one.process.stdout)
        one.process.stdout.close()

    def _end(self, reader: selectors.BaseSelector) -> None:
        running = [one for one in self.kept if one.process is not None]
        for one in running:
            if one.process is not None and one.process.poll() is None:
                one.process.terminate()
        limit = time.monotonic() + _GRACE
        while any(one.process is not None and one.process.poll() is None for one in running):
            if time.monotonic() > limit or self._stop > 1:
                break
            self._show(reader, 0.1)
        for one in running:
            one.signal(signal.SIGKILL)
            if one.process is not None:
                one.process.wait()
            self._drain(one, reader)


def say(line: str) -> None:
    """Print a line of the supervisor's own."""
    print(f"{'':<7}| {line}", file=sys.stderr, flush=True)
