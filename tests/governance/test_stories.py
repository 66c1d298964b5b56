"""Two stories of the programme from end to end, each told by the trail: somebody who comes and leaves, and a drill."""

import re
from datetime import datetime, time, timedelta

import pytest
import time_machine
from django.test import Client as Browser
from django.urls import reverse

from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import AccessReview, Membership, ReviewLine
from callprivacy.accounts.services import grants, invitations, reviews
from callprivacy.audit.models import Event
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope
from callprivacy.work import services as work
from governance.courses import courses, draw
from governance.enums import EntryFlag, EntrySource
from governance.models import Attempt, Breach, BreachNotice, Completion, Entry
from governance.services import premises, training
from tests import make
from tests.accounts.browsers import sign_in, signed_in
from tests.cast import Cast
from tests.make import NOON, PASSWORD
from tests.rules.world import browser_of

pytestmark = pytest.mark.django_db


def told(cast: Cast) -> list[str]:
    with job_scope(agency_id=cast.acme.pk):
        return list(Event.objects.order_by("pk").values_list("action", flat=True))


def in_order(story: tuple[str, ...], said: list[str]) -> bool:
    """Whether the steps of a story stand in the trail one after the other."""
    rest = iter(said)
    return all(step in rest for step in story)


@pytest.mark.thorough
def test_somebody_is_invited_trained_granted_reviewed_and_leaves(cast: Cast) -> None:
    alice = Actor.staff(user_id=cast.alice.user_id)
    course = courses()["phishing"]
    with time_machine.travel(NOON, tick=False), job_scope(agency_id=cast.acme.pk):
        training.set_rules(agency=cast.acme, course=course, within={Role.REVIEWER: 14}, by=alice, at=NOON)
        invitation, _ = invitations.invite(
            agency_id=cast.acme.pk, email="nora@acme.example", name="Nora", role=Role.REVIEWER, client_ids=[],
            by=alice, at=NOON,
        )  # fmt: skip
        user = invitations.accept(invitation=invitation, name="Nora", password=PASSWORD, at=NOON)
        nora = Membership.objects.select_related("user").get(user=user)
        site = premises.add_site(
            agency=cast.acme, name="Office", address="", time_zone="America/New_York", weekdays=range(1, 8),
            opens=time(0), closes=time(23, 59), by=alice, at=NOON,
        )  # fmt: skip
        premises.give_badge(
            site=site, user_id=user.pk, label="B7", code="B7", any_hour=True, until_on=None, by=alice, at=NOON
        )
    training.watch_training(agency_id=cast.acme.pk, at=NOON)
    with time_machine.travel(NOON + timedelta(hours=1), tick=False):
        browser = Browser()
        sign_in(browser, "nora@acme.example")
        assert "Due" in browser.get(reverse("governance:training")).content.decode()
        browser.post(reverse("governance:start_try", args=[course.id]))
        with job_scope(agency_id=cast.acme.pk):
            drawn = draw(course, Attempt.objects.get().seed)
        right = {f"q_{one.number}": [place for place, _ in one.choices].index(0) for one in drawn}
        browser.post(reverse("governance:questions", args=[course.id]), right)
        with job_scope(agency_id=cast.acme.pk):
            assert Completion.objects.get().user_id == user.pk
            grants.set_bundle(
                membership=nora, client=cast.plumber, bundle=Role.REVIEWER, by=alice, at=NOON, ends_at=None
            )
        assert browser.get(reverse("accounts:client", args=["plumber"])).status_code == 200
        with job_scope(agency_id=cast.acme.pk):
            review: AccessReview = reviews.start_review(
                agency=cast.acme, period="now", by=alice, at=make.now()
            )
            line = ReviewLine.objects.get(review=review, user=user)
            reviews.answer_lines(review=review, line_ids=[line.pk], keep=True, by=alice, at=make.now())
            work.let_go(membership=nora, to_id=None, by=alice, at=make.now())
        assert browser.get(reverse("accounts:client", args=["plumber"])).status_code in {302, 404}
    with job_scope(agency_id=cast.acme.pk):
        late = premises.Passing("1", "B7", is_in=True, at=NOON + timedelta(days=1))
        premises.take_in(site=site, passings=[late], source=EntrySource.FILE, by=alice, at=NOON)
        assert Entry.objects.get().flags == [EntryFlag.LEFT], "the badge of the former member is flagged"
    story = (
        "invitation.sent", "invitation.accepted", "badge.given", "person.signed_in", "training.tried",
        "training.passed", "grant.changed", "access_review.started", "access_review.answered", "person.left",
    )  # fmt: skip
    assert in_order(story, told(cast)), told(cast)


def test_a_drill_has_its_notice_within_minutes(cast: Cast) -> None:
    """From somebody's report to the draft under article 33(3), through the pages that people use."""
    begin = make.now()
    bob, alice = browser_of(cast.bob.user), browser_of(cast.alice.user)
    bob.post(
        reverse("governance:report_breach"),
        {"title": "A laptop in a taxi", "words": "A drill: signed in, left at six.", "is_drill": "on"},
    )
    with job_scope(agency_id=cast.acme.pk):
        breach = Breach.objects.get()
    here = datetime.now(begin.tzinfo) - timedelta(hours=6)  # noqa: TID251  (the form is in New York's time)
    alice.post(
        reverse("governance:assess_breach", args=[breach.pk]),
        {"aware_at": here.strftime("%Y-%m-%dT%H:%M"), "kind": "confidentiality", "risk": "risk", "places": "DE",
         "categories": ["numbers", "calls"], "people": "120", "effects": "Unwanted calls",
         "remedy": "Locked from afar"},
    )  # fmt: skip
    with job_scope(agency_id=cast.acme.pk):
        notice = BreachNotice.objects.get(breach=breach)
        breach.refresh_from_db()
    page = reverse("governance:breach_notice", args=[breach.pk, notice.pk])
    draft = alice.get(page).context["form"].initial["text"]
    assert draft.startswith("DRILL - no breach has happened")
    assert re.findall(r"^(\d)\. ", draft, re.MULTILINE) == ["1", "2", "3", "4", "5", "6"]
    assert "about 120" in draft
    assert breach.aware_at is not None
    assert notice.due_at == breach.aware_at + timedelta(hours=72)
    unsaid = alice.post(page, {"text": draft})
    assert "The text announces an update" in unsaid.content.decode()
    alice.post(
        page, {"text": draft, "follows": "on", "more_on": (here + timedelta(days=2)).strftime("%Y-%m-%d")}
    )
    with job_scope(agency_id=cast.acme.pk):
        further = BreachNotice.objects.get(breach=breach, phase=2)
    assert "notification 2" in alice.get(reverse("governance:breach", args=[breach.pk])).content.decode()
    assert "1 update" in alice.get(reverse("governance:breaches")).content.decode()
    rest = reverse("governance:breach_notice", args=[breach.pk, further.pk])
    assert "No changes." in alice.get(rest).content.decode()
    alice.post(
        reverse("governance:leave_notice", args=[breach.pk, further.pk]),
        {"reason": "The logs hold nothing more."},
    )
    alice.post(
        reverse("governance:close_breach", args=[breach.pk]), {"lessons": "The number is on the wall now."}
    )
    story = ("breach.reported", "breach.assessed", "breach.told", "breach.not_told", "breach.closed")
    assert in_order(story, told(cast))
    assert make.now() - begin < timedelta(minutes=5)
    bob.post(
        reverse("governance:report_breach"),
        {"title": "Another", "words": "A drill as well.", "is_drill": "on"},
    )
    summary = alice.get(reverse("governance:home")).context["summary"]
    assert (summary.breaches_reported, summary.breaches_open, summary.notices_due) == (0, 0, 0)
    assert signed_in(cast.bob).get(page).status_code == 403
