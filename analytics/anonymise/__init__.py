"""
The anonymiser: rows of a table made so that nobody stands out in them, and what that costs. Pure.

What it promises: every released row lies in a class that meets each demand that was made, or is suppressed; every
released value is the value itself or something wider that holds it. That the identifying columns are left out makes
no table anonymous; what is measured here is what remains.
"""

from analytics.anonymise.engine import anonymise
from analytics.anonymise.errors import AnonymiseError, HierarchyError, OutOfReachError, SpecError
from analytics.anonymise.measures import Measures
from analytics.anonymise.outcome import Release, Spread
from analytics.anonymise.risks import Risks
from analytics.anonymise.spec import ColumnSpec, Spec, parse
from analytics.anonymise.table import Column, Table
