"""
The engine: may this be done, on what does it rest, and why. Pure.

What it promises: a refusal or withdrawal is never overruled; no evidence that comes later heals what was begun
without it; not knowing something is never better than knowing it.
"""

from consent.decide.engine import MAJORITY, decide
from consent.decide.question import Answer, CallSpan, Event, Place, Question
