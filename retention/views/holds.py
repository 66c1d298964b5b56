"""Holds as people place them, look at them again, and lift them."""

from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse, reverse_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.models import User
from callprivacy.accounts.views.form_pages import FORM, WARNING, Done, action, form_page
from callprivacy.accounts.views.tables import Column, Empty, Link, Pill, Table, list_page
from callprivacy.calls.models import Call
from callprivacy.calls.selectors import masks
from callprivacy.calls.selectors.calls import find_call
from callprivacy.lib import calendars
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from retention.forms.holds import CALLS, AddCallForm, HoldForm, LiftForm, ReviewForm
from retention.models import Hold
from retention.selectors import holds as selectors
from retention.services import holds
from retention.tasks import holds as tasks

_ALSO_LEFT: Final = needs(Permission.MANAGE_RETENTION, also_left=True)


def _counted(request: StaffRequest) -> list[int]:
    """The clients whose calls the person may count."""
    return access.client_ids_with(request.membership, Permission.VIEW_CALLS, at=request.at)


def _url(hold: Hold) -> str:
    return reverse("retention:hold", args=[hold.client.slug, hold.pk])


def _state(line: selectors.Line) -> Pill:
    if not line.is_open:
        return Pill("Lifted", "neutral")
    return Pill("Open", "sealed") if line.hold.settled_at else Pill("Being placed", "info")


def _kept(line: selectors.Line) -> int | str | None:
    return "not yours to count" if line.is_open and line.calls is None else line.calls


_HOLDS: Final = Table(
    label="Legal holds",
    columns=(
        Column("Hold", "hold.name", link=lambda line: _url(line.hold), note="hold.matter", sort="name"),
        Column("State", _state),
        Column("Covers", lambda line: line.scope if line.is_open else "", nothing="deleted when lifted"),
        Column("Calls kept", _kept, nothing="none", is_number=True),
        Column(
            "Placed",
            lambda line: calendars.day_in(line.hold.client.time_zone, line.hold.placed_at),
            sort="placed_at",
        ),
        Column(
            "Review on",
            lambda line: line.hold.review_on if line.is_open else None,
            sort="review_on",
            nothing="never",
        ),
    ),
    empty=Empty(
        "No hold yet",
        "A dispute, a complaint, a question of an authority: a hold keeps the calls of a case until an officer lifts"
        " it, and each of them shows why it is still here.",
        "retention",
    ),
    lines=lambda request, rows: selectors.lines(rows, may_count=_counted(request)),
    size=25,
)
_ALL: Final = replace(
    _HOLDS,
    label="Open legal holds",
    columns=(_HOLDS.columns[0], Column("Client", "hold.client.name"), *_HOLDS.columns[1:]),
    empty=Empty(
        "No hold is open",
        "A hold keeps what a case needs: everything of a client or of some dates, some numbers, or single calls. It is"
        " placed on a client's page of holds, or from a call.",
        "retention",
        Link("Pick a client", reverse_lazy("retention:home")),
    ),
)
_NONE_SUCH: Final = Empty("No hold is in this state", "Look at all of them, or place one.", "retention")


@list_page(
    _ALL,
    right=None,
    lede="Cases for which nothing may be erased, whatever is due and requested. The next review is first.",
)
def list_open_holds(request: StaffRequest) -> QuerySet[Hold]:
    clients = access.client_ids_with(request.membership, Permission.MANAGE_RETENTION, at=request.at)
    if not clients:
        raise PermissionDenied("Retention is not granted to you for any client.")
    return selectors.open_holds_of(clients)


@list_page(
    _HOLDS,
    right=Permission.MANAGE_RETENTION,
    lede="While one is open, nothing that it covers is deleted: by no policy, by no quarantine, and on no request.",
    actions=lambda _, client: [
        Link("Place a legal hold", reverse("retention:new_hold", args=[client.slug]), tone="primary")
    ],
    tabs=[
        ("", "Open and lifted", _HOLDS.empty),
        ("open", "Open", _NONE_SUCH),
        ("lifted", "Lifted", _NONE_SUCH),
    ],
)
def list_holds(request: StaffRequest, client: Client) -> QuerySet[Hold]:
    rows, show = selectors.holds_of(client), request.GET.get("show")
    return rows.filter(lifted_at__isnull=show == "open") if show in {"open", "lifted"} else rows


def _people(client: Client, request: StaffRequest) -> list[User]:
    """Who may be notified of a client's hold: the active people with access to it, by name."""
    known = access.people_with(Permission.VIEW_CLIENT, client.pk, agency_id=client.agency_id, at=request.at)
    return list(User.objects.filter(pk__in=known).order_by("name", "email"))


def _named_calls(request: StaffRequest, client: Client, raw: list[str]) -> list[UUID]:
    """The calls that the address or the form names, and that the person may see."""
    if not raw or not access.may(request.membership, Permission.VIEW_CALLS, client, at=request.at):
        return []
    calls = []
    for text in raw[: holds.CALLS_AT_MOST]:
        try:
            call = find_call(client, UUID(text))
        except ValueError:
            continue
        if call is not None:
            calls.append(call.pk)
    return list(dict.fromkeys(calls))


def _picked(request: StaffRequest, client: Client) -> list[UUID]:
    sent = request.POST if request.method == "POST" else request.GET
    return _named_calls(request, client, sent.getlist("call"))


@never_cache
@form_page(
    HoldForm,
    right=_ALSO_LEFT,
    title="Place a legal hold",
    lede="It is in force from the moment you place it. A batch that was under way may still end: the hold reads “being"
    " placed” until it has.",
    button="Place the hold",
    crumbs=lambda client: [("Legal holds", reverse("retention:holds", args=[client.slug]))],
    fill=lambda request, client: {
        "client": client,
        "people": _people(client, request),
        "at": request.at,
        "calls": _picked(request, client),
    },
    errors={holds.NotAMemberError: "people", holds.BusyError: FORM, holds.NoSuchCallError: FORM},
    secret=("numbers", "reason"),
    template="retention/hold_new.html",
)
def new_hold(request: StaffRequest, client: Client, form: HoldForm) -> Done | None:
    """Place a hold on a client, on numbers, or on the calls that the address names."""
    entered = form.cleaned_data
    try:
        hold = holds.place_hold(
            client=client,
            name=entered["name"],
            matter=entered["matter"],
            reason=entered["reason"],
            extent=holds.Wanted(
                numbers=tuple(form.typed()),
                call_ids=frozenset(form.calls if entered["scope"] == CALLS else ()),
                from_at=form.starts_at(),
                until_at=form.stops_at(),
                keeps_house=entered["keeps_house"],
            ),
            review_on=entered["review_on"],
            ends_on=entered["ends_on"],
            people=entered["people"],
            placed_by=request.membership.user_id,
            at=request.at,
        )
    except holds.NobodyError as error:
        form.add_error("numbers", f"Line {error.line}: {error} Type the numbers again.")
        return None
    except holds.TooLateError as error:
        raise PermissionDenied(str(error)) from error
    tasks.settle_client.delay_on_commit(agency_id=client.agency_id, client_id=client.pk)
    url = reverse("retention:hold", args=[client.slug, hold.pk])
    return Done("The hold is placed: nothing that it covers is chosen for deletion from now on.", url)


def _hold_or_404(client: Client, hold_id: UUID) -> Any:
    hold = selectors.find(client, hold_id)
    if hold is None:
        raise Http404
    return hold


@require_GET
@needs(Permission.MANAGE_RETENTION)
def show_hold(request: StaffRequest, client: Client, hold_id: UUID) -> HttpResponse:
    """What a hold keeps, who is notified, and what can be done with it."""
    return _show(request, client, _hold_or_404(client, hold_id))


@never_cache
@require_POST
@_ALSO_LEFT
def read_reason(request: StaffRequest, client: Client, hold_id: UUID) -> HttpResponse:
    """The reason for which a hold was placed; the audit log records the reading."""
    hold = _hold_or_404(client, hold_id)
    words = holds.read_reason(hold=hold, by=request.actor, at=request.at)
    return _show(request, client, hold, words=words, has_read=True)


def _show(request: StaffRequest, client: Client, hold: Hold, **more: Any) -> HttpResponse:
    """:param more: what else is shown in this answer alone."""
    may_count = client.pk in _counted(request)
    line = selectors.lines([hold], may_count=[client.pk] if may_count else [])[0]
    sample = list(selectors.kept_sample(hold)) if may_count and line.is_open else []
    masked = masks.masks_of(sample)
    context = {
        "client": client,
        "line": line,
        "hold": hold,
        "last_day": selectors.last_day(hold),
        "people": selectors.people_of(hold),
        "sample": [{"call": call, "mask": masked[call.pk]} for call in sample],
        "may_lift": access.has_right(request.membership, AgencyRight.SIGN_OFF),
    }
    return render(request, "retention/hold.html", context | more)


def _load(request: StaffRequest, client: Client, hold_id: UUID) -> Hold:
    hold: Hold = _hold_or_404(client, hold_id)
    hold.client = client
    return hold


def _above(hold: Hold) -> list[tuple[str, str]]:
    return [("Legal holds", reverse("retention:holds", args=[hold.client.slug])), (hold.name, _url(hold))]


def _reviewed(request: StaffRequest, hold: Hold) -> dict[str, Any]:
    notified = [str(person.user_id) for person in selectors.people_of(hold)]
    return {
        "client": hold.client,
        "people": _people(hold.client, request),
        "at": request.at,
        "initial": {"ends_on": hold.ends_on, "people": notified},
    }


@form_page(
    ReviewForm,
    right=_ALSO_LEFT,
    load=_load,
    title="Is it still needed?",
    lede="If it does, say why, and when it is looked at again. If it does not, an officer lifts it.",
    button="It goes on",
    crumbs=_above,
    fill=_reviewed,
    errors={holds.NotAMemberError: "people", holds.NotOpenError: WARNING},
    secret=("reason",),
)
def review_hold(request: StaffRequest, hold: Hold, form: ReviewForm) -> str:
    entered = form.cleaned_data
    holds.review_hold(
        hold=hold,
        review_on=entered["review_on"],
        ends_on=entered["ends_on"],
        people=entered["people"],
        reason=entered["reason"],
        by=request.actor,
        at=request.at,
    )
    return f"The hold goes on; its next review is on {entered['review_on']:%-d %b %Y}."


def _load_open(request: StaffRequest, client: Client, hold_id: UUID) -> Hold | HttpResponse:
    if not access.has_right(request.membership, AgencyRight.SIGN_OFF):
        raise PermissionDenied("Only a compliance officer lifts a hold.")
    access.require(request, Permission.VIEW_CALLS, client)
    hold = _load(request, client, hold_id)
    if hold.lifted_at is None:
        return hold
    messages.info(request, "This hold has been lifted.")
    return redirect("retention:hold", client.slug, hold.pk)


def _falls_due(request: StaffRequest, hold: Hold) -> dict[str, Any]:
    return {
        "client": hold.client,
        "hold": hold,
        "line": selectors.lines([hold], may_count=[])[0],
        "last_day": selectors.last_day(hold),
        "falls": selectors.falls_due(hold, request.at),
        "kept": selectors.kept_calls(hold).count(),
        "freed": selectors.freed_calls(hold).count(),
    }


@never_cache
@form_page(
    LiftForm,
    right=_ALSO_LEFT,
    load=_load_open,
    title=lambda hold: f"Lift {hold.name}",
    button="Lift the hold",
    crumbs=_above,
    more=_falls_due,
    errors={holds.BusyError: FORM, holds.CountsChangedError: FORM, holds.NotOpenError: WARNING},
    secret=("reason",),
    template="retention/hold_lift.html",
)
def lift_hold(request: StaffRequest, hold: Hold, form: LiftForm) -> str:
    """Show an officer what falls due when a hold is lifted, and lift it with a reason."""
    counts = form.cleaned_data | {name: form.cleaned_data[name] or 0 for name in ("asked", "people")}
    reason, by = counts.pop("reason"), request.membership.user_id
    holds.lift_hold(hold=hold, shown=selectors.FallsDue(**counts), reason=reason, lifted_by=by, at=request.at)
    tasks.settle_client.delay_on_commit(agency_id=hold.agency_id, client_id=hold.client_id)
    return "The hold is lifted. What it alone kept is deleted by its date again."


def _load_call(request: StaffRequest, client: Client, call_id: UUID) -> Call:
    access.require(request, Permission.VIEW_CALLS, client)
    call = find_call(client, call_id)
    if call is None:
        raise Http404
    call.client = client
    return call


@action(
    AddCallForm,
    right=_ALSO_LEFT,
    load=_load_call,
    back=lambda call: reverse("calls:call", args=[call.client.slug, call.pk]),
    fill=lambda _, call: {"client": call.client},
    invalid="Pick one of the open holds.",
    errors=dict.fromkeys(
        (holds.BusyError, holds.NoSuchCallError, holds.NotOpenError, holds.NotToWidenError), WARNING
    ),
)
def add_call(request: StaffRequest, call: Call, form: AddCallForm) -> str:
    client, hold = call.client, form.cleaned_data["hold"]
    try:
        count = holds.add_calls(hold=hold, call_ids=[call.pk], by=request.actor, at=request.at)
    except holds.TooLateError as error:
        raise PermissionDenied(str(error)) from error
    tasks.settle_client.delay_on_commit(agency_id=client.agency_id, client_id=client.pk)
    return f"{hold.name} keeps this call now." if count else f"{hold.name} named this call already."
