"""What of consent may wait for a person; `ready()` makes the kinds known. Each concern registers its own."""

from __future__ import annotations

from typing import Final

from callprivacy.accounts.enums import AgencyRight
from callprivacy.tenancy.enums import Permission
from callprivacy.work.kinds import Kind, register

LEAVES_LATER: Final = "leaves_later"
LEAVES_SOONER: Final = "leaves_sooner"
RECORDINGS_NOT_FETCHED: Final = "recordings_not_fetched"
REGISTER_TOO_OLD: Final = "register_too_old"
RULES_COUNTED: Final = "rules_counted"
REPLIES: Final = "replies"
STANDARD_EXPIRED: Final = "standard_expired"
STANDARD_EXPIRING: Final = "standard_expiring"
VENDOR_FAILS: Final = "vendor_fails"
VENDOR_NOT_REDACTING: Final = "vendor_not_redacting"
VENDOR_SILENT: Final = "vendor_silent"
VENDOR_TASKS: Final = "vendor_tasks"
WEBHOOKS_DEAD: Final = "webhooks_dead"
WITHHELD_ON_NUMBER: Final = "withheld_on_number"
WITHHELD_RECORDINGS: Final = "withheld_recordings"
WITHDRAWALS_BY_LAW: Final = "withdrawals_by_law"
WITHDRAWAL_CHOICE: Final = "withdrawal_choice"


def register_all() -> None:
    """Make every kind known."""
    register_replies()
    register_standards()
    register_rules()
    register_recordings()
    register_withdrawals()
    register_registers()


def register_registers() -> None:
    """A do-not-call register is too old for calls that advertise: for the officers, who bring a newer one."""
    register(
        Kind(
            REGISTER_TOO_OLD,
            title="A do-not-call register is older than 31 days: calls that advertise are refused",
            step="Bring a newer one",
            url_name="consent:new_register",
            right=AgencyRight.SIGN_OFF,
        )
    )


def register_standards() -> None:
    """A client's lowered standard is about to end, or has ended: for who looks after its consent."""
    register(
        Kind(
            STANDARD_EXPIRING,
            title="A standard below express consent ends soon",
            step="Look at the standard",
            url_name="consent:standard",
            permission=Permission.MANAGE_CONSENT,
        )
    )
    register(
        Kind(
            STANDARD_EXPIRED,
            title="A standard has ended: express consent is asked for again",
            step="Look at the standard",
            url_name="consent:standard",
            permission=Permission.MANAGE_CONSENT,
        )
    )


def register_rules() -> None:
    """It is known what imported rules would change: for the officers, who put them in force or do not."""
    register(
        Kind(
            RULES_COUNTED,
            title="Imported rules of the law: what they change is counted",
            step="Look at what changes",
            url_name="consent:packs",
            right=AgencyRight.SIGN_OFF,
        )
    )


def register_recordings() -> None:
    """What is withheld and will leave, what could not be fetched, and a tracker that does not redact."""
    register(
        Kind(
            WITHHELD_RECORDINGS,
            title="Withheld recordings that will be erased",
            step="Look at the recordings",
            url_name="consent:recordings",
            permission=Permission.MANAGE_CONSENT,
        )
    )
    register(
        Kind(
            WITHHELD_ON_NUMBER,
            title="Many withheld calls on one number within a day",
            step="Look at the number's calls",
            url_name="consent:recordings",
            permission=Permission.MANAGE_CONSENT,
        )
    )
    register(
        Kind(
            LEAVES_SOONER,
            title="Withheld recordings leave sooner than before, or at the tracker too",
            step="Look at the hours and the tracker",
            url_name="consent:handling",
            permission=Permission.MANAGE_RETENTION,
            right=AgencyRight.SIGN_OFF,
        )
    )
    register(
        Kind(
            LEAVES_LATER,
            title="Withheld recordings leave later than before",
            step="Look at the hours",
            url_name="consent:handling",
            permission=Permission.MANAGE_RETENTION,
            right=AgencyRight.SIGN_OFF,
        )
    )
    register(
        Kind(
            RECORDINGS_NOT_FETCHED,
            title="Recordings that could not be fetched from the tracker",
            step="Look at the recordings",
            url_name="consent:recordings",
            permission=Permission.MANAGE_CONSENT,
        )
    )
    register(
        Kind(
            VENDOR_NOT_REDACTING,
            title="Transcripts that the tracker should have redacted and did not",
            step="Look at how it is handled",
            url_name="consent:recordings",
            permission=Permission.MANAGE_CONSENT,
        )
    )


def register_withdrawals() -> None:
    """Withdrawals that vendors have to carry out: what to choose, what to send, who has not answered."""
    register(
        Kind(
            WITHDRAWAL_CHOICE,
            title="Callers who asked not to be recorded, at a tracker that cannot ask",
            step="Choose what to do",
            url_name="consent:withdrawals",
            permission=Permission.MANAGE_CONSENT,
            right=AgencyRight.SIGN_OFF,
        )
    )
    register(
        Kind(
            VENDOR_TASKS,
            title="Withdrawals that vendors have to be told of",
            step="Open the board",
            url_name="consent:withdrawals",
            permission=Permission.MANAGE_CONSENT,
        )
    )
    register(
        Kind(
            VENDOR_FAILS,
            title="Recordings that Twilio does not stop or delete",
            step="See why, and ask again",
            url_name="consent:withdrawals",
            permission=Permission.MANAGE_CONSENT,
        )
    )
    register(
        Kind(
            WITHDRAWALS_BY_LAW,
            title="Withdrawals near the law's date, or past it",
            step="Have them carried out",
            url_name="consent:withdrawals",
            permission=Permission.MANAGE_CONSENT,
        )
    )
    register(
        Kind(
            VENDOR_SILENT,
            title="A vendor has not answered a letter",
            step="Ask again",
            url_name="consent:withdrawals",
            permission=Permission.MANAGE_CONSENT,
        )
    )
    register(
        Kind(
            WEBHOOKS_DEAD,
            title="Withdrawals that an endpoint did not take for three days",
            step="Look at the endpoints",
            url_name="consent:endpoints",
            permission=Permission.MANAGE_CONNECTIONS,
        )
    )


def register_replies() -> None:
    """Texts and mails that may be withdrawals: for who looks after the client's consent."""
    register(
        Kind(
            REPLIES,
            title="Messages that may be withdrawals",
            step="Read and decide",
            url_name="consent:replies",
            permission=Permission.MANAGE_CONSENT,
        )
    )
