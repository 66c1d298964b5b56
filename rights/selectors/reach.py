"""
Whom a case reaches: the callers of which clients, and what of them an erasure would take and what would stay.

A client's case reaches that client. The agency's own reaches those clients at which the agency itself is answerable,
or is instructed to answer, once it is proven who asks; the others get a case of their own, which their client answers.
"""

import hashlib
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from django.db import connection
from django.db.models import Count, Exists, OuterRef, Q

from callprivacy.accounts import access
from callprivacy.audit.leaves import canonical_document
from callprivacy.calls.enums import ConfidentialCause, Direction, RecordingState
from callprivacy.calls.models import Call, CallQuerySet, Recording, Transcript, first_id_at
from callprivacy.calls.services.exports import MINOR
from callprivacy.lib import scope as lib_scope
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.enums import Answerer, PartyRole, Permission
from callprivacy.tenancy.models import Client, Engagement
from callprivacy.vault import selectors as vault
from consent.enums import NO_KINDS, NOT_ASKED, RESTRICTED, YES_KINDS, EventKind, ReplyState
from consent.law import places
from consent.models import ConsentEvent, Reply
from retention.enums import Category
from retention.law import rules
from retention.law.rules import Rule, Side
from retention.models import Hold
from retention.selectors import changes, holds, policies
from rights.enums import Ask, Copies, IdentityState, PackageState, StepKind, StepState
from rights.models import Case, Finding, Identity, Package, Step, Submission


@dataclass(frozen=True, slots=True)
class Target:
    """
    One caller at one client.

    :ivar from_at: calls before it are not shown on this proof; None, all are.
    :ivar others_until: calls before it are of whoever had the number before; None, as far as is known none are.
    :ivar under_europe: only the GDPR or the UK GDPR applies: what another country's law wants kept is no reason there
        (article 17(3)(b)).
    :ivar up_to: an erasure of before is taken up again: what began from then on is none of it; None, it takes all.
    """

    client: Client
    caller_id: uuid.UUID
    identity_id: uuid.UUID
    from_at: datetime | None = None
    others_until: datetime | None = None
    under_europe: bool = False
    up_to: datetime | None = None


_SEEN_WITH: Final = (Permission.HANDLE_REQUESTS, Permission.VIEW_CALLS)
EUROPEAN_LAWS: Final = frozenset({"gdpr", "uk_gdpr"})
_EUROPE: Final = places.MEMBERS | {places.EUROPEAN_UNION, "GB", "IS", "LI", "NO"}


def targets_of(case: Case) -> list[Target]:
    """
    The callers that a case reaches, by client; of proven identities alone. Five queries at most.

    What the search found counts, so it has to have ended.
    """
    proven = {
        row.pk: row
        for row in Identity.objects.filter(submission_id=case.submission_id, state=IdentityState.PROVEN)
    }
    rows = Finding.objects.filter(
        submission_id=case.submission_id, copies=Copies.IDENTITY, identity_id__in=list(proven)
    )
    found = {
        (client_id, caller_id): identity_id
        for client_id, caller_id, identity_id in rows.values_list("client_id", "caller_id", "identity_id")
    }
    ids = {client_id for client_id, _ in found}
    if case.client_id is None:
        ids &= answered_by_agency(ids)
    clients = Client.objects.select_related("agency").in_bulk(ids)
    handed = _changed_hands(found) if case.client_id is None else {}
    laws = {str(one["law"]) for one in case.laws}
    under_europe = bool(laws) and laws <= EUROPEAN_LAWS
    return [
        replace(
            _target(clients[client_id], caller_id, proven[identity_id], handed.get((client_id, caller_id))),
            under_europe=under_europe,
        )
        for (client_id, caller_id), identity_id in sorted(found.items(), key=lambda one: str(one[0]))
        if client_id in clients and caller_id is not None
    ]


def _target(client: Client, caller_id: uuid.UUID, identity: Identity, handed: datetime | None) -> Target:
    from_at, until = identity.from_at, identity.others_until
    # Who looked whose the older calls are has said it of every client.
    if handed is not None and identity.looked_at is None:
        from_at = handed if from_at is None else max(from_at, handed)
        until = handed if until is None else max(until, handed)
    return Target(client, caller_id, identity.pk, from_at, until)


def _changed_hands(
    found: Collection[tuple[int, uuid.UUID | None]],
) -> dict[tuple[int, uuid.UUID | None], datetime]:
    """When a client has learnt that a caller's number belongs to somebody else now, the newest of each."""
    rows = ConsentEvent.objects.filter(
        client_id__in={client_id for client_id, _ in found},
        caller_id__in={caller_id for _, caller_id in found},
        kind=EventKind.INVALIDATED,
    )
    return {
        (client_id, caller_id): at
        for client_id, caller_id, at in rows.order_by("happened_at").values_list(
            "client_id", "caller_id", "happened_at"
        )
    }


def answered_by_agency(client_ids: Collection[int]) -> set[int]:
    """Those of these clients for which the agency answers by itself: as instructed, or because it is answerable."""
    rows = Engagement.objects.filter(client_id__in=list(client_ids))
    controller = Q()
    for name in ("measure_as", "record_as", "contact_as"):
        controller |= Q(**{name: PartyRole.CONTROLLER})
    rows = rows.filter(Q(answered_by=Answerer.AGENCY) | (controller & ~Q(answered_by=Answerer.CLIENT)))
    return set(rows.values_list("client_id", flat=True))


def unseen(submission: Submission, *, user_id: int, at: datetime) -> list[Client]:
    """
    The clients that a request of the agency's own reaches and whose requests or calls are not granted to a person, by
    name; four queries at most. What was found there is in nothing else that this person is shown of the request.

    Nobody is granted a client that has left, and no more is kept there.
    """
    if submission.client_id is not None:
        return []
    lib_scope.require()
    with connection.cursor() as cursor:
        cursor.execute("SELECT rights_clients_found(%s)", [submission.pk])
        reached = answered_by_agency([row[0] for row in cursor.fetchall()])
    if not reached:
        return []
    seen = access.clients_with_all(_SEEN_WITH, reached, agency_id=submission.agency_id, at=at).get(
        user_id, set()
    )
    hidden = Client.objects.filter(pk__in=reached - seen, archived_at=None)
    return list(hidden.order_by("name"))


def others_of(case: Case) -> list[Client]:
    """The clients that a search of the agency found and for which it does not answer by itself."""
    found = set(
        Finding.objects.filter(submission_id=case.submission_id)
        .values_list("client_id", flat=True)
        .distinct()
    )
    left = found - answered_by_agency(found)
    return list(Client.objects.filter(pk__in=left).select_related("agency").order_by("name"))


def copies_of(case: Case, targets: Collection[Target]) -> list[Package]:
    """
    Packages that are ready to be fetched and hold data of these people; two queries. Of an erasure at one client the
    agency's own packages are none, for they hold other clients' data, too.
    """
    people = [target.caller_id for target in targets]
    found = Finding.objects.filter(copies=Copies.IDENTITY, caller_id__in=people)
    rows = Package.objects.filter(
        case__submission_id__in=found.values("submission_id"), state=PackageState.READY
    ).select_related("case__submission")
    if case.client_id is not None:
        rows = rows.filter(client_id=case.client_id)
    return list(rows.order_by("expires_at", "pk"))


def unanswered_copies_of(case: Case, targets: Collection[Target]) -> list[Case]:
    """Requests of these people to see or to have a copy that are undecided, sent in before the erasure or with it."""
    people = [target.caller_id for target in targets]
    found = Finding.objects.filter(copies=Copies.IDENTITY, caller_id__in=people)
    rows = Case.objects.filter(
        submission_id__in=found.values("submission_id"),
        asks__in=[Ask.SEE, Ask.COPY],
        closed_at=None,
        decided_at=None,
        received_at__lte=case.received_at,
    )
    return list(rows.order_by("received_at", "pk"))


def is_packed_first(case: Case, targets: Collection[Target], *, asked_by: datetime | None = None) -> bool:
    """
    Whether a package of these people is still to be made that was asked for before the erasure, or with it.

    :param asked_by: else, before this instant.
    """
    people = [target.caller_id for target in targets]
    found = Finding.objects.filter(copies=Copies.IDENTITY, caller_id__in=people)
    rows = Step.objects.filter(
        kind=StepKind.PACK,
        state__in=[StepState.WAITING, StepState.RUNNING],
        case__submission_id__in=found.values("submission_id"),
        case__received_at__lte=asked_by or case.received_at,
    )
    return rows.exists()


def stays_for(package: Package, case: Case) -> bool:
    """Whether a package outlives an erasure: its copy was asked for before the erasure was, or with it."""
    return package.case.received_at <= case.received_at


# --- What an erasure takes, and what stays ------------------------------------------------------------------------


def calls_of(target: Target) -> CallQuerySet:
    """A person's calls at one client; of an erasure that is taken up again, those that it was about."""
    calls = Call.objects.for_client(target.client).filter(caller_id=target.caller_id)
    return calls if target.up_to is None else calls.started_before(target.up_to)


def calls_since(target: Target) -> CallQuerySet:
    """Calls of an erased person since the erasure that is taken up again; where nobody is back, we made all of them."""
    calls = Call.objects.for_client(target.client).filter(caller_id=target.caller_id)
    return calls.none() if target.up_to is None else calls.started_from(target.up_to)


def is_back(target: Target) -> bool:
    """
    Whether the person has called, agreed or written again since the erasure that is taken up again.

    Whom we alone have rung or written to since has not come back, nor has who has only said no.
    """
    if target.up_to is None:
        return False
    client, caller_id, since = target.client, target.caller_id, target.up_to
    noes = ConsentEvent.objects.for_client(client).filter(
        caller_id=caller_id, kind__in=NO_KINDS, happened_at=OuterRef("received_at")
    )
    replies = Reply.objects.for_client(client).filter(caller_id=caller_id, received_at__gte=since)
    return (
        calls_since(target).filter(direction=Direction.INBOUND).exists()
        or ConsentEvent.objects.for_client(client)
        .filter(caller_id=caller_id, kind__in=YES_KINDS, happened_at__gte=since)
        .exists()
        or replies.filter(Q(state=ReplyState.WAITING) | (~Q(label="withdraw") & ~Exists(noes))).exists()
    )


def of_others(target: Target) -> Q:
    """A condition on calls: they are of whoever had the number before, as far as is known."""
    return Q(pk__in=[]) if target.others_until is None else Q(pk__lt=first_id_at(target.others_until))


def older_of(targets: Collection[Target]) -> int:
    """How many calls of these people are not shown on their proof, because they are older than it reaches."""
    return sum(
        calls_of(target).started_before(target.from_at).count()
        for target in targets
        if target.from_at is not None
    )


def others_stay(targets: Collection[Target]) -> int:
    """How many calls a restriction or an objection leaves as they are: they are of whoever had the numbers before."""
    return sum(
        calls_of(target).filter(of_others(target)).count()
        for target in targets
        if target.others_until is not None
    )


def floor_of(target: Target, at: datetime) -> tuple[Rule, datetime] | None:
    """
    The law that makes a client keep records of calls that went out, and from which instant on, the start of a day of
    the client's; the longest there is.

    Only one that the client's own policy keeps to: what leaves by that anyway is kept from nobody who asks. Whoever
    decides may go beyond it, for a rule that only wants a reason.
    """
    client = target.client
    ground = changes.grounds_of([client])[client.pk]
    kept = policies.effective(client, Category.CALL_OUT).days
    floors = [
        rule
        for rule in rules.rules_for(ground, Category.CALL_OUT)
        if rule.side is Side.FLOOR
        and rule.days <= kept
        and (rule.country in _EUROPE or not target.under_europe)
    ]
    if not floors:
        return None
    longest = max(floors, key=lambda rule: rule.days)
    return longest, tenancy.cutoff_for_days(client, longest.days, at)


def kept_by_floor(target: Target, at: datetime) -> Q:
    """A condition on calls: the law makes the client keep the record."""
    found = floor_of(target, at)
    if found is None:
        return Q(pk__in=[])
    return Q(direction=Direction.OUTBOUND, pk__gte=first_id_at(found[1]))


@dataclass(frozen=True, slots=True)
class Preview:
    """
    What erasing one person at one client would take, and what would stay, with the reason.

    :ivar calls: that leave with everything that hangs on them. :ivar recordings: and :ivar transcripts: that leave, of
    calls that a law keeps as well. :ivar at_vendor: recordings among them that the tracker still has.
    :ivar held: calls that holds keep, and :ivar holds: which ones. :ivar by_law: calls out whose record the law makes
    the client keep, and :ivar law: which law. :ivar refusals: purposes that stay refused: it outlives the erasure.
    :ivar of_others: calls from before the number was this person's, which nobody has looked at.
    :ivar is_whole: the number itself leaves.
    """

    client: Client
    caller_id: uuid.UUID
    calls: int
    recordings: int
    transcripts: int
    at_vendor: int
    held: int
    holds: tuple[Hold, ...]
    by_law: int
    law: Rule | None
    of_others: int
    evidence: int
    refusals: tuple[str, ...]
    deletes_at_vendor: bool

    @property
    def is_whole(self) -> bool:
        """Whether nothing keeps the number here."""
        return not (self.holds or self.held or self.by_law or self.of_others)


def preview(targets: Sequence[Target], *, at: datetime, beyond_floor: bool = False) -> list[Preview]:
    """
    What an erasure would do now; about ten queries a client.

    :param beyond_floor: records that a law wants kept leave all the same.
    """
    return [_preview(target, at, beyond_floor) for target in targets]


def digest_of(previews: Sequence[Preview]) -> str:
    """A digest of what was shown of an erasure: other once a count, a hold or what stays refused is another."""
    shown = sorted(
        [
            str(one.client.pk), str(one.caller_id), one.calls, one.recordings, one.transcripts, one.at_vendor, one.held,
            sorted(str(hold.pk) for hold in one.holds), one.by_law, one.of_others, one.evidence, list(one.refusals),
            one.deletes_at_vendor,
        ]
        for one in previews
    )  # fmt: skip
    return hashlib.sha256(canonical_document({"previews": shown})).hexdigest()


def _preview(target: Target, at: datetime, beyond_floor: bool) -> Preview:
    client = target.client
    keeping = tuple(holds.keeps(client, target.caller_id))
    calls = calls_of(target)
    # Who may not see holds still sees the mark that they leave on calls.
    held = Q(on_hold=True)
    if keeping:
        held |= Q(pk__in=calls.filter(holds.kept_by(keeping)).values("pk"))
    floor = Q(pk__in=[]) if beyond_floor else kept_by_floor(target, at)
    others = of_others(target)
    counted = calls.aggregate(
        n_others=Count("pk", filter=others),
        n_held=Count("pk", filter=held & ~others),
        n_by_law=Count("pk", filter=floor & ~held & ~others),
        n_leaving=Count("pk", filter=~held & ~floor & ~others),
    )
    # What was said leaves also where a law keeps the record of the call.
    leaving = calls.exclude(held | others).values("pk")
    recordings = Recording.objects.for_client(client).filter(call_id__in=leaving)
    rule = floor_of(target, at)
    noes = vault.suppressed_callers(client.pk, [target.caller_id], on=at.date()).get(target.caller_id, {})
    return Preview(
        client=client,
        caller_id=target.caller_id,
        calls=counted["n_leaving"],
        recordings=recordings.exclude(state=RecordingState.GONE).count(),
        transcripts=Transcript.objects.for_client(client)
        .filter(call_id__in=leaving, text__isnull=False)
        .count(),
        at_vendor=recordings.filter(vendor_told_at=None, reference__isnull=False).count(),
        held=counted["n_held"],
        holds=keeping,
        by_law=counted["n_by_law"],
        of_others=counted["n_others"],
        law=rule[0] if rule and counted["n_by_law"] else None,
        evidence=ConsentEvent.objects.for_client(client).filter(caller_id=target.caller_id).count(),
        refusals=tuple(sorted(set(noes) - {RESTRICTED, NOT_ASKED, MINOR, ConfidentialCause.EMPLOYEE})),
        deletes_at_vendor=Engagement.objects.for_client(client).filter(delete_at_vendor=True).exists(),
    )
