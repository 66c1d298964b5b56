"""What of requests may wait for a person; `ready()` makes the kinds known."""

from __future__ import annotations

from typing import Final

from callprivacy.accounts.enums import AgencyRight
from callprivacy.tenancy.enums import Permission
from callprivacy.work.kinds import Kind, register

NOTICE_OLD: Final = "privacy_notice_old"
REQUESTS: Final = "requests"
REQUESTS_OF_AGENCY: Final = "requests_of_agency"
REQUEST_FAILS: Final = "request_fails"


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
            title="Requests of people, with the soonest date by which one is answered",
            step="Open the requests",
            url_name="rights:board",
            permission=Permission.HANDLE_REQUESTS,
        )
    )
    register(
        Kind(
            REQUESTS_OF_AGENCY,
            title="Requests that the agency itself got, with the soonest date by which one is answered",
            step="Open the requests",
            url_name="rights:board",
            right=AgencyRight.SIGN_OFF,
        )
    )
    register(
        Kind(
            REQUEST_FAILS,
            title="A step of a request that fails again and again",
            step="Open the requests",
            url_name="rights:board",
            permission=Permission.HANDLE_REQUESTS,
        )
    )
