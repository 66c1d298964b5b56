"""
The courses that are shipped: screens to read, then questions of which each try draws half. Pure, read from TOML.

A course's version is a digest of its file: whoever passed is known to have passed these words. Text is paragraphs and
lists ("- "), with a blank line between; nothing in it is markup.
"""

from __future__ import annotations

import hashlib
import random
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final

ASKED: Final = 12
PASS_PERCENT: Final = 80
_HERE: Final = Path(__file__).parent


class CourseError(ValueError):
    """The file of a course is not as a course must be."""


@dataclass(frozen=True, slots=True)
class Screen:
    """One screen. :ivar parts: paragraphs as text, lists as tuples of text."""

    title: str
    parts: tuple[str | tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Question:
    """One question; its right answer is the first of `answers`. :ivar why: said after the answer."""

    words: str
    answers: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Course:
    """One course. :ivar valid_months: how long having passed it counts."""

    id: str
    title: str
    about: str
    minutes: int
    valid_months: int
    reviewed_on: date
    sources: tuple[str, ...]
    screens: tuple[Screen, ...]
    questions: tuple[Question, ...]
    version: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as one try puts it. :ivar order: places of the course's answers, as they are shown."""

    number: int
    question: Question
    order: tuple[int, ...]

    @property
    def choices(self) -> list[tuple[int, str]]:
        """Place among the course's answers and words, in the order that is shown."""
        return [(place, self.question.answers[place]) for place in self.order]


@cache
def courses() -> Mapping[str, Course]:
    """
    Every course by its name.

    :raises CourseError: a file is not as a course must be.
    """
    files = sorted(_HERE.glob("*.toml"))
    return {file.stem: _read(file.stem, file.read_bytes()) for file in files}


def draw(course: Course, seed: int) -> list[Asked]:
    """
    The questions of one try: half of the course's, in an order and with answers in an order that the seed decides.

    :param seed: kept with the try, so that the same questions come again when a page is loaded anew.
    """
    chance = random.Random(seed)  # noqa: S311  (an order of questions is no secret)
    numbers = chance.sample(range(len(course.questions)), min(ASKED, len(course.questions)))
    drawn = []
    for number in numbers:
        question = course.questions[number]
        order = list(range(len(question.answers)))
        chance.shuffle(order)
        drawn.append(Asked(number, question, tuple(order)))
    return drawn


def is_passed(right: int, asked: int) -> bool:
    """Whether so many right answers pass."""
    return asked > 0 and 100 * right >= PASS_PERCENT * asked


def _read(name: str, raw: bytes) -> Course:
    row = tomllib.loads(raw.decode())
    questions = tuple(_question(name, one) for one in row["questions"])
    if len({question.words for question in questions}) != len(questions):
        raise CourseError(f"{name}: a question stands twice.")
    if len(questions) < 2 * ASKED:
        raise CourseError(f"{name}: {len(questions)} questions, fewer than {2 * ASKED}.")
    return Course(
        id=name,
        title=row["title"],
        about=row["about"],
        minutes=row["minutes"],
        valid_months=row["valid_months"],
        reviewed_on=row["reviewed_on"],
        sources=tuple(row["sources"]),
        screens=tuple(Screen(one["title"], _parts(one["text"])) for one in row["screens"]),
        questions=questions,
        version=hashlib.sha256(raw).hexdigest()[:12],
    )


def _question(name: str, row: Mapping[str, Any]) -> Question:
    answers = (row["right"], *row["wrong"])
    if len(set(answers)) != len(answers) or len(answers) < 3:
        raise CourseError(f"{name}: {row['words']!r} needs three different answers.")
    return Question(row["words"], answers, row["why"])


def _parts(text: str) -> tuple[str | tuple[str, ...], ...]:
    return tuple(_part(block.split("\n")) for block in text.strip().split("\n\n"))


def _part(lines: Sequence[str]) -> str | tuple[str, ...]:
    if all(line.startswith("- ") for line in lines):
        return tuple(line.removeprefix("- ") for line in lines)
    return " ".join(lines)
