"""The telephone menus of a client: set up, tried out in thought, and what to set at Twilio."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs
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
    """What is pasted at Twilio for the numbers of one connection."""

    connection: Connection
    voice: str
    status: str
    sms: str

    @property
    def account(self) -> str:
        """The account's id, "" while it is not known."""
        return str(self.connection.mapping.get("account", ""))

    @property
    def redacts(self) -> bool:
        """Whether somebody said that Twilio does not answer STOP by itself."""
        return self.connection.mapping.get("twilio_answers", True) is False


def _addresses(connection: Connection) -> Addresses:
    def at(name: str) -> str:
        return f"{settings.CALLPRIVACY_URL}{reverse(name, args=[connection.key])}"

    return Addresses(connection, at("consent:voice"), at("consent:voice_status"), at("consent:sms"))


def _context(client: Client, **more: Any) -> dict[str, Any]:
    return {"client": client, **more}


def _find(client: Client, menu_id: UUID) -> PhoneMenu:
    rows = PhoneMenu.objects.for_client(client).select_related(
        "tracking_number", "connection", "notice", "other_notice", "client"
    )
    return get_object_or_404(rows, pk=menu_id)


@require_safe
@needs(Permission.MANAGE_CONSENT)
def list_menus(request: StaffRequest, client: Client) -> HttpResponse:
    """A client's menus, and where its texts come in."""
    return render(
        request,
        "consent/menus.html",
        _context(
            client,
            menus=selectors.menus_of(client),
            ways=[_addresses(connection) for connection in selectors.connections_to_twilio(client)],
        ),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONSENT)
def add_menu(request: StaffRequest, client: Client) -> HttpResponse:
    """Set up a menu for a number: by who may also say where the client's calls go on to."""
    access.require(request, Permission.MANAGE_CONNECTIONS, client)
    form = MenuForm(request.POST or None, client=client)
    if request.method == "POST" and form.is_valid():
        try:
            menu = menus.add_menu(
                client=client,
                number=form.tracking_number,
                facts=form.facts,
                by=request.actor,
                at=request.at,
            )
        except menus.MenuTakenError as error:
            form.add_error("number", str(error))
        else:
            messages.success(request, "Menu created. Test it, then turn it on.")
            return redirect("consent:menu", client.slug, menu.pk)
    context = _context(
        client,
        form=form,
        notices=selectors.notices_for_menus(client),
        connections=selectors.connections_to_twilio(client),
    )
    return render(request, "consent/menu_form.html", context)


@require_safe
@needs(Permission.MANAGE_CONSENT)
def show_menu(request: StaffRequest, client: Client, menu_id: UUID) -> HttpResponse:
    """One menu: whether it answers calls, what keeps it from doing so, and what to set at Twilio."""
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


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONSENT)
def change_menu(request: StaffRequest, client: Client, menu_id: UUID) -> HttpResponse:
    """Change how a menu is set up."""
    menu = _find(client, menu_id)
    may_connect = access.may(request.membership, Permission.MANAGE_CONNECTIONS, client, at=request.at)
    form = MenuForm(request.POST or None, client=client, menu=menu, may_connect=may_connect)
    if request.method == "POST" and form.is_valid():
        try:
            menus.change_menu(menu=menu, facts=form.facts, by=request.actor, at=request.at)
        except menus.NotReadyError as error:
            for sentence in error.missing:
                form.add_error(None, sentence)
        else:
            messages.success(request, "Saved.")
            return redirect("consent:menu", client.slug, menu.pk)
    context = _context(
        client,
        menu=menu,
        form=form,
        notices=selectors.notices_for_menus(client),
        connections=selectors.connections_to_twilio(client),
    )
    return render(request, "consent/menu_form.html", context)


@require_POST
@needs(Permission.MANAGE_CONSENT)
def activate_menu(request: StaffRequest, client: Client, menu_id: UUID) -> HttpResponse:
    """Let a menu answer calls."""
    menu = _find(client, menu_id)
    try:
        menus.activate_menu(menu=menu, by=request.actor, at=request.at)
    except menus.NotReadyError as error:
        messages.error(request, f"The menu is not ready. {error}")
    else:
        messages.success(request, "Menu turned on. It answers calls now.")
    return redirect("consent:menu", client.slug, menu.pk)


@require_POST
@needs(Permission.MANAGE_CONSENT)
def deactivate_menu(request: StaffRequest, client: Client, menu_id: UUID) -> HttpResponse:
    """Let calls go straight on, unrecorded."""
    menu = _find(client, menu_id)
    menus.deactivate_menu(menu=menu, by=request.actor, at=request.at)
    messages.success(request, "Menu turned off. Calls connect directly, without a question or a recording.")
    return redirect("consent:menu", client.slug, menu.pk)


@require_safe
@needs(Permission.MANAGE_CONSENT)
def preview_menu(request: StaffRequest, client: Client, menu_id: UUID) -> HttpResponse:
    """A keypad: press keys, read what would be said and what would be written down."""
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


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONNECTIONS)
def describe_account(request: StaffRequest, client: Client, connection_id: UUID) -> HttpResponse:
    """Which of Twilio's accounts a connection belongs to, and how it treats STOP."""
    rows = Connection.objects.for_client(client).filter(provider=twilio.NAME)
    connection = get_object_or_404(rows, pk=connection_id)
    form = AccountForm(request.POST or None, connection=connection)
    if request.method == "POST" and form.is_valid():
        try:
            menus.describe_account(
                connection=connection,
                account=form.cleaned_data["account"],
                twilio_answers=not form.cleaned_data["redaction"],
                secret=form.cleaned_data["secret"],
                by=request.actor,
                at=request.at,
            )
        except menus.OtherAccountError:
            form.add_error(
                "secret", "This Account SID belongs to another account. Enter that account's auth token."
            )
        else:
            messages.success(request, "Saved.")
            return redirect("calls:connection", client.slug, connection.pk)
    return render(request, "consent/menu_account.html", _context(client, form=form, connection=connection))
