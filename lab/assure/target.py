"""
The installation that `make attack` attacks and `make load` loads: servers, processes of the Procfile, the world of the
rules' tests, and a session for each of its people. `python -m lab.assure.target REPORT` runs until it is ended.
"""

import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.assure.rows import ROOT, STATE
from tools import arguments, services

GUESSED = 100
_QUICK = "DJANGO_SETTINGS_MODULE=lab.assure.quick_hash WEB_CONCURRENCY=1"
# What the second has besides is its fault.
_DOORS = {"door": "", "telling": " ASSURE_DOOR_TELLS=1"}


@dataclass(frozen=True)
class Target:
    """
    Where it answers.

    :ivar door: where the same answers with a password's hash that costs nothing.
    :ivar telling: such a door that takes 8 ms longer for names that there are.
    :ivar cookies: by person, the value of the header Cookie.
    :ivar ids: by client's slug, its things by the names that addresses use for them.
    """

    url: str
    door: str
    telling: str
    cookies: dict[str, str]
    ids: dict[str, dict[str, str]]
    state: Path
    pid: int


_running: list[tuple[subprocess.Popen[bytes], Target]] = []


def target() -> Target:
    """The one target of this process, started when it is first asked for and ended with us."""
    if _running and _running[0][0].poll() is None:
        return _running[0][1]
    _running.clear()
    STATE.mkdir(parents=True, exist_ok=True)
    report = STATE / "target.json"
    report.unlink(missing_ok=True)
    log = (STATE / "target.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "lab.assure.target", str(report)],
        cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        preexec_fn=services.dies_with_us(signal.SIGTERM),  # noqa: PLW1509  (no threads yet)
    )  # fmt: skip
    until = time.monotonic() + 480
    while not report.exists():
        if process.poll() is not None or time.monotonic() > until:
            end()
            raise SystemExit(f"The target did not start; see {STATE}/target.log.")
        time.sleep(0.3)
    found = json.loads(report.read_text(encoding="utf-8"))
    made = Target(
        found["url"],
        found["door"],
        found["telling"],
        found["cookies"],
        found["ids"],
        Path(found["state"]),
        process.pid,
    )
    _running.append((process, made))
    atexit.register(end)
    return made


def end() -> None:
    """End it, if it runs."""
    for process, _ in _running:
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(40)
    _running.clear()


def free_port() -> int:
    """A port of this machine that nobody uses now."""
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return int(line.getsockname()[1])


def opener() -> urllib.request.OpenerDirector:
    """Asks it past any proxy, and follows nothing."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stays())


class _Stays(urllib.request.HTTPRedirectHandler):
    """Follows nothing."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """None: the answer is the redirect itself."""


def main() -> int:
    """Run it until SIGTERM."""
    report = Path(arguments.parse(__doc__, "report").report)
    from lab.bench import bench_webhook as processes
    from lab.bench import servers

    processes.PORT = free_port()  # type: ignore[misc]  # another port for this trial
    state = STATE / "target"
    state.parent.mkdir(parents=True, exist_ok=True)
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    signal.signal(signal.SIGINT, lambda number, _: ended.append(number))
    with servers.started(state):
        os.environ["CALLPRIVACY_URL"] = f"http://127.0.0.1:{processes.PORT}"
        found = _people()
        servers.collect_static()
        running, doors = processes.Processes(state), {name: free_port() for name in _DOORS}
        for name, more in _DOORS.items():
            running.commands[name] = running.commands["web"].replace(
                "gunicorn", f"env PORT={doors[name]} {_QUICK}{more} gunicorn", 1
            )
        try:
            running.start()
            found |= {
                "url": os.environ["CALLPRIVACY_URL"],
                "state": str(state),
                **{name: f"http://127.0.0.1:{port}" for name, port in doors.items()},
            }
            draft = report.with_suffix(".new")
            draft.write_text(json.dumps(found), encoding="utf-8")
            draft.rename(report)
            while not ended:
                time.sleep(0.2)
        finally:
            running.end()
    return 0


def _people() -> dict[str, object]:
    """The world of the rules' tests, and a session of each of its people."""
    from django.conf import settings
    from django.test import override_settings

    from callprivacy.accounts.enums import Role
    from tests import make
    from tests.rules import world as worlds

    made = worlds.build()
    cookies = {
        name: f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"
        for name, browser in made.browsers.items()
        if settings.SESSION_COOKIE_NAME in browser.cookies
    }
    ids = {
        name: {key: str(value) for key, value in vars(getattr(made, name)).items()}
        for name in ("dentist", "plumber", "florist")
    }
    # Whose names are guessed at the door: enough of them that tries of one kind hardly differ by chance.
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        for door in _DOORS:  # each its own, for a fifth failure of one name would wait
            guessed = [
                make.person(made.cast.acme, f"guessed-{door}-{number}", Role.AGENT)
                for number in range(GUESSED)
            ]
            ids[door] = {person.user.name: person.user.email for person in guessed}
    return {"cookies": cookies, "ids": ids}


if __name__ == "__main__":
    sys.exit(main())
