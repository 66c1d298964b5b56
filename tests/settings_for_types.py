"""The settings as the type checker and the migrations' check read them: with values that open nothing."""

import base64
import importlib
import os
import sys

_NOTHING = bytes(32)
for _name, _value in {
    "CALLPRIVACY_URL": "http://127.0.0.1:8000",
    "CALLPRIVACY_SECRET_KEY": "no secret, only long enough to be read as one " * 2,
    "CALLPRIVACY_SIGNING_KEY": base64.b64encode(_NOTHING).decode(),
    "FIELD_ENCRYPTION_KEY": base64.urlsafe_b64encode(_NOTHING).decode(),
    "DATABASE_URL": "postgresql:///nothing",
    "VAULT_DATABASE_URL": "postgresql:///nothing",
    "REDIS_URL": "redis://127.0.0.1:1/0",
}.items():
    os.environ.setdefault(_name, _value)

sys.modules[__name__] = importlib.import_module("callprivacy.settings")
