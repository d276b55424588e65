"""Measure the product: ``bench intake``, ``bench dispatch`` and ``bench ledger``. ``bench fill`` makes tables large."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from rich.console import Console
from rich.table import Table

from paymentops.access import operations as access
from paymentops.access.actors import Actor
from paymentops.access.models import ApiClient
from paymentops.bench import dispatch, filling, intake, own_system
from paymentops.bench.ledger import posting, reading
from paymentops.bench.own_database import own_database
from paymentops.bench.parallel import BenchFailed
from paymentops.core import clock
from paymentops.local import record

_BY = Actor.command("bench")
# What has a column of its own, and what only --json tells.
_APART = frozenset({"rate", "p50_ms", "p99_ms", "ratio", "seconds_by_check"})

type Progress = Callable[[str], None]


class Command(BaseCommand):
    help = "Measures the running system. Figures are medians of alternating runs; compare ratios, not rates."

    def add_arguments(self, parser: CommandParser) -> None:
        benches = parser.add_subparsers(dest="bench", required=True)
        one = benches.add_parser("intake", help="payments over HTTP against the same rows written straight in")
        one.add_argument("--payments", type=int, default=4000, help="in each of three runs (4000)")
        one.add_argument("--json", action="store_true", help="one object per measured thing, nothing else")
        one.add_argument("--url", default="", help="of the running system; found through the data directory")
        books = benches.add_parser(
            "ledger", help="posting against COPY, reads of a large account, sealing, verification"
        )
        books.add_argument("--entries", type=int, default=20_000, help="posted in each of three runs (20000)")
        books.add_argument("--lines", type=int, default=1_000_000, help="on the large account that is read (1000000)")
        books.add_argument("--json", action="store_true", help="one object per measured thing, nothing else")
        sent = benches.add_parser(
            "dispatch", help="from acceptance to the provider call, on a system of its own, and the sweep alone"
        )
        sent.add_argument("--seconds", type=int, default=20, help="of each measurement (20)")
        sent.add_argument("--broker", choices=own_system.BROKERS, default=own_system.RABBITMQ, help="(%(default)s)")
        sent.add_argument("--json", action="store_true", help="one object per measured thing, nothing else")
        fill = benches.add_parser("fill", help="add finished payments, to measure with large tables")
        fill.add_argument("--payments", type=int, default=1_000_000)

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["bench"] == "fill":
            filling.fill(payments=options["payments"], client=_client(), now=clock.now(), console=Console())
            return
        measure = _MEASURES[options["bench"]]
        console = Console(stderr=True)
        try:
            figures = measure(options, lambda text: console.print(text, style="dim"))
        except BenchFailed as error:
            raise CommandError(f"The system did not answer as the bench needs: {error}") from error
        if options["json"]:
            self.stdout.write(json.dumps(figures, indent=2))
        else:
            Console().print(_table(figures))


def _measure_intake(options: dict[str, Any], progress: Progress) -> dict[str, Any]:
    target = _target(options["url"])
    return intake.measure(target=target, payments=options["payments"], now=clock.now(), progress=progress)


def _measure_ledger(options: dict[str, Any], progress: Progress) -> dict[str, Any]:
    with own_database():
        return posting.measure(entries=options["entries"], progress=progress) | reading.measure(
            lines=options["lines"], progress=progress
        )


def _measure_dispatch(options: dict[str, Any], progress: Progress) -> dict[str, Any]:
    progress(f"starting a system with {options['broker']}")
    with own_system.running(broker=options["broker"]) as system:
        return dispatch.measure(system=system, seconds=options["seconds"], progress=progress)


_MEASURES: Final[Mapping[str, Callable[[dict[str, Any], Progress], dict[str, Any]]]] = {
    "intake": _measure_intake,
    "ledger": _measure_ledger,
    "dispatch": _measure_dispatch,
}


def _target(url: str) -> intake.Target:
    running = record.read(settings.DATA_DIR)
    if not url and running is None:
        raise CommandError("No system runs on this data directory. Start one with `manage.py up`, or give --url.")
    client = _client()
    _, secret = access.issue_key(
        client=client, scopes=["payments:read", "payments:write"], expires_at=None, by=_BY, now=clock.now()
    )
    return intake.Target(
        url=url or f"http://127.0.0.1:{running.port if running else 0}",
        secret=secret,
        client_id=client.pk,
        conninfo=_conninfo(),
    )


def _client() -> ApiClient:
    found = ApiClient.objects.filter(name="bench").first()
    return found or access.create_client(name="bench", by=_BY, now=clock.now())


def _conninfo() -> str:
    """Return how psycopg reaches the database Django uses."""
    connection.ensure_connection()
    info = connection.connection.info
    return str(info.dsn)


def _table(figures: dict[str, Any]) -> Table:
    table = Table(title="Measured")
    for name in ("", "rate /s", "p50 ms", "p99 ms", "to floor", "more"):
        table.add_column(name, justify="right" if name not in {"", "more"} else "left")
    for name, row in figures.items():
        table.add_row(
            name,
            f"{row['rate']:,.0f}",
            _milliseconds(row, "p50_ms"),
            _milliseconds(row, "p99_ms"),
            str(row.get("ratio", "")),
            ", ".join(f"{key} {value}" for key, value in row.items() if key not in _APART and value),
        )
    return table


def _milliseconds(row: dict[str, Any], name: str) -> str:
    return f"{row[name]:.1f}" if name in row else ""
