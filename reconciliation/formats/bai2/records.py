"""BAI2 records: lines with their continuations, and the fields in them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from reconciliation.formats import amounts
from reconciliation.formats.contract import Source, StatementRefused, Unreadable
from reconciliation.formats.options import Options
from reconciliation.formats.text import LONGEST_LINE, TextLines

_KNOWN: Final = frozenset({"01", "02", "03", "16", "49", "88", "98", "99"})


@dataclass(slots=True)
class Record:
    """A record with its continuations: ``parts`` are their texts without record code and closing slash."""

    code: str
    line_number: int
    parts: list[str] = field(default_factory=list)

    def fields(self) -> list[str]:
        """Return the comma separated fields over all continuations."""
        return ",".join(self.parts).split(",")

    def shown(self) -> str:
        """Return the record as it stood, on one line."""
        return f"{self.code},{' 88,'.join(self.parts)}"


def records(stream: Source, options: Options) -> Iterator[Record]:
    """Yield records, continuations (88) joined to what they continue.

    Raises:
        StatementRefused: while iterating: a continuation of nothing, or a record longer than a mebibyte.
    """
    lines = TextLines(stream, encoding=options.encoding)
    found: Record | None = None
    size = 0
    for raw in lines:
        line = raw.strip()
        if not line:
            continue
        code, part = line[:2], line[3:].removesuffix("/")
        if code == "88" and line[2:3] in {",", ""}:
            if found is None or found.code in {"01", "49", "98", "99"}:
                raise StatementRefused(
                    line_number=lines.line_number, reason="There is nothing that this line continues."
                )
            found.parts.append(part)
            size += len(part)
            if size > LONGEST_LINE:
                raise StatementRefused(line_number=found.line_number, reason="The record is longer than a mebibyte.")
            continue
        if found is not None:
            yield found
        size = 0
        if code not in _KNOWN or line[2:3] not in {",", "/", ""}:
            found = Record("", lines.line_number, [line])
        else:
            found = Record(code, lines.line_number, [part])
    if found is not None:
        yield found


def summaries(fields: list[str]) -> list[tuple[str, int]]:
    """Return (type code, amount) of an account's balances and summaries; an empty amount says nothing.

    Raises:
        Unreadable: an amount cannot be read.
    """
    found, at = [], 0
    while at < len(fields):
        code, text = value(fields, at), value(fields, at + 1)
        if not code and not text:
            # Some banks leave a whole group empty; what is left at the end may be shorter.
            at += 4
            continue
        if len(code) != 3 or not (code.isascii() and code.isdigit()):
            raise Unreadable(f"{code[:20]!r} is not a type code.")
        if text:
            found.append((code, amounts.minor(text)))
        funds = value(fields, at + 3).upper()
        at += 4 + width(funds, fields, at + 4)
    return found


def width(funds: str, fields: list[str], at: int) -> int:
    """Return how many fields about availability follow a type of funds.

    Raises:
        Unreadable: the type of funds is unknown.
    """
    if funds in {"", "0", "1", "2", "Z"}:
        return 0
    if funds == "V":
        return 2
    if funds == "S":
        return 3
    if funds == "D":
        count = amounts.minor(value(fields, at))
        if not 0 <= count <= len(fields):
            raise Unreadable("The number of distributed amounts is beyond the record.")
        return 1 + 2 * count
    raise Unreadable(f"{funds[:10]!r} is not a type of funds.")


def text(record: Record, commas: int) -> str:
    """Return what stands behind so many fields; its commas are its own, continuations go on after a blank."""
    texts, left = [], commas
    for part in record.parts:
        pieces = part.split(",", left)
        if len(pieces) > left:
            texts.append(pieces[left])
            left = 0
        else:
            left -= len(pieces)
    return " ".join(" ".join(texts).split())


def value(fields: list[str], position: int) -> str:
    """Return a field without blanks around it, or an empty string where the record ends before."""
    return fields[position].strip() if position < len(fields) else ""
