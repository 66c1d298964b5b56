"""From a table and what is demanded of it to a release."""

from analytics.anonymise.errors import AnonymiseError, SpecError
from analytics.anonymise.outcome import Release, release
from analytics.anonymise.problem import Effort, Problem, Progress
from analytics.anonymise.spec import Spec
from analytics.anonymise.table import Table


def _silent(what: str, done: int, total: int) -> None:
    """Tell nobody how far it is."""


def anonymise(table: Table, spec: Spec, *, effort: Effort = "full", progress: Progress = _silent) -> Release:
    """
    Make a release of a table.

    Every row of it lies in a class of equal quasi-identifying values that meets every demand; every such value is the
    row's own, or a group or range that holds it, or, where the spec asks for it, the class's mean. The order of the
    rows changes no row's values.

    :param effort: "quick" takes a fraction of the time and loses a little more, for a look at what a demand would cost.
    :raises AnonymiseError: a column is missing, a value is not in its hierarchy, or no generalisation meets the
        demands.
    """
    _check(table, spec)
    limit = int(spec.suppression * len(table))
    problem, classes = Problem.of(table, spec).solve(limit, progress, effort=effort)
    return release(table, spec, problem, classes)


def _check(table: Table, spec: Spec) -> None:
    for name in [*spec.columns, *([spec.person] if spec.person else [])]:
        if name not in table.columns:
            raise SpecError(f"The table has no column {name!r}. It has: {', '.join(table.columns)}.")
    if not len(table):
        raise AnonymiseError("The table has no rows.")
