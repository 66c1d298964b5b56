"""While a hold keeps something of an erased person, call trackers and the agency's systems are not asked to erase."""

import functools
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine

from callprivacy.calls.enums import Direction
from callprivacy.calls.models import Call, CallRef, Connection
from callprivacy.tenancy.enums import Answerer
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from consent.enums import Language
from consent.models import WebhookDelivery, WebhookEndpoint
from consent.services import destinations, webhooks
from retention.enums import Category
from retention.selectors import preview as previews
from rights.enums import Ask, Copies, Decided, StepKind, StepState
from rights.enums import EventKind as Happened
from rights.models import Case, CaseEvent, RecipientNotice, Step, Submission
from rights.selectors import casebook, ends, letters, reach
from rights.services import deciding, erasing, passing, steps
from rights.tasks.steps import sweep_requests, work_steps
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.retention.test_vendors import connect
from tests.rights import asking
from tests.rights.asking import ANNA, Office
from tests.rights.test_erasing import LATER, keep_calls_out, line, ready
from tests.rights.test_rests import LIFTED, OLD, erased, lifted, placed, swept

pytestmark = pytest.mark.django_db

AFTER = LIFTED + timedelta(minutes=2)


@pytest.fixture
def office(cast: Cast) -> Office:
    make.grant(cast.alice, cast.dentist)
    asking.answered_by(cast.dentist, Answerer.AGENCY)
    office = Office(cast)
    recipients(office, cast.dentist)
    return office


def recipients(office: Office, client: Client) -> None:
    office.does(
        webhooks.add_endpoint, client=client, name="CRM", url="https://93.184.215.14/hook", with_number=False
    )
    office.does(destinations.add, client=client, name="Adsy", contact="", instructions="Use the form.")
    connect(client, "callrail")


def told(cast: Cast, client: Client | None = None) -> list[str]:
    """Who was told at a client, by name; and that as many messages went to its systems as are listed."""
    with job_scope(agency_id=cast.acme.pk):
        rows = RecipientNotice.objects.filter(client=client or cast.dentist).order_by("recipient")
        sent = WebhookDelivery.objects.filter(client=client or cast.dentist, event_type="request.erasure")
        assert sent.count() == sum(row.delivery_id is not None for row in rows)
        return [row.recipient for row in rows]


EVERYBODY = ["Adsy", "CRM", "CallRail (callrail)"]


def telling(cast: Cast) -> Step:
    with job_scope(agency_id=cast.acme.pk):
        return Step.objects.get(kind=StepKind.PASS_ON)


def beat(cast: Cast, *, at: Any = LIFTED) -> None:
    """What the beat's jobs do until nothing is due any more."""
    for n in range(2):
        when = at + n * timedelta(minutes=2)
        swept(cast, at=when)
        with job_scope(agency_id=cast.acme.pk):
            passing.release(agency_id=cast.acme.pk, at=when)
        asking.work(cast.acme, at=when)


def test_while_a_hold_keeps_something_only_advertisers_are_told_and_the_others_once_it_ends(
    cast: Cast, office: Office
) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    hold = placed(cast)
    submission = erased(cast, office)
    assert (told(cast), telling(cast).state) == (["Adsy"], StepState.KEPT)
    beat(cast, at=LATER)
    assert (told(cast), telling(cast).state) == (["Adsy"], StepState.KEPT)
    assert office.does(deciding.close, case=asking.case_of(submission, Ask.DELETE), at=LATER)

    lifted(cast, hold)
    swept(cast)
    assert line(submission, Copies.IDENTITY).kept == 0
    beat(cast)

    assert (told(cast), telling(cast).state) == (EVERYBODY, StepState.DONE)
    with job_scope(agency_id=cast.acme.pk):
        count = CaseEvent.objects.filter(kind=Happened.PASSED_ON).count()
        WebhookDelivery.objects.all().delete()
        RecipientNotice.objects.update(delivery_id=None)
    beat(cast, at=AFTER + timedelta(days=40))
    assert told(cast) == EVERYBODY
    with job_scope(agency_id=cast.acme.pk):
        assert CaseEvent.objects.filter(kind=Happened.PASSED_ON).count() == count == 2


def test_the_beat_does_it_by_itself(cast: Cast, office: Office) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    hold = placed(cast, numbers=(ANNA,))
    erased(cast, office)
    lifted(cast, hold)
    for minutes in (0, 2):
        with time_machine.travel(LIFTED + timedelta(minutes=minutes), tick=True):
            sweep_requests()
            work_steps()
    assert told(cast) == EVERYBODY


@pytest.mark.parametrize("why", ["nothing", "law"])
def test_what_no_hold_keeps_is_told_at_once(cast: Cast, office: Office, why: str) -> None:
    keep_calls_out(cast.dentist, 2000)
    make.call(cast.dentist, ANNA, at=OLD)
    if why == "law":
        make.call(cast.dentist, ANNA, direction=Direction.OUTBOUND)
    erased(cast, office)
    assert (told(cast), telling(cast).state) == (EVERYBODY, StepState.DONE)
    # A hold that comes after the telling changes nothing.
    hold = placed(cast)
    beat(cast, at=LATER + timedelta(hours=1))
    lifted(cast, hold)
    beat(cast)
    assert told(cast) == EVERYBODY


@pytest.mark.parametrize("is_recorded", [True, False])
def test_what_a_law_goes_on_keeping_is_told_when_the_hold_ends(
    cast: Cast, office: Office, *, is_recorded: bool
) -> None:
    keep_calls_out(cast.dentist, 2000)
    out = make.call(cast.dentist, ANNA, at=OLD, direction=Direction.OUTBOUND)
    if is_recorded:
        make.recording(out, "https://vendor.example/r/1")
    hold = placed(cast)
    erased(cast, office)
    assert told(cast) == ["Adsy"]
    lifted(cast, hold)
    beat(cast)
    with job_scope(agency_id=cast.acme.pk):
        assert Call.objects.filter(pk=out.pk).exists()
    assert told(cast) == EVERYBODY


def test_what_the_person_still_asks_for_and_what_is_erased_here_goes_before(
    cast: Cast, office: Office
) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    hold = placed(cast)
    submission = erased(cast, office)
    ready(cast.dentist, cast, Ask.COPY)
    lifted(cast, hold)
    beat(cast)
    assert (line(submission, Copies.IDENTITY).kept, told(cast)) == (1, ["Adsy"])


def test_a_hold_of_another_person_or_client_delays_nothing(cast: Cast, office: Office) -> None:
    make.grant(cast.alice, cast.plumber)
    make.call(cast.dentist, ANNA, at=OLD)
    placed(cast, call_ids=frozenset({make.call(cast.dentist, "+13105550177", at=OLD).pk}))
    make.call(cast.plumber, ANNA, at=OLD)
    placed(cast, client=cast.plumber)
    erased(cast, office)
    assert told(cast) == EVERYBODY


def test_of_two_clients_each_is_told_when_its_own_hold_ends(cast: Cast, office: Office) -> None:
    make.grant(cast.alice, cast.plumber)
    asking.answered_by(cast.plumber, Answerer.AGENCY)
    recipients(office, cast.plumber)
    for client in (cast.dentist, cast.plumber):
        make.call(client, ANNA, at=OLD)
    hold, other = placed(cast), placed(cast, client=cast.plumber)
    case = asking.case_of(ready(None, cast), Ask.DELETE)
    office.does(deciding.decide, case=case, decided=Decided.FULFIL, ground="", words="")
    asking.work(cast.acme, at=LATER)
    assert (told(cast), told(cast, cast.plumber)) == (["Adsy"], ["Adsy"])

    lifted(cast, hold)
    beat(cast)
    assert (told(cast), told(cast, cast.plumber)) == (EVERYBODY, ["Adsy"])
    assert telling(cast).state == StepState.KEPT

    # Meanwhile the agency is no longer who answers there: what it began it ends.
    asking.answered_by(cast.plumber, Answerer.CLIENT)
    lifted(cast, other, at=AFTER)
    beat(cast, at=AFTER + timedelta(minutes=5))
    assert (told(cast), told(cast, cast.plumber)) == (EVERYBODY, EVERYBODY)
    assert telling(cast).state == StepState.DONE


def test_a_hold_that_is_placed_anew_before_they_are_told_wins(cast: Cast, office: Office) -> None:
    keep_calls_out(cast.dentist, 2000)
    make.call(cast.dentist, ANNA, at=OLD, direction=Direction.OUTBOUND)
    hold = placed(cast)
    erased(cast, office)
    lifted(cast, hold)
    swept(cast)
    with job_scope(agency_id=cast.acme.pk):
        assert passing.release(agency_id=cast.acme.pk, at=AFTER) == 1
    again = placed(cast, name="Once more")
    asking.work(cast.acme, at=AFTER)
    assert (told(cast), telling(cast).state, telling(cast).due_at) == (["Adsy"], StepState.KEPT, None)
    lifted(cast, again, at=AFTER + timedelta(minutes=1))
    beat(cast, at=AFTER + timedelta(minutes=2))
    assert told(cast) == EVERYBODY


def test_a_hold_of_what_came_since_is_not_told_away_either(cast: Cast, office: Office) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    hold = placed(cast)
    submission = erased(cast, office)
    since = make.call(cast.dentist, ANNA, at=LATER + timedelta(minutes=5))
    other = placed(cast, name="The new bill", call_ids=frozenset({since.pk}))
    lifted(cast, hold)
    beat(cast)
    assert line(submission, Copies.IDENTITY).kept_why == erasing.AGAIN
    assert told(cast) == ["Adsy"]
    lifted(cast, other, at=AFTER)
    beat(cast, at=AFTER + timedelta(minutes=5))
    assert told(cast) == EVERYBODY


def test_nobody_is_told_before_the_erasure_has_looked_at_the_holds(
    cast: Cast, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    submission, packed = ready(cast.dentist, cast), [True]
    monkeypatch.setattr(reach, "is_packed_first", lambda *args, **facts: packed[0])
    case = asking.case_of(submission, Ask.DELETE)
    office.does(deciding.decide, case=case, decided=Decided.FULFIL, ground="", words="")
    asking.work(cast.acme, at=LATER)
    assert (told(cast), telling(cast).state) == ([], StepState.WAITING)
    placed(cast)
    packed.clear()
    packed.append(False)
    asking.work(cast.acme, at=LATER + timedelta(minutes=2))
    assert (told(cast), telling(cast).state) == (["Adsy"], StepState.KEPT)


def test_the_erasure_goes_first_where_both_are_due(cast: Cast, office: Office) -> None:
    submission = ready(cast.dentist, cast)
    case = asking.case_of(submission, Ask.DELETE)
    office.does(deciding.decide, case=case, decided=Decided.FULFIL, ground="", words="")
    with job_scope(agency_id=cast.acme.pk):
        # The smaller id is taken up first of those that are due alike.
        Step.objects.filter(kind=StepKind.PASS_ON).update(id=UUID(int=0))
    claimed = steps.claim(agency_id=cast.acme.pk, at=LATER)
    assert claimed is not None
    assert claimed.kind == StepKind.ERASE


def test_a_worker_that_dies_tells_nobody_twice(
    cast: Cast, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    hold = placed(cast)
    erased(cast, office)
    lifted(cast, hold)
    swept(cast)
    with job_scope(agency_id=cast.acme.pk):
        passing.release(agency_id=cast.acme.pk, at=AFTER)
    finish, died = steps.finish, list[bool]()

    @functools.wraps(finish)
    def dies(**facts: Any) -> bool:
        if not died:
            died.append(True)
            raise KeyboardInterrupt
        return finish(**facts)

    monkeypatch.setattr(steps, "finish", dies)
    with pytest.raises(KeyboardInterrupt):
        asking.work(cast.acme, at=AFTER)
    assert told(cast) == ["Adsy"]
    asking.work(cast.acme, at=AFTER + steps.LEASE)
    assert told(cast) == EVERYBODY


def test_a_tracker_that_is_disconnected_meanwhile_is_told_and_an_advertiser_that_came_since_is_not(
    cast: Cast, office: Office
) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    hold = placed(cast)
    erased(cast, office)
    with job_scope(agency_id=cast.acme.pk):
        Connection.objects.for_client(cast.dentist).update(is_active=False)
    office.does(destinations.add, client=cast.dentist, name="New", contact="", instructions="")
    lifted(cast, hold)
    beat(cast)
    assert told(cast) == EVERYBODY


def test_where_nobody_has_to_be_told_later_nothing_waits(cast: Cast, office: Office) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Connection.objects.for_client(cast.dentist).update(is_active=False)
        WebhookEndpoint.objects.for_client(cast.dentist).update(is_active=False)
    make.call(cast.dentist, ANNA, at=OLD)
    placed(cast)
    erased(cast, office)
    assert (told(cast), telling(cast).state) == (["Adsy"], StepState.DONE)


def of_case(submission: Submission) -> Case:
    return asking.case_of(submission, Ask.DELETE)


def test_the_letter_says_that_others_are_told_later_until_they_were(cast: Cast, office: Office) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    hold = placed(cast)
    submission = erased(cast, office)
    case = of_case(submission)
    with job_scope(agency_id=cast.acme.pk):
        done = letters.facts_of(case)["done"]
        spanish = letters.facts_of(case, language=Language.SPANISH)["done"]
        shown = CaseEvent.objects.filter(kind=Happened.PASSED_ON, shown=True)
        assert not shown.exists(), "the person's page says nothing of it yet"
    assert "Recipients of your data: Adsy. We are notifying the recipients of your data: 0 of 1 sent" in done
    assert "CallRail" not in done
    assert "CRM" not in done
    assert "others are notified once a legal claim" in done
    assert "a otros se les avisará cuando" in spanish

    lifted(cast, hold)
    beat(cast)

    with job_scope(agency_id=cast.acme.pk):
        done = letters.facts_of(of_case(submission))["done"]
        assert shown.count() == 1
    assert "Recipients of your data: Adsy, CRM, CallRail (callrail). " in done
    assert "others are notified" not in done


def test_the_page_says_that_they_are_told_once_the_hold_ends(cast: Cast, office: Office) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    hold = placed(cast)
    case = of_case(erased(cast, office))
    page = signed_in(cast.alice).get(f"/requests/{case.pk}/").content.decode()
    assert "are notified once no legal hold covers" in page
    assert "CallRail" not in page
    lifted(cast, hold)
    beat(cast)
    page = signed_in(cast.alice).get(f"/requests/{case.pk}/").content.decode()
    assert "are notified once no legal hold covers" not in page
    assert "CallRail" in page


def test_the_request_stays_until_they_are_told(cast: Cast, office: Office) -> None:
    make.call(cast.dentist, ANNA, at=OLD)
    hold = placed(cast)
    submission = erased(cast, office)
    office.does(deciding.close, case=of_case(submission), at=LATER)
    lifted(cast, hold)
    swept(cast)

    def over() -> tuple[int, int]:
        """How many requests leave by two years later, as they are taken and as they are counted."""
        with job_scope(agency_id=cast.acme.pk):
            (lines,) = previews.lines([cast.dentist], LIFTED.replace(year=2030)).values()
            line = lines.of(Category.REQUEST)
            counted = ends.count([line]).get(cast.dentist.pk)
            return ends.due(line).count(), counted.rows if counted else 0

    assert over() == (0, 0)
    beat(cast)
    assert over() == (1, 1)


def test_the_page_says_what_a_hold_keeps_at_the_tracker(cast: Cast, office: Office) -> None:
    kept, gone = make.call(cast.dentist, ANNA, at=OLD), make.call(cast.dentist, ANNA)
    with job_scope(agency_id=cast.acme.pk):
        for call in (kept, gone):
            for kind in ("id", "session"):
                CallRef.objects.create(
                    agency_id=cast.acme.pk, client=cast.dentist, call=call, provider="callrail", kind=kind,
                    digest=f"{call.pk}{kind}".encode()[-32:],
                )  # fmt: skip
    hold = placed(cast, call_ids=frozenset({kept.pk}))
    submission = erased(cast, office)

    def shown() -> tuple[int, int, str]:
        with job_scope(agency_id=cast.acme.pk):
            found = casebook.found_of(of_case(submission))
        (at_tracker,) = [one for one in found if one.copies is Copies.VENDOR]
        return at_tracker.count, at_tracker.kept, at_tracker.why if at_tracker.kept else ""

    assert shown() == (2, 1, "a hold keeps it")
    lifted(cast, hold)
    beat(cast)
    assert shown() == (2, 0, "")
