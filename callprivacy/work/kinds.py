"""
The kinds of thing that wait for a person. Each app registers its own when it is ready; the queue and the
notifications know no more of them than this.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from callprivacy.accounts.enums import AgencyRight
from callprivacy.tenancy.enums import Permission


class UnknownKindError(LookupError):
    """A kind was used that no app registered."""


@dataclass(frozen=True, slots=True)
class Kind:
    """
    One kind of work.

    :param title: what waits, as the queue says it: "Webhook events that could not be read".
    :param step: the next step, as its button says it: "Open the events".
    :param url_name: where that step is; it takes the client's slug where the item has a client.
    :param permission: what a person needs on the client to see it and to be told of it.
    :param right: what a role needs; with a permission too, a person needs both, and the item has a client.
    :param is_own: it is about the person who is told and nobody else; nothing of it waits in the queue.
    :param details: lines that its mail adds below the title, read in the scope of the agency's job when the mail is
        made; counts and names of ours, never a caller's or a client's.
    :param is_closed_by_step: its next step ends it, and asks for more than the queue does, so the queue does not.
    :param owners: what the queue says in place of an owner while the item has none, where each thing that it stands for
        has an owner of its own: "see the requests".
    :param whom: tells from an item's key whose deed it is about, as a user id: that person neither closes it nor puts
        it off, where somebody else may.
    :raises ValueError: neither a permission nor a right is named, and it is not the person's own.
    """

    name: str
    title: str
    step: str
    url_name: str
    permission: Permission | None = None
    right: AgencyRight | None = None
    is_own: bool = False
    details: Callable[[], list[str]] | None = None
    is_closed_by_step: bool = False
    whom: Callable[[str], int | None] | None = None
    owners: str = ""

    def __post_init__(self) -> None:
        if self.permission is None and self.right is None and not self.is_own:
            raise ValueError(f"The kind {self.name!r} names a permission or a right.")

    def is_open_to(self, rights: Collection[AgencyRight]) -> bool:
        """Whether a role with these rights may act on it; the client's permission is asked beside it."""
        return self.right is None or self.right in rights


ACCESS_REVIEW = "access_review"
FACTOR_RESET = "factor_reset"
OFFICER_WAITS = "officer_waits"
NEW_OFFICER = "new_officer"
OFFICER_REMOVED = "officer_removed"
NOT_COUNTED = "signature_not_counted"

_KINDS: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """Make a kind known; called from an app's `ready()`."""
    _KINDS[kind.name] = kind


def get(name: str) -> Kind:
    """
    Return a kind by name.

    :raises UnknownKindError: no app registered it.
    """
    try:
        return _KINDS[name]
    except KeyError:
        raise UnknownKindError(f"No app registered the kind {name!r}.") from None


def every() -> list[Kind]:
    return sorted(_KINDS.values(), key=lambda kind: kind.title)


def register_people() -> None:
    """What waits of people and their grants; the room of people knows no queue."""
    register(
        Kind(
            ACCESS_REVIEW,
            title="Access review: unconfirmed grants end on its date",
            step="Open access review",
            url_name="accounts:reviews",
            right=AgencyRight.MANAGE_PEOPLE,
        )
    )
    register(
        Kind(
            FACTOR_RESET,
            title="Second-factor removal needs a second person",
            step="Approve or reject",
            url_name="accounts:passwords",
            right=AgencyRight.MANAGE_PEOPLE,
        )
    )
    register(
        Kind(
            OFFICER_WAITS,
            title="Officer invitation needs a second officer",
            step="Confirm or refuse",
            url_name="accounts:officers",
            right=AgencyRight.MANAGE_PEOPLE,
            is_closed_by_step=True,
        )
    )
    register(
        Kind(
            NEW_OFFICER,
            title="New compliance officer: confirm you know this person",
            step="Review the officers",
            url_name="accounts:officers",
            right=AgencyRight.SIGN_OFF,
            whom=_person_in,
        )
    )
    register(
        Kind(
            OFFICER_REMOVED,
            title="Compliance officer removed: confirm it was intended",
            step="Review the officers",
            url_name="accounts:officers",
            right=AgencyRight.SIGN_OFF,
            whom=_person_in,
        )
    )
    register(
        Kind(
            NOT_COUNTED,
            title="Second signature that did not count: one person may have signed twice",
            step="Review the signature",
            url_name="accounts:officers",
            right=AgencyRight.SIGN_OFF,
            whom=_person_in,
        )
    )


def _person_in(key: str) -> int | None:
    """The person that an item is about, whose user id ends its key."""
    user_id = key.rpartition(":")[2]
    return int(user_id) if user_id.isdecimal() else None
