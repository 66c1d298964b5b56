"""Addresses of consent: the dashboard's pages, and the public doors of callers and vendors."""

from __future__ import annotations

from django.urls import URLPattern, path

from consent.views import voice

app_name = "consent"

urlpatterns: list[URLPattern] = [
    path("twilio/<str:key>/voice/", voice.answer, name="voice"),
    path("twilio/<str:key>/voice/step/", voice.step, name="voice_step"),
    path("twilio/<str:key>/voice/status/", voice.note_status, name="voice_status"),
    path("twilio/<str:key>/voice/recording/", voice.note_recording, name="voice_recording"),
]
