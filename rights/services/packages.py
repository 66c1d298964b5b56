"""
The package: everything that is held about a person in one sealed file, fetched by a link that works once.

It is made by a job for the callers that the case reaches, some clients at a time, and written straight into a sealed
file of the holder. The person gets a link after a fresh proof; taking the file uses the link up, and is an event of the
trail. After seven days the file is gone with its key.
"""

import hashlib
import io
import secrets
import uuid
import zipfile
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import batched
from typing import Any, BinaryIO, Final

from django.db import transaction

from callprivacy.audit import services as audit
from callprivacy.calls.enums import Direction
from callprivacy.calls.models import Recording
from callprivacy.calls.providers import TRACKERS
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.vault import selectors as vault
from callprivacy.vault.sealing import SealBrokenError
from rights.channels import package as channel
from rights.enums import EventKind, OtherParty, PackageState, ProofKind
from rights.models import Case, Download, Package, Proof, Step, Submission
from rights.selectors import described, held, letters, reach
from rights.selectors.held import Company
from rights.selectors.reach import Target
from rights.services import fetching, steps, timeline

JOB: Final = Actor.job("rights.make_packages")
KEPT_FOR: Final = timedelta(days=7)
LINK_FOR: Final = timedelta(hours=1)
TAKEN_FOR: Final = timedelta(hours=1)
"""How long a package stays after a download where the person was erased meanwhile: a connection may break."""
PROVEN_WITHIN: Final = timedelta(minutes=30)
BATCH: Final = 50
_FRESH: Final = (ProofKind.TEXT_CODE, ProofKind.CALL_CODE, ProofKind.MAIL_CODE, ProofKind.DOCUMENT)
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)

type Clock = Callable[[], datetime]


class NotReadyError(LookupError):
    """The package is not made yet, or gone."""


class NotFreshError(LookupError):
    """The proof is older than half an hour, does not hold, or is somebody else's."""


class UsedError(LookupError):
    """The link was used, has expired, or is none of ours."""


# --- Making -------------------------------------------------------------------------------------------------------


def carry_out(*, step: Step, clock: Clock) -> None:
    """Make the package of a case. Called outside any scope; a second time it is made anew in place of the first."""
    case = step.case
    other_party = OtherParty(step.wanted.get("other_party", OtherParty.WITHHOLD))
    with job_scope(agency_id=case.agency_id):
        targets, lone = reach.targets_of(case), described.lone_calls(case)
        row = _row(
            case,
            other_party,
            len({one.client.pk for one in targets} | {one.client.pk for one in lone}),
            clock(),
        )
    made = _Made(case, other_party, clock(), lambda: _stay(step, clock()))
    file_id = uuid.uuid4()
    with files.Writer(case.holder_id, file_id, at=clock()) as out:
        digest = _Digest(out)
        with zipfile.ZipFile(digest, "w", zipfile.ZIP_DEFLATED) as archive:
            # A client's case reaches one client, so there its withheld calls are of the only batch.
            of_client = list(_by_client(targets)) or ([[]] if lone else [])
            for done, batch in enumerate(batched(of_client, BATCH), 1):
                with job_scope(agency_id=case.agency_id):
                    found = held.companies(
                        [one for group in batch for one in group],
                        submission_id=case.submission_id,
                        laws=letters.laws_of(case),
                        lone=lone,
                    )
                    steps.hold(
                        step=step, at=clock(), done=min(done * BATCH, len(of_client)), total=len(of_client)
                    )
                    Package.objects.filter(pk=row.pk).update(done=min(done * BATCH, len(of_client)))
                for company in found:
                    made.add(company, archive)
            made.finish(archive, zone=(case.client or case.agency).time_zone)
    _keep(step, row, file_id=file_id, made=made, digest=digest, at=clock())


def _stay(step: Step, at: datetime) -> None:
    """Keep the step for another five minutes, while a tracker is asked."""
    with job_scope(agency_id=step.agency_id):
        Step.objects.filter(pk=step.pk).update(due_at=at + steps.LEASE)


def _by_client(targets: list[reach.Target]) -> Iterator[list[reach.Target]]:
    groups: dict[int, list[reach.Target]] = {}
    for target in targets:
        groups.setdefault(target.client.pk, []).append(target)
    yield from groups.values()


def _row(case: Case, other_party: OtherParty, total: int, at: datetime) -> Package:
    waiting = Package.objects.filter(case=case, state=PackageState.WAITING).first()
    if waiting is None:
        waiting = Package(agency_id=case.agency_id, client_id=case.client_id, case=case, created_at=at)
    waiting.other_party, waiting.total, waiting.done = other_party, total, 0
    waiting.save()
    return waiting


def _keep(
    step: Step, row: Package, *, file_id: uuid.UUID, made: "_Made", digest: "_Digest", at: datetime
) -> None:
    case = step.case
    with job_scope(agency_id=case.agency_id):
        Package.objects.filter(pk=row.pk).update(
            state=PackageState.READY,
            contents=made.contents,
            file_key=file_id,
            size=digest.size,
            digest=digest.hexdigest(),
            ready_at=at,
            expires_at=at + KEPT_FOR,
        )
        audit.record(
            "package.made",
            subject=row,
            by=JOB,
            at=at,
            case=str(case.pk),
            sha256=digest.hexdigest(),
            calls=made.counts["calls"],
            companies=len(made.companies),
        )
        steps.finish(
            step=step,
            action="case.packed",
            event=EventKind.PACKED,
            at=at,
            outcome=made.contents,
            companies=len(made.companies),
        )


class _Digest(io.RawIOBase):
    """Hands on what is written, and knows its SHA-256 and size. A zip in it is written from start to end."""

    def __init__(self, out: files.Writer) -> None:
        super().__init__()
        self._out, self._hash, self.size = out, hashlib.sha256(), 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes | bytearray | memoryview, /) -> int:  # type: ignore[override]  # narrower than Buffer
        self._hash.update(data)
        self.size += len(data)
        self._out.write(data)
        return len(data)

    def hexdigest(self) -> str:
        """Of everything so far."""
        return self._hash.hexdigest()


class _Made:
    """A package being put together."""

    def __init__(self, case: Case, other_party: OtherParty, at: datetime, stay: Callable[[], None]) -> None:
        self.case, self.other_party, self.at, self.stay = case, other_party, at, stay
        self.companies: list[dict[str, Any]] = []
        self.left_out: dict[str, int] = {}
        self.recordings = 0

    @property
    def counts(self) -> dict[str, int]:
        return {
            "companies": len(self.companies),
            "calls": sum(len(one["calls"]) for one in self.companies),
            "consents": sum(len(one["consents"]) for one in self.companies),
            "transcripts": sum(bool(call.get("words")) for one in self.companies for call in one["calls"]),
            "messages": sum(len(one["messages"]) for one in self.companies),
            "recordings": self.recordings,
        }

    @property
    def contents(self) -> dict[str, Any]:
        """As the row keeps it: counts, and what was left out and why."""
        return {**self.counts, "left_out": self._said()}

    def _said(self) -> list[str]:
        return [f"{why} ({count})" for why, count in sorted(self.left_out.items())]

    def leave_out(self, why: str, count: int = 1) -> None:
        """Something is not in it, for a reason that the person reads."""
        self.left_out[why] = self.left_out.get(why, 0) + count

    def add(self, company: Company, archive: zipfile.ZipFile) -> None:
        """One company's part, its recordings into the archive at once."""
        if company.older:
            self.leave_out(
                "Older calls: this proof shows who has the number today; a person looks at them",
                company.older,
            )
        by_id = {call["id"]: call for call in company.calls}
        left = fetching.AT_MOST
        for call_id, recording in company.recordings.items():
            name = f"recordings/{company.client.slug}/{call_id}"
            is_here = recording.file_key is not None
            read = partial(self._fetch, company.client, recording, left) if not is_here else None
            data, why = _sound(company.client, by_id[str(call_id)], recording, self.other_party, read)
            left -= not is_here
            said = by_id[str(call_id)]["recording"]
            if data is None:
                said["withheld"] = why
                self.leave_out(why)
                continue
            suffix = "wav" if data[:4] == b"RIFF" else "mp3"
            said["file"], said["what"] = f"{name}.{suffix}", "in this package"
            _put(archive, said["file"], data, stored=True)
            self.recordings += 1
        self.stay()
        self._fetch_words(company)
        self.companies.append(company.as_json())

    def _fetch(self, client: Client, recording: Recording, left: int) -> bytes:
        """:raises KeyError: the tracker does not give it out, or was asked often enough."""
        self.stay()
        data = fetching.sound_at_vendor(client=client, recording=recording, at=self.at) if left > 0 else None
        if data is None:
            raise KeyError(recording.pk)
        return data

    def _fetch_words(self, company: Company) -> None:
        """Words that are not kept here are asked for at the tracker."""
        without = {
            uuid.UUID(call["id"]): call
            for call in company.calls
            if call["recording"] is not None
            and call["transcript"] is None
            and call["recording"]["what"] != "erased"
        }
        if not without:
            return
        found = fetching.words_at_vendor(client=company.client, call_ids=list(without), at=self.at)
        for call_id, call in without.items():
            if call_id in found.words:
                call["transcript"] = {
                    "what": "fetched from the call tracker for you",
                    "numbers_taken_out": found.words[call_id].count,
                }
                call["words"] = found.words[call_id].text
            elif call_id in found.unasked:
                tracker = TRACKERS.get(found.unasked[call_id], "another call tracker")
                call["transcript"] = {"what": f"not kept here; {tracker} was not asked"}
                self.leave_out(NOT_ASKED.format(tracker=tracker))
            elif call_id in found.silent:
                call["transcript"] = {"what": "not kept here, and the call tracker has none"}
            else:
                call["transcript"] = {"what": "not kept here, and not given by the call tracker"}
                self.leave_out(NOT_GIVEN)

    def finish(self, archive: zipfile.ZipFile, *, zone: str) -> None:
        package = {
            "schema": channel.SCHEMA,
            "reference": self.case.reference,
            "made_at": self.at.isoformat(),
            "about": "It holds what is kept about the numbers that you have proven to be yours.",
            "companies": sorted(self.companies, key=lambda one: str(one["legal_name"])),
            "left_out": self._said(),
        }
        _put(archive, channel.README, channel.readme(package))
        _put(archive, channel.PAGE, channel.page(package))
        _put(archive, channel.PDF, channel.particulars_pdf(package, zone=zone), stored=True)
        _put(archive, channel.DATA, channel.data_json(package))
        _put(archive, "calls.csv", channel.table(channel.CALLS, channel.calls_of(package)))
        _put(archive, "consents.csv", channel.table(channel.CONSENTS, channel.consents_of(package)))


def _put(archive: zipfile.ZipFile, name: str, data: bytes, *, stored: bool = False) -> None:
    entry = zipfile.ZipInfo(name, date_time=_EPOCH)
    entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    entry.external_attr = 0o600 << 16
    archive.writestr(entry, data)


# --- Recordings ---------------------------------------------------------------------------------------------------

AT_TRACKER: Final = "Recordings that only the company's call tracker has, and that it did not give out"
OTHERS: Final = "Recordings in which somebody else is heard who did not agree to it being given away"
ONE_CHANNEL: Final = "Recordings that keep both voices on one track, of which only yours could be given"
NOT_ASKED: Final = (
    "What was said, as text, where only {tracker} may have it: it was not asked, so ask the company"
)
NOT_GIVEN: Final = "What was said, as text, where the company's call tracker did not answer"
DAMAGED: Final = "Recordings whose file cannot be read any more"
# On which channel of a two-sided file the person is, by tracker and direction of the call.
_SIDES: Final = {("twilio", Direction.INBOUND): 0, ("twilio", Direction.OUTBOUND): 1}


def _sound(
    client: Client,
    call: dict[str, Any],
    recording: Recording,
    other_party: OtherParty,
    fetch: Callable[[], bytes] | None,
) -> tuple[bytes | None, str]:
    """
    The recording as it may be given, or why it is not. Outside any scope.

    :param fetch: brings one that is not stored here.
    """
    side = _SIDES.get((recording.provider, Direction(call["direction"])))
    why = ""
    if other_party is OtherParty.WITHHOLD:
        why = OTHERS
    elif other_party is OtherParty.ONE_SIDE and side is None:
        why = ONE_CHANNEL
    if why:
        return None, why
    try:
        data = _read(client, recording) if fetch is None else fetch()
        return (data if other_party is OtherParty.WHOLE else channel.one_side(data, channel=side or 0)), ""
    except channel.NotTwoSidedError:
        return None, ONE_CHANNEL
    except (OSError, KeyError, SealBrokenError):
        return None, DAMAGED if fetch is None else AT_TRACKER


def _read(client: Client, recording: Recording) -> bytes:
    """:raises KeyError: its key is destroyed. :raises OSError, SealBrokenError: its file is gone or damaged."""
    key = vault.recording_keys(client.pk, [recording.pk])[recording.pk]
    if recording.file_key is None:
        raise KeyError(recording.pk)
    with files.open_recording(client.pk, recording.file_key, key) as sound:
        return sound.read()


# --- Fetching -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class Taken:
    """A package on its way to the person; read it to its end and close it."""

    file: BinaryIO
    size: int
    name: str


@transaction.atomic
def new_link(*, package: Package, proof: Proof, by: Actor, at: datetime) -> str:
    """
    Return a link's secret part, good for one download within an hour, after a fresh proof of the phone.

    An earlier link that was not used opens nothing any more.

    :raises NotReadyError: the package is not there. :raises NotFreshError: the proof is too old or another's.
    """
    found = Package.objects.select_related("case").get(pk=package.pk)
    fresh = Proof.objects.filter(
        pk=proof.pk,
        submission_id=found.case.submission_id,
        holds=True,
        kind__in=_FRESH,
        at__gt=at - PROVEN_WITHIN,
    )
    if not fresh.exists():
        raise NotFreshError("Prove the phone once more; a proof counts for half an hour.")
    token = secrets.token_urlsafe(32)
    rows = Package.objects.filter(pk=found.pk, state=PackageState.READY, expires_at__gt=at)
    if not rows.update(link_digest=_of(token), link_expires_at=at + LINK_FOR):
        raise NotReadyError("The package is not ready, or its seven days are over.")
    audit.record("package.link_made", subject=found, by=by, at=at, proof=str(proof.pk))
    return token


def _of(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


@transaction.atomic
def take(
    *, token: str, by: Actor, at: datetime, proof: Proof | None = None, of: Submission | None = None
) -> Taken:
    """
    Open the package that a link leads to, and use the link up: of two at once one gets it. Inside the holder's scope.

    :param of: the request on whose page it is taken; that of another request is none.
    :raises UsedError: the link was used, has expired, or is none.
    """
    row = Package.objects.select_related("case__submission").filter(link_digest=_of(token)).first()
    if row is None or row.file_key is None or (of is not None and row.case.submission_id != of.pk):
        raise UsedError("This link was used, or its time is over.")
    rows = Package.objects.filter(
        pk=row.pk, state=PackageState.READY, link_digest=_of(token), link_expires_at__gt=at, expires_at__gt=at
    )
    if not rows.update(link_digest=None, link_expires_at=None):
        raise UsedError("This link was used, or its time is over.")
    if row.ends_when_taken:
        Package.objects.filter(pk=row.pk, expires_at__gt=at + TAKEN_FOR).update(expires_at=at + TAKEN_FOR)
    event = timeline.add_event(
        "package.fetched",
        case=row.case,
        kind=EventKind.FETCHED,
        by=by,
        at=at,
        shown=True,
        package=str(row.pk),
    )
    Download.objects.create(
        agency_id=row.agency_id,
        client_id=row.client_id,
        package=row,
        proof=proof,
        at=at,
        event_id=event.event_id,
    )
    opened = files.open(row.holder_id, row.file_key)
    return Taken(opened, row.size, f"your-data-{row.case.reference}.zip")


def expire(*, agency_id: int, at: datetime) -> int:
    """
    Erase packages whose seven days are over: the file with its key, then the row's word of it. Enters the scope itself.

    Returns how many. One whose file was deleted and whose row was not is found again.
    """
    with job_scope(agency_id=agency_id):
        due = list(
            Package.objects.filter(agency_id=agency_id, gone_at=None, expires_at__lte=at).select_related(
                "case__submission"
            )[:200]
        )
    for row in due:
        _end(row, at)
    return len(due)


def _end(row: Package, at: datetime) -> None:
    """The file with its key, then the row's word of it. Outside any scope."""
    if row.file_key is not None:
        files.delete(row.holder_id, row.file_key)
    with job_scope(agency_id=row.agency_id):
        _gone(row, at)


def end_with(*, case: Case, targets: Collection[Target], at: datetime) -> int:
    """
    End the packages of people who are erased; returns how many. Enters the scope itself; may be repeated.

    One that was asked for before the erasure, or with it, stays until it is taken or its days are over.
    """
    with job_scope(agency_id=case.agency_id):
        rows = reach.copies_of(case, targets)
        kept = [row.pk for row in rows if reach.stays_for(row, case)]
        Package.objects.filter(pk__in=kept).update(ends_when_taken=True)
    ended = [row for row in rows if row.pk not in kept]
    for row in ended:
        _end(row, at)
    return len(ended)


def _gone(row: Package, at: datetime) -> None:
    rows = Package.objects.filter(pk=row.pk, gone_at=None)
    if rows.update(
        state=PackageState.GONE, gone_at=at, file_key=None, link_digest=None, link_expires_at=None
    ):
        timeline.add_event(
            "package.erased", case=row.case, kind=EventKind.PACKAGE_GONE, by=JOB, at=at, shown=True
        )


def read_all(taken: Taken) -> bytes:
    """The whole package; for programs and tests."""
    with closing(taken.file) as file:
        return file.read()
