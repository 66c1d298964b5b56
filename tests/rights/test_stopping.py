"""A refusal counts when it comes in: no proof, nobody looks first; and tracking no more means nobody's call."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from callprivacy.audit.models import Event
from callprivacy.calls.enums import Direction
from callprivacy.calls.models import Call, Caller
from callprivacy.calls.providers.base import CallFacts
from callprivacy.calls.services import intake
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault
from consent.models import ConsentState, Withdrawal
from rights.enums import Ask, CaseState
from tests import make
from tests.cast import Cast
from tests.rights import asking
from tests.rights.asking import ANNA

pytestmark = pytest.mark.django_db

SOON = make.NOON + timedelta(hours=1)


def noes(client: Client, number: str = ANNA) -> set[str]:
    return set(vault.suppressed(client.pk, [number], on=SOON.date()).get(number, {}))


@pytest.mark.parametrize(
    ("ask", "purposes"),
    [
        (Ask.DO_NOT_SELL, {"share"}),
        (Ask.DO_NOT_CONTACT, {"contact"}),
        (Ask.LIMIT, {"analyse", "share"}),
        (Ask.WITHDRAW, {"record", "review", "analyse", "contact", "share"}),
        (Ask.DO_NOT_TRACK, {"measure", "share", "track"}),
    ],
)
def test_a_refusal_counts_in_the_transaction_that_opens_its_case(
    cast: Cast, ask: Ask, purposes: set[str]
) -> None:
    make.call(cast.dentist, ANNA)
    submission = asking.asked(cast.dentist, ask)

    case = asking.case_of(submission, ask)
    assert (case.state, case.took_effect_at) == (CaseState.OPEN, make.NOON)
    assert noes(cast.dentist) == purposes
    assert noes(cast.plumber) == set()
    with job_scope(agency_id=cast.acme.pk):
        states = dict(ConsentState.objects.values_list("purpose", "state"))
        assert states == dict.fromkeys(purposes - {"track"}, "withdrawn")
        # Vendors, advertisers and the agency's own systems are told as of any withdrawal.
        assert Withdrawal.objects.count() == 1


def test_nobody_asks_again_for_twelve_months(cast: Cast) -> None:
    case = asking.case_of(asking.asked(cast.dentist, Ask.DO_NOT_SELL), Ask.DO_NOT_SELL)
    assert case.ask_again_from == date(2027, 11, 24)


def test_a_refusal_to_the_agency_reaches_each_of_its_clients_and_no_others(cast: Cast) -> None:
    make.call(cast.dentist, ANNA)
    make.call(cast.florist, ANNA)
    submission = asking.asked(None, Ask.DO_NOT_SELL, agency=cast.acme)
    assert noes(cast.dentist) == set()

    asking.work(cast.acme)

    assert (noes(cast.dentist), noes(cast.plumber), noes(cast.florist)) == ({"share"}, {"share"}, set())
    assert asking.case_of(submission, Ask.DO_NOT_SELL).took_effect_at == make.NOON
    with job_scope(agency_id=cast.acme.pk):
        # Where nobody knew the number, nobody does now.
        assert list(Caller.objects.values_list("client_id", flat=True)) == [cast.dentist.pk]
        assert Event.objects.filter(action="token.derived").count() == 2


def test_a_number_that_is_not_to_be_tracked_calls_as_nobody(cast: Cast) -> None:
    asking.asked(cast.dentist, Ask.DO_NOT_TRACK)
    facts = CallFacts(
        started_at=SOON, direction=Direction.INBOUND, caller=ANNA, references=(("id", "CAL1"),), seconds=60,
        first_call=True, qualified=True, value_cents=5_000, recording_reference="https://vendor.example/r/1",
        tags=("lead",), source="ads",
    )  # fmt: skip
    for client in (cast.dentist, cast.plumber):
        intake.take_in(
            client=client,
            provider="callrail",
            connection_id=None,
            facts=[facts],
            way=intake.Way.HOOK,
            at=SOON,
        )
    with job_scope(agency_id=cast.acme.pk):
        call = Call.objects.get(client=cast.dentist)
        assert (call.caller_id, call.caller_withheld, call.seconds, call.source) == (None, True, 60, "ads")
        assert (call.first_call, call.qualified, call.value_cents, call.tags) == (None, None, None, [])
        assert not hasattr(call, "recording")
        assert Call.objects.get(client=cast.plumber).caller_id is not None


def test_calls_of_before_keep_their_caller(cast: Cast) -> None:
    asking.asked(cast.dentist, Ask.DO_NOT_TRACK)
    facts = CallFacts(
        started_at=make.NOON - timedelta(days=3),
        direction=Direction.INBOUND,
        caller=ANNA,
        references=(("id", "C"),),
    )
    intake.take_in(
        client=cast.dentist,
        provider="callrail",
        connection_id=None,
        facts=[facts],
        way=intake.Way.HOOK,
        at=SOON,
    )
    with job_scope(agency_id=cast.acme.pk):
        assert Call.objects.get().caller_id is not None
