"""Finding a number: over granted clients only, without opening anything, and without leaving it anywhere."""

import json
import logging
import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse

from callprivacy.accounts.models import ClientGrant, Membership
from callprivacy.audit.models import Event
from callprivacy.calls.models import Call, Caller, call_id
from callprivacy.calls.views import calls
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import sealing
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.services import Erasure
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast, assemble
from tests.scale import some

pytestmark = pytest.mark.django_db

CANARY = "+14045554686"
SEARCH = "/calls/search/"


@pytest.fixture
def cast() -> Cast:
    return assemble()


def looked(person: Membership, number: str) -> Any:
    """What somebody is shown who looks for a number."""
    return signed_in(person).post(SEARCH, {"number": number}, follow=True)


def test_its_name_is_known() -> None:
    assert reverse("calls:search") == SEARCH


@pytest.mark.parametrize(
    ("who", "finds"),
    [("alice", {"Dentist", "Plumber"}), ("bob", {"Dentist"}), ("carol", set()), ("mallory", {"Florist"})],
)
def test_a_number_is_found_at_the_clients_granted(cast: Cast, who: str, finds: set[str]) -> None:
    for client in (cast.dentist, cast.plumber, cast.florist):
        make.call(client, CANARY)

    answer = looked(getattr(cast, who), "(404) 555-4686")

    assert {hit.client.name for hit in answer.context["hits"]} == finds


def test_who_sees_no_calls_is_told_so_and_has_no_box_to_look_with(cast: Cast) -> None:
    make.call(cast.dentist, CANARY)
    carol = signed_in(cast.carol)

    for answer in (carol.post(SEARCH, {"number": CANARY}), carol.get(SEARCH)):
        page = answer.content.decode()
        assert "No calls for you to look in" in page
        assert "That is no phone number" not in page
        assert "That you looked is in the trail" not in page
        assert 'id="number-search"' not in page
    with job_scope(agency_id=cast.acme.pk):
        assert not Event.objects.filter(action="number.searched").exists()
    assert 'id="number-search"' in signed_in(cast.bob).get("/calls/").content.decode()


def test_a_stranger_is_sent_to_sign_in() -> None:
    assert Browser().post(SEARCH, {"number": CANARY}).status_code == 302


def test_a_search_is_no_address(cast: Cast) -> None:
    make.call(cast.dentist, CANARY)

    answer = signed_in(cast.bob).get(SEARCH, {"number": CANARY})

    assert (answer.status_code, answer.context["hits"], answer.context["is_done"]) == (200, [], False)
    assert "Phone number" in answer.content.decode()
    assert CANARY not in answer.content.decode()
    with job_scope(agency_id=cast.acme.pk):
        assert not Event.objects.filter(action="number.searched").exists()


def test_what_was_found_can_be_come_back_to_for_some_minutes(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.call(cast.dentist, CANARY)
    bob = signed_in(cast.bob)
    answer = bob.post(SEARCH, {"number": CANARY})
    assert (answer.status_code, answer["Location"]) == (302, SEARCH)

    for _ in range(2):
        assert [hit.client.name for hit in bob.get(SEARCH).context["hits"]] == ["Dentist"]
    with job_scope(agency_id=cast.acme.pk):
        assert Event.objects.filter(action="number.searched").count() == 1

    monkeypatch.setattr(calls, "_FOUND_FOR", timedelta(0))
    later = bob.get(SEARCH)
    assert (later.context["hits"], later.context["is_done"]) == ([], False)
    assert "found_callers" not in bob.session


def test_what_was_found_is_shown_where_calls_are_still_granted(cast: Cast) -> None:
    make.call(cast.dentist, CANARY)
    bob = signed_in(cast.bob)
    bob.post(SEARCH, {"number": CANARY})
    with job_scope(agency_id=cast.acme.pk):
        grants = ClientGrant.objects.filter(user=cast.bob.user, content_object=cast.dentist)
        grants.filter(permission__codename=Permission.VIEW_CALLS.value).delete()

    assert bob.get(SEARCH).context["hits"] == []


def test_what_was_found_at_one_agency_is_not_shown_at_another(cast: Cast) -> None:
    make.call(cast.dentist, CANARY)
    bob = signed_in(cast.bob)
    bob.post(SEARCH, {"number": CANARY})
    session = bob.session
    session["found_callers"] |= {"agency": cast.globex.pk}
    session.save()

    assert bob.get(SEARCH).context["is_done"] is False


def test_the_same_number_has_another_name_at_each_client(cast: Cast) -> None:
    make.call(cast.dentist, CANARY)
    make.call(cast.dentist, CANARY)
    make.call(cast.plumber, CANARY)

    hits = looked(cast.alice, CANARY).context["hits"]

    assert [(hit.client.name, hit.calls) for hit in hits] == [("Dentist", 2), ("Plumber", 1)]
    assert hits[0].name != hits[1].name


def test_many_calls_at_one_client_hide_no_other_client(cast: Cast) -> None:
    old = [make.call(cast.plumber, CANARY, at=make.NOON - timedelta(days=day)) for day in (400, 401)]
    new = _a_thousand_calls(make.call(cast.dentist, CANARY))

    answer = looked(cast.alice, CANARY)

    hits = answer.context["hits"]
    assert [(hit.client.name, hit.calls, hit.newest) for hit in hits] == [
        ("Dentist", 1000, new),
        ("Plumber", 2, old[0].pk),
    ]
    rows = re.findall(r'data-label="Calls" class="num">([^<]*)<', answer.content.decode())
    assert rows == ["1,000 or more", "2"]
    with job_scope(agency_id=cast.acme.pk):
        assert Event.objects.get(action="number.searched").details == {"clients": 2, "found": 2}


def _a_thousand_calls(one: Call) -> uuid.UUID:
    """A thousand more by the same caller, each a minute later than the one before; returns the last."""
    ids = [call_id(one.started_at + timedelta(minutes=count)) for count in range(1, 1001)]
    with job_scope(agency_id=one.agency_id):
        Call.objects.bulk_create(
            Call(
                pk=pk,
                agency_id=one.agency_id,
                client_id=one.client_id,
                caller_id=one.caller_id,
                direction=one.direction,
                outcome=one.outcome,
                received_at=one.received_at,
            )
            for pk in ids
        )
    return ids[-1]


def test_calls_that_are_restricted_are_not_counted(cast: Cast) -> None:
    made = [make.call(cast.dentist, CANARY, at=make.NOON - timedelta(days=day)) for day in (3, 2, 1)]
    assert made[0].caller_id is not None
    with job_scope(agency_id=cast.acme.pk):
        rows = Caller.objects.filter(pk=made[0].caller_id)
        rows.update(restricted_at=make.NOON, restricted_from=made[2].pk)
    [hit] = looked(cast.bob, CANARY).context["hits"]
    assert (hit.calls, hit.newest) == (2, made[1].pk)

    with job_scope(agency_id=cast.acme.pk):
        rows.update(restricted_from=made[0].pk)
    assert looked(cast.bob, CANARY).context["hits"] == []


def test_a_national_number_is_read_as_each_clients_country_has_it(cast: Cast) -> None:
    british = make.client(cast.acme, "Bakery", home_country="GB")
    make.call(british, "+442079460018")
    make.call(cast.dentist, "+12079460018")

    hits = looked(cast.alice, "020 7946 0018").context["hits"]

    assert [hit.client.name for hit in hits] == ["Bakery"]


def test_an_erased_number_is_nobodys(cast: Cast) -> None:
    call = make.call(cast.dentist, CANARY)
    assert call.caller_id is not None
    vault.erase_callers(client_id=cast.dentist.pk, erasures=[Erasure(call.caller_id)], at=make.NOON)

    assert "Nobody by that number" in looked(cast.bob, CANARY).content.decode()


@pytest.mark.parametrize("number", some(["", "anonymous", "12", "CALL NOW", "x" * 100], one_in=3))
def test_what_is_no_number_is_refused_beside_the_field(cast: Cast, number: str) -> None:
    page = looked(cast.bob, number).content.decode()

    assert "field-error" in page
    assert "Nobody by that number" not in page


def test_nothing_that_is_sealed_for_a_caller_is_opened(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    make.call(cast.dentist, CANARY)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a seal was opened")

    monkeypatch.setattr(sealing.Key, "unseal", refuse)
    monkeypatch.setattr(vault_selectors, "open_content_key", refuse)

    assert looked(cast.bob, CANARY).context["hits"]


def test_the_number_is_left_nowhere(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    make.call(cast.dentist, CANARY)
    with caplog.at_level(logging.DEBUG):
        answer = looked(cast.bob, "404-555-4686")

    page = answer.content.decode()
    assert "Where it called" in page
    for form in ("4045554686", "404-555", "5554686"):
        assert form not in page
        assert form not in caplog.text
    kept = json.dumps(dict(answer.client.session.items()))
    assert "found_callers" in kept
    for form in ("4045554686", "404-555", "5554686", "4686"):
        assert form not in re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "", kept)
    with job_scope(agency_id=cast.acme.pk):
        [event] = Event.objects.filter(action="number.searched")
    assert event.details == {"clients": 1, "found": 1}
    assert "no-store" in answer["Cache-Control"]


def test_a_number_that_failed_is_not_repeated(cast: Cast) -> None:
    assert "55546861" not in looked(cast.bob, "5554686 1 1").content.decode()
