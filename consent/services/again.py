"""
Doing once more what must not be lost, where another transaction stood in its way for a moment.

A person who says no does not say it again because two rows met: whoever waits too long for a lock, or writes what
somebody else has written just now, tries anew. What fails for longer is said to fail, so that nothing is claimed.
"""

import time
from collections.abc import Callable
from typing import Final

from django.db import IntegrityError, OperationalError

from callprivacy.lib.logs import logger
from consent.services.ledger import CallerGoneError

log = logger(__name__)

PAUSES: Final = (0.1, 0.4)
"""Seconds before the second and the third try. Each may wait two seconds for a lock, and a vendor for fifteen."""
_PASSING: Final = (CallerGoneError, IntegrityError, OperationalError)


class BusyError(Exception):
    """It could not be done now; nothing of it was written."""


def insist[T](deed: Callable[[], T], *, pause: Callable[[float], object] = time.sleep) -> T:
    """
    Do it, up to three times. Called outside any scope: each try is a transaction of its own.

    :raises BusyError: it failed each time.
    """
    for seconds in PAUSES:
        try:
            return deed()
        except _PASSING as error:
            log.info("consent.tried_again", error=type(error).__name__)
            pause(seconds)
    try:
        return deed()
    except _PASSING as error:
        log.error("consent.busy", error=type(error).__name__)  # noqa: TRY400  (a text may hold a value)
        raise BusyError from error
