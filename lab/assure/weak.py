"""
A page that is weak on purpose, on this machine only, for the scanners to show that they would find something: what is
asked for stands in the page as it came, goes into a statement as it came, and one door of its interface falls over.
"""

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

_SCHEMA = {
    "openapi": "3.0.3",
    "info": {"title": "weak", "version": "1"},
    "paths": {
        "/api/double": {
            "get": {
                "parameters": [{"name": "n", "in": "query", "required": True, "schema": {"type": "integer"}}],
                "responses": {"200": {"description": "twice as much"}},
            }
        }
    },
}


class _Weak(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer without any care."""
        parts = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        status, kind = 200, "text/html"
        if parts.path == "/openapi.json":
            body, kind = json.dumps(_SCHEMA), "application/json"
        elif parts.path == "/api/double":
            status, body, kind = self._double(asked.get("n", "0"))
        elif parts.path == "/":
            body = self._page(asked)
        else:  # a site that has a page for every address is one that scanners look away from
            status, body = 404, "<html><body><p>There is nothing here.</p></body></html>"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body.encode(errors="replace"))

    @staticmethod
    def _double(n: str) -> tuple[int, str, str]:
        return (
            (500, '{"error": "fell over"}', "application/json")
            if n in {"0", "-1"} or len(n) > 3
            else (200, "2", "application/json")
        )

    @staticmethod
    def _page(asked: dict[str, str]) -> str:
        said = ""
        if "id" in asked:
            line = sqlite3.connect(":memory:")
            line.execute("CREATE TABLE calls (id INTEGER, words TEXT)")
            line.execute("INSERT INTO calls VALUES (1, 'one')")
            try:
                said = str(line.execute("SELECT words FROM calls WHERE id = " + asked["id"]).fetchall())
            except sqlite3.Error as error:
                said = f"SQLite error: {error}"
        name = asked.get("q", "")
        return (
            f"<html><body><p>{name}</p><p>{said}</p><a href='/?q=a'>a</a><a href='/?id=1'>b</a>"
            "<form action='/'><input name='q'><input type='submit'></form></body></html>"
        )

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the name is the library's)
        """Say nothing."""


@contextlib.contextmanager
def weak() -> Iterator[str]:
    """Its address, while it is needed."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Weak)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
