"""The words that mean something when they stand alone, channel by channel, read from `words.csv`."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from consent.enums import Purpose

CHANNELS: Final = ("sms", "email", "web", "voice")
EVERYTHING: Final = frozenset(
    {Purpose.CONTACT, Purpose.RECORD, Purpose.REVIEW, Purpose.ANALYSE, Purpose.SHARE}
)
"""What a plain STOP withdraws. Measuring rests on the client's declared basis and has its own opt-out."""


@dataclass(frozen=True, slots=True)
class Word:
    word: str
    language: str
    labels: dict[str, str]
    """Channel -> what the word alone means there."""
    purposes: frozenset[Purpose]
    """Empty where the word only answers: the invitation names them."""
    restores: bool
    """START and its kin: texting again, and nothing else."""
    sources: tuple[str, ...]
    """Whose list it is on."""


@cache
def load() -> dict[str, Word]:
    """Word (lower case, without accents) -> its row."""
    with Path(__file__).with_name("words.csv").open(encoding="utf-8", newline="") as file:
        return {
            row["word"]: Word(
                word=row["word"],
                language=row["language"],
                labels={channel: row[channel] for channel in CHANNELS},
                purposes=_purposes(row["purposes"]),
                restores=row["sms"] == "consent" and row["purposes"] == "contact",
                sources=tuple(row["sources"].split()),
            )
            for row in csv.DictReader(file)
        }


def _purposes(text: str) -> frozenset[Purpose]:
    if text == "all":
        return EVERYTHING
    return frozenset() if text in {"answer", "none"} else frozenset(map(Purpose, text.split("+")))
