"""The rule by which a client's calls become figures."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from analytics.enums import Conversion
from analytics.forms.rule import RuleForm
from analytics.selectors import rules as selectors
from analytics.services import rules
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.calls.services import attribution
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONSENT)
def change(request: StaffRequest, client: Client) -> HttpResponse:
    """Say what converts, how many callers a figure needs, what protects a sum, and how money is written."""
    rule = selectors.rule_of(client)
    form = RuleForm(request.POST) if request.method == "POST" else RuleForm.of(rule)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            rules.set_rule(
                client=client,
                conversion=Conversion(said["conversion"]),
                seconds=said["seconds"],
                tags=said["tags"],
                k=said["k"],
                p=said["p"],
                currency=said["currency"],
                number_format=said["number_format"],
                by=request.actor,
                at=request.at,
            )
        except rules.RuleError as error:
            form.add_error(error.field, str(error))
        else:
            messages.success(
                request,
                "Saved. The figures of calls that are still here are made anew within a minute or two.",
            )
            return redirect("analytics:rule", client.slug)
    context = {"client": client, "form": form, "k": rule.k, "p": rule.p}
    return render(request, "analytics/rule.html", context, status=400 if form.errors else 200)


@require_POST
@needs(Permission.MANAGE_CONSENT)
def switch_attribution(request: StaffRequest, client: Client) -> HttpResponse:
    """Keep landing pages and keywords of calls from now on, or no more."""
    keeps = request.POST.get("keeps") == "yes"
    attribution.switch_attribution(client=client, keeps=keeps, by=request.actor, at=request.at)
    if keeps:
        messages.success(request, "Saved. New calls keep their landing page and keyword.")
    else:
        messages.success(request, "Saved. New calls keep neither landing page nor keyword.")
    return redirect("analytics:rule", client.slug)
