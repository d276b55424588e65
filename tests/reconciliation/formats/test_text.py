"""Encodings are decided by one rule, and a file that contradicts it is refused."""

import io

import pytest

from reconciliation.formats.contract import StatementRefused
from reconciliation.formats.text import LONGEST_LINE, TextLines


def lines(raw: bytes, encoding: str = "auto") -> list[str]:
    return [line.rstrip("\n") for line in TextLines(io.BytesIO(raw), encoding=encoding)]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"a\nb\r\nc\rd", ["a", "b", "c", "d"]),
        ("\ufeffé\n".encode(), ["é"]),
        ("é\nü".encode(), ["é", "ü"]),
        ("é\nü".encode("cp1252"), ["é", "ü"]),
        ("ascii first\n€".encode("cp1252"), ["ascii first", "€"]),
        (b"a\n\x1a", ["a"]),
        (b"a\x85\x0bb".replace(b"\x85", b""), ["a\x0bb"]),
        (b"", []),
    ],
)
def test_lines_are_read_by_any_line_end_and_in_the_encoding_of_the_file(raw, expected):
    assert lines(raw) == expected


def test_a_line_end_across_two_chunks_is_one():
    raw = b"x" * ((1 << 16) - 1) + b"\r\n" + b"y\n"
    assert [len(line) for line in lines(raw)] == [(1 << 16) - 1, 1]


@pytest.mark.parametrize(
    ("raw", "encoding", "line_number", "reason"),
    [
        ("é\n".encode() + "ü\n".encode("cp1252"), "auto", 2, "line 1 is in utf-8"),
        ("a\né\n".encode("cp1252"), "utf-8", 2, "the source declares utf-8"),
        ("aé".encode("cp1252") + b"\x81\n", "auto", 1, "0x81"),
        ("a".encode("utf-16"), "auto", 1, "UTF-16"),
        (b"a\nb\0c", "auto", 2, "NUL"),
        (b"a\n" + b"x" * (LONGEST_LINE + (1 << 17)), "auto", 2, "longer than a mebibyte"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(raw, encoding, line_number, reason):
    with pytest.raises(StatementRefused) as caught:
        lines(raw, encoding)
    assert caught.value.line_number == line_number
    assert reason in caught.value.reason
