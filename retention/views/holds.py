"""Holds as people place them, look at them again, and lift them."""

from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.models import User
from callprivacy.accounts.views.form_pages import WARNING, form_page
from callprivacy.calls.selectors import masks
from callprivacy.calls.selectors.calls import find_call
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from retention.forms.holds import CALLS, HoldForm, HoldsForm, LiftForm, ReviewForm
from retention.models import Hold
from retention.selectors import holds as selectors
from retention.services import holds
from retention.tasks import holds as tasks

_PAGE: Final = 25


@require_GET
def list_open_holds(request: StaffRequest) -> HttpResponse:
    """The open holds of every client whose retention the person manages."""
    clients = access.client_ids_with(request.membership, Permission.MANAGE_RETENTION, at=request.at)
    if not clients:
        raise PermissionDenied("Retention is not granted to you for any client.")
    page = Paginator(selectors.open_holds_of(clients), _PAGE).get_page(request.GET.get("page"))
    rows = selectors.lines(page.object_list, may_count=_counted(request))
    return render(request, "retention/hold_all.html", {"page": page, "rows": rows, "section": "holds"})


def _counted(request: StaffRequest) -> list[int]:
    """The clients whose calls the person may count."""
    return access.client_ids_with(request.membership, Permission.VIEW_CALLS, at=request.at)


@require_GET
@needs(Permission.MANAGE_RETENTION)
def list_holds(request: StaffRequest, client: Client) -> HttpResponse:
    """A client's holds, open ones first."""
    form = HoldsForm(request.GET)
    state = form.wanted()
    found = selectors.holds_of(client)
    if state:
        found = found.filter(lifted_at__isnull=state == "open")
    page = Paginator(found, _PAGE).get_page(request.GET.get("page"))
    context = {
        "client": client,
        "page": page,
        "rows": selectors.lines(page.object_list, may_count=_counted(request)),
        "state": state,
        "states": [
            {"url": f"?state={name}" if name else "?", "label": label, "active": name == state}
            for name, label in HoldsForm.STATES
        ],
    }
    return render(request, "retention/holds.html", context)


def _people(client: Client, request: StaffRequest) -> list[User]:
    """Who may be told of a client's hold: the active people with access to it, by name."""
    known = access.people_with(Permission.VIEW_CLIENT, client.pk, agency_id=client.agency_id, at=request.at)
    return list(User.objects.filter(pk__in=known).order_by("name", "email"))


def _named_calls(request: StaffRequest, client: Client, raw: list[str]) -> list[UUID]:
    """The calls that the address or the form names, and that the person may see."""
    if not raw or not access.may(request.membership, Permission.VIEW_CALLS, client, at=request.at):
        return []
    found = []
    for text in raw[: holds.CALLS_AT_MOST]:
        try:
            call = find_call(client, UUID(text))
        except ValueError:
            continue
        if call is not None:
            found.append(call.pk)
    return list(dict.fromkeys(found))


@never_cache
@sensitive_post_parameters("numbers", "reason")
@require_http_methods(["GET", "POST"])
@needs(Permission.MANAGE_RETENTION, also_left=True)
def new_hold(request: StaffRequest, client: Client) -> HttpResponse:
    """Place a hold on a client, on numbers, or on the calls that the address names."""
    posted = request.method == "POST"
    calls = _named_calls(request, client, (request.POST if posted else request.GET).getlist("call"))
    form = HoldForm(
        request.POST if posted else None,
        client=client,
        people=_people(client, request),
        at=request.at,
        calls=calls,
    )
    if posted and form.is_valid():
        hold = _place(request, client, form)
        if hold is not None:
            tasks.settle_client.delay_on_commit(agency_id=client.agency_id, client_id=client.pk)
            messages.success(
                request, "The hold is placed: nothing that it covers is chosen to leave from now on."
            )
            return redirect("retention:hold", client.slug, hold.pk)
    if posted:
        form.forget_numbers()
    context = {"client": client, "form": form, "calls": calls}
    return render(request, "retention/hold_new.html", context)


def _place(request: StaffRequest, client: Client, form: HoldForm) -> Hold | None:
    said = form.cleaned_data
    try:
        return holds.place_hold(
            client=client,
            name=said["name"],
            matter=said["matter"],
            reason=said["reason"],
            extent=holds.Wanted(
                numbers=tuple(form.typed()),
                call_ids=frozenset(form.calls if said["scope"] == CALLS else ()),
                from_at=form.starts_at(),
                until_at=form.stops_at(),
                keeps_house=said["keeps_house"],
            ),
            review_on=said["review_on"],
            ends_on=said["ends_on"],
            people=said["people"],
            placed_by=request.membership.user_id,
            at=request.at,
        )
    except holds.NobodyError as error:
        form.add_error("numbers", f"Line {error.line}: {error} Type the numbers again.")
    except holds.NotAMemberError as error:
        form.add_error("people", str(error))
    except (holds.BusyError, holds.NoSuchCallError) as error:
        form.add_error(None, str(error))
    except holds.TooLateError as error:
        raise PermissionDenied(str(error)) from error
    return None


def _hold_or_404(client: Client, hold_id: UUID) -> Any:
    hold = selectors.find(client, hold_id)
    if hold is None:
        raise Http404
    return hold


@require_GET
@needs(Permission.MANAGE_RETENTION)
def show_hold(request: StaffRequest, client: Client, hold_id: UUID) -> HttpResponse:
    """What a hold keeps, who is told, and what can be done with it."""
    return _show(request, client, _hold_or_404(client, hold_id))


@never_cache
@require_POST
@needs(Permission.MANAGE_RETENTION, also_left=True)
def read_reason(request: StaffRequest, client: Client, hold_id: UUID) -> HttpResponse:
    """The words with which a hold was placed; that they were read is in the trail."""
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
    slug = hold.client.slug
    return [
        ("Legal holds", reverse("retention:holds", args=[slug])),
        (hold.name, reverse("retention:hold", args=[slug, hold.pk])),
    ]


def _reviewed(request: StaffRequest, hold: Hold) -> dict[str, Any]:
    told = [str(person.user_id) for person in selectors.people_of(hold)]
    return {
        "client": hold.client,
        "people": _people(hold.client, request),
        "at": request.at,
        "initial": {"ends_on": hold.ends_on, "people": told},
    }


@form_page(
    ReviewForm,
    right=needs(Permission.MANAGE_RETENTION, also_left=True),
    load=_load,
    title="Does it still have to stand?",
    lede="If it does, say why, and when it is looked at again. If it does not, an officer lifts it.",
    button="It goes on",
    crumbs=_above,
    fill=_reviewed,
    errors={holds.NotAMemberError: "people", holds.NotOpenError: WARNING},
    secret=("reason",),
)
def review_hold(request: StaffRequest, hold: Hold, form: ReviewForm) -> str:
    """Write down why a hold goes on, and when it is looked at again."""
    said = form.cleaned_data
    holds.review_hold(
        hold=hold,
        review_on=said["review_on"],
        ends_on=said["ends_on"],
        people=said["people"],
        reason=said["reason"],
        by=request.actor,
        at=request.at,
    )
    return f"The hold goes on; it is looked at again on {said['review_on']:%-d %b %Y}."


@never_cache
@sensitive_post_parameters("reason")
@require_http_methods(["GET", "POST"])
@needs(Permission.MANAGE_RETENTION, also_left=True)
def lift_hold(request: StaffRequest, client: Client, hold_id: UUID) -> HttpResponse:
    """Show an officer what falls due when a hold is lifted, and lift it with a reason."""
    if not access.has_right(request.membership, AgencyRight.SIGN_OFF):
        raise PermissionDenied("Only a compliance officer lifts a hold.")
    access.require(request, Permission.VIEW_CALLS, client)
    hold = _hold_or_404(client, hold_id)
    if hold.lifted_at is not None:
        messages.info(request, "This hold has been lifted.")
        return redirect("retention:hold", client.slug, hold.pk)
    form = LiftForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            holds.lift_hold(
                hold=hold,
                shown=selectors.FallsDue(
                    calls=said["calls"],
                    recordings=said["recordings"],
                    transcripts=said["transcripts"],
                    redactions=said["redactions"],
                    numbers=said["numbers"],
                    evidence=said["evidence"],
                    requests=said["requests"],
                    reasons=said["reasons"],
                    own=said["own"],
                    asked=said["asked"] or 0,
                    people=said["people"] or 0,
                ),
                reason=said["reason"],
                lifted_by=request.membership.user_id,
                at=request.at,
            )
        except (holds.BusyError, holds.CountsChangedError, holds.NotOpenError) as error:
            messages.warning(request, str(error))
        else:
            tasks.settle_client.delay_on_commit(agency_id=client.agency_id, client_id=client.pk)
            messages.success(request, "The hold is lifted. What it alone kept leaves by its date again.")
            return redirect("retention:hold", client.slug, hold.pk)
    context = {
        "client": client,
        "hold": hold,
        "line": selectors.lines([hold], may_count=[])[0],
        "last_day": selectors.last_day(hold),
        "form": form,
        "falls": selectors.falls_due(hold, request.at),
        "kept": selectors.kept_calls(hold).count(),
        "freed": selectors.freed_calls(hold).count(),
    }
    return render(request, "retention/hold_lift.html", context)


@require_POST
@needs(Permission.MANAGE_RETENTION, also_left=True)
def add_call(request: StaffRequest, client: Client, call_id: UUID) -> HttpResponse:
    """Let an open hold keep one call more."""
    access.require(request, Permission.VIEW_CALLS, client)
    if find_call(client, call_id) is None:
        raise Http404
    try:
        hold = selectors.find(client, UUID(request.POST.get("hold", "")))
    except ValueError:
        hold = None
    if hold is None:
        messages.warning(request, "Pick one of the open holds.")
        return redirect("calls:call", client.slug, call_id)
    try:
        count = holds.add_calls(hold=hold, call_ids=[call_id], by=request.actor, at=request.at)
    except (
        holds.BusyError,
        holds.NoSuchCallError,
        holds.NotOpenError,
        holds.NotToWidenError,
    ) as error:
        messages.warning(request, str(error))
    except holds.TooLateError as error:
        raise PermissionDenied(str(error)) from error
    else:
        tasks.settle_client.delay_on_commit(agency_id=client.agency_id, client_id=client.pk)
        messages.success(
            request, f"{hold.name} keeps this call now." if count else f"{hold.name} named this call already."
        )
    return redirect("calls:call", client.slug, call_id)
