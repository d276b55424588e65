"""camt XML -> a stream of small trees, in constant memory and with line numbers.

Expat reads no external entity and asks no network; a document type declaration is refused as it begins, so there is no
entity to expand either. An entry may hold a hundred thousand transactions, so each is handed out and forgotten.
"""

import re
from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple
from xml.parsers import expat

from reconciliation.formats.contract import Source, StatementRefused

_CHUNK: Final = 1 << 16
# What one element may hold beside transactions; also bounds what expat keeps of an unfinished token.
_LARGEST_TREE: Final = 100_000
_LARGEST_TEXT: Final = 1 << 20
_DEEPEST: Final = 64
_MESSAGE = re.compile(r"BkToCstmr(Stmt|AcctRpt|DbtCdtNtfctn)(V\d\d)?")
_VERSION = re.compile(r"camt\.05[234](?:\.\d{3}){1,2}(?:\.\d{2})?(?:\.\d+)*", re.IGNORECASE)
_STATEMENTS: Final = frozenset({"Stmt", "Rpt", "Ntfctn"})
_ENTRY: Final = "Ntry"
_DETAIL: Final = "TxDtls"
_BATCH: Final = "Btch"


class Node:
    """One element: local name, text, attributes and children."""

    __slots__ = ("attributes", "children", "line_number", "name", "text")

    def __init__(self, name: str, attributes: dict[str, str], line_number: int) -> None:
        self.name = name
        self.attributes = attributes
        self.line_number = line_number
        self.children: list[Node] = []
        self.text = ""

    def find(self, path: str) -> "Node | None":
        """Return the first element under this path (``AmtDtls/TxAmt/Amt``)."""
        found = self
        for name in path.split("/"):
            for child in found.children:
                if child.name == name:
                    found = child
                    break
            else:
                return None
        return found

    def value(self, *paths: str) -> str:
        """Return the text of the first of these paths that holds any, or an empty string."""
        for path in paths:
            found = self.find(path)
            if found is not None and found.text.strip():
                return found.text.strip()
        return ""

    def all(self, name: str) -> "list[Node]":
        """Return the children of this name."""
        return [child for child in self.children if child.name == name]

    def under(self, name: str) -> "Iterator[Node]":
        """Yield every element of this name below this one, in order."""
        for child in self.children:
            if child.name == name:
                yield child
            yield from child.under(name)

    def shown(self) -> str:
        """Return names and values on one line, for a person who looks for this element."""
        inner = " ".join(child.shown() for child in self.children)
        value = " ".join(part for part in (*self.attributes.values(), self.text.strip(), inner) if part)
        return f"{self.name}({value})"


class Piece(NamedTuple):
    """A part of a message, by kind.

    ``message`` (its name; the version is its text), ``start`` and ``end`` of a statement, ``part`` (a child
    of a statement), ``entry`` (what stands before its transactions), ``batch``, ``detail``, and ``entry_end`` (all but
    the transactions).
    """

    kind: str
    node: Node


def pieces(stream: Source) -> Iterator[Piece]:
    """Yield the parts of a message in the order of the file.

    Raises:
        StatementRefused: while iterating: not well-formed, an unknown encoding, a document type declaration, or a part
            that is too deep or too large.
    """
    builder = _Builder()
    while chunk := stream.read(_CHUNK):
        builder.feed(chunk, last=False)
        yield from builder.drained()
    builder.feed(b"", last=True)
    yield from builder.drained()


class _Builder:
    def __init__(self) -> None:
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._open: list[Node] = []
        self._done: deque[Piece] = deque()
        # How deep the message stands, whether a statement of it is open, and the open entry of that.
        self._message: int | None = None
        self._statement = False
        self._entry: Node | None = None
        self._entry_told = False
        self._kept = 0
        self._fed = 0

    def feed(self, chunk: bytes, *, last: bool) -> None:
        self._fed += len(chunk)
        try:
            self._parser.Parse(chunk, last)
        except expat.ExpatError as error:
            raise StatementRefused(
                line_number=error.lineno, reason=f"The XML is not well-formed: {expat.ErrorString(error.code)}."
            ) from error
        except (LookupError, ValueError, UnicodeError) as error:
            # Expat asks Python for encodings that it does not know itself.
            raise StatementRefused(line_number=1, reason="The XML declares an encoding that cannot be read.") from error
        if not last and self._fed - max(self._parser.CurrentByteIndex, 0) > _LARGEST_TEXT:
            raise self._refused("An element or value is larger than a mebibyte.")

    def drained(self) -> Iterator[Piece]:
        while self._done:
            yield self._done.popleft()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(" ")
        node = Node(local, attributes, self._parser.CurrentLineNumber)
        depth = len(self._open)
        if depth >= _DEEPEST:
            raise self._refused(f"Elements are nested more than {_DEEPEST} deep.")
        if self._message is None:
            if _MESSAGE.fullmatch(local):
                version = _VERSION.search(namespace)
                node.text = version[0] if version else ""
                self._message = depth
                self._done.append(Piece("message", node))
        elif depth == self._message + 1:
            if local in _STATEMENTS:
                self._statement = True
                self._done.append(Piece("start", node))
        elif depth == self._message + 2:
            self._entry = node if local == _ENTRY and self._statement else None
            self._entry_told = False
        elif local == _DETAIL and self._entry is not None and not self._entry_told:
            self._entry_told = True
            self._done.append(Piece("entry", self._entry))
        self._open.append(node)
        self._kept += 1
        if self._kept > _LARGEST_TREE:
            raise self._refused(f"One part of the message holds more than {_LARGEST_TREE} elements.")

    def _end(self, _name: str) -> None:
        node = self._open.pop()
        if self._handed_out(node, len(self._open)):
            self._kept -= _size(node)
        elif self._open:
            self._open[-1].children.append(node)

    def _handed_out(self, node: Node, depth: int) -> bool:
        """Hand out what is complete; tell whether it is done with, so that it is not kept.

        Around the message may stand an envelope, of which nothing is kept.
        """
        if self._message is None or depth <= self._message:
            self._message = None if self._message == depth else self._message
            return True
        if depth == self._message + 1:
            if node.name in _STATEMENTS:
                self._statement = False
                # A node of its own: that of the beginning may not have been looked at yet.
                self._done.append(Piece("end", Node(node.name, {}, self._parser.CurrentLineNumber)))
            return True
        if depth == self._message + 2:
            if self._statement:
                self._done.append(Piece("part" if self._entry is None else "entry_end", node))
                self._entry = None
            return self._statement
        return self._entry is not None and self._of_entry(node)

    def _of_entry(self, node: Node) -> bool:
        """Hand out a transaction or a batch of the open entry."""
        if node.name == _DETAIL:
            self._done.append(Piece("detail", node))
            return True
        if node.name == _BATCH and self._open[-1].name in {_ENTRY, "NtryDtls"}:
            self._done.append(Piece("batch", node))
            return True
        return False

    def _text(self, data: str) -> None:
        if self._message is None or len(self._open) <= self._message + 1 or self._open[-1].children:
            return
        node = self._open[-1]
        if len(node.text) + len(data) > _LARGEST_TEXT:
            raise self._refused("A value is larger than a mebibyte.")
        node.text += data

    def _doctype(self, *_arguments: object) -> None:
        raise self._refused("The XML holds a document type declaration; statements have none, so it is not read.")

    def _refused(self, reason: str) -> StatementRefused:
        return StatementRefused(line_number=self._parser.CurrentLineNumber, reason=reason)


def _size(node: Node) -> int:
    return 1 + sum(_size(child) for child in node.children)
