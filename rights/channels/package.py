"""
The files of a package: everything about a person as JSON, as tables, and to read. Pure: it is handed what it writes.

docs/package.md describes `data.json`, form `SCHEMA`. The page to read is one HTML file without anything from outside;
the PDF holds the particulars of article 15 and the counts, and names the files that hold the rest.
"""

import csv
import html
import io
import json
import wave
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from callprivacy.lib.cells import plain_cell
from consent.channels.sheet import Sheet

SCHEMA: Final = "callprivacy.package/1"
DATA, PAGE, PDF, README = "data.json", "index.html", "particulars.pdf", "README.txt"

CALLS: Final = (
    "client", "id", "started_at", "direction", "outcome", "seconds", "number_called", "source", "campaign", "medium",
    "landing_page", "keyword", "country", "region", "first_call", "qualified", "value", "tags", "recording",
    "transcript",
)  # fmt: skip
CONSENTS: Final = (
    "client", "id", "happened_at", "purpose", "kind", "basis", "channel", "strength", "recorded_by",
)  # fmt: skip
_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#142126}"
    "h1{font-size:1.6rem}h2{margin-top:2.5rem;border-bottom:1px solid #cdd5d7}table{border-collapse:collapse;"
    "width:100%;font-size:.85rem}th,td{text-align:left;padding:.3rem .5rem;border-bottom:1px solid #e3e8e9;"
    "vertical-align:top}dt{font-weight:600;margin-top:.6rem}.wide{overflow-x:auto}"
    "@media(prefers-color-scheme:dark){body{background:#10181b;color:#e7eeef}th,td{border-color:#2b383c}}"
)


def data_json(package: Mapping[str, Any]) -> bytes:
    """Everything, for programs."""
    return json.dumps(package, ensure_ascii=False, indent=1).encode()


def table(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Rows as CSV for spreadsheets: a byte order mark, every cell quoted, and none taken for a formula."""
    out = io.StringIO()
    out.write("\ufeff")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(column)) for column in columns])
    return out.getvalue().encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    elif isinstance(value, Mapping):
        value = value.get("what", "")
    return plain_cell(" ".join(str(value).split()))


def calls_of(package: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every call, with the company's name."""
    for one in package["companies"]:
        for call in one["calls"]:
            yield {"client": one["name"], **call}


def consents_of(package: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Everything that was said about consent, with the company's name."""
    for one in package["companies"]:
        for event in one["consents"]:
            yield {"client": one["name"], **event}


def readme(package: Mapping[str, Any]) -> bytes:
    return "\n".join(
        [
            f"Your request {package['reference']}",
            "",
            f"{PAGE}       to read: everything that is held about you",
            f"{PDF}  who holds it, why, for how long, and your rights",
            f"{DATA}        the same for programs ({SCHEMA})",
            "calls.csv        your calls, for a spreadsheet",
            "consents.csv     what you agreed to and refused",
            "recordings/      recordings that could be given to you",
            "",
            "Whoever opens these files reads about you. Keep them where only you can.",
            "",
        ]
    ).encode()


# --- To read ------------------------------------------------------------------------------------------------------


def page(package: Mapping[str, Any]) -> bytes:
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>Your data, request {_h(package['reference'])}</title><style>{_STYLE}</style></head><body>",
        f"<h1>What is held about you</h1><p>Request {_h(package['reference'])}, made on {_h(package['made_at'])}. ",
        f"{_h(package['about'])}</p>",
    ]
    for one in package["companies"]:
        parts += _company(one)
    if not package["companies"]:
        parts.append("<p>Nothing is held about the number or numbers that you have proven to be yours.</p>")
    if package["left_out"]:
        parts.append("<h2>What is not in it, and why</h2><ul>")
        parts += [f"<li>{_h(line)}</li>" for line in package["left_out"]]
        parts.append("</ul>")
    parts.append("</body></html>")
    return "".join(parts).encode()


def _company(one: Mapping[str, Any]) -> list[str]:
    about = one["particulars"]
    parts = [f"<h2>{_h(one['legal_name'])}</h2><dl>"]
    for title, lines in _particulars(about):
        parts.append(f"<dt>{_h(title)}</dt>")
        parts += [f"<dd>{_h(line)}</dd>" for line in lines]
    parts.append("</dl>")
    parts += _rows("Calls", CALLS[2:], one["calls"])
    parts += _rows("Consents and refusals", CONSENTS[2:], one["consents"])
    words = [call for call in one["calls"] if call.get("words")]
    for call in words:
        parts.append(f"<h3>What was said on {_h(call['started_at'])}</h3><p>{_h(call['words'])}</p>")
    for message in one["messages"]:
        parts.append(
            f"<h3>{_h(message['kind'])}, {_h(message['at'])}</h3><p>{_h(message.get('text') or '')}</p>"
        )
    return parts


def _rows(title: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return []
    head = "".join(f"<th>{_h(column.replace('_', ' '))}</th>" for column in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{_h(_cell(row.get(column)))}</td>" for column in columns) + "</tr>"
        for row in rows
    )
    return [f'<h3>{_h(title)}</h3><div class="wide"><table><tr>{head}</tr>{body}</table></div>']


def _particulars(about: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """GDPR article 15(1) and (2), point by point."""
    return [
        ("Who decides why and how your data are used", about["controllers"]),
        ("What they are used for, and on which ground", about["purposes"]),
        ("Kinds of data", about["categories"]),
        ("Who gets them", about["recipients"]),
        ("How long they are kept", about["kept_for"]),
        ("Where they come from", about["sources"]),
        ("Decisions made by a machine alone", about["automated"]),
        ("Sent to other countries", about["transfers"]),
        ("Your rights", about["rights"]),
    ]


def _h(value: Any) -> str:
    return html.escape(str(value))


class _Particulars(Sheet):
    def drawn(self, package: Mapping[str, Any]) -> bytes:
        self.pdf.add_page()
        self.text("What is held about you, and why", size=18, bold=True, after=1)
        self.text(f"Request {package['reference']}, {self.when(package['made_at'])}", size=11, after=3)
        self.text(package["about"])
        alike: dict[str, list[Mapping[str, Any]]] = {}
        for one in package["companies"]:
            key = json.dumps({**one["particulars"], "controllers": []}, sort_keys=True)
            alike.setdefault(key, []).append(one)
        for companies in alike.values():
            self._of(companies)
        if package["left_out"]:
            self.heading("What is not in it, and why")
            for line in package["left_out"]:
                self.text(line)
        self.text(f"The rest is in {PAGE}, {DATA} and the tables beside this file.", quiet=True)
        return bytes(self.pdf.output())

    def _of(self, companies: Sequence[Mapping[str, Any]]) -> None:
        """Companies whose particulars are the same are said together."""
        first = companies[0]
        self.heading(first["legal_name"] if len(companies) == 1 else f"{len(companies)} companies")
        if len(companies) > 1:
            self.text(", ".join(one["legal_name"] for one in companies))
        counts = (
            sum(len(one["calls"]) for one in companies),
            sum(len(one["consents"]) for one in companies),
        )
        self.facts([("Held", f"{counts[0]:,} calls, {counts[1]:,} entries of consent")])
        controllers = list(
            dict.fromkeys(line for one in companies for line in one["particulars"]["controllers"])
        )
        for title, lines in _particulars({**first["particulars"], "controllers": controllers}):
            self.facts([(title, "\n".join(lines))])


def particulars_pdf(package: Mapping[str, Any], *, zone: str) -> bytes:
    at = datetime.fromisoformat(package["made_at"])
    return _Particulars("What is held about you", made_at=at, zone=ZoneInfo(zone)).drawn(package)


# --- Recordings ---------------------------------------------------------------------------------------------------


class NotTwoSidedError(ValueError):
    """The file does not keep the two sides of the call apart, or not in a way that can be taken apart here."""


def one_side(data: bytes, *, channel: int) -> bytes:
    """
    One channel of a stereo WAV, as a WAV of its own.

    :param channel: 0 the first, 1 the second.
    :raises NotTwoSidedError: it is no PCM WAV of two channels.
    """
    try:
        with wave.open(io.BytesIO(data)) as sound:
            if sound.getnchannels() != 2:
                raise NotTwoSidedError("The file has one channel for both voices.")
            width, rate = sound.getsampwidth(), sound.getframerate()
            frames = sound.readframes(sound.getnframes())
    except (wave.Error, EOFError) as error:
        raise NotTwoSidedError("Only WAV keeps sides in a way that is taken apart here.") from error
    both = memoryview(frames)
    mono = bytearray(len(frames) // 2)
    for byte in range(width):
        mono[byte::width] = both[channel * width + byte :: 2 * width][: len(mono[byte::width])]
    out = io.BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(width)
        sound.setframerate(rate)
        sound.writeframes(bytes(mono))
    return out.getvalue()
