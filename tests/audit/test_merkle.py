"""
The tree is RFC 9162's: its own example, Certificate Transparency's reference roots, and pymerkle; and what is given
out verifies proofs and growing as pymerkle does.
"""

import random
from collections.abc import Sequence
from itertools import pairwise

import pymerkle
import pytest

from callprivacy.audit import merkle
from callprivacy.audit.merkle import Frontier, Tail
from tests.scale import tell, times
from tools import verify_bundle
from tools.verify_evidence import included

# Leaves and roots of Certificate Transparency's reference implementation.
ENTRIES = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def hashes(count: int) -> list[bytes]:
    return [merkle.leaf_hash(b"entry %d" % number) for number in range(count)]


def test_roots_are_the_reference_implementations() -> None:
    leaves = [merkle.leaf_hash(entry) for entry in ENTRIES]

    assert [merkle.root(leaves[:size]).hex() for size in range(1, 9)] == ROOTS


def test_no_entry_has_the_hash_of_nothing() -> None:
    assert merkle.root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def grown(leaves: Sequence[bytes]) -> Frontier:
    frontier = Frontier()
    frontier.extend(leaves)
    return frontier


def path_of(index: int, leaves: Sequence[bytes], *, before: int = 0) -> list[bytes]:
    """By those leaves alone that come after so many; of the others only what is remembered to append to them."""
    return Tail(grown(leaves[:before]), leaves[before:]).path(index)


def test_proofs_are_those_of_the_rfc_example() -> None:
    """RFC 9162, 2.1.5: seven leaves, nodes named as in its figure."""
    leaves = hashes(7)
    a, b, c, d, e, f = leaves[:6]
    j = leaves[6]
    g, h, i = (merkle.node_hash(*pair) for pair in ((a, b), (c, d), (e, f)))
    k = merkle.node_hash(g, h)
    last = merkle.node_hash(i, j)

    assert path_of(0, leaves) == [b, h, last]
    assert path_of(3, leaves) == [c, g, last]
    assert path_of(4, leaves) == [f, j, k]
    assert path_of(6, leaves) == [i, k]
    assert path_of(6, leaves, before=5) == [i, k]
    assert merkle.root(leaves) == merkle.node_hash(k, last)


@pytest.mark.thorough
def test_a_thousand_sizes_agree_with_pymerkle() -> None:
    """
    The log grows one by one to a thousand; compared is each of them in `make assure`, here each to the 130th, those
    about the powers of two, and every ninth.
    """
    about_powers = {2**bit + beside for bit in range(7, 10) for beside in (-1, 0, 1)}
    compared = {*range(1, times(131, 1001)), *about_powers, *range(1, 1001, 9), 1000}
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    frontier = Frontier()
    leaves = hashes(1000)
    chance = random.Random(9162)

    for size in range(1, 1001):
        tree.append_entry(b"entry %d" % (size - 1))
        frontier.append(leaves[size - 1])
        if size not in compared:
            continue
        root = tree.get_root()
        assert frontier.root() == root
        assert Frontier.load(size, frontier.dump()) == frontier
        for index in {0, size - 1, chance.randrange(size), chance.randrange(size)}:
            ours = path_of(index, leaves[:size], before=chance.randint(0, index))
            assert ours == _by_pymerkle(tree, index, size, leaves)
            assert included(leaves[index], index, size, ours, root)


def test_every_proof_is_pymerkles() -> None:
    """
    Each index of each size to the 40th here; in `make assure` to the 300th, every 50th further, and the 1,000th: by
    the whole log and, as a seal has it, by its last part alone.
    """
    tree, leaves, proofs = _theirs(1000), hashes(1000), 0
    chance = random.Random(2113)
    for size in [*range(1, times(40, 300) + 1), *times([], [*range(350, 1001, 50)])]:
        root = tree.get_root(size)
        whole = Tail(Frontier(), leaves[:size])
        before = chance.randrange(size)
        tail = Tail(grown(leaves[:before]), leaves[before:size])
        for index in range(size):
            theirs = _by_pymerkle(tree, index, size, leaves)
            assert whole.path(index) == theirs
            assert index < before or tail.path(index) == theirs
            assert included(leaves[index], index, size, theirs, root)
        proofs += size
    tell(proofs, "proofs of inclusion equal pymerkle's", trials=False)


def test_every_log_grows_into_a_longer_one_as_pymerkles_does() -> None:
    """
    Each two sizes to the 40th here, to the 150th in `make assure`; there also every 50th to the 1,000th with forty
    older ones each: by what seals the trail, and by the file that checks it elsewhere.
    """
    tree, leaves, pairs = _theirs(1000), hashes(1000), 0
    kept = {size: grown(leaves[:size]).dump() for size in range(1, 1001)}
    for size in [*range(2, times(40, 150) + 1), *times([], [*range(200, 1001, 50)])]:
        root = tree.get_root(size)
        for old in range(1, size, 1 if size <= 150 else size // 40):
            pymerkle.verify_consistency(tree.get_root(old), root, tree.prove_consistency(old, size))
            ours = Frontier.load(old, kept[old])
            assert ours.root() == tree.get_root(old)
            _, theirs = verify_bundle.grow(old, ours.peaks, leaves[old:size])
            ours.extend(leaves[old:size])
            assert (ours.root(), ours.dump()) == (root, kept[size])
            assert verify_bundle.root_of(theirs) == root
            pairs += 1
    tell(pairs, "logs that grow as pymerkle's do", trials=False)


def _theirs(count: int) -> pymerkle.InmemoryTree:
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for number in range(count):
        tree.append_entry(b"entry %d" % number)
    return tree


def _by_pymerkle(tree: pymerkle.InmemoryTree, index: int, size: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Its proof, which begins with the entry itself, as the RFC writes it."""
    return [step for step in tree.prove_inclusion(index + 1, size).path if step != leaves[index]]


def test_every_proof_of_small_logs_verifies_at_its_place_alone() -> None:
    leaves = hashes(33)

    for size in range(1, 34):
        root = merkle.root(leaves[:size])
        for index in range(size):
            proof = path_of(index, leaves[:size])
            for other in range(size):
                assert included(leaves[index], other, size, proof, root) is (other == index)


def test_a_flipped_bit_is_never_accepted() -> None:
    chance = random.Random(1)
    leaves = hashes(200)

    def flipped(digest: bytes) -> bytes:
        damaged, bit = bytearray(digest), chance.randrange(256)
        damaged[bit // 8] ^= 1 << bit % 8
        return bytes(damaged)

    for _ in range(times(500, 20_000)):
        size = chance.randint(2, 200)
        index, old = chance.randrange(size), chance.randint(1, size - 1)
        root = merkle.root(leaves[:size])
        proof = path_of(index, leaves[:size])
        step = chance.randrange(len(proof))
        proof[step] = flipped(proof[step])
        assert not included(leaves[index], index, size, proof, root)
        peaks = grown(leaves[:old]).peaks
        peak = chance.randrange(len(peaks))
        peaks[peak] = flipped(peaks[peak])
        assert verify_bundle.root_of(verify_bundle.grow(old, peaks, leaves[old:size])[1]) != root
    tell(2 * times(500, 20_000), "forged proofs and beginnings refused")


def test_a_proof_of_another_length_is_false() -> None:
    leaves = hashes(8)
    root = merkle.root(leaves)
    proof = path_of(2, leaves)

    assert included(leaves[2], 2, 8, proof, root)
    assert not included(leaves[2], 2, 8, proof[:-1], root)
    assert not included(leaves[2], 2, 8, [*proof, proof[0]], root)
    assert not included(leaves[2], 8, 8, proof, root)
    assert not included(leaves[2], -1, 8, proof, root)


def test_what_cannot_be_proved_is_refused() -> None:
    for index in (3, -1):
        with pytest.raises(IndexError):
            path_of(index, hashes(3))
    with pytest.raises(IndexError):
        path_of(1, hashes(3), before=2)
    with pytest.raises(ValueError, match="peaks"):
        Frontier.load(3, bytes(32))


def test_roots_of_growing_logs_all_differ() -> None:
    roots = [merkle.root(hashes(size)) for size in range(20)]

    assert all(one != two for one, two in pairwise(roots))
