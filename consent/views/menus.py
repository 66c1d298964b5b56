"""The phone menus of a client: settings, a test without a call, and what to set at Twilio."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.accounts.views.form_pages import ERROR, FORM, Done, action, form_page
from callprivacy.accounts.views.tables import Column, Empty, Link, Pill, Table, list_page
from callprivacy.calls.models import Connection
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from consent.channels import twilio, twiml
from consent.forms.menus import AccountForm, MenuForm
from consent.models import PhoneMenu
from consent.selectors import menus as selectors
from consent.services import menus


@dataclass(frozen=True, slots=True)
class Addresses:
    """The URLs to paste at Twilio for the numbers of one connection."""

    connection: Connection
    voice: str
    status: str
    sms: str

    @property
    def account(self) -> str:
        """The Account SID, "" while unknown."""
        return str(self.connection.mapping.get("account", ""))

    @property
    def redacts(self) -> bool:
        """Whether Twilio does not reply to STOP by itself, as saved for the account."""
        return self.connection.mapping.get("twilio_answers", True) is False


def _addresses(connection: Connection) -> Addresses:
    def at(name: str) -> str:
        return f"{settings.CALLPRIVACY_URL}{reverse(name, args=[connection.key])}"

    return Addresses(connection, at("consent:voice"), at("consent:voice_status"), at("consent:sms"))


def _context(client: Client, **more: Any) -> dict[str, Any]:
    return {"client": client, **more}


def _find(client: Client, menu_id: UUID) -> PhoneMenu:
    return get_object_or_404(selectors.menus_of(client), pk=menu_id)


def _list_address(client: Client) -> str:
    return reverse("consent:menus", args=[client.slug])


def _address(menu: PhoneMenu) -> str:
    return reverse("consent:menu", args=[menu.client.slug, menu.pk])


_MENUS: Final = Table(
    label="Phone menus and texts",
    columns=(
        Column("Number", "tracking_number.number", link=_address, note="tracking_number.label"),
        Column("State", lambda menu: Pill("Active", "good") if menu.is_active else Pill("Off")),
        Column("Language", "get_language_display"),
        Column("With key 3", "other_notice.get_language_display", nothing="nothing"),
        Column("Forwards to", "forward_to"),
        Column("Account", "connection.name"),
    ),
    links=lambda menu: [Link("Test menu", reverse("consent:preview_menu", args=[menu.client.slug, menu.pk]))],
    empty=Empty(
        "No phone menus yet",
        "A menu answers a number of the client’s Twilio account, reads the notice and waits for a key. Only key 1"
        " starts a recording.",
        "consent",
    ),
)


def _next_link(request: StaffRequest, client: Client) -> list[Link]:
    if not selectors.connections_to_twilio(client):
        return [
            Link("Connect Twilio", reverse("calls:create_connection", args=[client.slug]), tone="primary")
        ]
    if not access.may(request.membership, Permission.MANAGE_CONNECTIONS, client, at=request.at):
        return []
    return [Link("Add menu", reverse("consent:add_menu", args=[client.slug]), tone="primary")]


@list_page(
    _MENUS,
    right=Permission.MANAGE_CONSENT,
    lede="A phone menu records a call only after the caller presses 1; texts opt out or consent automatically.",
    actions=_next_link,
    more=lambda _, client: {
        "client": client,
        "ways": [_addresses(connection) for connection in selectors.connections_to_twilio(client)],
    },
    template="consent/menus.html",
)
def list_menus(request: StaffRequest, client: Client) -> QuerySet[PhoneMenu]:
    return selectors.menus_of(client)


def _what_it_needs(_: StaffRequest, subject: Client | PhoneMenu) -> dict[str, Any]:
    client = subject if isinstance(subject, Client) else subject.client
    return {
        "client": client,
        "notices": selectors.notices_for_menus(client),
        "connections": selectors.connections_to_twilio(client),
    }


_form: Final = partial(
    form_page,
    MenuForm,
    right=Permission.MANAGE_CONSENT,
    lede=(
        "Key 1 consents to recording this call, key 0 connects to a person, and key 9 opts out of recording on all"
        " calls."
    ),
    more=_what_it_needs,
    template="consent/menu_form.html",
)


def _load_connectable(request: StaffRequest, client: Client) -> Client:
    """For people who may also set where the client's calls are forwarded."""
    access.require(request, Permission.MANAGE_CONNECTIONS, client)
    return client


@_form(
    load=_load_connectable,
    title="New menu",
    button="Create menu",
    crumbs=lambda client: [("Phone menus and texts", _list_address(client))],
    fill=lambda _, client: {"client": client},
    errors={menus.MenuTakenError: "number"},
)
def add_menu(request: StaffRequest, client: Client, form: MenuForm) -> Done:
    menu = menus.add_menu(
        client=client, number=form.tracking_number, facts=form.facts, by=request.actor, at=request.at
    )
    address = reverse("consent:menu", args=[client.slug, menu.pk])
    return Done("Menu created. Test it, then turn it on.", address)


@require_safe
@needs(Permission.MANAGE_CONSENT)
def show_menu(request: StaffRequest, client: Client, menu_id: UUID) -> HttpResponse:
    """One menu: whether it answers calls, what is missing, and what to set at Twilio."""
    menu = _find(client, menu_id)
    words = selectors.words_of(menu)
    context = _context(
        client,
        menu=menu,
        missing=selectors.missing_for(menu, words),
        versions=[(language.label, version) for language, version in words.versions.items()],
        way=_addresses(menu.connection),
        fallback=twiml.forwarding(menu.forward_to).decode(),
    )
    return render(request, "consent/menu.html", context)


def _load(_: StaffRequest, client: Client, menu_id: UUID) -> PhoneMenu:
    return _find(client, menu_id)


def _menu_form(request: StaffRequest, menu: PhoneMenu) -> dict[str, Any]:
    may_connect = access.may(request.membership, Permission.MANAGE_CONNECTIONS, menu.client, at=request.at)
    return {"client": menu.client, "menu": menu, "may_connect": may_connect}


@_form(
    load=_load,
    title=lambda menu: f"Menu of {menu.tracking_number}",
    button="Save menu",
    crumbs=lambda menu: [
        ("Phone menus and texts", _list_address(menu.client)),
        (str(menu.tracking_number), _address(menu)),
    ],
    fill=_menu_form,
    errors={menus.NotReadyError: FORM},
)
def change_menu(request: StaffRequest, menu: PhoneMenu, form: MenuForm) -> str:
    menus.change_menu(menu=menu, facts=form.facts, by=request.actor, at=request.at)
    return "Saved."


@action(right=Permission.MANAGE_CONSENT, load=_load, back=_address, errors={menus.NotReadyError: ERROR})
def activate_menu(request: StaffRequest, menu: PhoneMenu, _: Any) -> str:
    menus.activate_menu(menu=menu, by=request.actor, at=request.at)
    return "Menu turned on. It answers calls now."


@action(right=Permission.MANAGE_CONSENT, load=_load, back=_address)
def deactivate_menu(request: StaffRequest, menu: PhoneMenu, _: Any) -> str:
    menus.deactivate_menu(menu=menu, by=request.actor, at=request.at)
    return "Menu turned off. Calls connect directly, without a question or a recording."


@require_safe
@needs(Permission.MANAGE_CONSENT)
def preview_menu(request: StaffRequest, client: Client, menu_id: UUID) -> HttpResponse:
    menu = _find(client, menu_id)
    known, never = "withheld" not in request.GET, "never" in request.GET
    keys = request.GET.get("keys", "") + request.GET.get("press", "")[:1]
    context = _context(
        client,
        menu=menu,
        preview=selectors.preview(menu, keys, known=known, never=never),
        tried=selectors.tried(menu),
        withheld=not known,
        never=never,
        pad=("1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"),
    )
    return render(request, "consent/menu_preview.html", context)


def _load_connection(_: StaffRequest, client: Client, connection_id: UUID) -> Connection:
    rows = Connection.objects.for_client(client).filter(provider=twilio.NAME).select_related("client")
    return get_object_or_404(rows, pk=connection_id)


@form_page(
    AccountForm,
    right=Permission.MANAGE_CONNECTIONS,
    load=_load_connection,
    title="Account and redaction",
    lede=(
        "CallPrivacy needs the Account SID, and the connection’s auth token, to stop recordings and send texts."
    ),
    button="Save account",
    crumbs=lambda connection: [
        ("Numbers and connections", reverse("calls:client_connections", args=[connection.client.slug])),
        (connection.name, reverse("calls:connection", args=[connection.client.slug, connection.pk])),
    ],
    fill=lambda _, connection: {"connection": connection},
    errors={menus.OtherAccountError: "secret"},
)
def describe_account(request: StaffRequest, connection: Connection, form: AccountForm) -> str:
    """Save which Twilio account a connection belongs to, and how it treats STOP."""
    menus.describe_account(
        connection=connection,
        account=form.cleaned_data["account"],
        twilio_answers=not form.cleaned_data["redaction"],
        secret=form.cleaned_data["secret"],
        by=request.actor,
        at=request.at,
    )
    return "Saved."
