"""A tracker that keeps recordings, played on this machine: what it answers by path, and what it was asked."""

from __future__ import annotations

import http.server
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.test import override_settings

WAVE = (
    b"RIFF"
    + struct.pack("<I", 36 + 16_000)
    + b"WAVEfmt "
    + struct.pack("<IHHIIHH", 16, 7, 1, 8000, 8000, 1, 8)
)
WAVE += b"data" + struct.pack("<I", 16_000) + bytes(number % 251 for number in range(16_000))


@dataclass
class Tracker:
    """What it answers, by path, and what it was asked."""

    host: str
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def at(self, path: str) -> str:
        return f"http://{self.host}{path}"

    def keeps(self, path: str, body: bytes = WAVE, status: int = 200, **headers: str) -> str:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers[path] = status, {"Content-Type": "audio/wav", **named}, body
        return self.at(path)


@contextmanager
def playing() -> Iterator[Tracker]:
    """The tracker, as long as it is played; its host is allowed meanwhile."""
    found: list[Tracker] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found[0].asked.append((self.path, dict(self.headers)))
            status, headers, body = found[0].answers.get(self.path, (404, {}, b""))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.append(Tracker(f"127.0.0.1:{server.server_address[1]}"))
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        with override_settings(CALLPRIVACY_RECORDING_HOSTS=frozenset({found[0].host})):
            yield found[0]
        server.shutdown()
