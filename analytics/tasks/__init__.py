"""Jobs of analytics; named here so that the worker finds them."""

from analytics.tasks import releases, reports

__all__ = ["releases", "reports"]
