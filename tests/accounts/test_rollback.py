"""An answer of 500 keeps nothing of what was done on the way to it."""

import pytest
from django.contrib.messages.storage.session import SessionStorage
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest, HttpResponse  # noqa: TID251  (what a view answers)
from django.test import RequestFactory

from callprivacy.accounts.middleware import ScopeMiddleware
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from tests.cast import Cast


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("status", "name"), [(200, "Renamed"), (500, "Dentist"), (503, "Dentist")])
def test_an_answer_of_500_keeps_nothing(cast: Cast, status: int, name: str) -> None:
    def rename(_request: HttpRequest) -> HttpResponse:
        assert Client.objects.filter(pk=cast.dentist.pk).update(name="Renamed") == 1
        return HttpResponse(status=status)

    request = RequestFactory().get("/clients/")
    request.user = cast.alice.user
    request.session = SessionStore()
    request._messages = SessionStorage(request)  # type: ignore[attr-defined]  # what a middleware would set
    assert ScopeMiddleware(rename)(request).status_code == status
    with job_scope(agency_id=cast.acme.pk):
        assert Client.objects.get(pk=cast.dentist.pk).name == name
