"""Who may do what is done for the house as a whole, and who sees a client's binders of proof."""

from callprivacy.accounts import access
from callprivacy.accounts.enums import CLIENT_SIDE, AgencyRight
from callprivacy.accounts.models import Membership


def may_remove_demo(membership: Membership) -> bool:
    """Whether the agency is a demo, and the person its admin or compliance officer."""
    rights = (AgencyRight.MANAGE_PEOPLE, AgencyRight.SIGN_OFF)
    return membership.agency.is_demo and any(access.has_right(membership, right) for right in rights)


def may_see_proof(membership: Membership) -> bool:
    """
    Whether a person sees binders of the clients that are granted: who may read the trail, and the client's side.
    """
    return access.has_right(membership, AgencyRight.VIEW_TRAIL) or membership.role in CLIENT_SIDE


def may_make_binders(membership: Membership) -> bool:
    """Whether a person has binders built, handed out by a link, and withdrawn."""
    return access.has_right(membership, AgencyRight.SIGN_OFF)
