"""The labelled replies: what they promise about themselves, and how well the matcher does on those it has not seen."""

import pytest

from consent.replies import LABELS, classify
from lab.bench import bench_replies as bench

WRITTEN = bench.phrases("written_from")
HELD = bench.phrases("held_out")


def test_there_are_enough_in_both_languages_and_half_are_no_withdrawals() -> None:
    for part, at_least in ((HELD, 450), ([*WRITTEN, *HELD], 1_500)):
        withdrawing = sum(phrase.withdraws for phrase in part)
        assert len(part) >= at_least
        assert 0.45 <= withdrawing / len(part) <= 0.55
        for language in ("en", "es"):
            assert sum(phrase.language == language for phrase in part) >= len(part) * 0.3


def test_those_that_test_are_not_those_the_rules_were_written_from() -> None:
    def plainly(text: str) -> str:
        return "".join(letter for letter in text.casefold() if letter.isalnum())

    written, held = ({plainly(phrase.text) for phrase in part} for part in (WRITTEN, HELD))

    assert written & held == set()
    assert len(held) == len(HELD)


def test_every_label_is_one() -> None:
    for phrase in (*WRITTEN, *HELD):
        assert phrase.labels <= set(LABELS), phrase.text


@pytest.mark.thorough
def test_recall_and_precision_on_phrases_not_seen() -> None:
    score = bench.score(HELD, bench.by_us)

    assert score.recall >= bench.RECALL
    assert score.precision >= bench.PRECISION


def test_no_withdrawal_is_passed_over_in_more_than_one_of_a_hundred() -> None:
    withdrawing = [phrase for phrase in HELD if phrase.withdraws]

    missed = [
        phrase.text for phrase in withdrawing if classify(phrase.text).label not in {"withdraw", "review"}
    ]

    assert len(missed) <= len(withdrawing) / 100, missed


def test_the_baseline_is_worse() -> None:
    assert bench.score(HELD, bench.by_keyword).recall < 0.2
