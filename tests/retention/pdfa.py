"""
What ISO 19005-3 (PDF/A-3, level B) asks of a file like ours, looked for in its bytes.

No validator of the standard is at hand where the suite runs. This one knows the part of it that files of text, fonts
and one attachment can break: structure, colour, fonts, metadata, attachments, and what is forbidden.
"""

import re
import zlib
from xml.etree import ElementTree as ET

_OBJECT = re.compile(rb"(?:^|\n)(\d+) 0 obj\n(.*?)\nendobj", re.DOTALL)
_STREAM = re.compile(rb"\nstream\n(.*)\nendstream\Z", re.DOTALL)
_FORBIDDEN = (
    b"/Encrypt", b"/JavaScript", b"/JS", b"/Launch", b"/LZWDecode", b"/Movie", b"/Sound", b"/RichMedia", b"/3D",
    b"/XFA", b"/AA", b"/ImportData", b"/ResetForm", b"/SubmitForm", b"/Alternates", b"/OPI", b"/PS", b"/TR",
)  # fmt: skip
_PDFAID = "{http://www.aiim.org/pdfa/ns/id/}"
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_DC = "{http://purl.org/dc/elements/1.1/}"


def faults(pdf: bytes) -> list[str]:
    """What in a file is not as PDF/A-3B has it."""
    found = _structure(pdf)
    objects = {int(number): body for number, body in _OBJECT.findall(pdf)}
    heads = {number: body.partition(b"\nstream\n")[0] for number, body in objects.items()}
    found += [
        f"{name.decode()} is forbidden" for name in _FORBIDDEN for head in heads.values() if _has(head, name)
    ]
    found += _streams(objects) + _fonts(heads) + _colours(objects, heads) + _attachments(heads)
    return found + _metadata(objects, heads)


def _has(head: bytes, name: bytes) -> bool:
    return re.search(re.escape(name) + rb"[\s/<\[(>]", head) is not None


def _structure(pdf: bytes) -> list[str]:
    found = []
    first, second = pdf.split(b"\n", 2)[:2]
    if not re.fullmatch(rb"%PDF-1\.[0-7]", first):
        found.append("the first line names no version up to 1.7")
    if not (second[:1] == b"%" and len(second) >= 5 and all(byte > 127 for byte in second[1:5])):
        found.append("no four bytes above 127 stand in a comment below the first line")
    if not pdf.rstrip(b"\r\n").endswith(b"%%EOF") or len(pdf) - len(pdf.rstrip(b"\r\n")) > 2:
        found.append("something follows the last end of file")
    trailer = pdf[pdf.rindex(b"trailer") :]
    if not re.search(rb"/ID \[<[0-9A-F]+><[0-9A-F]+>\]", trailer):
        found.append("the trailer has no ID")
    at = int(trailer[trailer.rindex(b"startxref\n") + 10 :].split(b"\n", 1)[0])
    table = re.match(rb"xref\n0 (\d+)\n((?:\d{10} \d{5} [nf][ \r]\n)+)", pdf[at:])
    if table is None:
        return [*found, "there is no table of references where it is said to be"]
    rows = table[2].splitlines()
    if len(rows) != int(table[1]):
        found.append("the table of references is shorter than it says")
    for number, row in enumerate(rows[1:], start=1):
        if not pdf[int(row[:10]) :].startswith(b"%d 0 obj\n" % number):
            found.append(f"object {number} is not where the table says")
    return found


def _streams(objects: dict[int, bytes]) -> list[str]:
    found = []
    for number, body in objects.items():
        match = _STREAM.search(body)
        length = re.search(rb"/Length (\d+)\n", body)
        if match is not None and (length is None or int(length[1]) != len(match[1])):
            found.append(f"stream {number} is not as long as it says")
    return found


def _content(body: bytes) -> bytes:
    match = _STREAM.search(body)
    assert match is not None
    return zlib.decompress(match[1]) if b"/FlateDecode" in body.partition(b"\nstream\n")[0] else match[1]


def _fonts(heads: dict[int, bytes]) -> list[str]:
    found = []
    for number, head in heads.items():
        if b"/Type /FontDescriptor" in head and not re.search(rb"/FontFile[23]? \d+ 0 R", head):
            found.append(f"font {number} is not embedded")
        if b"/Subtype /Type0" in head and b"/ToUnicode" not in head:
            found.append(f"font {number} does not say which characters it shows")
        if re.search(rb"/Subtype /(Type1|TrueType|Type3)\b", head):
            found.append(f"font {number} is of a kind that may not be embedded whole")
        if b"/Subtype /CIDFontType2" in head and b"/CIDToGIDMap" not in head:
            found.append(f"font {number} has no map from its codes to its shapes")
    return found


def _colours(objects: dict[int, bytes], heads: dict[int, bytes]) -> list[str]:
    catalog = next(head for head in heads.values() if b"/Type /Catalog" in head)
    profile = re.search(rb"/DestOutputProfile (\d+) 0 R", catalog)
    if b"/S /GTS_PDFA1" not in catalog or profile is None:
        return ["no output intent says what colours mean"]
    data, found = _content(objects[int(profile[1])]), []
    if data[36:40] != b"acsp" or data[16:20] != b"RGB ":
        found.append("the profile of the output intent is no ICC profile of RGB")
    pages = [number for number, head in heads.items() if re.search(rb"/Type /Page\n", head)]
    for number in pages:
        contents = re.search(rb"/Contents (\d+) 0 R", heads[number])
        if contents and re.search(rb"(?:\d )[kK]\n", _content(objects[int(contents[1])])):
            found.append("a page draws in CMYK, of which the output intent says nothing")
    return found if pages else [*found, "there is no page"]


def _attachments(heads: dict[int, bytes]) -> list[str]:
    found = []
    catalog = next(head for head in heads.values() if b"/Type /Catalog" in head)
    for number, head in heads.items():
        if b"/Type /Filespec" in head:
            missing = [
                key for key in (b"/F (", b"/UF (", b"/AFRelationship /", b"/EF <</F ") if key not in head
            ]
            found += [f"attachment {number} has no {key.decode()}" for key in missing]
            if b"/AF [" not in catalog or b"%d 0 R" % number not in catalog:
                found.append(f"attachment {number} belongs to nothing")
        if b"/Type /EmbeddedFile" in head and not (
            re.search(rb"/Subtype /\w+#2F[\w.+-]+", head) and re.search(rb"/ModDate \(D:\d{14}", head)
        ):
            found.append(f"attached file {number} has no type or no date")
    return found


def _metadata(objects: dict[int, bytes], heads: dict[int, bytes]) -> list[str]:
    catalog = next(head for head in heads.values() if b"/Type /Catalog" in head)
    named = re.search(rb"/Metadata (\d+) 0 R", catalog)
    if named is None or b"/Filter" in heads[int(named[1])]:
        return ["the metadata are missing, or not in the clear"]
    packet = _content(objects[int(named[1])])
    found = []
    if not (packet.lstrip().startswith(b"<?xpacket begin=") and b"<?xpacket end=" in packet):
        found.append("the metadata are no packet of XMP")
    if re.search(rb"<\?xpacket[^>]*(?:bytes|encoding)=", packet):
        found.append("the packet names bytes or encoding")
    root = ET.fromstring(packet)  # noqa: S314  (our own file)
    about = root.find(f".//{_RDF}Description")
    assert about is not None
    said = [
        about.findtext(f"{_PDFAID}{name}") or about.get(f"{_PDFAID}{name}")
        for name in ("part", "conformance")
    ]
    if said != ["3", "B"]:
        found.append(f"the metadata say {said}")
    if about.find(f"{_DC}title/{_RDF}Alt/{_RDF}li") is None:
        found.append("the metadata name no title")
    return found
