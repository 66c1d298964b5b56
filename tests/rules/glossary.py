"""Words outside the glossary in what a person reads: `python -m tests.rules.glossary PATH...` lists them.

Read are the visible text of templates, sentences in Python (no docstrings), strings in TOML and prose in Markdown.
"""

import ast
import html.parser
import io
import re
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.rules import source

WORDS: Final = (
    r"deeds?", r"errands?", r"noes", r"said no", r"a no(?=[ ,.;:](?!longer))", r"takes? (?:it |that )?back", r"told",
    r"the (?:client|caller|agency)['’]s word", r"(?:your|whose|their|his|her) word", r"binders?",
    r"the trail|trail(?:['’]s)?(?= of| entr| event|\.)", r"(?<!un)seals?(?: over| of the| at)?", r"not sealed yet",
    r"dut(?:y|ies)", r"postures?", r"programme", r"work queue", r"needs? you", r"what waits", r"waits? for you",
    r"grounds?", r"proven", r"by hand of", r"doors?", r"somebody", r"nobody", r"whoever", r"whomever", r"anybody",
    r"everybody", r"mend(?:s|ed)?", r"wr(?:ites?|ote|itten) (?:it |this |that |them )?down", r"noted",
    r"kept? for ever", r"withheld", r"colou?rs? of the page", r"whom", r"come in(?=\b(?! (?:the|a|two|three)))",
    r"by itself", r"anew", r"would (?:leave|go)", r"leaves? (?:by|on|at|when|after|before)",
    r"(?:is|are|was|were|have|has) (?:all |already )?gone", r"left to", r"no law (?:names|sets)", r"opened with them",
    r"this very", r"thrown? (?:it |this )?away", r"take[ns]? in", r"standing", r"stands?",
    r"nothing (?:is|was|has been) said", r"did not say", r"speaks? of", r"goes out", r"set out",
)  # fmt: skip
"""The left column of the glossary and the shapes it replaces, each as a whole word in any case."""
BRITISH: Final = (
    r"\w*colour\w*", r"behaviour\w*", r"\w*ognise\w*", r"organis\w+", r"\w*onymis\w+", r"authoris\w+", r"honour\w*",
    r"favour\w*", r"licence\w*", r"centre\w*", r"cancelled", r"labelled", r"catalogue\w*", r"summaris\w+",
    r"minimis\w+", r"finalis\w+", r"generalis\w+", r"analys(?:e|ed|ing)", r"judgement", r"whilst", r"towards",
    r"cheque", r"travell\w+", r"fulfil", r"enrol", r"instalment\w*", r"neighbour\w*", r"practis\w+", r"defence",
    r"offence\w*", r"modell\w+",
)  # fmt: skip
_SHAPES: Final = re.compile(r"(?:^|[.!?:] )(?:Who|Whoever|Somebody|Nobody|Whom) (?!\w+[^.?!]*\?)\w+")
_WORDS: Final = re.compile(r"\b(?:" + "|".join(WORDS + BRITISH) + r")\b", re.IGNORECASE)
_TAGS: Final = re.compile(r"{%.*?%}|{{.*?}}|{#.*?#}", re.DOTALL)
_QUOTED: Final = re.compile(r'"([^"{}%]*)"')
_SEEN: Final = frozenset({"title", "alt", "placeholder", "aria-label", "content", "value"})


class Hit(NamedTuple):
    """A word and where it is."""

    file: str
    line: int
    word: str
    text: str


class _Text(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[tuple[int, str]] = []
        self._skipped = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._skipped += tag in {"script", "style"}
        self.texts += [(self.getpos()[0], value) for name, value in attrs if name in _SEEN and value]

    def handle_endtag(self, tag: str) -> None:
        self._skipped -= tag in {"script", "style"}

    def handle_data(self, data: str) -> None:
        if not self._skipped:
            start = self.getpos()[0]
            self.texts += [(start + number, line) for number, line in enumerate(data.split("\n"))]


def _template(text: str) -> Iterator[tuple[int, str]]:
    text = re.sub(r"{% comment.*?endcomment %}", lambda cut: "\n" * cut[0].count("\n"), text, flags=re.DOTALL)
    for tag in _TAGS.finditer(text):
        line = text.count("\n", 0, tag.start()) + 1
        yield from ((line, quoted) for quoted in _QUOTED.findall(tag[0]) if " " in quoted)
    parser = _Text()
    parser.feed(_TAGS.sub(lambda tag: "\n" * tag[0].count("\n") or " … ", text))
    yield from parser.texts


def _python(text: str) -> Iterator[tuple[int, str]]:
    tree = ast.parse(text)
    documented = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            documented.add(id(node.value))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in documented:
            continue
        if " " in node.value.strip() or (node.value[:1].isupper() and node.value[1:].islower()):
            yield node.lineno, node.value


def prose(text: str) -> Iterator[tuple[int, str]]:
    """Comments and docstrings of a Python file."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield node.lineno, node.value.value
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def _toml(text: str) -> Iterator[tuple[int, str]]:
    def strings(value: Any) -> Iterator[str]:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            for part in value.values():
                yield from strings(part)
        elif isinstance(value, list):
            for part in value:
                yield from strings(part)

    for string in strings(tomllib.loads(text)):
        place = text.find(string[:40])
        yield text.count("\n", 0, place) + 1 if place >= 0 else 0, string


def _markdown(text: str) -> Iterator[tuple[int, str]]:
    fenced = False
    for number, line in enumerate(text.split("\n"), 1):
        fenced ^= line.lstrip().startswith("```")
        if not fenced and not line.startswith("    "):
            yield number, re.sub(r"`[^`]*`|\]\([^)]*\)", " ", line)


READERS: Final = {
    ".html": _template,
    ".txt": _template,
    ".svg": _template,
    ".py": _python,
    ".toml": _toml,
    ".md": _markdown,
}


def hits(file: Path, *, comments: bool = False) -> Iterator[Hit]:
    """Each word of a file that the glossary replaces."""
    reader = READERS.get(file.suffix)
    if reader is None:
        return
    text = file.read_text(encoding="utf-8")
    for line, part in prose(text) if comments else reader(text):
        for word in (*_WORDS.finditer(part), *_SHAPES.finditer(part)):
            yield Hit(str(file.relative_to(source.ROOT, walk_up=True)), line, word[0], part.strip())


def files(paths: list[str]) -> Iterator[Path]:
    """The files under paths, without migrations."""
    for path in paths:
        base = source.ROOT / path
        for file in sorted(base.rglob("*")) if base.is_dir() else [base]:
            if file.is_file() and "migrations" not in file.parts and file.suffix in READERS:
                yield file


if __name__ == "__main__":
    flags = {word for word in sys.argv[1:] if word.startswith("--")}
    for file in files([word for word in sys.argv[1:] if not word.startswith("--")]):
        for hit in hits(file, comments="--comments" in flags and file.suffix == ".py"):
            sys.stdout.write(f"{hit.file}:{hit.line}: [{hit.word}] {hit.text[:200]}\n")
