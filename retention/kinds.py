"""
Names of what waits for people because of secrets, and of what is alarming, with the words that say what to do.

An alert's words stand here once: in the mail, on the page and in what the agency's system is told.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final

LIMIT_NEAR: Final = "secret_soon"
LIMIT_PAST: Final = "secret_over"
ROTATION_STUCK: Final = "rotation_stuck"
LEAVES_ALONE: Final = "offboarding_alone"
TAKEN_AGAIN: Final = "offboarding_again"


@dataclass(frozen=True, slots=True)
class Alarm:
    """
    One kind of alert.

    :param title: what is so, as a mail's subject says it.
    :param to_do: what a person does about it, in plain words.
    :param url_name: the page where that is done.
    :param section: of the runbook, for who operates the installation.
    """

    kind: str
    title: str
    to_do: str
    url_name: str
    section: str

    @property
    def runbook(self) -> str:
        """Where the runbook says what it means, where to look and what to do."""
        return f"docs/runbook.md#{self.section.lower()}"


_ALARMS: Final = (
    Alarm(
        "past_due",
        "Rows still here a day after they were due",
        "Open the newest run. If it is paused, resume it; if a part of it stopped by a fault, start a run now. Rows"
        " that a hold keeps are not counted.",
        "retention:home",
        "RowsPastDue",
    ),
    Alarm(
        "run_missing",
        "No retention run has finished for more than a day",
        "Open the runs. A paused run keeps the next one from starting: resume or cancel it. If none is there, see"
        " that the worker and the beat of the installation run.",
        "retention:home",
        "RunMissing",
    ),
    Alarm(
        "run_failed",
        "Part of the latest retention run failed",
        "Open the run and see which client it is. Start a run now: it goes on where the part stopped. If it stops"
        " again, the log of the worker names the fault.",
        "retention:home",
        "RunFailed",
    ),
    Alarm(
        "inbox_old",
        "Tracker events waiting for more than 15 minutes",
        "See that the worker of the installation runs. What came in is kept, sealed, and is read when it does.",
        "dashboard:overview",
        "InboxOld",
    ),
    Alarm(
        "vendor_late",
        "Vendor steps past their deadline",
        "Open the withdrawals, and each step that is late: send its ticket again, or note the vendor's answer.",
        "consent:all_withdrawals",
        "VendorLate",
    ),
    Alarm(
        "vendor_outlives",
        "Recordings deleted here, not confirmed deleted at vendors",
        "Your queue has an item for each client with such copies; it opens their list. Ask for deletion there where the"
        " client has instructed you to, or note that they are gone.",
        "work:queue",
        "VendorOutlives",
    ),
    Alarm(
        "offboarding_stopped",
        "Client offboarding failed",
        "Open the clients that leave and see which one it is. It is tried again at least once an hour; the log of the"
        " worker names the fault.",
        "retention:leaving",
        "OffboardingStopped",
    ),
    Alarm(
        "secret_over",
        "Secret past its age limit",
        "Open the secrets. Rotate what has a button; for the others the page says what to do.",
        "retention:secrets",
        "SecretOld",
    ),
    Alarm(
        "rotation_failed",
        "Key rotation failed",
        "Open the secrets and rotate the key again: it goes on where it stopped. Both keys work until then.",
        "retention:secrets",
        "RotationStopped",
    ),
    Alarm(
        "trail_unsealed",
        "Audit log checkpoint more than five minutes late",
        "See that the worker of the installation runs. Until it is sealed, the newest deeds can still be altered"
        " by who owns the database.",
        "dashboard:trail",
        "TrailUnsealed",
    ),
    Alarm(
        "backup_late",
        "No backup was made for more than a day",
        "On the installation run manage.py backup and read what it says: the folder may be full or away.",
        "retention:backups",
        "BackupLate",
    ),
    Alarm(
        "drill_late",
        "No restore drill has passed for more than eight days",
        "On the installation run manage.py restore_drill. A backup that was never restored is a hope.",
        "retention:backups",
        "DrillLate",
    ),
    Alarm(
        "drill_failed",
        "Latest restore drill failed",
        "On the installation run manage.py restore_drill and read its report: it names the check that failed.",
        "retention:backups",
        "DrillFailed",
    ),
)
ALARMS: Final = {alarm.kind: alarm for alarm in _ALARMS}
TEST: Final = "test"


def mail_kind(kind: str, *, is_over: bool) -> str:
    """The name under which people are told that an alert began, or is over."""
    return f"alert_{kind}_over" if is_over else f"alert_{kind}"


@dataclass(frozen=True, slots=True)
class OwnDate:
    """
    Rows that leave by a date of their own, which no policy moves: pages of policies list them, previews and the
    calendar count them.

    :param title: what they are. :param days: how long; None: each says so itself. :param moment: from when.
    :param words: why so.
    :param count: how many of an agency leave by a day, as far as the scope sees them.
    """

    title: str
    days: int | None
    moment: str
    words: str
    count: Callable[[int, date], int]


_OWN_DATES: dict[str, OwnDate] = {}


def register_own_date(one: OwnDate) -> None:
    """Make known what leaves by its own date; called from an app's `ready()`."""
    _OWN_DATES[one.title] = one


def own_dates() -> tuple[OwnDate, ...]:
    return tuple(_OWN_DATES[title] for title in sorted(_OWN_DATES))
