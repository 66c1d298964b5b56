"""Vendors: what is due stands in the queue, and reviews stay as they were."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from django.urls import reverse

from callprivacy.calls.models import Connection
from callprivacy.calls.services import connections
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Agency
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.work.models import Item
from governance import kinds
from governance.enums import Answer, ReviewDecision, SubProcessorState
from governance.law import vendors as law
from governance.models import Vendor, VendorReview
from governance.selectors import vendors as selectors
from governance.services import vendors
from tests import make
from tests.cast import Cast
from tests.make import NOON
from tests.rules.world import browser_of

pytestmark = pytest.mark.django_db

TODAY = date(2026, 11, 24)


def _add(cast: Cast, name: str = "callrail") -> Vendor:
    sheet = law.sheets()[name]
    return vendors.add_vendor(
        agency=cast.acme,
        facts=vendors.Facts.from_sheet(sheet),
        sheet=name,
        verified_on=None,
        by=make.JOB,
        at=NOON,
    )


def _review(
    cast: Cast,
    vendor: Vendor,
    *,
    next_on: date = TODAY + timedelta(days=365),
    decision: ReviewDecision = ReviewDecision.APPROVED,
) -> VendorReview:
    return vendors.review_vendor(
        vendor=vendor,
        answers={question.id: Answer.YES for question in law.questions()},
        notes={"dpa": "drawer 3"},
        decision=decision,
        words="All there",
        next_on=next_on,
        reviewed_by=cast.alice.user_id,
        at=NOON + timedelta(minutes=VendorReview.objects.count()),
    )


def _waiting() -> dict[str, int | None]:
    return dict(Item.objects.open().values_list("kind", "count"))


def test_a_vendor_waits_for_its_review_until_there_is_one_and_again_on_its_day(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        vendor = _add(cast)
        assert _waiting() == {kinds.VENDOR_REVIEW: 1}
        review = _review(cast, vendor)
        assert _waiting() == {}
    assert review.score == 100
    vendors.watch_vendors(agency_id=cast.acme.pk, at=NOON + timedelta(days=364))
    with job_scope(agency_id=cast.acme.pk):
        assert _waiting() == {}
    # Half past midnight in New York is the day; the UTC day began five hours before.
    vendors.watch_vendors(agency_id=cast.acme.pk, at=NOON + timedelta(days=364, hours=17, minutes=30))
    with job_scope(agency_id=cast.acme.pk):
        assert _waiting() == {kinds.VENDOR_REVIEW: 1}


def test_a_review_keeps_the_words_of_its_questions(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        kept = _review(cast, _add(cast)).answers[0]

    assert kept == {
        "id": "dpa", "words": law.questions()[0].words, "weight": 5, "answer": "yes", "note": "drawer 3",
    }  # fmt: skip


def test_a_certificate_that_ends_waits_unless_a_newer_one_is_there(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        vendor = _add(cast)
        _review(cast, vendor)
        for days, waits in ((20, {kinds.VENDOR_CERTIFICATE: 1}), (400, {})):
            vendors.add_certificate(
                vendor=vendor,
                name="ISO 27001",
                valid_until=TODAY + timedelta(days=days),
                source="",
                by=make.JOB,
                at=NOON,
            )
            assert _waiting() == waits


def test_an_announced_sub_processor_waits_for_an_answer(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        vendor = _add(cast)
        _review(cast, vendor)
        row = vendors.add_sub_processor(
            vendor=vendor,
            name="Cloud",
            what_for="Storage",
            places="US",
            noticed_on=TODAY,
            object_until=TODAY + timedelta(days=30),
            by=make.JOB,
            at=NOON,
        )
        assert _waiting() == {kinds.SUB_PROCESSOR: 1}
        vendors.settle_sub_processor(row=row, state=SubProcessorState.OBJECTED, by=make.JOB, at=NOON)
        assert _waiting() == {}
        with pytest.raises(vendors.NotCurrentError):
            vendors.settle_sub_processor(row=row, state=SubProcessorState.OBJECTED, by=make.JOB, at=NOON)


def test_a_name_stands_once_and_an_ended_vendor_is_reviewed_no_more(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        vendor = _add(cast)
        with pytest.raises(vendors.NameTakenError):
            _add(cast)
        vendors.end_vendor(vendor=vendor, on=TODAY, reason="Moved to another tracker", by=make.JOB, at=NOON)
        assert _waiting() == {}
        with pytest.raises(vendors.NotCurrentError):
            _review(cast, vendor)
        assert [row.pk for row in selectors.register(ended=True)] == [vendor.pk]


def test_who_does_not_manage_the_agency_changes_nothing(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        vendor = _add(cast)

    with staff_scope(agency_id=cast.acme.pk, user_id=cast.bob.user_id):
        assert Vendor.objects.filter(pk=vendor.pk).update(name="x") == 0
        with pytest.raises(vendors.NotCurrentError):
            vendors.end_vendor(
                vendor=vendor, on=TODAY, reason="r", by=Actor.staff(user_id=cast.bob.user_id), at=NOON
            )
    with staff_scope(agency_id=cast.globex.pk, user_id=cast.mallory.user_id):
        assert not Vendor.objects.exists()


def test_a_connection_opens_for_a_reviewed_vendor_alone_where_the_agency_says_so(cast: Cast) -> None:
    by = Actor.staff(user_id=cast.alice.user_id)

    def opened(at: datetime = NOON) -> Connection:
        return connections.create_connection(
            client=cast.dentist, provider="callrail", name="Way", secret="s" * 32, by=by, at=at
        )

    with job_scope(agency_id=cast.acme.pk):
        before = opened()
        vendors.require_reviews(agency=cast.acme, on=True, by=by, at=NOON)
        vendor = _add(cast)
        with pytest.raises(connections.VendorNotReviewedError, match="Programme, Vendors"):
            opened()
        connections.deactivate_connection(connection=before, by=by, at=NOON)
        with pytest.raises(connections.VendorNotReviewedError):
            connections.reactivate_connection(connection=before, by=by, at=NOON)
        _review(cast, vendor, next_on=TODAY + timedelta(days=30))
        assert connections.reactivate_connection(connection=before, by=by, at=NOON)
        opened()
        with pytest.raises(connections.VendorNotReviewedError):
            opened(NOON + timedelta(days=30))
        _review(cast, vendor, decision=ReviewDecision.REFUSED)
        with pytest.raises(connections.VendorNotReviewedError):
            opened()
        _review(cast, vendor)
        vendors.end_vendor(vendor=vendor, on=TODAY, reason="Another one", by=by, at=NOON)
        with pytest.raises(connections.VendorNotReviewedError):
            opened()
        vendors.require_reviews(agency=cast.acme, on=False, by=by, at=NOON)
        opened()
    with job_scope(agency_id=cast.globex.pk):
        assert not Agency.objects.get().needs_reviewed_vendors


def test_the_page_of_a_connection_says_what_to_do_first(cast: Cast) -> None:
    make.grant(cast.alice, cast.dentist)
    alice = browser_of(cast.alice.user)
    alice.post(reverse("governance:require_reviews"), {"on": "yes"})
    said = {"provider": "callrail", "name": "CallRail", "secret": "s" * 32}
    page = alice.post(reverse("calls:create_connection", args=["dentist"]), said).content.decode()
    assert "there is no review of CallRail that counts today" in page
    assert (
        browser_of(cast.bob.user).post(reverse("governance:require_reviews"), {"on": "no"}).status_code == 403
    )
