"""What of consent may wait for a person; `ready()` makes the kinds known. Each concern registers its own."""

from __future__ import annotations

from typing import Final

from callprivacy.tenancy.enums import Permission
from callprivacy.work.kinds import Kind, register

STANDARD_EXPIRED: Final = "standard_expired"
STANDARD_EXPIRING: Final = "standard_expiring"


def register_all() -> None:
    """Make every kind known."""
    register_standards()


def register_standards() -> None:
    """A client's lowered standard is about to end, or has ended: for who looks after its consent."""
    register(
        Kind(
            STANDARD_EXPIRING,
            title="A standard below express consent ends soon",
            step="Look at the standard",
            url_name="consent:standard",
            permission=Permission.MANAGE_CONSENT,
        )
    )
    register(
        Kind(
            STANDARD_EXPIRED,
            title="A standard has ended: express consent is asked for again",
            step="Look at the standard",
            url_name="consent:standard",
            permission=Permission.MANAGE_CONSENT,
        )
    )
