"""
Looking over grants: each quarter who manages people confirms or ends every one, and what nobody answers ends.

When a grant was last used is known by the day: from pages of the client that its person opened, and from the trail.
"""

import csv
import io
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, connection, transaction

from callprivacy.accounts import access, selectors
from callprivacy.accounts.enums import ReviewAnswer
from callprivacy.accounts.models import AccessReview, GrantUse, ReviewLine, VendorSeat
from callprivacy.audit import services as audit
from callprivacy.lib import bounds
from callprivacy.lib.scope import Actor, ScopeKind
from callprivacy.tenancy.models import Agency, Client

BY: Final = Actor.job("access review")
MOST_SEATS: Final = 5000

_NOTE_USE: Final = """
    INSERT INTO accounts_grantuse AS kept (agency_id, user_id, client_id, last_on)
    SELECT %(agency)s, m.user_id, c.id, %(on)s
    FROM accounts_membership m JOIN tenancy_client c ON c.agency_id = m.agency_id
    WHERE m.agency_id = %(agency)s AND m.user_id = %(user)s AND c.id = %(client)s
    ON CONFLICT (agency_id, user_id, client_id) DO UPDATE SET last_on = excluded.last_on
    WHERE kept.last_on < excluded.last_on
"""


_NOTE_DEEDS: Final = """
    INSERT INTO accounts_grantuse AS kept (agency_id, user_id, client_id, last_on)
    SELECT e.agency_id, e.actor_user_id, e.client_id, max((e.at AT TIME ZONE 'UTC')::date)
    FROM audit_event e
    JOIN accounts_membership m ON m.agency_id = e.agency_id AND m.user_id = e.actor_user_id
    JOIN tenancy_client c ON c.agency_id = e.agency_id AND c.id = e.client_id
    WHERE e.agency_id = %(agency)s AND e.at >= %(since)s AND e.at <= %(at)s
    GROUP BY e.agency_id, e.actor_user_id, e.client_id
    ON CONFLICT (agency_id, user_id, client_id) DO UPDATE SET last_on = excluded.last_on
    WHERE kept.last_on < excluded.last_on
"""
_LOOKED_BACK: Final = timedelta(days=120)
_LATELY: Final = timedelta(days=2)


class OpenReviewError(ValueError):
    def __init__(self) -> None:
        super().__init__("A review is open already, or one was started today. Answer that one.")


class SeatsError(ValueError):
    """A list of people could not be read; the text says where, and nothing was kept."""


def note_use(*, agency_id: int, user_id: int, client_id: int, on: date) -> None:
    """Remember that a person opened a page of a client on a day; it never goes backwards."""
    with connection.cursor() as cursor:
        cursor.execute(_NOTE_USE, {"agency": agency_id, "user": user_id, "client": client_id, "on": on})


def note_deeds(*, agency_id: int, at: datetime) -> None:
    """
    Remember people's deeds at clients as uses, from the trail of the last two days; at first of 120.

    So that no page has to read a long trail.
    """
    known = GrantUse.objects.filter(agency_id=agency_id, last_on__lt=(at - _LATELY).date()).exists()
    since = at - (_LATELY if known else _LOOKED_BACK)
    with connection.cursor() as cursor:
        cursor.execute(_NOTE_DEEDS, {"agency": agency_id, "since": since, "at": at})


# --- A review ------------------------------------------------------------------------------------------------------


def period_of(day: date, months: int) -> tuple[str, date]:
    """The name and the first day of the period that a day is in: "2026-10" and 1 October for quarters."""
    first = (day.month - 1) // months * months + 1
    return f"{day.year}-{first:02}", date(day.year, first, 1)


@transaction.atomic
def start_review(*, agency: Agency, period: str, by: Actor, at: datetime) -> AccessReview:
    """
    Start a look over every grant in force.

    :raises OpenReviewError: one is open, or this period had one.
    """
    policy = access.policy_of(agency)
    zone = ZoneInfo(agency.time_zone)
    last_day = at.astimezone(zone).date() + timedelta(days=policy.review_days)
    answer_by = datetime.combine(last_day + timedelta(days=1), time.min, tzinfo=zone).astimezone(UTC)
    try:
        with transaction.atomic():
            review = AccessReview.objects.create(
                agency=agency, period=period, started_at=at, started_by_id=by.user_id, answer_by=answer_by
            )
    except IntegrityError:
        raise OpenReviewError from None
    held = selectors.grants_held(at=at)
    used = selectors.last_used()
    ReviewLine.objects.bulk_create(
        ReviewLine(
            agency=agency,
            review=review,
            user_id=one.user_id,
            client_id=one.client_id,
            bundle=one.bundle,
            granted_at=one.granted_at,
            last_on=used.get((one.user_id, one.client_id)),
        )
        for one in held
    )
    audit.record("access_review.started", by=by, at=at, subject=review, grants=len(held), period=period)
    return review


@transaction.atomic
def answer_lines(
    *, review: AccessReview, line_ids: Collection[int], keep: bool, by: Actor, at: datetime
) -> tuple[int, int]:
    """
    Confirm grants of a review or end them; returns how many were answered, and how many of one's own were left.

    Nobody answers for their own grants while somebody else could. What is answered already stays so.
    """
    lines = ReviewLine.objects.filter(
        review=review, review__closed_at=None, pk__in=list(line_ids), answer=ReviewAnswer.OPEN
    )
    rows = list(lines.select_for_update(of=("self",)).order_by("pk"))
    own = []
    if (
        by.kind == ScopeKind.STAFF
        and by.user_id is not None
        and selectors.managers().exclude(user_id=by.user_id).exists()
    ):
        own = [row for row in rows if row.user_id == by.user_id]
    mine = {row.pk for row in own}
    rows = [row for row in rows if row.pk not in mine]
    answer = ReviewAnswer.KEPT if keep else ReviewAnswer.ENDED
    if not keep:
        access.hold_members(agency_id=review.agency_id, user_ids={row.user_id for row in rows})
    for row in rows:
        if not keep:
            _end_grant(row, by, at)
        audit.record(
            "access_review.answered",
            by=by,
            at=at,
            subject=row,
            client_id=row.client_id,
            person=row.user_id,
            answer=answer.value,
        )
    ReviewLine.objects.filter(pk__in=[row.pk for row in rows]).update(
        answer=answer, answered_by_id=by.user_id, answered_at=at
    )
    return len(rows), len(own)


def _end_grant(line: ReviewLine, by: Actor, at: datetime) -> None:
    access.write_bundle(
        agency_id=line.agency_id,
        user_id=line.user_id,
        client_ids=[line.client_id],
        bundle=None,
        granted_by_id=by.user_id,
        at=at,
        ends_at=None,
    )
    audit.record(
        "grant.changed",
        by=by,
        at=at,
        subject=line,
        client_id=line.client_id,
        person=line.user_id,
        bundle=None,
        review=str(line.review_id),
    )


@transaction.atomic
def close_review(*, review: AccessReview, by: Actor, at: datetime) -> int:
    """
    Close a review whose date is past, or of which everything is answered: what nobody answered ends.

    A grant that was given anew since the review began is no longer the one that was asked about, and stays.

    :returns: how many grants ended.
    """
    if not AccessReview.objects.filter(pk=review.pk, closed_at=None).update(closed_at=at):
        return 0
    rows = list(
        ReviewLine.objects.filter(review=review, answer=ReviewAnswer.OPEN).select_for_update().order_by("pk")
    )
    access.hold_members(agency_id=review.agency_id, user_ids={row.user_id for row in rows})
    held = {(one.user_id, one.client_id): one for one in selectors.grants_held(at=at)}
    lapsed, gone = [], []
    for row in rows:
        now = held.get((row.user_id, row.client_id))
        if now is None or now.granted_at > review.started_at:
            gone.append(row.pk)
            continue
        _end_grant(row, by, at)
        lapsed.append(row.pk)
    ReviewLine.objects.filter(pk__in=lapsed).update(answer=ReviewAnswer.LAPSED, answered_at=at)
    ReviewLine.objects.filter(pk__in=gone).update(answer=ReviewAnswer.GONE, answered_at=at)
    audit.record(
        "access_review.closed", by=by, at=at, subject=review, lapsed=len(lapsed), period=review.period
    )
    return len(lapsed)


@transaction.atomic
def mind_review(*, agency_id: int, at: datetime) -> None:
    """Close the agency's review when its date is past, and start the next when its period has begun."""
    agency = Agency.objects.select_related("sign_in_policy").get(pk=agency_id)
    note_deeds(agency_id=agency_id, at=at)
    review = selectors.open_review()
    if review is not None:
        if review.answer_by <= at or not selectors.count_open_lines(review):
            close_review(review=review, by=BY, at=at)
        return
    zone = ZoneInfo(agency.time_zone)
    months = access.policy_of(agency).review_months
    period, first = period_of(at.astimezone(zone).date(), months)
    begins = datetime.combine(first, time.min, tzinfo=zone)
    # Who came in the middle of a period is asked with the next; so is who has just been asked by hand.
    if agency.created_at >= begins or AccessReview.objects.filter(started_at__gte=begins).exists():
        return
    if selectors.grants_held(at=at):
        start_review(agency=agency, period=period, by=BY, at=at)


# --- Lists of people at the vendors --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Read:
    """One row of a vendor's list."""

    email: str
    name: str
    account: str
    role: str


_COLUMNS: Final = {
    "email": ("email", "e-mail", "email address", "user email", "login"),
    "name": ("name", "user", "full name", "user name"),
    "account": ("account", "company", "company name", "client", "sub-account", "account name"),
    "role": ("role", "permission", "access", "access level", "user role"),
}


def read_seats(text: str) -> list[Read]:
    """
    Read a vendor's list of people: a CSV with a heading, an e-mail in each row, and where known name, account, role.

    :raises SeatsError: the line, the column and what was expected; nothing is kept.
    """
    sample = text.lstrip("\ufeff")
    rows = csv.reader(io.StringIO(sample), delimiter=";" if sample.partition("\n")[0].count(";") else ",")
    try:
        heads, *rest = ([cell.strip() for cell in row] for row in rows)
    except ValueError:
        raise SeatsError("The file is empty. Expected: a first line with names of columns.") from None
    except csv.Error as error:
        raise SeatsError(f"Line {rows.line_num}: {bounds.csv_fault(error)}.") from None
    heads = [head.lower() for head in heads]
    places = {
        field: next((heads.index(name) for name in names if name in heads), None)
        for field, names in _COLUMNS.items()
    }
    if places["email"] is None:
        raise SeatsError(
            'Line 1: no column is called "email". Expected: email, and where known name, account, role.'
        )
    found: dict[tuple[str, str], Read] = {}
    for number, row in enumerate(rest, start=2):
        if not any(row):
            continue
        values = {field: _cell(row, place) for field, place in places.items()}
        email = values["email"].lower()
        try:
            validate_email(email)
        except ValidationError:
            raise SeatsError(f'Line {number}, column "email": no e-mail address stands there.') from None
        read = Read(email[:254], values["name"][:120], values["account"][:200], values["role"][:60])
        found[read.email, read.account] = read
        if len(found) > MOST_SEATS:
            raise SeatsError(f"More than {MOST_SEATS} people. Bring the list of one vendor at a time.")
    return list(found.values())


def _cell(row: list[str], place: int | None) -> str:
    return row[place] if place is not None and place < len(row) else ""


@transaction.atomic
def take_seats(*, agency: Agency, vendor: str, seats: Collection[Read], by: Actor, at: datetime) -> int:
    """Keep a vendor's list in place of the one before; accounts are matched to clients by name. Returns how many."""
    if by.user_id is None:
        raise TypeError("A list is brought by a person.")
    clients: dict[str, int] = {}
    for client in Client.objects.filter(agency=agency):
        for name in (client.slug, client.name, client.legal_name):
            clients.setdefault(_plain(name), client.pk)
    VendorSeat.objects.filter(agency=agency, vendor=vendor).delete()
    VendorSeat.objects.bulk_create(
        VendorSeat(
            agency=agency,
            vendor=vendor,
            email=seat.email,
            name=seat.name,
            account=seat.account,
            role=seat.role,
            client_id=clients.get(_plain(seat.account)) if seat.account else None,
            imported_at=at,
            imported_by_id=by.user_id,
        )
        for seat in seats
    )
    audit.record("vendor_seats.taken", by=by, at=at, vendor=vendor, people=len(seats))
    return len(seats)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
