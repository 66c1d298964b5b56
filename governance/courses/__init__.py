"""
Courses: Markdown screens, then questions, of which each attempt draws half. Pure; shipped courses are TOML.

The version of a shipped course is the digest of its file. `made_of` makes custom courses of their versions.
"""

import hashlib
import random
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final

from governance.courses import markdown

ASKED: Final = 12
PASS_PERCENT: Final = 80
LEAST_QUESTIONS: Final = 8
"""The minimum of a custom course, so that attempts differ."""
_HERE: Final = Path(__file__).parent


class CourseError(ValueError):
    """A shipped course is invalid."""


@dataclass(frozen=True, slots=True)
class Screen:
    """:ivar text: Markdown."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """:ivar answers: the correct one first. :ivar why: shown after a correct answer."""

    words: str
    answers: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Course:
    """:ivar valid_months: of a completion. :ivar pictures: name -> address, of a custom course."""

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
    pictures: Mapping[str, str] = field(default_factory=dict)

    @property
    def asked(self) -> int:
        """The number of questions of an attempt."""
        return min(ASKED, (len(self.questions) + 1) // 2)

    def html(self, number: int) -> str:
        """Safe HTML. :param number: of the screen, from 1."""
        return markdown.as_html(self.screens[number - 1].text, pictures=self.pictures)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of an attempt. :ivar order: positions of the course's answers, as shown."""

    number: int
    question: Question
    order: tuple[int, ...]

    @property
    def choices(self) -> list[tuple[int, str]]:
        """Position in the course and text, in the order shown."""
        return [(place, self.question.answers[place]) for place in self.order]


@cache
def courses() -> Mapping[str, Course]:
    """Name -> shipped course. :raises CourseError: a file is invalid."""
    files = sorted(_HERE.glob("*.toml"))
    return {file.stem: _read(file.stem, file.read_bytes()) for file in files}


def draw(course: Course, seed: int) -> list[Asked]:
    """
    The questions of an attempt, with their order and that of their answers.

    :param seed: stored with the attempt, so that a reload shows the same questions.
    """
    chance = random.Random(seed)  # noqa: S311  (the order of questions is not secret)
    numbers = chance.sample(range(len(course.questions)), course.asked)
    drawn = []
    for number in numbers:
        question = course.questions[number]
        order = list(range(len(question.answers)))
        chance.shuffle(order)
        drawn.append(Asked(number, question, tuple(order)))
    return drawn


def is_passed(right: int, asked: int) -> bool:
    return asked > 0 and 100 * right >= PASS_PERCENT * asked


def made_of(
    facts: Mapping[str, Any],
    *,
    name: str,
    version: str,
    screens: Iterable[Mapping[str, Any]],
    questions: Iterable[Mapping[str, Any]],
    pictures: Mapping[str, str],
) -> Course:
    """
    A custom course, possibly incomplete.

    :param facts: title, about, minutes, valid_months, reviewed_on and sources. :param screens: with title and text.
    :param questions: with words, answers (the correct one first) and why.
    """
    return Course(
        id=name,
        version=version,
        screens=tuple(Screen(one["title"], one["text"]) for one in screens),
        questions=tuple(Question(one["words"], tuple(one["answers"]), one["why"]) for one in questions),
        pictures=pictures,
        **facts,
    )


def lacking(course: Course) -> list[str]:
    """What a custom course lacks before it can be published, as sentences."""
    problems = []
    if not course.screens:
        problems.append("Add a screen.")
    if len(course.questions) < LEAST_QUESTIONS:
        problems.append(f"Add questions. It has {len(course.questions)} of at least {LEAST_QUESTIONS}.")
    if len({question.words for question in course.questions}) != len(course.questions):
        problems.append("Remove the duplicate question.")
    missing = {
        name
        for one in course.screens
        for name in markdown.pictures_in(one.text)
        if name not in course.pictures
    }
    if missing:
        problems.append(f"Upload the missing pictures: {', '.join(sorted(missing))}.")
    if not course.sources:
        problems.append("Add a source.")
    return problems


def _read(name: str, raw: bytes) -> Course:
    row = tomllib.loads(raw.decode())
    questions = tuple(_question(name, one) for one in row["questions"])
    if len({question.words for question in questions}) != len(questions):
        raise CourseError(f"{name}: a question is a duplicate.")
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
        screens=tuple(Screen(one["title"], one["text"].strip()) for one in row["screens"]),
        questions=questions,
        version=hashlib.sha256(raw).hexdigest()[:12],
    )


def _question(name: str, row: Mapping[str, Any]) -> Question:
    answers = (row["right"], *row["wrong"])
    if len(set(answers)) != len(answers) or len(answers) < 3:
        raise CourseError(f"{name}: {row['words']!r} needs three different answers.")
    return Question(row["words"], answers, row["why"])
