"""
How soon `make run` serves: a first start that makes databases and the demo in a folder of its own, then a second one
with what is there. Counted from the command until the page for signing in answers.

The baseline is this Python importing Django and Celery, which each of the processes does.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from typing import Final

from lab.bench import servers
from tools import arguments, services

AT_MOST: Final = 5.0
_FIRST_AT_MOST: Final = 900.0
STATE: Final = servers.ROOT / ".state" / "bench-start"
# As `make run` does it; a step of make itself is a few milliseconds.
_COMMAND: Final = ("sh", "tools/python.sh", "tools/bootstrap.py", "-m", "tools.run")
_SERVERS: Final = (
    "DATABASE_URL",
    "DATABASE_OWNER_URL",
    "VAULT_DATABASE_URL",
    "VAULT_DATABASE_OWNER_URL",
    "REDIS_URL",
)


def _free_port() -> int:
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return int(line.getsockname()[1])


def _start(port: int) -> float:
    """Start it, wait until it serves, and end it as Ctrl-C does. Seconds until it served."""
    environ = {name: value for name, value in os.environ.items() if name not in _SERVERS}
    environ |= {"CALLPRIVACY_STATE": str(STATE), "PORT": str(port), "DEMO": "1"}
    begin = time.monotonic()
    with subprocess.Popen(
        _COMMAND, cwd=servers.ROOT, env=environ, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=sys.stderr, start_new_session=True,
        preexec_fn=services.dies_with_us(signal.SIGTERM),  # noqa: PLW1509  (no threads here)
    ) as site:  # fmt: skip
        try:
            while not _answers(port):
                if site.poll() is not None or time.monotonic() - begin > _FIRST_AT_MOST:
                    raise SystemExit("It does not serve; what it said is above.")
                time.sleep(0.02)
            return time.monotonic() - begin
        finally:
            site.send_signal(signal.SIGINT)
            try:
                site.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(site.pid, signal.SIGKILL)


def _answers(port: int) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/accounts/login/", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _imports() -> float:
    begin = time.monotonic()
    subprocess.run([sys.executable, "-c", "import celery, django.core.handlers.wsgi"], check=True)
    return time.monotonic() - begin


def main() -> int:
    """Start twice; 1 where the second start is too slow."""
    arguments.parse(__doc__)
    shutil.rmtree(STATE, ignore_errors=True)
    port = _free_port()
    try:
        first, second = _start(port), _start(port)
    finally:
        shutil.rmtree(STATE, ignore_errors=True)
    _imports()
    print(f"first start, which makes databases and the demo   {first:7.1f} s")
    print(f"second start, with what is there                  {second:7.1f} s  (at most {AT_MOST:.0f} s)")
    print(f"importing Django and Celery                       {_imports():7.1f} s")
    is_met = second <= AT_MOST
    print("met" if is_met else "missed")
    return int(not is_met)


if __name__ == "__main__":
    sys.exit(main())
