"""Analytics' rows: what calls add up to, what is left of those that are gone, and what was released of the others."""

from analytics.models.cells import Cell, ReportRule, Span, Touched, Watch
from analytics.models.costs import CampaignCost, CostImport
from analytics.models.goals import Goal
from analytics.models.releases import (
    NoisyAnswer,
    OwnGroups,
    Recipient,
    Release,
    ReleaseFloor,
    ReleaseTrial,
    Removal,
    RemovalCause,
    Spend,
)
from analytics.models.saved import ReportMail, SavedReport
from analytics.models.totals import DailyTotal, DayCount
