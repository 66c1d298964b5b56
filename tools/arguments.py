"""The command line of programs that take a few words: each answers --help and refuses what it does not know."""

import argparse
from collections.abc import Sequence


def parse(
    doc: str | None, *names: str, flags: Sequence[str] = (), given: Sequence[str] | None = None
) -> argparse.Namespace:
    """
    Read the command line, or end the program: 0 after --help, 2 after a mistake.

    :param doc: what the program does. :param names: words that must be given, in order. :param flags: switches.
    """
    parser = argparse.ArgumentParser(description=doc)
    for name in names:
        parser.add_argument(name)
    for flag in flags:
        parser.add_argument(flag, action="store_true")
    return parser.parse_args(given)
