"""Analytics' rows."""

from analytics.models.cells import Cell, ReportRule, Span, Touched, Watch
from analytics.models.totals import DailyTotal

__all__ = ["Cell", "DailyTotal", "ReportRule", "Span", "Touched", "Watch"]
