"""
The settings of a door whose passwords cost nothing, for the stop-watch: Argon2 takes a fifth of a second, which
differs by more from try to try than a name may show. That each name costs one of it is accounts/test_sign_in.py's.
"""

from callprivacy.settings import *  # noqa: F403  (the product's, but for one)

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
