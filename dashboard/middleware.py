"""
What is answered at the front door: probes, before anything else and without a redirect to https or a look at the host's
name, and methods that no page knows. Neither has a session or asks a database for a person.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed

from dashboard.views import health

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
        return answer


class MethodMiddleware:
    """What no page knows costs nobody a session, a scope or a line in the trail."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method in _METHODS or (request.method == "DELETE" and request.path.startswith(_DELETES)):
            return self.get_response(request)
        return HttpResponseNotAllowed(_METHODS)
