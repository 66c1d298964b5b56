"""Somebody leaves an agency: one deed ends sessions, keys and grants, and takes back what is still on its way."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from callprivacy.accounts import access, selectors
from callprivacy.accounts.enums import MembershipState
from callprivacy.accounts.models import ClientGrant, Invitation, Membership, ProviderLink
from callprivacy.accounts.services import api_keys, passwords, people, removal
from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor


@dataclass(frozen=True, slots=True)
class Left:
    """What a leaving ended."""

    sessions: int
    keys: int
    clients: int
    invitations: int


@transaction.atomic
def leave(*, membership: Membership, by: Actor, at: datetime) -> Left:
    """
    End what a person has in an agency. Their deeds stay in the trail under their name.

    Where somebody has left already, what there is once more ends all the same.

    :raises LastManagerError: nobody else could manage people.
    :raises OwnRightsError: people do not see themselves off.
    """
    people.check_may_go(membership, by=by)
    removal.notify(membership, "offboarded this person", by=by)
    kept = people.ended(membership, at=at)
    Membership.objects.filter(pk=membership.pk).update(state=MembershipState.LEFT, **kept)
    membership.state = MembershipState.LEFT
    sessions = people.end_sessions(membership.user_id, at=at)
    keys = api_keys.end_keys_of(user_id=membership.user_id, agency_id=membership.agency_id, by=by, at=at)
    ProviderLink.objects.filter(agency_id=membership.agency_id, user_id=membership.user_id).delete()
    held = ClientGrant.objects.filter(agency_id=membership.agency_id, user_id=membership.user_id)
    client_ids = sorted(set(held.values_list("content_object_id", flat=True)))
    access.write_bundle(
        agency_id=membership.agency_id,
        user_id=membership.user_id,
        client_ids=client_ids,
        bundle=None,
        granted_by_id=by.user_id,
        at=at,
        ends_at=None,
    )
    for client_id in client_ids:
        audit.record(
            "grant.changed",
            by=by,
            at=at,
            client_id=client_id,
            person=membership.user_id,
            bundle=None,
            leaves=True,
        )
    withdrawn = people.withdraw_invitations_of(membership, at=at)
    left = Left(sessions, keys, len(client_ids), withdrawn)
    audit.record(
        "person.left",
        by=by,
        at=at,
        subject=membership,
        person=membership.user_id,
        sessions=left.sessions,
        keys=left.keys,
        clients=left.clients,
        invitations=left.invitations,
    )
    passwords.renew_due(user_ids=[membership.user_id])
    return left


def extent_of(membership: Membership, *, at: datetime) -> Left:
    """What a leaving would end, counted as the deed counts it."""
    grants = ClientGrant.objects.filter(agency_id=membership.agency_id, user_id=membership.user_id)
    return Left(
        sessions=selectors.count_sessions(membership.user_id),
        keys=selectors.keys_made_by([membership.user_id], at=at).get(membership.user_id, 0),
        clients=grants.values("content_object_id").distinct().count(),
        invitations=Invitation.objects.filter(
            agency_id=membership.agency_id,
            invited_by_id=membership.user_id,
            accepted_at=None,
            withdrawn_at=None,
        ).count(),
    )
