"""The inbox of one person, and the bell."""

import contextlib
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from callprivacy.accounts import selectors as accounts
from callprivacy.accounts import tasks
from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.enums import AgencyRight, Deed
from callprivacy.accounts.models import Membership
from callprivacy.accounts.services import leaving
from callprivacy.accounts.services import people as deeds
from callprivacy.accounts.views.form_pages import ERROR, Confirmation, Done, form_page
from callprivacy.accounts.views.tables import Column, Empty, Link, Pill, Table, list_page
from callprivacy.work import selectors, services
from callprivacy.work.enums import Told
from callprivacy.work.forms import BulkForm, LeaverForm, MailForm, QueueFilter
from callprivacy.work.kinds import Kind
from callprivacy.work.models import Item, Notification
from callprivacy.work.services import Changed, Handed

_PAGE = 50


@dataclass(frozen=True, slots=True)
class _Case:
    """A case: its first item, and how many others it has of each title."""

    pk: UUID
    item: Item
    related: Counter[str]
    is_late: bool

    @property
    def also(self) -> str:
        return "; ".join(f"also: {title}{f' ({n})' if n > 1 else ''}" for title, n in self.related.items())


def _cases(request: StaffRequest, rows: list[Item]) -> list[_Case]:
    cases = selectors.of_cases(selectors.queue_of(request.membership, at=request.at), rows)
    return [
        _Case(
            row.pk,
            row,
            Counter(item.about.title for item in cases[row.pk] if item.pk != row.pk),
            is_late=row.due_at is not None and row.due_at < request.at,
        )
        for row in rows
    ]


_QUEUE = Table(
    label="Inbox",
    columns=(
        Column("What", "item.about.title", note="also"),
        Column("Client", "item.client.name", nothing="the agency"),
        Column("Count", "item.count", is_number=True),
        Column("Since", "item.opened_at"),
        Column(
            "Due",
            "item.due_at",
            note=lambda row: Pill("Past due", "bad") if row.is_late else "",
            nothing="no date",
        ),
        Column("Owner", lambda row: row.item.owner or row.item.about.owners, nothing="nobody"),
    ),
    filters=QueueFilter,
    lines=_cases,
    links=lambda row: [Link(row.item.about.step, reverse("work:step", args=[row.pk]))],
    empty=Empty(
        "Your inbox is empty",
        "Unreadable webhook events, reveals to review and deletions that need a signature appear here.",
    ),
    size=_PAGE,
    pick="item",
)


@require_GET
def show_queue(request: StaffRequest) -> HttpResponse:
    table = _QUEUE.draw(request, selectors.queue_of(request.membership, at=request.at))
    # Of the address only what is known to be a filter or an id: a phone number may stand in it.
    kept = {name: request.GET[name] for name, value in table["form"].cleaned_data.items() if value}
    kept |= {name: request.GET[name] for name in ("after", "before") if _uuids([request.GET.get(name, "")])}
    url = reverse("work:change_items", query=kept)
    form = BulkForm(people=selectors.colleagues(request.membership), auto_id="bulk_%s")
    table["bulk"] = [
        form["owner"],
        Link("Assign", url, sends="assign"),
        form["days"],
        Link("Snooze", url, sends="snooze"),
        Link("Close as done", url, sends="done"),
    ]
    about = "All items that need a person. Snoozed items come back on their date."
    return render(request, "list_page.html", {"table": table, "about": about})


@require_POST
def change_items(request: StaffRequest) -> HttpResponse:
    """Assign, snooze or close the selected cases, and return to the list with its filters."""
    people = selectors.colleagues(request.membership)
    form = BulkForm(request.POST, people=people)
    queue = selectors.queue_of(request.membership, at=request.at)
    rows = QueueFilter(request.GET, queryset=queue, request=request).items()
    heads = rows.filter(pk__in=_uuids(request.POST.getlist("item")))
    item_ids = [item.pk for items in selectors.of_cases(rows, heads).values() for item in items]
    if not form.is_valid() or not item_ids:
        messages.warning(request, "Select at least one item and an action.")
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
        _say_changed(request, put_off, f"Snoozed: {put_off.changed}. They come back on their date.")
    else:
        closed = services.decide_items(item_ids=item_ids, by=by, at=at)
        _say_changed(request, closed, f"Closed: {closed.changed}.")
    return _back_to_queue(request)


def _back_to_queue(request: StaffRequest) -> HttpResponse:
    asked = request.GET.urlencode()
    return redirect(f"{reverse('work:queue')}{'?' if asked else ''}{asked}")


@require_GET
def open_step(request: StaffRequest, item_id: UUID) -> HttpResponse:
    return redirect(
        _step_url(get_object_or_404(selectors.queue_of(request.membership, at=request.at), pk=item_id))
    )


def _client_of(row: Notification) -> str:
    if row.client is not None:
        return row.client.name
    return "a client you cannot see any more" if row.client_id else ""


@list_page(
    Table(
        label="Notifications",
        columns=(
            Column("What", "words", note=lambda row: "" if row.read_at else Pill("New", "info")),
            Column("Client", _client_of, nothing="the agency"),
            Column("When", "at"),
        ),
        links=lambda row: [Link("Open", reverse("work:notification", args=[row.pk]), row.words, posts=True)],
        empty=Empty("Nothing yet", "New inbox items appear here.", "queue"),
        size=_PAGE,
    ),
    right=None,
    lede=(
        "New inbox items, work assigned to you, and files that are ready. If you do not read a notification within"
        " about a minute and it still needs action, you get an email, as you choose. Emails never name a client or"
        " a caller."
    ),
    template="work/notifications.html",
)
def show_notifications(request: StaffRequest) -> QuerySet[Notification]:
    return selectors.notifications_of(request.membership)


type _Choices = tuple[list[Kind], dict[str, Told]]


def _load_choices(request: StaffRequest) -> _Choices:
    choices = selectors.choices_of(request.membership.user_id, agency_id=request.agency.pk)
    return selectors.kinds_for(request.membership, at=request.at), choices


@form_page(
    MailForm,
    right=None,
    load=_load_choices,
    title="Notification settings",
    lede=(
        "The bell rings in any case. An email says what kind of item is open, names no client and no caller, and asks"
        " you to sign in."
    ),
    button="Save",
    crumbs=lambda _: [("Notifications", reverse("work:notifications"))],
    fill=lambda _, choices: {"shown": choices[0], "chosen": choices[1]},
    more=lambda _, choices: {"chosen": sum(kind.name in choices[1] for kind in choices[0])},
    template="work/mail.html",
)
def choose_mail(request: StaffRequest, _: _Choices, form: MailForm) -> Done:
    services.choose_mail(membership=request.membership, told=form.told(), by=request.actor, at=request.at)
    return Done("Saved.", reverse("work:choose_mail"))


@require_POST
def open_notification(request: StaffRequest, notification_id: UUID) -> HttpResponse:
    row = get_object_or_404(selectors.notifications_of(request.membership), pk=notification_id)
    services.mark_read(user_id=request.membership.user_id, notification_id=row.pk, at=request.at)
    return redirect(_step_url(row))


@require_POST
def read_all(request: StaffRequest) -> HttpResponse:
    services.mark_read(user_id=request.membership.user_id, at=request.at)
    return redirect("work:notifications")


def _load_leaver(request: StaffRequest, pk: int) -> Membership | HttpResponse:
    rows = Membership.objects.filter(agency_id=request.agency.pk).select_related("user", "agency")
    membership = get_object_or_404(rows, pk=pk)
    if membership.pk != request.membership.pk:
        return membership
    messages.error(request, str(deeds.OwnRightsError()))
    return redirect("accounts:person", pk=pk)


def _fill_leaver(request: StaffRequest, membership: Membership) -> dict[str, Any]:
    people = selectors.colleagues(request.membership)
    return {"people": [person for person in people if person.pk != membership.user_id]}


def _confirm_leaver(request: StaffRequest, membership: Membership) -> Confirmation:
    extent = leaving.extent_of(membership, at=request.at)
    return Confirmation(
        "End all access?",
        "This takes effect at once. The audit log keeps their actions under their name. They may come back, without"
        " their grants.",
        [
            {"label": "Sessions that end", "value": extent.sessions},
            {"label": "Clients on which every grant ends", "value": extent.clients},
            {"label": "Keys of systems that stop working", "value": extent.keys},
            {"label": "Open invitations of theirs, withdrawn", "value": extent.invitations},
            {"label": "Open tasks handed over", "value": selectors.count_owned(membership)},
        ],
    )


@form_page(
    LeaverForm,
    right=AgencyRight.MANAGE_PEOPLE,
    confirms=Deed.GRANTS,
    load=_load_leaver,
    title=lambda membership: f"{membership.user} leaves",
    lede=lambda membership: f"{membership.user.email}, {membership.get_role_display().lower()}.",
    button="End access",
    crumbs=lambda membership: [
        ("People", reverse("accounts:people")),
        (str(membership.user), reverse("accounts:person", args=[membership.pk])),
    ],
    fill=_fill_leaver,
    confirm=_confirm_leaver,
    more=lambda request, membership: {
        "seats": accounts.seats_of().filter(email__iexact=membership.user.email),
        "keys": accounts.keys_listed(membership.user_id, at=request.at),
    },
    errors={deeds.LastManagerError: ERROR, deeds.OwnRightsError: ERROR},
    template="work/leaver.html",
)
def see_off(request: StaffRequest, membership: Membership, form: LeaverForm) -> str:
    """The leaver's checklist: what one press ends and hands over, and what is left to do elsewhere."""
    gone = services.let_go(
        membership=membership, to_id=form.cleaned_data["to"], by=request.actor, at=request.at
    )
    tasks.wake_people()
    left = gone.left
    return (
        f"{membership.user} has left. Ended: {left.sessions} sessions, {left.keys} keys, grants on {left.clients}"
        f" clients, {left.invitations} invitations. Tasks: {gone.handed} handed over, {gone.nobodys} nobody's."
    )


def _say_handed(request: StaffRequest, handed: Handed, name: str) -> None:
    """Say how many items were handed over, how many were not, and why."""
    if handed.handed:
        messages.success(request, f"Assigned to {name}: {handed.handed}.")
    if not handed.left:
        return
    reasons = [f"Could not be assigned to {name}: {handed.left}. They did not change."]
    if handed.without_grant:
        reasons.append(
            f"{handed.without_grant} of them: {name} has no grant on the client that covers this work."
        )
    if handed.without_right:
        reasons.append(
            f"{handed.without_right} of them: the role of {name} in the agency does not cover this work."
        )
    messages.warning(request, " ".join(reasons))


def _say_changed(request: StaffRequest, done: Changed, text: str) -> None:
    """Say how many items were closed or put off, and why others stayed."""
    left = []
    if done.by_step:
        left.append(f"{done.by_step} of the selected items closes only by its next step. Open it.")
    if done.own:
        left.append(f"{done.own} of the selected items is about you. Another person must handle it.")
    if done.changed or not left:
        messages.success(request, text)
    if left:
        messages.warning(request, " ".join(left))


def _step_url(row: Item | Notification) -> str:
    """Where the next step is taken; the bell again when the client is none of this person's any more."""
    if row.client is None and row.client_id is not None:
        return reverse("work:notifications")
    args = [row.client.slug] if row.client is not None else []
    return reverse(row.about.url_name, args=args)


def _uuids(values: list[str]) -> list[UUID]:
    ids = []
    for value in values:
        with contextlib.suppress(ValueError):
            ids.append(UUID(value))
    return ids
