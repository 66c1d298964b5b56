"""Two who work on one request at the same moment: nothing of what either did is lost, and neither fails."""

from __future__ import annotations

from typing import Any

import pytest

from callprivacy.tenancy.scope import job_scope
from rights.enums import Ask, IdentityState
from rights.models import Finding, Identity, Submission
from rights.services import cases, searching
from tests import make
from tests.aside import Aside, Beside
from tests.cast import Cast
from tests.make import NOON
from tests.rights import asking
from tests.rights.asking import ANNA, BEN

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_number_that_is_proven_while_another_is_looked_for_is_looked_for(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (ANNA, BEN):
        make.call(cast.dentist, number)
    submission = asking.asked(cast.dentist, Ask.DELETE, numbers=(ANNA, BEN))
    asking.prove(submission, ANNA)
    search_at = searching._search_at

    def meanwhile(*args: Any) -> int:
        found = search_at(*args)
        if Identity.objects.filter(submission=submission, state=IdentityState.PROVEN).count() == 1:
            Aside(lambda: asking.prove(submission, BEN)).end()
        return found

    monkeypatch.setattr(searching, "_search_at", meanwhile)
    asking.search(submission)
    with job_scope(agency_id=cast.acme.pk):
        row = Submission.objects.get(pk=submission.pk)
    assert (row.searched_at, row.search_due_at) == (None, NOON)

    assert searching.claim(agency_id=cast.acme.pk, at=NOON) == submission.pk
    asking.search(submission)
    with job_scope(agency_id=cast.acme.pk):
        assert Submission.objects.get(pk=submission.pk).searched_at == NOON
        assert Finding.objects.filter(submission=submission).values("caller_id").distinct().count() == 2


def test_two_cases_of_a_request_that_end_at_once_end_the_request(cast: Cast) -> None:
    submission = asking.asked(cast.dentist, Ask.DELETE, Ask.CORRECT)
    one, two = asking.case_of(submission, Ask.DELETE), asking.case_of(submission, Ask.CORRECT)
    with job_scope(agency_id=cast.acme.pk):
        cases.take_back(case=one, by=make.JOB, at=NOON)
        beside = Beside(cast.acme.pk, lambda: cases.take_back(case=two, by=make.JOB, at=NOON))
        beside.let_it_come()
    beside.end()
    with job_scope(agency_id=cast.acme.pk):
        assert Submission.objects.get(pk=submission.pk).ended_at == NOON
