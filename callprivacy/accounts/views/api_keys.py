"""Keys of the agency's systems for one client: made, exchanged, revoked. A key's text is shown once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
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
    return {"client": client, "tab": "keys", **more}


def _find(client: Client, api_key_id: UUID) -> ApiKey:
    return get_object_or_404(selectors.api_keys_of(client), pk=api_key_id)


def _row(key: ApiKey, request: StaffRequest) -> dict[str, Any]:
    if key.revoked_at is not None:
        words, tone = "Revoked", "neutral"
    elif key.ends_at <= request.at:
        words, tone = "Ended", "neutral"
    elif (key.ends_at - request.at).days < 14:
        words, tone = "Ends soon", "warn"
    else:
        words, tone = "In use", "good"
    return {
        "key": key,
        "words": words,
        "tone": tone,
        "is_alive": key.revoked_at is None and key.ends_at > request.at,
        "may_exchange": ApiScope.CONSENT_PROVE not in key.scopes
        or access.has_right(request.membership, AgencyRight.SIGN_OFF),
        "scopes": [ApiScope(scope).label for scope in key.scopes],
    }


@require_safe
@never_cache
@needs(Permission.MANAGE_CONNECTIONS)
def list_keys(request: StaffRequest, client: Client) -> HttpResponse:
    """The client's keys: what each may do, until when, when it was last used."""
    rows = [_row(key, request) for key in selectors.api_keys_of(client)[:200]]
    return render(request, "accounts/api_keys.html", _context(client, rows=rows))


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(Permission.MANAGE_CONNECTIONS)
@confirms(Deed.GRANTS)
def create_key(request: StaffRequest, client: Client) -> HttpResponse:
    """Make a key and show its text, once."""
    may_vouch = access.has_right(request.membership, AgencyRight.SIGN_OFF)
    form = ApiKeyForm(request.POST or None, may_vouch=may_vouch)
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
    """Exchange a key for another and show the new one's text, once; one that vouches is an officer's to exchange."""
    key = _find(client, api_key_id)
    if ApiScope.CONSENT_PROVE in key.scopes:
        access.require(request, AgencyRight.SIGN_OFF, client)
    form = RotateKeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = api_keys.rotate_key(key=key, by=request.actor, at=request.at, **form.cleaned_data)
        except (api_keys.KeyOverError, api_keys.KeyMadeError) as error:
            messages.warning(request, str(error))
            return redirect("accounts:api_keys", client.slug)
        return _show(request, client, made, earlier=key)
    return render(
        request, "accounts/api_key_rotate.html", _context(client, form=form, row=_row(key, request))
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
    return render(request, "accounts/api_key_revoke.html", _context(client, row=_row(key, request)))


def _show(
    request: StaffRequest, client: Client, made: api_keys.Made, *, earlier: ApiKey | None = None
) -> HttpResponse:
    if earlier is not None:
        earlier.refresh_from_db(fields=["ends_at"])
    context = _context(client, made=made, row=_row(made.key, request), earlier=earlier)
    return render(request, "accounts/api_key_made.html", context)
