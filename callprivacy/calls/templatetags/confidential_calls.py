"""That figures on a page are without confidential calls: row security counts for a person what the person sees."""

from typing import Any

from django import template

from callprivacy.calls.selectors.confidential import count_at
from callprivacy.tenancy.models import Client

register = template.Library()


@register.inclusion_tag("calls/confidential_count.html")
def confidential_calls(client: Client | None) -> dict[str, Any]:
    return {"count": 0 if client is None else count_at(client)}
