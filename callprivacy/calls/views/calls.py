"""The list of calls, one call, and the number behind its mask for who says why."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, confirms, needs, needs_right
from callprivacy.accounts.enums import AgencyRight, Deed
from callprivacy.calls import kinds
from callprivacy.calls.enums import Direction, RevealReason
from callprivacy.calls.forms.calls import CallFilterForm, NumberForm, RevealForm
from callprivacy.calls.models import Call, Recording, caller_label
from callprivacy.calls.selectors import calls as selectors
from callprivacy.calls.selectors import confidential, masks
from callprivacy.calls.services import reveals, searches
from callprivacy.lib import calendars
from callprivacy.tenancy.enums import Permission, RetentionState
from callprivacy.tenancy.models import Client
from callprivacy.work import selectors as work

_REVEALS_A_PAGE: Final = 50
_CURSORS: Final = ("before", "after")
# Whom a search found, in the session: an id of the caller at each client, and never the number.
_FOUND: Final = "found_callers"
_FOUND_FOR: Final = timedelta(minutes=10)


def _cursor(raw: str | None) -> UUID | None:
    try:
        found = UUID(hex=raw) if raw else None
    except ValueError:
        return None
    # The first and the last id there can be have no neighbour to go on from.
    return found if found is not None and 0 < found.int < (1 << 128) - 1 else None


@require_safe
@never_cache
def list_calls(request: StaffRequest) -> HttpResponse:
    picked = request.GET.get("client", "")
    if not picked.isprintable():
        raise Http404
    clients = list(selectors.listed_clients(request.membership, picked=picked, at=request.at))
    if picked and not any(client.slug == picked for client in clients):
        raise Http404
    form = CallFilterForm(request.GET, clients=clients)
    shown = [client for client in clients if picked in {"", client.slug}]
    zone = shown[0].time_zone if picked else request.agency.time_zone
    page, filters = selectors.CallPage([], None, None), selectors.CallFilters()
    if form.is_valid():
        filters = form.filters()
        page = selectors.call_page(
            shown,
            filters,
            zone=zone,
            before=_cursor(request.GET.get("before")),
            after=_cursor(request.GET.get("after")),
            oldest_first=form.cleaned_data["sort"] == "oldest",
        )
        if filters.caller_id is not None and not page.calls and not _calls_of(filters.caller_id, shown, zone):
            # The caller went along when another client was picked, whom nobody sees in the form.
            messages.info(request, "That caller has no calls here, so everybody’s are listed.")
            return redirect(f"{request.path}?{_without(request, 'caller', *_CURSORS)}")
    context = {
        "form": form,
        "rows": _rows(page.calls),
        "page": page,
        "zone": zone,
        "client": shown[0] if picked else None,
        "has_clients": bool(clients),
        "several": len(shown) > 1,
        "most_counted": selectors.MOST_COUNTED,
        "signs_off": access.has_right(request.membership, AgencyRight.SIGN_OFF),
        "filters": filters,
        "only_caller": caller_label(filters.caller_id) if filters.caller_id else "",
        "active": filters.count + bool(picked) + bool(form.errors),
        "address": _without(request, "client", "sort", *_CURSORS),
    }
    return render(request, "calls/call_list.html", context)


def _calls_of(caller_id: UUID, clients: list[Client], zone: str) -> list[Call]:
    return selectors.call_page(clients, selectors.CallFilters(caller_id=caller_id), zone=zone, size=1).calls


def _without(request: StaffRequest, *names: str) -> str:
    asked = request.GET.copy()
    for name in names:
        asked.pop(name, None)
    return asked.urlencode()


@dataclass(frozen=True, slots=True)
class Row:
    """
    A line of the list, ready to print: the list is the page that is opened most, and a part costs it 0.1 ms.
    """

    call: Call
    mask: masks.Mask
    url: str
    local: datetime
    when: str
    length: str


def _rows(calls: list[Call]) -> list[Row]:
    masked = masks.masks_of(calls)
    return [_row(call, masked[call.pk]) for call in calls]


def _row(call: Call, mask: masks.Mask) -> Row:
    local = call.started_at.astimezone(ZoneInfo(call.client.time_zone))
    return Row(
        call=call,
        mask=mask,
        url=reverse("calls:call", args=[call.client.slug, call.pk]),
        local=local,
        when=f"{local.day} {local:%b %Y, %H:%M}",
        length=_length(call.seconds),
    )


def _length(seconds: int | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def find_or_404(client: Client, call_id: UUID) -> Call:
    call = selectors.find_call(client, call_id)
    if call is None:
        raise Http404
    return call


@require_safe
@never_cache
@needs(Permission.VIEW_CALLS)
def show_call(request: StaffRequest, client: Client, call_id: UUID) -> HttpResponse:
    call = find_or_404(client, call_id)
    others = selectors.other_calls(call)
    may = access.permissions_on(request.membership, client.pk, at=request.at)
    sees_trail = access.has_right(request.membership, AgencyRight.VIEW_TRAIL)
    context = {
        "client": client,
        "call": call,
        "mask": masks.masks_of([call])[call.pk],
        "value": None if call.value_cents is None else f"{call.value_cents / 100:,.2f}",
        "length": _length(call.seconds),
        "recording": _recording_of(call),
        "leaves": _leaves(call, client, request.at),
        "others": others,
        "other_rows": [
            {"call": other, "length": _length(other.seconds)} for other in (others.newest if others else [])
        ],
        "signs_off": access.has_right(request.membership, AgencyRight.SIGN_OFF),
        "named": confidential.people_of_call(call, at=request.at) if call.confidential else [],
        "may_reveal": Permission.REVEAL_NUMBERS in may and call.caller is not None,
        "events": selectors.trail_of(call) if sees_trail else None,
    }
    return render(request, "calls/call.html", context)


def _recording_of(call: Call) -> Recording | None:
    return getattr(call, "recording", None)


def _leaves(call: Call, client: Client, at: datetime) -> dict[str, Any]:
    """The clock to erasure: the day it leaves, how many days that is, and whether anything leaves yet."""
    on = selectors.leaves_on(call, client)
    today = calendars.day_in(client.time_zone, at)
    return {
        "on": on,
        "kept_for": selectors.kept_for(call, client),
        "out": call.direction == Direction.OUTBOUND,
        "days": (on - today).days,
        "overdue": on <= today,
        "observes": client.retention_state == RetentionState.OBSERVE,
    }


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(Permission.REVEAL_NUMBERS)
@confirms(Deed.REVEAL)
@sensitive_post_parameters("reason")
def reveal(request: StaffRequest, client: Client, call_id: UUID) -> HttpResponse:
    call = find_or_404(client, call_id)
    form = RevealForm(request.POST or None)
    context: dict[str, Any] = {
        "client": client, "call": call, "form": form, "mask": masks.masks_of([call])[call.pk],
        "limit": request.agency.reveals_per_hour, "seconds": int(reveals.SHOWN_FOR.total_seconds()),
    }  # fmt: skip
    if request.method != "POST" or not form.is_valid():
        return render(request, "calls/reveal.html", context)
    try:
        context["revealed"] = reveals.reveal_number(
            call=call,
            agency=request.agency,
            reason_kind=RevealReason(form.cleaned_data["reason_kind"]),
            reason=form.cleaned_data["reason"],
            by=request.actor,
            at=request.at,
        )
    except reveals.RevealLimitError:
        return render(request, "calls/reveal_limit.html", context, status=HTTPStatus.TOO_MANY_REQUESTS)
    except reveals.NoNumberError as error:
        form.add_error(None, str(error))
        return render(request, "calls/reveal.html", context)
    return render(request, "calls/reveal_shown.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_post_parameters("number")
def search(request: StaffRequest) -> HttpResponse:
    """
    Find the caller that a number is at each client granted. The number is in no address, no session and not on the
    page: who was found is in the session for some minutes, so that one may come back to the page.
    """
    clients = list(access.clients_with(request.membership, Permission.VIEW_CALLS, at=request.at))
    form = NumberForm(request.POST if request.method == "POST" else None)
    if clients and form.is_valid():
        try:
            hits = searches.search_number(
                clients=clients, number=form.cleaned_data["number"], by=request.actor, at=request.at
            )
        except searches.NotANumberError:
            form.add_error("number", "That is no phone number. Write it with its country code, such as +1.")
        else:
            _keep_found(request, hits)
            return redirect("calls:search")
    found = None if form.is_bound else _found(request)
    context = {
        "form": form,
        "has_clients": bool(clients),
        "is_done": found is not None,
        "hits": searches.hits_of(clients, found) if found else [],
        "consent_clients": set(
            access.client_ids_with(request.membership, Permission.MANAGE_CONSENT, at=request.at)
        ),
    }
    return render(request, "calls/search.html", context)


def _keep_found(request: StaffRequest, hits: list[searches.Hit]) -> None:
    request.session[_FOUND] = {
        "agency": request.agency.pk,
        "at": request.at.timestamp(),
        "callers": [[hit.client.pk, str(hit.caller_id)] for hit in hits],
    }


def _found(request: StaffRequest) -> dict[int, UUID] | None:
    """Client -> whom the session's last search found there; nothing where it is too long ago, or another agency's."""
    kept = request.session.get(_FOUND)
    if kept is None:
        return None
    is_old = request.at.timestamp() - kept["at"] > _FOUND_FOR.total_seconds()
    if is_old or kept["agency"] != request.agency.pk:
        del request.session[_FOUND]
        return None
    return {client_id: UUID(caller_id) for client_id, caller_id in kept["callers"]}


# --- What was shown, for officers ---------------------------------------------------------------------------


def _week(request: StaffRequest, raw: str | None) -> date:
    try:
        day = date.fromisoformat(raw or "")
    except ValueError:
        day = date.min
    if not 1971 <= day.year < 3000:
        return reveals.week_before(request.agency, request.at)
    return day - timedelta(days=day.weekday())


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs_right(AgencyRight.SIGN_OFF)
def list_reveals(request: StaffRequest) -> HttpResponse:
    """
    A week's sample and the newest reveals; the sentences of the sample open on demand, each reading recorded.
    """
    monday = _week(request, request.POST.get("week") or request.GET.get("week"))
    sample = selectors.sampled_reveals(request.agency, monday)
    reasons = None
    if request.method == "POST":
        reasons = reveals.read_reasons(reveals=sample, by=request.actor, at=request.at)
    before = request.GET.get("before", "")
    newest, older = selectors.reveal_page(
        request.agency,
        before=int(before) if before.isdecimal() and len(before) < 19 else None,
        size=_REVEALS_A_PAGE,
    )
    context = {
        "hidden": selectors.hidden_of_sample(sample, monday),
        "own": selectors.own_of_sample(
            sample, agency_id=request.agency.pk, user_id=request.membership.user_id, at=request.at
        ),
        "is_open": work.is_open(kinds.REVEAL_SAMPLE, agency_id=request.agency.pk, key=monday.isoformat()),
        "monday": monday,
        "earlier": monday - timedelta(days=7),
        "later": monday + timedelta(days=7),
        "sunday": monday + timedelta(days=6),
        "sample": [{"reveal": row, "reason": (reasons or {}).get(row.event_id)} for row in sample],
        "opened": reasons is not None,
        "newest": newest,
        "older": older,
        "zone": request.agency.time_zone,
    }
    return render(request, "calls/reveals.html", context)


@require_POST
@needs_right(AgencyRight.SIGN_OFF)
def finish_sample(request: StaffRequest) -> HttpResponse:
    monday = _week(request, request.POST.get("week"))
    try:
        closed = reveals.finish_sample(agency=request.agency, monday=monday, by=request.actor, at=request.at)
    except (reveals.HiddenSampleError, reveals.OwnSampleError) as error:
        messages.warning(request, str(error))
        return redirect(f"{reverse('calls:reveals')}?week={monday.isoformat()}")
    if closed:
        messages.success(request, "The sample is closed as read.")
    return redirect("calls:reveals")
