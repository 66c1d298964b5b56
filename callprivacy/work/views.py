"""The queue of everything that waits for a person, and the bell."""

from datetime import timedelta
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from callprivacy.accounts import access, tasks
from callprivacy.accounts import selectors as accounts
from callprivacy.accounts.access import StaffRequest, confirms, needs_right
from callprivacy.accounts.enums import AgencyRight, Deed
from callprivacy.accounts.models import Membership
from callprivacy.accounts.services import leaving
from callprivacy.accounts.services import people as deeds
from callprivacy.work import selectors, services
from callprivacy.work.forms import BulkForm, LeaverForm, MailForm, QueueFilter
from callprivacy.work.models import Item, Notification
from callprivacy.work.services import Changed, Handed

_PAGE = 50


@require_GET
def show_queue(request: StaffRequest) -> HttpResponse:
    """Everything that waits for this person, earliest due first, filters in the url."""
    clients = list(access.visible_clients(request.membership, at=request.at))
    people = selectors.colleagues(request.membership)
    rows = selectors.queue_of(request.membership, at=request.at)
    form = QueueFilter(request.GET, clients=clients, waiting=selectors.kinds_in(rows))
    wanted = form.cleaned_data if form.is_valid() else {}
    if wanted.get("kind"):
        rows = rows.filter(kind=wanted["kind"])
    if wanted.get("client"):
        rows = rows.filter(client__slug=wanted["client"])
    if wanted.get("owner"):
        rows = rows.filter(owner_id=request.membership.user_id if wanted["owner"] == "me" else None)
    page = Paginator(rows, _PAGE).get_page(request.GET.get("page"))
    kept = {name: value for name, value in wanted.items() if value}
    if page.number > 1:
        kept["page"] = page.number
    context = {
        "form": form,
        "page": page,
        "kept": urlencode(kept),
        "bulk": BulkForm(people=people),
        "filters_in_use": sum(bool(value) for value in wanted.values()),
        "now": request.at,
    }
    return render(request, "work/queue.html", context)


@require_POST
def change_items(request: StaffRequest) -> HttpResponse:
    """Hand over, put off or close the ticked items, and come back to the list as the address narrows it."""
    people = selectors.colleagues(request.membership)
    form = BulkForm(request.POST, people=people)
    chosen = selectors.queue_of(request.membership, at=request.at).filter(
        pk__in=_uuids(request.POST.getlist("item"))
    )
    item_ids = list(chosen.order_by().values_list("pk", flat=True))
    if not form.is_valid() or not item_ids:
        messages.warning(request, "Tick at least one item, and pick what is to be done with it.")
        return _back_to_queue(request)
    by, at = request.actor, request.at
    if form.cleaned_data["deed"] == "assign":
        owner = int(form.cleaned_data["owner"]) if form.cleaned_data["owner"] else None
        handed = services.assign_items(
            agency_id=request.agency.pk, item_ids=item_ids, owner_id=owner, by=by, at=at
        )
        _say_handed(request, handed, str(next((one for one in people if one.pk == owner), "nobody")))
    elif form.cleaned_data["deed"] == "snooze":
        until = at + timedelta(days=int(form.cleaned_data["days"] or 1))
        put_off = services.snooze_items(item_ids=item_ids, until=until, by=by, at=at)
        _say_changed(request, put_off, f"Put off: {put_off.changed}. They come back by themselves.")
    else:
        closed = services.decide_items(item_ids=item_ids, by=by, at=at)
        _say_changed(request, closed, f"Closed: {closed.changed}.")
    return _back_to_queue(request)


def _back_to_queue(request: StaffRequest) -> HttpResponse:
    asked = request.GET.urlencode()
    return redirect(f"{reverse('work:queue')}{'?' if asked else ''}{asked}")


@require_GET
def open_step(request: StaffRequest, item_id: UUID) -> HttpResponse:
    """Lead to where an item's next step is taken."""
    item = selectors.queue_of(request.membership, at=request.at).filter(pk=item_id).first()
    if item is None:
        raise Http404
    return redirect(_step_url(item))


@require_GET
def show_notifications(request: StaffRequest) -> HttpResponse:
    """What this person was told, newest first."""
    page = Paginator(selectors.notifications_of(request.membership), _PAGE).get_page(request.GET.get("page"))
    return render(request, "work/notifications.html", {"page": page})


@require_http_methods(["GET", "HEAD", "POST"])
def choose_mail(request: StaffRequest) -> HttpResponse:
    """How this person is told of what."""
    shown = selectors.kinds_for(request.membership, at=request.at)
    chosen = selectors.choices_of(request.membership.user_id, agency_id=request.agency.pk)
    form = MailForm(request.POST or None, shown=shown, chosen=chosen)
    if request.method == "POST" and form.is_valid():
        services.choose_mail(membership=request.membership, told=form.told(), by=request.actor, at=request.at)
        messages.success(request, "Saved.")
        return redirect("work:choose_mail")
    context = {
        "form": form,
        "zone": request.agency.time_zone,
        "chosen": sum(kind.name in chosen for kind in shown),
    }
    return render(request, "work/mail.html", context)


@require_POST
def open_notification(request: StaffRequest, notification_id: UUID) -> HttpResponse:
    """Mark one notification as read and lead to what it is about."""
    found = selectors.notifications_of(request.membership).filter(pk=notification_id).first()
    if found is None:
        raise Http404
    services.mark_read(user_id=request.membership.user_id, notification_id=found.pk, at=request.at)
    return redirect(_step_url(found))


@require_POST
def read_all(request: StaffRequest) -> HttpResponse:
    services.mark_read(user_id=request.membership.user_id, at=request.at)
    return redirect("work:notifications")


@require_http_methods(["GET", "HEAD", "POST"])
@needs_right(AgencyRight.MANAGE_PEOPLE)
@confirms(Deed.GRANTS)
def see_off(request: StaffRequest, pk: int) -> HttpResponse:
    """The leaver's checklist: what one press ends and hands over, counted before; and what is left to do elsewhere."""
    membership = (
        Membership.objects.filter(agency_id=request.agency.pk, pk=pk).select_related("user", "agency").first()
    )
    if membership is None:
        raise Http404
    people = [one for one in selectors.colleagues(request.membership) if one.pk != membership.user_id]
    form = LeaverForm(request.POST or None, people=people)
    if request.method == "POST" and form.is_valid():
        try:
            gone = services.let_go(
                membership=membership, to_id=form.cleaned_data["to"], by=request.actor, at=request.at
            )
        except (deeds.LastManagerError, deeds.OwnRightsError) as error:
            messages.error(request, str(error))
        else:
            tasks.wake_people()
            messages.success(request, _said_of(str(membership.user), gone))
        return redirect("accounts:person", pk=pk)
    extent = leaving.extent_of(membership, at=request.at)
    context = {
        "person": membership,
        "form": form,
        "is_self": membership.pk == request.membership.pk,
        "extent": [
            {"label": "Sessions that end", "value": extent.sessions},
            {"label": "Clients on which every grant ends", "value": extent.clients},
            {"label": "Keys of systems that open nothing any more", "value": extent.keys},
            {"label": "Open invitations of theirs, withdrawn", "value": extent.invitations},
            {"label": "Open tasks handed over", "value": selectors.count_owned(membership)},
        ],
        "seats": accounts.seats_of().filter(email__iexact=membership.user.email),
        "keys": accounts.keys_listed(membership.user_id, at=request.at),
    }
    return render(request, "work/leaver.html", context)


def _said_of(name: str, gone: services.Gone) -> str:
    left = gone.left
    return (
        f"{name} has left. Ended: {left.sessions} sessions, {left.keys} keys, grants on {left.clients} clients, "
        f"{left.invitations} invitations. Tasks: {gone.handed} handed over, {gone.nobodys} nobody's."
    )


def _say_handed(request: StaffRequest, handed: Handed, name: str) -> None:
    """Say how many items were handed over, how many were not, and why."""
    if handed.handed:
        messages.success(request, f"Handed to {name}: {handed.handed}.")
    if not handed.left:
        return
    said = [f"Could not be handed to {name}: {handed.left}. They stayed as they were."]
    if handed.without_grant:
        said.append(
            f"{handed.without_grant} of them: {name} has no grant on the client that covers this work."
        )
    if handed.without_right:
        said.append(
            f"{handed.without_right} of them: the role of {name} in the agency does not cover this work."
        )
    messages.warning(request, " ".join(said))


def _say_changed(request: StaffRequest, done: Changed, said: str) -> None:
    """Say how many items were closed or put off, and why others stayed."""
    left = []
    if done.by_step:
        left.append(f"{done.by_step} of what you ticked is closed by its next step alone: open it.")
    if done.own:
        left.append(f"{done.own} of what you ticked is about you: leave it to somebody else who sees it.")
    if done.changed or not left:
        messages.success(request, said)
    if left:
        messages.warning(request, " ".join(left))


def _step_url(row: Item | Notification) -> str:
    """Where the next step is taken; the bell again when the client is none of this person's any more."""
    if row.client is None and row.client_id is not None:
        return reverse("work:notifications")
    args = [row.client.slug] if row.client is not None else []
    return reverse(row.about.url_name, args=args)


def _uuids(values: list[str]) -> list[UUID]:
    found = []
    for value in values:
        try:
            found.append(UUID(value))
        except ValueError:
            continue
    return found
