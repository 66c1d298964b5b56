"""Access reviews: who may what and used it when, confirmed or ended; and what the vendors' own lists say beside it."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from callprivacy.accounts import access, selectors
from callprivacy.accounts.access import StaffRequest, confirms, needs_right
from callprivacy.accounts.enums import AgencyRight, Deed
from callprivacy.accounts.forms import ReviewFilter, SeatsForm
from callprivacy.accounts.models import AccessReview
from callprivacy.accounts.services import reviews
from callprivacy.accounts.views.pages import page_of
from callprivacy.lib import calendars

PAGE = 100
SHOWN = 50


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
        "page": page_of(request, selectors.reviews(), size=SHOWN),
        "open": selectors.open_review(),
        "policy": policy,
        "unused": unused[:SHOWN],
        "unused_count": len(unused),
        "strays": strays[:SHOWN],
        "strays_count": len(strays),
    }
    return render(request, "accounts/reviews.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs_right(AgencyRight.MANAGE_PEOPLE)
@confirms(Deed.GRANTS)
def show_review(request: StaffRequest, review_id: UUID) -> HttpResponse:
    """The grants of one review; confirms or ends those that are ticked."""
    review = AccessReview.objects.filter(agency_id=request.agency.pk, pk=review_id).first()
    if review is None:
        raise Http404
    if request.method == "POST":
        _answer(request, review)
        return redirect(request.get_full_path())
    form = ReviewFilter(request.GET)
    wanted: dict[str, Any] = form.cleaned_data if form.is_valid() else {}
    rows = selectors.review_lines(review)
    if wanted.get("q"):
        rows = rows.filter(user__name__icontains=wanted["q"])
    if wanted.get("c"):
        rows = rows.filter(client__name__icontains=wanted["c"])
    if wanted.get("answer"):
        rows = rows.filter(answer=wanted["answer"])
    page = page_of(request, rows, size=PAGE)
    seats = {
        (stray.seat.email.lower(), stray.seat.client_id): stray
        for stray in selectors.stray_seats(at=request.at)
    }
    counted = selectors.reviews().get(pk=review.pk)
    context = {
        "review": counted,
        "form": form,
        "active": sum(bool(value) for value in wanted.values()),
        "page": page,
        "is_open": review.closed_at is None,
        "own_id": request.membership.user_id,
        "strays": list(seats.values())[:SHOWN],
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


@require_http_methods(["GET", "HEAD", "POST"])
@needs_right(AgencyRight.MANAGE_PEOPLE)
def bring_seats(request: StaffRequest) -> HttpResponse:
    """The lists of people at the vendors, and bringing one."""
    form = SeatsForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        count = reviews.take_seats(
            agency=request.agency,
            vendor=form.cleaned_data["vendor"],
            seats=form.cleaned_data["file"],
            by=request.actor,
            at=request.at,
        )
        messages.success(
            request, f"{count} people of {form.cleaned_data['vendor']}, in place of the list before."
        )
        return redirect("accounts:seats")
    strays = {stray.seat.pk: stray.short for stray in selectors.stray_seats(at=request.at)}
    page = page_of(request, selectors.seats_of(), size=PAGE)
    context = {
        "form": form,
        "page": page,
        "rows": [(seat, strays.get(seat.pk, "")) for seat in page],
    }
    return render(request, "accounts/seats.html", context)
