"""One page for every small form of the programme: what it is about, the form, a button, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from callprivacy.accounts.access import StaffRequest
from callprivacy.lib import calendars


def show_form(
    request: StaffRequest,
    form: Any,
    *,
    section: str,
    title: str,
    button: str,
    crumbs: Sequence[tuple[str, str]],
    lede: str = "",
    is_final: bool = False,
) -> HttpResponse:
    """
    A page with one form.

    :param crumbs: words and address of the pages above, outermost first; the last one is the way back.
    :param is_final: the deed cannot be taken back, and its button looks like that.
    """
    context = {
        "section": section,
        "form": form,
        "title": title,
        "lede": lede,
        "button": button,
        "is_final": is_final,
        "crumbs": crumbs[1:],
        "back": crumbs[-1][1],
    }
    return render(request, "governance/deed.html", context)


def today(request: StaffRequest) -> date:
    """The day in the agency's zone."""
    return calendars.day_in(request.agency.time_zone, request.at)
