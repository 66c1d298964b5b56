"""What of calls may wait for a person; `ready()` makes the kinds known."""

from typing import Final

from callprivacy.accounts.enums import AgencyRight
from callprivacy.tenancy.enums import Permission
from callprivacy.work.kinds import Kind, register

DROP_REFUSED: Final = "drop_refused"
EXPORT_READY: Final = "export_ready"
INBOX_REJECTED: Final = "inbox_rejected"
NEW_VALUES: Final = "new_values"
PULL_FAILING: Final = "pull_failing"
REVEAL_LIMIT: Final = "reveal_limit"
REVEAL_SAMPLE: Final = "reveal_sample"


_PERSON: Final = "person-"


def limit_key(user_id: int) -> str:
    """Under which key it waits that a person reached the limit of numbers shown."""
    return f"{_PERSON}{user_id}"


def _whom(key: str) -> int | None:
    person = key.removeprefix(_PERSON)
    return int(person) if person.isdecimal() else None


def register_reveals() -> None:
    """The two kinds that showing numbers brings: both are the officers'."""
    register(
        Kind(
            REVEAL_LIMIT,
            title="Somebody reached the limit of numbers shown in an hour",
            step="Look at the reveals",
            url_name="calls:reveals",
            right=AgencyRight.SIGN_OFF,
            whom=_whom,
        )
    )
    register(
        Kind(
            REVEAL_SAMPLE,
            title="Last week's sample of shown numbers is drawn",
            step="Read the sample",
            url_name="calls:reveals",
            right=AgencyRight.SIGN_OFF,
            is_closed_by_step=True,
        )
    )


def register_inbox() -> None:
    """What events bring that a person looks at: for people who manage the client's connections."""
    register(
        Kind(
            INBOX_REJECTED,
            title="Events of a tracker that could not be read",
            step="Look at the events",
            url_name="calls:rejected_events",
            permission=Permission.MANAGE_CONNECTIONS,
        )
    )
    register(
        Kind(
            NEW_VALUES,
            title="New values of source or medium to confirm",
            step="Review the values",
            url_name="calls:new_values",
            permission=Permission.MANAGE_CONNECTIONS,
            is_closed_by_step=True,
        )
    )


def register_pulls() -> None:
    """A tracker that does not answer when it is asked for its calls: for whoever manages the client's connections."""
    register(
        Kind(
            PULL_FAILING,
            title="A tracker's list of calls does not open",
            step="Open the connections",
            url_name="calls:client_connections",
            permission=Permission.MANAGE_CONNECTIONS,
        )
    )
    register(
        Kind(
            DROP_REFUSED,
            title="A drop folder, or files in it, that could not be read",
            step="Open the connections",
            url_name="calls:client_connections",
            permission=Permission.MANAGE_CONNECTIONS,
        )
    )


def register_exports() -> None:
    """A file that was asked for is written: for who asked."""
    register(
        Kind(
            EXPORT_READY,
            title="An export of calls is written",
            step="Take the file",
            url_name="calls:export_new",
            permission=Permission.EXPORT_CALLS,
        )
    )
