"""The rule by which a client's calls become figures."""

from dataclasses import asdict
from typing import Any

from django.urls import reverse

from analytics.enums import Conversion
from analytics.forms.rule import RuleForm
from analytics.selectors import rules as selectors
from analytics.services import rules
from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.views.form_pages import Done, action, form_page
from callprivacy.calls.services import attribution
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client


def _address(client: Client) -> str:
    return reverse("analytics:rule", args=[client.slug])


def _initial(_: StaffRequest, client: Client) -> dict[str, Any]:
    rule = selectors.rule_of(client)
    return {"initial": asdict(rule) | {"tags": ", ".join(sorted(rule.tags))}}


@form_page(
    RuleForm,
    right=Permission.MANAGE_CONSENT,
    title="What the figures count",
    lede="If you change what counts, all stored calls are counted again; figures of deleted calls stay as they were.",
    button="Save",
    crumbs=lambda client: [("Client", reverse("accounts:client", args=[client.slug]))],
    fill=_initial,
    more=lambda _, client: {"rule": selectors.rule_of(client)},
    template="analytics/rule.html",
    refused=400,
)
def change(request: StaffRequest, client: Client, form: RuleForm) -> Done | None:
    wanted = form.cleaned_data | {"conversion": Conversion(form.cleaned_data["conversion"])}
    try:
        rules.set_rule(client=client, **wanted, by=request.actor, at=request.at)
    except rules.RuleError as error:
        form.add_error(error.field, str(error))
        return None
    return Done("Saved. Figures of stored calls are counted again within a minute or two.", _address(client))


@action(right=Permission.MANAGE_CONSENT, back=_address)
def switch_attribution(request: StaffRequest, client: Client, _: Any) -> str:
    keeps = request.POST.get("keeps") == "yes"
    attribution.switch_attribution(client=client, keeps=keeps, by=request.actor, at=request.at)
    return f"Saved. New calls keep {'their' if keeps else 'no'} landing page and keyword."
