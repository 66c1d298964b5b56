"""Answers probes before anything else does: no session, no redirect to https, no look at the host's name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse

from dashboard.views import health

_PROBES: Final[dict[str, Callable[[HttpRequest], HttpResponse]]] = {
    "/healthz": health.show_alive,
    "/readyz": health.show_ready,
}


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
