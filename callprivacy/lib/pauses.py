"""
Pauses before something is tried again.

What failed together would be tried again together, and hit a vendor that has just come back, or many receivers of ours,
in step. So each pause is longer by a part that chance decides; entrances throw the dice, and tests say what falls.
"""

import secrets
from datetime import timedelta
from typing import Final

_AT_MOST: Final = 0.25
_SIDES: Final = 10_000


def dice() -> float:
    return secrets.randbelow(_SIDES) / _SIDES


def spread(pause: timedelta, chance: float) -> timedelta:
    """A pause, and up to a quarter more of it. :param chance: 0 to 1."""
    return pause * (1 + chance * _AT_MOST)
