"""Retention of training and premises."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from governance.models import Attempt, Completion, Entry
from governance.selectors import ends
from governance.services import certificates
from retention import targets
from retention.enums import Category
from retention.targets import Deed, HouseLine

BATCH: Final = 1_000


def _nothing(line: HouseLine, ids: Sequence[UUID]) -> None:
    """Entries have no keys or files."""


def _remove_training(line: HouseLine, ids: Sequence[UUID], action: Deed) -> tuple[UUID, ...]:
    removed: list[UUID] = []
    for rows in (ends.old_tries(line), ends.old_proofs(line)):
        locked = rows.filter(pk__in=ids).select_for_update(of=("self",))
        removed += locked.order_by("pk").values_list("pk", flat=True)
    Attempt.objects.filter(pk__in=removed).remove()
    Completion.objects.filter(pk__in=removed).remove()
    return tuple(removed)


def _remove_entries(line: HouseLine, ids: Sequence[UUID], action: Deed) -> tuple[UUID, ...]:
    rows = ends.old_entries(line).filter(pk__in=ids)
    removed = list(rows.select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True))
    Entry.objects.filter(pk__in=removed).remove()
    return tuple(removed)


def register() -> None:
    targets.register_house(
        targets.HouseTarget(
            category=Category.TRAINING,
            noun="training",
            batch=BATCH,
            count=ends.count_training,
            due=ends.training_due,
            destroy=lambda line, ids: certificates.drop(line.agency.pk, ids),
            remove=_remove_training,
            by_day=ends.training_by_day,
            told=ends.training_told,
        )
    )
    targets.register_house(
        targets.HouseTarget(
            category=Category.PREMISES,
            noun="entries",
            batch=BATCH,
            count=ends.count_entries,
            due=ends.entries_due,
            destroy=_nothing,
            remove=_remove_entries,
            by_day=ends.entries_by_day,
            told=ends.entries_told,
        )
    )
