"""The API of badge systems, authenticated by a key of the site. Repeated events count once."""

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
    holder: badge_systems.Holder
    at: datetime


type Run = Callable[..., HttpResponse]


def endpoint(run: Run) -> Run:
    """Require a valid site key."""

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
                401, "unauthorised", "Send a valid key of the site: Authorization: Bearer cps_…."
            )
            answer.headers["WWW-Authenticate"] = "Bearer"
            return answer
        except DatabaseError as error:
            return unavailable(error, "No events were saved. Send them again.")

    return guarded


_Word = Annotated[str, StringConstraints(strip_whitespace=True, pattern=LINE)]


class PassingIn(Strict):
    """One badge read."""

    reference: _Word = Field(
        min_length=1,
        max_length=80,
        description="Your system's ID of this event. Repeated IDs count once.",
    )
    badge: _Word = Field(
        min_length=1, max_length=80, description="The code that the reader read. Only its digest is stored."
    )
    direction: Literal["in", "out"]
    at: datetime = Field(description="With the UTC offset, such as 2026-11-24T08:31:00-05:00.")
    room: _Word = Field("", max_length=60, description="A room of the site. Empty for the entrance.")


class EntriesIn(Strict):
    """Badge reads. It is safe to send them again."""

    events: Annotated[list[PassingIn], Field(min_length=1, max_length=AT_MOST)]


class EntriesOut(Schema):
    came: int = Field(description="New entries.")
    flagged: int = Field(description="New entries that are flagged for review.")


@router.post(
    "/premises/entries",
    response={200: EntriesOut, **dict.fromkeys((400, 401, 409, 411, 413, 415, 422, 429, 503), Problem)},
    summary="Send badge reads",
    tags=["premises"],
)
@decorate_view(endpoint)
def take_entries(request: SystemRequest, entries: EntriesIn) -> HttpResponse:
    """
    Takes up to 1,000 badge reads of a site in any order. Requires a key of the site, created under Governance,
    Premises.
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
            429, "too_many", f"More than {_EVENTS_A_MINUTE:,} events in a minute. Try again later."
        )
        answer.headers["Retry-After"] = "10"
        return answer
    for place, one in enumerate(entries.events):
        if one.at.tzinfo is None:
            return problem(422, "invalid", "Add the UTC offset.", f"events.{place}.at")
        if one.at > at + AHEAD:
            return problem(
                422, "invalid", "The time is in the future. Set the reader's clock.", f"events.{place}.at"
            )
        if one.at.date() < FIRST_DAY:
            return problem(422, "invalid", "The date is too far in the past.", f"events.{place}.at")
    passings = [
        Passing(one.reference, one.badge, one.direction == "in", one.at, one.room) for one in entries.events
    ]
    try:
        came, flagged = badge_systems.take_events(holder=holder, passings=passings, at=at)
    except badge_systems.SiteClosedError as error:
        return problem(409, "site_closed", str(error))
    return answer_json({"came": came, "flagged": flagged})
