"""
One scope a request: a signed-in person's request runs, and its page is rendered, inside that person's scope,
in the agency's time zone.

A response of 500 and above rolls back; a refusal is written down afterwards in a transaction of its own. A
session ends by itself after a while without use, and in any case after its longest time; what an open page asks by
itself is no use. No browser and no proxy
keeps what is shown to somebody who is signed in, and who signs out takes along what the browser has kept all the same.
"""

import re
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import cast

import structlog
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME, logout
from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django_structlog.middlewares import RequestMiddleware

from callprivacy.accounts import access, seconding, selectors
from callprivacy.accounts.access import STARTED_AT, StaffRequest
from callprivacy.accounts.adapter import client_address, marks_of
from callprivacy.accounts.models import Membership, User
from callprivacy.accounts.services import people
from callprivacy.accounts.tasks import hint_use
from callprivacy.audit import services as audit
from callprivacy.lib import figures, logs, networks
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope, operator_scope, staff_scope

AGENCY_IN_SESSION = "agency_id"
SEEN_AT = "seen_at"
# What a page asks by itself says so, by this header, and is no use of the session. Whoever sends it with what they do
# shortens their own.
UNATTENDED = "X-Unattended"
_TOUCH_EVERY = 60
_OPEN = (
    "/api/v1/",
    "/approve/",
    "/b/",
    "/k/",
    "/hooks/",
    "/twilio/",
    "/c/",
    "/p/",
    "/r/",
    "/q/",
    "/invitation/",
    "/handover/",
    "/static/",
    # The way to a provider and back: what asks the outside does so in no scope.
    "/sso/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/.well-known/",
)
_IN_ROUTE = re.compile(r"<(?:\w+:)?(\w+)>")
_OPERATOR = "/operator/"
_OPERATORS_NEED = "Operators need"
_OWN_ACCOUNT = "/accounts/"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# All that there is for who has to choose another password: the page for it, how good it would be, and the way out.
_WHILE_DUE = frozenset({"/accounts/password/change/", "/accounts/password/strength/", "/accounts/logout/"})

_FROM_ELSEWHERE = frozenset({"/accounts/logout/", "/agencies/"})
# What a session that began at a provider has of the person's own account: nothing by which they sign in elsewhere.
_THROUGH_PROVIDER = frozenset({"/accounts/login/", "/accounts/logout/", "/accounts/sessions/"})
_CONFIRMS = frozenset({"/accounts/reauthenticate/", "/accounts/2fa/reauthenticate/"})


class RequestLogMiddleware(RequestMiddleware):
    """
    Writes each request into the log, by its id, which the answer's `X-Request-ID` names as well, and its agency; and
    counts how long it took.

    Of who asked it holds the person's id once they are signed in, no name and no browser, and of the address the
    network alone. The page is named by its pattern, with ids alone: other parts of an address open it, and trackers
    write names there.
    """

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began, request_id = time.perf_counter(), str(uuid.uuid4())
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        self.bind_ip(request)
        response = cast(HttpResponse, self.get_response(request))
        response["X-Request-ID"] = request_id
        seconds = time.perf_counter() - began
        structlog.contextvars.bind_contextvars(milliseconds=round(seconds * 1000))
        self.handle_response(request, response)
        match = request.resolver_match
        figures.count_request(
            room=(match.app_name if match else "") or "other",
            status=response.status_code,
            seconds=seconds,
            forwarded=len(
                [one for one in request.headers.get("X-Forwarded-For", "").split(",") if one.strip()]
            ),
        )
        return response

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        match = request.resolver_match
        if match is None:
            return f"{request.method} [no page]"

        def part(found: re.Match[str]) -> str:
            value = match.kwargs.get(found[1])
            return str(value) if isinstance(value, int | uuid.UUID) else "..."

        return f"{request.method} /{_IN_ROUTE.sub(part, match.route)}"

    @staticmethod
    def bind_user_id(request: HttpRequest) -> None:
        """Done where the person is known already, without a query."""

    @classmethod
    def bind_ip(cls, request: HttpRequest) -> None:
        structlog.contextvars.bind_contextvars(network=logs.network_of(client_address(request)))


class ScopeMiddleware:
    """Opens the scope of the session's agency, and sets what `StaffRequest` says."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(_OPEN):
            with seconding.at_marks(marks_of(request, None)):
                return self.get_response(request)
        with seconding.at_marks(marks_of(request, request.user.pk)):
            if not request.user.is_authenticated:
                return _as_a_whole(request, self.get_response(request))
            return self._answer_person(request, request.user)

    def _answer_person(self, request: HttpRequest, user: User) -> HttpResponse:
        structlog.contextvars.bind_contextvars(person=user.pk)
        response = self._answer(request, user)
        if "no-store" not in response.get("Cache-Control", ""):
            response["Cache-Control"] = "no-store, private"
        if _is_signed_out(request):
            response["Clear-Site-Data"] = '"cache"'
        return response

    def _answer(self, request: HttpRequest, user: User) -> HttpResponse:
        at = timezone.now()
        user_id = user.pk
        if _has_ended(request, at):
            return _send_away(request, user_id, at)
        through = access.Through.of(request)
        if through is None and _is_password_due(user, at) and request.path not in _WHILE_DUE:
            return _lead(request, _to_new_password(request))
        if request.path.startswith(_OPERATOR):
            return self._as_operator(request)
        if through is not None and (elsewhere := _not_through_provider(request, through)) is not None:
            return elsewhere
        agency_id = _agency_of(request, user_id)
        if agency_id is None:
            return self._without_agency(request)
        return self._as_staff(request, user, agency_id, at)

    def _as_operator(self, request: HttpRequest) -> HttpResponse:
        """Reading happens in the operator's scope; a deed enters its agency's by itself."""
        if not request.user.is_staff or access.Through.of(request) is not None:
            raise Http404
        if (to_add := _to_second_factor(request, request.user.pk, _OPERATORS_NEED)) is not None:
            return to_add
        if request.method not in _SAFE:
            return self.get_response(request)
        with operator_scope():
            return self.get_response(request)

    def _without_agency(self, request: HttpRequest) -> HttpResponse:
        """A platform operator, or a person whose access was taken away: their own account, and no more."""
        through = access.Through.of(request)
        if request.path.startswith(_OWN_ACCOUNT) and (through is None or request.path in _THROUGH_PROVIDER):
            return self.get_response(request)
        if request.user.is_staff and through is None:
            return redirect(_OPERATOR)
        doors = selectors.doors_of_user(cast(int, request.user.pk)) if through is None else []
        if doors:
            if request.headers.get("HX-Request"):
                return _lead(request, "/")
            return render(request, "accounts/through_provider.html", {"doors": doors})
        logout(request)
        messages.info(
            request,
            "You have no access to an agency at the moment. Ask an admin of yours to let you in again.",
        )
        return redirect("account_login")

    def _as_staff(self, request: HttpRequest, user: User, agency_id: int, at: datetime) -> HttpResponse:
        user_id = user.pk
        response: HttpResponse | None = None
        limits: tuple[int | None, int | None] | None = None
        with staff_scope(agency_id=agency_id, user_id=user_id):
            membership = (
                Membership.objects.select_related("agency__sign_in_policy")
                .filter(agency_id=agency_id, user_id=user_id)
                .first()
            )
            if membership is not None:
                # The session's user, who is read already.
                membership.user = user
                policy = access.policy_of(membership.agency)
                if _is_over(request, policy.idle_minutes, policy.longest_hours):
                    limits = (policy.idle_minutes, policy.longest_hours)
            if membership is not None and limits is None:
                _prepare(cast(StaffRequest, request), membership, at)
                with timezone.override(membership.agency.time_zone):
                    response = (
                        _from_elsewhere(request, access.policy_of(membership.agency).networks)
                        or _before_factor(request, membership)
                        or self.get_response(request)
                    )
                if response.status_code >= 500:
                    transaction.set_rollback(True)
        if limits is not None:
            return _send_away(request, user_id, at, *limits)
        if response is None:  # suspended since the session's agency was looked up
            return self._without_agency(request)
        if response.status_code == 403:
            _record_refusal(request, user_id, agency_id, at)
        elif (client_id := getattr(request, "used_client_id", None)) is not None and not _is_unattended(
            request
        ):
            hint_use(agency_id=agency_id, user_id=user_id, client_id=client_id, at=at)
        return response


def _is_signed_out(request: HttpRequest) -> bool:
    """Whether the request ended the session that it came with."""
    return not request.user.is_authenticated


def _is_unattended(request: HttpRequest) -> bool:
    """Whether the page asks by itself, and nobody pressed anything."""
    return UNATTENDED in request.headers


def _has_ended(request: HttpRequest, at: datetime) -> bool:
    """Whether the session is too old or was idle for too long; else remember that it is used, where it is."""
    now, session = int(at.timestamp()), request.session
    started, seen = session.get(STARTED_AT), session.get(SEEN_AT)
    if started is None:
        session[STARTED_AT] = started = now
    if seen is None:
        seen = started
    request.ages = (now - started, now - seen)  # type: ignore[attr-defined]  # what the agency's limits are held against
    if (
        now - started >= settings.SESSION_COOKIE_AGE
        or now - seen >= settings.CALLPRIVACY_SESSION_IDLE_MINUTES * 60
    ):
        return True
    if (now - seen >= _TOUCH_EVERY or SEEN_AT not in session) and not _is_unattended(request):
        session[SEEN_AT] = now
        if session.session_key:
            people.touch_session(session_key=session.session_key, at=at)
    return False


def _is_over(request: HttpRequest, idle_minutes: int | None, longest_hours: int | None) -> bool:
    """Whether a session is over by the agency's limits, which may be shorter than the installation's."""
    age, idle = request.ages  # type: ignore[attr-defined]  # the session's middleware sets it
    if longest_hours is not None and age >= longest_hours * 3600:
        return True
    return idle_minutes is not None and bool(idle >= idle_minutes * 60)


def _send_away(
    request: HttpRequest,
    user_id: int,
    at: datetime,
    idle_minutes: int | None = None,
    longest_hours: int | None = None,
) -> HttpResponse:
    through = access.Through.of(request)
    people.record_own(
        "person.timed_out", user_id=user_id, at=at, agency_id=through.agency_id if through else None
    )
    logout(request)
    idle = idle_minutes or settings.CALLPRIVACY_SESSION_IDLE_MINUTES
    longest = longest_hours or settings.SESSION_COOKIE_AGE // 3600
    messages.info(
        request,
        f"You were signed out: sessions end after {idle} minutes without use and after {longest} hours.",
    )
    door = None if through is None else reverse("accounts:provider_door", args=[through.key])
    if request.headers.get("HX-Request"):
        return _lead(request, redirect_to_login("/", door).url)
    return redirect_to_login(request.get_full_path() if request.method in _SAFE else "/", door)


def _as_a_whole(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """
    Lead a piece of a page to the door that its request was sent to: the session ended in another tab.

    The script would follow the redirect, and the door's page would stand in the piece's place, beside what was shown
    to who was signed in.
    """
    if not request.headers.get("HX-Request"):
        return response
    if not response.get("Location", "").startswith(reverse("account_login")):
        return response
    return _lead(request, redirect_to_login("/").url)


def _lead(request: HttpRequest, where: str) -> HttpResponse:
    """Lead to a page, also what asked for a part of one."""
    if not request.headers.get("HX-Request"):
        return redirect(where)
    answer = HttpResponse(status=204)
    answer["HX-Redirect"] = where
    return answer


def _to_new_password(request: HttpRequest) -> str:
    """The page for a new password; after it the person goes on to the page that they asked for."""
    is_page = request.method == "GET" and not request.headers.get("HX-Request")
    query = {REDIRECT_FIELD_NAME: request.get_full_path()} if is_page and request.path != "/" else None
    return reverse("account_change_password", query=query)


def _is_password_due(user: User, at: datetime) -> bool:
    """Whether the next request leads to the page for a new password; it stands on the person's row, which is here."""
    return user.password_due_at is not None and user.password_due_at <= at


def _from_elsewhere(request: HttpRequest, allowed: list[str]) -> HttpResponse | None:
    """Who works from a network that the agency has not named gets no further than the way out, or to another agency."""
    if not allowed or request.path in _FROM_ELSEWHERE or networks.holds(allowed, client_address(request)):
        return None
    return render(request, "accounts/elsewhere.html", {"address": client_address(request)}, status=403)


def _not_through_provider(request: HttpRequest, through: access.Through) -> HttpResponse | None:
    """
    Who came through an agency's provider changes nothing of how they sign in elsewhere.

    Else whoever runs the provider could come as somebody, give them a password or a passkey, and sign in with it at
    another agency of theirs.
    """
    if not request.path.startswith(_OWN_ACCOUNT) or request.path in _THROUGH_PROVIDER:
        return None
    if request.path in _CONFIRMS:
        where = reverse("accounts:provider_confirm", args=[through.key])
        return _lead(request, f"{where}?{urlencode({'next': request.GET.get('next', '/')})}")
    messages.info(
        request,
        "You came through your agency's provider. Passwords and second factors of your own are changed after signing "
        "in with them.",
    )
    return _lead(request, reverse("accounts:sessions"))


def _before_factor(request: HttpRequest, membership: Membership) -> HttpResponse | None:
    if membership.user.is_staff:
        return _to_second_factor(request, membership.user_id, _OPERATORS_NEED)
    if membership.role not in access.policy_of(membership.agency).second_factor_roles:
        return None
    return _to_second_factor(request, membership.user_id, f"{membership.agency.name} asks your role for")


def _to_second_factor(request: HttpRequest, user_id: int, why: str) -> HttpResponse | None:
    """A person who needs a second factor and has none opens their own account alone, to add one."""
    if (
        access.Through.of(request) is not None
    ):  # theirs is the provider's to ask for; there is no page to add one on
        return None
    # Read where one is needed: woven into the membership's query every request would pay for it.
    if request.path.startswith(_OWN_ACCOUNT) or selectors.has_second_factor(user_id):
        return None
    messages.warning(request, f"{why} a second factor. Add one to go on.")
    return _lead(request, reverse("mfa_index"))


def _agency_of(request: HttpRequest, user_id: int) -> int | None:
    through = access.Through.of(request)
    agencies = selectors.agencies_opened_by(user_id, through)
    staff = cast(StaffRequest, request)
    staff.opened_agencies = frozenset(agencies)
    staff.has_several_agencies = through is None and len(agencies) > 1
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
    with job_scope(agency_id=agency_id):
        audit.record_refusal(
            "access.refused",
            by=Actor.staff(user_id=user_id),
            at=at,
            agency_id=agency_id,
            page=where,
            method=request.method or "",
            **seconding.where(agency_id=agency_id),
        )
