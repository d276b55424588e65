"""Shared words of the tests of reconciliation: a source, its files, and a worker that reads them."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from paymentops.access.actors import Actor
from paymentops.access.models import Team
from reconciliation import operations
from reconciliation.models import IngestRun, Source
from reconciliation.operations import Received, SourceDeclaration, Worker
from reconciliation.uploads import spooled

BY = Actor.command("test")
NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
MAPPING = {
    "columns": {
        "provider_reference": "id",
        "our_reference": "ours",
        "type": "kind",
        "gross": "gross",
        "fee": "fee",
        "net": "net",
        "value_date": "day",
    },
    "currency": "EUR",
    "types": {"sale": "charge", "back": "refund"},
    "footer": {"word": "END", "count": 2},
}
HEAD = "id,ours,kind,gross,fee,net,day"


def declaration(**changes: Any) -> SourceDeclaration:
    Team.objects.get_or_create(name="Finance")
    values: dict[str, Any] = {
        "title": "A provider",
        "kind": "PROVIDER",
        "account": "sandbox",
        "format": "csv",
        "owner": "Finance",
        "currencies": ("EUR",),
        "options": {"mapping": MAPPING},
    }
    return SourceDeclaration(**values | changes)


def source(name: str = "acme", **changes: Any) -> Source:
    return operations.create_source(declaration(**changes), name=name, by=BY, now=NOW)


def row(number: int, *, gross: str = "10.00", kind: str = "sale") -> str:
    return f"p{number},o{number},{kind},{gross},0.00,{gross},2026-03-09"


def csv(rows: Iterable[str], *, count: int | None = None) -> bytes:
    """A file with a footer that states its number of rows."""
    lines = list(rows)
    stated = len(lines) if count is None else count
    return "\n".join([HEAD, *lines, f"END,{stated},,,,,", ""]).encode()


def send(content: bytes, *, name: str = "acme", called: str = "acme.csv", now: datetime = NOW) -> Received:
    with spooled(iter([content]), largest=10**9) as upload:
        return operations.receive(upload, source_name=name, name=called, by=BY, now=now)


class Clock:
    """A clock that goes on by a step each time it is read."""

    def __init__(self, *, at: datetime = NOW, step: timedelta = timedelta(0)) -> None:
        self.at, self.step = at, step

    def __call__(self) -> datetime:
        self.at += self.step
        return self.at


def worker(*, at: datetime = NOW, size: int = 100, until: datetime | None = None, step: int = 0) -> Worker:
    return Worker("test", Clock(at=at, step=timedelta(seconds=step)), until=until, batch_size=size)


def read(content: bytes, **named: Any) -> IngestRun:
    received = send(content, **named)
    return operations.ingest(received.run.pk, worker=worker(at=named.get("now", NOW)))
