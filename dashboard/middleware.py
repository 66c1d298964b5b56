"""
What is answered at the front door: probes, before anything else and without a redirect to https or a look at the host's
name, and methods that no page knows. Neither has a session or asks a database for a person. And what is answered in
place of a page whose statement the database cut off, and at an address that takes a form and is opened as a page.
"""

from collections.abc import Callable
from typing import Final, cast

from django.conf import settings
from django.core.validators import slug_re
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import Resolver404, resolve
from django.utils.csp import build_policy
from psycopg.errors import QueryCanceled

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest
from callprivacy.lib.logs import logger
from callprivacy.tenancy.enums import Permission
from dashboard import navigation
from dashboard.navigation import CHOSEN, Page
from dashboard.views import health
from retention.middleware import FOR_PROGRAMS

_log = logger(__name__)

_PROBES: Final[dict[str, Callable[[HttpRequest], HttpResponse]]] = {
    "/healthz": health.show_alive,
    "/readyz": health.show_ready,
}
_METHODS: Final = ("GET", "HEAD", "OPTIONS", "POST")
_DELETES: Final = "/demo/vendor/"
"""Where a demo's stand-in for Twilio is asked to delete recordings, as Twilio is."""


class ProbeMiddleware:
    """A load balancer asks each process by its address and in the clear, also while a restore shuts everything else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if (probe := _PROBES.get(request.path)) is None:
            return self.get_response(request)
        answer = probe(request)
        # What the middleware below would have said of it.
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Referrer-Policy"] = "no-referrer"
        answer.headers["Content-Security-Policy"] = build_policy(settings.SECURE_CSP)
        return answer


class MethodMiddleware:
    """What no page knows costs nobody a session, a scope or a line in the trail."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method in _METHODS or (request.method == "DELETE" and request.path.startswith(_DELETES)):
            return self.get_response(request)
        return HttpResponseNotAllowed(_METHODS)


class FormAddressMiddleware:
    """
    Says at an address that only takes forms where its page is. A browser comes there by itself: for a page that was
    drawn there and is opened again by its address.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self.get_response(request)
        is_a_page = request.method == "GET" and not request.headers.get("HX-Request")
        # Callers' pages and programs have no membership.
        if answer.status_code != 405 or not is_a_page or getattr(request, "membership", None) is None:
            return answer
        # Without the request: it is for every person the same, and asks nothing.
        answer.content = render_to_string("405.html", {"above": _above(request.path)}).encode()
        return answer


def _above(path: str) -> str:
    """The way from an address to the nearest above it; nothing where that is the first page."""
    if not path.endswith("/"):
        return ""
    parts = path.strip("/").split("/")
    for up in range(1, len(parts)):
        try:
            resolve("/" + "/".join(parts[:-up]) + "/")
        except Resolver404:
            continue
        return "../" * up
    return ""


class ChosenClientMiddleware:
    """
    Keeps the client that a person chose until it is cleared. The address carries it: a list that takes `?client=` and
    is opened without it leads on to the one that is narrowed.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_: object) -> HttpResponse | None:
        """Keep a client that the address chooses, forget one that it clears, or lead on to the one that is kept."""
        place, match = navigation.place_of(request.resolver_match), request.resolver_match
        is_page = request.method == "GET" and not request.headers.get("HX-Request")
        if not is_page or place is None or match is None or getattr(request, "membership", None) is None:
            return None
        staff = cast("StaffRequest", request)
        kept, asked = staff.session.get(CHOSEN, ""), staff.GET.get("client")
        if asked is None:
            if (
                kept
                and place.page.narrows
                and match.view_name == place.page.name
                and _opens(staff, kept, place.page)
            ):
                query = staff.GET.copy()
                query["client"] = kept
                return redirect(f"{staff.path}?{query.urlencode()}")
        # A link of another site chooses nothing.
        elif staff.headers.get("Sec-Fetch-Site", "none") in {"none", "same-origin"}:
            is_here = place.page.narrows or match.kwargs.get("slug") == asked
            if not asked:
                staff.session.pop(CHOSEN, None)
            elif is_here and asked != kept and slug_re.match(asked) and _opens(staff, asked):
                staff.session[CHOSEN] = asked
        return None


def _opens(request: StaffRequest, slug: str, page: Page | None = None) -> bool:
    """Whether a person sees a client, and holds there each permission that a page needs."""
    membership, at = request.membership, request.at
    needs = [need for need in page.needs if isinstance(need, Permission)] if page else []
    found = [
        access.visible_clients(membership, at=at),
        *(access.clients_with(membership, one, at=at) for one in needs),
    ]
    return all(clients.filter(slug=slug).exists() for clients in found)


class TooSlowMiddleware:
    """Says plainly that a page took too long, where the database cut its statement off; all of it is rolled back."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer 503 for a statement that was cut off; whatever else broke is answered as ever."""
        if not isinstance(exception.__cause__, QueryCanceled):
            return None
        match = request.resolver_match
        _log.error("request.too_slow", page=match.view_name if match else "")
        if request.path.startswith(FOR_PROGRAMS):
            answer = HttpResponse("It took too long; try again later.\n", "text/plain", 503)
        else:
            # Without the request: nothing more can be asked in this transaction.
            answer = HttpResponse(render_to_string("dashboard/too_slow.html"), status=503)
        answer["Retry-After"] = "60"
        answer["Cache-Control"] = "no-store"
        return answer
