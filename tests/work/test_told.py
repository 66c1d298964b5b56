"""How each person is told of what waits: at once, once a day, or by the bell alone."""

from datetime import datetime, timedelta

import pytest
from django.db import DatabaseError, transaction

from callprivacy.accounts.models import Membership
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.work import selectors
from callprivacy.work import services as work
from callprivacy.work.enums import Told
from callprivacy.work.kinds import ACCESS_REVIEW, FACTOR_RESET
from callprivacy.work.models import MailChoice, Notification
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.make import NOON
from tests.samples import local

SAME_DAY, EIGHT = local(0, 8), local(1, 8)
"""The next two times at which the mail of a day goes out."""
EARLY = SAME_DAY - timedelta(hours=1)


def choose(cast: Cast, person: Membership, **told: Told) -> None:
    with job_scope(agency_id=cast.acme.pk):
        work.choose_mail(
            membership=person,
            told={{"everything": ""}.get(kind, kind): how for kind, how in told.items()},
            by=make.JOB,
            at=NOON,
        )


def tell(cast: Cast, kind: str, at: datetime, *people: Membership) -> None:
    with job_scope(agency_id=cast.acme.pk):
        work.notify(kind, agency_id=cast.acme.pk, user_ids=[one.user_id for one in people], at=at)


def claimed(cast: Cast, at: datetime) -> list[tuple[str, str]]:
    with job_scope(agency_id=cast.acme.pk):
        rows = work.claim_mail(agency_id=cast.acme.pk, at=at, limit=200)
        work.mail_sent(notification_ids=[row.pk for row in rows], at=at)
    return sorted((row.user.name, row.kind) for row in rows)


def test_each_is_told_as_they_chose_for_the_kind_else_for_everything(cast: Cast) -> None:
    choose(cast, cast.alice, everything=Told.BELL, **{FACTOR_RESET: Told.AT_ONCE})
    choose(cast, cast.carol, **{ACCESS_REVIEW: Told.DAILY})
    for kind in (ACCESS_REVIEW, FACTOR_RESET):
        tell(cast, kind, EARLY, cast.alice, cast.carol)

    assert claimed(cast, EARLY) == [("Alice", FACTOR_RESET), ("Carol", FACTOR_RESET)]
    assert claimed(cast, SAME_DAY - timedelta(seconds=1)) == []
    assert claimed(cast, SAME_DAY) == [("Carol", ACCESS_REVIEW)]
    assert claimed(cast, SAME_DAY + timedelta(days=3)) == []
    with job_scope(agency_id=cast.acme.pk):
        assert Notification.objects.filter(mail_due_at__isnull=False).count() == 0
        assert selectors.unread_count(cast.alice) == 2, "the bell rings in any case"


def test_one_mail_a_day_brings_everything_of_the_day_and_nothing_that_was_read(cast: Cast) -> None:
    choose(cast, cast.carol, everything=Told.DAILY)
    after = SAME_DAY + timedelta(minutes=1)
    tell(cast, ACCESS_REVIEW, after, cast.carol)
    tell(cast, FACTOR_RESET, after + timedelta(hours=20), cast.carol)
    assert claimed(cast, after + timedelta(hours=21)) == []
    assert claimed(cast, EIGHT) == [("Carol", ACCESS_REVIEW), ("Carol", FACTOR_RESET)]
    tell(cast, ACCESS_REVIEW, EIGHT + timedelta(hours=1), cast.carol)
    claimed(cast, EIGHT + timedelta(hours=2))
    with job_scope(agency_id=cast.acme.pk):
        work.mark_read(user_id=cast.carol.user_id, at=EIGHT + timedelta(hours=3))
    assert claimed(cast, EIGHT + timedelta(days=2)) == []


def test_who_chooses_to_be_told_at_once_is_told_what_waited(cast: Cast) -> None:
    choose(cast, cast.carol, everything=Told.DAILY)
    tell(cast, ACCESS_REVIEW, NOON + timedelta(hours=3), cast.carol)
    assert claimed(cast, NOON + timedelta(hours=3)) == []
    with job_scope(agency_id=cast.acme.pk):
        later = NOON + timedelta(hours=4)
        work.choose_mail(membership=cast.carol, told={"": Told.AT_ONCE}, by=make.JOB, at=later)
    assert claimed(cast, NOON + timedelta(hours=4)) == [("Carol", ACCESS_REVIEW)]


@pytest.mark.parametrize(
    ("at", "zone", "due"),
    [
        ("2026-11-01T05:30", "America/New_York", "2026-11-01T13:00"),  # the night that has 25 hours
        ("2027-03-13T13:00", "America/New_York", "2027-03-14T12:00"),  # eight to eight, 23 hours
        ("2026-11-24T12:00", "Asia/Kolkata", "2026-11-25T02:30"),
    ],
)
def test_a_day_begins_at_eight_in_the_agencys_zone(at: str, zone: str, due: str) -> None:
    found = work.next_daily_mail(datetime.fromisoformat(f"{at}+00:00"), zone)
    assert found == datetime.fromisoformat(f"{due}+00:00")


def test_a_person_chooses_on_a_page_among_what_concerns_them(cast: Cast) -> None:
    browser = signed_in(cast.carol)
    page = browser.get("/notifications/mail/").content.decode()
    assert "Access review: unconfirmed grants" in page
    assert (
        "Access review: unconfirmed grants"
        not in signed_in(cast.bob).get("/notifications/mail/").content.decode()
    )
    browser.post("/notifications/mail/", {"everything": "daily", f"kind_{FACTOR_RESET}": "bell"})
    with job_scope(agency_id=cast.acme.pk):
        chosen = dict(MailChoice.objects.values_list("kind", "told"))
    assert chosen == {"": "daily", FACTOR_RESET: "bell"}
    assert browser.post("/notifications/mail/", {"everything": "never"}).status_code == 200


def test_nobody_reads_or_changes_how_others_are_told(cast: Cast) -> None:
    choose(cast, cast.carol, everything=Told.BELL)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        assert not MailChoice.objects.exists()
        with pytest.raises(DatabaseError), transaction.atomic():
            MailChoice.objects.create(agency=cast.acme, user=cast.carol.user, kind="x", told=Told.BELL)
