"""The addresses of the pages that compose."""

from django.urls import URLPattern, URLResolver, include, path

from dashboard.views import binders, demo, health, home, law, mail, overview, posture, records, search, trail

app_name = "dashboard"

_OF_A_CLIENT: list[URLPattern | URLResolver] = [
    path("proof/", binders.show_proof, name="proof"),
    path("proof/new/", binders.make_binder, name="make_binder"),
    path("proof/<uuid:binder_id>/", binders.show_binder, name="binder"),
    path("proof/<uuid:binder_id>/progress/", binders.show_progress, name="binder_progress"),
    path("proof/<uuid:binder_id>/link/", binders.make_link, name="binder_link"),
    path("proof/<uuid:binder_id>/link/<uuid:door_id>/end/", binders.end_link, name="end_binder_link"),
    path("proof/<uuid:binder_id>/withdraw/", binders.withdraw_binder, name="withdraw_binder"),
    path("proof/<uuid:binder_id>/<slug:form>/", binders.take_binder, name="take_binder"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", home.show_home, name="home"),
    path("overview/", overview.show_overview, name="overview"),
    path("find/", search.find, name="find"),
    path("posture/", posture.show_posture, name="posture"),
    path("programme/law/", law.show_changes, name="law_changes"),
    path("programme/records/", records.show_records, name="records"),
    path("programme/records/words/", records.set_words, name="record_words"),
    path("programme/records/keep/", records.keep_records, name="keep_records"),
    path("programme/records/<int:number>/", records.show_snapshot, name="record"),
    path("programme/records/<int:number>/<slug:sheet>/", records.take_records, name="take_records"),
    path("binders/", binders.list_binders, name="binders"),
    path("clients/<slug:slug>/", include(_OF_A_CLIENT)),
    path("b/<str:token>/", binders.open_link, name="binder_door"),
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
