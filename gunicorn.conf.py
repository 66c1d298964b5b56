"""The web server: one process a core, a few threads each, logs through the mask."""

import gc
import os
from typing import Any

from callprivacy.lib import env, logs

bind = env.listening(env.optional("BIND", "127.0.0.1"), env.whole_number("PORT", default=8000, at_least=1))
workers = env.whole_number("WEB_CONCURRENCY", default=min(os.cpu_count() or 1, 4), at_least=1)
worker_class = "gthread"
threads = 4
timeout = 60
graceful_timeout = 20
keepalive = 5
max_requests = 20_000
max_requests_jitter = 2_000
# A proxy in front is believed only where the settings count one.
forwarded_allow_ips = "127.0.0.1,::1" if env.whole_number("CALLPRIVACY_PROXY_COUNT", default=0) else ""
# Loaded once and shared; loading opens no connection, so nothing is inherited that must not be.
preload_app = True


def when_ready(_server: Any) -> None:
    """
    Let the collector of garbage pass over what was loaded, in every worker: looking through it held a request up for a
    tenth of a second, and copied the memory that workers share.
    """
    gc.collect()
    gc.freeze()


accesslog = None
control_socket_disable = True
_format = env.choice("CALLPRIVACY_LOG_FORMAT", among=("json", "text"), default="json")
logconfig_dict = logs.settings(level="INFO", as_json=_format == "json")
