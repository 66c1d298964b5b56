"""
The door of badge systems: who passed, in or out, under a key of the site's own. The same event twice is one.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Annotated, Any, Final, Literal

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router, Schema
from ninja.decorators import decorate_view
from pydantic import Field, StringConstraints

from callprivacy.lib.forms import FIRST_DAY
from consent.api import LINE, Problem, Strict, answer_json, bearer_of, problem, refuse_unread, unavailable
from consent.services.limits import Verdict, knock
from governance.services import badge_systems
from governance.services.premises import AHEAD, Passing

AT_MOST: Final = 1_000
_EVENTS_A_MINUTE: Final = 20_000

router = Router()


class SystemRequest(HttpRequest):
    """A request whose key has been checked."""

    holder: badge_systems.Holder
    at: datetime


type Run = Callable[..., HttpResponse]


def door(run: Run) -> Run:
    """Decorate an operation: it runs for who sends a key of a site that counts."""

    @wraps(run)
    def guarded(request: SystemRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        refusal = refuse_unread(request)
        if refusal is not None:
            return refusal
        request.at = timezone.now()
        try:
            request.holder = badge_systems.holder_of(bearer_of(request), at=request.at)
            return run(request, *args, **kwargs)
        except badge_systems.WrongKeyError:
            answer = problem(
                401, "unauthorised", "Send a key of the site that counts: Authorization: Bearer cps_…."
            )
            answer.headers["WWW-Authenticate"] = "Bearer"
            return answer
        except DatabaseError as error:
            return unavailable(error, "Nothing was taken. Send it again.")

    return guarded


_Word = Annotated[str, StringConstraints(strip_whitespace=True, pattern=LINE)]


class PassingIn(Strict):
    """Somebody held a badge to a reader."""

    reference: _Word = Field(
        min_length=1,
        max_length=80,
        description="Your system's own name of this event; the same twice is one.",
    )
    badge: _Word = Field(
        min_length=1, max_length=80, description="What the reader read. Only its digest is kept."
    )
    direction: Literal["in", "out"]
    at: datetime = Field(description="With its offset, such as 2026-11-24T08:31:00-05:00.")
    room: _Word = Field(
        "", max_length=60, description="The room, as the site's page names it; empty: the site's door."
    )


class EntriesIn(Strict):
    """What was read since the last time; sent again in part or whole it adds nothing."""

    events: Annotated[list[PassingIn], Field(min_length=1, max_length=AT_MOST)]


class EntriesOut(Schema):
    came: int = Field(description="Ways in that were not known before.")
    flagged: int = Field(description="Of these, how many wait for somebody to look at them.")


@router.post(
    "/premises/entries",
    response={200: EntriesOut, **dict.fromkeys((400, 401, 409, 411, 413, 415, 422, 429, 503), Problem)},
    summary="Who passed a reader",
    tags=["premises"],
)
@decorate_view(door)
def take_entries(request: SystemRequest, entries: EntriesIn) -> HttpResponse:
    """
    Takes what a site's badge system read, up to 1,000 events at once, in any order. Needs a key of the site, which is
    made on its page under Programme, Premises, and does nothing else.
    """
    holder, at = request.holder, request.at
    verdict = knock(
        "premises",
        str(holder.key_id),
        most=_EVENTS_A_MINUTE,
        per=timedelta(minutes=1),
        at=at,
        weight=len(entries.events),
    )
    if verdict is Verdict.FULL:
        answer = problem(
            429, "too_many", f"More than {_EVENTS_A_MINUTE:,} events in a minute. Wait a little."
        )
        answer.headers["Retry-After"] = "10"
        return answer
    for place, one in enumerate(entries.events):
        if one.at.tzinfo is None:
            return problem(422, "invalid", "Send the offset as well.", f"events.{place}.at")
        if one.at > at + AHEAD:
            return problem(
                422, "invalid", "This lies in the future; set the reader's clock.", f"events.{place}.at"
            )
        if one.at.date() < FIRST_DAY:
            return problem(422, "invalid", "This is too long ago to be right.", f"events.{place}.at")
    passings = [
        Passing(one.reference, one.badge, one.direction == "in", one.at, one.room) for one in entries.events
    ]
    try:
        came, flagged = badge_systems.take_events(holder=holder, passings=passings, at=at)
    except badge_systems.SiteClosedError as error:
        return problem(409, "site_closed", str(error))
    return answer_json({"came": came, "flagged": flagged})
