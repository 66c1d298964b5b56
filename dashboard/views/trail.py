"""The trail: who did what to which client's data, what vouches for it, and taking it along."""

import io
import re
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, cast

from django.contrib import messages
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_POST

from callprivacy.accounts.access import StaffRequest, needs_right, takes_files
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.models import Membership
from callprivacy.audit import selectors, services
from callprivacy.audit.models import Event, Seal
from callprivacy.lib.scope import ScopeKind
from callprivacy.tenancy.models import Client
from dashboard.forms.trail import TrailForm

PAGE = 50
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BUNDLE_IN_MEMORY = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the page."""

    event: Event
    what: str
    who: str
    client: tuple[str, str] | None
    seal: Seal | None
    has_words: bool

    @property
    def root(self) -> str:
        return bytes(self.seal.root).hex()[:8] if self.seal else ""

    @property
    def details(self) -> list[tuple[str, str]]:
        """The details as a person reads them; the export has them as they are."""
        details = self.event.details
        if not isinstance(details, dict):
            # Somebody wrote past the product.
            details = {"details": details}
        return [(name.replace("_", " ").capitalize(), _plain(value)) for name, value in details.items()]


_CODE = re.compile(r"[a-z]+(_[a-z]+)+")


def _plain(value: object) -> str:
    """One detail in words: "call_back" is "call back", False is "no", nothing is "none"."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = "none" if value is None else str(value)
    return text.replace("_", " ") if _CODE.fullmatch(text) else text


def words_of(action: str) -> str:
    """An action as a person reads it: `call.revealed` is "Call revealed"."""
    return action.replace(".", " ").replace("_", " ").capitalize()


@require_GET
@needs_right(AgencyRight.VIEW_TRAIL)
def trail(request: StaffRequest) -> HttpResponse:
    """A page of the trail, newest first; filters and place are in the address."""
    form, people, clients = _asked(request)
    state = selectors.seal_state(request.agency.pk)
    context = {
        "form": form,
        "state": state,
        "counted_at_most": state.unsealed >= selectors.COUNTED_AT_MOST,
        "root": bytes(state.seal.root).hex() if state.seal else "",
        "is_alarming": state.is_alarming(request.at),
        "left": selectors.left(request.agency.pk),
        "checked": selectors.last_event_of(request.agency.pk, "trail.verified"),
        "zone": request.agency.time_zone,
        "filters": request.GET.urlencode(),
        "rows": [],
    }
    if form.is_valid():
        context |= _page(request, form, people, clients)
    return render(request, "dashboard/trail.html", context)


def _page(
    request: StaffRequest, form: TrailForm, people: dict[int, str], clients: dict[int, tuple[str, str]]
) -> dict[str, object]:
    agency_id = request.agency.pk
    shown, has_newer, has_older = selectors.page(
        agency_id,
        form.wanted(request.agency.time_zone),
        size=PAGE,
        before=_cursor(request.GET.get("before", "")),
        after=_cursor(request.GET.get("after", "")),
    )
    seals = selectors.seals_of(agency_id, shown)
    kept = selectors.words_kept(shown)
    rows = [
        Row(
            event=event,
            what=words_of(event.action) or "Cannot be read",
            who=people.get(event.actor_user_id or 0)
            or selectors.actor_in_words(event.actor_name, is_job=event.actor_kind == ScopeKind.JOB),
            client=clients.get(event.client_id or 0),
            seal=seals.get(event.pk),
            has_words=event.pk in kept,
        )
        for event in shown
    ]
    return {
        "rows": rows,
        "newer": _written(shown[0]) if shown and has_newer else None,
        "older": _written(shown[-1]) if shown and has_older else None,
    }


def _asked(request: StaffRequest) -> tuple[TrailForm, dict[int, str], dict[int, tuple[str, str]]]:
    members = Membership.objects.filter(agency=request.agency).order_by("user__name")
    people = dict(members.values_list("user_id", "user__name"))
    clients = list(
        Client.objects.filter(agency=request.agency).order_by("name").values_list("pk", "slug", "name")
    )
    actions = [(action, words_of(action)) for action in selectors.actions(request.agency.pk)]
    form = TrailForm(request.GET, clients=clients, people=people, actions=actions)
    return form, people, {client_id: (slug, name) for client_id, slug, name in clients}


def _written(event: Event) -> str:
    """A place in the trail for the address: microseconds and id."""
    return f"{(event.at - _EPOCH) // timedelta(microseconds=1)}-{event.pk}"


def _cursor(written: str) -> selectors.Cursor | None:
    micros, _, event_id = written.partition("-")
    if not (micros.isdecimal() and event_id.isdecimal() and len(written) < 40):
        return None
    try:
        return selectors.Cursor(_EPOCH + timedelta(microseconds=int(micros)), int(event_id))
    except OverflowError:
        return None


@require_POST
@needs_right(AgencyRight.VIEW_TRAIL)
def trail_reason(request: StaffRequest, event_id: int) -> HttpResponse:
    """The words behind an event; that they were opened is written down first."""
    event = selectors.find_event(request.agency.pk, event_id)
    if event is None:
        raise Http404
    words = services.open_reason(event=event, by=request.actor, at=request.at)
    is_part = request.headers.get("HX-Request") == "true"
    template = "dashboard/trail_reason_part.html" if is_part else "dashboard/trail_reason.html"
    return render(request, template, {"event": event, "what": words_of(event.action), "words": words})


@require_POST
@needs_right(AgencyRight.VIEW_TRAIL)
def trail_verify(request: StaffRequest) -> HttpResponse:
    try:
        found = services.check_trail(agency_id=request.agency.pk, by=request.actor, at=request.at)
    except services.TooLongError as error:
        messages.info(request, str(error))
        return redirect("dashboard:trail")
    context = {"found": found, "at": request.at, "zone": request.agency.time_zone}
    return render(request, "dashboard/trail_verified.html", context)


@require_POST
@needs_right(AgencyRight.VIEW_TRAIL)
@takes_files
def trail_export(request: StaffRequest) -> HttpResponse:
    size = selectors.trail_size(request.agency.pk)
    if size > services.EVENTS_WHILE_WAITING:
        messages.info(request, f"{size:,} events: run manage.py verify_audit --agency … --export FILE.")
        return redirect("dashboard:trail")
    file = cast(BinaryIO, tempfile.SpooledTemporaryFile(_BUNDLE_IN_MEMORY))  # noqa: SIM115  (the response closes it)
    services.export_bundle(agency_id=request.agency.pk, file=file, by=request.actor, at=request.at)
    file.seek(0)
    name = f"trail-{request.agency.slug}-{request.at:%Y%m%d-%H%M}.jsonl"
    answer = FileResponse(file, as_attachment=True, filename=name, content_type="application/jsonl")
    return cast(HttpResponse, answer)


@require_POST
@needs_right(AgencyRight.VIEW_TRAIL)
@takes_files
def trail_table(request: StaffRequest) -> HttpResponse:
    """The filtered trail as CSV; the filters are those of the page, in the address."""
    form, people, clients = _asked(request)
    back = redirect(f"{request.path.removesuffix('table/')}?{urlencode(request.GET, doseq=True)}")
    if not form.is_valid():
        return back
    file = io.StringIO()
    try:
        services.export_table(
            agency_id=request.agency.pk,
            wanted=form.wanted(request.agency.time_zone),
            file=file,
            people=people,
            clients={client_id: name for client_id, (_, name) in clients.items()},
            by=request.actor,
            at=request.at,
        )
    except services.TooManyRowsError as error:
        messages.error(request, str(error))
        return back
    name = f"trail-{request.agency.slug}-{request.at:%Y%m%d-%H%M}.csv"
    return HttpResponse(
        "\ufeff" + file.getvalue(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
