"""What `check --deploy`, and with it every release, looks at in the settings of an installation in public."""

from typing import Any

from django.conf import settings
from django.core import checks

from callprivacy.lib import transport


@checks.register(checks.Tags.security, deploy=True)
def connections_are_sealed(**_: Any) -> list[checks.CheckMessage]:
    """Nothing is spoken in the clear to another machine, unless its host is named as one of a private network."""
    found: list[checks.CheckMessage] = []
    for line in transport.lines():
        if not line.is_allowed:
            found.append(
                checks.Warning(
                    f"What goes to {line.what} ({line.host}) can be read on the way.",
                    hint=f"{line.to_do} On a private network, name the host in CALLPRIVACY_PLAIN_HOSTS.",
                    id="dashboard.W001",
                )
            )
        elif line.is_sealed and not line.is_verified:
            found.append(
                checks.Info(
                    f"Nothing proves that {line.what} ({line.host}) is the one meant.",
                    hint=line.to_do,
                    id="dashboard.I001",
                )
            )
    found += [
        checks.Info(
            f"How the app speaks to its database is not known here: {variable} is not set.",
            hint=f"Set {variable} where releases are made, as web, worker and beat have it.",
            id="dashboard.I002",
        )
        for variable in transport.unknown_to_the_owner()
    ]
    return found


@checks.register(checks.Tags.security, deploy=True)
def proxy_is_counted(**_: Any) -> list[checks.CheckMessage]:
    """TLS ends at a proxy: one that is not counted leads every request in a circle."""
    if not settings.SECURE_SSL_REDIRECT or settings.CALLPRIVACY_PROXY_COUNT:
        return []
    return [
        checks.Warning(
            "The address is https, and no proxy is counted: every page leads to itself again.",
            hint="Set CALLPRIVACY_PROXY_COUNT=1, and let the proxy set X-Forwarded-For and X-Forwarded-Proto.",
            id="dashboard.W002",
        )
    ]


@checks.register(checks.Tags.security, deploy=True)
def mail_goes_out(**_: Any) -> list[checks.CheckMessage]:
    """Invitations, deadlines and alerts reach nobody while mail is written into files."""
    if not settings.SECURE_SSL_REDIRECT or not settings.CALLPRIVACY_MAIL_IS_FILES:
        return []
    return [
        checks.Warning(
            "Mail is written into files: no invitation and no alert reaches anybody.",
            hint="Set MAIL_URL=smtp://user:password@host:587.",
            id="dashboard.W003",
        )
    ]
