"""
Erasing a person: at every client that the case reaches, all copies, in the order that makes a crash harmless.

Intent and the vendors' steps first, then keys, then the calls' names into the vault, then files and rows; each step may
be repeated, and one that was cut short is found again because its rows are still there. What a hold keeps, or a law,
stays and is said; refusals stay in force by the number's token; evidence of consent stays under a key of its own until
its own date; the record of the request stays. Everything else of the person is noise in every copy once the keys are
gone.
"""

import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db.models import Exists, F, OuterRef, Q

from callprivacy.audit import services as audit
from callprivacy.calls.enums import JobState, RecordingState, TranscriptState
from callprivacy.calls.models import Call, Caller, CallExport, CallRef, Recording, Transcript
from callprivacy.calls.services import ends, erasure, redaction, starts
from callprivacy.calls.services.erasure import Chosen, Removed, VendorCopy
from callprivacy.calls.services.redaction import TOMBSTONE_FOR
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import services as vault
from consent.enums import InvitationState
from consent.models import (
    CallBack,
    ConsentEvent,
    ConsentState,
    Invitation,
    MenuSession,
    Reply,
)
from consent.selectors import decisions
from consent.services import identity_ends
from retention.selectors import holds as hold_selectors
from retention.selectors import preview as previews
from retention.services import erasing as retention
from retention.services import holds
from rights.enums import Copies, EventKind, IdentityState, StepKind, StepState
from rights.models import Finding, Step
from rights.selectors import described, progress, reach, rests
from rights.selectors.described import Lone
from rights.selectors.reach import Target
from rights.selectors.rests import Left
from rights.services import packages, steps

JOB: Final = Actor.job("rights.erase_people")
BATCH: Final = 2_000
"""Calls that one batch takes."""
AGAIN: Final = "again"
"""Why a number stays (`Finding.kept_why`): the person has called, agreed or written again since."""
LONE: Final = "lone"
"""Why a withheld call stays as a count (`Finding.kept_why`): what is left of it says nothing of anybody."""
TRACKER: Final = "tracker"
"""Why the tracker keeps a recording (`Finding.kept_why`): the client has not instructed us to have it deleted there."""
_LATE_AT_MOST: Final = 10

type Clock = Callable[[], datetime]


@dataclass(slots=True)
class Done:
    """
    What an erasure did at one client: how many of each category left, how many stayed, and why.

    :ivar stays: by category and reason, the weightiest first. :ivar up_to: what began before it was looked at.
    :ivar asked_for: ids of the recordings whose deletion trackers are asked for.
    """

    erased: dict[Copies, int] = field(default_factory=dict)
    stays: dict[Copies, dict[str, int]] = field(default_factory=dict)
    up_to: datetime | None = None
    asked_for: set[uuid.UUID] = field(default_factory=set)

    def add(self, copies: Copies, count: int) -> None:
        """So many more of it have left."""
        self.erased[copies] = self.erased.get(copies, 0) + count

    def keep(self, copies: Copies, **by: int) -> None:
        """So many of it stay, by reason; what an earlier round found counts no more."""
        self.stays.pop(copies, None)
        if found := {why: count for why, count in by.items() if count}:
            self.stays[copies] = found

    def kept(self, copies: Copies) -> int:
        """How many of it stay."""
        return sum(self.stays.get(copies, {}).values())

    def why(self, copies: Copies) -> str:
        """The weightiest reason for which some of it stay; "" where none does."""
        return next(iter(self.stays.get(copies, {})), "")

    @property
    def waits(self) -> bool:
        """Whether what stays is to leave once nothing keeps it: a hold, or a law."""
        return self.why(Copies.IDENTITY) in rests.WAITS

    def as_json(self) -> dict[str, dict[str, Any]]:
        """By category, as a step keeps it."""
        return {
            copies.value: {
                "erased": self.erased.get(copies, 0),
                "kept": self.kept(copies),
                "why": self.why(copies),
            }
            for copies in Copies
            if copies in self.erased or copies in self.stays
        }


def carry_out(*, step: Step, clock: Clock) -> None:
    """Erase the persons that a case reaches, one client after the other. Called outside any scope."""
    case = step.case
    beyond = bool(step.wanted.get("beyond_floor"))
    with job_scope(agency_id=case.agency_id):
        targets, lone = reach.targets_of(case), described.lone_calls(case)
        if reach.is_packed_first(case, targets):
            # The copy that the person asked for, too, would be empty.
            steps.put_off(step=step, at=clock())
            return
    outcome: dict[str, Any] = {}
    left: list[Left] = []
    for number, target in enumerate(targets, 1):
        done = erase_person(target=target, by=JOB, clock=clock, beyond_floor=beyond, case_id=case.pk)
        with job_scope(agency_id=case.agency_id):
            note(case.submission_id, target, done)
            steps.hold(step=step, at=clock(), done=number, total=len(targets))
        outcome[f"{target.client.pk}/{target.caller_id}"] = done.as_json()
        if done.waits and done.up_to is not None:
            left.append(left_of(target, done.up_to, beyond_floor=beyond))
    for one in lone:
        outcome[f"{one.client.pk}/call {one.call_id}"] = erase_lone(
            lone=one, submission_id=case.submission_id, by=JOB, clock=clock
        )
    packages.end_with(case=case, targets=targets, at=clock())
    with job_scope(agency_id=case.agency_id):
        at = clock()
        is_done = steps.finish(
            step=step,
            action="case.erased",
            event=EventKind.ERASED,
            at=at,
            outcome=outcome,
            clients=len({target.client.pk for target in targets}),
            callers=len(targets),
            lone_calls=len(lone),
        )
        if is_done and left:
            rows = [one.as_json() for one in left]
            steps.plan_kept(case=case, kind=StepKind.REST, at=at, left=rows)


def left_of(target: Target, up_to: datetime, *, beyond_floor: bool) -> Left:
    """What an erasure has to leave of a caller for now, up to the instant at which it was carried out."""
    return Left(
        client_id=target.client.pk,
        caller_id=target.caller_id,
        identity_id=target.identity_id,
        up_to=up_to,
        others_until=target.others_until,
        beyond_floor=beyond_floor,
        under_europe=target.under_europe,
    )


def erase_lone(*, lone: Lone, submission_id: uuid.UUID, by: Actor, clock: Clock) -> dict[str, int]:
    """
    Erase what was said on a withheld call, here and at the tracker; that it was stays, for nothing in it says whose.

    Its references are remembered, so that nothing that comes again brings the words back. A hold puts all of it off:
    without our row nobody would know what to ask the tracker for. Called outside any scope; may be repeated.
    """
    client, at = lone.client, clock()
    with job_scope(agency_id=client.agency_id):
        holds.mark_held(client=client, at=at)
        is_held = Call.objects.for_client(client).filter(pk=lone.call_id, on_hold=True).exists()
        copies = [] if is_held else list(erasure.vendor_copies(client, [lone.call_id]))
        retention.open_errands(client, copies, by, at)
        lines = Finding.objects.filter(submission_id=submission_id, identity_id=lone.identity_id)
        there = {
            Copies.RECORDINGS.value: Recording.objects.for_client(client)
            .filter(call_id=lone.call_id)
            .count(),
            Copies.TRANSCRIPTS.value: Transcript.objects.for_client(client)
            .filter(call_id=lone.call_id)
            .count(),
        }
        references = CallRef.objects.for_client(client).filter(call_id=lone.call_id)
        digests = [bytes(digest) for digest in references.values_list("digest", flat=True)]
        began = starts.starts_of(client=client, call_ids=[lone.call_id])
    if is_held:
        redaction.entomb(client=client, digests=digests, began=began, at=at)
    else:
        redaction.begin(client=client, call_ids=[lone.call_id], at=at)
    with job_scope(agency_id=client.agency_id):
        if not is_held:
            redaction.finish(client=client, call_ids=[lone.call_id], at=at)
        lines.filter(copies=Copies.CALLS).update(kept=1, kept_by={}, kept_why="hold" if is_held else LONE)
        for row in lines.filter(copies=Copies.RECORDINGS) if decisions.deletes_at_vendor(client) else ():
            row.detail = _with_asked(row.detail, {copy.recording_id for copy in copies})
            row.save(update_fields=["detail"])
        for name, count in there.items():
            if count:
                left = (
                    {"kept": count, "kept_why": "hold"}
                    if is_held
                    else {"erased": count, "kept": 0, "kept_why": ""}
                )
                lines.filter(copies=name).update(**left)
        audit.record(
            "call.erased_for_person",
            subject=Call(pk=lone.call_id, client_id=client.pk),
            by=by,
            at=at,
            held=is_held,
            copies=len(copies),
        )
    return there


def erase_freed(*, agency_id: int, clock: Clock, limit: int = 100) -> int:
    """
    Erase what was said on withheld calls that a hold kept when it was decided, and none keeps now; returns of how many.

    A run of retention may have taken such a call as soon as nothing kept it: then that is noted. Called outside any
    scope; what is left is found again.
    """
    call = Call.objects.filter(client_id=OuterRef("client_id"), pk=OuterRef("identity__call_id"))
    erased = Step.objects.filter(
        case__submission_id=OuterRef("submission_id"), kind=StepKind.ERASE, state=StepState.DONE
    )
    with job_scope(agency_id=agency_id):
        rows = Finding.objects.filter(
            Exists(erased), agency_id=agency_id, copies=Copies.CALLS, kept_why="hold",
            identity__call_id__isnull=False, identity__state=IdentityState.PROVEN,
        ).order_by("pk")  # fmt: skip
        found = [
            (row.submission_id, Lone(row.client, row.identity.call_id, row.identity_id))
            for row in rows.filter(Exists(call.filter(on_hold=False))).select_related(
                "client__agency", "identity"
            )[:limit]
            if row.identity.call_id is not None
        ]
        for row in rows.filter(~Exists(call))[:limit]:
            mine = Finding.objects.filter(submission_id=row.submission_id, identity_id=row.identity_id)
            mine.filter(kept_why="hold").update(
                erased=F("erased") + F("kept"), kept=0, kept_by={}, kept_why=""
            )
    for submission_id, lone in found:
        erase_lone(lone=lone, submission_id=submission_id, by=JOB, clock=clock)
    return len(found)


def erase_person(
    *, target: Target, by: Actor, clock: Clock, beyond_floor: bool = False, case_id: uuid.UUID | None = None
) -> Done:
    """
    Erase one caller of one client, as far as nothing keeps it. Called outside any scope; safe to repeat.

    One that is taken up again takes what was there when it was first done, with the last of it what we alone did since,
    and leaves the number to whom has come back; it stands in the trail only where something has left.

    :param beyond_floor: what only a law wants kept leaves too; a hold keeps all the same.
    """
    client, done, late = target.client, Done(), 0
    while True:
        at = done.up_to = clock()
        with job_scope(agency_id=client.agency_id):
            holds.mark_held(client=client, at=at)
            chosen, whole, left = _choose(target, at, beyond_floor, done)
            instructed = decisions.deletes_at_vendor(client)
            if chosen.ids or left.ids:
                copies = [*chosen.copies, *left.copies]
                errands = retention.open_errands(client, copies, by, at, instructed=instructed)
                _count_copies(target, done, copies, instructed=instructed)
                audit.record(
                    "person.erasing",
                    subject=Caller(pk=target.caller_id, client_id=client.pk),
                    by=by,
                    at=at,
                    calls=len(chosen.ids),
                    words=len(left.ids),
                    errands=errands,
                    case=str(case_id) if case_id else None,
                )
            _take_words(client, left, at)
        is_last = _destroy(target, chosen, left, whole=whole, at=at)
        with job_scope(agency_id=client.agency_id):
            _remember(client, chosen, at)
            removed = erasure.remove_calls(client=client, chosen=chosen)
            _clear(client, left, done)
            if instructed:
                told = [copy.recording_id for copy in left.copies]
                erasure.note_vendor_told(client=client, recording_ids=told, at=at)
            _count(done, removed)
            more = len(chosen.ids) == BATCH or not removed.is_whole
            gone = is_last and not more and _forget(target, at, done)
            if whole and not more and not gone and late < _LATE_AT_MOST:
                # The person called in this moment: that call is erased in the next round.
                more, late = True, late + 1
            if not more and not whole and (target.others_until or done.why(Copies.IDENTITY) == AGAIN):
                done.add(Copies.MESSAGES, _own_messages(target))
            if not more and (target.up_to is None or any(done.erased.values())):
                audit.record(
                    "person.erased",
                    subject=Caller(pk=target.caller_id, client_id=client.pk),
                    by=by,
                    at=at,
                    calls=done.erased.get(Copies.CALLS, 0),
                    kept=done.kept(Copies.CALLS),
                    number=gone,
                    case=str(case_id) if case_id else None,
                )
        if not more:
            _exports(client, done, clock())
            return done


# --- Choosing -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Left:
    """
    Calls whose record a law keeps: what was said on them leaves all the same.

    :ivar copies: what trackers hold of these recordings.
    """

    recordings: tuple[uuid.UUID, ...] = ()
    transcripts: tuple[uuid.UUID, ...] = ()
    copies: tuple[VendorCopy, ...] = ()

    @property
    def ids(self) -> tuple[uuid.UUID, ...]:
        """Both; each is the id of its key in the vault."""
        return (*self.recordings, *self.transcripts)


def _choose(target: Target, at: datetime, beyond_floor: bool, done: Done) -> tuple[Chosen, bool, _Left]:
    """The next calls that leave, whether the number leaves with them, and what leaves of calls that stay."""
    client = target.client
    calls = reach.calls_of(target)
    others = calls.filter(reach.of_others(target))
    calls = calls.exclude(pk__in=others.values("pk")) if target.others_until else calls
    named = target.caller_id in hold_selectors.named_caller_ids(client)
    again = reach.is_back(target)
    floor, since = reach.kept_by_floor(target, at), reach.calls_since(target)
    by_floor = Q(pk__in=[]) if beyond_floor else floor
    if not (named or again or others.exists() or calls.filter(by_floor | Q(on_hold=True)).exists()):
        # With the number leaves what we alone did since; what was decided about a law was not about that.
        calls |= since
        by_floor |= Q(floor, pk__in=since.values("pk"))
    held, by_law = calls.filter(on_hold=True), calls.filter(by_floor, on_hold=False)
    leaving = calls.filter(on_hold=False).exclude(pk__in=by_law.values("pk")).order_by("pk")
    n_held, n_by_law, n_others = held.count(), by_law.count(), others.count()
    done.keep(Copies.CALLS, hold=n_held, law=n_by_law, others=n_others)
    whole = not (n_held or n_by_law or n_others or named or again)
    why = "hold" if n_held or named else "law" if n_by_law else "others" if n_others else AGAIN
    done.keep(Copies.IDENTITY, **{} if whole else {why: 1})
    for copies, rows in ((Copies.RECORDINGS, Recording), (Copies.TRANSCRIPTS, Transcript)):
        there = rows.objects.for_client(client).filter(call_id__in=held.values("pk"))
        done.keep(copies, hold=there.exclude(gone_at__isnull=False).count())
    ids = list(leaving.values_list("pk", flat=True)[:BATCH])
    left = _Left()
    if n_by_law:
        recordings = Recording.objects.for_client(client).filter(call_id__in=by_law.values("pk"))
        transcripts = Transcript.objects.for_client(client).filter(call_id__in=by_law.values("pk"))
        sound = dict(recordings.filter(reference__isnull=False).values_list("pk", "call_id"))
        left = _Left(
            tuple(sound),
            tuple(transcripts.filter(text__isnull=False).values_list("pk", flat=True)),
            tuple(erasure.vendor_copies(client, sound.values())),
        )
    return erasure.choose_these(client, ids), whole, left


def _take_words(client: Client, left: _Left, at: datetime) -> None:
    """Out of use at once: recordings and transcripts of calls whose record stays."""
    for rows, ids in ((Recording, left.recordings), (Transcript, left.transcripts)):
        state = RecordingState.GONE if rows is Recording else TranscriptState.GONE
        found = rows.objects.for_client(client).filter(pk__in=ids).exclude(state=state)
        found.update(state=state, gone_at=at, due_at=None)


# --- Destroying ---------------------------------------------------------------------------------------------------


def _destroy(target: Target, chosen: Chosen, left: _Left, *, whole: bool, at: datetime) -> bool:
    """
    The keys, outside any scope, while the caller's row in the vault is held so that no call can arrive for it; then
    what was said on calls that stay, with its files. Returns whether the number's key is gone.

    Where somebody has called meanwhile the number stays for the next round, and so does the key of it.
    """
    client = target.client
    with vault.erasing_callers(client_id=client.pk, caller_ids=[target.caller_id]):
        with job_scope(agency_id=client.agency_id):
            others = Call.objects.for_client(client).filter(caller_id=target.caller_id)
            last = whole and not others.exclude(pk__in=chosen.ids).exists() and not reach.is_back(target)
            known = ConsentEvent.objects.for_client(client).filter(caller_id=target.caller_id).exists()
            known = known or Reply.objects.for_client(client).filter(caller_id=target.caller_id).exists()
            until = previews.lines([client], at)[client.pk].evidence_until(at)
        vault.destroy_recording_keys(
            client_id=client.pk,
            recording_ids=[*chosen.recordings, *chosen.transcripts],
        )
        if last:
            vault.erase_callers(
                client_id=client.pk,
                erasures=[
                    vault.Erasure(
                        target.caller_id,
                        # A call that came since, and of which nobody has told us yet, is a new caller's.
                        up_to=target.up_to or at,
                        tombstone_ends_on=max(until, (at + TOMBSTONE_FOR).date()),
                        keep_evidence=known,
                    )
                ],
                at=at,
            )
    if left.ids:
        ends.destroy_said(client=client, chosen=Chosen(ids=left.ids))
    return last


def _remember(client: Client, chosen: Chosen, at: datetime) -> None:
    """
    What the calls are called elsewhere goes to the vault, whether the number leaves with them or not: what is said of
    them later may name nobody, and a person of whom something stays has no tombstone. So do, where the number stays,
    their starts: what comes again may have a name that we never had. In the scope that removes them.
    """
    names = erasure.names_of(client=client, chosen=chosen)
    began = starts.starts_of(client=client, call_ids=chosen.ids)
    redaction.entomb(client=client, digests=names, began=began, at=at)


def _clear(client: Client, left: _Left, done: Done) -> None:
    for copies, category, ids in (
        (Copies.RECORDINGS, erasure.RECORDING, left.recordings),
        (Copies.TRANSCRIPTS, erasure.TRANSCRIPT, left.transcripts),
    ):
        if ids:
            removed = ends.clear_said(client=client, chosen=Chosen(ids=ids), category=category)
            done.add(copies, len(removed.ids))


def _count_copies(target: Target, done: Done, copies: Sequence[VendorCopy], *, instructed: bool) -> None:
    """
    What trackers hold of what leaves: asked for, or still there.

    What an erasure of before has left there and counted is known by our own having no address of it any more.
    """
    if instructed:
        done.add(Copies.VENDOR, len(copies))
        done.asked_for |= {copy.recording_id for copy in copies}
        return
    there = [copy for copy in copies if target.up_to is None or copy.reference is not None]
    done.keep(Copies.VENDOR, **{TRACKER: done.kept(Copies.VENDOR) + len(there)})


def _count(done: Done, removed: Removed) -> None:
    done.add(Copies.CALLS, len(removed.ids))
    done.add(Copies.RECORDINGS, removed.recordings)
    done.add(Copies.TRANSCRIPTS, removed.transcripts)


def _forget(target: Target, at: datetime, done: Done) -> bool:
    """The row that holds the number, once its key is gone, and what was written about the person and to them."""
    client, caller_id = target.client, target.caller_id
    if Call.objects.for_client(client).filter(caller_id=caller_id).exists():
        return False
    sent = Invitation.objects.for_client(client).filter(caller_id=caller_id)
    messages = sent.exclude(state=InvitationState.PURGED).update(
        state=InvitationState.PURGED, address=None, address_digest=None, link_digest=None, due_at=None
    )
    messages += Reply.objects.for_client(client).filter(caller_id=caller_id).remove()
    messages += CallBack.objects.for_client(client).filter(caller_id=caller_id).remove()
    MenuSession.objects.for_client(client).filter(caller_id=caller_id).remove()
    removed = identity_ends.remove(client=client, chosen=Chosen(ids=(caller_id,)))
    done.add(Copies.MESSAGES, messages)
    done.add(Copies.IDENTITY, removed.callers)
    events = ConsentEvent.objects.for_client(client).filter(caller_id=caller_id).count()
    done.keep(Copies.CONSENT, evidence=events)
    if not events:
        ConsentState.objects.for_client(client).filter(caller_id=caller_id).remove()
    return True


def _own_messages(target: Target) -> int:
    """
    What was written by the person, and to the person, since the number is theirs, and before they came back: the rest
    is another holder's, or new.
    """
    client, caller_id = target.client, target.caller_id
    count = Reply.objects.for_client(client).filter(_own("received_at", target), caller_id=caller_id).remove()
    calls = CallBack.objects.for_client(client).filter(_own("created_at", target), caller_id=caller_id)
    count += calls.remove()
    sent = Invitation.objects.for_client(client).filter(_own("created_at", target), caller_id=caller_id)
    return count + sent.exclude(state=InvitationState.PURGED).update(
        state=InvitationState.PURGED, address=None, address_digest=None, link_digest=None, due_at=None
    )


def _own(name: str, target: Target) -> Q:
    found = Q()
    if target.others_until is not None:
        found &= Q(**{f"{name}__gte": target.others_until})
    if target.up_to is not None:
        found &= Q(**{f"{name}__lt": target.up_to})
    return found


def _exports(client: Client, done: Done, at: datetime) -> None:
    """
    Files of masked calls that people made to download: any of them may hold a line of this person's. One that is being
    written is begun anew.
    """
    if not done.erased.get(Copies.CALLS):
        return
    with job_scope(agency_id=client.agency_id):
        running = CallExport.objects.for_client(client).filter(state=JobState.RUNNING)
        running.update(state=JobState.QUEUED, due_at=at)
        rows = CallExport.objects.for_client(client).exclude(state__in=[JobState.QUEUED, JobState.RUNNING])
        chosen = Chosen(ids=tuple(rows.values_list("pk", flat=True)))
    if not chosen.ids:
        return
    ends.delete_export_files(client=client, chosen=chosen)
    with job_scope(agency_id=client.agency_id):
        done.add(Copies.EXPORTS, len(ends.remove_exports(client=client, chosen=chosen).ids))


def note(submission_id: uuid.UUID, target: Target, done: Done) -> None:
    """
    What left and what stayed, on the lines of what was found.

    Of an erasure that is taken up again, what had stayed and does not any more has left, whoever took it: a kill may
    have come between the deed and this.
    """
    rows = Finding.objects.filter(
        submission_id=submission_id, client_id=target.client.pk, caller_id=target.caller_id
    )
    for row in rows.select_for_update().order_by("pk"):
        copies, erased = Copies(row.copies), done.erased.get(Copies(row.copies), 0)
        waited = target.up_to is not None and row.kept_why in rests.WAITS
        if copies in done.erased or copies in done.stays or waited:
            kept, why, by = done.kept(copies), done.why(copies), done.stays.get(copies, {})
            if copies == Copies.VENDOR and target.up_to is not None and (kept := kept + row.kept):
                # What is at the tracker still is beside what an erasure of before has left there.
                why, by = TRACKER, {TRACKER: kept}
            row.erased += max(erased, row.kept - kept) if waited else erased
            row.kept, row.kept_why, row.kept_by = kept, why, by
            if copies == Copies.VENDOR:
                row.detail = _with_asked(row.detail, done.asked_for)
            row.save(update_fields=["erased", "kept", "kept_why", "kept_by", "detail"])


def _with_asked(detail: dict[str, Any], ids: Collection[uuid.UUID]) -> dict[str, Any]:
    """The detail of a line with the recordings whose deletion trackers are asked for, those of before among them."""
    asked = sorted({*detail.get(progress.ASKED_FOR, ()), *map(str, ids)})
    return {**detail, progress.ASKED_FOR: asked} if asked else detail
