"""How Django asks for a permission: `user.has_perm("calls.view_call", call)`."""

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.models import AnonymousUser
from django.db.models import Model
from django.utils import timezone

from callprivacy.accounts import access
from callprivacy.accounts.models import Membership, User
from callprivacy.tenancy.models import Client, ClientOwned


class ObjectBackend(BaseBackend):
    """
    Permissions on a client or a call, from the grants that count at that instant. Inside a scope, as all reading.

    It signs no user in and keeps no answer. Without an object it gives nothing: a role's rights are `access.has_right`.
    """

    def get_user_permissions(self, user_obj: User | AnonymousUser, obj: Model | None = None) -> set[str]:
        if not isinstance(obj, Client | ClientOwned) or not user_obj.is_active:
            return set()
        named = access.PERMISSIONS_ON_OBJECTS.get(obj._meta.label, {})
        members = Membership.objects.filter(user_id=user_obj.pk, agency_id=obj.agency_id)
        membership = members.select_related("user").first()
        if membership is None:
            return set()
        client_id = obj.pk if isinstance(obj, Client) else obj.client_id
        at = timezone.now()
        # A confidential call is for the people named for it alone, in every scope.
        if named and getattr(obj, "confidential", False):
            grants: Any = getattr(obj, "grants")  # noqa: B009  (of calls, which accounts does not know)
            if not grants.filter(user=user_obj, ends_at__gt=at).exists():
                return set()
        held = access.permissions_on(membership, client_id, at=at)
        return {name for name, permission in named.items() if permission in held}
