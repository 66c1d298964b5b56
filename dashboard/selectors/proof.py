"""
What a binder of proof holds of one client, part by part: dates, counts and states.

No caller's number or name is in it, no words that people wrote freely, and nothing of another client. Each part is read
in the scope of the agency's job, so that a binder does not depend on who asks for it.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db.models import Count, F, Max, Min, Q
from django.db.models.functions import Coalesce

from callprivacy.accounts import access
from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import AccessReview, ReviewLine
from callprivacy.audit import leaves
from callprivacy.audit import selectors as audit
from callprivacy.audit.services import verifying
from callprivacy.calls.enums import RecordingState
from callprivacy.calls.models import Connection, Recording, TrackingNumber, first_id_at
from callprivacy.calls.providers import TRACKERS
from callprivacy.calls.selectors import counts
from callprivacy.lib import calendars
from callprivacy.tenancy.enums import Answerer, AtEnd, PartyRole, RetentionState
from callprivacy.tenancy.models import Client, Engagement, Place
from consent.enums import Basis, Purpose, State
from consent.models import ConsentState, NoticeVersion, VendorTask
from consent.selectors import decisions, standards
from consent.selectors import law as law_words
from dashboard.channels import record
from dashboard.duties import NOBODYS, by_id
from dashboard.enums import DutyState
from dashboard.models import ClientStanding
from dashboard.selectors import records
from governance.enums import (
    BreachKind,
    BreachRisk,
    BreachState,
    NoticeState,
    NoticeTo,
    ReviewDecision,
    VendorRole,
)
from governance.law.vendors import CLAUSES
from governance.models import (
    Assignment,
    Badge,
    Breach,
    BreachNotice,
    Completion,
    Entry,
    Site,
    TrainingRule,
    Vendor,
)
from governance.selectors import ends as programme_ends
from governance.selectors import training
from retention.enums import Category, Then
from retention.models import Hold
from retention.selectors import certificates, policies, secrets, watch
from rights.enums import Ask, CaseState, Decided
from rights.models import Case
from rights.selectors import facts as reach

PERIOD: Final = timedelta(days=365)
"""How far back a binder looks."""
MOST: Final = 2_000
"""Rows of a list at most; what is more is counted, and says so."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Whose binder, at which instant, and since when it looks back. Its agency has been read along."""

    client: Client
    at: datetime

    @property
    def since(self) -> datetime:
        """The beginning of the period."""
        return self.at - PERIOD

    @property
    def today(self) -> date:
        """The day in the client's zone."""
        return calendars.day_in(self.client.time_zone, self.at)


@dataclass(frozen=True, slots=True)
class Part:
    """
    One part.

    :ivar facts: pairs of label and words. :ivar rows: a table under `columns`; cells are texts and whole numbers.
    :ivar gaps: sentences on what does not hold, or is not there. :ivar more: what programs need beside.
    """

    facts: list[tuple[str, str]] = field(default_factory=list)
    columns: tuple[str, ...] = ()
    rows: list[list[str | int]] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The part as the statement holds it; members without anything stand there all the same."""
        return {
            "facts": [list(pair) for pair in self.facts],
            "columns": list(self.columns),
            "rows": self.rows,
            "gaps": self.gaps,
            "notes": self.notes,
            "more": self.more,
        }


def _profile(ground: Ground) -> Part:
    client = ground.client
    row = Engagement.objects.for_client(client).first()
    engaged = row or Engagement()
    places = [
        law_words.place_name(country, region)
        for country, region in Place.objects.for_client(client)
        .order_by("country", "region")
        .values_list("country", "region")
    ]
    ways = Connection.objects.for_client(client).filter(is_active=True).values_list("provider", flat=True)
    trackers = sorted({TRACKERS.get(one, one) for one in ways})
    roles = [
        ("Measuring ads", engaged.measure_as),
        ("Recording", engaged.record_as),
        ("Contacting", engaged.contact_as),
    ]
    gaps = [] if row else ["No engagement is written down."]
    signed = engaged.dpa_on is not None and engaged.dpa_on <= ground.today
    is_processor = any(role == PartyRole.PROCESSOR for _, role in roles)
    gaps += (
        ["No data processing agreement is written down that is signed."]
        if is_processor and not signed
        else []
    )
    standing = reach.standings(client, at=ground.at)
    return Part(
        facts=[
            ("Legal name", client.legal_name),
            ("Time zone", client.time_zone),
            ("Places", ", ".join(places) or "none named"),
            ("Call trackers", ", ".join(trackers) or "none"),
            ("Tracking numbers", f"{TrackingNumber.objects.for_client(client).count():,}"),
            *((f"{label}: the agency is", PartyRole(role).label.lower()) for label, role in roles),
            ("Contract of", _day(engaged.contract_on)),
            ("Data processing agreement of", _day(engaged.dpa_on)),
            ("Requests are answered by", Answerer(engaged.answered_by).label),
            ("Breaches are told within", f"{engaged.breach_notice_hours} hours"),
            ("At the end", AtEnd(engaged.at_end).label),
            *(
                (f"{one.law.name} reaches it", f"{one.verdict.value.replace('_', ' ')}: {one.why}")
                for one in standing
            ),
        ],
        gaps=gaps,
    )


def _policies(ground: Ground) -> Part:
    client = ground.client
    kept = policies.all_effective(client)
    live = client.retention_state == RetentionState.LIVE
    holds = Hold.objects.open().filter(client=client).count()
    return Part(
        facts=[
            (
                "Expired data leave",
                "yes, since " + _day_of(client.went_live_at, client) if live else "no: observed only",
            ),
            ("Standard for recording", standards.standard_of(client, at=ground.at).label),
            ("Withheld recordings stay", f"{client.quarantine_hours} hours"),
            ("Recordings are stored here", "yes" if client.stores_recordings else "no"),
            ("Transcripts are taken in", "yes" if client.takes_transcripts else "no"),
            ("Legal holds that are open", f"{holds:,}"),
        ],
        columns=("Category", "Days", "Then", "Set by", "Version"),
        rows=[
            [
                Category(category).label,
                one.days,
                "daily totals stay" if one.then == Then.REDUCE else "erased",
                "the agency" if one.inherited else "the client's own policy",
                one.version,
            ]
            for category, one in kept.items()
        ],
        gaps=[] if live else ["Retention only observes: nothing expired leaves."],
    )


def _certificates(ground: Ground) -> Part:
    found = certificates.certificates_of(ground.client).filter(issued_at__gte=ground.since)
    rows = []
    for one in found[:MOST]:
        said = certificates.statement_of(one)
        rows.append(
            [
                one.number,
                calendars.day_in(ground.client.time_zone, one.issued_at).isoformat(),
                sum(row["erased"] for row in said["categories"]),
                sum(row["held"] for row in said["categories"]),
                sum(row["failures"] for row in said["categories"]),
                one.copies_gone_on.isoformat(),
                hashlib.sha256(one.statement.encode()).hexdigest(),
            ]
        )
    return Part(
        facts=[("Certificates in the period", f"{found.count():,}")],
        columns=(
            "Number",
            "Issued",
            "Rows destroyed",
            "Held",
            "Faults",
            "No copy opens from",
            "SHA-256 of the statement",
        ),
        rows=rows,
        notes=[
            "Each certificate is a file of its own, with its own signature; its statement has this digest."
        ],
    )


def _consent(ground: Ground) -> Part:
    client = ground.client
    calls = counts.calls_since([client.pk], ground.since).get(client.pk)
    states = Recording.objects.for_client(client).filter(call_id__gte=first_id_at(ground.since))
    by_state = dict(states.order_by().values_list("state").annotate(Count("pk")))
    by_basis = decisions.recorded_since([client.pk], ground.since).get(client.pk, [])
    rows: list[list[str | int]] = [
        [Purpose(purpose).label, State(state).label, number]
        for purpose, state, number in ConsentState.objects.for_client(client)
        .order_by()
        .values_list("purpose", "state")
        .annotate(number=Count("pk"))
        .order_by("purpose", "state")
    ]
    versions = (
        NoticeVersion.objects.for_client(client)
        .published()
        .select_related("notice")
        .order_by("notice__name", "pk")
    )
    steps = VendorTask.objects.for_client(client).filter(created_at__gte=ground.since)
    open_steps = steps.open()
    late = open_steps.filter(outer_at__lte=ground.at).count()
    return Part(
        facts=[
            ("Calls in the period", f"{calls.calls if calls else 0:,}"),
            *(
                (f"Recordings: {RecordingState(state).label.lower()}", f"{number:,}")
                for state, number in sorted(by_state.items())
            ),
            *((f"Recorded and kept by: {Basis(one.basis).label}", f"{one.calls:,}") for one in by_basis),
            ("Steps at vendors in the period", f"{steps.count():,}"),
            ("Of them open", f"{open_steps.count():,}"),
            *(
                (
                    f"Notice in force: {one.notice.get_channel_display()}, {one.notice.language}",
                    f"version {one.number}, SHA-256 {bytes(one.digest or b'').hex()}",
                )
                for one in versions
            ),
        ],
        columns=("Purpose", "State", "People"),
        rows=rows,
        gaps=_gap(late, "step at a vendor is", "steps at vendors are", "past the law's date"),
    )


def _requests(ground: Ground) -> Part:
    zone = ZoneInfo(ground.client.time_zone)
    found = Case.objects.filter(client=ground.client, received_at__gte=ground.since).order_by(
        "-received_at", "-pk"
    )
    rows: list[list[str | int]] = [
        [
            case.reference,
            Ask(case.asks).label,
            case.received_at.astimezone(zone).date().isoformat(),
            case.law or "house",
            case.answer_by.isoformat() if case.answer_by else "",
            case.answered_at.astimezone(zone).date().isoformat() if case.answered_at else "",
            Decided(case.decided).label if case.decided else CaseState(case.state).label,
        ]
        for case in found[:MOST]
    ]
    late = found.ours().filter(answer_due_at__lte=ground.at).count()
    answered_late = found.filter(answered_at__gt=F("answer_due_at")).count()
    gaps = _gap(late, "request is", "requests are", "past the law's date")
    gaps += _gap(answered_late, "request was", "requests were", "answered late")
    return Part(
        facts=[
            ("Requests in the period", f"{found.count():,}"),
            ("Open", f"{found.filter(closed_at=None).count():,}"),
        ],
        columns=("Reference", "Asked", "Received", "Law", "Answer by", "Answered", "Outcome"),
        rows=rows,
        gaps=gaps,
    )


def _training(ground: Ground) -> Part:
    today = ground.today
    grants = access.counting(ground.at).filter(content_object_id=ground.client.pk)
    user_ids = set(grants.values_list("user_id", flat=True))
    rows: list[list[str | int]] = []
    late_total = 0
    for name, course in training.catalogue().items():
        valid = Completion.objects.filter(course=name, user_id__in=user_ids).valid_on(today)
        wanted = Assignment.objects.filter(course=name, user_id__in=user_ids)
        late = wanted.filter(due_on__lt=today).count()
        late_total += late
        newest = valid.aggregate(newest=Max("passed_on"))["newest"]
        rows.append(
            [
                course.title,
                "yes" if TrainingRule.objects.filter(course=name).exists() else "no",
                valid.values("user_id").distinct().count(),
                wanted.count(),
                late,
                newest.isoformat() if newest else "",
            ]
        )
    return Part(
        facts=[("People who see this client", f"{len(user_ids):,}")],
        columns=("Course", "Asked by role", "Hold it", "Still to take it", "Overdue", "Last passed"),
        rows=rows,
        gaps=_gap(late_total, "course is", "courses are", "overdue"),
    )


def _access(ground: Ground) -> Part:
    zone = ZoneInfo(ground.client.time_zone)
    grants = access.counting(ground.at).filter(content_object_id=ground.client.pk)
    by_role = (
        grants.order_by()
        .values_list("bundle")
        .annotate(people=Count("user_id", distinct=True))
        .order_by("bundle")
    )
    lines = (
        ReviewLine.objects.filter(client=ground.client, review__started_at__gte=ground.since)
        .order_by()
        .values_list("review_id", "answer")
        .annotate(number=Count("pk"))
    )
    counted: dict[Any, dict[str, int]] = {}
    for review_id, answer, number in lines:
        counted.setdefault(review_id, {})[answer] = number
    reviews = AccessReview.objects.filter(started_at__gte=ground.since).order_by("-started_at")
    rows: list[list[str | int]] = [
        [
            row.period,
            row.started_at.astimezone(zone).date().isoformat(),
            row.closed_at.astimezone(zone).date().isoformat() if row.closed_at else "open",
            counted.get(row.pk, {}).get("kept", 0),
            sum(counted.get(row.pk, {}).get(one, 0) for one in ("ended", "lapsed", "gone")),
            counted.get(row.pk, {}).get("open", 0),
        ]
        for row in reviews
    ]
    return Part(
        facts=[
            (
                f"People who see this client as {Role(role).label.lower()}"
                if role
                else "People by single grants",
                f"{people:,}",
            )
            for role, people in by_role
        ],
        columns=("Review", "Begun", "Closed", "Grants kept", "Ended", "Not answered"),
        rows=rows,
        gaps=[] if rows else ["No review of access was held in the period."],
    )


def _premises(ground: Ground) -> Part:
    sites = Site.objects.filter(closed_on=None)
    entries = Entry.objects.filter(entered_at__gte=ground.since)
    found = entries.aggregate(
        number=Count("pk"),
        visitors=Count("pk", filter=~Q(visitor="")),
        flagged=Count("pk", filter=~Q(flags=[])),
        waiting=Count("pk", filter=~Q(flags=[]) & Q(looked_at=None)),
        oldest=Min("entered_at"),
    )
    return Part(
        facts=[
            ("Sites", f"{sites.count():,}"),
            ("Badges out", f"{Badge.objects.filter(returned_on=None).count():,}"),
            ("Entries that are kept", f"{found['number']:,}"),
            ("Since", _day_of(found["oldest"], ground.client)),
            ("Of visitors", f"{found['visitors']:,}"),
            ("Flagged as odd", f"{found['flagged']:,}"),
            ("Of them not looked at", f"{found['waiting']:,}"),
        ],
        notes=[
            f"Entries leave after {programme_ends.entries_for(ground.client.agency):,} days.",
            "Premises are the agency's, the same for each of its clients.",
        ],
    )


def _vendors(ground: Ground) -> Part:
    used = set(Connection.objects.for_client(ground.client).values_list("provider", flat=True))
    active = Connection.objects.for_client(ground.client).filter(is_active=True)
    rows: list[list[str | int]] = []
    never = refused = bare = short = 0
    register = Vendor.objects.current()
    unknown = set(active.values_list("provider", flat=True)) - NOBODYS
    unknown -= set(register.values_list("provider", flat=True))
    for vendor in register.filter(Q(provider="") | Q(provider__in=used)).order_by("name"):
        before = vendor.reviews.order_by("-reviewed_at").first()
        # One that is used again waits for a review: none of before vouches for it.
        review = before if vendor.next_review_on is not None else None
        never += review is None
        refused += review is not None and review.decision == ReviewDecision.REFUSED
        if vendor.role in {VendorRole.PROCESSOR, VendorRole.SUB_PROCESSOR}:
            signed = vendor.contract_on is not None and vendor.contract_on <= ground.today
            bare += not signed
            short += signed and len(vendor.clauses) < len(CLAUSES)
        rows.append(
            [
                vendor.name,
                VendorRole(vendor.role).label,
                vendor.places,
                vendor.get_transfer_display(),
                _iso(vendor.contract_on),
                len(vendor.clauses),
                review.reviewed_at.date().isoformat() if review else "" if before else "never",
                ReviewDecision(review.decision).label if review else "To be reviewed",
                review.score if review else "",
                _iso(vendor.next_review_on),
                vendor.sub_processors.exclude(state="ended").count(),
            ]
        )
    return Part(
        columns=(
            "Vendor", "Role", "Places", "Transfer", "Agreement of", "Clauses of 28(3)", "Reviewed", "Decision", "Score",
            "Next", "Engages",
        ),
        rows=rows,
        gaps=[
            *_gap(never, "vendor was", "vendors were", "not reviewed, or not since it is used again"),
            *_gap(refused, "vendor is", "vendors are", "used although refused by the newest review"),
            *_gap(bare, "processor has", "processors have", "no agreement written down that is signed"),
            *_gap(short, "agreement lacks", "agreements lack", "a clause of article 28(3)"),
            *_gap(len(unknown), "tracker in use stands", "trackers in use stand", "in no vendor's name"),
        ],
        notes=["Trackers that this client does not use are left out."],
    )  # fmt: skip


_OUT_AT: Final = Coalesce("told_at", "settled_at")


def _breaches(ground: Ground) -> Part:
    zone = ZoneInfo(ground.client.time_zone)
    concerned = Breach.objects.filter(reported_at__gte=ground.since, clients__contains=[ground.client.pk])
    rows: list[list[str | int]] = []
    late = sent_late = 0
    for breach in concerned.order_by("-reported_at"):
        notices = BreachNotice.objects.filter(breach=breach).filter(Q(client=None) | Q(client=ground.client))
        to_it = notices.filter(to=NoticeTo.CLIENT)
        told = to_it.filter(state=NoticeState.SENT).aggregate(first=Min(_OUT_AT), times=Count("pk"))
        due_at = to_it.filter(phase=1).aggregate(due_at=Min("due_at"))["due_at"]
        if not breach.is_drill:
            first_ones = notices.filter(phase=1, state=NoticeState.SENT).annotate(out_at=_OUT_AT)
            sent_late += first_ones.filter(out_at__gte=F("due_at")).count()
        open_ones = notices.filter(phase=1, state=NoticeState.DUE, due_at__lte=ground.at)
        late += not breach.is_drill and open_ones.count()
        rows.append(
            [
                f"{'Drill' if breach.is_drill else 'Breach'} {breach.number}",
                BreachKind(breach.kind).label if breach.kind else "",
                BreachRisk(breach.risk).label if breach.risk else "",
                _iso_of(breach.aware_at, zone),
                _iso_of(breach.contained_at, zone),
                _iso_of(due_at, zone),
                _iso_of(told["first"], zone),
                told["times"],
                BreachState(breach.state).label,
            ]
        )
    drills = Breach.objects.filter(reported_at__gte=ground.since, is_drill=True).exclude(closed_at=None)
    return Part(
        facts=[("Drills of the agency that were carried through in the period", f"{drills.count():,}")],
        columns=(
            "Number",
            "What happened",
            "Risk",
            "Known since",
            "Contained",
            "To be told by",
            "This client was told",
            "Notices to it",
            "State",
        ),
        rows=rows,
        gaps=[
            *_gap(late, "notice is", "notices are", "past the law's date"),
            *_gap(sent_late, "notice was", "notices were", "sent after the law's date"),
        ],
        notes=["What people wrote of a breach is not in it."],
    )


def _keys(ground: Ground) -> Part:
    agency = ground.client.agency
    rows: list[list[str | int]] = []
    over = 0
    for one in secrets.every(agency, [ground.client], ground.at):
        if one.client is None and not one.is_of_the_house:
            continue
        standing = one.standing(ground.at)
        over += standing == secrets.Standing.OVER
        rows.append(
            [
                one.kind.label,
                "this client" if one.client else "the installation",
                one.days(ground.at),
                one.limit.days,
                {"good": "in time", "soon": "due within 30 days", "over": "past its limit"}[standing.value],
            ]
        )
    house = watch.house(ground.at)
    drill = "never" if house.drill_age is None else f"{house.drill_age // 86_400} days ago"
    return Part(
        facts=[
            (
                "Backups",
                ", ".join(f"{name}: {age // 3600} hours old" for name, age in sorted(house.backups.items()))
                or "none of this installation's own",
            ),
            ("Last restore on trial that passed", drill),
        ],
        columns=("Secret", "Of", "Age in days", "Limit", "Stands"),
        rows=rows,
        gaps=_gap(over, "secret is", "secrets are", "past the limit"),
    )


def _trail(ground: Ground) -> Part:
    agency_id = ground.client.agency_id
    found = verifying.verify_agency(agency_id)
    seal = audit.newest_seal(agency_id)
    events = audit.events(agency_id, audit.EventFilter(client_id=ground.client.pk)).count()
    left = audit.left(agency_id)
    return Part(
        facts=[
            ("Verified", leaves.instant(ground.at)),
            ("Events of the agency", f"{found.events:,}"),
            ("Under seals", f"{found.sealed:,} under {found.seals:,} seals"),
            ("Findings", f"{len(found.findings):,}"),
            ("Events about this client", f"{events:,}"),
            *(
                [("Left by policy", f"{left.events:,} events, under seals 1 to {left.last_seal}")]
                if left
                else []
            ),
        ],
        gaps=[f"{len(found.findings):,} findings: the trail does not hold."] if found.findings else [],
        more={"seal": seal.message().as_dict(), "signature": bytes(seal.signature).hex()} if seal else {},
        notes=[
            *found.notes,
            "The newest seal is attached with its signature, to be held against an export of the trail.",
        ],
    )


def _duties(ground: Ground) -> Part:
    known = by_id()
    rows: list[list[str | int]] = [
        [known[row.duty].title, DutyState(row.state).label, row.count, _day_of(row.since, ground.client)]
        for row in ClientStanding.objects.for_client(ground.client).order_by("duty")
        if row.duty in known
    ]
    judged = sum(duty.by_client is not None for duty in known.values())
    return Part(
        facts=[("Duties that are judged for each client", f"{judged}"), ("Good", f"{judged - len(rows)}")],
        columns=("Duty", "Stands", "Things", "Since"),
        rows=rows,
        gaps=[f"{row[0]}: {str(row[1]).lower()}." for row in rows if row[1] in {"Overdue", "Failing"}],
    )


def _records(ground: Ground) -> Part:
    found = records.present()
    if found is None:
        return Part(gaps=["The records of processing were not read yet."])
    newest = records.snapshots().first()
    said = record.of_client(found.record, ground.client)
    facts = [
        ("The agency", said["agency"]),
        ("Contact", said["contact"]),
        ("Data protection officer", said["officer"]),
    ]
    for one in said["as_processor"]:
        facts += [
            ("Processing", ", ".join(one["processing"])),
            ("Data", ", ".join(one["data"])),
            ("Recipients", ", ".join(one["recipients"]) or "none"),
            ("Vendors and transfers", "; ".join(one["transfers"]) or "none"),
        ]
    return Part(
        facts=[
            *facts,
            ("Newest snapshot of all records", _day_of(newest.taken_at, ground.client) if newest else "none"),
        ],
        notes=said["measures"],
        gaps=[] if newest else ["No dated snapshot of the records was taken."],
    )


PARTS: Final[Mapping[str, tuple[str, Callable[[Ground], Part]]]] = {
    "profile": ("Client and engagement", _profile),
    "policies": ("Policies", _policies),
    "certificates": ("Certificates of destruction", _certificates),
    "consent": ("Coverage of consent", _consent),
    "requests": ("Register of requests", _requests),
    "duties": ("How the duties stand", _duties),
    "records": ("Records of processing (article 30)", _records),
    "training": ("Training", _training),
    "access": ("Who sees it, and reviews of access", _access),
    "premises": ("Premises", _premises),
    "vendors": ("Vendors", _vendors),
    "breaches": ("Breaches and drills", _breaches),
    "keys": ("Ages of keys, backups", _keys),
    "trail": ("The trail, verified", _trail),
}
"""What a binder is made of, in its order."""


def _gap(number: int, one: str, many: str, what: str) -> list[str]:
    """A sentence on so many things that do not hold; none where there are none."""
    return [f"{number:,} {one if number == 1 else many} {what}."] if number else []


def _day(day: date | None) -> str:
    return f"{day.day} {day:%B %Y}" if day else "not written down"


def _iso(day: date | None) -> str:
    return day.isoformat() if day else ""


def _iso_of(at: datetime | None, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z") if at else ""


def _day_of(at: datetime | None, client: Client) -> str:
    return _day(calendars.day_in(client.time_zone, at)) if at else "never"
