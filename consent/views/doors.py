"""
What every public page of consent has in common: no session, no cookie, no cache, no word to other sites about
where somebody was, and the same 404 for whatever opens nothing.

There is no session that a forged form could ride on. A form brings back a signed note instead, which says what it
showed; without a fresh one nothing is done.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt

from callprivacy.accounts.adapter import client_address
from callprivacy.lib.browsers import browser_of
from consent.channels import signals, tokens, words
from consent.enums import Language
from consent.services.again import BusyError
from consent.services.codes import StaleChallengeError, WrongCodeError
from consent.services.ledger import CallerGoneError
from consent.services.limits import Verdict, knock
from consent.services.preferences import NoWordsError, SignalError, UnknownLinkError
from consent.services.receipts import UnknownReceiptError
from consent.services.web import Look, NothingTickedError, StaleFormError, UnknownKeyError, Visit

LARGEST: Final = 16 * 1024
AN_HOUR: Final = timedelta(hours=1)
_PLAIN: Final = "text/plain; charset=utf-8"


class RefusedError(Exception):
    """A form that is not taken: the status of the answer, and which of our words says why."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status
        self.problem = problem


class SeeOther(HttpResponseRedirect):
    """Sends the browser on with a GET, so that loading the page again repeats nothing."""

    status_code = 303


_REFUSALS: Final[dict[type[Exception], tuple[int, str]]] = {
    StaleFormError: (403, "too_old"),
    StaleChallengeError: (403, "too_old"),
    NothingTickedError: (422, "none_ticked"),
    WrongCodeError: (422, "code_wrong"),
    NoWordsError: (422, "no_words"),
    SignalError: (422, "gpc_share"),
    CallerGoneError: (503, "busy"),
    BusyError: (503, "busy"),
}


@contextmanager
def refusing() -> Iterator[None]:
    """
    Turn what a service refuses into words for who sent the form.

    :raises RefusedError: it refused.
    """
    try:
        yield
    except tuple(_REFUSALS) as error:
        status, problem = _REFUSALS[type(error)]
        raise RefusedError(status, problem) from error


type View = Callable[..., HttpResponseBase]


def public(view: View) -> View:
    """Decorate a view that anybody may open and send forms to, from whatever page."""
    return csrf_exempt(login_not_required(_opened(view)))


def taking_files(largest: int, *, too_large: View | None = None) -> Callable[[View], View]:
    """
    Decorate a view like `public`, that takes up to so many bytes at once.

    :param too_large: says so to who sent more, without reading it; else a line of plain text does.
    """

    def decorate(view: View) -> View:
        return csrf_exempt(login_not_required(_opened(view, largest, too_large)))

    return decorate


def readable(view: View) -> View:
    """Decorate a view that anybody may read."""
    return login_not_required(_opened(view))


def _opened(view: View, largest: int = LARGEST, too_large: View | None = None) -> View:
    @wraps(view)
    def opened(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        refusal = _refuse_unread(request, largest)
        if refusal is not None and not (refusal.status_code == 413 and too_large is not None):
            return refusal
        try:
            shown = view if refusal is None or too_large is None else too_large
            response = shown(request, *args, **kwargs)
        except (UnknownKeyError, UnknownLinkError, UnknownReceiptError):
            raise Http404 from None
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Robots-Tag"] = "noindex, nofollow"
        return response

    return opened


def _refuse_unread(request: HttpRequest, largest: int) -> HttpResponse | None:
    """Refuse by the headers alone, before a byte of the body is read."""
    if "CONTENT_LENGTH" not in request.META and "HTTP_TRANSFER_ENCODING" in request.META:
        return HttpResponse(b"Send a Content-Length.\n", status=411, content_type=_PLAIN)
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdigit()):
        return HttpResponse(b"Content-Length is no number.\n", status=400, content_type=_PLAIN)
    if len(length) > 9 or int(length) > largest:
        words = f"The body is over {largest // 1024} KB.\n".encode()
        return HttpResponse(words, status=413, content_type=_PLAIN)
    return None


def language_for(request: HttpRequest) -> Language:
    chosen = request.POST.get("lang") or request.GET.get("lang") or ""
    return words.language_of(chosen, request.headers.get("Accept-Language", ""))


def visit_of(request: HttpRequest, *, page: str = "") -> Visit:
    """
    What evidence says of who sends a form.

    :param page: host and path, where it is not this very page; a path with a secret in it never is.
    """
    here = f"{urlsplit(settings.CALLPRIVACY_URL).netloc}{request.path}"
    return Visit(
        page=page or here,
        browser=browser_of(request.headers.get("User-Agent", "")),
        opted_out=signals.is_opted_out(request.headers.get("Sec-GPC")),
    )


def need_room(
    request: HttpRequest,
    what: str,
    *,
    most: int,
    at: datetime,
    number: str = "",
    while_unknown: bool = False,
) -> None:
    """
    Refuse what comes too often within an hour, by where it comes from and by the number it is about.

    :param while_unknown: take it also while nobody can count.
    :raises RefusedError: there is no room.
    """
    verdict = knock(what, client_address(request) or "", most=most, per=AN_HOUR, at=at)
    if verdict is Verdict.OPEN and number:
        verdict = knock(f"{what}:number", number, most=most, per=AN_HOUR, at=at)
    if verdict is Verdict.FULL:
        raise RefusedError(429, "too_many")
    if verdict is Verdict.UNKNOWN and not while_unknown:
        raise RefusedError(503, "unknown_limit")


def need_fresh(request: HttpRequest, look: Look, *, at: datetime) -> None:
    """
    Refuse a form that did not come from a page of this client that was opened lately.

    :raises RefusedError: it did not.
    """
    with refusing():
        tokens.read_form(request.POST.get("form", ""), client_id=look.client_id, at=at)


def page(
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
    Draw a public page in a client's name, with why a form was not taken.

    :param is_heard: what the browser asks for with `Sec-GPC` is written down as a no to sharing.
    """
    texts = words.TEXTS[language]
    filled = {
        "look": look,
        "language": language.value,
        "languages": [(code.value, name) for code, name in words.NAMES.items()],
        "t": texts,
        "problem": texts[refused.problem] if refused and refused.problem != "code_wrong" else "",
        "code_is_wrong": refused is not None and refused.problem == "code_wrong",
        "honoured": words.HONOURED[language],
        "opted_out": signals.is_opted_out(request.headers.get("Sec-GPC")),
        "is_heard": is_heard,
        **context,
    }
    return render(
        request, f"consent/public/{template}.html", filled, status=refused.status if refused else status
    )
