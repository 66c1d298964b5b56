"""
A tracker that keeps recordings, played on this machine: what it answers by path, and what it was asked.

It refuses as the real ones do: what an interface keeps answers 401 without the one header that opens it, and a store of
files, whose addresses are signed, answers 400 to whoever sends another sign-in along. Questions and answers of the
interfaces are held to what the trackers publish (`tests/published.py`).
"""

import http.server
import json
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.test import override_settings

from tests import published

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
    opened_by: dict[str, str] = field(default_factory=dict)
    watch: published.Watch = field(default_factory=published.Watch)

    def at(self, path: str) -> str:
        return f"http://{self.host}{path}"

    def keeps(self, path: str, body: bytes = WAVE, status: int = 200, **headers: str) -> str:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers[path] = status, {"Content-Type": "audio/wav", **named}, body
        return self.at(path)

    def opens(
        self, path: str, authorization: str, body: bytes = WAVE, status: int = 200, **headers: str
    ) -> str:
        """Something of the tracker's interface, which answers nobody without this header."""
        self.watch.exchange("GET", path, {}, 401, None)
        self.opened_by[path] = authorization
        return self.keeps(path, body, status, **headers)

    def says(self, path: str, authorization: str, payload: Any, *, lies: bool = False) -> str:
        """An answer of the tracker's interface in JSON."""
        self.watch.exchange("GET", path, {}, 200, payload, lies=lies)
        body = json.dumps(payload).encode()
        return self.opens(path, authorization, body, Content_Type="application/json; charset=utf-8")

    @property
    def signed_in(self) -> list[bool]:
        """Whether each question came with a sign-in, in their order."""
        return ["Authorization" in headers for _, headers in self.asked]

    def answer(self, path: str, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        given, needed = headers.get("Authorization", ""), self.opened_by.get(path, "")
        if given != needed:
            return (401 if needed else 400), {"Content-Type": "application/json"}, b"{}"
        return self.answers.get(path, (404, {}, b""))


@contextmanager
def playing() -> Iterator[Tracker]:
    """The tracker, as long as it is played; its host is allowed meanwhile."""
    found: list[Tracker] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found[0].asked.append((self.path, dict(self.headers)))
            status, headers, body = found[0].answer(self.path, dict(self.headers))
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
    assert not found[0].watch.wrong, found[0].watch.wrong
