"""
The demo's telephone: a page that plays callers through the same public, signed doors that Twilio and CallRail use, and
the vendor's interface that our side asks. There is none of it outside a demo.
"""

import base64
from typing import Final

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from callprivacy.accounts.access import StaffRequest, needs_right
from callprivacy.accounts.enums import AgencyRight
from consent.channels import twilio
from consent.selectors import phone as selectors
from consent.services import phone

_LARGEST: Final = 64 * 1024
# Reserved for fiction (555-0100 to 555-0199).
CALLERS: Final = (
    ("+14155550142", "Ms Quinn in San Francisco"),
    ("+12135550117", "Mr Ortega in Los Angeles"),
    ("+13125550163", "Ms Novak in Chicago"),
    ("+12125550178", "Mr Adeyemi in New York"),
    ("+442079460123", "Ms Shaw in London"),
    ("anonymous", "Caller without caller ID"),
)


def _only_in_a_demo(request: StaffRequest) -> None:
    if not request.agency.is_demo:
        raise Http404


@require_safe
@needs_right(AgencyRight.SIGN_OFF)
def show_phone(request: StaffRequest) -> HttpResponse:
    _only_in_a_demo(request)
    context = {"lines": selectors.lines(request.agency), "callers": CALLERS}
    return render(request, "consent/phone.html", context)


@require_POST
@needs_right(AgencyRight.SIGN_OFF)
def sign(request: StaffRequest) -> HttpResponse:
    _only_in_a_demo(request)
    path, body = request.POST.get("path", ""), request.POST.get("body", "")
    try:
        return JsonResponse(phone.sign(agency=request.agency, path=path, body=body, at=request.at))
    except phone.NotPlayedError:
        raise Http404 from None


@require_safe
@needs_right(AgencyRight.SIGN_OFF)
def hear(request: StaffRequest) -> HttpResponse:
    _only_in_a_demo(request)
    return JsonResponse({"events": phone.heard(agency=request.agency)})


@csrf_exempt
@login_not_required
@require_http_methods(["POST", "DELETE"])
def play_vendor(request: HttpRequest, account: str, rest: str) -> HttpResponse:
    """The vendor's interface, as our own worker asks it for a demo's account."""
    if settings.CALLPRIVACY_URL.startswith("https:") or _length(request) > _LARGEST:
        raise Http404
    try:
        status, payload = phone.play(
            account=account,
            token=_token(request, account),
            method=request.method or "",
            path=rest,
            said=twilio.read(request.body),
            at=timezone.now(),
        )
    except phone.NotPlayedError:
        raise Http404 from None
    return HttpResponse(status=204) if status == 204 else JsonResponse(payload, status=status)


def _length(request: HttpRequest) -> int:
    """What the body says of its length; more than is taken where it says nothing that can be read."""
    said = request.META.get("CONTENT_LENGTH") or "0"
    return int(said) if said.isascii() and said.isdecimal() else _LARGEST + 1


def _token(request: HttpRequest, account: str) -> str:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    try:
        name, _, token = base64.b64decode(given, validate=True).decode().partition(":")
    except ValueError:
        return ""
    return token if scheme.lower() == "basic" and name == account else ""
