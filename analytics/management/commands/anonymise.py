"""Anonymise a file, with the same functions that the product's releases go through."""

import contextlib
import os
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import CommandError

from analytics.anonymise import AnonymiseError, Spec, Table, anonymise, parse
from analytics.anonymise.report import report
from analytics.anonymise.traces import warnings, without_ids
from callprivacy.lib.commands import OwnCommand
from callprivacy.lib.progress import Output, Progress


class Command(OwnCommand):
    help = (
        "Generalise the rows of a CSV file until nobody stands out by the columns that the spec calls "
        "quasi-identifying, and write them, shuffled, to another file. Needs no database. What the columns are and "
        "which hierarchies they have is in the spec, described in docs/anonymiser.md. The report goes to standard "
        "output; nothing is written where the demands cannot be met."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "source", metavar="IN.csv", type=Path, help="a CSV file with the names of its columns on top"
        )
        parser.add_argument("target", metavar="OUT.csv", type=Path, help="where the release is written")
        parser.add_argument(
            "--spec", type=Path, required=True, metavar="SPEC.toml", help="what the columns are"
        )
        parser.add_argument("--k", type=int, help="instead of the spec's: rows, or people, in a class")
        parser.add_argument("--l", type=float, help="instead of the spec's, for every sensitive column")
        parser.add_argument("--t", type=float, help="instead of the spec's, for every sensitive column")
        parser.add_argument(
            "--quick", "--fast", action="store_true", help="search less, and lose a little more"
        )
        parser.add_argument("--report", type=Path, metavar="FILE", help="write the report here as well")

    def handle(self, *_: Any, **options: Any) -> None:
        source, target, spec_path = options["source"], options["target"], options["spec"]
        if target.exists() and source.exists() and target.samefile(source):
            raise CommandError("The release would overwrite what it is made from: name another file.")
        try:
            written = _spec(spec_path, options)
            with source.open(encoding="utf-8-sig", newline="") as file:
                table = Table.read(file, delimiter=written.delimiter)
            spec = without_ids(table, written)
            with _steps(self.stderr) as step:
                release = anonymise(
                    table, spec, effort="quick" if options["quick"] else "full", progress=step
                )
            found = list(warnings(table, written, spec))
            text = report(table, spec, release, found)
            with _whole(target) as file:
                release.table.shuffled().write(file, delimiter=spec.delimiter)
            if options["report"] is not None:
                with _whole(options["report"]) as file:
                    file.write(text)
        except AnonymiseError as error:
            raise CommandError(str(error)) from error
        except UnicodeDecodeError as error:
            raise CommandError(f"{source} is not UTF-8 (byte {error.start}).") from error
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}.") from error
        for warning in found:
            self.stderr.write(self.style.WARNING(warning))
        self.stdout.write(text)


def _spec(path: Path, options: dict[str, Any]) -> Spec:
    """The spec with what the command line says otherwise; files that it names lie beside it."""
    spec = parse(
        path.read_text(encoding="utf-8"),
        lambda name: _text(path.parent / name),
        k=options["k"],
    )
    return spec.demanding(l=options["l"], t=options["t"])


def _text(path: Path) -> str:
    """A file's text with its line ends as they are: one inside quotes belongs to a value."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return file.read()


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[TextIO]:
    """A file that is there when all of it is written, for nobody but its owner to read, or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            yield file
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


class _Steps:
    """One line of progress for each thing that is done."""

    def __init__(self, out: Output, open_lines: contextlib.ExitStack) -> None:
        self._out, self._open = out, open_lines
        self._line: Progress | None = None

    def __call__(self, what: str, done: int, total: int) -> None:
        if self._line is None or self._line.what != what:
            self._open.close()
            self._line = self._open.enter_context(Progress(what, out=self._out, total=total))
        if done > self._line.done:
            self._line.step(done - self._line.done)


@contextlib.contextmanager
def _steps(out: Output) -> Iterator[_Steps]:
    with contextlib.ExitStack() as open_lines:
        yield _Steps(out, open_lines)
