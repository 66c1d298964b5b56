"""`make bench ARGS="--against COMMIT"`: which figures are read, what is said of their pairs, and what stays behind."""

import subprocess
from pathlib import Path

import pytest

from lab.bench import against

CHECK = """
milliseconds, at 200 a second                     p50      p95      p99
baseline: /healthz of the same server             2.0      2.8      3.3
consent/check of one number                       4.8      6.7     10.8  p99 3.31 of the baseline's; 0 failed
milliseconds, one after the other                 p50      p95      p99
baseline: decide() alone, 1,000 times            58.1
every goal is met
"""


def test_the_columns_of_a_table_are_figures() -> None:
    assert against.figures(CHECK) == {
        "baseline: /healthz of the same server, p50": 2.0,
        "baseline: /healthz of the same server, p95": 2.8,
        "baseline: /healthz of the same server, p99": 3.3,
        "consent/check of one number, p50": 4.8,
        "consent/check of one number, p95": 6.7,
        "consent/check of one number, p99": 10.8,
        "baseline: decide() alone, 1,000 times, p50": 58.1,
    }


def test_times_and_paces_in_a_line_are_figures_and_coarse_ones_and_preparations_are_not() -> None:
    printed = (
        "filled 5,000,000 calls in 128 s\n"
        "1,769 looks before: median 0.6 ms, p99 1.2 ms\n"
        "Import:   59.4 s, 20,000 rows/s (load 2.1)\n"
        "29 clients     29.7 ms  33.3 ms\n"
        "29 clients     23.2 ms\n"
    )
    assert against.figures(printed) == {
        "… looks before: median, figure 2": 1.2,
        "Import:": 59.4,
        "Import:, figure 2": 1 / 20_000,
        "29 clients": 29.7,
        "29 clients, figure 2": 33.3,
        "29 clients (2)": 23.2,
    }


@pytest.mark.parametrize(
    ("ratios", "said", "code"),
    [
        ((1.2, 1.3), "Slower by more than 10 %: check.", 1),
        ((1.09, 1.1), "Nothing became slower by more than 10 %.", 0),
        ((0.8, 0.7), "Faster by more than 10 %: check.", 0),
        ((0.9, 1.9), "More than 10 % apart, but the pairs disagree; measure more pairs: check.", 0),
        ((1.0, 1.3, 1.2), "More than 10 % apart, but the pairs disagree; measure more pairs: check.", 0),
        ((1.01, 1.3, 1.2), "Slower by more than 10 %: check.", 1),
    ],
)
def test_a_figure_changed_where_every_pair_says_so(ratios: tuple[float, ...], said: str, code: int) -> None:
    lines, ended = against.verdict([({"check": 10.0}, {"check": 10.0 * ratio}) for ratio in ratios])
    assert said in lines
    assert ended == code


def test_each_figure_has_its_median_ratio_and_its_spread() -> None:
    pairs = [({"a": 10.0, "b": 4.0}, {"a": 12.0, "b": 4.0}), ({"a": 10.0, "b": 4.0}, {"a": 14.0, "new": 1.0})]
    lines, code = against.verdict(pairs)
    assert lines[1:] == [
        "  1.30 (1.20 to 1.40)  a",
        "Slower by more than 10 %: a.",
        "Not measured in every run, so not compared: b; new.",
    ]
    assert code == 1


def test_where_no_figure_is_in_both_nothing_passes() -> None:
    assert against.verdict([({"a": 1.0}, {"b": 1.0})]) == (["Nothing was measured by both versions."], 1)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An earlier version that takes 10 ms and a present one, not committed, that takes 20."""
    earlier = tmp_path / "bench" / "bench_one.py"
    module = tmp_path / "lab" / "bench" / "bench_one.py"
    earlier.parent.mkdir()
    module.parent.mkdir(parents=True)
    earlier.write_text("print('one 10 ms')", encoding="utf-8")
    git = ("git", "-c", "user.name=A", "-c", "user.email=a@example.com", "-C", str(tmp_path))
    for words in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "One"), ("tag", "v1")):
        subprocess.run([*git, *words], check=True)
    module.write_text("print('one 20 ms')", encoding="utf-8")
    monkeypatch.setattr(against, "ROOT", tmp_path)
    monkeypatch.setattr(against, "TREE", tmp_path / ".state" / "bench-against")
    return tmp_path


def test_both_versions_run_in_turn_and_no_worktree_stays(
    repository: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code = against.compare("v1", ["lab.bench.bench_one", "lab.bench.bench_new"], 2)

    printed = capfd.readouterr().out
    ran = [line.split(", ")[1] for line in printed.splitlines() if line.startswith("---")]
    assert ran == ["earlier version", "present version", "present version", "earlier version"]
    assert "lab.bench.bench_new is not in that version and is left out." in printed
    assert "Slower by more than 10 %: one: one." in printed
    assert code == 1
    assert not against.TREE.exists()
    listed = subprocess.run(
        ["git", "-C", str(repository), "worktree", "list"], capture_output=True, text=True, check=True
    )
    assert len(listed.stdout.splitlines()) == 1


@pytest.mark.parametrize("commit", ["v2", "", "--all"])
def test_what_is_no_version_is_refused(repository: Path, commit: str) -> None:
    with pytest.raises(against.AgainstError):
        against.compare(commit, ["lab.bench.bench_one"], 1)
    assert not against.TREE.exists()
