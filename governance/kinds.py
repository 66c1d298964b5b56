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
            "Possible breach to review",
            "Open the breaches",
            "breaches",
        ),
        (
            BREACH_NOTICE,
            "Breach notification due",
            "Open the breaches",
            "breaches",
        ),
        (VENDOR_REVIEW, "Vendor reviews due", "Open the vendors", "vendors"),
        (
            VENDOR_CERTIFICATE,
            "Vendor certificates expiring or expired",
            "Open the vendors",
            "vendors",
        ),
        (
            SUB_PROCESSOR,
            "New subprocessor at a vendor: accept or object",
            "Open the vendors",
            "vendors",
        ),
        (PREMISES, "Premises entries to review", "Open the entries", "entries"),
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
        (TRAINING_SOON, "Your training is due soon"),
        (TRAINING_OVERDUE, "Your training is overdue: numbers and files are withheld in two weeks"),
    ):
        register(
            Kind(name, title=title, step="Open your training", url_name="governance:training", is_own=True)
        )
    register(
        Kind(
            VISITOR,
            title="Your visitor has arrived",
            step="View visitor",
            url_name="governance:visitors",
            is_own=True,
        )
    )
