"""
What was decided of a call, on the call's own page.

Calls may not look up at consent, and a page is no import: its template asks for this part, which reads in the same
scope and the same answer, without a second request and without a script.
"""

from typing import Any

from django import template
from django.template import Context

from callprivacy.calls.models import Call
from callprivacy.tenancy.models import Client
from consent.selectors import decisions

register = template.Library()


@register.inclusion_tag("consent/call_decision.html", takes_context=True)
def call_decision(context: Context, call: Call, client: Client) -> dict[str, Any]:
    """The panel of recording and transcript: what was decided, why, and what can be done."""
    return {
        "client": client,
        "call": call,
        "about": decisions.about_call(client, call),
        "may_here": context.get("may_here") or frozenset(),
    }
