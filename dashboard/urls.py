"""The addresses of the pages that compose."""

from django.urls import path

from dashboard.views import demo, health, home, mail, overview, posture, trail

app_name = "dashboard"

urlpatterns = [
    path("", home.show_home, name="home"),
    path("overview/", overview.show_overview, name="overview"),
    path("posture/", posture.show_posture, name="posture"),
    path("health", health.health, name="health"),
    path("healthz", health.show_alive, name="alive"),
    path("readyz", health.show_ready, name="ready"),
    path("mail/", mail.show_mail, name="mail"),
    path("demo/remove/", demo.remove_demo, name="remove_demo"),
    path("demo/removed/", demo.show_removed, name="demo_removed"),
    path("trail/", trail.trail, name="trail"),
    path("trail/verify/", trail.trail_verify, name="trail_verify"),
    path("trail/bundle/", trail.trail_export, name="trail_export"),
    path("trail/table/", trail.trail_table, name="trail_table"),
    path("trail/<int:event_id>/reason/", trail.trail_reason, name="trail_reason"),
]
