"""The verifier is one file that knows nothing of us: its signatures are Ed25519's."""

import ast
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tools import verify_bundle

TOOL = Path(verify_bundle.__file__)

# RFC 8032, 7.1: secret key, public key, message, signature.
VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24"
            "655141438e7a100b"
        ),
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aee"
            "b00d291612bb0c00"
        ),
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28d"
            "c027beceea1ec40a"
        ),
    ),
]


@pytest.mark.parametrize(("secret", "public", "message", "signature"), VECTORS)
def test_the_rfc_vectors_verify(secret: str, public: str, message: str, signature: str) -> None:
    key = verify_bundle.PublicKey(bytes.fromhex(public))

    assert key.verify(bytes.fromhex(message), bytes.fromhex(signature))
    made = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret)).sign(bytes.fromhex(message))
    assert made.hex() == signature


def test_it_judges_signatures_as_the_library_does() -> None:
    """Good ones, and ones with a bit flipped in message, key or signature."""
    chance = random.Random(8032)

    for _ in range(60):
        private = Ed25519PrivateKey.from_private_bytes(chance.randbytes(32))
        message = chance.randbytes(chance.randrange(200))
        parts = [private.public_key().public_bytes_raw(), message, private.sign(message)]
        if chance.random() < 0.7:
            which = chance.choice([0, 2] if not message else [0, 1, 2])
            damaged = bytearray(parts[which])
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
            parts[which] = bytes(damaged)
        assert ours(*parts) is theirs(*parts)


def test_signatures_out_of_range_are_refused() -> None:
    public, signature = bytes.fromhex(VECTORS[1][1]), bytes.fromhex(VECTORS[1][3])
    scalar = int.from_bytes(signature[32:], "little") + verify_bundle.ORDER
    key = verify_bundle.PublicKey(public)

    assert not key.verify(b"\x72", signature[:32] + scalar.to_bytes(32, "little"))
    assert not key.verify(b"\x72", signature[:63])
    with pytest.raises(ValueError, match="public key"):
        verify_bundle.PublicKey(b"\xff" * 32)
    with pytest.raises(ValueError, match="public key"):
        verify_bundle.PublicKey(b"\x01")


def ours(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        return verify_bundle.PublicKey(public).verify(message, signature)
    except ValueError:
        return False


def theirs(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def test_it_imports_nothing_but_the_standard_library() -> None:
    tree = ast.parse(TOOL.read_text())
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])

    assert names <= sys.stdlib_module_names


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "empty"),
        ('{"bundle": "something else"}\n', "not a callprivacy trail"),
        ("[1, 2", "Expecting"),
    ],
)
def test_what_is_no_bundle_ends_with_2(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "bundle.jsonl"
    path.write_text(content)

    done = run(path)

    assert done.returncode == 2
    assert words in done.stderr


def test_a_file_that_is_not_there_ends_with_2(tmp_path: Path) -> None:
    done = run(tmp_path / "nothing.jsonl")

    assert done.returncode == 2
    assert "Cannot verify" in done.stderr


def test_an_empty_trail_holds(tmp_path: Path) -> None:
    path = tmp_path / "bundle.jsonl"
    header = {"bundle": "callprivacy trail", "v": 1, "agency": 1, "exported_at": "", "keys": []}
    path.write_text(f"{json.dumps(header)}\n{json.dumps({'end': {'events': 0, 'seals': 0}})}\n")

    done = run(path)

    assert done.returncode == 0, done.stdout
    assert "0 findings" in done.stdout


def run(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", str(TOOL), str(path), *arguments], capture_output=True, text=True, check=False
    )
