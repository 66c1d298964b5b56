"""The records of processing as a file: a workbook for who goes on with them, a sheet for who reads them."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from analytics.channels.paper import Paper, as_workbook
from consent.channels.sheet import Sheet

type Row = tuple[str, str, str, str]


def workbook(
    rows: Sequence[Row], *, agency: str, zone: str, made_at: datetime, kept_at: datetime | None
) -> bytes:
    """
    The rows as a workbook.

    :param kept_at: when they were kept as a snapshot; None: as they stood when the file was made.
    """
    local = (kept_at or made_at).astimezone(ZoneInfo(zone))
    paper = Paper(
        title="Records of processing activities (GDPR article 30)",
        made_at=made_at,
        zone=zone,
        facts=[
            ("Agency", agency),
            ("As of", f"{local:%Y-%m-%d %H:%M %Z}"),
            ("Snapshot", "yes" if kept_at else "no"),
        ],
        headline="",
        notes=[
            "What follows from the configuration is written by CallPrivacy; purposes and contacts by the agency."
        ],
        columns=["List", "Of", "What", "Words"],
        rows=[list(row) for row in rows],
    )
    return as_workbook(paper)


def sheet(
    rows: Sequence[Row], *, agency: str, zone: str, made_at: datetime, kept_at: datetime | None
) -> bytes:
    """The rows as PDF/A, one heading a list and one entry a purpose or client."""
    page = Sheet(
        f"Records of processing of {agency}", made_at=made_at, zone=ZoneInfo(zone), standard="PDF/A-3B"
    )
    page.pdf.add_page()
    page.text("Records of processing activities", size=18, bold=True, after=1)
    page.text(f"{agency}, GDPR article 30", size=12, after=3)
    as_of = page.when((kept_at or made_at).isoformat())
    page.facts([("Snapshot of" if kept_at else "As of", as_of)])
    for name, listed in groupby(
        sorted(rows, key=lambda row: row[0] != "Who and how"), key=lambda row: row[0]
    ):
        page.heading(name)
        for title, lines in groupby(listed, key=lambda row: row[1]):
            page.entry(title)
            page.facts([(label, words) for _, _, label, words in lines if words])
    return bytes(page.pdf.output())
