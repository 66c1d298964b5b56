"""The programme through its doors: a breach from report to end, a course from its screens to its certificate."""

from datetime import timedelta

import pytest
from django.urls import reverse

from callprivacy.accounts.models import Membership
from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope, staff_scope
from governance.courses import courses, draw
from governance.models import Attempt, Breach, BreachNotice, Completion
from governance.selectors import impact
from tests import make
from tests.cast import Cast
from tests.rules.world import browser_of

pytestmark = pytest.mark.django_db


def test_a_breach_goes_from_its_report_to_its_end(cast: Cast) -> None:
    bob, alice = browser_of(cast.bob.user), browser_of(cast.alice.user)
    now = make.now()

    refused = bob.post(
        reverse("governance:report_breach"), {"title": "List of +12025550111", "words": "It went astray."}
    )
    assert "Remove phone numbers and email addresses" in refused.content.decode()
    bob.post(
        reverse("governance:report_breach"),
        {"title": "A list", "words": "It went to Jane Miller."},
        follow=True,
    )
    assert "A list" in bob.get(reverse("governance:home")).content.decode()

    with job_scope(agency_id=cast.acme.pk):
        breach = Breach.objects.get()
    page = reverse("governance:breach", args=[breach.pk])
    assert "Jane Miller" in alice.get(page).content.decode()
    assert bob.get(page).status_code == 403
    said = {
        "aware_at": (now - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M"), "kind": "confidentiality", "risk": "risk",
        "categories": ["calls"], "places": "de", "effects": "Annoyance",
    }  # fmt: skip
    # The field is in New York's time: two hours ago by UTC lies ahead there.
    wrong = alice.post(reverse("governance:assess_breach", args=[breach.pk]), said)
    assert "The time of awareness cannot be in the future" in wrong.content.decode()
    early = {"aware_at": (now - timedelta(hours=8)).strftime("%Y-%m-%dT%H:%M")}
    alice.post(reverse("governance:assess_breach", args=[breach.pk]), said | early)
    with job_scope(agency_id=cast.acme.pk):
        notice = BreachNotice.objects.get()
    told = reverse("governance:breach_notice", args=[breach.pk, notice.pk])
    draft = alice.get(told).content.decode()
    assert "GDPR article 33" in draft
    assert "Jane Miller" in draft
    alice.post(reverse("governance:close_breach", args=[breach.pk]), {"lessons": "Look twice."})
    alice.post(told, {"text": "What was sent"})
    assert "What was sent" in alice.get(told).content.decode()
    closed = alice.post(
        reverse("governance:close_breach", args=[breach.pk]), {"lessons": "Look twice."}, follow=True
    )
    assert "It stays in the register" in closed.content.decode()


def test_what_was_touched_is_counted_for_who_manages_the_agency_also_without_a_grant(cast: Cast) -> None:
    call, today = make.call(cast.dentist, "+12025550111"), make.NOON.date()
    with job_scope(agency_id=cast.acme.pk):
        bob = Actor.staff(user_id=cast.bob.user_id)
        audit.record("number.revealed", subject=call, client_id=cast.dentist.pk, by=bob, at=make.NOON)
    asked = (
        reverse("governance:impact") + f"?who=&since={today - timedelta(days=23)}T00:00&until={today}T23:00"
    )

    carol = browser_of(cast.carol.user).get(asked)

    assert [(line.people, client.name) for line, client in carol.context["rows"]] == [(1, "Dentist")]
    assert "2025550111" not in carol.content.decode()
    assert browser_of(cast.bob.user).get(asked).status_code == 403
    assert browser_of(cast.mallory.user).get(asked).context["rows"] == []
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.bob.user_id):
        assert impact.of_deeds(since=make.NOON, until=make.NOON + timedelta(days=1)).lines == []
        assert impact.touchers() == []


def test_a_course_goes_from_its_screens_to_its_certificate(cast: Cast) -> None:
    bob = browser_of(cast.bob.user)
    course = courses()["passwords"]
    last = bob.get(reverse("governance:screen", args=[course.id, len(course.screens)])).content.decode()
    assert reverse("governance:start_try", args=[course.id]) in last
    assert bob.get(reverse("governance:screen", args=[course.id, 99])).status_code == 404
    questions = reverse("governance:questions", args=[course.id])
    assert bob.get(questions).status_code == 302, "looking begins no try"
    with job_scope(agency_id=cast.acme.pk):
        assert not Attempt.objects.exists()
    begin = reverse("governance:start_try", args=[course.id])
    assert bob.get(begin).status_code == 405
    assert bob.post(begin)["Location"] == bob.post(begin)["Location"] == questions
    assert (
        "Continue the questions"
        in bob.get(reverse("governance:screen", args=[course.id, len(course.screens)])).content.decode()
    )
    with job_scope(agency_id=cast.acme.pk):
        drawn = draw(course, Attempt.objects.get().seed)

    half = bob.post(questions, {f"q_{one.number}": "0" for one in drawn[:6]})
    assert "Select an answer" in half.content.decode()
    right = {f"q_{one.number}": [place for place, _ in one.choices].index(0) for one in drawn}
    assert set(right.values()) != {0}, "the first on the page is not the right one"
    passed = bob.post(questions, right, follow=True).content.decode()

    assert "12 of 12 correct" in passed
    with job_scope(agency_id=cast.acme.pk):
        row = Completion.objects.get()
    taken = reverse("governance:training_certificate", args=[row.pk])
    assert bob.get(taken).content.startswith(b"%PDF")
    assert browser_of(cast.alice.user).get(taken).status_code == 200
    assert browser_of(cast.mallory.user).get(taken).status_code == 404


def test_nobody_notes_a_certificate_of_their_own(cast: Cast) -> None:
    said = {
        "course": "passwords", "people": str(cast.alice.user_id), "issuer": "Other Academy",
        "passed_on": str(make.NOON.date()), "valid_until": str(make.NOON.date() + timedelta(days=365)),
    }  # fmt: skip

    page = browser_of(cast.alice.user).post(reverse("governance:training_outside"), said).content.decode()

    assert "Ask another manager to add your certificate" in page
    with job_scope(agency_id=cast.acme.pk):
        assert not Completion.objects.exists()


def test_who_is_withheld_is_told_so_and_reaches_no_numbers(cast: Cast) -> None:
    call = make.call(cast.dentist, "+12025550111")
    with job_scope(agency_id=cast.acme.pk):
        Membership.objects.filter(pk=cast.bob.pk).update(withheld_from=make.now() - timedelta(minutes=1))
    bob = browser_of(cast.bob.user)

    assert (
        "Your access to numbers and files is suspended"
        in bob.get(reverse("governance:training")).content.decode()
    )
    answer = bob.post(
        reverse("calls:reveal", args=[cast.dentist.slug, call.pk]),
        {"reason_kind": "call_back", "reason": "The caller asked to be rung back"},
    )
    assert answer.status_code == 403
    assert "training of yours is overdue" in answer.text
    assert "2025550111" not in answer.text
