"""One batch of calls that leave, without a run around it."""

from datetime import datetime

from callprivacy.tenancy.models import Client
from retention import targets
from retention.enums import Category
from retention.services import erasing
from tests import make


class _Book:
    """Draws the line where it was told, and writes nothing down."""

    def __init__(self, line: targets.Line) -> None:
        self.line = line

    def begin(self) -> targets.Line:
        return self.line

    def note_errands(self, count: int) -> None:
        pass

    def note_removed(self, chosen: targets.Chosen, removed: targets.Removed) -> None:
        pass


def expire_calls(client: Client, *, cutoff: datetime, at: datetime) -> targets.Removed | None:
    """Erase up to a thousand of a client's calls in that started before the cut-off."""
    line = targets.Line(client=client, cutoff=cutoff, call_cutoff=cutoff, call_out_cutoff=cutoff)
    return erasing.erase_batch(
        target=targets.TARGETS[Category.CALL],
        client=client,
        after=None,
        limit=1_000,
        deed=targets.Deed(make.JOB, at, at.date()),
        book=_Book(line),
    )
