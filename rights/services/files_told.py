"""
Files of calls that were given away: whoever has one that holds the person's rows is told, and the rows leave ours.

The taking out, and the mail with the token that stands for the person there, are analytics' own; each is listed here
with its receipt. Of a file in which nobody can be told apart nothing can be said, and of one that has ended its
recipient was told to delete all of it.
"""

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Final

from analytics.models import Removal, RemovalCause
from analytics.models.releases import ReleaseState
from analytics.selectors import releases
from analytics.services import taking_out
from callprivacy.tenancy.models import Client
from consent.enums import Purpose
from rights.enums import Ask, NoticeAbout, NoticeState, NoticeWay, StepKind
from rights.models import Case, RecipientNotice, Step

_CAUSES: Final = {
    NoticeAbout.ERASURE: RemovalCause.ERASURE,
    NoticeAbout.CORRECTION: RemovalCause.CORRECTION,
    NoticeAbout.RESTRICTION: RemovalCause.RESTRICTION,
    NoticeAbout.OPT_OUT: RemovalCause.REFUSAL,
}
_IN_FILES: Final = frozenset({"call", "unlink"})
"""Corrections of what stands in a file."""


def tell(
    *,
    case: Case,
    client: Client,
    callers: Collection[uuid.UUID],
    about: NoticeAbout,
    refused: Collection[Purpose] = (),
    at: datetime,
) -> int:
    """
    Have recipients of live files told about callers, and list each; returns how many are listed. In a job's scope.

    :param refused: to what the person says no, where it is a refusal.
    """
    if not callers or not _is_about_files(case, about, refused):
        return 0
    planned = taking_out.ask(client=client, callers=callers, cause=_CAUSES[about], at=at)
    rows = [_notice(case, client, about, removal, at) for removal in planned]
    RecipientNotice.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def _is_about_files(case: Case, about: NoticeAbout, refused: Collection[Purpose]) -> bool:
    if about is NoticeAbout.OPT_OUT:
        return not taking_out.NOES.isdisjoint({purpose.value for purpose in refused})
    if about is not NoticeAbout.CORRECTION:
        return True
    plan = Step.objects.filter(case=case, kind=StepKind.CORRECT).first()
    made = plan.wanted.get("corrections", ()) if plan is not None and case.asks == Ask.CORRECT else ()
    return any(one.get("what") in _IN_FILES for one in made)


def _notice(
    case: Case, client: Client, about: NoticeAbout, removal: Removal, at: datetime
) -> RecipientNotice:
    release = removal.release
    return RecipientNotice(
        agency_id=client.agency_id,
        client_id=client.pk,
        case=case,
        about=about,
        way=NoticeWay.TICKET,
        recipient=release.recipient.name[:120],
        target_id=removal.pk,
        removal_id=removal.pk,
        ticket=(
            f"To {release.recipient.name}, by mail, with the token that stands for the person in the file:\n\n"
            f"A person in the file of calls of {client.name}, {releases.days(release)}, is concerned"
            f" ({removal.get_cause_display().lower()}). The rows with the token are to"
            f" {'be used for nothing' if about is NoticeAbout.RESTRICTION else 'be deleted'}, in every copy. They have"
            " left our own file, or leave it before anybody is given it again.\n"
        ),
        created_at=at,
        due_at=at,
    )


def settle(row: RecipientNotice, found: Removal | None, at: datetime) -> None:
    """Note on a notice how far its mail is; whether it was done the recipient says, and staff note it."""
    if found is None:
        return
    release = found.release
    if found.told_at is not None:
        row.state, row.sent_at = NoticeState.SENT, found.told_at
    elif release.state not in {ReleaseState.RELEASED, ReleaseState.APPROVED} and release.told_at is not None:
        row.state, row.sent_at = NoticeState.SENT, release.told_at
        row.receipt = "The file has ended, and its recipient was told to delete all of it."
    elif _was_never_in(found) or release.state in _NEVER_OUT:
        row.state, row.confirmed_at = NoticeState.CONFIRMED, at
        row.receipt = "Nothing of the person is in this file."


_NEVER_OUT: Final = frozenset({ReleaseState.REFUSED, ReleaseState.WITHDRAWN})


def _was_never_in(found: Removal) -> bool:
    return found.taken_at is not None and found.rows == 0 and found.mail_due_at is None
