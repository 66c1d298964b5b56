"""Vendors: what is due stands in the queue, and reviews stay as they were."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from django.urls import reverse

from callprivacy.audit.models import Event
from callprivacy.calls.models import Connection
from callprivacy.calls.services import connections
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Agency
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.work.models import Item
from dashboard import duties
from dashboard.enums import DutyState
from governance import kinds
from governance.enums import Answer, ReviewDecision, SubProcessorState
from governance.law import vendors as law
from governance.models import SubProcessor, Vendor, VendorCertificate, VendorReview
from governance.selectors import vendors as selectors
from governance.services import vendors
from retention.selectors import watch
from tests import make
from tests.cast import Cast
from tests.dashboard.test_duties import HOUSE
from tests.make import NOON
from tests.rules.world import browser_of

pytestmark = pytest.mark.django_db

TODAY = NOON.date()


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


def test_an_end_is_written_down_on_its_day_and_leaves_the_others_in_the_queue(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        vendor, other = _add(cast), _add(cast, "twilio")
        _review(cast, vendor)
        _review(cast, other, next_on=TODAY - timedelta(days=3))
        assert _waiting() == {kinds.VENDOR_REVIEW: 1}
        with pytest.raises(vendors.FutureDayError):
            vendors.end_vendor(
                vendor=vendor, on=TODAY + timedelta(days=1), reason="From tomorrow", by=make.JOB, at=NOON
            )
        assert Vendor.objects.current().count() == 2

        vendors.end_vendor(
            vendor=vendor, on=TODAY - timedelta(days=60), reason="Gone by then", by=make.JOB, at=NOON
        )

        assert _waiting() == {kinds.VENDOR_REVIEW: 1}, (
            "the other's review is due today, not only sixty days ago"
        )


def test_a_vendor_is_used_as_long_as_its_connections_are_active(cast: Cast) -> None:
    by = Actor.staff(user_id=cast.alice.user_id)

    def end(vendor: Vendor) -> None:
        vendors.end_vendor(vendor=vendor, on=TODAY, reason="Another tracker", by=by, at=NOON)

    with job_scope(agency_id=cast.acme.pk):
        row = connections.create_connection(
            client=cast.dentist, provider="callrail", name="Way", secret="s" * 32, by=by, at=NOON
        )
        vendor = _add(cast)
        end(_add(cast, "twilio"))
        with pytest.raises(vendors.InUseError, match="1 connection of CallRail is active"):
            end(vendor)
        twice = vendors.add_vendor(
            agency=cast.acme, facts=replace(vendors.Facts.from_sheet(law.sheets()["callrail"]), name="Call Rail"),
            sheet="", verified_on=None, by=by, at=NOON,
        )  # fmt: skip
        end(twice)
        connections.deactivate_connection(connection=row, by=by, at=NOON)
        end(vendor)
        assert not Vendor.objects.current().exists()


def test_a_vendor_that_ended_comes_back_and_waits_for_a_review(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        vendor = _add(cast)
        _review(cast, vendor)
        with pytest.raises(vendors.InUseError):
            vendors.use_again(vendor=vendor, reason="It never ended", by=make.JOB, at=NOON)
        vendors.end_vendor(vendor=vendor, on=TODAY, reason="Moved to another", by=make.JOB, at=NOON)

        vendors.use_again(vendor=vendor, reason="Moved back again", by=make.JOB, at=NOON)

        again = Vendor.objects.current().get()
        assert (again.pk, again.next_review_on, again.reviews.count()) == (vendor.pk, None, 1)
        assert _waiting() == {kinds.VENDOR_REVIEW: 1}
        acme = Agency.objects.get(pk=cast.acme.pk)
        assert [one["name"] for one in acme.vendors] == ["CallRail"]
        assert acme.reviewed_vendors == {}
        assert "vendor.used_again" in Event.objects.values_list("action", flat=True)


def test_a_name_is_free_once_its_vendor_ended(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        vendor = _add(cast)
        vendors.end_vendor(vendor=vendor, on=TODAY, reason="Moved to another", by=make.JOB, at=NOON)
        other = _add(cast)
        assert other.pk != vendor.pk
        with pytest.raises(vendors.NameTakenError):
            vendors.use_again(vendor=vendor, reason="Moved back again", by=make.JOB, at=NOON)


def test_whoever_is_engaged_again_is_announced_again(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        vendor = _add(cast)
        _review(cast, vendor)

        def announce() -> SubProcessor:
            return vendors.add_sub_processor(
                vendor=vendor, name="Cloud", what_for="Storage", places="US", noticed_on=TODAY, object_until=None,
                by=make.JOB, at=NOON,
            )  # fmt: skip

        first = announce()
        with pytest.raises(vendors.NameTakenError):
            announce()
        vendors.settle_sub_processor(row=first, state=SubProcessorState.ENDED, by=make.JOB, at=NOON)
        announce()
        assert _waiting() == {kinds.SUB_PROCESSOR: 1}
        assert list(selectors.sub_processors(vendor).values_list("name", flat=True)) == ["Cloud", "Cloud"]


def test_a_certificate_that_another_replaced_does_not_count_any_more(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        vendor = _add(cast)
        _review(cast, vendor)

        def note(name: str, days: int) -> None:
            vendors.add_certificate(
                vendor=vendor,
                name=name,
                valid_until=TODAY + timedelta(days=days),
                source="",
                by=make.JOB,
                at=NOON,
            )

        note("ISO 27001:2013", -1)
        note("ISO 27001:2022", 1000)
        assert _waiting() == {kinds.VENDOR_CERTIFICATE: 1}
        old = VendorCertificate.objects.get(name="ISO 27001:2013")
        look = duties.Look(cast.acme, NOON, watch.Reading(at=NOON.isoformat()), HOUSE)
        assert duties.by_id()["vendor_certificates"].look(look) == duties.Found(DutyState.OVERDUE, 1)

        vendors.end_certificate(certificate=old, reason="The version of 2022", by=make.JOB, at=NOON)

        assert _waiting() == {}
        assert duties.by_id()["vendor_certificates"].look(look) == duties.GOOD
        assert [row.ended_on for row in selectors.certificates(vendor)] == [None, TODAY]
        with pytest.raises(vendors.NotCurrentError):
            vendors.end_certificate(certificate=old, reason="Once more", by=make.JOB, at=NOON)
        note("ISO 27001:2013", -1)
        assert VendorCertificate.objects.counting().count() == 2, (
            "one withdrawn by mistake can be added again"
        )


def test_the_pages_end_and_bring_back(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        vendor = _add(cast)
        vendors.add_certificate(
            vendor=vendor, name="SOC 2", valid_until=TODAY, source="", by=make.JOB, at=NOON
        )
        row = vendor.certificates.get()
    alice = browser_of(cast.alice.user)
    page = reverse("governance:vendor", args=[vendor.pk])
    ending = reverse("governance:end_vendor", args=[vendor.pk])
    certificate = reverse("governance:end_vendor_certificate", args=[vendor.pk, row.pk])
    reason = {"reason": "They were bought by another."}

    assert certificate in alice.get(page).content.decode()
    assert alice.post(certificate, {"reason": "Replaced"}).headers["Location"] == page
    assert "withdrawn" in alice.get(page).content.decode()
    told = alice.post(ending, {"on": "2999-01-01"} | reason).content.decode()
    assert "The end date cannot be in the future" in told
    assert alice.post(ending, {"on": str(TODAY - timedelta(days=327))} | reason).headers["Location"] == page
    again = reverse("governance:use_vendor_again", args=[vendor.pk])
    ended = alice.get(page).content.decode()
    assert again in ended
    assert "Next review" not in ended
    assert "A new review is due immediately" in alice.get(again).content.decode()
    assert alice.post(again, reason).headers["Location"] == page
    assert "Review due" in alice.get(page).content.decode()
    assert browser_of(cast.bob.user).post(again, reason).status_code == 403
    assert browser_of(cast.mallory.user).post(again, reason).status_code == 404


def test_the_page_of_a_refused_vendor_says_so_while_it_is_used(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        vendor = _add(cast)
        _review(cast, vendor, decision=ReviewDecision.REFUSED)
    alice, page = browser_of(cast.alice.user), reverse("governance:vendor", args=[vendor.pk])
    assert "Rejected but still in use" in alice.get(page).content.decode()
    with job_scope(agency_id=cast.acme.pk):
        _review(cast, vendor)
    assert "Rejected but still in use" not in alice.get(page).content.decode()


def test_a_vendors_lists_have_pages_of_their_own(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        vendor = _add(cast)
        for number in range(11):
            _review(cast, vendor)
            vendors.note_incident(
                vendor=vendor, happened_on=TODAY - timedelta(days=number), learned_on=TODAY,
                words=f"Outage {number:02}", by=make.JOB, at=NOON,
            )  # fmt: skip
    alice, page = browser_of(cast.alice.user), reverse("governance:vendor", args=[vendor.pk])

    first = alice.get(page).content.decode()
    second = alice.get(page, {"incidents": "2"}).content.decode()

    assert (first.count("Answers of this review"), first.count("Outage ")) == (10, 10)
    assert ("Outage 00" in first, "Outage 10" in first) == (True, False)
    assert (second.count("Answers of this review"), second.count("Outage ")) == (10, 1)
    assert alice.get(page, {"reviews": "2"}).content.decode().count("Answers of this review") == 1
    assert 'href="?incidents=2&amp;reviews=2"' in second


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
        for row in Connection.objects.filter(is_active=True):
            connections.deactivate_connection(connection=row, by=by, at=NOON)
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
