"""What of releases and goals may wait for a person; `ready()` makes the kinds known."""

from typing import Final

from callprivacy.accounts.enums import AgencyRight
from callprivacy.tenancy.enums import Permission
from callprivacy.work.kinds import Kind, register

RELEASE_WAITS: Final = "release_waits"
RELEASE_DECIDED: Final = "release_decided"
RELEASE_REFUSED: Final = "release_refused"
RELEASE_RISEN: Final = "release_risen"
GOAL_MISSED: Final = "goal_missed"


def register_releases() -> None:
    """A release that waits is a second person's; what became of one, or of its risk, concerns who releases data."""
    for name, title, step, right in (
        (
            RELEASE_WAITS,
            "Release needs a second approval",
            "Open the releases",
            AgencyRight.SIGN_OFF,
        ),
        (RELEASE_DECIDED, "Release built or refused", "Open the releases", None),
        (RELEASE_REFUSED, "Approved release could not be built", "Open the releases", None),
        (RELEASE_RISEN, "Published release due for a risk review", "Open the releases", None),
    ):
        register(
            Kind(
                name,
                title=title,
                step=step,
                url_name="analytics:client_releases",
                permission=Permission.RELEASE_DATA,
                right=right,
            )
        )


def register_goals() -> None:
    """A goal that was missed concerns people who read the client's reports."""
    register(
        Kind(
            GOAL_MISSED,
            title="Goal missed",
            step="Open the goals",
            url_name="analytics:goals",
            permission=Permission.VIEW_ANALYTICS,
        )
    )
