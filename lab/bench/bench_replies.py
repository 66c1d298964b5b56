"""
How well replies are understood, and how fast: `python -m lab.bench.bench_replies`.

On the phrases that no rule was written from: recall and precision of `withdraw`, strictly (what was sent to a person
counts as missed, and is printed too), and phrases a second. Beside it, in the same run on the same phrases, the exact
list of keywords that carriers and regulators name, which is what text-message services match.
"""

import csv
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from consent.replies import classify
from tools import arguments

LABELLED = Path(__file__).resolve().parent.parent.parent / "consent" / "replies" / "labelled"
KEYWORDS = frozenset(
    (
        "stop",
        "stopall",
        "stop all",
        "unsubscribe",
        "end",
        "quit",
        "cancel",
        "revoke",
        "opt out",
        "optout",
        "remove",
        "td",
    )
)
RECALL, PRECISION = 0.98, 0.92
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Phrase:
    """A labelled reply; more than one label may be right."""

    text: str
    language: str
    labels: frozenset[str]

    @property
    def withdraws(self) -> bool:
        return self.labels == {"withdraw"}


@dataclass(frozen=True, slots=True)
class Score:
    """How the label `withdraw` was given."""

    recall: float
    precision: float
    reviewed: int
    right: float

    def __str__(self) -> str:
        return f"recall {self.recall:.4f}  precision {self.precision:.4f}"


def phrases(name: str) -> list[Phrase]:
    with (LABELLED / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return [
            Phrase(row["text"], row["language"], frozenset(row["label"].split("|")))
            for row in csv.DictReader(file)
        ]


def by_keyword(text: str) -> str:
    """The baseline: the whole reply is one of the words, in any case, less the punctuation around it."""
    return "withdraw" if text.casefold().strip(" \t\n.,!?\"'") in KEYWORDS else "none"


def by_us(text: str) -> str:
    return classify(text).label


def score(labelled: Sequence[Phrase], judge: Callable[[str], str]) -> Score:
    given = [(phrase, judge(phrase.text)) for phrase in labelled]
    wanted = [label for phrase, label in given if phrase.withdraws]
    found = [phrase for phrase, label in given if label == "withdraw"]
    hits = sum("withdraw" in phrase.labels for phrase in found)
    return Score(
        recall=wanted.count("withdraw") / len(wanted),
        precision=hits / len(found) if found else 1.0,
        reviewed=wanted.count("review"),
        right=sum(label in phrase.labels for phrase, label in given) / len(given),
    )


def pace(labelled: Sequence[Phrase], judge: Callable[[str], str]) -> float:
    """Phrases a second: the best of a few rounds."""
    best = 0.0
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for phrase in labelled:
            judge(phrase.text)
        best = max(best, len(labelled) / (time.perf_counter() - start))
    return best


def main() -> int:
    arguments.parse(__doc__)
    written, held = phrases("written_from"), phrases("held_out")
    withdrawals = sum(phrase.withdraws for phrase in (*written, *held))
    total = len(written) + len(held)
    ours, theirs = score(held, by_us), score(held, by_keyword)
    wanted = sum(phrase.withdraws for phrase in held)
    print(f"labelled set: {total:,} phrases, {withdrawals:,} of them withdrawals")
    print(
        f"rules written from {len(written):,}; tested on {len(held):,} others, {wanted:,} of them withdrawals"
    )
    print(f"matcher:      {ours}  right of five labels {ours.right:.4f}")
    print(f"              {ours.reviewed} withdrawals went to a person instead")
    for language in ("en", "es"):
        print(
            f"  {language} alone:   {score([phrase for phrase in held if phrase.language == language], by_us)}"
        )
    print(f"baseline:     {theirs}  (the exact list of keywords)")
    print(f"for comparison, on the phrases the rules were written from: {score(written, by_us)}")
    fast, plain = pace(held, by_us), pace(held, by_keyword)
    print(f"pace:         {fast:,.0f} phrases/s, baseline {plain:,.0f}; ratio {plain / fast:.0f}")
    met = ours.recall >= RECALL and ours.precision >= PRECISION
    print(f"goals: recall {RECALL}, precision {PRECISION}: {'met' if met else 'missed'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
