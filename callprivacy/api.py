"""The interface for programs, put together out of the apps' routers, and the page that describes it."""

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.views.decorators.http import require_safe
from ninja import NinjaAPI
from ninja.parser import Parser

from callprivacy.accounts.enums import ApiScope
from callprivacy.lib import bounds, openapi
from consent.api import Bearer, answer_errors, router
from governance.api import router as premises_router


class _Bounded(Parser):
    """Reads bodies within the bounds of all JSON."""

    def parse_body(self, request: HttpRequest) -> Any:
        return bounds.from_json(request.body)


api = NinjaAPI(
    title="CallPrivacy",
    version="1",
    description="What may be done with callers, what they said, whether they may be called, and who entered a site.",
    urls_namespace="api",
    auth=Bearer(),
    parser=_Bounded(),
    openapi_url="/openapi.json",
    docs_url=None,
    docs_decorator=login_not_required,
)
api.add_router("", router)
api.add_router("", premises_router)
answer_errors(api)


def patterns() -> tuple[list[URLPattern], str, str]:
    """The addresses, which have no session: a key opens them, nobody is led to the sign-in."""
    found, app_name, namespace = api.urls
    named = [one for one in found if isinstance(one, URLPattern) and one.name != "api-root"]
    for one in named:
        login_not_required(one.callback)
    return [path("", go_to_docs, name="api-root"), *named], app_name, namespace


@require_safe
@login_not_required
def go_to_docs(_request: HttpRequest) -> HttpResponse:
    """Who opens the address of the interface itself wants to know what it is."""
    return redirect("api_docs")


@require_safe
@login_not_required
def show_docs(request: HttpRequest) -> HttpResponse:
    """What systems can ask and say, for who connects one."""
    context = {
        "operations": openapi.operations(api.get_openapi_schema()),
        "scopes": [(scope.value, scope.label) for scope in ApiScope],
    }
    return render(request, "api.html", context)
