"""
Invoca's transactions, as a file: CSV or JSON of its Transactions API, or a report with the same columns.

Source: Invoca/docs, transactions_api/network_user.mdx (2026-05-27): names of fields and of report columns,
`start_time_utc` in milliseconds, caller ids such as 866-555-1234 without a country (read as of the United States),
`corrects_transaction_id`. No signature of Invoca's own webhooks is documented anywhere, so nothing of Invoca is
taken in at the door: an unsigned address would let anybody invent calls and consent.

A call is `complete_call_id`; its transactions are further names of it. Rows of other types (Signal, Post Call Event,
Reported Conversion) speak of a call that has a row of its own, and are passed over. A correction replaces what the rows
before it said, the newest `corrected_at` wins, and the order of files does not matter.

`destination_phone_number` is where the call was put through to, not the number that was dialled; Invoca's file does not
hold that one.

Keys. `keypress_1` to `keypress_4` and `keypresses` hold names that the account gave its keys, or the digits themselves;
see `base.presses`. `opt_in_SMS` counts where it says yes; no is what everybody has who was not asked.

`revenue` is what came of a call by Invoca's own rules, told on the call's row where signals are rolled up into it. On
the rows of signals and reported conversions, which are passed over, it stays behind.

Not settled by any source: the words of `hangup_cause`; those that are known decide, others do not matter.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC
from functools import partial
from typing import Final

from callprivacy.calls.enums import Outcome
from callprivacy.calls.providers import base
from callprivacy.calls.providers.base import CallFacts, RefusedError
from callprivacy.calls.providers.tabular import Format, moment

NAME: Final = "invoca"
TITLE: Final = "Invoca"
CALL: Final = "call"
TRANSACTION: Final = "transaction"
OPT_IN: Final = "opt_in_SMS"

_KEYS: Final = tuple(f"keypress_{place}" for place in range(1, 5))
_CALLS: Final = frozenset({"call", ""})
_CAUSES: Final = (
    ("voicemail", Outcome.VOICEMAIL),
    ("no answer", Outcome.MISSED),
    ("busy", Outcome.BUSY),
    ("not in service", Outcome.FAILED),
)


def _references(reference: str, recording: str) -> tuple[tuple[str, str], ...]:
    value = base.reference(reference.strip())
    return () if value is None else ((CALL, value),)


def _is_call(cells: Mapping[str, str]) -> bool:
    return cells.get("transaction_type", "").lower() in _CALLS


def _finish(facts: CallFacts, cells: Mapping[str, str]) -> CallFacts:
    """
    :raises RefusedError: the length of the connection or the time of the correction is none.
    """
    corrects = base.reference(cells.get("corrects_transaction_id"))
    transactions = (base.reference(cells.get("transaction_id")), corrects)
    own = tuple((TRANSACTION, value) for value in transactions if value is not None)
    repeats = _yes_or_no(cells.get("repeat_calling_phone_number", ""))
    return replace(
        facts,
        references=(*facts.references, *own),
        outcome=facts.outcome or _outcome(cells),
        first_call=None if repeats is None else not repeats,
        presses=_presses(facts, cells),
        value_cents=_revenue(cells.get("revenue", "")),
        ranked=True,
        revision=0 if corrects is None else _revision(cells.get("corrected_at", "")),
    )


def _outcome(cells: Mapping[str, str]) -> Outcome | None:
    cause = cells.get("hangup_cause", "").lower()
    for words, outcome in _CAUSES:
        if words in cause:
            return outcome
    connected = base.seconds(cells.get("connect_duration"), "connect_duration")
    if connected is None:
        return None
    if connected:
        return Outcome.ANSWERED
    return Outcome.ABANDONED if cause.startswith("caller") else Outcome.MISSED


def _yes_or_no(raw: str) -> bool | None:
    """Its words are not written down anywhere, so one that we do not know says nothing."""
    try:
        return base.answer(raw, "")
    except RefusedError:
        return None


def _revenue(raw: str) -> int | None:
    """How it is written is not said anywhere, and a sum that cannot be read, such as one below zero, costs no call."""
    try:
        return base.cents(raw, "")
    except RefusedError:
        return None


def _revision(raw: str) -> int:
    """Milliseconds since 1970; a correction that does not say when it was made yields to one that does."""
    if not raw:
        return 1
    corrected_at = moment(raw[:64], None)
    try:
        if corrected_at is not None:
            aware = corrected_at if corrected_at.tzinfo else corrected_at.replace(tzinfo=UTC)
            return max(1, int(aware.astimezone(UTC).timestamp() * 1000))
    except OverflowError:
        pass
    raise RefusedError("corrected_at", "a time such as 2026-01-31 13:05:09 -05:00")


def _of(key: str, _: int) -> str:
    return key


def _presses(facts: CallFacts, cells: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """
    The opt-in, the keys that have a place of their own, then those of the list that are not among them.

    The list holds digits and names of the same keys, so a digit that has a place is not named a second time.
    """
    placed = [press for key in _KEYS for press in base.presses([cells.get(key, "")], partial(_of, key))]
    digits = {keys for name, keys in placed if name in _KEYS}
    listed = [
        ("keypresses" if name.startswith("menu ") else name, keys)
        for name, keys in facts.presses
        if not (name.startswith("menu ") and keys in digits)
    ]
    opted_in = [(OPT_IN, "1")] if _yes_or_no(cells.get(OPT_IN, "")) else []
    return tuple(dict.fromkeys([*opted_in, *placed, *listed]))[: base.PRESSES_AT_MOST]


TRANSACTIONS: Final = Format(
    name=NAME,
    title="Invoca transactions",
    columns={
        "started_at": (
            "start_time_utc",
            "Call Start Time (UTC timestamp)",
            "start_time_xml",
            "start_time_local",
            "Call Start Time",
            "start_time_network_timezone",
            "Call Start Time Network Timezone",
        ),
        "caller": ("calling_phone_number", "Caller ID"),
        "seconds": ("duration", "Total Duration"),
        "source": ("call_source_description", "Source"),
        "campaign": ("advertiser_campaign_name", "Advertiser Campaign"),
        "medium": ("utm_medium", "media_type", "Media Type"),
        "region": ("region", "Region"),
        "recording_reference": ("recording", "Recording"),
        "reference": ("complete_call_id", "Call Record ID"),
        "presses": ("keypresses", "Keypresses"),
    },
    references=_references,
    has_epochs=True,
    also={
        "transaction_id": ("transaction_id", "Transaction ID"),
        "corrects_transaction_id": ("corrects_transaction_id", "Corrects Call"),
        "corrected_at": ("corrected_at", "Corrected At"),
        "transaction_type": ("transaction_type", "Type"),
        "connect_duration": ("connect_duration", "Connected Duration"),
        "hangup_cause": ("hangup_cause", "End of Call Reason"),
        "repeat_calling_phone_number": ("repeat_calling_phone_number", "Repeat Caller"),
        "revenue": ("revenue", "Revenue (Sale Amount)"),
        OPT_IN: (OPT_IN, "Opt In Sms"),
        **{key: (key, f"Key {place}") for place, key in enumerate(_KEYS, 1)},
    },
    is_call=_is_call,
    finish=_finish,
)
"""
Transactions of calls. Where a file has several starts, the one that needs no zone is read.
"""
