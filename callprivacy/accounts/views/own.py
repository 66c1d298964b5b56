"""A person's own account: where they are signed in, and which agency they work in."""

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from callprivacy.accounts import access, selectors
from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.middleware import AGENCY_IN_SESSION
from callprivacy.accounts.services import people
from callprivacy.lib.browsers import browser_of


@require_http_methods(["GET", "HEAD", "POST"])
def list_sessions(request: StaffRequest) -> HttpResponse:
    """A person's own sign-ins; ends one of them, or all."""
    if request.method == "POST":
        return _end(request)
    context = {
        "sessions": [
            {"row": row, "browser": browser_of(row.user_agent)}
            for row in selectors.sessions_of(request.user.pk, access.Through.of(request))
        ],
        "is_bound": access.Through.of(request) is not None,
        "current": request.session.session_key,
        "limits": _limits(request),
    }
    return render(request, "accounts/sessions.html", context)


def _limits(request: StaffRequest) -> dict[str, int]:
    """What ends a session by itself: the agency's limits, where they are shorter than the installation's."""
    agency = getattr(request, "agency", None)
    policy = access.policy_of(agency) if agency is not None else None
    most_idle, most_hours = settings.CALLPRIVACY_SESSION_IDLE_MINUTES, settings.SESSION_COOKIE_AGE // 3600
    return {
        "idle": min(most_idle, (policy and policy.idle_minutes) or most_idle),
        "longest": min(most_hours, (policy and policy.longest_hours) or most_hours),
    }


def _end(request: StaffRequest) -> HttpResponse:
    which, at, through = request.POST.get("session", ""), timezone.now(), access.Through.of(request)
    if which == "all":
        people.end_every_session(user_id=request.user.pk, at=at, through=through)
        request.session.flush()
        messages.success(
            request,
            "You are signed out everywhere."
            if through is None
            else "You are signed out everywhere where you came in through your provider.",
        )
        return redirect("account_login")
    if not which.isascii() or not which.isdigit() or len(which) > 18:
        raise Http404
    if not people.end_session(user_id=request.user.pk, session_id=int(which), at=at, through=through):
        raise Http404
    messages.success(request, "That session has ended.")
    return redirect("accounts:sessions")


@require_http_methods(["GET", "HEAD", "POST"])
def choose_agency(request: StaffRequest) -> HttpResponse:
    found = [
        (pk, name)
        for pk, name in selectors.agencies_of_user(request.user.pk)
        if pk in request.opened_agencies
    ]
    doors = [] if access.Through.of(request) else selectors.doors_of_user(request.user.pk)
    if request.method == "POST":
        chosen = {str(pk): name for pk, name in found}.get(request.POST.get("agency", ""))
        if chosen is None:
            raise Http404
        request.session[AGENCY_IN_SESSION] = int(request.POST["agency"])
        messages.success(request, f"You are in {chosen} now.")
        return redirect("/")
    return render(
        request,
        "accounts/agencies.html",
        {"agencies": found, "now": request.agency.pk, "doors": [door for door in doors if door.must]},
    )


def not_here(request: HttpRequest) -> HttpResponse:
    """Pages of the sign-in library that have no use here: addresses change by invitation only."""
    raise Http404
