"""The tree is RFC 9162's: its own example, Certificate Transparency's reference roots, and pymerkle."""

from __future__ import annotations

import random
from functools import reduce
from itertools import pairwise

import pymerkle
import pytest

from callprivacy.audit import merkle
from tests.scale import tell, times

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


def test_proofs_are_those_of_the_rfc_example() -> None:
    """RFC 9162, 2.1.5: seven leaves, nodes named as in its figure."""
    leaves = hashes(7)
    a, b, c, d, e, f = leaves[:6]
    j = leaves[6]
    g, h, i = (merkle.node_hash(*pair) for pair in ((a, b), (c, d), (e, f)))
    k = merkle.node_hash(g, h)
    last = merkle.node_hash(i, j)

    assert merkle.inclusion_proof(0, leaves) == [b, h, last]
    assert merkle.inclusion_proof(3, leaves) == [c, g, last]
    assert merkle.inclusion_proof(4, leaves) == [f, j, k]
    assert merkle.inclusion_proof(6, leaves) == [i, k]
    assert merkle.consistency_proof(3, leaves) == [c, d, g, last]
    assert merkle.consistency_proof(4, leaves) == [last]
    assert merkle.consistency_proof(6, leaves) == [i, j, k]
    assert merkle.root(leaves) == merkle.node_hash(k, last)


def test_a_thousand_sizes_agree_with_pymerkle() -> None:
    """
    The log grows one by one to a thousand; compared is each of them in `make assure`, here each to the 130th, those
    about the powers of two, and every ninth.
    """
    about_powers = {2**bit + beside for bit in range(7, 10) for beside in (-1, 0, 1)}
    compared = {*range(1, times(131, 1001)), *about_powers, *range(1, 1001, 9), 1000}
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    frontier = merkle.Frontier()
    leaves = hashes(1000)
    chance = random.Random(9162)

    for size in range(1, 1001):
        tree.append_entry(b"entry %d" % (size - 1))
        frontier.append(leaves[size - 1])
        if size not in compared:
            continue
        root = tree.get_root()
        assert frontier.root() == root
        assert merkle.Frontier.load(size, frontier.dump()) == frontier
        for index in {0, size - 1, chance.randrange(size), chance.randrange(size)}:
            theirs = tree.prove_inclusion(index + 1, size).path
            ours = merkle.inclusion_proof(index, leaves[:size])
            assert ours == [step for step in theirs if step != leaves[index]]
            assert merkle.verify_inclusion(leaves[index], index, size, ours, root)
        for old in {1, size, chance.randint(1, size)}:
            proof = merkle.consistency_proof(old, leaves[:size])
            assert merkle.verify_consistency(old, tree.get_root(old), size, root, proof)


def test_every_inclusion_proof_is_pymerkles() -> None:
    """Each index of each size to the 40th here; in `make assure` to the 300th, every 50th further, and the 1,000th."""
    tree, leaves, proofs = _theirs(1000), hashes(1000), 0
    for size in [*range(1, times(40, 300) + 1), *times([], [*range(350, 1001, 50)])]:
        root = tree.get_root(size)
        for index in range(size):
            ours = merkle.inclusion_proof(index, leaves[:size])
            assert ours == [
                step for step in tree.prove_inclusion(index + 1, size).path if step != leaves[index]
            ]
            assert merkle.verify_inclusion(leaves[index], index, size, ours, root)
        proofs += size
    tell(proofs, "proofs of inclusion equal pymerkle's", trials=False)


def test_every_consistency_proof_is_pymerkles() -> None:
    """
    Each two sizes to the 40th here, to the 150th in `make assure`; there also every 50th to the 1,000th with forty
    older ones each. A log is the beginning of itself by a proof of nothing, which is not compared.
    """
    tree, leaves, proofs = _theirs(1000), hashes(1000), 0
    for size in [*range(2, times(40, 150) + 1), *times([], [*range(200, 1001, 50)])]:
        root = tree.get_root(size)
        for old in range(1, size, 1 if size <= 150 else size // 40):
            proof = merkle.consistency_proof(old, leaves[:size])
            theirs = tree.prove_consistency(old, size)
            pymerkle.verify_consistency(tree.get_root(old), root, theirs)
            assert proof == _as_the_rfc_writes_it(tree, theirs, tree.get_root(old))
            assert merkle.verify_consistency(old, tree.get_root(old), size, root, proof)
            proofs += 1
    tell(proofs, "proofs of consistency equal pymerkle's", trials=False)


def _theirs(count: int) -> pymerkle.InmemoryTree:
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for number in range(count):
        tree.append_entry(b"entry %d" % number)
    return tree


def _as_the_rfc_writes_it(
    tree: pymerkle.InmemoryTree, theirs: pymerkle.ConsistencyProof, old_root: bytes
) -> list[bytes]:
    """
    The same proof by RFC 9162, 2.1.4.1, put together by pymerkle's own hash of two.

    pymerkle names the older log's root, which the RFC leaves out; and where the older log ends between two
    subtrees, it names the first new leaf with what leads from it to the root of the subtree that the RFC names.
    """
    path = list(theirs.path)
    if not theirs.subset[0]:
        first_old = theirs.subset.index(1)
        whole = reduce(tree.hash_pair, path[:first_old])
        path = [path[first_old], whole, *path[first_old + 1 :]]
    return [step for step in path if step != old_root]


def test_every_proof_of_small_logs_verifies_and_no_other_does() -> None:
    leaves = hashes(33)
    roots = [merkle.root(leaves[:size]) for size in range(34)]

    for size in range(1, 34):
        for index in range(size):
            proof = merkle.inclusion_proof(index, leaves[:size])
            for other in range(size):
                assert merkle.verify_inclusion(leaves[index], other, size, proof, roots[size]) is (
                    other == index
                )
        for old in range(1, size + 1):
            proof = merkle.consistency_proof(old, leaves[:size])
            for other in range(1, 34):
                holds = merkle.verify_consistency(old, roots[old], size, roots[other], proof)
                assert holds is (other == size)


def test_a_flipped_bit_is_never_accepted() -> None:
    chance = random.Random(1)
    leaves = hashes(200)

    for _ in range(times(500, 20_000)):
        size = chance.randint(2, 200)
        index, old = chance.randrange(size), chance.randint(1, size - 1)
        root = merkle.root(leaves[:size])
        inclusion = merkle.inclusion_proof(index, leaves[:size])
        consistency = merkle.consistency_proof(old, leaves[:size])
        for proof in (inclusion, consistency):
            step = chance.randrange(len(proof))
            bit = chance.randrange(256)
            damaged = bytearray(proof[step])
            damaged[bit // 8] ^= 1 << bit % 8
            proof[step] = bytes(damaged)
        assert not merkle.verify_inclusion(leaves[index], index, size, inclusion, root)
        assert not merkle.verify_consistency(old, merkle.root(leaves[:old]), size, root, consistency)
    tell(2 * times(500, 20_000), "forged proofs refused")


def test_a_proof_of_another_length_is_false() -> None:
    leaves = hashes(8)
    root = merkle.root(leaves)
    proof = merkle.inclusion_proof(2, leaves)

    assert not merkle.verify_inclusion(leaves[2], 2, 8, proof[:-1], root)
    assert not merkle.verify_inclusion(leaves[2], 2, 8, [*proof, proof[0]], root)
    assert not merkle.verify_inclusion(leaves[2], 8, 8, proof, root)
    assert not merkle.verify_consistency(0, merkle.EMPTY_ROOT, 8, root, [])
    assert not merkle.verify_consistency(3, merkle.root(leaves[:3]), 8, root, [])
    assert not merkle.verify_consistency(8, root, 8, root, [root])
    long = [*merkle.consistency_proof(3, leaves), root]
    assert not merkle.verify_consistency(3, merkle.root(leaves[:3]), 8, root, long)


def test_what_cannot_be_proved_is_refused() -> None:
    with pytest.raises(IndexError):
        merkle.inclusion_proof(3, hashes(3))
    with pytest.raises(ValueError, match="begins"):
        merkle.consistency_proof(4, hashes(3))
    with pytest.raises(ValueError, match="peaks"):
        merkle.Frontier.load(3, bytes(32))


def test_roots_of_growing_logs_all_differ() -> None:
    roots = [merkle.root(hashes(size)) for size in range(20)]

    assert all(one != two for one, two in pairwise(roots))
