"""
Calls that we placed ourselves, over a client's own tracker: an agent who is rung, a code that is read aloud.

The tracker tells of them as of any other call, by webhook and in its list, and who was rung would become a caller. So
their names are remembered as those of erased calls are, by digest: whatever is said of them afterwards stays out.
"""

from datetime import datetime, timedelta
from typing import Final

from callprivacy.tenancy.models import Client
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault

KEPT_FOR: Final = timedelta(days=400)
"""Longer than Twilio lists a call, which is thirteen months: older ones are asked for when a list is opened late."""


def leave_out(*, client: Client, provider: str, kind: str, reference: str, at: datetime) -> None:
    """
    Take in nothing that is said of a call that we placed; saying so again changes nothing.

    :param kind: of reference, as the tracker's module names it.
    """
    digest = vault_selectors.client_keys(client.pk).tokens.digest(provider, kind, reference)
    vault.entomb_calls(client_id=client.pk, digests=[digest], ends_on=(at + KEPT_FOR).date(), at=at)
