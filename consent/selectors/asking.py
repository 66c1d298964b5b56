"""
Who is not to be asked for a consent: whoever opted out is left in peace for twelve months (Cal. Civ. Code
1798.135(c)(4), 11 CCR 7028(a)), whatever became of the no meanwhile.

It is a line of the vault's list, by number and by mail address, with the day from which somebody may ask again; so it
outlives an erasure, and a yes that the person says by itself does not end it.

Nor is everybody asked for a consent to advertising: such a question is judged as advertising.
"""

import uuid
from collections.abc import Collection
from datetime import date, datetime
from typing import Final

from callprivacy.tenancy.models import Client
from callprivacy.vault import selectors as vault
from consent.enums import NOT_ASKED, Purpose
from consent.models import NoticeVersion
from consent.selectors import standards

ADVERTISING: Final = frozenset({Purpose.CONTACT, Purpose.SHARE})
"""To ask for a consent to one of these is itself advertising: S.C. 2010, c. 23, s.1(3)."""


def is_advertising(version: NoticeVersion) -> bool:
    """Whether to ask with these words is advertising. With the version's notice."""
    return not ADVERTISING.isdisjoint(version.notice.purposes)


def not_asked(client: Client, values: Collection[str], *, at: datetime) -> set[str]:
    """Those of these numbers (E.164) or mail addresses (in lower case) that nobody asks now."""
    if not values:
        return set()
    found = vault.suppressed(client.pk, values, on=standards.today_at(client, at))
    return {value for value, noes in found.items() if NOT_ASKED in noes}


def is_not_asked(client: Client, caller_id: uuid.UUID, *, at: datetime) -> bool:
    found = vault.suppressed_callers(client.pk, [caller_id], on=standards.today_at(client, at))
    return NOT_ASKED in found.get(caller_id, {})


def not_asked_until(client: Client, caller_id: uuid.UUID, *, at: datetime) -> date | None:
    """The day from which somebody may ask a caller again, in the client's zone; None where nothing keeps from it."""
    return vault.end_of_no(client.pk, caller_id, NOT_ASKED, on=standards.today_at(client, at))
