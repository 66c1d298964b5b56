"""Whether the house stands, for who watches it: no names, no counts of anybody's data."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connections
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe


@login_not_required
@never_cache
@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """Answer 200 when both databases answer, 503 when one does not."""
    found = {}
    for alias in ("default", "vault"):
        try:
            with connections[alias].cursor() as cursor:
                cursor.execute("SELECT 1")
        except DatabaseError:
            found[alias] = "unreachable"
        else:
            found[alias] = "ok"
    return JsonResponse(found, status=200 if set(found.values()) == {"ok"} else 503)
