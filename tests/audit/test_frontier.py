"""A frontier that is stored and read again goes on as if it had never been."""

import pytest

from callprivacy.audit.merkle import HASH_SIZE, Frontier

LEAVES = [bytes([number]) * HASH_SIZE for number in range(9)]


@pytest.mark.parametrize("size", range(len(LEAVES)))
def test_one_of_any_size_goes_on(size: int) -> None:
    whole, first = Frontier(), Frontier()
    whole.extend(LEAVES)
    first.extend(LEAVES[:size])
    again = Frontier.load(first.size, b"".join(first.peaks))
    assert (again.size, again.root()) == (first.size, first.root())
    again.extend(LEAVES[size:])
    assert (again.size, again.root()) == (whole.size, whole.root())


@pytest.mark.parametrize(("size", "peaks"), [(-1, 1), (0, 1), (1, 0), (2, 2), (3, 1)])
def test_peaks_that_do_not_fit_a_size_are_none(size: int, peaks: int) -> None:
    with pytest.raises(ValueError, match="do not fit a log of"):
        Frontier.load(size, bytes(peaks * HASH_SIZE))
