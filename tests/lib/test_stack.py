"""Whoever calls deeply inside takes no piece of the stack from the kernel."""

import os
import threading
from collections.abc import Callable

import pytest

from callprivacy.lib.stack import with_room


def _pages_at_each_depth(statm: int, depth: int) -> set[bytes]:
    """How much memory this process has been given, as seen from each of so many frames."""
    below = _pages_at_each_depth(statm, depth - 1) if depth else set()
    return below | {os.pread(statm, 20, 0).split()[0]}


def _in_a_new_thread(call: Callable[..., set[bytes]], *args: object) -> set[bytes]:
    """With a stack of its own, which begins with its first piece."""
    found: list[set[bytes]] = []
    thread = threading.Thread(target=lambda: found.append(call(*args)))
    thread.start()
    thread.join()
    return found[0]


def test_calls_take_pieces_and_in_a_room_none() -> None:
    statm = os.open("/proc/self/statm", os.O_RDONLY)
    try:
        taken = _in_a_new_thread(_pages_at_each_depth, statm, 400)
        with_a_room = _in_a_new_thread(with_room, _pages_at_each_depth, statm, 400)
    finally:
        os.close(statm)

    assert len(taken) > 3
    assert len(with_a_room) <= 2, "an arena of objects may be new, the stack grows by none"


def test_what_is_called_gets_its_arguments_and_says_what_it_says() -> None:
    assert with_room(dict, [("a", 1)], b=2) == {"a": 1, "b": 2}
    with pytest.raises(KeyError, match="'c'"):
        with_room(dict[str, int]().__getitem__, "c")
