"""
Feeds bytes by coverage to what reads bytes from outside, by atheris: `python -m lab.assure.fuzz NAME RUNS SECONDS`.

Run by the Python of atheris' own folder, with the product's packages behind it. A reader may refuse as it promises; any
other exception ends the run and is the finding. "planted" is a reader with a fault.
"""

import importlib
import io
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tools import arguments

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def _reader(name: str) -> Callable[[bytes], object]:
    """What is fed, with what it may refuse by caught."""
    from callprivacy.calls.providers import FORMATS, PROVIDERS, base, tabular
    from callprivacy.lib import phone, redact

    refusals = (base.RefusedError, base.UnparsableError)

    def told(provider: str) -> Callable[[bytes], object]:
        def read(body: bytes) -> object:
            PROVIDERS[provider].event_key(body)
            try:
                return PROVIDERS[provider].parse(
                    body, {"Content-Type": "application/x-www-form-urlencoded"}, at=NOON
                )
            except refusals:
                return None

        return read

    def table(body: bytes) -> object:
        try:
            found = tabular.Table(io.BytesIO(body)).rows(FORMATS["callrail"], zone=UTC, at=NOON)
            return [row for row, _ in zip(found, range(50), strict=False)]
        except (*refusals, ValueError, EOFError, OSError):
            return None

    def sound(body: bytes) -> object:
        from consent.services import audio

        try:
            return audio.parted(body, size=len(body) + 10, seconds=1.0)
        except ValueError:
            return None

    def planted(body: bytes) -> object:
        if body[:1] == b"c" and body[1:2] == b"p":
            raise IndexError("the planted fault")
        return None

    readers: dict[str, Callable[[bytes], object]] = {
        "callrail": told("callrail"), "twilio": told("twilio"), "ctm": told("ctm"), "table": table, "sound": sound,
        "phone": lambda body: phone.normalise(body.decode("utf-8", "replace")),
        "redact": lambda body: redact.redact(body.decode("utf-8", "replace")),
        "planted": planted,
    }  # fmt: skip
    return readers[name]


def main() -> None:
    """Feed one reader."""
    asked = arguments.parse(__doc__, "name", "runs", "seconds")
    name, runs, seconds = asked.name, asked.runs, asked.seconds
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(
        include=["callprivacy.calls.providers", "callprivacy.lib", "consent.services.audio"]
    ):
        read: Any = _reader(name)
    atheris.instrument_func(read)
    folder = tempfile.mkdtemp()
    Path(folder, "one").write_bytes(b'{"id": 7, "start_time": "2026-11-24T06:00:00-05:00"}')
    Path(folder, "two").write_bytes(b"Start Time,Phone Number\n2026-11-20 10:00:00,(202) 555-0147\n")
    limits = [
        f"-runs={runs}",
        f"-max_total_time={seconds}",
        "-rss_limit_mb=512",
        "-timeout=10",
        "-max_len=4096",
    ]
    atheris.Setup(
        [sys.argv[0], *limits, f"-artifact_prefix={folder}/", folder], lambda body: read(bytes(body)) and None
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
