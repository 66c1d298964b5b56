"""
The rules of `grammar.toml`, compiled: meanings are characters, a rule is a regular expression over them.

No expression begins with a repetition and every repetition is bounded, so that the time to look at a reply grows with
its length and no faster.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from consent.replies import lexicon

_NAME: Final = re.compile(r"[A-Z]+(?:_[A-Z]+)*(?:_[a-z](?![a-z]))?")
_ONE: Final = "(?:[\ue000-\uf8ffx]|\\[[\ue000-\uf8ffx]+\\])"
_ALTERNATIVES: Final = re.compile(f"\\(\\?:({_ONE}(?:\\|{_ONE})*)\\)")


@dataclass(frozen=True, slots=True)
class Rule:
    """A way of saying something."""

    id: str
    label: str
    why: str
    purposes: str
    may_be_negated: bool
    may_be_doubted: bool
    firm: bool
    """A review that stays one, whatever else is said."""
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Doubt:
    """What beside a withdrawal makes it doubtful."""

    where: str
    why: str
    only: str
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Loose:
    """A part of a sentence that says no, names a deed of ours, and holds almost nothing else."""

    says_no: frozenset[str]
    deeds: frozenset[str]
    directed: frozenset[str]
    unknown: int
    more_for: int
    shortest: int
    longest: int
    why: str
    blockers: tuple[re.Pattern[str], ...]
    softened: tuple[re.Pattern[str], ...]


@dataclass(frozen=True, slots=True)
class Grammar:
    rules: tuple[Rule, ...]
    doubts: tuple[Doubt, ...]
    negates: frozenset[str]
    """Meanings that turn what follows around."""
    passes: frozenset[str]
    """Meanings that may stand between such a one and what it turns around."""
    loose: Loose


@cache
def load() -> Grammar:
    data = tomllib.loads(Path(__file__).with_name("grammar.toml").read_text(encoding="utf-8"))
    macros = data["macro"]
    rules = tuple(
        Rule(
            id=rule["id"],
            label=rule["label"],
            why=rule["why"],
            purposes=rule.get("purposes", "deeds"),
            may_be_negated=rule.get("negated", "doubt") == "doubt",
            may_be_doubted=rule.get("doubt", True),
            firm=rule.get("firm", False),
            pattern=compiled(rule["pattern"], macros),
        )
        for rule in data["rule"]
    )
    doubts = tuple(
        Doubt(doubt["where"], doubt["why"], doubt.get("only", ""), compiled(doubt["pattern"], macros))
        for doubt in data["doubt"]
    )
    negates, passes = (frozenset(_expanded(name, macros)) - set("[]") for name in ("NEGATES", "PASSES"))
    return Grammar(rules, doubts, negates, passes, _loose(data["loose"], macros))


def _loose(data: dict[str, Any], macros: dict[str, str]) -> Loose:
    says_no, deeds, directed = (
        frozenset(_expanded(f"(?:{data[name]})", macros)) - set("[]")
        for name in ("says_no", "deeds", "directed")
    )
    return Loose(
        says_no,
        deeds,
        directed,
        data["unknown"],
        data["more_for"],
        data["shortest"],
        data["longest"],
        data["why"],
        tuple(compiled(pattern, macros) for pattern in data["blockers"]),
        tuple(compiled(pattern, macros) for pattern in data["softened"]),
    )


def compiled(pattern: str, macros: dict[str, str]) -> re.Pattern[str]:
    """A regular expression over the characters of meanings."""
    return re.compile(_expanded(pattern, macros))


def _expanded(pattern: str, macros: dict[str, str]) -> str:
    known = lexicon.codes()

    def _put(found: re.Match[str]) -> str:
        name = found.group()
        if name in macros:
            return f"(?:{_expanded(macros[name], macros)})"
        if name in known:
            return known[name]
        raise ValueError(f"The grammar names {name}, which is neither a meaning nor a macro.")

    return _as_classes(_NAME.sub(_put, pattern).replace(" ", ""))


def _as_classes(text: str) -> str:
    """Write every choice between single meanings as a class, which is faster and cannot backtrack."""
    before = ""
    while before != text:
        before = text
        text = _ALTERNATIVES.sub(lambda found: f"[{_letters(found.group(1))}]", text)
    return text


def _letters(alternatives: str) -> str:
    return "".join(dict.fromkeys(letter for letter in alternatives if letter not in "[]|"))
