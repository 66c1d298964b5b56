"""Addresses of calls, their ways in, and files of calls."""

from __future__ import annotations

from django.urls import URLPattern, path

from callprivacy.calls.views import calls

app_name = "calls"

urlpatterns: list[URLPattern] = [
    path("calls/", calls.list_calls, name="list"),
    path("calls/search/", calls.search, name="search"),
    path("clients/<slug:slug>/calls/<uuid:call_id>/", calls.show_call, name="call"),
    path("clients/<slug:slug>/calls/<uuid:call_id>/reveal/", calls.reveal, name="reveal"),
    path("reveals/", calls.list_reveals, name="reveals"),
    path("reveals/finished/", calls.finish_sample, name="finish_sample"),
]
