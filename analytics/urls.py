"""Analytics' addresses."""

from django.urls import URLPattern, URLResolver, path

from analytics.views import (
    anonymized_export,
    costs,
    explorer,
    goals,
    groups,
    recipients,
    releases,
    rule,
    saved,
)

app_name = "analytics"

_CLIENT = "reports/clients/<slug:slug>/"
_OF = "reports/releases/<slug:slug>/"
_ONE = f"{_OF}<uuid:release_id>/"
_WHO = f"{_OF}recipients/<uuid:recipient_id>/"

urlpatterns: list[URLPattern | URLResolver] = [
    path("reports/", explorer.home, name="home"),
    path(_CLIENT, explorer.explore, name="explore"),
    path(f"{_CLIENT}export/<str:paper>/", explorer.export, name="export"),
    path(f"{_CLIENT}campaigns/", explorer.campaigns, name="campaigns"),
    path(f"{_CLIENT}campaigns/<str:paper>/", explorer.campaigns_export, name="campaigns_export"),
    path(f"{_CLIENT}save/", saved.save, name="save"),
    path(f"{_CLIENT}saved/", saved.list_saved, name="saved"),
    path(f"{_CLIENT}saved/<uuid:report_id>/", saved.open_saved, name="open_saved"),
    path(f"{_CLIENT}saved/<uuid:report_id>/share/", saved.share_saved, name="share_saved"),
    path(f"{_CLIENT}saved/<uuid:report_id>/mail/", saved.mail_saved, name="mail_saved"),
    path(f"{_CLIENT}saved/<uuid:report_id>/remove/", saved.remove_saved, name="remove_saved"),
    path(f"{_CLIENT}costs/", costs.bring, name="costs"),
    path(f"{_CLIENT}costs/<uuid:cost_import_id>/", costs.show, name="costs_show"),
    path(f"{_CLIENT}costs/<uuid:cost_import_id>/take/", costs.take, name="costs_take"),
    path(f"{_CLIENT}costs/<uuid:cost_import_id>/discard/", costs.discard, name="costs_discard"),
    path(f"{_CLIENT}goals/", goals.show, name="goals"),
    path(f"{_CLIENT}goals/<uuid:goal_id>/remove/", goals.remove, name="remove_goal"),
    path(f"{_CLIENT}rule/", rule.change, name="rule"),
    path(f"{_CLIENT}attribution/", rule.switch_attribution, name="attribution"),
    path("reports/anonymized-export/", anonymized_export.begin, name="anonymized_export"),
    path("reports/releases/", releases.show_all, name="releases"),
    path("reports/release-floor/", releases.set_floor, name="release_floor"),
    path(_OF, releases.show_client, name="client_releases"),
    path(f"{_OF}new/", releases.new, name="release_new"),
    path(f"{_OF}groups/", groups.change, name="release_groups"),
    path(_ONE, releases.show, name="release"),
    path(f"{_ONE}try/", releases.try_setting, name="try_release"),
    path(f"{_ONE}tried/<uuid:trial_id>/", releases.tried, name="tried"),
    path(f"{_ONE}tried/<uuid:trial_id>/propose/", releases.propose, name="propose_release"),
    path(f"{_ONE}approve/", releases.approve, name="approve_release"),
    path(f"{_ONE}refuse/", releases.refuse, name="refuse_release"),
    path(f"{_ONE}withdraw/", releases.withdraw, name="withdraw_release"),
    path(f"{_ONE}revoke/", releases.revoke, name="revoke_release"),
    path(f"{_ONE}file/", releases.take, name="take_release"),
    path(f"{_ONE}sheet/", releases.take_sheet, name="release_sheet"),
    path(f"{_OF}recipients/new/", recipients.new, name="recipient_new"),
    path(_WHO, recipients.show, name="recipient"),
    path(f"{_WHO}change/", recipients.change, name="recipient_change"),
    path(f"{_WHO}figures/", recipients.ask, name="ask_figures"),
]
