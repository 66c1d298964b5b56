"""Questions and scores of vendor reviews, and vendor templates. Pure, read from TOML."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final

from governance.enums import Answer, DataCategory, TransferTool

_HERE: Final = Path(__file__).parent

CLAUSES: Final[Mapping[str, str]] = {
    "a": "processes only on documented instructions",
    "b": "binds its staff to confidentiality",
    "c": "takes the security measures of article 32",
    "d": "engages sub-processors only as articles 28(2) and 28(4) allow",
    "e": "helps to answer data subject requests",
    "f": "helps with security, breaches and assessments (articles 32 to 36)",
    "g": "deletes or returns everything at the end",
    "h": "demonstrates compliance and allows audits",
}
"""Contract clauses by the letter of GDPR article 28(3)."""


@dataclass(frozen=True, slots=True)
class Question:
    """:ivar clause: the letter of GDPR article 28(3), or empty."""

    id: str
    section: str
    weight: int
    words: str
    clause: str


@dataclass(frozen=True, slots=True)
class Fact:
    """:ivar source: the address of the page."""

    words: str
    source: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """
    A vendor template, unverified.

    :ivar provider: the id of its connections, or empty. :ivar read_on: when the pages of the facts were read.
    """

    id: str
    name: str
    provider: str
    what_for: str
    categories: tuple[str, ...]
    places: str
    transfer: TransferTool
    source: str
    hints: tuple[str, ...]
    facts: tuple[Fact, ...]
    read_on: date


@cache
def questions() -> tuple[Question, ...]:
    return tuple(
        Question(name, row["section"], row["weight"], row["words"], row.get("clause", ""))
        for name, row in _rows("questions.toml").items()
    )


@cache
def sheets() -> Mapping[str, Sheet]:
    return {
        name: Sheet(
            name,
            row["name"],
            row.get("provider", ""),
            row["what_for"],
            tuple(DataCategory(one).value for one in row["categories"]),
            row["places"],
            TransferTool(row["transfer"]),
            row["source"],
            tuple(row["hints"]),
            tuple(Fact(one["words"], one["source"]) for one in row["facts"]),
            row["read_on"],
        )
        for name, row in _rows("sheets.toml").items()
    }


def score(answers: Mapping[str, Answer]) -> int:
    """
    A score of 0 to 100: the weight of each yes and half of each partly, out of the weight of all applicable questions.

    A missing answer counts as a no.
    """
    reached = possible = 0
    for question in questions():
        answer = answers.get(question.id, Answer.NO)
        if answer == Answer.NOT_APPLICABLE:
            continue
        possible += 2 * question.weight
        reached += question.weight * {Answer.YES: 2, Answer.PARTLY: 1, Answer.NO: 0}[answer]
    return 100 * reached // possible if possible else 0


def _rows(name: str) -> dict[str, Any]:
    with (_HERE / name).open("rb") as source:
        return tomllib.load(source)
