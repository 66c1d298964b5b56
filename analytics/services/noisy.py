"""
Asking for figures with noise: paid for first, in a ledger that nobody rewrites, and answered by a job afterwards.

A recipient's questions of a year add up, and never to more than the budget, however many ask at once: the recipient's
row is locked while the next row is written, and the ledger's own keys let nobody else be the next. What a question
cost is spent whether or not the answer is looked at.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db import IntegrityError, transaction

from analytics import noise
from analytics.models.releases import NoisyAnswer, Recipient, Spend
from analytics.noise import Figure
from analytics.selectors import noisy
from analytics.selectors import releases as releases_selectors
from analytics.selectors.noisy import BY, MEASURES, Question
from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope

JOB: Final = Actor.job("analytics.answer_questions")
LEAST_EPSILON: Final = Decimal("0.010")
MOST_EPSILON: Final = Decimal("1.000")

_FIGURES: Final[dict[str, Callable[..., dict[str, Figure]]]] = {
    "calls": noise.counts,
    "seconds": noise.sums,
    "length": noise.means,
}


class BudgetSpentError(ValueError):
    """There is less left of the year's budget than the question costs; the text says how much."""


class CannotAskError(ValueError):
    """A question is not one that is answered; the text says why."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A question that was paid for and waits for its answer."""

    agency_id: int
    spend_id: uuid.UUID


@transaction.atomic
def spend(*, recipient: Recipient, question: Question, epsilon: Decimal, by: Actor, at: datetime) -> Spend:
    """
    Pay for a question out of a recipient's budget of the year.

    :raises CannotAskError: its words are not known, its days are none, or it costs too little or too much.
    :raises BudgetSpentError: not so much is left.
    """
    if by.user_id is None:
        raise TypeError("A question is paid for by a person.")
    _check(question, epsilon)
    held = (
        Recipient.objects.select_for_update(no_key=True, of=("self",))
        .select_related("client")
        .get(pk=recipient.pk)
    )
    year = noisy.year_of(held.client, at)
    last = noisy.last_spend(held, year=year)
    before = Decimal(0) if last is None else last.after
    after = before + epsilon
    if after > held.epsilon:
        left = max(held.epsilon - before, Decimal(0))
        raise BudgetSpentError(
            f"{left} of {held.epsilon} is left for {held.name} in {year}; this question costs {epsilon}."
        )
    row = Spend(
        agency_id=held.agency_id,
        client_id=held.client_id,
        recipient=held,
        year=year,
        number=1 if last is None else last.number + 1,
        previous=None if last is None else last.number,
        before=before,
        epsilon=epsilon,
        after=after,
        budget=held.epsilon,
        question=question.as_json(),
        spent_by_id=by.user_id,
        spent_at=at,
    )
    row.save(force_insert=True)
    audit.record(
        "budget.spent",
        subject=row,
        by=by,
        at=at,
        recipient=str(held.pk),
        year=year,
        epsilon=str(epsilon),
        spent=str(after),
        budget=str(held.epsilon),
    )
    return row


def _check(question: Question, epsilon: Decimal) -> None:
    if question.measure not in MEASURES or question.by not in BY:
        raise CannotAskError("There is no such question.")
    if not 0 < (question.until_on - question.from_on).days <= releases_selectors.LONGEST.days:
        raise CannotAskError("A question is about at least a day and at most a year.")
    if not LEAST_EPSILON <= epsilon <= MOST_EPSILON:
        raise CannotAskError(f"A question costs from {LEAST_EPSILON} to {MOST_EPSILON}.")


def unanswered(*, agency_id: int) -> list[Unanswered]:
    """Questions that wait for their answers. In the agency's scope."""
    rows = Spend.objects.filter(agency_id=agency_id, answers=None).order_by("spent_at")
    return [Unanswered(agency_id, pk) for pk in rows.values_list("pk", flat=True)[:50]]


def answer(*, due: Unanswered, clock: Callable[[], datetime]) -> bool:
    """
    Answer one question that was paid for, once; returns whether this call did. Outside any scope, safe to run twice.
    """
    try:
        with job_scope(agency_id=due.agency_id):
            return _answer(due, clock())
    except (
        IntegrityError
    ):  # another worker answered meanwhile; what was drawn here is gone, and nobody saw it
        return False


def _answer(due: Unanswered, at: datetime) -> bool:
    row = Spend.objects.filter(pk=due.spend_id, answers=None).select_related("client__agency").first()
    if row is None:
        return False
    question = Question.from_json(row.question)
    clipped = noisy.clipped(row.client, question, at=at)
    figures = _FIGURES[question.measure](clipped, question.bounds, noisy.exact(row.epsilon))
    NoisyAnswer.objects.create(
        agency_id=row.agency_id,
        client_id=row.client_id,
        spend=row,
        figures=[
            {"group": group, "value": one.value, "low": one.low, "high": one.high}
            for group, one in figures.items()
        ],
        answered_at=at,
    )
    audit.record("question.answered", subject=row, by=JOB, at=at)
    return True
