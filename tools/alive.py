"""
`python -m tools.alive web|ready|worker|beat`: whether that process of this machine is alive, for its health check.

The web is asked over HTTP where `BIND` and `PORT` say that it listens, with `ready` for its parts and what is wrong
with them (/readyz); worker and beat by what they last said of themselves in Valkey, by the name of this machine.
Exits with 0 where it is, with 1 where it is not. Loads nothing of the program, so that it can be asked often.
"""

import json
import os
import socket
import sys
import time
import urllib.error
import urllib.request

from tools import arguments

_LATE_AFTER = 90.0
_KEY = "callprivacy-hints:1:processes"


def address(bound: str, port: int) -> str:
    """
    Where a web of this machine is asked that listens on `bound`: there, or at this machine's own address where it
    listens on all of them.
    """
    host = bound.strip().strip("[]")
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  compared, not bound
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def web(address: str) -> bool:
    """Whether the web process answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{address}/healthz", timeout=4) as answer:
            return bool(json.load(answer) == {"alive": True})
    except (OSError, ValueError):
        return False


def ready(address: str, token: str) -> bool:
    """Whether every part that the web rests on is there; prints what each says."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    asked = urllib.request.Request(f"http://{address}/readyz")
    if token:
        asked.add_header("Authorization", f"Bearer {token}")
    try:
        with opener.open(asked, timeout=30) as answer:
            print(answer.read().decode())
            return True
    except urllib.error.HTTPError as error:
        print(error.read().decode())
    except OSError as error:
        print(f"The web does not answer: {error}")
    return False


def process(kind: str, address: str) -> bool:
    """
    Whether a worker or beat of this machine has said lately that it is there.

    What a clock that was ahead has left there is no sign of life. While Valkey is away nobody can say so: that is no
    reason to end a process that waits for it.
    """
    import redis

    try:
        with redis.Redis.from_url(address, socket_timeout=2, socket_connect_timeout=2) as line:
            said: dict[bytes, bytes] = line.hgetall(_KEY)
    except redis.RedisError:
        return True
    mine = f"{kind}|{socket.gethostname()}|".encode()
    return any(
        name.startswith(mine) and abs(time.time() - float(at)) < _LATE_AFTER for name, at in said.items()
    )


def main() -> int:
    """Ask by the word on the command line."""
    kind = arguments.parse(__doc__, "kind").kind
    if kind in {"web", "ready"}:
        # An empty one is none, as it is to the web.
        here = address(os.environ.get("BIND", ""), int(os.environ.get("PORT") or "8000"))
        if kind == "web":
            return int(not web(here))
        return int(not ready(here, os.environ.get("CALLPRIVACY_METRICS_TOKEN", "")))
    if kind in {"worker", "beat"}:
        return int(not process(kind, os.environ.get("REDIS_URL", "")))
    print("Write web, ready, worker or beat.", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
