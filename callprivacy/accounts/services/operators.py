"""
Operators of the platform: they make agencies and invite officers at /operator/, and see nothing of any caller.

Only who has the machine makes one. No password passes through a terminal: a new operator gets a link that
works once.
"""

from datetime import datetime
from typing import Any

from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.db import transaction
from django.db.models import F
from django.urls import reverse

from callprivacy.accounts.models import User
from callprivacy.audit import services as audit


class LinkTokens(PasswordResetTokenGenerator):
    """
    What opens the page for a new password: kept nowhere, and over with the next password, sign-in or link, and when
    every session of the person ends.
    """

    key_salt = "callprivacy.password-link"

    def make_token(self, user: AbstractBaseUser | None) -> str:
        """End the links of before, and return what opens a new one."""
        if not isinstance(user, User):
            raise TypeError("A link for a new password is a person's.")
        User.objects.filter(pk=user.pk).update(password_links=F("password_links") + 1)
        user.refresh_from_db(fields=["password_links", "sessions_ended_at"])
        return super().make_token(user)

    def _make_hash_value(self, user: Any, timestamp: int) -> str:
        found = f"{super()._make_hash_value(user, timestamp)}{user.password_links}"
        return found if user.sessions_ended_at is None else f"{found} {user.sessions_ended_at.isoformat()}"


class SwitchedOffError(ValueError):
    """The address has a sign-in that is switched off."""


@transaction.atomic
def make_operator(*, email: str, name: str, at: datetime) -> User:
    """
    Make somebody an operator: with the sign-in that the address has, or with a new one without a password.

    :raises SwitchedOffError: the sign-in is switched off.
    """
    email = email.strip().lower()
    user = User.objects.select_for_update().filter(email=email).first()
    if user is None:
        user = User.objects.create_user(email, None, name=name, is_staff=True)
    elif not user.is_active:
        raise SwitchedOffError(f"The sign-in of {email} is switched off.")
    elif user.is_staff:
        return user
    else:
        user.is_staff = True
        user.save(update_fields=["is_staff"])
    audit.record_house("operator.created", at=at, person=user.pk)
    return user


def password_link(user: User) -> str:
    """A link at the public address with which a person chooses a password, once; its use or a newer one ends it."""
    path = reverse(
        "account_reset_password_from_key",
        kwargs={"uidb36": user_pk_to_url_str(user), "key": LinkTokens().make_token(user)},
    )
    return f"{settings.CALLPRIVACY_URL.rstrip('/')}{path}"
