"""
A person's own second factors: the library's pages, and what they do not keep.

Each page that asks for a key notes for what it asked. Who has to have a second factor keeps the last one.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any, cast

from allauth.mfa.base.views import authenticate
from allauth.mfa.totp.views import ActivateTOTPView, deactivate_totp
from allauth.mfa.webauthn import views
from allauth.mfa.webauthn.internal.auth import STATE_SESSION_KEY
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from callprivacy.accounts import selectors
from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.adapter import Ceremony, RemoveKeyForm, note_ceremony
from callprivacy.accounts.models import User
from callprivacy.accounts.services import factors, people

type _View = Callable[..., HttpResponse]


class _AddCodes(ActivateTOTPView):
    def form_valid(self, form: Any) -> HttpResponse:
        user = cast(User, self.request.user)
        answer: HttpResponse = super().form_valid(form)
        # What the app has just shown is right for a while yet, and may have been seen; unless its time ends now.
        with suppress(factors.CodeTakenError):
            factors.take_code(factor=selectors.codes_of(user.pk), code=form.cleaned_data["code"])
        return answer


class _AddKey(views.AddWebAuthnView):
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        # The library draws another form, which would answer the fresh challenge with what answered the one before.
        shown: dict[str, Any] = super().get_context_data()
        return shown | kwargs


class _Confirm(views.ReauthenticateWebAuthnView):
    def form_invalid(self, form: Any) -> HttpResponse:
        super().form_invalid(form)
        return redirect(self.passthrough_next_url(self.request.path))


class _RemoveKey(views.RemoveWebAuthnView):
    form_class = RemoveKeyForm

    def get_form_kwargs(self) -> dict[str, Any]:
        # Bound from the start, so that the page says at once why a key stays.
        found: dict[str, Any] = super().get_form_kwargs()
        return found | {"authenticator": self.object, "data": {}}


def _asks(view: _View, purpose: Ceremony) -> _View:
    """A page of the library that may make a challenge; one that it makes is noted with what it is for."""

    @wraps(view)
    def noted(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        before = request.session.get(STATE_SESSION_KEY)
        response = view(request, *args, **kwargs)
        made = request.session.get(STATE_SESSION_KEY)
        # One that confirms may lead on to one that adds, inside the same request.
        if made is not None and made != before and "for" not in made:
            note_ceremony(request, purpose)
        return response

    return noted


def _changes(view: _View) -> _View:
    """
    A page of the library that adds a factor, names it or takes it away.

    Of two at once the second one sees what the first one left, and nothing is added beside a password that is closed
    in the same moment.
    """

    @wraps(view)
    def held(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method != "POST" or not request.user.is_authenticated:
            return view(request, *args, **kwargs)
        with people.own_transaction(request.user.pk):
            try:
                factors.hold_factors(request.user)
            except people.PasswordChangedError as error:
                messages.error(request, str(error))
                return redirect("account_login")
            return view(request, *args, **kwargs)

    return held


sign_in_alone = _asks(views.login_webauthn, Ceremony.DOOR)
sign_in_beside = _asks(authenticate, Ceremony.BESIDE)
confirm = _asks(_Confirm.as_view(), Ceremony.AGAIN)
add_codes = _changes(_AddCodes.as_view())
add_key = _asks(_changes(_AddKey.as_view()), Ceremony.ADD)
rename_key = _changes(views.edit_webauthn)
remove_key = _changes(_RemoveKey.as_view())
remove_codes = _changes(deactivate_totp)


@require_safe
def list_keys(request: StaffRequest) -> HttpResponse:
    keys = [
        {"row": key, "opens_alone": selectors.opens_alone(key)} for key in selectors.keys_of(request.user.pk)
    ]
    return render(request, "mfa/webauthn/authenticator_list.html", {"keys": keys})
