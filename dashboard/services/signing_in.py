"""The invented people behind their door: ages of passwords, mornings, a review half answered, a vendor's list."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from callprivacy.accounts import selectors
from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import (
    AccessReview,
    ClientGrant,
    Membership,
    PasswordDay,
    ReviewLine,
    User,
)
from callprivacy.accounts.services import passwords, reviews
from callprivacy.lib import calendars
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Agency, Client
from dashboard import demo

_MORNINGS = 90
# How old each one's password is; the oldest is due soon, and none is overdue, so that everybody gets in.
_AGES = (21, 81, 39, 12, 47, 33, 66, 5, 58)


def fill(agency: Agency, members: Sequence[Membership], *, officer: Membership, at: datetime) -> None:
    """Fill it; called inside the agency's scope, once its people and clients are there."""
    by = Actor.staff(user_id=officer.user_id)
    passwords.change_policy(
        agency=agency,
        values={"keeper": "We pay for Bitwarden. Ask for your seat at the front desk."},
        by=by,
        at=at,
    )
    for number, member in enumerate(members):
        age = timedelta(days=_AGES[number % len(_AGES)])
        User.objects.filter(pk=member.user_id).update(password_changed_at=at - age)
    passwords.renew_due(user_ids=[member.user_id for member in members])
    _draw_mornings(agency, len(members), at)
    _look_over(agency, officer, at)
    _list_of_vendor(agency, members, by, at)


def _draw_mornings(agency: Agency, people: int, at: datetime) -> None:
    today = calendars.day_in(agency.time_zone, at)
    days = range(_MORNINGS, 0, -1)
    PasswordDay.objects.bulk_create(
        PasswordDay(
            agency=agency,
            on=today - timedelta(days=day),
            people=people,
            soon=(day % 23 < 13) + (day % 31 < 12) + (day % 17 < 6),
            overdue=(day % 23 == 22) + (day % 31 in {29, 30}),
            without_factor=people if day > 40 else people - 1,
        )
        for day in days
    )


def _look_over(agency: Agency, officer: Membership, at: datetime) -> None:
    """A review that began last week; the officer has confirmed what is in daily use."""
    began = at - timedelta(days=6)
    ClientGrant.objects.filter(agency=agency).update(granted_at=at - timedelta(days=120))
    for client_id in Client.objects.filter(agency=agency).values_list("pk", flat=True):
        for member in Membership.objects.filter(agency=agency).exclude(role=Role.ANALYST):
            reviews.note_use(
                agency_id=agency.pk,
                user_id=member.user_id,
                client_id=client_id,
                on=(at - timedelta(days=(client_id + member.pk) % 75)).date(),
            )
    review = reviews.start_review(agency=agency, period="2026-10", by=reviews.BY, at=at)
    AccessReview.objects.filter(pk=review.pk).update(started_at=began)
    lines = ReviewLine.objects.filter(review=review).exclude(user_id=officer.user_id).order_by("pk")
    reviews.answer_lines(
        review=review,
        line_ids=list(lines.values_list("pk", flat=True)[:4]),
        keep=True,
        by=Actor.staff(user_id=officer.user_id),
        at=at,
    )


def _list_of_vendor(agency: Agency, members: Sequence[Membership], by: Actor, at: datetime) -> None:
    clients = list(Client.objects.filter(agency=agency).order_by("name"))
    held = {(one.user_id, one.client_id) for one in selectors.grants_held(at=at)}
    seats = [
        reviews.Read(member.user.email, member.user.name, client.name, "Manager")
        for member in members
        for client in clients
        if (member.user_id, client.pk) in held and (member.pk + client.pk) % 3
    ]
    strays = [
        reviews.Read(member.user.email, member.user.name, clients[-1].name, "Reporting")
        for member in members
        if (member.user_id, clients[-1].pk) not in held
    ][:1]
    seats += [*strays, reviews.Read(f"former.temp{demo.MAIL}", "Former Temp", clients[0].name, "Admin")]
    reviews.take_seats(agency=agency, vendor="CallRail", seats=seats, by=by, at=at)
