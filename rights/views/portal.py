"""The public requests page: what can be asked for, the form, the privacy notice."""

import time
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, Final

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from consent.channels import signals
from consent.channels import words as consent_words
from consent.channels.tokens import StaleFormError, read_form
from consent.enums import Language
from consent.services.again import BusyError
from consent.services.limits import Verdict, knock
from consent.services.web import Look
from consent.views import doors
from consent.views.doors import RefusedError, SeeOther
from rights.channels import words
from rights.enums import Ask
from rights.forms.portal import RequestForm, place_choices
from rights.services import portal
from rights.services.portal import Page, UnknownKeyError

# An hour from one address, and of one page; a no is taken more often, for it only protects.
ASKS: Final = 10
NOES: Final = 60
ASKS_OF_A_PAGE: Final = 300
NOES_OF_A_PAGE: Final = 3000
HELD_FOR: Final = 0.5
"""Seconds before which nothing that was taken is answered: a number that is new here has more to be written."""


def draw(
    request: HttpRequest,
    template: str,
    look: Look,
    language: Language,
    *,
    refused: RefusedError | None = None,
    status: int = 200,
    is_heard: bool = False,
    **context: Any,
) -> HttpResponse:
    """
    Draw a public page of requests, with why a form was not taken.

    :param is_heard: what the browser asks for with `Sec-GPC` is written down as a no to sharing.
    """
    texts = consent_words.TEXTS[language] | words.TEXTS[language]
    filled = {
        "look": look,
        "language": language.value,
        "languages": [(code.value, name) for code, name in consent_words.NAMES.items()],
        "t": texts,
        # That a code is wrong stands beside its field.
        "problem": texts.get(refused.problem, "") if refused and refused.problem != "code_wrong" else "",
        "honoured": consent_words.HONOURED[language],
        "opted_out": signals.is_opted_out(request.headers.get("Sec-GPC")),
        "is_heard": is_heard,
        **context,
    }
    return render(
        request, f"rights/portal/{template}.html", filled, status=refused.status if refused else status
    )


def gone(request: HttpRequest) -> HttpResponse:
    """Say that an address leads nowhere, to somebody who has no account and need not know whose page it was."""
    language = consent_words.language_of(
        request.GET.get("lang", ""), request.headers.get("Accept-Language", "")
    )
    context = {"language": language.value, "t": words.TEXTS[language]}
    return render(request, "rights/portal/gone.html", context, status=404)


def _or_gone[**P](view: Callable[Concatenate[HttpRequest, P], HttpResponse]) -> Callable[..., HttpResponse]:
    """Decorate a public view: a key that opens nothing, and a page that is not there, are said in its words."""

    @wraps(view)
    def shown(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except (UnknownKeyError, Http404):
            return gone(request)

    return shown


@doors.readable
@require_safe
@_or_gone
def show_portal(request: HttpRequest, key: str) -> HttpResponse:
    """Everything that can be asked for."""
    language = doors.language_for(request)
    page = portal.show_page(key=key, at=timezone.now())
    about = words.ABOUT[language]
    groups = [
        (name, [(ask.value, about[ask]) for ask in asks])
        for name, asks in (("at_once", words.AT_ONCE), ("proven", words.PROVEN), ("told", words.TOLD))
    ]
    return draw(request, "home", page.look, language, page=page, groups=groups)


@doors.public
@require_http_methods(["GET", "HEAD", "POST"])
@_or_gone
def ask(request: HttpRequest, key: str, asks: str) -> HttpResponse:
    if asks not in set(words.OFFERED):
        raise Http404
    at, language, wanted = timezone.now(), doors.language_for(request), Ask(asks)
    page = portal.show_page(key=key, at=at)
    if request.method != "POST":
        return _draw_ask(request, page, wanted, language)
    form = RequestForm(request.POST, ask=wanted, language=language, country=page.look.country, at=at)
    try:
        link = _send(request, page, form, language, at)
    except RefusedError as refused:
        return _draw_ask(request, page, wanted, language, form=form, refused=refused)
    return SeeOther(f"{reverse('rights:request', args=[link])}?lang={language.value}&new=1")


def _send(request: HttpRequest, page: Page, form: RequestForm, language: Language, at: datetime) -> str:
    is_valid = form.is_valid()
    need_fresh(request, page.holder_id, at)
    if not is_valid:
        raise RefusedError(422, "again_send")
    is_no = form.ask.works_at_once
    doors.need_room(
        request, f"ask:{page.holder_id}:{is_no}", most=NOES if is_no else ASKS, at=at, while_unknown=is_no
    )
    _need_room_on(page, is_no=is_no, at=at)
    begun = time.monotonic()
    try:
        link = portal.send(key=page.look.key, sent=form.sent(language), visit=doors.visit_of(request), at=at)
    except BusyError:
        raise RefusedError(503, "busy") from None
    time.sleep(max(0.0, HELD_FOR - (time.monotonic() - begun)))
    return link


def _need_room_on(page: Page, *, is_no: bool, at: datetime) -> None:
    """Refuse a flood from many addresses, before it buries the requests of people."""
    most = NOES_OF_A_PAGE if is_no else ASKS_OF_A_PAGE
    verdict = knock(f"asks:{page.holder_id}:{is_no}", "", most=most, per=doors.AN_HOUR, at=at)
    if verdict is Verdict.FULL:
        raise RefusedError(429, "full")


def need_fresh(request: HttpRequest, holder_id: int, at: datetime) -> None:
    """
    Refuse a form that did not come from a page of this holder that was opened lately.

    :raises RefusedError: it did not.
    """
    try:
        read_form(request.POST.get("form", ""), client_id=holder_id, at=at)
    except StaleFormError:
        raise RefusedError(403, "too_old") from None


def _draw_ask(request: HttpRequest, page: Page, wanted: Ask, language: Language, **more: Any) -> HttpResponse:
    sent = request.POST
    context = {
        "page": page,
        "ask": wanted.value,
        "about": words.ABOUT[language][wanted],
        "at_once": wanted.works_at_once,
        "behalf": [(who.value, text) for who, text in words.BEHALF[language].items()],
        "behalf_now": sent.get("on_behalf", "self"),
        "places": place_choices(language),
        "sent": sent,
        "wants_mail": wanted in words.PACKED,
        "stops": wanted.stops_at_once,
        "takes_words": wanted in words.TAKES_WORDS,
        "needs_words": wanted in words.NEEDS_WORDS,
        "words_label": words.TEXTS[language].get(f"words_{wanted.value}", words.TEXTS[language]["words"]),
        "form": None,
        **more,
    }
    return draw(request, "ask", page.look, language, **context)


@doors.readable
@require_safe
def show_look(request: HttpRequest, key: str) -> HttpResponse:
    """The page's colours as a stylesheet of our own: the policy allows no style in a page."""
    shades = portal.show_look(key=key).shades
    css = (
        f":root{{--fill:{shades.fill};--ink:{shades.ink};--brand:{shades.on_light}}}\n"
        f"@media (prefers-color-scheme: dark){{:root{{--brand:{shades.on_dark}}}}}\n"
    )
    answer = HttpResponse(css, content_type="text/css; charset=utf-8")
    answer.headers["Cache-Control"] = "public, max-age=300"
    return answer


@doors.readable
@require_safe
@_or_gone
def show_notice(request: HttpRequest, key: str, number: int | None = None) -> HttpResponse:
    """The privacy notice that is in force, or one of those before it."""
    language = doors.language_for(request)
    shown = portal.show_notice(key=key, number=number)
    context = {
        "body": shown.row.body[language.value],
        "number": shown.row.number,
        "at": consent_words.when(shown.row.published_at, shown.look.zone, language),
        "digest": bytes(shown.row.digest).hex(),
        "others": [one for one in shown.numbers if one != shown.row.number],
        "home": f"{settings.CALLPRIVACY_URL}{reverse('rights:portal', args=[key])}",
    }
    return draw(request, "notice", shown.look, language, **context)
