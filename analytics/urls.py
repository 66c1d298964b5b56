"""Analytics' addresses."""

from django.urls import URLPattern, URLResolver, path

from analytics.views import recipients, releases

app_name = "analytics"

_OF = "reports/releases/<slug:slug>/"
_ONE = f"{_OF}<uuid:release_id>/"
_WHO = f"{_OF}recipients/<uuid:recipient_id>/"

urlpatterns: list[URLPattern | URLResolver] = [
    path("reports/releases/", releases.show_all, name="releases"),
    path("reports/release-floor/", releases.set_floor, name="release_floor"),
    path(_OF, releases.show_client, name="client_releases"),
    path(f"{_OF}new/", releases.new, name="release_new"),
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
