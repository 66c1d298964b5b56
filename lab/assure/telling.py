"""The fault of a door that tells names by the time it takes (lab.assure.quick_hash)."""

import time

from django.contrib.auth.hashers import MD5PasswordHasher

LONGER = 0.008


class TellingHasher(MD5PasswordHasher):
    """Takes longer to look at the hash of somebody who is there; for nobody's name none is looked at, one is made."""

    def verify(self, password: str, encoded: str) -> bool:
        """As ever, and 8 ms later."""
        time.sleep(LONGER)
        return super().verify(password, encoded)
