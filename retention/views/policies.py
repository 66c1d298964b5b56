"""The matrix of policies, changing one, agreeing to a change, and the start page of retention."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse, reverse_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from callprivacy.accounts import access, seconding
from callprivacy.accounts.access import StaffRequest, confirms, needs, needs_right
from callprivacy.accounts.enums import AgencyRight, Deed
from callprivacy.accounts.views.form_pages import WARNING, Done, action
from callprivacy.accounts.views.tables import Column, Empty, Link, Pill, Table, list_page
from callprivacy.audit.services import ReasonUnreadError
from callprivacy.tenancy.enums import Permission, RetentionState
from callprivacy.tenancy.models import Client
from retention import kinds
from retention.enums import Category, ChangeState, RunState
from retention.forms.policies import DecisionForm, MatrixForm, PolicyForm, SeenEffectForm
from retention.law import categories, rules
from retention.models import PolicyChange
from retention.selectors import changes as selectors
from retention.selectors import house, matrix, own_dates
from retention.selectors import policies as kept
from retention.selectors import runs as run_selectors
from retention.selectors.calendar import DAYS
from retention.selectors.changes import Proposal, Wish
from retention.services import policies
from retention.services.policies import ShownEffect

_PAGE: Final = 25
_NEWEST: Final = 10


def _managed(request: StaffRequest, *rights: AgencyRight) -> list[Client]:
    """
    The clients whose retention a person manages, by name.

    :param rights: who has one of them sees the page without any client, too.
    :raises PermissionDenied: there is no client, and none of these rights.
    """
    clients = access.clients_with(request.membership, Permission.MANAGE_RETENTION, at=request.at)
    managed = list(clients.select_related("agency"))
    if not managed and not any(access.has_right(request.membership, right) for right in rights):
        raise PermissionDenied("Retention is not granted to you for any client.")
    return managed


def _days_kept(row: run_selectors.Standing) -> str:
    client = row.client
    outbound = f", outbound {client.keep_out_for_days:,}" * (client.keep_for_days != client.keep_out_for_days)
    return f"{client.keep_for_days:,}{outbound}{' (agency)' * (not client.keep_calls_for_days)}"


_CLIENTS: Final = Table(
    label="Clients",
    columns=(
        Column(
            "Client",
            "client.name",
            link=lambda row: reverse("retention:policies", args=[row.client.slug]),
            sort="name",
        ),
        Column("State", lambda row: Pill("Enforced", "good") if row.is_live else Pill("Dry run", "warn")),
        Column("Keeps calls (days)", _days_kept, is_number=True),
        Column("Calls due", "due.calls", is_number=True),
        Column("Recordings due", "due.recordings", is_number=True),
    ),
    lines=lambda request, rows: run_selectors.standings(rows, request.at),
    links=lambda row: (
        [Link("Preview", reverse("retention:preview", args=[row.client.slug]))] * bool(row.due.calls)
    ),
    empty=Empty(
        "You manage retention for no client yet", "An admin grants it in the permission matrix.", "retention"
    ),
    size=25,
)
_RUN_TONES: Final = {RunState.DONE: "good", RunState.RUNNING: "info"}
_RUNS: Final = Table(
    label="Runs",
    columns=(
        Column("Started", "created_at", link=lambda run: reverse("retention:run", args=[run.pk])),
        Column("Cause", "get_cause_display", note="started_by"),
        Column("State", lambda run: Pill(run.get_state_display(), _RUN_TONES.get(run.state, "neutral"))),
        Column("Finished", "finished_at", nothing="not yet"),
    ),
    empty=Empty(
        "No run yet",
        "Runs start after 2 a.m. in the agency's time zone, a late one within minutes. A run counts what is due"
        " everywhere and deletes it at enforced clients.",
        "retention",
    ),
)


@require_GET
def home(request: StaffRequest) -> HttpResponse:
    """What is due at each client, whether it may be deleted, what waits for a decision, and the newest runs."""
    clients = _managed(request, AgencyRight.RUN_JOBS)
    rows = access.clients_with(request.membership, Permission.MANAGE_RETENTION, at=request.at)
    live = sum(client.retention_state == RetentionState.LIVE for client in clients)
    context = {
        "clients": _CLIENTS.draw(request, rows.select_related("agency")),
        "live": live,
        "observed": len(clients) - live,
        "waiting": selectors.open_changes().count(),
        "runs": _RUNS.draw(request, list(run_selectors.newest_runs()[:_NEWEST])),
        "may_run": access.has_right(request.membership, AgencyRight.RUN_JOBS),
    }
    return render(request, "retention/home.html", context)


@require_GET
def show_matrix(request: StaffRequest) -> HttpResponse:
    """How long each category is kept, for the agency and at each client."""
    clients = _managed(request, AgencyRight.SIGN_OFF)
    form = MatrixForm(request.GET)
    wanted = form.cleaned_data if form.is_valid() else {}
    text, only = str(wanted.get("q") or "").lower(), wanted.get("only") or ""
    if text:
        clients = [client for client in clients if text in client.name.lower()]
    # What is its own or beyond the law is known once every client's policies are.
    kept_rows = [row for row in matrix.rows(clients) if _is_wanted(row, only)] if only else None
    page: Page[Any] = Paginator(clients if kept_rows is None else kept_rows, _PAGE).get_page(
        request.GET.get("page")
    )
    rows = list(page.object_list) if kept_rows is not None else matrix.rows(list(page.object_list))
    signs = access.has_right(request.membership, AgencyRight.SIGN_OFF)
    return render(
        request,
        "retention/matrix.html",
        {
            "section": "matrix",
            "form": form,
            "active": sum(bool(value) for value in (text, only)),
            "page": page,
            "rows": rows,
            "house": matrix.house(request.agency),
            "own_dates": own_dates.rows(request.agency, request.at),
            "columns": [categories.ABOUT[category] for category in categories.OF_CLIENTS],
            "may_sign": signs,
            "own": _own(request) if signs else [],
            "query": _query(request),
        },
    )


def _own(request: StaffRequest) -> list[tuple[matrix.Cell, house.Row, list[matrix.Law]]]:
    """What the agency keeps of its own, with what of it is past its date, and the law about it at all its clients."""
    cells, law = matrix.own_cells(request.agency), matrix.own_law(request.agency)
    rows = house.rows(request.agency, request.at, days=DAYS)
    return [(cells[row.category], row, law[row.category]) for row in rows]


def _is_wanted(row: matrix.Row, only: str) -> bool:
    return row.has_own if only == "own" else row.is_beyond


def _query(request: StaffRequest) -> str:
    """The address's filters without its page, for the links to other pages."""
    rest = request.GET.copy()
    rest.pop("page", None)
    return rest.urlencode()


def _whose(change: PolicyChange) -> str:
    if change.client is not None:
        return change.client.name
    return "a client you cannot see" if change.client_id else "the agency"


def _change_state(change: PolicyChange) -> Pill:
    tone = (
        "warn"
        if change.state in selectors.OPEN
        else "good"
        if change.state == ChangeState.IN_FORCE
        else "neutral"
    )
    return Pill(change.get_state_display(), tone)


def _decided_by(change: PolicyChange) -> object:
    return change.decided_by if change.decided_at else "automatically" * bool(change.takes_effect_at)


_CHANGES: Final = Table(
    label="Policy changes",
    columns=(
        Column(
            "Policy",
            "get_category_display",
            link=lambda change: reverse("retention:change", args=[change.pk]),
        ),
        Column("For", _whose),
        Column(
            "From", lambda change: "dry run" if change.goes_live else f"{change.was_days:,} d", is_number=True
        ),
        Column(
            "To",
            lambda change: "enforced" if change.goes_live else f"{change.days:,} d" if change.days else "",
            nothing="no policy of its own",
            is_number=True,
        ),
        Column("State", _change_state),
        Column("Proposed", "proposed_at", note="proposed_by", sort="proposed_at"),
        Column(
            "Decided",
            lambda change: change.decided_at or change.takes_effect_at,
            note=_decided_by,
            nothing="not yet",
        ),
    ),
    empty=Empty(
        "No policy was changed yet",
        "Each change stays here with who proposed it, who agreed, and what it made due.",
        "retention",
        Link("Open the policies", reverse_lazy("retention:policy_matrix")),
    ),
    size=_PAGE,
    file="policy-changes",
)
_OF_A_CLIENT: Final = replace(_CHANGES, label="Changes of policies", size=_NEWEST, file="")
_WAITING: Final = replace(
    _CHANGES, label="Changes that wait", empty=Empty("No change waits", picture="retention"), file=""
)


@require_GET
@needs(Permission.MANAGE_RETENTION)
def show_policies(request: StaffRequest, client: Client) -> HttpResponse:
    """A client's policies with the law about them, its state, and what changed."""
    row, law = matrix.rows([client])[0], matrix.law_of(client)
    history = selectors.changes_of(client)
    decided = history.exclude(state__in=selectors.OPEN)
    return render(
        request,
        "retention/policies.html",
        {
            "client": client,
            "cells": [(cell, law[cell.category]) for cell in row.cells],
            "own_dates": kinds.own_dates(),
            "open_changes": history.filter(state__in=selectors.OPEN),
            "changes": _OF_A_CLIENT.draw(request, decided, zone=client.time_zone),
            "outlook": run_selectors.outlook(client, request.at),
            "signature": run_selectors.newest_signature(client),
            "may_sign": access.has_right(request.membership, AgencyRight.SIGN_OFF),
            "may_run": access.has_right(request.membership, AgencyRight.RUN_JOBS),
            "open_errands": run_selectors.errands_of(client).count(),
        },
    )


# --- Changing one ---------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@needs(Permission.MANAGE_RETENTION)
@confirms(Deed.POLICY)
def change_policy(request: StaffRequest, client: Client, category: str) -> HttpResponse:
    """Change one of a client's policies; the effect is shown first."""
    if category not in categories.OF_CLIENTS:
        raise Http404
    return _Change(request, client, _category(category)).answer()


@require_http_methods(["GET", "POST"])
@needs_right(AgencyRight.SIGN_OFF)
@confirms(Deed.POLICY)
def change_agency_policy(request: StaffRequest, category: str) -> HttpResponse:
    """Change how long a category is kept where a client has no policy of its own; the effect is shown first."""
    return _Change(request, None, _category(category)).answer()


def _category(name: str) -> Category:
    try:
        return Category(name)
    except ValueError:
        raise Http404 from None


@dataclass
class _Change:
    """One request to change a policy: first the form, then its effect, then the proposal."""

    request: StaffRequest
    client: Client | None
    category: Category

    def answer(self) -> HttpResponse:
        """The form, the effect, or on to the change that was proposed."""
        posted = self.request.method == "POST"
        form = self._form(posted)
        shown: Proposal | None = None
        if posted and form.is_valid():
            wish = Wish(
                self.request.agency if self.client is None else self.client.agency,
                self.client,
                self.category,
                form.cleaned_data["days"],
                form.wanted_then,
            )
            shown = selectors.proposal(wish, proposer_id=self.request.membership.user_id, at=self.request.at)
            if self._may_go_on(form, shown) and "confirmed" in self.request.POST:
                answer = self._propose(form, wish, shown)
                if answer is not None:
                    return answer
        return render(self.request, "retention/change.html", self._context(form, shown))

    def _form(self, posted: bool) -> PolicyForm:
        own = self._levels().own if self.client is not None else self._levels().house
        now = own.get(self.category)
        initial: dict[str, Any] = {"days": now.days, "then": now.then} if now is not None else {}
        if "days" in self.request.GET:
            initial["days"] = self.request.GET["days"]
        return PolicyForm(
            self.request.POST if posted else None,
            about=categories.ABOUT[self.category],
            inherits=self._inherits(),
            initial=initial,
        )

    def _levels(self) -> kept.Levels:
        if self.client is None:
            return kept.Levels(kept.house_of(self.request.agency), {})
        return kept.levels_of([self.client])[self.client.pk]

    def _inherits(self) -> str | None:
        """What an empty field means; None where there must be a number."""
        if self.client is not None:
            days = kept.resolve(self._levels().with_own(self.category, None))[self.category].days
            return f"Leave it empty for the inherited period: {days:,} days now."
        if self.category is Category.CALL:
            return None
        days = kept.resolve(self._levels().with_house(self.category, None))[self.category].days
        if categories.ABOUT[self.category].days is None:
            return f"Leave it empty to keep it as long as the call record: {days:,} days now."
        return f"Leave it empty for the default: {days:,} days."

    def _may_go_on(self, form: PolicyForm, shown: Proposal) -> bool:
        """Whether it can be proposed at all; else the form says why not."""
        if shown.plan.is_nothing:
            form.add_error("days", "That is the policy already.")
        elif shown.plan.clash:
            form.add_error("days", shown.plan.clash)
        elif shown.plan.refusals:
            form.add_error("days", "The law refuses this; see the rule.")
        elif selectors.unseen(shown.plan, self.request.membership, at=self.request.at):
            form.add_error(None, "It changes something at clients whose calls are not granted to you.")
        return form.is_valid()

    def _propose(self, form: PolicyForm, wish: Wish, shown: Proposal) -> HttpResponse | None:
        seen = SeenEffectForm(self.request.POST)
        if not seen.is_valid():
            messages.warning(self.request, "Look at the effect, then save.")
            return None
        if shown.plan.rule_ids and not seen.cleaned_data["answered"]:
            form.add_error(None, "Tick that your reason answers the rules above, or choose other days.")
            return None
        data = seen.cleaned_data
        try:
            change = policies.propose(
                wish=wish,
                shown=ShownEffect(data["due_before"], data["due_after"], data["leaving"], seen.rule_ids),
                reason=form.cleaned_data["reason"],
                proposer=self.request.membership,
                at=self.request.at,
            )
        except policies.CountsChangedError:
            messages.warning(
                self.request, "The counts have changed since you saw them. Look again, then save."
            )
            return None
        except policies.OpenChangeError as error:
            form.add_error(None, str(error))
            return None
        self._say(change, shown)
        return redirect(self._back())

    def _say(self, change: PolicyChange, shown: Proposal) -> None:
        texts = {
            ChangeState.IN_FORCE: "Saved, and in force from now on.",
            ChangeState.WAITING: "Proposed. It is in force once another officer agrees; it is in their queue.",
            ChangeState.DELAYED: "Proposed. There is no other officer, so it is in force in 24 hours unless it is "
            "stopped. Everybody who manages the agency is notified.",
        }
        if shown.second is not None and not shown.second.may:
            messages.warning(
                self.request,
                "Proposed. No other officer can agree to it yet. The change's page says why.",
            )
            return
        messages.success(self.request, texts[ChangeState(change.state)])

    def _back(self) -> str:
        if self.client is None:
            return reverse("retention:policy_matrix")
        return reverse("retention:policies", args=[self.client.slug])

    def _context(self, form: PolicyForm, shown: Proposal | None) -> dict[str, Any]:
        managed = [self.client] if self.client is not None else _managed(self.request, AgencyRight.SIGN_OFF)
        plan = shown.plan if shown is not None else None
        return {
            "client": self.client,
            "section": "matrix",
            "about": categories.ABOUT[self.category],
            "now": kept.resolve(self._levels())[self.category],
            "law": matrix.law_about(self.category, managed),
            "form": form,
            "shown": shown,
            "tomorrow": shown is not None and shown.state is ChangeState.DELAYED,
            "unseen": selectors.unseen(plan, self.request.membership, at=self.request.at) if plan else [],
            "may_confirm": shown is not None and not form.errors,
            "answered": "answered" in self.request.POST,
            "waiting": selectors.open_changes().filter(client=self.client, category=self.category).first(),
            "back": self._back(),
        }


# --- Deciding one ---------------------------------------------------------------------------------------------------


@list_page(
    _CHANGES,
    right=None,
    lede="A shorter retention period takes a second officer. If the agency has no other officer, it takes effect after"
    " a day. A longer one takes effect at once. Going live takes a second officer, unless the agency turned that off.",
    more=lambda request: {"waiting": _WAITING.draw(request, list(selectors.open_changes()))},
    template="retention/changes.html",
)
def show_changes(request: StaffRequest) -> QuerySet[PolicyChange]:
    _managed(request, AgencyRight.SIGN_OFF, AgencyRight.MANAGE_CLIENTS)
    return selectors.changes().exclude(state__in=selectors.OPEN)


@never_cache
@require_GET
def show_change(request: StaffRequest, change_id: UUID) -> HttpResponse:
    """One change: what it does now, and what may be done with it."""
    change = _change_or_404(request, change_id)
    return render(request, "retention/change_show.html", _about_change(request, change))


def _about_change(request: StaffRequest, change: PolicyChange, **more: Any) -> dict[str, Any]:
    is_open = change.state in selectors.OPEN
    plan = selectors.plan(selectors.wish_of(change)) if is_open and not change.goes_live else None
    me = request.membership.user_id
    mine = change.proposed_by_id == me
    second = selectors.second_person(plan, but=change.proposed_by_id, at=request.at) if plan else None
    if is_open and change.goes_live and change.client is not None:
        second = selectors.second_for_live(change.client, but=change.proposed_by_id, at=request.at)
    decides = second is not None and not mine and me in second.may
    doubt = seconding.may_second(
        proposer=change.proposed_by_id, signer=me, agency_id=change.agency_id, at=request.at
    )
    # Who agrees brings it about now; by itself it comes at its hour.
    waits_until = None if decides else change.takes_effect_at
    hidden = selectors.unseen(plan, request.membership, at=request.at) if plan else []
    effect = selectors.effect(plan, waits_until or request.at) if plan and not hidden else None
    may_see = change.client is None or access.may(
        request.membership, Permission.VIEW_CALLS, change.client, at=request.at
    )
    return {
        "section": "changes",
        "change": change,
        "citations": [rule.citation for rule in rules.all_rules() if rule.id in change.rules],
        "is_open": is_open,
        "plan": plan,
        "effect": effect,
        "tomorrow": waits_until is not None,
        "hidden": hidden,
        "is_mine": mine,
        "second": second if change.state == ChangeState.WAITING else None,
        "may_decide": decides,
        "doubt": doubt if decides else None,
        "may_stop": is_open and policies.may_stop(change, request.membership),
        "may_see": may_see,
        "policies_url": _policies_url(request, change.client),
        "form": more.pop("form", None) or DecisionForm(),
        **more,
    }


@never_cache
@require_POST
def read_reason(request: StaffRequest, change_id: UUID) -> HttpResponse:
    """The reason with which a change was proposed; the audit log records the reading."""
    change = _change_or_404(request, change_id)
    words = policies.read_reason(change=change, by=request.actor, at=request.at)
    context = _about_change(request, change, words=words, has_read=True)
    return render(request, "retention/change_show.html", context)


def _load_change(request: StaffRequest, change_id: UUID) -> PolicyChange:
    return _change_or_404(request, change_id)


@never_cache
@action(
    SeenEffectForm,
    right=AgencyRight.SIGN_OFF,
    load=_load_change,
    back=lambda change: reverse("retention:change", args=[change.pk]),
    invalid="Look at the effect, then agree.",
    errors=dict.fromkeys(
        (policies.NotOpenError, policies.ClashError, policies.RefusedByLawError, ReasonUnreadError), WARNING
    ),
    confirms=Deed.POLICY,
    second=policies.approve,
)
def approve_change(request: StaffRequest, change: PolicyChange, seen: SeenEffectForm) -> Done:
    data = seen.cleaned_data
    try:
        policies.approve(
            change=change,
            shown=ShownEffect(data["due_before"], data["due_after"], data["leaving"], seen.rule_ids),
            officer=request.membership,
            at=request.at,
        )
    except policies.CountsChangedError as error:
        return Done(f"{error} Look again, then agree.", level=WARNING)
    except (seconding.SamePersonError, policies.NotYoursError) as error:
        raise PermissionDenied(str(error)) from error
    return Done("Agreed. It is in force from now on.")


def _end(request: StaffRequest, change_id: UUID, end: Callable[..., object], done: str) -> HttpResponse:
    """:param end: ends the change for a reason."""
    change, form = _change_or_404(request, change_id), DecisionForm(request.POST)
    if not form.is_valid():
        return render(request, "retention/change_show.html", _about_change(request, change, form=form))
    try:
        end(change=change, reason=form.cleaned_data["reason"], at=request.at)
    except (seconding.SamePersonError, policies.NotYoursError) as error:
        raise PermissionDenied(str(error)) from error
    except policies.NotOpenError as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, done)
    return redirect("retention:change", change.pk)


@never_cache
@require_POST
@needs_right(AgencyRight.SIGN_OFF)
def refuse_change(request: StaffRequest, change_id: UUID) -> HttpResponse:
    end = partial(policies.refuse, officer=request.membership)
    return _end(request, change_id, end, "Refused. Nothing changes.")


@never_cache
@require_POST
def withdraw_change(request: StaffRequest, change_id: UUID) -> HttpResponse:
    end = partial(policies.withdraw, member=request.membership)
    return _end(request, change_id, end, "Withdrawn. Nothing changes.")


def _policies_url(request: StaffRequest, client: Client | None) -> str:
    """Where the policies stand that a change is about; nowhere for who may not open them."""
    if client is not None and access.may(
        request.membership, Permission.MANAGE_RETENTION, client, at=request.at
    ):
        return reverse("retention:policies", args=[client.slug])
    if access.has_right(request.membership, AgencyRight.SIGN_OFF):
        return reverse("retention:policy_matrix")
    return ""


def _change_or_404(request: StaffRequest, change_id: UUID) -> PolicyChange:
    """A change that the person may know of: who manages the agency, or the retention of its client."""
    change = selectors.changes().filter(pk=change_id).first()
    if change is None:
        raise Http404
    rights = (AgencyRight.SIGN_OFF, AgencyRight.MANAGE_CLIENTS)
    if any(access.has_right(request.membership, right) for right in rights):
        return change
    if change.client is None or not access.may(
        request.membership, Permission.MANAGE_RETENTION, change.client, at=request.at
    ):
        raise Http404
    return change
