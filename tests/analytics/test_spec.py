"""What a spec may say, and what is said of one that may not."""

import pytest

from analytics.anonymise import ColumnSpec, Spec, SpecError, parse

QUASI = '[columns.a]\nrole = "quasi"\n'
SICK = '[columns.s]\nrole = "sensitive"\n'


def read(text: str) -> Spec:
    return parse(
        text, {"own.csv": "x,g\ny,g", "own.toml": '[[levels]]\nname = "d"\ntake = "day"'}.__getitem__
    )


def test_everything_that_can_be_said() -> None:
    spec = read(
        'k = 5\nsuppression = 0.1\nperson = "who"\npopulation = 99\ndelimiter = ";"\n'
        '[columns.a]\nrole = "quasi"\nhierarchy = { file = "own.csv", delimiter = "," }\nweight = 2\n'
        '[columns.b]\nrole = "quasi"\nhierarchy = { file = "own.toml" }\n'
        '[columns.c]\nrole = "quasi"\nhierarchy = "number"\n'
        '[columns.d]\nrole = "quasi"\nrelease = "mean"\ndecimals = 0\n'
        '[columns.s]\nrole = "sensitive"\nl = 2.5\ndiversity = "entropy"\nt = 0.2\ndistance = "ordered"\n'
        'order = ["low", "high"]\n'
        '[columns.v]\nrole = "average"\n[columns.m]\nrole = "keep"\n'
    )

    assert (spec.k, spec.suppression, spec.person, spec.population, spec.delimiter) == (
        5,
        0.1,
        "who",
        99,
        ";",
    )
    assert spec.named("quasi") == ["a", "b", "c", "d"]
    assert spec.columns["a"].tree is not None
    assert spec.columns["a"].tree.leaves == ("x", "y")
    assert [spec.columns[name].levels is not None for name in "abc"] == [False, True, True]
    assert spec.columns["s"].order == ("low", "high")
    assert spec.named("average") + spec.named("keep") == ["v", "m"]


def test_line_breaks_inside_quotes_belong_to_the_value() -> None:
    text = 'k = 2\n[columns.a]\nrole = "quasi"\nhierarchy = { file = "own.csv" }\n'

    tree = parse(text, {"own.csv": '"one\ntwo";g;*\r\n"y\r\nz";g;*\r\n'}.__getitem__).columns["a"].tree

    assert tree is not None
    assert tree.leaves == ("one\ntwo", "y\r\nz")


def test_demands_of_the_command_line_come_before_the_specs() -> None:
    spec = read("k = 5\n" + QUASI + SICK + "l = 2\n")

    assert parse("k = 5\n" + QUASI, str, k=7).k == 7
    changed = spec.demanding(k=9, t=0.3)
    assert (changed.k, changed.columns["s"].l, changed.columns["s"].t) == (9, 2, 0.3)
    assert changed.columns["a"] == spec.columns["a"]
    with pytest.raises(SpecError, match="there is none"):
        read("k = 5\n" + QUASI).demanding(l=2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("k = 0\n" + QUASI, "k is at least 1"),
        ("k = 2\nsuppression = 1.5\n" + QUASI, "suppression from 0 to 1"),
        ('k = "2"\n' + QUASI, "k cannot be '2'"),
        ("k = true\n" + QUASI, "k cannot be True"),
        ("k = 2\nshoe = 1\n" + QUASI, "does not know shoe"),
        ("k = 2\n" + SICK, 'role "quasi"'),
        ("k = 2", "describes columns"),
        ('k = 2\nperson = "a"\n' + QUASI, "it has no role"),
        ('k = 2\ndelimiter = ";;"\n' + QUASI, "one character"),
        ('k = 2\n[columns.a]\nrole = "shoe"', "'a': the role is one of quasi"),
        ("k = 2\n" + QUASI + "l = 2", "'a': l is not known where the role is quasi"),
        ("k = 2\n" + QUASI + 'release = "shoe"', "release is one of hierarchy, range, mean"),
        ("k = 2\n" + QUASI + 'hierarchy = "shoe"', "'a': There is no hierarchy 'shoe'"),
        ("k = 2\n" + QUASI + "hierarchy = { shoe = 1 }", "a hierarchy is the name"),
        ("k = 2\n" + QUASI + "weight = 0", "above 0"),
        ("k = 2\n" + QUASI + 'hierarchy = "age"\nrelease = "range"', "has no part in them"),
        ("k = 2\n" + QUASI + SICK + "l = 1.5", "a whole number"),
        ("k = 2\n" + QUASI + SICK + "l = 0", "l is at least 1"),
        ("k = 2\n" + QUASI + SICK + "t = 2", "'s': t is from 0 to 1"),
        ("k = 2\n" + QUASI + SICK + 'distance = "hierarchical"', "needs a hierarchy"),
        ("k = 2\n" + QUASI + SICK + 'diversity = "shoe"', "diversity is one of"),
    ],
)
def test_what_cannot_be_meant_is_named(text: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        read(text)


def test_columns_made_in_code_are_checked_too() -> None:
    with pytest.raises(SpecError, match="t is from 0 to 1"):
        ColumnSpec(role="sensitive", t=-0.1)
