"""Addresses of calls, their ways in, and files of calls."""

from django.urls import URLPattern, URLResolver, include, path

from callprivacy.calls.views import (
    calls,
    confidential,
    connections,
    exports,
    hooks,
    imports,
    numbers,
    pulls,
    rejected,
    values,
)

app_name = "calls"

_OF_A_CLIENT: list[URLPattern | URLResolver] = [
    path("calls/<uuid:call_id>/", calls.show_call, name="call"),
    path("calls/<uuid:call_id>/reveal/", calls.reveal, name="reveal"),
    path("calls/confidential/", confidential.list_calls, name="confidential_calls"),
    path("calls/confidential/rules/", confidential.switch_rules, name="confidential_rules"),
    path("calls/confidential/numbers/", confidential.change_numbers, name="employee_numbers"),
    path("calls/<uuid:call_id>/confidential/", confidential.show, name="confidential"),
    path(
        "calls/<uuid:call_id>/confidential/remove/",
        confidential.remove_person,
        name="remove_named_person",
    ),
    path("calls/<uuid:call_id>/confidential/lift/", confidential.lift, name="lift_confidential"),
    path("calls/export/", exports.ask, name="export_new"),
    path("calls/export/<uuid:export_id>/", exports.show, name="export"),
    path("calls/export/<uuid:export_id>/progress/", exports.progress, name="export_progress"),
    path("calls/export/<uuid:export_id>/file/", exports.take, name="take_export"),
    path("connections/", connections.list_connections, name="client_connections"),
    path("connections/new/", connections.create_connection, name="create_connection"),
    path("connections/rejected/", rejected.list_rejected, name="rejected_events"),
    path("connections/rejected/retry/", rejected.retry_rejected, name="retry_rejected"),
    path("connections/rejected/discard/", rejected.discard_rejected, name="discard_rejected"),
    path("connections/values/", values.list_values, name="new_values"),
    path("connections/values/confirm/", values.confirm_values, name="confirm_values"),
    path("connections/values/<int:value_id>/", values.decide_value, name="decide_value"),
    path("connections/<uuid:connection_id>/", connections.show_connection, name="connection"),
    path("connections/<uuid:connection_id>/presses/", connections.map_presses, name="map_presses"),
    path("connections/<uuid:connection_id>/rotate/", connections.rotate_secret, name="rotate_secret"),
    path(
        "connections/<uuid:connection_id>/close/",
        connections.deactivate_connection,
        name="deactivate_connection",
    ),
    path(
        "connections/<uuid:connection_id>/open/",
        connections.reactivate_connection,
        name="reactivate_connection",
    ),
    path("connections/<uuid:connection_id>/fields/", connections.map_fields, name="map_fields"),
    path("connections/<uuid:connection_id>/dropped/again/", connections.retry_drops, name="retry_drops"),
    path("connections/<uuid:connection_id>/dropped/test/", connections.test_drop, name="test_drop"),
    path("connections/<uuid:connection_id>/dropped/now/", connections.show_drop, name="drop_progress"),
    path("connections/<uuid:connection_id>/list/", pulls.set_up, name="pull"),
    path("connections/<uuid:connection_id>/list/test/", pulls.test, name="test_pull"),
    path("connections/<uuid:connection_id>/list/back/", pulls.backfill, name="backfill"),
    path("connections/<uuid:connection_id>/list/stop/", pulls.stop, name="stop_pull"),
    path("connections/<uuid:connection_id>/list/now/", pulls.progress, name="pull_progress"),
    path(
        "connections/<uuid:connection_id>/list/runs/<uuid:pull_run_id>/cancel/",
        pulls.cancel,
        name="cancel_pull",
    ),
    path("numbers/new/", numbers.add_number, name="add_number"),
    path("numbers/<uuid:number_id>/", numbers.describe_number, name="describe_number"),
    path(
        "numbers/<uuid:number_id>/heard/<uuid:announcement_id>/strike/",
        numbers.strike_announcement,
        name="strike_announcement",
    ),
    path("imports/", imports.list_imports, name="imports"),
    path("imports/new/", imports.upload, name="import_new"),
    path("imports/<uuid:import_id>/", imports.show, name="import"),
    path("imports/<uuid:import_id>/columns/", imports.describe, name="import_describe"),
    path("imports/<uuid:import_id>/start/", imports.start, name="import_start"),
    path("imports/<uuid:import_id>/cancel/", imports.cancel, name="import_cancel"),
    path("imports/<uuid:import_id>/progress/", imports.progress, name="import_progress"),
    path("imports/<uuid:import_id>/refused/", imports.refusals, name="import_refusals"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("calls/", calls.list_calls, name="list"),
    path("calls/search/", calls.search, name="search"),
    path("calls/import/", imports.choose_client, name="import_client"),
    path("clients/<slug:slug>/", include(_OF_A_CLIENT)),
    path("reveals/", calls.list_reveals, name="reveals"),
    path("reveals/finished/", calls.finish_sample, name="finish_sample"),
    path("hooks/<str:provider>/<str:key>/", hooks.receive, name="hook"),
]
