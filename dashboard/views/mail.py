"""
Mail as it would have gone out, where no mail server is set: on this machine only.

The page needs no sign-in, because the first invitation is read here. It exists only while mail is written to
files, the address is plain http on this machine, and the reader sits at it.
"""

from __future__ import annotations

import email
import email.policy
import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

_NEWEST = 30


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
    """Whether the page answers this request: mail is written to files, and the reader is on this machine."""
    if not settings.CALLPRIVACY_MAIL_IS_FILES or settings.CALLPRIVACY_URL.startswith("https:"):
        return False
    if settings.CALLPRIVACY_PROXY_COUNT:
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


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
