"""A mail server on this machine that takes nothing, in one of four ways; its answers repeat what it was sent."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

type Way = Literal["refused", "cut", "4xx", "5xx", "taken"]
WAYS: Final[tuple[Way, ...]] = ("refused", "cut", "4xx", "5xx")


@dataclass
class Server:
    """Where it listens, and what it was sent before it refused."""

    port: int
    sent: list[bytes] = field(default_factory=list)

    @property
    def mailers(self) -> dict[str, Any]:
        """Django's setting for it."""
        options = {"host": "127.0.0.1", "port": self.port, "timeout": 5}
        return {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}}


class _Talk(socketserver.StreamRequestHandler):
    def say(self, code: int, words: bytes) -> None:
        self.wfile.write(b"%d %s\r\n" % (code, words))

    def handle(self) -> None:
        server = cast("_Listening", self.server)
        refusal = {"4xx": (451, b"4.3.0"), "5xx": (554, b"5.7.1")}.get(server.way)
        turn, server.turn = server.turn, server.turn + 1
        self.say(220, b"ready")
        while line := self.rfile.readline():
            match line[:4].upper():
                case b"QUIT":
                    self.say(221, b"bye")
                    return
                case b"RCPT" if refusal and turn % 2:
                    self.say(refusal[0], refusal[1] + b" not now: " + line.strip())
                case b"DATA":
                    self.say(354, b"go on")
                    said = self._message()
                    server.kept.sent.append(said)
                    if server.way == "cut":
                        self.connection.shutdown(socket.SHUT_RDWR)
                        return
                    code, words = refusal or (250, b"2.0.0")
                    self.say(code, words + b" " + b" ".join(said.split())[-400:])
                case _:
                    self.say(250, b"ok")

    def _message(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) not in {b"", b".\r\n"}:
            lines.append(line)
        return b"".join(lines)


class _Listening(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    turn = 0
    """Every other message is refused at its recipient, the others at their end."""

    def __init__(self, way: Way) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.way, self.kept = way, Server(self.server_address[1])


@contextmanager
def serving(way: Way) -> Iterator[Server]:
    """A server that behaves so, while it is needed; one that refuses has no one behind its port."""
    server = _Listening(way)
    if way == "refused":
        server.server_close()
        yield server.kept
        return
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
