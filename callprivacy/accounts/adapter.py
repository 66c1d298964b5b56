"""
How django-allauth and django-axes meet our people: sign-up is closed, sign-in is by e-mail, guesses are
slowed down,
and every sign-in, sign-out and new password is written down.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from functools import partial
from typing import Any, cast
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.core import signing
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from callprivacy.accounts import selectors
from callprivacy.accounts.models import User
from callprivacy.accounts.services import people, sign_in

STARTED_AT = "started_at"
_DEVICE = "device"
_DEVICE_SALT = "callprivacy.device"
_DEVICE_FOR = 180 * 24 * 3600
_SILENT = frozenset({"account/messages/logged_in.txt"})


class AccountAdapter(DefaultAccountAdapter):
    """People come by invitation only, and what they do at the door is recorded."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": "This e-mail address and password do not belong together.",
        "incorrect_password": "This is not your password.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    # --- signing in ---

    def authenticate(self, request: HttpRequest, **credentials: Any) -> AbstractBaseUser | None:
        at = timezone.now()
        digest = _digest_of_try(request, credentials)
        try:
            sign_in.start_attempt(digest=digest, at=at)
        except sign_in.MustWaitError as error:
            raise ValidationError(
                f"Too many failed tries. Wait {error.seconds} second{'' if error.seconds == 1 else 's'}, "
                "then try again, or reset your password.",
                code="too_many_login_attempts",
            ) from None
        user = super().authenticate(request, **credentials)
        if user is None or not user.is_active:
            sign_in.record_failure(digest=digest, at=at)
            return None
        sign_in.forget_failures(digest=digest)
        return cast(AbstractBaseUser, user)

    def post_login(self, request: HttpRequest, user: AbstractBaseUser, **kwargs: Any) -> HttpResponse:
        at = timezone.now()
        response: HttpResponse = super().post_login(request, user, **kwargs)
        request.session[STARTED_AT] = int(at.timestamp())
        person = cast(User, user)
        people.record_own("person.signed_in", user_id=person.pk, at=at)
        _remember_device(request, response, person.email)
        return response

    def logout(self, request: HttpRequest) -> None:
        if request.user.is_authenticated:
            people.record_own("person.signed_out", user_id=request.user.pk, at=timezone.now())
        super().logout(request)

    # --- passwords ---

    def set_password(self, user: AbstractBaseUser, password: str) -> None:
        person = cast(User, user)
        people.set_password(user=person, password=password, at=timezone.now())
        sign_in.forget_failures(digest=selectors.digest_of_name(person.email))

    def get_reset_password_from_key_url(self, key: str) -> str:
        """The link in the mail, at the public address, whatever host the request named."""
        path = urlsplit(super().get_reset_password_from_key_url(key)).path
        return f"{settings.CALLPRIVACY_URL.rstrip('/')}{path}"

    # --- what people are told ---

    def add_message(
        self, request: HttpRequest, level: int, message_template: str | None = None, *args: Any, **kwargs: Any
    ) -> None:
        if message_template not in _SILENT:
            super().add_message(request, level, message_template, *args, **kwargs)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send once the transaction has committed: nothing is sent from inside a scope."""
        transaction.on_commit(partial(super().send_mail, template_prefix, email, context), robust=True)


def axes_username(request: HttpRequest | None, credentials: Mapping[str, Any] | None) -> str | None:
    """Return the name under which a sign-in counts: the e-mail address, lower case, however it was typed."""
    found = None
    if credentials:
        found = credentials.get("email") or credentials.get("username")
    if not found and request is not None:
        found = request.POST.get("login") or request.POST.get("username")
    return str(found).strip().lower()[:255] if found else None


def answer_lockout(
    request: HttpRequest, response: HttpResponse | None, credentials: Mapping[str, Any] | None
) -> HttpResponse:
    """
    The page for a name that is refused from one address for a while; it says the same for names nobody
    has.
    """
    at = timezone.now()
    sign_in.record_lockout(digest=_digest_of_try(request, credentials or {}), at=at)
    minutes = int(settings.AXES_COOLOFF_TIME.total_seconds()) // 60
    return render(request, "account/lockout.html", {"minutes": minutes}, status=429)


# --- devices that are known ---


def _cookie_name() -> str:
    return f"__Host-{_DEVICE}" if settings.SESSION_COOKIE_SECURE else _DEVICE


def _digest_of_try(request: HttpRequest, credentials: Mapping[str, Any]) -> bytes:
    """What a try counts against: the name, or the name from a device on which it has signed in before."""
    name = axes_username(request, credentials) or ""
    plain = selectors.digest_of_name(name)
    try:
        owner, device = signing.loads(
            request.COOKIES.get(_cookie_name(), ""), salt=_DEVICE_SALT, max_age=_DEVICE_FOR
        )
    except (signing.BadSignature, ValueError):
        return plain
    return selectors.digest_of_name(name, device) if owner == plain.hex() else plain


def _remember_device(request: HttpRequest, response: HttpResponse, email: str) -> None:
    owner = selectors.digest_of_name(email).hex()
    response.set_cookie(
        _cookie_name(),
        signing.dumps([owner, secrets.token_hex(16)], salt=_DEVICE_SALT),
        max_age=_DEVICE_FOR,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
