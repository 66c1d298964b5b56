"""Twilio's public doors for calls back: what an agent who was rung hears. Nothing is read before a signature holds."""

from collections.abc import Callable
from uuid import UUID

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from consent.channels import desk_twiml
from consent.services import call_backs, twilio_door
from consent.services.twilio_door import Door
from consent.views.voice import delivery_of, forbidden, not_found

ACTOR = "twilio.desk"


@csrf_exempt
@login_not_required
@require_POST
def greet(request: HttpRequest, key: str, call_back_id: UUID) -> HttpResponse:
    return _tell(
        request, key, lambda door: call_backs.greet(door=door, row_id=call_back_id, at=timezone.now())
    )


@csrf_exempt
@login_not_required
@require_POST
def connect(request: HttpRequest, key: str, call_back_id: UUID) -> HttpResponse:
    return _tell(
        request, key, lambda door: call_backs.connect(door=door, row_id=call_back_id, at=timezone.now())
    )


def _tell(request: HttpRequest, key: str, deed: Callable[[Door], bytes]) -> HttpResponse:
    delivery = delivery_of(request, key)
    if isinstance(delivery, HttpResponse):
        return delivery
    try:
        with twilio_door.entered(key=key, delivery=delivery, by=ACTOR, at=timezone.now()) as door:
            document = deed(door)
    except twilio_door.UnknownConnectionError:
        return not_found()
    except twilio_door.ForgedError:
        return forbidden()
    return HttpResponse(document, content_type=desk_twiml.CONTENT_TYPE)
