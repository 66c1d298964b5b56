"""The records of processing: read anew by the agency's job, worded by people, and kept as they stood on a day."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Max

from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Agency
from callprivacy.tenancy.scope import job_scope
from dashboard.models import RecordFacts, RecordSnapshot, RecordWords
from dashboard.selectors import records as selectors

FIELDS: Final = (
    "contact",
    "representative",
    "officer",
    "joint",
    "recipients",
    "measures",
    "purposes",
    "representatives",
)

CONFIRM_AFTER: Final = timedelta(days=30)
"""From this age of the newest snapshot on another may say the same: somebody looked them over, and they stand."""


class ChangedMeanwhileError(ValueError):
    """The records say something else than what was shown."""


class NothingNewError(ValueError):
    """The newest snapshot says the same already, and is not old."""


def read(*, agency_id: int, at: datetime) -> None:
    """Read what is set up at an agency and keep it, outside any scope; a second time changes the instant alone."""
    with job_scope(agency_id=agency_id):
        agency = Agency.objects.get(pk=agency_id)
        RecordFacts.objects.update_or_create(
            agency=agency, defaults={"facts": selectors.read_facts(agency), "read_at": at}
        )


@transaction.atomic
def set_words(*, agency: Agency, said: Mapping[str, Any], by: Actor, at: datetime) -> None:
    """
    Write down what people say in the records.

    :param said: the columns of `RecordWords` by name.
    """
    if by.user_id is None:
        raise TypeError("The records are worded by a person.")
    RecordWords.objects.update_or_create(
        agency=agency,
        defaults={
            **{name: said[name] for name in FIELDS},
            "changed_by_id": by.user_id,
            "changed_at": at,
        },
    )
    audit.record("records.worded", subject=agency, by=by, at=at)


@transaction.atomic
def take_snapshot(*, agency: Agency, seen: bytes, by: Actor, at: datetime) -> RecordSnapshot:
    """
    Keep the records as they were shown; nobody changes a snapshot.

    :param seen: the digest that the page showed.
    :raises ChangedMeanwhileError: they say something else by now.
    :raises NothingNewError: the newest snapshot says the same, and is younger than `CONFIRM_AFTER`.
    """
    if by.user_id is None:
        raise TypeError("A snapshot is kept by a person.")
    # Two who take one at once take turns; the second sees what the first did.
    Agency.objects.select_for_update(no_key=True, of=("self",)).get(pk=agency.pk)
    present = selectors.present()
    if present is None or present.digest != seen:
        raise ChangedMeanwhileError(
            "Something was changed meanwhile. Look at the records again, then keep them."
        )
    newest = selectors.snapshots().first()
    is_same = newest is not None and bytes(newest.digest) == seen
    if newest is not None and is_same and not may_confirm(newest, at=at):
        raise NothingNewError("The newest snapshot says the same already.")
    last = RecordSnapshot.objects.aggregate(last=Max("number"))["last"] or 0
    row = RecordSnapshot.objects.create(
        agency=agency,
        number=last + 1,
        record=present.record,
        digest=seen,
        taken_by_id=by.user_id,
        taken_at=at,
    )
    deed = "records.confirmed" if is_same else "records.kept"
    audit.record(deed, subject=agency, by=by, at=at, number=row.number, digest=seen.hex()[:16])
    return row


def may_confirm(newest: RecordSnapshot, *, at: datetime) -> bool:
    """Whether the newest snapshot is old enough that another may say the same."""
    return at - newest.taken_at >= CONFIRM_AFTER


def note_taken(*, agency: Agency, number: int, form: str, by: Actor, at: datetime) -> None:
    """Write down that somebody takes the records along. :param number: of the snapshot; 0: as they stand now."""
    with transaction.atomic():
        audit.record("records.taken", subject=agency, by=by, at=at, number=number, form=form)
