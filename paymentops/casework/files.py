"""What an uploaded file is, found out from its bytes: never from what its sender says.

Known are PDF, PNG, JPEG, Excel and Word workbooks (OOXML), CSV and plain text in UTF-8. The name keeps its stem and
gets the ending of what the file is, so that nobody opens something else by its name.
"""

import re
import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import IO, Any, Final

from paymentops.core.errors import InvalidInput

_CHUNK: Final = 64 * 1024
_LONGEST_STEM: Final = 120
_NOT_IN_NAMES: Final = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f]+')
_OOXML: Final = {
    "xl/workbook.xml": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".xlsx"),
    "word/document.xml": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", ".docx"),
}
_SIGNATURES: Final = (
    (b"%PDF-", "application/pdf", ".pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png", ".png"),
    (b"\xff\xd8\xff", "image/jpeg", ".jpg"),
)


class FileNotAccepted(InvalidInput):
    """The file is empty, too large, or of a type that is not kept."""

    code = "casework.file_not_accepted"
    title = "The file cannot be accepted"


@dataclass(frozen=True, slots=True)
class Examined:
    """A file that can be kept: its cleaned name, what it is, its size in bytes and its SHA-256."""

    name: str
    content_type: str
    size: int
    sha256: str


def examine(file: IO[bytes], *, name: str, largest: int) -> Examined:
    """Find out what a file is; leaves it at its beginning.

    Args:
        file: binary and seekable.
        name: as the sender calls it.
        largest: bytes.

    Raises:
        FileNotAccepted: see the class.
    """
    size, digest, is_text = _read(file, largest)
    content_type, ending = _kind(file, name=name, is_text=is_text)
    file.seek(0)
    return Examined(clean_name(name, ending), content_type, size, digest)


def clean_name(name: str, ending: str) -> str:
    """Return a name without folders, control and direction characters, with the ending given."""
    base = unicodedata.normalize("NFC", name.replace("\\", "/").rsplit("/", 1)[-1])
    visible = "".join(letter for letter in base if unicodedata.category(letter) not in ("Cc", "Cf", "Co", "Cs", "Cn"))
    stem = _NOT_IN_NAMES.sub("_", visible)
    head, dot, last = stem.rpartition(".")
    if dot and 1 <= len(last) <= 5 and last.isalnum():
        stem = head
    return f"{stem.strip(' ._')[:_LONGEST_STEM] or 'file'}{ending}"


def digest_of(file: IO[bytes]) -> str:
    """Return the hexadecimal SHA-256 of a file, read in pieces."""
    found = sha256()
    for piece in _pieces(file):
        found.update(piece)
    return found.hexdigest()


def _read(file: IO[bytes], largest: int) -> tuple[int, str, bool]:
    size, found, is_text, rest = 0, sha256(), True, b""
    for piece in _pieces(file):
        size += len(piece)
        if size > largest:
            raise FileNotAccepted(f"The file is larger than {largest // 1024 // 1024} MB; send a smaller one.")
        found.update(piece)
        is_text, rest = _still_text(is_text, rest + piece)
    if size == 0:
        raise FileNotAccepted("The file is empty.")
    return size, found.hexdigest(), is_text and not rest


def _still_text(so_far: bool, piece: bytes) -> tuple[bool, bytes]:
    """Tell whether a piece goes on as UTF-8 text, and return the beginning of a letter cut at its end."""
    if not so_far or b"\0" in piece:
        return False, b""
    try:
        piece.decode()
    except UnicodeDecodeError as error:
        cut = error.reason == "unexpected end of data" and len(piece) - error.start < 4
        return cut, piece[error.start :] if cut else b""
    return True, b""


def _kind(file: IO[bytes], *, name: str, is_text: bool) -> tuple[str, str]:
    file.seek(0)
    head = file.read(16)
    for signature, content_type, ending in _SIGNATURES:
        if head.startswith(signature):
            return content_type, ending
    if head.startswith(b"PK\x03\x04"):
        return _office(file)
    if is_text:
        return ("text/csv", ".csv") if name.lower().endswith(".csv") else ("text/plain", ".txt")
    raise FileNotAccepted("Send a PDF, PNG, JPEG, XLSX, DOCX, CSV or text file; this one is none of them.")


def _office(file: IO[Any]) -> tuple[str, str]:
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        names = set()
    if not any(name.endswith("vbaProject.bin") for name in names):
        for part, kind in _OOXML.items():
            if part in names:
                return kind
    raise FileNotAccepted("An archive is not kept, nor a workbook with macros; send an XLSX, DOCX or PDF file.")


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(_CHUNK):
        yield piece
