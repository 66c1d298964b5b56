"""
Where a client's requests page is, on the pages of consent.

Consent may not look up at requests, and a page is no import: its template asks for the address, which is read in the
client's own scope.
"""

from django import template

from callprivacy.tenancy.scope import client_scope
from consent.services.web import Look
from rights.models import RequestPage
from rights.selectors import notice

register = template.Library()


@register.simple_tag
def requests_address(look: Look) -> str:
    """The address of a client's requests page; "" where none is open. Drawn outside any scope."""
    with client_scope(agency_id=look.agency_id, client_id=look.client_id):
        page = RequestPage.objects.filter(agency_id=look.agency_id, client_id=look.client_id).first()
        return notice.address_of(page) if page is not None else ""
