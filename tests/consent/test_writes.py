"""What PostgreSQL itself lets nobody write but those whose it is: decisions, and the law of an agency."""

from typing import Any

import pytest
from django.db import ProgrammingError, transaction

from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership
from callprivacy.calls.models import Call
from callprivacy.tenancy.scope import staff_scope
from consent.enums import ListKind, Purpose
from consent.models import Decision, NumberList, RulePack
from consent.services import decisions
from tests import make
from tests.cast import Cast
from tests.consent.deciding import decision, recorded, work
from tests.make import NOON

pytestmark = pytest.mark.as_committed


def refused(person: Membership, deed: Any) -> bool:
    """Whether PostgreSQL refuses, or finds nothing to change."""
    with staff_scope(agency_id=person.agency_id, user_id=person.user_id):
        try:
            with transaction.atomic():
                return not deed()
        except ProgrammingError as error:
            return "row-level security" in str(error)


@pytest.fixture
def call(cast: Cast) -> Call:
    found = recorded(cast.dentist)
    work(cast.dentist)
    return found


def test_whether_a_call_may_be_recorded_is_written_by_jobs_alone(cast: Cast, call: Call) -> None:
    viewer = make.person(cast.acme, "vic", Role.CALL_CENTRE_HEAD)
    make.grant(viewer, cast.dentist)
    for person in (viewer, cast.bob, cast.alice):
        assert refused(person, lambda: Decision.objects.filter(call=call).update(allowed=True))
        assert refused(person, lambda: Decision.objects.filter(call=call).delete()[0])
    assert not decision(call).allowed

    def judge() -> Any:
        return decisions.may_use(client=cast.dentist, call=call, purpose=Purpose.REVIEW, at=NOON)

    assert refused(viewer, judge)
    assert not refused(cast.bob, judge)


def test_the_law_and_its_registers_are_written_by_officers_alone(cast: Cast) -> None:
    def pack() -> Any:
        return RulePack.objects.create(agency=cast.acme, name="mine", text="", digest="d", imported_at=NOON)

    def register() -> Any:
        return NumberList.objects.create(
            agency=cast.acme, kind=ListKind.DO_NOT_CALL, name="mine", as_of=NOON.date(), created_at=NOON
        )

    for deed in (pack, register):
        assert refused(cast.carol, deed)
        assert refused(cast.bob, deed)
        assert not refused(cast.alice, deed)
