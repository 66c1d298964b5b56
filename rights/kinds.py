"""What of requests may wait for a person; `ready()` makes the kinds known."""

from typing import Final
from uuid import UUID

from callprivacy.accounts.enums import AgencyRight
from callprivacy.tenancy.enums import Permission
from callprivacy.work.kinds import Kind, register

NOTICE_OLD: Final = "privacy_notice_old"
REQUESTS: Final = "requests"
REQUESTS_OF_AGENCY: Final = "requests_of_agency"
REQUEST_FAILS: Final = "request_fails"
CLIENT_ANSWERED: Final = "request_client_answered"
CLIENT_SILENT: Final = "request_client_silent"
DUE: Final = "request_due"
LATE: Final = "request_late"
LETTER_FAILED: Final = "request_letter_failed"
NOT_ACKNOWLEDGED: Final = "request_not_acknowledged"
EXTENSION_UNSENT: Final = "request_extension_unsent"
OWN_REQUEST: Final = "request_own"

_EXTENSION: Final = "extension "
_OWNERS: Final = "see the requests"

OF_CASES: Final = (
    CLIENT_ANSWERED,
    CLIENT_SILENT,
    DUE,
    LATE,
    NOT_ACKNOWLEDGED,
    EXTENSION_UNSENT,
    OWN_REQUEST,
)
"""Kinds whose key is a case: they are closed when the case is."""


def extension_key(case_id: UUID) -> str:
    """The key of what waits for the letter that a request to the agency itself takes longer."""
    return f"{_EXTENSION}{case_id}"


def is_extension(key: str) -> bool:
    return key.startswith(_EXTENSION)


def case_of(key: str) -> UUID | None:
    try:
        return UUID(key.removeprefix(_EXTENSION))
    except ValueError:
        return None


def register_all() -> None:
    """Make every kind known."""
    register(
        Kind(
            NOTICE_OLD,
            title="Privacy notice is out of date",
            step="See the difference",
            url_name="rights:notice",
            permission=Permission.MANAGE_CONSENT,
        )
    )
    register(
        Kind(
            REQUESTS,
            title="Requests awaiting an answer",
            step="Open the requests",
            url_name="rights:board",
            permission=Permission.HANDLE_REQUESTS,
            owners=_OWNERS,
        )
    )
    register(
        Kind(
            REQUESTS_OF_AGENCY,
            title="Requests to the agency awaiting an answer",
            step="Open the requests",
            url_name="rights:home",
            right=AgencyRight.SIGN_OFF,
            owners=_OWNERS,
        )
    )
    register(
        Kind(
            REQUEST_FAILS,
            title="A step of a request keeps failing",
            step="Open the requests",
            url_name="rights:board",
            permission=Permission.HANDLE_REQUESTS,
            owners=_OWNERS,
        )
    )
    register_days()


def register_days() -> None:
    """Requests and their days: for who handles the client's requests; the agency's own for the officers."""
    for name, title, step in (
        (DUE, "Request due soon", "Open the requests"),
        (LATE, "Request past its due date", "Open the requests"),
        (NOT_ACKNOWLEDGED, "Request not acknowledged to the requester", "Open the requests"),
        (EXTENSION_UNSENT, "Extension notice not sent", "Open the requests"),
        (CLIENT_ANSWERED, "A client replied about a request", "Open the requests"),
        (CLIENT_SILENT, "A client has not replied about a request", "Open the requests"),
        (LETTER_FAILED, "Letter to a requester not delivered", "Open the requests"),
    ):
        register(
            Kind(
                name,
                title=title,
                step=step,
                url_name="rights:board",
                permission=Permission.HANDLE_REQUESTS,
                owners=_OWNERS,
            )
        )
    register(
        Kind(
            OWN_REQUEST,
            title="Request to the agency itself",
            step="Open the requests",
            url_name="rights:home",
            right=AgencyRight.SIGN_OFF,
            owners=_OWNERS,
        )
    )


def of_holder(kind: str, client_id: int | None) -> str:
    """The kind under which it waits: of the agency's own requests everything waits under one."""
    return OWN_REQUEST if client_id is None else kind
