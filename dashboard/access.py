"""Who may do what is done for the house as a whole."""

from __future__ import annotations

from callprivacy.accounts import access
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.models import Membership


def may_remove_demo(membership: Membership) -> bool:
    """Whether the agency is a demo, and the person its admin or compliance officer."""
    rights = (AgencyRight.MANAGE_PEOPLE, AgencyRight.SIGN_OFF)
    return membership.agency.is_demo and any(access.has_right(membership, right) for right in rights)
