"""Events that were written as one kind before 0026 are sorted by what the audit log says of them."""

import os
from importlib import import_module

import psycopg
import pytest

from callprivacy.tenancy.enums import Answerer
from callprivacy.tenancy.scope import job_scope
from consent.services import destinations
from rights.enums import Ask, Decided, EventKind
from rights.models import CaseEvent, RecipientNotice
from rights.services import deciding, passing
from tests import make
from tests.cast import Cast
from tests.rights import asking
from tests.rights.asking import ANNA, Office


@pytest.mark.django_db(transaction=True)
def test_events_of_notifications_are_told_apart(cast: Cast) -> None:
    office = Office(cast)
    make.grant(cast.alice, cast.dentist)
    asking.answered_by(cast.dentist, Answerer.AGENCY)
    make.call(cast.dentist, ANNA)
    office.does(destinations.add, client=cast.dentist, name="Adsy", contact="", instructions="")
    submission = asking.asked(cast.dentist, Ask.DELETE)
    asking.prove(submission)
    asking.search(submission)
    case = asking.case_of(submission, Ask.DELETE)
    office.does(deciding.decide, case=case, decided=Decided.FULFIL, ground="", words="")
    asking.work(cast.acme)
    with job_scope(agency_id=cast.acme.pk):
        notice = RecipientNotice.objects.get(case=case)
    office.does(passing.mark_sent, notice=notice, at=make.NOON)
    office.does(passing.confirm, notice=notice, receipt="A mail", at=make.NOON)

    def kinds() -> list[str]:
        with job_scope(agency_id=cast.acme.pk):
            return list(CaseEvent.objects.filter(case=case).order_by("pk").values_list("kind", flat=True))

    before = kinds()
    assert {EventKind.PASSED_ON, EventKind.NOTICE_SENT, EventKind.NOTICE_ACKNOWLEDGED} <= set(before)
    sort = import_module("rights.migrations.0026_recipient_notifications")
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
        owner.execute(sort._TOGETHER)
        assert EventKind.NOTICE_SENT not in kinds()
        owner.execute(sort._APART)
    assert kinds() == before
