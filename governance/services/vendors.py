"""The vendor register. Reviews are never changed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import Max, Min, OuterRef, Q, QuerySet, Subquery

from callprivacy.audit import services as audit
from callprivacy.calls.models import Connection
from callprivacy.calls.providers import TRACKERS
from callprivacy.lib import calendars
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Agency
from callprivacy.tenancy.scope import job_scope
from callprivacy.work import services as work
from governance import kinds
from governance.enums import Answer, DataCategory, ReviewDecision, SubProcessorState, TransferTool, VendorRole
from governance.law import vendors as law
from governance.models import SubProcessor, Vendor, VendorCertificate, VendorIncident, VendorReview

JOB: Final = Actor.job("governance.watch_vendors")
SOON: Final = timedelta(days=30)
REVIEW_EVERY: Final = timedelta(days=365)


class NameTakenError(ValueError):
    """The name is taken."""


class NotCurrentError(LookupError):
    """The vendor or row has ended."""


class InUseError(LookupError):
    """The vendor is in use."""


class FutureDayError(ValueError):
    """The date is in the future."""


@dataclass(frozen=True, slots=True)
class Facts:
    name: str
    role: VendorRole
    what_for: str
    categories: tuple[str, ...]
    places: str
    transfer: TransferTool
    contract_on: date | None
    clauses: tuple[str, ...]
    source: str
    provider: str = ""

    @classmethod
    def from_sheet(cls, sheet: law.Sheet) -> "Facts":
        return cls(
            name=sheet.name,
            role=VendorRole.PROCESSOR,
            what_for=sheet.what_for,
            categories=sheet.categories,
            places=sheet.places,
            transfer=sheet.transfer,
            contract_on=None,
            clauses=(),
            source=sheet.source,
            provider=sheet.provider,
        )

    def columns(self) -> dict[str, object]:
        return asdict(self) | {"categories": list(self.categories), "clauses": list(self.clauses)}


@transaction.atomic
def add_vendor(
    *, agency: Agency, facts: Facts, sheet: str, verified_on: date | None, by: Actor, at: datetime
) -> Vendor:
    """
    Add a vendor.

    :param sheet: the id of its template, or empty.
    :raises NameTakenError: the name is taken.
    """
    try:
        with transaction.atomic():
            vendor = Vendor.objects.create(
                agency=agency, sheet=sheet, verified_on=verified_on, created_at=at, **facts.columns()
            )
    except IntegrityError:
        raise NameTakenError(f"{facts.name} is already in the register.") from None
    audit.record("vendor.added", subject=vendor, by=by, at=at, sheet=sheet)
    _renew(agency.pk, _today(agency.pk, at), at, by)
    return vendor


@transaction.atomic
def change_vendor(*, vendor: Vendor, facts: Facts, verified_on: date | None, by: Actor, at: datetime) -> None:
    """
    Update a vendor.

    :raises NameTakenError: the name is taken.
    :raises NotCurrentError: it has ended.
    """
    try:
        with transaction.atomic():
            changed = (
                Vendor.objects.current()
                .filter(pk=vendor.pk)
                .update(verified_on=verified_on, **facts.columns())
            )
    except IntegrityError:
        raise NameTakenError(f"{facts.name} is already in the register.") from None
    if not changed:
        raise NotCurrentError("This vendor is no longer in use.")
    audit.record("vendor.changed", subject=vendor, by=by, at=at, clauses=len(facts.clauses))
    _note_on_agency(vendor.agency_id)


@transaction.atomic
def end_vendor(*, vendor: Vendor, on: date, reason: str, by: Actor, at: datetime) -> None:
    """
    End the use of a vendor.

    :raises FutureDayError: the date is in the future.
    :raises InUseError: the actor sees active connections of its provider, and no other vendor has that provider.
    :raises NotCurrentError: it has ended.
    """
    today = _today(vendor.agency_id, at)
    if on > today:
        raise FutureDayError("The end date cannot be in the future.")
    if count := _connections(vendor):
        name = TRACKERS.get(vendor.provider, vendor.provider)
        is_one = count == 1
        raise InUseError(
            f"{count:,} {'connection' if is_one else 'connections'} of {name} {'is' if is_one else 'are'} active."
            " Deactivate them first."
        )
    if not Vendor.objects.current().filter(pk=vendor.pk).update(ended_on=on):
        raise NotCurrentError("This vendor is no longer in use.")
    audit.record("vendor.ended", subject=vendor, by=by, at=at, on=on.isoformat(), reason=reason)
    _renew(vendor.agency_id, today, at, by)


@transaction.atomic
def use_again(*, vendor: Vendor, reason: str, by: Actor, at: datetime) -> None:
    """
    Reactivate a vendor. It needs a new review.

    :raises InUseError: it is in use.
    :raises NameTakenError: its name is taken.
    """
    try:
        with transaction.atomic():
            ended = Vendor.objects.filter(pk=vendor.pk, ended_on__isnull=False)
            changed = ended.update(ended_on=None, next_review_on=None)
    except IntegrityError:
        raise NameTakenError(f"{vendor.name} is already in the register.") from None
    if not changed:
        raise InUseError("This vendor is in use.")
    audit.record("vendor.used_again", subject=vendor, by=by, at=at, reason=reason)
    _renew(vendor.agency_id, _today(vendor.agency_id, at), at, by)


@transaction.atomic
def review_vendor(
    *,
    vendor: Vendor,
    answers: Mapping[str, Answer],
    notes: Mapping[str, str],
    decision: ReviewDecision,
    words: str,
    next_on: date,
    reviewed_by: int,
    at: datetime,
) -> VendorReview:
    """
    Save a review.

    :param notes: question id -> evidence.
    :raises NotCurrentError: the vendor has ended.
    """
    if not Vendor.objects.current().filter(pk=vendor.pk).update(next_review_on=next_on):
        raise NotCurrentError("This vendor is no longer in use.")
    review = VendorReview.objects.create(
        agency_id=vendor.agency_id,
        vendor=vendor,
        answers=[
            {
                "id": question.id,
                "words": question.words,
                "weight": question.weight,
                "answer": answers.get(question.id, Answer.NO).value,
                "note": notes.get(question.id, ""),
            }
            for question in law.questions()
        ],
        score=law.score(answers),
        decision=decision,
        words=words,
        reviewed_by_id=reviewed_by,
        reviewed_at=at,
        next_on=next_on,
    )
    by = Actor.staff(user_id=reviewed_by)
    audit.record(
        "vendor.reviewed",
        subject=vendor,
        by=by,
        at=at,
        score=review.score,
        decision=decision.value,
        next_on=next_on.isoformat(),
    )
    _renew(vendor.agency_id, _today(vendor.agency_id, at), at, by)
    return review


@transaction.atomic
def add_certificate(
    *, vendor: Vendor, name: str, valid_until: date, source: str, by: Actor, at: datetime
) -> None:
    VendorCertificate.objects.bulk_create(
        [
            VendorCertificate(
                agency_id=vendor.agency_id, vendor=vendor, name=name, valid_until=valid_until, source=source
            )
        ],
        ignore_conflicts=True,
    )
    audit.record("vendor.certificate_noted", subject=vendor, by=by, at=at, until=valid_until.isoformat())
    _renew(vendor.agency_id, _today(vendor.agency_id, at), at, by)


@transaction.atomic
def end_certificate(*, certificate: VendorCertificate, reason: str, by: Actor, at: datetime) -> None:
    """:raises NotCurrentError: it is already withdrawn."""
    today = _today(certificate.agency_id, at)
    if not VendorCertificate.objects.filter(pk=certificate.pk, ended_on=None).update(ended_on=today):
        raise NotCurrentError("This certificate is already withdrawn.")
    audit.record(
        "vendor.certificate_ended",
        subject=certificate.vendor,
        by=by,
        at=at,
        until=certificate.valid_until.isoformat(),
        reason=reason,
    )
    _renew(certificate.agency_id, today, at, by)


@transaction.atomic
def add_sub_processor(
    *,
    vendor: Vendor,
    name: str,
    what_for: str,
    places: str,
    noticed_on: date,
    object_until: date | None,
    by: Actor,
    at: datetime,
) -> SubProcessor:
    """:raises NameTakenError: the vendor has a current sub-processor of this name."""
    try:
        with transaction.atomic():
            row = SubProcessor.objects.create(
                agency_id=vendor.agency_id,
                vendor=vendor,
                name=name,
                what_for=what_for,
                places=places,
                noticed_on=noticed_on,
                object_until=object_until,
            )
    except IntegrityError:
        raise NameTakenError(f"{name} is already a sub-processor of this vendor.") from None
    audit.record("sub_processor.noted", subject=row, by=by, at=at)
    _renew(vendor.agency_id, _today(vendor.agency_id, at), at, by)
    return row


@transaction.atomic
def settle_sub_processor(*, row: SubProcessor, state: SubProcessorState, by: Actor, at: datetime) -> None:
    """:raises NotCurrentError: it has ended, or is in that state."""
    current = SubProcessor.objects.filter(pk=row.pk).exclude(state__in=[SubProcessorState.ENDED, state])
    if not current.update(state=state):
        raise NotCurrentError("This sub-processor has ended or already has this status.")
    audit.record("sub_processor.settled", subject=row, by=by, at=at, state=state.value)
    _renew(row.agency_id, _today(row.agency_id, at), at, by)


@transaction.atomic
def note_incident(
    *, vendor: Vendor, happened_on: date, learned_on: date, words: str, by: Actor, at: datetime
) -> None:
    row = VendorIncident.objects.create(
        agency_id=vendor.agency_id,
        vendor=vendor,
        happened_on=happened_on,
        learned_on=learned_on,
        words=words,
    )
    audit.record("vendor.incident_noted", subject=vendor, by=by, at=at, incident=str(row.pk))


def watch_vendors(*, agency_id: int, at: datetime) -> None:
    """Update the inbox items. Called outside any scope."""
    with job_scope(agency_id=agency_id):
        _renew(agency_id, _today(agency_id, at), at, JOB)


@transaction.atomic
def require_reviews(*, agency: Agency, on: bool, by: Actor, at: datetime) -> bool:
    """Require reviewed vendors for new connections. Returns whether this changed."""
    if not Agency.objects.filter(pk=agency.pk, needs_reviewed_vendors=not on).update(
        needs_reviewed_vendors=on
    ):
        return False
    audit.record("vendor.reviews_required", subject=agency, by=by, at=at, on=on)
    _note_on_agency(agency.pk)
    return True


def _note_on_agency(agency_id: int) -> None:
    """Store review dates and disclosures on the agency, since `calls` and `rights` cannot import vendors."""
    Agency.objects.select_for_update(no_key=True).get(pk=agency_id)
    newest = VendorReview.objects.filter(vendor=OuterRef("pk")).order_by("-reviewed_at", "-pk")
    reviewed: dict[str, str] = {}
    for provider, until, decision in (
        Vendor.objects.current()
        .filter(agency_id=agency_id, next_review_on__isnull=False)
        .exclude(provider="")
        .annotate(decided=Subquery(newest.values("decision")[:1]))
        .values_list("provider", "next_review_on", "decided")
    ):
        if until is not None and decision != ReviewDecision.REFUSED:
            reviewed[provider] = max(reviewed.get(provider, ""), until.isoformat())
    disclosed = _disclosures(agency_id)
    rows = Agency.objects.filter(pk=agency_id).exclude(reviewed_vendors=reviewed, vendors=disclosed)
    rows.update(reviewed_vendors=reviewed, vendors=disclosed)


_ENGAGED: Final = (SubProcessorState.NOTICED, SubProcessorState.ACCEPTED)


def _disclosures(agency_id: int) -> list[dict[str, Any]]:
    """The vendors disclosed to data subjects (GDPR article 15(1)(c) and (2))."""
    rows = Vendor.objects.current().filter(agency_id=agency_id).prefetch_related("sub_processors")
    return [
        {
            "provider": row.provider,
            "name": row.name,
            "what_for": row.what_for,
            "places": row.places,
            "transfer": row.transfer,
            "safeguard": row.get_transfer_display(),
            "is_verified": row.verified_on is not None,
            "engages": sorted(one.name for one in row.sub_processors.all() if one.state in _ENGAGED),
        }
        for row in rows.order_by("name")
        # A vendor without recorded categories may still receive data.
        if not row.categories or set(row.categories) - {DataCategory.STAFF}
    ]


def _connections(vendor: Vendor) -> int:
    """Active connections of a vendor's provider that the actor sees; 0 if another vendor has that provider."""
    others = Vendor.objects.current().filter(agency_id=vendor.agency_id, provider=vendor.provider)
    if not vendor.provider or others.exclude(pk=vendor.pk).exists():
        return 0
    return Connection.objects.filter(
        agency_id=vendor.agency_id, provider=vendor.provider, is_active=True, client__archived_at=None
    ).count()


def _today(agency_id: int, at: datetime) -> date:
    zone = Agency.objects.values_list("time_zone", flat=True).get(pk=agency_id)
    return calendars.day_in(zone, at)


def _renew(agency_id: int, today: date, at: datetime, by: Actor) -> None:
    """Update one inbox item for each kind."""
    current = Vendor.objects.current().filter(agency_id=agency_id)
    due = current.filter(Q(next_review_on=None) | Q(next_review_on__lte=today))
    announced = SubProcessor.objects.filter(vendor__in=current, state=SubProcessorState.NOTICED)
    for kind, count, since in (
        (kinds.VENDOR_REVIEW, due.count(), due.aggregate(on=Min("next_review_on"))["on"]),
        (kinds.VENDOR_CERTIFICATE, *_ending(current, today)),
        (kinds.SUB_PROCESSOR, announced.count(), announced.aggregate(on=Min("object_until"))["on"]),
    ):
        if count:
            due_at = None if since is None else datetime.combine(since, time.min, tzinfo=UTC)
            work.open_item(kind, agency_id=agency_id, key="all", at=at, due_at=due_at, count=count)
        else:
            work.close_item(kind, agency_id=agency_id, key="all", at=at, by=by)
    _note_on_agency(agency_id)


def _ending(current: QuerySet[Vendor], today: date) -> tuple[int, date | None]:
    """The number of certificates that expire soon or have expired without a newer one, and the earliest date."""
    last = (
        VendorCertificate.objects.counting()
        .filter(vendor__in=current)
        .values("vendor", "name")
        .annotate(until=Max("valid_until"))
        .filter(until__lte=today + SOON)
    )
    ends = [row["until"] for row in last]
    return len(ends), min(ends, default=None)
