"""What an ASGI server runs. Sign-in stays synchronous: django-axes guards only that way in."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "callprivacy.settings")
# Half of what gunicorn and the proxy wait: who has gone away leaves no statement behind that holds the database up.
os.environ.setdefault("CALLPRIVACY_STATEMENT_SECONDS", "30")

application = get_asgi_application()
