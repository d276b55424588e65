"""Read bytes or texts as a format, the way every caller does."""

import io
from dataclasses import dataclass
from typing import Any

import pytest

from reconciliation.formats import registry
from reconciliation.formats.contract import (
    ControlTotals,
    EndOfFile,
    Reject,
    StatementHeader,
    StatementLine,
    StatementRefused,
)
from reconciliation.formats.options import Options


@dataclass
class Read:
    headers: list[StatementHeader]
    lines: list[StatementLine]
    rejects: list[Reject]
    totals: list[ControlTotals]
    end: EndOfFile


def read(format_name: str, content: str | bytes, **options: Any) -> Read:
    raw = content.encode() if isinstance(content, str) else content
    events = list(registry.read(io.BytesIO(raw), format_name=format_name, options=Options.parse(options)))
    end = events[-1]
    assert isinstance(end, EndOfFile)
    found = Read(
        [event for event in events if isinstance(event, StatementHeader)],
        [event for event in events if isinstance(event, StatementLine)],
        [event for event in events if isinstance(event, Reject)],
        [event for event in events if isinstance(event, ControlTotals)],
        end,
    )
    check_proof(found)
    return found


def check_proof(found: Read) -> None:
    """Every data row is a line or a reject, and every line adds up."""
    rows = sorted([event.row for event in found.lines] + [event.row for event in found.rejects])
    assert rows == list(range(1, found.end.rows + 1))
    assert found.end.rows == found.end.lines + found.end.rejects == len(found.lines) + len(found.rejects)
    assert sum(totals.lines for totals in found.totals) == len(found.lines)
    for line in found.lines:
        assert line.gross - line.fee == line.net
        assert not line.fee_parts or sum(minor for _, minor in line.fee_parts) == line.fee_minor
    assert all(reject.reason and reject.line_number > 0 for reject in found.rejects)


def refused(format_name: str, content: str | bytes, **options: Any) -> StatementRefused:
    with pytest.raises(StatementRefused) as caught:
        read(format_name, content, **options)
    return caught.value
