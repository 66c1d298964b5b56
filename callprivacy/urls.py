"""Every address there is; each app brings its own."""

from django.urls import include, path

from callprivacy import api
from callprivacy.accounts.admin import site as operator_site

urlpatterns = [
    path("operator/", operator_site.urls),
    path("api/", api.show_docs, name="api_docs"),
    path("api/v1/", api.patterns()),
    path("", include("callprivacy.accounts.urls")),
    path("accounts/", include("allauth.urls")),
    path("", include("dashboard.urls")),
    path("", include("governance.urls")),
    path("", include("rights.urls")),
    path("", include("retention.urls")),
    path("", include("analytics.urls")),
    path("", include("consent.urls")),
    path("", include("callprivacy.calls.urls")),
    path("", include("callprivacy.work.urls")),
]
