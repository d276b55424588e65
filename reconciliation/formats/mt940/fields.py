"""SWIFT text -> its fields (``:61:`` …), one after the other, in constant memory.

A file may hold several messages, each in an envelope of SWIFT blocks or of a bank's own lines; what stands before the
first field of a message is left aside, and so is the line ``-`` that ends it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from reconciliation.formats.contract import Source, StatementRefused
from reconciliation.formats.text import TextLines

_FIELD = re.compile(r":(NS|\d{2}[A-Z]?):(.*)", re.DOTALL)
# Six lines in the standard; banks write more, and beyond this it is no field any more.
_MOST_LINES: Final = 200
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# ``-``, ``-}``, ``-XXX``: the end of a message. Text of a field may begin with a dash and a blank.
_END = re.compile(r"-(?:\}.*|X{1,3})?")
# The blocks in which SWIFT wraps a message, up to where its text begins.
_BLOCKS = re.compile(r"(?:\{[1235]:[^{}]*(?:\{[^{}]*\}[^{}]*)*\})*\{4:")


@dataclass(slots=True)
class Field:
    """One field: its tag without colons, its lines and where it begins. The tag ``-`` is the end of a message."""

    tag: str
    line_number: int
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Return the lines as they stand, without blanks at the end."""
        return "\n".join(self.lines).rstrip()


def fields(stream: Source, *, encoding: str) -> Iterator[Field]:
    """Yield every field and every end of a message.

    Raises:
        StatementRefused: while iterating: wrong encoding, or a field of more than 200 lines.
    """
    lines = TextLines(stream, encoding=encoding)
    open_field: Field | None = None
    for raw in lines:
        line = _BLOCKS.sub("", _CONTROLS.sub("", raw.rstrip("\n")))
        found = _FIELD.match(line)
        if found is not None:
            if open_field is not None:
                yield open_field
            open_field = Field(found[1], lines.line_number, [found[2]])
        elif _END.fullmatch(line.rstrip()):
            if open_field is not None:
                yield open_field
            open_field = None
            yield Field("-", lines.line_number)
        elif open_field is not None:
            open_field.lines.append(line)
            if len(open_field.lines) > _MOST_LINES:
                raise StatementRefused(
                    line_number=open_field.line_number, reason=f"The field goes on for more than {_MOST_LINES} lines."
                )
    if open_field is not None:
        yield open_field
