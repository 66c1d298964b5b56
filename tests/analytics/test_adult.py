"""On UCI's Adult, the field's yardstick: as good as is claimed, and confirmed by pyCANON where that is installed."""

import gzip
from pathlib import Path

import pytest

from analytics.anonymise import Release, Table, anonymise
from lab.bench import bench_anonymise as bench
from lab.bench import referees
from tests.analytics import referee


@pytest.fixture(scope="module")
def adult() -> Table:
    text = gzip.decompress((bench.FOLDER / "adult.csv.gz").read_bytes()).decode()
    return Table.read(text.splitlines(), delimiter=";")


@pytest.fixture(scope="module")
def release(adult: Table) -> Release:
    return anonymise(adult, bench.spec(bench.Setting(5), ranges=True))


def test_at_5_the_loss_is_at_most_what_is_claimed(release: Release) -> None:
    columns = (release.table.columns[name].texts() for name in bench.QUASI)
    sizes = [len(members) for members in referee.classes(list(zip(*columns, strict=True)))]

    assert sum(sizes) == 30_162
    assert min(sizes) >= 5
    assert release.measures.loss <= bench.LOSS_AT_MOST


def test_quick_at_10_loses_at_most_what_is_claimed(adult: Table) -> None:
    release = anonymise(adult, bench.spec(bench.Setting(10), ranges=False), effort="quick")

    assert release.measures.smallest_class >= 10
    assert release.measures.loss <= bench.QUICK_LOSS_AT_MOST


def test_the_loss_is_counted_as_the_yardstick_says(adult: Table, release: Release) -> None:
    lost = 0.0
    for name in bench.QUASI:
        lines = (bench.FOLDER / f"adult_hierarchy_{name}.csv").read_text(encoding="utf-8").splitlines()
        paths = {line.split(";")[0]: line.split(";") for line in lines if line}
        under = {
            label: len({value for value, path in paths.items() if label in path})
            for label in set().union(*paths.values())
        }
        for before, after in zip(
            adult.columns[name].texts(), release.table.columns[name].texts(), strict=True
        ):
            if name == "age" and "-" in after:
                low, high = map(int, after.split("-"))
                assert low <= int(before) <= high
                leaves = high - low + 1
            else:
                assert after in paths[before]
                leaves = under[after]
            lost += (leaves - 1) / (len(paths) - 1)

    assert release.measures.loss == pytest.approx(lost / 30_162 / 8)


@pytest.mark.parametrize("setting", [bench.Setting(3, l=2), bench.Setting(5, t=0.3)], ids=str)
@pytest.mark.thorough
def test_pycanon_finds_what_was_demanded(adult: Table, setting: bench.Setting, tmp_path: Path) -> None:
    """Of some rows; the benchmark asks about all of them."""
    some = Table.of({name: column.texts()[::12] for name, column in adult.columns.items()})
    release = anonymise(some, bench.spec(setting, ranges=False))

    found = bench.measured_by_pycanon(release, tmp_path / "out.csv", referees.install())

    assert found["k"] == release.measures.smallest_class >= setting.k
    spread = release.spread[bench.SENSITIVE]
    assert found[bench.SENSITIVE]["l"] == spread.distinct >= (setting.l or 1)
    assert found[bench.SENSITIVE]["t"] == pytest.approx(spread.t_of_release, abs=1e-9)
    assert found[bench.SENSITIVE]["entropy_l"] == int(spread.entropy_l + 1e-9)
