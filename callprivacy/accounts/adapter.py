"""How django-allauth and django-axes meet our people: sign-up is closed, sign-in is by e-mail."""

from collections.abc import Mapping
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):
    """People come by invitation only."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False


def axes_username(
    request: HttpRequest | None, credentials: Mapping[str, Any] | None
) -> str | None:
    """Return the name under which a sign-in counts: the e-mail address, lower case, however it was typed."""
    found = None
    if credentials:
        found = credentials.get("email") or credentials.get("username")
    if not found and request is not None:
        found = request.POST.get("login") or request.POST.get("username")
    return str(found).strip().lower()[:255] if found else None
