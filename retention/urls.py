"""Retention's addresses."""

from django.urls import path

from retention.views import runs

app_name = "retention"

urlpatterns = [
    path("retention/", runs.home, name="home"),
    path("retention/agency/", runs.agency_days, name="agency_days"),
    path("retention/runs/", runs.start_run, name="start_run"),
    path("retention/runs/<uuid:run_id>/", runs.show_run, name="run"),
    path("retention/runs/<uuid:run_id>/<slug:deed>/", runs.steer_run, name="steer_run"),
    path("clients/<slug:slug>/policies/", runs.show_policies, name="policies"),
    path("clients/<slug:slug>/policies/days/", runs.change_days, name="change_days"),
    path("clients/<slug:slug>/policies/dry-run/", runs.dry_run, name="dry_run"),
    path("clients/<slug:slug>/policies/go-live/", runs.go_live, name="go_live"),
    path("clients/<slug:slug>/policies/observe/", runs.observe, name="observe"),
    path("clients/<slug:slug>/errands/", runs.show_errands, name="errands"),
    path("clients/<slug:slug>/errands/<uuid:errand_id>/", runs.show_reference, name="errand"),
]
