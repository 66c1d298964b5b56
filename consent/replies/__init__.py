"""
What a reply means: a withdrawal, an answer, a call for help, or something that a person has to read.

When in doubt a person reads it: what smells of a withdrawal is never passed over in silence, and a word that only looks
like one (the bus stop) withdraws nothing.
"""

from consent.replies.matcher import LABELS, Verdict, classify
from consent.replies.quoted import strip_quoted
