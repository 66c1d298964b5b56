"""Deciding a case with what would happen shown first, looking at proofs, and closing it with the answer."""

from collections.abc import Callable
from datetime import date, datetime, time
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, confirms, takes_files
from callprivacy.accounts.enums import Deed
from callprivacy.accounts.views.form_pages import INFO, WARNING, Confirmation
from callprivacy.accounts.views.tables import Column, Empty, Table
from callprivacy.calls.enums import RevealReason
from callprivacy.calls.forms.calls import RevealForm
from callprivacy.calls.models import Call
from callprivacy.calls.services import reveals
from callprivacy.lib import calendars
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from consent.enums import Purpose
from rights.enums import Ask, CaseState, Decided, IdentityKind, IdentityState, OtherParty
from rights.forms.deciding import CallerForm, DecideForm, JudgeForm, OlderForm
from rights.law import grounds, load
from rights.models import Case, Identity
from rights.selectors import casebook, corrections, described, ends, guardians, openers, reach, words
from rights.selectors import letters as letter_selectors
from rights.services import deciding, proofs, reaching, restricting
from rights.services.restricting import NotCorrectableError
from rights.views.cases import work_of
from rights.views.doors import address_of, case_action, case_page, noon_of, work_of_case

_REFUSALS = (
    deciding.AlreadyDoneError,
    deciding.GoesOnError,
    deciding.ClosedError,
    deciding.NotApprovedError,
    deciding.NotProvenError,
    deciding.NotSearchedError,
    deciding.OtherThanShownError,
    deciding.OwnAnswerError,
    reaching.NotYoursError,
)
_GROUNDS: Final = Table(
    label="Legal grounds and what they require",
    columns=(
        Column(
            "Legal ground",
            lambda row: row[0].title,
            note=lambda row: "for a part; the rest is done" if row[0].in_part else "",
        ),
        Column(
            "Source",
            lambda row: row[1],
            note=lambda row: "not verified" if row[0].confidence.value != "verified" else "",
            nothing="no exception of a law: a finding",
        ),
        Column("What must be shown", lambda row: row[0].shows),
    ),
    empty=Empty("No legal grounds"),
)
_SUFFIXES: Final = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "application/pdf": "pdf",
}


@sensitive_post_parameters("words", "name", "shown_by")
@require_http_methods(["GET", "POST"])
@work_of_case
def decide(request: StaffRequest, case: Case) -> HttpResponse:
    if why := deciding.why_not(case):
        messages.info(request, why)
        return redirect("rights:case", case.pk)
    targets = reach.targets_of(case)
    previews = reach.preview(targets, at=request.at) if case.asks == Ask.DELETE else []
    picked = grounds.grounds_for(case.kind, letter_selectors.laws_of(case))
    form = DecideForm(
        request.POST or None,
        grounds=picked,
        asks_voice=case.asks in {Ask.SEE, Ask.COPY},
        calls=corrections.calls_of(targets) if case.asks == Ask.CORRECT else None,
        by_law=any(one.by_law for one in previews),
        asks_going_on=case.asks == Ask.OBJECT,
    )
    if request.method == "POST" and form.is_valid() and _decide(request, case, form):
        return redirect("rights:case", case.pk)
    context = {
        "case": case,
        "form": form,
        "grounds": _GROUNDS.draw(
            request, [(one, one.cited(letter_selectors.laws_of(case), load())) for one in picked]
        ),
        "previews": previews,
        "shown": reach.digest_of(previews) if case.asks == Ask.DELETE else "",
        "copies": [(one, reach.stays_for(one, case)) for one in reach.copies_of(case, targets)]
        if previews
        else [],
        "found": casebook.found_of(case),
        "unanswered": reach.unanswered_copies_of(case, targets) if previews else [],
        "older": reach.older_of(targets) if case.asks in {Ask.SEE, Ask.COPY} else 0,
        "others_stay": reach.others_stay(targets) if case.asks in {Ask.RESTRICT, Ask.OBJECT} else 0,
        "needs_approval": deciding.needs_approval(case),
        "answers": casebook.answers_of(case, words.key_of(case.submission)),
        "is_proven": case.state != CaseState.PROVING,
        "zone": letter_selectors.zone_of(case),
        "kept_for": ends.kept_for(case),
        "others": reach.others_of(case) if case.client_id is None else [],
        "lone": described.lone_calls(case),
        "opened_by": _opened_by(case),
        "unseen": _unseen(request, case),
    }
    return render(request, "rights/decide.html", context, status=422 if request.method == "POST" else 200)


def _opened_by(case: Case) -> list[str] | None:
    """Of a copy the masked addresses, "" for a phone, to which a code goes that opens it; None where it is none."""
    if case.asks not in {Ask.SEE, Ask.COPY}:
        return None
    return [casebook.mask_mail(one.mail) for one in openers.openers_of(case.submission)]


def _unseen(request: StaffRequest, case: Case) -> list[Client]:
    return reach.unseen(case.submission, user_id=request.membership.user_id, at=request.at)


def _decide(request: StaffRequest, case: Case, form: DecideForm) -> bool:
    decision = form.cleaned_data
    try:
        deciding.decide(
            case=case,
            decided=Decided(decision["decided"]),
            ground=decision["ground"],
            words=decision["words"],
            by=request.actor,
            at=request.at,
            other_party=OtherParty(decision.get("other_party") or OtherParty.WITHHOLD),
            corrections=form.corrections(),
            shown_by=decision.get("shown_by", ""),
            beyond_floor=bool(decision.get("beyond_floor")),
            going_on=[Purpose(name) for name in decision.get("going_on", ())],
            # A form without it has shown nothing.
            shown=request.POST.get("shown", ""),
        )
    except (*_REFUSALS, deciding.NoGroundError, deciding.EmptyWordsError, NotCorrectableError) as error:
        form.add_error(None, str(error))
        return False
    if case.asks == Ask.APPEAL and decision["decided"] in {Decided.FULFIL, Decided.PART}:
        messages.success(
            request,
            "Decided. What was asked for is open again, as a request of its own: decide it, then write both answers.",
        )
    elif decision["decided"] in {Decided.FULFIL, Decided.PART}:
        messages.success(request, "Decided. It is carried out within minutes; then write the answer.")
    else:
        messages.success(request, "Decided. Now write the person the letter.")
    return True


def _identity(case: Case, identity_id: UUID) -> Identity:
    rows = Identity.objects.filter(submission_id=case.submission_id)
    return get_object_or_404(rows.select_related("submission__client", "submission__agency"), pk=identity_id)


@sensitive_post_parameters("seen")
@require_http_methods(["GET", "POST"])
@work_of_case
def judge_identity(request: StaffRequest, case: Case, identity_id: UUID) -> HttpResponse:
    row = _identity(case, identity_id)
    form = _judge_form(case, row, request.at, request.POST or None)
    if request.method == "POST" and form.is_valid():
        judgment = form.cleaned_data
        holds = judgment["holds"] == "yes"
        try:
            proofs.judge(
                identity=row,
                holds=holds,
                seen=judgment["seen"],
                by=request.actor,
                at=request.at,
                call_id=UUID(judgment["call"]) if holds and judgment.get("call") else None,
                arrived_at=judgment["arrived_on"] and noon_of(judgment["arrived_on"], case, request.at),
            )
        except proofs.SettledError as error:
            messages.info(request, str(error))
        except reaching.NotYoursError as error:
            messages.warning(request, str(error))
        else:
            _say_judged(request, holds=holds)
        return redirect("rights:case", case.pk)
    return _identity_page(request, case, row, form, 422 if request.method == "POST" else 200)


def _say_judged(request: StaffRequest, *, holds: bool) -> None:
    if holds:
        messages.success(request, "Verified. The search for the person’s data starts now.")
    else:
        messages.success(request, "Saved as not verified. Write to the person what is missing.")


def _judge_form(case: Case, row: Identity, at: datetime, data: Any = None) -> JudgeForm:
    """What a person saw; of a withheld call with the calls that it may be, where one client was asked."""
    zone = ZoneInfo(letter_selectors.zone_of(case))
    handed_in_at = proofs.handed_in_at(case.submission)
    days: dict[str, Any] = {
        "today": at.astimezone(zone).date(),
        "handed_in_on": handed_in_at.astimezone(zone).date() if handed_in_at else None,
    }
    description = described.described(row, words.key_of(case.submission)) if case.client is not None else None
    if description is None or case.client is None:
        return JudgeForm(data, **days)
    calls = [
        (str(call.pk), _call_words(call, zone)) for call in described.candidates(case.client, description)
    ]
    return JudgeForm(data, calls=calls, **days)


def _call_words(call: Call, zone: ZoneInfo) -> str:
    """A call whose caller is not known, as staff compare it with what a person said."""
    parts = [f"{call.started_at.astimezone(zone):%-d %b %Y, %H:%M:%S}", call.get_direction_display().lower()]
    parts += [f"{call.seconds} s"] if call.seconds is not None else []
    parts += [call.tracking_number.label] if call.tracking_number and call.tracking_number.label else []
    return ", ".join(parts)


def _may_judge(case: Case, row: Identity, *, only_no: bool) -> bool:
    """Also of somebody who is proven, where it has to be seen besides that they are of age, or may ask for another."""
    if case.decided_at or case.closed_at:
        return False
    if row.state != IdentityState.PROVEN:
        return True
    return not only_no and guardians.evidence_of(case.submission) is not None


def _identity_page(
    request: StaffRequest, case: Case, row: Identity, form: JudgeForm, status: int = 200, **more: Any
) -> HttpResponse:
    key = words.key_of(case.submission)
    (line,) = [one for one in casebook.identities_of(case, key) if one.row.pk == row.pk]
    may_show = case.client_id is not None and access.may(
        request.membership, Permission.REVEAL_NUMBERS, case.client_id, at=request.at
    )
    if unseen := _unseen(request, case):
        form.offer_no_alone()
    older_from = _older_from(case, row)
    context = {
        "case": case,
        "line": line,
        "form": form if _may_judge(case, row, only_no=bool(unseen)) else None,
        "evidence": [
            (proof, casebook.evidence_of(proof, key))
            for proof in (*line.proofs, *casebook.other_proofs(case))
        ],
        "said": described.described(row, key),
        "named_mail": casebook.person_of(case, key).mail,
        "caller_form": CallerForm() if _may_name(case, row) else None,
        "zone": letter_selectors.zone_of(case),
        "older": OlderForm(shown_from=older_from) if older_from else None,
        "reveal": RevealForm(initial={"reason_kind": RevealReason.REQUEST})
        if may_show and row.kind == IdentityKind.PHONE
        else None,
        "limit": request.agency.reveals_per_hour,
        "seconds": int(reveals.SHOWN_FOR.total_seconds()),
        "unseen": unseen,
        **more,
    }
    return render(request, "rights/identity.html", context, status=status)


def _older_from(case: Case, row: Identity) -> date | None:
    """The day before which calls may be this person's, too; None where none are left out, or the request is decided."""
    if row.state != IdentityState.PROVEN:
        return None
    shown_from = _restricted_from(case, row) if case.decided_at or case.closed_at else row.from_at
    return shown_from and calendars.day_in(letter_selectors.zone_of(case), shown_from)


def _restricted_from(case: Case, row: Identity) -> datetime | None:
    """
    Since when a restriction that holds reaches an identity's calls; None where it reaches all, or none holds.

    It reaches further once it is known whose the older calls are. What else is decided is done.
    """
    if not restricting.may_lift(case):
        return None
    own = [one for one in reach.targets_of(case) if one.identity_id == row.pk]
    if not reach.others_stay(own):
        return None
    return max((one.others_until for one in own if one.others_until is not None), default=None)


type _Pair = tuple[Case, Identity]


def _to_identity(pair: _Pair) -> str:
    return reverse("rights:identity", args=[pair[0].pk, pair[1].pk])


def _shows(name: str) -> Callable[..., HttpResponse]:
    """What draws the page of an identity with a refused form in its place."""

    def draw(request: StaffRequest, pair: _Pair, form: Any) -> HttpResponse:
        judge = _judge_form(*pair, request.at)
        return _identity_page(request, *pair, judge, 422, **{name: form})

    return draw


def _with_older(request: StaffRequest, case: Case, identity_id: UUID) -> _Pair | HttpResponse:
    pair = case, _identity(case, identity_id)
    if _older_from(*pair) is not None:
        return pair
    messages.info(request, "No older calls are left out here, or the request is decided.")
    return redirect(_to_identity(pair))


@case_action(
    OlderForm,
    load=_with_older,
    back=_to_identity,
    fill=lambda _, pair: {"shown_from": _older_from(*pair)},
    redraw=_shows("older"),
    errors={proofs.NothingOlderError: INFO, reaching.NotYoursError: WARNING},
    secret=("seen",),
)
def show_older(request: StaffRequest, pair: _Pair, form: OlderForm) -> str:
    case, row = pair
    zone = ZoneInfo(letter_selectors.zone_of(case))
    since = datetime.combine(form.cleaned_data["since"], time.min, tzinfo=zone)
    proofs.show_older(
        identity=row, since=since, seen=form.cleaned_data["seen"], by=request.actor, at=request.at
    )
    if case.decided_at is not None:
        return "The restriction includes calls since that day within a minute."
    return "Calls since that day are included."


def _to_name(request: StaffRequest, case: Case, identity_id: UUID) -> _Pair | HttpResponse:
    pair = case, _identity(case, identity_id)
    if _may_name(*pair):
        return pair
    messages.info(request, "A caller is chosen for a verified email address, before the decision.")
    return redirect(_to_identity(pair))


@case_action(
    CallerForm,
    load=_to_name,
    back=lambda pair: address_of(pair[0]),
    redraw=_shows("caller_form"),
    errors={proofs.SettledError: INFO, ValueError: "caller"},
    secret=("seen",),
)
def name_caller(request: StaffRequest, pair: _Pair, form: CallerForm) -> str:
    proofs.name_caller(
        identity=pair[1],
        caller_id=form.cleaned_data["caller"],
        seen=form.cleaned_data["seen"],
        by=request.actor,
        at=request.at,
    )
    return "Saved. The search for this caller starts now."


def _may_name(case: Case, row: Identity) -> bool:
    return (
        case.client_id is not None
        and row.kind == IdentityKind.EMAIL
        and row.state == IdentityState.PROVEN
        and not (case.decided_at or case.closed_at)
    )


@require_POST
@work_of_case
@takes_files
def take_paper(request: StaffRequest, case: Case) -> HttpResponse:
    try:
        body, media_type = proofs.open_paper(submission=case.submission, by=request.actor, at=request.at)
    except proofs.NoPaperError:
        raise Http404 from None
    suffix = _SUFFIXES.get(media_type, "bin")
    answer = HttpResponse(
        body, content_type=media_type if media_type in _SUFFIXES else "application/octet-stream"
    )
    answer["Content-Disposition"] = f'attachment; filename="paper-{case.reference}.{suffix}"'
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


@require_POST
@sensitive_post_parameters("reason")
@work_of_case
@confirms(Deed.REVEAL)
def show_number(request: StaffRequest, case: Case, identity_id: UUID) -> HttpResponse:
    row = _identity(case, identity_id)
    if case.client is None or row.kind != IdentityKind.PHONE:
        raise Http404
    access.require(request, Permission.REVEAL_NUMBERS, case.client)
    form = RevealForm(request.POST)
    if not form.is_valid():
        return _identity_page(request, case, row, _judge_form(case, row, request.at), 422, reveal=form)
    judge = _judge_form(case, row, request.at)
    try:
        revealed = reveals.reveal_number_for(
            subject=row,
            client_id=case.client.pk,
            caller_id=row.caller_id or row.pk,
            read=lambda: words.text(row.value, words.key_of(case.submission)),
            agency=request.agency,
            reason_kind=RevealReason(form.cleaned_data["reason_kind"]),
            reason=form.cleaned_data["reason"],
            by=request.actor,
            at=request.at,
        )
    except reveals.RevealLimitError:
        return _identity_page(
            request, case, row, judge, HTTPStatus.TOO_MANY_REQUESTS, over_limit=True, reveal=None
        )
    return _identity_page(request, case, row, judge, revealed=revealed, reveal=None)


@case_action(errors={deciding.NotDecidedError: WARNING, deciding.UnfinishedError: WARNING})
def close(request: StaffRequest, case: Case, _: Any) -> str:
    deciding.close(case=case, by=request.actor, at=request.at)
    return f"Closed. The answer was sent. The record stays for {ends.kept_for(case):,} days."


def _restricted(request: StaffRequest, case: Case) -> Case | HttpResponse:
    if not restricting.may_lift(case):
        messages.info(request, "This request restricts nothing now.")
        return redirect("rights:case", case.pk)
    if not restricting.is_told(case):
        messages.info(
            request, "Write to the person first. Once that letter is sent, the restriction can end."
        )
        return redirect(f"{reverse('rights:letter', args=[case.pk])}?letter={restricting.ENDS}")
    return case


def _before_lifting(request: StaffRequest, case: Case) -> Confirmation:
    targets = reach.targets_of(case)
    stay = restricting.kept_restricted(case=case, targets=targets)
    extent = [
        {"label": "Request", "value": case.reference},
        {"label": "Callers that are shown and counted again", "value": f"{len(targets) - len(stay):,}"},
    ]
    if stay:
        extent.append({"label": "Callers that another request keeps restricted", "value": f"{len(stay):,}"})
    return Confirmation(
        "Use the person’s data again",
        "The person was notified by letter. Their calls are then shown, counted and analyzed like other calls, as far"
        " as their consent allows.",
        extent=extent,
    )


@case_page(
    load=_restricted,
    title="End the restriction",
    button="End the restriction",
    confirm=_before_lifting,
    more=lambda request, case: {"unseen": _unseen(request, case)},
    errors={
        reaching.NotYoursError: WARNING,
        restricting.NotRestrictedError: WARNING,
        restricting.NotToldError: WARNING,
    },
    template="rights/lift.html",
)
def lift(request: StaffRequest, case: Case, _: Any) -> str:
    restricting.end(case=case, by=request.actor, at=request.at)
    return "The restriction ends within a minute."


@require_safe
@work_of_case
def show_progress(request: StaffRequest, case: Case) -> HttpResponse:
    zone = letter_selectors.zone_of(case)
    return render(request, "rights/case_work.html", {"case": case, "zone": zone, **work_of(case)})
