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
            title="The privacy notice says what is no longer so",
            step="See the difference",
            url_name="rights:notice",
            permission=Permission.MANAGE_CONSENT,
        )
    )
    register(
        Kind(
            REQUESTS,
            title="Requests of people that wait for an answer",
            step="Open the requests",
            url_name="rights:board",
            permission=Permission.HANDLE_REQUESTS,
            owners=_OWNERS,
        )
    )
    register(
        Kind(
            REQUESTS_OF_AGENCY,
            title="Requests to the agency itself that wait for an answer",
            step="Open the requests",
            url_name="rights:home",
            right=AgencyRight.SIGN_OFF,
            owners=_OWNERS,
        )
    )
    register(
        Kind(
            REQUEST_FAILS,
            title="A step of a request that fails again and again",
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
        (DUE, "A request comes to the day of its answer", "Open the requests"),
        (LATE, "A request is past the day of its answer", "Open the requests"),
        (NOT_ACKNOWLEDGED, "A person has not heard that the request came in", "Open the requests"),
        (EXTENSION_UNSENT, "An answer takes longer only once the person is told", "Open the requests"),
        (CLIENT_ANSWERED, "A client has said what to answer", "Open the requests"),
        (CLIENT_SILENT, "A client was asked about a request and did not answer", "Open the requests"),
        (LETTER_FAILED, "A letter to a person could not be delivered", "Open the requests"),
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
            title="A request to the agency itself",
            step="Open the requests",
            url_name="rights:home",
            right=AgencyRight.SIGN_OFF,
            owners=_OWNERS,
        )
    )


def of_holder(kind: str, client_id: int | None) -> str:
    """The kind under which it waits: of the agency's own requests everything waits under one."""
    return OWN_REQUEST if client_id is None else kind
