"""
Deeds on keys. Every function names the client it works for, runs in its own transaction on the vault, and
hands out keys that are dropped with the caller's scope.
"""

from callprivacy.vault.services.callers import (
    CallerGoneError,
    Erasure,
    destroy_evidence,
    ensure_callers,
    erase_callers,
    erasing_callers,
    hold_callers,
    holding_callers,
    renew_evidence,
)
from callprivacy.vault.services.folders import (
    note_first_mark,
    note_mark,
)
from callprivacy.vault.services.issuing import (
    Issued,
    issue_keys,
)
from callprivacy.vault.services.keys import (
    create_client_keys,
    destroy_client,
    has_older_masters,
    master_fingerprint,
)
from callprivacy.vault.services.noes import (
    No,
    end_suppressions,
    lift_suppressions,
    lift_suppressions_of,
    suppress,
    suppress_callers,
    suppress_each,
)
from callprivacy.vault.services.recordings import (
    create_recording_keys,
    day_key,
    destroy_purpose_key,
    destroy_recording_keys,
    purpose_key,
    purpose_token_key,
)
from callprivacy.vault.services.registers import (
    list_numbers,
    unlist_numbers,
)
from callprivacy.vault.services.rotation import (
    retire_generations,
    rewrap_client,
    rewrap_client_whole,
    rewrap_master,
    start_generation,
)
from callprivacy.vault.services.tokens import (
    retoken_client,
    settle_tokens,
    start_token_key,
)
from callprivacy.vault.services.tombs import (
    advance_watermark,
    entomb_calls,
    expire_tombstones,
    note_pulse,
)
