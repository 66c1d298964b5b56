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
from callprivacy.calls.services.erasure import Due, Erased, VendorCopy
from callprivacy.tenancy.models import Client

__all__ = ["CALLS", "Due", "Erased", "Target", "VendorCopy"]


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
