"""
Pages of long lists, each named by the id of the row that it follows: no row is counted or skipped, none comes twice
because another one came in, and the address holds no value of any row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from django.core.exceptions import ValidationError
from django.db.models import F, OrderBy, Q, QuerySet


@dataclass(frozen=True, slots=True)
class _Key:
    path: str
    is_down: bool
    nulls_last: bool

    @classmethod
    def of(cls, order: Any) -> "_Key":
        """PostgreSQL takes no value for the largest one, where the order does not say otherwise."""
        if not isinstance(order, OrderBy):
            return cls(order.removeprefix("-"), order.startswith("-"), not order.startswith("-"))
        path = cast(Any, order.expression).name
        if order.nulls_first or order.nulls_last:
            return cls(path, order.descending, bool(order.nulls_last))
        return cls(path, order.descending, not order.descending)

    def order(self, *, back: bool) -> OrderBy:
        last = self.nulls_last != back
        nulls = {"nulls_last": True} if last else {"nulls_first": True}
        return F(self.path).desc(**nulls) if self.is_down != back else F(self.path).asc(**nulls)

    def same(self, value: Any) -> Q:
        return Q(**{f"{self.path}__isnull": True}) if value is None else Q(**{self.path: value})

    def beyond(self, value: Any, *, back: bool) -> Q:
        last = self.nulls_last != back
        if value is None:
            return Q(pk__in=[]) if last else Q(**{f"{self.path}__isnull": False})
        found = Q(**{f"{self.path}__{'lt' if self.is_down != back else 'gt'}": value})
        return found | Q(**{f"{self.path}__isnull": True}) if last else found


def page(rows: QuerySet[Any], said: Mapping[str, str], *, size: int) -> tuple[list[Any], Any, Any]:
    """
    The rows of the page that `before` or `after` names, and the ids that name the page before and the next one.

    The rows have an order, by their own fields or annotations; their id ends it.
    """
    keys = [_Key.of(one) for one in (*(rows.query.order_by or rows.model._meta.ordering), "pk")]
    back = "before" in said
    anchor = _anchor(rows, keys, said.get("before" if back else "after", ""))
    back = back and anchor is not None
    if anchor is not None:
        beyond, same = Q(pk__in=[]), Q()
        for key, value in zip(keys, anchor, strict=True):
            beyond |= same & key.beyond(value, back=back)
            same &= key.same(value)
        rows = rows.filter(beyond)
    found = list(rows.order_by(*(key.order(back=back) for key in keys))[: size + 1])
    is_more, found = len(found) > size, found[:size]
    if back:
        found.reverse()
    if not found:
        return [], None, None
    has_before, has_after = (is_more, True) if back else (anchor is not None, is_more)
    return found, found[0].pk if has_before else None, found[-1].pk if has_after else None


def _anchor(rows: QuerySet[Any], keys: Sequence[_Key], raw: str) -> tuple[Any, ...] | None:
    try:
        pk = rows.model._meta.pk.to_python(raw)
    except ValidationError:
        return None
    found: tuple[Any, ...] | None = (
        rows.filter(pk=pk).order_by().values_list(*(key.path for key in keys)).first() if raw else None
    )
    return found
