"""What an operator types: a file and a spec in, a release and its report out, or a message that says what to do."""

import csv
import stat
from collections import Counter
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.analytics import tables

SPEC = """
k = 2
population = 1000

[columns.colour]
role = "quasi"
hierarchy = { file = "colours.csv" }

[columns.age]
role = "quasi"
release = "range"

[columns.illness]
role = "sensitive"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with calls.csv, spec.toml and the hierarchy that this names."""
    names = (*tables.NAMES, "age", "illness", "work", "who")
    with (tmp_path / "in.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([names, *tables.seeded(11, 200)])
    (tmp_path / "spec.toml").write_text(SPEC, encoding="utf-8")
    lines = [";".join(path) for path in tables.COLOURS.values()]
    (tmp_path / "colours.csv").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


def run(folder: Path, *arguments: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    paths = (str(folder / "in.csv"), str(folder / "out.csv"))
    call_command("anonymise", *paths, "--spec", str(folder / "spec.toml"), *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_a_file_becomes_a_release_with_a_report(folder: Path) -> None:
    out, err = run(folder, "--k", "6", "--l", "2", "--t", "0.45", "--report", str(folder / "report.md"))

    header, *body = rows(folder / "out.csv")
    assert header == ["colour", "age", "illness"]
    assert len(body) == 200
    assert Counter(row[2] for row in body) == Counter(row[4] for row in tables.seeded(11, 200))
    assert min(Counter((row[0], row[1]) for row in body).values()) >= 6
    assert "| k, rows in a class | 6 |" in out
    assert "| illness: different values | 2 |" in out
    assert "| illness: t, equal distance | 0.45 |" in out
    assert "Columns not released: shape, side, work, who" in out
    assert "makes no table anonymous by itself" in out
    assert "alone in the population" in out
    assert (folder / "report.md").read_text(encoding="utf-8") == out
    assert "Generalising: " in err
    assert "Refining again: " in err


def test_nobody_else_may_read_what_is_written(folder: Path) -> None:
    run(folder)

    assert stat.S_IMODE((folder / "out.csv").stat().st_mode) == 0o600
    assert sorted(found.name for found in folder.iterdir()) == [
        "colours.csv",
        "in.csv",
        "out.csv",
        "spec.toml",
    ]


def test_quick_meets_the_same_demands(folder: Path) -> None:
    out, err = run(folder, "--k", "6", "--quick")

    assert min(Counter((row[0], row[1]) for row in rows(folder / "out.csv")[1:]).values()) >= 6
    assert "Refining" not in err
    assert "| k, rows in a class | 6 | 6 |" in out


def test_people_and_recursive_diversity_are_reported(folder: Path) -> None:
    spec = (SPEC + 'l = 2\ndiversity = "recursive"\nc = 3.0\n').replace("k = 2", 'k = 3\nperson = "who"')
    (folder / "spec.toml").write_text(spec, encoding="utf-8")

    out, _ = run(folder)

    assert "| k, people in a class | 3 | 3 |" in out
    assert "| illness: recursive with l = 2, c above | 3 | " in out
    assert "| risk of people | before | after |" in out
    ratio = float(out.split("c above | 3 | ")[1].split(" ")[0])
    assert ratio < 3


@pytest.mark.parametrize(
    ("spec", "arguments", "said"),
    [
        (SPEC, ("--k", "201"), "Ask for less"),
        (SPEC, ("--l", "9"), "Ask for less"),
        (SPEC.replace("illness", "shoe"), (), "has no column 'shoe'"),
        (SPEC.replace("colours.csv", "shoes.csv"), (), "shoes.csv: No such file"),
        ("k = ", (), "not TOML"),
        (SPEC.replace("k = 2", ""), (), "k is missing"),
    ],
)
def test_what_goes_wrong_is_said_and_nothing_is_written(
    folder: Path, spec: str, arguments: tuple[str, ...], said: str
) -> None:
    (folder / "spec.toml").write_text(spec, encoding="utf-8")

    with pytest.raises(CommandError, match=said):
        run(folder, *arguments)

    assert not (folder / "out.csv").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"colour,age,illness\na,1\n", "Line 2 has 2 cells where the first line names 3"),
        (b"colour,age,colour\n", "each once"),
        (b"colour,age,illness\n", "no rows"),
        (b"", "each once"),
        (b"colour,age,illness\na,1,\xff\n", "not UTF-8"),
        (b'colour,age,illness\na,"1"2,flu\n', "Line 2 is not CSV"),
        (b"colour,age,illness\nz,1,flu\nz,1,flu\n", "does not know 'z'"),
    ],
)
def test_a_file_that_is_no_table_is_refused(folder: Path, content: bytes, said: str) -> None:
    (folder / "in.csv").write_bytes(content)

    with pytest.raises(CommandError, match=said):
        run(folder)


def test_a_file_is_not_overwritten_by_what_is_made_from_it(folder: Path) -> None:
    before = (folder / "in.csv").read_bytes()
    (folder / "out.csv").symlink_to(folder / "in.csv")

    with pytest.raises(CommandError, match="name another file"):
        run(folder)

    assert (folder / "in.csv").read_bytes() == before


def test_marks_of_byte_order_and_blank_lines_are_passed_over(folder: Path) -> None:
    (folder / "in.csv").write_bytes(b"\xef\xbb\xbfcolour,age,illness\n\na,1,flu\na,1,cold\n\n")

    run(folder)

    assert sorted(rows(folder / "out.csv")[1:]) == [["a", "1", "cold"], ["a", "1", "flu"]]


def test_rows_are_written_in_an_order_that_is_nobodys(folder: Path) -> None:
    orders = []
    for _ in range(2):
        run(folder)
        orders.append([row[2] for row in rows(folder / "out.csv")[1:]])

    came_in = [row[4] for row in tables.seeded(11, 200)]
    assert Counter(orders[0]) == Counter(orders[1]) == Counter(came_in)
    assert came_in != orders[0] != orders[1] != came_in


def test_ids_are_dropped_and_columns_that_order_the_rows_are_named(folder: Path) -> None:
    names = ("colour", "call", "week", "cents", "age", "illness", "number")
    lines = [
        (
            row[0],
            f"{place % 7}-{place}",
            f"week {place // 10:02}",
            place * 37 % 199,
            *row[3:5],
            99 - place // 3,
        )
        for place, row in enumerate(tables.seeded(11, 200))
    ]
    with (folder / "in.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([names, *lines])
    kept = "".join(f'[columns.{name}]\nrole = "keep"\n' for name in ("call", "week", "cents", "number"))
    (folder / "spec.toml").write_text(SPEC + kept, encoding="utf-8")

    out, err = run(folder)

    assert rows(folder / "out.csv")[0] == ["colour", "age", "illness", "week", "cents", "number"]
    assert "Columns not released: call" in out
    for said in (
        "call is not released: it holds another value in each row",
        "week is released as it is and follows the order of the input",
        "cents is released as it is and tells rows apart: 99% of its values occur once",
        "number is released as it is and follows the order of the input",
    ):
        assert f"- Warning: {said}" in out
        assert said in err
    assert "cents is released as it is and follows" not in err
    assert "illness is released" not in err


def test_values_with_line_breaks_are_found_in_their_hierarchy(folder: Path) -> None:
    with (folder / "colours.csv").open("a", encoding="utf-8", newline="") as file:
        file.write('\n"light\r\ngreen";greens;cold;*\n')
    (folder / "in.csv").write_bytes(b'colour,age,illness\r\n"light\r\ngreen",1,flu\r\nh,1,cold\r\n')

    run(folder)

    assert sorted(rows(folder / "out.csv")[1:]) == [["greens", "1", "cold"], ["greens", "1", "flu"]]
