"""Numbered pages of short lists, each with its own name in the address."""

from collections.abc import Sequence
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict


def page_of(
    request: HttpRequest, rows: QuerySet[Any] | Sequence[Any], *, size: int, key: str = "page"
) -> Page[Any]:
    """
    The page that the address names under `key`, with what the addresses before and after it say: the same beside it.
    """
    page: Page[Any] = Paginator(rows, size).get_page(request.GET.get(key))
    page.before = _turned(request, key, page.number - 1)  # type: ignore[attr-defined]  # read by the template
    page.after = _turned(request, key, page.number + 1)  # type: ignore[attr-defined]  # read by the template
    return page


def _turned(request: HttpRequest, key: str, number: int) -> QueryDict:
    said = request.GET.copy()
    said[key] = str(number)
    return said
