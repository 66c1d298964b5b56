"""Retention's addresses."""

from django.urls import path

from retention.views import (
    backups,
    calendar,
    certificates,
    holds,
    policies,
    previews,
    runs,
    secrets,
    vendors,
    watch,
)

app_name = "retention"

urlpatterns = [
    path("retention/", policies.home, name="home"),
    path("retention/policies/", policies.show_matrix, name="policy_matrix"),
    path("retention/policies/<slug:category>/", policies.change_agency_policy, name="change_agency_policy"),
    path("retention/calendar/", calendar.show_calendar, name="calendar"),
    path("retention/calendar/later/", calendar.show_later, name="calendar_later"),
    path("retention/changes/", policies.show_changes, name="changes"),
    path("retention/changes/<uuid:change_id>/", policies.show_change, name="change"),
    path("retention/changes/<uuid:change_id>/reason/", policies.read_reason, name="change_reason"),
    path("retention/changes/<uuid:change_id>/approve/", policies.approve_change, name="approve_change"),
    path("retention/changes/<uuid:change_id>/refuse/", policies.refuse_change, name="refuse_change"),
    path("retention/changes/<uuid:change_id>/withdraw/", policies.withdraw_change, name="withdraw_change"),
    path("metrics", watch.show_metrics, name="metrics"),
    path("retention/watch/", watch.show_watch, name="watch"),
    path("retention/watch/address/", watch.set_endpoint, name="alert_endpoint"),
    path("retention/watch/address/secret/", watch.rotate_endpoint, name="rotate_alerts"),
    path("retention/watch/address/close/", watch.close_endpoint, name="close_alerts"),
    path("retention/watch/address/news/", watch.switch_news, name="alert_news"),
    path("retention/watch/address/test/", watch.test_endpoint, name="test_alerts"),
    path("retention/backups/", backups.show_backups, name="backups"),
    path("retention/secrets/", secrets.list_secrets, name="secrets"),
    path("retention/secrets/rotate/", secrets.rotate, name="rotate"),
    path("retention/secrets/limits/", secrets.set_limits, name="secret_limits"),
    path("retention/runs/", runs.start_run, name="start_run"),
    path("retention/runs/<uuid:run_id>/", runs.show_run, name="run"),
    path("retention/runs/<uuid:run_id>/<slug:deed>/", runs.steer_run, name="steer_run"),
    path("clients/<slug:slug>/policies/", policies.show_policies, name="policies"),
    path(
        "clients/<slug:slug>/policies/change/<slug:category>/", policies.change_policy, name="change_policy"
    ),
    path("retention/preview/", previews.preview_all, name="preview_all"),
    path("clients/<slug:slug>/policies/preview/", previews.show_preview, name="preview"),
    path("clients/<slug:slug>/certificates/", certificates.list_certificates, name="certificates"),
    path(
        "clients/<slug:slug>/certificates/<uuid:certificate_id>/",
        certificates.show_certificate,
        name="certificate",
    ),
    path(
        "clients/<slug:slug>/certificates/<uuid:certificate_id>/<slug:form>/",
        certificates.take_certificate,
        name="take_certificate",
    ),
    path("clients/<slug:slug>/policies/go-live/", runs.go_live, name="go_live"),
    path("clients/<slug:slug>/policies/observe/", runs.observe, name="observe"),
    path("retention/holds/", holds.list_open_holds, name="all_holds"),
    path("clients/<slug:slug>/holds/", holds.list_holds, name="holds"),
    path("clients/<slug:slug>/holds/new/", holds.new_hold, name="new_hold"),
    path("clients/<slug:slug>/holds/<uuid:hold_id>/", holds.show_hold, name="hold"),
    path("clients/<slug:slug>/holds/<uuid:hold_id>/review/", holds.review_hold, name="review_hold"),
    path("clients/<slug:slug>/holds/<uuid:hold_id>/lift/", holds.lift_hold, name="lift_hold"),
    path("clients/<slug:slug>/calls/<uuid:call_id>/hold/", holds.add_call, name="hold_call"),
    path("clients/<slug:slug>/copies/", vendors.list_leftovers, name="leftovers"),
    path("clients/<slug:slug>/copies/ask/", vendors.ask_leftovers, name="ask_leftovers"),
    path("clients/<slug:slug>/copies/gone/", vendors.note_leftovers, name="note_leftovers"),
    path("clients/<slug:slug>/copies/<uuid:connection_id>/", vendors.open_list, name="open_list"),
    path("clients/<slug:slug>/copies/<uuid:connection_id>/close/", vendors.close_list, name="close_list"),
    path("clients/<slug:slug>/errands/", runs.show_errands, name="errands"),
    path("clients/<slug:slug>/errands/<uuid:errand_id>/", runs.show_reference, name="errand"),
]
