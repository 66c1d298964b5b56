"""Progress of long commands: a line that is drawn again on a terminal, and a line now and then elsewhere."""

import time
from collections.abc import Iterable, Iterator
from typing import Protocol, Self


class Output(Protocol):
    """What progress is written to: a stream, or a management command's wrapper of one."""

    def write(self, text: str, /) -> object: ...
    def flush(self) -> None: ...
    def isatty(self) -> bool: ...


class Progress:
    """
    Counts steps and says where it is, at most every `every` seconds.

    Used as a context manager; the last line is always written, and says so when the work was cut short.
    """

    def __init__(
        self, what: str, *, out: Output, total: int | None = None, every: float | None = None
    ) -> None:
        self.what, self.out, self.total, self.done = what, out, total, 0
        self._live = out.isatty()
        self._every = every if every is not None else (0.1 if self._live else 5.0)
        self._start = self._last = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._write(stopped=kind is not None, final=True)

    def step(self, count: int = 1) -> None:
        self.done += count
        now = time.monotonic()
        if now - self._last >= self._every:
            self._last = now
            self._write()

    def over[Item](self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items and count each after it was used."""
        for item in items:
            yield item
            self.step()

    def line(self, *, stopped: bool = False) -> str:
        """Return the line as it stands: what, how many of how many, and how fast."""
        seconds = max(time.monotonic() - self._start, 1e-6)
        share = f" of {self.total:,} ({min(self.done / self.total, 1):.0%})" if self.total else ""
        stop = " (stopped)" if stopped else ""
        return f"{self.what}: {self.done:,}{share}, {self.done / seconds:,.0f}/s{stop}"

    def _write(self, *, stopped: bool = False, final: bool = False) -> None:
        line = self.line(stopped=stopped)
        if self._live:
            self.out.write(f"\r\x1b[K{line}" + ("\n" if final else ""))
        else:
            self.out.write(f"{line}\n")
        self.out.flush()
