"""How large the product may be: no figure of ratchet.toml rises, and who lowers one writes it down."""

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from django.apps import apps

from callprivacy import celery
from tests.rules import glossary, source

_FIGURES: Final = tomllib.loads(Path(__file__).with_name("ratchet.toml").read_text(encoding="utf-8"))
_LONG: Final = 400
_SLACK: Final = 0.02
"""By how much of itself a figure may lie below what is written."""
_DIALECT: Final = frozenset({
    "anew", "asked", "binder", "deed", "deeds", "door", "doors", "errand", "errands", "forget", "found", "ground",
    "house", "insist", "leftover", "news", "noes", "nudge", "pulse", "said", "sweep", "told", "tomb", "tombs",
    "touched", "ways", "wish",
})  # fmt: skip
"""The left column of the glossary, as parts of names."""


def _counted() -> dict[str, int]:
    texts = {file: file.read_text(encoding="utf-8") for file in source.files()}
    nodes = [node for file in texts for node in source.nodes(file)]
    classes = Counter(
        node.name for node in nodes if isinstance(node, ast.ClassDef) and node.name not in {"Meta", "Command"}
    )
    templates = (source.ROOT / "templates").rglob("*.*")
    return {
        "statements": sum(isinstance(node, ast.stmt) for node in nodes),
        "lines": sum(text.count("\n") for text in texts.values()),
        "template_lines": sum(file.read_text(encoding="utf-8").count("\n") for file in templates),
        "models": sum(
            model.__module__.partition(".")[0] in source.CODE
            for model in apps.get_models(include_auto_created=True)
        ),
        "beat_entries": len(celery.entries()),
        "long_files": sum(text.count("\n") > _LONG for text in texts.values()),
        "largest_folder": max(Counter(file.parent for file in texts).values()),
        "repeated_class_names": sum(number > 1 for number in classes.values()),
        "dialect_in_names": sum(not _DIALECT.isdisjoint(_words(name)) for name in _names(nodes)),
        "dialect_in_texts": sum(
            1 for file in glossary.files([*source.CODE, "templates"]) for _ in glossary.hits(file)
        ),
    }


def _names(nodes: list[ast.AST]) -> Iterator[str]:
    """What our code names: classes, functions, arguments, variables and attributes that are set."""
    for node in nodes:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.id if isinstance(node, ast.Name) else node.attr


def _words(name: str) -> set[str]:
    return set(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().split("_"))


@pytest.mark.parametrize("figure", _FIGURES)
def test_a_figure_does_not_rise(figure: str) -> None:
    assert _COUNTED[figure] <= _FIGURES[figure]


@pytest.mark.parametrize("figure", _FIGURES)
def test_a_figure_that_fell_is_written_down(figure: str) -> None:
    assert _COUNTED[figure] >= int(_FIGURES[figure] * (1 - _SLACK))


def test_every_figure_is_counted() -> None:
    assert _COUNTED.keys() == _FIGURES.keys()


def test_the_dialect_is_found_in_a_name() -> None:
    nodes = list(ast.walk(ast.parse("def take(asked: str) -> None:\n    was_told = isSaid = kept = asked\n")))

    hits = {name for name in _names(nodes) if not _DIALECT.isdisjoint(_words(name))}
    assert hits == {"asked", "was_told", "isSaid"}


@pytest.mark.parametrize(
    ("suffix", "text", "words"),
    [
        (".html", '<p title="Noted">{{ told }}</p><script>told</script>\n<p>Saved</p>', ["Noted"]),
        (".py", '"""Nobody reads this."""\nsaid = "Somebody called."\n', ["Somebody", "Somebody called"]),
        (".toml", 'told = "The duty ends."\n', ["duty"]),
    ],
)
def test_the_dialect_is_found_in_what_is_read(
    suffix: str, text: str, words: list[str], tmp_path: Path
) -> None:
    file = tmp_path / f"planted{suffix}"
    file.write_text(text, encoding="utf-8")
    assert [hit.word for hit in glossary.hits(file)] == words


_COUNTED: Final = _counted()
