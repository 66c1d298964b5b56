"""What an ASGI server runs. Sign-in stays synchronous: django-axes guards only that way in."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "callprivacy.settings")

application = get_asgi_application()
