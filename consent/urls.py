"""Addresses of consent: the dashboard's pages, and the public doors of callers and vendors."""

from __future__ import annotations

from django.urls import URLPattern, path

from consent.views import embed, law, notices, posted, preferences, public, sites, standards, voice, web

app_name = "consent"

urlpatterns: list[URLPattern] = [
    path(".well-known/gpc.json", embed.show_gpc, name="gpc"),
    path("c/<str:key>/consent/", public.show_consent, name="public_page"),
    path("c/<str:key>/receipt/<str:receipt>/", public.show_receipt, name="public_receipt"),
    path("c/<str:key>/choices/", public.prove_phone, name="public_choices"),
    path("c/<str:key>/look.css", embed.show_look, name="public_look"),
    path("c/<str:key>/config.json", embed.show_config, name="embed_config"),
    path("c/<str:key>/events", embed.take_event, name="embed_events"),
    path("p/<str:link>/", preferences.show_choices, name="preferences"),
    path("clients/<slug:slug>/consent/web/", web.show_web, name="web"),
    path("clients/<slug:slug>/consent/web/key/", web.change_key, name="web_key"),
    path("clients/<slug:slug>/consent/web/links/", web.revoke_links, name="web_links"),
    path("twilio/<str:key>/voice/", voice.answer, name="voice"),
    path("twilio/<str:key>/voice/step/", voice.step, name="voice_step"),
    path("twilio/<str:key>/voice/status/", voice.note_status, name="voice_status"),
    path("twilio/<str:key>/voice/recording/", voice.note_recording, name="voice_recording"),
    # Notices, what hangs where, standards, sites
    path("clients/<slug:slug>/notices/", notices.list_notices, name="notices"),
    path("clients/<slug:slug>/notices/new/", notices.new_notice, name="new_notice"),
    path("clients/<slug:slug>/notices/<uuid:notice_id>/", notices.show_notice, name="notice"),
    path("clients/<slug:slug>/notices/<uuid:notice_id>/draft/", notices.edit_draft, name="edit_notice"),
    path(
        "clients/<slug:slug>/notices/<uuid:notice_id>/ready/", notices.add_ready_words, name="add_ready_words"
    ),
    path(
        "clients/<slug:slug>/notices/<uuid:notice_id>/discard/", notices.discard_draft, name="discard_draft"
    ),
    path("clients/<slug:slug>/notices/<uuid:notice_id>/publish/", notices.publish, name="publish_notice"),
    path("clients/<slug:slug>/notices/<uuid:notice_id>/retire/", notices.retire, name="retire_notice"),
    path("clients/<slug:slug>/notices/<uuid:notice_id>/changes/", notices.compare, name="notice_changes"),
    path("clients/<slug:slug>/words/", notices.show_words, name="words"),
    path("clients/<slug:slug>/posted/", posted.list_posted, name="posted"),
    path("clients/<slug:slug>/posted/new/", posted.post_notice, name="post_notice"),
    path("clients/<slug:slug>/posted/<uuid:posted_id>/", posted.show_posted, name="posted_notice"),
    path("clients/<slug:slug>/posted/<uuid:posted_id>/end/", posted.end_posted, name="end_posted"),
    path("clients/<slug:slug>/posted/<uuid:posted_id>/picture/", posted.show_picture, name="posted_picture"),
    path("clients/<slug:slug>/standard/", standards.show_standard, name="standard"),
    path("clients/<slug:slug>/standard/choose/", standards.choose_standard, name="choose_standard"),
    path("clients/<slug:slug>/standard/declare/", standards.declare_basis, name="declare_basis"),
    path("clients/<slug:slug>/sites/", sites.list_sites, name="sites"),
    path("clients/<slug:slug>/sites/new/", sites.add_site, name="add_site"),
    path("clients/<slug:slug>/sites/numbers/", sites.assign_numbers, name="assign_numbers"),
    path("clients/<slug:slug>/sites/<uuid:site_id>/", sites.show_site, name="site"),
    path("clients/<slug:slug>/sites/<uuid:site_id>/change/", sites.change_site, name="change_site"),
    path("clients/<slug:slug>/sites/<uuid:site_id>/remove/", sites.remove_site, name="remove_site"),
    path("clients/<slug:slug>/sites/<uuid:site_id>/acknowledge/", sites.acknowledge, name="acknowledge"),
    path(
        "clients/<slug:slug>/sites/<uuid:site_id>/people/<uuid:acknowledgement_id>/left/",
        sites.note_left,
        name="note_left",
    ),
    # Which law
    path("clients/<slug:slug>/law/", law.show_client_law, name="client_law"),
    path("law/", law.show_law, name="law"),
    path("law/rules.csv", law.take_rules, name="take_rules"),
    path("law/sign/", law.sign_off, name="sign_rule"),
    path("law/packs/", law.list_packs, name="packs"),
    path("law/packs/shipped/", law.return_to_shipped, name="return_to_shipped"),
    path("law/packs/<uuid:pack_id>/", law.show_pack, name="pack"),
    path("law/packs/<uuid:pack_id>/progress/", law.pack_progress, name="pack_progress"),
    path("law/packs/<uuid:pack_id>/activate/", law.activate_pack, name="activate_pack"),
    path("law/packs/<uuid:pack_id>/discard/", law.discard_pack, name="discard_pack"),
]
