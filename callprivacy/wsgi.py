"""What a WSGI server runs."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "callprivacy.settings")

application = get_wsgi_application()

# Every address is loaded before the first request, so that a fault in one ends the start and not a visit.
get_resolver().url_patterns  # noqa: B018  (reading it loads it)
