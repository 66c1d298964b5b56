"""What a request needs, what was proven of it, and what follows for each identity."""

import uuid
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final

from callprivacy.audit import services as audit
from callprivacy.lib import phone
from callprivacy.lib.scope import Actor, Scope
from callprivacy.tenancy.scope import client_scope
from callprivacy.vault import selectors as vault
from consent.enums import CodeWay, EventKind, ListKind
from consent.models import ConsentEvent, NumberList
from consent.selectors.ages import months_after
from rights.channels.links import Named, UnknownLinkError
from rights.enums import Ask, IdentityKind, IdentityState, ProofKind
from rights.models import Case, Identity, Proof, Submission
from rights.selectors import guardians, words
from rights.selectors.casebook import mask_mail
from rights.services import cases, sealing

BY: Final = Actor.client("rights.portal")
SHOWN_FOR_MONTHS: Final = 12
CODES: Final = {CodeWay.TEXT: ProofKind.TEXT_CODE, CodeWay.CALL: ProofKind.CALL_CODE}
CODED: Final = (*CODES.values(), ProofKind.MAIL_CODE)


@dataclass(frozen=True, slots=True)
class Steps:
    """
    What a request needs of the person; None where it does not need it, else whether it is done.

    :ivar phones: (identity id, done) for each number and each mail address. :ivar facts: for all numbers together.
    """

    phones: tuple[tuple[uuid.UUID, bool], ...]
    facts: bool | None
    declaration: bool | None
    evidence: bool | None

    @property
    def is_done(self) -> bool:
        rest = (self.facts, self.declaration, self.evidence)
        return all(done for _, done in self.phones) and False not in rest


def scope_of(named: Named) -> AbstractContextManager[Scope]:
    """The scope that a personal page works in: the client's, or that of client 0 for the agency's own."""
    return client_scope(agency_id=named.agency_id, client_id=named.client_id)


def submission_of(named: Named) -> Submission:
    """
    The request that a link names, inside its scope.

    :raises UnknownLinkError: it is gone.
    """
    rows = Submission.objects.select_related("agency", "client__agency").filter(pk=named.submission_id)
    rows = rows.filter(client_id=named.client_id) if named.client_id else rows.filter(client__isnull=True)
    found = rows.first()
    if found is None:
        raise UnknownLinkError
    return found


def needs(submission: Submission, asked: Sequence[Case], identities: Sequence[Identity]) -> Steps:
    """What a request needs of the person; one query."""
    proofs = list(Proof.objects.filter(submission=submission))
    proven = {row.identity_id for row in proofs if row.kind in CODED and row.holds}
    proven |= {row.pk for row in identities if row.state == IdentityState.PROVEN}
    kinds = {row.kind for row in proofs}
    coded = [row for row in identities if row.kind in {IdentityKind.PHONE, IdentityKind.EMAIL}]
    phones = [row for row in coded if row.kind == IdentityKind.PHONE]
    wants = any(Ask(case.asks).needs_proof for case in _open(asked))
    more = any(Ask(case.asks).needs_more for case in _open(asked))
    evidence = guardians.evidence_of(submission)
    return Steps(
        phones=tuple((row.pk, row.pk in proven) for row in coded) if wants else (),
        facts=(ProofKind.FACTS in kinds) if more and phones else None,
        declaration=(ProofKind.DECLARATION in kinds) if more else None,
        evidence=(evidence in kinds) if evidence is not None and wants else None,
    )


def _open(asked: Sequence[Case]) -> list[Case]:
    return [case for case in asked if case.decided_at is None and case.closed_at is None]


def add(
    submission: Submission,
    kind: ProofKind,
    *,
    holds: bool,
    at: datetime,
    identity: Identity | None = None,
    said: dict[str, object] | None = None,
    file_key: uuid.UUID | None = None,
    file_type: str = "",
    by: Actor = BY,
) -> Proof:
    """Write a proof down, with what was said sealed. In a scope that may."""
    row = Proof(
        agency_id=submission.agency_id,
        client_id=submission.client_id,
        submission=submission,
        identity=identity,
        kind=kind,
        holds=holds,
        file_key=file_key,
        file_type=file_type,
        at=at,
        user_id=by.user_id,
        by=by.name,
    )
    if said is not None:
        row.evidence = sealing.seal(row, "evidence", said, sealing.key_of(submission=submission, at=at))
    row.save(force_insert=True)
    audit.record("proof.added", subject=row, by=by, at=at, kind=kind.value, holds=holds)
    return row


def unchecked_facts(submission: Submission) -> tuple[date, str] | None:
    """The day and the business that were said to the agency and that nobody has held against calls; None: none are."""
    if submission.client_id is not None or not coded_ids(submission):
        return None
    rows = Proof.objects.filter(submission=submission, kind=ProofKind.FACTS).order_by("-at", "-pk")
    key = words.key_of(submission)
    told = [words.record(row.evidence, key) for row in rows]
    if not told or "day" not in told[0] or any(one.get("fits") is not None for one in told):
        return None
    return date.fromisoformat(str(told[0]["day"])), str(told[0]["business"])


def coded_ids(submission: Submission) -> list[uuid.UUID]:
    """The identities of a request that a code has proven."""
    rows = Proof.objects.filter(submission=submission, kind__in=list(CODED), holds=True)
    return [row.identity_id for row in rows if row.identity_id is not None]


def settle(submission: Submission, *, at: datetime) -> None:
    """
    Say of each identity what its proofs say; once the person has done everything.

    What a machine cannot judge, a permission, a guardian's paper, facts that do not fit, a withheld call, is doubtful:
    a person looks at it.
    """
    # Two proofs at the same moment take turns, so that the second sees the first; and so does who judges, who takes the
    # cases first as well.
    rows = Case.objects.select_for_update(of=("self",)).filter(submission=submission)
    asked = list(rows.order_by("pk"))
    identities = list(Identity.objects.filter(submission=submission))
    steps = needs(submission, asked, identities)
    if False in (steps.facts, steps.declaration, steps.evidence):
        return
    if steps.facts is not None and unchecked_facts(submission) is not None:
        # The job that checks them says what follows; until then nobody has to look.
        Submission.objects.filter(pk=submission.pk).update(search_due_at=at, searched_at=None)
        return
    facts = Proof.objects.filter(submission=submission, kind=ProofKind.FACTS)
    is_sure = steps.evidence is None and (steps.facts is None or facts.filter(holds=True).exists())
    coded = [pk for pk, is_done in steps.phones if is_done]
    ready = [row for row in identities if row.pk in coded and row.state == IdentityState.CLAIMED]
    for row in ready:
        if is_sure:
            prove(submission, row, by=BY, at=at)
        else:
            Identity.objects.filter(pk=row.pk).update(state=IdentityState.DOUBTFUL)
    if ready and is_sure:
        go_on(submission, by=BY, at=at)


def handed_in_at(submission: Submission) -> datetime | None:
    """When the last of what the person said or handed in was there, of each kind what held; None where nothing was."""
    first: dict[str, Proof] = {}
    for row in Proof.objects.filter(submission=submission, by=BY.name).order_by("at", "pk"):
        name = "code" if row.kind in CODED else row.kind
        kept = first.get(name)
        if kept is None or (row.holds and not kept.holds):
            first[name] = row
    return max((row.at for row in first.values()), default=None)


def go_on(submission: Submission, *, by: Actor, at: datetime, arrived_at: datetime | None = None) -> None:
    """
    Let cases go on, and have what there is of a number looked for that was proven just now.

    :param arrived_at: when what proves it came in elsewhere; None: as what was handed in here says.
    """
    proven_at = arrived_at or handed_in_at(submission)
    cases.note_proven(submission=submission, by=by, at=at, proven_at=proven_at)
    Submission.objects.filter(pk=submission.pk).update(search_due_at=at, searched_at=None)


def prove(submission: Submission, row: Identity, *, by: Actor, at: datetime) -> None:
    """Say of an identity that it is proven, and since when calls are its own."""
    number = words.text(row.value, words.key_of(submission))
    row.state, row.proven_at = IdentityState.PROVEN, at
    is_number = row.kind == IdentityKind.PHONE
    row.from_at = months_after(at, -SHOWN_FOR_MONTHS)
    row.others_until = changed_hands(submission, number) if is_number else None
    if row.others_until is not None:
        row.from_at = max(row.from_at, row.others_until)
    if submission.client_id is not None and row.kind == IdentityKind.PHONE:
        row.caller_id = vault.find_callers([submission.client_id], number).get(submission.client_id)
    row.save(update_fields=["state", "proven_at", "from_at", "others_until", "caller_id"])
    audit.record("identity.proven", subject=row, by=by, at=at, kind=row.kind)


def changed_hands(submission: Submission, number: str) -> datetime | None:
    """When a number was last, as far as anybody knows, disconnected and given to somebody else; None where never."""
    found: list[datetime] = []
    agency_id = submission.agency_id
    lists = NumberList.objects.filter(agency_id=agency_id, kind=ListKind.REASSIGNED, is_active=True)
    ids = list(lists.values_list("pk", flat=True))
    if ids:
        on = vault.listed_numbers(vault.client_keys(-agency_id), ids, [number]).get(number, [])
        found += [datetime.combine(day, time.min, tzinfo=UTC) for _, day in on if day is not None]
    if submission.client_id is not None:
        caller_id = vault.find_callers([submission.client_id], number).get(submission.client_id)
        ended = ConsentEvent.objects.filter(
            client_id=submission.client_id, caller_id=caller_id, kind=EventKind.INVALIDATED
        )
        newest = ended.order_by("-happened_at").values_list("happened_at", flat=True).first()
        found += [newest] if caller_id is not None and newest is not None else []
    return max(found, default=None)


def mask_of(row: Identity, submission: Submission) -> str:
    """A number or a mail address as the personal page shows it; "" where it is none. Inside the scope."""
    if row.kind == IdentityKind.EMAIL:
        return mask_mail(words.text(row.value, words.key_of(submission)))
    if row.kind != IdentityKind.PHONE:
        return ""
    return phone.mask(words.text(row.value, words.key_of(submission)))
