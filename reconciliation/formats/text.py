"""Bytes -> lines of text, in constant memory, by one rule for encodings.

``auto``: a byte order mark is dropped; a file is ASCII until its first line beyond ASCII, which decides for the whole
file between UTF-8 and Windows-1252 (the superset of Latin-1 that is met in practice). A later line that contradicts
the decision, and a file in UTF-16, is refused: half-decoded names and references are worse than none.
"""

import codecs
from collections.abc import Iterator
from typing import Final

from reconciliation.formats.contract import Source, StatementRefused

_CHUNK: Final = 1 << 16
LONGEST_LINE: Final = 1 << 20
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# What DOS programs put at the end of a file.
_END_OF_FILE: Final = b"\x1a"


class TextLines:
    """The lines of a stream, each ending in one newline; ``line_number`` counts them, ``raw`` is the last one.

    Args:
        encoding: ``auto`` or the name of a codec.

    Raises:
        StatementRefused: while iterating: wrong encoding, a NUL byte, or a line of more than a mebibyte.
    """

    def __init__(self, stream: Source, *, encoding: str) -> None:
        self._stream = stream
        self._encoding = "" if encoding == "auto" else encoding
        self._declared = self._encoding
        self._decided_on = 0
        self.line_number = 0
        self.raw = ""

    def __iter__(self) -> Iterator[str]:
        for line in self._lines():
            self.line_number += 1
            self.raw = self._text(line)
            yield self.raw

    def _lines(self) -> Iterator[bytes]:
        rest = self._beginning()
        while chunk := self._stream.read(_CHUNK):
            rest += chunk
            pieces = rest.splitlines(keepends=True)
            # The last piece may go on in the next chunk; so may a line that ends in the first half of CR LF.
            rest = pieces.pop() if not rest.endswith(b"\n") else b""
            if len(rest) > LONGEST_LINE:
                raise StatementRefused(
                    line_number=self.line_number + len(pieces) + 1,
                    reason="The line is longer than a mebibyte; this is no statement of this format.",
                )
            yield from pieces
        for line in rest.splitlines(keepends=True):
            if line != _END_OF_FILE:
                yield line

    def _beginning(self) -> bytes:
        """Read the first bytes: without the mark of UTF-8, refusing that of UTF-16."""
        start = self._stream.read(_CHUNK)
        if start.startswith(_UTF_16):
            raise StatementRefused(line_number=1, reason="The file is in UTF-16; export it again as UTF-8.")
        return start.removeprefix(codecs.BOM_UTF8)

    def _text(self, line: bytes) -> str:
        if b"\0" in line:
            raise StatementRefused(
                line_number=self.line_number, reason="The line holds a NUL byte: a binary file, or one in UTF-16."
            )
        text = line.decode("ascii") if line.isascii() else self._decoded(line)
        return text.removesuffix("\n").removesuffix("\r") + "\n"

    def _decoded(self, line: bytes) -> str:
        if not self._encoding:
            self._encoding = _decided(line)
            self._decided_on = self.line_number
        try:
            return line.decode(self._encoding)
        except UnicodeDecodeError as error:
            because = (
                f"the source declares {self._declared}"
                if self._declared
                else f"line {self._decided_on} is in {self._encoding}"
            )
            raise StatementRefused(
                line_number=self.line_number,
                reason=f"The byte 0x{error.object[error.start]:02X} cannot be read: {because}.",
            ) from error


class Peeked:
    """A stream of which the first bytes were looked at: ``start`` holds them, and they are read once more."""

    def __init__(self, stream: Source, *, size: int) -> None:
        self.start = stream.read(size)
        self._left = self.start
        self._stream = stream

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes; none at the end."""
        if not self._left:
            return self._stream.read(size)
        given, self._left = self._left[:size], self._left[size:]
        return given


def _decided(line: bytes) -> str:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"
