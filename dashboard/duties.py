"""
What the law and the house ask of an agency, each with the query that says how it stands and the threshold at which it
changes. Computed in the scope of the agency's job, for what a person may see is not what there is.

`failing`: a promise is broken or a date of the law has passed. `overdue`: our own date has passed. `due`: one is near,
or something waits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db.models import Count, Max, Q, QuerySet

from callprivacy.accounts import access
from callprivacy.accounts import selectors as accounts
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.models import AccessReview, Membership, PasswordDay
from callprivacy.calls.models import Connection
from callprivacy.calls.providers import mapped
from callprivacy.lib import calendars, transport
from callprivacy.tenancy.enums import PartyRole, Permission, RetentionState
from callprivacy.tenancy.models import Agency, Client, Engagement, Place
from consent.models import VendorTask
from consent.selectors.law import rules_of
from dashboard import law
from dashboard.channels.record import compose, digest_of
from dashboard.enums import DutyState
from dashboard.models import RecordFacts, RecordSnapshot, RecordWords
from governance.enums import BreachState, NoticeState, SubProcessorState, VendorRole
from governance.law.vendors import CLAUSES
from governance.models import (
    Assignment,
    Badge,
    Breach,
    BreachNotice,
    Entry,
    SubProcessor,
    TrainingRule,
    Vendor,
    VendorCertificate,
)
from retention.enums import ChangeState, LeftoverState
from retention.models import Hold, Leftover, PolicyChange
from retention.selectors import watch
from rights.law import Verdict
from rights.models import Case
from rights.selectors import facts as reach

_DAY: Final = timedelta(days=1)
_TRAIL_LATE: Final = 300
NOBODYS: Final = frozenset({"folder"}) | mapped.NAMES
"""Connections that anybody's calls come by: of these no vendor is known by the connection."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at an agency. :ivar reading: retention's figures, and :ivar house: the installation's."""

    agency: Agency
    at: datetime
    reading: watch.Reading
    house: watch.House

    @property
    def today(self) -> Any:
        """The day in the agency's zone."""
        return calendars.day_in(self.agency.time_zone, self.at)


@dataclass(frozen=True, slots=True)
class Found:
    """How a duty stands, and how many things make it so."""

    state: DutyState
    count: int = 0


GOOD: Final = Found(DutyState.GOOD)


@dataclass(frozen=True, slots=True)
class Rows:
    """
    What a duty is judged by: rows of the agency, and the stages in which some of them make it worse, worst first.

    :ivar column: where a row names its client.
    """

    rows: QuerySet[Any]
    stages: tuple[tuple[DutyState, Q], ...]
    column: str = "client_id"

    def found(self) -> Found:
        """How the duty stands in the agency."""
        return worst(*((state, self.rows.filter(which).count()) for state, which in self.stages))

    def by_client(self) -> dict[int, Found]:
        """Client id -> how it stands there, where it is not good; a query a stage. Rows of no client are left out."""
        known: dict[int, Found] = {}
        named = self.rows.exclude(**{self.column: None}).order_by()
        for state, which in self.stages:
            counted = named.filter(which).values_list(self.column).annotate(number=Count("pk"))
            for client_id, number in counted:
                known.setdefault(client_id, Found(state, number))
        return known


@dataclass(frozen=True, slots=True)
class Duty:
    """
    One duty.

    :ivar source: who asks for it. :ivar threshold: at what it changes, in words. :ivar url_name: the next step.
    :ivar by_client: how it stands at each client where it is not good; None where it is no client's.
    :ivar opened_with: the next step is for who has one of these, be it at one client; empty: whoever sees the posture.
    """

    id: str
    title: str
    source: str
    threshold: str
    url_name: str
    look: Callable[[Look], Found]
    by_client: Callable[[Look], dict[int, Found]] | None = None
    opened_with: frozenset[Permission | AgencyRight] = frozenset()


def worst(*stages: tuple[DutyState, int]) -> Found:
    """The worst of the stages in which there is something; good where there is nothing. Stages come worst first."""
    return next((Found(state, count) for state, count in stages if count), GOOD)


def _rows(rows: QuerySet[Any], *stages: tuple[DutyState, Q], column: str = "client_id") -> Rows:
    return Rows(rows, stages, column)


def _count(rows: QuerySet[Any], *stages: tuple[DutyState, Q]) -> Found:
    return Rows(rows, stages).found()


def _each(rows: Callable[[Look], Rows]) -> dict[str, Any]:
    """Both ways to look at rows that name their client."""
    return {"look": lambda look: rows(look).found(), "by_client": lambda look: rows(look).by_client()}


def _breach_reports(look: Look) -> Found:
    rows = Breach.objects.real().filter(agency=look.agency, state=BreachState.REPORTED)
    return _count(
        rows,
        (DutyState.FAILING, Q(reported_at__lte=look.at - 3 * _DAY)),
        (DutyState.OVERDUE, Q(reported_at__lte=look.at - _DAY)),
        (DutyState.DUE, Q()),
    )


def _to_tell(look: Look) -> QuerySet[BreachNotice]:
    return BreachNotice.objects.filter(
        agency=look.agency, state=NoticeState.DUE, breach__state=BreachState.OPEN, breach__is_drill=False
    )


def _breach_notices(look: Look) -> Rows:
    rows = _to_tell(look).filter(phase=1)
    return _rows(rows, (DutyState.FAILING, Q(due_at__lte=look.at)), (DutyState.DUE, Q()))


def _breach_further(look: Look) -> Rows:
    rows = _to_tell(look).filter(phase__gt=1)
    return _rows(rows, (DutyState.OVERDUE, Q(due_at__lte=look.at)), (DutyState.DUE, Q()))


def _vendor_reviews(look: Look) -> Found:
    rows = Vendor.objects.current().filter(agency=look.agency)
    never = Q(next_review_on=None)
    return _count(
        rows,
        (
            DutyState.OVERDUE,
            Q(next_review_on__lt=look.today)
            | never & Q(created_at__lte=look.at - 30 * _DAY)
            | Q(pk__in=rows.refused().values("pk")),
        ),
        (DutyState.DUE, never | Q(next_review_on__lte=look.today)),
    )


def _vendor_contracts(look: Look) -> Found:
    processors = [VendorRole.PROCESSOR, VendorRole.SUB_PROCESSOR]
    rows = Vendor.objects.current().filter(agency=look.agency, role__in=processors)
    return _count(
        rows,
        (DutyState.OVERDUE, Q(contract_on=None) | Q(contract_on__gt=look.today)),
        (DutyState.DUE, Q(clauses__len__lt=len(CLAUSES))),
    )


def _vendor_register(look: Look) -> Rows:
    """Active connections of a company's tracker; whose the others are, a folder of files say, nothing here knows."""
    rows = (
        Connection.objects.filter(agency=look.agency, is_active=True, client__archived_at=None)
        .exclude(provider__in=NOBODYS)
        .exclude(provider__in=Vendor.objects.current().filter(agency=look.agency).values("provider"))
    )
    return _rows(rows, (DutyState.OVERDUE, Q(created_at__lte=look.at - 30 * _DAY)), (DutyState.DUE, Q()))


def _client_contracts(look: Look) -> Rows:
    processor = (
        Q(measure_as=PartyRole.PROCESSOR)
        | Q(record_as=PartyRole.PROCESSOR)
        | Q(contact_as=PartyRole.PROCESSOR)
    )
    agreed = Engagement.objects.filter(Q(dpa_on__lte=look.today) | ~processor, agency=look.agency)
    rows = Client.objects.filter(agency=look.agency, archived_at=None).exclude(pk__in=agreed.values("client"))
    return _rows(rows, (DutyState.OVERDUE, Q(created_at__lte=look.at - 30 * _DAY)), column="pk")


def _vendor_certificates(look: Look) -> Found:
    rows = (
        VendorCertificate.objects.counting()
        .filter(agency=look.agency)
        .values("vendor", "name")
        .annotate(until=Max("valid_until"))
    )
    return _count(
        rows,
        (DutyState.OVERDUE, Q(until__lt=look.today)),
        (DutyState.DUE, Q(until__lte=look.today + 30 * _DAY)),
    )


def _sub_processors(look: Look) -> Found:
    rows = SubProcessor.objects.filter(
        agency=look.agency, vendor__ended_on=None, state=SubProcessorState.NOTICED
    )
    return _count(rows, (DutyState.OVERDUE, Q(object_until__lt=look.today)), (DutyState.DUE, Q()))


def _training(look: Look) -> Found:
    rows = Assignment.objects.filter(agency=look.agency)
    return _count(
        rows,
        (DutyState.OVERDUE, Q(due_on__lt=look.today)),
        (DutyState.DUE, Q(due_on__lte=look.today + 7 * _DAY)),
    )


def _training_rules(look: Look) -> Found:
    members = Membership.objects.filter(agency=look.agency).active()
    ruled = TrainingRule.objects.filter(agency=look.agency).values("role")
    return worst((DutyState.DUE, members.exclude(role__in=ruled).count()))


def _premises(look: Look) -> Found:
    rows = Entry.objects.filter(agency=look.agency, looked_at=None).exclude(flags=[])
    return _count(rows, (DutyState.OVERDUE, Q(entered_at__lte=look.at - 7 * _DAY)), (DutyState.DUE, Q()))


def _badges(look: Look) -> Found:
    active = Membership.objects.filter(agency=look.agency).active().values("user_id")
    rows = Badge.objects.filter(agency=look.agency, returned_on=None).exclude(user_id__in=active)
    return _count(rows, (DutyState.FAILING, Q()))


def _passwords(look: Look) -> Found:
    return _count(
        Membership.objects.filter(agency=look.agency).active(),
        (DutyState.OVERDUE, Q(user__password_due_at__lte=look.at)),
        (DutyState.DUE, Q(user__password_due_at__lte=look.at + 7 * _DAY)),
    )


def _second_factors(look: Look) -> Found:
    asked = access.policy_of(look.agency).second_factor_roles
    newest = PasswordDay.objects.filter(agency=look.agency).order_by("-on").first()
    return worst(
        (DutyState.OVERDUE, accounts.without_factor(at_provider=False).filter(role__in=asked).count()),
        (DutyState.DUE, newest.without_factor if newest else 0),
    )


def _provider_factors(_look: Look) -> Found:
    return worst((DutyState.DUE, accounts.without_factor(at_provider=True).count()))


def _access_review(look: Look) -> Found:
    reviews = AccessReview.objects.filter(agency=look.agency)
    waiting = reviews.filter(closed_at=None)
    if waiting.exists():
        return _count(waiting, (DutyState.OVERDUE, Q(answer_by__lte=look.at)), (DutyState.DUE, Q()))
    held = reviews.filter(closed_at__gt=look.at - 120 * _DAY).exists()
    is_new = look.agency.created_at > look.at - 120 * _DAY
    return GOOD if held or is_new else Found(DutyState.OVERDUE, 1)


def _requests(look: Look) -> Rows:
    rows = Case.objects.ours().filter(agency=look.agency)
    return _rows(
        rows,
        (DutyState.FAILING, Q(answer_due_at__lte=look.at)),
        (DutyState.DUE, Q(answer_due_at__lte=look.at + 5 * _DAY)),
    )


def _acknowledgements(look: Look) -> Rows:
    rows = Case.objects.ours().filter(agency=look.agency, acknowledged_at=None)
    return _rows(
        rows,
        (DutyState.FAILING, Q(acknowledge_due_at__lte=look.at)),
        (DutyState.DUE, Q(acknowledge_due_at__lte=look.at + 3 * _DAY)),
    )


def _withdrawals(look: Look) -> Rows:
    rows = VendorTask.objects.open().filter(agency=look.agency)
    return _rows(
        rows,
        (DutyState.FAILING, Q(outer_at__lte=look.at)),
        (DutyState.DUE, Q(outer_at__lte=look.at + 3 * _DAY)),
    )


def _leftovers(look: Look) -> Rows:
    rows = Leftover.objects.filter(agency=look.agency).exclude(state=LeftoverState.GONE)
    return _rows(rows, (DutyState.OVERDUE, Q(found_at__lte=look.at - 30 * _DAY)), (DutyState.DUE, Q()))


def _holds(look: Look) -> Rows:
    rows = Hold.objects.open().filter(agency=look.agency)
    return _rows(
        rows,
        (DutyState.OVERDUE, Q(review_on__lt=look.today)),
        (DutyState.DUE, Q(review_on__lte=look.today + 7 * _DAY)),
    )


def _policies(look: Look) -> Rows:
    rows = PolicyChange.objects.filter(agency=look.agency, state=ChangeState.WAITING)
    return _rows(rows, (DutyState.OVERDUE, Q(proposed_at__lte=look.at - 3 * _DAY)), (DutyState.DUE, Q()))


def _observed(look: Look) -> Rows:
    rows = Client.objects.filter(agency=look.agency, retention_state=RetentionState.OBSERVE, archived_at=None)
    return _rows(rows, (DutyState.DUE, Q(created_at__lte=look.at - 30 * _DAY)), column="pk")


def _client_facts(look: Look) -> dict[int, Found]:
    """Clients of more than a month of which nobody knows whether the law of California reaches them."""
    old = Client.objects.filter(agency=look.agency, archived_at=None, created_at__lte=look.at - 30 * _DAY)
    standings = reach.california_of(list(old), on=look.today)
    return {
        client_id: Found(DutyState.DUE, 1)
        for client_id, one in standings.items()
        if one.verdict is Verdict.UNKNOWN
    }


def _records(look: Look) -> Found:
    newest = RecordSnapshot.objects.filter(agency=look.agency).order_by("-number").first()
    if newest is None:
        return worst((DutyState.DUE, int(look.agency.created_at <= look.at - 30 * _DAY)))
    age = look.at - newest.taken_at
    present = RecordFacts.objects.filter(agency=look.agency).first()
    words = RecordWords.objects.filter(agency=look.agency).first()
    differs = present is not None and digest_of(compose(present.facts, words)) != bytes(newest.digest)
    return worst(
        (DutyState.OVERDUE, int(age >= 365 * _DAY)),
        (DutyState.DUE, int(age >= 335 * _DAY or (differs and age >= 30 * _DAY))),
    )


def _law(look: Look) -> Found:
    held = set(Place.objects.filter(agency=look.agency).values_list("country", "region"))
    held |= {
        (code, "")
        for code in Client.objects.filter(agency=look.agency).values_list("home_country", flat=True)
    }
    return worst((DutyState.DUE, law.to_look_at(rules_of(look.agency.pk), held, on=look.today)))


def _late_rows(look: Look) -> Found:
    return worst((DutyState.FAILING, look.reading.late))


def _nightly_run(look: Look) -> Found:
    if not look.reading.run_expected:
        return GOOD
    late = watch.RUN_LATE_AFTER.total_seconds()
    is_late = look.reading.run_age is None or look.reading.run_age > late
    return worst((DutyState.FAILING, int(is_late)), (DutyState.DUE, look.reading.run_failures))


def _trail(look: Look) -> Found:
    return worst((DutyState.FAILING, int((look.reading.unsealed_age or 0) > _TRAIL_LATE)))


def _inbox(look: Look) -> Found:
    late = watch.INBOX_LATE_AFTER.total_seconds()
    return worst((DutyState.FAILING, int((look.reading.inbox_oldest or 0) > late)))


def _secrets(look: Look) -> Found:
    return worst((DutyState.OVERDUE, sum(look.reading.over.values())))


def _backups(look: Look) -> Found:
    late = watch.BACKUP_LATE_AFTER.total_seconds()
    ages = [look.house.backups.get(name) for name in settings.DATABASES]
    if not look.house.backups_expected:
        return worst((DutyState.DUE, sum(age is None for age in ages)))
    return worst((DutyState.FAILING, sum(age is None or age > late for age in ages)))


def _drills(look: Look) -> Found:
    age, late = look.house.drill_age, watch.DRILL_LATE_AFTER.total_seconds()
    is_late = look.house.drill_expected and (age is None or age > late)
    return worst(
        (DutyState.FAILING, int(look.house.drill_passed is False)),
        (DutyState.OVERDUE, int(is_late)),
        (DutyState.DUE, int(age is None)),
    )


def _transport(_look: Look) -> Found:
    return worst((DutyState.FAILING, len(transport.in_the_clear())))


_BOARD: Final[frozenset[Permission | AgencyRight]] = frozenset(
    {Permission.HANDLE_REQUESTS, AgencyRight.SIGN_OFF}
)
_RETENTION: Final[frozenset[Permission | AgencyRight]] = frozenset({Permission.MANAGE_RETENTION})

DUTIES: Final = (
    Duty(
        "breach_notices", "Whoever must be told of a breach is told in time", "GDPR articles 33 and 34, state laws",
        "failing past the law's date, due while anybody is still to be told", "governance:breaches",
        **_each(_breach_notices),
    ),
    Duty(
        "breach_further", "What becomes known of a breach later is told as well", "GDPR article 33(4)",
        "overdue past the day that was promised, due while anything further is open", "governance:breaches",
        **_each(_breach_further),
    ),
    Duty(
        "requests", "Requests of people are answered in time", "GDPR article 12(3), CCPA, state laws",
        "failing past the law's date, due five days before", "rights:home",
        **_each(_requests), opened_with=_BOARD,
    ),
    Duty(
        "acknowledgements", "Requests are acknowledged in time", "11 CCR 7021",
        "failing past the date, due three days before", "rights:home",
        **_each(_acknowledgements), opened_with=_BOARD,
    ),
    Duty(
        "withdrawals", "A no is carried to every vendor in time", "47 CFR 64.1200(a)(10), GDPR article 7(3)",
        "failing past the law's date, due three days before", "consent:all_withdrawals",
        **_each(_withdrawals), opened_with=frozenset({Permission.MANAGE_CONSENT}),
    ),
    Duty(
        "late_rows", "What is past its date is gone", "GDPR article 5(1)(e)",
        "failing when a row is here a day after it fell due at a live client", "retention:watch", _late_rows,
    ),
    Duty(
        "nightly_run", "The night's run ends every night", "This house",
        "failing after 30 hours without one, due when a part of it stopped", "retention:home", _nightly_run,
        opened_with=frozenset({Permission.MANAGE_RETENTION, AgencyRight.RUN_JOBS}),
    ),
    Duty(
        "trail", "The trail is sealed", "This house",
        "failing when an event waits for its seal for more than five minutes", "dashboard:trail", _trail,
    ),
    Duty(
        "inbox", "What trackers send is read", "This house",
        "failing when something waits for more than a quarter of an hour", "retention:watch", _inbox,
    ),
    Duty(
        "backups", "Both databases are backed up", "GDPR article 32(1)(c)",
        "failing after 30 hours without one where this installation makes them; elsewhere due while there is none yet",
        "retention:backups", _backups,
    ),
    Duty(
        "drills", "A backup is restored on trial", "GDPR article 32(1)(d)",
        "failing when the newest drill failed, overdue after eight days where one runs each week; elsewhere due while"
        " there was none yet",
        "retention:backups", _drills,
    ),
    Duty(
        "transport", "Nothing goes over a network in the clear", "GDPR article 32(1)(a)",
        "failing while a database, Valkey, the mail server or the bucket is spoken to without TLS", "retention:watch",
        _transport,
    ),
    Duty(
        "breach_reports", "Every report of a breach is looked at", "GDPR article 33(1)",
        "due at once, overdue after a day, failing after 72 hours", "governance:breaches", _breach_reports,
    ),
    Duty(
        "badges", "Badges of those who left are back", "GDPR article 32",
        "failing while one is out", "governance:entries", _badges,
    ),
    Duty(
        "secrets", "Keys and secrets are rotated", "GDPR article 32, NIST SP 800-57",
        "overdue when one is past its limit", "retention:secrets", _secrets,
    ),
    Duty(
        "passwords", "Passwords are changed by their day", "The agency's own rule",
        "overdue past the day, due seven days before", "accounts:passwords", _passwords,
    ),
    Duty(
        "second_factors", "Everybody signs in with a second factor", "GDPR article 32",
        "overdue while one is missing that a role has to have, due while somebody had none this morning",
        "accounts:passwords",
        _second_factors,
    ),
    Duty(
        "provider_factors", "Your own provider asks people for a second factor", "GDPR article 32",
        "where people sign in through it alone: due while it did not say so of the last sign-in of who has none here",
        "accounts:provider", _provider_factors,
    ),
    Duty(
        "access_review", "Grants are looked over", "GDPR article 32, the agency's own rule",
        "due while a review is open, overdue past its date or after 120 days without one", "accounts:reviews",
        _access_review,
    ),
    Duty(
        "training", "People know what they have to know", "GDPR article 39(1)(b), 11 CCR 7100",
        "overdue past the day, due seven days before", "governance:training_matrix", _training,
    ),
    Duty(
        "training_rules", "Every role has a course", "GDPR article 39(1)(b)",
        "due while somebody's role has none", "governance:training_matrix", _training_rules,
    ),
    Duty(
        "vendor_reviews", "Vendors are reviewed", "GDPR article 28(1)",
        "due on the day, overdue after it, when a vendor was never reviewed for 30 days, or while one is used that its"
        " newest review refuses",
        "governance:vendors",
        _vendor_reviews,
    ),
    Duty(
        "vendor_contracts", "Processors have an agreement", "GDPR article 28(3)",
        "overdue while one has none that is signed, due while one lacks a clause of the eight", "governance:vendors",
        _vendor_contracts,
    ),
    Duty(
        "vendor_register", "Each tracker in use stands in the register of vendors", "GDPR article 28(1)",
        "due while a connection is active whose tracker is no vendor's, overdue after 30 days: add the vendor, and name"
        " its connections as its own",
        "governance:vendors",
        **_each(_vendor_register),
    ),
    Duty(
        "client_contracts", "Clients that the agency works for as processor have an agreement", "GDPR article 28(3)",
        "overdue when a client of more than 30 days has none that is signed: write its day into the engagement",
        "accounts:clients",
        **_each(_client_contracts),
    ),
    Duty(
        "vendor_certificates", "Vendors' certificates are valid", "GDPR article 28(5)",
        "overdue when one has ended without a newer one, due 30 days before", "governance:vendors",
        _vendor_certificates,
    ),
    Duty(
        "sub_processors", "New sub-processors are accepted or objected to", "GDPR article 28(2)",
        "due when one is announced, overdue past the day to object", "governance:vendors", _sub_processors,
    ),
    Duty(
        "leftovers", "What is erased here is erased at vendors", "GDPR articles 17 and 28(3)(g)",
        "due while a copy is left, overdue after 30 days", "work:queue",
        **_each(_leftovers), opened_with=_RETENTION,
    ),
    Duty(
        "holds", "Holds are looked at again", "GDPR article 5(1)(e)",
        "overdue past the day of review, due seven days before", "retention:all_holds",
        **_each(_holds), opened_with=_RETENTION,
    ),
    Duty(
        "policies", "Proposed policies are decided", "This house",
        "due while one waits for a second person, overdue after three days", "retention:changes",
        **_each(_policies),
    ),
    Duty(
        "observed", "Clients are live", "GDPR article 5(1)(e)",
        "due when one is observed only for more than 30 days", "accounts:clients",
        **_each(_observed),
    ),
    Duty(
        "records", "Records of processing are kept", "GDPR article 30",
        "due after 30 days without a snapshot, or when it says something else for 30 days; overdue after a year",
        "dashboard:records", _records, opened_with=frozenset({AgencyRight.SIGN_OFF}),
    ),
    Duty(
        "client_facts", "It is known whether the CCPA reaches a client", "Cal. Civ. Code 1798.140(d)",
        "due when a fact is missing of a client of more than 30 days", "dashboard:law_changes",
        lambda look: worst((DutyState.DUE, len(_client_facts(look)))), _client_facts,
    ),
    Duty(
        "law", "The rules of the law are looked over", "This house",
        "due when rules that hold for a client were not looked over for 180 days, or were to be looked at again",
        "dashboard:law_changes", _law,
    ),
    Duty(
        "premises", "What is odd at the door is looked at", "GDPR article 32",
        "due at once, overdue after seven days", "governance:entries", _premises,
    ),
)  # fmt: skip
"""Every duty, those of the law first."""


def by_id() -> dict[str, Duty]:
    """The duties by their name."""
    return {duty.id: duty for duty in DUTIES}
