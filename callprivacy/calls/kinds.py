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
            title="Hourly limit of revealed numbers reached",
            step="Review reveals",
            url_name="calls:reveals",
            right=AgencyRight.SIGN_OFF,
            whom=_whom,
        )
    )
    register(
        Kind(
            REVEAL_SAMPLE,
            title="Last week's sample of revealed numbers to review",
            step="Review sample",
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
            title="Tracker events that could not be read",
            step="Review events",
            url_name="calls:rejected_events",
            permission=Permission.MANAGE_CONNECTIONS,
        )
    )
    register(
        Kind(
            NEW_VALUES,
            title="New source or medium values to confirm",
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
            title="Tracker's call list cannot be opened",
            step="Open the connections",
            url_name="calls:client_connections",
            permission=Permission.MANAGE_CONNECTIONS,
        )
    )
    register(
        Kind(
            DROP_REFUSED,
            title="Drop folder or its files cannot be read",
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
            title="Call export ready",
            step="Take the file",
            url_name="calls:export_new",
            permission=Permission.EXPORT_CALLS,
        )
    )
