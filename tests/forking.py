"""
The process that commands of `manage.py` are forked from; tests/starts.py asks it for them, a line each.

It has loaded the code of others and nothing of ours. Where several commands are to run in one environment, a fork of it
starts there as `manage.py` does, up to its command, and forks for each of them.
"""

import gc
import importlib
import json
import os
import runpy
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Final, NoReturn

import django
from django.core import management

_AS_OWNER: Final = frozenset({"migrate", "backup", "restore"})
"""What `manage.py` runs as the owner of the databases, where the environment does not say otherwise."""
_OTHERS: Final = (
    "celery.app", "cryptography.x509", "django.contrib.postgres.fields", "django.core.mail",
    "django.core.management.commands.check", "django.db.backends.postgresql.base",
    "django.template.backends.django", "django.views.generic", "django_stubs_ext", "fido2.server", "holidays", "jwt",
    "phonenumbers", "prometheus_client", "psycopg", "redis", "structlog", "urllib3", "zxcvbn",
)  # fmt: skip
"""What a start takes longest to import, of what reads no setting."""
_KEPT: Final = 3
_MODES: Final = (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY)


class Started:
    """A process that has started in one environment, and the two pipes to it."""

    def __init__(self, asked: dict[str, Any], others: "Sequence[Started]") -> None:
        there, self.ask = os.pipe()
        self.told, back = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            for other in (self, *others):
                other.close()
            with os.fdopen(there, encoding="utf-8") as asks, os.fdopen(back, "w", encoding="utf-8") as tell:
                _start(asked, asks, tell)
        os.close(there)
        os.close(back)

    def close(self) -> None:
        """Hold the pipes no longer; the process ends by that, where nobody else holds them."""
        os.close(self.ask)
        os.close(self.told)

    def code(self) -> int | None:
        """The exit status of the command that it was asked for; None: it could not start."""
        told = os.read(self.told, 16)
        return int(told) if told else None

    def end(self) -> int:
        """Let it end, and return its own exit status."""
        self.close()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def _take_on(asked: dict[str, Any]) -> None:
    """Let this process have the command's arguments and streams."""
    for place, (path, mode) in enumerate(zip(asked["files"], _MODES, strict=True)):
        os.dup2(os.open(path, mode), place)
    sys.argv = ["manage.py", *asked["command"]]


def _manage(asked: dict[str, Any]) -> NoReturn:
    _take_on(asked)
    os.environ.clear()
    os.environ.update(asked["environ"])
    runpy.run_path("manage.py", run_name="__main__")
    sys.exit(0)


def _start(asked: dict[str, Any], asks: IO[str], tell: IO[str]) -> None:
    """Start by the first command's environment; each command then goes on from there in a process of its own."""
    run = management.execute_from_command_line

    def each(_: list[str] | None = None) -> None:
        django.setup()
        gc.freeze()
        assert all(link.connection is None for link in django.db.connections.all(initialized_only=True))
        found = asked
        while True:
            pid = os.fork()
            if not pid:
                _take_on(found)
                run(sys.argv)
                return
            tell.write(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n")
            tell.flush()
            if not (line := asks.readline()):
                os._exit(0)
            found = json.loads(line)

    management.execute_from_command_line = each  # type: ignore[assignment]  # in this process only
    _manage(asked)


def main() -> None:
    """Run what is asked for, one after the other, until nobody asks any more."""
    kept: dict[str, Started] = {}
    for name in _OTHERS:
        importlib.import_module(name)
    gc.freeze()
    assert not any(name.partition(".")[0] == "callprivacy" for name in sys.modules)
    for line in sys.stdin:
        asked = json.loads(line)
        # Not by `with`: the end of a process that was forked here would remove it.
        folder = tempfile.mkdtemp()
        files = [Path(folder, name) for name in ("given", "out", "err")]
        for file, text in zip(files, (asked["given"], "", ""), strict=True):
            file.write_text(text, encoding="utf-8")
        asked["files"] = [str(file) for file in files]
        code = _through_one(asked, kept) if asked["stays"] else _alone(asked)
        said = [file.read_text(encoding="utf-8") for file in files[1:]]
        shutil.rmtree(folder)
        sys.stdout.write(f"{json.dumps([code, *said])}\n")
        sys.stdout.flush()


def _alone(asked: dict[str, Any]) -> int:
    pid = os.fork()
    if not pid:
        _manage(asked)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _through_one(asked: dict[str, Any], kept: dict[str, Started]) -> int:
    key = json.dumps([asked["environ"], asked["command"][0] in _AS_OWNER], sort_keys=True)
    if key in kept:
        started = kept[key] = kept.pop(key)
        os.write(started.ask, json.dumps(asked).encode() + b"\n")
    else:
        if len(kept) == _KEPT:
            kept.pop(next(iter(kept))).end()
        started = kept[key] = Started(asked, list(kept.values()))
    code = started.code()
    return kept.pop(key).end() if code is None else code


if __name__ == "__main__":
    main()
