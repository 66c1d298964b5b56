"""
The form on other sites: what it shows, and what it sends. A site asks by its origin, without credentials; sites
that the client has not listed are told nothing.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods, require_safe

from callprivacy.lib import bounds
from consent.channels import signals, words
from consent.enums import Purpose
from consent.forms.public import AnswerForm
from consent.models import WebPage
from consent.services import web
from consent.services.web import Deed, ForeignSiteError, Page, UnknownKeyError, Visit
from consent.views import doors
from consent.views.doors import RefusedError
from consent.views.public import record

_JSON: Final = "application/json"
_PREFLIGHT_FOR: Final = "600"
_NOT_FOUND: Final = {"error": "not_found", "detail": "No form exists at this address.", "field": ""}
_FOREIGN: Final = {"error": "foreign_site", "detail": "This site cannot use this form.", "field": ""}
# What the script itself has to say; everything else stands on our own pages.
_SAYS: Final = ("number", "give_button", "stop_all", "more_link", "receipt_link", "none_ticked", "bad_number",
                "preview", "policy", "withdraw_how", "unknown_limit")  # fmt: skip


def _answer(body: dict[str, Any], *, status: int = 200, origin: str = "") -> JsonResponse:
    answer = JsonResponse(body, status=status)
    if origin:
        answer.headers["Access-Control-Allow-Origin"] = origin
    answer.headers["Vary"] = "Origin"
    return answer


def _origin(request: HttpRequest) -> str | None:
    """
    The site that asks; None for a page of our own, whose requests to read carry no origin.

    :raises ForeignSiteError: nobody that can be listed.
    """
    said = request.headers.get("Origin", "")
    if not said and request.headers.get("Sec-Fetch-Site") == "same-origin" and request.method == "GET":
        return None
    origin = signals.origin_of(said)
    if origin is None or origin != said:
        raise ForeignSiteError
    return origin


@doors.readable
@require_safe
def show_config(request: HttpRequest, key: str) -> HttpResponse:
    """What the form shows: the words in force, the boxes, the client's colours; and whether numbers may be swapped."""
    at = timezone.now()
    language = doors.language_for(request)
    try:
        web.door_of(key)
        origin = _origin(request)
        page, site = web.show_embed(key=key, origin=origin, language=language, at=at)
    except UnknownKeyError:
        return _answer(_NOT_FOUND, status=404)
    except ForeignSiteError:
        return _answer(_FOREIGN, status=403)
    return _answer(_config(request, page, site), origin=origin or "")


def _is_opted_out(request: HttpRequest, *, said: bool) -> bool:
    """Whether the browser asks not to share: by its header, or by what it tells scripts and ours passes on."""
    return said or signals.is_opted_out(request.headers.get("Sec-GPC"))


def _config(request: HttpRequest, page: Page, site: WebPage) -> dict[str, Any]:
    texts = words.TEXTS[page.language]
    opted_out = _is_opted_out(request, said=request.GET.get("gpc") == "1")
    left_out = {Purpose.SHARE} if opted_out else set()
    return {
        "name": page.look.legal_name,
        "lang": page.language.value,
        "fill": page.look.shades.fill,
        "ink": page.look.shades.ink,
        "notices": [
            {
                "lang": notice.language.value,
                "words": notice.words,
                "withdraw": notice.withdraw,
                "policy": notice.policy_url or page.look.policy_url,
                "boxes": [
                    [box.purpose.value, box.ask] for box in notice.boxes if box.purpose not in left_out
                ],
            }
            for notice in page.notices
        ],
        "form": page.form,
        "more": _url("consent:public_page", page, page.look.key),
        "says": {name: texts[name] for name in _SAYS},
        "gpc": f"{words.HONOURED[page.language]}. {texts['gpc']}" if opted_out else "",
        "swap": _swap(site, opted_out=opted_out),
    }


def _swap(site: WebPage, *, opted_out: bool) -> dict[str, Any] | None:
    """The script of the client's tracker, for browsers that do not object."""
    if opted_out or not site.swap_url:
        return None
    return {"url": site.swap_url, "hash": site.swap_integrity, "ask": site.swap_needs_consent}


def _url(name: str, page: Page, *args: str) -> str:
    return f"{settings.CALLPRIVACY_URL}{reverse(name, args=args)}?lang={page.language.value}"


@doors.public
@require_http_methods(["POST", "OPTIONS"])
def take_event(request: HttpRequest, key: str) -> HttpResponse:
    at = timezone.now()
    try:
        web.door_of(key)
        origin = _origin(request)
        web.allow_site(key=key, origin=origin)
    except UnknownKeyError:
        return _answer(_NOT_FOUND, status=404)
    except ForeignSiteError:
        return _answer(_FOREIGN, status=403)
    if request.method == "OPTIONS":
        return _preflight(origin or "")
    return _take(request, key, origin or "", at)


def _preflight(origin: str) -> HttpResponse:
    headers = {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": "Content-Type",
        "Access-Control-Max-Age": _PREFLIGHT_FOR,
        "Vary": "Origin",
    }
    return HttpResponse(status=204, headers=headers)


def _take(request: HttpRequest, key: str, origin: str, at: datetime) -> HttpResponse:
    said = _read(request)
    if said is None:
        return _refused("not_json", "Send a JSON object.", status=415, origin=origin)
    language = words.language_of(str(said.get("lang", "")), request.headers.get("Accept-Language", ""))
    page = web.show_page(key=key, language=language, at=at)
    form = AnswerForm(said, language=language, country=page.look.country)
    if not form.is_valid():
        field, errors = next(iter(form.errors.items()))
        if field == "form":
            return _refused("too_old", words.TEXTS[language]["too_old"], status=403, origin=origin)
        return _refused("not_valid", str(errors[0]), field=field, status=422, origin=origin)
    visit = replace(
        doors.visit_of(request, page=signals.page_of(str(said.get("page", "")), origin=origin)),
        opted_out=_is_opted_out(request, said=said.get("gpc") is True),
    )
    try:
        receipt = record(request, page, form, visit, at)
    except RefusedError as refused:
        detail = words.TEXTS[language][refused.problem]
        return _refused(refused.problem, detail, status=refused.status, origin=origin)
    return _answer(_receipt(page, form, receipt, visit, at), origin=origin)


def _read(request: HttpRequest) -> dict[str, Any] | None:
    if request.content_type != _JSON:
        return None
    try:
        said = bounds.from_json(request.body)
    except (UnreadablePostError, ValueError):
        return None
    return said if isinstance(said, dict) else None


def _refused(error: str, detail: str, *, status: int, origin: str, field: str = "") -> HttpResponse:
    return _answer({"error": error, "detail": detail, "field": field}, status=status, origin=origin)


def _receipt(page: Page, form: AnswerForm, token: str, visit: Visit, at: datetime) -> dict[str, Any]:
    texts, clock = words.TEXTS[page.language], words.clock(at, page.look.zone)
    if form.cleaned_data["deed"] == Deed.WITHDRAW:
        said = texts["stopped_at"].format(at=clock)
    else:
        said = f"{texts['thanks']} {texts['recorded_at'].format(at=clock)}. {texts['earlier_no']}"
    return {
        "said": said,
        "receipt": _url("consent:public_receipt", page, page.look.key, token),
        "gpc": words.HONOURED[page.language] if visit.opted_out else "",
    }


@doors.readable
@require_safe
def show_look(request: HttpRequest, key: str) -> HttpResponse:
    """A client's colours as a stylesheet of our own: the policy allows no style in a page."""
    shades = web.show_look(key=key).shades
    css = (
        f":root{{--fill:{shades.fill};--ink:{shades.ink};--brand:{shades.on_light}}}\n"
        f"@media (prefers-color-scheme: dark){{:root{{--brand:{shades.on_dark}}}}}\n"
    )
    answer = HttpResponse(css, content_type="text/css; charset=utf-8")
    answer.headers["Cache-Control"] = "public, max-age=300"
    return answer


@login_not_required
@require_safe
@cache_control(public=True, max_age=86400)
def show_gpc(request: HttpRequest) -> HttpResponse:
    """That this site heeds Global Privacy Control (w3c.github.io/gpc, the well-known resource)."""
    return JsonResponse({"gpc": True, "lastUpdate": "2026-11-24"})
