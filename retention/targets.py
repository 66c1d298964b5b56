"""
What retention can erase: how each kind of row leaves is its own app's knowledge, listed here once.

A later kind is one more entry; runs and previews walk the list.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from callprivacy.calls.models import CallQuerySet
from callprivacy.calls.services import erasure
from callprivacy.calls.services.erasure import Due, Erased, Said, VendorCopy
from callprivacy.tenancy.models import Client
from consent.services import quarantine

__all__ = ["CALLS", "SAID", "Due", "Erased", "Part", "Said", "Target", "VendorCopy"]


class CloseBefore(Protocol):
    def __call__(self, *, client: Client, cutoff: datetime) -> None: ...


class DestroyKeys(Protocol):
    def __call__(
        self, *, client: Client, call_ids: Collection[UUID], recording_ids: Collection[UUID], at: datetime
    ) -> set[UUID]: ...


class RemoveRows(Protocol):
    def __call__(
        self,
        *,
        client: Client,
        call_ids: Collection[UUID],
        recording_ids: Collection[UUID],
        forgotten: Collection[UUID],
    ) -> Erased: ...


@dataclass(frozen=True, slots=True)
class Target:
    """One kind of row that expires, and its steps in the order of leaving."""

    name: str
    due: Callable[[Client, datetime], CallQuerySet]
    count: Callable[[Client, datetime], Due]
    vendor_copies: Callable[[Client, Collection[UUID]], list[VendorCopy]]
    close_before: CloseBefore
    destroy_keys: DestroyKeys
    remove_rows: RemoveRows


CALLS = Target(
    name="call",
    due=erasure.due_calls,
    count=erasure.count_due,
    vendor_copies=erasure.vendor_copies,
    close_before=erasure.close_before,
    destroy_keys=erasure.destroy_keys,
    remove_rows=erasure.remove_rows,
)


class Erasable(Protocol):
    def __call__(self, client: Client, *, at: datetime, limit: int) -> list[UUID]: ...


class MarkGone(Protocol):
    def __call__(self, *, client: Client, call_ids: Collection[UUID], at: datetime) -> list[VendorCopy]: ...


class NoteTold(Protocol):
    def __call__(self, *, client: Client, recording_ids: Collection[UUID], at: datetime) -> None: ...


class Unfinished(Protocol):
    def __call__(self, client: Client, *, limit: int) -> Said: ...


class EraseSaid(Protocol):
    def __call__(self, *, client: Client, said: Said) -> None: ...


class ClearGone(Protocol):
    def __call__(self, *, client: Client, said: Said) -> Erased: ...


@dataclass(frozen=True, slots=True)
class Part:
    """What leaves a row while the row stays, and its steps in the order of leaving."""

    name: str
    due: Erasable
    mark: MarkGone
    note_told: NoteTold
    unfinished: Unfinished
    erase: EraseSaid
    clear: ClearGone


SAID = Part(
    name="recording",
    due=quarantine.erasable,
    mark=erasure.mark_gone,
    note_told=erasure.note_vendor_told,
    unfinished=erasure.unfinished,
    erase=erasure.erase_said,
    clear=erasure.clear_gone,
)
"""Recordings and transcripts whose quarantine is over."""
