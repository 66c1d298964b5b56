"""
A bucket of S3's kind on this machine: what boto3 asks of one, answered as Amazon's API reference has it.

ListObjects (also version 2), HeadObject, GetObject with a range, PutObject, CopyObject and DeleteObject, of one bucket
by its path. Source: docs.aws.amazon.com/AmazonS3/latest/API (read 2026-11-27 as botocore 1.44's model of it).
"""

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from tests.make import NOON

NAME, KEY, SECRET = "drops", "AKIDEXAMPLE", "secret-of-the-bucket"
_AT_ONCE = 1000
_STATUS = {"AccessDenied": 403, "NoSuchBucket": 404, "NoSuchKey": 404, "SlowDown": 503}


@dataclass
class Bucket:
    """
    What lies in it, by key, and how it was asked.

    :ivar fails: the code of S3 that it answers instead, by the operation's method and whether a key is named. :ivar
        slow: how many seconds it waits with an answer.
    """

    url: str = ""
    objects: dict[str, tuple[bytes, datetime]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    fails: dict[tuple[str, bool], str] = field(default_factory=dict)
    slow: float = 0.0

    def put(self, key: str, body: bytes | str, at: datetime) -> str:
        self.objects[key] = (body.encode() if isinstance(body, str) else body, at)
        return key

    def listed(self, asked: dict[str, list[str]]) -> str:
        prefix, mark = asked.get("prefix", [""])[0], asked.get("delimiter", [""])[0]
        after = asked.get("marker", asked.get("continuation-token", [""]))[0]
        keys = [key for key in sorted(self.objects) if key.startswith(prefix) and key > after]
        inner = {key: key[len(prefix) :].partition(mark) for key in keys} if mark else {}
        folders = sorted({prefix + head + mark for head, found, _ in inner.values() if found})
        files = [key for key in keys if not inner.get(key, ("", "", ""))[1]]
        page, rest = files[:_AT_ONCE], files[_AT_ONCE:]
        lines = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{self.objects[key][1]:%Y-%m-%dT%H:%M:%S.000Z}"
            f"</LastModified><Size>{len(self.objects[key][0])}</Size></Contents>"
            for key in page
        )
        lines += "".join(
            f"<CommonPrefixes><Prefix>{escape(one)}</Prefix></CommonPrefixes>" for one in folders
        )
        more = f"<NextMarker>{escape(page[-1])}</NextMarker>" if rest else ""
        cut = str(bool(rest)).lower()
        return f"<ListBucketResult><IsTruncated>{cut}</IsTruncated>{more}{lines}</ListBucketResult>"


class _Door(BaseHTTPRequestHandler):
    """The server; its `bucket` is what it plays."""

    bucket: Bucket

    def _serve(self) -> None:
        found, body = self.bucket, self._body()
        parts = urlsplit(self.path)
        name, _, key = unquote(parts.path).lstrip("/").partition("/")
        asked = parse_qs(parts.query, keep_blank_values=True)
        found.asked.append(f"{self.command} {key or asked.get('prefix', [''])[0]}")
        time.sleep(found.slow)
        code = found.fails.get((self.command, bool(key))) or ("" if name == NAME else "NoSuchBucket")
        if f"Credential={KEY}/" not in self.headers.get("Authorization", ""):
            code = "AccessDenied"
        if code:
            self._refuse(code)
        elif not key:
            self._answer(200, found.listed(asked).encode())
        elif self.command in {"PUT", "DELETE"}:
            self._change(key, body)
        elif key in found.objects:
            self._give(*found.objects[key])
        else:
            self._refuse("NoSuchKey")

    def _change(self, key: str, body: bytes) -> None:
        objects = self.bucket.objects
        if self.command == "DELETE":
            objects.pop(key, None)
            self._answer(204, b"")
            return
        source = unquote(self.headers.get("x-amz-copy-source", "")).lstrip("/").partition("/")[2]
        objects[key] = (objects[source][0] if source else body, NOON)
        self._answer(200, b"<CopyObjectResult/>" if source else b"")

    do_GET = do_HEAD = do_PUT = do_DELETE = _serve  # noqa: N815  (the server's names)

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "aws-chunked" not in self.headers.get("Content-Encoding", ""):
            return body
        head, _, rest = body.partition(b"\r\n")
        return rest[: int(head.partition(b";")[0], 16)]

    def _give(self, body: bytes, at: datetime) -> None:
        headers = {
            "Last-Modified": format_datetime(at, usegmt=True),
            "ETag": f'"{hashlib.sha256(body).hexdigest()}"',
        }
        wanted = self.headers.get("Range", "").removeprefix("bytes=")
        if not wanted:
            self._answer(200, body, headers)
            return
        first, _, last = wanted.partition("-")
        end = min(int(last) + 1 if last else len(body), len(body))
        headers["Content-Range"] = f"bytes {first}-{end - 1}/{len(body)}"
        self._answer(206, body[int(first) : end], headers)

    def _refuse(self, code: str) -> None:
        self._answer(_STATUS[code], f"<Error><Code>{code}</Code><Message>No.</Message></Error>".encode())

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def bucket() -> Iterator[Bucket]:
    """The bucket, on a port of this machine."""
    found = Bucket()
    door = type("Door", (_Door,), {"bucket": found})
    with ThreadingHTTPServer(("127.0.0.1", 0), door) as server:
        server.daemon_threads = True
        found.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield found
        finally:
            server.shutdown()
