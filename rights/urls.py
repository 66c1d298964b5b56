"""Addresses of requests: those of the people called, and those of the staff."""

from django.urls import URLPattern, URLResolver, path

from rights.views import notices, pages, portal, requests

app_name = "rights"

urlpatterns: list[URLPattern | URLResolver] = [
    # Public pages
    path("r/<str:key>/", portal.show_portal, name="portal"),
    path("r/<str:key>/look.css", portal.show_look, name="look"),
    path("r/<str:key>/privacy/", portal.show_notice, name="public_notice"),
    path("r/<str:key>/privacy/<int:number>/", portal.show_notice, name="public_notice_version"),
    path("r/<str:key>/<slug:asks>/", portal.ask, name="ask"),
    path("q/<str:link>/", requests.show_request, name="request"),
    # What staff say on them
    path("requests/page/", pages.show_agency_page, name="agency_page"),
    path("clients/<slug:slug>/requests-page/", pages.show_page, name="page"),
    path("clients/<slug:slug>/requests-page/key/", pages.change_key, name="page_key"),
    path("clients/<slug:slug>/requests-page/gpc.json", pages.take_gpc, name="gpc_file"),
    path("clients/<slug:slug>/privacy-notice/", notices.show_notice, name="notice"),
    path("clients/<slug:slug>/privacy-notice/publish/", notices.publish, name="publish_notice"),
    path(
        "clients/<slug:slug>/privacy-notice/<uuid:privacy_id>/", notices.show_version, name="notice_version"
    ),
]
