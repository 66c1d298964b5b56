"""The programme's addresses."""

from django.urls import path

from governance.views import badge_systems, breaches, courses, home, kiosks, premises, training, vendors

app_name = "governance"

urlpatterns = [
    path("programme/", home.show_programme, name="home"),
    path("programme/breaches/", breaches.list_breaches, name="breaches"),
    path("programme/breaches/report/", breaches.report_breach, name="report_breach"),
    path("programme/breaches/impact/", breaches.show_impact, name="impact"),
    path("programme/breaches/<uuid:breach_id>/", breaches.show_breach, name="breach"),
    path("programme/breaches/<uuid:breach_id>/assess/", breaches.assess_breach, name="assess_breach"),
    path("programme/breaches/<uuid:breach_id>/dismiss/", breaches.dismiss_breach, name="dismiss_breach"),
    path("programme/breaches/<uuid:breach_id>/note/", breaches.add_note, name="note_breach"),
    path("programme/breaches/<uuid:breach_id>/contain/", breaches.contain, name="contain_breach"),
    path("programme/breaches/<uuid:breach_id>/close/", breaches.close_breach, name="close_breach"),
    path("programme/breaches/<uuid:breach_id>/reopen/", breaches.reopen_breach, name="reopen_breach"),
    path(
        "programme/breaches/<uuid:breach_id>/notices/<uuid:told_id>/",
        breaches.show_notice,
        name="breach_notice",
    ),
    path(
        "programme/breaches/<uuid:breach_id>/notices/<uuid:told_id>/leave/",
        breaches.leave_notice,
        name="leave_notice",
    ),
    path("programme/training/", training.show_mine, name="training"),
    path("programme/training/people/", training.show_matrix, name="training_matrix"),
    path("programme/training/campaign/", training.show_campaign, name="training_campaign"),
    path("programme/training/people/look/", training.look_again, name="training_look"),
    path("programme/training/assign/", training.assign, name="training_assign"),
    path("programme/training/elsewhere/", training.note_outside, name="training_outside"),
    path(
        "programme/training/passed/<uuid:completion_id>/",
        training.take_certificate,
        name="training_certificate",
    ),
    path("programme/training/own/", courses.list_courses, name="own_courses"),
    path("programme/training/own/new/", courses.new_course, name="new_course"),
    path("programme/training/own/<uuid:own_id>/", courses.show_course, name="own_course"),
    path("programme/training/own/<uuid:own_id>/about/", courses.change_facts, name="course_facts"),
    path(
        "programme/training/own/<uuid:own_id>/screens/<int:place>/",
        courses.write_screen,
        name="course_screen",
    ),
    path(
        "programme/training/own/<uuid:own_id>/questions/<int:place>/",
        courses.write_question,
        name="course_question",
    ),
    path("programme/training/own/<uuid:own_id>/arrange/", courses.arrange, name="course_arrange"),
    path("programme/training/own/<uuid:own_id>/pictures/", courses.add_picture, name="add_picture"),
    path("programme/training/own/<uuid:own_id>/publish/", courses.publish, name="publish_course"),
    path("programme/training/own/<uuid:own_id>/version/", courses.begin_version, name="begin_version"),
    path("programme/training/own/<uuid:own_id>/offer/", courses.offer, name="offer_course"),
    path("programme/training/pictures/<uuid:picture_id>/", courses.show_picture, name="course_picture"),
    path("programme/training/<slug:course>/<int:screen>/", training.read_screen, name="screen"),
    path("programme/training/<slug:course>/questions/", training.answer, name="questions"),
    path("programme/training/<slug:course>/start/", training.start, name="start_try"),
    path("programme/training/<slug:course>/result/", training.show_result, name="result"),
    path("programme/training/<slug:course>/roles/", training.set_rules, name="training_rules"),
    path("programme/premises/", premises.list_entries, name="entries"),
    path("programme/premises/new/", premises.new_site, name="new_site"),
    path("programme/premises/<uuid:place_id>/", premises.show_site, name="site"),
    path("programme/premises/<uuid:place_id>/badges/", premises.give_badge, name="give_badge"),
    path(
        "programme/premises/<uuid:place_id>/badges/<uuid:badge_id>/back/",
        premises.return_badge,
        name="return_badge",
    ),
    path("programme/premises/<uuid:place_id>/file/", premises.take_file, name="entries_file"),
    path("programme/premises/<uuid:place_id>/keys/", badge_systems.make_key, name="site_key"),
    path(
        "programme/premises/<uuid:place_id>/keys/<uuid:site_key_id>/end/",
        badge_systems.revoke_key,
        name="revoke_site_key",
    ),
    path("programme/premises/<uuid:place_id>/hours/", premises.set_hours, name="door_hours"),
    path(
        "programme/premises/<uuid:place_id>/hours/<uuid:hours_id>/end/", premises.end_hours, name="end_hours"
    ),
    path("programme/premises/<uuid:place_id>/rooms/", premises.name_rooms, name="site_rooms"),
    path("programme/premises/<uuid:place_id>/kiosk/", kiosks.make_link, name="kiosk"),
    path("programme/premises/<uuid:place_id>/kiosk/end/", kiosks.end_link, name="end_kiosk"),
    path("programme/premises/entries/<uuid:entry_id>/left/", premises.sign_out, name="sign_out"),
    path("programme/premises/entries/<uuid:entry_id>/", premises.look_at, name="look_at_entry"),
    path("k/<str:kiosk>/", kiosks.show_door, name="door"),
    path("k/<str:kiosk>/visit/", kiosks.visit, name="door_visit"),
    path("k/<str:kiosk>/come/", kiosks.come, name="door_come"),
    path("k/<str:kiosk>/leave/", kiosks.leave, name="door_leave"),
    path("programme/vendors/", vendors.list_vendors, name="vendors"),
    path("programme/vendors/new/", vendors.new_vendor, name="new_vendor"),
    path("programme/vendors/rule/", vendors.require_reviews, name="require_reviews"),
    path("programme/vendors/<uuid:vendor_id>/", vendors.show_vendor, name="vendor"),
    path("programme/vendors/<uuid:vendor_id>/change/", vendors.change_vendor, name="change_vendor"),
    path("programme/vendors/<uuid:vendor_id>/review/", vendors.review_vendor, name="review_vendor"),
    path(
        "programme/vendors/<uuid:vendor_id>/certificates/", vendors.add_certificate, name="vendor_certificate"
    ),
    path("programme/vendors/<uuid:vendor_id>/engages/", vendors.add_sub_processor, name="sub_processor"),
    path(
        "programme/vendors/<uuid:vendor_id>/engages/<uuid:engaged_id>/",
        vendors.settle_sub_processor,
        name="settle_sub_processor",
    ),
    path("programme/vendors/<uuid:vendor_id>/incidents/", vendors.note_incident, name="vendor_incident"),
    path("programme/vendors/<uuid:vendor_id>/end/", vendors.end_vendor, name="end_vendor"),
]
