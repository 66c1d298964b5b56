"""Addresses of consent: the dashboard's pages, and the public doors of callers and vendors."""

from __future__ import annotations

from django.urls import URLPattern

app_name = "consent"

urlpatterns: list[URLPattern] = []
