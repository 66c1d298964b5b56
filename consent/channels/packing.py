"""
A pack of files in one zip of which every byte is vouched for: a signed manifest names each file and its digest, and the
zip around them has one form only. docs/evidence.md is the specification; `tools/verify_evidence.py` checks it.
"""

import hashlib
import io
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, Final

from callprivacy.audit.leaves import canonical_document

VERSION: Final = 1
NAME: Final = "callprivacy evidence"
CONTEXT: Final = b"callprivacy evidence 1\n"
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
# A comment before the table of references of a PDF, whose place nothing else of the file depends on.
_MARK: Final = b"%callprivacy-signature "
_BLANK: Final = b"0" * 128


def pack(
    files: Mapping[str, bytes],
    *,
    pack_id: str,
    made_at: str,
    key_id: str,
    sign: Callable[[bytes], bytes],
) -> bytes:
    """Return the zip of these files, in their order, with its manifest and the manifest's signature."""
    manifest = canonical_document(
        {
            "pack": NAME,
            "v": VERSION,
            "id": pack_id,
            "made_at": made_at,
            "key": key_id,
            "files": [
                {"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
                for name, data in files.items()
            ],
        }
    )
    signature = sign(CONTEXT + manifest).hex().encode()
    return zipped({**files, MANIFEST: manifest, SIGNATURE: signature})


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip without compression, dates or comments: the same files give the same bytes everywhere."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.create_system = 3
            entry.external_attr = 0o600 << 16
            archive.writestr(entry, data)
    return out.getvalue()


def sealed_file(statement: Mapping[str, Any], *, signature: str, public: str) -> bytes:
    """
    The file for programs: statement, signature and public key, in one form.

    :param signature: and :param public: in hex.
    """
    return canonical_document({"statement": statement, "signature": signature, "public": public}) + b"\n"


def sign_pdf(drawn: bytes, *, context: bytes, public: str, sign: Callable[[bytes], bytes]) -> bytes:
    """
    The same PDF with a signature of its own over every byte, in a comment line before its table of references.

    :param context: a line that says what is signed. :param public: the key, in hex, that `sign` signs by.
    """
    body, table = drawn[: drawn.rindex(b"\nxref\n") + 1], drawn[drawn.rindex(b"\nxref\n") + 1 :]
    start = table.rindex(b"startxref\n") + len(b"startxref\n")
    mark = _MARK + public.encode() + b" "
    line = mark + _BLANK + b"\n"
    offset = str(len(body) + len(line)).encode()
    end = table[table.index(b"\n", start) :]
    blank = body + line + table[:start] + offset + end
    signature = sign(context + blank).hex().encode()
    return blank.replace(mark + _BLANK, mark + signature)
