"""What a WSGI server runs."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from callprivacy.lib.stack import with_room

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "callprivacy.settings")
# Half of what gunicorn and the proxy wait: who has gone away leaves no statement behind that holds the database up.
os.environ.setdefault("CALLPRIVACY_STATEMENT_SECONDS", "30")

_application = get_wsgi_application()


def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """Answer a request."""
    return with_room(_application, environ, start_response)


# Every address is loaded before the first request, so that a fault in one ends the start and not a visit.
get_resolver().url_patterns  # noqa: B018  (reading it loads it)
