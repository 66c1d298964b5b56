"""Recipients of a client's data: who they are, and what their budget of noisy figures was spent on."""

from functools import partial
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from analytics.forms.releases import QuestionForm, RecipientChangeForm, RecipientForm
from analytics.models.releases import Recipient
from analytics.selectors import noisy as selectors
from analytics.services import noisy, recipients
from analytics.tasks import releases as tasks
from callprivacy.accounts.access import StaffRequest, confirms, needs
from callprivacy.accounts.enums import Deed
from callprivacy.accounts.views.form_pages import Done, form_page
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.jobs import wake
from callprivacy.tenancy.models import Client


def _find(client: Client, recipient_id: UUID) -> Recipient:
    rows = Recipient.objects.for_client(client).select_related("created_by", "client")
    return get_object_or_404(rows, pk=recipient_id)


def _address(recipient: Recipient) -> str:
    return reverse("analytics:recipient", args=[recipient.client.slug, recipient.pk])


_page = partial(
    form_page,
    right=Permission.RELEASE_DATA,
    lede="Enter the address of the business, not of a caller.",
    errors={recipients.RecipientExistsError: "name"},
)


@_page(
    RecipientForm,
    title="New recipient",
    button="Add recipient",
    crumbs=lambda client: [("Releases", reverse("analytics:client_releases", args=[client.slug]))],
)
def new(request: StaffRequest, client: Client, form: RecipientForm) -> Done:
    row = recipients.add_recipient(client=client, **form.cleaned_data, by=request.actor, at=request.at)
    return Done(f"{row.name} is added.", _address(row))


@require_safe
@needs(Permission.RELEASE_DATA)
def show(request: StaffRequest, client: Client, recipient_id: UUID) -> HttpResponse:
    recipient = _find(client, recipient_id)
    before = request.GET.get("before", "")
    rows, older = selectors.asked(
        recipient, before=int(before) if before.isdecimal() and len(before) < 19 else None
    )
    budget = selectors.budget_of(recipient, year=selectors.year_of(client, request.at))
    context = {
        "client": client,
        "recipient": recipient,
        "budget": budget,
        "rows": rows,
        "older": older,
        "is_waiting": any(not row.is_answered for row in rows),
    }
    return render(request, "analytics/recipient_show.html", context)


@_page(
    RecipientChangeForm,
    load=lambda _, client, recipient_id: _find(client, recipient_id),
    title="Change recipient",
    button="Save",
    crumbs=lambda recipient: [
        ("Releases", reverse("analytics:client_releases", args=[recipient.client.slug])),
        (recipient.name, _address(recipient)),
    ],
    fill=lambda _, recipient: {
        "initial": {name: getattr(recipient, name) for name in ("email", "contract", "epsilon")}
    },
)
def change(request: StaffRequest, recipient: Recipient, form: RecipientChangeForm) -> str:
    recipients.change_recipient(recipient=recipient, **form.cleaned_data, by=request.actor, at=request.at)
    return "Saved. Figures that were paid for stay paid for."


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.RELEASE_DATA)
@confirms(Deed.RELEASE)
def ask(request: StaffRequest, client: Client, recipient_id: UUID) -> HttpResponse:
    recipient = _find(client, recipient_id)
    budget = selectors.budget_of(recipient, year=selectors.year_of(client, request.at))
    posted = request.method == "POST"
    form = QuestionForm(request.POST if posted else request.GET or None)
    is_valid = form.is_bound and form.is_valid()
    if posted and is_valid:
        try:
            row = noisy.spend(
                recipient=recipient,
                question=form.question,
                epsilon=form.cleaned_data["epsilon"],
                by=request.actor,
                at=request.at,
            )
        except (noisy.BudgetSpentError, noisy.CannotAskError) as error:
            form.add_error("epsilon", str(error))
            is_valid = False
        else:
            wake(tasks.answer_question, agency_id=row.agency_id, spend_id=str(row.pk))
            messages.success(request, "Paid for. The figures are here in a moment.")
            return redirect("analytics:recipient", client.slug, recipient.pk)
    context = {"client": client, "recipient": recipient, "budget": budget, "form": form}
    if is_valid and not posted:
        epsilon = form.cleaned_data["epsilon"]
        question = form.question
        context |= {
            "question": question,
            "extent": [
                {"label": f"Cost, of {budget.left} left", "value": str(epsilon)},
                {
                    "label": "Off by at most",
                    "value": "an interval each"
                    if question.measure == "length"
                    else f"{question.margin(selectors.exact(epsilon)):,}",
                },
                {"label": "Left afterwards", "value": f"{max(budget.left - epsilon, 0)}"},
            ],
            "hidden": {name: request.GET.get(name, "") for name in form.fields},
            "is_too_much": epsilon > budget.left,
        }
    return render(request, "analytics/recipient_ask.html", context)
