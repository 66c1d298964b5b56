"""
The law as data: rules in files, read and checked, found by place, topic and date.

Pure: neither models nor the clock. `load_pack()` gives the shipped rules, `parse_pack` reads an imported pack,
`difference` says what a second pack changes.
"""

from consent.law.book import NoRuleError, Rules
from consent.law.pack import (
    BEFORE_QUOTATIONS,
    LONGEST_QUOTATION,
    Difference,
    Fault,
    PackError,
    difference,
    digest_of,
    dump_pack,
    load_pack,
    parse_pack,
    shipped_text,
    stale,
    unread,
)
from consent.law.rule import Confidence, Rule
from consent.law.topics import Days, Hours, Topic
