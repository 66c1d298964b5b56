"""Retention's addresses."""

from django.urls import path

from retention.views import holds, runs

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
    path("retention/holds/", holds.list_open_holds, name="all_holds"),
    path("clients/<slug:slug>/holds/", holds.list_holds, name="holds"),
    path("clients/<slug:slug>/holds/new/", holds.new_hold, name="new_hold"),
    path("clients/<slug:slug>/holds/<uuid:hold_id>/", holds.show_hold, name="hold"),
    path("clients/<slug:slug>/holds/<uuid:hold_id>/review/", holds.review_hold, name="review_hold"),
    path("clients/<slug:slug>/holds/<uuid:hold_id>/lift/", holds.lift_hold, name="lift_hold"),
    path("clients/<slug:slug>/calls/<uuid:call_id>/hold/", holds.add_call, name="hold_call"),
    path("clients/<slug:slug>/errands/", runs.show_errands, name="errands"),
    path("clients/<slug:slug>/errands/<uuid:errand_id>/", runs.show_reference, name="errand"),
]
