"""
How django-allauth and django-axes meet our people: sign-up is closed, sign-in is by e-mail, guesses are
slowed down, and every sign-in, sign-out and new password is written down.

`client_address` is the one answer to where a request comes from: only what our own proxies wrote counts.
"""

import ipaddress
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from hashlib import sha256
from typing import Any, cast
from urllib.parse import urlsplit

import structlog
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.forms import ResetPasswordForm
from allauth.account.internal.flows.login import get_authentication_records, record_authentication
from allauth.account.internal.stagekit import clear_login
from allauth.core import context as allauth_context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added, authenticator_removed, authenticator_reset
from allauth.mfa.stages import AuthenticateStage
from allauth.mfa.totp.forms import ActivateTOTPForm, DeactivateTOTPForm
from allauth.mfa.totp.internal.auth import SECRET_SESSION_KEY
from allauth.mfa.utils import is_mfa_enabled
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    EditWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from allauth.mfa.webauthn.internal.auth import STATE_SESSION_KEY, parse_authentication_response
from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.base_user import AbstractBaseUser
from django.core import signing
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.mail import EmailMessage
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from callprivacy.accounts import access, passwords, seconding, selectors
from callprivacy.accounts.access import PROVIDER_IN_SESSION, STARTED_AT
from callprivacy.accounts.forms import slowed
from callprivacy.accounts.models import User
from callprivacy.accounts.services import factors as factor_deeds
from callprivacy.accounts.services import passwords as password_deeds
from callprivacy.accounts.services import people, sign_in, sso
from callprivacy.lib.after_commit import after_commit
from callprivacy.lib.browsers import browser_of
from callprivacy.lib.forms import OneLineTexts
from callprivacy.lib.mail import with_html
from callprivacy.vault import fields as vault
from callprivacy.vault.sealing import SealBrokenError

BY_PROVIDER = "provider"
"""The word for it among the ways to sign in that the library keeps in a session."""
_BEGAN = "sign_in_began"
_OVER = (
    "You were signed out, or your password was changed, before you finished. Sign in again from the start."
)
_LINKS = "links for a new password"
_DEVICE = "device"
_DEVICE_SALT = "callprivacy.device"
_DEVICE_FOR = 180 * 24 * 3600
_SILENT = frozenset({"account/messages/logged_in.txt"})
_WITH_PORT = re.compile(r"^(?:\[([^\]]+)\]|([^:]+))(?::\d{1,5})?$")


class AccountAdapter(DefaultAccountAdapter):
    """People come by invitation only, and what they do at the door is recorded."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": "The email address or password is incorrect.",
        "incorrect_password": "This is not your password.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    # --- signing in ---

    def authenticate(self, request: HttpRequest, **credentials: Any) -> AbstractBaseUser | None:
        at = timezone.now()
        if not AxesProxyHandler.is_allowed(request, credentials):
            # What a refused address goes on trying makes nobody else wait: axes answers it, nothing is counted.
            super().authenticate(request, **credentials)
            return None
        digest = _digest_of_try(request, credentials)
        try:
            sign_in.start_attempt(digest=digest, at=at)
        except sign_in.MustWaitError as error:
            raise ValidationError(
                f"Too many failed tries. {error}, or reset your password.",
                code="too_many_login_attempts",
            ) from None
        user = super().authenticate(request, **credentials)
        if user is None or not user.is_active:
            sign_in.record_failure(digest=digest, at=at)
            return None
        sign_in.forget_failures(digest=digest)
        if passwords.is_breached(str(credentials.get("password", ""))):
            password_deeds.found_breached(user=cast(User, user), at=at)
        return cast(AbstractBaseUser, user)

    def get_login_stages(self) -> list[str]:
        ours = {f"{AuthenticateStage.__module__}.{AuthenticateStage.__qualname__}": _STAGE}
        return [ours.get(path, path) for path in super().get_login_stages()]

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return resolve_url(settings.LOGIN_REDIRECT_URL)

    def pre_login(self, request: HttpRequest, user: AbstractBaseUser, **kwargs: Any) -> HttpResponse | None:
        request.is_first_sign_in = user.last_login is None  # type: ignore[attr-defined]  # read when the person is in
        began_with = cast(User, user).get_session_auth_hash()
        request.session[_BEGAN] = [began_with, timezone.now().timestamp()]
        found: HttpResponse | None = super().pre_login(request, user, **kwargs)
        return found

    def login(self, request: HttpRequest, user: AbstractBaseUser) -> None:
        """
        Open a session, unless what the sign-in began with has ended since: the password, every session of the person,
        or those that began at the provider.

        A person on the page for the code has no session that could end.
        """
        began_with, began_at = request.session.pop(_BEGAN, ("", 0))
        person = User.objects.filter(pk=user.pk, is_active=True).first()
        through = None if person is None else _through(request, person)
        if (
            person is None
            or not constant_time_compare(began_with, person.get_session_auth_hash())
            or (through and not sso.may_complete(user_id=person.pk, through=through, began_at=began_at))
        ):
            clear_login(request)
            messages.error(request, _OVER)
            raise ImmediateHttpResponse(redirect("account_login"))
        super().login(request, user)

    def post_login(self, request: HttpRequest, user: AbstractBaseUser, **kwargs: Any) -> HttpResponse:
        at = timezone.now()
        response: HttpResponse = super().post_login(request, user, **kwargs)
        request.session[STARTED_AT] = int(at.timestamp())
        person = cast(User, user)
        through = _through(request, person)
        if through is None:
            request.session.pop(PROVIDER_IN_SESSION, None)
            sso.record_beside(user_id=person.pk, at=at)
        else:
            through.keep(request)
        kept = _device_of(request)
        device = kept.device if kept is not None else secrets.token_hex(16)
        marks = marks_of(request, person.pk, device=device)
        with seconding.at_marks(marks):
            people.record_own(
                "person.signed_in",
                user_id=person.pk,
                at=at,
                agency_id=through.agency_id if through else None,
                **_methods_of(request, person),
            )
        structlog.contextvars.bind_contextvars(person=person.pk)
        password_deeds.renew_due(user_ids=[person.pk])
        if not _is_known_device(request, person) and not getattr(request, "is_first_sign_in", True):
            self.send_mail("account/email/new_device", person.email, _about_device(request, person, at))
        seconding.remember(marks, at=at)
        _keep_device(response, person, device)
        return response

    def logout(self, request: HttpRequest) -> None:
        if request.user.is_authenticated:
            through = access.Through.of(request)
            people.record_own(
                "person.signed_out",
                user_id=request.user.pk,
                at=timezone.now(),
                agency_id=through.agency_id if through else None,
            )
        super().logout(request)

    def get_client_ip(self, request: HttpRequest) -> str:
        address = client_address(request)
        if address is None:
            raise PermissionDenied("It is not known from which address this comes.")
        return address

    # --- passwords ---

    def clean_password(self, password: str, user: AbstractBaseUser | None = None) -> str:
        """Hold a new password against the strictest rule of the person's agencies."""
        if isinstance(user, User):
            attach_rule(user)
        found: str = super().clean_password(password, user)
        return found

    def set_password(self, user: AbstractBaseUser, password: str) -> None:
        person = cast(User, user)
        try:
            people.set_password(user=person, password=password, at=timezone.now())
        except people.PasswordChangedError as error:
            logout(self.request)  # the session fits the password of before, and takes its messages along
            messages.error(self.request, str(error))
            raise ImmediateHttpResponse(redirect("account_login")) from error
        sign_in.forget_failures(digest=selectors.digest_of_name(person.email))
        sign_in.forget_failures(digest=selectors.digest_of_name(person.email.lower(), _LINKS))
        sign_in.lift_lockouts(name=person.email.lower())

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

    def render_mail(self, *args: Any, **kwargs: Any) -> EmailMessage:
        """The library's words and ours in text and in HTML."""
        return with_html(super().render_mail(*args, **kwargs))

    def send_notification_mail(
        self,
        template_prefix: str,
        user: AbstractBaseUser,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        """Tell a person what changed in how they sign in, and where they end what is signed in elsewhere."""
        context = {"sessions_url": _sessions_url()} | (context or {})
        super().send_notification_mail(template_prefix, user, context, email)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send once the transaction has committed: nothing is sent from inside a scope."""
        after_commit(f"mail: {template_prefix}", super().send_mail, template_prefix, email, context)


class AskForLinkForm(OneLineTexts, ResetPasswordForm):
    """Links for a new password are mailed to a name, and asked for by a sender, once a minute at most after five."""

    def clean_email(self) -> str:
        at, email = timezone.now(), self.cleaned_data["email"].lower()
        try:
            for counted in (tried_from(allauth_context.request) or "", email):
                sign_in.start_attempt(digest=selectors.digest_of_name(counted, _LINKS), at=at)
        except sign_in.MustWaitError as error:
            raise ValidationError(f"Too many links were asked for. {error}.") from None
        return str(super().clean_email())


def note_provider(request: HttpRequest, user: User, through: access.Through) -> None:
    """Note in the session, before the second factor is asked for, that the person has just come from a provider."""
    record_authentication(request, user, method=BY_PROVIDER, **asdict(through))


def _through(request: HttpRequest, user: User) -> access.Through | None:
    """Through which provider the sign-in that has just ended began; a second factor beside it is no sign-in."""
    for record in reversed(get_authentication_records(request, user)):
        if record["method"] == BY_PROVIDER:
            names = [field.name for field in fields(access.Through)]
            return access.Through(**{name: record[name] for name in names if name in record})
        if record["method"] != "mfa" or record.get("passwordless"):
            return None
    return None


def _methods_of(request: HttpRequest, user: User) -> dict[str, str]:
    """The factors of the sign-in that has just ended; the library records none after an invitation."""
    methods: list[str] = []
    for record in reversed(get_authentication_records(request, user)):
        methods.insert(0, record.get("type") or record["method"])
        if record["method"] != "mfa" or record.get("passwordless"):
            break
    return {"methods": ", ".join(methods)} if methods else {}


def attach_rule(user: User) -> passwords.Rule:
    """Put on a person what is asked of their password, where the validator looks; two queries."""
    rule = selectors.rule_of(user)
    user.password_rule = rule  # type: ignore[attr-defined]  # read by the validators
    user.has_second_factor = bool(user.pk) and selectors.has_second_factor(user.pk)  # type: ignore[attr-defined]  # read by the validators
    return rule


# --- second factors ---


class FactorAdapter(DefaultMFAAdapter):
    """Seeds are sealed like the other small secrets; who has to have a second factor keeps the last one."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": "This is not the code that is shown now. Codes change every 30 seconds and count once.",
        "cannot_delete_authenticator": "Your role has to have a second factor. Add another one first.",
    }

    def encrypt(self, text: str) -> str:
        return vault.close_secret(text)

    def decrypt(self, encrypted_text: str) -> str:
        return vault.open_secret(encrypted_text)

    def get_totp_issuer(self) -> str:
        return str(settings.SITE_NAME)

    def _get_site_name(self) -> str:
        return str(settings.SITE_NAME)

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        if not selectors.has_to_have_factor(authenticator.user_id):
            return True
        kinds = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
        others = Authenticator.objects.filter(user_id=authenticator.user_id, type__in=kinds)
        return bool(others.exclude(pk=authenticator.pk).exists())


_KINDS = {
    Authenticator.Type.TOTP: "codes",
    Authenticator.Type.WEBAUTHN: "passkey",
    Authenticator.Type.RECOVERY_CODES: "recovery_codes",
}
_SAID = ((authenticator_added, "added"), (authenticator_removed, "removed"), (authenticator_reset, "renewed"))


def write_down_factors() -> None:
    """Let what the library does with people's second factors be written down; called once its models are there."""
    for signal, action in _SAID:
        signal.connect(partial(_write_down, action), weak=False, dispatch_uid=f"accounts.factor_{action}")


def _write_down(action: str, *, user: User, authenticator: Authenticator, **_: Any) -> None:
    kind = _KINDS[Authenticator.Type(authenticator.type)]
    factor_deeds.factor_changed(user=user, action=action, kind=kind, at=timezone.now())


class ActivateCodesForm(OneLineTexts, ActivateTOTPForm):
    """The seed waits sealed in the session until its first code is shown."""

    secret: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["code"]
        field.label = "The six digits that the app shows"
        field.widget.attrs = {"autocomplete": "one-time-code", "inputmode": "numeric"}
        session = allauth_context.request.session
        if self.is_bound:
            try:
                self.secret = vault.open_secret(self.secret)
            except SealBrokenError:  # the session had none any more, and a fresh one was made
                session[SECRET_SESSION_KEY] = vault.close_secret(self.secret)
        else:
            session[SECRET_SESSION_KEY] = vault.close_secret(self.secret)


class Ceremony(StrEnum):
    """What a challenge for a passkey or a security key is asked for."""

    DOOR = "to sign in with it alone"
    BESIDE = "beside the password"
    AGAIN = "to confirm who is there"
    ADD = "to add it"


_CEREMONY_FOR = timedelta(minutes=5)


def note_ceremony(request: HttpRequest, purpose: Ceremony) -> None:
    """Note beside the challenge that has just been made what it is for, and when it was made."""
    state = request.session[STATE_SESSION_KEY]
    request.session[STATE_SESSION_KEY] = state | {"for": purpose, "at": timezone.now().timestamp()}


@contextmanager
def _one_ceremony(purpose: Ceremony) -> Iterator[None]:
    """
    Let a challenge count for what it was made for, for five minutes and once, be the answer right or wrong.

    The library keeps one challenge a session, whatever it was made for: one that asks for no PIN, made beside a
    password, would open the door that asks for one (WebAuthn 3, 7.2).
    """
    session = allauth_context.request.session
    state = session.pop(STATE_SESSION_KEY, {})
    age = timezone.now().timestamp() - state.get("at", 0)
    if state.get("for") != purpose or not 0 <= age < _CEREMONY_FOR.total_seconds():
        raise ValidationError("That took too long, or another page asked for a key since. Try again.")
    session[STATE_SESSION_KEY] = state  # where the library looks
    try:
        yield
    finally:
        session.pop(STATE_SESSION_KEY, None)


class AddKeyForm(OneLineTexts, AddWebAuthnForm):
    """A passkey or a security key, in plain words. Whether it opens alone is what its owner says here."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].label = "What you call it"
        self.fields["name"].initial = self.initial["name"] = ""
        self.fields["name"].widget.attrs["placeholder"] = "Laptop, telephone, key ring"
        alone = self.fields["passwordless"]
        alone.label = "Opens alone, without the password"
        alone.help_text = (
            "It then asks for your fingerprint, face or PIN each time. Else it counts beside it."
        )

    def clean(self) -> dict[str, Any]:
        with _one_ceremony(Ceremony.ADD):
            cleaned: dict[str, Any] = super().clean()
        if cleaned.get("credential"):
            ticked = bool(cleaned.get("passwordless"))
            cleaned["credential"] = cleaned["credential"] | {selectors.OPENS_ALONE: ticked}
        return cleaned


class _Key:
    """A key's answer, to the challenge of one ceremony, with a signature count that rose."""

    ceremony: Ceremony
    cleaned_data: dict[str, Any]

    def clean_credential(self) -> Authenticator:
        answer = self.cleaned_data["credential"]
        with _one_ceremony(self.ceremony):
            factor: Authenticator = super().clean_credential()  # type: ignore[misc]  # allauth's own, without types
        signed = parse_authentication_response(answer).response.authenticator_data
        try:
            factor_deeds.take_count(factor=factor, count=signed.counter, at=timezone.now())
        except (factor_deeds.CopiedKeyError, people.PasswordChangedError) as error:
            raise ValidationError(str(error)) from None
        return factor


class KeyAloneForm(_Key, LoginWebAuthnForm):
    """A passkey at the door, without a password."""

    ceremony = Ceremony.DOOR

    def clean_credential(self) -> Authenticator:
        answer = self.cleaned_data["credential"]
        factor = super().clean_credential()
        if not parse_authentication_response(answer).response.authenticator_data.is_user_verified():
            raise ValidationError("Alone a key opens only if it asks for your fingerprint, face or PIN.")
        if not selectors.opens_alone(factor):
            raise ValidationError("This key counts beside your password. Sign in with the password first.")
        return factor


class KeyBesideForm(_Key, AuthenticateWebAuthnForm):
    ceremony = Ceremony.BESIDE


class KeyAgainForm(_Key, ReauthenticateWebAuthnForm):
    ceremony = Ceremony.AGAIN


class RenameKeyForm(OneLineTexts, EditWebAuthnForm):
    """What a person calls a key."""


class RemoveKeyForm(DeactivateTOTPForm):
    """One's word that a key is to go; refused where the library refuses to let codes go."""


class SecondFactorStage(AuthenticateStage):
    """The code's page, to which nobody is led back whose second factors were taken away meanwhile."""

    def is_resumable(self, request: HttpRequest) -> bool:
        return bool(is_mfa_enabled(self.login.user, [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]))


_STAGE = f"{SecondFactorStage.__module__}.{SecondFactorStage.__qualname__}"


class _Slowed(OneLineTexts):
    """Guesses of a second factor wait like guesses of a password, counted in the database and from any address."""

    user: User
    authenticator: Authenticator

    def clean_code(self) -> str:
        try:
            with (
                slowed(self.user, "second factor", wrong="wrong codes"),
                transaction.atomic(),
            ):
                factor_deeds.hold_factors(self.user)
                code: str = super().clean_code()  # type: ignore[misc]  # allauth's own, without types
                self._take(code)
        except people.PasswordChangedError as error:
            raise ValidationError(str(error)) from None
        return code

    def _take(self, code: str) -> None:
        if self.authenticator.type != Authenticator.Type.TOTP:
            return  # a recovery code is struck out by the library
        try:
            factor_deeds.take_code(factor=self.authenticator, code=code)
        except factor_deeds.CodeTakenError:
            raise FactorAdapter().validation_error("incorrect_code") from None


class SecondFactorForm(_Slowed, AuthenticateForm):
    """A code or a recovery code, at the door."""


class SecondFactorAgainForm(_Slowed, ReauthenticateForm):
    """A code or a recovery code, from somebody who is signed in."""


def client_address(request: HttpRequest) -> str | None:
    """
    Return the address a request comes from, without port; None where the server knows none (a bare socket).

    With n proxies of ours in front it is the n-th entry of X-Forwarded-For from the right: each of them wrote
    one, and what stands further left was sent by the client and may be forged. A header that is shorter, or
    holds no address there, counts for nothing: then it is the address of who spoke to the server.
    """
    proxies: int = settings.CALLPRIVACY_PROXY_COUNT
    if proxies:
        entries = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        found = _address_in(entries[-proxies]) if len(entries) >= proxies else None
        if found is not None:
            return found
    return _address_in(request.META.get("REMOTE_ADDR", ""))


def _address_in(entry: str) -> str | None:
    """The address in "198.51.100.7", "198.51.100.7:4711", "2001:db8::7" or "[2001:db8::7]:4711", in one spelling."""
    entry = entry.strip()
    match = _WITH_PORT.match(entry)
    plain = (match[1] or match[2]) if match else entry
    try:
        address = ipaddress.ip_address(plain.partition("%")[0])
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)


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
    name = axes_username(request, credentials) or ""
    minutes = max(1, selectors.minutes_locked(name, client_address(request), at=at))
    return render(request, "account/lockout.html", {"minutes": minutes}, status=429)


# --- devices that are known ---


def _cookie_name() -> str:
    return f"__Host-{_DEVICE}" if settings.SESSION_COOKIE_SECURE else _DEVICE


def _digest_of_try(request: HttpRequest, credentials: Mapping[str, Any]) -> bytes:
    """What a try counts against: the name, or the name from a device on which it has signed in before."""
    name = axes_username(request, credentials) or ""
    plain, kept = selectors.digest_of_name(name), _device_of(request)
    if kept is None or kept.owner != plain.hex() or not kept.is_of(User.objects.filter(email=name).first()):
        return plain
    return selectors.digest_of_name(name, kept.device)


@dataclass(frozen=True, slots=True)
class _Device:
    """What a browser says of who was signed in with it last: the name's digest, its own word, and the password's."""

    owner: str
    device: str
    password: str

    def is_of(self, person: User | None) -> bool:
        """Whether it was this person's, with the password of now: who was in with an earlier one is nobody known."""
        return (
            person is not None
            and self.owner == selectors.digest_of_name(person.email).hex()
            and self.password == _word_of(person)
        )


def _word_of(person: User) -> str:
    """What changes with a person's password. Its digest has a salt, so this says nothing of the password."""
    return sha256(f"{_DEVICE_SALT}\0{person.password}".encode()).hexdigest()[:16]


def _device_of(request: HttpRequest) -> _Device | None:
    try:
        return _Device(
            *signing.loads(request.COOKIES.get(_cookie_name(), ""), salt=_DEVICE_SALT, max_age=_DEVICE_FOR)
        )
    except (signing.BadSignature, TypeError):  # none, or one of two words, as it was
        return None


def tried_from(request: HttpRequest) -> str | None:
    """
    What a try at a provider's door counts against: the browser in which somebody has signed in here, else the address.

    So nobody behind the same address keeps those waiting who have been here before.
    """
    kept = _device_of(request)
    return client_address(request) if kept is None else f"device {kept.device}"


def _is_known_device(request: HttpRequest, person: User) -> bool:
    """Whether this person has signed in from this browser before, with the password of now."""
    kept = _device_of(request)
    return kept is not None and kept.is_of(person)


def _about_device(request: HttpRequest, person: User, at: datetime) -> dict[str, Any]:
    return {
        "name": str(person),
        "browser": browser_of(request.headers.get("User-Agent", "")),
        "address": client_address(request) or "an unknown address",
        "at": at,
        "sessions_url": _sessions_url(),
    }


def _sessions_url() -> str:
    return f"{settings.CALLPRIVACY_URL.rstrip('/')}/accounts/sessions/"


def marks_of(request: HttpRequest, user_id: int | None, *, device: str | None = None) -> seconding.Marks:
    """In which browser and network a person is; None: one who is not signed in."""
    kept = _device_of(request)
    browser = device or (kept.device if kept is not None else None)
    return seconding.marks_of(user_id=user_id, browser=browser, address=client_address(request))


def _keep_device(response: HttpResponse, person: User, device: str) -> None:
    """The browser keeps its mark whoever signs in, so that two people in one browser are seen as that."""
    owner = selectors.digest_of_name(person.email).hex()
    response.set_cookie(
        _cookie_name(),
        signing.dumps([owner, device, _word_of(person)], salt=_DEVICE_SALT),
        max_age=_DEVICE_FOR,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
