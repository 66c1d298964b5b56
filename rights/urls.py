"""Addresses of requests: those of the people called, and those of the staff."""

from django.urls import URLPattern, URLResolver, include, path

from rights.views import (
    approvals,
    board,
    cases,
    deciding,
    facts,
    letters,
    metrics,
    notices,
    pages,
    portal,
    requests,
    told,
)

app_name = "rights"

_OF_A_CLIENT: list[URLPattern | URLResolver] = [
    # What staff say on them
    path("reach/", facts.show_reach, name="reach"),
    path("reach/figures/", facts.set_facts, name="facts"),
    path("requests-page/", pages.show_page, name="page"),
    path("requests-page/key/", pages.change_key, name="page_key"),
    path("requests-page/gpc.json", pages.take_gpc, name="gpc_file"),
    path("privacy-notice/", notices.show_notice, name="notice"),
    path("privacy-notice/publish/", notices.publish, name="publish_notice"),
    path("privacy-notice/<uuid:privacy_id>/", notices.show_version, name="notice_version"),
    # The board and a case
    path("requests/", board.of_one, name="board"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    # Public pages
    path("r/<str:key>/", portal.show_portal, name="portal"),
    path("r/<str:key>/look.css", portal.show_look, name="look"),
    path("r/<str:key>/privacy/", portal.show_notice, name="public_notice"),
    path("r/<str:key>/privacy/<int:number>/", portal.show_notice, name="public_notice_version"),
    path("r/<str:key>/<slug:asks>/", portal.ask, name="ask"),
    path("q/<str:link>/", requests.show_request, name="request"),
    # What staff say on them
    path("requests/page/", pages.show_agency_page, name="agency_page"),
    path("clients/<slug:slug>/", include(_OF_A_CLIENT)),
    # The client's word, behind a link
    path("approve/<str:token>/", approvals.answer_by_link, name="approve"),
    # The board and a case
    path("requests/", board.home, name="home"),
    path("requests/new/", cases.new_request, name="new"),
    path("requests/decisions/", approvals.list_decisions, name="decisions"),
    path("requests/figures/", metrics.show_year, name="metrics"),
    path("requests/figures.csv", metrics.take_year, name="metrics_file"),
    path("requests/record.csv", metrics.take_record, name="record_file"),
    path("requests/told/", told.list_told, name="recipients"),
    path("requests/<uuid:case_id>/", cases.show_case, name="case"),
    path("requests/<uuid:case_id>/progress/", deciding.show_progress, name="progress"),
    path("requests/<uuid:case_id>/owner/", cases.assign, name="assign"),
    path("requests/<uuid:case_id>/notes/", cases.add_note, name="note"),
    path("requests/<uuid:case_id>/tasks/", cases.add_task, name="add_task"),
    path("requests/<uuid:case_id>/tasks/<uuid:todo_id>/", cases.finish_task, name="finish_task"),
    path("requests/<uuid:case_id>/extend/", cases.extend, name="extend"),
    path("requests/<uuid:case_id>/clock/", cases.stop_clock, name="pause"),
    path("requests/<uuid:case_id>/appeal/", cases.note_appeal, name="appeal"),
    path("requests/<uuid:case_id>/take-back/", cases.take_back, name="take_back"),
    path("requests/<uuid:case_id>/identities/<uuid:identity_id>/", deciding.judge_identity, name="identity"),
    path(
        "requests/<uuid:case_id>/identities/<uuid:identity_id>/number/",
        deciding.show_number,
        name="identity_number",
    ),
    path(
        "requests/<uuid:case_id>/identities/<uuid:identity_id>/older/",
        deciding.show_older,
        name="identity_older",
    ),
    path(
        "requests/<uuid:case_id>/identities/<uuid:identity_id>/caller/",
        deciding.name_caller,
        name="identity_caller",
    ),
    path("requests/<uuid:case_id>/paper/", deciding.take_paper, name="paper"),
    path("requests/<uuid:case_id>/decide/", deciding.decide, name="decide"),
    path("requests/<uuid:case_id>/close/", deciding.close, name="close"),
    path("requests/<uuid:case_id>/lift/", deciding.lift, name="lift"),
    path("requests/<uuid:case_id>/ask/<slug:how>/", approvals.ask_client, name="ask_client"),
    path("requests/<uuid:case_id>/asked/<uuid:approval_id>/back/", approvals.take_back, name="ask_back"),
    path("requests/<uuid:case_id>/asked/<uuid:approval_id>/", approvals.answer_here, name="answer"),
    path("requests/<uuid:case_id>/letters/", letters.write_letter, name="letter"),
    path("requests/<uuid:case_id>/letters/answer/", letters.write_answer, name="answer_letter"),
    path("requests/<uuid:case_id>/letters/send/", letters.send_letter, name="send_letter"),
    path("requests/<uuid:case_id>/letters/<uuid:letter_id>/", letters.show_letter, name="show_letter"),
    path("requests/<uuid:case_id>/letters/<uuid:letter_id>/again/", letters.send_again, name="send_again"),
    path("requests/<uuid:case_id>/told/<uuid:word_id>/", told.show_told, name="told"),
    path("requests/<uuid:case_id>/told/<uuid:word_id>/sent/", told.mark_sent, name="told_sent"),
    path("requests/<uuid:case_id>/told/<uuid:word_id>/confirmed/", told.confirm, name="told_confirmed"),
]
