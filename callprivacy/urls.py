"""Every address there is; each app brings its own."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("operator/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
]
