"""Retention's addresses."""

from django.urls import path

from retention import views

app_name = "retention"

urlpatterns = [
    path("retention/", views.home, name="home"),
    path("retention/agency/", views.agency_days, name="agency_days"),
    path("retention/runs/", views.start_run, name="start_run"),
    path("retention/runs/<uuid:run_id>/", views.show_run, name="run"),
    path("retention/runs/<uuid:run_id>/<slug:deed>/", views.steer_run, name="steer_run"),
    path("clients/<slug:slug>/policies/", views.show_policies, name="policies"),
    path("clients/<slug:slug>/policies/days/", views.change_days, name="change_days"),
    path("clients/<slug:slug>/policies/dry-run/", views.dry_run, name="dry_run"),
    path("clients/<slug:slug>/policies/go-live/", views.go_live, name="go_live"),
    path("clients/<slug:slug>/policies/observe/", views.observe, name="observe"),
    path("clients/<slug:slug>/errands/", views.show_errands, name="errands"),
    path("clients/<slug:slug>/errands/<uuid:errand_id>/", views.show_reference, name="errand"),
]
