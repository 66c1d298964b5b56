"""The ledger of noisy figures: nobody is told more than the year's budget, however many ask, and nobody rewrites it."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, connections, transaction

from analytics import noise
from analytics.models.releases import NoisyAnswer, Recipient, Spend
from analytics.noise import Bounds
from analytics.selectors import noisy as selectors
from analytics.selectors.noisy import BY, Question
from analytics.services import noisy, recipients
from analytics.services.noisy import Unanswered
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope, staff_scope
from tests import make
from tests.analytics import released
from tests.cast import Cast
from tests.scale import some

pytestmark = pytest.mark.django_db


def question(*, measure: str = "calls", by: str = "all", calls: int = 2, most: int = 1) -> Question:
    return Question(
        measure=measure,
        by=by,
        from_on=released.FIRST,
        until_on=released.FIRST + timedelta(days=31),
        bounds=Bounds(calls=calls, most=most),
    )


def spend(
    to: Recipient, epsilon: str, *, by: int, at: datetime = make.NOON, what: Question | None = None
) -> Spend:
    with staff_scope(agency_id=to.agency_id, user_id=by):
        return noisy.spend(
            recipient=to,
            question=what or question(),
            epsilon=Decimal(epsilon),
            by=Actor.staff(user_id=by),
            at=at,
        )


def test_costs_add_up_to_the_budget_and_no_further(cast: Cast) -> None:
    make.grant(cast.alice, cast.dentist)
    to = released.recipient(cast.dentist, cast.alice, epsilon=Decimal("0.3"))
    for _ in range(3):
        spend(to, "0.1", by=cast.alice.user_id)
    with pytest.raises(noisy.BudgetSpentError, match=r"0\.000 of 0\.300 is left"):
        spend(to, "0.01", by=cast.alice.user_id)
    with job_scope(agency_id=cast.acme.pk):
        found = Spend.objects.order_by("number").values_list("number", "previous", "before", "after")
        assert [tuple(map(str, row)) for row in found] == [
            ("1", "None", "0.000", "0.100"), ("2", "1", "0.100", "0.200"), ("3", "2", "0.200", "0.300"),
        ]  # fmt: skip


def test_a_budget_begins_anew_with_the_clients_year(cast: Cast) -> None:
    make.grant(cast.alice, cast.dentist)
    to = released.recipient(cast.dentist, cast.alice, epsilon=Decimal("0.1"))
    # New York's year ends five hours after that of UTC.
    old, new = datetime(2027, 1, 1, 4, 59, tzinfo=UTC), datetime(2027, 1, 1, 5, 0, tzinfo=UTC)
    assert spend(to, "0.1", by=cast.alice.user_id, at=old).year == 2026
    assert spend(to, "0.1", by=cast.alice.user_id, at=new).year == 2027


def test_a_lower_budget_gives_nothing_back(cast: Cast) -> None:
    make.grant(cast.alice, cast.dentist)
    to = released.recipient(cast.dentist, cast.alice)
    spend(to, "0.5", by=cast.alice.user_id)
    with job_scope(agency_id=cast.acme.pk):
        recipients.change_recipient(
            recipient=to, email=to.email, contract="", epsilon=Decimal("0.4"), by=make.JOB, at=make.NOON
        )
        assert selectors.budget_of(Recipient.objects.get(pk=to.pk), year=make.NOON.year).left == 0
    with pytest.raises(noisy.BudgetSpentError):
        spend(to, "0.01", by=cast.alice.user_id)


def _refused(statement: str, *values: Any, agency_id: int) -> None:
    with (
        job_scope(agency_id=agency_id),
        pytest.raises(DatabaseError),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement, values)


def test_nobody_rewrites_the_ledger_or_begins_elsewhere(cast: Cast) -> None:
    make.grant(cast.alice, cast.dentist)
    to = released.recipient(cast.dentist, cast.alice)
    first = spend(to, "0.2", by=cast.alice.user_id)
    second = spend(to, "0.2", by=cast.alice.user_id)
    agency = cast.acme.pk
    _refused("UPDATE analytics_spend SET after = before", agency_id=agency)
    # A row that others begin at stays, even for a job.
    _refused("DELETE FROM analytics_spend WHERE id = %s", first.pk, agency_id=agency)
    with staff_scope(agency_id=agency, user_id=cast.alice.user_id), connection.cursor() as cursor:
        cursor.execute("DELETE FROM analytics_spend WHERE id = %s", [second.pk])
        assert cursor.rowcount == 0
    forged = (
        # forgets what was spent, begins anew, skips, goes beyond
        {"number": 3, "previous": 2, "before": "0.1", "after": "0.2"},
        {"number": 1, "previous": None, "before": "0", "after": "0.1"},
        {"number": 5, "previous": 4, "before": "0.4", "after": "0.5"},
        {"number": 3, "previous": 2, "before": "0.4", "after": "1.1", "epsilon": "0.7"},
    )
    for row in forged:
        with job_scope(agency_id=agency), pytest.raises(IntegrityError), transaction.atomic():
            Spend.objects.create(
                agency_id=agency,
                client_id=cast.dentist.pk,
                recipient=to,
                year=make.NOON.year,
                budget=Decimal(1),
                question={},
                spent_by_id=cast.alice.user_id,
                spent_at=make.NOON,
                **({"epsilon": "0.1"} | row),
            )


@pytest.mark.django_db(transaction=True)
def test_parallel_questions_never_overspend(cast: Cast) -> None:
    """Eight connections of their own ask at once for three tenths each; three of them fit."""
    make.grant(cast.alice, cast.dentist)
    to = released.recipient(cast.dentist, cast.alice, epsilon=Decimal(1))
    start = threading.Barrier(8)
    told: list[str] = []

    def ask() -> None:
        try:
            start.wait(timeout=30)
            spend(to, "0.3", by=cast.alice.user_id)
            told.append("paid")
        except (noisy.BudgetSpentError, DatabaseError) as error:
            told.append(type(error).__name__)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told.count("paid") == 3
    with job_scope(agency_id=cast.acme.pk):
        assert sum(Spend.objects.values_list("epsilon", flat=True)) == Decimal("0.9")


@pytest.mark.django_db(transaction=True)
def test_without_the_lock_the_ledgers_own_keys_refuse_the_second(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two who both saw an empty ledger cannot both write its first row."""
    make.grant(cast.alice, cast.dentist)
    to = released.recipient(cast.dentist, cast.alice)
    monkeypatch.setattr(selectors, "last_spend", lambda *_, **__: None)
    spend(to, "1", by=cast.alice.user_id)
    with pytest.raises(IntegrityError):
        spend(to, "1", by=cast.alice.user_id)


# --- Answers ---


def _answered(row: Spend, at: datetime = make.NOON) -> list[dict[str, object]]:
    noisy.answer(due=Unanswered(row.agency_id, row.pk), clock=lambda: at)
    with job_scope(agency_id=row.agency_id):
        found: list[dict[str, object]] = NoisyAnswer.objects.get(spend=row).figures
        return found


def test_an_answer_is_drawn_once_and_names_every_group(cast: Cast) -> None:
    released.fill(cast.dentist)
    make.grant(cast.alice, cast.dentist)
    to = released.recipient(cast.dentist, cast.alice)
    row = spend(to, "0.5", by=cast.alice.user_id, what=question(by="outcome"))
    with job_scope(agency_id=cast.acme.pk):
        assert [one.spend_id for one in noisy.unanswered(agency_id=cast.acme.pk)] == [row.pk]
    found = _answered(row)
    assert [one["group"] for one in found] == list(BY["outcome"].groups)
    assert not noisy.answer(due=Unanswered(cast.acme.pk, row.pk), clock=lambda: make.NOON)
    assert _answered(row) == found
    with job_scope(agency_id=cast.acme.pk):
        assert noisy.unanswered(agency_id=cast.acme.pk) == []


@pytest.mark.parametrize(
    ("measure", "most"),
    some([("calls", 1), ("seconds", 600), ("length", 600)], one_in=2),
    ids=["calls", "seconds", "length"],
)
def test_what_is_counted_is_bounded_and_nobody_who_said_no_is_in_it(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, measure: str, most: int
) -> None:
    """Without noise, which is taken out here, a figure is that of the bounded calls."""
    released.fill(cast.dentist, callers=20, calls_each=5)
    make.grant(cast.alice, cast.dentist)
    to = released.recipient(cast.dentist, cast.alice)
    monkeypatch.setattr(noise, "noisy", lambda value, _scale: value)
    row = spend(to, "0.5", by=cast.alice.user_id, what=question(measure=measure, calls=3, most=most))
    value = _answered(row)[0]["value"]
    with job_scope(agency_id=cast.acme.pk):
        client = Client.objects.select_related("agency").get(pk=cast.dentist.pk)
        clipped = selectors.clipped(client, question(measure=measure, calls=3, most=most), at=make.NOON)
    assert clipped.counts[selectors.ALL] == 60
    assert (
        value
        == {
            "calls": 60,
            "seconds": clipped.sums[selectors.ALL],
            "length": clipped.sums[selectors.ALL] / 60,
        }[measure]
    )


@pytest.mark.parametrize(
    "asked",
    [
        lambda: question(measure="names"),
        lambda: question(by="caller"),
        lambda: Question(
            measure="calls", by="all", from_on=released.FIRST, until_on=released.FIRST, bounds=Bounds(calls=1)
        ),
    ],
    ids=["measure", "group", "days"],
)
def test_what_is_no_question_costs_nothing(cast: Cast, asked: Callable[[], Question]) -> None:
    make.grant(cast.alice, cast.dentist)
    to = released.recipient(cast.dentist, cast.alice)
    with pytest.raises(noisy.CannotAskError):
        spend(to, "0.1", by=cast.alice.user_id, what=asked())
    with pytest.raises(noisy.CannotAskError):
        spend(to, "2", by=cast.alice.user_id)
