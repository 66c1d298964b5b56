"""
Proving who asks: a code on the phone, two facts of a call, a signed declaration, and what shows a right to ask for
somebody else.

A code shows who holds a number today. So what shows calls needs two facts as well, and what is older than twelve
months, or from before the number is known to have changed hands, waits for a person. Each identity is proven on its
own. Nobody who asks learns from an answer whether a number, a day or a business is known here.
"""

from consent.services.codes import WrongCodeError
from rights.services.proofs.coding import NotOfThisRequestError, can_send, fresh_proof, prove_phone, send_code
from rights.services.proofs.judging import (
    NoPaperError,
    NothingOlderError,
    SettledError,
    judge,
    name_caller,
    open_paper,
    show_older,
)
from rights.services.proofs.saying import (
    PERMISSION_AT_MOST,
    declare,
    fits_call,
    hand_in,
    note_checked,
    say_facts,
)
from rights.services.proofs.settling import (
    Steps,
    coded_ids,
    handed_in_at,
    mask_of,
    needs,
    scope_of,
    submission_of,
    unchecked_facts,
)
