"""Addresses of requests: those of the people called, and those of the staff."""

from django.urls import URLPattern, URLResolver

app_name = "rights"

urlpatterns: list[URLPattern | URLResolver] = []
