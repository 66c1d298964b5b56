"""By what a client's anonymized releases are grouped."""

from django.http import QueryDict
from django.urls import reverse

from analytics.anonymise.own import as_shipped
from analytics.forms.groups import GroupsForm
from analytics.models.releases import OwnGroups
from analytics.selectors import releases as selectors
from analytics.selectors.releasable import own_in
from analytics.services import releases
from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.views.form_pages import FORM, Done, form_page
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client


def _form(data: QueryDict | None = None, *, newest: OwnGroups | None) -> GroupsForm:
    number = newest.number if newest else 0
    if data is None:
        return GroupsForm.of(own_in(newest), after=number)
    if "shipped" in data:
        return GroupsForm({**GroupsForm.of(as_shipped(), after=number).initial, "after": data.get("after")})
    return GroupsForm(data)


@form_page(
    _form,
    right=Permission.RELEASE_DATA,
    title=lambda client: f"Groups in releases of {client.name}",
    lede="A value that too few callers share is replaced by a group of one of the selected steps, or by *.",
    button="Save groups",
    crumbs=lambda client: [("Releases", reverse("analytics:client_releases", args=[client.slug]))],
    fill=lambda _, client: {"newest": selectors.groups_of(client)},
    more=lambda _, client: {"newest": selectors.groups_of(client)},
    errors={releases.GroupsChangedError: FORM},
    template="analytics/release_groups.html",
)
def change(request: StaffRequest, client: Client, form: GroupsForm) -> Done:
    row = releases.set_groups(
        client=client, own=form.own, after=form.cleaned_data["after"], by=request.actor, at=request.at
    )
    return Done(
        f"Saved as version {row.number}. Drafts use it from now on; try their settings again.",
        reverse("analytics:release_groups", args=[client.slug]),
    )
