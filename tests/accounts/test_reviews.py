"""Looking over grants: confirmed or ended, with their last use, beside the vendors' own lists."""

import re
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from callprivacy.accounts import access, selectors, tasks
from callprivacy.accounts.enums import ReviewAnswer, Role
from callprivacy.accounts.models import (
    AccessReview,
    ClientGrant,
    GrantUse,
    Membership,
    ReviewLine,
    User,
    VendorSeat,
)
from callprivacy.accounts.services import grants, invitations, reviews
from callprivacy.accounts.services.people import OwnRightsError
from callprivacy.accounts.tasks import mind_reviews, note_use
from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.work import services as work
from callprivacy.work.models import Item
from tests import make
from tests.accounts.browsers import actions_of, signed_in
from tests.cast import Cast
from tests.make import NOON, PASSWORD


def midnight(day: date) -> datetime:
    """The beginning of a day in the agency's zone."""
    return datetime.combine(day, time(), tzinfo=ZoneInfo("America/New_York"))


def by(person: Membership) -> Actor:
    return Actor.staff(user_id=person.user_id)


def started(cast: Cast, at: datetime = NOON) -> AccessReview:
    with job_scope(agency_id=cast.acme.pk):
        return reviews.start_review(agency=cast.acme, period="2026-10", by=reviews.BY, at=at)


def line_of(review: AccessReview, person: Membership, client: Client) -> ReviewLine:
    return ReviewLine.objects.get(review=review, user_id=person.user_id, client=client)


def sees(person: Membership, client: Client) -> bool:
    with job_scope(agency_id=client.agency_id):
        return access.may(person, Permission.VIEW_CLIENT, client, at=make.now())


def test_grants_are_confirmed_or_ended_and_nobody_answers_for_their_own(cast: Cast) -> None:
    review = started(cast)
    with job_scope(agency_id=cast.acme.pk):
        lines = {(line.user_id, line.client_id): line.pk for line in ReviewLine.objects.all()}
    a, b = cast.alice.user_id, cast.bob.user_id
    assert set(lines) == {(a, cast.dentist.pk), (a, cast.plumber.pk), (b, cast.dentist.pk)}
    where = f"/people/reviews/{review.pk}/"
    alice, carol = signed_in(cast.alice), signed_in(cast.carol)
    selectable = set(re.findall(r'name="line" value="([^"]+)"', alice.get(where).text))
    assert selectable == {str(lines[b, cast.dentist.pk])}

    alice.post(where, {"deed": "keep", "line": [lines[a, cast.dentist.pk]]})
    carol.post(where, {"deed": "keep", "line": [lines[a, cast.dentist.pk]]})
    alice.post(where, {"deed": "end", "line": [lines[b, cast.dentist.pk]]})
    carol.post(where, {"deed": "keep", "line": [lines[b, cast.dentist.pk]]})

    with job_scope(agency_id=cast.acme.pk):
        answers = dict(ReviewLine.objects.values_list("pk", "answer"))
    assert answers[lines[a, cast.dentist.pk]] == ReviewAnswer.KEPT
    assert answers[lines[b, cast.dentist.pk]] == ReviewAnswer.ENDED, "what is answered stays so"
    assert answers[lines[a, cast.plumber.pk]] == ReviewAnswer.OPEN
    assert not sees(cast.bob, cast.dentist)
    assert actions_of(cast.acme.pk).count("access_review.answered") == 2
    assert signed_in(cast.mallory).get(where).status_code == 404


def test_what_nobody_answers_ends_at_its_date_and_what_was_given_anew_stays(cast: Cast) -> None:
    make.grant(cast.carol, cast.plumber)
    review = started(cast)
    assert review.answer_by == midnight(NOON.date() + timedelta(days=15)), "after the 14th day"
    with job_scope(agency_id=cast.acme.pk):
        reviews.answer_lines(
            review=review,
            line_ids=[line_of(review, cast.alice, cast.dentist).pk],
            keep=True,
            by=by(cast.carol),
            at=NOON,
        )
        grants.set_bundle(
            membership=cast.bob, client=cast.dentist, bundle=None, by=by(cast.alice), at=NOON, ends_at=None
        )
        grants.set_bundle(
            membership=cast.carol,
            client=cast.plumber,
            bundle=Role.ADMIN,
            by=by(cast.alice),
            at=NOON + timedelta(days=1),
            ends_at=None,
        )
        reviews.mind_review(agency_id=cast.acme.pk, at=review.answer_by - timedelta(seconds=1))
        assert ReviewLine.objects.filter(answer=ReviewAnswer.OPEN).count() == 3
        reviews.mind_review(agency_id=cast.acme.pk, at=review.answer_by)
        reviews.mind_review(agency_id=cast.acme.pk, at=review.answer_by)
        answers = {
            (line.user_id, line.client_id): line.answer for line in ReviewLine.objects.filter(review=review)
        }
    assert answers[cast.alice.user_id, cast.dentist.pk] == ReviewAnswer.KEPT
    assert answers[cast.alice.user_id, cast.plumber.pk] == ReviewAnswer.LAPSED
    assert answers[cast.bob.user_id, cast.dentist.pk] == ReviewAnswer.GONE
    assert answers[cast.carol.user_id, cast.plumber.pk] == ReviewAnswer.GONE
    assert sees(cast.alice, cast.dentist)
    assert not sees(cast.alice, cast.plumber)
    assert sees(cast.carol, cast.plumber)
    with job_scope(agency_id=cast.acme.pk):
        AccessReview.objects.get(pk=review.pk, closed_at=review.answer_by)


def test_each_quarter_one_starts_by_itself_and_waits_in_the_queue(cast: Cast) -> None:
    def minded(at: datetime) -> list[str]:
        with job_scope(agency_id=cast.acme.pk):
            reviews.mind_review(agency_id=cast.acme.pk, at=at)
            work.mind_people(agency_id=cast.acme.pk, at=at)
            return list(AccessReview.objects.order_by("started_at").values_list("period", flat=True))

    month = 3 * ((NOON.month - 1) // 3) + 4
    quarter = date(NOON.year + (month > 12), (month - 1) % 12 + 1, 1)
    starts, ends, period = midnight(quarter), midnight(quarter + timedelta(days=15)), f"{quarter:%Y-%m}"
    assert minded(NOON) == [], "who came in the middle of a quarter is asked with the next"
    assert minded(starts - timedelta(minutes=1)) == []
    assert minded(starts) == [period]
    with job_scope(agency_id=cast.acme.pk):
        (item,) = Item.objects.open().filter(kind="access_review")
        assert (item.count, item.due_at) == (3, ends)
    assert "Access review: unconfirmed grants" in signed_in(cast.alice).get("/work/").content.decode()
    assert minded(ends) == [period]
    assert minded(starts + timedelta(days=89, hours=12)) == [period]
    with job_scope(agency_id=cast.acme.pk):
        assert not Item.objects.open().filter(kind="access_review").exists()


@pytest.mark.parametrize(
    ("day", "months", "period"),
    [
        (date(2026, 11, 24), 3, ("2026-10", date(2026, 10, 1))),
        (date(2026, 12, 31), 12, ("2026-01", date(2026, 1, 1))),
        (date(2028, 2, 29), 1, ("2028-02", date(2028, 2, 1))),
    ],
)
def test_a_period_begins_with_its_month(day: date, months: int, period: tuple[str, date]) -> None:
    assert reviews.period_of(day, months) == period


# --- last use ---


def test_the_last_use_is_the_newest_of_pages_and_deeds(cast: Cast) -> None:
    ours = {"agency_id": cast.acme.pk, "client_id": cast.dentist.pk}
    with job_scope(agency_id=cast.acme.pk):
        reviews.note_use(**ours, user_id=cast.bob.user_id, on=date(2026, 9, 1))
        reviews.note_use(**ours, user_id=cast.bob.user_id, on=date(2026, 8, 1))
        reviews.note_use(**ours, user_id=cast.mallory.user_id, on=date(2026, 9, 1))
        assert GrantUse.objects.get().last_on == date(2026, 9, 1), "a stranger's id leaves nothing"
        audit.record("number.revealed", by=by(cast.bob), at=NOON, client_id=cast.dentist.pk)
        reviews.note_deeds(agency_id=cast.acme.pk, at=NOON)
        reviews.note_deeds(agency_id=cast.acme.pk, at=NOON + timedelta(days=9))
        assert selectors.last_used()[cast.bob.user_id, cast.dentist.pk] == NOON.date()
    note_use(agency_id=cast.acme.pk, user_id=cast.alice.user_id, client_id=cast.plumber.pk)
    with job_scope(agency_id=cast.acme.pk):
        assert (cast.alice.user_id, cast.plumber.pk) in selectors.last_used()


def test_a_page_of_a_client_is_noted_once_a_day_without_a_question_to_the_database(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, int]] = []
    monkeypatch.setattr(note_use, "delay", lambda **ids: sent.append(ids))
    monkeypatch.setattr(tasks, "_quiet", {"until": 0.0})
    browser = signed_in(cast.bob)
    for path in ("/clients/dentist/notices/", "/clients/plumber/notices/", "/clients/dentist/notices/"):
        browser.get(path)
    ids = {"agency_id": cast.acme.pk, "user_id": cast.bob.user_id, "client_id": cast.dentist.pk}
    assert sent == [ids]


def test_grants_unused_for_sixty_days_are_suggested(cast: Cast) -> None:
    at = NOON + timedelta(days=61)
    with job_scope(agency_id=cast.acme.pk):
        reviews.note_use(
            agency_id=cast.acme.pk,
            user_id=cast.alice.user_id,
            client_id=cast.dentist.pk,
            on=(at - timedelta(days=60)).date(),
        )
        found = {(one.membership.user_id, one.client.pk) for one in selectors.unused_grants(days=60, at=at)}
        assert selectors.unused_grants(days=60, at=NOON + timedelta(days=59)) == []
    assert found == {(cast.alice.user_id, cast.plumber.pk), (cast.bob.user_id, cast.dentist.pk)}


# --- lists of vendors ---


LIST = """Email,Name,Company,Role
bob@acme.example,Bob,Plumber,Manager
BOB@acme.example,Bob,Dentist LLC,Manager
eve@elsewhere.example,Eve,Old Name,Admin
"""


def bring(cast: Cast, text: str, vendor: str = "CallRail") -> str:
    file = SimpleUploadedFile("people.csv", text.encode(), content_type="text/csv")
    answer = signed_in(cast.alice).post("/people/seats/", {"vendor": vendor, "file": file}, follow=True)
    return str(answer.content.decode())


def test_who_sees_a_client_at_the_vendor_but_not_here_is_found(cast: Cast) -> None:
    assert "3 people of CallRail" in bring(cast, LIST)
    with job_scope(agency_id=cast.acme.pk):
        found = {(one.seat.email, one.seat.account): one.why for one in selectors.stray_seats(at=make.now())}
    assert found == {
        ("bob@acme.example", "Plumber"): "sees it at CallRail, not here",
        ("eve@elsewhere.example", "Old Name"): "sees it at CallRail, and is nobody here",
    }
    page = signed_in(cast.alice).get("/people/reviews/").content.decode()
    assert "At the vendors, not here: 2" in page
    bring(cast, "email;account\ncarol@acme.example;Dentist\n")
    bring(cast, "email\ncarol@acme.example\n", "Twilio")
    with job_scope(agency_id=cast.acme.pk):
        kept = list(VendorSeat.objects.order_by("vendor").values_list("vendor", "email", "client_id"))
    assert kept == [
        ("CallRail", "carol@acme.example", cast.dentist.pk),
        ("Twilio", "carol@acme.example", None),
    ]


def test_a_seat_of_who_is_switched_off_here_is_found(cast: Cast) -> None:
    bring(cast, "email\nbob@acme.example\n")
    User.objects.filter(pk=cast.bob.user_id).update(is_active=False)
    with job_scope(agency_id=cast.acme.pk):
        (found,) = selectors.stray_seats(at=make.now())
    assert (found.why, found.short) == ("sees it at CallRail, and is switched off here", "Switched off here")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("Name,Role\nBob,Admin\n", "Line 1: no column is called"),
        ("email\nbob@acme.example\nnobody\n", "Line 3, column"),
    ],
)
def test_a_list_that_cannot_be_read_says_where_and_keeps_nothing(cast: Cast, text: str, words: str) -> None:
    assert words in bring(cast, text)
    with job_scope(agency_id=cast.acme.pk):
        assert not VendorSeat.objects.exists()


# --- leaving ---


def test_one_press_ends_everything_of_a_leaver_and_hands_their_tasks_over(cast: Cast) -> None:
    make.grant(cast.carol, cast.dentist, Role.OFFICER)
    with job_scope(agency_id=cast.acme.pk):
        for number in range(2):
            work.open_item("access_review", agency_id=cast.acme.pk, key=f"x{number}", at=NOON)
        items = list(Item.objects.values_list("pk", flat=True))
        work.assign_items(
            agency_id=cast.acme.pk, item_ids=items, owner_id=cast.carol.user_id, by=by(cast.alice), at=NOON
        )
    bring(cast, "email,account\ncarol@acme.example,Dentist\n")
    carol, alice = signed_in(cast.carol), signed_in(cast.alice)
    assert carol.get("/clients/").status_code == 200
    where = f"/people/{cast.carol.pk}/leaves/"
    page = alice.get(where).content.decode()
    assert "CallRail: remove carol@acme.example from Dentist" in page
    assert "Open tasks handed over" in page

    answer = alice.post(where, {"to": cast.alice.user_id}, follow=True).content.decode()

    assert "grants on 1 clients" in answer
    assert "Tasks: 2 handed over, 0 nobody" in answer
    assert carol.get("/clients/").status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        assert not ClientGrant.objects.filter(user=cast.carol.user).exists()
        assert set(Item.objects.open().values_list("owner_id", flat=True)) == {cast.alice.user_id}
        assert Membership.objects.get(pk=cast.carol.pk).state == "left"
        assert "sees it at CallRail, and is left here" in [
            one.why for one in selectors.stray_seats(at=make.now())
        ]
    assert "person.left" in actions_of(cast.acme.pk)
    alice.post(f"/people/{cast.carol.pk}/reactivate/")
    assert signed_in(cast.carol).get("/clients/dentist/calls/").status_code in {403, 404}


def test_nobody_sees_themselves_off_and_somebody_stays(cast: Cast) -> None:
    page = signed_in(cast.alice).post(f"/people/{cast.alice.pk}/leaves/", follow=True).content.decode()
    assert "you cannot change your own role" in page
    with job_scope(agency_id=cast.globex.pk), pytest.raises(OwnRightsError):
        work.let_go(membership=cast.mallory, to_id=None, by=by(cast.mallory), at=NOON)
    mind_reviews()


def test_somebody_comes_is_granted_looked_over_and_leaves_and_the_trail_tells_it(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        invitation, _ = invitations.invite(
            agency_id=cast.acme.pk,
            email="nora@acme.example",
            name="Nora",
            role=Role.REVIEWER,
            client_ids=[cast.dentist.pk],
            by=by(cast.alice),
            at=make.now(),
        )
        user = invitations.accept(invitation=invitation, name="Nora", password=PASSWORD, at=make.now())
        nora = Membership.objects.select_related("user").get(user=user)
        assert nora.user.password_due_at is not None, "it is due like everybody's"
        grants.set_bundle(
            membership=nora,
            client=cast.plumber,
            bundle=Role.REVIEWER,
            by=by(cast.alice),
            at=make.now(),
            ends_at=None,
        )
        review = reviews.start_review(agency=cast.acme, period="now", by=by(cast.alice), at=make.now())
        reviews.answer_lines(
            review=review,
            line_ids=[line_of(review, nora, cast.plumber).pk],
            keep=True,
            by=by(cast.alice),
            at=make.now(),
        )
    signed_in(cast.alice).post(f"/people/{nora.pk}/leaves/", {"to": ""})
    said = actions_of(cast.acme.pk)
    said = said[said.index("invitation.sent") :]
    story = [
        "invitation.sent", "invitation.accepted", "grant.changed", "access_review.started", "access_review.answered",
        "person.left",
    ]  # fmt: skip
    places = [said.index(action) for action in story]
    assert places == sorted(places)
    assert not sees(nora, cast.plumber)
