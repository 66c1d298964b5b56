"""The rules of the law by place, imported packs and their effect, and counsel's approval."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, confirms, needs, needs_right
from callprivacy.accounts.enums import AgencyRight, Deed
from callprivacy.accounts.views.form_pages import INFO, WARNING, Done, action, form_page
from callprivacy.lib import calendars
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.jobs import wake
from callprivacy.tenancy.models import Client
from consent import law
from consent.forms.law import ActivateForm, PackForm, ReturnForm, RulesFilter, SignOffForm
from consent.law import PackError, Rule, Rules
from consent.models import RulePack
from consent.selectors import law as selectors
from consent.selectors import standards
from consent.services import law as services
from consent.tasks.law import count_packs

FAULTS_SHOWN: Final = 50
DIFFERENCES_SHOWN: Final = 200


def _today(request: StaffRequest) -> date:
    return calendars.day_in(request.agency.time_zone, request.at)


def _may_sign(request: StaffRequest) -> bool:
    return access.has_right(request.membership, AgencyRight.SIGN_OFF)


@require_safe
def show_law(request: StaffRequest) -> HttpResponse:
    rules = selectors.rules_of(request.agency.pk)
    today = _today(request)
    form = RulesFilter(request.GET, places=selectors.place_choices(rules))
    wanted = form.cleaned_data if form.is_valid() else {}
    places = selectors.lines(rules, today, wanted=selectors.LawFilter(**wanted))
    everything = (
        selectors.lines(rules, today, wanted=selectors.LawFilter()) if any(wanted.values()) else places
    )
    context = {
        "rules": rules,
        "pack": selectors.active_pack(request.agency.pk),
        "form": form,
        "active": sum(bool(value) for value in wanted.values()),
        "places": places,
        "is_narrowed": any(wanted.values()),
        "figures": _figures(everything),
        "coming": selectors.coming(rules, today)[:50],
        "may_sign": _may_sign(request),
        "today": today,
    }
    return render(request, "consent/law.html", context)


def _figures(places: list[selectors.PlaceRules]) -> dict[str, int]:
    lines = [line for place in places for line in place.lines]
    return {
        "places": len(places),
        "rules": len(lines),
        "unverified": sum(not line.is_verified for line in lines),
        "unsigned": sum(line.sign_off is None for line in lines),
        "stale": sum(line.is_stale for line in lines),
    }


@require_safe
def take_rules(request: StaffRequest) -> HttpResponse:
    """The rules in force, as a file that can be edited and imported again."""
    rules = selectors.rules_of(request.agency.pk)
    answer = HttpResponse(law.dump_pack(rules), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="rules.csv"'
    return answer


@require_safe
@needs(Permission.VIEW_CLIENT)
def show_client_law(request: StaffRequest, client: Client) -> HttpResponse:
    rules = selectors.rules_of(client.agency_id)
    context = {
        "client": client,
        "rows": selectors.places_of(client, rules, standards.today_at(client, request.at)),
        "standard": standards.standard_of(client, at=request.at),
    }
    return render(request, "consent/law_client.html", context)


# --- Packs ---


@require_http_methods(["GET", "HEAD", "POST"])
@needs_right(AgencyRight.SIGN_OFF)
def list_packs(request: StaffRequest) -> HttpResponse:
    form = PackForm(request.POST or None, request.FILES or None)
    faults: tuple[law.Fault, ...] = ()
    if request.method == "POST" and form.is_valid():
        try:
            pack = services.import_pack(
                agency=request.agency, raw=form.cleaned_data["file"], by=request.actor, at=request.at
            )
        except PackError as error:
            faults = error.faults
            form.add_error("file", "The file has errors. Fix the errors below and import it again.")
        except services.SameRulesError as error:
            form.add_error("file", str(error))
        else:
            wake(count_packs, agency_id=request.agency.pk)
            messages.success(
                request, "Rules imported. Their effect is being counted. They are not in force yet."
            )
            return redirect("consent:pack", pack.pk)
    context = {
        "form": form,
        "faults": faults[:FAULTS_SHOWN],
        "more_faults": max(0, len(faults) - FAULTS_SHOWN),
        "packs": list(selectors.packs()[: selectors.PACKS_SHOWN]),
        "rules": selectors.rules_of(request.agency.pk),
        "pack": selectors.active_pack(request.agency.pk),
        "return_form": ReturnForm(),
        "unseen": _unseen(request),
    }
    return render(request, "consent/law_packs.html", context)


def _unseen(request: StaffRequest) -> list[Client]:
    return selectors.unseen_clients(request.agency.pk, request.membership.user_id, at=request.at)


def _find(pack_id: UUID) -> RulePack:
    return get_object_or_404(selectors.packs(), pk=pack_id)


@require_safe
@never_cache
@needs_right(AgencyRight.SIGN_OFF)
def show_pack(request: StaffRequest, pack_id: UUID) -> HttpResponse:
    """One pack: which rules differ, and the effect."""
    return _show(request, _find(pack_id))


@dataclass(frozen=True, slots=True)
class RuleChange:
    """One rule that a pack adds, removes or changes: its facts before and after."""

    kind: str
    place: str
    topic: str
    note: str
    facts: tuple[tuple[str, str, str], ...]


_FACTS: Final = (
    ("value", "Value"),
    ("citation", "Citation"),
    ("source", "Source"),
    ("effective_from", "In force from"),
    ("effective_to", "In force until"),
    ("confidence", "Confidence"),
    ("checked_on", "Checked on"),
    ("signed_off_by", "Signed off by"),
    ("address", "Read at"),
    ("read_on", "Read on"),
    ("quotation", "Quotation"),
    ("not_verified", "Why it is not verified"),
)


def _changes(old: Rules, new: Rules) -> list[RuleChange]:
    difference = law.difference(old, new)
    pairs: list[tuple[str, Rule | None, Rule | None]] = [
        *(("Changed", before, after) for before, after in difference.changed),
        *(("Added", None, after) for after in difference.added),
        *(("Removed", before, None) for before in difference.removed),
    ]
    return [_change(kind, before, after) for kind, before, after in pairs]


def _change(kind: str, before: Rule | None, after: Rule | None) -> RuleChange:
    rule = after or before
    if rule is None:  # a pair always holds one
        raise Http404
    facts = []
    for name, title in _FACTS:
        old, new = (_fact(each, name) for each in (before, after))
        if old != new and (kind == "Changed" or name in {"value", "citation", "confidence"}):
            facts.append((title, old, new))
    return RuleChange(
        kind,
        selectors.place_name(rule.country, rule.region),
        selectors.topic_name(rule.topic),
        rule.topic.note,
        tuple(facts),
    )


def _fact(rule: Rule | None, name: str) -> str:
    if rule is None:
        return ""
    if name == "value":
        return selectors.value_words(rule)
    value = getattr(rule, name)
    return "" if value is None else str(value)


def _show(request: StaffRequest, pack: RulePack, form: ActivateForm | None = None) -> HttpResponse:
    now = selectors.rules_of(request.agency.pk)
    changes = [] if pack.is_active else _changes(now, selectors.rules_in(pack))
    is_counted = selectors.is_counted(pack, now)
    effects = selectors.effects_of(pack) if is_counted else []
    hidden = selectors.hidden_of(pack, effects) if is_counted else None
    context = {
        "pack": pack,
        "is_counted": is_counted,
        "progress": _progress(pack, now),
        "effects": effects,
        "hidden": hidden,
        "unseen": _unseen(request) if hidden else [],
        "changes": changes[:DIFFERENCES_SHOWN],
        "change_count": len(changes),
        "form": form or ActivateForm(initial={"seen": pack.decisions_changed}),
        "may_activate": is_counted and not pack.is_active,
    }
    return render(request, "consent/law_pack.html", context)


def _progress(pack: RulePack, now: Rules) -> dict[str, Any]:
    is_counted = selectors.is_counted(pack, now)
    count = selectors.count_of(pack, now)
    return {
        "id": "pack-progress",
        "url": reverse("consent:pack_progress", args=[pack.pk]),
        "label": "Counted" if is_counted else "Applying the new rules",
        "value": count.finished,
        "max": count.clients or None,
        "done": is_counted,
        "rows": [
            {"label": "Decisions counted", "value": f"{count.counted:,}"},
            {"label": "Newly quarantined", "value": f"{count.newly_withheld:,}"},
            {"label": "Newly allowed", "value": f"{count.newly_allowed:,}"},
        ],
    }


@require_safe
@never_cache
@needs_right(AgencyRight.SIGN_OFF)
def pack_progress(request: StaffRequest, pack_id: UUID) -> HttpResponse:
    """The progress; once it is complete, the page reloads."""
    pack = _find(pack_id)
    progress = _progress(pack, selectors.rules_of(request.agency.pk))
    answer = render(request, "consent/law_progress.html", {"progress": progress})
    if progress["done"]:
        answer["HX-Refresh"] = "true"
    return answer


@require_POST
@needs_right(AgencyRight.SIGN_OFF)
@confirms(Deed.POLICY)
def activate_pack(request: StaffRequest, pack_id: UUID) -> HttpResponse:
    pack = _find(pack_id)
    form = ActivateForm(request.POST)
    if not form.is_valid():
        return _show(request, pack, form)
    try:
        services.activate_pack(pack=pack, by=request.actor, at=request.at, **form.cleaned_data)
    except services.NoPackError as error:
        messages.warning(request, str(error))
        return redirect("consent:packs")
    except (services.NotCountedError, services.CountsChangedError, services.NotYoursError) as error:
        messages.warning(request, str(error))
    else:
        wake(count_packs, agency_id=request.agency.pk)
        messages.success(request, "Rules are in force. All clients' recordings are decided again.")
    return redirect("consent:pack", pack.pk)


@action(
    right=AgencyRight.SIGN_OFF,
    load=lambda _, pack_id: _find(pack_id),
    back=lambda pack: reverse("consent:pack", args=[pack.pk]),
    errors={services.NoPackError: WARNING},
)
def discard_pack(request: StaffRequest, pack: RulePack, _: Any) -> Done:
    """Delete a pack that was never in force."""
    services.discard_pack(pack=pack, by=request.actor, at=request.at)
    return Done("File discarded. Its rules were never in force.", reverse("consent:packs"))


@action(
    ReturnForm,
    right=AgencyRight.SIGN_OFF,
    back=lambda _: reverse("consent:packs"),
    invalid="Enter a reason of at least 15 characters.",
    errors={services.NoPackError: INFO, services.NotYoursError: WARNING},
    confirms=Deed.POLICY,
)
def return_to_shipped(request: StaffRequest, _: None, form: ReturnForm) -> str:
    services.return_to_shipped(agency=request.agency, by=request.actor, at=request.at, **form.cleaned_data)
    wake(count_packs, agency_id=request.agency.pk)
    return "The shipped rules are in force. All clients' recordings are decided again."


# --- Counsel ---


def _load_line(request: StaffRequest) -> selectors.RuleLine | HttpResponse:
    rule_id = request.POST.get("rule") or request.GET.get("rule", "")
    rule = selectors.rules_of(request.agency.pk).get(rule_id)
    if rule is None:
        messages.warning(request, "Choose the rule that counsel approved.")
        return redirect("consent:law")
    line = selectors.RuleLine(rule, selectors.sign_offs([rule]).get(rule.id), False)
    if request.method != "POST" and line.sign_off is not None:
        messages.info(request, f"{line.sign_off.counsel} approved this rule already.")
        return redirect(_place_address(line))
    return line


def _sign_off_form(request: StaffRequest, line: selectors.RuleLine) -> dict[str, Any]:
    today, rule = _today(request), line.rule
    initial = {"rule": rule.id, "seen": selectors.fingerprint(rule), "signed_on": today}
    return {"today": today, "initial": initial}


def _place_address(line: selectors.RuleLine) -> str:
    return f"{reverse('consent:law')}?place={selectors.place_key(line.rule.country, line.rule.region)}"


@form_page(
    SignOffForm,
    right=AgencyRight.SIGN_OFF,
    load=_load_line,
    title=lambda line: f"{line.topic_name}, {line.place_name}",
    lede="Record counsel’s approval of the current rule; a later change voids it.",
    button="Save approval",
    crumbs=lambda line: [("Rules by place", _place_address(line))],
    fill=_sign_off_form,
    errors={services.UnknownRuleError: WARNING, services.SignedAlreadyError: WARNING},
    template="consent/law_sign.html",
)
def sign_off(request: StaffRequest, _: selectors.RuleLine, form: SignOffForm) -> str:
    facts = form.cleaned_data
    rule_id = facts.pop("rule")
    services.sign_off(agency=request.agency, rule_id=rule_id, by=request.actor, at=request.at, **facts)
    return "Approval saved. It applies until the rule changes."
