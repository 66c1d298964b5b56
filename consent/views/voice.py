"""
Twilio's public doors for calls. Nothing is read before its signature holds, and whatever goes wrong behind the door,
the caller is connected, unrecorded.
"""

from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from callprivacy.calls.providers.base import Delivery
from callprivacy.calls.providers.twilio import FORM, Twilio
from callprivacy.calls.services import inbox
from callprivacy.calls.tasks.inbox import nudge_on_commit
from callprivacy.calls.views.hooks import address_as_called, refuse_unread
from callprivacy.lib.logs import logger
from consent.channels import twiml
from consent.services import again, codes, menu_calls, twilio_door
from consent.services.twilio_door import Door
from consent.tasks.menu_calls import nudge_stops

log = logger(__name__)

ACTOR: Final = "twilio.voice"
_PLAIN: Final = "text/plain; charset=utf-8"
_FORMS: Final = frozenset({FORM})


@csrf_exempt
@login_not_required
@require_POST
def answer(request: HttpRequest, key: str) -> HttpResponse:
    return _tell(request, key, lambda door: menu_calls.answer(door=door, at=timezone.now()))


@csrf_exempt
@login_not_required
@require_POST
def step(request: HttpRequest, key: str) -> HttpResponse:
    """A key was pressed, or none in time; or the line that was dialled has ended."""
    raw = request.GET.get("asked", "")
    asked = int(raw) if raw.isascii() and raw.isdigit() and len(raw) < 3 else 0

    def deed(door: Door) -> twiml.Script:
        if "DialCallStatus" in door.said:
            return menu_calls.line_ended(door=door, at=timezone.now())
        return menu_calls.press(door=door, asked=asked, at=timezone.now())

    return _tell(request, key, deed)


@csrf_exempt
@login_not_required
@require_POST
def note_status(request: HttpRequest, key: str) -> HttpResponse:
    """A call changed its status: for the list of calls, and for the menu that it came through."""
    return _note(request, key, lambda door: menu_calls.note_status(door=door, at=timezone.now()))


@csrf_exempt
@login_not_required
@require_POST
def note_recording(request: HttpRequest, key: str) -> HttpResponse:
    return _note(request, key, lambda door: menu_calls.note_recording(door=door, at=timezone.now()))


@csrf_exempt
@login_not_required
@require_POST
def note_reading(request: HttpRequest, key: str) -> HttpResponse:
    """A call that we placed to read a code aloud has ended. It goes into no inbox: it is no call of the client's."""
    delivery = delivery_of(request, key)
    if isinstance(delivery, HttpResponse):
        return delivery
    try:
        _behind(key, delivery, lambda door: codes.note_reading(door=door, at=timezone.now()))
    except twilio_door.UnknownConnectionError:
        return not_found()
    except twilio_door.ForgedError:
        return forbidden()
    return HttpResponse(twiml.NOTHING, content_type=twiml.CONTENT_TYPE)


def _tell(request: HttpRequest, key: str, deed: Callable[[Door], twiml.Script]) -> HttpResponse:
    """Do what Twilio asked and say what it is to do next; where that fails, connect the caller."""
    delivery = delivery_of(request, key)
    if isinstance(delivery, HttpResponse):
        return delivery
    try:
        # What is said is in the transaction too: a consent is not kept whose recording could not be begun.
        agency_id, document = again.insist(
            lambda: _behind(key, delivery, lambda door: _document(key, deed(door)))
        )
    except (twilio_door.UnknownConnectionError, menu_calls.NoMenuError):
        return not_found()
    except twilio_door.ForgedError:
        return forbidden()
    except Exception as error:  # noqa: BLE001  (the caller is on the line: any fault of ours ends in a connection)
        log.error("menu.failed", error=type(error).__name__)  # noqa: TRY400  (a text may hold a value)
        return _connect(key, delivery)
    nudge_stops(agency_id)
    return HttpResponse(document, content_type=twiml.CONTENT_TYPE)


def _document(key: str, script: twiml.Script) -> bytes:
    return twiml.document(script, _links(key, script.asked))


def _behind[T](key: str, delivery: Delivery, deed: Callable[[Door], T]) -> tuple[int, T]:
    """Do a deed behind the door of its connection, in one transaction; returns the agency too."""
    with twilio_door.entered(key=key, delivery=delivery, by=ACTOR, at=timezone.now()) as door:
        return door.client.agency_id, deed(door)


def _connect(key: str, delivery: Delivery) -> HttpResponse:
    """Unrecorded and without a question; where even that fails Twilio takes the number's own fallback."""
    with twilio_door.entered(key=key, delivery=delivery, by=ACTOR, at=timezone.now()) as door:
        line = menu_calls.forward_line(door=door)
    return HttpResponse(twiml.forwarding(line), content_type=twiml.CONTENT_TYPE)


def _links(key: str, asked: int) -> twiml.Links:
    """Where Twilio turns next. The key's address says which question it answers."""
    step_at = _address("consent:voice_step", key)
    return twiml.Links(
        step=f"{step_at}?asked={asked}", dialled=step_at, recording=_address("consent:voice_recording", key)
    )


def _address(name: str, key: str) -> str:
    return f"{settings.CALLPRIVACY_URL}{reverse(name, args=[key])}"


def _note(request: HttpRequest, key: str, deed: Callable[[Door], None]) -> HttpResponse:
    delivery = delivery_of(request, key)
    if isinstance(delivery, HttpResponse):
        return delivery
    at = timezone.now()
    try:
        agency_id = inbox.receive_event(provider=Twilio(), key=key, delivery=delivery, at=at)
        nudge_on_commit(agency_id)
        again.insist(lambda: _behind(key, delivery, deed))
    except twilio_door.UnknownConnectionError:
        return not_found()
    except twilio_door.ForgedError:
        return forbidden()
    except menu_calls.NoCallError:
        pass
    except again.BusyError:
        return busy()
    else:
        nudge_stops(agency_id)
    return HttpResponse(twiml.NOTHING, content_type=twiml.CONTENT_TYPE)


def delivery_of(request: HttpRequest, key: str) -> Delivery | HttpResponse:
    """What arrived, untouched; or why it is not even read."""
    if not key.isprintable():
        return not_found()
    refusal = refuse_unread(request, _FORMS)
    if refusal is not None:
        return refusal
    try:
        return Delivery(body=request.body, headers=request.headers, url=address_as_called(request))
    except UnreadablePostError:
        return HttpResponse(b"The body ended early.\n", status=400, content_type=_PLAIN)


def not_found() -> HttpResponse:
    """The same for every key that is none, and for every number without a menu."""
    return HttpResponse(b"Not found.\n", status=404, content_type=_PLAIN)


def busy() -> HttpResponse:
    """It could not be written now: nothing is claimed, and it may be sent again."""
    answer = HttpResponse(b"Busy. Send it again.\n", status=503, content_type=_PLAIN)
    answer.headers["Retry-After"] = "5"
    return answer


def forbidden() -> HttpResponse:
    """Without a reason."""
    return HttpResponse(b"Forbidden.\n", status=403, content_type=_PLAIN)
