#!/usr/bin/env python3
"""
Verify a certificate of destruction offline: Python 3.10 or later, standard library only, with verify_bundle.py beside
it.

    python3 verify_certificate.py certificate-7.json --key PUBLIC_KEY
    python3 verify_certificate.py certificate-7.pdf --key PUBLIC_KEY

It checks every byte. The JSON has one form, and its statement an Ed25519 signature (RFC 8032). The PDF has a signature
of its own over all of it, and carries the JSON inside, which is checked as well. Without `--key` it trusts the key that
the file itself brings, and says so. docs/certificates.md describes both forms.

Exit status: 0 nothing found, 1 something found, 2 the file cannot be read or the arguments are wrong.
"""

import argparse
import hashlib
import re
import sys
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

try:
    from tools import verify_bundle as bundle
except ImportError:  # pragma: no cover  (alone on another machine)
    import verify_bundle as bundle  # type: ignore[import-not-found,no-redef]  # lies beside it where it is used

NAME, VERSION, VERSION_OWN = "callprivacy destruction", 1, 2
CONTEXT = b"callprivacy destruction 1\n"
PDF_CONTEXT = b"callprivacy destruction pdf 1\n"
MEMBERS = {
    "certificate", "v", "id", "number", "agency", "client", "run", "issued_at", "categories", "holds",
    "open_at_vendors", "copies_gone_on", "key",
}  # fmt: skip
CATEGORY_MEMBERS = {
    "category", "title", "days", "then", "policy_version", "cutoff", "state", "due", "held", "erased", "recordings",
    "callers", "bytes", "vendor_steps", "failures", "digest",
}  # fmt: skip
AT_MOST = 1 << 26
MARK = re.compile(rb"^%callprivacy-signature ([0-9a-f]{64}) ([0-9a-f]{128})$", re.MULTILINE)
STREAM = re.compile(rb"/Type\s*/EmbeddedFile.*?stream\r?\n(.*?)\r?\nendstream", re.DOTALL)
NOTHING = bytes(32).hex()


class UnreadableError(Exception):
    """The file is not a certificate at all."""


@dataclass
class Report:
    """What was found, and what the certificate says."""

    findings: list[str] = field(default_factory=list)
    statement: dict[str, Any] = field(default_factory=dict)
    key: Any = None

    def found(self, text: str) -> None:
        self.findings.append(text)


class Verifier:
    """Takes a certificate apart and writes down all that does not hold."""

    def __init__(self, pins: Iterable[str] = ()) -> None:
        self.pins = {pin.lower() for pin in pins}
        self.report = Report()

    def verify(self, data: bytes) -> Report:
        """Verify the bytes of a certificate, JSON or PDF."""
        if len(data) > AT_MOST:
            raise UnreadableError("it is larger than any certificate")
        if data.startswith(b"%PDF-"):
            self._pdf(data)
        elif data.lstrip()[:1] == b"{":
            self._json(data)
        else:
            raise UnreadableError("it is neither JSON nor PDF")
        return self.report

    def _trusted(self, public: str) -> Any:
        try:
            raw = _hex(public)
            key = bundle.PublicKey(raw)
        except ValueError:
            self.report.found("the public key: is none")
            return None
        digest = hashlib.sha256(raw).hexdigest()
        if self.pins and not self.pins & {public, digest, digest[:16]}:
            self.report.found(f"the signature: is of key {digest[:16]}, which was not pinned")
            return None
        return key

    # --- JSON

    def _json(self, data: bytes) -> None:
        try:
            file = bundle.parse(data)
        except (ValueError, RecursionError) as error:
            self.report.found(f"the file: cannot be read ({error})")
            return
        if not isinstance(file, dict) or set(file) != {"statement", "signature", "public"}:
            self.report.found("the file: has other members than a certificate")
            return
        if bundle.canonical(file) + b"\n" != data:
            self.report.found("the file: is not in its one form")
        statement = file["statement"]
        if not isinstance(statement, dict):
            self.report.found("the statement: is no object")
            return
        self.report.statement = statement
        key = self._trusted(str(file["public"]))
        if key is not None:
            self._signature(
                key, CONTEXT + bundle.canonical(statement), str(file["signature"]), "the statement"
            )
            self.report.key = key
            if statement.get("key") != key.key_id:
                self.report.found("the statement: names another key than the one that signed it")
        try:
            self._statement(statement)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            self.report.found(f"the statement: is not well-formed ({error!r})")

    def _signature(self, key: Any, message: bytes, signature: str, what: str) -> None:
        try:
            raw = _hex(signature)
        except ValueError:
            raw = b""
        if not key.verify(message, raw):
            self.report.found(f"{what}: was changed, the signature is not that of key {key.key_id}")

    def _statement(self, said: dict[str, Any]) -> None:
        for name in sorted(MEMBERS ^ said.keys()):
            self.report.found(f"the statement: {name} {'is missing' if name in MEMBERS else 'was added'}")
        if said["certificate"] != NAME or said["v"] not in (VERSION, VERSION_OWN):
            self.report.found("the statement: is of another kind or version")
        if (said["client"] is None) != (said["v"] == VERSION_OWN):
            self.report.found("the statement: its version does not go with its client")
        seen: set[str] = set()
        for row in said["categories"]:
            name = f"category {row['category']}"
            if set(row) != CATEGORY_MEMBERS:
                self.report.found(f"{name}: its members are not those of a category")
            if row["category"] in seen:
                self.report.found(f"{name}: appears twice")
            seen.add(row["category"])
            if len(bytes.fromhex(row["digest"])) != 32:
                self.report.found(f"{name}: its digest is none")
            if (row["erased"] == 0) != (row["digest"] == NOTHING):
                self.report.found(f"{name}: its digest does not go with {row['erased']} rows")

    # --- PDF

    def _pdf(self, data: bytes) -> None:
        marks = list(MARK.finditer(data))
        files = [_inflated(match.group(1)) for match in STREAM.finditer(data)]
        if len(files) != 1 or not files[0]:
            self.report.found("the PDF: does not carry one statement")
        else:
            self._json(files[0])
        if len(marks) != 1:
            self.report.found("the PDF: has no signature of its own")
            return
        start, end = marks[0].span(2)
        blank = data[:start] + b"0" * 128 + data[end:]
        key = self._trusted(marks[0].group(1).decode())
        if key is not None:
            self._signature(key, PDF_CONTEXT + blank, marks[0].group(2).decode(), "the PDF")


def _hex(text: str) -> bytes:
    """
    Bytes written in the one form of hex, small letters and nothing between.

    :raises ValueError: they are not.
    """
    raw = bytes.fromhex(text)
    if raw.hex() != text:
        raise ValueError("not in the one form of hex")
    return raw


def _inflated(stream: bytes) -> bytes:
    """An embedded file, compressed or not; nothing where it is neither."""
    if stream.startswith(b"{"):
        return stream
    try:
        return zlib.decompressobj().decompress(stream, AT_MOST)
    except zlib.error:
        return b""


def verify(data: bytes, *, pins: Iterable[str] = ()) -> Report:
    """
    Verify the bytes of a certificate.

    :raises UnreadableError: it is none.
    """
    return Verifier(pins).verify(data)


def _with(row: dict[str, Any]) -> str:
    """What left with the rows of a category: their recordings, and the callers of whom nothing was left."""
    parts = [
        f"{row[name]:,} {name if row[name] != 1 else name[:-1]}"
        for name in ("recordings", "callers")
        if row[name]
    ]
    return f" with {' and '.join(parts)}" if parts else ""


def told(report: Report) -> list[str]:
    """What a certificate that holds says, in lines."""
    said = report.statement
    own = said["client"] is None
    whose = f"{said['agency']['name']}, its own rows" if own else said["client"]["legal_name"]
    return [
        f"certificate {said['number']} of {whose}, run of {said['run']['planned_on']}",
        *(
            f"{row['title']}: {row['erased']:,} of {row['due']:,} destroyed{_with(row)}, {row['held']:,} held,"
            f" before {row['cutoff']}, digest {row['digest'][:16]}"
            for row in said["categories"]
        ),
        f"no copy opens from {said['copies_gone_on']} on",
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Verify a certificate of destruction offline.")
    parser.add_argument("certificate", type=Path, help="the JSON or the PDF")
    parser.add_argument(
        "--key",
        action="append",
        default=[],
        help="trust only this public key (64 hex digits, or its SHA-256)",
    )
    options = parser.parse_args(arguments)
    try:
        report = verify(options.certificate.read_bytes(), pins=options.key)
    except (UnreadableError, OSError) as error:
        print(f"Cannot verify: {error}", file=sys.stderr)
        return 2
    if report.key is not None:
        print(f"key {report.key.encoded.hex()} (SHA-256 {report.key.fingerprint})")
    if not options.key:
        print("key not pinned: compare it with the one you were given on paper, or pass --key")
    for finding in report.findings:
        print(f"FOUND {finding}")
    if not report.findings:
        print("\n".join(told(report)))
    print(f"{len(report.findings)} findings")
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
