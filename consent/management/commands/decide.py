"""Decide questions from a file, with the same function that decides in the product."""

from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from callprivacy.lib.commands import OwnCommand
from consent import law
from consent.decide import decide, lines


class Command(OwnCommand):
    help = (
        "Decide each line of a JSON Lines file by the shipped rules, without a database. Each answer is one line, in "
        "the order of the questions. Empty lines are skipped. The first invalid line ends the run: its number and "
        "the error are written to standard error, the exit status is 1, and the lines before it are answered."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="a file of JSON lines, or - for standard input")
        parser.add_argument("--rules", type=Path, metavar="PACK", help="decide by this rule pack instead")

    def handle(self, *_: Any, **options: Any) -> None:
        rules = self._rules(options["rules"])
        for number, line in self._lines(options["file"]):
            try:
                question = lines.read_question(line)
            except lines.LineError as error:
                self.stdout.flush()
                raise CommandError(f"line {number}: {error}") from None
            self.stdout.write(lines.write_answer(decide(question, rules)))

    def _rules(self, path: Path | None) -> law.Rules:
        try:
            return law.load_pack() if path is None else law.parse_pack(path.read_bytes())
        except (OSError, law.PackError) as error:
            raise CommandError(str(error)) from error

    def _lines(self, name: str) -> Iterator[tuple[int, str]]:
        try:
            with open(0 if name == "-" else name, "rb", closefd=name != "-") as file:
                for number, raw in enumerate(file, start=1):
                    line = self._text(number, raw)
                    if line.strip():
                        yield number, line
        except OSError as error:
            raise CommandError(f"{name} cannot be read: {error.strerror}.") from error

    def _text(self, number: int, raw: bytes) -> str:
        try:
            return raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            self.stdout.flush()
            raise CommandError(f"line {number}: is not UTF-8") from None
