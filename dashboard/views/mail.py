"""
Mail as it would have gone out, where no mail server is set: on this machine only.

The page needs no sign-in: a demo's codes and invitations are read here. It exists only in a demo, while mail is
written to files, the address is plain http on this machine, and the reader sits at it with no proxy in between.
"""

import contextlib
import email
import email.policy
import ipaddress
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from callprivacy.lib import scope
from callprivacy.tenancy.models import Agency
from dashboard.services import find_demo

_NEWEST = 30
_OF_PROXIES = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP")
_HOST = re.compile(r"(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?").fullmatch


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail: to whom, about what, when, and its text."""

    to: str
    subject: str
    at: datetime
    text: str


@login_not_required
@never_cache
@require_GET
def show_mail(request: HttpRequest) -> HttpResponse:
    """The newest mails, or 404 wherever mail goes to a server or the reader comes from elsewhere."""
    if not is_here(request):
        raise Http404
    return render(request, "dashboard/mail.html", {"letters": _letters(settings.CALLPRIVACY_MAIL_FOLDER)})


def is_here(request: HttpRequest) -> bool:
    """Whether the page answers this request: a demo writes mail to files, and the reader is on this machine."""
    if not settings.CALLPRIVACY_MAIL_IS_FILES or settings.CALLPRIVACY_URL.startswith("https:"):
        return False
    # A proxy on this machine that nobody has set up here is seen by what it adds, or by the name that it answers to.
    if settings.CALLPRIVACY_PROXY_COUNT or any(name in request.headers for name in _OF_PROXIES):
        return False
    with contextlib.suppress(ValueError):
        is_loopback = ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
        return is_loopback and _HOST(request.get_host()) is not None and _is_demo()
    return False


def _is_demo() -> bool:
    """Whether there is a demo, or whoever is signed in works in it."""
    if scope.current() is None:
        return find_demo() is not None
    return Agency.objects.filter(is_demo=True).exists()


def _letters(folder: Path) -> list[Letter]:
    if not folder.is_dir():
        return []
    letters = []
    files = sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in files[:_NEWEST]:
        at = datetime.fromtimestamp(path.stat().st_mtime, tz=UTC)
        for part in reversed(path.read_bytes().split(b"\n" + b"-" * 79 + b"\n")):
            letters += [_letter(part, at)] if part.strip() else []
    return letters[:_NEWEST]


def _letter(raw: bytes, at: datetime) -> Letter:
    message = email.message_from_bytes(raw.lstrip(), policy=email.policy.default)
    body = message.get_body(preferencelist=("plain",))
    return Letter(
        to=str(message["To"]), subject=str(message["Subject"]), at=at, text=body.get_content() if body else ""
    )
