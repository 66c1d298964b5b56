"""The command palette: what a person types, found as they type. It travels in a body: it may be a phone number."""

from typing import Final

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from callprivacy.accounts.access import StaffRequest
from dashboard.context import Frame
from dashboard.selectors import search

_LONGEST: Final = 80
_SHORTEST: Final = 2
_NUMBER: Final = 7
"""Digits from which on what is typed may be a phone number."""


@require_POST
@never_cache
@sensitive_post_parameters("number")
def find(request: StaffRequest) -> HttpResponse:
    words = " ".join(request.POST.get("number", "").replace("\0", "").split())[:_LONGEST]
    frame = Frame(request)
    pages: list[search.Hit] = []
    things: list[search.Hit] = []
    if len(words) >= _SHORTEST:
        pages = frame.pages_called(words)
        things = search.things(request.membership, words, at=request.at)
    is_number = frame.may_search() and sum(sign.isdigit() for sign in words) >= _NUMBER
    context = {"hits": [*things, *pages], "is_number": is_number, "has_words": len(words) >= _SHORTEST}
    return render(request, "dashboard/search.html", context)
