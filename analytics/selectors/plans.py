"""What happens to each column of an anonymized release, and what it risks, in words."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from analytics.models.releases import Release
from analytics.selectors.releasable import COLUMNS, own_of
from analytics.selectors.releases import grouped

_NEVER: Final = "Numbers, names, recordings, transcripts, tags, ids, exact times, order of the calls"
_NOTHING_LEFT: Final = 0.995
"""The loss from which nearly every row of a column says `*`."""


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to one column; `tone` is how it is marked."""

    column: str
    what: str
    tone: str
    detail: str


def plan(release: Release, report: dict[str, Any]) -> list[Step]:
    """
    Each column with what happens to it, those that are released first.

    :param report: of a setting that was tried; empty before one was.
    """
    return [*_released(release, report), *_dropped(release)]


def _released(release: Release, report: dict[str, Any]) -> Iterator[Step]:
    steps = {one.label: one.steps for one in grouped(own_of(release), release.columns)}
    losses: dict[str, float] = report.get("by_column", {})
    for name in release.columns:
        label = COLUMNS[name].label
        if COLUMNS[name].role == "sensitive":
            yield Step(label, "Kept", "info", "each value as it is")
            continue
        groups = f"{label} › {steps[label]} › *" if label in steps else f"{label} › *"
        loss = losses.get(label)
        if loss is None:
            yield Step(label, "Generalized", "warn", f"as far as the setting needs: {groups}")
        elif loss >= _NOTHING_LEFT:
            yield Step(label, "Dropped", "bad", "nearly every row says *, so nothing is left of it")
        elif loss == 0:
            yield Step(label, "Kept", "info", "this setting changes no value")
        else:
            yield Step(label, "Generalized", "warn", f"{loss:.0%} of its detail is lost: {groups}")


def _dropped(release: Release) -> Iterator[Step]:
    if rest := [column.label for name, column in COLUMNS.items() if name not in release.columns]:
        yield Step(", ".join(rest), "Dropped", "bad", "not selected")
    yield Step(_NEVER, "Dropped", "bad", "in no release")


def risk_in_words(report: dict[str, Any]) -> list[str]:
    """The loss and the risks of a report as sentences; none where rows are still one person's."""
    if "risks" not in report:
        return []
    people, risks, before = report["people"], report["risks"], report["risks_before"]
    loss = (
        f"Loss: about {report['loss']:.0%} of the detail in the generalized columns is lost, and"
        f" {report['suppressed']:.1%} of the calls are left out."
    )
    one = (
        "Risk for one caller: a person who knows that the caller is in the file, and everything that the generalized"
        f" columns say of a call, is right about which row is the caller's at most 1 time in {people}. Before,"
        f" {_before(before['prosecutor'])}."
    )
    everyone = (
        "Risk for all callers: a person who tries this for every caller is right about"
        f" {risks['marketer']:.1%} of them. Before, {before['marketer']:.1%}."
    )
    same = [
        f"In some class all callers have the same {label}: a person who knows that a caller is in it learns their"
        f" {label}. Raise l to 2 to prevent it."
        for label, distinct in report["diversity"].items()
        if distinct < 2
    ]
    return [loss, one, everyone, *same]


def _before(risk: float) -> str:
    often = round(1 / risk) if risk else 1
    return f"at most 1 time in {often}" if often > 1 else "some callers could be told for certain"
