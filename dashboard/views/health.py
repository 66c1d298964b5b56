"""
Whether the house stands, for who watches it: no names, no counts of anybody's data.

`/healthz`: this process answers; nothing else is asked, so that a database that is away ends no process. `/readyz`:
what it needs is there. Both are answered before everything else (dashboard.middleware).
"""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dashboard.services import readiness
from retention.views.watch import brings_token


@login_not_required
@never_cache
@require_safe
def show_alive(_request: HttpRequest) -> JsonResponse:
    """This process answers."""
    return JsonResponse({"alive": True})


@login_not_required
@never_cache
@require_safe
def show_ready(request: HttpRequest) -> JsonResponse:
    """Which parts are good; what is wrong with the others is told to who brings the token of the metrics."""
    found = readiness.look()
    knows = brings_token(request)
    said = {name: (wrong if knows else "failed") if wrong else "ok" for name, wrong in found.items()}
    return JsonResponse(said, status=503 if any(found.values()) else 200)
