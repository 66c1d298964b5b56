"""The inbox items of governance."""

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
    for name, title, step, url_name in (
        (BREACH_REPORTED, "Possible breach to assess", "Review breaches", "breaches"),
        (BREACH_NOTICE, "Breach notifications due", "Review breaches", "breaches"),
        (VENDOR_REVIEW, "Vendor reviews due", "Review vendors", "vendors"),
        (VENDOR_CERTIFICATE, "Vendor certificates expired or expiring soon", "Review vendors", "vendors"),
        (SUB_PROCESSOR, "New sub-processor to accept or object to", "Review vendors", "vendors"),
        (PREMISES, "Flagged entries to review", "Review entries", "entries"),
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
        (TRAINING_ASSIGNED, "Training assigned to you"),
        (TRAINING_SOON, "Your training is due soon"),
        (TRAINING_OVERDUE, "Your training is overdue. After two weeks, your access is suspended"),
    ):
        register(
            Kind(name, title=title, step="Open your training", url_name="governance:training", is_own=True)
        )
    register(
        Kind(
            VISITOR,
            title="A visitor has arrived for you",
            step="View visitors",
            url_name="governance:visitors",
            is_own=True,
        )
    )
