"""
One declared table for every list: columns, sorting, filters in the address, keyset pages, an empty state, actions on
ticked rows, and the same rows as CSV.

`list_page` makes a page of it, `Table.draw` a part of one, for `components/table.html`. A page is named by the id of
the row that it follows: an address holds no value of any row.
"""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import wraps
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.db.models import QuerySet
from django.forms import BoundField
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.formats import date_format
from django.utils.html import format_html, strip_tags
from django.views.decorators.http import require_safe
from django_filters import FilterSet

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.views.form_pages import Right, guarded
from callprivacy.lib import keyset
from callprivacy.lib.cells import plain_cell
from callprivacy.lib.rows import pill, when

ROWS_OF_A_FILE: Final = 50_000

type Part = str | Callable[[Any], Any]
type View = Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True)
class Pill:
    """A state with its color."""

    text: str
    tone: str = ""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant in a zone that is not the agency's."""

    at: datetime
    zone: str


@dataclass(frozen=True, slots=True)
class Link:
    """
    A button that leads on.

    :ivar about: what it is about, for people who hear the page.
    :ivar tone: primary, ghost, danger, or empty.
    :ivar posts: it does something there; else the page opens.
    :ivar sends: what tells it from the other buttons for ticked rows; without an address they post to the page.
    """

    label: str
    url: Any = ""
    about: str = ""
    tone: str = ""
    posts: bool = False
    sends: str = ""


@dataclass(frozen=True, slots=True)
class Empty:
    """What stands where there are no rows."""

    title: str
    text: str = ""
    picture: str = "done"
    link: Link | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """
    One column. The first one names the row.

    :ivar value: a row's attribute, as `vendor.name`, or what computes it: text, number, day, instant, or pill.
    :ivar link: row -> the address that the value leads to; empty: nowhere.
    :ivar note: what stands below the value, smaller.
    :ivar sort: the field by which rows are sorted where a person asks for that.
    :ivar nothing: what stands where there is no value.
    """

    label: str
    value: Part
    link: Callable[[Any], str] | None = None
    note: Part = ""
    sort: str = ""
    nothing: str = "–"
    is_number: bool = False

    def draw(self, row: Any, zone: str) -> str:
        """The cell on the page."""
        shown: object = _shown(_part(self.value, row), zone)
        if shown == "":
            shown = format_html('<span class="text-muted">{}</span>', self.nothing)
        if self.link is not None and (url := self.link(row)):
            shown = format_html('<a class="row-link" href="{}">{}</a>', url, shown)
        note = _shown(_part(self.note, row), zone) if self.note else ""
        if note == "":
            return str(shown) if not hasattr(shown, "__html__") else shown  # type: ignore[return-value]  # escaped
        return format_html('<span>{}<small class="block text-muted">{}</small></span>', shown, note)


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """
    A list, declared.

    :ivar label: what the rows are, as a heading says it.
    :ivar lines: makes of the rows of a page what the columns read, in one go.
    :ivar links: what may be done with one row. :ivar pick: under which name ids of selected rows come.
    :ivar may_pick: which rows can be selected; None: all.
    :ivar file: the name of its CSV; empty: there is none.
    """

    label: str
    columns: Sequence[Column]
    empty: Empty
    filters: type[FilterSet] | None = None
    size: int = 50
    lines: Callable[[StaffRequest, list[Any]], Iterable[Any]] | None = None
    links: Callable[[Any], Sequence[Link]] | None = None
    pick: str = "row"
    may_pick: Callable[[StaffRequest, Any], bool] | None = None
    file: str = ""

    def draw(
        self,
        request: StaffRequest,
        rows: QuerySet[Any] | Sequence[Any],
        *,
        empty: Empty | None = None,
        bulk: Sequence[Link | BoundField] = (),
        zone: str = "",
    ) -> dict[str, Any]:
        """
        What `components/table.html` draws; `bulk` is for ticked rows. A sequence is shown whole as it stands.

        :param zone: of the instants; empty: the agency's.
        """
        rows, form, active = self._filtered(request, rows)
        sort, before, after = "", None, None
        if isinstance(rows, QuerySet):
            sort, rows = self._sorted(request, rows)
            shown, before, after = keyset.page(rows, request.GET, size=self.size)
        else:
            shown = list(rows)
        zone = zone or request.agency.time_zone
        return {
            "label": self.label,
            "form": form,
            "active": active,
            "columns": self.columns,
            "sort": sort,
            "rows": [
                {
                    "id": getattr(line, "pk", None),
                    "may_pick": self.may_pick is None or self.may_pick(request, line),
                    "head": self.columns[0].draw(line, zone),
                    "cells": [(one, one.draw(line, zone)) for one in self.columns[1:]],
                    "links": self.links(line) if self.links else (),
                }
                for line in self._lines(request, shown)
            ],
            "has_links": self.links is not None,
            "bulk": bulk,
            "pick": self.pick,
            "empty": empty or self.empty,
            "before": before,
            "after": after,
            "file": self.file,
        }

    def take(
        self, request: StaffRequest, rows: QuerySet[Any] | Sequence[Any], zone_name: str = ""
    ) -> HttpResponse:
        """The filtered rows as CSV for a spreadsheet; no file for a person from whom files are withheld."""
        access.require_files(request)
        rows, _, _ = self._filtered(request, rows)
        if isinstance(rows, QuerySet):
            rows = self._sorted(request, rows)[1]
        found = list(rows[: ROWS_OF_A_FILE + 1])
        if len(found) > ROWS_OF_A_FILE:
            messages.warning(request, f"More than {ROWS_OF_A_FILE:,} rows. Filter the list first.")
            said = request.GET.copy()
            del said["file"]
            return redirect(f"{request.path}?{said.urlencode()}")
        out = io.StringIO("\ufeff")
        out.seek(0, io.SEEK_END)
        writer = csv.writer(out, quoting=csv.QUOTE_ALL)
        heads = [(one, part) for one in self.columns for part in (one.value, one.note) if part]
        writer.writerow([one.label if part is one.value else f"{one.label}, note" for one, part in heads])
        zone = ZoneInfo(zone_name or request.agency.time_zone)
        for line in self._lines(request, found):
            writer.writerow([_written(_part(part, line), zone) for _, part in heads])
        name = f"{self.file}-{request.at.astimezone(zone):%Y%m%d-%H%M}.csv"
        return HttpResponse(
            out.getvalue(),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    def _lines(self, request: StaffRequest, rows: list[Any]) -> Iterable[Any]:
        return self.lines(request, rows) if self.lines else rows

    def _filtered(self, request: StaffRequest, rows: Any) -> tuple[Any, Any, int]:
        if self.filters is None:
            return rows, None, 0
        found = self.filters(request.GET, queryset=rows, request=request)
        rows = found.qs
        return rows, found.form, sum(bool(one) for one in found.form.cleaned_data.values())

    def _sorted(self, request: StaffRequest, rows: QuerySet[Any]) -> tuple[str, QuerySet[Any]]:
        sort = request.GET.get("sort", "")
        if sort.removeprefix("-") not in {one.sort for one in self.columns if one.sort}:
            return "", rows
        return sort, rows.order_by(sort)


def list_page(
    table: Table,
    *,
    right: Right,
    lede: str | Callable[..., str] = "",
    actions: Callable[..., Sequence[Link]] | None = None,
    tabs: Sequence[tuple[str, str, Empty]] = (),
    more: Callable[..., dict[str, Any]] | None = None,
    template: str = "list_page.html",
) -> Callable[[Callable[..., Any]], View]:
    """
    Declare a page with one list; the decorated function returns its rows. `lede`, `actions` and `more` get what the
    address names, as the function does. Where that is a client, instants are in its zone.

    :param actions: buttons of the page, with the client where the address names one; the primary one is offered where
        there are no rows, too.
    :param tabs: parts of the list: the word of `?show=`, its label, and what stands where it has no rows.
    :param more: what a template of its own needs.
    """

    def decorate(select: Callable[..., Any]) -> View:
        @require_safe
        @wraps(select)
        def view(request: StaffRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            rows = select(request, *args, **kwargs)
            zone = getattr(args[0], "time_zone", "") if args else ""
            if table.file and request.GET.get("file") == "csv":
                return table.take(request, rows, zone)
            show = request.GET.get("show", "")
            links = actions(request, *args, **kwargs) if actions else ()
            primary = next((one for one in links if one.tone == "primary"), None)
            nothing = replace(table.empty, link=table.empty.link or primary)
            empty = next((one for name, _, one in tabs if name == show), nothing)
            context = {
                "table": table.draw(request, rows, empty=empty, zone=zone),
                "about": lede(*args, **kwargs) if callable(lede) else lede,
                "actions": links,
                "views": [
                    {"url": f"?show={name}" if name else "?", "label": label, "active": name == show}
                    for name, label, _ in tabs
                ],
                **(more(request, *args, **kwargs) if more else {}),
            }
            return render(request, template, context)

        view.table = table  # type: ignore[attr-defined]  # a mark on a function
        return guarded(view, right)

    return decorate


def _part(part: Part, row: Any) -> Any:
    if callable(part):
        return part(row)
    for name in part.split("."):
        row = getattr(row, name) if row is not None else None
        row = row() if callable(row) else row
    return row


def _shown(value: Any, zone: str) -> str:
    if value is None or hasattr(value, "__html__"):
        return value or ""
    match value:
        case Pill():
            return pill(value.text, value.tone)
        case Moment():
            return when(value.at, value.zone)
        case datetime():
            return when(value, zone)
        case date():
            return date_format(value, "j M Y")
    return f"{value:,}" if isinstance(value, int) else str(value)


def _written(value: Any, zone: ZoneInfo) -> str:
    match value:
        case None:
            return ""
        case Moment():
            return value.at.astimezone(ZoneInfo(value.zone)).isoformat()
        case datetime():
            return value.astimezone(zone).isoformat()
        case date():
            return value.isoformat()
    return str(value) if isinstance(value, int) else plain_cell(strip_tags(str(value)))
