"""The watch: figures, alerts that stand and that are over, and where they are sent; metrics for who collects them."""

import secrets
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from callprivacy.accounts.access import StaffRequest, needs_right
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.views.form_pages import WARNING, action, form_page
from callprivacy.accounts.views.tables import Column, Empty, Link, Pill, Table
from callprivacy.audit.services import lineage
from consent.services.webhooks import AddressError
from retention import kinds
from retention.enums import Category, SecretKind
from retention.forms.watch import EndpointForm
from retention.models import Alert, AlertEndpoint
from retention.selectors import storage
from retention.selectors import watch as selectors
from retention.services import news, watch
from retention.tasks import watch as tasks

_PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"
_DATABASES: Final = {"default": "the main database", "vault": "the vault"}


@dataclass(frozen=True, slots=True)
class Shown:
    """One alert as the page shows it."""

    row: Alert
    title: str
    about: str
    to_do: str
    url_name: str
    is_dead: bool


def _sent(one: Shown) -> Pill | str:
    if one.is_dead:
        return Pill("Never reached", "bad")
    return Pill("Waiting", "info") if one.row.due_at else one.row.last_status


def _open(one: Shown) -> list[Link]:
    return (
        [] if one.url_name == "retention:watch" else [Link("Open", reverse(one.url_name), f": {one.title}")]
    )


_WHAT: Final = Column("What", "title", note="about")
_YOURS: Final = Column(
    "Your system",
    _sent,
    note=lambda one: one.row.last_status if one.is_dead or one.row.due_at else "",
    nothing="not notified",
)
_OPEN: Final = Table(
    label="Open alerts",
    columns=(
        _WHAT,
        Column("Count", "row.count", is_number=True),
        Column("Since", "row.began_at"),
        Column("What to do", "to_do"),
        _YOURS,
    ),
    links=_open,
    empty=Empty(
        "No open alert",
        "When there is one, admins and officers are notified by mail once, and again when it is over.",
        "done",
    ),
)
_PAST: Final = Table(
    label="Past alerts",
    columns=(_WHAT, Column("Began", "row.began_at"), Column("Over", "row.ended_at"), _YOURS),
    empty=Empty("No past alert", "Resolved alerts stay here, with how long they were open."),
    lines=lambda _, rows: map(_shown, rows),
    size=25,
)


def _bloat(one: storage.Table) -> Pill:
    if one.broken:
        return Pill("An index is broken: REINDEX", "bad")
    return Pill("Bloated: VACUUM", "warn") if one.is_bad else Pill("Good", "good")


_TABLES: Final = Table(
    label="Large tables",
    columns=(
        Column("Table", "name", note=lambda one: "vault" if one.database == "vault" else ""),
        Column("Dead rows", lambda one: f"{one.dead_percent:.1f} %", is_number=True),
        Column("Vacuumed last", "vacuumed_at", nothing="not yet"),
        Column("Indexes, of its size", lambda one: f"{one.indexes:.1f}", is_number=True),
        Column("State", _bloat),
    ),
    empty=Empty("No large table"),
)


@require_GET
@needs_right(AgencyRight.MANAGE_CLIENTS)
def show_watch(request: StaffRequest) -> HttpResponse:
    reading = selectors.kept(request.agency.pk)
    context: dict[str, Any] = {
        "reading": reading,
        "late": selectors.categories_late(reading) if reading else [],
        "house": selectors.house(request.at),
        "tables": _TABLES.draw(request, storage.tables()),
        "open": _OPEN.draw(request, [_shown(row) for row in selectors.alerts(is_open=True)]),
        "past": _PAST.draw(request, selectors.alerts(is_open=False)),
        "endpoint": selectors.endpoint(),
        "news": news.newest(),
    }
    return render(request, "retention/watch.html", context)


def _shown(row: Alert) -> Shown:
    alarm = kinds.ALARMS.get(row.kind)
    if alarm is None:
        return Shown(row, "Test of the address", "", "", "", watch.is_dead(row))
    return Shown(row, alarm.title, _about(row), alarm.to_do, alarm.url_name, watch.is_dead(row))


def _about(row: Alert) -> str:
    """What an alert's key names, in words."""
    if row.key in Category.values:
        return str(Category(row.key).label)
    if row.key in SecretKind.values:
        return str(SecretKind(row.key).label)
    return _DATABASES.get(row.key, "")


_MANAGE: Final = AgencyRight.MANAGE_CLIENTS


def _watch(subject: object) -> str:
    return reverse("retention:watch")


def _load_endpoint(request: StaffRequest) -> AlertEndpoint | HttpResponse:
    endpoint = selectors.endpoint()
    if endpoint is None:
        messages.warning(request, "No address is set for alerts. Set one first.")
        return redirect("retention:watch")
    return endpoint


_button = partial(action, right=_MANAGE, load=_load_endpoint, back=_watch)


@never_cache
@form_page(
    EndpointForm,
    right=_MANAGE,
    load=lambda _: selectors.endpoint(),
    title="Where alerts are sent",
    lede="Each message names the alert, since when, how much of it, and what to do. It names no caller and no number."
    " Another address has a secret of its own; the present one signs nothing more.",
    button="Save, and show the secret",
    crumbs=lambda _: [("Monitoring", reverse("retention:watch"))],
    fill=lambda _, endpoint: {"initial": {"url": endpoint.url if endpoint else ""}},
    errors={AddressError: "url"},
)
def set_endpoint(request: StaffRequest, endpoint: AlertEndpoint | None, form: EndpointForm) -> HttpResponse:
    """Have alerts sent to an address; its secret is shown this once."""
    secret = watch.set_endpoint(
        agency=request.agency, url=form.cleaned_data["url"], by=request.actor, at=request.at
    )
    return render(request, "retention/alert_secret.html", {"secret": secret})


@never_cache
@_button()
def rotate_endpoint(request: StaffRequest, endpoint: AlertEndpoint, form: Any) -> HttpResponse:
    secret = watch.rotate_endpoint(endpoint=endpoint, by=request.actor, at=request.at)
    return render(request, "retention/alert_secret.html", {"secret": secret})


@_button()
def close_endpoint(request: StaffRequest, endpoint: AlertEndpoint, form: Any) -> str:
    """Send alerts nowhere any more; people are still notified by mail."""
    is_closed = watch.close_endpoint(endpoint=endpoint, by=request.actor, at=request.at)
    return "Alerts are sent to no system any more. People are still notified by mail." if is_closed else ""


@_button()
def switch_news(request: StaffRequest, endpoint: AlertEndpoint, form: Any) -> str:
    on = request.POST.get("on") == "yes"
    if not news.switch(endpoint=endpoint, on=on, by=request.actor, at=request.at):
        return ""
    return "It is notified of open items from now on, too." if on else "It is notified of alerts alone."


@_button(errors={watch.NoEndpointError: WARNING})
def test_endpoint(request: StaffRequest, endpoint: AlertEndpoint, form: Any) -> str:
    watch.test_endpoint(agency=request.agency, by=request.actor, at=request.at)
    tasks.send_alerts.delay_on_commit()
    return "A test is on its way; reload in a minute to see what came of it."


def brings_token(request: HttpRequest) -> bool:
    token: str = settings.CALLPRIVACY_METRICS_TOKEN
    brought = request.headers.get("Authorization", "")
    return bool(token) and secrets.compare_digest(brought.encode(), f"Bearer {token}".encode())


@login_not_required
@never_cache
@require_GET
def show_metrics(request: HttpRequest) -> HttpResponse:
    """The figures for who brings the installation's token; for everybody else there is nothing here."""
    if not brings_token(request):
        raise Http404
    try:
        metrics = watch.metrics(at=timezone.now())
    except lineage.NotTogetherError as error:
        return HttpResponse(f"{error}\n", "text/plain", 503)
    return HttpResponse(metrics, content_type=_PROMETHEUS)
