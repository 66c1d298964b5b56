"""What an operator types: a file of replies in, their labels out."""

import csv
import io
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command


def run(file: str, *arguments: str) -> list[list[str]]:
    out = StringIO()
    call_command("classify_replies", file, *arguments, stdout=out)
    return list(csv.reader(StringIO(out.getvalue())))


def written(folder: Path, content: bytes) -> str:
    path = folder / "replies.csv"
    path.write_bytes(content)
    return str(path)


def test_each_row_gets_its_label_and_reason(tmp_path: Path) -> None:
    rows = run(written(tmp_path, b"text\nSTOP\nsee you at 5\nwrong number\n"))

    assert rows[0] == ["text", "label", "why"]
    assert [row[:2] for row in rows[1:]] == [
        ["STOP", "withdraw"],
        ["see you at 5", "none"],
        ["wrong number", "review"],
    ]
    assert all(row[2].endswith(".") for row in rows[1:])


def test_mark_of_byte_order_quotes_line_breaks_and_other_columns(tmp_path: Path) -> None:
    content = '\ufeffid,Text ,note\r\n1,"Hello, ""you"",\r\nno me llamen más",x\r\n2,YES\r\n'.encode()

    rows = run(written(tmp_path, content))

    assert [row[:2] for row in rows[1:]] == [
        ['Hello, "you",\r\nno me llamen más', "withdraw"],
        ["YES", "consent"],
    ]


def test_empty_texts_and_short_rows_are_none_and_blank_lines_are_no_rows(tmp_path: Path) -> None:
    rows = run(written(tmp_path, b"id,text\n1,\n\n2\n"))

    assert [row[:2] for row in rows[1:]] == [["", "none"], ["", "none"]]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"text\nno me graben\n")))

    assert run("-")[1][:2] == ["no me graben", "withdraw"]


def test_the_channel_decides_what_a_word_means(tmp_path: Path) -> None:
    file = written(tmp_path, b"text\nquit\n")

    assert run(file, "--channel", "voice")[1][1] == "review"
    assert run(file)[1][1] == "withdraw"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"message,label\nSTOP,x\n", "has no column 'text'; its first line names: message, label."),
        (b"", "is empty"),
        (b"text\nSTOP\n\xff\xfe\n", "is not UTF-8"),
        (b"text\n" + b"x" * 200_000 + b"\n", "at line 2: is not CSV"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(CommandError) as failure:
        run(written(tmp_path, content))

    assert said in str(failure.value)
    assert failure.value.returncode == 2


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        run(str(tmp_path / "nowhere.csv"))


def test_it_streams(tmp_path: Path) -> None:
    """The rows before a broken one have been answered."""
    out = StringIO()

    with pytest.raises(CommandError):
        call_command("classify_replies", written(tmp_path, b"text\nSTOP\n" + b"x" * 200_000), stdout=out)

    assert "STOP,withdraw" in out.getvalue()
