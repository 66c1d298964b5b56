"""What a release is, in words and figures that an officer can read."""

from collections.abc import Iterator, Sequence

from analytics.anonymise.outcome import Release
from analytics.anonymise.risks import Risks
from analytics.anonymise.spec import Spec
from analytics.anonymise.table import Table

CAVEAT = (
    "These figures are about the columns named as quasi-identifying and about nobody who knows more than those. "
    "Leaving out the columns that name people makes no table anonymous by itself."
)


def report(table: Table, spec: Spec, release: Release, warnings: Sequence[str] = ()) -> str:
    """
    The report, in Markdown.

    :param table: what came in; `spec` what was demanded of it, `release` what came out.
    """
    return "\n".join(
        [
            *_rows(table, spec, release),
            *(f"- Warning: {warning}" for warning in warnings),
            "",
            *_demands(spec, release),
            "",
            *_loss(release),
            "",
            *_risk(release.risks_before, release.risks, spec),
            "",
            CAVEAT,
            "",
        ]
    )


def _rows(table: Table, spec: Spec, release: Release) -> Iterator[str]:
    found = release.measures
    yield "# Release"
    yield ""
    yield f"- Rows: {len(release.rows):,} of {found.rows:,}"
    yield f"- Suppressed: {found.suppressed_rows:,} ({found.suppressed:.2%}) of at most {spec.suppression:.2%}"
    yield f"- Classes: {found.classes:,}, of {found.average_class:.1f} rows on average"
    left_out = [name for name in table.columns if name not in spec.columns]
    if left_out:
        yield f"- Columns not released: {', '.join(left_out)}"
    for role, said in (
        ("quasi", "generalised"),
        ("average", "averaged"),
        ("sensitive", "sensitive"),
        ("keep", "kept"),
    ):
        if names := [name for name, column in spec.columns.items() if column.role == role]:
            yield f"- Columns {said}: {', '.join(names)}"


def _demands(spec: Spec, release: Release) -> Iterator[str]:
    yield "| demand | asked | smallest or largest found |"
    yield "|---|---|---|"
    if release.people is None:
        yield f"| k, rows in a class | {spec.k} | {release.measures.smallest_class} |"
    else:
        yield f"| k, people in a class | {spec.k} | {release.people} |"
        yield f"| rows in a class | | {release.measures.smallest_class} |"
    for name, found in release.spread.items():
        column = spec.columns[name]
        asked = {} if column.l is None else {column.diversity: f"{column.l:g}"}
        yield f"| {name}: different values | {asked.get('distinct', '')} | {found.distinct} |"
        yield f"| {name}: l by entropy | {asked.get('entropy', '')} | {found.entropy_l:.2f} |"
        if found.ratio is not None and column.l is not None:
            yield f"| {name}: recursive with l = {column.l:g}, c above | {column.c:g} | {found.ratio:.3f} |"
        yield f"| {name}: largest share of one value | | {found.largest_share:.1%} |"
        t = "" if column.t is None else f"{column.t:g}"
        yield f"| {name}: t, {column.distance} distance | {t} | {found.t_of_release:.3f} |"


def _loss(release: Release) -> Iterator[str]:
    found = release.measures
    yield "| loss | |"
    yield "|---|---|"
    yield f"| loss, 0 to 1 | {found.loss:.4f} |"
    yield f"| GCP, 0 to 1 | {found.gcp:.4f} |"
    yield f"| discernibility | {found.discernibility:,} |"
    yield f"| average class, as a multiple of k | {found.average_class_by_k:.2f} |"
    yield f"| bits left open in a row | {found.entropy:.2f} |"
    for name, loss in found.by_column.items():
        yield f"| loss in {name} | {loss:.4f} |"


def _risk(before: Risks, after: Risks, spec: Spec) -> Iterator[str]:
    yield f"| risk of {'people' if spec.person else 'rows'} | before | after |"
    yield "|---|---|---|"
    yield f"| prosecutor, highest | {before.highest:.2%} | {after.highest:.2%} |"
    yield f"| prosecutor, mean | {before.mean:.2%} | {after.mean:.2%} |"
    yield f"| above {after.threshold:.2%} | {before.above:.2%} | {after.above:.2%} |"
    if before.journalist is not None and after.journalist is not None:
        yield f"| journalist, highest expected | {before.journalist:.2%} | {after.journalist:.2%} |"
    yield f"| marketer | {before.marketer:.2%} | {after.marketer:.2%} |"
    yield f"| alone in the table | {before.sample_uniques:.2%} | {after.sample_uniques:.2%} |"
    if before.population_uniques is not None and after.population_uniques is not None:
        yield f"| alone in the population | {before.population_uniques:.2%} | {after.population_uniques:.2%} |"
        yield f"| estimated by | {before.estimator} | {after.estimator} |"
    else:
        yield "| alone in the population | not estimated: the spec names no population | |"
