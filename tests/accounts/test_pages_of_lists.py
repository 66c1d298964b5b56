"""Pages of a list keep what the address says beside them."""

from django.template import Context, Template
from django.test import RequestFactory

from callprivacy.accounts.views.pages import page_of


def test_the_address_of_a_page_keeps_filters_and_the_pages_of_other_lists() -> None:
    request = RequestFactory().get(
        "/", {"show": "ended", "role": ["admin", "officer"], "page": "2", "clients": "3"}
    )

    page = page_of(request, range(30), size=10)

    hrefs = Template("{% querystring page.before %} {% querystring page.after %}").render(
        Context({"page": page})
    )
    assert list(page) == list(range(10, 20))
    assert hrefs == (
        "?show=ended&amp;role=admin&amp;role=officer&amp;page=1&amp;clients=3"
        " ?show=ended&amp;role=admin&amp;role=officer&amp;page=3&amp;clients=3"
    )
