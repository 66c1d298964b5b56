"""Keys of the agency's systems for one client: made, exchanged, revoked. A key's text is shown once."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from callprivacy.accounts import access, selectors
from callprivacy.accounts.access import StaffRequest, confirms, needs
from callprivacy.accounts.enums import AgencyRight, ApiScope, Deed
from callprivacy.accounts.forms import ApiKeyForm, RotateKeyForm
from callprivacy.accounts.models import ApiKey
from callprivacy.accounts.services import api_keys
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client


def _context(client: Client, **more: Any) -> dict[str, Any]:
    return {"client": client, **more}


def _find(client: Client, api_key_id: UUID) -> ApiKey:
    return get_object_or_404(selectors.api_keys_of(client), pk=api_key_id)


_COUNTERPARTS: Final = {
    ApiScope.CONSENT_CHECK: {Permission.MANAGE_CONSENT},
    ApiScope.CONSENT_WRITE: {Permission.ANSWER_CALLS, Permission.MANAGE_CONSENT},
    ApiScope.CONSENT_PROVE: {Permission.ANSWER_CALLS, Permission.MANAGE_CONSENT},
    ApiScope.CONTACT_CHECK: {Permission.MANAGE_CONSENT},
}
"""What of a person's own lets them do in the pages what a key does with a scope: one of them is enough."""


def _offered(request: StaffRequest, client: Client) -> list[ApiScope]:
    """What a person may let a system do at a client: no more than they may themselves."""
    held = access.permissions_on(request.membership, client.pk, at=request.at)
    signs = access.has_right(request.membership, AgencyRight.SIGN_OFF)
    return [
        scope
        for scope, counterparts in _COUNTERPARTS.items()
        if counterparts & held and (signs or scope is not ApiScope.CONSENT_PROVE)
    ]


def _row(key: ApiKey, offered: Collection[str], *, at: datetime) -> dict[str, Any]:
    if key.revoked_at is not None:
        words, tone = "Revoked", "neutral"
    elif key.ends_at <= at:
        words, tone = "Ended", "neutral"
    elif (key.ends_at - at).days < 14:
        words, tone = "Ends soon", "warn"
    else:
        words, tone = "In use", "good"
    return {
        "key": key,
        "words": words,
        "tone": tone,
        "is_alive": key.revoked_at is None and key.ends_at > at,
        "may_exchange": set(key.scopes) <= set(offered),
        "scopes": [ApiScope(scope).label for scope in key.scopes],
    }


@require_safe
@never_cache
@needs(Permission.MANAGE_CONNECTIONS)
def list_keys(request: StaffRequest, client: Client) -> HttpResponse:
    """The client's keys: what each may do, until when, when it was last used."""
    offered = _offered(request, client)
    rows = [_row(key, offered, at=request.at) for key in selectors.api_keys_of(client)[:200]]
    return render(request, "accounts/api_keys.html", _context(client, rows=rows, may_make=bool(offered)))


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(Permission.MANAGE_CONNECTIONS)
@confirms(Deed.GRANTS)
def create_key(request: StaffRequest, client: Client) -> HttpResponse:
    """Make a key and show its text, once."""
    offered = _offered(request, client)
    if not offered:
        raise PermissionDenied(
            "A key may no more than you may here. Ask an account manager or compliance officer to make it."
        )
    form = ApiKeyForm(request.POST or None, offered=offered)
    if request.method == "POST" and form.is_valid():
        try:
            made = api_keys.create_key(client=client, by=request.actor, at=request.at, **form.cleaned_data)
        except api_keys.KeyMadeError as error:
            messages.info(request, str(error))
            return redirect("accounts:api_keys", client.slug)
        return _show(request, client, made)
    return render(request, "accounts/api_key_new.html", _context(client, form=form))


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(Permission.MANAGE_CONNECTIONS)
@confirms(Deed.GRANTS)
def rotate_key(request: StaffRequest, client: Client, api_key_id: UUID) -> HttpResponse:
    """Exchange a key for another and show the new one's text, once; who might not make it does not exchange it."""
    key = _find(client, api_key_id)
    offered = _offered(request, client)
    if not set(key.scopes) <= set(offered):
        raise PermissionDenied(
            "This key may more than you may here. Ask a compliance officer to exchange it."
        )
    form = RotateKeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = api_keys.rotate_key(key=key, by=request.actor, at=request.at, **form.cleaned_data)
        except (api_keys.KeyOverError, api_keys.KeyMadeError) as error:
            messages.warning(request, str(error))
            return redirect("accounts:api_keys", client.slug)
        return _show(request, client, made, earlier=key)
    return render(
        request,
        "accounts/api_key_rotate.html",
        _context(client, form=form, row=_row(key, offered, at=request.at)),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(Permission.MANAGE_CONNECTIONS)
def revoke_key(request: StaffRequest, client: Client, api_key_id: UUID) -> HttpResponse:
    """Let a key open nothing any more, after saying what that stops."""
    key = _find(client, api_key_id)
    if request.method == "POST":
        api_keys.revoke_key(key=key, by=request.actor, at=request.at)
        messages.success(request, f"The key of {key.name} opens nothing any more.")
        return redirect("accounts:api_keys", client.slug)
    return render(request, "accounts/api_key_revoke.html", _context(client, row=_row(key, (), at=request.at)))


def _show(
    request: StaffRequest, client: Client, made: api_keys.Made, *, earlier: ApiKey | None = None
) -> HttpResponse:
    if earlier is not None:
        earlier.refresh_from_db(fields=["ends_at"])
    context = _context(client, made=made, row=_row(made.key, (), at=request.at), earlier=earlier)
    return render(request, "accounts/api_key_made.html", context)
