"""Addresses of calls, their ways in, and files of calls."""

from __future__ import annotations

from django.urls import URLPattern, path

from callprivacy.calls.views import calls, connections, exports, hooks, imports, numbers, pulls

app_name = "calls"

urlpatterns: list[URLPattern] = [
    path("calls/", calls.list_calls, name="list"),
    path("calls/search/", calls.search, name="search"),
    path("clients/<slug:slug>/calls/<uuid:call_id>/", calls.show_call, name="call"),
    path("clients/<slug:slug>/calls/<uuid:call_id>/reveal/", calls.reveal, name="reveal"),
    path("clients/<slug:slug>/calls/export/", exports.ask, name="export_new"),
    path("clients/<slug:slug>/calls/export/<uuid:export_id>/", exports.show, name="export"),
    path(
        "clients/<slug:slug>/calls/export/<uuid:export_id>/progress/",
        exports.progress,
        name="export_progress",
    ),
    path("clients/<slug:slug>/calls/export/<uuid:export_id>/file/", exports.take, name="take_export"),
    path("reveals/", calls.list_reveals, name="reveals"),
    path("reveals/finished/", calls.finish_sample, name="finish_sample"),
    path("hooks/<str:provider>/<str:key>/", hooks.receive, name="hook"),
    path("clients/<slug:slug>/connections/", connections.list_connections, name="client_connections"),
    path("clients/<slug:slug>/connections/new/", connections.create_connection, name="create_connection"),
    path("clients/<slug:slug>/connections/rejected/", connections.list_rejected, name="rejected_events"),
    path(
        "clients/<slug:slug>/connections/rejected/retry/", connections.retry_rejected, name="retry_rejected"
    ),
    path(
        "clients/<slug:slug>/connections/rejected/discard/",
        connections.discard_rejected,
        name="discard_rejected",
    ),
    path(
        "clients/<slug:slug>/connections/<uuid:connection_id>/",
        connections.show_connection,
        name="connection",
    ),
    path(
        "clients/<slug:slug>/connections/<uuid:connection_id>/presses/",
        connections.map_presses,
        name="map_presses",
    ),
    path(
        "clients/<slug:slug>/connections/<uuid:connection_id>/rotate/",
        connections.rotate_secret,
        name="rotate_secret",
    ),
    path(
        "clients/<slug:slug>/connections/<uuid:connection_id>/close/",
        connections.deactivate_connection,
        name="deactivate_connection",
    ),
    path(
        "clients/<slug:slug>/connections/<uuid:connection_id>/open/",
        connections.reactivate_connection,
        name="reactivate_connection",
    ),
    path(
        "clients/<slug:slug>/connections/<uuid:connection_id>/fields/",
        connections.map_fields,
        name="map_fields",
    ),
    path(
        "clients/<slug:slug>/connections/<uuid:connection_id>/dropped/again/",
        connections.retry_drops,
        name="retry_drops",
    ),
    path(
        "clients/<slug:slug>/connections/<uuid:connection_id>/dropped/test/",
        connections.test_drop,
        name="test_drop",
    ),
    path(
        "clients/<slug:slug>/connections/<uuid:connection_id>/dropped/now/",
        connections.show_drop,
        name="drop_progress",
    ),
    path("clients/<slug:slug>/connections/<uuid:connection_id>/list/", pulls.set_up, name="pull"),
    path("clients/<slug:slug>/connections/<uuid:connection_id>/list/test/", pulls.test, name="test_pull"),
    path("clients/<slug:slug>/connections/<uuid:connection_id>/list/back/", pulls.backfill, name="backfill"),
    path("clients/<slug:slug>/connections/<uuid:connection_id>/list/stop/", pulls.stop, name="stop_pull"),
    path(
        "clients/<slug:slug>/connections/<uuid:connection_id>/list/now/", pulls.progress, name="pull_progress"
    ),
    path(
        "clients/<slug:slug>/connections/<uuid:connection_id>/list/runs/<uuid:pull_run_id>/cancel/",
        pulls.cancel,
        name="cancel_pull",
    ),
    path("clients/<slug:slug>/numbers/new/", numbers.add_number, name="add_number"),
    path("clients/<slug:slug>/numbers/<uuid:number_id>/", numbers.describe_number, name="describe_number"),
    path(
        "clients/<slug:slug>/numbers/<uuid:number_id>/heard/<uuid:announcement_id>/strike/",
        numbers.strike_announcement,
        name="strike_announcement",
    ),
    path("clients/<slug:slug>/imports/", imports.list_imports, name="imports"),
    path("clients/<slug:slug>/imports/new/", imports.upload, name="import_new"),
    path("clients/<slug:slug>/imports/<uuid:import_id>/", imports.show, name="import"),
    path("clients/<slug:slug>/imports/<uuid:import_id>/columns/", imports.describe, name="import_describe"),
    path("clients/<slug:slug>/imports/<uuid:import_id>/start/", imports.start, name="import_start"),
    path("clients/<slug:slug>/imports/<uuid:import_id>/cancel/", imports.cancel, name="import_cancel"),
    path("clients/<slug:slug>/imports/<uuid:import_id>/progress/", imports.progress, name="import_progress"),
    path("clients/<slug:slug>/imports/<uuid:import_id>/refused/", imports.refusals, name="import_refusals"),
]
