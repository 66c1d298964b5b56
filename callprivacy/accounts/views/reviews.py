"""Access reviews: who may what and used it when, confirmed or ended; and what the vendors' own lists say beside it."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from callprivacy.accounts import access, selectors
from callprivacy.accounts.access import StaffRequest, confirms, needs_right
from callprivacy.accounts.enums import AgencyRight, Deed, ReviewAnswer
from callprivacy.accounts.forms import ReviewFilter, SeatsForm
from callprivacy.accounts.models import AccessReview, VendorSeat
from callprivacy.accounts.services import reviews
from callprivacy.accounts.views.form_pages import Done, form_page
from callprivacy.accounts.views.tables import Column, Empty, Link, Pill, Table
from callprivacy.lib import calendars

PAGE = 100
SHOWN = 50


@dataclass(frozen=True, slots=True)
class _Seat:
    seat: VendorSeat
    why: str


def _email_of(row: _Seat | selectors.Stray) -> str:
    return row.seat.email if row.seat.name else ""


def _client_of(row: _Seat) -> str:
    if row.seat.client is None:
        return "no client of that name here" if row.seat.account else ""
    return row.seat.client.name if row.seat.client.name != row.seat.account else ""


def _lines(request: StaffRequest, seats: list[VendorSeat]) -> list[_Seat]:
    strays = {stray.seat.pk: stray.short for stray in selectors.stray_seats(at=request.at)}
    return [_Seat(seat, strays.get(seat.pk, "")) for seat in seats]


_NOT_COUNTED: Final = "not since it is counted"
_REVIEWS: Final = Table(
    label="Reviews",
    columns=(
        Column(
            "Period",
            "period",
            link=lambda row: reverse("accounts:review", args=[row.pk]),
            note=lambda row: "" if row.closed_at else Pill("Open", "warn"),
        ),
        Column("Started", "started_at"),
        Column("By", "started_by", nothing="the quarter"),
        Column("Due", "last_instant"),
        *(
            Column(label, name, is_number=True)
            for label, name in (
                ("Grants", "grants"),
                ("Confirmed", "kept"),
                ("Ended", "ended"),
                ("Waiting", "waiting"),
            )
        ),
    ),
    empty=Empty(
        "No review yet",
        "The first review starts with the next period, or now with the button above. It lists each grant with the day"
        " it was last used.",
    ),
    size=SHOWN,
)


def _change_link(row: selectors.Unused) -> list[Link]:
    back = {"back": reverse("accounts:reviews")}
    cell = reverse("accounts:cell", args=[row.membership.pk, row.client.slug], query=back)
    return [Link("Change", cell, f"the grant of {row.membership.user} at {row.client.name}")]


_UNUSED: Final = Table(
    label="Unused grants",
    columns=(
        Column("Person", "membership.user"),
        Column("Client", "client.name"),
        Column("As", "bundle.label"),
        Column("Granted", "granted_at"),
        Column("Last used", "last_on", nothing=_NOT_COUNTED),
    ),
    links=_change_link,
    empty=Empty("No unused grants", "Every grant was used lately, or is younger than that."),
)
_TONES: Final = {ReviewAnswer.KEPT: "good", ReviewAnswer.OPEN: "warn"}
_LINES: Final = Table(
    label="Grants",
    columns=(
        Column("Person", "user"),
        Column("Client", "client.name"),
        Column("As", "get_bundle_display"),
        Column("Granted", "granted_at"),
        Column("Last used", "last_on", nothing=_NOT_COUNTED),
        Column(
            "Decision",
            lambda row: Pill(row.get_answer_display(), _TONES.get(row.answer, "neutral")),
            note="answered_by",
        ),
    ),
    filters=ReviewFilter,
    empty=Empty("No grants in this review"),
    size=PAGE,
    pick="line",
    may_pick=lambda request, row: row.answer == ReviewAnswer.OPEN and row.user_id != request.user.pk,
)
_BULK: Final = (
    Link("Confirm them", sends="keep", tone="primary"),
    Link("End them now", sends="end", tone="danger"),
)
_STRAYS: Final = Table(
    label="Seats at vendors that nothing here explains",
    columns=(
        Column("Person", lambda row: row.seat.name or row.seat.email, note=_email_of),
        Column("Account there", "seat.account", nothing="all of it"),
        Column("Client here", "seat.client.name", nothing="none of that name"),
        Column("What is so", lambda row: Pill(row.why, "warn")),
    ),
    empty=Empty(
        "No unexplained seats at vendors",
        "Import the user list that your tracker exports. People with access there but not here are then listed.",
        "people",
    ),
)
_SEATS: Final = Table(
    label="Vendor access lists",
    columns=(
        Column("Person", lambda row: row.seat.name or row.seat.email, note=_email_of),
        Column("Vendor", "seat.vendor", note="seat.imported_at"),
        Column("Account there", "seat.account", note=_client_of, nothing="all of it"),
        Column("Role there", "seat.role", nothing="not said"),
        Column("What is so", lambda row: Pill(row.why, "warn") if row.why else Pill("Here, too", "good")),
    ),
    lines=_lines,
    empty=Empty(
        "No list yet",
        "Export the list of users at your tracker and import it here: who sees a client there but not here is found at"
        " once.",
        "people",
    ),
)


@require_http_methods(["GET", "HEAD", "POST"])
@needs_right(AgencyRight.MANAGE_PEOPLE)
def list_reviews(request: StaffRequest) -> HttpResponse:
    """Every review, grants that nobody uses, and seats at vendors that nothing here explains; starts a review."""
    if request.method == "POST":
        if access.must_confirm(request, Deed.GRANTS):
            return access.ask_who_is_there(request)
        today = calendars.day_in(request.agency.time_zone, request.at)
        try:
            review = reviews.start_review(
                agency=request.agency, period=today.isoformat(), by=request.actor, at=request.at
            )
        except reviews.OpenReviewError as error:
            messages.error(request, str(error))
            return redirect("accounts:reviews")
        return redirect("accounts:review", review.pk)
    policy = access.policy_of(request.agency)
    unused = selectors.unused_grants(days=policy.unused_days, at=request.at)
    strays = selectors.stray_seats(at=request.at)
    context = {
        "reviews": _REVIEWS.draw(request, selectors.reviews()),
        "open": selectors.open_review(),
        "policy": policy,
        "lists": [
            (f"{title}{f': {len(rows)}' if rows else ''}", table.draw(request, rows[:SHOWN]), len(rows))
            for title, table, rows in (
                (f"Not used for {policy.unused_days} days", _UNUSED, unused),
                ("At the vendors, not here", _STRAYS, strays),
            )
        ],
        "shown": SHOWN,
    }
    return render(request, "accounts/reviews.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs_right(AgencyRight.MANAGE_PEOPLE)
@confirms(Deed.GRANTS)
def show_review(request: StaffRequest, review_id: UUID) -> HttpResponse:
    """The grants of one review; confirms or ends those that are ticked."""
    review = get_object_or_404(AccessReview, agency_id=request.agency.pk, pk=review_id)
    if request.method == "POST":
        _answer(request, review)
        return redirect(request.get_full_path())
    seats = {
        (stray.seat.email.lower(), stray.seat.client_id): stray
        for stray in selectors.stray_seats(at=request.at)
    }
    is_open = review.closed_at is None
    context = {
        "review": selectors.reviews().get(pk=review.pk),
        "table": _LINES.draw(request, selectors.review_lines(review), bulk=_BULK if is_open else ()),
        "is_open": is_open,
        "strays": _STRAYS.draw(request, list(seats.values())[:SHOWN]),
    }
    return render(request, "accounts/review.html", context)


def _answer(request: StaffRequest, review: AccessReview) -> None:
    ids = [
        int(value)
        for value in request.POST.getlist("line")
        if value.isascii() and value.isdigit() and len(value) < 19
    ]
    deed = request.POST.get("deed")
    if not ids or deed not in {"keep", "end"}:
        messages.warning(request, "Tick at least one grant, then confirm or end it.")
        return
    done, own = reviews.answer_lines(
        review=review, line_ids=ids, keep=deed == "keep", by=request.actor, at=request.at
    )
    if done:
        messages.success(request, f"{'Confirmed' if deed == 'keep' else 'Ended'}: {done}.")
    if own:
        messages.warning(request, f"Left: {own} of your own. Somebody else answers for those.")


@form_page(
    SeatsForm,
    right=AgencyRight.MANAGE_PEOPLE,
    title="Vendor access lists",
    lede=(
        "As the vendors' own user lists say. Grants here open nothing there, and ending one here ends nothing there."
    ),
    button="Import the list",
    crumbs=lambda _: [("Access reviews", reverse("accounts:reviews"))],
    more=lambda request, _: {"table": _SEATS.draw(request, selectors.seats_of())},
    template="accounts/seats.html",
)
def bring_seats(request: StaffRequest, _: None, form: SeatsForm) -> Done:
    vendor = form.cleaned_data["vendor"]
    count = reviews.take_seats(
        agency=request.agency, vendor=vendor, seats=form.cleaned_data["file"], by=request.actor, at=request.at
    )
    return Done(f"{count} people of {vendor}, in place of the list before.", reverse("accounts:seats"))
