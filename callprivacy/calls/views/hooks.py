"""
The public door of trackers. It says as little as it can: the same 404 for every key that is none, a 403
without a reason, and 200 only when what came is committed.
"""

from typing import Final

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from callprivacy.calls.providers import PROVIDERS
from callprivacy.calls.providers.base import Delivery
from callprivacy.calls.services import inbox
from callprivacy.calls.tasks.inbox import nudge_on_commit

LARGEST: Final = 1024 * 1024
_PLAIN: Final = "text/plain; charset=utf-8"
# Twilio reads the answer to a voice request as instructions; none is an empty document. Others want no body.
_ACCEPTED: Final = {
    "twilio": (b'<?xml version="1.0" encoding="UTF-8"?>\n<Response></Response>\n', "text/xml; charset=utf-8")
}


@csrf_exempt
@login_not_required
@require_POST
def receive(request: HttpRequest, provider: str, key: str) -> HttpResponse:
    vendor = PROVIDERS.get(provider)
    if vendor is None or not key.isprintable():
        return _answer(404, b"Not found.\n")
    if (refusal := refuse_unread(request, vendor.content_types)) is not None:
        return refusal
    try:
        delivery = Delivery(body=request.body, headers=request.headers, url=address_as_called(request))
        agency_id = inbox.receive_event(provider=vendor, key=key, delivery=delivery, at=timezone.now())
    except inbox.UnknownConnectionError:
        return _answer(404, b"Not found.\n")
    except inbox.ForgedError:
        return _answer(403, b"Forbidden.\n")
    except UnreadablePostError:
        return _answer(400, b"The body ended early.\n")
    nudge_on_commit(agency_id)
    body, content_type = _ACCEPTED.get(provider, (b"", _PLAIN))
    return HttpResponse(body, content_type=content_type)


def refuse_unread(request: HttpRequest, content_types: frozenset[str]) -> HttpResponse | None:
    """Refuse by the headers alone, before a byte of the body is read."""
    if "CONTENT_LENGTH" not in request.META and "HTTP_TRANSFER_ENCODING" in request.META:
        return _answer(411, b"Send a Content-Length.\n")
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return _answer(400, b"Content-Length is no number.\n")
    if length > LARGEST:
        return _answer(413, b"The body is over 1 MB.\n")
    if request.content_type not in content_types:
        return _answer(415, b"Send " + " or ".join(sorted(content_types)).encode() + b".\n")
    return None


def address_as_called(request: HttpRequest) -> str:
    """The address that the vendor called and signed: our public one, whatever proxies have made of it."""
    query = request.META.get("QUERY_STRING", "")
    return f"{settings.CALLPRIVACY_URL}{request.path}{'?' if query else ''}{query}"


def _answer(status: int, words: bytes) -> HttpResponse:
    return HttpResponse(words, status=status, content_type=_PLAIN)
