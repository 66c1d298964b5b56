"""Analytics' deeds."""

from analytics.services.totals import AT_LEAST, keep_totals
