#!/usr/bin/env python3
"""
Verify a pack of evidence offline: Python 3.10 or later, standard library only, with verify_bundle.py beside it.

    python3 verify_evidence.py evidence-K7-42Q-2026-11-24.zip --key PUBLIC_KEY

It checks every byte: the zip has its one form, the manifest is signed, each file has the manifest's digest. Then, by
itself, what the sealed trail vouches for: the digest of the words of each notice, the digest of each piece of evidence,
the fingerprint of each event, that the trail's event names exactly these fingerprints, its place under the signed
root (RFC 9162), and the seal's Ed25519 signature (RFC 8032). Whatever does not hold is named. Without `--key` it trusts
the keys that the pack itself brings, and says so. docs/evidence.md describes every form.

Exit status: 0 nothing found, 1 something found, 2 the file cannot be read or the arguments are wrong.
"""

import argparse
import hashlib
import io
import json
import sys
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

try:
    from tools import verify_bundle as bundle
except ImportError:  # pragma: no cover  (alone on another machine)
    import verify_bundle as bundle  # type: ignore[import-not-found,no-redef]  # lies beside it where it is used

NAME, VERSION = "callprivacy evidence", 1
CONTEXT = b"callprivacy evidence 1\n"
README, EVIDENCE, PDF, MANIFEST, SIGNATURE = (
    "README.txt", "evidence.json", "evidence.pdf", "manifest.json", "manifest.sig",
)  # fmt: skip
FILES = (README, EVIDENCE, PDF)
MEMBERS = {
    "@context", "@graph", "pack", "v", "id", "made_at", "made_by", "about", "states", "events", "notices", "documents",
    "decisions", "withdrawals", "trail", "keys", "not_in_it",
}  # fmt: skip
FACTS = (
    "id", "client", "caller", "purpose", "kind", "basis", "scope", "channel", "strength", "version", "document",
    "happened_at", "recorded_at", "recorded_by", "evidence_digest", "call_digest",
)  # fmt: skip
EVENT_MEMBERS = {*FACTS, "fingerprint", "evidence", "trail"}
AT_MOST = 1 << 28


class UnreadableError(Exception):
    """The file is not a pack at all."""


@dataclass
class Report:
    """What was found, and what was counted on the way."""

    findings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    keys_used: dict[str, Any] = field(default_factory=dict)
    person: str = ""
    events: int = 0
    proven: int = 0

    def found(self, text: str) -> None:
        self.findings.append(text)


# --- The zip and its manifest


def unpacked(data: bytes) -> dict[str, bytes]:
    """The files of the zip by name; twice the same name is no pack."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > AT_MOST or len(entries) > 100:
                raise UnreadableError("it is larger than any pack")
            files = {entry.filename: _read(archive, entry) for entry in entries}
    except (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise UnreadableError(f"not a zip ({error})") from None
    if len(files) != len(entries):
        raise UnreadableError("it names a file twice")
    if MANIFEST not in files or EVIDENCE not in files:
        raise UnreadableError("it holds no pack of evidence")
    return files


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """A file as it lies there, also where the zip's own checksum of it is wrong: the manifest names what changed."""
    with archive.open(entry) as file:
        file._expected_crc = None  # type: ignore[attr-defined]  # zipfile's own
        return file.read()


def zipped(files: Mapping[str, bytes]) -> bytes:
    """The one form that a pack has as a zip."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            entry.external_attr = 0o600 << 16
            archive.writestr(entry, data)
    return out.getvalue()


class Verifier:
    """Takes a pack apart and writes down all that does not hold."""

    def __init__(self, pins: Iterable[str] = ()) -> None:
        self.pins = {pin.lower() for pin in pins}
        self.report = Report()
        self.keys: dict[str, Any] = {}
        for pin in self.pins:
            if len(pin) == 64:
                self._trust(pin)

    def verify(self, data: bytes) -> Report:
        """Verify a pack's bytes."""
        files = unpacked(data)
        evidence = self._parsed(EVIDENCE, files[EVIDENCE])
        for named in evidence.get("keys", ()) if isinstance(evidence.get("keys"), list) else ():
            if isinstance(named, dict):
                self._trust_named(named)
        self._form(data, files)
        manifest = self._manifest(files)
        if evidence:
            self._evidence(evidence, manifest)
        return self.report

    # --- Keys

    def _trust(self, public: str) -> Any:
        try:
            key = bundle.PublicKey(bytes.fromhex(public))
        except ValueError:
            return None
        self.keys[key.key_id] = key
        return key

    def _trust_named(self, named: Mapping[str, Any]) -> None:
        public = str(named.get("public"))
        try:
            digest = hashlib.sha256(bytes.fromhex(public)).hexdigest()
        except ValueError:
            self.report.found(f"key {named.get('id')}: is no key")
            return
        if not self.pins or self.pins & {public, digest, digest[:16]}:
            self._trust(public)
        if named.get("id") != digest[:16]:
            self.report.found(f"key {named.get('id')}: is not named by its own hash")

    def _signed(self, name: str, key_id: str, message: bytes, signature: str) -> None:
        key = self.keys.get(key_id)
        try:
            raw = bytes.fromhex(signature)
        except ValueError:
            raw = b""
        if key is None:
            self.report.found(
                f"{name}: signed by key {key_id}, which {'was not pinned' if self.pins else 'is not here'}"
            )
        elif not key.verify(message, raw):
            self.report.found(f"{name}: its signature is not that of key {key_id}")
        else:
            self.report.keys_used[key_id] = key

    # --- The outside

    def _parsed(self, name: str, data: bytes) -> dict[str, Any]:
        try:
            found = bundle.parse(data)
        except (ValueError, RecursionError) as error:
            self.report.found(f"{name}: cannot be read ({error})")
            return {}
        if not isinstance(found, dict):
            self.report.found(f"{name}: is no object")
            return {}
        return found

    def _form(self, data: bytes, files: Mapping[str, bytes]) -> None:
        expected = (*FILES, MANIFEST, SIGNATURE)
        for name in files:
            if name not in expected:
                self.report.found(f"{name}: was added to the pack")
        for name in expected:
            if name not in files:
                self.report.found(f"{name}: is missing")
        right = zipped({name: files[name] for name in expected if name in files})
        if right != data:
            pairs = zip(right, data, strict=False)
            at = next(
                (place for place, (one, two) in enumerate(pairs) if one != two), min(len(right), len(data))
            )
            self.report.found(f"the zip around the files: changed, from byte {at} on")

    def _manifest(self, files: Mapping[str, bytes]) -> dict[str, Any]:
        manifest = self._parsed(MANIFEST, files[MANIFEST])
        if not manifest:
            return {}
        try:
            if bundle.canonical(manifest) != files[MANIFEST]:
                self.report.found(f"{MANIFEST}: is not in its one form")
            if manifest["pack"] != NAME or manifest["v"] != VERSION:
                self.report.found(f"{MANIFEST}: is of another kind or version")
            signature = files.get(SIGNATURE, b"").decode("ascii", "replace")
            self._signed(MANIFEST, str(manifest["key"]), CONTEXT + files[MANIFEST], signature)
            named = [entry["name"] for entry in manifest["files"]]
            if named != list(FILES):
                self.report.found(f"{MANIFEST}: names other files than a pack has")
            for entry in manifest["files"]:
                self._file(entry, files.get(entry["name"], b""))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            self.report.found(f"{MANIFEST}: is not well-formed ({error!r})")
            return {}
        return manifest

    def _file(self, entry: Mapping[str, Any], data: bytes) -> None:
        if hashlib.sha256(data).hexdigest() != entry["sha256"]:
            self.report.found(f"{entry['name']}: changed, its digest is not the manifest's")
        elif len(data) != entry["bytes"]:
            self.report.found(f"{entry['name']}: the manifest says another length")

    # --- The inside

    def _evidence(self, evidence: dict[str, Any], manifest: Mapping[str, Any]) -> None:
        missing, added = MEMBERS - evidence.keys(), evidence.keys() - MEMBERS
        for name in sorted(missing | added):
            self.report.found(f"{EVIDENCE}: {name} {'is missing' if name in missing else 'was added'}")
        if missing:
            return
        for name in ("id", "made_at"):
            if manifest and evidence[name] != manifest.get(name):
                self.report.found(f"{EVIDENCE}: its {name} is not the manifest's")
        if evidence["pack"] != NAME or evidence["v"] != VERSION:
            self.report.found(f"{EVIDENCE}: is of another kind or version")
        for name, check in (
            ("about", self._about), ("notices", self._notices), ("trail", self._trail), ("events", self._events),
            ("states", self._states), ("decisions", self._decisions), ("withdrawals", self._withdrawals),
            ("@graph", self._graph),
        ):  # fmt: skip
            try:
                check(evidence)
            except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
                self.report.found(f"{EVIDENCE}: {name} is not well-formed ({error!r})")

    def _about(self, evidence: dict[str, Any]) -> None:
        about = evidence["about"]
        self.report.person = f"{about['person']['name']} at {about['client']['legal_name']}"

    def _notices(self, evidence: dict[str, Any]) -> None:
        for version in evidence["notices"]:
            name = f"words of {version['name']!r}, version {version['number']}"
            if hashlib.sha256(bundle.canonical(version["facts"])).hexdigest() != version["digest"]:
                self.report.found(f"{name}: changed, they do not have their digest")
            if version["facts"]["privacy_notice"]["version"] != version["number"]:
                self.report.found(f"{name}: are those of another version")

    def _trail(self, evidence: dict[str, Any]) -> None:
        seen: set[int] = set()
        for entry in evidence["trail"]:
            name = f"trail event {entry['id']}"
            if entry["id"] in seen:
                self.report.found(f"{name}: appears twice")
            seen.add(entry["id"])
            if entry["event"] is None:
                self.report.notes.append(f"{name}: is not in the pack. {entry.get('why_not', '')}".strip())
                continue
            self._trail_event(name, entry, evidence["about"])
            if entry["proof"] is None:
                self.report.notes.append(f"{name}: not sealed yet, nothing outside the pack vouches for it")
            else:
                self._proof(name, entry, evidence["about"]["agency"]["id"])

    def _trail_event(self, name: str, entry: Mapping[str, Any], about: Mapping[str, Any]) -> None:
        event = entry["event"]
        if set(event) != bundle.EVENT_MEMBERS:
            self.report.found(f"{name}: changed, its members are not those of an event")
        if event["id"] != entry["id"] or event["action"] != "consent.recorded":
            self.report.found(f"{name}: is another event than the ledger names")
        if event["agency"] != about["agency"]["id"] or event["client"] != about["client"]["id"]:
            self.report.found(f"{name}: is of another agency or client")
        prints = sorted(bytes.fromhex(one) for one in entry["fingerprints"])
        if hashlib.sha256(b"".join(prints)).hexdigest() != event["details"]["digest"]:
            self.report.found(f"{name}: its fingerprints are not those that it vouches for")
        if len(prints) != event["details"]["events"]:
            self.report.found(f"{name}: says {event['details']['events']} events and lists {len(prints)}")

    def _proof(self, name: str, entry: Mapping[str, Any], agency: int) -> None:
        proof = entry["proof"]
        seal = proof["seal"]
        if set(seal) != bundle.SEAL_MEMBERS:
            self.report.found(f"{name}: its seal's members are not those of a seal")
        if seal["agency"] != agency:
            self.report.found(f"{name}: its seal is another agency's")
        message = bundle.SEAL_CONTEXT + bundle.canonical(seal)
        self._signed(f"{name}, seal {seal['number']}", str(seal["key"]), message, proof["signature"])
        if not seal["size"] - seal["count"] <= proof["index"] < seal["size"]:
            self.report.found(f"{name}: its place is not one that seal {seal['number']} covers")
        leaf = bundle.leaf_hash(bundle.canonical(entry["event"]))
        path = [bytes.fromhex(step) for step in proof["path"]]
        if not included(leaf, proof["index"], seal["size"], path, bytes.fromhex(seal["root"])):
            self.report.found(f"{name}: changed, it does not lead to the root of seal {seal['number']}")

    def _events(self, evidence: dict[str, Any]) -> None:
        about = evidence["about"]
        trail = {entry["id"]: entry for entry in evidence["trail"]}
        words = {version["id"] for version in evidence["notices"]}
        seen: set[str] = set()
        for event in evidence["events"]:
            name = f"event {event['id']}"
            self.report.events += 1
            if event["id"] in seen:
                self.report.found(f"{name}: appears twice")
            seen.add(event["id"])
            if set(event) != EVENT_MEMBERS:
                self.report.found(f"{name}: changed, its members are not those of an event")
                continue
            if event["caller"] != about["person"]["id"] or event["client"] != about["client"]["id"]:
                self.report.found(f"{name}: is about another person or client")
            if event["version"] is not None and event["version"] not in words:
                self.report.found(f"{name}: the words that it rests on are missing")
            if fingerprint(event) != event["fingerprint"]:
                self.report.found(f"{name}: changed, it does not have its fingerprint")
            self._opened(name, event)
            entry = trail.get(event["trail"])
            if entry is None:
                self.report.found(f"{name}: no event of the trail vouches for it")
            elif fingerprint(event) not in entry["fingerprints"]:
                self.report.found(f"{name}: trail event {event['trail']} does not vouch for it")
            else:
                self.report.proven += entry["proof"] is not None
        vouched = {event["trail"] for event in evidence["events"]}
        for unused in trail.keys() - vouched:
            self.report.found(f"trail event {unused}: vouches for no event of this pack")

    def _opened(self, name: str, event: Mapping[str, Any]) -> None:
        if event["evidence"] is None:
            self.report.notes.append(f"{name}: its evidence opens no more")
        elif hashlib.sha256(event["evidence"].encode()).hexdigest() != event["evidence_digest"]:
            self.report.found(f"{name}: its evidence was changed")

    def _states(self, evidence: dict[str, Any]) -> None:
        events = {event["id"]: event for event in evidence["events"]}
        for state in evidence["states"]:
            event = events.get(state["event"])
            if event is None or event["purpose"] != state["purpose"]:
                self.report.found(f"state of {state['purpose']}: no event here says so")
            elif STATE_OF.get(event["kind"]) != state["state"]:
                self.report.found(
                    f"state of {state['purpose']}: {state['state']}, but its event says {event['kind']}"
                )

    def _decisions(self, evidence: dict[str, Any]) -> None:
        events = {event["id"] for event in evidence["events"]}
        for decision in evidence["decisions"]:
            name = f"decision about call {decision['call']}"
            if decision["event"] not in events:
                self.report.found(f"{name}: rests on no event here")
            if decision["allowed"] and not (decision["lawful"] and decision["standard_met"]):
                self.report.found(f"{name}: allowed, though not both lawful and by the standard")

    def _withdrawals(self, evidence: dict[str, Any]) -> None:
        kinds = {event["id"]: event["kind"] for event in evidence["events"]}
        for row in evidence["withdrawals"]:
            if not row["events"] or any(
                kinds.get(one) not in {"withdrawn", "refused"} for one in row["events"]
            ):
                self.report.found(f"withdrawal {row['id']}: no event here says so")

    def _graph(self, evidence: dict[str, Any]) -> None:
        events: dict[str, list[str]] = {}
        for event in evidence["events"]:
            events.setdefault(event["purpose"], []).append(f"urn:uuid:{event['id']}")
        parts = {
            record["dpv:hasPurpose"]["dct:identifier"]: [part["@id"] for part in record["dct:hasPart"]]
            for record in evidence["@graph"]
        }
        if parts != events:
            self.report.found("@graph: is not about the events of this pack")


STATE_OF = {
    "noticed": "noticed", "given": "given", "renewed": "given", "expired": "expired", "invalidated": "invalidated",
    "refused": "refused", "withdrawn": "withdrawn",
}  # fmt: skip


def fingerprint(event: Mapping[str, Any]) -> str:
    """SHA-256 over an event's facts, each as text, in their order."""
    facts = ["None" if event[name] is None else str(event[name]) for name in FACTS]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def included(leaf: bytes, index: int, size: int, path: Iterable[bytes], root: bytes) -> bool:
    """RFC 9162, 2.1.3.2."""
    if not 0 <= index < size:
        return False
    place, last, computed = index, size - 1, leaf
    for step in path:
        if last == 0 or len(step) != 32:
            return False
        if place & 1 or place == last:
            computed = hashlib.sha256(b"\x01" + step + computed).digest()
            while not place & 1 and place:
                place >>= 1
                last >>= 1
        else:
            computed = hashlib.sha256(b"\x01" + computed + step).digest()
        place >>= 1
        last >>= 1
    return last == 0 and computed == root


def verify(data: bytes, *, pins: Iterable[str] = ()) -> Report:
    """
    Verify the bytes of a pack.

    :raises UnreadableError: it is none.
    """
    return Verifier(pins).verify(data)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Verify a pack of evidence offline.")
    parser.add_argument("pack", type=Path, help="the zip")
    parser.add_argument(
        "--key",
        action="append",
        default=[],
        help="trust only this public key (64 hex digits, or its SHA-256)",
    )
    options = parser.parse_args(arguments)
    try:
        report = verify(options.pack.read_bytes(), pins=options.key)
    except (UnreadableError, OSError) as error:
        print(f"Cannot verify: {error}", file=sys.stderr)
        return 2
    for key in report.keys_used.values():
        print(f"key {key.encoded.hex()} (SHA-256 {key.fingerprint})")
    if not options.key:
        print("key not pinned: compare it with the one you were given on paper, or pass --key")
    for note in report.notes:
        print(f"note: {note}")
    for finding in report.findings:
        print(f"FOUND {finding}")
    print(
        f"{report.person}: {report.events:,} events, {report.proven:,} under a seal, {len(report.findings)} findings"
    )
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
