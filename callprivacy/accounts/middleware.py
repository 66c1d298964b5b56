"""
One scope a request: a signed-in person's request runs, and its page is rendered, inside that person's scope,
in the agency's time zone.

A response of 500 and above rolls back; a refusal is written down afterwards in a transaction of its own. A
session ends by itself after a while without use, and in any case after its longest time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import cast

import structlog
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django_structlog.middlewares import RequestMiddleware

from callprivacy.accounts import selectors
from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.adapter import STARTED_AT, client_address
from callprivacy.accounts.models import Membership
from callprivacy.accounts.services import people
from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import operator_scope, staff_scope

AGENCY_IN_SESSION = "agency_id"
SEEN_AT = "seen_at"
_TOUCH_EVERY = 60
_OPEN = (
    "/api/v1/",
    "/hooks/",
    "/twilio/",
    "/c/",
    "/p/",
    "/invitation/",
    "/static/",
    "/health",
    "/metrics",
    "/.well-known/",
)
_OPERATOR = "/operator/"
_OWN_ACCOUNT = "/accounts/"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class RequestLogMiddleware(RequestMiddleware):
    """
    Writes each request into the log with the address that counts at the door, not with one that is claimed.

    Without what stands behind the question mark: trackers write names there, and a recording its ticket.
    """

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        return f"{request.method} {request.path}"

    @classmethod
    def bind_ip(cls, request: HttpRequest) -> None:
        structlog.contextvars.bind_contextvars(ip=client_address(request))


class ScopeMiddleware:
    """Opens the scope of the session's agency, and sets what `StaffRequest` says."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(_OPEN) or not request.user.is_authenticated:
            return self.get_response(request)
        at = timezone.now()
        user_id = request.user.pk
        if _has_ended(request, at):
            return _send_away(request, user_id, at)
        if request.path.startswith(_OPERATOR):
            return self._as_operator(request)
        agency_id = _agency_of(request, user_id)
        if agency_id is None:
            return self._without_agency(request)
        return self._as_staff(request, user_id, agency_id, at)

    def _as_operator(self, request: HttpRequest) -> HttpResponse:
        """Reading happens in the operator's scope; a deed enters its agency's by itself."""
        if not request.user.is_staff:
            raise Http404
        if request.method not in _SAFE:
            return self.get_response(request)
        with operator_scope():
            return self.get_response(request)

    def _without_agency(self, request: HttpRequest) -> HttpResponse:
        """A platform operator, or a person whose access was taken away: their own account, and no more."""
        if request.path.startswith(_OWN_ACCOUNT):
            return self.get_response(request)
        if request.user.is_staff:
            return redirect(_OPERATOR)
        logout(request)
        messages.info(
            request,
            "You have no access to an agency at the moment. Ask an admin of yours to let you in again.",
        )
        return redirect("account_login")

    def _as_staff(self, request: HttpRequest, user_id: int, agency_id: int, at: datetime) -> HttpResponse:
        response: HttpResponse | None = None
        with staff_scope(agency_id=agency_id, user_id=user_id):
            membership = (
                Membership.objects.select_related("agency", "user")
                .filter(agency_id=agency_id, user_id=user_id)
                .first()
            )
            if membership is not None:
                _prepare(cast(StaffRequest, request), membership, at)
                with timezone.override(membership.agency.time_zone):
                    response = self.get_response(request)
                if response.status_code >= 500:
                    transaction.set_rollback(True)
        if response is None:  # suspended since the session's agency was looked up
            return self._without_agency(request)
        if response.status_code == 403:
            _record_refusal(request, user_id, agency_id, at)
        return response


def _has_ended(request: HttpRequest, at: datetime) -> bool:
    """Whether the session is too old or was idle for too long; else remember that it is used."""
    now, session = int(at.timestamp()), request.session
    started, seen = session.get(STARTED_AT), session.get(SEEN_AT)
    if started is None:
        session[STARTED_AT] = started = now
    if seen is None:
        seen = started
    if (
        now - started >= settings.SESSION_COOKIE_AGE
        or now - seen >= settings.CALLPRIVACY_SESSION_IDLE_MINUTES * 60
    ):
        return True
    if now - seen >= _TOUCH_EVERY or SEEN_AT not in session:
        session[SEEN_AT] = now
        if session.session_key:
            people.touch_session(session_key=session.session_key, at=at)
    return False


def _send_away(request: HttpRequest, user_id: int, at: datetime) -> HttpResponse:
    people.record_own("person.timed_out", user_id=user_id, at=at)
    logout(request)
    idle = timedelta(minutes=settings.CALLPRIVACY_SESSION_IDLE_MINUTES)
    messages.info(
        request,
        f"You were signed out: sessions end after {idle.seconds // 60 + idle.days * 1440} minutes without use"
        f" and after {settings.SESSION_COOKIE_AGE // 3600} hours.",
    )
    back = request.get_full_path() if request.method in _SAFE else "/"
    if request.headers.get("HX-Request"):
        answer = HttpResponse(status=204)
        answer["HX-Redirect"] = redirect_to_login("/").url
        return answer
    return redirect_to_login(back)


def _agency_of(request: HttpRequest, user_id: int) -> int | None:
    agencies = selectors.agency_ids_of_user(user_id)
    cast(StaffRequest, request).has_several_agencies = len(agencies) > 1
    chosen = request.session.get(AGENCY_IN_SESSION)
    if chosen in agencies:
        return cast(int, chosen)
    if not agencies:
        return None
    request.session[AGENCY_IN_SESSION] = agencies[0]
    return agencies[0]


def _prepare(request: StaffRequest, membership: Membership, at: datetime) -> None:
    request.membership = membership
    request.agency = membership.agency
    request.actor = Actor.staff(user_id=membership.user_id)
    request.at = at


def _record_refusal(request: HttpRequest, user_id: int, agency_id: int, at: datetime) -> None:
    where = request.resolver_match.view_name if request.resolver_match else ""
    with staff_scope(agency_id=agency_id, user_id=user_id):
        audit.record(
            "access.refused", by=Actor.staff(user_id=user_id), at=at, page=where, method=request.method or ""
        )
