"""Going live, runs and deletions at vendors as people see them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from callprivacy.accounts import access, seconding
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.views.form_pages import WARNING, Done, action, form_page
from callprivacy.accounts.views.tables import Column, Empty, Link, Moment, Pill, Table
from callprivacy.audit.services import ReasonUnreadError
from callprivacy.calls.selectors.connections import title_of
from callprivacy.lib import calendars
from callprivacy.tenancy.enums import Permission, RetentionState
from callprivacy.tenancy.models import Client
from consent.selectors import decisions, onboarding
from retention import targets
from retention.enums import PartState, RunCause, RunState
from retention.forms.runs import LiveReasonForm, ReasonForm, ShownForm
from retention.models import Errand, PolicyChange, Run
from retention.selectors import certificates, changes, house, preview, progress
from retention.selectors import runs as selectors
from retention.services import errands, going_live, policies, runs
from retention.tasks import runs as tasks

_PAGE = 25


@never_cache
@require_http_methods(["GET", "POST"])
@needs(Permission.MANAGE_RETENTION)
def go_live(request: StaffRequest, client: Client) -> HttpResponse:
    """
    Sign, with the counts shown, that what is past its date and quarantined recordings are deleted from now on: propose
    it, and another officer agrees here, unless the agency chose that one is enough.
    """
    if not access.has_right(request.membership, AgencyRight.SIGN_OFF):
        raise PermissionDenied("Only a compliance officer signs that erasing begins.")
    if client.retention_state == RetentionState.LIVE:
        messages.info(request, f"{client.name} is live already.")
        return redirect("retention:policies", client.slug)
    me = request.membership.user_id
    change = changes.open_live(client)
    form, why = ShownForm(request.POST), None
    if change is None and request.agency.needs_second_for_live:
        why = LiveReasonForm(request.POST or None)
    if request.method == "POST" and request.POST.get("phrase", "").strip() != client.name:
        messages.warning(request, f"Type {client.name} to confirm. {client.name} is not live.")
    elif request.method == "POST" and form.is_valid() and (why is None or why.is_valid()):
        answer = _sign(request, client, change, _shown(form.cleaned_data), why)
        if answer is not None:
            return answer
    due = preview.of_client(
        client, access.permissions_on(request.membership, client.pk, at=request.at), request.at
    )
    context = {
        "client": client,
        "outlook": selectors.outlook(client, request.at),
        "others": due.besides,
        "besides_shown": due.besides_shown,
        "counts": decisions.record_counts(client),
        "terms": selectors.terms_of(client),
        "open_steps": onboarding.setup_of(client, at=request.at).before_live,
        "next_night": selectors.next_night(request.agency, request.at),
        "today": calendars.day_in(request.agency.time_zone, request.at),
        "change": change,
        "is_mine": change is not None and change.proposed_by_id == me,
        "doubt": change
        and change.proposed_by_id != me
        and seconding.may_second(
            proposer=change.proposed_by_id, signer=me, agency_id=client.agency_id, at=request.at
        ),
        "why": why,
        "second": None if why is None else changes.second_for_live(client, but=me, at=request.at),
    }
    return render(request, "retention/go_live.html", context)


def _sign(
    request: StaffRequest,
    client: Client,
    change: PolicyChange | None,
    shown: going_live.Shown,
    why: LiveReasonForm | None,
) -> HttpResponse | None:
    """Propose that a client goes live, or let it; None: the page is shown again, with what has changed."""
    try:
        if why is not None:
            change = going_live.propose(
                client=client,
                shown=shown,
                reason=why.cleaned_data["reason"],
                proposer=request.membership,
                at=request.at,
            )
            messages.success(request, f"Proposed. {client.name} is not live until another officer agrees.")
            return redirect("retention:change", change.pk)
        going_live.go_live(client=client, shown=shown, signed_by=request.membership.user_id, at=request.at)
    except going_live.AlreadyLiveError as error:
        messages.info(request, str(error))
        return redirect("retention:policies", client.slug)
    except seconding.SamePersonError as error:
        raise PermissionDenied(str(error)) from error
    except (ReasonUnreadError, seconding.NotCountedError) as error:
        messages.warning(request, str(error))
        return redirect("retention:change", change.pk) if change is not None else None
    except (policies.CountsChangedError, policies.OpenChangeError, going_live.NeedsSecondError) as error:
        messages.warning(request, str(error))
        return None
    messages.success(request, f"{client.name} is live. Data that is due will be deleted with the next run.")
    return redirect("retention:policies", client.slug)


def _shown(seen: dict[str, Any]) -> going_live.Shown:
    due = targets.Due(calls=seen["calls"], recordings=seen["recordings"], callers=seen["callers"])
    terms = selectors.Terms(
        keep_for_days=seen["keep_for_days"],
        keep_out_for_days=seen["keep_out_for_days"],
        others=seen["others"],
        quarantine_hours=seen["quarantine_hours"],
        at_vendor=bool(seen["at_vendor"]),
    )
    return going_live.Shown(
        due=due,
        allowed=seen["allowed"],
        withheld=seen["withheld"],
        leaving=seen["leaving"],
        besides=seen["besides"],
        terms=terms,
    )


@form_page(
    ReasonForm,
    right=Permission.MANAGE_RETENTION,
    title=lambda client: f"Stop deleting for {client.name}",
    lede=lambda client: format_html(
        "Runs will only count. What was deleted does not come back; what becomes due meanwhile is deleted when an"
        ' officer signs again. What a requester has erased is deleted all the same: to keep everything, <a class="link"'
        ' href="{}">place a hold</a>.',
        reverse("retention:new_hold", args=[client.slug]),
    ),
    button="Stop deleting",
    crumbs=lambda client: [("Policies", reverse("retention:policies", args=[client.slug]))],
)
def observe(request: StaffRequest, client: Client, form: ReasonForm) -> str:
    going_live.observe(client=client, reason=form.cleaned_data["reason"], by=request.actor, at=request.at)
    return f"Nothing of {client.name} is deleted by its date or by quarantine until an officer signs again."


@action(
    right=AgencyRight.RUN_JOBS,
    back=lambda _: reverse("retention:home"),
    errors={runs.AlreadyRunningError: WARNING},
)
def start_run(request: StaffRequest, _: None, form: Any) -> Done:
    run = runs.start_run(agency=request.agency, cause=RunCause.BY_HAND, by=request.actor, at=request.at)
    tasks.work_runs.delay_on_commit()
    return Done(to=reverse("retention:run", args=[run.pk]))


_STATES: Final = {
    PartState.DONE: Pill("Done", "good"),
    PartState.OBSERVED: Pill("Counted only", "warn"),
    PartState.FAILED: Pill("Stopped by an error", "bad"),
    PartState.RUNNING: Pill("Deleting", "info"),
}
_STATE: Final = Column("State", lambda row: _STATES.get(row.state, Pill("Waiting", "neutral")))
_CATEGORIES: Final = Table(
    label="Categories of this run",
    columns=(
        Column("Category", "title"),
        _STATE,
        Column("Due", "due", is_number=True),
        Column("Deleted", "erased", is_number=True),
        Column("Held", "held", is_number=True),
    ),
    empty=Empty("Nothing was due"),
)
_OWN: Final = replace(
    _CATEGORIES,
    label="The agency's own rows of this run",
    columns=(
        Column("Category", "get_category_display"),
        _STATE,
        Column("Due", "rows_due", is_number=True),
        Column("Deleted", "rows_erased", is_number=True),
        Column("Held", "rows_held", is_number=True),
    ),
)


@require_GET
def show_run(request: StaffRequest, run_id: UUID) -> HttpResponse:
    """A run with its counts, per client; the part that moves is fetched again each second."""
    run = _run_or_404(request, run_id)
    page, tallies = progress.by_client(run, request.GET.get("page"))
    issued = certificates.of_run(run)
    own = list(house.parts_of(run))
    clients = [{"tally": tally, "certificate": issued.get(tally.client_id)} for tally in tallies]
    template = "retention/run_progress.html" if request.htmx else "retention/run.html"  # type: ignore[attr-defined]  # django-htmx sets it
    context = {
        "run": run,
        "progress": progress.added_up(run, request.at),
        "categories": _CATEGORIES.draw(request, progress.by_category(run)),
        "clients": clients,
        "own": own,
        "own_table": _OWN.draw(request, own),
        "own_is_told": any(
            part.rows_erased or part.rows_held or part.state == PartState.FAILED for part in own
        ),
        "own_certificate": certificates.own_of_run(run),
        "page": page,
        "may_run": access.has_right(request.membership, AgencyRight.RUN_JOBS),
        "is_over": run.state in {RunState.DONE, RunState.CANCELLED},
        "is_slow": run.planned_at is None and request.at - run.created_at > timedelta(minutes=2),
    }
    return render(request, template, context)


_STEERS: Final = {"pause": runs.pause_run, "resume": runs.resume_run, "cancel": runs.cancel_run}


def _load_run(request: StaffRequest, run_id: UUID, deed: str) -> tuple[Run, str]:
    if deed not in _STEERS:
        raise Http404
    return _run_or_404(request, run_id), deed


@action(
    right=AgencyRight.RUN_JOBS,
    load=_load_run,
    back=lambda subject: reverse("retention:run", args=[subject[0].pk]),
    errors={runs.NotRunningError: WARNING},
)
def steer_run(request: StaffRequest, subject: tuple[Run, str], form: Any) -> None:
    run, how = subject
    _STEERS[how](run=run, by=request.actor, at=request.at)
    if how == "resume":
        tasks.work_runs.delay_on_commit()


def _where(errand: Errand) -> list[Link]:
    url = reverse("retention:vendor_deletion", args=[errand.client.slug, errand.pk])
    return [Link("Where at the vendor?", url, posts=True)]


_ERRANDS: Final = Table(
    label="Deletions at vendors",
    columns=(
        Column("Call of", lambda row: Moment(row.call_started_at, row.client.time_zone)),
        Column("Vendor", lambda row: title_of(row.provider)),
        Column("Waiting since", lambda row: Moment(row.opened_at, row.client.time_zone), sort="opened_at"),
    ),
    links=_where,
    pick="errand",
    empty=Empty(
        "No old deletions at vendors",
        "Deletions that have a step at the vendor are listed under Copies at vendors.",
    ),
    size=_PAGE,
)


@never_cache
@require_http_methods(["GET", "POST"])
@needs(Permission.MANAGE_RETENTION)
def show_errands(request: StaffRequest, client: Client) -> HttpResponse:
    """Recordings that a vendor still holds; ticked ones are closed on the person's word."""
    if request.method == "POST":
        chosen = selectors.errands_of(client).filter(pk__in=uuids(request.POST.getlist("errand")))
        count = errands.confirm_deleted(
            client=client, errand_ids=chosen.values_list("pk", flat=True), by=request.actor, at=request.at
        )
        if count:
            noted = f"Noted: {count} recording{'s are' if count != 1 else ' is'} deleted at the vendor."
            messages.success(request, noted)
        else:
            messages.warning(request, "Nothing was ticked. Tick what you have deleted at the vendor.")
        return redirect("retention:vendor_deletions", client.slug)
    done = Link("Ticked ones are deleted at the vendor", request.path, tone="primary")
    context = {
        "client": client,
        "table": _ERRANDS.draw(request, selectors.errands_of(client), bulk=[done]),
        "about": (
            "These calls are erased here, but the vendor still holds their recordings. Delete them there, then tick"
            " them here."
        ),
    }
    return render(request, "list_page.html", context)


@never_cache
@require_POST
@needs(Permission.MANAGE_RETENTION)
def show_reference(request: StaffRequest, client: Client, errand_id: UUID) -> HttpResponse:
    """Where the vendor holds one recording; the audit log records the look."""
    errand = selectors.errands_of(client).filter(pk=errand_id).first()
    if errand is None:
        raise Http404
    reference = errands.show_reference(errand=errand, by=request.actor, at=request.at)
    context = {"client": client, "errand": errand, "reference": reference}
    context["vendor"] = title_of(errand.provider)
    return render(request, "retention/errand.html", context)


def _run_or_404(request: StaffRequest, run_id: UUID) -> Run:
    """A run of the agency; who may neither run jobs nor manage any client's retention is told there is none."""
    allowed = access.has_right(request.membership, AgencyRight.RUN_JOBS) or access.client_ids_with(
        request.membership, Permission.MANAGE_RETENTION, at=request.at
    )
    run = selectors.newest_runs().filter(pk=run_id).first() if allowed else None
    if run is None:
        raise Http404
    return run


def uuids(values: list[str]) -> list[UUID]:
    ids = []
    for value in values:
        try:
            ids.append(UUID(value))
        except ValueError:
            continue
    return ids
