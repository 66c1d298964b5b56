"""Every address there is; each app brings its own."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("operator/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("", include("dashboard.urls")),
    path("", include("retention.urls")),
    path("", include("callprivacy.calls.urls")),
    path("", include("callprivacy.work.urls")),
]
