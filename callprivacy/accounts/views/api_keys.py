"""Keys of the agency's systems for one client: made, exchanged, revoked. A key's text is shown once."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache

from callprivacy.accounts import access, selectors
from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.enums import AgencyRight, ApiScope, Deed
from callprivacy.accounts.forms import ApiKeyForm, RotateKeyForm
from callprivacy.accounts.models import ApiKey
from callprivacy.accounts.services import api_keys
from callprivacy.accounts.views.form_pages import INFO, WARNING, Confirmation, form_page
from callprivacy.accounts.views.tables import Column, Empty, Link, Moment, Pill, Table, list_page
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client


def _find(request: StaffRequest, client: Client, api_key_id: UUID) -> ApiKey:
    return get_object_or_404(selectors.api_keys_of(client), pk=api_key_id)


def _above(subject: Client | ApiKey) -> list[tuple[str, str]]:
    client = subject if isinstance(subject, Client) else subject.client
    return [("API keys", reverse("accounts:api_keys", args=[client.slug]))]


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


def _scopes(key: ApiKey) -> str:
    return ", ".join(ApiScope(scope).label for scope in key.scopes)


@dataclass(frozen=True, slots=True)
class _KeyLine:
    key: ApiKey
    state: Pill
    may_exchange: bool

    @classmethod
    def of(cls, key: ApiKey, offered: Collection[str], *, at: datetime) -> Self:
        if key.revoked_at is not None:
            state = Pill("Revoked", "neutral")
        elif key.ends_at <= at:
            state = Pill("Ended", "neutral")
        elif (key.ends_at - at).days < 14:
            state = Pill("Ends soon", "warn")
        else:
            state = Pill("In use", "good")
        return cls(key, state, set(key.scopes) <= set(offered))

    @property
    def is_alive(self) -> bool:
        return self.state.tone != "neutral"

    def links(self) -> list[Link]:
        if not self.is_alive:
            return []
        args, about = [self.key.client.slug, self.key.pk], f"the key of {self.key.name}"
        exchange = Link("Exchange", reverse("accounts:rotate_api_key", args=args), about)
        revoke = Link("Revoke", reverse("accounts:revoke_api_key", args=args), about, "danger")
        return [exchange, revoke] if self.may_exchange else [revoke]


_KEYS: Final = Table(
    label="API keys",
    columns=(
        Column("System", "key.name", note=lambda line: f"made by {line.key.created_by}"),
        Column(
            "Scopes",
            lambda line: _scopes(line.key),
            note=lambda line: f"from {', '.join(line.key.networks)}" if line.key.networks else "",
        ),
        Column("Ends", lambda line: Moment(line.key.ends_at, line.key.client.time_zone)),
        Column("Last used", "key.last_used_on", nothing="never"),
        Column(
            "State",
            "state",
            note=lambda line: (
                ""
                if line.may_exchange or not line.is_alive
                else "more than your permissions: an officer exchanges it"
            ),
        ),
    ),
    links=_KeyLine.links,
    empty=Empty(
        "No system has a key yet",
        "With an API key, your systems check consent before a call and record new consent. Each key works for this"
        " client only, has only the permissions you select, and expires.",
        "connections",
    ),
)


def _actions(request: StaffRequest, client: Client) -> list[Link]:
    new = Link("New key", reverse("accounts:create_api_key", args=[client.slug]), tone="primary")
    docs = Link("API documentation", reverse("api_docs"), tone="ghost")
    return [docs, new] if _offered(request, client) else [docs]


@never_cache
@list_page(
    _KEYS,
    right=Permission.MANAGE_CONNECTIONS,
    lede=(
        "For your own systems, such as a CRM that records consent or a dialer that checks it. A key cannot do more than"
        " you can: for more, ask an account manager or compliance officer."
    ),
    actions=_actions,
)
def list_keys(request: StaffRequest, client: Client) -> list[_KeyLine]:
    offered = _offered(request, client)
    return [_KeyLine.of(key, offered, at=request.at) for key in selectors.api_keys_of(client)[:200]]


def _fill_new(request: StaffRequest, client: Client) -> dict[str, Any]:
    if not (offered := _offered(request, client)):
        raise PermissionDenied(
            "A key cannot do more than you can here. Ask an account manager or compliance officer to make it."
        )
    return {"offered": offered}


@never_cache
@form_page(
    ApiKeyForm,
    right=Permission.MANAGE_CONNECTIONS,
    fill=_fill_new,
    title=lambda client: f"New key for {client.name}",
    lede="It opens this client alone. Its text is shown once, on the next page.",
    button="Make the key",
    crumbs=_above,
    errors={api_keys.KeyMadeError: INFO},
    confirms=Deed.GRANTS,
)
def create_key(request: StaffRequest, client: Client, form: ApiKeyForm) -> HttpResponse:
    made = api_keys.create_key(client=client, by=request.actor, at=request.at, **form.cleaned_data)
    return _show(request, client, made)


def _load_exchanged(request: StaffRequest, client: Client, api_key_id: UUID) -> ApiKey:
    key = _find(request, client, api_key_id)
    if not set(key.scopes) <= set(_offered(request, client)):
        raise PermissionDenied(
            "This key can do more than you can here. Ask a compliance officer to exchange it."
        )
    return key


@never_cache
@form_page(
    RotateKeyForm,
    right=Permission.MANAGE_CONNECTIONS,
    load=_load_exchanged,
    title=lambda key: f"Exchange the key of {key.name}",
    lede="A new key with the same name and scopes. The present one works for as long as you choose.",
    button="Make the new key",
    crumbs=_above,
    errors={api_keys.KeyOverError: WARNING, api_keys.KeyMadeError: WARNING},
    confirms=Deed.GRANTS,
)
def rotate_key(request: StaffRequest, key: ApiKey, form: RotateKeyForm) -> HttpResponse:
    made = api_keys.rotate_key(key=key, by=request.actor, at=request.at, **form.cleaned_data)
    key.refresh_from_db(fields=["ends_at"])
    return _show(request, key.client, made, earlier=key)


@never_cache
@form_page(
    right=Permission.MANAGE_CONNECTIONS,
    load=_find,
    title=lambda key: f"Revoke the key of {key.name}",
    button="Revoke the key",
    crumbs=_above,
    confirm=lambda _, key: Confirmation(
        "From this moment the key opens nothing",
        "It cannot be brought back. Every request with it is answered “unauthorized”, withdrawals as well: people who"
        " withdraw there must reach you another way until the system has a new key.",
        [
            {"label": "Last used", "value": key.last_used_on or "never"},
            {"label": "Scopes", "value": _scopes(key)},
        ],
        ["Everything recorded with this key.", "Other keys of the same system."],
    ),
)
def revoke_key(request: StaffRequest, key: ApiKey, _: Any) -> str:
    api_keys.revoke_key(key=key, by=request.actor, at=request.at)
    return f"The key of {key.name} opens nothing any more."


def _show(
    request: StaffRequest, client: Client, made: api_keys.Made, *, earlier: ApiKey | None = None
) -> HttpResponse:
    context = {"client": client, "made": made, "scopes": _scopes(made.key), "earlier": earlier}
    return render(request, "accounts/api_key_made.html", context)
