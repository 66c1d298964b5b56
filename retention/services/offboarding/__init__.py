"""
A client leaves. What is its own is handed over, then everything is destroyed, and what was done is stated and signed.

Asked for by an officer with the extent shown, and begun once a second officer agrees. Where the agency has no second
one it begins after a day, of which everybody who manages the agency is told and may stop it; with numbers in the file
only by a second officer's word. A job writes the file, sealed; a link opens it until it was taken whole. Only then does
anything go, and no hold may be open then or at any step: ways in are closed, links show where the client is now, grants
end but the officers', rows leave by the same targets as in a run, batch by batch, and in the end the client's keys, so
that what copies still hold is noise. Each step may be repeated, and a worker that is killed goes on where it was.
"""

from retention.services.offboarding.asking import (
    KIND,
    ExtentChangedError,
    HeldError,
    NotNowError,
    agree,
    ask,
    begin_erasing,
    extent_of,
    has_other_officer,
    of_agency,
    of_client,
    open_holds,
    read_reason,
    stop,
    waits_for_second,
)
from retention.services.offboarding.links import NoFileError, door_of, moved_to, new_link, take
from retention.services.offboarding.removing import CONTEXT, statement_file
from retention.services.offboarding.working import work_off
