"""What a person may do with a client, changed cell by cell through a bundle."""

from datetime import datetime

from django.db import transaction

from callprivacy.accounts import access, selectors
from callprivacy.accounts.enums import CLIENT_SIDE, MembershipState, Role
from callprivacy.accounts.models import Membership
from callprivacy.accounts.services.people import OwnRightsError, check_gives
from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor, ScopeKind
from callprivacy.tenancy.models import Client


class EndsInThePastError(ValueError):
    """A grant was to end before it began."""


class NotHereError(ValueError):
    """The person, or the client, has left: nothing is given any more."""


class WrongSideError(ValueError):
    """The bundle of who approves for a client, and a person of the agency, who does not approve for it."""

    def __init__(self) -> None:
        super().__init__(
            "Who approves for a client is on its side. Choose another bundle, or change the person's role first."
        )


@transaction.atomic
def set_bundle(
    *,
    membership: Membership,
    client: Client,
    bundle: Role | None,
    by: Actor,
    at: datetime,
    ends_at: datetime | None,
) -> None:
    """
    Give a person exactly one bundle's permissions on a client, until `ends_at` if given, or none.

    :raises EndsInThePastError: `ends_at` is not after `at`.
    :raises OwnRightsError: the person is who grants, and somebody else could.
    :raises NotHereError: the person or the client has left, be it just now; what is granted can be ended all the same.
    :raises WrongSideError: it is the approver's, and the person's role is none of the client's side.
    :raises RoleAboveError: the bundle is that of a role above who grants.
    """
    if (
        by.kind == ScopeKind.STAFF
        and by.user_id == membership.user_id
        and selectors.managers().exclude(pk=membership.pk).exists()
    ):
        raise OwnRightsError
    if ends_at is not None and ends_at <= at:
        raise EndsInThePastError("A grant ends after it begins.")
    if bundle is not None:
        check_gives(bundle, agency_id=membership.agency_id, by=by)
        _check_both_are_here(membership, client, bundle)
    access.write_bundle(
        agency_id=membership.agency_id,
        user_id=membership.user_id,
        client_ids=[client.pk],
        bundle=bundle,
        granted_by_id=by.user_id,
        at=at,
        ends_at=ends_at,
    )
    audit.record(
        "grant.changed",
        subject=client,
        by=by,
        at=at,
        person=membership.user_id,
        bundle=bundle.value if bundle else None,
        ends_at=ends_at.isoformat() if ends_at else None,
    )


def _check_both_are_here(membership: Membership, client: Client, bundle: Role) -> None:
    """Who sees a person off, or closes a client, holds the membership: what they did meanwhile is seen."""
    held = access.hold_members(agency_id=membership.agency_id, user_ids=[membership.user_id])
    if not any(row.state != MembershipState.LEFT for row in held):
        raise NotHereError("This person has left the agency. Let them come back first.")
    if bundle is Role.APPROVER and not all(row.role in CLIENT_SIDE for row in held):
        raise WrongSideError
    if not Client.objects.filter(pk=client.pk, archived_at=None).exists():
        raise NotHereError(f"{client.name} has left: nobody is granted it any more.")
