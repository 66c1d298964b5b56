"""The names that the shell and the account pages look up, leading nowhere."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path


def nowhere(request: HttpRequest, **_: str) -> HttpResponse:
    """Answer nothing."""
    return HttpResponse()


dashboard = [
    path("", nowhere, name="overview"),
    path("demo/remove/", nowhere, name="remove_demo"),
]
calls = [path("search/", nowhere, name="search")]
work = [path("notifications/", nowhere, name="notifications")]
accounts = [path("accounts/password/strength/", nowhere, name="password_strength")]

urlpatterns = [
    path("", include((dashboard, "dashboard"))),
    path("", include((calls, "calls"))),
    path("", include((work, "work"))),
    path("", include((accounts, "accounts"))),
    path("accounts/login/", nowhere, name="account_login"),
    path("accounts/logout/", nowhere, name="account_logout"),
    path("accounts/password/", nowhere, name="account_change_password"),
    path("accounts/password/reset/", nowhere, name="account_reset_password"),
    path("accounts/sessions/", nowhere, name="usersessions_list"),
]
