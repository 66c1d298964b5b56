"""
What keeps a call, and what of it leaves before it does, on the call's own page.

Calls may not look up at retention, and a page is no import: its template asks for this part, which reads in the same
scope and the same answer.
"""

from typing import Any

from django import template
from django.template import Context

from callprivacy.calls.models import Call
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from retention.selectors import holds, policies

register = template.Library()


@register.inclusion_tag("retention/hold_of_call.html", takes_context=True)
def call_holds(context: Context, call: Call, client: Client) -> dict[str, Any]:
    """The holds that keep a call, by name, and how to place one; who does not manage retention sees that it is held."""
    may_manage = Permission.MANAGE_RETENTION in (context.get("may_here") or frozenset())
    keeping = holds.names_of(call) if may_manage else []
    return {
        "client": client,
        "call": call,
        "may_manage": may_manage,
        "keeping": keeping,
        "widenable": [
            hold for hold in (holds.widenable(client) if may_manage else []) if hold not in keeping
        ],
        "csrf_token": context.get("csrf_token"),
    }


@register.inclusion_tag("retention/sooner_of_call.html")
def leaves_sooner(call: Call, client: Client) -> dict[str, Any]:
    """What of a call leaves before its record, by policies of its own."""
    return {"sooner": policies.sooner(call, client)}
