"""Jobs of analytics; named here so that the worker finds them."""

from analytics.tasks import cells, releases, reports
