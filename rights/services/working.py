"""The worker's table: which deed carries out which step."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from billiard.exceptions import SoftTimeLimitExceeded

from callprivacy.lib.logs import logger
from rights.enums import StepKind
from rights.models import Step
from rights.services import erasing, packages, passing, restricting, rests, steps, stopping

log = logger(__name__)

type Clock = Callable[[], datetime]


def _suppress(step: Step, clock: Clock) -> None:
    stopping.carry_out(step=step, at=clock())


def _erase(step: Step, clock: Clock) -> None:
    erasing.carry_out(step=step, clock=clock)


def _erase_rest(step: Step, clock: Clock) -> None:
    rests.carry_out(step=step, clock=clock)


def _pack(step: Step, clock: Clock) -> None:
    packages.carry_out(step=step, clock=clock)


def _pass_on(step: Step, clock: Clock) -> None:
    passing.carry_out(step=step, clock=clock)


def _restrict(step: Step, clock: Clock) -> None:
    restricting.carry_out(step=step, clock=clock)


def _lift(step: Step, clock: Clock) -> None:
    restricting.carry_out_end(step=step, clock=clock)


def _correct(step: Step, clock: Clock) -> None:
    restricting.correct(step=step, clock=clock)


_DEEDS: Final[dict[StepKind, Callable[[Step, Clock], None]]] = {
    StepKind.SUPPRESS: _suppress,
    StepKind.OBJECT: _suppress,
    StepKind.ERASE: _erase,
    StepKind.REST: _erase_rest,
    StepKind.PACK: _pack,
    StepKind.RESTRICT: _restrict,
    StepKind.LIFT: _lift,
    StepKind.CORRECT: _correct,
    StepKind.PASS_ON: _pass_on,
}


def work_next(*, agency_id: int, clock: Clock) -> bool:
    """Carry out the next step of an agency that is due; returns whether there was one. Called outside any scope."""
    step = steps.claim(agency_id=agency_id, at=clock())
    if step is None:
        return False
    try:
        _DEEDS[StepKind(step.kind)](step, clock)
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:  # noqa: BLE001  (whatever it is, the step comes back and a person is told)
        log.error("request.step_failed", step=step.kind, error=type(error).__name__)  # noqa: TRY400  (no values)
        steps.fail(step=step, error=error, at=clock())
    return True
