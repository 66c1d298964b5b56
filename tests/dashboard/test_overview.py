"""The first page composes what a person may see, in a bounded number of queries."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from django.db import connections
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from callprivacy.accounts.models import Membership
from callprivacy.calls.enums import RecordingState
from callprivacy.calls.models import Call, Recording
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope, staff_scope
from consent.enums import Purpose, Standard
from consent.models import Decision
from consent.services import standards
from dashboard.views import overview
from tests import make
from tests.cast import Cast

ANNA = "+12125550101"


def _browser(membership: Membership) -> Browser:
    browser = Browser()
    browser.force_login(membership.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return browser


def test_an_officer_sees_each_granted_clients_figures(cast: Cast) -> None:
    now = make.now()
    make.call(cast.dentist, ANNA, at=now - timedelta(days=2))
    make.call(cast.plumber, ANNA, at=now - timedelta(days=2))

    page = _browser(cast.alice).get("/overview/").content.decode()

    assert "Dentist" in page
    assert "Plumber" in page
    assert ANNA[-10:] not in page


def test_a_reviewer_sees_the_granted_client_only(cast: Cast) -> None:
    page = _browser(cast.bob).get("/overview/").content.decode()

    assert "Dentist" in page
    assert "Plumber" not in page


def test_a_stranger_sees_none_of_it(cast: Cast) -> None:
    page = _browser(cast.mallory).get("/overview/").content.decode()

    assert "Dentist" not in page
    assert "Florist" in page


def test_who_was_granted_nothing_is_told_what_to_do(cast: Cast) -> None:
    page = _browser(cast.carol).get("/overview/").content.decode()

    assert "No calls for you to see" in page
    assert "Open the clients" in page


def test_the_number_of_queries_does_not_grow_with_clients(
    cast: Cast, django_assert_num_queries: Callable[..., AbstractContextManager[CaptureQueriesContext]]
) -> None:
    browser = _browser(cast.alice)
    browser.get("/overview/")
    with CaptureQueriesContext(connections["default"]) as few:
        browser.get("/overview/")
    for number in range(8):
        make.client(cast.acme, f"More {number}")

    with django_assert_num_queries(len(few)):
        browser.get("/overview/")


def test_calls_out_are_past_their_date_by_their_own_days(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(keep_calls_out_for_days=1_827)
    make.call(cast.dentist, ANNA, at=make.now() - timedelta(days=400), direction="outbound")
    browser = _browser(cast.alice)

    assert browser.get("/overview/").context["tiles"]["observed"]["value"] == 0
    assert "past its date" not in browser.get("/clients/").content.decode()

    make.call(cast.dentist, ANNA, at=make.now() - timedelta(days=400))
    assert browser.get("/overview/").context["tiles"]["observed"]["value"] == 1
    assert "1 call past its date" in browser.get("/clients/").content.decode()


def test_recordings_are_counted_by_what_they_rest_on(cast: Cast) -> None:
    at = make.now() - timedelta(days=2)
    for allowed, basis, state in (
        (True, "consent", RecordingState.ALLOWED),
        (True, "notice", RecordingState.ALLOWED),
        (True, "consent", RecordingState.GONE),
        (False, "", RecordingState.WITHHELD),
    ):
        call = make.call(cast.dentist, ANNA, at=at)
        decide(call, allowed=allowed, basis=basis, state=state)

    tile = _browser(cast.alice).get("/overview/").context["tiles"]["recorded"]

    assert (tile["value"], tile["client"]) == (2, cast.dentist)
    assert tile["note"] == "Express consent: 1; Announced on the call: 1"


def decide(call: Call, *, allowed: bool, basis: str, state: RecordingState) -> None:
    """A call's recording as it stands once it was decided."""
    ours = {"agency_id": call.agency_id, "client_id": call.client_id, "call": call}
    with job_scope(agency_id=call.agency_id):
        Recording.objects.filter(pk=make.bare_recording(call).pk).update(
            state=state,
            decided_at=call.started_at,
            **({"gone_at": call.started_at, "reference": None} if state == RecordingState.GONE else {}),
        )
        Decision.objects.create(
            **ours,
            purpose=Purpose.RECORD,
            allowed=allowed,
            lawful=allowed,
            standard_met=allowed,
            standard=Standard.EXPRESS,
            basis=basis,
            pack="tests",
            decided_at=call.started_at,
        )


def test_standards_below_express_consent_are_counted_with_their_end(cast: Cast) -> None:
    browser = _browser(cast.alice)
    assert "Standards below express consent" not in browser.get("/overview/").content.decode()
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        standards.choose(
            client=cast.dentist,
            standard=Standard.ANNOUNCE,
            reason="The trade announces every call.",
            by=Actor.staff(user_id=cast.alice.user_id),
            at=make.now(),
        )

    page = browser.get("/overview/").content.decode()

    assert "1 client asks less of itself" in page
    assert "Announced on this call, or express" in page


def test_every_client_is_counted_also_those_that_are_not_listed(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview, "_SHOWN", 1)
    for client in (cast.dentist, cast.plumber):
        make.call(client, ANNA, at=make.now() - timedelta(days=2))

    response = _browser(cast.alice).get("/overview/")

    assert response.context["tiles"]["calls"]["value"] == 2
    assert "1 more client, all counted above" in response.content.decode()
