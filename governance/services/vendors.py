"""Vendors: taken into the register, reviewed, watched for what ends, and ended. Reviews are added, never changed."""

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
    """A vendor of this name stands in the register."""


class NotCurrentError(LookupError):
    """The vendor is not used any more, or the row is settled."""


class InUseError(LookupError):
    """The vendor is used: it cannot come back, or not end yet."""


class FutureDayError(ValueError):
    """What is written down as done names a day that has not come."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the register says of a vendor."""

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
        """What a starting sheet says; to be verified."""
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
    Take a vendor into the register.

    :param sheet: the starting sheet it is filled from, or empty.
    :param verified_on: the day on which somebody checked all of it.
    :raises NameTakenError: one of this name is there.
    """
    try:
        with transaction.atomic():
            vendor = Vendor.objects.create(
                agency=agency, sheet=sheet, verified_on=verified_on, created_at=at, **facts.columns()
            )
    except IntegrityError:
        raise NameTakenError(f"{facts.name} stands in the register.") from None
    audit.record("vendor.added", subject=vendor, by=by, at=at, sheet=sheet)
    _renew(agency.pk, _today(agency.pk, at), at, by)
    return vendor


@transaction.atomic
def change_vendor(*, vendor: Vendor, facts: Facts, verified_on: date | None, by: Actor, at: datetime) -> None:
    """
    Change what the register says of a vendor.

    :param verified_on: the day on which somebody checked all of it.
    :raises NameTakenError: another has this name.
    :raises NotCurrentError: it is not used any more.
    """
    try:
        with transaction.atomic():
            changed = (
                Vendor.objects.current()
                .filter(pk=vendor.pk)
                .update(verified_on=verified_on, **facts.columns())
            )
    except IntegrityError:
        raise NameTakenError(f"{facts.name} stands in the register.") from None
    if not changed:
        raise NotCurrentError("This vendor is not used any more.")
    audit.record("vendor.changed", subject=vendor, by=by, at=at, clauses=len(facts.clauses))
    _note_on_agency(vendor.agency_id)


@transaction.atomic
def end_vendor(*, vendor: Vendor, on: date, reason: str, by: Actor, at: datetime) -> None:
    """
    Write down that a vendor is not used any more; its row and reviews stay.

    :raises FutureDayError: until that day it is used.
    :raises InUseError: connections of its tracker that the actor sees are active, and no other vendor has them.
    :raises NotCurrentError: that is written down already.
    """
    today = _today(vendor.agency_id, at)
    if on > today:
        raise FutureDayError("Until then it is used: write it down when the day has come.")
    if count := _connections(vendor):
        name = TRACKERS.get(vendor.provider, vendor.provider)
        is_one = count == 1
        raise InUseError(
            f"{count:,} {'connection' if is_one else 'connections'} of {name} {'is' if is_one else 'are'} active,"
            " so data still goes there. Switch off what is not used any more, then write it down."
        )
    if not Vendor.objects.current().filter(pk=vendor.pk).update(ended_on=on):
        raise NotCurrentError("That is written down already.")
    audit.record("vendor.ended", subject=vendor, by=by, at=at, on=on.isoformat(), reason=reason)
    _renew(vendor.agency_id, today, at, by)


@transaction.atomic
def use_again(*, vendor: Vendor, reason: str, by: Actor, at: datetime) -> None:
    """
    Take a vendor that ended back into use. No review of before counts: it waits for a new one.

    :raises InUseError: it did not end.
    :raises NameTakenError: another of its name is used by now.
    """
    try:
        with transaction.atomic():
            found = Vendor.objects.filter(pk=vendor.pk, ended_on__isnull=False)
            changed = found.update(ended_on=None, next_review_on=None)
    except IntegrityError:
        raise NameTakenError(f"{vendor.name} stands in the register.") from None
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
    Keep a review: each question with its answer, what was seen for it, and what is decided.

    :param notes: question id -> where the evidence is, in a few words.
    :raises NotCurrentError: the vendor is not used any more.
    """
    if not Vendor.objects.current().filter(pk=vendor.pk).update(next_review_on=next_on):
        raise NotCurrentError("This vendor is not used any more.")
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
    """Note a certificate of a vendor and until when it counts; the same one twice is one."""
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
    """
    Write down that a certificate does not count any more: another took its place, or it was noted wrongly.

    :raises NotCurrentError: that is written down already.
    """
    today = _today(certificate.agency_id, at)
    if not VendorCertificate.objects.filter(pk=certificate.pk, ended_on=None).update(ended_on=today):
        raise NotCurrentError("That is written down already.")
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
    """
    Note whom a vendor says it engages, or engages again; it waits for somebody to accept or object.

    :raises NameTakenError: the vendor's list has that name, and it did not end.
    """
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
        raise NameTakenError(f"{name} stands in this vendor's list.") from None
    audit.record("sub_processor.noted", subject=row, by=by, at=at)
    _renew(vendor.agency_id, _today(vendor.agency_id, at), at, by)
    return row


@transaction.atomic
def settle_sub_processor(*, row: SubProcessor, state: SubProcessorState, by: Actor, at: datetime) -> None:
    """
    Accept a sub-processor, object to it, or note that it ended.

    :raises NotCurrentError: it ended already, or is in that state.
    """
    found = SubProcessor.objects.filter(pk=row.pk).exclude(state__in=[SubProcessorState.ENDED, state])
    if not found.update(state=state):
        raise NotCurrentError("That is written down already.")
    audit.record("sub_processor.settled", subject=row, by=by, at=at, state=state.value)
    _renew(row.agency_id, _today(row.agency_id, at), at, by)


@transaction.atomic
def note_incident(
    *, vendor: Vendor, happened_on: date, learned_on: date, words: str, by: Actor, at: datetime
) -> None:
    """Note what went wrong at a vendor. Where it concerns our data, a breach is reported beside it."""
    row = VendorIncident.objects.create(
        agency_id=vendor.agency_id,
        vendor=vendor,
        happened_on=happened_on,
        learned_on=learned_on,
        words=words,
    )
    audit.record("vendor.incident_noted", subject=vendor, by=by, at=at, incident=str(row.pk))


def watch_vendors(*, agency_id: int, at: datetime) -> None:
    """Let wait what falls due in the agency's zone: reviews, certificates, and words on sub-processors. In no scope."""
    with job_scope(agency_id=agency_id):
        _renew(agency_id, _today(agency_id, at), at, JOB)


@transaction.atomic
def require_reviews(*, agency: Agency, on: bool, by: Actor, at: datetime) -> bool:
    """
    Have connections opened for reviewed vendors alone, or for any; returns whether that is new.

    Those that are open stay open.
    """
    if not Agency.objects.filter(pk=agency.pk, needs_reviewed_vendors=not on).update(
        needs_reviewed_vendors=on
    ):
        return False
    audit.record("vendor.reviews_required", subject=agency, by=by, at=at, on=on)
    _note_on_agency(agency.pk)
    return True


def _note_on_agency(agency_id: int) -> None:
    """
    Write on the agency until when each provider's vendor is reviewed, and what people called are told of vendors: the
    rooms of connections and of requests know no vendors.
    """
    Agency.objects.select_for_update(no_key=True).get(pk=agency_id)
    newest = VendorReview.objects.filter(vendor=OuterRef("pk")).order_by("-reviewed_at", "-pk")
    found: dict[str, str] = {}
    for provider, until, decision in (
        Vendor.objects.current()
        .filter(agency_id=agency_id, next_review_on__isnull=False)
        .exclude(provider="")
        .annotate(decided=Subquery(newest.values("decision")[:1]))
        .values_list("provider", "next_review_on", "decided")
    ):
        if until is not None and decision != ReviewDecision.REFUSED:
            found[provider] = max(found.get(provider, ""), until.isoformat())
    told = _told(agency_id)
    rows = Agency.objects.filter(pk=agency_id).exclude(reviewed_vendors=found, vendors=told)
    rows.update(reviewed_vendors=found, vendors=told)


_ENGAGED: Final = (SubProcessorState.NOTICED, SubProcessorState.ACCEPTED)


def _told(agency_id: int) -> list[dict[str, Any]]:
    """The vendors that get data of people called, as these are told of them (GDPR article 15(1)(c) and (2))."""
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
        # Of a vendor whose categories nobody has written down it is not known that it gets nothing.
        if not row.categories or set(row.categories) - {DataCategory.STAFF}
    ]


def _connections(vendor: Vendor) -> int:
    """Active connections of a vendor's tracker among those that the actor sees, where no other vendor has them."""
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
    """One item a kind: how many vendors wait for a review, have certificates that end, or announce somebody."""
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
    """How many certificates end soon or have ended without a newer one, and when the first of them does."""
    last = (
        VendorCertificate.objects.counting()
        .filter(vendor__in=current)
        .values("vendor", "name")
        .annotate(until=Max("valid_until"))
        .filter(until__lte=today + SOON)
    )
    found = [row["until"] for row in last]
    return len(found), min(found, default=None)
