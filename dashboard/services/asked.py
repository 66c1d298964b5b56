"""Bringing the demo's requests on their way, by the services that staff and people would use."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Agency
from callprivacy.tenancy.scope import job_scope
from dashboard.demo.asked import REQUESTS, Asked, Until
from dashboard.services.said import Ground
from rights.enums import ApprovalKind, ApprovalState, Ask, Channel, Decided, IdentityKind, LetterWay
from rights.letters import Filled
from rights.models import Approval, Case, Identity, Submission
from rights.selectors import progress
from rights.services import approvals, cases, deciding, letters, proofs, searching, working
from rights.services.cases import Claim, Contact

_PORTAL: Final = Actor.client("rights.portal")
_LAW: Final = timedelta(days=1)
_FICTION: Final = "+13125550199"


def fill(agency: Agency, grounds: Sequence[Ground], *, officer: Actor, at: datetime) -> None:
    """Open the demo's requests and bring each as far as it is to come. Called outside any scope."""
    by_slug = {ground.about.slug: ground for ground in grounds}
    opened: list[tuple[Asked, Submission]] = []
    for asked in REQUESTS:
        with job_scope(agency_id=agency.pk):
            opened.append((asked, _open(agency, by_slug, asked, officer, at)))
    for asked, submission in opened:
        searched_at = _received(asked, at) + timedelta(hours=2)
        if any(ask.needs_proof for ask in asked.asks) and asked.until is not Until.SENT:
            searching.search(
                agency_id=agency.pk,
                submission_id=submission.pk,
                clock=lambda at=searched_at: at,  # type: ignore[misc]  # bound where the loop stands
            )
    for deed in (_bring, _close):
        while working.work_next(agency_id=agency.pk, clock=lambda: at):
            pass
        for asked, submission in opened:
            with job_scope(agency_id=agency.pk):
                for case in Case.objects.filter(submission=submission).select_related(
                    "submission__client", "submission__agency", "client", "agency"
                ):
                    deed(case, asked, officer, at)


def _received(asked: Asked, at: datetime) -> datetime:
    return at - timedelta(days=asked.days, hours=3)


def _open(
    agency: Agency, grounds: Mapping[str, Ground], asked: Asked, officer: Actor, at: datetime
) -> Submission:
    ground = grounds.get(asked.slug)
    numbers = list(dict.fromkeys(fact.caller for fact in ground.facts if fact.caller)) if ground else []
    number = numbers[asked.caller % len(numbers)] if numbers else _FICTION
    received_at = _received(asked, at)
    by = _PORTAL if asked.channel is Channel.PORTAL else officer
    submission = cases.open_cases(
        agency=agency,
        client=ground.client if ground else None,
        asks=asked.asks,
        channel=asked.channel,
        claims=[Claim(IdentityKind.PHONE, number)],
        contact=Contact(name=asked.name, mail=f"{asked.name.split()[0].lower()}@people.example"),
        received_at=received_at,
        by=by,
        at=received_at,
        words=asked.words,
        place=asked.place,
        language=asked.language,
    )
    if asked.until is not Until.SENT:
        for identity in Identity.objects.filter(submission=submission).select_related(
            "submission__client", "submission__agency"
        ):
            proofs.judge(
                identity=identity,
                holds=True,
                seen="Called back on the number in the file; knew the day of the call.",
                by=officer,
                at=received_at + timedelta(hours=1),
            )
    return submission


def _bring(case: Case, asked: Asked, officer: Actor, at: datetime) -> None:
    """Let one case come as far as the demo says."""
    begun = _received(asked, at) + timedelta(hours=4)
    if asked.mine:
        cases.assign(case=case, owner_id=officer.user_id, by=officer, at=begun)
    if asked.note:
        cases.write_note(case=case, words=asked.note, by=officer, at=begun)
        cases.add_task(
            case=case, words="Listen to the other voice, then decide what of it is given.",
            owner_id=officer.user_id, due_on=at.date() + timedelta(days=2), by=officer, at=begun,
        )  # fmt: skip
    if asked.until is Until.SENT:
        return
    letter = letters.preview(case=case, name=progress.ACKNOWLEDGEMENT, at=begun)
    _post(case, progress.ACKNOWLEDGEMENT, letter, officer, begun)
    _go_on(case, asked, officer, begun + _LAW)


def _close(case: Case, asked: Asked, officer: Actor, at: datetime) -> None:
    """The answer to what is carried out goes out, and nothing is owed any more."""
    if asked.until is not Until.ANSWERED or not case.decided or deciding.unfinished(case):
        return
    sent_at = _received(asked, at) + 2 * _LAW
    _post(case, "done", letters.preview(case=case, name="done", at=sent_at), officer, sent_at)
    deciding.close(case=case, by=officer, at=sent_at)


def _post(case: Case, name: str, text: Filled, officer: Actor, at: datetime) -> None:
    letters.send_letter(case=case, name=name, way=LetterWay.POST, text=text, by=officer, at=at)


def _go_on(case: Case, asked: Asked, officer: Actor, at: datetime) -> None:
    if asked.until is Until.STOPPED and cases.may_stop(case):
        cases.stop_clock(case=case, words="Which use do you object to?", by=officer, at=at)
    elif asked.until in {Until.WITH_CLIENT, Until.APPROVED, Until.HANDED_OVER}:
        _ask(case, asked, officer, at)
    elif asked.until is Until.REFUSED:
        deciding.decide(
            case=case, decided=Decided.REFUSE, ground="state-law", by=officer, at=at,
            words="A claim about this move is before a court, and the record of the call is needed there.",
        )  # fmt: skip
    elif asked.until is Until.ANSWERED and Ask(case.asks).works_at_once:
        deciding.decide(case=case, decided=Decided.FULFIL, ground="", words="", by=officer, at=at)


def _ask(case: Case, asked: Asked, officer: Actor, at: datetime) -> None:
    kind = ApprovalKind.TAKE_OVER if asked.until is Until.HANDED_OVER else ApprovalKind.APPROVE
    row = approvals.ask_client(
        case=case, kind=kind, to=f"owner@{asked.slug}.example", by=officer, at=at, is_vouched=True,
        said="We would do as the person asks. Nothing of it is needed for an open order.",
    )  # fmt: skip
    Approval.objects.filter(pk=row.pk).update(mail_due_at=None, mailed_at=at)
    if asked.until is not Until.WITH_CLIENT and row.state == ApprovalState.WAITING:
        approvals.answer_signed_in(
            approval=row, agrees=True, name="Robin Keller", said="Agreed.", by=_PORTAL, at=at + _LAW
        )
