"""What the trial's web server runs: the product's application, by the trial's clock."""

from lab.faults import clock

clock.rule()

from callprivacy.wsgi import application  # noqa: E402  (by that clock from its first line on)

__all__ = ["application"]
