"""What of consent may wait for a person; `ready()` makes the kinds known. Each concern registers its own."""

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
            title="A do-not-call list is older than 31 days: telemarketing calls are refused",
            step="Import current list",
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
            step="Review standard",
            url_name="consent:standard",
            permission=Permission.MANAGE_CONSENT,
        )
    )
    register(
        Kind(
            STANDARD_EXPIRED,
            title="A standard has ended: express consent is required again",
            step="Review standard",
            url_name="consent:standard",
            permission=Permission.MANAGE_CONSENT,
        )
    )


def register_rules() -> None:
    """It is known what imported rules would change: for the officers, who put them in force or do not."""
    register(
        Kind(
            RULES_COUNTED,
            title="Imported legal rules are ready for review",
            step="Review changes",
            url_name="consent:packs",
            right=AgencyRight.SIGN_OFF,
        )
    )


def register_recordings() -> None:
    """What is withheld and will leave, what could not be fetched, and a tracker that does not redact."""
    register(
        Kind(
            WITHHELD_RECORDINGS,
            title="Quarantined recordings that will be deleted",
            step="Review recordings",
            url_name="consent:recordings",
            permission=Permission.MANAGE_CONSENT,
        )
    )
    register(
        Kind(
            WITHHELD_ON_NUMBER,
            title="Many quarantined calls on one number within a day",
            step="Review calls of the number",
            url_name="consent:recordings",
            permission=Permission.MANAGE_CONSENT,
        )
    )
    register(
        Kind(
            LEAVES_SOONER,
            title="Quarantined recordings are deleted sooner than before, or at the tracker too",
            step="Review hours and tracker",
            url_name="consent:handling",
            permission=Permission.MANAGE_RETENTION,
            right=AgencyRight.SIGN_OFF,
        )
    )
    register(
        Kind(
            LEAVES_LATER,
            title="Quarantined recordings are deleted later than before",
            step="Review hours",
            url_name="consent:handling",
            permission=Permission.MANAGE_RETENTION,
            right=AgencyRight.SIGN_OFF,
        )
    )
    register(
        Kind(
            RECORDINGS_NOT_FETCHED,
            title="Recordings could not be fetched from the tracker",
            step="Review recordings",
            url_name="consent:recordings",
            permission=Permission.MANAGE_CONSENT,
        )
    )
    register(
        Kind(
            VENDOR_NOT_REDACTING,
            title="The tracker did not redact transcripts",
            step="Review recordings",
            url_name="consent:recordings",
            permission=Permission.MANAGE_CONSENT,
        )
    )


def register_withdrawals() -> None:
    """Withdrawals that vendors have to carry out: what to choose, what to send, who has not answered."""
    register(
        Kind(
            WITHDRAWAL_CHOICE,
            title="Callers opted out of recording at a tracker that cannot ask first",
            step="Choose what to do",
            url_name="consent:withdrawals",
            permission=Permission.MANAGE_CONSENT,
            right=AgencyRight.SIGN_OFF,
        )
    )
    register(
        Kind(
            VENDOR_TASKS,
            title="Steps to send to vendors",
            step="Open withdrawals",
            url_name="consent:withdrawals",
            permission=Permission.MANAGE_CONSENT,
        )
    )
    register(
        Kind(
            VENDOR_FAILS,
            title="Twilio has not stopped or deleted recordings",
            step="Review error and retry",
            url_name="consent:withdrawals",
            permission=Permission.MANAGE_CONSENT,
        )
    )
    register(
        Kind(
            WITHDRAWALS_BY_LAW,
            title="Withdrawals near or past the statutory deadline",
            step="Complete withdrawals",
            url_name="consent:withdrawals",
            permission=Permission.MANAGE_CONSENT,
        )
    )
    register(
        Kind(
            VENDOR_SILENT,
            title="A vendor has not answered a letter",
            step="Send reminder",
            url_name="consent:withdrawals",
            permission=Permission.MANAGE_CONSENT,
        )
    )
    register(
        Kind(
            WEBHOOKS_DEAD,
            title="Withdrawals undelivered to an endpoint for three days",
            step="Review endpoints",
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
            step="Review messages",
            url_name="consent:replies",
            permission=Permission.MANAGE_CONSENT,
        )
    )
