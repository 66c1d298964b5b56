"""
Which live releases hold a caller's rows, and by which token their recipient finds them.

Of a pseudonymised file this is known: the sealed list of its members names each caller by a keyed digest, and the
token in the file is made of the caller's id under the recipient's own key. Of an anonymised file nothing is looked up:
no row of it can be told to be anybody's, neither by its recipient nor by us, so nobody could take one out.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from analytics.models.releases import Release, ReleaseKind, ReleaseState, Removal, RemovalCause
from analytics.selectors.differencing import DIGEST, Members
from callprivacy.vault import files
from callprivacy.vault import selectors as vault
from callprivacy.vault.sealing import SealBrokenError, TokenKey

GUARD: Final = "releases"
"""The purpose of the client's key that makes digests of calls and callers for the guard against differences."""
_HOUSE: Final = "caller"


def key_purpose(release: Release) -> str:
    """The purpose of the recipient's own key."""
    return f"recipient/{release.recipient_id}"


def token(key: TokenKey, caller_id: uuid.UUID) -> str:
    """What stands for a caller in a recipient's files."""
    return key.digest(_HOUSE, caller_id.hex).hex()[:32]


def caller_digest(guard: TokenKey, caller_id: uuid.UUID) -> bytes:
    """What stands for a caller in the list of a release's members."""
    return guard.digest("caller", caller_id.hex)[:DIGEST]


def members_of(release: Release) -> Members:
    """
    Open a live release's list of members.

    :raises FileNotFoundError: it is gone; then nothing can be compared, and nothing is released.
    """
    if release.members_key is None:
        raise FileNotFoundError("A live release without its list of members.")
    with files.open(release.client_id, release.members_key) as file:
        return Members.read(file.read())


@dataclass(slots=True)
class Given:
    """
    What of a client was given away, as a caller of it is told.

    :ivar holding: live pseudonymised files that hold rows of the caller, or held them while the recipient keeps them.
    :ivar anonymised: live files in which nobody can be found.
    """

    holding: list[Release] = field(default_factory=list)
    anonymised: list[Release] = field(default_factory=list)


def given(callers: Mapping[int, Collection[uuid.UUID]]) -> dict[tuple[int, uuid.UUID], Given]:
    """
    What was given away of these callers; nothing of clients without a live file.

    Two queries, and a sealed list opened for each live pseudonymised file. In the scope of a job.

    :param callers: client id -> caller ids.
    """
    found: dict[tuple[int, uuid.UUID], Given] = {}
    live = Release.objects.filter(client_id__in=list(callers)).live().select_related("recipient")
    rows = list(live.order_by("released_at", "pk"))
    told = _restricted([row.pk for row in rows if row.kind == ReleaseKind.PSEUDONYMISED])
    for row in rows:
        asked = callers[row.client_id]
        inside = set(asked) if row.kind == ReleaseKind.ANONYMISED else _inside(row, asked) | told[row.pk]
        for caller_id in inside & set(asked):
            here = found.setdefault((row.client_id, caller_id), Given())
            (here.anonymised if row.kind == ReleaseKind.ANONYMISED else here.holding).append(row)
    return found


def _restricted(release_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, set[uuid.UUID]]:
    """By release, callers whose rows left our file while its recipient was told to keep them."""
    kept: dict[uuid.UUID, set[uuid.UUID]] = defaultdict(set)
    deleted: dict[uuid.UUID, set[uuid.UUID]] = defaultdict(set)
    rows = Removal.objects.filter(release_id__in=list(release_ids))
    for release_id, caller_id, cause in rows.values_list("release_id", "caller_id", "cause"):
        (kept if cause == RemovalCause.RESTRICTION else deleted)[release_id].add(caller_id)
    return defaultdict(set, {one: callers - deleted[one] for one, callers in kept.items()})


def _inside(release: Release, callers: Collection[uuid.UUID]) -> set[uuid.UUID]:
    guard = vault.token_key_of_purpose(release.client_id, GUARD)
    try:
        there = set(members_of(release).callers.values())
    except (FileNotFoundError, SealBrokenError):
        # Nobody knows who is in it any more: whoever may be is treated as being in it.
        return set(callers)
    return {one for one in callers if guard is not None and caller_digest(guard, one) in there}


def over_of(client_ids: Collection[int]) -> list[Release]:
    """Files that were given away and have ended; who was in them is not known any more, for the lists are gone."""
    rows = Release.objects.filter(
        client_id__in=list(client_ids),
        released_at__isnull=False,
        state__in=[ReleaseState.REVOKED, ReleaseState.EXPIRED],
    )
    return list(rows.select_related("recipient").order_by("released_at", "pk"))
