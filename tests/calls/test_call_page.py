"""One call: who may open it, what it says, what it never says, and when it leaves."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils.html import escape

from callprivacy.calls.enums import Direction
from callprivacy.calls.models import Call, Recording
from callprivacy.calls.selectors import calls as selectors
from callprivacy.tenancy.enums import RetentionState
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import services as vault
from callprivacy.vault.services import Erasure
from consent.models import Decision
from consent.services import decisions
from retention.enums import Category
from retention.models import Policy
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast, assemble
from tests.samples import new_york

pytestmark = pytest.mark.django_db

CANARY = "+14045554686"


@pytest.fixture
def cast() -> Cast:
    return assemble()


def _address(call: Call, slug: str = "dentist") -> str:
    return reverse("calls:call", args=[slug, call.pk])


@pytest.mark.parametrize(("who", "status"), [("alice", 200), ("bob", 200), ("carol", 403), ("mallory", 404)])
def test_a_call_opens_for_who_was_granted_its_client(cast: Cast, who: str, status: int) -> None:
    call = make.call(cast.dentist, CANARY)

    assert signed_in(getattr(cast, who)).get(_address(call)).status_code == status


def test_a_stranger_is_sent_to_sign_in(cast: Cast) -> None:
    assert Browser().get(_address(make.call(cast.dentist, CANARY))).status_code == 302


def test_a_call_of_another_client_is_not_found(cast: Cast) -> None:
    call = make.call(cast.plumber, CANARY)

    assert signed_in(cast.bob).get(_address(call, "plumber")).status_code == 404
    assert signed_in(cast.alice).get(_address(call, "dentist")).status_code == 404


def test_everything_known_is_shown_and_the_number_is_not(cast: Cast) -> None:
    number = make.tracking_number(cast.dentist, "+14045550100", label="Front desk")
    call = make.call(
        cast.dentist, CANARY, tracking_number_id=number.pk, campaign="Spring", medium="cpc", region="GA",
        country="US", tags=["implant"], value_cents=125000, qualified=True, first_call=True, seconds=3725,
    )  # fmt: skip

    page = signed_in(cast.bob).get(_address(call)).content.decode()

    for words in (
        "Front desk",
        "+14045550100",
        "Spring",
        "cpc",
        "GA, US",
        "implant",
        "1,250.00",
        "1:02:05",
        "4686",
    ):
        assert words in page, words
    assert "4045554686" not in page
    assert new_york(call.started_at, "%Z") in page


def test_a_recording_is_withheld_and_the_page_says_why(cast: Cast) -> None:
    call = make.call(cast.dentist, CANARY)
    with job_scope(agency_id=cast.acme.pk):
        Recording.objects.create(
            agency=cast.acme, client=cast.dentist, call=call, reference=b"\x01x", provider="callrail"
        )

    page = signed_in(cast.bob).get(_address(call)).content.decode()
    assert "Quarantined until decided" in page

    decisions.work(agency_id=cast.acme.pk, until=make.NOON + timedelta(minutes=1), clock=lambda: make.NOON)
    page = signed_in(cast.bob).get(_address(call)).content.decode()
    assert "Quarantined until" not in page
    assert "Quarantined" in page
    with job_scope(agency_id=cast.acme.pk):
        (decision,) = Decision.objects.all()
    assert not decision.allowed
    assert len(decision.reasons) > 1
    assert all(escape(reason) in page for reason in decision.reasons)


def test_other_calls_of_the_caller_are_counted_and_listed(cast: Cast) -> None:
    call = make.call(cast.dentist, CANARY, at=make.NOON)
    earlier = make.call(cast.dentist, CANARY, at=make.NOON - timedelta(days=1))
    make.call(cast.plumber, CANARY, at=make.NOON - timedelta(days=1))
    make.call(cast.dentist, "+14045550143", at=make.NOON - timedelta(days=1))

    page = signed_in(cast.alice).get(_address(call)).content.decode()

    assert "1 other call:" in page
    assert _address(earlier) in page


def test_a_call_of_nobody_has_no_others_and_no_reveal(cast: Cast) -> None:
    page = signed_in(cast.bob).get(_address(make.call(cast.dentist, None))).content.decode()

    assert "nothing connects this call with others" in page
    assert "Reveal number" not in page


def test_an_erased_number_says_so(cast: Cast) -> None:
    call = make.call(cast.dentist, CANARY)
    assert call.caller_id is not None
    vault.erase_callers(client_id=cast.dentist.pk, erasures=[Erasure(call.caller_id)], at=make.NOON)

    assert "erased" in signed_in(cast.bob).get(_address(call)).content.decode()


def _leaves(client: Client, started_at: datetime, keep: int) -> date:
    client.keep_calls_for_days = keep
    return selectors.leaves_on(make.call(client, CANARY, at=started_at), client)


def test_a_call_leaves_on_the_day_its_cut_off_passes_it(cast: Cast) -> None:
    from callprivacy.tenancy.selectors import cutoff_of

    late_evening = datetime(2026, 3, 7, 4, 30, tzinfo=UTC)  # 23:30 on the 6th in New York
    on = _leaves(cast.dentist, late_evening, 30)

    assert on == date(2026, 4, 6)
    morning = datetime(2026, 4, 6, 12, tzinfo=UTC)
    assert late_evening < cutoff_of(cast.dentist, morning)
    assert late_evening >= cutoff_of(cast.dentist, morning - timedelta(days=1))


@pytest.mark.parametrize(
    ("direction", "words"),
    [
        (Direction.INBOUND, "Calls in of this client are kept for 30 days"),
        (Direction.OUTBOUND, "Calls out of this client are kept for 1827 days"),
    ],
)
def test_a_call_that_went_out_has_days_of_its_own(cast: Cast, direction: Direction, words: str) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(
            retention_state=RetentionState.LIVE, keep_calls_for_days=30, keep_calls_out_for_days=1827
        )
    call = make.call(cast.dentist, CANARY, at=make.NOON - timedelta(days=60), direction=direction)

    page = signed_in(cast.bob).get(_address(call)).content.decode()

    assert words in page
    assert ("Due now" in page) is (direction is Direction.INBOUND)


def test_what_leaves_before_the_call_is_said(cast: Cast) -> None:
    call = make.call(cast.dentist, CANARY, at=datetime(2026, 3, 7, 4, 30, tzinfo=UTC))
    make.recording(call, "https://tracker.example/1")
    assert "leaves before it" not in signed_in(cast.bob).get(_address(call)).content.decode()
    with job_scope(agency_id=cast.acme.pk):
        for category, days in ((Category.RECORDING, 30), (Category.TRANSCRIPT, 20), (Category.IDENTITY, 60)):
            Policy.objects.create(
                agency=cast.acme, client=cast.dentist, category=category, keep_for_days=days, set_at=make.NOON
            )

    page = signed_in(cast.bob).get(_address(call)).content.decode()

    assert 'Its recording is deleted first, on <span class="tnum">6 Apr 2026</span>' in page
    assert "Its transcript" not in page, "there is none"
    assert "Its number leaves 60 days after the caller was last in contact" in page


@pytest.mark.parametrize(
    ("state", "keep", "words"),
    [
        (RetentionState.OBSERVE, 3650, "It would leave on"),
        (RetentionState.OBSERVE, 1, "It would have left on"),
        (RetentionState.LIVE, 3650, "It leaves on"),
        (RetentionState.LIVE, 1, "It leaves with the next run"),
    ],
)
def test_the_clock_says_whether_anything_leaves(
    cast: Cast, state: RetentionState, keep: int, words: str
) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(retention_state=state, keep_calls_for_days=keep)
    call = make.call(cast.dentist, CANARY, at=make.NOON - timedelta(days=60))

    assert words in signed_in(cast.bob).get(_address(call)).content.decode()


def test_the_trail_of_a_call_is_for_who_may_read_it(cast: Cast) -> None:
    call = make.call(cast.dentist, CANARY)
    signed_in(cast.bob).post(
        reverse("calls:reveal", args=["dentist", call.pk]),
        {"reason_kind": "quality", "reason": "The source looks wrong to me"},
    )

    assert "Number revealed" in signed_in(cast.alice).get(_address(call)).content.decode()
    assert "Number revealed" not in signed_in(cast.bob).get(_address(call)).content.decode()
