"""
Room on Python's own stack, for what calls deeply.

The stack of a thread is made of pieces of 16 KiB, which are about forty of Django's frames. Where calls go back and
forth over the end of a piece, each of them takes a piece from the kernel and gives it back, thousands of times a
second, until CPython keeps one (https://github.com/python/cpython/issues/142183; Debian's 3.13.5 does not). A frame
that asks for more than a piece gets a larger one, and what it calls finds room in the rest.
"""

from collections.abc import Callable
from types import FunctionType
from typing import Any, Final, cast

_SLOTS: Final = 1 << 15
"""Eight bytes each, so that its piece has 512 KiB: half for nothing, and half for the frames that follow."""


def _call[**P, R](call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    return call(*args, **kwargs)


_roomy: Any = FunctionType(_call.__code__.replace(co_stacksize=_SLOTS), globals())


def with_room[**P, R](call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """
    Call something that may go deep.

    :returns: and :raises: what the call does.
    """
    return cast("R", _roomy(call, *args, **kwargs))
