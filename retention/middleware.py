"""Refuses to serve while a database that was put back from a copy, or both that one carried here, are not made good."""

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from callprivacy.audit.services import lineage
from callprivacy.audit.services.lineage import Lineage
from retention.services import offboarding
from retention.views.watch import brings_token

_RETRY_AFTER = "60"
_METRICS = "/metrics"
FOR_PROGRAMS = ("/hooks/", "/api/", "/twilio/")


class TogetherMiddleware:
    """Answers 503 to everything, without a look into the databases; trackers ask again later."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path == _METRICS and brings_token(request):
            # It asks by itself, once it knows that the databases answer: one that hangs is told of, not waited for.
            return self.get_response(request)
        found = lineage.known()
        if found in {Lineage.SAME, Lineage.UNKNOWN}:
            return self.get_response(request)
        if request.path.startswith(FOR_PROGRAMS):
            response = HttpResponse(
                "Restored or carried here from a backup; try again later.\n", "text/plain", 503
            )
        else:
            response = HttpResponse(render_to_string("retention/restored.html"), status=503)
        response["Retry-After"] = _RETRY_AFTER
        response["Cache-Control"] = "no-store"
        return response


_OLD_PAGE = re.compile(r"^/[cpr]/([A-Za-z0-9_-]{8,64})/")


class MovedMiddleware:
    """
    Where a page or personal link is not found because its client has left, a plain page that says where it is now.

    Nothing is looked up for pages that are there. A link, never a redirect: where it leads a person sees first.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        found = _OLD_PAGE.match(request.path) if response.status_code == 404 else None
        if found is None or request.method not in {"GET", "HEAD"}:
            return response
        address = offboarding.moved_to(found[1])
        if address is None:
            return response
        moved = HttpResponse(
            render_to_string("retention/moved.html", {"address": address}, request), status=410
        )
        moved["Cache-Control"] = "no-store"
        return moved
