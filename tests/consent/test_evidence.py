"""The pack of evidence: complete, readable, checkable by who has nothing but the public key; no change goes unnamed."""

from __future__ import annotations

import ast
import cProfile
import hashlib
import io
import itertools
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from callprivacy.audit import leaves, merkle
from callprivacy.audit.models import Event, Reason
from callprivacy.calls.services import people as callers
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import client_scope, job_scope, staff_scope
from callprivacy.vault import services as vault
from callprivacy.vault import signing
from consent.channels import evidence_pdf, packing
from consent.enums import Channel, EventKind, Purpose, Scope, Strength
from consent.models import Decision
from consent.selectors import people, proofs
from consent.services import evidence, ledger
from consent.services.ledger import Said
from tests import ground, make
from tests.audit import trails
from tests.consent import pages
from tests.make import NOON
from tools import verify_evidence

if TYPE_CHECKING:
    from pytest_django.plugin import DjangoDbBlocker

    from tests.cast import Cast

NUMBER, OTHER = "+14155550101", "+14155550102"
WHY = "The caller's lawyer asks for the record."
TOOL = Path(verify_evidence.__file__)
WORDS = "Harbor Dental graba y supervisa llamadas. ¿Está de acuerdo, señor Ångström? 中"


def say(cast: Cast, *facts: Said) -> None:
    with client_scope(agency_id=cast.acme.pk, client_id=cast.dentist.pk):
        ledger.record_events(client=cast.dentist, said=facts, by=Actor.client("tests"), at=NOON)


def caller_of(cast: Cast, number: str = NUMBER) -> Any:
    with job_scope(agency_id=cast.acme.pk):
        return callers.add_callers(client=cast.dentist, numbers=[number], at=NOON)[number]


def said(caller_id: Any, kind: EventKind, purpose: Purpose = Purpose.RECORD, **fields: Any) -> Said:
    facts: dict[str, Any] = {
        "channel": Channel.WEB, "strength": Strength.A, "happened_at": NOON - timedelta(hours=1), "source": f"{kind}",
        "caller_id": caller_id, "evidence": {"words": WORDS, "said": "yes", "deep": [{"a": 1}, None, True]},
    }  # fmt: skip
    return Said(purpose=purpose, kind=kind, **{**facts, **fields})


def tell(cast: Cast) -> Any:
    """A person who agreed, with another in the same batch, and took it back; a decision rests on the yes."""
    version = pages.publish(cast.dentist, Purpose.RECORD, words=WORDS)
    one, two = caller_of(cast), caller_of(cast, OTHER)
    say(
        cast,
        said(one, EventKind.GIVEN, version_id=version.pk),
        said(one, EventKind.GIVEN, Purpose.REVIEW, version_id=version.pk),
        said(two, EventKind.GIVEN, version_id=version.pk),
        said(one, EventKind.GIVEN, scope=Scope.THIS_CALL, call_digest=b"c" * 32, source="call"),
    )
    call = make.call(cast.dentist, NUMBER)
    say(
        cast, said(one, EventKind.WITHDRAWN, channel=Channel.SMS, happened_at=NOON, evidence={"text": "STOP"})
    )
    with job_scope(agency_id=cast.acme.pk):
        given = next(row for row in people.dossier(cast.dentist, one).events if row.kind == EventKind.GIVEN)
        Decision.objects.create(
            agency_id=cast.acme.pk, client=cast.dentist, call=call, purpose=Purpose.RECORD, allowed=True, lawful=True,
            standard_met=True, standard="express", basis="consent", event_id=given.pk, rules=["us-ca-record"],
            reasons=["Express consent before the call."], places=[{"country": "US", "region": "CA"}], pack="shipped",
            decided_at=NOON,
        )  # fmt: skip
    return one


def take(cast: Cast, caller_id: Any) -> evidence.Pack:
    """The pack as alice takes it."""
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        person = people.find_person(cast.dentist, caller_id)
        assert person is not None
        return evidence.export(
            person=person, agency=cast.acme, reason=WHY, by=Actor.staff(user_id=cast.alice.user_id), at=NOON
        )


def opened(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@dataclass(frozen=True)
class Taken:
    """A pack that everything vouches for, and the key that signed it."""

    data: bytes
    key: str


@pytest.fixture(autouse=True)
def _checkpoints(settings: Any, tmp_path: Path) -> None:
    """Seals of one test are not remembered by the next."""
    settings.CALLPRIVACY_STATE = tmp_path / "state"


@pytest.fixture(scope="module")
def taken(
    databases: ground.Databases,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Taken]:
    """One pack for every test that only reads it, out of databases of its own."""
    from tests import cast as actors

    shared, pair = databases.current, databases.clone()
    assert shared is not None
    databases.current = pair
    with django_db_blocker.unblock(), override_settings(CALLPRIVACY_STATE=tmp_path_factory.mktemp("state")):
        ground.point_to(pair)
        cast = actors.assemble()
        trails.write(cast.acme.pk, 5)
        trails.seal(cast.acme.pk)
        caller_id = tell(cast)
        trails.seal(cast.acme.pk)
        made = Taken(take(cast, caller_id).data, signing.public_key().hex())
    yield made
    databases.current = shared
    with django_db_blocker.unblock():
        ground.point_to(shared)
    databases.drop(pair)


# --- What is in it ---


def test_the_pack_holds_and_says_what_was_said(taken: Taken) -> None:
    report = verify_evidence.verify(taken.data, pins=[taken.key])
    assert report.findings == []
    assert report.notes == []
    assert (report.events, report.proven) == (4, 4)
    files = opened(taken.data)
    assert list(files) == ["README.txt", "evidence.json", "evidence.pdf", "manifest.json", "manifest.sig"]
    found = json.loads(files["evidence.json"])
    assert [event["kind"] for event in found["events"]] == ["given", "given", "given", "withdrawn"]
    assert found["notices"][0]["facts"]["privacy_notice"]["text"] == WORDS
    assert json.loads(found["events"][0]["evidence"])["words"] == WORDS
    assert found["decisions"][0]["event"] in {event["id"] for event in found["events"]}
    assert found["withdrawals"][0]["purposes"] == ["record"]
    assert {state["purpose"]: state["state"] for state in found["states"]} == {
        "record": "withdrawn",
        "review": "given",
    }
    for number in (NUMBER, OTHER):
        assert number.encode() not in taken.data
        assert number[-7:].encode() not in taken.data


def test_it_speaks_the_terms_of_the_standard_without_fetching_anything(taken: Taken) -> None:
    found = json.loads(opened(taken.data)["evidence.json"])
    assert isinstance(found["@context"], dict)
    assert found["@context"]["dpv"] == "https://w3id.org/dpv#"
    record, review = found["@graph"]
    assert record["@type"] == "dpv:ConsentRecord"
    assert record["dct:hasVersion"] == "ISO/IEC TS 27560:2023"
    assert record["dpv:hasConsentStatus"] == {"@id": "dpv:ConsentWithdrawn"}
    assert review["dpv:hasConsentStatus"] == {"@id": "dpv:ConsentGiven"}
    assert record["dpv:hasDataController"]["dpv:hasName"] == "Dentist LLC"
    assert record["dpv:hasJurisdiction"] == ["US-CA"]
    assert record["dpv:hasConsentControl"][0]["dct:description"] == pages.HOW
    assert {"dct:date", "@type", "dpv:isImplementedByEntity"} <= record["dct:hasPart"][0].keys()
    assert any("pii_controllers.address" in sentence for sentence in found["not_in_it"])


def test_the_pdf_can_be_read_by_people_of_every_language(taken: Taken) -> None:
    files = opened(taken.data)
    assert files["evidence.pdf"].startswith(b"%PDF-")
    page = evidence_pdf._Page(json.loads(files["evidence.json"]), ZoneInfo("America/Los_Angeles"))
    assert page._drawable("¿Está, señor Ångström? Привет") == "¿Está, señor Ångström? Привет"
    assert page._drawable("中\x07") == "[U+4E2D][U+0007]"
    assert page.when("2026-11-24T12:00:00+00:00") == "24 Nov 2026, 04:00:00 PST (12:00:00 UTC)"


def test_the_tool_alone_says_the_same(taken: Taken, tmp_path: Path) -> None:
    """Two files of the standard library, on a machine that has nothing else of ours."""
    for file in (TOOL, TOOL.with_name("verify_bundle.py")):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    pack = tmp_path / "pack.zip"
    pack.write_bytes(taken.data)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "verify_evidence.py", "pack.zip", *arguments],
            cwd=tmp_path, capture_output=True, text=True, check=False, env={},
        )  # fmt: skip

    done = run("--key", taken.key)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 events, 4 under a seal, 0 findings" in done.stdout
    assert "not pinned" in run().stdout
    assert run("--key", "ab" * 32).returncode == 1
    pack.write_bytes(b"nothing")
    assert run().returncode == 2


def test_the_tool_imports_the_standard_library_and_its_neighbour() -> None:
    tree = ast.parse(TOOL.read_text())
    names = {
        alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    names |= {
        (node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
    }
    assert names - sys.stdlib_module_names == {"tools", "verify_bundle"}


# --- What was changed is named ---


def _edit(change: Callable[[dict[str, Any]], None], *, repack: bool = False) -> Callable[[Taken], bytes]:
    """Change evidence.json; with `repack` the manifest is written anew, as one could who lacks the key."""

    def edited(taken: Taken) -> bytes:
        files = opened(taken.data)
        found = json.loads(files["evidence.json"])
        change(found)
        files["evidence.json"] = json.dumps(found, ensure_ascii=False, indent=1).encode()
        return _repacked(files) if repack else packing.zipped(files)

    return edited


def _repacked(files: dict[str, bytes], *, signer: Ed25519PrivateKey | None = None) -> bytes:
    manifest = json.loads(files.pop("manifest.json"))
    signature = bytes.fromhex(files.pop("manifest.sig").decode())
    key_id, sign = manifest["key"], (lambda _message: signature)
    if signer is not None:
        key_id, sign = signing.key_id(signer.public_key().public_bytes_raw()), signer.sign
    return packing.pack(files, pack_id=manifest["id"], made_at=manifest["made_at"], key_id=key_id, sign=sign)


def _forged(taken: Taken) -> bytes:
    """All of it anew, under a key of the forger's own that the pack brings along."""
    signer = Ed25519PrivateKey.generate()
    files = opened(taken.data)
    found = json.loads(files["evidence.json"])
    public = signer.public_key().public_bytes_raw()
    found["keys"] = [{"id": signing.key_id(public), "public": public.hex()}]
    files["evidence.json"] = json.dumps(found, ensure_ascii=False, indent=1).encode()
    return _repacked(files, signer=signer)


def _file(name: str, change: Callable[[bytes], bytes]) -> Callable[[Taken], bytes]:
    def edited(taken: Taken) -> bytes:
        files = opened(taken.data)
        files[name] = change(files[name])
        return packing.zipped(files)

    return edited


def _set(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(found: dict[str, Any]) -> None:
        *way, last = [int(part) if part.isdecimal() else part for part in path.split("/")]
        place: Any = found
        for part in way:
            place = place[part]
        place[last] = value(place[last]) if callable(value) else value

    return change


def _drop(path: str, number: int) -> Callable[[dict[str, Any]], None]:
    def change(found: dict[str, Any]) -> None:
        place: Any = found
        for part in path.split("/"):
            place = place[int(part) if part.isdecimal() else part]
        del place[number]

    return change


def _without_pdf(taken: Taken) -> bytes:
    files = opened(taken.data)
    del files["evidence.pdf"]
    return packing.zipped(files)


def _with_another_file(taken: Taken) -> bytes:
    return packing.zipped({**opened(taken.data), "more.txt": b"more"})


def _with_a_comment(taken: Taken) -> bytes:
    out = io.BytesIO(taken.data)
    with zipfile.ZipFile(out, "a") as archive:
        archive.comment = b"hello"
    return out.getvalue()


def _swapped(taken: Taken) -> bytes:
    files = opened(taken.data)
    return packing.zipped({name: files[name] for name in sorted(files, reverse=True)})


def _older(found: dict[str, Any]) -> None:
    """An event dated back, with the fingerprint that it now has."""
    event = found["events"][0]
    event["happened_at"] = "2026-01-01T00:00:00+00:00"
    event["fingerprint"] = verify_evidence.fingerprint(event)


def _invented(found: dict[str, Any]) -> None:
    """An event more, in the trail's list as well."""
    event = dict(found["events"][0]) | {"id": "11111111-1111-4111-8111-111111111111"}
    event["fingerprint"] = verify_evidence.fingerprint(event)
    found["events"].append(event)
    next(entry for entry in found["trail"] if entry["id"] == event["trail"])["fingerprints"].append(
        event["fingerprint"]
    )


def _reworded(found: dict[str, Any]) -> None:
    """Evidence changed, with the digest that it now has."""
    event = found["events"][0]
    event["evidence"] = event["evidence"].replace("yes", "no!")
    event["evidence_digest"] = hashlib.sha256(event["evidence"].encode()).hexdigest()


def _another_byte(signature: str) -> str:
    """Change the first byte, whatever it was: a fixed one in its place is the byte itself once in 256 times."""
    return f"{int(signature[:2], 16) ^ 0xFF:02x}{signature[2:]}"


CHANGES: dict[str, tuple[Callable[[Taken], bytes], str]] = {
    "the words of the notice": (
        _edit(_set("notices/0/facts/privacy_notice/text", "We never record."), repack=True), "words of 'Web form'",
    ),
    "the words' digest": (_edit(_set("notices/0/digest", "00" * 32), repack=True), "words of 'Web form'"),
    "how to withdraw": (
        _edit(_set("notices/0/facts/withdrawal_method", "You cannot."), repack=True), "words of 'Web form'",
    ),
    "what happened": (_edit(_set("events/3/kind", "given"), repack=True), "does not have its fingerprint"),
    "which purpose": (_edit(_set("events/0/purpose", "share"), repack=True), "does not have its fingerprint"),
    "how sure it is": (_edit(_set("events/0/strength", "C"), repack=True), "does not have its fingerprint"),
    "when, with its fingerprint": (_edit(_older, repack=True), "does not vouch for it"),
    "the evidence": (_edit(_set("events/0/evidence", "{}"), repack=True), "its evidence was changed"),
    "the evidence with its digest": (_edit(_reworded, repack=True), "does not have its fingerprint"),
    "an event left out": (_edit(_drop("events", 3), repack=True), "vouches for no event of this pack"),
    "an event invented": (_edit(_invented, repack=True), "its fingerprints are not those that it vouches for"),
    "another person's": (
        _edit(_set("about/person/id", "22222222-2222-4222-8222-222222222222"), repack=True), "another person",
    ),
    "the trail's event": (_edit(_set("trail/0/event/details/events", 9), repack=True), "does not lead to the root"),
    "the trail's instant": (
        _edit(_set("trail/0/event/at", "2026-01-01T00:00:00.000000Z"), repack=True), "does not lead to the root",
    ),
    "the path": (_edit(_set("trail/0/proof/path/0", "00" * 32), repack=True), "does not lead to the root"),
    "the place in the log": (_edit(_set("trail/0/proof/index", 0), repack=True), "its place is not one that seal"),
    "the root": (_edit(_set("trail/0/proof/seal/root", "00" * 32), repack=True), "its signature is not that of key"),
    "the seal's signature": (
        _edit(_set("trail/0/proof/signature", _another_byte), repack=True),
        "its signature is not that of key",
    ),
    "a decision": (_edit(_set("decisions/0/lawful", False), repack=True), "allowed, though not both"),
    "a decision's ground": (
        _edit(_set("decisions/0/event", "33333333-3333-4333-8333-333333333333"), repack=True), "rests on no event here",
    ),
    "where the person stands": (_edit(_set("states/0/state", "given"), repack=True), "but its event says withdrawn"),
    "a withdrawal's receipt": (_edit(_set("withdrawals/0/law", "None")), "evidence.json: changed"),
    "the record of the standard": (_edit(_drop("@graph", 0), repack=True), "@graph"),
    "a member added": (_edit(_set("more", 1)), "more was added"),
    "a byte of the PDF": (_file("evidence.pdf", lambda data: data[:-9] + b"!" + data[-8:]), "evidence.pdf: changed"),
    "a byte of the README": (_file("README.txt", lambda data: data.upper()), "README.txt: changed"),
    "a space in the manifest": (_file("manifest.json", lambda data: data + b" "), "not in its one form"),
    "the manifest's instant": (
        _file("manifest.json", lambda data: data.replace(f"{NOON:%F}".encode(), b"2020-01-01")),
        "manifest.json: its signature",
    ),
    "the manifest's signature": (
        _file("manifest.sig", lambda data: _another_byte(data.decode()).encode()), "manifest.json: its signature",
    ),
    "no PDF": (_without_pdf, "evidence.pdf: is missing"),
    "another file": (_with_another_file, "more.txt: was added"),
    "a comment in the zip": (_with_a_comment, "the zip around the files"),
    "another order": (_swapped, "the zip around the files"),
    "bytes behind the zip": (lambda taken: taken.data + b"\0", "the zip around the files"),
    "a forged pack can contain a forged key": (_forged, "which was not pinned"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_is_named(taken: Taken, change: str) -> None:
    edit, words = CHANGES[change]
    report = verify_evidence.verify(edit(taken), pins=[taken.key])
    assert any(words in finding for finding in report.findings), report.findings


def test_no_byte_may_differ(taken: Taken) -> None:
    """One bit anywhere, at places spread over the whole pack: found, or no pack any more."""
    for place in range(0, len(taken.data), max(1, len(taken.data) // 60)):
        data = bytearray(taken.data)
        data[place] ^= 1
        try:
            report = verify_evidence.verify(bytes(data), pins=[taken.key])
        except verify_evidence.UnreadableError:
            continue
        assert report.findings, place


@pytest.mark.parametrize("data", [b"", b"PK", b"x" * 100, packing.zipped({"a": b"b"})])
def test_what_is_no_pack_is_refused(data: bytes) -> None:
    with pytest.raises(verify_evidence.UnreadableError):
        verify_evidence.verify(data)


def test_hostile_members_are_findings_and_no_crash(taken: Taken) -> None:
    names = ("about", "events", "notices", "trail", "states", "decisions", "withdrawals", "@graph", "keys")
    for name in names:
        values: list[Any] = [None, 3, "x", [None], [{}], {"a": 1}]
        for value in values:
            edit = _edit(_set(name, value), repack=True)
            assert verify_evidence.verify(edit(taken), pins=[taken.key]).findings


def test_drawing_it_says_nothing_in_the_log(taken: Taken, logged: io.StringIO) -> None:
    found = json.loads(opened(taken.data)["evidence.json"])
    assert evidence_pdf.document(found, zone="UTC").startswith(b"%PDF-")
    assert logged.getvalue() == ""


# --- Taking it ---


@pytest.mark.as_committed
def test_that_it_was_taken_is_in_the_trail_with_its_reason_sealed(cast: Cast) -> None:
    caller_id = tell(cast)
    pack = take(cast, caller_id)
    with job_scope(agency_id=cast.acme.pk):
        event = Event.objects.get(action="evidence.exported")
        assert (event.subject_kind, event.subject_id) == ("calls.caller", str(caller_id))
        assert event.details["events"] == 4
        assert Reason.objects.filter(event_id=event.pk).exists()
    assert pack.name.startswith("evidence-")
    assert pack.name.endswith(f"-{NOON.date()}.zip")


@pytest.mark.as_committed
def test_what_is_not_sealed_yet_says_so(cast: Cast) -> None:
    pack = take(cast, tell(cast))
    assert pack.proven == 0
    report = verify_evidence.verify(pack.data, pins=[signing.public_key().hex()])
    assert report.findings == []
    assert any("not sealed yet" in note for note in report.notes)


@pytest.mark.django_db(transaction=True)
def test_who_may_not_read_the_trail_gets_a_pack_that_says_so(cast: Cast) -> None:
    caller_id = tell(cast)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.bob.user_id):
        person = people.find_person(cast.dentist, caller_id)
        assert person is not None
        by = Actor.staff(user_id=cast.bob.user_id)
        pack = evidence.export(person=person, agency=cast.acme, reason=WHY, by=by, at=NOON)
    report = verify_evidence.verify(pack.data, pins=[signing.public_key().hex()])
    assert report.findings == []
    assert any("without permission to read the audit log" in note for note in report.notes)


@pytest.mark.as_committed
def test_the_evidence_of_an_erased_person_can_still_be_taken(cast: Cast) -> None:
    caller_id = tell(cast)
    gone = vault.Erasure(caller_id, NOON, date(2031, 1, 1), keep_evidence=True)
    vault.erase_callers(client_id=cast.dentist.pk, erasures=[gone], at=NOON)
    found = json.loads(opened(take(cast, caller_id).data)["evidence.json"])
    assert found["about"]["person"]["is_erased"]
    assert found["about"]["person"]["evidence_kept_until"] == "2031-01-01"
    assert found["events"][0]["evidence"] is not None
    vault.destroy_evidence(client_id=cast.dentist.pk, caller_ids=[caller_id])
    pack = take(cast, caller_id)
    assert json.loads(opened(pack.data)["evidence.json"])["events"][0]["evidence"] is None
    report = verify_evidence.verify(pack.data, pins=[signing.public_key().hex()])
    assert report.findings == []


@pytest.mark.as_committed
def test_a_reason_is_asked_for_and_nobody_has_no_pack(cast: Cast) -> None:
    caller_id = tell(cast)
    silent = make.call(cast.dentist, "+14155550199").caller_id
    assert silent is not None
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        by = Actor.staff(user_id=cast.alice.user_id)
        person, nobody = (people.find_person(cast.dentist, one) for one in (caller_id, silent))
        assert person is not None
        assert nobody is not None
        with pytest.raises(evidence.ReasonTooShortError):
            evidence.export(person=person, agency=cast.acme, reason="  why   not  ", by=by, at=NOON)
        with pytest.raises(evidence.NothingKnownError):
            evidence.export(person=nobody, agency=cast.acme, reason=WHY, by=by, at=NOON)
        assert not Event.objects.filter(action="evidence.exported").exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.thorough
def test_a_story_twice_as_long_is_twice_the_work_and_two_queries_a_seal(cast: Cast) -> None:
    """Work is counted in calls of functions, which say the same on a busy machine."""
    caller_id = tell(cast)
    trails.seal(cast.acme.pk)
    take(cast, caller_id)  # the fonts' program is loaded once a process
    statements, calls, events = [], [], 4
    for more in (2, 6, 12):
        say(cast, *(said(caller_id, EventKind.NOTICED, source=f"{events + one}") for one in range(more)))
        trails.seal(cast.acme.pk)
        events += more
        counting = cProfile.Profile()
        with CaptureQueriesContext(connection) as queries, counting:
            assert take(cast, caller_id).events == events
        statements.append(len(queries))
        calls.append(sum(entry.callcount for entry in counting.getstats()))
    assert [later - earlier for earlier, later in itertools.pairwise(statements)] == [2, 2]
    # The last twelve add twice what the six before them add; where all were compared with all, four times as much.
    assert 1.8 < (calls[2] - calls[1]) / (calls[1] - calls[0]) < 2.2


# --- The proofs ---


@pytest.mark.django_db(transaction=True)
def test_paths_are_those_of_the_whole_log(cast: Cast) -> None:
    """Found from one seal and the peaks before it, the path is the one that the whole log gives."""
    listed: list[bytes] = []
    for size in (1, 2, 4, 1, 7, 3):
        ids = trails.write(cast.acme.pk, size)
        trails.seal(cast.acme.pk)
        with job_scope(agency_id=cast.acme.pk):
            found = proofs.proofs_of(cast.acme.pk, ids)
            seal = next(iter(found.values())).seal
            assert seal is not None
            listed += [leaf for _, leaf in seal.listed()]
            assert len(listed) == seal.size
            for event_id in ids:
                proof = found[event_id]
                assert proof.path == merkle.Tail(merkle.Frontier(), listed).path(proof.index)
                leaf = merkle.leaf_hash(leaves.canonical(proof.event.as_leaf()))
                assert verify_evidence.included(leaf, proof.index, seal.size, proof.path, bytes(seal.root))
