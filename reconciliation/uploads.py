"""A file on its way in: written to a temporary file while its bytes are counted and hashed, in constant memory."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from tempfile import TemporaryFile
from typing import IO, Final

from paymentops.core.errors import ApplicationError, InvalidInput

_CHUNK: Final = 256 * 1024


class FileTooLarge(ApplicationError):
    """The file is longer than ``STATEMENT_MAX_BYTES``."""

    code = "request.too_large"
    status = 413
    title = "The body is too large"


class FileEmpty(InvalidInput):
    """The file holds no byte."""

    title = "The file is empty"


@dataclass(frozen=True, slots=True)
class Spooled:
    """A whole file that can be read again: its bytes, their number and their SHA-256 in hexadecimal digits."""

    file: IO[bytes]
    size: int
    sha256: str


@contextmanager
def spooled(pieces: Iterable[bytes], *, largest: int) -> Iterator[Spooled]:
    """Keep what comes in until the block ends.

    Args:
        pieces: the bytes, in pieces of any size.
        largest: bytes.

    Raises:
        FileTooLarge: it is longer; nothing beyond was read.
        FileEmpty: it holds nothing.
    """
    with TemporaryFile() as file:
        size, digest = 0, sha256()
        for piece in pieces:
            size += len(piece)
            if size > largest:
                raise FileTooLarge(f"The file is larger than {largest} bytes; send it in parts.")
            digest.update(piece)
            file.write(piece)
        if size == 0:
            raise FileEmpty("The file is empty; send the whole statement.")
        file.seek(0)
        yield Spooled(file, size, digest.hexdigest())


def pieces_of(file: IO[bytes]) -> Iterator[bytes]:
    """Return what is left of a file, in pieces."""
    while piece := file.read(_CHUNK):
        yield piece


class CountedReader:
    """A stream that counts and hashes what is read from it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = sha256()
        self.bytes_read = 0

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes; none at the end."""
        piece = self._file.read(size)
        self._digest.update(piece)
        self.bytes_read += len(piece)
        return piece

    def digest_to_end(self) -> str:
        """Read what is left and return the SHA-256 of the whole in hexadecimal digits."""
        while self.read(_CHUNK):
            pass
        return self._digest.hexdigest()
