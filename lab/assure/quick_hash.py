"""
The settings of a door whose passwords cost nothing, for the stop-watch: Argon2 takes a fifth of a second, which
differs by more from try to try than a name may show. That each name costs one of it is accounts/test_sign_in.py's.

With ASSURE_DOOR_TELLS the door has the fault that the stop-watch must find: it takes longer for a name that there is.
"""

import os

from callprivacy.settings import *  # noqa: F403  (the product's, but for one)

_TELLS = "ASSURE_DOOR_TELLS" in os.environ
PASSWORD_HASHERS = [
    "lab.assure.telling.TellingHasher" if _TELLS else "django.contrib.auth.hashers.MD5PasswordHasher"
]
