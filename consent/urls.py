"""Addresses of consent: the dashboard's pages, and the public doors of callers and vendors."""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.urls import URLPattern, URLResolver, include, path

from consent.views import (
    ages,
    desk,
    desk_doors,
    embed,
    endpoints,
    invitations,
    law,
    list_checks,
    menus,
    notices,
    numbers_out,
    onboarding,
    people,
    phone,
    posted,
    preferences,
    public,
    recordings,
    registers,
    sites,
    standards,
    terms,
    texts,
    voice,
    web,
    withdrawals,
)

app_name = "consent"

_OF_A_CLIENT: list[URLPattern | URLResolver] = [
    path("consent/web/", web.show_web, name="web"),
    path("consent/web/key/", web.change_key, name="web_key"),
    path("consent/web/links/", web.revoke_links, name="web_links"),
    # Telephone menus
    path("consent/menus/", menus.list_menus, name="menus"),
    path("consent/menus/new/", menus.add_menu, name="add_menu"),
    path("consent/menus/<uuid:menu_id>/", menus.show_menu, name="menu"),
    path("consent/menus/<uuid:menu_id>/change/", menus.change_menu, name="change_menu"),
    path("consent/menus/<uuid:menu_id>/activate/", menus.activate_menu, name="activate_menu"),
    path("consent/menus/<uuid:menu_id>/deactivate/", menus.deactivate_menu, name="deactivate_menu"),
    path("consent/menus/<uuid:menu_id>/preview/", menus.preview_menu, name="preview_menu"),
    path("consent/accounts/<uuid:connection_id>/", menus.describe_account, name="describe_account"),
    # Messages that wait for a person, and asking by text
    path("consent/messages/", texts.list_replies, name="replies"),
    path("consent/messages/<uuid:reply_id>/", texts.decide_reply, name="decide_reply"),
    path("consent/ask/<uuid:caller_id>/", texts.invite, name="ask_by_text"),
    # Notices, what hangs where, standards, sites
    path("notices/", notices.list_notices, name="notices"),
    path("notices/new/", notices.new_notice, name="new_notice"),
    path("notices/<uuid:notice_id>/", notices.show_notice, name="notice"),
    path("notices/<uuid:notice_id>/draft/", notices.edit_draft, name="edit_notice"),
    path("notices/<uuid:notice_id>/ready/", notices.add_ready_words, name="add_ready_words"),
    path("notices/<uuid:notice_id>/discard/", notices.discard_draft, name="discard_draft"),
    path("notices/<uuid:notice_id>/publish/", notices.publish, name="publish_notice"),
    path("notices/<uuid:notice_id>/retire/", notices.retire, name="retire_notice"),
    path("notices/<uuid:notice_id>/changes/", notices.compare, name="notice_changes"),
    path("words/", notices.show_words, name="words"),
    path("posted/", posted.list_posted, name="posted"),
    path("posted/new/", posted.post_notice, name="post_notice"),
    path("posted/<uuid:posted_id>/", posted.show_posted, name="posted_notice"),
    path("posted/<uuid:posted_id>/end/", posted.end_posted, name="end_posted"),
    path("posted/<uuid:posted_id>/picture/", posted.show_picture, name="posted_picture"),
    path("standard/", standards.show_standard, name="standard"),
    path("standard/choose/", standards.choose_standard, name="choose_standard"),
    path("standard/declare/", standards.declare_basis, name="declare_basis"),
    path("sites/", sites.list_sites, name="sites"),
    path("sites/new/", sites.add_site, name="add_site"),
    path("sites/numbers/", sites.assign_numbers, name="assign_numbers"),
    path("sites/<uuid:site_id>/", sites.show_site, name="site"),
    path("sites/<uuid:site_id>/change/", sites.change_site, name="change_site"),
    path("sites/<uuid:site_id>/remove/", sites.remove_site, name="remove_site"),
    path("sites/<uuid:site_id>/acknowledge/", sites.acknowledge, name="acknowledge"),
    path("sites/<uuid:site_id>/people/<uuid:acknowledgement_id>/left/", sites.note_left, name="note_left"),
    # Setting a client up
    path("setup/", onboarding.show_setup, name="setup"),
    path("setup/blueprint/", onboarding.apply_blueprint, name="apply_blueprint"),
    path("setup/engagement/", onboarding.save_agreed, name="save_agreed"),
    path("setup/tracker/", onboarding.connect, name="setup_connect"),
    path("setup/numbers/", onboarding.confirm_numbers, name="confirm_numbers"),
    path("setup/fixes/", onboarding.accept_fixes, name="accept_fixes"),
    path("setup/mark/", onboarding.mark_step, name="mark_step"),
    # Which law
    path("law/", law.show_client_law, name="client_law"),
    # Recordings: what was decided, one heard or read, how they are handled
    path("recordings/", recordings.list_recordings, name="recordings"),
    path("recordings/handling/", recordings.change_handling, name="handling"),
    path("recordings/again/", recordings.fetch_again, name="fetch_again"),
    path("calls/<uuid:call_id>/recording/", recordings.play, name="recording"),
    path("calls/<uuid:call_id>/recording/sound/", recordings.give_audio, name="audio"),
    path("calls/<uuid:call_id>/transcript/", recordings.read, name="transcript"),
    path("calls/<uuid:call_id>/place/", recordings.place_caller, name="caller_place"),
    # Asking by e-mail
    path("invitations/", invitations.list_batches, name="invitations"),
    path("invitations/new/", invitations.new_batch, name="new_batch"),
    path("invitations/mail/", invitations.bring_mail, name="bring_mail"),
    path("invitations/<uuid:batch_id>/", invitations.show_batch, name="batch"),
    path("invitations/<uuid:batch_id>/pause/", invitations.pause_batch, name="pause_batch"),
    # Signed terms
    path("terms/", terms.list_terms, name="terms"),
    path("terms/new/", terms.add_terms, name="add_terms"),
    path("terms/<uuid:document_id>/", terms.show_terms, name="terms_document"),
    path("terms/<uuid:document_id>/more/", terms.cover_more, name="cover_more"),
    path("terms/<uuid:document_id>/file/", terms.show_file, name="terms_file"),
    # Withdrawals, and what vendors owe
    path("consent/withdrawals/", withdrawals.list_withdrawals, name="withdrawals"),
    path("consent/withdrawals/<uuid:withdrawal_id>/", withdrawals.show_withdrawal, name="withdrawal"),
    path("consent/steps/<uuid:task_id>/", withdrawals.show_step, name="vendor_task"),
    path("consent/steps/<uuid:task_id>/reference/", withdrawals.show_reference, name="vendor_reference"),
    path("consent/steps/<uuid:task_id>/choose/", withdrawals.choose, name="vendor_choose"),
    path("consent/steps/<uuid:task_id>/sent/", withdrawals.mark_sent, name="vendor_sent"),
    path("consent/steps/<uuid:task_id>/reply/", withdrawals.note_reply, name="vendor_reply"),
    path("consent/steps/<uuid:task_id>/done/", withdrawals.confirm_done, name="vendor_done"),
    path("consent/steps/<uuid:task_id>/again/", withdrawals.try_again, name="vendor_again"),
    path("ads/", endpoints.list_destinations, name="destinations"),
    path("ads/<uuid:destination_id>/close/", endpoints.close_destination, name="close_destination"),
    path("endpoints/", endpoints.list_endpoints, name="endpoints"),
    path("endpoints/new/", endpoints.add_endpoint, name="add_endpoint"),
    path("endpoints/<uuid:endpoint_id>/", endpoints.show_endpoint, name="endpoint"),
    path("endpoints/<uuid:endpoint_id>/ping/", endpoints.ping, name="ping_endpoint"),
    path("endpoints/<uuid:endpoint_id>/secret/", endpoints.rotate_secret, name="rotate_endpoint"),
    path("endpoints/<uuid:endpoint_id>/number/", endpoints.switch_number, name="endpoint_number"),
    path("endpoints/<uuid:endpoint_id>/close/", endpoints.close_endpoint, name="close_endpoint"),
    path(
        "endpoints/<uuid:endpoint_id>/messages/<uuid:delivery_id>/again/",
        endpoints.send_again,
        name="send_again",
    ),
    # How far consent reaches, and the people behind it
    path("callers/", people.list_callers, name="callers"),
    path("callers/<uuid:caller_id>/", people.show_person, name="caller"),
    path("callers/<uuid:caller_id>/said/", people.record_said, name="record_said"),
    path("callers/<uuid:caller_id>/link/", people.hand_link, name="hand_link"),
    path("callers/<uuid:caller_id>/minor/", people.note_minor, name="caller_minor"),
    path("callers/<uuid:caller_id>/evidence/", people.take_evidence, name="evidence"),
    # Lists that are checked before they are dialled
    path("lists/", list_checks.list_checked, name="client_lists"),
    path("lists/new/", list_checks.new_list, name="new_list"),
    path("lists/<uuid:check_id>/", list_checks.show_list, name="list_check"),
    path("lists/<uuid:check_id>/start/", list_checks.start, name="start_list"),
    path("lists/<uuid:check_id>/cancel/", list_checks.cancel, name="cancel_list"),
    path("lists/<uuid:check_id>/progress/", list_checks.progress, name="list_progress"),
    path("lists/<uuid:check_id>/rows/", list_checks.take, name="take_list"),
    # How old a consent may become
    path("consent/age/", ages.choose_for_client, name="ages"),
    # Registers of numbers, and numbers for the one of those that were reassigned
    path("consent/numbers/", numbers_out.ask, name="numbers_out"),
    path("consent/numbers/<uuid:numbers_id>/", numbers_out.show, name="numbers_file"),
    path("consent/numbers/<uuid:numbers_id>/reason/", numbers_out.read_reason, name="numbers_reason"),
    path("consent/numbers/<uuid:numbers_id>/progress/", numbers_out.progress, name="numbers_progress"),
    path("consent/numbers/<uuid:numbers_id>/file/", numbers_out.take, name="take_numbers"),
    # The desk of people on the phone
    path("desk/tap/", desk.tap, name="desk_tap"),
    path("desk/call/", desk.ask_call_back, name="desk_call_back"),
    path("desk/<uuid:caller_id>/call/", desk.call_back_state, name="desk_call_back_state"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path(".well-known/gpc.json", embed.show_gpc, name="gpc"),
    path("c/<str:key>/consent/", public.show_consent, name="public_page"),
    path("c/<str:key>/receipt/<str:receipt>/", public.show_receipt, name="public_receipt"),
    path("c/<str:key>/choices/", public.prove_phone, name="public_choices"),
    path("c/<str:key>/look.css", embed.show_look, name="public_look"),
    path("c/<str:key>/config.json", embed.show_config, name="embed_config"),
    path("c/<str:key>/events", embed.take_event, name="embed_events"),
    path("p/<str:link>/", preferences.show_choices, name="preferences"),
    path("clients/<slug:slug>/", include(_OF_A_CLIENT)),
    path("twilio/<str:key>/voice/", voice.answer, name="voice"),
    path("twilio/<str:key>/voice/step/", voice.step, name="voice_step"),
    path("twilio/<str:key>/voice/status/", voice.note_status, name="voice_status"),
    path("twilio/<str:key>/voice/recording/", voice.note_recording, name="voice_recording"),
    path("twilio/<str:key>/voice/reading/", voice.note_reading, name="voice_reading"),
    path("twilio/<str:key>/sms/", texts.receive, name="sms"),
    path("twilio/<str:key>/sms/status/", texts.note_status, name="sms_status"),
    # The demo's telephone
    path("demo/phone/", phone.show_phone, name="demo_phone"),
    path("demo/phone/sign/", phone.sign, name="demo_sign"),
    path("demo/phone/heard/", phone.hear, name="demo_heard"),
    path("demo/vendor/2010-04-01/Accounts/<str:account>/<path:rest>", phone.play_vendor, name="demo_vendor"),
    # Setting a client up
    path("blueprints/", onboarding.list_blueprints, name="blueprints"),
    # Which law
    path("law/", law.show_law, name="law"),
    path("law/rules.csv", law.take_rules, name="take_rules"),
    path("law/sign/", law.sign_off, name="sign_rule"),
    path("law/packs/", law.list_packs, name="packs"),
    path("law/packs/shipped/", law.return_to_shipped, name="return_to_shipped"),
    path("law/packs/<uuid:pack_id>/", law.show_pack, name="pack"),
    path("law/packs/<uuid:pack_id>/progress/", law.pack_progress, name="pack_progress"),
    path("law/packs/<uuid:pack_id>/activate/", law.activate_pack, name="activate_pack"),
    path("law/packs/<uuid:pack_id>/discard/", law.discard_pack, name="discard_pack"),
    # Asking by e-mail
    path("c/<str:key>/ask/<str:secret>/", invitations.ask, name="ask"),
    # Withdrawals, and what vendors owe
    path("consent/withdrawals/", withdrawals.list_all, name="all_withdrawals"),
    # How far consent reaches, and the people behind it
    path("consent/", people.show_home, name="home"),
    path("consent/find/", people.find_person, name="find_person"),
    # Lists that are checked before they are dialled
    path("consent/lists/", list_checks.choose_client, name="list_checks"),
    # How old a consent may become
    path("consent/age/", ages.choose_for_agency, name="agency_ages"),
    # Registers of numbers, and numbers for the one of those that were reassigned
    path("consent/registers/", registers.list_registers, name="registers"),
    path("consent/registers/new/", registers.new_register, name="new_register"),
    path("consent/registers/answers/", registers.new_answers, name="new_answers"),
    path("consent/registers/<uuid:list_id>/", registers.show_register, name="register"),
    path("consent/registers/<uuid:list_id>/progress/", registers.register_progress, name="register_progress"),
    path("consent/registers/<uuid:list_id>/out/", registers.take_out, name="take_out_register"),
    # The desk of people on the phone
    path("desk/", desk.show_desk, name="desk"),
    path("desk/running/", desk.show_running, name="desk_running"),
    path("desk/find/", desk.find, name="desk_find"),
    path("twilio/<str:key>/desk/<uuid:call_back_id>/", desk_doors.greet, name="desk_call"),
    path("twilio/<str:key>/desk/<uuid:call_back_id>/connect/", desk_doors.connect, name="desk_connect"),
]

if settings.CALLPRIVACY_TAKES_MAIL:
    # What comes by mail, and what became of letters; each view asks for the secret that the provider was given.
    from anymail.webhooks.postmark import PostmarkTrackingWebhookView
    from anymail.webhooks.sendgrid import SendGridTrackingWebhookView

    from consent.views.mail_hooks import PostmarkView, SendGridView

    urlpatterns += [
        path("mail/postmark/", login_not_required(PostmarkView.as_view()), name="mail_postmark"),
        path("mail/sendgrid/", login_not_required(SendGridView.as_view()), name="mail_sendgrid"),
        path(
            "mail/postmark/news/",
            login_not_required(PostmarkTrackingWebhookView.as_view()),
            name="mail_postmark_news",
        ),
        path(
            "mail/sendgrid/news/",
            login_not_required(SendGridTrackingWebhookView.as_view()),
            name="mail_sendgrid_news",
        ),
    ]
