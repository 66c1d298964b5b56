"""A client's public page: to agree, to take back, to get a receipt, and to prove a phone."""

from datetime import datetime
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from consent.channels import words
from consent.enums import Language, Purpose
from consent.forms.public import AnswerForm, CodeForm, NumberForm
from consent.services import preferences, receipts, web
from consent.services.codes import Sending
from consent.services.receipts import Receipt
from consent.services.web import Answer, Deed, Look, Page, Visit
from consent.tasks.menu_calls import nudge_stops
from consent.views import doors
from consent.views.doors import RefusedError, SeeOther

# An hour from one address, and of one number: an office shares an address, a phone is one person's.
GIVES: Final = 40
STOPS: Final = 120
CODES: Final = 8
TRIES: Final = 30


@doors.public
@require_http_methods(["GET", "HEAD", "POST"])
def show_consent(request: HttpRequest, key: str) -> HttpResponse:
    """The words in force with a box for each purpose, and the way to take everything back."""
    at, language = timezone.now(), doors.language_for(request)
    page = web.show_page(key=key, language=language, at=at)
    if request.method != "POST":
        return _draw_consent(request, page)
    form = AnswerForm(request.POST, language=language, country=page.look.country)
    try:
        receipt = _record(request, page, form, at)
    except RefusedError as refused:
        return _draw_consent(request, page, form, refused)
    return SeeOther(_receipt_address(key, receipt, language))


def _record(request: HttpRequest, page: Page, form: AnswerForm, at: datetime) -> str:
    is_valid = form.is_valid()
    doors.need_fresh(request, page.look, at=at)
    if not is_valid:
        raise RefusedError(422, "again_send")
    return record(request, page, form, doors.visit_of(request), at)


def record(request: HttpRequest, page: Page, form: AnswerForm, visit: Visit, at: datetime) -> str:
    """
    Have a valid form written down, where there is room for it; returns the token of its receipt.

    :raises RefusedError: it is not taken.
    """
    said = form.cleaned_data
    is_no = said["deed"] == Deed.WITHDRAW
    doors.need_room(
        request,
        f"{said['deed']}:{page.look.client_id}",
        most=STOPS if is_no else GIVES,
        at=at,
        number=said["number"],
        while_unknown=is_no,
    )
    answer = Answer(
        deed=Deed(said["deed"]),
        number=said["number"],
        purposes=frozenset(Purpose(purpose) for purpose in said["purposes"]),
        form=said["form"],
        language=page.language,
    )
    with doors.refusing():
        receipt = web.record_answer(key=page.look.key, answer=answer, visit=visit, at=at)
    if is_no:
        nudge_stops(page.look.agency_id)
    return receipt


def _draw_consent(
    request: HttpRequest, page: Page, form: AnswerForm | None = None, refused: RefusedError | None = None
) -> HttpResponse:
    about = words.ABOUT[page.language]
    return doors.page(
        request,
        "consent",
        page.look,
        page.language,
        refused=refused,
        page=page,
        sent=form,
        sent_deed=request.POST.get("deed", ""),
        sent_number=request.POST.get("number", ""),
        ticked=request.POST.getlist("purposes"),
        stops=[(purpose.value, about[purpose].title) for purpose in words.ORDER],
    )


def _receipt_address(key: str, token: str, language: Language) -> str:
    return f"{reverse('consent:public_receipt', args=[key, token])}?lang={language.value}"


@doors.public
@require_http_methods(["GET", "HEAD", "POST"])
def show_receipt(request: HttpRequest, key: str, receipt: str) -> HttpResponse:
    """What a form wrote; and the proof of the phone, for who sent it just now."""
    at, language = timezone.now(), doors.language_for(request)
    shown = receipts.show_receipt(key=key, token=receipt, language=language, at=at)
    if request.method != "POST":
        return _draw_receipt(request, shown, language, at)
    challenge = request.POST.get("challenge", "")
    try:
        doors.need_fresh(request, shown.look, at=at)
        if "code" in request.POST:
            return SeeOther(_receipt_address(key, _finish(request, shown, language, at), language))
        doors.need_room(request, f"code:{shown.look.client_id}", most=CODES, at=at, while_unknown=True)
        sending = receipts.start_proof(key=key, token=receipt, challenge=challenge, language=language, at=at)
    except RefusedError as refused:
        return _draw_receipt(request, shown, language, at, refused=refused, challenge=challenge)
    return _draw_receipt(request, shown, language, at, **_sent(sending, shown.look, language))


def _sent(sending: Sending, look: Look, language: Language) -> dict[str, str]:
    """What a page shows of a requested code: the challenge, and from when on the next can be requested if not now."""
    held = sending.not_now
    return {
        "challenge": sending.challenge,
        "not_now": words.when(held.next_at, look.zone, language) if held else "",
    }


def _draw_receipt(
    request: HttpRequest, shown: Receipt, language: Language, at: datetime, **more: Any
) -> HttpResponse:
    zone = shown.look.zone
    return doors.page(
        request,
        "receipt",
        shown.look,
        language,
        is_heard=shown.stops_sharing,
        receipt=shown,
        form=web.note_of(shown.look, at=at),
        at=words.when(shown.at, zone, language),
        clock=words.clock(shown.at, zone),
        **more,
    )


def _code(request: HttpRequest, client_id: int, language: Language, at: datetime) -> CodeForm:
    form = CodeForm(request.POST, language=language)
    if not form.is_valid():
        raise RefusedError(422, "code_wrong")
    doors.need_room(request, f"try:{client_id}", most=TRIES, at=at, while_unknown=True)
    return form


def _finish(request: HttpRequest, shown: Receipt, language: Language, at: datetime) -> str:
    form = _code(request, shown.look.client_id, language, at)
    with doors.refusing():
        return receipts.finish_proof(
            key=shown.look.key,
            token=shown.token,
            challenge=form.cleaned_data["challenge"],
            code=form.cleaned_data["code"],
            visit=doors.visit_of(request),
            at=at,
        )


@doors.public
@require_http_methods(["GET", "HEAD", "POST"])
def prove_phone(request: HttpRequest, key: str) -> HttpResponse:
    """The way to one's choices without a link: a number, a code. Every number is answered alike."""
    at, language = timezone.now(), doors.language_for(request)
    page = web.show_page(key=key, language=language, at=at)
    if request.method != "POST":
        return _draw_proof(request, page)
    challenge = request.POST.get("challenge", "")
    form = NumberForm(request.POST, language=language, country=page.look.country)
    try:
        doors.need_fresh(request, page.look, at=at)
        if "code" in request.POST:
            return SeeOther(f"{_prove(request, page, at)}?lang={language.value}")
        sending = _send(request, page, form, challenge, at)
    except RefusedError as refused:
        is_over = refused.problem == "too_old"
        return _draw_proof(request, page, refused=refused, sent=form, challenge="" if is_over else challenge)
    return _draw_proof(request, page, **_sent(sending, page.look, page.language))


def _draw_proof(request: HttpRequest, page: Page, **more: Any) -> HttpResponse:
    more.setdefault("sent_number", request.POST.get("number", ""))
    return doors.page(request, "choices", page.look, page.language, page=page, **more)


def _send(request: HttpRequest, page: Page, form: NumberForm, challenge: str, at: datetime) -> Sending:
    """Send a code to the number that was typed, or another one to that of the challenge."""
    if not challenge and not form.is_valid():
        raise RefusedError(422, "again_send")
    doors.need_room(request, f"code:{page.look.client_id}", most=CODES, at=at, while_unknown=True)
    with doors.refusing():
        if challenge:
            return web.send_another(key=page.look.key, challenge=challenge, language=page.language, at=at)
        number = form.cleaned_data["number"]
        return web.send_code(key=page.look.key, number=number, language=page.language, at=at)


def _prove(request: HttpRequest, page: Page, at: datetime) -> str:
    form = _code(request, page.look.client_id, page.language, at)
    with doors.refusing():
        return preferences.prove(
            key=page.look.key,
            challenge=form.cleaned_data["challenge"],
            code=form.cleaned_data["code"],
            at=at,
        )
