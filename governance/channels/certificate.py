"""The PDF certificate of a course."""

from datetime import datetime
from zoneinfo import ZoneInfo

from consent.channels.sheet import Sheet
from governance.models import Completion


def training_pdf(row: Completion, title: str, *, made_at: datetime) -> bytes:
    """:param title: of the course."""
    sheet = Sheet(f"Certificate: {title}", made_at=made_at, zone=ZoneInfo(row.agency.time_zone))
    sheet.pdf.add_page()
    sheet.text("Certificate of training", size=18, bold=True, after=1)
    sheet.text(title, size=13, after=4)
    sheet.facts(
        [
            ("Name", row.user.name),
            ("Agency", row.agency.name),
            ("Passed on", f"{row.passed_on.day} {row.passed_on:%B %Y}"),
            ("Valid until", f"{row.valid_until.day} {row.valid_until:%B %Y}"),
            ("Correct answers", f"{row.right} of {row.asked}"),
            ("Course version", row.version),
            ("Certificate ID", str(row.pk)),
        ]
    )
    return bytes(sheet.pdf.output())
