"""Which calls are confidential, how many, and who is named for them."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import QuerySet

from callprivacy.accounts import access
from callprivacy.accounts.models import User
from callprivacy.calls.models import Call, CallGrant, ConfidentialCall, ConfidentialRule
from callprivacy.calls.selectors.calls import MOST_COUNTED
from callprivacy.lib import scope as lib_scope
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client


def count_at(client: Client) -> int:
    """How many calls of a client are confidential, seen or not, up to `MOST_COUNTED` and one."""
    lib_scope.require()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count_confidential_calls(ARRAY[%s::bigint], %s)", [client.pk, MOST_COUNTED + 1]
        )
        return int(cursor.fetchone()[0])


def named_calls(agency_id: int, user_id: int, *, at: datetime) -> set[uuid.UUID]:
    """The calls that name a person, for a job that works at the person's request."""
    rows = CallGrant.objects.filter(
        agency_id=agency_id, user_id=user_id, permission__codename="view_call", ends_at__gt=at
    )
    return set(rows.values_list("content_object_id", flat=True))


def open_rows(client: Client) -> QuerySet[ConfidentialCall]:
    """A client's confidential calls, the newest mark first; for officers."""
    return (
        ConfidentialCall.objects.for_client(client)
        .filter(lifted_at=None)
        .select_related("marked_by")
        .order_by("-marked_at", "-pk")
    )


@dataclass(frozen=True, slots=True)
class Named:
    """A person who is named for a call, until when, and whether that is over."""

    user: User
    ends_at: datetime
    is_over: bool


def people_of(rows: Sequence[ConfidentialCall], *, at: datetime) -> dict[uuid.UUID, list[Named]]:
    """Call -> who is named for it, by name; one query."""
    return _named({row.call_id for row in rows}, at)


def people_of_call(call: Call, *, at: datetime) -> list[Named]:
    """Who is named for a call: all of them for an officer, else the person who asks."""
    return _named({call.pk}, at)[call.pk]


def _named(call_ids: Collection[uuid.UUID], at: datetime) -> dict[uuid.UUID, list[Named]]:
    grants = CallGrant.objects.filter(content_object_id__in=list(call_ids))
    found: dict[uuid.UUID, list[Named]] = defaultdict(list)
    for grant in grants.select_related("user").order_by("user__name", "user_id"):
        found[grant.content_object_id].append(Named(grant.user, grant.ends_at, grant.ends_at <= at))
    return found


def sees(row: ConfidentialCall) -> bool:
    """Whether the scope's person sees the call."""
    return Call.objects.filter(client_id=row.client_id, pk=row.call_id).exists()


def rules_of(client: Client) -> list[str]:
    rows = ConfidentialRule.objects.for_client(client).order_by("cause")
    return list(rows.values_list("cause", flat=True))


def nameable(client: Client, *, but: int, at: datetime) -> QuerySet[User]:
    """Who may be named for a call of a client by somebody else: the people who view its calls."""
    people = access.people_with(Permission.VIEW_CALLS, client.pk, agency_id=client.agency_id, at=at)
    return User.objects.filter(pk__in=people).exclude(pk=but).order_by("name", "pk")
