"""
The settings of the site that a browser visits: the product's, with more patience.

A crowded machine may let Valkey stand still, or who holds a row, for longer than a person would wait. How long the
product waits by itself is said by calls/test_hooks.py and rules/test_migrations.py.
"""

from callprivacy.settings import *  # noqa: F403, TID251  (the product's, but for two)
from callprivacy.settings import CACHES, DATABASES  # noqa: TID251

for _cache in ("default", "hints"):
    CACHES[_cache]["OPTIONS"] = {"socket_timeout": 20, "socket_connect_timeout": 20}
for _database in DATABASES.values():
    _database["OPTIONS"]["options"] += " -c lock_timeout=20s"
