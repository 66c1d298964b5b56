"""What a call says, in SQL: the same words where cells are made and where calls are counted one by one."""

from typing import Final

from django.db.models import FilteredRelation, Q, QuerySet

from analytics.enums import Conversion
from analytics.selectors.rules import Rule
from callprivacy.calls.enums import Outcome, RecordingState
from callprivacy.calls.models import Call
from consent.enums import Basis, Purpose

READ: Final = (
    "pk", "caller_id", "direction", "outcome", "seconds", "source", "campaign", "medium", "country", "region",
    "first_call", "qualified", "value_cents", "tags", "recording__state", "recording__decided_at", "judged__allowed",
    "judged__basis",
)  # fmt: skip
"""What is read of a call, in the order of `NAMES`; `judged` is what `with_decisions` adds."""
OF_CALL: Final = tuple(name for name in READ if "__" not in name)
"""What stands in the call's own row."""
SAID: Final[dict[str, str]] = {
    **{name: f"c.{name}" for name in ("source", "campaign", "medium", "direction", "outcome")},
    "region": "CASE WHEN c.region = '' THEN c.country ELSE c.country || '-' || c.region END",
    "repeated": "CASE WHEN c.first_call THEN 'first' WHEN NOT c.first_call THEN 'repeated' ELSE '' END",
    "kept": f"""CASE WHEN c.recording_state IS NULL THEN 'none'
        WHEN c.recording_state = '{RecordingState.GONE}' THEN 'gone'
        WHEN c.recording_decided_at IS NULL THEN 'undecided'
        WHEN c.recording_state = '{RecordingState.WITHHELD}' OR c.judged_allowed IS NOT TRUE THEN 'withheld'
        WHEN c.judged_basis IN ('{Basis.CONSENT}', '{Basis.NOTICE}') THEN c.judged_basis ELSE 'law' END""",
}
"""What a call says in words; how long it was is told of its seconds."""
_CONVERTED: Final[dict[Conversion, str]] = {
    Conversion.ANSWERED: f"c.outcome = '{Outcome.ANSWERED}' AND coalesce(c.seconds, 0) >= %s",
    Conversion.QUALIFIED: "c.qualified IS TRUE AND %s IS NULL",
    Conversion.TAGGED: "c.tags && %s::varchar[]",
}


def names(read: tuple[str, ...]) -> str:
    """What is read, as columns of a subquery."""
    return ", ".join("id" if name == "pk" else name.replace("__", "_") for name in read)


def with_decisions(calls: QuerySet[Call]) -> QuerySet[Call]:
    return calls.annotate(
        judged=FilteredRelation("decisions", condition=Q(decisions__purpose=Purpose.RECORD))
    )


def converts(rule: Rule) -> tuple[str, int | list[str] | None]:
    """Whether a call counts as a conversion: a condition with one place, and what belongs there."""
    needs: dict[Conversion, int | list[str] | None] = {
        Conversion.ANSWERED: rule.seconds,
        Conversion.QUALIFIED: None,
        Conversion.TAGGED: sorted(rule.tags),
    }
    return _CONVERTED[rule.conversion], needs[rule.conversion]
