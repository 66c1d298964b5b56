"""
One scope a request: a signed-in person's request runs, and its page is rendered, inside that person's scope.

A response of 500 and above rolls back; a refusal is written down afterwards in a transaction of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from django.contrib.auth import logout
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from callprivacy.accounts import selectors
from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.models import Membership
from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import staff_scope

AGENCY_IN_SESSION = "agency_id"
_OUTSIDE = (
    "/accounts/",
    "/operator/",
    "/hooks/",
    "/invitation/",
    "/static/",
    "/health",
    "/.well-known/",
)


class ScopeMiddleware:
    """Opens the scope of the session's agency, and sets `membership`, `agency`, `actor` and `at`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(_OUTSIDE) or not request.user.is_authenticated:
            return self.get_response(request)
        user_id = cast(int, request.user.pk)
        agency_id = self._agency_of(request, user_id)
        if agency_id is None:
            if request.user.is_staff:
                return redirect("/operator/")
            logout(request)
            return redirect("account_login")
        actor = Actor.staff(user_id=user_id)
        with staff_scope(agency_id=agency_id, user_id=user_id):
            self._prepare(cast(StaffRequest, request), actor)
            response = self.get_response(request)
            if response.status_code >= 500:  # noqa: PLR2004
                transaction.set_rollback(True)
        if response.status_code == 403:  # noqa: PLR2004
            with staff_scope(agency_id=agency_id, user_id=user_id):
                where = (
                    request.resolver_match.view_name if request.resolver_match else ""
                )
                audit.record(
                    "access.refused",
                    by=actor,
                    at=timezone.now(),
                    page=where,
                    method=request.method or "",
                )
        return response

    @staticmethod
    def _agency_of(request: HttpRequest, user_id: int) -> int | None:
        agencies = selectors.agency_ids_of_user(user_id)
        chosen = request.session.get(AGENCY_IN_SESSION)
        if chosen in agencies:
            return cast(int, chosen)
        if not agencies:
            return None
        request.session[AGENCY_IN_SESSION] = agencies[0]
        return agencies[0]

    @staticmethod
    def _prepare(request: StaffRequest, actor: Actor) -> None:
        membership = Membership.objects.select_related("agency", "user").get(
            user_id=actor.user_id
        )
        request.membership = membership
        request.agency = membership.agency
        request.actor = actor
        request.at = timezone.now()
