"""The command palette finds what a person may open, by what people call it."""

import random
import uuid

import pytest

from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import Membership
from callprivacy.calls.models import LABELS, Caller, caller_label, label_number
from callprivacy.calls.selectors.named import callers_named
from callprivacy.tenancy.scope import job_scope, staff_scope
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast

ANNA = "+12125550101"


def test_a_stable_name_leads_back_to_its_ids() -> None:
    chance = random.Random("labels")
    for _ in range(500):
        one = uuid.UUID(int=chance.getrandbits(128))
        assert label_number(f"caller {caller_label(one).lower()}") == one.int % LABELS


@pytest.mark.parametrize("words", ["", "K7", "27-42Q", "K7-42", "K7-42I", "K7-42QQ", "Dentist", "K7\n-42Q"])
def test_what_is_no_stable_name_has_no_number(words: str) -> None:
    assert label_number(words) is None


def _found(person: Membership, words: str) -> str:
    answer = signed_in(person).post("/find/", {"number": words})
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.django_db
def test_a_caller_is_found_by_name_at_granted_clients_alone(cast: Cast) -> None:
    caller_id = make.call(cast.plumber, ANNA).caller_id
    assert caller_id is not None
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        (caller,) = callers_named([cast.plumber.pk], caller_label(caller_id))

    assert caller.pk == caller_id
    assert f"/clients/plumber/callers/{caller_id}/" in _found(cast.alice, caller.label)
    assert "No results that you can open." in _found(cast.bob, caller.label)


@pytest.mark.django_db
def test_a_restricted_caller_is_not_found(cast: Cast) -> None:
    caller_id = make.call(cast.dentist, ANNA).caller_id
    assert caller_id is not None
    with job_scope(agency_id=cast.acme.pk):
        Caller.objects.filter(pk=caller_id).update(restricted_at=make.NOON)

    assert "No results that you can open." in _found(cast.alice, caller_label(caller_id))


@pytest.mark.django_db
def test_clients_and_people_are_found_by_who_may_see_them(cast: Cast) -> None:
    assert "/clients/plumber/" in _found(cast.alice, "plum")
    assert "/clients/plumber/" not in _found(cast.bob, "plum")
    assert "Florist" not in _found(cast.alice, "flor")
    assert "Bob" in _found(cast.carol, "bob")
    assert "Bob" not in _found(cast.bob, "bob")


@pytest.mark.django_db
def test_pages_are_found_that_the_person_may_open(cast: Cast) -> None:
    nina = make.person(cast.acme, "nina", Role.ANALYST)
    make.grant(nina, cast.dentist)

    assert 'href="/retention/' in _found(cast.alice, "holds")
    assert 'href="/retention/' not in _found(nina, "holds")
    assert "/reports/clients/dentist/goals/" in _found(nina, "goals")


@pytest.mark.django_db
def test_digits_offer_the_search_by_number_and_stay_out_of_answer_and_log(
    cast: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    page = _found(cast.bob, "(213) 555-0123")

    assert "Find calls from this phone number" in page
    assert "555" not in page
    assert "request_finished" in caplog.text
    assert "555" not in caplog.text
