"""What of the programme waits for people; `ready()` makes the kinds known."""

from typing import Final

from callprivacy.accounts.enums import AgencyRight
from callprivacy.work.kinds import Kind, register

BREACH_REPORTED: Final = "breach_reported"
BREACH_NOTICE: Final = "breach_notice"
VENDOR_REVIEW: Final = "vendor_review"
VENDOR_CERTIFICATE: Final = "vendor_certificate"
SUB_PROCESSOR: Final = "sub_processor"
TRAINING_ASSIGNED: Final = "training_assigned"
TRAINING_SOON: Final = "training_soon"
TRAINING_OVERDUE: Final = "training_overdue"
PREMISES: Final = "premises_flagged"
VISITOR: Final = "visitor"


def register_all() -> None:
    """Make every kind known."""
    for name, title, step, url_name in (
        (
            BREACH_REPORTED,
            "A possible breach that nobody has looked at",
            "Open the breaches",
            "breaches",
        ),
        (
            BREACH_NOTICE,
            "Somebody has to be told of a breach, and the clock runs",
            "Open the breaches",
            "breaches",
        ),
        (VENDOR_REVIEW, "Vendors whose review is due", "Open the vendors", "vendors"),
        (
            VENDOR_CERTIFICATE,
            "Certificates of vendors that end soon, or have ended",
            "Open the vendors",
            "vendors",
        ),
        (
            SUB_PROCESSOR,
            "A vendor engages somebody new: accept, or object in time",
            "Open the vendors",
            "vendors",
        ),
        (PREMISES, "Entries to the premises that are not as they should be", "Open the entries", "entries"),
    ):
        register(
            Kind(
                name,
                title=title,
                step=step,
                url_name=f"governance:{url_name}",
                right=AgencyRight.MANAGE_CLIENTS,
                is_closed_by_step=name in {BREACH_REPORTED, BREACH_NOTICE},
            )
        )
    for name, title in (
        (TRAINING_ASSIGNED, "A training was assigned to you"),
        (TRAINING_SOON, "A training of yours is due soon"),
        (TRAINING_OVERDUE, "A training of yours is overdue; in two weeks numbers and files are withheld"),
    ):
        register(
            Kind(name, title=title, step="Open your training", url_name="governance:training", is_own=True)
        )
    register(
        Kind(
            VISITOR,
            title="Somebody has come to visit you",
            step="See who it is",
            url_name="governance:visitors",
            is_own=True,
        )
    )
